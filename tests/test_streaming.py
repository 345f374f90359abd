"""Streams: results as of a recording of the same sound, however it comes in."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudeep import (
    AudioError,
    AudioWarning,
    BandStatistics,
    Processor,
    SpectrogramExtractor,
    fit_classifier,
    predict_clips,
    stream,
)
from skaudeep.datasets import make_sounds
from skaudeep.streaming import Block

RATE = 2000
SOUND = np.random.default_rng(0).uniform(-0.3, 0.3, size=2500).astype(np.float32)
SOUND[1200:1500] *= 3


def statistics(**parameters):
    parameters = {"n_mels": 4, "sampling_rate": RATE, "reference": "full_scale"} | parameters
    return make_pipeline(SpectrogramExtractor(**parameters), BandStatistics())


PIPELINE = statistics()


def results(blocks, pipeline=PIPELINE, sampling_rate=RATE, duration=0.4, hop=0.15):
    """Return the times and the table of a stream."""
    found = list(stream(pipeline, blocks, sampling_rate=sampling_rate, duration=duration, hop=hop))
    return [time for time, _ in found], pd.DataFrame([values for _, values in found])


@pytest.fixture(scope="module")
def whole():
    return results([SOUND])


def test_results_are_those_of_the_recording(tmp_path, whole):
    """Of 1.25 s: windows begin every 0.15 s, the last at 0.9 s; 0.25 s would begin at 1.05 s."""
    ends = [0.4, 0.55, 0.7, 0.85, 1.0, 1.15, 1.25]
    np.testing.assert_allclose(whole[0], ends)
    soundfile.write(tmp_path / "a.wav", SOUND, RATE, subtype="FLOAT")
    starts = 0.15 * np.arange(7)
    table = Processor(PIPELINE).process_files([tmp_path / "a.wav"] * 7, starts=starts, ends=ends)
    np.testing.assert_array_equal(whole[1], table)
    assert whole[1].columns.tolist() == table.columns.tolist()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, len(SOUND)), max_size=12))
def test_results_do_not_depend_on_where_blocks_end(cuts):
    expected = test_results_do_not_depend_on_where_blocks_end.expected
    times, table = results(np.split(SOUND, sorted(cuts)))
    assert times == expected[0]
    pd.testing.assert_frame_equal(table, expected[1])


test_results_do_not_depend_on_where_blocks_end.expected = results([SOUND])


@pytest.mark.parametrize("hop", [0.1, 0.4, 0.9])
def test_windows_may_overlap_touch_or_leave_gaps_sample_by_sample(hop):
    times, table = results([SOUND], hop=hop)
    one_by_one = results(np.split(SOUND, len(SOUND)), hop=hop)
    assert times == one_by_one[0]
    pd.testing.assert_frame_equal(table, one_by_one[1])


@pytest.mark.parametrize(("n_samples", "n_windows"), [(399, 0), (400, 1), (800, 1), (1199, 1)])
def test_the_last_window_holds_half_of_its_length_at_least(n_samples, n_windows):
    times, _ = results([SOUND[:n_samples]], hop=0.4)
    assert len(times) == n_windows
    assert times[-1:] == [min(n_samples, 800) / RATE] * n_windows


def test_blocks_may_be_integers_or_have_channels():
    integers = np.round(SOUND * 32767).astype(np.int16)
    stereo = np.stack([integers, integers])
    _, mono = results(np.array_split(integers, 5))
    _, table = results(np.array_split(stereo, 7, axis=1))
    pd.testing.assert_frame_equal(table, mono)
    np.testing.assert_allclose(mono, results([integers / 32768])[1], atol=1e-5)


def test_a_stream_of_another_rate_is_resampled_window_by_window():
    with pytest.warns(AudioWarning, match="stream: has a sampling rate of 1000 Hz") as caught:
        _, table = results([SOUND], sampling_rate=1000)
    assert len(caught) == 1
    processor = Processor(PIPELINE)
    with pytest.warns(AudioWarning, match="signal: has"):
        second = processor.process_signal(SOUND, 1000, start=0.15, end=0.55)
    np.testing.assert_array_equal(table.iloc[1], second.iloc[0])


def test_a_classifier_gives_probabilities_and_nothing_for_silence():
    sounds = make_sounds(12, n_classes=2, duration=0.25, sampling_rate=8000, random_state=0)
    model = fit_classifier(
        sounds, make_pipeline(*statistics(sampling_rate=8000), LogisticRegression())
    )
    blocks = [*sounds.data[:3], np.zeros(2000)]
    with pytest.warns(AudioWarning, match=r"stream \[0.75 s to 1 s\]: holds nothing but silence"):
        _, table = results(blocks, model, 8000, duration=0.25, hop=0.25)
    expected = pd.concat(predict_clips(model, sounds.data[:3])).iloc[:, 2:]
    np.testing.assert_allclose(table[:3], expected, atol=1e-6)
    assert table[3:].isna().all(axis=None)
    assert table.columns.tolist() == ["falling sweep", "rising sweep"]


BAD = np.where(np.arange(500) == 250, np.nan, SOUND[:500])


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (BAD, r"stream at 1.125 s: holds 1 samples that are NaN"),
        (Block(SOUND[:9], sampling_rate=8000), "stream at 1 s: has a sampling rate of 8000 Hz"),
        (Block(SOUND[:9], time=51.02), "stream at 1 s: begins 0.02 s after the end of the block"),
        (Block(SOUND[:9], time=50.5), "stream at 1 s: begins 0.5 s before the end of the block"),
        (Block(SOUND[:9], time=np.nan), "stream at 1 s: begins nan s after"),
        (np.stack([SOUND, SOUND]), "stream at 1 s: has 2 channels, after 1"),
        (SOUND[:, None], "stream at 1 s: has 2500 channels, more than 64. Channels come first"),
        ((SOUND, RATE), "stream at 1 s: is a tuple"),
        ("a.wav", "stream at 1 s: is neither a path nor a waveform"),
    ],
)
def test_what_cannot_be_part_of_the_stream_is_an_error_that_names_the_time(block, message):
    blocks = [Block(SOUND[:1000], RATE, time=50.0), Block(SOUND[1000:2000], time=50.5), block]
    found = stream(PIPELINE, blocks, sampling_rate=RATE, duration=0.5)
    assert [next(found)[0], next(found)[0]] == [0.5, 1.0]
    with pytest.raises(AudioError, match=message):
        list(found)


def test_a_clock_that_drifts_leaves_no_gap():
    blocks = [Block(SOUND[:100], time=i * 0.0501) for i in range(60)]  # 6 ms in 3 s
    assert len(results(blocks, duration=1, hop=1)[0]) == 3


def test_levels_relative_to_a_maximum_are_refused_with_the_remedy():
    for reference in ("chunk", "clip"):
        with pytest.raises(ValueError, match='Fit it with SpectrogramExtractor\\(reference="full'):
            stream(statistics(reference=reference), [], sampling_rate=RATE, duration=1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"duration": 0}, "duration=0, expected seconds above 0"),
        ({"hop": np.nan}, "hop=nan"),
        ({"hop": 1e-4}, "less than a sample"),
        ({"duration": 1e12}, "which no file holds"),
        ({"sampling_rate": -1}, "sampling_rate=-1"),
    ],
)
def test_a_wrong_parameter_is_refused_before_the_first_block(parameters, message):
    with pytest.raises(ValueError, match=message):
        stream(PIPELINE, [], **({"sampling_rate": RATE, "duration": 1} | parameters))


def test_a_pipeline_that_is_not_fitted_is_refused_before_the_first_block():
    pipeline = make_pipeline(*statistics(), StandardScaler())
    with pytest.raises(NotFittedError, match="Call its fit"):
        stream(pipeline, [], sampling_rate=RATE, duration=1)


def test_a_result_comes_with_the_last_sample_of_its_window():
    taken = []

    def microphone():
        for start in range(0, 2500, 100):
            taken.append(start)
            yield SOUND[start : start + 100]

    time, _ = next(stream(PIPELINE, microphone(), sampling_rate=RATE, duration=0.4))
    assert time == 0.4
    assert len(taken) == 8


def test_memory_does_not_grow_with_the_stream():
    """An endless stream, of which of which two million samples, 8 MB, are taken."""
    found = stream(PIPELINE, itertools.repeat(SOUND), sampling_rate=RATE, duration=1, hop=100)
    next(found)
    tracemalloc.start()
    try:
        for _ in range(10):
            next(found)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1e6
