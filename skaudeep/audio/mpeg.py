"""Counts the frames of MPEG audio: the true length of an MP3 file."""

import mmap
from typing import NamedTuple

# kbit/s by [version 1 or 2][layer] and index, ISO/IEC 11172-3 and 13818-3.
_LOW_RATES = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_BITRATES = {
    (1, 1): tuple(range(0, 449, 32)),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): _LOW_RATES,
    (2, 3): _LOW_RATES,
}
_RATES = (44_100, 48_000, 32_000)  # Hz, of version 1; half and a quarter of version 2 and 2.5
_SAME_STREAM = 0xFFFE_0C00  # sync, version, layer and sampling rate
_TAIL_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3")


class MpegFrames(NamedTuple):
    """Number, size and position of the frames of a file.

    Parameters
    ----------
    n_frames : int
        Complete frames of audio, without the one that holds a header.
    n_samples_per_frame : int
        Samples of a frame, per channel.
    start : int
        Offset of the first frame of audio in bytes.
    size : int
        Bytes of the first frame of audio.
    n_announced : int or None
        Number of frames that a Xing, Info or VBRI header states; None where there is none.
    is_xing : bool
        Whether that header is a Xing or Info header.
    n_missing_bytes : int
        How many bytes the last frame lacks.
    """

    n_frames: int
    n_samples_per_frame: int
    start: int
    size: int
    n_announced: int | None
    is_xing: bool
    n_missing_bytes: int


def count_frames(path: str) -> MpegFrames | None:
    """Count the frames of an MPEG audio file, without decoding it.

    Parameters
    ----------
    path : str
        Path of the file, which is read whole.

    Returns
    -------
    MpegFrames or None
        The frames. None if the first frame is not found, or does not state its size (free format).

    References
    ----------
    ISO/IEC 11172-3:1993, section 2.4.2.3: the header of a frame.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        position = _sync(data, _after_id3(data, 0), None)
        if position is None:
            return None
        first = position
        word = int.from_bytes(data[first : first + 4], "big")
        announced, has_header, is_xing = _announced(data, first, word)
        n_frames, start, missing = 0, first, 0
        while position + 4 <= len(data):
            here = int.from_bytes(data[position : position + 4], "big")
            size = _size(here) if (here ^ word) & _SAME_STREAM == 0 else 0
            if not size:
                if data[position : position + 11].startswith(_TAIL_TAGS):
                    after = _after_id3(data, position)
                    if after == position:
                        break
                    position = after
                    continue
                found = _sync(data, position + 1, word)
                if found is None:
                    break
                position = found
                continue
            if position + size > len(data):
                missing = position + size - len(data)
                break
            if position == first and has_header:
                start = first + size
            else:
                n_frames += 1
            position += size
        size = _size(int.from_bytes(data[start : start + 4], "big"))
    return MpegFrames(n_frames, _samples(word), start, size, announced, is_xing, missing)


def _version(word: int) -> float:
    return {0: 2.5, 2: 2, 3: 1}.get(word >> 19 & 3, 0)


def _samples(word: int) -> int:
    layer = 4 - (word >> 17 & 3)
    return 384 if layer == 1 else 576 if layer == 3 and _version(word) != 1 else 1152


def _size(word: int) -> int:
    """Return the bytes of a frame by its header; 0 if it is none, or free format."""
    version, layer = _version(word), 4 - (word >> 17 & 3)
    bitrate, rate = word >> 12 & 15, word >> 10 & 3
    if word >> 21 != 0x7FF or not version or layer == 4 or bitrate in (0, 15) or rate == 3:
        return 0
    kilobits = _BITRATES[min(int(version), 2), layer][bitrate]
    hertz = {1: _RATES[rate], 2: _RATES[rate] // 2, 2.5: _RATES[rate] // 4}[version]
    padding = word >> 9 & 1
    if layer == 1:
        return (12_000 * kilobits // hertz + padding) * 4
    return _samples(word) // 8 * 1000 * kilobits // hertz + padding


def _side_bytes(word: int) -> int:
    mono = word >> 6 & 3 == 3
    if _version(word) == 1:
        return 17 if mono else 32
    return 9 if mono else 17


def _after_id3(data: mmap.mmap, position: int) -> int:
    while data[position : position + 3] == b"ID3" and len(data) >= position + 10:
        a, b, c, d = data[position + 6 : position + 10]  # seven bits each
        footer = 10 if data[position + 5] & 0x10 else 0
        position += 10 + (a << 21 | b << 14 | c << 7 | d) + footer
    return position


def _sync(data: mmap.mmap, position: int, word: int | None) -> int | None:
    """Find the next frame that another one of its kind follows."""
    while (position := data.find(b"\xff", position)) >= 0 and position + 4 <= len(data):
        here = int.from_bytes(data[position : position + 4], "big")
        size = _size(here) if word is None or (here ^ word) & _SAME_STREAM == 0 else 0
        after = int.from_bytes(data[position + size : position + size + 4], "big")
        if size and (position + size >= len(data) or (after ^ here) & _SAME_STREAM == 0):
            return position
        position += 1
    return None


def _announced(data: mmap.mmap, position: int, word: int) -> tuple[int | None, bool, bool]:
    place = position + 4 + _side_bytes(word)
    tag = data[place : place + 12]
    if tag[:4] in (b"Xing", b"Info"):
        return int.from_bytes(tag[8:12], "big") if tag[7] & 1 else None, True, True
    place = position + 4 + 32
    if data[place : place + 4] == b"VBRI":
        return int.from_bytes(data[place + 14 : place + 18], "big"), True, False
    return None, False, False
