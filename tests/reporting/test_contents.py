"""The numbers of the sections, against known answers."""

from __future__ import annotations

import numpy as np
import pytest

from skaudeep.evaluation import Evaluation
from skaudeep.reporting import contents as contents_module
from skaudeep.reporting.contents import (
    Naming,
    confusion,
    curve,
    embed,
    most_unusual,
    most_wrong,
    usable_features,
)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    """Make one of six clips; the third class is never tested, and two clips are wrong."""
    probabilities = np.array([[0.9, 0.1, 0], [0.4, 0.6, 0], [0.3, 0.7, 0], [0.8, 0.2, 0]])
    return Evaluation(
        target=np.array([0, 0, 1, 1, 2, -1]),
        target_names=["owl", "crow", "gull"],
        test=[np.array([0, 1, 2, 3])],
        fold_predictions=[[probabilities.argmax(axis=1)]],
        fold_probabilities=[[probabilities]],
        protocol="inductive",
        seeds=[0],
    )


def test_the_matrix_shows_tested_classes_and_names_its_worst_pairs(evaluation):
    found = confusion(evaluation)
    assert found.names == ["owl", "crow"]
    assert found.counts.tolist() == [[1, 1], [1, 1]]
    assert found.recalls.tolist() == [0.5, 0.5]
    assert found.most_frequent() == [("owl", "crow", 1, 2), ("crow", "owl", 1, 2)]


def test_the_surest_error_comes_first(evaluation):
    found = [(clip.row, clip.truth, clip.predicted) for clip in most_wrong(evaluation)]
    assert found == [(3, "crow", "owl"), (1, "owl", "crow")]
    assert [clip.probability for clip in most_wrong(evaluation)] == [0.8, 0.6]


def test_an_evaluation_without_parts_has_no_curve(evaluation):
    assert curve(evaluation) is None


def test_a_clip_apart_is_the_most_unusual():
    features = 0.1 * np.random.default_rng(0).normal(size=(40, 8))
    features[:, 0] += np.where(np.arange(40) % 2, 1, -1)  # two heaps, and one clip elsewhere
    features[7] = [0, 1, 0, 0, 0, 0, 0, 0]
    assert most_unusual(features)[0].row == 7
    assert most_unusual(features[:1]) == []
    assert len(most_unusual(features[:2])) == 2


def test_features_of_chunks_are_averaged_and_those_that_are_none_left_out():
    chunks = np.array([[[1.0, 2], [3, 4]], [[5, 6], [np.nan, np.nan]]])
    assert usable_features(chunks).tolist() == [[2, 3], [5, 6]]
    assert usable_features(np.array([[1, np.nan]])) is None
    assert usable_features(np.array(["a.wav"])) is None


@pytest.mark.parametrize("n_clips", [1, 2, 3, 5])
def test_few_clips_have_places_within_the_frame(n_clips):
    features = np.random.default_rng(0).normal(size=(n_clips, 4)).astype(np.float32)
    places = embed(features, None, np.random.RandomState(0)).places
    assert places.shape == (n_clips, 2)
    assert places.min() >= 0
    assert places.max() <= 1


def test_a_sample_of_very_many_clips_holds_those_to_be_named_first(monkeypatch):
    monkeypatch.setattr(contents_module, "MAX_POINTS", 10)
    features = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    rows = embed(features, Naming([29, 3], {}), np.random.RandomState(0)).rows
    assert len(set(rows.tolist())) == 10
    assert {3, 29} <= set(rows.tolist())
