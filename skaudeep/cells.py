"""One recurrent layer of several models at once, in plain torch operations.

The models differ in their weights alone. Their states advance together, one batched product and one
pointwise operation per frame, and the backward pass carries nothing but the gradient of the state
through time: all other products run once over all frames. Networks see none of this: they run
under `torch.func.vmap`, which stands for the axis of models.

In the shapes M is models, T frames, B sequences, F inputs, H units, G gates (3 for GRU, 4 for
LSTM).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def run_models(
    cell: str, x: Tensor, initial: Tensor | None, weights: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Run a GRU or LSTM layer under `torch.func.vmap`, as ``nn.GRU`` and ``nn.LSTM`` define them.

    Under autocast to bfloat16 the products over all frames are taken in bfloat16; states and the
    products with them stay in the type of the weights.

    Parameters
    ----------
    cell : {"gru", "lstm"}
    x : Tensor of shape (n_frames, n_sequences, n_inputs)
    initial : Tensor of shape (n_sequences, n_units) or, for LSTM, (n_sequences, 2 * n_units)
        Hidden before cell state; None is zero.
    weights : sequence of weight_ih, weight_hh, bias_ih, bias_hh, as the torch module has them

    Returns
    -------
    outputs : Tensor of shape (n_frames, n_sequences, n_units)
    final : Tensor of the shape of `initial`

    Examples
    --------
    >>> import torch
    >>> weights = [torch.zeros(2, 12, 3), torch.zeros(2, 12, 4), *torch.zeros(2, 2, 12)]
    >>> of_all = torch.func.vmap(lambda x, *weights: run_models("gru", x, None, weights))
    >>> outputs, final = of_all(torch.ones(2, 7, 5, 3), *weights)  # two models
    >>> outputs.shape, final.shape
    (torch.Size([2, 7, 5, 4]), torch.Size([2, 5, 4]))
    """
    if initial is None:
        n_states = 1 if cell == "gru" else 2
        initial = weights[1].new_zeros(x.shape[1], n_states * weights[1].shape[1])
    device = x.device.type
    dtype = weights[0].dtype
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    with torch.autocast(device, enabled=False):
        return _OneOfModels.apply(cell, dtype, x, initial.to(weights[1].dtype), *weights)


class _OneOfModels(torch.autograd.Function):
    """What vmap turns into a single call of `_Models`."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, Tensor]:
        raise NotImplementedError("outside of torch.func.vmap there is nothing to stack")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], cell: str, dtype: torch.dtype, *tensors: Tensor
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        stacked = [
            t.expand(info.batch_size, *t.shape) if dim is None else t.movedim(dim, 0)
            for t, dim in zip(tensors, in_dims[2:], strict=True)
        ]
        return _Models.apply(cell, dtype, *stacked), (0, 0)


class _Models(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        cell: str,
        dtype: torch.dtype,
        x: Tensor,  # (M, T, B, F)
        initial: Tensor,  # (M, B, H or 2H)
        weight_ih: Tensor,  # (M, G*H, F)
        weight_hh: Tensor,  # (M, G*H, H)
        bias_ih: Tensor,  # (M, G*H)
        bias_hh: Tensor,
    ) -> tuple[Tensor, Tensor]:
        n_models, n_frames, n_sequences, _ = x.shape
        n = weight_hh.shape[2]
        x = x.to(dtype)
        bias = bias_ih if cell == "gru" else bias_ih + bias_hh
        gates = _product(x.flatten(1, 2), weight_ih.mT, dtype) + bias[:, None]  # (M, T*B, G*H)
        # By frames, so that those of a frame lie together for all models: T x (M*B, G*H).
        by_frame = gates.unflatten(1, (n_frames, n_sequences)).transpose(0, 1).contiguous()
        by_frame = by_frame.flatten(1, 2).unbind()
        hidden = initial[:, :, :n].flatten(0, 1).contiguous()  # (M*B, H)
        cells = [initial[:, :, n:].flatten(0, 1).contiguous()]
        states, saved = [hidden], []
        to_gates = weight_hh.mT  # (M, H, G*H)
        for frame in by_frame:
            before = hidden.unflatten(0, (n_models, n_sequences))
            if cell == "gru":
                product = torch.baddbmm(bias_hh[:, None], before, to_gates).flatten(0, 1)
                hidden, kept = gru_cell(frame, product, hidden)
            else:
                product = torch.bmm(before, to_gates).flatten(0, 1)
                hidden, memory, kept = lstm_cell(frame, product, cells[-1])
                cells.append(memory)
            states.append(hidden)
            saved.append(kept)
        hiddens = _by_model(states, n_models)  # (M, T+1, B, H)
        final = hidden if cell == "gru" else torch.cat([hidden, cells[-1]], dim=1)
        ctx.cell, ctx.dtype = cell, dtype
        ctx.save_for_backward(x, weight_ih, weight_hh, hiddens, *saved, *cells)
        return hiddens[:, 1:], final.unflatten(0, (n_models, n_sequences))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outputs: Tensor, grad_final: Tensor) -> tuple[Tensor | None, ...]:
        x, weight_ih, weight_hh, hiddens, *kept = ctx.saved_tensors
        n_models, n_frames, n_sequences, _ = x.shape
        n = weight_hh.shape[2]
        saved, cells = kept[:n_frames], kept[n_frames:]
        from_outputs = grad_outputs.transpose(0, 1).contiguous().flatten(1, 2)  # (T, M*B, H)
        gradient = grad_final[:, :, :n].flatten(0, 1).contiguous()  # (M*B, H)
        grad_cell = grad_final[:, :, n:].flatten(0, 1).contiguous()
        to_inputs, to_product = [], []  # T x (M*B, G*H), last frame first
        for frame in reversed(range(n_frames)):
            gradient = gradient + from_outputs[frame]
            if ctx.cell == "gru":
                by_input, by_product, through = gru_cell_backward(gradient, saved[frame])
                to_inputs.append(by_input)
            else:
                by_product, grad_cell = lstm_cell_backward(
                    gradient, grad_cell, cells[frame], cells[frame + 1], saved[frame]
                )
            to_product.append(by_product)
            of_models = by_product.unflatten(0, (n_models, n_sequences))
            if ctx.cell == "gru":
                through = through.unflatten(0, (n_models, n_sequences))
                gradient = torch.baddbmm(through, of_models, weight_hh).flatten(0, 1)
            else:
                gradient = torch.bmm(of_models, weight_hh).flatten(0, 1)
        by_hh = _by_model(to_product[::-1], n_models).flatten(1, 2)  # (M, T*B, G*H)
        by_ih = by_hh if ctx.cell == "lstm" else _by_model(to_inputs[::-1], n_models).flatten(1, 2)
        before = hiddens[:, :-1].flatten(1, 2)  # (M, T*B, H)
        grad_weight_hh = _product(by_hh.mT, before, ctx.dtype)
        grad_weight_ih = _product(by_ih.mT, x.flatten(1, 2), ctx.dtype)
        grad_x = None
        if ctx.needs_input_grad[2]:
            grad_x = _product(by_ih, weight_ih, ctx.dtype).view(x.shape)
        grad_initial = torch.cat([gradient, grad_cell], dim=1) if ctx.cell == "lstm" else gradient
        grad_initial = grad_initial.unflatten(0, (n_models, n_sequences))
        by_weight = (grad_weight_ih, grad_weight_hh, by_ih.sum(1), by_hh.sum(1))
        return None, None, grad_x, grad_initial, *by_weight


def _product(a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    """Multiply in the arithmetic of `dtype`; the result is as wide as the wider of the two."""
    return torch.bmm(a.to(dtype), b.to(dtype)).to(torch.promote_types(a.dtype, b.dtype))


def _by_model(frames: list[Tensor], n_models: int) -> Tensor:
    """Frames of (M*B, K) as (M, T, B, K)."""
    return torch.stack([frame.unflatten(0, (n_models, -1)) for frame in frames], dim=1)


# --- one frame -----------------------------------------------------------------------------------
#
# On CUDA these are the kernels behind torch.gru_cell and torch.lstm_cell, one each: what a forward
# one keeps is told to its backward one alone. Elsewhere the same in torch operations.


def gru_cell(inputs: Tensor, product: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """State (N, H) after a frame, and what `gru_cell_backward` needs.

    `inputs` and `product` (N, 3 * H) are what the frame and the state before it give to the gates
    r, z and n, biases included.
    """
    if inputs.is_cuda:
        return torch.ops.aten._thnn_fused_gru_cell(inputs, product, hidden)
    n = hidden.shape[1]
    r, z = torch.sigmoid(inputs[:, : 2 * n] + product[:, : 2 * n]).chunk(2, dim=1)
    new = torch.tanh(inputs[:, 2 * n :] + r * product[:, 2 * n :])
    return new + z * (hidden - new), torch.cat([r, z, new, hidden, product[:, 2 * n :]], dim=1)


def gru_cell_backward(gradient: Tensor, saved: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `inputs`, `product` and `hidden` of `gru_cell` from that of its state."""
    if gradient.is_cuda:
        return torch.ops.aten._thnn_fused_gru_cell_backward(gradient, saved, False)[:3]
    r, z, new, hidden, product = saved.chunk(5, dim=1)
    to_new = gradient * (1 - z) * (1 - new * new)
    to_z = gradient * (hidden - new) * z * (1 - z)
    to_r = to_new * product * r * (1 - r)
    return (
        torch.cat([to_r, to_z, to_new], dim=1),
        torch.cat([to_r, to_z, to_new * r], dim=1),
        gradient * z,
    )


def lstm_cell(inputs: Tensor, product: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden and cell state (N, H) after a frame, and what `lstm_cell_backward` needs.

    `inputs` and `product` (N, 4 * H) are what the frame and the state before it give to the gates
    i, f, g and o, biases included.
    """
    if inputs.is_cuda:
        return torch.ops.aten._thnn_fused_lstm_cell(inputs, product, memory)
    i, f, g, o = (inputs + product).chunk(4, dim=1)
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    after = f * memory + i * g
    return o * torch.tanh(after), after, torch.cat([i, f, g, o], dim=1)


def lstm_cell_backward(
    gradient: Tensor, grad_memory: Tensor, before: Tensor, after: Tensor, saved: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of the gates and of the cell state before from those of both states after."""
    if gradient.is_cuda:
        backward = torch.ops.aten._thnn_fused_lstm_cell_backward_impl
        return backward(gradient, grad_memory, before, after, saved, False)[:2]
    i, f, g, o = saved.chunk(4, dim=1)
    out = torch.tanh(after)
    through = gradient * o * (1 - out * out) + grad_memory
    gates = [
        through * g * i * (1 - i),
        through * before * f * (1 - f),
        through * i * (1 - g * g),
        gradient * out * o * (1 - o),
    ]
    return torch.cat(gates, dim=1), through * f
