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
from skaudeep.nn.pooling import StateCovariance
from skaudeep.nn.stack import reverse_time


class Reconstruction(NamedTuple):
    """What an autoencoder makes of a batch."""

    frames: Tensor  # (T, B, F)
    divergence: Tensor | None  # as in `Code`


class Autoencoder(nn.Module):
    """What the autoencoders share: the way from x to x, and weights that a generator draws.

    Parameters
    ----------
    **config
        The arguments that the network was built with, kept so that it can be built again.

    Attributes
    ----------
    encoder : nn.Module
        ``encoder(x, lengths)`` gives a `Code`, ``encoder.features(code, lengths, kind=...)`` what
        is kept of its states.
    code_size : int
        Width of the code.
    """

    PER_FRAME = False  # whether each frame has a code of its own
    encoder: Any
    code_size: int

    def __init__(self, **config: Any):
        super().__init__()
        self.config = config

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw all weights anew.

        Those from state to state are orthogonal for each gate [1]_, so that a state neither fades
        nor grows on its way through time; those of the inputs are normal with variance
        ``1 / n_inputs`` [2]_, so that a layer hears as much of its input whatever its width. All
        others are uniform within ``1 / sqrt(n_units)`` in recurrent layers, ``1 / sqrt(n_inputs)``
        in linear ones, as in torch.

        References
        ----------
        .. [1] Saxe, McClelland & Ganguli (2014). Exact solutions to the nonlinear dynamics of
           learning in deep linear neural networks. ICLR.
        .. [2] LeCun, Bottou, Orr & Müller (1998). Efficient backprop. Section 4.6.
        """
        for module in self.modules():
            if isinstance(module, nn.RNNBase):
                bound = module.hidden_size**-0.5
                for name, parameter in module.named_parameters():
                    if name.startswith("weight_hh"):
                        for gate in parameter.chunk(len(parameter) // module.hidden_size):
                            nn.init.orthogonal_(gate, generator=generator)
                    elif name.startswith("weight_ih"):
                        deviation = module.input_size**-0.5
                        nn.init.normal_(parameter, 0, deviation, generator=generator)
                    else:
                        nn.init.uniform_(parameter, -bound, bound, generator=generator)
            elif isinstance(module, nn.Linear):
                bound = module.in_features**-0.5
                for parameter in module.parameters():
                    nn.init.uniform_(parameter, -bound, bound, generator=generator)
            elif isinstance(module, StateCovariance):
                module.reset()

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        rng: CounterRNG | None = None,
        feed_previous_prob: float = 0.0,
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
            Probability of each step that the decoder is told its own output of the step before
            in place of the truth.

        Returns
        -------
        Reconstruction
            Its frames in the time order of `x`; meaningless at padding.
        """
        code = self.encoder(x, lengths, rng)
        frames = self.decode(code.values, x, lengths, rng, feed_previous_prob)
        return Reconstruction(frames, code.divergence)

    def decode(
        self,
        code: Tensor,
        x: Tensor,
        lengths: Tensor | None = None,
        rng: CounterRNG | None = None,
        feed_previous_prob: float = 0.0,
    ) -> Tensor:
        """Rebuild sequences from their codes, told of the steps before (teacher forcing).

        Parameters
        ----------
        code : Tensor of shape (n_sequences, code_size), or (n_frames, n_sequences, code_size) \
                where each frame has its own
        x, lengths, rng, feed_previous_prob : as in `forward`

        Returns
        -------
        Tensor of shape (n_frames, n_sequences, n_bands)
        """
        raise NotImplementedError

    def generate(self, code: Tensor, n_frames: int) -> Tensor:
        """Rebuild sequences from nothing but their codes: the decoder is told what it wrote.

        Parameters
        ----------
        code : as in `decode`
        n_frames : int

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
    n_bands : int
        Bands per frame.
    n_units : int, default=256
        Units per layer.
    n_layers : int, default=2
        Layers per stack.
    cell : {"gru", "lstm"}, default="gru"
    bidirectional_encoder, bidirectional_decoder : bool, default=False
    code : {"tanh", "gaussian"}, default="tanh"
    dropout : float in [0, 1), default=0.0
        Share of the inputs and outputs of each recurrent layer that are dropped in training.
    encoder_noise : float in [0, 1), default=0.0
        Share of the frames that the encoder is not shown in training.
    out_activation : {"tanh", "identity"}, default="tanh"

    Examples
    --------
    >>> import torch
    >>> network = TimeAutoencoder(n_bands=3, n_units=4, bidirectional_decoder=True)
    >>> x = torch.zeros(7, 2, 3)  # 7 frames of 2 sequences
    >>> network(x).frames.shape
    torch.Size([7, 2, 3])
    >>> code = network.encoder(x)
    >>> code.values.shape, [layer.shape for layer in code.states]
    (torch.Size([2, 16]), [torch.Size([7, 2, 4]), torch.Size([7, 2, 4])])
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
        code: str = "tanh",
        dropout: float = 0.0,
        encoder_noise: float = 0.0,
        out_activation: str = "tanh",
    ):
        super().__init__(
            n_bands=n_bands,
            n_units=n_units,
            n_layers=n_layers,
            cell=cell,
            bidirectional_encoder=bidirectional_encoder,
            bidirectional_decoder=bidirectional_decoder,
            code=code,
            dropout=dropout,
            encoder_noise=encoder_noise,
            out_activation=out_activation,
        )
        sizes: dict[str, Any] = {"n_layers": n_layers, "cell": cell, "dropout": dropout}
        self.decoder = DecoderStack(
            n_bands,
            n_units,
            n_outputs=n_bands,
            activation=out_activation,
            bidirectional=bidirectional_decoder,
            **sizes,
        )
        self.code_size = self.decoder.state_size
        self.encoder = TimeEncoder(
            n_bands,
            n_units,
            code=code,
            code_size=self.code_size,
            noise=encoder_noise,
            bidirectional=bidirectional_encoder,
            **sizes,
        )

    def decode(  # noqa: D102 (as in the base class)
        self,
        code: Tensor,
        x: Tensor,
        lengths: Tensor | None = None,
        rng: CounterRNG | None = None,
        feed_previous_prob: float = 0.0,
    ) -> Tensor:
        state = self.encoder.code.initial_state(code)  # (B, D*S)
        teacher = reverse_time(x, lengths)  # (T, B, F)
        teacher = self.decoder.scheduled_sampling(state, teacher, lengths, rng, feed_previous_prob)
        return reverse_time(self.decoder(state, teacher, lengths, rng), lengths)

    @torch.no_grad()
    def generate(self, code: Tensor, n_frames: int) -> Tensor:  # noqa: D102
        state = self.encoder.code.initial_state(code)  # (B, D*S)
        nothing = code.new_zeros(n_frames, len(code), self.config["n_bands"])
        use_prediction = torch.ones(nothing.shape[:2], dtype=torch.bool, device=code.device)
        return self.decoder.decode_free_running(state, nothing, use_prediction).flip(0)  # (T, B, F)


class FrequencyAutoencoder(Autoencoder):
    """Each frame to a code to the same frame, as a sequence of windows of bands.

    The windows are rebuilt from the highest to the lowest; a band is the mean of the windows that
    hold it. The time axis is kept: there is one code per frame.

    Parameters
    ----------
    n_bands : int
        Bands per frame.
    band_window : int, default=32
        Bands of a window.
    band_overlap : int, default=24
        Bands that a window shares with the next.
    **config
        As in `TimeAutoencoder`, which does the work, with windows for frames.

    Examples
    --------
    >>> import torch
    >>> network = FrequencyAutoencoder(n_bands=40, n_units=4)
    >>> x = torch.zeros(7, 2, 40)  # 7 frames of 2 sequences
    >>> network(x).frames.shape, network.encoder(x).values.shape
    (torch.Size([7, 2, 40]), torch.Size([7, 2, 8]))
    """

    PER_FRAME = True

    def __init__(
        self, n_bands: int, *, band_window: int = 32, band_overlap: int = 24, **config: Any
    ):
        super().__init__(
            n_bands=n_bands, band_window=band_window, band_overlap=band_overlap, **config
        )
        frame = TimeAutoencoder(band_window, **config)
        self.windows = BandWindows(n_bands, band_window, band_overlap)
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
    ) -> Tensor:
        windows = self.windows.split(gather_frames(x, lengths))  # (W, N, V)
        codes = gather_frames(code, lengths)  # (N, C)
        rebuilt = self.frame.decode(
            codes, windows, None, frame_rng(rng, x, lengths), feed_previous_prob
        )
        return scatter_frames(self.windows.join(rebuilt), x, lengths)  # (T, B, F)

    @torch.no_grad()
    def generate(self, code: Tensor, n_frames: int) -> Tensor:  # noqa: D102
        windows = self.frame.generate(code.flatten(0, 1), len(self.windows.starts))  # (W, N, V)
        return self.windows.join(windows).unflatten(0, code.shape[:2])  # (T, B, F)


class FrequencyTimeAutoencoder(Autoencoder):
    """Frames read over their bands, then over time, and both ways back, with one loss.

    A frequency encoder reads each frame over its windows of bands; its final states go into a time
    encoder, whose final states become the code. A time decoder starts from the code, last frame
    first, told of the frequency encoder's states of the frame before; each of its outputs, through
    a linear layer with tanh, starts a frequency decoder, which rebuilds the frame's windows from
    the highest to the lowest.

    Parameters
    ----------
    n_bands, cell, bidirectional_encoder, bidirectional_decoder, code, dropout, encoder_noise, \
            out_activation
        As in `TimeAutoencoder`; directions are those of both axes.
    n_units : (int, int), default=(64, 128)
        Units per layer over frequency and over time.
    n_layers : (int, int), default=(1, 2)
        Layers per stack over frequency and over time.
    band_window, band_overlap : as in `FrequencyAutoencoder`

    Examples
    --------
    >>> import torch
    >>> network = FrequencyTimeAutoencoder(n_bands=40, n_units=(4, 6))
    >>> x = torch.zeros(7, 2, 40)  # 7 frames of 2 sequences
    >>> network(x).frames.shape, network.encoder(x).values.shape
    (torch.Size([7, 2, 40]), torch.Size([2, 12]))
    """

    def __init__(
        self,
        n_bands: int,
        n_units: tuple[int, int] = (64, 128),
        *,
        n_layers: tuple[int, int] = (1, 2),
        cell: str = "gru",
        bidirectional_encoder: bool = False,
        bidirectional_decoder: bool = False,
        code: str = "tanh",
        dropout: float = 0.0,
        encoder_noise: float = 0.0,
        out_activation: str = "tanh",
        band_window: int = 32,
        band_overlap: int = 24,
    ):
        super().__init__(
            n_bands=n_bands,
            n_units=n_units,
            n_layers=n_layers,
            cell=cell,
            bidirectional_encoder=bidirectional_encoder,
            bidirectional_decoder=bidirectional_decoder,
            code=code,
            dropout=dropout,
            encoder_noise=encoder_noise,
            out_activation=out_activation,
            band_window=band_window,
            band_overlap=band_overlap,
        )
        over_bands: dict[str, Any] = {"n_layers": n_layers[0], "cell": cell, "dropout": dropout}
        over_time: dict[str, Any] = {"n_layers": n_layers[1], "cell": cell, "dropout": dropout}
        self.windows = BandWindows(n_bands, band_window, band_overlap)
        recurrent = EncoderStack(
            band_window, n_units[0], bidirectional=bidirectional_encoder, **over_bands
        )
        self.frame_decoder = DecoderStack(
            band_window,
            n_units[0],
            n_outputs=band_window,
            activation=out_activation,
            bidirectional=bidirectional_decoder,
            **over_bands,
        )
        self.time_decoder = DecoderStack(
            recurrent.state_size,
            n_units[1],
            n_outputs=self.frame_decoder.state_size,
            activation="tanh",
            bidirectional=bidirectional_decoder,
            **over_time,
        )
        self.code_size = self.time_decoder.state_size
        time = TimeEncoder(
            recurrent.state_size,
            n_units[1],
            code=code,
            code_size=self.code_size,
            noise=encoder_noise,
            bidirectional=bidirectional_encoder,
            **over_time,
        )
        self.encoder = FrequencyTimeEncoder(self.windows, recurrent, time)

    def forward(  # noqa: D102
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        rng: CounterRNG | None = None,
        feed_previous_prob: float = 0.0,
    ) -> Reconstruction:
        if feed_previous_prob > 0:
            return super().forward(x, lengths, rng, feed_previous_prob)
        read = self.encoder.read_frames(x, lengths, rng)  # once for both: (T, B, S)
        code = self.encoder.time(read, lengths, rng)
        frames = self._decode(code.values, x, read, lengths, rng)
        return Reconstruction(frames, code.divergence)

    def decode(  # noqa: D102
        self,
        code: Tensor,
        x: Tensor,
        lengths: Tensor | None = None,
        rng: CounterRNG | None = None,
        feed_previous_prob: float = 0.0,
    ) -> Tensor:
        if feed_previous_prob > 0:  # as in `DecoderStack.scheduled_sampling`, by a first pass
            use_prediction = bernoulli_mask(x, feed_previous_prob, rng)
            with torch.no_grad():
                x = torch.where(use_prediction[:, :, None], self.decode(code, x, lengths), x)
        read = self.encoder.read_frames(x, lengths, rng)
        return self._decode(code, x, read, lengths, rng)

    def _decode(
        self,
        code: Tensor,
        x: Tensor,
        read: Tensor,
        lengths: Tensor | None,
        rng: CounterRNG | None,
    ) -> Tensor:
        state = self.encoder.time.code.initial_state(code)  # (B, D*S)
        teacher = reverse_time(read, lengths)  # (T, B, S)
        starts = reverse_time(self.time_decoder(state, teacher, lengths, rng), lengths)
        windows = self.windows.split(gather_frames(x, lengths)).flip(0)  # (W, N, V), highest first
        rebuilt = self.frame_decoder(
            gather_frames(starts, lengths), windows, None, frame_rng(rng, x, lengths)
        )
        return scatter_frames(self.windows.join(rebuilt.flip(0)), x, lengths)  # (T, B, F)

    @torch.no_grad()
    def generate(self, code: Tensor, n_frames: int) -> Tensor:  # noqa: D102
        nothing = code.new_zeros(n_frames, len(code), self.config["n_bands"])
        everywhere = torch.ones(nothing.shape[:2], dtype=torch.bool, device=code.device)
        return fixed_point(lambda frames: self.decode(code, frames), nothing, everywhere)


NETWORKS: dict[str, type[Autoencoder]] = {
    "time": TimeAutoencoder,
    "frequency": FrequencyAutoencoder,
    "frequency-time": FrequencyTimeAutoencoder,
}
