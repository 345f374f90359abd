"""One recurrent layer on the CPU with its own backward pass through time.

torch runs an ``nn.GRU`` on the CPU as a graph of small operations per frame. Here the products with
the inputs, and in the backward pass those for the gradients of weights and inputs, run once over
all frames; only the product with the state stays in the loop, and its gates are one compiled
function. In the shapes T is frames, B sequences, F inputs, H units, G gates (3 for GRU, 4 for
LSTM).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear


def run_layer(
    cell: str,
    x: Tensor,
    initial: Tensor | None,
    weights: Sequence[Tensor],
    lengths: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Run a GRU or LSTM layer over a batch, as ``nn.GRU`` and ``nn.LSTM`` define them.

    Under autocast to bfloat16 matrices are multiplied in bfloat16; states stay in float32.

    Parameters
    ----------
    cell : {"gru", "lstm"}
    x : Tensor of shape (n_frames, n_sequences, n_inputs)
        On the CPU, float32 or float64 (or bfloat16, under autocast).
    initial : Tensor of shape (n_sequences, n_units) or, for LSTM, (n_sequences, 2 * n_units)
        Hidden before cell state; None is zero.
    weights : sequence of weight_ih, weight_hh, bias_ih, bias_hh, as the torch module has them
    lengths : Tensor of shape (n_sequences,), default=None
        True frames of each sequence.

    Returns
    -------
    outputs : Tensor of shape (n_frames, n_sequences, n_units)
        Zero at padding.
    final : Tensor of the shape of `initial`
        After each sequence's own last frame.

    References
    ----------
    Cho et al. (2014). Learning phrase representations using RNN encoder-decoder. EMNLP; with the
    reset gate after the product, as in cuDNN. Hochreiter & Schmidhuber (1997). Long short-term
    memory. Neural Computation 9(8).
    """
    n_frames, n_sequences, _ = x.shape
    weight_hh = weights[1]
    if initial is None:
        n_states = 1 if cell == "gru" else 2
        initial = weight_hh.new_zeros(n_sequences, n_states * weight_hh.shape[1])
    if lengths is None:
        lengths = torch.full((n_sequences,), n_frames)
    low = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    with torch.autocast("cpu", enabled=False):
        return _Layer.apply(cell, x, initial, *weights, lengths, low)


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
        low: bool,
    ) -> tuple[Tensor, Tensor]:
        from skaudeep import gates as pointwise  # compiles, so only where it is needed

        n_frames, n_sequences, _ = x.shape
        n_units = weight_hh.shape[1]
        dtype = torch.bfloat16 if low else weight_ih.dtype
        keep = any(ctx.needs_input_grad)

        x = x.to(dtype).contiguous().flatten(0, 1)  # (T*B, F)
        gates = Product(weight_ih, len(x), dtype)(x).to(weight_ih.dtype)  # (T*B, G*H)
        gates = gates.view(n_frames, n_sequences, -1)
        gates += bias_ih
        recur = Product(weight_hh, n_sequences, dtype)
        hidden = gates.new_empty(n_frames + 1, n_sequences, n_units)  # the initial state first
        hidden[0] = initial[:, :n_units]
        frames = hidden.unbind(0)
        gates_, hidden_, bias_, lengths_ = (
            a.detach().numpy() for a in (gates, hidden, bias_hh, lengths)
        )
        if cell == "gru":
            second = gates.new_empty(n_frames if keep else 1, n_sequences, n_units)
            second_ = second.numpy()
            for t in range(n_frames):
                product = recur(frames[t]).numpy()  # (B, 3H)
                pointwise.gru_forward(gates_, product, bias_, second_, hidden_, lengths_, t, 0)
        else:
            second = gates.new_empty(n_frames + 1, n_sequences, n_units)
            second[0] = initial[:, n_units:]
            second_ = second.numpy()
            for t in range(n_frames):
                product = recur(frames[t]).numpy()  # (B, 4H)
                pointwise.lstm_forward(gates_, product, bias_, hidden_, second_, lengths_, t, 0)
        final = _at(hidden, lengths)
        if cell == "lstm":
            final = torch.cat([final, _at(second, lengths)], dim=1)
        ctx.cell, ctx.dtype = cell, dtype
        ctx.save_for_backward(x, weight_ih, weight_hh, lengths, gates, hidden, second)
        return hidden[1:], final

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outputs: Tensor, grad_final: Tensor) -> tuple[Tensor | None, ...]:
        from skaudeep import gates as pointwise

        x, weight_ih, weight_hh, lengths, gates, hidden, second = ctx.saved_tensors
        n_frames, n_sequences, _ = gates.shape
        n_units = weight_hh.shape[1]
        dtype = ctx.dtype
        recur = Product(weight_hh.t(), n_sequences, dtype)
        gradient = grad_final[:, :n_units].clone(memory_format=torch.contiguous_format)  # (B, H)
        to_product = torch.empty_like(gates)
        frames = to_product.unbind(0)
        gradient_ = gradient.numpy()
        saved = [a.numpy() for a in (gates, second, hidden, lengths, grad_outputs.contiguous())]
        to_product_ = to_product.numpy()
        if ctx.cell == "gru":
            to_new = torch.empty_like(second)
            to_new_ = to_new.numpy()
            for t in reversed(range(n_frames)):
                pointwise.gru_backward(*saved, gradient_, to_product_, to_new_, t, 0)
                gradient += recur(frames[t])
            grad_initial = gradient
        else:
            gates_, second_, hidden_, *rest = saved
            grad_cell = grad_final[:, n_units:].clone(memory_format=torch.contiguous_format)
            grad_cell_ = grad_cell.numpy()
            for t in reversed(range(n_frames)):
                pointwise.lstm_backward(
                    gates_, hidden_, second_, *rest, gradient_, grad_cell_, to_product_, t, 0
                )
                gradient += recur(frames[t])
            grad_initial = torch.cat([gradient, grad_cell], dim=1)
        rows = to_product.flatten(0, 1)  # (T*B, G*H)
        before = hidden[:-1].flatten(0, 1)  # (T*B, H)
        grad_weight_hh, grad_bias_hh = _weight_gradient(rows, before, weight_hh, dtype)
        if ctx.cell == "gru":  # the new state's input is not reset
            to_product[:, :, 2 * n_units :] = to_new
        grad_weight_ih, grad_bias_ih = _weight_gradient(rows, x, weight_ih, dtype)
        grad_x = None
        if ctx.needs_input_grad[1]:
            grad_x = Product(weight_ih.t(), len(rows), dtype)(rows).view(n_frames, n_sequences, -1)
        return (
            None,
            grad_x,
            grad_initial,
            grad_weight_ih,
            grad_weight_hh,
            grad_bias_ih,
            grad_bias_hh,
            None,
            None,
        )


def _at(states: Tensor, lengths: Tensor) -> Tensor:
    """Rows (B, H) of the states (T + 1, B, H) after each sequence's last frame."""
    return states[lengths, torch.arange(states.shape[1])]


class Product:
    """``x @ weight.T`` for one weight and many x of ``n_rows`` rows, the weight laid out once.

    oneDNN's float32 product is twice as fast as MKL's on AMD processors, and as fast on Intel's.
    """

    def __init__(self, weight: Tensor, n_rows: int, dtype: torch.dtype):
        self.dtype = dtype
        self.weight = weight.detach().to(dtype)
        self.packed = None
        if has_onednn(dtype):
            self.packed = torch.ops.mkldnn._reorder_linear_weight(self.weight.contiguous(), n_rows)

    def __call__(self, x: Tensor) -> Tensor:  # noqa: D102
        x = x.to(self.dtype)
        if self.packed is None:
            y = linear(x, self.weight)
        else:
            y = torch.ops.mkldnn._linear_pointwise.default(x, self.packed, None, "none", [], "")
        return y.float() if self.dtype == torch.bfloat16 else y


def _weight_gradient(
    gradient: Tensor, x: Tensor, weight: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Gradients of weight and bias of ``linear(x, weight, bias)``."""
    if dtype == torch.float32 and has_onednn(dtype):
        to_weight, to_bias = torch.ops.aten.mkldnn_linear_backward_weights(
            gradient.to_mkldnn(), x.to_mkldnn(), weight, True
        )
        return to_weight.to_dense(), to_bias.to_dense()
    to_weight = gradient.to(dtype).t() @ x.to(dtype)
    return to_weight.to(weight.dtype), gradient.sum(0)


def has_onednn(dtype: torch.dtype) -> bool:
    """Whether oneDNN is there and the processor one that it has kernels for."""
    return (
        dtype in (torch.float32, torch.bfloat16)
        and torch.backends.mkldnn.is_available()
        and torch.backends.cpu.get_cpu_capability().startswith("AVX")
    )
