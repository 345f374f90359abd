"""AnomalyDetector: a threshold on the scores of any estimator that rates how usual a clip is."""

from __future__ import annotations

import warnings
from math import ceil
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin, clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import Tags, check_random_state, get_tags
from sklearn.utils.validation import check_is_fitted

from skaudeep._base import (
    HasMethods,
    Interval,
    VersionMixin,
    all_or_nothing,
    begin_fit,
    num_samples,
)
from skaudeep._padding import empty_rows
from skaudeep._warnings import find_stack_level
from skaudeep.datasets.axes import is_segment_index
from skaudeep.datasets.groups import group_numbers
from skaudeep.datasets.operations import take
from skaudeep.recipes import anomaly_scorer

MIN_HELD_OUT = 0.2  # share of the clips that is held out, where the threshold needs no more
MAX_HELD_OUT = 0.5  # largest share that is held out, where the threshold needs more
FLOAT32_ROUNDING = 1e-6  # relative
OTHER_LENGTH = 1.5  # times as long or as short: a threshold says nothing of such clips
ROUNDING = 1e-9  # (n + 1) * rate is a whole number, if it differs by less from one.


class AnomalyDetector(
    VersionMixin, CallbackSupportMixin, MetaEstimatorMixin, OutlierMixin, BaseEstimator
):
    r"""Tell unusual clips from usual ones, by the scores of another estimator.

    The estimator is fitted to a part of the normal clips. The scores of the other clips, which it
    has not seen, set the threshold, so that `predict` is expected to call the share
    `false_alarm_rate` of new normal clips unusual (split conformal prediction [1]_).

    Parameters
    ----------
    estimator : estimator with `score_samples`, default=None
        The estimator that scores clips; higher scores are more usual. It may be a
        `DistanceScorer`, a `Seq2SeqAutoencoder`, a `Pipeline` that ends in one of them, or an
        outlier detector of scikit-learn such as `IsolationForest`. `fit` fits a clone of it. None
        uses :func:`~skaudeep.recipes.anomaly_scorer` with its defaults, which reads audio files of
        one sampling rate.
    false_alarm_rate : float in (0, 0.5], default=0.05
        Expected share of new normal clips that `predict` calls unusual.
    held_out : float in (0, 1), default=None
        Share of the clips of `fit` that set the threshold and are not given to the estimator. The
        threshold needs at least ``1 / false_alarm_rate - 1`` clips. None holds out a fifth of the
        clips, or as many as the threshold needs where that is more; if this is more than half of
        the clips, `fit` raises an error, as it does if a share gives fewer than the threshold
        needs. With a share and with None the number of clips is rounded down, so that it suits the
        rate (see the notes): of 500 clips, 99 are held out for a rate of 0.05. Whole groups, see
        `fit`, may raise it. If X is an array, rows that are NaN throughout do not count in these
        numbers and are never held out; the estimator gets them.
    random_state : int, RandomState instance or None, default=None
        Seed or generator that draws the clips to hold out. None draws others in each call of `fit`.

    Attributes
    ----------
    estimator_ : estimator
        The copy of `estimator`, fitted to the clips that were not held out.
    offset_ : float
        Threshold of the scores: clips with a lower score are unusual.
    held_out_ : ndarray of int
        Numbers of the rows of X in `fit` that were held out, in ascending order. Empty after
        `calibrate`.
    held_out_scores_ : ndarray of shape (n_scores,)
        The scores that set the threshold, in ascending order: one for each held-out clip (or chunk,
        where the estimator scores chunks), without NaN.
    clip_duration_ : float or None
        Median length in seconds of the clips of `fit`, if these are windows, a (file, start, end)
        index; else None. Of an even number it is the longer of the two in the middle. Windows of
        about this length should be scored.
    n_features_in_ : int
        Number of features seen in `fit`, where `estimator_` has this attribute.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen in `fit`, where `estimator_` has this attribute.

    See Also
    --------
    skaudeep.evaluation.evaluate_anomalies : AUC and pAUC of a detector, as in DCASE's task 2.
    Seq2SeqAutoencoder.score_samples : Scores by the error of the reconstruction.

    Notes
    -----
    With :math:`n` held-out scores and the rate :math:`a`, the threshold is the
    :math:`\lfloor (n + 1) a \rfloor`-th smallest score. If new normal clips and the held-out ones
    are exchangeable, the probability that a new one is called unusual is
    :math:`\lfloor (n + 1) a \rfloor / (n + 1)`, whatever the estimator and the distribution of its
    scores. The number of held-out clips is chosen so that this equals `false_alarm_rate`, or, where
    no such number exists, is just below it. It may be smaller where whole groups or missing scores
    change the number. The threshold is lowered by a millionth of its size, so that rounding of
    scores does not cross it. The rate is a mean over detectors: the share of false alarms of a
    single detector has the distribution :math:`\mathrm{Beta}(k, n + 1 - k)` with
    :math:`k = \lfloor (n + 1) a \rfloor`. For a rate of 5 %, this share lies between 0.3 and 14.6 %
    in 90 of 100 cases with 19 held-out clips, and between 2.0 and 9.0 % with 99.

    Clips of one session, machine or day resemble one another. If such groups are given, whole
    groups are held out, because new clips come from new groups. The number of groups then matters
    more than the number of clips.

    References
    ----------
    .. [1] V. Vovk, A. Gammerman, G. Shafer. Algorithmic Learning in a Random World. Springer, 2005;
       R. Laxhammar, G. Falkman. Inductive conformal anomaly detection for sequential detection of
       anomalous sub-trajectories. Annals of Mathematics and Artificial Intelligence 74, 67-94,
       2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from skaudeep import AnomalyDetector
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 3))
    >>> detector = AnomalyDetector(IsolationForest(random_state=0), random_state=0).fit(X)
    >>> len(detector.held_out_)
    99
    >>> float((detector.predict(rng.normal(size=(2000, 3))) == -1).mean().round(2))
    0.06
    >>> strange = [[9.0, 9.0, 9.0]]
    >>> bool(detector.decision_function(strange) == detector.score_samples(strange)
    ...      - detector.offset_)
    True
    >>> len(detector.calibrate(rng.normal(size=(39, 3))).held_out_scores_)
    39
    >>> int(detector.fit_predict([*X, *strange])[-1])
    -1
    """

    # Metadata routing passes groups to `fit` by default, as to scikit-learn's splitters.
    __metadata_request__fit = {"groups": True}  # noqa: RUF012 (scikit-learn's own form)

    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "estimator": [HasMethods(["fit", "score_samples"]), None],
        "false_alarm_rate": [Interval(Real, 0, 0.5, closed="right")],
        "held_out": [Interval(Real, 0, 1, closed="neither"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        false_alarm_rate: float = 0.05,
        held_out: float | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.estimator = estimator
        self.false_alarm_rate = false_alarm_rate
        self.held_out = held_out
        self.random_state = random_state

    @all_or_nothing
    @with_callbacks
    def fit(self, X: Any, y: Any = None, groups: ArrayLike | None = None) -> AnomalyDetector:
        """Fit a copy of the estimator to a part of the clips, and set the threshold by the others.

        Parameters
        ----------
        X : sequence of n_clips clips
            Normal clips, in any form that the estimator takes.
        y : array-like of shape (n_clips,), default=None
            Labels. Those of the clips that are not held out are passed to the `fit` of the
            estimator, which gets None if there are none.
        groups : array-like of shape (n_clips,), default=None
            Session, machine or day of each clip. Whole groups are held out. A clip whose group is
            "", None or NaN is a group of its own. With None, each clip is a group of its own. The
            estimator does not receive the groups.

        Returns
        -------
        self : AnomalyDetector
            The fitted detector.

        Raises
        ------
        ValueError
            If a parameter is out of its range, the estimator has no `score_samples`, there is not
            one group for each clip, the threshold would be infinite, or there are too few clips,
            groups or scores for `false_alarm_rate`.
        TypeError
            If X is a sparse matrix.
        """
        self._validate_params()
        if issparse(X):
            raise TypeError(
                "Got X as a sparse matrix, expected a sequence of clips; pass X.toarray()."
            )
        X, y = (
            values if values is None or hasattr(values, "__getitem__") else np.asarray(values)
            for values in (X, y)
        )
        n_clips = num_samples(X)
        if groups is not None and num_samples(groups) != n_clips:
            raise ValueError(
                f"Got {num_samples(groups)} groups for {n_clips} clips, expected one for each."
            )
        units = None if groups is None else group_numbers(groups)
        units = np.arange(n_clips) if units is None else units
        rated = np.arange(n_clips)
        if isinstance(X, np.ndarray) and X.size:
            rated = rated[~empty_rows(X)]  # Clips without values have no score.
        held_out = rated[self._draw(units[rated])]
        train = np.setdiff1d(np.arange(n_clips), held_out)
        progress = begin_fit(self, X, y, n_subtasks=1)
        task = progress.subcontext(task_name="fit-estimator")
        estimator = anomaly_scorer() if self.estimator is None else clone(self.estimator)
        of_train = take(X, train), None if y is None else take(y, train)
        with task.propagate_callback_context(estimator):
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            estimator.fit(*of_train)
            task.call_on_fit_task_end(estimator=self, X=X, y=y)
        self._set_threshold(estimator.score_samples(take(X, held_out)))
        self.estimator_ = estimator
        self.held_out_ = held_out
        self.clip_duration_ = _median_duration(X)
        progress.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    @all_or_nothing
    def calibrate(self, X: Any) -> AnomalyDetector:
        """Set the threshold again from other normal clips, without fitting the estimator again.

        Use it where recordings of another place or season sound different, where normal clips were
        kept for this purpose, or after `false_alarm_rate` has been changed.

        Parameters
        ----------
        X : sequence of n_clips clips
            Normal clips that the estimator was not fitted to, at least ``1 / false_alarm_rate - 1``
            of them with a score other than NaN. They replace those that set the threshold before.

        Returns
        -------
        self : AnomalyDetector
            The detector with its new threshold.

        Raises
        ------
        ValueError
            If a parameter is out of its range, there are too few clips with a score for
            `false_alarm_rate`, or the threshold would be infinite.
        sklearn.exceptions.NotFittedError
            If the detector is not fitted.
        """
        check_is_fitted(self)
        self._validate_params()
        self._set_threshold(self.score_samples(X))
        self.held_out_ = np.arange(0)
        return self

    def _draw(self, units: NDArray[np.intp]) -> NDArray[np.intp]:
        """Choose the clips that set the threshold, by the group of each clip."""
        n_clips, least = len(units), self._n_needed(1)
        wanted = max(least, MIN_HELD_OUT * n_clips)
        if self.held_out is not None:
            wanted = self.held_out * n_clips
        n_ranks = int((wanted + 1) * self.false_alarm_rate + ROUNDING)
        largest = n_clips * (MAX_HELD_OUT if self.held_out is None else 1)
        if n_ranks < 1 or least > largest or least >= n_clips:
            raise ValueError(self._too_few(n_clips, int(min(wanted, largest))))
        # The number n is chosen so that (n + 1) times the rate is a whole number: then the expected
        # share of false alarms is exactly the rate.
        n_held_out = self._n_needed(n_ranks)
        names, sizes = np.unique(units, return_counts=True)
        order = check_random_state(self.random_state).permutation(len(names))
        n_groups = int(np.searchsorted(np.cumsum(sizes[order]), n_held_out)) + 1
        if n_groups >= len(names):
            raise ValueError(
                f"Got {n_clips} clips of {len(names)} groups, too few for held-out groups of "
                f"{n_held_out} clips with others to fit the estimator to. Expected more groups; or "
                "pass no groups, if clips of one group are no more alike than others."
            )
        return np.flatnonzero(np.isin(units, names[order[:n_groups]]))

    def _n_needed(self, n_ranks: int) -> int:
        """Return the smallest number of scores of which n_ranks may lie below the threshold."""
        return ceil(n_ranks / self.false_alarm_rate - ROUNDING) - 1

    def _too_few(self, given: int, n_held_out: int) -> str:
        least = self._n_needed(1)
        share = f"held_out={self.held_out:g}" if self.held_out is not None else "at most half"
        n_clips = least / (self.held_out or MAX_HELD_OUT)
        return (
            f"Got n_samples={given} clips, of which {n_held_out} would be held out ({share}), "
            f"expected at least {least} held-out clips for false_alarm_rate="
            f"{self.false_alarm_rate:g} (1 / rate - 1). Give {ceil(n_clips - ROUNDING)} normal "
            "clips, or raise false_alarm_rate or held_out."
        )

    def _set_threshold(self, scores: Any) -> None:
        scores = np.sort(np.asarray(scores, dtype=np.float64), axis=None)  # NaN comes last
        known = scores[~np.isnan(scores)]
        n_ranks = int((len(known) + 1) * self.false_alarm_rate + ROUNDING)
        if not n_ranks:
            raise ValueError(
                f"Got {len(known)} scores of normal clips, and {len(scores) - len(known)} that are "
                f"NaN, expected at least {self._n_needed(1)} for false_alarm_rate="
                f"{self.false_alarm_rate:g} (1 / rate - 1). Give more clips, or raise "
                "false_alarm_rate."
            )
        if not np.isfinite(known[n_ranks - 1]):
            raise ValueError(
                f"Got {np.isinf(known).sum()} infinite scores of {len(known)} normal clips: the "
                f"threshold would be {known[n_ranks - 1]}, expected finite scores. Check "
                f"score_samples of {type(self.estimator).__name__}."
            )
        # The clip that sets the threshold stays above it when it is scored again in another batch.
        self.offset_ = float(known[n_ranks - 1] - FLOAT32_ROUNDING * abs(known[n_ranks - 1]))
        self.held_out_scores_ = known

    def score_samples(self, X: Any) -> np.ndarray:
        """Return how usual each clip is, as the estimator scores it.

        Parameters
        ----------
        X : sequence of n_clips clips
            Clips to score, in the form that `fit` took.

        Returns
        -------
        ndarray of shape (n_clips,), or (n_clips, n_chunks) where the estimator scores chunks
            Higher is more usual. NaN where the estimator gives no score, for example for a clip
            that could not be read.

        Warns
        -----
        UserWarning
            If X holds windows whose median length is 1.5 times `clip_duration_` or more, or as much
            shorter: the threshold does not fit their scores.
        """
        check_is_fitted(self, "estimator_")
        _warn_of_other_lengths(getattr(self, "clip_duration_", None), X)
        scores: np.ndarray = self.estimator_.score_samples(X)
        return scores

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the score of each clip minus the threshold.

        Parameters
        ----------
        X : sequence of n_clips clips
            Clips to score, in the form that `fit` took.

        Returns
        -------
        ndarray of shape (n_clips,) or (n_clips, n_chunks)
            Negative for unusual clips, otherwise zero or positive. NaN where the estimator gives no
            score.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Tell usual clips from unusual ones, as scikit-learn's outlier detectors do.

        Parameters
        ----------
        X : sequence of n_clips clips
            Clips to classify, in the form that `fit` took.

        Returns
        -------
        ndarray of shape (n_clips,) or (n_clips, n_chunks), int
            1 for usual; -1 for unusual, and where there is no score.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """Fit the detector to clips, and tell the usual ones among them from the unusual ones.

        It is ``fit(X, y).predict(X)``: there are no groups, and most of the clips are those to
        which the estimator was fitted, so that usually a smaller share than `false_alarm_rate` of
        them is called unusual.

        Parameters
        ----------
        X : sequence of n_clips clips
            Clips, most of them normal, in any form that the estimator takes.
        y : array-like of shape (n_clips,), default=None
            Labels. Those of the clips that are not held out are passed to the `fit` of the
            estimator. None: there are none.

        Returns
        -------
        ndarray of shape (n_clips,) or (n_clips, n_chunks), int
            1 for usual; -1 for unusual, and where there is no score.
        """
        return self.fit(X, y).predict(X)

    @property
    def n_features_in_(self) -> int:
        """Number of features seen in `fit`, where the fitted estimator has this attribute."""
        if not hasattr(self, "estimator_"):
            raise AttributeError(f"{type(self).__name__} is not fitted")
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the features seen in `fit`, where the fitted estimator has this attribute."""
        if not hasattr(self, "estimator_"):
            raise AttributeError(f"{type(self).__name__} is not fitted")
        return self.estimator_.feature_names_in_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        if self.estimator is not None:
            tags.input_tags = get_tags(self.estimator).input_tags
        return tags


def _median_duration(X: Any) -> float | None:
    """Return the median length of windows in seconds; None if it is unknown.

    It is the length of a window, never the mean of a whole one and a rest.
    """
    if not is_segment_index(X) or not len(X):
        return None
    index = getattr(X, "index", X)
    ends, starts = (index.get_level_values(name).total_seconds() for name in ("end", "start"))
    lengths = np.sort(np.asarray(ends - starts, dtype=float))  # NaN, of pieces without an end, last
    return None if np.isnan(lengths[-1]) else float(lengths[len(lengths) // 2])


def _warn_of_other_lengths(learnt: float | None, X: Any) -> None:
    given = None if learnt is None else _median_duration(X)
    if not learnt or not given or max(given / learnt, learnt / given) < OTHER_LENGTH:
        return
    warnings.warn(
        f"Got windows of {given:.4g} s, and the detector was fitted to windows of {learnt:.4g} s: "
        f"its threshold does not fit their scores. Give windows of {learnt:.4g} s.",
        stacklevel=find_stack_level(),
    )
