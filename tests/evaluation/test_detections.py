"""Scores of detected events, by hand."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from skaudeep.evaluation import event_scores, segment_scores

pytest.importorskip("mir_eval")


def table(*events, file="a.wav") -> pd.DataFrame:
    rows = [(file, start, end, label) for start, end, label in events]
    return pd.DataFrame(rows, columns=["file", "start", "end", "label"])


TRUE = table((1, 2, "owl"), (5, 15, "owl"), (20, 21, "crow"))


@pytest.mark.parametrize(
    ("detected", "n_correct"),
    [
        ((1.2, 2.2, "owl"), 1),
        ((1.21, 2, "owl"), 0),
        ((1, 2.21, "owl"), 0),
        ((5, 17, "owl"), 1),  # a fifth of 10 s
        ((5, 17.01, "owl"), 0),
        ((1, 2, "crow"), 0),
    ],
)
def test_an_event_is_correct_within_the_collar_and_a_share_of_its_length(detected, n_correct):
    assert event_scores(TRUE, table(detected)).per_class["n_correct"].sum() == n_correct


def test_ends_do_not_matter_where_they_are_not_asked_for():
    assert event_scores(TRUE, table((5.1, 6, "owl")), offset_ratio=None).precision == 1


def test_precision_recall_and_f1_are_those_by_hand():
    detected = table((1, 2, "owl"), (1.1, 2.1, "owl"), (30, 31, "cat"))  # one of two counts
    scores = event_scores(TRUE, detected)
    assert scores.per_class.index.tolist() == ["cat", "crow", "owl"]
    nan = np.nan
    np.testing.assert_array_equal(scores.per_class["precision"], [0, nan, 1 / 2])
    np.testing.assert_array_equal(scores.per_class["recall"], [nan, 0, 1 / 2])
    np.testing.assert_array_equal(scores.per_class["f1"], [0, 0, 1 / 2])
    assert (scores.precision, scores.recall, scores.f1) == (1 / 3, 1 / 3, 1 / 3)
    assert (scores.macro_precision, scores.macro_recall) == (1 / 4, 1 / 4)
    assert scores.macro_f1 == pytest.approx(1 / 6)
    assert "owl        0.500   0.500  0.500" in str(scores)


def test_matching_is_the_largest_possible():
    # the first detected event could take either; the second only the first
    true = table((1.0, 2, "owl"), (1.3, 2, "owl"))
    detected = table((1.15, 2, "owl"), (0.9, 2, "owl"))
    assert event_scores(true, detected).f1 == 1


def test_many_events_are_matched_as_in_one_matrix():
    rng = np.random.default_rng(0)
    starts = np.sort(rng.uniform(0, 100, 150))
    true = table(*((s, s + 1, "owl") for s in starts))
    moved = starts + rng.normal(0, 0.2, 150)
    detected = table(*((s, s + 1, "owl") for s in np.maximum(moved, 0)))
    from mir_eval.transcription import match_notes

    times = [t[["start", "end"]].to_numpy() for t in (true, detected)]
    pitches = np.full(150, 440.0)
    expected = len(
        match_notes(times[0], pitches, times[1], pitches, onset_tolerance=0.2,
                    offset_ratio=0.2, offset_min_tolerance=0.2)
    )  # fmt: skip
    assert event_scores(true, detected).per_class["n_correct"].sum() == expected


def test_events_of_different_recordings_do_not_match():
    true = pd.concat([TRUE, TRUE.assign(file="b.wav")])
    assert event_scores(true, TRUE.assign(file="b.wav")).recall == 1 / 2
    with pytest.raises(ValueError, match=r"true events of 'a.wav' and detected events of 'c.wav'"):
        event_scores(TRUE, TRUE.assign(file="c.wav"))


def test_no_detected_event_has_no_precision_and_no_recall():
    scores = event_scores(TRUE, TRUE[:0])
    assert np.isnan(scores.precision)
    assert (scores.recall, scores.f1) == (0, 0)


def test_segments_count_as_by_hand():
    true = table((0.5, 3.0, "owl"))  # seconds 0, 1, 2
    detected = table((1.0, 1.1, "owl"), (2.9, 3.5, "owl"))  # seconds 1, 2, 3
    scores = segment_scores(true, detected)
    assert scores.per_class[["n_true", "n_detected", "n_correct"]].to_numpy().tolist() == [
        [3, 3, 2]
    ]
    assert segment_scores(true, detected, segment=10).f1 == 1


@pytest.mark.parametrize("options", [{"collar": 0}, {"offset_ratio": -1}])
def test_a_collar_out_of_its_range_is_refused(options):
    with pytest.raises(ValueError, match="Got"):
        event_scores(TRUE, TRUE, **options)
    with pytest.raises(ValueError, match="segment=0"):
        segment_scores(TRUE, TRUE, segment=0)


def test_a_missing_mir_eval_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "mir_eval.util", None)
    with pytest.raises(ImportError, match=r"skaudeep\[events\]"):
        event_scores(TRUE, TRUE)
