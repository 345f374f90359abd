"""ModuleFeatures: features of sequences from the states of a network of one's own."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from sklearn.callback import with_callbacks
from torch import nn

from skaudeep._base import (
    COUNT,
    StrOptions,
    all_or_nothing,
    run_fit_without_subtasks,
)
from skaudeep._state_features import BATCH_SIZE, StateFeatures
from skaudeep.nn.devices import resolve_device
from skaudeep.nn.foreign import ModuleEncoder, run
from skaudeep.nn.pooling import FRAME_REPRESENTATIONS
from skaudeep.training.batches import Sequences
from skaudeep.training.components import fit_components
from skaudeep.training.inputs import read_input


class ModuleFeatures(StateFeatures):
    """Features of sequences from the states of a network of your own, a PyTorch module.

    Each sequence, such as the spectrogram of a clip, runs through the module, whose output for a
    frame is called its states. By default, the features of a sequence are the means of the
    principal components of its states, the logarithm of their covariance matrix over time, and the
    coefficients that predict the first 20 components from the same components four frames earlier,
    as in :class:`~skaudeep.ReservoirFeatures`. `fit` computes the principal components in closed
    form. It does not train the module: train it before, with or without labels.

    Parameters
    ----------
    module : torch.nn.Module
        The network. Its input is a float32 tensor of shape (n_frames, n_sequences, n_bands), and
        its output a tensor of states of shape (n_frames, n_sequences, n_states). All sequences of a
        call have the same length; sequences of other lengths come in other calls. The module is
        called in evaluation mode, without gradients, and by several threads at the same time, so
        that its `forward` must not change the module. `fit` copies it.
    n_components : int >= 1, default=64
        Largest number of principal components of the states. There are fewer if there are fewer
        states. With n components and m = min(n, 20), "covariance" gives
        ``n * (n + 3) / 2 + m * (m + 1)`` features.
    representation : {"covariance", "components", "states"}, default="covariance"
        What `transform` returns.

        - "covariance": a row of features for each sequence.
        - "components": a row for each frame, which holds the principal components of its states.
          It suits labels that change over time, see :class:`~skaudeep.PerFrame`.
        - "states": a row for each frame, which holds the n_states states of this frame.
    device : str, default="auto"
        Device of the computation: "cpu", "cuda", "cuda:1" and so on. "auto" uses a CUDA device if
        there is one. Between calls the weights are on the CPU.

    Attributes
    ----------
    network_ : :class:`~skaudeep.nn.foreign.ModuleEncoder`
        A copy of the module with the fitted principal components, on the CPU, in evaluation mode.
        It takes batches of shape (n_frames, n_sequences, n_bands).
    encoder_ : :class:`~skaudeep.nn.encoders.FeatureEncoder`
        The module and the pooling as one torch module, from clips of shape (n_clips, n_frames,
        n_bands) to features, for use in other networks. Gradients can be computed through it.
    n_features_in_ : int
        Size of the last axis of X in `fit`: the number of bands, or, of a matrix, of time steps.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, which are time steps, where X of `fit` was a data frame.

    See Also
    --------
    ReservoirFeatures : The same features of recurrent layers with random weights.
    FunctionExtractor : A function, or an ONNX model, from samples to frames.

    Notes
    -----
    Clips may differ in length: pad the shorter ones with NaN at the end, or pass a list of arrays.
    The module never receives padding. A clip of NaN alone is left out of `fit`, and its features
    are NaN. Of more than 1024 sequences (clips or chunks), `fit` uses 1024, chosen at random with a
    fixed seed.

    :func:`skaudeep.save` stores the weights of the module, and not its code. To load the model,
    pass a module of the same architecture: ``skaudeep.load(path, modules=[MyModule(...)])``.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skaudeep import ModuleFeatures
    >>> class Smoothing(torch.nn.Module):  # 3 bands to 6 states
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layers = torch.nn.Conv1d(3, 6, kernel_size=5, padding=2)
    ...
    ...     def forward(self, x):  # (n_frames, n_sequences, n_bands)
    ...         return torch.tanh(self.layers(x.permute(1, 2, 0))).permute(2, 0, 1)
    >>> X = np.sin(np.arange(6 * 20 * 3).reshape(6, 20, 3))  # 6 clips, 20 frames, 3 bands
    >>> features = ModuleFeatures(Smoothing()).fit(X)
    >>> features.transform(X).shape
    (6, 69)
    >>> features.get_feature_names_out()[[0, 6, 27, -1]].tolist()
    ['mean_0', 'covariance_0_0', 'transition_0_0', 'intercept_5']
    >>> ModuleFeatures(Smoothing(), representation="components").fit_transform(X).shape
    (6, 20, 6)
    """

    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "module": [nn.Module],
        "n_components": [COUNT],
        "representation": [StrOptions({"covariance", *FRAME_REPRESENTATIONS})],
        "device": [str],
    }

    def __init__(
        self,
        module: nn.Module,
        *,
        n_components: int = 64,
        representation: str = "covariance",
        device: str = "auto",
    ):
        self.module = module
        self.n_components = n_components
        self.representation = representation
        self.device = device

    @all_or_nothing
    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> ModuleFeatures:
        """Copy the module, and compute the principal components of its states.

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
        self : ModuleFeatures
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is out of its range, X holds infinity, NaN before the end of a row, or no
            frame at all, or the module does not return finite states of shape (n_frames,
            n_sequences, n_states).
        """
        self._validate_params()
        sequences = read_input(self, X, reset=True)
        if not sequences.lengths.any():
            raise ValueError("Every row of X is NaN throughout: there is nothing to fit to.")
        device = resolve_device(self.device)
        module = copy.deepcopy(self.module).to(device).eval()
        n_states = _count_states(module, sequences, device)
        sizes = (sequences.n_bands, n_states, int(self.n_components))
        network = ModuleEncoder(module, *sizes).to(device).eval()
        fit_components(network, sequences, seed=0, batch_size=BATCH_SIZE)
        self.network_ = network.cpu()
        run_fit_without_subtasks(self, X, y)
        return self


@torch.inference_mode()
def _count_states(module: nn.Module, sequences: Sequences, device: torch.device) -> int:
    """Return the number of states that a module makes of the first sequence."""
    first = int(np.flatnonzero(sequences.lengths)[0])
    x, *_ = sequences.batch(np.array([first]), device)
    return run(module, x).shape[2]
