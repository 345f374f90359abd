"""Tables of clips, of errors, and for notebooks."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skaudeep.evaluation.results import Evaluation

# Two folds and two repeats of five clips of two classes; the last clip is in no test.
EVALUATION = Evaluation(
    target=np.array([0, 0, 1, 1, -1]),
    target_names=["dog", "rain & snow"],
    test=[np.array([0, 2]), np.array([1, 3])],
    fold_predictions=[
        [np.array([0, 0]), np.array([1, 0])],
        [np.array([0, 0]), np.array([0, 0])],
    ],
    fold_probabilities=[
        [np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([[0.3, 0.7], [0.8, 0.2]])],
        [np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([[0.9, 0.1], [0.8, 0.2]])],
    ],
    protocol="inductive",
    seeds=[0, 1],
    filenames=np.array(["a.wav", "b.wav", "c.wav", "d.wav", "e.wav"]),
)


def test_a_row_for_each_tested_clip_says_how_often_it_was_right():
    expected = pd.DataFrame(
        {
            "filename": ["a.wav", "b.wav", "c.wav", "d.wav"],
            "fold": [1, 2, 1, 2],
            "target": ["dog", "dog", "rain & snow", "rain & snow"],
            "predicted": ["dog", "dog", "dog", "dog"],
            "correct": [1, 0.5, 0, 0],
            "probability": [0.9, 0.6, 0.7, 0.8],
        },
        index=pd.Index([0, 1, 2, 3], name="clip"),
    )
    pd.testing.assert_frame_equal(EVALUATION.to_frame(), expected, check_dtype=False)


def test_errors_begin_with_the_clip_most_often_and_most_surely_wrong():
    errors = EVALUATION.errors()
    assert errors.index.tolist() == [3, 2, 1]
    assert errors.correct.tolist() == [0, 0, 0.5]
    assert errors.predicted.tolist() == ["dog", "dog", "rain & snow"]  # what it was mistaken for
    np.testing.assert_allclose(errors.probability, [0.8, 0.7, 0.4])


def test_errors_without_probabilities_begin_with_the_largest_margin():
    decisions = [np.array([[0.5, -0.5], [0.2, 0.1]]), np.array([[-1.0, 2.0], [3.0, -3.0]])]
    once = replace(
        EVALUATION,
        fold_predictions=EVALUATION.fold_predictions[:1],
        fold_probabilities=None,
        fold_decision_values=[decisions],
        seeds=[0],
    )
    errors = once.errors()
    assert errors.filename.tolist() == ["d.wav", "b.wav", "c.wav"]
    np.testing.assert_allclose(errors.margin, [6, 3, 0.1])
    assert EVALUATION.decision_values is None


def test_a_clip_that_several_folds_test_names_them():
    test = [np.array([0, 2]), np.array([1, 2, 3])]
    predictions = [[np.array([0, 0]), np.array([1, 0, 0])]]
    twice = replace(
        EVALUATION, test=test, fold_predictions=predictions, fold_probabilities=None, seeds=[0]
    )
    assert twice.to_frame().fold.tolist() == ["1", "2", "1, 2", "2"]


def test_what_is_not_known_has_no_column():
    bare = replace(EVALUATION, filenames=None, fold_probabilities=None)
    assert list(bare.to_frame()) == ["fold", "target", "predicted", "correct"]
    assert bare.errors().index.tolist() == [2, 3, 1]


def test_groups_have_a_column_where_they_are_known():
    grouped = replace(EVALUATION, groups=["ann", "bob", "ann", "", "cid"])
    assert grouped.to_frame().group.tolist() == ["ann", "bob", "ann", ""]


def test_no_error_gives_a_table_without_rows():
    truth = [EVALUATION.target[test] for test in EVALUATION.test]
    perfect = replace(EVALUATION, fold_predictions=[truth, truth])
    assert list(perfect.errors()) == list(perfect.to_frame())
    assert len(perfect.errors()) == 0


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a & b"])
def test_notebooks_show_the_printed_table_escaped(name):
    html = replace(EVALUATION, controls={name: EVALUATION})._repr_html_()
    assert name not in html
    assert html.startswith("<pre>")
    assert "accuracy %" in html
    assert "&lt;script&gt;" in html or "a &amp; b" in html
