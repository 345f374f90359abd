"""scikit-learn's steps as bytes and back; harmful ones in a model are in test_persistence."""

import io
import json
import re
import stat
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.cluster import OPTICS, AgglomerativeClustering, FeatureAgglomeration
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
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


def with_memory(folder):
    """Make steps of scikit-learn that load pickles from a folder, inside of others."""
    inner = make_pipeline(StandardScaler(), memory=folder)
    return [
        ColumnTransformer([("a", inner, [0, 1])]),
        VotingClassifier([("a", make_pipeline(LinearSVC(), memory=folder))]).fit(X, Y),
        AgglomerativeClustering(2, memory=folder).fit(X),
        OPTICS(memory=folder),
    ]


def memories(data):
    schema = zipfile.ZipFile(io.BytesIO(data)).read("schema.json").decode()
    return schema.count("cache-of-somebody")


def test_steps_are_stored_without_the_folders_that_pickles_are_loaded_from(tmp_path):
    folder = str(tmp_path / "cache-of-somebody")
    for step in with_memory(folder):
        data = dump_step(step)
        assert memories(data) == 0
        assert "cache-of-somebody" not in repr(vars(load_step(data)))
    columns, voting, *_ = with_memory(folder)
    assert load_step(dump_step(columns)).transformers[0][1].memory is None
    assert columns.transformers[0][1].memory == folder  # the given one keeps it
    loaded = load_step(dump_step(voting))
    assert loaded.estimators_[0].memory is None
    np.testing.assert_array_equal(loaded.predict(X), voting.predict(X))


def test_steps_that_would_load_pickles_from_a_folder_are_refused(tmp_path):
    folder = str(tmp_path / "cache-of-somebody")
    for step in [*with_memory(folder), FeatureAgglomeration(2, memory=folder)]:
        data = skops.io.dumps(step)
        assert memories(data)
        with pytest.raises(ValueError, match="with memory=, a folder that pickles are loaded from"):
            load_step(data)


def test_a_step_whose_attributes_are_hidden_in_json_is_refused():
    step = archive_of(make_pipeline(StandardScaler()))
    hidden = {"steps": [], "memory": "/cache-of-somebody", "verbose": False}
    step["content"] = {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(hidden),
    }
    with pytest.raises(ValueError, match="Pipeline with attributes in no dictionary"):
        load_step(archive(("schema.json", json.dumps(step).encode())))


def archive_of(step):
    return json.loads(zipfile.ZipFile(io.BytesIO(skops.io.dumps(step))).read("schema.json"))


def test_a_word_memory_among_the_keys_of_a_dictionary_is_kept():
    step = LinearSVC(class_weight={"memory": 2.0, "other": 1.0})
    assert load_step(dump_step(step)).class_weight == {"memory": 2.0, "other": 1.0}


def test_a_step_with_many_keys_of_one_hash_is_refused():
    step = LinearSVC(class_weight={(2**61 - 1) * i: 1.0 for i in range(1, 1100)})
    with pytest.raises(ValueError, match="1099 keys that are neither text nor small integers"):
        load_step(skops.io.dumps(step))
    many = LinearSVC(class_weight=dict.fromkeys(range(1100), 1.0))
    assert load_step(dump_step(many)).class_weight == many.class_weight
