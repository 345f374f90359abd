"""The Bunch that every reader returns, assembled and checked in one place."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import Bunch

from skaudeep._warnings import find_stack_level

PARTITIONS = ("train", "devel", "test")

# What corpora call the three partitions.
PARTITION_ALIASES = {
    "train": "train",
    "training": "train",
    "devel": "devel",
    "dev": "devel",
    "val": "devel",
    "validation": "devel",
    "test": "test",
}


def make_bunch(
    data: Any,
    filenames: Sequence[str],
    *,
    target: npt.ArrayLike | None = None,
    target_names: Sequence[str] = (),
    folds: npt.ArrayLike | None = None,
    fold_names: Sequence[object] | None = None,
    partition: Sequence[str] | None = None,
    groups: Sequence[object] | None = None,
    descr: str = "",
) -> Bunch:
    """Assemble a data set and check that its parts agree.

    Use it to bring a corpus that no reader knows into the form that every reader returns.

    Parameters
    ----------
    data : sequence of path or array-like of shape (n_clips, ...)
        One entry per clip: paths (str or Path), waveforms, spectrograms or features. A list or
        tuple of paths becomes an array of str; anything else is kept as it is.
    filenames : sequence of str, length n_clips
        What identifies each clip, relative to the corpus, `/` as separator. No name twice.
    target : array-like of shape (n_clips,), default=None
        Integers that index `target_names`, -1 where unlabelled, or floats to regress on, NaN where
        unlabelled. None: nothing is labelled.
    target_names : sequence of str, default=()
        Class names, in the order of the integers. Empty for regression.
    folds : array-like of shape (n_clips, n_folds), default=None
        0 where the clip trains, 1 where it is tested. Folds may overlap. None: no folds.
    fold_names : sequence of length n_folds, default=None
        What error messages call the folds. None: 1, 2, ...
    partition : sequence of str, length n_clips, default=None
        "train", "devel", "test", or "" or None for each clip.
    groups : sequence of length n_clips, default=None
        Speaker, recording, site ... of each clip, stored as str; "", None or NaN where unknown.
    descr : str, default=""
        What the data set is, its licence and its citation.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        With these keys, always all of them:

        data : ndarray of shape (n_clips,) of str, or `data` as given
            Serves as X.
        filenames : ndarray of shape (n_clips,) of str
            Name of each clip within its corpus.
        target : ndarray of shape (n_clips,) of int64 or float64
            Class (-1 where unlabelled) or value (NaN where unlabelled). Serves as y.
        target_names : list of str
            Class names, in the order of the integers.
        folds : ndarray of shape (n_clips, n_folds) of int8
            0 train, 1 test; no columns where there are no folds.
        cv : list of (train, test)
            `folds` as index arrays: what scikit-learn takes as `cv=`.
        partition : ndarray of shape (n_clips,) of str
            "train", "devel", "test" or "".
        groups : ndarray of shape (n_clips,) of str
            What must not be torn apart between training and test; "" where unknown.
        DESCR : str
            Description, licence, citation.

    Raises
    ------
    ValueError
        If lengths differ, a name stands twice, a label has no class name, a fold has no clip to
        train or to test on, or a partition is unknown.
    TypeError
        If `data` or `filenames` are a text or a set.

    Examples
    --------
    >>> from skaudeep.datasets import make_bunch
    >>> bunch = make_bunch(["in/a.wav", "in/b.wav"], ["a.wav", "b.wav"], target=[1, 0],
    ...                    target_names=["cat", "dog"], folds=[[1, 0], [0, 1]])
    >>> [bunch.target_names[label] for label in bunch.target]
    ['dog', 'cat']
    >>> bunch.cv[0]
    (array([1]), array([0]))
    """
    if isinstance(data, list | tuple) and all(isinstance(x, str | os.PathLike) for x in data):
        data = np.array([os.fspath(x) for x in data], dtype=str)
    for key, values in (("data", data), ("filenames", filenames)):
        if isinstance(values, str | bytes | set | frozenset):
            raise TypeError(
                f"Got {key} of type {type(values).__name__}, expected a sequence with one entry "
                "per clip, in their order."
            )
    names = np.array(filenames, dtype=str)
    n_clips = len(names)
    if n_clips == 0:
        raise ValueError("Got no clips, expected at least one.")
    _check_length("data", data, n_clips)
    if len(twice := repeated(names.tolist())):
        raise ValueError(
            f"Got {len(twice)} file name(s) more than once, first {twice[0]!r}, "
            "expected each clip once. Drop the repetitions."
        )
    class_names = [str(name) for name in target_names]
    if len(twice := repeated(class_names)):
        raise ValueError(f"Got class {twice[0]!r} twice in target_names, expected distinct names.")

    fold_array = _check_folds(folds, fold_names, n_clips)
    return Bunch(
        data=data,
        filenames=names,
        target=_check_target(target, class_names, names),
        target_names=class_names,
        folds=fold_array,
        cv=[(np.flatnonzero(fold == 0), np.flatnonzero(fold == 1)) for fold in fold_array.T],
        partition=_check_partition(partition, names),
        groups=_check_groups(groups, n_clips),
        DESCR=descr,
    )


def fold_columns(ids: Sequence[str]) -> tuple[npt.NDArray[np.int8], list[str]]:
    """Turn the one fold in which each clip is tested into a column per fold.

    Parameters
    ----------
    ids : sequence of str, length n_clips
        Name of the fold that tests each clip.

    Returns
    -------
    folds : ndarray of shape (n_clips, n_folds) of int8
        0 train, 1 test.
    names : list of str, length n_folds
        The fold of each column, in :func:`natural_order`.

    Examples
    --------
    >>> from skaudeep.datasets.bunch import fold_columns
    >>> fold_columns(["2", "10", "2"])
    (array([[1, 0],
           [0, 1],
           [1, 0]], dtype=int8), ['2', '10'])
    """
    names = natural_order(ids)
    return (np.asarray(ids)[:, None] == np.asarray(names)).astype(np.int8), names


def given_folds(
    ids: Sequence[str], root: str | os.PathLike[str]
) -> tuple[npt.NDArray[np.int8] | None, list[str] | None]:
    """Return :func:`fold_columns`, or warn where one fold is all there is, as in an excerpt.

    Warns
    -----
    UserWarning
        If all clips below `root` belong to one fold; then both results are None.
    """
    if len(set(ids)) > 1:
        return fold_columns(ids)
    warnings.warn(
        f"All {len(ids)} clips below {str(root)!r} belong to fold {ids[0]}: without training "
        "clips there are no folds. Is the corpus complete?",
        stacklevel=find_stack_level(),
    )
    return None, None


def number_classes(
    numbers: Sequence[str], names: Sequence[str], clips: Sequence[str], source: str
) -> tuple[list[int], list[str]]:
    """Order classes by the numbers that a table gives them.

    Parameters
    ----------
    numbers, names, clips : sequence of str, length n_clips
        Number and name of each clip's class, and the clip as messages name it.
    source : str
        What messages call the table.

    Returns
    -------
    target : list of int, length n_clips
        Index of each clip's class.
    target_names : list of str
        The classes that occur, in the order of their numbers.

    Raises
    ------
    ValueError
        If a number is not a whole one, or a class has two names.

    Examples
    --------
    >>> from skaudeep.datasets.bunch import number_classes
    >>> number_classes(["38", "0", "38"], ["tick", "dog", "tick"], ["a", "b", "c"], "clips.csv")
    ([1, 0, 1], ['dog', 'tick'])
    """
    classes: dict[int, str] = {}
    for number, name, clip in zip(numbers, names, clips, strict=True):
        if not number.isdecimal():
            raise ValueError(
                f"Got class number {number!r} for clip {clip!r} in {source}, expected a whole "
                "number."
            )
        if classes.setdefault(int(number), name) != name:
            raise ValueError(
                f"Got class {int(number)} as {classes[int(number)]!r} and as {name!r} (clip "
                f"{clip!r}) in {source}, expected one name per class."
            )
    classes = dict(sorted(classes.items()))
    position = {number: index for index, number in enumerate(classes)}
    return [position[int(number)] for number in numbers], list(classes.values())


def natural_order(values: Iterable[str]) -> list[str]:
    """Sort the distinct values, by number where all of them are whole numbers.

    Examples
    --------
    >>> from skaudeep.datasets.bunch import natural_order
    >>> natural_order(["10", "9", "9"]), natural_order(["b", "10", "9"])
    (['9', '10'], ['10', '9', 'b'])
    """
    distinct = sorted(set(values))
    try:
        return sorted(distinct, key=int)
    except ValueError:
        return distinct


def repeated(values: Iterable[str]) -> list[str]:
    """Values that occur more than once."""
    return [value for value, count in Counter(values).items() if count > 1]


def _check_length(name: str, values: Collection[Any], n_clips: int) -> None:
    # Arrays on disk have a shape and sometimes no length.
    length = values.shape[0] if hasattr(values, "shape") else len(values)
    if length != n_clips:
        raise ValueError(
            f"Got {name} of length {length} with {n_clips} filenames, expected one entry per clip."
        )


def _check_target(
    target: npt.ArrayLike | None, class_names: list[str], filenames: npt.NDArray[np.str_]
) -> npt.NDArray[np.int64] | npt.NDArray[np.float64]:
    labels = np.full(len(filenames), -1) if target is None else np.asarray(target)
    if labels.ndim != 1 or labels.dtype.kind not in "iuf":
        raise ValueError(
            f"Got target of shape {labels.shape} and dtype {labels.dtype}, expected one integer "
            "(class) or one float (regression) per clip."
        )
    _check_length("target", labels, len(filenames))
    if labels.dtype.kind == "f":
        if class_names:
            raise ValueError(
                f"Got a float target with {len(class_names)} target_names, expected integers for "
                "classes or no target_names for regression."
            )
        wrong = np.isinf(labels)
        expected = "a finite number, or NaN where unlabelled"
    else:
        labels = labels.astype(np.int64)
        wrong = (labels < -1) | (labels >= len(class_names))
        expected = f"an index into the {len(class_names)} target_names, or -1 where unlabelled"
    if wrong.any():
        first = np.argmax(wrong)
        raise ValueError(
            f"Got target {labels[first]} for clip {str(filenames[first])!r}, expected {expected}."
        )
    return labels.astype(np.float64) if labels.dtype.kind == "f" else labels


def _check_folds(
    folds: npt.ArrayLike | None, names: Sequence[object] | None, n_clips: int
) -> npt.NDArray[np.int8]:
    if folds is None:
        return np.zeros((n_clips, 0), dtype=np.int8)
    array = np.asarray(folds)
    if array.ndim != 2 or len(array) != n_clips or not np.isin(array, (0, 1)).all():
        raise ValueError(
            f"Got folds of shape {array.shape} with {n_clips} filenames, expected "
            f"({n_clips}, n_folds) of 0 (train) and 1 (test)."
        )
    if names is None:
        names = range(1, array.shape[1] + 1)
    if len(names) != array.shape[1]:
        raise ValueError(
            f"Got {len(names)} fold_names for {array.shape[1]} folds, expected one for each."
        )
    for name, fold in zip(names, array.T, strict=True):
        for value, part in ((0, "training"), (1, "test")):
            if not (fold == value).any():
                raise ValueError(
                    f"Got fold {name!s} without {part} clips, expected at least one. "
                    "Give the fold clips of both kinds or leave it out."
                )
    return array.astype(np.int8)


def _check_partition(
    partition: Sequence[str] | None, filenames: npt.NDArray[np.str_]
) -> npt.NDArray[np.str_]:
    if partition is None:
        return np.full(len(filenames), "", dtype="U5")
    _check_length("partition", partition, len(filenames))
    partition = ["" if value is None else value for value in partition]
    for filename, value in zip(filenames, partition, strict=True):
        if value and value not in PARTITIONS:
            raise ValueError(
                f"Got partition {value!r} for clip {str(filename)!r}, "
                "expected 'train', 'devel', 'test' or ''."
            )
    return np.array(partition, dtype="U5")


def _check_groups(groups: Sequence[object] | None, n_clips: int) -> npt.NDArray[np.str_]:
    if groups is None:
        return np.full(n_clips, "", dtype=str)
    _check_length("groups", groups, n_clips)
    # None and NaN, which differs from itself, stand for no group, not for one that is called so.
    known = (group is not None and group == group for group in groups)
    return np.array([str(g) if k else "" for g, k in zip(groups, known, strict=True)], dtype=str)
