"""The training loop: batches, loss, optimiser step. It knows no network by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

SHARD = 32  # sequences that one core takes through the network: their states fit its cache


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


def propagate(
    network: nn.Module,
    x: Tensor,
    lengths: Tensor | None,
    *,
    bf16: bool = False,
    generator: torch.Generator,
) -> tuple[Tensor, int]:
    """Set the gradient of the root of the mean squared error of a batch.

    On the CPU, `SHARD` sequences at a time go through the network and back, each shard on one core,
    so that cores wait for each other once a batch and no more is kept than for the shards under
    way. Shards do not depend on the number of threads, and so neither do the bits of the result.

    Parameters
    ----------
    network, x, lengths, bf16, generator
        As in `train_epoch`.

    Returns
    -------
    error : Tensor, scalar
        Sum of squared differences over the batch.
    n_values : int
    """
    parameters = [p for p in network.parameters() if p.requires_grad]

    def run(part: Tensor, n: Tensor | None, chance: torch.Generator) -> Any:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
            output = network(part, n, chance)
        error, n_values = squared_error(output.float(), part, n)
        return (
            error.detach(),
            n_values,
            torch.autograd.grad(error, parameters, materialize_grads=True),
        )

    if x.device.type == "cpu" and x.shape[1] > SHARD:
        total, n_values, gradients = _sum_over_shards(run, x, lengths, generator)
    else:
        total, n_values, gradients = run(x, lengths, generator)
    # The floor keeps the root's gradient finite where the reconstruction is perfect.
    total.requires_grad_()
    (scale,) = torch.autograd.grad((total / n_values).clamp_min(1e-12).sqrt(), total)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.mul_(scale)
    return total.detach(), n_values


def _sum_over_shards(
    run: Callable, x: Tensor, lengths: Tensor | None, generator: torch.Generator
) -> Any:
    """Add up what ``run`` gives for each shard, always in the same order."""
    order = torch.arange(x.shape[1])
    if lengths is not None:  # like beside like: a shard ends with its longest sequence
        order = lengths.argsort(stable=True)
    shards = order.split(SHARD)
    seeds = torch.randint(2**63 - 1, (len(shards),), generator=generator).tolist()

    def run_shard(rows: Tensor, seed: int) -> Any:
        n = None if lengths is None else lengths[rows]
        part = x[: None if n is None else int(n.max())].index_select(1, rows)
        return run(part, n, torch.Generator().manual_seed(seed))

    n_threads = torch.get_num_threads()
    n_workers = min(n_threads, len(shards))
    with ThreadPoolExecutor(n_workers) as pool:
        torch.set_num_threads(n_threads // n_workers)  # what new threads begin with
        try:
            results = pool.map(run_shard, shards, seeds)
            total, n_values, gradients = next(results)
            for error, n, more in results:
                total, n_values = total + error, n_values + n
                for gradient, other in zip(gradients, more, strict=True):
                    gradient += other
        finally:
            torch.set_num_threads(n_threads)
    return total, n_values, gradients


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
        # Forward and backward: the loss is one root over the whole batch.
        error, n_values = propagate(network, x, lengths, bf16=bf16, generator=generator)
        # Clip, step.
        nn.utils.clip_grad_value_(network.parameters(), gradient_clip)
        optimizer.step()
        epoch_error = epoch_error + error.double()  # on the device: no wait per batch
        epoch_values += n_values
    return float((epoch_error / epoch_values) ** 0.5)
