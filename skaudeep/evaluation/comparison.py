"""Paired comparison of two evaluations of the same clips."""

import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

import numpy as np
from scipy.stats import binomtest
from sklearn.utils import check_random_state

from skaudeep._texts import shown
from skaudeep.evaluation.base import FoldedEvaluation
from skaudeep.evaluation.intervals import (
    bootstrap_interval,
    check_confidence_level,
    sign_flip_p_value,
)

if TYPE_CHECKING:
    from skaudeep.evaluation.columns import ColumnEvaluation
    from skaudeep.evaluation.results import Evaluation

__all__ = ["Comparison", "Metric", "ScoreComparison", "check_same_clips", "compare", "strata"]

Metric = Literal["accuracy", "uar"]


class Comparison(NamedTuple):
    """Difference between two evaluations of the same clips, as `compare` returns it.

    Parameters
    ----------
    difference : float
        Mean score of the first evaluation minus that of the second, in [-1, 1].
    interval : (float, float)
        Bootstrap interval of the difference: over groups, or over clips if they have no groups or
        are all of one group. It is (-1, 1) if ``n_units`` is 1.
    n_better : int
        Number of clips that the first classified correctly more often (of groups, if `evaluate` had
        ``unit="group"``).
    n_worse : int
        Number of clips, or of such groups, that the second classified correctly more often.
    p_value : float
        P-value of ``test``.
    metric : {"accuracy", "uar"}
        Score to which ``difference``, ``interval`` and ``p_value`` refer.
    test : {"exact McNemar test", "sign-flip test"}
        Name of the test.
    n_units : int
        Number of independent units that were resampled and tested.
    unit : {"group", "clip"}
        Kind of these units.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.evaluation import Evaluation, compare
    >>> test, predicted = [np.arange(4)], np.array([0, 0, 1, 1])
    >>> right = Evaluation(predicted, ["a", "b"], test, [[predicted]], "inductive", [0])
    >>> wrong = Evaluation(predicted, ["a", "b"], test, [[1 - predicted]], "inductive", [0])
    >>> comparison = compare(right, wrong)
    >>> comparison.difference, comparison.n_better, comparison.test
    (1.0, 4, 'exact McNemar test')
    """

    difference: float
    """Mean score of the first minus that of the second, in [-1, 1]."""
    interval: tuple[float, float]
    """Bootstrap interval of the difference over groups, or over clips where there are none."""
    n_better: int
    """Number of clips that the first classified correctly more often."""
    n_worse: int
    """Number of clips that the second classified correctly more often."""
    p_value: float
    """P-value of ``test``."""
    metric: str
    """Score that was compared, "accuracy" or "uar". ``difference``, ``interval`` and ``p_value``
    refer to it."""
    test: str
    """Name of the test, "exact McNemar test" or "sign-flip test"."""
    n_units: int
    """Number of independent units that were resampled and tested."""
    unit: str
    """What these units are, "group" or "clip"."""

    @property
    def item(self) -> str:
        """What ``n_better`` and ``n_worse`` count, which may differ from ``unit``.

        "clip"; or "group" if `evaluate` had ``unit="group"``.
        """
        return "clip"

    def __repr__(self) -> str:
        low, high = self.interval
        metric = self.metric.replace("uar", "UAR")
        return (
            f"{100 * self.difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] points of "
            f"{metric}, {self.n_better} {self.item}{'s'[: self.n_better != 1]} better, "
            f"{self.n_worse} worse, "
            f"p = {self.p_value:.2g} ({self.test} over {self.n_units} {self.unit}s)"
        )


class GroupComparison(Comparison):
    """Difference between two evaluations of the same groups, each scored as one."""

    __slots__ = ()

    @property
    def item(self) -> str:
        """What ``n_better`` and ``n_worse`` count: "group"."""
        return "group"


class ScoreComparison(NamedTuple):
    """Difference between two evaluations of values or of several classes; see `compare`.

    Parameters
    ----------
    difference : float
        Score of the first evaluation minus that of the second, as a mean over repeats and over the
        targets or classes for which both have a score. For an error such as "rmse", a negative
        difference says that the first is better.
    interval : (float, float)
        Bootstrap interval of the difference: over groups, or over clips if they have no groups or
        are all of one group; NaN if ``n_units`` is 1.
    p_value : float
        P-value of ``test``.
    metric : str
        Score that was compared, such as "spearman" or "average_precision".
    label : str
        Name of the score in tables.
    test : str
        Name of the test, "permutation test".
    n_units : int
        Number of independent units that were resampled and tested.
    unit : {"group", "clip"}
        Kind of these units.
    in_points : bool
        Whether the score is a share, which is shown in percent.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.evaluation import RegressionEvaluation, compare
    >>> values = np.arange(8.0)[:, None]
    >>> good, bad = (RegressionEvaluation(values, ["age"], [np.arange(8)], [[predicted]],
    ...                                   "inductive", [0]) for predicted in (values, -values))
    >>> round(compare(good, bad, n_resamples=99).difference, 3)
    2.0
    """

    difference: float
    """Score of the first minus that of the second: the mean over values or classes, and repeats."""
    interval: tuple[float, float]
    """Bootstrap interval of the difference over groups, or over clips where there are none; NaN
    where there is a single one."""
    p_value: float
    """P-value of ``test``."""
    metric: str
    """Score that was compared, such as "spearman" or "average_precision"."""
    label: str
    """Its name in tables."""
    test: str
    """Name of the test, "permutation test"."""
    n_units: int
    """Number of independent units that were resampled and tested."""
    unit: str
    """What these units are, "group" or "clip"."""
    in_points: bool
    """Whether the score is a share, which is shown in percent."""

    def __repr__(self) -> str:
        low, high = self.interval
        if self.in_points:
            found = f"{100 * self.difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] points of"
        else:
            found = f"{self.difference:+.3g} [{low:+.3g}, {high:+.3g}]"
        return (
            f"{found} {self.label}, "
            f"p = {self.p_value:.2g} ({self.test} over {self.n_units} {self.unit}s)"
        )


@overload
def compare(
    a: "Evaluation",
    b: "Evaluation",
    *,
    metric: Metric | None = None,
    n_resamples: int = 9999,
    confidence_level: float = 0.95,
    random_state: Any = None,
) -> Comparison: ...


@overload
def compare(
    a: "ColumnEvaluation",
    b: "ColumnEvaluation",
    *,
    metric: str | None = None,
    n_resamples: int = 9999,
    confidence_level: float = 0.95,
    random_state: Any = None,
) -> ScoreComparison: ...


def compare(
    a: Any,
    b: Any,
    *,
    metric: Any = None,
    n_resamples: int = 9999,
    confidence_level: float = 0.95,
    random_state: Any = None,
) -> Any:
    """Compare two evaluations of the same clips in the same folds, clip by clip.

    Two scores with overlapping intervals may still differ significantly, because both were
    measured on the same clips. The comparison of classes therefore depends only on the clips that
    one classifies correctly and the other does not. Difference, interval and p-value refer to one
    score, ``metric``. If the clips have groups, such as speakers or recordings, whole groups are
    the independent units.

    Parameters
    ----------
    a, b : Evaluation, RegressionEvaluation or MultiLabelEvaluation
        Evaluations of the same bunch and folds. The number of repeats may differ.
    metric : str, default=None
        Mean score to compare: "accuracy" or "uar" for an `Evaluation`; "spearman", "pearson",
        "ccc", "rmse" or "r2" for a `RegressionEvaluation`; "average_precision", "roc_auc" or
        "micro_average_precision" for a `MultiLabelEvaluation`. None is "accuracy", "spearman" or
        "average_precision", in the order of these kinds of evaluations. With several targets or
        classes it is the mean over those for which both evaluations have the score.
    n_resamples : int >= 1, default=9999
        Number of bootstrap samples, and of sign flips or exchanges where not all are counted.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the interval.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the bootstrap samples, sign flips and exchanges. An int gives the same
        result each time, None slightly different ones.

    Returns
    -------
    Comparison
        The result for evaluations of classes: ``difference`` (``a`` minus ``b``), its ``interval``,
        ``n_better``, ``n_worse``, the ``p_value`` of the hypothesis that there is no difference,
        ``metric``, ``test``, ``n_units`` and ``unit``. For values and several classes, a
        `ScoreComparison` without ``n_better`` and ``n_worse``.

    Raises
    ------
    TypeError
        If one is no result of `evaluate`. No paired test is defined for an `AnomalyEvaluation` or
        an `OverTimeEvaluation`.
    ValueError
        If the two are not of the same kind, clips, folds and groups, a parameter is out of range,
        or ``metric`` is not defined for one of the two.

    Notes
    -----
    The interval is that of the percentile bootstrap [1]_: groups, or clips without groups, are
    drawn with replacement [2]_, and the score is computed from the drawn clips, for UAR class by
    class. The percentiles are expanded by Student's distribution for the number of units [3]_,
    because plain percentiles are too narrow for few units.

    The test is the exact McNemar test [4]_ for accuracy over clips: a sign test over the clips on
    which the two differ. With several repeats or overlapping folds, a clip counts once, for the
    evaluation that classified it correctly more often. Otherwise, for UAR or over groups, the
    predictions of the two are exchanged at random, for all clips of a unit at once [5]_. That
    flips the sign of the unit's part in the difference. The p-value is the share of exchanges with
    a difference at least as large as the observed one. If at most 13 units differ, all exchanges
    are counted, else ``n_resamples`` of them are sampled, with the observed one among them [6]_.
    With :math:`G` groups the p-value is never below :math:`2 / 2^G`.

    The scores of values and of several classes are not means over clips. They are computed again
    for each bootstrap sample and for each exchange (a permutation test over the units [5]_). The
    p-value is the share of exchanges with a difference at least as large as the observed one. All
    exchanges are counted if there are at most ``n_resamples``. For scores of ranks, such as
    Spearman's correlation and average precision, ranks are exchanged instead of predictions, so
    that the scales of the predictions, such as probabilities and decision values, may differ.

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani. An Introduction to the Bootstrap. Chapman & Hall,
       1993, chapter 13.
    .. [2] A. C. Davison and D. V. Hinkley. Bootstrap Methods and their Application. Cambridge
       University Press, 1997, section 3.8; C. A. Field and A. H. Welsh. Bootstrapping clustered
       data. Journal of the Royal Statistical Society B 69, 369-390, 2007.
    .. [3] T. C. Hesterberg. What teachers should know about the bootstrap. The American
       Statistician 69, 371-386, 2015, section 5.
    .. [4] Q. McNemar. Note on the sampling error of the difference between correlated
       proportions or percentages. Psychometrika 12, 153-157, 1947.
    .. [5] A. Yeh. More accurate tests for the statistical significance of result differences.
       COLING 2000, 947-953; of whole groups: A. M. Winkler et al. Multi-level block permutation.
       NeuroImage 123, 253-268, 2015.
    .. [6] B. Phipson and G. K. Smyth. Permutation p-values should never be zero. Statistical
       Applications in Genetics and Molecular Biology 9, article 39, 2010.

    Examples
    --------
    Of ten clips, one pipeline classifies eight correctly and the other the first three of these.

    >>> import numpy as np
    >>> from skaudeep.evaluation import Evaluation, compare
    >>> def result(n_correct, **options):
    ...     predicted = (np.arange(10) >= n_correct).astype(int)
    ...     return Evaluation(
    ...         target=np.zeros(10, dtype=int), target_names=["dog", "rain"],
    ...         test=[np.arange(10)], fold_predictions=[[predicted]],
    ...         protocol="inductive", seeds=[0], **options,
    ...     )
    >>> found = compare(result(8), result(3), random_state=0)
    >>> found  # doctest: +NORMALIZE_WHITESPACE
    +50.0 [+10.0, +90.0] points of accuracy, 5 clips better, 0 worse,
    p = 0.062 (exact McNemar test over 10 clips)

    If each of five speakers has two of the clips, the speakers are the units.

    >>> speakers = np.arange(10) // 2
    >>> found = compare(
    ...     result(8, groups=speakers), result(3, groups=speakers), random_state=0
    ... )
    >>> found  # doctest: +NORMALIZE_WHITESPACE
    +50.0 [+0.0, +100.0] points of accuracy, 5 clips better, 0 worse,
    p = 0.25 (sign-flip test over 5 groups)
    """
    for evaluation in (a, b):
        if not isinstance(evaluation, FoldedEvaluation):
            raise TypeError(
                f"Got {type(evaluation).__name__}, expected two evaluations as evaluate returns "
                "them. No paired test is defined for results of evaluate_anomalies and "
                "evaluate_over_time: put their values and intervals side by side (to_frame)."
            )
    if type(a) is not type(b):
        raise ValueError(
            f"Got {type(a).__name__} and {type(b).__name__}, expected two evaluations of the same "
            "kind; run evaluate on one bunch with one cv."
        )
    if hasattr(a, "_compare"):
        return a._compare(
            b,
            metric=next(iter(a.measures)) if metric is None else metric,
            n_resamples=n_resamples,
            confidence_level=confidence_level,
            random_state=random_state,
        )
    check_confidence_level(confidence_level)
    metric = "accuracy" if metric is None else metric
    if metric not in ("accuracy", "uar"):
        raise ValueError(f"Got metric={metric!r}; choose 'accuracy' or 'uar'.")
    if n_resamples < 1:
        raise ValueError(f"Got n_resamples={n_resamples!r}, expected at least 1.")
    check_same_clips(a, b)
    units = a._units
    clips, weight, correct_a = a._clips(metric)
    gain = correct_a - b._clips(metric)[2]
    gain[np.isclose(gain, 0)] = 0  # equal sums may differ by rounding
    n_better, n_worse = int((gain > 0).sum()), int((gain < 0).sum())
    rng = check_random_state(random_state)
    interval = bootstrap_interval(
        gain,
        weight,
        strata(a.target[clips], metric),
        units,
        n_resamples=n_resamples,
        confidence_level=confidence_level,
        rng=rng,
    )
    if units is None and metric == "accuracy":
        test = "exact McNemar test"
        n_differ = n_better + n_worse
        p_value = float(binomtest(n_better, n_differ).pvalue) if n_differ else 1.0
    else:
        test = "sign-flip test"
        parts = weight * gain if units is None else np.bincount(units, weight * gain)
        p_value = sign_flip_p_value(parts, n_resamples, rng)
    return (GroupComparison if a.unit == "group" else Comparison)(
        difference=float(weight @ gain),
        interval=interval,
        n_better=n_better,
        n_worse=n_worse,
        p_value=p_value,
        metric=metric,
        test=test,
        n_units=len(clips) if units is None else int(units.max()) + 1,
        unit=a.unit if units is None else "group",
    )


def check_same_clips(a: FoldedEvaluation, b: FoldedEvaluation) -> None:
    """Raise ValueError unless two evaluations are of the same clips, folds and groups."""
    _check_names(a.filenames, b.filenames)
    if not np.array_equal(a.target, b.target, equal_nan=a.target.dtype.kind == "f") or not (
        len(a.test) == len(b.test) and all(map(np.array_equal, a.test, b.test))
    ):
        raise ValueError(
            "The two evaluations differ in target or folds, expected the same for both; "
            "run evaluate on one bunch with one cv."
        )
    units, others = a._units, b._units
    if not (
        units is others
        or (units is not None and others is not None and np.array_equal(units, others))
    ):
        raise ValueError(
            f"The two evaluations differ in groups ({a.n_groups} and {b.n_groups}), expected the "
            "same for both; run evaluate on one bunch, or leave groups out of both with "
            "dataclasses.replace(evaluation, groups=None)."
        )


def _check_names(a: np.ndarray | None, b: np.ndarray | None) -> None:
    """Raise ValueError if the names of the clips tell that two evaluations are of other clips.

    Features that another program computed may name a clip by another folder, so that base names
    are compared; names that have nothing in common say nothing.
    """
    if a is None or b is None or len(a) == 0 or len(b) == 0:
        return
    names, others = (np.array([re.split(r"[/\\]", str(n))[-1] for n in part]) for part in (a, b))
    if set(names).isdisjoint(others):
        return
    lacking = next((n for n in names if n not in set(others)), None)
    extra = next((n for n in others if n not in set(names)), None)
    if lacking is not None or extra is not None:
        place, missing = ("second", lacking) if lacking is not None else ("first", extra)
        raise ValueError(
            f"The two evaluations are of {len(names)} and {len(others)} clips, expected the same "
            f"ones: the {place} lacks {shown(str(missing))}. Leave clips out of both, for example "
            "with skaudeep.datasets.select."
        )
    if len(names) != len(others):
        raise ValueError(
            f"The two evaluations are of {len(names)} and {len(others)} clips, expected the same "
            "ones, each once."
        )
    if (names != others).any():
        first = int(np.argmax(names != others))
        raise ValueError(
            "The two evaluations have the same clips in different orders: number "
            f"{first} is {shown(names[first])} in the first and {shown(others[first])} in the "
            "second. Sort both data sets by the names of the clips: select(bunch, "
            "np.argsort(bunch.filenames))."
        )


def strata(truth: np.ndarray, metric: Metric) -> np.ndarray:
    """Return the strata of clips within which a score is a mean: their classes for UAR, else one.

    Parameters
    ----------
    truth : ndarray of shape (n_clips,), int
        True classes.
    metric : {"accuracy", "uar"}
        The score.

    Returns
    -------
    ndarray of shape (n_clips,), int
    """
    return truth if metric == "uar" else np.zeros_like(truth)
