"""A batch in shards, each on a core of its own.

Cores that share every product of a recurrent network wait for each other at every step. Here each
takes a part of the sequences through the whole network, and they meet at the loss and at the
gradient. What the shards are does not depend on the number of cores, and so neither do the bits of
a result.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from skaudeep.threads import team

Batch = tuple[Tensor, Tensor | None]
Shard = tuple[Tensor, Tensor | None, Tensor]
SHARD = 32  # sequences: the states of so many fit a core's cache


def split_batch(x: Tensor, lengths: Tensor | None) -> list[Shard]:
    """Split a batch into shards; other devices than the CPU get it whole.

    Parameters
    ----------
    x : Tensor of shape (n_frames, n_sequences, n_bands)
    lengths : Tensor of shape (n_sequences,) or None
        True frames of each sequence; None where all fill the batch.

    Returns
    -------
    list of (x, lengths, rows)
        Together all sequences, those of like length in the same shard, which ends with its longest;
        `rows` are their places in the batch. None where there are no sequences.

    Examples
    --------
    >>> import torch
    >>> [x.shape[1] for x, _, _ in split_batch(torch.zeros(7, 70, 3), None)]
    [32, 32, 6]
    """
    n_sequences = x.shape[1]
    if n_sequences == 0:
        return []
    if n_sequences <= SHARD or x.device.type != "cpu":
        return [(x, lengths, torch.arange(n_sequences, device=x.device))]
    if lengths is None:
        parts, places = x.split(SHARD, dim=1), torch.arange(n_sequences).split(SHARD)
        return [(part.contiguous(), None, rows) for part, rows in zip(parts, places, strict=True)]
    order = lengths.argsort(stable=True)
    shards: list[Shard] = []
    for rows in order.split(SHARD):
        longest = int(lengths[rows].max())
        shards.append((x[:longest].index_select(1, rows), lengths[rows], rows))
    return shards


@contextmanager
def cores(n_tasks: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """Run tasks at the same time, as many as torch has threads, which they share.

    Parameters
    ----------
    n_tasks : int

    Yields
    ------
    callable
        ``each(function, *iterables)``, an iterator of the results. An error comes through.

    Examples
    --------
    >>> with cores(3) as each:
    ...     list(each(pow, [2, 3, 4], [2, 2, 2]))
    [4, 9, 16]
    """
    n_threads = torch.get_num_threads()
    n_workers = min(n_threads, n_tasks)
    if n_workers < 2:
        yield map
        return
    share = n_threads // n_workers
    running: deque[Future] = deque()

    def run(function: Callable[..., Any], *arguments: Any) -> Any:
        torch.set_num_threads(share)  # each thread has its own number
        return function(*arguments)

    def each(function: Callable[..., Any], *iterables: Any) -> Iterator[Any]:
        pool = team("shard", n_workers, at_once=True)
        running.extend(pool.submit(run, function, *row) for row in zip(*iterables, strict=True))
        while running:
            wait([running[0]])  # if that is interrupted, it is waited for below
            yield running.popleft().result()

    torch.set_num_threads(share)
    try:
        yield each
    finally:
        for task in running:  # after an error
            task.cancel()
        wait(running)
        torch.set_num_threads(n_threads)
