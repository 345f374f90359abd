"""Measures of predictions: of one column, or of all columns as if they were one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skaudeep.evaluation.ranking import Ranking
from skaudeep.evaluation.resampling import Floats, Scale, Statistic

__all__ = ["Measure", "mean_known", "scores_of_columns", "weighted_scores"]

FORMS = {"share": ("5.1f", ".1f"), "size": (".3g", ".3g")}  # formats of a score and its interval


@dataclass(frozen=True)
class Measure:
    """A score of the predictions of one column, or of all columns as if they were one.

    Parameters
    ----------
    label : str
        Its name in tables.
    of_numbers : callable
        Function that computes the score from the truth and the predictions of clips, both
        (n_clips,); NaN if it is not defined.
    of_rows : callable
        Function that computes it for many bootstrap samples, see
        :mod:`skaudeep.evaluation.resampling`.
    scale : {"correlation", "share", "size", "explained"}
        The kind of score, see `interval_by_spread`.
    by_rank : bool, default=False
        Whether the score depends only on the order of the predictions.
    needs_order : bool, default=True
        Whether the score is meaningless if the predictions of a fold are all equal.
    of_constant : float, default=NaN
        With `needs_order`, the score if the predictions of every fold are all equal.
    of_all : bool, default=False
        Whether the score is computed from all columns as if they were one.
    of_ranking : callable, default=None
        Function that computes the same as `of_rows` from a
        :class:`~skaudeep.evaluation.ranking.Ranking` and weights.
    """

    label: str
    of_numbers: Callable[[NDArray, NDArray], float]
    of_rows: Statistic
    scale: Scale
    by_rank: bool = False
    needs_order: bool = True
    of_constant: float = math.nan
    of_all: bool = False
    of_ranking: Callable[[Ranking, Floats], Floats] | None = None

    def show(self, value: float, interval: tuple[float, float] | None = None) -> str:
        """Return the cell of a table."""
        if np.isnan(value):
            return "    -"
        factor = 100 if self.scale == "share" else 1
        form, of_ends = FORMS.get(self.scale, ("6.3f", ".3f"))
        text = f"{factor * value:{form}}"
        if interval is None or np.isnan(interval[0]):
            return text
        return f"{text} [{factor * interval[0]:{of_ends}}, {factor * interval[1]:{of_ends}}]"


def weighted_scores(
    measure: Measure, truth: NDArray, predicted: NDArray
) -> Callable[[Floats], NDArray[np.float64]]:
    """Return a function of weights, which may sort predictions once for all of them."""
    of_ranking = measure.of_ranking
    if of_ranking is None:
        return lambda weights: scores_of_columns(measure, truth, predicted, weights)
    columns = [slice(None)] if measure.of_all else range(truth.shape[1])
    rankings = [
        Ranking(truth[:, k].ravel() > 0, predicted[:, k].ravel(), len(truth)) for k in columns
    ]
    return lambda weights: np.stack([of_ranking(of, weights) for of in rankings], axis=1)


def scores_of_columns(
    measure: Measure, truth: NDArray, predicted: NDArray, weights: Floats
) -> NDArray[np.float64]:
    """Return scores of rows of predictions or weights, (n_rows, n_columns), or (n_rows, 1)."""
    if predicted.ndim == 2:
        predicted = predicted[np.newaxis]
    if measure.of_all:
        n_columns, n_rows = truth.shape[1], max(len(predicted), len(weights))
        found = []
        for rows in np.array_split(np.arange(n_rows), min(n_columns, n_rows)):  # in blocks
            flat = (predicted if len(predicted) == 1 else predicted[rows]).reshape(-1, truth.size)
            of_rows = weights if len(weights) == 1 else weights[rows]
            repeated = np.repeat(of_rows, n_columns, axis=1)
            found.append(measure.of_rows(truth.ravel(), flat, repeated))
        return np.concatenate(found)[:, np.newaxis]
    found = [
        measure.of_rows(truth[:, k], predicted[:, :, k], weights) for k in range(truth.shape[1])
    ]
    return np.stack(found, axis=1)


def mean_known(values: NDArray) -> Any:
    """Return the mean over the first axis of what is known; NaN where nothing is."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0).sum(axis=0)
    n = known.sum(axis=0)
    return np.divide(total, n, out=np.full(np.shape(total), math.nan), where=n > 0)[()]
