"""Agreement over time: pooled and per recording, intervals, controls, and the known delay."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudeep import (
    PerFrame,
    ReservoirFeatures,
    SpectrogramExtractor,
    TunedLogisticRegression,
)
from skaudeep.datasets import frame_targets, make_labelled_recordings
from skaudeep.evaluation import (
    LearningTags,
    concordance_correlation,
    evaluate_over_time,
    pearson,
    root_mean_squared_error,
    spearman,
)
from skaudeep.evaluation.over_time import _figures, _resampled

HOP = 0.05
NAMES = ["loudness", "pitch"]
QUIET = {"progress": False, "n_resamples": 99}
EXTRACTOR = SpectrogramExtractor(
    hop_duration=HOP, n_mels=30, clip_below=-80, reference="full_scale", sampling_rate=8000
)


class Told(RegressorMixin, BaseEstimator):
    """Predicts the first feature of each frame, plus a constant."""

    def __init__(self, offset=0.0):
        self.offset = offset

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        return X[:, 0] + self.offset


class Trained(TransformerMixin, BaseEstimator):
    """Stands for a network that is trained on spectrograms."""

    def __init__(self, n_epochs=1):
        self.n_epochs = n_epochs

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X[..., : 1 + self.n_epochs]

    def __skaudeep_tags__(self):
        return LearningTags(reads_spectrograms=True, untrained={"n_epochs": 0})


@pytest.fixture(scope="module")
def recordings():
    bunch = make_labelled_recordings(
        12, n_speakers=4, duration=20.0, delay=1.0, label_rate=10, random_state=0
    )
    spectrograms = EXTRACTOR.transform(bunch.data)
    bunch.targets = frame_targets(bunch.labels, EXTRACTOR.frame_times(spectrograms))
    bunch.spectrograms = spectrograms
    return bunch


def told():
    """Six recordings of unequal length whose feature is the truth, (6, 20, 1) and (6, 20)."""
    X = np.random.default_rng(0).normal(size=(6, 20, 1)).cumsum(axis=1)
    X[1, 12:] = X[4, 7:] = np.nan
    y = X[..., 0].copy()
    y[0, 3:5] = np.nan  # not labelled
    return X, y


def network(n_units=64, **kwargs):
    regressor = make_pipeline(StandardScaler(), Ridge(10.0))
    reservoir = ReservoirFeatures(n_units, n_layers=1, representation="states", random_state=0)
    return make_pipeline(reservoir, PerFrame(regressor, hop_duration=HOP, **kwargs))


def test_a_known_delay_is_recovered_and_concordance_is_above_0_9(recordings):
    train, test = np.arange(12) < 9, np.arange(12) >= 9
    search = GridSearchCV(network(), {"perframe__delay": np.arange(0, 2.1, 0.5)}, cv=KFold(3))
    search.fit(recordings.spectrograms[train], recordings.targets[train])
    assert search.best_params_["perframe__delay"] == recordings.delay
    predicted, truth = search.predict(recordings.spectrograms[test]), recordings.targets[test]
    labelled = ~np.isnan(truth[..., 0])
    for target in range(2):
        pair = truth[labelled][:, target], predicted[labelled][:, target]
        assert concordance_correlation(*pair) > 0.9


@pytest.fixture(scope="module")
def evaluation(recordings):
    pipeline = make_pipeline(EXTRACTOR, *(step for _, step in network(16, delay=1.0).steps))
    return evaluate_over_time(
        pipeline, recordings, recordings.targets, target_names=NAMES, cv=2, **QUIET
    )


def test_an_evaluation_says_what_its_predictions_are_worth(evaluation, recordings):
    assert evaluation.predictions.shape == recordings.targets.shape
    frame = evaluation.to_frame().set_index(["model", "target", "measure"])
    for j, target in enumerate(NAMES):
        truth, predicted = recordings.targets[..., j], evaluation.predictions[..., j]
        labelled = ~np.isnan(truth)
        for name, measure in (
            ("CCC", concordance_correlation),
            ("Pearson", pearson),
            ("Spearman", spearman),
            ("RMSE", root_mean_squared_error),
        ):
            row = frame.loc[("pipeline", target, name)]
            assert row["pooled"] == measure(truth[labelled], predicted[labelled])
            of_each = [measure(x[k], y[k]) for x, y, k in zip(truth, predicted, labelled)]  # noqa: B905
            assert row["recording"] == pytest.approx(np.mean(of_each))
            assert row["pooled_low"] < row["pooled"] < row["pooled_high"]
            assert row["recording_low"] < row["recording"] < row["recording_high"]
            table = evaluation.recordings
            chosen = (table["model"] == "pipeline") & (table["target"] == target)
            np.testing.assert_allclose(table[chosen][name], of_each)
            assert evaluation.interval(name, target) == tuple(row[["pooled_low", "pooled_high"]])
            of_recordings = evaluation.interval(name, target, mean_of="recordings")
            assert of_recordings == tuple(row[["recording_low", "recording_high"]])
    assert table[chosen]["group"].tolist() == recordings.groups.tolist()
    assert evaluation.unit == "group"


def test_intervals_of_what_there_is_not_are_refused(evaluation):
    with pytest.raises(ValueError, match="Got name=None; choose 'loudness', 'pitch'"):
        evaluation.interval("CCC")
    with pytest.raises(ValueError, match="Got metric='ccc'; choose 'CCC'"):
        evaluation.interval("ccc", "pitch")


def test_errors_begin_with_the_recording_of_the_largest_error(evaluation):
    errors = evaluation.errors()
    assert len(errors) == 12 * 2
    for target in NAMES:
        of_target = errors[errors["target"] == target]["RMSE"]
        assert of_target.is_monotonic_decreasing


def test_steps_that_folds_share_change_nothing(evaluation, recordings):
    search = GridSearchCV(network(16), {"perframe__delay": [1.0]}, cv=KFold(2))
    spectrograms = recordings | {"data": recordings.spectrograms, "dims": ("clip", "frame", "band")}
    alone = evaluate_over_time(
        search, spectrograms, recordings.targets, target_names=NAMES, cv=2, **QUIET
    )
    np.testing.assert_allclose(alone.predictions, evaluation.predictions, atol=1e-4)
    assert alone.figures["model"].unique().tolist() == evaluation.figures["model"].unique().tolist()


def test_controls_are_the_bands_without_training_and_without_knowledge(recordings):
    pipeline = make_pipeline(Trained(), PerFrame(Ridge(), delay=1.0, hop_duration=HOP))
    X, y = recordings.spectrograms[:4, ::4], recordings.targets[:4, ::4, 0]
    found = evaluate_over_time(pipeline, {"data": X}, y, cv=[([0, 1], [2, 3])], **QUIET)
    frame = found.to_frame().set_index(["model", "measure"])
    models = ["pipeline", "untrained network", "bands of each frame", "mean of training"]
    assert frame.index.unique("model").tolist() == models
    bands = PerFrame(Ridge(), delay=1.0, hop_duration=HOP).fit(X[:2], y[:2]).predict(X[2:])
    labelled = ~np.isnan(y[2:])
    expected = concordance_correlation(y[2:][labelled], bands[labelled])
    values = frame["pooled"].xs("CCC", level="measure")
    assert values["untrained network"] != values["pipeline"] != values["bands of each frame"]
    assert frame.loc[("bands of each frame", "CCC"), "pooled"] == pytest.approx(expected)
    mean = np.sqrt(np.mean((y[2:][labelled] - np.nanmean(y[:2])) ** 2))
    assert frame.loc[("mean of training", "RMSE"), "pooled"] == pytest.approx(mean)
    ccc = frame.loc[("mean of training", "CCC")]
    assert (ccc[["pooled", "pooled_low", "pooled_high", "recording"]] == 0).all()
    assert np.isnan(frame.loc[("mean of training", "Pearson"), "pooled"])
    assert np.isnan(found.predictions[:2]).all()  # not tested


def test_a_control_that_fails_costs_nothing_but_itself():
    X, y = told()
    search = GridSearchCV(make_pipeline(Trained(), PerFrame(Told())), {"trained__n_epochs": [1]})
    with pytest.warns(UserWarning, match=r"control 'bands of each frame' is left out.*set_params"):
        found = evaluate_over_time(search.set_params(cv=2), {"data": X}, y, cv=3, **QUIET).figures
    assert {"pipeline", "untrained network", "mean of training"} == set(found["model"])
    assert found["pooled"][0] == 1


def test_perfect_and_shifted_predictions_by_hand():
    X, y = told()
    perfect = evaluate_over_time(PerFrame(Told()), {"data": X}, y, cv=3, **QUIET)
    frame = perfect.to_frame().set_index(["model", "measure"]).loc["pipeline"]
    assert frame.loc["CCC", ["pooled", "pooled_low", "recording"]].tolist() == [1, 1, 1]
    assert frame.loc["RMSE", "pooled"] == 0
    off = evaluate_over_time(PerFrame(Told(2.0)), {"data": X}, y[..., None], cv=3, **QUIET)
    frame = off.to_frame().set_index(["model", "measure"]).loc["pipeline"]
    assert frame.loc["RMSE", "pooled"] == pytest.approx(2)
    assert frame.loc["RMSE", "pooled_high"] == pytest.approx(2)
    assert frame.loc["Pearson", "recording"] == pytest.approx(1)
    variance = np.nanvar(y)
    assert frame.loc["CCC", "pooled"] == pytest.approx(2 * variance / (2 * variance + 4))
    known = off.recordings[off.recordings["model"] == "pipeline"]
    assert known["n_frames"].tolist() == [18, 12, 20, 20, 7, 20]
    ragged = [row[~np.isnan(x[:, 0])] for row, x in zip(y, X, strict=True)]
    again = evaluate_over_time(PerFrame(Told(2.0)), {"data": X}, ragged, cv=3, **QUIET)
    np.testing.assert_array_equal(again.predictions, off.predictions)


def test_a_recording_that_two_folds_test_has_the_mean_of_both():
    class OfTraining(Told):
        def fit(self, X, y):
            self.offset_ = len(X)
            return self

        def predict(self, X):
            return X[:, 0] + self.offset_

    X, y = told()
    cv = [([2, 3], [0]), ([2], [0])]  # 40 and 20 frames
    found = evaluate_over_time(PerFrame(OfTraining()), {"data": X}, y, cv=cv, **QUIET)
    np.testing.assert_allclose(found.predictions[0, :, 0], X[0, :, 0] + 30)


def test_resampled_measures_are_those_of_the_frames_that_were_drawn():
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(5), [10, 20, 5, 30, 15])
    x = rng.normal(size=80) + 100
    y = x + rng.normal(size=80)
    drawn = np.array([[1, 1, 1, 1, 1], [2, 0, 1, 2, 0], [0, 0, 5, 0, 0]])
    found = _resampled(x, y, unit, drawn)
    for sample, times in enumerate(drawn):
        rows = np.repeat(np.arange(80), times[unit])
        for name, measure in (
            ("CCC", concordance_correlation),
            ("Pearson", pearson),
            ("RMSE", root_mean_squared_error),
        ):
            assert found[name][sample] == pytest.approx(measure(x[rows], y[rows]), abs=1e-9)
    assert found["Spearman"][0] == pytest.approx(spearman(x, y))
    flat = _resampled(np.ones(80), y, unit, drawn)
    assert np.isnan(flat["Pearson"]).all()
    assert (flat["CCC"] == 0).all()


def test_intervals_over_few_recordings_hold_the_true_concordance():
    rng = np.random.default_rng(0)

    def recordings(n):
        """Return truth and predictions of n recordings, whose level is predicted with an error."""
        truth = rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, 30)).cumsum(axis=1) / 30**0.5
        error = 0.5 * rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, 30))
        return truth, truth + error

    true = concordance_correlation(*(values.ravel() for values in recordings(20_000)))
    n_held = 0
    for _ in range(80):
        truth, predicted = recordings(5)
        drawn = rng.multinomial(5, np.full(5, 0.2), size=99)
        pairs, unknown = list(zip(truth, predicted, strict=True)), np.full(5, np.nan)
        table = pd.DataFrame(dict.fromkeys(("CCC", "Pearson", "Spearman", "RMSE"), unknown))
        ccc = _figures({}, pairs, table, ["CCC"], np.arange(5), drawn, 0.95)[0]
        n_held += ccc["pooled_low"] <= true <= ccc["pooled_high"]
    assert n_held / 80 > 0.82


def test_a_single_group_has_no_interval():
    X, y = told()
    data_set = {"data": X, "groups": ["a", "a", "b", "b", "b", "b"]}
    found = evaluate_over_time(PerFrame(Told()), data_set, y, cv=[([0, 1], [2, 3])], **QUIET)
    assert found.figures[["pooled_low", "recording_high"]].isna().all(axis=None)
    assert "1.000 " in str(found)


def test_groups_reach_an_estimator_that_asks_for_them():
    seen = []

    class Noting(Told):
        def fit(self, X, y, groups=None):
            seen.append(groups)
            return super().fit(X, y)

    X, y = told()
    groups = ["a", "b", "a", "b", "a", "b"]
    cv = [([0, 2, 4], [1, 3, 5])]
    evaluate_over_time(PerFrame(Noting()), {"data": X, "groups": groups}, y, cv=cv, **QUIET)
    assert len(np.unique(seen[0])) == 1


def test_an_evaluation_is_shown_as_a_table(evaluation):
    lines = str(evaluation).splitlines()
    assert lines[0].startswith("12 recordings tested in 2 folds, ")
    assert lines[0].endswith(" frames with a label")
    assert [line.split("  ")[0] for line in lines if line.startswith(("loud", "pitch"))] == NAMES
    assert sum(line.startswith("  mean of training ") for line in lines) == 2
    assert lines[-1] == "[ ]: 95 % interval over groups"
    assert repr(evaluation).startswith("OverTimeEvaluation(n_recordings=12, CCC={loudness: 0.")
    assert evaluation._repr_html_().startswith("<pre>")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": np.zeros((5, 20))}, "targets of 5 recordings for 6"),
        ({"targets": np.zeros(6)}, r"targets of shape \(6,\)"),
        ({"targets": np.full((6, 20), "a")}, "type <U1, expected numbers"),
        ({"targets": np.full((6, 20), np.nan)}, "all NaN"),
        ({"targets": np.full((6, 20), np.inf)}, "infinite target in 'a.wav'"),
        ({"targets": [np.zeros((20, 1 + (i == 2))) for i in range(6)]}, r"\(20, 2\)"),
        ({"target_names": ["a", "b"]}, "2 target_names for 1"),
        ({"pipeline": PerFrame(LogisticRegression())}, "PerFrame that predicts classes"),
        ({"pipeline": TunedLogisticRegression()}, "predicts classes.*PerFrame"),
        ({"pipeline": PerFrame(Told(np.nan))}, "target at frame 0 of 'a.wav'"),
        ({"targets": np.zeros((6, 20, 2)), "target_names": ["a", "a"]}, "names that differ"),
        ({"confidence_level": 2}, "confidence_level=2"),
        ({"n_resamples": 1}, "n_resamples=1, expected an integer of at least 2"),
        ({"cv": None}, "neither folds nor partitions"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, message):
    X, y = told()
    data_set = {"data": X, "filenames": [f"{name}.wav" for name in "abcdef"]}
    given = {"pipeline": PerFrame(Told()), "bunch": data_set, "targets": y, "cv": 3} | QUIET
    with pytest.raises(ValueError, match=message):
        evaluate_over_time(**given | change)


def test_targets_may_be_a_table_with_a_row_for_each_recording():
    X, y = told()
    evaluated = [
        evaluate_over_time(PerFrame(Told()), {"data": X}, targets, cv=3, **QUIET).figures
        for targets in (y, pd.DataFrame(y))
    ]
    pd.testing.assert_frame_equal(*evaluated)


def test_labels_beyond_a_recording_are_named():
    X, y = told()
    y[4, 9] = 1.0
    data_set = {"data": X, "filenames": [f"{name}.wav" for name in "abcdef"]}
    with pytest.raises(ValueError, match=r"target at frame 9 of 'e\.wav'"):
        evaluate_over_time(PerFrame(Told()), data_set, y, cv=[([0, 1], [4, 5])], **QUIET)
