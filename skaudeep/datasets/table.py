"""Reader of corpora that a table describes, with one row per clip."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import Bunch

from skaudeep.datasets.bunch import PARTITION_ALIASES, fold_columns, make_bunch, natural_order
from skaudeep.datasets.files import below, check_files, check_folder, join

if TYPE_CHECKING:
    import pandas

_DELIMITERS = ",;\t|"
_UNLABELLED = ("", "?")
# In lower case; pandas, R and spreadsheets write 1.0 and TRUE.
_MEMBERSHIP = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
# A number that is not written as a whole one.
_DECIMAL = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?\d*,\d+")  # as spreadsheets write it where the comma is decimal


def load_table(
    table: str | os.PathLike[str] | pandas.DataFrame,
    *,
    path: str,
    target: str | None = None,
    fold: str | Sequence[str] | None = None,
    partition: str | None = None,
    groups: str | None = None,
    root: str | os.PathLike[str] | None = None,
    task: str | None = None,
    target_names: Sequence[str] | None = None,
    delimiter: str | None = None,
) -> Bunch:
    r"""Load a corpus that a table describes, one row per clip. No clip is opened.

    Parameters
    ----------
    table : str, Path or pandas.DataFrame
        A text file (UTF-8, first row the column names) with commas, semicolons, tabs or bars
        between the columns, or a DataFrame.
    path : str
        Column with the path of each clip, absolute or relative to `root`.
    target : str, default=None
        Column with the class or value of each clip. Empty cells, `?` and missing values of a
        DataFrame are unlabelled. None: nothing is labelled.
    fold : str or sequence of str, default=None
        Column with the name of the fold that tests each clip. Or several columns, one per fold,
        with 0 where the clip trains and 1 where it is tested: that is how folds overlap.
    partition : str, default=None
        Column with `train`, `devel` or `test` (`training`, `dev`, `val` and `validation` are
        understood, too), in any case; empty cells are in no partition.
    groups : str, default=None
        Column with the speaker, recording, site ... of each clip.
    root : str or Path, default=None
        Folder below which all clips lie. None: the folder of `table`, and for a DataFrame the
        current directory.
    task : {"classification", "regression"}, default=None
        How to read `target`. None: decimal numbers (`4.3`, `1e3`) are values to regress on; whole
        numbers and text are classes, as are whole numbers that pandas holds as floats because
        some are missing. A mixture of decimal numbers and text is an error.
    target_names : sequence of str, default=None
        The classes in the order of their integers. None: the classes that occur, sorted, by
        number where all are whole numbers.
    delimiter : str of length 1, default=None
        What separates the columns of a text file. None: the one of comma, semicolon, tab and bar
        that gives the columns named here.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        All keys of :func:`make_bunch`, in the order of the table. `filenames` is relative to
        `root`; the paths in `data` begin with it.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If the table, or clips that it lists, do not exist, or the table is a folder.
    ValueError
        If a column is missing, a row is broken, a clip is listed twice or lies outside `root`,
        or a cell holds what its column may not hold.

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
    used = [path, target, partition, groups, *([fold] if isinstance(fold, str) else fold or ())]
    wanted = list(dict.fromkeys(column for column in used if column is not None))
    if isinstance(table, str | os.PathLike):
        table = Path(table).expanduser()
        columns = read_columns(table, wanted, delimiter=delimiter)
        source, default_root = table.name, table.parent
    elif hasattr(table, "iloc"):
        columns = frame_columns(table, wanted)
        source, default_root = "the DataFrame", Path()
    else:
        raise TypeError(
            f"Got a table of type {type(table).__name__}, expected the path of a text file or a "
            "pandas.DataFrame."
        )
    base = default_root if root is None else check_folder(root)

    names = [below(base, cell) for cell in columns[path]]
    check_files(base, names, source)
    labels, classes = read_labels(target, columns, names, task, target_names)
    folds, fold_names = read_folds(fold, columns, names)
    return make_bunch(
        join(base, names),
        names,
        target=labels,
        target_names=classes,
        folds=folds,
        fold_names=fold_names,
        partition=None if partition is None else read_partition(columns[partition], names),
        groups=None if groups is None else columns[groups],
        descr=f"{len(names)} clips listed in {source}",
    )


def read_columns(
    table: str | os.PathLike[str], columns: Sequence[str], *, delimiter: str | None = None
) -> dict[str, list[str]]:
    r"""Read columns of a delimited text file, without pandas.

    Parameters
    ----------
    table : str or Path
        UTF-8 text, with or without a byte order mark; the first row names the columns. Empty
        lines are skipped, quoted cells may hold line breaks.
    columns : sequence of str
        The columns to read.
    delimiter : str of length 1, default=None
        None: the one of comma, semicolon, tab and bar that gives the most of `columns`.

    Returns
    -------
    cells : dict of str to list of str
        The cells of each column, top to bottom, without surrounding blanks.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not UTF-8, a column is missing or occurs twice, there are no rows, or a row
        has more or fewer cells than the first.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets.table import read_columns
    >>> with TemporaryDirectory() as folder:
    ...     table = Path(folder, "clips.tsv")
    ...     size = table.write_text("file\tlabel\na.wav\tcat\n")
    ...     read_columns(table, ["label"])
    {'label': ['cat']}
    """
    text = _read_text(table)
    if delimiter is None:
        delimiter = _detect_delimiter(text, columns)
    elif len(delimiter) != 1:
        raise ValueError(f"Got delimiter={delimiter!r}, expected one character.")

    # strict: a quote that is never closed would otherwise swallow the rest of the table
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = _header(reader)
        _check_columns(header, columns, str(table))
        positions = [header.index(column) for column in columns]
        rows = []
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                raise ValueError(
                    f"Got {len(row)} cells in line {reader.line_num} of {str(table)!r}, expected "
                    f"{len(header)} as in the first line. Quote cells that hold {delimiter!r}."
                )
            rows.append([row[position].strip() for position in positions])
    except csv.Error as error:
        raise ValueError(
            f"Got broken quoting in {str(table)!r} near line {reader.line_num}: {error}. "
            'Close each quote, and double quotes within quotes ("").'
        ) from error
    if not rows:
        raise ValueError(f"Got table {str(table)!r} without rows, expected one per clip.")
    return dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))


def read_header(table: str | os.PathLike[str]) -> list[str]:
    """Read the names of the columns of a delimited text file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not UTF-8, or a quote in its first row is never closed.
    """
    text = _read_text(table)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_detect_delimiter(text, ()))
    try:
        return _header(reader)
    except csv.Error as error:
        raise ValueError(f"Got broken quoting in the first line of {str(table)!r}.") from error


def _read_text(table: str | os.PathLike[str]) -> str:
    file = Path(table)
    if file.is_dir():
        raise IsADirectoryError(
            f"Got table {str(table)!r}, which is a folder, expected a text file. Folders are "
            "read by load_dataset."
        )
    if not file.is_file():
        raise FileNotFoundError(
            f"Got table {str(table)!r}, expected a file that exists. The current directory is "
            f"{os.getcwd()!r}."
        )
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Got table {str(table)!r}, which is not UTF-8 text (byte {error.start}), expected "
            "UTF-8. Save it as 'CSV UTF-8', or read it with pandas and pass the DataFrame."
        ) from error
    if not text.strip():
        raise ValueError(
            f"Got table {str(table)!r}, which is empty, expected a row of names first."
        )
    return text


def _detect_delimiter(text: str, columns: Sequence[str]) -> str:
    def found(delimiter: str) -> int:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            header = set(_header(reader))
        except csv.Error:
            return 0
        # The number of columns decides where none of those wanted is there.
        return len(header.intersection(columns)) * 1000 + len(header)

    return max(_DELIMITERS, key=found)


def _header(reader: Iterable[list[str]]) -> list[str]:
    """Return the first row that is not empty."""
    rows = ([cell.strip() for cell in row] for row in reader)
    return next((row for row in rows if any(row)), [])


def _check_columns(header: Sequence[object], columns: Sequence[str], source: str) -> None:
    for column in columns:
        count = header.count(column)
        if count != 1:
            one = " Is it all one column? Then give delimiter=." if len(header) == 1 else ""
            raise ValueError(
                f"Got column {column!r}, which occurs {count} times in {source}, expected once. "
                f"Columns there: {', '.join(map(repr, header))}.{one}"
            )


def frame_columns(frame: pandas.DataFrame, columns: Sequence[str]) -> dict[str, list[str]]:
    """Return columns of a DataFrame as text, as :func:`read_columns` returns those of a file."""
    _check_columns(frame.columns.tolist(), columns, "the DataFrame")
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


def read_labels(
    target: str | None,
    columns: dict[str, list[str]],
    names: list[str],
    task: str | None,
    target_names: Sequence[str] | None,
) -> tuple[npt.NDArray[Any] | None, list[str]]:
    """Read the target, or return None where no column is named; see :func:`load_table`."""
    if task not in (None, "classification", "regression"):
        raise ValueError(f"Got task={task!r}, expected None, 'classification' or 'regression'.")
    if target is not None:
        return read_target(columns[target], names, target, task, target_names)
    if target_names is not None:
        raise ValueError(f"Got target_names={target_names!r} without target=, expected both.")
    return None, []


def read_target(
    cells: list[str],
    names: list[str],
    column: str,
    task: str | None = None,
    target_names: Sequence[str] | None = None,
) -> tuple[npt.NDArray[Any], list[str]]:
    """Return classes as integers with their names, or values; see :func:`load_table`."""
    labelled = [cell for cell in cells if cell not in _UNLABELLED]
    if task is None:
        task = "classification" if target_names is not None else _guess_task(labelled, column)
    if task == "regression":
        if target_names is not None:
            raise ValueError(
                f"Got target_names={target_names!r} for regression, expected them for classes only."
            )
        values = [_number(cell, name, column) for cell, name in zip(cells, names, strict=True)]
        return np.array(values, dtype=np.float64), []

    classes = natural_order(labelled) if target_names is None else list(target_names)
    position = {name: index for index, name in enumerate(classes)}
    position.update((cell, -1) for cell in _UNLABELLED if cell not in position)
    for cell, name in zip(cells, names, strict=True):
        if cell not in position:
            raise ValueError(
                f"Got class {cell!r} for clip {name!r}, expected one of target_names, "
                f"{', '.join(map(repr, classes))}, or '?' where unlabelled."
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
    if cell in _UNLABELLED:
        return math.nan
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


def read_partition(cells: list[str], names: list[str]) -> list[str]:
    """Translate partitions to "train", "devel", "test" or ""; see :func:`load_table`."""
    for cell, name in zip(cells, names, strict=True):
        if cell and cell.lower() not in PARTITION_ALIASES:
            raise ValueError(
                f"Got partition {cell!r} for clip {name!r}, expected one of "
                f"{', '.join(map(repr, PARTITION_ALIASES))} or an empty cell."
            )
    return [PARTITION_ALIASES[cell.lower()] if cell else "" for cell in cells]
