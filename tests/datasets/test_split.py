"""Folds and partitions: even shares of every class, groups whole, the same for the same seed."""

import pickle
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudeep.datasets import (
    add_folds,
    add_partitions,
    drop_folds,
    drop_partitions,
    load_esc,
    make_bunch,
)

PARTITIONS = ("train", "devel", "test")


def named(target=None, n_clips=None, **parts):
    names = [f"{row}.wav" for row in range(n_clips or len(target))]
    if target is not None and np.asarray(target).dtype.kind != "f":
        parts["target_names"] = [f"class {label}" for label in range(max(target) + 1)]
    return make_bunch(names, names, target=target, **parts)


def counts_per_part(part_of, target):
    """Clips of each class (column) in each part (row)."""
    return np.array([np.bincount(target[part_of == part]) for part in np.unique(part_of)])


targets = st.lists(st.integers(-1, 3), min_size=10, max_size=60)
names_of_groups = st.sampled_from(["", *"abcdefghij"])


@settings(deadline=None, max_examples=60)
@given(targets, st.integers(2, 6), st.integers(0, 9))
def test_add_folds_without_groups_divides_classes_evenly_to_within_one_clip(target, n_folds, seed):
    bunch = named(target)
    before = pickle.dumps(bunch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of rare classes
        divided = add_folds(bunch, n_folds, random_state=seed)
    assert pickle.dumps(bunch) == before
    assert divided.folds.shape == (len(target), n_folds)
    assert divided.folds.dtype == np.int8
    np.testing.assert_array_equal(divided.folds.sum(axis=1), 1)
    assert np.ptp(divided.folds.sum(axis=0)) <= 1
    for label in set(target):
        assert np.ptp(divided.folds[np.array(target) == label].sum(axis=0)) <= 1
    for fold, (train, test) in zip(divided.folds.T, divided.cv, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(fold), test)
        np.testing.assert_array_equal(np.flatnonzero(fold == 0), train)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(-1, 3), names_of_groups), min_size=12, max_size=60),
    st.integers(0, 9),
)
def test_add_folds_and_add_partitions_keep_groups_together_and_fill_every_part(rows, seed):
    target, groups = zip(*rows, strict=True)
    alone = groups.count("")
    n_groups = len(set(groups) - {""}) + alone
    bunch = named(target, groups=groups)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        if n_groups < 3:
            with pytest.raises(ValueError, match=f"{n_groups} group.s. to divide into 3 parts"):
                add_folds(bunch, 3)
            return
        folds = add_folds(bunch, 3, random_state=seed)
        parts = add_partitions(bunch, train=0.9, devel=0.05, test=0.05, random_state=seed)
    assert folds.folds.any(axis=0).all()
    assert set(parts.partition) == set(PARTITIONS)
    for group in set(groups) - {""}:
        inside = bunch.groups == group
        assert len(np.unique(folds.folds[inside], axis=0)) == 1
        assert len(set(parts.partition[inside])) == 1


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 2), min_size=30, max_size=90), st.integers(0, 9))
def test_add_partitions_without_groups_gives_each_its_share_of_every_class(target, seed):
    target = [0, 1, 2] * 5 + target
    bunch = named(target)
    before = pickle.dumps(bunch)
    parts = add_partitions(bunch, train=0.5, devel=0.3, test=0.2, random_state=seed)
    assert pickle.dumps(bunch) == before
    for label in range(3):
        of_class = parts.partition[np.array(target) == label]
        for name, share in zip(PARTITIONS, (0.5, 0.3, 0.2), strict=True):
            assert abs((of_class == name).sum() - share * len(of_class)) <= 1.5


def test_add_folds_divides_esc10_evenly_by_recording(shared):
    esc10 = load_esc(shared / "esc-10")
    parts = add_partitions(esc10, random_state=0)
    for name, share in zip(PARTITIONS, (24, 8, 8), strict=True):
        assert np.bincount(parts.target[parts.partition == name]).tolist() == [share] * 10
    folds = add_folds(drop_folds(esc10), 4, random_state=0)
    tested = [np.bincount(folds.target[test]) for _, test in folds.cv]
    assert np.abs(np.array(tested) - 10).max() <= 1
    for _, test in folds.cv:
        rest = np.delete(folds.groups, test)
        assert not set(folds.groups[test]) & set(rest)


def test_random_state_determines_folds_and_partitions():
    bunch = named([0, 1] * 20)
    folds = [add_folds(bunch, random_state=seed).folds for seed in (0, 0, 1)]
    np.testing.assert_array_equal(folds[0], folds[1])
    assert (folds[0] != folds[2]).any()
    parts = [add_partitions(bunch, random_state=seed).partition for seed in (0, 0, 1)]
    np.testing.assert_array_equal(parts[0], parts[1])
    assert (parts[0] != parts[2]).any()


def test_add_folds_does_not_use_the_global_random_state():
    before = np.random.get_state()[1].copy()
    add_partitions(add_folds(named([0, 1] * 10), 2, random_state=0), random_state=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_add_folds_compensates_a_large_group_with_small_ones():
    bunch = named([0] * 16, groups=["x"] * 8 + list("abcdefgh"))
    for seed in range(5):
        assert add_folds(bunch, 2, random_state=seed).folds.sum(axis=0).tolist() == [8, 8]


def test_add_folds_takes_groups_from_another_key():
    bunch = named([0, 1] * 10, groups=list("ab" * 10))
    bunch.room = [row // 5 for row in range(20)]
    folds = add_folds(bunch, 2, groups="room", random_state=0).folds[:, 0]
    assert [len(set(folds[k : k + 5])) for k in range(0, 20, 5)] == [1] * 4
    alone = add_folds(bunch, 10, groups=None, random_state=0)
    assert alone.folds.sum(axis=0).tolist() == [2] * 10


def test_add_folds_treats_each_clip_without_a_group_as_its_own_group():
    bunch = named([0] * 4)
    for unknown in ("", None, np.nan):
        bunch.room = [unknown, unknown, unknown, "x"]
        assert add_folds(bunch, 4, groups="room").folds.sum(axis=0).tolist() == [1] * 4


def test_add_folds_stratifies_regression_targets_by_rank():
    values = np.random.RandomState(0).lognormal(size=100)
    bunch = named(values)
    folds = add_folds(bunch, 5, random_state=0)
    rank = values.argsort().argsort()
    for _, test in folds.cv:
        assert np.bincount(rank[test] // 10).tolist() == [2] * 10
    gaps = values.copy()
    gaps[::4] = np.nan
    folds = add_folds(named(gaps), 5, random_state=0)
    assert [np.isnan(gaps[test]).sum() for _, test in folds.cv] == [5] * 5


def test_add_folds_and_add_partitions_warn_about_rare_classes():
    with pytest.warns(UserWarning, match=r"1 class.*first 'class 1' \(fold \d\)"):
        add_folds(named([0] * 10 + [1] * 2), 3, random_state=0)
    with pytest.warns(UserWarning, match=r"1 class.*first 'class 1' \(devel, test\)"):
        add_partitions(named([0] * 10 + [1]), random_state=0)


def test_add_partitions_omits_a_partition_with_share_zero():
    parts = add_partitions(named([0, 1] * 10), train=0.75, devel=0, test=0.25, random_state=0)
    assert {name: (parts.partition == name).sum() for name in PARTITIONS} == {
        "train": 15,
        "devel": 0,
        "test": 5,
    }
    assert parts.partition.dtype == np.dtype("U5")


def test_drop_folds_and_drop_partitions_change_nothing_else():
    bunch = add_partitions(add_folds(named([0, 1] * 10), 2, random_state=0), random_state=0)
    bunch.room = list(range(20))
    before = pickle.dumps(bunch)
    without_folds, without_partitions = drop_folds(bunch), drop_partitions(bunch)
    assert pickle.dumps(bunch) == before
    assert without_folds.folds.shape == (20, 0)
    assert without_folds.cv == []
    assert set(without_partitions.partition.tolist()) == {""}
    for new, changed in ((without_folds, {"folds", "cv"}), (without_partitions, {"partition"})):
        assert list(new) == list(bunch)
        for key in set(bunch) - changed - {"cv"}:
            np.testing.assert_array_equal(new[key], bunch[key])
    assert len(without_partitions.cv) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda bunch: add_folds(bunch, 1), "n_folds=1, expected an integer of at least 2"),
        (lambda bunch: add_folds(bunch, 2.0), "n_folds=2.0"),
        (lambda bunch: add_folds(bunch, 11), r"10 group\(s\) to divide into 11 parts"),
        (lambda bunch: add_folds(bunch, 2, groups="room"), "groups='room', expected a key"),
        (lambda bunch: add_folds(bunch, 2, groups="folds"), "groups='folds', expected a key"),
        (lambda bunch: add_folds(add_folds(bunch, 2), 2), "with 2 folds, .*drop_folds"),
        (lambda bunch: add_partitions(bunch, train=0.7), "train=0.7, devel=0.2 and test=0.2"),
        (lambda bunch: add_partitions(bunch, train=1.2, devel=-0.4), "shares from 0 to 1"),
        (lambda bunch: add_partitions(bunch, train="half"), "train='half'"),
        (lambda bunch: add_partitions(add_partitions(bunch)), "with partitions, .*drop_partitions"),
        (lambda bunch: drop_folds({"data": []}), "dict without filenames"),
    ],
)
def test_add_folds_and_add_partitions_refuse_invalid_divisions(change, message):
    with pytest.raises(ValueError, match=message):
        change(named([0, 1] * 5))


def test_add_folds_takes_memory_of_groups_and_classes_and_not_of_their_product():
    n = 5000  # each clip a class and a group of its own
    names = [str(i) for i in range(n)]
    bunch = make_bunch(np.zeros((n, 1)), names, target=np.arange(n), target_names=names)
    tracemalloc.start()
    with pytest.warns(UserWarning, match=r"5000 class.* first '0' \((fold \d(, )?){4}\)"):
        divided = add_folds(bunch, random_state=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert divided.folds.sum(axis=0).tolist() == [1000] * 5
    assert peak < 20e6  # their product is 200 MB
