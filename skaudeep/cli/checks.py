"""Checks of a command line that are made before heavy libraries are loaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from skaudeep._texts import list_names, printable
from skaudeep.cli.errors import CommandError

TABLES = (".csv", ".tsv")
MODEL = ".skaudeep"
NETCDF = ".nc"
PICTURES = (".png", ".svg", ".pdf")
PAGES = (".html", ".htm")
_MODEL_EXPECTED = f"expected a model, a file that 'skaudeep fit' wrote ({MODEL})"


def check_inputs(inputs: Sequence[str], labels: Sequence[str] = ()) -> None:
    """Raise an error about inputs that do not exist or hold no recordings, and unreadable tables.

    Parameters
    ----------
    inputs : sequence of str
        As they are given on the command line; "-" is passed over.
    labels : sequence of str, default=()
        Tables of labels.

    Raises
    ------
    CommandError, OSError, ValueError
        About the first that is wrong.
    """
    if "-" in inputs and len(inputs) > 1:
        raise CommandError(
            "- stands for names on standard input, and other inputs are given as well. Give one "
            "kind."
        )
    for given in inputs:
        if given == "-":
            continue
        file = Path(given).expanduser()
        suffix = file.suffix.lower()
        if file.is_dir():
            continue
        if suffix == MODEL:
            raise CommandError(
                f"{printable(given)}: is a model, expected recordings. 'skaudeep inspect' "
                "describes it, 'skaudeep predict MODEL INPUT' uses it."
            )
        if not file.exists():
            raise CommandError(
                f"{printable(given)}: does not exist, expected a folder, a table or recordings. "
                f"The current directory is {os.getcwd()!r}."
            )
        if suffix in PAGES:
            raise CommandError(
                f"{printable(given)}: is a web page, expected recordings. Open it in a browser."
            )
        if suffix in TABLES:
            from skaudeep.datasets.delimited import read_header

            read_header(file)
    for table in labels:
        column_of_names(table)


def column_of_names(table: str) -> str:
    """Return the column of a table of labels that names the recordings.

    Parameters
    ----------
    table : str
        As it is given by --labels.

    Returns
    -------
    {"filename", "file"}
        The second is what `skaudeep predict` writes.

    Raises
    ------
    CommandError, OSError, ValueError
        If it is no such table.
    """
    from skaudeep.datasets.delimited import read_header

    header = read_header(Path(table).expanduser(), ["filename", "label"])
    filename = "file" if "filename" not in header and "file" in header else "filename"
    for column in (filename, "label"):
        if (count := header.count(column)) != 1:
            has = f"has {count} columns {column!r}" if count else f"has no column {column!r}"
            raise CommandError(
                f"{printable(table)}: {has}, expected one each of 'filename' and 'label'. Its "
                f"columns are {list_names(header)}."
            )
    return filename


def check_model(model: str, expected: str = _MODEL_EXPECTED) -> None:
    """Raise an error if a path is not the file of a model.

    Parameters
    ----------
    model : str
        As it is given on the command line.
    expected : str
        What it should be, and which command writes it.

    Raises
    ------
    CommandError
        If it does not exist, or is something else.
    """
    file = Path(model).expanduser()
    if not os.path.lexists(file):
        raise CommandError(
            f"{printable(model)}: does not exist, {expected}. The current directory is "
            f"{os.getcwd()!r}."
        )
    if file.is_dir():
        raise CommandError(f"{printable(model)}: is a folder, {expected}.")
    if file.suffix.lower() in (*PAGES, *TABLES):
        kind = "a table" if file.suffix.lower() in TABLES else "a web page"
        raise CommandError(f"{printable(model)}: is {kind}, {expected}.")


def check_ending(output: str, ending: str = MODEL) -> None:
    """Raise an error if a name of an output has the ending of another kind of file.

    Parameters
    ----------
    output : str
        The file to write.
    ending : str, default=".skaudeep"
        How names of such files end: those of models, or ".nc" for data sets.

    Raises
    ------
    CommandError
        If it does not end so.
    """
    if Path(output).suffix != ending:
        better = os.path.splitext(output)[0] + ending
        what = "models" if ending == MODEL else "data sets"
        raise CommandError(
            f"{printable(output)}: names of {what} end in {ending}, such as {printable(better)}."
        )


def check_table(output: str) -> None:
    """Raise an error if a name of a table to write does not end in .csv.

    Parameters
    ----------
    output : str
        The file to write.

    Raises
    ------
    CommandError
        If it ends otherwise.
    """
    if Path(output).suffix.lower() != ".csv":
        better = os.path.splitext(output)[0] + ".csv"
        raise CommandError(
            f"{printable(output)}: names of this table end in .csv, such as {printable(better)}."
        )


def check_picture(output: str, option: str = "-o") -> None:
    """Raise an error if the ending of a name is not that of a picture.

    Parameters
    ----------
    output : str
        The file to write.
    option : str, default="-o"
        The option that names it.

    Raises
    ------
    CommandError
        If it ends in none of .png, .svg and .pdf.
    """
    if Path(output).suffix not in PICTURES:
        raise CommandError(
            f"{printable(output)}: its ending says no format of pictures, expected one of "
            f"{', '.join(PICTURES)}. Give {option} such a name."
        )
