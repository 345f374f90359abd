"""Groups of clips that are scored as one: patients, recordings, machines."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import Perceptron
from sklearn.metrics import recall_score
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.utils import Bunch

from skaudeep import compare, evaluate
from skaudeep.evaluation import MultiLabelEvaluation, RegressionEvaluation

N_GROUPS = 12
CLIPS = 5  # of a group


class _FirstFeature(ClassifierMixin, BaseEstimator):
    """Gives the first feature as the probability of the last class."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.stack([1 - X[:, 0], X[:, 0]], axis=1)

    def predict(self, X):
        return (X[:, 0] > 0.5).astype(int)


class _Value(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self.is_fitted_ = True
        return self

    def predict(self, X):
        return X[:, 0]


def patients(**keys):
    """Return five clips of each of twelve patients, in an order that mixes them."""
    rng = np.random.default_rng(0)
    of_clip = rng.permutation(np.repeat(np.arange(N_GROUPS), CLIPS))
    ill = np.arange(N_GROUPS) % 2
    noise = 0.35 * rng.normal(size=(len(of_clip), 2))
    data = np.clip(noise + 0.4 + 0.25 * ill[of_clip, None], 0, 1)
    return Bunch(
        **{
            "data": data,
            "target": ill[of_clip],
            "target_names": ["well", "ill"],
            "groups": np.array([f"p{i:02}" for i in of_clip]),
            "filenames": np.array([f"{i}.wav" for i in range(len(of_clip))]),
        }
        | keys
    )


def run(bunch, pipeline=None, **options):
    options = {"cv": 3, "random_state": 0, "progress": False, "unit": "group"} | options
    return evaluate(_FirstFeature() if pipeline is None else pipeline, bunch, **options)


def test_a_group_is_scored_by_the_mean_probability_of_its_clips():
    bunch = patients()
    result = run(bunch, n_repeats=2)
    names = np.unique(bunch.groups)
    mean = np.array([bunch.data[bunch.groups == name, 0].mean() for name in names])
    assert_array_equal(result.filenames, names)
    assert_array_equal(result.target, np.arange(N_GROUPS) % 2)
    assert_allclose(result.probabilities[:, 1], mean)
    assert_array_equal(result.predictions, [mean > 0.5] * 2)
    assert result.accuracy == pytest.approx(np.mean((mean > 0.5) == result.target))
    assert result.unit == "group"
    assert sorted(np.concatenate(result.test)) == list(range(N_GROUPS))


def test_the_score_per_clip_stands_beside_it():
    bunch = patients()
    result = run(bunch)
    per_clip = evaluate(_FirstFeature(), bunch, cv=3, random_state=0, progress=False)
    assert_array_equal(result.clips.predictions, per_clip.predictions)
    assert result.clips.uar == per_clip.uar
    expected = recall_score(bunch.target, bunch.data[:, 0] > 0.5, average="macro")
    assert per_clip.uar == pytest.approx(expected, abs=0.02)
    assert result.uar > result.clips.uar
    text = str(result)
    assert "12 groups of 60 clips tested" in text
    assert "\npipeline, per clip " in text
    assert "\nmost frequent class, per clip " in text
    assert "interval over groups\na group is scored by the mean probability of its clips" in text
    assert "groups better" in text


def test_decision_values_take_the_place_of_probabilities_and_this_is_said():
    bunch = patients()
    result = run(bunch, make_pipeline(StandardScaler(), LinearSVC()))
    assert result.group_score == "mean decision value of its clips"
    assert result.probabilities is None
    assert "by the mean decision value of its clips" in str(result)
    for group, test in enumerate(result.test):
        train = ~np.isin(bunch.groups, result.filenames[test])
        scaler = StandardScaler().fit(bunch.data[train])
        classifier = LinearSVC().fit(scaler.transform(bunch.data[train]), bunch.target[train])
        decided = classifier.decision_function(scaler.transform(bunch.data))
        expected = [decided[bunch.groups == name].mean() > 0 for name in result.filenames[test]]
        assert_array_equal(result.fold_predictions[0][group], expected)


def test_clips_have_decision_values_of_classes_not_of_pairs_of_them():
    bunch = patients()
    result = run(bunch, LinearSVC(), unit="clip", controls=False)
    assert result.probabilities is None
    for test, predicted, decided in zip(
        result.test, result.fold_predictions[0], result.fold_decision_values[0], strict=True
    ):
        assert decided.shape == (len(test), 2)
        assert_array_equal(decided.argmax(axis=1), predicted)
    assert (result.errors().margin >= 0).all()
    target = np.arange(len(bunch.target)) % 3
    three = patients(data=target[:, np.newaxis] + bunch.data, target=target)
    three["target_names"] = ["a", "b", "c"]
    pairs = SVC(decision_function_shape="ovo")
    found = run(three | {"groups": None}, pairs, unit="clip", controls=False)
    assert found.decision_values is None


def test_decision_values_of_three_classes_are_compared_class_by_class():
    rng = np.random.default_rng(1)
    of_clip = np.repeat(np.arange(N_GROUPS), CLIPS)
    target = of_clip % 3
    bunch = patients(
        data=np.eye(3)[target] + 0.5 * rng.normal(size=(60, 3)),
        target=target,
        target_names=["a", "b", "c"],
        groups=of_clip.astype(str),
    )
    assert run(bunch, Perceptron(random_state=0), cv=2, n_repeats=2).uar > 0.9


def test_a_value_of_a_group_is_the_mean_prediction_of_its_clips():
    bunch = patients()
    age = np.unique(bunch.groups, return_inverse=True)[1].astype(float)
    result = run(patients(target=age, target_names=[], data=age[:, None] + bunch.data), _Value())
    assert isinstance(result, RegressionEvaluation)
    names = np.unique(bunch.groups)
    mean = [age[bunch.groups == n][0] + bunch.data[bunch.groups == n, 0].mean() for n in names]
    assert_allclose(result.predictions[0, :, 0], mean)
    assert result.group_score == "mean prediction of its clips"
    assert result.clips.rmse > result.rmse
    assert result.controls["mean of the training targets"].clips.n_groups == N_GROUPS


def test_several_classes_of_a_group_have_the_mean_of_their_scores():
    bunch = patients()
    target = np.stack([1 - bunch.target, bunch.target], axis=1)
    result = run(patients(target=target), _FirstFeature())
    assert isinstance(result, MultiLabelEvaluation)
    assert_array_equal(result.target[:, 1], np.arange(N_GROUPS) % 2)
    of_first = bunch.data[bunch.groups == "p00", 0].mean()
    assert_allclose(result.predictions[0, 0], [1 - of_first, of_first])
    assert result.roc_auc > result.clips.roc_auc > 0.5


@pytest.mark.parametrize("kind", ["values", "several classes"])
def test_a_fold_for_each_group_leaves_scores_of_groups_defined(kind):
    bunch = patients()
    of_clip = np.unique(bunch.groups, return_inverse=True)[1]
    if kind == "values":
        bunch.update(target=of_clip.astype(float), target_names=[])
        bunch.data = of_clip[:, None] + bunch.data
    else:
        bunch.target = np.stack([1 - bunch.target, bunch.target], axis=1)
    pipeline = _Value() if kind == "values" else _FirstFeature()
    of_three = run(bunch, pipeline, random_state=0)  # neither pipeline learns: folds do not count
    of_each = run(bunch, pipeline, cv=LeaveOneGroupOut())
    assert_allclose(of_each.predictions, of_three.predictions)
    for metric in of_three.measures:
        assert of_each.score(metric) == pytest.approx(of_three.score(metric))
        assert_allclose(of_each.interval(metric), of_three.interval(metric))
    for control in of_each.controls.values():  # the mean of the training targets
        assert np.isnan(control.spearman)
        assert control.ccc == 0


def test_folds_that_lack_a_class_have_the_uar_of_all_folds_beside_theirs():
    bunch = patients()
    ill = np.unique(bunch.groups, return_inverse=True)[1] >= 8
    bunch.target = ill.astype(int)
    majority = run(bunch, DummyClassifier(), cv=LeaveOneGroupOut(), controls=False)
    assert majority.uar == pytest.approx(8 / 12)
    note = "UAR is the mean over folds, of which 12 of 12 lack a class; of all folds together it is"
    assert f"{note} 50.0 %" in str(majority)
    assert "lack a class" not in str(run(bunch, DummyClassifier(), controls=False))


def test_a_clip_without_a_group_is_one_by_its_own_name():
    bunch = patients()
    bunch.groups[3] = ""
    result = run(bunch)
    assert len(result.target) == N_GROUPS + 1
    assert result.filenames[-1] == "3.wav"
    assert len(result.clips.target) == len(bunch.target)


def test_an_unlabelled_group_is_not_tested():
    bunch = patients()
    bunch.target[bunch.groups == "p03"] = -1
    bunch.target[np.flatnonzero(bunch.groups == "p04")[0]] = -1  # the others have a label
    result = run(bunch)
    assert result.target[3] == -1
    assert result.target[4] == 0
    assert 3 not in np.concatenate(result.test)
    assert 4 in np.concatenate(result.test)


def test_learning_curve_and_features_are_of_groups():
    bunch = patients()
    result = run(bunch, GaussianNB(), train_sizes=(0.5,), keep_features=True)
    (part,) = result.learning_curve.values()
    assert part.unit == "group"
    assert part.clips.n_train == part.n_train == 20
    of_first = bunch.data[bunch.groups == "p00"].mean(axis=0)
    assert_allclose(result.features[0], of_first)
    assert len(result.clips.features) == len(bunch.data)


def test_tables_and_comparisons_are_of_groups():
    bunch = patients()
    result, other = run(bunch), run(bunch, GaussianNB())
    table = result.to_frame()
    assert table.index.name == "group"
    columns = ["group", "fold", "target", "predicted", "correct", "probability"]
    assert table.columns.tolist() == columns
    found = compare(result, other, metric="uar", random_state=0)
    assert (found.unit, found.n_units) == ("group", N_GROUPS)
    assert "group" in repr(found).split("points of UAR")[1]


@pytest.mark.parametrize(
    ("keys", "pipeline", "message"),
    [
        ({"groups": None}, None, "unit='group' for a bunch without groups.*add_groups"),
        (
            {"target": np.arange(60) % 2},
            None,
            r"the group 'p..' has clips of several targets: 'well' \('.*.wav'\) and 'ill' \(",
        ),
        ({"target": np.arange(60.0)}, _Value(), r"targets: .* \('.*.wav'\) and .*expected one for"),
        ({"cv": [(np.arange(30), np.arange(30, 60))]}, None, "Fold 1 trains on .*both of group"),
    ],
)
def test_groups_that_cannot_be_scored_are_refused(keys, pipeline, message):
    bunch = patients(**keys)
    if pipeline is not None:
        del bunch["target_names"]
    with pytest.raises(ValueError, match=message):
        run(bunch, pipeline, cv=None if "cv" in keys else 3)


def test_a_classifier_without_scores_is_refused():
    class Silent(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            return self

        def predict(self, X):
            return np.zeros(len(X), int)

    with pytest.raises(ValueError, match="without predict_proba and decision_function"):
        run(patients(), Silent())
    with pytest.raises(ValueError, match="unit='patient'; choose 'clip', or 'group'"):
        run(patients(), unit="patient")
