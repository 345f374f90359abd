"""Clips: the recordings or segments that the rows of an input name, before they are decoded."""

import math
import os
import re
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skaudeep._padding import row_lengths

# Texts in tables that mean a missing time, in lower case.
_NO_TIME = ("", "?", "nat", "nan", "na", "n/a", "<na>", "none", "null")


class Clip(NamedTuple):
    """A recording, or a segment of one, that is not yet decoded.

    Parameters
    ----------
    name : str
        Name of the clip in messages: its path, or its place in the input.
    source : str, bytes, Path, or ndarray of shape (n_samples,) or (n_channels, n_samples)
        The path of the file, or the waveform.
    start : float, default=0.0
        Start of the segment in seconds.
    end : float, default=None
        End of the segment in seconds. None is the end of the recording.

    Examples
    --------
    >>> from skaudeep.audio import Clip
    >>> Clip("a.wav", "a.wav", start=1.5)
    Clip(name='a.wav', source='a.wav', start=1.5, end=None)
    """

    name: str
    source: Any
    start: float = 0.0
    end: float | None = None


def list_clips(X: Any) -> list[Clip]:
    """List the clips of an input, without decoding any.

    Parameters
    ----------
    X : sequence of n_clips paths or arrays, array, or pandas object
        One of these:

        - a sequence whose rows are paths (str, bytes or Path) or waveforms: arrays, or nested lists
          of numbers, of shape `(n_samples,)` or `(n_channels, n_samples)`;
        - a numeric array of shape `(n_clips, n_samples)` or `(n_clips, n_channels, n_samples)`; in
          floats, NaN pads the ends of shorter clips and is left out;
        - a pandas MultiIndex with the levels `file`, `start` and `end`, or a Series or DataFrame
          that has this index. Times are Timedelta, also as text, or seconds; a missing `start` is
          the start and a missing `end` the end of the file.

    Returns
    -------
    list of Clip
        A clip for each row of `X`, in its order.

    Raises
    ------
    ValueError
        If `X` is empty, a single path, a single waveform or a DataFrame with another index; if a
        row of it is something else than a path or a waveform, such as a pair of a waveform and its
        rate, or a list whose parts have different lengths; or if a time cannot be read. Whether
        files exist, and whether a segment lies within its file, is not checked here.

    Examples
    --------
    >>> from skaudeep.audio import list_clips
    >>> list_clips(["a.wav", "b.wav"])[1].source
    'b.wav'
    """
    if isinstance(X, str | bytes | os.PathLike):
        raise ValueError(
            f"X={X!r} is one path, expected a sequence of clips. Put it into a list: [X]."
        )
    index = getattr(X, "index", X)
    names = list(getattr(index, "names", None) or [])
    if names == ["file", "start", "end"]:
        X = index
    elif hasattr(X, "columns"):
        raise ValueError(
            f"X is a table with index {names}, expected clips. "
            "Pass its column of paths, or index it by (file, start, end)."
        )
    try:
        n_clips = len(X)
    except TypeError:
        raise ValueError(
            f"X is of type {type(X).__name__}, expected a sequence of paths or waveforms."
        ) from None
    if n_clips == 0:
        raise ValueError("X is empty (0 clips), expected at least one path or waveform.")
    if isinstance(X, tuple) and (pair := _rate_pair(X)):
        raise ValueError(
            f"X is one waveform with its sampling rate, as {pair.made_by} returns it, expected a "
            f"sequence of clips. Pass [X[{pair.place}]], and set sampling_rate={pair.rate:g}."
        )
    if X is index and names == ["file", "start", "end"]:
        # Iterating over a part of an index takes the time of the whole index.
        levels = [X.get_level_values(level) for level in range(3)]
        return [_segment(*row) for row in zip(*levels, strict=True)]
    if isinstance(X, np.ndarray) and X.dtype.kind in "iuf":
        if X.ndim not in (2, 3):
            raise ValueError(
                f"X is a numeric array of shape {X.shape}, expected (n_clips, n_samples) or "
                "(n_clips, n_channels, n_samples). Put a single waveform into a list: [X]."
            )
        return [Clip(f"clip {i}", _without_padding(row)) for i, row in enumerate(X)]
    if isinstance(X, np.ndarray) and X.dtype.kind == "U":
        X = X.tolist()  # numpy's own strings are slow, and slower still to send to a process
    return [_whole(source, i) for i, source in enumerate(X)]


def _whole(source: Any, row: int) -> Clip:
    if isinstance(source, str | bytes | os.PathLike):
        return Clip(os.fsdecode(source), source)
    if isinstance(source, Real):
        raise ValueError(
            f"Row {row} of X is the number {source}, expected a path or a waveform. If X is one "
            "waveform, put it into a list: [X]."
        )
    if isinstance(source, dict):
        raise ValueError(
            f"Row {row} of X is a dictionary with the keys {list(source)[:5]}, expected a path or "
            'a waveform. Pass what holds the samples, for example [row["array"] for row in X], and '
            "set sampling_rate=."
        )
    if isinstance(source, tuple) and (pair := _rate_pair(source)):
        names = "y, rate" if pair.place == 0 else "rate, y"
        raise ValueError(
            f"Row {row} of X is a waveform with its sampling rate, as {pair.made_by} returns it, "
            f"expected the waveform alone. Pass [y for {names} in X], and set "
            f"sampling_rate={pair.rate:g}."
        )
    if isinstance(source, list | tuple):
        source = _as_waveform(source, row)
    return Clip(f"clip {row}", source)


class _RatePair(NamedTuple):
    """A waveform with its sampling rate: what makes such pairs, and where the waveform stands."""

    made_by: str
    place: int
    rate: float


def _rate_pair(values: tuple) -> _RatePair | None:
    """Recognise pairs of a waveform and its rate, as functions that load audio return them."""
    if len(values) == 2:
        for made_by, place in (("librosa.load", 0), ("scipy.io.wavfile.read", 1)):
            waveform, rate = values[place], values[1 - place]
            holds_samples = hasattr(waveform, "__len__") and not isinstance(waveform, str | bytes)
            if isinstance(rate, Real) and holds_samples:
                return _RatePair(made_by, place, float(rate))
    return None


def _as_waveform(values: list | tuple, row: int) -> NDArray:
    """Make an array of nested lists of numbers."""
    if len(values) and isinstance(values[0], str | bytes | os.PathLike):
        raise ValueError(
            f"Row {row} of X is a list of {len(values)} paths, {str(values[0])!r} first, expected "
            "one path for each clip. Pass [path for paths in X for path in paths]."
        )
    try:
        return np.asarray(values)
    except ValueError:  # numpy's "inhomogeneous shape"
        lengths = [len(part) if hasattr(part, "__len__") else "no" for part in values]
        raise ValueError(
            f"Row {row} of X is a list whose parts have {', '.join(map(str, lengths[:3]))} ... "
            "samples, expected a waveform: n_samples numbers, or n_channels lists of equally many. "
            "Pass each clip as an array of its own: [part for row in X for part in row]."
        ) from None


def _segment(file: Any, start: Any, end: Any) -> Clip:
    try:
        start, end = _seconds(start) or 0.0, _seconds(end)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(
            f"Got times {start!r} and {end!r} for a segment of {os.fspath(file)!r}, expected "
            "Timedelta or seconds, with a point where they are not whole."
        ) from error
    until = "end" if end is None else f"{end:g} s"
    return Clip(f"{os.fspath(file)} [{start:g} s to {until}]", file, start, end)


def _seconds(time: Any) -> float | None:
    if time is None or time != time:  # NaT and NaN differ from themselves
        return None
    if not isinstance(time, Real):
        # A Timedelta, or text such as "0 days 00:00:01.5" in an index that comes from a CSV file.
        time = (time if hasattr(time, "total_seconds") else read_time(time)).total_seconds()
    if math.isinf(time):
        raise OverflowError("infinite")
    return None if time != time else float(time)


def read_time(value: Any) -> Any:
    """Convert a time to a Timedelta of pandas.

    Parameters
    ----------
    value : Timedelta, float, str or None
        A Timedelta; seconds, also as text, with a point where they are not whole; text as pandas
        and audformat write a Timedelta; None, NaN, empty text and words such as "NaT" and "NA"
        where it is missing.

    Returns
    -------
    pandas.Timedelta
        NaT where it is missing.

    Raises
    ------
    ValueError, TypeError, OverflowError
        If it is none of these.

    Examples
    --------
    >>> read_time("0 days 00:00:01.5").total_seconds(), read_time("2.5").total_seconds()
    (1.5, 2.5)
    """
    import pandas as pd

    if isinstance(value, str):
        value = value.strip()
        if value.lower() in _NO_TIME:
            return pd.NaT
        try:
            value = float(value)
        except ValueError:
            # pandas would take "1,5 s" for 15 seconds, and "1 000" for nanoseconds.
            if not re.fullmatch("(?=.*[A-Za-z:])[^,]+", value):
                raise
    return pd.to_timedelta(value, unit="s" if isinstance(value, Real) else None)


def _without_padding(waveform: NDArray) -> NDArray:
    if waveform.dtype.kind != "f" or not np.isnan(waveform[..., -1:]).any():
        return waveform
    n_samples = row_lengths(np.atleast_2d(waveform).T[None])[0]
    return waveform[..., :n_samples]
