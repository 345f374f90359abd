"""DistilledFeatures: a small network that learns from another's features which clips are alike."""

from __future__ import annotations

import logging
import pickle

import numpy as np
import pytest
import torch
from scipy.io import wavfile
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import get_tags

from skaudeep import (
    BandStatistics,
    DistilledFeatures,
    ReservoirFeatures,
    Seq2SeqAutoencoder,
    SpectrogramExtractor,
    evaluate,
)
from skaudeep.datasets import make_bunch
from skaudeep.recipes import linear_classifier

N_FRAMES, N_BANDS = 16, 3
RATE = 8000  # Hz
SMALL = {"extractor": "passthrough", "n_units": 4, "max_epochs": 2, "random_state": 0}
EXTRACTOR = SpectrogramExtractor(n_mels=8, sampling_rate=RATE, clip_below=-60)


def sequences(n_clips=24, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (n_clips, N_FRAMES, N_BANDS)).astype(np.float32)


def ragged(n_clips=24):
    lengths = np.random.default_rng(1).integers(8, N_FRAMES + 1, n_clips)
    return [x[:n] for x, n in zip(sequences(n_clips), lengths, strict=True)]


def small(teacher=None, **parameters):
    return DistilledFeatures(teacher or BandStatistics(), **SMALL | parameters)


class Pulse(TransformerMixin, BaseEstimator):
    """A teacher that hears nothing but how strong two rhythms of the first band are."""

    n_calls = 0

    def fit(self, X, y=None):
        self.n_clips_ = len(X)
        return self

    def transform(self, X):
        type(self).n_calls += 1
        return np.abs(np.fft.rfft(np.nan_to_num(X[:, :, 0]), axis=1))[:, [2, 5]]


def rhythms(n_clips=96, seed=0):
    """Clips of two classes, which differ in the rhythm of the first band; others are noise."""
    rng = np.random.default_rng(seed)
    X, y = sequences(n_clips, seed), np.arange(n_clips) % 2
    cycles, phase = np.where(y, 5, 2)[:, None], rng.uniform(0, 2 * np.pi, (n_clips, 1))
    X[:, :, 0] *= 0.3
    X[:, :, 0] += 0.7 * np.sin(2 * np.pi * cycles * np.arange(N_FRAMES) / N_FRAMES + phase)
    return X, y


@pytest.fixture(scope="module")
def student():
    parameters = {"n_units": 8, "max_epochs": 12, "learning_rate": 1e-2, "batch_size": 32}
    return small(Pulse(), **parameters).fit(rhythms()[0])


def agreement(features, X):
    """Correlate the similarities of clips with those by the teacher."""
    pairs = np.triu_indices(len(X), k=1)
    rows = [StandardScaler().fit_transform(part) for part in (features, Pulse().transform(X))]
    cosines = [np.corrcoef(part - part.mean(axis=0))[pairs] for part in rows]
    return np.corrcoef(*cosines)[0, 1]


# --- what it learns ------------------------------------------------------------------------------


def test_new_clips_are_more_nearly_as_alike_as_by_the_teacher_than_before_training(student):
    X, _ = rhythms(seed=1)
    untrained = clone(student).set_params(max_epochs=0).fit(rhythms()[0])
    before, after = (agreement(part.transform(X), X) for part in (untrained, student))
    assert after > before + 0.1
    assert student.loss_curve_[-1] < student.loss_curve_[0] - 0.1
    assert min(student.validation_loss_curve_) < student.validation_loss_curve_[0]


def test_what_the_teacher_tells_apart_is_told_apart_better_than_before_training(student):
    (X, y), (other, other_y) = rhythms(n_clips=16), rhythms(n_clips=200, seed=1)
    untrained = clone(student).set_params(max_epochs=0).fit(X)

    def accuracy(features):
        model = make_pipeline(StandardScaler(), LogisticRegression())
        return model.fit(features.transform(X), y).score(features.transform(other), other_y)

    assert accuracy(student) > accuracy(untrained) + 0.03


def test_without_training_the_features_are_those_of_an_untrained_autoencoder():
    X = ragged()
    untrained = small(n_layers=2, max_epochs=0).fit(X)
    autoencoder = Seq2SeqAutoencoder(4, n_layers=2, max_epochs=0, random_state=0).fit(X)
    np.testing.assert_allclose(untrained.transform(X), autoencoder.transform(X), atol=1e-6, rtol=0)
    names = ReservoirFeatures(4, n_layers=2, random_state=0).fit(X).get_feature_names_out()
    assert untrained.get_feature_names_out().tolist() == names.tolist()
    assert (untrained.loss_curve_, untrained.validation_loss_curve_) == ([], [])


def test_without_training_no_teacher_is_needed_and_one_clip_is_enough():
    X = sequences(1)
    untrained = DistilledFeatures(None, **SMALL | {"max_epochs": 0})
    assert untrained.fit(X).transform(X).shape == (1, 116)
    with pytest.raises(ValueError, match="Got teacher=None with max_epochs=2, expected a trans"):
        DistilledFeatures(None, **SMALL).fit(sequences())


def test_the_teacher_is_cloned_asked_once_and_not_kept(monkeypatch):
    monkeypatch.setattr(Pulse, "n_calls", 0)
    teacher = Pulse()
    fitted = small(teacher)
    features = fitted.fit(sequences()).transform(sequences())
    assert Pulse.n_calls == 1
    assert not hasattr(teacher, "n_clips_")
    assert fitted.teacher is teacher
    assert b"n_clips_" not in pickle.dumps(fitted)
    np.testing.assert_array_equal(small(teacher).fit_transform(sequences()), features)


def test_a_frozen_teacher_stays_as_it_was_fitted():
    teacher = make_pipeline(FunctionTransformer(lambda X: X[:, :, 0]), StandardScaler())
    teacher.fit(10 * sequences(seed=2))
    mean = teacher[-1].mean_.copy()
    small(FrozenEstimator(teacher)).fit(sequences())
    np.testing.assert_array_equal(teacher[-1].mean_, mean)


# --- how it learns -------------------------------------------------------------------------------


def test_the_same_random_state_gives_the_same_bits_and_global_generators_stay():
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads()
    first = small().fit_transform(ragged())
    with torch.no_grad():
        second = small().fit(ragged()).transform(ragged())
    np.testing.assert_array_equal(first, second)
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])
    assert torch.get_num_threads() == before[2]
    assert np.abs(small(random_state=1).fit_transform(ragged()) - first).max() > 0.01


def test_clips_of_different_lengths_give_the_same_alone_and_in_batches(student):
    X = ragged()
    expected = student.transform(X)
    assert np.isfinite(expected).all()
    for row in (0, 7, 23):
        np.testing.assert_allclose(student.transform([X[row]])[0], expected[row], atol=1e-6)
    padded = np.full((24, N_FRAMES, N_BANDS), np.nan, dtype=np.float32)
    for place, x in zip(padded, X, strict=True):
        place[: len(x)] = x
    np.testing.assert_array_equal(student.transform(padded), expected)
    teacher = FunctionTransformer(lambda rows: np.stack([x[:8].mean(axis=0) for x in rows]))
    first, second = (small(teacher).fit(rows).transform(X) for rows in (X, padded))
    np.testing.assert_array_equal(first, second)


def test_a_clip_without_frames_is_passed_over_and_gives_nan():
    X = sequences(25)
    X[3] = np.nan
    with_it = small(Pulse(), validation_fraction=0).fit(X)
    features = with_it.transform(X)
    assert np.isnan(features[3]).all()
    assert np.isfinite(np.delete(features, 3, axis=0)).all()
    with pytest.raises(ValueError, match="The sequence of every clip is NaN throughout"):
        small().fit(np.full_like(X, np.nan))


def test_training_ends_when_the_loss_on_held_out_clips_is_flat():
    long = small(max_epochs=60, learning_rate=1e-6, n_iter_no_change=3).fit(sequences())
    assert len(long.loss_curve_) == len(long.validation_loss_curve_) == 4
    whole = small(max_epochs=6, learning_rate=1e-6, n_iter_no_change=None).fit(sequences())
    assert len(whole.loss_curve_) == 6


def test_without_held_out_clips_there_is_no_validation_loss():
    fitted = small(validation_fraction=0, max_epochs=3).fit(sequences(3))
    assert (len(fitted.loss_curve_), fitted.validation_loss_curve_) == (3, [])


class Stop:
    """A callback that ends the training after one epoch, and counts tasks."""

    def __init__(self):
        self.tasks = []

    def setup(self, estimator, context):
        pass

    teardown = setup

    def on_fit_task_begin(self, estimator, context):
        self.tasks.append(context.task_name)

    def on_fit_task_end(self, estimator, context):
        return context.task_name == "epoch"


def test_callbacks_see_the_teacher_and_the_epochs_and_may_end_the_training():
    stop = Stop()
    fitted = small(max_epochs=5).set_callbacks(stop).fit(sequences())
    assert len(fitted.loss_curve_) == 1
    assert stop.tasks[1:] == ["fit-teacher", "epoch"]


def test_a_line_an_epoch_is_printed_or_logged(capsys, caplog):
    with caplog.at_level(logging.INFO, logger="skaudeep.distillation"):
        small(verbose=True).fit(sequences())
    lines = capsys.readouterr().out.splitlines()
    assert lines == [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert lines[1].startswith("Epoch 2 of 2: loss 0.")
    assert "validation loss 0." in lines[1]


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_clips", "parameters", "message"),
    [
        (15, {}, "n_samples=15 clips, which leaves 7 to train on .* set validation_fraction=0"),
        (1, {}, "n_samples=1 clips, which leaves 0 to train on"),
        (40, {"validation_fraction": 0.9}, "n_samples=40 clips, which leaves 4 to train on"),
        (2, {"validation_fraction": 0}, "n_samples=2 clips, expected at least 3"),
    ],
)
def test_too_few_clips_are_refused_before_any_work(n_clips, parameters, message):
    X = [np.full((1, 1), np.inf)] * n_clips  # which reading would refuse
    with pytest.raises(ValueError, match=message):
        small(**parameters).fit(X)
    fewest = small().fit(sequences(16))
    assert len(fewest.loss_curve_) == 2


def gives(features):
    return FunctionTransformer(lambda X: features)


def with_one(value):
    features = np.eye(24)
    features[5] = value
    return features


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (with_one(np.nan), "gave NaN or infinity for 1 of 24 clips, .*: 'clip 5'. Leave"),
        (with_one(-np.inf), "gave NaN or infinity for 1 of 24 clips, .*: 'clip 5'. Leave"),
        (np.ones((24, 3)), "gave the same features of all 24 clips"),
        (np.ones((23, 3)), r"gave features of shape \(23, 3\), expected .* \(24, n_features\)"),
        (np.ones((24, 3, 2)), r"gave features of shape \(24, 3, 2\)"),
        (csr_matrix(np.eye(24)), "gave features of a sparse matrix"),
    ],
)
def test_features_of_the_teacher_that_say_nothing_of_alike_clips_are_refused(features, message):
    with pytest.raises(ValueError, match=message):
        small(gives(features)).fit(sequences())


def test_clips_of_which_most_are_the_same_to_the_teacher_give_no_nan():
    fitted = small(gives(np.eye(24)[:, :1]), max_epochs=4).fit(sequences())
    assert np.isfinite(fitted.loss_curve_ + fitted.validation_loss_curve_).all()
    assert np.isfinite(fitted.transform(sequences())).all()
    same = small(gives(np.eye(24))).fit(np.repeat(sequences(1), 24, axis=0))
    assert np.isfinite(same.loss_curve_).all()


def test_features_of_any_scale_teach_the_same():
    features = np.random.default_rng(0).normal(size=(24, 3))
    expected = small(gives(features)).fit_transform(sequences())
    for factor in (1e-9, 1e9):
        scaled = small(gives(factor * features + 1.0)).fit_transform(sequences())
        np.testing.assert_allclose(scaled, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"teacher": LogisticRegression()}, "'teacher' parameter"),
        ({"extractor": "spectrogram"}, "'extractor' parameter"),
        ({"batch_size": 4}, "'batch_size' parameter"),
        ({"max_epochs": -1}, "'max_epochs' parameter"),
    ],
)
def test_parameters_out_of_their_range_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        small().set_params(**parameters).fit(sequences())


def test_chunks_and_other_bands_are_refused():
    with pytest.raises(ValueError, match="without chunks"):
        small().fit(sequences().reshape(24, 2, 8, N_BANDS))
    with pytest.raises(ValueError, match=r"X has 2 bands .* was fitted on 3"):
        small().fit(sequences()).transform(sequences()[:, :, :2])
    flat = FunctionTransformer(lambda X: X[:, 0])
    with pytest.raises(ValueError, match=r"FunctionTransformer, gave an array of shape \(24, 3\)"):
        small(extractor=flat).fit(sequences())
    with pytest.raises(NotFittedError):
        small().transform(sequences())


# --- recordings, and scikit-learn ----------------------------------------------------------------


def waveforms(n_clips=20):
    rng = np.random.default_rng(0)
    return [0.1 * rng.normal(size=n).astype(np.float32) for n in rng.integers(2000, 3000, n_clips)]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    names = [folder / f"{i}.wav" for i in range(20)]
    for name, waveform in zip(names, waveforms(), strict=True):
        wavfile.write(name, RATE, waveform)
    return [str(name) for name in names]


def of_recordings(**parameters):
    teacher = make_pipeline(clone(EXTRACTOR), BandStatistics())
    return DistilledFeatures(teacher, **SMALL | {"extractor": EXTRACTOR} | parameters)


def test_recordings_are_extracted_for_both_and_name_the_rows(paths):
    fitted = of_recordings().fit(paths)
    features = fitted.transform(paths)
    np.testing.assert_array_equal(features, of_recordings().fit_transform(waveforms()))
    assert not hasattr(EXTRACTOR, "sampling_rate_")
    table = fitted.set_output(transform="pandas").transform(paths)
    assert table.index.tolist() == paths
    assert table.columns.tolist() == fitted.get_feature_names_out().tolist()
    assert get_tags(fitted).input_tags.string
    x = torch.from_numpy(EXTRACTOR.transform(paths[:1]))
    np.testing.assert_allclose(fitted.encoder_(x).detach()[0], features[0], atol=1e-4)


def test_a_clip_that_the_teacher_cannot_read_is_named(paths):
    teacher = gives(np.where(np.arange(20)[:, None] == 7, np.nan, np.eye(20)))
    with pytest.raises(ValueError, match=r"for 1 of 20 clips, expected numbers: '.*7\.wav'"):
        DistilledFeatures(teacher, **SMALL | {"extractor": EXTRACTOR}).fit(paths)


def test_the_default_extractor_makes_the_spectrograms_of_the_figures(paths):
    untrained = of_recordings(extractor=None, max_epochs=0).fit(paths)
    expected = SpectrogramExtractor(
        0.08, n_mels=128, mel_norm="slaney", clip_below=-60, adapt=True
    ).get_params()
    assert untrained.extractor_.get_params() == expected
    assert untrained.extractor is None


def test_it_is_searched_over_in_a_pipeline():
    X, y = rhythms(48)
    model = make_pipeline(small(Pulse()), StandardScaler(), LogisticRegression())
    search = GridSearchCV(model, {"distilledfeatures__n_units": [3, 4]}, cv=2).fit(X, y)
    assert search.predict(X).shape == (48,)
    assert search.best_estimator_[0].get_params()["teacher"].get_params() == {}


def test_its_controls_are_the_untrained_network_and_the_spectrogram_without_network(paths):
    bunch = make_bunch(paths, paths, target=np.arange(20) % 2, target_names=["a", "b"])
    model = make_pipeline(of_recordings(validation_fraction=0), linear_classifier(random_state=0))
    result = evaluate(model, bunch, cv=2, random_state=0, progress=False)
    assert {"untrained network", "mel statistics"} <= result.controls.keys()
