"""Tables of events in the files of Raven, Audacity and Praat, and as CSV."""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from skaudeep._files import check_readable, check_writable, memory_for, replacing
from skaudeep._texts import list_names, printable, shown
from skaudeep.audio.decoding import audio_info
from skaudeep.audio.errors import AudioError
from skaudeep.audio.formats import AUDIO_SUFFIXES
from skaudeep.datasets.events import check_events
from skaudeep.formats.textgrid import read_textgrid, write_textgrid

if TYPE_CHECKING:
    import pandas as pd

RAVEN_SUFFIX = ".selections.txt"  # ending of Raven's tables: night.Table.1.selections.txt
_RAVEN_NAME = re.compile(r"(\.Table\.\d+)?\.selections\.txt", re.IGNORECASE)
_BEGIN, _END = "Begin Time (s)", "End Time (s)"
_OFFSET = "File Offset (s)"  # start in the file, in tables of several files
# Columns that hold the label: Raven's own, then usual names of users and of BirdNET.
_RAVEN_LABELS = ("Annotation", "Label", "Species", "Common Name", "Class")
_RAVEN_SCORES = ("Score", "Confidence")
HIGHEST = 24_000.0  # Hz: top of a selection if the sampling rate is unknown


class _Row(NamedTuple):
    """An event as a file states it, and the number of its line."""

    line: int
    file: str
    start: str
    end: str
    label: str
    score: str = ""


def load_annotations(
    path: str | os.PathLike[str],
    format: str | None = None,  # noqa: A002 (the word of pandas and crowsetta)
    *,
    file: str | None = None,
    label_column: str | None = None,
) -> pd.DataFrame:
    r"""Load a table of events, with their starts, ends and labels.

    Parameters
    ----------
    path : str or Path
        A selection table of Raven, a label track of Audacity, a TextGrid of Praat, or a CSV table
        with the columns file, start, end and label, and perhaps score, and with commas, semicolons
        or tabs between them. Numbers may have a decimal comma. UTF-8 or UTF-16.
    format : {"raven", "audacity", "textgrid", "csv"} or str, default=None
        Format of the file. None uses its ending: `.TextGrid`, or `.csv` and `.tsv` for "csv"; the
        first line of a `.txt` file tells Raven's format, a TextGrid and Audacity's format apart.
        Any other name is that of a format of crowsetta (the extra `annotations`), such as "timit".
    file : str, default=None
        Name of the recording of all events, in place of any name in the table. None uses the name
        in the table; else the name of the recording beside the table that has the same name up to
        its ending, if there is exactly one; else the name of the table without its ending. A CSV
        table needs its column `file` in any case, which may be empty.
    label_column : str, default=None
        Column that holds the labels, in a table of Raven or CSV; other formats ignore it. None is
        "label" for CSV, and for Raven the first of "Annotation", "Label", "Species", "Common Name"
        and "Class" that is there.

    Returns
    -------
    pandas.DataFrame
        A row for each event, in the order of the file, with the columns `file` (str), `start` and
        `end` (seconds from the start of the recording), `label` (str; blanks around it are removed,
        except in a TextGrid, and it is "" for an event without one) and `score` (float). Scores are
        the column "Score" or "Confidence" of Raven and "score" of CSV, and NaN if there are none.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no such file.
    ImportError
        If the format needs crowsetta, which is not installed.
    ValueError
        If the file has another format, columns or cells are missing, a time is not a number or is
        negative, an event does not end after its start, or some events name a recording and others
        do not. The message names the line.

    See Also
    --------
    save_annotations : Write such a file.

    Notes
    -----
    Raven lists a selection once for each view, of which the first is used. Where its table has
    "Begin File" and "File Offset (s)", these give the recording and the time of an event; `file`
    replaces only the recording. In a TextGrid, all intervals with a text are events, in all tiers;
    points have no length and are left out.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.formats import load_annotations
    >>> with TemporaryDirectory() as folder:
    ...     track = Path(folder, "night.txt")
    ...     _ = track.write_text("0.5\t1.25\towl\n")
    ...     load_annotations(track)
        file  start   end label  score
    0  night    0.5  1.25   owl    NaN
    """
    import pandas as pd

    path = Path(path).expanduser()
    if format is not None and format not in FORMATS:
        return _from_crowsetta(path, format, _recording_of(path) if file is None else file)
    check_readable(path, "a table of events")
    with memory_for(path):
        text = _decode(path)
    kind = _kind_of(path, text) if format is None else format
    rows = list(FORMATS[kind].read(text, path, label_column))
    own = _recording_of(path) if file is None else file
    unnamed = [row for row in rows if not row.file]
    if file is None and 0 < len(unnamed) < len(rows):
        row = unnamed[0]
        raise ValueError(
            f"Got no file for the event {shown(row.label)} at {printable(row.start)} s in line "
            f"{row.line} of {path.name!r}, while other lines have one, expected one in each. Name "
            "the recording, or give file= for all of them."
        )
    frame = pd.DataFrame(
        {
            "file": [row.file if row.file and file is None else own for row in rows],
            "start": [_number(row.start, "start", row.line, path) for row in rows],
            "end": [_number(row.end, "end", row.line, path) for row in rows],
            "label": [row.label for row in rows],
            "score": [_number(row.score or "nan", "score", row.line, path) for row in rows],
        }
    )
    return check_events(frame, printable(path.name), [f"line {row.line}" for row in rows])


def save_annotations(
    events: pd.DataFrame,
    path: str | os.PathLike[str],
    format: str | None = None,  # noqa: A002
) -> list[Path]:
    """Save a table of events for Raven, Audacity, Praat, or as CSV.

    Parameters
    ----------
    events : pandas.DataFrame
        A table of events with the columns `file`, `start`, `end` (seconds) and `label`, and
        optionally `score`, as :func:`~skaudeep.find_events` returns it.
    path : str or Path
        The file to write, which is replaced if it exists; or an existing folder, into which a file
        for each recording is written, under the name of the recording.
    format : {"raven", "audacity", "textgrid", "csv"}, default=None
        Format of the files. None uses the ending of `path`: `.csv`, `.TextGrid`,
        `.selections.txt` for Raven, any other `.txt` for Audacity. It is required for a folder.

    Returns
    -------
    list of Path
        The files that were written. Each file appears once it is complete. In a folder, a recording
        without events gets no file. Scores are written for Raven and as CSV; label tracks and
        TextGrids cannot hold them.

    Raises
    ------
    OSError
        If a file cannot be written.
    TypeError
        If `events` is not a DataFrame.
    ValueError
        If `events` lacks a column or an event does not end after its start, the ending does not
        tell the format, the events belong to several recordings but the format is for one, two
        recordings would have the same file in a folder, two events of a label overlap in a
        TextGrid, or a label is empty or has tabs, line breaks or other control characters, which
        only CSV can hold (for Raven, also the name of a recording).

    See Also
    --------
    load_annotations : Read such a file.

    Notes
    -----
    Raven's selections need frequencies: they span from 0 to half the sampling rate of the
    recording, or to 24 kHz if there is no recording of this name. A TextGrid has a tier for each
    label. The tiers end with the recording, or with the last event if there is no recording of this
    name.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import pandas as pd
    >>> from skaudeep.formats import save_annotations
    >>> events = pd.DataFrame({"file": ["night.wav"], "start": [0.5], "end": [1.25],
    ...                        "label": ["owl"]})
    >>> with TemporaryDirectory() as folder:
    ...     (track,) = save_annotations(events, f"{folder}/night.txt")
    ...     print(track.read_text().expandtabs())
    0.500000        1.250000        owl
    <BLANKLINE>
    """
    events = check_events(events, "the table of events")
    path = Path(path).expanduser()
    kind = format_to_write(path, format)
    recordings = events.groupby("file", sort=False)
    if not path.is_dir():
        if kind != "csv" and len(recordings) > 1:
            raise ValueError(
                f"Got events of {len(recordings)} recordings, {list_names(recordings.groups)}, for "
                f"{path.name!r}, expected one: such a file is of one recording. Name a folder, "
                "which gets a file for each, or a file that ends in .csv."
            )
        _write(events, path, kind)
        return [path]
    written: dict[Path, str] = {}
    for name, part in recordings:
        target = path / (re.split(r"[/\\]", str(name))[-1].rpartition(".")[0] or str(name))
        target = target.with_name(target.name + FORMATS[kind].suffix)
        if target in written:
            raise ValueError(
                f"Got events of {written[target]!r} and {name!r}, whose tables would both be "
                f"called {target.name!r}. Save them one by one, or all in a file that ends in .csv."
            )
        _write(part, target, kind)
        written[target] = str(name)
    return list(written)


def format_to_write(path: Path, format: str | None = None) -> str:  # noqa: A002
    """Return the format of a file to write: the given one, or that of its ending.

    Raises
    ------
    ValueError
        If there is no such format, or the ending says none.
    """
    if format is not None:
        if format not in FORMATS:
            raise ValueError(f"Got format={format!r}, expected one of {list_names(FORMATS)}.")
        return format
    name = path.name.lower()
    if not path.is_dir():
        for kind, suffix in (
            ("csv", ".csv"),
            ("textgrid", ".textgrid"),
            ("raven", RAVEN_SUFFIX),
            ("audacity", ".txt"),
        ):
            if name.endswith(suffix):
                return kind
    raise ValueError(
        f"Got path={str(path)!r} for a table of events, whose name says no format, expected one "
        f"that ends in .csv, .txt (Audacity), {RAVEN_SUFFIX} (Raven) or .TextGrid (Praat). Rename "
        "it, or give format=."
    )


def _write(events: pd.DataFrame, path: Path, kind: str) -> None:
    check_writable(path)
    if kind != "csv":
        names = [("file", name, 0.0) for name in events["file"].unique() if kind == "raven"]
        labels = zip(events["label"], events["start"], strict=True)
        for what, name, start in [*names, *(("label", *pair) for pair in labels)]:
            if not name or not name.isprintable():
                raise ValueError(
                    f"Got the {what} {shown(name)} of the event at {start:g} s, expected text "
                    "without tabs, line breaks and control characters, which a file for "
                    f"{kind} cannot hold. Change it, or save a file that ends in .csv."
                )
    text = FORMATS[kind].write(events)
    with replacing(path) as new:
        # names of files need not be UTF-8
        new.write_bytes(text.encode("utf-8", "surrogateescape"))


# --- tables --------------------------------------------------------------------------------------


def _read_csv(text: str, path: Path, label_column: str | None) -> Iterator[_Row]:
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    label = label_column or "label"
    columns = ("file", "start", "end", label)
    for line, cells in _table(text, path, columns, csv.reader, delimiter=delimiter, strict=True):
        file, start, end, name = (cells[column] for column in columns)
        yield _Row(line, file, start, end, name, cells.get("score", ""))


def _write_csv(events: pd.DataFrame) -> str:
    def quoted(value: str | float) -> str:
        if isinstance(value, float):
            return "" if math.isnan(value) else repr(value)
        # the csv module does not quote a lone carriage return, which ends a line for readers
        return '"' + value.replace('"', '""') + '"' if set(value) & set(',"\r\n') else value

    rows = [events.columns, *events.itertuples(index=False, name=None)]
    return "".join(",".join(map(quoted, row)) + "\n" for row in rows)


def _read_raven(text: str, path: Path, label_column: str | None) -> Iterator[_Row]:
    head = text.split("\n", 1)[0].rstrip("\r").split("\t")
    label = label_column or next((name for name in _RAVEN_LABELS if name in head), "Annotation")
    score = next((name for name in _RAVEN_SCORES if name in head), "")
    seen = set()
    for line, cells in _table(text, path, (_BEGIN, _END, label), _SplitAtTabs):
        selection = cells.get("Selection")
        if selection is not None:
            if selection in seen:
                continue  # the same in another view
            seen.add(selection)
        start, end = cells[_BEGIN], cells[_END]
        if cells.get("Begin File") and cells.get(_OFFSET):
            offset = _number(cells[_OFFSET], _OFFSET, line, path)
            length = _number(end, _END, line, path) - _number(start, _BEGIN, line, path)
            start, end = repr(offset), repr(offset + length)
        yield _Row(
            line, cells.get("Begin File", ""), start, end, cells[label], cells.get(score, "")
        )


def _write_raven(events: pd.DataFrame) -> str:
    has_scores = events["score"].notna().any()
    head = ["Selection", "View", "Channel", _BEGIN, _END, "Low Freq (Hz)", "High Freq (Hz)"]
    lines = [[*head, "Begin File", "Annotation", *(["Score"] if has_scores else [])]]
    rate = _header(events).get("sampling_rate", 2 * HIGHEST)
    for number, row in enumerate(events.itertuples(index=False), 1):
        cells = [str(number), "Spectrogram 1", "1", f"{row.start:.6f}", f"{row.end:.6f}", "0.0"]
        cells += [f"{rate / 2:.1f}", re.split(r"[/\\]", row.file)[-1], row.label]
        lines.append([*cells, *([f"{row.score:.6g}"] if has_scores else [])])
    return "".join("\t".join(line) + "\n" for line in lines)


def _read_audacity(text: str, path: Path, label_column: str | None) -> Iterator[_Row]:
    for line, content in enumerate(text.split("\n"), 1):
        cells = content.rstrip("\r").split("\t")
        if not content.strip() or cells[0] == "\\":  # frequencies of the label above
            continue
        if len(cells) < 2:
            raise ValueError(
                f"Got {shown(content)} in line {line} of {path.name!r}, expected start, end and "
                "label with tabs between them, as Audacity exports label tracks."
            )
        yield _Row(line, "", cells[0], cells[1], "\t".join(cells[2:]).strip())


def _write_audacity(events: pd.DataFrame) -> str:
    rows = events.itertuples(index=False)
    return "".join(f"{row.start:.6f}\t{row.end:.6f}\t{row.label}\n" for row in rows)


def _read_praat(text: str, path: Path, label_column: str | None) -> Iterator[_Row]:
    for line, start, end, label in read_textgrid(text, path.name):
        yield _Row(line, "", start, end, label)


def _write_praat(events: pd.DataFrame) -> str:
    return write_textgrid(events, _header(events).get("duration", 0.0))


def _table(
    text: str, path: Path, columns: Sequence[str], reader: Callable[..., object], **options: object
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the cells of each row of a table by their columns, and the number of its line."""
    lines: Any = reader(io.StringIO(text, newline=""), **options)
    head: list[str] = []
    try:
        for row in lines:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not head:
                head = cells
                for column in columns:
                    if (count := head.count(column)) != 1:
                        raise ValueError(
                            f"Got column {column!r} {count} times in {path.name!r}, expected once. "
                            f"Columns there: {list_names(head, column)}."
                        )
                continue
            if len(cells) > len(head) or (len(cells) < len(head) and reader is csv.reader):
                raise ValueError(
                    f"Got {len(cells)} cells in line {lines.line_num} of {path.name!r}, expected "
                    f"{len(head)} as in the first line."
                )
            cells += [""] * (len(head) - len(cells))  # Raven leaves out empty cells at the end
            yield lines.line_num, dict(zip(head, cells, strict=True))
    except csv.Error as error:
        raise ValueError(
            f"Got broken quoting near line {lines.line_num} of {path.name!r}: {printable(error)}. "
            'Close each quote, and double quotes within quotes ("").'
        ) from error
    if not head:
        raise ValueError(
            f"Got table {path.name!r}, which is empty, expected a line of names first: "
            f"{list_names(columns)}."
        )


class _SplitAtTabs:
    """Rows of a table without quoting, because Raven's labels may begin with a quote."""

    def __init__(self, file: io.StringIO) -> None:
        self._file = file
        self.line_num = 0

    def __iter__(self) -> Iterator[list[str]]:
        for line in self._file:
            self.line_num += 1
            yield line.rstrip("\r\n").split("\t")


# --- any format ----------------------------------------------------------------------------------


class _Format(NamedTuple):
    """Functions that read and write a format."""

    suffix: str
    read: Callable[[str, Path, str | None], Iterator[_Row]]
    write: Callable[[pd.DataFrame], str]


FORMATS = {
    "raven": _Format(RAVEN_SUFFIX, _read_raven, _write_raven),
    "audacity": _Format(".txt", _read_audacity, _write_audacity),
    "textgrid": _Format(".TextGrid", _read_praat, _write_praat),
    "csv": _Format(".csv", _read_csv, _write_csv),
}


def _kind_of(path: Path, text: str) -> str:
    suffix = path.suffix.lower()
    if suffix == ".textgrid":
        return "textgrid"
    if suffix in (".csv", ".tsv"):
        return "csv"
    if suffix != ".txt":
        raise ValueError(
            f"Got path={str(path)!r}, whose ending says no format, expected .txt, .TextGrid, .csv "
            f"or .tsv, or format=: one of {list_names(FORMATS)}, or one of crowsetta's."
        )
    head = text.lstrip().split("\n", 1)[0]
    if _BEGIN in head.split("\t"):
        return "raven"
    return "textgrid" if "ooTextFile" in head else "audacity"


def _from_crowsetta(path: Path, format: str, file: str) -> pd.DataFrame:  # noqa: A002
    try:
        import crowsetta
    except ImportError as error:
        raise ImportError(
            f"format={format!r} needs crowsetta, not installed here: "
            f"pip install 'skaudeep[annotations]'. Without it there are {list_names(FORMATS)}."
        ) from error
    import pandas as pd

    known = crowsetta.formats.as_list()
    if format not in known:
        raise ValueError(
            f"Got format={format!r}, expected one of {list_names(FORMATS)}, or of crowsetta's: "
            f"{list_names(known)}."
        )
    check_readable(path, "a table of events")
    annotation = crowsetta.Transcriber(format=format).from_file(path).to_annot()
    sequences = getattr(annotation, "seq", None)
    if sequences is None:
        rows = [(box.onset, box.offset, str(box.label)) for box in annotation.bboxes]
    else:
        if not isinstance(sequences, list):
            sequences = [sequences]
        rows = [
            (segment.onset_s, segment.offset_s, str(segment.label))
            for sequence in sequences
            for segment in sequence.segments
        ]
    frame = pd.DataFrame(rows, columns=["start", "end", "label"])
    return check_events(frame.assign(file=file), printable(path.name))


def _recording_of(path: Path) -> str:
    """Return the name of the recording beside a table with the same name, or the table's name."""
    stem = _RAVEN_NAME.sub("", path.name)
    if stem == path.name:
        stem = path.stem
    beside = [
        stem + suffix for suffix in sorted(AUDIO_SUFFIXES) for suffix in (suffix, suffix.upper())
    ]
    found = [name for name in beside if (path.parent / name).is_file()]
    return found[0] if len(found) == 1 else stem


def _header(events: pd.DataFrame) -> dict[str, float]:
    """Return rate (Hz) and duration (s) of the recording; an empty dict if it is not found."""
    try:
        info = audio_info(events["file"].iloc[0])
    except (AudioError, IndexError):
        return {}
    return {"sampling_rate": info.sampling_rate, "duration": info.duration}


def _number(text: str, what: str, line: int, path: Path) -> float:
    for digits in (text, text.replace(",", ".")):  # a decimal comma, as in half of Europe
        try:
            return float(digits)
        except ValueError:
            continue
    raise ValueError(
        f"Got {shown(text)} as {what} in line {line} of {path.name!r}, expected a number. Times "
        "are seconds from the start of the recording."
    )


def _decode(path: Path) -> str:
    content = path.read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Got {path.name!r}, which is not UTF-8 text (byte {error.start}), expected a table of "
            "events. Save it as UTF-8."
        ) from error
    if "\0" in text:
        raise ValueError(f"Got {path.name!r}, which is no text, expected a table of events.")
    return text
