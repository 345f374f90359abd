"""Processor: the tables of openSMILE's Python package and audinterface, from our pipelines."""

from __future__ import annotations

import inspect
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skaudeep import (
    AudioError,
    AudioWarning,
    BandStatistics,
    FunctionExtractor,
    Processor,
    SpectrogramExtractor,
    fit_classifier,
    predict_clips,
)
from skaudeep.datasets import make_sounds

RATE = 8000


def statistics(**parameters):
    """Make a pipeline that learns nothing."""
    parameters = {"n_mels": 4, "sampling_rate": RATE, "reference": "full_scale"} | parameters
    return make_pipeline(SpectrogramExtractor(**parameters), BandStatistics())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """a.wav lasts 1 s, b.wav 1.5 s, of 8 kHz; of odd.wav the length is no round number."""
    path = tmp_path_factory.mktemp("recordings")
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, size=20000)
    soundfile.write(path / "a.wav", noise[:8000], RATE)
    soundfile.write(path / "b.wav", noise[:12000], RATE)
    (path / "more").mkdir()
    soundfile.write(path / "more" / "odd.wav", noise[:12345], 44100)
    soundfile.write(path / "more" / "short.flac", noise[:80], RATE)
    soundfile.write(path / "more" / "silent.flac", np.zeros(8000), RATE)
    (path / "notes.txt").write_text("no sound")
    return path


@pytest.fixture(scope="module")
def sounds():
    return make_sounds(12, n_classes=2, duration=0.25, sampling_rate=RATE, random_state=0)


@pytest.fixture(scope="module")
def classifier(sounds):
    extractor = SpectrogramExtractor(n_mels=4, sampling_rate=RATE, on_error="nan")
    return fit_classifier(sounds, make_pipeline(extractor, BandStatistics(), LogisticRegression()))


def times(table):
    """Return the index of a table as tuples with times in milliseconds."""
    return [
        tuple(part.total_seconds() * 1000 if isinstance(part, pd.Timedelta) else part for part in r)
        for r in table.index
    ]


def test_the_tables_of_opensmile(folder, monkeypatch):
    """What opensmile 2.6 and audinterface 1.4 return as index for the same calls."""
    monkeypatch.chdir(folder)
    processor = Processor(statistics())
    table = processor.process_file("a.wav")
    assert table.index.names == ["file", "start", "end"]
    assert table.index.dtypes.astype(str).tolist() == ["str", "timedelta64[ns]", "timedelta64[ns]"]
    assert table.columns[[0, 4, 11]].tolist() == ["mean_0", "std_0", "change_3"]
    assert times(table) == [("a.wav", 0, 1000)]
    assert times(processor.process_file("a.wav", start=0.5)) == [("a.wav", 500, 1000)]
    piece = processor.process_file("a.wav", start=pd.Timedelta("250ms"), end="0.5s")
    assert times(piece) == [("a.wav", 250, 500)]
    both = processor.process_files(["b.wav", "a.wav"])
    assert times(both) == [("b.wav", 0, 1500), ("a.wav", 0, 1000)]
    pieces = processor.process_files(["b.wav", "a.wav"], starts=0.5, ends=[1.0, None])
    assert times(pieces) == [("b.wav", 500, 1000), ("a.wav", 500, 1000)]
    assert processor.process_files([]).shape == (0, 12)
    found = processor.process_folder(".")
    assert times(found) == [(str(folder / "a.wav"), 0, 1000), (str(folder / "b.wav"), 0, 1500)]
    assert times(processor.process_folder(".", include_root=False))[0] == ("a.wav", 0, 1000)
    index = pieces.index.set_levels(pieces.index.levels[2], level=2)
    assert times(processor.process_index(index)) == times(pieces)
    files = pd.Index(["b.wav", "a.wav"], name="file")
    assert times(processor.process_index(files)) == times(both)
    assert processor.process_index(files, preserve_index=True).index.equals(files)
    signal = np.full((2, 8000), 0.1)
    signal[:, ::2] = 0
    assert times(processor.process_signal(signal, RATE, start=0.25)) == [(250, 1000)]
    named = processor.process_signal(signal, RATE, file="x.wav", end=0.5)
    assert times(named) == [("x.wav", 0, 500)]
    assert processor(signal, RATE).shape == (1, 12, 1)


def test_the_end_of_a_file_is_exact_to_the_nanosecond(folder):
    table = Processor(statistics()).process_file(folder / "more" / "odd.wav", start=0.1)
    assert table.index[0][2].value == 279931973


def test_real_packages_return_the_same_tables(folder, monkeypatch):
    reason = "audinterface and opensmile are no dependencies of the tests"
    audinterface = pytest.importorskip("audinterface", reason=reason)
    opensmile = pytest.importorskip("opensmile", reason=reason)
    monkeypatch.chdir(folder)
    pipeline = statistics()
    ours = Processor(pipeline)
    names = ours.process_file("a.wav").columns.tolist()
    theirs = audinterface.Feature(names, process_func=lambda x, _: pipeline.transform([x])[0])
    smile = opensmile.Smile(feature_set="eGeMAPSv02", feature_level="func")
    signal = np.random.default_rng(0).uniform(-0.3, 0.3, size=(1, 8000)).astype(np.float32)
    index = pd.MultiIndex.from_arrays(
        [
            ["b.wav", "a.wav"],
            pd.to_timedelta([0.0, 0.5], unit="s"),
            pd.to_timedelta([1.0, None], unit="s"),
        ],
        names=["file", "start", "end"],
    )
    for call in (
        lambda p: p.process_file("a.wav"),
        lambda p: p.process_file("a.wav", start=0.123456, end="0.5s"),
        lambda p: p.process_files(["b.wav", "a.wav"], starts=0.25, ends=[1, None]),
        lambda p: p.process_files(["b.wav"], root=str(folder)),
        lambda p: p.process_folder(str(folder)),
        lambda p: p.process_folder(str(folder), include_root=False),
        lambda p: p.process_index(index),
        lambda p: p.process_index(index[:1], preserve_index=True),
        lambda p: p.process_index(pd.Index(["b.wav", "a.wav"], name="file")),
        lambda p: p.process_signal(signal, RATE),
        lambda p: p.process_signal(signal, RATE, file="x.wav", start=0.25, end=0.75),
    ):
        pd.testing.assert_frame_equal(
            call(ours), call(theirs), check_dtype=False, check_index_type=False
        )
        pd.testing.assert_index_equal(call(ours).index, call(smile).index, exact=False)
    assert ours(signal, RATE).shape == theirs(signal, RATE).shape
    for name in ("file", "files", "folder", "index", "signal"):
        own = inspect.signature(getattr(Processor, f"process_{name}")).parameters
        for package in (audinterface.Feature, opensmile.Smile):
            other = inspect.signature(getattr(package, f"process_{name}")).parameters
            left_out = {"process_func_args", "cache_root"}
            assert list(own) == [key for key in other if key not in left_out]
            for key in own:
                assert own[key].kind == other[key].kind
                assert own[key].default == other[key].default


def test_values_are_those_of_the_pipeline_on_the_piece(folder):
    pipeline = statistics()
    samples, _ = soundfile.read(folder / "b.wav", dtype="float32")
    expected = pipeline.transform([samples[4000:8000]])
    processor = Processor(pipeline)
    table = processor.process_file(folder / "b.wav", start=0.5, end=1)
    np.testing.assert_array_equal(table, expected)
    np.testing.assert_array_equal(processor.process_signal(samples, RATE, start=0.5, end=1), table)
    np.testing.assert_array_equal(processor(samples[4000:8000], RATE)[0, :, 0], expected[0])


def test_frames_of_a_function_need_no_fit(folder):
    levels = FunctionExtractor(lambda x: np.abs(x[:8000]).reshape(-1, 100), sampling_rate=RATE)
    table = Processor(make_pipeline(levels, BandStatistics())).process_file(folder / "a.wav")
    assert table.shape == (1, 300)
    assert np.isfinite(table.to_numpy()).all()


@pytest.mark.parametrize("channel", ["right", 2])
def test_one_channel_of_several_may_be_asked_for(channel):
    signal = np.random.default_rng(0).uniform(-0.3, 0.3, size=(3, 2000))
    table = Processor(statistics(channel=channel)).process_signal(signal, RATE)
    number = 1 if channel == "right" else channel
    np.testing.assert_array_equal(
        table, Processor(statistics()).process_signal(signal[number], RATE)
    )


def test_set_output_gives_the_same_tables(folder):
    index = Processor(statistics()).process_folder(folder).index
    table = Processor(statistics(), batch_size=1).process_index(index)
    pipeline = statistics().fit(index).set_output(transform="pandas")
    pd.testing.assert_frame_equal(table, pipeline.transform(index))
    pd.testing.assert_frame_equal(table, Processor(pipeline).process_index(index))


def test_a_classifier_gives_the_probabilities_of_predict_clips(classifier, sounds):
    processor = Processor(classifier)
    predicted = pd.concat(predict_clips(classifier, sounds))
    for row in (0, 1):
        table = processor.process_signal(sounds.data[row], RATE)
        assert table.columns.tolist() == ["falling sweep", "rising sweep"]
        np.testing.assert_allclose(table, predicted.iloc[[row], 2:].astype(float), atol=1e-6)


def test_other_models_give_a_label_a_value_or_a_score(sounds):
    clips, target = sounds.data, sounds.target
    svm = make_pipeline(*statistics(), LinearSVC()).fit(clips, target)
    table = Processor(svm).process_signal(clips[0], RATE)
    assert table.columns.tolist() == ["label"]
    assert table.label.tolist() == [str(svm.predict(clips[:1])[0])]
    ridge = make_pipeline(*statistics(), Ridge()).fit(clips, target)
    table = Processor(ridge).process_signal(clips[0], RATE)
    np.testing.assert_allclose(table.prediction, ridge.predict(clips[:1]))
    forest = IsolationForest(n_estimators=2, random_state=0)
    detector = make_pipeline(*statistics(), forest).fit(clips)
    table = Processor(detector).process_signal(clips[0], RATE)
    np.testing.assert_allclose(table.score, detector.score_samples(clips[:1]))


def test_a_file_and_a_signal_of_another_rate_are_resampled(folder):
    processor = Processor(statistics())
    file = folder / "more" / "odd.wav"
    table = processor.process_file(file)
    samples, rate = soundfile.read(file, dtype="float32")
    np.testing.assert_allclose(processor.process_signal(samples, rate), table, atol=1e-6)
    assert abs(table.index[0][2].total_seconds() - 12345 / 44100) < 1e-9
    with pytest.warns(AudioWarning, match=r"x.wav: has a sampling rate of 4000 Hz"):
        processor.process_signal(samples, 4000, file="x.wav")


def test_a_pipeline_without_a_rate_takes_that_of_its_files(folder):
    files = [folder / "a.wav", folder / "b.wav"]
    processor = Processor(statistics(sampling_rate=None))
    expected = Processor(statistics()).process_files(files)
    pd.testing.assert_frame_equal(processor.process_files(files), expected)
    samples, _ = soundfile.read(files[0])
    np.testing.assert_array_equal(processor.process_signal(samples, RATE), expected[:1])
    mixed = [*files, folder / "more" / "odd.wav"]
    with pytest.raises(AudioError, match=r"odd.wav: has a sampling rate of 44100 Hz, but"):
        Processor(statistics(sampling_rate=None), batch_size=1).process_files(mixed)
    fitted = statistics(sampling_rate=None).fit(files)
    assert len(Processor(fitted).process_files(mixed)) == 3
    assert fitted[0].sampling_rate is None


@pytest.mark.parametrize("on_error", ["nan", "read"])
def test_what_cannot_be_used_is_a_row_of_nan_with_one_warning(folder, on_error):
    files = ["a.wav", "more/short.flac", "missing.wav", "notes.txt"]
    processor = Processor(statistics(on_error=on_error))
    with pytest.warns(
        AudioWarning, match=r"3 of 4 clips have no values(.|\n)*short.flac"
    ) as caught:
        table = processor.process_files(files, root=folder)
    assert len(caught) == 1
    assert table.isna().all(axis=1).tolist() == [False, True, True, True]
    assert table.index.get_level_values("file").tolist() == files
    assert times(table[:2]) == [("a.wav", 0, 1000), ("more/short.flac", 0, 10)]
    assert table.index.get_level_values("end").isna().tolist() == [False, False, True, True]
    with pytest.warns(AudioWarning, match="lasts 1 s"):
        assert processor.process_file("a.wav", start=1.5, root=folder).isna().all(axis=None)
    with pytest.warns(AudioWarning, match=r"x.wav: has no samples from 2 s"):
        late = processor.process_signal(np.ones(RATE), RATE, file="x.wav", start=2)
    assert late.isna().all(axis=None)


def test_or_an_error_that_names_the_file(folder):
    processor = Processor(statistics())
    with pytest.raises(AudioError, match=r"short.flac: lasts 0.01 s, less than one window"):
        processor.process_files(["a.wav", "more/short.flac"], root=folder)
    with pytest.raises(AudioError, match=r"a.wav \[0.5 s to 2 s\]: has no samples"):
        processor.process_file(folder / "a.wav", start=0.5, end=2)
    with pytest.raises(AudioError, match=r"x.wav: lasts 0.01 s, less than one window"):
        processor.process_signal(np.ones(80), RATE, file="x.wav")
    with pytest.raises(AudioError, match=r"x.wav: holds 1 samples that are NaN"):
        processor.process_signal([0.1, np.nan] + [0] * 8000, RATE, file="x.wav")


def test_silence_has_features_but_no_class(folder, classifier):
    silent = folder / "more" / "silent.flac"
    with pytest.warns(AudioWarning, match="silent"):
        table = Processor(statistics()).process_file(silent)
    assert (table.filter(like="mean") == -1).all(axis=None)
    with pytest.warns(AudioWarning, match="silent.flac: holds nothing but silence"):
        table = Processor(classifier).process_files([folder / "a.wav", silent])
    assert table.isna().all(axis=1).tolist() == [False, True]


def test_what_has_to_be_fitted_is_refused_with_what_to_do(folder):
    with pytest.raises(NotFittedError, match=r"StandardScaler is not fitted.*Call its fit"):
        Processor(make_pipeline(*statistics(), StandardScaler()))
    with pytest.raises(ValueError, match="without a SpectrogramExtractor"):
        Processor(BandStatistics())
    with pytest.raises(ValueError, match="batch_size=0"):
        Processor(statistics(), batch_size=0)
    spectrograms = Processor(SpectrogramExtractor(n_mels=4, sampling_rate=RATE))
    with pytest.raises(ValueError, match=r"shape \(1, 24, 4\).*Pool frames"):
        spectrograms.process_file(folder / "a.wav")


def test_wrong_calls_are_refused(folder):
    processor = Processor(statistics())
    with pytest.raises(ValueError, match=r"start='4000'.*number of samples"):
        processor.process_file("a.wav", start="4000")
    with pytest.raises(ValueError, match="end='later'"):
        processor.process_file("a.wav", end="later")
    with pytest.raises(ValueError, match="1 starts for 2 files"):
        processor.process_files(["a.wav", "b.wav"], starts=[0.5])
    with pytest.raises(ValueError, match="expected a sequence of paths"):
        processor.process_files("a.wav")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        processor.process_folder(folder / "nowhere")
    with pytest.raises(ValueError, match=r"end in 'ogg'.*filetype="):
        processor.process_folder(folder, filetype="ogg")
    with pytest.raises(ValueError, match="levels"):
        processor.process_index(pd.Index(["a.wav"]))
    with pytest.raises(ValueError, match="sampling_rate=0"):
        processor.process_signal(np.ones(8), 0)


def test_a_later_change_of_the_pipeline_changes_nothing(folder):
    pipeline = statistics()
    processor = Processor(pipeline)
    before = processor.process_folder(folder)
    pipeline[0].set_params(n_mels=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pd.testing.assert_frame_equal(processor.process_folder(folder), before)


def test_the_page_on_processors_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).parents[1] / "docs" / "processor.md"
    names = {}
    for code in re.findall(r"```python\n(.+?)```", page.read_text("utf-8"), re.DOTALL):
        exec(code, names)
    assert names["table"].shape == (2, 120)


def test_a_missing_label_is_an_empty_text_whatever_else_is_in_the_call(folder, sounds):
    svm = make_pipeline(*statistics(), LinearSVC()).fit(sounds.data, sounds.target)
    silent = folder / "more" / "silent.flac"
    with pytest.warns(AudioWarning, match="silent"):
        alone = Processor(svm).process_file(silent)
    with pytest.warns(AudioWarning, match="silent"):
        among = Processor(svm).process_files([folder / "a.wav", silent])
    assert alone.label.tolist() == [""]
    assert among.label.tolist()[1] == ""
    assert alone.label.dtype == among.label.dtype
