"""What estimators of sequences take as X: checked, and turned into `Sequences`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data
from torch import Tensor

from skaudeep._padding import is_ragged, join_clips
from skaudeep.training.batches import Sequences


def read_input(
    estimator: Any,
    X: Any,
    *,
    reset: bool,
    n_bands: int | None = None,
    to_train: bool = False,
) -> Sequences:
    """Check the input of an estimator of sequences, and set or compare its number of bands.

    Parameters
    ----------
    estimator : estimator
        Gets `n_features_in_` where `reset`, and `feature_names_in_` from a data frame.
    X : array-like
        As in :meth:`Sequences.read`.
    reset : bool
        True in `fit`, False afterwards.
    n_bands : int, default=None
        Number of bands of the fitted network, where not `reset`.
    to_train : bool, default=False
        Whether to read all values, as in :meth:`Sequences.read`, also where not `reset`.

    Returns
    -------
    Sequences

    Raises
    ------
    ValueError
        As in :meth:`Sequences.read`.
    """
    if isinstance(X, Tensor):
        X = X.detach().cpu().numpy()
    ragged = is_ragged(X)
    if not ragged and not hasattr(X, "shape"):
        _refuse_lists(X)
        X = join_clips(X)
    n_axes = 3 if ragged else len(X.shape) if hasattr(X, "shape") else np.asarray(X).ndim
    if n_axes == 1 and np.asarray(X[:1]).dtype.kind in "US":
        _refuse_paths(X[0])
    if n_axes not in (3, 4):
        if n_axes == 2 and n_bands is not None and n_bands > 1:
            raise ValueError(
                f"X has shape {np.shape(X)}, but the estimator was fitted on sequences of "
                f"{n_bands} bands. Expected (n_clips, n_frames, {n_bands}); of one spectrogram "
                "make a batch: X[None]."
            )
        # A plain matrix, or what scikit-learn refuses better than we could.
        matrix = validate_data(
            estimator, X, reset=reset, dtype=np.float32, ensure_all_finite="allow-nan"
        )
        return Sequences.read(matrix)
    sequences = Sequences.read(X, n_bands, check_values=reset or to_train)
    if reset:
        estimator.__dict__.pop("feature_names_in_", None)  # names from an earlier data frame
        estimator.n_features_in_ = sequences.n_bands
    return sequences


def _refuse_lists(X: Any) -> None:
    """Raise an error with an explanation about a list that numpy would refuse."""
    if isinstance(X, str | bytes | os.PathLike):
        _refuse_paths(X)
    try:
        rows = list(X)
    except TypeError:
        return
    for row in rows[:1]:
        if isinstance(row, str | bytes | os.PathLike):
            _refuse_paths(row)
    lengths = [len(row) if hasattr(row, "__len__") else -1 for row in rows]
    if len(set(lengths)) < 2 or any(np.ndim(part) for row in rows for part in row[:1]):
        return
    row = next(i for i, length in enumerate(lengths) if length != lengths[0])
    raise ValueError(
        f"Row {row} of X is a series of {lengths[row]} values and row 0 of {lengths[0]}; expected "
        "one length, or a list of arrays of shape (n_frames, n_bands). Of series of unequal length "
        "make sequences of one band: [np.reshape(row, (-1, 1)) for row in X]."
    )


def _refuse_paths(path: Any) -> None:
    raise ValueError(
        f"X holds paths, {str(path)!r} first; expected spectrograms (n_clips, n_frames, n_bands). "
        "Put a SpectrogramExtractor before this step: make_pipeline(SpectrogramExtractor(), ...)."
    )
