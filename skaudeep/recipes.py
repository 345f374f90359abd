"""What has proved itself: ready views of recordings, for scalers and a classifier behind."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline

from skaudeep.autoencoder import Seq2SeqAutoencoder
from skaudeep.fusion import FeatureFusion
from skaudeep.spectrogram import SpectrogramExtractor


def two_scales(
    *,
    sampling_rate: float | None = None,
    max_epochs: int = 0,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    **parameters: Any,
) -> FeatureFusion:
    """Make the views of the best features known: what changes slowly beside what changes fast.

    Frames of 80 ms tell pitches apart, frames of 25 ms moments. Each is read by a bidirectional
    network, whose states' covariances are the features. Clips may differ in length.

    Parameters
    ----------
    sampling_rate : float, default=None
        In Hz, to which recordings are resampled; None expects all to share one. Waveforms need it.
    max_epochs : int, default=0
        Passes over the data. 0 leaves the weights random: the principal components of the states
        are learned, no more. On the recordings of docs/representations.md training makes features
        worse, or no better; it pays where classes differ in the order of events.
    n_jobs : int, default=None
        Views at the same time, see `FeatureFusion`.
    random_state : int, RandomState instance or None, default=None
        Of both networks.
    **parameters
        More of :class:`~skaudeep.Seq2SeqAutoencoder`.

    Returns
    -------
    FeatureFusion
        Of 5128 features: each view gives 2564. Standardise them, then scale each row to length 1:
        no clip outweighs others, and a LinearSVC, which holds its intercept down as if it were the
        weight of a feature of 1, can use it.

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
    return FeatureFusion(
        [
            (
                name,
                make_pipeline(
                    SpectrogramExtractor(
                        **scale, mel_norm="slaney", clip_below=-60, sampling_rate=sampling_rate
                    ),
                    Seq2SeqAutoencoder(
                        max_epochs=max_epochs, random_state=random_state, **parameters
                    ),
                ),
            )
            for name, scale in scales.items()
        ],
        n_jobs=n_jobs,
    )
