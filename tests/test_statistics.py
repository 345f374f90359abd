"""BandStatistics against values computed by hand, with padding, chunks and bad clips."""

import pickle
import warnings

import numpy as np
import pytest

from skaudeep import BandStatistics
from skaudeep._base import PickleVersionWarning


def test_band_statistics_recover_mean_deviation_and_change():
    ramp = np.arange(5.0)[:, None] * [1, -2]
    found = BandStatistics().fit_transform(ramp[None])
    np.testing.assert_allclose(found, [[2, -4, 2**0.5, 2 * 2**0.5, 1, 2]], rtol=1e-6)
    assert found.dtype == np.float32


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
