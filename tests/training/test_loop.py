"""The loop learns, clips, counts padding for nothing, and goes on from where it stopped."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

from skaudeep.nn.autoencoders import NETWORKS, NetworkSizes
from skaudeep.training.loop import (
    Loss,
    Training,
    epoch_order,
    squared_error,
)
from skaudeep.training.schedules import value_at


class Bias(nn.Module):
    """Reconstructs everything as one number; the best one is the mean of the data."""

    def __init__(self, start=0.0, divergence=None):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(start))
        self.divergence = divergence
        self.seen = []

    def forward(self, x, lengths, generator, feed_previous_prob):
        self.seen.append((generator is not None, feed_previous_prob))
        divergence = None if self.divergence is None else self.divergence * self.value.square()
        return self.value.expand_as(x), divergence


def training(network, *, lr=0.1, loss=None, gradient_clip=2.0, optimizer=torch.optim.SGD):
    return Training(
        network,
        optimizer(network.parameters(), lr=9.0),  # the schedule's rate replaces it
        loss or Loss(),
        seed=0,
        learning_rate=lr,
        gradient_clip=gradient_clip,
    )


def test_the_loss_is_the_root_of_the_mean_squared_error_over_the_epoch():
    x = torch.full((4, 2, 3), 3.0)
    y = torch.full((5, 1, 3), 1.0)
    run = training(Bias(), lr=1e-9)
    run.run_epoch([(x, None), (y, None)])
    assert run.loss_curve == pytest.approx([np.sqrt((24 * 9 + 15 * 1) / 39)])


def test_training_finds_the_mean():
    x = torch.tensor([1.0, 2.0, 3.0, 6.0])[:, None, None]
    network = Bias()
    run = training(network, lr={0: 0.2, 200: 0.01})
    for _ in range(400):
        run.run_epoch([(x, None)])
    assert network.value.item() == pytest.approx(3.0, abs=0.01)


def test_padding_and_masked_silence_do_not_count_in_the_loss():
    x = torch.tensor([[2.0, 4.0], [2.0, 0.0]])[:, :, None]  # the second sequence has one frame
    error, n_values = squared_error(torch.zeros(2, 2, 1), x, torch.tensor([2, 1]))
    assert error.tolist() == [[4.0, 16.0], [4.0, 0.0]]
    assert n_values.tolist() == [[1.0, 1.0], [1.0, 0.0]]
    x[0, 0] = -1.0
    error, n_values = squared_error(
        torch.zeros(2, 2, 1), x, torch.tensor([2, 1]), mask_silence=True
    )
    assert error.tolist() == [[0.0, 16.0], [4.0, 0.0]]
    assert n_values.tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_a_batch_of_masked_silence_changes_no_weight():
    network = Bias(0.5)
    run = training(network, loss=Loss(mask_silence=True))
    run.run_epoch([(torch.full((3, 2, 1), -1.0), None), (torch.ones(1, 1, 1), None)])
    assert network.value.item() == pytest.approx(0.6)  # of the sounding batch alone
    assert run.loss_curve == [0.5]


def test_each_element_of_the_gradient_is_clipped():
    network = Bias()
    run = training(network, lr=1.0, gradient_clip=0.25)
    run.run_epoch([(torch.full((2, 2, 1), 5.0), None)])
    assert network.value.item() == pytest.approx(0.25)
    assert run.gradient_norm == pytest.approx(1.0)  # before clipping


def test_a_perfect_reconstruction_leaves_finite_weights():
    network = Bias(1.0)
    run = training(network)
    run.run_epoch([(torch.ones(3, 2, 1), None)])
    assert run.loss_curve == [0]
    assert network.value.item() == 1.0


def test_divergence_counts_per_value_with_its_weight():
    loss = Loss(kl_weight={0: 0.0, 4: 2.0})
    sums = loss.sums(Bias(3.0, 5.0), torch.zeros(3, 2, 4), None, None, 2)
    assert [value.item() for value in sums] == [24 * 9, 24, 45]
    value = loss.value(*sums, value_at(loss.kl_weight, 2)).item()
    assert value == pytest.approx(3.0 + 1.0 * 45 / 24)


def test_scheduled_sampling_happens_in_training_only():
    network = Bias()
    run = training(network, loss=Loss(feed_previous_prob={0: 0.0, 1: 0.5}))
    batch = [(torch.ones(1, 1, 1), None)]
    run.run_epoch(batch)
    run.run_epoch(batch)
    run.validate(batch)
    assert network.seen == [(True, 0.0), (True, 0.5), (False, 0.0)]


def test_evaluation_is_free_running_only_at_probability_one():
    network, batch = Bias(), [(torch.ones(1, 1, 1), None)]
    run = training(network, loss=Loss(feed_previous_prob={1: 0.9, 2: 1.0}))
    for _ in range(3):
        run.run_epoch(batch)
        run.validate(batch)
    assert network.seen[::2] == [(True, 0.9), (True, 0.9), (True, 1.0)]
    assert network.seen[1::2] == [(False, 0.0), (False, 0.0), (False, 1.0)]


def test_the_best_weights_are_those_after_the_least_validation_loss():
    network = Bias()
    run = training(network, lr=0.5)
    best = []
    for target in (1.0, 1.0, 1.0, 9.0, 9.0):
        run.run_epoch([(torch.full((1, 1, 1), target), None)])
        run.validate([(torch.full((1, 1, 1), 1.0), None)])
        best.append((float(run.best_weights["value"]), run.epochs_since_best))
    assert best == [(0.5, 0), (1.0, 0), (1.0, 1), (1.0, 2), (1.0, 3)]


def test_losses_of_a_decoder_that_is_fed_its_own_output_are_not_compared_with_teacher_forcing():
    network = Bias()
    run = training(network, lr=0.5, loss=Loss(feed_previous_prob={1: 0.0, 2: 1.0}))
    best = []
    for target in (1.0, 1.0, 2.0, 2.0, 9.0):
        run.run_epoch([(torch.full((1, 1, 1), target), None)])
        run.validate([(torch.full((1, 1, 1), 1.0), None)])
        best.append((float(run.best_weights["value"]), run.epochs_since_best))
    # From the third epoch on free running: its weights are kept, although those before were better.
    assert best == [(0.5, 0), (1.0, 0), (1.5, 0), (1.5, 1), (1.5, 2)]


def test_validation_may_begin_and_end_between_trainings():
    """Losses of validation are those of their epochs; earlier trainings are not compared with."""
    target, network = [(torch.ones(1, 1, 1), None)], Bias()
    first = training(network, lr=1e-9)
    first.run_epoch(target)
    second = training(network, lr=1e-9)
    second.loss_curve[:], second.start = first.loss_curve, 1
    for far in (3.0, 4.0):
        second.run_epoch(target)
        second.validate([(torch.full((1, 1, 1), far), None)])
    np.testing.assert_allclose(second.validation_loss_curve, [np.nan, 3.0, 4.0])
    assert (second.epochs_since_best, second.validation_loss) == (1, pytest.approx(4.0))
    third = training(network, lr=-1e-3)
    third.loss_curve[:], third.start = second.loss_curve, 3
    third.validation_loss_curve[:] = second.validation_loss_curve
    for _ in range(3):
        third.run_epoch(target)  # away from the target: the loss rises
    np.testing.assert_allclose(third.validation_loss_curve, [np.nan, 3.0, 4.0, *[np.nan] * 3])
    assert (third.epochs_since_best, third.validation_loss) == (2, None)


def test_divergence_of_training_is_an_error():
    run = training(Bias(), lr=float("nan"))
    batch = [(torch.ones(1, 1, 1), None)]
    run.run_epoch(batch)
    with pytest.raises(FloatingPointError, match="the loss of epoch 1 is nan"):
        run.run_epoch(batch)


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("stop_after", [1, 3, 4])
def test_a_restored_training_ends_with_the_same_bits(stop_after):
    rng = torch.Generator().manual_seed(0)
    epoch = [(torch.rand(3, 2, 1, generator=rng), None) for _ in range(3)]

    def start():
        return training(Bias(), optimizer=torch.optim.Adam)

    def run(one, n_epochs):
        while one.epoch < n_epochs:
            one.run_epoch(epoch[one.batch :])
            one.validate(epoch[:1])
        return one

    whole = run(start(), 4)

    interrupted = start()
    states = []

    def stop():
        weights = {n: w.clone() for n, w in interrupted.network.state_dict().items()}
        states.append((interrupted.state(), weights))
        if len(states) == stop_after:
            raise Interrupted

    interrupted.after_batch.append(stop)
    with pytest.raises(Interrupted):
        run(interrupted, 4)
    resumed = start()
    resumed.restore(*states[-1])
    assert run(resumed, 4).loss_curve == whole.loss_curve
    assert resumed.validation_loss_curve == whole.validation_loss_curve
    assert torch.equal(resumed.network.value, whole.network.value)
    assert torch.equal(resumed.best_weights["value"], whole.best_weights["value"])


def test_an_epochs_order_depends_on_seed_and_epoch_only():
    np.random.seed(0)
    for lengths in (np.full(50, 7), np.arange(50)):
        order = epoch_order(lengths, 8, seed=3, epoch=4)
        np.random.seed(1)
        assert np.array_equal(order, epoch_order(lengths, 8, seed=3, epoch=4))
        assert not np.array_equal(order, epoch_order(lengths, 8, seed=3, epoch=5))
        assert not np.array_equal(order, epoch_order(lengths, 8, seed=4, epoch=4))
        assert np.array_equal(np.sort(order), np.arange(50))


def test_batches_of_a_training_hold_little_padding_and_come_in_no_order_of_length():
    lengths = np.exp(np.random.default_rng(0).uniform(np.log(100), np.log(2600), 2050)).astype(int)
    order = epoch_order(lengths, 64, seed=0, epoch=0)
    batches = [lengths[order[i : i + 64]] for i in range(0, len(order), 64)]
    assert sum(len(batch) * batch.max() for batch in batches) < 1.2 * lengths.sum()
    plain = np.random.default_rng(0).permutation(lengths)
    assert sum(64 * plain[i : i + 64].max() for i in range(0, 2048, 64)) > 2.5 * lengths.sum()
    means = [batch.mean() for batch in batches]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.5


@pytest.mark.parametrize("axis", NETWORKS)
def test_a_step_on_another_device_does_not_wait_for_it(axis, monkeypatch):
    """A meta tensor has no values: whoever asks for one raises."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # knows no meta
    config = {"dropout": 0.2, "encoder_noise": 0.2, "code": "gaussian"}
    if axis != "time":
        config |= {"band_window": 4, "band_overlap": 2}
    if axis == "frequency-time":
        config |= {"n_units": (64, 128), "n_layers": (1, 2)}
    with torch.device("meta"):
        module = NETWORKS[axis](NetworkSizes(8, **config))
    run = Training(
        module,
        torch.optim.Adam(module.parameters()),
        Loss(kl_weight=0.1, feed_previous_prob=0.2),
        seed=0,
        learning_rate=0.1,
        gradient_clip=1.0,
    )
    for lengths in (None, torch.tensor([5, 3]))[: 2 if axis == "time" else 1]:
        assert run.step(torch.empty(5, 2, 8, device="meta"), lengths).shape == (3,)
