"""What an extractor's durations and bands are at one sampling rate: samples, FFT bins, frames."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class FrameLayout(NamedTuple):
    """Frames and bands of a spectrogram at one sampling rate.

    Parameters
    ----------
    sampling_rate : float
        Sampling rate in Hz.
    window, hop : int
        Length of a frame and distance between the starts of two frames, in samples.
    n_mels : int or None
        Number of mel bands; None where FFT bins are the bands.
    """

    sampling_rate: float
    window: int
    hop: int
    n_mels: int | None

    @property
    def n_bands(self) -> int:
        """Number of bands."""
        return self.window // 2 + 1 if self.n_mels is None else self.n_mels

    def chunk_length(self, chunk_duration: float) -> float:
        """Return the length of a chunk in frames, which need not be a whole number.

        Parameters
        ----------
        chunk_duration : float > 0
            Length of a chunk in seconds.

        Returns
        -------
        float
            `chunk_duration` over the time between two frames, where that is a whole number of
            samples: 300.68 frames of 220 samples in 3 s at 22.05 kHz.
        """
        return chunk_duration * self.sampling_rate / self.hop

    def frame_times(self, n_frames: int, start: int = 0) -> NDArray[np.float64]:
        """Return the centres of frames in seconds from the start of the clip.

        Parameters
        ----------
        n_frames : int
            Number of frames.
        start : int, default=0
            Number of the first of them.
        """
        begins = self.hop * np.arange(start, start + n_frames, dtype=np.float64)
        return (begins + self.window / 2) / self.sampling_rate


@lru_cache(maxsize=64)
def frame_layout(
    sampling_rate: float,
    window_duration: float,
    hop_duration: float | None = None,
    n_mels: int | None = None,
) -> FrameLayout:
    """Return the frames and bands that parameters of an extractor give at a sampling rate.

    Parameters
    ----------
    sampling_rate : float > 0
        Sampling rate in Hz.
    window_duration : float > 0
        Length of a frame in seconds.
    hop_duration : float > 0, default=None
        Time between two frames in seconds; None is half the window.
    n_mels : int > 0, default=None
        Number of mel bands; None keeps the FFT bins.

    Returns
    -------
    FrameLayout
        Durations are rounded to samples.

    Raises
    ------
    ValueError
        If a window has fewer than two samples or FFT bins than bands, or a hop has no sample.

    Examples
    --------
    >>> frame_layout(22050, 0.025, 0.01, 64)
    FrameLayout(sampling_rate=22050, window=551, hop=220, n_mels=64)
    """
    window = round(window_duration * sampling_rate)
    hop = round(hop_seconds(window_duration, hop_duration) * sampling_rate)
    if window < 2 or hop < 1:
        raise ValueError(
            f"window_duration={window_duration} and hop_duration={hop_duration} are {window} and "
            f"{hop} samples at {sampling_rate} Hz, expected at least 2 and 1. Lengthen them."
        )
    if n_mels is not None and n_mels > window // 2 + 1:
        raise ValueError(
            f"n_mels={n_mels} bands, but a window of {window_duration} s at {sampling_rate} Hz has "
            f"only {window // 2 + 1} FFT bins. Choose fewer bands or a longer window."
        )
    return FrameLayout(sampling_rate, window, hop, n_mels)


def hop_seconds(window_duration: float, hop_duration: float | None) -> float:
    """Return the time between two frames in seconds."""
    return window_duration / 2 if hop_duration is None else hop_duration
