"""Data sets whose parts contradict one another are refused, with all that is wrong."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils import Bunch

from skaudeep.datasets import (
    describe,
    drop_folds,
    load_esc,
    make_bunch,
    make_sounds,
    select,
    upsample,
    validate,
)
from skaudeep.datasets.bunch import check_bunch, find_faults
from skaudeep.datasets.validation import IntegrityError


def chunked(n_clips=3, n_chunks=2):
    """Build a data set of one row per chunk, as auDeep stores it."""
    clips = np.repeat(np.arange(n_clips), n_chunks)
    bunch = make_bunch(
        np.zeros((len(clips), 4)),
        [f"{row}" for row in range(len(clips))],
        target=clips % 2,
        target_names=["ant", "bee"],
        folds=clips[:, None] == np.arange(2),
        partition=np.array(["train", "devel", "test"])[clips % 3],
        groups=[f"speaker {clip}" for clip in clips],
    )
    bunch.filenames = np.array([f"{clip}.wav" for clip in clips])
    bunch.chunk_nr = np.tile(np.arange(n_chunks), n_clips)
    return bunch


def violations(bunch):
    with pytest.raises(ValueError, match="Got a data set that breaks") as caught:
        validate(bunch)
    return caught.value.violations


def test_validate_accepts_the_results_of_readers_and_operations(shared):
    esc10 = load_esc(shared / "esc-10")
    sounds = make_sounds(21, n_classes=4, n_sessions=2, random_state=0)
    for bunch in (esc10, sounds, upsample(sounds), make_bunch(["a"], ["a"], target=[np.nan])):
        before = pickle.dumps(bunch)
        valid = validate(bunch)
        assert pickle.dumps(bunch) == before
        assert isinstance(valid, Bunch)
        assert list(valid) == list(bunch)
        assert all(valid[key] is bunch[key] for key in bunch)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 6), st.integers(1, 4), st.randoms())
def test_validate_accepts_chunks_in_any_order(n_clips, n_chunks, random):
    bunch = chunked(n_clips, n_chunks)
    order = list(range(len(bunch.filenames)))
    random.shuffle(order)
    for key in ("data", "filenames", "target", "folds", "partition", "groups", "chunk_nr"):
        bunch[key] = bunch[key][order]
    bunch.cv = [(np.flatnonzero(fold == 0), np.flatnonzero(fold)) for fold in bunch.folds.T]
    assert validate(bunch).chunk_nr is bunch.chunk_nr


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("target", 1, r"clip '0.wav' has chunks that differ in target: 0 and 1, expected one"),
        ("partition", "test", "clip '0.wav' has chunks that differ in partition: test and train"),
        ("groups", "speaker 9", "clip '0.wav' has chunks that differ in groups"),
        ("chunk_nr", 1, "clip '0.wav' has chunks 1, 1, expected each from 0 to 1 once"),
        ("chunk_nr", 5, "clip '0.wav' has chunks 1, 5, expected each from 0 to 1 once"),
    ],
)
def test_validate_checks_each_rule_about_chunks(key, value, message):
    bunch = chunked()
    bunch[key][0] = value
    (only,) = violations(bunch)
    assert message in only


def test_validate_refuses_chunks_of_one_clip_on_both_sides_of_a_fold():
    bunch = chunked()
    bunch.folds[0] = 0
    bunch.cv = [(np.flatnonzero(fold == 0), np.flatnonzero(fold)) for fold in bunch.folds.T]
    (only,) = violations(bunch)
    assert only.startswith("clip '0.wav' has chunks that differ in folds: [0, 0] and [1, 0]")


def test_validate_refuses_a_clip_with_fewer_chunks_than_others():
    bunch = chunked()
    for key in ("data", "filenames", "target", "folds", "partition", "groups", "chunk_nr"):
        bunch[key] = bunch[key][:-1]
    bunch.cv = [(np.flatnonzero(fold == 0), np.flatnonzero(fold)) for fold in bunch.folds.T]
    assert violations(bunch) == ["clip '2.wav' has 1 chunk(s), expected 2 as in other clips"]


def test_validate_takes_unlabelled_chunks_of_a_regression_for_equal():
    bunch = chunked()
    bunch.target, bunch.target_names = np.array([np.nan] * 4 + [0.5] * 2), []
    validate(bunch)
    bunch.target[0] = 2
    assert "differ in target: 2.0 and nan" in violations(bunch)[0]


def test_integrity_error_lists_every_violation_and_shows_ten():
    bunch = chunked(20)
    bunch.chunk_nr[:] = 0
    bunch.partition[::2] = "test"
    found = violations(bunch)
    assert len(found) == 20 + sum(clip % 3 != 2 for clip in range(20))
    text = str(IntegrityError(found))
    assert text.count("\n") == 12
    assert f"... and {len(found) - 10} more, see .violations" in text
    assert str(pickle.loads(pickle.dumps(IntegrityError(found)))) == text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": np.array([0, 2, 0])}, "Got target 2 for clip 'b'.*index into the 2"),
        ({"target_names": ["ant", "ant"]}, "class 'ant' twice"),
        ({"folds": np.full((3, 1), 2, np.int8)}, r"cv that is not what folds say"),
        ({"folds": np.ones((3, 1), np.int8), "cv": [([], [0, 1, 2])]}, "without training clips"),
        ({"partition": np.array(["dev", "", ""])}, "partition 'dev' for clip 'a'"),
        ({"groups": np.array(["x"])}, "groups with 1 entries for 3 filenames"),
        ({"cv": []}, "cv that is not what folds say"),
        (
            {"filenames": np.array(["a", "b", "a"])},
            r"1 file name\(s\) more than once, first 'a'.*or number the chunks .* chunk_nr",
        ),
        ({"chunk_nr": [0]}, "chunk_nr has 1 entries"),
    ],
)
def test_validate_refuses_what_make_bunch_refuses(changes, message):
    bunch = make_bunch(
        ["a", "b", "c"],
        ["a", "b", "c"],
        target=[0, 1, 0],
        target_names=["ant", "bee"],
        folds=[[0], [1], [0]],
    )
    bunch.update(changes)
    with pytest.raises(ValueError, match=message):
        validate(bunch)


def test_validate_refuses_objects_that_are_no_data_set():
    with pytest.raises(ValueError, match="Got a Bunch without data"):
        validate(Bunch())
    with pytest.raises(ValueError, match="Got a list, expected a data set"):
        validate([1, 2])


def test_validate_lists_all_broken_rules_and_check_bunch_raises_the_first():
    bunch = make_bunch(
        ["a", "b", "c"],
        ["a", "b", "c"],
        target=[0, 1, 0],
        target_names=["ant", "bee"],
        folds=[[0], [1], [0]],
    )
    bunch.target[2] = 5
    bunch.folds[1] = 0
    bunch.partition[0] = "dev"
    faults = list(find_faults(bunch))
    for fault, part in zip(faults, ["fold 1 without test", "target 5", "'dev'", "cv"], strict=True):
        assert part in fault
    assert violations(bunch) == faults
    with pytest.raises(ValueError, match="fold 1 without test clips") as caught:
        check_bunch(bunch)
    assert str(caught.value) == faults[0]
    for function in (upsample, drop_folds, describe, select):
        with pytest.raises(ValueError, match="fold 1 without test clips"):
            function(bunch)


def test_check_bunch_checks_the_keys_of_a_partial_bunch():
    bunch = {"data": np.zeros((2, 3)), "target": np.array([0, 1])}
    assert isinstance(check_bunch(bunch, required=["data", "target"]), Bunch)
    with pytest.raises(ValueError, match="Got a dict without folds, expected"):
        check_bunch(bunch, required=["data", "folds"])
    for changes, message in [
        ({"target": [0, -2]}, "target -2 for clip 1, expected a class number from 0"),
        ({"target": [0, 1, 1]}, "target with 3 entries for 2 clips"),
        ({"groups": np.array([["a", "b"]] * 2)}, r"groups of shape \(2, 2\), expected one text"),
        ({"data": np.zeros((0, 3))}, "Got no clips"),
    ]:
        with pytest.raises(ValueError, match=message):
            check_bunch(bunch | changes, required=["data", "target"])


def test_validate_names_a_few_of_many_chunks():
    bunch = chunked(n_clips=2, n_chunks=500)
    bunch.chunk_nr = bunch.chunk_nr + 1
    assert violations(bunch)[0].endswith(
        "has chunks 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 490 more, expected each from 0 to 499 once"
    )
