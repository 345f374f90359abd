"""BandStatistics against values computed by hand, with padding, chunks and bad clips."""

import pickle
import warnings

import numpy as np
import pytest

from skaudeep import BandStatistics, CourseStatistics, FrameDescriptors
from skaudeep._base import PickleVersionWarning


def test_band_statistics_recover_mean_deviation_and_change():
    ramp = np.arange(5.0)[:, None] * [1, -2]
    found = BandStatistics().fit_transform(ramp[None])
    np.testing.assert_allclose(found, [[2, -4, 2**0.5, 2 * 2**0.5, 1, 2]], rtol=1e-6)
    assert found.dtype == np.float32


def test_extended_band_statistics_add_ten_to_the_three():
    x = np.array([0.0, 1, 2, 3, 4, 10])
    deviation, variance = x - x.mean(), x.var() + 1e-4
    added = [
        *(10, 0, 1.25, 2.5, 3.75),
        *(np.dot(deviation[k:], deviation[:-k]) / 6 / variance for k in (1, 2, 4)),
        0,  # the lag of 8 frames is longer than the clip
        np.mean(deviation**3) / variance**1.5,
    ]
    extended = BandStatistics(extended=True).fit(x[None, :, None])
    expected = [*BandStatistics().transform(x[None, :, None])[0], *added]
    np.testing.assert_allclose(extended.transform(x[None, :, None]), [expected], rtol=1e-6)
    names = extended.get_feature_names_out().tolist()
    assert len(names) == 13
    assert names[3:5] + names[-2:] == ["max_0", "min_0", "autocorrelation_8_0", "skewness_0"]
    padded = np.append(x, [np.nan, np.nan])[None, :, None]
    np.testing.assert_array_equal(extended.transform(padded), extended.transform(x[None, :, None]))
    assert np.isnan(extended.transform(np.full((1, 4, 1), np.nan))).all()
    assert np.isfinite(extended.transform([[[3.0]]])).all()


def test_band_statistics_ignore_padding_and_keep_chunks():
    rng = np.random.default_rng(0)
    clip = rng.normal(size=(6, 3))
    padded = np.vstack([clip, np.full((4, 3), np.nan)])
    alone = BandStatistics().transform([clip])
    np.testing.assert_array_equal(BandStatistics().transform([padded, clip]), [alone[0]] * 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chunks = BandStatistics().transform(np.stack([padded, np.full((10, 3), np.nan)])[None])
    np.testing.assert_array_equal(chunks[0, 0], alone[0])
    assert chunks.shape == (1, 2, 9)
    assert np.isnan(chunks[0, 1]).all()


@pytest.mark.parametrize("transformer", [BandStatistics(), CourseStatistics()])
def test_statistics_of_clips_with_fewer_chunks_than_others_end_in_nan(transformer):
    clips = [np.random.default_rng(n).uniform(-1, 1, (n, 20, 3)) for n in (2, 3)]
    found = transformer.fit_transform(clips)
    assert found.shape[:2] == (2, 3)
    for row, clip in zip(found, clips, strict=True):
        np.testing.assert_array_equal(row[: len(clip)], transformer.transform(clip))
        assert np.isnan(row[len(clip) :]).all()
    with pytest.raises(ValueError, match="Row 1 of X is in chunks and row 0 is not"):
        transformer.transform([clips[0][0], clips[1]])


@pytest.mark.parametrize("transformer", [BandStatistics(), CourseStatistics(), FrameDescriptors()])
def test_statistics_of_no_clip_and_of_numbers_say_what_they_expect(transformer):
    for method in (transformer.fit, transformer.fit_transform, transformer.transform):
        with pytest.raises(ValueError, match="Got X without clips"):
            method([])
    with pytest.raises(ValueError, match=r"Clip 0 has shape \(\), expected.*n_frames, n_bands"):
        transformer.fit([1.0, 2.0])
    with pytest.raises(ValueError, match=r"Clip 0 has shape \(0, 5, 2\), expected"):
        transformer.transform([np.zeros((0, 5, 2))])


def test_band_statistics_of_one_frame_have_no_change():
    np.testing.assert_array_equal(BandStatistics().transform([[[3.0, 4.0]]]), [[3, 4, 0, 0, 0, 0]])


def test_band_statistics_name_their_features_by_band():
    bands = BandStatistics().set_output(transform="pandas").fit(np.zeros((2, 3, 2)))
    expected = ["mean_0", "mean_1", "std_0", "std_1", "change_0", "change_1"]
    assert list(bands.get_feature_names_out()) == expected
    assert list(bands.transform(np.zeros((2, 3, 2))).columns) == expected


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([np.zeros((2, 2)), [[0, 1], [np.nan, 0], [1, 1]]], "Clip 1 has NaN before its last"),
        (np.zeros((2, 3)), r"Clip 0 has shape \(3,\)"),
        ([np.zeros((2, 2)), np.zeros((0, 2))], r"Clip 1 has shape \(0, 2\), expected at least one"),
    ],
)
def test_band_statistics_name_the_bad_clip(X, message):
    with pytest.raises(ValueError, match=message):
        BandStatistics().transform(X)


def test_band_statistics_refuse_another_number_of_bands_than_in_fit():
    statistics = BandStatistics().fit(np.zeros((2, 3, 2)))
    with pytest.raises(ValueError, match="Clip 1 has 4 bands, but BandStatistics was fitted on 2"):
        statistics.transform([np.zeros((3, 2)), np.zeros((3, 4))])


def test_band_statistics_pickled_by_another_version_warn(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("skaudeep._base.__version__", "9.8")
        data = pickle.dumps(BandStatistics())
    with pytest.warns(PickleVersionWarning, match=r"BandStatistics pickled by skaudeep 9\.8"):
        pickle.loads(data)
