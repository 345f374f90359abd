"""Principal components of states: of which rows, and that these are what they are said to be."""

import numpy as np
import pytest
import torch

from skaudeep.nn.reservoir import Reservoir, ReservoirSizes
from skaudeep.training import components
from skaudeep.training.batches import Sequences
from skaudeep.training.components import component_rows, fit_components


def make_network():
    network = Reservoir(ReservoirSizes(n_bands=3, n_units=4, n_components=2))
    network.draw_weights(torch.Generator().manual_seed(0))
    return network.eval()


def make_rows(*lengths):
    rng = np.random.default_rng(0)
    return [rng.uniform(-1, 1, (n, 3)).astype(np.float32) for n in lengths]


def test_components_are_the_eigenvectors_of_the_covariance_of_all_true_steps():
    network, rows = make_network(), make_rows(9, 30, 4, 17)
    fit_components(network, Sequences.read(rows), seed=0, batch_size=2)
    with torch.no_grad():
        states = torch.cat([network(torch.from_numpy(row[:, None]))[:, 0] for row in rows])
    states = states.double().numpy()
    np.testing.assert_allclose(network.covariance.center, states.mean(axis=0), atol=1e-6)
    variances, vectors = np.linalg.eigh(np.cov(states.T, bias=True))
    found = network.covariance.components.numpy()
    for place in (0, 1):  # the largest first, as directions
        direction = found[:, place] / np.linalg.norm(found[:, place])
        assert abs(direction @ vectors[:, -1 - place]) == pytest.approx(1, abs=1e-5)
    assert variances[-1] > variances[-2]


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_components_do_not_depend_on_the_order_of_rows_or_batches(batch_size):
    rows = make_rows(9, 30, 4, 17)
    one, other = make_network(), make_network()
    fit_components(one, Sequences.read(rows), seed=0, batch_size=2)
    fit_components(other, Sequences.read(rows[::-1]), seed=0, batch_size=batch_size)
    torch.testing.assert_close(other.covariance.components, one.covariance.components)


def test_a_sample_is_taken_of_many_rows_by_the_seed_alone(monkeypatch):
    monkeypatch.setattr(components, "COMPONENT_ROWS", 5)
    lengths = np.array([3, 0, *[4] * 18])
    chosen = component_rows(lengths, seed=1)
    assert len(chosen) == len(set(chosen)) == 5
    assert 1 not in chosen
    assert (np.diff(chosen) > 0).all()
    assert np.array_equal(chosen, component_rows(lengths, seed=1))
    assert not np.array_equal(chosen, component_rows(lengths, seed=2))
    assert component_rows(lengths[:5], seed=1).tolist() == [0, 2, 3, 4]
