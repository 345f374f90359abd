"""scikit-learn's steps as bytes and back; harmful ones in a model are in test_persistence."""

import io
import re
import stat
import zipfile

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import LinearSVC

from skaudeep.persistence.sklearn_objects import dump_step, is_position, load_step, read_members

X = np.random.default_rng(0).normal(size=(20, 3))
Y = np.arange(20) % 2
NAMES = re.compile(r"[ab]")


def archive(*files, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as written:
        for name, content in files:
            written.writestr(name, content)
    return buffer.getvalue()


def test_a_loaded_step_decides_and_draws_as_the_saved_one():
    step = LinearSVC(C=0.3, random_state=np.random.RandomState(3)).fit(X, Y)
    loaded = load_step(dump_step(step))
    assert loaded.C == 0.3
    np.testing.assert_array_equal(loaded.decision_function(X), step.decision_function(X))
    assert loaded.random_state.randint(10**6) == step.random_state.randint(10**6)


def test_dump_step_refuses_trees_whose_numbers_index_memory():
    with pytest.raises(ValueError, match="Tree"):
        dump_step(RandomForestClassifier(1).fit(X, Y))


def test_load_step_names_foreign_types_and_builds_nothing():
    schema = b'{"protocol": 2, "__loader__": "FunctionNode", "__module__": "os", "__class__": "a"}'
    with pytest.raises(ValueError, match=r"os\.a"):
        load_step(archive(("schema.json", schema)))


def test_read_members_returns_each_member_by_name():
    assert read_members(archive(("a", b"1"), ("b", b"")), NAMES) == {"a": b"1", "b": b""}


def link():
    info = zipfile.ZipInfo("a")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (archive(("c", b"")), "named 'c', which does not belong"),
        (archive((link(), b"/etc/passwd")), "a is a link"),
        (archive(("a", b"0" * 99), compression=zipfile.ZIP_DEFLATED), "a is compressed"),
    ],
    ids=["name", "link", "compressed"],
)
def test_read_members_refuses_foreign_archives(data, message):
    with pytest.raises(ValueError, match=message):
        read_members(data, NAMES)


@pytest.mark.parametrize("value", [-1, 625, 1.0, "1", None, True])
def test_is_position_takes_only_integers_from_0_to_624(value):
    assert not is_position(value)
    assert is_position(0)
