"""Small pictures of the sound of clips, as text that a page holds."""

from __future__ import annotations

import base64
import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skaudeep.audio.decoding import audio_info
from skaudeep.audio.errors import AudioWarning
from skaudeep.audio.spectra import mel_frequencies
from skaudeep.datasets.description import is_file
from skaudeep.spectrogram import SpectrogramExtractor

if TYPE_CHECKING:
    from skaudeep.audio.clips import Clip

N_FRAMES, N_BANDS = 320, 80  # pixels, at most
SHORTEST_HOP = 0.005  # seconds
FLOOR = -70.0  # dB below the loudest value of the clip
KILOHERTZ = (0.2, 0.5, 1, 2, 4, 8, 16, 32, 64)  # what may be written beside a picture
APART = 0.13  # least distance of two of them, as a share of the height


@dataclass(frozen=True)
class Picture:
    """A spectrogram with its axes.

    Parameters
    ----------
    address : str
        A PNG as a `data:` address.
    seconds : list of (float, str)
        Places on the axis of time, from 0 at the left to 1, with what is written there.
    kilohertz : list of (float, str)
        Places on the axis of frequency, from 0 at the bottom to 1, with what is written there.
    """

    address: str
    seconds: list[tuple[float, str]]
    kilohertz: list[tuple[float, str]]


def picture(
    clip: Clip, sampling_rate: float | None, *, n_frames: int = N_FRAMES, n_bands: int = N_BANDS
) -> Picture:
    """Draw the mel spectrogram of a clip, time to the right and frequency upwards.

    Parameters
    ----------
    clip : Clip
        That can be decoded.
    sampling_rate : float or None
        Of a waveform, in Hz. Files state theirs.
    n_frames, n_bands : int
        Width and height in pixels, at most.

    Returns
    -------
    Picture
    """
    from matplotlib.image import imsave  # loads no backend

    data, rate = _as_data(clip, sampling_rate)
    length = duration(clip, rate)
    hop = max(SHORTEST_HOP, length / n_frames)
    extractor = SpectrogramExtractor(
        window_duration=max(0.02, 2 * hop),
        hop_duration=hop,
        n_mels=n_bands,
        clip_below=FLOOR,
        sampling_rate=rate,
        adapt=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)  # the audit reports silence
        levels = extractor.transform(data)[0][:n_frames]
    file = io.BytesIO()
    imsave(
        file,
        np.nan_to_num(levels, nan=-1.0).T,
        origin="lower",
        cmap="magma",
        vmin=-1,
        vmax=1,
        format="png",
    )
    address = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
    return Picture(address, ticks_of_time(length), ticks_of_frequency(rate, n_bands))


def ticks_of_time(length: float) -> list[tuple[float, str]]:
    """Return places on an axis of so many seconds, at most six, and their texts.

    Examples
    --------
    >>> ticks_of_time(5.0)
    [(0.0, '0'), (0.2, '1'), (0.4, '2'), (0.6, '3'), (0.8, '4'), (1.0, '5')]
    """
    if length <= 0:
        return [(0.0, "0")]
    power = 10.0 ** np.floor(np.log10(length / 5))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if length / step < 5.01)
    times = step * np.arange(int(length / step + 1e-9) + 1)
    return [(round(float(time / length), 4), f"{time:.6g}") for time in times]


def ticks_of_frequency(rate: float, n_bands: int) -> list[tuple[float, str]]:
    """Return places on an axis of mel bands up to half a sampling rate, and their texts in kHz.

    Examples
    --------
    >>> [text for _, text in ticks_of_frequency(16000, 80)]
    ['0.5', '1', '2', '4', '8']
    """
    centres = mel_frequencies(rate, n_bands)[1:-1]
    # Each row of pixels is a band, whose middle is at its centre.
    middles = (np.arange(n_bands) + 0.5) / n_bands
    ticks: list[tuple[float, str]] = []
    for tick in KILOHERTZ:
        if 1000 * tick > 1.001 * rate / 2:
            break
        place = float(np.interp(1000 * tick, [0, *centres, rate / 2], [0, *middles, 1]))
        if place >= (ticks[-1][0] if ticks else 0.0) + APART:
            ticks.append((round(place, 4), f"{tick:g}"))
    return ticks


def duration(clip: Clip, sampling_rate: float) -> float:
    """Return how long a clip lasts, in seconds."""
    if is_file(clip):
        end = audio_info(clip.source).duration if clip.end is None else clip.end
        return end - clip.start
    return np.shape(clip.source)[-1] / sampling_rate


def _as_data(clip: Clip, sampling_rate: float | None) -> tuple[object, float]:
    """Return what an extractor takes for this clip alone, and its rate in Hz."""
    if not is_file(clip):
        assert sampling_rate is not None
        return [clip.source], sampling_rate
    rate = audio_info(clip.source).sampling_rate
    if not clip.start and clip.end is None:
        return [clip.source], rate
    import pandas as pd

    end = pd.NaT if clip.end is None else pd.Timedelta(clip.end, "s")
    index = [(clip.source, pd.Timedelta(clip.start, "s"), end)]
    return pd.MultiIndex.from_tuples(index, names=["file", "start", "end"]), rate
