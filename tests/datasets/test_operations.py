"""Clips chosen, joined and repeated: nothing of what is known about them may slip."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier

from skaudeep import evaluate, load_netcdf, save_netcdf
from skaudeep.datasets import (
    add_folds,
    add_partitions,
    audit,
    concatenate,
    describe,
    drop_folds,
    drop_partitions,
    make_bunch,
    make_sounds,
    select,
    upsample,
)
from skaudeep.formats.fusing import fuse

ROW_KEYS = ["data", "filenames", "target", "folds", "partition", "groups", "take", "weight"]


@st.composite
def bunches(draw, max_clips=24):
    """Draw a data set in which the first feature of a clip is its number."""
    n_clips = draw(st.integers(6, max_clips))
    rng = np.random.RandomState(draw(st.integers(0, 10_000)))
    fold_of = np.r_[0, 1, 2, rng.randint(0, 3, n_clips - 3)]
    bunch = make_bunch(
        np.column_stack([np.arange(n_clips), rng.rand(n_clips)]).astype(np.float32),
        [f"{row}.wav" for row in range(n_clips)],
        target=rng.randint(-1, 3, n_clips),
        target_names=["ant", "bee", "cat"],
        folds=fold_of[:, None] == np.arange(3) if draw(st.booleans()) else None,
        partition=rng.choice(["train", "devel", "test", ""], n_clips)
        if draw(st.booleans())
        else None,
        groups=rng.choice(["x", "y", ""], n_clips),
        descr="drawn",
    )
    bunch.take = [chr(65 + row) for row in range(n_clips)]
    bunch.weight = rng.rand(n_clips)
    bunch.sampling_rate = 8000
    return bunch


def assert_same(one, other):
    assert list(one) == list(other)
    for key in one:
        if key == "cv":
            continue  # follows from folds
        np.testing.assert_array_equal(one[key], other[key], err_msg=key)
        assert type(one[key]) is type(other[key])


def assert_rows_of(new, old):
    """Each clip of the new data set has what the clip of its number had in the old one."""
    rows = new.data[:, 0].astype(int)
    for key in set(ROW_KEYS) & set(old):
        if key != "filenames" or "copy_of" not in new:
            np.testing.assert_array_equal(np.asarray(new[key]), np.asarray(old[key])[rows], key)
    assert type(new.take) is list
    assert new.sampling_rate == 8000
    assert new.DESCR == old.DESCR


def is_fold_sided(bunch):
    """Whether each fold still has clips of both kinds."""
    return bool(((bunch.folds == 0).any(axis=0) & (bunch.folds == 1).any(axis=0)).all())


# select


@settings(deadline=None, max_examples=60)
@given(bunches(), st.data())
def test_select_keeps_all_keys_of_the_chosen_clips(bunch, data):
    n_clips = len(bunch.filenames)
    order = data.draw(st.permutations(range(n_clips)))
    rows = order[: data.draw(st.integers(1, n_clips))]
    bunch = bunch if is_fold_sided(Rows(bunch, rows)) else drop_folds(bunch)
    before = pickle.dumps(bunch)
    chosen = select(bunch, rows)
    assert pickle.dumps(bunch) == before
    assert chosen.data[:, 0].tolist() == rows
    assert_rows_of(chosen, bunch)
    for fold, (train, test) in zip(chosen.folds.T, chosen.cv, strict=True):
        np.testing.assert_array_equal(fold[train], 0)
        np.testing.assert_array_equal(fold[test], 1)
        assert len(train) + len(test) == len(rows)

    assert_same(select(bunch, bunch.filenames[rows]), chosen)
    mask = np.isin(np.arange(n_clips), rows)
    assert_same(select(bunch, mask), select(bunch, sorted(rows)))


class Rows:
    """The folds of some clips, before they are selected."""

    def __init__(self, bunch, rows):
        self.folds = bunch.folds[rows]


def named(n_clips=6, **parts):
    names = [f"{row}.wav" for row in range(n_clips)]
    return make_bunch(parts.pop("data", names), names, **parts)


def test_select_numbers_the_chosen_classes_in_the_given_order():
    bunch = named(target=[0, 1, 2, -1, 2, 0], target_names=["ant", "bee", "cat"])
    chosen = select(bunch, classes=["cat", "ant"])
    assert chosen.filenames.tolist() == ["0.wav", "2.wav", "4.wav", "5.wav"]
    assert chosen.target.tolist() == [1, 0, 0, 1]
    assert chosen.target_names == ["cat", "ant"]
    assert select(bunch, slice(0, 3), classes=["cat"]).filenames.tolist() == ["2.wav"]


def test_select_drops_a_fold_without_training_or_test_clips_with_a_warning():
    bunch = named(folds=np.eye(6, 3, dtype=int) + np.eye(6, 3, k=-3, dtype=int))
    with pytest.warns(UserWarning, match=r"Fold\(s\) 2 of 3 have no clips left"):
        chosen = select(bunch, [0, 2, 3, 5])
    np.testing.assert_array_equal(chosen.folds, [[1, 0], [0, 1], [1, 0], [0, 1]])
    assert len(chosen.cv) == 2


@pytest.mark.parametrize("kind", [pd.Series, pd.Index, list, tuple])
def test_select_keeps_the_callers_own_keys_in_any_container(kind):
    bunch = named()
    bunch.age = kind([10, 11, 12, 13, 14, 15])
    chosen = select(bunch, [4, 1])
    assert list(chosen.age) == [14, 11]
    assert isinstance(chosen.age, list if kind is tuple else kind)


def test_select_and_concatenate_accept_a_segment_index_as_data():
    index = pd.MultiIndex.from_tuples(
        [("a.wav", k, k + 1) for k in range(6)], names=["file", "start", "end"]
    )
    bunch = named(data=index)
    chosen = select(bunch, [5, 0])
    assert chosen.data.tolist() == [("a.wav", 5, 6), ("a.wav", 0, 1)]
    assert concatenate([chosen, select(bunch, [3])]).data.names == ["file", "start", "end"]
    with pytest.raises(ValueError, match="expected entries of one kind"):
        concatenate([chosen, make_bunch(["x"], ["x"])])


def test_select_does_not_index_class_and_feature_names_even_where_lengths_agree():
    bunch = named(3, target_names=["ant", "bee", "cat"])
    bunch.feature_names = ["p", "q", "r"]
    chosen = select(bunch, [2])
    assert chosen.target_names == ["ant", "bee", "cat"]
    assert chosen.feature_names == ["p", "q", "r"]


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([], "none of the 6 clips"),
        ([0, 6], "from 0 to 6, expected positions from 0 to 5"),
        ([-1], "from -1 to -1"),
        ([1, 1], "a clip twice"),
        ([True, False], r"shape \(2,\) and dtype bool, expected a mask of shape \(6,\)"),
        ([0.5], "dtype float64"),
        ([[0, 1]], r"shape \(1, 2\)"),
        (["0.wav", "7.wav"], r"1 clip\(s\) that are not among the 6 filenames, first '7.wav'"),
        (["0.wav", "0.wav"], "a clip twice"),
        ("0.wav", r"shape \(\)"),
    ],
)
def test_select_refuses_invalid_clips(clips, message):
    with pytest.raises(ValueError, match=message):
        select(named(), clips)


@pytest.mark.parametrize("classes", [["dog"], ["ant", "ant"], "ant", []])
def test_select_refuses_unknown_classes(classes):
    bunch = named(target=[0] * 6, target_names=["ant"])
    with pytest.raises(ValueError, match="Got classes="):
        select(bunch, classes=classes)


def test_operations_refuse_a_bunch_and_name_its_missing_keys():
    bunch = named()
    del bunch["groups"]
    with pytest.raises(ValueError, match=r"Bunch without groups, expected .*make_bunch"):
        select(bunch, [0])
    with pytest.raises(ValueError, match="Got a list, expected a data set"):
        select([1], [0])
    bunch = named()
    bunch.target = bunch.target[:4]
    with pytest.raises(ValueError, match="target with 4 entries for 6 filenames"):
        select(bunch, [0])


def test_operations_refuse_a_cv_that_contradicts_the_folds():
    bunch = named(folds=np.eye(6, 2, dtype=int))
    bunch.cv = bunch.cv[::-1]
    with pytest.raises(ValueError, match="cv that is not what folds say"):
        select(bunch, [0])


# concatenate


@settings(deadline=None, max_examples=40)
@given(bunches(), st.data())
def test_concatenate_restores_a_data_set_from_its_parts(bunch, data):
    cut = data.draw(st.integers(2, len(bunch.filenames) - 2))
    if not (
        is_fold_sided(Rows(bunch, slice(cut))) and is_fold_sided(Rows(bunch, slice(cut, None)))
    ):
        bunch = drop_folds(bunch)
    parts = [select(bunch, slice(cut)), select(bunch, slice(cut, None))]
    before = pickle.dumps(parts)
    assert_same(concatenate(parts), bunch)
    assert pickle.dumps(parts) == before


def test_concatenate_matches_classes_by_name():
    one = make_bunch(["a"], ["a"], target=[1], target_names=["ant", "bee"])
    two = make_bunch(["b", "c"], ["b", "c"], target=[0, -1], target_names=["cat"])
    three = make_bunch(["d", "e"], ["d", "e"], target=[1, 0], target_names=["bee", "cat"])
    both = concatenate([one, two, three])
    assert both.target_names == ["ant", "bee", "cat"]
    assert both.target.tolist() == [1, 2, -1, 2, 1]


def test_concatenate_distinguishes_clips_and_groups_of_corpora_by_prefixes():
    one = make_bunch(["x/a", "x/b"], ["a", "b"], groups=["ann", ""], descr="first")
    two = make_bunch(["y/a"], ["a"], groups=["ann"], descr="second")
    with pytest.raises(ValueError, match=r"1 file name\(s\) in more than one data set, first 'a'"):
        concatenate([one, two])
    both = concatenate([one, two], prefixes=["x/", "y/"])
    assert both.filenames.tolist() == ["x/a", "x/b", "y/a"]
    assert both.groups.tolist() == ["x/ann", "", "y/ann"]
    assert both.DESCR == "first\n\nsecond"


def test_concatenate_lets_unlabelled_clips_without_folds_train_in_every_fold():
    folds = [[1, 0], [0, 1]]
    one = make_bunch(["a", "b"], ["a", "b"], target=[0, 0], target_names=["ant"], folds=folds)
    more = make_bunch(["c"], ["c"])
    both = concatenate([one, more])
    assert [(train.tolist(), test.tolist()) for train, test in both.cv] == [
        ([1, 2], [0]),
        ([0, 2], [1]),
    ]
    assert both.target.tolist() == [0, 0, -1]
    labelled = make_bunch(["c"], ["c"], target=[0], target_names=["ant"])
    with pytest.raises(ValueError, match="0 folds in data set 1 and 2 in another"):
        concatenate([one, labelled])


def test_concatenate_joins_regression_targets_with_unlabelled_clips_but_not_with_classes():
    values = make_bunch(["a"], ["a"], target=[0.5])
    unlabelled = make_bunch(["b"], ["b"])
    classes = make_bunch(["c"], ["c"], target=[0], target_names=["ant"])
    np.testing.assert_array_equal(concatenate([unlabelled, values]).target, [np.nan, 0.5])
    nothing = make_bunch(["d"], ["d"], target=[np.nan])
    np.testing.assert_array_equal(concatenate([nothing, classes]).target, [-1, 0])
    with pytest.raises(ValueError, match="classes in some data sets and values"):
        concatenate([values, classes])


def test_concatenate_pads_shorter_spectrograms_at_the_end():
    one = make_bunch(np.ones((1, 2, 3), np.float32), ["a"])
    two = make_bunch(np.zeros((2, 4, 3), np.float32), ["b", "c"])
    data = concatenate([one, two]).data
    assert data.shape == (3, 4, 3)
    assert data.dtype == np.float32
    np.testing.assert_array_equal(data[0, :, 0], [1, 1, np.nan, np.nan])
    np.testing.assert_array_equal(data[1:], 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": np.zeros((2, 4))}, r"float64 of shape \(2, 3\) and float64 of shape \(2, 4\)"),
        ({"data": np.zeros((2, 3, 3))}, r"of shape \(2, 3, 3\), expected entries of one kind"),
        ({"data": np.array(["x", "y"])}, "expected entries of one kind"),
        ({"age": [1, 2]}, r"key\(s\) 'age' in only one of data sets 0 and 1"),
        ({"sampling_rate": 16000}, "different sampling_rate"),
    ],
)
def test_concatenate_refuses_data_sets_that_differ_in_kind(changes, message):
    one, two = (
        make_bunch(np.zeros((2, 3)), names, descr="d") for names in (["a", "b"], ["c", "d"])
    )
    one.sampling_rate = two.sampling_rate = 8000
    two.update(changes)
    with pytest.raises(ValueError, match=message):
        concatenate([one, two])


def test_concatenate_does_not_pad_waveforms():
    for shapes in ((1, 8), (1, 9)), ((1, 1, 8), (1, 2, 8)):
        one, two = (make_bunch(np.zeros(shape), [str(shape)]) for shape in shapes)
        one.sampling_rate = two.sampling_rate = 8000
        with pytest.raises(ValueError, match="expected entries of one kind and size"):
            concatenate([one, two])


def test_concatenate_joins_data_frames_with_equal_columns():
    one = make_bunch(pd.DataFrame({"p": [1.0], "q": [2.0]}), ["a"])
    two = make_bunch(pd.DataFrame({"p": [3.0], "q": [4.0]}), ["b"])
    assert concatenate([one, two]).data.q.tolist() == [2, 4]
    two.data.columns = ["p", "r"]
    with pytest.raises(ValueError, match=r"data with columns \['p', 'q'\] and \['p', 'r'\]"):
        concatenate([one, two])


def test_concatenate_needs_data_sets_and_one_prefix_for_each():
    with pytest.raises(ValueError, match="Got no data sets"):
        concatenate([])
    with pytest.raises(ValueError, match="1 prefixes for 2 data sets"):
        concatenate([named(), named()], prefixes=["x"])


# upsample


@settings(deadline=None, max_examples=60)
@given(bunches(), st.integers(0, 3))
def test_upsample_gives_copies_the_keys_of_their_originals_and_never_tests_them(bunch, seed):
    partitions = sorted(set(bunch.partition[bunch.target >= 0].tolist()))
    if not partitions:
        return
    before = pickle.dumps(bunch)
    more = upsample(bunch, partitions=partitions, random_state=seed)
    assert pickle.dumps(bunch) == before
    assert_rows_of(more, bunch)
    n_clips = len(bunch.filenames)
    assert more.filenames[:n_clips].tolist() == bunch.filenames.tolist()
    assert len(set(more.filenames)) == len(more.filenames)
    original = np.where(more.copy_of == "", more.filenames, more.copy_of)
    np.testing.assert_array_equal(original, bunch.filenames[more.data[:, 0].astype(int)])
    for (train, test), (_, tested) in zip(more.cv, bunch.cv, strict=True):
        np.testing.assert_array_equal(test, tested)
        assert not set(original[train]) & set(original[test])

    cells = [*map(str, more.partition)], [*map(bytes, more.folds)]
    for cell in set(zip(*cells, strict=True)):
        inside = np.array([pair == cell for pair in zip(*cells, strict=True)])
        counts = np.bincount(more.target[inside & (more.target >= 0)])
        assert len(set(counts[counts > 0])) <= 1
        largest = np.bincount(bunch.target[inside[:n_clips] & (bunch.target >= 0)])
        assert max(counts, default=0) == max(largest, default=0)
    same = upsample(bunch, partitions=partitions, random_state=seed)
    assert_same(same, more)


def test_upsample_repeats_the_clips_of_a_class_evenly():
    bunch = named(10, target=[0] * 7 + [1] * 3, target_names=["ant", "bee"])
    copies = upsample(bunch, random_state=0).copy_of.tolist()
    assert sorted(copies.count(name) for name in ("7.wav", "8.wav", "9.wav")) == [1, 1, 2]
    others = {tuple(upsample(bunch, random_state=seed).copy_of) for seed in range(20)}
    assert len(others) == 3


def test_upsample_balances_every_training_set_where_all_classes_are_in_all_folds():
    target = [0, 0, 1] * 4
    folds = np.repeat([[1, 0], [0, 1]], 6, axis=0)
    bunch = named(12, target=target, target_names=["ant", "bee"], folds=folds)
    more = upsample(bunch, random_state=0)
    for train, test in more.cv:
        assert np.bincount(more.target[train]).tolist() == [4, 4]
        assert np.bincount(more.target[test]).tolist() == [4, 2]


def test_cross_validation_trains_on_copies_and_tests_none():
    rng = np.random.RandomState(0)
    bunch = named(
        20,
        data=rng.rand(20, 2),
        target=[0] * 14 + [1] * 6,
        target_names=["ant", "bee"],
        folds=np.arange(20)[:, None] % 2 == [0, 1],
    )
    more = upsample(bunch, random_state=0)
    trained_on = []

    class Majority(DummyClassifier):
        def fit(self, X, y):
            trained_on.append(np.bincount(y).tolist())
            return super().fit(X, y)

    result = evaluate(Majority(), more, controls=False)
    assert trained_on == [[7, 7]] * 2
    tested = result.predictions[0] >= 0
    np.testing.assert_array_equal(tested, more.copy_of == "")


def test_upsample_repeats_only_the_training_partition_by_default():
    partition = ["train"] * 3 + ["test"] * 3
    bunch = named(target=[0, 0, 1, 0, 0, 1], target_names=["ant", "bee"], partition=partition)
    assert upsample(bunch).copy_of[6:].tolist() == ["2.wav"]
    assert upsample(bunch, partitions="test").copy_of[6:].tolist() == ["5.wav"]
    both = upsample(bunch, partitions=["train", "test"])
    assert both.partition[6:].tolist() == ["test", "train"]


def test_upsample_gives_copies_unused_names():
    bunch = make_bunch(
        ["a"] * 4, ["a", "a#2", "b", "c"], target=[0, 1, 1, 1], target_names=["ant", "bee"]
    )
    assert upsample(bunch).filenames[4:].tolist() == ["a#3", "a#4"]


def test_upsample_refuses_data_sets_that_cannot_be_balanced():
    with pytest.raises(ValueError, match="target for regression"):
        upsample(named(target=[0.5] * 6))
    with pytest.raises(ValueError, match="no labelled clips"):
        upsample(named())
    bunch = named(target=[0] * 6, target_names=["ant"])
    with pytest.raises(ValueError, match=r"no clips in partition 'devel'.*there: ''"):
        upsample(bunch, partitions="devel")
    with pytest.raises(ValueError, match=r"with copies .key copy_of."):
        upsample(upsample(bunch))
    with pytest.raises(ValueError, match="Divide first, then upsample"):
        add_folds(upsample(bunch), 2)


def test_operations_accept_a_dict_with_the_keys_of_a_bunch(tmp_path):
    bunch = make_sounds(12, n_classes=2, n_sessions=2, random_state=0)
    features = dict(bunch) | {"data": np.eye(12)}
    assert type(features) is dict
    assert select(features, [1, 0, 2]).data[:, :3].tolist() == np.eye(3)[[1, 0, 2]].tolist()
    assert len(upsample(features).data) == 12
    assert len(concatenate([features, features], prefixes=["a", "b"]).data) == 24
    assert describe(features).n_clips == 12
    assert len(audit(dict(bunch))) == 0
    assert add_folds(drop_folds(features), 2).folds.shape == (12, 2)
    assert set(add_partitions(features, train=0.5, devel=0, test=0.5).partition) == {
        "train",
        "test",
    }
    assert not (drop_partitions(features).partition != "").any()
    save_netcdf(features, tmp_path / "features.nc")
    assert load_netcdf(tmp_path / "features.nc").data.shape == (12, 12)
    assert fuse([features, features]).data.shape == (12, 24)
    with pytest.raises(TypeError, match="Got one bunch"):
        fuse(features)
