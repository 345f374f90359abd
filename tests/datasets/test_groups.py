"""Groups of clips from their names."""

from __future__ import annotations

import re

import numpy as np
import pytest

from skaudeep.datasets import add_folds, add_groups, make_bunch
from skaudeep.datasets.groups import group_numbers

NAMES = ["crow/ann_1.wav", "crow/bob_1.wav", "owl/ann_2.wav", "owl/bob_2.wav"]


def clips(names=NAMES):
    return make_bunch(names, names, target=[0, 0, 1, 1], target_names=["crow", "owl"])


def test_the_group_is_what_the_parentheses_match():
    assert add_groups(clips(), r"/([a-z]+)_").groups.tolist() == ["ann", "bob", "ann", "bob"]
    assert add_groups(clips(), re.compile("ann|bob")).groups.tolist() == ["ann", "bob"] * 2


def test_folds_keep_the_groups_together():
    bunch = add_folds(add_groups(clips(), "ann|bob"), 2, random_state=0)
    for train, test in bunch.cv:
        assert not set(bunch.groups[train]) & set(bunch.groups[test])


def test_clips_that_do_not_match_have_no_group_and_the_warning_names_one():
    with pytest.warns(UserWarning, match=r"2 of 4 clips no group, first 'crow/bob_1.wav'"):
        bunch = add_groups(clips(), "ann")
    assert bunch.groups.tolist() == ["ann", "", "ann", ""]


def test_a_pattern_that_gives_all_clips_one_group_warns():
    with pytest.warns(UserWarning, match="all 4 clips one group, wav"):
        add_groups(clips(), "wav")


def test_a_pattern_that_matches_nothing_is_refused_with_the_names():
    with pytest.raises(ValueError, match=r"expected one that occurs .* 'crow/ann_1.wav'"):
        add_groups(clips(), "speaker")
    with pytest.raises(ValueError, match=r"'\(', which is no regular expression"):
        add_groups(clips(), "(")


def test_a_pattern_for_the_beginning_is_shown_as_typed_and_told_what_names_begin_with():
    with pytest.raises(ValueError, match="put '/' in place of") as caught:
        add_groups(clips(), r"^(\w+?)_")
    assert r"Got the pattern '^(\w+?)_', which" in str(caught.value)
    assert str(caught.value).count(".wav'") == 2  # names, of four
    assert set(add_groups(clips(), r"/(\w+?)_").groups) == {"ann", "bob"}


def test_clips_without_a_group_have_numbers_of_their_own():
    numbers = group_numbers(np.array(["b", "a", "", "b", ""]))
    assert numbers[0] == numbers[3]
    assert len(set(numbers.tolist())) == 4
    assert group_numbers(["", None, np.nan]) is None
