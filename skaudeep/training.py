"""The training loop: batches, loss, optimiser step. It knows no network by name."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn


def squared_error(output: Tensor, target: Tensor, lengths: Tensor | None) -> tuple[Tensor, int]:
    """Sum of squared differences over true frames, and the number of values it runs over.

    Parameters
    ----------
    output, target : Tensor of shape (n_frames, n_sequences, n_bands)
    lengths : Tensor of shape (n_sequences,) or None
        True frames of each sequence; None where all fill the batch.

    Returns
    -------
    error : Tensor, scalar
    n_values : int

    Examples
    --------
    >>> import torch
    >>> squared_error(torch.ones(3, 2, 4), torch.zeros(3, 2, 4), torch.tensor([3, 1]))
    (tensor(16.), 16)
    """
    error = (output - target).square()
    if lengths is None:
        return error.sum(), error.numel()
    real = torch.arange(len(error), device=error.device)[:, None] < lengths.to(
        error.device
    )  # (T, B)
    return (error * real[:, :, None]).sum(), int(lengths.sum()) * error.shape[2]


def epoch_order(n_rows: int, *, seed: int, epoch: int) -> np.ndarray:
    """Order the rows of an epoch by nothing but seed and epoch, so that training can resume.

    Returns
    -------
    ndarray of shape (n_rows,), int64

    Examples
    --------
    >>> sorted(epoch_order(4, seed=0, epoch=2).tolist())
    [0, 1, 2, 3]
    """
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(n_rows)


def train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[tuple[Tensor, Tensor | None]],
    *,
    gradient_clip: float,
    bf16: bool = False,
    generator: torch.Generator,
) -> float:
    """Take one optimiser step per batch.

    Parameters
    ----------
    network : nn.Module
        ``network(x, lengths, generator)`` gives the reconstruction of ``x``.
    optimizer : torch.optim.Optimizer
    batches : iterable of (x, lengths)
        ``x`` of shape (n_frames, n_sequences, n_bands), ``lengths`` as in `squared_error`.
    gradient_clip : float
        Each element of the gradient is cut to ``[-gradient_clip, gradient_clip]``.
    bf16 : bool, default=False
        Whether matrices are multiplied in bfloat16.
    generator : torch.Generator
        Source of dropout.

    Returns
    -------
    float
        Root of the mean squared error over all values of the epoch, as the network stood at each
        batch.
    """
    network.train()
    epoch_error: Tensor | float = 0.0
    epoch_values = 0
    for x, lengths in batches:
        # Forward: the loss is one root over the whole batch.
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
            output = network(x, lengths, generator)
        error, n_values = squared_error(output.float(), x, lengths)
        # The floor keeps the root's gradient finite where the reconstruction is perfect.
        loss = (error / n_values).clamp_min(1e-12).sqrt()
        # Backward, clip, step.
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_value_(network.parameters(), gradient_clip)
        optimizer.step()
        epoch_error = epoch_error + error.detach().double()  # on the device: no wait per batch
        epoch_values += n_values
    return float((epoch_error / epoch_values) ** 0.5)
