"""Data sets as CSV and ARFF files in auDeep's layouts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import arff  # type: ignore[import-untyped]  # liac-arff has no types
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skaudeep._files import BLOCK
from skaudeep._texts import printable
from skaudeep.datasets.x_y import BunchOrXy, bunch_or_X_y
from skaudeep.formats.tables import Table, arrange_columns, load_tables, save_tables

if TYPE_CHECKING:
    import pandas as pd

# Cells that spreadsheets execute. Leading apostrophes count, so that only an added one is removed.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r\n]")
LONGEST_REASON = 300  # characters of a library's message, which may quote a whole row
SMALL_TABLE = 2**20  # cells that a sparse table may expand to in any case
_PLAIN = re.compile(r"[^\s,{}?'\"\\%]+")  # text that needs no quotes in ARFF

# --- CSV -----------------------------------------------------------------------------------------


def save_csv(
    bunch: Bunch,
    folder: str | os.PathLike[str],
    *,
    name: str = "features",
    labels_last: bool = False,
    escape_formulas: bool = False,
    split: bool = True,
    chunked: bool | None = None,
) -> list[Path]:
    """Save a feature set as CSV files, laid out as auDeep does.

    Columns are `filename`, `chunk_nr`, `label_nominal`, `label_numeric`, `feature_0`, ... Without
    folds and partitions there is one file; otherwise one for the clips of each partition, in
    `train/`, `devel/`, `test/`, or one for the test clips of each fold, in `fold_1/`, `fold_2/`,
    ..., or both, as in `train/fold_1/`. Floats have as many digits as identify a float32.
    Groups and `DESCR` are not saved, nor which clips are copies that
    :func:`~skaudeep.datasets.upsample` made: with folds, such a data set is refused.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`~skaudeep.datasets.make_bunch`. `data` has the shape
        (n_clips, n_features); further axes become columns as well.
    folder : str or Path
        Folder of the files, created if it does not exist.
    name : str, default="features"
        Name of the files, without suffix.
    labels_last : bool, default=False
        Whether to put the two columns of labels after the features.
    escape_formulas : bool, default=False
        Whether to put an apostrophe before names and labels that a spreadsheet would execute:
        those that begin with `=`, `+`, `-`, `@`, a tab or a line break.
    split : bool, default=True
        False writes one file for all clips, without folds and partitions.
    chunked : bool, default=None
        Whether the second axis of `data` counts chunks, which get a row each. None: it does where
        `dims` call it "chunk", which they do by default where there are four axes.

    Returns
    -------
    list of Path
        The files, each written in one step.

    Raises
    ------
    ValueError
        If the layout has no place for a clip, or the folder holds an export of another layout.
    NotADirectoryError
        If `folder` is a file.

    See Also
    --------
    load_csv : Load the files.

    References
    ----------
    `CWE-1236, Improper Neutralization of Formula Elements in a CSV File
    <https://cwe.mitre.org/data/definitions/1236.html>`_.

    Examples
    --------
    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets import make_bunch
    >>> from skaudeep.formats import load_csv, save_csv
    >>> features = make_bunch(np.array([[0.1, 0.2], [0.3, 0.4]]), ["a.wav", "b.wav"],
    ...                       target=[0, 1], target_names=["cat", "dog"])
    >>> with TemporaryDirectory() as folder:
    ...     (file,) = save_csv(features, folder)
    ...     print(file.read_text())
    ...     load_csv(folder).data.dtype
    filename,chunk_nr,label_nominal,label_numeric,feature_0,feature_1
    a.wav,0,cat,0,0.1,0.2
    b.wav,0,dog,1,0.3,0.4
    <BLANKLINE>
    dtype('float32')
    """

    def write(file: TextIO, table: Table, rows: NDArray[np.bool_]) -> None:
        frame = arrange_columns(table, rows, labels_last)

        def quoted(text: str) -> str:
            if escape_formulas and _FORMULA.match(text):
                text = "'" + text
            # pandas and csv do not quote a lone carriage return, which ends a line for readers.
            return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text

        file.write(",".join(frame) + "\n")
        cells = [_cells(frame[column], quoted, "") for column in frame]
        file.writelines(",".join(row) + "\n" for row in zip(*cells, strict=True))

    return save_tables(bunch, folder, ".csv", name, chunked, split, write)


def load_csv(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    escape_formulas: bool = False,
    return_X_y: bool = False,
) -> BunchOrXy:
    r"""Load a feature set from CSV files, written by `save_csv` or exported by auDeep.

    Parameters
    ----------
    path : str or Path
        A file, or the folder of an export, whose subfolders are named after folds and partitions.
    name : str, default=None
        Name of the files, without suffix, if the folder holds several exports.
    escape_formulas : bool, default=False
        Whether to remove the apostrophes that `save_csv(..., escape_formulas=True)` added.
    return_X_y : bool, default=False
        Whether to return ``(data, target)``, X and y of scikit-learn, in place of the Bunch, which
        alone holds folds, groups and the names of classes.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        All keys of :func:`~skaudeep.datasets.make_bunch`. `data` is float32 of shape
        (n_clips, n_features), or (n_clips, n_chunks, n_features) where a clip has several rows,
        NaN where a clip lacks a chunk; `dims` say which. Every column but `filename`, `chunk_nr`
        and the labels is a feature. Labels that are numbers without names are a regression target.
        Clips are in the order in which they are read: by partition, fold and row.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a file is no such table, or files contradict each other.

    See Also
    --------
    save_csv : Write such files.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.formats import load_csv
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "x.csv").write_text("filename,loudness,pitch\na.wav,0.5,440\n")
    ...     load_csv(Path(folder, "x.csv")).data
    array([[  0.5, 440. ]], dtype=float32)
    """

    def read(file: Path) -> tuple[pd.DataFrame, None]:
        import pandas as pd

        try:
            _check_rows_are_full(file)
            table = pd.read_csv(
                file,
                # Numbers to regress on as text: before pandas 3 the parser changes their last bit.
                dtype={"filename": str, "label_nominal": str, "label_numeric": str},
                keep_default_na=False,  # a class may be called "None"
                na_values=[""],
                encoding="utf-8-sig",
            )
        except ValueError as error:  # all of pandas' own errors and those of UTF-8 are
            reason = printable(str(error).strip()[:LONGEST_REASON])
            raise ValueError(f"{printable(file)}: is no CSV table in UTF-8 ({reason}).") from error
        for column in {"filename", "label_nominal"} & set(table):
            cells = table[column].fillna("")
            if escape_formulas:
                cells = [cell[_ESCAPED.match(cell) is not None :] for cell in cells]
            table[column] = cells
        return table, None

    return bunch_or_X_y(load_tables(path, ".csv", name, read), return_X_y)


def _check_rows_are_full(file: Path) -> None:
    """Raise a ValueError if rows have fewer cells than the header by far: pandas would add them."""
    import pandas as pd

    size, n_lines = file.stat().st_size, _count_lines(file)
    n_columns = pd.read_csv(file, nrows=0, encoding="utf-8-sig").shape[1]
    if n_columns * n_lines <= size:  # a cell takes a byte at least
        return
    n_rows = len(pd.read_csv(file, usecols=[0], dtype=str, encoding="utf-8-sig"))  # breaks aside
    if n_columns * n_rows > size:
        raise ValueError(
            f"it has {n_columns} columns and {n_rows} rows, for which its {size} bytes are too few"
        )


def _count_lines(file: Path) -> int:
    """Return the number of lines, or raise a ValueError where zeros show that it is no text."""
    n_lines = 1
    with open(file, "rb") as content:
        while block := content.read(BLOCK):
            if b"\0" in block:  # as a file with a hole of any size, which would be one line
                raise ValueError("it holds zero characters")
            n_lines += block.count(b"\n") + block.count(b"\r")
    return n_lines


def _full_rows(lines: Iterable[str], size: int) -> Iterator[str]:
    """Pass the lines of an ARFF file on; refuse rows that state far more cells than they have."""
    n_columns, n_cells, in_data = 0, 0, False
    for line in lines:
        start = line[:20].lstrip().upper()
        n_columns += start.startswith("@ATTRIBUTE") and not in_data
        in_data |= start.startswith("@DATA")
        n_cells += n_columns if in_data else 0
        if n_cells > max(SMALL_TABLE, 2 * size):
            raise ValueError("its rows are sparse, expected all cells of each")
        yield line


def _cells(column: pd.Series, quoted: Callable[[str], str], missing: str) -> list[str]:
    """Format the cells of a column, numbers with as many digits as identify them."""
    if column.name in ("filename", "label_nominal"):
        return [quoted(cell) if cell else missing for cell in column]
    text = column.to_numpy().astype(str)
    return np.where(column.isna(), missing, text).tolist()


# --- ARFF ----------------------------------------------------------------------------------------


def save_arff(
    bunch: Bunch,
    folder: str | os.PathLike[str],
    *,
    name: str = "features",
    relation: str = "auDeep exported data set",
    labels_last: bool = False,
    filenames: bool = True,
    split: bool = True,
    chunked: bool | None = None,
) -> list[Path]:
    """Save a feature set as ARFF files for Weka, laid out as auDeep does.

    Attributes are the columns of :func:`save_csv`, and so are the files; `label_nominal` lists all
    classes. Floats have as many digits as identify a float64, missing values are `?`.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`~skaudeep.datasets.make_bunch`. `data` has the shape
        (n_clips, n_features); further axes become columns as well.
    folder : str or Path
        Folder of the files, created if it does not exist.
    name : str, default="features"
        Name of the files, without suffix.
    relation : str, default="auDeep exported data set"
        Name of the relation in the files; the default is that of auDeep.
    labels_last : bool, default=False
        Whether to put the two attributes of labels after the features.
    filenames : bool, default=True
        False leaves out `filename`, the one attribute that is text, which
        :func:`scipy.io.arff.loadarff` cannot read. Nor can :func:`load_arff` load such a file.
    split : bool, default=True
        False writes one file for all clips, without folds and partitions.
    chunked : bool, default=None
        Whether the second axis of `data` counts chunks, which get a row each. None: it does where
        `dims` call it "chunk", which they do by default where there are four axes.

    Returns
    -------
    list of Path
        The files, each written in one step.

    Raises
    ------
    ValueError
        If the layout has no place for a clip, the folder holds an export of another layout, or the
        relation's name holds a quote or a line break.
    NotADirectoryError
        If `folder` is a file.

    See Also
    --------
    load_arff : Load the files.

    Examples
    --------
    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets import make_bunch
    >>> from skaudeep.formats import save_arff
    >>> features = make_bunch(np.array([[0.5], [np.nan]]), ["a.wav", "b c.wav"],
    ...                       target=[0, 1], target_names=["cat", "big dog"])
    >>> with TemporaryDirectory() as folder:
    ...     (file,) = save_arff(features, folder, relation="pets")
    ...     print(file.read_text())
    @RELATION "pets"
    <BLANKLINE>
    @ATTRIBUTE filename STRING
    @ATTRIBUTE chunk_nr INTEGER
    @ATTRIBUTE label_nominal {'big dog', cat}
    @ATTRIBUTE label_numeric INTEGER
    @ATTRIBUTE feature_0 REAL
    <BLANKLINE>
    @DATA
    a.wav,0,cat,0,0.5
    'b c.wav',0,'big dog',1,?
    <BLANKLINE>
    """
    if not relation.isprintable() or set(relation) & set("\"'\\"):
        raise ValueError(f"Got relation={relation!r}, expected a name without quotes and breaks.")

    def write(file: TextIO, table: Table, rows: NDArray[np.bool_]) -> None:
        frame = arrange_columns(table, rows, labels_last)
        names = table.target_names
        kinds = {
            "filename": "STRING",
            "chunk_nr": "INTEGER",
            # Without classes all cells are "?", for which any type will do but a list of none.
            "label_nominal": f"{{{', '.join(map(_quoted, sorted(names)))}}}" if names else "REAL",
            "label_numeric": "INTEGER" if names else "REAL",
        }
        if not filenames:
            frame = frame.drop(columns="filename")
        file.write(f'@RELATION "{relation}"\n\n')
        file.writelines(f"@ATTRIBUTE {column} {kinds.get(column, 'REAL')}\n" for column in frame)
        file.write("\n@DATA\n")
        # All digits of the float64 that a float32 is.
        frame = frame.astype(dict.fromkeys(frame.columns[frame.dtypes == np.float32], np.float64))
        cells = [_cells(frame[column], _quoted, "?") for column in frame]
        if not filenames and any("'" in kind for kind in kinds.values()):
            cells[0][0] = f"'{cells[0][0]}'"  # scipy learns from the first row what quotes are
        file.writelines(",".join(row) + "\n" for row in zip(*cells, strict=True))

    return save_tables(bunch, folder, ".arff", name, chunked, split, write)


def load_arff(
    path: str | os.PathLike[str], *, name: str | None = None, return_X_y: bool = False
) -> BunchOrXy:
    """Load a feature set from ARFF files, written by `save_arff` or exported by auDeep.

    Parameters
    ----------
    path : str or Path
        A file, or the folder of an export, whose subfolders are named after folds and partitions.
    name : str, default=None
        Name of the files, without suffix, if the folder holds several exports.
    return_X_y : bool, default=False
        Whether to return ``(data, target)``, X and y of scikit-learn, in place of the Bunch, which
        alone holds folds, groups and the names of classes.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        All keys of :func:`~skaudeep.datasets.make_bunch`, see :func:`load_csv`. Classes are all
        that `label_nominal` lists, in the order of their numbers; a class without clips gets an
        unused number.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a file is no such relation, or files contradict each other.

    See Also
    --------
    save_arff : Write such files.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.formats import load_arff
    >>> text = '''@RELATION loudness
    ... @ATTRIBUTE filename STRING
    ... @ATTRIBUTE loudness REAL
    ... @DATA
    ... 'a b.wav',0.5
    ... '''
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "x.arff").write_text(text)
    ...     load_arff(Path(folder, "x.arff")).filenames.tolist()
    ['a b.wav']
    """

    def read(file: Path) -> tuple[pd.DataFrame, list[str] | None]:
        import pandas as pd

        try:
            _count_lines(file)
            # Lines end in line feeds alone: those within quotes are escaped.
            with open(file, encoding="utf-8-sig", newline="\n") as lines:
                content = arff.load(_full_rows(lines, file.stat().st_size))
        except (arff.ArffException, ValueError) as error:
            reason = str(error)[:LONGEST_REASON]
            raise ValueError(
                f"{printable(file)}: is no ARFF relation in UTF-8 ({reason})."
            ) from error
        kinds = dict(content["attributes"])
        classes = kinds.get("label_nominal")
        table = pd.DataFrame(content["data"], columns=list(kinds))
        return table, classes if isinstance(classes, list) else None

    return bunch_or_X_y(load_tables(path, ".arff", name, read), return_X_y)


def _quoted(text: str) -> str:
    # liac-arff does not quote braces and a lone "?", although it cannot read them without quotes.
    quoted: str = arff.encode_string(text)
    return quoted if quoted != text or _PLAIN.fullmatch(text) else f"'{text}'"
