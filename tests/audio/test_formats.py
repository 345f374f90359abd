"""Integers become samples by the full scale of their format."""

import numpy as np
import pytest
import soundfile

from skaudeep.audio.decoding import AudioError, read_audio

RATE = 16_000


def noise(n_samples=RATE, n_channels=None, seed=0):
    shape = n_samples if n_channels is None else (n_samples, n_channels)
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape)


def written(path, samples=None, rate=RATE, **kwargs):
    soundfile.write(path, noise() if samples is None else samples, rate, **kwargs)
    return path


FULL_SCALES = {"int8": 2**7, "int16": 2**15, "int32": 2**31, "uint8": 2**7}


@pytest.mark.parametrize("dtype", FULL_SCALES)
def test_integer_waveforms_are_brought_to_full_scale_as_those_of_files(tmp_path, dtype):
    info = np.iinfo(dtype)
    samples = np.random.default_rng(0).integers(info.min, info.max, 1000, dtype, endpoint=True)
    samples[:3] = info.min, info.max, info.max // 2 + 1 if dtype == "uint8" else 0
    decoded = read_audio(samples, sampling_rate=RATE)[0][0]
    assert decoded.dtype == np.float32
    assert decoded[0] == -1
    assert decoded[1] == np.float32(1 - 1 / FULL_SCALES[dtype])
    assert decoded[2] == 0
    subtype = {"int8": "PCM_S8", "uint8": "PCM_U8", "int16": "PCM_16", "int32": "PCM_32"}[dtype]
    path = tmp_path / ("a.aiff" if dtype == "int8" else "a.wav")
    stored = samples
    if info.bits == 8:  # soundfile takes none of 8 bits
        stored = (samples.astype(np.int16) - (128 if dtype == "uint8" else 0)) << 8
    np.testing.assert_array_equal(read_audio(written(path, stored, subtype=subtype))[0][0], decoded)


@pytest.mark.parametrize("dtype", ["int64", "uint16", "uint32", "uint64"])
def test_integers_of_unknown_full_scale_are_refused(dtype):
    with pytest.raises(AudioError, match=f"{dtype} samples.*expected floats, int8.*Divide it"):
        read_audio(np.zeros(9, dtype), sampling_rate=RATE)
