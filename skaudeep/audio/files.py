"""Open audio files: checks of their headers, and reading of their samples in any order."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skaudeep.audio.errors import AudioError
from skaudeep.audio.ffmpeg import FfmpegFile, needs_ffmpeg
from skaudeep.audio.formats import full_scale, seeks
from skaudeep.audio.headers import Flaw, contradiction, examine
from skaudeep.audio.repairs import RepairedFile

if TYPE_CHECKING:
    import soundfile

# Hz. The range includes rates of seismic noise and of ultrasound. A rate outside it comes from a
# broken header.
SAMPLING_RATES = (1, 10_000_000)
MAX_CHANNELS = 64
# The largest length that a FLAC header can hold. libsndfile reports more where it knows none.
MAX_SAMPLES = 2**36
# Number of samples in a block that is lost before a fault of a FLAC file. The blocks of FLAC itself
# are as large or larger.
FLAC_BLOCK = 1024
RESTORE = "Restore it from its source or leave it out"
READ = 'Restore it from its source, read what is there with on_error="read", or leave it out'

CONVERT = "It is damaged or no audio; convert it again or leave it out"

OnFlaw = Literal["raise", "read"]


class AudioInfo(NamedTuple):
    """Contents of the header of an audio file, as a named tuple.

    Parameters
    ----------
    n_samples : int
        Number of samples per channel.
    n_channels : int
        Number of channels.
    sampling_rate : int
        Sampling rate in Hz.
    format : str
        Format as libsndfile calls it, such as "WAV", or FFmpeg, for a file that FFmpeg reads.
    subtype : str
        Coding of the samples as libsndfile calls it, such as "PCM_16", or FFmpeg.

    Examples
    --------
    >>> from skaudeep.audio import AudioInfo
    >>> AudioInfo(4000, 1, 8000, "WAV", "PCM_16").duration
    0.5
    """

    n_samples: int
    n_channels: int
    sampling_rate: int
    format: str
    subtype: str

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sampling_rate

    @property
    def full_scale(self) -> tuple[float, float]:
        """Smallest and largest sample that the coding can hold, as :func:`read_audio` returns them.

        For 8-bit and telephone codings, such as "PCM_U8", "ULAW" and "GSM610", it is the exact
        range. It is (-1.0, 1.0) for all others, also for PCM of 16 bits or more, whose largest
        sample is just below 1.
        """
        return full_scale(self.subtype)


class AudioFile:
    """An audio file, opened for reading.

    Parameters
    ----------
    name : str
        Path of the file.
    on_error : {"raise", "read"}, default="raise"
        What to do with a file that holds less than it announces: raise, or read what is there.

    Attributes
    ----------
    info : AudioInfo
        Contents of the header, corrected if it does not state a length.
    flaw : Flaw or None
        Fault of the header: a harmless one, or, with `on_error="read"`, that the file holds less
        than it announces.
    seeks : bool
        Whether a sample can be decoded without those before it.

    Raises
    ------
    AudioError
        If the file is missing or no audio, or its header is damaged.
    """

    def __init__(self, name: str, on_error: OnFlaw = "raise") -> None:
        check_regular_file(name)
        self.name = name
        self.flaw: Flaw | None = None
        self._on_error = on_error
        self._position = 0  # number of the next sample
        self._content: RepairedFile | None = None
        with errors_about(name):
            self._file: soundfile.SoundFile | FfmpegFile
            if needs_ffmpeg(name):
                self._file = FfmpegFile(name)
            else:
                # Names are passed as bytes on POSIX, where they need not be valid text.
                self._file = _open_libsndfile(os.fsencode(name) if os.name == "posix" else name)
            try:
                self.info = self._examine(on_error)
            except BaseException:
                self.close()
                raise
        is_libsndfiles = not isinstance(self._file, FfmpegFile)
        self.seeks = is_libsndfiles and seeks(self.info.format, self.info.subtype)

    def _examine(self, on_error: OnFlaw) -> AudioInfo:
        if self._file.format == "RAW":  # libsndfile goes by names like a.vox and a.gsm
            raise _headerless(self.name, os.path.splitext(self.name)[1])
        check_facts(self.name, self._file.samplerate, self._file.channels)
        if isinstance(self._file, FfmpegFile):
            found = self._file.examine()
        else:
            found = examine(self.name, self._file)
        flaw = found.flaw
        if flaw and not flaw.is_harmless and (on_error == "raise" or not flaw.is_readable):
            remedy = READ if flaw.is_readable else RESTORE
            raise AudioError(self.name, flaw.reason, remedy, flaw.kind)
        self.flaw = flaw
        plain = self._file.subtype.startswith(("PCM_", "FLOAT", "DOUBLE"))
        if plain and (reason := contradiction(self._file.extra_info)):
            raise AudioError(self.name, f"its header {reason}", RESTORE)
        if found.repair:
            self._file.close()
            self._content = RepairedFile(self.name, found.repair)
            self._file = _open_libsndfile(self._content)
        n_samples = self._file.frames if found.n_samples is None else found.n_samples
        if n_samples >= MAX_SAMPLES:
            raise AudioError(
                self.name,
                "its header does not state how many samples there are",
                "Convert it again, from a file and not through a pipe",
            )
        if n_samples == 0:
            raise AudioError(
                self.name, "holds no samples", "Record it again or leave it out", "empty"
            )
        file = self._file
        return AudioInfo(n_samples, file.channels, file.samplerate, file.format, file.subtype)

    def read(self, n_samples: int) -> NDArray[np.float32]:
        """Read the next samples, fewer at the end of the file.

        Parameters
        ----------
        n_samples : int
            How many samples to read, per channel.

        Returns
        -------
        ndarray of shape (n_channels, n_samples), float32
            The samples.
        """
        is_flac = self.info.format == "FLAC"
        with errors_about(self.name, READ if is_flac else CONVERT):
            if is_flac and self._on_error == "read":
                return self._read_until_fault(n_samples)
            samples = self._file.read(n_samples, dtype="float32", always_2d=True).T
        self._position += samples.shape[1]
        return samples

    def _read_until_fault(self, n_samples: int) -> NDArray[np.float32]:
        """Read in small blocks, up to the first that cannot be decoded, which is lost."""
        import soundfile

        blocks = [np.zeros((self.info.n_channels, 0), np.float32)]
        n_read = 0
        while n_read < n_samples:
            # Blocks are aligned with the blocks of the file, wherever the reading started.
            n_wanted = min(n_samples - n_read, FLAC_BLOCK - self._position % FLAC_BLOCK)
            try:
                block = self._file.read(n_wanted, dtype="float32", always_2d=True).T
            except soundfile.LibsndfileError as error:
                reason = f"is cut short or damaged: {error.error_string.strip().rstrip('.')}"
                self.flaw = Flaw(reason, "cut short")
                break
            if not block.shape[1]:
                break
            blocks.append(block)
            n_read += block.shape[1]
            self._position += block.shape[1]
        return np.concatenate(blocks, axis=1)

    def read_range(self, first: int, last: int) -> NDArray[np.float32]:
        """Read the samples from `first` to `last`; `first` is 0 unless :attr:`seeks` holds."""
        with errors_about(self.name):
            if first != self._position and not isinstance(self._file, FfmpegFile):
                self._file.seek(first)
                self._position = first
        return self.read(last - first)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        if self._content:
            self._content.close()

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _open_libsndfile(source: str | bytes | RepairedFile) -> soundfile.SoundFile:
    import soundfile

    class InOrder(soundfile.SoundFile):
        """Reads on without seeking: soundfile seeks before it reads, which few decoders can."""

        def seekable(self) -> bool:
            return False

    return InOrder(source)


@contextmanager
def errors_about(name: str, remedy: str = CONVERT) -> Iterator[None]:
    """Turn whatever a decoder raises into an AudioError about the file."""
    import soundfile

    try:
        yield
    except soundfile.LibsndfileError as error:
        reason = error.error_string.strip().rstrip(".")
        if reason.startswith("File does not exist"):  # the message for an MP3 without a valid frame
            reason = "Format not recognised"
        raise AudioError(name, f"cannot be decoded ({reason})", remedy) from error
    except MemoryError as error:
        raise AudioError(
            name,
            "does not fit into memory",
            "Read it in pieces with a (file, start, end) index",
            "settings",
        ) from error


def check_regular_file(name: str) -> None:
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
        raise _headerless(name, ".raw")
    if status.st_size == 0:
        raise AudioError(name, "the file is empty (0 bytes)", "Restore it or leave it out", "empty")
    if not os.access(name, os.R_OK):
        raise AudioError(name, "may not be read (permission denied)", "Change its permissions")


def check_facts(name: str, sampling_rate: float, n_channels: int) -> None:
    """Raise an AudioError if a rate or a number of channels comes from a broken header."""
    low, high = SAMPLING_RATES
    if not low <= sampling_rate <= high:
        raise AudioError(
            name,
            f"its header states a sampling rate of {sampling_rate} Hz, outside {low} to {high}",
            "The header is damaged; convert the file again or leave it out",
        )
    if not 1 <= n_channels <= MAX_CHANNELS:
        raise AudioError(
            name,
            f"its header states {n_channels} channels, more than {MAX_CHANNELS}",
            "The header is damaged, or the channels belong into several files: split the file",
        )


def check_length(parameter: str, seconds: float, sampling_rate: float) -> None:
    """Raise a ValueError if a parameter asks for more samples than any file holds.

    Parameters
    ----------
    parameter : str
        Name of the parameter.
    seconds : float
        The length that it asks for.
    sampling_rate : float
        Sampling rate in Hz.
    """
    if seconds * sampling_rate > MAX_SAMPLES:
        raise ValueError(
            f"{parameter} of {seconds:g} s is more than {MAX_SAMPLES} samples at "
            f"{sampling_rate:.10g} Hz, which no file holds. Give seconds, not samples; shorten it."
        )


def _headerless(name: str, suffix: str) -> AudioError:
    return AudioError(
        name,
        f"is headerless by its name ({suffix}): its rate, channels and format are unknown",
        "Convert it to WAV, or pass its samples as an array",
    )
