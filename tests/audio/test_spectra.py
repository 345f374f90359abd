"""Spectra with known answers: tones, clicks, levels, chunks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudeep.audio.spectra import (
    BLOCK,
    bins_between,
    chunk_starts,
    hann_window,
    join_chunks,
    mel_filters,
    power_spectrogram,
    rescale,
    split_chunks,
    to_decibels,
    unfilter,
    unscale,
    waveform,
)

RATE = 16_000


def tone(frequency, n_samples=RATE, rate=RATE, level=0.5):
    return level * np.sin(2 * np.pi * frequency * np.arange(n_samples) / rate)


def noise(n_samples=RATE, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, n_samples)


@pytest.mark.parametrize(("rate", "n_fft", "n_mels"), [(44_100, 3528, 320), (8000, 641, 40)])
def test_mel_filters_are_triangles_of_unit_peak_evenly_spaced_in_mel(rate, n_fft, n_mels):
    filters = mel_filters(rate, n_fft, n_mels)
    assert filters.shape == (n_mels, n_fft // 2 + 1)
    assert filters.min() == 0
    np.testing.assert_array_equal(filters.max(axis=1), 1)
    mels = 2595 * np.log10(1 + filters.argmax(axis=1) * rate / n_fft / 700)
    even = np.arange(1, n_mels + 1) * 2595 * np.log10(1 + rate / 2 / 700) / (n_mels + 1)
    one_bin = 2595 / np.log(10) / (700 + even) * 700 * rate / n_fft / 700
    assert (np.abs(mels - even) <= 1.3 * one_bin).all()


@given(
    rate=st.sampled_from([100, 250, 8000, 44_100, 1_000_000]),
    n_fft=st.integers(32, 2000),
    n_mels=st.integers(1, 60),
    low=st.floats(0, 0.45),
    width=st.floats(0.05, 0.5),
)
@settings(deadline=None)
def test_mel_filters_lie_between_fmin_and_fmax(rate, n_fft, n_mels, low, width):
    fmin, fmax = low * rate, min(low + width, 0.5) * rate
    filters = mel_filters(rate, n_fft, n_mels, None, fmin, fmax)
    heard = np.flatnonzero(filters.any(axis=0)) * rate / n_fft
    assert (heard >= fmin - 1e-5 * rate / n_fft).all()
    assert (heard <= fmax + 1e-5 * rate / n_fft).all()
    np.testing.assert_array_equal(filters.max(axis=1), 1)
    within = set(bins_between(rate, n_fft, fmin, fmax))
    bins = np.arange(n_fft // 2 + 1)
    low_bin, high_bin = fmin * n_fft / rate, fmax * n_fft / rate
    # A bin at either very edge may count or not; all others are inside or outside.
    assert set(bins[(bins > low_bin + 1e-5) & (bins < high_bin - 1e-5)]) <= within
    assert within <= set(bins[(bins > low_bin - 1e-5) & (bins < high_bin + 1e-5)])


def test_mel_filters_reach_from_0_hz_to_half_the_rate_unless_told():
    for rate, n_fft in ((16_000, 1280), (22_050, 551)):
        whole = mel_filters(rate, n_fft, 40)
        np.testing.assert_array_equal(mel_filters(rate, n_fft, 40, None, 0.0, rate / 2), whole)


def test_wide_adjacent_mel_filters_sum_to_one():
    filters = mel_filters(RATE, 1280, 40)
    inside = slice(filters[0].argmax(), filters[-1].argmax() + 1)
    np.testing.assert_allclose(filters.sum(axis=0)[inside], 1, rtol=1e-6)


def test_area_normalised_mel_filters_give_white_noise_equal_power_in_all_bands():
    filters = mel_filters(44_100, 3528, 128, "slaney")
    np.testing.assert_allclose(filters.sum(axis=1), 1, rtol=1e-6)
    peaked = mel_filters(44_100, 3528, 128)
    np.testing.assert_array_equal(filters > 0, peaked > 0)
    power = power_spectrogram(noise(40 * 3528).astype(np.float32), 3528, 3528)
    bands = power.mean(axis=0) @ filters.T
    assert np.abs(10 * np.log10(bands / bands.mean())).max() < 1.5
    assert np.ptp(10 * np.log10(power.mean(axis=0) @ peaked.T)) > 12


def test_cached_windows_and_filters_are_read_only():
    for shared in (hann_window(8), mel_filters(RATE, 1280, 40)):
        with pytest.raises(ValueError, match="read-only"):
            shared[0] = 1


@pytest.mark.parametrize("n_bin", [3, 17, 60])
def test_power_spectrogram_of_a_tone_has_its_power_in_its_bin(n_bin):
    """A cosine of amplitude a at a bin's centre has |X| = a * sum(window) / 2 there."""
    samples = tone(n_bin * RATE / 128, 1280, level=0.2).astype(np.float32)
    power = power_spectrogram(samples, 128, 64)
    np.testing.assert_array_equal(power.argmax(axis=1), n_bin)
    np.testing.assert_allclose(power.max(axis=1), (0.2 * 64 / 2) ** 2, rtol=1e-4)


def test_power_spectrogram_of_a_click_is_nonzero_in_the_frames_that_contain_it():
    samples = np.zeros(1000, np.float32)
    samples[530] = 1
    frames = power_spectrogram(samples, 100, 50).sum(axis=1)
    assert frames.nonzero()[0].tolist() == [9, 10]  # [450, 550) and [500, 600)


def test_power_spectrogram_ignores_a_constant_offset():
    samples = noise(2000).astype(np.float32)
    np.testing.assert_allclose(
        power_spectrogram(samples + 1, 200, 100), power_spectrogram(samples, 200, 100), atol=1e-3
    )


def test_power_spectrogram_of_a_long_clip_equals_that_of_its_parts():
    """Frames are computed in blocks, which must not show."""
    samples = noise(30_000).astype(np.float32)
    whole = power_spectrogram(samples, 200, 100)
    assert len(whole) > 4 * BLOCK
    np.testing.assert_array_equal(whole[150:], power_spectrogram(samples[15_000:], 200, 100))


def test_to_decibels_of_a_tenth_of_the_amplitude_is_minus_20():
    samples = np.concatenate([tone(1000), tone(1000, level=0.05)]).astype(np.float32)
    decibels = to_decibels(power_spectrogram(samples, 1280, 640)).max(axis=1)
    np.testing.assert_allclose(decibels[[3, -3]], [0, -20], atol=1e-3)


def test_to_decibels_of_silence_is_the_minimum():
    np.testing.assert_array_equal(to_decibels(np.zeros((2, 3), np.float32)), -200)


@given(
    st.lists(st.floats(-200, 0, width=32), min_size=2, max_size=20),
)
@settings(deadline=None, max_examples=50)
def test_rescale_reaches_both_bounds_and_keeps_the_order(values):
    values = np.array(values, np.float32)
    scaled = rescale(values)
    if values.min() == values.max():
        np.testing.assert_array_equal(scaled, -1)
    else:
        assert scaled.min() == -1
        assert scaled.max() == 1
        assert (np.diff(scaled[values.argsort()]) >= 0).all()


@given(st.integers(1, 60), st.integers(1, 20), st.none() | st.integers(1, 5))
@settings(deadline=None, max_examples=50)
def test_split_chunks_returns_consecutive_chunks_at_least_half_full(n_frames, length, n_chunks):
    frames = np.arange(n_frames)[:, None]
    chunks = split_chunks(frames, length, n_chunks)
    together = np.concatenate(chunks)
    np.testing.assert_array_equal(together, frames[: len(together)])
    assert all(len(chunk) == length for chunk in chunks[:-1])
    assert 2 * len(chunks[-1]) >= length or len(chunks) == 1
    assert n_chunks is None or len(chunks) <= n_chunks
    if n_chunks is None:
        assert 2 * (n_frames - len(together)) < length


@pytest.mark.parametrize(("lowest", "highest"), [(-60, 0), (-45, -10)])
def test_unscale_inverts_rescale_and_to_decibels(lowest, highest):
    decibels = np.linspace(lowest, highest, 12, dtype=np.float32).reshape(3, 4)
    power = unscale(rescale(decibels), lowest, highest)
    assert power[0, 0] == 0  # that far down nothing is known
    np.testing.assert_allclose(10 * np.log10(power.ravel()[1:]), decibels.ravel()[1:], atol=1e-4)
    assert unscale(np.array([5.0]), lowest, highest) == pytest.approx(10 ** (highest / 10))


def test_unfilter_gives_bins_that_sum_to_the_bands():
    filters = mel_filters(RATE, 1280, 64)
    there = np.random.default_rng(0).exponential(size=(7, 641)) * np.logspace(0, -6, 641)
    power = there @ filters.T
    bins = unfilter(power, filters)
    assert bins.shape == (7, 641)
    assert (bins >= 0).all()
    assert not bins[:, filters.sum(axis=0) == 0].any()
    np.testing.assert_allclose(bins @ filters.T, power, rtol=0.1)


def test_waveform_has_the_expected_length_and_no_clicks_at_its_ends():
    for window, hop in ((200, 100), (201, 50), (200, 120)):
        power = power_spectrogram(tone(1000, 2000).astype(np.float32), window, hop)
        samples = waveform(power.astype(np.float64), window, hop, random_state=0)
        assert len(samples) == (len(power) - 1) * hop + window
        assert np.abs(samples).max() < 1  # of a tone with a peak of 0.5


@given(
    n_frames=st.integers(1, 5000),
    tenths=st.integers(10, 4000),
    n_chunks=st.none() | st.integers(1, 9),
)
@settings(deadline=None)
def test_chunk_i_begins_within_half_a_frame_of_its_time(n_frames, tenths, n_chunks):
    length = tenths / 10
    starts = chunk_starts(n_frames, length, n_chunks)
    assert (np.abs(starts - np.arange(len(starts)) * length) <= 0.5).all()
    frames = np.arange(n_frames)[:, None]
    chunks = split_chunks(frames, length, n_chunks)
    assert [chunk[0, 0] for chunk in chunks] == starts.tolist()
    assert all(len(chunk) == round(length) for chunk in chunks[:-1])
    assert 1 <= len(chunks[-1]) <= round(length)
    if n_chunks is None:  # another chunk would not be half full
        assert 2 * (n_frames - round(len(chunks) * length)) < round(length)
    joined = join_chunks(chunks, length).ravel()
    assert (np.abs(joined - np.arange(len(joined))) <= 1).all()
    assert len(joined) == starts[-1] + len(chunks[-1])


@given(n_frames=st.integers(1, 3000), length=st.integers(1, 400))
@settings(deadline=None)
def test_chunks_of_whole_frames_follow_each_other(n_frames, length):
    frames = np.arange(n_frames)[:, None]
    chunks = split_chunks(frames, length)
    count = max(1, (2 * n_frames + length) // (2 * length))
    assert [chunk.ravel().tolist() for chunk in chunks] == [
        list(range(n_frames))[i * length : (i + 1) * length] for i in range(count)
    ]
    np.testing.assert_array_equal(join_chunks(chunks, length), frames[: count * length])


def test_mel_filters_of_a_range_without_a_bin_name_the_range_and_the_distance_of_bins():
    with pytest.raises(ValueError, match=r"from 10 to 20 Hz.*n_fft=64.*bins are 250 Hz apart"):
        mel_filters(16000, 64, 2, None, 10, 20)
    with pytest.raises(ValueError, match=r"from 3900 to 4000 Hz.*bins are 1600 Hz apart"):
        mel_filters(8000, 5, 2, None, 3900)


def test_a_seed_of_numpys_gives_the_waveform_of_the_same_integer():
    power = power_spectrogram(np.sin(np.arange(256)).astype(np.float32), 64, 32).astype(float)
    expected = waveform(power, 64, 32, random_state=3)
    np.testing.assert_array_equal(waveform(power, 64, 32, random_state=np.int64(3)), expected)
