"""Functions that turn scores over time into events with a start, an end and a class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skaudeep._texts import list_names, shown
from skaudeep.datasets.events import COLUMNS

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-4  # seconds by which equal times may differ after rounding
LEVELS = ["file", "start", "end"]


def find_events(
    scores: pd.DataFrame,
    *,
    threshold: float | Mapping[str, float],
    low_threshold: float | Mapping[str, float] | None = None,
    min_duration: float = 0.0,
    merge_gap: float = 0.0,
) -> pd.DataFrame:
    """Find the events in scores over time, by a threshold with hysteresis.

    An event of a class lasts from one row of `scores` to another, in one file. All scores of the
    class in these rows are at least `low_threshold`, one of them is at least `threshold`, and no
    time between the rows is without a score. Events of the same class are then merged where the
    pause between them is short, and events that are still too short are left out.

    Parameters
    ----------
    scores : pandas.DataFrame
        Scores with a row for each interval of time and a column for each class, indexed by (file,
        start, end); times are Timedelta or seconds. Scores may be any numbers that are higher where
        an event is more likely. Intervals that overlap are averaged first, by
        :func:`scores_over_time`. NaN means that there is no score, and ends an event.
    threshold : float or dict of str to float
        Score that an event must reach at least once. A dict has a threshold for each class; a class
        that it lacks has no events.
    low_threshold : float or dict of str to float, default=None
        Score that an event must keep from its start to its end, at most `threshold`. None, or a
        class that a dict lacks, takes `threshold`.
    min_duration : float >= 0, default=0.0
        Length in seconds below which an event is left out, after events have been merged.
    merge_gap : float >= 0, default=0.0
        Events of the same class are merged if the pause between them is at most this many seconds.

    Returns
    -------
    pandas.DataFrame
        A row for each event, with the columns `file`, `start` and `end` in seconds, `label` and
        `score` (the highest score in the event, after averaging). Rows are sorted by file (in the
        order of `scores`), start and class. Without events the table has no rows.

    Raises
    ------
    ValueError
        If `scores` has another index, no rows, no columns or two of the same name, or an interval
        that does not end after its start or begins before 0, if a threshold names a class that
        `scores` lacks, or if a parameter is out of its range.

    See Also
    --------
    scores_over_time : Average the scores of windows that overlap.
    skaudeep.detect : Find events in recordings by a model.
    skaudeep.evaluation.event_scores : Compare found events with true ones.

    Examples
    --------
    >>> import pandas as pd
    >>> from skaudeep import find_events
    >>> index = pd.MultiIndex.from_tuples([("a.wav", t, t + 1) for t in range(6)],
    ...                                   names=["file", "start", "end"])
    >>> scores = pd.DataFrame({"owl": [0.1, 0.5, 0.9, 0.4, 0.1, 0.5]}, index)
    >>> find_events(scores, threshold=0.8, low_threshold=0.4)
        file  start  end label  score
    0  a.wav    1.0  4.0   owl    0.9
    """
    import pandas as pd

    for name, seconds in (("min_duration", min_duration), ("merge_gap", merge_gap)):
        if not 0 <= seconds < np.inf:
            raise ValueError(f"Got {name}={seconds}, expected seconds, at least 0.")
    scores = scores_over_time(scores)
    high = _of_each_class("threshold", threshold, scores.columns)
    low = high
    if low_threshold is not None:
        low = _of_each_class("low_threshold", low_threshold, scores.columns)
    for label, value in high.items():
        low.setdefault(label, value)
        if not low[label] <= value:
            raise ValueError(
                f"Got low_threshold={low[label]} above threshold={value} of {shown(label)}, "
                "expected one that an event lasts above once it has begun: at most threshold."
            )
    found = []
    for number, (file, part) in enumerate(_by_file(scores)):
        starts, ends = _seconds(part)
        for label, value in high.items():
            values = part[label].to_numpy(dtype=float)
            spans = _spans(values, starts, ends, value, low[label], min_duration, merge_gap)
            found += [(number, start, label, file, end, score) for start, end, score in spans]
    found.sort(key=lambda event: event[:3])
    rows = [(file, start, end, label, score) for _, start, label, file, end, score in found]
    types = dict.fromkeys(("start", "end", "score"), float) | {"file": str, "label": str}
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(types)


def _spans(
    values: NDArray[np.float64],
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    high: float,
    low: float,
    min_duration: float,
    merge_gap: float,
) -> list[tuple[float, float, float]]:
    """Return start, end and highest score of the events of one class in one file."""
    (rows,) = np.nonzero(values >= low)  # the comparison is False for NaN
    if not len(rows):
        return []
    follows = (np.diff(rows) == 1) & (starts[rows[1:]] - ends[rows[:-1]] <= TOLERANCE)
    spans: list[tuple[float, float, float]] = []
    for run in np.split(rows, np.flatnonzero(~follows) + 1):
        start, end, score = float(starts[run[0]]), float(ends[run[-1]]), float(values[run].max())
        if score < high:
            continue
        if spans and start - spans[-1][1] <= merge_gap + TOLERANCE:
            start, _, before = spans.pop()
            score = max(score, before)
        spans.append((start, end, score))
    return [span for span in spans if span[1] - span[0] >= min_duration - TOLERANCE]


def scores_over_time(scores: pd.DataFrame, *, step: float | None = None) -> pd.DataFrame:
    """Average the scores of windows that overlap, on a regular grid of time.

    Parameters
    ----------
    scores : pandas.DataFrame
        Scores with a row for each window and a column for each class, indexed by (file, start,
        end); times are Timedelta or seconds.
    step : float > 0, default=None
        Time between two points of the grid in seconds; the grid of each file begins with the start
        of its first window. None is the shortest time between the starts of two windows of the
        file, which is the hop of regular windows, or the length of the shortest window if all begin
        together.

    Returns
    -------
    pandas.DataFrame
        Scores with the same columns and a row for each interval of length `step`, indexed by (file,
        start, end) as Timedelta. A score is the mean over all windows that cover the middle of the
        interval. Scores of NaN are left out of the mean, which is NaN if all of them are. Intervals
        whose middle no window covers have no row. If the windows of a file do not overlap and
        `step` is None, its scores are returned unchanged, sorted by time.

    Raises
    ------
    ValueError
        If `scores` has another index, no rows, no columns or two of the same name, or an interval
        that does not end after its start or begins before 0, or if `step` is not positive.

    Examples
    --------
    Three windows of 2 s, one each second:

    >>> import pandas as pd
    >>> from skaudeep import scores_over_time
    >>> index = pd.MultiIndex.from_tuples([("a.wav", t, t + 2) for t in range(3)],
    ...                                   names=["file", "start", "end"])
    >>> scores_over_time(pd.DataFrame({"owl": [0.0, 1.0, 1.0]}, index))["owl"].tolist()
    [0.0, 0.5, 1.0, 1.0]
    """
    import pandas as pd

    if step is not None and not 0 < step < np.inf:
        raise ValueError(f"Got step={step}, expected seconds, more than 0.")
    _check_scores(scores)
    files, parts, all_starts, all_ends = [], [], [], []
    for file, part in _by_file(scores):
        starts, ends = _seconds(part)
        order = np.lexsort((ends, starts))
        starts, ends, values = starts[order], ends[order], part.to_numpy(dtype=float)[order]
        if step is not None or (starts[1:] - ends[:-1] < -TOLERANCE).any():
            starts, ends, values = _on_grid(starts, ends, values, step)
        files.append((file, len(values)))
        parts.append(values)
        all_starts.append(starts)
        all_ends.append(ends)
    codes = np.repeat(np.arange(len(files)), [n for _, n in files])
    times = [
        pd.to_timedelta(np.round(np.concatenate(values) * 1e9).astype(np.int64), unit="ns")
        for values in (all_starts, all_ends)
    ]
    names = pd.Index([str(file) for file, _ in files], dtype=str).take(codes)
    index = pd.MultiIndex.from_arrays([names, *times], names=LEVELS)
    return pd.DataFrame(np.concatenate(parts), index, columns=scores.columns)


def _on_grid(
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    values: NDArray[np.float64],
    step: float | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    if step is None:
        apart = np.diff(starts)
        apart = apart[apart > TOLERANCE]  # windows of different lengths may begin together
        step = float(apart.min()) if len(apart) else float((ends - starts).min())
    # A window counts for the intervals whose middle it covers: from `first` up to `last`.
    nudge = TOLERANCE / step
    first = np.ceil((starts - starts[0]) / step - 0.5 - nudge).astype(np.int64)
    last = np.ceil((ends - starts[0]) / step - 0.5 - nudge).astype(np.int64)
    n = int(last.max())
    (cells,) = np.nonzero(_sums(first, last, np.ones(len(first)), n) > 0.5)
    means = np.empty((len(cells), values.shape[1]))
    for column in range(values.shape[1]):  # one at a time, as there may be hours of them
        known = np.isfinite(values[:, column])
        sums = _sums(first, last, np.where(known, values[:, column], 0.0), n)[cells]
        counts = np.round(_sums(first, last, known.astype(float), n)[cells])
        with np.errstate(invalid="ignore", divide="ignore"):
            means[:, column] = np.where(counts > 0, sums / counts, np.nan)
    return starts[0] + cells * step, starts[0] + (cells + 1) * step, means


def _sums(
    first: NDArray[np.int64], last: NDArray[np.int64], values: NDArray[np.float64], n: int
) -> NDArray[np.float64]:
    """Return for each of n intervals the sum of the values of those windows that cover it."""
    changes = np.zeros(n + 1)
    np.add.at(changes, first, values)
    np.add.at(changes, last, -values)
    return np.cumsum(changes[:n])


def _check_scores(scores: Any) -> None:
    import pandas as pd

    if not isinstance(scores, pd.DataFrame) or list(scores.index.names) != LEVELS:
        found = list(scores.index.names) if isinstance(scores, pd.DataFrame) else type(scores)
        raise ValueError(
            f"Got scores with the index {found}, expected a DataFrame indexed by {LEVELS}, with a "
            "column for each class, as skaudeep.score_recordings yields them."
        )
    if not len(scores.columns) or not len(scores):
        raise ValueError(
            f"Got scores of shape {scores.shape}, expected at least one row and one class."
        )
    if not scores.columns.is_unique:
        raise ValueError(f"Got scores with columns that are called alike: {list(scores.columns)}.")


def _by_file(scores: pd.DataFrame) -> Any:
    return scores.groupby(level="file", sort=False)


def _seconds(part: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return starts and ends of the rows of one file in seconds."""
    import pandas as pd

    times = []
    for level in ("start", "end"):
        values = part.index.get_level_values(level)
        if isinstance(values, pd.TimedeltaIndex):
            times.append(np.asarray(values.total_seconds(), dtype=float))
        else:
            times.append(np.asarray(values, dtype=float))
    starts, ends = times
    wrong = np.flatnonzero(~((starts >= 0) & (ends > starts)))
    if len(wrong):
        row = wrong[0]
        raise ValueError(
            f"Got scores of {shown(part.index[0][0])} from {starts[row]:g} to {ends[row]:g} s, "
            "expected 0 <= start < end, and no missing end."
        )
    return starts, ends


def _of_each_class(
    name: str, value: float | Mapping[str, float], classes: pd.Index
) -> dict[Any, float]:
    values = value if isinstance(value, Mapping) else dict.fromkeys(classes, value)
    if unknown := [label for label in values if label not in classes]:
        raise ValueError(
            f"Got {name} for {list_names(unknown)}, expected classes of the scores: "
            f"{list_names(classes)}."
        )
    for label, number in values.items():
        if not np.isfinite(number):
            raise ValueError(f"Got {name}={number} of {shown(label)}, expected a finite number.")
    return dict(values)
