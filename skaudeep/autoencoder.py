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
    make_constraint,
)
from skaudeep.nn.autoencoders import NETWORKS, Autoencoder
from skaudeep.nn.devices import multiplies_bf16, products_in, resolve_device
from skaudeep.nn.encoders import CODES, FeatureEncoder, represent
from skaudeep.nn.pooling import FRAME_REPRESENTATIONS, REPRESENTATIONS, STATISTICS
from skaudeep.nn.sizes import (
    PER_AXIS,
    NetworkSizes,
    check_parts,
    check_same_sizes,
    pair,
    paired,
)
from skaudeep.nn.stack import CELLS
from skaudeep.nn.weights import build, resize
from skaudeep.training.batches import Sequences
from skaudeep.training.components import fit_components
from skaudeep.training.conditions import read_condition
from skaudeep.training.distributed import SINGLE_PROCESS, NullCallbackContext, ProcessGroup
from skaudeep.training.inputs import read_input
from skaudeep.training.loop import (
    Loss,
    Training,
    epoch_line,
    epoch_order,
    progress_noted,
    squared_error,
)
from skaudeep.training.schedules import Schedule, check_schedule

LOG = logging.getLogger(__name__)


class Seq2SeqAutoencoder(
    VersionMixin, NamedRowsMixin, CallbackSupportMixin, TransformerMixin, BaseEstimator
):
    """Features of sequences, learned without labels by a recurrent autoencoder.

    An encoder of stacked GRU or LSTM layers reads each sequence, such as the spectrogram of a clip
    or of a chunk (a piece of a clip). A layer makes a vector of its final states, the code. A
    decoder starts from this code as its initial state and reconstructs the sequence from the last
    frame to the first. At each step it reads the frame of its step before, which is the frame that
    follows in time: the true frame in teacher forcing, its own output in a free-running decoder
    [1]_ [2]_ [3]_. The features are the encoder's states, pooled over time or frame by frame, or
    the code.

    Parameters
    ----------
    n_units : int or (int, int), default=256
        Number of units of each recurrent layer. Here and below, a pair ``(frequency, time)``, where
        the type has one, is allowed with ``axis="frequency-time"``: its first value is for the
        network that reads the bands of a frame, its second for the network that reads the frames.
        A single value is for both.
    n_layers : int or (int, int), default=2
        Number of recurrent layers of each stack.
    cell : {"gru", "lstm"}, default="gru"
        Type of the recurrent units.
    bidirectional_encoder : bool or (bool, bool), default=True
        Whether a second, independent stack reads the sequences backwards.
    bidirectional_decoder : bool or (bool, bool), default=False
        Whether a second, independent stack reconstructs the sequences from the first frame to the
        last. Each frame is then computed from the states of both stacks.
    axis : {"time", "frequency", "frequency-time"}, default="time"
        The axis of the spectrogram along which the network reads.

        - "time": the frames of a clip, one after the other.
        - "frequency": the bands of a frame, in overlapping windows. Each frame has features of its
          own, and the time axis is kept, so that a second autoencoder over time can follow.
        - "frequency-time": one network reads the bands of each frame, and a second one reads its
          states over time, with a common loss. auDeep's sizes are
          ``n_units=(64, 128), n_layers=(1, 2)``.
    band_window : int, default=32
        Number of bands in a window, at most that of X. It has no effect with ``axis="time"``.
    band_overlap : int, default=24
        Number of bands that two consecutive windows have in common, less than `band_window`. The
        last window ends with the last band, and may overlap more.
    code : {"tanh", "gaussian"}, default="tanh"
        Kind of the code. "tanh" is that of the paper. "gaussian" is a variational code [4]_: a
        normal distribution for each sequence, close to the standard one, so that codes that are
        drawn at random can be decoded.
    kl_weight : float or dict, default=0.1
        Weight of the Kullback-Leibler divergence of a gaussian code in the loss. The loss of a
        batch is the root of the mean squared error of its reconstruction, plus `kl_weight` times
        the sum of the divergences in nats, divided by the number of values of the batch. It has no
        effect with ``code="tanh"``. It may be a schedule: a dict of epochs, counted from 0, and
        weights, such as ``{0: 0.0, 10: 0.1}``, with linear interpolation between them; before the
        first of these epochs and after the last one the weight is constant.
    representation : {"covariance", "statistics", "code", "both", "components", "states"}, \
            default="covariance"
        What `transform` returns.

        - "covariance": pooled statistics of the states of the encoder's top layer, reduced to their
          first 64 principal components over the training data, of at most 1024 sequences that are
          drawn from it (or to as many as there are states, if these are fewer; there are then fewer
          features). They are the means and the logarithm of the covariance matrix over time (2144
          features), and the coefficients of a vector autoregression, which predicts the first 20
          components from the same components 4 steps before (420 features). See
          :class:`~skaudeep.nn.pooling.StateCovariance`.
        - "statistics": mean, standard deviation, maximum and mean absolute change from step to
          step of the states of all layers of the encoder; ``4 * n_layers * n_units`` features
          for each direction.
        - "code": the code, which is the initial state of the decoder, as in the paper;
          ``n_layers * n_units`` features for each direction of the decoder, twice that for LSTM. Of
          a gaussian code, these are the means; the initial state is their tanh.
        - "both": the statistics, then the code.
        - "components": a row for each frame, which holds the first 64 principal components of the
          states of the encoder's top layer after this frame (a backward stack has then read all
          later frames). It suits labels that change over time, see :class:`~skaudeep.PerFrame`. It
          and "states" are not possible with ``axis="frequency"``, where each frame has features of
          its own for any representation.
        - "states": a row for each frame, which holds these states themselves; ``n_units`` features
          for each direction of the encoder.

        With ``axis="frequency"`` statistics and regression are over the windows of a frame instead
        of over time. With "frequency-time", the states, `n_units` and `n_layers` are those of the
        network that reads the frames. `representation` may be changed after `fit`.
    max_epochs : int, default=16
        Number of passes over the data. 0 keeps the random initial weights, to measure what training
        gains; the principal components are fitted nevertheless. More than 16 epochs help if the
        order of events matters, and for the code; the paper uses 64.
    batch_size : int, default=64
        Number of sequences per step of the optimizer, or that `transform` and the scores compute at
        a time, on whose results it has no effect.
    learning_rate : float or dict, default=1e-3
        Learning rate of the Adam optimizer. It may be a schedule, see `kl_weight`.
    gradient_clip : float, default=2.0
        Each element of the gradient is clipped to ``[-gradient_clip, gradient_clip]``.
    dropout : float in [0, 1), default=0.2
        Share of the inputs and of the outputs of each recurrent layer that is set to zero in
        training.
    encoder_noise : float in [0, 1) or (float, float), default=0.0
        Share of the frames (or, over frequency, of the windows) that are set to zero in the input
        of the encoder in training.
    feed_previous_prob : float in [0, 1], dict, or pair of them, default=0.0
        Probability that the decoder reads its own output instead of the true frame, at each step of
        each sequence in training (scheduled sampling [5]_). It may be a schedule, see `kl_weight`.
        A unidirectional decoder reads its output of the step before; a bidirectional one, and the
        time decoder of "frequency-time", its output of a first pass with teacher forcing. If the
        probability is 1 in the last epoch that was trained, scores use it, too, else they use
        teacher forcing; of a pair, this holds for each network by itself. With a unidirectional
        decoder and an axis of "time" or "frequency", the reconstruction that scores measure then
        depends on the code alone.
    mask_silence : bool, default=False
        Whether values of -1, the floor of a spectrogram, are left out of the error, in training,
        validation and scores. At least one sequence to train on, and one to validate on, has to
        have others.
    validation_fraction : float in [0, 1), default=0.0
        Share of the sequences that are used for validation, not for training. If clips are in
        chunks, these are chunks, so that a clip may have some on both sides. The weights with the
        smallest validation error of this call are kept. With 0 there is no validation, and the last
        weights are kept. Where `feed_previous_prob` becomes 1 during the training, only the epochs
        from there on are compared. `partial_fit` ignores it.
    n_iter_no_change : int, default=None
        Number of consecutive epochs without an error below the smallest one before, after which
        training ends. The error is that of the validation sequences, or, without validation, of the
        training sequences. None runs all epochs.
    warm_start : bool, default=False
        Whether `fit` continues from the weights of the last `fit` or `partial_fit`, for
        `max_epochs` further epochs. X may be other data with the same bands. Parameters that do not
        change the shape of the weights, such as `dropout` and `encoder_noise`, may be changed
        before.
    precision : {"float32", "bf16"}, default="float32"
        Arithmetic of matrix products in training. "bf16" uses bfloat16 (torch's autocast), which is
        nearly twice as fast on processors with bfloat16 arithmetic; on others `fit` uses float32
        and warns. "float32" uses float32, or TensorFloat-32 on GPUs that have it. Weights, loss,
        `transform` and scores are computed in full float32 in any case.
    device : str, default="auto"
        Device of the computation: "cpu", "cuda", "cuda:1" and so on. "auto" uses a CUDA device if
        there is one. Between calls the weights are on the CPU, so that a pickle can be loaded on
        any machine.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of initial weights, order of the clips, choice of validation clips,
        dropout and noise. The same integer gives the same bits on the same CPU. None draws a seed
        from NumPy's global generator, so that each call of `fit` differs. The global generator of
        torch is never used.
    verbose : bool, default=False
        Whether to print a line with the error and the remaining time after each epoch. The logger
        `skaudeep.autoencoder` gets the line in any case, at level INFO.

    Attributes
    ----------
    network_ : torch.nn.Module
        The fitted network of `skaudeep.nn.autoencoders`, on the CPU. It takes time-major batches,
        (n_frames, n_sequences, n_bands).
    encoder_ : torch.nn.Module
        The encoder and what `representation` makes of its states, with the weights of `network_`,
        as one torch module from clips of shape (n_clips, n_frames, n_bands) to features, for use in
        other networks: a :class:`~skaudeep.nn.encoders.FeatureEncoder`.
    loss_curve_ : list of float
        Root of the mean squared error of the training data in each epoch, with dropout and noise,
        in the units of X. The epochs of earlier calls are included where training continued.
    validation_loss_curve_ : list of float
        Root of the mean squared error of the validation sequences after each epoch, without dropout
        and noise. The decoder is fed its own output in epochs whose `feed_previous_prob` is 1, else
        the true frames. It has NaN for epochs without validation, and is empty if all are.
    out_activation_ : {"tanh", "identity"}
        Activation of the reconstruction: "tanh" if all training values are in [-1, 1], as in
        spectrograms, else "identity".
    n_features_in_ : int
        Size of the last axis of X in `fit`: the number of bands, or, of a matrix, of time steps.
    n_frames_ : int
        Number of frames of the longest training sequence.
    seed_ : int
        Seed of the training, drawn from `random_state`.
    moments_ : dict or None
        Moments of the Adam optimizer, for continued training; kept by `partial_fit` and with
        ``warm_start=True``, else None.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, which are time steps, where X of `fit` was a data frame.
    conditions_ : ndarray of shape (n_conditions,), int or str
        The different conditions of the clips in `fit`, sorted, if it was given any (see `fit`).

    See Also
    --------
    SpectrogramExtractor : Computes the spectrograms that this estimator reads.
    FeatureFusion : Concatenates the features of several views of the same clips.

    Notes
    -----
    Clips may differ in length: pad the shorter ones with NaN at the end, or pass a list of arrays.
    Padding never changes a result. A clip of NaN alone is left out of `fit`, and its features are
    NaN.

    The input of the decoder's backward stack begins at its own end of the sequence. In auDeep it is
    the input of the forward stack, which contains the frame to be predicted.

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

    The reconstruction of each clip, and how usual clips and frames are by its error:

    >>> autoencoder.reconstruct(X).shape, autoencoder.score_samples(X).shape
    ((6, 20, 3), (6,))
    >>> autoencoder.score_frames(X).shape, autoencoder.score(X) < 0
    ((6, 20), True)

    Sequences from codes alone, and training for one more epoch:

    >>> codes = autoencoder.set_params(representation="code").transform(X)
    >>> autoencoder.inverse_transform(codes, n_frames=7).shape
    (6, 7, 3)
    >>> len(autoencoder.partial_fit(X).loss_curve_)
    3
    """

    _loss_name = "RMSE"  # for plots of `loss_curve_`
    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "n_units": [COUNT, "array-like"],
        "n_layers": [COUNT, "array-like"],
        "cell": [StrOptions(set(CELLS))],
        "bidirectional_encoder": ["boolean", "array-like"],
        "bidirectional_decoder": ["boolean", "array-like"],
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
        "encoder_noise": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "feed_previous_prob": [PROBABILITY, dict, "array-like"],
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
        bidirectional_encoder: bool | tuple[bool, bool] = True,
        bidirectional_decoder: bool | tuple[bool, bool] = False,
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
        encoder_noise: float | tuple[float, float] = 0.0,
        feed_previous_prob: Schedule | tuple[Schedule, Schedule] = 0.0,
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
        """Train the network to reconstruct sequences.

        Under ``torchrun``, or in a process group of `torch.distributed`, each process computes a
        part of the rows of each batch, and all end with the same estimator. They must have the same
        X and parameters. Callbacks run on the first process. The result is that of one process.

        Parameters
        ----------
        X : array of shape (n_clips, n_frames, n_bands), (n_clips, n_chunks, n_frames, n_bands) or \
                (n_sequences, n_timesteps), or list of n_clips arrays (n_frames, n_bands) or \
                (n_chunks, n_frames, n_bands)
            Spectrograms or other sequences; trailing NaN is padding. Each row of a matrix is a
            sequence of a single band; a matrix in a later call must have as many columns. Any
            object with a shape whose rows can be indexed is read a batch at a time: ndarray,
            memmap, netCDF variable, xarray or dask array.
        y : None
            Ignored.
        condition : array-like of shape (n_clips,), default=None
            Property of each clip that the code need not hold, as an integer or a string: its site,
            speaker, device or class. The decoder reads it at each step. The encoder does not, so
            that `transform` needs no condition. A condition of None, NaN or "" is unknown; the
            decoder then reads the mean of the vectors that it has learned for all conditions. With
            ``code="gaussian"`` the training loss rewards codes without the condition; with "tanh"
            it only allows them. ``condition=None``: there are no conditions, which is an error if
            ``warm_start=True`` continues a training with conditions.

        Returns
        -------
        self : Seq2SeqAutoencoder
            The fitted estimator.

        Raises
        ------
        ValueError
            If X holds infinity, NaN before the end of a row, or no frame at all, if parameters
            contradict X or each other, if `condition` does not fit the clips, or if processes have
            different input.
        FloatingPointError
            If training diverges.
        ConnectionError
            If another process of this training is lost.

        Notes
        -----
        If `fit` does not return, for example because of Ctrl-C, the estimator is unchanged: it has
        the weights of an earlier fit, or is not fitted.
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
        """Train for one more epoch, on the same or other data with the same bands.

        The first call begins with random weights if `fit` was not called. On the same data, n calls
        give the result of `fit` with ``max_epochs=n``, ``validation_fraction=0`` and
        ``n_iter_no_change=None``.

        Parameters
        ----------
        X : array of shape (n_clips, n_frames, n_bands), (n_clips, n_chunks, n_frames, n_bands) or \
                (n_sequences, n_timesteps), or list of n_clips arrays (n_frames, n_bands) or \
                (n_chunks, n_frames, n_bands)
            Spectrograms or other sequences; trailing NaN is padding.
        y : None
            Ignored.
        condition : array-like of shape (n_clips,), default=None
            Condition of each clip, an integer or a string such as its site, or None, NaN or "" if
            it is unknown, see `fit`. Conditions are required if the first call had some, and must
            be left out (``condition=None``) if it had none. A condition that the first call did not
            have is an error, because the network has no embedding for it.

        Returns
        -------
        self : Seq2SeqAutoencoder
            The estimator.

        Raises
        ------
        ValueError
            For the reasons of `fit`, such as infinity in X; or if the number of bands, or a
            parameter that determines the shapes of the weights, has changed.
        FloatingPointError
            If training diverges.
        ConnectionError
            If another process of this training is lost.
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
            sizes = self._sizes(sequences.n_bands)
            check_same_sizes(sizes, self.network_.sizes)
            # Copies: if this fails, what is there has to be as it was.
            self.__dict__.update(self._snapshot())
            if sizes != self.network_.sizes:  # dropout or noise have changed
                self.network_ = resize(self.network_, sizes)
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
        """Run epochs, each a task for callbacks, until all are done or a callback stops them."""
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
        if self.mask_silence:
            _check_sound(sequences.highest, train_on, "train on")
            _check_sound(sequences.highest, validate_on, "validate on")
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
                    "validation_loss": training.validation_loss,
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
        sizes["n_conditions"] = len(vars(self).get("conditions_", ()))
        whole = NetworkSizes(n_bands=n_bands, out_activation=self.out_activation_, **sizes)
        return paired(whole) if self.axis == "frequency-time" else whole

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
    def encoder_(self) -> FeatureEncoder:
        """The encoder and what `representation` makes of its states, as one torch module.

        It maps a tensor of shape (n_clips, n_frames, n_bands) to the features of `transform`. It
        shares its weights with `network_`: copy it (:func:`copy.deepcopy`) before training it
        further. Padding must be zero instead of NaN; the second argument `lengths` then holds the
        true number of frames of each clip.
        """
        check_is_fitted(self, "network_")
        self._check_representation()
        return FeatureEncoder(self.network_.encoder, self.representation)

    @torch.inference_mode()
    def transform(self, X: Any) -> np.ndarray:
        """Return the features of each sequence, or of each of its frames.

        Parameters
        ----------
        X : array of shape (n_clips, n_frames, n_bands), (n_clips, n_chunks, n_frames, n_bands) or \
                (n_sequences, n_timesteps), or list of n_clips arrays (n_frames, n_bands) or \
                (n_chunks, n_frames, n_bands)
            Spectrograms or other sequences with as many bands as in `fit`; trailing NaN is padding.

        Returns
        -------
        ndarray of shape (n_clips, n_features) or (n_clips, n_chunks, n_features), float32
            Features. With ``axis="frequency"``, or the representations "components" and "states",
            the shape is (n_clips, n_frames, n_features) or (n_clips, n_chunks, n_frames,
            n_features). The features of clips, chunks and frames of NaN alone are NaN.

        Raises
        ------
        ValueError
            If X has another number of bands than in `fit`, or holds infinity or NaN before the end
            of a row.
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
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
        """Reconstruct sequences from their codes with teacher forcing.

        The decoder reads the true frames beside the code, whatever `feed_previous_prob` is.

        Parameters
        ----------
        X : array of shape (n_clips, n_frames, n_bands), (n_clips, n_chunks, n_frames, n_bands) or \
                (n_sequences, n_timesteps), or list of n_clips arrays (n_frames, n_bands) or \
                (n_chunks, n_frames, n_bands)
            Spectrograms or other sequences with as many bands as in `fit`; trailing NaN is padding.
        condition : array-like of shape (n_clips,), default=None
            Condition that the decoder reads for each clip, one of those in `fit`, or None where it
            is unknown. It may differ from the clip's own, to show how the clip would sound under
            this condition. ``condition=None`` is the mean of all conditions for each clip, and has
            no effect if `fit` had none.

        Returns
        -------
        ndarray of shape (n_clips, n_frames, n_bands) or (n_clips, n_chunks, n_frames, n_bands), \
                float32
            Reconstructions; NaN for padding.

        Raises
        ------
        ValueError
            If X has another number of bands than in `fit`, or holds infinity or NaN before the end
            of a row, or a condition is not one of those in `fit`.

        See Also
        --------
        inverse_transform : Generate sequences from codes alone.
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
        """Generate sequences from codes, with a free-running decoder.

        The decoder starts from the code and reads its own output. A bidirectional decoder, and that
        of ``axis="frequency-time"``, reads frames of zeros first, and then repeatedly its own whole
        output until no value changes by more than 0.001, at most 50 times.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_chunks, n_features)
            Codes, such as the output of `transform` with ``representation="code"``. The output with
            "both", which ends in the code, is accepted while `representation` is "both". With
            ``axis="frequency"`` there is an axis of frames before the last.
        n_frames : int >= 1, default=None
            Number of frames of each sequence. None is the largest number in `fit`, or, with
            ``axis="frequency"``, the number of frames of X.
        condition : array-like of shape (n_clips,), default=None
            Condition that the decoder reads for each clip, one of those in `fit`, or None where it
            is unknown. ``condition=None`` is the mean of all conditions for each clip, and has no
            effect if `fit` had none.

        Returns
        -------
        ndarray of shape (n_clips, n_frames, n_bands) or (n_clips, n_chunks, n_frames, n_bands), \
                float32
            Sequences; NaN throughout if a value of the code is NaN.

        Raises
        ------
        ValueError
            If X does not hold codes of this network, or `n_frames` is not an integer of at least 1,
            or, with ``axis="frequency"``, not the number of frames of X.
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
        X : array of shape (n_clips, n_frames, n_bands), (n_clips, n_chunks, n_frames, n_bands) or \
                (n_sequences, n_timesteps), or list of n_clips arrays (n_frames, n_bands) or \
                (n_chunks, n_frames, n_bands)
            Spectrograms or other sequences with as many bands as in `fit`; trailing NaN is padding.
        condition : array-like of shape (n_clips,), default=None
            Condition that the decoder reads for each clip, one of those in `fit`, or None where it
            is unknown. ``condition=None`` is the mean of all conditions for each clip, and has no
            effect if `fit` had none.

        Returns
        -------
        ndarray of shape (n_clips, n_frames) or (n_clips, n_chunks, n_frames), float64
            Minus the root of the mean squared error over bands, in the units of X, of a
            reconstruction with teacher forcing, or, if `feed_previous_prob` was 1 in the last
            epoch, from the decoder's own output; higher is more usual. NaN for padding; 0 for a
            frame of which ``mask_silence=True`` leaves out all bands.

        Raises
        ------
        ValueError
            If X has another number of bands than in `fit`, or holds infinity or NaN before the end
            of a row, or a condition is not one of those in `fit`.
        """
        error, n_values = self._squared_errors(X, condition)
        return -np.sqrt(error / np.maximum(n_values, 1))

    def score_samples(self, X: Any, *, condition: Any = None) -> np.ndarray:
        """Return how usual each clip, or each chunk, is: minus the error of its reconstruction.

        The reconstruction uses teacher forcing. If `feed_previous_prob` was 1 in the last epoch
        that was trained, the decoder reads its own output instead. This separates unusual clips far
        better: with teacher forcing one true frame largely predicts the next one, even for sounds
        unlike the training data.

        Parameters
        ----------
        X : array of shape (n_clips, n_frames, n_bands), (n_clips, n_chunks, n_frames, n_bands) or \
                (n_sequences, n_timesteps), or list of n_clips arrays (n_frames, n_bands) or \
                (n_chunks, n_frames, n_bands)
            Spectrograms or other sequences with as many bands as in `fit`; trailing NaN is padding.
        condition : array-like of shape (n_clips,), default=None
            Condition that the decoder reads for each clip, one of those in `fit`, or None where it
            is unknown. ``condition=None`` is the mean of all conditions for each clip, and has no
            effect if `fit` had none.

        Returns
        -------
        ndarray of shape (n_clips,) or (n_clips, n_chunks), float64
            Minus the root of the mean squared error over frames and bands, in the units of X;
            higher is more usual. NaN for clips and chunks of NaN alone; 0 for those of which
            ``mask_silence=True`` leaves out all values.

        Raises
        ------
        ValueError
            If X has another number of bands than in `fit`, or holds infinity or NaN before the end
            of a row, or a condition is not one of those in `fit`.
        """
        error, n_values = self._squared_errors(X, condition)
        missing = np.isnan(error).all(axis=-1)
        error, n_values = np.nansum(error, axis=-1), np.nansum(n_values, axis=-1)
        return np.where(missing, np.nan, -np.sqrt(error / np.maximum(n_values, 1)))

    def score(self, X: Any, y: Any = None, *, condition: Any = None) -> float:
        """Return minus the root of the mean squared reconstruction error, without dropout.

        The mean is over all values of X together (with ``mask_silence=True`` over those other than
        -1), so that longer clips weigh more. The reconstruction uses teacher forcing, or, if
        `feed_previous_prob` was 1 in the last epoch that was trained, the decoder's own output.

        Parameters
        ----------
        X : array of shape (n_clips, n_frames, n_bands), (n_clips, n_chunks, n_frames, n_bands) or \
                (n_sequences, n_timesteps), or list of n_clips arrays (n_frames, n_bands) or \
                (n_chunks, n_frames, n_bands)
            Spectrograms or other sequences with as many bands as in `fit`; trailing NaN is padding.
        y : None
            Ignored.
        condition : array-like of shape (n_clips,), default=None
            Condition that the decoder reads for each clip, one of those in `fit`, or None where it
            is unknown. ``condition=None`` is the mean of all conditions for each clip, and has no
            effect if `fit` had none.

        Returns
        -------
        float
            The score, at most 0; higher is better. It is 0 if ``mask_silence=True`` leaves out all
            values.

        Raises
        ------
        ValueError
            If X consists of NaN alone, holds infinity or NaN before the end of a row, or has
            another number of bands than in `fit`.
        """
        error, n_values = self._squared_errors(X, condition)
        if np.isnan(error).all():
            raise ValueError("Every row of X is NaN throughout: there is nothing to score.")
        total, count = (np.nansum(part) for part in (error, n_values))
        return -float(np.sqrt(total / max(count, 1)))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the features.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of shape (n_features,), object
            With ``representation="covariance"`` in this order, where i and j number the principal
            components of the states from 0: ``"mean_i"``; ``"covariance_i_j"`` with j >= i, row by
            row, an element of the matrix logarithm of the covariance matrix; ``"transition_i_j"``,
            row by row, the coefficient by which component i predicts component j four steps
            later; and ``"intercept_j"``, the constant of that prediction. In the last two, i and j
            are among the first 20 components. With
            "statistics" ``"mean_i"`` of all states, then ``"std_i"``, ``"max_i"`` and
            ``"change_i"``, the mean absolute change from step to step; with "code" ``"code_i"``;
            with "both" first the names of the statistics, then those of the code; with "components"
            ``"component_i"``; with "states" ``"state_i"``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
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
        for name, expected in (PER_AXIS | {"feed_previous_prob": "a probability"}).items():
            check_parts(
                name,
                getattr(self, name),
                self.axis,
                [make_constraint(kind) for kind in self._parameter_constraints[name][:-1]],
                expected,
            )
        for name in ("kl_weight", "learning_rate", "feed_previous_prob"):
            number = self._parameter_constraints[name][0]
            for schedule in pair(getattr(self, name)):
                check_schedule(schedule, name, number.is_satisfied_by, str(number))

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
        both = both.astype(np.float64)  # scores must be float64
        return both[..., 0], both[..., 1]


def _check_sound(highest: np.ndarray, rows: np.ndarray, purpose: str) -> None:
    """Raise a ValueError if no row has a value that `mask_silence` leaves in the error."""
    if len(rows) and not (highest[rows] > -1).any():
        raise ValueError(
            f"Got mask_silence=True with {len(rows)} of the sequences to {purpose}, which hold no "
            "value above -1, the floor of a spectrogram: nothing is left. Leave out silent clips, "
            "lower the clip_below of the extractor, or choose mask_silence=False."
        )


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
