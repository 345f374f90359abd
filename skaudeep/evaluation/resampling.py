"""Scores of many bootstrap samples, or of many exchanges of predictions, computed together.

The functions take matrices of predictions and of weights, and return a score for each row. For
bootstrap samples there are one row of predictions and many rows of weights, in which a weight is
the number of times that a clip was drawn. For exchanges there are many rows of predictions and one
row of weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from skaudeep.evaluation.intervals import blocks, wilson_interval
from skaudeep.evaluation.ranking import Ranking

__all__ = [
    "Scale",
    "Statistic",
    "average_precisions",
    "concordances",
    "draw_weights",
    "exchange_test",
    "interval_by_spread",
    "pearsons",
    "r2s",
    "roc_areas",
    "root_mean_squared_errors",
    "spearmans",
]

Floats = NDArray[np.float64]
# A function of truth (n_clips,), predictions and weights (each 1 or n_rows, n_clips).
Statistic = Callable[[NDArray, Floats, Floats], Floats]

Scale = Literal["correlation", "share", "size", "explained"]

SIDES: tuple[Literal["right"], Literal["left"]] = ("right", "left")
MOST_RANK = 4  # Of each clip: numbers up to so many are counted, others are sorted.
NO_SPREAD = 1e-12  # A variance below this share of the mean square is rounding.
MOST_CORRELATED = 1 - 1e-9  # Fisher's z of a correlation of 1 is infinite.


def _fisher_z(r: NDArray) -> NDArray:
    return np.arctanh(np.clip(r, -MOST_CORRELATED, MOST_CORRELATED))


def _log(values: NDArray) -> NDArray:
    return np.log(np.maximum(values, np.finfo(np.float64).tiny))


# Transformations to scales on which the spread of a score hardly depends on its value, and back.
SCALES: dict[str, tuple[Callable[[NDArray], NDArray], Callable[[NDArray], NDArray]]] = {
    "correlation": (_fisher_z, np.tanh),
    "size": (_log, np.exp),
    "explained": (lambda r2: _log(1 - r2), lambda z: 1 - np.exp(z)),
}


def pearsons(truth: NDArray, predicted: Floats, weights: Floats) -> Floats:
    """Return Pearson's correlations, NaN where the truth or a row of predictions is constant."""
    _, _, var_x, var_y, covariance = _moments(truth[np.newaxis], predicted, weights)
    return _ratio(covariance, np.sqrt(var_x * var_y))


def spearmans(truth: NDArray, predicted: Floats, weights: Floats) -> Floats:
    """Return Spearman's rank correlations, NaN where the truth or a row is constant."""
    ranks = _mid_ranks(predicted, weights)
    _, _, var_x, var_y, covariance = _moments(
        _mid_ranks(truth[np.newaxis], weights), ranks, weights
    )
    return _ratio(covariance, np.sqrt(var_x * var_y))


def concordances(truth: NDArray, predicted: Floats, weights: Floats) -> Floats:
    """Return concordance correlation coefficients, NaN where all values are the same number."""
    mean_x, mean_y, var_x, var_y, covariance = _moments(truth[np.newaxis], predicted, weights)
    covariance = np.where((var_x > 0) & (var_y > 0), covariance, 0)
    return _ratio(2 * covariance, var_x + var_y + (mean_x - mean_y) ** 2)


def root_mean_squared_errors(truth: NDArray, predicted: Floats, weights: Floats) -> Floats:
    """Return the roots of the mean squared errors."""
    return np.sqrt(_mean((predicted - truth) ** 2, weights))


def r2s(truth: NDArray, predicted: Floats, weights: Floats) -> Floats:
    """Return the shares of the variance that are explained, NaN where the truth is constant."""
    var_x = _moments(truth[np.newaxis], predicted, weights)[2]
    return 1 - _ratio(_mean((predicted - truth) ** 2, weights), var_x)


def average_precisions(truth: NDArray, scores: Floats, weights: Floats) -> Floats:
    """Return average precisions, NaN where no clip of weight above 0 has the class."""
    if len(scores) == 1:
        return Ranking(truth > 0, scores[0], len(truth)).average_precisions(weights)
    drawn, _, (positive, negative) = _counts_above(truth > 0, scores, weights)
    up_to = positive + negative
    precision = np.divide(positive, up_to, out=np.zeros_like(positive), where=up_to > 0)
    return _ratio((drawn * precision).sum(axis=1), drawn.sum(axis=1))


def roc_areas(truth: NDArray, scores: Floats, weights: Floats) -> Floats:
    """Return areas under ROC curves, NaN where clips with or without the class are missing."""
    if len(scores) == 1:
        return Ranking(truth > 0, scores[0], len(truth)).roc_areas(weights)
    drawn, (_, above), (_, up_to) = _counts_above(truth > 0, scores, weights)
    without = (weights * ~(truth > 0)).sum(axis=1)
    # Count the clips without the class that are below one with it; equal ones count by half.
    below = without[:, np.newaxis] - (above + up_to) / 2
    return _ratio((drawn * below).sum(axis=1), without * drawn.sum(axis=1))


def draw_weights(
    units: NDArray[np.intp], n_resamples: int, rng: np.random.RandomState, width: int
) -> Iterator[Floats]:
    """Draw units with replacement; yield how often each clip was drawn, (n_rows, n_clips).

    Parameters
    ----------
    units : ndarray of shape (n_clips,), int
        Number of the unit of each clip.
    n_resamples : int
        Number of rows of all blocks together.
    rng : RandomState
        Generator of the samples.
    width : int
        Number of values of a row that are in memory at the same time.
    """
    n_units = int(units.max()) + 1
    for size in blocks(n_resamples, width):
        drawn = rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=size)
        yield drawn[:, units].astype(np.float64)


def interval_by_spread(
    value: float,
    resampled: Floats,
    n_units: float,
    confidence_level: float,
    *,
    scale: Scale,
    least: float = 1.0,
) -> tuple[float, float]:
    """Return the interval of a score by its spread over bootstrap samples.

    Parameters
    ----------
    value : float
        The score.
    resampled : ndarray of shape (n_resamples,)
        Scores of bootstrap samples; NaN if a score is not defined.
    n_units : float
        Number of units that were resampled. The quantile is Student's with one degree of freedom
        less.
    confidence_level : float
        Confidence level of the interval.
    scale : {"correlation", "share", "size", "explained"}
        Kind of score. Correlations are taken on Fisher's z scale, sizes (>= 0) on a logarithmic
        scale, and explained shares on a logarithmic scale of the unexplained share. For shares in
        [0, 1] the interval is Wilson's for the number of units that has this spread.
    least : float, default=1.0
        The number of units to use for a share without spread.

    Returns
    -------
    (float, float)
        Lower and upper end; NaN if the score is not defined, or there is a single unit.
    """
    found = resampled[~np.isnan(resampled)]
    if np.isnan(value) or n_units < 2 or len(found) < 2:
        return float("nan"), float("nan")
    quantile = float(t.ppf((1 + confidence_level) / 2, n_units - 1))
    if scale == "share":
        variance, spread = float(found.var()), value * (1 - value)
        n = spread / variance if variance > NO_SPREAD and spread > NO_SPREAD else least
        return wilson_interval(value, n, quantile)
    there, back = SCALES[scale]
    # Half the width of the central 68 %: a sample of few units may have a correlation of 1, which
    # is infinitely far on Fisher's scale.
    low, high = np.quantile(there(found), norm.cdf([-1, 1]))
    half = quantile * float(high - low) / 2
    if half == 0:  # transforming to the scale and back would round
        return value, value
    ends = sorted(float(back(there(np.array(value)) + side * half)) for side in (-1, 1))
    return ends[0], ends[1]


def exchange_test(
    difference: Callable[[NDArray[np.bool_]], Floats],
    n_units: int,
    n_resamples: int,
    rng: np.random.RandomState,
    width: int,
) -> float:
    """Return the share of exchanges with a difference at least as large as the observed one.

    Parameters
    ----------
    difference : callable
        Function that returns the differences of two scores, (n_rows,), after the predictions of
        some units were exchanged. Its argument marks these units, (n_rows, n_units), bool.
    n_units : int
        Number of units that differ. All 2 ** n_units exchanges are counted if these are at most
        `n_resamples`.
    n_resamples : int
        Number of exchanges that are sampled otherwise, with the observed one among them.
    rng : RandomState
        Generator of the exchanges.
    width : int
        Number of values of a row that are in memory at the same time.
    """
    found = abs(float(difference(np.zeros((1, n_units), dtype=bool))[0]))
    least = found * (1 - 1e-9)  # scores may be in any unit
    if n_units <= 30 and 2**n_units <= n_resamples:
        numbers = np.arange(2**n_units)
        n_as_large = 0
        for size, start in _spans(len(numbers), width):
            bits = numbers[start : start + size, np.newaxis] >> np.arange(n_units) & 1
            n_as_large += int((np.abs(difference(bits.astype(bool))) >= least).sum())
        return n_as_large / len(numbers)
    n_as_large = 1
    for size in blocks(n_resamples, width):
        exchanged = rng.random_sample((size, n_units)) < 0.5
        n_as_large += int((np.abs(difference(exchanged)) >= least).sum())
    return n_as_large / (1 + n_resamples)


def _spans(n: int, width: int) -> Iterator[tuple[int, int]]:
    start = 0
    for size in blocks(n, width):
        yield size, start
        start += size


def _mean(values: Floats, weights: Floats) -> Floats:
    return (values * weights).sum(axis=1) / weights.sum(axis=1)


def _moments(
    x: NDArray, y: Floats, weights: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return means relative to that of x, variances and covariance; rounding errors become 0."""
    level = x.mean()  # is subtracted, so that values far from 0, such as years, keep precision
    x, y = x - level, y - level
    mean_x, mean_y = _mean(x, weights), _mean(y, weights)
    dx, dy = x - mean_x[:, np.newaxis], y - mean_y[:, np.newaxis]
    var_x, var_y = _mean(dx**2, weights), _mean(dy**2, weights)
    var_x = np.where(var_x > NO_SPREAD * mean_x**2, var_x, 0)
    var_y = np.where(var_y > NO_SPREAD * mean_y**2, var_y, 0)
    return mean_x, mean_y, var_x, var_y, _mean(dx * dy, weights)


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)


def _take(values: Floats, order: NDArray[np.intp]) -> Floats:
    if len(order) == 1:
        return values[:, order[0]]
    return np.take_along_axis(np.broadcast_to(values, (len(order), values.shape[1])), order, axis=1)


def _mid_ranks(values: Floats, weights: Floats) -> Floats:
    """Return weighted ranks of clips; equal predictions share the mean of their ranks."""
    order, first, last = _sort(values)
    drawn = _take(weights, order)
    if len(order) == 1:
        up_to = np.cumsum(np.add.reduceat(drawn, np.flatnonzero(first[0]), axis=1), axis=1)
        below = np.hstack([np.zeros((len(up_to), 1)), up_to[:, :-1]])
        ranks = (below + up_to + 1) / 2
        place = np.empty(len(order[0]), dtype=np.intp)
        place[order[0]] = np.cumsum(first[0]) - 1
        return ranks[:, place]
    total = np.cumsum(drawn, axis=1)
    below, up_to = _at_edges(total, drawn, first, last)
    ranks = np.empty_like(up_to)
    np.put_along_axis(ranks, order, (below + up_to + 1) / 2, axis=1)
    return ranks


def _counts_above(
    has: NDArray[np.bool_], scores: Floats, weights: Floats
) -> tuple[Floats, tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Count the clips above each clip that has a class, by their weights.

    Returns
    -------
    drawn : ndarray of shape (n_rows, n_positive)
        Weights of the clips that have the class.
    above : (ndarray, ndarray)
        Weights of the clips with higher scores that have the class, and that have not.
    up_to : (ndarray, ndarray)
        The same, of those with scores at least as high.
    """
    doubled = 2 * scores
    if scores.min() >= 0 and scores.max() <= MOST_RANK * len(has) and _whole(doubled):
        return _counts_above_ranks(has, doubled.astype(np.intp), weights)
    order, first, last = _sort(-scores)
    drawn = _take(weights, order)
    sorted_class = np.take_along_axis(np.broadcast_to(has, order.shape), order, axis=1)
    of_class = drawn * sorted_class
    parts = [
        _at_edges(np.cumsum(part, axis=1), part, first, last)
        for part in (of_class, drawn - of_class)
    ]
    (above, up_to), (other_above, other_up_to) = parts
    return of_class, (above, other_above), (up_to, other_up_to)


def _whole(values: Floats) -> bool:
    return bool((values == np.rint(values)).all())


def _counts_above_ranks(
    has: NDArray[np.bool_], ranks: NDArray[np.intp], weights: Floats
) -> tuple[Floats, tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Count as `_counts_above` of ranks from 0, which need no sorting."""
    places, n_ranks = np.flatnonzero(has), int(ranks.max()) + 2
    n_rows = max(len(ranks), len(weights))
    counts = np.empty((4, n_rows, len(places)))
    drawn_once = bool((weights == 1).all())
    for i in range(n_rows):
        own, weight = ranks[i % len(ranks)], weights[i % len(weights)]
        at = own[places]
        if drawn_once:
            of_all = len(own) - np.append(0, np.bincount(own, minlength=n_ranks).cumsum())
            in_order = np.sort(at)
            above, up_to = (len(at) - np.searchsorted(in_order, at, side) for side in SIDES)
        else:
            with_class = np.bincount(at, weight[places], n_ranks)[::-1].cumsum()[::-1]
            of_all = np.bincount(own, weight, n_ranks)[::-1].cumsum()[::-1]
            above, up_to = with_class[at + 1], with_class[at]
        counts[:, i] = above, of_all[at + 1], up_to, of_all[at]
    drawn = np.broadcast_to(weights[:, places], counts.shape[1:])
    return drawn, (counts[0], counts[1] - counts[0]), (counts[2], counts[3] - counts[2])


def _sort(values: Floats) -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the order of each row, and which entries are the first and the last of equal ones."""
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    changes = ordered[:, 1:] != ordered[:, :-1]
    edge = np.ones((len(order), 1), dtype=bool)
    return order, np.hstack([edge, changes]), np.hstack([changes, edge])


def _at_edges(
    total: Floats, drawn: Floats, first: NDArray[np.bool_], last: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Return cumulated weights below all equal values, and up to the last of them."""
    below = np.maximum.accumulate(np.where(first, total - drawn, -np.inf), axis=1)
    ends = np.where(last, total, np.inf)
    return below, np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
