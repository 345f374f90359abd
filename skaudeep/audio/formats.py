"""Facts about formats: file names, which of them seek exactly, full scale of their samples."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Endings of files that libsndfile decodes. Left out: endings that mostly belong to other data
# (.mat, .htk) and headerless ones (.raw, .vox, .gsm, .ul, .al), which state neither rate nor
# coding.
SNDFILE_SUFFIXES = frozenset(
    {
        *(".8svx", ".aif", ".aifc", ".aiff", ".amb", ".au", ".avr", ".bwf", ".caf", ".flac"),
        *(".iff", ".ircam", ".mp1", ".mp2", ".mp3", ".mpga", ".nist", ".oga", ".ogg", ".opus"),
        *(".paf", ".pvf", ".rf64", ".sd2", ".sds", ".sf", ".snd", ".sph", ".svx", ".voc", ".w64"),
        *(".wav", ".wave", ".wve"),
    }
)
# Endings of audio files that FFmpeg decodes. Containers of films (.mp4, .mkv, .mov) are read where
# they are named, but not looked for in folders.
FFMPEG_SUFFIXES = frozenset(
    {
        *(".3ga", ".3gp", ".aac", ".ac3", ".amr", ".ape", ".awb", ".dsf", ".eac3", ".m4a", ".m4b"),
        *(".mka", ".tta", ".weba", ".webm", ".wma", ".wv"),
    }
)
AUDIO_SUFFIXES = SNDFILE_SUFFIXES | FFMPEG_SUFFIXES

# Samples of a fixed size can be located by counting, and frames of FLAC and ALAC are numbered. The
# state of any other decoder depends on the samples before.
_SEEKING_SUBTYPES = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW", "ALAC_")
_UNSEEKABLE_FORMATS = {"OGG", "SDS"}

# Largest and smallest sample of a subtype, in steps of 2^-15, as libsndfile decodes it. Those that
# are not here reach 1 - 2^-15 and -1 at least.
_LIMITS = {
    "PCM_S8": (32512, -32768),
    "PCM_U8": (32512, -32768),
    "DPCM_8": (32512, -32512),
    "ULAW": (32124, -32124),
    "ALAW": (32256, -32256),
    "GSM610": (32760, -32768),
    "G721_32": (32764, -32768),
    "G723_24": (32764, -32768),
    "G723_40": (32764, -32768),
}
_INTEGERS = {"int8": "PCM_S8", "uint8": "PCM_U8", "int16": "PCM_16", "int32": "PCM_32"}


def seeks(container: str, subtype: str) -> bool:
    """Return whether a decoder can start at any sample, with a bit-identical result.

    Parameters
    ----------
    container, subtype : str
        Format and subtype as libsndfile calls them.

    Returns
    -------
    bool
        False if segments have to be decoded from the start of the file.

    Examples
    --------
    >>> seeks("FLAC", "PCM_16"), seeks("MP3", "MPEG_LAYER_III")
    (True, False)
    """
    return container not in _UNSEEKABLE_FORMATS and subtype.startswith(_SEEKING_SUBTYPES)


def full_scale(subtype: str) -> tuple[float, float]:
    """Return the smallest and the largest sample that a coding can hold.

    Parameters
    ----------
    subtype : str
        Subtype as libsndfile calls it, or the name of a waveform's dtype.

    Returns
    -------
    lowest, highest : float
        Values of clipped samples; -1 and 1 for floats.

    Examples
    --------
    >>> full_scale("PCM_U8")
    (-1.0, 0.9921875)
    >>> full_scale("MPEG_LAYER_III")
    (-1.0, 1.0)
    """
    highest, lowest = _LIMITS.get(_INTEGERS.get(subtype, subtype), (32768, -32768))
    return lowest / 32768, highest / 32768


def to_full_scale(samples: NDArray[Any]) -> NDArray[np.float32]:
    """Convert a waveform of floats or integers to float32, where 1 is full scale.

    Parameters
    ----------
    samples : ndarray
        Floats, which are kept; or int8, int16 or int32, which are divided by 2^7, 2^15 or 2^31;
        or uint8, of which 128 is silence, as in WAV files.

    Returns
    -------
    ndarray of float32
        The waveform, a view where it is float32.

    Raises
    ------
    TypeError
        If the dtype says nothing about full scale: int64 and unsigned integers of 16 bits or more.

    Examples
    --------
    >>> import numpy as np
    >>> to_full_scale(np.array([0, 16384, -32768], np.int16))
    array([ 0. ,  0.5, -1. ], dtype=float32)
    >>> to_full_scale(np.array([128, 192], np.uint8))
    array([0. , 0.5], dtype=float32)
    """
    if samples.dtype.kind == "f":
        return samples.astype(np.float32, copy=False)
    if samples.dtype.name not in _INTEGERS:
        raise TypeError(f"dtype {samples.dtype}")
    scaled = samples.astype(np.float32)
    if samples.dtype == np.uint8:
        scaled -= 128
    scaled *= 2.0 ** (1 - 8 * samples.dtype.itemsize)
    return scaled
