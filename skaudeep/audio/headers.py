"""Comparison of the length that headers of audio files announce with the samples that are there."""

import re
import struct
import zlib
from typing import Any, NamedTuple

from skaudeep.audio.errors import Fault
from skaudeep.audio.formats import seeks
from skaudeep.audio.mpeg import count_frames
from skaudeep.audio.repairs import Repair

# libsndfile's log of sizes in headers: of a WAV or CAF, an AIFF, an AU, a W64, an RF64 and an SVX.
_RESIZED = re.compile(
    r"^\s*(?:data|SSND|Data Size|riff|Riff size|BODY) *: (\d+) \(should be (\d+)\)", re.MULTILINE
)
# A Psion file's, and a MATLAB 4 file's, in which what is there comes first.
_RESIZED_WVE = re.compile(r"^Data length (\d+) should be (\d+)", re.MULTILINE)
_RESIZED_MAT4 = re.compile(r"seems to be truncated\. (\d+) <--> (\d+)")
_MAT5_BYTES = re.compile(r"^ +Type : \d+ +Size : (\d+)$", re.MULTILINE)
_MAT5_SAMPLE = {"PCM_U8": 1, "PCM_16": 2, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
# Blocks that a MIDI dump announces, and samples that an AVR, HTK or Akai file does.
_SDS_BLOCKS = re.compile(r"^Blocks +: (\d+)$", re.MULTILINE)
_N_SAMPLES = re.compile(r"^\s*(?:Frames|Sample Count)\s*: (\d+)$", re.MULTILINE)
# Where samples begin in formats whose headers state no length, and the bytes of a sample.
_DATA_OFFSET = {"IRCAM": 1024, "PAF": 2048, "SD2": 0}
_PVF_OFFSET = re.compile(r"^ Data Offset : (\d+)$", re.MULTILINE)
_SAMPLE_BYTES = {
    **{"PCM_S8": 1, "PCM_U8": 1, "ULAW": 1, "ALAW": 1, "PCM_16": 2},
    **{"PCM_24": 3, "PCM_32": 4, "FLOAT": 4},
}
_BLOCK_ALIGN = re.compile(r"^\s*Block Align +: (\d+)", re.MULTILINE)
_CHANNELS = re.compile(r"^\s*Channels +: (\d+)", re.MULTILINE)
_BIT_WIDTH = re.compile(r"^\s*Bit Width +: (\d+)", re.MULTILINE)
# Numbers of bytes by which WAV headers are too large if a program counted the header, or part of
# it.
_HEADER_SIZES = {8, 36, 44}
_OGG_PAGE = 4096  # bytes after which libogg ends a page
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Flaw(NamedTuple):
    """A disagreement of a file with its header.

    Parameters
    ----------
    reason : str
        Description of the fault.
    kind : {"cut short", "wrong header", "unreadable"}
        What kind of fault it is, see :class:`AudioError`.
    is_harmless : bool, default=False
        Whether all samples are there, and only the header is wrong.
    is_readable : bool, default=True
        Whether the samples that are there are a beginning of the recording.
    """

    reason: str
    kind: Fault
    is_harmless: bool = False
    is_readable: bool = True


class Examined(NamedTuple):
    """Result of the examination of a file.

    Parameters
    ----------
    flaw : Flaw or None, default=None
        Fault of the file.
    repair : Repair or None, default=None
        Repair with which libsndfile finds all samples.
    n_samples : int or None, default=None
        Number of samples per channel; None if libsndfile reports it correctly.
    """

    flaw: Flaw | None = None
    repair: Repair | None = None
    n_samples: int | None = None


def examine(name: str, file: Any) -> Examined:
    """Compare what an audio file announces with what it holds.

    Parameters
    ----------
    name : str
        Path of the file. MP3 and Ogg files are read whole, without decoding them.
    file : soundfile.SoundFile
        The same file, opened.

    Returns
    -------
    Examined
        The fault, if there is one, and how to read the file.
    """
    if file.format == "OGG":
        return ogg_pages(name)
    if file.format == "MP3":
        return _mpeg_length(name)
    if file.format in ("WAV", "WAVEX") and file.frames == 0 and (found := _unclosed_wav(name)):
        return found
    # libsndfile quietly trusts the file's end over its header, and says so only in its log.
    flaw = _size_flaw(name, file) or _count_flaw(name, file) or _rest_flaw(name, file)
    # libsndfile counts the padding byte of an AIFF with an odd number of bytes.
    is_aiff = file.format == "AIFF" and seeks(file.format, file.subtype)
    stated = _N_SAMPLES.search(file.extra_info) if is_aiff else None
    n_samples = int(stated[1]) if stated and 0 < int(stated[1]) < file.frames else None
    return Examined(flaw, n_samples=n_samples)


def _size_flaw(name: str, file: Any) -> Flaw | None:
    log = file.extra_info
    missing = missing_bytes(log)
    if missing is None:
        return None
    announced, there = missing
    frame = int(match[1]) if (match := _BLOCK_ALIGN.search(log)) else 0
    is_wav = file.format in ("WAV", "WAVEX") and file.subtype.startswith(("PCM_", "FLOAT"))
    if is_wav and frame and there % frame == 0:
        with open(name, "rb") as content:
            offset = content.seek(0, 2) - there
        excess = announced - there
        if (announced % frame and excess < 8) or excess in _HEADER_SIZES | {offset}:
            reason = (
                f"its header announces {announced} bytes of samples, {excess} more than there are; "
                "none is missing: "
            )
            reason += (
                "it would end within a sample"
                if announced % frame
                else "a program counted bytes of the header as samples"
            )
            return Flaw(reason, "wrong header", is_harmless=True)
    return Flaw(f"is cut short: holds {there} of the {announced} bytes it announces", "cut short")


def missing_bytes(log: str) -> tuple[int, int] | None:
    """Return the numbers of bytes that a header announces and that are there, if they differ.

    Parameters
    ----------
    log : str
        libsndfile's log of opening the file (`SoundFile.extra_info`).

    Returns
    -------
    (announced, there) or None
        Numbers of bytes; None if nothing is missing, or the header states no size.

    Examples
    --------
    >>> missing_bytes("data : 4000 (should be 2999)")
    (4000, 2999)
    >>> missing_bytes("data : 4000")
    """
    sizes = [(int(a), int(b)) for a, b in _RESIZED.findall(log) + _RESIZED_WVE.findall(log)]
    sizes += [(int(announced), int(there)) for there, announced in _RESIZED_MAT4.findall(log)]
    for announced, there in sizes:
        # A size in the last 4 KiB below 2 or 4 GiB means "unknown": a program wrote into a pipe.
        if there < announced and announced % 2**31 < 2**31 - 4096:
            return announced, there
    return None


def _count_flaw(name: str, file: Any) -> Flaw | None:
    """Find a fault of a file that announces a number of samples, or of blocks with samples."""
    announced = None
    if file.format == "SDS" and (found := _SDS_BLOCKS.search(file.extra_info)):
        with open(name, "rb") as content:
            missing = 21 + 127 * int(found[1]) - content.seek(0, 2)
        if missing > 0:
            return Flaw(
                f"is cut short: lacks {missing} bytes of its {found[1]} blocks", "cut short"
            )
    if file.format in ("AVR", "HTK", "MPC2K"):
        found = _N_SAMPLES.search(file.extra_info)
        announced = int(found[1]) if found else None
    elif file.format == "NIST":
        announced = _nist_samples(name)
    elif file.format == "MAT5" and (sizes := _MAT5_BYTES.findall(file.extra_info)):
        announced = int(sizes[-1]) // (_MAT5_SAMPLE[file.subtype] * file.channels)
    elif file.format == "VOC" and (missing := _voc_missing(name)):
        return Flaw(f"is cut short: its last block lacks {missing} bytes", "cut short")
    if announced is None or announced <= file.frames:
        return None
    reason = f"is cut short: holds {file.frames} of the {announced} samples it announces"
    return Flaw(reason, "cut short")


def _rest_flaw(name: str, file: Any) -> Flaw | None:
    """Find a fault of a file that states no length, and ends within a sample."""
    log = file.extra_info
    if file.format == "PAF" and file.subtype == "PCM_24":
        if "seems to be truncated" in log:
            return Flaw("is cut short: it ends within a block of samples", "cut short")
        return None
    offset = _DATA_OFFSET.get(file.format)
    if file.format == "PVF" and (match := _PVF_OFFSET.search(log)):
        offset = int(match[1])
    if offset is None or file.subtype not in _SAMPLE_BYTES:
        return None
    with open(name, "rb") as content:
        rest = (content.seek(0, 2) - offset) % (_SAMPLE_BYTES[file.subtype] * file.channels)
    return Flaw("is cut short: it ends within a sample", "cut short") if rest else None


def _nist_samples(name: str) -> int | None:
    with open(name, "rb") as file:
        header = file.read(1024)
    found = re.search(rb"^sample_count -i (\d+)", header, re.MULTILINE)
    return int(found[1]) if found else None


def _voc_missing(name: str) -> int:
    """Return how many bytes the last block of a Creative Voice file lacks."""
    with open(name, "rb") as file:
        size = file.seek(0, 2)
        file.seek(20)
        position = int.from_bytes(file.read(2), "little")
        while position < size:
            file.seek(position)
            block = file.read(4)
            if block[:1] == b"\0":  # the end
                return 0
            position += 4 + int.from_bytes(block[1:4], "little")
    return position - size


def _unclosed_wav(name: str) -> Examined | None:
    """Find samples behind a header that states none."""
    with open(name, "rb") as file:
        size = file.seek(0, 2)
        file.seek(12)
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[4:], "little")
            start = file.tell()
            if head[:4] == b"data":
                if length or start == size:
                    return None
                break
            file.seek(length + length % 2, 1)
        else:
            return None
        position = start
        while position < size:  # no samples, but chunks?
            file.seek(position)
            head = file.read(8)
            length = int.from_bytes(head[4:], "little")
            if len(head) < 8 or not (head[:4].isascii() and head[:4].decode().isprintable()):
                break
            position += 8 + length + length % 2
        if position in (size, size + 1):
            return None
    there = size - start
    reason = (
        f"its header announces 0 bytes of samples, and {there} follow: the recording was not "
        "closed (a power loss), or written into a pipe"
    )
    sizes = ((4, struct.pack("<I", size - 8)), (start - 4, struct.pack("<I", there)))
    return Examined(Flaw(reason, "wrong header"), Repair(patches=sizes))


def _mpeg_length(name: str) -> Examined:
    frames = count_frames(name)
    if frames is None or not frames.n_frames:
        return Examined()
    n_samples = frames.n_frames * frames.n_samples_per_frame
    missing, announced = frames.n_missing_bytes, frames.n_announced
    cut = None
    if announced is not None and announced > frames.n_frames:
        reason = f"is cut short: holds {frames.n_frames} of the {announced} frames it announces"
        cut = Flaw(reason, "cut short")
    elif missing:
        cut = Flaw(f"is cut short: its last frame lacks {missing} bytes", "cut short")
    if announced is not None and frames.is_xing and announced + 2 >= frames.n_frames:
        return Examined(cut)
    # libsndfile guesses the length from the first frame and the size of the file, and reads no
    # more than that. As many zeros as make the guess long enough keep it from stopping early.
    with open(name, "rb") as file:
        n_bytes = file.seek(0, 2) - frames.start
    n_zeros = max(0, (frames.n_frames + 8) * frames.size - n_bytes)
    repair = Repair(start=frames.start, n_zeros=n_zeros)
    if announced is not None and announced + 2 < frames.n_frames:
        reason = (
            f"its header announces {announced} frames, and {frames.n_frames} are there: files "
            "were joined, or something was appended"
        )
        return Examined(Flaw(reason, "wrong header"), repair, n_samples)
    return Examined(cut, repair, n_samples)


def contradiction(log: str) -> str | None:
    r"""Return a contradiction in the header of a WAV file, if there is one.

    Parameters
    ----------
    log : str
        libsndfile's log of opening the file (`SoundFile.extra_info`). The samples of the file must
        be uncompressed: compressed ones are counted in blocks.

    Returns
    -------
    str or None
        A description of the fault; None if the bits of a sample, the channels and the bytes of a
        frame agree, or the header does not state them.

    Examples
    --------
    >>> contradiction("Channels : 1\nBlock Align : 2\nBit Width : 7")
    'states 7 bits a sample in 1 channels, but 2 bytes for all of them'
    """
    found = [pattern.search(log) for pattern in (_CHANNELS, _BIT_WIDTH, _BLOCK_ALIGN)]
    channels, bits, block = (int(match[1]) if match else 0 for match in found)
    if not bits or not block or block == channels * -(-bits // 8):
        return None
    return f"states {bits} bits a sample in {channels} channels, but {block} bytes for all of them"


def ogg_pages(name: str) -> Examined:
    """Check whether all pages of an Ogg file are there.

    Parameters
    ----------
    name : str
        Path of the file, which is read whole.

    Returns
    -------
    Examined
        The result. It has no fault if all pages are there and match their checksums, and the last
        one is marked as the last. If all pages are full except a shorter last one, the mark is not
        needed.

    References
    ----------
    S. Pfeiffer, The Ogg Encapsulation Format Version 0, RFC 3533, section 6, 2003.
    """
    next_page: dict[int, int] = {}  # number by stream
    ended = end = 0
    sizes_of_pages: list[int] = []
    last = b""
    with open(name, "rb") as file:
        while (head := file.read(27)).startswith(b"OggS") and len(head) == 27:
            flags, position, stream, number, n_segments = struct.unpack("<5xBqII4xB", head)
            if flags & 2 and ended:
                return _damage("holds several Ogg streams, one after the other")
            sizes = file.read(n_segments)
            body = file.read(sum(sizes))
            if len(sizes) < n_segments or len(body) < sum(sizes):
                break
            page = head + sizes + body
            if _ogg_checksum(page) != head[22:26]:
                return _damage(f"its Ogg page {number} is damaged")
            if number != next_page.setdefault(stream, number):
                return _damage(f"its Ogg page {next_page[stream]} is missing")
            next_page[stream] += 1
            ended += bool(flags & 4)
            if position > 0:
                is_full = len(body) >= _OGG_PAGE or n_segments == 255
                sizes_of_pages.append(len(body) if is_full else -len(body))
                last, end = page, file.tell()
    if next_page and ended == len(next_page):
        return Examined()
    if not last or len(next_page) > 1:
        return _damage("its last Ogg page is missing")
    marked = last[:5] + bytes([last[5] | 4]) + last[6:]
    marked = marked[:22] + _ogg_checksum(marked) + marked[26:]
    repair = Repair(end=end, patches=((end - len(last), marked[:27]),))
    *before, final = sizes_of_pages
    if not head and before and min(before) > 0 and abs(final) < 0.9 * min(before):
        reason = "its last Ogg page is not marked as the last, which it is: it is not full"
        return Examined(Flaw(reason, "wrong header", is_harmless=True), repair)
    reason = "is cut short: its last Ogg page is missing"
    if not head:
        reason += ", or was not marked as the last one, as by Android's recorder"
    return Examined(Flaw(reason, "cut short"), repair)


def _damage(reason: str) -> Examined:
    return Examined(Flaw(f"is cut short or damaged: {reason}", "cut short", is_readable=False))


def _ogg_checksum(page: bytes) -> bytes:
    # The CRC is zlib's with reversed bits and without the inversions.
    blank = page[:22] + bytes(4) + page[26:]
    crc = ~zlib.crc32(blank.translate(_REVERSED_BITS), 2**32 - 1) & 2**32 - 1
    return crc.to_bytes(4, "big").translate(_REVERSED_BITS)
