"""Thread pools that outlive a call, and the number of threads that torch uses in each thread.

Starting threads at every training step takes time, and memory for their stacks; so pools stay.

`torch.set_num_threads` is called nowhere in this library: it sets the number for the calling thread
and for *every thread that starts later*, those of the user included. `torch_threads` limits one
thread instead, through the OpenMP library that torch is linked with, whose number belongs to the
thread that sets it.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


class _ThisThread(threading.local):
    """State of the calling thread."""

    pool: str | None = None  # purpose of the pool that it belongs to
    limit: int | None = None  # threads that its work may take, inside `torch_threads`


_this_thread = _ThisThread()


# --- how many threads ----------------------------------------------------------------------------


def n_threads() -> int:
    """Count the threads that work of the calling thread may take.

    It is `torch.get_num_threads`, or the limit that `torch_threads` has set.

    Examples
    --------
    >>> with torch_threads(1):
    ...     n_threads()
    1
    """
    return _this_thread.limit or torch.get_num_threads()


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Let torch use `n` threads in the calling thread; no other thread, and no later one, changes.

    On a busy machine a parallel region of OpenMP waits, spinning, for its slowest thread. Where
    products are small, one thread is faster even on a machine that does nothing else.

    Where torch's OpenMP library does not export its functions (Windows), torch goes on with the
    number it has: the same results, and more threads than there are cores.

    Parameters
    ----------
    n : int
        At least 1.

    Examples
    --------
    >>> import torch
    >>> before = torch.get_num_threads()
    >>> with torch_threads(1):
    ...     x = torch.ones(2, 2) @ torch.ones(2, 2)
    >>> torch.get_num_threads() == before
    True
    """
    limit = _this_thread.limit
    before = torch.get_num_threads()  # torch sets the number of a thread when it is first asked
    set_openmp, set_mkl = _setters()
    _this_thread.limit = n
    set_openmp(n)
    # MKL asks OpenMP unless the user has called torch.set_num_threads, which also sets MKL's own.
    mkl_before = set_mkl(n)
    try:
        yield
    finally:
        set_mkl(mkl_before)
        set_openmp(before)
        _this_thread.limit = limit


@lru_cache(maxsize=1)
def _setters() -> tuple[Callable[[int], object], Callable[[int], int]]:
    """Find the functions that set the calling thread's number, in OpenMP and in MKL.

    They are looked up through torch's library and those it is linked with: scikit-learn may have
    loaded another OpenMP, which torch does not listen to.
    """
    suffix = "dylib" if sys.platform == "darwin" else "so"
    path = Path(torch.__file__).parent / "lib" / f"libtorch_cpu.{suffix}"
    try:
        library = ctypes.CDLL(str(path))
        set_openmp = library.omp_set_num_threads
    except (OSError, AttributeError):
        return (lambda n: None), (lambda n: 0)
    set_openmp.argtypes, set_openmp.restype = [ctypes.c_int], None
    try:
        set_mkl = library.MKL_Set_Num_Threads_Local  # returns the number before, 0 for none
    except AttributeError:  # torch without MKL
        return set_openmp, (lambda n: 0)
    set_mkl.argtypes, set_mkl.restype = [ctypes.c_int], ctypes.c_int
    return set_openmp, set_mkl


# --- pools ---------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def thread_pool(purpose: str, n: int, *, start_now: bool = False) -> ThreadPoolExecutor:
    """Return the threads of this process that share one kind of work.

    Parameters
    ----------
    purpose : str
        Kind of work. A task must not wait for another task of the same purpose: with all threads
        waiting, none would be left to run it.
    n : int
        Number of threads.
    start_now : bool, default=False
        Whether all threads start now. By default each starts when there is first work for it, in
        nondeterministic order.

    Returns
    -------
    ThreadPoolExecutor
        Not to be shut down. Its idle threads do not keep the interpreter from exiting.

    Examples
    --------
    >>> list(thread_pool("example", 2).map(abs, [-1, -2]))
    [1, 2]
    >>> thread_pool("example", 2) is thread_pool("example", 2)
    True
    """

    def join() -> None:
        _this_thread.pool = purpose

    pool = ThreadPoolExecutor(n, thread_name_prefix=f"skaudeep-{purpose}", initializer=join)
    if start_now:
        all_there = threading.Barrier(n)
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
    """Run tasks at the same time, in as many threads as torch has, which they share.

    Parameters
    ----------
    n_tasks : int
        Number of tasks to expect.

    Yields
    ------
    callable
        ``each(function, *iterables)`` like the built-in `map`: an iterator over the results in
        order. An exception of a task is raised where its result is asked for.

    Examples
    --------
    >>> with parallel_map(3) as each:
    ...     list(each(pow, [2, 3, 4], [2, 2, 2]))
    [4, 9, 16]
    """
    n_workers = min(n_threads(), n_tasks)
    if n_workers < 2:
        yield map
        return
    per_worker = n_threads() // n_workers
    running: deque[Future] = deque()

    def run(function: Callable[..., Any], *arguments: Any) -> Any:
        with torch_threads(per_worker):
            return function(*arguments)

    def each(function: Callable[..., Any], *iterables: Any) -> Iterator[Any]:
        pool = thread_pool("shard", n_workers, start_now=True)
        running.extend(pool.submit(run, function, *row) for row in zip(*iterables, strict=True))
        while running:
            wait([running[0]])  # after an interrupt, it is waited for below
            yield running.popleft().result()

    with torch_threads(per_worker):  # the caller adds up results while others work
        try:
            yield each
        finally:
            for task in running:  # after an error
                task.cancel()
            wait(running)


def share(run: Callable[..., Any], arguments: Sequence[Any], n_rows: int) -> None:
    """Run a kernel on all rows, in as many threads as torch would use.

    Parameters
    ----------
    run : callable
        ``run(*arguments, start, stop)`` works on the rows from `start` to `stop`, and without the
        interpreter's lock.
    arguments : sequence
        Tensors are passed as arrays.
    n_rows : int
        Number of rows, which are split at multiples of 8.
    """
    n_parts = max(1, min(n_threads(), n_rows // 8))
    bounds = [n_rows * i // n_parts // 8 * 8 for i in range(n_parts)] + [n_rows]
    shared = [array(a) for a in arguments]
    if n_parts == 1:
        run(*shared, 0, n_rows)
        return
    if _this_thread.pool is not None:  # its own pool may be waiting for this very kernel
        pool = thread_pool("kernel", os.cpu_count() or 1)
    else:
        pool = thread_pool("shard", n_parts, start_now=True)
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
