"""Areas under ROC curves against scikit-learn's, by weights, and what resampling draws."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from skaudeep.evaluation.roc import partial_areas, resample, standardise, undo_standardise

RNG = np.random.default_rng(0)
ANOMALY = np.arange(60) % 3 == 0
UNUSUAL = RNG.integers(0, 12, 60) + 4.0 * ANOMALY  # with ties
WEIGHTS = RNG.integers(1, 4, (5, 60)).astype(float)


def test_the_whole_area_is_that_of_scikit_learn_with_the_same_weights():
    expected = [roc_auc_score(ANOMALY, UNUSUAL, sample_weight=row) for row in WEIGHTS]
    np.testing.assert_allclose(partial_areas(UNUSUAL, ANOMALY, WEIGHTS, 1.0), expected)


@pytest.mark.parametrize("max_fpr", [0.1, 0.37])
def test_a_standardised_partial_area_is_that_of_scikit_learn(max_fpr):
    shares = partial_areas(UNUSUAL, ANOMALY, WEIGHTS, max_fpr)
    expected = [
        roc_auc_score(ANOMALY, UNUSUAL, sample_weight=row, max_fpr=max_fpr) for row in WEIGHTS
    ]
    assert (shares > 0.05).all()
    np.testing.assert_allclose(standardise(shares, max_fpr), expected)
    np.testing.assert_allclose(undo_standardise(standardise(shares, max_fpr), max_fpr), shares)


def test_an_area_without_one_of_the_kinds_is_nan():
    none_normal = ANOMALY.astype(float)[None]
    assert np.isnan(partial_areas(UNUSUAL, ANOMALY, none_normal, 1.0)).all()


def test_resampling_keeps_the_number_of_anomalies_and_of_normal_clips_of_each_domain():
    domain = np.where(np.arange(60) % 2 == 0, "source", "target").astype(object)
    drawn = resample(ANOMALY, domain, None, 20, np.random.RandomState(0))
    for stratum in (ANOMALY, ~ANOMALY & (domain == "source"), ~ANOMALY & (domain == "target")):
        assert (drawn[:, stratum].sum(axis=1) == stratum.sum()).all()


def test_clips_of_a_unit_are_drawn_together():
    units = np.arange(60) // 6
    drawn = resample(ANOMALY, np.full(60, "", object), units, 20, np.random.RandomState(0))
    by_unit = drawn.reshape(20, 10, 6)
    assert (by_unit == by_unit[:, :, :1]).all()
    assert (by_unit[:, :, 0].sum(axis=1) == 10).all()
