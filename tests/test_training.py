"""The loop learns, clips, and counts padding for nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from skaudeep.networks import TimeAutoencoder
from skaudeep.training import SHARD, epoch_order, propagate, squared_error, train_epoch


class Bias(nn.Module):
    """Reconstructs everything as one number; the best one is the mean of the data."""

    def __init__(self, start=0.0):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(start))

    def forward(self, x, lengths, generator):
        return self.value.expand_as(x)


def train(network, batches, **options):
    optimizer = torch.optim.SGD(network.parameters(), lr=options.pop("lr", 0.1))
    options = {"gradient_clip": 2.0, "generator": torch.Generator(), **options}
    return train_epoch(network, optimizer, batches, **options)


def test_the_loss_is_the_root_of_the_mean_squared_error_over_the_epoch():
    x = torch.full((4, 2, 3), 3.0)
    y = torch.full((5, 1, 3), 1.0)
    loss = train(Bias(), [(x, None), (y, None)], lr=1e-9)
    assert loss == pytest.approx(np.sqrt((24 * 9 + 15 * 1) / 39))


def test_training_finds_the_mean():
    x = torch.tensor([1.0, 2.0, 3.0, 6.0])[:, None, None]
    network = Bias()
    for _ in range(400):
        train(network, [(x, None)], lr=0.05)
    assert network.value.item() == pytest.approx(3.0, abs=0.05)


def test_padding_counts_for_nothing():
    x = torch.tensor([[2.0, 4.0], [2.0, 0.0]])[:, :, None]  # the second sequence has one frame
    error, n_values = squared_error(torch.zeros(2, 2, 1), x, torch.tensor([2, 1]))
    assert (float(error), n_values) == (24.0, 3)


def test_each_element_of_the_gradient_is_clipped():
    network = Bias()
    train(network, [(torch.full((2, 2, 1), 5.0), None)], lr=1.0, gradient_clip=0.25)
    assert network.value.item() == pytest.approx(0.25)  # the gradient is -1 before clipping


def test_a_perfect_reconstruction_leaves_finite_weights():
    network = Bias(1.0)
    assert train(network, [(torch.ones(3, 2, 1), None)]) == 0
    assert network.value.item() == 1.0


def autoencoder_and_batch(n_sequences, *, dropout=0.0):
    generator = torch.Generator().manual_seed(0)
    network = TimeAutoencoder(4, 8, bidirectional_decoder=True, dropout=dropout)
    network.reset_parameters(generator)
    lengths = torch.randint(1, 8, (n_sequences,), generator=generator)
    x = torch.rand(7, n_sequences, 4, generator=generator)
    return network, x * (torch.arange(7)[:, None] < lengths)[:, :, None], lengths


def test_the_gradient_of_shards_is_that_of_the_whole_batch():
    network, x, lengths = autoencoder_and_batch(2 * SHARD + 3)
    error, n_values = propagate(network, x, lengths, generator=torch.Generator())
    found = [p.grad for p in network.parameters()]
    expected, n_expected = squared_error(network(x, lengths), x, lengths)
    loss = (expected / n_expected).sqrt()
    assert n_values == n_expected
    torch.testing.assert_close(error, expected.detach())
    for own, whole in zip(found, torch.autograd.grad(loss, network.parameters()), strict=True):
        torch.testing.assert_close(own, whole, atol=1e-7, rtol=1e-4)


def test_the_gradient_is_the_same_to_the_bit_on_any_number_of_threads():
    network, x, lengths = autoencoder_and_batch(2 * SHARD, dropout=0.2)
    n_threads = torch.get_num_threads()
    found = []
    try:
        for n in (1, 2, 2):
            torch.set_num_threads(n)
            propagate(network, x, lengths, generator=torch.Generator().manual_seed(3))
            assert torch.get_num_threads() == n
            found.append([p.grad for p in network.parameters()])
    finally:
        torch.set_num_threads(n_threads)
    for one, two, again in zip(*found, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(two, again)


def test_the_number_of_threads_is_restored_after_an_error():
    network, x, _ = autoencoder_and_batch(2 * SHARD)
    n_threads = torch.get_num_threads()
    with pytest.raises(RuntimeError):
        propagate(network, x[:, :, :3], None, generator=torch.Generator())
    assert torch.get_num_threads() == n_threads


def test_an_epochs_order_depends_on_seed_and_epoch_only():
    np.random.seed(0)
    order = epoch_order(50, seed=3, epoch=4)
    np.random.seed(1)
    assert np.array_equal(order, epoch_order(50, seed=3, epoch=4))
    assert not np.array_equal(order, epoch_order(50, seed=3, epoch=5))
    assert not np.array_equal(order, epoch_order(50, seed=4, epoch=4))
    assert np.array_equal(np.sort(order), np.arange(50))
