"""Makes results from predictions, for clips and for groups of clips that are scored as one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from skaudeep._texts import shown
from skaudeep.evaluation.multilabel import MultiLabelEvaluation
from skaudeep.evaluation.regression import RegressionEvaluation
from skaudeep.evaluation.results import Evaluation
from skaudeep.evaluation.runs import Folds
from skaudeep.evaluation.targets import clip_name, kind_of, labelled_clips
from skaudeep.evaluation.tasks import Prediction, Task, mean_of_units

__all__ = ["Assembly", "Merged", "merge_groups"]

RESULTS = {
    "classes": Evaluation,
    "several classes": MultiLabelEvaluation,
    "values": RegressionEvaluation,
}


@dataclass(frozen=True)
class Merged:
    """Groups that are scored as one clip each.

    Parameters
    ----------
    of_clip : ndarray of shape (n_clips,), int
        Number of the group of each clip.
    names : ndarray of shape (n_groups,), str
        Name of each group; for a clip without a group, the name of the clip.
    target : ndarray of shape (n_groups,) or (n_groups, n_columns)
        Target of the labelled clips of each group.
    """

    of_clip: np.ndarray
    names: np.ndarray
    target: np.ndarray


def merge_groups(bunch: Mapping[str, Any], target: np.ndarray, groups: np.ndarray | None) -> Merged:
    """Make one item of each group of clips.

    Parameters
    ----------
    bunch : mapping
        A data set.
    target : ndarray of shape (n_clips,) or (n_clips, n_columns)
        Its target, as `check_target` returns it.
    groups : ndarray of shape (n_clips,), int, or None
        Its groups, as `group_numbers` returns them.

    Returns
    -------
    Merged
        The groups.

    Raises
    ------
    ValueError
        If there are no groups, or labelled clips of one have different targets.
    """
    if groups is None:
        raise ValueError(
            "Got unit='group' for a bunch without groups, expected that of each clip, such as its "
            "patient or recording, in bunch.groups. skaudeep.datasets.add_groups finds it in the "
            "names of files; unit='clip' needs none."
        )
    first, of_clip = np.unique(groups, return_index=True, return_inverse=True)[1:]
    labelled = labelled_clips(target)
    # Unlabelled groups keep the target of their first clip, which says so.
    of_groups = target[first]
    known, of_known = np.unique(of_clip[labelled], return_index=True)
    of_groups[known] = target[labelled[of_known]]
    differs = target[labelled] != of_groups[of_clip[labelled]]
    differs = differs if differs.ndim == 1 else differs.any(axis=1)
    if differs.any():
        clip = labelled[np.argmax(differs)]
        other = labelled[np.argmax(of_clip[labelled] == of_clip[clip])]
        found = [f"{_label(bunch, target, i)} ({clip_name(bunch, i)})" for i in (other, clip)]
        raise ValueError(
            f"Got unit='group', but the group {shown(bunch['groups'][clip])} has clips of several "
            f"targets: {' and '.join(found)}, expected one for all clips of a group. Score clips "
            "by unit='clip', or correct groups or labels."
        )
    names = np.asarray(bunch["groups"], dtype=object)[first]
    # A clip without a group is one of its own, with the largest numbers.
    alone = np.bincount(of_clip) == 1
    for group in np.flatnonzero(alone):
        if names[group] is None or names[group] != names[group] or names[group] == "":
            names[group] = clip_name(bunch, first[group]).strip("'")
    return Merged(of_clip, np.array([str(name) for name in names]), of_groups)


def _label(bunch: Mapping[str, Any], target: np.ndarray, clip: int) -> str:
    names = bunch.get("target_names")
    if kind_of(target) == "values":
        return ", ".join(f"{value:g}" for value in target[clip])
    labels = [target[clip]] if target.ndim == 1 else np.flatnonzero(target[clip] > 0)
    if not len(labels):
        return "no class"
    return ", ".join(str(label) if names is None else shown(names[label]) for label in labels)


@dataclass(frozen=True)
class Assembly:
    """The properties that all results of one call of `evaluate` share.

    Parameters
    ----------
    bunch : mapping
        The data set.
    target : ndarray of shape (n_clips,) or (n_clips, n_columns)
        Its target.
    target_names : list of str
        Names of its classes or columns.
    task : Task
        The kind of target.
    protocol, seeds, confidence_level : str, list of int, float
        Attributes of the results, see `FoldedEvaluation`.
    merged : Merged or None
        The groups that are scored. None: clips are scored.
    """

    bunch: Mapping[str, Any]
    target: np.ndarray
    target_names: list[str]
    task: Task
    protocol: str
    seeds: list[int]
    confidence_level: float
    merged: Merged | None

    def __call__(self, folds: Folds, runs: list[list[Prediction]], **more: Any) -> Any:
        """Return the result of predictions by repeat and fold, with further attributes."""
        filenames = self.bunch.get("filenames")
        clips = more
        if self.merged is not None:  # groups are scored, and clips as well
            controls = {name: of.clips for name, of in more.get("controls", {}).items()}
            curve = {n: of.clips for n, of in more.get("learning_curve", {}).items()}
            clips = more | {"controls": controls, "learning_curve": curve}
        of_clips = self._result(
            self.target,
            [test for _, test in folds],
            runs,
            groups=self.bunch.get("groups"),
            filenames=None if filenames is None else np.asarray(filenames),
            n_train=float(np.mean([len(train) for train, _ in folds])),
            **clips,
        )
        if self.merged is None:
            return of_clips
        of_clip = self.merged.of_clip
        tests = [of_clip[test] for _, test in folds]
        scale = runs[0][0].scale
        if (features := more.get("features")) is not None:
            more = more | {"features": mean_of_units(features, of_clip)}
        return self._result(
            self.merged.target,
            [np.unique(test) for test in tests],
            [
                [self.task.mean(fold, units) for fold, units in zip(repeat, tests, strict=True)]
                for repeat in runs
            ],
            filenames=self.merged.names,
            unit="group",
            group_score=f"mean {'prediction' if scale == 'value' else scale} of its clips",
            n_train=of_clips.n_train,
            clips=of_clips,
            **more,
        )

    def _result(
        self,
        target: np.ndarray,
        test: list[np.ndarray],
        runs: list[list[Prediction]],
        **more: Any,
    ) -> Any:
        kind = kind_of(target)
        if kind == "classes":
            scores = [[fold.scores for fold in repeat] for repeat in runs]
            folds = [fold for repeat in runs for fold in repeat]
            known = all(fold.scores is not None for fold in folds)
            for name, scale in (
                ("fold_probabilities", "probability"),
                ("fold_decision_values", "decision value"),
            ):
                of_scale = known and all(fold.scale == scale for fold in folds)
                more = more | {name: scores if of_scale else None}
        return RESULTS[kind](
            target=target,
            target_names=self.target_names,
            test=test,
            fold_predictions=[[fold.output for fold in repeat] for repeat in runs],
            protocol=self.protocol,
            seeds=self.seeds,
            confidence_level=self.confidence_level,
            **more,
        )
