"""Text files with one row per clip, read as text alone: no cell becomes a number or a gap."""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from skaudeep._files import BLOCK, memory_for
from skaudeep._texts import check_proportion, list_names, printable

_DELIMITERS = ",;\t|"
_SEPARATOR = re.compile(r"\s*sep=([^\r\n])(?=\r?\n)", re.IGNORECASE)  # a first line of Excel's
# How files begin that are given as tables by mistake, what they are, and what to do with them.
_AUDIO = ("an audio file", "Give the table that lists it, or make_bunch a list of paths.")
_NETCDF = ("a NetCDF or HDF5 file", "Data sets in it are read by skaudeep.load_netcdf.")
_OTHER_KINDS = {
    b"PK\x03\x04": (
        "a workbook or a zip archive",
        "Read it with pandas.read_excel and pass the DataFrame, or unpack it first.",
    ),
    b"\xd0\xcf\x11\xe0": (
        "a workbook of old Excel",
        "Read it with pandas.read_excel and pass the DataFrame.",
    ),
    b"\x1f\x8b": ("compressed", "Unpack it, or pass the DataFrame that pandas.read_csv returns."),
    b"PAR1": (
        "a Parquet file",
        "Read it with pandas.read_parquet and pass the DataFrame.",
    ),
    b"%PDF": ("a PDF", "Save the table in it as CSV."),
    b"\x89HDF": _NETCDF,
    b"CDF\x01": _NETCDF,
    b"CDF\x02": _NETCDF,
    b"RIFF": _AUDIO,
    b"fLaC": _AUDIO,
    b"OggS": _AUDIO,
    b"ID3\x03": _AUDIO,
    b"ID3\x04": _AUDIO,
    b"<": ("a web page or XML", "Download the file itself: the page is what a browser shows."),
}


def read_columns(
    table: str | os.PathLike[str], columns: Sequence[str], *, delimiter: str | None = None
) -> dict[str, list[str]]:
    r"""Read columns of a delimited text file, without pandas.

    Parameters
    ----------
    table : str or Path
        UTF-8 or UTF-16 text, with or without a byte order mark; the first row names the columns,
        after a line `sep=;` if there is one. Empty lines are skipped, quoted cells may hold line
        breaks.
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
        If the file is no text, a column is missing or occurs twice, there are no rows, or a row has
        more or fewer cells than the first.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets.delimited import read_columns
    >>> with TemporaryDirectory() as folder:
    ...     table = Path(folder, "clips.tsv")
    ...     size = table.write_text("file\tlabel\na.wav\tcat\n")
    ...     read_columns(table, ["label"])
    {'label': ['cat']}
    """
    text, stated = _read_text(table)
    if delimiter is None:
        delimiter = stated or _detect_delimiter(text, columns)
    elif len(delimiter) != 1:
        raise ValueError(f"Got delimiter={delimiter!r}, expected one character.")

    # strict: a quote that is never closed would otherwise swallow the rest of the table
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = _header(reader)
        check_columns(header, columns, str(table))
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
            f"Got broken quoting in {str(table)!r} near line {reader.line_num}: "
            f"{printable(error)}. "
            'Close each quote, and double quotes within quotes ("").'
        ) from error
    if not rows:
        raise ValueError(f"Got table {str(table)!r} without rows, expected one per clip.")
    cells = dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))
    for column in columns:
        check_proportion(cells[column], f"column {column!r} of {str(table)!r}")
    return cells


def read_header(
    table: str | os.PathLike[str], columns: Sequence[str] = (), *, delimiter: str | None = None
) -> list[str]:
    """Read the names of the columns of a delimited text file.

    Parameters
    ----------
    table : str or Path
        UTF-8 text, as in :func:`read_columns`.
    columns : sequence of str, default=()
        Columns that are expected, which help to find the delimiter.
    delimiter : str of length 1, default=None
        None: the one of comma, semicolon, tab and bar that gives the most of `columns`, or the most
        columns.

    Returns
    -------
    names : list of str
        The names, from left to right.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no text, or a quote in its first row is never closed.
    """
    text, stated = _read_text(table)
    delimiter = delimiter or stated or _detect_delimiter(text, columns)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return _header(reader)
    except csv.Error as error:
        raise ValueError(f"Got broken quoting in the first line of {str(table)!r}.") from error


def sniff(file: Path, columns: Sequence[str], delimiter: str | None) -> tuple[str, int]:
    """Return the delimiter of a table in UTF-8, and how many lines stand before its first row.

    Parameters
    ----------
    file : Path
        The table, of which only the beginning is read.
    columns : sequence of str
        Columns that are expected.
    delimiter : str or None
        What the caller says; None finds it as :func:`read_columns` does.
    """
    with open(file, encoding="utf-8-sig", newline="") as lines:
        text = lines.read(BLOCK)
    stated = _SEPARATOR.match(text)
    if stated:
        text = text[stated.end() :].removeprefix("\r").removeprefix("\n")
    delimiter = delimiter or (stated and stated[1]) or _detect_delimiter(text, columns)
    return delimiter, 1 if stated else 0


def _read_text(table: str | os.PathLike[str]) -> tuple[str, str | None]:
    """Return the text of a table, and the delimiter where its first line states it."""
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
    with memory_for(file):
        return _decode(file, table)


def _decode(file: Path, table: str | os.PathLike[str]) -> tuple[str, str | None]:
    with open(file, "rb") as binary:
        content = binary.read(BLOCK)
        if b"\0\0\0\0" not in content:  # not a text, but perhaps a sparse file of any size
            content += binary.read()
    for start, (kind, remedy) in _OTHER_KINDS.items():
        # A header may begin with the letters of one, but holds no zeros.
        if content.startswith(start) and (b"\0" in content or not start.isalnum()):
            raise ValueError(
                f"Got table {str(table)!r}, which is {kind}, expected a text file with a row per "
                f"clip. {remedy}"
            )
    encoding = _encoding(content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Got table {str(table)!r}, which is not UTF-8 text (byte {error.start}), expected "
            "UTF-8. Save it as 'CSV UTF-8', or read it with pandas and pass the DataFrame."
        ) from error
    if "\0" in text:
        raise ValueError(
            f"Got table {str(table)!r}, which holds zero characters, expected a text file with a "
            "row per clip. Is it the right file?"
        )
    if not text.strip():
        raise ValueError(
            f"Got table {str(table)!r}, which is empty, expected a row of names first."
        )
    if stated := _SEPARATOR.match(text):
        # An empty line in its place: messages count lines.
        return text[stated.end() :], stated[1]
    return text, None


def _encoding(content: bytes) -> str:
    """Return UTF-16 where a byte order mark or the zeros of Latin letters show it, else UTF-8."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = content[:2000]
    if len(content) % 2 == 0 and head:
        even, odd = head[::2].count(0), head[1::2].count(0)
        if max(even, odd) > 0.4 * len(head) / 2 and min(even, odd) < 0.1 * len(head) / 2:
            return "utf-16-be" if even > odd else "utf-16-le"
    return "utf-8-sig"


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


def check_columns(header: Sequence[object], columns: Sequence[str], source: str) -> None:
    """Raise ValueError if a column is missing or occurs twice in a header."""
    for column in columns:
        count = header.count(column)
        if count != 1:
            one = " Is it all one column? Then give delimiter=." if len(header) == 1 else ""
            raise ValueError(
                f"Got column {column!r}, which occurs {count} times in {printable(source)}, "
                f"expected once. Columns there: {list_names(header, column)}.{one}"
            )
