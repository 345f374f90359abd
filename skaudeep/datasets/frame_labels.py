"""Labels over time: from a table of values at their own times to a target for each frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from skaudeep._texts import list_names, shown

if TYPE_CHECKING:
    import pandas as pd

Values = npt.NDArray[np.float64]

RULES = ("linear", "nearest", "mean")
PLACES = ("file", "time", "start", "end")
ROUNDING = 1e-9  # seconds


def frame_targets(
    labels: pd.DataFrame,
    times: npt.ArrayLike,
    files: Sequence[Any] | None = None,
    *,
    rule: str = "linear",
    max_gap: float = 1.0,
    columns: Sequence[str] | None = None,
    durations: Any = None,
) -> Values:
    """Compute a target for each frame from labels at other times.

    Labels are interpolated, not extrapolated. With labels at points in time and the rules "linear"
    and "nearest", frames before the first and after the last label of a recording have no target,
    nor have frames between two labels that are further apart than `max_gap`.

    Parameters
    ----------
    labels : pandas.DataFrame
        A row for each label. The columns ``file`` and ``time`` (for a label at a point in time), or
        ``file``, ``start`` and ``end`` (for an interval), may also be levels of the index; times
        are seconds from the start of the recording, or Timedelta, and ascend within a file. The
        other columns hold the values. A missing value (NaN) counts as if there were no label.
    times : array-like of shape (n_frames,) or (n_files, n_frames)
        Times of the centres of the frames in seconds, NaN for padding, as
        :meth:`SpectrogramExtractor.frame_times` returns them. With one axis all files have the same
        times. The centres of the frames of a file ascend.
    files : sequence of n_files str or Path, default=None
        The recordings, named as in the table, in the order of the result. Labels of other
        recordings are left out. None: all recordings of the table, in order of appearance.
    rule : {"linear", "nearest", "mean"}, default="linear"
        How the value of a frame is computed from labels at points in time.

        - "linear": linear interpolation between the labels before and after its centre.
        - "nearest": the label nearest to its centre; of two at the same distance, the earlier one.
        - "mean": the mean of the labels within half a frame distance of its centre; a frame without
          such a label has no target. It suits labels that are denser than frames. The frame
          distance is the median distance of the centres of the file.

        A label of an interval holds from ``start`` to before ``end``. With "linear" and "nearest" a
        frame has the label of the interval that contains its centre, and is not interpolated. With
        "mean" it has the mean over the labelled part of one frame distance around its centre, if
        this part is at least half of it.
    max_gap : float > 0, default=1.0
        Largest distance in seconds between two labels; frames in longer gaps have no target, except
        a frame whose centre is exactly at a label. It has no effect for intervals and with "mean".
    columns : sequence of str, default=None
        Columns that hold the values. None: all columns except those of the file and the times.
    durations : float or array-like of shape (n_files,), default=None
        Length of each recording in seconds; later labels are an error. With None, labels may lie
        up to a frame distance plus the time of the first frame after the centre of the last frame.
        Give it if the frames cover only a part of the recording.

    Returns
    -------
    ndarray of shape (n_files, n_frames), or (n_files, n_frames, n_targets) for several columns
        The targets; NaN if a frame has no target. A file whose times are all NaN has none.

    Raises
    ------
    TypeError
        If `labels` is not a DataFrame.
    ValueError
        If a column is missing or does not hold numbers, times do not ascend, an interval does not
        end after its start or overlaps the next one, a label lies outside its recording, a file has
        no label, no frame has a target, or a parameter has an invalid value. The message names file
        and time.

    See Also
    --------
    skaudeep.PerFrame : Regressors and classifiers of frames, which are fitted to these targets.

    Examples
    --------
    >>> import pandas as pd
    >>> from skaudeep.datasets import frame_targets
    >>> labels = pd.DataFrame({"file": "a.wav", "time": [0.5, 1.0, 2.5], "arousal": [0.2, 0.4, 0]})
    >>> frame_targets(labels, [0.25, 0.75, 1.0, 1.75])
    array([[nan, 0.3, 0.4, nan]])
    """
    if rule not in RULES:
        raise ValueError(f"Got rule={rule!r}, expected one of {list_names(RULES)}.")
    if not max_gap > 0:
        raise ValueError(f"Got max_gap={max_gap!r}, expected seconds, more than 0.")
    table, names = _read(labels, columns)
    of_file = dict(iter(table.groupby("file", sort=False)))
    asked = list(of_file) if files is None else [os.fspath(file) for file in files]
    if missing := [name for name in asked if name not in of_file]:
        raise ValueError(
            f"Got no label of {list_names(missing)}, while there are labels of "
            f"{list_names(of_file, missing[0])}. Name files as the table does, or leave those "
            "without labels out."
        )
    frames = _check_times(times, len(asked))
    if np.shape(durations) not in ((), (len(asked),)):
        raise ValueError(
            f"Got durations of shape {np.shape(durations)} for {len(asked)} files, expected "
            "seconds for each."
        )
    given = np.full(len(asked), np.nan if durations is None else durations, dtype=np.float64)
    targets = np.full((*frames.shape, len(names)), np.nan)
    for i, (name, row) in enumerate(zip(asked, frames, strict=True)):
        real = ~np.isnan(row)
        if not real.any():
            continue  # a recording that could not be read
        end = _end(row[real]) if durations is None else float(given[i])
        _check_places(of_file[name], name, end)
        for j, column in enumerate(names):
            targets[i, real, j] = _resample(of_file[name], column, row[real], rule, max_gap)
    if targets.size and np.isnan(targets).all():
        raise ValueError(
            f"No frame of {list_names(asked)} has a target by rule={rule!r} and max_gap={max_gap}: "
            f"frames lie from {np.nanmin(frames):g} to {np.nanmax(frames):g} s. Give labels of "
            "these times, or raise max_gap where labels are further apart."
        )
    return targets[..., 0] if len(names) == 1 else targets


def _read(labels: Any, columns: Sequence[str] | None) -> tuple[pd.DataFrame, list[str]]:
    """Return the table with numbered rows and times as numbers, and its columns of values."""
    import pandas as pd

    if not isinstance(labels, pd.DataFrame):
        raise TypeError(
            f"Got labels of type {type(labels).__name__}, expected a DataFrame with the columns "
            "file, time and one for each target."
        )
    table = (
        labels.reset_index()
        if set(labels.index.names) & set(PLACES)
        else labels.reset_index(drop=True)
    )
    at = ["time"] if "time" in table else ["start", "end"]
    if missing := [name for name in ("file", *at) if name not in table]:
        raise ValueError(
            f"Got labels without {list_names(missing)}, expected the columns file and time, or "
            f"file, start and end. Columns there: {list_names(table.columns)}."
        )
    names = [name for name in table if name not in PLACES] if columns is None else list(columns)
    if not names or not set(names) <= set(table.columns):
        raise ValueError(
            f"Got columns={columns!r}, expected the names of one or more columns of values. "
            f"Columns there: {list_names(table.columns)}."
        )
    if not len(table):
        raise ValueError("Got labels without rows, expected at least one label.")
    for row, file in enumerate(table["file"]):
        if not isinstance(file, str | os.PathLike):
            raise ValueError(
                f"Got {file!r} as file in row {row} of the labels, expected a name. Fill the gap, "
                "or leave the row out."
            )
    read: dict[str, Any] = {"file": [os.fspath(name) for name in table["file"]]}
    for name in (*at, *names):
        values = table[name]
        if values.dtype.kind == "m":
            values = values.dt.total_seconds()
        try:
            read[name] = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"Got values in column {shown(name)} of the labels that are no numbers ({error}). "
                "Number classes, or choose columns=."
            ) from error
        if np.isinf(read[name]).any() or (name in at and np.isnan(read[name]).any()):
            row = int(np.argmin(np.isfinite(read[name])))
            raise ValueError(
                f"Got {read[name][row]} in column {shown(name)} of {shown(read['file'][row])}, row "
                f"{row} of the labels, expected a number."
            )
    return pd.DataFrame(read), names


def _check_times(times: npt.ArrayLike, n_files: int) -> Values:
    """Return the times of frames as (n_files, n_frames)."""
    frames = np.asarray(times, dtype=np.float64)
    if frames.ndim == 1:
        frames = np.tile(frames, (n_files, 1))
    if frames.ndim != 2 or len(frames) != n_files or not frames.size:
        raise ValueError(
            f"Got times of shape {np.shape(times)} for {n_files} files, expected (n_frames,) or "
            f"({n_files}, n_frames)."
        )
    before, after = frames[:, :-1], frames[:, 1:]
    wrong = (after <= before) | (np.isnan(before) & ~np.isnan(after)) | np.isinf(after)
    if wrong.any():
        row, frame = np.argwhere(wrong)[0]
        raise ValueError(
            f"Got times of frames {frames[row, frame]:g} s and then {frames[row, frame + 1]:g} s, "
            "expected ascending ones, with NaN at the end alone."
        )
    return frames


def _distance(frames: Values) -> float:
    return float(np.median(np.diff(frames))) if len(frames) > 1 else 2 * abs(float(frames[0]))


def _end(frames: Values) -> float:
    """Return the latest possible end of a recording whose frames have these centres."""
    return float(frames[-1] + max(frames[0], 0) + _distance(frames))


def _check_places(part: pd.DataFrame, name: str, end: float) -> None:
    """Raise an error about times that do not ascend, or lie outside a recording."""
    starts = part["time" if "time" in part else "start"].to_numpy()
    ends = starts if "time" in part else part["end"].to_numpy()
    backwards = np.flatnonzero(ends <= starts)
    if "time" not in part and len(backwards):
        i = backwards[0]
        raise ValueError(
            f"Got a label of {shown(name)} from {starts[i]:g} to {ends[i]:g} s, expected an end "
            "after the start."
        )
    disorder = np.flatnonzero(np.diff(starts) <= 0)
    if len(disorder):
        i = disorder[0]
        raise ValueError(
            f"Got a label of {shown(name)} at {starts[i]:g} s and then one at {starts[i + 1]:g} s, "
            "expected ascending times. Sort the table by file and time, and keep one label of each "
            "time, such as the mean over annotators."
        )
    overlaps = np.flatnonzero(ends[:-1] > starts[1:] + ROUNDING)
    if len(overlaps):
        i = overlaps[0]
        raise ValueError(
            f"Got a label of {shown(name)} that ends at {ends[i]:g} s and one that starts at "
            f"{starts[i + 1]:g} s, expected labels that do not overlap."
        )
    if starts[0] < -ROUNDING or ends[-1] > end + ROUNDING:
        outside = starts[0] if starts[0] < -ROUNDING else ends[-1]
        raise ValueError(
            f"Got a label of {shown(name)} at {outside:g} s, expected times within the recording, "
            f"from 0 to {end:g} s by its frames. Look whether the label is of another file, or cut "
            "the labels; give durations= where frames cover a part of the recording."
        )


def _resample(part: pd.DataFrame, column: str, frames: Values, rule: str, max_gap: float) -> Values:
    values = part[column].to_numpy()
    known = ~np.isnan(values)
    values = values[known]
    result = np.full(len(frames), np.nan)
    if not len(values):
        return result
    if "time" not in part:
        starts, ends = (part[name].to_numpy()[known] for name in ("start", "end"))
        if rule == "mean":
            return _mean_of_intervals(starts, ends, values, frames)
        inside = np.searchsorted(starts, frames, side="right") - 1
        found = (inside >= 0) & (frames < ends[inside])
        result[found] = values[inside[found]]
        return result
    at = part["time"].to_numpy()[known]
    if rule == "mean":
        half = _distance(frames) / 2
        first, last = (np.searchsorted(at, frames + shift - ROUNDING) for shift in (-half, half))
        sums = np.concatenate([[0.0], np.cumsum(values)])
        found = last > first
        result[found] = (sums[last] - sums[first])[found] / (last - first)[found]
        return result
    before = np.clip(np.searchsorted(at, frames, side="right") - 1, 0, len(at) - 1)
    after = np.minimum(before + 1, len(at) - 1)
    near = (at[after] - at[before] <= max_gap + ROUNDING) | (frames == at[before])
    found = (frames >= at[0]) & (frames <= at[-1]) & near
    if rule == "linear":
        result[found] = np.interp(frames[found], at, values)
    else:
        earlier = frames - at[before] <= at[after] - frames + ROUNDING
        result[found] = np.where(earlier, values[before], values[after])[found]
    return result


def _mean_of_intervals(starts: Values, ends: Values, values: Values, frames: Values) -> Values:
    """Average over the distance of two frames, where at least half of it is labelled."""
    distance = _distance(frames)
    knots = np.column_stack([starts, ends]).ravel()
    result = np.full(len(frames), np.nan)
    integrals = []
    for weights in (values, np.ones(len(values))):
        steps = np.column_stack([np.zeros(len(values)), weights * (ends - starts)]).ravel()
        integral = np.cumsum(steps)
        first, last = (
            np.interp(frames + shift, knots, integral) for shift in (-distance / 2, distance / 2)
        )
        integrals.append(last - first)
    total, labelled = integrals
    found = labelled >= distance / 2 - ROUNDING
    result[found] = total[found] / labelled[found]
    return result
