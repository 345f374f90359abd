"""A file read as if a few of its bytes were others, so that libsndfile finds its samples."""

import io
import os
from typing import NamedTuple


class Repair(NamedTuple):
    """Replacements of bytes in a file that is read.

    Parameters
    ----------
    start : int, default=0
        First byte of the file that is read.
    end : int, default=None
        Where the file ends; None is where it does.
    patches : tuple of (int, bytes), default=()
        Offsets in the file and the bytes that stand there.
    n_zeros : int, default=0
        How many zeros follow the end.
    """

    start: int = 0
    end: int | None = None
    patches: tuple[tuple[int, bytes], ...] = ()
    n_zeros: int = 0


class RepairedFile(io.RawIOBase):
    r"""A file opened for reading, with a repair.

    Parameters
    ----------
    path : str
        Path of the file.
    repair : Repair
        What is other than in the file.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "a")
    ...     _ = path.write_bytes(b"hello world")
    ...     with RepairedFile(str(path), Repair(1, 9, ((5, b"_"),), n_zeros=1)) as file:
    ...         file.read()
    b'ello_wor\x00'
    """

    def __init__(self, path: str, repair: Repair) -> None:
        self._patches = repair.patches
        self._start = repair.start
        self._file = open(path, "rb")  # noqa: SIM115 (closed with this object)
        size = os.fstat(self._file.fileno()).st_size
        self._end = size if repair.end is None else min(repair.end, size)
        self._size = self._end - self._start + repair.n_zeros
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position, as other files do."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read bytes into a buffer; return how many."""
        n_bytes = max(0, min(len(buffer), self._size - self._position))
        first = self._start + self._position
        self._file.seek(first)
        content = bytearray(self._file.read(max(0, min(n_bytes, self._end - first))))
        content += bytes(n_bytes - len(content))
        for place, patch in self._patches:
            for i, byte in enumerate(patch, place - first):
                if 0 <= i < n_bytes:
                    content[i] = byte
        buffer[:n_bytes] = content
        self._position += n_bytes
        return n_bytes

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
