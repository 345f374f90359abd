"""Functions that decode, resample, pad, cut, mix and pre-emphasise the samples of clips."""

import math
import os
import warnings
from numbers import Integral
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skaudeep._texts import printable
from skaudeep._warnings import find_stack_level
from skaudeep.audio.errors import AudioError, AudioWarning
from skaudeep.audio.files import MAX_CHANNELS, READ, AudioFile, AudioInfo, OnFlaw
from skaudeep.audio.formats import to_full_scale
from skaudeep.audio.segments import Decoding, Reading, find_open, keep_open

END_TOLERANCE = 0.001  # seconds that a segment may end after its file: times are often rounded
MARGIN = 4096  # samples, at the lower of two rates, on which a resampled one may depend

Channel = Literal["mean", "left", "right", "difference"] | int
Align = Literal["start", "center"]

# --- decoding ------------------------------------------------------------------------------------


def read_audio(
    clip: str | os.PathLike | ArrayLike,
    *,
    sampling_rate: float | None = None,
    start: float = 0.0,
    end: float | None = None,
    duration: float | None = None,
    align: Align = "start",
    on_error: OnFlaw = "raise",
) -> tuple[NDArray[np.float32], float]:
    """Read a clip, or a segment of it.

    Parameters
    ----------
    clip : str, bytes, Path, or array of shape (n_samples,) or (n_channels, n_samples)
        The path of an audio file in any format that libsndfile reads (WAV, FLAC, Ogg Vorbis and
        Opus, MP3, AIFF, ...) or, with the extra `ffmpeg`, FFmpeg (M4A, AAC, WebM, WMA, ...); or a
        waveform: floats, int8, int16, int32, or uint8, of which 128 is silence.
    sampling_rate : float > 0, default=None
        Rate of the result in Hz. A file of another rate is resampled to it (soxr, high quality);
        None keeps the file's rate. For a waveform it states the rate of the waveform and is
        required.
    start : float >= 0, default=0.0
        Time of the first sample in seconds.
    end : float > start, default=None
        Time in seconds at which to stop; None reads to the end. A time up to 1 ms after the end,
        as rounding makes it, is the end.
    duration : float > 0, default=None
        Largest length of the result in seconds. Only this part of the time between `start` and
        `end` is decoded. A shorter clip is not padded, see :func:`pad_or_cut`. None has no limit.
    align : {"start", "center"}, default="start"
        Which part of a longer clip `duration` keeps: its start or its middle.
    on_error : {"raise", "read"}, default="raise"
        What to do with a file that holds less than its header announces, or whose header does not
        state a length: "raise" raises an error, "read" reads the samples that are there, with an
        :class:`AudioWarning`; if there are none, it is an error as well. It has no effect on a
        waveform.

    Returns
    -------
    samples : ndarray of shape (n_channels, n_samples), float32
        The samples. Integers are scaled so that full scale is [-1, 1]. Floats keep their values,
        which may lie outside this range.
    sampling_rate : float
        Rate of the samples in Hz.

    Raises
    ------
    AudioError
        If the clip is missing, no regular file, not audio, empty, cut short (fewer samples, frames
        or bytes than its header announces; an Ogg page missing or damaged), if its header
        contradicts itself, if a sample that is read is NaN or infinite, if the rate of the file
        lies outside 1 Hz to 10 MHz, if the clip has more than 64 channels, if it has no sample
        between `start` and `end` or ends before `end`, or if a waveform has another dtype.
    ValueError
        If `clip` is a waveform and `sampling_rate` is None, or `on_error` has another value.

    Notes
    -----
    A segment has exactly the samples that the whole file has there. PCM, FLAC and ALAC are decoded
    from the start of the segment, other codings from the start of the file. After a segment, the
    last file of each thread stays open, and so do the last four files of other codings, of which up
    to 64 MB of decoded samples each are kept. If segments are read in order, no sample is therefore
    decoded twice, even if they overlap.

    Headers of IRCAM, PAF, PVF and Sound Designer II files state no length. A cut is noticed there
    only if it lies within a sample.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.audio import read_audio
    >>> samples, rate = read_audio(np.zeros(16000), sampling_rate=16000, start=0.25)
    >>> samples.shape, samples.dtype, rate
    ((1, 12000), dtype('float32'), 16000)
    """
    _check_on_error(on_error)
    _check_align(align)
    if not isinstance(clip, str | bytes | os.PathLike):
        return _read_array(clip, sampling_rate, start, end, duration, align)
    name = os.fsdecode(clip)
    file: AudioFile | Decoding | Reading = find_open(name, on_error) or AudioFile(name, on_error)
    n_samples, rate = file.info.n_samples, file.info.sampling_rate
    new_rate = sampling_rate or rate
    try:
        first, last = _bounds(name, n_samples, rate, start, end)
        part = _part(last - first, rate, new_rate, duration, align)
        first, last = first + part.first, first + part.last
        if isinstance(file, AudioFile) and (first, last) != (0, n_samples):
            file = keep_open(file, on_error)
        samples = file.read_range(first, last)
    except AudioError as error:
        raise error.renamed(name) from error
    finally:
        if isinstance(file, AudioFile):
            file.close()
    n_decoded = samples.shape[1]
    if n_decoded < last - first and (on_error == "raise" or not n_decoded):
        reason = f"holds {first + n_decoded} of the {last} samples it announces"
        raise AudioError(name, f"is cut short: {reason}", READ, "cut short")
    _check_finite(name, samples)
    if file.flaw and not file.flaw.is_harmless:
        warnings.warn(
            f"{printable(name)}: {printable(file.flaw.reason)}; what is there was read",
            AudioWarning,
            stacklevel=find_stack_level(),
        )
    if new_rate != rate:
        samples = resample(samples, rate, new_rate)
    return np.ascontiguousarray(samples[:, part.skip : part.stop]), new_rate


def audio_info(path: str | os.PathLike, on_error: OnFlaw = "raise") -> AudioInfo:
    """Read the header of an audio file.

    Parameters
    ----------
    path : str or path
        An audio file in any format that :func:`read_audio` reads.
    on_error : {"raise", "read"}, default="raise"
        What to do with a file that holds less than its header announces, or whose header does not
        state a length: "raise" raises an error, "read" returns the length that is there, without
        a warning.

    Returns
    -------
    AudioInfo
        `n_samples` (per channel), `n_channels`, `sampling_rate` in Hz, `format` and `subtype` as
        libsndfile calls them (FFmpeg, for a file that FFmpeg reads), `duration` in seconds, and
        `full_scale`.

    Raises
    ------
    AudioError
        If the file is missing or no audio, or its header is damaged; see :func:`read_audio`.
        Faults that only decoding shows are not found.
    ValueError
        If `on_error` has another value.

    Notes
    -----
    MP3 and Ogg files are read, and files that FFmpeg reads are decoded, as a whole, because their
    headers do not state the number of samples reliably.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np, soundfile
    >>> from skaudeep.audio import audio_info
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "silence.wav"
    ...     soundfile.write(path, np.zeros((800, 2)), 8000)
    ...     audio_info(path)
    AudioInfo(n_samples=800, n_channels=2, sampling_rate=8000, format='WAV', subtype='PCM_16')
    """
    _check_on_error(on_error)
    with AudioFile(os.fsdecode(path), on_error) as file:
        return file.info


def _check_on_error(on_error: str) -> None:
    if on_error not in ("raise", "read"):
        raise ValueError(f'Got on_error={on_error!r}, expected "raise" or "read".')


def _check_align(align: str) -> None:
    if align not in ("start", "center"):
        raise ValueError(f'Got align={align!r}, expected "start" or "center".')


def _read_array(
    waveform: ArrayLike,
    sampling_rate: float | None,
    start: float,
    end: float | None,
    duration: float | None,
    align: Align,
) -> tuple[NDArray[np.float32], float]:
    samples = np.asarray(waveform)
    if samples.dtype.kind not in "iuf" or samples.ndim not in (1, 2):
        raise AudioError(
            f"object of type {type(waveform).__name__}",
            f"is neither a path nor a waveform (dtype {samples.dtype}, shape {samples.shape})",
            "Pass a path, or numbers of shape (n_samples,) or (n_channels, n_samples)",
        )
    if sampling_rate is None:
        raise ValueError(
            "sampling_rate=None, expected the rate in Hz: waveforms do not carry one. "
            "Set sampling_rate=."
        )
    name = f"waveform of shape {samples.shape}"
    samples = np.atleast_2d(samples)
    if samples.shape[0] > MAX_CHANNELS:
        raise AudioError(
            name,
            f"has {samples.shape[0]} channels, more than {MAX_CHANNELS}",
            "Channels come first: pass its transpose if it is (n_samples, n_channels)",
        )
    first, last = _bounds(name, samples.shape[1], sampling_rate, start, end)
    part = _part(last - first, sampling_rate, sampling_rate, duration, align)
    samples = samples[:, first + part.first : first + part.last]
    try:
        samples = to_full_scale(samples)
    except TypeError:
        raise AudioError(
            name,
            f"holds {samples.dtype} samples, of which nobody knows what full scale is; expected "
            "floats, int8, int16, int32 or uint8",
            "Divide it by its full scale, as floats",
        ) from None
    _check_finite(name, samples)
    return samples, sampling_rate


class _Part(NamedTuple):
    """The samples to read, and the part of them to keep after resampling."""

    first: int
    last: int
    skip: int = 0
    stop: int | None = None


def _part(
    n_samples: int, rate: float, new_rate: float, duration: float | None, align: Align
) -> _Part:
    """Choose what to read of `n_samples` for `duration` seconds of them at `new_rate`."""
    whole = _Part(0, n_samples)
    if duration is None:
        return whole
    wanted = round(duration * new_rate)
    n_resampled = n_samples if rate == new_rate else math.floor(n_samples * new_rate / rate + 0.5)
    if n_resampled <= wanted:
        return whole
    skip = 0 if align == "start" else (n_resampled - wanted) // 2
    if rate == new_rate:
        return _Part(skip, skip + wanted)
    ratio = rate / new_rate
    margin = math.ceil(MARGIN * max(1, ratio))
    last = min(n_samples, math.ceil((skip + wanted) * ratio) + margin)
    # Samples of both rates coincide at multiples of these steps.
    divisor = math.gcd(int(rate), int(new_rate))
    step, new_step = int(rate) // divisor, int(new_rate) // divisor
    n_steps = max(0, math.floor(skip * ratio) - margin) // step
    if rate != int(rate) or new_rate != int(new_rate):
        n_steps = 0
    skip -= n_steps * new_step
    return _Part(n_steps * step, last, skip, skip + wanted)


def _bounds(
    name: str, n_samples: int, rate: float, start: float, end: float | None
) -> tuple[int, int]:
    first = round(start * rate)
    last = n_samples if end is None else round(end * rate)
    if n_samples < last <= n_samples + END_TOLERANCE * rate:
        last = n_samples
    if not 0 <= first < last or last > n_samples:
        until = "its end" if end is None else f"{end:g} s"
        raise AudioError(
            name,
            f"has no samples from {start:g} s to {until}: it lasts {n_samples / rate:g} s",
            "Choose 0 <= start < end within the clip, or leave it out",
            "settings" if n_samples else "empty",
        )
    return first, last


def _check_finite(name: str, samples: NDArray) -> None:
    # A NaN or infinity always shows in an extreme, and these need no temporary array.
    if not (math.isfinite(samples.min()) and math.isfinite(samples.max())):
        n_bad = samples.size - int(np.isfinite(samples).sum())
        raise AudioError(
            name,
            f"holds {n_bad} samples that are NaN or infinite",
            "Repair it or leave it out",
            "not finite",
        )


# --- samples to samples --------------------------------------------------------------------------


def resample(
    samples: NDArray[np.float32], sampling_rate: float, new_rate: float
) -> NDArray[np.float32]:
    """Resample a waveform (soxr, high quality).

    Parameters
    ----------
    samples : ndarray of shape (n_channels, n_samples), float32
        The waveform.
    sampling_rate, new_rate : float > 0
        Rate of the waveform and of the result, in Hz.

    Returns
    -------
    ndarray of shape (n_channels, about n_samples * new_rate / sampling_rate), float32
        The waveform at its new rate.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.audio import resample
    >>> resample(np.zeros((1, 44100), dtype=np.float32), 44100, 16000).shape
    (1, 16000)
    """
    import soxr

    resampled = soxr.resample(np.ascontiguousarray(samples.T), sampling_rate, new_rate)
    return np.ascontiguousarray(resampled.T)


def pad_or_cut(
    samples: NDArray[np.float32], sampling_rate: float, duration: float, align: Align = "start"
) -> NDArray[np.float32]:
    """Cut a waveform to a duration, or pad it with silence.

    Parameters
    ----------
    samples : ndarray of shape (..., n_samples)
        The waveform. Silence is 128 in one of uint8 and 0 in others.
    sampling_rate : float > 0
        Rate of the waveform in Hz.
    duration : float > 0
        Length of the result in seconds.
    align : {"start", "center"}, default="start"
        Which part of a longer waveform is kept, and where a shorter one is padded: "start" keeps
        the first `duration` seconds, or pads at the end; "center" keeps those around the middle, or
        pads at both ends. If the number of samples to cut off or to add is odd, the additional one
        is at the end.

    Returns
    -------
    ndarray of shape (..., round(duration * sampling_rate))
        The waveform of this length: a view if nothing was padded, else a copy.

    Raises
    ------
    ValueError
        If `align` has another value.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.audio import pad_or_cut
    >>> pad_or_cut(np.array([1, 2, 3, 4, 5]), 1, 3, "center")
    array([2, 3, 4])
    >>> pad_or_cut(np.array([1, 2]), 1, 4)
    array([1, 2, 0, 0])
    """
    _check_align(align)
    wanted = round(duration * sampling_rate)
    missing = wanted - samples.shape[-1]
    before = 0 if align == "start" else abs(missing) // 2
    if missing <= 0:
        return samples[..., before : before + wanted]
    silence = 128 if samples.dtype == np.uint8 else 0
    padded = np.full((*samples.shape[:-1], wanted), silence, samples.dtype)
    padded[..., before : before + samples.shape[-1]] = samples
    return padded


def mix_channels(samples: NDArray[np.float32], channel: Channel = "mean") -> NDArray[np.float32]:
    """Reduce a waveform to one channel.

    Parameters
    ----------
    samples : ndarray of shape (n_channels, n_samples)
        The waveform.
    channel : {"mean", "left", "right", "difference"} or int >= 0, default="mean"
        Which channel to use: "mean" averages all channels, "left" is the first one, "right" the
        second, "difference" the first minus the second, without division by two; an int is the
        number of a channel, from 0.

    Returns
    -------
    ndarray of shape (n_samples,)
        The one channel.

    Raises
    ------
    AudioError
        If the waveform lacks the channel, as one of a single channel lacks "right" and
        "difference".
    ValueError
        If `channel` is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.audio import mix_channels
    >>> mix_channels(np.array([[1.0, 2.0], [3.0, 6.0]]), "difference")
    array([-2., -4.])
    """
    n_channels = samples.shape[0]
    if channel == "mean":
        return samples[0] if n_channels == 1 else samples.mean(axis=0)
    numbers = {"left": 0, "right": 1, "difference": 1}
    number = numbers.get(channel) if isinstance(channel, str) else channel
    if not isinstance(number, Integral) or isinstance(number, bool) or number < 0:
        raise ValueError(
            f'Got channel={channel!r}, expected "mean", "left", "right", "difference" or the '
            "number of a channel, from 0."
        )
    if number >= n_channels:
        raise AudioError(
            f"waveform of shape {samples.shape}",
            f"channel={channel!r} asks for channel {number}, but it has {n_channels} "
            f"channel{'s'[: n_channels != 1]}, and the first is 0",
            'Choose channel="mean", which suits mono and stereo alike, or leave the clip out',
            "settings",
        )
    return samples[0] - samples[1] if channel == "difference" else samples[number]


def pre_emphasize(samples: NDArray[np.float32], coefficient: float) -> NDArray[np.float32]:
    """Raise the level of high frequencies: subtract `coefficient` times the previous sample.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float
        The waveform. The sample before the first is taken to equal it, so that a constant offset
        makes no click.
    coefficient : float in [0, 1]
        Factor of the previous sample. 0 does not filter. auDeep's commands use 0.95; HTK's default
        is 0.97.

    Returns
    -------
    ndarray of shape (n_samples,)
        The filtered waveform: a copy, or `samples` itself if `coefficient` is 0.

    References
    ----------
    S. Young et al., The HTK Book, version 3.4, section 5.2, equation 5.1.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.audio import pre_emphasize
    >>> pre_emphasize(np.array([1.0, 1.0, 3.0]), 0.5)
    array([0.5, 0.5, 2.5])
    """
    if coefficient == 0 or samples.size == 0:
        return samples
    emphasized = samples.copy()
    emphasized[1:] -= coefficient * samples[:-1]
    emphasized[:1] -= coefficient * samples[:1]
    return emphasized
