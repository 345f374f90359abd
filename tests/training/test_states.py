"""`States`: what a network computes for each row is kept, in memory or in a file."""

import pickle

import numpy as np
import pytest
import torch

from skaudeep.nn.pooling import StateCovariance
from skaudeep.nn.reservoir import Reservoir, ReservoirSizes
from skaudeep.training import states as module
from skaudeep.training.batches import Sequences
from skaudeep.training.components import fit_components
from skaudeep.training.states import States

N_BANDS = 3


@pytest.fixture
def network():
    network = Reservoir(ReservoirSizes(n_bands=N_BANDS, n_units=4, n_components=5))
    network.draw_weights(torch.Generator().manual_seed(0))
    return network.eval()


@pytest.fixture
def X():
    X = np.random.default_rng(0).uniform(-1, 1, (11, 30, N_BANDS)).astype(np.float32)
    X[0, 7:] = X[4, 20:] = X[5] = np.nan
    return X


def _states(network, X):
    return States.of(network, Sequences.read(X), batch_size=3)


def test_states_are_those_of_each_row_run_alone(network, X):
    states = _states(network, X)
    assert states.lengths.tolist() == [7, *[30] * 3, 20, 0, *[30] * 5]
    for row in (0, 3, 4):
        n = states.lengths[row]
        alone = network(torch.from_numpy(X[row, :n, None]))[:, 0]
        np.testing.assert_allclose(states._values.read(row), alone.detach(), atol=1e-6)


def test_moments_of_training_rows_are_exact_though_those_of_the_others_are_taken_away(network, X):
    train = [0, 1, 2, 3, 5, 6, 7, 9, 10]
    states = _states(network, X)
    _ = states.moments
    summed = []
    part = states[train]
    part._sum_moments = lambda rows: summed.append(rows.tolist()) or States._sum_moments(part, rows)
    by_difference, directly = StateCovariance(8, 5), network.covariance
    part.fit_components(by_difference, seed=0)
    assert summed == [[4, 8]]  # the rows that are left out
    fit_components(network, Sequences.read(X[train]), seed=0, batch_size=4)
    np.testing.assert_allclose(by_difference.center, directly.center, atol=1e-6)
    np.testing.assert_allclose(by_difference.components, directly.components, atol=1e-5)


def test_a_sample_of_many_rows_is_that_which_fit_takes(network, X, monkeypatch):
    monkeypatch.setattr("skaudeep.training.components.COMPONENT_ROWS", 4)
    covariance = StateCovariance(8, 5)
    _states(network, X).fit_components(covariance, seed=3)
    fit_components(network, Sequences.read(X), seed=3, batch_size=4)
    np.testing.assert_allclose(covariance.components, network.covariance.components, atol=1e-5)


def test_features_are_those_of_the_network_and_nan_where_a_row_is_padding(network, X):
    features = _states(network, X).pool(network.covariance)
    assert np.isnan(features[5]).all()
    assert np.isfinite(np.delete(features, 5, axis=0)).all()
    lengths = torch.from_numpy(np.array([7, 30]))
    x = torch.from_numpy(np.nan_to_num(X[:2]).swapaxes(0, 1).copy())
    with torch.no_grad():
        expected = network.pool(x, lengths)
    np.testing.assert_allclose(features[:2], expected, atol=1e-6)


def test_states_in_a_file_are_those_in_memory_also_in_another_process(network, X, monkeypatch):
    in_memory = _states(network, X)
    monkeypatch.setattr(module, "MEMORY_BYTES", 0)
    in_file = _states(network, X)
    assert in_file._values._file is not None
    for states in (in_file, pickle.loads(pickle.dumps(in_file))):
        np.testing.assert_array_equal(
            states[[3, 0]].pool(network.covariance), in_memory.pool(network.covariance)[[3, 0]]
        )


def test_states_that_have_no_room_are_not_kept(network, X, monkeypatch):
    monkeypatch.setattr(module, "MEMORY_BYTES", 0)
    monkeypatch.setattr(module, "_free_bytes", lambda: 1000)
    assert _states(network, X) is None


def test_chunks_stay_in_the_row_of_their_clip(network, X):
    chunks = np.stack([X[:5], X[6:]], axis=1)  # (n_clips, n_chunks, n_frames, n_bands)
    features = _states(network, chunks)[[1, 3]].pool(network.covariance)
    assert features.shape[:2] == (2, 2)
    alone = _states(network, X).pool(network.covariance)
    np.testing.assert_allclose(features[1, 1], alone[9], atol=1e-6)


def test_batches_of_like_length_hold_little_padding():
    lengths = np.exp(np.random.default_rng(0).uniform(np.log(100), np.log(2600), 512)).astype(int)
    rows = [np.zeros((length, 1), dtype=np.float32) for length in lengths]
    batches = Sequences.read(rows).like_batches(64, torch.device("cpu"))
    computed = sum(x.shape[0] * x.shape[1] for _, x, _ in batches)
    assert computed < 1.1 * lengths.sum()
