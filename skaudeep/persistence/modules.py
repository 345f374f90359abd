"""Networks of users in files of `save`: their weights, and not their code."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skaudeep.nn.foreign import ModuleEncoder


def class_name(module: nn.Module) -> str:
    """Return the full name of a module's class."""
    return f"{type(module).__module__}.{type(module).__qualname__}"


def take_weights(module: nn.Module, place: str) -> dict[str, NDArray]:
    """Return the weights and buffers of a module as arrays.

    Parameters
    ----------
    module : nn.Module
    place : str
        What it is called in messages.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    ValueError
        If some of its state is no array that a file can hold, or not finite.
    """
    weights = {}
    for key, tensor in module.state_dict().items():
        if not isinstance(tensor, torch.Tensor) or tensor.dtype not in _DTYPES:
            kind = getattr(tensor, "dtype", type(tensor).__name__)
            raise ValueError(f"{place}.{key} is of {kind}, which cannot be stored")
        array = tensor.detach().cpu().numpy()
        if not np.isfinite(array).all():
            raise ValueError(f"{place}.{key} holds NaN or infinity. Train it again")
        weights[key] = np.array(array, order="C")
    return weights


def set_weights(
    name: Any, weights: Mapping[str, NDArray], modules: Iterable[nn.Module]
) -> nn.Module:
    """Return a copy of one of the modules at hand, with weights from a file.

    Parameters
    ----------
    name : str
        Full name of the class of the module that was stored.
    weights : mapping of str to ndarray
    modules : iterable of nn.Module
        Those that the caller of `load` has handed over.

    Returns
    -------
    nn.Module
        In evaluation mode.

    Raises
    ------
    ValueError
        If none of them is of that class and has weights of these shapes.
    """
    shown = str(name)[:80]
    same_class = [module for module in modules if class_name(module) == name]
    if not same_class:
        raise ValueError(
            f"holds the weights of a module {shown!r}, whose code a file never holds. Hand over a "
            f"module of this class: load(path, modules=[{shown.rpartition('.')[2]}(...)])"
        )
    found = {key: _form(array) for key, array in weights.items()}
    for module in same_class:
        expected = {key: _form(tensor) for key, tensor in module.state_dict().items()}
        if expected == found:
            own = copy.deepcopy(module).cpu()
            own.load_state_dict({key: torch.from_numpy(a.copy()) for key, a in weights.items()})
            return own.eval()
    key = min(key for key, _ in set(expected.items()) ^ set(found.items()))
    raise ValueError(
        f"holds a module {shown!r} whose weights {key[:80]!r} are {found.get(key, 'missing')}, but "
        f"in the one of modules= they are {expected.get(key, 'missing')}. Make it with the sizes "
        "that it was stored with"
    )


def make_encoder(module: nn.Module, sizes: Any, covariance: Mapping[str, NDArray]) -> ModuleEncoder:
    """Put a module and its fitted principal components together.

    Parameters
    ----------
    module : nn.Module
    sizes : list of int
        n_bands, n_states and n_components.
    covariance : mapping of str to ndarray

    Returns
    -------
    ModuleEncoder

    Raises
    ------
    ValueError
        If the sizes are not those of the components.
    """
    center, components = covariance.get("center"), covariance.get("components")
    if center is None or components is None or len(covariance) != 2:
        raise ValueError("holds no principal components of the states of a module")
    expected = [center.shape[0], components.shape[1]] if components.ndim == 2 else None
    whole = isinstance(sizes, list) and len(sizes) == 3 and all(type(n) is int for n in sizes)
    if not whole or sizes[0] < 1 or sizes[1:] != expected or components.shape[0] != sizes[1]:
        raise ValueError(f"holds an encoder of sizes {str(sizes)[:80]} that its arrays do not have")
    if not all(np.isfinite(array).all() for array in covariance.values()):
        raise ValueError("holds principal components with NaN or infinity")
    encoder = ModuleEncoder(module, *sizes)
    values = {key: torch.from_numpy(array.copy()) for key, array in covariance.items()}
    encoder.covariance.load_state_dict(values)
    return encoder.eval()


_DTYPES = {torch.float32, torch.float64, torch.float16, torch.int64, torch.int32, torch.bool}


def _form(array: Any) -> str:
    return f"{str(array.dtype).removeprefix('torch.')} of shape {tuple(array.shape)}"
