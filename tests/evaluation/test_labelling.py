"""Which clips to name first, on features whose structure is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudeep.evaluation import labelling_order


def kinds(n_kinds=12, n_clips=8, *, noise=0.01):
    """Return features of clips of several kinds, kind by kind."""
    features = np.repeat(np.eye(n_kinds), n_clips, axis=0)
    return features + np.random.default_rng(0).normal(scale=noise, size=features.shape)


def test_the_first_clips_are_of_different_kinds():
    order = labelling_order(kinds(10), n=10, random_state=0)
    assert len(set(order // 8)) == 10


def test_a_kind_that_is_named_already_comes_last():
    target = np.full(80, -1)
    target[:8:4] = 0  # two clips of the first kind
    order = labelling_order(kinds(10), target, n=9, random_state=0)
    assert set(order // 8) == set(range(1, 10))


def test_three_of_four_are_those_that_the_classifier_is_least_sure_of():
    probabilities = np.tile([0.9, 0.1], (80, 1))
    doubtful = [33, 7, 62]
    probabilities[doubtful] = [[0.5, 0.5], [0.52, 0.48], [0.54, 0.46]]
    order = labelling_order(kinds(10), None, probabilities, n=4, random_state=0)
    assert order[:3].tolist() == doubtful
    assert order[3] not in doubtful


@settings(max_examples=40)  # each clusters the clips several times
@given(
    n_named=st.integers(0, 30), with_probabilities=st.booleans(), n=st.integers(1, 40) | st.none()
)
def test_the_order_holds_each_unlabelled_clip_at_most_once(n_named, with_probabilities, n):
    features = kinds(3, 10, noise=0.3)
    target = np.where(np.arange(30) < n_named, 0, -1)
    probabilities = np.full((30, 3), 1 / 3) if with_probabilities else None
    order = labelling_order(features, target, probabilities, n=n, random_state=0)
    assert len(order) == len(set(order)) == min(30 - n_named, 30 if n is None else n)
    assert (order >= n_named).all()


def test_equal_clips_are_all_in_the_order():
    assert sorted(labelling_order(np.zeros((25, 3)), random_state=0)) == list(range(25))


def test_clips_that_are_all_but_alike_are_all_in_the_order():
    features = np.repeat(np.eye(6), 2, axis=0)
    features[::2] += 1e-9
    assert sorted(labelling_order(features, random_state=0)) == list(range(12))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="target of length 2 for 3 clips"):
        labelling_order(np.eye(3), [0, -1])
    with pytest.raises(ValueError, match="2 rows that are not finite"):
        labelling_order([[0.0, np.nan], [1.0, 1.0], [np.inf, 0.0]])
    with pytest.raises(ValueError, match="n=0"):
        labelling_order(np.eye(3), n=0)


@pytest.mark.parametrize(
    "target",
    [
        [np.nan, 0.0, 1.0, np.nan, 0.0],
        [None, 0, 1, -1, 0],
        [None, "dog", "rain", np.nan, "dog"],
        np.array(["", "dog", "rain", "", "dog"]),
        pd.Series([None, "dog", "rain", None, "dog"], dtype="string"),
        np.array([[-1, -1], [0, 1], [1, 1], [-1, -1], [0, 0]]),
    ],
    ids=["nan", "none", "names", "empty", "pandas", "several classes"],
)
def test_clips_without_a_label_in_any_form_are_ordered(target):
    assert set(labelling_order(np.eye(5), target, random_state=0)) == {0, 3}
