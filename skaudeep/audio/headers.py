"""Faults of audio files that libsndfile ignores: missing bytes, wrong headers, lost Ogg pages."""

import re
import struct
import zlib

# libsndfile's log of sizes in headers: of a WAV or CAF, an AIFF, an AU, a W64 and an RF64.
_RESIZED = re.compile(
    r"^\s*(?:data|SSND|Data Size|riff|Riff size) *: (\d+) \(should be (\d+)\)", re.MULTILINE
)
_BLOCK_ALIGN = re.compile(r"^\s*Block Align +: (\d+)", re.MULTILINE)
_CHANNELS = re.compile(r"^\s*Channels +: (\d+)", re.MULTILINE)
_BIT_WIDTH = re.compile(r"^\s*Bit Width +: (\d+)", re.MULTILINE)
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def missing_bytes(log: str) -> str | None:
    """Say how much less a file holds than its header announces.

    Parameters
    ----------
    log : str
        libsndfile's log of opening the file (`SoundFile.extra_info`).

    Returns
    -------
    str or None
        A description of the fault; None if nothing is missing, or the header states no size.

    Examples
    --------
    >>> missing_bytes("data : 4000 (should be 2999)")
    'holds 2999 of the 4000 bytes it announces'
    >>> missing_bytes("data : 4000")
    """
    for announced, there in ((int(a), int(b)) for a, b in _RESIZED.findall(log)):
        # A size in the last 4 KiB below 2 or 4 GiB means "unknown": a program wrote into a pipe.
        if there < announced and announced % 2**31 < 2**31 - 4096:
            return f"holds {there} of the {announced} bytes it announces"
    return None


def contradiction(log: str) -> str | None:
    r"""Say where the header of a WAV file contradicts itself.

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


def ogg_fault(name: str) -> str | None:
    """Say which page of an Ogg file is missing or damaged.

    Parameters
    ----------
    name : str
        Path of the file, which is read whole.

    Returns
    -------
    str or None
        A description of the fault; None if all pages are there and match their checksums.

    References
    ----------
    S. Pfeiffer, The Ogg Encapsulation Format Version 0, RFC 3533, section 6, 2003.
    """
    next_page: dict[int, int] = {}  # number by stream
    ended = 0
    with open(name, "rb") as file:
        while (head := file.read(27)).startswith(b"OggS") and len(head) == 27:
            flags, stream, number, n_segments = struct.unpack("<5xB8xII4xB", head)
            if flags & 2 and ended:
                return "holds several Ogg streams, one after the other"
            sizes = file.read(n_segments)
            body = file.read(sum(sizes))
            if len(sizes) < n_segments or len(body) < sum(sizes):
                break
            # The CRC is zlib's with reversed bits and without the inversions.
            page = head[:22] + bytes(4) + head[26:] + sizes + body
            crc = ~zlib.crc32(page.translate(_REVERSED_BITS), 2**32 - 1) & 2**32 - 1
            if crc != int.from_bytes(head[22:26].translate(_REVERSED_BITS), "big"):
                return f"its Ogg page {number} is damaged"
            if number != next_page.setdefault(stream, number):
                return f"its Ogg page {next_page[stream]} is missing"
            next_page[stream] += 1
            ended += bool(flags & 4)
    return None if next_page and ended == len(next_page) else "its last Ogg page is missing"


def states_length(name: str) -> bool:
    """Tell whether an MP3 file states its length, instead of leaving libsndfile to guess it.

    Parameters
    ----------
    name : str
        Path of the file.

    Returns
    -------
    bool
        Whether its first frame is a Xing, Info or VBRI header.
    """
    with open(name, "rb") as file:
        start = file.read(10)
        if start[:3] == b"ID3":  # its size is four times seven bits
            a, b, c, d = start[6:]
            file.seek(10 + (a << 21 | b << 14 | c << 7 | d))
        else:
            file.seek(0)
        first_frame = file.read(256)
    return any(tag in first_frame for tag in (b"Xing", b"Info", b"VBRI"))
