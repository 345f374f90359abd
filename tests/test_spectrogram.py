"""The extractor with known answers: tones, levels, chunks, faults, and auDeep's own output."""

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
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import get_tags

import skaudeep.audio.chain
from skaudeep.audio.errors import AudioError, AudioWarning
from skaudeep.audio.files import AudioFile
from skaudeep.audio.spectra import mel_filters
from skaudeep.datasets import make_sounds
from skaudeep.spectrogram import SpectrogramExtractor, extract_views

RATE = 16_000
SHARED = Path(__file__).parents[2] / "shared"
needs_reference = pytest.mark.skipif(
    not (SHARED / "audeep-reference").is_dir() or not (SHARED / "esc-10").is_dir(),
    reason="auDeep's output and the ESC-10 clips are not beside this checkout",
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
def test_a_tone_lands_in_its_mel_band_also_resampled(tmp_path, frequency):
    peaks = (mel_filters(RATE, 1280, 40).argmax(axis=1)) * RATE / 1280
    band = np.abs(peaks - frequency).argmin()
    soundfile.write(tmp_path / "a.wav", tone(frequency, 44_100, 44_100), 44_100)
    extractor = SpectrogramExtractor(n_mels=40, sampling_rate=RATE)
    for X in ([tone(frequency)], [tmp_path / "a.wav"]):
        (spectrogram,) = extractor.transform(X)
        assert spectrogram.shape == (24, 40)
        np.testing.assert_array_equal(spectrogram[2:-2].argmax(axis=1), band)


def test_without_mel_bands_each_fft_bin_is_a_band():
    (spectrogram,) = SpectrogramExtractor(n_mels=None, sampling_rate=RATE).transform([tone(1000)])
    assert spectrogram.shape == (24, 641)
    np.testing.assert_array_equal(spectrogram.argmax(axis=1), 1000 * 0.08)


def test_a_clip_one_hop_later_is_the_spectrogram_one_frame_later():
    samples = noise(RATE)
    early, late = (
        SpectrogramExtractor(n_mels=40, clip_below=-60, sampling_rate=RATE).transform([x])[0]
        for x in (samples, np.concatenate([np.zeros(640), samples]))
    )
    np.testing.assert_allclose(late[2:], early[1:], atol=1e-4)


def test_thresholds_are_in_decibels_below_the_clips_maximum():
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
def test_the_level_of_a_clip_does_not_matter(scale):
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
def test_frames_are_counted_and_shorter_clips_end_in_nan(n_samples, window, hop):
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


def test_each_chunk_is_scaled_by_itself_and_missing_ones_are_nan():
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


# --- the extractor: what comes in


def test_every_kind_of_input_gives_the_same(files):
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


def test_a_piece_of_a_file_is_that_slice(files):
    index = pd.MultiIndex.from_tuples(
        [(str(files[0]), pd.Timedelta("0.25s"), pd.Timedelta("0.75s"))],
        names=["file", "start", "end"],
    )
    samples = soundfile.read(files[0])[0][RATE // 4 : RATE * 3 // 4]
    np.testing.assert_array_equal(
        SpectrogramExtractor(n_mels=40).transform(index),
        SpectrogramExtractor(n_mels=40, sampling_rate=RATE).transform([samples]),
    )


def test_mono_and_stereo_mix_as_their_mean():
    left, right = noise(seed=1), noise(seed=2)
    extractor = SpectrogramExtractor(n_mels=40, sampling_rate=RATE)
    both = extractor.transform([np.stack([left, right]), (left + right) / 2])
    np.testing.assert_allclose(both[0], both[1], atol=1e-4)


def test_rows_keep_their_order_whatever_n_jobs_is(files):
    X = files * 5
    expected = SpectrogramExtractor(n_mels=40).transform(X)
    np.testing.assert_array_equal(expected[:6], expected[6:12])
    assert not np.array_equal(expected[0, :24], expected[1, :24])
    for n_jobs in (2, 3):
        result = SpectrogramExtractor(n_mels=40, n_jobs=n_jobs).transform(X)
        np.testing.assert_array_equal(result, expected)


def test_an_outer_joblib_configuration_is_respected(files):
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


def test_views_equal_single_extractions_and_decode_each_clip_once(files, monkeypatch):
    extractors = [
        SpectrogramExtractor(n_mels=40, clip_below=-30),
        SpectrogramExtractor(n_mels=40, clip_below=-60),
        SpectrogramExtractor(n_mels=20),
        SpectrogramExtractor(n_mels=20, mel_norm="slaney"),
        SpectrogramExtractor(0.04, pre_emphasis=0.95, chunk_duration=0.5),
    ]
    expected = [extractor.transform(files) for extractor in extractors]
    calls = []

    def count(name):
        counted = getattr(skaudeep.audio.chain, name)

        def counting(*args, **kwargs):
            calls.append(name)
            return counted(*args, **kwargs)

        monkeypatch.setattr(skaudeep.audio.chain, name, counting)

    count("read_audio")
    count("power_spectrogram")
    for view, single in zip(extract_views(extractors, files), expected, strict=True):
        np.testing.assert_array_equal(view, single)
    assert calls.count("read_audio") == 6
    assert calls.count("power_spectrogram") == 24  # the first two extractors share theirs


def test_a_clip_may_fail_in_one_view_only():
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


def test_the_extractor_clones_pickles_and_needs_no_fit(files):
    extractor = SpectrogramExtractor(0.05, hop_duration=0.02, n_mels=40, clip_below=-45)
    expected = extractor.transform(files)
    for other in (clone(extractor), pickle.loads(pickle.dumps(extractor)), extractor.fit(files)):
        np.testing.assert_array_equal(other.transform(files), expected)
    assert vars(extractor) == extractor.get_params()  # fit leaves nothing behind
    tags = get_tags(extractor)
    assert not tags.requires_fit
    assert tags.input_tags.string
    assert tags.input_tags.one_d_array
    assert not tags.input_tags.two_d_array


@pytest.mark.parametrize("kind", [list, lambda x: np.array(list(map(str, x))), pd.Series])
def test_a_grid_search_over_paths_runs(files, kind):
    flatten = FunctionTransformer(lambda X: np.nanmean(X, axis=1))
    pipeline = make_pipeline(SpectrogramExtractor(n_mels=8), flatten, LogisticRegression())
    search = GridSearchCV(
        pipeline, {"spectrogramextractor__clip_below": [-45, -60]}, cv=3, error_score="raise"
    )
    search.fit(kind(files), [0, 1, 0, 1, 0, 1])
    assert search.predict(files[:2]).shape == (2,)


def test_a_pipelines_output_can_still_be_set(files):
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


def test_nothing_global_changes(files):
    before = np.random.get_state()[1].copy(), warnings.filters[:], np.geterr()
    SpectrogramExtractor(n_mels=320, n_jobs=2).transform(files)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert (warnings.filters[:], np.geterr()) == before[1:]


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
        ({"n_jobs": "all"}, "'n_jobs' .* Got 'all'"),
        ({"on_error": "ignore"}, "'on_error' .* a str among .* Got 'ignore'"),
    ],
)
def test_wrong_parameters_are_named_with_what_was_expected(parameters, message):
    extractor = SpectrogramExtractor(**{"sampling_rate": RATE, **parameters})
    with pytest.raises(ValueError, match=message):
        extractor.fit([noise()]).transform([noise()])


def test_labels_of_another_length_are_noticed_before_anything_is_decoded():
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[2, 3\]"):
        SpectrogramExtractor().fit(["missing.wav"] * 2, [0, 1, 0])


@pytest.mark.parametrize("method", ["fit", "transform"])
def test_empty_input_is_an_error(method):
    with pytest.raises(ValueError, match="X is empty"):
        getattr(SpectrogramExtractor(), method)([])


def test_files_of_different_rates_are_named(files, tmp_path):
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
def test_a_bad_clip_is_named_or_its_row_is_nan(clip, parameters, message):
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


def test_when_all_clips_fail_there_is_no_array_to_give():
    extractor = SpectrogramExtractor(on_error="nan")
    with pytest.raises(AudioError, match=r"all 2 clips: failed; the first, a\.wav: no such file"):
        extractor.transform(["a.wav", "b.wav"])


def test_a_clip_that_fails_in_every_view_is_one_warning_where_the_views_were_asked_for():
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


def test_a_warning_names_the_first_of_many():
    X = [noise()] + ["missing.wav"] * 30
    extractor = SpectrogramExtractor(n_mels=8, sampling_rate=RATE, on_error="nan")
    with pytest.warns(AudioWarning, match=r"30 of 31 clips (.|\n)*and 10 more$"):
        extractor.transform(X)


@pytest.mark.parametrize("value", [0.0, 0.3])
@pytest.mark.parametrize("pre_emphasis", [0.0, 0.95])
def test_silence_and_a_mere_offset_give_minus_one_and_a_warning(value, pre_emphasis):
    X = [noise(), np.full(RATE, value)]
    extractor = SpectrogramExtractor(n_mels=8, pre_emphasis=pre_emphasis, sampling_rate=RATE)
    with pytest.warns(AudioWarning, match=r"1 of 2 clips are silent(.|\n)*clip 1"):
        result = extractor.transform(X)
    np.testing.assert_array_equal(result[1], -1)


def test_a_silent_chunk_is_minus_one():
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
def test_spectrograms_equal_audeeps(name, parameters):
    """The wanted bounds are 0.02 and 0.995; these are what float32 costs."""
    with xarray.open_dataset(SHARED / "audeep-reference" / name) as reference:
        names, expected = reference["filename"].values, reference["features"].values
    paths = {path.name: path for path in (SHARED / "esc-10").glob("*/*.ogg")}
    extractor = SpectrogramExtractor(0.08, hop_duration=0.04, pre_emphasis=0.95, **parameters)
    for ours, theirs in zip(extractor.transform([paths[n] for n in names]), expected, strict=True):
        assert np.abs(ours - theirs).mean() < 1e-4
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99999


@needs_reference
def test_chunks_equal_audeeps():
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
    assert np.abs(ours - expected)[~silent].mean(axis=(1, 2)).max() < 1e-4


# --- the way back


@pytest.mark.parametrize(("n_mels", "norm"), [(128, None), (128, "slaney"), (None, None)])
@pytest.mark.parametrize("frequency", [440, 3000])
def test_a_tones_frequency_survives(frequency, n_mels, norm):
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
def test_what_is_heard_has_the_spectrogram_it_was_made_of(parameters):
    sounds = make_sounds(10, n_classes=10, n_sessions=1, duration=(0.8, 1.0), random_state=0)
    extractor = SpectrogramExtractor(**parameters, sampling_rate=RATE)
    X = extractor.transform(sounds.data)
    again = extractor.transform(extractor.to_audio(X, random_state=0))
    np.testing.assert_array_equal(np.isnan(again), np.isnan(X))
    for one, other in zip(X, again, strict=True):
        there = ~np.isnan(one)
        assert np.corrcoef(one[there], other[there])[0, 1] > 0.95


def test_silence_stays_silent_and_nothing_stays_nothing():
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
def test_what_cannot_be_made_audible_is_refused(X, parameters, message):
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
