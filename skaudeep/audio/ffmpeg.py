"""Formats that libsndfile does not decode, through FFmpeg (PyAV, the extra `ffmpeg`)."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skaudeep.audio.errors import AudioError
from skaudeep.audio.formats import to_full_scale
from skaudeep.audio.headers import Examined, Flaw

# First bytes of files, by their place: MP4 and QuickTime, Matroska and WebM, ASF (WMA), AMR,
# WavPack, Monkey's Audio, True Audio, DSD, AC-3.
_MAGIC = (
    *((4, b"ftyp"), (4, b"moov"), (0, b"\x1a\x45\xdf\xa3"), (0, b"\x30\x26\xb2\x75\x8e\x66\xcf")),
    *((0, b"#!AMR"), (0, b"wvpk"), (0, b"MAC "), (0, b"TTA1"), (0, b"DSD "), (0, b"\x0b\x77")),
)
# FFmpeg estimates the length of these from their bit rate: they state none.
_STATE_NO_LENGTH = {"aac", "ac3", "eac3", "amr", "amrnb", "amrwb", "loas"}
# How much less may be decoded than announced, in seconds: containers round to milliseconds or to
# frames, and decoders drop a frame at the end.
TOLERANCE = 0.1
_SUBTYPES = {"pcm_mulaw": "ULAW", "pcm_alaw": "ALAW", "pcm_u8": "PCM_U8", "pcm_s8": "PCM_S8"}
_MAX_COUNTED = 4096  # files whose lengths are remembered

_counted: OrderedDict[tuple, tuple[int, int, int, Flaw | None]] = OrderedDict()


def needs_ffmpeg(name: str) -> bool:
    """Return whether FFmpeg must decode a file, by its first bytes.

    Parameters
    ----------
    name : str
        Path of the file.

    Returns
    -------
    bool
        Whether libsndfile does not know the format of the file.
    """
    with open(name, "rb") as file:
        head = file.read(16)
        if head[:3] == b"ID3" and len(head) > 9:  # before AAC, too
            a, b, c, d = head[6:10]
            file.seek(10 + (a << 21 | b << 14 | c << 7 | d))
            head = file.read(16)
    is_adts = len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0
    return is_adts or any(head[at : at + len(magic)] == magic for at, magic in _MAGIC)


class FfmpegFile:
    """The first audio stream of a file, with the methods of soundfile.SoundFile that are used here.

    Opening decodes the file once, because containers do not state the number of samples, and
    because a file that is cut short cannot be recognised otherwise.

    Parameters
    ----------
    name : str
        Path of the file.

    Raises
    ------
    AudioError
        If PyAV is not installed, the file holds no sound, or nothing of it can be decoded.
    """

    extra_info = ""

    def __init__(self, name: str) -> None:
        try:
            import av
        except ImportError:
            raise AudioError(
                name,
                "is in a format that libsndfile does not decode",
                "Install FFmpeg's decoders, pip install 'skaudeep[ffmpeg]', or convert it to FLAC",
            ) from None
        self.name = name
        self._av = av
        self._blocks: Iterator[NDArray[np.float32]] = iter(())
        self._rest: NDArray[np.float32] | None = None
        self._content: Any = None
        self._open()
        stream = self._container.streams.audio[0]
        self.format = self._container.format.name.split(",")[0].upper()
        codec = stream.codec_context.name
        self.subtype = _SUBTYPES.get(codec, codec.upper())
        status = os.stat(name)
        key = (os.path.abspath(name), status.st_size, status.st_mtime_ns, status.st_ino)
        if key not in _counted:
            try:
                _counted[key] = self._count(stream)
            except BaseException:
                self.close()
                raise
            self.close()
            self._open()
            if len(_counted) > _MAX_COUNTED:
                _counted.popitem(last=False)
        self.frames, self.samplerate, self.channels, self._flaw = _counted[key]

    def _open(self) -> None:
        # A file and not its name, which may be no text, or which FFmpeg may take for an address.
        self._content = open(self.name, "rb")  # noqa: SIM115 (closed with this object)
        try:
            self._container = self._av.open(self._content, metadata_errors="replace")
        except self._av.FFmpegError as error:
            self._content.close()
            raise _undecodable(self.name, error) from error
        if not self._container.streams.audio:
            self.close()
            raise AudioError(self.name, "holds no sound", "Leave it out")
        self._blocks = self._decode()
        self._rest = None

    def _decode(self) -> Iterator[NDArray[np.float32]]:
        """Yield the samples of one frame after the other, of shape (n_samples, n_channels)."""
        for frame in self._container.decode(audio=0):
            samples = frame.to_ndarray()
            if frame.format.is_planar:
                samples = samples.T
            else:
                samples = samples.reshape(-1, frame.layout.nb_channels)
            self._rate = frame.sample_rate
            yield to_full_scale(samples)

    def _count(self, stream: Any) -> tuple[int, int, int, Flaw | None]:
        n_samples, shapes, fault = 0, set(), ""
        try:
            for block in self._blocks:
                n_samples += len(block)
                shapes.add((self._rate, block.shape[1]))
        except self._av.FFmpegError as error:
            if not n_samples:
                raise _undecodable(self.name, error) from error
            fault = f"decoding fails after {n_samples} samples"
        if not n_samples:
            raise AudioError(
                self.name, "holds no samples", "Record it again or leave it out", "empty"
            )
        if len(shapes) > 1:
            raise AudioError(
                self.name,
                "changes its sampling rate or its number of channels",
                "Convert it to FLAC, or split it",
            )
        ((rate, n_channels),) = shapes
        stated = None
        if stream.duration is not None:
            stated = float(stream.duration * stream.time_base)
        elif self._container.duration is not None and not self._container.streams.video:
            stated = self._container.duration / self._av.time_base
        states_length = self._container.format.name not in _STATE_NO_LENGTH
        if not fault and stated and states_length and n_samples / rate < stated - TOLERANCE:
            fault = f"holds {n_samples / rate:.3f} s of the {stated:.3f} s it announces"
        flaw = Flaw(f"is cut short or damaged: {fault}", "cut short") if fault else None
        return n_samples, rate, n_channels, flaw

    def examine(self) -> Examined:
        """Return what opening has found."""
        return Examined(self._flaw)

    def read(self, n_samples: int, **kwargs: Any) -> NDArray[np.float32]:
        """Read the next samples, fewer at the end.

        Parameters
        ----------
        n_samples : int
            How many samples to read, per channel.
        **kwargs
            As soundfile's; float32 and two axes in any case.

        Returns
        -------
        ndarray of shape (n_samples, n_channels), float32
            The samples.
        """
        pieces = [np.zeros((0, self.channels), np.float32)]
        missing = n_samples
        while missing > 0:
            block = self._rest
            self._rest = None
            if block is None:
                try:
                    block = next(self._blocks, None)
                except self._av.FFmpegError:  # `examine` has reported this
                    block = None
            if block is None:
                break
            if len(block) > missing:
                self._rest = block[missing:]
            pieces.append(block[:missing])
            missing -= len(pieces[-1])
        return np.concatenate(pieces)

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        self._content.close()


def _undecodable(name: str, error: Exception) -> AudioError:
    return AudioError(
        name,
        f"cannot be decoded ({getattr(error, 'strerror', None) or error})",
        "It is damaged or no audio; convert it again or leave it out",
    )
