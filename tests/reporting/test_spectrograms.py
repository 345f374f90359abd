"""Pictures of clips: what stands where."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import soundfile
from matplotlib.image import imread

from skaudeep.audio.clips import Clip
from skaudeep.reporting.spectrograms import picture, ticks_of_frequency, ticks_of_time

RATE = 8000
TIME = np.arange(RATE) / RATE


def drawn(clip: Clip, rate: float | None) -> np.ndarray:
    kind, text = picture(clip, rate).address.split(",")
    assert kind == "data:image/png;base64"
    return imread(io.BytesIO(base64.b64decode(text)), format="png")[..., :3].sum(axis=2)


@pytest.mark.parametrize(("frequency", "lower_half"), [(200, True), (3500, False)])
def test_low_tones_are_below_and_high_ones_above(frequency, lower_half):
    image = drawn(Clip("a", 0.5 * np.sin(2 * np.pi * frequency * TIME)), RATE)
    brightest = image.mean(axis=1).argmax()
    assert (brightest > len(image) / 2) == lower_half


def test_time_goes_to_the_right_in_a_segment_of_a_file(tmp_path):
    tone = np.where(TIME > 0.75, np.sin(2 * np.pi * 500 * TIME), 0)
    soundfile.write(tmp_path / "a.wav", tone, RATE)
    image = drawn(Clip("a", str(tmp_path / "a.wav"), 0.5, 1.0), None)
    columns = image.mean(axis=0)
    assert columns[len(columns) // 2 + 5 :].mean() > 2 * columns[: len(columns) // 2 - 5].mean()


@pytest.mark.parametrize("n_samples", [1, 40, 200000])
def test_a_clip_of_any_length_has_a_picture_of_bounded_size(n_samples):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, n_samples)
    assert drawn(Clip("a", noise), RATE).shape[1] <= 320


@pytest.mark.parametrize("tone", [500, 2000])
def test_a_tone_is_at_the_tick_of_its_frequency(tone):
    image = drawn(Clip("a", 0.5 * np.sin(2 * np.pi * tone * TIME)), RATE)
    [place] = [place for place, text in ticks_of_frequency(RATE, 80) if text == f"{tone / 1000:g}"]
    brightest = 1 - (image.mean(axis=1).argmax() + 0.5) / len(image)
    assert brightest == pytest.approx(place, abs=1.5 / 80)


@pytest.mark.parametrize("length", [0.03, 0.3, 1, 4.9, 60, 7200])
def test_ticks_of_time_are_at_their_seconds_and_few(length):
    ticks = ticks_of_time(length)
    assert 3 <= len(ticks) <= 6
    for place, text in ticks:
        assert 0 <= place <= 1
        assert float(text) == pytest.approx(place * length, rel=1e-3, abs=1e-9)
