"""What the containers of audio files say about themselves, and where they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from skaudeep.audio.headers import contradiction, missing_bytes, ogg_fault, states_length


@pytest.mark.parametrize(
    ("log", "missing"),
    [
        ("data : 4000 (should be 2999)", "holds 2999 of the 4000 bytes it announces"),
        ("  SSND : 9 (should be 8)", "holds 8 of the 9 bytes it announces"),
        ("data : 4000 (should be 4008)", None),  # tags follow
        (f"data : {2**31 - 1} (should be 88)", None),  # written into a pipe
        (f"data : {2**32 - 4096} (should be 88)", None),
        (f"data : {2**31 - 5000} (should be 88)", f"holds 88 of the {2**31 - 5000} bytes"),
        ("", None),
    ],
)
def test_missing_bytes_counts_announced_bytes_that_are_missing(log: str, missing: str | None):
    assert (missing_bytes(log) or "").startswith(missing or "")
    assert (missing_bytes(log) is None) == (missing is None)


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
    assert ogg_fault(str(path)) is None
    for number in range(1, len(pages)):
        path.write_bytes(b"".join(pages[:number] + pages[number + 1 :]))
        last = number == len(pages) - 1
        assert ("last Ogg page" if last else f"Ogg page {number} is missing") in str(
            ogg_fault(str(path))
        )
        flipped = pages[number][:-1] + bytes([pages[number][-1] ^ 1])
        path.write_bytes(b"".join([*pages[:number], flipped, *pages[number + 1 :]]))
        assert f"Ogg page {number} is damaged" in str(ogg_fault(str(path)))


def test_states_length_finds_the_length_header_of_an_mp3(tmp_path: Path):
    path = written(tmp_path / "a.mp3")
    assert states_length(str(path))
    content = path.read_bytes()
    path.write_bytes(b"ID3\x04\0\0\0\0\x07\x68" + bytes(1000) + content)  # a tag of 1000 bytes
    assert states_length(str(path))
    path.write_bytes(content.replace(b"Xing", bytes(4)).replace(b"Info", bytes(4)))
    assert not states_length(str(path))
