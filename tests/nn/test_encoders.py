"""Encoders: windows of bands, frames taken out of a batch and put back, codes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudeep.nn.autoencoders import NETWORKS, NetworkSizes, TimeAutoencoder
from skaudeep.nn.counter_rng import CounterRNG
from skaudeep.nn.encoders import (
    BandWindows,
    FeatureEncoder,
    GaussianCode,
    drop_frames,
    gather_frames,
    scatter_frames,
)


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@given(st.data())
@settings(deadline=None, max_examples=50)
def test_windows_hold_every_band_and_join_to_the_frame(data):
    n_bands = data.draw(st.integers(1, 40))
    width = data.draw(st.integers(1, n_bands))
    overlap = data.draw(st.integers(0, width - 1))
    windows = BandWindows(n_bands, width, overlap)
    frames = draw(3, n_bands)
    split = windows.split(frames)
    assert split.shape == (len(windows.starts), 3, width)
    assert torch.equal(split[-1], frames[:, -width:])
    assert windows.starts == sorted(set(windows.starts))
    torch.testing.assert_close(windows.join(split), frames)


def test_128_bands_make_the_papers_13_windows():
    assert len(BandWindows(128, 32, 24).starts) == 13


@pytest.mark.parametrize("lengths", [None, torch.tensor([5, 2, 1])])
def test_frames_are_put_back_where_they_were(lengths):
    x = draw(5, 3, 4)
    if lengths is not None:
        x *= (torch.arange(5)[:, None] < lengths)[:, :, None]
    frames = gather_frames(x, lengths)
    assert len(frames) == (15 if lengths is None else 8)
    assert torch.equal(scatter_frames(frames, x, lengths), x)


def test_encoder_noise_drops_its_share_of_frames_in_training_only():
    x = torch.ones(200, 50, 3)
    assert drop_frames(x, 0.4, None) is x
    kept = drop_frames(x, 0.4, CounterRNG(0, torch.arange(50)))
    assert set(kept.sum(dim=2).unique().tolist()) == {0.0, 3.0}
    assert float((kept == 0).float().mean()) == pytest.approx(0.4, abs=0.01)


def test_a_gaussian_code_has_the_divergence_of_its_distributions():
    torch.manual_seed(0)
    code = GaussianCode(4, 3)
    final = draw(5, 4)
    values, divergence = code(final)
    mean, std = code.mean(final), (0.5 * code.log_variance(final)).exp()
    assert torch.equal(values, mean)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal(mean, std), normal(0.0, 1.0)).sum()
    torch.testing.assert_close(divergence, expected)
    draws = [code(final, CounterRNG(i, torch.arange(5)))[0] for i in range(2000)]
    torch.testing.assert_close(torch.stack(draws).mean(0), mean, atol=0.15, rtol=0)
    torch.testing.assert_close(torch.stack(draws).std(0), std, atol=0.15, rtol=0)


def make_network(axis, **config):
    torch.manual_seed(0)
    config = {"n_bands": 8, "n_units": 5, "bidirectional_encoder": True} | config
    if axis == "frequency-time":
        config |= {"n_units": (3, 5), "n_layers": (1, 2)}
    if axis != "time":
        config |= {"band_window": 4, "band_overlap": 2}
    return NETWORKS[axis](NetworkSizes(**config))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("axis", NETWORKS)
def test_covariances_without_gradients_are_those_that_gradients_go_through(axis, cell):
    encoder = FeatureEncoder(make_network(axis, cell=cell).encoder, "covariance")
    lengths = torch.tensor([6, 3, 1])
    x = draw(3, 6, 8) * (torch.arange(6) < lengths[:, None])[:, :, None]
    through_all_layers = encoder(x, lengths)
    assert through_all_layers.requires_grad
    with torch.no_grad():  # the states of the top layer alone are kept
        torch.testing.assert_close(encoder(x, lengths), through_all_layers, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("representation", ["covariance", "statistics", "code", "both"])
@pytest.mark.parametrize("axis", NETWORKS)
def test_features_of_a_clip_do_not_depend_on_padding(axis, representation):
    encoder = FeatureEncoder(make_network(axis).encoder, representation)
    lengths = torch.tensor([6, 3, 1])
    x = draw(3, 6, 8) * (torch.arange(6) < lengths[:, None])[:, :, None]
    features = encoder(x, lengths)
    for i, n in enumerate(lengths):
        alone = encoder(x[i : i + 1, :n])[0]
        of_clip = features[i, :n] if axis == "frequency" else features[i]
        torch.testing.assert_close(of_clip, alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("representation", ["components", "states"])
@pytest.mark.parametrize("axis", ["time", "frequency-time"])
def test_features_of_a_frame_do_not_depend_on_padding(axis, representation):
    encoder = FeatureEncoder(make_network(axis).encoder, representation)
    lengths = torch.tensor([6, 3, 1])
    x = draw(3, 6, 8) * (torch.arange(6) < lengths[:, None])[:, :, None]
    features = encoder(x, lengths)
    assert features.requires_grad
    with torch.no_grad():  # by the kernels
        torch.testing.assert_close(encoder(x, lengths), features, atol=1e-5, rtol=1e-5)
    for i, n in enumerate(lengths):
        torch.testing.assert_close(features[i, :n], encoder(x[i : i + 1, :n])[0], atol=1e-6, rtol=0)
        assert not features[i, n:].any()


def test_a_feature_encoder_shares_its_weights_and_passes_gradients():
    network = TimeAutoencoder(NetworkSizes(3, 4))
    encoder = FeatureEncoder(network.encoder, "both")
    encoder(draw(2, 7, 3)).sum().backward()
    assert {id(p) for p in encoder.parameters()} == {id(p) for p in network.encoder.parameters()}
    for parameter in encoder.parameters():
        assert torch.isfinite(parameter.grad).all()
        assert parameter.grad.any()


@pytest.mark.parametrize("representation", ["components", "states"])
@pytest.mark.parametrize("axis", ["time", "frequency-time"])
def test_features_of_frames_go_on_from_part_to_part(axis, representation):
    torch.manual_seed(0)
    n_units, n_layers = (4, 2) if axis == "time" else ((3, 4), (1, 2))
    windows = {"band_window": 4, "band_overlap": 2}
    sizes = NetworkSizes(n_bands=6, n_units=n_units, n_layers=n_layers, **windows)
    encoder = FeatureEncoder(NETWORKS[axis](sizes).eval().encoder, representation)
    x, state, found = draw(2, 9, 6), None, []
    with torch.inference_mode():
        for part in x.split([1, 3, 5], dim=1):
            features, state = encoder.carry_on(part, state)
            found.append(features)
        torch.testing.assert_close(torch.cat(found, dim=1), encoder(x), atol=1e-6, rtol=0)


def test_features_over_bands_of_a_frame_need_no_state():
    torch.manual_seed(0)
    sizes = NetworkSizes(n_bands=6, n_units=4, band_window=4, band_overlap=2)
    encoder = FeatureEncoder(NETWORKS["frequency"](sizes).eval().encoder, "code")
    x = draw(2, 5, 6)
    with torch.inference_mode():
        features, state = encoder.carry_on(x[:, 2:])
        torch.testing.assert_close(features, encoder(x)[:, 2:], atol=1e-6, rtol=0)
    assert state is None


def test_features_of_whole_clips_cannot_go_on():
    encoder = FeatureEncoder(TimeAutoencoder(NetworkSizes(n_bands=3, n_units=4)).encoder, "both")
    with pytest.raises(ValueError, match="representation='both', which is one of whole clips"):
        encoder.carry_on(draw(1, 4, 3))
