"""Threads that stay: to start some at every step takes time, and memory for their stacks."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from threading import Barrier, current_thread
from typing import Any

import torch
from torch import Tensor


@lru_cache(maxsize=8)
def thread_pool(purpose: str, n: int, *, start_now: bool = False) -> ThreadPoolExecutor:
    """Return the threads of this process that share one kind of work.

    Parameters
    ----------
    purpose : str
        Work of one purpose must not wait for more work of the same purpose: all threads might.
    n : int
        How many.
    start_now : bool, default=False
        Whether all start now; else each starts when it is needed first, which hangs on chance.

    Returns
    -------
    ThreadPoolExecutor
        Never to be shut down. Its threads do not keep the interpreter from its end.

    Examples
    --------
    >>> list(thread_pool("example", 2).map(abs, [-1, -2]))
    [1, 2]
    >>> thread_pool("example", 2) is thread_pool("example", 2)
    True
    """
    pool = ThreadPoolExecutor(n, thread_name_prefix=f"skaudeep-{purpose}")
    if start_now:
        all_there = Barrier(n)
        try:
            for waiting in [pool.submit(all_there.wait) for _ in range(n)]:
                waiting.result()
        except BaseException:  # no memory for one more
            all_there.abort()
            raise
    return pool


if hasattr(os, "register_at_fork"):  # a child inherits the pools, but none of their threads
    os.register_at_fork(after_in_child=thread_pool.cache_clear)


@contextmanager
def parallel_map(n_tasks: int) -> Iterator[Callable[..., Iterator[Any]]]:
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
    >>> with parallel_map(3) as each:
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
        pool = thread_pool("shard", n_workers, start_now=True)
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


def share(run: Callable, arguments: Sequence[Any], n_rows: int) -> None:
    """Run a kernel on all rows, in as many threads as torch would use."""
    n_threads = max(1, min(torch.get_num_threads(), n_rows // 8))
    bounds = [n_rows * i // n_threads // 8 * 8 for i in range(n_threads)] + [n_rows]
    shared = [array(a) for a in arguments]
    if n_threads == 1:
        run(*shared, 0, n_rows)
        return
    if current_thread().name.startswith("skaudeep-shard"):  # whose team is busy with shards
        pool = thread_pool("kernel", os.cpu_count() or 1)
    else:
        pool = thread_pool("shard", n_threads, start_now=True)
    others = [pool.submit(run, *shared, *part) for part in pairwise(bounds[1:])]
    try:
        run(*shared, bounds[0], bounds[1])
    finally:
        wait(others)
    for other in others:
        other.result()


def array(x: Any) -> Any:
    """Return the memory of a tensor as an array; anything else as it is."""
    return x.detach().numpy() if isinstance(x, Tensor) else x
