"""Frames that two windows of a file have in common, computed once."""

import os
import threading
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skaudeep.audio.clips import Clip
from skaudeep.audio.errors import AudioError
from skaudeep.audio.rates import header_rates
from skaudeep.audio.spectra import power_spectrogram

MAX_VIEWS = 8  # spectrograms of the same windows whose frames a thread keeps
_thread = threading.local()


class Place(NamedTuple):
    """Position in a file of samples that are unchanged.

    Parameters
    ----------
    source : tuple
        The file, as it was when it was read, and what was done to its samples since, one by one.
    first : int
        Number of the first sample.
    """

    source: tuple
    first: int


def find_place(clip: Clip, rate: float) -> Place | None:
    """Return where the samples of a clip lie.

    Parameters
    ----------
    clip : Clip
        The clip, which was read from its start on.
    rate : float
        Sampling rate in Hz of what was read.

    Returns
    -------
    Place or None
        None if the clip is no window of a file, or was resampled: samples near the ends of a window
        then hang on where these are.
    """
    if not isinstance(clip.source, str | bytes | os.PathLike) or clip.end is None:
        return None
    own_rate = header_rates([clip])[0]
    if isinstance(own_rate, AudioError) or own_rate != rate:
        return None
    try:
        status = os.stat(clip.source)
    except OSError:
        return None
    path = os.path.abspath(os.fsdecode(clip.source))
    source = (path, status.st_size, status.st_mtime_ns, status.st_ino)
    return Place(source, round(clip.start * rate))


def power_at(
    place: Place | None,
    parameters: tuple,
    samples: NDArray[np.float32],
    window_length: int,
    hop_length: int,
    filters: NDArray[np.float32] | sparse.csr_array | None,
) -> NDArray[np.float32]:
    """Return `power_spectrogram`, computing only frames that the last window of a file had not.

    Parameters
    ----------
    place : Place or None
        Where the samples lie in their file. None computes all frames.
    parameters : tuple
        All that `filters` follow from.
    samples, window_length, hop_length, filters
        See :func:`~skaudeep.audio.spectra.power_spectrogram`.

    Returns
    -------
    ndarray of shape (n_frames, n_bands), float32
        The same to the bit, whatever windows came before.
    """
    if place is None:
        return power_spectrogram(samples, window_length, hop_length, filters)
    kept: dict[tuple, tuple[int, Any]] = _thread.__dict__.setdefault("kept", {})
    key = (*place.source, window_length, hop_length, *parameters)
    first, power = kept.pop(key, (0, None))
    n_hops, rest = divmod(place.first - first, hop_length)
    n_frames = (len(samples) - window_length) // hop_length + 1
    if power is None or rest or not 0 <= n_hops < len(power) or len(power) - n_hops > n_frames:
        power = power_spectrogram(samples, window_length, hop_length, filters)
    else:
        known = power[n_hops:]
        power = known
        if len(known) < n_frames:
            more = samples[len(known) * hop_length :]
            new = power_spectrogram(more, window_length, hop_length, filters)
            power = np.concatenate([known, new])
    kept[key] = place.first, power
    while len(kept) > MAX_VIEWS:
        del kept[next(iter(kept))]
    return power
