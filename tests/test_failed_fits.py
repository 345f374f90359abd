"""Whatever ends a fit before its end, the estimator is as it was before."""

from __future__ import annotations

import copy
import sys
from contextlib import contextmanager

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import skaudeep
from skaudeep import (
    AnomalyDetector,
    BandStatistics,
    ChunkPooling,
    ChunkVotingClassifier,
    CourseStatistics,
    DistanceScorer,
    DistilledFeatures,
    DropoutMLPClassifier,
    FeatureFusion,
    FrameDescriptors,
    FunctionExtractor,
    ModuleFeatures,
    PerFrame,
    ReservoirFeatures,
    Seq2SeqAutoencoder,
    SpectrogramExtractor,
    TunedLogisticRegression,
)
from skaudeep._warnings import PACKAGE_FOLDER
from skaudeep.nn.parallel import _this_thread

AUTOENCODER = Seq2SeqAutoencoder(4, n_layers=1, max_epochs=2, batch_size=4, random_state=0)
EXTRACTOR = SpectrogramExtractor(n_mels=4, sampling_rate=8000, clip_below=-60)
Y = np.arange(8) % 2


def frames(seed):
    return np.random.default_rng(seed).uniform(-1, 1, (8, 6 + seed, 3)).astype(np.float32)


def features(seed):
    return np.random.default_rng(seed).uniform(-1, 1, (8, 6)).astype(np.float32)


def waveforms(seed):
    return np.random.default_rng(seed).uniform(-1, 1, (8, 2000)).astype(np.float32)


class OfClips(PerFrame):
    """All frames of a clip have its class."""

    def fit(self, X, y=None, groups=None):
        return super().fit(X, np.repeat(np.asarray(y)[:, None], X.shape[1], axis=1))


def two_columns(samples):
    return samples.reshape(-1, 2)


# Each estimator, what makes clips for it, and parameters that `fit` refuses, the last of them named
# in the message.
CASES = {
    "AnomalyDetector": (
        AnomalyDetector(AUTOENCODER, false_alarm_rate=0.3),
        frames,
        [{"false_alarm_rate": 2}, {"estimator__dropout": 2}],
    ),
    "BandStatistics": (BandStatistics(), frames, []),
    "ChunkPooling": (ChunkPooling("concat"), frames, [{"pooling": "median"}]),
    "ChunkVotingClassifier": (
        ChunkVotingClassifier(LogisticRegression()),
        frames,
        [{"voting": "loud"}, {"classifier__C": -1.0}],
    ),
    "DistanceScorer": (DistanceScorer(), features, [{"distance": "far"}]),
    "DistilledFeatures": (
        DistilledFeatures(
            BandStatistics(),
            extractor="passthrough",
            n_units=4,
            max_epochs=2,
            validation_fraction=0,  # of 8 clips
            random_state=0,
        ),
        frames,
        [{"n_units": 0}, {"teacher": None}, {"device": "abacus"}, {"validation_fraction": 0.5}],
    ),
    "CourseStatistics": (CourseStatistics(), frames, []),
    "DropoutMLPClassifier": (
        DropoutMLPClassifier((4,), max_epochs=2, random_state=0),
        features,
        [{"hidden_layer_sizes": (4, 0)}, {"dropout": 1.0}, {"learning_rate": 0.0}],
    ),
    "FeatureFusion": (
        FeatureFusion(
            [
                ("trained", make_pipeline(EXTRACTOR, AUTOENCODER)),
                ("random", make_pipeline(EXTRACTOR, ReservoirFeatures(3, random_state=0))),
            ]
        ),
        waveforms,
        [
            {"transformer_weights": {"other": 1.0}},
            {"trained__seq2seqautoencoder__dropout": 2},
            {"random__spectrogramextractor__n_mels": 0},
        ],
    ),
    "FrameDescriptors": (FrameDescriptors(), frames, [{"step": 0}]),
    "FunctionExtractor": (
        FunctionExtractor(two_columns, sampling_rate=8000),
        waveforms,
        [{"scale": "chunk"}, {"n_chunks": 2}, {"chunk_duration": 1.0}, {"func": 3}],
    ),
    "ModuleFeatures": (
        ModuleFeatures(torch.nn.Identity()),
        frames,
        [{"n_components": 0}, {"representation": "code"}, {"device": "abacus"}],
    ),
    "PerFrame": (
        OfClips(LogisticRegression()),
        frames,
        [{"delay": -1}, {"hop_duration": 0}, {"estimator__C": -1.0}],
    ),
    "ReservoirFeatures": (
        ReservoirFeatures(4, n_layers=1, random_state=0),
        frames,
        [{"n_units": 0}, {"n_layers": 0.5}, {"cell": "rnn"}, {"device": "abacus"}],
    ),
    "Seq2SeqAutoencoder": (
        AUTOENCODER,
        frames,
        [
            {"n_units": 0},
            {"n_units": (3, 4)},
            {"axis": "frequency", "band_window": 4},
            {"axis": "frequency", "band_window": 2, "band_overlap": 2},
            {"learning_rate": {0: -1.0}},
            {"validation_fraction": 0.999},
            {"device": "abacus"},
        ],
    ),
    "SpectrogramExtractor": (
        EXTRACTOR,
        waveforms,
        [{"fmax": 1e-3}, {"n_chunks": 2}, {"chunk_duration": 1e-3}, {"window_duration": 1e-9}],
    ),
    "TunedLogisticRegression": (
        TunedLogisticRegression(random_state=0),
        features,
        [{"n_folds": 1}, {"Cs": (1, -1)}, {"max_iter": 0}],
    ),
}
each_estimator = pytest.mark.parametrize("name", CASES)


def state(estimator):
    """All that an estimator holds, as a number that changes with any of it."""

    def plain(value):
        if isinstance(value, torch.nn.Module):
            return [(name, weight.numpy()) for name, weight in value.state_dict().items()]
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        if hasattr(value, "get_params"):
            return [(name, plain(item)) for name, item in sorted(vars(value).items())]
        return value

    return joblib.hash(
        [(n, plain(v)) for n, v in sorted(vars(estimator).items()) if n != "_skl_callbacks"]
    )


def fitted_and_fresh(name):
    """Yield the estimator as it is made, and fitted to other clips."""
    estimator, make_clips, _ = CASES[name]
    yield clone(estimator)
    yield clone(estimator).fit(make_clips(1), Y)
    if name == "Seq2SeqAutoencoder":
        yield clone(estimator).set_params(warm_start=True).fit(make_clips(1))


class Interrupt:
    """A callback that presses Ctrl-C at one of the events, counted from 0."""

    def __init__(self, at=None):
        self.at = at
        self.count = 0

    def event(self, estimator, context):
        self.count += 1
        if self.count - 1 == self.at:
            raise KeyboardInterrupt

    setup = teardown = on_fit_task_begin = on_fit_task_end = event


def test_every_estimator_is_tried():
    public = {name for name in skaudeep.__all__ if hasattr(getattr(skaudeep, name), "fit")}
    assert set(CASES) == public


@each_estimator
def test_an_interruption_at_any_callback_event_leaves_the_estimator_as_it_was(name):
    estimator, make_clips, _ = CASES[name]
    if not isinstance(estimator, CallbackSupportMixin):
        pytest.skip("takes no callbacks")
    n_events = Interrupt()
    clone(estimator).set_callbacks(n_events).fit(make_clips(0), Y)
    assert n_events.count >= 4
    for at in range(n_events.count):
        for before in fitted_and_fresh(name):
            expected = state(before)
            before.set_callbacks(Interrupt(at))
            with pytest.raises(KeyboardInterrupt) as caught:
                before.fit(make_clips(0), Y)
            assert state(before) == expected
            assert type(before).__name__ in caught.value.__notes__[-1]


@each_estimator
def test_a_fit_that_fails_by_its_parameters_leaves_the_estimator_as_it_was(name):
    _, make_clips, wrong = CASES[name]
    for parameters in wrong:
        named = list(parameters)[-1].rpartition("__")[2]
        for before in fitted_and_fresh(name):
            before.set_params(**parameters)
            expected = state(before)
            methods = ["fit", *(m for m in ("fit_transform",) if hasattr(before, m))]
            for method in methods:
                with pytest.raises(ValueError, match=named):
                    getattr(before, method)(make_clips(0), Y)
                assert state(before) == expected


@each_estimator
def test_a_fit_that_fails_by_its_clips_leaves_the_estimator_as_it_was(name):
    _, make_clips, _ = CASES[name]
    if name in ("BandStatistics", "CourseStatistics", "FrameDescriptors"):
        pytest.skip("looks at the shape of the first clip alone")
    X = make_clips(0)
    X[0 if name == "FunctionExtractor" else 2, 3] = np.inf  # which looks at the first clip alone
    for before in fitted_and_fresh(name):
        expected = state(before)
        if name == "SpectrogramExtractor":
            X = X[:0]  # `fit` looks at no sample
        with pytest.raises(ValueError, match=r"empty|infin"):
            before.fit(X, Y)
        assert state(before) == expected


@contextmanager
def interrupted_at_line(number):
    """Press Ctrl-C in this thread before so many lines of skaudeep; count them without a number."""
    seen = [0]

    def trace(frame, event, argument):
        if not frame.f_code.co_filename.startswith(PACKAGE_FOLDER):
            return None
        if event == "line":
            seen[0] += 1
            if seen[0] == number:
                raise KeyboardInterrupt
        return trace

    # What gives a number of threads back can itself be interrupted.
    previous, limit, n_threads = sys.gettrace(), _this_thread.limit, torch.get_num_threads()
    sys.settrace(trace)
    try:
        yield seen
    finally:
        sys.settrace(previous)
        _this_thread.limit = limit
        torch.set_num_threads(n_threads)


@each_estimator
def test_an_interruption_at_any_line_leaves_the_estimator_as_it_was(name):
    _, make_clips, _ = CASES[name]
    rng = np.random.default_rng(0)
    for before in fitted_and_fresh(name):
        expected = state(before)
        for _ in range(2):  # the first fills caches
            other = copy.deepcopy(before)
            with interrupted_at_line(None) as lines:
                other.fit(make_clips(0), Y)
        for number in rng.integers(1, lines[0], size=8):
            with pytest.raises(KeyboardInterrupt), interrupted_at_line(number):
                before.fit(make_clips(0), Y)
            assert state(before) == expected


def test_partial_fit_that_is_interrupted_leaves_the_estimator_as_it_was():
    for before in fitted_and_fresh("Seq2SeqAutoencoder"):
        expected = state(before)
        before.set_callbacks(Interrupt(3))  # at the end of the epoch
        with pytest.raises(KeyboardInterrupt):
            before.partial_fit(frames(0))
        assert state(before) == expected


def test_nothing_works_after_an_interrupted_first_fit():
    autoencoder = clone(AUTOENCODER).set_callbacks(Interrupt(3))
    with pytest.raises(KeyboardInterrupt):
        autoencoder.fit(frames(0))
    for method in ("transform", "reconstruct", "score", "score_samples", "score_frames"):
        with pytest.raises(NotFittedError):
            getattr(autoencoder, method)(frames(0))
    for method in (autoencoder.get_feature_names_out, lambda: autoencoder.encoder_):
        with pytest.raises(NotFittedError):
            method()


def test_an_interrupted_training_says_after_which_epoch_and_what_the_estimator_is_now():
    autoencoder = clone(AUTOENCODER).set_params(max_epochs=9).set_callbacks(Interrupt(5))
    with pytest.raises(KeyboardInterrupt) as first:
        autoencoder.fit(frames(0))
    progress, now = first.value.__notes__
    assert "after 2 of 9 epochs" in progress
    assert now.endswith("is not fitted.")
    autoencoder.set_callbacks().fit(frames(0))
    autoencoder.set_callbacks(Interrupt(5))
    with pytest.raises(KeyboardInterrupt) as second:
        autoencoder.fit(frames(0))
    assert second.value.__notes__[-1].endswith("is as it was before.")


def test_a_training_that_diverges_leaves_the_estimator_as_it_was():
    for before in fitted_and_fresh("Seq2SeqAutoencoder"):
        before.set_params(warm_start=False)
        expected = state(before)
        with pytest.raises(FloatingPointError):
            before.fit(frames(0) * 1e30)
        assert state(before) == expected


def test_a_fusion_whose_views_do_not_fit_together_is_as_it_was():
    fusion = clone(CASES["FeatureFusion"][0]).fit(waveforms(1))
    fusion.set_params(random=EXTRACTOR)
    expected = state(fusion)
    with pytest.raises(ValueError, match="differ in more than their last axis"):
        fusion.fit_transform(waveforms(0))
    assert state(fusion) == expected


def test_the_weights_of_a_warm_start_are_those_of_a_training_in_one_go():
    whole = clone(AUTOENCODER).set_params(max_epochs=4).fit(frames(0))
    parts = clone(AUTOENCODER).set_params(warm_start=True).fit(frames(0))
    first = parts.network_
    before = state(parts)
    parts.fit(frames(0))
    assert parts.network_ is not first
    assert state(parts) != before
    np.testing.assert_array_equal(parts.transform(frames(0)), whole.transform(frames(0)))


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_an_interruption_names_the_method_that_the_user_called(method):
    for estimator, X in (
        (ReservoirFeatures(4, random_state=0), frames(0)),
        (FeatureFusion([("one", ReservoirFeatures(4, random_state=0))]), frames(0)),
    ):
        with pytest.raises(KeyboardInterrupt) as caught:
            getattr(estimator.set_callbacks(Interrupt(1)), method)(X)
        name = type(estimator).__name__
        expected = f"{method} was interrupted, so this {name} is not fitted."
        assert expected in caught.value.__notes__
