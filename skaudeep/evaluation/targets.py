"""Checks of targets (a class per clip, several classes, or values) and of pipelines for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from skaudeep.datasets.files import load_by_name

__all__ = ["Kind", "check_pipeline", "check_target", "class_name", "kind_of", "labelled_clips"]

Kind = Literal["classes", "several classes", "values"]

# The only estimator of scikit-learn that learns several values without stating it by its tags.
LEARN_SEVERAL = {"MLPRegressor"}
# These fail on a target of one column.
NEED_SEVERAL = {
    "ClassifierChain",
    "MultiOutputClassifier",
    "MultiOutputRegressor",
    "RegressorChain",
}


def kind_of(target: np.ndarray) -> Kind:
    """Return the kind of a target that `check_target` returned."""
    if target.dtype.kind == "f":
        return "values"
    return "classes" if target.ndim == 1 else "several classes"


def labelled_clips(target: np.ndarray) -> np.ndarray:
    """Return the clips that are labelled in a target that `check_target` returned."""
    known = ~np.isnan(target) if target.dtype.kind == "f" else target >= 0
    return np.flatnonzero(known if known.ndim == 1 else known.all(axis=1))


def check_target(bunch: Mapping[str, Any]) -> np.ndarray:
    """Return the target of a data set in one of three forms.

    Parameters
    ----------
    bunch : mapping
        A data set.

    Returns
    -------
    ndarray
        Class numbers of shape (n_clips,), int, -1 for unlabelled clips; 0 and 1 of shape (n_clips,
        n_classes), int, -1 in all columns for unlabelled clips; or values of shape (n_clips,
        n_targets), float, NaN for unlabelled clips.

    Raises
    ------
    ValueError
        If the target has none of these forms, or is the same for all clips.
    """
    if not isinstance(bunch, Mapping) or not {"data", "target"} <= bunch.keys():
        remedy = load_by_name(bunch) or (
            "Load one with skaudeep.datasets or write sklearn.utils.Bunch(data=..., target=..., "
            "cv=...)."
        )
        raise ValueError(
            f"Got a {type(bunch).__name__}, expected a Bunch with data and target. {remedy}"
        )
    n_clips = len(bunch["data"])
    if n_clips == 0:
        raise ValueError("Got a bunch without clips, expected at least one.")
    target = np.asarray(bunch["target"])
    if target.ndim not in (1, 2) or (target.ndim == 2 and not target.shape[1]):
        raise ValueError(
            f"Got a target of shape {target.shape}, expected one class number or value per clip, "
            "or a column for each class or value."
        )
    for key in ("target", "folds", "partition", "groups"):
        if bunch.get(key) is not None and len(bunch[key]) != n_clips:
            raise ValueError(
                f"Got {key} of length {len(bunch[key])} for {n_clips} clips, expected one entry "
                "per clip; check that both come from the same data set."
            )
    if target.dtype.kind == "f":
        return _check_values(bunch, target.astype(np.float64).reshape(n_clips, -1))
    if target.ndim == 2:
        return _check_several_classes(bunch, target)
    return _check_classes(bunch, target)


def _check_classes(bunch: Mapping[str, Any], target: np.ndarray) -> np.ndarray:
    if target.dtype.kind not in "iu" or target.min(initial=0) < -1:
        some = target[:3] if target.dtype.kind == "O" else np.unique(target)[:3]  # mixed types
        raise ValueError(
            f"Got a target of {target.dtype} with the values {some}..., expected "
            "class numbers 0, 1, ... and -1 where unlabelled; sklearn's LabelEncoder makes them."
        )
    if target.max(initial=-1) < 0:
        raise ValueError(
            f"Got no labelled clip: the target of all {len(target)} is -1, expected clips of at "
            "least two classes. Give labels by bunch.target = labels."
        )
    names = bunch.get("target_names")
    if names is not None and target.max(initial=-1) >= len(names):
        raise ValueError(
            f"Got class number {target.max()} with {len(names)} target_names, expected a name "
            "for each class; complete target_names."
        )
    target = target.astype(np.intp)
    if len(classes := np.unique(target[target >= 0])) == 1:
        raise ValueError(
            f"Got labelled clips of a single class, {class_name(bunch, classes[0])}, expected at "
            "least two to tell apart. Give clips of another class, for example by "
            "bunch = concatenate([bunch, others])."
        )
    return target


def _check_several_classes(bunch: Mapping[str, Any], target: np.ndarray) -> np.ndarray:
    shape = f"a target of shape {target.shape}"
    if target.dtype.kind not in "iub":
        raise ValueError(
            f"Got {shape} of {target.dtype}, expected 0 or 1 for each clip and class as integers, "
            "or floats for values to regress on."
        )
    target = target.astype(np.intp)
    wrong = ~(np.isin(target, (0, 1)).all(axis=1) | (target == -1).all(axis=1))
    if wrong.any():
        clip = int(np.argmax(wrong))
        raise ValueError(
            f"Got {shape} with {target[clip].tolist()} for {clip_name(bunch, clip)}, expected 0 or "
            "1 for each class, or -1 throughout where unlabelled. Of one class number per clip "
            "make a vector: bunch.target = bunch.target[:, 0]."
        )
    names = bunch.get("target_names")
    if names is not None and len(names) != target.shape[1]:
        raise ValueError(
            f"Got {shape} with {len(names)} target_names, expected a name for each column."
        )
    _check_names_differ(names)
    known = target[labelled_clips(target)]
    if not known.any() or known.all():
        found = "no class" if not known.any() else "all classes"
        raise ValueError(
            f"Got {shape} in which all {len(known)} labelled clips have {found}, expected clips "
            "with and without a class to tell apart. Give labels by bunch.target = labels."
        )
    return target


def _check_values(bunch: Mapping[str, Any], target: np.ndarray) -> np.ndarray:
    missing = np.isnan(target)
    wrong = np.isinf(target).any(axis=1) | (missing.any(axis=1) & ~missing.all(axis=1))
    if wrong.any():
        clip = int(np.argmax(wrong))
        raise ValueError(
            f"Got the values {target[clip].tolist()} for {clip_name(bunch, clip)}, expected finite "
            "numbers, or NaN throughout where unlabelled. Leave such a clip out by NaN in all its "
            "columns."
        )
    names = bunch.get("target_names")
    if names is not None and len(names) not in (0, target.shape[1]):
        raise ValueError(
            f"Got a float target (values to regress on) of shape {np.shape(bunch['target'])} with "
            f"{len(names)} target_names, expected a name for each column, or none. For classes "
            "stored as floats use bunch.target.astype(int)."
        )
    _check_names_differ(names)
    known = target[~missing.any(axis=1)]
    if not len(known):
        raise ValueError(
            f"Got no labelled clip: the target of all {len(target)} is NaN, expected values to "
            "regress on. Give them by bunch.target = values."
        )
    if (constant := (known == known[0]).all(axis=0)).any():
        column = int(np.argmax(constant))
        raise ValueError(
            f"Got the value {known[0, column]:g} for all {len(known)} labelled clips"
            + f" in column {column} of the target" * (target.shape[1] > 1)
            + ", expected values that differ; there is nothing to regress on."
        )
    return target


def _check_names_differ(names: Any) -> None:
    """Raise a ValueError if two columns have the same name, as scores are found by name."""
    given = [] if names is None else list(map(str, names))
    if again := [name for name in given if given.count(name) > 1]:
        raise ValueError(
            f"Got {again[0]!r} in target_names more than once, expected a name for each column "
            "that no other has. Number them in bunch.target_names."
        )


def check_pipeline(pipeline: Any, target: np.ndarray, *, of_groups: bool) -> None:
    """Raise ValueError unless a pipeline predicts what a target consists of.

    Parameters
    ----------
    pipeline : Pipeline, classifier or regressor
        An unfitted pipeline.
    target : ndarray
        A target that `check_target` returned.
    of_groups : bool
        Whether classes are chosen by the mean score of several clips.
    """
    kind = kind_of(target)
    received = f"Got a {type(pipeline).__name__}"
    wanted, example = {
        "classes": ("classifier", "LinearSVC()"),
        "several classes": ("classifier", "OneVsRestClassifier(LogisticRegression())"),
        "values": ("regressor", "RidgeCV()"),
    }[kind]
    # A StackingClassifier whose last step is the default one has `predict` once it is fitted.
    predicts = is_classifier(pipeline) or is_regressor(pipeline) or hasattr(pipeline, "predict")
    if not predicts:
        raise ValueError(
            f"{received} without predict, expected a {wanted} or a "
            f"Pipeline that ends in one; append for example {example}."
        )
    last = type(_last(pipeline)).__name__
    if last == "PerFrame":
        raise ValueError(
            f"{received} that ends in PerFrame, which predicts for each frame, expected a {wanted} "
            "of clips; skaudeep.evaluation.evaluate_over_time scores labels over time."
        )
    if last in NEED_SEVERAL and 1 in (target.ndim, target.shape[-1]):
        raise ValueError(
            f"{received} whose {last} learns several columns, for a target of one, expected one "
            f"that learns a vector; give the estimator in {last} by itself."
        )
    if kind != "values" and is_regressor(pipeline):
        raise ValueError(
            f"{received} that predicts numbers (a regressor), expected a "
            "classifier or a Pipeline that ends in one, as the target is made of classes; end it "
            f"for example in {example}. For numbers give a float target."
        )
    if kind == "values" and is_classifier(pipeline):
        raise ValueError(
            f"{received} that predicts classes (a classifier) for a float target (regression), "
            "expected a regressor or a Pipeline that ends in one; end it for example in "
            f"{example}. For classes stored as floats use bunch.target.astype(int)."
        )
    scored = hasattr(pipeline, "predict_proba") or hasattr(pipeline, "decision_function")
    if not scored and (kind == "several classes" or (kind == "classes" and of_groups)):
        purpose = (
            "clips that may have several classes, which are ranked by them"
            if kind == "several classes"
            else "unit='group', which takes their mean over the clips of a group"
        )
        raise ValueError(
            f"{received} without predict_proba and decision_function, expected one of them for "
            f"{purpose}; end it for example in {example}."
        )
    if target.ndim == 2 and target.shape[1] > 1 and not _learns_several(pipeline):
        around = "MultiOutputRegressor" if kind == "values" else "OneVsRestClassifier"
        raise ValueError(
            f"{received} whose {last} learns one "
            + ("value" if kind == "values" else "class")
            + f" per clip, for a target of shape {target.shape}, expected one that learns several; "
            f"end it for example in {around}({last}())."
        )


def _learns_several(estimator: Any) -> bool:
    """Return whether an estimator may learn several columns; only scikit-learn's tags say no."""
    last = _last(estimator)
    tags = get_tags(last)
    several = tags.target_tags.multi_output or (
        tags.classifier_tags is not None and tags.classifier_tags.multi_label
    )
    if several or type(last).__name__ in LEARN_SEVERAL:
        return True
    if hasattr(last, "estimator"):
        return last.estimator is None or _learns_several(last.estimator)
    return type(last).__module__.partition(".")[0] not in ("sklearn", "skaudeep")


def _last(estimator: Any) -> Any:
    return _last(estimator.steps[-1][1]) if isinstance(estimator, Pipeline) else estimator


def target_names(bunch: Mapping[str, Any], target: np.ndarray) -> list[str]:
    """Return the names of the classes, or of the values; numbers where the data set names none.

    Examples
    --------
    >>> import numpy as np
    >>> target_names({}, np.array([0, 2])), target_names({}, np.zeros((3, 1)))
    (['0', '1', '2'], ['value'])
    """
    names = bunch.get("target_names")
    if names is not None and len(names):
        return list(map(str, names))
    if kind_of(target) == "values":
        n_targets = target.shape[1]
        return ["value"] if n_targets == 1 else [f"value {i}" for i in range(n_targets)]
    n_classes = target.max() + 1 if target.ndim == 1 else target.shape[1]
    return list(map(str, range(n_classes)))


def class_name(bunch: Mapping[str, Any], label: int) -> str:
    """Return the name of a class for a message, or its number where it has none."""
    names = bunch.get("target_names")
    return str(label) if names is None else repr(str(names[label]))


def clip_name(bunch: Mapping[str, Any], clip: int) -> str:
    """Return the name of a clip for a message, or its number where it has none."""
    names = bunch.get("filenames")
    return f"clip {clip}" if names is None else repr(str(names[clip]))
