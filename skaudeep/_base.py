"""What skaudeep's estimators share, and every private name of scikit-learn that skaudeep uses.

scikit-learn may change its private names in any release, which is why `pyproject.toml` bounds its
version; a new release is tried by looking at this file, and at the attributes of its steps that
`skaudeep.persistence.common_steps` lists.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from numbers import Integral, Real
from typing import Any, Self, TypeVar

import numpy as np
from sklearn import get_config
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params
from sklearn.utils._set_output import _get_container_adapter as get_container_adapter
from sklearn.utils._user_interface import _print_elapsed_time as print_elapsed_time
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import _check_method_params as check_method_params
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _num_samples as num_samples
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skaudeep._version import __version__
from skaudeep._warnings import find_stack_level

__all__ = [
    "COUNT",
    "POSITIVE",
    "PROBABILITY",
    "SKLEARN_CLASSES",
    "SKLEARN_VOLATILE_ATTRIBUTES",
    "HasMethods",
    "Interval",
    "LearningTags",
    "NamedRowsMixin",
    "PickleVersionWarning",
    "StrOptions",
    "VersionMixin",
    "all_or_nothing",
    "begin_fit",
    "check_method_params",
    "check_sample_weight",
    "fit_with_groups",
    "groups_parameter",
    "learning_tags",
    "num_samples",
    "print_elapsed_time",
    "rows",
    "run_fit_without_subtasks",
    "safe_indexing",
    "validate_params",
]

R = TypeVar("R")

# Constraints of parameters, as scikit-learn's `_parameter_constraints` take them.
COUNT = Interval(Integral, 1, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
PROBABILITY = Interval(Real, 0, 1, closed="both")

# Classes and functions of scikit-learn that models hold and skops 0.16 does not know. All are plain
# Python, and none reads memory by numbers from the file: trees and neighbours do, and stay out.
SKLEARN_CLASSES = [
    *(
        f"sklearn.model_selection._split.{name}"
        for name in (
            "GroupKFold",
            "GroupShuffleSplit",
            "KFold",
            "LeaveOneGroupOut",
            "PredefinedSplit",
            "RepeatedStratifiedKFold",
            "ShuffleSplit",
            "StratifiedGroupKFold",
            "StratifiedKFold",
            "StratifiedShuffleSplit",
        )
    ),
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.utils._bunch.Bunch",
]
# Attributes that `save` leaves out. Callbacks are code; the others are made again when needed.
SKLEARN_VOLATILE_ATTRIBUTES = {
    "_checked_cv_orig",
    "_skl_callbacks",
    "_transformers_feature_names_out",
    "scorer_",
}


class PickleVersionWarning(InconsistentVersionWarning):
    """An estimator was pickled by another version of skaudeep.

    Parameters
    ----------
    estimator_name, current_version, original_version : str
    """

    def __init__(self, *, estimator_name: str, current_version: str, original_version: str):
        super().__init__(
            estimator_name=estimator_name,
            current_sklearn_version=current_version,
            original_sklearn_version=original_version,
        )

    def __str__(self) -> str:
        return (
            f"Got a {self.estimator_name} pickled by skaudeep {self.original_sklearn_version}, "
            f"expected {self.current_sklearn_version}: it may break or give other features. Load "
            "it with its own version, and store it with skaudeep.save."
        )


@dataclass(frozen=True)
class LearningTags:
    """What `evaluate` needs to know about a step, beyond scikit-learn's tags.

    An estimator states it by a method ``__skaudeep_tags__``.

    Parameters
    ----------
    unsupervised : bool, default=False
        Whether `fit` reads clips without their labels, so that the transductive protocol may fit
        the step to all clips.
    reads_spectrograms : bool, default=False
        Whether the step turns spectrograms into features, so that statistics of the bands can take
        its place as a control.
    extractor : transformer or None, default=None
        What makes the spectrograms that such a step reads, where it makes them itself, of clips.
    untrained : dict or None, default=None
        Parameters of the same step without its training, as a control; None where nothing is
        trained.
    passes_to : str, default=""
        Parameter that holds the estimator whose `fit` is given what this one's is given beside X
        and y, such as the groups of the clips; "" where there is none.
    """

    unsupervised: bool = False
    reads_spectrograms: bool = False
    extractor: Any = None
    untrained: Mapping[str, Any] | None = None
    passes_to: str = ""


def learning_tags(estimator: Any) -> LearningTags:
    """Return the learning tags of any object; the defaults where it states none."""
    states_tags = hasattr(estimator, "__skaudeep_tags__") and not isinstance(estimator, type)
    return estimator.__skaudeep_tags__() if states_tags else LearningTags()


class VersionMixin:
    """Lets the pickles of an estimator carry skaudeep's version, and warn where it is another.

    It stands first among the bases, as scikit-learn's `BaseEstimator` does the same for its own.

    Examples
    --------
    >>> import pickle
    >>> from skaudeep import SpectrogramExtractor
    >>> b"_skaudeep_version" in pickle.dumps(SpectrogramExtractor())
    True
    """

    def __skaudeep_tags__(self) -> LearningTags:
        return LearningTags(unsupervised=hasattr(self, "transform"))

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()  # `BaseEstimator`'s, never None
        return {**state, "_skaudeep_version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        original = state.pop("_skaudeep_version", "before 0.1")
        if original != __version__:
            warnings.warn(
                PickleVersionWarning(
                    estimator_name=type(self).__name__,
                    current_version=__version__,
                    original_version=original,
                ),
                stacklevel=find_stack_level(),
            )
        super().__setstate__(state)  # type: ignore[misc]


class NamedRowsMixin:
    """Gives a transformer `set_output` for any number of axes, and rows that keep their names.

    scikit-learn's own makes data frames of two axes only, and takes names from data frames only. It
    stands before `TransformerMixin` among the bases.

    Notes
    -----
    With ``set_output(transform="pandas")`` two axes become a data frame. More become an
    :class:`xarray.DataArray`, whose coordinate of the first axis holds the names of the rows and
    that of the last the names of the features. A step that is given it passes the names on, so that
    the index of the data frame at the end of a pipeline names the clips.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)  # type: ignore[call-arg]
        for name in ("transform", "fit_transform"):
            if name in vars(cls):
                setattr(cls, name, _with_names(vars(cls)[name]))

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose what `transform` and `fit_transform` return.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            "default" gives arrays. "pandas" gives data frames whose index names the clips, where
            these were paths or a `(file, start, end)` index, and an :class:`xarray.DataArray` with
            the same names where there are more than two axes. "polars" gives data frames, and
            arrays where there are more than two axes. None changes nothing.

        Returns
        -------
        estimator
            The estimator itself.
        """
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self

    def _row_names(self, X: Any) -> Any:
        """Return the names of the rows of X as a pandas index, None where it has none."""
        if hasattr(X, "indexes") and hasattr(X, "dims"):  # an xarray.DataArray
            return X.indexes.get(X.dims[0])
        return None


def rows(X: Any) -> Any:
    """Return what the rows of X are iterated over by: of an xarray.DataArray without their names.

    Making an array with names of each row takes its time, and fails for the missing `end` of a
    `(file, start, end)` index.
    """
    return X.variable if hasattr(X, "variable") and hasattr(X, "indexes") else X


def _with_names(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def named(self: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
        output = method(self, X, *args, **kwargs)
        adapter = get_container_adapter("transform", self)
        if adapter is None:
            return output
        names = self._row_names(X) if adapter.container_lib == "pandas" else None
        if np.ndim(output) > 2:
            return _labelled(self, output, names) if adapter.container_lib == "pandas" else output
        if names is not None:
            import pandas as pd

            output = pd.DataFrame(output).set_axis(names, axis=0)
        return adapter.create_container(output, X, columns=self.get_feature_names_out)

    return named


def _labelled(estimator: Any, output: Any, names: Any) -> Any:
    """Make an xarray.DataArray of more than two axes."""
    import pandas as pd
    import xarray as xr

    dims = ("clip", *(f"axis_{i}" for i in range(1, np.ndim(output) - 1)), "feature")
    coords = xr.Coordinates({"feature": estimator.get_feature_names_out()})
    if isinstance(names, pd.MultiIndex):
        coords = coords.assign(xr.Coordinates.from_pandas_multiindex(names, "clip"))
    elif names is not None:
        coords = coords.assign(clip=np.asarray(names))
    return xr.DataArray(np.asarray(output), dims=dims, coords=coords)


def all_or_nothing(fit: Callable[..., R]) -> Callable[..., R]:
    """Let a method that fits an estimator leave it as it was, unless the method returns.

    It is the outermost decorator, as callbacks are torn down within
    :func:`sklearn.callback.with_callbacks`. The attributes are put back, not their contents: the
    method must not change in place what an earlier `fit` has made.

    Parameters
    ----------
    fit : callable
        A method of an estimator.

    Returns
    -------
    callable
        The method. A `KeyboardInterrupt` that ends it has a note on the state of the estimator.

    Examples
    --------
    >>> class Broken:
    ...     @all_or_nothing
    ...     def fit(self):
    ...         self.half_ = 1
    ...         raise ValueError
    >>> broken = Broken()
    >>> try:
    ...     broken.fit()
    ... except ValueError:
    ...     vars(broken)
    {}
    """

    @wraps(fit)
    def whole(self: Any, *args: Any, **kwargs: Any) -> R:
        before = dict(vars(self))
        try:
            return fit(self, *args, **kwargs)
        except BaseException as error:
            self.__dict__ = before
            if isinstance(error, KeyboardInterrupt):
                error.add_note(_state_after_interruption(self, fit.__name__))
            raise

    return whole


def _state_after_interruption(estimator: Any, method: str) -> str:
    name = type(estimator).__name__
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return f"{method} was interrupted, so this {name} is not fitted."
    return f"{method} was interrupted, so this {name} is as it was before."


def fit_with_groups(estimator: Any, X: Any, y: Any, groups: Any) -> Any:
    """Fit an estimator, and hand the groups of the clips to whatever in it asks for them.

    That is the last step of a pipeline, at any depth, if its `fit` has a parameter `groups`, or if
    it is a search whose folds keep groups together. Where metadata routing is enabled, requests
    decide.

    Parameters
    ----------
    estimator : estimator
        It is fitted.
    X : sequence of n_clips clips
    y : array-like of shape (n_clips,)
    groups : array-like of shape (n_clips,), or None
        None: there are none.

    Returns
    -------
    estimator
        The estimator itself.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skaudeep import TunedLogisticRegression
    >>> pipeline = make_pipeline(StandardScaler(), TunedLogisticRegression())
    >>> X, y = np.eye(6), [0, 0, 0, 1, 1, 1]
    >>> groups = ["ann", "ann", "bob", "bob", "cid", "cid"]  # too few to choose by
    >>> fit_with_groups(pipeline, X, y, groups)[-1].C_
    10.0
    """
    if groups is None:
        return estimator.fit(X, y)
    if get_config()["enable_metadata_routing"]:
        asks = get_routing_for_object(estimator).consumes("fit", ["groups"])
        return estimator.fit(X, y, **({"groups": groups} if asks else {}))
    parameter = groups_parameter(estimator)
    return estimator.fit(X, y, **({} if parameter is None else {parameter: groups}))


def groups_parameter(estimator: Any) -> str | None:
    """Return the parameter of `fit` that takes the groups of the clips, None where none does."""
    from sklearn.model_selection._search import BaseSearchCV

    if isinstance(estimator, Pipeline):
        name, step = estimator.steps[-1]
        inner = groups_parameter(step)
        return None if inner is None else f"{name}__{inner}"
    if isinstance(estimator, BaseSearchCV):
        if not hasattr(estimator.cv, "get_metadata_routing"):
            return None
        splits = estimator.cv.get_metadata_routing()
        return "groups" if splits.consumes("split", ["groups"]) else None
    if passes_to := learning_tags(estimator).passes_to:
        return groups_parameter(getattr(estimator, passes_to))
    return "groups" if has_fit_parameter(estimator, "groups") else None


def begin_fit(estimator: Any, X: Any, y: Any, *, n_subtasks: int, **details: Any) -> Any:
    """Start the task of `fit` for scikit-learn's callbacks.

    Parameters
    ----------
    estimator : estimator
        Its `fit` is decorated with :func:`sklearn.callback.with_callbacks`.
    X, y : object
        What `fit` was given.
    n_subtasks : int
        How many tasks it consists of.
    **details
        More that callbacks are told, such as ``metadata``.

    Returns
    -------
    sklearn.callback.CallbackContext
        To call ``call_on_fit_task_end`` on when all is done.
    """
    context = estimator._init_callback_context(max_subtasks=n_subtasks)
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y, **details)
    return context


def run_fit_without_subtasks(estimator: Any, X: Any, y: Any) -> None:
    """Report a `fit` that consists of one task, so that the progress of a pipeline moves on."""
    context = begin_fit(estimator, X, y, n_subtasks=0)
    context.call_on_fit_task_end(estimator=estimator, X=X, y=y)
