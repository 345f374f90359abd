"""Sound for the page: each clip as FLAC where all fit, else compressed, else linked."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from skaudeep._progress import Progress
from skaudeep.datasets.description import is_file

if TYPE_CHECKING:
    from skaudeep.audio.clips import Clip

# Rates in Hz that browsers play; clips of others are resampled to the nearest of these.
LOWEST_RATE, HIGHEST_RATE = 8000, 192000
QUALITY = 0.9  # libsndfile's scale from 0, the best, to 1; 55 kbit/s at 44.1 kHz
TYPES = {"FLAC": "audio/flac", "OGG": "audio/ogg"}


@dataclass(frozen=True)
class Sounds:
    """The sounds that the page can play.

    Parameters
    ----------
    embedded : dict of int to str
        Base64 of the file of a clip, by its row.
    format : {"FLAC", "OGG"}
        Of all that are embedded.
    linked : dict of int to str
        Relative address of the file of a clip, by its row.
    """

    embedded: dict[int, str] = field(default_factory=dict)
    format: str = "FLAC"
    linked: dict[int, str] = field(default_factory=dict)

    def describe(self, n_clips: int) -> str:
        """Describe for the page which clips can be heard, and in which format.

        Examples
        --------
        >>> Sounds({0: "", 1: ""}, "OGG", {2: "c.wav"}).describe(5)
        'Of 5 clips, 2 can be heard here, compressed to Ogg Vorbis, 1 where the file of the clip \
lies beside this page, and 2 cannot, for the page would be too large.'
        """
        how = "without loss" if self.format == "FLAC" else "compressed to Ogg Vorbis"
        if len(self.embedded) == n_clips:
            return f"All {n_clips} clips can be heard here, {how}."
        parts = [f"{len(self.embedded)} can be heard here, {how}"]
        if self.linked:
            parts.append(f"{len(self.linked)} where the file of the clip lies beside this page")
        if n_none := n_clips - len(self.embedded) - len(self.linked):
            parts.append(f"{n_none} cannot, for the page would be too large")
        listed = ", ".join(parts[:-1]) + f", and {parts[-1]}" if len(parts) > 1 else parts[0]
        return f"Of {n_clips} clips, {listed}."


def make_sounds(
    clips: Sequence[Clip],
    sampling_rate: float | None,
    order: Sequence[int],
    *,
    folder: Path,
    max_mb: float,
    progress: Progress,
) -> Sounds:
    """Encode as many clips as fit, in order, and link others.

    Parameters
    ----------
    clips : sequence of Clip
    sampling_rate : float or None
        Of waveforms, in Hz. Files state theirs.
    order : sequence of int
        Rows of the clips, the ones to be heard first at the head.
    folder : Path
        Folder of the page. Clips in or below it are linked where they do not fit.
    max_mb : float
        What the sounds may add to the page, in units of 10^6 bytes.
    progress : Progress

    Returns
    -------
    Sounds
    """
    budget = int(max_mb * 1e6)
    embedded, whole = _encode_all(clips, sampling_rate, order, "FLAC", budget, progress)
    if whole:
        return Sounds(embedded, "FLAC")
    embedded, _ = _encode_all(clips, sampling_rate, order, "OGG", budget, progress)
    others = {row: link(clips[row], folder) for row in order if row not in embedded}
    return Sounds(embedded, "OGG", {row: address for row, address in others.items() if address})


def _encode_all(
    clips: Sequence[Clip],
    sampling_rate: float | None,
    order: Sequence[int],
    kind: str,
    budget: int,
    progress: Progress,
) -> tuple[dict[int, str], bool]:
    """Encode clips until the next would exceed the budget; say whether all are encoded."""
    embedded: dict[int, str] = {}
    progress.begin("Adding sounds" if kind == "FLAC" else "Adding compressed sounds", len(order))
    for row in order:
        text = base64.b64encode(encode(clips[row], sampling_rate, kind)).decode("ascii")
        budget -= len(text)
        if budget < 0:
            return embedded, False
        embedded[row] = text
        progress.advance()
    return embedded, True


def encode(clip: Clip, sampling_rate: float | None, kind: str) -> bytes:
    """Return a clip as the bytes of a file that browsers play.

    Parameters
    ----------
    clip : Clip
        That can be decoded.
    sampling_rate : float or None
        Of a waveform, in Hz.
    kind : {"FLAC", "OGG"}
        FLAC holds the samples as 16 bit, up to two channels as they are; Ogg Vorbis holds their
        mean.

    Returns
    -------
    bytes
    """
    import soundfile

    samples, rate = read(clip, sampling_rate)
    if kind == "OGG" or len(samples) > 2:
        samples = samples.mean(axis=0, keepdims=True)
    playable = round(min(max(rate, LOWEST_RATE), HIGHEST_RATE))
    if playable != rate:
        from skaudeep.audio.decoding import resample

        samples = resample(samples, rate, playable)
    options = {"subtype": "PCM_16"} if kind == "FLAC" else {"subtype": "VORBIS"}
    quality = {} if kind == "FLAC" else {"compression_level": QUALITY}
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", playable, len(samples), format=kind, **options, **quality
    ) as file:
        # Libsndfile's Vorbis keeps what it is given at once on the stack.
        for start in range(0, samples.shape[1], playable):
            file.write(np.clip(samples[:, start : start + playable].T, -1, 1))
    return buffer.getvalue()


def read(clip: Clip, sampling_rate: float | None) -> tuple[NDArray[np.float32], float]:
    """Return the samples of a clip, (n_channels, n_samples), and their rate in Hz."""
    from skaudeep.audio.decoding import read_audio

    rate = None if is_file(clip) else sampling_rate
    return read_audio(clip.source, sampling_rate=rate, start=clip.start, end=clip.end)


def link(clip: Clip, folder: Path) -> str:
    """Return the address of a clip relative to a folder; "" where it does not lie in or below it.

    Examples
    --------
    >>> from skaudeep.audio.clips import Clip
    >>> link(Clip("a", "birds/a b#1.wav", 1.5, 2.0), Path("."))
    'birds/a%20b%231.wav#t=1.5,2'
    >>> link(Clip("a", "../a.wav"), Path("."))
    ''
    """
    if not is_file(clip):
        return ""
    try:
        path = os.path.relpath(os.fsdecode(clip.source), folder)
    except ValueError:  # another drive of Windows
        return ""
    if path.startswith(os.pardir):
        return ""
    address = quote(path.replace(os.sep, "/").encode("utf-8", "surrogateescape"))
    if clip.start or clip.end is not None:
        address += f"#t={clip.start:g}" + ("" if clip.end is None else f",{clip.end:g}")
    return address
