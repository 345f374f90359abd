"""How a CUDA device multiplies matrices; on the CPU there is nothing to choose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def products_in(precision: str, device: torch.device) -> Iterator[None]:
    """Choose how a CUDA device multiplies matrices of float32 meanwhile.

    The choice is torch's, for the whole process, and is given back.

    Parameters
    ----------
    precision : {"tf32", "ieee"}
        TensorFloat-32, which rounds factors to 11 bits and is several times as fast on GPUs that
        have it, or float32.
    device : torch.device
        Where it is not CUDA, nothing changes.
    """
    settings: list[Any] = []
    if device.type == "cuda":
        settings = [torch.backends.cuda.matmul, torch.backends.cudnn.rnn]
    before = [(setting, setting.fp32_precision) for setting in settings]
    changed = [(setting, was) for setting, was in before if was != precision]
    for setting, _ in changed:
        setting.fp32_precision = precision
    try:
        yield
    finally:
        for setting, was in changed:
            setting.fp32_precision = was
