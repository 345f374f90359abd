"""Errors and warnings about clips."""

from typing import Literal

from skaudeep._texts import printable

Fault = Literal[
    "missing", "unreadable", "cut short", "wrong header", "not finite", "empty", "settings"
]


class AudioError(ValueError):
    """A clip that cannot be used.

    The parameters are attributes of the error.

    Parameters
    ----------
    clip : str
        Name of the clip: its path, or its place in the input.
    reason : str
        Description of the fault.
    remedy : str
        Advice to the user.
    kind : str, default="unreadable"
        Kind of the fault. Code that sorts errors reads this attribute, not the text of `reason`.

        - "missing": there is no such file.
        - "unreadable": the file cannot be opened or decoded, its header is invalid, or the object
          is neither a path nor a waveform.
        - "cut short": the file holds less than it announces, or a part of it is damaged.
        - "wrong header": the header announces another length than there is, although nothing seems
          to be missing.
        - "not finite": samples are NaN or infinite.
        - "empty": the file has no bytes, or no samples.
        - "settings": the clip itself can be read, but not with the parameters in use: the wanted
          channel, time range, window or sampling rate does not suit it.

    Examples
    --------
    >>> from skaudeep.audio import AudioError
    >>> raise AudioError("bark.wav", "the file is empty", "Restore it or leave it out", "empty")
    Traceback (most recent call last):
    ...
    skaudeep.audio.errors.AudioError: bark.wav: the file is empty. Restore it or leave it out.
    """

    def __init__(self, clip: str, reason: str, remedy: str, kind: Fault = "unreadable") -> None:
        super().__init__(clip, reason, remedy, kind)  # all of them, or it would not pickle
        self.clip = clip
        self.reason = reason
        self.remedy = remedy
        self.kind: Fault = kind

    def __str__(self) -> str:
        return f"{printable(self.clip)}: {printable(self.reason)}. {self.remedy}."

    def renamed(self, clip: str) -> "AudioError":
        """Return the same error with another name of the clip.

        Parameters
        ----------
        clip : str
            The new name of the clip.

        Returns
        -------
        AudioError
            A new error with the same reason, remedy, kind and cause (`__cause__`).

        Examples
        --------
        >>> from skaudeep.audio import AudioError
        >>> error = AudioError("clip 3", "holds no samples", "Leave it out", "empty")
        >>> print(error.renamed("bark.wav"))
        bark.wav: holds no samples. Leave it out.
        """
        renamed = AudioError(clip, self.reason, self.remedy, self.kind)
        renamed.__cause__ = self.__cause__  # keeps the traceback of a user's function
        return renamed


class AudioWarning(UserWarning):
    """Warning about clips that have no usable sound, or less than they announce.

    Examples
    --------
    Warnings about clips become errors:

    >>> import warnings
    >>> from skaudeep import AudioWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", AudioWarning)
    """


def all_clips_failed(n_clips: int, first: AudioError) -> AudioError:
    """Return the error about a set of clips of which none can be used, by its first error."""
    if n_clips == 1:
        return first
    return AudioError(
        f"all {n_clips} clips",
        f"failed; the first, {printable(first.clip)}: {printable(first.reason)}",
        first.remedy,
        first.kind,
    )


def sampling_rates_differ(
    clip: str, sampling_rate: float, other: str, other_rate: float
) -> AudioError:
    """Return the error about a clip whose sampling rate, in Hz, is not that of another clip."""
    return AudioError(
        clip,
        f"has a sampling rate of {sampling_rate:.10g} Hz, but {printable(other)} has "
        f"{other_rate:.10g} Hz",
        "Set sampling_rate= to bring all clips to one rate",
        "settings",
    )


def rate_not_fitted(clip: str, sampling_rate: float, fitted_rate: float) -> AudioError:
    """Return the error about a clip of another sampling rate, in Hz, than `fit` has seen."""
    return AudioError(
        clip,
        f"has a sampling rate of {sampling_rate:.10g} Hz, but the extractor was fitted to clips of "
        f"{fitted_rate:.10g} Hz",
        f"Set sampling_rate={fitted_rate:.10g} to resample it, or fit to clips of its rate",
        "settings",
    )
