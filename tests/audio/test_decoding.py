"""Clips become samples, and each fault of a file has its message."""

import os
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from skaudeep.audio.clips import list_clips
from skaudeep.audio.decoding import (
    AudioError,
    audio_info,
    mix_channels,
    pad_or_cut,
    pre_emphasize,
    read_audio,
    resample,
)
from skaudeep.audio.files import AudioFile

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


# --- what is right comes out right


def test_read_audio_returns_the_samples_of_a_wav_file(tmp_path):
    samples = noise(n_channels=2)
    path = written(tmp_path / "a.wav", samples, subtype="FLOAT")
    decoded, rate = read_audio(path)
    assert rate == RATE
    assert decoded.dtype == np.float32
    assert decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, samples.T.astype(np.float32))


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff"])
def test_read_audio_reads_all_samples_of_each_format(tmp_path, name):
    decoded, rate = read_audio(str(written(tmp_path / name)))
    assert decoded.shape == (1, RATE)
    assert rate == RATE
    assert decoded.std() == pytest.approx(noise().std(), rel=0.1)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "DOUBLE", "ULAW", "IMA_ADPCM", "GSM610"])
def test_read_audio_reads_wav_files_of_each_coding(tmp_path, subtype):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    decoded, _ = read_audio(written(tmp_path / "a.wav", tone, subtype=subtype, format="WAV"))
    assert np.corrcoef(decoded[0, :RATE], tone)[0, 1] > 0.99


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_read_audio_of_a_segment_is_a_slice_of_the_file(tmp_path, name):
    path = written(tmp_path / name)
    whole, _ = read_audio(path)
    np.testing.assert_array_equal(
        read_audio(path, start=0.25, end=0.5)[0], whole[:, RATE // 4 : RATE // 2]
    )
    np.testing.assert_array_equal(read_audio(path, start=0.75)[0], whole[:, RATE * 3 // 4 :])


def test_read_audio_of_a_segment_is_a_slice_of_the_waveform():
    samples = noise()
    piece, rate = read_audio(samples, sampling_rate=RATE, start=0.25, end=0.5)
    assert rate == RATE
    np.testing.assert_array_equal(piece[0], samples[RATE // 4 : RATE // 2].astype(np.float32))


def test_resample_keeps_the_frequency_and_level_of_a_tone(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(44_100) / 44_100)
    samples, rate = read_audio(written(tmp_path / "a.wav", tone, 44_100), sampling_rate=8000)
    assert rate == 8000
    assert samples.shape == (1, 8000)
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
    np.testing.assert_allclose(samples[0, 1000:-1000], expected[1000:-1000], atol=1e-3)


def test_resample_keeps_channels_separate():
    stereo = np.stack([np.zeros(4410), np.ones(4410)]).astype(np.float32)
    resampled = resample(stereo, 44_100, 22_050)
    assert resampled.shape == (2, 2205)
    np.testing.assert_allclose(resampled[:, 500:1500].mean(axis=1), [0, 1], atol=1e-3)


def test_padding_of_an_aiff_is_no_sample(tmp_path):
    """An odd number of bytes is padded, which libsndfile forgets."""
    path = written(tmp_path / "a.aiff", noise(1000), subtype="PCM_S8")
    whole = read_audio(path)[0]
    content = bytearray(path.read_bytes())
    place = content.index(b"COMM") + 10
    assert content[place : place + 4] == (1000).to_bytes(4, "big")
    content[place : place + 4] = (999).to_bytes(4, "big")
    path.write_bytes(content)
    assert audio_info(path).n_samples == 999
    np.testing.assert_array_equal(read_audio(path)[0], whole[:, :999])


def test_audio_info_reads_the_header(tmp_path):
    info = audio_info(written(tmp_path / "a.flac", noise(800, 2), 8000))
    assert info == (800, 2, 8000, "FLAC", "PCM_16")
    assert info.duration == 0.1


def test_read_audio_accepts_any_file_name_and_a_header_without_a_length(tmp_path):
    """Programs that write WAV into a pipe leave the largest number for the sizes."""
    path = written(tmp_path / "höhö 🐕\n.wav")
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", 2**32 - 1)
    path.write_bytes(content)
    assert read_audio(path)[0].shape == (1, RATE)


def test_read_audio_reads_silent_files(tmp_path):
    assert not read_audio(written(tmp_path / "a.wav", np.zeros(RATE)))[0].any()


@pytest.mark.parametrize(
    ("channel", "expected"),
    [("mean", [2, 3]), ("left", [1, 2]), ("right", [3, 4]), ("difference", [-2, -2]), (1, [3, 4])],
)
def test_mix_channels_returns_each_kind_of_channel(channel, expected):
    mixed = mix_channels(np.array([[1, 2], [3, 4]], dtype=np.float32), channel)
    np.testing.assert_array_equal(mixed, expected)
    assert mixed.dtype == np.float32


@pytest.mark.parametrize(
    ("n_samples", "align", "expected"),
    [
        (5, "start", [1, 2, 3]),
        (5, "center", [2, 3, 4]),
        (4, "center", [1, 2, 3]),
        (3, "center", [1, 2, 3]),
        (2, "start", [1, 2, 0]),
        (1, "center", [0, 1, 0]),
    ],
)
def test_pad_or_cut_returns_the_duration_with_each_alignment(n_samples, align, expected):
    samples = np.arange(1, n_samples + 1, dtype=np.float32)
    np.testing.assert_array_equal(pad_or_cut(samples, 1, 3, align), expected)


def test_pre_emphasize_subtracts_the_previous_sample_without_a_click():
    samples = noise().astype(np.float32)
    emphasized = pre_emphasize(samples, 0.95)
    np.testing.assert_allclose(emphasized[1:], samples[1:] - 0.95 * samples[:-1], atol=1e-7)
    assert emphasized.dtype == np.float32
    assert np.ptp(pre_emphasize(np.full(9, 0.3, np.float32), 0.95)) == 0


def test_list_clips_accepts_every_kind_of_input():
    paths = ["a.wav", "b.wav"]
    kinds = ([Path(p) for p in paths], np.array(paths), np.array(paths, object))
    for X in (paths, *kinds, np.array(paths, bytes)):
        assert [clip.name for clip in list_clips(X)] == paths
    assert [clip.name for clip in list_clips(pd.Series(paths, index=[7, 3]))] == paths
    waveforms = list_clips([np.zeros(4), np.zeros((2, 3))])
    assert [clip.source.shape for clip in waveforms] == [(4,), (2, 3)]
    assert [clip.source.shape for clip in list_clips(np.zeros((3, 2, 5)))] == [(2, 5)] * 3


def test_list_clips_removes_nan_padding_of_arrays():
    X = np.ones((2, 5))
    X[1, 3:] = np.nan
    assert [len(clip.source) for clip in list_clips(X)] == [5, 3]


@pytest.mark.parametrize("wrap", ["index", "series", "frame"])
def test_list_clips_reads_the_times_of_a_segment_index(wrap):
    index = pd.MultiIndex.from_arrays(
        [
            ["a.wav", "a.wav"],
            pd.to_timedelta([0, 1.5], unit="s"),
            pd.to_timedelta([1.5, None], unit="s"),
        ],
        names=["file", "start", "end"],
    )
    X = {"index": index, "series": pd.Series([1, 2], index), "frame": pd.DataFrame(index=index)}
    first, second = list_clips(X[wrap])
    assert (first.source, first.start, first.end) == ("a.wav", 0.0, 1.5)
    assert (second.start, second.end, second.name) == (1.5, None, "a.wav [1.5 s to end]")


# --- what is wrong has a name, a reason and a remedy


def _header_only(path):
    content = written(path).read_bytes()
    path.write_bytes(content[:44])


def _stated_rate(path, rate):
    content = bytearray(written(path).read_bytes())
    content[24:28] = struct.pack("<I", rate)
    path.write_bytes(content)


def _stated_bits(path, bits):
    content = bytearray(written(path).read_bytes())
    content[34:36] = struct.pack("<H", bits)
    path.write_bytes(content)


def _stated_bytes(path, n_bytes):
    content = bytearray(written(path).read_bytes())
    content[40:44] = struct.pack("<I", n_bytes)
    path.write_bytes(content)


def _without_length(path):
    content = bytearray(written(path).read_bytes())
    content[21] &= 0xF0  # of STREAMINFO's 36 bits, 0 is "unknown"
    content[22:26] = bytes(4)
    path.write_bytes(content)


def _tagged_and_cut(path):
    tag = b"ID3\x04\0\0\0\0\x07\x68" + bytes(1000)
    path.write_bytes(tag + cut(written(path), 0.7).read_bytes())


def _pages(path):
    parts = written(path, noise(RATE * 5)).read_bytes().split(b"OggS")
    return [b"OggS" + part for part in parts[1:]]


def _without_page(path, number):
    pages = _pages(path)
    del pages[number]
    path.write_bytes(b"".join(pages))


def _damaged_page(path):
    pages = _pages(path)
    pages[3] = pages[3][:-1] + bytes([pages[3][-1] ^ 1])
    path.write_bytes(b"".join(pages))


FAULTS = {
    "missing.wav": (lambda path: None, "no such file"),
    "dangling.wav": (lambda path: path.symlink_to(path.with_name("gone.wav")), "no such file"),
    "empty.wav": (lambda path: path.touch(), r"empty \(0 bytes\)"),
    "directory.wav": (lambda path: path.mkdir(), "is a directory"),
    "text.wav": (lambda path: path.write_text("not a sound\n" * 99), "cannot be decoded"),
    "header-only.wav": (_header_only, "cut short: holds 0 of the 32000 bytes"),
    "zero-samples.wav": (lambda path: written(path, np.zeros(0)), "holds no samples"),
    "cut.wav": (lambda path: cut(written(path), 0.7), "cut short: holds 22386 of the 32000 bytes"),
    "cut-by-a-byte.wav": (lambda path: cut(written(path), 0.99998), "cut short: holds 31999"),
    "cut.aiff": (lambda path: cut(written(path), 0.7), "cut short"),
    "three-gigabytes.wav": (
        lambda path: _stated_bytes(path, 3 * 2**30),
        "holds 32000 of the 3221225472 bytes",
    ),
    "no-length.flac": (_without_length, "does not state how many samples"),
    "tagged-and-cut.mp3": (_tagged_and_cut, r"holds \d+ of the 30 frames it announces"),
    "cut.au": (lambda path: cut(written(path), 0.7), "cut short"),
    "cut.w64": (lambda path: cut(written(path), 0.7), "cut short"),
    "cut.rf64": (lambda path: cut(written(path), 0.7), "cut short"),
    "cut.caf": (lambda path: cut(written(path), 0.97), "cut short"),
    "seven-bits.wav": (lambda path: _stated_bits(path, 7), "its header states 7 bits a sample"),
    "wide-bits.wav": (lambda path: _stated_bits(path, 24), "its header states 24 bits a sample"),
    "headerless.raw": (lambda path: path.write_bytes(bytes(999)), "is headerless by its name"),
    "text.mp3": (lambda path: path.write_text("{}" * 999), "Format not recognised"),
    os.fsdecode(b"latin-\xe4.wav"): (lambda path: path.write_text("x"), "cannot be decoded"),
    "cut.flac": (lambda path: cut(written(path), 0.7), "cannot be decoded"),
    "cut.ogg": (lambda path: cut(written(path), 0.7), "its last Ogg page is missing"),
    "no-last-page.ogg": (lambda path: _without_page(path, -1), "its last Ogg page is missing"),
    "page-missing.ogg": (lambda path: _without_page(path, 3), "its Ogg page 3 is missing"),
    "damaged-page.ogg": (_damaged_page, "its Ogg page 3 is damaged"),
    "chained.ogg": (
        lambda path: path.write_bytes(written(path).read_bytes() * 2),
        "several Ogg streams, one after the other",
    ),
    "cut.mp3": (lambda path: cut(written(path), 0.7), r"cut short: holds \d+ of the 30 frames"),
    "stub.ogg": (lambda path: cut(written(path), 0.01), "cannot be decoded"),
    "nan.wav": (
        lambda path: written(path, np.r_[np.zeros(99), np.nan], subtype="FLOAT"),
        "holds 1 samples that are NaN or infinite",
    ),
    "infinite.wav": (
        lambda path: written(path, np.r_[-np.inf, np.zeros(99), np.inf], subtype="FLOAT"),
        "holds 2 samples that are NaN or infinite",
    ),
    "absurd-rate.wav": (lambda path: _stated_rate(path, 2**31 - 1), "rate of 2147483647 Hz"),
    "fast.wav": (lambda path: _stated_rate(path, 10**7 + 1), "Hz, outside 1 to 10000000"),
    "dialogic.vox": (lambda path: path.write_bytes(bytes(999)), r"headerless by its name \(\.vox"),
    "joined.mp3": (
        lambda path: path.write_bytes(written(path).read_bytes() * 2),
        "its header announces 30 frames, and 61 are there: files were joined",
    ),
    "unclosed.wav": (
        lambda path: _stated_bytes(path, 0),
        r"announces 0 bytes of samples, and 32000 follow: .* not closed \(a power loss\)",
    ),
    "no-rate.wav": (lambda path: _stated_rate(path, 0), "cannot be decoded"),
    "channels.wav": (lambda path: written(path, np.zeros((9, 65))), "65 channels, more than 64"),
    "pipe.wav": (lambda path: os.mkfifo(path), "is a pipe or device"),
    "nul\0.wav": (lambda path: None, "cannot be opened"),
    "too-long" * 40 + ".wav": (lambda path: None, "cannot be opened"),
}
# All others are "unreadable".
KINDS = {
    "missing": {"missing.wav", "dangling.wav"},
    "empty": {"empty.wav", "zero-samples.wav"},
    "not finite": {"nan.wav", "infinite.wav"},
    "wrong header": {"joined.mp3", "unclosed.wav"},
    "cut short": {
        *("header-only.wav", "cut.wav", "cut-by-a-byte.wav", "three-gigabytes.wav", "cut.aiff"),
        *("cut.au", "cut.w64", "cut.rf64", "cut.caf", "cut.mp3", "tagged-and-cut.mp3", "cut.ogg"),
        *("no-last-page.ogg", "page-missing.ogg", "damaged-page.ogg", "chained.ogg"),
    },
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_raises_an_audio_error_with_file_reason_remedy_and_kind(tmp_path, name):
    make, reason = FAULTS[name]
    path = tmp_path / name
    make(path)
    with pytest.raises(AudioError, match=reason) as caught:
        read_audio(path)
    assert caught.value.clip == str(path)
    assert len(caught.value.remedy.split()) > 2
    assert caught.value.kind == next(
        (k for k, names in KINDS.items() if name in names), "unreadable"
    )


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_read_audio_detects_a_file_cut_at_any_byte(tmp_path, name):
    whole = written(tmp_path / name, noise(RATE, 2)).read_bytes()
    path = tmp_path / f"cut-{name}"
    for n_bytes in np.random.default_rng(0).integers(1, len(whole), 40):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(AudioError, match=r"cut short|cannot be decoded") as caught:
            read_audio(path)
        assert caught.value.clip == str(path)


def test_read_audio_ignores_bytes_after_the_last_ogg_page(tmp_path):
    """Some programs append tags of their own."""
    path = written(tmp_path / "a.ogg")
    expected = read_audio(path)[0]
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    np.testing.assert_array_equal(read_audio(path)[0], expected)


def test_read_audio_names_missing_permissions(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.R_OK)  # root may read all
    with pytest.raises(AudioError, match=r"a\.wav: may not be read \(permission denied\)"):
        read_audio(written(tmp_path / "a.wav"))


def test_read_audio_says_how_to_read_a_clip_that_does_not_fit_into_memory(tmp_path, monkeypatch):
    def read(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(soundfile.SoundFile, "read", read)
    with pytest.raises(AudioError, match=r"a\.wav: does not fit into memory.*\(file, start, end\)"):
        read_audio(written(tmp_path / "a.wav"))


def test_read_audio_refuses_devices():
    if not os.path.exists("/dev/zero"):
        pytest.skip("no /dev/zero here")
    with pytest.raises(AudioError, match="pipe or device"):
        read_audio("/dev/zero")


@pytest.mark.parametrize(("start", "end"), [(0.5, 1.5), (1.0, None), (0.5, 0.25), (-0.5, None)])
def test_read_audio_refuses_a_segment_outside_of_the_clip(tmp_path, start, end):
    with pytest.raises(AudioError, match=r"a\.wav: has no samples from .*: it lasts 1 s") as caught:
        read_audio(written(tmp_path / "a.wav"), start=start, end=end)
    assert caught.value.kind == "settings"


def test_read_audio_needs_the_rate_of_a_waveform():
    with pytest.raises(ValueError, match=r"sampling_rate=None.*waveforms do not carry one"):
        read_audio(noise())


@pytest.mark.parametrize(
    ("waveform", "reason", "kind"),
    [
        (np.zeros((2, 2, 2)), r"neither .* \(dtype float64, shape \(2, 2, 2\)", "unreadable"),
        (np.zeros(4, complex), "neither a path nor a waveform", "unreadable"),
        (None, "neither a path nor a waveform", "unreadable"),
        (np.zeros((RATE, 2)), "16000 channels, more than 64. Channels come first", "unreadable"),
        (np.zeros(0), "has no samples", "empty"),
        ([0.0, np.nan, 0.0], "holds 1 samples that are NaN", "not finite"),
    ],
)
def test_read_audio_refuses_invalid_waveforms(waveform, reason, kind):
    with pytest.raises(AudioError, match=reason) as caught:
        read_audio(waveform, sampling_rate=RATE)
    assert caught.value.kind == kind


@pytest.mark.parametrize("channel", ["right", "difference", 1, 7])
def test_mix_channels_refuses_a_missing_channel(channel):
    with pytest.raises(AudioError, match=rf"channel={channel!r} asks for channel \d") as caught:
        mix_channels(np.zeros((1, 9), np.float32), channel)
    assert caught.value.kind == "settings"


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("a.wav", "is one path.*Put it into a list"),
        (Path("a.wav"), "is one path"),
        ([], r"X is empty \(0 clips\)"),
        (pd.Series([], dtype=str), "X is empty"),
        (np.zeros((0, 9)), "X is empty"),
        (np.zeros(9), r"numeric array of shape \(9,\).*Put a single waveform into a list"),
        (np.zeros((2, 2, 2, 2)), "numeric array of shape"),
        (pd.DataFrame({"file": ["a.wav"]}), "is a table"),
        (7, "is of type int"),
    ],
)
def test_list_clips_refuses_input_without_clips(X, message):
    with pytest.raises(ValueError, match=message):
        list_clips(X)


# --- integers


def test_silence_of_unsigned_bytes_is_128_in_padding_too():
    np.testing.assert_array_equal(pad_or_cut(np.array([9], np.uint8), 1, 3), [9, 128, 128])


# --- rates


@pytest.mark.parametrize("rate", [1, 100, 250, 999, 192_000, 500_000, 1_000_000, 10_000_000])
def test_slow_and_fast_recordings_are_read_and_resampled(tmp_path, rate):
    time = np.arange(400) / rate
    tone = 0.5 * np.sin(2 * np.pi * 0.02 * rate * time)
    path = written(tmp_path / "a.wav", tone, rate, subtype="FLOAT")
    decoded, decoded_rate = read_audio(path)
    assert decoded_rate == rate
    np.testing.assert_array_equal(decoded[0], tone.astype(np.float32))
    doubled, _ = read_audio(path, sampling_rate=2 * rate)
    np.testing.assert_allclose(doubled[0, 200:600:2], tone[100:300], atol=2e-3)


# --- parts


def read_counted(monkeypatch, *args, **kwargs):
    """Read audio; return the samples and how many were decoded."""
    n_decoded = []
    read = AudioFile.read

    def counted(self, n_samples):
        found = read(self, n_samples)
        n_decoded.append(found.shape[1])
        return found

    with monkeypatch.context() as patched:
        patched.setattr(AudioFile, "read", counted)
        return read_audio(*args, **kwargs)[0], sum(n_decoded)


@pytest.fixture(scope="module")
def long_file(tmp_path_factory):
    """Return a function that writes a minute of noise, each name once."""
    folder = tmp_path_factory.mktemp("long")

    def write(name):
        path = folder / name
        return path if path.exists() else written(path, noise(RATE * 60))

    return write


@pytest.mark.parametrize("align", ["start", "center"])
@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("new_rate", [None, RATE, 8000, 11_025, 44_100, 16_000.5])
def test_a_duration_of_a_long_file_is_what_the_whole_has_there(
    long_file, monkeypatch, name, align, new_rate
):
    path = long_file(name)
    whole, rate = read_audio(path, sampling_rate=new_rate)
    part, n_decoded = read_counted(
        monkeypatch, path, sampling_rate=new_rate, duration=1.5, align=align
    )
    expected = pad_or_cut(whole, rate, 1.5, align)
    if align == "start" or new_rate in (None, RATE):
        np.testing.assert_array_equal(part, expected)
    else:  # soxr's blocks begin elsewhere
        np.testing.assert_allclose(part, expected, atol=3e-6)
    if align == "start":
        assert n_decoded <= 1.5 * RATE + 70_000
    elif name in ("a.wav", "a.flac", "a.aiff") and new_rate != 16_000.5:
        assert n_decoded <= 1.5 * RATE + 20_000


def test_a_duration_longer_than_the_clip_changes_nothing(tmp_path):
    path = written(tmp_path / "a.wav")
    np.testing.assert_array_equal(read_audio(path, duration=9)[0], read_audio(path)[0])
    samples = noise()
    part = read_audio(samples, sampling_rate=RATE, start=0.25, duration=0.5, align="center")[0]
    np.testing.assert_array_equal(part[0], samples[6000:14_000].astype(np.float32))


def test_mix_channels_counts_no_channel_from_the_end():
    with pytest.raises(ValueError, match=r"channel=-1, expected.*from 0"):
        mix_channels(np.zeros((2, 9)), -1)
