"""DistanceScorer: clips are unusual where their features are far from those of normal clips."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.utils.validation import check_is_fitted, validate_data

from skaudeep._base import StrOptions, VersionMixin, all_or_nothing

SMALLEST = 1e-12  # smallest distance whose logarithm is taken: training clips have distance 0


class DistanceScorer(VersionMixin, BaseEstimator):
    r"""Score clips by the distance of their features to those of the training clips.

    Parameters
    ----------
    distance : {"both", "mahalanobis", "nearest"}, default="both"
        The distance that is measured.

        - "mahalanobis": Mahalanobis distance to the mean of the training clips, with the shrunk
          covariance of Ledoit and Wolf [1]_. It finds unusual combinations of features that are
          usual one by one.
        - "nearest": Euclidean distance to the nearest training clip. It suits normal clips that
          form several clusters.
        - "both": both distances, as the sum of their logarithms (the logarithm of their product).

        The score is minus what is measured, see `score_samples`.

    Attributes
    ----------
    mean_ : ndarray of shape (`n_features_in_`,)
        Mean of the training clips.
    components_ : ndarray of shape (n_components, `n_features_in_`)
        Principal components of the training clips; at most as many as there are clips.
    variances_ : ndarray of shape (n_components,)
        Shrunk variance of the training clips along each component.
    rest_ : float
        Shrunk variance along each direction that is orthogonal to all components.
    clips_ : ndarray of shape (n_clips, `n_features_in_`), float32
        Features of the training clips, without those of NaN.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X of `fit` was a data frame.

    See Also
    --------
    skaudeep.recipes.anomaly_scorer : A DistanceScorer with the feature extractor that did best.
    AnomalyDetector : A threshold on the scores.

    Notes
    -----
    Standardise the features first, because features of larger variance weigh more in both
    distances. A row of NaN stands for a clip that could not be read: `fit` leaves it out, and its
    score is NaN. NaN in a part of a row is an error.

    References
    ----------
    .. [1] O. Ledoit, M. Wolf. A well-conditioned estimator for large-dimensional covariance
       matrices. Journal of Multivariate Analysis 88, 365-411, 2004.

    Examples
    --------
    Both features of the last clip are usual, but not together.

    >>> import numpy as np
    >>> from skaudeep import DistanceScorer
    >>> x = np.random.default_rng(0).normal(size=(100, 1))
    >>> scorer = DistanceScorer().fit(np.hstack([x, x + 0.01 * x**2]))
    >>> scorer.score_samples([[0.5, 0.5], [0.5, -0.5]]).round(1)
    array([ 3.6, -1.1])
    """

    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "distance": [StrOptions({"both", "mahalanobis", "nearest"})],
    }

    def __init__(self, distance: str = "both"):
        self.distance = distance

    @all_or_nothing
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Compute the mean and the covariance of the clips, and store the clips.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features of normal clips, standardised. Rows of NaN are left out.
        y : None
            Ignored.

        Returns
        -------
        self : DistanceScorer
            The fitted scorer.

        Raises
        ------
        ValueError
            If there are fewer than two clips, all are the same, a value is infinite, or a row is
            NaN in part.
        """
        self._validate_params()
        features = self._checked(X, reset=True)
        features = features[~np.isnan(features).all(axis=1)]
        n_clips, n_features = features.shape
        if n_clips < 2:
            raise ValueError(
                f"Got n_samples={n_clips} clips with features, expected at least 2 to measure "
                "distances by; give more clips."
            )
        self.mean_ = features.mean(axis=0)
        centred = features - self.mean_
        shrinkage = ledoit_wolf_shrinkage(centred, assume_centered=True, block_size=1024)
        _, sizes, self.components_ = np.linalg.svd(centred, full_matrices=False)
        variances = sizes**2 / n_clips
        mean_variance = variances.sum() / n_features
        if not mean_variance > 0:
            raise ValueError(
                f"Got {n_clips} clips with the same features, expected clips that differ, by which "
                "distances are measured. Are they all silent?"
            )
        # A covariance of a single feature is not shrunk; then it has no rest either.
        self.rest_ = float(max(shrinkage * mean_variance, SMALLEST * mean_variance))
        self.variances_ = np.maximum((1 - shrinkage) * variances, 0) + self.rest_
        self.clips_ = features.astype(np.float32)
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return how usual each clip is.

        The score is minus the distance, or, with ``distance="both"``, minus the natural logarithm
        of the product of the distances. Before the logarithm is taken, a distance below 1e-12 is
        raised to 1e-12: the nearest training clip of a training clip is this clip itself, at
        distance 0.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Features of clips, standardised as those of `fit`.

        Returns
        -------
        ndarray of shape (n_clips,), float64
            Higher is more usual. At most 0 for "mahalanobis" and "nearest"; of either sign for
            "both". NaN for rows of NaN.

        Raises
        ------
        ValueError
            If X has another number of features than in `fit`, a value is infinite, or a row is NaN
            in part.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self)
        features = self._checked(X, reset=False)
        known = ~np.isnan(features).all(axis=1)
        scores = np.full(len(features), np.nan)
        if not known.any():
            return scores
        features = features[known]
        distances = []
        if self.distance in ("both", "mahalanobis"):
            distances.append(self._mahalanobis(features))
        if self.distance in ("both", "nearest"):
            # float64, because in float32 small distances would be rounding errors of large squares.
            clips = self.clips_.astype(np.float64)
            distances.append(pairwise_distances_argmin_min(features, clips)[1])
        if self.distance == "both":
            distances = [np.log(np.maximum(distance, SMALLEST)) for distance in distances]
        scores[known] = -sum(distances)
        return scores

    def _mahalanobis(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        centred = features - self.mean_
        inside = centred @ self.components_.T
        outside = np.maximum((centred**2).sum(axis=1) - (inside**2).sum(axis=1), 0)
        squares: NDArray[np.float64] = (inside**2 / self.variances_).sum(axis=1)
        return np.sqrt(squares + outside / self.rest_)

    def _checked(self, X: ArrayLike, *, reset: bool) -> NDArray[np.float64]:
        features = validate_data(
            self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=reset
        )
        missing = np.isnan(features)
        torn = missing.any(axis=1) & ~missing.all(axis=1)
        if torn.any():
            row = int(np.argmax(torn))
            raise ValueError(
                f"Got NaN in {missing[row].sum()} of {features.shape[1]} features of clip {row}, "
                "expected numbers, or NaN in all of them for a clip that could not be read."
            )
        return features
