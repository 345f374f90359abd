"""Reader of corpora whose folders are named after classes, folds or partitions."""

from __future__ import annotations

import os
import re

from sklearn.utils import Bunch

from skaudeep.datasets.bunch import PARTITION_ALIASES, fold_columns, make_bunch
from skaudeep.datasets.files import check_folder, join, list_audio

_FOLD = re.compile(r"fold[ _-]?(\d+)", re.IGNORECASE)

_LAYOUTS = {
    "folds": "fold_N/<class>/<clip> or, unlabelled, fold_N/<clip>",
    "partitions": "train|devel|test/<class>/<clip> or, unlabelled, train|devel|test/<clip>",
    "classes": "<class>/<clip>",
    "files": "any audio file, unlabelled",
}


def load_folder(path: str | os.PathLike[str], *, layout: str = "auto") -> Bunch:
    """Load the clips below a folder, whose subfolders name classes, folds or partitions.

    No clip is opened. Hidden files and files that are not audio by their name are left out.

    Parameters
    ----------
    path : str or Path
        The folder of the corpus.
    layout : {"auto", "folds", "partitions", "classes", "files"}, default="auto"
        How to read the names below `path`:

        - "folds": `fold_1/<class>/<clip>`, `fold_2/<class>/<clip>` ...; a clip is tested in its
          own fold and trains in the others.
        - "partitions": `train/<class>/<clip>`, `devel/...`, `test/...`. The names `training`,
          `dev`, `val` and `validation` are understood as well.
        - "classes": `<class>/<clip>`.
        - "files": every audio file, at any depth, unlabelled.

        Below a fold or partition, clips that are not in a class folder are unlabelled.
        "auto" takes the first that fits: "folds" where a subfolder is called so, "partitions" where
        all are, "classes" where there are at least two subfolders and each clip lies directly in
        one, otherwise "files".

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        All keys of :func:`make_bunch`, sorted by file name. `data` holds paths that begin with
        `path` as it is given here, `target_names` the classes in alphabetical order; `DESCR` says
        which layout was read.

    Raises
    ------
    FileNotFoundError
        If there is no such folder or no audio file in it.
    ValueError
        If a file does not fit the layout, or a fold is the only one.

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
    names = list_audio(root)
    parts = [name.split("/")[:-1] for name in names]
    if layout == "auto":
        layout = detect_layout(parts)
    for name, folders in zip(names, parts, strict=True):
        if not _fits(folders, layout):
            raise ValueError(
                f"Got clip {name!r} in {str(root)!r}, expected {_LAYOUTS[layout]} as for the other "
                "clips. Move the clip away, or give layout= to read the folder in another way."
            )

    fold_ids = partition = labels = None
    if layout == "folds":
        fold_ids = [_FOLD.sub(r"\1", folders[0]) for folders in parts]
    if layout == "partitions":
        partition = [PARTITION_ALIASES[folders[0].lower()] for folders in parts]
    if layout != "files":
        depth = 0 if layout == "classes" else 1
        # "" where there is no class folder: no folder has this name
        labels = [folders[depth] if len(folders) > depth else "" for folders in parts]
    classes = sorted(set(labels or ()) - {""})
    position = {"": -1} | {label: index for index, label in enumerate(classes)}
    folds, fold_names = (None, None) if fold_ids is None else fold_columns(fold_ids)
    return make_bunch(
        join(root, names),
        names,
        target=None if labels is None else [position[label] for label in labels],
        target_names=classes,
        folds=folds,
        fold_names=fold_names,
        partition=partition,
        descr=f"{len(names)} clips below {root.name!r}, read as {_LAYOUTS[layout]}",
    )


def detect_layout(parts: list[list[str]]) -> str:
    """Return the layout that "auto" takes, by the folders in which each clip lies."""
    top = {folders[0] for folders in parts if folders}
    if any(_FOLD.fullmatch(name) for name in top):
        return "folds"
    if top and all(name.lower() in PARTITION_ALIASES for name in top):
        return "partitions"
    if len(top) > 1 and all(len(folders) == 1 for folders in parts):
        return "classes"
    return "files"


def _fits(folders: list[str], layout: str) -> bool:
    if layout == "files":
        return True
    if layout == "classes":
        return len(folders) == 1
    if not 1 <= len(folders) <= 2:
        return False
    if layout == "folds":
        return _FOLD.fullmatch(folders[0]) is not None
    return folders[0].lower() in PARTITION_ALIASES
