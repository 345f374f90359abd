"""The steps that turn a clip into a spectrogram, each with the parameters that it reads."""

# Worker processes of an extraction import this module: neither scikit-learn nor torch here.
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import sparse

from skaudeep.audio.clips import Clip
from skaudeep.audio.decoding import (
    Align,
    Channel,
    mix_channels,
    pad_or_cut,
    pre_emphasize,
    read_audio,
)
from skaudeep.audio.errors import AudioError
from skaudeep.audio.files import check_length
from skaudeep.audio.frames import frame_layout
from skaudeep.audio.overlaps import Place, find_place, power_at
from skaudeep.audio.spectra import (
    MelNorm,
    full_scale_power,
    mel_filters,
    rescale,
    split_chunks,
    to_decibels,
)

# Range in dB below the maximum where clip_below is None. Digital zeros have no finite level, and
# 16-bit recordings hold nothing but rounding noise at this depth.
DYNAMIC_RANGE = 120.0
# Peak, in multiples of full scale, beyond which samples cannot have full scale at 1: that is 18 dB.
MAX_PEAK = 8.0

Reference = Literal["chunk", "clip", "full_scale"]


class Signal(NamedTuple):
    """What one step passes to the next.

    Parameters
    ----------
    values : ndarray
        Up to pre-emphasis samples, of shape (n_channels, n_samples) until channels are mixed, then
        (n_samples,); after that decibels, of shape (n_frames, n_bands); last the spectrogram in
        [-1, 1], of shape (n_frames, n_bands) or (n_chunks, n_frames, n_bands).
    sampling_rate : float
        Rate of the samples in Hz.
    place : Place, default=None
        Where the samples lie in their file, as long as each of them is what it would be in another
        window there.
    """

    values: Any
    sampling_rate: float
    place: Place | None = None


def _read_audio(
    clip: Clip, sampling_rate: float | None, duration: float | None, align: Align, on_error: str
) -> Signal:
    samples_and_rate = read_audio(
        clip.source,
        sampling_rate=sampling_rate,
        start=clip.start,
        end=clip.end,
        duration=duration,
        align=align,
        on_error="read" if on_error == "read" else "raise",
    )
    # Around a fault, samples depend on where the reading begins.
    by_start = (duration is None or align == "start") and on_error != "read"
    place = find_place(clip, samples_and_rate[1]) if by_start else None
    return Signal(*samples_and_rate, place)


def _pad_or_cut(signal: Signal, duration: float | None, align: Align) -> Signal:
    if duration is None:
        return signal
    check_length("duration", duration, signal.sampling_rate)
    values = pad_or_cut(signal.values, signal.sampling_rate, duration, align)
    padded = values.shape[-1] > signal.values.shape[-1]
    return signal._replace(values=values, place=None if padded else signal.place)


def _mix_channels(signal: Signal, channel: Channel) -> Signal:
    place = signal.place and Place((*signal.place.source, channel), signal.place.first)
    return signal._replace(values=mix_channels(signal.values, channel), place=place)


def _pre_emphasize(signal: Signal, pre_emphasis: float) -> Signal:
    place = None if pre_emphasis else signal.place  # the first sample hangs on where the clip is
    return signal._replace(values=pre_emphasize(signal.values, pre_emphasis), place=place)


@lru_cache(maxsize=64)
def sparse_mel_filters(
    sampling_rate: float,
    n_fft: int,
    n_mels: int,
    norm: MelNorm = None,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> sparse.csr_array:
    """Return `mel_filters` as a sparse array, which is the same for the same arguments."""
    # A bin is in two bands at most, so the sparse product takes a fourth of the time. It also needs
    # no BLAS, whose threads would compete with those of n_jobs and whose rounding depends on their
    # number.
    return sparse.csr_array(mel_filters(sampling_rate, n_fft, n_mels, norm, fmin, fmax))


def _spectrogram_in_decibels(
    signal: Signal,
    window_duration: float,
    hop_duration: float | None,
    n_mels: int | None,
    mel_norm: MelNorm,
    fmin: float,
    fmax: float | None,
    adapt: bool,
    align: Align,
    reference: Reference,
) -> Signal:
    samples, rate, place = signal
    layout = frame_layout(rate, window_duration, hop_duration, n_mels, fmin, fmax, adapt)
    window, hop, n_mels = layout.window, layout.hop, layout.n_mels
    if len(samples) < window and not adapt:
        raise AudioError(
            f"waveform of {len(samples)} samples",
            f"lasts {len(samples) / rate:g} s, less than one window of {window_duration:g} s",
            "Pad it with duration= or adapt=True, shorten window_duration, or leave it out",
            "settings",
        )
    low, high = (samples.min(), samples.max()) if len(samples) else (0, 0)
    peak = max(-low, high)
    full_scale = full_scale_power(window) if reference == "full_scale" else None
    if full_scale is not None and peak > MAX_PEAK:
        raise AudioError(
            f"waveform of {len(samples)} samples",
            f"peaks at {peak:g}, where digital full scale is 1",
            'Divide it by its full scale, or choose reference="clip"',
            "settings",
        )
    # A constant is silence; removing frame means would leave its rounding errors. Where decibels
    # are relative, the level is arbitrary: with a peak of 1 no float32 power over- or underflows.
    level = np.zeros_like(samples)
    if high > low:
        level = samples / peak if full_scale is None else samples
    if high == low or full_scale is None or len(samples) < window:
        place = None  # frames depend on the clip as a whole
    if len(level) < window:
        # To three frames: one alone says nothing about time. Without its mean, whose end would be a
        # click that nobody recorded.
        level = pad_or_cut(level - level.sum() / max(1, len(level)), 1, window + 2 * hop, align)
    if n_mels is None:
        power = power_at(place, (), level, window, hop, None)
        power = power[:, layout.bins.start : layout.bins.stop]
    else:
        bands = (rate, window, n_mels, mel_norm, fmin, fmax)
        power = power_at(place, bands, level, window, hop, sparse_mel_filters(*bands))
    return Signal(to_decibels(power, full_scale), rate)


def _clip_decibels(signal: Signal, clip_below: float | None, clip_above: float | None) -> Signal:
    low = -DYNAMIC_RANGE if clip_below is None else clip_below
    high = 0.0 if clip_above is None else clip_above
    return signal._replace(values=np.clip(signal.values, low, high))


def _rescale(
    signal: Signal,
    chunk_duration: float | None,
    n_chunks: int | None,
    window_duration: float,
    hop_duration: float | None,
    adapt: bool,
    reference: Reference,
    clip_below: float | None,
    clip_above: float | None,
) -> Signal:
    if reference == "full_scale":
        low = -DYNAMIC_RANGE if clip_below is None else clip_below
        scaled = (signal.values - low) / ((clip_above or 0.0) - low)
        signal = signal._replace(values=(2 * scaled - 1).astype(np.float32, copy=False))
    elif reference == "clip" or chunk_duration is None:
        signal = signal._replace(values=rescale(signal.values))
    if chunk_duration is None:
        return signal
    layout = frame_layout(signal.sampling_rate, window_duration, hop_duration, adapt=adapt)
    length = layout.chunk_length(chunk_duration)
    check_length(
        "n_chunks * chunk_duration", (n_chunks or 0) * chunk_duration, layout.sampling_rate
    )
    chunks = split_chunks(signal.values, length, n_chunks)
    shape = (n_chunks or len(chunks), round(length), signal.values.shape[1])
    rows = np.full(shape, np.nan, np.float32)
    for row, chunk in zip(rows, chunks, strict=False):
        row[: len(chunk)] = rescale(chunk) if reference == "chunk" else chunk
    return signal._replace(values=rows)


def _too_large(clip: str, parameters: Mapping[str, Any]) -> AudioError:
    """Return the error about a clip of which a step's result does not fit into memory."""
    given = ", ".join(f"{name}={value!r}" for name, value in parameters.items())
    return AudioError(
        clip,
        f"does not fit into memory with {given}",
        "Shorten what is extracted of it, or read it in pieces with a (file, start, end) index",
        "settings",
    )


FRAME_PARAMETERS = ("window_duration", "hop_duration", "adapt")
STEPS: tuple[tuple[Callable[..., Signal], tuple[str, ...]], ...] = (
    (_read_audio, ("sampling_rate", "duration", "align", "on_error")),
    (_pad_or_cut, ("duration", "align")),
    (_mix_channels, ("channel",)),
    (_pre_emphasize, ("pre_emphasis",)),
    (
        _spectrogram_in_decibels,
        (*FRAME_PARAMETERS, "n_mels", "mel_norm", "fmin", "fmax", "align", "reference"),
    ),
    (_clip_decibels, ("clip_below", "clip_above")),
    (
        _rescale,
        ("chunk_duration", "n_chunks", *FRAME_PARAMETERS, "reference", "clip_below", "clip_above"),
    ),
)


def extract_clip_views(
    clips: Sequence[Clip], extractors: Sequence[Mapping[str, Any]]
) -> list[list[Signal | AudioError]]:
    """Extract several spectrograms of each clip, sharing the work that they have in common.

    Parameters
    ----------
    clips : sequence of Clip
        The clips, as :func:`~skaudeep.audio.list_clips` returns them.
    extractors : sequence of mapping
        Parameters of each :class:`~skaudeep.SpectrogramExtractor`, already checked.

    Returns
    -------
    list of list of Signal or AudioError
        For each clip the spectrogram of each extractor, or the error that prevented it.

    Raises
    ------
    AudioError
        If a clip cannot be used by an extractor with `on_error="raise"`.

    Examples
    --------
    >>> from skaudeep import SpectrogramExtractor
    >>> parameters = SpectrogramExtractor(n_mels=40, sampling_rate=16000).get_params()
    >>> noise = np.random.default_rng(0).normal(size=16000)
    >>> ((view,),) = extract_clip_views([Clip("noise", noise)], [parameters])
    >>> view.values.shape, view.sampling_rate
    ((24, 40), 16000)
    """
    return [_extract_clip(clip, extractors) for clip in clips]


def _extract_clip(clip: Clip, extractors: Sequence[Mapping[str, Any]]) -> list[Signal | AudioError]:
    """Run each extractor's steps on one clip; a step runs once for all that agree up to it."""
    done: dict[tuple, Any] = {}
    views = []
    for extractor in extractors:
        value: Any = clip
        key: tuple = ()
        for step, names in STEPS:
            parameters = {name: extractor[name] for name in names}
            key = (*key, *parameters.values(), step)
            if key not in done:
                try:
                    done[key] = step(value, **parameters)
                except AudioError as error:
                    done[key] = error.renamed(clip.name)
                except MemoryError:
                    done[key] = _too_large(clip.name, parameters)
            value = done[key]
            if isinstance(value, AudioError):
                if extractor["on_error"] == "raise":
                    raise value
                break
        views.append(value)
    return views
