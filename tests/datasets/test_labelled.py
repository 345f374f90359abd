"""make_labelled_recordings: labels follow the sound late, and depend on the seed alone."""

from __future__ import annotations

import numpy as np
import pytest

from skaudeep.datasets import make_labelled_recordings, validate

RATE = 8000


@pytest.fixture(scope="module")
def recordings():
    return make_labelled_recordings(
        3, n_speakers=2, duration=12.0, delay=1.5, label_rate=10, noise=0.05, random_state=0
    )


def heard(samples):
    """Level in dB of half a second, log2 of the strongest frequency, of each tenth of a second."""
    frames = samples.reshape(-1, RATE // 10)
    level = 10 * np.log10(np.convolve((frames**2).mean(axis=1), np.ones(5), "same"))
    peak = np.abs(np.fft.rfft(frames * np.hanning(frames.shape[1]), 8 * frames.shape[1])).argmax(1)
    return level, np.log2(peak)


def test_a_data_set_of_recordings_is_sound(recordings):
    validate(recordings)
    assert recordings.data.shape == (3, 12 * RATE)
    assert np.abs(recordings.data).max() <= 1
    assert recordings.groups.tolist() == ["speaker 1", "speaker 2", "speaker 1"]
    assert recordings.labels.columns.tolist() == ["file", "time", "loudness", "pitch"]
    assert recordings.labels["file"].unique().tolist() == recordings.filenames.tolist()
    assert len(recordings.labels) == 3 * 120


def test_labels_follow_loudness_and_pitch_by_their_delay(recordings):
    for samples, (_, labels) in zip(
        recordings.data, recordings.labels.groupby("file"), strict=True
    ):
        for name, values in zip(("loudness", "pitch"), heard(samples), strict=True):
            labelled = labels[name].to_numpy()
            by_shift = [
                np.corrcoef(values[: len(values) - shift], labelled[shift:])[0, 1]
                for shift in range(30)
            ]
            assert abs(np.argmax(by_shift) - 15) <= 1  # tenths of a second
            assert max(by_shift) > 0.95


def test_recordings_depend_on_the_seed_and_their_number_alone(recordings):
    settings = {"n_speakers": 2, "duration": 12.0, "delay": 1.5, "label_rate": 10, "noise": 0.05}
    state = np.random.get_state()[1].tolist()
    fewer = make_labelled_recordings(2, **settings, random_state=0)
    assert np.random.get_state()[1].tolist() == state
    np.testing.assert_array_equal(fewer.data, recordings.data[:2])
    assert fewer.labels.equals(recordings.labels[: 2 * 120])
    other = make_labelled_recordings(2, **settings, random_state=1)
    assert not np.array_equal(other.data, fewer.data)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_recordings": 0}, "n_recordings=0, expected an integer of at least 1"),
        ({"n_speakers": 1.5}, "n_speakers=1.5"),
        ({"sampling_rate": 100}, "sampling_rate=100"),
        ({"duration": 0.01}, "duration=0.01"),
        ({"delay": -1}, "delay=-1"),
        ({"label_rate": 0}, "label_rate=0"),
        ({"noise": np.inf}, "noise=inf"),
    ],
)
def test_parameters_out_of_range_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_labelled_recordings(**parameters)
