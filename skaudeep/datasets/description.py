"""A summary of a data set: counts, partitions, folds and the headers of its audio files."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt
from joblib import delayed
from sklearn.utils import Bunch

from skaudeep._padding import empty_rows
from skaudeep._parallel import parallel_threads
from skaudeep._texts import printable
from skaudeep.datasets.bunch import PARTITIONS, check_bunch
from skaudeep.datasets.operations import NO_VALUES, is_labelled, take

if TYPE_CHECKING:
    from skaudeep.audio.clips import Clip
    from skaudeep.audio.errors import AudioError
    from skaudeep.audio.files import AudioInfo
    from skaudeep.datasets.one_clip import ClipDescription

MAX_LINES = 5  # lines of one kind that a summary shows
MAX_WIDTH = 80  # characters of the name of a class
UNLABELLED = "unlabelled"
NO_CLASS = "no class"
ALL = "all"
_SUMS = (UNLABELLED, NO_CLASS, ALL, "labelled")  # rows of the table that are not classes


@dataclass(frozen=True, repr=False, eq=False)
class Summary:
    """Result of :func:`describe`; prints as a table.

    Parameters
    ----------
    n_clips : int
        Number of clips.
    counts : dict of str to dict of str to int
        Number of clips in each row and column of the table. Rows are the classes ("labelled" for
        regression), "no class" and "unlabelled" where there are such clips, and "all"; columns are
        "clips", the partitions that occur, and "fold 1" ... for the clips that a fold tests.
    n_groups : int
        Number of groups, 0 where none is known.
    value_range : (float, float) or None
        Smallest and largest value of a regression target, over all columns.
    data : str
        Content of `data`, such as "files" or "array of shape (400, 1024)".
    durations : ndarray of shape (n_clips,)
        Duration of each clip in seconds, as its header states it; NaN if the header cannot be read,
        or the data are not audio.
    sampling_rates : dict of int to int
        Number of clips of each rate in Hz, the most frequent first.
    channels : dict of int to int
        Number of clips of each number of channels.
    formats : dict of str to int
        Number of clips of each format and subtype, as libsndfile calls them.
    unreadable : dict of str to str
        Error message by file name, of clips whose header cannot be read, that could not be
        extracted (key `errors` of stored data sets), or whose values, in memory, are all NaN.
    """

    n_clips: int
    counts: dict[str, dict[str, int]]
    n_groups: int
    value_range: tuple[float, float] | None
    data: str
    durations: npt.NDArray[np.float64]
    sampling_rates: dict[int, int]
    channels: dict[int, int]
    formats: dict[str, int]
    unreadable: dict[str, str]

    @property
    def most_frequent_rate(self) -> int | None:
        """Sampling rate of most clips in Hz, to which others are resampled; None without sound."""
        return next(iter(self.sampling_rates), None)

    def __str__(self) -> str:
        facts = {"clips": f"{self.n_clips}, {self.data}"}
        known = self.durations[~np.isnan(self.durations)]
        if len(known):
            low, middle, high = known.min(), np.median(known), known.max()
            each = f"{low:.3g} s each" if low == high else f"{low:.3g} to {high:.3g} s"
            facts["length"] = f"{each}, median {middle:.3g} s, {_hours(known.sum())} in all"
        facts["rate"] = _list(self.sampling_rates, " Hz")
        facts["channels"] = _list(self.channels)
        facts["format"] = _list(self.formats)
        facts["groups"] = str(self.n_groups or "")
        if self.value_range:
            facts["values"] = "{:g} to {:g}".format(*self.value_range)
        lines = [f"{name:<9} {fact}" for name, fact in facts.items() if fact]
        classes = {name: row["clips"] for name, row in self.counts.items() if name not in _SUMS}
        if alone := [name for name, n_clips in classes.items() if n_clips == 1]:
            names = ", ".join(map(repr, alone[:MAX_LINES])) + " ..." * (len(alone) > MAX_LINES)
            lines.append(f"{len(alone)} class(es) of one clip, no use to train and test: {names}")
        if self.unreadable:
            lines.append(f"{len(self.unreadable)} unreadable:")
            shown = list(self.unreadable.items())[:MAX_LINES]
            lines += [f"  {printable(name)}: {printable(reason)}" for name, reason in shown]
            if len(self.unreadable) > MAX_LINES:
                lines.append("  ...")
        return "\n".join([*lines, "", *_table(self.counts)])

    __repr__ = __str__


@overload
def describe(bunch: Bunch, *, clip: None = None, n_jobs: int | None = -1) -> Summary: ...


@overload
def describe(bunch: Bunch, *, clip: int | str, n_jobs: int | None = -1) -> ClipDescription: ...


def describe(
    bunch: Bunch, *, clip: int | str | None = None, n_jobs: int | None = -1
) -> Summary | ClipDescription:
    """Describe a data set, or one of its clips.

    The description of a data set has its classes, folds, partitions and groups, and statistics of
    the headers of its clips. That of a clip has its header, or the shape and range of its values,
    and its label, group and folds.

    Only the headers of audio files are read, once for each file. (MP3 and Ogg files are read whole,
    and files that FFmpeg reads are decoded, because their headers do not state a reliable length.)
    :func:`audit` decodes the files and finds faults that headers do not show.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with the keys of :func:`make_bunch`. `data` may be paths, a (file, start, end)
        index, waveforms (with a key `sampling_rate` in Hz), spectrograms or features. Spectrograms
        and features on disk are not read, except those of `clip`; in memory, clips whose values are
        all NaN are listed in `unreadable`.
    clip : int or str, default=None
        Position of a clip, counted from 0, or its name in `filenames`. None describes the data set.
    n_jobs : int or None, default=-1
        Number of threads that read headers. -1 uses all cores. None is 1, unless a
        :func:`joblib.parallel_config` context states another number. It has no effect with `clip`.

    Returns
    -------
    Summary or ClipDescription
        The description, which prints as a table. The table of a data set counts clips: its rows are
        the classes and "all" clips ("labelled" clips and "all" for regression; also "unlabelled"
        and, if clips may have several classes, "no class"), its columns are all clips, the
        partitions, and the clips that each fold tests. The attributes hold the same figures:
        `n_clips`, `counts` (the table, as dictionaries), `n_groups`, `value_range` (of a regression
        target), `data` (what `data` holds, in words), `durations` (in seconds, NaN if unknown),
        `sampling_rates` (number of clips by rate in Hz), `channels`, `formats` and `unreadable`
        (error by file name). Those of a clip are `clip`, `n_clips`, `filename`, `target`, `group`,
        `partition`, `test_folds`, `n_folds`, `content`, `values`, `duration`, `sampling_rate`,
        `n_channels`, `format` and `error`.

    Raises
    ------
    ValueError
        If keys are missing or contradict each other, or there is no such clip. Clips whose headers
        cannot be read do not raise an error; they are listed in `unreadable` (of one clip, `error`
        has the reason).

    Examples
    --------
    >>> from skaudeep.datasets import describe, make_sounds
    >>> sounds = make_sounds(20, n_classes=4, n_sessions=2, sampling_rate=8000, random_state=0)
    >>> print(describe(sounds))
    clips     20, waveforms
    length    1 s each, median 1 s, 0:00:20 in all
    rate      8000 Hz
    channels  1
    groups    2
    <BLANKLINE>
                    clips  fold 1  fold 2
    rising sweep        5       3       2
    falling sweep       5       3       2
    low-high tones      5       3       2
    high-low tones      5       3       2
    all                20      12       8
    >>> print(describe(sounds, clip=3))
    clip       fold_1/high-low tones/00003.wav, number 3 of 20
    length     1 s
    rate       8000 Hz
    channels   1
    target     high-low tones
    group      session 1
    tested in  fold 1 of 2
    """
    if clip is not None:
        from skaudeep.datasets.one_clip import describe_clip  # it imports this module

        return describe_clip(bunch, clip)
    bunch = check_bunch(bunch)
    n_clips = len(bunch.filenames)
    clips = audio_clips(bunch)
    headers: list[AudioInfo | AudioError] = []
    durations = np.full(n_clips, np.nan)
    if clips is not None:
        headers = read_headers(clips, bunch.get("sampling_rate"), n_jobs)
        for row, (one, header) in enumerate(zip(clips, headers, strict=True)):
            if not isinstance(header, Exception):
                end = header.duration if one.end is None else min(one.end, header.duration)
                durations[row] = max(end - one.start, 0)
    readable = [header for header in headers if not isinstance(header, Exception)]
    labelled = is_labelled(bunch)
    values = bunch.target[labelled] if bunch.target.dtype.kind == "f" else np.empty(0)
    stored = list(map(str, bunch.get("errors", [""] * n_clips)))
    if clips is None and type(bunch.data) is np.ndarray:  # arrays on disk are not read
        empty = empty_rows(bunch.data).tolist()
        stored = [fault or NO_VALUES * none for fault, none in zip(stored, empty, strict=True)]
    faults = [header.reason if isinstance(header, Exception) else "" for header in headers]
    return Summary(
        n_clips=n_clips,
        counts=_count(bunch, labelled),
        n_groups=len(set(bunch.groups[bunch.groups != ""].tolist())),
        value_range=(float(values.min()), float(values.max())) if values.size else None,
        data=_kind(bunch.data, clips),
        durations=durations,
        sampling_rates=_frequent(header.sampling_rate for header in readable),
        channels=_frequent(header.n_channels for header in readable),
        formats=_frequent(
            f"{header.format} {header.subtype}".strip() for header in readable if header.format
        ),
        unreadable={
            str(name): str(fault)
            for name, fault in zip(bunch.filenames, faults or stored, strict=True)
            if fault
        },
    )


def audio_clips(bunch: Bunch) -> list[Clip] | None:
    """Return the clips of a data set of audio; None where it holds spectrograms or features."""
    data = bunch["data"]
    names = list(getattr(getattr(data, "index", data), "names", None) or [])
    first = None if hasattr(data, "columns") else take(data, np.arange(1))
    is_path = first is not None and isinstance(np.asarray(first, object).flat[0], str | os.PathLike)
    if not is_path and names != ["file", "start", "end"] and "sampling_rate" not in bunch:
        return None
    from skaudeep.audio.clips import list_clips

    return list_clips(data)


def read_headers(
    clips: list[Clip], sampling_rate: float | None, n_jobs: int | None
) -> list[AudioInfo | AudioError]:
    """Read the header of each clip's file, or its error; each file is opened once."""
    from skaudeep.audio.decoding import audio_info
    from skaudeep.audio.errors import AudioError

    def read(path: str) -> AudioInfo | AudioError:
        try:
            return audio_info(path)
        except AudioError as error:
            return error

    paths = list(dict.fromkeys(os.fspath(c.source) for c in clips if is_file(c)))
    found = parallel_threads(n_jobs)(delayed(read)(path) for path in paths)
    by_path = dict(zip(paths, found, strict=True))
    return [
        by_path[os.fspath(clip.source)] if is_file(clip) else _header(clip, sampling_rate)
        for clip in clips
    ]


def is_file(clip: Clip) -> bool:
    """Return whether a clip is a file, or a piece of one, rather than a waveform."""
    return isinstance(clip.source, str | os.PathLike)


def _header(clip: Clip, sampling_rate: float | None) -> AudioInfo | AudioError:
    """Return the header that a waveform would have as a file."""
    from skaudeep.audio.errors import AudioError
    from skaudeep.audio.files import AudioInfo

    shape = np.shape(clip.source)
    if sampling_rate is None or not 1 <= len(shape) <= 2:
        return AudioError(
            clip.name,
            f"is neither a path nor a waveform of known rate (shape {shape})",
            "Add the key sampling_rate, in Hz, to the data set",
        )
    n_channels = 1 if len(shape) == 1 else shape[0]
    return AudioInfo(shape[-1], n_channels, int(sampling_rate), format="", subtype="")


def _kind(data: Any, clips: list[Clip] | None) -> str:
    if clips is None:
        return f"array of shape {tuple(data.shape)}" if hasattr(data, "shape") else "list of arrays"
    if not all(map(is_file, clips)):
        return "waveforms"
    n_files = len({os.fspath(clip.source) for clip in clips})
    return "files" if n_files == len(clips) else f"in {n_files} file(s)"


def _count(bunch: Bunch, labelled: npt.NDArray[np.bool_]) -> dict[str, dict[str, int]]:
    columns = {"clips": np.ones(len(labelled), dtype=bool)}
    columns |= {name: bunch.partition == name for name in PARTITIONS if name in bunch.partition}
    columns |= {f"fold {k}": fold == 1 for k, fold in enumerate(bunch.folds.T, start=1)}
    is_float = bunch.target.dtype.kind == "f"
    names = ["labelled"] if is_float else bunch.target_names
    if bunch.target.ndim == 2 and not is_float:  # a clip counts for each of its classes
        counts = {
            column: [*(bunch.target[of] > 0).sum(axis=0).tolist(), int((of & ~labelled).sum())]
            for column, of in columns.items()
        }
        totals = {column: int(of.sum()) for column, of in columns.items()}
        rows = {name: {c: n[i] for c, n in counts.items()} for i, name in enumerate(names)}
        without = labelled & ~(bunch.target > 0).any(axis=1)
        if without.any():
            rows[NO_CLASS] = {column: int((of & without).sum()) for column, of in columns.items()}
        if not labelled.all():
            rows[UNLABELLED] = {column: n[-1] for column, n in counts.items()}
        return rows | {ALL: totals}
    # One pass counts all classes, as there may be as many classes as clips.
    row_of = np.where(labelled, 0 if is_float else bunch.target, len(names))
    counts = {
        column: np.bincount(row_of[of], minlength=len(names) + 1).tolist()
        for column, of in columns.items()
    }
    rows = {name: {column: n[i] for column, n in counts.items()} for i, name in enumerate(names)}
    if not labelled.all():
        rows[UNLABELLED] = {column: n[-1] for column, n in counts.items()}
    return rows | {ALL: {column: sum(n) for column, n in counts.items()}}


def _frequent(values: Any) -> dict[Any, int]:
    return dict(Counter(values).most_common())


def _list(counts: dict[Any, int], unit: str = "") -> str:
    if len(counts) == 1:
        return f"{next(iter(counts))}{unit}"
    shown = [f"{value}{unit} ({count})" for value, count in list(counts.items())[:MAX_LINES]]
    return ", ".join(shown + ["..."] * (len(counts) > MAX_LINES))


def _hours(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


def _shown(name: str) -> str:
    """Return the name of a class, cut: the table pads all names to the longest."""
    return printable(name if len(name) <= MAX_WIDTH else f"{name[: MAX_WIDTH - 3]}...")


def _table(counts: dict[str, dict[str, int]]) -> list[str]:
    columns = list(counts[ALL])
    width = max(len(_shown(row)) for row in counts)
    lines = [" " * width + "".join(f"  {name:>6}" for name in columns)]
    for row, cells in counts.items():
        figures = (f"  {count:>{max(6, len(name))}}" for name, count in cells.items())
        lines.append(f"{_shown(row):<{width}}" + "".join(figures))
    return lines
