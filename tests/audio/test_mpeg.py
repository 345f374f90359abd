"""Frames of MP3 files, where the header does not count them."""

import numpy as np
import pytest
import soundfile

from skaudeep.audio.decoding import AudioError, audio_info, read_audio
from skaudeep.audio.mpeg import count_frames

RATE = 16_000


def noise(n_samples=RATE, n_channels=None, seed=0):
    shape = n_samples if n_channels is None else (n_samples, n_channels)
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape)


def written(path, samples=None, rate=RATE, **kwargs):
    soundfile.write(path, noise() if samples is None else samples, rate, **kwargs)
    return path


@pytest.mark.parametrize("swells", [False, True])
@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_that_does_not_state_its_length_is_read_to_its_end(tmp_path, rate, mode, swells):
    """Libsndfile guesses a third, or twice the true length, from the size of the first frame."""
    level = np.linspace(0, 1, rate * 5)[:: 1 if swells else -1] ** 3
    path = written(
        tmp_path / "a.mp3", noise(rate * 5) * level, rate, bitrate_mode=mode, compression_level=0.4
    )
    frames = count_frames(str(path))
    path.write_bytes(path.read_bytes()[frames.start :])
    n_samples = frames.n_frames * frames.n_samples_per_frame
    assert audio_info(path).n_samples == n_samples == pytest.approx(rate * 5, abs=3000)
    samples = read_audio(path)[0]
    assert samples.shape == (1, n_samples)
    quarter = rate * 5 // 4
    assert (samples[0, -quarter:].std() > 10 * samples[0, :quarter].std()) == swells
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(AudioError, match="its last frame lacks 7 bytes"):
        read_audio(path)
