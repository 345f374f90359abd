"""What an evaluation keeps beside its scores: groups, probabilities, features, a learning curve."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import Bunch

from skaudeep import TunedLogisticRegression, evaluate
from skaudeep.evaluation.runs import leave_out
from skaudeep.statistics import BandStatistics

N_CLIPS = 48
seen: list[tuple[int, ...]] = []


class _Listener(ClassifierMixin, BaseEstimator):
    """Keeps the groups that it is given; predicts the probability that is the first feature."""

    def fit(self, X, y, groups=None):
        self.classes_ = np.unique(y)
        seen.append(None if groups is None else tuple(np.asarray(groups).tolist()))
        return self

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X):
        share = np.asarray(X)[:, 0]
        return np.stack([share, 1 - share], axis=1)


def features(**keys):
    """Return features of twelve speakers with four clips each; the first is a probability."""
    rng = np.random.default_rng(0)
    return Bunch(
        data=rng.uniform(size=(N_CLIPS, 3)).astype(np.float32),
        target=np.tile([0, 1], N_CLIPS // 2),
        filenames=np.array([f"{i}.wav" for i in range(N_CLIPS)]),
        groups=np.repeat([f"s{i}" for i in range(12)], 4),
        **{"target_names": ["no", "yes"], **keys},
    )


@pytest.fixture(autouse=True)
def _forget():
    seen.clear()


def test_a_classifier_that_asks_for_groups_is_given_those_of_its_training_clips():
    bunch = features()
    folds = [(np.arange(8, N_CLIPS), np.arange(8))]
    evaluate(make_pipeline(StandardScaler(), _Listener()), bunch, cv=folds, controls=False)
    (groups,) = seen
    assert len(set(groups)) == 10
    assert [groups.count(group) for group in dict.fromkeys(groups)] == [4] * 10


def test_without_groups_a_classifier_is_given_none():
    bunch = features()
    del bunch["groups"]
    evaluate(_Listener(), bunch, cv=3, controls=False)
    assert seen == [None] * 3


def test_probabilities_are_those_of_the_classifier_by_clip_and_class():
    bunch = features()
    result = evaluate(_Listener(), bunch, cv=3, controls=False, random_state=0)
    expected = np.stack([bunch.data[:, 0], 1 - bunch.data[:, 0]], axis=1)
    assert_allclose(result.probabilities, expected)
    assert_array_equal(result.filenames, bunch.filenames)


def test_a_class_that_a_fold_does_not_train_has_probability_zero_there():
    bunch = features(target_names=["no", "yes", "never"])
    folds = [(np.arange(12, N_CLIPS), np.arange(12))]
    result = evaluate(TunedLogisticRegression(), bunch, cv=folds, controls=False)
    assert result.probabilities.shape == (N_CLIPS, 3)
    assert (result.probabilities[:12, 2] == 0).all()
    assert np.isnan(result.probabilities[12:]).all()


def test_a_classifier_without_probabilities_leaves_none():
    result = evaluate(LinearSVC(), features(), cv=3, controls=False, random_state=0)
    assert result.probabilities is None


def test_features_are_those_of_all_clips_unlabelled_ones_too():
    bunch = features()
    bunch.target = np.where(np.arange(N_CLIPS) < 8, -1, bunch.target)
    bunch.data = np.random.default_rng(0).normal(size=(N_CLIPS, 5, 2)).astype(np.float32)
    pipeline = make_pipeline(BandStatistics(), StandardScaler(), LinearSVC())
    result = evaluate(pipeline, bunch, cv=3, controls=False, keep_features=True)
    assert_allclose(result.features, BandStatistics().fit_transform(bunch.data), rtol=1e-6)
    assert evaluate(pipeline, bunch, cv=3, controls=False).features is None


def test_features_of_a_classifier_alone_are_the_data():
    bunch = features()
    result = evaluate(LinearSVC(), bunch, cv=3, controls=False, keep_features=True)
    assert_array_equal(result.features, bunch.data)


def test_a_learning_curve_tests_the_same_clips_after_training_on_fewer():
    bunch = features()
    folds = [(np.arange(16, N_CLIPS), np.arange(16)), (np.arange(32), np.arange(32, N_CLIPS))]
    result = evaluate(
        _Listener(), bunch, cv=folds, controls=False, train_sizes=(0.5, 0.25), random_state=0
    )
    assert result.n_train == 32
    assert list(result.learning_curve) == [8, 16]
    sizes = [len(groups) for groups in seen]
    assert sizes == [32, 32, 8, 8, 16, 16]
    assert set(seen[2]) < set(seen[4]) < set(seen[0])  # what few hold, more do, too
    for part in result.learning_curve.values():
        assert_array_equal(part.fold_predictions, result.fold_predictions)


def test_a_part_of_the_learning_curve_that_fails_costs_nothing_else():
    pipeline = make_pipeline(StandardScaler(), KNeighborsClassifier(9))
    options = {"cv": 2, "random_state": 0, "controls": False}
    bunch = features() | {"groups": None}
    with pytest.warns(UserWarning, match=r"lacks 0\.25 of the training clips.*n_neighbors = 9"):
        result = evaluate(pipeline, bunch, train_sizes=(0.25, 0.5), **options)
    assert list(result.learning_curve) == [12]
    assert_array_equal(result.predictions, evaluate(pipeline, bunch, **options).predictions)
    with pytest.raises(ValueError, match="n_neighbors = 30"):
        evaluate(make_pipeline(KNeighborsClassifier(30)), bunch, train_sizes=(0.5,), **options)


def test_more_training_clips_help_a_classifier_that_can_learn():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 100)
    bunch = Bunch(data=rng.normal(size=(200, 20)) + 0.6 * y[:, None], target=y)
    result = evaluate(
        TunedLogisticRegression(),
        bunch,
        cv=5,
        controls=False,
        train_sizes=(0.05, 0.3),
        random_state=0,
    )
    first, second = (part.uar for part in result.learning_curve.values())
    assert first + 0.03 < second < result.uar + 0.02


def test_every_class_keeps_a_group_however_small_the_share():
    target = np.array([0] * 8 + [1] * 2 + [0, 1])
    folds = [(np.arange(10), np.arange(10, 12))]
    [(train, test)] = leave_out(folds, target, np.arange(12), 0.01, np.arange(12))
    assert train.tolist() == [0, 8]
    assert test.tolist() == [10, 11]


@pytest.mark.parametrize("sizes", [(0.5, 1.0), (0,), 2, ("half",)])
def test_train_sizes_are_shares(sizes):
    with pytest.raises(ValueError, match="expected shares between 0 and 1"):
        evaluate(LinearSVC(), features(), cv=3, train_sizes=sizes)
