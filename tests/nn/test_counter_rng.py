"""CounterRNG: what a sequence draws is its own, whatever its company; and it looks like chance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from skaudeep.nn.counter_rng import GOLDEN, CounterRNG, _mixed


def test_the_hash_is_splitmix64s():
    """The first numbers of its published C code from seed 1234567."""
    z = torch.arange(1, 4) * GOLDEN + 1234567
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert _mixed(z).numpy().view(np.uint64).tolist() == known


@given(
    seed=st.integers(0, 2**63 - 1),
    rows=st.lists(st.integers(0, 2**31 - 2), min_size=1, max_size=9, unique=True),
    n_frames=st.integers(1, 5),
    longer=st.integers(0, 3),
)
@settings(deadline=None, max_examples=30)
def test_a_row_draws_the_same_alone_and_in_longer_batches(seed, rows, n_frames, longer):
    together = CounterRNG(seed, torch.tensor(rows))
    drawn = [
        together.bits(n_frames + longer, 3),
        together.uniform(n_frames + longer),
        together.frame_rng(n_frames + longer).normal(2).unflatten(0, (-1, len(rows))),
        together.uniform(n_frames + longer),
    ]
    assert not torch.equal(drawn[1], drawn[3])
    for i, row in enumerate(rows):
        alone = CounterRNG(seed, torch.tensor([row]))
        for whole, own in zip(
            drawn,
            [
                alone.bits(n_frames, 3),
                alone.uniform(n_frames),
                alone.frame_rng(n_frames).normal(2)[:, None],
                alone.uniform(n_frames),
            ],
            strict=True,
        ):
            assert torch.equal(whole[:n_frames, i : i + 1], own)


@pytest.mark.parametrize("frames", [False, True])
def test_numbers_are_distributed_as_they_say_within_and_across_rows(frames):
    rng = CounterRNG(0, torch.arange(400))
    if frames:
        rng = CounterRNG(0, torch.arange(20)).frame_rng(20)
    uniform, normal = rng.uniform(300).numpy(), rng.normal(300).numpy()
    for values, name in ((uniform, "uniform"), (normal.T, "norm")):
        assert kstest(values.ravel(), name).pvalue > 1e-3
        assert abs(np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]) < 0.01
        assert abs(np.corrcoef(values[:-1].ravel(), values[1:].ravel())[0, 1]) < 0.01
    assert uniform.min() >= 0
    assert uniform.max() < 1
