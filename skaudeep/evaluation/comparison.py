"""Paired comparison of two evaluations of the same clips."""

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from scipy.stats import binomtest
from sklearn.utils import check_random_state

from skaudeep.evaluation.intervals import (
    bootstrap_interval,
    check_confidence_level,
    sign_flip_p_value,
)

if TYPE_CHECKING:
    from skaudeep.evaluation.results import Evaluation

__all__ = ["Comparison", "Metric", "compare", "strata"]

Metric = Literal["accuracy", "uar"]


class Comparison(NamedTuple):
    """Difference between two evaluations of the same clips, as `compare` returns it."""

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
    """Score that was compared, "accuracy" or "uar": ``difference``, ``interval`` and ``p_value``
    are of it."""
    test: str
    """Name of the test, "exact McNemar test" or "sign-flip test"."""
    n_units: int
    """Number of independent units that were resampled and tested."""
    unit: str
    """What these units are, "group" or "clip"."""

    def __repr__(self) -> str:
        low, high = self.interval
        metric = self.metric.replace("uar", "UAR")
        return (
            f"{100 * self.difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] points of "
            f"{metric}, {self.n_better} clip{'s'[: self.n_better != 1]} better, "
            f"{self.n_worse} worse, "
            f"p = {self.p_value:.2g} ({self.test} over {self.n_units} {self.unit}s)"
        )


def compare(
    a: "Evaluation",
    b: "Evaluation",
    *,
    metric: Metric = "accuracy",
    n_resamples: int = 9999,
    confidence_level: float = 0.95,
    random_state: Any = None,
) -> Comparison:
    """Compare two evaluations of the same clips in the same folds, clip by clip.

    Two scores with overlapping intervals may still differ significantly, because both were
    measured on the same clips. Only the clips that one classifies correctly and the other does not
    count. Difference, interval and p-value are of one score, ``metric``. Where the clips have
    groups, such as speakers or recordings, whole groups are the independent units.

    Parameters
    ----------
    a, b : Evaluation
        Evaluations of the same bunch and folds. The number of repeats may differ.
    metric : {"accuracy", "uar"}, default="accuracy"
        Mean score to compare.
    n_resamples : int, default=9999
        Number of bootstrap samples, and of sign flips where not all are counted.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the interval.
    random_state : int, RandomState instance or None, default=None
        Seed of the bootstrap samples and sign flips. An int gives the same result each time.

    Returns
    -------
    Comparison
        ``difference`` (``a`` minus ``b``), its ``interval``, ``n_better``, ``n_worse``, the
        ``p_value`` that there is no difference, and what they are: ``metric``, ``test``,
        ``n_units`` and ``unit``.

    Raises
    ------
    ValueError
        If the two are not of the same clips, folds and groups, or a parameter is out of range.

    Notes
    -----
    The interval is that of the percentile bootstrap [1]_, in which groups, or clips where there
    are no groups, are drawn with replacement [2]_. In each sample the score is computed anew from
    the clips drawn, for UAR class by class. Percentiles are expanded as Student's distribution and
    the number of units want it [3]_, since plain ones are too narrow for few units.

    The test is the exact McNemar test [4]_ for accuracy over clips: a sign test over the clips on
    which the two differ. With several repeats or overlapping folds, a clip counts once, for the
    evaluation that classified it correctly more often. Otherwise, for UAR or over groups, the
    predictions of the two are exchanged at random, for all clips of a unit at once [5]_. That
    flips the sign of the unit's part in the difference. The p-value is the share of such
    exchanges with a difference of at least the size found. All are counted where at most
    13 units differ, and ``n_resamples`` are sampled where more do, the one found among them [6]_.
    With :math:`G` groups it is never below :math:`2 / 2^G`.

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
    >>> from skaudeep.evaluation.results import Evaluation, compare
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

    If the clips are two each of five speakers, it is the speakers that count.

    >>> speakers = np.arange(10) // 2
    >>> found = compare(
    ...     result(8, groups=speakers), result(3, groups=speakers), random_state=0
    ... )
    >>> found  # doctest: +NORMALIZE_WHITESPACE
    +50.0 [+0.0, +100.0] points of accuracy, 5 clips better, 0 worse,
    p = 0.25 (sign-flip test over 5 groups)
    """
    check_confidence_level(confidence_level)
    if metric not in ("accuracy", "uar"):
        raise ValueError(f"Got metric={metric!r}; choose 'accuracy' or 'uar'.")
    if n_resamples < 1:
        raise ValueError(f"Got n_resamples={n_resamples!r}, expected at least 1.")
    if not np.array_equal(a.target, b.target) or not (
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
    clips, weight, correct_a = a._clips(metric)
    gain = correct_a - b._clips(metric)[2]
    gain[np.isclose(gain, 0)] = 0  # Equal shares summed in another order differ by rounding.
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
    return Comparison(
        difference=float(weight @ gain),
        interval=interval,
        n_better=n_better,
        n_worse=n_worse,
        p_value=p_value,
        metric=metric,
        test=test,
        n_units=len(clips) if units is None else int(units.max()) + 1,
        unit="clip" if units is None else "group",
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
