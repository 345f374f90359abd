"""Histograms of levels: all of them, before they are clipped, and what is cut off."""

import numpy as np
import pytest

from skaudeep import SpectrogramExtractor
from skaudeep.plotting import LevelsDisplay

RATE = 8000  # Hz


def noise(seconds=0.5):
    return np.random.default_rng(0).normal(0, 0.1, int(seconds * RATE))


def test_bars_are_shares_of_the_levels_and_grey_where_thresholds_cut_off():
    display = LevelsDisplay([-80, -79.5, -50, np.nan, -3], clip_below=-60, clip_above=-10).plot()
    heights = {bar.get_x(): bar.get_height() for bar in display.bars_ if bar.get_height()}
    assert heights == {-80: 50, -50: 25, -3: 25}
    grey = {bar.get_x() for bar in display.bars_ if bar.get_facecolor()[0] > 0.6}
    assert grey & set(heights) == {-80, -3}
    assert (display.share_below, display.share_above) == (0.5, 0.25)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["50.0% below -60 dB", "25.0% above -10 dB"]


def test_levels_of_a_clip_are_those_before_thresholds_and_chunks():
    extractor = SpectrogramExtractor(n_mels=10, sampling_rate=RATE)
    everything = LevelsDisplay.from_extractor(extractor, noise())
    cut = extractor.set_params(clip_below=-5, clip_above=-1, chunk_duration=0.2, n_chunks=1)
    display = LevelsDisplay.from_extractor(cut, noise(), name="noise")
    np.testing.assert_array_equal(display.levels, everything.levels)
    assert display.levels.max() == 0
    assert display.share_below == np.mean(everything.levels < -5) > 0
    assert display.ax_.get_title() == "noise"
    assert everything.ax_.get_legend() is None


def test_a_fitted_extractor_keeps_its_rate(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.wav", noise(), RATE)
    extractor = SpectrogramExtractor(n_mels=10).fit([tmp_path / "a.wav"])
    assert len(LevelsDisplay.from_extractor(extractor, tmp_path / "a.wav").levels) == 10 * 11


@pytest.mark.parametrize("levels", [[], [np.nan], [0, -np.inf]])
def test_levels_that_cannot_be_drawn_are_refused(levels):
    with pytest.raises(ValueError, match="expected at least one, and none that is infinite"):
        LevelsDisplay(levels)


def test_one_level_alone_is_a_bar():
    display = LevelsDisplay(np.full((3, 4), -120.0)).plot()
    assert [bar.get_height() for bar in display.bars_ if bar.get_height()] == [100]
