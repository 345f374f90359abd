"""Spectra block by block: the frames of the whole recording."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudeep import AudioError, SpectrogramExtractor
from skaudeep.audio.blocks import BlockSpectra

RATE = 2000
SOUND = np.random.default_rng(0).uniform(-0.3, 0.3, size=(2, 1300)).astype(np.float32)
SOUND[:, 300:600] = 0
SOUND[:, 700:900] = 0.25


def extractor(**parameters):
    defaults = {"window_duration": 0.05, "n_mels": 6, "sampling_rate": RATE}
    return SpectrogramExtractor(**defaults | {"reference": "full_scale"} | parameters)


def by_blocks(blocks, rate=RATE, **parameters):
    spectra = BlockSpectra(extractor(**parameters).get_params(), rate)
    frames = [frame for block in blocks for frame in spectra.add(block)]
    frames += spectra.end()
    return np.concatenate([np.zeros((0, spectra.layout.n_bands), np.float32), *frames])


SETTINGS = [
    {},
    {"hop_duration": 0.0135, "pre_emphasis": 0.95, "channel": "difference"},
    {"hop_duration": 0.12, "n_mels": None, "channel": 1},  # gaps between the frames
    {"clip_below": -60, "clip_above": -20, "fmin": 100, "fmax": 800, "mel_norm": "slaney"},
    {"adapt": True, "window_duration": 0.02, "sampling_rate": 1000},
]


@pytest.mark.parametrize("parameters", SETTINGS)
@pytest.mark.parametrize("size", [1, 7, 160, 4096])
def test_frames_are_those_of_the_whole_recording(parameters, size):
    cuts = range(size, SOUND.shape[1], size)
    rate = parameters.get("sampling_rate", RATE)
    frames = by_blocks(np.split(SOUND, cuts, axis=1), rate, **parameters)
    np.testing.assert_array_equal(frames, extractor(**parameters).transform([SOUND])[0])


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(0, SOUND.shape[1]), max_size=12),
    st.sampled_from(SETTINGS),
    st.integers(0, SOUND.shape[1]),
)
def test_frames_do_not_depend_on_where_blocks_end(cuts, parameters, n_samples):
    rate = parameters.get("sampling_rate", RATE)
    sound = SOUND[:, :n_samples]
    frames = by_blocks(np.split(sound, sorted(cuts), axis=1), rate, **parameters)
    np.testing.assert_array_equal(frames, by_blocks([sound], rate, **parameters))


@pytest.mark.parametrize("sampling_rate", [1600, 4410, 2000.5])
def test_a_stream_of_another_rate_is_resampled_as_the_whole_recording(sampling_rate):
    from skaudeep.audio.decoding import resample

    sound = np.tile(SOUND, 4)
    whole = extractor().transform([resample(sound, sampling_rate, RATE)])[0]
    for size in (1, 160, 4096):
        blocks = np.split(sound, range(size, sound.shape[1], size), axis=1)
        np.testing.assert_array_equal(by_blocks(blocks, sampling_rate), whole)


def test_a_frame_is_there_with_its_last_sample():
    spectra = BlockSpectra(extractor().get_params(), RATE)  # windows of 100 samples, hops of 50
    n_frames = [sum(map(len, spectra.add(SOUND[:, i : i + 10]))) for i in range(0, 300, 10)]
    assert np.flatnonzero(n_frames).tolist() == [9, 14, 19, 24, 29]


def test_a_long_block_goes_through_in_pieces(monkeypatch):
    monkeypatch.setattr("skaudeep.audio.blocks.MAX_FRAMES", 5)
    spectra = BlockSpectra(extractor().get_params(), RATE)
    parts = list(spectra.add(SOUND))
    assert max(map(len, parts)) <= 6  # of 25
    np.testing.assert_array_equal(np.concatenate(parts), extractor().transform([SOUND])[0])


@pytest.mark.parametrize("size", [1, 64, 1300])
def test_samples_beyond_full_scale_are_refused_after_the_frames_before_them(size):
    sound = SOUND.copy()
    sound[:, 420] = 20
    spectra = BlockSpectra(extractor().get_params(), RATE)
    found = []

    def take_all():
        for start in range(0, sound.shape[1], size):
            found.extend(spectra.add(sound[:, start : start + size]))

    with pytest.raises(AudioError, match=r"stream at 0.21 s: peaks at 20, where digital full"):
        take_all()
    np.testing.assert_array_equal(np.concatenate(found), extractor().transform([SOUND[:, :420]])[0])


def test_a_channel_that_is_missing_is_an_error_that_names_the_time():
    with pytest.raises(AudioError, match=r"stream at 0 s: channel='right' asks for channel 1, but"):
        by_blocks([SOUND[:1]], channel="right")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"reference": "clip"},
            "reference='clip', by which levels are relative to a recording's max",
        ),
        ({"duration": 1.0}, "duration=1.0, by which recordings are cut or padded"),
        ({"chunk_duration": 1.0}, "chunk_duration=1.0, by which recordings are cut into chunks"),
    ],
)
def test_what_needs_the_whole_recording_is_refused_with_the_remedy(parameters, message):
    with pytest.raises(ValueError, match=f"{message}.* give duration= to skaudeep.stream"):
        BlockSpectra(extractor(**parameters).get_params(), RATE)
