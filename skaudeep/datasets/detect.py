"""A reader for any corpus: it chooses the reader that recognises the files on disk."""

from __future__ import annotations

import os
import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

from sklearn.utils import Bunch

from skaudeep._texts import list_names, shown
from skaudeep._warnings import find_stack_level
from skaudeep.datasets.compare_challenge import find_labels, load_compare_challenge
from skaudeep.datasets.dcase import find_meta, load_dcase
from skaudeep.datasets.dcase_task2 import has_machines, load_dcase_task2
from skaudeep.datasets.esc import load_esc
from skaudeep.datasets.files import check_folder
from skaudeep.datasets.folder import detect_layout, find_inner, load_folder, read_folder
from skaudeep.datasets.gtzan import find_genres, load_gtzan
from skaudeep.datasets.urbansound import find_table, load_urbansound8k
from skaudeep.datasets.x_y import BunchOrXy, bunch_or_X_y

_ESC_FOLDER = re.compile(r"\d{3} - .+")


# Files that describe clips, by suffix, and the function that reads them.
_FILE_READERS = {
    ".csv": "load_table",
    ".tsv": "load_table",
    ".arff": "skaudeep.formats.load_arff",
    ".nc": "skaudeep.load_netcdf",
}


class _Reader(NamedTuple):
    load: Callable[..., Bunch]
    looks_for: str
    fits: Callable[[Path], bool]


_READERS = (
    _Reader(
        load_esc,
        "meta/esc50.csv, or folders such as '001 - Dog bark'",
        lambda root: (
            (root / "meta/esc50.csv").is_file()
            or any(_ESC_FOLDER.fullmatch(entry.name) for entry in root.iterdir() if entry.is_dir())
        ),
    ),
    _Reader(
        load_urbansound8k,
        "metadata/UrbanSound8K.csv, or UrbanSound8K.csv",
        lambda root: find_table(root) is not None,
    ),
    _Reader(
        load_dcase,
        "meta.txt or meta.csv next to evaluation_setup, or metadata/train/weak.csv next to "
        "audio/train",
        lambda root: find_meta(root) is not None,
    ),
    _Reader(
        load_dcase_task2,
        "folders of machines with clips such as train/section_00_source_train_normal_0000.wav",
        has_machines,
    ),
    _Reader(load_gtzan, "genres or genres_original", lambda root: find_genres(root) is not None),
    _Reader(
        load_compare_challenge,
        "lab/*.tsv, lab/labels.csv or lab/train.csv, devel.csv and test.csv, next to wav",
        lambda root: bool(find_labels(root)),
    ),
)


def load_dataset(
    path: str | os.PathLike[str], *, return_X_y: bool = False, **options: Any
) -> BunchOrXy:
    """Load a corpus from disk with the reader that knows it. No clip is opened.

    The readers of named corpora are tried first: :func:`load_esc`, :func:`load_urbansound8k`,
    :func:`load_dcase`, :func:`load_dcase_task2`, :func:`load_gtzan` and
    :func:`load_compare_challenge`. If none of them recognises the folder, :func:`load_folder` reads
    folds, partitions or classes from the names of its subfolders.

    Parameters
    ----------
    path : str or Path
        The folder of the corpus. For a table of clips, use :func:`load_table`.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds folds, partitions, groups and the names of classes. There is
        a UserWarning if some clips are labelled and others are not.
    **options : dict
        Parameters of the reader that recognises the folder, such as ``subset="esc10"`` of
        :func:`load_esc` or ``layout="classes"`` of :func:`load_folder`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`make_bunch`. The last line of `DESCR` names the reader.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist, or has no audio file (the message says what each reader looked
        for); or for the reasons of the reader, such as clips that its table lists and that are
        missing.
    NotADirectoryError
        If `path` is a file.
    TypeError
        If the reader that recognises the folder has no such option. The message names its options.
    ValueError
        If several readers recognise the folder (the message says what each of them found), if the
        folder is not a corpus but folders in it are (the message names them), or for the reasons
        of the reader.

    Warns
    -----
    UserWarning
        If no labels are found, so that all files are unlabelled (the message says what each reader
        looked for); and for the reasons of the reader.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets import load_dataset
    >>> with TemporaryDirectory() as folder:
    ...     for name in ["001 - Dog bark/1-100032-A.ogg", "002 - Rain/2-17367-B.ogg"]:
    ...         clip = Path(folder, name)
    ...         clip.parent.mkdir()
    ...         clip.touch()
    ...     bunch = load_dataset(folder)
    >>> bunch.target_names, bunch.DESCR.splitlines()[-1]
    (['Dog bark', 'Rain'], 'Read by: load_esc')
    """
    root = check_folder(path)
    fitting = [reader for reader in _READERS if reader.fits(root)]
    if len(fitting) > 1:
        found = "; ".join(f"{_name(reader)} found {reader.looks_for}" for reader in fitting)
        raise ValueError(
            f"Got {str(root)!r}, which {len(fitting)} readers know: {found}. Expected one corpus a "
            "folder. Call the reader you mean."
        )
    if fitting:
        _check_options(root, fitting[0].load, options)
        bunch = fitting[0].load(root, **options)
        bunch.DESCR = f"{bunch.DESCR.rstrip()}\nRead by: {_name(fitting[0])}\n"
        return bunch_or_X_y(bunch, return_X_y)

    missed = "".join(f"; {_name(reader)} did not find {reader.looks_for}" for reader in _READERS)
    if options:  # the options of the caller determine the reading
        _check_options(root, load_folder, options)
        bunch = load_folder(root, **options)
        bunch.DESCR = f"{bunch.DESCR}\nRead by: {load_folder.__name__}\n"
        return bunch_or_X_y(bunch, return_X_y)
    try:
        bunch, doubt = read_folder(root)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}{missed}.{_see(root)}") from None
    if not bunch.target_names:
        names = bunch.filenames.tolist()
        told = bunch.cv or bunch.partition.any()
        if not told and (corpora := _corpora_in(root, names)):
            raise ValueError(
                f"Got {str(root)!r}, which is no corpus but holds some: {', '.join(corpora)}. Load "
                "one of these folders; or several, and join them by concatenate. "
                'load_folder(..., layout="files") reads all clips as unlabelled.'
            )
        doubt = doubt or (
            f"{len(names)} files below {str(root)!r} are read as unlabelled clips: load_folder did "
            "not find folders of classes."
        )
        doubt = f"{doubt.rstrip('.')}{missed}.{_see(root)}"
    if doubt:
        warnings.warn(doubt, stacklevel=find_stack_level())
    bunch.DESCR = f"{bunch.DESCR}\nRead by: {load_folder.__name__}\n"
    return bunch_or_X_y(bunch, return_X_y)


def _check_options(root: Path, load: Callable[..., Bunch], options: Mapping[str, Any]) -> None:
    """Raise a TypeError that names the reader and its options where it does not know one."""
    known = list(signature(load).parameters)[1:]  # after the path
    if unknown := [name for name in options if name not in known]:
        theirs = f"with the options {list_names(known, unknown[0])}" if known else "without options"
        raise TypeError(
            f"Got {unknown[0]}={shown(options[unknown[0]])} for {str(root)!r}, which is read by "
            f"{load.__name__}, {theirs}. Leave it out, or call the reader you mean."
        )


def _name(reader: _Reader) -> str:
    return reader.load.__name__


def _corpora_in(root: Path, names: list[str]) -> list[str]:
    """Name the subfolders that are corpora, and the reader or layout that recognises each."""
    inside = defaultdict(list)
    for folder, *folders, _ in (name.split("/") for name in names if "/" in name):
        inside[folder].append(folders)
    found = {}
    for folder, parts in inside.items():
        readers = [_name(reader) for reader in _READERS if reader.fits(root / folder)]
        layout = detect_layout(parts)
        if readers or layout != "files":
            found[folder] = " or ".join(readers) or layout
    # Folders that hold only folders are often not classes, unless a single folder holds them all.
    if set(found.values()) <= {"classes"}:
        inner, layout = find_inner([name.split("/")[:-1] for name in names])
        found = {inner: layout} if inner else {}
    return [f"{folder!r} ({reason})" for folder, reason in found.items()]


def _see(root: Path) -> str:
    """Mention a file in the folder that describes clips, and the function that reads it."""
    for file in sorted(root.iterdir()):
        if reader := _FILE_READERS.get(file.suffix.lower()):
            return f" For the file {file.name!r} in it see {reader}."
    return ""
