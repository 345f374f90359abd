"""Devices: which one a name means, and how a CUDA device multiplies matrices."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def resolve_device(device: str) -> torch.device:
    """Turn "auto" or the name of a device into a device that is there.

    Parameters
    ----------
    device : str

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If torch does not know the name, or the machine has no such device.
    """
    if device == "auto":
        # A launcher of several processes on one machine gives each its number there.
        own = int(os.environ.get("LOCAL_RANK", 0))
        return torch.device("cuda", own) if torch.cuda.is_available() else torch.device("cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f'device={device!r} cannot be used: {error}. Expected "auto", "cpu", "cuda", "cuda:1".'
        ) from error
    return torch.device(device)


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
