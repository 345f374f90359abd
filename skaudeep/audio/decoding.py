"""Samples of clips: decode, resample, pad or cut, mix channels, pre-emphasise."""

import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skaudeep._padding import row_lengths
from skaudeep.audio.errors import AudioError
from skaudeep.audio.headers import contradiction, missing_bytes, ogg_fault, states_length

SAMPLING_RATES = (1, 10_000_000)  # Hz; a rate outside this range comes from a broken header
MAX_CHANNELS = 64
# The largest length that a FLAC header can hold. libsndfile reports more where it knows none.
MAX_SAMPLES = 2**36
RESTORE = "Restore it from its source or leave it out"

Channel = Literal["mean", "left", "right", "difference"] | int
Align = Literal["start", "center"]


class AudioInfo(NamedTuple):
    """What the header of an audio file says."""

    n_samples: int
    n_channels: int
    sampling_rate: int
    format: str
    subtype: str

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sampling_rate


class Clip(NamedTuple):
    """One recording, or a piece of one, not yet decoded."""

    name: str
    source: Any
    start: float = 0.0
    end: float | None = None


# --- input to clips ------------------------------------------------------------------------------


def list_clips(X: Any) -> list[Clip]:
    """List the clips of an input, without decoding any.

    Parameters
    ----------
    X : sequence of n_clips paths or arrays, array, or pandas object
        Paths (str or Path), waveforms of shape `(n_samples,)` or `(n_channels, n_samples)`, a
        float array of shape `(n_clips, n_samples)` or `(n_clips, n_channels, n_samples)` in which
        NaN pads the ends of shorter clips, or a pandas `(file, start, end)` MultiIndex (or a
        Series or DataFrame that carries one) whose times are Timedelta or seconds; a missing
        `end` is the end of the file.

    Returns
    -------
    list of Clip
        One for each row of `X`, in its order.

    Raises
    ------
    ValueError
        If `X` is empty, a single path or a single waveform, or a row of it is something else than a
        path or a waveform, such as a pair of a waveform and its rate.

    Examples
    --------
    >>> list_clips(["a.wav", "b.wav"])[1].source
    'b.wav'
    """
    if isinstance(X, str | bytes | os.PathLike):
        raise ValueError(
            f"X={X!r} is one path, expected a sequence of clips. Put it into a list: [X]."
        )
    index = getattr(X, "index", X)
    names = list(getattr(index, "names", None) or [])
    if names == ["file", "start", "end"]:
        X = index
    elif hasattr(X, "columns"):
        raise ValueError(
            f"X is a table with index {names}, expected clips. "
            "Pass its column of paths, or index it by (file, start, end)."
        )
    try:
        n_clips = len(X)
    except TypeError:
        raise ValueError(
            f"X is of type {type(X).__name__}, expected a sequence of paths or waveforms."
        ) from None
    if n_clips == 0:
        raise ValueError("X is empty (0 clips), expected at least one path or waveform.")
    if isinstance(X, tuple) and (pair := _rate_pair(X)):
        raise ValueError(
            f"X is one waveform with its sampling rate, as {pair.made_by} returns it, expected a "
            f"sequence of clips. Pass [X[{pair.place}]], and set sampling_rate={pair.rate:g}."
        )
    if X is index and names == ["file", "start", "end"]:
        return [_segment(*row) for row in X]
    if isinstance(X, np.ndarray) and X.dtype.kind in "iuf":
        if X.ndim not in (2, 3):
            raise ValueError(
                f"X is a numeric array of shape {X.shape}, expected (n_clips, n_samples) or "
                "(n_clips, n_channels, n_samples). Put a single waveform into a list: [X]."
            )
        return [Clip(f"clip {i}", _without_padding(row)) for i, row in enumerate(X)]
    if isinstance(X, np.ndarray) and X.dtype.kind == "U":
        X = X.tolist()  # numpy's own strings are slow, and slower still to send to a process
    return [_whole(source, i) for i, source in enumerate(X)]


def _whole(source: Any, row: int) -> Clip:
    if isinstance(source, str | bytes | os.PathLike):
        return Clip(os.fsdecode(source), source)
    if isinstance(source, Real):
        raise ValueError(
            f"Row {row} of X is the number {source}, expected a path or a waveform. If X is one "
            "waveform, put it into a list: [X]."
        )
    if isinstance(source, dict):
        raise ValueError(
            f"Row {row} of X is a dictionary with the keys {list(source)[:5]}, expected a path or "
            'a waveform. Pass what holds the samples, for example [row["array"] for row in X], and '
            "set sampling_rate=."
        )
    if isinstance(source, tuple) and (pair := _rate_pair(source)):
        names = "y, rate" if pair.place == 0 else "rate, y"
        raise ValueError(
            f"Row {row} of X is a waveform with its sampling rate, as {pair.made_by} returns it, "
            f"expected the waveform alone. Pass [y for {names} in X], and set "
            f"sampling_rate={pair.rate:g}."
        )
    if isinstance(source, list | tuple):
        source = _as_waveform(source, row)
    return Clip(f"clip {row}", source)


class _RatePair(NamedTuple):
    """A waveform with its sampling rate: what makes such pairs, and where the waveform stands."""

    made_by: str
    place: int
    rate: float


def _rate_pair(values: tuple) -> _RatePair | None:
    """Recognise what functions that load audio return."""
    if len(values) == 2:
        for made_by, place in (("librosa.load", 0), ("scipy.io.wavfile.read", 1)):
            waveform, rate = values[place], values[1 - place]
            holds_samples = hasattr(waveform, "__len__") and not isinstance(waveform, str | bytes)
            if isinstance(rate, Real) and holds_samples:
                return _RatePair(made_by, place, float(rate))
    return None


def _as_waveform(values: list | tuple, row: int) -> NDArray:
    """Make an array of nested lists of numbers."""
    if len(values) and isinstance(values[0], str | bytes | os.PathLike):
        raise ValueError(
            f"Row {row} of X is a list of {len(values)} paths, {str(values[0])!r} first, expected "
            "one path for each clip. Pass [path for paths in X for path in paths]."
        )
    try:
        return np.asarray(values)
    except ValueError:  # numpy's "inhomogeneous shape"
        lengths = [len(part) if hasattr(part, "__len__") else "no" for part in values]
        raise ValueError(
            f"Row {row} of X is a list whose parts have {', '.join(map(str, lengths[:3]))} ... "
            "samples, expected a waveform: n_samples numbers, or n_channels lists of equally many. "
            "Pass each clip as an array of its own: [part for row in X for part in row]."
        ) from None


def _segment(file: Any, start: Any, end: Any) -> Clip:
    start, end = _seconds(start) or 0.0, _seconds(end)
    until = "end" if end is None else f"{end:g} s"
    return Clip(f"{os.fspath(file)} [{start:g} s to {until}]", file, start, end)


def _seconds(time: Any) -> float | None:
    if time is None or time != time:  # NaT and NaN differ from themselves
        return None
    return float(time.total_seconds() if hasattr(time, "total_seconds") else time)


def _without_padding(waveform: NDArray) -> NDArray:
    if waveform.dtype.kind != "f" or not np.isnan(waveform[..., -1:]).any():
        return waveform
    n_samples = row_lengths(np.atleast_2d(waveform).T[None])[0]
    return waveform[..., :n_samples]


# --- decoding ------------------------------------------------------------------------------------


def read_audio(
    clip: str | os.PathLike | ArrayLike,
    *,
    sampling_rate: float | None = None,
    start: float = 0.0,
    end: float | None = None,
) -> tuple[NDArray[np.float32], float]:
    """Read a clip, or a piece of it.

    Parameters
    ----------
    clip : str, path or array of shape (n_samples,) or (n_channels, n_samples)
        An audio file in any format that libsndfile reads (WAV, FLAC, Ogg Vorbis and Opus, MP3,
        AIFF, ...), or a waveform.
    sampling_rate : float > 0, default=None
        Rate of the result in Hz. A file of another rate is resampled to it (soxr, high quality);
        None keeps the file's rate. For a waveform it states the rate of the waveform and is
        required.
    start : float >= 0, default=0.0
        Time of the first sample in seconds. Files are not decoded before it.
    end : float > start, default=None
        Time in seconds at which to stop; None reads to the end.

    Returns
    -------
    samples : ndarray of shape (n_channels, n_samples), float32
        Full scale of integer formats is [-1, 1]; float formats are as stored.
    sampling_rate : float
        Rate of the samples in Hz.

    Raises
    ------
    AudioError
        If the clip is missing, no regular file, not audio, empty, cut short (fewer samples than
        its header announces; an Ogg page missing or damaged), if its header contradicts itself,
        if a sample is NaN or infinite, if its rate lies outside 1 to 768 kHz, if it has more than
        64 channels, or if it ends before `end`. An MP3 without a Xing, Info or VBRI header does
        not state its length: libsndfile guesses it, and a cut is not noticed.
    ValueError
        If `clip` is a waveform and `sampling_rate` is None.

    Examples
    --------
    >>> import numpy as np
    >>> samples, rate = read_audio(np.zeros(16000), sampling_rate=16000, start=0.25)
    >>> samples.shape, samples.dtype, rate
    ((1, 12000), dtype('float32'), 16000)
    """
    if not isinstance(clip, str | bytes | os.PathLike):
        return _read_array(clip, sampling_rate, start, end)
    name = os.fsdecode(clip)
    with _open(name) as file:
        rate = file.samplerate
        first, last = _bounds(name, file.frames, rate, start, end)
        if first > 0:  # some formats cannot seek
            file.seek(first)
        samples = file.read(last - first, dtype="float32", always_2d=True).T
        n_decoded = samples.shape[1]
        if n_decoded < last - first and (file.format != "MP3" or states_length(name)):
            reason = f"holds {first + n_decoded} of the {last} samples it announces"
            raise AudioError(name, f"is cut short: {reason}", RESTORE, "cut short")
    _check_finite(name, samples)
    if sampling_rate is not None and sampling_rate != rate:
        return resample(samples, rate, sampling_rate), sampling_rate
    return np.ascontiguousarray(samples), rate


def audio_info(path: str | os.PathLike) -> AudioInfo:
    """Read the header of an audio file.

    Parameters
    ----------
    path : str or path
        An audio file in any format that libsndfile reads.

    Returns
    -------
    AudioInfo
        `n_samples` (per channel), `n_channels`, `sampling_rate` in Hz, `format` and `subtype` as
        libsndfile calls them, and `duration` in seconds.

    Raises
    ------
    AudioError
        If the file is missing or no audio, or its header is damaged; see :func:`read_audio`.
        Faults that only decoding shows are not found.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np, soundfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "silence.wav"
    ...     soundfile.write(path, np.zeros((800, 2)), 8000)
    ...     audio_info(path)
    AudioInfo(n_samples=800, n_channels=2, sampling_rate=8000, format='WAV', subtype='PCM_16')
    """
    with _open(os.fsdecode(path)) as file:
        return AudioInfo(file.frames, file.channels, file.samplerate, file.format, file.subtype)


def _read_array(
    waveform: ArrayLike, sampling_rate: float | None, start: float, end: float | None
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
    samples = np.atleast_2d(samples).astype(np.float32, copy=False)
    if samples.shape[0] > MAX_CHANNELS:
        raise AudioError(
            name,
            f"has {samples.shape[0]} channels, more than {MAX_CHANNELS}",
            "Channels come first: pass its transpose if it is (n_samples, n_channels)",
        )
    first, last = _bounds(name, samples.shape[1], sampling_rate, start, end)
    samples = samples[:, first:last]
    _check_finite(name, samples)
    return samples, sampling_rate


@contextmanager
def _open(name: str) -> Iterator[Any]:
    """Open an audio file whose header can be believed; whatever fails inside is an AudioError."""
    import soundfile

    _check_regular_file(name)
    try:
        # As bytes on POSIX: there a name need not be text, and soundfile insists on text.
        with soundfile.SoundFile(os.fsencode(name) if os.name == "posix" else name) as file:
            _check_header(name, file)
            yield file
    except soundfile.LibsndfileError as error:
        reason = error.error_string.strip().rstrip(".")
        if reason.startswith("File does not exist"):  # of an MP3 without one good frame
            reason = "Format not recognised"
        raise AudioError(
            name,
            f"cannot be decoded ({reason})",
            "It is damaged or no audio; convert it again or leave it out",
        ) from error
    except MemoryError as error:
        raise AudioError(
            name,
            "does not fit into memory",
            "Read it in pieces with a (file, start, end) index",
            "settings",
        ) from error


def _check_regular_file(name: str) -> None:
    """Report faults that libsndfile only calls 'System error', before a pipe could block."""
    try:
        status = os.stat(name)
    except FileNotFoundError:
        raise AudioError(
            name, "no such file", "Check the path and the folder it is in", "missing"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(name, f"cannot be opened ({reason})", "Check its path") from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(name, "is a directory, not a file", "Pass the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(name, "is a pipe or device, not a file", "Save the sound to a file first")
    if name.lower().endswith(".raw"):  # soundfile goes by the name
        raise AudioError(
            name,
            "is headerless by its name (.raw): its rate, channels and format are unknown",
            "Convert it to WAV, or pass its samples as an array",
        )
    if status.st_size == 0:
        raise AudioError(name, "the file is empty (0 bytes)", "Restore it or leave it out", "empty")
    if not os.access(name, os.R_OK):
        raise AudioError(name, "may not be read (permission denied)", "Change its permissions")


def _check_header(name: str, file: Any) -> None:
    low, high = SAMPLING_RATES
    if not low <= file.samplerate <= high:
        raise AudioError(
            name,
            f"its header states a sampling rate of {file.samplerate} Hz, outside {low} to {high}",
            "The header is damaged; convert the file again or leave it out",
        )
    if not 1 <= file.channels <= MAX_CHANNELS:
        raise AudioError(
            name,
            f"its header states {file.channels} channels, more than {MAX_CHANNELS}",
            "The header is damaged, or the channels belong into several files: split the file",
        )
    if file.frames >= MAX_SAMPLES:
        raise AudioError(
            name,
            "its header does not state how many samples there are",
            "Convert it again, from a file and not through a pipe",
        )
    # libsndfile quietly trusts the file's end over its header, and says so only in its log.
    if reason := missing_bytes(file.extra_info):
        raise AudioError(name, f"is cut short: {reason}", RESTORE, "cut short")
    plain = file.subtype.startswith(("PCM_", "FLOAT", "DOUBLE"))
    if plain and (reason := contradiction(file.extra_info)):
        raise AudioError(name, f"its header {reason}", RESTORE)
    if file.format == "OGG" and (reason := ogg_fault(name)):
        raise AudioError(name, f"is cut short or damaged: {reason}", RESTORE, "cut short")
    if file.frames == 0:
        raise AudioError(name, "holds no samples", "Record it again or leave it out", "empty")


def _bounds(
    name: str, n_samples: int, rate: float, start: float, end: float | None
) -> tuple[int, int]:
    first = round(start * rate)
    last = n_samples if end is None else round(end * rate)
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
    samples : ndarray of shape (n_channels, n_samples)
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
    >>> resample(np.zeros((1, 44100), dtype=np.float32), 44100, 16000).shape
    (1, 16000)
    """
    import soxr

    resampled = soxr.resample(np.ascontiguousarray(samples.T), sampling_rate, new_rate)
    return np.ascontiguousarray(resampled.T)


def pad_or_cut(
    samples: NDArray[np.float32], sampling_rate: float, duration: float, align: Align = "start"
) -> NDArray[np.float32]:
    """Cut a waveform to a duration, or pad it with zeros.

    Parameters
    ----------
    samples : ndarray of shape (..., n_samples)
        The waveform.
    sampling_rate : float > 0
        Rate of the waveform in Hz.
    duration : float > 0
        Length of the result in seconds.
    align : {"start", "center"}, default="start"
        Which part is kept: the first `duration` seconds (a shorter clip is padded at its end), or
        those around the middle (it is padded at both ends).

    Returns
    -------
    ndarray of shape (..., round(duration * sampling_rate))
        A view where nothing had to be padded.

    Examples
    --------
    >>> import numpy as np
    >>> pad_or_cut(np.array([1, 2, 3, 4, 5]), 1, 3, "center")
    array([2, 3, 4])
    >>> pad_or_cut(np.array([1, 2]), 1, 4)
    array([1, 2, 0, 0])
    """
    wanted = round(duration * sampling_rate)
    missing = wanted - samples.shape[-1]
    before = 0 if align == "start" else abs(missing) // 2
    if missing <= 0:
        return samples[..., before : before + wanted]
    padded = np.zeros((*samples.shape[:-1], wanted), samples.dtype)
    padded[..., before : before + samples.shape[-1]] = samples
    return padded


def mix_channels(samples: NDArray[np.float32], channel: Channel = "mean") -> NDArray[np.float32]:
    """Reduce a waveform to one channel.

    Parameters
    ----------
    samples : ndarray of shape (n_channels, n_samples)
        The waveform.
    channel : {"mean", "left", "right", "difference"} or int >= 0, default="mean"
        "mean" averages all channels, "left" is the first one, "right" the second, "difference" the
        first minus the second; an int is the number of a channel, from 0.

    Returns
    -------
    ndarray of shape (n_samples,)
        The one channel.

    Raises
    ------
    AudioError
        If the waveform lacks the channel.

    Examples
    --------
    >>> import numpy as np
    >>> mix_channels(np.array([[1.0, 2.0], [3.0, 6.0]]), "difference")
    array([-2., -4.])
    """
    n_channels = samples.shape[0]
    if channel == "mean":
        return samples[0] if n_channels == 1 else samples.mean(axis=0)
    numbers = {"left": 0, "right": 1, "difference": 1}
    number = numbers[channel] if isinstance(channel, str) else int(channel)
    if number >= n_channels:
        raise AudioError(
            f"waveform of shape {samples.shape}",
            f"channel={channel!r} asks for channel {number}, but it has {n_channels} (from 0)",
            'Choose channel="mean", which suits mono and stereo alike, or leave the clip out',
            "settings",
        )
    return samples[0] - samples[1] if channel == "difference" else samples[number]


def pre_emphasize(samples: NDArray[np.float32], coefficient: float) -> NDArray[np.float32]:
    """Raise the level of high frequencies: subtract `coefficient` times the previous sample.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        The waveform. The sample before the first is taken to equal it, so that a constant offset
        makes no click.
    coefficient : float in [0, 1]
        0 changes nothing; 0.95 is what auDeep's commands apply, 0.97 is HTK's default.

    Returns
    -------
    ndarray of shape (n_samples,)
        The filtered waveform.

    References
    ----------
    S. Young et al., The HTK Book, version 3.4, section 5.2, equation 5.1.

    Examples
    --------
    >>> import numpy as np
    >>> pre_emphasize(np.array([1.0, 1.0, 3.0]), 0.5)
    array([0.5, 0.5, 2.5])
    """
    if coefficient == 0 or samples.size == 0:
        return samples
    emphasized = samples.copy()
    emphasized[1:] -= coefficient * samples[:-1]
    emphasized[:1] -= coefficient * samples[:1]
    return emphasized
