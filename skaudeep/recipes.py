"""Feature extractors that did best in our benchmarks; follow them by a scaler and a classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline

from skaudeep.fusion import FeatureFusion
from skaudeep.reservoir import ReservoirFeatures
from skaudeep.spectrogram import SpectrogramExtractor


def two_scales(
    *,
    sampling_rate: float | None = None,
    n_units: int = 256,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> FeatureFusion:
    """Make the best features known: two reservoirs that read recordings at two time scales.

    Windows of 80 ms resolve frequency, windows of 25 ms resolve time. Each view is a mel
    spectrogram, read by a bidirectional recurrent network with random weights
    (:class:`~skaudeep.ReservoirFeatures`), whose states' covariances are the features. Nothing is
    trained by gradients. Clips may differ in length.

    Parameters
    ----------
    sampling_rate : float, default=None
        Sampling rate in Hz to which recordings are resampled. None expects all recordings to share
        one. Waveforms need it.
    n_units : int, default=256
        Units of each layer of the networks.
    n_jobs : int, default=None
        Number of views at the same time, see `FeatureFusion`.
    random_state : int, RandomState instance or None, default=None
        Determines the weights of both networks.

    Returns
    -------
    FeatureFusion
        Of 5128 features: each view gives 2564. Standardise them, then scale each row to length 1:
        no clip outweighs others, and a LinearSVC, which regularises its intercept, can use it.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import Normalizer, StandardScaler
    >>> from sklearn.svm import LinearSVC
    >>> from skaudeep.datasets import make_sounds
    >>> from skaudeep.recipes import two_scales
    >>> sounds = make_sounds(40, random_state=0)
    >>> pipeline = make_pipeline(
    ...     two_scales(sampling_rate=16000, random_state=0, n_units=32),
    ...     StandardScaler(), Normalizer(), LinearSVC(random_state=0))
    >>> pipeline.fit(sounds.data[:30], sounds.target[:30]).predict(sounds.data[30:]).shape
    (10,)
    """
    scales: dict[str, dict[str, Any]] = {
        "80ms": {"window_duration": 0.08, "n_mels": 128},
        "25ms": {"window_duration": 0.025, "hop_duration": 0.01, "n_mels": 64},
    }
    views = []
    for name, scale in scales.items():
        extractor = SpectrogramExtractor(
            **scale, mel_norm="slaney", clip_below=-60, sampling_rate=sampling_rate
        )
        reservoir = ReservoirFeatures(n_units, random_state=random_state)
        views.append((name, make_pipeline(extractor, reservoir)))
    return FeatureFusion(views, n_jobs=n_jobs)
