"""ReservoirFeatures: a recurrent network with random weights, fitted in closed form."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.callback import with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skaudeep._base import (
    COUNT,
    NamedRowsMixin,
    StrOptions,
    VersionMixin,
    all_or_nothing,
    run_fit_without_subtasks,
)
from skaudeep._state_features import BATCH_SIZE, StateFeatures
from skaudeep.nn.devices import resolve_device
from skaudeep.nn.pooling import FRAME_REPRESENTATIONS, StateCovariance
from skaudeep.nn.reservoir import Reservoir, ReservoirSizes
from skaudeep.nn.stack import CELLS
from skaudeep.nn.weights import build
from skaudeep.training.batches import Sequences
from skaudeep.training.components import COMPONENT_ROWS, fit_components
from skaudeep.training.inputs import read_input
from skaudeep.training.states import States


class ReservoirFeatures(StateFeatures):
    """Features of sequences from a recurrent network whose random weights are never trained.

    Such a network is called a reservoir, or an echo-state network [1]_. Each sequence, such as the
    spectrogram of a clip, runs through it. The outputs of its top layer after a frame are called
    the states of this frame. By default, the features of a sequence are the means of the principal
    components of its states, the logarithm of their covariance matrix over time (log-Euclidean
    covariance pooling [2]_), and the coefficients of a vector autoregression, which predicts the
    first 20 components from the same components four frames before [3]_, see
    :class:`~skaudeep.nn.pooling.StateCovariance`. `fit` computes the principal components in closed
    form: nothing is trained by gradients.

    With the same other parameters and an integer as `random_state`,
    ``Seq2SeqAutoencoder(max_epochs=0)`` with its default representation has the same features.

    Parameters
    ----------
    n_units : int >= 1, default=256
        Number of units of each recurrent layer.
    n_layers : int >= 1, default=2
        Number of recurrent layers that stand on one another, in each direction. The states are
        those of the last one.
    cell : {"gru", "lstm"}, default="gru"
        Type of the recurrent units.
    bidirectional : bool, default=True
        Whether other layers, with weights of their own, read the sequences backwards. There are
        then ``2 * n_units`` states, else `n_units`.
    n_components : int >= 1, default=64
        Largest number of principal components of the states. There are fewer if there are fewer
        states. With n components and m = min(n, 20), "covariance" gives
        ``n * (n + 3) / 2 + m * (m + 1)`` features: 2564 for 64 components.
    representation : {"covariance", "components", "states"}, default="covariance"
        What `transform` returns.

        - "covariance": a row of features for each sequence, as described above.
        - "components": a row for each frame, which holds the principal components of its states.
          It suits labels that change over time, see :class:`~skaudeep.PerFrame`.
        - "states": a row for each frame, which holds its states, ``n_units`` for each direction.
          Those of the forward direction come first.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the weights. The same integer gives exactly the same weights and
        features on the same CPU. None draws a seed from NumPy's global generator, so that each call
        of `fit` gives other weights. The global generator of torch is never used.
    device : str, default="auto"
        Device of the computation: "cpu", "cuda", "cuda:1" and so on. "auto" uses a CUDA device if
        there is one. Between calls the weights are on the CPU, so that a pickle can be loaded on
        any machine.

    Attributes
    ----------
    network_ : :class:`~skaudeep.nn.reservoir.Reservoir`
        The network with its fitted principal components, on the CPU. It takes batches of shape
        (n_frames, n_sequences, n_bands).
    encoder_ : :class:`~skaudeep.nn.encoders.FeatureEncoder`
        The network and the pooling as one torch module, from clips of shape (n_clips, n_frames,
        n_bands) to features, for use in other networks.
    n_features_in_ : int
        Size of the last axis of X in `fit`: the number of bands, or, of a matrix, of time steps.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, which are time steps, where X of `fit` was a data frame.
    seed_ : int
        Seed of the weights, drawn from `random_state`.

    See Also
    --------
    skaudeep.recipes.two_scales : Reservoirs that read recordings at two time scales.
    Seq2SeqAutoencoder : The same encoder, trained to reconstruct the sequences.

    Notes
    -----
    Clips may differ in length: pad the shorter ones with NaN at the end, or pass a list of arrays.
    Padding never changes a result. A clip of NaN alone is left out of `fit`, and its features are
    NaN. Of more than 1024 sequences (clips or chunks), `fit` computes the principal components from
    1024, which are chosen at random.

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

    A row for each frame:

    >>> ReservoirFeatures(8, representation="states", random_state=0).fit_transform(X).shape
    (6, 20, 16)
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
        """Draw the weights, and compute the principal components of the states.

        Parameters
        ----------
        X : array of shape (n_clips, n_frames, n_bands), (n_clips, n_chunks, n_frames, n_bands) or \
                (n_sequences, n_timesteps), or list of n_clips arrays (n_frames, n_bands) or \
                (n_chunks, n_frames, n_bands)
            Spectrograms or other sequences; trailing NaN is padding. Each chunk of a clip counts
            as a sequence of its own; with two axes, a sequence has one band. Any object with a
            shape whose rows can be indexed is read a batch at a time: ndarray, memmap, netCDF
            variable, xarray or dask array.
        y : None
            Ignored.

        Returns
        -------
        self : ReservoirFeatures
            The fitted estimator.

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
        """Fit to sequences and return the features of each sequence, or of each of its frames.

        On the CPU, the network runs over each sequence only once if there is room for the states of
        all sequences: 512 MB in memory, or else 32 GB in a temporary file, but at most half of the
        free disk space. Otherwise it runs twice.

        Parameters
        ----------
        X : array of shape (n_clips, n_frames, n_bands), (n_clips, n_chunks, n_frames, n_bands) or \
                (n_sequences, n_timesteps), or list of n_clips arrays (n_frames, n_bands) or \
                (n_chunks, n_frames, n_bands)
            Spectrograms or other sequences, as in `fit`; trailing NaN is padding.
        y : None
            Ignored.

        Returns
        -------
        ndarray of shape (n_clips, n_features) or (n_clips, n_chunks, n_features), float32
            The features that ``fit(X).transform(X)`` returns, up to rounding. With
            ``representation="components"`` or "states" the shape is (n_clips, n_frames, n_features)
            or (n_clips, n_chunks, n_frames, n_features).

        Raises
        ------
        ValueError
            If a parameter is out of its range, or X holds infinity, NaN before the end of a row, or
            no frame at all.
        """
        states = self._fit(X, y, keep_states=True)
        if states is None:
            return self.transform(X)
        return _features(states, self.network_.covariance, self.representation)

    @with_callbacks
    def _fit(self, X: Any, y: Any, *, keep_states: bool) -> States | None:
        """Fit; return the states of all rows if they are to be kept and fit in, else None."""
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
        """Run the network over all rows; return None if there is no room for its states."""
        if resolve_device(self.device).type != "cpu":
            return None
        return States.of(network, sequences, batch_size=BATCH_SIZE, on_rows=on_rows)

    def split_off_states(
        self, X: Any, on_rows: Callable[[int], object] | None = None
    ) -> tuple[StatePooling, States] | None:
        """Compute the states of all clips, once for all folds of a cross-validation.

        The states of a clip depend on the clip and on the random weights alone, so that all folds
        can share them. Only the principal components depend on the training clips of a fold.
        :func:`~skaudeep.evaluate` calls this method. The estimator itself is not fitted.

        Parameters
        ----------
        X : array of shape (n_clips, n_frames, n_bands), (n_clips, n_chunks, n_frames, n_bands) or \
                (n_sequences, n_timesteps), or list of n_clips arrays (n_frames, n_bands) or \
                (n_chunks, n_frames, n_bands)
            All clips; trailing NaN is padding.
        on_rows : callable, default=None
            Function that is called after each batch with the number of its sequences. None calls
            nothing.

        Returns
        -------
        (StatePooling, States) or None
            An unfitted transformer from states to features, and the states of all clips, whose rows
            can be indexed by arrays of clip numbers. If the transformer is fitted to the states of
            some clips, it gives the features that this estimator gives after `fit` to these clips,
            up to rounding. None if `random_state` is not an int, there is no room for the states
            (see `fit_transform`), or the device is not the CPU.

        Raises
        ------
        ValueError
            If a parameter is out of its range, or X holds infinity, NaN before the end of a row, or
            no frame at all.

        Examples
        --------
        >>> X = np.sin(np.arange(6 * 20 * 3).reshape(6, 20, 3))  # 6 clips, 20 frames, 3 bands
        >>> train, test = np.array([0, 1, 2, 3]), np.array([4, 5])
        >>> reservoir = ReservoirFeatures(8, random_state=0, device="cpu")
        >>> pooling, states = reservoir.split_off_states(X)
        >>> features = pooling.fit(states[train]).transform(states[test])
        >>> bool(np.allclose(features, reservoir.fit(X[train]).transform(X[test]), atol=1e-4))
        True
        """
        if not isinstance(self.random_state, Integral):
            return None
        reader: ReservoirFeatures = clone(self)
        sequences = reader._read(X)
        states = reader._run(reader._draw_network(sequences.n_bands), sequences, on_rows)
        if states is None:
            return None
        if len(sequences) <= COMPONENT_ROWS:
            _ = states.moments  # computed once for all folds; of more rows, each fold uses a sample
        pooling = StatePooling(
            int(self.n_components), representation=self.representation, seed=reader.seed_
        )
        pooling._sklearn_output_config = dict(getattr(self, "_sklearn_output_config", {}))
        return pooling, states


class StatePooling(VersionMixin, NamedRowsMixin, TransformerMixin, BaseEstimator):
    """Transformer from the states of a reservoir to the features of `ReservoirFeatures`.

    :meth:`ReservoirFeatures.split_off_states` makes it.

    Parameters
    ----------
    n_components : int
        Largest number of principal components of the states.
    representation : {"covariance", "components", "states"}
        What `transform` returns, see `ReservoirFeatures`.
    seed : int
        Seed that draws the rows to which the components are fitted, if there are many.

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
        """Compute the principal components of the states.

        Parameters
        ----------
        states : States
            States of the training clips.
        y : None
            Ignored.

        Returns
        -------
        self : StatePooling
            The fitted transformer.

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
            States of clips.

        Returns
        -------
        ndarray, float32
            Features, of the shape that `ReservoirFeatures.transform` returns.
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
