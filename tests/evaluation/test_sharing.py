"""What no fold changes is done once: decodes, extractions and passes of networks are counted."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudeep.datasets import make_sounds
from skaudeep.evaluation import evaluate
from skaudeep.fusion import FeatureFusion
from skaudeep.nn.reservoir import Reservoir
from skaudeep.reservoir import ReservoirFeatures
from skaudeep.spectrogram import SpectrogramExtractor
from skaudeep.training import states

N_CLIPS = 24
seen: list[np.ndarray] = []  # features that classifiers were fitted to, then those of tests


class _Classifier(ClassifierMixin, BaseEstimator):
    """Keeps what it is given; predicts class 0."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        seen.append(np.array(X))
        return self

    def predict(self, X):
        seen.append(np.array(X))
        return np.zeros(len(X), dtype=int)


@pytest.fixture(autouse=True)
def _forget():
    seen.clear()


@pytest.fixture
def sounds():
    bunch = make_sounds(N_CLIPS, n_classes=3, n_sessions=4, random_state=0)
    del bunch["groups"]
    rng = np.random.default_rng(1)
    bunch.data = [clip[: rng.integers(4000, 16000)] for clip in bunch.data]
    return bunch


@pytest.fixture
def work(monkeypatch):
    """Count clips that are extracted, and sequences that run through networks."""
    count = Counter()
    from skaudeep import _views

    extract, forward = _views.extract_clip_views, Reservoir.forward

    def counted_extract(clips, parameters):
        count["clips"] += len(clips)
        return extract(clips, parameters)

    def counted_forward(self, x, lengths=None):
        count["sequences"] += x.shape[1]
        return forward(self, x, lengths)

    monkeypatch.setattr(_views, "extract_clip_views", counted_extract)
    monkeypatch.setattr(Reservoir, "forward", counted_forward)
    return count


def _view(n_units=3, **parameters):
    return make_pipeline(
        SpectrogramExtractor(n_mels=12, sampling_rate=16000, **parameters),
        ReservoirFeatures(n_units, random_state=0),
    )


def _two_views():
    return FeatureFusion(
        [("long", _view()), ("short", _view(window_duration=0.04, hop_duration=0.01))]
    )


def test_folds_repeats_and_controls_of_a_fusion_share_one_extraction(sounds, work):
    evaluate(
        make_pipeline(_two_views(), StandardScaler(), _Classifier()),
        sounds,
        cv=4,
        n_repeats=2,
        random_state=0,
    )
    assert work["clips"] == N_CLIPS  # both views of a clip are extracted together


def test_a_network_runs_once_over_each_clip_whatever_the_number_of_folds(sounds, work):
    pipeline = make_pipeline(_two_views(), _Classifier())
    evaluate(pipeline, sounds, cv=6, n_repeats=3, random_state=0)
    assert work["sequences"] == 2 * 3 * N_CLIPS  # views, repeats; weights differ between these


def test_a_reservoir_outside_of_a_fusion_is_shared_as_well(sounds, work):
    pipeline = make_pipeline(*[step for _, step in _view().steps], _Classifier())
    evaluate(pipeline, sounds, cv=6, random_state=0)
    assert work == {"clips": N_CLIPS, "sequences": N_CLIPS}


@pytest.mark.parametrize("room", ["memory", "file", "none"])
@pytest.mark.parametrize("fusion", [True, False])
def test_shared_features_are_those_of_the_plain_way(sounds, monkeypatch, room, fusion):
    if room != "memory":
        monkeypatch.setattr(states, "MEMORY_BYTES", 0)
    if room == "none":
        monkeypatch.setattr(states, "FILE_BYTES", 0)
    head = [_two_views()] if fusion else [step for _, step in _view().steps]
    evaluate(make_pipeline(*head, _Classifier()), sounds, cv=3, random_state=0, controls=False)
    shared, seen[:] = list(seen), []
    # The same seeds, by the same means, for a pipeline that nothing is known of.
    monkeypatch.setattr("skaudeep.evaluation.runs.run_reservoirs", lambda *args: args[:2])
    evaluate(make_pipeline(*head, _Classifier()), sounds, cv=3, random_state=0, controls=False)
    assert len(shared) == len(seen) == 6
    for one, other in zip(shared, seen, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_test_clips_do_not_change_what_the_components_are(sounds):
    cv = [(np.arange(16), np.arange(16, N_CLIPS))]
    pipeline = make_pipeline(_two_views(), _Classifier())
    evaluate(pipeline, sounds, cv=cv, random_state=0, controls=False)
    training = seen[0]
    sounds.data = [*sounds.data[:16], *(0.01 * clip[::-1][:4500] for clip in sounds.data[16:])]
    seen.clear()
    evaluate(pipeline, sounds, cv=cv, random_state=0, controls=False)
    np.testing.assert_allclose(seen[0], training, atol=1e-6)


def test_views_without_an_extractor_and_dropped_views_keep_their_places(sounds):
    sounds.data = _view()[:1].fit_transform(sounds.data)
    fusion = FeatureFusion(
        [
            ("bare", ReservoirFeatures(2)),
            ("nothing", "drop"),
            ("pipeline", make_pipeline(ReservoirFeatures(3), StandardScaler())),
        ],
        transformer_weights={"pipeline": 2.0, "nothing": 3.0},
    )
    evaluate(make_pipeline(fusion, _Classifier()), sounds, cv=3, random_state=0, controls=False)
    widths = [ReservoirFeatures(n).fit_transform(sounds.data).shape[1] for n in (2, 3)]
    assert seen[0].shape == (16, sum(widths))
    assert np.abs(seen[0][:, : widths[0]].mean(axis=0)).max() > 0.01  # not standardised
    np.testing.assert_allclose(seen[0][:, widths[0] :].mean(axis=0), 0, atol=1e-5)
    assert seen[0][:, widths[0] :].std(axis=0).max() == pytest.approx(2, abs=1e-3)


def test_processes_give_what_one_gives(sounds):
    pipeline = make_pipeline(_two_views(), StandardScaler(), _Centroids())
    one = evaluate(pipeline, sounds, cv=3, random_state=0, controls=False)
    two = evaluate(pipeline, sounds, cv=3, random_state=0, controls=False, n_jobs=2)
    for a, b in zip(one.fold_predictions[0], two.fold_predictions[0], strict=True):
        np.testing.assert_array_equal(a, b)


class _Centroids(ClassifierMixin, BaseEstimator):
    """Predicts the class of the nearest mean."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.means_ = np.stack([X[y == c].mean(axis=0) for c in self.classes_])
        return self

    def predict(self, X):
        return self.classes_[((X[:, None] - self.means_) ** 2).sum(axis=2).argmin(axis=1)]


EVALUATE_MANY = """
import resource, sys
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.linear_model import RidgeClassifier
from skaudeep import evaluate
from skaudeep.datasets import load_folder, make_bunch
from skaudeep.recipes import two_scales
bunch = load_folder(sys.argv[1])
pipeline = make_pipeline(two_scales(version=1, random_state=0), StandardScaler(), RidgeClassifier())
print(evaluate(pipeline, bunch, cv=3, random_state=0, controls=False).uar)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)  # GiB
"""


@pytest.mark.slow
def test_two_thousand_clips_are_evaluated_within_2_gb(tmp_path):
    # States of one view lie in memory (0.2 GB), those of the other in a file (0.8 GB).
    make_sounds(2000, duration=2.0, folder=tmp_path, random_state=0)
    done = subprocess.run(
        [sys.executable, "-c", EVALUATE_MANY, tmp_path], capture_output=True, text=True, check=True
    )
    uar, memory = map(float, done.stdout.split())
    assert uar > 0.8
    assert memory < 2
