"""The autoencoders' anatomy: how wide the code is, who sees what, what padding may change."""

from __future__ import annotations

import itertools

import pytest
import torch

from skaudeep.nn.autoencoders import NETWORKS, NetworkSizes, TimeAutoencoder
from skaudeep.nn.counter_rng import CounterRNG

DIRECTIONS = list(itertools.product(["gru", "lstm"], [False, True], [False, True]))
FAMILY = list(itertools.product(NETWORKS, ["gru", "lstm"], [False, True], [False, True]))


def network(
    axis="time",
    cell="gru",
    bidirectional_encoder=False,
    bidirectional_decoder=False,
    seed=0,
    **more,
):
    config = {
        "n_bands": 6,
        "n_units": 5,
        "cell": cell,
        "bidirectional_encoder": bidirectional_encoder,
        "bidirectional_decoder": bidirectional_decoder,
    }
    if axis == "frequency-time":
        config |= {"n_units": (3, 5), "n_layers": (1, 2)}
    if axis != "time":
        config |= {"band_window": 3, "band_overlap": 1}
    module = NETWORKS[axis](NetworkSizes(**config | more))
    module.draw_weights(torch.Generator().manual_seed(seed))
    return module


def frames(n_frames, n_sequences, seed=0):
    return torch.rand(n_frames, n_sequences, 6, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("cell", "encoder", "decoder"), DIRECTIONS)
def test_the_code_is_as_wide_as_the_decoders_whole_initial_state(cell, encoder, decoder):
    module = network("time", cell, encoder, decoder)
    code = module.encoder(frames(7, 2))
    layers, units = 2, 5
    width = layers * units * (1 + decoder) * (2 if cell == "lstm" else 1)
    assert code.values.shape == (2, width) == (2, module.code_size)
    assert [layer.shape for layer in code.states] == [(7, 2, units)] * layers * (1 + encoder)
    assert code.values.abs().max() < 1
    assert code.divergence is None


def test_the_papers_code_has_1024_numbers():
    assert TimeAutoencoder(NetworkSizes(128, bidirectional_decoder=True)).code_size == 1024


@pytest.mark.parametrize(("axis", "cell", "encoder", "decoder"), FAMILY)
def test_a_sequence_is_rebuilt_the_same_alone_and_padded(axis, cell, encoder, decoder):
    module = network(axis, cell, encoder, decoder)
    lengths = torch.tensor([6, 3, 1])
    x = frames(6, 3) * (torch.arange(6)[:, None] < lengths)[:, :, None]
    rebuilt = module(x, lengths).frames
    assert rebuilt.shape == x.shape
    for i, n in enumerate(lengths):
        alone = module(x[:n, i : i + 1]).frames
        torch.testing.assert_close(rebuilt[:n, i : i + 1], alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_frame_is_rebuilt_over_time_from_other_frames_only(bidirectional):
    """Decoding runs from the last frame to the first: frame t may depend on t + 1 onwards."""
    module = network(bidirectional_decoder=bidirectional)
    x = frames(6, 1).requires_grad_()
    module.decode(torch.zeros(1, module.code_size), x)[2].sum().backward()
    seen = (x.grad.abs().sum(dim=(1, 2)) > 0).tolist()
    assert seen == [bidirectional] * 2 + [False] + [True] * 3


def test_a_band_is_rebuilt_over_frequency_from_higher_bands_of_its_frame():
    module = network("frequency", band_overlap=0)
    x = frames(4, 1).requires_grad_()
    module.decode(torch.zeros(4, 1, module.code_size), x)[1, 0, 0].backward()
    seen = x.grad.abs()[:, 0] > 0
    assert seen[1].tolist() == [False] * 3 + [True] * 3
    assert not seen[[0, 2, 3]].any()


def test_over_both_axes_a_band_is_rebuilt_from_later_frames_and_its_frames_higher_bands():
    module = network("frequency-time", band_overlap=0)
    x = frames(4, 1).requires_grad_()
    module.decode(torch.zeros(1, module.code_size), x)[1, 0, 0].backward()
    seen = x.grad.abs()[:, 0] > 0
    assert not seen[0].any()
    assert seen[1].tolist() == [False] * 3 + [True] * 3
    assert seen[2:].all()


def test_each_decoder_over_both_axes_is_fed_its_own_output_by_its_own_probability():
    module = network("frequency-time", band_overlap=0)

    def seen(*probabilities):
        x = frames(4, 1).requires_grad_()
        module.decode(torch.zeros(1, module.code_size), x, None, None, probabilities)[
            1, 0, 0
        ].backward()
        return x.grad.abs()[:, 0].bool().any(dim=1).tolist()

    assert seen(0, 0) == [False, True, True, True]
    assert seen(1, 0) == [False, False, True, True]  # not the higher bands of its frame
    assert seen(0, 1) == [False, True, False, False]  # not the later frames


def test_a_size_over_both_axes_is_one_for_each():
    module = network("frequency-time", bidirectional_encoder=(True, False), encoder_noise=0.5)
    assert [len(part.stacks) for part in (module.encoder.frame, module.encoder.time.recurrent)] == [
        2,
        1,
    ]
    assert (
        module.sizes.encoder_noise
        == (0.5, 0.5)
        == (module.encoder.noise, module.encoder.time.noise)
    )
    other = network("frequency-time", bidirectional_decoder=(False, True))
    assert (len(other.frame_decoder.stacks), len(other.time_decoder.stacks)) == (1, 2)


def test_noise_over_frequency_hides_windows_of_a_frame():
    module = network("frequency-time", encoder_noise=(1 - 1e-9, 0.0))
    hidden = module.encoder.read_frames(frames(4, 2), None, CounterRNG(0, torch.arange(2)))
    torch.testing.assert_close(hidden, module.encoder.read_frames(torch.zeros(4, 2, 6), None, None))


@pytest.mark.parametrize("axis", NETWORKS)
def test_every_weight_is_trained(axis):
    module = network(axis, bidirectional_encoder=True, bidirectional_decoder=True)
    module(frames(5, 3), torch.tensor([5, 4, 2])).frames.sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.parametrize(("axis", "bidirectional"), [*itertools.product(NETWORKS, [False, True])])
def test_a_code_alone_generates_what_the_decoder_makes_of_its_own_frames(axis, bidirectional):
    # Overlapping windows, once joined, are no longer what the frequency decoder was told.
    apart = {"band_overlap": 0} if axis == "frequency" else {}
    module = network(axis, bidirectional_decoder=bidirectional, **apart)
    x = frames(5, 3)
    with torch.no_grad():
        code = module.encoder(x).values
        generated = module.generate(code, 5)
        again = module.decode(code, generated)
    assert generated.shape == x.shape
    torch.testing.assert_close(generated, again, atol=3e-3, rtol=0)


@pytest.mark.parametrize(("axis", "bidirectional"), [*itertools.product(NETWORKS, [False, True])])
def test_scheduled_sampling_changes_the_reconstruction_and_passes_gradients(axis, bidirectional):
    module = network(axis, bidirectional_decoder=bidirectional)
    x, lengths = frames(5, 3), torch.tensor([5, 4, 2])

    def rebuilt(probability):
        return module(x, lengths, CounterRNG(0, torch.arange(3)), probability).frames

    assert not torch.allclose(rebuilt(0.5), rebuilt(0.0))
    assert torch.equal(rebuilt(0.5), rebuilt(0.5))
    rebuilt(0.5).sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


@pytest.mark.parametrize("axis", NETWORKS)
def test_a_gaussian_code_varies_in_training_and_counts_true_frames_only(axis):
    module = network(axis, code="gaussian")
    lengths = torch.tensor([6, 3])
    x = frames(6, 2) * (torch.arange(6)[:, None] < lengths)[:, :, None]
    rows = torch.arange(2)
    first, second = (module(x, lengths, CounterRNG(seed, rows)).frames for seed in (0, 1))
    assert not torch.allclose(first, second)
    whole = module(x, lengths).divergence
    alone = sum(module(x[:n, i : i + 1]).divergence for i, n in enumerate(lengths))
    torch.testing.assert_close(whole, alone)


def test_weights_come_from_the_generator_alone():
    same, again, other = network(seed=7), network(seed=7), network(seed=8)
    for a, b, c in zip(same.parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_an_identity_output_reaches_values_that_tanh_cannot():
    module = network(out_activation="identity")
    with torch.no_grad():
        module.decoder.project.bias += 10
    assert module(frames(4, 2)).frames.min() > 5


@pytest.mark.parametrize("axis", NETWORKS)
def test_a_network_can_be_built_again_from_its_sizes(axis):
    module = network(axis, "lstm", True, True, code="gaussian")
    again = NETWORKS[axis](module.sizes)
    again.load_state_dict(module.state_dict())
    x = frames(4, 2)
    assert torch.equal(module(x).frames, again(x).frames)
