"""AUC and pAUC as DCASE computes them, their intervals, and detectors judged on a data set."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import hmean
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.metrics import roc_auc_score

from skaudeep import AnomalyDetector
from skaudeep.datasets import make_bunch
from skaudeep.evaluation import anomaly_metrics, evaluate_anomalies

RNG = np.random.default_rng(0)
N = 240
MACHINE = np.repeat(["fan", "pump"], N // 2)
SECTION = np.tile(np.repeat(["00", "01"], N // 4), 2)
DOMAIN = np.tile(["source", "target", "source"], N // 3)
ANOMALY = RNG.random(N) < 0.4
SCORES = np.round(RNG.normal(size=N) - ANOMALY, 1)  # with ties


class Level(OutlierMixin, BaseEstimator):
    """Scores of clips are minus the distance of their only feature to the mean of the training."""

    def fit(self, X, y=None):
        self.mean_ = np.mean(X)
        return self

    def score_samples(self, X):
        return -np.abs(np.asarray(X)[:, 0] - self.mean_)


def machines(n_normal=40, n_train=50, level=3.0):
    """Two machines at levels of 0 and 100; anomalies differ by `level`."""
    rng = np.random.default_rng(1)
    n = n_train + n_normal + 10
    anomaly = np.tile(np.arange(n) >= n_train + n_normal, 2)
    data = (
        rng.normal(size=(2 * n, 1))
        + level * anomaly[:, None]
        + 100 * (np.arange(2 * n) >= n)[:, None]
    )
    bunch = make_bunch(
        data,
        [f"{i}.wav" for i in range(2 * n)],
        target=1 - anomaly,
        target_names=["broken", "normal"],
        partition=np.tile(["train"] * n_train + ["test"] * (n - n_train), 2).tolist(),
    )
    bunch.machine = np.repeat(["fan", "pump"], n)
    return bunch


def test_areas_are_those_of_the_evaluators_of_the_challenge():
    found = anomaly_metrics(SCORES, ANOMALY, machine=MACHINE, section=SECTION, domain=DOMAIN)
    figures = found.to_frame().set_index(["machine", "section", "domain", "metric"])
    assert len(figures) == 2 * 2 * 3
    for machine in ("fan", "pump"):
        for section in ("00", "01"):
            here = (machine == MACHINE) & (section == SECTION)
            for domain in ("source", "target"):
                chosen = here & ((domain == DOMAIN) | ANOMALY)  # anomalies of both domains
                expected = roc_auc_score(ANOMALY[chosen], -SCORES[chosen])
                row = figures.loc[machine, section, domain, "AUC"]
                assert row["value"] == pytest.approx(expected)
                assert row["n_normal"] == (chosen & ~ANOMALY).sum()
            expected = roc_auc_score(ANOMALY[here], -SCORES[here], max_fpr=0.1)
            assert figures.loc[machine, section, "", "pAUC"]["value"] == pytest.approx(expected)
    assert found.harmonic_mean == pytest.approx(hmean(figures["value"]))
    assert ((figures["low"] < figures["value"]) & (figures["value"] < figures["high"])).all()
    low, high = found.interval()
    assert low < found.harmonic_mean < high


def test_scores_that_tell_everything_have_an_interval_that_ends_at_1_and_depends_on_the_clips():
    lows = []
    for n in (10, 100):
        found = anomaly_metrics(np.r_[np.ones(n), np.zeros(n)], np.arange(2 * n) >= n)
        area, partial = found.to_frame().itertuples()
        values = [area.value, area.high, partial.value, partial.high]
        assert values == pytest.approx([1, 1, 1, 1])
        assert partial.low < area.low
        lows.append(area.low)
    assert lows[0] == pytest.approx(10 / (10 + 1.96**2), abs=1e-3)  # Wilson's, of 10 of 10
    assert lows[1] > 0.95


def test_scores_that_tell_nothing_have_areas_of_a_half():
    found = anomaly_metrics(np.zeros(40), np.arange(40) % 2)
    assert found.to_frame()["value"].tolist() == pytest.approx([0.5, 0.5])


def test_intervals_over_groups_are_wider_where_clips_of_a_group_are_alike():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 10)
    anomaly = np.arange(200) >= 100
    scores = rng.normal(size=20)[groups] - anomaly
    over_clips = anomaly_metrics(scores, anomaly).to_frame()
    found = anomaly_metrics(scores, anomaly, groups=groups)
    over_groups = found.to_frame()
    np.testing.assert_array_equal(over_groups["value"], over_clips["value"])
    width = (over_groups["high"] - over_groups["low"]) / (over_clips["high"] - over_clips["low"])
    assert width[0] > 1.5
    assert "interval over groups" in str(found)


def test_each_machine_is_learnt_by_itself_and_false_alarms_are_counted():
    detector = AnomalyDetector(Level(), false_alarm_rate=0.1, random_state=0)
    found = evaluate_anomalies(detector, machines(), progress=False)
    assert not hasattr(detector, "estimator_")
    assert found.to_frame()["machine"].tolist() == ["fan", "fan", "pump", "pump"]
    assert found.to_frame()["value"].min() > 0.8
    assert found.clips["filename"].tolist()[0] == "50.wav"
    alarms = found.alarms()
    assert alarms["machine"].tolist() == ["fan", "pump"]
    assert (alarms["false_alarms"] < 0.3).all()
    assert (alarms["found"] > 0.6).all()
    text = str(found)
    assert "false alarms" in text
    assert "fan" in text
    errors = found.errors()
    assert (errors["alarm"] != errors["anomaly"]).all()
    assert len(errors) == (found.clips["alarm"] != found.clips["anomaly"]).sum() > 0
    assert set(errors["kind"][errors["anomaly"]]) == {"missed"}
    assert (np.diff(errors["share"]) <= 0).all()
    plain = evaluate_anomalies(Level(), machines(), progress=False)
    with pytest.raises(ValueError, match="Got scores without decisions"):
        plain.alarms()


def test_groups_of_the_data_set_are_held_out_whole_and_resampled():
    bunch = machines()
    bunch.groups = np.array([f"day {i // 5}" for i in range(len(bunch.target))])
    detector = AnomalyDetector(Level(), false_alarm_rate=0.1, random_state=0)
    assert evaluate_anomalies(detector, bunch, progress=False).unit == "group"


def test_a_score_that_is_nan_is_refused_by_the_name_of_its_clip():
    bunch = machines()
    bunch.data[60] = np.nan
    with pytest.raises(ValueError, match=r"Got NaN as the score of 1 of 100 clips, .*'60\.wav'"):
        evaluate_anomalies(Level(), bunch, progress=False)


def test_one_kind_of_clips_alone_has_no_area():
    with pytest.raises(ValueError, match="Got no anomaly in 'fan', expected normal clips and"):
        anomaly_metrics([1, 2, 3], [0, 0, 0], machine=["fan"] * 3)
    with pytest.raises(ValueError, match="Got no normal clip of the domain 'target' in"):
        anomaly_metrics([1, 2, 3], [0, 1, 1], domain=["source", "source", "target"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"normal": "fine"}, "Got normal='fine', expected the name of a class"),
        ({"max_fpr": 0.0}, "Got max_fpr=0.0, expected a number between"),
        ({"n_resamples": 1}, "Got n_resamples=1, expected an integer"),
    ],
)
def test_parameters_out_of_range_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        evaluate_anomalies(Level(), machines(), progress=False, **change)


def test_data_sets_without_what_a_detector_needs_are_refused():
    with pytest.raises(ValueError, match="Got a object without fit or score_samples"):
        evaluate_anomalies(object(), machines())
    bunch = machines()
    bunch.partition[:] = "test"
    with pytest.raises(ValueError, match="Got no clip of the machine 'fan' in the partition"):
        evaluate_anomalies(Level(), bunch, progress=False)
    bunch = machines()
    bunch.partition[:] = "train"
    with pytest.raises(ValueError, match=r"Got 20 anomalies in the partition .* '90\.wav'"):
        evaluate_anomalies(Level(), bunch, progress=False)
    bunch = machines()
    bunch.target[bunch.partition == "test"] = -1
    with pytest.raises(ValueError, match="Got no labelled clip in the partition"):
        evaluate_anomalies(Level(), bunch, progress=False)
    with pytest.raises(ValueError, match="Got section with 2 entries for 3 clips"):
        anomaly_metrics([1, 2, 3], [0, 1, 1], section=["a", "b"])
