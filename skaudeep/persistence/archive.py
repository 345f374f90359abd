"""Model files that are safe to load: they hold weights and parameters, no code and no pickle.

A file is a zip archive of uncompressed members, which any program can read:

manifest.json
    Format number, versions, and the size and SHA-256 of the other members.
estimator.json
    Class names, parameters and fitted attributes.

arrays.safetensors
    Weights and arrays of these.
steps/0.skops, ...
    Steps of scikit-learn, except for those of `common_steps`.

The archive's comment is a checksum of the whole file (`skaudeep._files.append_checksum`).
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import zipfile
from collections.abc import Iterable
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import safetensors.numpy
from sklearn.base import BaseEstimator
from torch import nn

from skaudeep._files import (
    CHECKSUM_SIZE,
    append_checksum,
    check_readable,
    has_checksum,
    replacing,
    verify_checksum,
)
from skaudeep._texts import printable
from skaudeep._version import __version__
from skaudeep.persistence.serialize import Deserializer, Serializer
from skaudeep.persistence.sklearn_objects import read_members

FORMAT = 1
MESSAGE_LENGTH = 1000  # characters of a message that quotes the file
SPARSE_RATIO = 64  # weights cannot be compressed, not even by a file system that tries
_MEMBERS = re.compile(
    r"manifest\.json|estimator\.json|arrays\.safetensors|steps/(0|[1-9][0-9]{0,5})\.skops"
)
_ZIP = b"PK\x03\x04"
_FOREIGN = {
    b"\x80": "a pickle (or a joblib file)",
    b"\x78": "a compressed joblib file",
    b"\x1f\x8b": "a gzip or compressed joblib file",
    b"BZh": "a bzip2 or compressed joblib file",
    b"\xfd7zXZ": "an xz or compressed joblib file",
    b"\x04\x22\x4d\x18": "an lz4 or compressed joblib file",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "a NetCDF or HDF5 file",
}


class PersistenceError(ValueError):
    """Error about a model that cannot be stored, or a file that cannot be loaded as a model.

    Examples
    --------
    >>> from tempfile import NamedTemporaryFile
    >>> import skaudeep
    >>> with NamedTemporaryFile() as file:
    ...     _ = file.write(b"no model")
    ...     file.flush()
    ...     try:
    ...         skaudeep.load(file.name)
    ...     except skaudeep.PersistenceError:
    ...         print("not a model")
    not a model
    """


def save(estimator: BaseEstimator, path: str | os.PathLike[str]) -> None:
    """Store an estimator, fitted or not, in a file that is safe to share.

    Parameters
    ----------
    estimator : estimator
        An estimator of skaudeep or scikit-learn, or a Pipeline, FeatureUnion, GridSearchCV or
        RandomizedSearchCV of such estimators. LinearRegression, LinearSVC, LogisticRegression,
        MinMaxScaler, Normalizer, PCA, Ridge, RidgeClassifier, RobustScaler and StandardScaler need
        no other package, unless a parameter or fitted attribute has an unusual type. Other
        estimators of scikit-learn need ``skaudeep[persistence]``, which installs skops. Within
        estimators of scikit-learn other than these four, such as a VotingClassifier, there may be
        none of skaudeep. Callbacks and the ``memory`` of pipelines are not stored.
    path : str or path
        The file to write, in an existing folder, with any ending. An existing file is replaced
        once the new one is complete, and stays as it is if an error is raised.

    Raises
    ------
    PersistenceError
        If a parameter, attribute or step has no form that is safe to load, such as a function. The
        message names it.
    TypeError
        If `estimator` is not an estimator.
    ImportError
        If `estimator` holds a step of scikit-learn that needs skops, and skops is not installed.
    OSError
        If the file cannot be written.

    See Also
    --------
    load : Load an estimator.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import skaudeep
    >>> X = np.sin(np.arange(6 * 20 * 3).reshape(6, 20, 3))
    >>> autoencoder = skaudeep.Seq2SeqAutoencoder(8, max_epochs=1, random_state=0).fit(X)
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "model.skaudeep")
    ...     skaudeep.save(autoencoder, path)
    ...     loaded = skaudeep.load(path)
    >>> bool((loaded.transform(X) == autoencoder.transform(X)).all())
    True
    """
    path = Path(path)
    if not isinstance(estimator, BaseEstimator):
        raise TypeError(f"Got a {type(estimator).__name__}, expected an estimator.")
    packer = Serializer()
    try:
        tree = packer.encode(estimator, type(estimator).__name__)
    except ValueError as error:
        raise PersistenceError(
            f"{printable(path)}: not written. {printable(str(error).rstrip('.'))}."
        ) from error
    members = {
        "estimator.json": _to_json(tree),
        "arrays.safetensors": safetensors.numpy.save(packer.arrays),
        **{f"steps/{number}.skops": step for number, step in enumerate(packer.steps)},
    }
    manifest = {
        "format": FORMAT,
        "versions": _versions(with_skops=bool(packer.steps)),
        "members": {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in members.items()
        },
    }
    with replacing(path) as new:
        with zipfile.ZipFile(new, "x") as archive:
            for name, data in {"manifest.json": _to_json(manifest), **members}.items():
                archive.writestr(zipfile.ZipInfo(name), data)
            archive.comment = bytes(CHECKSUM_SIZE)  # room for the seal
        os.truncate(new, new.stat().st_size - CHECKSUM_SIZE)
        append_checksum(new)


def load(path: str | os.PathLike[str], *, modules: Iterable[nn.Module] = ()) -> Any:
    """Load an estimator that `save` stored, without executing anything in the file.

    Parameters
    ----------
    path : str or path
        The file to load.
    modules : iterable of torch.nn.Module, default=()
        Networks of your own, needed if the file holds a :class:`~skaudeep.ModuleFeatures`: the file
        has the weights of its module, but not the code. Give a module of the same class and sizes,
        in any order; one is enough for several of the same class and sizes. They are copied and not
        changed. Modules that the file does not need are ignored.

    Returns
    -------
    estimator
        The estimator, on the CPU, without callbacks.

    Raises
    ------
    PersistenceError
        If the file has another format, is damaged, or holds anything other than estimators of
        skaudeep, with valid parameters and weights that fit, and steps of scikit-learn that are
        known to be harmless. Nothing of such a file is loaded.
    OSError
        If there is no such file, or it is a folder, a named pipe or a device.
    ImportError
        If the file holds a step of scikit-learn that needs skops, and skops is not installed.

    Warns
    -----
    sklearn.exceptions.InconsistentVersionWarning
        If the file holds a step of scikit-learn that another version of scikit-learn stored.

    See Also
    --------
    save : Store an estimator.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import skaudeep
    >>> with TemporaryDirectory() as folder:
    ...     skaudeep.save(skaudeep.SpectrogramExtractor(n_mels=40), Path(folder, "a.skaudeep"))
    ...     skaudeep.load(Path(folder, "a.skaudeep"))
    SpectrogramExtractor(n_mels=40)
    """
    path = Path(path)
    check_readable(path, "a file of skaudeep.save")
    with open(path, "rb") as file:
        if reason := _foreign(file) or _sparse(os.fstat(file.fileno())):
            raise PersistenceError(f"{printable(path)}: {reason}")
        file.seek(0)
        try:
            data = file.read()
        except MemoryError as error:
            raise MemoryError(f"{printable(path)}: does not fit into memory.") from error
    if not has_checksum(BytesIO(data)) or not verify_checksum(BytesIO(data)):
        raise PersistenceError(
            f"{printable(path)}: is damaged, its checksum is not that of its content. Copy it "
            "again."
        )
    try:
        return _read(data, modules)
    except ImportError:
        raise
    except Exception as error:  # a file made by hand can be wrong in any way
        reason = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        reason = printable(reason[:MESSAGE_LENGTH].rstrip("."))
        raise PersistenceError(
            f"{printable(path)}: {reason}. Nothing of it was loaded; expected a file of "
            "skaudeep.save, as it was written."
        ) from error


def _read(data: bytes, modules: Iterable[nn.Module]) -> Any:
    members = read_members(data, _MEMBERS)
    manifest = json.loads(members.pop("manifest.json"))
    if manifest["format"] != FORMAT:
        raise ValueError(
            f"is of format {manifest['format']!r}, written by skaudeep "
            f"{manifest['versions']['skaudeep']!r}; this is {__version__}, which reads format "
            f"{FORMAT}. Update skaudeep"
        )
    if members.keys() != manifest["members"].keys():
        different = sorted(members.keys() ^ manifest["members"].keys())
        raise ValueError(f"its manifest and its members disagree about {different}")
    for name, content in members.items():
        if hashlib.sha256(content).hexdigest() != manifest["members"][name]["sha256"]:
            raise ValueError(f"its {name} has not the checksum that the manifest says")
    tree = json.loads(members.pop("estimator.json"))
    arrays = safetensors.numpy.load(members.pop("arrays.safetensors"))
    steps = [members[f"steps/{number}.skops"] for number in range(len(members))]
    unpacker = Deserializer(arrays, steps, manifest["versions"]["sklearn"], modules)
    estimator = unpacker.decode(tree)
    unpacker.finish()
    if not isinstance(estimator, BaseEstimator):
        raise ValueError(f"holds a {type(estimator).__name__}, expected an estimator")
    return estimator


def _foreign(file: BinaryIO) -> str | None:
    """Return what kind of file it is instead, by its first bytes, or its members if an archive."""
    head = file.read(64)
    if head.startswith(_ZIP) and head[30:].startswith(b"manifest.json"):
        return None if has_checksum(file) else "is cut short or damaged at its end. Copy it again."
    kind = next((kind for start, kind in _FOREIGN.items() if head.startswith(start)), None)
    if head.startswith(_ZIP):
        kind = _archive(file)
    elif head[8:9] == b"{":
        kind = "a bare safetensors file"
    return (
        f"is {kind or 'of an unknown format'}, expected a file that skaudeep.save wrote. Pickles, "
        "which joblib, torch and NumPy may hold, run any code when they are loaded: load them with "
        "their own library, only from people you trust, and store the model with skaudeep.save."
    )


def _sparse(status: os.stat_result) -> str | None:
    """Return the fault of a sparse file, which would be read as gigabytes of zeros."""
    on_disk = 512 * getattr(status, "st_blocks", 0)  # 0 where a file system does not tell
    if on_disk > 0 and status.st_size > SPARSE_RATIO * on_disk + 2**20:
        return (
            f"is {status.st_size} bytes long, of which the disk holds {on_disk}: the rest was "
            "never written. Copy it again."
        )
    return None


def _archive(file: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except Exception:  # only to name it
        return "a damaged zip archive"
    if any(name.endswith("data.pkl") for name in names):
        return "a file of torch.save, which is a pickle"
    if all(name.endswith(".npy") for name in names):
        return "a NumPy archive (npz)"
    return "a file of skops" if "schema.json" in names else "a zip archive of other things"


def _to_json(tree: Any) -> bytes:
    return json.dumps(tree, allow_nan=False).encode()


def _versions(*, with_skops: bool) -> dict[str, str]:
    packages = {"sklearn": "scikit-learn", "torch": "torch", "numpy": "numpy"}
    if with_skops:
        packages["skops"] = "skops"
    return {
        "skaudeep": __version__,
        **{name: version(package) for name, package in packages.items()},
        "python": platform.python_version(),
    }
