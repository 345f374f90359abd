"""The steps that turn a clip into frames, each with the parameters that it reads."""

# Worker processes of an extraction import this module: neither scikit-learn nor torch here.
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skaudeep._padding import pad
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
from skaudeep.audio.frames import FrameLayout, frame_layout
from skaudeep.audio.functions import call_function, function_name
from skaudeep.audio.onnx_models import read_onnx
from skaudeep.audio.overlaps import Place, find_place, power_at
from skaudeep.audio.spectra import (
    MelNorm,
    full_scale_power,
    mel_filters,
    rescale,
    split_chunks,
    to_decibels,
)

# Range in dB below the maximum if clip_below is None. Digital zeros have no finite level, and
# 16-bit recordings have only rounding noise so far below their maximum.
DYNAMIC_RANGE = 120.0
# Peak, in multiples of full scale, beyond which samples cannot have full scale at 1: that is 18 dB.
MAX_PEAK = 8.0

Reference = Literal["chunk", "clip", "full_scale"]


class Signal(NamedTuple):
    """The values that one step passes to the next.

    Parameters
    ----------
    values : ndarray
        Before channels are mixed, samples of shape (n_channels, n_samples); up to pre-emphasis,
        samples of shape (n_samples,); then decibels of shape (n_frames, n_bands); at the end the
        spectrogram in [-1, 1], or the frames of a function, of shape (n_frames, n_bands) or
        (n_chunks, n_frames, n_bands).
    sampling_rate : float
        Rate of the samples in Hz.
    place : Place, default=None
        Position of the samples in their file. None after a step that makes a sample depend on where
        the clip starts or ends: frames can then not be shared with overlapping clips.
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
    place = None if pre_emphasis else signal.place  # the first sample depends on the clip's start
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
    window, hop = layout.window, layout.hop
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
        raise excess(f"waveform of {len(samples)} samples", peak)
    # A constant is silence; removing frame means would leave its rounding errors. Where decibels
    # are relative, the level is arbitrary: with a peak of 1 no float32 power over- or underflows.
    level = np.zeros_like(samples)
    if high > low:
        level = samples / peak if full_scale is None else samples
    if high == low or full_scale is None or len(samples) < window:
        place = None  # frames depend on the clip as a whole
    if len(level) < window:
        # Pad to three frames, as a single one has no course over time. The mean is subtracted
        # first, because a step to zero would be a click that was not recorded.
        level = pad_or_cut(level - level.sum() / max(1, len(level)), 1, window + 2 * hop, align)
    power = band_power(level, layout, mel_norm, fmin, fmax, place)
    return Signal(to_decibels(power, full_scale), rate)


def excess(name: str, peak: float) -> AudioError:
    """Return the error about samples beyond what full scale at 1 can explain."""
    return AudioError(
        name,
        f"peaks at {peak:g}, where digital full scale is 1",
        'Divide it by its full scale, or choose reference="clip"',
        "settings",
    )


def band_power(
    level: NDArray[np.float32],
    layout: FrameLayout,
    mel_norm: MelNorm,
    fmin: float,
    fmax: float | None,
    place: Place | None = None,
) -> NDArray[np.float32]:
    """Return the power in the bands of each frame.

    Parameters
    ----------
    level : ndarray of shape (n_samples,)
        Samples, at least as many as a window has.
    layout : FrameLayout
        Frames and bands.
    mel_norm, fmin, fmax : str or None, float, float or None
        Parameters of the mel filters, see :func:`~skaudeep.audio.spectra.mel_filters`.
    place : Place, default=None
        Position of the samples in their file.

    Returns
    -------
    ndarray of shape (n_frames, n_bands), float32
        The power.
    """
    window, hop = layout.window, layout.hop
    if layout.n_mels is None:
        power = power_at(place, (), level, window, hop, None)
        return power[:, layout.bins.start : layout.bins.stop]
    bands = (layout.sampling_rate, window, layout.n_mels, mel_norm, fmin, fmax)
    return power_at(place, bands, level, window, hop, sparse_mel_filters(*bands))


def clip_decibels(
    decibels: NDArray[np.float32], clip_below: float | None, clip_above: float | None
) -> NDArray[np.float32]:
    """Clip levels to those that an extractor keeps."""
    low = -DYNAMIC_RANGE if clip_below is None else clip_below
    return np.clip(decibels, low, clip_above or 0.0)


def scale_decibels(
    decibels: NDArray[np.float32], clip_below: float | None, clip_above: float | None
) -> NDArray[np.float32]:
    """Map levels relative to full scale to [-1, 1], from `clip_below` to `clip_above`."""
    low = -DYNAMIC_RANGE if clip_below is None else clip_below
    scaled = (decibels - low) / ((clip_above or 0.0) - low)
    return (2 * scaled - 1).astype(np.float32, copy=False)


def _clip_decibels(signal: Signal, clip_below: float | None, clip_above: float | None) -> Signal:
    return signal._replace(values=clip_decibels(signal.values, clip_below, clip_above))


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
        signal = signal._replace(values=scale_decibels(signal.values, clip_below, clip_above))
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
    if reference == "chunk":
        chunks = [rescale(chunk) for chunk in chunks]
    return _stack_chunks(signal, chunks, length, n_chunks)


def _stack_chunks(
    signal: Signal, chunks: list[NDArray], length: float, n_chunks: int | None
) -> Signal:
    """Return chunks as one array, with NaN where a chunk is shorter or there is none."""
    missing = [None] * ((n_chunks or 0) - len(chunks))
    shape = (round(length), signal.values.shape[1])
    return signal._replace(values=pad([*chunks, *missing], shape))


def _frames_by_function(
    signal: Signal,
    func: Any,
    checksum: str | None,
    output: str | None,
    window_overlap: float,
    scale: str | None,
    hop_duration: float | None,
    chunk_duration: float | None,
    n_chunks: int | None,
) -> Signal:
    samples, rate = signal.values, signal.sampling_rate
    name = function_name(func)
    if callable(func):
        frames = call_function(func, samples, name)
    else:
        model, overlap = read_onnx(func, checksum, output), round(window_overlap * rate)
        frames = call_function(lambda own: model.frames(own, overlap), samples, name)
    if scale == "clip":  # the difference of two float32 values may exceed float32
        frames = rescale(frames.astype(np.float64)).astype(np.float32)
    signal = Signal(frames, rate)
    if chunk_duration is None or hop_duration is None:
        return signal
    lasts, stated = len(samples) / rate, len(frames) * hop_duration
    if abs(stated - lasts) > chunk_duration:
        raise AudioError(
            f"waveform of {len(samples)} samples",
            f"lasts {lasts:g} s, but its {len(frames)} frames by {name} last {stated:g} s at "
            f"hop_duration={hop_duration:g}, so that chunks would not be where they belong",
            "State the time between two frames of the function; it returns (n_frames, "
            "n_dimensions)",
            "settings",
        )
    check_length("n_chunks * chunk_duration", (n_chunks or 0) * chunk_duration, rate)
    length = chunk_duration / hop_duration
    return _stack_chunks(signal, split_chunks(frames, length, n_chunks), length, n_chunks)


def _too_large(clip: str, parameters: Mapping[str, Any]) -> AudioError:
    """Return the error about a clip of which a step's result does not fit into memory."""
    given = ", ".join(
        f"{name}={function_name(value) if callable(value) else repr(value)}"
        for name, value in parameters.items()
    )
    return AudioError(
        clip,
        f"does not fit into memory with {given}",
        "Shorten what is extracted of it, or read it in pieces with a (file, start, end) index",
        "settings",
    )


FRAME_PARAMETERS = ("window_duration", "hop_duration", "adapt")
Steps = tuple[tuple[Callable[..., Signal], tuple[str, ...]], ...]
_TO_SAMPLES: Steps = (
    (_read_audio, ("sampling_rate", "duration", "align", "on_error")),
    (_pad_or_cut, ("duration", "align")),
    (_mix_channels, ("channel",)),
)
STEPS: Steps = (
    *_TO_SAMPLES,
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
FUNCTION_STEPS: Steps = (
    *_TO_SAMPLES,
    (
        _frames_by_function,
        ("func", "checksum", "output", "window_overlap", "scale", "hop_duration", "chunk_duration")
        + ("n_chunks",),
    ),
)


def extract_clip_views(
    clips: Sequence[Clip], extractors: Sequence[Mapping[str, Any]]
) -> list[list[Signal | AudioError]]:
    """Extract several spectrograms of each clip, and run the steps that they share only once.

    A view of a clip is what one extractor computes of it: the spectrogram of a
    :class:`~skaudeep.SpectrogramExtractor`, or the frames of a
    :class:`~skaudeep.FunctionExtractor`. The steps, such as decoding, resampling and mixing of
    channels, run once for all extractors whose parameters of this and of all earlier steps are
    equal.

    Parameters
    ----------
    clips : sequence of Clip
        The clips, as :func:`~skaudeep.audio.list_clips` returns them.
    extractors : sequence of mapping
        The parameters of each extractor, as its `get_params` returns them. They are not checked
        again here.

    Returns
    -------
    list of list of Signal or AudioError
        For each clip a list with an entry for each extractor. An entry is a named tuple with
        `values`, an array of shape (n_frames, n_bands), or (n_chunks, n_frames, n_bands) if the
        extractor has a `chunk_duration`; and with `sampling_rate`, the rate in Hz of the samples
        from which they were computed. If an extractor with another `on_error` than "raise" cannot
        use the clip, the entry is the error instead.

    Raises
    ------
    AudioError
        If an extractor with `on_error="raise"` cannot use a clip.
    ValueError
        If the frames, bands or chunks of an extractor do not suit the sampling rate of a clip,
        whatever its `on_error` is.

    Warns
    -----
    AudioWarning
        If a file holds less than its header announces and an extractor has `on_error="read"`.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep import SpectrogramExtractor
    >>> from skaudeep.audio import Clip, extract_clip_views
    >>> parameters = SpectrogramExtractor(n_mels=40, sampling_rate=16000).get_params()
    >>> noise = np.random.default_rng(0).normal(size=16000)
    >>> ((view,),) = extract_clip_views([Clip("noise", noise)], [parameters])
    >>> view.values.shape, view.sampling_rate
    ((24, 40), 16000)
    """
    return [_extract_clip(clip, extractors) for clip in clips]


def _extract_clip(clip: Clip, extractors: Sequence[Mapping[str, Any]]) -> list[Signal | AudioError]:
    """Run each extractor's steps on one clip; a step runs once for all with equal steps so far."""
    done: dict[tuple, Any] = {}
    views = []
    for extractor in extractors:
        value: Any = clip
        key: tuple = ()
        for step, names in FUNCTION_STEPS if "func" in extractor else STEPS:
            parameters = {name: extractor[name] for name in names}
            # An object that can be called need not have a hash.
            values = (id(value) if callable(value) else value for value in parameters.values())
            key = (*key, *values, step)
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
