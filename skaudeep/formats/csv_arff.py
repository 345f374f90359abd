"""Data sets as CSV and ARFF files in auDeep's layouts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import arff  # type: ignore[import-untyped]  # liac-arff has no types
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skaudeep._files import BLOCK
from skaudeep._texts import printable
from skaudeep.datasets.delimited import sniff
from skaudeep.datasets.x_y import BunchOrXy, bunch_or_X_y
from skaudeep.formats.columns import Columns
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
    groups: bool = True,
    split: bool = True,
    chunked: bool | None = None,
) -> list[Path]:
    """Save a feature set as CSV files in auDeep's layout.

    The columns are `filename`, `chunk_nr`, `label_nominal`, `label_numeric`, `groups` (if clips
    have groups), and a column for each feature, under its name or `feature_0`, `feature_1` and so
    on. A regression value is in `label_numeric`, and `label_nominal` is then empty. Several values
    of a clip have columns named by `target_names`, or `target_0` and so on, which `load_csv` reads
    by ``target=["target_0", "target_1"]``.

    Without folds and partitions there is one file. With partitions there is a file for each of
    them, in `train/`, `devel/` and `test/`; with folds one for the test clips of each fold, in
    `fold_1/`, `fold_2/` and so on; with both as in `train/fold_1/`. Floats have as many digits as
    identify a float32. Missing values are empty. Other keys, such as `DESCR`, are not saved. Copies
    of :func:`~skaudeep.datasets.upsample` are not marked; with folds `split` refuses them.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`~skaudeep.datasets.make_bunch`. `data` has the shape
        (n_clips, n_features); further axes become columns as well.
    folder : str or Path
        Folder of the files, created if it does not exist; or one file, whose name ends in `.csv`.
    name : str, default="features"
        Name of the files in a folder, without suffix.
    labels_last : bool, default=False
        Whether to put the two columns of labels after the features.
    escape_formulas : bool, default=False
        Whether to put an apostrophe before names and labels that a spreadsheet would execute
        (CWE-1236): those that begin with `=`, `+`, `-`, `@`, a tab or a line break.
    groups : bool, default=True
        Whether to write the groups of clips. auDeep needs False: it takes them for features.
    split : bool, default=True
        Whether each partition and fold has a file. False writes one file, in which they are lost.
    chunked : bool, default=None
        Whether the second axis of `data` counts chunks, which then have a row each. None: it does
        if its name in `dims` is "chunk", which is the default for four axes.

    Returns
    -------
    list of Path
        The files. Each appears once it is complete, and replaces an existing file of its name.

    Raises
    ------
    ValueError
        If clips have several classes; with `split`, if a clip is in none of the partitions or
        tested in none of the folds, or there are folds and copies; if a feature is called as
        another column, the folder holds an export of this name with other folds or partitions, or
        one file is named where several are needed, or together with `name`.
    NotADirectoryError
        If `folder` is a file.

    See Also
    --------
    load_csv : Load the files.

    Examples
    --------
    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets import make_bunch
    >>> from skaudeep.formats import save_csv
    >>> features = make_bunch(np.array([[0.1, 0.2], [0.3, 0.4]]), ["a.wav", "b.wav"],
    ...                       target=[0, 1], target_names=["cat", "dog"])
    >>> with TemporaryDirectory() as folder:
    ...     (file,) = save_csv(features, folder)
    ...     print(file.read_text())
    filename,chunk_nr,label_nominal,label_numeric,feature_0,feature_1
    a.wav,0,cat,0,0.1,0.2
    b.wav,0,dog,1,0.3,0.4
    <BLANKLINE>
    """

    def write(file: TextIO, table: Table, rows: NDArray[np.bool_]) -> None:
        frame = arrange_columns(table, rows, labels_last)

        def quoted(text: str) -> str:
            if escape_formulas and _FORMULA.match(text):
                text = "'" + text
            # pandas and csv do not quote a lone carriage return, which ends a line for readers.
            return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text

        file.write(",".join(map(quoted, frame)) + "\n")
        cells = [_cells(frame[column], quoted, "") for column in frame]
        file.writelines(",".join(row) + "\n" for row in zip(*cells, strict=True))

    return save_tables(bunch, folder, ".csv", name, chunked, split, write, groups=groups)


def load_csv(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    filename: str | None = "filename",
    target: str | Sequence[str] | None = None,
    chunk_nr: str | None = None,
    groups: str | None = None,
    partition: str | None = None,
    fold: str | Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    task: str | None = None,
    target_names: Sequence[str] | None = None,
    missing: Sequence[str] | None = None,
    delimiter: str | None = None,
    escape_formulas: bool = False,
    return_X_y: bool = False,
) -> BunchOrXy:
    r"""Load a feature set from CSV files of `save_csv`, of auDeep, or of any other program.

    In tables of other programs, such as openSMILE, every column is a feature that no parameter
    names and that is not called `chunk_nr`, `groups`, `label_nominal` or `label_numeric`.

    Parameters
    ----------
    path : str or Path
        A file, or the folder of an export, whose subfolders are named after folds and partitions.
    name : str, default=None
        Name of the files, without suffix. None: the folder holds a single export, of any name.
    filename : str, default="filename"
        Column with the name of the clip of each row. With None there is no such column, and rows
        get the names `<file>#0`, `<file>#1` and so on.
    target : str or sequence of str, default=None
        Column with the class or value of each clip, or several columns with a value each, whose
        names become `target_names`. None uses `label_nominal` and `label_numeric`, which `save_csv`
        and auDeep write, if they are there.
    chunk_nr : str, default=None
        Column with the number of each row among the rows of its clip, from 0. None uses `chunk_nr`
        if it is there; otherwise each clip has one row.
    groups : str, default=None
        Column with the speaker, recording or site of each clip. None uses `groups` if it is there.
    partition : str, default=None
        Column with train, devel or test (or `dev`, `validation` and so on, see `load_table`). None
        uses the names of the folders of the export.
    fold : str or sequence of str, default=None
        Column with the name of the fold that tests each clip; or several columns, one per fold,
        with 0 for training and 1 for testing. None uses the names of the folders of the export.
    ignore : sequence of str, default=()
        Columns that are not features, such as times.
    task : {"classification", "regression"}, default=None
        How to read `target`. None: decimal numbers are values for regression; whole numbers and
        text are classes.
    target_names : sequence of str, default=None
        The classes of `target` in the order of their integers. None: the classes that occur,
        sorted (by number if all are whole numbers).
    missing : sequence of str, default=None
        Texts in `target`, `partition` and `groups` that mean a missing value. None: "", `?`, `NA`,
        `nan` and others, see :func:`~skaudeep.datasets.load_table`; groups of a table of `save_csv`
        are exact. A feature is NaN in cells of these default texts, whatever `missing` is.
    delimiter : str of length 1, default=None
        Character between the columns. None: the one of comma, semicolon, tab and bar with which
        the table has the columns named here, and the most columns.
    escape_formulas : bool, default=False
        Whether to remove the apostrophes that `save_csv(..., escape_formulas=True)` added.
    return_X_y : bool, default=False
        Whether to return ``(data, target)``, scikit-learn's X and y, instead of the Bunch, which
        alone holds folds, partitions, groups and the names of classes. There is a UserWarning if
        some clips are labelled and others are not.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`~skaudeep.datasets.make_bunch`. `data` is float32 of
        shape (n_clips, n_features), or, if a clip has several rows, (n_clips, n_chunks, n_features)
        with NaN for missing chunks; see `dims`. `feature_names` holds the names of the columns,
        unless they are `feature_0`, `feature_1` and so on. Labels that are numbers without names
        are a regression target. Clips are in the order in which they are read: by partition, fold
        and row.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a file is not such a table, a named column is missing, another column is not numeric,
        files contradict each other, or folders tell what `partition` or `fold` is given for.

    See Also
    --------
    save_csv : Write such files.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.formats import load_csv
    >>> text = '''name;emotion;loudness;pitch
    ... a.wav;joy;0.5;440
    ... b.wav;fear;0.25;220
    ... '''
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "x.csv").write_text(text)
    ...     speech = load_csv(Path(folder, "x.csv"), filename="name", target="emotion")
    >>> speech.data.tolist(), speech.feature_names
    ([[0.5, 440.0], [0.25, 220.0]], ['loudness', 'pitch'])
    >>> speech.target, speech.target_names
    (array([1, 0]), ['fear', 'joy'])
    """
    columns = Columns(
        filename, target, chunk_nr, groups, partition, fold, ignore, task, target_names, missing
    )
    if delimiter is not None and len(delimiter) != 1:
        raise ValueError(f"Got delimiter={delimiter!r}, expected one character.")

    def read(file: Path) -> tuple[pd.DataFrame, None]:
        import pandas as pd

        try:
            n_lines = _count_lines(file)
            separator, skipped = sniff(file, columns.texts, delimiter)
            form: dict[str, Any] = {
                "sep": separator,
                "skiprows": skipped,
                "encoding": "utf-8-sig",
            }
            _check_rows_are_full(file, n_lines, form)
            table = pd.read_csv(
                file,
                # Regression targets as text: before pandas 3 the parser changes their last bit.
                dtype=dict.fromkeys(columns.texts, str),
                keep_default_na=False,  # a class may be called "None"
                na_values=[""],
                **form,
            )
        except ValueError as error:  # all of pandas' own errors and those of UTF-8 are
            reason = printable(str(error).strip()[:LONGEST_REASON])
            raise ValueError(f"{printable(file)}: is no CSV table in UTF-8 ({reason}).") from error
        if escape_formulas:
            table.columns = pd.Index([_unescaped(str(name)) for name in table])
            for column in set(columns.texts) & set(table):
                table[column] = table[column].map(_unescaped, na_action="ignore")
        return table, None

    return bunch_or_X_y(load_tables(path, ".csv", name, read, columns), return_X_y)


def _unescaped(cell: str) -> str:
    return cell[1:] if _ESCAPED.match(cell) else cell


def _check_rows_are_full(file: Path, n_lines: int, form: dict[str, Any]) -> None:
    """Raise a ValueError if rows have far fewer cells than the header: pandas would add them."""
    import pandas as pd

    size = file.stat().st_size
    n_columns = pd.read_csv(file, nrows=0, **form).shape[1]
    if n_columns * n_lines <= size:  # a cell takes a byte at least
        return
    n_rows = len(pd.read_csv(file, usecols=[0], dtype=str, **form))  # breaks aside
    if n_columns * n_rows > size:
        raise ValueError(
            f"it has {n_columns} columns and {n_rows} rows, for which its {size} bytes are too few"
        )


def _count_lines(file: Path) -> int:
    """Return the number of lines; raise a ValueError if the file has zeros and is not a text."""
    n_lines = 1
    with open(file, "rb") as content:
        while block := content.read(BLOCK):
            if b"\0" in block:  # perhaps a sparse file of any size, which would be a single line
                raise ValueError("it holds zero characters")
            n_lines += block.count(b"\n") + block.count(b"\r")
    return n_lines


def _full_rows(lines: Iterable[str], size: int) -> Iterator[str]:
    """Yield the lines of an ARFF file; raise an error about sparse rows of very many cells."""
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
    if column.name in ("filename", "label_nominal", "groups"):
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
    class_last: bool = False,
    filenames: bool = True,
    groups: bool = True,
    split: bool = True,
    chunked: bool | None = None,
) -> list[Path]:
    """Save a feature set as ARFF files for Weka, in auDeep's layout.

    The files and their attributes are the files and columns of :func:`save_csv`: `filename`,
    `chunk_nr`, the labels, `groups`, the features. `label_nominal` lists all classes. Floats have
    as many digits as identify a float64. Missing values are `?`.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`~skaudeep.datasets.make_bunch`. `data` has the shape
        (n_clips, n_features); further axes become columns as well.
    folder : str or Path
        Folder of the files, or one file whose name ends in `.arff`, as in :func:`save_csv`.
    name : str, default="features"
        Name of the files in a folder, without suffix.
    relation : str, default="auDeep exported data set"
        Name of the relation in the files; the default is that of auDeep.
    labels_last : bool, default=False
        Whether to put the two attributes of labels after the features.
    class_last : bool, default=False
        Whether to write a file from which Weka can learn directly: the class, or the regression
        value, is the last attribute, and the other attribute of labels is left out. Of several
        values all come last. `chunk_nr` is left out if each clip of the data set has one row.
        `filename` has to be removed in Weka, or left out by ``filenames=False``.
    filenames : bool, default=True
        Whether to write `filename` and `groups`. These attributes are texts, which
        :func:`scipy.io.arff.loadarff` cannot read. :func:`load_arff` loads a file without them by
        ``filename=None``.
    groups : bool, default=True
        Whether to write the groups of clips. auDeep needs False: it takes them for features.
    split : bool, default=True
        Whether each partition and fold has a file. False writes one file, in which they are lost.
    chunked : bool, default=None
        Whether the second axis of `data` counts chunks, which then have a row each. None: it does
        if `dims` calls it "chunk", the default for four axes.

    Returns
    -------
    list of Path
        The files. Each appears once it is complete, and replaces an existing file of its name.

    Raises
    ------
    ValueError
        For the reasons of :func:`save_csv`, such as a clip in no partition, or if the name of the
        relation or of a feature holds a quote, a backslash or a line break.
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
        frame = arrange_columns(table, rows, labels_last or class_last)
        names = table.target_names
        if class_last:  # classes in the order of their numbers, which are not written
            doubled = ["label_numeric" if names else "label_nominal"]
            if len(table.labels) > 2:  # several values have columns of their own
                doubled = table.labels[:2]
            alone = [] if table.text["chunk_nr"].any() else ["chunk_nr"]  # in all files alike
            frame = frame.drop(columns=[*doubled, *alone])
        listed = names if class_last else sorted(names)
        kinds = {
            "filename": "STRING",
            "chunk_nr": "INTEGER",
            # Without classes all cells are "?", which is valid for any type except an empty list.
            "label_nominal": f"{{{', '.join(map(_quoted, listed))}}}" if names else "REAL",
            "label_numeric": "INTEGER" if names else "REAL",
            "groups": "STRING",
        }
        if not filenames:
            frame = frame.drop(columns="filename")
        file.write(f'@RELATION "{relation}"\n\n')
        file.writelines(
            f"@ATTRIBUTE {_attribute(column)} {kinds.get(column, 'REAL')}\n" for column in frame
        )
        file.write("\n@DATA\n")
        # All digits of the float64 that a float32 is.
        frame = frame.astype(dict.fromkeys(frame.columns[frame.dtypes == np.float32], np.float64))
        cells = [_cells(frame[column], _quoted, "?") for column in frame]
        if not filenames and any("'" in kind for kind in kinds.values()):
            cells[0][0] = f"'{cells[0][0]}'"  # scipy learns from the first row what quotes are
        file.writelines(",".join(row) + "\n" for row in zip(*cells, strict=True))

    return save_tables(
        bunch, folder, ".arff", name, chunked, split, write, groups=groups and filenames
    )


def load_arff(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    filename: str | None = "filename",
    target: str | Sequence[str] | None = None,
    chunk_nr: str | None = None,
    groups: str | None = None,
    partition: str | None = None,
    fold: str | Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    task: str | None = None,
    target_names: Sequence[str] | None = None,
    missing: Sequence[str] | None = None,
    return_X_y: bool = False,
) -> BunchOrXy:
    """Load a feature set from ARFF files of `save_arff`, of auDeep, or of any other program.

    In files of other programs, such as openSMILE and Weka, every attribute is a feature that no
    parameter names and that is not called `chunk_nr`, `groups`, `label_nominal` or `label_numeric`.

    Parameters
    ----------
    path : str or Path
        A file, or the folder of an export, whose subfolders are named after folds and partitions.
    name : str, default=None
        Name of the files, without suffix. None: the folder holds a single export, of any name.
    filename : str, default="filename"
        Attribute with the name of the clip of each row. With None there is no such attribute, and
        rows get the names `<file>#0`, `<file>#1` and so on.
    target : str or sequence of str, default=None
        Attribute with the class or value of each clip, or several with a value each, as in
        :func:`load_csv`. A nominal attribute lists its classes; a real or numeric one holds values
        for regression; integers and strings are read as in :func:`load_csv`. None uses
        `label_nominal` and `label_numeric`, if they are there.
    chunk_nr : str, default=None
        Attribute with the number of each row of a clip, from 0. None: `chunk_nr`, if it is there.
    groups : str, default=None
        Attribute with the speaker, recording or site of each clip. None: `groups`, if there.
    partition : str, default=None
        Attribute with train, devel or test. None uses the names of the folders of the export.
    fold : str or sequence of str, default=None
        Attribute with the name of the fold that tests each clip; or several attributes, one per
        fold, with 0 for training and 1 for testing. None uses the names of the folders.
    ignore : sequence of str, default=()
        Attributes that are not features, such as times.
    task : {"classification", "regression"}, default=None
        How to read `target`. None uses the type of the attribute, see `target`.
    target_names : sequence of str, default=None
        The classes in the order of their integers. None: those listed, else those found, sorted.
    missing : sequence of str, default=None
        Texts that mean a missing value in `target`, `partition` and `groups`. None: empty texts,
        `?`, `NA`, `nan` and others, see :func:`~skaudeep.datasets.load_table`.
    return_X_y : bool, default=False
        Whether to return ``(data, target)``, scikit-learn's X and y, instead of the Bunch, which
        alone holds folds, partitions, groups and the names of classes. There is a UserWarning if
        some clips are labelled and others are not.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`~skaudeep.datasets.make_bunch`. `data` is float32 of
        shape (n_clips, n_features), or (n_clips, n_chunks, n_features), see :func:`load_csv`. The
        classes are all those that `label_nominal` lists, in the order of their numbers; a class
        without clips gets an unused number.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a file is not such a relation, or for the other reasons of :func:`load_csv`.

    See Also
    --------
    save_arff : Write such files.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.formats import load_arff
    >>> text = '''@RELATION loudness
    ... @ATTRIBUTE name STRING
    ... @ATTRIBUTE loudness REAL
    ... @ATTRIBUTE class {joy, fear}
    ... @DATA
    ... 'a b.wav',0.5,fear
    ... '''
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "x.arff").write_text(text)
    ...     speech = load_arff(Path(folder, "x.arff"), filename="name", target="class")
    >>> speech.filenames.tolist(), speech.target, speech.target_names
    (['a b.wav'], array([1]), ['joy', 'fear'])
    """
    columns = Columns(
        filename, target, chunk_nr, groups, partition, fold, ignore, task, target_names, missing
    )

    def read(file: Path) -> tuple[pd.DataFrame, list[str] | str | None]:
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
        kind = kinds.get(target if isinstance(target, str) else "label_nominal")
        if not isinstance(kind, list):
            kind = "REAL" if kind in ("REAL", "NUMERIC") else None
        return pd.DataFrame(content["data"], columns=list(kinds)), kind

    return bunch_or_X_y(load_tables(path, ".arff", name, read, columns), return_X_y)


def _attribute(name: str) -> str:
    """Return the name of an attribute as a relation has it; readers undo no escapes in names."""
    if not name.isprintable() or set(name) & set("\"'\\"):
        raise ValueError(
            f"Got {name!r} in feature_names, which ARFF cannot hold, expected names without "
            "quotes, backslashes and line breaks. Rename it, or use save_csv."
        )
    return name if _PLAIN.fullmatch(name) else f"'{name}'"


def _quoted(text: str) -> str:
    # liac-arff does not quote braces and a lone "?", although it cannot read them without quotes.
    quoted: str = arff.encode_string(text)
    return quoted if quoted != text or _PLAIN.fullmatch(text) else f"'{text}'"
