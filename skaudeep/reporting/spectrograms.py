"""Small pictures of the sound of clips, as text that a page holds."""

from __future__ import annotations

import base64
import io
import warnings
from typing import TYPE_CHECKING

import numpy as np

from skaudeep.audio.decoding import audio_info
from skaudeep.audio.errors import AudioWarning
from skaudeep.datasets.description import is_file
from skaudeep.spectrogram import SpectrogramExtractor

if TYPE_CHECKING:
    from skaudeep.audio.clips import Clip

N_FRAMES, N_BANDS = 320, 80  # pixels, at most
SHORTEST_HOP = 0.005  # seconds
FLOOR = -70.0  # dB below the loudest value of the clip


def picture(
    clip: Clip, sampling_rate: float | None, *, n_frames: int = N_FRAMES, n_bands: int = N_BANDS
) -> str:
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
    str
        A PNG as a `data:` address.
    """
    from matplotlib.image import imsave  # loads no backend

    data, rate = _as_data(clip, sampling_rate)
    hop = max(SHORTEST_HOP, duration(clip, rate) / n_frames)
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
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


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
