"""Conversion of estimators to JSON, arrays and scikit-learn's steps, and back."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import sklearn
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.metrics import check_scoring, get_scorer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline
from torch import nn

from skaudeep._base import SKLEARN_VOLATILE_ATTRIBUTES
from skaudeep._texts import check_proportion, shown, text_array
from skaudeep._warnings import find_stack_level
from skaudeep.anomaly import AnomalyDetector
from skaudeep.audio.functions import function_name
from skaudeep.audio.onnx_models import onnx_checksum
from skaudeep.autoencoder import Seq2SeqAutoencoder
from skaudeep.chunks import ChunkPooling, ChunkVotingClassifier
from skaudeep.descriptors import CourseStatistics, FrameDescriptors
from skaudeep.distances import DistanceScorer
from skaudeep.distillation import DistilledFeatures
from skaudeep.function_extractor import FunctionExtractor
from skaudeep.fusion import FeatureFusion
from skaudeep.linear import TunedLogisticRegression
from skaudeep.mlp import DropoutMLPClassifier
from skaudeep.module_features import ModuleFeatures
from skaudeep.nn.autoencoders import NETWORKS as AUTOENCODERS
from skaudeep.nn.autoencoders import NetworkSizes
from skaudeep.nn.foreign import ModuleEncoder
from skaudeep.nn.reservoir import Reservoir, ReservoirSizes
from skaudeep.nn.weights import allocate
from skaudeep.per_frame import PerFrame
from skaudeep.persistence.common_steps import find_class, set_results, take_results
from skaudeep.persistence.modules import class_name, make_encoder, set_weights, take_weights
from skaudeep.persistence.results import check_results
from skaudeep.persistence.sklearn_objects import (
    MT19937_WORDS,
    check_n_keys,
    check_version,
    dump_step,
    is_position,
    load_step,
)
from skaudeep.reservoir import ReservoirFeatures
from skaudeep.spectrogram import SpectrogramExtractor
from skaudeep.statistics import BandStatistics

# The networks that a file may hold, each with the class of its sizes.
NETWORKS: dict[str, tuple[Any, Any]] = {
    **{network.__name__: (network, NetworkSizes) for network in AUTOENCODERS.values()},
    "Reservoir": (Reservoir, ReservoirSizes),
}
# The classes that `load` builds from what a file says, beside those of `common_steps`. Of
# scikit-learn these are the containers that skaudeep's estimators stand in; its other estimators
# are stored whole, by skops.
_OURS = (
    AnomalyDetector,
    BandStatistics,
    ChunkPooling,
    ChunkVotingClassifier,
    CourseStatistics,
    DistanceScorer,
    DistilledFeatures,
    DropoutMLPClassifier,
    FeatureFusion,
    FrameDescriptors,
    FunctionExtractor,
    ModuleFeatures,
    PerFrame,
    ReservoirFeatures,
    Seq2SeqAutoencoder,
    SpectrogramExtractor,
    TunedLogisticRegression,
)
_CONTAINERS = (FeatureUnion, GridSearchCV, Pipeline, RandomizedSearchCV)
CLASSES: dict[str, Any] = {kind.__name__: kind for kind in (*_OURS, *_CONTAINERS)}
# Types of the sizes of a network, by their annotations.
_FIELD_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "float": (float, int),
    "int": (int,),
    "str": (str,),
}
_ATTRIBUTE = re.compile(r"_?[A-Za-z]\w*")
# All that parameters and results of the common steps consist of.
_PLAIN = {
    "array",
    "dict",
    "float",
    "objects",
    "random_state",
    "scalar",
    "strings",
    "transposed",
    "tuple",
}


class Serializer:
    """Converts values to JSON, arrays and steps.

    Attributes
    ----------
    arrays : dict of str to ndarray
        The numbers of what was packed, by the names that stand for them.
    steps : list of bytes
        Its steps of scikit-learn.

    Examples
    --------
    >>> packer = Serializer()
    >>> packer.encode((1, np.ones(3)), "a pair")
    {'tuple': [1, {'array': '0'}]}
    >>> Deserializer(packer.arrays, packer.steps).decode({"tuple": [1, {"array": "0"}]})
    (1, array([1., 1., 1.]))
    """

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray] = {}
        self.steps: list[bytes] = []

    def encode(self, value: Any, place: str) -> Any:
        """Turn a value into one that JSON can hold.

        Parameters
        ----------
        value : object
            None, numbers, strings, lists, tuples, dictionaries, arrays, tensors, generators
            (RandomState), networks of skaudeep, estimators of skaudeep and scikit-learn.
        place : str
            What it is called in messages.

        Returns
        -------
        None, bool, int, float, str, list or dict
            A dictionary has one key, the kind of value.

        Raises
        ------
        ValueError
            If it is of another type. The message says where.
        """
        kind = type(value)
        if isinstance(value, np.str_):
            return str(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if kind is list:
            return self._pack_all(value, place)
        if kind is tuple:
            return {"tuple": self._pack_all(value, place)}
        if kind is dict:
            _check_keys(list(value))
            return {
                "dict": [
                    [self.encode(key, place), self.encode(item, f"{place}[{key!r}]")]
                    for key, item in value.items()
                ]
            }
        if isinstance(value, np.generic):
            return {"scalar": self.encode(np.asarray(value), place)}
        if kind is np.ma.MaskedArray:
            parts = (value.data, np.ma.getmaskarray(value))
            return {"masked": self._pack_all(parts, place)}
        if kind is np.ndarray:
            return self._pack_array(value, place)
        if kind is torch.Tensor:
            return {"tensor": self.encode(value.detach().cpu().numpy(), place)}
        if kind is np.random.RandomState:
            return {"random_state": self._pack_all(value.get_state(legacy=True), place)}
        if isinstance(value, nn.Module):
            return self._pack_network(value, place)
        if CLASSES.get(kind.__name__) is kind:
            return self._pack_estimator(value, place)
        if find_class(kind.__name__) is kind and (tree := self._pack_common_step(value, place)):
            return tree
        if kind.__module__.split(".")[0] in ("sklearn", "scipy"):
            try:
                self.steps.append(dump_step(value))
            except ValueError as error:
                raise ValueError(
                    f"{place} is a {kind.__name__}, which cannot be stored: {error}"
                ) from error
            return {"step": len(self.steps) - 1}
        raise ValueError(
            f"{place} is a {kind.__module__}.{kind.__qualname__}, which cannot be stored. Expected "
            "numbers, strings, lists, dictionaries, arrays, and estimators of skaudeep and "
            f"scikit-learn (skaudeep's within {', '.join(kind.__name__ for kind in _CONTAINERS)})"
        )

    def _pack_all(self, values: Any, place: str) -> list[Any]:
        return [self.encode(value, f"{place}[{i}]") for i, value in enumerate(values)]

    def _pack_array(self, array: NDArray, place: str) -> dict[str, Any]:
        if array.dtype.kind in "OU":
            kind = "objects" if array.dtype.kind == "O" else "strings"
            items = self._pack_all(array.ravel().tolist(), place)
            if kind == "strings":
                check_proportion(items, place)
            return {kind: [list(array.shape), items]}
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise ValueError(f"{place} is an array of {array.dtype}, which cannot be stored")
        name = str(len(self.arrays))
        array = np.array(array, dtype=array.dtype.newbyteorder("="), order="K")
        if array.flags.c_contiguous:
            self.arrays[name] = array
            return {"array": name}
        if array.T.flags.c_contiguous:  # products of matrices round by how these lie in memory
            self.arrays[name] = array.T
            return {"transposed": {"array": name}}
        # Without np.ascontiguousarray, which makes an axis where there is none.
        self.arrays[name] = np.array(array, order="C")
        return {"array": name}

    def _pack_network(self, network: nn.Module, place: str) -> dict[str, Any]:
        name = type(network).__name__
        if NETWORKS.get(name, (None,))[0] is not type(network):
            raise ValueError(f"{place} is a {name}, expected one of {', '.join(NETWORKS)}")
        prefix = self._pack_weights(network, place)
        sizes: Any = network.sizes
        return {"network": [name, self.encode(asdict(sizes), f"{place}.sizes"), prefix]}

    def _pack_module(self, module: nn.Module, place: str) -> dict[str, Any]:
        """Pack a network of somebody else, or the encoder made of it."""
        if isinstance(module, ModuleEncoder):
            covariance = module.covariance
            sizes = [module.n_bands, *covariance.components.shape]
            own = self._pack_module(module.module, f"{place}.module")
            return {"module_encoder": [own, sizes, self._pack_weights(covariance, place)]}
        return {"module": [class_name(module), self._pack_weights(module, place)]}

    def _pack_weights(self, network: nn.Module, place: str) -> str:
        prefix = f"{len(self.arrays)}."
        for key, array in take_weights(network, place).items():
            self.arrays[prefix + key] = array
        return prefix

    def _pack_estimator(self, estimator: Any, place: str) -> dict[str, Any]:
        params = estimator.get_params(deep=False)
        if isinstance(estimator, Pipeline):
            params["memory"] = None  # a folder of this machine, with pickles
        if isinstance(estimator, FunctionExtractor):
            params["func"] = _model_path(estimator, place)
        if isinstance(estimator, DistilledFeatures):
            params["teacher"] = _teacher(estimator.teacher)
        attributes = {
            name: value
            for name, value in vars(estimator).items()
            if name not in params and name not in SKLEARN_VOLATILE_ATTRIBUTES
        }
        _check(type(estimator)(**params))
        check_results(estimator)
        encode = self._encode_own if isinstance(estimator, ModuleFeatures) else self.encode
        packed = [
            {name: encode(value, f"{place}.{name}") for name, value in values.items()}
            for values in (params, attributes)
        ]
        return {"estimator": [type(estimator).__name__, *packed]}

    def _encode_own(self, value: Any, place: str) -> Any:
        """Encode a parameter or result of an estimator that holds a module of somebody else."""
        pack = self._pack_module if isinstance(value, nn.Module) else self.encode
        return pack(value, place)

    def _pack_common_step(self, step: Any, place: str) -> dict[str, Any] | None:
        """Pack a step of `common_steps`; return None if it holds more than that can express."""
        arrays, steps = dict(self.arrays), list(self.steps)
        try:
            results, params = take_results(step), step.get_params(deep=False)
            _check(step)
            packed = [
                {name: self.encode(value, f"{place}.{name}") for name, value in values.items()}
                for values in (params, results)
            ]
            for tree in packed:
                _check_plain([*tree.values()])
        except ValueError:
            self.arrays, self.steps = arrays, steps
            return None
        return {"estimator": [type(step).__name__, *packed]}


class Deserializer:
    """Builds values from the output of a `Serializer`, and checks everything, trusting nothing.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    steps : list of bytes
    sklearn_version : str, default=that of the scikit-learn at hand
        That of the scikit-learn that the steps were made by.
    modules : iterable of nn.Module, default=()
        Those into which weights of modules of somebody else may be put.
    """

    def __init__(
        self,
        arrays: Mapping[str, NDArray],
        steps: list[bytes],
        sklearn_version: str = sklearn.__version__,
        modules: Iterable[nn.Module] = (),
    ) -> None:
        self._modules = list(modules)
        self._arrays = dict(arrays)
        self._steps = dict(enumerate(steps))
        check_version(sklearn_version)
        self._sklearn_version = sklearn_version

    def finish(self) -> None:
        """Raise ValueError if something was given that nothing refers to."""
        if self._arrays or self._steps:
            left = [*self._arrays, *(f"step {number}" for number in self._steps)]
            raise ValueError(f"holds {len(left)} parts that belong nowhere, {left[0][:80]!r} first")

    def decode(self, tree: Any) -> Any:
        """Build a value.

        Parameters
        ----------
        tree : object
            As `Serializer.encode` returns it.

        Returns
        -------
        object

        Raises
        ------
        Exception
            Of any kind, if it is not.
        """
        if isinstance(tree, list):
            return [self.decode(item) for item in tree]
        if not isinstance(tree, dict):
            return tree
        [(kind, content)] = tree.items()
        if (build := getattr(self, f"_unpack_{kind}", None)) is None:
            raise ValueError(f"holds a value of unknown kind {kind[:80]!r}")
        return build(content)

    def _unpack_float(self, text: str) -> float:
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[text]

    def _unpack_tuple(self, items: list[Any]) -> tuple[Any, ...]:
        return tuple(self.decode(items))

    def _unpack_dict(self, items: list[Any]) -> dict[Any, Any]:
        keys = [self.decode(key) for key, _ in items]
        _check_keys(keys)
        return {key: self.decode(value) for key, (_, value) in zip(keys, items, strict=True)}

    def _unpack_array(self, name: str) -> NDArray:
        if name not in self._arrays:
            raise ValueError(f"lacks array {str(name)[:80]!r}, or uses it twice")
        return self._arrays.pop(name).copy()  # writable, at an address of numpy's choice

    def _unpack_transposed(self, tree: Any) -> NDArray:
        return self.decode(tree).T

    def _unpack_tensor(self, tree: Any) -> torch.Tensor:
        return torch.from_numpy(self.decode(tree))

    def _unpack_scalar(self, tree: Any) -> Any:
        return self.decode(tree)[()]

    def _unpack_masked(self, parts: list[Any]) -> Any:
        data, mask = self.decode(parts)
        return np.ma.MaskedArray(data, mask)

    def _unpack_objects(self, content: list[Any]) -> NDArray:
        shape, items = content
        array = np.empty(len(items), dtype=object)
        array[:] = self.decode(items)
        return array.reshape(shape)

    def _unpack_strings(self, content: list[Any]) -> NDArray:
        shape, items = content
        if not all(isinstance(item, str) for item in items):
            raise ValueError("holds an array of strings with other things in it")
        return text_array(items, "an array").reshape(shape)

    def _unpack_random_state(self, content: list[Any]) -> np.random.RandomState:
        name, key, position, has_gauss, gauss = self.decode(content)
        if key.shape != (MT19937_WORDS,) or key.dtype != np.uint32 or not is_position(position):
            raise ValueError("holds a random generator in no state that it can be in")
        generator = np.random.RandomState()
        generator.set_state((name, key, position, has_gauss, gauss))
        return generator

    def _unpack_step(self, number: int) -> Any:
        if number not in self._steps:
            raise ValueError(f"lacks step {str(number)[:80]!r}, or uses it twice")
        return load_step(self._steps.pop(number))

    def _unpack_network(self, content: list[Any]) -> nn.Module:
        name, values, prefix = content
        if name not in NETWORKS:
            raise ValueError(f"holds a network {name!r}, expected one of {', '.join(NETWORKS)}")
        network_class, sizes_class = NETWORKS[name]
        sizes = _sizes(sizes_class, self.decode(values), pairs=name == "FrequencyTimeAutoencoder")
        weights = self._unpack_weights(prefix)
        # Nothing is large that the file itself does not fill.
        n_values = sum(array.size for array in weights.values())
        for key, value in asdict(sizes).items():
            if key == "n_components":
                continue  # `StateCovariance` has no more than there are states
            limit = len(weights) if "layers" in key else n_values
            for part in value if isinstance(value, tuple) else [value]:
                if isinstance(part, int) and not 0 <= part <= limit:
                    raise ValueError(f"its weights are not of a network with {key}={value}")
        with torch.device("meta"):
            network = network_class(sizes)
        expected = {key: _form(tensor) for key, tensor in network.state_dict().items()}
        found = {key: _form(array) for key, array in weights.items()}
        if different := sorted(set(expected.items()) ^ set(found.items())):
            key = different[0][0]
            raise ValueError(
                f"its weights {key[:80]!r} are {found.get(key, 'missing')}, expected "
                f"{expected.get(key, 'none')}"
            )
        for key, array in weights.items():
            if not np.isfinite(array).all():
                raise ValueError(f"its weights {key!r} hold NaN or infinity")
        allocate(network)  # where torch likes its memory: the same bits as before
        network.load_state_dict({key: torch.from_numpy(array) for key, array in weights.items()})
        return network.eval()

    def _unpack_weights(self, prefix: str) -> dict[str, NDArray]:
        keys = [key for key in self._arrays if key.startswith(prefix)]
        return {key.removeprefix(prefix): self._unpack_array(key) for key in keys}

    def _unpack_module(self, content: list[Any]) -> nn.Module:
        name, prefix = content
        return set_weights(name, self._unpack_weights(prefix), self._modules)

    def _unpack_module_encoder(self, content: list[Any]) -> nn.Module:
        module, sizes, prefix = content
        return make_encoder(self.decode(module), sizes, self._unpack_weights(prefix))

    def _unpack_estimator(self, content: list[Any]) -> Any:
        name, params, attributes = content
        if (kind := CLASSES.get(name)) is None:
            return self._unpack_common_step(content)
        params = {key: self.decode(value) for key, value in params.items()}
        if params.get("memory") is not None:
            raise ValueError(f"holds {name} with memory=, a folder that pickles are loaded from")
        estimator = kind(**params)
        _check(estimator)
        for key, value in attributes.items():
            # No attribute may replace a method, a property or a parameter.
            known = key in SKLEARN_VOLATILE_ATTRIBUTES or key in params or hasattr(kind, key)
            if known or not _ATTRIBUTE.fullmatch(key):
                raise ValueError(f"holds {name} with attribute {key[:80]!r}, no result of fit")
            setattr(estimator, key, self.decode(value))
        check_results(estimator)
        if isinstance(estimator, GridSearchCV | RandomizedSearchCV) and "cv_results_" in attributes:
            estimator.scorer_ = _scorer(estimator)
        return estimator

    def _unpack_common_step(self, content: list[Any]) -> Any:
        name, params, results = content
        if (kind := find_class(name)) is None:
            raise ValueError(f"holds {str(name)[:80]!r}, which is no estimator of skaudeep")
        if self._sklearn_version != sklearn.__version__:
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name=name,
                    current_sklearn_version=sklearn.__version__,
                    original_sklearn_version=self._sklearn_version,
                ),
                stacklevel=find_stack_level(),
            )
        _check_plain([*params.values(), *results.values()])
        estimator = kind(**{key: self.decode(value) for key, value in params.items()})
        _check(estimator)
        set_results(estimator, {key: self.decode(value) for key, value in results.items()})
        return estimator


def _sizes(kind: Any, values: Any, *, pairs: bool) -> Any:
    """Make the sizes of a network from what a file says, if each is of the type that it has.

    `pairs` says whether some may be pairs, over frequency and over time.
    """
    if isinstance(values, dict) and kind is NetworkSizes:
        values = {"n_conditions": 0} | values  # older files lack it
    if not isinstance(values, dict) or values.keys() != {field.name for field in fields(kind)}:
        raise ValueError(f"holds no sizes of a network: {str(values)[:80]!r}")
    for field in fields(kind):
        value = values[field.name]
        per_axis = field.type == "Any"
        pair = pairs and per_axis and isinstance(value, tuple) and len(value) == 2
        types = _FIELD_TYPES[type(field.default).__name__ if per_axis else str(field.type)]
        if not all(type(part) in types for part in (value if pair else (value,))):
            raise ValueError(f"holds a network with {field.name}={str(value)[:80]!r}")
    return kind(**values)


def _check_plain(tree: Any) -> None:
    """Raise ValueError if something in a tree is neither a number, a text nor made of these."""
    for item in tree if isinstance(tree, list) else [tree]:
        if isinstance(item, list):
            _check_plain(item)
        elif isinstance(item, dict):
            [(kind, content)] = item.items()
            if kind not in _PLAIN:
                raise ValueError(f"holds a {kind[:80]} where numbers and texts belong")
            _check_plain(content)


def _check(estimator: Any) -> None:
    if hasattr(estimator, "_parameter_constraints"):
        estimator._validate_params()


def _model_path(extractor: FunctionExtractor, place: str) -> str:
    """Return the path of the ONNX model of an extractor; raise ValueError if it is no such path."""
    if callable(extractor.func):
        raise ValueError(
            f"{place}.func is the function {function_name(extractor.func)}, which is code and "
            "cannot be stored without a pickle. Expected the path of an ONNX model: export the "
            "function to ONNX, or store the steps behind it and make the extractor anew"
        )
    if extractor.checksum is None and vars(extractor).get("checksum_") is None:
        raise ValueError(
            f"{place}.func is the path {shown(extractor.func)} of a model without a checksum, so "
            "that any other could take its place. Call fit, or set "
            f"checksum={onnx_checksum(extractor.func)!r}"
        )
    return os.fsdecode(extractor.func)


def _teacher(teacher: Any) -> Any:
    """Return a teacher without what it has learned, which its student does without.

    None where it cannot be stored, or needs skops to load: that is no reason to lose the student.
    """
    trial = Serializer()
    try:
        copy = None if teacher is None else clone(teacher)
        trial.encode(copy, "teacher")
    except (ValueError, ImportError):
        return None
    return None if trial.steps else copy


def _check_keys(keys: list[Any]) -> None:
    small = (isinstance(key, str) or (type(key) is int and abs(key) < 2**60) for key in keys)
    check_n_keys(len(keys) - sum(small))


def _form(array: Any) -> str:
    """Shape and type of a tensor or array, in the same words."""
    return f"{str(array.dtype).removeprefix('torch.')} of shape {tuple(array.shape)}"


def _scorer(search: Any) -> Any:
    """Return what `fit` of a search stores as `scorer_`."""
    scoring = search.scoring
    if isinstance(scoring, list | tuple):
        scoring = {name: name for name in scoring}
    if isinstance(scoring, dict):
        return {name: get_scorer(metric) for name, metric in scoring.items()}
    return check_scoring(search.estimator, scoring)
