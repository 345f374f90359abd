"""Memory that stays: a large block that is new is cleared by the system, at every step anew."""

from __future__ import annotations

import math
import mmap
import weakref

import numpy as np
import torch
from torch import Tensor

HUGE_PAGE = 2**21  # bytes
MAX_SPARE = 2**29  # bytes that wait for their next use

_spare: dict[int, list[np.ndarray]] = {}  # by size; lists, as they need no lock


def empty(*shape: int, dtype: torch.dtype) -> Tensor:
    """Return uninitialised memory on the CPU, where it is large one used before, in huge pages.

    To clear small pages takes as long as the arithmetic on them.

    Parameters
    ----------
    *shape : int
    dtype : torch.dtype

    Returns
    -------
    Tensor of that shape

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
    try:
        block = _spare[size].pop()
    except LookupError:
        block = _new_block(size)
    memory = block[:n_bytes]
    weakref.finalize(memory, _keep, block).atexit = False  # once no tensor needs it
    return torch.from_numpy(memory).view(dtype).view(shape)


def _new_block(size: int) -> np.ndarray:
    pages = mmap.mmap(-1, size + HUGE_PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages.madvise(mmap.MADV_HUGEPAGE)
    memory = np.frombuffer(pages, np.uint8)
    start = -memory.ctypes.data % HUGE_PAGE
    return memory[start : start + size]


def _keep(block: np.ndarray) -> None:
    if len(block) + sum(n * len(blocks) for n, blocks in list(_spare.items())) > MAX_SPARE:
        _spare.clear()  # of sizes, perhaps, that will not come again
    _spare.setdefault(len(block), []).append(block)
