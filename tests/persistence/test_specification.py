"""A model file is read as docs/reference/file-formats.md says, without skaudeep.

The reader below knows that page, NumPy and the standard library alone. It computes the features of
a clip from the file.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skaudeep

TYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "BOOL": "?"}


def read_arrays(data: bytes) -> dict[str, np.ndarray]:
    (length,) = struct.unpack("<Q", data[:8])
    arrays = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        values = np.frombuffer(data[begin:end], TYPES[entry["dtype"]])
        arrays[name] = values.reshape(entry["shape"])
    return arrays


def read_model(path: Path) -> Any:
    """Return the value of a model file; an estimator is (class, parameters, results)."""
    content = path.read_bytes()
    assert content[-40:-32] == b"\nSEALED\n"
    assert content[-32:] == hashlib.sha256(content[:-40]).digest()
    with zipfile.ZipFile(BytesIO(content)) as archive:
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    assert manifest["format"] == 1
    stated = {name: (entry["size"], entry["sha256"]) for name, entry in manifest["members"].items()}
    assert stated == {
        name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in members.items()
    }
    arrays = read_arrays(members["arrays.safetensors"])

    def decode(value: Any) -> Any:
        if isinstance(value, list):
            return [decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        [(kind, content)] = value.items()
        if kind == "array":
            return arrays[content]
        if kind == "scalar":
            return decode(content)[()]
        if kind == "dict":
            return {decode(key): decode(item) for key, item in content}
        if kind == "tuple":
            return tuple(decode(content))
        if kind == "network":
            name, sizes, prefix = content
            own = {
                key.removeprefix(prefix): a for key, a in arrays.items() if key.startswith(prefix)
            }
            return name, decode(sizes), own
        assert kind == "estimator"
        name, *values = content
        return name, *({key: decode(item) for key, item in part.items()} for part in values)

    return decode(json.loads(members["estimator.json"]))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def gru(x: np.ndarray, weights: dict[str, np.ndarray], prefix: str) -> np.ndarray:
    """Run one layer over the frames of x: (n_frames, n_inputs) to (n_frames, n_units)."""
    w, u, b, c = (
        weights[prefix + name].astype(float)
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    )
    h = np.zeros(u.shape[1])
    states = []
    for frame in x:
        (xr, xz, xn), (hr, hz, hn) = np.split(w @ frame + b, 3), np.split(u @ h + c, 3)
        z, n = sigmoid(xz + hz), np.tanh(xn + sigmoid(xr + hr) * hn)
        h = (1 - z) * n + z * h
        states.append(h)
    return np.array(states)


def pool(states: np.ndarray, center: np.ndarray, components: np.ndarray) -> np.ndarray:
    c = (states - center) @ components
    m, n, k = c.mean(axis=0), c.shape[1], min(20, c.shape[1])
    values, vectors = np.linalg.eigh((c - m).T @ (c - m) / len(c) + 0.03 * np.eye(n))
    logarithm = vectors @ np.diag(np.log(values)) @ vectors.T
    b, a = np.column_stack([c[:-4, :k], np.ones(len(c) - 4)]), c[4:, :k]
    transition = np.linalg.solve(b.T @ b / len(b) + 0.3 * np.eye(k + 1), b.T @ a / len(b))
    return np.concatenate([m, logarithm[np.triu_indices(n)], transition.ravel()])


@pytest.mark.parametrize("estimator", ["ReservoirFeatures", "Seq2SeqAutoencoder"])
def test_the_features_of_a_model_file_can_be_computed_by_the_specification_alone(
    estimator, tmp_path
):
    X = np.random.RandomState(0).uniform(-1, 1, (6, 12, 3)).astype(np.float32)
    if estimator == "ReservoirFeatures":
        features = skaudeep.ReservoirFeatures(4, n_layers=2, n_components=3, random_state=0)
    else:
        features = skaudeep.Seq2SeqAutoencoder(4, n_layers=2, max_epochs=1, random_state=0)
    pipeline = make_pipeline(features, StandardScaler()).fit(X)
    skaudeep.save(pipeline, tmp_path / "model.skaudeep")

    name, params, _ = read_model(tmp_path / "model.skaudeep")
    assert name == "Pipeline"
    (_, (stored, _, results)), (_, (scaler, _, scaling)) = params["steps"]
    assert (stored, scaler) == (estimator, "StandardScaler")
    network, sizes, weights = results["network_"]
    place = "" if network == "Reservoir" else "encoder."
    rows = []
    for clip in X.astype(float):
        directions = []
        for direction, step in enumerate((1, -1)):
            states = clip[::step]
            for layer in range(sizes["n_layers"]):
                prefix = f"{place}recurrent.stacks.{direction}.layers.{layer}."
                states = gru(states, weights, prefix)
            directions.append(states[::step])
        center = weights[f"{place}covariance.center"]
        components = weights[f"{place}covariance.components"]
        rows.append(pool(np.hstack(directions), center, components))
    scaled = (np.array(rows) - scaling["mean_"]) / scaling["scale_"]
    np.testing.assert_allclose(rows, pipeline[0].transform(X), atol=1e-5)
    np.testing.assert_allclose(scaled, pipeline.transform(X), atol=1e-4)


def test_one_wrong_bit_of_a_model_file_breaks_its_seal(tmp_path):
    path = tmp_path / "model.skaudeep"
    skaudeep.save(skaudeep.BandStatistics(), path)
    read_model(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(AssertionError):
        read_model(path)
