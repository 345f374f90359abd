"""One recurrent layer on the CPU with its own backward pass through time.

torch runs an ``nn.GRU`` on the CPU as a graph of small operations per frame. Here the products with
the inputs, and in the backward pass those for the gradients of weights and inputs, run over many
frames at once. The loops over frames are compiled (`skaudeep.nn.backends.kernels`), and each thread
runs them for its own part of the batch. In the shapes T is frames, B sequences, F inputs, H units,
G gates (3 for GRU, 4 for LSTM).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from skaudeep.nn.backends.buffers import empty
from skaudeep.nn.counter_rng import CounterRNG
from skaudeep.nn.parallel import array, share


def run_layer(
    cell: str,
    x: Tensor,
    initial: Tensor | None,
    weights: Sequence[Tensor],
    lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Run a GRU or LSTM layer over a batch, as ``nn.GRU`` and ``nn.LSTM`` define them.

    Under autocast to bfloat16 the products over all frames are taken in bfloat16; states and the
    products with them stay in float32.

    Parameters
    ----------
    cell : {"gru", "lstm"}
        Kind of the layer.
    x : Tensor of shape (n_frames, n_sequences, n_inputs)
        Inputs on the CPU, float32 or float64 (or bfloat16, under autocast).
    initial : Tensor of shape (n_sequences, n_units) or, for LSTM, (n_sequences, 2 * n_units)
        Initial states, hidden before cell state; None is zero.
    weights : sequence of 4 Tensors
        ``weight_ih``, ``weight_hh``, ``bias_ih`` and ``bias_hh`` of the torch module.
    lengths : Tensor of shape (n_sequences,), default=None
        True frames of each sequence, from 0 to n_frames. None: all of them.

    Returns
    -------
    outputs : Tensor of shape (n_frames, n_sequences, n_units)
        Zero at padding.
    final : Tensor of the shape of `initial`
        States after each sequence's own last frame.

    Raises
    ------
    ValueError
        If shapes do not fit each other, or a length lies outside of [0, n_frames].

    References
    ----------
    Cho et al. (2014). Learning phrase representations using RNN encoder-decoder. EMNLP; with the
    reset gate after the product, as in cuDNN. Hochreiter & Schmidhuber (1997). Long short-term
    memory. Neural Computation 9(8).
    """
    check_shapes(cell, x, initial, weights, lengths)
    n_frames, n_sequences, _ = x.shape
    weight_hh = weights[1]
    if initial is None:
        n_states = 1 if cell == "gru" else 2
        initial = weight_hh.new_zeros(n_sequences, n_states * weight_hh.shape[1])
    if lengths is None:
        lengths = torch.full((n_sequences,), n_frames)
    bf16 = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    with torch.autocast("cpu", enabled=False):
        keep = torch.is_grad_enabled()  # not to be asked inside a Function
        initial, lengths = initial.to(weight_hh.dtype), lengths.to(torch.int64)
        return _Layer.apply(cell, x, initial, *weights, lengths, bf16, keep)


def run_top(
    cell: str, x: Tensor, stacks: Sequence[Sequence[Sequence[Tensor]]], lengths: Tensor | None
) -> Tensor:
    """Run stacks of layers over a batch from zero, without gradients; keep the top layers' states.

    The states are those of `run_layer`, layer by layer, bit for bit. Those below the top are kept
    for a few frames only, and nothing is reversed or joined in a copy.

    Parameters
    ----------
    cell : {"gru", "lstm"}
        Kind of the layers.
    x : Tensor of shape (n_frames, n_sequences, n_inputs)
        Inputs on the CPU.
    stacks : sequence of 1 or 2 stacks
        Each a sequence of layers, of the four weights of `run_layer` each. The second stack reads
        each sequence from its own end.
    lengths : Tensor of shape (n_sequences,) or None
        True frames of each sequence; None: all of them.

    Returns
    -------
    Tensor of shape (n_frames, n_sequences, n_stacks * n_units)
        Stacks side by side, all in the order of time; zero at padding.

    Raises
    ------
    ValueError
        If shapes do not fit each other, or a length lies outside of [0, n_frames].
    """
    from skaudeep.nn.backends import kernels

    check_shapes(cell, x, None, stacks[0][0], lengths)
    n_frames, n_sequences, _ = x.shape
    if lengths is None:
        lengths = torch.full((n_sequences,), n_frames)
    n, dtype = stacks[0][0][1].shape[1], stacks[0][0][1].dtype
    out = empty(n_frames, n_sequences, len(stacks) * n, dtype=dtype)
    x, lengths = x.to(dtype).contiguous(), lengths.to(torch.int64).contiguous()

    def packed(matrices: Sequence[Tensor]) -> np.ndarray:
        return np.stack([kernels.pack(array(matrix)) for matrix in matrices])

    for direction, layers in enumerate(stacks):
        inputs, states, bias_inputs, bias_states = zip(*layers, strict=True)
        w_ih = np.concatenate([kernels.pack(array(weight)) for weight in inputs])
        bias = torch.stack(bias_inputs) + torch.stack(bias_states)
        place = [direction == 1, out, direction * n]
        if cell == "gru":
            # See `_Layer`: the bias of n that r multiplies stays with its product.
            bias[:, 2 * n :] = torch.stack(bias_inputs)[:, 2 * n :]
            term = torch.stack(bias_states)[:, 2 * n :].contiguous()
            weights = [packed([w[: 2 * n] for w in states]), packed([w[2 * n :] for w in states])]
            share(kernels.gru_top, [x, lengths, w_ih, *weights, bias, term, *place], n_sequences)
        else:
            share(kernels.lstm_top, [x, lengths, w_ih, packed(states), bias, *place], n_sequences)
    return out


def project(states: Tensor, center: Tensor, components: Tensor) -> Tensor:
    """Compute ``(states - center) @ components`` on the CPU, without gradients.

    A row's bits depend neither on the rows beside it nor on the number of threads.

    Parameters
    ----------
    states : Tensor of shape (n_frames, n_sequences, n_states)
    center : Tensor of shape (n_states,)
    components : Tensor of shape (n_states, n_components)

    Returns
    -------
    Tensor of shape (n_frames, n_sequences, n_components)
    """
    from skaudeep.nn.backends import kernels

    dtype = components.dtype
    out = empty(*states.shape[:2], components.shape[1], dtype=dtype)
    rows = states.detach().to(dtype).flatten(0, 1).contiguous()
    w = np.concatenate([kernels.pack(array(part).T) for part in components.split(kernels.PART)])
    share(kernels.project, [rows, center, w, out.flatten(0, 1)], len(rows))
    return out


def check_shapes(
    cell: str,
    x: Tensor,
    initial: Tensor | None,
    weights: Sequence[Tensor],
    lengths: Tensor | None,
) -> None:
    """Check the shapes of a layer's arguments, which compiled code does not check.

    Parameters
    ----------
    cell, x, initial, weights, lengths
        As in `run_layer`.

    Raises
    ------
    ValueError
        If they do not fit each other, or a length lies outside of [0, n_frames].
    """
    weight_ih, weight_hh, *biases = weights
    n_gates, n_states = {"gru": (3, 1), "lstm": (4, 2)}[cell]
    n = weight_hh.shape[1]
    if x.ndim != 3 or weight_ih.ndim != 2 or x.shape[2] != weight_ih.shape[1]:
        raise ValueError(
            f"Got x of shape {tuple(x.shape)} for weight_ih of shape {tuple(weight_ih.shape)}; "
            "expected x of (n_frames, n_sequences, n_inputs) and weights for as many inputs. Pass "
            "sequences with the bands that the network was made for."
        )
    rows = n_gates * n
    shapes = [tuple(weight.shape) for weight in weights]
    if shapes != [(rows, x.shape[2]), (rows, n), *[(rows,)] * len(biases)]:
        raise ValueError(
            f"Got weights of shapes {shapes}; expected {n_gates} * {n} rows in all of them, for "
            f"the gates of {cell!r} with the {n} units of weight_hh."
        )
    if initial is not None and tuple(initial.shape) != (x.shape[1], n_states * n):
        raise ValueError(
            f"Got initial states of shape {tuple(initial.shape)} for x of shape {tuple(x.shape)}; "
            f"expected ({x.shape[1]}, {n_states * n}): a row for each sequence."
        )
    if lengths is None:
        return
    if tuple(lengths.shape) != (x.shape[1],):
        raise ValueError(
            f"Got lengths of shape {tuple(lengths.shape)} for x of shape {tuple(x.shape)}; "
            f"expected ({x.shape[1]},): one length for each sequence."
        )
    if len(lengths) and not 0 <= int(lengths.min()) <= int(lengths.max()) <= len(x):
        raise ValueError(
            f"Got lengths from {int(lengths.min())} to {int(lengths.max())} for x of shape "
            f"{tuple(x.shape)}; expected numbers of frames from 0 to {len(x)}."
        )


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        cell: str,
        x: Tensor,
        initial: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
        lengths: Tensor,
        bf16: bool,
        keep: bool,
    ) -> tuple[Tensor, Tensor]:
        from skaudeep.nn.backends import kernels  # numba takes a second to load

        n_frames, n_sequences, _ = x.shape
        n = weight_hh.shape[1]
        dtype = weight_ih.dtype
        bias = bias_ih + bias_hh
        hidden = _states(initial[:, :n], n_frames)
        w = array(weight_hh)
        if cell == "gru":
            bias[2 * n :] = bias_ih[2 * n :]  # bias_hh of n is multiplied by r, with the product
            # The factor of r, for all frames in training, because the backward pass needs it.
            second = empty(n_frames if keep else 1, n_sequences, n, dtype=dtype)
            packed = [kernels.pack(w[: 2 * n]), kernels.pack(w[2 * n :]), array(bias_hh[2 * n :])]
            forward = kernels.gru_forward
        else:
            second = _states(initial[:, n:], n_frames)
            packed = [kernels.pack(w)]
            forward = kernels.lstm_forward
        # Without a backward pass gates are kept for a few frames only, and stay in the cache.
        n_chunk = n_frames if keep or bf16 else min(kernels.CHUNK_FRAMES, n_frames)
        gates = empty(n_chunk, n_sequences, len(weight_ih), dtype=dtype)
        if bf16:
            x = x.bfloat16().contiguous()
            _product_bf16(x.flatten(0, 1), weight_ih, bias, gates.flatten(0, 1))
        else:
            x = x.to(dtype).contiguous()
        w_ih = kernels.pack(array(weight_ih))
        inputs = None if bf16 else x  # numpy has no bfloat16
        arrays = [array(a) for a in (inputs, bias, gates, hidden, second, lengths)]

        def run(start: int, stop: int) -> None:
            inputs, bias, gates, hidden, second, lengths = arrays
            for first in range(start, stop, kernels.BLOCK_ROWS):
                last = min(first + kernels.BLOCK_ROWS, stop)
                for t in range(0, n_frames, n_chunk):
                    end = min(t + n_chunk, n_frames)
                    own, states = gates[: end - t], hidden[t : end + 1]
                    others = second if cell == "gru" else second[t : end + 1]
                    if inputs is not None:
                        kernels.product(inputs[t:end], w_ih, bias, own, first, last)
                    forward(own, *packed, states, others, lengths - t, first, last)

        share(run, [], n_sequences)
        final = _last(hidden, lengths)
        if cell == "lstm":
            final = torch.cat([final, _last(second, lengths)], dim=1)
        ctx.cell, ctx.bf16 = cell, bf16
        ctx.save_for_backward(x, weight_ih, weight_hh, lengths, gates, hidden, second)
        return hidden[1:], final

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outputs: Tensor, grad_final: Tensor) -> tuple[Tensor | None, ...]:
        from skaudeep.nn.backends import kernels

        x, weight_ih, weight_hh, lengths, gates, hidden, second = ctx.saved_tensors
        n_sequences, n = hidden.shape[1:]
        w = kernels.pack(array(weight_hh).T)
        gradient = grad_final[:, :n].clone(memory_format=torch.contiguous_format)  # (B, H)
        to_product = empty(*gates.shape, dtype=gates.dtype)  # (T, B, G*H)
        rows = to_product.flatten(0, 1)  # (T*B, G*H)
        before = hidden[:-1].flatten(0, 1)  # (T*B, H)
        if ctx.cell == "gru":
            to_new = empty(*second.shape, dtype=gates.dtype)  # (T, B, H)
            saved = [gates, second, hidden, lengths, grad_outputs.contiguous()]
            arrays = [*saved, w, gradient, to_product, to_new]
            share(kernels.gru_backward, arrays, n_sequences)
            grad_initial = gradient
        else:
            grad_cell = grad_final[:, n:].clone(memory_format=torch.contiguous_format)
            saved = [gates, hidden, second, lengths, grad_outputs.contiguous()]
            arrays = [*saved, w, gradient, grad_cell, to_product]
            share(kernels.lstm_backward, arrays, n_sequences)
            grad_initial = torch.cat([gradient, grad_cell], dim=1)
        grad_weight_hh = _weight_gradient(rows, before, weight_hh, ctx.bf16)
        grad_bias_hh = grad_bias_ih = rows.sum(0)
        if ctx.cell == "gru":
            to_product[:, :, 2 * n :] = to_new  # from here on, of the product with the inputs
            grad_bias_ih = torch.cat([grad_bias_hh[: 2 * n], to_new.sum((0, 1))])
        grad_weight_ih = _weight_gradient(rows, x.flatten(0, 1), weight_ih, ctx.bf16)
        grad_x = None
        if ctx.needs_input_grad[1]:
            grad_x = empty(*x.shape, dtype=gates.dtype)
            zero, to_input = weight_ih.new_zeros(x.shape[2]), weight_ih.t()
            if ctx.bf16:
                _product_bf16(rows, to_input, zero, grad_x.flatten(0, 1))
            else:
                arrays = [to_product, kernels.pack(array(to_input)), zero, grad_x]
                share(kernels.product, arrays, n_sequences)
        by_weight = (grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh)
        return None, grad_x, grad_initial, *by_weight, None, None, None


def drop(x: Tensor, rate: float, rng: CounterRNG) -> Tensor:
    """Inverted dropout of (T, B, F) on the CPU.

    The mask is not kept for the backward pass: it is drawn again.
    """
    return _Dropout.apply(x, rate, rng.keys())


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rate: float, keys: Tensor) -> Tensor:
        ctx.rate, ctx.keys = rate, keys
        return _drop(x, rate, keys)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return _drop(gradient, ctx.rate, ctx.keys), None, None


def _drop(x: Tensor, rate: float, keys: Tensor) -> Tensor:
    from skaudeep.nn.backends import kernels

    out = empty(*x.shape, dtype=x.dtype)
    values, kept = array(x.contiguous().flatten(0, 1)), array(out.flatten(0, 1))
    scale = values.dtype.type(1 / (1 - rate))
    share(kernels.drop, [values, kept, keys, round(rate * 2**32), scale], len(values))
    return out


def _states(initial: Tensor, n_frames: int) -> Tensor:
    """Return a buffer for the states (T + 1, B, H) with the initial one in place."""
    states = empty(n_frames + 1, *initial.shape, dtype=initial.dtype)
    states[0] = initial
    return states


def _last(states: Tensor, lengths: Tensor) -> Tensor:
    """States (B, H) after each sequence's own last frame."""
    return states[lengths, torch.arange(states.shape[1])]


def _product_bf16(x: Tensor, weight: Tensor, bias: Tensor, out: Tensor) -> None:
    """Set ``out`` to ``linear(x, weight, bias)`` in the arithmetic of bfloat16."""
    low = empty(*out.shape, dtype=torch.bfloat16)
    torch.mm(x.bfloat16(), weight.detach().bfloat16().t(), out=low)
    torch.add(low, bias, out=out)


def _weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, bf16: bool) -> Tensor:
    """Gradient of the weight of ``linear(x, weight)``."""
    from skaudeep.nn.backends import kernels

    if bf16:
        low = empty(*gradient.shape, dtype=torch.bfloat16).copy_(gradient)
        return (low.t() @ x.bfloat16()).to(weight.dtype)
    to_weight = torch.empty_like(weight)
    share(kernels.weight_gradient, [gradient, x, to_weight], len(weight))
    return to_weight
