"""Files that libsndfile does not decode: read through PyAV, with the same checks."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from skaudeep.audio import AudioError, AudioWarning, audio_info, read_audio
from skaudeep.audio.ffmpeg import needs_ffmpeg
from skaudeep.audio.formats import AUDIO_SUFFIXES, FFMPEG_SUFFIXES
from skaudeep.datasets.files import list_audio

RATE = 48_000
# Name, codec, format of the encoder's samples, and whether it keeps them to the bit.
CODINGS = [
    ("a.m4a", "aac", "fltp", False),
    ("a.mp4", "aac", "fltp", False),
    ("a.mov", "pcm_s16be", "s16", True),
    ("b.m4a", "alac", "s16p", True),
    ("a.aac", "aac", "fltp", False),
    ("a.webm", "libopus", "s16", False),
    ("b.mka", "libopus", "s16", False),
    ("a.mka", "flac", "s16", True),
    ("a.mkv", "pcm_s16le", "s16", True),
    ("a.wma", "wmav2", "fltp", False),
    ("a.ac3", "ac3", "fltp", False),
    ("a.wv", "wavpack", "s16p", True),
    ("a.tta", "tta", "s16", True),
]
NAMES = [coding[0] for coding in CODINGS]
STATES_LENGTH = [name for name in NAMES if name not in ("a.aac", "a.ac3")]


def sound(seconds: float = 6.0) -> np.ndarray:
    """Return two tones that swell, as 16-bit integers of shape (n_channels, n_samples)."""
    time = np.arange(round(RATE * seconds)) / RATE
    tones = [np.sin(2 * np.pi * f * time) * (0.1 + 0.06 * time) for f in (440, 1000)]
    return np.round(32767 * np.array(tones)).astype(np.int16)


def write(path: Path, seconds: float = 6.0, options: dict[str, str] | None = None) -> Path:
    _, codec, layout, _ = next(coding for coding in CODINGS if coding[0] == path.name)
    samples = sound(seconds)
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=RATE, layout="stereo")
        stream.bit_rate = 192_000
        stream.codec_context.format = layout  # some encoders begin with 8 bits
        frame = av.AudioFrame.from_ndarray(samples, format="s16p", layout="stereo")
        frame.sample_rate, frame.pts = RATE, 0
        resampler = av.AudioResampler(
            layout, "stereo", RATE, stream.codec_context.frame_size or 4096
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("name", "codec", "layout", "is_exact"), CODINGS)
def test_what_was_written_is_read(tmp_path, name, codec, layout, is_exact):
    path = write(tmp_path / name)
    expected = sound() / 32768
    samples, rate = read_audio(path)
    info = audio_info(path)
    assert rate == info.sampling_rate == RATE
    assert samples.shape == (2, info.n_samples)
    assert samples.dtype == np.float32
    if is_exact:
        np.testing.assert_array_equal(samples, expected.astype(np.float32))
        return
    assert samples.shape[1] == pytest.approx(6 * RATE, abs=3000)
    # The lag of the codec is where a tenth of a second fits best; there, four seconds agree.
    n = RATE // 10
    middle = samples[:, RATE // 2 :]
    before = [expected[:, RATE // 2 - lag :] for lag in range(2600)]
    lag = np.argmin([np.abs(middle[:, :n] - x[:, :n]).mean() for x in before])
    n = 4 * RATE
    assert np.abs(middle[:, :n] - before[lag][:, :n]).mean() < 0.01


@pytest.mark.parametrize("name", NAMES)
def test_a_segment_is_what_the_whole_file_has_there(tmp_path, name):
    path = write(tmp_path / name)
    whole = read_audio(path)[0]
    for start in (0.0, 0.7, 2.5, 4.4, 1.2):
        piece = read_audio(path, start=start, end=start + 1.1)[0]
        first = round(start * RATE)
        np.testing.assert_array_equal(piece, whole[:, first : first + round(1.1 * RATE)])
    resampled = read_audio(path, sampling_rate=16_000, duration=2)[0]
    np.testing.assert_array_equal(resampled, read_audio(path, sampling_rate=16_000)[0][:, :32_000])


@pytest.mark.parametrize("fraction", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", STATES_LENGTH)
def test_a_file_that_is_cut_short_never_passes_for_a_whole_one(tmp_path, name, fraction):
    path = write(tmp_path / name)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * fraction)])
    with pytest.raises(AudioError, match=r"cut short|cannot be decoded") as caught:
        read_audio(path)
    assert caught.value.clip == str(path)


def test_what_is_left_of_a_cut_file_is_read_on_request(tmp_path):
    path = write(tmp_path / "a.m4a", options={"movflags": "faststart"})
    whole = read_audio(path)[0]
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    with pytest.raises(AudioError, match=r'is cut short or damaged: .*on_error="read"') as caught:
        read_audio(path)
    assert caught.value.kind == "cut short"
    with pytest.warns(AudioWarning, match="is cut short"):
        part = read_audio(path, on_error="read")[0]
    assert 0.4 * whole.shape[1] < part.shape[1] < 0.7 * whole.shape[1]
    np.testing.assert_array_equal(part[:, :RATE], whole[:, :RATE])


def test_without_pyav_the_error_says_what_to_install(tmp_path, monkeypatch):
    path = write(tmp_path / "a.m4a")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(
        AudioError, match=r"a\.m4a: is in a format .* pip install 'skaudeep\[ffmpeg\]'"
    ):
        read_audio(path)
    text = tmp_path / "b.m4a"
    text.write_text("no audio " * 99)
    with pytest.raises(AudioError, match="cannot be decoded"):
        read_audio(text)


def test_what_holds_no_sound_is_an_error(tmp_path):
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(AudioError, match=r"film\.mp4: holds no sound"):
        read_audio(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(AudioError, match="cannot be decoded"):
        read_audio(path)


def test_names_of_files_are_no_addresses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.m4a").rename("concat:höhö 🐕.m4a")
    assert read_audio("concat:höhö 🐕.m4a")[0].shape[0] == 2


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff", "a.caf", "a.au"])
def test_what_libsndfile_decodes_stays_with_it(tmp_path, name):
    soundfile.write(tmp_path / name, sound(1).T, RATE)
    assert not needs_ffmpeg(str(tmp_path / name))
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(b"ID3\x04\0\0\0\0\x07\x68" + bytes(1000) + content)
    assert not needs_ffmpeg(str(tmp_path / name))


def test_list_audio_finds_every_readable_suffix_and_names_films_that_it_leaves_out(tmp_path):
    names = sorted(f"a{suffix}" for suffix in AUDIO_SUFFIXES)
    for name in [*names, "a.mp4", "a.txt"]:
        (tmp_path / name).touch()
    with pytest.warns(UserWarning, match=r"Left out 1 of .* 1 of \.mp4, first 'a\.mp4'"):
        assert list_audio(tmp_path) == names
    assert {".sph", ".wave", ".m4a", ".webm", ".opus"} < AUDIO_SUFFIXES
    assert ".wav" not in FFMPEG_SUFFIXES
