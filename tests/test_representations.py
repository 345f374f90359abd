"""Statistics of states, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from skaudeep.representations import StateCovariance, logarithm, moments, state_statistics


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


def positive_definite(n_matrices, size, spread):
    rng = np.random.default_rng(0)
    vectors = np.linalg.qr(rng.normal(size=(n_matrices, size, size)))[0]
    values = np.geomspace(0.03, 0.03 * spread, size)
    matrices = (vectors * values) @ vectors.swapaxes(1, 2)
    return matrices, (vectors * np.log(values)) @ vectors.swapaxes(1, 2)


@pytest.mark.parametrize("spread", [1, 10, 1e3, 1e4])
def test_a_logarithm_is_that_of_the_eigenvalues(spread):
    matrices, expected = positive_definite(5, 64, spread)
    logarithms = logarithm(torch.from_numpy(matrices))
    np.testing.assert_allclose(logarithms, expected, atol=2e-5)
    single = logarithm(torch.from_numpy(matrices).float())
    np.testing.assert_allclose(single, expected, atol=2e-4)


def test_components_are_those_of_a_principal_component_analysis():
    rng = np.random.default_rng(0)
    states = rng.normal(size=(50, 4, 6)) @ rng.normal(size=(6, 6)) + 3
    lengths = [50, 20, 1, 33]
    for i, n in enumerate(lengths):
        states[n:, i] = 0
    covariance = StateCovariance(6)
    covariance.fit(moments(torch.from_numpy(states), torch.tensor(lengths)))
    frames = np.concatenate([states[:n, i] for i, n in enumerate(lengths)])
    analysis = PCA().fit(frames)
    share = analysis.explained_variance_ * (len(frames) - 1) / len(frames)
    scale = 1 / np.sqrt(share + 1e-3 * share[0])
    signs = np.sign(analysis.components_[range(6), np.abs(analysis.components_).argmax(axis=1)])
    expected = (analysis.components_ * (signs * scale)[:, None]).T
    np.testing.assert_allclose(covariance.center, frames.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(covariance.components, expected, atol=1e-5)


def test_states_that_stand_still_have_the_least_covariance():
    covariance = StateCovariance(3)
    features = covariance(torch.full((7, 2, 3), 0.5), torch.tensor([7, 1]))
    expected = np.zeros(6)
    expected[[0, 3, 5]] = np.log(0.03)
    np.testing.assert_allclose(features[:, 3:], [expected, expected], atol=1e-5)
    covariance.fit(moments(torch.full((7, 2, 3), 0.5), None))  # no component has any variance
    assert torch.isfinite(covariance(torch.full((7, 2, 3), 0.5), None)).all()


def test_gradients_reach_the_states_through_the_covariance():
    states = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    covariance = StateCovariance(3).double()
    assert torch.autograd.gradcheck(
        lambda x: covariance(x, torch.tensor([5, 3])).double(), states, atol=1e-3, eps=1e-3
    )
