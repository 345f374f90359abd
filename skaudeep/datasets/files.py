"""Audio files below a folder: a list of them, and checks of names that a table lists."""

from __future__ import annotations

import os
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from skaudeep._warnings import find_stack_level
from skaudeep.audio.formats import AUDIO_SUFFIXES


def check_folder(path: str | os.PathLike[str]) -> Path:
    """Return `path`, with `~` expanded, if it is a folder.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If it is not.
    """
    folder = Path(path).expanduser()
    if not folder.exists():
        raise FileNotFoundError(
            f"Got path={str(path)!r}, which does not exist, expected the folder of a corpus. "
            f"The current directory is {os.getcwd()!r}."
        )
    if not folder.is_dir():
        raise NotADirectoryError(
            f"Got path={str(path)!r}, which is a file, expected the folder of a corpus. Tables of "
            "clips are read by load_table, NetCDF files by skaudeep.load_netcdf."
        )
    return folder


def list_audio(folder: str | os.PathLike[str]) -> list[str]:
    """List the audio files below a folder, without opening one.

    Hidden files and folders are left out, links to folders are followed.

    Parameters
    ----------
    folder : str or Path
        Folder to search.

    Returns
    -------
    names : list of str
        Sorted names relative to `folder`, `/` as separator.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    names = sorted(_walk(os.fspath(folder), "", ()))
    if not names:
        raise FileNotFoundError(
            f"Found no audio file below {os.fspath(folder)!r}, looked for names that end in "
            f"{', '.join(sorted(AUDIO_SUFFIXES))} and do not start with a dot."
        )
    return names


def _walk(folder: str, prefix: str, parents: tuple[str, ...]) -> Iterator[str]:
    real = os.path.realpath(folder)
    if real in parents:  # a link back up would never end
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _walk(entry.path, f"{prefix}{entry.name}/", (*parents, real))
            elif os.path.splitext(entry.name)[1].lower() in AUDIO_SUFFIXES:
                yield prefix + entry.name


def join(root: str | os.PathLike[str], names: Sequence[str]) -> list[str]:
    """Return the path of each name below `root`, absolute only where `root` is."""
    return [str(Path(root, name)) for name in names]


def below(root: str | os.PathLike[str], path: str) -> str:
    """Return `path` relative to `root`, `/` as separator.

    Links count by their name: only the text of the path must stay below `root`.

    Raises
    ------
    ValueError
        If it does not.

    Examples
    --------
    >>> from skaudeep.datasets.files import below
    >>> below("corpus", "wav/../wav/a.wav")
    'wav/a.wav'
    """
    if not path:
        raise ValueError(
            f"Got no file name (an empty cell), expected the path of a file below "
            f"{os.fspath(root)!r}. Fill it in or remove the row."
        )
    # The root as written, unless the path is absolute: then both must be.
    start = os.path.abspath(root) if os.path.isabs(path) else os.fspath(root)
    name = os.path.relpath(os.path.join(start, path), start).replace(os.sep, "/")
    if name in ("..", ".") or name.startswith("../"):
        raise ValueError(
            f"Got file {path!r}, which is not below {os.fspath(root)!r}, expected the path of a "
            "file below it. If you trust the table, give root= a folder that holds all its files."
        )
    return name


def check_files(root: str | os.PathLike[str], names: Sequence[str], source: str) -> None:
    """Raise FileNotFoundError if a file that `source` lists is missing below `root`."""
    missing = [name for name in names if not os.path.isfile(os.path.join(root, name))]
    if missing:
        like = _similar_name(os.fspath(root), missing[0])
        remedy = "Add the files or remove their rows."
        if like not in (None, missing[0]):
            remedy = (
                f"There is {like!a}, where the list has {missing[0]!a}: the two differ in case, in "
                "their Unicode form (NFC or NFD) or in their separators. Write one as the other."
            )
        raise FileNotFoundError(
            f"Found {len(missing)} of the {len(names)} files listed in {source} missing below "
            f"{os.fspath(root)!r}, first {', '.join(map(repr, missing[:3]))}. {remedy}"
        )


def _similar_name(root: str, name: str) -> str | None:
    """Find a file whose name differs only in case, Unicode form or separators."""

    def plain(name: str) -> str:
        return unicodedata.normalize("NFC", name).casefold()

    found = ""
    for part in name.replace("\\", "/").split("/"):
        try:
            entries = os.listdir(os.path.join(root, found))
        except OSError:
            return None
        same = [entry for entry in entries if plain(entry) == plain(part)]
        if not same:
            return None
        found = f"{found}/{same[0]}" if found else same[0]
    return found


def warn_unlisted(
    root: str | os.PathLike[str], folder: str, names: Sequence[str], source: str
) -> None:
    """Warn of audio files in a folder below `root` that `source` does not list."""
    listed = set(names)
    others = [
        name
        for name in (f"{folder}/{name}" for name in list_audio(os.path.join(root, folder)))
        if name not in listed
    ]
    if others:
        warnings.warn(
            f"{len(others)} audio files below {os.path.join(root, folder)!r}, first "
            f"{others[0]!r}, are not listed in {source} and are left out.",
            stacklevel=find_stack_level(),
        )
