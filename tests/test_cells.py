"""Tests of recurrent layers of several models at once."""

import pytest
import torch
from torch import nn

from skaudeep.cells import (
    gru_cell,
    gru_cell_backward,
    lstm_cell,
    lstm_cell_backward,
    run_models,
)

MODELS, FRAMES, SEQUENCES, INPUTS, UNITS = 3, 5, 4, 6, 7
MODULES = {"gru": nn.GRU, "lstm": nn.LSTM}


def stacked(cell, x, initial, weights):
    def of_one(x, initial, *weights):
        return run_models(cell, x, initial, weights)

    return torch.func.vmap(of_one)(x, initial, *weights)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("started", [True, False])
def test_each_model_is_torchs_module(cell, started, generator):
    modules = [MODULES[cell](INPUTS, UNITS, dtype=torch.float64) for _ in range(MODELS)]
    for module in modules:
        for parameter in module.parameters():
            nn.init.uniform_(parameter, -0.5, 0.5, generator=generator)
    x = torch.randn(
        MODELS, FRAMES, SEQUENCES, INPUTS, dtype=torch.float64, generator=generator
    ).requires_grad_()
    n_states = {"gru": 1, "lstm": 2}[cell]
    initial = torch.randn(
        MODELS, SEQUENCES, n_states * UNITS, dtype=torch.float64, generator=generator
    )
    initial = (initial if started else torch.zeros_like(initial)).requires_grad_()
    weights = [
        torch.stack(parts).detach().requires_grad_()
        for parts in zip(*(list(module.parameters()) for module in modules), strict=True)
    ]
    if started:
        outputs, final = stacked(cell, x, initial, weights)
    else:
        outputs, final = torch.func.vmap(lambda x, *w: run_models(cell, x, None, w))(x, *weights)
    tensors = [x, *weights, *([initial] if started else [])]
    gradients = torch.autograd.grad(outputs.sin().sum() + final.square().sum(), tensors)
    for m, module in enumerate(modules):
        own_x = x.detach()[m].requires_grad_()
        own_initial = initial.detach()[m].requires_grad_()
        parts = [part[None].contiguous() for part in own_initial.split(UNITS, dim=1)]
        expected, state = module(own_x, parts[0] if cell == "gru" else tuple(parts))
        last = state[0] if cell == "gru" else torch.cat(state, dim=2)[0]
        torch.testing.assert_close(outputs[m], expected)
        torch.testing.assert_close(final[m], last)
        own = [own_x, *module.parameters(), *([own_initial] if started else [])]
        by_module = torch.autograd.grad(expected.sin().sum() + last.square().sum(), own)
        for ours, theirs in zip(gradients, by_module, strict=True):
            torch.testing.assert_close(ours[m], theirs)


def test_what_models_share_need_not_be_stacked(generator):
    x = torch.randn(FRAMES, SEQUENCES, INPUTS, generator=generator)
    sizes = [(3 * UNITS, INPUTS), (3 * UNITS, UNITS), (3 * UNITS,), (3 * UNITS,)]
    weights = [torch.randn(MODELS, *size, generator=generator) for size in sizes]
    run = torch.func.vmap(
        lambda x, *weights: run_models("gru", x, None, weights), in_dims=(None, 0, 0, 0, 0)
    )
    each = torch.func.vmap(lambda x, *weights: run_models("gru", x, None, weights))
    for shared, own in zip(
        run(x, *weights), each(x.expand(MODELS, *x.shape), *weights), strict=True
    ):
        assert torch.equal(shared, own)


def test_bfloat16_is_for_products_over_all_frames(generator):
    x = torch.randn(MODELS, FRAMES, SEQUENCES, INPUTS, generator=generator)
    sizes = [(3 * UNITS, INPUTS), (3 * UNITS, UNITS), (3 * UNITS,), (3 * UNITS,)]
    weights = [torch.randn(MODELS, *size, generator=generator).requires_grad_() for size in sizes]
    initial = torch.zeros(MODELS, SEQUENCES, UNITS)
    exact, _ = stacked("gru", x, initial, weights)
    with torch.autocast("cpu", torch.bfloat16):
        low, _ = stacked("gru", x, initial, weights)
    assert low.dtype == torch.float32
    assert 0 < (low - exact).abs().max() < 0.05
    for gradient, weight in zip(torch.autograd.grad(low.sum(), weights), weights, strict=True):
        assert gradient.dtype == weight.dtype


def test_outside_of_vmap_there_is_nothing_to_stack():
    weights = [torch.zeros(12, 3), torch.zeros(12, 4), torch.zeros(12), torch.zeros(12)]
    with pytest.raises(NotImplementedError, match="vmap"):
        run_models("gru", torch.zeros(7, 5, 3), None, weights)


def test_the_kernels_for_cuda_take_and_give_what_is_expected_of_them():
    # They cannot run here; their signatures can be read.
    signatures = {
        "_thnn_fused_gru_cell": (["input_gates", "hidden_gates", "hx"], 2),
        "_thnn_fused_gru_cell_backward": (["grad_hy", "workspace", "has_bias"], 5),
        "_thnn_fused_lstm_cell": (["input_gates", "hidden_gates", "cx"], 3),
        "_thnn_fused_lstm_cell_backward_impl": (
            ["grad_hy", "grad_cy", "cx", "cy", "workspace", "has_bias"],
            3,
        ),
    }
    for name, (required, n_returns) in signatures.items():
        schema = getattr(torch.ops.aten, name).default._schema
        arguments = [a.name for a in schema.arguments if not a.has_default_value()]
        assert (arguments, len(schema.returns)) == (required, n_returns)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cells_on_cuda_are_those_on_the_cpu(generator):
    def both(function, *tensors):
        there = function(*(t.cuda() for t in tensors))
        for ours, theirs in zip(function(*tensors), there, strict=True):
            torch.testing.assert_close(ours, theirs.cpu())
        return function(*tensors)

    gates = torch.randn(4, 12, 4 * UNITS, generator=generator)
    states = torch.randn(4, 12, UNITS, generator=generator)
    _, saved = both(gru_cell, *gates[:2, :, : 3 * UNITS].contiguous(), states[0])
    both(gru_cell_backward, states[1], saved)
    _, after, saved = both(lstm_cell, *gates[:2], states[0])
    both(lstm_cell_backward, states[1], states[2], states[0], after, saved)
