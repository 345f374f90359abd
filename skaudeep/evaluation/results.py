"""Results of an evaluation: scores over folds with their intervals, and paired comparisons."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.stats import binomtest, norm
from sklearn.metrics import confusion_matrix
from sklearn.utils import check_random_state

__all__ = ["Comparison", "Evaluation", "check_confidence_level", "compare"]

Metric = Literal["accuracy", "uar"]

MAX_FOLDS_SHOWN = 10  # Folds of one speaker or site each can be hundreds.


@dataclass(frozen=True, repr=False, eq=False)
class Evaluation:
    """What `evaluate` found. ``print`` shows it as a table.

    All scores are fractions in [0, 1]. UAR, the unweighted average recall, is the mean of
    the recalls of those classes that occur in the truth of a fold (scikit-learn's balanced
    accuracy). ``accuracy`` and ``uar`` are means over folds and repeats.

    Parameters
    ----------
    target : ndarray of shape (n_clips,), int
        True classes; -1 where unlabelled.
    target_names : list of str
        Class names, in the order of the integers.
    test : list of n_folds int arrays
        Clips tested in each fold. Folds may overlap.
    fold_predictions : list of n_repeats lists of n_folds int arrays
        Predicted classes of those clips.
    protocol : {"inductive", "transductive"}
        Whether the unsupervised steps were fitted on the training clips of each fold or on all
        clips.
    seeds : list of n_repeats int
        The seed of each repeat.
    confidence_level : float, default=0.95
        Confidence level of the intervals.
    controls : dict of str to Evaluation
        Evaluations of the same classifier on other features. Empty where none were asked for.

    Notes
    -----
    Each interval covers the variation of the score over *other test clips of the same kind*. It
    assumes that clips are independent, and a clip that is tested in several repeats or folds
    counts once. It does not cover the variation over seeds and training sets; for seeds, see the
    spread of ``fold_accuracy``. It is the score interval of Wilson [1]_. Where clips have unequal
    weights, as in UAR, it is computed at the effective number of clips [2]_,
    :math:`n = s (1 - s) / v`. The variance :math:`v` of the score :math:`s` comes from the recalls
    of the classes, each with one hit and one miss added, so that a class without errors has a
    variance too. For accuracy over equal folds this is Wilson's interval itself.

    References
    ----------
    .. [1] E. B. Wilson. Probable inference, the law of succession, and statistical inference.
       Journal of the American Statistical Association 22, 209-212, 1927.
    .. [2] E. L. Korn and B. I. Graubard. Confidence intervals for proportions with small
       expected number of positive counts estimated from survey data. Survey Methodology 24,
       193-201, 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.evaluation.results import Evaluation
    >>> evaluation = Evaluation(
    ...     target=np.array([0, 0, 0, 1]),
    ...     target_names=["dog", "rain"],
    ...     test=[np.array([0, 2]), np.array([1, 3])],
    ...     fold_predictions=[[np.array([0, 0]), np.array([1, 1])]],
    ...     protocol="inductive",
    ...     seeds=[0],
    ... )
    >>> evaluation
    Evaluation(protocol='inductive', n_folds=2, n_repeats=1, accuracy=0.750, uar=0.750)
    >>> print(evaluation)
    inductive, 2 folds, 1 repeat, 4 clips tested, 2 classes
               accuracy %          UAR %
    pipeline  75.0 [30.1, 95.4]   75.0 [30.1, 95.4]
    fold 1   100.0 [34.2, 100.0] 100.0 [34.2, 100.0]
    fold 2    50.0 [9.5, 90.5]    50.0 [10.3, 89.7]
    [ ]: 95 % interval over clips
    """

    target: np.ndarray
    target_names: list[str]
    test: list[np.ndarray]
    fold_predictions: list[list[np.ndarray]]
    protocol: str
    seeds: list[int]
    confidence_level: float = 0.95
    controls: dict[str, "Evaluation"] = field(default_factory=dict)

    @cached_property
    def accuracy(self) -> float:
        """Mean over folds and repeats of the share of correct clips."""
        return float(self.fold_accuracy.mean())

    @cached_property
    def uar(self) -> float:
        """Mean over folds and repeats of the unweighted average recall."""
        return float(self.fold_uar.mean())

    @cached_property
    def accuracy_interval(self) -> tuple[float, float]:
        """Interval of ``accuracy`` over clips."""
        return self._interval("accuracy")

    @cached_property
    def uar_interval(self) -> tuple[float, float]:
        """Interval of ``uar`` over clips."""
        return self._interval("uar")

    @cached_property
    def fold_accuracy(self) -> np.ndarray:
        """Accuracy in each repeat and fold, shape (n_repeats, n_folds)."""
        return self._fold_scores("accuracy")

    @cached_property
    def fold_uar(self) -> np.ndarray:
        """UAR in each repeat and fold, shape (n_repeats, n_folds)."""
        return self._fold_scores("uar")

    @cached_property
    def fold_accuracy_interval(self) -> np.ndarray:
        """Intervals of ``fold_accuracy``, shape (n_repeats, n_folds, 2)."""
        return np.array(
            [
                [self._part([repeat], fold).accuracy_interval for fold in range(len(self.test))]
                for repeat in range(len(self.seeds))
            ]
        )

    @cached_property
    def confusion_matrix(self) -> np.ndarray:
        """Number of clips of each true class (row) and predicted class (column), over all tests.

        Its shape is (n_classes, n_classes). `sklearn.metrics.ConfusionMatrixDisplay` plots it.
        """
        truth = np.concatenate([self.target[test] for test in self.test] * len(self.seeds))
        predicted = np.concatenate([np.concatenate(folds) for folds in self.fold_predictions])
        return confusion_matrix(truth, predicted, labels=range(len(self.target_names)))

    @cached_property
    def predictions(self) -> np.ndarray:
        """Predicted class of each clip in each repeat, shape (n_repeats, n_clips).

        It is -1 where a clip is in no test fold. A clip in several test folds has the class that
        most of them predicted, and of several such classes the first.
        """
        votes = np.zeros(
            (len(self.seeds), len(self.target), len(self.target_names)), dtype=np.int32
        )
        for repeat, folds in enumerate(self.fold_predictions):
            for test, predicted in zip(self.test, folds, strict=True):
                votes[repeat, test, predicted] += 1
        return np.where(votes.any(axis=2), votes.argmax(axis=2), -1)

    def _weights(self, metric: Metric) -> Iterator[np.ndarray]:
        # Either score is a weighted share of correct clips. UAR gives all classes equal weight.
        for test in self.test:
            truth = self.target[test]
            counts = np.bincount(truth)
            if metric == "accuracy":
                yield np.full(len(test), 1 / len(test))
            else:
                yield 1 / (counts[truth] * np.count_nonzero(counts))

    def _fold_scores(self, metric: Metric) -> np.ndarray:
        weights = list(self._weights(metric))
        return np.array(
            [
                [
                    np.average(predicted == self.target[test], weights=weight)
                    for test, predicted, weight in zip(self.test, folds, weights, strict=True)
                ]
                for folds in self.fold_predictions
            ]
        )

    def _part(self, repeats: Sequence[int], fold: int) -> "Evaluation":
        return replace(
            self,
            test=[self.test[fold]],
            fold_predictions=[[self.fold_predictions[repeat][fold]] for repeat in repeats],
            seeds=[self.seeds[repeat] for repeat in repeats],
        )

    def _clips(self, metric: Metric) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the tested clips, their weights in the score, and how often each was correct."""
        weight = np.zeros(len(self.target))
        correct = np.zeros(len(self.target))
        for fold, (test, share) in enumerate(zip(self.test, self._weights(metric), strict=True)):
            weight[test] += share / len(self.test)
            for folds in self.fold_predictions:
                hit = folds[fold] == self.target[test]
                correct[test] += share * hit / len(self.test) / len(self.seeds)
        clips = np.flatnonzero(weight)
        return clips, weight[clips], correct[clips] / weight[clips]

    def _interval(self, metric: Metric) -> tuple[float, float]:
        clips, weight, correct = self._clips(metric)
        return _interval(
            correct, weight, _strata(self.target[clips], metric), self.confidence_level
        )

    def __repr__(self) -> str:
        return (
            f"Evaluation(protocol={self.protocol!r}, n_folds={len(self.test)}, "
            f"n_repeats={len(self.seeds)}, accuracy={self.accuracy:.3f}, uar={self.uar:.3f})"
        )

    def __str__(self) -> str:
        n_folds, n_repeats = len(self.test), len(self.seeds)
        tested = np.unique(np.concatenate(self.test))
        head = (
            f"{self.protocol}, {n_folds} fold{'s'[: n_folds > 1]}, "
            f"{n_repeats} repeat{'s'[: n_repeats > 1]}, {len(tested)} clips tested, "
            f"{len(self.target_names)} classes"
        )
        shown = {"pipeline": self} | self.controls
        if 1 < n_folds <= MAX_FOLDS_SHOWN:
            shown |= {f"fold {i + 1}": self._part(range(n_repeats), i) for i in range(n_folds)}
        rows = [("", "  accuracy %", "  UAR %")]
        rows += [
            (
                name,
                _percent(result.accuracy, result.accuracy_interval),
                _percent(result.uar, result.uar_interval),
            )
            for name, result in shown.items()
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = [
            " ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        notes = [f"[ ]: {100 * self.confidence_level:g} % interval over clips"]
        if n_folds > MAX_FOLDS_SHOWN:
            folds = 100 * self.fold_accuracy.mean(axis=0)
            notes.append(f"accuracy of a fold: {folds.min():.1f} to {folds.max():.1f} %")
        if n_repeats > 1:
            spread = 100 * self.fold_accuracy.mean(axis=1).std(ddof=1)
            notes.append(f"accuracy varies by {spread:.1f} points (std) over repeats")
        for name, control in self.controls.items():
            # The seed is fixed so that printing twice shows the same interval.
            paired = compare(self, control, confidence_level=self.confidence_level, random_state=0)
            notes.append(f"against {name}: {paired}")
        return "\n".join([head, *table, *notes])


class Comparison(NamedTuple):
    """Difference between two evaluations, clip by clip, as `compare` returns it."""

    difference: float
    """Mean score of the first minus that of the second, in [-1, 1]."""
    interval: tuple[float, float]
    """Bootstrap interval of the difference over clips."""
    n_better: int
    """Number of clips that the first classified correctly more often."""
    n_worse: int
    """Number of clips that the second classified correctly more often."""
    p_value: float
    """P-value of the exact McNemar test that both are correct equally often."""

    def __repr__(self) -> str:
        low, high = self.interval
        return (
            f"{100 * self.difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] points, "
            f"{self.n_better} clips better, {self.n_worse} worse, p = {self.p_value:.2g}"
        )


def compare(
    a: Evaluation,
    b: Evaluation,
    *,
    metric: Metric = "accuracy",
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
    random_state: Any = None,
) -> Comparison:
    """Compare two evaluations of the same clips in the same folds, clip by clip.

    Two scores with overlapping intervals may still differ significantly, because both were
    measured on the same clips. Only the clips that one classifies correctly and the other does not
    count.

    Parameters
    ----------
    a, b : Evaluation
        Evaluations of the same bunch and folds. The number of repeats may differ.
    metric : {"accuracy", "uar"}, default="accuracy"
        Mean score to compare.
    n_resamples : int, default=2000
        Number of bootstrap samples.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the interval.
    random_state : int, RandomState instance or None, default=None
        Seed of the bootstrap samples. An int gives the same interval each time.

    Returns
    -------
    Comparison
        ``difference`` (``a`` minus ``b``), its ``interval`` (percentile bootstrap over clips
        [1]_), ``n_better``, ``n_worse`` and the ``p_value`` of the exact McNemar test [2]_: a
        sign test over the clips on which the two differ. With several repeats or overlapping
        folds, a clip counts once, for the evaluation that classified it correctly more often.

    Raises
    ------
    ValueError
        If the two are not of the same clips and folds, or a parameter is out of range.

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani. An Introduction to the Bootstrap. Chapman & Hall,
       1993, chapter 13.
    .. [2] Q. McNemar. Note on the sampling error of the difference between correlated
       proportions or percentages. Psychometrika 12, 153-157, 1947.

    Examples
    --------
    Of ten clips, one pipeline classifies eight correctly and the other the first three of these.

    >>> import numpy as np
    >>> from skaudeep.evaluation.results import Evaluation, compare
    >>> def result(n_correct):
    ...     predicted = (np.arange(10) >= n_correct).astype(int)
    ...     return Evaluation(
    ...         target=np.zeros(10, dtype=int), target_names=["dog", "rain"],
    ...         test=[np.arange(10)], fold_predictions=[[predicted]],
    ...         protocol="inductive", seeds=[0],
    ...     )
    >>> compare(result(8), result(3), random_state=0)
    +50.0 [+20.0, +80.0] points, 5 clips better, 0 worse, p = 0.062
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
    _, weight, correct_a = a._clips(metric)
    _, _, correct_b = b._clips(metric)
    gain = correct_a - correct_b
    gain[np.isclose(gain, 0)] = 0  # Equal shares summed in another order differ by rounding.
    rng = check_random_state(random_state)
    resampled = np.empty(n_resamples)
    for i in range(n_resamples):
        drawn = rng.randint(len(gain), size=len(gain))
        resampled[i] = np.average(gain[drawn], weights=weight[drawn])
    low, high = np.quantile(resampled, [(1 - confidence_level) / 2, (1 + confidence_level) / 2])
    n_better, n_worse = int((gain > 0).sum()), int((gain < 0).sum())
    n_differ = n_better + n_worse
    return Comparison(
        difference=float(weight @ gain),
        interval=(float(low), float(high)),
        n_better=n_better,
        n_worse=n_worse,
        p_value=float(binomtest(n_better, n_differ).pvalue) if n_differ else 1.0,
    )


def check_confidence_level(confidence_level: float) -> None:
    """Raise ValueError unless confidence_level lies between 0 and 1."""
    if not 0 < confidence_level < 1:
        raise ValueError(
            f"Got confidence_level={confidence_level!r}, expected a number between 0 and 1 such as "
            "0.95."
        )


def _strata(truth: np.ndarray, metric: Metric) -> np.ndarray:
    return truth if metric == "uar" else np.zeros_like(truth)


def _interval(
    correct: np.ndarray, weight: np.ndarray, stratum: np.ndarray, confidence_level: float
) -> tuple[float, float]:
    """Return the Wilson interval of a weighted mean of hits; see the notes of Evaluation."""
    share = np.bincount(stratum, weight)
    hits = np.bincount(stratum, weight * correct)
    squares = np.bincount(stratum, weight**2)
    share, hits, squares = (values[share > 0] for values in (share, hits, squares))
    n_clips = share**2 / squares  # Kish's effective number of clips in each stratum
    rate = (n_clips * hits / share + 1) / (n_clips + 2)
    variance = squares @ (rate * (1 - rate))
    mean = share @ rate
    return _wilson(float(weight @ correct), float(mean * (1 - mean) / variance), confidence_level)


def _wilson(score: float, n: float, confidence_level: float) -> tuple[float, float]:
    z = norm.ppf((1 + confidence_level) / 2)
    centre = (score + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(score * (1 - score) / n + z**2 / (4 * n**2))
    return float(max(centre - half, 0)), float(min(centre + half, 1))


def _percent(score: float, interval: tuple[float, float]) -> str:
    return f"{100 * score:5.1f} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
