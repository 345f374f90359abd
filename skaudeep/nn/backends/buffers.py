"""A pool of reusable CPU buffers.

The operating system zeroes newly mapped pages, which at every training step costs as much time as
the arithmetic. Large buffers are therefore kept in this process when the last tensor that used them
is gone, up to ``SKAUDEEP_BUFFER_MB`` MiB (default 512; 0 keeps nothing). `clear` returns them to
the system.
"""

from __future__ import annotations

import math
import mmap
import os
import threading
import weakref

import numpy as np
import torch
from torch import Tensor

HUGE_PAGE = 2**21  # bytes
DEFAULT_LIMIT = 512  # MiB

_spare: dict[int, list[np.ndarray]] = {}  # unused buffers, by their size in bytes
# Reentrant: a garbage collection while it is held may free a tensor, which returns its buffer.
_lock = threading.RLock()


def _new_lock() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # another thread may have held it, which a child does not have
    os.register_at_fork(after_in_child=_new_lock)


def empty(*shape: int, dtype: torch.dtype) -> Tensor:
    """Return uninitialised memory on the CPU; large tensors use huge pages of the pool.

    Parameters
    ----------
    *shape : int
        Shape of the tensor.
    dtype : torch.dtype
        Type of its values.

    Returns
    -------
    Tensor of that shape
        The tensor. Its buffer returns to the pool when no tensor and no array uses it.

    Examples
    --------
    >>> import torch
    >>> empty(2, 3, dtype=torch.float32).shape
    torch.Size([2, 3])
    """
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes < HUGE_PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.empty(shape, dtype=dtype)
    size = -(-n_bytes // HUGE_PAGE) * HUGE_PAGE
    with _lock:
        waiting = _spare.get(size)
        block = waiting.pop() if waiting else None
    if block is None:
        block = _new_block(size)
    memory = block[:n_bytes]
    weakref.finalize(memory, _keep, block).atexit = False
    return torch.from_numpy(memory).view(dtype).view(shape)


def clear() -> None:
    """Return all buffers that no tensor uses to the operating system."""
    with _lock:
        _spare.clear()


def limit() -> int:
    """Read the limit of the pool, in bytes, from ``SKAUDEEP_BUFFER_MB``.

    Raises
    ------
    ValueError
        If the variable is no number of MiB from 0.

    Examples
    --------
    >>> limit() // 2**20
    512
    """
    value = os.environ.get("SKAUDEEP_BUFFER_MB", str(DEFAULT_LIMIT))
    if not value.isdecimal():
        raise ValueError(
            f"Got SKAUDEEP_BUFFER_MB={value!r}, expected a whole number of MiB, at least 0: the "
            "memory that may wait for its next use."
        )
    return int(value) * 2**20


def _new_block(size: int) -> np.ndarray:
    limit()  # a wrong value raises here, not when a tensor is freed
    pages = mmap.mmap(-1, size + HUGE_PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages.madvise(mmap.MADV_HUGEPAGE)
    memory = np.frombuffer(pages, np.uint8)
    start = -memory.ctypes.data % HUGE_PAGE
    return memory[start : start + size]


def _keep(block: np.ndarray) -> None:
    most = limit()
    with _lock:
        if len(block) + sum(n * len(blocks) for n, blocks in _spare.items()) > most:
            _spare.clear()  # perhaps of sizes that are not asked for again
        if len(block) <= most:
            _spare.setdefault(len(block), []).append(block)
