"""Reader of acoustic scenes and sound events of the DCASE challenges."""

from __future__ import annotations

import os
import re
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.utils import Bunch

from skaudeep._files import check_readable, memory_for
from skaudeep._texts import list_names, printable
from skaudeep._warnings import find_stack_level
from skaudeep.datasets.bunch import make_bunch, repeated
from skaudeep.datasets.corpora import CORPORA
from skaudeep.datasets.files import below, check_files, check_folder, join, warn_unlisted
from skaudeep.datasets.vocabulary import PARTITION_ALIASES
from skaudeep.datasets.x_y import BunchOrXy, bunch_or_X_y

# Columns of lists without a header, those of TUT 2016 and 2017.
_COLUMNS = ("filename", "scene_label", "identifier")
_FOLD = re.compile(r"fold(\d+)_(train|evaluate|test)")


def load_dcase(path: str | os.PathLike[str], *, return_X_y: bool = False) -> BunchOrXy:
    r"""Load acoustic scenes (TUT 2016 [1]_ and later) or the sound events of 2018 from disk.

    Two layouts are recognised:

    - `meta.txt` (file, scene, location; tabs between them, no header) or `meta.csv` (with a header)
      next to `audio`, and in `evaluation_setup` a pair of lists per fold, `fold1_train.txt` and
      `fold1_evaluate.txt`: the acoustic scenes of TUT 2016, TUT 2017 and the years after.
    - `metadata/train/weak.csv` and similar lists next to `audio/train/weak`: the weakly labelled
      sound events of DCASE 2018, task 4.

    No clip is opened.

    Parameters
    ----------
    path : str or Path
        The folder that holds `meta.txt`, `meta.csv` or `metadata`.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds folds, partitions, groups and the names of classes. There is
        a UserWarning if some clips are labelled and others are not.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`make_bunch`, in the order of the lists. `data` holds
        paths that begin with `path` as it is given here, `target_names` the classes in alphabetical
        order. For scenes, `folds` are those of the corpus, `groups` holds the location of a
        recording, if the list states it, else "", and there are no partitions. For events,
        `partition` is that of the folder of the list, such as "train" for `metadata/train`, whether
        clips are labelled or not; a class is the set of events of a clip, such as `Dog,Speech`; a
        clip without events is unlabelled; and there are no folds and groups.

    Raises
    ------
    FileNotFoundError
        If `path` has neither layout, clips of scenes are missing that the list names, all clips of
        events are missing, or one of the two lists of a fold is.
    ValueError
        If a list is broken, or lists contradict one another.

    Warns
    -----
    UserWarning
        If there are no lists of folds, or if clips are left out because no list, or no fold, names
        them, or because clips of events are missing (their videos vanish from year to year).

    See Also
    --------
    fetch_tut2017 : Download the scenes of 2017 first.

    References
    ----------
    .. [1] A. Mesaros, T. Heittola, T. Virtanen, "TUT Database for Acoustic Scene Classification and
           Sound Event Detection", Proc. EUSIPCO, 2016.
           https://doi.org/10.1109/EUSIPCO.2016.7760424

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets import load_dcase
    >>> with TemporaryDirectory() as folder:
    ...     for name in ["audio/b020_90_100.wav", "audio/a1_0_10.wav"]:
    ...         clip = Path(folder, name)
    ...         clip.parent.mkdir(exist_ok=True)
    ...         clip.touch()
    ...     beach, bus = "audio/b020_90_100.wav\tbeach", "audio/a1_0_10.wav\tbus"
    ...     size = Path(folder, "meta.txt").write_text(f"{beach}\tb020\n{bus}\ta1\n")
    ...     lists = Path(folder, "evaluation_setup")
    ...     lists.mkdir()
    ...     size = Path(lists, "fold1_train.txt").write_text(beach)
    ...     size = Path(lists, "fold1_evaluate.txt").write_text(bus)
    ...     bunch = load_dcase(folder)
    >>> bunch.target_names, bunch.groups.tolist(), bunch.folds.tolist()
    (['beach', 'bus'], ['b020', 'a1'], [[0], [1]])
    """
    root = check_folder(path)
    meta = find_meta(root)
    if meta is None:
        raise FileNotFoundError(
            f"Found neither meta.txt or meta.csv with a folder evaluation_setup nor "
            f"metadata/train/weak.csv with a folder audio/train in {str(root)!r}, expected the "
            "folder of a corpus of the DCASE challenges."
        )
    return bunch_or_X_y(
        _load_events(root) if meta.name == "weak.csv" else _load_scenes(root, meta), return_X_y
    )


def find_meta(root: Path) -> Path | None:
    """Return the list by which a corpus of the DCASE challenges is recognised, or None."""
    for name, folder in (
        # A file called meta.csv may be anything.
        ("meta.txt", "evaluation_setup"),
        ("meta.csv", "evaluation_setup"),
        ("metadata/train/weak.csv", "audio/train"),
    ):
        if (root / name).is_file() and (root / folder).is_dir():
            return root / name
    return None


def _load_scenes(root: Path, meta: Path) -> Bunch:
    rows = _read(meta, root)
    names = [row["filename"] for row in rows]
    if twice := repeated(names):
        raise ValueError(
            f"Got clip {twice[0]!r} twice in {printable(meta.name)} of {str(root)!r}, expected it "
            "once."
        )
    if "scene_label" not in rows[0]:
        raise ValueError(
            f"Got columns {list_names(rows[0], 'scene_label')} in {printable(meta.name)} of "
            f"{str(root)!r}, expected 'filename' and 'scene_label' among them."
        )
    scenes = {row["filename"]: row["scene_label"] for row in rows}
    folds, fold_names = _read_folds(root, scenes)
    if folds is not None:
        # A clip that no list of a fold names is used neither for training nor for testing.
        given = (folds >= 0).any(axis=1)
        if not given.all():
            warnings.warn(
                f"{(~given).sum()} of {len(names)} clips of {str(root)!r}, first "
                f"{names[np.argmin(given)]!r}, are in no list of evaluation_setup and are left "
                "out.",
                stacklevel=find_stack_level(),
            )
            rows = [rows[i] for i in np.flatnonzero(given)]
            names, folds = [row["filename"] for row in rows], folds[given]
        if (folds < 0).any():
            clip, fold = np.argwhere(folds < 0)[0]
            raise ValueError(
                f"Got clip {names[clip]!r} in neither list of fold {fold_names[fold]} but in lists "
                f"of other folds in {str(root)!r}, expected it in one of the two."
            )
    check_files(root, names, meta.name)
    warn_unlisted(root, "audio", [*scenes], meta.name)
    classes = sorted({row["scene_label"] for row in rows})
    position = {name: number for number, name in enumerate(classes)}
    corpus = CORPORA["tut" if meta.suffix == ".txt" else "dcase-scenes"]
    return make_bunch(
        join(root, names),
        names,
        target=[position[row["scene_label"]] for row in rows],
        target_names=classes,
        folds=folds,
        fold_names=fold_names,
        groups=[row.get("identifier", "") for row in rows],
        descr=corpus.describe(len(rows), len(classes)),
    )


def _read_folds(
    root: Path, scenes: dict[str, str]
) -> tuple[npt.NDArray[np.int8] | None, list[str]]:
    """Return 0 (train), 1 (test) or -1 (neither) per clip and fold, and the names of the folds."""
    lists: dict[str, dict[str, Path]] = defaultdict(dict)
    for file in sorted((root / "evaluation_setup").iterdir()):
        if match := _FOLD.fullmatch(file.stem):
            lists[match[1]][match[2]] = file
    if not lists:
        warnings.warn(
            f"{str(root / 'evaluation_setup')!r} holds no lists such as fold1_train.txt and "
            "fold1_evaluate.txt, so that there are no folds. Is the corpus complete?",
            stacklevel=find_stack_level(),
        )
        return None, []
    fold_names = sorted(lists, key=int)
    row_of = {name: row for row, name in enumerate(scenes)}
    folds = np.full((len(scenes), len(lists)), -1, dtype=np.int8)
    for column, fold in enumerate(fold_names):
        train, test = _both_lists(fold, lists[fold], root)
        for value, file in enumerate((train, test)):
            for row in _read(file, root):
                name = row["filename"]
                if name not in scenes:
                    raise ValueError(
                        f"Got clip {name!r} in {printable(file.name)}, which is not in the list of "
                        "all clips "
                        f"of {str(root)!r}, expected one of that list, with a tab behind its name."
                    )
                if row.get("scene_label", scenes[name]) != scenes[name]:
                    raise ValueError(
                        f"Got clip {name!r} as {row['scene_label']!r} in {printable(file.name)} "
                        "and as "
                        f"{scenes[name]!r} in the list of all clips of {str(root)!r}, expected the "
                        "same."
                    )
                if folds[row_of[name], column] not in (-1, value):
                    raise ValueError(
                        f"Got clip {name!r} in {printable(train.name)} and in "
                        f"{printable(file.name)} of {str(root)!r}, expected it in one of the two."
                    )
                folds[row_of[name], column] = value
    return folds, fold_names


def _both_lists(fold: str, lists: dict[str, Path], root: Path) -> tuple[Path, Path]:
    """Return the lists of the clips that train and that a fold tests, with labels if there are."""
    test = lists.get("evaluate", lists.get("test"))
    if "train" not in lists or test is None:
        there = " and ".join(printable(file.name) for file in lists.values())
        raise FileNotFoundError(
            f"Found {there} without fold{fold}_{'train' if test else 'evaluate'} in "
            f"{str(root / 'evaluation_setup')!r}, expected both lists of a fold."
        )
    return lists["train"], test


def _load_events(root: Path) -> Bunch:
    events: dict[str, set[str]] = {}
    partition: dict[str, str] = {}
    for file in sorted((root / "metadata").glob("*/*.csv")):
        part = file.parent.name
        if part.lower() not in PARTITION_ALIASES:
            raise ValueError(
                f"Got list {printable(file.name)} in metadata/{printable(part)} of {str(root)!r}, "
                f"expected metadata/ to hold {', '.join(PARTITION_ALIASES)}."
            )
        # audio/train/weak for train/weak.csv, but audio/test for test/test.csv
        folder = f"audio/{part}/{file.stem}"
        if not (root / folder).is_dir():
            folder = f"audio/{part}"
        for row in _read(file, root, folder):
            name = row["filename"]
            cell = row.get("event_labels", row.get("event_label", ""))
            events.setdefault(name, set()).update(label for label in cell.split(",") if label)
            # A name that may occur beside "test": the two are the public and the final test clips.
            partition[name] = PARTITION_ALIASES[part.lower()]

    names = [name for name in events if (root / name).is_file()]
    if not names:
        check_files(root, [*events], "metadata")
    if len(names) < len(events):
        missing = next(name for name in events if not (root / name).is_file())
        warnings.warn(
            f"{len(events) - len(names)} of the {len(events)} clips listed in "
            f"{str(root / 'metadata')!r} are missing, first {missing!r}, and are left out.",
            stacklevel=find_stack_level(),
        )
    warn_unlisted(root, "audio", [*events], "metadata")
    labels = [",".join(sorted(events[name])) for name in names]
    classes = sorted(set(labels) - {""})
    position = {"": -1} | {label: index for index, label in enumerate(classes)}
    return make_bunch(
        join(root, names),
        names,
        target=[position[label] for label in labels],
        target_names=classes,
        partition=[partition[name] for name in names],
        descr=CORPORA["dcase-events"].describe(len(names), len(classes)),
    )


def _read(file: Path, root: Path, folder: str = "") -> list[dict[str, str]]:
    """Read a list with tabs between its columns; `filename` comes back relative to `root`."""
    where = str(file.relative_to(root))
    check_readable(file, "a list of clips")
    try:
        with memory_for(file):
            lines = file.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Got list {printable(where)} in {str(root)!r}, which is not UTF-8 text (byte "
            f"{error.start}), expected UTF-8."
        ) from error
    cells = [[cell.strip() for cell in line.split("\t")] for line in lines]
    header = [*_COLUMNS[: len(cells[0])]] if cells else []
    first = 0
    if cells and "filename" in cells[0]:
        header, first = cells[0], 1
    rows = []
    for number, row in enumerate(cells[first:], start=first + 1):
        if row == [""]:
            continue
        if len(row) != len(header):
            raise ValueError(
                f"Got {len(row)} columns in line {number} of {printable(where)} in {str(root)!r}, "
                f"expected {len(header)} as in the first, with tabs between them."
            )
        entry = dict(zip(header, row, strict=True))
        rows.append(entry | {"filename": below(root, os.path.join(folder, entry["filename"]))})
    if not rows:
        raise ValueError(
            f"Got list {printable(where)} in {str(root)!r} without clips, expected one a line."
        )
    return rows
