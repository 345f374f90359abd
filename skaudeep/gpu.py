"""What only a CUDA device has: TensorFloat-32, streams, graphs. Elsewhere none of it does anything.

All that cannot be tried without such a device is here, and little enough to be read.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from threading import current_thread, main_thread
from typing import Any

import torch
from torch import Tensor

WARM_UP = 3  # calls before one is recorded, as torch's documentation of CUDA graphs asks

Call = Callable[[], Tensor]
Record = Callable[[Call], Call]


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


# --- graphs --------------------------------------------------------------------------------------


class Repeated:
    """A function of tensors that is recorded for the largest that it has been called with.

    Recorded, it finds its arguments at the same place each time. For others it runs as it is.

    Parameters
    ----------
    function : callable
        Of Tensors, with a Tensor for result. It takes nothing from elsewhere that changes, but
        tensors that stay where they are.
    record : callable
        From a function without arguments to one that does the same, maybe without running its
        Python: what `recorder` gives.
    """

    def __init__(self, function: Callable[..., Tensor], record: Record):
        self._function = function
        self._record = record
        self._places: list[Tensor] = []
        self._run: Call

    def __call__(self, first: Tensor, *others: Tensor) -> Tensor:
        """Call the function on the device of the first argument.

        The result holds until the next call.
        """
        values = [first, *others]
        if not self._places or first.numel() > self._places[0].numel():
            self._places = [torch.empty_like(value, device=first.device) for value in values]
            self._run = self._record(partial(self._function, *self._places))
        if first.shape != self._places[0].shape:
            values = [value.to(first.device, non_blocking=True) for value in values]
            return self._function(*values)
        for place, value in zip(self._places, values, strict=True):
            place.copy_(value, non_blocking=True)
        return self._run()


def recorder(device: torch.device) -> Record | None:
    """How calls are recorded on a device; None where they are not."""
    return partial(Graph, device=device) if device.type == "cuda" else None


class Graph:
    """A function that becomes a CUDA graph once it has been called a few times.

    The first calls run on a stream of their own. They count: what they do is done. If it cannot be
    recorded, all further calls run as they are, after a warning. So they do in threads other than
    the main one, whose work could get into each other's recordings.

    Parameters
    ----------
    function : callable
        Without arguments, with a Tensor for result. Nothing in it waits for the device.
    device : torch.device
    """

    def __init__(self, function: Call, *, device: torch.device):
        self._function = function
        self._stream = torch.cuda.Stream(device)
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result: Tensor
        self._plain = current_thread() is not main_thread()

    def __call__(self) -> Tensor:
        """Call the function, or replay what it did."""
        self._calls += 1
        if self._calls == WARM_UP + 1 and not self._plain:
            self._record()
        if self._graph is not None:
            self._graph.replay()
            return self._result
        return self._function() if self._plain else self._warm_up()

    def _warm_up(self) -> Tensor:
        here = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            result = self._function()
        here.wait_stream(self._stream)
        result.record_stream(here)
        return result

    def _record(self) -> None:
        """Record a call, which does nothing yet."""
        graph = torch.cuda.CUDAGraph()
        here = torch.cuda.current_stream(self._stream.device)
        try:
            with (
                torch.cuda.stream(here),  # also if the next one fails to come back
                # Other threads may go on reading, and pinning, the batches to come.
                torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"),
            ):
                self._result = self._function()
        except RuntimeError as error:
            warnings.warn(
                f"A training step could not be recorded as a CUDA graph "
                f"({str(error).splitlines()[0]}). It runs without, which is slower and gives the "
                "same result.",
                stacklevel=2,
            )
            self._plain = True
        else:
            self._graph = graph
