"""Targets and pipelines that do not fit: what `evaluate` says before anything is fitted."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import StackingRegressor
from sklearn.linear_model import LogisticRegression, Perceptron, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputRegressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR, LinearSVC
from sklearn.utils import Bunch

from skaudeep import PerFrame, evaluate
from skaudeep.evaluation.targets import check_pipeline, check_target

CLASSES = np.arange(8) % 2
SEVERAL = np.stack([CLASSES, CLASSES[::-1], np.ones(8, int)], axis=1)
VALUES = np.linspace(0, 1, 8)


def make_bunch(target, **keys):
    return Bunch(
        data=np.zeros((8, 3)),
        target=np.asarray(target),
        filenames=np.array(list("abcdefgh")),
        **keys,
    )


def with_row(target, row, value):
    changed = np.array(target)
    changed[row] = value
    return changed


@pytest.mark.parametrize(
    ("target", "shape", "kind"),
    [
        (CLASSES, (8,), "i"),
        (SEVERAL, (8, 3), "i"),
        (SEVERAL.astype(bool), (8, 3), "i"),
        (VALUES, (8, 1), "f"),
        (np.stack([VALUES, VALUES], axis=1).astype(np.float32), (8, 2), "f"),
    ],
)
def test_each_kind_of_target_has_its_form(target, shape, kind):
    found = check_target(make_bunch(target))
    assert (found.shape, found.dtype.kind) == (shape, kind)


@pytest.mark.parametrize(
    ("target", "keys", "message"),
    [
        (
            np.zeros((8, 2, 2)),
            {},
            r"target of shape \(8, 2, 2\), expected one class number or value",
        ),
        (np.zeros((8, 0)), {}, r"target of shape \(8, 0\)"),
        (with_row(SEVERAL, 2, 3), {}, r"with \[3, 3, 3\] for 'c', expected 0 or 1 for each class"),
        (with_row(SEVERAL, 2, [-1, 0, 0]), {}, r"\[-1, 0, 0\] for 'c'.*-1 throughout"),
        (np.zeros((8, 2), int), {}, "all 8 labelled clips have no class"),
        (np.ones((8, 2), int), {}, "all 8 labelled clips have all classes"),
        (np.full((8, 2), -1), {}, "all 0 labelled clips have no class"),
        (SEVERAL, {"target_names": ["dog"]}, "1 target_names, expected a name for each column"),
        (SEVERAL.astype(str), {}, "of <U21, expected 0 or 1 for each clip and class as integers"),
        (with_row(VALUES, 1, np.inf), {}, r"the values \[inf\] for 'b', expected finite"),
        (
            with_row(np.stack([VALUES, VALUES], 1), 3, [1, np.nan]),
            {},
            r"\[1.0, nan\] for 'd', expected finite numbers, or NaN throughout",
        ),
        (
            np.array([1.5, None] * 4),
            {},
            r"of object with the values \[1.5 None 1.5\].*LabelEncoder",
        ),
        (np.full(8, np.nan), {}, "no labelled clip: the target of all 8 is NaN"),
        (
            np.full(8, 2.5),
            {},
            "the value 2.5 for all 8 labelled clips, expected values that differ",
        ),
        (
            np.stack([VALUES, -VALUES], 1),
            {"target_names": ["a", "a"]},
            "'a' in target_names more than once",
        ),
        (VALUES, {"target_names": ["a", "b"]}, r"with 2 target_names.*target.astype\(int\)"),
    ],
)
def test_targets_that_are_none_are_refused_by_the_name_of_the_clip(target, keys, message):
    with pytest.raises(ValueError, match=message):
        evaluate(Ridge(), make_bunch(target, **keys), cv=2)


@pytest.mark.parametrize(
    ("pipeline", "target", "message"),
    [
        (
            LogisticRegression(),
            VALUES,
            "predicts classes .a classifier. for a float target.*RidgeCV",
        ),
        (Ridge(), CLASSES, "predicts numbers .a regressor., expected a classifier.*LinearSVC"),
        (Ridge(), SEVERAL, "predicts numbers .*OneVsRestClassifier.LogisticRegression"),
        (StandardScaler(), VALUES, "without predict, expected a regressor.*RidgeCV"),
        (
            make_pipeline(StandardScaler(), LogisticRegression()),
            SEVERAL,
            r"Pipeline whose LogisticRegression learns one class per clip.*"
            r"OneVsRestClassifier\(LogisticRegression\(\)\)",
        ),
        (GridSearchCV(LinearSVC(), {}), SEVERAL, "learns one class per clip"),
        (SVR(), np.stack([VALUES, -VALUES], 1), r"one value per clip.*MultiOutputRegressor\(SVR"),
        (Perceptron(), SEVERAL, "learns one class per clip"),
        (
            MultiOutputRegressor(Ridge()),
            VALUES,
            "several columns, for a target of one",
        ),
        (ClassifierChain(LinearSVC()), CLASSES, "several columns, for a target of one"),
        (make_pipeline(PerFrame(Ridge())), np.ones((8, 5)) * VALUES[:, None], "evaluate_over_time"),
    ],
)
def test_pipelines_that_predict_something_else_are_refused(pipeline, target, message):
    with pytest.raises(ValueError, match=message):
        evaluate(pipeline, make_bunch(target), cv=2)


@pytest.mark.parametrize(
    ("pipeline", "target"),
    [
        (OneVsRestClassifier(LogisticRegression()), SEVERAL),
        (GridSearchCV(OneVsRestClassifier(LinearSVC()), {}), SEVERAL),
        (MLPClassifier(), SEVERAL),
        (KNeighborsClassifier(), SEVERAL),
        (LogisticRegression(), SEVERAL[:, :1]),  # one column is two classes
        (MLPRegressor(), np.stack([VALUES, -VALUES], 1)),
        (SVR(), VALUES),
        (LinearSVC(), CLASSES),
    ],
)
def test_pipelines_that_learn_the_target_pass(pipeline, target):
    check_pipeline(pipeline, check_target(make_bunch(target)), of_groups=False)


@pytest.mark.parametrize("target", [SEVERAL, VALUES])
def test_more_folds_than_clips_are_refused(target):
    pipeline = Ridge() if target is VALUES else KNeighborsClassifier(1)
    with pytest.raises(ValueError, match=r"cv=9, but there are 8 labelled clips.*pass cv=8"):
        evaluate(pipeline, make_bunch(target), cv=9)
    groups = np.array(list("aabbccdd"))
    with pytest.raises(ValueError, match=r"cv=5, but there are 4 labelled groups.*pass cv=4"):
        evaluate(pipeline, make_bunch(target, groups=groups), cv=5)
    with pytest.raises(ValueError, match="labelled clips are of one group, expected at least two"):
        evaluate(pipeline, make_bunch(target, groups=np.repeat("a", 8)), cv=2)


def test_a_group_on_both_sides_of_a_fold_warns_with_a_splitter_for_values():
    bunch = make_bunch(VALUES, groups=np.array(list("aabbccdd")))
    with pytest.warns(UserWarning, match=r"both of group 'a'.* such as GroupKFold\(5\)"):
        evaluate(Ridge(), bunch, cv=[(np.arange(1, 8), np.array([0]))], progress=False)


def test_a_stacking_that_has_no_predict_before_its_fit_is_taken():
    """Its default last step is made in `fit`."""
    regressor = StackingRegressor([("svr", SVR())])
    assert not hasattr(regressor, "predict")
    check_pipeline(make_pipeline(StandardScaler(), regressor), VALUES, of_groups=False)
