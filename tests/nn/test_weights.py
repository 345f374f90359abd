"""Random weights: their distributions, and that a skipped decoder leaves the generator in place."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from skaudeep.nn.autoencoders import NetworkSizes, TimeAutoencoder
from skaudeep.nn.reservoir import Reservoir, ReservoirSizes
from skaudeep.nn.weights import build, draw_weights, resize, skip_decoder


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("module", "n_gates"), [(nn.GRU, 3), (nn.LSTM, 4)])
def test_recurrent_weights_are_orthogonal_for_each_gate(module, n_gates):
    layer = module(30, 50)
    draw_weights(layer, generator())
    gates = layer.weight_hh_l0.detach().chunk(n_gates)
    assert len(gates) == n_gates
    for gate in gates:
        torch.testing.assert_close(gate @ gate.T, torch.eye(50), atol=1e-5, rtol=0)


def test_input_weights_have_variance_one_over_the_inputs_and_biases_are_bounded():
    layer, linear = nn.GRU(100, 200), nn.Linear(100, 300)
    for module in (layer, linear):
        draw_weights(module, generator())
    assert float(layer.weight_ih_l0.detach().var()) == pytest.approx(1 / 100, rel=0.02)
    assert float(layer.weight_ih_l0.detach().mean()) == pytest.approx(0, abs=1e-3)
    bound = 200**-0.5
    for bias in (layer.bias_ih_l0, layer.bias_hh_l0):
        assert 0.95 * bound < float(bias.detach().abs().max()) <= bound
    assert 0.99 * 0.1 < float(linear.weight.detach().abs().max()) <= 0.1


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize(("n_bands", "n_units", "n_layers"), [(5, 7, 1), (17, 4, 3), (128, 32, 2)])
def test_skipping_a_decoder_takes_as_many_numbers_as_drawing_one(cell, n_bands, n_units, n_layers):
    network = TimeAutoencoder(NetworkSizes(n_bands, n_units, n_layers, cell=cell))
    drawn, skipped = generator(3), generator(3)
    draw_weights(network.decoder, drawn)
    skip_decoder(skipped, n_bands=n_bands, n_units=n_units, n_layers=n_layers, cell=cell)
    assert torch.equal(torch.rand(4, generator=drawn), torch.rand(4, generator=skipped))


def test_a_network_that_does_not_fit_into_memory_is_named_by_its_sizes():
    for network_class, sizes in (
        (TimeAutoencoder, NetworkSizes(n_bands=3, n_units=10**9)),
        (Reservoir, ReservoirSizes(n_bands=3, n_units=10**9)),
    ):
        with pytest.raises(MemoryError, match="n_units=1000000000 and n_layers=2 does not fit"):
            build(network_class, sizes, 0)


def test_a_resized_network_has_the_weights_and_other_rates_and_shares_no_memory():
    network = build(TimeAutoencoder, NetworkSizes(3, 4, dropout=0.2), 0)
    other = resize(network, NetworkSizes(3, 4, dropout=0.5, encoder_noise=0.3))
    assert (other.encoder.noise, other.decoder.stacks[0].dropout, other.training) == (
        0.3,
        0.5,
        False,
    )
    x = torch.rand(5, 2, 3, generator=generator())
    assert torch.equal(other(x).frames, network(x).frames)
    with torch.no_grad():
        other.decoder.project.bias += 1
    assert not torch.equal(other(x).frames, network(x).frames)
