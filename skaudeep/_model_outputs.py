"""Outputs of fitted classifiers: names of classes, and columns of probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier, is_outlier_detector, is_regressor
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from skaudeep._texts import list_names
from skaudeep.per_frame import PerFrame

NAMES = "class_names_"  # attribute that fit_classifier sets if clips may have several classes


class Classes(NamedTuple):
    """The classes of a model.

    Parameters
    ----------
    names : list of str
        Name of each column of its probabilities.
    several : bool
        Whether a clip may have several classes, or none.
    """

    names: list[str]
    several: bool


def read_classes(model: Any, target_names: Sequence[str] | None = None) -> Classes | None:
    """Return the classes of a fitted model.

    Parameters
    ----------
    model : estimator
    target_names : sequence of str, default=None
        Names of the classes of a model that was fitted to their numbers, in the order of these.

    Returns
    -------
    Classes or None
        None if the model is no fitted classifier.

    Raises
    ------
    ValueError
        If there are more or fewer names than classes, or the classes are no numbers.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> model = OneVsRestClassifier(LogisticRegression()).fit([[0], [1], [2]],
    ...                                                       [[0, 1], [1, 1], [1, 0]])
    >>> read_classes(model, ["crow", "owl"])
    Classes(names=['crow', 'owl'], several=True)
    """
    classes = getattr(model, "classes_", None)
    if classes is None:
        return None
    last = _last(model)
    several = (
        hasattr(model, NAMES)
        or isinstance(classes, list)  # forests and neighbours have an array for each class
        or bool(getattr(last, "multilabel_", False))  # OneVsRestClassifier
        # MLPClassifier
        or (getattr(last, "out_activation_", "") == "logistic" and last.n_outputs_ > 1)
    )
    own = list(range(len(classes))) if several else np.asarray(classes).tolist()
    if target_names is None:
        return Classes(list(map(str, getattr(model, NAMES, own))), several)
    if len(target_names) == 1 and not several and own == [0, 1]:  # fitted to a target of one column
        return Classes([str(target_names[0])], True)
    if hasattr(model, NAMES) or not all(isinstance(number, int) for number in own):
        raise ValueError(
            f"Got target_names={list_names(target_names)} for a model that knows its classes, "
            f"{list_names(getattr(model, NAMES, own))}, expected none."
        )
    if (several and len(own) != len(target_names)) or not 0 <= min(own) <= max(own) < len(
        target_names
    ):
        raise ValueError(
            f"Got {len(target_names)} target_names for a model of the classes {list_names(own)}, "
            "expected a name for each. Give those of the data set that it was fitted to."
        )
    return Classes([str(target_names[number]) for number in own], several)


def check_of_clips(model: Any) -> None:
    """Raise ValueError if a model has a class for each frame, and none for a clip."""
    if isinstance(_last(model), PerFrame):
        raise ValueError(
            f"Got a {type(model).__name__} that ends in PerFrame, which predicts for each frame, "
            "expected a classifier of clips. Call its predict or predict_proba, or skaudeep.stream."
        )


def predicts_several(model: Any) -> bool:
    """Return whether a classifier, fitted or not, can predict several classes for a clip.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> predicts_several(OneVsRestClassifier(LogisticRegression()))
    True
    >>> predicts_several(LogisticRegression())
    False
    """
    tags = get_tags(_last(model))
    of_classifier = tags.classifier_tags
    # some have one, some the other
    return tags.target_tags.multi_output or bool(of_classifier and of_classifier.multi_label)


def columns_of(model: Any, output: Any, classes: Classes) -> NDArray:
    """Return what `predict_proba`, or `predict` of several classes, gave, a column for each class.

    Parameters
    ----------
    model : estimator
    output : ndarray, or list of ndarray of shape (n_clips, 2)
        Some classifiers of several classes for a clip return an array for each class. For them a
        target of one column is one of two classes, 0 and 1.
    classes : Classes

    Returns
    -------
    ndarray of shape (n_clips, n_classes)
    """
    if not isinstance(output, list):
        values = np.asarray(output).reshape(len(output), -1)
        return (
            values[:, 1:]
            if classes.several and len(classes.names) == 1 < values.shape[1]
            else values
        )
    columns = []
    for values, of_class in zip(output, model.classes_, strict=True):
        (present,) = np.nonzero(np.asarray(of_class) == 1)
        columns.append(values[:, present].sum(axis=1))  # 0 where no clip had the class
    return np.stack(columns, axis=1)


def _last(model: Any) -> Any:
    """Return the classifier in pipelines and searches."""
    while True:
        if isinstance(model, Pipeline):
            model = model[-1]
        elif isinstance(model, GridSearchCV | RandomizedSearchCV):
            model = getattr(model, "best_estimator_", model.estimator)
        else:
            return model


def all_steps(model: Any) -> list[Any]:
    """Return the estimators of a pipeline, those of pipelines in it included, without gaps."""
    if not isinstance(model, Pipeline):
        return [model]
    steps = [step for _, step in model.steps if step not in (None, "passthrough")]
    return [inner for step in steps for inner in all_steps(step)]


def choose_output(model: Any) -> tuple[Callable[[Any], Any], list[str]]:
    """Return the method that computes the columns of a model, and the names of the columns."""
    if _has_probabilities(model):
        classes = read_classes(model)
        assert classes is not None
        return lambda X: columns_of(model, model.predict_proba(X), classes), classes.names
    if is_classifier(model):
        return lambda X: np.asarray(model.predict(X)).astype(str).astype(object), ["label"]
    if is_outlier_detector(model) and hasattr(model, "score_samples"):
        return model.score_samples, ["score"]
    if hasattr(model, "transform"):
        names = getattr(model, "best_estimator_", model).get_feature_names_out()
        return model.transform, list(map(str, names))
    if is_regressor(model):
        return model.predict, ["prediction"]
    raise ValueError(
        f"Got a {type(all_steps(model)[-1]).__name__} at the end of the pipeline, expected a "
        "classifier, a regressor, a detector of outliers or a transformer."
    )


def _has_probabilities(model: Any) -> bool:
    return hasattr(model, "predict_proba") and hasattr(model, "classes_")


def missing_type(model: Any) -> np.dtype:
    """Return the type of a table without any value: that of labels, or of numbers."""
    labels = is_classifier(model) and not _has_probabilities(model)
    return np.dtype(object) if labels else np.dtype(np.float32)
