"""DistanceScorer: distances that are known, and clips without features."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestNeighbors

from skaudeep import DistanceScorer


@pytest.mark.parametrize(("n_clips", "n_features"), [(60, 5), (20, 50)])
def test_mahalanobis_distance_is_that_of_scikit_learns_covariance(n_clips, n_features):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_clips, n_features)) @ rng.normal(size=(n_features, n_features)) + 3
    new = rng.normal(size=(7, n_features)) * 4
    expected = LedoitWolf().fit(X).mahalanobis(new)
    found = DistanceScorer("mahalanobis").fit(X).score_samples(new)
    np.testing.assert_allclose(found**2, expected, rtol=1e-6)


def test_both_is_the_product_with_the_distance_to_the_nearest_clip():
    rng = np.random.default_rng(0)
    X, new = rng.normal(size=(40, 3)), rng.normal(size=(9, 3))
    near = NearestNeighbors(n_neighbors=1).fit(X).kneighbors(new)[0][:, 0]
    np.testing.assert_allclose(
        -DistanceScorer("nearest").fit(X).score_samples(new), near, rtol=1e-5
    )
    far = -DistanceScorer("mahalanobis").fit(X).score_samples(new)
    both = DistanceScorer().fit(X).score_samples(new)
    np.testing.assert_allclose(np.exp(-both), near * far, rtol=1e-5)


def test_a_clip_without_features_changes_nothing_and_has_no_score():
    X = np.random.default_rng(0).normal(size=(30, 3))
    gap = np.vstack([X, np.full((1, 3), np.nan)])
    scores = DistanceScorer().fit(gap).score_samples(gap)
    assert np.isnan(scores[-1])
    np.testing.assert_allclose(scores[:-1], DistanceScorer().fit(X).score_samples(X))
    assert np.isnan(DistanceScorer().fit(X).score_samples(gap[-1:])).all()
    gap[3, 1] = np.nan
    with pytest.raises(ValueError, match="Got NaN in 1 of 3 features of clip 3"):
        DistanceScorer().fit(gap)


def test_clips_that_are_all_the_same_have_no_unit_of_distance():
    with pytest.raises(ValueError, match="Got 5 clips with the same features"):
        DistanceScorer().fit(np.ones((5, 3)))
