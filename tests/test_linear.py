"""The default classifier: what it chooses, by which folds, and that it is scikit-learn's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_info, threadpool_limits

import skaudeep
from skaudeep import TunedLogisticRegression
from skaudeep._base import fit_with_groups


@parametrize_with_checks([TunedLogisticRegression()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def speakers(n_speakers=12, n_features=40):
    """Return clips of speakers, whose voices are stronger in the features than the classes."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(n_speakers), 4)
    y = np.tile(["no", "yes"], 2 * n_speakers)
    voices = rng.normal(scale=2, size=(n_speakers, n_features))[groups]
    X = voices + rng.normal(size=voices.shape) + 0.7 * (y == "yes")[:, None]
    return X, y, groups


@pytest.mark.parametrize("n_features", [5, 200])  # fewer and more than clips
def test_it_is_logistic_regression_at_the_chosen_strength(n_features):
    X, y, groups = speakers(n_features=n_features)
    fitted = TunedLogisticRegression(random_state=0, tol=1e-8).fit(X, y, groups=groups)
    plain = LogisticRegression(C=fitted.C_, class_weight="balanced", max_iter=5000, tol=1e-8)
    plain.fit(X, y)
    assert_allclose(fitted.coef_, plain.coef_, atol=1e-4)
    assert_allclose(fitted.predict_proba(X), plain.predict_proba(X), atol=1e-4)
    assert fitted.classes_.tolist() == ["no", "yes"]


def test_the_strength_is_that_of_a_search_over_the_same_folds_of_groups():
    X, y, groups = speakers()
    fitted = TunedLogisticRegression(Cs=(1e-4, 0.01, 1.0), random_state=0).fit(X, y, groups=groups)
    search = GridSearchCV(
        LogisticRegression(class_weight="balanced", max_iter=1000),
        {"C": [1e-4, 0.01, 1.0]},
        scoring="balanced_accuracy",
        cv=StratifiedGroupKFold(3, shuffle=True, random_state=0),
    ).fit(X, y, groups=groups)
    assert_allclose(fitted.scores_, search.cv_results_["mean_test_score"])
    assert search.best_params_["C"] == fitted.C_


@pytest.mark.parametrize("groups", [None, ["a", "a", "b", "b", "c", "c"]])
def test_where_a_class_has_too_few_groups_nothing_is_chosen(groups):
    y = [0, 0, 1, 1, 0, 0]  # class 1 has two clips, of one group
    fitted = TunedLogisticRegression().fit(np.eye(6), y, groups=groups)
    assert fitted.C_ == 10.0
    assert np.isnan(fitted.scores_).all()


def test_fits_in_several_threads_leave_the_number_of_threads_as_it_was():
    X, y, groups = speakers()
    few = TunedLogisticRegression(Cs=(1.0, 10.0), random_state=0)
    with threadpool_limits(2, user_api="blas"):
        before = [pool["num_threads"] for pool in threadpool_info()]
        with ThreadPoolExecutor(4) as threads:
            fits = [threads.submit(clone(few).fit, X, y, groups) for _ in range(4)]
            assert all(fit.result().C_ == fits[0].result().C_ for fit in fits)
        assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_what_it_cannot_use_is_refused():
    X, y, groups = speakers()
    with pytest.raises(ValueError, match="clips of 1 class, 'yes'"):
        TunedLogisticRegression().fit(X, np.full(len(y), "yes"))
    with pytest.raises(ValueError, match="Got 3 groups for 48 clips"):
        TunedLogisticRegression().fit(X, y, groups=groups[:3])
    with pytest.raises(ValueError, match=r"Got Cs=\(1, -1\)"):
        TunedLogisticRegression(Cs=(1, -1)).fit(X, y)


def test_a_saved_one_predicts_the_same_classes_by_name(tmp_path):
    X, y, _ = speakers()
    fitted = make_pipeline(StandardScaler(), TunedLogisticRegression()).fit(X, y)
    skaudeep.save(fitted, tmp_path / "model.skaudeep")
    again = skaudeep.load(tmp_path / "model.skaudeep")
    assert_allclose(again.predict_proba(X), fitted.predict_proba(X))
    assert again.predict(X).tolist() == fitted.predict(X).tolist()


class Listener(TunedLogisticRegression):
    """Remembers the groups that it was given."""

    def fit(self, X, y, groups=None):
        self.groups_ = groups
        return super().fit(X, y, groups)


@pytest.mark.parametrize("routing", [False, True])
def test_a_pipeline_hands_groups_on_to_its_last_step(routing):
    X, y, groups = speakers()
    pipeline = make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), Listener()))
    with sklearn.config_context(enable_metadata_routing=routing):
        fit_with_groups(pipeline, X, y, groups)
    assert pipeline[-1][-1].groups_.tolist() == groups.tolist()


@pytest.mark.parametrize(
    "classifier",
    [
        LogisticRegression(),
        GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=3),
        GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=GroupKFold(3)),
    ],
)
def test_estimators_of_scikit_learn_are_given_groups_only_where_they_take_them(classifier):
    X, y, groups = speakers()
    fit_with_groups(make_pipeline(StandardScaler(), classifier), X, y, groups)
    assert classifier.n_features_in_ == X.shape[1]
