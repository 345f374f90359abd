"""A ranking, sorted once, has the scores of clips that are repeated as often as they count."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from skaudeep.evaluation.ranking import Ranking
from skaudeep.evaluation.resampling import average_precisions, roc_areas

RNG = np.random.default_rng(0)
WEIGHTS = RNG.multinomial(30, np.full(30, 1 / 30), size=7).astype(float)


@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_scores_are_those_of_clips_repeated_by_their_weights(decimals):
    has = RNG.random((30, 2)) < 0.4
    scores = np.round(has + RNG.normal(size=has.shape), decimals)
    ranking = Ranking(has[:, 0], scores[:, 0], 30)
    both = Ranking(has.ravel(), scores.ravel(), 30)  # two classes in one ranking
    repeated = [np.repeat(np.arange(30), row.astype(int)) for row in WEIGHTS]
    expected = [average_precision_score(has[r, 0], scores[r, 0]) for r in repeated]
    np.testing.assert_allclose(ranking.average_precisions(WEIGHTS), expected, rtol=1e-12)
    expected = [roc_auc_score(has[r, 0], scores[r, 0]) for r in repeated]
    np.testing.assert_allclose(ranking.roc_areas(WEIGHTS), expected, rtol=1e-12)
    expected = [average_precision_score(has[r].ravel(), scores[r].ravel()) for r in repeated]
    np.testing.assert_allclose(both.average_precisions(WEIGHTS), expected, rtol=1e-12)


@pytest.mark.parametrize("value", [False, True])
def test_a_class_that_none_or_all_have_has_no_area(value):
    ranking = Ranking(np.full(30, value), RNG.normal(size=30), 30)
    assert np.isnan(ranking.roc_areas(WEIGHTS)).all()
    assert np.isnan(ranking.average_precisions(WEIGHTS)).all() == (not value)


@pytest.mark.parametrize("score", [average_precisions, roc_areas])
@pytest.mark.parametrize("weights", [np.ones((1, 30)), WEIGHTS[:5]])
def test_ranks_are_counted_to_the_scores_of_what_is_sorted(score, weights):
    has = RNG.random(30) < 0.4
    ranks = RNG.integers(2, 40, size=(5, 30)) / 2
    found = score(has, ranks, weights)
    np.testing.assert_allclose(found, score(has, ranks + 1 / 3, weights), rtol=1e-12)
