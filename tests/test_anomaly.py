"""AnomalyDetector: a threshold on the scores of another estimator, whatever that estimator is."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import is_outlier_detector
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skaudeep import (
    AnomalyDetector,
    BandStatistics,
    Seq2SeqAutoencoder,
    SpectrogramExtractor,
    load,
    save,
)
from skaudeep.callbacks import Checkpoint

SMALL = {"n_units": 16, "n_layers": 1, "max_epochs": 30, "learning_rate": 5e-3, "random_state": 0}


def tones(n_clips=40, seed=0):
    """Sines of random phase and pitch: (n_clips, 20, 5)."""
    rng = np.random.default_rng(seed)
    phase, pitch = rng.uniform(0, 6, (n_clips, 1, 1)), rng.uniform(0.3, 0.6, (n_clips, 1, 1))
    time, band = np.arange(20)[:, None], np.arange(5)
    return np.sin(phase + pitch * time + band).astype(np.float32)


def noise(n_clips=4):
    return np.random.default_rng(0).uniform(-1, 1, size=(n_clips, 20, 5)).astype(np.float32)


def test_noise_is_told_from_the_tones_of_the_training():
    detector = AnomalyDetector(Seq2SeqAutoencoder(**SMALL), contamination=0.1).fit(tones())
    assert detector.predict(noise()).tolist() == [-1] * 4
    assert is_outlier_detector(detector)


def test_the_threshold_is_the_quantile_of_the_training_scores():
    X = tones()
    detector = AnomalyDetector(Seq2SeqAutoencoder(**SMALL | {"max_epochs": 2}), contamination=0.1)
    predicted = detector.fit_predict(X)
    scores = detector.estimator_.score_samples(X)
    assert detector.offset_ == pytest.approx(np.quantile(scores, 0.1))
    np.testing.assert_allclose(detector.decision_function(X), scores - detector.offset_)
    assert (predicted == -1).sum() == 4
    np.testing.assert_array_equal(predicted, detector.predict(X))


def test_rows_without_frames_do_not_move_the_threshold_and_are_unusual():
    X = tones()
    estimator = Seq2SeqAutoencoder(**SMALL | {"max_epochs": 2})
    empty = np.concatenate([X, np.full((3, 20, 5), np.nan, np.float32)])
    detector = AnomalyDetector(estimator).fit(empty)
    assert detector.offset_ == pytest.approx(AnomalyDetector(estimator).fit(X).offset_, rel=1e-5)
    assert detector.predict(empty[-3:]).tolist() == [-1] * 3


@pytest.mark.parametrize(("reference", "n_unusual"), [("clip", 0), ("full_scale", 6)])
def test_a_machine_that_is_three_times_as_loud_is_unusual_by_full_scale(reference, n_unusual):
    rng = np.random.default_rng(0)
    clips = [0.05 * level * rng.normal(size=4000) for level in rng.uniform(0.9, 1.1, 46)]
    extractor = SpectrogramExtractor(
        n_mels=8, clip_below=-100, reference=reference, sampling_rate=8000
    )
    forest = IsolationForest(random_state=0)
    detector = AnomalyDetector(make_pipeline(extractor, BandStatistics(), forest)).fit(clips[:40])
    usual = detector.predict(clips[40:])
    loud = detector.predict([3 * clip for clip in clips[40:]])
    assert (usual == 1).sum() >= 5
    assert (loud < usual).sum() >= n_unusual - 1
    if not n_unusual:
        np.testing.assert_array_equal(loud, usual)


def test_chunks_are_judged_one_by_one():
    X = tones().reshape(10, 4, 20, 5)
    detector = AnomalyDetector(Seq2SeqAutoencoder(**SMALL | {"max_epochs": 2})).fit(X)
    assert detector.predict(X).shape == (10, 4)


@pytest.mark.parametrize("contamination", [0.05, 0.5])
def test_any_estimator_of_scores_serves(contamination):
    X = np.random.default_rng(0).normal(size=(60, 3))
    forest = IsolationForest(random_state=0)
    detector = AnomalyDetector(forest, contamination=contamination).fit(X)
    np.testing.assert_array_equal(detector.score_samples(X), forest.fit(X).score_samples(X))
    assert (detector.predict(X) == -1).mean() == pytest.approx(contamination, abs=0.01)
    assert not hasattr(AnomalyDetector(IsolationForest()), "n_features_in_")
    assert detector.n_features_in_ == 3


def test_a_pipeline_detects_from_waveforms_on_and_comes_back_from_a_file(tmp_path):
    clips = np.sin(np.outer(np.linspace(0.2, 0.4, 20), np.arange(4000))).astype(np.float32)
    pipeline = make_pipeline(
        SpectrogramExtractor(n_mels=8, sampling_rate=8000),
        Seq2SeqAutoencoder(4, max_epochs=1, random_state=0),
    )
    detector = AnomalyDetector(pipeline, contamination=0.2).fit(clips)
    assert (detector.predict(clips) == -1).sum() == 4
    save(detector, tmp_path / "detector.skaudeep")
    again = load(tmp_path / "detector.skaudeep")
    np.testing.assert_array_equal(again.decision_function(clips), detector.decision_function(clips))


def test_callbacks_of_the_estimator_run(tmp_path):
    autoencoder = Seq2SeqAutoencoder(4, max_epochs=1, random_state=0)
    AnomalyDetector(autoencoder.set_callbacks(Checkpoint(tmp_path))).fit(tones(6))
    assert len(list(tmp_path.glob("*/*.skaudeep"))) == 1


def test_the_given_estimator_is_not_fitted():
    estimator = Seq2SeqAutoencoder(4, max_epochs=1, random_state=0)
    AnomalyDetector(estimator).fit(tones(6))
    assert not hasattr(estimator, "network_")


def test_wrong_parameters_and_an_unfitted_detector_are_refused():
    with pytest.raises(ValueError, match="'estimator' parameter of AnomalyDetector must be"):
        AnomalyDetector(LogisticRegression()).fit(tones(3))
    with pytest.raises(ValueError, match="'contamination' parameter of AnomalyDetector must be"):
        AnomalyDetector(Seq2SeqAutoencoder(4), contamination=0.6).fit(tones(3))
    with pytest.raises(NotFittedError):
        AnomalyDetector(Seq2SeqAutoencoder(4)).predict(tones(3))
