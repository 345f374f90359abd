"""Agreement of two rows of numbers against known answers, at constants and at bad input."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from skaudeep.evaluation import (
    concordance_correlation,
    pearson,
    root_mean_squared_error,
    spearman,
)

ALL = (concordance_correlation, pearson, spearman, root_mean_squared_error)
RNG = np.random.default_rng(0)
X = RNG.normal(size=50)
Y = np.round(X + RNG.normal(size=50), 1)  # with ties


def test_measures_of_a_few_numbers_by_hand():
    # means 2 and 3, variances 2/3 both, covariance 2/3: 4/3 / (4/3 + 1)
    assert concordance_correlation([1, 2, 3], [2, 3, 4]) == pytest.approx(4 / 7)
    assert pearson([1, 2, 3], [2, 3, 4]) == pytest.approx(1)
    assert spearman([1, 2, 3, 4], [1, 10, 1000, 100]) == pytest.approx(0.8)
    assert root_mean_squared_error([1, 2, 3, 4], [1, 2, 3, 6]) == 1


def test_measures_are_those_of_scipy():
    assert pearson(X, Y) == pytest.approx(stats.pearsonr(X, Y).statistic)
    assert spearman(X, Y) == pytest.approx(stats.spearmanr(X, Y).statistic)


def test_concordance_is_pearsons_less_what_scale_and_level_are_off():
    scaled = 3 * X + 2
    bias = 2 / (scaled.std() / X.std() + X.std() / scaled.std()
                + (scaled.mean() - X.mean()) ** 2 / (scaled.std() * X.std()))  # fmt: skip
    assert concordance_correlation(X, scaled) == pytest.approx(bias)
    assert concordance_correlation(X, -X + 2 * X.mean()) == pytest.approx(-1)


@pytest.mark.parametrize("constant", [0.1, -3.0])
def test_a_constant_has_no_correlation_and_no_concordance(constant):
    flat = np.full(50, constant)
    for one, other in ((X, flat), (flat, X), (flat, flat + 1)):
        assert np.isnan(pearson(one, other))
        assert np.isnan(spearman(one, other))
        assert concordance_correlation(one, other) == 0
    assert np.isnan(pearson(flat, flat))
    assert np.isnan(concordance_correlation(flat, flat.copy()))
    assert root_mean_squared_error(flat, flat) == 0


@pytest.mark.parametrize("measure", ALL)
def test_numbers_far_from_zero_and_huge_ones_agree_as_others_do(measure):
    steps = np.round(8 * X), np.round(8 * Y)
    shifted = measure(steps[0] + 2.0**40, steps[1] + 2.0**40)
    assert shifted == pytest.approx(measure(*steps))
    huge = measure(1e200 * X, 1e200 * Y) if measure is not root_mean_squared_error else None
    assert huge is None or huge == pytest.approx(measure(X, Y))


@pytest.mark.parametrize("measure", ALL)
@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        ([1, np.nan, 3], [1, 2, 3], "1 values in truth that are not finite.*nan.*position 1"),
        ([1, 2, 3], [1, 2, np.inf], "predicted that are not finite.*inf.*position 2"),
        ([1, 2, 3], [1, 2], "3 true and 2 predicted"),
        ([], [], "no value"),
        ([[1, 2]], [[1, 2]], r"truth of shape \(1, 2\)"),
        (["a"], ["b"], "type <U1"),
    ],
)
def test_what_is_no_pair_of_numbers_is_refused(measure, truth, predicted, message):
    with pytest.raises(ValueError, match=message):
        measure(truth, np.asarray(predicted))
