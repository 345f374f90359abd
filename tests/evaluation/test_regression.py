"""`evaluate` of values to regress on, on data whose correct result is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import pearsonr, spearmanr
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import LeaveOneGroupOut, LeaveOneOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from skaudeep import BandStatistics, SpectrogramExtractor, compare, evaluate
from skaudeep.datasets import load_compare_challenge
from skaudeep.evaluation import LearningTags, RegressionEvaluation, root_mean_squared_error
from skaudeep.recipes import linear_regressor

N = 60
MEAN = "mean of the training targets"


class _FirstFeature(RegressorMixin, BaseEstimator):
    """Predicts the first features as they are."""

    def fit(self, X, y):
        self.n_targets_ = 1 if np.ndim(y) == 1 else np.shape(y)[1]
        return self

    def predict(self, X):
        return X[:, 0] if self.n_targets_ == 1 else X[:, : self.n_targets_]


class _Network(TransformerMixin, BaseEstimator):
    """Reads spectrograms and says that it is trained."""

    def __init__(self, max_epochs=1):
        self.max_epochs = max_epochs

    def fit(self, X, y=None):
        self.is_fitted_ = True
        return self

    def transform(self, X):
        return X[:, 0] * self.max_epochs

    def __skaudeep_tags__(self):
        untrained = {"max_epochs": 0} if self.max_epochs else None
        return LearningTags(unsupervised=True, reads_spectrograms=True, untrained=untrained)


def make_bunch(**keys):
    """Return features of ten speakers with six clips each; the target is the first and noise."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(N, 4)).astype(np.float32)
    return Bunch(
        **{
            "data": data,
            "target": data[:, 0] + rng.normal(size=N),
            "groups": np.repeat([f"s{i}" for i in range(10)], 6),
            "filenames": np.array([f"{i}.wav" for i in range(N)]),
        }
        | keys
    )


def test_scores_are_those_of_all_test_clips_together():
    bunch = make_bunch()
    result = evaluate(_FirstFeature(), bunch, cv=5, random_state=0, progress=False)
    truth, predicted = bunch.target, bunch.data[:, 0].astype(float)
    assert isinstance(result, RegressionEvaluation)
    assert result.spearman == pytest.approx(spearmanr(truth, predicted).statistic)
    assert result.pearson == pytest.approx(pearsonr(truth, predicted).statistic)
    assert result.rmse == pytest.approx(root_mean_squared_error(truth, predicted))
    assert result.r2 == pytest.approx(r2_score(truth, predicted))
    assert_allclose(result.predictions, predicted[np.newaxis, :, np.newaxis])
    of_folds = [spearmanr(truth[test], predicted[test]).statistic for test in result.test]
    assert_allclose(result.fold_scores("spearman"), [of_folds])


def test_folds_keep_groups_together_and_are_those_of_the_random_state():
    bunch = make_bunch()
    results = [
        evaluate(_FirstFeature(), bunch, cv=5, random_state=seed, controls=False, progress=False)
        for seed in (0, 0, 1)
    ]
    groups = [{*bunch.groups[test]} for test in results[0].test]
    assert [len(of_fold) for of_fold in groups] == [2] * 5
    first, again, other = ([test.tolist() for test in result.test] for result in results)
    assert first == again != other


def test_several_targets_have_scores_of_their_own_and_their_mean():
    rng = np.random.default_rng(1)
    bunch = make_bunch()
    target = bunch.data[:, :2] + rng.normal(size=(N, 2)) * [0.1, 2]
    bunch |= {"target": target, "target_names": ["arousal", "valence"]}
    result = evaluate(_FirstFeature(), bunch, cv=5, random_state=0, progress=False)
    expected = [spearmanr(target[:, k], bunch.data[:, k]).statistic for k in range(2)]
    assert_allclose([result.score("spearman", name) for name in result.target_names], expected)
    assert result.spearman == pytest.approx(np.mean(expected))
    low, high = result.interval("spearman", "arousal")
    assert low < expected[0] < high
    table = result.scores().set_index(["metric", "name"])
    assert table.loc[("spearman", "valence"), "value"] == pytest.approx(expected[1])
    text = str(result)
    assert "2 targets" in text
    assert "\nvalence " in text


def test_controls_are_the_network_before_training_statistics_and_the_mean():
    rng = np.random.default_rng(0)
    bunch = make_bunch(data=rng.uniform(-1, 1, (N, 5, 3)).astype(np.float32))
    pipeline = make_pipeline(_Network(), StandardScaler(), Ridge())
    result = evaluate(pipeline, bunch, cv=2, random_state=0, progress=False)
    assert list(result.controls) == ["untrained network", "mel statistics", MEAN]
    transductive = evaluate(
        pipeline, bunch, cv=2, protocol="transductive", random_state=0, progress=False
    )
    assert transductive.protocol == "transductive"
    assert_allclose(transductive.predictions, result.predictions)  # nothing is learnt there


def test_the_mean_of_the_training_targets_has_an_error_and_no_correlation():
    bunch = make_bunch()
    result = evaluate(_FirstFeature(), bunch, cv=5, random_state=0, progress=False)
    control = result.controls[MEAN]
    expected = evaluate(DummyRegressor(), bunch, cv=5, random_state=0, progress=False)
    assert control.rmse == expected.rmse
    assert np.isnan([control.spearman, control.pearson]).all()
    assert np.isnan(control.interval("pearson")).all()
    assert (control.ccc, control.interval("ccc")) == (0, (0, 0))
    assert (control.fold_scores("ccc") == 0).all()
    text = str(result)
    assert f"-: not defined, as predictions of {MEAN} are the same for all clips" in text
    assert f"against {MEAN}: -" in text  # the error of the pipeline is smaller
    with pytest.raises(ValueError, match=r"Spearman is not defined of one.*'rmse'"):
        compare(result, control)
    with pytest.raises(ValueError, match=r"CCC is not defined of one.*'rmse'"):
        compare(result, control, metric="ccc")


@pytest.mark.parametrize(("cv", "unit"), [(LeaveOneGroupOut(), "group"), (LeaveOneOut(), "clip")])
def test_the_mean_of_the_training_targets_has_no_correlation_in_folds_of_one_either(cv, unit):
    bunch = make_bunch()
    bunch |= {"target": bunch.target.reshape(10, 6).mean(axis=1).repeat(6)}
    bunch["data"] = bunch.data + bunch.target[:, np.newaxis]
    if unit == "clip":
        bunch["groups"] = None
    result = evaluate(_FirstFeature(), bunch, cv=cv, unit=unit, random_state=0, progress=False)
    assert result.spearman > 0.3
    assert np.isnan(result.controls[MEAN].spearman)
    assert result.controls[MEAN].rmse > result.target.std()
    if unit == "group":
        assert np.isnan(result.controls[MEAN].clips.spearman)
        assert result.clips.spearman > 0.3


def test_a_fold_for_each_clip_tells_a_regressor_from_the_mean_of_the_training_targets():
    bunch = make_bunch(groups=None)
    result = evaluate(_FirstFeature(), bunch, cv=LeaveOneOut(), progress=False)
    assert result.pearson == pytest.approx(pearsonr(bunch.target, bunch.data[:, 0]).statistic)
    control = result.controls[MEAN]
    assert np.isnan([control.spearman, control.pearson]).all()
    assert control.ccc == 0
    assert control.rmse > result.rmse > 0


@pytest.mark.parametrize(("scale", "level"), [(1e-10, 0), (1, 1e8)])
def test_scores_and_p_values_hang_on_no_unit(scale, level):
    bunch = make_bunch()
    bunch.data = bunch.data.astype(np.float64)  # Ridge rounds as its data are
    results = [
        evaluate(Ridge(), bunch | {"target": target}, cv=5, random_state=0, progress=False)
        for target in (bunch.target, level + scale * bunch.target)
    ]
    ends = [[result.interval(m) for m in ("pearson", "ccc", "r2")] for result in results]
    assert_allclose(ends[1], ends[0], rtol=1e-5)
    of_both = [compare(result, result.controls[MEAN], metric="rmse") for result in results]
    assert of_both[0].p_value == of_both[1].p_value < 0.05


def test_a_clip_in_several_folds_counts_once_and_repeats_are_averaged():
    target = np.arange(4.0)[:, np.newaxis]
    folds = [np.array([0, 1, 2, 3]), np.array([0, 1])]
    result = RegressionEvaluation(
        target=target,
        target_names=["x"],
        test=folds,
        fold_predictions=[
            [target, target[:2] + 2],  # the first two clips are 1 too high in the mean
            [target + 3, target[:2] + 3],
        ],
        protocol="inductive",
        seeds=[0, 1],
    )
    assert_allclose(result.predictions[0, :, 0], [1, 2, 2, 3])
    assert result.rmse == pytest.approx(np.mean([np.sqrt(0.5), 3]))


def of(predicted, target, **keys):
    """Return an evaluation of one fold."""
    return RegressionEvaluation(
        **{
            "target": np.asarray(target, dtype=float).reshape(len(target), -1),
            "target_names": ["x"],
            "test": [np.arange(len(target))],
            "fold_predictions": [[np.asarray(predicted, dtype=float).reshape(len(target), -1)]],
            "protocol": "inductive",
            "seeds": [0],
        }
        | keys
    )


def test_intervals_over_groups_are_wider_where_clips_of_a_group_are_wrong_together():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 6)
    truth = rng.normal(size=N)
    predicted = truth + rng.normal(size=10)[groups] * 2
    over_clips = of(predicted, truth)
    over_groups = replace(over_clips, groups=groups)
    assert over_groups.n_groups == 10
    widths = [np.diff(result.interval("rmse"))[0] for result in (over_clips, over_groups)]
    assert widths[1] > 1.5 * widths[0]


def test_compare_finds_the_better_of_two_and_no_difference_of_one_to_itself():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=N)
    good, bad = (of(truth + scale * rng.normal(size=N), truth) for scale in (0.5, 2))
    found = compare(good, bad, n_resamples=499, random_state=0)
    assert found.metric == "spearman"
    assert found.difference == pytest.approx(good.spearman - bad.spearman)
    assert 0 < found.interval[0] < found.difference < found.interval[1]
    assert found.p_value == 1 / 500
    assert repr(found).endswith("p = 0.002 (permutation test over 60 clips)")
    error = compare(good, bad, metric="rmse", n_resamples=499, random_state=0)
    assert error.difference == pytest.approx(good.rmse - bad.rmse)
    assert error.p_value == 1 / 500
    same = compare(good, good, n_resamples=99, random_state=0)
    assert (same.difference, same.p_value) == (0, 1)


def test_compare_over_groups_counts_all_exchanges_of_few_groups():
    rng = np.random.default_rng(0)
    truth, groups = rng.normal(size=30), np.repeat(np.arange(5), 6)
    good, bad = (of(truth + s * rng.normal(size=30), truth, groups=groups) for s in (0.1, 3))
    found = compare(good, bad, metric="rmse", n_resamples=99, random_state=0)
    assert found.unit == "group"
    assert found.p_value == 2 / 2**5


def test_compare_takes_evaluations_of_another_number_of_repeats():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=20)
    noisy = [truth + rng.normal(size=20) for _ in range(3)]
    several = replace(
        of(truth, truth), fold_predictions=[[p[:, np.newaxis]] for p in noisy[:2]], seeds=[0, 1]
    )
    one = of(noisy[2], truth)
    found = compare(several, one, n_resamples=99, random_state=0)
    assert found.difference == pytest.approx(several.spearman - one.spearman)
    assert compare(one, several, n_resamples=99, random_state=0).p_value == found.p_value


def test_compare_refuses_other_clips_and_unknown_scores():
    one, other = of([1, 2, 4], [1, 2, 3]), of([1, 2, 4], [1, 2, 5])
    with pytest.raises(ValueError, match="differ in target or folds"):
        compare(one, other)
    with pytest.raises(ValueError, match="metric='uar'; choose 'spearman'"):
        compare(one, one, metric="uar")
    with pytest.raises(ValueError, match="name='y', expected one of target_names: 'x'"):
        one.score("rmse", "y")


def test_errors_begin_with_the_largest():
    result = of([1, 5, 2], [1, 2, 3], filenames=np.array(["a.wav", "b.wav", "c.wav"]))
    table = result.errors()
    assert table.filename.tolist() == ["b.wav", "c.wav", "a.wav"]
    assert table.error.tolist() == [3, -1, 0]
    columns = ["filename", "fold", "target", "predicted", "error"]
    assert result.to_frame().columns.tolist() == columns
    assert result._repr_html_().startswith("<pre>inductive, 1 fold")


def test_unlabelled_clips_are_neither_trained_on_nor_tested():
    bunch = make_bunch()
    bunch.target[::5] = np.nan
    result = evaluate(LinearRegression(), bunch, cv=3, random_state=0, progress=False)
    assert_array_equal(np.unique(np.concatenate(result.test)), np.flatnonzero(np.arange(N) % 5))


def test_a_learning_curve_and_features_are_kept():
    bunch = make_bunch()
    result = evaluate(
        make_pipeline(StandardScaler(), Ridge()),
        bunch,
        cv=5,
        random_state=0,
        controls=False,
        train_sizes=(0.25, 0.5),
        keep_features=True,
        progress=False,
    )
    assert list(result.learning_curve) == [12, 24]  # of 8 groups of six clips
    assert_array_equal(result.features, bunch.data)


def test_sleepiness_of_compare_is_scored_by_spearman_on_its_development_set(tmp_path):
    rng = np.random.default_rng(0)
    rows = ["file_name,label"]
    (tmp_path / "wav").mkdir()
    (tmp_path / "lab").mkdir()
    for part, n in (("train", 24), ("devel", 12), ("test", 2)):
        for i in range(n):
            sleepy = int(rng.integers(1, 10))  # whole numbers, which are values all the same
            tone = np.sin(2 * np.pi * 100 * sleepy * np.arange(2400) / 8000)
            sound = tone + 0.1 * rng.normal(size=2400)
            soundfile.write(tmp_path / "wav" / f"{part}_{i:04}.wav", 0.5 * sound, 8000)
            rows.append(f"{part}_{i:04}.wav,{'?' if part == 'test' else sleepy}")
    (tmp_path / "lab" / "labels.csv").write_text("\n".join(rows) + "\n")
    bunch = load_compare_challenge(tmp_path, corpus="ComParE2019_ContinuousSleepiness")
    extractor = SpectrogramExtractor(n_mels=20, sampling_rate=8000)
    pipeline = make_pipeline(extractor, BandStatistics(), linear_regressor())
    result = evaluate(pipeline, bunch, random_state=0, progress=False)
    assert [len(test) for test in result.test] == [12]
    assert result.pearson > 0.9
    assert result.spearman > 0.7
    assert list(result.controls) == [MEAN]
    assert result.controls_left_out["mel statistics"] == "the pipeline reads them itself"


def test_a_prediction_that_is_not_finite_is_refused():
    class Broken(_FirstFeature):
        def predict(self, X):
            return np.where(X[:, 0] > 0, np.nan, 0)

    with pytest.raises(ValueError, match="gives nan for a clip, expected a value of each target"):
        evaluate(Broken(), make_bunch(), cv=2, random_state=0, progress=False)
