"""Stored students: extractor and network come back, what their teacher has learned does not."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest
from sklearn.base import clone
from sklearn.decomposition import FastICA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skaudeep
from skaudeep import BandStatistics, DistilledFeatures, SpectrogramExtractor
from skaudeep.persistence.serialize import Deserializer, Serializer

RATE = 2000  # Hz
EXTRACTOR = SpectrogramExtractor(n_mels=4, sampling_rate=RATE)
SMALL = {"n_units": 3, "max_epochs": 2, "validation_fraction": 0, "random_state": 0}


def clips():
    return list(np.random.default_rng(0).normal(size=(8, RATE // 4)).astype(np.float32))


def student(teacher, **parameters):
    return DistilledFeatures(teacher, **{"extractor": EXTRACTOR} | SMALL | parameters)


def of_statistics():
    return make_pipeline(clone(EXTRACTOR), BandStatistics(), StandardScaler())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "student.skaudeep"


def through(estimator, path):
    skaudeep.save(estimator, path)
    return skaudeep.load(path)


def test_a_loaded_student_gives_the_same_bits_and_learns_alike_again(path):
    fitted = student(of_statistics()).fit(clips())
    loaded = through(fitted, path)
    np.testing.assert_array_equal(loaded.transform(clips()), fitted.transform(clips()))
    assert vars(loaded).keys() == vars(fitted).keys()
    assert loaded.loss_curve_ == fitted.loss_curve_
    assert repr(loaded) == repr(fitted)
    again = clone(loaded).fit(clips())
    np.testing.assert_array_equal(again.transform(clips()), fitted.transform(clips()))
    in_pipeline = make_pipeline(student(of_statistics()), StandardScaler()).fit(clips())
    loaded = through(in_pipeline, path)
    np.testing.assert_array_equal(loaded.transform(clips()), in_pipeline.transform(clips()))


def test_what_the_teacher_has_learned_is_not_in_the_file(path):
    teacher = of_statistics().fit(clips())
    fitted = student(teacher).fit(clips())
    assert not hasattr(through(fitted, path).teacher[-1], "mean_")
    assert hasattr(teacher[-1], "mean_")
    assert fitted.teacher is teacher


@pytest.mark.parametrize(
    "teacher",
    [
        FunctionTransformer(lambda X: np.stack(X)),  # code
        make_pipeline(of_statistics(), FastICA(2, random_state=0)),  # needs skops to load
    ],
)
def test_a_teacher_that_cannot_be_stored_is_left_out(path, teacher):
    fitted = student(teacher).fit(clips())
    loaded = through(fitted, path)
    assert loaded.teacher is None
    np.testing.assert_array_equal(loaded.transform(clips()), fitted.transform(clips()))
    with pytest.raises(ValueError, match="Got teacher=None"):
        loaded.fit(clips())


@pytest.mark.parametrize("extractor", ["passthrough", None])
def test_students_without_an_extractor_of_their_own_come_back(path, extractor):
    X = EXTRACTOR.transform(clips())
    fitted = student(None, extractor="passthrough", max_epochs=0).fit(X)
    np.testing.assert_array_equal(through(fitted, path).transform(X), fitted.transform(X))
    assert repr(through(student(None, extractor=extractor), path)).startswith("DistilledFeatures")


def test_the_exported_network_gives_the_features_of_the_spectrograms(path):
    fitted = student(of_statistics()).fit(clips())
    skaudeep.export_onnx(fitted, path)
    X = EXTRACTOR.transform(clips())
    inputs = {"sequences": X, "lengths": np.full(8, X.shape[1])}
    (features,) = onnxruntime.InferenceSession(path).run(["features"], inputs)
    np.testing.assert_allclose(features, fitted.transform(clips()), atol=5e-5, rtol=0)


def tampered(change):
    """Pack a student, change the JSON, and unpack it."""
    packer = Serializer()
    tree = packer.encode(student(None, max_epochs=0).fit(clips()), "student")
    _, params, attributes = tree["estimator"]
    change(params, attributes)
    return Deserializer(packer.arrays, packer.steps).decode(json.loads(json.dumps(tree)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda params, own: own.pop("extractor_"), "without extractor_"),
        (lambda params, own: own.pop("loss_curve_"), "without loss_curve_"),
        (lambda params, own: own.update(loss_curve_=["low"]), "loss_curve_ is no list of numbers"),
        (lambda params, own: own.update(extractor_="passthrough"), "extractor_ is a str, with"),
        (lambda params, own: own.update(extractor_=3), "extractor_ is a int, with"),
        (lambda params, own: own.update(network_=None), "network_ of NoneType"),
        (
            lambda params, own: (
                own.update(extractor_="passthrough", n_features_in_=3),
                params.update(extractor="passthrough"),
            ),
            "n_features_in_=3, but its network reads 4 bands",
        ),
        (lambda params, own: params.update(n_units=0), "'n_units' parameter"),
    ],
)
def test_results_that_contradict_each_other_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        tampered(change)
