"""The Bunch that all readers return, and what `make_bunch` refuses."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from skaudeep.datasets import load_esc, load_folder, load_table, make_bunch, make_sounds
from skaudeep.datasets.bunch import fold_columns

KEYS = {
    *("data", "filenames", "target", "target_names", "folds", "cv", "partition", "groups"),
    *("dims", "DESCR"),
}


def touch(root, *names):
    """Write empty files: readers never open a clip."""
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def write_table(root, text, *clips, name="clips.csv", encoding="utf-8"):
    touch(root, name, *clips)
    (root / name).write_bytes(text.encode(encoding))
    return root / name


NAMES = ["a.wav", "b.wav", "c.wav"]


def test_every_reader_returns_the_same_keys_and_kinds(tmp_path):
    touch(tmp_path / "esc", "001 - Dog/1-10-A.ogg", "002 - Rain/2-11-A.ogg")
    touch(tmp_path / "plain", "x.wav")
    table = write_table(tmp_path, "file\nx.wav\n", "x.wav")
    for bunch in (
        load_esc(tmp_path / "esc"),
        load_folder(tmp_path / "plain"),
        load_table(table, path="file"),
        make_sounds(4, n_classes=2, n_sessions=2, random_state=0, folder=tmp_path / "sounds"),
        make_bunch(NAMES, NAMES),
    ):
        assert set(bunch) - {"sampling_rate"} == KEYS
        kinds = [bunch[key].dtype.kind for key in ("data", "filenames", "partition", "groups")]
        assert kinds == ["U"] * 4
        assert bunch.target.dtype == np.int64
        assert bunch.folds.dtype == np.int8
        assert bunch.folds.shape == (len(bunch.data), len(bunch.cv))
        assert isinstance(bunch.target_names, list)
        assert isinstance(bunch.DESCR, str)


def test_make_bunch_marks_unknown_labels_partitions_and_groups():
    bunch = make_bunch(NAMES, NAMES)
    assert bunch.target.tolist() == [-1, -1, -1]
    assert bunch.partition.tolist() == bunch.groups.tolist() == ["", "", ""]
    assert bunch.folds.shape == (3, 0)
    assert bunch.cv == []


def test_make_bunch_keeps_regression_targets_as_floats_with_nan_where_unlabelled():
    bunch = make_bunch(NAMES, NAMES, target=np.float32([0.5, np.nan, 2]))
    assert bunch.target.dtype == np.float64
    np.testing.assert_array_equal(bunch.target, [0.5, np.nan, 2])


def test_make_bunch_stores_missing_groups_and_partitions_as_empty_text():
    groups = [None, float("nan"), "x", "", 3]
    bunch = make_bunch(list("abcde"), list("abcde"), groups=groups)
    assert bunch.groups.tolist() == ["", "", "x", "", "3"]
    bunch = make_bunch(list("abc"), list("abc"), partition=[None, "train", ""])
    assert bunch.partition.tolist() == ["", "train", ""]


@pytest.mark.parametrize("key", ["data", "filenames"])
@pytest.mark.parametrize("value", ["ab", b"ab", {"a", "b"}])
def test_make_bunch_refuses_sets_and_single_texts(key, value):
    with pytest.raises(TypeError, match=f"Got {key} of type {type(value).__name__}, expected"):
        make_bunch(**{"data": ["a", "b"], "filenames": ["a", "b"]} | {key: value})


def test_make_bunch_keeps_data_other_than_lists_of_paths():
    features = np.zeros((3, 4), dtype=np.float32)
    assert make_bunch(features, NAMES).data is features
    assert make_bunch([Path("x", name) for name in NAMES], NAMES).data[2] == str(Path("x/c.wav"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filenames": [], "data": []}, "no clips"),
        ({"data": NAMES[:2]}, "data with 2 entries for 3 filenames"),
        ({"data": np.zeros((2, 5))}, "data with 2 entries for 3 filenames"),
        ({"filenames": ["a.wav", "b.wav", "a.wav"]}, "first 'a.wav'"),
        ({"target": [0, 1]}, "target with 2 entries for 3 filenames"),
        ({"target": [0, 1, 2]}, "target 2 for clip 'c.wav'.*index into the 2 target_names"),
        ({"target": [0, -2, 1]}, "target -2 for clip 'b.wav'"),
        ({"target": ["x", "y", "y"]}, "one integer .* or one float"),
        ({"target": [[0], [1], [1]]}, r"shape \(3, 1\)"),
        ({"target": [0.0, 1.0, 1.0]}, "float target with 2 target_names"),
        ({"target": [0.5, np.inf, 1], "target_names": []}, "target inf for clip 'b.wav'"),
        ({"target_names": ["x", "x"]}, "class 'x' twice"),
        ({"folds": [0, 1, 1]}, r"folds of shape \(3,\)"),
        ({"folds": [[0, 1], [1, 0]]}, "folds with 2 entries for 3 filenames"),
        ({"folds": [[0], [1], [2]]}, "0 .train. and 1 .test."),
        ({"folds": [[0, 0], [1, 0], [1, 0]]}, "fold 2 without test clips"),
        ({"folds": [[0, 1], [1, 1], [1, 1]]}, "fold 2 without training clips"),
        ({"partition": ["train", "test"]}, "partition with 2 entries for 3 filenames"),
        ({"partition": ["train", "dev", "test"]}, "partition 'dev' for clip 'b.wav'"),
        ({"groups": ["x"]}, "groups with 1 entries for 3 filenames"),
    ],
)
def test_make_bunch_refuses_parts_that_disagree(changes, message):
    parts = {"data": NAMES, "filenames": NAMES, "target": [0, 1, 1], "target_names": ["x", "y"]}
    with pytest.raises(ValueError, match=message):
        make_bunch(**(parts | changes))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=30).filter(lambda ids: len(set(ids)) > 1))
def test_fold_columns_test_each_clip_once_and_train_on_the_others(ids):
    folds, names = fold_columns([str(i) for i in ids])
    filenames = [f"{i}.wav" for i in range(len(ids))]
    cv = make_bunch(filenames, filenames, folds=folds, fold_names=names).cv
    for train, test in cv:
        np.testing.assert_array_equal(np.sort(np.r_[train, test]), np.arange(len(ids)))
        assert len({ids[i] for i in test}) == 1
    np.testing.assert_array_equal(
        np.sort(np.concatenate([test for _, test in cv])), np.arange(len(ids))
    )


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=20))
def test_make_bunch_turns_overlapping_folds_into_their_index_arrays(rows):
    rows = [(0, 1), (1, 0), *rows]  # so that each fold trains and tests
    filenames = [f"{i}.wav" for i in range(len(rows))]
    bunch = make_bunch(filenames, filenames, folds=rows)
    back = np.zeros((len(rows), 2), dtype=np.int8)
    for fold, (train, test) in enumerate(bunch.cv):
        back[test, fold] = 1
        assert len(train) + len(test) == len(rows)
        assert not set(train) & set(test)
    np.testing.assert_array_equal(back, bunch.folds)
    np.testing.assert_array_equal(back, rows)


def test_cross_validate_accepts_the_paths_and_folds_of_a_bunch(tmp_path):
    touch(tmp_path, *(f"fold_{i}/{c}/{i}.wav" for i in range(3) for c in ("cat", "dog")))
    bunch = load_folder(tmp_path)
    said = FunctionTransformer(lambda paths: np.array([["cat" in Path(p).parts] for p in paths]))
    scores = cross_validate(
        make_pipeline(said, DecisionTreeClassifier()),
        bunch.data,
        bunch.target,
        cv=bunch.cv,
        error_score="raise",
    )
    assert scores["test_score"].tolist() == [1, 1, 1]
