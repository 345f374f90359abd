"""`evaluate` of clips that may have several classes, on data whose correct result is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import Bunch

from skaudeep import BandStatistics, ReservoirFeatures, SpectrogramExtractor, compare, evaluate
from skaudeep.datasets import windows
from skaudeep.evaluation import MultiLabelEvaluation

N = 60
RATE = 8000


class _FirstFeatures(ClassifierMixin, BaseEstimator):
    """Gives the first features as probabilities."""

    def fit(self, X, y):
        self.n_classes_ = np.shape(y)[1]
        return self

    def predict(self, X):
        return (self.predict_proba(X) > 0.5).astype(int)

    def predict_proba(self, X):
        return X[:, : self.n_classes_]


def make_bunch(**keys):
    """Return features of ten recordings with six clips each; they rank the classes fairly well."""
    rng = np.random.default_rng(0)
    data = rng.uniform(size=(N, 4)).astype(np.float32)
    target = (data[:, :2] + 0.3 * rng.normal(size=(N, 2)) > [0.5, 0.7]).astype(int)
    return Bunch(
        **{
            "data": data,
            "target": target,
            "target_names": ["dog", "rain"],
            "groups": np.repeat([f"r{i}" for i in range(10)], 6),
            "filenames": np.array([f"{i}.wav" for i in range(N)]),
        }
        | keys
    )


def run(bunch, pipeline=None, **options):
    options = {"cv": 5, "random_state": 0, "progress": False, "controls": False} | options
    return evaluate(_FirstFeatures() if pipeline is None else pipeline, bunch, **options)


def test_scores_are_those_of_all_test_clips_together():
    bunch = make_bunch()
    result = run(bunch)
    assert isinstance(result, MultiLabelEvaluation)
    scores = bunch.data[:, :2]
    of_classes = [average_precision_score(bunch.target[:, k], scores[:, k]) for k in range(2)]
    assert_allclose(
        [result.score("average_precision", name) for name in ("dog", "rain")], of_classes
    )
    assert result.average_precision == pytest.approx(np.mean(of_classes))
    assert result.roc_auc == pytest.approx(roc_auc_score(bunch.target, scores))
    micro = average_precision_score(bunch.target, scores, average="micro")
    assert result.micro_average_precision == pytest.approx(micro)
    assert_allclose(result.prevalence, bunch.target.mean(axis=0))
    low, high = result.interval("average_precision")
    assert low < result.average_precision < high


@pytest.mark.parametrize(
    "classifier",
    [
        OneVsRestClassifier(LogisticRegression(C=100)),
        OneVsRestClassifier(LinearSVC()),  # decision values
        KNeighborsClassifier(5),  # a list of arrays
        RandomForestClassifier(20, random_state=0),
    ],
)
@pytest.mark.parametrize("n_classes", [1, 2])
def test_scores_of_all_kinds_of_classifiers_are_read(classifier, n_classes):
    bunch = make_bunch()
    target = (bunch.data[:, :n_classes] > 0.6).astype(int)
    bunch |= {"target": target, "target_names": ["dog", "rain"][:n_classes]}
    result = run(bunch, classifier)
    assert result.roc_auc > 0.85
    assert result.fold_predictions[0][0].shape == (12, n_classes)


def test_a_class_that_nobody_has_is_named_and_left_out_of_the_means():
    bunch = make_bunch()
    target = np.column_stack([bunch.target, np.zeros(N, int), np.ones(N, int)])
    bunch |= {"target": target, "target_names": ["dog", "rain", "snow", "air"]}
    result = run(bunch)
    assert result.left_out == {"snow": "no test clip has it", "air": "all test clips have it"}
    assert result.average_precision == pytest.approx(run(make_bunch()).average_precision)
    assert np.isnan(result.score("roc_auc", "snow"))
    text = str(result)
    assert "class left out: snow: no test clip has it" in text
    assert "chance" in text


def test_a_fold_that_tests_a_class_without_training_it_warns():
    bunch = make_bunch()
    bunch.target[:, 1] = np.arange(N) < 6  # in the first recording alone
    with pytest.warns(UserWarning, match="Fold . tests the class 'rain' without a training clip"):
        result = run(bunch, OneVsRestClassifier(LogisticRegression()))
    assert result.score("average_precision", "rain") < 1


def test_mel_statistics_are_a_control_and_chance_is_printed():
    rng = np.random.default_rng(0)
    bunch = make_bunch(data=rng.uniform(-1, 1, (N, 5, 3)).astype(np.float32))
    classifier = make_pipeline(
        BandStatistics(), OneVsRestClassifier(LogisticRegression())
    )  # which are themselves the control
    result = run(bunch, classifier, controls=True)
    assert result.controls == {}
    assert "\nchance " in str(result)
    flat = make_pipeline(_Flatten(), OneVsRestClassifier(LogisticRegression()))
    result = run(bunch, flat, controls=True)
    assert list(result.controls) == ["mel statistics"]
    assert "against mel statistics: " in str(result)
    assert "points of average precision" in str(result)


class _Flatten(BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X.reshape(len(X), -1)


def test_compare_does_not_depend_on_the_scale_of_the_scores():
    result = run(make_bunch())
    worse = replace(result, fold_predictions=[[np.round(p, 1) for p in result.fold_predictions[0]]])
    other_scale = replace(
        worse, fold_predictions=[[1000 * p - 3 for p in worse.fold_predictions[0]]]
    )
    found = [compare(result, b, n_resamples=99, random_state=0) for b in (worse, other_scale)]
    assert found[0] == found[1]
    assert found[0].metric == "average_precision"
    assert found[0].unit == "group"
    micro = compare(result, worse, metric="micro_average_precision", n_resamples=99)
    assert micro.difference == pytest.approx(
        result.micro_average_precision - worse.micro_average_precision
    )


def test_few_clips_with_a_class_make_a_wide_interval_and_one_makes_none():
    rng = np.random.default_rng(0)
    target = np.zeros((60, 4), dtype=int)
    for k, n in enumerate((1, 2, 5, 30)):
        target[:n, k] = 1
    scores = (
        target
        + np.linspace(0, 1.2, 60)[:, np.newaxis] * [1, 1, 1, 0]
        + 0.1 * rng.normal(size=target.shape)
    )
    result = MultiLabelEvaluation(
        target=target,
        target_names=["one", "two", "five", "half"],
        test=[np.arange(60)],
        fold_predictions=[[scores]],
        protocol="inductive",
        seeds=[0],
    )
    widths = [np.ptp(result.interval("roc_auc", name)) for name in result.target_names]
    assert np.isnan(widths[0])
    assert widths[1] > 2 * widths[2] > 2 * widths[3]
    assert widths[1] > np.ptp(result.interval("roc_auc")) > widths[3]


def test_errors_begin_with_what_is_ranked_most_wrongly():
    result = MultiLabelEvaluation(
        target=np.array([[1], [1], [0], [0], [0]]),
        target_names=["dog"],
        test=[np.arange(5)],
        fold_predictions=[[np.array([[0.9], [0.2], [0.5], [0.3], [0.1]])]],
        protocol="inductive",
        seeds=[0],
        filenames=np.array(list("abcde")),
    )
    table = result.errors()
    assert table.filename.tolist() == ["b"]  # below two of three; c and d are above one of two
    assert table.kind.tolist() == ["missed"]
    assert_allclose(table.share, 2 / 3)
    frame = result.to_frame()
    assert frame.target.tolist() == [("dog",), ("dog",), (), (), ()]
    assert frame["dog"].tolist() == [0.9, 0.2, 0.5, 0.3, 0.1]


def test_a_learning_curve_keeps_clips_of_each_class():
    bunch = make_bunch()
    bunch.target[:, 1] = np.arange(N) % 20 == 0  # in three recordings, one clip each
    bunch |= {"groups": None}
    result = run(
        bunch,
        OneVsRestClassifier(LogisticRegression()),
        cv=[(np.arange(N - 15), np.arange(N - 15, N))],
        train_sizes=(0.2,),
    )
    (n_train,) = result.learning_curve
    assert 9 <= n_train <= 12


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Return windows of six recordings of noise, with a low and a high tone in each."""
    folder = tmp_path_factory.mktemp("recordings")
    rng = np.random.default_rng(0)
    calls = []
    for i in range(6):
        sound = 0.05 * rng.normal(size=6 * RATE)
        for label, frequency in (("low", 500), ("high", 2500)):
            start = int(rng.integers(0, 5)) + 0.25
            span = slice(round(start * RATE), round((start + 0.5) * RATE))
            sound[span] += 0.3 * np.sin(2 * np.pi * frequency / RATE * np.arange(RATE // 2))
            calls.append((f"{i}.wav", start, start + 0.5, label))
        soundfile.write(folder / f"{i}.wav", sound, RATE)
    table = pd.DataFrame(calls, columns=["file", "start", "end", "label"])
    return windows(folder, duration=1, hop=0.5, annotations=table)


def test_windows_of_recordings_are_evaluated_end_to_end(recordings):
    pipeline = make_pipeline(
        SpectrogramExtractor(n_mels=20, sampling_rate=RATE, reference="full_scale"),
        ReservoirFeatures(4, n_layers=1, n_components=4, random_state=0),
        StandardScaler(),
        OneVsRestClassifier(LogisticRegression()),
    )
    result = run(recordings, pipeline, cv=3, controls=True)
    assert result.n_groups == 6  # the files
    assert all(
        not {*recordings.groups[test]} & {*np.delete(recordings.groups, test)}
        for test in result.test
    )
    assert list(result.controls) == ["mel statistics"]
    assert result.average_precision > 0.8
    assert "95 % interval over 6 groups" in str(result)


def test_recordings_that_are_scored_whole_need_one_target(recordings):
    message = r"group '0.wav' has clips of several targets: .*\(.*0.wav#.* expected one"
    pipeline = make_pipeline(BandStatistics(), OneVsRestClassifier(LogisticRegression()))
    with pytest.raises(ValueError, match=message):
        run(recordings, pipeline, cv=3, unit="group")
