"""Damaged files, read as far as they go where that is asked for."""

import struct

import numpy as np
import pytest
import soundfile

from skaudeep.audio.decoding import AudioError, read_audio
from skaudeep.audio.errors import AudioWarning

RATE = 16_000


def noise(n_samples=RATE, n_channels=None, seed=0):
    shape = n_samples if n_channels is None else (n_samples, n_channels)
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape)


def written(path, samples=None, rate=RATE, **kwargs):
    soundfile.write(path, noise() if samples is None else samples, rate, **kwargs)
    return path


def cut(path, fraction):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * fraction)])
    return path


def _stated_bytes(path, n_bytes):
    content = bytearray(written(path).read_bytes())
    content[40:44] = struct.pack("<I", n_bytes)
    path.write_bytes(content)


def _pages(path):
    parts = written(path, noise(RATE * 5)).read_bytes().split(b"OggS")
    return [b"OggS" + part for part in parts[1:]]


def _without_page(path, number):
    pages = _pages(path)
    del pages[number]
    path.write_bytes(b"".join(pages))


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        *(("a.wav", {}), ("a.aiff", {}), ("a.au", {}), ("a.w64", {}), ("a.mp3", {}), ("a.ogg", {})),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}),
        *((f"a.{form}", {"format": form}) for form in ("NIST", "VOC", "MAT4", "MAT5", "AVR")),
    ],
)
def test_what_is_left_of_a_cut_file_is_read_on_request(tmp_path, name, kwargs):
    path = written(tmp_path / name, noise(RATE * 6), **kwargs)
    whole = read_audio(path)[0]
    cut(path, 0.6)
    with pytest.raises(AudioError, match='on_error="read"') as caught:
        read_audio(path)
    assert caught.value.kind == "cut short"
    with pytest.warns(AudioWarning, match=r"a\..*is cut short: .*; what is there was read"):
        part = read_audio(path, on_error="read")[0]
    assert 0.3 * whole.shape[1] < part.shape[1] < 0.7 * whole.shape[1]
    same = part.shape[1] - 2000
    np.testing.assert_array_equal(part[:, :same], whole[:, :same])


@pytest.mark.parametrize("fault", ["cut", "damaged"])
def test_a_flac_file_is_read_up_to_its_fault_on_request(tmp_path, fault):
    path = written(tmp_path / "a.flac", noise(RATE * 6))
    whole = read_audio(path)[0]
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 100] = bytes(100)
    path.write_bytes(content if fault == "damaged" else content[:middle])
    with pytest.raises(AudioError, match=r'cannot be decoded.*on_error="read"'):
        read_audio(path)
    with pytest.warns(AudioWarning, match=r"a\.flac: is cut short or damaged: .*decoder.*was read"):
        part = read_audio(path, on_error="read")[0]
    assert 0.4 * whole.shape[1] < part.shape[1] < 0.51 * whole.shape[1]
    np.testing.assert_array_equal(part, whole[:, : part.shape[1]])
    with pytest.warns(AudioWarning, match="cut short or damaged"):
        piece = read_audio(path, start=2.5, end=5.0, on_error="read")[0]
    np.testing.assert_array_equal(piece, part[:, round(2.5 * RATE) :])
    if fault == "cut":
        with pytest.raises(AudioError, match=r"a\.flac: "):
            read_audio(path, start=5.0, on_error="read")
    else:  # behind the fault all is well
        rest = read_audio(path, start=5.0, on_error="read")[0]
        np.testing.assert_array_equal(rest, whole[:, 5 * RATE :])


def test_a_whole_flac_file_is_the_same_when_faults_are_allowed(tmp_path):
    path = written(tmp_path / "a.flac")
    np.testing.assert_array_equal(read_audio(path, on_error="read")[0], read_audio(path)[0])


def test_what_lacks_a_piece_in_the_middle_is_never_read(tmp_path):
    path = tmp_path / "a.ogg"
    _without_page(path, 3)
    with pytest.raises(AudioError, match="page 3 is missing"):
        read_audio(path, on_error="read")


@pytest.mark.parametrize("tail", [b"", b"LIST\x04\0\0\0INFO"])
def test_a_recording_that_was_not_closed_is_read_on_request(tmp_path, tail):
    path = tmp_path / "a.wav"
    whole = read_audio(written(path))[0]
    _stated_bytes(path, 0)
    with pytest.warns(AudioWarning, match="not closed"):
        np.testing.assert_array_equal(read_audio(path, on_error="read")[0], whole)
    path.write_bytes(path.read_bytes()[:44] + tail)
    with pytest.raises(AudioError, match="holds no samples"):
        read_audio(path, on_error="read")


def test_joined_files_are_read_whole_on_request(tmp_path):
    path = written(tmp_path / "a.mp3", noise(RATE * 5))
    path.write_bytes(path.read_bytes() * 2)
    with pytest.warns(AudioWarning, match="files were joined"):
        samples = read_audio(path, on_error="read")[0]
    assert samples.shape[1] == pytest.approx(RATE * 10, abs=4 * 1152)


@pytest.mark.parametrize(
    ("subtype", "excess"),
    [
        *[("PCM_16", excess) for excess in (1, 3, 8, 36, 44)],
        *[("PCM_24", excess) for excess in (1, 2, 4, 8, 36, 44)],
        *[("PCM_U8", excess) for excess in (8, 36, 44)],
    ],
)
def test_a_header_that_counts_itself_as_samples_is_harmless(tmp_path, excess, subtype):
    path = written(tmp_path / "a.wav", subtype=subtype)
    whole = read_audio(path)[0]
    n_bytes = int.from_bytes(path.read_bytes()[40:44], "little") + excess
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", n_bytes)
    path.write_bytes(content)
    np.testing.assert_array_equal(read_audio(path)[0], whole)
    path.write_bytes(content[:-30])
    with pytest.raises(AudioError, match="cut short"):
        read_audio(path)


def test_other_ways_to_treat_errors_are_refused(tmp_path):
    with pytest.raises(ValueError, match='on_error=\'nan\', expected "raise" or "read"'):
        read_audio(written(tmp_path / "a.wav"), on_error="nan")
