"""Values as trees and back; damaged trees and whole models are in test_persistence."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import StandardScaler

from skaudeep import Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.persistence.serialize import Deserializer, Serializer


def packed(value):
    packer = Serializer()
    return packer.encode(value, "it"), packer


@pytest.mark.parametrize(
    ("value", "tree"),
    [
        (None, None),
        (3, 3),
        (0.5, 0.5),
        (-math.inf, {"float": "-inf"}),
        ([1, "a"], [1, "a"]),
        ((1, [2]), {"tuple": [1, [2]]}),
        ({2: (3,)}, {"dict": [[2, {"tuple": [3]}]]}),
        (np.array(["a", "bc"]), {"strings": [[2], ["a", "bc"]]}),
    ],
    ids=repr,
)
def test_the_serializer_writes_plain_values_as_json_and_the_deserializer_reads_them(value, tree):
    found, packer = packed(value)
    assert found == tree
    assert not packer.arrays
    back = Deserializer({}, []).decode(tree)
    assert type(back) is type(value)
    np.testing.assert_equal(back, value)


def test_the_serializer_keeps_arrays_outside_the_tree_in_native_byte_order():
    tree, packer = packed([np.arange(3, dtype=">i4"), torch.ones(2)])
    assert tree == [{"array": "0"}, {"tensor": {"array": "1"}}]
    assert [array.dtype for array in packer.arrays.values()] == [np.int32, np.float32]
    first, second = Deserializer(packer.arrays, []).decode(tree)
    assert first.tolist() == [0, 1, 2]
    assert torch.equal(second, torch.ones(2))


def test_the_serializer_writes_an_estimator_as_name_parameters_and_learned_attributes():
    extractor = SpectrogramExtractor(n_mels=4)
    extractor.common_ = StandardScaler().fit([[1.0], [3.0]])
    extractor.rare_ = SGDClassifier().fit([[1.0], [3.0]], [0, 1])
    tree, packer = packed(extractor)
    name, parameters, learned = tree["estimator"]
    assert name == "SpectrogramExtractor"
    assert parameters["n_mels"] == 4
    name, parameters, numbers = learned["common_"]["estimator"]
    assert name == "StandardScaler"
    assert parameters == {"copy": True, "with_mean": True, "with_std": True}
    assert packer.arrays[numbers["mean_"]["array"]] == [2]
    assert learned["rare_"] == {"step": 0}  # a step of scikit-learn, in bytes of its own
    assert len(packer.steps) == 1
    back = Deserializer(packer.arrays, packer.steps).decode(tree)
    assert back.common_.mean_.tolist() == [2]
    assert back.rare_.classes_.tolist() == [0, 1]


def test_an_array_lies_in_memory_as_before():
    for array in (np.arange(6.0).reshape(2, 3), np.asfortranarray(np.ones((2, 3, 4)))):
        tree, packer = packed(array)
        back = Deserializer(packer.arrays, []).decode(tree)
        assert back.flags.c_contiguous == array.flags.c_contiguous
        assert back.flags.f_contiguous == array.flags.f_contiguous
        np.testing.assert_array_equal(back, array)


def test_the_serializer_writes_a_network_as_name_sizes_and_weights():
    X = np.zeros((2, 5, 3), np.float32)
    network = Seq2SeqAutoencoder(2, max_epochs=0, random_state=0).fit(X).network_
    tree, packer = packed(network)
    name, sizes, prefix = tree["network"]
    assert name == "TimeAutoencoder"
    assert ["n_bands", 3] in sizes["dict"]
    assert {key.removeprefix(prefix) for key in packer.arrays} == set(network.state_dict())


def test_the_serializer_names_the_place_of_a_value_it_cannot_store():
    with pytest.raises(ValueError, match=r"it\[1\]\['a'\] is a builtins\.set"):
        packed([0, {"a": set()}])


def test_the_deserializer_refuses_arrays_that_the_tree_does_not_use():
    unpacker = Deserializer({"0": np.ones(1), "1": np.ones(1)}, [])
    unpacker.decode({"array": "0"})
    with pytest.raises(ValueError, match="1 parts that belong nowhere, '1' first"):
        unpacker.finish()
    unpacker.decode({"array": "1"})
    unpacker.finish()


# --- small files that would grow or take for ever ------------------------------------------------


def test_one_long_text_among_many_is_refused_before_all_take_its_room():
    texts = ["a" * 10**5, *[""] * 10**5]
    with pytest.raises(ValueError, match="a text of 100000 characters in an array"):
        Deserializer({}, []).decode({"strings": [[len(texts)], texts]})
    with pytest.raises(ValueError, match="a text of 10000 characters in it"):
        packed(np.array(["a" * 10**4, *[""] * 10**4]))
    tree, packer = packed(np.array(["a" * 10**4, *[""] * 10**4], dtype=object))
    assert len(Deserializer(packer.arrays, []).decode(tree)) == 10**4 + 1
    few = np.array(["a" * 10**5, "b", ""])
    tree, packer = packed(few)
    np.testing.assert_array_equal(Deserializer(packer.arrays, []).decode(tree), few)


def test_many_keys_of_one_hash_are_refused():
    same = [(2**61 - 1) * i for i in range(1, 1100)]
    assert len({hash(key) for key in same}) == 1
    for value in (dict.fromkeys(same), dict.fromkeys((key,) for key in same)):
        with pytest.raises(ValueError, match="1099 keys that are neither text nor small integers"):
            packed(value)
    with pytest.raises(ValueError, match="1099 keys that are neither text nor small integers"):
        Deserializer({}, []).decode({"dict": [[key, 0] for key in same]})
    for many in (dict.fromkeys(range(2000), 0), dict.fromkeys(map(str, same), 0)):
        tree, _ = packed(many)
        assert Deserializer({}, []).decode(tree) == many


@pytest.mark.parametrize("value", [[10**9, 1], [2, 1], {"scalar": {"array": "n"}}, 10**9, 2.0])
def test_a_network_of_sizes_that_are_no_integers_is_refused_at_once(value):
    tree, packer = packed(Seq2SeqAutoencoder(3, n_layers=1, max_epochs=0).fit(np.zeros((2, 6, 3))))
    _, _, results = tree["estimator"]
    sizes = dict(results["network_"]["network"][1]["dict"])
    results["network_"]["network"][1]["dict"] = [*(sizes | {"n_layers": value}).items()]
    packer.arrays["n"] = np.array(10**9)
    with pytest.raises(ValueError, match="n_layers"):
        Deserializer(packer.arrays, []).decode(tree)


def test_a_network_over_both_axes_of_an_older_file_has_one_value_for_both():
    X = np.random.default_rng(0).uniform(-1, 1, (3, 5, 4)).astype(np.float32)
    network = Seq2SeqAutoencoder(
        3, axis="frequency-time", band_window=2, band_overlap=1, max_epochs=1, random_state=0
    ).fit(X)
    tree, packer = packed(network)
    sizes = dict(tree["estimator"][2]["network_"]["network"][1]["dict"])
    older = {"bidirectional_encoder": True, "bidirectional_decoder": False, "encoder_noise": 0.0}
    tree["estimator"][2]["network_"]["network"][1]["dict"] = [*(sizes | older).items()]
    found = Deserializer(packer.arrays, packer.steps).decode(tree)
    assert found.network_.sizes == network.network_.sizes
    assert np.array_equal(found.transform(X), network.transform(X))
    assert len(found.partial_fit(X).loss_curve_) == 2


@pytest.mark.parametrize("changes", [{"encoder_noise": (0.1, 0.2)}, {"n_units": True}])
def test_sizes_that_a_network_cannot_have_are_refused(changes):
    X = np.zeros((2, 5, 3), dtype=np.float32)
    tree, packer = packed(Seq2SeqAutoencoder(3, max_epochs=0, random_state=0).fit(X))
    sizes = dict(tree["estimator"][2]["network_"]["network"][1]["dict"])
    encoded = {name: packer.encode(value, "") for name, value in changes.items()}
    tree["estimator"][2]["network_"]["network"][1]["dict"] = [*(sizes | encoded).items()]
    with pytest.raises(ValueError, match=f"holds a network with {next(iter(changes))}="):
        Deserializer(packer.arrays, packer.steps).decode(tree)
