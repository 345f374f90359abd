"""Principal components of an encoder's states: fitted to a sample of the rows, in one pass."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skaudeep.nn.devices import products_in
from skaudeep.nn.parallel import parallel_map
from skaudeep.training.batches import Batch, Sequences, Shard, sort_by_length, split_batch
from skaudeep.training.distributed import SINGLE_PROCESS, ProcessGroup

COMPONENT_ROWS = 1024  # largest number of rows to which principal components are fitted


def component_rows(lengths: np.ndarray, *, seed: int) -> np.ndarray:
    """Choose the rows to which principal components are fitted: all rows, or a sample of many.

    Parameters
    ----------
    lengths : ndarray of int
        True frames of each row. Rows without any are left out.
    seed : int
        Determines the sample.

    Returns
    -------
    ndarray of int
        At most `COMPONENT_ROWS`, in their order.

    Examples
    --------
    >>> component_rows(np.array([7, 0, 5]), seed=0).tolist()
    [0, 2]
    """
    rows = np.flatnonzero(lengths)
    if len(rows) > COMPONENT_ROWS:
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:COMPONENT_ROWS])
    return rows


def fit_components(
    encoder: Any,
    sequences: Sequences,
    *,
    seed: int,
    batch_size: int,
    processes: ProcessGroup = SINGLE_PROCESS,
) -> None:
    """Fit the principal components of an encoder's states to a sample of the rows.

    Parameters
    ----------
    encoder : nn.Module
        With `covariance` and `moments`, as in `skaudeep.nn.encoders`; in evaluation mode.
    sequences : Sequences
    seed : int
        Determines which rows are taken, where there are more than `COMPONENT_ROWS`.
    batch_size : int
    processes : ProcessGroup, default=SINGLE_PROCESS
        Among whom the batches are shared out.
    """
    rows = component_rows(sequences.lengths, seed=seed)
    rows = sort_by_length(rows, sequences.lengths)  # half of an unsorted batch may be padding
    device = encoder.covariance.center.device
    with closing(sequences.batches(rows, batch_size, device, processes)) as batches:
        encoder.covariance.fit(state_moments(encoder, batches, processes))


def state_moments(
    encoder: Any, batches: Iterable[Batch], processes: ProcessGroup = SINGLE_PROCESS
) -> Tensor:
    """Sum ``encoder.moments`` over batches, without dropout.

    Parameters
    ----------
    encoder : nn.Module
        Of `skaudeep.nn.encoders`.
    batches : iterable of (x, lengths)
        As in `Training.run_epoch`.
    processes : ProcessGroup, default=SINGLE_PROCESS
        Processes that have the other parts of the batches.

    Returns
    -------
    Tensor of shape (1 + n_states, 1 + n_states), float64
        See :func:`skaudeep.nn.pooling.moments`.
    """

    @torch.no_grad()  # a decorator: Ctrl-C at the end of a `with` would leave gradients off
    def of_shard(shard: Shard) -> Tensor:
        x, lengths, _ = shard
        return encoder.moments(encoder(x, lengths), lengths)

    n_states = len(encoder.covariance.center)
    device = encoder.covariance.center.device
    total = torch.zeros(1 + n_states, 1 + n_states, dtype=torch.float64, device=device)
    with products_in("ieee", device):
        for x, lengths, *_ in batches:  # encoders read no condition
            shards = split_batch(x, lengths)
            with parallel_map(len(shards)) as each:
                for own in each(of_shard, shards):
                    total += own
    return processes.all_reduce_sum(total)
