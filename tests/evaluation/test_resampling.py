"""Scores of many bootstrap samples at a time against the same of samples that are written out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score

from skaudeep.evaluation.agreement import concordance_correlation, root_mean_squared_error
from skaudeep.evaluation.resampling import (
    average_precisions,
    concordances,
    draw_weights,
    exchange_test,
    interval_by_spread,
    pearsons,
    r2s,
    roc_areas,
    root_mean_squared_errors,
    spearmans,
)

OF_VALUES = [
    (spearmans, lambda x, y: spearmanr(x, y).statistic),
    (pearsons, lambda x, y: pearsonr(x, y).statistic),
    (concordances, concordance_correlation),
    (root_mean_squared_errors, root_mean_squared_error),
    (r2s, r2_score),
]
OF_CLASSES = [(average_precisions, average_precision_score), (roc_areas, roc_auc_score)]


def clips(kind, seed=0, n=40):
    """Return truth, predictions with ties, and how often each clip is drawn in five samples."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 8, n).astype(float) if kind == "values" else rng.integers(0, 2, n)
    predicted = np.round(truth + rng.normal(size=(5, n)), 1)
    return truth, predicted, rng.integers(0, 3, (5, n)).astype(float)


@pytest.mark.parametrize(
    ("kind", "of_rows", "of_numbers"),
    [("values", *pair) for pair in OF_VALUES] + [("classes", *pair) for pair in OF_CLASSES],
)
def test_scores_of_samples_are_those_of_the_clips_written_out(kind, of_rows, of_numbers):
    truth, predicted, weights = clips(kind)
    drawn = [np.repeat(np.arange(len(truth)), of.astype(int)) for of in weights]
    expected = [of_numbers(truth[of], predicted[0, of]) for of in drawn]
    assert_allclose(of_rows(truth, predicted[:1], weights), expected, rtol=1e-10)
    ones = np.ones((1, len(truth)))
    expected = [of_numbers(truth, of) for of in predicted]
    assert_allclose(of_rows(truth, predicted, ones), expected, rtol=1e-10)


def test_concordance_of_a_constant_is_0_and_that_of_two_equal_ones_not_defined():
    truth, ones = np.array([5.1, 5.1, 6.0]), np.ones((1, 3))
    weights = np.array([[1.0, 2.0, 0.0], [1.0, 0.0, 1.0]])
    assert_array_equal(concordances(truth, np.array([[1.0, 2.0, 3.0]]), weights)[0], 0)
    assert_array_equal(concordances(truth, np.full((1, 3), 5.1), ones), 0)
    assert_array_equal(concordances(truth, np.full((1, 3), 5.1), weights), [np.nan, 0])
    assert_array_equal(concordances(truth, np.full((1, 3), 5.0), weights), [0, 0])


@pytest.mark.parametrize("of_rows", [spearmans, pearsons, r2s])
def test_a_sample_of_one_true_value_has_no_correlation(of_rows):
    weights = np.array([[1.0, 2.0, 0.0], [1.0, 0.0, 1.0]])
    found = of_rows(np.array([5.0, 5.0, 6.0]), np.array([[1.0, 2.0, 3.0]]), weights)
    assert np.isnan(found).tolist() == [True, False]


@pytest.mark.parametrize("of_rows", [pearsons, concordances, r2s, root_mean_squared_errors])
def test_the_level_of_values_does_not_matter(of_rows):
    truth, predicted, weights = clips("values")
    at_zero = of_rows(truth, predicted[:1], weights)
    assert_allclose(of_rows(truth + 1e8, predicted[:1] + 1e8, weights), at_zero, rtol=1e-6)


@pytest.mark.parametrize("of_rows", [average_precisions, roc_areas])
def test_a_sample_without_the_class_has_no_score(of_rows):
    weights = np.array([[0.0, 2.0], [1.0, 1.0]])
    found = of_rows(np.array([1, 0]), np.array([[0.7, 0.3]]), weights)
    assert np.isnan(found[0])
    assert found[1] == 1


def test_clips_of_a_unit_are_drawn_together_in_blocks():
    units = np.array([0, 0, 1, 2, 2, 2])
    blocks = list(draw_weights(units, 7, np.random.RandomState(0), 1_000_000))
    assert [len(block) for block in blocks] == [4, 3]
    weights = np.concatenate(blocks)
    assert (weights[:, [0, 3, 3]] == weights[:, [1, 4, 5]]).all()
    assert (weights[:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_exchanges_are_all_counted_where_they_are_few():
    gains = np.array([1.0, 2.0, 3.0])

    def difference(exchanged):
        return np.where(exchanged, -gains, gains).sum(axis=1)

    rng = np.random.RandomState(0)
    assert exchange_test(difference, 3, 8, rng, 1) == 2 / 8  # all gains, and all losses
    sampled = exchange_test(difference, 3, 7, rng, 1)
    assert sampled in {n / 8 for n in range(1, 9)}


def test_an_interval_by_spread_is_that_of_students_distribution_on_its_scale():
    resampled = np.tanh(np.random.default_rng(0).normal(1, 0.3, 20_000))
    low, high = interval_by_spread(np.tanh(1), resampled, 1000, 0.95, scale="correlation")
    assert_allclose(np.arctanh([low, high]), 1 + 0.3 * 1.962 * np.array([-1, 1]), atol=0.02)
    few = interval_by_spread(np.tanh(1), resampled, 4, 0.95, scale="correlation")
    assert few[0] < low
    assert few[1] > high


def test_what_is_not_defined_has_no_interval():
    nothing = np.full(5, np.nan)
    assert np.isnan(interval_by_spread(0.5, nothing, 5, 0.95, scale="share")).all()
    assert np.isnan(interval_by_spread(np.nan, np.ones(5), 5, 0.95, scale="size")).all()


def test_a_few_resamples_without_error_do_not_make_an_interval_infinite():
    resampled = np.r_[np.linspace(0.8, 0.95, 180), np.ones(20)]
    low, _ = interval_by_spread(0.9, resampled, 20, 0.95, scale="correlation")
    assert low > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("n_groups", [5, 10, 30])
@pytest.mark.parametrize(
    ("of_rows", "scale"),
    [
        (spearmans, "correlation"),
        (concordances, "correlation"),
        (root_mean_squared_errors, "size"),
        (average_precisions, "share"),
        (roc_areas, "share"),
    ],
)
def test_intervals_over_groups_cover_the_true_score(of_rows, scale, n_groups):
    def simulate(seed, n):
        rng = np.random.default_rng(seed)
        units = np.repeat(np.arange(n), 10)
        truth = rng.normal(size=n)[units] + rng.normal(size=10 * n)
        predicted = truth + rng.normal(size=n)[units] + 0.7 * rng.normal(size=10 * n)
        return units, truth > 1 if scale == "share" else truth, predicted[np.newaxis]

    _, truth, predicted = simulate(10**6, 20_000)
    true_score = of_rows(truth, predicted, np.ones((1, len(truth))))[0]
    n_held = 0
    for seed in range(200):
        units, truth, predicted = simulate(seed, n_groups)
        rng = np.random.RandomState(seed)
        weights = np.concatenate(list(draw_weights(units, 200, rng, 1)))
        value = of_rows(truth, predicted, np.ones((1, len(truth))))[0]
        resampled = of_rows(truth, predicted, weights)
        low, high = interval_by_spread(value, resampled, n_groups, 0.95, scale=scale)
        n_held += bool(low <= true_score <= high)
    assert n_held / 200 > 0.84
