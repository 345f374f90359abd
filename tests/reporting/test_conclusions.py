"""What may be concluded: each sentence, where it is due and where it is not."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from skaudeep.datasets import add_groups, make_bunch
from skaudeep.evaluation import Evaluation
from skaudeep.evaluation.controls import MEL_STATISTICS, UNTRAINED
from skaudeep.reporting.conclusions import (
    against,
    conclude,
    conclude_curve,
    count_units,
    how_to_group,
    method_of,
)
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
    assert "of 100 clips of new people, animals or recordings, " in good.text
    assert (
        f"{100 * low:.0f} to {100 * high:.0f} are named rightly on average; guessing names 50"
        in (good.text)
    )
    assert not bad.holds
    assert bad.text.startswith("It is not shown that the 2 classes can be told apart")


@pytest.mark.parametrize(
    ("control", "sentence"),
    [
        (0.5, "This model is better than the simpler method “mel”, which names 50 of 100 rightly"),
        (0.89, "This model is not shown to be better than the simpler method “mel”"),
        (1.0, "This model is worse than the simpler method “mel”, which names 100 of 100"),
    ],
)
def test_a_control_is_compared_by_the_interval_of_the_difference(control, sentence):
    found = evaluation(0.85, controls={"mel": evaluation(control)})
    [said] = [said for said in conclude(corpus(), found) if "mel" in said.text]
    assert said.text.startswith(sentence)
    # What a specialist asks for stands apart from the sentence.
    paired = against(found, found.controls["mel"])
    assert f"Against the control “mel”: {paired}." in said.figures
    assert "UAR" not in said.text
    assert "p = " not in said.text
    assert ("Could that be chance? Hardly." in said.text) == (control != 0.89)


def test_what_a_control_does_is_said_in_words():
    controls = {MEL_STATISTICS: evaluation(0.5), UNTRAINED: evaluation(0.5)}
    text = sentences(corpus(), evaluation(0.9, controls=controls))
    assert "better than a simpler method, which names 50 of 100 rightly" in text
    assert "better than the same network without its training" in text
    assert MEL_STATISTICS not in text
    assert "how loud each range of pitch is" in method_of(MEL_STATISTICS, explained=True)


def test_a_control_that_failed_is_named_and_one_that_does_not_suit_is_not():
    found = evaluation(0.9, controls_left_out={"mel": "it failed: no", "network": "none is there"})
    text = sentences(corpus(), found)
    assert "The comparison with the simpler method “mel” is left out: it failed: no." in text
    assert "network" not in text


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        (None, "It is not known which clips are of the same patient, animal or recording."),
        (["one"] * N, "All tested clips are of one group"),
        ([f"{row % 6}" for row in range(N)], "6 groups are few"),
    ],
)
def test_missing_and_few_groups_are_limits(groups, sentence):
    assert sentence in sentences(corpus(), evaluation(0.9, groups=groups))
    assert sentence not in sentences(corpus(), evaluation(0.9))


def named(names: list[str], target: Any) -> Any:
    rng = np.random.default_rng(0)
    data = rng.uniform(-0.5, 0.5, (len(names), 200))
    bunch = make_bunch(data, names, target=target, target_names=["owl", "crow"])
    bunch.sampling_rate = 8000
    return understand(bunch, None, 0)


def test_the_remedy_for_unknown_groups_is_a_command_with_names_of_the_readers_own_files():
    target = np.arange(24) % 2
    names = [f"{['owl', 'crow'][k]}/spk{i // 4}_{i}.wav" for i, k in enumerate(target)]
    remedy, typed = how_to_group(named(names, target), "skaudeep report birds --no-audio")
    assert typed == "skaudeep report birds --no-audio --groups '([^/_]+)_[^/]*$' --force"
    assert remedy == (
        "Your files are called, for example, 'owl/spk0_0.wav'. If 'spk0' is the patient, type "
        "(this gives 6 groups: 'spk0', 'spk1', ...):"
    )
    words = shlex.split(typed)
    found = add_groups(named(names, target).bunch, words[words.index("--groups") + 1])
    assert len(set(found.groups)) == 6
    assert how_to_group(named(names, target), None)[1] == (
        'bunch = skaudeep.datasets.add_groups(bunch, r"([^/_]+)_[^/]*$")'
    )
    again = how_to_group(named(names, target), "skaudeep report birds --force")[1]
    assert again.count("--force") == 1
    [warning] = [
        said
        for said in conclude(named(names, target), evaluation(0.9, 24, groups=None), "skaudeep x")
        if said.kind == "warning"
    ]
    assert warning.lines()[1:3] == [
        remedy,
        "  skaudeep x --groups '([^/_]+)_[^/]*$' --force",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "{i}.wav",  # no underscore
        "clip{i}_x.wav",  # each clip a group of its own
        "{label}_{i}.wav",  # what stands before the underscore is the class
    ],
)
def test_where_names_do_not_fit_the_pattern_it_is_not_advised(name):
    target = np.arange(24) % 2
    names = [name.format(i=i, label="ab"[k]) for i, k in enumerate(target)]
    remedy, typed = how_to_group(named(names, target), "skaudeep report birds")
    assert typed == ""
    assert f"for example, '{names[0]}'. Look for the part of the name that differs" in remedy
    assert "--groups '(patient[0-9]+)' --force" in remedy


def test_what_makes_the_score_too_high_stands_before_it_and_nothing_is_called_shown():
    folds = [(np.arange(40), np.arange(40, 80))]
    crossing = corpus(folds=folds, groups=[f"{row % 40}" for row in range(N)])
    one = evaluation(0.9, controls={"mel": evaluation(0.5)})
    changed = [{"groups": None}, {"groups": ["one"] * N}, {"protocol": "transductive"}, {}]
    for data, change in zip([corpus()] * 3 + [crossing], changed, strict=True):
        mel = evaluation(0.5, **change)
        found = evaluation(0.9, controls={"mel": mel}, **change)
        first, main, control, *_ = conclude(data, found)
        assert first.kind == "warning"
        assert (main.kind, control.kind) == ("open", "open")
        low, high = found.uar_interval
        assert main.text == (
            "Of 100 further clips of the same people, animals or recordings as these, "
            f"{100 * low:.0f} to {100 * high:.0f} are named rightly on average; guessing names 50. "
            "For clips of a new one, such as a new patient, the number is not known; it is likely "
            "to be lower."
        )
    assert {said.kind for said in conclude(corpus(), one)} == {"finding"}


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
    assert "1 clip has no label" in text


def test_transductive_scores_and_rare_classes_are_limits():
    found = conclude(corpus(), evaluation(0.9, protocol="transductive"))[0]
    assert found.text.startswith("The model has seen the clips that it was tested on")
    assert "(transductive)" in found.figures
    assert "2 classes have fewer than 10 tested clips" in sentences(corpus(), evaluation(0.9, 16))


@pytest.mark.parametrize(
    ("half", "sentence"),
    [(0.5, "are likely to help"), (0.9, "would hardly help"), (0.883, "is open")],
)
def test_the_learning_curve_says_whether_more_labels_help(half, sentence):
    part = evaluation(half, 600, n_train=30.0)
    found = conclude_curve(evaluation(0.9, 600, learning_curve={30.0: part}))
    assert sentence in found.text
    assert "UAR" not in found.text
    assert "points of UAR" in found.figures
    assert conclude_curve(replace(evaluation(0.9), learning_curve={})) is None


@pytest.mark.parametrize(
    ("half", "why"),
    [
        (0.9, "the two scores are the same on these clips; 80 clips are too few to say more"),
        (0.85, "the two results differ on 4 of 80 clips, which is too few to say more"),
    ],
)
def test_few_clips_that_differ_are_no_certainty(half, why):
    part = evaluation(half, n_train=30.0)
    found = conclude_curve(evaluation(0.9, learning_curve={30.0: part}))
    assert f"is open: with 60 clips to learn from instead of 30, {why}." in found.text
    text = sentences(corpus(), evaluation(0.9, controls={"mel": part}))
    assert "not shown to be better than the simpler method “mel”" in text
    assert f"rightly: {why}." in text
    assert "it may name" not in text


def test_fewer_than_ten_clips_make_no_control_better_or_worse():
    better, worse = evaluation(1.0), evaluation(0.9)  # on eight clips, and on none the other way
    for one, other in ((better, worse), (worse, better)):
        text = sentences(corpus(), replace(one, controls={"mel": other}))
        assert "This model is not shown to be better than the simpler method “mel”" in text
        assert "the two results differ on 8" in text


def test_groups_of_one_clip_each_are_called_clips():
    found = evaluation(0.9, groups=[f"group {row}" for row in range(N)])
    assert count_units(found) == (N, "clips")
    assert count_units(evaluation(0.9)) == (N // 2, "groups")
    assert "of 100 new clips of this kind" in conclude(corpus(), found)[0].text
    few = evaluation(0.9, 8, groups=[f"group {row}" for row in range(8)])
    assert "groups are few" not in sentences(corpus(), few)


def test_without_a_score_it_says_what_is_missing_labels_or_recordings():
    one = np.where(np.arange(N) < N - 1, 0, 1)
    text = sentences(corpus(one), None)
    assert "what is missing is recordings: 'crow' has a single clip. Add more of it." in text
    assert "label" not in text.replace("All clips have labels", "")
    text = sentences(corpus(groups=["spk"] * N), None)
    assert "All 80 clips are of one group, 'spk', and a group is never divided." in text
    assert "Add more" not in text
    one[0] = -1
    assert "Label more clips." in sentences(corpus(one), None)


def test_at_most_five_clips_that_cannot_be_read_are_named():
    whole = corpus()
    left_out = {f"bad {row}.wav": "is empty" for row in range(7)}
    some = replace(whole, left_out=dict(list(left_out.items())[:2]))
    assert "2 clips cannot be read and are left out: 'bad 0.wav', 'bad 1.wav'. The audit" in (
        sentences(some, evaluation(0.9))
    )
    text = sentences(replace(whole, left_out=left_out), None)
    assert "'bad 4.wav' and 2 more." in text
    assert "bad 5" not in text
