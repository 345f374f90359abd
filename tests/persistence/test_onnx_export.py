"""The ONNX model gives the features of `transform`, whatever the batch and the lengths."""

import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skaudeep import ReservoirFeatures, Seq2SeqAutoencoder
from skaudeep.persistence.onnx_export import export_onnx

N_BANDS = 3


def rows(lengths, seed=0):
    """Spectrograms of given lengths, padded with NaN."""
    X = np.random.default_rng(seed).uniform(-1, 1, (len(lengths), max(*lengths, 1), N_BANDS))
    for row, length in zip(X, lengths, strict=True):
        row[length:] = np.nan
    return X.astype(np.float32)


def fitted(**parameters):
    given = {"n_units": 5, "n_layers": 2, "max_epochs": 3, "learning_rate": 0.03, "random_state": 0}
    return Seq2SeqAutoencoder(**{**given, **parameters}).fit(rows([9] * 12))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "encoder.onnx"


def run(path, X, lengths):
    session = onnxruntime.InferenceSession(path)
    inputs = {"sequences": X, "lengths": np.array(lengths, dtype=np.int64)}
    return session.run(["features"], inputs)[0]


@pytest.mark.parametrize(
    "representation", ["covariance", "statistics", "code", "both", "components", "states"]
)
@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_exported_model_gives_the_features_of_transform(path, cell, both_ways, representation):
    autoencoder = fitted(
        cell=cell,
        bidirectional_encoder=both_ways,
        bidirectional_decoder=True,
        representation=representation,
    )
    export_onnx(autoencoder, path)
    for lengths in ([9, 9, 9], [7], [1], [1, 12, 4, 30, 2], [3, 0, 5]):
        X = rows(lengths, seed=len(lengths))
        features = run(path, X, lengths)
        assert features.dtype == np.float32
        magnified = representation in ("covariance", "components")  # by logarithm or whitening
        atol = 5e-5 if magnified else 1e-5
        np.testing.assert_allclose(features, autoencoder.transform(X), atol=atol, rtol=0)


@pytest.mark.parametrize("representation", ["covariance", "components", "states"])
def test_the_exported_reservoir_gives_the_features_of_transform(path, representation):
    reservoir = ReservoirFeatures(6, representation=representation, random_state=0)
    reservoir.fit(rows([9] * 12))
    export_onnx(reservoir, path)
    X = rows([1, 12, 0])
    found = run(path, X, [1, 12, 0])
    np.testing.assert_allclose(found, reservoir.transform(X), atol=5e-5, rtol=0)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_exported_model_gives_the_mean_of_a_variational_code(path, cell):
    autoencoder = fitted(cell=cell, code="gaussian", representation="both")
    export_onnx(autoencoder, path)
    X = rows([9, 4])
    expected = autoencoder.transform(X)
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(run(path, X, [9, 4]), expected, atol=1e-5, rtol=0)


def test_an_exported_model_of_three_layers_gives_the_features_of_transform(path):
    autoencoder = fitted(n_units=64, n_layers=3, max_epochs=1, representation="both")
    lengths = [200, 3, 117]
    X = rows(lengths)
    export_onnx(autoencoder, path)
    np.testing.assert_allclose(run(path, X, lengths), autoencoder.transform(X), atol=1e-5, rtol=0)


def test_the_exported_model_ignores_what_lies_behind_the_end_of_a_clip(path):
    export_onnx(fitted(representation="both"), path)
    lengths = [4, 2, 6]
    X = rows(lengths)
    expected = run(path, X, lengths)
    np.testing.assert_array_equal(run(path, np.nan_to_num(X, nan=7), lengths), expected)
    longer = np.concatenate([X, np.full((3, 5, N_BANDS), -3, np.float32)], axis=1)
    np.testing.assert_allclose(run(path, longer, lengths), expected, atol=1e-6)
    np.testing.assert_allclose(run(path, X[1:2], lengths[1:2]), expected[1:2], atol=1e-6)


def test_the_exported_model_names_its_producer_and_its_inputs(path):
    export_onnx(fitted(), path)
    model = onnx.load(path)
    assert model.producer_name == "skaudeep"
    assert [value.name for value in model.graph.input] == ["sequences", "lengths"]
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in shape] == ["n_clips", "n_frames", N_BANDS]
    assert {node.domain for node in model.graph.node} == {""}


def test_export_onnx_does_not_change_the_estimator(path):
    autoencoder = fitted()
    before = autoencoder.transform(rows([4]))
    export_onnx(autoencoder, path)
    np.testing.assert_array_equal(autoencoder.transform(rows([4])), before)
    assert all(parameter.requires_grad for parameter in autoencoder.network_.parameters())


def test_export_onnx_refuses_what_it_cannot_write_and_keeps_the_old_file(path, monkeypatch):
    path.write_bytes(b"old")
    autoencoder = fitted()
    with pytest.raises(TypeError, match="export that step"):
        export_onnx(make_pipeline(autoencoder), path)
    with pytest.raises(NotFittedError):
        export_onnx(Seq2SeqAutoencoder(), path)
    other = fitted()
    other.network_ = torch.nn.Linear(1, 1)
    with pytest.raises(ValueError, match=r"Got a Linear.*skaudeep\.save"):
        export_onnx(other, path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"skaudeep\[onnx\]"):
        export_onnx(autoencoder, path)
    assert path.read_bytes() == b"old"
