"""Results of an evaluation of clips that may have several classes: average precision and AUC."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from skaudeep._texts import printable
from skaudeep.evaluation.columns import ColumnEvaluation
from skaudeep.evaluation.measures import Measure
from skaudeep.evaluation.ranking import Ranking, wrong_shares
from skaudeep.evaluation.resampling import average_precisions, roc_areas
from skaudeep.evaluation.tables import first_columns

__all__ = ["MultiLabelEvaluation"]


def _average_precision(truth: NDArray, scores: NDArray) -> float:
    both = truth.any() and not truth.all()
    return float(average_precision_score(truth, scores)) if both else math.nan


def _roc_auc(truth: NDArray, scores: NDArray) -> float:
    both = truth.any() and not truth.all()
    return float(roc_auc_score(truth, scores)) if both else math.nan


@dataclass(frozen=True, repr=False, eq=False)
class MultiLabelEvaluation(ColumnEvaluation):
    """Result of `evaluate` for clips that may have several classes. ``print`` shows a table.

    The scores are the average precision and the area under the ROC curve (AUC) of each class, their
    means over classes (macro averages), and the average precision of all pairs of clip and class in
    one ranking (micro average). The average precision of a random ranking is the share of clips
    that have the class, which is printed beside it; its AUC is one half. No score needs a
    threshold.

    Parameters
    ----------
    target : ndarray of shape (n_clips, n_classes), int
        1 if a clip has the class, else 0; -1 in all columns for an unlabelled clip.
    target_names : list of n_classes str
        Names of the classes.
    test : list of n_folds int arrays
        Positions in ``target`` of the clips that each fold tests. Folds may overlap.
    fold_predictions : list of n_repeats lists of n_folds arrays
        Scores of the classes for those clips, (n_test, n_classes): probabilities, or decision
        values of a pipeline without probabilities.
    protocol : {"inductive", "transductive"}
        Whether the unsupervised steps were fitted on the training clips of each fold or on all
        clips.
    seeds : list of n_repeats int
        The seed of each repeat.
    confidence_level : float, default=0.95
        Confidence level of the intervals.
    controls : dict of str to MultiLabelEvaluation
        Evaluations of the same folds with other features, with which the pipeline is compared; see
        :func:`evaluate`. Empty if none were asked for.
    groups : array-like of shape (n_clips,), default=None
        Recording or site of each clip. A clip whose group is "", None or NaN is a group of its own.
        None if no clip has a group.
    controls_left_out : dict of str to str
        The reason why a control is not in ``controls``, by the name of the control.
    filenames : ndarray of shape (n_clips,), str, default=None
        Names of the clips. None if the data set has no names.
    features : ndarray of shape (n_clips, n_features), default=None
        Features of all clips, if ``evaluate`` was asked to keep them, else None.
    n_train : float, default=nan
        Mean number of training clips of a fold.
    learning_curve : dict of float to MultiLabelEvaluation
        Evaluations of the same test clips after training on parts of the training clips, by their
        mean number of training clips. Empty if none were asked for.
    unit : {"clip", "group"}, default="clip"
        The unit that is scored. With "group", ``target`` and all others have an entry for each
        group, and ``filenames`` are the names of the groups.
    group_score : str, default=""
        How a group is scored: "mean probability of its clips" or "mean decision value of its
        clips".
    clips : MultiLabelEvaluation, default=None
        With ``unit="group"``, the same predictions scored clip by clip, else None.

    Notes
    -----
    **Over all folds together.** A score is computed from the test clips of all folds, each scored
    by the model of its fold. A clip that several folds test counts once, by its mean score. Scores
    of several repeats are averaged. Evaluations with one test set, as of AudioSet and FSD50K, do
    the same. The mean over folds would not be better: average precision depends on the share of
    positive clips, which differs between folds. It is uncertain in a fold with few of them, and not
    defined in a fold without any, which is common for rare classes and folds of whole recordings.
    The disadvantage is that scores of several models are ranked together [1]_, for which they need
    a common scale. Probabilities have one, decision values only roughly. `fold_scores` returns the
    scores of each fold.

    **Classes that no test clip, or every test clip, has** have no score. They are in ``left_out``.
    A class has no score either if in each fold its predictions are the same for all clips. Means
    are over the other classes. The micro average is over all classes, also those without a score.

    **Intervals** are Wilson's for :math:`s (1 - s) / v` clips, as those of `anomaly_metrics`, where
    :math:`v` is the variance of the score :math:`s` over 200 bootstrap samples of groups, or of
    clips without groups. If all samples have the same score, the number of groups, or clips, with
    the class is used, or without it if these are fewer. The degrees of freedom of Student's
    quantile are this number minus one, because the variance of few clips is poorly known. A class
    of a single clip or group has no interval. The interval of a mean over classes has
    Satterthwaite's degrees of freedom, and that of the micro average the number of all groups or
    clips minus one. In simulations with ten clips per group, intervals with a
    nominal level of 95 % contained the true score in 86 to 99 % of the trials with 5, 10 and 30
    groups, and percentiles of the same samples in 32 to 92 %. For classes that 2 to 75 of 150 clips
    have, they contained it in 88 to 100 %.

    References
    ----------
    .. [1] G. Forman and M. Scholz. Apples-to-apples in cross-validation studies: pitfalls in
       classifier performance measurement. SIGKDD Explorations 12(1), 49-57, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.evaluation import MultiLabelEvaluation
    >>> evaluation = MultiLabelEvaluation(
    ...     target=np.array([[1, 0], [1, 1], [0, 1], [0, 0]]), target_names=["dog", "rain"],
    ...     test=[np.arange(4)],
    ...     fold_predictions=[[np.array([[0.9, 0.2], [0.4, 0.8], [0.6, 0.7], [0.1, 0.3]])]],
    ...     protocol="inductive", seeds=[0],
    ... )
    >>> round(evaluation.average_precision, 3), evaluation.roc_auc
    (0.917, 0.875)
    >>> print(evaluation)
    inductive, 1 fold, 1 repeat, 4 clips tested, 2 classes, of which a clip may have several
               average precision %   AUC %              micro AP %
    pipeline  91.7 [3.9, 100.0]     87.5 [1.1, 100.0]  95.0 [74.6, 99.2]
    chance    50.0                  50.0               50.0
    dog       83.3 [1.5, 99.9]      75.0 [0.7, 99.9]  chance 50.0 %
    rain     100.0 [1.2, 100.0]    100.0 [1.2, 100.0] chance 50.0 %
    [ ]: 95 % interval over clips
    average precision and AUC of the pipeline are means over classes

    Scores of a class, its interval, and scores of each fold:

    >>> round(evaluation.score("average_precision", "dog"), 3)
    0.833
    >>> [round(end, 2) for end in evaluation.interval("average_precision", "dog")]
    [0.01, 1.0]
    >>> evaluation.fold_scores("roc_auc").tolist()
    [[0.875]]

    Tables of all scores, of the clips, and of those that are ranked most wrongly:

    >>> evaluation.scores()[["name", "metric", "value"]].tail(2)
       name                   metric  value
    5  rain                  roc_auc   1.00
    6   all  micro_average_precision   0.95
    >>> evaluation.to_frame()
          fold       target  dog  rain
    clip
    0        1       (dog,)  0.9   0.2
    1        1  (dog, rain)  0.4   0.8
    2        1      (rain,)  0.6   0.7
    3        1           ()  0.1   0.3
    >>> len(evaluation.errors())  # no clip is ranked below more than half of the others
    0
    """

    measures: ClassVar[Mapping[str, Measure]] = {
        "average_precision": Measure(
            "average precision",
            _average_precision,
            average_precisions,
            "share",
            by_rank=True,
            of_ranking=Ranking.average_precisions,
        ),
        "roc_auc": Measure(
            "AUC", _roc_auc, roc_areas, "share", by_rank=True, of_ranking=Ranking.roc_areas
        ),
        "micro_average_precision": Measure(
            "micro AP",
            _average_precision,
            average_precisions,
            "share",
            by_rank=True,
            of_all=True,
            of_ranking=Ranking.average_precisions,
        ),
    }
    shown: ClassVar[tuple[str, ...]] = ("average_precision", "roc_auc", "micro_average_precision")

    @property
    def average_precision(self) -> float:
        """Average precision, as a mean over repeats and over the classes that have a score."""
        return self.score("average_precision")

    @property
    def roc_auc(self) -> float:
        """Area under the ROC curve, as a mean over repeats and the classes that have a score."""
        return self.score("roc_auc")

    @property
    def micro_average_precision(self) -> float:
        """Average precision of all pairs of clip and class in one ranking, mean over repeats."""
        return self.score("micro_average_precision")

    @cached_property
    def prevalence(self) -> NDArray[np.float64]:
        """Share of the tested clips that have each class: the average precision of chance.

        Its shape is (n_classes,).
        """
        return self._truth.mean(axis=0)

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Classes without a score, because no or every tested clip has them: name to reason."""
        reasons = {}
        for name, share in zip(self.target_names, self.prevalence, strict=True):
            if share in (0, 1):
                which = f"no test {self.unit} has" if share == 0 else f"all test {self.unit}s have"
                reasons[name] = f"{which} it"
        return reasons

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row for each tested clip.

        Returns
        -------
        pandas.DataFrame
            Its index, "clip" (or "group"), numbers the clips as in ``target``. The columns are
            ``filename`` (with ``unit="group"`` it is called ``group``) and ``group`` (if known),
            ``fold`` (the number of the fold that tests the clip, from 1; of several a text),
            ``target`` (the tuple of the names of its classes), and for each class, under its name,
            its mean score over the tests of the clip.
        """
        columns: dict[str, object] = dict(first_columns(self, self._tested))
        columns["target"] = [
            tuple(name for name, has in zip(self.target_names, row, strict=True) if has)
            for row in self._truth
        ]
        scores = dict(zip(self.target_names, self._predicted.mean(axis=0).T, strict=True))
        index = pd.Index(self._tested, name=self.unit)
        return pd.concat(
            [pd.DataFrame(columns, index=index), pd.DataFrame(scores, index=index)], axis=1
        )

    def errors(self) -> pd.DataFrame:
        """Return a table of the pairs of clip and class that are ranked most wrongly.

        Returns
        -------
        pandas.DataFrame
            A row for each error, the largest errors first, by the mean scores of the clips over
            their tests. Classes in ``left_out`` have no errors. A clip with the class that is
            ranked below more than half of the clips without it has the ``kind`` "missed". A clip
            without the class that is ranked above more than half of the clips with it has the
            ``kind`` "false". The other columns are ``filename`` and ``group`` (if known) and
            ``fold``, as in `to_frame`, ``class``, ``score``, and ``share``: the share of the clips
            of the other kind that are ranked wrongly relative to this one, more than 0.5. Equal
            scores count as one half. The index is that of `to_frame`.

        Examples
        --------
        A clip with a dog is ranked last, below both clips without one:

        >>> import numpy as np
        >>> from skaudeep.evaluation import MultiLabelEvaluation
        >>> evaluation = MultiLabelEvaluation(
        ...     target=np.array([[1], [1], [0], [0]]), target_names=["dog"], test=[np.arange(4)],
        ...     fold_predictions=[[np.array([[0.9], [0.1], [0.3], [0.2]])]],
        ...     protocol="inductive", seeds=[0],
        ... )
        >>> evaluation.errors()
              fold class    kind  score  share
        clip
        1        1   dog  missed    0.1    1.0
        """
        parts = []
        scores = self._predicted.mean(axis=0)
        for k, name in enumerate(self.target_names):
            if name in self.left_out:
                continue
            has = self._truth[:, k] > 0
            share = wrong_shares(scores[:, k], has)
            wrong = np.flatnonzero(share > 0.5)
            columns: dict[str, object] = dict(first_columns(self, self._tested[wrong]))
            columns |= {"class": name, "kind": np.where(has[wrong], "missed", "false")}
            columns |= {"score": scores[wrong, k], "share": share[wrong]}
            index = pd.Index(self._tested[wrong], name=self.unit)
            parts.append(pd.DataFrame(columns, index=index))
        if not parts:
            return pd.DataFrame(columns=["class", "kind", "score", "share"])
        return pd.concat(parts).sort_values("share", ascending=False, kind="stable")

    @cached_property
    def _rarer(self) -> NDArray[np.intp]:
        """Number of units with each class, or without it if these are fewer."""
        of_each = [
            [len(np.unique(self._unit_of[part])) for part in (has, ~has)]
            for has in self._truth.T > 0
        ]
        return np.min(of_each, axis=1)

    def _n_units(self, metric: str, columns: list[int] | slice) -> float:
        """Return the rarer units, of several classes by Satterthwaite's degrees of freedom."""
        n_units = super()._n_units(metric, columns)
        if self.measures[metric].of_all:
            return n_units
        if not isinstance(columns, slice):
            return float(self._rarer[columns[0]])
        found = self._resampled[metric]
        known = (self._rarer > 0) & ~np.isnan(found).all(axis=0)
        variances = np.nanvar(found[:, known], axis=0)
        if not variances.any():
            return n_units
        weights = variances / variances.sum()
        freedom = 1 / (weights**2 / np.maximum(self._rarer[known] - 1, 1)).sum()
        return float(min(n_units, 1 + freedom))

    def _least(self, columns: list[int] | slice) -> float:
        """Return the number of units with the rarest class, or without the most frequent one."""
        rarer = self._rarer[columns]
        return float(min(rarer[rarer > 0], default=1))

    def _what(self) -> str:
        n = len(self.target_names)
        if n == 1:
            return f"1 class, which a {self.unit} may have"
        return f"{n} classes, of which a {self.unit} may have several"

    def _column_rows(self) -> list[tuple[str, ...]]:
        known = [name not in self.left_out for name in self.target_names]
        chance = self.prevalence[known]
        rows = []
        if len(chance):
            of_all = self.prevalence.mean()
            rows.append(
                ("chance", *(f"{100 * share:5.1f}" for share in (chance.mean(), 0.5, of_all)))
            )
        for k, name in self._printed_names():
            cells = [
                self.measures[m].show(
                    self.score(m, self.target_names[k]), self.interval(m, self.target_names[k])
                )
                for m in self.shown[:2]
            ]
            rows.append((name, *cells, f"chance {100 * self.prevalence[k]:.1f} %"))
        return rows

    def _more_notes(self) -> list[str]:
        notes = []
        if len(self.target_names) > 1:
            notes.append("average precision and AUC of the pipeline are means over classes")
        for name, reason in self.left_out.items():
            notes.append(f"class left out: {printable(name)}: {reason}")
        return notes
