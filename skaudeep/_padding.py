"""The padding convention: a shorter row ends in frames of NaN, and NaN occurs nowhere else.

Rows of unequal length are passed either in one array, whose shorter rows are padded with NaN at
their end, or in a list of arrays. Only this module implements the convention.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def is_ragged(X: Any) -> bool:
    """Return whether X is a list of 2-D arrays, one for each clip, instead of one array.

    Parameters
    ----------
    X : object

    Returns
    -------
    bool
        True for a list, a tuple or an array of objects that begins with a 2-D array.

    Examples
    --------
    >>> import numpy as np
    >>> is_ragged([np.zeros((3, 2)), np.zeros((5, 2))]), is_ragged(np.zeros((2, 3, 2)))
    (True, False)
    """
    if isinstance(X, np.ndarray):
        return X.dtype == object and X.ndim == 1 and len(X) > 0 and np.ndim(X[0]) == 2
    return isinstance(X, list | tuple) and len(X) > 0 and getattr(X[0], "ndim", 0) == 2


def missing_frames(values: NDArray) -> NDArray[np.bool_]:
    """Return which frames consist of NaN alone.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_frames, ...)

    Returns
    -------
    ndarray of shape (n_rows, n_frames), bool
    """
    missing: NDArray[np.bool_] = np.isnan(values).all(axis=tuple(range(2, values.ndim)))
    return missing


def empty_rows(values: Any) -> NDArray[np.bool_]:
    """Return which rows of stored values consist of NaN alone: clips that could not be read.

    Parameters
    ----------
    values : sequence of n_rows
        Where it is no array of floats with two axes or more, no row is empty.

    Returns
    -------
    ndarray of shape (n_rows,), bool

    Examples
    --------
    >>> empty_rows(np.array([[1.0, np.nan], [np.nan, np.nan]])).tolist()
    [False, True]
    """
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f" or values.ndim < 2:
        return np.zeros(len(values), dtype=bool)
    return np.asarray(np.isnan(values).all(axis=tuple(range(1, values.ndim))))


def row_lengths(values: NDArray) -> NDArray[np.int64]:
    """Count the frames of each row up to the last one that is not padding.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_frames, ...)

    Returns
    -------
    ndarray of shape (n_rows,), int64
        0 where a row holds nothing but NaN.

    Examples
    --------
    >>> import numpy as np
    >>> nan = np.nan
    >>> row_lengths(np.array([[[1.0], [2.0]], [[3.0], [nan]], [[nan], [nan]]])).tolist()
    [2, 1, 0]
    """
    n_frames = values.shape[1]
    lengths = np.where(missing_frames(values), 0, np.arange(1, n_frames + 1)).max(axis=1, initial=0)
    return lengths.astype(np.int64)


def frame_mask(lengths: NDArray[np.int64], n_frames: int) -> NDArray[np.bool_]:
    """Return which frames of padded rows are not padding.

    Parameters
    ----------
    lengths : ndarray of shape (n_rows,)
    n_frames : int
        Frames of a row, padding included.

    Returns
    -------
    ndarray of shape (n_rows, n_frames), bool
    """
    return np.arange(n_frames) < np.asarray(lengths)[:, None]


def find_gap(values: NDArray, lengths: NDArray[np.int64]) -> tuple[int, int] | None:
    """Find the first NaN that stands before the end of its row.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_frames, ...)
    lengths : ndarray of shape (n_rows,)
        What `row_lengths` returns.

    Returns
    -------
    (int, int) or None
        Row and frame, or None where NaN is padding throughout.
    """
    some_missing = np.isnan(values).any(axis=tuple(range(2, values.ndim)))
    gaps = np.argwhere(some_missing & frame_mask(lengths, values.shape[1]))
    return (int(gaps[0][0]), int(gaps[0][1])) if len(gaps) else None


def true_frames(x: NDArray, *, clip: int, n_bands: int | None, reader: str) -> NDArray:
    """Return one sequence without its padding, for an estimator that reads clip by clip.

    Parameters
    ----------
    x : ndarray of shape (n_frames, n_bands)
    clip : int
        Number of the clip in messages.
    n_bands : int or None
        Bands that the estimator was fitted on; None before `fit`.
    reader : str
        Name of the estimator in messages.

    Returns
    -------
    ndarray of shape (n_true_frames, n_bands)
        Without any frame where all are padding.

    Raises
    ------
    ValueError
        If it is no sequence, has no frame, other bands, or NaN before its last frame.

    Examples
    --------
    >>> nan = np.nan
    >>> true_frames(np.array([[1.0], [nan]]), clip=0, n_bands=1, reader="BandStatistics")
    array([[1.]])
    """
    if x.ndim != 2 or len(x) == 0:
        raise ValueError(
            f"Clip {clip} has shape {x.shape}, expected at least one frame in "
            "(n_frames, n_bands) or (n_chunks, n_frames, n_bands)."
        )
    if n_bands is not None and x.shape[1] != n_bands:
        raise ValueError(
            f"Clip {clip} has {x.shape[1]} bands, but {reader} was fitted on {n_bands}. Extract "
            "both with the same n_mels and sampling rate."
        )
    if not np.isnan(x).any():
        return x
    lengths = row_lengths(x[None])
    if find_gap(x[None], lengths) is not None:
        raise ValueError(
            f"Clip {clip} has NaN before its last frame, expected NaN only as padding "
            "at the end; repair or leave out the clip."
        )
    return x[: int(lengths[0])]


def unmasked(X: Any) -> Any:
    """Read an array whole, with NaN for what is masked: a netCDF variable masks its fill value.

    Parameters
    ----------
    X : array, netCDF variable or xarray.DataArray

    Returns
    -------
    array
    """
    X = X[:]
    return X.filled(np.nan) if isinstance(X, np.ma.MaskedArray) else X


def pad(
    rows: Sequence[NDArray | None],
    shape: Sequence[int] | None = None,
    dtype: DTypeLike = np.float32,
) -> NDArray:
    """Stack arrays of unequal shape, padded with NaN at their end along every axis.

    Parameters
    ----------
    rows : sequence of n_rows ndarrays of the same number of axes
        None gives a row of NaN. At least one is an array, unless `shape` is given.
    shape : sequence of int, default=None
        Shape of a row of the result; None is the largest size along each axis.
    dtype : dtype, default=float32

    Returns
    -------
    ndarray of shape (n_rows, *shape)

    Raises
    ------
    ValueError
        If rows differ in their number of axes.

    Examples
    --------
    >>> import numpy as np
    >>> pad([np.ones((2, 1)), np.ones((1, 1)), None])[:, :, 0]
    array([[ 1.,  1.],
           [ 1., nan],
           [nan, nan]], dtype=float32)
    """
    if shape is None:
        check_same_axes(rows)
        shape = np.max([row.shape for row in rows if row is not None], axis=0)
    shape = tuple(int(size) for size in shape)
    padded = np.empty((len(rows), *shape), dtype)
    for place, row in zip(padded, rows, strict=True):
        if row is None or row.shape != shape:
            place.fill(np.nan)
        if row is not None:
            place[tuple(slice(size) for size in row.shape)] = row
    return padded


def check_same_axes(rows: Sequence[NDArray | None]) -> None:
    """Raise a ValueError if there is no row, or some are in chunks and others are not.

    Parameters
    ----------
    rows : sequence of ndarrays and None
    """
    n_axes = {number: row.ndim for number, row in enumerate(rows) if row is not None}
    if not n_axes:
        raise ValueError("Got X without clips, expected at least one.")
    most, fewest = max(n_axes, key=n_axes.__getitem__), min(n_axes, key=n_axes.__getitem__)
    if n_axes[most] != n_axes[fewest]:
        raise ValueError(
            f"Row {most} of X is in chunks and row {fewest} is not, expected chunks in all rows or "
            "in none."
        )


def stack_features(clips: Sequence[NDArray]) -> NDArray:
    """Stack features of clips, or of their chunks with NaN where a clip has fewer.

    Parameters
    ----------
    clips : sequence of ndarray of shape (n_features,) or (n_chunks, n_features)

    Returns
    -------
    ndarray of shape (n_clips, n_features) or (n_clips, n_chunks, n_features)

    Raises
    ------
    ValueError
        If there is no clip, some are in chunks and others are not, or they differ in their
        features.

    Examples
    --------
    >>> stack_features([np.ones((2, 1)), np.ones((1, 1))])[:, :, 0]
    array([[ 1.,  1.],
           [ 1., nan]])
    """
    check_same_axes(clips)
    return np.stack(clips) if clips[0].ndim == 1 else stack_chunks(clips)


def first_width(X: Any) -> int:
    """Return the size of the last axis of the first clip, which `fit` keeps.

    Parameters
    ----------
    X : array or list of clips

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If there is no clip, or the first one has fewer than two axes.
    """
    if not len(X):
        raise ValueError("Got X without clips, expected at least one.")
    shape = np.shape(X[0])
    if len(shape) < 2:
        raise ValueError(
            f"Clip 0 has shape {shape}, expected at least one frame in (n_frames, n_bands) or "
            "(n_chunks, n_frames, n_bands)."
        )
    return int(shape[-1])


def stack_chunks(clips: Sequence[NDArray]) -> NDArray:
    """Stack features of clips with different numbers of chunks, NaN where there is no chunk.

    Parameters
    ----------
    clips : sequence of ndarray of shape (n_chunks, n_features)

    Returns
    -------
    ndarray of shape (n_clips, n_chunks_out, n_features)

    Raises
    ------
    ValueError
        If they differ in their features.
    """
    for row, clip in enumerate(clips):
        if clip.ndim != 2 or clip.shape[1] != clips[0].shape[1]:
            raise ValueError(
                f"Row {row} of X has shape {clip.shape} and row 0 has {clips[0].shape}; expected "
                "(n_chunks, n_features) with the same features in all rows."
            )
    return pad(clips, dtype=np.result_type(np.float32, *clips))


def join_clips(X: Any) -> Any:
    """Return clips of chunks that are a list of arrays as one array, and anything else as it is.

    Parameters
    ----------
    X : array-like, or list of arrays (n_chunks, n_features) or (n_chunks, n_frames, n_bands)
        The clips of a list may differ in their numbers of chunks and frames.

    Returns
    -------
    array-like
        Of a list (n_clips, n_chunks, n_features) or (n_clips, n_chunks, n_frames, n_bands), padded
        with NaN.

    Raises
    ------
    ValueError
        If the clips of a list differ in the size of their last axis.

    Examples
    --------
    >>> join_clips([np.ones((2, 3, 5)), np.ones((1, 4, 5))]).shape
    (2, 2, 4, 5)
    """
    if is_ragged(X):
        return stack_chunks([np.asarray(clip) for clip in X])
    if not isinstance(X, list | tuple) or {getattr(clip, "ndim", 0) for clip in X} != {3}:
        return X
    for number, clip in enumerate(X):
        if clip.shape[2] != X[0].shape[2]:
            raise ValueError(
                f"Row {number} of X has {clip.shape[2]} bands and row 0 has {X[0].shape[2]}; all "
                "rows must have the same bands."
            )
    return pad([np.asarray(clip) for clip in X])


def join_frames(parts: Sequence[NDArray]) -> NDArray:
    """Concatenate the frames of several arrays, with padding after the last part only.

    Parameters
    ----------
    parts : sequence of ndarray of shape (n_rows, n_frames, n_bands)
        They may differ in `n_frames`. NaN at the end of a row is padding, which is left out.

    Returns
    -------
    ndarray of shape (n_rows, n_frames_out, n_bands)
        The frames, padded to the longest row and to at least one frame, in the dtype of the parts.

    Raises
    ------
    ValueError
        If there is NaN before the end of a row.

    Examples
    --------
    >>> import numpy as np
    >>> parts = [np.array([[[1.0], [np.nan]], [[2.0], [3.0]]]), np.array([[[4.0]], [[5.0]]])]
    >>> join_frames(parts)[:, :, 0]
    array([[ 1.,  4., nan],
           [ 2.,  3.,  5.]])
    """
    lengths = [row_lengths(part) for part in parts]
    for number, (part, n_frames) in enumerate(zip(parts, lengths, strict=True)):
        if (gap := find_gap(part, n_frames)) is not None:
            row, frame = gap
            raise ValueError(
                f"Got NaN in part {number} of row {row}, frame {frame}, expected NaN at the end of "
                "a part alone, as padding. Remove the clip or repair its source."
            )
    shape = (max(1, int(np.sum(lengths, axis=0).max())), parts[0].shape[2])
    joined = [
        np.concatenate([part[row, : n[row]] for part, n in zip(parts, lengths, strict=True)])
        for row in range(len(parts[0]))
    ]
    return pad(joined, shape, dtype=np.result_type(*parts))
