"""Networks of users in files: their weights are stored, their code is handed over."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from torch import nn

from skaudeep import ModuleFeatures, ReservoirFeatures, load, save
from skaudeep.persistence import PersistenceError

X = np.sin(np.arange(6 * 20 * 3).reshape(6, 20, 3)).astype(np.float32)


class Layer(nn.Module):
    """3 bands to states."""

    def __init__(self, n_states, value=0.1):
        super().__init__()
        self.layer = nn.Linear(3, n_states)
        nn.init.uniform_(self.layer.weight, -value, value, torch.Generator().manual_seed(1))
        nn.init.zeros_(self.layer.bias)
        self.register_buffer("n_calls", torch.tensor(3))

    def forward(self, x):
        return torch.tanh(self.layer(x))


class Other(Layer):
    """Of another class, with the same weights."""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.skaudeep"
    save(make_pipeline(ModuleFeatures(Layer(4)).fit(X)), path)
    return path


def test_weights_of_the_file_are_put_into_a_copy_of_the_module_handed_over(path):
    expected = ModuleFeatures(Layer(4)).fit(X).transform(X)
    own = Layer(4, value=0.5)
    loaded = load(path, modules=[Layer(7), own])
    np.testing.assert_array_equal(loaded.transform(X), expected)
    assert own.layer.weight.abs().max() > 0.1
    again = loaded[0].fit(X).transform(X)  # its parameter has the stored weights, too
    np.testing.assert_array_equal(again, expected)


def test_one_that_is_not_fitted_is_stored(tmp_path):
    save(ModuleFeatures(Layer(4)), tmp_path / "new.skaudeep")
    loaded = load(tmp_path / "new.skaudeep", modules=[Layer(4, value=0.5)])
    expected = ModuleFeatures(Layer(4)).fit_transform(X)
    np.testing.assert_array_equal(loaded.fit_transform(X), expected)


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([], r"holds the weights of a module '.*Layer', whose code.*modules=\[Layer\(\.\.\.\)\]"),
        ([Other(4)], "whose code a file never holds"),
        ([Layer(5)], r"weights 'layer\.bias' are float32 of shape \(4,\), but .* \(5,\)"),
    ],
)
def test_without_a_module_of_its_class_and_sizes_nothing_is_loaded(path, modules, message):
    with pytest.raises(PersistenceError, match=message):
        load(path, modules=modules)


def test_files_without_modules_load_as_before(tmp_path):
    save(ReservoirFeatures(4, random_state=0).fit(X), tmp_path / "reservoir.skaudeep")
    assert isinstance(load(tmp_path / "reservoir.skaudeep", modules=[Layer(4)]), ReservoirFeatures)


def test_weights_that_are_not_finite_are_not_stored(tmp_path):
    broken = ModuleFeatures(Layer(4)).fit(X)
    with torch.no_grad():
        broken.network_.module.layer.bias[0] = torch.nan
    with pytest.raises(PersistenceError, match=r"network_\.module\.layer\.bias holds NaN"):
        save(broken, tmp_path / "broken.skaudeep")
