"""Readers and writers: who sees what, and what a writer makes of its own frames."""

from __future__ import annotations

import itertools

import pytest
import torch

from skaudeep.nn.bidirectional import DecoderStack, EncoderStack, fixed_point
from skaudeep.nn.counter_rng import CounterRNG

SIZES = {"n_layers": 2, "dropout": 0.0}


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def writer(cell="gru", bidirectional=False, n_outputs=3, activation="tanh"):
    torch.manual_seed(0)
    return DecoderStack(
        3,
        5,
        n_outputs=n_outputs,
        activation=activation,
        cell=cell,
        bidirectional=bidirectional,
        **SIZES,
    )


def test_the_two_directions_of_an_encoder_are_independent():
    """The backward stack has seen, at the last frame, that frame only."""
    recurrent = EncoderStack(3, 5, cell="gru", bidirectional=True, **SIZES)
    x = draw(6, 1, 3).requires_grad_()
    states, _ = recurrent(x)
    states[-1][-1].sum().backward()  # the last frame of the backward stack's top layer
    assert (x.grad.abs().sum(dim=(1, 2)) > 0).tolist() == [False] * 5 + [True]


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("parts", [[1] * 12, [5, 1, 6], [12]])
def test_states_carried_from_part_to_part_are_those_of_the_whole(monkeypatch, backend, cell, parts):
    monkeypatch.setenv("SKAUDEEP_BACKEND", backend)
    torch.manual_seed(0)
    recurrent = EncoderStack(3, 5, cell=cell, bidirectional=False, **SIZES)
    x, state, found = draw(12, 2, 3), None, []
    with torch.inference_mode():
        whole, final = recurrent.top_states(x), recurrent(x)[1]
        for part in x.split(parts):
            states, state = recurrent.carry_on(part, state)
            found.append(states)
    atol = 0 if backend == "numba" else 1e-6
    torch.testing.assert_close(torch.cat(found), whole, atol=atol, rtol=0)
    torch.testing.assert_close(state, final, atol=atol, rtol=0)


def test_states_of_two_directions_cannot_be_carried():
    recurrent = EncoderStack(3, 5, cell="gru", bidirectional=True, **SIZES)
    with pytest.raises(ValueError, match="Got a bidirectional stack, expected one that reads for"):
        recurrent.carry_on(draw(4, 1, 3))


@pytest.mark.parametrize("bidirectional", [False, True])
def test_teacher_forcing_never_shows_the_frame_to_be_decoded(bidirectional):
    teacher = draw(6, 1, 3).requires_grad_()
    module = writer(bidirectional=bidirectional)
    module(torch.zeros(1, module.state_size), teacher)[2].sum().backward()
    seen = (teacher.grad.abs().sum(dim=(1, 2)) > 0).tolist()
    assert seen == [True, True, False] + [bidirectional] * 3


def test_the_initial_state_is_split_over_directions():
    module = writer(bidirectional=True)
    state = torch.zeros(1, module.state_size, requires_grad=True)
    with torch.no_grad():
        module.project.weight[:, 5:] = 0  # the backward stack's outputs count for nothing
    module(state, torch.zeros(4, 1, 3)).sum().backward()
    assert not state.grad[:, module.state_size // 2 :].any()
    assert state.grad[:, : module.state_size // 2].all()


@pytest.mark.parametrize(("cell", "bidirectional"), [*itertools.product(["gru", "lstm"], [0, 1])])
def test_free_running_decoding_is_a_fixed_point_of_teacher_forcing(cell, bidirectional):
    """Told its own frames, a writer writes the same frames again."""
    module = writer(cell, bool(bidirectional))
    state, teacher = draw(4, module.state_size, seed=1), draw(7, 4, 3)
    for use_prediction in (torch.ones(7, 4, dtype=torch.bool), draw(7, 4, seed=2) < 0.5):
        mixed = module.decode_free_running(state, teacher, use_prediction)
        with torch.no_grad():
            again = module(state, mixed)
        atol = 2e-3 if bidirectional else 1e-6  # where two directions must agree
        torch.testing.assert_close(mixed[use_prediction], again[use_prediction], atol=atol, rtol=0)
        assert torch.equal(mixed[~use_prediction], teacher[~use_prediction])


@pytest.mark.parametrize("bidirectional", [False, True])
def test_scheduled_sampling_replaces_its_share_of_frames(bidirectional):
    module = writer(bidirectional=bidirectional)
    state, teacher = draw(100, module.state_size), draw(50, 100, 3)
    assert module.scheduled_sampling(state, teacher, None, None, 0.0) is teacher
    sampled = module.scheduled_sampling(state, teacher, None, CounterRNG(0, torch.arange(100)), 0.3)
    replaced = (sampled != teacher).any(dim=2).float().mean()
    assert float(replaced) == pytest.approx(0.3, abs=0.02)
    assert not sampled.requires_grad


def test_fixed_point_iteration_converges_and_keeps_unmasked_frames():
    half = fixed_point(
        lambda x: x / 2 + 0.5, torch.zeros(3, 2, 1), torch.ones(3, 2, dtype=torch.bool)
    )
    torch.testing.assert_close(half, torch.ones(3, 2, 1), atol=2e-3, rtol=0)
    kept = fixed_point(lambda x: x + 1, torch.zeros(3, 2, 1), torch.zeros(3, 2, dtype=torch.bool))
    assert not kept.any()


@pytest.mark.parametrize("bidirectional", [True, False])
def test_top_states_are_those_of_the_top_layers_with_and_without_gradients(bidirectional):
    encoder = EncoderStack(3, 4, n_layers=2, cell="gru", bidirectional=bidirectional, dropout=0.0)
    x, lengths = draw(6, 3, 3), torch.tensor([6, 2, 4])
    x = x.masked_fill(torch.arange(6)[:, None, None] >= lengths[:, None], 0)
    expected = torch.cat(encoder(x, lengths)[0][1::2], dim=2)
    with_gradients = encoder.top_states(x, lengths)
    assert with_gradients.requires_grad
    torch.testing.assert_close(with_gradients, expected, rtol=0, atol=0)
    with torch.inference_mode():
        torch.testing.assert_close(encoder.top_states(x, lengths), expected, rtol=0, atol=1e-6)
