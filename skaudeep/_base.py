"""Base classes of skaudeep's estimators, and all private names of scikit-learn that it uses.

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
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    make_constraint,
    validate_params,
)
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
    "make_constraint",
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
    """Warning about an estimator that was pickled by another version of skaudeep.

    Parameters
    ----------
    estimator_name : str
        Name of its class.
    current_version, original_version : str
        Version of skaudeep here, and where it was pickled.
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
    """Properties of a step that `evaluate` needs, in addition to scikit-learn's tags.

    An estimator returns them by a method ``__skaudeep_tags__``. An estimator without this method
    has the defaults. A control is a pipeline that :func:`evaluate` derives from the given one, to
    show what the learned features gain: with untrained networks ("untrained network"), or with
    statistics of the spectrograms in place of the networks ("mel statistics").

    Parameters
    ----------
    unsupervised : bool, default=False
        Whether `fit` does not use labels, so that the transductive protocol may fit the step, and
        all steps before it, to all clips, those of the test folds included.
    reads_spectrograms : bool, default=False
        Whether the step turns spectrograms into features, so that statistics of the bands
        (:class:`~skaudeep.BandStatistics`) can replace it in the control "mel statistics".
    extractor : transformer or None, default=None
        Transformer that makes these spectrograms, if the step itself makes them of clips; the
        control puts a clone of it before the statistics. None if X already holds spectrograms.
    untrained : dict or None, default=None
        Parameters, with their values, that switch off the training of the step in the control
        "untrained network". None or an empty dict if there are none: the step is not trained, or
        is untrained already.
    passes_to : str, default=""
        Name of the parameter with an inner estimator, to whose `fit` this step passes further
        arguments, such as the groups of the clips. "" if there is no such estimator.

    Examples
    --------
    >>> from skaudeep.evaluation import LearningTags
    >>> LearningTags(unsupervised=True, untrained={"max_epochs": 0}).reads_spectrograms
    False
    """

    unsupervised: bool = False
    reads_spectrograms: bool = False
    extractor: Any = None
    untrained: Mapping[str, Any] | None = None
    passes_to: str = ""


def learning_tags(estimator: Any) -> LearningTags:
    """Return the learning tags of any object, or the defaults if it has none."""
    states_tags = hasattr(estimator, "__skaudeep_tags__") and not isinstance(estimator, type)
    return estimator.__skaudeep_tags__() if states_tags else LearningTags()


class VersionMixin:
    """Stores skaudeep's version in pickles of an estimator, and warns if it differs on loading.

    It must be the first of the bases, because scikit-learn's `BaseEstimator` stores its own
    version.

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
    """Adds `set_output` for any number of axes, with names of rows, to a transformer.

    scikit-learn's `set_output` makes data frames of two axes, with names of rows only if the input
    is a data frame. This mixin must come before `TransformerMixin` in the bases.

    Notes
    -----
    With ``set_output(transform="pandas")`` output with two axes becomes a data frame. Output with
    more axes becomes an :class:`xarray.DataArray`, whose first coordinate holds the names of the
    rows and whose last coordinate holds the names of the features. The next step passes the names
    on, so that the index of the data frame at the end of a pipeline names the clips.
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
            "default" returns arrays. "pandas" returns a data frame, or an
            :class:`xarray.DataArray` if the output has more than two axes. Its rows are named by
            the clips if these are paths (their paths), a `(file, start, end)` index, or the rows of
            a pandas object (its index); in a pipeline, each step hands the names on. Waveforms and
            the rows of an array have no names, and are numbered. "polars" returns a data frame
            without names of rows, or an array if the output has more than two axes. None leaves
            the choice unchanged; at first it is that of ``sklearn.set_config(transform_output=)``,
            "default" if it was not called.

        Returns
        -------
        estimator
            The estimator itself.

        Examples
        --------
        >>> import numpy as np
        >>> from skaudeep import BandStatistics
        >>> spectrograms = np.zeros((2, 7, 3))  # 2 clips, 7 frames, 3 bands
        >>> statistics = BandStatistics().set_output(transform="pandas")
        >>> statistics.fit_transform(spectrograms).columns[:4].tolist()
        ['mean_0', 'mean_1', 'mean_2', 'std_0']
        """
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self

    def _row_names(self, X: Any) -> Any:
        """Return the names of the rows of X as a pandas index; None if it has no names."""
        if hasattr(X, "indexes") and hasattr(X, "dims"):  # an xarray.DataArray
            return X.indexes.get(X.dims[0])
        return None


def rows(X: Any) -> Any:
    """Return an object to iterate over the rows of X: an xarray.DataArray without its names.

    Making an array with names for each row takes time, and fails for a missing `end` in a
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
    """Decorate a method that fits an estimator so that a failed call leaves it unchanged.

    It must be the outermost decorator, because :func:`sklearn.callback.with_callbacks` tears down
    callbacks. The attributes are restored, but not their contents: the method must not change
    fitted attributes in place.

    Parameters
    ----------
    fit : callable
        A method of an estimator.

    Returns
    -------
    callable
        The decorated method. If a `KeyboardInterrupt` ends it, this gets a note on the state of the
        estimator.

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
    """Fit an estimator, and pass the groups of the clips to the step that takes them.

    This is the last step of a pipeline, at any depth, if its `fit` has a parameter `groups`, or if
    it is a search whose folds keep groups together. If metadata routing is enabled, requests
    decide.

    Parameters
    ----------
    estimator : estimator
        The estimator to fit.
    X : sequence of n_clips clips
        Training clips.
    y : array-like of shape (n_clips,)
        Their target.
    groups : array-like of shape (n_clips,), or None
        Their groups. None: there are no groups.

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
    """Return the parameter of `fit` that takes the groups of the clips; None if there is none."""
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
        The estimator, whose `fit` is decorated with :func:`sklearn.callback.with_callbacks`.
    X, y : object
        Arguments of `fit`.
    n_subtasks : int
        Number of tasks of which `fit` consists.
    **details
        Further arguments of callbacks, such as ``metadata``.

    Returns
    -------
    sklearn.callback.CallbackContext
        The context, whose ``call_on_fit_task_end`` must be called at the end of `fit`.
    """
    context = estimator._init_callback_context(max_subtasks=n_subtasks)
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y, **details)
    return context


def run_fit_without_subtasks(estimator: Any, X: Any, y: Any) -> None:
    """Report a `fit` that consists of one task, so that the progress of a pipeline moves on."""
    context = begin_fit(estimator, X, y, n_subtasks=0)
    context.call_on_fit_task_end(estimator=estimator, X=X, y=y)
