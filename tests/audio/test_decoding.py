"""Clips become samples, and each fault of a file has its message."""

import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from skaudeep.audio.decoding import (
    AudioError,
    audio_info,
    list_clips,
    mix_channels,
    pad_or_cut,
    pre_emphasize,
    read_audio,
    resample,
)

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


def test_samples_of_a_wav_come_back(tmp_path):
    samples = noise(n_channels=2)
    path = written(tmp_path / "a.wav", samples, subtype="FLOAT")
    decoded, rate = read_audio(path)
    assert rate == RATE
    assert decoded.dtype == np.float32
    assert decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, samples.T.astype(np.float32))


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff"])
def test_whole_files_of_each_format_are_read(tmp_path, name):
    decoded, rate = read_audio(str(written(tmp_path / name)))
    assert decoded.shape == (1, RATE)
    assert rate == RATE
    assert decoded.std() == pytest.approx(noise().std(), rel=0.1)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "DOUBLE", "ULAW", "IMA_ADPCM", "GSM610"])
def test_wav_files_of_each_coding_are_read(tmp_path, subtype):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    decoded, _ = read_audio(written(tmp_path / "a.wav", tone, subtype=subtype, format="WAV"))
    assert np.corrcoef(decoded[0, :RATE], tone)[0, 1] > 0.99


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_piece_of_a_file_is_a_slice_of_the_whole(tmp_path, name):
    path = written(tmp_path / name)
    whole, _ = read_audio(path)
    np.testing.assert_array_equal(
        read_audio(path, start=0.25, end=0.5)[0], whole[:, RATE // 4 : RATE // 2]
    )
    np.testing.assert_array_equal(read_audio(path, start=0.75)[0], whole[:, RATE * 3 // 4 :])


def test_a_piece_of_a_waveform_is_a_slice_of_it():
    samples = noise()
    piece, rate = read_audio(samples, sampling_rate=RATE, start=0.25, end=0.5)
    assert rate == RATE
    np.testing.assert_array_equal(piece[0], samples[RATE // 4 : RATE // 2].astype(np.float32))


def test_a_resampled_tone_keeps_its_frequency_and_level(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(44_100) / 44_100)
    samples, rate = read_audio(written(tmp_path / "a.wav", tone, 44_100), sampling_rate=8000)
    assert rate == 8000
    assert samples.shape == (1, 8000)
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
    np.testing.assert_allclose(samples[0, 1000:-1000], expected[1000:-1000], atol=1e-3)


def test_resampling_keeps_channels_apart():
    stereo = np.stack([np.zeros(4410), np.ones(4410)]).astype(np.float32)
    resampled = resample(stereo, 44_100, 22_050)
    assert resampled.shape == (2, 2205)
    np.testing.assert_allclose(resampled[:, 500:1500].mean(axis=1), [0, 1], atol=1e-3)


def test_the_header_is_read_without_decoding(tmp_path):
    info = audio_info(written(tmp_path / "a.flac", noise(800, 2), 8000))
    assert info == (800, 2, 8000, "FLAC", "PCM_16")
    assert info.duration == 0.1


def test_a_file_may_have_any_name_and_state_no_length(tmp_path):
    """Programs that write WAV into a pipe leave the largest number for the sizes."""
    path = written(tmp_path / "höhö 🐕\n.wav")
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", 2**32 - 1)
    path.write_bytes(content)
    assert read_audio(path)[0].shape == (1, RATE)


def test_silence_is_sound_too(tmp_path):
    assert not read_audio(written(tmp_path / "a.wav", np.zeros(RATE)))[0].any()


@pytest.mark.parametrize(
    ("channel", "expected"),
    [("mean", [2, 3]), ("left", [1, 2]), ("right", [3, 4]), ("difference", [-2, -2]), (1, [3, 4])],
)
def test_channels_are_mixed(channel, expected):
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
def test_clips_are_padded_or_cut(n_samples, align, expected):
    samples = np.arange(1, n_samples + 1, dtype=np.float32)
    np.testing.assert_array_equal(pad_or_cut(samples, 1, 3, align), expected)


def test_pre_emphasis_is_a_difference_that_ignores_an_offset():
    samples = noise().astype(np.float32)
    emphasized = pre_emphasize(samples, 0.95)
    np.testing.assert_allclose(emphasized[1:], samples[1:] - 0.95 * samples[:-1], atol=1e-7)
    assert emphasized.dtype == np.float32
    assert np.ptp(pre_emphasize(np.full(9, 0.3, np.float32), 0.95)) == 0


def test_every_kind_of_input_lists_its_clips():
    paths = ["a.wav", "b.wav"]
    kinds = ([Path(p) for p in paths], np.array(paths), np.array(paths, object))
    for X in (paths, *kinds, np.array(paths, bytes)):
        assert [clip.name for clip in list_clips(X)] == paths
    assert [clip.name for clip in list_clips(pd.Series(paths, index=[7, 3]))] == paths
    waveforms = list_clips([np.zeros(4), np.zeros((2, 3))])
    assert [clip.source.shape for clip in waveforms] == [(4,), (2, 3)]
    assert [clip.source.shape for clip in list_clips(np.zeros((3, 2, 5)))] == [(2, 5)] * 3


def test_nan_at_the_ends_of_an_array_is_padding():
    X = np.ones((2, 5))
    X[1, 3:] = np.nan
    assert [len(clip.source) for clip in list_clips(X)] == [5, 3]


@pytest.mark.parametrize("wrap", ["index", "series", "frame"])
def test_a_segmented_index_lists_pieces(wrap):
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
    "tagged-and-cut.mp3": (_tagged_and_cut, r"holds \d+ of the 16000 samples"),
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
    "cut.mp3": (lambda path: cut(written(path), 0.7), r"cut short: holds \d+ of the 16000 samples"),
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
    "cut short": {
        *("header-only.wav", "cut.wav", "cut-by-a-byte.wav", "three-gigabytes.wav", "cut.aiff"),
        *("cut.au", "cut.w64", "cut.rf64", "cut.caf", "cut.mp3", "tagged-and-cut.mp3", "cut.ogg"),
        *("no-last-page.ogg", "page-missing.ogg", "damaged-page.ogg", "chained.ogg"),
    },
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_names_the_file_the_reason_a_remedy_and_its_kind(tmp_path, name):
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
def test_a_file_cut_anywhere_never_passes_for_a_whole_one(tmp_path, name):
    whole = written(tmp_path / name, noise(RATE, 2)).read_bytes()
    path = tmp_path / f"cut-{name}"
    for n_bytes in np.random.default_rng(0).integers(1, len(whole), 40):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(AudioError, match=r"cut short|cannot be decoded") as caught:
            read_audio(path)
        assert caught.value.clip == str(path)


def test_what_follows_the_last_ogg_page_does_not_matter(tmp_path):
    """Some programs append tags of their own."""
    path = written(tmp_path / "a.ogg")
    expected = read_audio(path)[0]
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    np.testing.assert_array_equal(read_audio(path)[0], expected)


def test_files_that_others_may_read_only_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.R_OK)  # root may read all
    with pytest.raises(AudioError, match=r"a\.wav: may not be read \(permission denied\)"):
        read_audio(written(tmp_path / "a.wav"))


def test_a_clip_that_does_not_fit_into_memory_says_how_to_read_it(tmp_path, monkeypatch):
    def read(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(soundfile.SoundFile, "read", read)
    with pytest.raises(AudioError, match=r"a\.wav: does not fit into memory.*\(file, start, end\)"):
        read_audio(written(tmp_path / "a.wav"))


def test_devices_are_not_read():
    if not os.path.exists("/dev/zero"):
        pytest.skip("no /dev/zero here")
    with pytest.raises(AudioError, match="pipe or device"):
        read_audio("/dev/zero")


def test_an_mp3_that_does_not_state_its_length_is_read_to_its_end(tmp_path):
    """The length that libsndfile guesses is more than twice the true one here."""
    swelling = noise(44_100 * 5) * np.linspace(0, 1, 44_100 * 5) ** 3
    content = written(tmp_path / "a.mp3", swelling, 44_100).read_bytes()
    second_frame = content.index(content[:2], 2)
    path = tmp_path / "b.mp3"
    path.write_bytes(content[second_frame:])
    assert audio_info(path).n_samples > 44_100 * 6
    assert read_audio(path)[0].shape[1] == pytest.approx(44_100 * 5, abs=3 * 1152)


@pytest.mark.parametrize(("start", "end"), [(0.5, 1.5), (1.0, None), (0.5, 0.25), (-0.5, None)])
def test_a_piece_outside_of_its_clip_is_an_error(tmp_path, start, end):
    with pytest.raises(AudioError, match=r"a\.wav: has no samples from .*: it lasts 1 s") as caught:
        read_audio(written(tmp_path / "a.wav"), start=start, end=end)
    assert caught.value.kind == "settings"


def test_a_waveform_needs_its_rate():
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
def test_what_is_no_waveform_is_an_error(waveform, reason, kind):
    with pytest.raises(AudioError, match=reason) as caught:
        read_audio(waveform, sampling_rate=RATE)
    assert caught.value.kind == kind


@pytest.mark.parametrize("channel", ["right", "difference", 1, 7])
def test_a_missing_channel_is_an_error(channel):
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
def test_what_holds_no_clips_is_an_error(X, message):
    with pytest.raises(ValueError, match=message):
        list_clips(X)


def test_errors_survive_pickling_and_print_strange_names_inertly():
    error = pickle.loads(pickle.dumps(AudioError("a\x1b[31m.wav", "is red", "Paint it", "empty")))
    assert str(error) == r"'a\x1b[31m.wav': is red. Paint it."
    assert error.clip == "a\x1b[31m.wav"
    assert error.kind == error.renamed("b.wav").kind == "empty"
