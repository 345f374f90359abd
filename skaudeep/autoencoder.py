"""Seq2SeqAutoencoder: arrays in, arrays out."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import fields
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import Tags, check_array, check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from skaudeep._base import (
    COUNT,
    POSITIVE,
    PROBABILITY,
    Interval,
    LearningTags,
    NamedRowsMixin,
    StrOptions,
    VersionMixin,
    all_or_nothing,
    begin_fit,
)
from skaudeep.nn.autoencoders import NETWORKS, Autoencoder, NetworkSizes
from skaudeep.nn.devices import multiplies_bf16, products_in, resolve_device
from skaudeep.nn.encoders import CODES, FeatureEncoder, represent
from skaudeep.nn.pooling import FRAME_REPRESENTATIONS, REPRESENTATIONS, STATISTICS
from skaudeep.nn.stack import CELLS
from skaudeep.nn.weights import build
from skaudeep.training.batches import Sequences, read_input
from skaudeep.training.components import fit_components
from skaudeep.training.conditions import read_condition
from skaudeep.training.distributed import SINGLE_PROCESS, NullCallbackContext, ProcessGroup
from skaudeep.training.loop import (
    Loss,
    Schedule,
    Training,
    check_schedule,
    epoch_line,
    epoch_order,
    progress_noted,
    squared_error,
)

LOG = logging.getLogger(__name__)


class Seq2SeqAutoencoder(
    VersionMixin, NamedRowsMixin, CallbackSupportMixin, TransformerMixin, BaseEstimator
):
    """Features of sequences, learned without labels by a recurrent autoencoder.

    An encoder of stacked GRU or LSTM layers reads each sequence; its final states are compressed
    into a code; a decoder that starts from this code rebuilds the sequence, last frame first, each
    frame from the code and the true frame before it [1]_ [2]_ [3]_. What the network had to
    understand for that is the feature.

    Parameters
    ----------
    n_units : int or (int, int), default=256
        Units of each recurrent layer; for ``axis="frequency-time"`` those over frequency and those
        over time may differ.
    n_layers : int or (int, int), default=2
        Layers of each stack, likewise.
    cell : {"gru", "lstm"}, default="gru"
        Recurrent cell.
    bidirectional_encoder : bool, default=True
        Whether a second, independent stack reads the sequences backwards.
    bidirectional_decoder : bool, default=False
        Whether a second, independent stack rebuilds the sequences from the other end.
    axis : {"time", "frequency", "frequency-time"}, default="time"
        What the network reads.

        - "time": the frames of a clip, one after the other.
        - "frequency": the bands of a frame, window by window. Each frame has features of its own
          and the time axis stays, so that a second autoencoder over time can follow.
        - "frequency-time": the bands of each frame, then what it made of them over time, with one
          loss for both. The paper's sizes are ``n_units=(64, 128), n_layers=(1, 2)``.
    band_window : int, default=32
        Bands in a window, with an axis that has frequency.
    band_overlap : int, default=24
        Bands that a window shares with the next.
    code : {"tanh", "gaussian"}, default="tanh"
        The paper's code, or a variational one [4]_: a normal distribution for each sequence, held
        close to the standard one, so that codes drawn at random can be decoded.
    kl_weight : float or dict, default=0.1
        Of the divergence of a gaussian code per value of X, beside the reconstruction error. A
        schedule: a number, or numbers at some epochs with straight lines between them, such as the
        warm-up ``{0: 0.0, 10: 0.1}``.
    representation : {"covariance", "statistics", "code", "both", "components", "states"}, \
            default="covariance"
        What `transform` returns.

        - "covariance": how the states of the encoder's top layer vary together over the steps: of
          their 64 first principal components over the training data, the means and the logarithm
          of the covariance matrix, 2144 features, and how the first 20 foretell themselves 4 steps
          later, 420 features. See :class:`~skaudeep.nn.pooling.StateCovariance`.
        - "statistics": mean, standard deviation, maximum and mean absolute change from step to
          step of the states of all layers of the encoder; ``4 * n_layers * n_units`` features
          per direction.
        - "code": the paper's, the whole initial state of the decoder; ``n_layers * n_units``
          features per direction of the decoder, twice that for LSTM.
        - "both": the statistics, then the code.
        - "components": one row for each frame, the 64 first principal components of the states of
          the encoder's top layer after it, for labels that change over time, see
          :class:`~skaudeep.PerFrame`. Not with ``axis="frequency"``, with which each frame has
          features of its own whatever the representation.
        - "states": likewise, the states themselves; ``n_units`` features per direction.
    max_epochs : int, default=16
        Passes over the data. 0 leaves the network at its random weights, the control that every
        result needs. More than 16 pay where the order of events matters, and for the code: the
        paper trains 64.
    batch_size : int, default=64
        Sequences per optimiser step.
    learning_rate : float or dict, default=1e-3
        Of Adam; a schedule as in `kl_weight`.
    gradient_clip : float, default=2.0
        Each element of the gradient is cut to ``[-gradient_clip, gradient_clip]``.
    dropout : float in [0, 1), default=0.2
        Share of the inputs and of the outputs of each recurrent layer that are dropped in training.
    encoder_noise : float in [0, 1), default=0.0
        Share of the frames (of windows, with ``axis="frequency"``) that the encoder is not shown in
        training.
    feed_previous_prob : float in [0, 1] or dict, default=0.0
        Probability of each step of each sequence that the decoder is fed its own output of the
        step before in place of the truth (scheduled sampling [5]_); a schedule as in `kl_weight`.
        Where it ends at 1, scores, too, are those of a free-running decoder: with a unidirectional
        one, of what is in the code.
    mask_silence : bool, default=False
        Whether values of -1, the floor of a spectrogram, do not count in the error.
    validation_fraction : float in [0, 1), default=0.0
        Share of the rows that are not trained on; the weights with the least error on them are
        kept. 0 keeps the last weights.
    n_iter_no_change : int, default=None
        Training ends after so many epochs without a smaller error, on the validation rows where
        there are some. None runs all epochs.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last `fit` or `partial_fit`.
    precision : {"float32", "bf16"}, default="float32"
        Arithmetic of training. "bf16" multiplies matrices in bfloat16 (torch's autocast), which is
        nearly twice as fast on processors that have it; on others `fit` uses float32 and warns.
        Weights, loss and `transform` stay in float32. On a GPU that has TensorFloat-32, "float32"
        multiplies matrices in that in training, and in full float32 in `transform` and scores.
    device : str, default="auto"
        Where to compute: "cpu", "cuda", "cuda:1", ...; "auto" takes a CUDA device where there is
        one. Between calls the weights lie on the CPU, so a pickle loads on any machine.
    random_state : int, RandomState instance or None, default=None
        Governs initial weights, order of the rows, validation rows, dropout and noise. The same
        integer gives the same bits on the same CPU. Global generators are neither read nor moved.
    verbose : bool, default=False
        Whether to print a line after each epoch: its error, and how long the rest will take. The
        logger `skaudeep.autoencoder` gets it in any case.

    Attributes
    ----------
    network_ : torch.nn.Module
        The fitted network of `skaudeep.nn.autoencoders`, on the CPU. It takes time-major batches.
    encoder_ : torch.nn.Module
        From clips (n_clips, n_frames, n_bands) to features, with the weights of `network_`: a
        :class:`~skaudeep.nn.encoders.FeatureEncoder`, for use in other networks.
    loss_curve_ : list of float
        Root of the mean squared error of the training data in each epoch.
    validation_loss_curve_ : list of float
        The same of the validation rows after each epoch, without dropout.
    out_activation_ : {"tanh", "identity"}
        Of the reconstruction: "tanh" where all training values lie in [-1, 1], as spectrograms do.
    n_features_in_ : int
        Number of bands (the last axis of X).
    n_frames_ : int
        Frames of the longest row of the training data.
    seed_ : int
        Drawn from `random_state`.
    moments_ : dict or None
        What Adam remembers, to go on; kept by `partial_fit` and with ``warm_start=True``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X is a data frame.
    conditions_ : ndarray of shape (n_conditions,), int or str
        The conditions that `fit` was given, sorted. Only where it was given any.

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
    .. [3] Amiriparian, Freitag, Cummins & Schuller (2017). Sequence to sequence autoencoders for
       unsupervised representation learning from audio. DCASE Workshop.
    .. [4] Kingma & Welling (2014). Auto-encoding variational Bayes. ICLR.
    .. [5] Bengio, Vinyals, Jaitly & Shazeer (2015). Scheduled sampling for sequence prediction with
       recurrent neural networks. NeurIPS 28.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep import Seq2SeqAutoencoder
    >>> X = np.sin(np.arange(6 * 20 * 3).reshape(6, 20, 3))  # 6 clips, 20 frames, 3 bands
    >>> X[0, 15:] = np.nan  # the first is shorter
    >>> autoencoder = Seq2SeqAutoencoder(n_units=8, max_epochs=2, random_state=0).fit(X)
    >>> autoencoder.transform(X).shape
    (6, 424)
    >>> autoencoder.get_feature_names_out()[[0, 15, 16, 152, -1]].tolist()
    ['mean_0', 'mean_15', 'covariance_0_0', 'transition_0_0', 'intercept_15']
    """

    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "n_units": [COUNT, "array-like"],
        "n_layers": [COUNT, "array-like"],
        "cell": [StrOptions(set(CELLS))],
        "bidirectional_encoder": ["boolean"],
        "bidirectional_decoder": ["boolean"],
        "axis": [StrOptions(set(NETWORKS))],
        "band_window": [COUNT],
        "band_overlap": [Interval(Integral, 0, None, closed="left")],
        "code": [StrOptions(set(CODES))],
        "kl_weight": [Interval(Real, 0, None, closed="left"), dict],
        "representation": [StrOptions(set(REPRESENTATIONS))],
        "max_epochs": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [COUNT],
        "learning_rate": [POSITIVE, dict],
        "gradient_clip": [POSITIVE],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "encoder_noise": [Interval(Real, 0, 1, closed="left")],
        "feed_previous_prob": [PROBABILITY, dict],
        "mask_silence": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "n_iter_no_change": [COUNT, None],
        "warm_start": ["boolean"],
        "precision": [StrOptions({"float32", "bf16"})],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_units: int | tuple[int, int] = 256,
        *,
        n_layers: int | tuple[int, int] = 2,
        cell: str = "gru",
        bidirectional_encoder: bool = True,
        bidirectional_decoder: bool = False,
        axis: str = "time",
        band_window: int = 32,
        band_overlap: int = 24,
        code: str = "tanh",
        kl_weight: Schedule = 0.1,
        representation: str = "covariance",
        max_epochs: int = 16,
        batch_size: int = 64,
        learning_rate: Schedule = 1e-3,
        gradient_clip: float = 2.0,
        dropout: float = 0.2,
        encoder_noise: float = 0.0,
        feed_previous_prob: Schedule = 0.0,
        mask_silence: bool = False,
        validation_fraction: float = 0.0,
        n_iter_no_change: int | None = None,
        warm_start: bool = False,
        precision: str = "float32",
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ):
        self.n_units = n_units
        self.n_layers = n_layers
        self.cell = cell
        self.bidirectional_encoder = bidirectional_encoder
        self.bidirectional_decoder = bidirectional_decoder
        self.axis = axis
        self.band_window = band_window
        self.band_overlap = band_overlap
        self.code = code
        self.kl_weight = kl_weight
        self.representation = representation
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.gradient_clip = gradient_clip
        self.dropout = dropout
        self.encoder_noise = encoder_noise
        self.feed_previous_prob = feed_previous_prob
        self.mask_silence = mask_silence
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    # --- training --------------------------------------------------------------------------------

    @all_or_nothing
    @with_callbacks
    def fit(self, X: Any, y: Any = None, *, condition: Any = None) -> Seq2SeqAutoencoder:
        """Train the network to rebuild sequences.

        Under ``torchrun``, or in a process group of `torch.distributed`, each process takes its
        part of the rows of each batch, and all end with the same estimator. They must be given the
        same X and parameters; callbacks run on the first. The result is that of one process.

        Parameters
        ----------
        X : array of shape (n_clips, n_frames, n_bands), (n_clips, n_chunks, n_frames, n_bands) or \
                (n_sequences, n_timesteps), or list of n_clips arrays (n_frames, n_bands) or \
                (n_chunks, n_frames, n_bands)
            Trailing NaN is padding. Anything with a shape that rows can be taken from is read a
            batch at a time: ndarray, memmap, netCDF variable, xarray or dask array.
        y : ignored
        condition : array-like of shape (n_clips,), default=None
            What the code need not hold, as an integer or a string per clip: its site, speaker,
            device or class. The decoder is told it at each step, the encoder never, so `transform`
            needs none. None, NaN and "" mark clips whose condition is not known; their decoder is
            told the mean of all conditions. With ``code="gaussian"`` the code has a reason to leave
            the condition out; with "tanh" it merely can.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X holds infinity, NaN before the end of a row, or no frame at all, or parameters
            contradict X or each other, `condition` is none for these clips, or other processes
            have others.
        FloatingPointError
            If training diverges.
        ConnectionError
            If another process of this training is lost.

        Notes
        -----
        Whatever ends it before its end, Ctrl-C among it, the estimator is then as it was before:
        with what it had learned, or not fitted.
        """
        go_on = self.warm_start and hasattr(self, "network_")
        training, sequences = self._begin(X, condition, go_on, self.validation_fraction)
        last = training.epoch + self.max_epochs
        with progress_noted(training, last):
            self._train(training, sequences, last, self.validation_fraction, not go_on, X, y)
        self.moments_ = training.moments() if self.warm_start else None
        return self

    @all_or_nothing
    @with_callbacks
    def partial_fit(self, X: Any, y: Any = None, *, condition: Any = None) -> Seq2SeqAutoencoder:
        """Train for one epoch more, on these or other data, with the same bands.

        On the same data, n calls give what `fit` with ``max_epochs=n`` gives, but for validation
        rows.

        Parameters
        ----------
        X, y, condition : as in `fit`
            A network that was trained with conditions needs those of the new clips. What the first
            call has not seen is refused: the network has no place for it.

        Returns
        -------
        self
        """
        training, sequences = self._begin(X, condition, hasattr(self, "network_"), 0.0)
        last = training.epoch + 1
        with progress_noted(training, last):
            self._train(training, sequences, last, 0.0, False, X, y)
        self.moments_ = training.moments()
        return self

    def _begin(
        self, X: Any, condition: Any, go_on: bool, validation_fraction: float
    ) -> tuple[Training, Sequences]:
        """Check everything; make a network, or a copy of the one that is there."""
        self._check_parameters()
        device = resolve_device(self.device)
        fitted: Any = vars(self).get("network_") if go_on else None
        n_bands = None if fitted is None else fitted.sizes.n_bands
        sequences = read_input(self, X, reset=not go_on, n_bands=n_bands, to_train=True)
        shape = sequences.shape
        sequences.condition = read_condition(self, condition, shape, reset=not go_on)
        if not sequences.lengths.any():
            raise ValueError("Every row of X is NaN throughout: there is nothing to train on.")
        _n_held_out(int(np.count_nonzero(sequences.lengths)), validation_fraction)
        processes = ProcessGroup.join()
        processes.check_same(
            lambda: (
                self.get_params(deep=False)
                | {"X": sequences.summary(), "conditions": vars(self).get("conditions_")}
            )
        )
        if not go_on:
            self.out_activation_ = "tanh" if sequences.largest <= 1 else "identity"
            sizes = self._sizes(sequences.n_bands)
            seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            self.seed_ = processes.broadcast(lambda: seed)
            self.network_ = build(NETWORKS[self.axis], sizes, self.seed_)
            self.loss_curve_: list[float] = []
            self.validation_loss_curve_: list[float] = []
            self.moments_ = None
            self.n_frames_ = 0
        else:
            self._check_same_sizes(self._sizes(sequences.n_bands))
            # Copies: if this fails, what is there has to be as it was.
            self.__dict__.update(self._snapshot())
        self.n_frames_ = max(self.n_frames_, int(sequences.lengths.max()))
        self.network_.to(device)
        training = Training(
            self.network_,
            torch.optim.Adam(self.network_.parameters()),
            self._loss(bf16=self.precision == "bf16" and multiplies_bf16(device)),
            seed=self.seed_,
            learning_rate=self.learning_rate,
            gradient_clip=self.gradient_clip,
            loss_curve=self.loss_curve_,
            validation_loss_curve=self.validation_loss_curve_,
            processes=processes,
        )
        if self.moments_ is not None:
            training.restore_moments(self.moments_)
        return training, sequences

    def _train(
        self,
        training: Training,
        sequences: Sequences,
        last_epoch: int,
        validation_fraction: float,
        resume: bool,
        X: Any,
        y: Any,
    ) -> None:
        """Run epochs, each a task for callbacks, until all are done or somebody says stop."""
        device, processes = training.device, training.processes
        hooks: dict[str, Any] = {"estimator": self, "X": X, "y": y}
        n_epochs = last_epoch - training.epoch
        begun = {
            "training": training,
            "last_epoch": last_epoch,
            "checksum": sequences.checksum,
            "resume": resume,
            "complete": partial(self._fit_components, sequences, SINGLE_PROCESS),
        }
        progress = (
            begin_fit(**hooks, n_subtasks=n_epochs, metadata=begun)
            if processes.rank == 0
            else NullCallbackContext()
        )
        processes.broadcast_state(training)
        self.seed_ = training.seed  # a checkpoint may have brought another
        rows = np.flatnonzero(sequences.lengths)
        train_on, validate_on = self._split(rows, validation_fraction)
        patience = self.n_iter_no_change or np.inf
        began, first = time.monotonic(), training.epoch
        while training.epoch < last_epoch and training.epochs_since_best < patience:
            task = progress.subcontext(task_name="epoch")
            task.call_on_fit_task_begin(**hooks)
            lengths = sequences.lengths[train_on]
            chosen = epoch_order(lengths, self.batch_size, seed=training.seed, epoch=training.epoch)
            order = train_on[chosen]
            to_do = order[training.batch * self.batch_size :]
            with closing(sequences.batches(to_do, self.batch_size, device, processes)) as batches:
                training.run_epoch(batches)
            if len(validate_on):
                training.validate(
                    sequences.batches(validate_on, self.batch_size, device, processes)
                )
            stop = partial(
                task.call_on_fit_task_end,
                **hooks,
                metadata={
                    "gradient_norm": training.gradient_norm,
                    "validation_loss": next(iter(training.validation_loss_curve[-1:]), None),
                },
                reconstruction_attributes=partial(self._attributes_now, sequences),
            )
            if processes.rank == 0 and (self.verbose or LOG.isEnabledFor(logging.INFO)):
                per_epoch = (time.monotonic() - began) / (training.epoch - first)
                line = epoch_line(training, last_epoch, per_epoch)
                LOG.info(line)
                if self.verbose:  # On stdout, as scikit-learn's neural networks do.
                    print(line, flush=True)  # noqa: T201
            if processes.broadcast(stop):
                break
        processes.broadcast_state(training)  # their processors may differ in the last bit
        if training.best_weights is not None:
            self.network_.load_state_dict(training.best_weights)
        self._finish(sequences, processes)
        progress.call_on_fit_task_end(**hooks)

    def _finish(self, sequences: Sequences, processes: ProcessGroup) -> None:
        """Do what follows the last epoch."""
        self._fit_components(sequences, processes, self.network_.eval())
        self.network_.cpu()

    def _split(self, rows: np.ndarray, fraction: float) -> tuple[np.ndarray, np.ndarray]:
        """Split rows into those to train on and those to validate on."""
        n_held_out = _n_held_out(len(rows), fraction)
        order = np.random.default_rng([self.seed_, n_held_out]).permutation(len(rows))
        return rows[np.sort(order[n_held_out:])], rows[np.sort(order[:n_held_out])]

    def _sizes(self, n_bands: int) -> NetworkSizes:
        """Sizes of the network, which bear the names of the parameters."""
        if self.axis != "time" and self.band_window > n_bands:
            raise ValueError(
                f"band_window={self.band_window} is wider than the {n_bands} bands of X. "
                f"Choose at most {n_bands}."
            )
        sizes = {
            field.name: getattr(self, field.name)
            for field in fields(NetworkSizes)
            if hasattr(self, field.name)
        }
        if self.axis == "time":
            del sizes["band_window"], sizes["band_overlap"]
        if self.axis == "frequency-time":
            sizes |= {name: _pair(sizes[name]) for name in ("n_units", "n_layers")}
        sizes["n_conditions"] = len(vars(self).get("conditions_", ()))
        return NetworkSizes(n_bands=n_bands, out_activation=self.out_activation_, **sizes)

    def _check_same_sizes(self, sizes: NetworkSizes) -> None:
        """Refuse to go on with a network of other sizes."""
        for field in fields(NetworkSizes):
            wanted, found = getattr(sizes, field.name), getattr(self.network_.sizes, field.name)
            if wanted != found:
                raise ValueError(
                    f"{field.name} is {wanted!r}, but the network to go on with has {found!r}. Set "
                    "it back, or fit with warm_start=False."
                )

    def _loss(self, *, bf16: bool = False) -> Loss:
        return Loss(
            kl_weight=self.kl_weight,
            feed_previous_prob=self.feed_previous_prob,
            mask_silence=self.mask_silence,
            bf16=bf16,
        )

    def _fit_components(
        self, sequences: Sequences, processes: ProcessGroup, network: Autoencoder
    ) -> None:
        """Fit the principal components of the states, see `fit_components`."""
        fit_components(
            network.encoder,
            sequences,
            seed=self.seed_,
            batch_size=self.batch_size,
            processes=processes,
        )

    def _snapshot(self) -> dict[str, Any]:
        """Copy what `fit` has changed so far, but for the principal components of the states."""
        return {
            "network_": copy.deepcopy(self.network_).cpu().eval(),
            "loss_curve_": list(self.loss_curve_),
            "validation_loss_curve_": list(self.validation_loss_curve_),
        }

    def _attributes_now(self, sequences: Sequences) -> dict[str, Any]:
        """Attributes of an estimator as if `fit` had stopped here, for callbacks."""
        attributes = self._snapshot()
        self._fit_components(sequences, SINGLE_PROCESS, attributes["network_"])
        return attributes

    # --- what has been learned -------------------------------------------------------------------

    @property
    def encoder_(self) -> FeatureEncoder:  # noqa: D102 (an attribute)
        check_is_fitted(self, "network_")
        self._check_representation()
        return FeatureEncoder(self.network_.encoder, self.representation)

    @torch.inference_mode()
    def transform(self, X: Any) -> np.ndarray:
        """Represent each sequence, or each of its frames, by one row of features.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, n_features) or (n_clips, n_chunks, n_features), float32
            With ``axis="frequency"`` or a representation of frames, (n_clips, n_frames, n_features)
            or (n_clips, n_chunks, n_frames, n_features). Rows, chunks and frames of nothing but NaN
            give NaN.
        """
        check_is_fitted(self, "network_")
        return self._map(
            X,
            lambda network, x, lengths: represent(network.encoder, x, lengths, self.representation),
            len(self.get_feature_names_out()),
            per_frame=self.network_.PER_FRAME or self.representation in FRAME_REPRESENTATIONS,
        )

    @torch.inference_mode()
    def reconstruct(self, X: Any, *, condition: Any = None) -> np.ndarray:
        """Rebuild sequences from their codes with teacher forcing.

        Parameters
        ----------
        X : as in `fit`
        condition : array-like of shape (n_clips,), default=None
            Of those that `fit` was given, as there; another one than the clip's own asks how it
            would sound there. None: the mean of all conditions.

        Returns
        -------
        ndarray of shape (n_clips, n_frames, n_bands) or (n_clips, n_chunks, n_frames, n_bands), \
                float32
            NaN at padding.

        See Also
        --------
        inverse_transform : From the codes alone.
        """
        check_is_fitted(self, "network_")
        return self._map(
            X,
            lambda network, x, lengths, *given: network(x, lengths, None, 0.0, *given).frames,
            self.network_.sizes.n_bands,
            per_frame=True,
            condition=condition,
        )

    @torch.inference_mode()
    def inverse_transform(
        self, X: Any, n_frames: int | None = None, *, condition: Any = None
    ) -> np.ndarray:
        """Turn codes into sequences: the decoder knows nothing but the code and what it wrote.

        A bidirectional decoder, and one over frequency and time, starts from zeros and writes again
        from what it wrote until that no longer changes.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_chunks, n_features)
            What `transform` gives with ``representation="code"`` or ``"both"``, or codes alone.
            With ``axis="frequency"`` there is an axis of frames before the last.
        n_frames : int >= 1, default=None
            Length of the sequences; None is the longest seen in `fit`.
        condition : array-like of shape (n_clips,), default=None
            As in `reconstruct`.

        Returns
        -------
        ndarray of shape (n_clips, n_frames, n_bands) or (n_clips, n_chunks, n_frames, n_bands), \
                float32
            NaN where the code is NaN.

        Raises
        ------
        ValueError
            If X is no code of this network, or holds no code, or `n_frames` is no integer from 1
            on, or with ``axis="frequency"`` not that of X.
        MemoryError
            If sequences of `n_frames` frames do not fit into memory.
        """
        check_is_fitted(self, "network_")
        codes = self._check_codes(X)
        per_frame = self.network_.PER_FRAME
        if n_frames is None:
            n_frames = codes.shape[-2] if per_frame else self.n_frames_
        if not COUNT.is_satisfied_by(n_frames) or (per_frame and n_frames != codes.shape[-2]):
            expected = f"the {codes.shape[-2]} of X" if per_frame else "an integer of at least 1"
            raise ValueError(f"Got n_frames={n_frames!r}, expected {expected}, or None.")
        device = resolve_device(self.device)
        network = self._network_on(device)
        flat = codes.reshape(-1, *codes.shape[-1 - per_frame :])  # (B, C) or (B, T, C)
        shape = codes.shape[: -1 - per_frame]
        given = read_condition(self, condition, shape, reset=False, training=False)
        known = None if given is None else torch.from_numpy(given).to(device)
        missing = np.isnan(flat).any(axis=-1)
        n_bands = network.sizes.n_bands
        try:
            result = np.empty((len(flat), n_frames, n_bands), dtype=np.float32)
        except MemoryError as error:
            raise MemoryError(
                f"Got n_frames={n_frames}: {len(flat)} sequences of so many frames do not fit into "
                f"memory ({error}). Ask for fewer frames, or for fewer sequences at a time."
            ) from error
        for start in range(0, len(flat), self.batch_size):
            batch = torch.from_numpy(np.nan_to_num(flat[start : start + self.batch_size]))
            batch = batch.to(device)
            if per_frame:
                batch = batch.transpose(0, 1).contiguous()  # (T, B, C)
            with products_in("ieee", device):
                own = None if known is None else known[start : start + self.batch_size]
                written = network.generate(batch, n_frames, own)  # (T, B, F)
            result[start : start + self.batch_size] = written.transpose(0, 1).cpu().numpy()
        result[missing] = np.nan
        return result.reshape(*shape, n_frames, n_bands)

    def score_frames(self, X: Any, *, condition: Any = None) -> np.ndarray:
        """Return how usual each frame is: minus the error of its reconstruction.

        Parameters
        ----------
        X : as in `fit`
        condition : as in `reconstruct`

        Returns
        -------
        ndarray of shape (n_clips, n_frames) or (n_clips, n_chunks, n_frames), float64
            Minus the root of the mean squared error over bands, otherwise as in `score_samples`.
            NaN at padding.
        """
        error, n_values = self._squared_errors(X, condition)
        return -np.sqrt(error / np.maximum(n_values, 1))

    def score_samples(self, X: Any, *, condition: Any = None) -> np.ndarray:
        """Return how usual each row is: minus the error of its reconstruction.

        The reconstruction is teacher-forced. If the ``feed_previous_prob`` schedule ends at 1, the
        decoder runs free here, too. That separates unusual rows far better: with teacher forcing
        the previous true frame largely predicts the next one, even for sounds unlike the training
        data.

        Parameters
        ----------
        X : as in `fit`
        condition : as in `reconstruct`

        Returns
        -------
        ndarray of shape (n_clips,) or (n_clips, n_chunks), float64
            Minus the root of the mean squared error over frames and bands. Rows of nothing but
            NaN give NaN.
        """
        error, n_values = self._squared_errors(X, condition)
        missing = np.isnan(error).all(axis=-1)
        error, n_values = np.nansum(error, axis=-1), np.nansum(n_values, axis=-1)
        return np.where(missing, np.nan, -np.sqrt(error / np.maximum(n_values, 1)))

    def score(self, X: Any, y: Any = None, *, condition: Any = None) -> float:
        """Return minus the root of the mean squared error of the reconstruction, dropout off.

        With teacher forcing or free-running, as in `score_samples`.

        Parameters
        ----------
        X : as in `fit`
        y : ignored
        condition : as in `reconstruct`

        Returns
        -------
        float
            At most 0; higher is better.
        """
        error, n_values = self._squared_errors(X, condition)
        if np.isnan(error).all():
            raise ValueError("Every row of X is NaN throughout: there is nothing to score.")
        total, count = (np.nansum(part) for part in (error, n_values))
        return -float(np.sqrt(total / max(count, 1)))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the features: ``mean_0``, ``covariance_0_0``, ``transition_0_0`` or ``code_0``.

        Those of frames are ``component_0`` and so on, or ``state_0``.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of shape (n_features,), object
        """
        check_is_fitted(self, "network_")
        self._check_representation()
        encoder, names = self.network_.encoder, []
        for kind in REPRESENTATIONS[self.representation]:
            if kind == "covariance" or kind in FRAME_REPRESENTATIONS:
                names += encoder.covariance.feature_names(kind)
            elif kind == "statistics":
                names += [f"{name}_{i}" for name in STATISTICS for i in range(encoder.output_size)]
            else:
                names += [f"code_{i}" for i in range(self.network_.code_size)]
        return np.array(names, dtype=object)

    def __skaudeep_tags__(self) -> LearningTags:
        untrained = {"max_epochs": 0} if self.max_epochs > 0 else None
        return LearningTags(unsupervised=True, reads_spectrograms=True, untrained=untrained)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        # allow_nan stays False: NaN is padding at a row's end, not a missing value anywhere.
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    # --- what goes in ----------------------------------------------------------------------------

    def _check_representation(self) -> None:
        if self.axis == "frequency" and self.representation in FRAME_REPRESENTATIONS:
            raise ValueError(
                f"Got representation={self.representation!r} with axis='frequency', which reads "
                "each frame by itself: any of 'covariance', 'statistics', 'code' and 'both' has a "
                "row for each frame there. Choose one of these, or another axis."
            )

    def _check_parameters(self) -> None:
        self._validate_params()
        self._check_representation()
        if self.axis != "time" and self.band_overlap >= self.band_window:
            raise ValueError(
                f"band_overlap={self.band_overlap} is not smaller than "
                f"band_window={self.band_window}: windows would not move on. Choose at most "
                f"{self.band_window - 1}."
            )
        for name in ("n_units", "n_layers"):
            value = getattr(self, name)
            if isinstance(value, Integral):
                continue
            counts = [isinstance(part, Integral) and int(part) > 0 for part in value]
            if self.axis != "frequency-time" or counts != [True, True]:
                raise ValueError(
                    f"Got {name}={value!r} with axis={self.axis!r}, expected a positive integer, "
                    'or, with axis="frequency-time", two: over frequency and over time.'
                )
        for name in ("kl_weight", "learning_rate", "feed_previous_prob"):
            number = self._parameter_constraints[name][0]
            check_schedule(getattr(self, name), name, number.is_satisfied_by, str(number))

    def _check_codes(self, X: Any) -> np.ndarray:
        """Codes of shape (..., code_size), taken from features where need be."""
        codes = check_array(
            X, dtype=np.float32, allow_nd=True, ensure_2d=True, ensure_all_finite="allow-nan"
        )
        size = self.network_.code_size
        n_features = len(self.get_feature_names_out())
        if codes.shape[-1] == n_features and self.representation == "both":
            codes = codes[..., -size:]
        elif codes.shape[-1] != size:
            reason = f"expected a code of {size}"
            if codes.shape[-1] == n_features:
                reason = (
                    f"features of representation={self.representation!r}, which do not tell the "
                    "sequence. Use representation='code'"
                )
            raise ValueError(f"X has {codes.shape[-1]} numbers a row, {reason}.")
        if codes.ndim - self.network_.PER_FRAME not in (2, 3):
            axes = "(n_clips, n_frames, code)" if self.network_.PER_FRAME else "(n_clips, code)"
            raise ValueError(
                f"X has shape {codes.shape}, expected {axes}, with chunks as second axis at most."
            )
        return codes

    # --- batches ---------------------------------------------------------------------------------

    def _network_on(self, device: torch.device) -> Autoencoder:
        return self.network_ if device.type == "cpu" else copy.deepcopy(self.network_).to(device)

    def _map(
        self,
        X: Any,
        function: Callable[..., Tensor],
        width: int,
        *,
        per_frame: bool,
        condition: Any = None,
    ) -> np.ndarray:
        """Call a function with the network and each batch of X, see `Sequences.map`."""
        device = resolve_device(self.device)
        sequences = read_input(self, X, reset=False, n_bands=self.network_.sizes.n_bands)
        sequences.condition = read_condition(
            self, condition, sequences.shape, reset=False, training=False
        )
        return sequences.map(
            partial(function, self._network_on(device)),
            width,
            per_frame=per_frame,
            batch_size=self.batch_size,
            device=device,
        )

    @torch.inference_mode()
    def _squared_errors(self, X: Any, condition: Any) -> tuple[np.ndarray, np.ndarray]:
        """Squared errors of each frame and their numbers: (..., n_frames), NaN at padding."""
        check_is_fitted(self, "network_")
        feed = self._loss().feed(max(len(self.loss_curve_) - 1, 0), training=False)

        def errors(
            network: Autoencoder, x: Tensor, lengths: Tensor | None, *given: Tensor
        ) -> Tensor:
            rebuilt = network(x, lengths, None, feed, *given).frames
            return torch.stack(
                squared_error(rebuilt, x, lengths, mask_silence=self.mask_silence), dim=2
            )

        both = self._map(X, errors, 2, per_frame=True, condition=condition)
        both = both.astype(np.float64)  # as scores have to be
        return both[..., 0], both[..., 1]


def _n_held_out(n_rows: int, fraction: float) -> int:
    """Count the rows to validate on; raise ValueError where there would be none, or no other."""
    n_held_out = round(fraction * n_rows)
    if fraction > 0 and not 0 < n_held_out < n_rows:
        raise ValueError(
            f"validation_fraction={fraction} of {n_rows} rows leaves {n_rows - n_held_out} to "
            f"train on and {n_held_out} to validate on; expected at least one each. Choose "
            "another fraction, or 0 to train on all."
        )
    return n_held_out


def _pair(value: Any) -> tuple[int, int]:
    first, second = (value, value) if isinstance(value, Integral) else value
    return int(first), int(second)
