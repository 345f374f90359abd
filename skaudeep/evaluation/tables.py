"""Results of an evaluation as tables: a row for each clip, and HTML for notebooks."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from skaudeep.evaluation.base import FoldedEvaluation
    from skaudeep.evaluation.results import Evaluation


def list_clips(evaluation: "Evaluation") -> pd.DataFrame:
    """Return a row for each tested clip; see ``Evaluation.to_frame``."""
    clips, votes = _count_votes(evaluation)
    return _table(evaluation, clips, votes, votes.argmax(axis=1))


def list_errors(evaluation: "Evaluation") -> pd.DataFrame:
    """Return a row for each clip that was wrong at least once; see ``Evaluation.errors``."""
    clips, votes = _count_votes(evaluation)
    mistakes = votes.copy()
    mistakes[np.arange(len(clips)), evaluation.target[clips]] = 0
    wrong = mistakes.any(axis=1)
    table = _table(evaluation, clips[wrong], votes[wrong], mistakes[wrong].argmax(axis=1))
    sure = [name for name in ("probability", "margin") if name in table]
    order = [True] + [False] * len(sure)
    return table.sort_values(["correct", *sure], ascending=order, kind="stable")


def as_html(evaluation: object) -> str:
    """Return the printed form of an evaluation as HTML, for notebooks."""
    return f"<pre>{escape(str(evaluation))}</pre>"


def align(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table, its cells filled up to the width of their columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        " ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def percent(share: float, interval: tuple[float, float]) -> str:
    """Return a share and its interval in percent, as a cell of a table."""
    return f"{100 * share:5.1f} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def first_columns(evaluation: "FoldedEvaluation", clips: np.ndarray) -> dict[str, np.ndarray]:
    """Return what tables of clips begin with: names and groups, where they are known, and folds."""
    columns = {}
    if evaluation.filenames is not None:
        name = "filename" if evaluation.unit == "clip" else "group"
        columns[name] = np.asarray(evaluation.filenames)[clips]
    if evaluation.groups is not None:
        columns["group"] = np.asarray(evaluation.groups)[clips]
    columns["fold"] = _folds_of(evaluation)[clips]
    return columns


def _folds_of(evaluation: "FoldedEvaluation") -> np.ndarray:
    """Return the number of the fold that tests each clip, from 1; of several as text: "1, 3"."""
    counts = np.zeros(len(evaluation.target), dtype=np.intp)
    first = np.zeros_like(counts)
    for number, test in reversed([*enumerate(evaluation.test, start=1)]):
        first[test] = number
        counts[test] += 1
    if counts.max(initial=0) < 2:
        return first
    tested_by: list[list[str]] = [[] for _ in counts]
    for number, test in enumerate(evaluation.test, start=1):
        for clip in test:
            tested_by[clip].append(str(number))
    return np.array([", ".join(folds) for folds in tested_by], dtype=object)


def _count_votes(evaluation: "Evaluation") -> tuple[np.ndarray, np.ndarray]:
    """Return the tested clips, and how many tests of each predicted each class."""
    n_classes = len(evaluation.target_names)
    votes = np.zeros((len(evaluation.target), n_classes), dtype=np.int32)
    for folds in evaluation.fold_predictions:
        for test, predicted in zip(evaluation.test, folds, strict=True):
            votes[test, predicted] += 1
    clips = np.flatnonzero(votes.any(axis=1))
    return clips, votes[clips]


def _table(
    evaluation: "Evaluation", clips: np.ndarray, votes: np.ndarray, predicted: np.ndarray
) -> pd.DataFrame:
    names = np.array(evaluation.target_names, dtype=object)
    truth = evaluation.target[clips]
    columns = first_columns(evaluation, clips)
    columns["target"] = names[truth]
    columns["predicted"] = names[predicted]
    columns["correct"] = votes[np.arange(len(clips)), truth] / votes.sum(axis=1)
    if evaluation.probabilities is not None:
        columns["probability"] = evaluation.probabilities[clips, predicted]
    elif (decisions := evaluation.decision_values) is not None:
        others = decisions[clips]
        rows = np.arange(len(clips))
        own = others[rows, predicted]
        others[rows, predicted] = -np.inf
        columns["margin"] = own - others.max(axis=1)
    return pd.DataFrame(columns, index=pd.Index(clips, name=evaluation.unit))
