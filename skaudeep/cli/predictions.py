"""Output of predictions to stdout, or to a file that an interrupted command continues."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol, Self, TextIO

from skaudeep._files import replacing, try_lock
from skaudeep._texts import printable
from skaudeep.cli.errors import CommandError
from skaudeep.cli.output import note

if TYPE_CHECKING:
    import pandas as pd

ENCODING, ERRORS = "utf-8", "surrogateescape"  # names of files need not be UTF-8


class Kept(NamedTuple):
    """Output of an interrupted command: whole rows, their number, and that of failed ones."""

    text: str
    n_rows: int
    n_failed: int


class Form(Protocol):
    """Protocol of the formats in which predictions are written."""

    def head(self) -> str:
        """Return the text before the first row."""

    def rows(self, frame: pd.DataFrame) -> str:
        """Return the rows of a batch of :func:`skaudeep.predict_clips`."""

    def read(self, text: str) -> Kept:
        """Find the whole rows in what an interrupted command has written."""


class Table:
    r"""A table: file, label, probability of each class.

    Parameters
    ----------
    columns : sequence of str
        Names of all columns.
    n_keys : int, default=1
        Number of columns before the label: the file, and perhaps start and end, in seconds.
    delimiter : str, default="\t"
        What stands between cells.
    for_terminal : bool, default=False
        Whether to show names so that a terminal only displays them.
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        n_keys: int = 1,
        delimiter: str = "\t",
        for_terminal: bool = False,
    ) -> None:
        self._columns = list(columns)
        self._n_keys = n_keys
        self._delimiter = delimiter
        self._shown = printable if for_terminal else str

    def head(self) -> str:
        """Return the names of the columns."""
        return self._lines([self._columns])

    def rows(self, frame: pd.DataFrame) -> str:
        """Return a line for each clip; without probabilities where it could not be read."""
        n = self._n_keys
        return self._lines(
            [
                [
                    file,
                    *("" if time != time else f"{time:.10g}" for time in row[: n - 1]),
                    row[n - 1],
                    *("" if value != value else f"{value:.4f}" for value in row[n:]),
                ]
                for file, *row in frame.itertuples(index=False, name=None)
            ]
        )

    def read(self, text: str) -> Kept:
        """Find the whole rows."""
        lines = list(io.StringIO(text, newline=""))
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        kept = rows = failed = 0
        try:
            for row in reader:
                end = reader.line_num
                if len(row) != len(self._columns) or not lines[end - 1].endswith("\n"):
                    break
                kept, rows = end, rows + 1
                failed += not any(row[self._n_keys + 1 :] or row[self._n_keys :])
        except csv.Error:  # the last row ends within quotes
            pass
        return Kept("".join(lines[:kept]), max(0, rows - 1), failed)

    def _lines(self, rows: list[list[str]]) -> str:
        special = {self._delimiter, '"', "\r", "\n"}

        def cell(text: str) -> str:
            # The csv module does not quote a lone carriage return, which ends a line for readers.
            text = self._shown(text)
            return '"' + text.replace('"', '""') + '"' if special & set(text) else text

        return "".join(self._delimiter.join(map(cell, row)) + "\n" for row in rows)


class JsonLines:
    """An object a line: file, label, probabilities; label null and an error where there is none.

    Parameters
    ----------
    classes : sequence of str
        Names of the classes, whose probabilities follow one another in a row.
    keys : sequence of str, default=("file",)
        What stands before the label in a row.
    """

    def __init__(self, classes: Sequence[str], *, keys: Sequence[str] = ("file",)) -> None:
        self._classes = list(classes)
        self._keys = list(keys)

    def head(self) -> str:
        """Return nothing: lines explain themselves."""
        return ""

    def rows(self, frame: pd.DataFrame) -> str:
        """Return a line for each clip."""
        errors = frame.attrs["errors"]
        lines = []
        n = len(self._keys)
        for number, cells in enumerate(frame.itertuples(index=False, name=None)):
            label, *values = cells[n:]
            keys = (None if cell != cell else cell for cell in cells[:n])  # no end is NaN
            row = dict(zip(self._keys, keys, strict=True)) | {"label": label or None}
            if number in errors:
                row["error"] = str(errors[number])
            else:
                rounded = [round(value, 6) for value in values]
                row["probabilities"] = dict(zip(self._classes, rounded, strict=True))
            lines.append(json.dumps(row) + "\n")
        return "".join(lines)

    def read(self, text: str) -> Kept:
        """Find the whole rows."""
        lines = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return Kept("".join(lines), len(lines), sum("error" in json.loads(line) for line in lines))


class PredictionStream:
    """Predictions on stdout.

    Parameters
    ----------
    stream : file object
    form : Form
    """

    def __init__(self, stream: TextIO, form: Form) -> None:
        self._stream, self._form = stream, form
        self.n_rows = self.n_failed = 0

    def __enter__(self) -> Self:
        self._stream.write(self._form.head())
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, frame: pd.DataFrame) -> None:
        """Write a batch, so that whatever reads stdout has it."""
        self._stream.write(self._form.rows(frame))
        self._stream.flush()


class PredictionFile:
    """Predictions in a file that appears when it is whole; until then in `<file>.partial`.

    Parameters
    ----------
    file : Path
        The file to write.
    task : str
        What the predictions follow from: model, clips and options. What an interrupted command has
        written is kept where it had the same.
    form : Form

    Attributes
    ----------
    n_rows : int
        Number of clips that an interrupted command has predicted.
    n_failed : int
        How many of them could not be read.
    """

    def __init__(self, file: Path, task: str, form: Form) -> None:
        self._file, self._form = file, form
        self._partial = file.with_name(f"{file.name}.partial")
        digest = hashlib.sha256(task.encode(ENCODING, ERRORS)).hexdigest()
        self._mark = f"# skaudeep predict {digest}\n".encode()
        self.n_rows = self.n_failed = 0

    def __enter__(self) -> Self:
        handle = os.open(self._partial, os.O_RDWR | os.O_CREAT, 0o666)
        self._open: BinaryIO = os.fdopen(handle, "r+b", buffering=0)
        try:
            if try_lock(self._open) is False:
                raise CommandError(
                    f"{printable(self._partial.name)}: another process is writing to it. Wait "
                    "until it has ended, or choose another name by -o."
                )
            self._go_on()
        except BaseException:
            self._open.close()
            raise
        return self

    def _go_on(self) -> None:
        mark, name = self._mark, printable(self._partial.name)
        content = self._open.read()
        if content.startswith(mark):
            kept = self._form.read(content[len(mark) :].decode(ENCODING, ERRORS))
            content = mark + kept.text.encode(ENCODING, ERRORS)
            self.n_rows, self.n_failed = kept.n_rows, kept.n_failed
            if kept.n_rows:
                done = "1 clip is" if kept.n_rows == 1 else f"{kept.n_rows} clips are"
                note(f"{name}: {done} done; going on with the others.")
        elif content and not content.startswith(mark[:18]):
            raise CommandError(
                f"{name}: was written by something else. Delete it, or choose another name by -o."
            )
        else:
            if content:
                note(f"{name}: is of another model, other clips or options; starting anew.")
            content = mark
        self._open.truncate(len(content))
        self._open.seek(0)
        self._open.write(content[: len(mark)])
        self._open.seek(len(content))
        if len(content) == len(mark):
            self._open.write(self._form.head().encode(ENCODING, ERRORS))

    def write(self, frame: pd.DataFrame) -> None:
        """Append a batch."""
        self._open.write(self._form.rows(frame).encode(ENCODING, ERRORS))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._open:
            if error is not None:
                return
            self._open.seek(len(self._mark))
            with replacing(self._file) as new, open(new, "wb") as whole:
                shutil.copyfileobj(self._open, whole)
            self._partial.unlink()
