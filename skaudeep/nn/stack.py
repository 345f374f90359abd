"""GRU and LSTM stacks over sequences of unequal length; torch only.

Everything here is time-major: a batch is ``(n_frames, n_sequences, n_features)``, and ``lengths``
holds the true number of frames of each sequence, or is None where all fill the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from skaudeep.nn.backends import uses_kernels
from skaudeep.nn.backends.cpu import check_shapes, drop, run_layer
from skaudeep.nn.counter_rng import CounterRNG

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}
STATES_PER_CELL = {"gru": 1, "lstm": 2}  # an LSTM carries a hidden and a cell state


def reverse_time(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Reverse each sequence within its own length; padding stays at the end.

    Parameters
    ----------
    x : Tensor of shape (n_frames, n_sequences, n_features)
    lengths : Tensor of shape (n_sequences,) or None

    Returns
    -------
    Tensor of shape (n_frames, n_sequences, n_features)

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([[1.0, 5.0], [2.0, 6.0], [3.0, 0.0]])[:, :, None]
    >>> reverse_time(x, torch.tensor([3, 2]))[:, :, 0]
    tensor([[3., 6.],
            [2., 5.],
            [1., 0.]])
    """
    if lengths is None:
        return x.flip(0)
    time = torch.arange(len(x), device=x.device)[:, None]  # (T, 1)
    mirrored = lengths.to(x.device, non_blocking=True) - 1 - time  # (T, B)
    return x.gather(0, torch.where(mirrored >= 0, mirrored, time)[:, :, None].expand_as(x))


def dropout(x: Tensor, rate: float, rng: CounterRNG | None) -> Tensor:
    """Inverted dropout that draws from a counter-based generator, not from torch's.

    Parameters
    ----------
    x : Tensor of shape (n_frames, n_sequences, n_features)
    rate : float in [0, 1)
        Share of values set to zero; the others grow by ``1 / (1 - rate)``.
    rng : CounterRNG or None
        None switches dropout off (evaluation).

    Returns
    -------
    Tensor of the shape of `x`
    """
    if rng is None or rate == 0:
        return x
    if x.device.type == "cpu" and uses_kernels():
        return drop(x, rate, rng)
    kept = (rng.bits(len(x), x.shape[2]) >> 32) & (2**32 - 1) >= round(rate * 2**32)
    return (x * kept) * (1 / (1 - rate))


class RecurrentStack(nn.Module):
    """Layers of one cell that run over time in one direction, each on the outputs of the one below.

    Dropout is applied to the input and to the output of each layer. On a CPU the layers run in
    compiled kernels, or in torch's modules where ``SKAUDEEP_BACKEND=torch`` is set in the
    environment or numba cannot compile them.

    Parameters
    ----------
    n_inputs : int
        Features per frame.
    n_units : int
        Units of each layer.
    n_layers : int
        Number of layers.
    cell : {"gru", "lstm"}
        Kind of the layers.
    dropout : float in [0, 1)
        Share of values set to zero in training.
    """

    def __init__(self, n_inputs: int, n_units: int, *, n_layers: int, cell: str, dropout: float):
        super().__init__()
        self.n_units = n_units
        self.cell = cell
        self.dropout = dropout
        self.layers = nn.ModuleList(
            CELLS[cell](n_inputs if layer == 0 else n_units, n_units) for layer in range(n_layers)
        )

    @property
    def state_size(self) -> int:
        """Size of one sequence's whole state: layers x units, twice that for LSTM."""
        return len(self.layers) * self.n_units * STATES_PER_CELL[self.cell]

    def forward(
        self,
        x: Tensor,
        state: Tensor | None = None,
        lengths: Tensor | None = None,
        rng: CounterRNG | None = None,
        context: Tensor | None = None,
    ) -> tuple[list[Tensor], Tensor]:
        """Run over a batch.

        Parameters
        ----------
        x : Tensor of shape (n_frames, n_sequences, n_inputs)
        state : Tensor of shape (n_sequences, state_size), default=None
            The initial state; None is zero.
        lengths : Tensor of shape (n_sequences,), default=None
        rng : CounterRNG, default=None
            Source of dropout; None switches it off.
        context : Tensor of shape (n_sequences, n_context), default=None
            The last of the `n_inputs` features, where they are the same for all frames of a
            sequence. Dropout does not apply to them.

        Returns
        -------
        outputs : list of n_layers Tensors of shape (n_frames, n_sequences, n_units)
            Layer by layer, the top one last; zero at padding.
        state : Tensor of shape (n_sequences, state_size)
            The state after each sequence's own last frame: layer by layer, for LSTM hidden before
            cell.
        """
        per_layer = (
            [None] * len(self.layers) if state is None else state.chunk(len(self.layers), dim=1)
        )
        outputs, finals = [], []
        for layer, initial in zip(self.layers, per_layer, strict=True):
            x = dropout(x, self.dropout, rng)  # (T, B, F or H)
            if layer is self.layers[0] and context is not None:
                x = torch.cat([x, context.expand(len(x), -1, -1)], dim=2)
            x, final = self._run_layer(layer, x, initial, lengths)  # (T, B, H), (B, H or 2H)
            x = dropout(x, self.dropout, rng)
            outputs.append(x)
            finals.append(final)
        return outputs, torch.cat(finals, dim=1)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run over one frame, without dropout.

        Parameters
        ----------
        x : Tensor of shape (n_sequences, n_inputs)
        state : Tensor of shape (n_sequences, state_size)
            As `forward` returns it.

        Returns
        -------
        output : Tensor of shape (n_sequences, n_units)
            Of the top layer.
        state : Tensor of shape (n_sequences, state_size)
            After the frame.
        """
        states = []
        for layer, before in zip(self.layers, state.chunk(len(self.layers), dim=1), strict=True):
            if self.cell == "gru":
                x = torch.gru_cell(x, before, *layer.parameters())  # (B, H)
                states.append(x)
            else:
                x, memory = torch.lstm_cell(x, before.chunk(2, dim=1), *layer.parameters())
                states += [x, memory]
        return x, torch.cat(states, dim=1)

    def _run_layer(
        self, layer: nn.Module, x: Tensor, initial: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        weights = list(layer.parameters())
        if x.device.type == "cpu" and uses_kernels():
            return run_layer(self.cell, x, initial, weights, lengths)
        check_shapes(self.cell, x, initial, weights, lengths)
        return self._run_module(layer, x, initial, lengths)

    def _run_module(
        self, layer: nn.Module, x: Tensor, initial: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Run torch's own module, which on CUDA is cuDNN's."""
        if lengths is not None:  # sorted here: torch would wait for the device to sort back
            order = lengths.argsort(descending=True, stable=True)
            back = order.argsort().to(x.device, non_blocking=True)
            there = order.to(x.device, non_blocking=True)
            x, initial = x[:, there], None if initial is None else initial[there]
        hx = None
        if initial is not None:
            parts = initial.unsqueeze(0).contiguous()  # (1, B, H or 2H)
            hx = (
                parts
                if self.cell == "gru"
                else tuple(p.contiguous() for p in parts.chunk(2, dim=2))
            )
        if lengths is None:
            outputs, final = layer(x, hx)
        else:
            outputs, final = layer(pack_padded_sequence(x, lengths[order]), hx)
            outputs, _ = pad_packed_sequence(outputs, total_length=len(x))
        final = (final if self.cell == "gru" else torch.cat(final, dim=2)).squeeze(0)
        return (outputs, final) if lengths is None else (outputs[:, back], final[back])
