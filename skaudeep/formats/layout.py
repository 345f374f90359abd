"""Instances, the rows of auDeep's files: one a chunk, which together make a Bunch of clips."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skaudeep.datasets.bunch import REQUIRED_KEYS, check_bunch, make_bunch, replace_keys

RowReader = Callable[[int, int], NDArray[np.float32]]


def complete_bunch(bunch: Bunch) -> Bunch:
    """Return the bunch with all its keys, if they agree and can be stored.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        With all keys of :func:`~skaudeep.datasets.make_bunch`.

    Returns
    -------
    Bunch
        A new one, with `errors`, ndarray of shape (n_clips,) of str, besides, and with `copy_of`
        where the bunch has it.

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
        descr=bunch.DESCR,
    )
    whole.errors = np.full(len(whole.filenames), "")
    for key in {"errors", "copy_of"} & bunch.keys():
        whole[key] = np.asarray(bunch[key], dtype=str)
    whole = replace_keys(whole)  # copies only train, in whatever file they are
    for key in ("filenames", "target_names", "groups", "errors", "copy_of"):
        for text in whole.get(key, ()):
            _check_text(key, str(text))
    _check_text("DESCR", whole.DESCR)
    return whole


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
    """Read rows of data, whatever holds them.

    Parameters
    ----------
    data : array-like of shape (n_clips, ...), or list of n_clips arrays (n_frames, n_bands)
        Features or spectrograms.

    Returns
    -------
    shape : tuple of int
        Of the data, the rows of a list padded to the longest.
    read : callable
        `read(start, stop)` gives the rows from start to stop, float32.

    Raises
    ------
    ValueError
        If they are no numbers of two axes or more, or have an axis of length 0.
    """
    ragged = isinstance(data, list | tuple) or getattr(data, "dtype", None) == np.dtype(object)
    if ragged and all(np.ndim(row) == 2 for row in data):
        rows = [np.asarray(row, dtype=np.float32) for row in data]
        if len(bands := {row.shape[1] for row in rows}) > 1:
            raise ValueError(
                f"Got rows of {min(bands)} and of {max(bands)} bands in data, expected one number."
            )
        shape: tuple[int, ...] = (len(rows), max(len(row) for row in rows), bands.pop())
        return shape, lambda start, stop: padded(rows[start:stop], shape[1:])
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


def padded(rows: list[NDArray[np.float32]], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Stack rows into one array (n_rows, *shape), NaN behind the end of each."""
    if all(row.shape == shape for row in rows):
        return np.stack(rows)
    values = np.full((len(rows), *shape), np.nan, dtype=np.float32)
    for place, row in zip(values, rows, strict=True):
        place[tuple(slice(n) for n in row.shape)] = row
    return values


def group_by_clip(
    filenames: NDArray, chunk_nr: NDArray, path: str, n_chunks: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Find the clips of instances that are a chunk each.

    Parameters
    ----------
    filenames, chunk_nr : ndarray of shape (n_instances,)
        Clip of each instance, and which of its chunks it is, from 0.
    path : str
        Where they are from, for error messages.
    n_chunks : int, default=None
        How many chunks a clip has. None: as many as there are, and no axis where that is 1.

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
        If there are none, or chunk numbers are not 0, 1, 2, ..., each once.
    """
    if not len(filenames):
        raise ValueError(f"{path}: holds no clips, expected at least one.")
    number: dict[str, int] = {}  # by first appearance, not by the alphabet
    clip = np.array([number.setdefault(name, len(number)) for name in filenames.tolist()])
    first = np.unique(clip, return_index=True)[1]
    with np.errstate(invalid="ignore"):
        numbers = chunk_nr.astype(np.int64)
    if (numbers != chunk_nr).any() or numbers.min() < 0 or numbers.max() > len(filenames):
        raise ValueError(
            f"{path}: has chunk numbers from {chunk_nr.min()} to {chunk_nr.max()} among "
            f"{len(filenames)} chunks, expected 0, 1, 2, ... for each clip."
        )
    there = int(numbers.max()) + 1
    instances = np.full((len(first), max(n_chunks or 1, there)), -1, dtype=np.int64)
    instances[clip, numbers] = np.arange(len(filenames))
    if (instances >= 0).sum() < len(filenames):
        twice = np.argmax(instances[clip, numbers] != np.arange(len(filenames)))
        raise ValueError(
            f"{path}: has chunk {numbers[twice]} of {str(filenames[twice])!r} twice, expected "
            "each chunk once."
        )
    return clip, first, instances[:, 0] if n_chunks is None and there == 1 else instances


def reduce_to_clips(
    columns: dict[str, NDArray], clip: NDArray[np.int64], first: NDArray[np.int64], path: str
) -> dict[str, NDArray]:
    """Reduce columns of instances to one value a clip, whose chunks must agree.

    Parameters
    ----------
    columns : dict of ndarray of shape (n_instances, ...) or ()
        Filenames among them.
    clip, first : ndarray
        As `group_by_clip` gives them.
    path : str
        Where they are from, for error messages.

    Returns
    -------
    dict of ndarray of shape (n_clips, ...) or ()

    Raises
    ------
    ValueError
        If the chunks of a clip differ in label, folds or partition.
    """
    if len(first) == len(clip):
        return columns
    reduced = {name: values[first] if values.ndim else values for name, values in columns.items()}
    for name in {"label_nominal", "label_numeric", "cv_folds", "partition"} & set(columns):
        here, there = columns[name], reduced[name][clip]
        # What is missing in both is NaN, and not equal to itself.
        same = ((here == there) | ((here != here) & (there != there))).reshape(len(clip), -1)
        if not same.all():
            odd = str(columns["filename"][np.argmin(same.all(axis=1))])
            raise ValueError(f"{path}: the chunks of {odd!r} differ in {name}, expected one value.")
    return reduced


def decode_target(
    columns: dict[str, NDArray], label_map: list[tuple[str, int]] | None, path: str
) -> tuple[NDArray | None, list[str]]:
    """Turn the labels of clips, as auDeep stores them, into a target and its names.

    Parameters
    ----------
    columns : dict of ndarray of shape (n_clips,)
        With filename, label_nominal ("" or NaN where there is none) and label_numeric (NaN), or
        with target.
    label_map : list of (name, number), default=None
        The classes. None: those that occur.
    path : str
        Where they are from, for error messages.

    Returns
    -------
    target : ndarray of shape (n_clips,), or None
        Integers that count the classes by their number, floats where there are no names, None where
        there is no label at all.
    target_names : list of str
        Class names, in the order of their numbers.

    Raises
    ------
    ValueError
        If a clip's name and number are not a pair of the map.
    """
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
                f"{path}: clip {str(columns['filename'][clip])!r} is labelled "
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

    Returns
    -------
    ndarray of shape (n_instances,), int64
        0 where all is NaN; for features 0 or 1.
    """
    if values.ndim == 2:
        values = values[:, None]
    n_frames = values.shape[1]
    empty = np.isnan(values).reshape(len(values), n_frames, -1).all(axis=2)
    counts: NDArray[np.int64] = np.where(empty, 0, np.arange(1, n_frames + 1)).max(axis=1)
    return counts
