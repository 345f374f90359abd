"""Rows of a NetCDF file that stay on disk until they are asked for."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import DTypeLike, NDArray

from skaudeep._files import fingerprint

# The library must not be called by two threads at once. xarray would lock most calls, but not all.
LIBRARY = threading.RLock()
CACHE_BYTES = 2**21  # of chunks that the library keeps


class StoredArray:
    """Rows of a stored data set that are read only when they are asked for.

    It serves as X wherever rows are taken a batch at a time, as in
    :class:`~skaudeep.Seq2SeqAutoencoder`. Several rows of it are again a `StoredArray`, so that the
    folds of a cross-validation stay on disk, too; one row, and `numpy.asarray` of all, are read.
    It can be pickled: the file is opened again by its path.

    Parameters
    ----------
    file : StoredFile
        Where the rows are, in the variable `features`.
    shape : tuple of int
        Shape of an instance of it.
    instances : ndarray of shape (n_clips,) or (n_clips, n_chunks), int
        Which instance each row, or each chunk of a row, is; -1 where there is none.

    Attributes
    ----------
    shape : tuple of int
        ``(n_clips, ...)`` or ``(n_clips, n_chunks, ...)``.
    dtype : dtype
        float32.
    ndim : int
        Number of axes.
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self, file: StoredFile, shape: tuple[int, ...], instances: NDArray[np.int64]
    ) -> None:
        self.shape = (*instances.shape, *shape)
        self._file = file
        self._instances = instances

    @property
    def ndim(self) -> int:  # noqa: D102
        return len(self.shape)

    def __len__(self) -> int:
        return len(self._instances)

    def __repr__(self) -> str:
        return f"<StoredArray of shape {self.shape} in {self._file.path!r}>"

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            rows, *others = key
            if not others or (len(others) == 1 and others[0] is Ellipsis):
                return self[rows]  # scikit-learn asks for X[rows, ...]
            if rows is Ellipsis:
                return np.asarray(self)[key]
            some = self[rows]
            if some.ndim < self.ndim:  # one row
                return some[tuple(others)]
            return np.asarray(some)[(slice(None), *others)]
        if key is Ellipsis:
            return self
        some = self._instances[key]
        item = self.shape[self._instances.ndim :]
        if np.ndim(key) == 0 and not isinstance(key, slice):
            return StoredArray(self._file, item, some[None])._read()[0]
        return StoredArray(self._file, item, some)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray:
        if copy is False:
            raise ValueError("A StoredArray is on disk: there is no array of it without a copy.")
        return self._read().astype(self.dtype if dtype is None else dtype, copy=False)

    def _read(self) -> NDArray[np.float32]:
        rows = self._instances.ravel()
        item = self.shape[self._instances.ndim :]
        there = rows >= 0
        wanted, place = np.unique(rows[there], return_inverse=True)  # sorted: disks like it
        if len(wanted) == len(rows) and (place == np.arange(len(rows))).all():
            return self._take(wanted).reshape(self.shape)
        values = np.full((len(rows), *item), np.nan, np.float32)
        if len(wanted):
            values[there] = self._take(wanted)[place]
        return values.reshape(self.shape)

    def _take(self, wanted: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read instances, in their order in the file."""
        if not len(wanted):
            return np.empty(self.shape, np.float32)
        adjacent = wanted[-1] - wanted[0] + 1 == len(wanted)
        key = slice(wanted[0], wanted[-1] + 1) if adjacent else wanted
        try:
            with LIBRARY:
                return np.asarray(self._file.dataset()["features"][key], dtype=np.float32)
        except RuntimeError as error:
            raise damaged(self._file.path, error) from error


class ReplacedError(ValueError):
    """A stored file is no longer the one that was loaded."""


class StoredFile:
    """A NetCDF file, opened when it is needed, closed when nobody needs it, pickled by its path.

    Parameters
    ----------
    path : str
        The file.
    known : tuple
        Its identity, see :func:`~skaudeep._files.fingerprint`.
    """

    def __init__(self, path: str, known: tuple[object, ...]) -> None:
        self.path = os.path.abspath(path)
        self._identity = known
        self._dataset: netCDF4.Dataset | None = None
        self._closing: weakref.finalize | None = None

    def dataset(self) -> netCDF4.Dataset:
        """Open the file, if it is not open yet; to be called and used under `LIBRARY`.

        Raises
        ------
        ValueError
            If the file is damaged.
        ReplacedError
            If another has taken its place.
        """
        if self._dataset is None:
            try:
                dataset = netCDF4.Dataset(self.path)
            except OSError as error:
                raise damaged(self.path, error) from error
            dataset.set_auto_mask(False)
            if "features" in dataset.variables:
                # Up to 64 MB otherwise, which rows in random order have no use for.
                dataset["features"].set_var_chunk_cache(CACHE_BYTES)
            self._closing = weakref.finalize(self, _close, dataset)
            with open(self.path, "rb") as now:
                if fingerprint(now) != self._identity:
                    raise ReplacedError(
                        f"{self.path}: has been replaced since it was loaded. Load it again."
                    )
            self._dataset = dataset
        return self._dataset

    def close(self) -> None:
        """Give back what the library keeps of the file, until it is needed again."""
        if self._closing is not None:
            self._closing()
        self._dataset = self._closing = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_dataset": None, "_closing": None}


def _close(dataset: netCDF4.Dataset) -> None:
    with LIBRARY:
        dataset.close()


def damaged(path: str, error: Exception) -> ValueError:
    """Say what is wrong with a file that the library refuses."""
    with open(path, "rb") as file:
        start = file.read(8)
    if start[:4] != b"\x89HDF" and start[:3] != b"CDF":
        kind = "is empty" if not start else "is no NetCDF file"
        return ValueError(f"{path}: {kind}, expected one that skaudeep or auDeep wrote.")
    return ValueError(
        f"{path}: is damaged or cut short ({error}). Restore it from a copy, or write it again."
    )
