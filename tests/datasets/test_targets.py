"""Several values of each clip: the rules of such a target, and what functions make of it."""

from __future__ import annotations

import numpy as np
import pytest

from skaudeep.datasets import (
    add_folds,
    concatenate,
    describe,
    load_index,
    load_table,
    make_bunch,
    select,
    upsample,
)
from skaudeep.datasets.operations import is_labelled

NAMES = ["arousal", "valence"]


def rated(n_clips=3, **changes):
    values = np.column_stack([np.arange(n_clips), -np.arange(n_clips)]) / 2
    parts = {"target": values, "target_names": NAMES}
    names = [f"{i}.wav" for i in range(n_clips)]
    return make_bunch(np.zeros((n_clips, 4)), names, **parts | changes)


def test_a_column_of_floats_for_each_of_several_values_is_a_target():
    bunch = rated()
    assert bunch.target.dtype == np.float64
    assert bunch.target.shape == (3, 2)
    assert bunch.target_names == NAMES
    assert rated(target_names=()).target_names == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_names": ["arousal"]}, r"shape \(3, 2\) with 1 target_names, expected a column"),
        ({"target": [[0.0, 1], [np.inf, 1], [0, 1]]}, r"Got target \[inf, 1.0\] for clip '1\.wav'"),
        ({"target": np.zeros((3, 0)), "target_names": ()}, r"shape \(3, 0\)"),
    ],
)
def test_values_that_are_not_finite_or_not_one_for_each_name_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        rated(**changes)


def test_a_clip_is_labelled_where_all_of_its_values_are_known():
    values = [[0.0, 1], [np.nan, 1], [np.nan, np.nan]]
    assert is_labelled(rated(target=values)).tolist() == [True, False, False]


def test_select_takes_the_values_of_clips_and_refuses_classes():
    assert select(rated(), [2, 0]).target.tolist() == [[1, -1], [0, 0]]
    with pytest.raises(ValueError, match=r"classes=\['arousal'\] for a target to regress on"):
        select(rated(), classes=["arousal"])
    with pytest.raises(ValueError, match="Got a target for regression"):
        upsample(rated())


def test_concatenate_joins_values_of_one_kind_and_leaves_the_unlabelled_without():
    others = make_bunch(np.zeros((2, 4)), ["x", "y"])
    both = concatenate([rated(), others])
    assert both.target_names == NAMES
    assert both.target[:3].tolist() == rated().target.tolist()
    assert np.isnan(both.target[3:]).all()
    third = make_bunch(np.zeros((1, 4)), ["z"], target=[[1.0, 2.0]], target_names=["a", "b"])
    with pytest.raises(ValueError, match=r"called \['arousal', 'valence'\] in a data set and"):
        concatenate([rated(), third])
    with pytest.raises(ValueError, match=r"expected the same\. Join data sets of one task"):
        concatenate([rated(), make_bunch(np.zeros((1, 4)), ["z"], target=[1.0])])


def test_folds_hold_low_and_high_values_alike():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 1)) @ [[1.0, 100.0]]
    bunch = add_folds(rated(60, target=values), 3, random_state=0)
    means = [values[test, 1].mean() for _, test in bunch.cv]
    assert np.ptp(means) < 0.3 * values[:, 1].std()
    constant = add_folds(rated(6, target=np.ones((6, 2))), 2, random_state=0)
    assert len(constant.cv) == 2


def test_describe_gives_the_range_of_all_values_and_those_of_a_clip():
    bunch = rated(target=[[0.5, -1], [np.nan, np.nan], [2, 3]])
    assert describe(bunch).value_range == (-1, 3)
    assert describe(bunch).counts["unlabelled"]["clips"] == 1
    assert describe(bunch, clip=0).target == [0.5, -1]
    assert "target     0.5, -1" in str(describe(bunch, clip=0))
    assert describe(bunch, clip=1).target is None


def test_tables_of_clips_and_of_segments_have_a_column_for_each_value(tmp_path):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).touch()
    rows = "a.wav,0,1,0.5,-1\nb.wav,0,1,?,\n"
    table = tmp_path / "clips.csv"
    table.write_text(f"file,start,end,arousal,valence\n{rows}")
    for bunch in (
        load_table(table, path="file", target=NAMES),
        load_index(table, target=NAMES),
    ):
        np.testing.assert_array_equal(bunch.target, [[0.5, -1], [np.nan, np.nan]])
        assert bunch.target_names == NAMES
    with pytest.raises(ValueError, match="with classes, expected values to regress on"):
        load_table(table, path="file", target=NAMES, task="classification")
    with pytest.raises(ValueError, match=r"Got target=\[\], expected at least one column"):
        load_table(table, path="file", target=[])
