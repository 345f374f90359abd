"""Scores and intervals against values computed by hand, published or by SciPy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from skaudeep.evaluation import anomaly_metrics
from skaudeep.evaluation.results import Evaluation, compare


def make_evaluation(target, predicted, *, test=None, n_classes=3, **options):
    """Return an evaluation of one fold of all clips, one row of predicted for each repeat."""
    target, predicted = np.asarray(target), np.atleast_2d(predicted)
    test = [np.arange(len(target))] if test is None else [np.asarray(fold) for fold in test]
    return Evaluation(
        target=target,
        target_names=[f"class {i}" for i in range(n_classes)],
        test=test,
        fold_predictions=[[row[fold] for fold in test] for row in predicted],
        protocol="inductive",
        seeds=list(range(len(predicted))),
        **options,
    )


def right(n_right, n_clips, **options):
    return make_evaluation(np.zeros(n_clips, int), np.arange(n_clips) >= n_right, **options)


def test_accuracy_uar_and_confusion_matrix_equal_those_by_hand():
    result = make_evaluation(
        target=[0, 0, 0, 0, 1, 1],
        predicted=[[0, 0, 0, 1, 1, 2], [0, 0, 0, 0, 0, 0]],
    )
    np.testing.assert_allclose(result.fold_accuracy, [[4 / 6], [4 / 6]])
    # class 2 does not occur in the truth and does not count
    np.testing.assert_allclose(result.fold_uar, [[(3 / 4 + 1 / 2) / 2], [1 / 2]])
    assert result.accuracy == pytest.approx(4 / 6)
    assert result.uar == pytest.approx(0.5625)
    np.testing.assert_array_equal(result.confusion_matrix, [[7, 1, 0], [2, 1, 1], [0, 0, 0]])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
@settings(deadline=None, max_examples=50)
def test_accuracy_and_uar_equal_those_of_scikit_learn(pairs):
    target, predicted = np.array(pairs).T
    result = make_evaluation(target, predicted)
    recalls = [np.mean(predicted[target == c] == c) for c in np.unique(target)]
    assert result.accuracy == pytest.approx(accuracy_score(target, predicted))
    assert result.uar == pytest.approx(np.mean(recalls))
    # scikit-learn warns of classes that only the predictions have, and of a single one
    if len(set(target)) > 1 and set(predicted) <= set(target):
        assert result.uar == pytest.approx(balanced_accuracy_score(target, predicted))
    for low, score, high in (
        (result.accuracy_interval[0], result.accuracy, result.accuracy_interval[1]),
        (result.uar_interval[0], result.uar, result.uar_interval[1]),
    ):
        assert 0 <= low <= score + 1e-12
        assert score - 1e-12 <= high <= 1


# Newcombe, Statistics in Medicine 17 (1998), table I, method 3
@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_accuracy_intervals_equal_published_ones(hits, n, low, high):
    assert right(hits, n).accuracy_interval == pytest.approx((low, high), abs=5e-5)


def test_the_interval_of_a_score_is_asked_for_by_its_name():
    result = right(15, 148)
    assert result.interval("accuracy") == result.accuracy_interval
    assert result.interval("uar") == result.uar_interval
    with pytest.raises(ValueError, match="Got metric='f1'; choose 'accuracy', 'uar'"):
        result.interval("f1")


@pytest.mark.parametrize("confidence_level", [0.8, 0.99])
def test_accuracy_intervals_equal_those_of_scipy(confidence_level):
    expected = binomtest(17, 23).proportion_ci(confidence_level, method="wilson")
    found = right(17, 23, confidence_level=confidence_level).accuracy_interval
    assert found == pytest.approx((expected.low, expected.high))


def test_repeats_and_overlapping_folds_do_not_narrow_intervals():
    target = np.zeros(50, int)
    predicted = np.arange(50) % 5 == 0
    once = make_evaluation(target, predicted)
    folds = [np.arange(50)] * 4
    often = make_evaluation(target, [predicted] * 3, test=folds)
    assert often.accuracy_interval == pytest.approx(once.accuracy_interval)
    assert often.uar_interval == pytest.approx(once.uar_interval)


def test_interval_over_equal_folds_is_that_of_all_clips():
    target = np.zeros(50, int)
    predicted = np.arange(50) % 5 == 0
    folds = np.arange(50).reshape(5, 10)
    split, whole = (
        make_evaluation(target, predicted, test=folds),
        make_evaluation(target, predicted),
    )
    assert split.accuracy_interval == pytest.approx(whole.accuracy_interval)
    assert split.fold_accuracy_interval.shape == (1, 5, 2)
    low, high = split.fold_accuracy_interval[0, 0]
    expected = binomtest(8, 10).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_uar_interval_equals_one_by_hand():
    """Wilson's bounds are where the score is z standard errors away."""
    target = np.repeat([0, 1], [40, 10])
    right = np.concatenate([np.arange(40) < 30, np.arange(10) < 8])
    result = make_evaluation(target, np.where(right, target, 2))
    rates = np.array([31 / 42, 9 / 12])  # recalls with one hit and one miss added
    variance = np.sum(0.5**2 * rates * (1 - rates) / [40, 10])
    n = rates.mean() * (1 - rates.mean()) / variance
    for bound in result.uar_interval:
        standard_error = (bound * (1 - bound) / n) ** 0.5
        assert abs((0.75 + 0.8) / 2 - bound) == pytest.approx(1.959964 * standard_error)
    assert result.uar_interval[0] < 0.775 < result.uar_interval[1]


@pytest.mark.parametrize(
    ("recalls", "counts"),
    [
        ([0.9, 0.8, 0.95], [40, 40, 40]),
        ([0.95, 0.6], [300, 30]),
        ([0.9, 0.8, 0.7, 0.6, 0.5, 0.3], [400, 200, 100, 50, 25, 12]),
        ([0.98] * 10, [40] * 10),
    ],
)
def test_uar_intervals_cover_the_true_uar(recalls, counts):
    rng = np.random.default_rng(0)
    target = np.repeat(np.arange(len(counts)), counts)
    n_trials, covered = 400, 0
    for _ in range(n_trials):
        wrong = rng.random(len(target)) >= np.take(recalls, target)
        result = make_evaluation(target, (target + wrong) % len(counts), n_classes=len(counts))
        low, high = result.uar_interval
        covered += low <= np.mean(recalls) <= high
    # 95 % less three standard errors of the simulation and what is lost to small classes
    assert covered / n_trials > 0.95 - 3 * (0.95 * 0.05 / n_trials) ** 0.5 - 0.01


def test_predictions_mark_untested_clips_and_take_the_majority_over_folds():
    result = make_evaluation([0, 1, 2, 0], [[2, 1, 0, 0]], test=[[0, 1], [1, 2]])
    np.testing.assert_array_equal(result.predictions, [[2, 1, 0, -1]])
    result.fold_predictions[0] = [np.array([2, 1]), np.array([0, 0])]
    tie = make_evaluation([0, 1, 2, 0], [[2, 1, 0, 0]], test=[[0, 1], [1, 2]])
    tie.fold_predictions[0] = [np.array([2, 2]), np.array([1, 0])]
    assert tie.predictions[0, 1] == 1  # class 1 and class 2 have a vote each


def test_printed_evaluation_shows_scores_folds_and_controls():
    control = right(30, 40)
    text = str(right(36, 40, controls={"untrained network": control}))
    assert "inductive, 1 fold, 1 repeat, 40 clips tested" in text
    assert "pipeline           90.0 [76.9, 96.0]" in text
    assert "untrained network  75.0 [59.8, 85.8]" in text
    assert "against untrained network: +15.0" in text
    assert "6 clips better, 0 worse, p = 0.031" in text
    assert text == str(right(36, 40, controls={"untrained network": control}))


def test_repr_of_an_evaluation_is_one_line_and_compares_nothing(monkeypatch):
    monkeypatch.setattr("skaudeep.evaluation.results.compare", None)
    result = right(36, 40, controls={"untrained network": right(30, 40)})
    expected = "Evaluation(protocol='inductive', n_folds=1, n_repeats=1, accuracy=0.900, uar=0.900)"
    assert repr(result) == expected


def test_printed_evaluation_shows_the_spread_over_repeats():
    # accuracies of 0.5 and 1: standard deviation 0.354
    text = str(make_evaluation([0, 0], [[0, 1], [0, 0]], test=[[0], [1]]))
    assert "2 folds, 2 repeats" in text
    assert "35.4 points (std) over seeds, in the same folds" in text
    assert "fold 2    50.0" in text


def test_printed_evaluation_of_many_folds_shows_their_range():
    predicted = np.arange(24) % 4 == 0  # one of two wrong in every other fold of two clips
    text = str(make_evaluation(np.zeros(24, int), predicted, test=np.arange(24).reshape(12, 2)))
    assert "fold 1 " not in text
    assert "accuracy of a fold: 50.0 to 100.0 %" in text


def test_compare_equals_a_mcnemar_test_by_hand():
    # 10 clips right only in a, 2 only in b: p = 2 (1 + 12 + 66) / 2^12
    a = np.array([0] * 10 + [1] * 2 + [0] * 20 + [1] * 8)
    b = np.array([1] * 10 + [0] * 2 + [0] * 20 + [1] * 8)
    target = np.zeros(40, int)
    found = compare(make_evaluation(target, a), make_evaluation(target, b), random_state=0)
    assert (found.n_better, found.n_worse) == (10, 2)
    assert found.p_value == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert found[5:] == ("accuracy", "exact McNemar test", 40, "clip")
    assert found.difference == pytest.approx(8 / 40)
    # normal theory for paired differences: 0.2 +- 1.96 sqrt((12/40 - 0.04) / 40)
    half = 1.96 * ((12 / 40 - 0.2**2) / 40) ** 0.5
    assert found.interval == pytest.approx((0.2 - half, 0.2 + half), abs=0.03)


def test_compare_counts_each_clip_once_over_repeats():
    target = np.zeros(3, int)
    a = make_evaluation(target, [[0, 0, 1], [0, 1, 1]])
    b = make_evaluation(target, [[0, 1, 0], [0, 0, 1]])
    found = compare(a, b, random_state=0)
    assert (found.n_better, found.n_worse, found.p_value) == (0, 1, 1.0)
    assert found.difference == pytest.approx(a.accuracy - b.accuracy)


@pytest.mark.parametrize("n_repeats", [3, 7])
def test_compare_does_not_take_rounding_for_a_difference(n_repeats):
    target, predicted = np.zeros(10, int), np.arange(10) % 3 == 0
    found = compare(
        make_evaluation(target, predicted), make_evaluation(target, [predicted] * n_repeats)
    )
    assert found[:5] == (0.0, (0.0, 0.0), 0, 0, 1.0)


def test_printed_comparison_is_of_uar_at_the_confidence_level_of_the_evaluation():
    a, b = right(36, 40, confidence_level=0.5), right(30, 40)
    wide = compare(a, b, metric="uar", random_state=0)
    narrow = compare(a, b, metric="uar", confidence_level=0.5, random_state=0)
    assert wide.interval[0] < narrow.interval[0] < narrow.interval[1] < wide.interval[1]
    assert str(narrow) in str(
        right(36, 40, confidence_level=0.5, controls={"untrained network": b})
    )


def test_compare_by_uar_gives_the_difference_of_the_uars():
    rng = np.random.default_rng(0)
    target = rng.integers(3, size=60)
    folds = np.arange(60).reshape(4, 15)
    a, b = (make_evaluation(target, rng.integers(3, size=60), test=folds) for _ in range(2))
    found = compare(a, b, metric="uar", random_state=0)
    assert found.difference == pytest.approx(a.uar - b.uar)
    assert found.interval[0] < found.difference < found.interval[1]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["out/b.wav", "out/a.wav", "out/c.wav"], "number 0 is 'a.wav' in the first and 'b.wav'"),
        (["a.wav", "b.wav", "d.wav"], "the second lacks 'c.wav'"),
    ],
)
def test_compare_refuses_the_same_clips_in_another_order_and_other_clips(names, message):
    first = replace(right(2, 3), filenames=np.array(["x/a.wav", "x/b.wav", "x/c.wav"]))
    with pytest.raises(ValueError, match=message):
        compare(first, replace(first, filenames=np.array(names)))
    for same in (["y\\a.wav", "y\\b.wav", "y\\c.wav"], ["0", "1", "2"]):  # or nothing in common
        assert compare(first, replace(first, filenames=np.array(same))).difference == 0


def test_compare_with_itself_finds_no_difference():
    one = right(7, 10)
    for metric in ("accuracy", "uar"):
        assert compare(one, one, metric=metric)[:5] == (0.0, (0.0, 0.0), 0, 0, 1.0)


def test_compare_is_reproducible_by_random_state():
    a, b = right(30, 40), right(25, 40)
    assert compare(a, b, random_state=1) == compare(a, b, random_state=1)
    assert compare(a, b, n_resamples=20, random_state=1) != compare(
        a, b, n_resamples=20, random_state=2
    )


@pytest.mark.parametrize(
    ("other", "options", "message"),
    [
        (right(5, 9), {}, "differ in target or folds"),
        (right(5, 10, test=[np.arange(9)]), {}, "differ in target or folds"),
        (right(5, 10), {"metric": "f1"}, "metric='f1'; choose 'accuracy' or 'uar'"),
        (right(5, 10, groups=np.arange(10) // 2), {}, r"differ in groups \(0 and 5\)"),
        (right(5, 10), {"n_resamples": 0}, "n_resamples=0, expected at least 1"),
        (right(5, 10), {"confidence_level": 1}, "confidence_level=1, expected"),
    ],
)
def test_compare_refuses_other_clips_and_wrong_parameters(other, options, message):
    with pytest.raises(ValueError, match=message):
        compare(right(7, 10), other, **options)


# --- groups: clips of one speaker or recording are right or wrong together -----------------------


def grouped(rng, n_groups, n_per_group, accuracy, icc, n_classes=2):
    """Return an evaluation whose groups differ: their accuracies have a beta distribution."""
    groups = np.repeat(np.arange(n_groups), n_per_group)
    of_group = rng.beta(accuracy * (1 / icc - 1), (1 - accuracy) * (1 / icc - 1), n_groups)
    target = rng.integers(n_classes, size=len(groups))
    wrong = rng.random(len(groups)) >= of_group[groups]
    predicted = (target + wrong) % n_classes
    return make_evaluation(target, predicted, n_classes=n_classes, groups=groups)


@pytest.mark.parametrize(
    ("n_groups", "n_per_group", "accuracy", "icc"),
    [(40, 10, 0.8, 0.2), (40, 10, 0.95, 0.1), (12, 30, 0.7, 0.1), (6, 20, 0.8, 0.1)],
)
def test_intervals_over_groups_cover_the_true_score_where_those_over_clips_do_not(
    n_groups, n_per_group, accuracy, icc
):
    rng = np.random.default_rng(0)
    n_trials = 300
    covered = {"groups": 0, "uar": 0, "clips": 0}
    for _ in range(n_trials):
        result = grouped(rng, n_groups, n_per_group, accuracy, icc)
        over_clips = replace(result, groups=None)
        for name, (low, high) in (
            ("groups", result.accuracy_interval),
            ("uar", result.uar_interval),
            ("clips", over_clips.accuracy_interval),
        ):
            covered[name] += low <= accuracy <= high
    # 95 % less three standard errors of the simulation; the variance between few groups is rough
    least = 0.95 - 3 * (0.95 * 0.05 / n_trials) ** 0.5
    assert min(covered["groups"], covered["uar"]) / n_trials > least
    assert covered["clips"] / n_trials < 0.9


def test_intervals_over_groups_cover_the_uar_of_groups_of_one_class_each():
    """Recordings that are cut into clips, as in ESC-10: twelve of each of five classes."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 4)
    target = groups % 5
    recalls = np.array([0.95, 0.9, 0.8, 0.7, 0.6])
    n_trials, covered = 300, 0
    for _ in range(n_trials):
        of_group = rng.beta(3 * recalls, 3 * (1 - recalls), (12, 5)).ravel()
        wrong = rng.random(240) >= of_group[groups]
        result = make_evaluation(target, (target + wrong) % 5, n_classes=5, groups=groups)
        low, high = result.uar_interval
        covered += low <= recalls.mean() <= high
    assert covered / n_trials > 0.95 - 3 * (0.95 * 0.05 / n_trials) ** 0.5


def test_interval_over_groups_equals_one_by_hand():
    """Two groups of 4 and 6 clips, 1 and 6 right: a ratio's variance and Student's quantile."""
    groups = np.repeat([0, 1], [4, 6])
    correct = np.array([1, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    result = make_evaluation(np.zeros(10, int), 1 - correct, groups=groups)
    variance = 2 / 1 * (((1 - 4 * 0.7) / 10) ** 2 + ((6 - 6 * 0.7) / 10) ** 2)
    n = 0.7 * 0.3 / variance
    for bound in result.accuracy_interval:
        standard_error = (bound * (1 - bound) / n) ** 0.5
        assert abs(0.7 - bound) == pytest.approx(12.7062 * standard_error, rel=1e-4)


def test_groups_of_one_clip_change_nothing():
    result = right(30, 40)
    for groups in (np.arange(40), [""] * 40, [None] * 40, [np.nan] * 40):
        same = replace(result, groups=groups)
        assert same.accuracy_interval == result.accuracy_interval
        assert "interval over clips" in str(same)
        found = compare(same, replace(right(20, 40), groups=groups))
        assert (found.unit, found.test) == ("clip", "exact McNemar test")
    assert replace(result, groups=np.arange(40)).n_groups == 40
    assert replace(result, groups=[""] * 40).n_groups == 0


def test_a_clip_without_a_group_is_one_of_its_own():
    named = right(3, 6, groups=["a", "a", "b", "b", "", ""])
    assert named.n_groups == 4
    assert named.accuracy_interval == right(3, 6, groups=list("aabbcd")).accuracy_interval
    unknown = ["a", "a", "b", "b", None, np.nan]
    for groups in (unknown, np.array(unknown, dtype=object), [0, 0, 1, 1, np.nan, np.nan]):
        assert right(3, 6, groups=groups).accuracy_interval == named.accuracy_interval


def test_only_tested_clips_have_groups_that_count():
    result = right(4, 8, test=[[0, 1, 2, 3]], groups=list("aabbccdd"))
    assert result.n_groups == 2


def test_balanced_groups_of_a_constant_prediction_count_as_their_clips():
    target = np.tile([0, 1], 30)
    result = make_evaluation(target, target * 0, n_classes=2, groups=np.arange(60) // 10)
    quantile = 2.570582  # Student's with 5 degrees of freedom
    half = quantile / (1 + quantile**2 / 60) * (0.25 / 60 + quantile**2 / (4 * 60**2)) ** 0.5
    assert result.accuracy_interval == pytest.approx((0.5 - half, 0.5 + half))


def test_where_all_clips_are_right_each_group_counts_as_one_clip():
    all_right = right(60, 60, groups=np.arange(60) // 10)
    low, high = all_right.accuracy_interval
    quantile = 2.570582  # Student's with 5 degrees of freedom
    assert (low, high) == pytest.approx((6 / (6 + quantile**2), 1))
    assert low < right(60, 60).accuracy_interval[0]


def test_groups_never_narrow_an_interval():
    rng = np.random.default_rng(0)
    target = np.tile([0, 1], 40)
    predicted = np.where(target == 0, 0, rng.integers(2, size=80))
    over_clips = make_evaluation(target, predicted)
    # each group has one clip of either class: accuracies of groups are more alike than by chance
    over_groups = replace(over_clips, groups=np.arange(80) // 2)
    assert np.ptp(over_groups.accuracy_interval) >= np.ptp(over_clips.accuracy_interval)


def test_printed_evaluation_says_what_its_intervals_are_over():
    groups = np.arange(40) // 2
    assert "[ ]: 95 % interval over 20 groups (speakers, recordings, ...)\n" in (
        str(right(36, 40, groups=groups, controls={"other": right(30, 40, groups=groups)}))
    )
    few = right(36, 40, groups=np.arange(40) // 10)
    assert "4 groups are few: intervals are rough, and no p is below 0.12" in str(few)
    assert "over clips, all of one group: it says nothing of other groups" in str(
        right(36, 40, groups=np.zeros(40, int))
    )
    folds = np.arange(40).reshape(2, 20)
    by_session = right(36, 40, groups=np.arange(40) // 20, test=folds)
    assert "; of a fold of one group, or of one clip a group: over clips" in str(by_session)
    target = np.repeat([0, 1, 2], [20, 10, 10])
    nested = make_evaluation(target, target * 0, groups=np.repeat([0, 1, 2, 3], 10))
    assert "class 'class 1' and 1 more: all clips are of one group" in str(nested)


def test_compare_over_groups_equals_a_sign_flip_test_by_hand():
    """Six speakers fared better with a, one with b: sizes 2 and 4 of 28 clips."""
    groups = np.repeat(np.arange(7), 4)
    a = np.zeros(28, int)
    a[24:] = 1
    b = np.tile([0, 0, 1, 1], 7)
    b[24:] = 0
    target = np.zeros(28, int)
    a, b = (make_evaluation(target, x, groups=groups) for x in (a, b))
    found = compare(a, b, random_state=0)
    assert found.difference == pytest.approx((6 * 2 - 4) / 28)
    # The sum is 8. It is reached where the 4 has a minus and no 2 has, or where the 4 has a plus
    # and at most two of the 2 have a minus: 1 and 1 + 6 + 15 of the 128 ways; so is -8.
    assert found.p_value == pytest.approx(2 * (1 + 22) / 128)
    assert (found.n_better, found.n_worse) == (12, 4)
    assert found[5:] == ("accuracy", "sign-flip test", 7, "group")
    assert "p = 0.36 (sign-flip test over 7 groups)" in str(found)


def test_sampled_sign_flips_agree_with_mcnemars_test_where_units_are_alike():
    """30 groups of two equal clips: 17 better and 6 worse; the p of a sign test is 0.0347."""
    groups = np.arange(60) // 2
    a = np.repeat([0, 1, 0], [34, 12, 14])
    b = np.repeat([1, 0, 0], [34, 12, 14])
    a, b = (make_evaluation(np.zeros(60, int), x, groups=groups) for x in (a, b))
    found = compare(a, b, n_resamples=20_000, random_state=0)
    assert found.p_value == pytest.approx(binomtest(17, 23).pvalue, abs=0.005)


def test_a_p_value_of_sampled_flips_is_never_zero():
    groups = np.arange(60) // 2
    found = compare(
        right(60, 60, groups=groups), right(0, 60, groups=groups), n_resamples=99, random_state=0
    )
    assert found.p_value == 0.01


@pytest.mark.parametrize("metric", ["accuracy", "uar"])
def test_comparisons_over_groups_hold_their_level_and_cover_the_true_difference(metric):
    """Two pipelines of equal accuracy, each with its own bad speakers."""
    rng = np.random.default_rng(0)
    n_trials, rejected, covered, rejected_by_clips = 200, 0, 0, 0
    for _ in range(n_trials):
        a, b = (grouped(rng, 20, 20, 0.8, 0.2) for _ in range(2))
        b = replace(a, fold_predictions=[[(a.target + (b.target != b.predictions[0])) % 2]])
        found = compare(a, b, metric=metric, n_resamples=499, random_state=0)
        rejected += found.p_value <= 0.05
        covered += found.interval[0] <= 0 <= found.interval[1]
        by_clips = (replace(x, groups=None) for x in (a, b))
        rejected_by_clips += compare(*by_clips, n_resamples=99, random_state=0).p_value <= 0.05
    error = 3 * (0.95 * 0.05 / n_trials) ** 0.5
    assert rejected / n_trials < 0.05 + error
    assert covered / n_trials > 0.95 - error
    assert rejected_by_clips / n_trials > 0.15


def test_p_value_by_uar_is_of_uar():
    """One finds all of a rare class and loses as many of a frequent one: UAR alone differs."""
    target = np.repeat([0, 1], [90, 10])
    a = np.repeat([0, 0], [90, 10])
    b = np.repeat([0, 1, 1], [80, 10, 10])
    a, b = (make_evaluation(target, x) for x in (a, b))
    of_accuracy = compare(a, b, random_state=0)
    of_uar = compare(a, b, metric="uar", random_state=0)
    assert (of_accuracy.difference, of_accuracy.p_value) == (pytest.approx(0), 1)
    assert of_uar.difference == pytest.approx(0.5 - (8 / 9 + 1) / 2)
    assert of_uar.p_value < 0.01
    assert of_uar.interval[1] < 0
    assert of_uar[5:] == ("uar", "sign-flip test", 100, "clip")
    assert "points of UAR" in str(of_uar)


def test_a_single_clip_or_group_tells_nothing_of_others():
    assert compare(right(1, 1), right(0, 1)).interval == (-1, 1)


def test_compare_names_results_that_no_paired_test_is_defined_for():
    found = anomaly_metrics([4.0, 3.0, 2.0, 1.0], [False, False, False, True])
    with pytest.raises(TypeError, match=r"Got AnomalyEvaluation, expected.*side by side"):
        compare(found, found)
    with pytest.raises(TypeError, match="Got float, expected"):
        compare(right(5, 10), 0.5)


def test_comparisons_that_are_printed_have_fewer_samples_where_groups_are_many(monkeypatch):
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 60)
    pipeline, other = (np.where(rng.random(60) < p, target, 1 - target) for p in (0.9, 0.6))
    options = {"n_classes": 2, "groups": np.repeat(np.arange(20), 3)}
    control = make_evaluation(target, other, **options)
    result = make_evaluation(target, pipeline, controls={"a": control}, **options)
    whole = compare(result, control, metric="uar", random_state=0)
    assert f"against a: {whole}" in str(result)
    assert "samples of the many groups" not in str(result)
    monkeypatch.setattr("skaudeep.evaluation.results.MOST_DRAWS", 1000 * 20)
    result = replace(result)
    fewer = compare(result, control, metric="uar", n_resamples=1000, random_state=0)
    assert f"against a: {fewer}" in str(result)
    assert "from 1000 samples of the many groups; skaudeep.compare takes 9999" in str(result)
    drawn = []
    monkeypatch.setattr("skaudeep.evaluation.results.compare", lambda *_, **__: drawn.append(1))
    assert str(result) == str(result)
    assert not drawn  # what was printed once is kept
