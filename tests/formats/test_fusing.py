"""Stored sets fused: features side by side, everything else the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.utils import Bunch

from skaudeep.datasets import make_bunch
from skaudeep.datasets.bunch import replace_keys
from skaudeep.formats.fusing import fuse
from skaudeep.formats.netcdf import load_netcdf


def small_set(**changes: object) -> Bunch:
    parts: dict[str, object] = {
        "data": np.arange(12).reshape(6, 2) / 7,
        "filenames": [f"{name}.wav" for name in "abcdef"],
        "target": [0, 1, 0, 1, 0, 2],
        "target_names": ["dog", "cat", "a bird"],
    }
    return make_bunch(**parts | changes)


PARTITION = ["train", "train", "devel", "test", "devel", "train"]
FOLDS = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 1], [1, 0]])


def with_copies(*copy_of: str) -> Bunch:
    return replace_keys(small_set(folds=FOLDS), copy_of=np.array(copy_of))


def test_fuse_gives_the_features_of_audeep(shared: Path):
    stored = load_netcdf(shared / "audeep-reference" / "features-8.nc")
    expected = load_netcdf(shared / "audeep-reference" / "features-8-fused.nc")
    fused = fuse([stored, stored])
    np.testing.assert_array_equal(fused.data, expected.data)
    assert fused.filenames.tolist() == expected.filenames.tolist()


def test_fuse_concatenates_features(tmp_path: Path):
    chunks = np.arange(36).reshape(6, 3, 2)
    fused = fuse([small_set(data=chunks), small_set(data=chunks[:, :, :1], groups=list("uvwxyz"))])
    np.testing.assert_array_equal(fused.data, chunks[:, :, [0, 1, 0]])
    assert fused.data.dtype == np.float32
    assert fused.groups.tolist() == list("uvwxyz")
    assert fused.target_names == ["dog", "cat", "a bird"]


def test_fuse_concatenates_the_frames_of_clips_of_unequal_length():
    rows = [np.ones((3, 2)), np.ones((1, 2)), *np.ones((4, 2, 2))]
    fused = fuse([small_set(data=rows), small_set(data=rows)]).data
    assert fused.shape == (6, 3, 4)
    assert np.isnan(fused[1, 1:]).all()
    assert np.isnan(fused).sum() == (2 + 4) * 4
    with pytest.raises(ValueError, match="Clips are extracted first"):
        fuse([small_set(data=list("abcdef"))])


def test_fuse_keeps_copy_of():
    one, other = with_copies("", "a.wav", *[""] * 4), with_copies("", "c.wav", *[""] * 4)
    fused = fuse([one, one])
    assert fused.copy_of.tolist() == one.copy_of.tolist()
    assert all(1 not in test for _, test in fused.cv)
    with pytest.raises(ValueError, match="a key copy_of True in set 0 and False in set 1"):
        fuse([one, small_set(folds=FOLDS)])
    with pytest.raises(ValueError, match=r"copy_of of clip 1 \('b.wav'\) 'a.wav' .* and 'c.wav'"):
        fuse([one, other])


def test_fuse_of_one_set_changes_nothing():
    np.testing.assert_array_equal(fuse([small_set()]).data, small_set().data.astype(np.float32))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"filenames": list("abcxef")},
            r"filenames of clip 0 \('a.wav'\) 'a.wav' in set 0 and 'a'",
        ),
        ({"target": [0, 1, 0, 0, 0, 2]}, r"target of clip 3 \('d.wav'\) 1 in set 0 and 0 in set 1"),
        ({"target_names": ["dog", "cow", "a bird"]}, "target_names"),
        ({"folds": FOLDS[:, ::-1]}, r"folds of clip 0 \('a.wav'\) \[1, 0\] in set 0 and \[0, 1\]"),
        ({"folds": FOLDS[:, :1]}, "number of folds 2 in set 0 and 1 in set 1"),
        ({"partition": ["train"] * 6}, r"partition of clip 2 \('c.wav'\) 'devel' .* 'train'"),
        ({"groups": list("aaaaab")}, r"groups of clip 5 \('f.wav'\) 'a' in set 0 and 'b'"),
        ({"data": np.zeros((6, 2, 2))}, r"shape \(6, 2\) in set 0 and \(6, 2, 2\) in set 1"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_fuse_names_the_first_difference_between_sets(changes: dict, message: str):
    common = {"folds": FOLDS, "partition": PARTITION, "groups": ["a"] * 6}
    with pytest.raises(ValueError, match=message):
        fuse([small_set(**common), small_set(**common | changes)])


def test_fuse_refuses_sets_of_other_lengths_and_an_empty_list():
    shorter = make_bunch(np.zeros((1, 2)), ["a.wav"], target=[0], target_names=["dog"])
    with pytest.raises(ValueError, match="number of clips 6 in set 0 and 1 in set 1"):
        fuse([small_set(), shorter])
    with pytest.raises(ValueError, match="no sets"):
        fuse([])
    with pytest.raises(TypeError, match="Got one bunch, expected a list"):
        fuse(shorter)


def test_fuse_takes_missing_targets_for_equal():
    lacking = {"target": np.array([0.5, np.nan, 1, 2, 3, 4]), "target_names": ()}
    assert fuse([small_set(**lacking), small_set(**lacking)]).data.shape == (6, 4)


def two_clips(*lengths: int, first: float = 0.0, n_bands: int = 2) -> Bunch:
    """Clips of so many frames, each frame with a number of its own in all bands."""
    rows = [np.repeat(first + np.arange(n, dtype=float)[:, None], n_bands, 1) for n in lengths]
    return make_bunch(rows, ["a.wav", "b.wav"])


def test_fuse_puts_frames_one_after_the_other_without_padding_between_them():
    fused = fuse([two_clips(1, 3), two_clips(4, 2, first=10.0)], axis="time")
    nan = np.nan
    expected = [[0, 10, 11, 12, 13], [0, 1, 2, 10, 11]]
    np.testing.assert_array_equal(fused.data, np.repeat(np.array(expected)[:, :, None], 2, axis=2))
    assert fused.dims == ("clip", "frame", "band")
    assert fused.data.dtype == np.float32
    # Chunks stay chunks; a row that one of the sets lacks is missing.
    chunks = np.arange(4.0).reshape(1, 2, 2, 1)
    lacking = chunks.copy()
    lacking[0, 1] = nan
    sets = [make_bunch(data, ["a.wav"]) for data in (chunks, lacking)]
    expected = [[[[0], [1], [0], [1]], [[nan]] * 4]]
    np.testing.assert_array_equal(fuse(sets, axis="time").data, expected)


def test_fuse_puts_bands_side_by_side_where_frames_are_the_same():
    one, other = two_clips(3, 1), two_clips(3, 1, first=10.0, n_bands=1)
    fused = fuse([one, other], axis="frequency")
    np.testing.assert_array_equal(fused.data[0], [[0, 0, 10], [1, 1, 11], [2, 2, 12]])
    np.testing.assert_array_equal(fused.data, fuse([one, other]).data)
    with pytest.raises(ValueError, match=r"1 frames of clip 1 \('b.wav'\) in set 0 and 2 in set 1"):
        fuse([one, two_clips(3, 2)], axis="frequency")


@pytest.mark.parametrize(
    ("sets", "axis", "message"),
    [
        ([two_clips(3, 1)] * 2, "bands", "Got axis='bands', expected None or one of frequency, ti"),
        ([small_set()] * 2, "time", r"dims \('clip', 'feature'\) with axis='time', expected spec"),
        ([two_clips(3, 1), two_clips(3, 1, n_bands=3)], "time", "all axes but the last but one"),
        ([two_clips(3, 1), two_clips(2, 1)], "frequency", "all axes but the last"),
    ],
    ids=["axis", "features", "bands", "frames"],
)
def test_fuse_refuses_an_axis_that_is_none_of_the_data(sets: list, axis: str, message: str):
    with pytest.raises(ValueError, match=message):
        fuse(sets, axis=axis)
