"""Sizes of an autoencoder, and pairs of them for the network over frequency and over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np

# Sizes that may be a pair (frequency, time), with the kind of each value in words.
PER_AXIS = {
    "n_units": "a positive integer",
    "n_layers": "a positive integer",
    "bidirectional_encoder": "True or False",
    "bidirectional_decoder": "True or False",
    "encoder_noise": "a number from 0 to below 1",
}
# Sizes on which the weights do not depend, so that the next training may change them.
CHANGEABLE = ("dropout", "encoder_noise")
PAIRS = (list, tuple, np.ndarray)


class Constraint(Protocol):
    """A condition on a value, such as scikit-learn's parameter constraints."""

    def is_satisfied_by(self, value: Any) -> bool:
        """Return whether a value satisfies the condition."""


@dataclass(frozen=True)
class NetworkSizes:
    """Sizes and settings from which an autoencoder is built.

    Parameters
    ----------
    n_bands : int
        Bands per frame.
    n_units : int or (int, int), default=256
        Units of each recurrent layer. Here and below, `FrequencyTimeAutoencoder` takes a pair:
        over frequency, and over time.
    n_layers : int or (int, int), default=2
        Layers of each stack.
    cell : {"gru", "lstm"}, default="gru"
    bidirectional_encoder, bidirectional_decoder : bool or (bool, bool), default=False
        Whether a second, independent stack reads or rebuilds the sequences from the other end.
    code : {"tanh", "gaussian"}, default="tanh"
    dropout : float in [0, 1), default=0.0
        Share of the inputs and outputs of each recurrent layer that are dropped in training.
    encoder_noise : float in [0, 1) or (float, float), default=0.0
        Share of the frames (of windows, over frequency) that the encoder does not see in training.
    out_activation : {"tanh", "identity"}, default="tanh"
        Activation of the reconstruction.
    band_window : int, default=32
        Bands of a window, for the networks that read the bands of a frame.
    band_overlap : int, default=24
        Bands that a window shares with the next.
    n_conditions : int, default=0
        Number of conditions, such as sites or speakers, that the decoder can read; 0 for none.
    """

    n_bands: int
    n_units: Any = 256
    n_layers: Any = 2
    cell: str = "gru"
    bidirectional_encoder: Any = False
    bidirectional_decoder: Any = False
    code: str = "tanh"
    dropout: float = 0.0
    encoder_noise: Any = 0.0
    out_activation: str = "tanh"
    band_window: int = 32
    band_overlap: int = 24
    n_conditions: int = 0


def pair(value: Any) -> tuple[Any, Any]:
    """Return a pair (frequency, time); a single value stands for both.

    Parameters
    ----------
    value : object
        A list, tuple or array of two, or anything else.

    Returns
    -------
    (object, object)

    Examples
    --------
    >>> pair((64, 128)), pair(False)
    ((64, 128), (False, False))
    """
    over_frequency, over_time = value if isinstance(value, PAIRS) else (value, value)
    return _plain(over_frequency), _plain(over_time)


def _plain(value: Any) -> Any:
    """Return a number of numpy as one of Python, which files can store."""
    return value.item() if isinstance(value, np.generic) else value


def paired(sizes: NetworkSizes) -> NetworkSizes:
    """Return the same sizes, with a pair for each that may be one.

    Parameters
    ----------
    sizes : NetworkSizes

    Returns
    -------
    NetworkSizes
    """
    pairs: dict[str, Any] = {name: pair(getattr(sizes, name)) for name in PER_AXIS}
    return replace(sizes, **pairs)


def check_same_sizes(wanted: NetworkSizes, found: NetworkSizes) -> None:
    """Raise a ValueError if sizes differ, except in those of `CHANGEABLE`.

    Parameters
    ----------
    wanted, found : NetworkSizes
        Sizes by the parameters, and sizes of the network.

    Raises
    ------
    ValueError
        If they differ in a size on which the weights depend.
    """
    for field in fields(NetworkSizes):
        asked, there = getattr(wanted, field.name), getattr(found, field.name)
        if pair(asked) != pair(there) and field.name not in CHANGEABLE:
            raise ValueError(
                f"{field.name} is {asked!r}, but the network to go on with has {there!r}. Set it "
                "back, or fit with warm_start=False."
            )


def check_parts(
    name: str, value: Any, axis: str, kinds: Sequence[Constraint], expected: str
) -> None:
    """Check that a parameter is a single value, or, for two axes, a pair of values.

    Parameters
    ----------
    name : str
    value : object
    axis : str
        That of the network; "frequency-time" has two.
    kinds : sequence of Constraint
        Conditions, of which each value has to satisfy one.
    expected : str
        Description of a valid value.

    Raises
    ------
    ValueError
        If the parameter is invalid.
    """
    is_pair = axis == "frequency-time" and isinstance(value, PAIRS) and len(value) == 2
    for part in value if is_pair else [value]:
        if not any(kind.is_satisfied_by(part) for kind in kinds):
            raise ValueError(
                f"Got {name}={value!r} with axis={axis!r}, expected {expected}, or, with "
                'axis="frequency-time", two: over frequency and over time.'
            )
