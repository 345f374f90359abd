"""Segments of a file that are read one after the other: no sample of it is decoded twice."""

import atexit
import os
import threading
from collections import OrderedDict, deque

import numpy as np
from numpy.typing import NDArray

from skaudeep.audio.errors import AudioError
from skaudeep.audio.files import AudioFile, AudioInfo, OnFlaw
from skaudeep.audio.headers import Flaw

BLOCK = 2**16  # samples that are decoded at once
KEPT_BYTES = 2**26  # decoded samples of a file that are kept: 6 minutes at 44.1 kHz, mono
MAX_OPEN = 4  # files


class Decoding:
    """The decoding of a file from its start, for codings whose decoder cannot seek.

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


class Reading:
    """A file whose decoder seeks, kept open for segments that go on where the last one ended.

    The samples of the last segment are kept, so that of one that overlaps it only the rest is
    decoded. A segment at any other place is sought. The file is closed once its end was read.

    Parameters
    ----------
    file : AudioFile
        The file, opened.
    on_error : {"raise", "read"}
        With what it was opened.

    Attributes
    ----------
    info : AudioInfo
        What the header says.
    flaw : Flaw or None
        What is wrong with the file, as far as it was read.
    """

    def __init__(self, file: AudioFile, on_error: OnFlaw, key: tuple) -> None:
        self.key = key
        self.info: AudioInfo = file.info
        self.flaw: Flaw | None = file.flaw
        self._file: AudioFile | None = file
        self._path, self._on_error = os.path.abspath(file.name), on_error
        self._first = 0  # number of the first sample that is kept
        self._kept = np.zeros((self.info.n_channels, 0), np.float32)

    def read_range(self, first: int, last: int) -> NDArray[np.float32]:
        """Return the samples from `first` to `last`, fewer where the file ends before.

        Parameters
        ----------
        first, last : int
            Numbers of samples.

        Returns
        -------
        ndarray of shape (n_channels, at most last - first), float32
            The samples.

        Raises
        ------
        AudioError
            If they cannot be decoded.
        """
        # Unknown until the samples are there: an interruption leaves the decoder at any position.
        _thread.reading = None
        try:
            samples = self._go_on(first, last)
        except AudioError:
            samples = self._kept[:, :0]
        if samples.shape[1] < last - first:
            # What is lost around a fault depends on where the reading begins, and is not to depend
            # on the segments before.
            self.close()
            with AudioFile(self._path, self._on_error) as alone:
                samples = alone.read_range(first, last)
                self.flaw = alone.flaw
            return samples
        if last >= self.info.n_samples:
            self.close()
        if samples.nbytes > KEPT_BYTES:
            return samples
        if first < self._first or last > self._end:  # otherwise the kept samples reach further
            self._first, self._kept = first, samples
        _thread.reading = self
        return samples.copy()

    @property
    def _end(self) -> int:
        return self._first + self._kept.shape[1]

    def _go_on(self, first: int, last: int) -> NDArray[np.float32]:
        end = self._end
        if not self._first <= first < end:
            return self._decode(first, last)
        known = self._kept[:, first - self._first : last - self._first]
        if last <= end:
            return known
        return np.concatenate([known, self._decode(end, last)], axis=1)

    def _decode(self, first: int, last: int) -> NDArray[np.float32]:
        if self._file is None:
            self._file = AudioFile(self._path, self._on_error)
        return self._file.read_range(first, last)

    def close(self) -> None:
        """Close the file. Reading opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __del__(self) -> None:  # also called when a thread has ended
        self.close()


_decodings: OrderedDict[tuple, Decoding] = OrderedDict()
_lock = threading.Lock()
# The reading of each thread: threads work at segments that lie far from each other.
_thread = threading.local()


def _forget_reading() -> None:
    """Close the file that this thread has kept open for further segments."""
    reading = getattr(_thread, "reading", None)
    _thread.reading = None
    if reading is not None:
        reading.close()


def _begin_in_child() -> None:
    """Forget what the parent process has open: its threads may have held locks, and seek in it."""
    global _lock
    _lock = threading.Lock()
    for decoding in _decodings.values():
        decoding._close()
    _decodings.clear()
    _forget_reading()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)


@atexit.register
def close_all() -> None:
    """Close all files and drop their samples, but for what other threads read."""
    _forget_reading()
    with _lock:
        closed = list(_decodings.values())
        _decodings.clear()
    for decoding in closed:
        decoding.close()


def _key(name: str, on_error: OnFlaw) -> tuple:
    status = os.stat(name)
    return os.path.abspath(name), status.st_size, status.st_mtime_ns, status.st_ino, on_error


def find_open(name: str, on_error: OnFlaw) -> Decoding | Reading | None:
    """Return what is open of a file from which a segment was read lately.

    Parameters
    ----------
    name : str
        Path of the file.
    on_error : {"raise", "read"}
        With what the file was opened.

    Returns
    -------
    Decoding, Reading or None
        None if there is none, or the file has changed since.
    """
    reading = getattr(_thread, "reading", None)
    if not _decodings and reading is None:
        return None
    try:
        key = _key(name, on_error)
    except (OSError, ValueError):  # opening it reports why
        return None
    if reading is not None and reading.key == key:
        return reading
    with _lock:
        if key in _decodings:
            _decodings.move_to_end(key)
        return _decodings.get(key)


def keep_open(file: AudioFile, on_error: OnFlaw) -> AudioFile | Decoding | Reading:
    """Return what reads segments of a file, and is kept for later ones.

    Parameters
    ----------
    file : AudioFile
        The file, opened and not read yet.
    on_error : {"raise", "read"}
        With what it was opened.

    Returns
    -------
    AudioFile, Decoding or Reading
        A Reading where the decoder seeks; it takes the place of this thread's last one. Else a
        Decoding; that of the file whose last segment lies longest ago is forgotten. The file itself
        where it has no name any more.
    """
    try:
        key = _key(file.name, on_error)
    except OSError:
        return file
    if file.seeks:
        _forget_reading()
        return Reading(file, on_error, key)
    decoding = Decoding(file, on_error)
    with _lock:
        dropped = [_decodings.pop(key)] if key in _decodings else []
        _decodings[key] = decoding
        while len(_decodings) > MAX_OPEN:
            dropped.append(_decodings.popitem(last=False)[1])
    for other in dropped:
        other.close()
    return decoding
