"""Safe unpacking of downloaded archives: no file is written outside the given folder."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import re
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from skaudeep._files import check_readable, temporary_folder
from skaudeep._texts import printable

_BLOCK = 1 << 20  # bytes
_MAX_NAME = 255  # bytes, of one part of a path: what file systems take
_MAX_PATH = 1024  # bytes
_TAR_BLOCK = 512  # bytes
_COMPRESSIONS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))


class Limits(NamedTuple):
    """Limits on the content of an archive.

    The defaults are several times larger than any corpus that skaudeep fetches.

    Parameters
    ----------
    n_members : int, default=100_000
        Largest number of files and folders.
    n_bytes : int, default=64 GiB
        Largest size of all files together.
    ratio : float, default=100.0
        Largest ratio of unpacked to packed size. That of sound is below 10, except for silence.
    """

    n_members: int = 100_000
    n_bytes: int = 64 << 30
    ratio: float = 100.0


_LIMITS = Limits()


class ArchiveError(ValueError):
    """An archive that is damaged, or not to be trusted."""


def unpack(
    archives: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    limits: Limits = _LIMITS,
) -> Path:
    """Unpack zip and tar archives into a new folder: all of it, or nothing.

    An archive from the network is foreign data: its names may lead out of the folder, its links
    may point anywhere, and a few kilobytes may fill the disk. Only plain files and folders are
    unpacked, into a temporary folder next to `folder` that is renamed at the end. What a killed
    process leaves there is deleted by the next one that unpacks the same.

    Parameters
    ----------
    archives : sequence of str or Path
        Zip files, or tar files, as they are or compressed with gzip, bzip2 or xz.
    folder : str or Path
        Folder for the content of all archives. Its parent is created where it is missing.
    limits : Limits, default=Limits()
        Largest number of members and bytes, and largest ratio of unpacked to packed size.

    Returns
    -------
    folder : Path
        The complete folder.

    Raises
    ------
    FileExistsError
        If there is such a folder already.
    FileNotFoundError, OSError
        If there is no such archive, or it is no regular file.
    ArchiveError
        A ValueError: if an archive is damaged, encrypted or of another kind; if it holds more than
        `limits` allow; or if a member is absolute, leads out of the folder (`..`), starts with a
        drive, is a link, a device or anything else but a file or folder, occurs twice (ignoring
        case and Unicode form), lies below a file, or has a name that file systems refuse.

    Examples
    --------
    >>> import zipfile
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets.archives import unpack
    >>> with TemporaryDirectory() as folder:
    ...     with zipfile.ZipFile(Path(folder, "corpus.zip"), "w") as archive:
    ...         archive.writestr("corpus/a.wav", b"RIFF")
    ...     corpus = unpack([Path(folder, "corpus.zip")], Path(folder, "here"))
    ...     Path(corpus, "corpus", "a.wav").read_bytes()
    b'RIFF'
    """
    target = Path(folder)
    if os.path.lexists(target):
        raise FileExistsError(f"Got folder {str(target)!r}, which exists, expected a new one.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(target) as temporary:
        fresh = temporary / "new"
        fresh.mkdir()
        seen: dict[str, bool] = {}
        n_bytes = 0
        for archive in archives:
            n_bytes = _unpack(Path(archive), fresh, seen, n_bytes, limits)
        fresh.rename(target)
    return target


class _Member(NamedTuple):
    name: str
    kind: str  # "file", "folder", or what is refused
    content: IO[bytes]


def _unpack(archive: Path, fresh: Path, seen: dict[str, bool], n_bytes: int, limits: Limits) -> int:
    """Unpack one archive; return the bytes unpacked so far. `seen` maps paths to "is a file"."""
    check_readable(archive, "a zip or tar archive")
    packed = archive.stat().st_size
    start = n_bytes
    try:
        for member in _members(archive):
            parts = _check_name(member.name, archive)
            if member.kind not in ("file", "folder"):
                raise ArchiveError(
                    f"Got {member.kind} {member.name!r} in {str(archive)!r}, expected files and "
                    "folders only."
                )
            if not _register(parts, member, archive, seen):
                continue
            if len(seen) > limits.n_members:
                raise ArchiveError(
                    f"Got more than {limits.n_members} members in {str(archive)!r}, expected fewer."
                )
            path = fresh.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            if member.kind == "folder":
                path.mkdir(exist_ok=True)
                continue
            left = min(limits.n_bytes, start + max(limits.ratio * packed, _BLOCK)) - n_bytes
            written = _write(path, member.content, left)
            if written > left:
                raise ArchiveError(
                    f"Got {str(archive)!r} of {packed} bytes, which unpacks to more than "
                    f"{limits.n_bytes} bytes or {limits.ratio:g} times its size, expected less."
                )
            n_bytes += written
    except ArchiveError:
        raise
    except _DAMAGES as error:
        # Of operating system errors only an invalid seek is the archive's fault; bz2 and gzip raise
        # OSError without a number.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise ArchiveError(
            f"Got archive {str(archive)!r}, which is damaged or encrypted: {printable(error)}. "
            "Delete it and download it again."
        ) from error
    return n_bytes


def _write(path: Path, content: IO[bytes], limit: float) -> int:
    """Write a new file, stop once it is larger than `limit` bytes, return its size."""
    # never through a link and never over a file, even if another process interferes
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    written = 0
    with open(os.open(path, flags, 0o644), "wb") as file:
        while written <= limit and (block := content.read(_BLOCK)):
            file.write(block)
            written += len(block)
    return written


# Errors of the standard library on broken and on encrypted archives.
_DAMAGES = (
    *(tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, OSError),
    *(EOFError, RuntimeError, ValueError, OverflowError, struct.error),
)


def _members(archive: Path) -> Iterator[_Member]:
    with open(archive, "rb") as file:
        magic = file.read(6)
    if magic.startswith(b"PK"):
        yield from _zip_members(archive)
        return
    unpacked = next((opener for start, opener in _COMPRESSIONS if magic.startswith(start)), open)
    with unpacked(archive, "rb") as stream:
        yield from _tar_members(archive, _Bounded(stream))


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            mode = info.external_attr >> 16
            if stat.S_ISLNK(mode):
                kind = "link"
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                kind = "special file"
            else:
                kind = "folder" if info.is_dir() else "file"
            # the original name: zipfile cuts names at a NUL and knows only one separator
            with io.BytesIO() if kind != "file" else file.open(info) as content:
                yield _Member(info.orig_filename, kind, content)


def _tar_members(archive: Path, stream: _Bounded) -> Iterator[_Member]:
    try:
        file = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115
    except tarfile.ReadError as error:
        raise ArchiveError(
            f"Got archive {str(archive)!r}, which is neither zip nor tar ({printable(error)}), "
            "expected one of them."
        ) from error
    kinds = {tarfile.DIRTYPE: "folder", tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "link"}
    with file:
        for info in file:
            content = None
            if info.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
                content = file.extractfile(info)
            kind = "file" if content else kinds.get(info.type, "special file")
            yield _Member(info.name, kind, content or io.BytesIO())
        # tarfile takes a broken header for the end, which is a block of zeros; and the checksum of
        # compressed content is at its end.
        if stream.last != bytes(_TAR_BLOCK):
            raise tarfile.ReadError("it ends before its end")
        if len(stream.read(_BLOCK)) == _BLOCK:
            raise tarfile.ReadError("it goes on after its end")


class _Bounded(io.RawIOBase):
    """A stream that refuses to be read in large pieces, as tarfile does for long names."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _BLOCK:
            raise tarfile.ReadError(f"it has a header of {size} bytes")
        self.last = self._stream.read(size)
        return self.last

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _check_name(name: str, archive: Path) -> list[str]:
    """Return the parts of a member's path if it stays below the folder on every system."""
    reason = None
    if "\0" in name or "\\" in name:
        reason = "holds a NUL or a backslash"
    elif name.startswith("/"):
        reason = "is absolute"
    elif re.match("[A-Za-z]:", name):
        reason = "starts with a drive"
    elif ".." in name.split("/"):
        reason = "leads out of its folder"
    elif any(len(os.fsencode(part)) > _MAX_NAME for part in name.split("/")) or (
        len(os.fsencode(name)) > _MAX_PATH
    ):
        reason = "is too long"
    if reason:
        raise ArchiveError(
            f"Got member {name[:80]!r} in {str(archive)!r}, whose name {reason}, expected a path "
            "below the folder. Do not trust this archive."
        )
    return [part for part in name.split("/") if part not in ("", ".")]


def _register(parts: list[str], member: _Member, archive: Path, seen: dict[str, bool]) -> bool:
    """Add the member's path to `seen`; return whether it is new."""
    # File systems of Windows and macOS ignore case and Unicode form.
    keys = [unicodedata.normalize("NFC", part).casefold() for part in parts]
    for depth in range(1, len(keys)):
        if seen.setdefault("/".join(keys[:depth]), False):
            raise ArchiveError(
                f"Got member {member.name!r} in {str(archive)!r} below a file, expected files "
                "below folders only."
            )
    is_file = member.kind == "file"
    path = "/".join(keys)
    if path in seen and (is_file or seen[path]):
        raise ArchiveError(
            f"Got member {member.name!r} twice in {str(archive)!r}, expected it once, case aside."
        )
    new = bool(keys) and path not in seen
    if keys:
        seen[path] = is_file
    return new
