"""Feature extractors, classifiers, regressors and an anomaly score that did best in benchmarks."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skaudeep.audio.chain import Reference
from skaudeep.audio.decoding import Channel
from skaudeep.descriptors import CourseStatistics, FrameDescriptors
from skaudeep.distances import DistanceScorer
from skaudeep.distillation import DistilledFeatures
from skaudeep.fusion import FeatureFusion
from skaudeep.linear import TunedLogisticRegression
from skaudeep.reservoir import ReservoirFeatures
from skaudeep.spectrogram import SpectrogramExtractor
from skaudeep.statistics import BandStatistics

__all__ = [
    "anomaly_scorer",
    "audio_classifier",
    "audio_multilabel_classifier",
    "audio_regressor",
    "distilled_features",
    "event_classifier",
    "linear_classifier",
    "linear_regressor",
    "multilabel_classifier",
    "two_scales",
]

# Parameters of the reservoirs by version. These never change: they define the version.
VERSIONS: dict[int, dict[str, Any]] = {
    1: {"n_units": 256, "n_layers": 2},
    2: {"n_units": 192, "n_layers": 1},
    3: {"n_units": 128, "n_layers": 1},
}
# Versions with a view of frame descriptors. In them the view of 80 ms has fewer components, and
# therefore about half as many features.
WITH_DESCRIPTORS = {3}
FEWER_COMPONENTS = 45
DEFAULT_VERSION = 3
# Spectrograms of the views: long windows resolve frequency, short windows resolve time.
SCALES: dict[str, dict[str, Any]] = {
    "80ms": {"window_duration": 0.08, "n_mels": 128},
    "25ms": {"window_duration": 0.025, "hop_duration": 0.01, "n_mels": 64},
}


def __dir__() -> list[str]:
    return __all__  # completion offers these names, not those that this module imports


def two_scales(
    *,
    sampling_rate: float | None = None,
    n_units: int | None = None,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    duration: float | None = None,
    channel: Channel = "mean",
    fmin: float = 0.0,
    fmax: float | None = None,
    on_error: str = "raise",
    version: int = DEFAULT_VERSION,
) -> FeatureFusion:
    """Make the default features: reservoirs that read spectrograms with two window lengths.

    These features had the best mean accuracy in our benchmarks. They are the features of four
    views, that is, of four transformers of the same clips, side by side:

    - A bidirectional recurrent network with random weights, a reservoir
      (:class:`~skaudeep.ReservoirFeatures`), reads mel spectrograms with 128 bands and windows of
      80 ms, which resolve frequency. Its features are the means and covariances of the principal
      components of its states, and coefficients that predict them from the same components four
      frames earlier.
    - A second reservoir reads mel spectrograms with 64 bands and windows of 25 ms, which resolve
      time.
    - A third reservoir reads descriptors of the 25 ms frames
      (:class:`~skaudeep.FrameDescriptors`, the mean of each two frames), which vary less with
      pitch.
    - :class:`~skaudeep.CourseStatistics` computes statistics of the rhythm of these descriptors.

    Levels are relative to the maximum of each clip, and those below -60 dB are raised to -60 dB, so
    that it has no effect how loud a clip is as a whole. Nothing is trained by gradients. Clips may
    differ in length; clips shorter than a window are padded with zeros. Any sampling rate is
    possible. The 128 bands need about 3.2 kHz and the 64 bands about 5 kHz; at lower rates, each
    FFT bin is a band. Below 1280 Hz windows are longer, by the factor 1280 Hz / `sampling_rate`:
    410 ms and 128 ms at 250 Hz.

    Parameters
    ----------
    sampling_rate : float in [1, 10000000], default=None
        Sampling rate in Hz to which recordings are resampled. With None all recordings must have
        the same rate. It is required for waveforms, and is then their rate.
    n_units : int >= 1, default=None
        Number of units of each layer of the networks, in each direction. None is the number that
        `version` has: 256, 192 or 128 for versions 1, 2 and 3.
    n_jobs : int, default=None
        Number of views that are computed at the same time, see :class:`~skaudeep.FeatureFusion`.
        None is 1, unless a :func:`joblib.parallel_config` context states another number.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the weights of the networks. With None, each call of `fit` draws other
        weights.
    duration : float > 0, default=None
        Length in seconds to which clips are cut, or padded with zeros at their end. None leaves
        their length unchanged.
    channel : {"mean", "left", "right", "difference"} or int >= 0, default="mean"
        Which channel of a clip to use: the mean of all channels, the first ("left"), the second
        ("right"), the first minus the second, or the channel of this number, counted from 0.
    fmin : float >= 0, default=0.0
        Lowest frequency in Hz. Sounds below it, such as wind, have no effect.
    fmax : float > fmin, default=None
        Highest frequency in Hz. None is half the sampling rate.
    on_error : {"raise", "nan", "read"}, default="raise"
        What to do with a clip that cannot be read: "raise" raises an
        :class:`~skaudeep.audio.AudioError`, "nan" gives a row of NaN with an
        :class:`~skaudeep.audio.AudioWarning`, and "read" is like "nan", but uses the readable part
        of a file that is cut short. Most classifiers refuse NaN: then put a
        :class:`~sklearn.impute.SimpleImputer` between these features and the classifier.
    version : {1, 2, 3}, default=3
        Version of the features. The features of a version never change, but a later release may
        have another default: state the version if its features are to be compared with others.
        Versions 1 and 2 have only the two views that read mel spectrograms. The networks of version
        1 have two layers of 256 units. Those of version 2 have one layer of 192 units, and take 0.6
        times the time of version 1. Version 3 has all four views, with networks of one layer of 128
        units, and takes as long as version 2. On the mean of eight corpora, its unweighted average
        recall is 3.1 percentage points above that of version 2, and on no corpus significantly
        below it (docs/features.md). A version is defined by the parameters of the views, which
        `repr` shows and a saved model keeps.

    Returns
    -------
    FeatureFusion
        An unfitted transformer from clips to 7138 features: 1500 of the 80 ms bands, 2564 of the
        25 ms bands, 2564 of the descriptors and 510 of their rhythm. Versions 1 and 2 have 5128
        features, 2564 of each view. With `n_units` below 32 there are fewer. Standardise them, then
        scale each row to length 1, as `linear_classifier` does.

    Raises
    ------
    ValueError
        If there is no such version.

    See Also
    --------
    audio_classifier : These features, followed by a classifier.

    Examples
    --------
    >>> from skaudeep.datasets import make_sounds
    >>> from skaudeep.recipes import two_scales
    >>> sounds = make_sounds(40, random_state=0)
    >>> features = two_scales(sampling_rate=16000, random_state=0, n_units=32)
    >>> features.fit_transform(sounds.data).shape
    (40, 7138)
    """
    if version not in VERSIONS:
        known = ", ".join(map(str, VERSIONS))
        raise ValueError(
            f"Got version={version!r} of two_scales, expected one of {known}. A model of a later "
            "version needs a later skaudeep."
        )
    sizes = VERSIONS[version] | ({} if n_units is None else {"n_units": n_units})
    views = []
    extractors = _extractors(
        clip_below=-60,
        sampling_rate=sampling_rate,
        duration=duration,
        channel=channel,
        fmin=fmin,
        fmax=fmax,
        on_error=on_error,
    )
    for name, extractor in extractors:
        reservoir = ReservoirFeatures(**sizes, random_state=random_state)
        views.append((name, make_pipeline(extractor, reservoir)))
    if version in WITH_DESCRIPTORS:  # the frames of 25 ms are extracted once for both views
        views[0][1].set_params(reservoirfeatures__n_components=FEWER_COMPONENTS)
        readers = (("descriptors", clone(reservoir)), ("rhythm", CourseStatistics("rhythm")))
        for name, reader in readers:
            steps = (clone(extractor), FrameDescriptors(step=2), reader)
            views.append((name, make_pipeline(*steps)))
    return FeatureFusion(views, n_jobs=n_jobs)


def _extractors(**parameters: Any) -> list[tuple[str, SpectrogramExtractor]]:
    """Make an extractor for each scale, by its name."""
    return [
        (name, SpectrogramExtractor(**scale, mel_norm="slaney", adapt=True, **parameters))
        for name, scale in SCALES.items()
    ]


def distilled_features(
    *, random_state: int | np.random.RandomState | None = None, **parameters: Any
) -> DistilledFeatures:
    """Make a small network that learns which clips are alike from `two_scales`, without labels.

    The features of :func:`two_scales` are the teacher: `fit` trains the small network until the
    similarities between clips by its features are close to those by the teacher's, see
    :class:`~skaudeep.DistilledFeatures`. Afterwards the small network runs alone. It has one
    bidirectional layer of 128 units, and reads the mel spectrograms with windows of 80 ms that the
    first view of the teacher reads.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the weights of the teacher and of the small network, and of its
        training. With None, each call of `fit` gives another network.
    **parameters : dict
        Passed to :func:`two_scales`, for example ``sampling_rate=16000`` or ``fmin=100``. Those of
        the spectrograms (`sampling_rate`, `duration`, `channel`, `fmin`, `fmax` and `on_error`)
        hold for the small network, too.

    Returns
    -------
    DistilledFeatures
        An unfitted transformer from clips to 2564 features.

    Examples
    --------
    >>> from skaudeep.recipes import distilled_features
    >>> distilled_features(sampling_rate=16000, random_state=0).extractor.n_mels
    128
    """
    teacher = two_scales(random_state=random_state, **parameters)
    extractor = clone(teacher.transformer_list[0][1][0])
    return DistilledFeatures(teacher, extractor=extractor, random_state=random_state)


def linear_classifier(*, random_state: int | np.random.RandomState | None = None) -> Pipeline:
    """Make the default classifier of features of clips, as the commands and the report use it.

    The pipeline standardises the features, scales each row to Euclidean length 1, and ends in a
    logistic regression with ``class_weight="balanced"``: rare classes weigh as much as frequent
    ones. Its regularisation C is chosen from 1, 10 and 100 by three inner folds of the training
    clips (:class:`~skaudeep.TunedLogisticRegression`), which keep the clips of a group together, if
    groups are passed; it is 10 if a class has too few clips, or groups, for three folds. The
    pipeline has `predict_proba`.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Seed or generator that shuffles the clips before they are divided into inner folds. With
        None, each call of `fit` may make other folds.

    Returns
    -------
    Pipeline
        An unfitted pipeline. :func:`~skaudeep.evaluate` and :func:`~skaudeep.fit_classifier` pass
        the groups of a data set to it. In a call of your own, write
        ``fit(X, y, tunedlogisticregression__groups=groups)``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skaudeep.recipes import linear_classifier
    >>> X, y = load_iris(return_X_y=True)
    >>> linear_classifier(random_state=0).fit(X, y).predict_proba(X[:2]).shape
    (2, 3)
    """
    return make_pipeline(
        StandardScaler(), Normalizer(), TunedLogisticRegression(random_state=random_state)
    )


def linear_regressor() -> Pipeline:
    """Make the default regressor of features of clips: a scaler and a ridge regression.

    The regularisation (`alpha`) is chosen from 13 values from 1 to 1e6, each sqrt(10) times the one
    before, by leave-one-out cross-validation of the squared error
    (:class:`~sklearn.linear_model.RidgeCV`), separately for each target. Groups of clips are not
    taken into account. Features are standardised, but rows are not scaled to length 1, so that the
    regressor suits a few features as well as thousands.

    Returns
    -------
    Pipeline
        An unfitted pipeline. Its target has the shape (n_clips,) or (n_clips, n_targets), without
        NaN.

    See Also
    --------
    audio_regressor : The features of recordings, followed by this regressor.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from skaudeep.recipes import linear_regressor
    >>> X, y = load_linnerud(return_X_y=True)
    >>> linear_regressor().fit(X, y).predict(X[:2]).shape
    (2, 3)
    """
    return make_pipeline(
        StandardScaler(), RidgeCV(alphas=np.logspace(0, 6, 13), alpha_per_target=True)
    )


def multilabel_classifier() -> Pipeline:
    """Make the default classifier of features of clips that may have several classes.

    The pipeline standardises the features, scales each row to Euclidean length 1, as
    `linear_classifier` does, and ends in a separate logistic regression for each class
    (:class:`~sklearn.multiclass.OneVsRestClassifier`), with C=30 and equal weight for the clips
    with and without the class. It has `predict_proba`.

    Returns
    -------
    Pipeline
        An unfitted pipeline. Its target has the shape (n_clips, n_classes), with 1 where a clip
        belongs to a class and 0 elsewhere. A clip may belong to no class. `predict_proba` returns
        the probability that a clip belongs to a class, in the same shape; rows do not add up to 1.

    See Also
    --------
    audio_multilabel_classifier : The features of recordings, followed by this classifier.

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from skaudeep.recipes import multilabel_classifier
    >>> X, y = make_multilabel_classification(n_classes=3, random_state=0)
    >>> multilabel_classifier().fit(X, y).predict_proba(X[:2]).shape
    (2, 3)
    """
    logistic = LogisticRegression(C=30.0, class_weight="balanced", max_iter=1000)
    return make_pipeline(StandardScaler(), Normalizer(), OneVsRestClassifier(logistic))


def audio_classifier(
    *,
    sampling_rate: float | None = None,
    n_units: int | None = None,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    duration: float | None = None,
    channel: Channel = "mean",
    fmin: float = 0.0,
    fmax: float | None = None,
    on_error: str = "raise",
    version: int = DEFAULT_VERSION,
) -> Pipeline:
    """Make the default model, from recordings to classes: `two_scales`, then `linear_classifier`.

    Recordings may differ in length. Those shorter than a window are padded with zeros, and any
    sampling rate is possible.

    Parameters
    ----------
    sampling_rate : float in [1, 10000000], default=None
        Sampling rate in Hz to which recordings are resampled. With None all recordings must have
        the same rate. It is required for waveforms, and is then their rate.
    n_units : int >= 1, default=None
        Number of units of each layer of the networks, in each direction. None is the number that
        `version` has: 256, 192 or 128 for versions 1, 2 and 3.
    n_jobs : int, default=None
        Number of views of `two_scales` that are computed at the same time. None is 1, unless a
        :func:`joblib.parallel_config` context states another number.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the weights of the networks and of the inner folds of the classifier.
        None gives other weights and folds in each call of `fit`.
    duration : float > 0, default=None
        Length in seconds to which clips are cut, or padded with zeros at their end. None leaves
        their length unchanged.
    channel : {"mean", "left", "right", "difference"} or int >= 0, default="mean"
        Which channel of a clip to use: the mean of all channels, the first ("left"), the second
        ("right"), the first minus the second, or the channel of this number, counted from 0.
    fmin : float >= 0, default=0.0
        Lowest frequency in Hz. Sounds below it have no effect.
    fmax : float > fmin, default=None
        Highest frequency in Hz. None is half the sampling rate.
    on_error : {"raise", "nan", "read"}, default="raise"
        What to do with a clip that cannot be read: "raise" raises an
        :class:`~skaudeep.audio.AudioError`; "nan" gives features of NaN, which the classifier
        refuses, unless you put a :class:`~sklearn.impute.SimpleImputer` before it; "read" is like
        "nan", but uses the readable part of a file that is cut short.
    version : {1, 2, 3}, default=3
        Version of the features, see :func:`two_scales`: the features of a version never change;
        1 and 2 have two views of a clip, 3 has four.

    Returns
    -------
    Pipeline
        An unfitted pipeline from recordings (paths, waveforms or a `(file, start, end)` index, see
        :meth:`SpectrogramExtractor.transform <skaudeep.SpectrogramExtractor.transform>`) to
        classes.

    Examples
    --------
    >>> from skaudeep.datasets import make_sounds
    >>> from skaudeep.recipes import audio_classifier
    >>> sounds = make_sounds(40, random_state=0)
    >>> model = audio_classifier(sampling_rate=16000, n_units=32, random_state=0)
    >>> model.fit(sounds.data[:30], sounds.target[:30]).predict(sounds.data[30:]).shape
    (10,)
    """
    features = two_scales(
        sampling_rate=sampling_rate,
        n_units=n_units,
        n_jobs=n_jobs,
        random_state=random_state,
        duration=duration,
        channel=channel,
        fmin=fmin,
        fmax=fmax,
        on_error=on_error,
        version=version,
    )
    steps = [step for _, step in linear_classifier(random_state=random_state).steps]
    return make_pipeline(features, *steps)


def audio_regressor(
    *,
    sampling_rate: float | None = None,
    n_units: int | None = None,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    duration: float | None = None,
    channel: Channel = "mean",
    fmin: float = 0.0,
    fmax: float | None = None,
    on_error: str = "raise",
    version: int = DEFAULT_VERSION,
) -> Pipeline:
    """Make a model from recordings to values: `two_scales`, then `linear_regressor`.

    Levels are relative to the maximum of the spectrogram of each recording, so that the features do
    not depend on how loud a recording is as a whole. Recordings may differ in length. Those shorter
    than a window are padded with zeros, and any sampling rate is possible.

    Parameters
    ----------
    sampling_rate : float in [1, 10000000], default=None
        Sampling rate in Hz to which recordings are resampled. With None all recordings must have
        the same rate. It is required for waveforms, and is then their rate.
    n_units : int >= 1, default=None
        Number of units of each layer of the networks, in each direction. None is the number that
        `version` has: 256, 192 or 128 for versions 1, 2 and 3.
    n_jobs : int, default=None
        Number of views of `two_scales` that are computed at the same time. None is 1, unless a
        :func:`joblib.parallel_config` context states another number.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the weights of the networks. None gives other weights in each call of
        `fit`.
    duration : float > 0, default=None
        Length in seconds to which clips are cut, or padded with zeros at their end. None leaves
        their length unchanged.
    channel : {"mean", "left", "right", "difference"} or int >= 0, default="mean"
        Which channel of a clip to use: the mean of all channels, the first ("left"), the second
        ("right"), the first minus the second, or the channel of this number, counted from 0.
    fmin : float >= 0, default=0.0
        Lowest frequency in Hz. Sounds below it have no effect.
    fmax : float > fmin, default=None
        Highest frequency in Hz. None is half the sampling rate.
    on_error : {"raise", "nan", "read"}, default="raise"
        What to do with a clip that cannot be read: "raise" raises an
        :class:`~skaudeep.audio.AudioError`; "nan" gives features of NaN, which the regressor
        refuses, unless you put a :class:`~sklearn.impute.SimpleImputer` before it; "read" is like
        "nan", but uses the readable part of a file that is cut short.
    version : {1, 2, 3}, default=3
        Version of the features, see :func:`two_scales`: the features of a version never change;
        1 and 2 have two views of a clip, 3 has four.

    Returns
    -------
    Pipeline
        An unfitted pipeline from recordings (paths, waveforms or a `(file, start, end)` index, see
        :meth:`SpectrogramExtractor.transform <skaudeep.SpectrogramExtractor.transform>`) to values,
        of shape (n_clips,) or (n_clips, n_targets).

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.datasets import make_sounds
    >>> from skaudeep.recipes import audio_regressor
    >>> sounds = make_sounds(20, n_classes=4, random_state=0)
    >>> ages = np.linspace(20, 60, 20)
    >>> model = audio_regressor(sampling_rate=16000, n_units=8, random_state=0)
    >>> model.fit(sounds.data[:15], ages[:15]).predict(sounds.data[15:]).shape
    (5,)
    """
    features = two_scales(
        sampling_rate=sampling_rate,
        n_units=n_units,
        n_jobs=n_jobs,
        random_state=random_state,
        duration=duration,
        channel=channel,
        fmin=fmin,
        fmax=fmax,
        on_error=on_error,
        version=version,
    )
    return make_pipeline(features, *(step for _, step in linear_regressor().steps))


def audio_multilabel_classifier(
    *,
    sampling_rate: float | None = None,
    n_units: int | None = None,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    duration: float | None = None,
    channel: Channel = "mean",
    fmin: float = 0.0,
    fmax: float | None = None,
    on_error: str = "raise",
    version: int = DEFAULT_VERSION,
) -> Pipeline:
    """Make a model from recordings to several classes: `two_scales` and `multilabel_classifier`.

    A recording may belong to any number of classes, or to none. Recordings may differ in length.
    Those shorter than a window are padded with zeros, and any sampling rate is possible.

    Parameters
    ----------
    sampling_rate : float in [1, 10000000], default=None
        Sampling rate in Hz to which recordings are resampled. With None all recordings must have
        the same rate. It is required for waveforms, and is then their rate.
    n_units : int >= 1, default=None
        Number of units of each layer of the networks, in each direction. None is the number that
        `version` has: 256, 192 or 128 for versions 1, 2 and 3.
    n_jobs : int, default=None
        Number of views of `two_scales` that are computed at the same time. None is 1, unless a
        :func:`joblib.parallel_config` context states another number.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the weights of the networks. None gives other weights in each call of
        `fit`.
    duration : float > 0, default=None
        Length in seconds to which clips are cut, or padded with zeros at their end. None leaves
        their length unchanged.
    channel : {"mean", "left", "right", "difference"} or int >= 0, default="mean"
        Which channel of a clip to use: the mean of all channels, the first ("left"), the second
        ("right"), the first minus the second, or the channel of this number, counted from 0.
    fmin : float >= 0, default=0.0
        Lowest frequency in Hz. Sounds below it have no effect.
    fmax : float > fmin, default=None
        Highest frequency in Hz. None is half the sampling rate.
    on_error : {"raise", "nan", "read"}, default="raise"
        What to do with a clip that cannot be read: "raise" raises an
        :class:`~skaudeep.audio.AudioError`; "nan" gives features of NaN, which the classifier
        refuses, unless you put a :class:`~sklearn.impute.SimpleImputer` before it; "read" is like
        "nan", but uses the readable part of a file that is cut short.
    version : {1, 2, 3}, default=3
        Version of the features, see :func:`two_scales`: the features of a version never change;
        1 and 2 have two views of a clip, 3 has four.

    Returns
    -------
    Pipeline
        An unfitted pipeline from recordings (paths, waveforms or a `(file, start, end)` index, see
        :meth:`SpectrogramExtractor.transform <skaudeep.SpectrogramExtractor.transform>`) to a
        column of 0 and 1 for each class.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.datasets import make_sounds
    >>> from skaudeep.recipes import audio_multilabel_classifier
    >>> sounds = make_sounds(20, n_classes=4, random_state=0)
    >>> target = np.stack([sounds.target > 1, sounds.target % 2], axis=1).astype(int)
    >>> model = audio_multilabel_classifier(sampling_rate=16000, n_units=8, random_state=0)
    >>> model.fit(sounds.data[:15], target[:15]).predict_proba(sounds.data[15:]).shape
    (5, 2)
    """
    features = two_scales(
        sampling_rate=sampling_rate,
        n_units=n_units,
        n_jobs=n_jobs,
        random_state=random_state,
        duration=duration,
        channel=channel,
        fmin=fmin,
        fmax=fmax,
        on_error=on_error,
        version=version,
    )
    return make_pipeline(features, *(step for _, step in multilabel_classifier().steps))


def event_classifier(
    *,
    sampling_rate: float | None = None,
    n_units: int = 32,
    n_components: int = 24,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    channel: Channel = "mean",
    fmin: float = 0.0,
    fmax: float | None = None,
) -> Pipeline:
    """Make a fast classifier of short windows, for the detection of events in long recordings.

    A piece of a recording, for example of half a second, is called a window here. A small
    bidirectional recurrent network with random weights (:class:`~skaudeep.ReservoirFeatures`) reads
    the mel spectrogram of a window (40 bands, frames of 32 ms every 16 ms, levels from -60 dB to 0
    dB relative to the maximum of the window), and a logistic regression with C=10 classifies its
    features, standardised and with each row scaled to length 1. Classes are not balanced: the
    probabilities reflect that most windows of a recording hold no event. Windows that are too short
    for these settings, or whose sampling rate is too low, are accepted (``adapt=True`` of
    :class:`~skaudeep.SpectrogramExtractor`). A window of half a second takes about a millisecond, a
    third of the time of `two_scales`.

    Parameters
    ----------
    sampling_rate : float in [1, 10000000], default=None
        Sampling rate in Hz to which recordings are resampled. With None all recordings must have
        the same rate. It is required for waveforms, and is then their rate.
    n_units : int >= 1, default=32
        Number of units of the network in each of its two directions.
    n_components : int >= 1, default=24
        Largest number of principal components of its states. The number of features grows with its
        square: 24 components give 744 features.
    n_jobs : int, default=None
        Number of threads that extract spectrograms; -1 uses all cores. None is 1, unless a
        :func:`joblib.parallel_config` context states another number.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the weights of the network. None gives other weights in each call of
        `fit`.
    channel : {"mean", "left", "right", "difference"} or int >= 0, default="mean"
        Which channel of a recording to use: the mean of all channels, the first ("left"), the
        second ("right"), the first minus the second, or the channel of this number, from 0.
    fmin : float >= 0, default=0.0
        Lowest frequency in Hz.
    fmax : float > fmin, default=None
        Highest frequency in Hz. None is half the sampling rate.

    Returns
    -------
    Pipeline
        An unfitted pipeline from windows of recordings (waveforms or a `(file, start, end)` index)
        to classes, with `predict_proba`.

    See Also
    --------
    skaudeep.fit_detector : Fit it to windows of recordings.

    Examples
    --------
    >>> from skaudeep.datasets import make_sounds
    >>> from skaudeep.recipes import event_classifier
    >>> sounds = make_sounds(20, n_classes=2, sampling_rate=8000, random_state=0)
    >>> model = event_classifier(sampling_rate=8000, n_units=8, random_state=0)
    >>> model.fit(sounds.data, sounds.target).predict_proba(sounds.data).shape
    (20, 2)
    """
    return make_pipeline(
        SpectrogramExtractor(
            0.032,
            hop_duration=0.016,
            n_mels=40,
            clip_below=-60,
            sampling_rate=sampling_rate,
            channel=channel,
            fmin=fmin,
            fmax=fmax,
            n_jobs=n_jobs,
            adapt=True,
        ),
        ReservoirFeatures(
            n_units, n_layers=1, n_components=n_components, random_state=random_state
        ),
        StandardScaler(),
        Normalizer(),
        LogisticRegression(C=10.0, max_iter=1000),
    )


def anomaly_scorer(
    *,
    sampling_rate: float | None = None,
    reference: Reference = "full_scale",
    n_jobs: int | None = None,
    duration: float | None = None,
    channel: Channel = "mean",
    fmin: float = 0.0,
    fmax: float | None = None,
    on_error: str = "raise",
) -> Pipeline:
    """Make the default estimator of :class:`~skaudeep.AnomalyDetector`, which scores recordings.

    The features are thirteen statistics over time (:class:`~skaudeep.BandStatistics`, with
    ``extended=True``) of three views of a clip: 128 mel bands with windows of 80 ms, 64 mel bands
    with windows of 25 ms, and descriptors of the 25 ms frames
    (:class:`~skaudeep.FrameDescriptors`). They are standardised. The score of a clip is minus the
    natural logarithm of the product of two distances of its features: the Mahalanobis distance to
    the mean of the training clips, and the Euclidean distance to the nearest training clip
    (:class:`~skaudeep.DistanceScorer`). Nothing is random, and nothing is trained by gradients.
    Clips shorter than a window are padded with zeros, and any sampling rate is possible.

    Parameters
    ----------
    sampling_rate : float in [1, 10000000], default=None
        Sampling rate in Hz to which recordings are resampled. With None all recordings must have
        the same rate. It is required for waveforms, and is then their rate.
    reference : {"full_scale", "clip"}, default="full_scale"
        The level that 0 dB stands for; levels below -100 dB are raised to it. With "full_scale"
        (digital full scale) a machine that is louder than usual is unusual, and all recordings must
        be made with the same gain. With "clip" (the maximum of each clip) it has no effect how loud
        a clip is as a whole.
    n_jobs : int, default=None
        Number of views that are computed at the same time. None is 1, unless a
        :func:`joblib.parallel_config` context states another number.
    duration : float > 0, default=None
        Length in seconds to which clips are cut, or padded with zeros at their end. None leaves
        their length unchanged.
    channel : {"mean", "left", "right", "difference"} or int >= 0, default="mean"
        Which channel of a clip to use: the mean of all channels, the first ("left"), the second
        ("right"), the first minus the second, or the channel of this number, counted from 0.
    fmin : float >= 0, default=0.0
        Lowest frequency in Hz. Sounds below it have no effect.
    fmax : float > fmin, default=None
        Highest frequency in Hz. None is half the sampling rate.
    on_error : {"raise", "nan", "read"}, default="raise"
        What to do with a clip that cannot be read: "raise" raises an
        :class:`~skaudeep.audio.AudioError`; "nan" gives it the score NaN, which
        :class:`~skaudeep.AnomalyDetector` calls unusual; "read" is like "nan", but uses the
        readable part of a file that is cut short.

    Returns
    -------
    Pipeline
        An unfitted pipeline from recordings (paths, waveforms or a `(file, start, end)` index) to
        scores by `score_samples`; higher scores are more usual.

    Examples
    --------
    >>> from skaudeep import AnomalyDetector
    >>> from skaudeep.datasets import make_machines
    >>> from skaudeep.recipes import anomaly_scorer
    >>> machines = make_machines(1, n_faulty=2, sampling_rate=8000, duration=1.0, random_state=0)
    >>> train = machines.partition == "train"
    >>> detector = AnomalyDetector(anomaly_scorer(sampling_rate=8000), random_state=0)
    >>> detector = detector.fit(machines.data[train])
    >>> unusual = detector.predict(machines.data[~train]) == -1
    >>> int(unusual[:50].sum()), int(unusual[50:].sum())  # of 50 normal clips, of 10 faulty ones
    (0, 6)
    """
    views = []
    extractors = _extractors(
        clip_below=-100,
        reference=reference,
        sampling_rate=sampling_rate,
        duration=duration,
        channel=channel,
        fmin=fmin,
        fmax=fmax,
        on_error=on_error,
    )
    for name, extractor in extractors:
        views.append((name, make_pipeline(extractor, BandStatistics(extended=True))))
    # FrameDescriptors take the range from -1 to 1 for 60 dB, but here it is 100 dB, so that they
    # describe the power raised to 0.6. This is on purpose: quiet machines have bands below -60 dB,
    # and the extractor is shared with the view above. On 16 machines (seeds 0 to 5 and 100 to 109
    # of examples/benchmarks/machines.py) the mean AUC is 92.3 %. It is 92.3 % with descriptors for
    # 100 dB, 92.0 % with an extractor that ends at -60 dB, and 91.0 % without descriptors.
    steps = (clone(extractor), FrameDescriptors(), BandStatistics(extended=True))
    views.append(("descriptors", make_pipeline(*steps)))
    return make_pipeline(FeatureFusion(views, n_jobs=n_jobs), StandardScaler(), DistanceScorer())
