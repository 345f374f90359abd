"""AnomalyDisplay: points below the threshold are those that `predict` calls unusual."""

from __future__ import annotations

import numpy as np
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
    assert "of 30 below the threshold" in display.ax_.get_title()


def test_scores_and_times_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"Got scores of shape \(0,\), expected one"):
        AnomalyDisplay([], threshold=0)
    with pytest.raises(ValueError, match=r"Got times of shape \(1,\) for 2 scores"):
        AnomalyDisplay([1, 2], threshold=0, times=[0])
