"""Stacks against torch's own modules, and the two directions of time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skaudeep.nn.counter_rng import CounterRNG
from skaudeep.nn.stack import RecurrentStack, dropout, reverse_time


def batch(n_frames=9, lengths=(9, 4, 1), n_bands=3, seed=0):
    x = torch.randn(n_frames, len(lengths), n_bands, generator=torch.Generator().manual_seed(seed))
    real = torch.arange(n_frames)[:, None] < torch.tensor(lengths)
    return x * real[:, :, None], torch.tensor(lengths)


@pytest.mark.parametrize(("cell", "module"), [("gru", nn.GRU), ("lstm", nn.LSTM)])
def test_recurrent_stack_without_dropout_is_torchs_multilayer_module(cell, module):
    stack = RecurrentStack(3, 5, n_layers=2, cell=cell, dropout=0.0)
    peer = module(3, 5, num_layers=2)
    for layer, own in enumerate(stack.layers):
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(peer, f"{name}_l{layer}").data = getattr(own, f"{name}_l0").data
    x, _ = batch()
    outputs, state = stack(x)
    expected, final = peer(x)
    assert len(outputs) == 2
    torch.testing.assert_close(outputs[-1], expected)
    if cell == "gru":
        final_by_layer = list(final)
    else:  # hidden before cell, layer by layer
        final_by_layer = [part for h, c in zip(*final, strict=True) for part in (h, c)]
    torch.testing.assert_close(state, torch.cat(final_by_layer, dim=1))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_recurrent_stack_ignores_padding(cell):
    stack = RecurrentStack(3, 5, n_layers=2, cell=cell, dropout=0.0)
    x, lengths = batch()
    outputs, state = stack(x, lengths=lengths)
    for i, length in enumerate(lengths):
        alone, alone_state = stack(x[:length, i : i + 1])
        for layer, expected in zip(outputs, alone, strict=True):
            torch.testing.assert_close(layer[:length, i : i + 1], expected, atol=1e-6, rtol=0)
            assert not layer[length:, i].any()
        torch.testing.assert_close(state[i : i + 1], alone_state, atol=1e-6, rtol=0)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_recurrent_stack_continues_a_sequence_from_its_final_state(cell):
    stack = RecurrentStack(3, 5, n_layers=2, cell=cell, dropout=0.0)
    x, _ = batch(lengths=(9, 9))
    whole, final = stack(x)
    first, state = stack(x[:4])
    second, continued = stack(x[4:], state)
    for layer, before, after in zip(whole, first, second, strict=True):
        torch.testing.assert_close(torch.cat([before, after]), layer)
    torch.testing.assert_close(continued, final)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_recurrent_stack_step_by_step_is_the_stack_over_the_sequence(cell):
    stack = RecurrentStack(3, 5, n_layers=2, cell=cell, dropout=0.0)
    x, _ = batch(lengths=(9, 9))
    state = torch.randn(2, stack.state_size, generator=torch.Generator().manual_seed(1))
    outputs, final = stack(x, state)
    for frame, expected in zip(x, outputs[-1], strict=True):
        output, state = stack.step(frame, state)
        torch.testing.assert_close(output, expected)
    torch.testing.assert_close(state, final)


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5))
@settings(deadline=None, max_examples=25)
def test_reverse_time_twice_is_the_identity(lengths):
    x, n = batch(6, lengths)
    mirrored = reverse_time(x, n)
    for i, length in enumerate(lengths):
        assert torch.equal(mirrored[:length, i], x[:length, i].flip(0))
    assert torch.equal(reverse_time(mirrored, n), x)


def test_dropout_drops_its_share_and_keeps_the_mean():
    x = torch.ones(400, 50, 20)
    kept = dropout(x, 0.2, CounterRNG(0, torch.arange(50)))
    assert float((kept == 0).float().mean()) == pytest.approx(0.2, abs=0.004)
    assert float(kept.max()) == pytest.approx(1.25)
    assert float(kept.mean()) == pytest.approx(1.0, abs=0.005)


def test_dropout_is_off_without_a_generator():
    x = torch.ones(3, 2, 5)
    assert dropout(x, 0.5, None) is x
    stack = RecurrentStack(5, 4, n_layers=1, cell="gru", dropout=0.5)
    (outputs,), _ = stack(x)
    (again,), _ = stack(x)
    (dropped,), _ = stack(x, rng=CounterRNG(0, torch.arange(2)))
    assert torch.equal(outputs, again)
    assert not torch.equal(outputs, dropped)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("lengths", [None, [2, 6, 3, 6]])
def test_run_module_is_the_layer_of_the_kernels(cell, lengths):
    stack = RecurrentStack(3, 4, n_layers=1, cell=cell, dropout=0.0)
    x, n = batch(6, lengths or [6] * 4)
    n = None if lengths is None else n
    initial = torch.randn(4, stack.state_size, generator=torch.Generator().manual_seed(1))
    for start in (None, initial):
        ours = stack._run_layer(stack.layers[0], x, start, n)
        theirs = stack._run_module(stack.layers[0], x, start, n)
        for own, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(own, other, atol=1e-6, rtol=0)
