"""Runs a pipeline over folds and repeats; work that folds share is done once."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.parallel import Parallel, delayed

from skaudeep._base import fit_with_groups
from skaudeep._progress import Progress
from skaudeep.datasets.operations import take
from skaudeep.evaluation.sharing import run_fixed_steps, run_reservoirs, tags_in
from skaudeep.evaluation.tasks import Prediction, Task, strata

__all__ = ["Folds", "Runs", "count_unsupervised", "leave_out"]

Folds = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Runs:
    """Settings with which each variant of a pipeline is run.

    Parameters
    ----------
    target : ndarray of shape (n_clips,) or (n_clips, n_columns)
        Target of the clips.
    groups : ndarray of shape (n_clips,), int, or None
        Groups of the clips, which the last step receives if its `fit` has a parameter for them.
    task : Task
        The kind of target.
    seeds : list of int
        A seed for each repeat.
    transductive : bool
        Whether the unsupervised steps are fitted to all clips.
    n_jobs : int or None
        Number of folds run in parallel.
    progress : Progress
    """

    target: np.ndarray
    groups: np.ndarray | None
    task: Task
    seeds: list[int]
    transductive: bool
    n_jobs: int | None
    progress: Progress

    def run(
        self,
        pipeline: Any,
        data: Any,
        divisions: list[Folds],
        *,
        which: str = "",
        keep_features: bool = False,
    ) -> tuple[list[list[list[Prediction]] | Exception], np.ndarray | None]:
        """Fit and test a pipeline in each fold of several divisions of the same clips.

        Parameters
        ----------
        pipeline : Pipeline or classifier
            It is not changed.
        data : sequence of n_clips clips
        divisions : list of folds
            Divisions into folds, which share work that no fold changes. An error in the first one
            is raised; an error in another one is returned.
        which : str, default=""
            Name of the pipeline in the line of progress.
        keep_features : bool, default=False
            Whether to return features of all clips, of the first repeat.

        Returns
        -------
        predictions : list of (lists of lists of Prediction, or Exception)
            Predictions by division, repeat and fold; the error of a division that failed.
        features : ndarray of shape (n_clips, ...), or None
        """
        pipeline, data = run_fixed_steps(pipeline, data, keep_controls=False)
        features = None
        found: list[list[list[Prediction]] | Exception] = [[] for _ in divisions]
        for number, seed in enumerate(self.seeds, start=1):  # states take room: one at a time
            of_repeat = f", repeat {number} of {len(self.seeds)}" if len(self.seeds) > 1 else ""
            steps, X = _seeded(pipeline, seed), data
            n = count_unsupervised(steps)
            if self.transductive and n:
                steps, X = steps[n:], clone(steps[:n]).fit_transform(X)
            else:
                steps, X = run_reservoirs(steps, X, self.progress)
            if keep_features and number == 1:
                n = count_unsupervised(steps)
                features = np.asarray(clone(steps[:n]).fit_transform(X) if n else X)
            self.progress.begin(f"Folds{which}{of_repeat}", sum(map(len, divisions)))
            for i, (folds, repeats) in enumerate(zip(divisions, found, strict=True)):
                if isinstance(repeats, Exception):
                    continue
                try:
                    repeats.append(self._predict(steps, X, folds))
                except Exception as error:
                    if i == 0:
                        raise
                    found[i] = error
        return found, features

    def _predict(self, pipeline: Any, X: Any, folds: Folds) -> list[Prediction]:
        predictions = []
        y = self.task.learnt(self.target)
        for prediction in Parallel(n_jobs=self.n_jobs, return_as="generator")(
            delayed(_fit_predict)(clone(pipeline), X, self.task, y, self.groups, train, test)
            for train, test in folds
        ):
            predictions.append(self.task.check(*prediction))
            self.progress.advance()
        return predictions


def count_unsupervised(pipeline: Any) -> int:
    """Count the steps up to the last one that is or contains an unsupervised one.

    Parameters
    ----------
    pipeline : Pipeline or classifier

    Returns
    -------
    int
        The number; 0 if the pipeline has no unsupervised step before its classifier.
    """
    steps = [step for _, step in pipeline.steps[:-1]] if isinstance(pipeline, Pipeline) else []
    last = 0
    for n, step in enumerate(steps, start=1):
        if any(tags.unsupervised for tags in tags_in(step)):
            last = n
    return last


def leave_out(
    folds: Folds, target: np.ndarray, units: np.ndarray, share: float, place: np.ndarray
) -> Folds:
    """Leave out training clips, so that a share of the groups of each class is left.

    For regression all clips count as one class. Clips without any of several classes count as a
    class of their own.

    Parameters
    ----------
    folds : list of (train, test)
    target : ndarray of shape (n_clips,) or (n_clips, n_columns)
    units : ndarray of shape (n_clips,), int
        The group of each clip, which stays or goes as a whole.
    share : float in (0, 1)
        Share of the groups of each class that stay, rounded up.
    place : ndarray of shape (n_clips,)
        Rank of the group of each clip; groups of low rank stay. With the same ranks, a larger share
        contains all clips of a smaller one.

    Returns
    -------
    list of (train, test)
    """
    reduced = []
    for train, test in folds:
        kept: set[int] = set()
        for members in strata(target[train]).T:
            of_class = train[members]
            groups, first = np.unique(units[of_class], return_index=True)
            ordered = groups[np.argsort(place[of_class[first]], kind="stable")]
            kept.update(ordered[: int(np.ceil(share * len(ordered)))].tolist())
        reduced.append((train[np.isin(units[train], list(kept))], test))
    return reduced


def _seeded(pipeline: Any, seed: int) -> Any:
    rng = np.random.RandomState(seed)
    names = [
        name
        for name in sorted(pipeline.get_params(deep=True))
        if name == "random_state" or name.endswith("__random_state")
    ]
    # Each has its own seed: networks of a fusion with equal weights would give the same features.
    return clone(pipeline).set_params(**{name: rng.randint(2**31 - 1) for name in names})


def _fit_predict(
    pipeline: Any,
    X: Any,
    task: Task,
    y: np.ndarray,
    groups: np.ndarray | None,
    train: np.ndarray,
    test: np.ndarray,
) -> tuple[Any, Any, Any]:
    """Fit a pipeline to the training clips, and return its predictions, as the task reads them."""
    with warnings.catch_warnings():
        # Callbacks of the pipeline serve the steps that know them. A classifier that does not
        # would say so in each fold.
        warnings.filterwarnings("ignore", ".* does not support callbacks", UserWarning)
        # Classes without a training clip cause a warning of ours before anything is fitted.
        warnings.filterwarnings("ignore", "Label .* is present in all training", UserWarning)
        of_train = None if groups is None else groups[train]
        fit_with_groups(pipeline, take(X, train), y[train], of_train)
    rows, last = take(X, test), pipeline
    if isinstance(pipeline, Pipeline):  # features are made once for classes and probabilities
        last = pipeline.steps[-1][1]
        rows = pipeline[:-1].transform(rows) if len(pipeline) > 1 else rows
    return task.read(last, rows)
