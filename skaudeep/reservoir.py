"""ReservoirFeatures: a recurrent network with random weights, fitted in closed form."""

from __future__ import annotations

import copy
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from skaudeep._base import (
    COUNT,
    LearningTags,
    NamedRowsMixin,
    StrOptions,
    VersionMixin,
    all_or_nothing,
    run_fit_without_subtasks,
)
from skaudeep.nn.devices import resolve_device
from skaudeep.nn.encoders import FeatureEncoder, represent
from skaudeep.nn.pooling import FRAME_REPRESENTATIONS, StateCovariance
from skaudeep.nn.reservoir import Reservoir, ReservoirSizes
from skaudeep.nn.stack import CELLS
from skaudeep.nn.weights import build
from skaudeep.training.batches import Sequences, read_input
from skaudeep.training.components import COMPONENT_ROWS, fit_components
from skaudeep.training.states import States

BATCH_SIZE = 64  # sequences that run through the network at a time


class ReservoirFeatures(
    VersionMixin, NamedRowsMixin, CallbackSupportMixin, TransformerMixin, BaseEstimator
):
    """Features of sequences from a recurrent network whose random weights are never trained.

    Such a network is called a reservoir, or an echo-state network [1]_. Each sequence runs through
    it; by default, the features describe how the states of its top layer vary together over time:
    log-Euclidean covariance pooling [2]_ and the coefficients of a vector autoregression of the
    states [3]_, see :class:`~skaudeep.nn.pooling.StateCovariance`. `fit` finds the principal
    components of the states, in closed form: nothing is trained by gradients.

    For the same `random_state` the features are those of
    ``Seq2SeqAutoencoder(max_epochs=0)`` with its default representation.

    Parameters
    ----------
    n_units : int, default=256
        Units of each recurrent layer.
    n_layers : int, default=2
        Layers of each stack.
    cell : {"gru", "lstm"}, default="gru"
        Recurrent cell.
    bidirectional : bool, default=True
        Whether a second, independent stack of layers reads the sequences backwards.
    n_components : int, default=64
        Largest number of principal components of the states. The number of features grows with its
        square: 64 components give 2564 features.
    representation : {"covariance", "components", "states"}, default="covariance"
        What `transform` returns.

        - "covariance": one row of features for each sequence, as above.
        - "components": one row for each frame, the principal components of the states after it,
          for labels that change over time, see :class:`~skaudeep.PerFrame`.
        - "states": likewise, the states themselves; ``n_units`` features per direction, those of
          the stack that reads forwards first.
    random_state : int, RandomState instance or None, default=None
        Determines the weights. The same integer gives the same bits on the same CPU. Global
        generators are neither read nor moved.
    device : str, default="auto"
        Where to compute: "cpu", "cuda", "cuda:1", ...; "auto" takes a CUDA device where there is
        one. Between calls the weights lie on the CPU, so a pickle loads on any machine.

    Attributes
    ----------
    network_ : :class:`~skaudeep.nn.reservoir.Reservoir`
        The network with its fitted principal components, on the CPU. It takes time-major batches.
    encoder_ : :class:`~skaudeep.nn.encoders.FeatureEncoder`
        From clips (n_clips, n_frames, n_bands) to features, as a module for other networks.
    n_features_in_ : int
        Number of bands (the last axis of X).
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X is a data frame.
    seed_ : int
        Drawn from `random_state`.

    See Also
    --------
    skaudeep.recipes.two_scales : Reservoirs that read recordings at two time scales.
    Seq2SeqAutoencoder : The same encoder, trained to rebuild the sequences.

    Notes
    -----
    Rows may differ in length: pad the shorter ones with NaN at the end, or pass a list of arrays.
    Padding never changes a result. A row of nothing but NaN is left out of `fit` and gives a row of
    NaN.

    References
    ----------
    .. [1] Jaeger (2001). The "echo state" approach to analysing and training recurrent neural
       networks. GMD Report 148.
    .. [2] Arsigny, Fillard, Pennec & Ayache (2006). Log-Euclidean metrics for fast and simple
       calculus on diffusion tensors. Magnetic Resonance in Medicine 56(2).
    .. [3] Bianchi, Scardapane, Loekse & Jenssen (2021). Reservoir computing approaches for
       representation and classification of multivariate time series. IEEE Transactions on Neural
       Networks and Learning Systems 32(5).

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep import ReservoirFeatures
    >>> X = np.sin(np.arange(6 * 20 * 3).reshape(6, 20, 3))  # 6 clips, 20 frames, 3 bands
    >>> X[0, 15:] = np.nan  # the first is shorter
    >>> reservoir = ReservoirFeatures(n_units=8, random_state=0).fit(X)
    >>> reservoir.transform(X).shape
    (6, 424)
    >>> reservoir.get_feature_names_out()[[0, 15, 16, 152, -1]].tolist()
    ['mean_0', 'mean_15', 'covariance_0_0', 'transition_0_0', 'intercept_15']
    """

    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "n_units": [COUNT],
        "n_layers": [COUNT],
        "cell": [StrOptions(set(CELLS))],
        "bidirectional": ["boolean"],
        "n_components": [COUNT],
        "representation": [StrOptions({"covariance", *FRAME_REPRESENTATIONS})],
        "random_state": ["random_state"],
        "device": [str],
    }

    def __init__(
        self,
        n_units: int = 256,
        *,
        n_layers: int = 2,
        cell: str = "gru",
        bidirectional: bool = True,
        n_components: int = 64,
        representation: str = "covariance",
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
    ):
        self.n_units = n_units
        self.n_layers = n_layers
        self.cell = cell
        self.bidirectional = bidirectional
        self.n_components = n_components
        self.representation = representation
        self.random_state = random_state
        self.device = device

    @all_or_nothing
    def fit(self, X: Any, y: Any = None) -> ReservoirFeatures:
        """Draw the weights, and find the principal components of the states.

        Parameters
        ----------
        X : array of shape (n_clips, n_frames, n_bands), (n_clips, n_chunks, n_frames, n_bands) or \
                (n_sequences, n_timesteps), or list of n_clips arrays (n_frames, n_bands) or \
                (n_chunks, n_frames, n_bands)
            Trailing NaN is padding. Anything with a shape that rows can be taken from is read a
            batch at a time: ndarray, memmap, netCDF variable, xarray or dask array.
        y : None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter is out of its range, or X holds infinity, NaN before the end of a row, or
            no frame at all.
        """
        self._fit(X, y, keep_states=False)
        return self

    @all_or_nothing
    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Fit to sequences and represent each of them, or each of their frames, by features.

        The network runs over each sequence once, where its states find room in memory (512 MB) or
        in a temporary file (32 GB), and on the CPU.

        Parameters
        ----------
        X : array or list
            As in `fit`.
        y : None
            Ignored.

        Returns
        -------
        ndarray, float32
            Those of ``fit(X).transform(X)``, to rounding.

        Raises
        ------
        ValueError
            As `fit`.
        """
        states = self._fit(X, y, keep_states=True)
        if states is None:
            return self.transform(X)
        return _features(states, self.network_.covariance, self.representation)

    @with_callbacks
    def _fit(self, X: Any, y: Any, *, keep_states: bool) -> States | None:
        """Fit; return the states of all rows where they are to be kept and there is room."""
        sequences = self._read(X)
        network = self._draw_network(sequences.n_bands)
        states = self._run(network, sequences) if keep_states else None
        if states is not None:
            states.fit_components(network.covariance, seed=self.seed_)
        else:
            network.to(resolve_device(self.device))
            fit_components(network, sequences, seed=self.seed_, batch_size=BATCH_SIZE)
        self.network_ = network.cpu()
        run_fit_without_subtasks(self, X, y)
        return states

    def _read(self, X: Any) -> Sequences:
        self._validate_params()
        sequences = read_input(self, X, reset=True)
        _check_frames(sequences.lengths)
        return sequences

    def _draw_network(self, n_bands: int) -> Reservoir:
        """Make the network with its random weights, on the CPU."""
        self.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
        sizes = ReservoirSizes(
            n_bands=n_bands,
            n_units=int(self.n_units),
            n_layers=int(self.n_layers),
            cell=self.cell,
            bidirectional=bool(self.bidirectional),
            n_components=int(self.n_components),
        )
        return build(Reservoir, sizes, self.seed_).eval()

    def _run(
        self,
        network: Reservoir,
        sequences: Sequences,
        on_rows: Callable[[int], object] | None = None,
    ) -> States | None:
        """Run the network over all rows, None where that cannot be kept."""
        if resolve_device(self.device).type != "cpu":
            return None
        return States.of(network, sequences, batch_size=BATCH_SIZE, on_rows=on_rows)

    def split_off_states(
        self, X: Any, on_rows: Callable[[int], object] | None = None
    ) -> tuple[StatePooling, States] | None:
        """Divide this estimator into what depends on no other clip, already run, and the rest.

        What a clip's states are depends on the random weights alone, so that one run serves all
        folds of a cross-validation; only the principal components belong to a fold.

        Parameters
        ----------
        X : array or list
            All clips, as in `fit`.
        on_rows : callable, default=None
            Called with the number of sequences of each batch that has run.

        Returns
        -------
        pooling : StatePooling
            Not fitted. Fitted to the states of some clips, it gives the features that this
            estimator gives when fitted to these clips.
        states : States
            Of all clips of `X`; rows can be taken from it.
        None
            In place of both, where `random_state` is no int, there is no room, or the device is
            not the CPU.
        """
        if not isinstance(self.random_state, Integral):
            return None
        reader: ReservoirFeatures = clone(self)
        sequences = reader._read(X)
        states = reader._run(reader._draw_network(sequences.n_bands), sequences, on_rows)
        if states is None:
            return None
        if len(sequences) <= COMPONENT_ROWS:
            _ = states.moments  # once, for all folds: of more rows each fold sums up a sample
        pooling = StatePooling(
            int(self.n_components), representation=self.representation, seed=reader.seed_
        )
        pooling._sklearn_output_config = dict(getattr(self, "_sklearn_output_config", {}))
        return pooling, states

    @torch.inference_mode()
    def transform(self, X: Any) -> np.ndarray:
        """Represent each sequence, or each of its frames, by one row of features.

        Parameters
        ----------
        X : array of shape (n_clips, n_frames, n_bands), (n_clips, n_chunks, n_frames, n_bands) or \
                (n_sequences, n_timesteps), or list of n_clips arrays (n_frames, n_bands) or \
                (n_chunks, n_frames, n_bands)
            As in `fit`, with the same bands.

        Returns
        -------
        ndarray of shape (n_clips, n_features) or (n_clips, n_chunks, n_features), float32
            With a representation of frames, (n_clips, n_frames, n_features) or (n_clips, n_chunks,
            n_frames, n_features). Rows, chunks and frames of nothing but NaN give NaN.
        """
        check_is_fitted(self, "network_")
        device = resolve_device(self.device)
        network = self.network_
        if device.type != "cpu":
            network = copy.deepcopy(network).to(device)
        sequences = read_input(self, X, reset=False, n_bands=network.sizes.n_bands)
        return sequences.map(
            lambda x, lengths: represent(network, x, lengths, self.representation),
            len(self.get_feature_names_out()),
            per_frame=self.representation in FRAME_REPRESENTATIONS,
            batch_size=BATCH_SIZE,
            device=device,
        )

    @property
    def encoder_(self) -> FeatureEncoder:  # noqa: D102 (an attribute)
        check_is_fitted(self, "network_")
        return FeatureEncoder(self.network_, self.representation)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the features: ``mean_0``, ``covariance_0_0``, ``transition_0_0`` and so on.

        Those of frames are ``component_0`` and so on, or ``state_0``.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of shape (n_features,), object
        """
        check_is_fitted(self, "network_")
        names = self.network_.covariance.feature_names(self.representation)
        return np.array(names, dtype=object)

    def __skaudeep_tags__(self) -> LearningTags:
        return LearningTags(unsupervised=True, reads_spectrograms=True)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        # allow_nan stays False: NaN is padding at a row's end, not a missing value anywhere.
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


class StatePooling(VersionMixin, NamedRowsMixin, TransformerMixin, BaseEstimator):
    """The part of `ReservoirFeatures` that is fitted: from states to features.

    Made by :meth:`ReservoirFeatures.split_off_states`.

    Parameters
    ----------
    n_components : int
        Largest number of principal components of the states.
    representation : {"covariance", "components", "states"}
        As that of `ReservoirFeatures`.
    seed : int
        Determines to which rows these are fitted, where there are many.

    Attributes
    ----------
    covariance_ : :class:`~skaudeep.nn.pooling.StateCovariance`
        The fitted principal components.
    """

    def __init__(self, n_components: int, *, representation: str, seed: int):
        self.n_components = n_components
        self.representation = representation
        self.seed = seed

    def fit(self, states: States, y: Any = None) -> StatePooling:
        """Find the principal components of the states.

        Parameters
        ----------
        states : States
        y : None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If no row has any states.
        """
        _check_frames(states.lengths)
        covariance = StateCovariance(states.n_states, self.n_components)
        states.fit_components(covariance, seed=self.seed)
        self.covariance_ = covariance
        return self

    def transform(self, states: States) -> np.ndarray:
        """Return the features of each row, or of each of its frames.

        Parameters
        ----------
        states : States

        Returns
        -------
        ndarray, float32
            As `ReservoirFeatures` gives it.
        """
        check_is_fitted(self, "covariance_")
        return _features(states, self.covariance_, self.representation)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the features as `ReservoirFeatures` does."""
        check_is_fitted(self, "covariance_")
        return np.array(self.covariance_.feature_names(self.representation), dtype=object)


def _features(states: States, covariance: StateCovariance, representation: str) -> np.ndarray:
    if representation in FRAME_REPRESENTATIONS:
        return states.by_frame(covariance, representation)
    return states.pool(covariance)


def _check_frames(lengths: np.ndarray) -> None:
    if not lengths.any():
        raise ValueError("Every row of X is NaN throughout: there is nothing to fit to.")
