"""The autoencoders as plain modules, from leaf to whole: no training loop, no scikit-learn.

A batch is time-major, ``(n_frames, n_sequences, n_bands)``. In the shapes at the ends of lines T is
frames, B sequences, F bands, W windows of bands, V bands of a window, N frames of all sequences,
D directions (1 or 2), S the state of a stack, C the width of the code.

References
----------
Freitag, Amiriparian, Pugachevskiy, Cummins & Schuller (2018). auDeep: Unsupervised learning of
representations from audio with deep recurrent neural networks. JMLR 18(173).

Amiriparian, Freitag, Cummins & Schuller (2017). Sequence to sequence autoencoders for unsupervised
representation learning from audio. DCASE Workshop.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from skaudeep.nn.bidirectional import DecoderStack, EncoderStack, bernoulli_mask, fixed_point
from skaudeep.nn.counter_rng import CounterRNG
from skaudeep.nn.encoders import (
    BandWindows,
    FrequencyEncoder,
    FrequencyTimeEncoder,
    TimeEncoder,
    frame_rng,
    gather_frames,
    scatter_frames,
)
from skaudeep.nn.sizes import NetworkSizes, pair, paired
from skaudeep.nn.stack import reverse_time
from skaudeep.nn.weights import draw_weights


class Reconstruction(NamedTuple):
    """Output of an autoencoder for a batch."""

    frames: Tensor  # (T, B, F)
    divergence: Tensor | None  # see `Code`


class Autoencoder(nn.Module):
    """Base class of the autoencoders: reconstruction, and weights that a generator draws.

    Parameters
    ----------
    sizes : NetworkSizes
        Kept, so that the network can be built again.

    Attributes
    ----------
    encoder : nn.Module
        ``encoder(x, lengths)`` gives a `Code`, ``encoder.statistics(code, lengths)`` those of its
        states, and ``encoder.pool(x, lengths)`` their covariance.
    code_size : int
        Width of the code.
    """

    PER_FRAME = False  # whether each frame has a code of its own
    encoder: Any
    code_size: int

    def __init__(self, sizes: NetworkSizes):
        super().__init__()
        self.sizes = sizes

    def draw_weights(self, generator: torch.Generator) -> None:
        """Draw all weights, see :func:`~skaudeep.nn.weights.draw_weights`.

        Parameters
        ----------
        generator : torch.Generator
        """
        draw_weights(self, generator)

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        rng: CounterRNG | None = None,
        feed_previous_prob: float = 0.0,
        condition: Tensor | None = None,
    ) -> Reconstruction:
        """Reconstruct sequences.

        Parameters
        ----------
        x : Tensor of shape (n_frames, n_sequences, n_bands)
            Zero at padding.
        lengths : Tensor of shape (n_sequences,), default=None
            True frames of each sequence; None where all fill the batch.
        rng : CounterRNG, default=None
            Source of dropout, noise and all else that is random in training; None switches it off.
        feed_previous_prob : float in [0, 1], default=0.0
            Probability of each step that the decoder is fed its own output of the step before
            in place of the true frame (scheduled sampling).
        condition : Tensor of shape (n_sequences,), int64, default=None
            Number of the condition of each sequence, which the decoder alone is told; -1 where it
            is not known. None: it is not known of any.

        Returns
        -------
        Reconstruction
            Its frames in the time order of `x`; meaningless at padding.
        """
        code = self.encoder(x, lengths, rng)
        frames = self.decode(code.values, x, lengths, rng, feed_previous_prob, condition)
        return Reconstruction(frames, code.divergence)

    def decode(
        self,
        code: Tensor,
        x: Tensor,
        lengths: Tensor | None = None,
        rng: CounterRNG | None = None,
        feed_previous_prob: float = 0.0,
        condition: Tensor | None = None,
    ) -> Tensor:
        """Rebuild sequences from their codes with teacher forcing.

        Parameters
        ----------
        code : Tensor of shape (n_sequences, code_size), or (n_frames, n_sequences, code_size) \
                where each frame has its own
        x, lengths, rng, feed_previous_prob, condition : as in `forward`

        Returns
        -------
        Tensor of shape (n_frames, n_sequences, n_bands)
        """
        raise NotImplementedError

    def generate(self, code: Tensor, n_frames: int, condition: Tensor | None = None) -> Tensor:
        """Rebuild sequences from nothing but their codes: the decoder runs free.

        Parameters
        ----------
        code : as in `decode`
        n_frames : int
        condition : as in `forward`

        Returns
        -------
        Tensor of shape (n_frames, n_sequences, n_bands)
        """
        raise NotImplementedError


class TimeAutoencoder(Autoencoder):
    """Sequence to code to the same sequence, reversed in time.

    The final states of the encoder go through a fully connected layer with tanh; its output, the
    code, is as wide as the whole initial state of the decoder and is split over the decoder's
    directions and layers.

    Parameters
    ----------
    sizes : NetworkSizes

    Examples
    --------
    >>> import torch
    >>> network = TimeAutoencoder(NetworkSizes(n_bands=3, n_units=4, bidirectional_decoder=True))
    >>> x = torch.zeros(7, 2, 3)  # 7 frames of 2 sequences
    >>> network(x).frames.shape
    torch.Size([7, 2, 3])
    >>> code = network.encoder(x)
    >>> code.values.shape, [layer.shape for layer in code.states]
    (torch.Size([2, 16]), [torch.Size([7, 2, 4]), torch.Size([7, 2, 4])])
    """

    def __init__(self, sizes: NetworkSizes):
        super().__init__(sizes)
        layers: dict[str, Any] = {
            "n_layers": sizes.n_layers,
            "cell": sizes.cell,
            "dropout": sizes.dropout,
        }
        self.decoder = DecoderStack(
            sizes.n_bands,
            sizes.n_units,
            n_outputs=sizes.n_bands,
            activation=sizes.out_activation,
            bidirectional=sizes.bidirectional_decoder,
            n_conditions=sizes.n_conditions,
            **layers,
        )
        self.code_size = self.decoder.state_size
        self.encoder = TimeEncoder(
            sizes.n_bands,
            sizes.n_units,
            code=sizes.code,
            code_size=self.code_size,
            noise=sizes.encoder_noise,
            bidirectional=sizes.bidirectional_encoder,
            **layers,
        )

    def decode(  # noqa: D102 (as in the base class)
        self,
        code: Tensor,
        x: Tensor,
        lengths: Tensor | None = None,
        rng: CounterRNG | None = None,
        feed_previous_prob: float = 0.0,
        condition: Tensor | None = None,
    ) -> Tensor:
        state = self.encoder.code.initial_state(code)  # (B, D*S)
        teacher = reverse_time(x, lengths)  # (T, B, F)
        teacher = self.decoder.scheduled_sampling(
            state, teacher, lengths, rng, feed_previous_prob, condition
        )
        return reverse_time(self.decoder(state, teacher, lengths, rng, condition), lengths)

    @torch.no_grad()
    def generate(  # noqa: D102
        self, code: Tensor, n_frames: int, condition: Tensor | None = None
    ) -> Tensor:
        state = self.encoder.code.initial_state(code)  # (B, D*S)
        nothing = code.new_zeros(n_frames, len(code), self.sizes.n_bands)
        use_prediction = torch.ones(nothing.shape[:2], dtype=torch.bool, device=code.device)
        written = self.decoder.decode_free_running(state, nothing, use_prediction, condition)
        return written.flip(0)  # (T, B, F)


class FrequencyAutoencoder(Autoencoder):
    """Each frame to a code to the same frame, as a sequence of windows of bands.

    The windows are rebuilt from the highest to the lowest; a band is the mean of the windows that
    hold it. The time axis is kept: there is one code per frame.

    Parameters
    ----------
    sizes : NetworkSizes
        A `TimeAutoencoder` of these sizes does the work, with windows for frames.

    Examples
    --------
    >>> import torch
    >>> network = FrequencyAutoencoder(NetworkSizes(n_bands=40, n_units=4))
    >>> x = torch.zeros(7, 2, 40)  # 7 frames of 2 sequences
    >>> network(x).frames.shape, network.encoder(x).values.shape
    (torch.Size([7, 2, 40]), torch.Size([7, 2, 8]))
    """

    PER_FRAME = True

    def __init__(self, sizes: NetworkSizes):
        super().__init__(sizes)
        frame = TimeAutoencoder(replace(sizes, n_bands=sizes.band_window))
        self.windows = BandWindows(sizes.n_bands, sizes.band_window, sizes.band_overlap)
        self.encoder = FrequencyEncoder(self.windows, frame.encoder)
        self.frame = frame
        self.code_size = frame.code_size

    def decode(  # noqa: D102
        self,
        code: Tensor,
        x: Tensor,
        lengths: Tensor | None = None,
        rng: CounterRNG | None = None,
        feed_previous_prob: float = 0.0,
        condition: Tensor | None = None,
    ) -> Tensor:
        windows = self.windows.split(gather_frames(x, lengths))  # (W, N, V)
        codes = gather_frames(code, lengths)  # (N, C)
        if condition is not None:
            condition = gather_frames(condition.expand(x.shape[:2])[:, :, None], lengths)[:, 0]
        rebuilt = self.frame.decode(
            codes, windows, None, frame_rng(rng, x, lengths), feed_previous_prob, condition
        )
        return scatter_frames(self.windows.join(rebuilt), x, lengths)  # (T, B, F)

    @torch.no_grad()
    def generate(  # noqa: D102
        self, code: Tensor, n_frames: int, condition: Tensor | None = None
    ) -> Tensor:
        if condition is not None:
            condition = condition.expand(code.shape[:2]).flatten()  # (N,)
        codes, n_windows = code.flatten(0, 1), len(self.windows.starts)
        windows = self.frame.generate(codes, n_windows, condition)  # (W, N, V)
        return self.windows.join(windows).unflatten(0, code.shape[:2])  # (T, B, F)


class FrequencyTimeAutoencoder(Autoencoder):
    """Frames read over their bands, then over time, and both ways back, with one loss.

    A frequency encoder reads each frame over its windows of bands; its final states go into a time
    encoder, whose final states become the code. A time decoder starts from the code, last frame
    first, fed the frequency encoder's states of the frame before; each of its outputs, through
    a linear layer with tanh, starts a frequency decoder, which rebuilds the frame's windows from
    the highest to the lowest.

    Parameters
    ----------
    sizes : NetworkSizes
        Pairs of `PER_AXIS` are over frequency and over time; one value is both. With noise the
        frequency encoder is not shown windows of a frame, the time encoder not what it made of a
        frame, nor is the time decoder shown more of a frame than the frequency encoder.

    Notes
    -----
    Scheduled sampling may have a pair of probabilities, too: each window of a frame that the
    frequency decoder is fed, and each frame that the time decoder is fed. The latter are those of a
    first pass with the truth, as in a bidirectional decoder.

    Examples
    --------
    >>> import torch
    >>> sizes = NetworkSizes(n_bands=40, n_units=(4, 6), n_layers=(1, 2))
    >>> network = FrequencyTimeAutoencoder(sizes)
    >>> x = torch.zeros(7, 2, 40)  # 7 frames of 2 sequences
    >>> network(x).frames.shape, network.encoder(x).values.shape
    (torch.Size([7, 2, 40]), torch.Size([2, 12]))
    """

    def __init__(self, sizes: NetworkSizes):
        super().__init__(paired(sizes))
        sizes = self.sizes
        common: dict[str, Any] = {"cell": sizes.cell, "dropout": sizes.dropout}
        over_bands = common | {"n_layers": sizes.n_layers[0]}
        over_time = common | {"n_layers": sizes.n_layers[1]}
        self.windows = BandWindows(sizes.n_bands, sizes.band_window, sizes.band_overlap)
        frame_encoder = EncoderStack(
            sizes.band_window,
            sizes.n_units[0],
            bidirectional=sizes.bidirectional_encoder[0],
            **over_bands,
        )
        self.frame_decoder = DecoderStack(
            sizes.band_window,
            sizes.n_units[0],
            n_outputs=sizes.band_window,
            activation=sizes.out_activation,
            bidirectional=sizes.bidirectional_decoder[0],
            **over_bands,
        )
        self.time_decoder = DecoderStack(
            frame_encoder.state_size,
            sizes.n_units[1],
            n_outputs=self.frame_decoder.state_size,
            activation="tanh",
            bidirectional=sizes.bidirectional_decoder[1],
            n_conditions=sizes.n_conditions,
            **over_time,
        )
        self.code_size = self.time_decoder.state_size
        time = TimeEncoder(
            frame_encoder.state_size,
            sizes.n_units[1],
            code=sizes.code,
            code_size=self.code_size,
            noise=sizes.encoder_noise[1],
            bidirectional=sizes.bidirectional_encoder[1],
            **over_time,
        )
        self.encoder = FrequencyTimeEncoder(
            self.windows, frame_encoder, time, noise=sizes.encoder_noise[0]
        )

    def forward(  # noqa: D102
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        rng: CounterRNG | None = None,
        feed_previous_prob: Any = 0.0,  # or a pair
        condition: Tensor | None = None,
    ) -> Reconstruction:
        if pair(feed_previous_prob)[1] > 0:
            return super().forward(x, lengths, rng, feed_previous_prob, condition)
        read = self.encoder.read_frames(x, lengths, rng)  # once for both: (T, B, S)
        code = self.encoder.time(read, lengths, rng)
        frames = self._decode(code.values, x, read, lengths, rng, feed_previous_prob, condition)
        return Reconstruction(frames, code.divergence)

    def decode(  # noqa: D102
        self,
        code: Tensor,
        x: Tensor,
        lengths: Tensor | None = None,
        rng: CounterRNG | None = None,
        feed_previous_prob: Any = 0.0,
        condition: Tensor | None = None,
    ) -> Tensor:
        fed, probability = x, pair(feed_previous_prob)[1]
        if probability > 0:  # predictions of a first pass, see `DecoderStack.scheduled_sampling`
            use_prediction = bernoulli_mask(x, probability, rng)
            written = self._written(code, x, lengths, condition)
            fed = torch.where(use_prediction[:, :, None], written, x)
        read = self.encoder.read_frames(fed, lengths, rng)
        return self._decode(code, x, read, lengths, rng, feed_previous_prob, condition)

    @torch.no_grad()
    def _written(
        self, code: Tensor, x: Tensor, lengths: Tensor | None, condition: Tensor | None
    ) -> Tensor:
        return self.decode(code, x, lengths, condition=condition)

    def _decode(
        self,
        code: Tensor,
        x: Tensor,
        read: Tensor,
        lengths: Tensor | None,
        rng: CounterRNG | None,
        feed_previous_prob: Any,
        condition: Tensor | None,
    ) -> Tensor:
        state = self.encoder.time.code.initial_state(code)  # (B, D*S)
        teacher = reverse_time(read, lengths)  # (T, B, S)
        starts = self.time_decoder(state, teacher, lengths, rng, condition)
        starts = reverse_time(starts, lengths)  # (T, B, S)
        starts = gather_frames(starts, lengths)  # (N, S)
        windows = self.windows.split(gather_frames(x, lengths)).flip(0)  # (W, N, V), highest first
        own = frame_rng(rng, x, lengths)
        windows = self.frame_decoder.scheduled_sampling(
            starts, windows, None, own, pair(feed_previous_prob)[0]
        )
        rebuilt = self.frame_decoder(starts, windows, None, own)
        return scatter_frames(self.windows.join(rebuilt.flip(0)), x, lengths)  # (T, B, F)

    @torch.no_grad()
    def generate(  # noqa: D102
        self, code: Tensor, n_frames: int, condition: Tensor | None = None
    ) -> Tensor:
        nothing = code.new_zeros(n_frames, len(code), self.sizes.n_bands)
        everywhere = torch.ones(nothing.shape[:2], dtype=torch.bool, device=code.device)
        return fixed_point(
            lambda frames: self.decode(code, frames, condition=condition), nothing, everywhere
        )


NETWORKS: dict[str, type[Autoencoder]] = {
    "time": TimeAutoencoder,
    "frequency": FrequencyAutoencoder,
    "frequency-time": FrequencyTimeAutoencoder,
}
