"""Scores over time become events."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skaudeep import find_events, scores_over_time


def table(values, *, hop=1.0, duration=None, file="a.wav", label="owl") -> pd.DataFrame:
    starts = hop * np.arange(len(values))  # seconds
    ends = starts + (hop if duration is None else duration)
    times = [pd.to_timedelta(t, unit="s").as_unit("ns") for t in (starts, ends)]
    index = pd.MultiIndex.from_arrays(
        [[file] * len(values), *times], names=["file", "start", "end"]
    )
    return pd.DataFrame({label: np.asarray(values, dtype=float)}, index)


def spans(events: pd.DataFrame) -> list[list[float]]:
    return events[["start", "end", "score"]].to_numpy().tolist()


VALUES = [0.4, 0.9, 0.5, 0.2, 0.7, 0.1, 0.8]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[1, 2, 0.9], [4, 5, 0.7], [6, 7, 0.8]]),
        ({"low_threshold": 0.4}, [[0, 3, 0.9], [4, 5, 0.7], [6, 7, 0.8]]),
        ({"low_threshold": 0.4, "min_duration": 2}, [[0, 3, 0.9]]),
        ({"merge_gap": 1}, [[1, 2, 0.9], [4, 7, 0.8]]),
        ({"merge_gap": 1, "min_duration": 3}, [[4, 7, 0.8]]),  # merged before it is measured
        ({"merge_gap": 2}, [[1, 7, 0.9]]),
    ],
)
def test_hysteresis_gap_and_length_give_the_events_worked_out_by_hand(options, expected):
    assert spans(find_events(table(VALUES), threshold=0.6, **options)) == expected


def test_a_score_equal_to_the_threshold_is_an_event():
    assert spans(find_events(table([0.5]), threshold=0.5)) == [[0, 1, 0.5]]


def test_no_score_and_a_gap_in_time_end_an_event():
    scores = table([0.9, np.nan, 0.9, 0.9, 0.9]).drop(index=table([0] * 4).index[3])
    expected = [[0, 1, 0.9], [2, 3, 0.9], [4, 5, 0.9]]
    assert spans(find_events(scores, threshold=0.5)) == expected


def test_events_of_files_and_classes_are_apart_and_in_order():
    both = pd.concat([table([0.9, 0.9], file="b.wav"), table([0.9, 0.1])])
    both["crow"] = [0.1, 0.9, 0.9, 0.9]
    found = find_events(both, threshold={"owl": 0.5, "crow": 0.5})
    assert found[["file", "start", "end", "label"]].to_numpy().tolist() == [
        ["b.wav", 0, 2, "owl"],
        ["b.wav", 1, 2, "crow"],
        ["a.wav", 0, 2, "crow"],
        ["a.wav", 0, 1, "owl"],
    ]
    assert find_events(both, threshold={"crow": 0.5})["label"].unique().tolist() == ["crow"]


def test_no_event_is_a_table_without_rows():
    none = find_events(table([0.1]), threshold=0.5)
    assert none.columns.tolist() == ["file", "start", "end", "label", "score"]
    assert none.shape == (0, 5)
    assert none["start"].dtype == float


def test_overlapping_windows_are_averaged_as_by_hand():
    # windows of 1 s each 0.25 s: an interval has the mean of those windows that cover it
    values = np.arange(6.0)
    found = scores_over_time(table(values, hop=0.25, duration=1.0))
    expected = [values[max(0, i - 3) : i + 1].mean() for i in range(9)]
    np.testing.assert_allclose(found["owl"], expected)
    assert found.index[4][1:] == (pd.Timedelta("1s"), pd.Timedelta("1.25s"))


def test_averages_over_a_long_recording_are_exact():
    values = np.random.default_rng(0).random(20000)
    found = scores_over_time(table(values, hop=0.1, duration=0.5))
    expected = np.convolve(values, np.ones(5)) / np.convolve(np.ones(20000), np.ones(5))
    np.testing.assert_allclose(found["owl"], expected, atol=1e-9)


def test_a_window_without_a_score_does_not_count_and_pauses_are_left_out():
    scores = table([1.0, np.nan, 0.0, 0.5, 0.5], duration=2.0)
    found = scores_over_time(scores)["owl"]
    assert found.tolist() == [1.0, 1.0, 0.0, 0.25, 0.5, 0.5]
    apart = scores_over_time(scores.iloc[[0, 1, 4]], step=1.0)["owl"]
    np.testing.assert_array_equal(apart, [1, 1, np.nan, 0.5, 0.5])
    assert [start.total_seconds() for _, start, _ in apart.index] == [0, 1, 2, 4, 5]


def test_windows_that_do_not_overlap_stay_as_they_are_in_order_of_time():
    scores = table([0.1, 0.2, 0.3])
    pd.testing.assert_frame_equal(scores_over_time(scores.iloc[::-1]), scores)


def test_the_events_of_averaged_windows_are_where_the_sound_is():
    # windows of 1 s each 0.25 s hear an owl from 3 to 5 s where half of it lies in them
    starts = 0.25 * np.arange(40)
    share = np.minimum(starts + 1, 5) - np.maximum(starts, 3)
    scores = table(share >= 0.5, hop=0.25, duration=1.0)
    (found,) = spans(find_events(scores, threshold=0.5))
    assert abs(found[0] - 3) <= 0.25
    assert abs(found[1] - 5) <= 0.25


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0.5, "low_threshold": 0.6}, "low_threshold=0.6 above threshold=0.5"),
        ({"threshold": {"crow": 0.5}}, "threshold for 'crow', expected classes of the scores"),
        ({"threshold": np.nan}, "threshold=nan of 'owl'"),
        ({"threshold": 0.5, "min_duration": -1}, "min_duration=-1, expected seconds"),
        ({"threshold": 0.5, "merge_gap": np.inf}, "merge_gap=inf"),
    ],
)
def test_parameters_out_of_their_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        find_events(table(VALUES), **options)


def test_tables_that_are_none_of_scores_are_refused():
    with pytest.raises(ValueError, match=r"index \[None\], expected a DataFrame indexed by"):
        find_events(pd.DataFrame({"owl": [1.0]}), threshold=0.5)
    with pytest.raises(ValueError, match="at least one row and one class"):
        find_events(table([]), threshold=0.5)
    with pytest.raises(ValueError, match=r"scores of 'a.wav' from 1 to 0.5 s"):
        scores_over_time(table([1, 1], duration=-0.5).iloc[1:])
    with pytest.raises(ValueError, match="step=0, expected seconds"):
        scores_over_time(table([1]), step=0)
