"""Schedules: numbers that change from epoch to epoch."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np

Schedule = float | dict[int, float]


def value_at(schedule: Schedule, epoch: int) -> float:
    """Value of a schedule in an epoch.

    Parameters
    ----------
    schedule : float or dict of int to float
        A number for all epochs, or numbers at some epochs: straight lines between them, constant
        before the first and from the last on.
    epoch : int

    Returns
    -------
    float

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
    """Raise ValueError unless a schedule has epochs for keys and values that fit."""
    if not isinstance(schedule, dict):
        return
    epochs = all(isinstance(epoch, Integral) and int(epoch) >= 0 for epoch in schedule)
    if not (schedule and epochs and all(map(fits, schedule.values()))):
        raise ValueError(
            f"Got {name}={schedule!r}, expected a number, or a dict of epochs (integers from 0) to "
            f"numbers, each {expected}."
        )
