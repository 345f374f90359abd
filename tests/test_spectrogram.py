"""The extractor with known answers: tones, levels, chunks, faults, and auDeep's own output."""

import os
import pickle
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib.parallel import ThreadingBackend
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import get_tags

import skaudeep.audio.chain
from skaudeep import BandStatistics, FeatureFusion, _views
from skaudeep.audio.errors import AudioError, AudioWarning
from skaudeep.audio.files import AudioFile
from skaudeep.audio.spectra import mel_filters, rescale
from skaudeep.datasets import make_sounds
from skaudeep.spectrogram import SpectrogramExtractor, extract_views

RATE = 16_000
SHARED = Path(__file__).parents[2] / "shared"
needs_reference = pytest.mark.skipif(
    not (SHARED / "audeep-reference").is_dir() or not (SHARED / "esc-10").is_dir(),
    reason="auDeep's output and the ESC-10 clips are not next to this checkout",
)


def tone(frequency, n_samples=RATE, rate=RATE, level=0.5):
    return level * np.sin(2 * np.pi * frequency * np.arange(n_samples) / rate)


def noise(n_samples=RATE, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, n_samples)


@pytest.fixture
def files(tmp_path):
    """Six WAV files of 1 s to 1.5 s at 16 kHz."""
    paths = [tmp_path / f"{i}.wav" for i in range(6)]
    for i, path in enumerate(paths):
        soundfile.write(path, noise(RATE + i * RATE // 10, seed=i), RATE)
    return paths


# --- the extractor: known answers


@pytest.mark.parametrize("frequency", [200, 1000, 5000])
def test_transform_puts_a_tone_into_its_mel_band_also_after_resampling(tmp_path, frequency):
    peaks = (mel_filters(RATE, 1280, 40).argmax(axis=1)) * RATE / 1280
    band = np.abs(peaks - frequency).argmin()
    soundfile.write(tmp_path / "a.wav", tone(frequency, 44_100, 44_100), 44_100)
    extractor = SpectrogramExtractor(n_mels=40, sampling_rate=RATE)
    for X in ([tone(frequency)], [tmp_path / "a.wav"]):
        (spectrogram,) = extractor.transform(X)
        assert spectrogram.shape == (24, 40)
        np.testing.assert_array_equal(spectrogram[2:-2].argmax(axis=1), band)


def test_transform_without_n_mels_returns_fft_bins():
    (spectrogram,) = SpectrogramExtractor(n_mels=None, sampling_rate=RATE).transform([tone(1000)])
    assert spectrogram.shape == (24, 641)
    np.testing.assert_array_equal(spectrogram.argmax(axis=1), 1000 * 0.08)


def test_transform_of_a_clip_shifted_by_one_hop_is_shifted_by_one_frame():
    samples = noise(RATE)
    early, late = (
        SpectrogramExtractor(n_mels=40, clip_below=-60, sampling_rate=RATE).transform([x])[0]
        for x in (samples, np.concatenate([np.zeros(640), samples]))
    )
    np.testing.assert_allclose(late[2:], early[1:], atol=1e-4)


@pytest.mark.parametrize(
    ("align", "duration", "lasts"),
    [
        ("start", None, 2.0),
        ("start", 1.5, 2.0),
        ("start", 3.0, 2.0),
        ("center", 1.5, 2.0),
        ("center", 3.0, 2.0),
        ("center", 1.4999, 1.7503),
    ],
)
def test_a_click_lies_in_the_frames_whose_times_surround_it(align, duration, lasts):
    extractor = SpectrogramExtractor(
        0.05, hop_duration=0.025, n_mels=10, sampling_rate=RATE, align=align, duration=duration
    )
    clip = np.zeros(round(lasts * RATE))
    clip[round(0.907 * RATE)] = 1
    X = extractor.transform([clip])
    (times,) = extractor.frame_times(X, clip_durations=[lasts])
    assert times.shape == X.shape[1:2]
    np.testing.assert_allclose(times, extractor.frame_times(X.shape[1], clip_durations=lasts))
    heard = X[0].mean(axis=1) > -1
    np.testing.assert_array_equal(heard, np.abs(times - 0.907) < 0.025)


def test_times_of_padding_are_nan_and_what_has_no_times_is_refused():
    extractor = SpectrogramExtractor(0.05, n_mels=10, sampling_rate=RATE)
    X = extractor.transform([noise(8000), noise(4000)])
    times = extractor.frame_times(X)
    np.testing.assert_array_equal(np.isnan(times), np.isnan(X[:, :, 0]))
    np.testing.assert_array_equal(extractor.frame_times([x[~np.isnan(x[:, 0])] for x in X]), times)
    with pytest.raises(ValueError, match=r"Set sampling_rate=, or call fit"):
        SpectrogramExtractor().frame_times(3)
    with pytest.raises(ValueError, match=r"chunk_duration=1.*whole recordings"):
        SpectrogramExtractor(chunk_duration=1, sampling_rate=RATE).frame_times(3)
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        extractor.frame_times(np.zeros((2, 3)))
    centred = SpectrogramExtractor(duration=1, align="center", sampling_rate=RATE)
    for durations in (None, [1.0, 2.0], [-1.0]):
        with pytest.raises(ValueError, match="length of each clip"):
            centred.frame_times(np.zeros((1, 3, 4)), clip_durations=durations)


def test_clip_below_and_clip_above_are_relative_to_the_maximum_of_the_clip():
    samples = np.concatenate([tone(1000), tone(1000, level=0.05), np.zeros(RATE)])
    kwargs = {"n_mels": None, "sampling_rate": RATE}
    # None is -120 dB
    for below, expected in (
        (-40, 0.0),
        (-25, -0.6),
        (None, 1 - 2 * 20 / 120),
    ):  # where 20 dB down lies in [-1, 1]
        (spectrogram,) = SpectrogramExtractor(clip_below=below, **kwargs).transform([samples])
        loudest = spectrogram.max(axis=1)
        np.testing.assert_allclose(loudest[[5, 30, 60]], [1, expected, -1], atol=1e-3)
    above = SpectrogramExtractor(clip_below=-40, clip_above=-20, **kwargs).transform([samples])
    np.testing.assert_allclose(above[0].max(axis=1)[[5, 30, 60]], [1, 1, -1], atol=1e-3)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_transform_does_not_depend_on_the_level_of_a_clip(scale):
    extractor = SpectrogramExtractor(n_mels=40, sampling_rate=RATE)
    np.testing.assert_allclose(
        extractor.transform([noise() * scale]), extractor.transform([noise()]), atol=1e-4
    )


@given(
    n_samples=st.lists(st.integers(200, 1500), min_size=1, max_size=4),
    window=st.integers(20, 200),
    hop=st.integers(1, 150),
)
@settings(deadline=None, max_examples=30)
def test_transform_pads_shorter_clips_with_nan_frames(n_samples, window, hop):
    extractor = SpectrogramExtractor(
        window / 1000, hop_duration=hop / 1000, n_mels=None, sampling_rate=1000
    )
    X = [noise(n, seed=n) for n in n_samples]
    result = extractor.transform(X)
    n_frames = [(n - window) // hop + 1 for n in n_samples]
    assert result.shape == (len(X), max(n_frames), window // 2 + 1)
    assert result.dtype == np.float32
    for row, n, clip in zip(result, n_frames, X, strict=True):
        assert np.isnan(row[n:]).all()
        assert row[:n].min() == -1
        assert row[:n].max() == 1
        np.testing.assert_array_equal(row[:n], extractor.transform([clip])[0])


def test_transform_scales_each_chunk_separately_and_pads_missing_ones_with_nan():
    loud_then_soft = np.concatenate([tone(1000), tone(1000, level=0.005), tone(500)[: RATE // 2]])
    extractor = SpectrogramExtractor(
        n_mels=40, clip_below=-60, chunk_duration=1, sampling_rate=RATE
    )
    result = extractor.transform([loud_then_soft, noise()])
    assert result.shape == (2, 2, 25, 40)
    np.testing.assert_array_equal(result[0].max(axis=(1, 2)), 1)
    assert np.isnan(result[1, 0, 24:]).all()  # 1 s holds 24 whole frames
    assert np.isfinite(result[1, 0, :24]).all()
    assert np.isnan(result[1, 1]).all()
    fixed = clone(extractor).set_params(n_chunks=3).transform([loud_then_soft, noise()])
    assert fixed.shape == (2, 3, 25, 40)
    np.testing.assert_array_equal(fixed[:, :2], result)
    assert np.isnan(fixed[:, 2]).all()


@given(
    rate=st.sampled_from([8000, 11_025, 16_000, 22_050, 44_100, 48_000]),
    hop=st.sampled_from([0.01, 0.0125, 0.02, 0.03]),
    chunk=st.sampled_from([0.5, 0.7, 1.0, 3.0]),
)
@settings(deadline=None, max_examples=30)
def test_a_click_lies_in_the_chunk_that_its_time_says(rate, hop, chunk):
    """Two minutes: a hop that is rounded to samples moved later chunks by up to half a second."""
    samples = np.zeros(120 * rate, np.float32)
    click = int(119.5 // chunk)
    place = round((click + 0.5) * chunk * rate)
    samples[place : place + 20] = tone(rate / 8, 20, rate)
    extractor = SpectrogramExtractor(
        2 * hop, hop_duration=hop, n_mels=None, clip_below=-60, sampling_rate=rate
    )
    (frames,) = extractor.transform([samples])
    (chunks,) = extractor.set_params(chunk_duration=chunk).transform([samples])
    there = np.flatnonzero((chunks > -1).any(axis=(1, 2)))
    assert there.tolist() == [click]
    middle = np.flatnonzero((chunks[click] > -1).any(axis=1)).mean()
    assert (middle + 1) * hop == pytest.approx(chunk / 2, abs=2 * hop)
    whole = round(hop * rate) == pytest.approx(hop * rate)
    if whole and round(chunk / hop) == pytest.approx(chunk / hop):  # as before
        length = round(chunk / hop)
        there = np.isfinite(chunks).all(axis=(1, 2))
        joined = frames[: there.sum() * length].reshape(-1, length, frames.shape[1])
        np.testing.assert_array_equal((chunks[there] > -1), joined > -1)


def test_chunks_of_whole_hops_and_samples_are_cut_one_after_the_other():
    samples = noise(3 * RATE)
    kwargs = {"n_mels": 20, "clip_below": -60, "sampling_rate": RATE}
    (frames,) = SpectrogramExtractor(**kwargs).transform([samples])
    (chunks,) = SpectrogramExtractor(**kwargs, chunk_duration=0.8).transform([samples])
    assert chunks.shape == (4, 20, 20)
    for i, chunk in enumerate(chunks):
        part = frames[20 * i : 20 * (i + 1)]
        np.testing.assert_allclose(chunk[: len(part)], rescale(part), atol=1e-6)


@pytest.mark.parametrize("chunk", [0.31, 0.5])
def test_joined_chunks_sound_as_long_as_the_clip(chunk):
    extractor = SpectrogramExtractor(
        0.025, hop_duration=0.01, n_mels=None, chunk_duration=chunk, sampling_rate=22_050
    )
    (audio,) = extractor.to_audio(
        extractor.transform([noise(10 * 22_050)]), n_iter=1, random_state=0
    )
    assert len(audio) == pytest.approx(10 * 22_050, abs=0.6 * chunk * 22_050)


def test_sounds_outside_fmin_and_fmax_change_nothing():
    bird = tone(3000, level=0.02)
    noisy = bird + tone(60) + tone(7000, level=0.3)
    for n_mels in (40, None):
        extractor = SpectrogramExtractor(
            n_mels=n_mels, fmin=1000, fmax=5000, clip_below=-40, sampling_rate=RATE
        )
        heard = extractor.transform([noisy, bird])
        np.testing.assert_allclose(heard[0], heard[1], atol=0.01)
        (audio,) = extractor.to_audio(heard[:1], random_state=0)
        spectrum = np.abs(np.fft.rfft(audio))
        assert spectrum.argmax() == pytest.approx(3000, abs=60)
        assert spectrum[:800].max() < 0.01 * spectrum.max()


@given(
    rate=st.sampled_from([100, 8000, 22_050, 44_100]),
    low=st.floats(0, 0.4),
    width=st.floats(0.1, 0.5),
)
@settings(deadline=None, max_examples=30)
def test_bins_between_fmin_and_fmax_are_those_of_all_bins(rate, low, width):
    fmin, fmax = low * rate, min(low + width, 0.5) * rate
    kwargs = {"n_mels": None, "sampling_rate": rate, "clip_below": -200}
    samples = noise(100, seed=1)
    every = SpectrogramExtractor(100 / rate, **kwargs)
    some = SpectrogramExtractor(100 / rate, fmin=fmin, fmax=fmax, **kwargs).fit([samples])
    names = some.get_feature_names_out().tolist()
    first = int(names[0].removeprefix("bin"))
    part = every.transform([samples])[0][:, first : first + len(names)]
    if part.size > 1 and part.max() > part.min():
        np.testing.assert_allclose(some.transform([samples])[0], rescale(part), atol=1e-4)
    assert fmin - 1e-6 * rate <= first * rate / 100
    assert (first + len(names) - 1) * rate / 100 <= fmax + 1e-6 * rate


# --- what levels are relative to


def test_a_louder_sound_differs_by_full_scale_alone():
    samples = noise() * 0.2
    for reference, shown in (("chunk", False), ("clip", False), ("full_scale", True)):
        extractor = SpectrogramExtractor(
            n_mels=40, clip_below=-100, reference=reference, sampling_rate=RATE
        )
        usual, loud = extractor.transform([samples, 3 * samples])
        if shown:  # 9.54 dB of 100
            np.testing.assert_allclose(loud - usual, 2 * 20 * np.log10(3) / 100, atol=1e-4)
        else:
            np.testing.assert_allclose(loud, usual, atol=1e-4)


@given(
    level=st.floats(-90, 0),
    rate=st.sampled_from([2000, 16_000, 44_100]),
    window=st.sampled_from([0.02, 0.08]),
)
@settings(deadline=None, max_examples=30)
def test_a_sine_has_its_level_below_full_scale(level, rate, window):
    samples = tone(rate / 8, rate, rate, level=10 ** (level / 20))
    extractor = SpectrogramExtractor(
        round(rate * window / 8) * 8 / rate,
        n_mels=None,
        clip_below=-100,
        reference="full_scale",
        sampling_rate=rate,
    )
    (spectrogram,) = extractor.transform([samples])
    np.testing.assert_allclose(spectrogram.max(axis=1), np.clip(1 + level / 50, -1, 1), atol=1e-3)


def test_chunks_show_their_levels_where_they_are_to():
    soft_then_loud = np.concatenate([noise() * 0.01, noise()])
    kwargs = {"n_mels": 20, "clip_below": -60, "sampling_rate": RATE}
    for reference in ("clip", "full_scale"):
        whole = SpectrogramExtractor(reference=reference, **kwargs)
        (frames,) = whole.transform([soft_then_loud])
        (chunks,) = clone(whole).set_params(chunk_duration=1.0).transform([soft_then_loud])
        np.testing.assert_array_equal(chunks[0], frames[:25])
        np.testing.assert_array_equal(chunks[1][: len(frames) - 25], frames[25:])
        assert chunks[0][:20].max() < chunks[1][:20].min()
    (chunks,) = SpectrogramExtractor(chunk_duration=1.0, **kwargs).transform([soft_then_loud])
    np.testing.assert_array_equal(chunks[0].max(), chunks[1][:20].max())


def test_full_scale_is_heard_at_its_level(tmp_path):
    extractor = SpectrogramExtractor(n_mels=None, clip_below=-100, reference="full_scale")
    soundfile.write(tmp_path / "a.wav", tone(1000, level=0.1), RATE, subtype="PCM_16")
    (audio,) = extractor.to_audio(extractor.fit_transform([tmp_path / "a.wav"]), random_state=0)
    assert np.sqrt(2) * audio[RATE // 4 : RATE // 2].std() == pytest.approx(0.1, rel=0.05)


def test_full_scale_has_to_be_one():
    sixteen_bits = noise() * 32768
    extractor = SpectrogramExtractor(n_mels=8, reference="full_scale", sampling_rate=RATE)
    with pytest.raises(AudioError, match=r"clip 1: peaks at 1\d{4}.*, where digital .* is 1"):
        extractor.transform([noise(), sixteen_bits])
    relative = clone(extractor).set_params(reference="clip")
    views = [extractor.set_params(on_error="nan"), relative]
    with pytest.warns(AudioWarning, match="peaks at"):
        full_scale, of_clip = extract_views(views, [noise(), sixteen_bits])
    assert np.isnan(full_scale[1]).all()
    np.testing.assert_array_equal(of_clip, relative.transform([noise(), sixteen_bits]))
    with pytest.warns(AudioWarning, match="silent, or too soft for clip_below"):
        faint = extractor.set_params(clip_below=-60).transform([noise(), noise() * 1e-6])
    np.testing.assert_array_equal(faint[1], -1)


# --- recordings that the parameters do not suit


@given(
    rate=st.sampled_from([1, 2, 10, 100, 250, 1000, 2000, 8000, 44_100, 1_000_000]),
    lengths=st.lists(st.integers(2, 400), min_size=1, max_size=3),
    align=st.sampled_from(["start", "center"]),
    kwargs=st.sampled_from([{}, {"n_mels": None}, {"mel_norm": "slaney"}, {"fmin": 0.2}]),
)
@settings(deadline=None, max_examples=50)
def test_adapted_to_it_any_recording_has_a_spectrogram(rate, lengths, align, kwargs):
    extractor = SpectrogramExtractor(
        0.025, adapt=True, align=align, clip_below=-60, sampling_rate=rate, **kwargs
    )
    X = [noise(n, seed=n) for n in lengths]
    result = extractor.fit_transform(X)
    assert result.shape[0] == len(X)
    assert result.shape[-1] == extractor.n_bands_ == len(extractor.get_feature_names_out())
    for clip, row in zip(X, result, strict=True):
        n_frames = np.isfinite(row).all(axis=1).sum()
        assert n_frames >= 1
        assert (row[:n_frames].max(), row[:n_frames].min()) == (1, -1)
        np.testing.assert_array_equal(extractor.transform([clip])[0], row[:n_frames])


@pytest.mark.parametrize("rate", [1280, 8000, 44_100, 192_000])
@pytest.mark.parametrize("kwargs", [{"n_mels": 20}, {"n_mels": None, "chunk_duration": 0.5}])
def test_recordings_that_suit_are_not_adapted_to(rate, kwargs):
    X = [noise(rate), noise(2 * rate)]
    extractor = SpectrogramExtractor(clip_below=-60, sampling_rate=rate, **kwargs)
    expected = extractor.transform(X)
    np.testing.assert_array_equal(extractor.set_params(adapt=True).transform(X), expected)


def test_a_short_clip_is_padded_without_a_click():
    short = noise(RATE // 50)  # 20 ms
    extractor = SpectrogramExtractor(n_mels=40, clip_below=-60, sampling_rate=RATE, adapt=True)
    padded = np.concatenate([short - short.mean(), np.zeros(2560 - len(short))])
    expected = extractor.transform([padded])
    for offset in (0.0, 0.3):
        np.testing.assert_allclose(extractor.transform([short + offset]), expected, atol=1e-3)
    with pytest.warns(AudioWarning, match="clip 1"):
        silent = extractor.transform([short, np.full(100, 0.3)])
    np.testing.assert_array_equal(silent[1], -1)


def test_below_1280_hz_windows_hold_as_many_samples_as_there():
    whale = tone(26, 250 * 20, 250) * (np.arange(5000) // 1250 % 2)
    extractor = SpectrogramExtractor(
        0.025, hop_duration=0.01, n_mels=64, clip_below=-60, sampling_rate=250, adapt=True
    )
    (spectrogram,) = extractor.fit_transform([whale])
    assert spectrogram.shape == ((5000 - 32) // 13 + 1, 17)
    assert np.median(spectrogram.argmax(axis=1)[100:180]) == pytest.approx(26 / 125 * 17, abs=1)
    with pytest.raises(
        ValueError, match=r"chunk_duration=0.1 is shorter .* last 0.128 s at 250 Hz"
    ):
        extractor.set_params(chunk_duration=0.1).fit([whale])


# --- the extractor: what comes in


def test_transform_gives_the_same_for_every_kind_of_input(files):
    extractor = SpectrogramExtractor(n_mels=40)
    expected = extractor.transform([str(path) for path in files])
    segments = pd.MultiIndex.from_arrays(
        [files, [pd.Timedelta(0)] * 6, [pd.NaT] * 6], names=["file", "start", "end"]
    )
    samples = [soundfile.read(path, dtype="float32")[0] for path in files]
    padded = np.full((6, max(map(len, samples))), np.nan, np.float32)
    for row, clip in zip(padded, samples, strict=True):
        row[: len(clip)] = clip
    for X in (
        files,
        np.array([str(path) for path in files]),
        np.array(files, dtype=object),
        pd.Series(files, index=range(6, 0, -1)),
        segments,
        pd.Series(range(6), index=segments),
    ):
        np.testing.assert_array_equal(extractor.transform(X), expected)
    extractor.set_params(sampling_rate=RATE)
    for X in (samples, padded, padded[:, None], [np.stack([x, x]) for x in samples]):
        np.testing.assert_array_equal(extractor.transform(X), expected)


def test_transform_of_a_segment_equals_that_of_the_slice(files):
    index = pd.MultiIndex.from_tuples(
        [(str(files[0]), pd.Timedelta("0.25s"), pd.Timedelta("0.75s"))],
        names=["file", "start", "end"],
    )
    samples = soundfile.read(files[0])[0][RATE // 4 : RATE * 3 // 4]
    np.testing.assert_array_equal(
        SpectrogramExtractor(n_mels=40).transform(index),
        SpectrogramExtractor(n_mels=40, sampling_rate=RATE).transform([samples]),
    )


def test_transform_accepts_mono_and_stereo_clips_together():
    left, right = noise(seed=1), noise(seed=2)
    extractor = SpectrogramExtractor(n_mels=40, sampling_rate=RATE)
    both = extractor.transform([np.stack([left, right]), (left + right) / 2])
    np.testing.assert_allclose(both[0], both[1], atol=1e-4)


def test_transform_does_not_depend_on_n_jobs(files):
    X = files * 5
    expected = SpectrogramExtractor(n_mels=40).transform(X)
    np.testing.assert_array_equal(expected[:6], expected[6:12])
    assert not np.array_equal(expected[0, :24], expected[1, :24])
    for n_jobs in (2, 3):
        result = SpectrogramExtractor(n_mels=40, n_jobs=n_jobs).transform(X)
        np.testing.assert_array_equal(result, expected)


def test_transform_respects_an_outer_joblib_configuration(files):
    asked = []

    class Backend(ThreadingBackend):
        def configure(self, n_jobs=1, **kwargs):
            asked.append(n_jobs)
            return super().configure(n_jobs=n_jobs, **kwargs)

    expected = SpectrogramExtractor(n_mels=40).transform(files)
    with joblib.parallel_config(backend=Backend(), n_jobs=2):
        np.testing.assert_array_equal(SpectrogramExtractor(n_mels=40).transform(files), expected)
    assert asked == [2]


# --- views


def test_extract_views_equals_single_extractions_and_decodes_each_clip_once(files, monkeypatch):
    extractors = [
        SpectrogramExtractor(n_mels=40, clip_below=-30),
        SpectrogramExtractor(n_mels=40, clip_below=-60),
        SpectrogramExtractor(n_mels=20),
        SpectrogramExtractor(n_mels=20, mel_norm="slaney"),
        SpectrogramExtractor(0.04, pre_emphasis=0.95, chunk_duration=0.5),
    ]
    expected = [extractor.transform(files) for extractor in extractors]
    calls = []

    def count(module, name):
        counted = getattr(module, name)

        def counting(*args, **kwargs):
            calls.append(name)
            return counted(*args, **kwargs)

        monkeypatch.setattr(module, name, counting)

    count(skaudeep.audio.chain, "read_audio")
    count(skaudeep.audio.overlaps, "power_spectrogram")
    for view, single in zip(extract_views(extractors, files), expected, strict=True):
        np.testing.assert_array_equal(view, single)
    assert calls.count("read_audio") == 6
    assert calls.count("power_spectrogram") == 24  # the first two extractors share theirs


def test_extract_views_reports_a_clip_that_fails_for_one_extractor():
    extractors = [
        SpectrogramExtractor(window, n_mels=8, sampling_rate=RATE, on_error="nan")
        for window in (0.02, 0.1)
    ]
    X = [noise(RATE), noise(RATE // 20)]
    with pytest.warns(AudioWarning, match="1 of 2 clips could not be read"):
        short, long = extract_views(extractors, X)
    assert np.isfinite(short[1, :2]).all()
    assert np.isnan(long[1]).all()


# --- manners


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("duration", {"duration": 1e12}),
        ("duration", {"duration": 1e300, "align": "center"}),
        ("n_chunks", {"chunk_duration": 0.1, "n_chunks": 10**9}),
        ("n_chunks", {"chunk_duration": 0.1, "n_chunks": 10**30}),
        ("chunk_duration", {"chunk_duration": 1e12}),
        ("window_duration", {"window_duration": 1e12, "hop_duration": 0.01}),
        ("window_duration", {"window_duration": 1e300, "adapt": True}),
        ("hop_duration", {"hop_duration": 1e12, "adapt": True}),
    ],
)
def test_a_length_that_no_recording_has_is_refused_by_the_name_of_its_parameter(name, parameters):
    extractor = SpectrogramExtractor(sampling_rate=RATE, n_mels=8, **parameters)
    with pytest.raises(ValueError, match=f"{name}.* of 1e.* s is more than .* which no file holds"):
        extractor.transform([noise()])


def test_a_clip_that_does_not_fit_into_memory_is_named_with_the_parameters(monkeypatch):
    def full(*args):
        raise MemoryError

    monkeypatch.setattr(skaudeep.audio.chain, "pad_or_cut", full)
    extractor = SpectrogramExtractor(sampling_rate=RATE, duration=1e5)
    message = r"clip 0: does not fit into memory with duration=100000.0, align='start'\. Shorten"
    with pytest.raises(AudioError, match=message):
        extractor.transform([noise()])


@pytest.mark.parametrize("align", ["start", "center"])
@pytest.mark.parametrize("rate", [None, 16_000])
def test_a_duration_decodes_no_more_of_a_long_recording(tmp_path, monkeypatch, align, rate):
    path = tmp_path / "long.wav"
    n_bytes = 600 * 10**6  # nearly two hours
    soundfile.write(path, np.zeros(0, np.int16), 44_100, subtype="PCM_16")
    header = bytearray(path.read_bytes())
    header[4:8] = (len(header) - 8 + n_bytes).to_bytes(4, "little")
    header[-4:] = n_bytes.to_bytes(4, "little")
    path.write_bytes(header)
    os.truncate(path, len(header) + n_bytes)  # sparse: all zeros, which take no space

    n_decoded = []
    read = AudioFile.read

    def counted(self, n_samples):
        samples = read(self, n_samples)
        n_decoded.append(samples.shape[1])
        return samples

    monkeypatch.setattr(AudioFile, "read", counted)
    extractor = SpectrogramExtractor(duration=5.0, align=align, sampling_rate=rate)
    with pytest.warns(AudioWarning, match="silent"):
        extractor.transform([path])
    assert sum(n_decoded) <= 5 * 44_100 + 50_000  # of 300 million


def test_the_extractor_clones_pickles_and_needs_no_fit(files):
    extractor = SpectrogramExtractor(0.05, hop_duration=0.02, n_mels=40, clip_below=-45)
    expected = extractor.transform(files)
    for other in (clone(extractor), pickle.loads(pickle.dumps(extractor)), extractor.fit(files)):
        np.testing.assert_array_equal(other.transform(files), expected)
    learned = {"sampling_rate_": RATE, "n_bands_": 40, "channel_": "mean"}
    assert vars(extractor) == extractor.get_params() | learned
    tags = get_tags(extractor)
    assert not tags.requires_fit
    assert tags.input_tags.string
    assert tags.input_tags.one_d_array
    assert not tags.input_tags.two_d_array


@pytest.mark.parametrize("kind", [list, lambda x: np.array(list(map(str, x))), pd.Series])
def test_grid_search_over_extractor_parameters_accepts_paths(files, kind):
    flatten = FunctionTransformer(lambda X: np.nanmean(X, axis=1))
    pipeline = make_pipeline(SpectrogramExtractor(n_mels=8), flatten, LogisticRegression())
    search = GridSearchCV(
        pipeline, {"spectrogramextractor__clip_below": [-45, -60]}, cv=3, error_score="raise"
    )
    search.fit(kind(files), [0, 1, 0, 1, 0, 1])
    assert search.predict(files[:2]).shape == (2,)


def test_set_output_works_for_a_pipeline_with_an_extractor(files):
    flatten = FunctionTransformer(lambda X: pd.DataFrame(np.nanmean(X, axis=1)))
    pipeline = make_pipeline(SpectrogramExtractor(n_mels=8), flatten, StandardScaler())
    assert pipeline.set_output(transform="pandas").fit_transform(files).shape == (6, 8)
    assert SpectrogramExtractor(n_mels=3).get_feature_names_out().tolist() == [
        "mel0",
        "mel1",
        "mel2",
    ]
    bins = SpectrogramExtractor(n_mels=None, sampling_rate=RATE)
    assert len(bins.get_feature_names_out()) == bins.transform(files).shape[-1]
    with pytest.raises(ValueError, match=r"Set sampling_rate= to get feature names"):
        SpectrogramExtractor(n_mels=None).get_feature_names_out()


def test_transform_changes_no_global_state(files):
    before = np.random.get_state()[1].copy(), warnings.filters[:], np.geterr()
    SpectrogramExtractor(n_mels=320, n_jobs=2).transform(files)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert (warnings.filters[:], np.geterr()) == before[1:]


# --- what fit has seen holds


def write(path, rate, duration=0.5, frequency=1000):
    soundfile.write(path, tone(frequency, round(duration * rate), rate), rate)
    return path


@given(rates=st.permutations([8000, 11_025, 16_000, 22_050, 44_100, 96_000, 192_000]))
@settings(deadline=None, max_examples=10)
def test_clips_of_another_rate_than_in_fit_are_refused_or_resampled(tmp_path_factory, rates):
    folder = tmp_path_factory.mktemp("clips")
    fitted, other = (write(folder / f"{rate}.wav", rate) for rate in rates[:2])
    extractor = SpectrogramExtractor(n_mels=None).fit([fitted])
    expected = extractor.transform([fitted])
    assert extractor.sampling_rate_ == rates[0]
    assert extractor.n_bands_ == expected.shape[-1]
    for X in ([other], [fitted, other]):
        with pytest.raises(
            AudioError,
            match=rf"{rates[1]}.wav: has a sampling rate of {rates[1]} Hz, but the extractor was "
            rf"fitted to clips of {rates[0]} Hz. Set sampling_rate={rates[0]} to resample",
        ) as caught:
            extractor.transform(X)
        assert caught.value.kind == "settings"
    extractor.set_params(sampling_rate=rates[0])  # what the message says
    resampled = extractor.transform([fitted, other])
    np.testing.assert_array_equal(resampled[:1], expected)
    assert abs(np.nanmean(resampled[1], axis=0).argmax() - 1000 * 0.08) <= 1


def test_a_pipeline_a_fusion_a_pickle_and_a_saved_model_know_their_rate(tmp_path):
    known = [write(tmp_path / f"{i}.wav", 44_100, frequency=500 * (i + 1)) for i in range(6)]
    other = write(tmp_path / "other.wav", 16_000)
    extractor = SpectrogramExtractor(n_mels=8)
    for head in (
        make_pipeline(extractor, BandStatistics()),
        FeatureFusion(
            [
                ("a", make_pipeline(extractor, BandStatistics())),
                ("b", make_pipeline(extractor, BandStatistics())),
            ]
        ),
    ):
        pipeline = make_pipeline(head, StandardScaler(), LogisticRegression())
        pipeline.fit(known, [0, 1] * 3)
        skaudeep.save(pipeline, tmp_path / "model.skaudeep")
        for model in (
            pipeline,
            pickle.loads(pickle.dumps(pipeline)),
            skaudeep.load(tmp_path / "model.skaudeep"),
        ):
            assert model.predict(known).shape == (6,)
            with pytest.raises(AudioError, match=r"other.wav: .* 16000 Hz, but .* 44100 Hz"):
                model.predict([other])
    with pytest.raises(AudioError, match=r"other.wav: .* 16000 Hz, but .* 44100 Hz"):
        cross_val_score(pipeline, [*known, other], [0, 1] * 3 + [0], cv=2, error_score="raise")


def test_without_fit_a_call_knows_its_own_rate_only(tmp_path):
    clips = [write(tmp_path / f"{rate}.wav", rate) for rate in (8000, 16_000)]
    extractor = SpectrogramExtractor(n_mels=8)
    for clip in clips:
        assert extractor.transform([clip]).shape == (1, 11, 8)


@pytest.mark.parametrize("method", ["fit", "transform", "fit_transform"])
@pytest.mark.parametrize("on_error", ["raise", "nan"])
def test_mixed_rates_are_refused_by_headers_before_anything_is_decoded(
    files, tmp_path, monkeypatch, method, on_error
):
    decoded = []
    monkeypatch.setattr(skaudeep.audio.chain, "read_audio", decoded.append)
    odd = write(tmp_path / "odd.wav", 8000)
    pieces = pd.MultiIndex.from_tuples([(str(file), 0, 0.5) for file in [*files, odd]])
    pieces.names = ["file", "start", "end"]
    for X in ([*files, "missing.wav", odd], pieces):
        extractor = SpectrogramExtractor(n_mels=8, on_error=on_error)
        with pytest.raises(AudioError, match=r"odd.wav.*: has .* 8000 Hz, but .*0.wav.* 16000 Hz"):
            getattr(extractor, method)(X)
    assert not decoded


def test_a_file_that_is_written_anew_has_its_new_rate(tmp_path):
    extractor = SpectrogramExtractor(n_mels=8)
    for rate in (8000, 16_000):
        assert extractor.fit([write(tmp_path / "a.wav", rate)]).sampling_rate_ == rate


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sampling_rate": 8000}, "The sampling_rate is 8000, but was 16000 in fit"),
        ({"channel": "left"}, "The channel is 'left', but was 'mean' in fit"),
        ({"n_mels": 9}, "The number of bands is 9, but was 8 in fit"),
        ({"n_mels": None}, "The number of bands is 641, but was 8 in fit"),
    ],
)
def test_parameters_that_depart_from_fit_are_refused(files, changed, message):
    extractor = SpectrogramExtractor(n_mels=8).fit(files).set_params(**changed)
    with pytest.raises(ValueError, match=message):
        extractor.transform(files)
    assert extractor.fit(files).transform(files).shape[0] == 6


def test_fit_needs_one_header_and_the_rate_of_waveforms(files):
    extractor = SpectrogramExtractor(n_mels=8, on_error="nan")
    assert extractor.fit(["missing.wav", *files]).sampling_rate_ == RATE
    with pytest.raises(AudioError, match=r"all 2 clips: failed; the first, a\.wav: no such file"):
        extractor.fit(["a.wav", "b.wav"])
    with pytest.raises(ValueError, match="sampling_rate=None, expected the rate in Hz"):
        extractor.fit([noise()])


def test_after_fit_bins_have_names_and_sound_its_rate(files):
    extractor = SpectrogramExtractor(n_mels=None).fit(files)
    X = extractor.transform(files[:1])
    assert len(extractor.get_feature_names_out()) == X.shape[-1] == 641
    assert extractor.to_audio(X, random_state=0)[0].shape == (RATE,)


# --- bad input


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"window_duration": 0}, r"'window_duration' .* must be a float in the range \(0.0, inf"),
        ({"window_duration": None}, "'window_duration' .* Got None"),
        ({"window_duration": "1 s"}, "'window_duration' .* Got '1 s'"),
        ({"hop_duration": -0.04}, "'hop_duration' .* or None. Got -0.04"),
        ({"n_mels": 40.0}, r"'n_mels' .* an int in the range \[1, inf\) or None. Got 40.0"),
        ({"n_mels": 2000}, "n_mels=2000 bands, but a window of 0.08 s at 16000 Hz has only 641"),
        ({"duration": np.inf}, "'duration' .* Got inf"),
        ({"align": "end"}, "'align' .* a str among .*'start'.* Got 'end'"),
        ({"channel": None}, "'channel' .* Got None"),
        ({"channel": "both"}, "'channel' .* a str among .* or an int .* Got 'both'"),
        ({"channel": -1}, "'channel' .* Got -1"),
        ({"pre_emphasis": 1.1}, r"'pre_emphasis' .* in the range \[0.0, 1.0\]. Got 1.1"),
        ({"clip_below": 60}, r"'clip_below' .* in the range \[-200.0, 0.0\) or None. Got 60"),
        ({"clip_below": 0}, "'clip_below' .* Got 0"),
        ({"clip_above": -200}, r"'clip_above' .* in the range \(-200.0, 0.0\] .* Got -200"),
        ({"clip_above": np.nan}, "'clip_above' .* Got nan"),
        ({"clip_above": -130}, r"clip_above=-130 leaves nothing .*None \(-120 dB"),
        (
            {"clip_below": -30, "clip_above": -45},
            "clip_above=-45 leaves nothing above clip_below=-30",
        ),
        ({"chunk_duration": 0}, "'chunk_duration' .* Got 0"),
        ({"n_chunks": 0, "chunk_duration": 1}, "'n_chunks' .* Got 0"),
        ({"n_chunks": 3}, "n_chunks=3 without a chunk_duration"),
        (
            {"chunk_duration": 0.05},
            r"chunk_duration=0.05 is shorter than a window or a hop \(0.08 s",
        ),
        ({"chunk_duration": 0.1, "hop_duration": 0.3}, r"chunk_duration=0.1 is shorter .* \(0.3 s"),
        ({"sampling_rate": 0.5}, r"'sampling_rate' .* in the range \[1.0, 10000000.0\] .* 0.5"),
        ({"reference": "peak"}, "'reference' .* Got 'peak'"),
        ({"fmin": -1}, "'fmin' .* Got -1"),
        ({"fmax": 0}, "'fmax' .* Got 0"),
        ({"fmin": 500, "fmax": 500}, "fmax=500 leaves no frequency above fmin=500"),
        ({"fmin": 9000}, "fmin=9000 Hz, but clips of 16000 Hz hold .* 8000 Hz. Lower fmin"),
        ({"fmax": 9000.0}, "fmax=9000.0 Hz, but clips of 16000 Hz hold .* 8000 Hz. Lower fmax"),
        ({"fmax": 900}, "n_mels=128 bands, .* only 73 FFT bins from fmin=0.0 to fmax=900 Hz"),
        ({"fmin": 101, "fmax": 102}, "No FFT bin lies between fmin=101 and fmax=102 Hz"),
        ({"adapt": 2}, "'adapt' .* Got 2"),
        ({"n_jobs": "all"}, "'n_jobs' .* Got 'all'"),
        ({"on_error": "ignore"}, "'on_error' .* a str among .* Got 'ignore'"),
    ],
)
def test_extractor_names_invalid_parameters_and_expected_values(parameters, message):
    extractor = SpectrogramExtractor(**{"sampling_rate": RATE, **parameters})
    with pytest.raises(ValueError, match=message):
        extractor.fit([noise()]).transform([noise()])


def test_fit_refuses_labels_of_another_length_without_decoding():
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[2, 3\]"):
        SpectrogramExtractor().fit(["missing.wav"] * 2, [0, 1, 0])


@pytest.mark.parametrize("method", ["fit", "transform"])
def test_transform_refuses_empty_input(method):
    with pytest.raises(ValueError, match="X is empty"):
        getattr(SpectrogramExtractor(), method)([])


def test_transform_names_files_of_different_sampling_rates(files, tmp_path):
    odd = tmp_path / "odd.wav"
    soundfile.write(odd, noise(), 8000)
    for on_error in ("raise", "nan"):
        with pytest.raises(
            AudioError, match=r"odd.wav: .* 8000 Hz, but .*0.wav has 16000 Hz. Set sampling_rate="
        ):
            SpectrogramExtractor(n_mels=8, on_error=on_error).transform([*files, odd])
    mixed = SpectrogramExtractor(n_mels=8, sampling_rate=8000).transform([*files, odd])
    assert mixed.shape[0] == 7


@pytest.mark.parametrize(
    ("clip", "parameters", "message"),
    [
        (noise(100), {}, "clip 1: lasts 0.00625 s, less than one window of 0.08 s. Pad it with"),
        (noise(), {"channel": "difference"}, "clip 1: channel='difference' asks for channel 1"),
        (np.r_[noise(), np.nan], {}, "clip 1: holds 1 samples that are NaN"),
        ("missing.wav", {}, "missing.wav: no such file"),
        (None, {}, "clip 1: is neither a path nor a waveform"),
    ],
)
def test_transform_names_an_unreadable_clip_or_returns_a_row_of_nan(clip, parameters, message):
    X = [np.stack([noise(seed=1), noise(seed=2)]), clip, np.stack([noise(seed=3), noise(seed=4)])]
    extractor = SpectrogramExtractor(n_mels=8, sampling_rate=RATE, **parameters)
    with pytest.raises(AudioError, match=message):
        extractor.transform(X)
    with pytest.warns(AudioWarning, match=message) as caught:
        result = extractor.set_params(on_error="nan").transform(X)
    assert len(caught) == 1
    assert str(caught[0].message).startswith("1 of 3 clips could not be read; their rows are NaN")
    assert np.isnan(result[1]).all()
    np.testing.assert_array_equal(result[[0, 2]], extractor.transform([X[0], X[2]]))


def test_transform_raises_if_all_clips_fail():
    extractor = SpectrogramExtractor(on_error="nan")
    with pytest.raises(AudioError, match=r"all 2 clips: failed; the first, a\.wav: no such file"):
        extractor.transform(["a.wav", "b.wav"])


def test_extract_views_warns_once_about_a_clip_that_fails_for_every_extractor():
    extractors = [
        SpectrogramExtractor(n_mels=8, sampling_rate=RATE, clip_below=db, on_error="nan")
        for db in (-30, -60)
    ]
    with pytest.warns(AudioWarning) as caught:
        extract_views(extractors, [noise(), "missing.wav", np.zeros(RATE)])
    assert all(str(warning.message).startswith("1 of 3 clips") for warning in caught)
    assert [str(warning.message).split("\n")[1][:11] for warning in caught] == [
        "missing.wav",
        "clip 2",
    ]
    with pytest.warns(AudioWarning) as caught:
        extractors[0].transform([noise(), "missing.wav"])
    assert caught[0].filename == __file__


def test_the_warning_about_unreadable_clips_names_the_first_twenty():
    X = [noise()] + ["missing.wav"] * 30
    extractor = SpectrogramExtractor(n_mels=8, sampling_rate=RATE, on_error="nan")
    with pytest.warns(AudioWarning, match=r"30 of 31 clips (.|\n)*and 10 more$"):
        extractor.transform(X)


@pytest.mark.parametrize("value", [0.0, 0.3])
@pytest.mark.parametrize("pre_emphasis", [0.0, 0.95])
def test_transform_of_a_silent_or_constant_clip_is_minus_one_with_a_warning(value, pre_emphasis):
    X = [noise(), np.full(RATE, value)]
    extractor = SpectrogramExtractor(n_mels=8, pre_emphasis=pre_emphasis, sampling_rate=RATE)
    with pytest.warns(AudioWarning, match=r"1 of 2 clips are silent(.|\n)*clip 1"):
        result = extractor.transform(X)
    np.testing.assert_array_equal(result[1], -1)


def test_transform_of_a_silent_chunk_is_minus_one():
    extractor = SpectrogramExtractor(n_mels=8, chunk_duration=0.5, sampling_rate=RATE)
    (chunks,) = extractor.transform([np.concatenate([noise(), np.zeros(RATE)])])
    np.testing.assert_array_equal(chunks[3, :12], -1)
    assert chunks[0].max() == 1


# --- auDeep's own output


@needs_reference
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mel128-clip60-center5s.nc", {"clip_below": -60, "duration": 5.0, "align": "center"}),
        (
            "mel40-clip45-start3s.nc",
            {"n_mels": 40, "clip_below": -45, "clip_above": -5, "duration": 3.0},
        ),
    ],
)
def test_transform_equals_audeep(name, parameters):
    """All values but those of one band in one frame, which the first sample of a clip shifts.

    auDeep leaves that sample as it is; here the sample before it is taken to equal it. So the mean
    that is taken from the first frame differs, which the window spreads into the lowest band.
    """
    with xarray.open_dataset(SHARED / "audeep-reference" / name) as reference:
        names, expected = reference["filename"].values, reference["features"].values
    paths = {path.name: path for path in (SHARED / "esc-10").glob("*/*.ogg")}
    extractor = SpectrogramExtractor(0.08, hop_duration=0.04, pre_emphasis=0.95, **parameters)
    difference = np.abs(extractor.transform([paths[n] for n in names]) - expected)
    # The figures of docs/coming-from-audeep.md.
    assert difference.mean() < 3.5e-7
    assert np.quantile(difference, 0.99) < 5e-7
    lowest_of_first_frame = difference[:, 0, 0].copy()
    assert 0.01 < lowest_of_first_frame.max() < 0.055
    difference[:, 0, 0] = 0
    assert difference.max() < 7e-6


@needs_reference
def test_the_first_sample_is_what_differs_from_audeeps(monkeypatch):
    def pre_emphasize_as_audeep(samples, coefficient):
        return np.concatenate([samples[:1], samples[1:] - np.float32(coefficient) * samples[:-1]])

    monkeypatch.setattr(skaudeep.audio.chain, "pre_emphasize", pre_emphasize_as_audeep)
    with xarray.open_dataset(SHARED / "audeep-reference" / "mel40-clip45-start3s.nc") as reference:
        names, expected = reference["filename"].values, reference["features"].values
    paths = {path.name: path for path in (SHARED / "esc-10").glob("*/*.ogg")}
    extractor = SpectrogramExtractor(
        n_mels=40, clip_below=-45, clip_above=-5, duration=3.0, pre_emphasis=0.95
    )
    assert np.abs(extractor.transform([paths[n] for n in names]) - expected).max() < 2e-6


@needs_reference
def test_transform_of_chunks_equals_audeep():
    with xarray.open_dataset(SHARED / "audeep-reference" / "chunks-mel40-2x1s.nc") as reference:
        names = reference["filename"].values.reshape(-1, 2)[:, 0]
        expected = reference["features"].values.reshape(-1, 2, 25, 40)
    # auDeep gives 0 for a chunk that lies below the threshold throughout, and skaudeep -1.
    silent = (expected == 0).all(axis=(2, 3))
    paths = {path.name: path for path in (SHARED / "esc-10").glob("*/*.ogg")}
    extractor = SpectrogramExtractor(
        n_mels=40, duration=3.0, clip_below=-60, pre_emphasis=0.95, chunk_duration=1.0, n_chunks=2
    )
    with pytest.warns(AudioWarning, match="silent"):
        ours = extractor.transform([paths[n] for n in names])
    np.testing.assert_array_equal(ours[silent], -1)
    difference = np.abs(ours - expected)
    difference[silent] = 0
    assert difference[~silent].mean() < 3.5e-7
    assert np.quantile(difference[~silent], 0.99) < 5e-7
    difference[:, 0, 0, 0] = 0  # what the first sample of a clip shifts
    assert difference.max() < 7e-6


# --- the way back


@pytest.mark.parametrize(("n_mels", "norm"), [(128, None), (128, "slaney"), (None, None)])
@pytest.mark.parametrize("frequency", [440, 3000])
def test_to_audio_keeps_the_frequency_of_a_tone(frequency, n_mels, norm):
    extractor = SpectrogramExtractor(
        n_mels=n_mels, mel_norm=norm, clip_below=-60, sampling_rate=RATE
    )
    (audio,) = extractor.to_audio(extractor.transform([tone(frequency)]), random_state=0)
    assert audio.shape == (RATE,)
    assert audio.dtype == np.float32
    assert np.abs(audio).max() == 1
    spectrum = np.abs(np.fft.rfft(audio[RATE // 4 : 3 * RATE // 4]))  # 2 Hz a bin
    # Within a mel band frequencies are one; FFT bins are 12.5 Hz.
    assert 2 * spectrum.argmax() == pytest.approx(frequency, abs=13 if n_mels is None else 60)


@pytest.mark.parametrize(
    "parameters",
    [
        {"window_duration": 0.04, "n_mels": 64, "clip_below": -60},
        {"hop_duration": 0.02, "clip_below": -45, "clip_above": -5, "pre_emphasis": 0.95},
        {"n_mels": None, "clip_below": -60, "chunk_duration": 0.5},
    ],
)
def test_to_audio_gives_a_waveform_with_the_same_spectrogram(parameters):
    sounds = make_sounds(10, n_classes=10, n_sessions=1, duration=(0.8, 1.0), random_state=0)
    extractor = SpectrogramExtractor(**parameters, sampling_rate=RATE)
    X = extractor.transform(sounds.data)
    again = extractor.transform(extractor.to_audio(X, random_state=0))
    np.testing.assert_array_equal(np.isnan(again), np.isnan(X))
    for one, other in zip(X, again, strict=True):
        there = ~np.isnan(one)
        assert np.corrcoef(one[there], other[there])[0, 1] > 0.95


def test_to_audio_returns_zeros_for_silence_and_no_samples_for_padding():
    X = np.full((3, 10, 40), -1, np.float32)
    X[0] = np.random.default_rng(0).uniform(-1, 1, (10, 40))
    X[0, 6:] = np.nan
    X[2] = np.nan
    extractor = SpectrogramExtractor(n_mels=40)
    audio = extractor.to_audio(X, sampling_rate=RATE, random_state=0)
    assert [len(samples) for samples in audio] == [5 * 640 + 1280, 9 * 640 + 1280, 0]
    assert np.abs(audio[0]).max() == 1
    assert not audio[1].any()
    alone = extractor.to_audio([X[0, :6]], sampling_rate=RATE, random_state=0)
    np.testing.assert_array_equal(alone[0], audio[0])


@pytest.mark.parametrize(
    ("X", "parameters", "message"),
    [
        (np.zeros((1, 5, 39)), {}, r"Clip 0 of X has shape \(5, 39\), expected \(n_frames, 40\)"),
        (np.zeros((5, 40)), {}, r"Clip 0 of X has shape \(40,\)"),
        (np.full((1, 5, 40), np.inf), {}, "Clip 0 of X holds infinity, or NaN"),
        ([np.zeros((5, 40)), [[np.nan] * 40, [0] * 40]], {}, "Clip 1 of X holds infinity, or NaN"),
        (np.zeros((1, 5, 40)), {"sampling_rate": None}, "sampling_rate=None, here and in the"),
        (np.zeros((1, 5, 40)), {"hop_duration": 0.08}, "hop_duration=0.08 leaves no overlap"),
    ],
)
def test_to_audio_refuses_invalid_spectrograms(X, parameters, message):
    extractor = SpectrogramExtractor(n_mels=40, sampling_rate=RATE).set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        extractor.to_audio(X)


# --- durations and cut files


@pytest.mark.parametrize("align", ["start", "center"])
@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3"])
def test_a_duration_decodes_no_more_than_it_needs(tmp_path, monkeypatch, name, align):
    path = tmp_path / name
    soundfile.write(path, noise(RATE * 60), RATE)
    whole = skaudeep.audio.read_audio(path)[0][0]
    decoded = []
    read = AudioFile.read
    monkeypatch.setattr(
        AudioFile, "read", lambda self, n: decoded.append(read(self, n)) or decoded[-1]
    )
    extractor = SpectrogramExtractor(n_mels=40, duration=2, align=align, sampling_rate=RATE)
    got = extractor.transform([path])
    n_decoded = sum(block.shape[1] for block in decoded)
    assert n_decoded <= (RATE * 33 if name == "a.mp3" and align == "center" else RATE * 7)
    np.testing.assert_array_equal(got, extractor.transform([whole]))


def test_a_cut_file_is_read_as_far_as_it_goes_on_request(tmp_path):
    paths = [tmp_path / "whole.wav", tmp_path / "cut.wav", tmp_path / "text.wav"]
    for path in paths[:2]:
        soundfile.write(path, noise(), RATE)
    paths[1].write_bytes(paths[1].read_bytes()[:-9998])
    paths[2].write_text("no audio")
    extractor = SpectrogramExtractor(n_mels=20, on_error="read")
    with pytest.warns(AudioWarning) as caught:
        got = extractor.transform(paths)
    messages = [str(warning.message) for warning in caught]
    assert any("cut.wav: is cut short" in message for message in messages)
    assert any("1 of 3 clips could not be read; their rows are NaN" in m for m in messages)
    n_frames = np.isfinite(got[:, :, 0]).sum(axis=1)
    assert n_frames.tolist() == [24, 16, 0]
    samples = soundfile.read(paths[0])[0][: RATE - 9998 // 2]
    alone = SpectrogramExtractor(n_mels=20, sampling_rate=RATE).transform([samples])[0]
    np.testing.assert_array_equal(got[1, : len(alone)], alone)
    with pytest.raises(AudioError, match=r'on_error="read"'):
        SpectrogramExtractor(n_mels=20).transform(paths[:2])


def test_whales_are_extracted_at_their_rates():
    """Recordings at 100 and 250 Hz are real, and so is ultrasound at 1 MHz."""
    for rate in (100, 250, 1_000_000):
        window = 64 / rate
        tone_ = tone(rate / 8, 4000, rate)
        extractor = SpectrogramExtractor(window, n_mels=None, sampling_rate=rate)
        assert (extractor.transform([tone_])[0].argmax(axis=1) == 8).all()


def test_a_search_that_extracts_again_and_again_is_told_to_extract_once(tmp_path, monkeypatch):
    paths = []
    for i in range(3):
        paths.append(tmp_path / f"{i}.wav")
        soundfile.write(paths[-1], np.random.default_rng(i).normal(size=4000) / 10, 16000)
    extractor = SpectrogramExtractor(n_mels=12)
    monkeypatch.setattr(_views, "_extracted", {})
    for _ in range(5):
        extractor.fit_transform(paths)  # takes no time: no warning, which would be an error
    monkeypatch.setattr(_views, "REPETITION_SECONDS", 0.0)
    monkeypatch.setattr(_views, "_extracted", {})
    for _ in range(3):
        extractor.fit_transform(paths)
        extractor.fit_transform(paths[:2])
        SpectrogramExtractor(n_mels=13).fit_transform(paths)
    with pytest.warns(
        UserWarning, match=r"3 clips, .*0\.wav first, .* 4 times .*\.extract_to_netcdf"
    ):
        extractor.fit_transform(paths)


def test_the_warning_of_repeated_extraction_shows_names_escaped(tmp_path, monkeypatch):
    path = tmp_path / "a\x1b[31m.wav"
    soundfile.write(path, np.random.default_rng(0).normal(size=4000) / 10, 16000)
    monkeypatch.setattr(_views, "REPETITIONS", 1)
    monkeypatch.setattr(_views, "REPETITION_SECONDS", 0.0)
    with pytest.warns(UserWarning, match=r"a\\x1b\[31m\.wav' first") as caught:
        SpectrogramExtractor(n_mels=12).fit_transform([path])
    assert "\x1b" not in str(caught[0].message)
