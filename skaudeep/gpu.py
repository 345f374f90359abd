"""What only a CUDA device has: TensorFloat-32 and streams. Elsewhere none of it does anything.

All that cannot be tried without such a device is here, and little enough to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor


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
    settings: list[Any] = [torch.backends.cuda.matmul, torch.backends.cudnn.rnn]
    before = [setting.fp32_precision for setting in settings]
    changed = [
        (setting, was)
        for setting, was in zip(settings, before, strict=True)
        if device.type == "cuda" and was != precision
    ]
    for setting, _ in changed:
        setting.fp32_precision = precision
    try:
        yield
    finally:
        for setting, was in changed:
            setting.fp32_precision = was


# --- streams -------------------------------------------------------------------------------------


def at_once(
    calls: Sequence[Callable[[], Sequence[Tensor]]], inputs: Sequence[Tensor]
) -> list[Sequence[Tensor]]:
    """Run independent calls on the same CUDA device at the same time, each on its own stream.

    They begin in their order, the first on the current stream. Gradients flow on the same streams:
    torch's backward pass runs each operation where its forward one ran.

    Parameters
    ----------
    calls : sequence of callables
        Each gives Tensors.
    inputs : sequence of Tensors
        What they read that the current stream has made, but for weights.

    Returns
    -------
    list
        What each of them gives, for use on the current stream.
    """
    here = torch.cuda.current_stream(inputs[0].device)
    streams = [here] + [_stream(here.device, number) for number in range(1, len(calls))]
    for stream in streams[1:]:
        stream.wait_stream(here)  # before anything is asked of this one
    results = []
    for stream, call in zip(streams, calls, strict=True):
        with torch.cuda.stream(stream):
            results.append(call())
    for stream, result in zip(streams[1:], results[1:], strict=True):
        here.wait_stream(stream)
        # Memory is free again once all streams that use it are done with it.
        for tensor in inputs:
            tensor.record_stream(stream)
        for tensor in result:
            tensor.record_stream(here)
    return results


@cache
def _stream(device: torch.device, number: int) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)
