"""Labels over time become targets of frames by stated rules, and faults name file and time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skaudeep.datasets import frame_targets

NAN = np.nan
FRAMES = np.arange(0.05, 4, 0.1)  # s


def points(at, values, file="a.wav"):
    return pd.DataFrame({"file": file, "time": at, "arousal": values})


def intervals(starts, ends, values, file="a.wav"):
    return pd.DataFrame({"file": file, "start": starts, "end": ends, "arousal": values})


def test_a_straight_line_of_labels_is_a_straight_line_of_targets():
    at = np.arange(0, 4.1, 0.25)
    targets = frame_targets(points(at, 2 * at - 1), FRAMES)
    np.testing.assert_allclose(targets, [2 * FRAMES - 1])


def test_the_rules_by_hand():
    labels = points([0.0, 0.1, 0.2, 1.0, 1.05], [0, 1, 4, 2, 3])
    at = [0.0, 0.05, 0.16, 1.01, 1.04]
    linear = frame_targets(labels, at, rule="linear", max_gap=0.1)
    np.testing.assert_allclose(linear, [[0, 0.5, 2.8, 2.2, 2.8]])
    nearest = frame_targets(labels, at, rule="nearest", max_gap=0.1)
    np.testing.assert_allclose(nearest, [[0, 0, 4, 2, 3]])
    mean = frame_targets(labels, [0.1, 0.6, 1.1], rule="mean")  # half a second around each
    np.testing.assert_allclose(mean, [[5 / 3, NAN, 2.5]])


def test_a_label_on_the_border_of_two_frames_is_of_the_later_one_despite_rounding():
    at = np.arange(150) * 0.01
    frames = 0.05 + 0.1 * np.arange(15)
    targets = frame_targets(points(at, at), frames, rule="mean")
    np.testing.assert_allclose(targets, [frames - 0.005])


@pytest.mark.parametrize("rule", ["linear", "nearest"])
def test_nothing_is_extrapolated_nor_drawn_across_a_gap(rule):
    labels = points([0.5, 1.0, 2.5, 3.0], [1, 1, 1, 1])
    targets = frame_targets(labels, FRAMES, rule=rule)[0]
    labelled = ((FRAMES >= 0.5) & (FRAMES <= 1)) | ((FRAMES >= 2.5) & (FRAMES <= 3))
    np.testing.assert_array_equal(~np.isnan(targets), labelled)
    wide = frame_targets(labels, FRAMES, rule=rule, max_gap=1.5)[0]
    np.testing.assert_array_equal(~np.isnan(wide), (FRAMES >= 0.5) & (FRAMES <= 3))


def test_an_interval_holds_from_start_to_end():
    labels = intervals([0.5, 1.0, 3.0], [1.0, 2.0, 3.5], [1, 2, 3])
    expected = np.select(
        [(lo < FRAMES) & (hi > FRAMES) for lo, hi in ((0.5, 1), (1, 2), (3, 3.5))], [1, 2, 3], NAN
    )
    np.testing.assert_array_equal(frame_targets(labels, FRAMES)[0], expected)
    # of the half second around 1.1 s, 0.15 s are 1 and the others 2; of that around 2.1 s, 0.15 s
    # are labelled
    mean = frame_targets(labels, [1.1, 1.6, 2.1], rule="mean")
    np.testing.assert_allclose(mean, [[1.7, 2, NAN]])


def test_files_have_their_own_times_and_several_columns_are_targets():
    labels = pd.concat(
        [points([0, 1, 2], [0, 1, 2]), points([0, 1], [5, 6], "b.wav")], ignore_index=True
    ).assign(valence=lambda table: -table["arousal"])
    times = [[0.5, 1.0, 1.5], [0.25, 0.75, NAN]]
    targets = frame_targets(labels, times, ["a.wav", "b.wav"])
    assert targets.shape == (2, 3, 2)
    np.testing.assert_allclose(targets[..., 0], [[0.5, 1, 1.5], [5.25, 5.75, NAN]])
    np.testing.assert_allclose(targets[..., 1], -targets[..., 0])
    other = frame_targets(labels, times[::-1], ["b.wav", "a.wav"], columns=["valence"])
    np.testing.assert_allclose(other, targets[::-1, :, 1])
    indexed = frame_targets(labels.set_index(["file", "time"]), times)
    np.testing.assert_array_equal(indexed, targets)


def test_a_label_without_a_value_is_none():
    targets = frame_targets(points([0, 0.4, 0.8], [1, NAN, 3]), [0.2, 0.4])
    np.testing.assert_allclose(targets, [[1.5, 2]])
    with pytest.raises(ValueError, match=r"No frame of 'a.wav'.*raise max_gap"):
        frame_targets(points([0, 0.6, 1.2], [1, NAN, 3]), [0.2, 0.6])


def test_a_recording_without_frames_has_no_targets():
    labels = pd.concat([points([0, 1], [0, 1]), points([0, 9], [5, 6], "b.wav")])
    targets = frame_targets(labels, [[0.5, 1.0], [NAN, NAN]])
    np.testing.assert_allclose(targets, [[0.5, 1], [NAN, NAN]])


def test_seconds_may_be_timedeltas():
    labels = points(pd.to_timedelta([0, 1], unit="s"), [0, 1])
    np.testing.assert_allclose(frame_targets(labels, [0.5]), [[0.5]])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (points([0, 2, 1], [0, 0, 0]), "'a.wav' at 2 s and then one at 1 s.*Sort"),
        (points([0, 1, 1], [0, 0, 0]), "'a.wav' at 1 s and then one at 1 s.*mean over annot"),
        (points([0, 9], [0, 0]), r"'a.wav' at 9 s, .*from 0 to 4\.1 s by its frames"),
        (points([-1, 1], [0, 0]), "'a.wav' at -1 s, expected times within"),
        (intervals([0, 2], [1, 1.5], [0, 0]), r"'a.wav' from 2 to 1\.5 s, expected an end after"),
        (intervals([0, 1], [1.5, 2], [0, 0]), r"'a.wav' that ends at 1\.5 s and .* at 1 s"),
        (points([0, NAN], [0, 0]), "nan in column 'time' of 'a.wav', row 1"),
        (points([0, 1], [0, np.inf]), "inf in column 'arousal' of 'a.wav', row 1"),
        (points([0, 1], ["calm", "tense"]), "'arousal' of the labels that are no numbers"),
        (points([], []), "labels without rows"),
        (points([0, 1], [0, 0], [np.nan, "a.wav"]), "nan as file in row 0"),
        (points([0, 1], [0, 0]).drop(columns="file"), "without 'file'"),
        (points([0, 1], [0, 0]).drop(columns="time"), "without 'start', 'end'"),
        (points([0, 1], [0, 0]).drop(columns="arousal"), "expected the names of one or more"),
        (points([0, 1], [0, 0], "b\x07.wav"), r"no label of 'a.wav', .*'b\\x07.wav'"),
    ],
)
def test_labels_that_cannot_be_are_refused_by_file_and_time(labels, message):
    with pytest.raises(ValueError, match=message):
        frame_targets(labels, FRAMES, ["a.wav"])


def test_a_recording_may_be_longer_than_its_frames_where_its_duration_says_so():
    labels = points([0, 0.5, 9], [0, 1, 1])
    np.testing.assert_allclose(frame_targets(labels, [0.2, 0.4], durations=10), [[0.4, 0.8]])
    with pytest.raises(ValueError, match=r"'a\.wav' at 9 s"):
        frame_targets(labels, [0.2, 0.4], durations=[8.9])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rule": "cubic"}, "rule='cubic', expected one of 'linear', 'nearest', 'mean'"),
        ({"max_gap": 0}, "max_gap=0"),
        ({"times": [0.2, 0.1]}, r"0\.2 s and then 0\.1 s"),
        ({"times": [[0.1], [0.2]]}, r"shape \(2, 1\) for 1 files"),
        ({"times": [0.1, NAN, 0.3]}, "ascending ones, with NaN at the end"),
        ({"durations": [1.0, 2.0]}, r"durations of shape \(2,\) for 1 files"),
        ({"columns": ["valence"]}, r"columns=\['valence'\]"),
    ],
)
def test_parameters_that_cannot_be_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        frame_targets(**{"labels": points([0, 1], [0, 0]), "times": [0.1], **parameters})
    with pytest.raises(TypeError, match="list, expected a DataFrame"):
        frame_targets([], [0.1])
