"""A classifier of recordings: class names and sampling rate travel in it; faults cost one clip."""

import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import skaudeep
from skaudeep import AudioWarning, BandStatistics, SpectrogramExtractor
from skaudeep.audio import AudioError
from skaudeep.audio.files import AudioFile
from skaudeep.classification import classifier_for, find_extractors, model_rate
from skaudeep.datasets import drop_folds, make_bunch, make_sounds, select, windows
from skaudeep.recipes import audio_classifier, multilabel_classifier

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


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Make windows of a recording with two tones, alone and at once, and with neither."""
    file = tmp_path_factory.mktemp("calls") / "calls.wav"
    samples = 0.03 * np.random.default_rng(0).normal(size=24 * RATE)
    rows = []
    for start in range(0, 24, 4):
        for label, frequency, first in (("low", 0.6, 0), ("high", 1.5, 1)):
            tone = 0.3 * np.sin(frequency * np.arange(2 * RATE))
            samples[(start + first) * RATE : (start + first + 2) * RATE] += tone
            rows.append((file.name, start + first, start + first + 2, label))
    soundfile.write(file, samples, RATE)
    table = pd.DataFrame(rows, columns=["file", "start", "end", "label"])
    return windows(file, duration=0.5, annotations=table)


def test_a_clip_may_have_several_classes_each_by_its_name(calls, tmp_path):
    model = skaudeep.fit_classifier(calls, statistics(OneVsRestClassifier(LogisticRegression())))
    skaudeep.save(model, tmp_path / "calls.skaudeep")
    model = skaudeep.load(tmp_path / "calls.skaudeep")
    found = pd.concat(skaudeep.predict_clips(model, calls), ignore_index=True)
    assert found.columns.tolist()[-3:] == ["label", "high", "low"]
    of_second = ["low", "low", "high;low", "high;low", "high", "high", "", ""]
    assert found["label"].tolist() == of_second * 6
    np.testing.assert_array_equal(found[["high", "low"]] > 0.5, calls.target)
    sure = pd.concat(skaudeep.predict_clips(model, calls, min_confidence=0.999))
    assert (sure["label"].str.len() < found["label"].str.len().to_numpy()).any()


@pytest.mark.parametrize("classifier", [LogisticRegression(), LinearSVC(), KNeighborsClassifier(1)])
def test_a_single_class_is_there_or_not(calls, classifier):
    low = make_bunch(calls.data, calls.filenames, target=calls.target[:, 1:], target_names=["low"])
    expected = ["low", "low", "low", "low", "", "", "", ""] * 6
    model = skaudeep.fit_classifier(low, statistics(classifier))
    found = pd.concat(skaudeep.predict_clips(model, low))
    assert found["label"].tolist() == expected
    if hasattr(model, "predict_proba"):
        assert ((found["low"] > 0.5) == low.target[:, 0]).all()
        events = skaudeep.detect(model, [calls.data[0][0]], duration=0.5)
        np.testing.assert_allclose(events["start"], np.arange(0, 24, 4), atol=0.3)
    numbered = clone(model).fit(low.data, low.target[:, 0])
    found = pd.concat(skaudeep.predict_clips(numbered, low, target_names=["low"]))
    assert found["label"].tolist() == expected


def test_detect_and_process_take_a_model_of_several_classes_by_its_names(calls):
    model = statistics(OneVsRestClassifier(LogisticRegression()))
    model = skaudeep.fit_classifier(calls, model)
    file = calls.data[0][0]
    events = skaudeep.detect(model, [file], duration=0.5)
    for label, first in (("low", 0), ("high", 1)):
        starts = events.loc[events["label"] == label, "start"]
        np.testing.assert_allclose(starts, np.arange(0, 24, 4) + first, atol=0.3)
    table = skaudeep.Processor(model).process_index(calls.data[:3])
    assert table.columns.tolist() == ["high", "low"]
    # neighbours, like forests, return an array for each class
    model = skaudeep.fit_classifier(calls, statistics(KNeighborsClassifier(1)))
    table = skaudeep.Processor(model).process_index(calls.data[:8])
    np.testing.assert_array_equal(table, calls.target[:8])


@pytest.mark.parametrize(
    "classifier",
    [
        OneVsRestClassifier(LogisticRegression()),
        OneVsRestClassifier(LinearSVC()),
        KNeighborsClassifier(1),
        MLPClassifier((), max_iter=300, random_state=0),
    ],
)
def test_a_classifier_fitted_to_columns_is_told_the_names_of_these(calls, classifier):
    model = statistics(classifier)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(calls.data, calls.target)
    found = pd.concat(skaudeep.predict_clips(model, calls, target_names=calls.target_names))
    right = found["label"] == ["low", "low", "high;low", "high;low", "high", "high", "", ""] * 6
    assert right.mean() > 0.9
    with_numbers = pd.concat(skaudeep.predict_clips(model, calls))["label"]
    assert set(with_numbers) == {"", "0", "1", "0;1"}
    with pytest.raises(ValueError, match="1 target_names for a model of the classes"):
        skaudeep.predict_clips(model, calls, target_names=["low"])


def test_names_replace_numbers_of_one_class_each(corpus, model):
    for classifier in (LogisticRegression(), LinearSVC()):
        numbered = statistics(classifier).fit(corpus.data, corpus.target)
        found = pd.concat(
            skaudeep.predict_clips(numbered, corpus, target_names=corpus.target_names)
        )
        truth = np.array(corpus.target_names)[corpus.target]
        assert (found["label"] == truth).all()
    with pytest.raises(ValueError, match="for a model that knows its classes, 'falling sweep'"):
        skaudeep.predict_clips(model, corpus, target_names=corpus.target_names)


def test_the_default_classifier_predicts_several_classes(calls, monkeypatch):
    monkeypatch.setattr(
        skaudeep.classification, "audio_classifier", partial(audio_classifier, n_units=2)
    )
    model = skaudeep.fit_classifier(calls, random_state=0)
    # the one default for several classes
    assert str(model[-1].get_params()) == str(multilabel_classifier()[-1].get_params())
    found = pd.concat(skaudeep.predict_clips(model, calls))
    assert ((found[["high", "low"]] > 0.5).to_numpy() == calls.target).mean() > 0.9


def test_a_class_that_all_clips_have_or_none_is_refused(calls):
    for value, which in ((1, "each"), (0, "none")):
        target = np.column_stack([calls.target, np.full(48, value)])
        bunch = make_bunch(
            calls.data, calls.filenames, target=target, target_names=["high", "low", "rain"]
        )
        with pytest.raises(ValueError, match=f"'rain' as a class of {which} of 48 clips"):
            skaudeep.fit_classifier(bunch, statistics())


def test_what_a_model_was_told_to_make_nan_of_has_no_label_and_a_reason(corpus, tmp_path):
    model = statistics().set_params(spectrogramextractor__on_error="nan")
    model = skaudeep.fit_classifier(corpus, model)
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    (found,) = skaudeep.predict_clips(model, [corpus.data[0], broken])
    assert found["label"].tolist()[1] == ""
    assert found["label"][0]
    assert "broken.wav" in str(found.attrs["errors"][1])
    assert model[0].on_error == "nan"
    features = make_bunch([corpus.data[0], str(broken)], ["a", "b"])
    stored = skaudeep.transform_to_file(model, features, tmp_path / "f.nc")
    assert "broken.wav" in stored.errors[1]


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


@pytest.mark.parametrize(
    ("shape", "dims", "vote", "expected"),
    [
        ((4, 8), ("clip", "feature"), False, ["logisticregression"]),
        ((4, 2, 8), ("clip", "chunk", "feature"), True, ["chunkvotingclassifier"]),
        (
            (4, 2, 8, 3),
            ("clip", "chunk", "time", "frequency"),
            True,
            ["reservoirfeatures", "chunkvotingclassifier"],
        ),
    ],
)
def test_another_classifier_stands_where_the_default_one_would(shape, dims, vote, expected):
    bunch = make_bunch(np.zeros(shape), [f"{i}.wav" for i in range(4)], dims=dims)
    given = LogisticRegression()
    pipeline = classifier_for(bunch, classifier=given, vote=vote)
    assert list(pipeline.named_steps) == expected
    assert (pipeline[-1].classifier if vote else pipeline[-1]) is given


def test_chunks_that_are_not_there_cannot_vote(corpus):
    with pytest.raises(ValueError, match="Got vote=True for data with the axes"):
        classifier_for(corpus, vote=True)


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
