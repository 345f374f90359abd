"""Results of an evaluation of values to regress on: correlations and errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import r2_score

from skaudeep.evaluation.agreement import (
    concordance_correlation,
    pearson,
    root_mean_squared_error,
    spearman,
)
from skaudeep.evaluation.columns import ColumnEvaluation
from skaudeep.evaluation.measures import Measure
from skaudeep.evaluation.resampling import (
    concordances,
    pearsons,
    r2s,
    root_mean_squared_errors,
    spearmans,
)
from skaudeep.evaluation.tables import first_columns

__all__ = ["RegressionEvaluation"]


def _r2(truth: NDArray, predicted: NDArray) -> float:
    return float(r2_score(truth, predicted)) if np.ptp(truth) > 0 else math.nan


@dataclass(frozen=True, repr=False, eq=False)
class RegressionEvaluation(ColumnEvaluation):
    r"""Result of `evaluate` for a regression target. ``print`` shows it as a table.

    The scores are Spearman's rank correlation, which ComParE uses, Pearson's correlation, Lin's
    concordance correlation coefficient (CCC), the root of the mean squared error (RMSE) in the unit
    of the values, and the share of their variance that is explained (R2, the coefficient of
    determination, which is negative if errors exceed those of the mean). With several targets, each
    has its own scores, see `score`, and ``spearman`` and the others, also ``rmse``, are means over
    the targets for which they are defined.

    Parameters
    ----------
    target : ndarray of shape (n_clips, n_targets), float
        True values; NaN for an unlabelled clip.
    target_names : list of n_targets str
        Names of the targets.
    test : list of n_folds int arrays
        Positions in ``target`` of the clips that each fold tests. Folds may overlap.
    fold_predictions : list of n_repeats lists of n_folds arrays
        Predicted values of those clips, (n_test, n_targets).
    protocol : {"inductive", "transductive"}
        Whether the unsupervised steps were fitted on the training clips of each fold or on all
        clips.
    seeds : list of n_repeats int
        The seed of each repeat.
    confidence_level : float, default=0.95
        Confidence level of the intervals.
    controls : dict of str to RegressionEvaluation
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
        Features of all clips, if ``evaluate`` was asked to keep them, else None.
    n_train : float, default=nan
        Mean number of training clips of a fold.
    learning_curve : dict of float to RegressionEvaluation
        Evaluations of the same test clips after training on parts of the training clips, by their
        mean number of training clips. Empty if none were asked for.
    unit : {"clip", "group"}, default="clip"
        The unit that is scored. With "group", ``target`` and all others have an entry for each
        group, and ``filenames`` are the names of the groups.
    group_score : str, default=""
        How a group is scored: "mean prediction of its clips".
    clips : RegressionEvaluation, default=None
        With ``unit="group"``, the same predictions scored clip by clip, else None.

    Notes
    -----
    **Over all folds together.** A score is computed from the test clips of all folds, each
    predicted by the model of its fold. A clip that several folds test counts once, by its mean
    prediction. Scores of several repeats are averaged. Challenges with one test set compute the
    same. A correlation is not a mean over clips: within a fold of one speaker, or of few clips, it
    is another quantity, which varies much. `fold_scores` returns the scores of each fold. The
    disadvantage is that predictions of several models are ranked together. A regressor that
    predicts one value for all clips of a fold, such as the mean of its training targets, then
    correlates negatively with the truth, because the mean is low if the test clips are high. The
    correlations of such predictions are therefore not defined: they are NaN, and printed as "-".
    Their CCC is 0, as it is in each fold, see
    :func:`~skaudeep.evaluation.concordance_correlation`. If each fold tests one clip, such
    predictions are recognised by their correlation of -1.

    **Intervals** come from the spread of the score over 200 bootstrap samples of groups, or of
    clips without groups, with Student's quantile for the number of groups minus one degrees of
    freedom. The spread is half the width of the central 68 %. Correlations are taken on Fisher's z
    scale [1]_, as Lin does for CCC [2]_, errors on a logarithmic scale, and R2 on a logarithmic
    scale of the share that is not explained. In simulations with ten clips per group, intervals
    with a nominal level of 95 % contained the true score in 88 to 97 % of the trials with 5, 10 and
    30 groups, and percentiles of the same samples in 76 to 98 %. Like those of
    :class:`~skaudeep.evaluation.Evaluation`, they do not cover the variation over seeds and
    training sets.

    References
    ----------
    .. [1] R. A. Fisher. On the "probable error" of a coefficient of correlation deduced from a
       small sample. Metron 1, 3-32, 1921.
    .. [2] L. I.-K. Lin. A concordance correlation coefficient to evaluate reproducibility.
       Biometrics 45, 255-268, 1989.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.evaluation import RegressionEvaluation
    >>> sleepiness = np.arange(12.0).reshape(-1, 1)
    >>> evaluation = RegressionEvaluation(
    ...     target=sleepiness, target_names=["sleepiness"], test=[np.arange(12)],
    ...     fold_predictions=[[sleepiness + np.array([[2.0], [-2.0], [0.5]] * 4)]],
    ...     protocol="inductive", seeds=[0],
    ... )
    >>> print(evaluation)
    inductive, 1 fold, 1 repeat, 12 clips tested, 1 target
               Spearman              Pearson               CCC                   RMSE
    pipeline  0.893 [0.611, 0.974]  0.896 [0.759, 0.957]  0.893 [0.777, 0.950] 1.66 [1.29, 2.14]
    [ ]: 95 % interval over clips
    >>> round(evaluation.spearman, 3), round(evaluation.score("rmse", "sleepiness"), 3)
    (0.893, 1.658)
    >>> [round(end, 2) for end in evaluation.interval("rmse", "sleepiness")]
    [1.29, 2.14]
    >>> evaluation.fold_scores("rmse").round(3)
    array([[1.658]])

    Tables of all scores, of the clips, and of those with the largest errors:

    >>> evaluation.scores()[["name", "metric", "value"]].round(2)
             name    metric  value
    0  sleepiness  spearman   0.89
    1  sleepiness   pearson   0.90
    2  sleepiness       ccc   0.89
    3  sleepiness      rmse   1.66
    4  sleepiness        r2   0.77
    >>> evaluation.to_frame().tail(2)
          fold  target  predicted  error
    clip
    10       1    10.0        8.0   -2.0
    11       1    11.0       11.5    0.5
    >>> evaluation.errors().head(1)
          fold  target  predicted  error
    clip
    0        1     0.0        2.0    2.0
    """

    measures: ClassVar[Mapping[str, Measure]] = {
        "spearman": Measure("Spearman", spearman, spearmans, "correlation", by_rank=True),
        "pearson": Measure("Pearson", pearson, pearsons, "correlation"),
        "ccc": Measure(
            "CCC", concordance_correlation, concordances, "correlation", of_constant=0.0
        ),
        "rmse": Measure(
            "RMSE", root_mean_squared_error, root_mean_squared_errors, "size", needs_order=False
        ),
        "r2": Measure("R2", _r2, r2s, "explained", needs_order=False),
    }
    shown: ClassVar[tuple[str, ...]] = ("spearman", "pearson", "ccc", "rmse")

    @property
    def spearman(self) -> float:
        """Spearman's rank correlation, the mean over repeats and the targets that have one."""
        return self.score("spearman")

    @property
    def pearson(self) -> float:
        """Pearson's correlation, the mean over repeats and the targets that have one."""
        return self.score("pearson")

    @property
    def ccc(self) -> float:
        """Lin's concordance correlation, the mean over repeats and the targets that have one."""
        return self.score("ccc")

    @property
    def rmse(self) -> float:
        """Root of the mean squared error over the test clips of all folds together.

        It is the mean over targets and repeats, in the unit of the values.
        """
        return self.score("rmse")

    @property
    def r2(self) -> float:
        """Coefficient of determination over the test clips of all folds together; at most 1.

        It is the mean over repeats and over the targets for which it is defined.
        """
        return self.score("r2")

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row for each tested clip.

        Returns
        -------
        pandas.DataFrame
            Its index, "clip" (or "group"), numbers the clips as in ``target``. The columns are
            ``filename`` (with ``unit="group"`` it is called ``group``) and ``group`` (if known),
            ``fold`` (the number of the fold that tests the clip, from 1; of several a text),
            ``target``, ``predicted`` (the mean over the tests of the clip), and ``error`` (the
            prediction minus the target). With several targets there are the last three for each,
            with its name: ``"target arousal"``.

        See Also
        --------
        errors : The same table, the largest errors first.
        """
        columns = first_columns(self, self._tested)
        predicted = self._predicted.mean(axis=0)
        for k, name in enumerate(self.target_names):
            of = "" if len(self.target_names) == 1 else f" {name}"
            columns[f"target{of}"] = self._truth[:, k]
            columns[f"predicted{of}"] = predicted[:, k]
            columns[f"error{of}"] = predicted[:, k] - self._truth[:, k]
        return pd.DataFrame(columns, index=pd.Index(self._tested, name=self.unit))

    def errors(self) -> pd.DataFrame:
        """Return a table of the tested clips, those with the largest errors first.

        Returns
        -------
        pandas.DataFrame
            The rows and columns of `to_frame`, also those without an error, sorted by the absolute
            error. With several targets, they are sorted by its mean over targets, each in units of
            the standard deviation of the target's true values.
        """
        error = np.abs(self._predicted.mean(axis=0) - self._truth)
        deviation = self._truth.std(axis=0)
        order = (error / np.where(deviation > 0, deviation, 1)).mean(axis=1)
        return self.to_frame().iloc[np.argsort(-order, kind="stable")]

    def _what(self) -> str:
        n = len(self.target_names)
        return f"{n} target{'s'[: n != 1]}"

    def _column_rows(self) -> list[tuple[str, ...]]:
        if len(self.target_names) == 1:
            return []
        return [
            (
                name,
                *(
                    self.measures[m].show(
                        self.score(m, self.target_names[k]), self.interval(m, self.target_names[k])
                    )
                    for m in self.shown
                ),
            )
            for k, name in self._printed_names()
        ]

    def _more_notes(self) -> list[str]:
        notes = []
        if len(self.target_names) > 1:
            notes.append(f"scores above those of a target are means over {self._what()}")
        return notes
