"""Arrays that stay in a NetCDF file and are read row by row on demand."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import DTypeLike, NDArray

from skaudeep._files import check_readable, fingerprint
from skaudeep._texts import printable


class Library:
    """Lock around the NetCDF library, which two threads must not call at once, and its open files.

    Each file is opened once, however many data sets read it, because HDF5 crashes if one of several
    handles of a file is closed before another is used. `_files` counts the users of each handle. No
    file is closed while the library is being called, although the garbage collector may free the
    last user of a file at any moment, in any thread::

        thread 1              thread 2            garbage collector, inside some thread
        with LIBRARY:         with LIBRARY:       a StoredFile is freed: close_unused(key)
            read rows             (waits)           put the key into `_unused`
            |                     |                 is this thread inside `with LIBRARY`?
        last release:             |                   yes: its last release closes the file
            close `_unused`       |                   no:  acquire and release, which closes it
            unlock  ------------> read rows

        fork: acquire, fork, release in both processes. The child has its own copy of the files'
              positions, closes the copies of the handles, and opens the files again.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._owner = 0  # thread that holds the lock
        self._process = 0  # process that opened the files
        self._files: dict[tuple[int, ...], tuple[netCDF4.Dataset, int]] = {}  # number of users
        self._unused: deque[tuple[int, ...]] = deque()

    def acquire(self) -> None:
        """Wait until no other thread is in the library."""
        self._lock.acquire()
        self._depth, self._owner = self._depth + 1, threading.get_ident()

    def release(self) -> None:
        """Let other threads in, once files that are no longer used are closed."""
        try:
            while self._depth == 1 and self._unused:
                self.close(self._unused.popleft())
        finally:
            self._depth -= 1
            if not self._depth:
                self._owner = 0
            self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def open(self, key: tuple[int, ...], path: str) -> netCDF4.Dataset:
        """Open a file, or add a user to an open one. The caller must hold the lock.

        Parameters
        ----------
        key : tuple of int
            Identifies the file and this process.
        path : str
            Its path.

        Returns
        -------
        netCDF4.Dataset
            The open file.
        """
        if self._process != os.getpid():  # forked: inherited handles share their file positions
            for dataset, _ in self._files.values():
                dataset.close()
            self._files, self._process = {}, os.getpid()
        if key in self._files:
            dataset, n_users = self._files[key]
        else:
            n_users = 0
            with plain_path(path) as name:
                dataset = netCDF4.Dataset(name)
            dataset.set_auto_mask(False)
            if "features" in dataset.variables:
                # The default of up to 64 MB is of no use to rows in random order.
                dataset["features"].set_var_chunk_cache(CACHE_BYTES)
        self._files[key] = (dataset, n_users + 1)
        return dataset

    def close(self, key: tuple[int, ...], *, for_all: bool = False) -> None:
        """Remove a user of a file, or all of them, and close the file after the last one."""
        with self:
            dataset, n_users = self._files.pop(key, (None, 0))
            if dataset is None:
                return
            if n_users > 1 and not for_all:
                self._files[key] = (dataset, n_users - 1)
            else:
                dataset.close()

    def close_unused(self, key: tuple[int, ...]) -> None:
        """Remove a user of a file, now or when this thread leaves the library."""
        self._unused.append(key)
        if self._owner != threading.get_ident():
            with self:
                pass


# xarray is not used here, because it locks most calls of the library, but not all.
LIBRARY = Library()
if hasattr(os, "register_at_fork"):
    # A fork waits until no thread is inside the library. Otherwise the child would have a copy of a
    # locked library, without the thread that would finish its call and release the lock.
    os.register_at_fork(
        before=LIBRARY.acquire, after_in_parent=LIBRARY.release, after_in_child=LIBRARY.release
    )
CACHE_BYTES = 2**21  # bytes of file chunks that netCDF4 caches


class StoredArray:
    """Rows of a stored data set, each read from disk on access.

    :func:`load_netcdf` makes it, with ``lazy=True``. It can be passed as X to estimators that read
    rows a batch at a time, such as :class:`~skaudeep.Seq2SeqAutoencoder`. Indexing several rows
    returns another `StoredArray`, so that the folds of a cross-validation stay on disk. Indexing
    one row or further axes, as in ``data[3]`` and ``data[:, 0]``, or :func:`numpy.asarray`, reads
    the values. A pickled array opens the file again by its path. If the file has been
    replaced or changed since it was loaded, reading raises a ValueError.

    Parameters
    ----------
    file : StoredFile
        The file that holds the rows, in its variable `features`.
    shape : tuple of int
        Shape of one instance, which is a row of the variable.
    instances : ndarray of shape (n_clips,) or (n_clips, n_chunks), int
        Position in the file of each row, or of each chunk of a row; -1 for a missing chunk, which
        is read as NaN.

    Attributes
    ----------
    shape : tuple of int
        Shape of all rows: ``(n_clips, ...)`` or ``(n_clips, n_chunks, ...)``.
    dtype : dtype
        Type of the values: float32.
    ndim : int
        Number of axes.

    Examples
    --------
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets import make_bunch
    >>> from skaudeep.formats import load_netcdf, save_netcdf
    >>> with TemporaryDirectory() as folder:
    ...     save_netcdf(make_bunch(np.eye(3), list("abc")), Path(folder, "a.nc"))
    ...     data = load_netcdf(Path(folder, "a.nc"), lazy=True).data
    ...     data.shape, data[:2].shape, data[2].tolist()
    ((3, 3), (2, 3), [0.0, 0.0, 1.0])
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self, file: StoredFile, shape: tuple[int, ...], instances: NDArray[np.int64]
    ) -> None:
        self.shape = (*instances.shape, *shape)
        self._file = file
        self._instances = instances

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return len(self._instances)

    def __repr__(self) -> str:
        return f"<StoredArray of shape {self.shape} in {self._file.path!r}>"

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple):
            rows, *others = key
            if not others or (len(others) == 1 and others[0] is Ellipsis):
                return self[rows]  # scikit-learn indexes X[rows, ...]
            if rows is Ellipsis:
                return np.asarray(self)[key]
            some = self[rows]
            if some.ndim < self.ndim:  # a single row
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
        wanted, place = np.unique(rows[there], return_inverse=True)  # sorted: read in order
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
        with LIBRARY:
            while True:
                try:
                    values = np.asarray(self._file.dataset()["features"][key], dtype=np.float32)
                except RuntimeError as error:
                    if not self._file.has_changed():
                        raise damaged_file(self._file.path, error) from error
                else:
                    if not self._file.has_changed():  # no writer changed it while it was read
                        return values


class ReplacedError(ValueError):
    """A stored file is no longer the one that was loaded."""


class StoredFile:
    """A NetCDF file that is opened on first use, closed when unused, and pickled by its path.

    Parameters
    ----------
    path : str
        Path of the file.
    expected : tuple
        Fingerprint that the file must have, see :func:`~skaudeep._files.fingerprint`.
    """

    def __init__(self, path: str, expected: tuple[object, ...]) -> None:
        self.path = os.path.abspath(path)
        self._fingerprint = expected
        self._dataset: netCDF4.Dataset | None = None
        self._closing: weakref.finalize | None = None
        self._state: tuple[int, ...] = ()  # when the file was opened
        self._key: tuple[int, ...] = ()
        self._process = 0  # process that opened it

    def dataset(self) -> netCDF4.Dataset:
        """Return the open file. Call this, and use the result, while holding the lock `LIBRARY`.

        A file that was changed in place since it was opened is compared with the one that was
        loaded; so is one that a process inherits from another, with which it shares its position.

        Raises
        ------
        ValueError
            If the file is damaged.
        ReplacedError
            If the file has been replaced by another one, or changed in place.
        """
        if self._process != os.getpid() or self.has_changed():
            self.close()
        while self._dataset is None:
            check_readable(Path(self.path), "the file that was loaded")
            with open(self.path, "rb") as content:
                # Before netCDF4 parses it: it may crash on damaged files, or never return.
                if fingerprint(content) != self._fingerprint:
                    raise ReplacedError(
                        f"{printable(self.path)}: has been replaced or changed since it was "
                        "loaded. Load it again."
                    )
                self._state = _state(os.fstat(content.fileno()))
            try:
                self._key = (os.getpid(), *self._state)  # inherited ones are not counted
                dataset = LIBRARY.open(self._key, self.path)
            except OSError as error:
                raise damaged_file(self.path, error) from error
            self._closing = weakref.finalize(self, LIBRARY.close_unused, self._key)
            self._dataset, self._process = dataset, os.getpid()
            if _state(os.stat(self.path)) != self._state:  # replaced in between
                self.close()
        return self._dataset

    def has_changed(self) -> bool:
        """Return whether the open file was changed in place; a new one of its name is another."""
        if self._dataset is None:
            return False
        try:
            state = _state(os.stat(self.path))
        except OSError:  # deleted, but readable while it is open
            return False
        return state[:2] == self._state[:2] and state != self._state

    def close(self) -> None:
        """Close the file; it is opened again on the next use."""
        if self._closing is not None and self._closing.detach():
            LIBRARY.close(self._key, for_all=self.has_changed())
        self._dataset = self._closing = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_dataset": None, "_closing": None}


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@contextmanager
def plain_path(path: str | os.PathLike[str]) -> Iterator[str]:
    """Name a file so that the NetCDF library finds it.

    The library takes a backslash for a slash, and its Python interface insists on UTF-8.
    """
    name = os.path.abspath(path)
    plain = name.encode("utf-8", "replace").decode() == name
    if os.sep == "\\" or (plain and "\\" not in name):
        yield name
        return
    with TemporaryDirectory() as folder:
        link = os.path.join(folder, "link.nc")
        os.symlink(name, link)
        yield link


def damaged_file(path: str, error: Exception) -> ValueError:
    """Return the error that describes a file that netCDF4 cannot read."""
    with open(path, "rb") as file:
        start = file.read(8)
    if start[:4] != b"\x89HDF" and start[:3] != b"CDF":
        kind = "is empty" if not start else "is no NetCDF file"
        return ValueError(f"{printable(path)}: {kind}, expected one that skaudeep or auDeep wrote.")
    return ValueError(
        f"{printable(path)}: is damaged or cut short ({printable(error)}). Restore it from a copy, "
        "or write it again."
    )
