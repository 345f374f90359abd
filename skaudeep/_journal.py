"""Work that goes on where it stopped: rows appended to a file that outlives its writer."""

from __future__ import annotations

import hashlib
import io
import math
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Self

import numpy as np
from numpy.typing import NDArray

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows has no such locks; there, two writers are told apart by nobody
    fcntl = None

BLOCK = 2**20  # bytes read at once

# Row, rate, mark, chunks, frames, bands, checksum of all.
_RECORD = struct.Struct("<qdqqqqI")


class Journal:
    """Arrays of rows, appended to one file as they are made, which outlives its writer.

    What was appended before a process died is there when the next one opens the journal; an append
    that was cut short is not. Use it as a context manager.

    Parameters
    ----------
    path : Path
        Created if it does not exist.
    task : str
        What the rows are made of and how; a journal goes on only with the task that began it.
    n_rows : int
        How many rows the task has.

    Attributes
    ----------
    done : ndarray of shape (n_rows,), bool
        Whether the row is there.
    rates : ndarray of shape (n_rows,), float64
        Its sampling rate in Hz.
    fingerprints : ndarray of shape (n_rows,), int64
        What its source is known by, as :func:`record` was told. Where it has changed since, the
        caller takes the row back from `done`; the last record of a row counts.
    shapes : ndarray of shape (n_rows, 3), int64
        Its shape, 0 in place of chunks where it has none.

    Raises
    ------
    ValueError
        If the file is another task's, or no journal.
    BlockingIOError
        If another process is writing to it.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "journal")
    ...     with Journal(path, "count", 2) as journal:
    ...         journal.append([record(1, np.arange(6).reshape(2, 3), 16000.0)])
    ...     with Journal(path, "count", 2) as journal:  # the next process
    ...         journal.done.tolist(), journal.read([1])[0].tolist()
    ([False, True], [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    """

    _MAGIC = b"skaudeep journal 2\n"

    def __init__(self, path: Path, task: str, n_rows: int) -> None:
        self.path = path
        self.done = np.zeros(n_rows, dtype=bool)
        self.rates = np.zeros(n_rows)
        self.fingerprints = np.zeros(n_rows, dtype=np.int64)
        self.shapes = np.zeros((n_rows, 3), dtype=np.int64)
        self._starts = np.zeros(n_rows, dtype=np.int64)
        self._head = self._MAGIC + hashlib.sha256(task.encode("utf-8", "surrogateescape")).digest()

    def __enter__(self) -> Self:
        # Neither "w" nor "r+": the file may or may not be there, and must be kept if it is.
        # Unbuffered: what is appended outlives this process.
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        self._file = os.fdopen(handle, "r+b", buffering=0)
        try:
            self._lock()
            self._begin()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until closed, or killed
        except BlockingIOError:
            raise BlockingIOError(
                f"{self.path}: another process is writing to it. Wait for its end, or choose "
                "another path."
            ) from None
        except OSError:
            return  # a network folder without locks

    def _begin(self) -> None:
        size = os.fstat(self._file.fileno()).st_size
        head = self._file.read(len(self._head))
        if head and head == self._head[:size]:  # all of it, or as much as a killed writer left
            self._scan(size)
        elif head:
            kind = "belongs to other clips or parameters"
            if not head.startswith(self._MAGIC):
                kind = "is no journal of this version"
            raise ValueError(
                f"{self.path}: {kind}, so that it cannot be gone on with. Delete it to begin anew, "
                "or choose another path."
            )
        if size < len(self._head):
            self._write(0, self._head)
            self._end = len(self._head)
        self._file.truncate(self._end)

    def _scan(self, size: int) -> None:
        """Find all whole records; what follows them was cut short."""
        self._end = len(self._head)
        while self._end + _RECORD.size <= size:
            self._file.seek(self._end)
            head = self._file.read(_RECORD.size)
            row, _, _, *shape, checksum = _RECORD.unpack(head)
            if not 0 <= row < len(self.done) or min(shape) < 0:
                break
            n_bytes = 4 * math.prod(shape if shape[0] else shape[1:])
            if self._end + _RECORD.size + n_bytes > size:
                break
            if zlib.crc32(self._file.read(n_bytes), zlib.crc32(head[:-4])) != checksum:
                break
            self._note(head, n_bytes)

    def _note(self, head: bytes, n_bytes: int) -> None:
        """Take up a record at the end, of which `head` is the beginning."""
        row, rate, fingerprint, *shape, _ = _RECORD.unpack_from(head)
        self.done[row], self.rates[row], self.shapes[row] = True, rate, shape
        self.fingerprints[row] = fingerprint
        self._starts[row] = self._end + _RECORD.size
        self._end += _RECORD.size + n_bytes

    def append(self, records: Sequence[bytes]) -> None:
        """Add rows, each as :func:`record` gives it.

        Raises
        ------
        OSError
            If the disk does not take them all. Those that it took stay, as do all rows before.
        """
        try:
            self._write(self._end, b"".join(records))
        except OSError:  # as many as there is room for
            for row in records:
                self._write(self._end, row)
                self._note(row, len(row) - _RECORD.size)
        else:
            for row in records:
                self._note(row, len(row) - _RECORD.size)

    def _write(self, place: int, data: bytes) -> None:
        view = memoryview(data)
        self._file.seek(place)
        try:
            while view:  # a disk that fills up takes a part first
                view = view[self._file.write(view) :]
        except OSError as error:
            self._file.truncate(place)
            raise OSError(
                error.errno,
                f"{error.strerror} while writing {self.path}. Free space and run again: what is "
                "done so far stays",
            ) from error

    def read(self, rows: Sequence[int]) -> list[NDArray[np.float32]]:
        """Return rows, those that are not done without a value."""
        shapes = self.shapes[rows][:, 0 if self.shapes[:, 0].any() else 1 :].tolist()
        buffered = io.BufferedReader(self._file, BLOCK)  # rows lie mostly in their order
        found = []
        for start, shape in zip(self._starts[rows].tolist(), shapes, strict=True):
            buffered.seek(start)
            payload = buffered.read(4 * math.prod(shape))
            found.append(np.frombuffer(payload, dtype="<f4").reshape(shape))
        buffered.detach()
        return found

    def remove(self) -> None:
        """Delete the file, when what it holds has been put elsewhere."""
        self.path.unlink(missing_ok=True)


def record(row: int, values: NDArray[np.float32], rate: float, fingerprint: int = 0) -> bytes:
    """Write a row of a :class:`Journal` down, in whatever process it was made.

    Parameters
    ----------
    row : int
        Which one.
    values : ndarray of shape (n_frames, n_bands) or (n_chunks, n_frames, n_bands), float32
        It.
    rate : float
        Its sampling rate in Hz.
    fingerprint : int, default=0
        What its source is known by.

    Returns
    -------
    bytes
    """
    shape = [0] * (3 - values.ndim) + list(values.shape)
    head = _RECORD.pack(row, rate, fingerprint, *shape, 0)[:-4]
    payload = np.ascontiguousarray(values, dtype="<f4").tobytes()
    return head + zlib.crc32(payload, zlib.crc32(head)).to_bytes(4, "little") + payload
