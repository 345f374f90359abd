"""Streams: results as of a recording of the same sound, however it comes in."""

from __future__ import annotations

import itertools
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skaudeep import (
    AudioError,
    AudioWarning,
    BandStatistics,
    FeatureFusion,
    FunctionExtractor,
    PerFrame,
    Processor,
    ReservoirFeatures,
    Seq2SeqAutoencoder,
    SpectrogramExtractor,
    fit_classifier,
    predict_clips,
    stream,
)
from skaudeep.audio.decoding import resample
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
    return as_table(
        stream(pipeline, blocks, sampling_rate=sampling_rate, duration=duration, hop=hop)
    )


def as_table(found):
    found = list(found)
    table = pd.DataFrame([values for _, values in found])
    times = [time for time, _ in found]
    assert table.index.tolist() == times
    return times, table


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
    found = stream(PIPELINE[:1], blocks, sampling_rate=RATE)
    times = [next(found)[0] for _ in range(24)]
    assert times[-1] == 0.96  # the centre of the last frame before
    with pytest.raises(AudioError, match=message):
        list(found)


def test_a_clock_that_drifts_leaves_no_gap():
    blocks = [Block(SOUND[:100], time=i * 0.0501) for i in range(60)]  # 6 ms in 3 s
    assert len(results(blocks, duration=1, hop=1)[0]) == 3


def test_levels_relative_to_a_maximum_are_refused_with_the_remedy():
    for reference in ("chunk", "clip"):
        with pytest.raises(ValueError, match='Fit it with SpectrogramExtractor\\(reference="full'):
            stream(statistics(reference=reference), [], sampling_rate=RATE, duration=1)
    pipeline = make_pipeline(FunctionExtractor(by_hundreds, sampling_rate=RATE), BandStatistics())
    with pytest.raises(ValueError, match=r"Fit it with FunctionExtractor\(scale=None\)"):
        stream(pipeline, [], sampling_rate=RATE, duration=1)


def by_hundreds(samples):
    return samples[: len(samples) // 100 * 100].reshape(-1, 100)


def test_frames_of_a_function_may_be_streamed_by_windows():
    extractor = FunctionExtractor(by_hundreds, sampling_rate=RATE, scale=None)
    pipeline = make_pipeline(extractor, BandStatistics(), StandardScaler(with_std=False))
    times, table = results([SOUND], pipeline.fit([np.zeros(200)]))
    assert times[:2] == [0.4, 0.55]
    np.testing.assert_allclose(table["mean_7"].iloc[0], SOUND[7:800:100].mean(), atol=1e-6)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"duration": 0}, "duration=0, expected seconds above 0"),
        ({"hop": np.nan}, "hop=nan"),
        ({"hop": 1e-4}, "less than a sample"),
        ({"duration": 1e12}, "which no file holds"),
        ({"sampling_rate": -1}, "sampling_rate=-1"),
        ({"duration": None, "hop": 1}, "hop=1 without a duration"),
        ({"duration": 0.05}, r"duration=0\.05, less than one window of the spectrogram, of 0\.08"),
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


# Frame by frame.

ENCODERS = {
    "reservoir": ReservoirFeatures(
        8, bidirectional=False, representation="components", n_components=5, random_state=0
    ),
    "reservoir of LSTMs": ReservoirFeatures(
        8, cell="lstm", bidirectional=False, representation="states", random_state=0
    ),
    "autoencoder": Seq2SeqAutoencoder(
        8, bidirectional_encoder=False, representation="states", max_epochs=0, random_state=0
    ),
    "autoencoder over bands, then time": Seq2SeqAutoencoder(
        (4, 8),
        axis="frequency-time",
        band_window=4,
        band_overlap=2,
        bidirectional_encoder=False,
        representation="states",
        max_epochs=0,
        random_state=0,
    ),
    "autoencoder over bands": Seq2SeqAutoencoder(
        4,
        axis="frequency",
        band_window=4,
        band_overlap=2,
        representation="both",
        max_epochs=0,
        random_state=0,
    ),
}


def spectra(**parameters):
    defaults = {"window_duration": 0.05, "n_mels": 6, "sampling_rate": RATE}
    return SpectrogramExtractor(**defaults | {"reference": "full_scale"} | parameters)


@pytest.fixture(scope="module", params=ENCODERS)
def network(request):
    """Return a pipeline that gives features of frames, and these of the whole recording."""
    pipeline = make_pipeline(spectra(), clone(ENCODERS[request.param])).fit([SOUND, SOUND[::-1]])
    return pipeline, pipeline.transform([SOUND])[0]


def frames(blocks, pipeline, sampling_rate=RATE):
    return as_table(stream(pipeline, blocks, sampling_rate=sampling_rate))


@pytest.mark.parametrize("size", [7, 160, 4096])
def test_frames_are_those_of_the_recording(network, size):
    pipeline, whole = network
    times, table = frames(np.split(SOUND, range(size, len(SOUND), size)), pipeline)
    np.testing.assert_allclose(table, whole, atol=1e-5, rtol=0)
    assert table.columns.tolist() == pipeline.get_feature_names_out().tolist()
    np.testing.assert_allclose(times, 0.025 * np.arange(1, len(whole) + 1))
    np.testing.assert_array_equal(times, pipeline[0].frame_times(len(whole)))


@pytest.fixture(scope="module")
def reservoir():
    pipeline = make_pipeline(spectra(), clone(ENCODERS["reservoir"])).fit([SOUND])
    return pipeline, pipeline.transform([SOUND])[0]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, len(SOUND)), max_size=12))
def test_frames_do_not_depend_on_where_blocks_end(reservoir, cuts):
    pipeline, whole = reservoir
    _, table = frames(np.split(SOUND, sorted(cuts)), pipeline)
    np.testing.assert_allclose(table, whole, atol=1e-5, rtol=0)


def test_frames_may_come_sample_by_sample_as_integers_of_two_channels(reservoir):
    pipeline, whole = reservoir
    integers = np.round(SOUND * 32767).astype(np.int16)
    _, table = frames(np.stack([integers, integers]).T[:, :, None], pipeline)
    np.testing.assert_allclose(table, whole, atol=1e-2)
    expected = pipeline.transform([np.stack([integers, integers])])[0]
    np.testing.assert_allclose(table, expected, atol=1e-5, rtol=0)


def test_frames_of_a_stream_of_another_rate_are_those_of_the_resampled_recording(reservoir):
    pipeline, _ = reservoir
    _, table = frames(np.array_split(SOUND, 11), pipeline, 4000)
    expected = pipeline.transform([resample(SOUND[None], 4000, RATE)])[0]
    np.testing.assert_allclose(table, expected, atol=1e-5, rtol=0)


def test_a_frame_comes_with_its_last_sample(reservoir):
    taken = []

    def microphone():
        for start in range(0, 2500, 20):
            taken.append(start)
            yield SOUND[start : start + 20]

    found = stream(reservoir[0], microphone(), sampling_rate=RATE)
    assert [(next(found)[0], len(taken)) for _ in range(3)] == [(0.025, 5), (0.05, 8), (0.075, 10)]


def test_a_stream_shorter_than_a_frame_gives_nothing(reservoir):
    assert frames([SOUND[:99]], reservoir[0])[0] == []
    assert frames([], reservoir[0])[0] == []


def test_two_streams_of_one_pipeline_do_not_meet(reservoir):
    pipeline, whole = reservoir
    first, second = (stream(pipeline, [SOUND], sampling_rate=RATE) for _ in range(2))
    for row, ((_, one), (_, other)) in zip(whole, zip(first, second, strict=True), strict=True):
        np.testing.assert_allclose([one, other], [row, row], atol=1e-5, rtol=0)


def curve(pipeline, sounds):
    """Return targets of frames: two curves of the spectrogram."""
    levels = pipeline[0].transform(sounds)
    return np.stack([levels.mean(axis=2), levels[:, :, 0]], axis=2)


def test_predictions_of_frames_are_those_for_the_recording(reservoir):
    pipeline, _ = reservoir
    y = curve(pipeline, [SOUND])
    one = make_pipeline(*pipeline, PerFrame(Ridge())).fit([SOUND], y[:, :, 0])
    _, table = frames(np.array_split(SOUND, 9), one)
    assert table.columns.tolist() == ["prediction"]
    np.testing.assert_allclose(table["prediction"], one.predict([SOUND])[0], atol=1e-5, rtol=0)
    two = make_pipeline(pipeline[0], PerFrame(Ridge())).fit([SOUND], y)  # without a network
    _, table = frames(np.array_split(SOUND, 9), two)
    assert table.columns.tolist() == ["prediction_0", "prediction_1"]
    np.testing.assert_allclose(table, two.predict([SOUND])[0], atol=1e-5, rtol=0)


def test_frames_of_a_classifier_have_probabilities_or_labels(reservoir):
    pipeline, _ = reservoir
    levels = curve(pipeline, [SOUND])[:, :, 0]
    y = np.where(levels > np.median(levels), "loud", "soft")
    model = make_pipeline(*pipeline, PerFrame(LogisticRegression())).fit([SOUND], y)
    _, table = frames(np.array_split(SOUND, 9), model)
    assert table.columns.tolist() == ["loud", "soft"]
    np.testing.assert_allclose(table, model.predict_proba([SOUND])[0], atol=1e-5, rtol=0)
    model = make_pipeline(*pipeline, PerFrame(LinearSVC())).fit([SOUND], y)
    _, table = frames(np.array_split(SOUND, 9), model)
    assert table["label"].tolist() == model.predict([SOUND])[0].tolist()
    with pytest.raises(ValueError, match=r"ends in PerFrame.*expected a classifier of clips"):
        predict_clips(model, [SOUND])


def test_predictions_with_a_delay_stand_at_the_times_of_the_labels(reservoir):
    """They are there with the sound; only the offline prediction repeats the first for 0.1 s."""
    pipeline, whole = reservoir
    per_frame = PerFrame(Ridge(), delay=0.1, hop_duration=0.025)
    model = make_pipeline(*pipeline, per_frame).fit([SOUND], curve(pipeline, [SOUND])[:, :, 0])
    times, table = frames(np.array_split(SOUND, 9), model)
    assert len(times) == len(whole)
    np.testing.assert_allclose(times, 0.1 + 0.025 * np.arange(1, len(whole) + 1))
    offline = model.predict([SOUND])[0]
    np.testing.assert_allclose(table["prediction"][:-4], offline[4:], atol=1e-5, rtol=0)


def test_a_delay_counted_in_other_frames_is_refused(reservoir):
    pipeline, _ = reservoir
    per_frame = PerFrame(Ridge(), delay=0.1, hop_duration=0.05)
    model = make_pipeline(*pipeline, per_frame).fit([SOUND], curve(pipeline, [SOUND])[:, :, 0])
    with pytest.raises(ValueError, match=r"Give PerFrame\(hop_duration=0\.025\)"):
        stream(model, [], sampling_rate=RATE)


def test_a_processor_sends_frames_to_stream(reservoir):
    pipeline, _ = reservoir
    model = make_pipeline(*pipeline, PerFrame(Ridge()))
    model.fit([SOUND], curve(pipeline, [SOUND])[:, :, 0])
    with pytest.raises(ValueError, match=r"Of PerFrame, skaudeep\.stream"):
        Processor(model).process_signal(SOUND, RATE)


def test_values_of_frames_are_not_looked_for_in_windows(reservoir):
    pipeline, _ = reservoir
    model = make_pipeline(*pipeline, PerFrame(Ridge()))
    model.fit([SOUND], curve(pipeline, [SOUND])[:, :, 0])
    with pytest.raises(ValueError, match=r"duration=1 for a pipeline that ends in PerFrame.*Leave"):
        stream(model, [], sampling_rate=RATE, duration=1)


def test_a_search_gives_its_best_pipeline(reservoir):
    pipeline, _ = reservoir
    model = make_pipeline(*pipeline, PerFrame(Ridge()))
    y = curve(pipeline, [SOUND])[[0, 0], :, 0]
    search = GridSearchCV(model, {"perframe__estimator__alpha": [1.0]}, cv=2)
    search.fit(np.stack([SOUND, SOUND]), y)
    _, table = frames(np.array_split(SOUND, 9), search)
    np.testing.assert_allclose(table["prediction"], search.predict([SOUND])[0], atol=1e-5, rtol=0)
    # A search of spectrograms, behind the extractor.
    of_spectra = clone(search).set_params(estimator=clone(model[1:]))
    of_spectra.fit(pipeline[0].transform([SOUND, SOUND]), y)
    _, table = frames(np.array_split(SOUND, 9), make_pipeline(pipeline[0], of_spectra))
    np.testing.assert_allclose(table["prediction"], search.predict([SOUND])[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (BandStatistics(), "with BandStatistics, which reads whole clips"),
        (
            ReservoirFeatures(8, representation="states"),
            "with ReservoirFeatures, which cannot go on: Got a bidirectional stack",
        ),
        (
            ReservoirFeatures(8, bidirectional=False),
            "with ReservoirFeatures, which cannot go on: Got representation='covariance'",
        ),
    ],
)
def test_steps_that_need_the_whole_recording_are_refused_with_the_remedy(step, message):
    pipeline = make_pipeline(spectra(), clone(step)).fit([SOUND])
    with pytest.raises(ValueError, match=f"{message}.*process windows by this one: give duration="):
        stream(pipeline, [], sampling_rate=RATE)


def test_extractors_that_need_the_whole_recording_are_refused_with_the_remedy():
    fusion = FeatureFusion([("a", spectra()), ("b", spectra(n_mels=4))]).fit([SOUND])
    function = FunctionExtractor(by_hundreds, sampling_rate=RATE, scale=None)
    for extractor in (fusion, function):
        pipeline = make_pipeline(extractor, clone(ENCODERS["reservoir"])).fit([SOUND])
        with pytest.raises(ValueError, match=r"which is no SpectrogramExtractor.*give duration="):
            stream(pipeline, [], sampling_rate=RATE)
    with pytest.raises(ValueError, match=r"duration=1.0, by which recordings are cut or padded"):
        stream(make_pipeline(spectra(duration=1.0)), [], sampling_rate=RATE)


def test_memory_does_not_grow_with_the_frames():
    """A million samples, 4 MB, in blocks of 5 kB and of 1 MB."""
    for block, n_blocks in ((SOUND[:1250], 800), (np.tile(SOUND, 100), 4)):
        blocks = itertools.repeat(block, n_blocks)
        pipeline = make_pipeline(spectra(window_duration=2))
        found = stream(pipeline, blocks, sampling_rate=RATE)
        next(found)
        tracemalloc.start()
        try:
            for _ in found:
                pass
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 2.5e6


def test_the_page_on_live_sound_runs(capsys):
    page = Path(__file__).parents[1] / "docs" / "live.md"
    names = {}
    blocks = re.findall(r"```python\n(.+?)```", page.read_text("utf-8"), re.DOTALL)
    by_windows, by_frame, _ = blocks  # the last needs a microphone
    exec(by_windows, names)
    times = [float(line.split()[0]) for line in capsys.readouterr().out.splitlines()]
    assert times == [1.0, 1.5, 2.0, 2.5, 3.0]
    exec(by_frame, names)
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    loud = names["curves"][:3, 1:-1] > 0  # three clips one after another
    assert loud.sum() * 0.5 < len(printed) < 75
