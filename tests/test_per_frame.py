"""PerFrame: labels over time, late by a known delay, padded clips, classes, persistence, search."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier

from skaudeep import PerFrame, TunedLogisticRegression, load, save

HOP = 0.1  # s
LENGTHS = [40, 25, 40, 33, 7, 40]
WEIGHTS = np.array([[1.0, 0.5], [-2.0, 0.0], [0.5, 1.0]])  # of three features in two targets


def clips():
    """Features of frames, (6, 40, 3), NaN at padding."""
    X = np.random.default_rng(0).normal(size=(6, 40, 3)).astype(np.float32)
    for row, length in zip(X, LENGTHS, strict=True):
        row[length:] = np.nan
    return X


def late(X, n_frames=0, weights=WEIGHTS[:, 0]):
    """Labels that are a linear function of the sound so many frames before."""
    y = np.full((*X.shape[:2], *weights.shape[1:]), np.nan)
    y[:, n_frames:] = (X @ weights)[:, : X.shape[1] - n_frames]
    y[np.isnan(X[:, :, 0])] = np.nan
    return y


@pytest.mark.parametrize("n_frames", [0, 3, 11])
def test_late_labels_are_predicted_as_they_are(n_frames):
    X = clips()
    y = late(X, n_frames)
    model = PerFrame(LinearRegression(), delay=n_frames * HOP, hop_duration=HOP).fit(X, y)
    np.testing.assert_allclose(model.estimator_.coef_, WEIGHTS[:, 0], atol=1e-5)
    predicted = model.predict(X)
    labelled = ~np.isnan(y)
    np.testing.assert_allclose(predicted[labelled], y[labelled], atol=1e-5)
    assert model.score(X, y) == pytest.approx(1)
    np.testing.assert_array_equal(np.isnan(predicted), np.isnan(X[:, :, 0]))
    first = predicted[:, : min(n_frames, 7)]  # of sound before the clip nothing is known
    np.testing.assert_allclose(first, np.repeat(predicted[:, :1], first.shape[1], axis=1))


def test_predictions_are_those_of_each_frame_alone_padded_and_in_any_batch():
    X = clips()
    model = PerFrame(Ridge(), delay=0.2, hop_duration=HOP).fit(X, late(X, 2))
    predicted = model.predict(X)
    for row, clip, n in zip(predicted, X, LENGTHS, strict=True):
        np.testing.assert_allclose(model.predict(clip[None, :n])[0], row[:n], atol=1e-6)
    ragged = [clip[:n] for clip, n in zip(X, LENGTHS, strict=True)]
    np.testing.assert_allclose(model.predict(ragged), predicted, atol=1e-6)
    again = clone(model).fit(ragged, [row[:n] for row, n in zip(late(X, 2), LENGTHS, strict=True)])
    np.testing.assert_allclose(again.predict(X), predicted, atol=1e-6)
    silent = np.concatenate([X, np.full((1, 40, 3), np.nan)])
    with_silent = np.concatenate([late(X, 2), np.full((1, 40), np.nan)])
    np.testing.assert_allclose(
        clone(model).fit(silent, with_silent).predict(silent)[:6], predicted, atol=1e-6
    )


def test_frames_without_a_target_are_left_out_whatever_they_hold():
    X, rng = clips(), np.random.default_rng(1)
    y = late(X)
    y[rng.random(y.shape) < 0.5] = np.nan
    unlabelled = np.isnan(y) & ~np.isnan(X[:, :, 0])
    other = X.copy()
    other[unlabelled] = 1e3 * rng.normal(size=(unlabelled.sum(), 3))
    models = [PerFrame(Ridge()).fit(values, y) for values in (X, other)]
    np.testing.assert_allclose(models[0].estimator_.coef_, models[1].estimator_.coef_, atol=1e-6)


@pytest.mark.parametrize("n_targets", [1, 2])
def test_several_targets_are_predicted_side_by_side(n_targets):
    X = clips()
    y = late(X, 2, WEIGHTS[:, :n_targets])
    inner = SVR(kernel="linear", C=100) if n_targets == 1 else LinearRegression()  # SVR wants (n,)
    model = PerFrame(inner, delay=0.2, hop_duration=HOP).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == (6, 40, n_targets)
    labelled = ~np.isnan(y)
    assert r2_score(y[labelled], predicted[labelled]) > 0.98


def test_probabilities_of_several_targets_are_a_list_with_an_array_of_each():
    X = clips()
    labels = np.where(np.isnan(X), np.nan, np.nan_to_num(X) > 0)[:, :, :2]
    labels[:, :, 1] += np.nan_to_num(X[:, :, 1]) > 1  # two classes and three
    model = PerFrame(DecisionTreeClassifier(random_state=0), delay=0.2, hop_duration=HOP)
    model.fit(X, labels)
    found = model.predict_proba(X)
    assert [part.shape for part in found] == [(6, 40, 2), (6, 40, 3)]
    for part, expected in zip(found, model.estimator_.predict_proba(X[1, :25]), strict=True):
        np.testing.assert_array_equal(part[1, 2:25], expected[:23])
        assert np.isnan(part[1, 25:]).all()
    classes = [
        of_target[part.argmax(axis=2)]
        for of_target, part in zip(model.classes_, found, strict=True)
    ]
    known = ~np.isnan(X[:, :, 0])
    np.testing.assert_array_equal(np.stack(classes, axis=2)[known], model.predict(X)[known])


def test_a_frame_is_correct_if_all_its_classes_are():
    X = clips()
    y = np.where(np.isnan(X), np.nan, np.nan_to_num(X) > 0)  # three classes of 0 and 1
    y[:, :, 2] = np.where(np.isnan(y[:, :, 2]), np.nan, np.arange(40) % 2)  # not in the sound
    inner = DecisionTreeClassifier(max_depth=3, random_state=0)
    model = PerFrame(inner).fit(X, y)
    known = ~np.isnan(X[:, :, 0])
    expected = model.estimator_.score(X[known], y[known].astype(int))
    assert 0.2 < expected < 0.9
    assert model.score(X, y) == pytest.approx(expected)


def test_a_search_finds_the_delay():
    X = clips()
    y = late(X, 4)
    y += 0.1 * np.random.default_rng(2).normal(size=y.shape)
    pipeline = make_pipeline(PerFrame(make_pipeline(StandardScaler(), Ridge()), hop_duration=HOP))
    grid = {"perframe__delay": np.arange(8) * HOP}
    search = GridSearchCV(pipeline, grid, cv=KFold(3)).fit(X, y)
    assert search.best_params_ == {"perframe__delay": pytest.approx(0.4)}
    assert search.best_score_ > 0.95
    groups = [0, 0, 1, 1, 2, 2]
    by_group = GridSearchCV(pipeline, grid, cv=GroupKFold(3)).fit(X, y, groups=groups)
    assert by_group.best_params_ == search.best_params_


@pytest.mark.parametrize("kind", ["integers", "floats", "texts"])
def test_classes_over_time(kind):
    X = clips()
    positive = np.nan_to_num(X[:, :, 0]) > 0
    missing = np.isnan(X[:, :, 0])
    missing[:, 5] = True  # not labelled
    y = {
        "integers": np.where(missing, -1, positive),
        "floats": np.where(missing, np.nan, positive),
        "texts": np.where(missing, None, np.where(positive, "speech", "rest").astype(object)),
    }[kind]
    model = PerFrame(LogisticRegression(C=100)).fit(X, y)
    assert is_classifier(model)
    assert not is_regressor(model)
    assert model.classes_.tolist() == (["rest", "speech"] if kind == "texts" else [0, 1])
    predicted = model.predict(X)
    real = ~np.isnan(X[:, :, 0])
    if kind == "texts":
        assert all(value is None for value in predicted[~real])
    else:
        assert np.isnan(predicted[~real]).all()
    score = accuracy_score(y[~missing].astype(str), predicted[~missing].astype(y.dtype).astype(str))
    assert score > 0.95
    assert model.score(X, y) == pytest.approx(score)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (6, 40, 2)
    np.testing.assert_allclose(probabilities[real].sum(axis=1), 1)
    assert model.decision_function(X).shape == (6, 40)


def test_methods_that_the_estimator_lacks_are_not_there():
    model = PerFrame(Ridge())
    assert is_regressor(model)
    assert not hasattr(model, "predict_proba")
    assert not hasattr(model, "decision_function")


def test_an_estimator_that_takes_groups_is_given_those_of_the_clips():
    X = clips()
    y = np.where(np.isnan(X[:, :, 0]), -1, np.nan_to_num(X[:, :, 0]) > 0)
    seen = []

    class Noting(TunedLogisticRegression):
        def fit(self, X, y, groups=None):
            seen.append(groups)
            return super().fit(X, y, groups=groups)

    model = PerFrame(Noting(random_state=0))
    model.fit(X, y)
    assert seen[0].tolist() == np.repeat(np.arange(6), LENGTHS).tolist()
    model.fit(X, y, groups=["a", "a", "b", "b", "c", "c"])
    assert len(np.unique(seen[1])) == 3


@pytest.mark.parametrize("way", ["pickle", "save"])
def test_a_model_predicts_the_same_after_it_was_stored(way, tmp_path):
    X = clips()
    model = PerFrame(make_pipeline(StandardScaler(), Ridge()), delay=0.2, hop_duration=HOP)
    model.fit(X, late(X, 2, WEIGHTS[:, :1]))
    if way == "pickle":
        loaded = pickle.loads(pickle.dumps(model))
    else:
        save(model, tmp_path / "model.skaudeep")
        loaded = load(tmp_path / "model.skaudeep")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.n_features_in_ == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.zeros((6, 3))}, r"X of shape \(6, 3\).*representation="),
        ({"X": []}, "without clips"),
        ({"y": None}, "targets of None clips for 6"),
        ({"y": np.zeros((5, 40))}, "targets of 5 clips for 6"),
        ({"y": np.zeros(6)}, r"y of shape \(6,\).*frame_targets"),
        ({"y": np.zeros((6, 39))}, "Clip 0 has 40 frames, but 39 targets"),
        ({"y": np.zeros((6, 40))}, "Clip 1 has 25 frames, but a target at frame 39"),
        ({"y": [np.zeros(n + (n == 33)) for n in LENGTHS]}, "Clip 3 has 33 frames, but 34"),
        ({"y": [np.zeros((n, 1 + (n == 33))) for n in LENGTHS]}, r"Clip 3 has .*\(33, 2\)"),
        ({"y": np.full((6, 40), np.nan)}, "No frame of the 6 clips has a target 0 s after"),
        ({"delay": 5.0}, "a target 5 s after it.*smaller delay"),
        ({"delay": 1.0, "hop_duration": None}, "delay=1.0 with hop_duration=None"),
        ({"delay": -1.0}, "'delay' parameter of PerFrame must be"),
        ({"hop_duration": 0}, "'hop_duration' parameter of PerFrame must be"),
        ({"estimator": 3}, "'estimator' parameter of PerFrame must be"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, message):
    X = clips()
    given = {"X": X, "y": late(X), "estimator": Ridge(), "delay": 0.0, "hop_duration": HOP} | change
    X, y = given.pop("X"), given.pop("y")
    with pytest.raises(ValueError, match=message):
        PerFrame(**given).fit(X, y)


def test_targets_may_be_a_table_with_a_row_for_each_clip():
    X = clips()
    y = late(X)
    predicted = [PerFrame(Ridge()).fit(X, targets).predict(X) for targets in (y, pd.DataFrame(y))]
    np.testing.assert_array_equal(*predicted)


def test_gaps_in_clips_other_features_and_unfitted_models_are_refused():
    X = clips()
    gap = X.copy()
    gap[2, 7] = np.nan
    with pytest.raises(ValueError, match="Clip 2 has NaN before its last frame"):
        PerFrame(Ridge()).fit(gap, late(gap))
    model = PerFrame(Ridge())
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(ValueError, match="PerFrame was fitted on 3"):
        model.fit(X, late(X)).predict(X[:, :, :2])
    with pytest.raises(ValueError, match="nothing to predict"):
        model.predict(np.full((1, 4, 3), np.nan))
    with pytest.raises(ValueError, match="has a target to compare with"):
        model.score(X, np.full((6, 40), np.nan))
