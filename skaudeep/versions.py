"""show_versions: prints installed versions and hardware, for bug reports."""

from __future__ import annotations

import os
import platform
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version

from skaudeep._texts import printable
from skaudeep._version import __version__

__all__ = ["show_versions"]

CORE = [
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "torch",
    "numba",
    "llvmlite",
    "librosa",
    "soundfile",
    "soxr",
    "netCDF4",
    "xarray",
    "liac-arff",
    "joblib",
    "threadpoolctl",
    "safetensors",
    "lazy-loader",
    "click",
    "rich",
]
EXTRAS = [
    "matplotlib",
    "jinja2",
    "skops",
    "av",
    "pooch",
    "requests",
    "urllib3",
    "crowsetta",
    "mir-eval",
    "onnx",
    "onnxruntime",
    "tensorboard",
    "umap-learn",
    "dask",
    "distributed",
]


def show_versions() -> None:
    """Print the versions and the hardware that skaudeep runs on, for a bug report.

    The list has a line for each fact: the versions of skaudeep and Python; the path of Python; the
    operating system; the number of processors, how many of them this process may use, and the
    number of torch's threads; the GPUs; whether recurrent layers run by skaudeep's compiled kernels
    or by torch; and the versions of libsndfile, which decodes audio, and of the required and the
    optional packages ("not installed" where one is missing). Nothing is sent anywhere. The path of
    Python may hold your user name.

    Examples
    --------
    >>> import skaudeep
    >>> skaudeep.show_versions()  # doctest: +ELLIPSIS
    skaudeep          ...
    python            ...
    """
    for name, value in [*_system(), *_packages()]:
        print(f"{name:<17} {value}".rstrip())  # noqa: T201 (as sklearn.show_versions does)


def _system() -> Iterator[tuple[str, str]]:
    yield "skaudeep", __version__
    yield "python", printable(" ".join(sys.version.split()))
    yield "executable", printable(sys.executable)
    yield "platform", printable(platform.platform())
    yield "processors", _known(_processors)
    yield "GPUs", _known(_gpus)
    yield "recurrent layers", _known(_layers)
    yield "libsndfile", _known(_libsndfile)


def _packages() -> Iterator[tuple[str, str]]:
    for heading, names in (("", CORE), ("optional:", EXTRAS)):
        yield heading, ""
        for name in names:
            try:
                yield name, version(name)
            except PackageNotFoundError:
                yield name, "not installed"


def _known(fact: Callable[[], str]) -> str:
    """Return a fact, or the error that prevents it: a broken package must not end the report."""
    try:
        return printable(fact())
    except Exception as error:
        return f"not known ({type(error).__name__}: {printable(error)})"


def _processors() -> str:
    # A container, or a job on a cluster, may often use fewer processors than the machine has.
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    import torch

    return f"{usable} of {os.cpu_count()} usable, torch takes {torch.get_num_threads()}"


def _gpus() -> str:
    import torch

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ", ".join(names) or "none that torch can use"


def _layers() -> str:
    from skaudeep.nn.backends import uses_kernels

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return "compiled kernels" if uses_kernels() else "torch's own"


def _libsndfile() -> str:
    import soundfile

    return str(soundfile.__libsndfile_version__)
