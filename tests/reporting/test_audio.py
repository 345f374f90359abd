"""Sounds: what is embedded, as what, and what is linked where not all fits."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from skaudeep._progress import Progress
from skaudeep.audio.clips import Clip
from skaudeep.reporting.audio import Sounds, encode, link, make_sounds

NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 8000).astype(np.float32)


def decoded(content: bytes) -> tuple[np.ndarray, int]:
    return soundfile.read(io.BytesIO(content), always_2d=True)


def files(folder: Path, n: int) -> list[Clip]:
    paths = [folder / f"{number} of #.wav" for number in range(n)]
    for path in paths:
        soundfile.write(path, NOISE, 8000)
    return [Clip(str(path), str(path)) for path in paths]


def sounds(*arguments: Any, **options: Any) -> Sounds:
    return make_sounds(*arguments, **options, progress=Progress(show=False))


def test_two_channels_stay_as_they_are_and_more_become_their_mean():
    two = np.stack([NOISE, -NOISE / 2])
    samples, _ = decoded(encode(Clip("a", two), 8000, "FLAC"))
    np.testing.assert_allclose(samples.T, two, atol=2**-15)
    samples, _ = decoded(encode(Clip("a", np.stack([NOISE, -NOISE, NOISE])), 8000, "FLAC"))
    np.testing.assert_allclose(samples[:, 0], NOISE / 3, atol=2**-15)


@pytest.mark.parametrize(("rate", "playable"), [(250, 8000), (44100, 44100), (384000, 192000)])
@pytest.mark.parametrize("kind", ["FLAC", "OGG"])
def test_any_rate_becomes_one_that_browsers_play_and_keeps_its_length(rate, playable, kind):
    samples, found = decoded(encode(Clip("a", NOISE), rate, kind))
    assert found == playable
    assert len(samples) / found == pytest.approx(len(NOISE) / rate, abs=2 / playable)


def test_compressed_sound_is_much_like_the_clip():
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    samples, _ = decoded(encode(Clip("a", tone), 16000, "OGG"))
    assert np.corrcoef(samples[:, 0], tone)[0, 1] > 0.99


def test_a_segment_of_a_file_is_that_segment(tmp_path):
    [clip] = files(tmp_path, 1)
    samples, _ = decoded(encode(clip._replace(start=0.25, end=0.5), None, "FLAC"))
    np.testing.assert_allclose(samples[:, 0], NOISE[2000:4000], atol=2**-15)


def test_samples_beyond_full_scale_are_limited():
    samples, _ = decoded(encode(Clip("a", 3 * NOISE), 8000, "FLAC"))
    assert np.abs(samples - np.clip(3 * NOISE, -1, 1)[:, None]).max() < 2**-14


def test_all_clips_are_lossless_where_they_fit_else_all_are_compressed(tmp_path):
    clips = files(tmp_path, 4)
    sizes = [len(base64.b64encode(encode(clips[0], None, kind))) / 1e6 for kind in ("FLAC", "OGG")]
    whole = sounds(clips, None, range(4), folder=tmp_path, max_mb=4.01 * sizes[0])
    assert (whole.format, sorted(whole.embedded), whole.linked) == ("FLAC", [0, 1, 2, 3], {})
    small = sounds(clips, None, range(4), folder=tmp_path, max_mb=4.2 * sizes[1])
    assert (small.format, sorted(small.embedded), small.linked) == ("OGG", [0, 1, 2, 3], {})


def test_what_does_not_fit_is_linked_below_the_page_and_silent_elsewhere(tmp_path):
    clips = files(tmp_path, 3)
    size = len(base64.b64encode(encode(clips[0], None, "OGG"))) / 1e6
    beside = sounds(clips, None, [2, 0, 1], folder=tmp_path, max_mb=1.2 * size)
    assert list(beside.embedded) == [2]
    assert beside.linked == {0: "0%20of%20%23.wav", 1: "1%20of%20%23.wav"}
    elsewhere = sounds(clips, None, [2, 0, 1], folder=tmp_path / "x", max_mb=1.2 * size)
    assert (list(elsewhere.embedded), elsewhere.linked) == ([2], {})
    assert elsewhere.describe(3).endswith("2 cannot, for the page would be too large.")


def test_an_address_is_relative_and_states_the_times_of_a_segment(tmp_path):
    clip = Clip("a", str(tmp_path / "b" / "ü.wav"), 1.5, 2.0)
    assert link(clip, tmp_path) == "b/%C3%BC.wav#t=1.5,2"
    assert link(Clip("a", NOISE), tmp_path) == ""
