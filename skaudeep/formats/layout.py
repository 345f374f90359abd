"""Conversion between a Bunch of clips and auDeep's files, which have one row per chunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skaudeep._padding import pad, row_lengths
from skaudeep._texts import printable, text_array
from skaudeep.datasets.axes import default_dims
from skaudeep.datasets.bunch import (
    REQUIRED_KEYS,
    check_bunch,
    make_bunch,
    replace_keys,
)

# Chunks per row that a data set may have, places of chunks that are missing included.
MAX_PADDING = 1000
SMALL_PADDING = 2**20  # places that are no matter in any case

RowReader = Callable[[int, int], NDArray[np.float32]]


def complete_bunch(bunch: Bunch) -> Bunch:
    """Check a data set and return it with all the keys that files store.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`~skaudeep.datasets.make_bunch`.

    Returns
    -------
    Bunch
        A new data set with the keys of :func:`~skaudeep.datasets.make_bunch`, with `errors`,
        ndarray of shape (n_clips,) of str, and with `copy_of`, `recorded_at` and `feature_names`
        where `bunch` has them.

    Raises
    ------
    ValueError
        If a key is missing, keys contradict each other, or a text cannot be stored.
    """
    bunch = check_bunch(bunch, required=(*REQUIRED_KEYS, "DESCR"))
    whole = make_bunch(
        bunch.data,
        bunch.filenames,
        target=bunch.target,
        target_names=bunch.target_names,
        folds=bunch.folds,
        partition=bunch.partition,
        groups=bunch.groups,
        dims=bunch.dims,
        descr=bunch.DESCR,
    )
    names = bunch.get("feature_names")
    if names is None and hasattr(bunch.data, "columns"):
        names = list(map(str, bunch.data.columns))
    if names is not None and len(set(names)) == len(names):
        whole.feature_names = names
    whole.errors = np.full(len(whole.filenames), "")
    for key in {"errors", "copy_of"} & bunch.keys():
        whole[key] = text_array(bunch[key], key)
    if "recorded_at" in bunch:
        try:
            whole.recorded_at = np.asarray(bunch.recorded_at, dtype="datetime64[ns]")
        except ValueError as error:
            raise ValueError(f"Got recorded_at that are no times: {printable(error)}.") from None
    whole = replace_keys(whole)  # with `copy_of`: copies are never tested
    for key in ("filenames", "target_names", "feature_names", "groups", "errors", "copy_of"):
        for text in whole.get(key, ()):
            _check_text(key, str(text))
    _check_text("DESCR", whole.DESCR)
    return whole


def dims_of_instances(n_axes: int, chunked: bool) -> tuple[str, ...]:
    """Return the names of the axes of data, for a file that does not store them.

    Parameters
    ----------
    n_axes : int
        Number of axes of the data, that of the clips and that of their chunks included.
    chunked : bool
        Whether the second axis counts chunks.

    Returns
    -------
    tuple of str
        One name per axis, "clip" first.

    Examples
    --------
    >>> dims_of_instances(3, chunked=True), dims_of_instances(3, chunked=False)
    (('clip', 'chunk', 'feature'), ('clip', 'frame', 'band'))
    """
    if not chunked:
        return default_dims(n_axes)
    return ("clip", "chunk", *default_dims(n_axes - 1)[1:])


def settle_chunks(bunch: Bunch, chunked: bool | None) -> tuple[Bunch, bool]:
    """Return whether a data set is stored by chunk, and the data set with `dims` that say so.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        The data set, as `complete_bunch` returns it.
    chunked : bool or None
        What the caller says. None goes by `dims`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        The same data set, with other `dims` where the caller knows of chunks that they do not name.
    chunked : bool
        Whether each chunk becomes an instance of its own.
    """
    named = bunch.dims[1:2] == ("chunk",)
    if chunked and not named and len(bunch.dims) > 2:
        dims = dims_of_instances(len(bunch.dims), chunked=True)
        bunch = replace_keys(bunch, dims=dims)
    return bunch, named if chunked is None else chunked


def _check_text(key: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"Got {text!r} in {key}, which is not valid Unicode, expected text. Rename it."
        ) from None
    if "\0" in text:
        raise ValueError(f"Got {text!r} in {key}, which holds a zero character. Rename it.")


def row_reader(data: Any) -> tuple[tuple[int, ...], RowReader]:
    """Return a function that reads rows of data from any container.

    Parameters
    ----------
    data : array-like of shape (n_clips, ...), or list of n_clips arrays (n_frames, n_bands)
        Features or spectrograms.

    Returns
    -------
    shape : tuple of int
        Shape of the data; the rows of a list are padded to the longest.
    read : callable
        `read(start, stop)` returns the rows from start to stop, float32.

    Raises
    ------
    ValueError
        If the data are not numeric, have fewer than two axes, or an axis of length 0.
    """
    ragged = isinstance(data, list | tuple) or getattr(data, "dtype", None) == np.dtype(object)
    if ragged and all(np.ndim(row) == 2 for row in data):
        rows = [np.asarray(row, dtype=np.float32) for row in data]
        if len(bands := {row.shape[1] for row in rows}) > 1:
            raise ValueError(
                f"Got rows of {min(bands)} and of {max(bands)} bands in data, expected one number."
            )
        shape: tuple[int, ...] = (len(rows), max(len(row) for row in rows), bands.pop())
        return shape, lambda start, stop: pad(rows[start:stop], shape[1:])
    if not hasattr(data, "shape") or hasattr(data, "columns"):
        data = np.asarray(data)
    if np.dtype(data.dtype).kind not in "iuf" or len(data.shape) < 2:
        raise ValueError(
            f"Got data of shape {tuple(data.shape)} and dtype {data.dtype}, expected numbers with "
            "at least two axes: features or spectrograms. Clips are extracted first, as by "
            "extract_to_netcdf."
        )
    if 0 in data.shape:
        raise ValueError(f"Got data of shape {tuple(data.shape)}, expected no axis of length 0.")
    return tuple(data.shape), lambda start, stop: np.asarray(data[start:stop], dtype=np.float32)


def group_by_clip(
    filenames: NDArray, chunk_nr: NDArray, path: str, n_chunks: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Group instances, of which each is a chunk, by clip.

    Parameters
    ----------
    filenames, chunk_nr : ndarray of shape (n_instances,)
        Clip of each instance, and its number among the chunks of that clip, from 0.
    path : str
        Path of the file, for error messages.
    n_chunks : int, default=None
        Number of chunks per clip. None takes the largest number that occurs, and no axis where
        that is 1.

    Returns
    -------
    clip : ndarray of shape (n_instances,)
        Clip of each instance; clips are numbered by first appearance.
    first : ndarray of shape (n_clips,)
        First instance of each clip.
    instances : ndarray of shape (n_clips,) or (n_clips, n_chunks)
        Instance of each chunk, -1 where there is none.

    Raises
    ------
    ValueError
        If there are no instances, a clip has a chunk number twice, or chunk numbers are no integers
        from 0 or out of proportion to the number of instances.
    """
    if not len(filenames):
        raise ValueError(f"{printable(path)}: holds no clips, expected at least one.")
    number: dict[str, int] = {}  # numbers by first appearance, not in alphabetical order
    clip = np.array([number.setdefault(name, len(number)) for name in filenames.tolist()])
    first = np.unique(clip, return_index=True)[1]
    with np.errstate(invalid="ignore"):
        numbers = chunk_nr.astype(np.int64)
    if (numbers != chunk_nr).any() or numbers.min() < 0 or numbers.max() > len(filenames):
        raise ValueError(
            f"{printable(path)}: has chunk numbers from {chunk_nr.min()} to {chunk_nr.max()} among "
            f"{len(filenames)} chunks, expected 0, 1, 2, ... for each clip."
        )
    there = int(numbers.max()) + 1
    shape = (len(first), max(n_chunks or 1, there))
    check_padding(shape, len(filenames), path)
    instances = np.full(shape, -1, dtype=np.int64)
    instances[clip, numbers] = np.arange(len(filenames))
    if (instances >= 0).sum() < len(filenames):
        twice = np.argmax(instances[clip, numbers] != np.arange(len(filenames)))
        raise ValueError(
            f"{printable(path)}: has chunk {numbers[twice]} of {str(filenames[twice])!r} twice, "
            "expected each chunk once."
        )
    return clip, first, instances[:, 0] if n_chunks is None and there == 1 else instances


def check_padding(shape: tuple[int, int], n_instances: int, path: str) -> None:
    """Raise a ValueError if nearly all places of an array of chunks would be empty.

    Each clip gets as many places as the clip with the most chunks, so that one wrong number of a
    chunk would take the memory of millions.

    Parameters
    ----------
    shape : tuple of int
        Number of clips, and of chunks of each.
    n_instances : int
        Number of chunks that are there.
    path : str
        Path of the file, for the message.
    """
    n_clips, n_chunks = shape
    if n_clips * n_chunks > max(SMALL_PADDING, MAX_PADDING * n_instances):
        raise ValueError(
            f"{printable(path)}: has {n_instances} chunks of {n_clips} clips, but states "
            f"{n_chunks} chunks "
            f"for each, expected at most {MAX_PADDING} times as many places as chunks. Correct "
            "its chunk numbers, or divide the longest clips into several."
        )


def reduce_to_clips(
    columns: dict[str, NDArray], clip: NDArray[np.int64], first: NDArray[np.int64], path: str
) -> dict[str, NDArray]:
    """Reduce columns of instances to one value per clip; the chunks of a clip must agree.

    Parameters
    ----------
    columns : dict of ndarray of shape (n_instances, ...) or ()
        Columns by name, with `filename` among them.
    clip : ndarray of shape (n_instances,), int
        Clip of each instance, as `group_by_clip` returns it.
    first : ndarray of shape (n_clips,), int
        First instance of each clip, as `group_by_clip` returns it.
    path : str
        Path of the file, for error messages.

    Returns
    -------
    dict of ndarray of shape (n_clips, ...) or ()
        The columns, by name.

    Raises
    ------
    ValueError
        If the chunks of a clip differ in label, folds or partition.
    """
    if len(first) == len(clip):
        return columns
    reduced = {name: values[first] if values.ndim else values for name, values in columns.items()}
    same_in_chunks = {"label_nominal", "label_numeric", "cv_folds", "partition", "target", "groups"}
    for name in same_in_chunks & set(columns):
        here, there = columns[name], reduced[name][clip]
        # A missing value is NaN, which does not equal itself.
        same = ((here == there) | ((here != here) & (there != there))).reshape(len(clip), -1)
        if not same.all():
            odd = str(columns["filename"][np.argmin(same.all(axis=1))])
            raise ValueError(
                f"{printable(path)}: the chunks of {odd!r} differ in {name}, expected one value."
            )
    return reduced


def decode_target(
    columns: dict[str, NDArray], label_map: list[tuple[str, int]] | None, path: str
) -> tuple[NDArray | None, list[str]]:
    """Turn the labels of clips, as auDeep stores them, into a target and its names.

    Parameters
    ----------
    columns : dict of ndarray of shape (n_clips,)
        Columns by name: `target`, of shape (n_clips, n_classes) where clips may have several
        classes; or else `filename`, `label_nominal` ("" or NaN where unlabelled)
        and `label_numeric` (NaN where unlabelled).
    label_map : list of (name, number), default=None
        The classes. None takes those that occur.
    path : str
        Path of the file, for error messages.

    Returns
    -------
    target : ndarray of shape (n_clips,), or None
        Index of each clip's class in the order of the classes' numbers, or floats where labels have
        no names, or None where no clip is labelled.
    target_names : list of str
        Class names, in the order of their numbers.

    Raises
    ------
    ValueError
        If a clip's name and number are not a pair of the map.
    """
    if "target" in columns and columns["target"].ndim == 2:
        in_order = sorted((number, name) for name, number in label_map or ())
        return columns["target"], [name for _, name in in_order]
    if "target" in columns:
        return columns["target"].astype(np.float64), []
    nominal, numeric = columns["label_nominal"], columns["label_numeric"].astype(np.float64)
    labelled = ~np.isnan(numeric)
    named = nominal != "" if nominal.dtype.kind == "U" else np.full(len(nominal), False)
    if label_map is None and not named.any():
        return (numeric if labelled.any() else None), []
    if not labelled.any():  # names alone: number them
        label_map = label_map or [
            (name, number) for number, name in enumerate(sorted(set(nominal[named].tolist())))
        ]
        by_name = dict(label_map)
        numeric[named] = [by_name.get(name, np.nan) for name in nominal[named].tolist()]
        labelled = named
    elif label_map is None:
        seen = zip(nominal[labelled].tolist(), numeric[labelled].tolist(), strict=True)
        label_map = sorted(set(seen))
    by_number = {number: str(name) for name, number in label_map}
    for clip in np.flatnonzero(labelled | named):
        if by_number.get(numeric[clip]) != str(nominal[clip]):
            raise ValueError(
                f"{printable(path)}: clip {str(columns['filename'][clip])!r} is labelled "
                f"{str(nominal[clip])!r} and {numeric[clip]:g}, which are not one class."
            )
    numbers = sorted(by_number)
    target = np.full(len(numeric), -1)
    target[labelled] = np.searchsorted(numbers, numeric[labelled])
    return target, [by_number[number] for number in numbers]


def frame_counts(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Count the frames of each instance up to the last that is not NaN.

    Parameters
    ----------
    values : ndarray of shape (n_instances, n_frames, ...) or (n_instances, n_features)
        Instances with NaN as padding at their ends.

    Returns
    -------
    ndarray of shape (n_instances,), int64
        Number of frames; 0 where all values are NaN; for features 0 or 1.
    """
    return row_lengths(values[:, None] if values.ndim == 2 else values)
