"""Fitted attributes of scikit-learn's most common steps, and the shapes that must agree.

These steps are stored as plain arrays, and need no skops. The table `RESULTS` defines them: a class
is added by a row, if its `predict` or `transform` only calculates with arrays of known shapes. A
class that uses numbers of the file as indices into memory, or that holds objects, is left to skops.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer

from skaudeep._base import SKLEARN_VOLATILE_ATTRIBUTES

_KINDS = {
    "b": "truth values",
    "f": "finite float32 or float64",
    "i": "integers",
    "O": "texts in objects",
    "U": "texts",
}


@dataclass(frozen=True)
class Form:
    """A type and a shape that a value may have.

    Parameters
    ----------
    kinds : str
        Keys of `_KINDS`, after NumPy's `dtype.kind`.
    shape : tuple of str
        Names of the sizes, and "1". Without any, the value is a number or a text.
    positive : bool, default=False
        Whether all numbers are above 0.
    single : str, default=""
        A size that has to be 1, as this shape has no axis for it.
    """

    kinds: str
    shape: tuple[str, ...] = ()
    positive: bool = False
    single: str = ""

    def __str__(self) -> str:
        types = " or ".join(_KINDS[kind] for kind in self.kinds)
        above = " above 0" if self.positive else ""
        return f"{types}{above} of shape ({', '.join(self.shape)})"

    def fits(self, value: Any, sizes: dict[str, int]) -> bool:
        """Return whether a value has this form; sizes that are not known yet are then added."""
        is_array = type(value) is np.ndarray
        if not is_array and not isinstance(value, np.generic | bool | int | float | str):
            return False
        array = np.asarray(value)
        kind = array.dtype.kind.replace("u", "i")
        if kind not in self.kinds or array.ndim != len(self.shape):
            return False
        if kind == "O" and not (is_array and all(type(text) is str for text in array.flat)):
            return False
        if kind == "f" and not (array.itemsize in (4, 8) and np.isfinite(array).all()):
            return False
        if self.positive and not (array > 0).all():
            return False
        own = [
            *zip(self.shape, array.shape, strict=True),
            *([(self.single, 1)] * bool(self.single)),
        ]
        if any(sizes.get(name, size) != size for name, size in own):
            return False
        sizes.update(own)
        return True


@dataclass(frozen=True)
class Result:
    """An attribute that `fit` sets.

    Parameters
    ----------
    *forms : Form
        Those that it may have.
    optional : bool, default=False
        Whether it may be missing.
    none_without : str, default=None
        It may be None if this parameter is false; of "", in any case.
    """

    forms: tuple[Form, ...]
    optional: bool = False
    none_without: str | None = None


def _result(*forms: Form, **options: Any) -> Result:
    return Result(forms, **options)


_COUNT = _result(Form("i", positive=True))
_FEATURES = _result(Form("f", ("n_features",)))
_COMPONENTS = _result(Form("f", ("n_components",)))
_TEXT = _result(Form("U"))
# One row for each class, but a single one where there are two classes.
_CLASSIFIER = {
    "classes_": _result(Form("bifUO", ("n_classes",))),
    "coef_": _result(Form("f", ("n_rows", "n_features"))),
    "intercept_": _result(Form("f", ("n_rows",)), Form("f")),
}
_REGRESSOR = {
    "coef_": _result(
        Form("f", ("n_targets", "n_features")), Form("f", ("n_features",), single="n_targets")
    ),
    "intercept_": _result(Form("f", ("n_targets",)), Form("f")),
}


def _scale(parameter: str) -> Result:
    return _result(Form("f", ("n_features",), positive=True), none_without=parameter)


# The module of each class, and its attributes.
RESULTS: dict[str, tuple[str, dict[str, Result]]] = {
    "LinearRegression": (
        "sklearn.linear_model",
        {
            **_REGRESSOR,
            "rank_": _result(Form("i"), optional=True),
            "singular_": _result(Form("f", ("n_singular_values",)), optional=True),
        },
    ),
    # With Crammer and Singer's method, n_iter_ is an uninitialised number.
    "LinearSVC": ("sklearn.svm", {**_CLASSIFIER, "n_iter_": _result(Form("i"))}),
    "LogisticRegression": (
        "sklearn.linear_model",
        {**_CLASSIFIER, "n_iter_": _result(Form("i", ("1",)))},
    ),
    "MinMaxScaler": (
        "sklearn.preprocessing",
        {
            "n_samples_seen_": _COUNT,
            "scale_": _result(Form("f", ("n_features",), positive=True)),
            **dict.fromkeys(("min_", "data_min_", "data_max_", "data_range_"), _FEATURES),
        },
    ),
    "Normalizer": ("sklearn.preprocessing", {}),
    "PCA": (
        "sklearn.decomposition",
        {
            "n_components_": _COUNT,
            "components_": _result(Form("f", ("n_components", "n_features"))),
            "explained_variance_": _COMPONENTS,
            "explained_variance_ratio_": _COMPONENTS,
            "singular_values_": _COMPONENTS,
            "mean_": _FEATURES,
            "n_samples_": _COUNT,
            "noise_variance_": _result(Form("f")),
            "_fit_svd_solver": _TEXT,
        },
    ),
    "Ridge": (
        "sklearn.linear_model",
        {
            **_REGRESSOR,
            "n_iter_": _result(Form("i", ("n_targets",)), none_without=""),
            "solver_": _TEXT,
        },
    ),
    "RidgeClassifier": (
        "sklearn.linear_model",
        {
            **_CLASSIFIER,
            "coef_": _result(
                Form("f", ("n_rows", "n_features")), Form("f", ("n_features",), single="n_rows")
            ),
            "n_iter_": _result(Form("i", ("n_rows",)), none_without=""),
            "solver_": _TEXT,
        },
    ),
    "RobustScaler": (
        "sklearn.preprocessing",
        {
            "center_": _result(*_FEATURES.forms, none_without="with_centering"),
            "scale_": _scale("with_scaling"),
        },
    ),
    "StandardScaler": (
        "sklearn.preprocessing",
        {
            "n_samples_seen_": _result(Form("if"), Form("if", ("n_features",))),
            "mean_": _result(*_FEATURES.forms, none_without="with_mean"),
            "var_": _result(*_FEATURES.forms, none_without="with_std"),
            "scale_": _scale("with_std"),
        },
    ),
}
_EVERYWHERE = {
    "n_features_in_": _COUNT,
    "feature_names_in_": _result(Form("O", ("n_features",)), optional=True),
}
# The attribute whose length determines that of others.
_SIZES = {"n_features_in_": "n_features", "n_components_": "n_components"}
_OUTPUT = "_sklearn_output_config"  # attribute that `set_output` sets
_OUTPUTS = [{"transform": name} for name in ("default", "pandas", "polars")]


def find_class(name: Any) -> Any:
    """Return a class of `RESULTS` by its name, None for all others.

    Examples
    --------
    >>> find_class("Normalizer").__name__, find_class("SVC")
    ('Normalizer', None)
    """
    if name not in RESULTS:
        return None
    return getattr(import_module(RESULTS[name][0]), name)


def take_results(estimator: Any) -> dict[str, Any]:
    """Return the attributes of a step that its parameters and each other do not determine.

    Parameters
    ----------
    estimator : estimator
        Of a class of `RESULTS`, fitted or not.

    Returns
    -------
    dict of str to object

    Raises
    ------
    ValueError
        As `set_results` would, given them.

    Examples
    --------
    >>> from sklearn.preprocessing import Normalizer
    >>> take_results(Normalizer().fit([[1.0, 2.0]]))
    {'n_features_in_': 2}
    """
    without = {*estimator.get_params(deep=False), *SKLEARN_VOLATILE_ATTRIBUTES}
    results = {key: value for key, value in vars(estimator).items() if key not in without}
    if type(estimator).__name__ == "RidgeClassifier" and "classes_" in results:
        binarizer = results.pop("_label_binarizer", None)
        if getattr(binarizer, "y_type_", None) not in ("binary", "multiclass"):
            raise ValueError("holds a RidgeClassifier of several labels a row")
    _check_results(estimator, results)
    return results


def set_results(estimator: Any, results: dict[str, Any]) -> None:
    """Give a step what `take_results` took from another of its class and parameters.

    Parameters
    ----------
    estimator : estimator
        Of a class of `RESULTS`, without any results of fit.
    results : dict of str to object
        Plain values and arrays, which may come from anyone.

    Raises
    ------
    ValueError
        If one is missing or unknown, has another type or shape than scikit-learn gives it, or they
        do not agree. Nothing is set then.
    """
    _check_results(estimator, results)
    vars(estimator).update(results)
    if type(estimator).__name__ == "RidgeClassifier" and "classes_" in results:
        estimator._label_binarizer = _binarizer(results["classes_"])


def _binarizer(classes: Any) -> LabelBinarizer:
    """Return what a RidgeClassifier of one label a row makes of its classes."""
    binarizer = LabelBinarizer(pos_label=1, neg_label=-1)
    binarizer.y_type_ = "binary" if len(classes) == 2 else "multiclass"
    binarizer.sparse_input_ = False
    binarizer.classes_ = classes
    return binarizer


def _check_results(estimator: Any, results: dict[str, Any]) -> None:
    name = type(estimator).__name__
    expected = {**_EVERYWHERE, **RESULTS[name][1]}
    if _OUTPUT in results and results[_OUTPUT] not in _OUTPUTS:
        raise ValueError(f"holds a {name} with an output of {str(results[_OUTPUT])[:80]!r}")
    found = results.keys() - {_OUTPUT}
    if not found:
        return  # it is not fitted
    if unknown := sorted(found - expected.keys()):
        raise ValueError(f"holds a {name} with attribute {unknown[0][:80]!r}, no result of fit")
    needed = {key for key, result in expected.items() if not result.optional}
    if missing := sorted(needed - found):
        raise ValueError(f"holds a {name} without {missing[0]}, so that its fit has not ended")
    sizes = {"1": 1}
    for key in (key for key in expected if key in found):
        value, result = results[key], expected[key]
        if value is None and result.none_without is not None:
            if not (result.none_without and getattr(estimator, result.none_without)):
                continue
        elif any(form.fits(value, sizes) for form in result.forms):
            if key in _SIZES:
                sizes[_SIZES[key]] = int(value)
            if key == "classes_":
                _check_classes(name, value)
                sizes["n_rows"] = 1 if len(value) == 2 else len(value)
            continue
        known = ", ".join(f"{size}={number}" for size, number in sizes.items() if size != "1")
        raise ValueError(
            f"holds a {name} whose {key} is {_describe(value)}, expected "
            f"{' or '.join(map(str, result.forms))}{f' with {known}' if known else ''}"
        )


def _check_classes(name: str, classes: Any) -> None:
    if len(classes) < 2 or not (classes[:-1] < classes[1:]).all():
        raise ValueError(f"holds a {name} whose classes_ are not two or more in ascending order")


def _describe(value: Any) -> str:
    if type(value) is not np.ndarray:
        return f"{type(value).__name__} {str(value)[:80]!r}"
    finite = value.dtype.kind != "f" or np.isfinite(value).all()
    return f"{value.dtype} of shape {value.shape}{'' if finite else ' with NaN or infinity'}"
