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
    if "probability" not in table:
        return table.sort_values("correct", kind="stable")
    return table.sort_values(["correct", "probability"], ascending=[True, False], kind="stable")


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
    """Return what tables of clips begin with: file names and groups, where they are known."""
    columns = {}
    if evaluation.filenames is not None:
        name = "filename" if evaluation.unit == "clip" else "group"
        columns[name] = np.asarray(evaluation.filenames)[clips]
    if evaluation.groups is not None:
        columns["group"] = np.asarray(evaluation.groups)[clips]
    return columns


def fold_column(evaluation: "FoldedEvaluation", clips: np.ndarray) -> dict[str, np.ndarray]:
    """Return the number of the fold that tested each clip, from 1; nothing if several tested one.

    Folds are the same in all repeats.
    """
    n_tests, fold_of = np.zeros((2, len(evaluation.target)), dtype=np.int64)
    for number, test in enumerate(evaluation.test, 1):
        n_tests[test] += 1
        fold_of[test] = number
    return {"fold": fold_of[clips]} if (n_tests < 2).all() else {}


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
    columns |= fold_column(evaluation, clips)
    return pd.DataFrame(columns, index=pd.Index(clips, name=evaluation.unit))
