"""Frames of windows that overlap: computed once, to the bit those of each window alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from skaudeep import SpectrogramExtractor, extract_to_netcdf
from skaudeep.audio import overlaps
from skaudeep.audio.spectra import power_spectrogram
from skaudeep.datasets import windows

RATE = 8000
pytestmark = pytest.mark.filterwarnings("ignore:. of .* clips are silent")


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    rng = np.random.default_rng(0)
    sound = rng.normal(scale=0.1, size=(12 * RATE, 2)).cumsum(axis=0) / 100
    sound[4 * RATE : 6 * RATE] = 0.25  # a constant
    path = tmp_path_factory.mktemp("overlaps") / "a.wav"
    soundfile.write(path, sound, RATE)
    return path


@pytest.fixture
def n_frames(monkeypatch):
    """Count frames that are computed."""
    counts: list[int] = []

    def counted(*args):
        found = power_spectrogram(*args)
        counts.append(len(found))
        return found

    monkeypatch.setattr(overlaps, "power_spectrogram", counted)
    overlaps._thread.__dict__.clear()
    return counts


def alone(extractor: SpectrogramExtractor, index) -> np.ndarray:
    """Extract each window as if there were no other."""
    views = []
    for row in range(len(index)):
        overlaps._thread.__dict__.clear()
        views.append(extractor.transform(index[row : row + 1])[0])
    return np.stack(views)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"n_mels": None},
        {"channel": "difference", "n_mels": 20, "mel_norm": "slaney", "fmin": 100.0},
        {"pre_emphasis": 0.9},
        {"duration": 1.5},
        {"duration": 3.0, "align": "center"},
        {"sampling_rate": 4000.0},
        {"chunk_duration": 0.5},
        {"on_error": "read"},
    ],
)
@pytest.mark.parametrize("hop", [0.4, 0.25, 0.1])
def test_windows_in_order_are_what_each_is_alone(path, parameters, hop):
    index = windows(path, duration=2, hop=hop).data[:25]
    extractor = SpectrogramExtractor(
        **{
            "n_mels": 16,
            "clip_below": -80,
            "reference": "full_scale",
            "duration": 2.0,
            **parameters,
        }
    )
    np.testing.assert_array_equal(extractor.transform(index), alone(extractor, index))


def test_frames_are_shared_where_the_hop_is_a_whole_number_of_frames(path, n_frames):
    extractor = SpectrogramExtractor(n_mels=16, clip_below=-60, reference="full_scale")
    index = windows(path, duration=2, hop=0.4).data  # ten frames of 0.04 s
    extractor.transform(index)
    assert sum(n_frames) <= 12 / 0.04 + 4 * 49  # anew after windows of a constant
    n_frames.clear()
    extractor.transform(windows(path, duration=2, hop=0.41).data)
    assert sum(n_frames) == 25 * 49 + 42
    n_frames.clear()
    extractor.set_params(reference="clip").transform(index)
    assert sum(n_frames) == 26 * 49


def test_several_views_share_frames_each_with_its_own(path, n_frames, tmp_path):
    from skaudeep._views import extract_views

    index = windows(path, duration=2, hop=0.4).data
    extractors = [
        SpectrogramExtractor(n_mels=16, clip_below=db, reference="full_scale", window_duration=w)
        for w in (0.08, 0.04)
        for db in (-60, -90)
    ]
    together = extract_views(extractors, index)
    assert sum(n_frames) <= 12 / 0.04 + 12 / 0.02 + 8 * 99
    for extractor, view in zip(extractors, together, strict=True):
        np.testing.assert_array_equal(view, alone(extractor, index))
    bunch = windows(path, duration=2, hop=0.4)
    stored = extract_to_netcdf(bunch, extractors[0], tmp_path / "a.nc", progress=False)
    np.testing.assert_array_equal(stored.data[:], together[0])


def test_a_changed_file_shares_nothing_with_what_it_was(path, tmp_path):
    extractor = SpectrogramExtractor(n_mels=16, clip_below=-60, reference="full_scale")
    other = tmp_path / "a.wav"
    other.write_bytes(path.read_bytes())
    index = windows(other, duration=2, hop=0.4).data
    extractor.transform(index[:1])
    soundfile.write(other, np.random.default_rng(1).uniform(-0.5, 0.5, 10 * RATE), RATE)
    changed = extractor.transform(index[1:2])
    np.testing.assert_array_equal(changed, alone(extractor, index[1:2]))


def test_few_views_are_kept(path):
    overlaps._thread.__dict__.clear()
    index = windows(path, duration=2, hop=0.4).data[:2]
    for n_mels in range(10, 30):
        SpectrogramExtractor(n_mels=n_mels, reference="full_scale").transform(index)
    assert len(overlaps._thread.kept) == overlaps.MAX_VIEWS
