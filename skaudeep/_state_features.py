"""StateFeatures: the base of estimators that pool the states of a network they do not train."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skaudeep._base import LearningTags, NamedRowsMixin, VersionMixin
from skaudeep.nn.devices import resolve_device
from skaudeep.nn.encoders import FeatureEncoder, represent
from skaudeep.nn.pooling import FRAME_REPRESENTATIONS
from skaudeep.training.inputs import read_input

BATCH_SIZE = 64  # sequences that run through the network at a time


class StateFeatures(
    VersionMixin, NamedRowsMixin, CallbackSupportMixin, TransformerMixin, BaseEstimator
):
    """Transforms sequences by a fitted network, from whose states it computes the features.

    Subclasses have the parameters `representation` and `device`, and `fit`, which sets `network_`:
    an encoder with `n_bands`, `covariance`, `read` and `pool`, on the CPU.
    """

    representation: str
    device: str
    network_: Any

    @torch.inference_mode()
    def transform(self, X: Any) -> np.ndarray:
        """Return the features of each sequence, or of each of its frames.

        Parameters
        ----------
        X : array of shape (n_clips, n_frames, n_bands), (n_clips, n_chunks, n_frames, n_bands) or \
                (n_sequences, n_timesteps), or list of n_clips arrays (n_frames, n_bands) or \
                (n_chunks, n_frames, n_bands)
            Spectrograms or other sequences with as many bands as in `fit`; trailing frames of NaN
            are padding. Each row of a matrix is a sequence of a single band; it must have as many
            columns as that of `fit`. Chunks, which are consecutive pieces of a clip, are read as
            sequences of their own.

        Returns
        -------
        ndarray of shape (n_clips, n_features) or (n_clips, n_chunks, n_features), float32
            Features. With ``representation="components"`` or "states" the shape is (n_clips,
            n_frames, n_features) or (n_clips, n_chunks, n_frames, n_features). The features of
            clips, chunks and frames of NaN alone are NaN.

        Raises
        ------
        ValueError
            If X has another number of bands than in `fit`, or holds infinity or NaN before the end
            of a row.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.

        Examples
        --------
        >>> import numpy as np
        >>> from skaudeep import ReservoirFeatures
        >>> X = np.sin(np.arange(6 * 20 * 3).reshape(6, 20, 3))  # 6 clips, 20 frames, 3 bands
        >>> reservoir = ReservoirFeatures(n_units=4, random_state=0).fit(X)
        >>> reservoir.transform(X[:2]).shape
        (2, 116)
        >>> reservoir.set_params(representation="states").transform(X[:2]).shape
        (2, 20, 8)
        """
        check_is_fitted(self, "network_")
        device = resolve_device(self.device)
        network = self.network_
        if device.type != "cpu":
            network = copy.deepcopy(network).to(device)
        sequences = read_input(self, X, reset=False, n_bands=network.n_bands)
        return sequences.map(
            lambda x, lengths: represent(network, x, lengths, self.representation),
            len(self.get_feature_names_out()),
            per_frame=self.representation in FRAME_REPRESENTATIONS,
            batch_size=BATCH_SIZE,
            device=device,
        )

    @property
    def encoder_(self) -> FeatureEncoder:
        """The network and what `representation` makes of its states, as one torch module.

        It maps a tensor of shape (n_clips, n_frames, n_bands) to the features of `transform`. It
        shares its weights with `network_`: copy it (:func:`copy.deepcopy`) before training it
        further. Padding must be zero instead of NaN; the second argument `lengths` then holds the
        true number of frames of each clip.
        """
        check_is_fitted(self, "network_")
        return FeatureEncoder(self.network_, self.representation)

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
            row by row, the coefficient by which component i predicts component j four frames
            later; and ``"intercept_j"``, the constant of that prediction. In the last two, i and j
            are among the first 20 components. With
            "components" ``"component_i"``, with "states" ``"state_i"``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If `fit` was not called.

        Examples
        --------
        >>> import numpy as np
        >>> from skaudeep import ReservoirFeatures
        >>> X = np.sin(np.arange(6 * 20 * 3).reshape(6, 20, 3))  # 6 clips, 20 frames, 3 bands
        >>> reservoir = ReservoirFeatures(n_units=4, random_state=0).fit(X)
        >>> reservoir.get_feature_names_out()[[0, 8, 44, -1]].tolist()
        ['mean_0', 'covariance_0_0', 'transition_0_0', 'intercept_7']
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
