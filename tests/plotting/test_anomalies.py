"""AnomalyDisplay: points below the threshold are those that `predict` calls unusual."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudeep import AnomalyDetector, DistanceScorer
from skaudeep.plotting import AnomalyDisplay

pytest.importorskip("matplotlib.pyplot")


def test_clips_below_the_threshold_are_those_that_predict_calls_unusual():
    rng = np.random.default_rng(0)
    detector = AnomalyDetector(make_pipeline(StandardScaler(), DistanceScorer()), random_state=0)
    detector.fit(rng.normal(size=(60, 3)))
    new = rng.normal(size=(30, 3)) + 6 * (np.arange(30) >= 25)[:, None]
    display = AnomalyDisplay.from_detector(detector, new, times=np.arange(30) / 10)
    np.testing.assert_array_equal(display.unusual, detector.predict(new) == -1)
    assert AnomalyDisplay(scores=[0.0, np.nan, 2.0], threshold=1.0).unusual.tolist() == [
        True,
        True,
        False,
    ]
    colours = display.ax_.collections[0].get_facecolors()
    assert len(np.unique(colours, axis=0)) == 2
    assert display.ax_.lines[0].get_ydata()[0] == detector.offset_
    heights = sum(bar.get_width() for bar in display.histogram_ax_.patches)
    assert heights == len(detector.held_out_scores_)
    assert display.ax_.get_xlabel() == "time"
    title = display.ax_.get_title()
    assert "of 30 below the threshold" in title
    assert "expected by chance: about 2, 5 % of normal clips" in title  # 1.5
    display.figure_.canvas.draw()
    assert display.ax_.get_xticklabels()[1].get_text().endswith(" s")


def times_on(display):
    display.figure_.canvas.draw()
    return [label.get_text() for label in display.ax_.get_xticklabels()]


@pytest.mark.parametrize(
    ("times", "label", "tick"),
    [
        (None, "clip", "20"),
        (np.arange(90), "time", "20 s"),
        (np.arange(90) * 5.0, "time (min:s)", "2:00"),
        (np.arange(90) * np.timedelta64(5, "s"), "time (min:s)", "2:00"),
        (np.arange(90) * 100.0, "time (h:min:s)", "0:20:00"),
        (np.datetime64("2026-03-01T04") + np.arange(90) * np.timedelta64(1, "h"), "time", None),
    ],
)
def test_the_axis_of_times_has_units(times, label, tick):
    display = AnomalyDisplay(np.ones(90), threshold=0, times=times).plot()
    assert display.ax_.get_xlabel() == label
    assert tick is None or tick in times_on(display)
    assert display.ax_.get_title() == "0 of 90 below the threshold"


def test_windows_of_one_recording_stand_at_their_times():
    rng = np.random.default_rng(0)
    starts = pd.to_timedelta(np.arange(40) * 10, unit="s")
    index = pd.MultiIndex.from_arrays(
        [["a.wav"] * 40, starts, starts + pd.Timedelta(10, "s")], names=["file", "start", "end"]
    )
    X = pd.DataFrame(rng.normal(size=(40, 2)), index=index)
    detector = AnomalyDetector(DistanceScorer(), random_state=0).fit(X.to_numpy())
    display = AnomalyDisplay.from_detector(detector, X.set_axis(index), times=None)
    np.testing.assert_array_equal(display.times, np.arange(40) * 10)
    assert display.ax_.get_xlabel() == "time (min:s)"


def test_scores_and_times_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"Got scores of shape \(0,\), expected one"):
        AnomalyDisplay([], threshold=0)
    with pytest.raises(ValueError, match=r"Got times of shape \(1,\) for 2 scores"):
        AnomalyDisplay([1, 2], threshold=0, times=[0])


def test_scores_far_below_leave_the_threshold_in_sight():
    scores = np.r_[np.linspace(0.1, 1, 20), -0.5, -50.0, -80.0]
    display = AnomalyDisplay(scores, threshold=0).plot()
    low, high = display.ax_.get_ylim()
    assert -6 < low < -0.5 < 1 < high < 2
    far = display.ax_.collections[1]
    assert far.get_label() == "far below (off the scale, down to -80)"
    assert far.get_offsets()[:, 0].tolist() == [21, 22]
    assert len(AnomalyDisplay(scores[:21], threshold=0).plot().ax_.collections) == 1
    every = AnomalyDisplay([-1.0, -2.0], threshold=0).plot()  # none is above the threshold
    assert every.ax_.get_ylim()[0] < -2


def shaded(display):
    spans = [patch for patch in display.ax_.patches if patch.get_alpha() == 0.15]
    return [(span.get_x(), span.get_x() + span.get_width()) for span in spans]


def test_three_clips_in_a_row_below_the_threshold_are_shaded():
    scores = np.ones(30)
    scores[[0, 1, 5, 10, 11, 12, 20, 21, 22, 23]] = -1
    times = 2.0 * np.arange(30)
    display = AnomalyDisplay(scores, threshold=0, times=times).plot()
    assert shaded(display) == [(19, 25), (39, 47)]
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["threshold", "3 or more in a row"]
    times[12:] += 60  # a pause
    assert shaded(AnomalyDisplay(scores, threshold=0, times=times).plot()) == [(99, 107)]
    unknown = np.where(times == 0, np.nan, times)
    assert shaded(AnomalyDisplay(scores, threshold=0, times=unknown).plot()) == [(99, 107)]
    dates = np.datetime64("2026-03-01T04") + times.astype(int) * np.timedelta64(1, "h")
    assert len(shaded(AnomalyDisplay(scores, threshold=0, times=dates).plot())) == 1
    assert not shaded(AnomalyDisplay(scores, threshold=0).plot())  # clips of any order


def test_the_title_ends_before_the_histogram():
    display = AnomalyDisplay(
        np.ones(600), threshold=0, normal_scores=np.ones(30), false_alarm_rate=0.05
    ).plot()
    display.figure_.canvas.draw()
    title = display.ax_.title.get_window_extent()
    assert title.x1 < display.histogram_ax_.get_window_extent().x0
    assert title.x0 > 0
