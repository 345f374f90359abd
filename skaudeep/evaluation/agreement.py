"""Measures of the agreement of predicted numbers with true ones: functions of two arrays.

Correlations are not defined if one of the arrays is constant: they are then NaN, without a warning.
Lin's concordance is 0 then, and NaN only if both arrays are constant and equal.
The root of the mean squared error is defined for all numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn.metrics import root_mean_squared_error as rmse

__all__ = ["concordance_correlation", "pearson", "root_mean_squared_error", "spearman"]


def concordance_correlation(truth: ArrayLike, predicted: ArrayLike) -> float:
    r"""Compute Lin's concordance correlation coefficient (CCC).

    It is :math:`2 s_{xy} / (s_x^2 + s_y^2 + (\bar x - \bar y)^2)`, where variances and covariance
    are sums divided by the number of values, as by Lin [1]_ and in challenges on emotion over time.
    It is Pearson's correlation, reduced by differences in scale and level.

    Parameters
    ----------
    truth, predicted : array-like of shape (n_values,), float
        True and predicted values, in the same unit. Compute it for each of several targets by
        itself.

    Returns
    -------
    float in [-1, 1]
        The coefficient. It is 0 if one array is constant, or both are with different values, and
        NaN if all values of both are the same number: the quotient is then 0 / 0.

    Raises
    ------
    ValueError
        If lengths differ, there is no value, one is not finite or not a number, or an array has
        several axes.

    References
    ----------
    .. [1] Lin (1989). A concordance correlation coefficient to evaluate reproducibility. Biometrics
       45(1).

    Examples
    --------
    >>> from skaudeep.evaluation import concordance_correlation
    >>> round(concordance_correlation([1, 2, 3], [2, 3, 4]), 3)
    0.571
    """
    x, y = _checked(truth, predicted)
    if _constant(x) or _constant(y):
        return float("nan") if np.array_equal(x, y) else 0.0
    if np.array_equal(x, y):
        return 1.0
    scale = max(np.abs(x).max(), np.abs(y).max())
    x, y = x / scale, y / scale  # so that squares of huge numbers do not overflow
    difference = x.mean() - y.mean()
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    return float(2 * covariance / (x.var() + y.var() + difference**2))


def pearson(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Compute Pearson's correlation coefficient, by :func:`scipy.stats.pearsonr`.

    Parameters
    ----------
    truth, predicted : array-like of shape (n_values,), float
        True and predicted values.

    Returns
    -------
    float in [-1, 1]
        NaN if either array is constant, as a single value is.

    Raises
    ------
    ValueError
        If lengths differ, there is no value, one is not finite or not a number, or an array has
        several axes.

    Examples
    --------
    >>> from skaudeep.evaluation import pearson
    >>> round(pearson([1, 2, 3], [4, 5, 7]), 3)
    0.982
    """
    x, y = _checked(truth, predicted)
    if _constant(x) or _constant(y):
        return float("nan")
    # The first value is subtracted, which does not change the correlation: SciPy would warn of
    # values whose variation is small beside their level.
    return float(stats.pearsonr(x - x[0], y - y[0]).statistic)


def spearman(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Compute Spearman's rank correlation coefficient, as :func:`scipy.stats.spearmanr` does.

    Parameters
    ----------
    truth, predicted : array-like of shape (n_values,), float
        True and predicted values. Equal ones share the mean of their ranks.

    Returns
    -------
    float in [-1, 1]
        NaN if either array is constant, as a single value is.

    Raises
    ------
    ValueError
        If lengths differ, there is no value, one is not finite or not a number, or an array has
        several axes.

    Examples
    --------
    >>> from skaudeep.evaluation import spearman
    >>> round(spearman([1, 2, 3, 4], [1, 10, 1000, 100]), 3)
    0.8
    """
    x, y = _checked(truth, predicted)
    if _constant(x) or _constant(y):
        return float("nan")
    return pearson(stats.rankdata(x), stats.rankdata(y))


def root_mean_squared_error(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Compute the root of the mean squared error, by scikit-learn's function of this name.

    Unlike that function, it is of one target, and takes no weights.

    Parameters
    ----------
    truth, predicted : array-like of shape (n_values,), float
        True and predicted values, in the same unit.

    Returns
    -------
    float >= 0
        The root of the mean squared error, in the unit of the values.

    Raises
    ------
    ValueError
        If lengths differ, there is no value, one is not finite or not a number, or an array has
        several axes.

    Examples
    --------
    >>> from skaudeep.evaluation import root_mean_squared_error
    >>> root_mean_squared_error([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 6.0])
    1.0
    """
    return float(rmse(*_checked(truth, predicted)))


def _checked(
    truth: ArrayLike, predicted: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    arrays = []
    for name, values in (("truth", truth), ("predicted", predicted)):
        array = np.asarray(values)
        if array.ndim != 1 or array.dtype.kind not in "fiub":
            raise ValueError(
                f"Got {name} of shape {array.shape} and type {array.dtype}, expected numbers of "
                "shape (n_values,). Give each target of several by itself."
            )
        wrong = np.flatnonzero(~np.isfinite(array))
        if len(wrong):
            raise ValueError(
                f"Got {len(wrong)} values in {name} that are not finite, the first "
                f"({array[wrong[0]]}) at position {wrong[0]}. Leave out values without a label in "
                "both arrays."
            )
        arrays.append(array.astype(np.float64))
    if len(arrays[0]) != len(arrays[1]):
        raise ValueError(
            f"Got {len(arrays[0])} true and {len(arrays[1])} predicted values, expected as many of "
            "both."
        )
    if not len(arrays[0]):
        raise ValueError("Got no value, expected at least one.")
    return arrays[0], arrays[1]


def _constant(values: NDArray[np.float64]) -> bool:
    return bool((values == values[0]).all())
