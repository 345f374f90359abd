"""Results of an evaluation: scores over folds with their intervals."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import confusion_matrix

from skaudeep.evaluation.base import FEW_GROUPS, MAX_FOLDS_SHOWN, FoldedEvaluation
from skaudeep.evaluation.comparison import Comparison, Metric, compare, strata
from skaudeep.evaluation.intervals import score_interval
from skaudeep.evaluation.tables import align, list_clips, list_errors, percent

if TYPE_CHECKING:
    import pandas as pd

# Comparisons that are printed have as many bootstrap samples as `compare` has by default, or fewer
# where all controls together would draw more groups than this.
MOST_RESAMPLES, FEWEST_RESAMPLES, MOST_DRAWS = 9999, 999, 4_000_000

__all__ = ["FEW_GROUPS", "Comparison", "Evaluation", "compare"]


@dataclass(frozen=True, repr=False, eq=False)
class Evaluation(FoldedEvaluation):
    r"""Result of `evaluate` for classes. ``print`` shows it as a table.

    All scores are fractions in [0, 1]. UAR, the unweighted average recall, is the mean of the
    recalls of the classes that occur in the test clips of a fold (scikit-learn's balanced
    accuracy). ``accuracy`` and ``uar`` are means over folds and repeats. If a fold lacks a class,
    as a fold of one patient does, who is ill or well, the UAR of a classifier that always predicts
    the most frequent class is above chance. The UAR of all folds together is then printed, too.

    Parameters
    ----------
    target : ndarray of shape (n_clips,), int
        True classes; -1 for an unlabelled clip.
    target_names : list of str
        Class names, in the order of the integers.
    test : list of n_folds int arrays
        Positions in ``target`` of the clips that each fold tests. Folds may overlap.
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
        Evaluations of the same folds with other features or none, with which the pipeline is
        compared; see :func:`evaluate`. Empty if none were asked for.
    groups : array-like of shape (n_clips,), default=None
        Speaker, recording or site of each clip. A clip whose group is "", None or NaN is a group of
        its own. None if no clip has a group.
    controls_left_out : dict of str to str
        The reason why a control is not in ``controls``, by the name of the control.
    filenames : ndarray of shape (n_clips,), str, default=None
        Names of the clips. None if the data set has no names.
    features : ndarray of shape (n_clips, n_features), default=None
        Features of all clips, also of unlabelled ones, if ``evaluate`` was asked to keep them. They
        come from the unsupervised steps, fitted to all clips with the first seed, and are meant for
        pictures and for finding neighbours. No score depends on them. None if they were not kept.
    n_train : float, default=nan
        Mean number of training clips of a fold.
    learning_curve : dict of float to Evaluation
        Evaluations of the same test clips after training on parts of the training clips, by their
        mean number of training clips. Empty if none were asked for.
    unit : {"clip", "group"}, default="clip"
        The unit that is scored. With "group", ``target`` and the other arrays have an entry for
        each group, ``filenames`` are the names of the groups, and ``n_train`` still counts clips.
    group_score : str, default=""
        How a group is scored: "mean probability of its clips" or "mean decision value of its
        clips".
    clips : Evaluation, default=None
        With ``unit="group"``, the same predictions scored clip by clip, else None.
    fold_probabilities : list of n_repeats lists of n_folds arrays, default=None
        Probabilities of the classes for the clips of ``test``, (n_test, n_classes). None if the
        classifier has no probabilities.
    fold_decision_values : list of n_repeats lists of n_folds arrays, default=None
        Decision values of the classes for the clips of ``test``, (n_test, n_classes), of a
        classifier without probabilities. None if it has probabilities, or no decision values
        either.

    Notes
    -----
    **Over clips.** Without groups, each interval covers the variation of the score over *other
    test clips of the same kind*. It assumes that clips are independent, and a clip that is tested
    in several repeats or folds counts once. It does not cover the variation over seeds and
    training sets; for seeds, see the spread of ``fold_accuracy``. It is the score interval of
    Wilson [1]_. Where clips have unequal weights, as in UAR, it is computed at the effective number
    of clips [2]_, :math:`n = s (1 - s) / v`. The variance :math:`v` of the score :math:`s` comes
    from the recalls of the classes, each with one hit and one miss added, so that a class without
    errors has a variance too. For accuracy over equal folds this is Wilson's interval itself.

    **Over groups.** Clips of one speaker or recording are right or wrong together, so that clips
    are fewer than they seem. Where clips have groups, intervals cover the variation of the score
    over *other groups of the same kind*. Wilson's interval is then computed at
    :math:`n = s (1 - s) / v` with

    .. math:: v = \frac{G}{G - 1} \sum_{g=1}^{G} \Big( \sum_{i \in g} w_i (c_i - r_i) \Big)^2,

    the variance of the score between :math:`G` groups [3]_; :math:`w_i` is the weight of a clip in
    the score, :math:`c_i` how often it was right, and :math:`r_i` the score, or for UAR the recall
    of the clip's class. The quantile is Student's with :math:`G - 1` degrees of freedom, and
    :math:`n` is at most that of intervals over clips, both as for surveys of clusters [2]_. If all
    clips are right, or if in each class all clips are right or all are wrong, the variance between
    groups is unknown, and the clips of a group count as one.

    A bootstrap over groups has the same variance, but the percentiles of its scores are too narrow
    for few groups. In simulations with ten clips per group and a nominal level of 95 %, they
    contained the true accuracy in 63 to 86 % of the trials with 5 groups and in 83 to 90 % with 10;
    the intervals here contained it in 97 to 99 % and in 90 to 98 %. The clips of one group tell
    nothing about other groups: with a single group, the interval is over its clips. For intervals
    over clips in spite of groups, use ``dataclasses.replace(evaluation, groups=None)``.

    References
    ----------
    .. [1] E. B. Wilson. Probable inference, the law of succession, and statistical inference.
       Journal of the American Statistical Association 22, 209-212, 1927.
    .. [2] E. L. Korn and B. I. Graubard. Confidence intervals for proportions with small
       expected number of positive counts estimated from survey data. Survey Methodology 24,
       193-201, 1998.
    .. [3] C. A. Field and A. H. Welsh. Bootstrapping clustered data. Journal of the Royal
       Statistical Society B 69, 369-390, 2007; the linear form of a ratio's variance is in
       W. G. Cochran, Sampling Techniques, 3rd edition, Wiley, 1977, section 9A.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.evaluation import Evaluation
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
    UAR is the mean over folds, of which 1 of 2 lack a class; of all folds together it is 83.3 %
    >>> [round(end, 3) for end in evaluation.interval("accuracy")]
    [0.301, 0.954]
    >>> evaluation.to_frame()
          fold target predicted  correct
    clip
    0        1    dog       dog      1.0
    1        2    dog      rain      0.0
    2        1    dog       dog      1.0
    3        2   rain      rain      1.0

    Twenty clips come from four speakers, and those of one speaker are always wrong. The interval
    over groups is wider than that over clips:

    >>> from dataclasses import replace
    >>> over_clips = Evaluation(
    ...     target=np.zeros(20, dtype=int), target_names=["dog", "rain"], test=[np.arange(20)],
    ...     fold_predictions=[[(np.arange(20) % 4 == 3).astype(int)]],
    ...     protocol="inductive", seeds=[0],
    ... )
    >>> over_groups = replace(over_clips, groups=["ann", "bob", "cid", "dot"] * 5)
    >>> over_groups.n_groups
    4
    >>> [round(bound, 2) for bound in over_clips.accuracy_interval]
    [0.53, 0.89]
    >>> [round(bound, 2) for bound in over_groups.accuracy_interval]
    [0.13, 0.98]
    """

    fold_probabilities: list[list[np.ndarray]] | None = None
    fold_decision_values: list[list[np.ndarray]] | None = None

    @cached_property
    def accuracy(self) -> float:
        """Mean over folds and repeats of the share of correct clips."""
        return float(self.fold_accuracy.mean())

    @cached_property
    def uar(self) -> float:
        """Mean over folds and repeats of the unweighted average recall."""
        return float(self.fold_uar.mean())

    def interval(self, metric: Metric) -> tuple[float, float]:
        """Return the confidence interval of a score, over groups, or over clips without groups.

        Parameters
        ----------
        metric : {"accuracy", "uar"}
            The score.

        Returns
        -------
        (float, float)
            Lower and upper end at ``confidence_level``: ``accuracy_interval`` or ``uar_interval``;
            the class tells how they are computed.

        Raises
        ------
        ValueError
            If there is no such score.
        """
        if metric not in ("accuracy", "uar"):
            raise ValueError(f"Got metric={metric!r}; choose 'accuracy', 'uar'.")
        return self.accuracy_interval if metric == "accuracy" else self.uar_interval

    @cached_property
    def accuracy_interval(self) -> tuple[float, float]:
        """Interval (lower, upper) of ``accuracy`` at ``confidence_level``.

        It is over groups, or over clips without groups or with a single one.
        """
        return self._interval("accuracy")

    @cached_property
    def uar_interval(self) -> tuple[float, float]:
        """Interval (lower, upper) of ``uar`` at ``confidence_level``.

        It is over groups, or over clips without groups or with a single one.
        """
        return self._interval("uar")

    @cached_property
    def fold_accuracy(self) -> np.ndarray:
        """Share of correct clips in each repeat and fold, shape (n_repeats, n_folds)."""
        return self._fold_scores("accuracy")

    @cached_property
    def fold_uar(self) -> np.ndarray:
        """UAR of the classes in each fold, in each repeat, shape (n_repeats, n_folds)."""
        return self._fold_scores("uar")

    @cached_property
    def fold_accuracy_interval(self) -> np.ndarray:
        """Intervals of ``fold_accuracy``, shape (n_repeats, n_folds, 2): lower and upper ends."""
        return np.array(
            [
                [self._part([repeat], fold).accuracy_interval for fold in range(len(self.test))]
                for repeat in range(len(self.seeds))
            ]
        )

    @cached_property
    def confusion_matrix(self) -> np.ndarray:
        """Number of clips of each true class (row) and predicted class (column), over all tests.

        A clip counts once for each fold and repeat that tests it. Its shape is (n_classes,
        n_classes). `sklearn.metrics.ConfusionMatrixDisplay` plots it.
        """
        truth = np.concatenate([self.target[test] for test in self.test] * len(self.seeds))
        predicted = np.concatenate([np.concatenate(folds) for folds in self.fold_predictions])
        return confusion_matrix(truth, predicted, labels=range(len(self.target_names)))

    @cached_property
    def predictions(self) -> np.ndarray:
        """Predicted class of each clip in each repeat, shape (n_repeats, n_clips).

        It is -1 where a clip is in no test fold. A clip in several test folds has the class that
        most of them predicted, and of several such classes the first in ``target_names``.
        """
        votes = np.zeros(
            (len(self.seeds), len(self.target), len(self.target_names)), dtype=np.int32
        )
        for repeat, folds in enumerate(self.fold_predictions):
            for test, predicted in zip(self.test, folds, strict=True):
                votes[repeat, test, predicted] += 1
        return np.where(votes.any(axis=2), votes.argmax(axis=2), -1)

    @cached_property
    def probabilities(self) -> np.ndarray | None:
        """Mean probability of each class over the tests of each clip, shape (n_clips, n_classes).

        NaN for a clip that no fold tests. None if the classifier has no probabilities.
        """
        return self._mean_over_tests(self.fold_probabilities)

    @cached_property
    def decision_values(self) -> np.ndarray | None:
        """Mean decision value of each class over the tests of each clip, (n_clips, n_classes).

        A classifier of two classes gives one value, which is that of the second class; minus this
        value is that of the first. NaN for a clip that no fold tests. None if the classifier has
        probabilities, or no decision values for each class.
        """
        return self._mean_over_tests(self.fold_decision_values)

    def _mean_over_tests(self, of_folds: list[list[np.ndarray]] | None) -> np.ndarray | None:
        if of_folds is None:
            return None
        total = np.zeros((len(self.target), len(self.target_names)))
        n_tests = np.zeros((len(self.target), 1))
        for folds in of_folds:
            for test, scores in zip(self.test, folds, strict=True):
                total[test] += scores
                n_tests[test] += 1
        return np.divide(total, n_tests, out=np.full_like(total, np.nan), where=n_tests > 0)

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
            fold_probabilities=None,
            fold_decision_values=None,
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
        stratum = strata(self.target[clips], metric)
        return score_interval(correct, weight, stratum, self._units, self.confidence_level)

    def to_frame(self) -> "pd.DataFrame":
        """Return a table with a row for each tested clip.

        Returns
        -------
        pandas.DataFrame
            Its index, "clip" (or "group"), numbers the clips as in ``target``. The columns are

            * ``filename``, if file names are known (with ``unit="group"`` it is called ``group``),
            * ``group``, if groups are known,
            * ``fold``: number of the fold that tests the clip, from 1; of several folds a text such
              as "1, 3",
            * ``target``: name of the true class,
            * ``predicted``: name of the class that most tests of the clip predicted, over repeats
              and folds (the first in ``target_names``, if there are several),
            * ``correct``: share of the clip's tests, over repeats and folds, that were right, in
              [0, 1],
            * ``probability``: mean probability of the predicted class over these tests, if the
              classifier has probabilities,
            * ``margin``, of a classifier that has decision values and no probabilities: mean
              decision value of the predicted class minus the largest one of the other classes.

        See Also
        --------
        errors : A table of the clips that were wrong.
        """
        return list_clips(self)

    def errors(self) -> "pd.DataFrame":
        """Return a table of the clips that were wrong in at least one test.

        Returns
        -------
        pandas.DataFrame
            The columns of `to_frame`, for clips with ``correct`` below 1, where ``predicted`` is
            the class that the clip was most often mistaken for, and ``probability`` or ``margin``
            is that of this class. The clips that were wrong most often come first, and among equals
            those of which the classifier was surest: with the highest ``probability`` or
            ``margin``.

        Examples
        --------
        >>> import numpy as np
        >>> from skaudeep.evaluation import Evaluation
        >>> evaluation = Evaluation(
        ...     target=np.array([0, 0, 1]), target_names=["dog", "rain"],
        ...     test=[np.arange(3)], fold_predictions=[[np.array([0, 1, 0])]],
        ...     fold_probabilities=[[np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]])]],
        ...     protocol="inductive", seeds=[0], filenames=np.array(["a.wav", "b.wav", "c.wav"]),
        ... )
        >>> evaluation.errors()
             filename  fold target predicted  correct  probability
        clip
        2       c.wav     1   rain       dog      0.0          0.8
        1       b.wav     1    dog      rain      0.0          0.6
        """
        return list_errors(self)

    def __repr__(self) -> str:
        return (
            f"Evaluation(protocol={self.protocol!r}, n_folds={len(self.test)}, "
            f"n_repeats={len(self.seeds)}, accuracy={self.accuracy:.3f}, uar={self.uar:.3f})"
        )

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        n_folds, n_repeats = len(self.test), len(self.seeds)
        shown = self._rows_to_show()
        if 1 < n_folds <= MAX_FOLDS_SHOWN:
            shown |= {f"fold {i + 1}": self._part(range(n_repeats), i) for i in range(n_folds)}
        rows = [("", "  accuracy %", "  UAR %")]
        rows += [
            (
                name,
                percent(result.accuracy, result.accuracy_interval),
                percent(result.uar, result.uar_interval),
            )
            for name, result in shown.items()
        ]
        notes = self._notes_on_intervals(shown) + self._notes_on_classes()
        if n_folds > MAX_FOLDS_SHOWN:
            folds = 100 * self.fold_accuracy.mean(axis=0)
            notes.append(f"accuracy of a fold: {folds.min():.1f} to {folds.max():.1f} %")
        if n_repeats > 1:
            spread = 100 * self.fold_accuracy.mean(axis=1).std(ddof=1)
            notes.append(
                f"accuracy varies by {spread:.1f} points (std) over seeds, in the same folds"
            )
        for name, control in self.controls.items():
            # The seed is fixed so that printing twice shows the same interval.
            paired = compare(
                self,
                control,
                metric="uar",
                n_resamples=self._n_resamples_printed(),
                confidence_level=self.confidence_level,
                random_state=0,
            )
            notes.append(f"against {name}: {paired}")
        if self.controls and (n_resamples := self._n_resamples_printed()) < MOST_RESAMPLES:
            notes.append(
                f"against controls: from {n_resamples} samples of the many groups; "
                f"skaudeep.compare takes {MOST_RESAMPLES}"
            )
        notes += self._notes_on_controls()
        head = self._head(f"{len(self.target_names)} classes")
        return "\n".join([head, *align(rows), *notes])

    def _n_resamples_printed(self) -> int:
        """Return the number of bootstrap samples and sign flips, fewer where groups are many."""
        if self._units is None:
            return MOST_RESAMPLES
        n_draws = (int(self._units.max()) + 1) * len(self.controls)
        return int(np.clip(MOST_DRAWS // n_draws, FEWEST_RESAMPLES, MOST_RESAMPLES))

    def _notes_on_classes(self) -> list[str]:
        """Return a note if folds lack classes, with the UAR of all folds together."""
        n_classes = [len(np.unique(self.target[test])) for test in self.test]
        n_tested = len(np.unique(self.target[self._tested]))
        if not (lacking := sum(n < n_tested for n in n_classes)):
            return []
        counts = self.confusion_matrix
        hits, clips = counts.diagonal(), counts.sum(axis=1)
        uar = (hits[clips > 0] / clips[clips > 0]).mean()
        return [
            f"UAR is the mean over folds, of which {lacking} of {len(self.test)} lack a class; of "
            f"all folds together it is {100 * uar:.1f} %"
        ]

    def _notes_on_intervals(self, shown: Mapping[str, "Evaluation"]) -> list[str]:
        notes = self._notes_on_units(shown)
        if self._units is None:
            return notes
        truth = self.target[self._tested]
        alone = [c for c in np.unique(truth) if len(np.unique(self._units[truth == c])) == 1]
        if alone:
            notes.append(
                f"class {self.target_names[alone[0]]!r}"
                + f" and {len(alone) - 1} more" * (len(alone) > 1)
                + ": all clips are of one group, so that no interval covers other groups of it"
            )
        return notes
