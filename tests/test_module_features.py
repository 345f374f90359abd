"""ModuleFeatures: a network of one's own in place of the reservoir."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skaudeep import ModuleFeatures, ReservoirFeatures


class Smoothing(nn.Module):
    """5 bands to 6 states, each of 5 frames; with dropout, which transform must not apply."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(5, 6, kernel_size=5, padding=2)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return self.dropout(torch.tanh(self.layer(x.permute(1, 2, 0)))).permute(2, 0, 1)


class Returning(nn.Module):
    """Returns what a function makes of its input."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.fixture
def module():
    torch.random.manual_seed(0)
    return Smoothing()


@pytest.fixture(autouse=True)
def generator():
    before = torch.random.get_rng_state()
    yield
    torch.random.set_rng_state(before)


def clips(n_clips=12, n_bands=5, seed=0):
    """Random walks in (-1, 1) of unequal length: (n_clips, 20, n_bands)."""
    X = np.random.default_rng(seed).normal(size=(n_clips, 20, n_bands)).cumsum(axis=1) / 5
    X = np.tanh(X).astype(np.float32)
    for row, clip in enumerate(X):
        clip[20 - row % 7 :] = np.nan if row % 7 else clip[20 - row % 7 :]
    return X


@pytest.mark.parametrize("representation", ["covariance", "components", "states"])
def test_around_a_reservoir_it_gives_the_features_of_the_reservoir(representation):
    X = clips()
    reservoir = ReservoirFeatures(8, representation=representation, random_state=0)
    expected = reservoir.fit(X).transform(X)
    own = ModuleFeatures(reservoir.network_, representation=representation).fit(X)
    np.testing.assert_allclose(own.transform(X), expected, rtol=0, atol=2e-5)
    assert own.get_feature_names_out().tolist() == reservoir.get_feature_names_out().tolist()


def test_features_of_a_clip_are_the_same_alone_and_padded_in_a_batch(module):
    X = clips()
    features = ModuleFeatures(module).fit(X)
    together = features.transform(X)
    for row, clip in enumerate(X):
        alone = clip[~np.isnan(clip[:, 0])][None]
        np.testing.assert_allclose(features.transform(alone)[0], together[row], rtol=0, atol=1e-6)


def test_the_module_never_sees_padding():
    seen = set()

    def remember(x):
        seen.update((len(x), value) for value in x.unique().tolist())
        return x

    X = np.stack([np.full((9, 5), value) for value in (1.0, 2.0, 3.0)])
    X[1, 4:] = np.nan
    ModuleFeatures(Returning(remember)).fit(X).transform(X)
    assert seen == {(9, 1.0), (4, 2.0), (9, 3.0)}


def test_a_row_without_frames_gives_nan_and_is_not_fitted_to(module):
    X = clips()
    empty = np.concatenate([X, np.full_like(X[:1], np.nan)])
    features = ModuleFeatures(module).fit(empty)
    found = features.transform(empty)
    assert np.isnan(found[-1]).all()
    np.testing.assert_array_equal(found[:-1], ModuleFeatures(module).fit(X).transform(X))


def test_fit_copies_the_module_and_leaves_it_as_it_was(module):
    module.train()
    before = copy.deepcopy(module.state_dict())
    features = ModuleFeatures(module).fit(clips())
    expected = features.transform(clips())
    assert module.training
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    with torch.no_grad():
        module.layer.weight.zero_()
    np.testing.assert_array_equal(features.transform(clips()), expected)


def test_it_is_cloned_pickled_and_searched(module):
    X, y = clips(), np.arange(12) % 2
    features = ModuleFeatures(module, n_components=3).fit(X)
    copied = pickle.loads(pickle.dumps(features))
    np.testing.assert_array_equal(copied.transform(X), features.transform(X))
    np.testing.assert_array_equal(clone(features).fit(X).transform(X), features.transform(X))
    pipeline = make_pipeline(ModuleFeatures(module), StandardScaler(), LogisticRegression())
    search = GridSearchCV(pipeline, {"modulefeatures__n_components": [2, 4]}, cv=2).fit(X, y)
    assert set(search.predict(X)) <= {0, 1}


def test_gradients_flow_through_its_encoder(module):
    features = ModuleFeatures(module).fit(clips())
    x = torch.from_numpy(np.nan_to_num(clips()))
    features.encoder_(x).sum().backward()
    assert features.network_.module.layer.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: (x, x), r"returned a tuple, expected a Tensor of shape \(20, 1, n_states\)"),
        (lambda x: x.mean(dim=0), r"made a tensor of shape \(1, 5\) of one of shape \(20, 1, 5\)"),
        (lambda x: x.transpose(0, 1), r"shape \(1, 20, 5\).*the frames first"),
        (lambda x: x / 0, "made NaN or infinity of finite input"),
    ],
)
def test_a_module_that_gives_no_states_is_refused(function, message):
    with pytest.raises(ValueError, match=message):
        ModuleFeatures(Returning(function)).fit(clips()[:1])


def test_a_module_whose_number_of_states_changes_is_refused():
    growing = Returning(lambda x: x.repeat(1, 1, 1 + (len(x) == 19)))
    with pytest.raises(ValueError, match=r"expected \(19, \d+, 5\)"):
        ModuleFeatures(growing).fit(clips())
