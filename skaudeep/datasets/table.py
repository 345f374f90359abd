"""Reader of corpora that a table describes, with one row per clip."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from skaudeep._texts import list_names, printable, shown
from skaudeep._warnings import find_stack_level
from skaudeep.datasets.bunch import fold_columns, make_bunch, natural_order
from skaudeep.datasets.delimited import check_columns, read_columns, read_header
from skaudeep.datasets.files import below, check_files, check_folder, join
from skaudeep.datasets.vocabulary import PARTITION_ALIASES, missing_cells, translate_partitions
from skaudeep.datasets.x_y import BunchOrXy, bunch_or_X_y

if TYPE_CHECKING:
    import pandas

# Cells of columns of folds, in lower case. pandas, R and spreadsheets write 1.0 and TRUE.
_MEMBERSHIP = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
# A number with a decimal point or an exponent.
_DECIMAL = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?\d*,\d+")  # a number with a decimal comma, as spreadsheets write it


def load_table(
    table: str | os.PathLike[str] | pandas.DataFrame,
    *,
    path: str,
    target: str | Sequence[str] | None = None,
    fold: str | Sequence[str] | None = None,
    partition: str | None = None,
    groups: str | None = None,
    root: str | os.PathLike[str] | None = None,
    task: str | None = None,
    target_names: Sequence[str] | None = None,
    missing: Sequence[str] | None = None,
    delimiter: str | None = None,
    return_X_y: bool = False,
) -> BunchOrXy:
    r"""Load a corpus that a table describes, one row per clip. No clip is opened.

    Parameters
    ----------
    table : str, Path or pandas.DataFrame
        A text file (UTF-8 or UTF-16, first row the column names) with commas, semicolons, tabs or
        bars between the columns, or a DataFrame. A first line `sep=;`, as spreadsheets write it,
        names the delimiter.
    path : str
        Column with the path of each clip, absolute or relative to `root`.
    target : str or sequence of str, default=None
        Column with the class or value of each clip, or several columns with a value each, whose
        names become `target_names`. A clip with a missing value is unlabelled, see `missing`. None:
        no clip is labelled.
    fold : str or sequence of str, default=None
        Column with the name of the fold that tests each clip; or several columns, one per fold,
        with 0 (or `0.0`, `false`) for training and 1 (or `1.0`, `true`) for testing, which allow
        folds to overlap. An empty cell is an error. None: there are no folds.
    partition : str, default=None
        Column with `train`, `devel` or `test`, in upper or lower case. A clip with a missing value
        is in no partition. `training`, `dev`, `development`, `val`, `valid`, `validation` and
        `testing` are understood, too; `eval`, `evaluation` and `evaluate` are "test", or "devel" if
        `test` or `testing` occurs as well. None: there are no partitions.
    groups : str, default=None
        Column with the group of each clip: its speaker, recording or site. The group of a clip with
        a missing value is unknown. None: all groups are unknown.
    root : str or Path, default=None
        Folder below which all clips lie. None is the folder of `table`, or, for a DataFrame, the
        current directory.
    task : {"classification", "regression", "unlabelled"}, default=None
        How to read `target`. "classification" takes all cells for names of classes, "regression"
        for values. With "unlabelled" no clip is labelled, and there is no warning of it. With None,
        decimal numbers (`4.3`, `1e3`) are values for regression; whole numbers and text are
        classes, also whole numbers that pandas stores as floats because some are missing. A mixture
        of decimal numbers and text is an error. With None and `target_names`, all cells are
        classes. Several columns in `target` are always values for regression, and "classification"
        is an error.
    target_names : sequence of str, default=None
        The classes in the order of their integers. None: the classes that occur, sorted (by number
        if all are whole numbers).
    missing : sequence of str, default=None
        Texts of cells in `target`, `partition` and `groups` that mean a missing value. None: empty
        cells, `?`, and the texts that :func:`pandas.read_csv` takes for missing, such as `NA`,
        `N/A`, `nan`, `NaN`, `None` and `null`. If a class has such a name, give
        ``missing=("", "?")``, or list the class in `target_names`; pandas keeps such a class with
        ``keep_default_na=False``. Empty cells, and missing values of a DataFrame, are always
        missing.
    delimiter : str of length 1, default=None
        Character between the columns of a text file. None: the one of comma, semicolon, tab and bar
        with which the table has the columns named here. It has no effect on a DataFrame.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds folds, partitions, groups and the names of classes. There is
        a UserWarning if some clips are labelled and others are not.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`make_bunch`, in the order of the table. `filenames` is
        relative to `root`; the paths in `data` begin with it.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If the table, or clips that it lists, do not exist, or the table is a folder.
    TypeError
        If `table` is neither a path nor a DataFrame.
    ValueError
        If a column is missing, a row is broken, a clip is listed twice or lies outside `root`,
        or a cell holds what its column may not hold.

    Warns
    -----
    UserWarning
        If no clip is labelled because the column `target` is empty, or because `target` is None
        although there are unused columns (not with ``task="unlabelled"``).

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets import load_table
    >>> with TemporaryDirectory() as folder:
    ...     for name in ["a.wav", "b.wav"]:
    ...         Path(folder, name).touch()
    ...     table = Path(folder, "clips.csv")
    ...     size = table.write_text("file;calls;recordist\na.wav;owl;Ann\nb.wav;?;Bob\n")
    ...     bunch = load_table(table, path="file", target="calls", groups="recordist")
    >>> bunch.target.tolist(), bunch.target_names, bunch.groups.tolist()
    ([0, -1], ['owl'], ['Ann', 'Bob'])
    """
    used = [path, partition, groups, *as_columns(target), *as_columns(fold)]
    wanted = list(dict.fromkeys(column for column in used if column is not None))
    if isinstance(table, str | os.PathLike):
        table = Path(table).expanduser()
        columns = read_columns(table, wanted, delimiter=delimiter)
        source, default_root = table.name, table.parent
        header = read_header(table, wanted, delimiter=delimiter)
    elif hasattr(table, "iloc"):
        columns = frame_columns(table, wanted)
        source, default_root = "the DataFrame", Path()
        header = [str(column) for column in table.columns]
    else:
        raise TypeError(
            f"Got a table of type {type(table).__name__}, expected the path of a text file or a "
            "pandas.DataFrame."
        )
    base = default_root if root is None else check_folder(root)

    names = [below(base, cell) for cell in columns[path]]
    check_files(base, names, source)
    labels, classes = read_labels(target, columns, names, task, target_names, missing)
    folds, fold_names = read_folds(fold, columns, names)
    bunch = make_bunch(
        join(base, names),
        names,
        target=labels,
        target_names=classes,
        folds=folds,
        fold_names=fold_names,
        partition=None if partition is None else read_partition(columns[partition], names, missing),
        groups=None if groups is None else read_groups(columns[groups], missing),
        descr=f"{len(names)} clips listed in {printable(source)}",
    )
    warn_unlabelled(labels, target, task, source, [name for name in header if name not in wanted])
    return bunch_or_X_y(bunch, return_X_y)


def frame_columns(frame: pandas.DataFrame, columns: Sequence[str]) -> dict[str, list[str]]:
    """Return columns of a DataFrame as text, as :func:`read_columns` returns those of a file."""
    check_columns(frame.columns.tolist(), columns, "the DataFrame")
    if len(frame) == 0:
        raise ValueError("Got a DataFrame without rows, expected one per clip.")
    return {column: _cells(frame[column]) for column in columns}


def _cells(series: pandas.Series) -> list[str]:
    missing = series.isna().tolist()
    values = series.tolist()
    known = [value for value, gone in zip(values, missing, strict=True) if not gone]
    # pandas turns whole numbers into floats where some are missing
    whole = any(missing) and all(isinstance(x, float) and x.is_integer() for x in known)
    return [
        "" if gone else str(int(value)) if whole else str(value).strip()
        for value, gone in zip(values, missing, strict=True)
    ]


def as_columns(names: str | Sequence[str] | None) -> list[str]:
    """Return the names of one column, of several, or of none, as a list."""
    return [names] if isinstance(names, str) else list(names or ())


def check_task(task: str | None, known: Sequence[str]) -> None:
    """Raise a ValueError unless a task is one of those known to a reader, or None."""
    if task is not None and task not in known:
        raise ValueError(
            f"Got task={task!r}, expected None, {', '.join(map(repr, known[:-1]))} or "
            f"{known[-1]!r}."
        )


def read_labels(
    target: str | Sequence[str] | None,
    columns: dict[str, list[str]],
    names: list[str],
    task: str | None,
    target_names: Sequence[str] | None,
    missing: Sequence[str] | None = None,
) -> tuple[npt.NDArray[Any] | None, list[str]]:
    """Read the target, or return None where no column is named; see :func:`load_table`."""
    check_task(task, ("classification", "regression", "unlabelled"))
    if isinstance(missing, str):
        raise ValueError(f"Got missing={missing!r}, expected a list of cells: [{missing!r}].")
    if target is not None and task == "unlabelled":
        raise ValueError(
            f"Got target={target!r} and task='unlabelled', expected one of them. Leave out target= "
            "to read no labels."
        )
    if target is not None and not isinstance(target, str):
        return read_values(columns, names, target, task, target_names, missing)
    if target is not None:
        return read_target(columns[target], names, target, task, target_names, missing)
    if target_names is not None:
        raise ValueError(
            f"Got target_names={list_names(target_names)} without target=, expected both."
        )
    return None, []


def warn_unlabelled(
    labels: npt.NDArray[Any] | None,
    target: str | Sequence[str] | None,
    task: str | None,
    source: str,
    unused: Sequence[str],
) -> None:
    """Warn where a table leaves all clips unlabelled, unless that is what it was asked for.

    Parameters
    ----------
    labels : ndarray, or None
        The target, as :func:`read_labels` returns it.
    target : str, sequence of str or None
    task : str or None
        What the caller asked for.
    source : str
        Name of the table in the message.
    unused : sequence of str
        Columns of the table that nothing was read from.
    """
    if labels is None and task != "unlabelled" and unused:
        warnings.warn(
            f"No clip is labelled: target=None, while {printable(source)} has the unused column(s) "
            f"{list_names(unused)}. Give target= the one with the labels, or "
            "task='unlabelled' where none is meant.",
            stacklevel=find_stack_level(),
        )
    if (
        labels is not None
        and not (labels >= 0).any()
        and not np.isfinite(labels[labels != -1]).any()
    ):
        warnings.warn(
            f"No clip is labelled: all {len(labels)} cells of column {target!r} of "
            f"{printable(source)} "
            "are missing. Is it the column that you mean? Other columns there: "
            f"{list_names(unused, target)}.",
            stacklevel=find_stack_level(),
        )


def read_groups(cells: list[str], missing: Sequence[str] | None = None) -> list[str]:
    """Return the group of each clip, "" where it is missing; see :func:`load_table`."""
    unknown = missing_cells(missing)
    return ["" if cell in unknown else cell for cell in cells]


def read_values(
    columns: Mapping[str, list[str]],
    names: list[str],
    targets: Sequence[str],
    task: str | None = None,
    target_names: Sequence[str] | None = None,
    missing: Sequence[str] | None = None,
) -> tuple[npt.NDArray[Any], list[str]]:
    """Return several values of each clip, with the names of their columns."""
    if not targets:
        raise ValueError("Got target=[], expected at least one column, or None.")
    if task == "classification" or target_names is not None:
        raise ValueError(
            f"Got target={list(targets)} with classes, expected values to regress on: a table has "
            "one column of classes. Name it, without brackets."
        )
    values = [
        read_target(columns[column], names, column, "regression", None, missing)[0]
        for column in targets
    ]
    return np.stack(values, axis=1), list(targets)


def read_target(
    cells: list[str],
    names: list[str],
    column: str,
    task: str | None = None,
    target_names: Sequence[str] | None = None,
    missing: Sequence[str] | None = None,
) -> tuple[npt.NDArray[Any], list[str]]:
    """Return classes as integers with their names, or values; see :func:`load_table`."""
    unlabelled = missing_cells(missing)
    labelled = [cell for cell in cells if cell not in unlabelled]
    if task is None:
        task = "classification" if target_names is not None else _guess_task(labelled, column)
    if task == "regression":
        if target_names is not None:
            raise ValueError(
                f"Got target_names={list_names(target_names)} for regression, expected them for "
                "classes only."
            )
        values = [
            math.nan if cell in unlabelled else _number(cell, name, column)
            for cell, name in zip(cells, names, strict=True)
        ]
        return np.array(values, dtype=np.float64), []

    classes = natural_order(labelled) if target_names is None else list(target_names)
    position = {name: index for index, name in enumerate(classes)}
    position = dict.fromkeys(unlabelled, -1) | position
    for cell, name in zip(cells, names, strict=True):
        if cell not in position:
            raise ValueError(
                f"Got class {shown(cell)} for clip {name!r}, expected one of target_names, "
                f"{list_names(classes, cell)}, or '?' where unlabelled."
            )
    return np.array([position[cell] for cell in cells], dtype=np.int64), classes


def _guess_task(labelled: list[str], column: str) -> str:
    decimal = next((cell for cell in labelled if _DECIMAL.fullmatch(cell)), None)
    if decimal is None:
        if labelled and all(_COMMA.fullmatch(cell) for cell in labelled):
            raise ValueError(
                f"Got numbers with a comma, such as {labelled[0]!r}, in target column {column!r}, "
                "expected a point. Write them with one, or give task='classification'."
            )
        return "classification"
    text = next((cell for cell in labelled if not _is_number(cell)), None)
    if text is not None:
        raise ValueError(
            f"Got both numbers ({decimal!r}) and text ({text!r}) in target column {column!r}, "
            "expected one of them. Correct the table, or give task='classification'."
        )
    return "regression"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str, name: str, column: str) -> float:
    if not _is_number(cell) or not math.isfinite(float(cell)):
        raise ValueError(
            f"Got {cell!r} in target column {column!r} for clip {name!r}, expected a finite "
            "number, or '?' where unlabelled."
        )
    return float(cell)


def read_folds(
    fold: str | Sequence[str] | None, columns: dict[str, list[str]], names: list[str]
) -> tuple[npt.NDArray[np.int8] | None, list[str] | None]:
    """Return a column of 0 and 1 per fold with their names; see :func:`load_table`."""
    if fold is None:
        return None, None
    if isinstance(fold, str):
        for cell, name in zip(columns[fold], names, strict=True):
            if not cell:
                raise ValueError(
                    f"Got an empty cell in fold column {fold!r} for clip {name!r}, expected the "
                    "fold that tests the clip. For clips that only train, give a column per fold."
                )
        return fold_columns(columns[fold])
    for column in fold:
        for cell, name in zip(columns[column], names, strict=True):
            if cell.lower() not in _MEMBERSHIP:
                raise ValueError(
                    f"Got {cell!r} in fold column {column!r} for clip {name!r}, expected 0 (train) "
                    "or 1 (test)."
                )
    folds = [[_MEMBERSHIP[cell.lower()] for cell in columns[column]] for column in fold]
    return np.array(folds, dtype=np.int8).T, list(fold)


def read_partition(
    cells: list[str], names: list[str], missing: Sequence[str] | None = None
) -> list[str]:
    """Translate partitions to "train", "devel", "test" or ""; see :func:`load_table`."""
    partitions = dict.fromkeys(missing_cells(missing), "") | translate_partitions(cells)
    for cell, name in zip(cells, names, strict=True):
        if cell not in partitions:
            raise ValueError(
                f"Got partition {cell!r} for clip {name!r}, expected one of "
                f"{', '.join(map(repr, PARTITION_ALIASES))} or an empty cell."
            )
    return [partitions[cell] for cell in cells]
