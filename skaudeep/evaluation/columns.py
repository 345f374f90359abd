"""Evaluations of targets with several columns: scores of each, their means, and intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.utils import check_random_state

from skaudeep._texts import printable
from skaudeep.evaluation.agreement import pearson
from skaudeep.evaluation.base import MAX_FOLDS_SHOWN, FoldedEvaluation
from skaudeep.evaluation.comparison import ScoreComparison, check_same_clips
from skaudeep.evaluation.intervals import check_confidence_level, expanded_interval
from skaudeep.evaluation.measures import Measure, mean_known, scores_of_columns, weighted_scores
from skaudeep.evaluation.resampling import (
    Floats,
    draw_weights,
    exchange_test,
    interval_by_spread,
)
from skaudeep.evaluation.tables import align

__all__ = ["ColumnEvaluation", "compare_columns"]

N_RESAMPLES = 200  # Enough for a spread; percentiles would need many more.
MAX_COLUMNS_SHOWN = 20
MOST_WORK = 4_000_000  # Numbers that the comparison of a printed evaluation sorts.
ROUNDING = 1e-9  # rounding error of a correlation
COPIES = 4  # Arrays of a block that are in memory at the same time.


@dataclass(frozen=True, repr=False, eq=False)
class ColumnEvaluation(FoldedEvaluation):
    """Base class of the evaluations of values and of several classes; see `FoldedEvaluation`.

    ``target`` and the predictions of each fold have a column for each of ``target_names``. Scores
    are over the test clips of all folds together, the mean over repeats.
    """

    measures: ClassVar[Mapping[str, Measure]]
    shown: ClassVar[tuple[str, ...]]

    # Predictions.

    @cached_property
    def predictions(self) -> np.ndarray:
        """Mean prediction over the tests of each clip in each repeat.

        Its shape is (n_repeats, n_clips, n_columns), with a column for each of ``target_names``. It
        is NaN for clips that no fold tests.
        """
        found = np.full((len(self.seeds), *self.target.shape), np.nan)
        found[:, self._tested] = self._predicted
        return found

    @cached_property
    def _predicted(self) -> Floats:
        total = np.zeros((len(self.seeds), *self.target.shape))
        n_tests = np.zeros(len(self.target))
        for fold, test in enumerate(self.test):
            n_tests[test] += 1
            for of_repeat, folds in zip(total, self.fold_predictions, strict=True):
                of_repeat[test] += folds[fold]
        return total[:, self._tested] / n_tests[self._tested, np.newaxis]

    @cached_property
    def _truth(self) -> NDArray:
        return self.target[self._tested]

    @cached_property
    def _ordered(self) -> NDArray[np.bool_]:
        """Whether some fold has predictions that differ between clips, (n_repeats, n_columns)."""
        if all(len(test) == 1 for test in self.test):
            if self.clips is not None:  # the fold may consist of one group
                return self.clips._ordered
            return np.array([self._differs_from_means(of) for of in self._predicted])
        return np.array(
            [
                np.any([np.ptp(found, axis=0) > 0 for found in folds], axis=0)
                for folds in self.fold_predictions
            ]
        )

    def _differs_from_means(self, predicted: NDArray) -> list[bool]:
        """Whether predictions of folds of one clip differ from the mean of all other clips.

        A single prediction does not show whether the model of a fold predicts the same for all
        clips. But if it predicts the mean of the others, this falls linearly as the value of the
        test clip rises.
        """
        return [
            np.ptp(of) > 0 and not pearson(truth, of) < -1 + ROUNDING
            for truth, of in zip(self._truth.T, predicted.T, strict=True)
        ]

    # Scores.

    def score(self, metric: str, name: str | None = None) -> float:
        """Return a score of one target or class, or its mean over all of them.

        Parameters
        ----------
        metric : str
            A key of ``measures``: of a `RegressionEvaluation` "spearman", "pearson", "ccc", "rmse"
            or "r2"; of a `MultiLabelEvaluation` "average_precision", "roc_auc" or
            "micro_average_precision".
        name : str, default=None
            The target or class, one of ``target_names``. None is the mean over all of them for
            which the score is defined. "micro_average_precision" is one score of all classes
            together and does not depend on `name`.

        Returns
        -------
        float
            The score, as a mean over repeats. It counts as not defined for a target or class if it
            is not defined in one of the repeats. NaN if it is not defined for `name`, or for none
            of ``target_names``.

        Raises
        ------
        ValueError
            If there is no such metric, or no such name (any is accepted with
            "micro_average_precision").
        """
        self._check(metric)
        return float(mean_known(self._points[metric].mean(axis=0)[self._chosen(metric, name)]))

    def interval(self, metric: str, name: str | None = None) -> tuple[float, float]:
        """Return the confidence interval of `score`, over groups, or over clips without groups.

        Parameters
        ----------
        metric : str
            A key of ``measures``, such as "rmse" or "roc_auc", see `score`.
        name : str, default=None
            The target or class, one of ``target_names``. None is the mean over all of them, as in
            `score`.

        Returns
        -------
        (float, float)
            Lower and upper end at ``confidence_level``; the class tells how they are computed. With
            a single group, the interval is over its clips. NaN if the score is not defined, if
            there is a single clip, or, for the score of one class, if a single clip or group has
            the class or lacks it. The mean over classes may have an interval even so.

        Raises
        ------
        ValueError
            If there is no such metric, or no such name (any is accepted with
            "micro_average_precision").
        """
        value = self.score(metric, name)
        columns = self._chosen(metric, name)
        return interval_by_spread(
            value,
            mean_known(self._resampled[metric][:, columns].T),
            self._n_units(metric, columns),
            self.confidence_level,
            scale=self.measures[metric].scale,
            least=self._least(columns),
        )

    def fold_scores(self, metric: str) -> np.ndarray:
        """Return a score computed from the clips of each fold alone.

        Parameters
        ----------
        metric : str
            A key of ``measures``, such as "rmse" or "roc_auc", see `score`.

        Returns
        -------
        ndarray of shape (n_repeats, n_folds)
            The scores, each as a mean over the targets or classes for which it is defined in the
            fold. It is NaN if there are none. In a fold, a correlation, average precision or AUC is
            not defined for a target or class whose predictions are all equal. An average precision
            or AUC is neither defined for a class that no clip or every clip of the fold has, nor a
            correlation or R2 for true values that are all equal, nor CCC if all true and predicted
            values are the same number.

        Raises
        ------
        ValueError
            If there is no such metric.
        """
        measure = self._check(metric)
        return np.array(
            [
                [
                    mean_known(self._measure(measure, self.target[test], found))
                    for test, found in zip(self.test, folds, strict=True)
                ]
                for folds in self.fold_predictions
            ]
        )

    def scores(self) -> pd.DataFrame:
        """Return all scores as a table.

        Returns
        -------
        pandas.DataFrame
            A row for each score, with the columns ``name``, ``metric`` (a key of ``measures``),
            ``value``, and the ends of its interval, ``low`` and ``high``. ``name`` is one of
            ``target_names``, "mean" for the mean over all of them (if there are several), or "all"
            for a score of all as if they were one, as "micro_average_precision" is.
        """
        rows = []
        for metric, measure in self.measures.items():
            names: list[tuple[str, str | None]] = []
            if measure.of_all or len(self.target_names) > 1:
                names += [("all" if measure.of_all else "mean", None)]
            if not measure.of_all:
                names += [(name, name) for name in self.target_names]
            for shown, name in names:
                low, high = self.interval(metric, name)
                rows.append((shown, metric, self.score(metric, name), low, high))
        return pd.DataFrame(rows, columns=["name", "metric", "value", "low", "high"])

    def _check(self, metric: str) -> Measure:
        if metric not in self.measures:
            raise ValueError(
                f"Got metric={metric!r}; choose {', '.join(map(repr, self.measures))}."
            )
        return self.measures[metric]

    def _chosen(self, metric: str, name: str | None) -> list[int] | slice:
        if name is None or self.measures[metric].of_all:
            return slice(None)
        if name not in self.target_names:
            raise ValueError(
                f"Got name={name!r}, expected one of target_names: "
                f"{', '.join(map(repr, self.target_names))}."
            )
        return [self.target_names.index(name)]

    def _measure(self, measure: Measure, truth: NDArray, predicted: NDArray) -> NDArray:
        """Return a score of each column, or of all as if they were one."""
        if measure.of_all:
            return np.array([measure.of_numbers(truth.ravel(), predicted.ravel())])
        found = [
            measure.of_numbers(truth[:, k], predicted[:, k])
            if not (measure.needs_order and np.isnan(measure.of_constant))
            or np.ptp(predicted[:, k]) > 0
            else math.nan
            for k in range(truth.shape[1])
        ]
        return np.array(found)

    @cached_property
    def _points(self) -> dict[str, NDArray]:
        """Scores of all columns, (n_repeats, n_columns), or of all as one (n_repeats, 1)."""
        found = {}
        for metric, measure in self.measures.items():
            points = [self._measure(measure, self._truth, of) for of in self._predicted]
            found[metric] = np.array(points)
            if measure.needs_order and not measure.of_all:
                known = self._ordered | np.isnan(found[metric])
                found[metric] = np.where(known, found[metric], measure.of_constant)
        return found

    def _comparable(self, metric: str) -> NDArray:
        """Return the mean score over repeats of each column, NaN where order says nothing."""
        points, measure = self._points[metric], self.measures[metric]
        if measure.needs_order and not measure.of_all:
            points = np.where(self._ordered, points, math.nan)
        return np.asarray(points.mean(axis=0))

    @cached_property
    def _unit_of(self) -> NDArray[np.intp]:
        return np.arange(len(self._tested)) if self._units is None else self._units

    @cached_property
    def _resampled(self) -> dict[str, Floats]:
        """Scores of bootstrap samples, the mean over repeats: (n_resamples, n_columns or 1)."""
        rng = check_random_state(0)  # so that printing twice shows the same intervals
        found: dict[str, list[Floats]] = {metric: [] for metric in self.measures}
        width = COPIES * len(self._truth)
        score = {
            metric: [weighted_scores(measure, self._truth, of) for of in self._predicted]
            for metric, measure in self.measures.items()
        }
        for weights in draw_weights(self._unit_of, N_RESAMPLES, rng, width):
            for metric, of_repeats in score.items():
                samples = np.array([of(weights) for of in of_repeats])
                if self.measures[metric].of_constant == 0:
                    samples[:] = np.where(self._ordered[:, np.newaxis], samples, 0)
                found[metric].append(samples.mean(axis=0))
        defined = {m: ~np.isnan(points).any(axis=0) for m, points in self._points.items()}
        return {
            metric: np.where(defined[metric], np.concatenate(parts), math.nan)
            for metric, parts in found.items()
        }

    def _n_units(self, metric: str, columns: list[int] | slice) -> float:
        """Return the number of units that the spread of a score is known from."""
        return int(self._unit_of.max()) + 1

    def _least(self, columns: list[int] | slice) -> float:
        """Return the number of units of a share that is the same in all bootstrap samples."""
        return 1.0

    def _compare(self, other: Any, **options: Any) -> ScoreComparison:
        return compare_columns(self, other, **options)

    # How it is printed.

    def _what(self) -> str:
        raise NotImplementedError

    def _column_rows(self) -> list[tuple[str, ...]]:
        """Return the rows of each column, for the end of the table; none where they say nothing."""
        raise NotImplementedError

    def _more_notes(self) -> list[str]:
        return []

    def __repr__(self) -> str:
        scores = ", ".join(f"{metric}={self.score(metric):.3f}" for metric in self.shown[:2])
        return (
            f"{type(self).__name__}(protocol={self.protocol!r}, n_folds={len(self.test)}, "
            f"n_repeats={len(self.seeds)}, {scores})"
        )

    def __str__(self) -> str:
        n_folds, n_repeats = len(self.test), len(self.seeds)
        shown = self._rows_to_show()
        measures = [self.measures[metric] for metric in self.shown]
        unit = {metric: " %" * (self.measures[metric].scale == "share") for metric in self.shown}
        rows = [("", *(f"  {self.measures[m].label}{unit[m]}" for m in self.shown))]
        rows += [(name, *result._cells()) for name, result in shown.items()]
        first = self.shown[0]
        if 1 < n_folds <= MAX_FOLDS_SHOWN:
            of_folds = [mean_known(self.fold_scores(metric)) for metric in self.shown]
            for i in range(n_folds):
                cells = (m.show(of[i]) for m, of in zip(measures, of_folds, strict=True))
                rows.append((f"fold {i + 1}", *cells))
        rows += self._column_rows()
        notes = self._notes_on_units(shown)
        if n_folds > 1:
            notes.append(
                f"scores are over the {self.unit}s of all folds together, and not the mean of the "
                "folds"
            )
        label = self.measures[first].label
        if n_folds > MAX_FOLDS_SHOWN:
            of_folds = mean_known(self.fold_scores(first))
            known = of_folds[~np.isnan(of_folds)]
            if len(known):
                ends = [
                    self.measures[first].show(end).strip() for end in (known.min(), known.max())
                ]
                notes.append(f"{label} of a fold: {ends[0]} to {ends[1]}{unit[first]}")
        if n_repeats > 1:
            points = mean_known(self._points[first].T)
            scale = 100 if self.measures[first].scale == "share" else 1
            spread = f"{scale * points.std(ddof=1):.{1 if scale == 100 else 3}f}"
            notes.append(f"{label} varies by {spread} (std) over seeds, in the same folds")
        notes += self._more_notes()
        if len(self.target_names) > MAX_COLUMNS_SHOWN:
            notes.append(
                f"{MAX_COLUMNS_SHOWN} of {len(self.target_names)} are shown: scores() has all"
            )
        results = {"pipeline": self} | self.controls
        constant = [name for name, result in results.items() if np.isnan(result.score(first))]
        if constant:
            notes.append(
                f"-: not defined, as predictions of {', '.join(constant)} are the same for all "
                f"{self.unit}s of a fold"
            )
        for name, control in self.controls.items():
            metric = next(
                (
                    m
                    for m in self.measures
                    if not np.isnan([mean_known(x._comparable(m)) for x in (self, control)]).any()
                ),
                None,
            )
            if metric is None:
                continue
            # The seed is fixed so that printing twice shows the same.
            paired = compare_columns(
                self,
                control,
                metric=metric,
                n_resamples=self._n_resamples_printed(),
                confidence_level=self.confidence_level,
                random_state=0,
            )
            notes.append(f"against {name}: {paired}")
        notes += self._notes_on_controls()
        return "\n".join([self._head(self._what()), *align(rows), *notes])

    def _cells(self) -> list[str]:
        return [self.measures[m].show(self.score(m), self.interval(m)) for m in self.shown]

    def _n_resamples_printed(self) -> int:
        work = self._truth.size * len(self.seeds)
        return int(np.clip(MOST_WORK // work, 99, 999))

    def _printed_names(self) -> Iterator[tuple[int, str]]:
        for number, name in enumerate(self.target_names[:MAX_COLUMNS_SHOWN]):
            yield number, printable(name)


def compare_columns(
    a: ColumnEvaluation,
    b: ColumnEvaluation,
    *,
    metric: str,
    n_resamples: int,
    confidence_level: float,
    random_state: Any,
) -> ScoreComparison:
    """Compare two evaluations of the same columns; see :func:`skaudeep.compare`."""
    check_confidence_level(confidence_level)
    measure = a._check(metric)
    if n_resamples < 1:
        raise ValueError(f"Got n_resamples={n_resamples!r}, expected at least 1.")
    check_same_clips(a, b)
    of_both = [evaluation._comparable(metric) for evaluation in (a, b)]
    known = ~np.isnan(of_both).any(axis=0)
    if not known.any():
        raise ValueError(
            f"{measure.label} is not defined of one of the two evaluations, whose predictions are "
            "the same for all clips of a fold, expected predictions that differ; compare them by "
            "another metric, such as 'rmse' of values."
        )
    rng = check_random_state(random_state)
    columns = slice(None) if measure.of_all else np.flatnonzero(known)
    first, second = _as_many_repeats(a, b, measure, columns)
    units, truth = a._unit_of, a._truth[:, columns]
    n_units = int(units.max()) + 1
    width = COPIES * len(truth)

    def mean_score(of_repeats: Any) -> Floats:
        """Return the mean over columns and repeats, of (n_rows, n_columns) of each repeat."""
        return np.asarray(mean_known(np.mean(list(of_repeats), axis=0).T))

    of_weights = [
        [weighted_scores(measure, truth, of[0]) for of in predicted]
        for predicted in (first, second)
    ]
    resampled = np.concatenate(
        [
            np.subtract(*(mean_score(of(weights) for of in each) for each in of_weights))
            for weights in draw_weights(units, n_resamples, rng, width)
        ]
    )
    resampled = resampled[~np.isnan(resampled)]
    interval = (math.nan, math.nan)
    if n_units > 1 and len(resampled) > 1:
        interval = expanded_interval(resampled, n_units, confidence_level)
    differs = np.zeros(n_units, dtype=bool)
    for x, y in zip(first, second, strict=True):
        differs[units[(x != y).any(axis=(0, 2))]] = True
    ones = np.ones((1, len(truth)))
    place = np.cumsum(differs) - 1

    def after_exchange(exchanged: NDArray[np.bool_]) -> Floats:
        swap = (exchanged[:, place[units]] & differs[units])[:, :, np.newaxis]
        mixed = [
            (np.where(swap, y, x), np.where(swap, x, y)) for x, y in zip(first, second, strict=True)
        ]
        scores = (
            mean_score(scores_of_columns(measure, truth, pair[i], ones) for pair in mixed)
            for i in range(2)
        )
        return np.nan_to_num(np.subtract(*scores))

    p_value = (
        exchange_test(after_exchange, int(differs.sum()), n_resamples, rng, width * len(first))
        if differs.any()
        else 1.0
    )
    return ScoreComparison(
        difference=float(np.subtract(*(found[known].mean() for found in of_both))),
        interval=interval,
        p_value=p_value,
        metric=metric,
        label=measure.label,
        test="permutation test",
        n_units=n_units,
        unit=a.unit if a._units is None else "group",
        in_points=measure.scale == "share",
    )


def _as_many_repeats(
    a: ColumnEvaluation, b: ColumnEvaluation, measure: Measure, columns: Any
) -> tuple[list[Floats], list[Floats]]:
    """Return predictions of as many repeats of both, (1, n_clips, n_columns) each."""
    n = math.lcm(len(a.seeds), len(b.seeds))
    found = []
    for evaluation in (a, b):
        predicted = evaluation._predicted[:, :, columns]
        if measure.by_rank:
            # Scores of two classifiers may have different scales; ranks can be exchanged.
            shape = predicted.shape
            flat = predicted.reshape(shape[0], -1, 1) if measure.of_all else predicted
            predicted = rankdata(flat, axis=1).reshape(shape)
        found.append([predicted[i % len(predicted)][np.newaxis] for i in range(n)])
    return found[0], found[1]
