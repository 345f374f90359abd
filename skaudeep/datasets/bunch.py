"""The Bunch that every reader returns: functions that assemble it and check its rules."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from skaudeep._texts import list_names, printable, text_array
from skaudeep._warnings import find_stack_level
from skaudeep.datasets.axes import (
    count_axes,
    default_dims,
    dims_differ,
    find_dims_faults,
    is_segment_index,
)
from skaudeep.datasets.files import load_by_name
from skaudeep.datasets.mapping import Bunch
from skaudeep.datasets.targets import clip_name, find_target_faults

PARTITIONS = ("train", "devel", "test")

# Keys of every data set that hold one entry per clip, optional keys that do, and keys that never
# do. Any other key holds one entry per clip if its length is the number of clips.
ROW_KEYS = ("data", "filenames", "target", "folds", "partition", "groups")
OPTIONAL_ROW_KEYS = ("copy_of", "errors", "recorded_at")
TEXT_KEYS = ("filenames", "partition", "groups", "copy_of", "errors")
WHOLE_KEYS = ("target_names", "feature_names", "cv", "dims", "DESCR")
# The limit is there because `folds` has a byte, and `cv` has 8 bytes, for each clip and fold.
MANY_FOLDS = 1000
MAX_FOLD_CELLS = 2**26
# Keys without which no function of `skaudeep.datasets` works.
REQUIRED_KEYS = (*ROW_KEYS, "target_names")


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
    dims: Sequence[str] | None = None,
    feature_names: Sequence[str] | None = None,
    descr: str = "",
) -> Bunch:
    """Assemble a data set and check that its parts agree.

    Use it for a corpus that no reader knows: it returns the form that every reader returns.

    Parameters
    ----------
    data : sequence of path, array-like of shape (n_clips, ...), or pandas object
        One entry per clip: paths (str or Path), waveforms, spectrograms or features, or a pandas
        index with the levels `file`, `start` and `end` for segments of recordings. A list or tuple
        of paths becomes an array of str; anything else is kept as it is.
    filenames : sequence of str, length n_clips
        Distinct names that identify the clips, relative to the corpus, with `/` as separator.
    target : array-like of shape (n_clips,) or (n_clips, n_classes or n_targets), default=None
        Labels of the clips, in one of these forms. None: no clip is labelled, which is -1 for each.

        - Classes: integers that index `target_names`, -1 for an unlabelled clip.
        - Several classes, or none, for each clip: a column of 0 and 1 for each of `target_names`,
          -1 in all columns for an unlabelled clip.
        - Values for regression: floats, NaN for an unlabelled clip; one column for each value if
          clips have several, NaN where one is unknown.
    target_names : sequence of str, default=()
        Class names, in the order of the integers or columns. For regression it is empty, or holds
        the names of the columns if clips have several values.
    folds : array-like of shape (n_clips, n_folds), default=None
        For each clip and fold 0 (the clip is used for training) or 1 (for testing). Folds may
        overlap. None: there are no folds.
    fold_names : sequence of length n_folds, default=None
        Names of the folds in error messages. None: 1, 2, ...
    partition : sequence of str, length n_clips, default=None
        Partition of each clip: "train", "devel", "test", or "" or None for no partition.
    groups : sequence of length n_clips, default=None
        Speaker, recording or site of each clip, stored as str; "", None or NaN if it is unknown.
        With None, the group of a segment of a (file, start, end) index is its file, and other
        groups are unknown.
    dims : sequence of str, default=None
        Name of each axis of `data`. The first is "clip", the second is "chunk" if clips are divided
        into chunks (pieces of equal length). Usual names are also "frame", "band", "feature", and
        for waveforms "channel" and "sample". None uses the number of axes: ("clip",), ("clip",
        "feature"), ("clip", "frame", "band"), ("clip", "chunk", "frame", "band"), or ("clip",
        "axis_1", ...) for more. Give ("clip", "chunk", "feature") for features of chunks and
        ("clip", "sample") for waveforms, which have as many axes as other data.
    feature_names : sequence of str, length n_features, default=None
        Distinct names of the features, which files store. None adds no key `feature_names`.
    descr : str, default=""
        Description of the data set, its licence and its citation.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all of these keys:

        data : ndarray of shape (n_clips,) of str, or `data` as given
            The clips: X of scikit-learn.
        filenames : ndarray of shape (n_clips,) of str
            Name of each clip within its corpus.
        target : ndarray of shape (n_clips,) or (n_clips, n_columns) of int64 or float64
            The labels, in the form that was given: y of scikit-learn.
        target_names : list of str
            Class names, in the order of the integers or columns; for regression on several values
            the names of the columns, if they were given; else empty.
        folds : ndarray of shape (n_clips, n_folds) of int8
            0 for training, 1 for testing. It has no columns if there are no folds.
        cv : list of (train, test)
            `folds` as pairs of index arrays, which scikit-learn accepts as `cv=`.
        partition : ndarray of shape (n_clips,) of str
            "train", "devel", "test" or "".
        groups : ndarray of shape (n_clips,) of str
            Group of each clip; "" if it is unknown. Clips of a group must not be divided between
            training and test.
        dims : tuple of str
            Names of the axes of `data`. If you replace `data`, replace `dims`, too:
            ``bunch | {"data": features, "dims": ("clip", "feature")}``.
        DESCR : str
            Description, licence and citation.
        feature_names : list of str
            Names of the features, if they were given.

    Raises
    ------
    ValueError
        If there is no clip, lengths differ, a name of a clip, class or feature occurs twice,
        `target` has none of the forms above (as booleans and class names have not), a label has no
        class name, a fold has no training clip or no test clip, a partition is unknown, or `dims`
        do not match the axes of `data`.
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
    data = _paths_as_array(data)
    for key, values in (("data", data), ("filenames", filenames)):
        if isinstance(values, str | bytes | set | frozenset):
            raise TypeError(
                f"Got {key} of type {type(values).__name__}, expected a sequence with one entry "
                "per clip, in their order."
            )
    n_clips = len(filenames)
    if groups is None and is_segment_index(data):
        groups = [os.fspath(file) for file in getattr(data, "index", data).get_level_values("file")]
    bunch = Bunch(
        data=data,
        filenames=text_array(filenames, "filenames"),
        target=np.full(n_clips, -1) if target is None else np.asarray(target),
        target_names=[str(name) for name in target_names],
        folds=np.zeros((n_clips, 0), np.int8) if folds is None else np.asarray(folds),
        partition=_texts([None] * n_clips if partition is None else partition, "partition"),
        groups=_texts([None] * n_clips if groups is None else groups, "groups"),
        dims=default_dims(count_axes(data)) if dims is None else dims,
        DESCR=descr,
    )
    if feature_names is not None:
        bunch.feature_names = _feature_names(feature_names, data)
    _raise_first(find_faults(bunch, fold_names=fold_names))
    if len(bunch.dims) != count_axes(data):
        raise ValueError(dims_differ(bunch))
    is_class = bunch.target.dtype.kind != "f"
    return replace_keys(
        bunch,
        target=bunch.target.astype(np.int64 if is_class else np.float64),
        folds=bunch.folds.astype(np.int8),
        partition=bunch.partition.astype("U5"),
        dims=tuple(bunch.dims),
    )


def _paths_as_array(data: Any) -> Any:
    if isinstance(data, list | tuple) and all(isinstance(x, str | os.PathLike) for x in data):
        return text_array([os.fspath(x) for x in data], "data")
    return data


def _feature_names(names: Sequence[str], data: Any) -> list[str]:
    names = [str(name) for name in names]
    n_features = n_columns(data)
    if len(names) != n_features:
        raise ValueError(
            f"Got {len(names)} feature_names for data of {n_features} features, expected one for "
            "each."
        )
    if twice := repeated(names):
        raise ValueError(f"Got feature {twice[0]!r} twice in feature_names, expected each once.")
    return names


def n_columns(data: Any) -> int | None:
    """Return the length of the last axis of an array with two or more axes, else None."""
    shape: tuple[int, ...] = getattr(data, "shape", ())
    return shape[-1] if len(shape) > 1 else None


def _texts(values: Iterable[object], key: str) -> npt.NDArray[np.str_]:
    """Return values as text, "" for None and for NaN."""
    return text_array(["" if v is None or v != v else str(v) for v in values], key)


# Rules of a valid data set.


def check_bunch(bunch: Mapping[str, Any], *, required: Sequence[str] = REQUIRED_KEYS) -> Bunch:
    """Check that the parts of a data set agree; raise an error at the first broken rule.

    Every function that takes a data set calls this one. :func:`make_bunch` and :func:`validate`
    check the same rules, which :func:`find_faults` lists.

    Parameters
    ----------
    bunch : mapping
        A data set with the keys of :func:`make_bunch`. It is not changed.
    required : sequence of str
        Keys that must be there. The rules of other keys apply if these are there.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A new Bunch with the same values, also if `bunch` is a dict. Lists
        of values become arrays, as in :func:`make_bunch`. `dims` is added if there are `data`, and
        corrected if spectrograms were replaced by features.

    Raises
    ------
    ValueError
        If a rule is broken.

    Examples
    --------
    >>> from skaudeep.datasets.bunch import check_bunch
    >>> check_bunch({"data": ["a.wav", "b.wav"], "target": [0, 1, 0]}, required=["data", "target"])
    Traceback (most recent call last):
    ...
    ValueError: Got target with 3 entries for 2 clips, expected one entry per clip.
    """
    _raise_first(find_faults(bunch, required=required))
    return normalized(bunch)


def normalized(bunch: Mapping[str, Any]) -> Bunch:
    """Return a data set without faults in which every key has the type that `make_bunch` gives."""
    new = Bunch(**bunch)
    for key in TEXT_KEYS:
        if key in new and getattr(new[key], "dtype", np.dtype(object)).kind != "U":
            new[key] = _texts(new[key], key)
    for key in ("target", "folds"):
        if key in new:
            new[key] = np.asarray(new[key])
    names = new.get("target_names", [])
    if not (isinstance(names, list) and all(type(name) is str for name in names)):
        new["target_names"] = list(map(str, names))
    if "data" in new:
        new["data"] = _paths_as_array(new["data"])
        n_axes = count_axes(new["data"])
        stated = tuple(new.get("dims") or ())
        new["dims"] = stated if len(stated) == n_axes else default_dims(n_axes)
        n_features = n_columns(new["data"])
        if n_features not in (None, len(new.get("feature_names", ()))):
            new.pop("feature_names", None)  # the names of features that were replaced
    return new


def find_faults(
    bunch: Mapping[str, Any],
    *,
    required: Sequence[str] = REQUIRED_KEYS,
    fold_names: Sequence[object] | None = None,
) -> Iterator[str]:
    """List the rules that a data set breaks, a sentence each, without reading `data` or files.

    The rules, in this order:

    - the data set is a mapping and holds the required keys;
    - it holds at least one clip, and each key of clips has one entry per clip;
    - a file name occurs once, unless a key `chunk_nr` numbers the rows of a clip;
    - class names differ from one another;
    - folds are 0 and 1, and each has training clips and test clips;
    - targets have one of the forms that :func:`make_bunch` describes;
    - partitions are "train", "devel", "test" or "";
    - `dims` name the axes of `data`, "clip" first, "chunk" as the second or not at all;
    - `cv` agrees with `folds`.

    If keys are missing or lengths differ, the rules that need them are not checked.

    Parameters
    ----------
    bunch : mapping
        A data set with the keys of :func:`make_bunch`.
    required : sequence of str
        Keys that must be there. The rules of other keys apply if these are there.
    fold_names : sequence of length n_folds, default=None
        Names of the folds in the sentences. None: 1, 2, ...

    Yields
    ------
    str
        A broken rule: the value that was found, and what was expected.

    Examples
    --------
    >>> from skaudeep.datasets.bunch import find_faults
    >>> list(find_faults({"data": ["a.wav"], "partition": ["dev"]}, required=["data"]))
    ["Got partition 'dev' for clip 0, expected 'train', 'devel', 'test' or ''."]
    """
    if not isinstance(bunch, Mapping) or (missing := [key for key in required if key not in bunch]):
        lacks = f" without {', '.join(missing)}" if isinstance(bunch, Mapping) else ""
        remedy = load_by_name(bunch) or "Assemble it with skaudeep.datasets.make_bunch."
        yield (
            f"Got a {type(bunch).__name__}{lacks}, expected a data set with the keys "
            f"{', '.join(required)}. {remedy}"
        )
    elif lengths := list(_length_faults(bunch)):
        yield from lengths
    else:
        yield from _name_faults(bunch)
        yield from _class_name_faults(bunch)
        yield from _fold_faults(bunch, fold_names)
        yield from find_target_faults(bunch)
        yield from _partition_faults(bunch)
        yield from find_dims_faults(bunch)
        yield from _cv_faults(bunch)


def _raise_first(faults: Iterator[str]) -> None:
    for fault in faults:
        raise ValueError(fault)


def _length_faults(bunch: Mapping[str, Any]) -> Iterator[str]:
    reference = "filenames" if "filenames" in bunch else "data"
    n_clips = _length(bunch.get(reference))
    if n_clips == 0:
        yield "Got no clips, expected at least one."
        return
    for key in (*ROW_KEYS, *OPTIONAL_ROW_KEYS):
        if key in bunch and (length := _length(bunch[key])) != n_clips:
            yield (
                f"Got {key} with {length} entries for {n_clips} "
                f"{'filenames' if reference == 'filenames' else 'clips'}, expected one entry per "
                "clip."
            )
        elif key in TEXT_KEYS and key in bunch and _objects(bunch[key]).ndim != 1:
            yield (
                f"Got {key} of shape {_objects(bunch[key]).shape}, expected one text per clip: the "
                f"shape ({n_clips},)."
            )


def _length(values: Any) -> int | None:
    """Return the number of rows of any container."""
    # Arrays on disk have a shape and sometimes no length.
    count = n_entries(values)
    return len(values) if count is None and hasattr(values, "__len__") else count


def _objects(texts: Any) -> npt.NDArray[np.object_]:
    # In an array of str, one long text would make all others as long.
    return np.asarray(texts, dtype=object)


def _name_faults(bunch: Mapping[str, Any]) -> Iterator[str]:
    if "chunk_nr" in bunch or "filenames" not in bunch:
        return
    if len(twice := repeated(_objects(bunch["filenames"]).tolist())):
        yield (
            f"Got {len(twice)} file name(s) more than once, first {twice[0]!r}, expected each clip "
            "once. Drop the repetitions, or number the chunks of each clip in a key chunk_nr."
        )


def _class_name_faults(bunch: Mapping[str, Any]) -> Iterator[str]:
    if len(twice := repeated(map(str, bunch.get("target_names", ())))):
        yield f"Got class {twice[0]!r} twice in target_names, expected distinct names."


def _fold_faults(
    bunch: Mapping[str, Any], fold_names: Sequence[object] | None = None
) -> Iterator[str]:
    if "folds" not in bunch:
        return
    folds = np.asarray(bunch["folds"])
    n_clips = len(folds)
    if folds.ndim != 2 or not np.isin(folds, (0, 1)).all():
        yield (
            f"Got folds of shape {folds.shape} with {n_clips} clips, expected ({n_clips}, n_folds) "
            "of 0 (train) and 1 (test)."
        )
        return
    names = range(1, folds.shape[1] + 1) if fold_names is None else fold_names
    if len(names) != folds.shape[1]:
        yield f"Got {len(names)} fold_names for {folds.shape[1]} folds, expected one for each."
        return
    for name, fold in zip(names, folds.T, strict=True):
        for value, part in ((0, "training"), (1, "test")):
            if not (fold == value).any():
                yield (
                    f"Got fold {printable(name)} without {part} clips, expected at least one. "
                    "Give the fold clips of both kinds or leave it out."
                )


def _partition_faults(bunch: Mapping[str, Any]) -> Iterator[str]:
    for row, value in enumerate(_objects(bunch.get("partition", ())).tolist()):
        if value not in ("", *PARTITIONS):
            yield (
                f"Got partition {value!r} for {clip_name(bunch, row)}, "
                "expected 'train', 'devel', 'test' or ''."
            )
            return


def _cv_faults(bunch: Mapping[str, Any]) -> Iterator[str]:
    if "cv" not in bunch or "folds" not in bunch or np.ndim(bunch["folds"]) != 2:
        return
    expected = fold_indices(np.asarray(bunch["folds"]), bunch.get("copy_of"))
    sides = [list(map(np.asarray, fold)) for fold in bunch["cv"]]
    if len(sides) != len(expected) or not all(
        len(fold) == 2 and all(map(np.array_equal, fold, pair))
        for fold, pair in zip(sides, expected, strict=True)
    ):
        yield (
            "Got cv that is not what folds say, expected the same folds in both. Assemble the data "
            "set with skaudeep.datasets.make_bunch(..., folds=...)."
        )


# Parts of a data set.


def replace_keys(bunch: Bunch, **changes: Any) -> Bunch:
    """Return a data set with other values under some keys, and with `cv` to match its folds."""
    new = Bunch(**{**bunch, **changes})
    new["cv"] = fold_indices(new["folds"], new.get("copy_of"))
    return new


def fold_indices(
    folds: npt.NDArray[np.int8], copy_of: npt.NDArray[np.str_] | None = None
) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Return the positions of training and test clips of each fold; copies are never tested."""
    original = True if copy_of is None else _objects(copy_of) == ""
    return [(np.flatnonzero(fold == 0), np.flatnonzero((fold == 1) & original)) for fold in folds.T]


def n_entries(value: Any) -> int | None:
    """Return the length of an array, pandas object, list or tuple; None for any other value."""
    if hasattr(value, "shape"):
        return value.shape[0] if value.shape else None
    return len(value) if isinstance(value, list | tuple) else None


def fold_columns(ids: Sequence[str]) -> tuple[npt.NDArray[np.int8], list[str]]:
    """Turn the name of the fold that tests each clip into one column per fold.

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

    Raises
    ------
    ValueError
        If there are so many folds that their columns would not fit into memory.

    Examples
    --------
    >>> from skaudeep.datasets.bunch import fold_columns
    >>> fold_columns(["2", "10", "2"])
    (array([[1, 0],
           [0, 1],
           [1, 0]], dtype=int8), ['2', '10'])
    """
    names = natural_order(ids)
    if len(names) > MANY_FOLDS and len(names) * len(ids) > MAX_FOLD_CELLS:
        raise ValueError(
            f"Got {len(names)} folds for {len(ids)} clips, such as {list_names(names[:3])}, "
            f"expected up to {MANY_FOLDS}. Is that what names the fold? Leave some clips out at a "
            "time by groups and a splitter of scikit-learn."
        )
    position = {name: column for column, name in enumerate(names)}
    folds = np.zeros((len(ids), len(names)), dtype=np.int8)
    folds[np.arange(len(ids)), [position[fold] for fold in ids]] = 1
    return folds, names


def fold_columns_or_warn(
    ids: Sequence[str], root: str | os.PathLike[str]
) -> tuple[npt.NDArray[np.int8] | None, list[str] | None]:
    """Return :func:`fold_columns`, or warn where there is only one fold, as in an excerpt.

    Warns
    -----
    UserWarning
        If all clips below `root` belong to one fold; then both results are None.
    """
    if len(set(ids)) > 1:
        return fold_columns(ids)
    warnings.warn(
        f"All {len(ids)} clips below {str(root)!r} belong to fold {printable(ids[0])}: without "
        "training clips there are no folds. Is the corpus complete?",
        stacklevel=find_stack_level(),
    )
    return None, None


def number_classes(
    numbers: Sequence[str], names: Sequence[str], clips: Sequence[str], source: str
) -> tuple[list[int], list[str]]:
    """Order classes by the numbers that a table assigns to them.

    Parameters
    ----------
    numbers, names, clips : sequence of str, length n_clips
        Number and name of each clip's class, and the name of the clip in messages.
    source : str
        Name of the table in messages.

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
                f"Got class number {number!r} for clip {clip!r} in {printable(source)}, expected a "
                "whole number."
            )
        if classes.setdefault(int(number), name) != name:
            raise ValueError(
                f"Got class {int(number)} as {classes[int(number)]!r} and as {name!r} (clip "
                f"{clip!r}) in {printable(source)}, expected one name per class."
            )
    classes = dict(sorted(classes.items()))
    position = {number: index for index, number in enumerate(classes)}
    return [position[int(number)] for number in numbers], list(classes.values())


def natural_order(values: Iterable[str]) -> list[str]:
    """Sort the distinct values, numerically where all of them are whole numbers.

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
    """Return the values that occur more than once."""
    return [value for value, count in Counter(values).items() if count > 1]
