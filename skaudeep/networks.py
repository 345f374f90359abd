"""The autoencoders as plain modules, from leaf to whole: no training loop, no scikit-learn.

A batch is time-major, ``(n_frames, n_sequences, n_bands)``. In the shapes at the ends of lines T is
frames, B sequences, F bands, H units, D directions (1 or 2), S the state of a stack, C the width of
the code.

References
----------
Freitag, Amiriparian, Pugachevskiy, Cummins & Schuller (2018). auDeep: Unsupervised learning of
representations from audio with deep recurrent neural networks. JMLR 18(173).

Amiriparian, Freitag, Cummins & Schuller (2017). Sequence to sequence autoencoders for unsupervised
representation learning from audio. DCASE Workshop.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from skaudeep.recurrent import RecurrentStack, reverse_time


class Directions(nn.Module):
    """One stack over time, or two independent ones for its two directions.

    Layers of the two do not exchange anything, unlike ``nn.GRU(bidirectional=True)``.

    Parameters
    ----------
    n_bands : int
    n_units, n_layers, cell, dropout
        As in `RecurrentStack`.
    bidirectional : bool

    Attributes
    ----------
    output_size : int
        Numbers per frame: units of all layers and directions.
    state_size : int
        Numbers in the states of all layers and directions after (or before) a frame.
    """

    def __init__(
        self,
        n_bands: int,
        n_units: int,
        *,
        n_layers: int,
        cell: str,
        bidirectional: bool,
        dropout: float,
    ):
        super().__init__()
        stacks = [
            RecurrentStack(n_bands, n_units, n_layers=n_layers, cell=cell, dropout=dropout)
            for _ in range(1 + bidirectional)
        ]
        self.stacks = nn.ModuleList(stacks)
        self.output_size = len(stacks) * n_layers * n_units
        self.state_size = sum(stack.state_size for stack in stacks)


class Encoder(Directions):
    """Reads each sequence forwards and, with a second stack, backwards.

    Its parameters are those of `Directions`.
    """

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[list[Tensor], Tensor]:
        """Read sequences.

        Returns
        -------
        outputs : list of n_directions * n_layers Tensors of shape (n_frames, n_sequences, n_units)
            States of each layer, forward stack first, both stacks in the order of time; zero at
            padding.
        state : Tensor of shape (n_sequences, state_size)
            Final states of all layers and directions, side by side.
        """
        outputs, states = [], []
        for direction, stack in enumerate(self.stacks):
            backward = direction == 1
            frames = reverse_time(x, lengths) if backward else x  # (T, B, F)
            layers, state = stack(frames, lengths=lengths, generator=generator)  # L x (T, B, H)
            outputs += [reverse_time(layer, lengths) if backward else layer for layer in layers]
            states.append(state)  # (B, S)
        return outputs, torch.cat(states, dim=1)  # D*L x (T, B, H), (B, D*S)


class Decoder(Directions):
    """One stack over time, or two in opposite directions, and a linear layer on their outputs.

    Each stack starts from its part of the code and is given, at each step, the frame of the step
    before *in its own direction* (teacher forcing; zeros first). So neither direction is ever shown
    the frame that it has to produce.

    Its parameters are those of `Directions`; `state_size` is the width of the code.
    """

    def __init__(self, n_bands: int, n_units: int, **shape: Any):
        super().__init__(n_bands, n_units, **shape)
        self.project = nn.Linear(len(self.stacks) * n_units, n_bands)

    def forward(
        self,
        code: Tensor,
        target: Tensor,
        lengths: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Predict each frame of ``target`` from the code and the frames before it.

        Parameters
        ----------
        code : Tensor of shape (n_sequences, state_size)
        target : Tensor of shape (n_frames, n_sequences, n_bands)
        lengths : Tensor of shape (n_sequences,), default=None
        generator : torch.Generator, default=None

        Returns
        -------
        Tensor of shape (n_frames, n_sequences, n_bands)
            Before the output's activation.
        """
        outputs = []
        for direction, (stack, state) in enumerate(
            zip(self.stacks, code.chunk(len(self.stacks), dim=1), strict=True)
        ):
            backward = direction == 1
            frames = reverse_time(target, lengths) if backward else target  # (T, B, F)
            previous = torch.cat([torch.zeros_like(frames[:1]), frames[:-1]])  # (T, B, F)
            layers, _ = stack(previous, state, lengths, generator)  # L x (T, B, H)
            outputs.append(reverse_time(layers[-1], lengths) if backward else layers[-1])
        return self.project(torch.cat(outputs, dim=2))  # (T, B, D*H) -> (T, B, F)


class TimeAutoencoder(nn.Module):
    """Sequence to code to the same sequence, reversed in time.

    The final states of the encoder go through a fully connected layer with tanh; its output, the
    code, is as wide as the whole initial state of the decoder and is split over the decoder's
    directions and layers.

    Parameters
    ----------
    n_bands : int
        Bands per frame.
    n_units : int, default=256
        Units per layer.
    n_layers : int, default=2
        Layers per stack.
    cell : {"gru", "lstm"}, default="gru"
    bidirectional_encoder, bidirectional_decoder : bool, default=False
    dropout : float in [0, 1), default=0.0
        Share of the inputs and outputs of each recurrent layer that are dropped in training.
    out_activation : {"tanh", "identity"}, default="tanh"

    Attributes
    ----------
    config : dict
        The parameters, from which ``TimeAutoencoder(**config)`` is built again.

    Examples
    --------
    >>> import torch
    >>> network = TimeAutoencoder(n_bands=3, n_units=4, bidirectional_decoder=True)
    >>> x = torch.zeros(7, 2, 3)  # 7 frames of 2 sequences
    >>> network(x).shape
    torch.Size([7, 2, 3])
    >>> states, code = network.encode(x)  # of two layers
    >>> [layer.shape for layer in states], code.shape
    ([torch.Size([7, 2, 4]), torch.Size([7, 2, 4])], torch.Size([2, 16]))
    """

    def __init__(
        self,
        n_bands: int,
        n_units: int = 256,
        *,
        n_layers: int = 2,
        cell: str = "gru",
        bidirectional_encoder: bool = False,
        bidirectional_decoder: bool = False,
        dropout: float = 0.0,
        out_activation: str = "tanh",
    ):
        super().__init__()
        self.config = {
            "n_bands": n_bands,
            "n_units": n_units,
            "n_layers": n_layers,
            "cell": cell,
            "bidirectional_encoder": bidirectional_encoder,
            "bidirectional_decoder": bidirectional_decoder,
            "dropout": dropout,
            "out_activation": out_activation,
        }
        sizes: dict[str, Any] = {"n_layers": n_layers, "cell": cell, "dropout": dropout}
        self.encoder = Encoder(n_bands, n_units, bidirectional=bidirectional_encoder, **sizes)
        self.decoder = Decoder(n_bands, n_units, bidirectional=bidirectional_decoder, **sizes)
        self.code = nn.Linear(self.encoder.state_size, self.decoder.state_size)
        self.out_activation = out_activation

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw all weights anew, uniform within the bounds that torch's own modules use.

        The bound is ``1 / sqrt(n_units)`` for recurrent, ``1 / sqrt(n_inputs)`` for linear layers.
        """
        for module in self.modules():
            if isinstance(module, nn.RNNBase):
                bound = module.hidden_size**-0.5
            elif isinstance(module, nn.Linear):
                bound = module.in_features**-0.5
            else:
                continue
            for parameter in module.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def encode(
        self, x: Tensor, lengths: Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[list[Tensor], Tensor]:
        """Encode sequences.

        Returns
        -------
        outputs : list of n_directions * n_layers Tensors of shape (n_frames, n_sequences, n_units)
            The encoder's states, as `Encoder` returns them.
        code : Tensor of shape (n_sequences, code_size)
            In (-1, 1).
        """
        outputs, state = self.encoder(x, lengths, generator)  # D*L x (T, B, H), (B, D*S)
        return outputs, torch.tanh(self.code(state))  # (B, C)

    def decode(
        self,
        code: Tensor,
        x: Tensor,
        lengths: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Rebuild ``x`` from its code with teacher forcing, last frame first.

        Returns
        -------
        Tensor of shape (n_frames, n_sequences, n_bands)
            In the time order of `x`.
        """
        predicted = self.decoder(code, reverse_time(x, lengths), lengths, generator)  # (T, B, F)
        if self.out_activation == "tanh":
            predicted = torch.tanh(predicted)
        return reverse_time(predicted, lengths)

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Reconstruct sequences.

        Parameters
        ----------
        x : Tensor of shape (n_frames, n_sequences, n_bands)
            Zero at padding.
        lengths : Tensor of shape (n_sequences,), default=None
            True frames of each sequence; None where all fill the batch.
        generator : torch.Generator, default=None
            Source of dropout; None switches it off.

        Returns
        -------
        Tensor of shape (n_frames, n_sequences, n_bands)
            The reconstruction, in the time order of `x`; meaningless at padding.
        """
        _, code = self.encode(x, lengths, generator)
        return self.decode(code, x, lengths, generator)


# What a stored model may be built of, by name.
NETWORKS = {network.__name__: network for network in (TimeAutoencoder,)}
