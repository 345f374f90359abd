"""Places of clips in a plane."""

import sys
import warnings

import numpy as np
import pytest

from skaudeep.plotting import project


def two_kinds(n_each=12, n_features=60):
    """Return features of two kinds of clips, one after the other, far from one another."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 3, (2, 1, n_features))
    return (centres + rng.normal(0, 1, (2, n_each, n_features))).reshape(-1, n_features)


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_nearest_neighbours_in_the_plane_are_of_the_same_kind(method):
    places = project(two_kinds(), method=method, random_state=0)
    assert places.dtype == np.float32
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(distances.argmin(axis=1) // 12, np.repeat([0, 1], 12))


def test_an_int_as_random_state_gives_the_same_places_each_time():
    first, second = (project(two_kinds(), random_state=3) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("method", ["tsne", "pca"])
@pytest.mark.parametrize("n_features", [1, 60])
@pytest.mark.parametrize("n_clips", [1, 2, 3, 4, 5])
def test_few_clips_have_places(n_clips, n_features, method):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        places = project(two_kinds(3)[:n_clips, :n_features], method=method, random_state=0)
    assert places.shape == (n_clips, 2)
    assert np.isfinite(places).all()


def test_constant_features_change_no_place():
    X = two_kinds()
    constant = np.full((len(X), 3), [0.0, 7.0, 1e6])
    np.testing.assert_allclose(
        project(np.hstack([X, constant]), method="pca"), project(X, method="pca"), atol=1e-5
    )


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_clips_that_are_all_alike_share_one_place(method):
    np.testing.assert_array_equal(project(np.full((6, 4), 0.1), method=method), np.zeros((6, 2)))


def test_features_with_gaps_are_refused_by_their_number():
    X = two_kinds()
    X[[4, 9], 3] = np.nan, np.inf
    with pytest.raises(ValueError, match="features in 2 of 24 rows, the first of them row 4"):
        project(X)


@pytest.mark.parametrize("shape", [(3,), (0, 4), (4, 0), (2, 3, 4)])
def test_features_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"of shape \(.*expected \(n_clips, n_features\)"):
        project(np.zeros(shape))


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method='mds'; choose 'tsne', 'pca', 'umap'"):
        project(two_kinds(), method="mds")


def test_umap_that_is_missing_is_asked_for_before_features_are_read(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match=r"method='umap' needs umap-learn.*pip install"):
        project(None, method="umap")
