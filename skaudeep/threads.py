"""Threads that stay: to start some at every step takes time, and memory for their stacks."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Barrier


@lru_cache(maxsize=8)
def team(purpose: str, n: int, *, at_once: bool = False) -> ThreadPoolExecutor:
    """Return the threads of this process that share one kind of work.

    Parameters
    ----------
    purpose : str
        Work of one purpose must not wait for more work of the same purpose: all threads might.
    n : int
        How many.
    at_once : bool, default=False
        Whether all start now; else each starts when it is needed first, which hangs on chance.

    Returns
    -------
    ThreadPoolExecutor
        Never to be shut down. Its threads do not keep the interpreter from its end.

    Examples
    --------
    >>> list(team("example", 2).map(abs, [-1, -2]))
    [1, 2]
    >>> team("example", 2) is team("example", 2)
    True
    """
    pool = ThreadPoolExecutor(n, thread_name_prefix=f"skaudeep-{purpose}")
    if at_once:
        all_there = Barrier(n)
        try:
            for waiting in [pool.submit(all_there.wait) for _ in range(n)]:
                waiting.result()
        except BaseException:  # no memory for one more
            all_there.abort()
            raise
    return pool


if hasattr(os, "register_at_fork"):  # a child inherits the pools, but none of their threads
    os.register_at_fork(after_in_child=team.cache_clear)
