"""Shards: all sequences once, the same result on any number of cores, threads given back."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudeep.nn.autoencoders import NetworkSizes, TimeAutoencoder
from skaudeep.nn.parallel import parallel_map
from skaudeep.training.batches import SHARD, split_batch
from skaudeep.training.loop import Loss, Training


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=80), padded=st.booleans())
@settings(deadline=None, max_examples=30)
def test_shards_hold_every_true_frame_once(lengths, padded):
    longest = max(lengths)
    x = torch.arange(1, 1 + longest * len(lengths)).reshape(longest, len(lengths), 1).float()
    n = torch.tensor(lengths)
    if padded:
        x = x * (torch.arange(longest)[:, None] < n)[:, :, None]
    shards = split_batch(x, n if padded else None)
    assert sum(part.shape[1] for part, _, _ in shards) == len(lengths)
    assert max(part.shape[1] for part, _, _ in shards) <= SHARD
    found = torch.cat([part.flatten() for part, _, _ in shards])
    assert found[found > 0].sort().values.tolist() == x[x > 0].sort().values.tolist()
    for part, own, rows in shards:
        assert torch.equal(part, x[: len(part), rows])
        assert own is None or len(part) == own.max()


def test_a_batch_without_sequences_has_no_shards():
    assert split_batch(torch.empty(0, 0, 3), None) == []


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_results_do_not_depend_on_the_number_of_cores(threads):
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(6, 3 * SHARD + 5, 4, generator=rng)
    lengths = torch.randint(1, 7, (x.shape[1],), generator=rng)
    lengths[0] = 6
    x *= (torch.arange(6)[:, None] < lengths)[:, :, None]
    weights = []
    for n_threads in (1, 2, 3):
        threads(n_threads)
        network = TimeAutoencoder(NetworkSizes(4, 5, dropout=0.2))
        network.draw_weights(torch.Generator().manual_seed(0))
        run = Training(
            network,
            torch.optim.Adam(network.parameters()),
            Loss(),
            seed=0,
            learning_rate=0.01,
            gradient_clip=2.0,
        )
        run.run_epoch([(x, lengths), (x[:, :40], lengths[:40])])
        run.validate([(x, lengths)])
        weights.append([p.detach().numpy().copy() for p in network.parameters()])
        assert torch.get_num_threads() == n_threads
    for others in weights[1:]:
        for one, other in zip(weights[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("code", ["tanh", "gaussian"])
def test_shards_have_the_loss_and_the_gradient_of_the_whole_batch(code):
    x = torch.rand(6, 2 * SHARD, 4, generator=torch.Generator().manual_seed(0))
    network = TimeAutoencoder(NetworkSizes(4, 5, code=code))
    network.draw_weights(torch.Generator().manual_seed(1))
    if code == "gaussian":  # without its noise
        with torch.no_grad():
            network.encoder.code.log_variance.bias -= 40
    loss = Loss(kl_weight=0.5)
    run = Training(
        network,
        torch.optim.SGD(network.parameters(), lr=0.0),
        loss,
        seed=0,
        learning_rate=0.0,
        gradient_clip=1e3,
    )
    error, n_values, norm = run.step(x, None).tolist()
    found = [p.grad.clone() for p in network.parameters()]
    assert norm == pytest.approx(torch.cat([g.flatten() for g in found]).norm().item(), rel=1e-4)
    network.zero_grad()
    sums = loss.sums(network, x, None, None, 0)
    divergence = 0.0 if code == "tanh" else sums[2]
    loss.value(sums[0], sums[1], divergence, loss.kl_weight).backward()
    assert error == pytest.approx(sums[0].item(), rel=1e-5)
    assert n_values == sums[1].item() == x.numel()
    for gradient, parameter in zip(found, network.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad, atol=1e-5, rtol=1e-4)


def test_random_draws_do_not_depend_on_the_shards(monkeypatch):
    x = torch.rand(6, 70, 4, generator=torch.Generator().manual_seed(0))
    lengths = torch.arange(70) % 6 + 1
    x *= (torch.arange(6)[:, None] < lengths)[:, :, None]
    gradients = []
    for size in (SHARD, 100, 7):
        monkeypatch.setattr("skaudeep.training.batches.SHARD", size)
        network = TimeAutoencoder(
            NetworkSizes(4, 5, dropout=0.2, encoder_noise=0.3, code="gaussian")
        )
        network.draw_weights(torch.Generator().manual_seed(1))
        run = Training(
            network,
            torch.optim.SGD(network.parameters(), lr=0.0),
            Loss(feed_previous_prob=0.3),
            seed=0,
            learning_rate=0.0,
            gradient_clip=1e3,
        )
        run.step(x, lengths)
        gradients.append([p.grad.clone() for p in network.parameters()])
    for others in gradients[1:]:
        for one, other in zip(gradients[0], others, strict=True):
            torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_the_thread_count_is_restored_after_an_error(threads):
    threads(2)
    with pytest.raises(ZeroDivisionError), parallel_map(2) as each:
        list(each(lambda x: 1 // x, [1, 0]))
    assert torch.get_num_threads() == 2

    inside, leave = threading.Event(), threading.Event()

    def another():
        with parallel_map(2):
            inside.set()
            leave.wait()

    thread = threading.Thread(target=another)
    thread.start()
    inside.wait()
    with parallel_map(2):
        pass
    leave.set()
    thread.join()
    assert torch.get_num_threads() == 2
