"""Files that are either complete or absent: replaced in one step, verified by a checksum."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from platform import node
from typing import BinaryIO
from uuid import uuid4

# Begins the footer of a file; 32 bytes of SHA-256 follow. HDF5 ignores bytes after its own end.
CHECKSUM_MARK = b"\nSEALED\n"
CHECKSUM_SIZE = len(CHECKSUM_MARK) + 32
BLOCK = 2**20  # bytes read at once


# --- whole files ---------------------------------------------------------------------------------


def check_writable(path: Path) -> None:
    """Raise an OSError with the reason if no file of that name can be written."""
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Got path={str(path)!r}, whose folder does not exist, expected a file in an existing "
            "folder. Create the folder first."
        )
    if path.is_dir():
        raise IsADirectoryError(f"Got path={str(path)!r}, which is a folder, expected a file name.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(
            f"Got path={str(path)!r}, in whose folder you may not write. Change its permissions, "
            "or choose another folder."
        )


def check_compression(level: int) -> None:
    """Raise a ValueError if the level of zlib is not an integer from 0 to 9."""
    if level not in range(10):
        raise ValueError(f"Got compression={level!r}, expected an integer from 0 to 9.")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Name a temporary file that replaces `path` if the block ends without an error.

    If the block fails, `path` stays as it was. A reader sees either the old file or the complete
    new one, and the last of several writers wins. Temporary files of writers that were killed are
    deleted.

    Parameters
    ----------
    path : Path
        The file to write, in a folder that exists.

    Yields
    ------
    Path
        A hidden name in the same folder, under which the block creates the file.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If the folder of `path` does not exist or cannot be written to, or `path` is a folder.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with replacing(Path(folder, "a.txt")) as new:
    ...         _ = new.write_text("whole")
    ...     [file.name for file in Path(folder).iterdir()]
    ['a.txt']
    """
    check_writable(path)
    # The name states the machine and the process that writes. A process id is valid on its own
    # machine only.
    machine = zlib.crc32(f"{node()}/{path.name}".encode("utf-8", "surrogateescape"))
    temporary = path.with_name(f".{machine:08x}-{os.getpid()}-{uuid4().hex}.tmp")
    for other in path.parent.glob(f".{machine:08x}-*-*.tmp"):
        if not _is_alive(int(other.name.split("-")[1])):
            other.unlink(missing_ok=True)
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":  # elsewhere folders cannot be opened
        _sync(path.parent)


def _is_alive(process: int) -> bool:
    if os.name != "posix":  # on Windows os.kill would end the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _sync(path: Path) -> None:
    # Without it, a power cut could leave the new name on old or empty blocks.
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- checksums -----------------------------------------------------------------------------------


def append_checksum(path: Path) -> None:
    """Append the SHA-256 checksum of a file to it.

    Parameters
    ----------
    path : Path
        A file whose readers ignore bytes after its end, as those of HDF5 do.
    """
    with open(path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        digest = _digest(file, size)
        file.seek(size)
        file.write(CHECKSUM_MARK + digest)


def has_checksum(file: BinaryIO) -> bool:
    """Return whether an open file ends in a checksum, without verifying it."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - CHECKSUM_SIZE))
    return file.read(len(CHECKSUM_MARK)) == CHECKSUM_MARK


def verify_checksum(file: BinaryIO) -> bool:
    """Return whether an open file matches the checksum at its end; reads the whole file.

    Examples
    --------
    >>> from io import BytesIO
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "a")
    ...     _ = path.write_bytes(b"0123")
    ...     append_checksum(path)
    ...     content = path.read_bytes()
    >>> has_checksum(BytesIO(content)), verify_checksum(BytesIO(content))
    (True, True)
    >>> verify_checksum(BytesIO(content.replace(b"0123", b"0122")))
    False
    """
    size = file.seek(0, os.SEEK_END) - CHECKSUM_SIZE
    digest = _digest(file, size)
    file.seek(size + len(CHECKSUM_MARK))
    return file.read() == digest


def fingerprint(file: BinaryIO) -> tuple[object, ...]:
    """Return a fingerprint of an open file: its checksum, or else its size and time of change."""
    if has_checksum(file):
        return (file.read(),)  # the bytes after the mark
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def _digest(file: BinaryIO, size: int) -> bytes:
    sha256 = hashlib.sha256()
    file.seek(0)
    while size > 0 and (block := file.read(min(size, BLOCK))):
        sha256.update(block)
        size -= len(block)
    return sha256.digest()
