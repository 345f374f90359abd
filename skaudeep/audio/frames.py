"""Frames and bands of a spectrogram at a sampling rate, in samples and FFT bins."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skaudeep.audio.files import check_length
from skaudeep.audio.spectra import bins_between

# Rate in Hz below which `adapt` lengthens windows, so that a window of 25 ms keeps 32 samples.
# Signals that are recorded at lower rates are slower in proportion.
SLOW_RATE = 1280


class FrameLayout(NamedTuple):
    """Frames and bands of a spectrogram at one sampling rate.

    Parameters
    ----------
    sampling_rate : float
        Sampling rate in Hz.
    window, hop : int
        Length of a frame and distance between the starts of two frames, in samples.
    n_mels : int or None
        Number of mel bands; None if the bands are FFT bins.
    bins : range
        Numbers of the FFT bins between the lowest and the highest frequency.
    """

    sampling_rate: float
    window: int
    hop: int
    n_mels: int | None
    bins: range

    @property
    def n_bands(self) -> int:
        """Number of bands."""
        return len(self.bins) if self.n_mels is None else self.n_mels

    def chunk_length(self, chunk_duration: float) -> float:
        """Return the length of a chunk in frames, which need not be a whole number.

        Parameters
        ----------
        chunk_duration : float > 0
            Length of a chunk in seconds.

        Returns
        -------
        float
            `chunk_duration` divided by the time between two frames, which is a whole number of
            samples. For example, 3 s at 22.05 kHz are 300.68 frames with a hop of 220 samples.

        Raises
        ------
        ValueError
            If a chunk is shorter than a window or a hop, or longer than any file.
        """
        check_length("chunk_duration", chunk_duration, self.sampling_rate)
        longest = max(self.window, self.hop)
        if chunk_duration * self.sampling_rate < longest - 1:  # `adapt` lengthens windows
            raise ValueError(
                f"chunk_duration={chunk_duration} is shorter than a window or a hop, which "
                f"last {longest / self.sampling_rate:g} s at "
                f"{self.sampling_rate:.10g} Hz. Lengthen the chunks."
            )
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
    fmin: float = 0.0,
    fmax: float | None = None,
    adapt: bool = False,
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
    fmin : float >= 0, default=0.0
        Lowest frequency in Hz.
    fmax : float > fmin, default=None
        Highest frequency in Hz; None is half the rate.
    adapt : bool, default=False
        Whether to lengthen window and hop below 1280 Hz, by the factor that the rate is lower, and
        to take fewer bands than `n_mels` where there are fewer FFT bins.

    Returns
    -------
    FrameLayout
        The layout, with durations rounded to samples.

    Raises
    ------
    ValueError
        If a window or hop is longer than any file, a window has fewer than two samples or FFT bins
        than bands, a hop has no sample, `fmin` or `fmax` lies above half the rate, or no FFT bin
        between them.

    Examples
    --------
    >>> frame_layout(22050, 0.025, 0.01, 64)
    FrameLayout(sampling_rate=22050, window=551, hop=220, n_mels=64, bins=range(0, 276))
    >>> frame_layout(250, 0.025, 0.01, 64, adapt=True)
    FrameLayout(sampling_rate=250, window=32, hop=13, n_mels=17, bins=range(0, 17))
    """
    stretch = max(1.0, SLOW_RATE / sampling_rate) if adapt else 1.0
    hop_in_seconds = hop_seconds(window_duration, hop_duration)
    check_length("window_duration", window_duration * stretch, sampling_rate)
    check_length("hop_duration", hop_in_seconds * stretch, sampling_rate)
    window = round(window_duration * stretch * sampling_rate)
    hop = round(hop_in_seconds * stretch * sampling_rate)
    if window < 2 or hop < 1:
        raise ValueError(
            f"window_duration={window_duration} and hop_duration={hop_duration} are {window} and "
            f"{hop} samples at {sampling_rate} Hz, expected at least 2 and 1. Lengthen them."
        )
    for name, frequency in (("fmin", fmin), ("fmax", fmax)):
        if frequency is not None and frequency > sampling_rate / 2:
            raise ValueError(
                f"{name}={frequency} Hz, but clips of {sampling_rate:.10g} Hz hold frequencies up "
                f"to half of that, {sampling_rate / 2:.10g} Hz. Lower {name}."
            )
    bins = bins_between(sampling_rate, window, fmin, fmax)
    if not bins:
        raise ValueError(
            f"No FFT bin lies between fmin={fmin} and fmax={fmax} Hz: those of a window of "
            f"{window_duration} s are {sampling_rate / window:g} Hz apart. Choose a wider range or "
            "a longer window."
        )
    if adapt and n_mels is not None:
        n_mels = min(n_mels, len(bins))
    if n_mels is not None and n_mels > len(bins):
        within = "" if fmin == 0 and fmax is None else f" from fmin={fmin} to fmax={fmax} Hz"
        raise ValueError(
            f"n_mels={n_mels} bands, but a window of {window_duration} s at {sampling_rate} Hz has "
            f"only {len(bins)} FFT bins{within}. Choose fewer bands or a longer window, or let "
            "adapt=True choose."
        )
    return FrameLayout(sampling_rate, window, hop, n_mels, bins)


def hop_seconds(window_duration: float, hop_duration: float | None) -> float:
    """Return the time between two frames in seconds."""
    return window_duration / 2 if hop_duration is None else hop_duration
