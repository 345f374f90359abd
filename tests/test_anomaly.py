"""AnomalyDetector: a threshold on the scores of another estimator, whatever that estimator is."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy.io import wavfile
from scipy.stats import norm
from sklearn.base import BaseEstimator, OutlierMixin, is_outlier_detector
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudeep import (
    AnomalyDetector,
    AudioWarning,
    BandStatistics,
    DistanceScorer,
    Seq2SeqAutoencoder,
    SpectrogramExtractor,
    load,
    save,
)
from skaudeep.callbacks import Checkpoint
from skaudeep.datasets import make_machines
from skaudeep.recipes import anomaly_scorer

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
    detector = AnomalyDetector(
        Seq2SeqAutoencoder(**SMALL), false_alarm_rate=0.1, random_state=0
    ).fit(tones())
    assert detector.predict(noise()).tolist() == [-1] * 4
    assert is_outlier_detector(detector)


class Given(OutlierMixin, BaseEstimator):
    """Scores of clips are their first feature; `fit` remembers what it was given."""

    def fit(self, X, y=None):
        self.seen_ = np.array(X)
        self.labels_ = y
        return self

    def score_samples(self, X):
        return np.asarray(X)[:, 0]


def normal(n=500, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 1))


@pytest.mark.parametrize(("rate", "n", "rank"), [(0.05, 19, 1), (0.05, 99, 5), (0.2, 24, 5)])
def test_the_threshold_is_a_rank_of_the_scores_that_were_held_out(rate, n, rank):
    X = normal({19: 40, 99: 499, 24: 120}[n])
    detector = AnomalyDetector(Given(), false_alarm_rate=rate, random_state=0).fit(X)
    held_out = np.sort(X[detector.held_out_, 0])
    assert len(held_out) == n
    assert rank == n + 1 - np.ceil(round((n + 1) * (1 - rate), 9))  # counted from the other end
    assert detector.offset_ == pytest.approx(held_out[rank - 1], rel=1e-5)
    np.testing.assert_array_equal(detector.held_out_scores_, held_out)
    assert (detector.predict(X[detector.held_out_]) == -1).sum() == rank - 1
    np.testing.assert_array_equal(detector.decision_function(X), X[:, 0] - detector.offset_)


class OfPieces(Given):
    """Scores pieces of recordings by their starts."""

    def fit(self, X, y=None):
        return self

    def score_samples(self, X):
        return np.asarray(X.get_level_values("start").total_seconds(), dtype=float)


def pieces(*lengths):
    """Windows of these lengths in seconds, one a second."""
    starts = pd.to_timedelta(np.arange(len(lengths)), unit="s")
    levels = [["a.wav"] * len(lengths), starts, starts + pd.to_timedelta(lengths, unit="s")]
    return pd.MultiIndex.from_arrays(levels, names=["file", "start", "end"])


def test_it_knows_the_length_of_the_windows_that_it_has_learnt_from(tmp_path):
    windows, with_rests = pieces(*[1.5] * 40), pieces(*[1.5, 0.8] * 20)
    assert AnomalyDetector(OfPieces(), random_state=0).fit(windows).clip_duration_ == 1.5
    assert AnomalyDetector(OfPieces(), random_state=0).fit(with_rests).clip_duration_ == 1.5
    detector = AnomalyDetector(make_pipeline(StandardScaler(), DistanceScorer())).fit(normal(60))
    assert detector.clip_duration_ is None
    save(detector, tmp_path / "detector.skaudeep")
    assert load(tmp_path / "detector.skaudeep").clip_duration_ is None


def test_windows_of_another_length_than_it_has_learnt_from_cause_a_warning():
    detector = AnomalyDetector(OfPieces(), random_state=0).fit(pieces(*[10] * 40))
    detector.predict(pieces(10, 10, 5))  # the rest of a recording
    for lengths in ([20, 20], [5, 5, 10]):
        with pytest.warns(UserWarning, match=f"windows of {lengths[0]} s, and the detector was f"):
            detector.predict(pieces(*lengths))
    with pytest.warns(UserWarning, match="threshold does not fit their scores. Give .* of 10 s"):
        detector.calibrate(pieces(*[20] * 40))
    AnomalyDetector(Given(), random_state=0).fit(normal(60)).predict(normal(3))  # of no length


def test_the_estimator_never_sees_the_clips_that_are_held_out():
    X, y = normal(100), np.arange(100)
    detector = AnomalyDetector(Given(), random_state=1).fit(X, y)
    train = np.setdiff1d(y, detector.held_out_)
    np.testing.assert_array_equal(detector.estimator_.seen_, X[train])
    np.testing.assert_array_equal(detector.estimator_.labels_, train)
    assert len(train) == 81


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_the_mean_share_of_false_alarms_on_new_clips_is_what_was_asked(rate):
    shares = []
    for seed in range(300):
        X = normal(2 * int(1 / rate) + 200, seed)
        detector = AnomalyDetector(Given(), false_alarm_rate=rate, random_state=0).fit(X)
        shares.append(norm.cdf(detector.offset_))  # of all the clips there could be
    error = np.std(shares, ddof=1) / np.sqrt(len(shares))
    assert abs(np.mean(shares) - rate) < 2.58 * error


def test_whole_groups_are_held_out():
    X, groups = normal(200), np.repeat([f"day {i}" for i in range(20)], 10)
    detector = AnomalyDetector(Given(), random_state=0).fit(X, groups=groups)
    days = set(groups[detector.held_out_])
    assert len(days) == 4  # 39 clips, of 4 days
    assert set(np.flatnonzero(np.isin(groups, list(days)))) == set(detector.held_out_)
    # Of 40, whose 41 * 0.05 = 2.05 ranks are rounded down.
    assert detector.offset_ == pytest.approx(np.sort(X[detector.held_out_, 0])[1], rel=1e-5)
    with pytest.raises(ValueError, match="Got 200 clips of 1 groups, too few"):
        AnomalyDetector(Given()).fit(X, groups=["day 0"] * 200)
    with pytest.raises(ValueError, match="Got 3 groups for 200 clips"):
        AnomalyDetector(Given()).fit(X, groups=["day 0"] * 3)


@pytest.mark.parametrize(
    ("rate", "held_out", "n", "message"),
    [
        (
            0.05,
            None,
            37,
            r"Got n_samples=37 clips, of which 18 would .* least 19 held-out .* Give 38 ",
        ),
        (
            0.01,
            None,
            150,
            r"Got n_samples=150 clips, of which 75 .* at least 99 held-out .* Give 198 ",
        ),
        (
            0.05,
            0.2,
            80,
            r"Got n_samples=80 clips, of which 16 .* at least 19 held-out .* Give 95 ",
        ),
    ],
)
def test_too_few_clips_for_the_rate_are_refused_and_the_message_says_how_many(
    rate, held_out, n, message
):
    detector = AnomalyDetector(Given(), false_alarm_rate=rate, held_out=held_out)
    with pytest.raises(ValueError, match=message):
        detector.fit(normal(n))
    needed = int(re.search(r"Give (\d+)", message)[1])
    assert len(detector.fit(normal(needed)).held_out_scores_) >= 1 / rate - 1.0001


def test_a_fitted_detector_is_calibrated_by_other_clips():
    detector = AnomalyDetector(Given(), random_state=0).fit(normal(100))
    elsewhere = 10 + normal(39, seed=1)
    ranked = np.sort(elsewhere[:, 0])
    assert detector.calibrate(elsewhere).offset_ == pytest.approx(ranked[1], rel=1e-5)
    detector.set_params(false_alarm_rate=0.1).calibrate(elsewhere)
    assert detector.offset_ == pytest.approx(ranked[3], rel=1e-5)
    before = detector.offset_
    with pytest.raises(ValueError, match="Got 8 scores of normal clips, and 0 that are NaN"):
        detector.calibrate(elsewhere[:8])
    assert detector.offset_ == before
    with pytest.raises(NotFittedError):
        AnomalyDetector(Given()).calibrate(elsewhere)


def test_scores_that_are_nan_or_infinite_do_not_become_thresholds():
    X = normal(50)
    X[::2] = np.nan
    with pytest.raises(ValueError, match="of which 12 would be held out"):
        AnomalyDetector(Given()).fit(X)
    detector = AnomalyDetector(Given(), random_state=0).fit(normal(100))
    with pytest.raises(ValueError, match=r"Got 25 infinite scores of 50 .* would be -inf"):
        detector.calibrate(np.where(np.isnan(X), -np.inf, X))
    assert detector.predict([[np.nan]]).tolist() == [-1]


def test_rows_without_frames_do_not_move_the_threshold_and_are_unusual():
    X = tones()
    estimator = Seq2SeqAutoencoder(**SMALL | {"max_epochs": 2})
    empty = np.concatenate([X, np.full((3, 20, 5), np.nan, np.float32)])
    detector = AnomalyDetector(estimator, random_state=0).fit(empty)
    alone = AnomalyDetector(estimator, random_state=0).fit(X)
    assert detector.offset_ == pytest.approx(alone.offset_, rel=1e-5)
    assert detector.predict(empty[-3:]).tolist() == [-1] * 3


@pytest.mark.parametrize(("reference", "n_unusual"), [("clip", 0), ("full_scale", 6)])
def test_a_machine_that_is_three_times_as_loud_is_unusual_by_full_scale(reference, n_unusual):
    rng = np.random.default_rng(0)
    clips = [0.05 * level * rng.normal(size=4000) for level in rng.uniform(0.9, 1.1, 126)]
    extractor = SpectrogramExtractor(
        n_mels=8, clip_below=-100, reference=reference, sampling_rate=8000
    )
    # No forest: to it a clip beyond all others is as unusual as the last of them, not more.
    pipeline = make_pipeline(extractor, BandStatistics(), StandardScaler(), DistanceScorer())
    detector = AnomalyDetector(pipeline, random_state=0).fit(clips[:120])
    usual = detector.predict(clips[120:])
    loud = detector.predict([3 * clip for clip in clips[120:]])
    assert (usual == 1).sum() >= 5
    assert (loud < usual).sum() >= n_unusual - 1
    if not n_unusual:
        np.testing.assert_array_equal(loud, usual)


def test_chunks_are_judged_one_by_one():
    X = tones().reshape(10, 4, 20, 5)
    detector = AnomalyDetector(
        Seq2SeqAutoencoder(**SMALL | {"max_epochs": 2}), false_alarm_rate=0.3
    ).fit(X)
    assert detector.predict(X).shape == (10, 4)


@pytest.mark.parametrize("rate", [0.05, 0.5])
def test_any_estimator_of_scores_serves(rate):
    X = np.random.default_rng(0).normal(size=(60, 3))
    forest = IsolationForest(n_estimators=20, random_state=0)
    detector = AnomalyDetector(forest, false_alarm_rate=rate, random_state=0).fit(X)
    forest.fit(np.delete(X, detector.held_out_, axis=0))
    np.testing.assert_array_equal(detector.score_samples(X), forest.score_samples(X))
    held_out = detector.predict(X[detector.held_out_])
    assert (held_out == -1).mean() == pytest.approx(rate, abs=0.06)
    assert not hasattr(AnomalyDetector(IsolationForest()), "n_features_in_")
    assert detector.n_features_in_ == 3


def test_a_pipeline_detects_from_waveforms_on_and_comes_back_from_a_file(tmp_path):
    clips = np.sin(np.outer(np.linspace(0.2, 0.4, 20), np.arange(4000))).astype(np.float32)
    pipeline = make_pipeline(
        SpectrogramExtractor(n_mels=8, sampling_rate=8000),
        Seq2SeqAutoencoder(4, max_epochs=1, random_state=0),
    )
    detector = AnomalyDetector(pipeline, false_alarm_rate=0.2, random_state=0).fit(clips)
    assert (detector.predict(clips[detector.held_out_]) == -1).sum() == 0  # none below the lowest
    save(detector, tmp_path / "detector.skaudeep")
    again = load(tmp_path / "detector.skaudeep")
    np.testing.assert_array_equal(again.decision_function(clips), detector.decision_function(clips))


def test_callbacks_of_the_estimator_run(tmp_path):
    autoencoder = Seq2SeqAutoencoder(4, max_epochs=1, random_state=0)
    AnomalyDetector(autoencoder.set_callbacks(Checkpoint(tmp_path)), false_alarm_rate=0.3).fit(
        tones(6)
    )
    assert len(list(tmp_path.glob("*/*.skaudeep"))) == 1


def test_the_given_estimator_is_not_fitted():
    estimator = Seq2SeqAutoencoder(4, max_epochs=1, random_state=0)
    AnomalyDetector(estimator, false_alarm_rate=0.3).fit(tones(6))
    assert not hasattr(estimator, "network_")


def test_wrong_parameters_and_an_unfitted_detector_are_refused():
    with pytest.raises(ValueError, match="'estimator' parameter of AnomalyDetector must be"):
        AnomalyDetector(LogisticRegression()).fit(tones(3))
    with pytest.raises(ValueError, match="'false_alarm_rate' parameter of AnomalyDetector must be"):
        AnomalyDetector(Seq2SeqAutoencoder(4), false_alarm_rate=0.6).fit(tones(3))
    with pytest.raises(NotFittedError):
        AnomalyDetector(Seq2SeqAutoencoder(4)).predict(tones(3))


@pytest.fixture(scope="module")
def detector_of_recordings():
    scorer = anomaly_scorer(sampling_rate=8000, on_error="nan")
    detector = AnomalyDetector(scorer, false_alarm_rate=0.1, random_state=0)
    rng = np.random.default_rng(0)
    return detector.fit(list(0.1 * rng.normal(size=(40, 2000))))


def test_the_default_scorer_finds_a_tone_in_noise_and_comes_back_from_a_file(
    detector_of_recordings, tmp_path
):
    noise = 0.1 * np.random.default_rng(1).normal(size=(6, 2000))
    clips = [*noise, *(noise + 0.05 * np.sin(np.arange(2000)))]
    predicted = detector_of_recordings.predict(clips)
    assert (predicted[:6] == 1).sum() >= 5
    assert predicted[6:].tolist() == [-1] * 6
    save(detector_of_recordings, tmp_path / "detector.skaudeep")
    again = load(tmp_path / "detector.skaudeep")
    np.testing.assert_array_equal(again.predict(clips), predicted)
    assert again.held_out_.tolist() == detector_of_recordings.held_out_.tolist()


def test_a_silent_clip_is_unusual(detector_of_recordings):
    with pytest.warns(AudioWarning, match="silent"):
        assert detector_of_recordings.predict([np.zeros(2000)]).tolist() == [-1]


def test_training_clips_that_are_all_silent_are_refused():
    detector = AnomalyDetector(anomaly_scorer(sampling_rate=8000), false_alarm_rate=0.1)
    with (
        pytest.warns(AudioWarning, match="silent"),
        pytest.raises(ValueError, match=r"Got .* clips with the same features"),
    ):
        detector.fit(list(np.zeros((20, 2000))))


def test_the_default_estimator_reads_audio_files(tmp_path):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.wav" for i in range(6)]
    for path in paths:
        wavfile.write(path, 8000, 0.1 * rng.normal(size=1000).astype(np.float32))
    detector = AnomalyDetector(false_alarm_rate=0.5, random_state=0).fit(paths)
    assert detector.predict(paths).shape == (6,)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.01, 0.05])
def test_new_sounds_of_twenty_machines_give_as_many_false_alarms_as_were_asked(rate):
    extractor = SpectrogramExtractor(
        n_mels=20, reference="full_scale", clip_below=-100, sampling_rate=8000
    )
    pipeline = make_pipeline(extractor, BandStatistics(), StandardScaler(), DistanceScorer())
    shares = []
    for seed in range(20):
        machine = make_machines(
            1,
            n_train=220,
            n_normal=500,
            n_faulty=1,
            sampling_rate=8000,
            duration=0.5,
            random_state=seed,
        )
        train = machine.partition == "train"
        detector = AnomalyDetector(pipeline, false_alarm_rate=rate, random_state=seed)
        detector.fit(machine.data[train])
        new = machine.data[~train & (machine.target == 0)]
        shares.append((detector.predict(new) == -1).mean())
    error = np.std(shares, ddof=1) / np.sqrt(len(shares))
    assert abs(np.mean(shares) - rate) < 1.96 * error
