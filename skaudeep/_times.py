"""Starts and ends of pieces of recordings, as users give them and as an index holds them."""

from __future__ import annotations

from numbers import Real
from typing import Any

import pandas as pd

from skaudeep._texts import shown
from skaudeep.audio.clips import read_time

LEVELS = ["file", "start", "end"]


def time_of(value: Any, name: str) -> Any:
    """Return a Timedelta, NaT where there is none."""
    if isinstance(value, str) and value.strip().isdigit():
        raise ValueError(
            f"Got {name}={value!r}, expected seconds as a number, or text with a unit: "
            f"'{value.strip()}s'. audinterface takes such text for a number of samples."
        )
    try:
        time = read_time(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(
            f"Got {name}={shown(value)}, expected seconds, a Timedelta, or text with a unit, such "
            "as '200ms'."
        ) from error
    return time if pd.isna(time) else time.as_unit("ns")


def times_of(values: Any, name: str, n_files: int) -> list[Any]:
    if values is None or isinstance(values, str | Real | pd.Timedelta):
        return [time_of(values, name)] * n_files
    times = [time_of(value, name) for value in values]
    if len(times) != n_files:
        raise ValueError(
            f"Got {len(times)} {name} for {n_files} files, expected one for each, or one for all."
        )
    return times


def from_seconds(seconds: float) -> pd.Timedelta:
    return pd.Timedelta(seconds, unit="s").as_unit("ns")


def piece_index(files: list[str], starts: list[Any], ends: list[Any]) -> pd.MultiIndex:
    times = [pd.TimedeltaIndex(column, dtype="timedelta64[ns]") for column in (starts, ends)]
    return pd.MultiIndex.from_arrays([pd.Index(files, dtype="str"), *times], names=LEVELS)
