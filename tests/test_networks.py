"""The autoencoder's anatomy: who sees what, how wide the code is, what padding may change."""

from __future__ import annotations

import itertools

import pytest
import torch

from skaudeep.networks import Decoder, TimeAutoencoder

FAMILY = list(itertools.product(["gru", "lstm"], [False, True], [False, True]))


def network(cell="gru", bidirectional_encoder=False, bidirectional_decoder=False, seed=0):
    module = TimeAutoencoder(
        3,
        5,
        n_layers=2,
        cell=cell,
        bidirectional_encoder=bidirectional_encoder,
        bidirectional_decoder=bidirectional_decoder,
    )
    module.reset_parameters(torch.Generator().manual_seed(seed))
    return module


def frames(n_frames, n_sequences, seed=0):
    return torch.rand(n_frames, n_sequences, 3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("cell", "encoder", "decoder"), FAMILY)
def test_the_code_is_as_wide_as_the_decoders_whole_initial_state(cell, encoder, decoder):
    module = network(cell, encoder, decoder)
    outputs, code = module.encode(frames(7, 2))
    layers, units = 2, 5
    assert code.shape == (2, layers * units * (1 + decoder) * (2 if cell == "lstm" else 1))
    assert [layer.shape for layer in outputs] == [(7, 2, units)] * layers * (1 + encoder)
    assert code.abs().max() < 1


def test_the_papers_code_has_1024_numbers():
    module = TimeAutoencoder(128, 256, n_layers=2, bidirectional_decoder=True)
    assert module.decoder.state_size == 1024


@pytest.mark.parametrize(("cell", "encoder", "decoder"), FAMILY)
def test_a_sequence_is_rebuilt_the_same_alone_and_padded(cell, encoder, decoder):
    module = network(cell, encoder, decoder)
    lengths = torch.tensor([6, 3, 1])
    x = frames(6, 3) * (torch.arange(6)[:, None] < lengths)[:, :, None]
    rebuilt = module(x, lengths)
    _, code = module.encode(x, lengths)
    for i, n in enumerate(lengths):
        alone = x[:n, i : i + 1]
        torch.testing.assert_close(rebuilt[:n, i : i + 1], module(alone), atol=1e-6, rtol=0)
        torch.testing.assert_close(code[i : i + 1], module.encode(alone)[1], atol=1e-6, rtol=0)


def test_the_forward_decoder_rebuilds_a_frame_from_later_frames_only():
    """Decoding runs from the last frame to the first: frame t may depend on t + 1 onwards."""
    module = network()
    x = frames(6, 1).requires_grad_()
    code = torch.zeros(1, module.decoder.state_size)
    module.decode(code, x)[2].sum().backward()
    seen = x.grad.abs().sum(dim=(1, 2)) > 0
    assert seen.tolist() == [False, False, False, True, True, True]


def test_the_bidirectional_decoder_never_sees_the_frame_that_it_rebuilds():
    module = network(bidirectional_decoder=True)
    x = frames(6, 1).requires_grad_()
    code = torch.zeros(1, module.decoder.state_size)
    module.decode(code, x)[2].sum().backward()
    seen = x.grad.abs().sum(dim=(1, 2)) > 0
    assert seen.tolist() == [True, True, False, True, True, True]


def test_the_code_is_split_over_directions():
    decoder = Decoder(3, 5, n_layers=2, cell="gru", bidirectional=True, dropout=0.0)
    code = torch.zeros(1, decoder.state_size, requires_grad=True)
    backward_half = slice(decoder.state_size // 2, None)
    output = torch.zeros(4, 1, 3)
    with torch.no_grad():
        decoder.project.weight[:, 5:] = 0  # the backward stack's outputs count for nothing
    decoder(code, output).sum().backward()
    assert not code.grad[:, backward_half].any()
    assert code.grad[:, : decoder.state_size // 2].all()


def test_directions_do_not_exchange_layers():
    """The backward stack has seen, at the last frame, that frame only."""
    module = network(bidirectional_encoder=True)
    x = frames(6, 1).requires_grad_()
    outputs, _ = module.encode(x)
    outputs[-1][-1].sum().backward()  # the last frame of the backward stack's top layer
    assert (x.grad.abs().sum(dim=(1, 2)) > 0).tolist() == [False] * 5 + [True]


def test_weights_come_from_the_generator_alone():
    same, again, other = network(seed=7), network(seed=7), network(seed=8)
    for a, b, c in zip(same.parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_an_identity_output_reaches_values_that_tanh_cannot():
    module = TimeAutoencoder(3, 5, out_activation="identity")
    module.reset_parameters(torch.Generator().manual_seed(0))
    with torch.no_grad():
        module.decoder.project.bias += 10
    assert module(frames(4, 2)).min() > 5
