"""Which folds a report takes, and what it leaves out so that each fold can be tested."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils import Bunch

from skaudeep.datasets import make_bunch
from skaudeep.reporting.folds import Division, choose_folds, settle


def bunch_of(target: list[int], **options: object) -> Bunch:
    names = [f"{row}.wav" for row in range(len(target))]
    classes = [f"class {label}" for label in range(max(target, default=-1) + 1)]
    return make_bunch(names, names, target=target, target_names=classes, **options)


def test_folds_of_the_data_set_are_kept():
    folds = np.eye(2, dtype=int).repeat(4, axis=0)
    division = choose_folds(bunch_of([0, 1] * 4, folds=folds), None, 0)
    assert [test.tolist() for _, test in division.folds] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert division.origin == "2 folds of the data set"
    assert division.notes == []


@pytest.mark.parametrize(("n_rarest", "n_folds"), [(2, 2), (4, 4), (9, 5)])
def test_new_folds_are_as_many_as_the_rarest_class_allows(n_rarest, n_folds):
    division = choose_folds(bunch_of([0] * 12 + [1] * n_rarest), None, 0)
    assert len(division.folds) == n_folds
    tested = np.concatenate([test for _, test in division.folds])
    assert sorted(tested) == list(range(12 + n_rarest))


def test_new_folds_keep_groups_together():
    groups = [f"speaker {row // 4}" for row in range(24)]
    division = choose_folds(bunch_of([0, 1] * 12, groups=groups), None, 0)
    for train, test in division.folds:
        assert not set(np.array(groups)[train]) & set(np.array(groups)[test])
    assert division.origin == "5 new folds of whole groups"


def test_partitions_are_taken_where_there_are_no_folds():
    partition = ["train"] * 4 + ["test"] * 2
    division = choose_folds(bunch_of([0, 1] * 3, partition=partition), None, 0)
    [(train, test)] = division.folds
    assert (train.tolist(), test.tolist()) == ([0, 1, 2, 3], [4, 5])


def test_unlabelled_clips_neither_train_nor_are_tested():
    division = choose_folds(bunch_of([0, 1, -1] * 6), None, 0)
    for train, test in division.folds:
        assert not {row for row in (*train, *test) if row % 3 == 2}


@pytest.mark.parametrize(
    ("groups", "reason"),
    [(None, "single clip"), (["a", "b", "c", "d", "e", "e"], "single group")],
)
def test_a_class_that_cannot_be_trained_and_tested_is_named_and_left_out(groups, reason):
    target = [0, 1, 0, 1, 0, 2] if groups is None else [0, 1, 0, 1, 2, 2]
    division = choose_folds(bunch_of(target, groups=groups), None, 0)
    [note] = division.notes
    assert "'class 2'" in note
    assert reason in note
    assert 2 not in division.target
    assert len(division.folds) == 2


def test_a_class_that_given_folds_test_without_training_is_left_out():
    folds = [[1], [1], [1], [0], [0], [1]]
    division = choose_folds(bunch_of([0, 1, 2, 0, 1, 2], folds=folds), None, 0)
    assert division.target.tolist() == [0, 1, -1, 0, 1, -1]
    assert "no fold trains on them" in division.notes[0]


@pytest.mark.parametrize("target", [[0, 0, 0, 0], [0, 0, 1, -1], [-1, -1, -1, -1]])
def test_fewer_than_two_classes_give_no_folds(target):
    assert choose_folds(bunch_of(target), None, 0).folds == []


def test_groups_that_hold_a_class_on_one_side_never_crash_new_folds():
    # Both classes are of two groups, and one group holds half of all clips.
    target, groups = [0, 0, 0, 1, 1, 0, 1], ["a", "a", "a", "a", "b", "c", "b"]
    division = choose_folds(bunch_of(target, groups=groups), None, 0)
    for train, test in division.folds:
        assert set(division.target[test]) <= set(division.target[train])


@pytest.mark.parametrize("cv", [1, 9])
def test_a_number_of_folds_that_cannot_be_is_refused(cv):
    with pytest.raises(ValueError, match=f"cv={cv}, expected 2 to 8"):
        choose_folds(bunch_of([0, 1] * 4), cv, 0)


def test_given_folds_that_train_on_test_clips_are_refused():
    with pytest.raises(ValueError, match="trains on 1 of its test clips"):
        choose_folds(bunch_of([0, 1] * 4), [([0, 1, 2, 3], [3, 4, 5])], 0)


def test_settled_folds_have_clips_on_both_sides():
    target = np.array([0, 1, 0, 1, -1])
    folds = [(np.array([0, 1]), np.array([2, 3])), (np.array([0, 1]), np.array([4]))]
    assert len(settle(bunch_of(target.tolist()), Division(target, folds, "")).folds) == 1
