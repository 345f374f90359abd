"""Recurrent stacks in one or two directions of time: encoder and decoder.

A batch is time-major, ``(n_frames, n_sequences, n_bands)``. In the shapes at the ends of lines T is
frames (or whatever the steps of a sequence are), B sequences, F bands, H units, D directions
(1 or 2), L layers, S the state of a stack.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from skaudeep.nn.backends import uses_kernels
from skaudeep.nn.backends.cpu import run_top
from skaudeep.nn.counter_rng import CounterRNG
from skaudeep.nn.stack import RecurrentStack, reverse_time

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "identity": lambda x: x,
}
CONDITION_WIDTH = 16  # largest width of the embedding of a condition
MAX_PASSES = 50  # largest number of iterations of a bidirectional decoder
TOLERANCE = 1e-3  # largest change of a value in the pass that ends it


class BidirectionalStack(nn.Module):
    """One recurrent stack over time, or two independent stacks for the two directions of time.

    Unlike in ``nn.GRU(bidirectional=True)``, no layer of one stack reads the other stack.

    Parameters
    ----------
    n_inputs : int
        Features per frame.
    n_units, n_layers, cell, dropout
        As in `RecurrentStack`.
    bidirectional : bool
        Whether there is a second stack, for the reversed sequences.

    Attributes
    ----------
    output_size : int
        Outputs per frame: the units of all layers and directions.
    state_size : int
        Size of the states of all layers and directions after (or before) a frame.
    """

    def __init__(
        self,
        n_inputs: int,
        n_units: int,
        *,
        n_layers: int,
        cell: str,
        bidirectional: bool,
        dropout: float,
    ):
        super().__init__()
        stacks = [
            RecurrentStack(n_inputs, n_units, n_layers=n_layers, cell=cell, dropout=dropout)
            for _ in range(1 + bidirectional)
        ]
        self.stacks = nn.ModuleList(stacks)
        self.output_size = len(stacks) * n_layers * n_units
        self.state_size = sum(stack.state_size for stack in stacks)


class EncoderStack(BidirectionalStack):
    """Encode each sequence forwards and, with a second stack, backwards.

    Its parameters are those of `BidirectionalStack`.
    """

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, rng: CounterRNG | None = None
    ) -> tuple[list[Tensor], Tensor]:
        """Run over sequences.

        Returns
        -------
        states : list of n_directions * n_layers Tensors of shape (n_frames, n_sequences, n_units)
            States of each layer, forward stack first, both stacks in the order of time; zero at
            padding.
        final : Tensor of shape (n_sequences, state_size)
            Final states of all layers and directions, side by side.
        """
        states, finals = [], []
        for direction, stack in enumerate(self.stacks):
            backward = direction == 1
            frames = reverse_time(x, lengths) if backward else x  # (T, B, F)
            layers, final = stack(frames, lengths=lengths, rng=rng)  # L x (T, B, H), (B, S)
            states += [reverse_time(h, lengths) if backward else h for h in layers]
            finals.append(final)
        return states, torch.cat(finals, dim=1)  # D*L x (T, B, H), (B, D*S)

    def top_states(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the states of the top layer alone, directions side by side, without dropout.

        On the CPU without gradients the states of the other layers are not kept.

        Parameters
        ----------
        x : Tensor of shape (n_frames, n_sequences, n_inputs)
        lengths : Tensor of shape (n_sequences,), default=None

        Returns
        -------
        Tensor of shape (n_frames, n_sequences, n_directions * n_units)
            In the order of time; zero at padding.
        """
        recorded = torch.jit.is_tracing() or torch.compiler.is_compiling()
        needs_layers = recorded or torch.is_grad_enabled() or torch.is_autocast_enabled("cpu")
        if x.device.type == "cpu" and not needs_layers and uses_kernels():
            stacks: list[Any] = list(self.stacks)
            weights = [[list(layer.parameters()) for layer in stack.layers] for stack in stacks]
            return run_top(stacks[0].cell, x, weights, lengths)
        states, _ = self(x, lengths)
        return top_layers(states, len(self.stacks))

    def carry_on(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run over the next frames of sequences that come in part by part, without dropout.

        Parameters
        ----------
        x : Tensor of shape (n_frames, n_sequences, n_inputs)
        state : Tensor of shape (n_sequences, state_size), default=None
            State after the previous frame; None before the first frame.

        Returns
        -------
        states : Tensor of shape (n_frames, n_sequences, n_units)
            Of the top layer: what `top_states` gives for these frames of the whole sequence.
        state : Tensor of shape (n_sequences, state_size)
            After the last frame.

        Raises
        ------
        ValueError
            If there is a second stack, which would begin with the last frame of all.
        """
        if len(self.stacks) > 1:
            raise ValueError(
                "Got a bidirectional stack, expected one that reads forwards alone: the other "
                "direction begins at the end of a sequence. Read windows, each from its start."
            )
        states, state = self.stacks[0](x, state)
        return states[-1], state


class DecoderStack(BidirectionalStack):
    """Decode sequences: one stack over time, or two in opposite directions, and a linear layer.

    Each stack starts from its part of an initial state. Its input at each step is the frame of the
    step before *in its own direction* (zeros first), so neither direction ever reads the frame that
    it has to produce.

    Parameters
    ----------
    n_inputs, n_units, n_layers, cell, bidirectional, dropout
        As in `BidirectionalStack`; `state_size` is the width of the initial state.
    n_outputs : int
        Outputs per frame.
    activation : {"tanh", "identity"}
        Activation function of the outputs.
    n_conditions : int, default=0
        Conditions of which each sequence has one, see `ConditionEmbedding`. Each step of the first
        layers is given the embedding beside its frame, so that the state need not carry it.
    """

    def __init__(
        self,
        n_inputs: int,
        n_units: int,
        *,
        n_outputs: int,
        activation: str,
        n_conditions: int = 0,
        **sizes: Any,
    ):
        width = min(n_conditions, CONDITION_WIDTH)
        super().__init__(n_inputs + width, n_units, **sizes)
        self.condition = ConditionEmbedding(n_conditions, width) if n_conditions else None
        self.project = nn.Linear(len(self.stacks) * n_units, n_outputs)
        self.activation = activation

    def forward(
        self,
        state: Tensor,
        teacher: Tensor,
        lengths: Tensor | None = None,
        rng: CounterRNG | None = None,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Decode each frame from the initial state and the true frames before it (teacher forcing).

        Parameters
        ----------
        state : Tensor of shape (n_sequences, state_size)
        teacher : Tensor of shape (n_frames, n_sequences, n_inputs)
            The frame of step t is the input of step t + 1, of step t - 1 in the backward stack.
        lengths : Tensor of shape (n_sequences,), default=None
        rng : CounterRNG, default=None
        condition : Tensor of shape (n_sequences,), int64, default=None
            As in `ConditionEmbedding`.

        Returns
        -------
        Tensor of shape (n_frames, n_sequences, n_outputs)
        """
        context = self._context(condition, len(state))  # (B, K)
        initial = state.chunk(len(self.stacks), dim=1)  # D x (B, S)
        outputs = []
        for direction, stack in enumerate(self.stacks):
            backward = direction == 1
            frames = reverse_time(teacher, lengths) if backward else teacher  # (T, B, F)
            before = torch.cat([torch.zeros_like(frames[:1]), frames[:-1]])  # (T, B, F)
            (*_, top), _ = stack(before, initial[direction], lengths, rng, context)  # (T, B, H)
            outputs.append(reverse_time(top, lengths) if backward else top)
        return self._frames(torch.cat(outputs, dim=2))  # (T, B, D*H) -> (T, B, F)

    def _context(self, condition: Tensor | None, n_sequences: int) -> Tensor | None:
        return None if self.condition is None else self.condition(condition, n_sequences)

    def _frames(self, outputs: Tensor) -> Tensor:
        return ACTIVATIONS[self.activation](self.project(outputs))

    @torch.no_grad()
    def scheduled_sampling(
        self,
        state: Tensor,
        teacher: Tensor,
        lengths: Tensor | None,
        rng: CounterRNG | None,
        probability: float,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Replace some teacher-forced frames by the decoder's own (scheduled sampling [1]_).

        A unidirectional decoder gets its output of the step before. A bidirectional one, whose
        frames depend on each other, gets its outputs of a first pass with `teacher` [2]_.

        Parameters
        ----------
        state, teacher, lengths, condition : as in `forward`
        rng : CounterRNG or None
        probability : float in [0, 1]
            Probability, for each frame of each sequence, that it is replaced.

        Returns
        -------
        Tensor of shape (n_frames, n_sequences, n_inputs)
            The decoder's inputs. Gradients do not flow through them.

        References
        ----------
        .. [1] Bengio, Vinyals, Jaitly & Shazeer (2015). Scheduled sampling for sequence prediction
           with recurrent neural networks. NeurIPS 28.
        .. [2] Duckworth, Neelakantan, Goodrich, Kaiser & Bengio (2019). Parallel scheduled
           sampling. arXiv:1906.04331.
        """
        if probability == 0:
            return teacher
        use_prediction = bernoulli_mask(teacher, probability, rng)
        if len(self.stacks) == 2:
            written = self(state, teacher, lengths, None, condition)
            return torch.where(use_prediction[:, :, None], written, teacher)
        return self.decode_free_running(state, teacher, use_prediction, condition)

    @torch.no_grad()
    def decode_free_running(
        self,
        state: Tensor,
        teacher: Tensor,
        use_prediction: Tensor,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Replace the masked teacher-forced frames by the decoder's own output.

        A unidirectional decoder runs autoregressively. A bidirectional one iterates from zeros to a
        fixed point.

        Parameters
        ----------
        state : Tensor of shape (n_sequences, state_size)
        teacher : Tensor of shape (n_frames, n_sequences, n_inputs)
        use_prediction : Tensor of shape (n_frames, n_sequences), bool
            Where the decoder's own frame replaces that of `teacher`.
        condition : Tensor of shape (n_sequences,), int64, default=None
            As in `forward`.

        Returns
        -------
        Tensor of shape (n_frames, n_sequences, n_inputs)
            The decoder's inputs. Gradients do not flow through them.
        """
        if len(self.stacks) == 2:
            start = teacher.masked_fill(use_prediction[:, :, None], 0)
            return fixed_point(
                lambda frames: self(state, frames, condition=condition), start, use_prediction
            )
        stack: Any = self.stacks[0]
        context = self._context(condition, len(state))  # (B, K)
        frames = torch.empty_like(teacher)
        before = torch.zeros_like(teacher[0])  # (B, F)
        for step in range(len(teacher)):
            inputs = before if context is None else torch.cat([before, context], dim=1)
            output, state = stack.step(inputs, state)  # (B, H), (B, S)
            before = torch.where(use_prediction[step, :, None], self._frames(output), teacher[step])
            frames[step] = before
        return frames


class ConditionEmbedding(nn.Embedding):
    """Embedding of the condition of each sequence (site, speaker or device) for a decoder.

    Parameters
    ----------
    n_conditions : int
    width : int
        Numbers of the embedding of each condition.

    Examples
    --------
    >>> import torch
    >>> embedding = ConditionEmbedding(3, 2)
    >>> known, missing = embedding(torch.tensor([1, -1]), 2)
    >>> torch.equal(known, embedding.weight[1])
    True
    >>> torch.allclose(missing, embedding.weight.mean(dim=0))
    True
    """

    # None means that conditions are unknown, which torch's own `forward` does not accept.
    def forward(  # type: ignore[override]
        self, condition: Tensor | None, n_sequences: int
    ) -> Tensor:
        """Embed conditions.

        Parameters
        ----------
        condition : Tensor of shape (n_sequences,), int64, or None
            Number of the condition of each sequence; -1 if it is unknown, whose embedding is the
            mean of all. None: all conditions are unknown.
        n_sequences : int

        Returns
        -------
        Tensor of shape (n_sequences, width)
        """
        if condition is None:
            condition = torch.full((n_sequences,), -1, device=self.weight.device)
        table = torch.cat([self.weight, self.weight.mean(dim=0, keepdim=True)])
        last = torch.full_like(condition, len(self.weight))
        return nn.functional.embedding(torch.where(condition < 0, last, condition), table)


def top_layers(states: list[Tensor], n_directions: int) -> Tensor:
    """Put the top layers' states of all directions side by side: (T, B, D*H), from D*L of them."""
    n_layers = len(states) // n_directions
    return torch.cat(states[n_layers - 1 :: n_layers], dim=2)


def fixed_point(
    write: Callable[[Tensor], Tensor], frames: Tensor, use_prediction: Tensor
) -> Tensor:
    """Apply a function to frames until they no longer change.

    Parameters
    ----------
    write : callable
        Function from frames (n_frames, n_sequences, n_bands) to frames.
    frames : Tensor of shape (n_frames, n_sequences, n_bands)
        The start.
    use_prediction : Tensor of shape (n_frames, n_sequences), bool
        Which frames are replaced; the others are kept.

    Returns
    -------
    Tensor of shape (n_frames, n_sequences, n_bands)
        After at most `MAX_PASSES`.
    """
    for _ in range(MAX_PASSES):
        written = torch.where(use_prediction[:, :, None], write(frames), frames)
        change = (written - frames).abs().max()
        frames = written
        if change <= TOLERANCE:
            break
    return frames


def bernoulli_mask(x: Tensor, probability: float, rng: CounterRNG | None) -> Tensor:
    """Draw True with a probability for each frame of x (n_frames, n_sequences, n_inputs).

    For a probability of 1, nothing is drawn.
    """
    if probability == 1 or rng is None:
        return torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    return rng.uniform(len(x)) < probability
