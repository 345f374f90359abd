"""Stored models: what comes back is the same to the bit; what was tampered with is refused."""

import hashlib
import io
import json
import os
import pickle
import re
import stat
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC

import skaudeep
from skaudeep import FeatureFusion, PersistenceError, Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep._files import CHECKSUM_SIZE, append_checksum
from skaudeep._warnings import PACKAGE_FOLDER

SMALL = {"n_units": 3, "n_layers": 1, "max_epochs": 1, "batch_size": 8, "random_state": 0}
RATE = 2000  # Hz


def sequences(n=8):
    X = np.random.default_rng(0).uniform(-1, 1, (n, 6, 2)).astype(np.float32)
    X[1, 4:] = np.nan
    return X


def labels(n=8):
    return np.arange(n) % 2


def clips(n=8):
    return list(np.random.default_rng(1).normal(size=(n, RATE // 4)).astype(np.float32))


def extractor(**parameters):
    return SpectrogramExtractor(n_mels=4, sampling_rate=RATE, **parameters)


def pipeline(classifier=None):
    return make_pipeline(
        Seq2SeqAutoencoder(**SMALL), StandardScaler(), classifier or LinearSVC(random_state=0)
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skaudeep"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Bytes of a fitted pipeline of all kinds of steps: ours, common ones, and one by skops."""
    path = tmp_path_factory.mktemp("stored") / "model.skaudeep"
    skaudeep.save(pipeline(SVC()).fit(sequences(), labels()), path)
    return path.read_bytes()


def through(estimator, path):
    skaudeep.save(estimator, path)
    return skaudeep.load(path)


# --- the way there and back ----------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("both_ways", [False, True])
def test_a_loaded_autoencoder_gives_the_same_bits_and_trains_on_alike(path, cell, both_ways):
    autoencoder = Seq2SeqAutoencoder(
        **SMALL,
        cell=cell,
        bidirectional_encoder=both_ways,
        bidirectional_decoder=both_ways,
        representation="both",
    ).fit(sequences())
    loaded = through(autoencoder, path)
    np.testing.assert_array_equal(loaded.transform(sequences()), autoencoder.transform(sequences()))
    assert loaded.score(sequences()) == autoencoder.score(sequences())
    assert loaded.get_params() == autoencoder.get_params()
    assert loaded.loss_curve_ == autoencoder.loss_curve_
    assert vars(loaded).keys() == vars(autoencoder).keys()
    assert not loaded.network_.training
    assert all(parameter.requires_grad for parameter in loaded.network_.parameters())
    # It goes on like the first: fitted again, both are the same.
    again, expected = loaded.fit(sequences()), autoencoder.fit(sequences())
    np.testing.assert_array_equal(again.transform(sequences()), expected.transform(sequences()))


@pytest.mark.parametrize(
    "classifier",
    [
        LinearSVC(random_state=0),
        SVC(),
        LogisticRegression(),
        SGDClassifier(random_state=0),
        MLPClassifier((3,), solver="adam", max_iter=300, tol=1, n_iter_no_change=1),
        MLPClassifier((3,), solver="sgd", max_iter=300, tol=1, n_iter_no_change=1),
        make_pipeline(PCA(2, random_state=0), QuantileTransformer(n_quantiles=4), Ridge()),
    ],
    ids=lambda step: type(step).__name__,
)
def test_a_loaded_pipeline_with_a_step_of_scikit_learn_predicts_the_same(path, classifier):
    fitted = pipeline(classifier).fit(sequences(), labels())
    loaded = through(fitted, path)
    np.testing.assert_array_equal(loaded.predict(sequences()), fitted.predict(sequences()))


def test_a_loaded_search_around_fusion_and_extraction_equals_the_saved_one(path):
    views = FeatureFusion(
        [
            ("low", make_pipeline(extractor(clip_below=-30), Seq2SeqAutoencoder(**SMALL))),
            ("high", make_pipeline(extractor(), Seq2SeqAutoencoder(**SMALL, cell="lstm"))),
        ]
    )
    search = GridSearchCV(
        make_pipeline(views, StandardScaler(), LinearSVC(random_state=0)),
        {
            "featurefusion__low__spectrogramextractor__clip_below": [-30, np.float64(-40)],
            "standardscaler": [StandardScaler(), "passthrough"],
        },
        cv=[(np.arange(6), np.arange(6, 8)), (np.arange(2, 8), np.arange(2))],
        scoring=["accuracy", "f1_macro"],
        refit="accuracy",
    ).fit(clips(), labels())
    loaded = through(search, path)
    np.testing.assert_array_equal(
        loaded.decision_function(clips()), search.decision_function(clips())
    )
    assert repr(loaded) == repr(search)
    assert loaded.score(clips(), labels()) == search.score(clips(), labels())
    assert repr(loaded.cv_results_) == repr(search.cv_results_)
    assert [view for view, _ in loaded.best_estimator_[0].transformers_] == ["low", "high"]
    assert loaded.fit(clips(), labels()).best_index_ == search.best_index_


def test_a_fusion_with_weights_and_a_dropped_view_comes_back_whole(path):
    fusion = FeatureFusion(
        [("low", Seq2SeqAutoencoder(**SMALL)), ("none", "drop"), ("scaled", StandardScaler())],
        transformer_weights={"low": 0.5, "scaled": np.float64(2)},
        verbose_feature_names_out=False,
    )
    X = sequences()[:, :, 0]
    assert repr(through(fusion, path)) == repr(fusion)
    loaded = through(fusion.fit(X), path)
    np.testing.assert_array_equal(loaded.transform(X), fusion.transform(X))
    assert loaded.get_feature_names_out().tolist() == fusion.get_feature_names_out().tolist()
    assert loaded.transformers_[1] == ("none", "drop")
    same = through(FeatureFusion([("same", "passthrough")]).fit(X), path)
    np.testing.assert_array_equal(same.transform(X), X)


def test_a_loaded_pipeline_keeps_its_output_format_and_loses_only_callbacks_and_memory(
    path, tmp_path
):
    union = make_pipeline(
        FeatureUnion([("a", Seq2SeqAutoencoder(**SMALL)), ("b", "drop")]),
        StandardScaler(),
        memory=str(tmp_path / "cache"),
    ).set_output(transform="pandas")
    loaded = through(union.fit(sequences()), path)
    assert loaded.memory is None
    assert loaded.transform(sequences()).equals(union.transform(sequences()))
    seen = []

    class Callback:
        setup = teardown = on_fit_task_begin = on_fit_task_end = lambda *_, **__: seen.append(1)

    autoencoder = Seq2SeqAutoencoder(**SMALL).set_callbacks(Callback()).fit(sequences())
    assert seen
    seen.clear()
    through(autoencoder, path).fit(sequences())
    assert not seen


@pytest.mark.parametrize("scoring", [None, "accuracy", {"a": "accuracy", "b": "f1_macro"}])
def test_a_loaded_search_scores_as_the_saved_one(path, scoring):
    search = RandomizedSearchCV(
        pipeline(),
        {"linearsvc__C": [0.1, 1.0]},
        n_iter=1,
        cv=StratifiedKFold(2),
        scoring=scoring,
        refit="a" if isinstance(scoring, dict) else True,
        random_state=0,
    ).fit(sequences(), labels())
    assert through(search, path).score(sequences(), labels()) == search.score(sequences(), labels())


def test_save_and_load_take_every_public_estimator(path):
    names = [name for name in skaudeep.__all__ if isinstance(getattr(skaudeep, name), type)]
    names.remove("ModuleFeatures")  # loads with code of the caller's: see test_modules.py
    kinds = [getattr(skaudeep, name) for name in names]
    given = {"FeatureFusion": ([("a", extractor())],), "ChunkVotingClassifier": (LinearSVC(),)}
    given["AnomalyDetector"] = (Seq2SeqAutoencoder(4),)
    given["DistilledFeatures"] = (FeatureFusion([("a", extractor())]),)
    given["FunctionExtractor"] = ("model.onnx",)
    given["PerFrame"] = (LinearSVC(),)
    named = {"FunctionExtractor": {"sampling_rate": RATE, "checksum": "sha256:" + 64 * "0"}}
    estimators = [
        kind(*given.get(kind.__name__, ()), **named.get(kind.__name__, {}))
        for kind in kinds
        if issubclass(kind, BaseEstimator)
    ]
    assert len(estimators) >= 3
    for estimator in estimators:
        assert repr(through(estimator, path)) == repr(estimator)


def test_a_pipeline_loaded_by_another_process_predicts_the_same(path, tmp_path):
    fitted = make_pipeline(extractor(), *pipeline()).fit(clips(), labels())
    skaudeep.save(fitted, path)
    np.save(tmp_path / "clips.npy", clips())
    code = (
        "import numpy as np, skaudeep, sys\n"
        "X = np.load(sys.argv[2])\n"
        "np.save(sys.argv[3], skaudeep.load(sys.argv[1]).decision_function(X))"
    )
    files = [str(path), str(tmp_path / "clips.npy"), str(tmp_path / "out.npy")]
    subprocess.run([sys.executable, "-c", code, *files], check=True)
    expected = fitted.decision_function(np.array(clips()))
    np.testing.assert_array_equal(np.load(files[2]), expected)


names = st.sampled_from(["gru", "lstm"])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([np.float32(0.1), np.int64(3), np.bool_(True), np.float64("nan")]),
    lambda items: (
        st.lists(items, max_size=3)
        | st.lists(items, max_size=3).map(tuple)
        | st.dictionaries(st.integers() | st.text(), items, max_size=3)
        | st.lists(items, max_size=3).map(lambda x: np.array([*x, None], dtype=object)[:-1])
    ),
    max_leaves=8,
)


@given(value=values)
@settings(max_examples=100, deadline=None)
def test_a_loaded_attribute_has_the_type_and_value_of_the_saved_one(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("values") / "a"
    estimator = extractor()
    estimator.found_ = value
    found = through(estimator, path).found_
    assert type(found) is type(value)
    assert repr(found) == repr(value)


@given(
    cell=names,
    n_units=st.integers(1, 4),
    n_layers=st.integers(1, 2),
    encoder=st.booleans(),
    decoder=st.booleans(),
    dropout=st.floats(0, 1, exclude_max=True),
    learning_rate=st.floats(0, 10, exclude_min=True),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=15, deadline=None)
def test_a_loaded_network_of_any_size_has_the_weights_of_the_saved_one(
    tmp_path_factory, cell, n_units, n_layers, encoder, decoder, dropout, learning_rate, seed
):
    path = tmp_path_factory.mktemp("networks") / "a"
    autoencoder = Seq2SeqAutoencoder(
        n_units,
        n_layers=n_layers,
        cell=cell,
        bidirectional_encoder=encoder,
        bidirectional_decoder=decoder,
        dropout=dropout,
        learning_rate=learning_rate,
        max_epochs=0,
        random_state=seed,
    ).fit(sequences())
    loaded = through(autoencoder, path)
    assert loaded.get_params() == autoencoder.get_params()
    for name, weights in autoencoder.network_.state_dict().items():
        assert torch.equal(loaded.network_.state_dict()[name], weights)


@pytest.mark.parametrize(
    "array",
    [
        np.array(3.5),
        np.arange(6, dtype=">i2").reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.zeros((0, 3), dtype=bool),
        np.array([["a", "bb"], ["\udc80", ""]]),
        np.array([], dtype=str),
        np.ma.MaskedArray([1, 2], [True, False]),
    ],
    ids=["0-d", "big-endian", "fortran", "empty", "text", "no text", "masked"],
)
def test_a_loaded_array_equals_the_saved_one_and_is_writeable(path, array):
    estimator = extractor()
    estimator.found_ = array
    found = through(estimator, path).found_
    np.testing.assert_array_equal(found, array)
    assert found.shape == array.shape
    assert found.dtype.kind == array.dtype.kind
    assert type(found) is type(array)
    assert found.flags.writeable


def test_a_loaded_optimizer_state_equals_the_saved_one(path):
    weights = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.Adam([weights])
    weights.square().sum().backward()
    optimizer.step()
    estimator = extractor()
    estimator.optimizer_ = optimizer.state_dict()
    found = through(estimator, path).optimizer_
    assert repr(found) == repr(estimator.optimizer_)
    optimizer.load_state_dict(found)


def test_a_loaded_random_state_draws_the_numbers_that_come_next(path):
    generator = np.random.RandomState(3)
    generator.normal()  # leaves a second value behind
    autoencoder = Seq2SeqAutoencoder(**{**SMALL, "random_state": generator})
    loaded = through(autoencoder, path)
    np.testing.assert_array_equal(loaded.random_state.normal(size=700), generator.normal(size=700))


def test_the_manifest_has_size_and_checksum_of_each_member_and_all_versions(path):
    skaudeep.save(pipeline(SVC()).fit(sequences(), labels()), path)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        for name, member in manifest["members"].items():
            data = archive.read(name)
            assert member == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        assert archive.testzip() is None
    assert manifest["format"] == 1
    assert manifest["versions"]["skaudeep"] == skaudeep.__version__
    assert manifest["versions"].keys() >= {"sklearn", "torch", "numpy", "python", "skops"}


def test_save_writes_the_same_bytes_for_the_same_model(path, tmp_path):
    autoencoder = Seq2SeqAutoencoder(**SMALL).fit(sequences())
    skaudeep.save(autoencoder, path)
    skaudeep.save(through(autoencoder, tmp_path / "b"), tmp_path / "c")
    assert path.read_bytes() == (tmp_path / "c").read_bytes()


def test_load_takes_an_estimator_whose_device_does_not_exist_here(path):
    autoencoder = Seq2SeqAutoencoder(**SMALL).fit(sequences())
    expected = autoencoder.transform(sequences())
    loaded = through(autoencoder.set_params(device="cuda:7"), path)
    assert loaded.device == "cuda:7"
    loaded.set_params(device="cpu")
    np.testing.assert_array_equal(loaded.transform(sequences()), expected)


def test_save_and_load_change_neither_the_estimator_nor_global_generators(path):
    fitted = pipeline().fit(sequences(), labels())
    before = joblib.hash(fitted)
    state = joblib.hash((np.random.get_state(), torch.get_rng_state().numpy()))
    through(fitted, path)
    assert joblib.hash(fitted) == before
    assert joblib.hash((np.random.get_state(), torch.get_rng_state().numpy())) == state


# --- what cannot be stored -----------------------------------------------------------------------


class Foreign(BaseEstimator):
    """An estimator of nobody's."""


class Autoencoder(Seq2SeqAutoencoder):
    """A subclass, whose code a file cannot carry."""


def with_attribute(name, value):
    estimator = extractor()
    setattr(estimator, name, value)
    return estimator


def nan_network():
    autoencoder = Seq2SeqAutoencoder(**SMALL).fit(sequences())
    next(autoencoder.network_.parameters()).data[0] = torch.nan
    return autoencoder


def forest():
    return RandomForestClassifier(2).fit([[0], [1]], [0, 1])


UNSTORABLE = {
    "foreign": (lambda: make_pipeline(Foreign()), "Foreign"),
    "subclass": (lambda: Autoencoder(), "Autoencoder"),
    "lambda": (lambda: make_pipeline(FunctionTransformer(lambda x: x)), "lambda"),
    "function": (lambda: FunctionTransformer(print), r"builtins\.print"),
    "forest": (forest, r"sklearn\.tree\._tree\.Tree"),
    "object": (lambda: with_attribute("found_", object()), r"found_ is a builtins\.object"),
    "deep": (lambda: with_attribute("found_", [{"a": (1, {2})}]), r"found_\[0\]\['a'\]\[1\].*set"),
    "complex": (lambda: with_attribute("found_", np.zeros(1, complex)), "complex128"),
    "module": (lambda: with_attribute("found_", torch.nn.Linear(1, 1)), "Linear.*TimeAutoencoder"),
    "NaN weights": (nan_network, "NaN or infinity"),
    "parameter": (lambda: Seq2SeqAutoencoder(0), "n_units"),
    "scorer": (
        lambda: GridSearchCV(pipeline(), {}, scoring=lambda *_: 0),
        r"scoring is a builtins\.function",
    ),
    "generator": (lambda: Seq2SeqAutoencoder(random_state=np.random.default_rng()), "random_state"),
}


@pytest.mark.parametrize("kind", UNSTORABLE)
def test_save_names_what_has_no_safe_form_and_keeps_the_old_file(path, kind):
    make, message = UNSTORABLE[kind]
    path.write_bytes(b"old")
    with pytest.raises(PersistenceError, match=message) as error:
        skaudeep.save(make(), path)
    assert str(path) in str(error.value)
    assert path.read_bytes() == b"old"
    assert len(list(path.parent.iterdir())) == 1


def test_save_and_load_refuse_what_is_no_estimator_or_no_file(path, tmp_path):
    with pytest.raises(TypeError, match="expected an estimator"):
        skaudeep.save([1], path)
    with pytest.raises(FileNotFoundError, match="Create the folder"):
        skaudeep.save(extractor(), tmp_path / "missing" / "a")
    with pytest.raises(FileNotFoundError):
        skaudeep.load(path)


def test_save_and_load_without_skops_say_what_to_install(path, stored, monkeypatch):
    path.write_bytes(stored)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    through(pipeline().fit(sequences(), labels()), path.with_name("own"))  # needs none
    with pytest.raises(ImportError, match=r"skaudeep\[persistence\]"):
        skaudeep.save(SVC(), path.with_name("b"))
    with pytest.raises(ImportError, match=r"skaudeep\[persistence\]"):
        skaudeep.load(path)


# --- foreign and damaged files -------------------------------------------------------------------


class Harm:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def write(path, save, values):
    with path.open("wb") as file:
        save(file, np.array(values, dtype=object), allow_pickle=True)


FOREIGN = {
    "pickle": (lambda harm, path: path.write_bytes(pickle.dumps(harm)), "is a pickle"),
    "pickle 0": (lambda harm, path: path.write_bytes(pickle.dumps(harm, 0)), "unknown format"),
    "joblib": (lambda harm, path: joblib.dump(harm, path), "is a pickle"),
    "zlib": (lambda harm, path: joblib.dump(harm, path, compress=("zlib", 3)), "joblib"),
    "gzip": (lambda harm, path: joblib.dump(harm, path, compress=("gzip", 3)), "joblib"),
    "bz2": (lambda harm, path: joblib.dump(harm, path, compress=("bz2", 3)), "joblib"),
    "xz": (lambda harm, path: joblib.dump(harm, path, compress=("xz", 3)), "joblib"),
    "torch": (lambda harm, path: torch.save(harm, path), r"torch\.save"),
    "npy": (lambda harm, path: write(path, np.save, [harm]), "NumPy array"),
    "npz": (lambda harm, path: write(path, np.savez, [harm]), "NumPy archive"),
    "safetensors": (
        lambda harm, path: safetensors.numpy.save_file({"a": np.zeros(1)}, path),
        "safetensors",
    ),
    "text": (lambda harm, path: path.write_text("model"), "unknown format"),
    "empty": (lambda harm, path: path.touch(), "unknown format"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_load_names_foreign_files_and_executes_nothing(tmp_path, kind):
    make, message = FOREIGN[kind]
    path, trace = tmp_path / "model", tmp_path / "trace"
    make(Harm(trace), path)
    with pytest.raises(PersistenceError, match=message) as error:
        skaudeep.load(path)
    assert str(path) in str(error.value)
    assert "skaudeep.save" in str(error.value)
    assert not trace.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_load_refuses_what_is_no_file_and_does_not_wait_for_it(path, tmp_path):
    os.mkfifo(path)
    with pytest.raises(OSError, match=f"{path}.*named pipe.*expected a file of skaudeep.save"):
        skaudeep.load(path)
    with pytest.raises(IsADirectoryError, match=f"{tmp_path}.*is a folder"):
        skaudeep.load(tmp_path)
    with pytest.raises(OSError, match=r"/dev/zero.*a device"):
        skaudeep.load("/dev/zero")


def test_load_refuses_a_file_with_the_right_ends_and_nothing_between(path, stored):
    with open(path, "wb") as file:
        file.write(stored[:1000])
        file.truncate(20 * 10**9)
        file.seek(0, os.SEEK_END)
        file.write(stored[-1000:])
    if 512 * path.stat().st_blocks > 10**6:
        pytest.skip("this file system writes what is empty")
    tracemalloc.start()
    with pytest.raises(PersistenceError, match=f"{path}: is 20000001000 bytes long, of which"):
        skaudeep.load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10**6


def test_a_save_that_is_interrupted_anywhere_leaves_the_old_file(path, monkeypatch):
    estimator = Seq2SeqAutoencoder(**SMALL).fit(sequences())
    skaudeep.save(extractor(), path)
    old = path.read_bytes()
    calls = 0

    def traced(frame, event, argument):
        nonlocal calls
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE_FOLDER):
            calls += 1
            if calls == at:
                raise KeyboardInterrupt

    previous = sys.gettrace()
    at = 0
    while path.read_bytes() == old:  # until a call is reached that stands behind the last step
        at, calls = at + 7, 0
        sys.settrace(traced)
        try:
            skaudeep.save(estimator, path)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(previous)
        assert list(path.parent.iterdir()) == [path]
    assert at > 50
    skaudeep.load(path)


def refused(data, path):
    path.write_bytes(data)
    with pytest.raises(PersistenceError) as error:
        skaudeep.load(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")  # which may hold the word that a test looks for


def sweep(data, path, n_cuts, n_flips):
    random = np.random.default_rng(0)
    for size in random.choice(len(data), n_cuts, replace=False):
        refused(data[:size], path)
    for bit in random.choice(8 * len(data), n_flips, replace=False):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        refused(bytes(flipped), path)


def test_load_refuses_a_file_cut_or_flipped_anywhere(stored, path):
    sweep(stored, path, 40, 40)
    assert "cut short" in refused(stored[:-1], path)
    assert "is damaged" in refused(stored[:200] + b"~" + stored[201:], path)
    refused(stored + b"\0", path)


@pytest.mark.slow
def test_load_refuses_a_file_cut_or_flipped_at_many_more_places(stored, path):
    sweep(stored, path, 1000, 1000)
    books = [*range(100), *range(len(stored) - 400, len(stored))]  # of the zip file
    for place in books:
        for bit in range(8):
            flipped = bytearray(stored)
            flipped[place] ^= 1 << bit
            refused(bytes(flipped), path)


# --- files made to harm: every checksum is right -------------------------------------------------


def take_apart(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def forge(path, members, *, manifest=None, zipped=zipfile.ZIP_STORED, infos=()):
    """Write a file as `save` does, seal and all, of whatever members."""
    members = dict(members)
    old = json.loads(members.pop("manifest.json"))
    old["members"] = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in members.items()
    }
    content = json.dumps({**old, **(manifest or {})}).encode()
    with zipfile.ZipFile(path, "w", zipped) as archive:
        for name, data in [("manifest.json", content), *members.items(), *infos]:
            archive.writestr(name, data)
        archive.comment = bytes(CHECKSUM_SIZE)
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size - CHECKSUM_SIZE)
    append_checksum(path)


@pytest.fixture
def members(stored):
    return take_apart(stored)


@pytest.fixture
def own(tmp_path):
    """Members of a fitted autoencoder alone."""
    path = tmp_path / "own"
    skaudeep.save(Seq2SeqAutoencoder(**SMALL).fit(sequences()), path)
    return take_apart(path.read_bytes())


def refusal(path):
    with pytest.raises(PersistenceError) as error:
        skaudeep.load(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")  # which may hold the word that a test looks for


def test_load_takes_a_forged_file_with_the_true_members(path, members):
    forge(path, members)
    skaudeep.load(path)


def link():
    info = zipfile.ZipInfo("steps/7.skops")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("infos", "message"),
    [
        ([("/etc/passwd", b"")], "/etc/passwd"),
        ([("../steps/1.skops", b"")], "does not belong"),
        ([("steps/../../a.skops", b"")], "does not belong"),
        ([("data.pkl", b"")], "does not belong"),
        ([("steps/", b"")], "does not belong"),
        ([("steps/7.skops", b"")], ""),
        ([(link(), b"/etc/passwd")], "link"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_load_refuses_members_that_do_not_belong(path, members, infos, message):
    forge(path, members, infos=infos)
    assert message in refusal(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_load_refuses_two_members_of_one_name(path, members):
    forge(path, members, infos=[("estimator.json", b"{}")])
    assert "two files" in refusal(path)


def test_load_refuses_compressed_members_before_it_unpacks_them(path, members):
    members["arrays.safetensors"] = bytes(10**8)
    forge(path, members, zipped=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**6
    assert "compressed" in refusal(path)


def test_load_refuses_members_whose_sizes_contradict_the_manifest(path, members):
    forge(path, members)
    data = bytearray(path.read_bytes()[:-CHECKSUM_SIZE])
    entry = data.rindex(b"PK\1\2", 0, data.rindex(b"arrays.safetensors"))
    data[entry + 20 : entry + 28] = (2**31).to_bytes(4, "little") * 2
    path.write_bytes(data)
    append_checksum(path)
    assert "announces more than it holds" in refusal(path)


def test_load_names_the_file_of_a_common_step_whose_results_do_not_agree(path, members):
    def change(tree):
        _, scaler = tree["estimator"][1]["steps"][1]["tuple"]
        scaler = scaler["estimator"]
        assert scaler[0] == "StandardScaler"
        scaler[2]["n_features_in_"] = 7

    edit(members, change)
    forge(path, members)
    assert "StandardScaler whose mean_ is float64 of shape" in refusal(path)


@pytest.mark.parametrize("version", ["1.0\x1b[2J", 1, None, ["1.9"]])
def test_load_refuses_a_version_of_scikit_learn_that_is_none(path, members, version):
    versions = json.loads(members["manifest.json"])["versions"]
    forge(path, members, manifest={"versions": {**versions, "sklearn": version}})
    assert refusal(path).isprintable()


def test_load_warns_of_common_steps_of_another_scikit_learn(path, members):
    versions = json.loads(members["manifest.json"])["versions"]
    forge(path, members, manifest={"versions": {**versions, "sklearn": "1.8.7"}})
    with pytest.warns(InconsistentVersionWarning, match=r"StandardScaler from version 1\.8\.7"):
        skaudeep.load(path)


def test_load_refuses_a_file_without_one_of_its_members(path, members):
    whole = json.loads(members["manifest.json"])["members"]
    for name in ["estimator.json", "arrays.safetensors", "steps/0.skops"]:
        rest = {key: data for key, data in members.items() if key != name}
        forge(path, rest, manifest={"members": whole})
        assert name in refusal(path)
        forge(path, rest)
        refusal(path)


def test_load_refuses_members_with_another_checksum(path, members):
    whole = json.loads(members["manifest.json"])["members"]
    members["estimator.json"] += b" "
    forge(path, members, manifest={"members": whole})
    assert "estimator.json has not the checksum" in refusal(path)


@pytest.mark.parametrize("number", [2, 0, "1", None, [1], 1.5])
def test_load_refuses_other_formats(path, members, number):
    forge(path, members, manifest={"format": number})
    assert "Update skaudeep" in refusal(path)


def edit(members, change):
    """Change the JSON of the estimator."""
    tree = json.loads(members["estimator.json"])
    members["estimator.json"] = json.dumps(change(tree) or tree).encode()


AUTOENCODER = {"estimator": ["Seq2SeqAutoencoder", {}, {}]}


HARMFUL = "\x1b[2J\a\r\n\u202e\udc9b"


@pytest.mark.parametrize(
    "tree",
    [
        {"estimator": [HARMFUL, {}, {}]},
        {"estimator": ["Seq2SeqAutoencoder", {HARMFUL: 3}, {}]},
        {"estimator": ["Seq2SeqAutoencoder", {"cell": HARMFUL}, {}]},
        {"estimator": ["Seq2SeqAutoencoder", {}, {HARMFUL: 1}]},
        {"estimator": ["Seq2SeqAutoencoder", {}, {"seed_": HARMFUL}]},
        {"estimator": ["Seq2SeqAutoencoder", {HARMFUL * 10**5: 3}, {}]},
        {HARMFUL: 3},
        {"float": HARMFUL},
        {"array": HARMFUL},
        {"network": [HARMFUL, {"dict": []}, ""]},
        {"network": ["TimeAutoencoder", {"dict": [[HARMFUL, 0]]}, ""]},
    ],
)
def test_texts_of_a_file_do_not_reach_the_terminal_as_they_are(path, own, tree):
    own["arrays.safetensors"] = safetensors.numpy.save({})
    own["estimator.json"] = json.dumps(tree).encode()
    forge(path, own)
    message = refusal(path)
    assert message.isprintable()
    assert len(message) < 10**4


def test_a_device_that_a_file_names_does_not_reach_the_terminal_as_it_is(path):
    skaudeep.save(Seq2SeqAutoencoder(**SMALL, device="cpu\x1b[2J").set_params(), path)
    with pytest.raises(ValueError, match="device") as error:
        skaudeep.load(path).fit(sequences())
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"estimator": ["os.system", {}, {}]}, "no estimator of skaudeep"),
        ({"estimator": ["evaluate", {}, {}]}, "no estimator of skaudeep"),
        ({"estimator": ["AudioError", {}, {}]}, "no estimator of skaudeep"),
        ({"estimator": ["__class__", {}, {}]}, "no estimator of skaudeep"),
        ({"estimator": ["Seq2SeqAutoencoder", {"n_unit": 3}, {}]}, "n_unit"),
        ({"estimator": ["Seq2SeqAutoencoder", {"self": 3}, {}]}, "self"),
        ({"estimator": ["Seq2SeqAutoencoder", {"n_units": 0}, {}]}, "n_units"),
        ({"estimator": ["Seq2SeqAutoencoder", {"n_units": "8"}, {}]}, "n_units"),
        ({"estimator": ["Seq2SeqAutoencoder", {"dropout": {"float": "nan"}}, {}]}, "dropout"),
        ({"estimator": ["Seq2SeqAutoencoder", {}, {"fit": 1}]}, "fit"),
        ({"estimator": ["Seq2SeqAutoencoder", {}, {"__class__": 1}]}, "__class__"),
        ({"estimator": ["Seq2SeqAutoencoder", {}, {"__dict__": {"dict": []}}]}, "__dict__"),
        ({"estimator": ["Seq2SeqAutoencoder", {}, {"_skl_callbacks": []}]}, "_skl_callbacks"),
        ({"estimator": ["Seq2SeqAutoencoder", {}, {"_validate_params": 1}]}, "_validate_params"),
        ({"estimator": ["Seq2SeqAutoencoder", {"n_units": 3}, {"n_units": 0}]}, "n_units"),
        ({"estimator": ["FeatureFusion", {}, {}]}, "transformer_list"),
        ({"estimator": ["Pipeline", {"steps": [], "memory": "/tmp"}, {}]}, "memory"),
        ({"estimator": ["FeatureFusion", {"transformer_list": []}, {"n_features_in_": 1}]}, ""),
        ({"estimator": 3}, ""),
        ({"estimator": ["Seq2SeqAutoencoder"]}, ""),
        ({"estimator": [AUTOENCODER, {}, {}]}, ""),
        ({"estimator": ["Seq2SeqAutoencoder", [], {}]}, ""),
        ({"init": []}, "unknown kind"),
        ({"_init__": []}, "unknown kind"),
        ({"class": 1, "estimator": 2}, ""),
        ({}, ""),
        ([AUTOENCODER], "expected an estimator"),
        (3, "expected an estimator"),
        ({"array": "0"}, "lacks array"),
        ({"step": 0}, "lacks step"),
        ({"step": "../a"}, "lacks step"),
        ({"float": "1"}, ""),
        ({"network": ["Linear", {"dict": []}, ""]}, "Linear"),
        ({"network": ["TimeAutoencoder", {"dict": [["n_bands", 10**12]]}, ""]}, "n_bands"),
        ({"network": ["TimeAutoencoder", {"dict": [["n_bands", 0], ["n_layers", 9**9]]}, ""]}, ""),
        ({"network": ["TimeAutoencoder", {"dict": [["x", 0]]}, ""]}, ""),
        ({"objects": [[10**12], []]}, ""),
        ({"strings": [[1], [3]]}, "strings"),
        ({"dict": [[[], 1]]}, ""),
    ],
)
def test_load_refuses_trees_that_are_no_estimator_of_skaudeep(path, own, tree, message):
    own["arrays.safetensors"] = safetensors.numpy.save({})
    own["estimator.json"] = json.dumps(tree).encode()
    forge(path, own)
    assert message in refusal(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"tuple":' * 100_000,
        b'{"tuple":[' * 5_000 + b"]}" * 5_000,
        b"9" * 10_000,
        b"\xff\xfe",
        b"NaN",
    ],
    ids=["none", "cut", "brackets", "braces", "nested", "digits", "bytes", "NaN"],
)
@pytest.mark.parametrize("name", ["estimator.json", "arrays.safetensors"])
def test_load_refuses_members_that_are_no_json_and_no_tensors(path, own, name, content):
    own[name] = content
    forge(path, own)
    refusal(path)


def weights(own, change):
    arrays = safetensors.numpy.load(own["arrays.safetensors"])
    change(arrays)
    own["arrays.safetensors"] = safetensors.numpy.save(arrays)


def narrower(arrays):
    name = next(iter(arrays))
    arrays[name] = arrays[name][:-1].copy()


def wider(arrays):
    name = next(iter(arrays))
    arrays[name] = arrays[name].astype(np.float64)


def gone(arrays):
    del arrays[next(iter(arrays))]


def more(arrays):
    arrays["0.another"] = np.zeros(1, dtype=np.float32)


def stray(arrays):
    arrays["stray"] = np.zeros(1, dtype=np.float32)


def not_a_number(arrays):
    name = next(iter(arrays))
    arrays[name] = np.full_like(arrays[name], np.nan)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (narrower, "of shape"),
        (wider, "float64"),
        (gone, "missing"),
        (more, "another"),
        (stray, "stray"),
        (not_a_number, "NaN"),
    ],
)
def test_load_refuses_weights_that_do_not_fit_the_network(path, own, change, message):
    weights(own, change)
    forge(path, own)
    assert message in refusal(path)


def header(content, data=b"\0" * 8):
    text = json.dumps(content).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize(
    "content",
    [
        header({"0": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 8]}}),
        header({"0": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4 * 10**12]}}),
        header({"0": {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}}),
        header({"0": {"dtype": "O", "shape": [2], "data_offsets": [0, 8]}}),
        header({k: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for k in "ab"}),
        (2**62).to_bytes(8, "little") + b"{}",
    ],
    ids=["shape", "end", "negative", "type", "overlap", "length"],
)
def test_load_refuses_tensors_with_false_headers(path, own, content):
    own["arrays.safetensors"] = content
    forge(path, own)
    refusal(path)


# --- steps made to harm --------------------------------------------------------------------------


def forge_step(path, own, schema, files=None):
    """Write a file whose model is one step of skops' making."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", json.dumps({"protocol": 2, **schema}))
        for name, data in (files or {}).items():
            archive.writestr(name, data)
    own["steps/0.skops"] = buffer.getvalue()
    own["arrays.safetensors"] = safetensors.numpy.save({})
    own["estimator.json"] = json.dumps({"step": 0}).encode()
    forge(path, own)


def node(loader, module, name, **content):
    return {"__loader__": loader, "__module__": module, "__class__": name, **content}


TEXT = node("JsonNode", "builtins", "str", content='"touch TRACE"')
ARGS = node("TupleNode", "builtins", "tuple", content=[TEXT])


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (node("ConstructorFromReduceNode", "os", "system", content=ARGS), r"os\.system"),
        (node("FunctionNode", "os", "system"), r"os\.system"),
        (node("ObjectNode", "subprocess", "Popen"), r"subprocess\.Popen"),
        (node("ObjectNode", "sklearn.datasets._openml", "OpenMLError"), "OpenMLError"),
        (node("TypeNode", "builtins", "eval"), r"builtins\.eval"),
        (node("NdArrayNode", "numpy", "bytes_", type="json", content=[]), "bytes_"),
        (node("CachedNode", "builtins", "list", __id__=1), "list"),
        (node("BytesNode", "builtins", "bytes", file="schema.json"), "bytes"),
        (node("NoNode", "builtins", "list"), "list"),
        (node("OperatorFuncNode", "operator", "methodcaller", attrs=ARGS), "methodcaller"),
        ({"__loader__": "ObjectNode"}, ""),
        ({"__loader__": []}, ""),
        ({"protocol": 0, **node("ListNode", "builtins", "list", content=[])}, "protocol 0"),
    ],
)
def test_load_refuses_steps_of_harmful_types_by_name(path, own, tmp_path, schema, message):
    trace = tmp_path / "trace"
    text = json.dumps(schema).replace("TRACE", str(trace))
    forge_step(path, own, json.loads(text))
    assert re.search(message, refusal(path))
    assert not trace.exists()


def test_load_refuses_steps_that_grow_without_end(path, own):
    level = node("ListNode", "builtins", "list", content=[], __id__=1)
    for i in range(2, 60):  # each is twice the one before
        again = node("ListNode", "builtins", "list", content=[], __id__=i - 1)
        level = node("ListNode", "builtins", "list", content=[level, again], __id__=i)
    forge_step(path, own, level)
    assert "two different objects" in refusal(path)


def test_load_refuses_a_step_whose_random_state_has_an_impossible_position(path, own, tmp_path):
    with zipfile.ZipFile(
        io.BytesIO(take_apart(saved_generator(tmp_path))["steps/0.skops"])
    ) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = files.pop("schema.json").decode()
    forge_step(path, own, json.loads(schema), files)
    skaudeep.load(path)
    for position in ("625", "-1", "1e3", "null"):
        changed = schema.replace('"content": "624"', f'"content": "{position}"')
        assert changed != schema
        forge_step(path, own, json.loads(changed), files)
        assert "no state" in refusal(path)


def saved_generator(folder):
    path = folder / "generator"
    skaudeep.save(SGDClassifier(random_state=np.random.RandomState(0)), path)
    return path.read_bytes()


def test_load_refuses_a_random_state_with_an_impossible_position(path, tmp_path):
    skaudeep.save(Seq2SeqAutoencoder(random_state=np.random.RandomState(0)), tmp_path / "a")
    members = take_apart((tmp_path / "a").read_bytes())

    def change(tree):
        tree["estimator"][1]["random_state"]["random_state"][2] = 625

    edit(members, change)
    forge(path, members)
    assert "no state" in refusal(path)
