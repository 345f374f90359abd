"""DistilledFeatures: a small recurrent network that learns which clips are alike from a teacher."""

from __future__ import annotations

import copy
import logging
import time
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.utils import Tags, check_array, check_random_state, get_tags
from sklearn.utils.validation import check_is_fitted

from skaudeep._base import (
    COUNT,
    POSITIVE,
    HasMethods,
    Interval,
    LearningTags,
    NamedRowsMixin,
    StrOptions,
    VersionMixin,
    all_or_nothing,
    begin_fit,
    num_samples,
)
from skaudeep._texts import list_names
from skaudeep._views import ClipExtractor, clip_index
from skaudeep.audio.clips import list_clips
from skaudeep.nn.devices import resolve_device
from skaudeep.nn.encoders import FeatureEncoder
from skaudeep.nn.reservoir import Reservoir, ReservoirSizes
from skaudeep.nn.weights import build
from skaudeep.spectrogram import SpectrogramExtractor
from skaudeep.training.alignment import AlignmentTraining
from skaudeep.training.batches import Sequences
from skaudeep.training.components import fit_components
from skaudeep.training.inputs import read_input
from skaudeep.training.loop import epoch_line

LOG = logging.getLogger(__name__)
FEWEST = 8  # clips to train on and clips to hold out, where any are held out
FEWEST_PAIRED = 3  # clips of which some can be more alike than others
PASSTHROUGH = "passthrough"


class DistilledFeatures(
    VersionMixin,
    NamedRowsMixin,
    CallbackSupportMixin,
    MetaEstimatorMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Features of a small recurrent network that finds clips as alike as a teacher does.

    The teacher is any transformer of the same clips: several large networks, or a pretrained one.
    `fit` computes its features of the clips, and trains a bidirectional GRU, without labels, until
    the similarities between clips by its own features align with those by the teacher's [1]_ [2]_.
    `transform` runs the small network alone.

    The network starts from random weights, and its features are those of
    :class:`ReservoirFeatures`: means and covariances of the principal components of its states, and
    coefficients that predict the first 20 of them from the same components four frames earlier,
    2564 features by default. Similarities are cosines of standardised features between the clips of
    a batch; the loss is 1 minus the centred alignment of those by the network with those by the
    teacher. The features of the teacher may be others, and of another number.

    Parameters
    ----------
    teacher : transformer
        Transformer that returns one row of features for each clip of X. `fit` fits a clone of it to
        X, without labels, and does not keep the clone. To use a transformer that is already fitted,
        such as a network that was trained on other clips, pass
        ``sklearn.frozen.FrozenEstimator(teacher)``. With ``max_epochs=0`` it may be None.
    extractor : transformer, "passthrough" or None, default=None
        Transformer from clips to the sequences (n_clips, n_frames, n_bands) that the network reads.
        `fit` fits a clone of it. None is a `SpectrogramExtractor` of 128 mel bands with windows of
        80 ms, ``clip_below=-60``, ``mel_norm="slaney"`` and ``adapt=True``, for audio files of one
        sampling rate. "passthrough": X holds such sequences already. Clips in chunks are refused.
    n_units : int > 0, default=128
        Number of units of each recurrent layer, in each of the two directions.
    n_layers : int > 0, default=1
        Number of recurrent layers of each direction.
    max_epochs : int >= 0, default=100
        Largest number of passes over the training clips. 0 keeps the random weights, as the control
        "untrained network" of :func:`~skaudeep.evaluate` does; the teacher is then not used.
    batch_size : int >= 8, default=64
        Largest number of clips of a batch, which is a step of the optimiser; the similarities of
        the clips of a batch are compared. It is also the number of clips that `transform` computes
        at a time.
    learning_rate : float > 0, default=1e-3
        Learning rate of the Adam optimizer. The gradient of all weights together is scaled down to
        a norm of 2 if it exceeds it.
    validation_fraction : float in [0, 1), default=0.1
        Share of the clips that are held out from training. If it is above 0, at least 8 clips are
        held out. The weights with the best alignment on them are kept. With 0 no clips are held
        out, and the last weights are kept.
    n_iter_no_change : int > 0 or None, default=10
        Training stops if the lowest loss of this number of epochs is not at least 1 % below the
        lowest loss before. The loss is that of the held-out clips, or of the training batches if no
        clips are held out. None runs all epochs.
    device : str, default="auto"
        Device of the computation: "cpu", "cuda", "cuda:1" and so on. "auto" uses a CUDA device if
        there is one. Between calls the weights are on the CPU, so that a pickle can be loaded on
        any machine.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the initial weights, the order of the clips, and the choice of the
        held-out clips. It has no effect on the teacher. The same integer gives the same bits on the
        same CPU. None draws a seed from NumPy's global generator, so that each call of `fit`
        differs. The global generator of torch is never used.
    verbose : bool, default=False
        Whether to print a line after each epoch. The logger `skaudeep.distillation` receives the
        line in any case, at level INFO.

    Attributes
    ----------
    network_ : :class:`~skaudeep.nn.reservoir.Reservoir`
        The trained network, on the CPU. It takes time-major batches, (n_frames, n_clips, n_bands).
    encoder_ : :class:`~skaudeep.nn.encoders.FeatureEncoder`
        The network and the pooling as one torch module, from sequences of shape (n_clips, n_frames,
        n_bands) to features, for use in other networks.
    extractor_ : transformer or "passthrough"
        The fitted copy of `extractor`, or of the default where this is None.
    loss_curve_ : list of float
        1 minus the alignment in the training batches of each epoch. 0 means that the similarities
        of clips are those by the teacher, up to their scale; 1 means that they are unrelated.
    validation_loss_curve_ : list of float
        1 minus the alignment of the held-out clips after each epoch. Empty if no clips are held
        out.
    seed_ : int
        Seed of the weights and of the training, drawn from `random_state`.
    n_features_in_ : int
        Size of the last axis of X with ``extractor="passthrough"``: the number of bands, or, of a
        matrix of sequences of one band, of time steps. Otherwise `n_features_in_` of `extractor_`,
        if it has this attribute.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where ``extractor="passthrough"`` and X of `fit` was a data frame.

    See Also
    --------
    skaudeep.recipes.distilled_features : A DistilledFeatures with `two_scales` as its teacher.
    ReservoirFeatures : The same network with its random weights.

    Notes
    -----
    A clip for which `extractor` returns only frames of NaN, such as one that cannot be read with
    ``on_error="nan"``, is left out of the training, and its features are NaN.

    References
    ----------
    .. [1] Cortes, Mohri & Rostamizadeh (2012). Algorithms for learning kernels based on centered
       alignment. JMLR 13.
    .. [2] Tung & Mori (2019). Similarity-preserving knowledge distillation. ICCV.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudeep import BandStatistics, DistilledFeatures, SpectrogramExtractor
    >>> from skaudeep.datasets import make_sounds
    >>> clips = make_sounds(40, sampling_rate=8000, duration=0.3, random_state=0).data
    >>> extractor = SpectrogramExtractor(n_mels=8, sampling_rate=8000)
    >>> student = DistilledFeatures(
    ...     make_pipeline(extractor, BandStatistics()), extractor=extractor, n_units=2,
    ...     max_epochs=3, validation_fraction=0, random_state=0)
    >>> student.fit_transform(clips).shape
    (40, 34)
    >>> student.loss_curve_[-1] < student.loss_curve_[0]
    True
    >>> student.fit(clips).transform(clips[:2]).shape  # without the teacher
    (2, 34)
    >>> student.get_feature_names_out()[[0, 4, 14, -1]].tolist()
    ['mean_0', 'covariance_0_0', 'transition_0_0', 'intercept_3']
    """

    _loss_name = "1 - alignment"  # for plots of `loss_curve_`
    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "teacher": [HasMethods(["fit", "transform"]), None],
        "extractor": [HasMethods(["fit", "transform"]), StrOptions({PASSTHROUGH}), None],
        "n_units": [COUNT],
        "n_layers": [COUNT],
        "max_epochs": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, FEWEST, None, closed="left")],
        "learning_rate": [POSITIVE],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "n_iter_no_change": [COUNT, None],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        teacher: Any,
        *,
        extractor: Any = None,
        n_units: int = 128,
        n_layers: int = 1,
        max_epochs: int = 100,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | None = 10,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ):
        self.teacher = teacher
        self.extractor = extractor
        self.n_units = n_units
        self.n_layers = n_layers
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    # --- fit -------------------------------------------------------------------------------------

    @all_or_nothing
    def fit(self, X: Any, y: Any = None) -> DistilledFeatures:
        """Train the network to find clips as alike as they are by the features of the teacher.

        Parameters
        ----------
        X : sequence of n_clips clips
            Clips in a form that the teacher and the extractor take: paths, waveforms, or, with
            ``extractor="passthrough"``, sequences.
        y : None
            Ignored. The teacher is fitted without labels.

        Returns
        -------
        self : DistilledFeatures
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is out of its range; if fewer than 8 clips with frames are left to train
            on beside the held-out ones (fewer than 3 with ``validation_fraction=0``; with
            ``max_epochs=0`` one is enough); if the extractor returns no sequences; or if the
            teacher does not return a row of features for each clip, returns NaN or infinity, or the
            same features for all clips.
        FloatingPointError
            If training diverges.
        """
        self._fit(X, y)
        return self

    @all_or_nothing
    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Fit the network, and return the features of the same clips, which are extracted once.

        Parameters
        ----------
        X : sequence of n_clips clips
            Clips in a form that the teacher and the extractor take, as in `fit`.
        y : None
            Ignored.

        Returns
        -------
        ndarray of shape (n_clips, n_features), float32
            The features that ``fit(X).transform(X)`` returns.
        """
        return self._represent(self._fit(X, y))

    @with_callbacks
    def _fit(self, X: Any, y: Any) -> Sequences:
        self._validate_params()
        device = resolve_device(self.device)
        self._check_number(num_samples(X), "clips")
        self.extractor_ = self._make_extractor()
        rows = X if self._passes_through() else _fit_transform(self.extractor_, X)
        sequences = self._read(rows, reset=True)
        there = np.flatnonzero(sequences.lengths)
        if not len(there):
            raise ValueError("The sequence of every clip is NaN throughout: nothing to fit to.")
        self._check_number(len(there), "clips with frames")
        self.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
        sizes = ReservoirSizes(
            n_bands=sequences.n_bands, n_units=int(self.n_units), n_layers=int(self.n_layers)
        )
        network = build(Reservoir, sizes, self.seed_).eval().to(device)
        batch_size = int(self.batch_size)
        fit_components(network, sequences, seed=self.seed_, batch_size=batch_size)
        self.loss_curve_: list[float] = []
        self.validation_loss_curve_: list[float] = []
        progress = begin_fit(self, X, y, n_subtasks=1 + self.max_epochs)
        if self.max_epochs:
            wanted = self._ask_teacher(X, y, there, progress)
            training = AlignmentTraining(
                network,
                sequences,
                wanted,
                seed=self.seed_,
                learning_rate=self.learning_rate,
                batch_size=batch_size,
                loss_curve=self.loss_curve_,
                validation_loss_curve=self.validation_loss_curve_,
            )
            self._train(training, there, progress, {"estimator": self, "X": X, "y": y})
            # Those of the trained states.
            fit_components(network, sequences, seed=self.seed_, batch_size=batch_size)
        self.network_ = network.cpu()
        progress.call_on_fit_task_end(estimator=self, X=X, y=y)
        return sequences

    def _check_number(self, n_clips: int, what: str) -> None:
        """Refuse clips that are too few to compare."""
        if self.max_epochs == 0:
            return
        if self.teacher is None:
            raise ValueError(
                f"Got teacher=None with max_epochs={self.max_epochs}, expected a transformer to "
                "learn from. Give one, such as two_scales(), or max_epochs=0."
            )
        if self.validation_fraction == 0 and n_clips < FEWEST_PAIRED:
            raise ValueError(
                f"Got n_samples={n_clips} {what}, expected at least {FEWEST_PAIRED}: of fewer none "
                "are more alike than others. Give more clips."
            )
        n_train = n_clips - self._n_held_out(n_clips)
        if self.validation_fraction > 0 and n_train < FEWEST:
            raise ValueError(
                f"Got n_samples={n_clips} {what}, which leaves {max(n_train, 0)} to train on with "
                f"validation_fraction={self.validation_fraction}, expected at least {FEWEST} "
                f"beside at least {FEWEST} that are held out. Give more clips, or set "
                "validation_fraction=0 to train on all."
            )

    def _n_held_out(self, n_clips: int) -> int:
        if self.validation_fraction == 0:
            return 0
        return max(FEWEST, round(self.validation_fraction * n_clips))

    def _ask_teacher(
        self, X: Any, y: Any, there: NDArray[np.intp], progress: Any
    ) -> NDArray[np.float32]:
        """Fit a copy of the teacher; return its features, standardised, each row of length 1."""
        teacher = clone(self.teacher)
        task = progress.subcontext(task_name="fit-teacher")
        with task.propagate_callback_context(teacher):
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            features = _fit_transform(teacher, X)
            task.call_on_fit_task_end(estimator=self, X=X, y=y)
        name, n_clips = type(teacher).__name__, num_samples(X)
        if issparse(features) or np.ndim(features) != 2 or len(features) != n_clips:
            kind = "a sparse matrix" if issparse(features) else f"shape {np.shape(features)}"
            raise ValueError(
                f"The teacher, a {name}, gave features of {kind}, expected an array of shape "
                f"({n_clips}, n_features), one row for each clip."
            )
        rows = check_array(features, dtype=(np.float64, np.float32), ensure_all_finite=False)
        bad = there[~np.isfinite(rows[there]).all(axis=1)]
        if len(bad):
            raise ValueError(
                f"The teacher, a {name}, gave NaN or infinity for {len(bad)} of {n_clips} clips, "
                f"expected numbers: {list_names(self._names(X, bad))}. Leave these clips out."
            )
        known = StandardScaler(copy=False).fit_transform(rows[there])
        if not known.any():
            raise ValueError(
                f"The teacher, a {name}, gave the same features of all {len(there)} clips: none "
                "are more alike than others. Give other clips, or another teacher."
            )
        wanted = np.zeros(rows.shape, dtype=np.float32)
        wanted[there] = normalize(known, copy=False)
        return wanted

    def _names(self, X: Any, rows: NDArray[np.intp]) -> list[str]:
        if self._reads_clips():
            clips = list_clips(X)
            return [clips[row].name for row in rows]
        return [f"clip {row}" for row in rows]

    def _train(
        self,
        training: AlignmentTraining,
        there: NDArray[np.intp],
        progress: Any,
        hooks: dict[str, Any],
    ) -> None:
        """Run epochs, each a task for callbacks, until the loss is flat or somebody says stop."""
        n_held_out = self._n_held_out(len(there))
        order = np.random.default_rng([self.seed_, n_held_out]).permutation(there)
        train_on, validate_on = np.sort(order[n_held_out:]), np.sort(order[:n_held_out])
        began, stopped = time.monotonic(), False
        while training.epoch < self.max_epochs and not stopped:
            task = progress.subcontext(task_name="epoch")
            task.call_on_fit_task_begin(**hooks)
            training.run_epoch(train_on)
            if len(validate_on):
                training.validate(validate_on)
            if self.verbose or LOG.isEnabledFor(logging.INFO):
                per_epoch = (time.monotonic() - began) / training.epoch
                line = epoch_line(training, self.max_epochs, per_epoch)
                LOG.info(line)
                if self.verbose:  # On stdout, as scikit-learn's neural networks do.
                    print(line, flush=True)  # noqa: T201
            patience = self.n_iter_no_change
            stopped = bool(task.call_on_fit_task_end(**hooks))
            stopped = stopped or (patience is not None and training.is_flat(int(patience)))
        if training.best_weights is not None:
            training.network.load_state_dict(training.best_weights)

    # --- what goes in ----------------------------------------------------------------------------

    def _make_extractor(self) -> Any:
        if self.extractor is None:
            return SpectrogramExtractor(
                0.08, n_mels=128, mel_norm="slaney", clip_below=-60, adapt=True
            )
        return self.extractor if self._passes_through() else clone(self.extractor)

    def _passes_through(self) -> bool:
        return isinstance(self.extractor, str)

    def _reads_clips(self) -> bool:
        """Tell whether the rows of X are recordings, which have names."""
        first = self._make_extractor()
        while isinstance(first, Pipeline):
            first = first.steps[0][1]
        return isinstance(first, ClipExtractor)

    def _read(self, rows: Any, *, reset: bool) -> Sequences:
        """Check the sequences that the network is to read."""
        n_bands = None if reset else self.network_.sizes.n_bands
        if self._passes_through():
            sequences = read_input(self, rows, reset=reset, n_bands=n_bands)
        else:
            if np.ndim(rows) != 3:
                raise ValueError(
                    f"The extractor, a {type(self.extractor_).__name__}, gave an array of shape "
                    f"{np.shape(rows)}, expected sequences (n_clips, n_frames, n_bands)."
                )
            sequences = Sequences.read(rows, n_bands)
            if reset and hasattr(self.extractor_, "n_features_in_"):
                self.n_features_in_ = self.extractor_.n_features_in_
        if len(sequences.shape) != 1:
            raise ValueError(
                f"X has shape {np.shape(rows)}, expected sequences (n_clips, n_frames, n_bands) "
                "without chunks."
            )
        return sequences

    # --- what has been learned -------------------------------------------------------------------

    def transform(self, X: Any) -> np.ndarray:
        """Return the features of each clip, by the network alone.

        Parameters
        ----------
        X : sequence of n_clips clips
            Clips in a form that the extractor takes. The teacher is not used.

        Returns
        -------
        ndarray of shape (n_clips, n_features), float32
            Features; NaN for a clip for which the extractor returns only frames of NaN.

        Raises
        ------
        ValueError
            If the sequences of the extractor have another number of bands than in `fit`, or hold
            infinity or NaN before the end of a row; or what the extractor raises.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self, "network_")
        rows = X if self._passes_through() else self.extractor_.transform(X)
        return self._represent(self._read(rows, reset=False))

    @torch.inference_mode()
    def _represent(self, sequences: Sequences) -> np.ndarray:
        device = resolve_device(self.device)
        network = self.network_
        if device.type != "cpu":
            network = copy.deepcopy(network).to(device)
        return sequences.map(
            network.pool,
            network.covariance.n_features,
            per_frame=False,
            batch_size=int(self.batch_size),
            device=device,
        )

    @property
    def encoder_(self) -> FeatureEncoder:
        """The network and the pooling as one torch module, from the extractor's output to features.

        It shares its weights with `network_`: copy it (:func:`copy.deepcopy`) before training it
        further. Padding must be zero instead of NaN; the second argument `lengths` then holds the
        true number of frames of each clip.
        """
        check_is_fitted(self, "network_")
        return FeatureEncoder(self.network_, "covariance")

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the features.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of shape (n_features,), object
            Names in this order, where i and j number the principal components of the states from
            0: ``"mean_i"``; ``"covariance_i_j"`` with j >= i, row by row, an element of the matrix
            logarithm of the covariance matrix; ``"transition_i_j"``, row by row, the coefficient by
            which component i predicts component j four frames later; and ``"intercept_j"``, the
            constant of that prediction. In the last two, i and j are among the first 20 components.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self, "network_")
        return np.array(self.network_.covariance.feature_names(), dtype=object)

    def _row_names(self, X: Any) -> Any:
        return clip_index(X) if self._reads_clips() else super()._row_names(X)

    def __skaudeep_tags__(self) -> LearningTags:
        return LearningTags(
            unsupervised=True,
            reads_spectrograms=True,
            extractor=None if self._passes_through() else self._make_extractor(),
            untrained={"max_epochs": 0} if self.max_epochs > 0 else None,
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        if self._passes_through():
            tags.input_tags.three_d_array = True
        else:
            tags.input_tags = get_tags(self._make_extractor()).input_tags
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _fit_transform(transformer: Any, X: Any) -> Any:
    if hasattr(transformer, "fit_transform"):
        return transformer.fit_transform(X)
    return transformer.fit(X, None).transform(X)  # a frozen one insists on labels, or None
