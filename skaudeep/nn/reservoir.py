"""A reservoir: a recurrent network with random weights, whose states are features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from skaudeep.nn.bidirectional import EncoderStack
from skaudeep.nn.pooling import StateCovariance, moments
from skaudeep.nn.weights import draw_weights, skip_decoder


@dataclass(frozen=True)
class ReservoirSizes:
    """Sizes of a `Reservoir`.

    Parameters
    ----------
    n_bands : int
        Bands per frame.
    n_units : int, default=256
        Units per layer.
    n_layers : int, default=2
        Layers per direction.
    cell : {"gru", "lstm"}, default="gru"
    bidirectional : bool, default=True
        Whether a second stack of layers reads the sequences backwards.
    n_components : int, default=64
        Largest number of principal components of the states.
    """

    n_bands: int
    n_units: int = 256
    n_layers: int = 2
    cell: str = "gru"
    bidirectional: bool = True
    n_components: int = 64


class Reservoir(nn.Module):
    """Random recurrent layers, and the covariance of the states of the top one.

    A batch is time-major, ``(n_frames, n_sequences, n_bands)``.

    Parameters
    ----------
    sizes : ReservoirSizes

    Examples
    --------
    >>> import torch
    >>> reservoir = Reservoir(ReservoirSizes(n_bands=3, n_units=4))
    >>> reservoir.draw_weights(torch.Generator().manual_seed(0))
    >>> states = reservoir(torch.zeros(7, 2, 3))  # 7 frames of 2 sequences
    >>> states.shape, reservoir.pool(torch.zeros(7, 2, 3)).shape
    (torch.Size([7, 2, 8]), torch.Size([2, 116]))
    """

    def __init__(self, sizes: ReservoirSizes):
        super().__init__()
        self.sizes = sizes
        self.recurrent = EncoderStack(
            sizes.n_bands,
            sizes.n_units,
            n_layers=sizes.n_layers,
            cell=sizes.cell,
            bidirectional=sizes.bidirectional,
            dropout=0.0,
        )
        n_states = len(self.recurrent.stacks) * sizes.n_units
        self.covariance = StateCovariance(n_states, sizes.n_components)

    @property
    def n_bands(self) -> int:
        """Bands per frame."""
        return self.sizes.n_bands

    def draw_weights(self, generator: torch.Generator) -> None:
        """Draw the weights that the encoder of an untrained `TimeAutoencoder` has.

        Parameters
        ----------
        generator : torch.Generator
        """
        skip_decoder(
            generator,
            n_bands=self.sizes.n_bands,
            n_units=self.sizes.n_units,
            n_layers=self.sizes.n_layers,
            cell=self.sizes.cell,
        )
        draw_weights(self, generator)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the states of the top layer, directions side by side.

        Parameters
        ----------
        x : Tensor of shape (n_frames, n_sequences, n_bands)
            Zero at padding.
        lengths : Tensor of shape (n_sequences,), default=None
            True frames of each sequence; None where all fill the batch.

        Returns
        -------
        Tensor of shape (n_frames, n_sequences, n_directions * n_units)
        """
        return self.recurrent.top_states(x, lengths)

    def read(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return what `forward` returns, as encoders do."""
        return self(x, lengths)

    def carry_on(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read the next frames, see :meth:`EncoderStack.carry_on`."""
        return self.recurrent.carry_on(x, state)

    def moments(self, states: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Sum what `covariance` is fitted to, see :func:`~skaudeep.nn.pooling.moments`."""
        return moments(states, lengths)

    def pool(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Run over sequences and pool the states over time: (n_sequences, n_features)."""
        return self.covariance(self(x, lengths), lengths)
