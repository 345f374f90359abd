"""Samples of generated files of many codings, against an independent decoder: the ffmpeg program.

`make test-slow` runs it. The program is Debian's package ffmpeg.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from skaudeep.audio import audio_info, read_audio
from skaudeep.audio.mpeg import count_frames

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("ffmpeg"), reason="the program ffmpeg is not installed"),
]
EXACT, WITHIN_A_STEP, LOSSY = 0.0, 2**-15, 10 ** (-80 / 20)
# Container, subtype, allowed error, and the channels that the coding has.
CODINGS = [
    *[("WAV", s, EXACT, (1, 2)) for s in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT")],
    *[("WAV", s, EXACT, (1, 2)) for s in ("DOUBLE", "ULAW", "ALAW")],
    *[("WAV", s, WITHIN_A_STEP, (1, 2)) for s in ("IMA_ADPCM", "MS_ADPCM")],
    ("WAV", "GSM610", WITHIN_A_STEP, (1,)),
    *[("AIFF", s, EXACT, (1, 2)) for s in ("PCM_S8", "PCM_16", "PCM_24", "FLOAT", "ULAW")],
    *[("AU", s, EXACT, (1, 2)) for s in ("PCM_16", "ULAW", "ALAW", "FLOAT")],
    *[("CAF", s, EXACT, (1, 2)) for s in ("PCM_16", "ALAC_16", "ALAC_24")],
    *[("FLAC", s, EXACT, (1, 2)) for s in ("PCM_16", "PCM_24")],
    *[("W64", "PCM_16", EXACT, (1, 2)), ("RF64", "PCM_24", EXACT, (1, 2))],
    *[("NIST", "PCM_16", EXACT, (1, 2)), ("VOC", "PCM_16", EXACT, (1, 2))],
    *[("IRCAM", "PCM_16", EXACT, (1, 2)), ("SVX", "PCM_16", EXACT, (1,))],
    ("OGG", "VORBIS", LOSSY, (1, 2)),
    ("OGG", "OPUS", LOSSY, (1, 2)),
    ("MP3", "MPEG_LAYER_III", LOSSY, (1, 2)),
]
RATES = {"OPUS": (48_000,), "MPEG_LAYER_III": (16_000, 22_050, 44_100)}
SECONDS = (0.5, 3.0517)
FILES = [
    (container, subtype, error, n_channels, rate, seconds)
    for container, subtype, error, channels in CODINGS
    for n_channels in channels
    for rate in RATES.get(subtype, (8000, 16_000, 44_100))
    for seconds in SECONDS
]


def sound(rate: int, seconds: float, n_channels: int) -> np.ndarray:
    """Return a gliding tone and noise that comes and goes."""
    rng = np.random.default_rng(0)
    time = np.arange(round(rate * seconds)) / rate
    glide = 0.4 * np.sin(2 * np.pi * (200 + 0.05 * rate * time) * time)
    gate = np.sin(2 * np.pi * 3 * time) > 0.3
    channels = [
        glide * (1 - 0.3 * k) + 0.1 * rng.normal(size=time.size).clip(-3, 3) * gate
        for k in range(n_channels)
    ]
    return np.stack(channels, axis=1)


def by_ffmpeg(path: Path, n_channels: int, *decoder: str) -> np.ndarray:
    command = ["ffmpeg", "-v", "error", *decoder, "-i", str(path)]
    command += ["-f", "f64le", "-c:a", "pcm_f64le", "-"]
    done = subprocess.run(command, check=True, capture_output=True)
    return np.frombuffer(done.stdout, "<f8").reshape(-1, n_channels).T


# ffmpeg rounds the predictions of ADPCM in another way than libsndfile, and errors of half a step
# add up to -40 dB within a block. So ADPCM is compared with these few lines too, in which the
# shifts of IMA's Recommended Practices (1992) round, and predictions of Microsoft's coding round
# downwards.
IMA_STEPS = [
    *(7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66),
    *(73, 80, 88, 97, 107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408),
    *(449, 494, 544, 598, 658, 724, 796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066),
    *(2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358, 5894, 6484, 7132, 7845, 8630),
    *(9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794),
    32767,
]
MS_ADAPTION = [230, 230, 230, 230, 307, 409, 512, 614, 768, 614, 512, 409, 307, 230, 230, 230]
MS_COEFFICIENTS = [(256, 0), (512, -256), (0, 0), (192, 64), (240, 0), (460, -208), (392, -232)]


def clip(value: int) -> int:
    return max(-32768, min(32767, value))


def ima_block(block: bytes, n_channels: int) -> list[list[int]]:
    channels = []
    for channel in range(n_channels):
        head = block[4 * channel : 4 * channel + 4]
        value, index = int.from_bytes(head[:2], "little", signed=True), head[2]
        samples = [value]
        words = block[4 * n_channels :]
        for place in range(4 * channel, len(words), 4 * n_channels):
            for byte in words[place : place + 4]:
                for nibble in (byte & 15, byte >> 4):
                    step = IMA_STEPS[index]
                    change = step >> 3
                    change += sum(step >> k for k in range(3) if nibble & 4 >> k)
                    value = clip(value - change if nibble & 8 else value + change)
                    index = max(0, min(88, index + (-1, -1, -1, -1, 2, 4, 6, 8)[nibble & 7]))
                    samples.append(value)
        channels.append(samples)
    return channels


def ms_block(block: bytes, n_channels: int) -> list[list[int]]:
    def numbers(at: int) -> list[int]:
        pairs = [block[at + 2 * k : at + 2 * k + 2] for k in range(n_channels)]
        return [int.from_bytes(pair, "little", signed=True) for pair in pairs]

    coefficients = [MS_COEFFICIENTS[k] for k in block[:n_channels]]
    deltas, newer, older = (numbers(n_channels * (1 + 2 * k)) for k in range(3))
    channels = [[old, new] for old, new in zip(older, newer, strict=True)]
    nibbles = [n for byte in block[7 * n_channels :] for n in (byte >> 4, byte & 15)]
    for number, nibble in enumerate(nibbles):
        k = number % n_channels
        first, second = coefficients[k]
        guess = (channels[k][-1] * first + channels[k][-2] * second) >> 8
        signed = nibble - 16 if nibble & 8 else nibble
        channels[k].append(clip(guess + signed * deltas[k]))
        deltas[k] = max(16, MS_ADAPTION[nibble] * deltas[k] >> 8)
    return channels


def by_specification(path: Path, subtype: str, n_channels: int) -> np.ndarray:
    content = path.read_bytes()
    align = int.from_bytes(content[32:34], "little")
    data = content[content.index(b"data") + 8 :]
    decode = {"IMA_ADPCM": ima_block, "MS_ADPCM": ms_block}[subtype]
    blocks = [decode(data[i : i + align], n_channels) for i in range(0, len(data), align)]
    return np.concatenate([np.array(block) for block in blocks], axis=1) / 32768


def test_about_300_files_are_compared():
    assert 250 < len(FILES) < 450
    assert len({coding[:2] for coding in CODINGS}) >= 25


@pytest.mark.parametrize(("container", "subtype", "error", "n_channels", "rate", "seconds"), FILES)
def test_samples_are_those_of_an_independent_decoder(
    tmp_path, container, subtype, error, n_channels, rate, seconds
):
    suffix = {"OGG": "ogg", "MP3": "mp3", "NIST": "sph", "SVX": "8svx", "IRCAM": "sf"}
    path = tmp_path / f"a.{suffix.get(container, container.lower())}"
    soundfile.write(path, sound(rate, seconds, n_channels), rate, format=container, subtype=subtype)
    samples, found_rate = read_audio(path)
    # Of Opus, RFC 8251 makes libopus the reference; ffmpeg's own decoder differs in stereo.
    expected = by_ffmpeg(path, n_channels, *(["-c:a", "libopus"] if subtype == "OPUS" else []))
    if subtype.endswith("ADPCM"):
        assert np.sqrt(((samples - expected) ** 2).mean()) < 10 ** (-40 / 20)
        expected = by_specification(path, subtype, n_channels)
    assert found_rate == rate
    assert samples.shape == (n_channels, audio_info(path).n_samples)
    if error == LOSSY:  # the container states what is trimmed
        assert samples.shape[1] == round(rate * seconds)
    n = min(samples.shape[1], expected.shape[1])
    assert n >= samples.shape[1] - (0 if error == EXACT else 2304)
    if error == EXACT:
        assert samples.shape == expected.shape
        np.testing.assert_array_equal(samples, expected.astype(np.float32))
    else:
        deviation = samples[:, :n] - expected[:, :n]
        assert np.sqrt((deviation**2).mean()) <= error
        assert error == LOSSY or np.abs(deviation).max() <= error
    rng = np.random.default_rng(1)
    for start in rng.uniform(0, 0.8 * seconds, 4):
        piece = read_audio(path, start=start, end=start + 0.15 * seconds)[0]
        first, last = round(start * rate), round((start + 0.15 * seconds) * rate)
        np.testing.assert_array_equal(piece, samples[:, first:last])


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_without_a_header_is_that_of_an_independent_decoder(tmp_path, rate, mode):
    path = tmp_path / "a.mp3"
    soundfile.write(path, sound(rate, 4, 1), rate, bitrate_mode=mode, compression_level=0.3)
    path.write_bytes(path.read_bytes()[count_frames(str(path)).start :])
    samples, expected = read_audio(path)[0], by_ffmpeg(path, 1)
    n = min(samples.shape[1], expected.shape[1])
    assert abs(samples.shape[1] - expected.shape[1]) <= 1152
    lag = samples.shape[1] - expected.shape[1]
    deviation = (
        samples[:, max(lag, 0) :][:, : n - 1200] - expected[:, max(-lag, 0) :][:, : n - 1200]
    )
    assert np.sqrt((deviation**2).mean()) <= LOSSY
