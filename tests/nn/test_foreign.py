"""Networks of users as encoders: sequences of each length run by themselves."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from skaudeep.nn.foreign import ModuleEncoder, run


class Sums(nn.Module):
    """The sum of all frames so far, and that of all frames, which padding would change."""

    def forward(self, x):
        return torch.cat([x.cumsum(dim=0), x.sum(dim=0, keepdim=True).expand_as(x)], dim=2)


def test_states_of_a_padded_sequence_are_those_of_the_sequence_alone_and_zero_behind_it():
    x = torch.arange(24.0).reshape(4, 2, 3) + 1
    lengths = torch.tensor([4, 2])
    states = ModuleEncoder(Sums(), n_bands=3, n_states=6)(x, lengths)
    assert torch.equal(states[:, 0], run(Sums(), x[:, :1])[:, 0])
    assert torch.equal(states[:2, 1], run(Sums(), x[:2, 1:])[:, 0])
    assert not states[2:, 1].any()


def test_gradients_reach_the_input_through_padded_batches():
    x = torch.ones(4, 2, 3, requires_grad=True)
    ModuleEncoder(Sums(), n_bands=3, n_states=6)(x, torch.tensor([4, 2])).sum().backward()
    assert x.grad[:2, 1].all()
    assert not x.grad[2:, 1].any()


def test_another_number_of_states_than_before_is_refused():
    with pytest.raises(ValueError, match=r"\(4, 2, 6\) of one of shape .* expected \(4, 2, 5\)"):
        run(Sums(), torch.zeros(4, 2, 3), n_states=5)
