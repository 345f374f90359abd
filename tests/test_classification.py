"""A classifier of recordings: class names and sampling rate travel in it; faults cost one clip."""

import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

import skaudeep
from skaudeep import AudioWarning, BandStatistics, SpectrogramExtractor
from skaudeep.audio import AudioError
from skaudeep.audio.files import AudioFile
from skaudeep.classification import classifier_for, find_extractors, model_rate
from skaudeep.datasets import drop_folds, make_bunch, make_sounds, select, windows
from skaudeep.formats import load_arff, load_csv
from skaudeep.recipes import audio_classifier

RATE = 8000  # Hz


def statistics(classifier=None):
    """Return a cheap classifier of recordings."""
    extractor = SpectrogramExtractor(n_mels=20, clip_below=-60)
    return make_pipeline(
        extractor, BandStatistics(), StandardScaler(), classifier or LogisticRegression()
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Make 24 clips of two classes as files."""
    folder = tmp_path_factory.mktemp("corpus")
    sounds = make_sounds(
        24, n_classes=2, duration=0.3, sampling_rate=RATE, random_state=0, folder=folder
    )
    return drop_folds(sounds)


@pytest.fixture(scope="module")
def model(corpus):
    return skaudeep.fit_classifier(corpus, statistics())


def test_a_fitted_classifier_predicts_the_names_of_classes(corpus, model):
    assert model.classes_.tolist() == sorted(corpus.target_names)
    predicted = pd.concat(skaudeep.predict_clips(model, corpus), ignore_index=True)
    truth = np.array(corpus.target_names)[corpus.target]
    assert (predicted.label == truth).mean() == 1
    assert predicted.file.tolist() == corpus.filenames.tolist()
    np.testing.assert_allclose(predicted[model.classes_].sum(axis=1), 1)


def test_unlabelled_clips_are_left_out_of_a_fit(corpus, model):
    half = corpus | {"target": np.where(np.arange(24) < 12, corpus.target, -1)}
    partly = skaudeep.fit_classifier(half, statistics())
    alone = skaudeep.fit_classifier(select(corpus, np.arange(12)), statistics())
    np.testing.assert_array_equal(partly[-1].coef_, alone[-1].coef_)
    assert not np.array_equal(partly[-1].coef_, model[-1].coef_)


def test_groups_of_labelled_clips_reach_the_classifier(corpus):
    seen = []

    class Spy(LogisticRegression):
        def fit(self, X, y, groups=None):
            seen.append(groups)
            return super().fit(X, y)

    grouped = corpus | {
        "groups": np.array(list("abcd") * 6),
        "target": np.where(np.arange(24) < 20, corpus.target, -1),
    }
    skaudeep.fit_classifier(grouped, statistics(Spy()))
    skaudeep.fit_classifier(corpus | {"groups": np.full(24, "")}, statistics(Spy()))
    assert seen[0].tolist() == list("abcd") * 5
    assert seen[1] is None


def test_a_single_class_is_refused_with_its_name(corpus):
    with pytest.raises(ValueError, match="the class 'rising sweep' alone"):
        skaudeep.fit_classifier(corpus | {"target": np.where(corpus.target == 0, 0, -1)})
    with pytest.raises(ValueError, match="no labelled clip among 24 clips"):
        skaudeep.fit_classifier(corpus | {"target": np.full(24, -1)})
    with pytest.raises(ValueError, match="to regress on"):
        skaudeep.fit_classifier(corpus | {"target": np.ones(24), "target_names": []})


def test_recordings_of_another_rate_are_resampled_to_that_of_the_model(corpus, model, tmp_path):
    samples, _ = soundfile.read(corpus.data[0])
    soundfile.write(tmp_path / "high.wav", np.repeat(samples, 2), 2 * RATE)
    assert model_rate(model) == RATE
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (frame,) = skaudeep.predict_clips(model, [tmp_path / "high.wav"])
    assert frame.label.tolist() == [corpus.target_names[corpus.target[0]]]


def test_recordings_of_a_lower_rate_are_warned_of_once(model, tmp_path):
    for name in ("a.wav", "b.wav", "c.wav"):
        soundfile.write(tmp_path / name, np.sin(np.arange(2000.0)) / 2, RATE // 2)
    paths = [str(tmp_path / name) for name in ("a.wav", "b.wav", "c.wav")]
    with pytest.warns(AudioWarning, match=r"a\.wav: has .* 4000 Hz, but .* 8000 Hz.*2000") as seen:
        assert len(list(skaudeep.predict_clips(model, paths, batch_size=1))) == 3
    assert len(seen) == 1


def test_a_clip_that_cannot_be_read_costs_no_other_clip_its_label(corpus, model, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no sound")
    paths = [*corpus.data[:5], str(bad), *corpus.data[5:8], str(tmp_path / "none.wav")]
    (frame,) = skaudeep.predict_clips(model, paths)
    alone = pd.concat(skaudeep.predict_clips(model, corpus.data[:8]))
    sound = frame.drop([5, 9])
    assert sound.label.tolist() == alone.label.tolist()
    np.testing.assert_allclose(sound[model.classes_], alone[model.classes_], atol=1e-6)
    assert frame.label[[5, 9]].tolist() == ["", ""]
    assert frame.loc[[5, 9], model.classes_].isna().all(axis=None)
    errors = frame.attrs["errors"]
    assert list(errors) == [5, 9]
    assert [error.clip for error in errors.values()] == [str(bad), str(tmp_path / "none.wav")]
    assert all(isinstance(error, AudioError) for error in errors.values())


def test_below_the_wanted_confidence_a_clip_has_no_label(corpus, model):
    (sure,) = skaudeep.predict_clips(model, corpus)
    threshold = float(sure[model.classes_].max(axis=1).median())
    (frame,) = skaudeep.predict_clips(model, corpus, min_confidence=threshold)
    unsure = frame[model.classes_].max(axis=1) < threshold
    assert 0 < unsure.sum() < 24
    assert (frame.label[unsure] == "").all()
    assert (frame.label[~unsure] == sure.label[~unsure]).all()


def test_windows_are_predicted_under_file_start_and_end_a_batch_at_a_time(
    corpus, model, tmp_path, monkeypatch
):
    rng = np.random.default_rng(0)
    sound = rng.normal(scale=0.1, size=5 * RATE)
    sound[2 * RATE : 3 * RATE] = 0
    soundfile.write(tmp_path / "a.wav", sound, RATE)
    bunch = windows(tmp_path / "a.wav", duration=0.5, hop=1 / 3)
    n_read = []
    read = AudioFile.read

    def counted(self, n_samples):
        found = read(self, n_samples)
        n_read.append(found.shape[1])
        return found

    monkeypatch.setattr(AudioFile, "read", counted)
    frames = skaudeep.predict_clips(model, bunch, batch_size=4)
    first = next(frames)
    # Extracted, and before it three frames of each listened to: no more than the batch needs.
    assert sum(n_read) <= (1.5 + 4 * 0.17) * RATE
    predicted = pd.concat([first, *frames], ignore_index=True)
    assert predicted.columns.tolist() == ["file", "start", "end", "label", *model.classes_]
    scores = predicted.set_index(["file", "start", "end"])
    assert scores.index.equals(bunch.data)
    assert scores.index.dtypes.astype(str).tolist() == bunch.data.dtypes.astype(str).tolist()
    assert predicted.start[predicted.label == ""].dt.total_seconds().round(3).tolist() == [2, 2.333]
    by_index = pd.concat(skaudeep.predict_clips(model, bunch.data), ignore_index=True)
    pd.testing.assert_frame_equal(by_index, predicted)
    in_seconds = bunch.data.set_levels(
        [bunch.data.levels[k].total_seconds() for k in (1, 2)], level=["start", "end"]
    )
    by_seconds = pd.concat(skaudeep.predict_clips(model, in_seconds), ignore_index=True)
    pd.testing.assert_frame_equal(by_seconds, predicted)


def test_a_model_without_probabilities_gives_labels_alone(corpus):
    plain = skaudeep.fit_classifier(corpus, statistics(LinearSVC(random_state=0)))
    (frame,) = skaudeep.predict_clips(plain, corpus)
    assert frame.columns.tolist() == ["file", "label"]
    assert set(frame.label) == set(corpus.target_names)
    with pytest.raises(ValueError, match="without probabilities"):
        skaudeep.predict_clips(plain, corpus, min_confidence=0.5)


def test_predict_clips_refuses_what_is_wrong_before_it_reads_a_clip(model):
    with pytest.raises(ValueError, match="StandardScaler without classes_"):
        skaudeep.predict_clips(StandardScaler(), ["none.wav"])
    with pytest.raises(ValueError, match=r"min_confidence=1\.5"):
        skaudeep.predict_clips(model, ["none.wav"], min_confidence=1.5)
    with pytest.raises(ValueError, match="batch_size=0"):
        skaudeep.predict_clips(model, ["none.wav"], batch_size=0)


@pytest.mark.parametrize("suffix", [".nc", ".csv", ".arff"])
def test_features_go_into_a_file_of_the_kind_that_its_ending_says(corpus, model, tmp_path, suffix):
    path = tmp_path / f"features{suffix}"
    counted = []
    written = skaudeep.transform_to_file(
        model, corpus, path, batch_size=10, on_clips=counted.append
    )
    expected = model[:-1].transform(corpus.data)
    np.testing.assert_allclose(written.data, expected, atol=1e-5)
    assert counted == [0, 10, 10, 4]
    read = {".nc": skaudeep.load_netcdf, ".csv": load_csv, ".arff": load_arff}[suffix]
    stored = read(path if suffix == ".nc" else tmp_path)
    np.testing.assert_allclose(stored.data, expected, atol=1e-5)
    assert stored.filenames.tolist() == corpus.filenames.tolist()
    assert stored.feature_names == model[:-1].get_feature_names_out().tolist()
    assert stored.groups.tolist() == corpus.groups.tolist()
    assert [path.name for path in tmp_path.iterdir()] == [f"features{suffix}"]


def test_names_that_a_table_cannot_hold_are_counted_in_their_place(corpus, model, tmp_path):
    class Quoting(FunctionTransformer):
        def get_feature_names_out(self, input_features=None):
            return np.array([f"it's {name}" for name in input_features], dtype=object)

    named = make_pipeline(*(step for _, step in model.steps[:-1]), Quoting())
    written = skaudeep.transform_to_file(named, corpus, tmp_path / "features.arff")
    assert "feature_names" not in written
    assert "feature_names" not in load_arff(tmp_path)


def test_features_of_a_clip_that_cannot_be_read_are_missing_and_say_why(corpus, model, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    mixed = make_bunch([*corpus.data[:3], str(tmp_path / "bad.wav")], list("abcd"))
    skaudeep.transform_to_file(model, mixed, tmp_path / "features.nc")
    stored = skaudeep.load_netcdf(tmp_path / "features.nc")
    assert np.isnan(stored.data).any(axis=1).tolist() == [False] * 3 + [True]
    assert [bool(reason) for reason in stored.errors] == [False] * 3 + [True]
    with pytest.raises(AudioError, match="bad"):
        skaudeep.transform_to_file(model, select(mixed, [3]), tmp_path / "other.nc")


def test_an_interrupted_transform_goes_on_with_the_same_result(corpus, model, tmp_path):
    path = tmp_path / "features.nc"
    options = {"batch_size": 10, "resume": "model 1"}

    def interrupt(n_clips):
        if n_clips == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        skaudeep.transform_to_file(model, corpus, path, on_clips=interrupt, **options)
    assert [file.name for file in tmp_path.iterdir()] == ["features.nc.partial"]
    with pytest.raises(ValueError, match="belongs to other clips or parameters"):
        skaudeep.transform_to_file(model, corpus, path, resume="model 2")
    counted = []
    written = skaudeep.transform_to_file(model, corpus, path, on_clips=counted.append, **options)
    assert counted == [10, 10, 4]
    np.testing.assert_allclose(written.data, model[:-1].transform(corpus.data), atol=1e-5)
    assert [file.name for file in tmp_path.iterdir()] == ["features.nc"]


def test_transform_to_file_refuses_an_unknown_ending_and_a_bare_classifier(corpus, tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.nc, \.csv, \.arff"):
        skaudeep.transform_to_file(statistics(), corpus, tmp_path / "features.xlsx")
    # A table would be written as features.csv, over what is there.
    with pytest.raises(ValueError, match=r"ends in \.nc, \.csv, \.arff"):
        skaudeep.transform_to_file(statistics(), corpus, tmp_path / "features.CSV")
    with pytest.raises(ValueError, match="LogisticRegression without transform"):
        skaudeep.transform_to_file(LogisticRegression(), corpus, tmp_path / "features.nc")
    alone = make_pipeline(LogisticRegression())
    with pytest.raises(ValueError, match="a classifier alone"):
        skaudeep.transform_to_file(alone, corpus, tmp_path / "features.nc")
    with pytest.raises(ValueError, match="Pool frames and chunks first"):
        skaudeep.transform_to_file(SpectrogramExtractor(), corpus, tmp_path / "features.nc")
    with pytest.raises(FileNotFoundError, match="folder"):
        skaudeep.transform_to_file(statistics(), corpus, tmp_path / "none" / "features.nc")


def test_what_a_model_would_misread_is_refused(model, tmp_path):
    spectrograms = make_bunch(np.zeros((2, 9, 20)), ["a.wav", "b.wav"])
    for function in (
        lambda: skaudeep.predict_clips(model, spectrograms),
        lambda: skaudeep.transform_to_file(model, spectrograms, tmp_path / "features.nc"),
    ):
        with pytest.raises(ValueError, match="for a model of recordings"):
            function()


def test_extractors_are_found_at_any_depth_and_keep_the_rate_that_they_saw(corpus):
    pipeline = audio_classifier(n_units=8, random_state=0)
    assert model_rate(pipeline) is None
    fitted = skaudeep.fit_classifier(select(corpus, np.arange(8)), pipeline)
    n_views = len(fitted[0].transformer_list)
    assert [e.sampling_rate for e in find_extractors(fitted)].count(RATE) == n_views
    assert model_rate(fitted) == RATE


def test_the_default_classifier_suits_what_the_data_are(corpus):
    def steps(data, **keys):
        bunch = make_bunch(data, [f"{i}.wav" for i in range(len(data))], **keys)
        return list(classifier_for(bunch).named_steps)

    linear = ["standardscaler", "normalizer", "tunedlogisticregression"]
    assert steps(np.zeros((4, 8))) == linear
    assert steps(np.zeros((4, 8, 3))) == ["reservoirfeatures", *linear]
    assert steps(corpus.data) == ["featurefusion", *linear]
    with pytest.raises(ValueError, match="Pool the chunks"):
        steps(np.zeros((4, 2, 3)), dims=("clip", "chunk", "feature"))


def test_the_default_classifier_of_waveforms_knows_their_rate():
    sounds = make_sounds(10, n_classes=2, duration=0.3, sampling_rate=RATE, random_state=0)
    assert model_rate(classifier_for(sounds)) == RATE
    with pytest.raises(ValueError, match="Got waveforms of 8000 Hz, expected 4000 Hz"):
        classifier_for(sounds, sampling_rate=4000)


def test_waveforms_of_another_rate_than_that_of_the_model_are_refused(model, tmp_path):
    sounds = make_sounds(10, n_classes=2, duration=0.3, sampling_rate=2 * RATE, random_state=0)
    for function in (
        lambda: skaudeep.predict_clips(model, sounds),
        lambda: skaudeep.transform_to_file(model, sounds, tmp_path / "features.nc"),
    ):
        with pytest.raises(ValueError, match="Got waveforms of 16000 Hz, expected 8000 Hz"):
            function()


def test_silence_has_no_label_and_costs_no_other_clip(model, corpus, tmp_path):
    files = [str(tmp_path / name) for name in ("silent.wav", "late.wav")]
    samples = np.zeros(3 * RATE)
    soundfile.write(files[0], samples, RATE)
    samples[-100:] = 0.5  # after the part that is looked at first
    soundfile.write(files[1], samples, RATE)
    (frame,) = skaudeep.predict_clips(model, [files[0], corpus.data[0], files[1]])
    assert (frame.label != "").tolist() == [False, True, True]
    assert frame.iloc[0, 2:].isna().all()
    assert frame.iloc[1:, 2:].notna().all(axis=None)
    assert frame.attrs["errors"].keys() == {0}
    assert "silent.wav: holds nothing but silence" in str(frame.attrs["errors"][0])
    (alone,) = skaudeep.predict_clips(model, files[:1])
    assert alone.label.tolist() == [""]


def test_clips_of_less_than_three_frames_are_predicted_with_a_warning(model, tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE)
    for name, seconds in (("long.wav", 0.2), ("short.wav", 0.1)):
        soundfile.write(tmp_path / name, noise[: round(seconds * RATE)], RATE)
    clips = [str(tmp_path / name) for name in ("long.wav", "short.wav")]
    with pytest.warns(AudioWarning, match=r"short.wav \(0.1 s\): lasts less than 0.16 s") as caught:
        (frame,) = skaudeep.predict_clips(model, clips)
    assert "long.wav" not in str(caught[0].message)
    assert frame.label.ne("").all()


@pytest.mark.parametrize("path", ["birds", Path("birds")])
@pytest.mark.parametrize(
    "function", [skaudeep.fit_classifier, partial(skaudeep.evaluate, LogisticRegression())]
)
def test_a_folder_in_place_of_a_data_set_is_told_how_to_load_it(function, path):
    with pytest.raises(ValueError, match=r"skaudeep\.datasets\.load_dataset\('birds'\)"):
        function(path)


def test_the_score_of_a_model_takes_names(model, corpus):
    assert model.score(corpus.data, np.array(corpus.target_names)[corpus.target]) == 1


class Recurrent(TransformerMixin, BaseEstimator):
    """Double each frame, or each chunk's frames, as an autoencoder over frequency keeps them."""

    def __init__(self, keep_frames=True):
        self.keep_frames = keep_frames

    def fit(self, X, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, X):
        return 2 * X if self.keep_frames else 2 * np.nanmean(X, axis=-2)


@pytest.mark.parametrize(
    ("chunk", "keep_frames", "dims"),
    [
        (None, True, ("clip", "frame", "feature")),
        (0.1, False, ("clip", "chunk", "feature")),
        (0.1, True, ("clip", "chunk", "frame", "feature")),
    ],
)
def test_features_of_chunks_and_frames_keep_their_axes_after_an_interruption_too(
    corpus, tmp_path, chunk, keep_frames, dims
):
    extractor = SpectrogramExtractor(n_mels=20, chunk_duration=chunk, sampling_rate=RATE)
    model = make_pipeline(extractor, Recurrent(keep_frames)).fit(corpus.data)
    path = tmp_path / "features.nc"
    seen = []

    def interrupt(n_clips):
        seen.append(n_clips)
        if sum(seen) == 20:
            raise KeyboardInterrupt

    options = {"batch_size": 10, "resume": "1"}
    with pytest.raises(KeyboardInterrupt):
        skaudeep.transform_to_file(model, corpus, path, on_clips=interrupt, **options)
    seen.append(100)
    written = skaudeep.transform_to_file(model, corpus, path, on_clips=interrupt, **options)
    stored = skaudeep.load_netcdf(path)
    assert seen == [0, 10, 10, 100, 20, 4]
    assert stored.dims == written.dims == dims
    np.testing.assert_array_equal(stored.data, model.transform(corpus.data))
