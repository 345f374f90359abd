"""Kinds of prediction tasks: a class per clip, several classes, or values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor

from skaudeep.evaluation.targets import Kind, kind_of

__all__ = ["Prediction", "Task", "make_task", "strata"]

Scale = Literal["probability", "decision value", "value"]


@dataclass(frozen=True)
class Prediction:
    """Predictions of a pipeline for the test clips of one fold.

    Parameters
    ----------
    output : ndarray of shape (n_test,), int, or (n_test, n_columns), float
        Classes; or the scores of classes, or values.
    scores : ndarray of shape (n_test, n_classes), or None
        Score of each class. None if only the class is known.
    scale : {"probability", "decision value", "value"}
        Kind of the scores, or of the values of the output.
    """

    output: np.ndarray
    scores: np.ndarray | None
    scale: Scale


@dataclass(frozen=True)
class Task(ABC):
    """Base class of tasks: passes a target to estimators, and checks their predictions.

    Parameters
    ----------
    n_columns : int
        Number of classes or of values.
    of_groups : bool
        Whether scores are needed, to average them over the clips of a group.
    """

    n_columns: int
    of_groups: bool

    def learnt(self, target: np.ndarray) -> np.ndarray:
        """Return a target in scikit-learn's form: a single column becomes a vector."""
        return target[:, 0] if target.ndim == 2 and self.n_columns == 1 else target

    @abstractmethod
    def read(self, estimator: Any, rows: Any) -> tuple[Any, Any, Scale]:
        """Return the predictions of a fitted estimator, as arguments of `check`."""

    @abstractmethod
    def check(self, output: Any, scores: Any, scale: Scale) -> Prediction:
        """Check that predictions fit the target, and return them."""

    @abstractmethod
    def mean(self, prediction: Prediction, units: np.ndarray) -> Prediction:
        """Return predictions of groups: means over their clips; `units` is the group of a clip."""

    @abstractmethod
    def dummies(self) -> dict[str, Any]:
        """Return controls that do not depend on the data of clips, by name."""


class Classes(Task):
    """One class for each clip: ``target`` of shape (n_clips,)."""

    def read(self, estimator: Any, rows: Any) -> tuple[Any, Any, Scale]:
        predicted = np.asarray(estimator.predict(rows))
        if hasattr(estimator, "predict_proba"):
            probabilities = np.asarray(estimator.predict_proba(rows))
            return predicted, (np.asarray(estimator.classes_), probabilities), "probability"
        if not self.of_groups and not hasattr(estimator, "decision_function"):
            return predicted, None, "probability"
        classes = np.asarray(estimator.classes_)
        decisions = np.asarray(estimator.decision_function(rows))
        if decisions.ndim == 1:
            decisions = np.stack([-decisions, decisions], axis=1)
        # Scores of pairs of classes, or of anything else, say nothing of a class.
        of_classes = decisions.shape == (len(predicted), len(classes))
        if not self.of_groups and not (
            of_classes and (classes[decisions.argmax(axis=1)] == predicted).all()
        ):
            return predicted, None, "probability"
        return predicted, (classes, decisions), "decision value"

    def check(self, output: Any, scores: Any, scale: Scale) -> Prediction:
        wrong = ~np.isin(output, np.arange(self.n_columns))
        if wrong.any():
            raise ValueError(
                f"The pipeline predicted {output[wrong].tolist()[0]!r}, expected class "
                f"numbers from 0 to {self.n_columns - 1}; end it in a classifier that is fitted on "
                "the target."
            )
        if scores is None:
            return Prediction(output.astype(np.intp), None, scale)
        classes, known = scores
        if len(classes) != known.shape[1]:
            raise ValueError(
                f"The pipeline gives {known.shape[1]} decision values for {len(classes)} classes, "
                "expected one for each; pass decision_function_shape='ovr' to its SVC."
            )
        complete = np.full((len(output), self.n_columns), NO_CHANCE[scale])
        complete[:, np.asarray(classes, dtype=np.intp)] = known
        return Prediction(output.astype(np.intp), complete, scale)

    def mean(self, prediction: Prediction, units: np.ndarray) -> Prediction:
        assert prediction.scores is not None
        scores = mean_of_units(prediction.scores, units)
        return Prediction(scores.argmax(axis=1), scores, prediction.scale)

    def dummies(self) -> dict[str, Any]:
        return {"most frequent class": DummyClassifier(strategy="most_frequent")}


class SeveralClasses(Task):
    """Any number of classes for each clip: ``target`` of shape (n_clips, n_classes), 0 and 1."""

    def read(self, estimator: Any, rows: Any) -> tuple[Any, Any, Scale]:
        if not hasattr(estimator, "predict_proba"):
            return np.asarray(estimator.decision_function(rows)), None, "decision value"
        known: Any = estimator.predict_proba(rows)
        classes: Any = getattr(estimator, "classes_", None)
        if isinstance(known, list):  # forests and others: an array of two columns for each class
            return [*map(_positive, known, classes)], None, "probability"
        known = np.asarray(known)
        return (_positive(known, classes) if self.n_columns == 1 else known), None, "probability"

    def check(self, output: Any, scores: Any, scale: Scale) -> Prediction:
        found = np.stack(output, axis=1) if isinstance(output, list) else output
        found = found.astype(np.float64)
        if found.ndim == 1:
            found = found[:, np.newaxis]
        return Prediction(_complete(found, self.n_columns, f"a {scale} of each class"), None, scale)

    def mean(self, prediction: Prediction, units: np.ndarray) -> Prediction:
        return Prediction(mean_of_units(prediction.output, units), None, prediction.scale)

    def dummies(self) -> dict[str, Any]:
        return {}  # chance level is the share of the clips that have a class


class Values(Task):
    """Values to regress on: ``target`` of shape (n_clips, n_targets), float."""

    def read(self, estimator: Any, rows: Any) -> tuple[Any, Any, Scale]:
        return np.asarray(estimator.predict(rows)), None, "value"

    def check(self, output: Any, scores: Any, scale: Scale) -> Prediction:
        found = np.asarray(output)
        if found.dtype.kind not in "iuf":
            raise ValueError(
                f"The pipeline predicted {found.ravel()[:1].tolist()[0]!r}, expected a number for "
                "each clip; end it in a regressor that is fitted on the target."
            )
        found = found.astype(np.float64)
        if found.ndim == 1:
            found = found[:, np.newaxis]
        return Prediction(_complete(found, self.n_columns, "a value of each target"), None, scale)

    def mean(self, prediction: Prediction, units: np.ndarray) -> Prediction:
        return Prediction(mean_of_units(prediction.output, units), None, prediction.scale)

    def dummies(self) -> dict[str, Any]:
        return {"mean of the training targets": DummyRegressor()}


NO_CHANCE = {"probability": 0.0, "decision value": -np.inf}  # for a class without training clips
TASKS: dict[Kind, Callable[[int, bool], Task]] = {
    "classes": Classes,
    "several classes": SeveralClasses,
    "values": Values,
}


def make_task(target: np.ndarray, n_columns: int, *, of_groups: bool) -> Task:
    """Return the task of a target that `check_target` returned."""
    return TASKS[kind_of(target)](n_columns, of_groups)


def strata(target: np.ndarray) -> np.ndarray:
    """Return the strata of clips for learning curves, (n_clips, n_strata), bool."""
    kind = kind_of(target)
    if kind == "values":
        return np.ones((len(target), 1), dtype=bool)
    if kind == "classes":
        return target[:, np.newaxis] == np.unique(target)
    return np.column_stack([target > 0, ~(target > 0).any(axis=1)])


def mean_of_units(values: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return the mean over the rows of each unit, in the order of their numbers.

    Examples
    --------
    >>> mean_of_units(np.array([[1.0], [2.0], [4.0]]), np.array([7, 3, 7])).tolist()
    [[2.0], [2.5]]
    """
    numbers, places = np.unique(units, return_inverse=True)
    total = np.zeros((len(numbers), *values.shape[1:]))
    np.add.at(total, places, values)
    return total / np.bincount(places).reshape(-1, *[1] * (values.ndim - 1))


def _positive(probabilities: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the column of the class 1; zeros where no training clip had it."""
    columns = np.flatnonzero(np.asarray(classes) == 1)
    return probabilities[:, columns[0]] if len(columns) else np.zeros(len(probabilities))


def _complete(found: np.ndarray, n_columns: int, what: str) -> np.ndarray:
    if found.ndim != 2 or found.shape[1] != n_columns:
        raise ValueError(
            f"The pipeline gives an array of shape {found.shape}, expected {what}: "
            f"(n_clips, {n_columns})."
        )
    if not np.isfinite(found).all():
        raise ValueError(
            f"The pipeline gives {found[~np.isfinite(found)][0]} for a clip, expected {what} as a "
            "finite number."
        )
    return found
