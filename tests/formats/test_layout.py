"""Instances: which clip and chunk each is, what they have in common, what they are called."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skaudeep.datasets import make_bunch
from skaudeep.formats.layout import (
    complete_bunch,
    decode_target,
    frame_counts,
    group_by_clip,
    reduce_to_clips,
)

NAN = np.nan


def test_group_by_clip_numbers_clips_by_first_appearance():
    clip, first, instances = group_by_clip(
        np.array(["b", "a", "b", "c"]), np.array([1.0, 0, 0, 0]), "a.nc"
    )
    assert clip.tolist() == [0, 1, 0, 2]
    assert first.tolist() == [0, 1, 3]
    assert instances.tolist() == [[2, 0], [1, -1], [3, -1]]


def test_group_by_clip_omits_the_axis_of_single_chunks_unless_n_chunks_is_given():
    names, numbers = np.array(["b", "a"]), np.zeros(2)
    assert group_by_clip(names, numbers, "a.nc")[2].tolist() == [0, 1]
    assert group_by_clip(names, numbers, "a.nc", 1)[2].tolist() == [[0], [1]]
    assert group_by_clip(names, numbers, "a.nc", 2)[2].tolist() == [[0, -1], [1, -1]]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.randoms())
def test_group_by_clip_sorts_chunks_by_number(n_chunks: list[int], random):
    rows = [(f"{clip}", chunk) for clip, n in enumerate(n_chunks) for chunk in range(n)]
    random.shuffle(rows)
    names, numbers = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    clip, first, instances = group_by_clip(names, numbers, "a.nc", max(n_chunks))
    assert (names[first][clip] == names).all()
    for name, of_clip in zip(names[first], instances, strict=True):
        there = of_clip[of_clip >= 0]
        assert len(there) == n_chunks[int(name)]
        assert (names[there] == name).all()
        assert numbers[there].tolist() == list(range(len(there)))


@pytest.mark.parametrize(
    ("names", "numbers", "message"),
    [
        ([], [], "holds no clips"),
        (["a"], [-1], "chunk numbers from -1 to -1"),
        (["a"], [0.5], "chunk numbers from 0.5"),
        (["a"], [NAN], "chunk numbers from nan"),
        (["a", "b"], [0, 9], "from 0 to 9 among 2"),
        (["a", "b", "b"], [0, 0, 0], "has chunk 0 of 'b' twice"),
    ],
)
def test_group_by_clip_refuses_invalid_chunk_numbers(names: list, numbers: list, message: str):
    with pytest.raises(ValueError, match=rf"^a\.nc: .*{message}"):
        group_by_clip(np.array(names), np.array(numbers), "a.nc")


@pytest.mark.parametrize(
    ("numbers", "n_chunks"), [([1999] + [0] * 1999, None), ([0] * 2000, 10**8)]
)
def test_group_by_clip_refuses_numbers_that_are_out_of_proportion(
    numbers: list[int], n_chunks: int | None
):
    """A number in a file would take memory by the square of its rows, or of any size."""
    names = np.array([f"{i}" for i in range(2000)])
    with pytest.raises(ValueError, match=r"a\.nc: has 2000 chunks of 2000 clips, but states "):
        group_by_clip(names, np.array(numbers), "a.nc", n_chunks)


def test_group_by_clip_accepts_one_long_clip_among_short_ones():
    names = np.array(["long"] * 900 + [f"{i}" for i in range(2000)])
    numbers = np.array([*range(900), *[0] * 2000])
    assert group_by_clip(names, numbers, "a.nc")[2].shape == (2001, 900)


def test_reduce_to_clips_takes_missing_values_for_equal_and_refuses_other_differences():
    columns = {
        "filename": np.array(["a", "b", "a"]),
        "label_numeric": np.array([NAN, 1, NAN]),
        "cv_folds": np.array([[0, 1], [1, 0], [0, 1]]),
        "DESCR": np.array("text"),
    }
    clip, first = np.array([0, 1, 0]), np.array([0, 1])
    reduced = reduce_to_clips(columns, clip, first, "a.nc")
    assert reduced["filename"].tolist() == ["a", "b"]
    assert reduced["cv_folds"].tolist() == [[0, 1], [1, 0]]
    assert str(reduced["DESCR"]) == "text"
    for name, odd in (("label_numeric", 1.0), ("cv_folds", [1, 1])):
        wrong = columns | {name: columns[name].copy()}
        wrong[name][2] = odd
        with pytest.raises(ValueError, match=rf"a\.nc: the chunks of 'a' differ in {name}"):
            reduce_to_clips(wrong, clip, first, "a.nc")


@pytest.mark.parametrize(
    ("nominal", "numeric", "label_map", "target", "names"),
    [
        (["x", "y", ""], [4, 2, NAN], None, [1, 0, -1], ["y", "x"]),  # by their number
        (["y", "x", ""], [NAN] * 3, None, [1, 0, -1], ["x", "y"]),  # by the alphabet
        (["y", "x", ""], [NAN] * 3, [("x", 7), ("y", 3)], [0, 1, -1], ["y", "x"]),
        (["x", "x", "x"], [0, 0, 0], [("x", 0), ("y", 1)], [0, 0, 0], ["x", "y"]),
        ([NAN] * 3, [0.5, NAN, 2], None, [0.5, NAN, 2], []),
        ([NAN] * 3, [NAN] * 3, None, None, []),
    ],
)
def test_decode_target_numbers_labels_and_returns_values(
    nominal, numeric, label_map, target, names
):
    columns = {
        "filename": np.array(["a", "b", "c"]),
        "label_nominal": np.array(nominal),
        "label_numeric": np.array(numeric, dtype=float),
    }
    found, found_names = decode_target(columns, label_map, "a.nc")
    if target is None:
        assert found is None
    else:
        np.testing.assert_array_equal(found, target)
    assert found_names == names


@pytest.mark.parametrize(
    ("nominal", "numeric", "label_map"),
    [
        (["x", "y"], [0, 0], None),
        (["x", ""], [0, 1], [("x", 0), ("y", 1)]),
        (["z"], [0], [("x", 0)]),
    ],
)
def test_decode_target_refuses_a_name_and_a_number_of_different_classes(
    nominal, numeric, label_map
):
    columns = {
        "filename": np.array(["a", "b"])[: len(nominal)],
        "label_nominal": np.array(nominal),
        "label_numeric": np.array(numeric, dtype=float),
    }
    with pytest.raises(ValueError, match=r"a\.nc: clip '[ab]' is labelled .* not one class"):
        decode_target(columns, label_map, "a.nc")


def test_frame_counts_ends_at_the_last_frame_that_is_not_nan():
    values = np.zeros((3, 4, 2), np.float32)
    values[1, 2:] = NAN
    values[2] = NAN
    values[0, 1] = NAN  # within
    assert frame_counts(values).tolist() == [4, 2, 0]
    assert frame_counts(values[:, :, 0][[0, 2]]).tolist() == [1, 0]  # features have one frame


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("filenames", ["a\udcff", "b"], "in filenames, which is not valid Unicode"),
        ("groups", ["a\0b", ""], "in groups, which holds a zero character"),
        ("DESCR", "\ud800", "in DESCR, which is not valid Unicode"),
        ("errors", ["gone"], "errors with 1 entries for 2 filenames"),
        ("copy_of", ["", "", "a"], "copy_of with 3 entries for 2 filenames"),
    ],
)
def test_complete_bunch_refuses_texts_that_cannot_be_stored(key: str, value: object, message: str):
    bunch = make_bunch(np.zeros((2, 3)), ["a", "b"])
    bunch[key] = value
    with pytest.raises(ValueError, match=message):
        complete_bunch(bunch)
