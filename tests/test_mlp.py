"""The paper's perceptron: torch's own modules, a known answer, the rules of scikit-learn."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import skaudeep
from skaudeep import DropoutMLPClassifier
from skaudeep.mlp import check_layers
from skaudeep.persistence.serialize import Deserializer, Serializer


@parametrize_with_checks(
    [DropoutMLPClassifier((20,), max_epochs=40, learning_rate=0.03, random_state=0)]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def quadrants(n_clips=120, n_features=2):
    """Return points whose class is the sign of the product of their first two coordinates."""
    X = np.random.default_rng(0).uniform(-1, 1, size=(n_clips, n_features)).astype(np.float32)
    return X, np.where(X[:, 0] * X[:, 1] > 0, "same", "other")


SMALL = DropoutMLPClassifier((8, 6), max_epochs=5, learning_rate=0.01, random_state=3)


@pytest.fixture(scope="module")
def fitted():
    return clone(SMALL).fit(*quadrants())


def by_hand(classifier, X, y):
    """Train the network that the paper describes by torch's own modules, masks drawn in order."""
    classes, numbers = np.unique(y, return_inverse=True)
    seed = int(np.random.RandomState(classifier.random_state).randint(2**31 - 1))
    generator = torch.Generator().manual_seed(seed)
    widths = [X.shape[1], *classifier.hidden_layer_sizes, len(classes)]
    layers = [torch.nn.Linear(n, m) for n, m in pairwise(widths)]
    for layer in layers:
        weights = torch.empty(layer.weight.T.shape)
        torch.nn.init.xavier_uniform_(weights, generator=generator)
        layer.weight.data = weights.T
        layer.bias.data.zero_()
    optimizer = torch.optim.Adam(
        [p for layer in layers for p in layer.parameters()], lr=classifier.learning_rate
    )
    losses = []
    for _ in range(classifier.max_epochs):
        x = torch.from_numpy(X)
        for layer in layers[:-1]:
            x = torch.nn.functional.relu(layer(x))
            if classifier.dropout:
                kept = torch.empty(x.shape).bernoulli_(1 - classifier.dropout, generator=generator)
                x = x * kept / (1 - classifier.dropout)
        loss = torch.nn.CrossEntropyLoss()(layers[-1](x), torch.from_numpy(numbers))
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        x = torch.from_numpy(X)
        for layer in layers[:-1]:
            x = layer(x).relu()
        return losses, layers[-1](x).softmax(1).numpy()


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_it_is_the_network_that_plain_torch_modules_train(dropout):
    X, y = quadrants(n_features=3)
    classifier = clone(SMALL).set_params(dropout=dropout, max_epochs=20).fit(X, y)
    losses, probabilities = by_hand(classifier, X, y)
    assert_allclose(classifier.loss_curve_, losses, rtol=1e-5)
    assert_allclose(classifier.predict_proba(X), probabilities, atol=1e-5)


def test_the_papers_perceptron_tells_apart_what_no_line_can():
    X, y = quadrants(400)
    perceptron = make_pipeline(StandardScaler(), DropoutMLPClassifier(random_state=0))
    assert perceptron.fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.9
    line = make_pipeline(StandardScaler(), DropoutMLPClassifier((), max_epochs=50, random_state=0))
    assert line.fit(X[:200], y[:200]).score(X[200:], y[200:]) < 0.7


def test_without_dropout_it_learns_as_well_as_that_of_scikit_learn():
    X, y = quadrants(400, n_features=6)
    ours = DropoutMLPClassifier((20,), dropout=0.0, max_epochs=100, learning_rate=0.02)
    theirs = MLPClassifier(
        (20,),
        alpha=0.0,
        batch_size=200,
        max_iter=100,
        n_iter_no_change=100,
        learning_rate_init=0.02,
    )
    with pytest.warns(match="Maximum iterations"):
        theirs.set_params(random_state=0).fit(X[:200], y[:200])
    ours.set_params(random_state=0).fit(X[:200], y[:200])
    assert ours.score(X[200:], y[200:]) > theirs.score(X[200:], y[200:]) - 0.05


def test_dropout_holds_the_loss_of_the_training_clips_up_but_not_in_predictions():
    X, y = quadrants()
    with_dropout = clone(SMALL).set_params(dropout=0.8, max_epochs=60).fit(X, y)
    without = clone(SMALL).set_params(dropout=0.0, max_epochs=60).fit(X, y)
    assert with_dropout.loss_curve_[-1] > without.loss_curve_[-1]
    assert_array_equal(with_dropout.predict_proba(X), with_dropout.predict_proba(X))


def test_the_same_seed_gives_the_same_bits_and_another_one_others(fitted):
    X, y = quadrants()
    again = clone(SMALL).fit(X, y)
    assert_array_equal(again.coefs_[0], fitted.coefs_[0])
    assert again.loss_curve_ == fitted.loss_curve_
    other = clone(SMALL).set_params(random_state=4).fit(X, y)
    assert other.loss_curve_ != fitted.loss_curve_


def test_fit_leaves_generators_threads_and_defaults_of_torch_as_they_were():
    X, y = quadrants()
    np.random.seed(5)
    numpy_before = np.random.get_state()[1].copy()
    torch_before = torch.random.get_rng_state()
    threads = torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            classifier = clone(SMALL).fit(X, y)
            assert not torch.is_grad_enabled()
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert classifier.coefs_[0].dtype == np.float32
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), torch_before)
    assert_array_equal(np.random.get_state()[1], numpy_before)


def test_read_only_features_are_neither_refused_nor_changed(fitted):
    X, y = quadrants()
    X.flags.writeable = False
    assert clone(SMALL).fit(X, y).loss_curve_ == fitted.loss_curve_


def test_of_features_that_are_not_scaled_a_diverging_training_is_an_error():
    X, y = quadrants()
    with pytest.raises(FloatingPointError, match="Standardise the features"):
        clone(SMALL).set_params(learning_rate=1e30).fit(X, y)


@pytest.mark.parametrize("sizes", [(8, 0), (8, 1.5), 8, "ab"])
def test_sizes_of_layers_that_are_no_counts_are_refused(sizes):
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        clone(SMALL).set_params(hidden_layer_sizes=sizes).fit(*quadrants())


def test_a_single_class_is_refused():
    with pytest.raises(ValueError, match="clips of 1 class, 'same'"):
        clone(SMALL).fit(quadrants()[0], np.full(120, "same"))


def test_a_pickle_and_a_saved_one_predict_the_same_bits(fitted, tmp_path):
    X, _ = quadrants()
    expected = fitted.predict_proba(X)
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), expected)
    skaudeep.save(make_pipeline(StandardScaler(with_mean=False), fitted), tmp_path / "m.skaudeep")
    again = skaudeep.load(tmp_path / "m.skaudeep")[-1]
    assert_array_equal(again.predict_proba(X), expected)
    assert again.predict(X).tolist() == fitted.predict(X).tolist()
    assert again.loss_curve_ == fitted.loss_curve_


def test_one_that_is_not_fitted_is_saved_as_such(tmp_path):
    skaudeep.save(SMALL, tmp_path / "m.skaudeep")
    again = skaudeep.load(tmp_path / "m.skaudeep")
    assert again.get_params() == SMALL.get_params()
    assert not hasattr(again, "coefs_")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("coefs_", None, "units"),
        ("coefs_", [np.zeros((2, 8), np.float32)], "units"),
        ("intercepts_", [np.zeros(n) for n in (8, 6, 2)], "units"),  # float64
        ("n_features_in_", 3, "units"),
        ("classes_", np.array(["a", "b", "c"]), "units"),
        ("classes_", None, "classes_"),
        ("loss_curve_", ["low"], "loss_curve_"),
        ("intercepts_", [np.full(n, np.nan, np.float32) for n in (8, 6, 2)], "NaN"),
    ],
)
def test_a_file_whose_layers_contradict_each_other_is_refused(fitted, name, value, message):
    packer = Serializer()
    tree = packer.encode(fitted, "it")
    broken = pickle.loads(pickle.dumps(fitted))
    setattr(broken, name, value)
    with pytest.raises(ValueError, match=message):
        check_layers(broken)
    tree["estimator"][2][name] = Serializer.encode(packer, value, "it")
    with pytest.raises(ValueError, match=message):
        Deserializer(packer.arrays, packer.steps).decode(tree)
