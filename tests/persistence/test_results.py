"""Results of fit in a file: those that lack or contradict each other are refused."""

import numpy as np
import pytest

from skaudeep import ReservoirFeatures, Seq2SeqAutoencoder
from skaudeep.persistence.serialize import Deserializer, Serializer


def packed(value):
    packer = Serializer()
    return packer.encode(value, "it"), packer


X = np.random.default_rng(0).uniform(-1, 1, (8, 6, 3)).astype(np.float32)
FITTED = {
    "autoencoder": lambda: Seq2SeqAutoencoder(
        3, n_layers=1, max_epochs=1, warm_start=True, random_state=0
    ).fit(X),
    "reservoir": lambda: ReservoirFeatures(3, n_layers=1, random_state=0).fit(X),
}


def with_results(name, change):
    """Return a fitted estimator with other results, and the tree of a file that holds them."""
    estimator = FITTED[name]()
    tree, packer = packed(estimator)
    change(vars(estimator))
    changed = Serializer()
    changed.arrays = {f"x{key}": array for key, array in packer.arrays.items()}
    _, params, _ = tree["estimator"]
    learned = {key: value for key, value in vars(estimator).items() if key.endswith("_")}
    results = {key: changed.encode(value, key) for key, value in learned.items()}
    return estimator, {"estimator": [type(estimator).__name__, params, results]}, changed


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("autoencoder", {"n_features_in_": 4}, "n_features_in_=4, but its network reads 3 bands"),
        ("autoencoder", {"n_features_in_": 10**6}, "its network reads 3 bands"),
        ("autoencoder", {"n_features_in_": "3"}, "its network reads 3 bands"),
        ("autoencoder", {"n_frames_": 0}, "n_frames_=0, expected an integer of at least 1"),
        ("autoencoder", {"n_frames_": 5.5}, r"n_frames_=5\.5"),
        ("autoencoder", {"seed_": -1}, "seed_=-1"),
        ("autoencoder", {"moments_": {"0.step": np.zeros(3)}}, "moments of the optimiser"),
        ("autoencoder", {"moments_": [1.0]}, "moments of the optimiser"),
        ("autoencoder", {"loss_curve_": "falling"}, "loss_curve_ is no list of numbers"),
        ("reservoir", {"n_features_in_": 2}, "n_features_in_=2, but its network reads 3 bands"),
    ],
)
def test_results_that_contradict_the_network_are_neither_saved_nor_loaded(name, change, message):
    estimator, tree, packer = with_results(name, lambda results: results.update(change))
    with pytest.raises(ValueError, match=message):
        packed(estimator)
    with pytest.raises(ValueError, match=message):
        Deserializer(packer.arrays, packer.steps).decode(tree)


@pytest.mark.parametrize("name", FITTED)
def test_a_half_fitted_estimator_is_neither_saved_nor_loaded(name):
    for missing in ("network_", "seed_", "n_features_in_"):
        estimator, tree, packer = with_results(name, lambda results: results.pop(missing))  # noqa: B023
        with pytest.raises(ValueError, match=f"without {missing}, so that its fit has not ended"):
            packed(estimator)
        with pytest.raises(ValueError, match=f"without {missing}, so that its fit has not ended"):
            Deserializer(packer.arrays, packer.steps).decode(tree)


@pytest.mark.parametrize(("name", "other"), [("autoencoder", "reservoir"), list(FITTED)[::-1]])
def test_a_network_of_another_estimator_is_refused(name, other):
    network = FITTED[other]().network_
    estimator, tree, packer = with_results(name, lambda results: results.update(network_=network))
    with pytest.raises(ValueError, match=f"with a network_ of {type(network).__name__}"):
        packed(estimator)
    with pytest.raises(ValueError, match=f"with a network_ of {type(network).__name__}"):
        Deserializer(packer.arrays, packer.steps).decode(tree)
