"""The numbers of the sections, against known answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from skaudeep.datasets import make_bunch
from skaudeep.evaluation import Evaluation
from skaudeep.reporting import contents as contents_module
from skaudeep.reporting.contents import (
    N_SIMILAR,
    Naming,
    confusion,
    curve,
    embed,
    first_screen,
    most_similar,
    most_unusual,
    most_wrong,
    usable_features,
)
from skaudeep.reporting.corpus import understand
from skaudeep.similarity import similar_clips


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
    clips, typical = most_unusual(features)
    assert clips[0].row == 7
    assert 0 < typical < clips[-1].distance < clips[0].distance <= 2
    assert most_unusual(features[:1])[0] == []
    assert len(most_unusual(features[:2])[0]) == 2


def test_clips_like_another_are_those_of_similar_clips():
    features = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    names = [f"{row}.wav" for row in range(30)]
    found = most_similar(features, [3, 17])
    for row in (3, 17):
        expected = similar_clips(make_bunch(features, names), names[row], n=N_SIMILAR)
        assert [names[clip.row] for clip in found[row]] == expected["file"].tolist()
        similarity = [clip.similarity for clip in found[row]]
        np.testing.assert_allclose(similarity, expected["similarity"], atol=1e-6)
    assert [clip.row for clip in most_similar(features[:2], [0])[0]] == [1]
    assert most_similar(features[:1], [0]) == {0: []}
    assert most_similar(features, []) == {}


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


def test_the_score_is_said_in_plain_words_and_its_terms_are_explained(evaluation):
    data = np.random.default_rng(0).uniform(-0.5, 0.5, (6, 200))
    bunch = make_bunch(data, list("abcdef"), target=evaluation.target, target_names=["o", "c", "g"])
    bunch.sampling_rate = 8000
    corpus = understand(bunch, None, 0)
    first = first_screen(corpus, replace(evaluation, controls={"mel": evaluation}), "T")
    assert first.plain == (
        "Of 100 clips of each class, about 50 are named right; by guessing it would be about 50."
    )
    uar, control = first.meaning
    assert uar.startswith("UAR (unweighted average recall) is the share of clips")
    assert "95 % interval over 4 clips" in uar
    assert control.startswith("A control is a simpler method")
    assert first_screen(corpus, evaluation, "T").meaning == [uar]
    right = replace(evaluation, fold_predictions=[[evaluation.target[:4]]])
    assert first_screen(corpus, right, "T").plain.startswith("All 4 tested clips are named right")
