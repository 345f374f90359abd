"""What is kept of a recurrent network's states: statistics over the steps of a sequence."""

from __future__ import annotations

import torch
from torch import Tensor

STATISTICS = ("mean", "std", "max", "change")
MIN_VARIANCE = 1e-12  # keeps the root's gradient finite for states that stand still


def state_statistics(states: list[Tensor], lengths: Tensor | None) -> Tensor:
    """Mean, standard deviation, maximum and mean absolute change of each state over the steps.

    Parameters
    ----------
    states : list of Tensors of shape (n_steps, n_sequences, n_units)
        Layer by layer; zero at padding.
    lengths : Tensor of shape (n_sequences,) or None
        True steps of each sequence; None where all fill the batch.

    Returns
    -------
    Tensor of shape (n_sequences, 4 * n_states)
        First the means of all states, then the other statistics likewise. The standard deviation
        divides by the number of steps; the change is that from one step to the next, 0 where there
        is only one.

    Examples
    --------
    >>> import torch
    >>> states = torch.tensor([1.0, 3.0, 0.0])[:, None, None]  # 3 steps of one sequence
    >>> state_statistics([states], torch.tensor([2]))
    tensor([[2., 1., 3., 2.]])
    """
    # Layer by layer: all of them side by side would be a second copy of the largest arrays.
    by_layer = [_statistics(layer, lengths) for layer in states]
    return torch.cat([torch.cat(kind, dim=1) for kind in zip(*by_layer, strict=True)], dim=1)


def _statistics(states: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    if lengths is None:
        mean = states.mean(dim=0)  # (B, H)
        std = (states - mean).square().mean(dim=0).clamp_min(MIN_VARIANCE).sqrt()
        change = (states[1:] - states[:-1]).abs().sum(dim=0) / max(len(states) - 1, 1)
        return mean, std, states.amax(dim=0), change
    n_steps = lengths.to(states.device)[:, None]  # (B, 1)
    real = torch.arange(len(states), device=states.device)[:, None, None] < n_steps  # (T, B, 1)
    mean = states.sum(dim=0) / n_steps  # (B, H)
    variance = ((states - mean) * real).square().sum(dim=0) / n_steps
    std = variance.clamp_min(MIN_VARIANCE).sqrt()
    maximum = states.masked_fill(~real, -torch.inf).amax(dim=0)
    change = ((states[1:] - states[:-1]) * real[1:]).abs().sum(dim=0) / (n_steps - 1).clamp(min=1)
    return mean, std, maximum, change
