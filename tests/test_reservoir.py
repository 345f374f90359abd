"""ReservoirFeatures: the encoder of an untrained autoencoder, without the autoencoder."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudeep import FeatureFusion, ReservoirFeatures, Seq2SeqAutoencoder, load, save
from skaudeep.nn.backends import uses_kernels
from skaudeep.nn.bidirectional import DecoderStack
from skaudeep.nn.reservoir import Reservoir


def clips(n_clips=12, n_bands=5, seed=0):
    """Random walks in (-1, 1) of unequal length: (n_clips, 20, n_bands)."""
    X = np.random.default_rng(seed).normal(size=(n_clips, 20, n_bands)).cumsum(axis=1) / 5
    X = np.tanh(X).astype(np.float32)
    for row, clip in enumerate(X):
        clip[20 - row % 7 :] = np.nan if row % 7 else clip[20 - row % 7 :]
    return X


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("n_units", "n_layers", "n_bands"), [(8, 2, 5), (7, 3, 4), (32, 1, 17)])
def test_features_are_those_of_an_untrained_autoencoder(
    cell, bidirectional, n_units, n_layers, n_bands
):
    X = clips(n_bands=n_bands)
    reservoir = ReservoirFeatures(
        n_units, n_layers=n_layers, cell=cell, bidirectional=bidirectional, random_state=3
    ).fit(X)
    untrained = Seq2SeqAutoencoder(
        n_units,
        n_layers=n_layers,
        cell=cell,
        bidirectional_encoder=bidirectional,
        max_epochs=0,
        random_state=3,
    ).fit(X)
    np.testing.assert_allclose(reservoir.transform(X), untrained.transform(X), rtol=0, atol=1e-5)
    names = untrained.get_feature_names_out()
    assert reservoir.get_feature_names_out().tolist() == names.tolist()


def test_no_decoder_is_built_or_stored(monkeypatch, tmp_path):
    monkeypatch.setattr(DecoderStack, "__init__", lambda *_, **__: pytest.fail("a decoder"))
    reservoir = ReservoirFeatures(4, random_state=0).fit(clips())
    kinds = {name.split(".")[0] for name in reservoir.network_.state_dict()}
    assert kinds == {"recurrent", "covariance"}
    path = tmp_path / "reservoir.skaudeep"
    save(reservoir, path)
    np.testing.assert_array_equal(load(path).transform(clips()), reservoir.transform(clips()))


def test_the_number_of_components_sets_the_number_of_features():
    for n_components, expected in ((2, 2 * 5 // 2 + 2 * 3), (30, 30 * 33 // 2 + 20 * 21)):
        reservoir = ReservoirFeatures(16, n_components=n_components, random_state=0)
        features = reservoir.fit_transform(clips(40))
        assert features.shape == (40, expected)
        assert len(reservoir.get_feature_names_out()) == expected
    few = ReservoirFeatures(4, bidirectional=False, n_components=64, random_state=0)
    assert few.fit_transform(clips()).shape == (12, 4 * 7 // 2 + 4 * 5)  # 4 states have 4


def test_the_components_are_learned_from_the_training_clips():
    one, other = (ReservoirFeatures(8, random_state=0).fit(clips(seed=seed)) for seed in (0, 1))
    for name, weights in one.network_.state_dict().items():
        same = torch.equal(weights, other.network_.state_dict()[name])
        assert same == (not name.startswith("covariance"))


def test_global_generators_are_neither_read_nor_moved():
    X = clips()
    expected = ReservoirFeatures(8, random_state=0).fit_transform(X)
    torch.manual_seed(1)
    np.random.seed(1)
    states = torch.get_rng_state(), np.random.get_state()[1].tolist()
    np.testing.assert_array_equal(ReservoirFeatures(8, random_state=0).fit_transform(X), expected)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]


FEATURES = """
import sys, numpy as np
from skaudeep import ReservoirFeatures
X = np.tanh(np.random.default_rng(0).normal(size=(70, 30, 20)).cumsum(axis=1) / 5)
sys.stdout.buffer.write(ReservoirFeatures(128, random_state=0).fit_transform(X).tobytes())
"""


def test_features_have_the_same_bits_on_any_number_of_threads():
    """LAPACK rounds by their number: the orthogonal weights and the components would differ."""
    one, two = (
        subprocess.run(
            [sys.executable, "-c", FEATURES],
            env=os.environ | {"OMP_NUM_THREADS": n_threads, "MKL_NUM_THREADS": n_threads},
            check=True,
            capture_output=True,
        ).stdout
        for n_threads in ("1", "2")
    )
    assert len(one) == 70 * 2564 * 4
    assert one == two


def test_features_of_a_clip_do_not_depend_on_the_others():
    X = clips()
    reservoir = ReservoirFeatures(8, random_state=0).fit(X)
    features = reservoir.transform(X)
    for clip, row in zip(X, features, strict=True):
        alone = clip[~np.isnan(clip[:, 0])]
        np.testing.assert_allclose(reservoir.transform([alone])[0], row, rtol=0, atol=1e-6)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("representation", ["components", "states"])
def test_features_of_frames_are_those_of_the_states_alone_padded_and_in_any_batch(
    representation, bidirectional, tmp_path
):
    X = clips()
    # torch's rounding depends on the batch, and scaling to a variance of 1 magnifies it.
    atol = 1e-6 if uses_kernels() or representation == "states" else 1e-5
    reservoir = ReservoirFeatures(
        8, bidirectional=bidirectional, representation=representation, random_state=0
    )
    features = reservoir.fit_transform(X)
    n_states = 8 * (1 + bidirectional)
    assert features.shape == (12, 20, n_states)
    np.testing.assert_allclose(reservoir.transform(X), features, rtol=0, atol=atol)
    names = [f"{representation[:-1]}_{i}" for i in range(n_states)]
    assert reservoir.get_feature_names_out().tolist() == names
    missing = np.isnan(X[:, :, 0])
    assert (np.isnan(features) == missing[:, :, None]).all()
    for clip, row, gone in zip(X, features, missing, strict=True):
        np.testing.assert_allclose(
            reservoir.transform([clip[~gone]])[0], row[~gone], rtol=0, atol=atol
        )
        with torch.no_grad():
            states = reservoir.network_(torch.from_numpy(clip[~gone, None]))[:, 0]
        if representation == "components":
            covariance = reservoir.network_.covariance
            states = (states - covariance.center) @ covariance.components
        np.testing.assert_allclose(row[~gone], states, rtol=0, atol=1e-5)
    chunked = reservoir.transform(X.reshape(4, 3, 20, 5))
    np.testing.assert_allclose(chunked, features.reshape(4, 3, 20, n_states), rtol=0, atol=atol)
    save(reservoir, tmp_path / "reservoir.skaudeep")
    loaded = load(tmp_path / "reservoir.skaudeep")
    np.testing.assert_array_equal(loaded.transform(X), reservoir.transform(X))


def test_components_of_frames_have_unit_variance_over_the_training_frames():
    features = ReservoirFeatures(
        8, representation="components", n_components=3, random_state=0
    ).fit_transform(clips(60))
    np.testing.assert_allclose(np.nanmean(features, axis=(0, 1)), 0, atol=1e-4)
    np.testing.assert_allclose(np.nanstd(features, axis=(0, 1)), 1, atol=0.02)


@pytest.mark.parametrize("representation", ["components", "states"])
def test_features_of_frames_of_a_fold_are_those_without_shared_states(representation):
    X, train = clips(), [0, 2, 3, 5, 8, 9, 10]
    reservoir = ReservoirFeatures(8, representation=representation, random_state=0)
    pooling, states = reservoir.split_off_states(X)
    found = pooling.fit(states[train]).transform(states)
    np.testing.assert_allclose(found, reservoir.fit(X[train]).transform(X), rtol=0, atol=1e-5)


def test_features_of_frames_of_two_views_stand_side_by_side():
    X = clips()
    views = FeatureFusion(
        [
            (name, ReservoirFeatures(8, representation=name, random_state=0))
            for name in ("states", "components")
        ]
    )
    features = views.fit_transform(X)
    assert features.shape == (12, 20, 32)
    alone = ReservoirFeatures(8, representation="states", random_state=0).fit_transform(X)
    np.testing.assert_array_equal(features[..., :16], alone)


def test_classes_that_differ_in_the_order_of_events_are_told_apart():
    """Rising and falling ramps have the same mean and deviation in every band."""
    rng = np.random.default_rng(0)
    ramps = np.linspace(-1, 1, 20)[:, None] * rng.uniform(0.5, 1, (60, 1, 4))
    target = np.arange(60) % 2
    X = np.where(target[:, None, None], ramps, ramps[:, ::-1]) + rng.normal(0, 0.1, ramps.shape)
    pipeline = make_pipeline(
        ReservoirFeatures(16, random_state=0), StandardScaler(), LogisticRegression()
    )
    assert cross_val_score(pipeline, X, target, cv=3).mean() > 0.95


def test_the_encoder_serves_in_another_network():
    X = clips()
    reservoir = ReservoirFeatures(8, random_state=0).fit(X)
    lengths = torch.from_numpy((~np.isnan(X[:, :, 0])).sum(axis=1))
    with torch.no_grad():
        features = reservoir.encoder_(torch.from_numpy(np.nan_to_num(X)), lengths)
    np.testing.assert_allclose(features, reservoir.transform(X), atol=1e-5)
    with pytest.raises(NotFittedError):
        _ = ReservoirFeatures().encoder_


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("n_units", 0),
        ("n_units", (3, 4)),
        ("n_layers", 0),
        ("cell", "rnn"),
        ("n_components", 0),
        ("representation", "code"),
        ("device", None),
        ("bidirectional", "yes"),
    ],
)
def test_parameters_out_of_range_are_named(parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of ReservoirFeatures must be"):
        ReservoirFeatures(**{parameter: value}).fit(clips())


def test_nothing_but_padding_and_other_bands_are_refused():
    with pytest.raises(ValueError, match="nothing to fit to"):
        ReservoirFeatures(4).fit(np.full((2, 3, 4), np.nan))
    reservoir = ReservoirFeatures(4, random_state=0).fit(clips())
    with pytest.raises(ValueError, match=r"X has 3 bands .* was fitted on 5"):
        reservoir.transform(clips()[:, :, :3])


def test_fit_transform_runs_the_network_once_over_each_row(
    monkeypatch,
):
    X = np.random.default_rng(0).uniform(-1, 1, (9, 20, 4)).astype(np.float32)
    X[2, 5:] = X[7] = np.nan
    two_steps = ReservoirFeatures(5, random_state=0).fit(X).transform(X)
    run, forward = [], Reservoir.forward
    monkeypatch.setattr(
        Reservoir, "forward", lambda *args: run.append(args[1].shape[1]) or forward(*args)
    )
    np.testing.assert_allclose(
        ReservoirFeatures(5, random_state=0).fit_transform(X), two_steps, atol=1e-6
    )
    assert sum(run) == 8  # all but the one of nothing but padding
