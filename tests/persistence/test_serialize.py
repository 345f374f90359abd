"""Values as trees and back; damaged trees and whole models are in test_persistence."""

import math

import numpy as np
import pytest
import torch
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
    scaler = StandardScaler().fit([[1.0], [3.0]])
    extractor = SpectrogramExtractor(n_mels=4)
    extractor.found_ = scaler
    tree, packer = packed(extractor)
    name, parameters, learned = tree["estimator"]
    assert name == "SpectrogramExtractor"
    assert parameters["n_mels"] == 4
    assert learned["found_"] == {"step": 0}  # a step of scikit-learn, in bytes of its own
    assert len(packer.steps) == 1
    assert Deserializer(packer.arrays, packer.steps).decode(tree).found_.mean_.tolist() == [2]


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
