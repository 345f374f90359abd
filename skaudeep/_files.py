"""Files that are complete or absent: replaced in one step, locked, verified by a checksum."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from platform import node
from types import ModuleType
from typing import IO, BinaryIO
from uuid import uuid4

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

# Mark at the beginning of a file's footer; 32 bytes of SHA-256 follow. HDF5 ignores bytes after its
# own end.
CHECKSUM_MARK = b"\nSEALED\n"
CHECKSUM_SIZE = len(CHECKSUM_MARK) + 32
BLOCK = 2**20  # bytes read at once
DAY = 24 * 3600.0  # seconds
# A temporary folder: checksums of the name of its target and of the machine, a random number.
_TEMPORARY = re.compile(r"\.([0-9a-f]{8})-([0-9a-f]{8})-[0-9a-f]{32}\.tmp")
_LOCK = "lock"  # file in a temporary folder, locked by the process that uses the folder


# --- what may be read and written ----------------------------------------------------------------


def check_readable(path: Path, expected: str) -> None:
    """Raise an OSError with the reason if a path names no regular file.

    Opening a named pipe would wait for its writer, and reading a device may never end.

    Parameters
    ----------
    path : Path
        The file to read. Links are followed.
    expected : str
        Kind of file that is expected, for the message: "a NetCDF file".

    Raises
    ------
    FileNotFoundError, IsADirectoryError, OSError
        If there is no such file, or it is a folder, a named pipe, a socket or a device.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise FileNotFoundError(
            f"Got path={str(path)!r}, which does not exist, expected {expected}. "
            f"The current directory is {os.getcwd()!r}."
        ) from None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"Got path={str(path)!r}, which is a folder, expected {expected}.")
    if not stat.S_ISREG(mode):
        raise OSError(
            f"Got path={str(path)!r}, which is {_kind(mode)}, expected {expected}. Copy its "
            "content to a file first."
        )


@contextmanager
def memory_for(path: Path) -> Iterator[None]:
    """Name the file in a MemoryError that its content causes.

    Examples
    --------
    >>> with memory_for(Path("a.csv")):
    ...     raise MemoryError
    Traceback (most recent call last):
    ...
    MemoryError: a.csv: does not fit into memory, or states more than there is. Divide it.
    """
    try:
        yield
    except MemoryError as error:
        if path.name in str(error):
            raise
        raise MemoryError(
            f"{path}: does not fit into memory, or states more than there is. Divide it."
        ) from error


def check_writable(path: Path) -> Path:
    """Return the file that a path names, links followed; raise an error if it is not writable.

    Parameters
    ----------
    path : Path
        The file to write.

    Returns
    -------
    Path
        The file itself, in a folder that exists, where `path` is a link to it.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError, OSError
        If the folder does not exist or may not be written to, or the path is that of a folder, a
        named pipe, a socket, a device, a file that may not be written, or a link to itself.
    """
    file = Path(os.path.realpath(path))
    name = f"Got path={str(path)!r}" + (f", a link to {str(file)!r}" if path.is_symlink() else "")
    if not file.parent.is_dir():
        raise FileNotFoundError(
            f"{name}, whose folder does not exist, expected a file in an existing folder. Create "
            "the folder first."
        )
    if os.path.lexists(file):
        mode = os.lstat(file).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(f"{name}, which is a folder, expected a file name.")
        if not stat.S_ISREG(mode):
            raise OSError(
                f"{name}, which is {_kind(mode)}, expected a file or a new name. Choose another."
            )
        if not os.access(file, os.W_OK):
            raise PermissionError(
                f"{name}, which may not be written. Change its permissions, or choose another name."
            )
    if not os.access(file.parent, os.W_OK):
        raise PermissionError(
            f"{name}, in whose folder you may not write. Change its permissions, or choose another "
            "folder."
        )
    return file


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFLNK: "a broken link"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def check_compression(level: int) -> None:
    """Raise a ValueError if the level of zlib is not an integer from 0 to 9."""
    if level not in range(10):
        raise ValueError(f"Got compression={level!r}, expected an integer from 0 to 9.")


# --- locks and temporary folders -----------------------------------------------------------------


def try_lock(file: IO[bytes]) -> bool | None:
    """Lock an open file for this process alone, until it is closed or the process ends.

    The kernel holds the lock. It therefore also excludes processes in other containers, and it ends
    with its process, however that ends.

    Parameters
    ----------
    file : file object
        Open for writing, as network file systems demand.

    Returns
    -------
    bool or None
        False if another process holds the lock; None where there are no locks: on Windows, and on
        some network file systems.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # the second where locks of byte ranges stand in
        return False
    except OSError:  # ENOLCK, ENOTSUP, ENOSYS, EINVAL: as file systems please
        return None
    return True


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """Exclude other processes that use this function with the same path, until the block ends.

    A hidden file beside the path carries the lock. A lock file that a killed process left behind
    excludes nobody and is used again. Without file locks, nobody is excluded.

    Parameters
    ----------
    target : Path
        A path in a folder that exists.

    Raises
    ------
    BlockingIOError
        If another process is in such a block.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, alone(Path(folder, "a.txt")):
    ...     with alone(Path(folder, "a.txt")):
    ...         pass
    Traceback (most recent call last):
    ...
    BlockingIOError: Got path=..., which another process is writing, expected to be the only ...
    """
    target = Path(os.path.realpath(target))
    path = target.with_name(f".{_checksum(target.name)}.lock")
    while True:
        with open(path, "ab") as file:
            if try_lock(file) is False:
                raise BlockingIOError(
                    f"Got path={str(target)!r}, which another process is writing, expected to be "
                    "the only one. Wait until it has ended, or choose another name."
                )
            try:  # another process may have deleted and recreated it before it was locked
                is_there = os.path.samestat(os.fstat(file.fileno()), path.stat())
            except FileNotFoundError:
                is_there = False
            if not is_there:
                continue
            try:
                yield
            finally:
                with suppress(OSError):  # Windows deletes no open file
                    path.unlink()
            return


@contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """Make a hidden folder beside a path, for this process alone, and delete it at the end.

    What is written into it can be renamed to `target`. Its owner alone can read it. Temporary
    folders for the same target whose processes were killed are deleted first.

    Parameters
    ----------
    target : Path
        A path in a folder that exists.

    Yields
    ------
    Path
        The folder. It holds a file `lock`; all other names are free.

    Raises
    ------
    OSError
        If the disk is full or read-only, here or in the block. The error names `target`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as parent:
    ...     target = Path(parent, "corpus")
    ...     with temporary_folder(target) as folder:
    ...         (folder / "new").mkdir()
    ...         _ = (folder / "new").rename(target)
    ...     [path.name for path in Path(parent).iterdir()]
    ['corpus']
    """
    delete_leftovers(target.parent, target.name)
    name = f".{_checksum(target.name)}-{_checksum(node())}"
    while True:
        folder = target.with_name(f"{name}-{uuid4().hex}.tmp")
        try:
            folder.mkdir(mode=0o700)
            with open(folder / _LOCK, "xb") as lock:
                # Another process may have found the file before it was locked, and deleted it.
                if try_lock(lock) is False or not os.path.exists(folder / _LOCK):
                    continue
                yield folder
                return
        except OSError as error:
            # If the disk is full, errors lack a name, and users do not know the temporary one.
            temporary = error.filename is None or folder.name in str(error.filename)
            if error.errno is not None and temporary:
                error.filename = str(target)
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def delete_leftovers(folder: Path, name: str | None = None) -> None:
    """Delete the temporary folders of processes that were killed.

    A folder that a living process has locked is kept, on whichever machine, in whichever container
    and of whichever user it runs. If the file system has no locks, or the folder belongs to another
    machine, whose locks some network file systems do not show, it is deleted a day after its last
    change. Folders that cannot be deleted are skipped.

    Parameters
    ----------
    folder : Path
        The folder to tidy, without its subfolders.
    name : str, default=None
        Name of the target, in `folder`, whose temporary folders are deleted. None: all targets.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            # First by the dot: a folder may hold many files, and each save looks at all of them.
            match = entry.name[0] == "." and _TEMPORARY.fullmatch(entry.name)
            if not match or (name is not None and match[1] != _checksum(name)):
                continue
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    _delete_if_unused(Path(entry.path), here=match[2] == _checksum(node()))


def _delete_if_unused(folder: Path, here: bool) -> None:
    unused = False
    try:
        # Do not follow a link, nor wait for a pipe, that another user may have put there.
        flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with open(os.open(folder / _LOCK, flags), "r+b", buffering=0) as lock:
            locked = try_lock(lock)
            if locked is False:
                return
            if locked and here:
                (folder / _LOCK).unlink()  # a process that waits for it notices this
                unused = True
    except FileNotFoundError:  # its process was killed before it made the file
        pass
    if not unused:
        changed = max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
        unused = time.time() - changed > DAY
    if unused:
        shutil.rmtree(folder, ignore_errors=True)


def _checksum(name: str) -> str:
    return f"{zlib.crc32(name.encode('utf-8', 'surrogateescape')):08x}"


# --- whole files ---------------------------------------------------------------------------------


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Name a temporary file that replaces `path` if the block ends without an error.

    If the block fails, `path` stays as it was. A reader sees either the old file or the complete
    new one, and the last of several writers wins. Temporary files of writers that were killed are
    deleted, those of living ones never.

    A link is followed: the file that it points to is replaced, and the link stays. A file that
    exists keeps its permission bits, and its owner and group where the system allows it; where it
    does not, the group gets no more than all others have. Access control lists and extended
    attributes are those of a new file in the folder.

    Parameters
    ----------
    path : Path
        The file to write, in a folder that exists.

    Yields
    ------
    Path
        A name on the same file system, under which the block creates the file.

    Raises
    ------
    OSError
        If the folder of `path` does not exist or cannot be written to, `path` is a folder, a pipe
        or a device, or the disk is full. The error names `path`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with replacing(Path(folder, "a.txt")) as new:
    ...         _ = new.write_text("whole")
    ...     [file.name for file in Path(folder).iterdir()]
    ['a.txt']
    """
    path = check_writable(path)
    with temporary_folder(path) as folder:
        new = folder / "new"
        yield new
        _sync(new)
        _keep_access(path, new)
        os.replace(new, path)
        if os.name == "posix":  # other systems cannot open folders
            _sync(path.parent)


def _keep_access(path: Path, new: Path) -> None:
    """Give a new file the permission bits, owner and group of the one that it replaces."""
    if not path.exists():
        return
    old = path.stat()
    mode = stat.S_IMODE(old.st_mode) & 0o777
    if hasattr(os, "chown"):
        for owner, group in ((-1, old.st_gid), (old.st_uid, -1)):
            with suppress(OSError):  # one's own groups alone; other owners for root alone
                os.chown(new, owner, group)
    if new.stat().st_gid != old.st_gid:
        mode &= ~0o070 | (mode & 0o007) << 3
    if stat.S_IMODE(new.stat().st_mode) != mode:
        new.chmod(mode)


def _sync(path: Path) -> None:
    # Without this, a power cut could leave the new name with old or empty content.
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
