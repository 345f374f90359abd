"""AnomalyDetector: a threshold on the scores of any estimator that rates how usual a clip is."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin, clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import Tags, get_tags
from sklearn.utils.validation import check_is_fitted

from skaudeep._base import HasMethods, Interval, VersionMixin, all_or_nothing, begin_fit


class AnomalyDetector(
    VersionMixin, CallbackSupportMixin, MetaEstimatorMixin, OutlierMixin, BaseEstimator
):
    """Tell unusual clips from usual ones, by the scores of another estimator.

    The estimator is fitted to clips of which most are usual. `predict` calls a clip unusual whose
    score lies below that of a share of the training clips.

    Parameters
    ----------
    estimator : estimator with `score_samples`
        Higher scores are more usual: a `Seq2SeqAutoencoder`, a `Pipeline` that ends in one, or one
        of scikit-learn such as `IsolationForest`. It is cloned, never fitted itself.
    contamination : float in (0, 0.5], default=0.05
        Share of the training clips that `predict` calls unusual. Of new clips it calls more of them
        unusual where the estimator fits its training clips better than others.

    Attributes
    ----------
    estimator_ : estimator
        The fitted copy of `estimator`.
    offset_ : float
        Threshold of the scores: the quantile `contamination` of those of the training clips.
    n_features_in_ : int
        As `estimator_` counts the features, where it does.

    See Also
    --------
    Seq2SeqAutoencoder.score_samples : Scores by the error of the reconstruction.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep import AnomalyDetector, Seq2SeqAutoencoder
    >>> X = np.sin(np.arange(40 * 20 * 3).reshape(40, 20, 3))  # 40 clips, 20 frames, 3 bands
    >>> autoencoder = Seq2SeqAutoencoder(n_units=8, max_epochs=2, random_state=0)
    >>> detector = AnomalyDetector(autoencoder, contamination=0.1).fit(X)
    >>> int((detector.predict(X) == -1).sum())
    4
    """

    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "estimator": [HasMethods(["fit", "score_samples"])],
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
    }

    def __init__(self, estimator: Any, *, contamination: float = 0.05):
        self.estimator = estimator
        self.contamination = contamination

    @all_or_nothing
    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> AnomalyDetector:
        """Fit a copy of the estimator, and find the threshold of its scores.

        Parameters
        ----------
        X : sequence of n_clips clips
            What the estimator takes.
        y : array-like of shape (n_clips,), default=None
            Passed to the estimator.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If `contamination` is out of its range, or the estimator has no `score_samples`.
        """
        self._validate_params()
        progress = begin_fit(self, X, y, n_subtasks=1)
        task = progress.subcontext(task_name="fit-estimator")
        estimator = clone(self.estimator)
        with task.propagate_callback_context(estimator):
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            estimator.fit(X, y)
            task.call_on_fit_task_end(estimator=self, X=X, y=y)
        self.offset_ = float(np.nanquantile(estimator.score_samples(X), self.contamination))
        self.estimator_ = estimator
        progress.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Return how usual each clip is, as the estimator scores it.

        Parameters
        ----------
        X : sequence of n_clips clips

        Returns
        -------
        ndarray of shape (n_clips,), or (n_clips, n_chunks) where the estimator scores chunks
            Higher is more usual.
        """
        check_is_fitted(self, "estimator_")
        scores: np.ndarray = self.estimator_.score_samples(X)
        return scores

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the scores above the threshold: negative is unusual.

        Parameters
        ----------
        X : sequence of n_clips clips

        Returns
        -------
        ndarray of shape (n_clips,) or (n_clips, n_chunks)
            NaN where the estimator gives no score.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Tell usual clips from unusual ones, as scikit-learn's outlier detectors do.

        Parameters
        ----------
        X : sequence of n_clips clips

        Returns
        -------
        ndarray of shape (n_clips,) or (n_clips, n_chunks), int
            1 for usual; -1 for unusual, and where there is no score.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """Fit and tell usual clips from unusual ones.

        Parameters
        ----------
        X : sequence of n_clips clips
        y : array-like of shape (n_clips,), default=None
            Passed to the estimator.

        Returns
        -------
        ndarray of shape (n_clips,) or (n_clips, n_chunks), int
            As `predict`.
        """
        return self.fit(X, y).predict(X)

    @property
    def n_features_in_(self) -> int:
        """Number of features, as the fitted estimator counts them."""
        if not hasattr(self, "estimator_"):
            raise AttributeError(f"{type(self).__name__} is not fitted")
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the features, as the fitted estimator knows them."""
        if not hasattr(self, "estimator_"):
            raise AttributeError(f"{type(self).__name__} is not fitted")
        return self.estimator_.feature_names_in_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags
