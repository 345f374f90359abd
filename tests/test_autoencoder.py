"""Seq2SeqAutoencoder: what it learns, what it must not depend on, and what it refuses."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skaudeep
from skaudeep import LossCurveDisplay, Seq2SeqAutoencoder
from skaudeep.nn.backends import uses_kernels

SMALL = {"n_units": 6, "n_layers": 2, "max_epochs": 2, "batch_size": 4, "random_state": 0}
FAMILY = [
    (cell, encoder, decoder)
    for cell in ("gru", "lstm")
    for encoder in (False, True)
    for decoder in (False, True)
]


def tones(n_clips=24, n_frames=20, n_bands=5, seed=0):
    """Clips in which one band swells and fades; rising in half of them, falling in the others."""
    rng = np.random.default_rng(seed)
    time = np.arange(n_frames)[None, :, None]
    band = np.arange(n_bands)[None, None, :]
    rising = np.arange(n_clips)[:, None, None] % 2 == 0
    position = np.where(rising, time, n_frames - 1 - time) * (n_bands - 1) / (n_frames - 1)
    X = 2 * np.exp(-((band - position) ** 2)) - 1 + 0.05 * rng.normal(size=(n_clips, 1, 1))
    return np.clip(X, -1, 1).astype(np.float32), rising.ravel().astype(int)


def ragged(n_clips=10, n_bands=5, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 21, size=n_clips)
    lengths[0] = 20
    X = tones(n_clips, 20, n_bands)[0]
    for row, length in enumerate(lengths):
        X[row, length:] = np.nan
    return X, lengths


@pytest.mark.parametrize(("cell", "encoder", "decoder"), FAMILY)
def test_every_kind_of_network_learns(cell, encoder, decoder):
    """Far below the error of predicting the mean frame, which needs no network."""
    X, _ = tones()
    autoencoder = Seq2SeqAutoencoder(
        24,
        n_layers=2,
        cell=cell,
        bidirectional_encoder=encoder,
        bidirectional_decoder=decoder,
        max_epochs=25,
        batch_size=8,
        learning_rate=1e-2,
        dropout=0.0,
        random_state=0,
    ).fit(X)
    mean_frame_error = np.sqrt(((X - X.mean(axis=(0, 1))) ** 2).mean())
    assert len(autoencoder.loss_curve_) == 25
    assert autoencoder.loss_curve_[0] > 0.6 * mean_frame_error
    assert -autoencoder.score(X) < 0.4 * mean_frame_error


def test_the_code_separates_sequences_that_differ_only_in_their_order():
    X, y = tones(n_clips=40)
    assert np.allclose(X[0].mean(axis=0), X[1].mean(axis=0), atol=0.2)
    for representation in ("code", "statistics"):
        pipeline = make_pipeline(
            Seq2SeqAutoencoder(
                16, max_epochs=10, batch_size=8, representation=representation, random_state=0
            ),
            RidgeClassifier(),
        )
        assert pipeline.fit(X[:20], y[:20]).score(X[20:], y[20:]) == 1


@pytest.mark.parametrize("representation", ["covariance", "statistics", "code", "both"])
@pytest.mark.parametrize(
    ("cell", "encoder", "decoder"), [("gru", False, True), ("lstm", True, True)]
)
def test_features_of_a_clip_are_the_same_alone_padded_and_in_any_batch(
    cell, encoder, decoder, representation
):
    X, lengths = ragged(70)
    autoencoder = Seq2SeqAutoencoder(
        **{**SMALL, "batch_size": 64},
        cell=cell,
        bidirectional_encoder=encoder,
        bidirectional_decoder=decoder,
        representation=representation,
    ).fit(X)
    expected = autoencoder.transform(X)
    assert np.isfinite(expected).all()
    for batch_size in (1, 8, 64):
        features = autoencoder.set_params(batch_size=batch_size).transform(X)
        np.testing.assert_allclose(features, expected, atol=1e-6, rtol=0)
    alone = [autoencoder.transform(X[i : i + 1, :n]) for i, n in enumerate(lengths)]
    np.testing.assert_allclose(np.concatenate(alone), expected, atol=1e-6, rtol=0)
    more_padding = np.pad(X, [(0, 0), (0, 9), (0, 0)], constant_values=np.nan)
    np.testing.assert_allclose(autoencoder.transform(more_padding), expected, atol=1e-6, rtol=0)
    as_list = [x[:n] for x, n in zip(X, lengths, strict=True)]
    np.testing.assert_allclose(autoencoder.transform(as_list), expected, atol=1e-6, rtol=0)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(autoencoder.transform(X[order]), expected[order], atol=1e-6, rtol=0)


@pytest.mark.parametrize("axis", ["time", "frequency-time"])
@pytest.mark.parametrize("representation", ["components", "states"])
def test_features_of_frames_are_those_of_the_states_alone_padded_and_in_any_batch(
    axis, representation
):
    X, lengths = ragged(20)
    bands = {} if axis == "time" else {"band_window": 2, "band_overlap": 1}
    autoencoder = Seq2SeqAutoencoder(**SMALL, **bands, axis=axis, representation=representation)
    features = autoencoder.fit(X).transform(X)
    assert features.shape == (*X.shape[:2], 12)  # 2 directions of 6 units
    names = [f"{representation[:-1]}_{i}" for i in range(12)]
    assert autoencoder.get_feature_names_out().tolist() == names
    # torch's rounding depends on the batch, and scaling to a variance of 1 magnifies it.
    atol = 1e-6 if uses_kernels() or representation == "states" else 1e-5
    encoder = autoencoder.network_.encoder
    encoder = encoder.time if axis == "frequency-time" else encoder
    for x, row, n in zip(X, features, lengths, strict=True):
        assert np.isnan(row[n:]).all()
        alone = autoencoder.transform(x[None, :n])[0]
        np.testing.assert_allclose(row[:n], alone, atol=atol, rtol=0)
        with torch.no_grad():
            code = autoencoder.network_.encoder(torch.from_numpy(x[:n, None]))
            states = encoder.top_states(code)[:, 0]
        if representation == "components":
            covariance = encoder.covariance
            states = (states - covariance.center) @ covariance.components
        np.testing.assert_allclose(row[:n], states, atol=1e-5, rtol=0)
    chunked = autoencoder.transform(X.reshape(10, 2, *X.shape[1:]))
    np.testing.assert_allclose(chunked, features.reshape(10, 2, *features.shape[1:]), atol=atol)


def test_a_representation_of_frames_is_refused_where_frames_have_features_of_their_own():
    X, _ = tones(3)
    settings = {**SMALL, "axis": "frequency", "band_window": 2, "band_overlap": 1}
    with pytest.raises(ValueError, match=r"'states' with axis='frequency'.*Choose"):
        Seq2SeqAutoencoder(**settings, representation="states").fit(X)
    autoencoder = Seq2SeqAutoencoder(**settings).fit(X).set_params(representation="components")
    with pytest.raises(ValueError, match="'components' with axis='frequency'"):
        autoencoder.transform(X)


def test_training_does_not_depend_on_padding():
    X, lengths = ragged()
    padded = Seq2SeqAutoencoder(**SMALL).fit(X)
    from_list = Seq2SeqAutoencoder(**SMALL).fit([x[:n] for x, n in zip(X, lengths, strict=True)])
    assert padded.loss_curve_ == from_list.loss_curve_


def test_statistics_are_those_of_the_encoders_states():
    X, _ = tones(3)
    autoencoder = Seq2SeqAutoencoder(**SMALL, representation="statistics").fit(X)
    with torch.no_grad():
        code = autoencoder.network_.encoder(torch.from_numpy(X).transpose(0, 1))
    states = torch.cat(code.states, dim=2).numpy()  # 2 directions of 2 layers
    assert states.shape == (20, 3, 4 * 6)
    change = np.abs(np.diff(states, axis=0)).mean(0)
    expected = np.concatenate([states.mean(0), states.std(0), states.max(0), change], axis=1)
    np.testing.assert_allclose(autoencoder.transform(X), expected, atol=1e-6)


def test_feature_names_match_the_representation():
    X, _ = tones(3)
    autoencoder = Seq2SeqAutoencoder(
        2, max_epochs=0, n_layers=1, bidirectional_encoder=False, representation="both"
    ).fit(X)
    kinds = ("mean", "std", "max", "change", "code")
    names = [f"{kind}_{unit}" for kind in kinds for unit in range(2)]
    assert autoencoder.get_feature_names_out().tolist() == names
    frame = autoencoder.set_output(transform="pandas").transform(X)
    assert frame.columns.tolist() == names
    covariance = autoencoder.set_params(representation="covariance").get_feature_names_out()
    assert covariance.tolist() == [
        *("mean_0", "mean_1", "covariance_0_0", "covariance_0_1", "covariance_1_1"),
        *("transition_0_0", "transition_0_1", "transition_1_0", "transition_1_1"),
        *("intercept_0", "intercept_1"),
    ]


def test_the_covariance_is_that_of_the_whitened_top_states():
    """The principal components are taken from all true frames of the training data."""
    X, lengths = ragged(40)
    autoencoder = Seq2SeqAutoencoder(**SMALL).fit(X)
    encoder = autoencoder.network_.encoder
    rows = [torch.from_numpy(x[None, :n]) for x, n in zip(X, lengths, strict=True)]
    with torch.no_grad():
        codes = [encoder(row.transpose(0, 1)) for row in rows]
    top = [torch.cat([c.states[1], c.states[3]], dim=2)[:, 0].double().numpy() for c in codes]
    whitened = (np.concatenate(top) - encoder.covariance.center.numpy()) @ (
        encoder.covariance.components.numpy()
    )
    np.testing.assert_allclose(whitened.mean(axis=0), 0, atol=1e-4)
    covariance = np.cov(whitened.T, bias=True)
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=1e-3)
    assert (np.diag(covariance) < 1.001).all()
    assert np.diag(covariance)[0] == pytest.approx(1 / 1.001, abs=1e-3)
    names = autoencoder.get_feature_names_out().tolist()
    features = autoencoder.transform(X)
    start = 0
    for row, n in zip(features, lengths, strict=True):
        own = whitened[start : start + n]
        start += n
        values, vectors = np.linalg.eigh(np.cov(own.T, bias=True) + 0.03 * np.eye(12))
        logarithm = (vectors * np.log(values)) @ vectors.T
        np.testing.assert_allclose(row[:12], own.mean(axis=0), atol=1e-4)
        np.testing.assert_allclose(row[12:90], logarithm[np.triu_indices(12)], atol=1e-3)
        assert row[names.index("covariance_2_5")] == pytest.approx(logarithm[2, 5], abs=1e-3)


def test_components_are_fitted_to_a_sample_of_many_rows(monkeypatch):
    X, _ = tones(40)
    monkeypatch.setattr("skaudeep.training.components.COMPONENT_ROWS", 10)
    sampled = Seq2SeqAutoencoder(**SMALL).fit(X)
    again = Seq2SeqAutoencoder(**SMALL).fit(X)
    np.testing.assert_array_equal(sampled.transform(X), again.transform(X))
    monkeypatch.undo()
    everything = Seq2SeqAutoencoder(**SMALL).fit(X)
    assert sampled.loss_curve_ == everything.loss_curve_
    assert not np.allclose(sampled.transform(X), everything.transform(X))


def test_a_fit_without_a_data_frame_drops_feature_names_in():
    X, _ = tones(3)
    frame = pd.DataFrame(X[:, :, 0]).add_prefix("t")
    autoencoder = Seq2SeqAutoencoder(**SMALL).fit(frame)
    assert autoencoder.feature_names_in_.tolist() == frame.columns.tolist()
    assert not hasattr(autoencoder.fit(X), "feature_names_in_")


def test_chunks_are_encoded_each_like_a_clip():
    X, _ = tones(12)
    chunked = X.reshape(4, 3, *X.shape[1:]).copy()
    chunked[2, 1:] = np.nan  # a clip of one chunk
    autoencoder = Seq2SeqAutoencoder(**SMALL).fit(X)
    features = autoencoder.transform(chunked)
    assert features.shape == (4, 3, 246)
    assert np.isnan(features[2, 1:]).all()
    expected = autoencoder.transform(X).reshape(4, 3, 246)
    np.testing.assert_allclose(features[[0, 1, 3]], expected[[0, 1, 3]], atol=1e-6)
    assert np.isfinite(Seq2SeqAutoencoder(**SMALL).fit(chunked).transform(chunked[:2])).all()


def test_a_row_of_nan_is_left_out_of_fit_and_gives_a_row_of_nan():
    X, _ = tones(9)
    with_gap = np.insert(X, 4, np.nan, axis=0)
    autoencoder = Seq2SeqAutoencoder(**SMALL).fit(with_gap)
    assert autoencoder.loss_curve_ == Seq2SeqAutoencoder(**SMALL).fit(X).loss_curve_
    features = autoencoder.transform(with_gap)
    assert np.isnan(features[4]).all()
    assert np.isfinite(np.delete(features, 4, axis=0)).all()


def test_reconstruction_keeps_shape_and_padding_and_its_error_is_the_score():
    X, _ = ragged()
    autoencoder = Seq2SeqAutoencoder(**SMALL, bidirectional_decoder=True).fit(X)
    rebuilt = autoencoder.reconstruct(X)
    assert np.array_equal(np.isnan(rebuilt), np.isnan(X))
    assert autoencoder.score(X) == pytest.approx(-np.sqrt(np.nanmean((rebuilt - X) ** 2)), rel=1e-5)
    assert autoencoder.reconstruct(X[None]).shape == (1, *X.shape)


def test_a_plain_matrix_comes_back_as_sequences_of_one_band():
    X = tones()[0][:, :, 0]
    autoencoder = Seq2SeqAutoencoder(**SMALL, representation="code").fit(X)
    assert autoencoder.reconstruct(X).shape == (*X.shape, 1)
    assert autoencoder.inverse_transform(autoencoder.transform(X)).shape == (*X.shape, 1)
    error = ((autoencoder.reconstruct(X)[:, :, 0] - X) ** 2).mean()
    assert autoencoder.score(X) == pytest.approx(-np.sqrt(error), rel=1e-5)


def test_values_outside_minus_one_to_one_get_a_linear_output():
    X, _ = tones()
    autoencoder = Seq2SeqAutoencoder(**{**SMALL, "learning_rate": 0.05})
    assert autoencoder.fit(X).out_activation_ == "tanh"
    autoencoder.set_params(max_epochs=20).fit(X + 3)
    assert autoencoder.out_activation_ == "identity"
    assert autoencoder.reconstruct(X + 3).max() > 2


def test_the_same_seed_gives_the_same_bits_and_global_state_stays(monkeypatch):
    X, _ = ragged()
    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    settings = torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()
    first = Seq2SeqAutoencoder(**SMALL).fit(X)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert settings == (
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
    )
    torch.manual_seed(6)
    second = Seq2SeqAutoencoder(**SMALL).fit(X)
    assert first.loss_curve_ == second.loss_curve_
    assert np.array_equal(first.transform(X), second.transform(X))
    other = Seq2SeqAutoencoder(**{**SMALL, "random_state": 1}).fit(X)
    assert not np.array_equal(first.transform(X), other.transform(X))


def test_zero_epochs_keep_the_random_weights():
    X, _ = tones()
    untrained = Seq2SeqAutoencoder(**{**SMALL, "max_epochs": 0}).fit(X)
    trained = Seq2SeqAutoencoder(**SMALL).fit(X)
    assert untrained.loss_curve_ == []
    assert untrained.transform(X).shape == trained.transform(X).shape
    assert not np.allclose(untrained.transform(X), trained.transform(X))


def test_bf16_trains_to_nearly_the_same_loss_and_leaves_float32(monkeypatch):
    # Also where the processor has no such arithmetic, and `fit` would take float32.
    monkeypatch.setattr("skaudeep.nn.devices._cpu_multiplies_bf16", lambda: True)
    X, _ = tones()
    settings = {**SMALL, "n_units": 24, "max_epochs": 15, "batch_size": 8, "learning_rate": 5e-3}
    for cell in ("gru", "lstm"):
        full = Seq2SeqAutoencoder(**settings, cell=cell).fit(X)
        half = Seq2SeqAutoencoder(**settings, cell=cell, precision="bf16").fit(X)
        assert half.loss_curve_ != full.loss_curve_
        assert half.loss_curve_[-1] == pytest.approx(full.loss_curve_[-1], rel=0.05)
        assert {p.dtype for p in half.network_.parameters()} == {torch.float32}
        assert half.transform(X).dtype == np.float32
    ragged_X, _ = ragged()
    assert np.isfinite(
        Seq2SeqAutoencoder(**SMALL, precision="bf16").fit(ragged_X).loss_curve_
    ).all()


def test_a_pickle_predicts_the_same_in_a_fresh_process(tmp_path):
    X, _ = ragged()
    autoencoder = Seq2SeqAutoencoder(**SMALL).fit(X)
    joblib.dump((autoencoder, X), tmp_path / "model.joblib")
    code = (
        "import joblib, numpy, sys; m, X = joblib.load(sys.argv[1]); "
        "numpy.save(sys.argv[2], m.transform(X))"
    )
    arguments = [str(tmp_path / "model.joblib"), str(tmp_path / "features.npy")]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
    assert np.array_equal(np.load(tmp_path / "features.npy"), autoencoder.transform(X))


def test_a_clone_is_unfitted_and_a_pickle_is_small():
    X, _ = tones()
    autoencoder = Seq2SeqAutoencoder(**SMALL).fit(X)
    with pytest.raises(NotFittedError):
        clone(autoencoder).transform(X)
    n_weights = sum(p.numel() for p in autoencoder.network_.parameters())
    assert len(pickle.dumps(autoencoder)) < 4 * n_weights + 20_000  # no optimiser state


class Recorder:
    """A callback that notes epochs and stops after a number of them."""

    def __init__(self, stop_after):
        self.stop_after = stop_after
        self.features = []
        self.log = []

    def setup(self, estimator, context):
        self.log.append("setup")

    def teardown(self, estimator, context):
        self.log.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, X, fitted_estimator):
        if context.task_name == "epoch":
            self.features.append(fitted_estimator.transform(X))
            return len(self.features) == self.stop_after
        self.log.append(context.task_name)
        return None


def test_a_callback_sees_a_usable_estimator_every_epoch_and_can_stop():
    X, _ = tones()
    recorder = Recorder(stop_after=3)
    autoencoder = Seq2SeqAutoencoder(**{**SMALL, "max_epochs": 9}).set_callbacks(recorder).fit(X)
    assert len(autoencoder.loss_curve_) == 3
    assert recorder.log == ["setup", "fit", "teardown"]
    assert not np.allclose(recorder.features[0], recorder.features[1])
    assert np.array_equal(recorder.features[2], autoencoder.transform(X))


AXES = {
    "time": {},
    "frequency": {"axis": "frequency", "band_window": 2, "band_overlap": 1},
    "frequency-time": {
        "axis": "frequency-time",
        "band_window": 2,
        "band_overlap": 1,
        "n_units": (4, 6),
        "n_layers": (1, 2),
    },
}


@pytest.fixture(params=AXES)
def any_axis(request):
    return {**SMALL, **AXES[request.param]}


def test_each_axis_gives_features_of_the_documented_shape(any_axis):
    X, lengths = ragged(6)
    both = Seq2SeqAutoencoder(**{**any_axis, "representation": "both"}).fit(X)
    features = both.transform(X)
    n_features = len(both.get_feature_names_out())
    if any_axis.get("axis") != "frequency":
        assert features.shape == (6, n_features)
        assert np.isfinite(features).all()
        return
    assert features.shape == (6, 20, n_features)  # the time axis stays
    for row, length in zip(features, lengths, strict=True):
        assert np.isfinite(row[:length]).all()
        assert np.isnan(row[length:]).all()
    chunks = both.transform(X.reshape(2, 3, *X.shape[1:]))
    assert chunks.shape == (2, 3, 20, n_features)
    np.testing.assert_allclose(chunks.reshape(features.shape), features, atol=1e-6)


def test_a_frequency_autoencoder_feeds_a_time_autoencoder():
    X, _ = ragged(6)
    chain = make_pipeline(
        Seq2SeqAutoencoder(**{**SMALL, **AXES["frequency"], "representation": "code"}),
        Seq2SeqAutoencoder(**SMALL),
    ).fit(X)
    assert chain[1].n_features_in_ == chain[0].network_.code_size
    assert chain.transform(X).shape == (6, 246)


def test_features_over_any_axis_do_not_depend_on_padding_or_batch(any_axis):
    X, lengths = ragged(12)
    autoencoder = Seq2SeqAutoencoder(**any_axis).fit(X)
    expected = autoencoder.transform(X)
    alone = [autoencoder.transform(X[i : i + 1, :n])[0] for i, n in enumerate(lengths)]
    if any_axis.get("axis") == "frequency":
        expected = np.concatenate([row[:n] for row, n in zip(expected, lengths, strict=True)])
        alone = np.concatenate(alone)
    np.testing.assert_allclose(alone, expected, atol=1e-6, rtol=0)


def test_codes_decode_to_sequences_of_any_length(any_axis):
    X, _ = ragged(6)
    autoencoder = Seq2SeqAutoencoder(**{**any_axis, "representation": "both"}).fit(X)
    features = autoencoder.transform(X)
    size = autoencoder.network_.code_size
    rebuilt = autoencoder.inverse_transform(features)
    assert rebuilt.shape == X.shape
    if any_axis.get("axis") == "frequency":
        assert np.array_equal(np.isnan(rebuilt), np.isnan(X))
        return
    assert np.abs(rebuilt).max() <= 1
    np.testing.assert_array_equal(autoencoder.inverse_transform(features[:, -size:]), rebuilt)
    short = autoencoder.inverse_transform(np.insert(features, 2, np.nan, axis=0), n_frames=3)
    assert short.shape == (7, 3, 5)
    assert np.isnan(short[2]).all()
    assert np.isfinite(np.delete(short, 2, axis=0)).all()
    chunks = autoencoder.inverse_transform(features.reshape(2, 3, -1))
    np.testing.assert_allclose(chunks.reshape(rebuilt.shape), rebuilt, atol=1e-6)


def test_a_trained_code_decodes_to_what_it_came_from():
    """Rising and falling tones from the code alone, nearer to their own kind than to the other."""
    X, y = tones(40)
    autoencoder = Seq2SeqAutoencoder(
        32,
        n_layers=1,
        representation="code",
        max_epochs=60,
        batch_size=8,
        learning_rate=1e-2,
        dropout=0.0,
        feed_previous_prob={0: 0.0, 25: 0.8},
        random_state=0,
    ).fit(X)
    rebuilt = autoencoder.inverse_transform(autoencoder.transform(X))
    kinds = np.stack([X[y == kind].mean(axis=0) for kind in (0, 1)])
    errors = np.sqrt(((rebuilt[:, None] - kinds) ** 2).mean(axis=(2, 3)))
    assert (errors.argmin(axis=1) == y).all()
    assert errors.min(axis=1).max() < 0.5 * np.sqrt(((kinds[0] - kinds[1]) ** 2).mean())


def test_inverse_transform_names_a_number_of_frames_that_cannot_be():
    X = np.random.default_rng(0).uniform(-1, 1, (4, 5, 3))
    settings = {"n_layers": 1, "max_epochs": 0, "representation": "code", "random_state": 0}
    autoencoder = Seq2SeqAutoencoder(4, **settings).fit(X)
    codes = autoencoder.transform(X)
    for n_frames in (0, -1, 2.5, "3"):
        with pytest.raises(ValueError, match=f"n_frames={n_frames!r}, expected an integer"):
            autoencoder.inverse_transform(codes, n_frames=n_frames)
    with pytest.raises(MemoryError, match="n_frames=1000000000000000: 4 sequences of so many"):
        autoencoder.inverse_transform(codes, n_frames=10**15)
    bands = {"axis": "frequency", "band_window": 2, "band_overlap": 1}
    per_frame = Seq2SeqAutoencoder(4, **settings, **bands).fit(X)
    with pytest.raises(ValueError, match="n_frames=6, expected the 5 of X"):
        per_frame.inverse_transform(per_frame.transform(X), n_frames=6)


def test_inverse_transform_refuses_what_is_no_code():
    X, _ = tones(4)
    autoencoder = Seq2SeqAutoencoder(**SMALL).fit(X)  # covariances
    with pytest.raises(ValueError, match=r"X has 246 numbers a row, features of .* do not tell"):
        autoencoder.inverse_transform(autoencoder.transform(X))
    with pytest.raises(ValueError, match="X has 5 numbers a row, expected a code of 12"):
        autoencoder.inverse_transform(np.zeros((2, 5)))
    with pytest.raises(
        ValueError, match=r"X has shape \(1, 1, 2, 12\), expected \(n_clips, code\)"
    ):
        autoencoder.inverse_transform(np.zeros((1, 1, 2, 12)))
    assert autoencoder.inverse_transform(np.zeros((2, 12))).shape == (2, 20, 5)


def test_a_gaussian_code_is_drawn_and_decoded():
    X, _ = tones(24)
    settings = {**SMALL, "max_epochs": 30, "batch_size": 8, "learning_rate": 5e-3}
    held, free = (
        Seq2SeqAutoencoder(**settings, code="gaussian", kl_weight=weight, representation="code")
        .fit(X)
        .transform(X)
        for weight in ({0: 0.0, 10: 1.0}, 0.0)
    )
    assert np.abs(held).mean() < 0.5 * np.abs(free).mean()  # held close to the standard one
    settings["max_epochs"] = 3
    autoencoder = Seq2SeqAutoencoder(**settings, code="gaussian", kl_weight=0.1).fit(X)
    codes = np.random.default_rng(0).normal(size=(5, autoencoder.network_.code_size))
    drawn = autoencoder.inverse_transform(codes)
    assert drawn.shape == (5, 20, 5)
    assert np.isfinite(drawn).all()
    assert len(np.unique(drawn.round(6), axis=0)) == 5


def test_partial_fits_are_epochs_of_one_fit(any_axis):
    X, _ = ragged()
    whole = Seq2SeqAutoencoder(**{**any_axis, "max_epochs": 3}).fit(X)
    steps = Seq2SeqAutoencoder(**any_axis)
    for n_epochs in (1, 2, 3):
        assert len(steps.partial_fit(X).loss_curve_) == n_epochs
        if n_epochs == 2:
            steps = pickle.loads(pickle.dumps(steps))
    assert steps.loss_curve_ == whole.loss_curve_
    assert np.array_equal(steps.transform(X), whole.transform(X), equal_nan=True)


def test_training_goes_on_with_other_data_of_the_same_bands():
    X, _ = tones()
    autoencoder = Seq2SeqAutoencoder(**SMALL).partial_fit(X)
    before = autoencoder.transform(X)
    autoencoder.partial_fit(tones(5, 30, seed=1)[0])
    assert autoencoder.n_frames_ == 30
    assert not np.array_equal(autoencoder.transform(X), before)
    with pytest.raises(ValueError, match=r"X has 4 bands .* was fitted on 5"):
        autoencoder.partial_fit(tones(n_bands=4)[0])


def test_a_warm_start_continues_and_a_cold_one_starts_from_new_weights():
    X, _ = ragged()
    whole = Seq2SeqAutoencoder(**{**SMALL, "max_epochs": 4}).fit(X)
    warm = Seq2SeqAutoencoder(**SMALL, warm_start=True).fit(X).fit(X)
    assert warm.loss_curve_ == whole.loss_curve_
    assert np.array_equal(warm.transform(X), whole.transform(X))
    cold = Seq2SeqAutoencoder(**SMALL).fit(X).fit(X)
    assert cold.loss_curve_ == whole.loss_curve_[:2]
    assert cold.moments_ is None


def test_a_warm_start_with_another_network_is_refused():
    X, _ = ragged()
    autoencoder = Seq2SeqAutoencoder(**SMALL, warm_start=True).fit(X)
    for name, value in (("n_units", 7), ("code", "gaussian"), ("cell", "lstm")):
        before = getattr(autoencoder, name)
        with pytest.raises(
            ValueError, match=rf"{name} is {value!r}, but the network .* {before!r}"
        ):
            autoencoder.set_params(**{name: value}).fit(X)
        autoencoder.set_params(**{name: before})
    assert len(autoencoder.fit(X).loss_curve_) == 4


def test_dropout_and_noise_may_change_between_trainings(any_axis, tmp_path):
    X, _ = ragged()
    trained = Seq2SeqAutoencoder(**any_axis, warm_start=True).fit(X)
    skaudeep.save(trained, tmp_path / "model.skaudeep")
    changes = {"dropout": 0.0, "encoder_noise": 0.5}
    same = skaudeep.load(tmp_path / "model.skaudeep").fit(X)
    other = skaudeep.load(tmp_path / "model.skaudeep").set_params(**changes).fit(X)
    assert same.loss_curve_[:2] == other.loss_curve_[:2] == trained.loss_curve_
    assert same.loss_curve_[2] != other.loss_curve_[2]
    # What the new training does is what one with these rates from the start does.
    step = Seq2SeqAutoencoder(**any_axis | changes).partial_fit(X)
    late = Seq2SeqAutoencoder(**any_axis | {"max_epochs": 0}).fit(X).set_params(**changes)
    assert late.partial_fit(X).loss_curve_ == step.loss_curve_
    assert np.array_equal(late.transform(X), step.transform(X), equal_nan=True)
    assert late.network_.sizes == step.network_.sizes


PAIRS = {
    "bidirectional_encoder": (True, False),
    "bidirectional_decoder": (False, True),
    "encoder_noise": (0.4, 0.0),
    "feed_previous_prob": (0.0, {0: 0.0, 1: 0.5}),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_is_over_frequency_and_time_and_one_value_is_both(name):
    X, _ = tones(6)

    def loss(value):
        both = {**SMALL, **AXES["frequency-time"], "batch_size": 8, name: value}
        return Seq2SeqAutoencoder(**both).fit(X).loss_curve_

    one = PAIRS[name][0]
    assert loss((one, one)) == loss([one, one]) == loss(one)
    assert len({tuple(loss(value)) for value in (one, PAIRS[name], PAIRS[name][::-1])}) == 3


def test_a_model_with_pairs_is_stored_copied_and_searched(tmp_path):
    X, _ = tones(6)
    parameters = {**SMALL, **AXES["frequency-time"], **PAIRS}
    fitted = Seq2SeqAutoencoder(**parameters).fit(X)
    skaudeep.save(fitted, tmp_path / "pairs.skaudeep")
    for again in (skaudeep.load(tmp_path / "pairs.skaudeep"), pickle.loads(pickle.dumps(fitted))):
        assert again.get_params() == fitted.get_params()
        assert again.network_.sizes == fitted.network_.sizes
        assert np.array_equal(again.transform(X), fitted.transform(X))
        assert again.partial_fit(X).loss_curve_ == copy.deepcopy(fitted).partial_fit(X).loss_curve_
    assert clone(fitted).get_params() == fitted.get_params()
    search = GridSearchCV(clone(fitted), {"bidirectional_encoder": [True, (True, False)]}, cv=2)
    assert search.fit(X).cv_results_["mean_test_score"].shape == (2,)
    # The time network alone decides whether clips can be read frame by frame.
    states = fitted.set_params(representation="states").transform(X)
    part, _ = fitted.encoder_.carry_on(torch.from_numpy(X[:, :7]))
    np.testing.assert_allclose(part.detach(), states[:, :7], atol=1e-6)


def test_validation_rows_are_not_trained_on_and_the_best_weights_are_kept():
    X, _ = tones(20)
    autoencoder = Seq2SeqAutoencoder(
        **{**SMALL, "max_epochs": 12, "learning_rate": {0: 5e-3, 8: 5e-3, 9: 0.5}},
        validation_fraction=0.25,
    ).fit(X)
    curve = autoencoder.validation_loss_curve_
    assert len(curve) == 12
    assert np.argmin(curve) < 9  # the rate then throws the weights about
    held_out = autoencoder._split(np.arange(20), 0.25)[1]
    assert len(held_out) == 5
    assert -autoencoder.score(X[held_out]) == pytest.approx(min(curve), rel=1e-5)
    X[held_out] = 0.5
    other = clone(autoencoder).fit(X)
    assert other.loss_curve_[0] == autoencoder.loss_curve_[0]
    assert other.validation_loss_curve_[0] != curve[0]


@pytest.mark.parametrize("fraction", [0.0, 0.25])
def test_early_stopping_ends_training_without_improvement(fraction):
    X, _ = tones(20)
    autoencoder = Seq2SeqAutoencoder(
        **{**SMALL, "max_epochs": 40, "learning_rate": {4: 5e-3, 5: 1.0}, "gradient_clip": 1e3},
        validation_fraction=fraction,
        n_iter_no_change=3,
    ).fit(X)
    curve = autoencoder.validation_loss_curve_ or autoencoder.loss_curve_
    assert len(curve) == np.argmin(curve) + 4 < 40


@pytest.mark.parametrize(("before", "then"), [(0.0, 0.25), (0.25, 0.0)])
def test_a_training_that_goes_on_compares_its_own_epochs(before, then):
    X, _ = tones(20)
    autoencoder = Seq2SeqAutoencoder(
        **{**SMALL, "max_epochs": 3}, warm_start=True, validation_fraction=before
    ).fit(X)
    autoencoder.set_params(
        max_epochs=9, validation_fraction=then, n_iter_no_change=2, learning_rate=0.5
    ).fit(X)
    validated = np.isfinite(autoencoder.validation_loss_curve_)
    curve = autoencoder.validation_loss_curve_ if then else autoencoder.loss_curve_
    own = curve[3:]
    assert len(own) == np.argmin(own) + 3 < 9
    assert validated.tolist() == [before > 0] * 3 + [then > 0] * len(own)
    if then:
        held_out = autoencoder._split(np.arange(20), then)[1]
        assert -autoencoder.score(X[held_out]) == pytest.approx(min(own), rel=1e-5)
    LossCurveDisplay.from_estimator(autoencoder)


def test_a_validation_fraction_that_leaves_no_rows_is_refused():
    with pytest.raises(ValueError, match=r"validation_fraction=0.01 of 24 rows leaves 24 to train"):
        Seq2SeqAutoencoder(**SMALL, validation_fraction=0.01).fit(tones()[0])


def test_scores_are_those_of_the_reconstruction():
    X, _ = ragged()
    autoencoder = Seq2SeqAutoencoder(**SMALL).fit(X)
    error = (autoencoder.reconstruct(X) - X) ** 2
    with_nothing = np.insert(X, 2, np.nan, axis=0)
    frames = autoencoder.score_frames(with_nothing)
    samples = autoencoder.score_samples(with_nothing)
    assert np.isnan(frames[2]).all()
    assert np.isnan(samples[2])
    np.testing.assert_allclose(
        np.delete(frames, 2, axis=0), -np.sqrt(error.mean(axis=2)), rtol=1e-4
    )
    np.testing.assert_allclose(
        np.delete(samples, 2), -np.sqrt(np.nanmean(error, axis=(1, 2))), rtol=1e-4
    )
    chunks = autoencoder.score_samples(X.reshape(2, 5, *X.shape[1:]))
    np.testing.assert_allclose(chunks.ravel(), np.delete(samples, 2), rtol=1e-4)


@pytest.mark.parametrize("axis", ["time", "frequency"])
def test_a_network_trained_free_running_is_scored_free_running(axis):
    X, _ = tones(6)
    bands = {"axis": axis, "band_window": 2, "band_overlap": 1}
    free = Seq2SeqAutoencoder(
        **SMALL, **bands, representation="code", feed_previous_prob={0: 0.0, 1: 1.0}
    ).fit(X)
    before = torch.random.get_rng_state()
    samples = free.score_samples(X)
    assert torch.equal(torch.random.get_rng_state(), before)
    error = (free.inverse_transform(free.transform(X), n_frames=X.shape[1]) - X) ** 2
    np.testing.assert_allclose(samples, -np.sqrt(error.mean(axis=(1, 2))), rtol=1e-4)
    forced = (free.reconstruct(X) - X) ** 2
    assert not np.allclose(samples, -np.sqrt(forced.mean(axis=(1, 2))), rtol=1e-3)


def test_masked_silence_does_not_count_in_scores():
    X, _ = tones(4)
    X[:, 10:] = -1
    autoencoder = Seq2SeqAutoencoder(**SMALL, mask_silence=True).fit(X)
    rebuilt = autoencoder.reconstruct(X)
    sounding = X > -1
    error = np.sqrt(((rebuilt - X)[sounding] ** 2).mean())
    assert -autoencoder.score(X) == pytest.approx(error, rel=1e-5)
    assert not autoencoder.score_frames(X)[:, 10:].any()


def test_silence_alone_is_refused_where_it_is_masked_and_scores_zero():
    X, _ = tones(4)
    silent = np.full_like(X, -1)
    autoencoder = Seq2SeqAutoencoder(**SMALL, mask_silence=True)
    for X_in in (silent, list(silent), np.concatenate([silent, np.full_like(silent, np.nan)])):
        with pytest.raises(ValueError, match=r"mask_silence=True with 4 of.*to train on.*above -1"):
            autoencoder.fit(X_in)
    with pytest.raises(ValueError, match="4 of the sequences to train on"):
        autoencoder.partial_fit(silent)
    assert autoencoder.fit(X).score(silent) == 0
    assert not autoencoder.score_samples(silent).any()


def test_validation_on_silence_alone_is_refused_where_it_is_masked():
    X, _ = tones(4)
    autoencoder = Seq2SeqAutoencoder(**SMALL, mask_silence=True, validation_fraction=0.25)
    _, (held_out,) = autoencoder.fit(X)._split(np.arange(4), 0.25)
    X[held_out] = -1
    with pytest.raises(ValueError, match="1 of the sequences to validate on"):
        autoencoder.fit(X)
    X[held_out, 0, 0] = 0
    assert np.isfinite(autoencoder.fit(X).validation_loss_curve_).all()


def test_the_encoder_computes_the_features_inside_another_network():
    X, lengths = ragged(6)
    autoencoder = Seq2SeqAutoencoder(**SMALL, representation="both").fit(X)
    batch = torch.from_numpy(np.nan_to_num(X))
    with torch.no_grad():
        features = autoencoder.encoder_(batch, torch.from_numpy(lengths))
    np.testing.assert_allclose(features, autoencoder.transform(X), atol=1e-6)
    with pytest.raises(NotFittedError):
        _ = Seq2SeqAutoencoder().encoder_


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"axis": "frequency", "band_overlap": 32}, "band_overlap=32 is not smaller than"),
        ({"axis": "frequency"}, "band_window=32 is wider than the 5 bands of X"),
        ({"axis": "frequency-time"}, "band_window=32 is wider than the 5 bands of X"),
        ({"n_units": (3, 4)}, r"Got n_units=\(3, 4\) with axis='time', expected a positive"),
        ({"axis": "frequency-time", "n_units": (3, 0)}, r"Got n_units=\(3, 0\) with"),
        ({"axis": "frequency-time", "n_layers": (1, 2, 3)}, r"Got n_layers=\(1, 2, 3\) with"),
        ({"encoder_noise": (0, 0.5)}, r"Got encoder_noise=\(0, 0.5\) with axis='time', expected"),
        ({"axis": "frequency", "bidirectional_encoder": (True, False)}, "with axis='frequency'"),
        (
            {"axis": "frequency-time", "bidirectional_decoder": (True, 0.5)},
            r"bidirectional_decoder=\(True, 0.5\) with axis='frequency-time', expected True or",
        ),
        ({"axis": "frequency-time", "encoder_noise": (0, 1)}, r"Got encoder_noise=\(0, 1\) with"),
        ({"axis": "frequency-time", "feed_previous_prob": (0, {0: 2})}, r"\{0: 2\}, expected a nu"),
        ({"feed_previous_prob": {0: 1.5}}, r"Got feed_previous_prob=\{0: 1.5\}, expected a number"),
        ({"learning_rate": {}}, r"Got learning_rate=\{\}, expected a number, or a dict of epochs"),
        ({"kl_weight": {-1: 0.5}}, r"Got kl_weight=\{-1: 0.5\}, expected a number, or a dict"),
    ],
)
def test_parameters_that_contradict_each_other_or_the_data_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        Seq2SeqAutoencoder(**{**SMALL, **parameters}).fit(tones(2)[0])


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("axis", "bands"),
        ("band_window", 0),
        ("band_overlap", -1),
        ("code", "normal"),
        ("kl_weight", -0.1),
        ("encoder_noise", 1.0),
        ("feed_previous_prob", 1.1),
        ("validation_fraction", 1.0),
        ("n_iter_no_change", 0),
        ("n_units", 0),
        ("n_layers", 0),
        ("cell", "rnn"),
        ("representation", "codes"),
        ("max_epochs", -1),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("dropout", 1.0),
        ("gradient_clip", 0),
        ("precision", "fp8"),
        ("device", None),
    ],
)
def test_parameters_out_of_range_are_named(parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of Seq2SeqAutoencoder must be"):
        Seq2SeqAutoencoder(**{parameter: value}).fit(tones(2)[0])


@pytest.mark.parametrize("device", ["gpu0", "cuda:99"])
def test_an_unknown_or_missing_device_is_refused_by_name(device):
    with pytest.raises(ValueError, match=f"device='{device}' cannot be used"):
        Seq2SeqAutoencoder(**SMALL, device=device).fit(tones(2)[0])


def test_another_number_of_bands_is_refused():
    autoencoder = Seq2SeqAutoencoder(**SMALL).fit(tones()[0])
    for X in (tones(n_bands=4)[0], list(tones(n_bands=4)[0]), tones(n_bands=4)[0][None]):
        with pytest.raises(ValueError, match=r"X has 4 bands .* was fitted on 5"):
            autoencoder.transform(X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.full((3, 4, 2), np.nan), "Every row of X is NaN throughout"),
        (np.zeros((3, 4, 2), dtype=complex), "X has dtype complex128; expected real numbers"),
        (np.array([[["a"]]]), "X has dtype <U1; expected real numbers"),
        (np.zeros((1, 2, 3, 4, 5)), "dim 5|Found array with dim"),
        (np.zeros(5), "Expected 2D array, got 1D array"),
    ],
)
def test_input_that_holds_no_sequences_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        Seq2SeqAutoencoder(**SMALL).fit(X)


def test_a_training_that_diverges_is_an_error():
    X, _ = tones()
    with pytest.raises(FloatingPointError, match="Training diverged"):
        Seq2SeqAutoencoder(**{**SMALL, "learning_rate": 1e30, "max_epochs": 9}).fit(X + 1e30)


def test_one_clip_and_one_frame_are_enough():
    X = tones(1, 2)[0][:, :1]
    autoencoder = Seq2SeqAutoencoder(**SMALL, bidirectional_decoder=True).fit(X)
    assert np.isfinite(autoencoder.transform(X)).all()


def test_verbose_prints_a_line_an_epoch_and_nothing_is_printed_without_it(capsys):
    X = np.random.default_rng(0).uniform(-1, 1, (8, 5, 3))
    autoencoder = Seq2SeqAutoencoder(4, max_epochs=2, random_state=0, validation_fraction=0.25)
    autoencoder.fit(X)
    assert capsys.readouterr() == ("", "")
    first, second = (
        autoencoder.set_params(verbose=True).fit(X) and capsys.readouterr().out.splitlines()
    )
    assert re.fullmatch(
        r"Epoch 1 of 2: loss \d\.\d{5}, validation loss \d\.\d{5}, about \d+ s left", first
    )
    loss, validation = autoencoder.loss_curve_[-1], autoencoder.validation_loss_curve_[-1]
    assert second == f"Epoch 2 of 2: loss {loss:.5f}, validation loss {validation:.5f}"


def test_the_logger_gets_a_line_an_epoch_whether_it_is_printed_or_not(caplog, capsys):
    X = np.random.default_rng(0).uniform(-1, 1, (8, 5, 3))
    autoencoder = Seq2SeqAutoencoder(4, max_epochs=2, random_state=0)
    with caplog.at_level("INFO", logger="skaudeep"):
        autoencoder.fit(X)
    assert capsys.readouterr() == ("", "")
    assert [record.name for record in caplog.records] == ["skaudeep.autoencoder"] * 2
    assert caplog.messages[1] == f"Epoch 2 of 2: loss {autoencoder.loss_curve_[-1]:.5f}"
