"""Descriptors of frames and statistics of their course, against values known beforehand."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skaudeep import CourseStatistics, FrameDescriptors, SpectrogramExtractor, load, save
from skaudeep.descriptors import COURSE, DESCRIPTORS

N_BANDS = 16
NOISE = np.random.default_rng(0).uniform(-1, 1, (3, 30, N_BANDS)).astype(np.float32)


def described(frames):
    """Give the descriptors of frames in their own units, by name."""
    values = FrameDescriptors().transform(np.asarray(frames, dtype=np.float32)[None])[0]
    return {
        name: centre + scale * values[:, i].astype(float)
        for i, (name, (centre, scale)) in enumerate(DESCRIPTORS.items())
    }


def course_of(*values):
    """Give the statistics of one course, by name."""
    (found,) = CourseStatistics().transform([np.array(values)[:, None]]).tolist()
    return dict(zip(COURSE, found, strict=True))


def test_a_flat_frame_has_the_entropy_of_all_bands_and_neither_slope_nor_crest():
    found = described(np.ones((1, N_BANDS)))
    expected = {
        "level": 0,
        "loudness": 0,
        "centroid": (N_BANDS - 1) / 2 / N_BANDS,
        "entropy": np.log(N_BANDS),
        "rolloff_50": 0.5,
        "slope": 0,
        "flatness": 0,
        "crest": 0,
        "quarter_3": 0,
        "roughness": 0,
        "flux": 0,
        "cepstrum_1": 0,
    }
    for name, value in expected.items():
        centre, scale = DESCRIPTORS[name]
        clipped = np.clip(value, centre - scale, centre + scale)
        assert found[name][0] == pytest.approx(clipped, abs=0.07 if "roll" in name else 1e-5), name


def test_a_frame_with_one_loud_band_has_its_centroid_there():
    frame = np.full((1, N_BANDS), -1.0)
    frame[0, 4] = 1
    found = described(frame)
    assert found["centroid"][0] == pytest.approx(4 / N_BANDS, abs=1e-4)
    assert found["spread"][0] == pytest.approx(0, abs=2e-3)  # the other bands have -60 dB
    assert found["entropy"][0] == pytest.approx(0, abs=1e-3)
    assert found["rolloff_25"][0] == pytest.approx(4 / N_BANDS)
    assert found["crest"][0] == pytest.approx(10 * np.log10(N_BANDS), abs=1e-3)


def test_a_step_in_level_shows_as_flux_and_as_onset_only_where_it_rises():
    frames = np.repeat([-0.9, -0.7, -0.9], N_BANDS).reshape(3, N_BANDS)  # 6 dB up, 6 dB down
    found = described(frames)
    np.testing.assert_allclose(found["flux"], [0, 6, 6], atol=1e-5)
    np.testing.assert_allclose(found["onset"], [0, 6, 0], atol=1e-5)


def test_a_level_that_falls_along_the_bands_gives_its_slope_in_decibels():
    found = described(np.linspace(1, 0, N_BANDS)[None])  # 30 dB from the first to the last
    assert found["slope"][0] == pytest.approx(-30 * N_BANDS / (N_BANDS - 1), rel=1e-5)
    assert found["roughness"][0] == pytest.approx(30 / (N_BANDS - 1), rel=1e-5)
    assert found["cepstrum_1"][0] > 5


def test_descriptors_lie_between_minus_one_and_one_and_a_step_gives_their_mean():
    frames = FrameDescriptors().fit_transform(NOISE)
    steps = FrameDescriptors(step=4).fit_transform(NOISE)
    assert frames.shape == (3, 30, len(DESCRIPTORS))
    assert np.abs(frames).max() <= 1
    assert frames.dtype == np.float32
    assert steps.shape == (3, 7, len(DESCRIPTORS))
    np.testing.assert_allclose(steps[:, 1], frames[:, 4:8].mean(axis=1), atol=1e-6)
    few = FrameDescriptors(step=99).fit_transform(NOISE)
    np.testing.assert_allclose(few[:, 0], frames.mean(axis=1), atol=1e-6)


def test_statistics_of_a_ramp_are_those_of_a_ramp():
    found = course_of(0.0, 0.25, 0.5, 0.75, 1.0)
    expected = {
        "mean": 0.5,
        "std": 0.125**0.5,
        "skewness": 0,
        "percentile_1": 0,
        "percentile_25": 0.25,
        "percentile_99": 1,
        "interquartile_range": 0.5,
        "percentile_range": 1,
        "slope": 0.5,
        "curvature": 0,
        "slope_error": 0,
        "time_above_50": 0.4,
        "maximum_position": 0.8,
        "minimum_position": 0,
        "centroid": 0.5,
        "change_mean": 0.25,
        "rising_time": 1,
        "autocorrelation_91": 0,
        "peak_rate": 0,
        "peak_mean": 0.5,
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-5), name


def test_a_rhythm_shows_in_the_autocorrelation_at_its_period_and_in_the_peaks():
    found = course_of(*np.sin(2 * np.pi * np.arange(160) / 16))
    assert found["autocorrelation_16"] == pytest.approx(0.9, abs=0.02)
    assert found["autocorrelation_8"] == pytest.approx(-0.95, abs=0.02)
    assert found["peak_rate"] == found["high_peak_rate"] == pytest.approx(10 / 160)
    assert found["peak_mean"] == pytest.approx(1)


@pytest.mark.parametrize("values", [[0.3], [0.3, 0.3], [0.3] * 40])
def test_a_constant_course_has_no_change_and_nothing_undefined(values):
    found = course_of(*values)
    assert np.isfinite([*found.values()]).all()
    assert found["mean"] == pytest.approx(0.3)
    for name in ("std", "slope", "change_std", "peak_rate", "autocorrelation_1"):
        assert found[name] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("reader", [FrameDescriptors(step=2), CourseStatistics()])
def test_padding_changes_nothing_and_chunks_are_read_alone(reader):
    alone = reader.transform(NOISE[:1, :20])[0]
    padded = NOISE[:2].copy()
    padded[0, 20:] = np.nan
    found = reader.transform(padded)[0]
    np.testing.assert_array_equal(found[: len(alone)], alone)
    assert np.isnan(found[len(alone) :]).all()
    empty = np.full_like(padded[:1], np.nan)
    chunks = reader.transform(np.stack([padded, np.concatenate([padded[:1], empty])]))
    assert chunks.shape[:2] == (2, 2)
    np.testing.assert_array_equal(chunks[1, 0], found)
    assert np.isnan(chunks[1, 1]).all()
    for row, of_list in zip(NOISE, reader.transform([*NOISE]), strict=True):
        np.testing.assert_array_equal(reader.transform([row])[0], of_list)


def test_statistics_of_rhythm_are_the_last_of_all():
    x = NOISE[:2]
    every, rhythm = CourseStatistics(), CourseStatistics("rhythm")
    n = 15 * x.shape[-1]
    np.testing.assert_array_equal(rhythm.fit_transform(x), every.fit_transform(x)[:, -n:])
    assert rhythm.get_feature_names_out().tolist() == every.get_feature_names_out()[-n:].tolist()
    with pytest.raises(ValueError, match="'statistics' parameter of CourseStatistics"):
        CourseStatistics("tempo").fit(x)


def test_features_are_named_by_statistic_and_descriptor():
    names = FrameDescriptors().get_feature_names_out()
    assert names[[0, 22]].tolist() == ["level", "cepstrum_1"]
    course = CourseStatistics().fit(NOISE)
    of_course = course.get_feature_names_out()
    assert course.transform(NOISE).shape == (3, len(of_course)) == (3, 45 * N_BANDS)
    assert of_course[[0, -1]].tolist() == ["mean_0", f"high_peak_rate_{N_BANDS - 1}"]


@pytest.mark.parametrize("reader", [FrameDescriptors(), CourseStatistics()])
@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([NOISE[0], np.full((2, 3), np.inf)], "Clip 1 has 3 bands, but .* was fitted on 16"),
        ([NOISE[0], np.full((2, N_BANDS), np.inf)], "Clip 1 holds infinity"),
        (NOISE[0], r"Clip 0 has shape \(16,\), expected at least one frame"),
        ([NOISE[0], np.diag([np.nan] * N_BANDS) + NOISE[0, :1]], "Clip 1 has NaN before"),
        (
            [np.vstack([NOISE[0], np.full((1, N_BANDS), np.nan), NOISE[0]])],
            "Clip 0 has NaN before its last frame",
        ),
    ],
)
def test_the_bad_clip_is_named(reader, X, message):
    with pytest.raises(ValueError, match=message):
        reader.fit(NOISE).transform(X)


def test_levels_in_decibels_are_refused():
    with pytest.raises(ValueError, match=r"Clip 1 has values from -60 to 0, expected .*\[-1, 1\]"):
        FrameDescriptors().transform([NOISE[0], np.linspace(-60, 0, 2 * N_BANDS).reshape(2, -1)])


@pytest.mark.parametrize("step", [0, 1.5, "2"])
def test_a_step_that_is_no_count_is_refused(step):
    with pytest.raises(ValueError, match="step"):
        FrameDescriptors(step=step).fit(NOISE)


@pytest.mark.parametrize("n_bands", [1, 2, 3])
def test_few_bands_and_frames_have_finite_statistics(n_bands):
    frames = np.random.default_rng(1).uniform(-1, 1, (2, 3, n_bands))
    pipeline = make_pipeline(FrameDescriptors(), CourseStatistics())
    assert np.isfinite(pipeline.fit_transform(frames)).all()


def test_a_saved_pipeline_of_both_gives_the_same(tmp_path):
    clips = np.random.default_rng(0).normal(size=(2, 4000))
    extractor = SpectrogramExtractor(n_mels=8, sampling_rate=8000, clip_below=-60)
    pipeline = make_pipeline(extractor, FrameDescriptors(step=2), CourseStatistics()).fit(clips)
    save(pipeline, tmp_path / "course.skaudeep")
    loaded = load(tmp_path / "course.skaudeep")
    np.testing.assert_array_equal(loaded.transform(clips), pipeline.transform(clips))
    assert loaded[1].step == 2
