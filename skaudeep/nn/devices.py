"""Devices by their names, and the precision of their matrix products."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from time import perf_counter
from typing import Any

import torch

from skaudeep._texts import printable
from skaudeep._warnings import find_stack_level


def resolve_device(device: str) -> torch.device:
    """Return the device that "auto" or a name stands for.

    Parameters
    ----------
    device : str
        Name of the device. "auto" is a CUDA device if there is one, else the CPU.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If torch does not know the name, or the machine has no such device.
    """
    if device == "auto":
        # A launcher of several processes on one machine gives each its number there.
        own = int(os.environ.get("LOCAL_RANK", 0))
        return torch.device("cuda", own) if torch.cuda.is_available() else torch.device("cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device={device!r} cannot be used: {printable(error)}. "
            'Expected "auto", "cpu", "cuda", "cuda:1".'
        ) from error
    return torch.device(device)


def multiplies_bf16(device: torch.device) -> bool:
    """Return whether a device has bfloat16 arithmetic; warn once if it has not.

    A processor without it multiplies matrices in bfloat16 tens of times slower than in float32.

    Parameters
    ----------
    device : torch.device

    Returns
    -------
    bool

    Warns
    -----
    RuntimeWarning
        If the device has none; `fit` then trains in float32.
    """
    if device.type == "cuda":
        known = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        known = _cpu_multiplies_bf16()
    else:
        known = True
    if not known:
        warnings.warn(
            f'precision="bf16" is much slower than float32 on this {device.type}, which has no '
            'bfloat16 arithmetic; training in float32. Set precision="float32".',
            RuntimeWarning,
            stacklevel=find_stack_level(),
        )
    return known


@lru_cache(maxsize=1)
def _cpu_multiplies_bf16() -> bool:
    """Ask oneDNN, which multiplies in bfloat16; where torch does not tell, measure it."""
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):  # a private name, which may go
        x = torch.ones(256, 256)
        return _seconds(x.bfloat16()) < 4 * _seconds(x)  # 64 times without the arithmetic


def _seconds(x: torch.Tensor) -> float:
    """Time the fastest of three products of a matrix with itself."""
    taken = []
    for _ in range(3):
        start = perf_counter()
        _ = x @ x
        taken.append(perf_counter() - start)
    return min(taken)


@contextmanager
def products_in(precision: str, device: torch.device) -> Iterator[None]:
    """Set how a CUDA device multiplies matrices of float32 inside the context.

    The setting is torch's, for the whole process, and is restored at the end.

    Parameters
    ----------
    precision : {"tf32", "ieee"}
        TensorFloat-32, which rounds factors to 11 bits and is several times as fast on GPUs that
        have it, or float32.
    device : torch.device
        Where it is not CUDA, nothing changes.
    """
    settings: list[Any] = []
    if device.type == "cuda":
        settings = [torch.backends.cuda.matmul, torch.backends.cudnn.rnn]
    before = [(setting, setting.fp32_precision) for setting in settings]
    changed = [(setting, was) for setting, was in before if was != precision]
    for setting, _ in changed:
        setting.fp32_precision = precision
    try:
        yield
    finally:
        for setting, was in changed:
            setting.fp32_precision = was
