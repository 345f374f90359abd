"""Segments of files that decode from their start only: one pass for all segments of a file."""

import atexit
import os
import threading
from collections import OrderedDict, deque

import numpy as np
from numpy.typing import NDArray

from skaudeep.audio.files import AudioFile, AudioInfo, OnFlaw
from skaudeep.audio.headers import Flaw

BLOCK = 2**16  # samples that are decoded at once
KEPT_BYTES = 2**26  # decoded samples of a file that are kept: 6 minutes at 44.1 kHz, mono
MAX_OPEN = 4  # files


class Decoding:
    """The decoding of one file, which goes on where the last segment ended.

    Decoded samples are kept while they take no more than `KEPT_BYTES`, so that segments may
    overlap, or come in any order in a file of a few minutes. A segment before the kept ones makes
    the decoding start again.

    Parameters
    ----------
    file : AudioFile
        The file, opened and not read yet.
    on_error : {"raise", "read"}
        With what the file was opened.

    Attributes
    ----------
    info : AudioInfo
        What the header says.
    flaw : Flaw or None
        What is wrong with it, see :class:`~skaudeep.audio.files.AudioFile`.
    """

    def __init__(self, file: AudioFile, on_error: OnFlaw) -> None:
        self.info: AudioInfo = file.info
        self.flaw: Flaw | None = file.flaw
        self._file: AudioFile | None = file
        self._path, self._on_error = os.path.abspath(file.name), on_error
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._blocks: deque[NDArray[np.float32]] = deque()
        self._n_bytes = 0
        self._first = self._position = 0  # samples: of the first block, and decoded

    def read_range(self, first: int, last: int) -> NDArray[np.float32]:
        """Return the samples from `first` to `last`, fewer where the file ends before.

        Parameters
        ----------
        first, last : int
            Numbers of samples.

        Returns
        -------
        ndarray of shape (n_channels, at most last - first), float32
            The samples, to the bit what decoding the whole file gives there.
        """
        with self._lock:
            if first < self._first:
                self._close()
                self._begin()
            while self._position < min(last, self.info.n_samples):
                if self._file is None:
                    self._begin()
                    self._file = AudioFile(self._path, self._on_error)
                if not self._decode(self._file):
                    break
                self._forget(first)
            if self._position >= self.info.n_samples:
                self._close()
            return self._slice(first, last)

    def _decode(self, file: AudioFile) -> bool:
        """Decode another block; return whether there was one."""
        n_samples = self.info.n_samples - self._position
        if self.info.format != "SDS":  # libsndfile decodes MIDI sample dumps rightly only at once
            n_samples = min(n_samples, BLOCK)
        block = file.read(n_samples)
        self._blocks.append(block)
        self._n_bytes += block.nbytes
        self._position += block.shape[1]
        return block.size > 0

    def close(self) -> None:
        """Close the file and drop its samples. Reading opens it again."""
        with self._lock:
            self._close()
            self._begin()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _forget(self, first: int) -> None:
        """Drop the oldest blocks, if there are too many, but none from sample `first` on."""
        while self._n_bytes > KEPT_BYTES and self._first + self._blocks[0].shape[1] <= first:
            oldest = self._blocks.popleft()
            self._first += oldest.shape[1]
            self._n_bytes -= oldest.nbytes

    def _slice(self, first: int, last: int) -> NDArray[np.float32]:
        pieces = [np.zeros((self.info.n_channels, 0), np.float32)]
        start = self._first
        for block in self._blocks:
            if start < last and start + block.shape[1] > first:
                pieces.append(block[:, max(0, first - start) : last - start])
            start += block.shape[1]
        return np.concatenate(pieces, axis=1)


_decodings: OrderedDict[tuple, Decoding] = OrderedDict()
_lock = threading.Lock()


def _begin_in_child() -> None:
    """Forget the decodings of the parent process, whose threads may have held their locks."""
    global _lock
    _lock = threading.Lock()
    for decoding in _decodings.values():
        decoding._close()
    _decodings.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)


@atexit.register
def close_all() -> None:
    """Close all files and drop their samples."""
    with _lock:
        closed = list(_decodings.values())
        _decodings.clear()
    for decoding in closed:
        decoding.close()


def _key(name: str, on_error: OnFlaw) -> tuple:
    status = os.stat(name)
    return os.path.abspath(name), status.st_size, status.st_mtime_ns, status.st_ino, on_error


def find_decoding(name: str, on_error: OnFlaw) -> Decoding | None:
    """Return the decoding of a file from which a segment was read lately.

    Parameters
    ----------
    name : str
        Path of the file.
    on_error : {"raise", "read"}
        With what the file was opened.

    Returns
    -------
    Decoding or None
        None if there is none, or the file has changed since.
    """
    try:
        key = _key(name, on_error)
    except (OSError, ValueError):  # opening it reports why
        return None
    with _lock:
        if key in _decodings:
            _decodings.move_to_end(key)
        return _decodings.get(key)


def keep_decoding(file: AudioFile, on_error: OnFlaw) -> Decoding:
    """Return a new decoding of a file, which is kept for later segments.

    Parameters
    ----------
    file : AudioFile
        The file, opened and not read yet.
    on_error : {"raise", "read"}
        With what it was opened.

    Returns
    -------
    Decoding
        The decoding. That of the file whose last segment lies longest ago is forgotten.
    """
    decoding = Decoding(file, on_error)
    with _lock:
        key = _key(file.name, on_error)
        dropped = [_decodings.pop(key)] if key in _decodings else []
        _decodings[key] = decoding
        while len(_decodings) > MAX_OPEN:
            dropped.append(_decodings.popitem(last=False)[1])
    for other in dropped:
        other.close()
    return decoding
