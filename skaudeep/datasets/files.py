"""Audio files below a folder: a list of them, and checks of names that a table lists."""

from __future__ import annotations

import os
import stat
import unicodedata
import warnings
from collections import Counter, deque
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from skaudeep._texts import printable
from skaudeep._warnings import find_stack_level
from skaudeep.audio.formats import AUDIO_SUFFIXES, FFMPEG_SUFFIXES, SNDFILE_SUFFIXES

MAX_NAMES = 10  # folders that a message names

# Endings of files that may hold sound and are not looked for: of films, of headerless audio, and of
# rare formats. They are counted, so that no recording vanishes without a word.
_OTHER_SUFFIXES = {
    *(".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".ts", ".wmv"),
    *(".adpcm", ".al", ".alaw", ".g722", ".g726", ".gsm", ".pcm", ".raw", ".ul", ".ulaw", ".vox"),
    *(".aa3", ".adts", ".aiffc", ".dff", ".dts", ".m4p", ".m4r", ".mpc", ".ofr", ".qcp", ".ra"),
    *(".rm", ".shn", ".spx", ".tak", ".w65"),
}


def readable_suffixes() -> frozenset[str]:
    """Return the endings of files that can be decoded here: those of FFmpeg with its extra only."""
    return AUDIO_SUFFIXES if find_spec("av") else SNDFILE_SUFFIXES


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


def load_by_name(path: object) -> str:
    """Return how to load a data set, for a message about a path in its place; else "".

    Examples
    --------
    >>> load_by_name("birds")
    "Load it with skaudeep.datasets.load_dataset('birds')."
    """
    if not isinstance(path, str | os.PathLike):
        return ""
    suffix = os.path.splitext(path)[1].lower()
    table = suffix in (".csv", ".tsv")
    load = "load_netcdf" if suffix == ".nc" else f"datasets.load_{'table' if table else 'dataset'}"
    return f"Load it with skaudeep.{load}({str(path)!r})."


def list_audio(folder: str | os.PathLike[str]) -> list[str]:
    """List the audio files below a folder, without opening one.

    Hidden files and folders are left out. Links to folders are followed, but each folder is read
    once. A file that has several names, by links to it, is listed under each of them;
    :func:`~skaudeep.datasets.audit` finds such duplicates. Which files are audio their names say:
    all that libsndfile decodes and, where the extra `[ffmpeg]` is installed, all that FFmpeg does.

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

    Warns
    -----
    UserWarning
        If there are other files that hold sound by their name. The message says how many, of which
        endings, and which folders are left without clips. If links are passed over, because they
        lead to a folder that is read already, nowhere, or to themselves; the message names them.
    """
    suffixes = readable_suffixes()
    names: list[str] = []
    others: list[str] = []
    found, passed = _walk(os.fspath(folder))
    for name in sorted(found):
        suffix = _suffix(name)
        if suffix in suffixes:
            names.append(name)
        elif suffix in AUDIO_SUFFIXES or suffix in _OTHER_SUFFIXES:
            others.append(name)
    if passed:
        warnings.warn(
            f"Passed over {len(passed)} link(s) below {os.fspath(folder)!r}: "
            f"{', '.join(passed[:MAX_NAMES])}{' ...' * (len(passed) > MAX_NAMES)}. Each folder is "
            "read once. Remove the links, or put what they should lead to in their place.",
            stacklevel=find_stack_level(),
        )
    if not names:
        left_out = f" {_left_out(others)}" if others else ""
        raise FileNotFoundError(
            f"Found no audio file below {os.fspath(folder)!r}, looked for names with "
            f"endings such as .wav, .flac, .mp3 that do not start with a dot.{left_out}"
        )
    if others:
        heard = {part for name in names for part in _folders(name)}
        silent = sorted({part for name in others for part in _folders(name)} - heard)
        empty = ""
        if silent:
            empty = (
                f" Without them no clip is in {len(silent)} folder(s): "
                f"{', '.join(map(repr, silent[:MAX_NAMES]))}{' ...' * (len(silent) > MAX_NAMES)}."
            )
        warnings.warn(
            f"Left out {len(others)} of {len(names) + len(others)} recordings below "
            f"{os.fspath(folder)!r}.{empty} {_left_out(others)}",
            stacklevel=find_stack_level(),
        )
    return names


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _folders(name: str) -> list[str]:
    """Return the folders in which a file lies, from the outermost to the innermost."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def _left_out(names: Sequence[str]) -> str:
    """Describe the endings of files, and what to do about them."""
    counts = Counter(map(_suffix, names))
    found = ", ".join(f"{count} of {suffix}" for suffix, count in counts.most_common())
    remedies = []
    if FFMPEG_SUFFIXES.intersection(counts):
        remedies.append(
            'install the extra that reads more formats (pip install "skaudeep[ffmpeg]")'
        )
    if _OTHER_SUFFIXES.intersection(counts):
        remedies.append("convert those of other endings to WAV or FLAC")
    return f"Not read: {found}, first {names[0]!r}. To read them, {', and '.join(remedies)}."


def _walk(root: str) -> tuple[list[str], list[str]]:
    """Return the files below a folder, each folder read once, and which links were passed over.

    Links to folders wait until all other folders are read, so that a folder that lies below `root`
    itself goes by its own name.
    """
    names: list[str] = []
    passed: list[str] = []
    read: dict[tuple[int, int], str] = {}  # names of folders by device and inode
    folders, links = [""], deque[str]()
    while folders or links:
        folder = folders.pop() if folders else links.popleft()
        path = os.path.join(root, folder)
        status = os.stat(path)
        identity = status.st_dev, status.st_ino
        if identity in read:
            passed.append(f"{folder!r} (the same folder as {read[identity] or '.'!r})")
            continue
        read[identity] = folder
        prefix = f"{folder}/" if folder else ""
        with os.scandir(path) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
        for entry in sorted(visible, key=lambda entry: entry.name):
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(name)
                continue
            is_folder = False
            if entry.is_symlink():
                try:
                    is_folder = stat.S_ISDIR(entry.stat().st_mode)
                except OSError as error:  # it leads nowhere, or to itself
                    passed.append(f"{name!r} ({error.strerror})")
                    continue
            (links if is_folder else names).append(name)
    return names, sorted(passed, key=lambda text: (text.count("/"), text))  # the nearest first


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
            f"Found {len(missing)} of the {len(names)} files listed in {printable(source)} missing "
            f"below {os.fspath(root)!r}, first {', '.join(map(repr, missing[:3]))}. {remedy}"
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
        for name in (
            f"{folder}/{name}" if folder else name
            for name in list_audio(os.path.join(root, folder))
        )
        if name not in listed
    ]
    if others:
        warnings.warn(
            f"{len(others)} audio files below {os.path.join(root, folder)!r}, first "
            f"{others[0]!r}, are not listed in {printable(source)} and are left out.",
            stacklevel=find_stack_level(),
        )
