"""Windows of long recordings as the clips of a data set, with labels from annotations."""

from __future__ import annotations

import math
import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils import Bunch

from skaudeep._texts import list_names, printable, shown, text_array
from skaudeep._warnings import find_stack_level
from skaudeep.audio.clips import read_time
from skaudeep.datasets.bunch import check_bunch, make_bunch, natural_order, repeated, replace_keys
from skaudeep.datasets.delimited import read_columns
from skaudeep.datasets.description import audio_clips, is_file, read_headers
from skaudeep.datasets.folder import load_folder
from skaudeep.datasets.operations import row_keys, select, take
from skaudeep.datasets.recorders import recording_time
from skaudeep.datasets.table import frame_columns

if TYPE_CHECKING:
    import pandas

SHORTEST = 0.001  # seconds: names tell windows apart by their milliseconds
TOLERANCE = 0.001  # seconds that an annotation may end after its recording: times are rounded
MAX_NAMED = 5  # recordings that a warning names
_COLUMNS = ["file", "start", "end", "label"]


def windows(
    recordings: Bunch | str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    duration: float,
    hop: float | None = None,
    annotations: pandas.DataFrame | str | os.PathLike[str] | None = None,
    min_overlap: float = 0.25,
    background: str = "keep",
    target_names: Sequence[str] | None = None,
) -> Bunch:
    r"""Divide recordings into windows, each of which is a clip of the data set that is returned.

    No file is cut: a window is a file name with a start and an end, and is decoded when it is read.
    Where windows are read in order, each sample is decoded once. This function reads only the
    headers of the files.

    Windows start every `hop` seconds, at the nearest sample, and all whole windows of a sampling
    rate have the same number of samples. If the whole windows do not reach the end of a recording,
    a shorter window starts one `hop` after the last of them and ends with the recording, if it is
    at least half as long as `duration`. A recording that is shorter than a window is therefore one
    window if it lasts half a window at least; otherwise it has none, which causes a warning.

    Parameters
    ----------
    recordings : Bunch, str, Path, or sequence of str or Path
        A data set whose `data` are paths, as readers return it; or a folder, of which all audio
        files at any depth are used; or a file, or a list of files. Recordings that are not given as
        a data set are unlabelled, and named relative to the folder that they share.
    duration : float >= 0.001
        Length of a window in seconds.
    hop : float >= 0.001, default=None
        Time between the starts of two windows in seconds. Windows overlap if it is smaller than
        `duration`. None is `duration`.
    annotations : pandas.DataFrame, or path of a CSV file, default=None
        Events in the recordings: a row for each, with the columns `file`, `start`, `end` (in
        seconds, or Timedelta; a missing `end` is the end of the recording) and `label`. Other
        columns are ignored. `file` is a path from `data`, or a name from `filenames` with or
        without its folders. Events may overlap, also events of the same class. All windows of a
        recording without an event are background: they have no class. None: the windows have the
        target of their recording.
    min_overlap : float >= 0, default=0.25
        Smallest overlap in seconds of an event and a window for which the window has the class of
        the event. If the event or the window is shorter, it must lie wholly in the other. Overlaps
        of several events are not added.
    background : {"keep", "drop"}, default="keep"
        Whether to keep or to leave out windows without a class. It has no effect without
        `annotations`.
    target_names : sequence of str, default=None
        The classes in the order of the columns of the target. None: the classes that occur in
        `annotations`, sorted (by number if all are whole numbers). Only with `annotations`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`make_bunch`, and with `recorded_at`. Windows are in the
        order of the recordings and of time. Each window has the folds and the partition of its
        recording, and, without `annotations`, its target.

        data : pandas.MultiIndex with the levels file, start, end
            The windows, which :class:`~skaudeep.SpectrogramExtractor` reads.
        filenames : ndarray of shape (n_windows,) of str
            `name#start-end`, with the times in milliseconds.
        target : ndarray of shape (n_windows, n_classes) of int64
            With annotations, 1 if the window has the class, else 0.
        groups : ndarray of shape (n_windows,) of str
            The group of the recording, or its name if it has no group. Folds that keep groups
            together, as those of :func:`add_folds`, therefore never divide the windows of a
            recording.
        recorded_at : ndarray of shape (n_windows,) of datetime64
            Time of the start of the window, by the recorder's clock; NaT if it is unknown. It is
            computed from `recorded_at` of the recordings if they have this key, or else from file
            names in the manner of AudioMoth (`20230401_053000.WAV`, or `5A7B5F2C.WAV` with
            hexadecimal seconds since 1970) and Song Meter (`SITE_20230401_053000.wav`).

    Raises
    ------
    AudioError
        If none of the headers can be read, as those of files that do not exist.
    FileNotFoundError
        If a folder has no audio file, or the table of annotations does not exist.
    TypeError
        If `annotations` is neither a DataFrame nor a path.
    ValueError
        If a parameter is out of its range, recordings are waveforms, segments or copies, or no
        window is left; or if an annotation ends before it starts, lies outside its recording,
        belongs to none of the recordings, or has no label, or one that is not in `target_names`.
        The message names file and time.

    Warns
    -----
    UserWarning
        If recordings have no window, because they are too short or their headers cannot be read,
        or if annotations overlap with no window by `min_overlap`.

    See Also
    --------
    load_index : Segments of recordings that a table lists.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import pandas as pd
    >>> import soundfile
    >>> from skaudeep.datasets import windows
    >>> calls = pd.DataFrame({"file": "SITE_20230401_053000.wav", "start": [1.5, 6.1],
    ...                       "end": [2.3, 6.2], "label": ["owl", "crow"]})
    >>> with TemporaryDirectory() as folder:
    ...     noise = np.random.default_rng(0).normal(scale=0.1, size=8 * 8000)
    ...     soundfile.write(Path(folder, "SITE_20230401_053000.wav"), noise, 8000)
    ...     bunch = windows(folder, duration=3, hop=2, annotations=calls)
    >>> bunch.filenames.tolist()[-1]
    'SITE_20230401_053000.wav#6000-8000'
    >>> bunch.target_names, bunch.target.tolist()
    (['crow', 'owl'], [[0, 1], [0, 1], [1, 0], [1, 0]])
    >>> print(bunch.recorded_at[1].astype("datetime64[s]"))
    2023-04-01T05:30:02
    """
    hop = duration if hop is None else hop
    _check_parameters(duration, hop, min_overlap, background)
    whole = _as_bunch(recordings)
    spans, left_out = _find_spans(whole, float(duration), float(hop))
    names = whole.filenames.tolist()
    found = None
    if annotations is not None:
        found = _read_annotations(annotations, whole)
        _check_times(found, names, spans)
    elif target_names is not None:
        raise ValueError(
            f"Got target_names={list_names(target_names)} without annotations=, expected both."
        )
    if left_out:
        some = "\n".join(f"{printable(names[row])}: {why}" for row, why in left_out[:MAX_NAMED])
        more = f"\nand {len(left_out) - MAX_NAMED} more" if len(left_out) > MAX_NAMED else ""
        warnings.warn(
            f"{len(left_out)} of {len(names)} recordings have no window:\n{some}{more}",
            stacklevel=find_stack_level(),
        )
    bunch = _as_windows(whole, spans, float(duration), float(hop))
    if found is None:
        return bunch
    target, classes = _count(found, spans, names, min_overlap, target_names)
    bunch = replace_keys(bunch, target=target, target_names=classes)
    if background == "keep":
        return bunch
    if not target.any():
        raise ValueError(
            f'Got background="drop" and annotations that count in none of {len(target)} windows, '
            "expected one that does. Lower min_overlap or hop."
        )
    return select(bunch, target.any(axis=1))


def _check_parameters(duration: float, hop: float, min_overlap: float, background: str) -> None:
    for name, value in (("duration", duration), ("hop", hop)):
        if not isinstance(value, Real) or not SHORTEST <= value < math.inf:
            raise ValueError(
                f"Got {name}={value!r}, expected seconds, {SHORTEST} at least: names tell windows "
                "apart by their milliseconds."
            )
    if not isinstance(min_overlap, Real) or not 0 <= min_overlap < math.inf:
        raise ValueError(f"Got min_overlap={min_overlap!r}, expected seconds, 0 at least.")
    if background not in ("keep", "drop"):
        raise ValueError(f'Got background={background!r}, expected "keep" or "drop".')


# Recordings.


def _as_bunch(recordings: Any) -> Bunch:
    """Return a data set of whole files."""
    if isinstance(recordings, Mapping):
        bunch = check_bunch(recordings)
        if "copy_of" in bunch:
            raise ValueError(
                "Got a data set with copies (key copy_of), expected originals. Call upsample on "
                "the windows."
            )
        clips = audio_clips(bunch)
        if clips is None or not all(map(is_file, clips)):
            raise ValueError(
                f"Got a data set with the axes {bunch.dims} that are no files, expected recordings "
                "as files: windows are read from these."
            )
        if any(clip.start or clip.end is not None for clip in clips):
            raise ValueError(
                "Got a data set of segments of recordings, expected whole recordings: give the "
                "list of their files."
            )
        return replace_keys(bunch, data=text_array([os.fspath(c.source) for c in clips], "data"))
    if isinstance(recordings, str | os.PathLike):
        path = Path(recordings).expanduser()
        if path.is_dir():
            return load_folder(path, layout="files")
        recordings = [path]
    paths = [os.path.expanduser(os.fspath(path)) for path in recordings]
    if not paths:
        raise ValueError("Got no recordings, expected one file at least.")
    folders = [os.path.dirname(os.path.abspath(path)) for path in paths]
    base = os.path.commonpath(folders)
    names = [os.path.relpath(os.path.abspath(path), base).replace(os.sep, "/") for path in paths]
    return make_bunch(paths, names, descr=f"{len(paths)} recordings")


class _Spans(NamedTuple):
    """Windows of a recording of known length; none where it is unknown."""

    n_samples: int
    rate: float
    starts: npt.NDArray[np.int64]  # samples
    ends: npt.NDArray[np.int64]

    @property
    def seconds(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Starts and ends of the windows in seconds."""
        return self.starts / self.rate, self.ends / self.rate


def _find_spans(
    bunch: Bunch, duration: float, hop: float
) -> tuple[list[_Spans], list[tuple[int, str]]]:
    """Return the windows of each recording, and which recordings have none and why."""
    from skaudeep.audio.errors import AudioError, all_clips_failed
    from skaudeep.audio.files import check_length

    headers = read_headers(audio_clips(bunch) or [], None, n_jobs=-1)
    spans, left_out, unreadable = [], [], []
    for row, header in enumerate(headers):
        if isinstance(header, AudioError):
            unreadable.append(header)
            left_out.append((row, header.reason))
            spans.append(_spans(0, 1, duration, hop))
            continue
        check_length("duration", duration, header.sampling_rate)
        spans.append(_spans(header.n_samples, header.sampling_rate, duration, hop))
        if not len(spans[-1].starts):
            why = f"lasts {header.duration:.4g} s, less than half of duration={duration:g} s"
            left_out.append((row, why))
    if len(unreadable) == len(spans):
        raise all_clips_failed(len(spans), unreadable[0])
    if len(left_out) == len(spans):
        row, why = left_out[0]
        raise ValueError(
            f"Got {len(spans)} recordings without a window, first {str(bunch.filenames[row])!r}: "
            f"{why}. Shorten duration."
        )
    return spans, left_out


def _spans(n_samples: int, rate: float, duration: float, hop: float) -> _Spans:
    """Place windows in a recording, by the rules of :func:`windows`."""
    length = max(1, round(duration * rate))
    step = hop * rate
    n_full = max(0, math.floor((n_samples - length) / step + 1) + 1)  # one more, for rounding
    starts = np.round(np.arange(n_full) * step).astype(np.int64)
    starts = starts[starts + length <= n_samples]
    following = round(len(starts) * step)
    covered = starts[-1] + length if len(starts) else 0
    if covered < n_samples and 2 * (n_samples - following) >= length:
        starts = np.append(starts, following)
    return _Spans(n_samples, rate, starts, np.minimum(starts + length, n_samples))


def _as_windows(whole: Bunch, spans: list[_Spans], duration: float, hop: float) -> Bunch:
    """Return the data set of windows, which have the folds, partition and group of recordings."""
    import pandas as pd

    counts = np.array([len(span.starts) for span in spans])
    starts, ends = (np.concatenate([span.seconds[side] for span in spans]) for side in range(2))
    if not counts.all():
        kept = select(whole, counts > 0)
        counts = counts[counts > 0]
    else:
        kept = whole
    rows = np.repeat(np.arange(len(counts)), counts)
    names = kept.filenames.tolist()
    own = {key: take(kept[key], rows) for key in row_keys(kept) if key != "data"}
    groups = [group or name for group, name in zip(kept.groups.tolist(), names, strict=True)]
    if "recorded_at" in own:
        times = np.asarray(kept.recorded_at, dtype="datetime64[ns]")
    else:
        times = np.array([recording_time(name) for name in names], dtype="datetime64[ns]")
    since, until = (np.round(seconds * 1e9).astype("timedelta64[ns]") for seconds in (starts, ends))
    milliseconds = zip(
        rows.tolist(), np.round(starts * 1000).tolist(), np.round(ends * 1000).tolist(), strict=True
    )
    own |= {
        "data": pd.MultiIndex.from_arrays(
            [kept.data[rows], pd.TimedeltaIndex(since), pd.TimedeltaIndex(until)],
            names=["file", "start", "end"],
        ),
        "filenames": text_array(
            [f"{names[row]}#{start:.0f}-{end:.0f}" for row, start, end in milliseconds],
            "filenames",
        ),
        "groups": text_array(groups, "groups")[rows],
        "recorded_at": times[rows] + since,
        "DESCR": f"{len(rows)} windows of {duration:g} s, every {hop:g} s, of {len(names)} "
        f"recordings\n\n{kept.get('DESCR', '')}".strip(),
    }
    return check_bunch(replace_keys(kept, **own))


# Annotations.


class _Annotations(NamedTuple):
    """Annotations of events, one entry each."""

    rows: list[int]  # rows of the recordings
    starts: list[float]  # seconds
    ends: list[float]  # NaN: the end of the recording
    labels: list[str]


def _read_annotations(annotations: Any, whole: Bunch) -> _Annotations:
    if isinstance(annotations, str | os.PathLike):
        cells = read_columns(Path(annotations).expanduser(), _COLUMNS)
    elif hasattr(annotations, "iloc") and hasattr(annotations, "columns"):
        if list(annotations.index.names) == _COLUMNS[:3]:
            annotations = annotations.reset_index()
        cells = frame_columns(annotations, _COLUMNS)
    else:
        raise TypeError(
            f"Got annotations of type {type(annotations).__name__}, expected a pandas.DataFrame "
            f"with the columns {', '.join(_COLUMNS)}, or the path of a CSV file."
        )
    row_of = _rows_by_name(whole)
    found = []
    for file, *times, label in zip(*(cells[name] for name in _COLUMNS), strict=True):
        row = row_of.get(file, row_of.get(os.path.abspath(file)))
        if row is None:
            raise ValueError(
                f"Got an annotation of {shown(file)} from {printable(times[0])} s, which is none "
                f"of the {len(whole.filenames)} recordings: {list_names(whole.filenames, file)}. "
                "Leave its rows out, or give its recording as well."
            )
        try:
            start, end = (_seconds(time) for time in times)
        except (ValueError, TypeError, OverflowError):
            raise ValueError(
                f"Got times {shown(times[0])} and {shown(times[1])} for an annotation of "
                f"{shown(file)}, expected seconds, with a point where they are not whole, or "
                "Timedelta."
            ) from None
        if not label:
            raise ValueError(
                f"Got an annotation of {shown(file)} from {start:g} s without a label, expected "
                "the name of a class. Name it, or leave it out."
            )
        if not start >= 0 or end <= start:  # a start that is missing is NaN
            raise ValueError(
                f"Got an annotation of {shown(file)} from {start:g} s to {end:g} s, expected "
                "0 <= start < end."
            )
        found.append((row, start, end, label))
    return _Annotations(*map(list, zip(*found, strict=True)))


def _rows_by_name(whole: Bunch) -> dict[str, int]:
    """Return the recordings by their path, their name, and their name without folders."""
    names = whole.filenames.tolist()
    bare = [name.rsplit("/", 1)[-1] for name in names]
    ambiguous = set(repeated(bare))
    by_name = {name: row for row, name in enumerate(bare) if name not in ambiguous}
    by_name |= {os.path.abspath(path): row for row, path in enumerate(whole.data.tolist())}
    by_name |= {path: row for row, path in enumerate(whole.data.tolist())}
    return by_name | {name: row for row, name in enumerate(names)}


def _seconds(cell: str) -> float:
    """Return the time in a cell in seconds, NaN where it is missing."""
    try:
        seconds = float(cell)
    except ValueError:
        seconds = read_time(cell).total_seconds()
    if math.isinf(seconds):
        raise OverflowError("infinite")
    return seconds


def _check_times(found: _Annotations, names: list[str], spans: list[_Spans]) -> None:
    """Raise a ValueError about an annotation that lies outside its recording."""
    for row, start, end, label in zip(*found, strict=True):
        lasts = spans[row].n_samples / spans[row].rate
        if lasts and (start >= lasts or end > lasts + TOLERANCE):
            until = "" if math.isnan(end) else f" to {end:g} s"
            raise ValueError(
                f"Got an annotation {shown(label)} of {shown(names[row])} from {start:g} s{until}, "
                f"but the recording lasts {lasts:g} s. Correct its times; are they counted from "
                "the start of this file?"
            )


def _count(
    found: _Annotations,
    spans: list[_Spans],
    names: list[str],
    min_overlap: float,
    target_names: Sequence[str] | None,
) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return the classes of each window as columns of 0 and 1, and the names of the classes."""
    classes = natural_order(found.labels) if target_names is None else list(map(str, target_names))
    if twice := repeated(classes):
        raise ValueError(f"Got class {twice[0]!r} twice in target_names, expected distinct names.")
    column = {name: number for number, name in enumerate(classes)}
    offsets = np.cumsum([0, *(len(span.starts) for span in spans)])
    seconds = [span.seconds for span in spans]
    target = np.zeros((offsets[-1], len(classes)), dtype=np.int64)
    lost = []
    for row, start, end, label in zip(*found, strict=True):
        if label not in column:
            raise ValueError(
                f"Got an annotation {shown(label)} of {shown(names[row])} from {start:g} s, "
                f"expected one of target_names: {list_names(classes, label)}."
            )
        starts, ends = seconds[row]
        end = min(spans[row].n_samples / spans[row].rate, math.inf if math.isnan(end) else end)
        first, last = np.searchsorted(ends, start, "right"), np.searchsorted(starts, end, "left")
        if first >= last:
            lost.append((row, start, label))
            continue
        starts, ends = starts[first:last], ends[first:last]
        common = np.minimum(ends, end) - np.maximum(starts, start)
        needed = np.minimum(min(min_overlap, end - start), ends - starts)
        counts = common >= needed - 1e-6  # rounding
        target[offsets[row] + first : offsets[row] + last, column[label]] |= counts
        if not counts.any():
            lost.append((row, start, label))
    if lost:
        row, start, label = lost[0]
        per_class = ", ".join(f"{n} of {shown(c)}" for c, n in Counter(x[2] for x in lost).items())
        warnings.warn(
            f"{len(lost)} of {len(found.rows)} annotations count in no window ({per_class}), "
            f"first that of {printable(names[row])} at {start:g} s: they lie between windows, "
            "after the last one, or on the border of two. Lower min_overlap or hop to keep them.",
            stacklevel=find_stack_level(),
        )
    return target, classes
