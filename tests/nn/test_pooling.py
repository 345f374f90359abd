"""Statistics of states, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from skaudeep.nn.pooling import (
    StateCovariance,
    logarithm,
    logarithm_by_eigenvalues,
    moments,
    state_statistics,
)


def test_state_statistics_are_numpys_over_true_steps():
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


def test_state_statistics_have_finite_gradients_for_constant_states():
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
def test_logarithms_have_the_logarithms_of_the_eigenvalues(spread):
    matrices, expected = positive_definite(5, 64, spread)
    logarithms = logarithm(torch.from_numpy(matrices))
    np.testing.assert_allclose(logarithms, expected, atol=2e-5)
    single = logarithm(torch.from_numpy(matrices).float())
    np.testing.assert_allclose(single, expected, atol=2e-4)
    by_lapack = logarithm_by_eigenvalues(torch.from_numpy(matrices))
    np.testing.assert_allclose(by_lapack, expected, atol=1e-10)


def test_gradient_of_logarithm_by_eigenvalues_is_that_of_the_products():
    rng = np.random.default_rng(0)
    factors = torch.from_numpy(rng.normal(size=(3, 6, 6)))
    matrices = factors @ factors.mT / 6 + 0.03 * torch.eye(6)
    matrices[1] = torch.eye(6)  # all eigenvalues are equal
    matrices[2] = torch.diag(torch.tensor([1.0, 1.0, 1 + 1e-12, 2.0, 2.0, 50.0]))
    weights = torch.from_numpy(rng.normal(size=(3, 6, 6)))
    gradients = []
    for function in (logarithm, logarithm_by_eigenvalues):
        x = matrices.clone().requires_grad_()
        (function((x + x.mT) / 2) * weights).sum().backward()
        gradients.append(x.grad.numpy())
    np.testing.assert_allclose(gradients[1], gradients[0], atol=2e-4)


def test_features_have_the_same_value_with_and_without_gradients():
    states = torch.from_numpy(np.random.default_rng(0).normal(size=(9, 2, 5)).astype(np.float32))
    covariance = StateCovariance(5)
    expected = covariance(states, None)
    found = covariance(states.requires_grad_(), None)
    assert found.requires_grad
    np.testing.assert_allclose(found.detach(), expected, atol=1e-5)


def test_logarithm_by_eigenvalues_is_nan_where_its_matrix_is_not_finite():
    matrices, expected = positive_definite(4, 8, 10)
    matrices[1, 2, 3], matrices[2, 0, 0] = np.nan, np.inf
    logarithms = logarithm_by_eigenvalues(torch.from_numpy(matrices))
    assert logarithms[[1, 2]].isnan().all()
    np.testing.assert_allclose(logarithms[[0, 3]], expected[[0, 3]], atol=1e-10)


def test_logarithm_by_eigenvalues_is_finite_for_a_matrix_that_rounds_to_a_singular_one():
    matrix = torch.full((1, 64, 64), 1e9, dtype=torch.float64) + 1e-12 * torch.eye(64)
    assert logarithm_by_eigenvalues(matrix).isfinite().all()


@pytest.mark.parametrize("padded", [False, True])
def test_state_covariance_without_gradients_is_that_with_gradients(padded):
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(300, 70, 40, generator=generator).cumsum(dim=0) / 10
    lengths = torch.randint(1, 301, (70,), generator=generator) if padded else None
    if padded:
        states = states * (torch.arange(300)[:, None] < lengths)[:, :, None]
    covariance = StateCovariance(40)
    with_gradients = covariance(states.requires_grad_(), lengths)
    assert with_gradients.requires_grad
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            features = covariance(states, lengths)
        assert not features.requires_grad
        torch.testing.assert_close(features, with_gradients.detach(), atol=1e-5, rtol=1e-5)


def test_state_covariance_has_the_same_bits_on_any_number_of_threads():
    states = torch.randn(200, 23, 40, generator=torch.Generator().manual_seed(0))
    covariance, before, found = StateCovariance(40), torch.get_num_threads(), []
    try:
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            found.append(covariance(states, None))
            assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_state_covariance_of_nan_is_nan_for_that_sequence_alone():
    states = torch.randn(9, 3, 4, generator=torch.Generator().manual_seed(0))
    clean = StateCovariance(4)(states, None)
    states[2, 1, 0] = torch.nan
    features = StateCovariance(4)(states, None)
    assert features[1, 4:14].isnan().all()
    torch.testing.assert_close(features[[0, 2]], clean[[0, 2]])


def test_state_covariance_has_the_components_of_a_principal_component_analysis():
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


def test_state_covariance_of_constant_states_is_the_ridge_alone():
    covariance = StateCovariance(3)
    features = covariance(torch.full((7, 2, 3), 0.5), torch.tensor([7, 1]))
    expected = np.zeros(6)
    expected[[0, 3, 5]] = np.log(0.03)
    np.testing.assert_allclose(features[:, 3:9], [expected, expected], atol=1e-5)
    covariance.fit(moments(torch.full((7, 2, 3), 0.5), None))  # no component has any variance
    assert torch.isfinite(covariance(torch.full((7, 2, 3), 0.5), None)).all()


def test_state_covariance_has_a_ridge_regression_on_the_components_four_steps_before():
    rng = np.random.default_rng(0)
    states = rng.normal(size=(40, 3, 25)).cumsum(axis=0)
    lengths = [40, 9, 4]  # the last is too short for a regression
    for i, n in enumerate(lengths):
        states[n:, i] = 0
    covariance = StateCovariance(25)
    features = covariance(torch.from_numpy(states), torch.tensor(lengths))
    names = covariance.feature_names()
    assert len(names) == len(set(names)) == covariance.n_features == features.shape[1]
    where = {name: i for i, name in enumerate(names)}
    rows = [[f"transition_{i}_{j}" for j in range(20)] for i in range(20)]
    at = np.vectorize(where.get)([*rows, [f"intercept_{j}" for j in range(20)]])  # (21, 20)
    for i, n in enumerate(lengths[:2]):
        x = states[:n, i, :20]  # before `fit`, components are the first states
        teacher = np.column_stack([x[:-4], np.ones(n - 4)])
        ridge = Ridge(alpha=0.3 * (n - 4), fit_intercept=False).fit(teacher, x[4:])
        np.testing.assert_allclose(features[i, at], ridge.coef_.T, atol=1e-5)
        alone = covariance(torch.from_numpy(states[:n, i : i + 1]), None)
        np.testing.assert_allclose(features[i], alone[0], atol=1e-6)
    assert (features[2, at] == 0).all()


def test_state_covariance_depends_on_the_order_of_steps_in_the_transition_alone():
    states = torch.randn(30, 1, 3, generator=torch.Generator().manual_seed(0)).cumsum(dim=0)
    covariance = StateCovariance(3)
    there, back = covariance(states, None), covariance(states.flip(0), None)
    np.testing.assert_allclose(there[:, :9], back[:, :9], atol=1e-5)
    assert (there[:, 9:] - back[:, 9:]).abs().max() > 0.1


def test_state_covariance_has_the_gradients_of_finite_differences():
    states = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    covariance = StateCovariance(3).double()
    assert torch.autograd.gradcheck(
        lambda x: covariance(x, torch.tensor([5, 3])).double(), states, atol=1e-3, eps=1e-3
    )
