"""Times of alarms: windows in a row below a threshold, and what a line says of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skaudeep.cli.alarm_times import find_alarms, say_when


def scored(file, scores, window=2.0, hop=2.0):
    starts = hop * np.arange(len(scores))
    return pd.DataFrame({"file": file, "start": starts, "end": starts + window, "score": scores})


def test_three_windows_in_a_row_are_an_alarm_and_two_are_none():
    scores = np.full(300, 1.0)
    scores[[3, 10, 11, 20, 21, 22]] = -1, -1, -9, -2, -3, 0.5  # the last is not below the threshold
    scores[200:215] = -1
    scores[205] = -4
    found = find_alarms(scored("a.wav", scores), 0.5, 2, 2)
    assert found.to_numpy().tolist() == [["a.wav", 400, 430, -4]]
    found = find_alarms(scored("a.wav", scores), 0.6, 2, 2)
    assert found.to_numpy().tolist() == [["a.wav", 40, 46, -3], ["a.wav", 400, 430, -4]]
    assert say_when(found, 1, 2, 2) == "Unusual for 5 s or longer: 0:40-0:46, 6:40-7:10."


def test_windows_of_two_recordings_are_never_in_a_row():
    table = pd.concat([scored("a.wav", [1, -1, -1]), scored("b.wav", [-1, -1, 1])])
    assert not len(find_alarms(table, 0, 2, 2))
    assert say_when(find_alarms(table, 0, 2, 2), 2, 2, 2) == "Unusual for 5 s or longer: nowhere."
    table = pd.concat([table, scored("c.wav", [-1] * 1900)])
    line = say_when(find_alarms(table, 0, 2, 2), 3, 2, 2)
    assert line == "Unusual for 5 s or longer: c.wav 0:00-1:03:20."


@pytest.mark.parametrize(("hop", "end"), [(1, 6.0), (5, 17.0)])
def test_windows_that_overlap_or_have_pauses_are_merged(hop, end):
    scores = [*[-1] * (5 if hop == 1 else 4), 1, 1, 1]
    found = find_alarms(scored("a.wav", scores, hop=hop), 0, 2, hop)
    assert found[["file", "start", "end", "lowest_score"]].to_numpy().tolist() == [
        ["a.wav", 0, pytest.approx(end, abs=1), -1]
    ]


def test_missing_scores_end_an_alarm_and_many_alarms_are_counted():
    scores = np.tile([-1, -1, -1, np.nan], 11)
    found = find_alarms(scored("a.wav", scores), 0, 2, 2)
    assert len(found) == 11
    assert say_when(found, 1, 2, 2).endswith(", 0:56-1:02, and 3 more.")
    assert not len(find_alarms(scored("a.wav", [np.nan] * 9), 0, 2, 2))
