"""Resumable work: rows are appended to a file, which the next process continues."""

from __future__ import annotations

import hashlib
import io
import math
import os
import stat
import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from skaudeep._files import try_lock
from skaudeep._texts import printable

BLOCK = 2**20  # bytes read at once

# Row, sampling rate, fingerprint, chunks, frames, bands, checksum of the record.
_RECORD = struct.Struct("<qdqqqqI")


class Journal:
    """Arrays that are appended to one file, a row each, and survive the process that writes them.

    When a process opens the journal of one that died, it finds all complete rows; an append that
    was cut short is dropped. Use it as a context manager.

    Parameters
    ----------
    path : Path
        The file, which is created if it does not exist.
    task : str
        Description of the work: its input, its parameters and its version. A journal can only be
        continued with the task that began it.
    n_rows : int
        Number of rows of the task.

    Attributes
    ----------
    done : ndarray of shape (n_rows,), bool
        Whether the file holds the row.
    rates : ndarray of shape (n_rows,), float64
        Sampling rate of each row in Hz.
    fingerprints : ndarray of shape (n_rows,), int64
        Fingerprint of the source of each row, as passed to :func:`record`. Where the source has
        changed since, the caller resets `done` and appends the row again; its last record counts.
    shapes : ndarray of shape (n_rows, 3), int64
        Number of chunks, frames and bands of each row; 0 chunks where it has no such axis.

    Raises
    ------
    ValueError
        If the file belongs to another task, or is no journal.
    BlockingIOError
        If another process is writing to it. Where the file system has no locks, that shows when
        the next rows are appended.
    OSError
        If the path is that of a link, a folder, a pipe or a device.

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
        self._open_and_lock()
        try:
            self._read_or_create()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _open_and_lock(self) -> None:
        while True:
            regular = True
            with suppress(FileNotFoundError):  # another process may have just removed it
                regular = stat.S_ISREG(os.lstat(self.path).st_mode)
            if not regular:
                raise OSError(
                    f"{printable(self.path)}: is a link, a folder, a pipe or a device, expected "
                    "the rows of an interrupted extraction, or nothing. Delete it, or choose "
                    "another path."
                )
            # Neither "w" nor "r+": the file may or may not exist, and its content must be kept.
            # Unbuffered, so that appended rows survive this process.
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            self._file = os.fdopen(handle, "r+b", buffering=0)
            if try_lock(self._file) is False:
                self._file.close()
                raise self._in_use()
            try:
                if os.path.samestat(os.stat(self.path), os.fstat(handle)):
                    return
            except FileNotFoundError:
                pass
            self._file.close()  # another process has finished and deleted it before it was locked

    def _in_use(self) -> BlockingIOError:
        return BlockingIOError(
            f"{printable(self.path)}: another process is writing to it. Wait until it has ended, "
            "or choose another path."
        )

    def _read_or_create(self) -> None:
        size = os.fstat(self._file.fileno()).st_size
        head = self._file.read(len(self._head))
        if head and head == self._head[:size]:  # all of it, or as much as a killed writer left
            self._read_records(size)
        elif head:
            kind = "belongs to other clips or parameters"
            if not head.startswith(self._MAGIC):
                kind = "is no journal of this version"
            raise ValueError(
                f"{printable(self.path)}: {kind}, so that it cannot be continued. Delete it to "
                "start again, or choose another path."
            )
        if size < len(self._head):
            self._write(0, self._head)
            self._end = len(self._head)
        self._file.truncate(self._end)

    def _read_records(self, size: int) -> None:
        """Find all complete records; bytes after them belong to an append that was cut short."""
        self._end = len(self._head)
        while self._end + _RECORD.size <= size:
            self._file.seek(self._end)
            head = self._file.read(_RECORD.size)
            row, _, _, *shape, checksum = _RECORD.unpack(head)
            if not 0 <= row < len(self.done) or shape[0] < 0 or min(shape[1:]) < 1:
                break
            n_bytes = 4 * math.prod(shape if shape[0] else shape[1:])
            if self._end + _RECORD.size + n_bytes > size:
                break
            if zlib.crc32(self._file.read(n_bytes), zlib.crc32(head[:-4])) != checksum:
                break
            self._add_record(head, n_bytes)

    def _add_record(self, head: bytes, n_bytes: int) -> None:
        """Add the record at the end of the file, which begins with `head`, to the attributes."""
        row, rate, fingerprint, *shape, _ = _RECORD.unpack_from(head)
        self.done[row], self.rates[row], self.shapes[row] = True, rate, shape
        self.fingerprints[row] = fingerprint
        self._starts[row] = self._end + _RECORD.size
        self._end += _RECORD.size + n_bytes

    def append(self, records: Sequence[bytes]) -> None:
        """Append rows.

        Parameters
        ----------
        records : sequence of bytes
            The rows, as :func:`record` returns them.

        Raises
        ------
        BlockingIOError
            If another process has written to the file, where the file system has no locks.
        OSError
            If the disk is full. Rows that were written completely are kept.
        """
        if os.fstat(self._file.fileno()).st_size != self._end:
            raise self._in_use()
        try:
            self._write(self._end, b"".join(records))
        except OSError:  # write as many as fit
            for row in records:
                self._write(self._end, row)
                self._add_record(row, len(row) - _RECORD.size)
        else:
            for row in records:
                self._add_record(row, len(row) - _RECORD.size)

    def _write(self, place: int, data: bytes) -> None:
        view = memoryview(data)
        self._file.seek(place)
        try:
            while view:  # when a disk fills up, only a part is written
                view = view[self._file.write(view) :]
        except OSError as error:
            self._file.truncate(place)
            raise OSError(
                error.errno,
                f"{error.strerror} while writing {self.path}. Free space and run again: what is "
                "done so far stays",
            ) from error

    def read(self, rows: Sequence[int]) -> list[NDArray[np.float32]]:
        """Read rows; one that is not done has no frames.

        Parameters
        ----------
        rows : sequence of int
            Numbers of the rows.

        Returns
        -------
        list of ndarray of shape (n_frames, n_bands) or (n_chunks, n_frames, n_bands), float32
            The values of each row.
        """
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
        """Delete the file, once its rows are stored elsewhere."""
        self.path.unlink(missing_ok=True)


def record(row: int, values: NDArray[np.float32], rate: float, fingerprint: int = 0) -> bytes:
    """Encode a row of a :class:`Journal`, in the process that made it.

    Parameters
    ----------
    row : int
        Number of the row.
    values : ndarray of shape (n_frames, n_bands) or (n_chunks, n_frames, n_bands), float32
        Values of the row.
    rate : float
        Sampling rate of the row in Hz.
    fingerprint : int, default=0
        Number that changes when the source of the row does.

    Returns
    -------
    bytes
        The record, for :meth:`Journal.append`.
    """
    shape = [0] * (3 - values.ndim) + list(values.shape)
    head = _RECORD.pack(row, rate, fingerprint, *shape, 0)[:-4]
    payload = np.ascontiguousarray(values, dtype="<f4").tobytes()
    return head + zlib.crc32(payload, zlib.crc32(head)).to_bytes(4, "little") + payload
