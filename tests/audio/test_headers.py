"""What the containers of audio files say about themselves, and where they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from skaudeep.audio.decoding import read_audio
from skaudeep.audio.errors import AudioError
from skaudeep.audio.headers import _ogg_checksum, contradiction, missing_bytes, ogg_pages


@pytest.mark.parametrize(
    ("log", "missing"),
    [
        ("data : 4000 (should be 2999)", (4000, 2999)),
        ("  SSND : 9 (should be 8)", (9, 8)),
        (" BODY : 9 (should be 8)", (9, 8)),
        ("Data length 9 should be 8", (9, 8)),
        ("*** File seems to be truncated. 8 <--> 9", (9, 8)),
        ("data : 4000 (should be 4008)", None),  # tags follow
        (f"data : {2**31 - 1} (should be 88)", None),  # written into a pipe
        (f"data : {2**32 - 4096} (should be 88)", None),
        (f"data : {2**31 - 5000} (should be 88)", (2**31 - 5000, 88)),
        ("", None),
    ],
)
def test_bytes_that_are_announced_and_missing_are_counted(
    log: str, missing: tuple[int, int] | None
):
    assert missing_bytes(log) == missing


@pytest.mark.parametrize(
    ("channels", "frame", "bits", "fits"),
    [(1, 2, 16, True), (2, 6, 24, True), (1, 3, 20, True), (1, 2, 24, False), (2, 2, 16, False)],
)
def test_contradiction_compares_bits_channels_and_bytes_of_a_frame(
    channels: int, frame: int, bits: int, fits: bool
):
    log = f"Channels : {channels}\nBlock Align : {frame}\nBit Width : {bits}"
    assert (contradiction(log) is None) == fits


def written(path: Path) -> Path:
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 80_000), 16_000)
    return path


def pages_of(path: Path) -> list[bytes]:
    return [b"OggS" + page for page in path.read_bytes().split(b"OggS")[1:]]


def test_ogg_fault_finds_missing_and_damaged_pages(tmp_path: Path):
    path = written(tmp_path / "a.ogg")
    pages = pages_of(path)
    assert ogg_pages(str(path)) == (None, None, None)
    for number in range(1, len(pages)):
        path.write_bytes(b"".join(pages[:number] + pages[number + 1 :]))
        flaw = ogg_pages(str(path)).flaw
        last = number == len(pages) - 1
        assert ("last Ogg page" if last else f"Ogg page {number} is missing") in flaw.reason
        assert flaw.is_readable == last
        flipped = pages[number][:-1] + bytes([pages[number][-1] ^ 1])
        path.write_bytes(b"".join([*pages[:number], flipped, *pages[number + 1 :]]))
        assert f"Ogg page {number} is damaged" in ogg_pages(str(path)).flaw.reason


def without_end_mark(page: bytes) -> bytes:
    page = page[:5] + bytes([page[5] & ~4]) + page[6:]
    return page[:22] + _ogg_checksum(page) + page[26:]


@pytest.mark.parametrize(
    ("rate", "kwargs"),
    [(8000, {}), (16_000, {}), (44_100, {}), (48_000, {"subtype": "OPUS", "format": "OGG"})],
)
def test_an_ogg_file_whose_last_page_is_short_needs_no_end_mark(tmp_path, rate, kwargs):
    """Android's recorder never sets it."""
    path = tmp_path / "a.ogg"
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, rate * 8 + rate // 16)
    soundfile.write(path, sound, rate, **kwargs)
    whole = read_audio(path)[0]
    pages = pages_of(path)
    path.write_bytes(b"".join([*pages[:-1], without_end_mark(pages[-1])]))
    flaw = ogg_pages(str(path)).flaw
    assert flaw.is_harmless
    assert "not marked as the last, which it is" in flaw.reason
    np.testing.assert_array_equal(read_audio(path)[0], whole)
    path.write_bytes(b"".join(pages[:-1]))  # cut between two pages
    flaw = ogg_pages(str(path)).flaw
    assert not flaw.is_harmless
    assert "or was not marked as the last one" in flaw.reason


# --- what states a length, cut


def cut(path: Path, fraction: float) -> str:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    return str(path)


STATED = [
    *[("NIST", subtype) for subtype in ("PCM_16", "PCM_24", "ULAW", "ALAW")],
    *[("VOC", subtype) for subtype in ("PCM_U8", "PCM_16", "ULAW")],
    *[("MAT4", subtype) for subtype in ("PCM_16", "FLOAT", "DOUBLE")],
    *[("MAT5", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_32", "FLOAT", "DOUBLE")],
    *[("AU", subtype) for subtype in ("PCM_16", "ULAW", "FLOAT")],
    *[("AIFF", subtype) for subtype in ("PCM_16", "ULAW", "IMA_ADPCM")],
    *[("WAV", subtype) for subtype in ("PCM_U8", "ULAW", "IMA_ADPCM", "MS_ADPCM", "GSM610")],
    *[("W64", "PCM_16"), ("RF64", "PCM_16"), ("CAF", "PCM_16"), ("CAF", "ALAC_16")],
    *[("AVR", "PCM_16"), ("SVX", "PCM_16"), ("HTK", "PCM_16"), ("MPC2K", "PCM_16")],
    *[("SDS", "PCM_16"), ("WVE", "ALAW"), ("FLAC", "PCM_16")],
]


@pytest.mark.parametrize(("container", "subtype"), STATED)
def test_a_file_that_is_cut_short_never_passes_for_a_whole_one(tmp_path, container, subtype):
    path = tmp_path / "a"
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 32_000)
    soundfile.write(path, sound, 8000, format=container, subtype=subtype)
    whole = path.read_bytes()
    n_samples = read_audio(path)[0].shape[1]
    assert 32_000 <= n_samples < 33_100
    for fraction in (0.1, 0.5, 0.6123, 0.99):
        path.write_bytes(whole)
        with pytest.raises(AudioError, match=r"cut short|cannot be decoded") as caught:
            read_audio(cut(path, fraction))
        assert caught.value.kind in ("cut short", "unreadable")


@pytest.mark.parametrize(
    ("container", "subtype"),
    [("IRCAM", "PCM_16"), ("PAF", "PCM_16"), ("PAF", "PCM_24"), ("PVF", "PCM_16")],
)
def test_formats_that_state_no_length_may_not_end_within_a_sample(tmp_path, container, subtype):
    path = tmp_path / "a"
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (8000, 2))
    soundfile.write(path, sound, 8000, format=container, subtype=subtype)
    assert read_audio(path)[0].shape == (2, 8000)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(AudioError, match="ends within a"):
        read_audio(path)
