"""Statistics of states, against numpy."""

from __future__ import annotations

import numpy as np
import torch

from skaudeep.representations import state_statistics


def test_statistics_are_numpys_over_true_steps():
    rng = np.random.default_rng(0)
    states = [rng.normal(size=(9, 3, 4)).astype(np.float32) for _ in range(2)]
    lengths = [9, 4, 1]
    for layer in states:
        for i, n in enumerate(lengths):
            layer[n:, i] = 0
    both = np.concatenate(states, axis=2)
    tensors = [torch.from_numpy(layer) for layer in states]
    padded = state_statistics(tensors, torch.tensor(lengths))
    for i, n in enumerate(lengths):
        x = both[:n, i]
        change = np.abs(np.diff(x, axis=0)).mean(0) if n > 1 else np.zeros(8)
        expected = np.concatenate([x.mean(0), x.std(0), x.max(0), change])
        np.testing.assert_allclose(padded[i], expected, atol=2e-6)
        alone = state_statistics([layer[:n, i : i + 1] for layer in tensors], None)
        np.testing.assert_allclose(alone[0], expected, atol=2e-6)


def test_gradients_stay_finite_where_states_stand_still():
    states = torch.zeros(3, 2, 4, requires_grad=True)
    state_statistics([states], torch.tensor([3, 1])).sum().backward()
    assert torch.isfinite(states.grad).all()
