"""Base class of evaluations: folds, repeats, groups, controls, and printing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from skaudeep.datasets.groups import group_numbers
from skaudeep.evaluation.tables import as_html

__all__ = ["FEW_GROUPS", "MAX_FOLDS_SHOWN", "FoldedEvaluation"]

MAX_FOLDS_SHOWN = 10  # Folds of one speaker or site each can be hundreds.
FEW_GROUPS = 10  # With fewer groups, the variance between groups is poorly known.


@dataclass(frozen=True, repr=False, eq=False)
class FoldedEvaluation:
    """Base class of the evaluations of classes, of several classes and of values.

    Parameters
    ----------
    target : ndarray of shape (n_clips,) or (n_clips, n_columns)
        True classes or values.
    target_names : list of str
        Names of the classes or values.
    test : list of n_folds int arrays
        Positions in ``target`` of the clips that each fold tests. Folds may overlap.
    fold_predictions : list of n_repeats lists of n_folds arrays
        Predictions for those clips.
    protocol : {"inductive", "transductive"}
        Whether the unsupervised steps were fitted on the training clips of each fold or on all
        clips.
    seeds : list of n_repeats int
        The seed of each repeat.
    confidence_level : float, default=0.95
        Confidence level of the intervals.
    controls : dict of str to evaluation
        Evaluations of the same folds with other features or none.
    groups : array-like of shape (n_clips,), default=None
        Speaker, recording or site of each clip; "", None or NaN if it is unknown.
    controls_left_out : dict of str to str
        The reason why a control is not in ``controls``, by the name of the control.
    filenames : ndarray of shape (n_clips,), str, default=None
        Names of the clips.
    features : ndarray of shape (n_clips, n_features), default=None
        Features of all clips, if they were kept.
    n_train : float, default=nan
        Mean number of training clips of a fold.
    learning_curve : dict of float to evaluation
        Evaluations after training on parts of the training clips, by their mean number.
    unit : {"clip", "group"}, default="clip"
        The unit that is scored. With "group", ``target`` and all others have an entry for each
        group, and ``filenames`` are the names of the groups.
    group_score : str, default=""
        How a group is scored, such as "mean probability of its clips".
    clips : evaluation, default=None
        With ``unit="group"``, the same predictions scored clip by clip.
    """

    target: np.ndarray
    target_names: list[str]
    test: list[np.ndarray]
    fold_predictions: list[list[np.ndarray]]
    protocol: str
    seeds: list[int]
    confidence_level: float = 0.95
    controls: dict[str, Self] = field(default_factory=dict)
    groups: ArrayLike | None = None
    controls_left_out: dict[str, str] = field(default_factory=dict)
    filenames: np.ndarray | None = None
    features: np.ndarray | None = None
    n_train: float = float("nan")
    learning_curve: dict[float, Self] = field(default_factory=dict)
    unit: str = "clip"
    group_score: str = ""
    clips: Self | None = None

    @cached_property
    def n_groups(self) -> int:
        """Number of groups among the tested clips; 0 if no clip has a group.

        A clip without a group counts as a group of its own.
        """
        if self._group_of is None:
            return 0
        return len(np.unique(self._group_of[self._tested]))

    @cached_property
    def _tested(self) -> np.ndarray:
        return np.unique(np.concatenate(self.test))

    @cached_property
    def _group_of(self) -> np.ndarray | None:
        return None if self.groups is None else group_numbers(self.groups)

    @cached_property
    def _units(self) -> np.ndarray | None:
        """Number of the group of each tested clip, in their order; None: clips are the units."""
        if self._group_of is None:
            return None
        groups, units = np.unique(self._group_of[self._tested], return_inverse=True)
        return units if 1 < len(groups) < len(units) else None

    def _repr_html_(self) -> str:
        return as_html(self)

    def _head(self, what: str) -> str:
        """Return the first line of what is printed; `what` says how many classes there are."""
        n_folds, n_repeats, n = len(self.test), len(self.seeds), len(self._tested)
        counted = f"{n} clips"
        if self.clips is not None:
            counted = f"{n} group{'s'[: n != 1]} of {len(self.clips._tested)} clips"
        return (
            f"{self.protocol}, {n_folds} fold{'s'[: n_folds > 1]}, "
            f"{n_repeats} repeat{'s'[: n_repeats > 1]}, {counted} tested, {what}"
        )

    def _rows_to_show(self) -> dict[str, Self]:
        """Return the evaluations that are printed, by the names of their rows."""
        shown = {}
        for name, result in ({"pipeline": self} | self.controls).items():
            shown[name] = result
            if result.clips is not None:
                shown[f"{name}, per clip"] = result.clips
        return shown

    def _notes_on_units(self, shown: Mapping[str, Self]) -> list[str]:
        """Return notes on the units of the intervals, and on intervals that are rough."""
        note = f"[ ]: {100 * self.confidence_level:g} % interval over "
        if self._units is None:
            only = ", all of one group: it says nothing of other groups" * (self.n_groups == 1)
            notes = [f"{note}{self.unit}s{only}"]
            if self.group_score:
                notes.append(f"a group is scored by the {self.group_score}")
            return notes
        notes = [f"{note}{self.n_groups} groups (speakers, recordings, ...)"]
        if any(part._units is None for part in shown.values()):
            notes[0] += "; of a fold of one group, or of one clip a group: over clips"
        if self.n_groups < FEW_GROUPS:
            notes.append(
                f"{self.n_groups} groups are few: intervals are rough, and no p is below "
                f"{2 / 2**self.n_groups:.2g}"
            )
        return notes

    def _notes_on_controls(self) -> list[str]:
        return [
            f"control left out: {name}: {reason}" for name, reason in self.controls_left_out.items()
        ]
