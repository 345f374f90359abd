"""Data sets stay Bunches when they are joined with dicts or copied."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.utils import Bunch

from skaudeep.datasets import make_bunch, select


@pytest.fixture
def birds():
    return make_bunch(np.eye(2), ["a.wav", "b.wav"], target=[0, 1], target_names=["crow", "owl"])


def test_a_union_with_a_dict_is_a_data_set_whose_right_side_wins(birds):
    both = birds | {"target": [1, 1], "site": "lake"}
    assert isinstance(both, Bunch)
    assert (both.target, both.site) == ([1, 1], "lake")
    assert birds.target.tolist() == [0, 1]
    assert "site" not in birds
    other = {"target": [1, 1], "site": "lake"} | birds
    assert isinstance(other, Bunch)
    assert (other.target.tolist(), other.site) == ([0, 1], "lake")
    assert isinstance(select(both, [0]) | {"x": 1} | {"y": 2}, Bunch)
    with pytest.raises(TypeError, match="unsupported operand"):
        birds | [1]


@pytest.mark.parametrize(
    "copied",
    [lambda b: b.copy(), copy.copy, copy.deepcopy, lambda b: pickle.loads(pickle.dumps(b))],
)
def test_a_copy_is_a_data_set_of_its_own(birds, copied):
    other = copied(birds)
    assert isinstance(other, Bunch)
    assert list(other) == list(birds)
    other.target = [1, 1]
    assert birds.target.tolist() == [0, 1]
    assert isinstance(other | {}, Bunch)
