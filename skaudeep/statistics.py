"""BandStatistics: statistics of each band, the baseline of every learned feature."""

from __future__ import annotations

from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skaudeep._base import NamedRowsMixin, VersionMixin, rows
from skaudeep._padding import first_width, stack_features, true_frames

THREE = ("mean", "std", "change")
LAGS = (1, 2, 4, 8)  # frames
MORE = (
    *("max", "min", "quartile_1", "median", "quartile_3"),
    *(f"autocorrelation_{lag}" for lag in LAGS),
    "skewness",
)
MIN_VARIANCE = 1e-4  # added to a variance in a denominator


class BandStatistics(VersionMixin, NamedRowsMixin, TransformerMixin, BaseEstimator):
    """Compute mean, standard deviation and mean absolute change over time of each band.

    This is a baseline for learned representations. With ``extended=True``, it computes the features
    of the control "mel statistics" of :func:`~skaudeep.evaluate`: a simple classifier whose score
    is reported beside that of a pipeline for comparison. Nothing is learned.

    Parameters
    ----------
    extended : bool, default=False
        Whether to add ten statistics of each band, in this order: maximum, minimum, the three
        quartiles (lower quartile, median, upper quartile), autocorrelations at lags of 1, 2, 4 and
        8 frames (0 if the clip is not longer than the lag), and skewness. In the last five, 1e-4 is
        added to the variance by which they divide, so that constant bands have finite values. Over
        eight corpora the ten raise the mean unweighted average recall by 7 percentage points
        (docs/development/features-log.md).

    Attributes
    ----------
    n_features_in_ : int
        Number of bands seen in `fit`.

    See Also
    --------
    Seq2SeqAutoencoder : Features that a recurrent network learns.

    Examples
    --------
    One clip with three frames of one band:

    >>> from skaudeep import BandStatistics
    >>> statistics = BandStatistics().fit([[[0.0], [1.0], [5.0]]])
    >>> statistics.transform([[[0.0], [1.0], [5.0]]]).round(2)
    array([[2.  , 2.16, 2.5 ]], dtype=float32)
    >>> statistics.get_feature_names_out().tolist()
    ['mean_0', 'std_0', 'change_0']
    """

    def __init__(self, extended: bool = False):
        self.extended = extended

    def fit(self, X: Any, y: Any = None) -> Self:
        """Store the number of bands, which `get_feature_names_out` needs and `transform` checks.

        `transform` also works without it.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_frames, n_bands) or (n_clips, n_chunks, n_frames, \
                n_bands), or list of n_clips arrays (n_frames, n_bands) or (n_chunks, n_frames, \
                n_bands)
            Spectrograms. Only the size of the last axis of the first one is read.
        y : None
            Ignored.

        Returns
        -------
        BandStatistics
            The estimator itself.

        Raises
        ------
        ValueError
            If there is no clip, or the first one has fewer than two axes.
        """
        self.n_features_in_ = first_width(X)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Compute the statistics of each clip, or of each chunk.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_frames, n_bands) or (n_clips, n_chunks, n_frames, \
                n_bands), or list of n_clips arrays (n_frames, n_bands) or (n_chunks, n_frames, \
                n_bands)
            Spectrograms. The clips of a list may differ in their numbers of frames and of chunks.
            Trailing frames of NaN are padding.

        Returns
        -------
        ndarray of shape (n_clips, 3 * n_bands) or (n_clips, n_chunks, 3 * n_bands), float32
            The means of all bands, then their standard deviations (which divide by n_frames), then
            the mean absolute differences between consecutive frames (0 for a single frame). With
            ``extended=True`` ten more statistics of all bands follow, in the order of the parameter
            `extended`, so that the last axis has the size 13 * n_bands. NaN where a clip or chunk
            consists of padding alone, and where a clip of a list has fewer chunks than others.

        Raises
        ------
        ValueError
            If there is no clip, or one has NaN before its last frame, no frame, another number of
            axes, or another number of bands than in `fit`.
        """
        found = [self._statistics(np.asarray(x), clip) for clip, x in enumerate(rows(X))]
        return stack_features(found)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Return the names of the statistics.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored.

        Returns
        -------
        ndarray of shape (3 * n_bands,), or (13 * n_bands,) with ``extended=True``, object
            All bands, numbered from 0, of one statistic, then of the next, as in the output:
            ``"mean_0"``, ``"mean_1"`` and so on, then "std", then "change" (the mean absolute
            difference between consecutive frames). With ``extended=True`` there follow "max",
            "min", "quartile_1", "median", "quartile_3", "autocorrelation_1", "_2", "_4" and "_8"
            (by the lag in frames: ``"autocorrelation_2_0"`` is that of band 0 at a lag of 2), and
            "skewness".

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self, "n_features_in_")
        names = product(THREE + MORE * self.extended, range(self.n_features_in_))
        return np.array([f"{name}_{band}" for name, band in names], dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        return tags

    def _statistics(self, x: NDArray, clip: int) -> NDArray[np.float32]:
        if x.ndim == 3 and len(x):
            return np.stack([self._statistics(chunk, clip) for chunk in x])
        n_bands = getattr(self, "n_features_in_", None)
        x = true_frames(x, clip=clip, n_bands=n_bands, reader=type(self).__name__)
        n_frames = len(x)
        if not n_frames:
            n_statistics = len(THREE) + len(MORE) * self.extended
            return np.full(n_statistics * x.shape[1], np.nan, dtype=np.float32)
        ordered = np.sort(np.ascontiguousarray(x.T)) if self.extended else None  # float32 values
        x = x.astype(np.float64)
        change = np.abs(np.diff(x, axis=0)).sum(axis=0) / max(n_frames - 1, 1)
        found = [x.mean(axis=0), x.std(axis=0), change]
        if ordered is not None:
            found += _more(x, ordered)
        return np.concatenate(found).astype(np.float32)


def _more(x: NDArray[np.float64], ordered: NDArray) -> list[NDArray[np.float64]]:
    """Compute the statistics in `MORE` of each column; `ordered` holds its sorted values."""
    n_frames = len(x)
    deviation = x - x.mean(axis=0)
    variance = x.var(axis=0) + MIN_VARIANCE
    return [
        ordered[:, -1],
        ordered[:, 0],
        *(_quantile(ordered, share) for share in (0.25, 0.5, 0.75)),
        *(
            np.einsum("tb,tb->b", deviation[lag:], deviation[: max(0, n_frames - lag)])
            / (n_frames * variance)
            for lag in LAGS
        ),
        (deviation * deviation * deviation).mean(axis=0) / variance**1.5,
    ]


def _quantile(ordered: NDArray, share: float) -> NDArray[np.float64]:
    """Return a quantile of each sorted row, interpolated linearly as by `numpy.quantile`."""
    below, part = divmod(share * (ordered.shape[1] - 1), 1)
    low = ordered[:, int(below)].astype(np.float64)
    high = ordered[:, min(int(below) + 1, ordered.shape[1] - 1)]
    return low + part * (high - low)
