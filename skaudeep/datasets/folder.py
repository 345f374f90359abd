"""Reader of corpora whose folders are named after classes, folds or partitions."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

from sklearn.utils import Bunch

from skaudeep._warnings import find_stack_level
from skaudeep.datasets.bunch import fold_columns, make_bunch
from skaudeep.datasets.files import check_folder, join, list_audio
from skaudeep.datasets.groups import add_groups
from skaudeep.datasets.vocabulary import translate_partitions
from skaudeep.datasets.x_y import BunchOrXy, bunch_or_X_y

_FOLD = re.compile(r"fold[ _-]?(\d+)", re.IGNORECASE)

_LAYOUTS = {
    "folds": "fold_N/<class>/<clip> or, unlabelled, fold_N/<clip>",
    "partitions": "train|devel|test/<class>/<clip> or, unlabelled, train|devel|test/<clip>",
    "classes of partitions": "<class>/train|devel|test/<clip>",
    "classes": "<class>/<clip>",
    "files": "any audio file, unlabelled",
}

# For each layout, which of the folders of a clip is its class, and which is its partition.
_CLASS_DEPTH = {"folds": 1, "partitions": 1, "classes of partitions": 0, "classes": 0}
_PARTITION_DEPTH = {"partitions": 0, "classes of partitions": 1}


def load_folder(
    path: str | os.PathLike[str],
    *,
    layout: str = "auto",
    groups: str | re.Pattern[str] | None = None,
    return_X_y: bool = False,
) -> BunchOrXy:
    """Load the clips below a folder, whose subfolders name classes, folds or partitions.

    No clip is opened. Hidden files and files that are not audio by their name are left out. Links
    to folders are followed, but each folder is read once.

    Parameters
    ----------
    path : str or Path
        The folder of the corpus.
    layout : {"auto", "folds", "partitions", "classes of partitions", "classes", "files"}, \
            default="auto"
        How to read the names of the folders below `path`:

        - "folds": `fold_1/<class>/<clip>`, `fold_2/<class>/<clip>` and so on; also `fold1`,
          `fold 1` and `fold-1`, in upper or lower case. A clip is a test clip of its own fold and a
          training clip of the others.
        - "partitions": `train/<class>/<clip>`, `devel/...`, `test/...`, in upper or lower case.
          `training`, `dev`, `development`, `val`, `valid`, `validation` and `testing` are
          understood, too; `eval`, `evaluation` and `evaluate` are "test", or "devel" if there is
          also a `test` or `testing`.
        - "classes of partitions": `<class>/train/<clip>`, `<class>/test/<clip>` and so on.
        - "classes": `<class>/<clip>`.
        - "files": every audio file, at any depth, unlabelled.

        Clips directly in the folder of a fold or partition are unlabelled. Clips in subfolders of a
        class folder belong to the class. "auto" uses the first layout that fits: "folds" if a
        subfolder has the name of a fold; "partitions" if all subfolders have names of partitions;
        "classes of partitions" if there are two or more subfolders, every clip lies in a folder
        within one of them, and these inner folders have names of partitions, of two at least;
        "classes" if there are two or more subfolders, more than half of which hold clips directly,
        and fewer than half of the clips lie in `path` itself (these are unlabelled;
        ``layout="classes"`` refuses them); else "files".
    groups : str or compiled pattern, default=None
        Regular expression that finds the group of each clip, such as its speaker or session, in its
        name relative to `path`: the text of the first parentheses, or else the whole match, as of
        :func:`add_groups`. It is ``"fold_[0-9]+"`` if folds are sessions. None: all groups are
        unknown.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds folds, partitions, groups and the names of classes. There is
        a UserWarning if some clips are labelled and others are not.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`make_bunch`, sorted by file name. `data` holds paths that
        begin with `path` as it is given here, `target_names` the classes in alphabetical order.
        `groups` are "" for a clip without one. `DESCR` names the layout that was read.

    Raises
    ------
    FileNotFoundError
        If there is no such folder or no audio file in it.
    ValueError
        If `layout` is none of these, a file does not fit the layout, a fold is the only one,
        folders of two or more partitions lie beside others (with "auto"), or `groups` is no regular
        expression
        or matches no name.

    Warns
    -----
    UserWarning
        If recordings are left out because of their format (the message has their number, and the
        folders that are empty without them); if links lead nowhere, or to a folder that was read
        already; if "auto" finds folders but no classes, clips in subfolders of classes or beside
        the folders of classes, or classes with the names of partitions, such as `train_data`; or if
        `groups` does not match all names, or gives all clips the same group.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets import load_folder
    >>> with TemporaryDirectory() as folder:
    ...     for name in ["train/cat/1.wav", "train/dog/2.wav", "test/3.wav"]:
    ...         clip = Path(folder, name)
    ...         clip.parent.mkdir(parents=True, exist_ok=True)
    ...         clip.touch()
    ...     bunch = load_folder(folder)
    >>> bunch.filenames.tolist()
    ['test/3.wav', 'train/cat/1.wav', 'train/dog/2.wav']
    >>> bunch.target.tolist(), bunch.partition.tolist()
    ([-1, 0, 1], ['test', 'train', 'train'])
    """
    if layout != "auto" and layout not in _LAYOUTS:
        raise ValueError(
            f"Got layout={layout!r}, expected 'auto', {', '.join(map(repr, _LAYOUTS))}."
        )
    root = check_folder(path)
    bunch, doubt = read_folder(root, layout)
    if doubt:
        warnings.warn(doubt, stacklevel=find_stack_level())
    if groups is not None:
        bunch = add_groups(bunch, groups)
    return bunch_or_X_y(bunch, return_X_y)


def read_folder(root: Path, layout: str = "auto") -> tuple[Bunch, str]:
    """Read a folder and say what in it can be read in another way; see :func:`load_folder`.

    Parameters
    ----------
    root : Path
        The folder.
    layout : str, default="auto"
        Layout of the names of the folders, see :func:`load_folder`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        The data set.
    doubt : str
        A message if "auto" chose one of several readings, with the way to get another one; else "".
    """
    names = list_audio(root)
    parts = [name.split("/")[:-1] for name in names]
    doubt = ""
    asked = layout != "auto"
    if not asked:
        layout = detect_layout(parts)
        _check_top(parts, layout, root)
        doubt = _doubt(names, parts, layout, root)
    for name, folders in zip(names, parts, strict=True):
        stray = not asked and layout == "classes" and not folders  # `_doubt` names them
        if not (_fits(folders, layout) or stray):
            raise ValueError(
                f"Got clip {name!r} in {str(root)!r}, expected {_LAYOUTS[layout]} as for the other "
                "clips. Move the clip away, or give layout= to read the folder in another way."
            )

    fold_ids = partition = labels = None
    if layout == "folds":
        fold_ids = [_FOLD.sub(r"\1", folders[0]) for folders in parts]
    if layout in _PARTITION_DEPTH:
        given = [folders[_PARTITION_DEPTH[layout]] for folders in parts]
        translated = translate_partitions(given)
        partition = [translated[name] for name in given]
    if layout != "files":
        depth = _CLASS_DEPTH[layout]
        # "" where there is no class folder: no folder has this name
        labels = [folders[depth] if len(folders) > depth else "" for folders in parts]
    classes = sorted(set(labels or ()) - {""})
    position = {"": -1} | {label: index for index, label in enumerate(classes)}
    folds, fold_names = (None, None) if fold_ids is None else fold_columns(fold_ids)
    bunch = make_bunch(
        join(root, names),
        names,
        target=None if labels is None else [position[label] for label in labels],
        target_names=classes,
        folds=folds,
        fold_names=fold_names,
        partition=partition,
        descr=f"{len(names)} clips below {root.name!r}, read as {_LAYOUTS[layout]}",
    )
    return bunch, doubt


def detect_layout(parts: list[list[str]]) -> str:
    """Return the layout that "auto" takes, by the folders in which each clip lies."""
    top = {folders[0] for folders in parts if folders}
    if any(_FOLD.fullmatch(name) for name in top):
        return "folds"
    partitions = translate_partitions(top)
    if top and len(partitions) == len(top):
        return "partitions"
    if len(top) < 2:
        return "files"
    if all(len(folders) > 1 for folders in parts):
        inner = {folders[1] for folders in parts}
        translated = translate_partitions(inner)
        if len(translated) == len(inner) and len(set(translated.values())) > 1:
            return "classes of partitions"
    direct = {folders[0] for folders in parts if len(folders) == 1}
    at_root = sum(not folders for folders in parts)
    return "classes" if 2 * len(direct) > len(top) and 2 * at_root < len(parts) else "files"


def _check_top(parts: list[list[str]], layout: str, root: Path) -> None:
    """Raise an error about folders of partitions beside other folders."""
    top = sorted({folders[0] for folders in parts if folders})
    partitions = translate_partitions(top)
    if layout in ("classes", "files") and len(set(partitions.values())) > 1:
        other = [name for name in top if name not in partitions]
        raise ValueError(
            f"Got folders {', '.join(map(repr, partitions))} in {str(root)!r}, which are "
            f"partitions, beside {', '.join(map(repr, other[:3]))}"
            f"{' ...' if len(other) > 3 else ''}, expected partitions alone or classes alone. Move "
            f"one kind away, or give layout={layout!r} to read all folders alike."
        )


def _doubt(names: list[str], parts: list[list[str]], layout: str, root: Path) -> str:
    """Describe clips that can be read in another way, and how; "" if there are none."""
    where = f"below {str(root)!r}"
    remedy = (
        'layout="files" reads all clips as unlabelled, load_table takes labels from a list of them.'
    )
    if layout == "files":
        if not any(parts):  # nothing but clips
            return ""
        deviant = [name for name in names if name.count("/") != 1][:1]
        as_with = f", as with {deviant[0]!r}" if deviant else ""
        inner, found = find_inner(parts)
        top = sorted({folders[0] for folders in parts if folders})
        if len(top) == 1 and not inner and all(len(folders) == 1 for folders in parts):
            return (
                f"{len(names)} files {where} are read as unlabelled clips: expected two or more "
                f"sub-folders of classes, found one, {top[0]!r}. Add the recordings of another "
                "class in a folder of their own. "
                'layout="classes" reads the one, layout="files" reads them as unlabelled without '
                "this warning."
            )
        hint = (
            f" All lie in {inner!r}, which fits {_LAYOUTS[found]}: load that one?" if inner else ""
        )
        return (
            f"{len(names)} files {where} are read as unlabelled clips: load_folder did not find "
            "folders of folds or of partitions, nor two or more of classes with most clips "
            f"directly in them{as_with}.{hint} Name a layout to read them otherwise; "
            'layout="files" reads them so without this warning.'
        )
    depth = _CLASS_DEPTH[layout]
    doubts = []
    level = 1 + max(depth, _PARTITION_DEPTH.get(layout, 0))
    deep = [
        (name, folders) for name, folders in zip(names, parts, strict=True) if len(folders) > level
    ]
    if deep:
        name, folders = deep[0]
        n_holders = len({tuple(folders[:level]) for _, folders in deep})
        n_folders = len({tuple(folders[:level]) for folders in parts if len(folders) >= level})
        doubts.append(
            f"{len(deep)} of {len(names)} clips {where}, first {name!r}, lie in sub-folders of "
            f"{n_holders} of the {n_folders} class folders, and get the class of the upper one, "
            f"here {folders[depth]!r}."
        )
    if layout == "classes":
        if strays := [name for name, folders in zip(names, parts, strict=True) if not folders]:
            doubts.append(
                f"{len(strays)} of {len(names)} clips {where}, first {strays[0]!r}, lie in no "
                "class folder and are unlabelled."
            )
        doubts += _alike(sorted({folders[0] for folders in parts if folders}), where)
    return f"{' '.join(doubts)} {remedy}" if doubts else ""


def find_inner(parts: list[list[str]]) -> tuple[str, str]:
    """Return the folder that holds all clips and fits a layout, and the layout; "" where none."""
    inner: list[str] = []
    while parts and all(parts) and len({folders[0] for folders in parts}) == 1:
        inner.append(parts[0][0])
        parts = [folders[1:] for folders in parts]
        if (layout := detect_layout(parts)) != "files":
            return "/".join(inner), layout
    return "", "files"


def _alike(top: list[str], where: str) -> list[str]:
    """Name the folders that are read as classes although they have names of partitions."""
    # Names such as "train_data" and "test-clean".
    words = {name: translate_partitions(re.split(r"[\W\d_]+", name)) for name in top}
    alike = [name for name, partitions in words.items() if partitions]
    several = len({partition for name in alike for partition in words[name].values()}) > 1
    exact = [name for name in translate_partitions(top) if name.lower() != "train"]  # a vehicle
    if not (found := alike if several else exact):
        return []
    return [
        f"Folder(s) {', '.join(map(repr, found[:3]))}{' ...' * (len(found) > 3)} {where} are read "
        "as classes, not as partitions: rename them to train, devel and test if they are."
    ]


def _fits(folders: list[str], layout: str) -> bool:
    if layout == "files":
        return True
    if not folders:
        return False
    if layout == "folds":
        return _FOLD.fullmatch(folders[0]) is not None
    if layout in _PARTITION_DEPTH:
        depth = _PARTITION_DEPTH[layout]
        return len(folders) > depth and bool(translate_partitions([folders[depth]]))
    return True
