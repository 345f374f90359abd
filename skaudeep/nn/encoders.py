"""Encoders from sequences to codes, over time, over the bands of a frame, or both.

A batch is time-major, ``(n_frames, n_sequences, n_bands)``. In the shapes at the ends of lines T is
frames (or whatever the steps of a sequence are), B sequences, F bands, W windows of bands,
V bands of a window, N frames of all sequences, H units, D directions (1 or 2), L layers, S the
state of a stack, C the width of the code.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from skaudeep.nn.bidirectional import EncoderStack, bernoulli_mask, top_layers
from skaudeep.nn.counter_rng import CounterRNG
from skaudeep.nn.pooling import (
    FRAME_REPRESENTATIONS,
    REPRESENTATIONS,
    StateCovariance,
    moments,
    state_statistics,
    step_mask,
)


class Code(NamedTuple):
    """Output of an encoder for a batch of sequences."""

    values: Tensor  # (B, C), or (T, B, C) where each frame has its own
    states: list[Tensor]  # D*L x (T, B, H): of all layers, at each step
    divergence: Tensor | None  # scalar: sum over the batch, None for a code that is no distribution


# --- codes ---------------------------------------------------------------------------------------


class TanhCode(nn.Module):
    """The paper's code: a linear layer with tanh on the encoder's final states.

    Parameters
    ----------
    n_inputs, size : int
    """

    def __init__(self, n_inputs: int, size: int):
        super().__init__()
        self.linear = nn.Linear(n_inputs, size)

    def forward(self, final: Tensor, rng: CounterRNG | None = None) -> tuple[Tensor, None]:
        """Return the code, of shape (n_sequences, size), in (-1, 1)."""
        return torch.tanh(self.linear(final)), None

    @staticmethod
    def initial_state(code: Tensor) -> Tensor:
        """Turn codes into the decoder's initial state."""
        return code


class GaussianCode(nn.Module):
    """A variational code [1]_: a normal distribution of each number, by mean and variance.

    In training the code is drawn from the distribution; without a generator it is the mean.

    Parameters
    ----------
    n_inputs, size : int

    References
    ----------
    .. [1] Kingma & Welling (2014). Auto-encoding variational Bayes. ICLR. The divergence from a
       standard normal distribution is in appendix B.
    """

    def __init__(self, n_inputs: int, size: int):
        super().__init__()
        self.mean = nn.Linear(n_inputs, size)
        self.log_variance = nn.Linear(n_inputs, size)

    def forward(self, final: Tensor, rng: CounterRNG | None = None) -> tuple[Tensor, Tensor]:
        """Return the code, of shape (n_sequences, size), and its divergence in nats."""
        mean, log_variance = self.mean(final), self.log_variance(final)  # (B, C)
        divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum()
        if rng is None:
            return mean, divergence
        noise = rng.normal(mean.shape[1]).to(mean.dtype)
        return mean + noise * (0.5 * log_variance).exp(), divergence

    @staticmethod
    def initial_state(code: Tensor) -> Tensor:
        """Turn codes into the decoder's initial state, which lies in (-1, 1)."""
        return torch.tanh(code)


CODES = {"tanh": TanhCode, "gaussian": GaussianCode}


# --- encoders ------------------------------------------------------------------------------------


class TimeEncoder(nn.Module):
    """Reads sequences and compresses its final states into a code.

    Parameters
    ----------
    n_inputs : int
        Numbers per frame.
    n_units : int
    code : {"tanh", "gaussian"}
    code_size : int
    noise : float in [0, 1)
        Share of the frames that it is not shown (zeros) in training.
    **sizes
        As in `BidirectionalStack`.
    """

    def __init__(
        self, n_inputs: int, n_units: int, *, code: str, code_size: int, noise: float, **sizes: Any
    ):
        super().__init__()
        self.recurrent = EncoderStack(n_inputs, n_units, **sizes)
        self.code = CODES[code](self.recurrent.state_size, code_size)
        self.covariance = StateCovariance(len(self.recurrent.stacks) * n_units)
        self.output_size = self.recurrent.output_size
        self.noise = noise

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, rng: CounterRNG | None = None
    ) -> Code:
        """Encode sequences of shape (n_frames, n_sequences, n_inputs)."""
        states, final = self.recurrent(drop_frames(x, self.noise, rng), lengths, rng)
        values, divergence = self.code(final, rng)  # (B, C)
        return Code(values, states, divergence)

    def top_states(self, code: Code) -> Tensor:
        """Return the states of the top layer, directions side by side: (T, B, D*H)."""
        return top_layers(code.states, len(self.recurrent.stacks))

    def moments(self, code: Code, lengths: Tensor | None = None) -> Tensor:
        """Sum what `covariance` is fitted to, see :func:`~skaudeep.nn.pooling.moments`."""
        return moments(self.top_states(code), lengths)

    def statistics(self, code: Code, lengths: Tensor | None = None) -> Tensor:
        """Sum up the states of all layers over time: (n_sequences, n_features)."""
        return state_statistics(code.states, lengths)

    def read(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the states of the top layer, which alone is kept: (T, B, D*H)."""
        return self.recurrent.top_states(x, lengths)

    def carry_on(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read the next frames, see :meth:`EncoderStack.carry_on`."""
        return self.recurrent.carry_on(x, state)

    def pool(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Compute the features "covariance"."""
        return self.covariance(self.read(x, lengths), lengths)


class FrequencyEncoder(nn.Module):
    """Reads each frame as a sequence of windows of bands: one code per frame.

    Parameters
    ----------
    windows : BandWindows
    frame : TimeEncoder
        Reads the windows of a frame as others read the frames of a clip.
    """

    def __init__(self, windows: BandWindows, frame: TimeEncoder):
        super().__init__()
        self.windows = windows
        self.frame = frame
        self.output_size = frame.output_size

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, rng: CounterRNG | None = None
    ) -> Code:
        """Encode each frame of a batch of shape (n_frames, n_sequences, n_bands)."""
        frames = gather_frames(x, lengths)  # (N, F)
        own = frame_rng(rng, x, lengths)
        code = self.frame(self.windows.split(frames), None, own)  # (N, C), D*L x (W, N, H)
        return code._replace(values=scatter_frames(code.values, x, lengths))  # (T, B, C)

    @property
    def covariance(self) -> StateCovariance:
        """Covariance pooling of the states over bands."""
        return self.frame.covariance

    def moments(self, code: Code, lengths: Tensor | None = None) -> Tensor:
        """Sum what `covariance` is fitted to."""
        return self.frame.moments(code)

    def statistics(self, code: Code, lengths: Tensor | None = None) -> Tensor:
        """Sum up the states of all layers over bands: (n_frames, n_sequences, n_features)."""
        return scatter_frames(self.frame.statistics(code), code.values, lengths)

    def pool(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Compute the features "covariance", for which the top layer alone is kept."""
        windows = self.windows.split(gather_frames(x, lengths))  # (W, N, V)
        return scatter_frames(self.frame.pool(windows), x, lengths)


class FrequencyTimeEncoder(nn.Module):
    """Reads each frame over its windows of bands, and the final states of that over time.

    Parameters
    ----------
    windows : BandWindows
    frame : EncoderStack
        Reads the windows of a frame.
    time : TimeEncoder
        Reads, for each frame, the final states of `frame`.
    noise : float in [0, 1), default=0.0
        Share of the windows that `frame` is not shown (zeros) in training.
    """

    def __init__(
        self, windows: BandWindows, frame: EncoderStack, time: TimeEncoder, *, noise: float = 0.0
    ):
        super().__init__()
        self.noise = noise
        self.windows = windows
        self.frame = frame
        self.time = time
        self.output_size = time.output_size

    def read_frames(self, x: Tensor, lengths: Tensor | None, rng: CounterRNG | None) -> Tensor:
        """Turn each frame into the final states of `frame`, of shape (T, B, S)."""
        windows = self.windows.split(gather_frames(x, lengths))  # (W, N, V)
        own = frame_rng(rng, x, lengths)
        windows = drop_frames(windows, self.noise, own)
        return scatter_frames(self.frame(windows, None, own)[1], x, lengths)

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, rng: CounterRNG | None = None
    ) -> Code:
        """Encode sequences of shape (n_frames, n_sequences, n_bands)."""
        return self.time(self.read_frames(x, lengths, rng), lengths, rng)

    @property
    def covariance(self) -> StateCovariance:
        """Covariance pooling of the states over time."""
        return self.time.covariance

    def moments(self, code: Code, lengths: Tensor | None = None) -> Tensor:
        """Sum what `covariance` is fitted to."""
        return self.time.moments(code, lengths)

    def statistics(self, code: Code, lengths: Tensor | None = None) -> Tensor:
        """Sum up the states of all layers over time: (n_sequences, n_features)."""
        return self.time.statistics(code, lengths)

    def read(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the states of the top layer over time, which alone is kept: (T, B, D*H)."""
        return self.time.read(self.read_frames(x, lengths, None), lengths)

    def carry_on(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read the next frames; the state is that over time."""
        return self.time.carry_on(self.read_frames(x, None, None), state)

    def pool(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Compute the features "covariance"."""
        return self.time.pool(self.read_frames(x, lengths, None), lengths)


def represent(encoder: Any, x: Tensor, lengths: Tensor | None, representation: str) -> Tensor:
    """Compute the features of a time-major batch.

    Parameters
    ----------
    encoder : TimeEncoder, FrequencyEncoder, FrequencyTimeEncoder or Reservoir
    x : Tensor of shape (n_frames, n_sequences, n_bands)
        Zero at padding.
    lengths : Tensor of shape (n_sequences,) or None
        True frames of each sequence; None where all fill the batch.
    representation : {"covariance", "statistics", "code", "both", "components", "states"}
        The last two have a row for each frame; they are none of a `FrequencyEncoder`.

    Returns
    -------
    Tensor of shape (n_sequences, n_features), or (n_frames, n_sequences, n_features) where each \
            frame has its own
    """
    if representation == "covariance":
        return encoder.pool(x, lengths)
    if representation in FRAME_REPRESENTATIONS:
        states = encoder.read(x, lengths)
        if representation == "components":
            states = encoder.covariance.project(states)
        return states if lengths is None else states.masked_fill(~step_mask(x, lengths), 0)
    code = encoder(x, lengths)
    parts = [
        code.values if kind == "code" else encoder.statistics(code, lengths)
        for kind in REPRESENTATIONS[representation]
    ]
    return torch.cat(parts, dim=-1)  # (B, N), or (T, B, N)


class FeatureEncoder(nn.Module):
    """Module from clips to the features of an estimator, for use in other networks.

    Its weights are those of the fitted network. It applies neither dropout nor noise, also in
    training.

    Parameters
    ----------
    encoder : TimeEncoder, FrequencyEncoder, FrequencyTimeEncoder or Reservoir
    representation : {"covariance", "statistics", "code", "both", "components", "states"}

    Examples
    --------
    >>> import torch
    >>> from skaudeep.nn.autoencoders import NetworkSizes, TimeAutoencoder
    >>> network = TimeAutoencoder(NetworkSizes(n_bands=3, n_units=4))
    >>> encoder = FeatureEncoder(network.encoder, "both")
    >>> head = torch.nn.Linear(40, 10)  # of someone's own
    >>> head(encoder(torch.zeros(2, 7, 3))).shape  # 2 clips of 7 frames
    torch.Size([2, 10])
    """

    def __init__(self, encoder: nn.Module, representation: str):
        super().__init__()
        self.encoder: Any = encoder
        self.representation = representation

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Compute features.

        Parameters
        ----------
        x : Tensor of shape (n_clips, n_frames, n_bands)
            Zero at padding.
        lengths : Tensor of shape (n_clips,), default=None
            True frames of each clip; None where all fill the batch.

        Returns
        -------
        Tensor of shape (n_clips, n_features), or (n_clips, n_frames, n_features) where each frame \
                has its own
            The features. With "components" and "states", those of padding are 0.
        """
        by_frame = x.transpose(0, 1).contiguous()  # (T, B, F)
        features = represent(self.encoder, by_frame, lengths, self.representation)
        return features.transpose(0, 1) if features.ndim == 3 else features

    def carry_on(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Compute the features of the next frames of clips that come in part by part.

        Parameters
        ----------
        x : Tensor of shape (n_clips, n_frames, n_bands)
            Without padding.
        state : Tensor of shape (n_clips, state_size), default=None
            What the frames before have left; None before the first.

        Returns
        -------
        features : Tensor of shape (n_clips, n_frames, n_features)
            Those that `forward` gives for these frames of the whole clips.
        state : Tensor of shape (n_clips, state_size), or None
            After the last frame; None where each frame is read by itself.

        Raises
        ------
        ValueError
            If the features of a frame hang on later ones, because the representation is one of
            whole clips or the encoder reads them backwards, too.

        Examples
        --------
        >>> import torch
        >>> from skaudeep.nn.reservoir import Reservoir, ReservoirSizes
        >>> reservoir = Reservoir(ReservoirSizes(n_bands=3, n_units=4, bidirectional=False))
        >>> reservoir.draw_weights(torch.Generator().manual_seed(0))
        >>> encoder, x, state = FeatureEncoder(reservoir, "states"), torch.rand(1, 7, 3), None
        >>> parts = []
        >>> with torch.inference_mode():
        ...     for part in x.split(2, dim=1):
        ...         features, state = encoder.carry_on(part, state)
        ...         parts.append(features)
        ...     torch.allclose(torch.cat(parts, dim=1), encoder(x))
        True
        """
        by_frame = x.transpose(0, 1).contiguous()  # (T, B, F)
        if isinstance(self.encoder, FrequencyEncoder):
            return represent(self.encoder, by_frame, None, self.representation).transpose(
                0, 1
            ), None
        if self.representation not in FRAME_REPRESENTATIONS:
            raise ValueError(
                f"Got representation={self.representation!r}, which is one of whole clips, "
                "expected 'components' or 'states', which have a row for each frame."
            )
        states, state = self.encoder.carry_on(by_frame, state)
        if self.representation == "components":
            states = self.encoder.covariance.project(states)
        return states.transpose(0, 1), state


class BandWindows(nn.Module):
    """A frame as a sequence of overlapping windows of its bands, and back.

    Parameters
    ----------
    n_bands : int
    width : int
        Bands of a window.
    overlap : int
        Bands that a window shares with the next. The last window ends with the last band, and
        shares more where the others do not fill the bands.

    Examples
    --------
    >>> import torch
    >>> windows = BandWindows(7, width=4, overlap=2)
    >>> split = windows.split(torch.arange(7.0)[None])  # one frame
    >>> split[:, 0]
    tensor([[0., 1., 2., 3.],
            [2., 3., 4., 5.],
            [3., 4., 5., 6.]])
    >>> windows.join(split).tolist()
    [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]
    """

    def __init__(self, n_bands: int, width: int, overlap: int):
        super().__init__()
        self.n_bands, self.width = n_bands, width
        self.starts = [*range(0, n_bands - width, width - overlap), n_bands - width]

    def split(self, frames: Tensor) -> Tensor:
        """Split frames (n_frames, n_bands) into windows (n_windows, n_frames, width)."""
        return torch.stack([frames[:, start : start + self.width] for start in self.starts])

    def join(self, windows: Tensor) -> Tensor:
        """Join windows to frames, the inverse of `split`; a band is the mean of its windows."""
        frames = windows.new_zeros(windows.shape[1], self.n_bands)  # (N, F)
        count = windows.new_zeros(self.n_bands)
        for window, start in zip(windows, self.starts, strict=True):
            frames[:, start : start + self.width] += window
            count[start : start + self.width] += 1
        return frames / count


def gather_frames(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Take the frames that are no padding, of all sequences of (T, B, F): (N, F)."""
    return x.flatten(0, 1) if lengths is None else x[step_mask(x, lengths)[:, :, 0]]


def frame_rng(rng: CounterRNG | None, x: Tensor, lengths: Tensor | None) -> CounterRNG | None:
    """Return the generator of the frames that `gather_frames` takes."""
    if rng is None:
        return None
    frames = rng.frame_rng(len(x))
    if lengths is not None:
        frames.rows = frames.rows[step_mask(x, lengths).flatten()]
    return frames


def scatter_frames(frames: Tensor, like: Tensor, lengths: Tensor | None) -> Tensor:
    """Put frames (N, K) back to where they were in a batch (T, B, ...); padding is zero."""
    if lengths is None:
        return frames.unflatten(0, like.shape[:2])
    batch = frames.new_zeros(*like.shape[:2], frames.shape[1])
    return batch.index_put((step_mask(like, lengths)[:, :, 0],), frames)


def drop_frames(x: Tensor, rate: float, rng: CounterRNG | None) -> Tensor:
    """Set whole frames of (n_frames, n_sequences, n_inputs) to zero, in training."""
    if rng is None or rate == 0:
        return x
    return x.masked_fill(bernoulli_mask(x, rate, rng)[:, :, None], 0)
