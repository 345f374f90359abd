"""Alignment of similarities, and the training by it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from skaudeep.nn.reservoir import Reservoir, ReservoirSizes
from skaudeep.nn.weights import build
from skaudeep.training import batches
from skaudeep.training.alignment import AlignmentTraining, alignment
from skaudeep.training.batches import Sequences


def unit_rows(n_clips=5, n_features=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(n_clips, n_features, generator=generator), dim=1)


def test_alignment_is_the_correlation_of_the_cosines_of_different_clips():
    first, second = unit_rows(seed=0), unit_rows(n_features=3, seed=1)
    pairs = np.triu_indices(5, k=1)
    expected = np.corrcoef(*((x @ x.T).numpy()[pairs] for x in (first, second)))[0, 1]
    assert alignment(first, second).item() == pytest.approx(expected, abs=1e-6)


def test_features_that_are_turned_and_in_another_space_align_fully():
    turned = unit_rows() @ torch.linalg.qr(unit_rows(4, 4, seed=2))[0]
    wider = torch.cat([turned, torch.zeros(5, 3)], dim=1)
    assert alignment(unit_rows(), wider).item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("same", [torch.zeros(5, 4), torch.ones(5, 4) / 2], ids=["0", "1"])
def test_clips_that_are_all_alike_align_with_none_and_give_no_nan(same):
    x = unit_rows().requires_grad_()
    for pair in ((x, same), (same, x)):
        value = alignment(*pair)
        assert value.item() == 0
        (slope,) = torch.autograd.grad(value, x)
        assert (slope == 0).all()


def training(n_clips=40, *, ragged=False, batch_size=64):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (n_clips, 12, 3)).astype(np.float32)
    if ragged:
        for row, length in enumerate(rng.integers(6, 13, n_clips)):
            X[row, length:] = np.nan
    network = build(Reservoir, ReservoirSizes(n_bands=3, n_units=4, n_layers=1), 0).eval()
    return AlignmentTraining(
        network,
        Sequences.read(X),
        unit_rows(n_clips).numpy(),
        seed=0,
        learning_rate=1e-2,
        batch_size=batch_size,
    )


@pytest.mark.parametrize("ragged", [False, True])
def test_a_step_in_shards_is_that_of_the_whole_batch(monkeypatch, ragged):
    in_shards, whole = training(ragged=ragged), training(ragged=ragged)
    before = [weights.clone() for weights in whole.network.parameters()]
    in_shards.run_epoch(np.arange(40))
    monkeypatch.setattr(batches, "SHARD", 64)
    whole.run_epoch(np.arange(40))
    assert in_shards.loss_curve == pytest.approx(whole.loss_curve, abs=1e-6)
    for first, own, other in zip(
        before, in_shards.network.parameters(), whole.network.parameters(), strict=True
    ):
        assert (own - first).abs().max() > 5e-3  # Adam's first step is the learning rate
        torch.testing.assert_close(own, other, atol=1e-4, rtol=0)


def test_no_batch_is_a_handful_of_clips_that_are_left_over():
    sizes = [len(batch) for batch in training()._batches(np.arange(130))]
    assert sizes == [44, 43, 43]
    assert [len(batch) for batch in training()._batches(np.arange(64))] == [64]


def test_the_best_weights_are_those_of_the_least_validation_loss():
    run = training(batch_size=16)
    for _ in range(6):
        run.run_epoch(np.arange(28))
        run.validate(np.arange(28, 40))
    run.network.load_state_dict(run.best_weights)
    run.validate(np.arange(28, 40))
    assert run.validation_loss_curve[-1] == min(run.validation_loss_curve)
    assert run.loss_curve[-1] < run.loss_curve[0]


@pytest.mark.parametrize(
    ("losses", "flat"),
    [
        ([1.0, 0.9], False),  # nothing before the last two
        ([1.0, 0.9, 0.995], False),
        ([1.0, 0.995, 0.992], True),
        ([1.0, 0.9, 0.95, 0.895], True),
        ([1.0, 0.9, 0.95, 0.89], False),
    ],
)
def test_a_loss_is_flat_that_does_not_fall_by_a_hundredth(losses, flat):
    run = training()
    run.loss_curve[:] = losses
    assert run.is_flat(2) is flat


def test_a_training_that_diverges_says_so():
    run = training()
    run.learning_rate = float("inf")
    for group in run.optimizer.param_groups:
        group["lr"] = float("inf")
    run.run_epoch(np.arange(40))
    with pytest.raises(FloatingPointError, match=r"loss of epoch 1 is nan\. Lower learning_rate="):
        run.run_epoch(np.arange(40))
