"""Descriptors of frames, such as their centroid and cepstrum, and statistics of their course."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import dct
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skaudeep._base import (
    COUNT,
    LearningTags,
    NamedRowsMixin,
    StrOptions,
    VersionMixin,
    all_or_nothing,
    rows,
)
from skaudeep._padding import first_width, pad, stack_features, true_frames

DYNAMIC_RANGE = 60.0  # dB from -1 to 1, as of a spectrogram with clip_below=-60
LOUDNESS = 0.23  # exponent from power to loudness
N_CEPSTRA = 12
N_QUARTERS = 4  # parts of the range of bands whose levels stand beside that of the frame
# Offset and scale of each descriptor: (value - offset) / scale is clipped to [-1, 1]. They are the
# mean and four standard deviations over the frames of eight corpora, rounded
# (docs/development/features-log.md).
DESCRIPTORS: dict[str, tuple[float, float]] = {
    "level": (-34, 61),  # dB below the loudest band of the clip
    "loudness": (-2.3, 2.5),
    "centroid": (0.24, 0.6),  # frequencies are fractions of the range of bands
    "spread": (0.14, 0.34),
    "skewness": (2.2, 12),
    "entropy": (2.6, 3.6),
    "rolloff_25": (0.14, 0.46),
    "rolloff_50": (0.21, 0.64),
    "rolloff_75": (0.31, 0.88),
    "rolloff_90": (0.42, 1.06),
    "slope": (-21, 67),  # dB over the range of bands
    "sharpness": (0.39, 0.29),
    "flux": (2.4, 6.6),  # dB
    "onset": (1.2, 4.9),  # dB
    "flatness": (-12, 37),  # dB
    "crest": (11, 15),  # dB
    "quarter_0": (2.6, 22),  # dB beside the level
    "quarter_1": (-5, 38),
    "quarter_2": (-12, 47),
    "quarter_3": (-19, 56),
    "roughness": (3.1, 7.9),  # dB from band to band
    "loudness_change": (0, 0.39),
    "cepstrum_1": (6, 19),  # dB
    "cepstrum_2": (-0.5, 15),
    "cepstrum_3": (0.4, 11),
    "cepstrum_4": (0, 8),
    "cepstrum_5": (0, 6.5),
    "cepstrum_6": (0, 6),
    "cepstrum_7": (0, 5),
    "cepstrum_8": (0, 4.5),
    **{f"cepstrum_{i}": (0, 4) for i in range(9, N_CEPSTRA + 1)},
}
CENTRES, SCALES = np.array([*DESCRIPTORS.values()], dtype=float).T
NEPERS = math.log(10) / 10  # nepers of power in a decibel
TINY = 1e-12
TOLERANCE = 1e-3  # by which values may exceed [-1, 1]: a spectrogram may be stored in few bits

LAGS = (1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91)  # frames
PERCENTILES = (1, 25, 50, 75, 99)
CHANGE_PERCENTILES = (1, 25, 75, 99)
HEIGHTS = (25, 50, 75, 90)  # per cent of the way from the minimum to the maximum
RHYTHM = (*(f"autocorrelation_{lag}" for lag in LAGS), "peak_rate", "high_peak_rate")
COURSE = (
    "mean",
    "std",
    "skewness",
    "kurtosis",
    *(f"percentile_{p}" for p in PERCENTILES),
    "interquartile_range",
    "percentile_range",
    "slope",
    "curvature",
    "slope_error",
    *(f"time_above_{height}" for height in HEIGHTS),
    "maximum_position",
    "minimum_position",
    "centroid",
    "change_mean",
    "change_std",
    "rising_time",
    "change_skewness",
    *(f"change_percentile_{p}" for p in CHANGE_PERCENTILES),
    "peak_mean",
    *RHYTHM,
)
MIN_VARIANCE = 1e-4  # added to a variance in a denominator; those of descriptors are about 0.06


class _OfSequences(VersionMixin, NamedRowsMixin, TransformerMixin, BaseEstimator):
    """Base class of transformers that map each clip's, or chunk's, sequence of frames."""

    n_features_in_: int

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def __skaudeep_tags__(self) -> LearningTags:
        return LearningTags(reads_spectrograms=True)

    def _frames(self, x: Any, clip: int) -> NDArray[np.float64]:
        """Return the true frames of one sequence, checked."""
        n_bands = getattr(self, "n_features_in_", None)
        x = true_frames(np.asarray(x), clip=clip, n_bands=n_bands, reader=type(self).__name__)
        x = x.astype(np.float64)
        if not np.isfinite(x).all():
            raise ValueError(f"Clip {clip} holds infinity; repair or leave out the clip.")
        return x

    def _map(self, X: Any, describe: Callable[[NDArray[np.float64]], NDArray]) -> list[NDArray]:
        """Describe each clip, or each chunk of each clip, in order."""
        found = []
        for clip, row in enumerate(rows(X)):
            row = np.asarray(row)
            if row.ndim == 3 and len(row):
                chunks = [describe(self._frames(chunk, clip)) for chunk in row]
                found.append(pad(chunks) if chunks[0].ndim > 1 else np.stack(chunks))
            else:
                found.append(describe(self._frames(row, clip)))
        return found


class FrameDescriptors(_OfSequences):
    """Turn frames of mel bands into 34 descriptors of each frame.

    These are the low-level descriptors of acoustic feature sets such as ComParE, as far as they
    can be computed from mel bands: level and loudness, the shape of the spectrum (centroid,
    spread, skewness, entropy, roll-off points, slope, sharpness, flatness, crest, roughness, levels
    of the quarters of the bands), its change (flux, onset, change of loudness), and 12 cepstral
    coefficients (MFCCs). They vary less with pitch than the bands themselves.

    Each descriptor is shifted and scaled by constants, those in `DESCRIPTORS` of this module, and
    clipped to [-1, 1], the range of a spectrogram: (value - offset) / scale. A network, or
    statistics over time, can therefore follow. Nothing is learned: `transform` works without `fit`.

    Parameters
    ----------
    step : int, default=1
        Number of consecutive frames whose descriptors are averaged into one frame of the output,
        at least 1. Frames after the last complete step are left out. A sequence that is shorter
        than one step becomes one frame, the mean of its descriptors.

    Attributes
    ----------
    n_features_in_ : int
        Number of bands seen in `fit`.

    See Also
    --------
    CourseStatistics : Statistics of descriptors over time.
    SpectrogramExtractor : Computes the mel bands.

    Notes
    -----
    Band values from -1 to 1 are taken for levels from -60 to 0 dB, which is right for spectrograms
    with ``clip_below=-60`` in which some value lies at this floor. With another floor all decibels
    are scaled by the ratio of the two floors. Frequencies are fractions of the range of bands, from
    0 (lowest) to 1 (highest). Levels are relative to the value 1. Unless the spectrograms have
    ``reference="full_scale"``, it is the largest value of the clip (or, if there are chunks and
    ``reference="chunk"``, of the chunk), so that the gain of a recording has no effect.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep import FrameDescriptors
    >>> X = np.random.default_rng(0).uniform(-1, 1, (3, 10, 20)).astype(np.float32)
    >>> X[0, 7:] = np.nan  # the first clip is shorter
    >>> descriptors = FrameDescriptors(step=2)
    >>> descriptors.fit_transform(X).shape
    (3, 5, 34)
    >>> descriptors.fit(X).transform(X[:2]).shape
    (2, 5, 34)
    >>> descriptors.get_feature_names_out()[[0, 2, -1]].tolist()
    ['level', 'centroid', 'cepstrum_12']
    """

    _parameter_constraints: dict = {"step": [COUNT]}  # noqa: RUF012 (scikit-learn's own form)

    def __init__(self, step: int = 1):
        self.step = step

    @all_or_nothing
    def fit(self, X: Any, y: Any = None) -> Self:
        """Remember the number of bands.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_frames, n_bands)
            Spectrograms in [-1, 1]. (n_clips, n_chunks, n_frames, n_bands) and lists of arrays of
            different lengths are accepted as well. Trailing frames of NaN are padding.
        y : None
            Ignored.

        Returns
        -------
        FrameDescriptors
            The estimator itself.

        Raises
        ------
        ValueError
            If `step` is not an integer of at least 1, or there is no clip.
        """
        self._validate_params()
        self.n_features_in_ = first_width(X)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Describe the frames.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_frames, n_bands)
            Spectrograms in [-1, 1], with as many bands as in `fit`, if it was called. A fourth axis
            of chunks, and lists of arrays, are accepted as in `fit`.

        Returns
        -------
        ndarray of shape (n_clips, n_steps, 34) or (n_clips, n_chunks, n_steps, 34), float32
            Descriptors in [-1, 1]; NaN after the end of each clip or chunk, and throughout if it
            consists of padding alone. A sequence of n frames has ``max(1, n // step)`` of them.

        Raises
        ------
        ValueError
            If a clip has NaN before its last frame, is not a sequence of frames, has values outside
            [-1, 1] (by more than 0.001), or has another number of bands than in `fit`.
        """
        return pad(self._map(X, self._describe))

    def _frames(self, x: Any, clip: int) -> NDArray[np.float64]:
        x = super()._frames(x, clip)
        if x.size and (x.min() < -1 - TOLERANCE or x.max() > 1 + TOLERANCE):
            raise ValueError(
                f"Clip {clip} has values from {x.min():g} to {x.max():g}, expected levels scaled "
                "to [-1, 1], as SpectrogramExtractor gives them."
            )
        return x

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Return the names of the descriptors, which are the last axis of the output.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored.

        Returns
        -------
        ndarray of shape (34,), object
            In this order: ``"level"``, ``"loudness"``, ``"centroid"``, ``"spread"``,
            ``"skewness"``, ``"entropy"``, ``"rolloff_25"``, ``"rolloff_50"``, ``"rolloff_75"``,
            ``"rolloff_90"``, ``"slope"``, ``"sharpness"`` (the centroid of the loudness of bands),
            ``"flux"`` (mean absolute change of the bands since the last frame), ``"onset"`` (mean
            rise, falls counted as 0), ``"flatness"`` and ``"crest"`` (mean and maximum of the bands
            minus the level), ``"quarter_0"`` to ``"quarter_3"`` (levels of the quarters of the
            bands, minus the level), ``"roughness"`` (mean absolute difference of neighbouring
            bands), ``"loudness_change"``, and ``"cepstrum_1"`` to ``"cepstrum_12"``.
        """
        return np.array([*DESCRIPTORS], dtype=object)

    def _describe(self, x: NDArray[np.float64]) -> NDArray[np.float32]:
        if not len(x):
            return np.full((1, len(DESCRIPTORS)), np.nan, np.float32)
        found = ((_descriptors(x) - CENTRES) / SCALES).clip(-1, 1)
        n_steps = max(1, len(found) // self.step)
        found = found[: n_steps * self.step]
        if self.step > 1:
            found = found.reshape(n_steps, -1, found.shape[1]).mean(axis=1)
        return found.astype(np.float32)


@lru_cache(maxsize=8)
def _bases(n_bands: int) -> tuple[NDArray[np.float64], ...]:
    """Return matrices with a row for each band, which turn sums over bands into products.

    They hold powers of the band's frequency, cumulative sums, means of quarters, and cosines.
    """
    place = np.arange(n_bands) / n_bands
    powers = np.stack([place, place**2, place**3], axis=1)
    quarters = np.zeros((n_bands, N_QUARTERS))
    for i, part in enumerate(np.array_split(np.arange(n_bands), N_QUARTERS)):
        quarters[part if len(part) else [-1], i] = 1 / max(1, len(part))
    slope = place - place.mean()
    slope /= max(slope @ slope, TINY)
    # Mean products with the cosines of the orthonormal DCT-II; few bands have fewer of these.
    cosines = np.zeros((n_bands, N_CEPSTRA))
    known = dct(np.eye(n_bands), axis=1, norm="ortho")[:, 1 : N_CEPSTRA + 1]
    cosines[:, : known.shape[1]] = known / np.sqrt(n_bands)
    return powers, np.triu(np.ones((n_bands, n_bands))), quarters, slope, cosines


def _descriptors(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the descriptors of frames in [-1, 1]: (n_frames, 34)."""
    n_bands = x.shape[1]
    powers, sums, quarters, slope, cosines = _bases(n_bands)
    # float32 suffices, as for spectrograms, except for central moments, which nearly cancel.
    decibels = (x.astype(np.float32) - 1) * (DYNAMIC_RANGE / 2)
    nepers = decibels * NEPERS
    power = np.exp(nepers).astype(np.float64)
    total = power.sum(axis=1)
    level = np.log(total / n_bands) / NEPERS
    share = power / total[:, None]
    first, second, third = (share @ powers).T
    variance = (second - first**2).clip(0)
    spread = np.sqrt(variance)
    skewness = (third - 3 * first * variance - first**3) / (spread**3 + 1e-6)
    # The logarithm of a band's share of the power is its level minus the level of the frame.
    entropy = np.log(total) - (share * decibels).sum(axis=1) * NEPERS
    so_far = share @ sums  # a cumulative sum, in a fifth of the time of `cumsum`
    rolloffs = [(so_far < part).sum(axis=1) / n_bands for part in (0.25, 0.5, 0.75, 0.9)]
    loud = np.exp(LOUDNESS * nepers)
    loudness = loud.sum(axis=1, dtype=np.float64)
    change = decibels[1:] - decibels[:-1]
    rise = np.append(0, change.mean(axis=1))
    flux = np.append(0, np.abs(change).mean(axis=1))
    return np.column_stack(
        [
            level,
            np.log(loudness / n_bands),
            first,
            spread,
            skewness,
            entropy,
            *rolloffs,
            decibels @ slope,
            loud @ powers[:, 0] / loudness,
            flux,
            (flux + rise) / 2,  # mean over bands of their rises, with falls as 0
            decibels.mean(axis=1) - level,
            decibels.max(axis=1) - level,
            np.log(power @ quarters + TINY) / NEPERS - level[:, None],
            np.abs(decibels[:, 1:] - decibels[:, :-1]).sum(axis=1) / max(1, n_bands - 1),
            np.diff(np.log(loudness), prepend=np.log(loudness[0])),
            decibels @ cosines,
        ]
    )


class CourseStatistics(_OfSequences):
    """Compute statistics of each descriptor, or band, over time.

    These are functionals as in acoustic feature sets such as ComParE: mean, standard deviation,
    skewness and kurtosis; the percentiles 1, 25, 50, 75 and 99, and the ranges between the second
    and fourth and the first and last of them; the slope of a fitted line, the curvature of a fitted
    parabola, and the error of the line; the share of time above 25, 50, 75 and 90 % of the way from
    minimum to maximum; the positions of maximum, minimum and centroid in the sequence; of the
    change from frame to frame the mean magnitude, the root of its mean square, the share of rises,
    skewness, and the percentiles 1, 25, 75 and 99; the mean height of peaks; autocorrelations at
    lags of 1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64 and 91 frames; and the numbers of peaks, and of
    peaks above the mean, per frame. Nothing is learned: `transform` works without `fit`.

    Parameters
    ----------
    statistics : {"all", "rhythm"}, default="all"
        The statistics that are computed. "all" computes all 45. "rhythm" computes the 15 that
        describe rhythm: the autocorrelations, the number of peaks per frame, and the number of
        peaks above the mean per frame. Where a network reads the same descriptors, "rhythm"
        suffices: the network's features replace the other 30 statistics
        (docs/development/features-log.md).

    Attributes
    ----------
    n_features_in_ : int
        Number of descriptors or bands seen in `fit`.

    See Also
    --------
    FrameDescriptors : Descriptors of frames.
    BandStatistics : A baseline of 3 or 13 statistics of each band.

    Notes
    -----
    A variance in a denominator has 1e-4 added (that of the change 1e-5), which is small for values
    in [-1, 1]. Percentiles are the nearest values of the sequence, without interpolation. An
    autocorrelation at a lag that is not shorter than the sequence is 0. A peak is a local maximum
    that is neither the first nor the last frame; without peaks, their mean height is the mean of
    the sequence. A sequence of one frame has changes of 0. Padding does not change the result.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep import CourseStatistics
    >>> course = CourseStatistics()
    >>> features = course.fit_transform([[[0.0], [1.0], [0.0], [1.0]]])  # a clip, a single band
    >>> names = course.get_feature_names_out().tolist()
    >>> len(names), features[0, names.index("mean_0")], features[0, names.index("peak_rate_0")]
    (45, np.float32(0.5), np.float32(0.25))
    >>> X = np.zeros((3, 10, 20))  # 3 clips, 10 frames, 20 bands
    >>> CourseStatistics("rhythm").fit(X).transform(X).shape
    (3, 300)
    """

    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "statistics": [StrOptions({"all", "rhythm"})]
    }

    def __init__(self, statistics: str = "all"):
        self.statistics = statistics

    @all_or_nothing
    def fit(self, X: Any, y: Any = None) -> Self:
        """Remember the number of descriptors.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_frames, n_descriptors)
            Sequences. (n_clips, n_chunks, n_frames, n_descriptors) and lists of arrays of
            different lengths are accepted as well. Trailing frames of NaN are padding.
        y : None
            Ignored.

        Returns
        -------
        CourseStatistics
            The estimator itself.

        Raises
        ------
        ValueError
            If `statistics` is neither "all" nor "rhythm", or there is no clip.
        """
        self._validate_params()
        self.n_features_in_ = first_width(X)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Compute the statistics of each clip, or of each chunk.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_frames, n_descriptors)
            Sequences with as many descriptors as in `fit`, if it was called. Chunks, lists and
            padding are accepted as in `fit`.

        Returns
        -------
        ndarray of shape (n_clips, n_statistics * n_descriptors) or \
                (n_clips, n_chunks, n_statistics * n_descriptors), float32
            The first statistic of all descriptors, then the second, and so on; 45 statistics, or 15
            with "rhythm". NaN where a clip or chunk consists of padding alone.

        Raises
        ------
        ValueError
            If a clip has NaN before its last frame or infinity, is not a sequence of frames, or has
            another number of descriptors than in `fit`.
        """
        return stack_features(self._map(X, self._statistics))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Return the names of the statistics.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored.

        Returns
        -------
        ndarray of shape (n_statistics * n_descriptors,), object
            The name of the statistic, then the number of the descriptor from 0: ``"mean_0"``,
            ``"mean_1"`` and so on for all descriptors, then the next statistic. With "all" these
            are "mean", "std", "skewness", "kurtosis", "percentile_1", "_25", "_50", "_75", "_99",
            "interquartile_range", "percentile_range", "slope", "curvature", "slope_error",
            "time_above_25", "_50", "_75", "_90", "maximum_position", "minimum_position",
            "centroid", "change_mean", "change_std" (the root of the mean square), "rising_time",
            "change_skewness", "change_percentile_1", "_25", "_75", "_99" and "peak_mean". Then,
            and with "rhythm" alone, follow "autocorrelation_1" to "autocorrelation_91" (by the
            lag), "peak_rate" and "high_peak_rate" (peaks above the mean).

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If `fit` was not called, which sets the number of descriptors.
        """
        check_is_fitted(self, "n_features_in_")
        names = product(self._names(), range(self.n_features_in_))
        return np.array([f"{name}_{i}" for name, i in names], dtype=object)

    def _names(self) -> tuple[str, ...]:
        return COURSE if self.statistics == "all" else RHYTHM

    def _statistics(self, x: NDArray[np.float64]) -> NDArray[np.float32]:
        if not len(x):
            return np.full(len(self._names()) * x.shape[1], np.nan, np.float32)
        found = [*_shape(x), *_rhythm(x)] if self.statistics == "all" else [*_rhythm(x)]
        return np.concatenate(found).astype(np.float32)


def _shape(x: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Yield the statistics in `COURSE` of each column but those in `RHYTHM`."""
    n_frames = len(x)
    mean = x.mean(axis=0)
    deviation = x - mean
    square = deviation**2
    variance = square.mean(axis=0)
    width = np.sqrt(variance + MIN_VARIANCE)
    ordered = np.sort(x, axis=0)
    first, second, _, fourth, fifth = percentiles = _percentiles(ordered, PERCENTILES)
    yield from (mean, np.sqrt(variance))
    yield (square * deviation).mean(axis=0) / width**3
    yield (square**2).mean(axis=0) / width**4
    yield from percentiles
    yield from (fourth - second, fifth - first)

    time = np.linspace(-1, 1, n_frames) if n_frames > 1 else np.zeros(1)
    line = time @ deviation / max(time @ time, TINY)
    parabola = time**2 - (time**2).mean()
    yield line
    yield parabola @ deviation / max(parabola @ parabola, TINY)
    yield np.sqrt(((deviation - time[:, None] * line) ** 2).mean(axis=0))

    low, high = ordered[0], ordered[-1]
    for height in HEIGHTS:
        yield (x > low + height / 100 * (high - low)).mean(axis=0)
    yield from (x.argmax(axis=0) / n_frames, x.argmin(axis=0) / n_frames)
    above = x - low
    yield time @ above / (above.sum(axis=0) + 1e-6)

    change = np.diff(x, axis=0) if n_frames > 1 else np.zeros_like(x)
    change_square = change**2
    change_variance = change_square.mean(axis=0)
    yield from (np.abs(change).mean(axis=0), np.sqrt(change_variance), (change > 0).mean(axis=0))
    yield (change_square * change).mean(axis=0) / (change_variance + 1e-5) ** 1.5
    yield from _percentiles(np.sort(change, axis=0), CHANGE_PERCENTILES)

    peaks = _peaks(x)
    n_peaks = peaks.sum(axis=0)
    heights = (x[1:-1] * peaks).sum(axis=0)
    yield np.where(n_peaks > 0, heights / np.maximum(n_peaks, 1), mean)


def _rhythm(x: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Yield the statistics in `RHYTHM` of each column."""
    n_frames = len(x)
    mean = x.mean(axis=0)
    deviation = x - mean
    variance = (deviation**2).mean(axis=0) + MIN_VARIANCE
    for lag in LAGS:
        products = np.einsum("tk,tk->k", deviation[lag:], deviation[: max(0, n_frames - lag)])
        yield products / n_frames / variance
    peaks = _peaks(x)
    yield peaks.sum(axis=0) / n_frames
    yield (peaks & (x[1:-1] > mean)).sum(axis=0) / n_frames


def _peaks(x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether each value, except the first and the last, is a local maximum."""
    return (x[1:-1] > x[:-2]) & (x[1:-1] >= x[2:])


def _percentiles(ordered: NDArray[np.float64], per_cent: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the nearest values of sorted columns."""
    return ordered[[round(p / 100 * (len(ordered) - 1)) for p in per_cent]]
