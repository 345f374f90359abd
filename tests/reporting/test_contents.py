"""The numbers of the sections, against known answers."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from skaudeep.datasets import make_bunch
from skaudeep.evaluation import Evaluation
from skaudeep.reporting import contents as contents_module
from skaudeep.reporting.contents import (
    N_SIMILAR,
    N_UNUSUAL,
    GroupResult,
    Naming,
    confusion,
    contents,
    curve,
    embed,
    gathered,
    most_similar,
    most_unusual,
    most_wrong,
    usable_features,
)
from skaudeep.reporting.corpus import understand
from skaudeep.reporting.opening import first_screen
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
    found = most_unusual(features)
    clips = found.clips
    assert clips[0].row == 7
    assert 0 < found.typical < clips[-1].distance < clips[0].distance <= 2
    assert most_unusual(features[:1]).clips == []
    assert len(most_unusual(features[:2]).clips) == 2


def test_a_clip_stands_out_beyond_the_fence_of_the_distances_and_else_none_does():
    # On a circle, at steps of 1 to 2 units: distances are spread evenly, and no clip stands out.
    steps = np.abs(np.linspace(-1, 1, 40)) + 1
    angle = 2 * np.pi * np.cumsum(steps) / steps.sum()
    circle = np.stack([np.cos(angle), np.sin(angle), np.zeros(40)], axis=1)
    even = most_unusual(circle)
    assert even.n_apart == 0
    assert len(even.clips) == N_UNUSUAL
    apart = most_unusual(np.vstack([circle, [0, 0, 1]]))
    assert apart.n_apart == 1
    assert apart.clips[0].row == 40
    assert apart.clips[0].distance > apart.fence > apart.clips[1].distance
    # The fence is Tukey's, of the distances of all clips.
    features = np.random.default_rng(0).normal(size=(N_UNUSUAL, 4))
    few = most_unusual(features)
    distances = [clip.distance for clip in few.clips]
    low, high = np.percentile(distances, [25, 75])
    assert few.fence == pytest.approx(high + 1.5 * (high - low))
    assert few.typical == pytest.approx(np.median(distances))


def test_errors_of_one_group_are_said_where_they_gather():
    def result(name, n_tested, n_right):
        return GroupResult(name, n_tested, n_tested, n_right)

    others = [result("b", 20, 19), result("c", 200, 199)]
    assert gathered([result("a", 20, 17), *others]).name == "a"  # 3 of 5
    assert gathered([result("a", 20, 18), *others]) is None  # 2 of 4
    assert gathered([result("a", 20, 17), result("b", 20, 17)]) is None  # 3 of 6, no more than half
    assert gathered([result("a", 220, 190), *others]) is None  # of half of the clips
    assert gathered([]) is None


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


def six_clips(target, **options):
    data = np.random.default_rng(0).uniform(-0.5, 0.5, (6, 200))
    bunch = make_bunch(data, list("abcdef"), target=target, target_names=["o", "c", "g"], **options)
    bunch.sampling_rate = 8000
    return understand(bunch, None, 0)


def test_the_score_is_said_in_plain_words_and_its_terms_stand_apart(evaluation):
    corpus = six_clips(evaluation.target)
    first = first_screen(corpus, replace(evaluation, controls={"mel": evaluation}), "T")
    low, high = evaluation.uar_interval
    of_100 = f"50 of 100 clips named rightly ({100 * low:.0f} to {100 * high:.0f})"
    assert [score.sentence for score in first.scores] == [
        f"This model: {of_100}",
        f"The simpler method “mel”: {of_100}",
    ]
    [meaning] = first.meaning
    assert "95 % confidence interval of the number, from 4 clips" in meaning
    figures = " ".join(first.figures)
    interval = f"50.0 % [{100 * low:.1f}, {100 * high:.1f}]"
    assert f"This model: UAR {interval}, accuracy 50.0 %" in figures
    assert f"Control “mel”: UAR {interval}, accuracy 50.0 %" in figures
    assert "Of all 4 tested clips together 2 are right (50.0 %)." in figures
    assert "means over" not in figures  # there is one fold
    assert "UAR, the unweighted average recall, is the share of clips" in figures
    assert "Inductive: nothing in the model has seen the clips" in figures
    assert figures.endswith("Recordings: 8000 Hz.")
    plain = [*first.meaning, *(found.text for found in (*first.warnings, *first.conclusions))]
    assert not re.search(r"UAR|[Cc]ontrol|p =|mel statistics|sign-flip", " ".join(plain))
    right = replace(evaluation, fold_predictions=[[evaluation.target[:4]]])
    [meaning] = first_screen(corpus, right, "T").meaning
    assert meaning.startswith("All 4 tested clips are named rightly. ")


def test_without_groups_the_first_message_is_the_warning_and_the_score_comes_after(evaluation):
    lines = first_screen(six_clips(evaluation.target), evaluation, "T").lines()
    assert lines[2].startswith("It is not known which clips are of the same patient")
    assert lines[3].startswith("Your files are called, for example, 'a'.")
    assert lines[5].startswith("This model: 50 of 100")
    known = replace(evaluation, groups=list("uvwxyz"))
    lines = first_screen(six_clips(evaluation.target, groups=list("uvwxyz")), known, "T").lines()
    assert lines[2].startswith("This model: 50 of 100")


def test_folds_have_their_scores(evaluation):
    predicted = evaluation.fold_predictions[0][0]
    halves = replace(
        evaluation,
        test=[np.array([0, 2]), np.array([1, 3])],
        fold_predictions=[[predicted[[0, 2]], predicted[[1, 3]]]],
        fold_probabilities=None,
    )
    first = first_screen(six_clips(evaluation.target), halves, "T")
    folds = first.folds
    assert [(fold.n_clips, fold.uar, fold.accuracy) for fold in folds] == [(2, 1, 1), (2, 0, 0)]
    # Of two clips an interval would say nothing.
    assert [fold.accuracy_text for fold in folds] == ["100.0", "0.0"]
    assert first.about_folds == "Each fold has too few clips for an interval: fewer than 5."
    assert first_screen(six_clips(evaluation.target), evaluation, "T").folds == []


def test_the_means_over_folds_and_the_clips_that_are_right_do_not_contradict_each_other():
    # 18 of 20 are right in the first fold, all 4 in the second: 95.0 % on average, 91.7 % of all.
    target = np.arange(24) % 2
    predicted = np.where(np.arange(24) < 2, 1 - target, target)
    names = [f"{row}.wav" for row in range(24)]
    groups = [f"g{row // 2}" if row < 20 else f"h{row}" for row in range(24)]
    found = Evaluation(
        target=target,
        target_names=["owl", "crow"],
        test=[np.arange(20), np.arange(20, 24)],
        fold_predictions=[[predicted[:20], predicted[20:]]],
        protocol="inductive",
        seeds=[0],
        groups=groups,
    )
    data = np.random.default_rng(0).uniform(-0.5, 0.5, (24, 200))
    bunch = make_bunch(data, names, target=target, target_names=["owl", "crow"], groups=groups)
    bunch.sampling_rate = 8000
    first = first_screen(understand(bunch, None, 0), found, "T")
    figures = " ".join(first.figures)
    assert first.scores[0].number == "95"
    assert "accuracy 95.0 %" in figures
    assert (
        "UAR and accuracy are means over the 2 folds; of all 24 tested clips together 22 are right "
        "(91.7 %)."
    ) in figures
    [meaning] = first.meaning
    assert "the number is the mean of 2 tests; of all 24 tested clips together 22 are" in meaning
    assert "from 14 groups (people, animals or recordings)." in meaning
    # Ten groups are enough for the interval of a fold, four are not.
    large, small = (fold.accuracy_text for fold in first.folds)
    assert large.startswith("90.0 [")
    assert small == "100.0"
    assert first.about_folds == (
        "A fold without an interval has too few groups for an interval: fewer than 5."
    )


def test_no_group_has_a_second_card_before_each_has_one():
    n, rng = 30, np.random.default_rng(0)
    target, groups = np.arange(n) % 2, [f"recording {row // 10}" for row in range(n)]
    surely = np.linspace(0.9, 0.6, n)  # the first recording is the most surely wrong
    probabilities = np.stack([np.where(target == 1, surely, 1 - surely)] * 2, axis=1)
    probabilities[:, 1] = 1 - probabilities[:, 0]
    found = Evaluation(
        target=target,
        target_names=["owl", "crow"],
        test=[np.arange(n)],
        fold_predictions=[[1 - target]],
        fold_probabilities=[[probabilities]],
        protocol="inductive",
        seeds=[0],
        groups=groups,
    )
    names = [f"{row}.wav" for row in range(n)]
    bunch = make_bunch(
        rng.uniform(-0.5, 0.5, (n, 200)),
        names,
        target=target,
        target_names=["owl", "crow"],
        groups=groups,
    )
    bunch.sampling_rate = 8000
    corpus = understand(bunch, None, 0)
    features = rng.normal(size=(n, 4)).astype(np.float32)
    features[:10] *= 5  # all unusual clips are of one recording
    made = contents(corpus, found, features, first_screen(corpus, found, "T"), 0)
    assert [clip.row for clip in made.wrong] == list(range(n))
    assert [clip.row for clip in made.cards] == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]
    unusual = made.unusual.clips
    assert {groups[clip.row] for clip in unusual} == set(groups)
    assert [clip.distance for clip in unusual] == sorted(
        (clip.distance for clip in unusual), reverse=True
    )
    assert len(unusual) == N_UNUSUAL
    assert sum(one.n_tested - one.n_right for one in made.groups) == n
    assert {one.name: one.n_clips for one in made.groups} == {
        group: groups.count(group) for group in set(groups)
    }
    for row, similar in made.similar.items():
        assert len(similar) == N_SIMILAR
        assert groups[row] not in {groups[clip.row] for clip in similar}


def test_a_clip_has_no_neighbour_where_all_are_of_its_group():
    features = np.random.default_rng(0).normal(size=(6, 4))
    assert most_similar(features, [0], ["a"] * 6) == {0: []}
    found = most_similar(features, [0, 5], ["a", "a", "b", "a", "a", "a"])
    assert {row: [clip.row for clip in clips] for row, clips in found.items()} == {0: [2], 5: [2]}
