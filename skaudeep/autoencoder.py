"""Seq2SeqAutoencoder: arrays in, arrays out."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import Tags, check_array, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from skaudeep.networks import TimeAutoencoder
from skaudeep.recurrent import CELLS
from skaudeep.sequences import SCAN_BYTES, Sequences, is_ragged, n_dimensions
from skaudeep.training import epoch_order, squared_error, train_epoch
from skaudeep.versions import VersionMixin

TIME_STATISTICS = ("mean", "std", "max", "change")


class Seq2SeqAutoencoder(VersionMixin, CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Features of sequences, learned without labels by a recurrent autoencoder.

    An encoder of stacked GRU or LSTM layers reads each sequence; its final states are compressed
    into a code; a decoder that starts from this code rebuilds the sequence, last frame first, each
    frame from the code and the true frame before it [1]_ [2]_. What the network had to understand
    for that is the feature.

    Parameters
    ----------
    n_units : int, default=256
        Units of each recurrent layer.
    n_layers : int, default=2
        Layers of each stack.
    cell : {"gru", "lstm"}, default="gru"
        Recurrent cell.
    bidirectional_encoder : bool, default=False
        Whether a second, independent stack reads the sequences backwards.
    bidirectional_decoder : bool, default=False
        Whether a second, independent stack rebuilds the sequences from the other end.
    representation : {"statistics", "code", "both"}, default="statistics"
        What `transform` returns.

        - "statistics": mean, standard deviation, maximum and mean absolute change from frame to
          frame of the states of all layers of the encoder; ``4 * n_layers * n_units`` features
          per direction. By far the better feature.
        - "code": the paper's, the whole initial state of the decoder; ``n_layers * n_units``
          features per direction of the decoder, twice that for LSTM.
        - "both": the statistics, then the code.
    max_epochs : int, default=64
        Passes over the data. 0 leaves the network at its random weights, the control that every
        result needs.
    batch_size : int, default=64
        Sequences per optimiser step.
    learning_rate : float, default=1e-3
        Of Adam.
    dropout : float in [0, 1), default=0.2
        Share of the inputs and of the outputs of each recurrent layer that are dropped in training.
    precision : {"float32", "bf16"}, default="float32"
        Arithmetic of training. "bf16" multiplies matrices in bfloat16 (torch's autocast), on
        processors that know it nearly twice as fast; weights, loss and `transform` stay in
        float32.
    gradient_clip : float, default=2.0
        Each element of the gradient is cut to ``[-gradient_clip, gradient_clip]``.
    device : str, default="auto"
        Where to compute: "cpu", "cuda", "cuda:1", ...; "auto" takes a CUDA device where there is
        one. Between calls the weights lie on the CPU, so a pickle loads on any machine.
    random_state : int, RandomState instance or None, default=None
        Governs initial weights, order of the rows and dropout. The same integer gives the same bits
        on the same CPU. Global generators are neither read nor moved.

    Attributes
    ----------
    network_ : torch.nn.Module
        The fitted `skaudeep.networks.TimeAutoencoder`, on the CPU.
    loss_curve_ : list of float
        Root of the mean squared error of the training data in each epoch.
    out_activation_ : {"tanh", "identity"}
        Of the reconstruction: "tanh" where all training values lie in [-1, 1], as spectrograms do.
    n_features_in_ : int
        Number of bands (the last axis of X).
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X is a data frame.

    See Also
    --------
    SpectrogramExtractor : From recordings to the spectrograms that this estimator reads.
    FeatureFusion : Several views of the same clips side by side.

    Notes
    -----
    Rows may differ in length: pad the shorter ones with NaN at the end, or pass a list of arrays.
    Padding never changes a result. A row of nothing but NaN is passed over in `fit` and gives a row
    of NaN.

    The decoder's backward stack is fed from its own end of the sequence. auDeep feeds it the same
    inputs as the forward stack, which lets it see the frame that it is asked for.

    References
    ----------
    .. [1] Freitag, Amiriparian, Pugachevskiy, Cummins & Schuller (2018). auDeep: Unsupervised
       learning of representations from audio with deep recurrent neural networks. JMLR 18(173).
    .. [2] Sutskever, Vinyals & Le (2014). Sequence to sequence learning with neural networks.
       NeurIPS 27.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep import Seq2SeqAutoencoder
    >>> X = np.sin(np.arange(6 * 20 * 3).reshape(6, 20, 3))  # 6 clips, 20 frames, 3 bands
    >>> X[0, 15:] = np.nan  # the first is shorter
    >>> autoencoder = Seq2SeqAutoencoder(n_units=8, max_epochs=2, random_state=0).fit(X)
    >>> autoencoder.transform(X).shape
    (6, 64)
    >>> autoencoder.get_feature_names_out()[[0, 16, 32, 48]].tolist()
    ['mean_0', 'std_0', 'max_0', 'change_0']
    """

    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "n_units": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "cell": [StrOptions(set(CELLS))],
        "bidirectional_encoder": ["boolean"],
        "bidirectional_decoder": ["boolean"],
        "representation": [StrOptions({"statistics", "code", "both"})],
        "max_epochs": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "precision": [StrOptions({"float32", "bf16"})],
        "gradient_clip": [Interval(Real, 0, None, closed="neither")],
        "device": [str],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_units: int = 256,
        *,
        n_layers: int = 2,
        cell: str = "gru",
        bidirectional_encoder: bool = False,
        bidirectional_decoder: bool = False,
        representation: str = "statistics",
        max_epochs: int = 64,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        dropout: float = 0.2,
        precision: str = "float32",
        gradient_clip: float = 2.0,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_units = n_units
        self.n_layers = n_layers
        self.cell = cell
        self.bidirectional_encoder = bidirectional_encoder
        self.bidirectional_decoder = bidirectional_decoder
        self.representation = representation
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.precision = precision
        self.gradient_clip = gradient_clip
        self.device = device
        self.random_state = random_state

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Seq2SeqAutoencoder:
        """Train the network to rebuild sequences.

        Parameters
        ----------
        X : array of shape (n_clips, n_frames, n_bands), (n_clips, n_chunks, n_frames, n_bands) or \
                (n_sequences, n_timesteps), or list of n_clips arrays (n_frames, n_bands)
            Trailing NaN is padding. Anything with a shape that rows can be taken from is read a
            batch at a time: ndarray, memmap, netCDF variable, xarray or dask array.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X holds infinity, NaN before the end of a row, or no frame at all.
        FloatingPointError
            If training diverges.
        """
        self._validate_params()
        device = resolve_device(self.device)
        sequences = Sequences(self._check_X(X, reset=True))
        rows = np.flatnonzero(sequences.lengths)
        if len(rows) == 0:
            raise ValueError("Every row of X is NaN throughout: there is nothing to train on.")

        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.out_activation_ = "tanh" if sequences.largest <= 1 else "identity"
        self.network_ = self._build_network(sequences.n_bands, seed).to(device)
        optimizer = torch.optim.Adam(self.network_.parameters(), lr=self.learning_rate)
        generator = torch.Generator(device)
        self.loss_curve_: list[float] = []

        progress = self._init_callback_context(max_subtasks=self.max_epochs)
        progress.call_on_fit_task_begin(estimator=self, X=X, y=y)
        for epoch in range(self.max_epochs):
            task = progress.subcontext(task_name="epoch")
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            generator.manual_seed(_derived_seed(seed, epoch))
            order = rows[epoch_order(len(rows), seed=seed, epoch=epoch)]
            loss = train_epoch(
                self.network_,
                optimizer,
                sequences.batches(order, self.batch_size, device),
                gradient_clip=self.gradient_clip,
                bf16=self.precision == "bf16",
                generator=generator,
            )
            if not np.isfinite(loss):
                raise FloatingPointError(
                    f"Training diverged: the loss of epoch {epoch} is {loss}. Lower "
                    f"learning_rate={self.learning_rate!r}, or scale X to [-1, 1]."
                )
            self.loss_curve_.append(loss)
            if task.call_on_fit_task_end(
                estimator=self, X=X, y=y, reconstruction_attributes=self._snapshot
            ):
                break
        self.network_ = self.network_.cpu().eval()
        progress.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Represent each sequence by one row of features.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, n_features) or (n_clips, n_chunks, n_features), float32
            Rows of nothing but NaN give NaN.
        """
        check_is_fitted(self)
        X = self._check_X(X, reset=False)
        return np.concatenate([self._transform_block(block) for block in _blocks(X)])

    @torch.inference_mode()
    def reconstruct(self, X: Any) -> np.ndarray:
        """Rebuild sequences from their codes with teacher forcing.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, n_frames, n_bands) or (n_clips, n_chunks, n_frames, n_bands), \
                float32
            NaN at padding.
        """
        check_is_fitted(self)
        sequences = Sequences(self._check_X(X, reset=False))
        result = np.full(
            (len(sequences), sequences.n_frames, sequences.n_bands), np.nan, dtype=np.float32
        )
        for rows, x, lengths, network in self._inference(sequences):
            rebuilt = network(x, lengths).transpose(0, 1).cpu().numpy()  # (B, T, F)
            for row, frames in zip(rows, rebuilt, strict=True):
                n_frames = sequences.lengths[row]
                result[row, :n_frames] = frames[:n_frames]
        return result.reshape(*sequences.shape, *result.shape[1:])

    @torch.inference_mode()
    def score(self, X: Any, y: Any = None) -> float:
        """Return the negative root of the mean squared error of the reconstruction, dropout off.

        Parameters
        ----------
        X : as in `fit`
        y : ignored

        Returns
        -------
        float
            At most 0; higher is better.
        """
        check_is_fitted(self)
        total, count = 0.0, 0
        for block in _blocks(self._check_X(X, reset=False)):
            for _, x, lengths, network in self._inference(Sequences(block)):
                error, n_values = squared_error(network(x, lengths), x, lengths)
                total, count = total + float(error), count + n_values
        if count == 0:
            raise ValueError("Every row of X is NaN throughout: there is nothing to score.")
        return -((total / count) ** 0.5)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the features: ``mean_0 ... std_0 ... max_0 ... change_0 ... code_0 ...``.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of shape (n_features,), object
        """
        check_is_fitted(self)
        widths = dict.fromkeys(TIME_STATISTICS, self.network_.encoder.output_size)
        if self.representation == "code":
            widths = {}
        if self.representation != "statistics":
            widths["code"] = self.network_.decoder.state_size
        return np.array(
            [f"{kind}_{i}" for kind, width in widths.items() for i in range(width)], dtype=object
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        # allow_nan stays False: NaN is padding at a row's end, not a missing value anywhere.
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _check_X(self, X: Any, *, reset: bool) -> Any:
        """X as something that `Sequences` can read; sets or compares the number of bands."""
        if isinstance(X, Tensor):
            X = X.detach().cpu().numpy()
        if is_ragged(X):
            n_bands = np.shape(X[0])[1]
        elif n_dimensions(X) in (3, 4):
            if not hasattr(X, "shape"):
                X = check_array(X, dtype=np.float32, allow_nd=True, ensure_all_finite=False)
            elif np.dtype(getattr(X, "dtype", object)).kind not in "fiub":
                raise ValueError(f"X has dtype {X.dtype}; expected real numbers.")
            n_bands = X.shape[-1]
        else:  # a plain matrix (or what scikit-learn refuses better than we could)
            return validate_data(
                self, X, reset=reset, dtype=np.float32, ensure_all_finite="allow-nan"
            )
        if reset:
            self.n_features_in_ = n_bands
        elif n_bands != self.n_features_in_:
            raise ValueError(
                f"X has {n_bands} bands (its last axis), but {type(self).__name__} was fitted on "
                f"{self.n_features_in_}. Extract both with the same n_mels and sampling rate."
            )
        return X

    def _build_network(self, n_bands: int, seed: int) -> TimeAutoencoder:
        # Built without storage, then filled: torch's global generator is never drawn from.
        with torch.device("meta"):
            network = TimeAutoencoder(
                n_bands,
                self.n_units,
                n_layers=self.n_layers,
                cell=self.cell,
                bidirectional_encoder=self.bidirectional_encoder,
                bidirectional_decoder=self.bidirectional_decoder,
                dropout=self.dropout,
                out_activation=self.out_activation_,
            )
        network.to_empty(device="cpu")
        network.reset_parameters(torch.Generator().manual_seed(seed))
        return network

    def _snapshot(self) -> dict[str, Any]:
        """Attributes of an estimator as if `fit` had stopped here, for callbacks."""
        return {
            "network_": copy.deepcopy(self.network_).cpu().eval(),
            "loss_curve_": list(self.loss_curve_),
        }

    def _inference(
        self, sequences: Sequences
    ) -> Iterator[tuple[np.ndarray, Tensor, Tensor | None, TimeAutoencoder]]:
        """Batches of rows of similar length, with the network on the device that computes."""
        device = resolve_device(self.device)
        network = self.network_ if device.type == "cpu" else copy.deepcopy(self.network_).to(device)
        order = np.argsort(sequences.lengths, kind="stable")
        order = order[sequences.lengths[order] > 0]
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            yield rows, *sequences.batch(rows, device), network

    @torch.inference_mode()
    def _transform_block(self, X: Any) -> np.ndarray:
        sequences = Sequences(X)
        n_features = len(self.get_feature_names_out())
        features = np.full((len(sequences), n_features), np.nan, dtype=np.float32)
        for rows, x, lengths, network in self._inference(sequences):
            states, code = network.encode(x, lengths)  # D*L x (T, B, H), (B, C)
            parts = []
            if self.representation != "code":
                parts.append(time_statistics(torch.cat(states, dim=2), lengths))
            if self.representation != "statistics":
                parts.append(code)
            features[rows] = torch.cat(parts, dim=1).cpu().numpy()
        return features.reshape(*sequences.shape, n_features)


def time_statistics(outputs: Tensor, lengths: Tensor | None) -> Tensor:
    """Mean, standard deviation, maximum and mean absolute change of each state over time.

    Parameters
    ----------
    outputs : Tensor of shape (n_frames, n_sequences, n_states)
        Zero at padding.
    lengths : Tensor of shape (n_sequences,) or None

    Returns
    -------
    Tensor of shape (n_sequences, 4 * n_states)
        Over the true frames of each sequence. The standard deviation divides by the number of
        frames; the change is that from one frame to the next, 0 where there is only one.

    Examples
    --------
    >>> import torch
    >>> outputs = torch.tensor([1.0, 3.0, 0.0])[:, None, None]  # 3 frames of one sequence
    >>> time_statistics(outputs, torch.tensor([2]))
    tensor([[2., 1., 3., 2.]])
    """
    if lengths is None:
        lengths = torch.full((outputs.shape[1],), len(outputs))
    n_frames = lengths.to(outputs.device)[:, None]  # (B, 1)
    real = torch.arange(len(outputs), device=outputs.device)[:, None, None] < n_frames  # (T, B, 1)
    mean = outputs.sum(dim=0) / n_frames  # (B, K)
    std = (((outputs - mean) * real).square().sum(dim=0) / n_frames).sqrt()
    maximum = outputs.masked_fill(~real, -torch.inf).amax(dim=0)
    change = ((outputs[1:] - outputs[:-1]) * real[1:]).abs().sum(dim=0) / (n_frames - 1).clamp(
        min=1
    )
    return torch.cat([mean, std, maximum, change], dim=1)  # (B, 4K)


def resolve_device(device: str) -> torch.device:
    """Turn "auto" or the name of a device into a device that is there.

    Parameters
    ----------
    device : str

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If torch does not know the name, or the machine has no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f'device={device!r} cannot be used: {error}. Expected "auto", "cpu", "cuda", "cuda:1".'
        ) from error
    return torch.device(device)


def _blocks(X: Any) -> Iterator[Any]:
    """X whole where it lies in memory, else in blocks of rows that do."""
    if is_ragged(X) or type(X) is np.ndarray or 0 in X.shape:  # `Sequences` refuses the empty
        yield X
        return
    rows = max(1, SCAN_BYTES // (4 * int(np.prod(X.shape[1:]))))
    for start in range(0, X.shape[0], rows):
        yield X[start : start + rows]


def _derived_seed(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)
