"""What every estimator owes scikit-learn: its own checks, and their mirror for clips.

scikit-learn's suite feeds plain matrices only. The second half asks the same of 3-D input, padded
or in chunks, of lists of clips, and of the waveforms and paths that an extractor takes.
"""

from __future__ import annotations

import pickle

import joblib
import netCDF4
import numpy as np
import pytest
import torch
import xarray
from scipy.io import wavfile
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skaudeep import (
    AnomalyDetector,
    DistanceScorer,
    DistilledFeatures,
    FeatureFusion,
    ModuleFeatures,
    ReservoirFeatures,
    Seq2SeqAutoencoder,
    SpectrogramExtractor,
)

SMALL = {"n_units": 4, "n_layers": 1, "max_epochs": 1, "batch_size": 4, "random_state": 0}
RATE = 8000  # Hz
N_BANDS = 3

ESTIMATORS = {
    "autoencoder": Seq2SeqAutoencoder(**SMALL),
    "reservoir": ReservoirFeatures(4, n_layers=1, random_state=0),
    "module": ModuleFeatures(torch.nn.Identity()),
    "fusion": FeatureFusion(
        [
            ("a", Seq2SeqAutoencoder(**SMALL)),
            ("b", Seq2SeqAutoencoder(**SMALL, cell="lstm", representation="code")),
        ]
    ),
}


def in_large_batches(estimator):
    """For the hundreds of rows of some checks."""
    sizes = {name: 64 for name in estimator.get_params() if name.endswith("batch_size")}
    return clone(estimator).set_params(**sizes)


DETECTOR = AnomalyDetector(
    Seq2SeqAutoencoder(**SMALL),
    false_alarm_rate=0.5,
    random_state=0,  # of few clips
)
STUDENT = DistilledFeatures(
    StandardScaler(),
    extractor="passthrough",
    n_units=4,
    max_epochs=1,
    validation_fraction=0,  # of few clips
    random_state=0,
)
CHECKED = [
    in_large_batches(estimator)
    for estimator in (*ESTIMATORS.values(), DETECTOR, DistanceScorer(), STUDENT)
]


@parametrize_with_checks(CHECKED, xfail_strict=True)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


# --- the mirror: sequences -----------------------------------------------------------------------


def frames(n_clips=6):
    return np.random.default_rng(0).uniform(-1, 1, size=(n_clips, 5, N_BANDS)).astype(np.float32)


def padded():
    X = frames()
    for row, length in enumerate([5, 2, 4, 1, 5, 3]):
        X[row, length:] = np.nan
    return X


def ragged():
    return [x[~np.isnan(x[:, 0])] for x in padded()]


def chunks():
    X = frames(12).reshape(6, 2, 5, N_BANDS).copy()
    X[3, 1:] = np.nan  # a clip of one chunk
    return X


FORMS = {"3-D": frames, "padded": padded, "ragged": ragged, "4-D": chunks}


def each(function, X):
    """Apply to X, or to every clip of a list."""
    return [function(x) for x in X] if isinstance(X, list) else function(X)


def take(X, rows):
    return [X[row] for row in rows] if isinstance(X, list) else X[rows]


@pytest.fixture(params=FORMS)
def X(request):
    return FORMS[request.param]()


@pytest.fixture(params=ESTIMATORS)
def estimator(request):
    return clone(ESTIMATORS[request.param])


def test_fit_returns_self_and_leaves_parameters_and_input_alone(estimator, X):
    before = joblib.hash((estimator.get_params(), X))
    assert estimator.fit(X) is estimator
    assert joblib.hash((estimator.get_params(), X)) == before
    added = set(vars(estimator)) - set(estimator.get_params(deep=False))
    assert added
    assert all(name.endswith("_") for name in added)
    assert estimator.n_features_in_ == N_BANDS
    estimator.transform(X)
    assert joblib.hash((estimator.get_params(), X)) == before


def test_nothing_is_remembered_from_an_earlier_fit(estimator, X):
    expected = estimator.fit(X).transform(X)
    estimator.fit(each(lambda x: x[..., :2] * 2, X))
    np.testing.assert_array_equal(estimator.fit(X).transform(X), expected)


def test_fit_transform_is_fit_then_transform(estimator, X):
    features = estimator.fit_transform(X)
    np.testing.assert_array_equal(features, clone(estimator).fit(X).transform(X))
    n_chunks = () if X[0].ndim == 2 else X.shape[1:2]
    assert features.shape == (6, *n_chunks, len(estimator.get_feature_names_out()))
    assert features.dtype == np.float32


def test_nothing_works_before_fit(estimator, X):
    for method in ("transform", "get_feature_names_out"):
        with pytest.raises(NotFittedError):
            getattr(estimator, method)(X)
    assert not hasattr(estimator, "n_features_in_")


def test_a_pickle_transforms_the_same(estimator, X):
    expected = estimator.fit(X).transform(X)
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(again.transform(X), expected)


def as_memmap(x, folder):
    path = folder / f"{len(list(folder.iterdir()))}.npy"
    np.save(path, x)
    return np.load(path, mmap_mode="r")


def as_netcdf(x, folder):
    file = netCDF4.Dataset(folder / f"{len(list(folder.iterdir()))}.nc", "w")
    axes = [f"axis{i}" for i in range(x.ndim)]
    for axis, size in zip(axes, x.shape, strict=True):
        file.createDimension(axis, size)
    variable = file.createVariable("x", "f4", axes, fill_value=np.nan)
    variable[:] = x
    return variable if x.ndim > 2 else variable[:]  # lists hold what was read


LAYOUTS = {
    "read-only memmap": as_memmap,
    "Fortran order": lambda x, folder: np.asfortranarray(x),
    "float64": lambda x, folder: np.float64(x),
    "big-endian": lambda x, folder: x.astype(">f4"),
    "strided": lambda x, folder: np.repeat(x, 2, axis=-1)[..., ::2],
    "tensor": lambda x, folder: torch.from_numpy(x).requires_grad_(),
    "xarray": lambda x, folder: xarray.DataArray(x),
    "netCDF": as_netcdf,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_features_do_not_depend_on_memory_layout_or_container(estimator, X, layout, tmp_path):
    expected = clone(estimator).fit(X).transform(X)
    stored = each(lambda x: LAYOUTS[layout](x, tmp_path), X)
    features = estimator.fit(stored).transform(stored)
    np.testing.assert_array_equal(features, expected)
    assert features.dtype == np.float32


def test_features_of_a_clip_do_not_depend_on_the_others(estimator, X):
    expected = estimator.fit(X).transform(X)
    for rows in ([0], [3], [4, 1], [5, 4, 3, 2, 1, 0]):
        features = estimator.transform(take(X, rows))
        np.testing.assert_allclose(features, expected[rows], atol=1e-6, rtol=0)


def test_one_clip_is_enough(estimator, X):
    X = take(X, [0])
    features = estimator.fit(X).transform(X)
    assert len(features) == 1
    assert np.isfinite(features).all()


def test_one_frame_is_enough(estimator, X):
    X = each(lambda x: x[..., :1, :], X)
    features = estimator.fit(X).transform(X)
    there = ~np.isnan(np.stack(X)).any(axis=(-2, -1))
    assert there.sum() in (6, 11)
    assert np.array_equal(np.isfinite(features).all(axis=-1), there)


def test_another_number_of_bands_is_refused(estimator, X):
    estimator.fit(X)
    for other in (each(lambda x: x[..., :2], X), each(lambda x: np.repeat(x, 2, axis=-1), X)):
        n_bands = np.shape(other[0])[-1]
        with pytest.raises(ValueError, match=rf"X has {n_bands} bands .* was fitted on {N_BANDS}"):
            estimator.transform(other)


@pytest.mark.parametrize(
    ("value", "name"), [(np.inf, "infinity"), (-np.inf, "infinity"), (np.nan, "NaN")]
)
def test_infinity_and_gaps_are_refused_with_their_place(estimator, X, value, name):
    fitted = clone(estimator).fit(X)
    X = each(np.copy, X)
    if X[2].ndim == 3:
        X[2][1, 1, 0], place = value, "row 2, chunk 1, frame 1"
    else:
        X[2][1, 0], place = value, "row 2, frame 1"
    for method in (estimator.fit, estimator.fit_transform, fitted.transform):
        with pytest.raises(ValueError, match=f"contains {name}.* in {place}"):
            method(X)


def test_no_clips_no_frames_and_no_bands_are_refused(estimator, X):
    fitted = clone(estimator).fit(X)
    shape = np.shape(X[0])
    for nothing in (
        np.empty((0, *shape)),
        np.empty((2, *shape[:-2], 0, N_BANDS)),
        np.empty((2, *shape[:-1], 0)),
    ):
        for X in (nothing, xarray.DataArray(nothing)):
            for method in (estimator.fit, fitted.transform):
                with pytest.raises(
                    ValueError, match=r"at least one row, one frame and one band|X has 0 bands"
                ):
                    method(X)


@pytest.mark.parametrize("form", ["3-D", "padded", "ragged"])
def test_set_output_gives_a_table_with_the_names_of_the_features(estimator, form):
    X = FORMS[form]()
    expected = clone(estimator).fit(X).transform(X)
    estimator.set_output(transform="pandas")
    for table in (estimator.fit_transform(X), estimator.transform(X)):
        assert table.columns.tolist() == estimator.get_feature_names_out().tolist()
        np.testing.assert_array_equal(table.to_numpy(), expected)


# --- the mirror: clips ---------------------------------------------------------------------------

EXTRACTOR = SpectrogramExtractor(n_mels=8, clip_below=-60, sampling_rate=RATE)


def waveforms():
    rng = np.random.default_rng(0)
    return [rng.normal(scale=0.1, size=n).astype(np.float32) for n in (2400, 4000, 3200, 1600)]


def stacked():
    X = np.full((4, 4000), np.nan, dtype=np.float32)
    for row, waveform in zip(X, waveforms(), strict=True):
        row[: len(waveform)] = waveform
    return X


@pytest.fixture(params=["waveforms", "array", "paths"])
def clips(request, tmp_path):
    if request.param == "array":
        return stacked()
    if request.param == "waveforms":
        return waveforms()
    paths = [tmp_path / f"{i}.wav" for i in range(4)]
    for path, waveform in zip(paths, waveforms(), strict=True):
        wavfile.write(path, RATE, waveform)
    return paths


def test_every_form_of_clips_gives_the_same_spectrograms(clips):
    np.testing.assert_array_equal(EXTRACTOR.transform(clips), EXTRACTOR.transform(waveforms()))


def test_the_extractor_fits_as_an_estimator_should(clips):
    extractor = clone(EXTRACTOR)
    parameters = EXTRACTOR.get_params()
    before = joblib.hash((parameters, clips))
    assert extractor.fit(clips) is extractor
    spectrograms = extractor.fit_transform(clips)
    assert joblib.hash((extractor.get_params(), clips)) == before
    added = set(vars(extractor)) - set(extractor.get_params())
    assert added == {"sampling_rate_", "n_bands_", "channel_"}
    assert clone(extractor).set_params(n_mels=4).get_params() == parameters | {"n_mels": 4}
    assert spectrograms.dtype == np.float32
    assert spectrograms.shape == (4, 11, len(extractor.get_feature_names_out()))
    again = pickle.loads(pickle.dumps(extractor))
    np.testing.assert_array_equal(again.transform(clips), spectrograms)
    extractor.set_output(transform="pandas")
    np.testing.assert_array_equal(extractor.transform(clips), spectrograms)


def test_the_extractor_needs_no_fit_and_says_so(clips):
    assert not get_tags(EXTRACTOR).requires_fit
    assert get_tags(EXTRACTOR).input_tags.string
    np.testing.assert_array_equal(
        clone(EXTRACTOR).transform(clips), clone(EXTRACTOR).fit_transform(clips)
    )


def test_a_clips_spectrogram_does_not_depend_on_the_others(clips):
    expected = EXTRACTOR.transform(clips)
    for rows in ([0], [3], [2, 1], [3, 2, 1, 0]):
        spectrograms = EXTRACTOR.transform(take(clips, rows))
        np.testing.assert_array_equal(spectrograms, expected[rows, : spectrograms.shape[1]])
        assert np.isnan(expected[rows, spectrograms.shape[1] :]).all()


@pytest.mark.parametrize("layout", ["read-only memmap", "Fortran order", "float64", "strided"])
def test_spectrograms_do_not_depend_on_the_memory_layout_of_waveforms(layout, tmp_path):
    spectrograms = EXTRACTOR.transform(LAYOUTS[layout](stacked(), tmp_path))
    np.testing.assert_array_equal(spectrograms, EXTRACTOR.transform(stacked()))
    assert spectrograms.dtype == np.float32


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_an_invalid_waveform_is_refused_with_its_row(value):
    X = stacked()
    X[2, 100] = value
    as_list = [x[~np.isnan(x) | (np.arange(4000) == 100)] for x in X]
    for clips in (X, as_list):
        with pytest.raises(ValueError, match=r"^clip 2: "):
            EXTRACTOR.transform(clips)


@pytest.mark.parametrize("nothing", [[], np.empty((0, 4000)), np.empty(0, dtype="U9")])
def test_no_clips_are_refused(nothing):
    for method in (EXTRACTOR.fit, EXTRACTOR.transform):
        with pytest.raises(ValueError, match="X is empty"):
            method(nothing)
