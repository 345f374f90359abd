"""The first screen of the page: what the data are, the score, and what may be concluded."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from skaudeep._progress import duration
from skaudeep._texts import printable
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
    """What a specialist asks of one fold: shares in [0, 1], the mean over repeats."""

    n_clips: int
    uar: float
    accuracy: float
    low: float  # of the accuracy
    high: float


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


def first_screen(corpus: Corpus, evaluation: Evaluation | None, title: str) -> FirstScreen:
    """Summarise the data set and the results; the rest of the page explains them.

    Parameters
    ----------
    corpus : Corpus
    evaluation : Evaluation or None
    title : str

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
        for found in conclude(corpus, evaluation)
    ]
    return FirstScreen(
        title=printable(title),
        corpus=describe_corpus(corpus),
        warnings=[conclusion for conclusion in found if conclusion.kind == "warning"],
        scores=scores,
        meaning=meaning,
        figures=figures,
        folds=folds,
        chance=chance,
        conclusions=[conclusion for conclusion in found if conclusion.kind != "warning"],
    )


def _explain(evaluation: Evaluation) -> str:
    n_units, unit = count_units(evaluation)
    level = f"{100 * evaluation.confidence_level:g}"
    each = "Each class counts equally, a rare one as much as a frequent one"
    if evaluation.uar == 1:
        n_clips = len(np.unique(np.concatenate(evaluation.test)))
        each = f"All {n_clips} tested clips are named rightly"
    return (
        f"{each}. In brackets is the {level} % confidence interval of the number, from "
        f"{n_units} {unit}."
    )


def _in_figures(corpus: Corpus, evaluation: Evaluation, chance: float) -> list[str]:
    """Return the scores with the names of the measures, and how they were tested."""
    n_units, unit = count_units(evaluation)
    level = f"{100 * evaluation.confidence_level:g}"
    low, high = evaluation.accuracy_interval
    accuracy = Score("", evaluation.accuracy, low, high).text
    found = [
        f"This model: UAR {score_of('', evaluation).text}, accuracy {accuracy}.",
        *(
            f"Control “{name}”: UAR {score_of('', control).text}."
            for name, control in evaluation.controls.items()
        ),
        f"UAR, the unweighted average recall, is the share of clips that are named rightly, taken "
        f"for each class and averaged; guessing gives {100 * chance:.1f} %. Accuracy is that share "
        f"of all clips. In [ ] are {level} % intervals over {n_units} {unit}.",
    ]
    rates = [f"{rate:g} Hz" for rate in corpus.summary.sampling_rates]
    at = f" Recordings: {'mostly ' if len(rates) > 1 else ''}{rates[0]}." if rates else ""
    return [*found, f"Tested: {corpus.division.origin}, {evaluation.protocol}.{at}"]


def _folds(evaluation: Evaluation) -> list[FoldScore]:
    n_folds = len(evaluation.test)
    if not 1 < n_folds <= MAX_FOLDS:
        return []
    uar, accuracy = evaluation.fold_uar.mean(axis=0), evaluation.fold_accuracy.mean(axis=0)
    intervals = np.asarray(evaluation.fold_accuracy_interval).reshape(-1, n_folds, 2).mean(axis=0)
    return [
        FoldScore(len(test), float(uar[fold]), float(accuracy[fold]), *map(float, intervals[fold]))
        for fold, test in enumerate(evaluation.test)
    ]


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
