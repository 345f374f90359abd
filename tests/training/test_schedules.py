"""Schedules: what is between the epochs that they name, and what is none."""

from __future__ import annotations

import pytest

from skaudeep.training.schedules import check_schedule, value_at


def test_a_schedule_is_a_number_or_piecewise_linear():
    assert [value_at(0.3, epoch) for epoch in (0, 7)] == [0.3, 0.3]
    schedule = {2: 0.0, 6: 1.0, 8: 0.5}
    assert [value_at(schedule, e) for e in (0, 2, 3, 6, 7, 99)] == [0, 0, 0.25, 1, 0.75, 0.5]


@pytest.mark.parametrize("schedule", [{}, {-1: 0.5}, {0.5: 0.5}, {0: 2.0}, {0: 0.5, 1: "a"}])
def test_a_schedule_without_epochs_or_numbers_is_refused(schedule):
    def fits(value):
        return isinstance(value, float) and value <= 1

    with pytest.raises(ValueError, match=r"Got p=.*, expected a number, or a dict of epochs"):
        check_schedule(schedule, "p", fits, "at most 1")
    check_schedule(0.5, "p", fits, "at most 1")
    check_schedule({0: 0.5}, "p", fits, "at most 1")
