"""Schedules: numbers that change from epoch to epoch."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np

Schedule = float | dict[int, float]


def value_at(schedule: Schedule, epoch: int) -> float:
    """Return the value of a schedule in an epoch.

    Parameters
    ----------
    schedule : float or dict of int to float
        A number for all epochs, or a dict of epochs and numbers: linear interpolation between them,
        and constant before the first and after the last.
    epoch : int
        Number of the epoch, from 0.

    Returns
    -------
    float
        The value.

    Examples
    --------
    >>> [value_at({0: 0.0, 2: 1.0}, epoch) for epoch in range(4)]
    [0.0, 0.5, 1.0, 1.0]
    """
    if not isinstance(schedule, dict):
        return schedule
    epochs = sorted(schedule)
    return float(np.interp(epoch, epochs, [schedule[e] for e in epochs]))


def check_schedule(schedule: Any, name: str, fits: Callable[[Any], bool], expected: str) -> None:
    """Raise a ValueError unless the keys of a schedule are epochs and its values are valid."""
    if not isinstance(schedule, dict):
        return
    epochs = all(isinstance(epoch, Integral) and int(epoch) >= 0 for epoch in schedule)
    if not (schedule and epochs and all(map(fits, schedule.values()))):
        raise ValueError(
            f"Got {name}={schedule!r}, expected a number, or a dict of epochs (integers from 0) to "
            f"numbers, each {expected}."
        )
