"""Networks of users as encoders: any module from sequences to states."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from skaudeep.nn.pooling import N_COMPONENTS, StateCovariance, moments


class ModuleEncoder(nn.Module):
    """Reads sequences by any module, and pools its states as the other encoders do.

    Parameters
    ----------
    module : nn.Module
        From sequences of one length, (n_frames, n_sequences, n_bands), to states of shape
        (n_frames, n_sequences, n_states).
    n_bands : int
    n_states : int
    n_components : int, default=64
        Largest number of principal components of the states.

    Examples
    --------
    >>> import torch
    >>> encoder = ModuleEncoder(torch.nn.Linear(3, 4), n_bands=3, n_states=4)
    >>> encoder.pool(torch.zeros(7, 2, 3)).shape  # 7 frames of 2 sequences
    torch.Size([2, 34])
    """

    def __init__(
        self, module: nn.Module, n_bands: int, n_states: int, n_components: int = N_COMPONENTS
    ):
        super().__init__()
        self.module = module
        self.n_bands = n_bands
        self.covariance = StateCovariance(n_states, n_components)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the states.

        The module is called once for each length, so that it never sees padding, and the states of
        a sequence do not depend on what it was batched with.

        Parameters
        ----------
        x : Tensor of shape (n_frames, n_sequences, n_bands)
        lengths : Tensor of shape (n_sequences,), default=None
            True frames of each sequence; None where all fill the batch.

        Returns
        -------
        Tensor of shape (n_frames, n_sequences, n_states)
            Zero at padding.
        """
        if lengths is None:
            return run(self.module, x, len(self.covariance.center))
        states = x.new_zeros(*x.shape[:2], len(self.covariance.center))
        for length in lengths.unique().tolist():
            rows = torch.nonzero(lengths == length).flatten()
            if length:
                part = x[:length, rows]
                states[:length, rows] = run(self.module, part, states.shape[2])
        return states

    def read(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return what `forward` returns, as encoders do."""
        return self(x, lengths)

    def moments(self, states: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Sum what `covariance` is fitted to, see :func:`~skaudeep.nn.pooling.moments`."""
        return moments(states, lengths)

    def pool(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Run over sequences and pool the states over time: (n_sequences, n_features)."""
        return self.covariance(self(x, lengths), lengths)


def run(module: nn.Module, x: Tensor, n_states: int | None = None) -> Tensor:
    """Call a module of somebody else, and check what it returns.

    Parameters
    ----------
    module : nn.Module
    x : Tensor of shape (n_frames, n_sequences, n_bands)
    n_states : int, default=None
        Expected number of states; None takes any.

    Returns
    -------
    Tensor of shape (n_frames, n_sequences, n_states), float32

    Raises
    ------
    ValueError
        If the module returns anything else, or values that are not finite.
    """
    states: Any = module(x)
    name = type(module).__name__
    wanted = f"({x.shape[0]}, {x.shape[1]}, {'n_states' if n_states is None else n_states})"
    if not isinstance(states, Tensor):
        raise ValueError(
            f"The module {name} returned a {type(states).__name__}, expected a Tensor of shape "
            f"{wanted}: (n_frames, n_sequences, n_states). Wrap it in a module that returns its "
            "states alone."
        )
    fits = states.ndim == 3 and states.shape[:2] == x.shape[:2] and states.shape[2] > 0
    if not fits or n_states not in (None, states.shape[2]):
        raise ValueError(
            f"The module {name} made a tensor of shape {tuple(states.shape)} of one of shape "
            f"{tuple(x.shape)}, expected {wanted}: (n_frames, n_sequences, n_states), the frames "
            "first."
        )
    if not torch.isfinite(states).all():
        raise ValueError(
            f"The module {name} made NaN or infinity of finite input. Features of such states have "
            "no meaning: look at its weights."
        )
    return states.float()
