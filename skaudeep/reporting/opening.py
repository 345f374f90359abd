"""The first screen of the page: what the data are, the score, and what may be concluded."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from skaudeep._progress import duration
from skaudeep._texts import printable
from skaudeep.datasets.groups import group_numbers
from skaudeep.evaluation.results import Evaluation
from skaudeep.reporting.conclusions import (
    Conclusion,
    between,
    conclude,
    count_units,
    method_of,
    n_tested_classes,
    of_100,
)
from skaudeep.reporting.corpus import Corpus, describe_classes

MAX_FOLDS = 20  # rows of the table of folds
# With fewer groups, or clips where there are none, an interval of one fold says nothing: two groups
# without an error have one from 1 to 100 %.
FEWEST_UNITS = 5
_PROTOCOLS = {
    "inductive": "Inductive: nothing in the model has seen the clips that it was tested on",
    "transductive": (
        "Transductive: the steps before the classifier have seen the clips that it was tested on, "
        "without their labels"
    ),
}


@dataclass(frozen=True)
class Score:
    """UAR of the pipeline or of a control, in [0, 1]."""

    name: str
    uar: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """The score in per cent, with its interval."""
        return f"{100 * self.uar:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"

    @property
    def number(self) -> str:
        """How many of 100 clips are named rightly."""
        return of_100(self.uar)

    @property
    def sentence(self) -> str:
        """The score in words."""
        return f"{self.name}: {self.number} of 100 clips named rightly ({self.range})"

    @property
    def range(self) -> str:
        """The interval of `number`."""
        return between(self.low, self.high)


@dataclass(frozen=True)
class FoldScore:
    """What a specialist asks of one fold: shares in [0, 1], the mean over repeats.

    The interval is NaN where the fold has too few groups, or clips, for one.
    """

    n_clips: int
    uar: float
    accuracy: float
    low: float  # of the accuracy
    high: float

    @property
    def accuracy_text(self) -> str:
        """The accuracy in per cent, with its interval where it has one."""
        text = f"{100 * self.accuracy:.1f}"
        return (
            text if np.isnan(self.low) else f"{text} [{100 * self.low:.1f}, {100 * self.high:.1f}]"
        )


@dataclass(frozen=True)
class FirstScreen:
    """The title, what the data set is, the score with its controls, and what to conclude.

    Parameters
    ----------
    title : str
    corpus : str
    warnings : list of Conclusion
        What has to be read before the score, because it makes that too high.
    scores : list of Score
        The pipeline, then its controls. Empty where nothing was evaluated.
    meaning : list of str
        What the numbers and their ranges are.
    figures : list of str
        The same with the names of the measures, for specialists.
    folds : list of FoldScore
        Empty for a single fold, and for more than can be listed.
    about_folds : str
        Why folds have no interval; "" where each has one.
    chance : float
        UAR of guessing.
    conclusions : list of Conclusion
    """

    title: str
    corpus: str
    warnings: list[Conclusion]
    scores: list[Score]
    meaning: list[str]
    figures: list[str]
    folds: list[FoldScore]
    about_folds: str
    chance: float
    conclusions: list[Conclusion]

    @property
    def guessing(self) -> str:
        """How many of 100 clips guessing names rightly."""
        return of_100(self.chance)

    def lines(self) -> list[str]:
        """Return the screen as plain text, line by line."""
        return [
            self.title,
            self.corpus,
            *(line for found in self.warnings for line in found.lines()),
            *(score.sentence for score in self.scores),
            *self.meaning,
            *(f"  {text}" for text in self.figures),
            *(line for found in self.conclusions for line in found.lines()),
        ]


def first_screen(
    corpus: Corpus, evaluation: Evaluation | None, title: str, command: str | None = None
) -> FirstScreen:
    """Summarise the data set and the results; the rest of the page explains them.

    Parameters
    ----------
    corpus : Corpus
    evaluation : Evaluation or None
    title : str
    command : str, default=None
        The command that makes the page, for remedies that can be typed.

    Returns
    -------
    FirstScreen
    """
    scores, meaning, figures, folds, chance = [], [], [], [], 0.0
    if evaluation is not None:
        chance = 1 / n_tested_classes(evaluation)
        scores = [score_of("This model", evaluation)]
        for name, control in evaluation.controls.items():
            method = method_of(name, explained=True)
            scores.append(score_of(method[:1].upper() + method[1:], control))
        meaning = [_explain(evaluation)]
        figures = _in_figures(corpus, evaluation, chance)
        folds = _folds(evaluation)
    found = [
        replace(found, text=corpus.clean(found.text), figures=corpus.clean(found.figures))
        for found in conclude(corpus, evaluation, command)
    ]
    return FirstScreen(
        title=printable(title),
        corpus=describe_corpus(corpus),
        warnings=[conclusion for conclusion in found if conclusion.kind == "warning"],
        scores=scores,
        meaning=meaning,
        figures=figures,
        folds=folds,
        about_folds=_about_folds(folds, evaluation),
        chance=chance,
        conclusions=[conclusion for conclusion in found if conclusion.kind != "warning"],
    )


def _explain(evaluation: Evaluation) -> str:
    n_units, unit = count_units(evaluation)
    level = f"{100 * evaluation.confidence_level:g}"
    right, n_tests = _count_right(evaluation)
    tested = _tested(evaluation)
    each = "Each class counts equally, a rare one as much as a frequent one"
    if right == n_tests:
        each = f"All {tested} are named rightly"
    else:
        if len(evaluation.test) > 1:
            each += f", and the number is the mean of {len(evaluation.test)} tests"
        each += f"; of all {tested} together {right} {'is' if right == 1 else 'are'} named rightly"
    of = " (people, animals or recordings)" if unit == "groups" else ""
    return (
        f"{each}. In brackets is the {level} % confidence interval of the number, from "
        f"{n_units} {unit}{of}."
    )


def _count_right(evaluation: Evaluation) -> tuple[int, int]:
    """Return how many tests of a clip named it rightly, and how many tests there are."""
    counts = evaluation.confusion_matrix
    return int(counts.trace()), int(counts.sum())


def _tested(evaluation: Evaluation) -> str:
    """Name what was tested: clips, or tests of clips where some were tested more than once."""
    n_clips, n_tests = len(np.unique(np.concatenate(evaluation.test))), _count_right(evaluation)[1]
    return f"{n_clips} tested clips" if n_clips == n_tests else f"{n_tests} tests of clips"


def _in_figures(corpus: Corpus, evaluation: Evaluation, chance: float) -> list[str]:
    """Return the scores with the names of the measures, and how they were tested."""
    n_units, unit = count_units(evaluation)
    level = f"{100 * evaluation.confidence_level:g}"
    right, n_tests = _count_right(evaluation)
    n_folds = len(evaluation.test)
    means = f" UAR and accuracy are means over the {n_folds} folds;" if n_folds > 1 else ""
    found = [
        f"This model: {_measures(evaluation)}.",
        *(
            f"Control “{name}”: {_measures(control)}."
            for name, control in evaluation.controls.items()
        ),
        f"UAR, the unweighted average recall, is the share of clips that are named rightly, taken "
        f"for each class and averaged; guessing gives {100 * chance:.1f} %. Accuracy is that share "
        f"whatever the class.{means} {'o' if means else 'O'}f all {_tested(evaluation)} together "
        f"{right} {'is' if right == 1 else 'are'} right ({100 * right / n_tests:.1f} %). In [ ] "
        f"are {level} % intervals over {n_units} {unit}.",
    ]
    rates = [f"{rate:g} Hz" for rate in corpus.summary.sampling_rates]
    at = f" Recordings: {'mostly ' if len(rates) > 1 else ''}{rates[0]}." if rates else ""
    return [
        *found,
        f"Tested: {corpus.division.origin}. {_PROTOCOLS[evaluation.protocol]}.{at}",
    ]


def _measures(evaluation: Evaluation) -> str:
    accuracy = Score("", evaluation.accuracy, *evaluation.accuracy_interval)
    return f"UAR {score_of('', evaluation).text}, accuracy {accuracy.text}"


def _folds(evaluation: Evaluation) -> list[FoldScore]:
    n_folds = len(evaluation.test)
    if not 1 < n_folds <= MAX_FOLDS:
        return []
    uar, accuracy = evaluation.fold_uar.mean(axis=0), evaluation.fold_accuracy.mean(axis=0)
    intervals = np.asarray(evaluation.fold_accuracy_interval).reshape(-1, n_folds, 2).mean(axis=0)
    groups = None if evaluation.groups is None else group_numbers(evaluation.groups)
    for fold, test in enumerate(evaluation.test):
        if len(test if groups is None else np.unique(groups[test])) < FEWEST_UNITS:
            intervals[fold] = np.nan
    return [
        FoldScore(len(test), float(uar[fold]), float(accuracy[fold]), *map(float, intervals[fold]))
        for fold, test in enumerate(evaluation.test)
    ]


def _about_folds(folds: list[FoldScore], evaluation: Evaluation | None) -> str:
    n_without = sum(bool(np.isnan(fold.low)) for fold in folds)
    if not n_without or evaluation is None:
        return ""
    which = "Each fold" if n_without == len(folds) else "A fold without an interval"
    what = count_units(evaluation)[1]
    return f"{which} has too few {what} for an interval: fewer than {FEWEST_UNITS}."


def describe_corpus(corpus: Corpus) -> str:
    """Describe the data set in one line."""
    summary, bunch = corpus.summary, corpus.bunch
    n_open = corpus.n_open
    n_clips = len(corpus.names)
    parts = [f"{n_clips} {'clip' if n_clips == 1 else 'clips'}", describe_classes(bunch)]
    if corpus.left_out:
        parts.append(f"{len(corpus.left_out)} more cannot be read")
    if 0 < n_open < len(corpus.names):
        parts.append(f"{n_open} without a label")
    known = summary.durations[~np.isnan(summary.durations)]
    if len(known):
        parts.append(f"{duration(known.sum())} in all")
    if corpus.clips is None:
        parts.append(f"stored {'features' if len(bunch.dims) == 2 else 'spectrograms'}")
    parts.append(_describe_groups(summary.n_groups, n_clips))
    return ", ".join(parts)


def _describe_groups(n_groups: int, n_clips: int) -> str:
    if n_groups == n_clips > 1:
        return "each clip a group of its own"
    if n_groups == 0:
        return "groups not known"
    return f"{n_groups} {'group' if n_groups == 1 else 'groups'}"


def score_of(name: str, evaluation: Evaluation) -> Score:
    """Return the UAR of an evaluation, under a name."""
    return Score(name, evaluation.uar, *evaluation.uar_interval)
