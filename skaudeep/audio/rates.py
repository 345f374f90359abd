"""Sampling rates of many clips, from the headers of their files, before anything is decoded."""

import os
from collections.abc import Sequence
from functools import lru_cache

from skaudeep.audio.clips import Clip
from skaudeep.audio.decoding import audio_info, read_audio
from skaudeep.audio.errors import AudioError, rate_not_fitted, sampling_rates_differ

REMEMBERED = 100_000  # files whose rate is kept in memory; `fit` and `transform` both ask for it


def header_rates(clips: Sequence[Clip]) -> list[float | AudioError]:
    """Read the sampling rate of each clip from the header of its file.

    Parameters
    ----------
    clips : sequence of Clip
        The clips, as :func:`~skaudeep.audio.list_clips` returns them.

    Returns
    -------
    list of float or AudioError
        Rate in Hz, or what is wrong with the file, or with an object that is no clip.

    Raises
    ------
    ValueError
        If a clip is a waveform: it carries no rate.
    """
    return [_header_rate(clip) for clip in clips]


def _header_rate(clip: Clip) -> float | AudioError:
    try:
        if not isinstance(clip.source, str | bytes | os.PathLike):
            return read_audio(clip.source)[1]  # always an error, about the kind of object
        try:
            status = os.stat(clip.source)
        except (OSError, ValueError):  # `audio_info` says it better
            return audio_info(os.fsdecode(clip.source)).sampling_rate
        return _file_rate(os.fsdecode(clip.source), status.st_mtime_ns, status.st_size)
    except AudioError as error:
        return error.renamed(clip.name)


@lru_cache(maxsize=REMEMBERED)
def _file_rate(path: str, modified: int, size: int) -> float:
    """Return the rate of a file, which is read again once it has been written to."""
    return audio_info(path).sampling_rate


def common_rate(
    clips: Sequence[Clip], rates: Sequence[float | AudioError], fitted_rate: float | None = None
) -> float | None:
    """Return the one sampling rate of clips.

    Parameters
    ----------
    clips : sequence of n_clips Clip
        The clips.
    rates : sequence of n_clips float or AudioError
        Their rates in Hz. Clips with an error have none and are left out.
    fitted_rate : float, default=None
        Rate in Hz that all of them have to have. None takes that of the first.

    Returns
    -------
    float or None
        The rate in Hz; None where no clip has one.

    Raises
    ------
    AudioError
        If a clip has another rate than the others, or than `fitted_rate`.

    Examples
    --------
    >>> clips = [Clip("a.wav", "a.wav"), Clip("b.wav", "b.wav")]
    >>> common_rate(clips, [44100, 44100])
    44100
    >>> common_rate(clips, [44100, 16000])
    Traceback (most recent call last):
    ...
    skaudeep.audio.errors.AudioError: b.wav: has a sampling rate of 16000 Hz, but a.wav has 44100 \
Hz. Set sampling_rate= to bring all clips to one rate.
    """
    first: tuple[Clip, float] | None = None
    for clip, rate in zip(clips, rates, strict=True):
        if isinstance(rate, AudioError):
            continue
        if fitted_rate is not None and rate != fitted_rate:
            raise rate_not_fitted(clip.name, rate, fitted_rate)
        if first is None:
            first = clip, rate
        elif rate != first[1]:
            raise sampling_rates_differ(clip.name, rate, first[0].name, first[1])
    return None if first is None else first[1]
