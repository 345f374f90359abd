"""Reader of corpora of the Computational Paralinguistics Challenge (ComParE), 2018 to 2021."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

from skaudeep._texts import list_names
from skaudeep.datasets.bunch import PARTITIONS, make_bunch
from skaudeep.datasets.corpora import COMPARE, SubChallenge
from skaudeep.datasets.delimited import read_columns, read_header
from skaudeep.datasets.files import below, check_files, check_folder, join, warn_unlisted
from skaudeep.datasets.table import read_target
from skaudeep.datasets.x_y import BunchOrXy, bunch_or_X_y

_FILE_COLUMNS = ("file_name", "filename", "filename_audio")
# Columns of a label file that are not targets.
_NOT_TARGETS = {"partition", "filename_text"}
_PREFIX = re.compile(rf"({'|'.join(PARTITIONS)})(?![a-z])", re.IGNORECASE)
_CONFIDENTIAL = re.compile(r"[._]confidential(?=\.\w+$)")


def load_compare_challenge(
    path: str | os.PathLike[str],
    *,
    corpus: str | None = None,
    target: str | None = None,
    return_X_y: bool = False,
) -> BunchOrXy:
    r"""Load a corpus of the ComParE challenges of 2018 to 2021 from disk.

    A corpus has a folder `wav` next to a folder `lab`, which holds label files: one or more `.tsv`
    files (2018), else `labels.csv` (2019 and 2020), else those of `train.csv`, `devel.csv` and
    `test.csv` that are there (2021). If there is a second label file with the same name followed by
    `_confidential` or `.confidential`, which has the labels of the test clips, it is read in place
    of the first. No clip is opened.

    Parameters
    ----------
    path : str or Path
        The folder that holds `wav` and `lab`.
    corpus : str, default=None
        Name under which the corpus was distributed:

        - "ComParE2018_AtypicalAffect", "ComParE2018_Crying", "ComParE2018_Heartbeat",
          "ComParE2018_SelfAssessedAffect",
        - "ComParE2019_BabySounds", "ComParE2019_ContinuousSleepiness" (regression),
          "ComParE2019_OrcaActivity", "ComParE2019_StyrianDialects",
        - "ComParE2020_Elderly", "ComParE2020_Mask",
        - "ComParE2021_CCS", "ComParE2021_CSS", "ComParE2021_ESS", "ComParE2021_PRS".

        None finds it by the name of the label file, of the folder or of the folder above it, or
        else by the classes in the label file. The corpus determines whether the labels are classes
        or values for regression, and the text in `DESCR`. If the corpus is not found, decimal
        numbers are values, and whole numbers and text are classes.
    target : str, default=None
        Column of the label file to use as target. None uses the column `label`, or else the only
        one besides those of the file name and the partition. "ComParE2020_Elderly" has several, for
        arousal and for valence, of which one has to be named.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds the partitions and the names of classes. There is a
        UserWarning if some clips are labelled and others are not.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`make_bunch`, in the order of the label files, without
        folds and groups. `data` holds paths that begin with `path` as it is given here.
        `target_names` holds the classes that occur, sorted. `partition` is "train", "devel" or
        "test" if the name of the clip, or else that of its label file, begins with this word.
        Clips labelled `?`, or with another text that means a missing value (see
        :func:`load_table`), are unlabelled.

    Raises
    ------
    FileNotFoundError
        If there are no such folders, or clips are missing that a label file lists.
    ValueError
        If `corpus` is unknown; if a label file is broken, or has several columns that may be the
        target while `target` is None; or if neither the name of a clip nor that of its label file
        states a partition.

    Warns
    -----
    UserWarning
        If there are clips that no label file lists. They are left out.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets import load_compare_challenge
    >>> with TemporaryDirectory() as folder:
    ...     for name in ["train_0001.wav", "devel_0001.wav", "test_0001.wav"]:
    ...         clip = Path(folder, "wav", name)
    ...         clip.parent.mkdir(exist_ok=True)
    ...         clip.touch()
    ...     table = Path(folder, "lab", "ComParE2018_Heartbeat.tsv")
    ...     table.parent.mkdir()
    ...     size = table.write_text("file_name\tlabel\ntrain_0001.wav\tnormal\n"
    ...                             "devel_0001.wav\tmild\ntest_0001.wav\t?\n")
    ...     bunch = load_compare_challenge(folder)
    >>> bunch.target_names, bunch.target.tolist(), bunch.partition.tolist()
    (['mild', 'normal'], [1, 0, -1], ['train', 'devel', 'test'])
    """
    root = check_folder(path)
    known = {row.name: row for row in COMPARE}
    if corpus is not None and corpus not in known:
        raise ValueError(f"Got corpus={corpus!r}, expected one of {', '.join(map(repr, known))}.")
    tables = find_labels(root)
    if not tables:
        raise FileNotFoundError(
            f"Found no lab/*.tsv, lab/labels.csv or lab/train.csv, devel.csv and test.csv next to "
            f"a folder 'wav' in {str(root)!r}, expected the folder of a ComParE corpus."
        )

    names: list[str] = []
    cells: list[str] = []
    partition: list[str] = []
    for table in tables:
        file_column, label_column = _columns(table, target)
        columns = read_columns(table, [file_column, label_column])
        clips = [f"wav/{below(root / 'wav', clip)}" for clip in columns[file_column]]
        names += clips
        cells += columns[label_column]
        partition += [_partition(clip, table) for clip in clips]
    source = f"lab/{tables[0].name}" if len(tables) == 1 else "lab"
    check_files(root, names, source)
    warn_unlisted(root, "wav", names, source)

    if corpus is not None:
        rows = [known[corpus]]
    else:
        rows = _recognise(root, tables[0], {cell for cell in cells if cell not in ("", "?")})
    labels, classes = read_target(cells, names, label_column, rows[0].task if rows else None)
    return bunch_or_X_y(
        make_bunch(
            join(root, names),
            names,
            target=labels,
            target_names=classes,
            partition=partition,
            descr="\n".join(row.corpus.describe(len(names), len(classes)) for row in rows)
            or f"A corpus of the ComParE challenges: {len(names)} clips, {len(classes)} classes",
        ),
        return_X_y,
    )


def find_labels(root: Path) -> list[Path]:
    """List the label files of a ComParE corpus, none where it is not one."""
    lab = root / "lab"
    if not ((root / "wav").is_dir() and lab.is_dir()):
        return []
    files = {file.name: file for file in lab.iterdir() if file.is_file()}
    # The key is the name without the suffix: the confidential file comes last, and replaces it.
    found = {
        _CONFIDENTIAL.sub("", name): files[name]
        for name in sorted(files, key=lambda name: _CONFIDENTIAL.search(name) is not None)
        if not name.startswith(".")
    }
    for names in (
        sorted(name for name in found if name.endswith(".tsv")),
        ["labels.csv"],
        [f"{name}.csv" for name in PARTITIONS],
    ):
        if tables := [found[name] for name in names if name in found]:
            return tables
    return []


def _columns(table: Path, target: str | None) -> tuple[str, str]:
    """Return the columns with the file names and with what is to be learnt."""
    header = read_header(table)
    files = [name for name in header if name in _FILE_COLUMNS]
    if len(files) != 1:
        raise ValueError(
            f"Got columns {list_names(header, _FILE_COLUMNS[0])} in {str(table)!r}, expected one "
            f"of {', '.join(map(repr, _FILE_COLUMNS))} among them."
        )
    if target is None:
        targets = [name for name in header if name not in {*files, *_NOT_TARGETS}]
        if "label" in targets:
            targets = ["label"]
        if len(targets) != 1:
            raise ValueError(
                f"Got columns {list_names(header, 'label')} in {str(table)!r}, expected one to "
                "learn. Call load_compare_challenge with target= and the name of one."
            )
        target = targets[0]
    return files[0], target


def _partition(clip: str, table: Path) -> str:
    """Return what the name of the clip begins with, or else the name of the table."""
    for name in (clip.rsplit("/", 1)[-1], table.stem):
        if match := _PREFIX.match(name):
            return match[1].lower()
    raise ValueError(
        f"Got clip {clip!r} in {str(table)!r}, expected a name that begins with "
        f"{', '.join(PARTITIONS)}."
    )


def _recognise(root: Path, table: Path, labels: Collection[str]) -> list[SubChallenge]:
    """Return the corpora that it may be: those it is named after, or those with these labels."""
    folder = root.absolute()
    for name in (table.name, folder.name, folder.parent.name):
        named = [row for row in COMPARE if row.name.lower() in name.lower()]
        if named:
            return named
    return [row for row in COMPARE if row.labels and row.labels == labels]
