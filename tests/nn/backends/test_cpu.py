"""Layers with their own backward pass, against torch's modules and numerical gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from skaudeep.nn.backends.cpu import drop, project, run_layer, run_top
from skaudeep.nn.counter_rng import CounterRNG
from skaudeep.nn.stack import reverse_time

kernels = pytest.importorskip("skaudeep.nn.backends.kernels", exc_type=ImportError)

MODULES = {"gru": nn.GRU, "lstm": nn.LSTM}


def layer(cell, n_inputs, n_units, n_sequences, dtype=torch.float32):
    """Return a module with weights from a fixed seed, and an initial state."""
    generator = torch.Generator().manual_seed(0)
    module = MODULES[cell](n_inputs, n_units).to(dtype)
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -(n_units**-0.5), n_units**-0.5, generator=generator)
    n_states = 1 if cell == "gru" else 2
    initial = torch.rand(n_sequences, n_states * n_units, generator=generator, dtype=dtype) - 0.5
    return module, initial.requires_grad_()


def frames(*shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()


def plain(cell, module, x, initial, lengths=None):
    parts = [part[None].contiguous() for part in initial.split(module.hidden_size, dim=1)]
    hx = parts[0] if cell == "gru" else tuple(parts)
    if lengths is None:
        outputs, final = module(x, hx)
    else:
        outputs, final = module(pack_padded_sequence(x, lengths, enforce_sorted=False), hx)
        outputs, _ = pad_packed_sequence(outputs, total_length=len(x))
    return outputs, (final if cell == "gru" else torch.cat(final, dim=2))[0]


def results(run, inputs):
    """Return outputs and gradients of a function that weighs each of them differently."""
    outputs, final = run()
    weights = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view_as(outputs)
    loss = (outputs * weights).mean() + (final * final.detach().cos()).mean()
    return [outputs, final, *torch.autograd.grad(loss, inputs)]


# Widths below, at and between the kernels' panels; batches that fill no tile and several blocks.
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize(
    ("n_inputs", "n_units", "n_sequences"), [(1, 5, 3), (64, 32, 8), (40, 72, 37)]
)
@pytest.mark.parametrize("padded", [False, True])
def test_run_layer_has_the_outputs_and_gradients_of_torchs_module(
    cell, n_inputs, n_units, n_sequences, padded
):
    module, initial = layer(cell, n_inputs, n_units, n_sequences)
    x = frames(12, n_sequences, n_inputs)
    lengths = torch.arange(n_sequences) % 12 + 1 if padded else None
    weights = list(module.parameters())
    inputs = [x, initial, *weights]
    ours = results(lambda: run_layer(cell, x, initial, weights, lengths), inputs)
    theirs = results(lambda: plain(cell, module, x, initial, lengths), inputs)
    for own, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_run_layer_has_the_gradients_of_finite_differences(cell):
    module, initial = layer(cell, 3, 4, 3, torch.float64)
    x = frames(5, 3, 3, dtype=torch.float64)
    lengths = torch.tensor([5, 2, 4])

    def run(x, initial, *weights):
        return run_layer(cell, x, initial, weights, lengths)

    assert torch.autograd.gradcheck(run, (x, initial, *module.parameters()))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_run_layer_has_bits_that_depend_neither_on_other_rows_nor_on_threads(cell):
    module, initial = layer(cell, 16, 40, 37)
    x, weights = frames(6, 37, 16), list(module.parameters())
    n_threads = torch.get_num_threads()
    found = []
    try:
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            run = results(lambda: run_layer(cell, x, initial, weights), [x, initial, *weights[:2]])
            found.append(run)
    finally:
        torch.set_num_threads(n_threads)
    for one, *others in zip(*found, strict=True):
        assert all(torch.equal(one, other) for other in others)
    alone, _ = run_layer(cell, x[:, 20:21], initial[20:21], weights)
    assert torch.equal(alone, found[0][0][:, 20:21])


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_run_layer_gives_its_gradient_twice_where_the_graph_is_retained(cell):
    module, initial = layer(cell, 3, 8, 4)
    weights = list(module.parameters())
    outputs, _ = run_layer(cell, frames(5, 4, 3), initial, weights)
    first = torch.autograd.grad(outputs.sum(), weights, retain_graph=True)
    second = torch.autograd.grad(outputs.sum(), weights)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_run_layer_in_bfloat16_is_near_and_returns_float32(cell):
    module, initial = layer(cell, 16, 32, 8)
    x, weights = frames(6, 8, 16), list(module.parameters())

    def low():
        with torch.autocast("cpu", torch.bfloat16):
            return run_layer(cell, x, initial.bfloat16(), weights)

    exact = results(lambda: run_layer(cell, x, initial, weights), [x, *weights])
    for own, expected in zip(results(low, [x, *weights]), exact, strict=True):
        assert own.dtype == torch.float32
        assert not torch.equal(own, expected)
        scale = float(expected.detach().abs().max())
        torch.testing.assert_close(own, expected, atol=0.02 * scale, rtol=0)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": (6, 5, 4)}, r"x of shape \(6, 5, 4\) for weight_ih of shape \((12|16), 3\)"),
        ({"x": (6, 5, 2)}, r"x of shape \(6, 5, 2\) for weight_ih of shape \((12|16), 3\)"),
        ({"x": (6, 3)}, r"x of shape \(6, 3\) for weight_ih"),
        ({"initial": (4, 4)}, r"initial states of shape \(4, 4\) for x of shape \(6, 5, 3\)"),
        ({"lengths": [6]}, r"lengths of shape \(1,\) for x of shape \(6, 5, 3\)"),
        ({"lengths": [6, 6, 6, 6, 7]}, r"lengths from 6 to 7 .* from 0 to 6"),
        ({"lengths": [6, 6, -1, 6, 6]}, r"lengths from -1 to 6 .* from 0 to 6"),
        ({"weight": 1}, r"weights of shapes \[.*\]; expected . \* 4 rows in all"),
    ],
)
def test_run_layer_refuses_shapes_that_do_not_fit(cell, change, message):
    module, _ = layer(cell, 3, 4, 5)
    weights = list(module.parameters())
    if "weight" in change:
        weights[3] = weights[3][:-1]
    initial = torch.zeros(change["initial"]) if "initial" in change else None
    lengths = torch.tensor(change["lengths"]) if "lengths" in change else None
    with pytest.raises(ValueError, match=message):
        run_layer(cell, torch.zeros(change.get("x", (6, 5, 3))), initial, weights, lengths)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_run_layer_takes_sequences_without_any_frame(cell):
    module, initial = layer(cell, 3, 4, 5)
    weights, lengths = list(module.parameters()), torch.tensor([6, 0, 3, 0, 1])
    outputs, final = run_layer(cell, frames(6, 5, 3), initial, weights, lengths)
    assert not outputs[:, [1, 3]].any()
    assert torch.equal(final[[1, 3]], initial[[1, 3]])


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_run_layer_keeps_nan_and_saturates_at_large_values(cell):
    module, initial = layer(cell, 4, 32, 3)
    x = torch.zeros(3, 3, 4)
    x[0, 0] = float("nan")
    x[:, 1] = 1e30
    outputs, _ = run_layer(cell, x, initial, list(module.parameters()))
    assert outputs[:, 0].isnan().all()
    assert outputs[:, 1:].isfinite().all()
    assert outputs[:, 1:].abs().max() <= 1


def stacks_of(cell, n_inputs, n_units, n_layers):
    """Weights of two stacks of layers, which differ."""
    sizes = [n_inputs] + [n_units] * (n_layers - 1)
    layers = [list(layer(cell, size, n_units, 1)[0].parameters()) for size in sizes]
    return [layers, [[0.9 * weight for weight in weights] for weights in layers]]


def layer_by_layer(cell, x, stacks, lengths):
    """States of the top layers of stacks, by way of those of all layers."""
    tops = []
    for direction, layers in enumerate(stacks):
        top = reverse_time(x, lengths) if direction else x
        for weights in layers:
            top, _ = run_layer(cell, top, None, weights, lengths)
        tops.append(reverse_time(top, lengths) if direction else top)
    return torch.cat(tops, dim=2)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize(
    ("n_frames", "n_sequences", "n_units", "n_layers"),
    [(19, 5, 7, 3), (20, 70, 32, 1), (300, 1, 8, 2), (3, 33, 16, 2)],
)
@torch.no_grad()
def test_run_top_has_the_bits_of_the_layers_one_by_one(
    cell, n_frames, n_sequences, n_units, n_layers
):
    x, stacks = frames(n_frames, n_sequences, 5), stacks_of(cell, 5, n_units, n_layers)
    some = torch.arange(n_sequences) % (n_frames - 1)  # one has no frame at all, none has all
    for lengths in (None, some):
        if lengths is not None:
            x = x.masked_fill(torch.arange(n_frames)[:, None, None] >= lengths[:, None], 0)
        expected = layer_by_layer(cell, x, stacks, lengths)
        assert torch.equal(run_top(cell, x, stacks, lengths), expected)
        first = run_top(cell, x, stacks[:1], lengths)
        assert torch.equal(first, expected[:, :, :n_units])


@torch.no_grad()
def test_run_top_of_no_sequence_and_of_no_frame_is_empty():
    stacks = stacks_of("gru", 3, 4, 2)
    assert run_top("gru", torch.zeros(5, 0, 3), stacks, None).shape == (5, 0, 8)
    assert run_top("gru", torch.zeros(0, 2, 3), stacks, None).shape == (0, 2, 8)


@torch.no_grad()
def test_run_top_compares_shapes():
    with pytest.raises(ValueError, match="Got x of shape"):
        run_top("gru", torch.zeros(5, 2, 4), stacks_of("gru", 3, 4, 2), None)


@pytest.mark.parametrize(("n_states", "n_components"), [(512, 64), (37, 20), (8, 8), (1, 1)])
@torch.no_grad()
def test_project_is_the_product_in_float64_and_has_bits_that_depend_on_no_other_row(
    n_states, n_components
):
    states = torch.tanh(frames(9, 5, n_states))
    center, components = frames(1, 1, n_states)[0, 0], frames(1, n_states, n_components)[0]
    ours = project(states, center, components)
    exact = (states.double() - center.double()) @ components.double()
    assert (ours - exact).abs().max() <= 1e-6 * n_states**0.5
    alone = project(states[4:6, 3:4].contiguous(), center, components)
    assert torch.equal(alone, ours[4:6, 3:4])


def test_the_exponential_of_the_kernels_is_exact_to_float32():
    x = np.linspace(-85, 85, 4001, dtype=np.float32)
    gates = np.zeros((1, 1, 3 * len(x)), np.float32)
    gates[0, 0, : len(x)] = x
    zeros = [np.zeros((n, 1, len(x)), np.float32) for n in (2, 1)]
    packed = np.zeros(2 * len(x) * len(x), np.float32)
    bias = np.zeros(len(x), np.float32)
    kernels.gru_forward(gates, packed, packed, bias, *zeros, np.ones(1, np.int64), 0, 1)
    exact = 1 / (1 + np.exp(-x.astype(float)))
    np.testing.assert_allclose(gates[0, 0, : len(x)], exact, rtol=3e-7)


def test_drop_gives_its_gradient_where_it_keeps_values():
    x = torch.ones(50, 40, 30, requires_grad=True)
    rows = torch.arange(40)
    kept = drop(x, 0.3, CounterRNG(0, rows))
    (gradient,) = torch.autograd.grad(kept.sum(), x)
    assert torch.equal(gradient, kept)
    again = drop(x, 0.3, CounterRNG(0, rows))
    other = drop(x, 0.3, CounterRNG(1, rows))
    assert torch.equal(kept, again)
    both = ((kept > 0) & (other > 0)).float().mean()
    assert float(both) == pytest.approx(0.49, abs=0.01)
