"""What may be concluded: each sentence, where it is due and where it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from skaudeep.datasets import make_bunch
from skaudeep.evaluation import Evaluation
from skaudeep.reporting.conclusions import conclude, conclude_curve
from skaudeep.reporting.corpus import understand

N = 80


def evaluation(share_right: float, n_clips: int = N, **options: Any) -> Evaluation:
    target = np.arange(n_clips) % 2
    right = np.arange(n_clips) // 2 < round(share_right * n_clips / 2)
    defaults = {
        "groups": [f"group {row // 2}" for row in range(n_clips)],
        "n_train": 60.0,
        "protocol": "inductive",
    }
    return Evaluation(
        target=target,
        target_names=["owl", "crow"],
        test=[np.arange(n_clips)],
        fold_predictions=[[np.where(right, target, 1 - target)]],
        seeds=[0],
        **(defaults | options),
    )


def corpus(target: Any = None, folds: Any = None, n_clips: int = N, **options: Any) -> Any:
    rng = np.random.default_rng(0)
    target = np.arange(n_clips) % 2 if target is None else target
    names = [f"{row}.wav" for row in range(n_clips)]
    data = options.pop("data", rng.uniform(-0.5, 0.5, (n_clips, 200)))
    bunch = make_bunch(data, names, target=target, target_names=["owl", "crow"], **options)
    bunch.sampling_rate = 8000
    return understand(bunch, folds, 0)


def sentences(*arguments: Any) -> str:
    return " ".join(found.text for found in conclude(*arguments))


def test_a_good_score_says_what_to_expect_and_a_chance_score_that_nothing_is_shown():
    good, bad = (conclude(corpus(), evaluation(share))[0] for share in (0.9, 0.5))
    low, high = evaluation(0.9).uar_interval
    assert good.holds
    assert f"expect a UAR of {100 * low:.0f} to {100 * high:.0f} %, where guessing gives 50 %" in (
        good.text
    )
    assert not bad.holds
    assert bad.text.startswith("It is not shown that the 2 classes can be told apart")


@pytest.mark.parametrize(
    ("control", "sentence"),
    [
        (0.5, "That is better than the control “mel”"),
        (0.89, "It is not shown to be better than the control “mel”"),
        (1.0, "The control “mel” is better"),
    ],
)
def test_a_control_is_compared_by_the_interval_of_the_difference(control, sentence):
    found = evaluation(0.85, controls={"mel": evaluation(control)})
    assert sentence in sentences(corpus(), found)


def test_a_control_that_failed_is_named_and_one_that_does_not_suit_is_not():
    found = evaluation(0.9, controls_left_out={"mel": "it failed: no", "network": "none is there"})
    text = sentences(corpus(), found)
    assert "The control “mel” is left out: it failed: no." in text
    assert "network" not in text


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        (None, "No groups are known."),
        (["one"] * N, "All tested clips are of one group"),
        ([f"{row % 6}" for row in range(N)], "6 groups are few"),
    ],
)
def test_missing_and_few_groups_are_limits(groups, sentence):
    assert sentence in sentences(corpus(), evaluation(0.9, groups=groups))
    assert sentence not in sentences(corpus(), evaluation(0.9))


def test_groups_recordings_and_duplicates_on_both_sides_are_counted():
    folds = [(np.arange(40), np.arange(40, 80))]
    data = np.random.default_rng(0).uniform(-0.5, 0.5, (N, 200))
    data[45] = data[3]
    groups = [f"{row % 40}" if row < 2 or row in (40, 41) else f"alone {row}" for row in range(N)]
    text = sentences(corpus(folds=folds, data=data, groups=groups), evaluation(0.9))
    assert "2 groups are in training and test at once (in 1 of 1 folds)" in text
    assert "1 clip occurs more than once and in training and test at once" in text
    assert "at once" not in sentences(corpus(folds=folds), evaluation(0.9))


def test_a_copy_without_a_label_is_no_leak():
    data = np.random.default_rng(0).uniform(-0.5, 0.5, (N, 200))
    data[45] = data[3]
    target = np.arange(N) % 2
    target[3] = -1
    text = sentences(corpus(target, data=data), evaluation(0.9))
    assert "at once" not in text
    assert "1 clips have no label" in text


def test_transductive_scores_and_rare_classes_are_limits():
    text = sentences(corpus(), evaluation(0.9, protocol="transductive"))
    assert "(transductive)" in text
    assert "2 classes have fewer than 10 tested clips" in sentences(corpus(), evaluation(0.9, 16))


@pytest.mark.parametrize(
    ("half", "sentence"),
    [(0.5, "are likely to help"), (0.9, "would hardly help"), (0.86, "is open")],
)
def test_the_learning_curve_says_whether_more_labels_help(half, sentence):
    part = evaluation(half, n_train=30.0)
    assert sentence in conclude_curve(evaluation(0.9, learning_curve={30.0: part}))
    assert conclude_curve(replace(evaluation(0.9), learning_curve={})) == ""
