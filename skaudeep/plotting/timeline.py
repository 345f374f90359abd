"""Plots of long recordings: spectrogram, scores over time and events on one time axis."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from skaudeep._texts import list_names, shown
from skaudeep.audio.decoding import audio_info, mix_channels, read_audio
from skaudeep.audio.frames import frame_layout
from skaudeep.audio.spectra import (
    full_scale_power,
    mel_filters,
    mel_frequencies,
    power_spectrogram,
)
from skaudeep.datasets.events import check_events
from skaudeep.plotting.pyplot import figure_size, import_pyplot, label_times, literal
from skaudeep.plotting.spectrograms import SpectrogramDisplay

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TimelineDisplay"]

WINDOW, HOP, BANDS = 0.032, 0.016, 64  # seconds and mel bands of the spectrogram
BLOCK = 60.0  # seconds that are read together
FLOOR = 1e-10  # share of the power of full scale: -100 dB
QUIET, LOUD = 5, 99.9  # percentiles of the levels at which colours begin and end
LANE = 0.22  # inches of height for each class of events


class TimelineDisplay:
    """Plot of a recording, or a part of it: spectrogram, scores, and events below one another.

    `from_recording` reads and plots a file of any length: mel bands of frames of 32 ms, in dB
    relative to digital full scale. Each column of the picture shows the highest level of each band
    in its time, so that a call of a second is visible in an hour, and memory does not grow with the
    length of the recording. The constructor takes levels that are known already, and `plot` draws
    them.

    Parameters
    ----------
    levels : array-like of shape (n_columns, n_bands)
        Levels in dB of each column of the picture, at least one column, without NaN.
    start, end : float
        Start of the first column and end of the last one, in seconds from the start of the
        recording, with 0 <= `start` < `end`. All columns have the same width.
    frequencies : array-like of shape (n_bands,), default=None
        Centres of the bands in Hz, increasing. None labels the axis with band numbers.
    scores : pandas.DataFrame, default=None
        Scores of this recording indexed by (file, start, end) with times as Timedelta, a column for
        each class, as :func:`~skaudeep.scores_over_time` returns them. None draws no scores.
    events, true_events : pandas.DataFrame, default=None
        Tables of the events that were found in this recording, and of true ones, with the columns
        `file`, `start`, `end` (in seconds from the start of the recording) and `label` (text).
        None draws no such events.
    threshold : float, default=None
        Threshold that is drawn as a line across the scores. None draws no line.
    name : str, default=None
        Title of the plot. None draws no title.

    Attributes
    ----------
    axes_ : dict of str to matplotlib Axes
        Axes under the keys "spectrogram" and, if they are drawn, "scores" and "events"; set by
        `plot`.
    figure_ : matplotlib Figure
        Figure of the axes, set by `plot`.

    Raises
    ------
    ValueError
        If `levels` does not have two axes or has no column, `start` and `end` are not as above, or
        a table of events lacks a column or has times that are not 0 <= `start` < `end`.
    TypeError
        If a table of events is not a DataFrame.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from skaudeep.plotting import TimelineDisplay
    >>> events = pd.DataFrame({"file": "a.wav", "start": [3.0], "end": [4.5], "label": "owl"})
    >>> levels = -60 + np.random.default_rng(0).normal(size=(200, 12))
    >>> display = TimelineDisplay(levels, start=0.0, end=10.0, events=events).plot()
    >>> list(display.axes_)
    ['spectrogram', 'events']

    A file of two seconds, by 100 columns:

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import soundfile
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "noise.wav")
    ...     soundfile.write(file, np.random.default_rng(0).normal(size=16000) / 10, 8000)
    ...     display = TimelineDisplay.from_recording(file, n_columns=100, axes=display.axes_)
    >>> display.levels.shape, display.end, display.name
    ((100, 64), 2.0, 'noise.wav')
    """

    def __init__(
        self,
        levels: Any,
        *,
        start: float,
        end: float,
        frequencies: Any = None,
        scores: pd.DataFrame | None = None,
        events: pd.DataFrame | None = None,
        true_events: pd.DataFrame | None = None,
        threshold: float | None = None,
        name: str | None = None,
    ) -> None:
        levels = np.asarray(levels)
        if levels.ndim != 2 or not len(levels):
            raise ValueError(
                f"Got levels of shape {levels.shape}, expected (n_columns, n_bands), at least one "
                "column."
            )
        if not 0 <= start < end < math.inf:
            raise ValueError(f"Got start={start} and end={end}, expected 0 <= start < end.")
        self.levels = levels
        self.start = start
        self.end = end
        self.frequencies = frequencies
        self.scores = scores
        self.events = None if events is None else check_events(events)
        self.true_events = None if true_events is None else check_events(true_events)
        self.threshold = threshold
        self.name = name

    @classmethod
    def from_recording(
        cls,
        file: str | os.PathLike[str],
        *,
        start: float = 0.0,
        end: float | None = None,
        scores: pd.DataFrame | None = None,
        events: pd.DataFrame | None = None,
        true_events: pd.DataFrame | None = None,
        threshold: float | None = None,
        n_columns: int = 600,
        axes: Any = None,
    ) -> Self:
        """Read a recording block by block, and plot it under the name of its file.

        Parameters
        ----------
        file : str or Path
            The recording.
        start : float >= 0, default=0.0
            Time in seconds at which the picture begins.
        end : float > start, default=None
            Time in seconds at which it ends. None is the end of the recording.
        scores, events, true_events : pandas.DataFrame, default=None
            Scores indexed by (file, start, end) with times as Timedelta, and tables of events that
            were found and of true ones, with the columns `file`, `start`, `end` (seconds) and
            `label`. Only rows are used whose `file` equals the argument `file` as text. None draws
            none. If more than `n_columns` rows of scores remain, the highest score of each column
            is drawn.
        threshold : float, default=None
            Threshold that is drawn as a line across the scores. None draws no line.
        n_columns : int > 0, default=600
            Largest number of columns of the spectrogram, and of points of a score. It should not
            exceed the number of dots of the picture, because short sounds could then be lost
            between dots.
        axes : dict of str to matplotlib Axes, default=None
            Axes to plot on, see `plot`. None makes a new figure.

        Returns
        -------
        TimelineDisplay
            The display, plotted.

        Raises
        ------
        AudioError
            If the recording cannot be read.
        ImportError
            If matplotlib is not installed.
        ValueError
            If `start` and `end` do not lie within the recording, `n_columns` is less than 1, or a
            table that is not empty has no row of this recording.
        """
        import_pyplot(f"{cls.__name__}.from_recording")
        file = os.fsdecode(file)
        duration = audio_info(file).duration
        end = duration if end is None else end
        if not 0 <= start < end <= duration + 1e-3:
            raise ValueError(
                f"Got start={start:g} and end={end:g} for {file!r}, expected 0 <= start < end <= "
                f"{duration:g}, its length in seconds."
            )
        if n_columns < 1:
            raise ValueError(f"Got n_columns={n_columns}, expected at least 1.")
        levels, frequencies = _loudest(file, start, min(end, duration), n_columns)
        if scores is not None:
            scores = _pooled(_of_file(scores, file, "scores"), start, end, n_columns)
        display = cls(
            levels,
            start=start,
            end=end,
            frequencies=frequencies,
            scores=scores,
            events=None if events is None else _of_file(events, file, "events"),
            true_events=None if true_events is None else _of_file(true_events, file, "true_events"),
            threshold=threshold,
            name=os.path.basename(file),
        )
        return display.plot(axes)

    def plot(self, axes: Any = None) -> Self:
        """Draw the panels below one another, on one time axis.

        From the top these are the spectrogram, the scores (if there are any) as a line for each
        class, and the events (if there are any) as bars in a row for each class. Events that were
        found have the colour of their class, and true ones stand above them in grey. If only one of
        the two tables is given, its events have the colours of their classes.

        Parameters
        ----------
        axes : dict of str to matplotlib Axes, default=None
            Axes to plot on, under one or more of the keys "spectrogram", "scores" and "events".
            Panels without axes are not drawn. None makes a new figure.

        Returns
        -------
        TimelineDisplay
            The display itself.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        classes = self._classes()
        tables = {"found": self.events, "true": self.true_events}
        tables = {kind: table for kind, table in tables.items() if table is not None}
        if axes is None:
            heights = {"spectrogram": 2.2}
            if self.scores is not None:
                heights["scores"] = 1.3
            if tables:
                heights["events"] = 0.3 + LANE * max(1, len(classes))
            _, panels = plt.subplots(
                len(heights),
                sharex=True,
                squeeze=False,
                figsize=figure_size(10, sum(heights.values()) + 0.6),
                height_ratios=list(heights.values()),
                layout="constrained",
            )
            axes = dict(zip(heights, panels[:, 0], strict=True))
        self.axes_, self.figure_ = axes, next(iter(axes.values())).figure
        colors = {label: f"C{i % 10}" for i, label in enumerate(classes)}
        if "spectrogram" in axes:
            self._draw_spectrogram(axes["spectrogram"])
        if "scores" in axes and self.scores is not None:
            self._draw_scores(axes["scores"], colors)
        if "events" in axes:
            self._draw_events(axes["events"], tables, colors)
        last = list(axes.values())[-1]
        for ax in axes.values():
            ax.set_xlim(self.start, self.end)
            ax.set_xlabel("time" if ax is last else "")
            label_times(ax.xaxis, self.start, self.end)
        return self

    def _classes(self) -> list[str]:
        classes = [] if self.scores is None else list(map(str, self.scores.columns))
        for table in (self.true_events, self.events):
            if table is not None:
                classes += sorted(set(table["label"]) - set(classes))
        return classes

    def _draw_spectrogram(self, ax: Any) -> None:
        width = (self.end - self.start) / len(self.levels)
        times = self.start + width * (np.arange(len(self.levels)) + 0.5)
        display = SpectrogramDisplay(
            self.levels, times=times, frequencies=self.frequencies, name=self.name, scale="dB"
        )
        low, high = np.percentile(self.levels, [QUIET, LOUD])
        display.plot(ax, colorbar=False, vmin=low, vmax=max(high, low + 1))

    def _draw_scores(self, ax: Any, colors: dict[str, str]) -> None:
        assert self.scores is not None
        starts, ends = _times(self.scores)
        for label in self.scores.columns:
            values = self.scores[label].to_numpy(dtype=float)
            # NaN between the last end and a later start, so that no line joins them
            gaps = np.flatnonzero(starts[1:] > ends[:-1] + 1e-6) + 1
            x = np.insert(np.ravel([starts, ends], "F"), 2 * gaps, np.nan)
            y = np.insert(np.repeat(values, 2), 2 * gaps, np.nan)
            ax.plot(x, y, color=colors[str(label)], lw=1, label=literal(label, 20))
        if self.threshold is not None:
            ax.axhline(self.threshold, color="0.5", lw=0.8, ls="--")
        ax.set_ylabel("score")
        legend = ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize="small")
        for text in legend.get_texts():
            text.set_parse_math(False)

    def _draw_events(self, ax: Any, tables: dict[str, Any], colors: dict[str, str]) -> None:
        labels = list(colors)
        halves = {"true": (-0.4, "0.35"), "found": (0.0, None)} if len(tables) > 1 else {}
        for kind, table in tables.items():
            offset, gray = halves.get(kind, (-0.2, None))
            for row in table.itertuples(index=False):
                if row.end <= self.start or row.start >= self.end:
                    continue
                color = gray or colors[row.label]
                lane = labels.index(row.label)
                # an edge, so that what is narrower than a dot is seen
                ax.broken_barh(
                    [(row.start, row.end - row.start)],
                    (lane + offset, 0.4),
                    facecolor=color,
                    edgecolor=color,
                    lw=1.2,
                )
        ax.set_yticks(range(len(labels)), [literal(label, 20) for label in labels])
        for text in ax.get_yticklabels():
            text.set_parse_math(False)
        ax.set_ylim(max(1, len(labels)) - 0.5, -0.5)
        if halves:
            text = "above, grey: true\nbelow: found"
            ax.text(1.01, 1, text, transform=ax.transAxes, va="top", fontsize="small")


def _loudest(
    file: str, start: float, end: float, n_columns: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the highest level in dB of each band in each column, and the bands' frequencies."""
    rate = audio_info(file).sampling_rate
    layout = frame_layout(rate, WINDOW, HOP, BANDS, adapt=True)
    window, hop = layout.window, layout.hop
    assert layout.n_mels is not None
    filters = mel_filters(rate, window, layout.n_mels)
    frequencies = mel_frequencies(rate, layout.n_mels)[1:-1]
    n_columns = max(1, min(n_columns, int((end - start) * rate / hop)))
    borders = np.linspace(start, end, n_columns + 1)
    width = borders[1] - borders[0]
    levels = np.empty((n_columns, layout.n_mels))
    step = max(1, int(BLOCK / width))  # columns of a block
    for first in range(0, n_columns, step):
        last = min(first + step, n_columns)
        # half a window more on each side, so that a frame is in the column of its middle
        margin = window / 2 / rate
        begin, stop = max(0.0, borders[first] - margin), min(end, borders[last] + margin)
        samples, _ = read_audio(file, start=begin, end=stop, on_error="read")
        mono = mix_channels(samples, "mean")
        if len(mono) < window:
            mono = np.pad(mono, (0, window - len(mono)))
        power = power_spectrogram(mono, window, hop) @ filters.T
        middles = begin + layout.frame_times(len(power))
        places = np.clip(((middles - start) / width).astype(int), first, last - 1) - first
        block = np.zeros((last - first, layout.n_mels))
        np.maximum.at(block, places, power)
        seen = np.zeros(last - first, bool)
        seen[places] = True
        if not seen.all():  # a column without the middle of a frame is as the one before it
            block = block[np.maximum.accumulate(np.where(seen, np.arange(len(seen)), 0))]
        levels[first:last] = block
    levels /= full_scale_power(window)
    return 10 * np.log10(np.maximum(levels, FLOOR)), frequencies


def _of_file(table: pd.DataFrame, file: str, name: str) -> pd.DataFrame:
    files = table["file"] if "file" in table else table.index.get_level_values("file")
    part = table[np.asarray(files) == file]
    if len(table) and not len(part):
        raise ValueError(
            f"Got {name} of {list_names(dict.fromkeys(files))}, none of {shown(file)}, which is "
            "shown. Give the table the same name of the recording."
        )
    return part


def _pooled(scores: pd.DataFrame, start: float, end: float, n_columns: int) -> pd.DataFrame:
    """Return the scores between two times; of many rows the highest of each column."""
    import pandas as pd

    starts, ends = _times(scores)
    inside = (ends > start) & (starts < end)
    scores, starts, ends = scores[inside], starts[inside], ends[inside]
    if len(scores) <= n_columns:
        return scores
    borders = np.linspace(start, end, n_columns + 1)
    places = np.clip(np.searchsorted(borders, starts, "right") - 1, 0, n_columns - 1)
    pooled = scores.groupby(places).max()
    firsts = pd.Series(starts).groupby(places).min()
    lasts = pd.Series(ends).groupby(places).max()
    levels = [scores.index[:1].get_level_values(0).repeat(len(pooled)), firsts, lasts]
    times = [pd.to_timedelta(level.to_numpy(), unit="s") for level in levels[1:]]
    return pooled.set_axis(
        pd.MultiIndex.from_arrays([levels[0], *times], names=scores.index.names), axis=0
    )


def _times(scores: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    starts, ends = (
        scores.index.get_level_values(level).total_seconds().to_numpy()
        for level in ("start", "end")
    )
    return starts, ends
