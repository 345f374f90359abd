"""Operations on data sets: select clips, concatenate data sets, upsample small classes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import Bunch, check_random_state

from skaudeep._padding import empty_rows, pad
from skaudeep._texts import check_proportion, list_names, text_array
from skaudeep._warnings import find_stack_level
from skaudeep.datasets.bunch import (
    ROW_KEYS,
    WHOLE_KEYS,
    check_bunch,
    fold_indices,
    n_entries,
    replace_keys,
)

# The reason why a row of stored spectrograms or features is all NaN.
NO_VALUES = "has no values: it could not be read when they were computed"


def select(
    bunch: Bunch,
    clips: npt.ArrayLike | slice | None = None,
    *,
    classes: Sequence[str] | None = None,
) -> Bunch:
    """Select clips of a data set, in all of its keys.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with the keys of :func:`make_bunch`; it is not changed.
    clips : array-like of bool, int or str, or slice, default=None
        The clips to keep: a mask of shape (n_clips,), positions from 0 to n_clips - 1, or names
        from `filenames`. Positions and names also determine the order of the result, and must be
        distinct. None keeps all clips.
    classes : sequence of str, default=None
        Classes whose clips are kept; they are renumbered in the order given here, and unlabelled
        clips are left out. If clips may have several classes, those with at least one of these are
        kept, and the columns of other classes are left out. None keeps clips of all classes,
        unlabelled clips, and the numbers of the classes, even of those left without clips.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with the same keys. Keys with one entry per clip hold the entries of the selected
        clips; these include other keys whose arrays, lists or pandas objects have as many entries
        as there are clips. All other keys are unchanged.

    Raises
    ------
    ValueError
        If no clip is left, a clip or class does not exist or is named twice, or `classes` are given
        for a regression target.

    Warns
    -----
    UserWarning
        If a fold is left without training clips or test clips. The fold is dropped.

    Examples
    --------
    >>> from skaudeep.datasets import make_sounds, select
    >>> sounds = make_sounds(40, n_classes=4, n_sessions=2, random_state=0)
    >>> select(sounds, sounds.target < 2).data.shape
    (20, 16000)
    >>> tones = select(sounds, classes=["high-low tones", "low-high tones"])
    >>> tones.target[:4], tones.target_names
    (array([1, 0, 1, 0]), ['high-low tones', 'low-high tones'])
    """
    bunch = check_bunch(bunch)
    n_clips = len(bunch.filenames)
    rows = np.arange(n_clips) if clips is None else _positions(bunch, clips)
    new: dict[str, Any] = {}
    if classes is not None:
        if isinstance(classes, str):
            raise ValueError(f"Got classes={classes!r}, expected a list of names: [{classes!r}].")
        unknown = [name for name in classes if name not in bunch.target_names]
        if unknown or not classes or len(set(classes)) != len(classes):
            raise ValueError(
                f"Got classes={list(classes)!r}, expected distinct names, at least one, from "
                f"target_names: {list_names(bunch.target_names, next(iter(unknown), None))}."
            )
        if bunch.target.dtype.kind == "f":
            raise ValueError(
                f"Got classes={list(classes)!r} for a target to regress on, expected a target of "
                "classes. Choose clips by a mask of bunch.target."
            )
        columns = [bunch.target_names.index(name) for name in classes]
        if bunch.target.ndim == 2:
            target = bunch.target[:, columns]
            rows = rows[(target[rows] > 0).any(axis=1)]
        else:
            numbers = np.full(len(bunch.target_names) + 1, -1)  # the last one for unlabelled clips
            numbers[columns] = range(len(classes))
            target = numbers[bunch.target]
            rows = rows[target[rows] >= 0]
        new = {"target": target[rows], "target_names": list(classes)}
    if not len(rows):
        raise ValueError(
            f"Got a selection that leaves none of the {n_clips} clips, expected at least one."
        )
    new = {key: take(bunch[key], rows) for key in row_keys(bunch)} | new
    one_sided = [
        str(fold + 1)
        for fold, (train, test) in enumerate(fold_indices(new["folds"], new.get("copy_of")))
        if not len(train) or not len(test)
    ]
    if one_sided:
        some = ", ".join(one_sided[:10]) + ", ..." * (len(one_sided) > 10)
        warnings.warn(
            f"Fold(s) {some} of {new['folds'].shape[1]} have no clips left to train or to test on "
            "and are dropped.",
            stacklevel=find_stack_level(),
        )
        kept = [str(fold + 1) not in one_sided for fold in range(new["folds"].shape[1])]
        new["folds"] = new["folds"][:, kept]
    return replace_keys(bunch, **new)


def concatenate(bunches: Sequence[Bunch], *, prefixes: Sequence[str] | None = None) -> Bunch:
    """Join data sets, the clips of the first one first.

    Classes are matched by name and renumbered: the classes of the first data set come first, then
    new classes of the others. If clips may have several classes, a class that a data set lacks is 0
    for all its labelled clips. Data sets without any label may be joined with those of every kind
    of target. Values for regression need the same number of columns and the same names. Fold k of
    one data set is joined with fold k of the others. A data set without folds can be joined with
    data sets that have folds only if it is unlabelled: its clips are then training clips of every
    fold.

    Parameters
    ----------
    bunches : sequence of :class:`~sklearn.utils.Bunch`
        At least one data set, all with the same keys. They are not changed.
    prefixes : sequence of str, one per data set, default=None
        Text to put before the file names and groups of each data set, such as "gtzan/", so that
        equal names of different corpora remain distinct. With None, file names must differ, and
        equal groups become one group.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with the same keys. Spectrograms with fewer frames or chunks are padded with NaN.
        Arrays on disk are read into memory. `DESCR` holds all descriptions, equal ones once.

    Raises
    ------
    ValueError
        If data sets differ in their keys, their number of folds, their kind of target or of data,
        their number of bands or features, the length of their waveforms (as one array), or a value
        such as `sampling_rate`; or if a file name occurs in two of them.

    Examples
    --------
    >>> from skaudeep.datasets import concatenate, make_sounds
    >>> one, two = (make_sounds(20, n_classes=4, random_state=seed) for seed in range(2))
    >>> both = concatenate([one, two], prefixes=["one/", "two/"])
    >>> both.data.shape, len(set(both.groups)), both.cv[0][1]
    ((40, 16000), 10, array([ 0,  1,  2,  3, 20, 21, 22, 23]))
    """
    bunches = [bunches] if isinstance(bunches, Mapping) else list(bunches)
    if not bunches:
        raise ValueError("Got no data sets, expected at least one.")
    prefixes = [""] * len(bunches) if prefixes is None else list(prefixes)
    if len(prefixes) != len(bunches):
        raise ValueError(
            f"Got {len(prefixes)} prefixes for {len(bunches)} data sets, expected one for each."
        )
    bunches = [check_bunch(bunch) for bunch in bunches]
    for number, bunch in enumerate(bunches):
        if different := bunch.keys() ^ bunches[0].keys():
            raise ValueError(
                f"Got key(s) {list_names(sorted(different))} in only one of data sets 0 "
                f"and {number}, expected the same keys. Add or delete them."
            )
    keys = row_keys(bunches[0])
    new: dict[str, Any] = {
        key: _join([bunch[key] for bunch in bunches], key, "sampling_rate" in bunches[0])
        for key in keys
        if key not in ("target", "folds")
    }
    for key in ("filenames", "groups", "copy_of"):
        if key in new:
            new[key] = text_array(
                [
                    prefix + str(value) if value or key == "filenames" else ""
                    for prefix, bunch in zip(prefixes, bunches, strict=True)
                    for value in bunch[key]
                ],
                key,
            )
    names, counts = np.unique(new["filenames"], return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"Got {(counts > 1).sum()} file name(s) in more than one data set, first "
            f"{str(names[counts > 1][0])!r}, expected each clip once. Drop the repetitions, or "
            "give prefixes= if they are different clips."
        )
    for key in bunches[0].keys() - {*keys, "target_names", "cv", "DESCR"}:
        if not all(_equal(bunch[key], bunches[0][key]) for bunch in bunches):
            raise ValueError(
                f"Got different {key} in the data sets, expected the same. Make them equal, or "
                "delete the key."
            )
    new["folds"] = _join_folds(bunches)
    new["target"], new["target_names"] = _join_targets(bunches)
    new["DESCR"] = "\n\n".join(dict.fromkeys(bunch.get("DESCR", "") for bunch in bunches)).strip()
    return replace_keys(bunches[0], **new)


def upsample(
    bunch: Bunch,
    *,
    partitions: str | Sequence[str] | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Balance the classes: repeat clips until each class has as many as the largest one.

    Clips that are in the same partition and are tested in the same folds are balanced among
    themselves. A copy has the partition, folds and group of its original. If all classes occur in
    all folds, every training set is therefore balanced. The test indices of `cv` contain no copy,
    so that each clip is still tested once; the column of `folds` says 1 of copies as well.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set of classes with the keys of :func:`make_bunch`. It is not changed.
    partitions : str or sequence of str, default=None
        Partitions to balance: "train", "devel", "test". Clips of others are kept as they are. None:
        "train", or all clips if no clip has a partition.
    random_state : int, RandomState instance or None, default=None
        Seed or generator that draws the clips that are repeated once more than others of their
        class. An int draws the same clips in every call, None others.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        The original clips, followed by the copies, in all keys with one entry per clip. The copies
        of `a.wav` are called `a.wav#2`, `a.wav#3` and so on. One key is added:

        copy_of : ndarray of shape (n_clips,) of str
            Name of the clip that this one repeats; "" for originals.

    Raises
    ------
    ValueError
        If the target is for regression or has several classes per clip, no clip to balance is
        labelled, a partition has no clips, or there are copies already.

    Notes
    -----
    Unlabelled clips are not repeated. Divide a data set before you balance it: :func:`add_folds`
    refuses a data set with copies, because a splitter would put copies of training clips into test
    sets.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.datasets import make_sounds, select, upsample
    >>> sounds = make_sounds(12, n_classes=3, n_sessions=2, random_state=0)
    >>> balanced = upsample(select(sounds, slice(0, 11)), random_state=0)
    >>> np.bincount(balanced.target), balanced.filenames[11:].tolist()
    (array([4, 4, 4]), ['fold_2/low-high tones/00005.wav#2'])
    """
    bunch = check_bunch(bunch)
    n_clips = len(bunch.filenames)
    if "copy_of" in bunch:
        raise ValueError(
            "Got a data set with copies (key copy_of), expected originals. "
            "Call upsample once, on the data set before."
        )
    if bunch.target.dtype.kind == "f" or bunch.target.ndim > 1:
        kind = "for regression" if bunch.target.dtype.kind == "f" else "of several classes per clip"
        raise ValueError(f"Got a target {kind}, expected one class per clip: these are balanced.")
    if partitions is None:
        partitions = "train" if (bunch.partition != "").any() else ""
    partitions = [partitions] if isinstance(partitions, str) else list(partitions)
    for name in partitions:
        if name not in bunch.partition:
            raise ValueError(
                f"Got no clips in partition {name!r}, expected some. Partitions there: "
                f"{list_names(np.unique(bunch.partition))}."
            )
    chosen = np.isin(bunch.partition, partitions) & (bunch.target >= 0)
    if not chosen.any():
        raise ValueError("Got no labelled clips to balance, expected at least one.")

    rng = check_random_state(random_state)
    partition_numbers = np.unique(bunch.partition, return_inverse=True)[1]
    sides = np.column_stack([partition_numbers, bunch.folds])
    side_of = np.unique(sides, axis=0, return_inverse=True)[1]
    copies = []
    for side in np.unique(side_of[chosen]):
        here = chosen & (side_of == side)
        counts = np.bincount(bunch.target[here])
        for label in np.flatnonzero(counts):
            clips = np.flatnonzero(here & (bunch.target == label))
            times, rest = divmod(counts.max() - len(clips), len(clips))
            copies += [np.tile(clips, times), rng.choice(clips, rest, replace=False)]
    originals = np.concatenate(copies)
    rows = np.concatenate([np.arange(n_clips), originals])
    names = bunch.filenames.tolist()
    taken, numbers = set(names), dict.fromkeys(names, 2)
    for original in originals:
        name = names[original]
        while (copy := f"{name}#{numbers[name]}") in taken:
            numbers[name] += 1
        taken.add(copy)
        names.append(copy)
    new = {key: take(bunch[key], rows) for key in row_keys(bunch)}
    new["filenames"] = text_array(names, "filenames")
    new["copy_of"] = text_array([""] * n_clips + bunch.filenames[originals].tolist(), "copy_of")
    return replace_keys(bunch, **new)


# Helpers, also for other modules.


def row_keys(bunch: Bunch) -> list[str]:
    """Return the keys of a data set that hold one entry per clip."""
    n_clips = len(bunch["filenames"])
    return [
        key
        for key, value in bunch.items()
        if key in ROW_KEYS or (key not in WHOLE_KEYS and n_entries(value) == n_clips)
    ]


def take(values: Any, rows: npt.NDArray[np.intp]) -> Any:
    """Return the entries of an array, pandas object, list or tuple at the given positions."""
    if hasattr(values, "iloc"):
        return values.iloc[rows]
    return values[rows] if hasattr(values, "shape") else [values[row] for row in rows]


def readable_parts(
    function: Callable[[Any], Any], X: Any, rows: npt.NDArray[np.intp]
) -> Iterator[tuple[npt.NDArray[np.intp], Any]]:
    """Yield rows and the output of a function for them, or one row and the error about it.

    An error about one clip makes its whole batch fail, which is then tried again in two halves. A
    row of stored values that are all NaN is a clip that could not be read when they were computed.

    Parameters
    ----------
    function : callable
        Function of a sequence of clips.
    X : sequence of n_clips clips
        All clips.
    rows : ndarray of int
        Positions of the clips to read.

    Yields
    ------
    rows : ndarray of int
        Positions of some of these clips.
    output : object or AudioError
        Output of the function for them, or the error about a single clip.
    """
    from skaudeep.audio.errors import AudioError

    clips = take(X, rows)
    if getattr(clips, "ndim", 1) > 1 and not hasattr(clips, "iloc") and not hasattr(clips, "dims"):
        clips = np.asarray(clips)  # rows of a file are read here
    if (empty := empty_rows(clips)).any():
        for row in rows[empty]:
            yield np.array([row]), AudioError(f"clip {row}", NO_VALUES, "Leave it out")
        rows, clips = rows[~empty], take(X, rows[~empty])
    if not len(rows):
        return
    try:
        output = function(clips)
    except AudioError as error:
        if len(rows) == 1:
            yield rows, error
            return
        half = len(rows) // 2
        yield from readable_parts(function, X, rows[:half])
        yield from readable_parts(function, X, rows[half:])
        return
    yield rows, output


def _positions(bunch: Bunch, clips: npt.ArrayLike | slice) -> npt.NDArray[np.intp]:
    n_clips = len(bunch.filenames)
    if isinstance(clips, slice):
        return np.arange(n_clips)[clips]
    wanted = np.asarray(clips)
    if wanted.ndim == 1 and wanted.dtype.kind in "UO" and len(wanted):
        position = {name: row for row, name in enumerate(bunch.filenames.tolist())}
        unknown = [name for name in wanted.tolist() if name not in position]
        if unknown:
            raise ValueError(
                f"Got {len(unknown)} clip(s) that are not among the {n_clips} filenames, first "
                f"{unknown[0]!r}, expected names such as {str(bunch.filenames[0])!r}."
            )
        wanted = np.array([position[name] for name in wanted.tolist()])
    elif wanted.dtype.kind == "b" and wanted.shape == (n_clips,):
        return np.flatnonzero(wanted)
    elif wanted.ndim != 1 or (wanted.dtype.kind not in "iu" and len(wanted)):
        raise ValueError(
            f"Got clips of shape {wanted.shape} and dtype {wanted.dtype}, expected a mask of shape "
            f"({n_clips},), a list of positions or a list of file names."
        )
    wanted = wanted.astype(np.intp)
    if len(wanted) and not 0 <= wanted.min() <= wanted.max() < n_clips:
        raise ValueError(
            f"Got clips from {wanted.min()} to {wanted.max()}, expected positions from 0 to "
            f"{n_clips - 1}."
        )
    if len(np.unique(wanted)) < len(wanted):
        raise ValueError(
            "Got a clip twice, expected each once. To repeat clips of small classes use upsample."
        )
    return wanted


def _join(parts: list[Any], key: str, waveforms: bool) -> Any:
    """Concatenate the entries of several data sets for one key."""
    if any(isinstance(part, list | tuple) for part in parts):
        return [entry for part in parts for entry in part]
    if all(hasattr(part, "names") for part in parts):  # a pandas index
        return parts[0].append(parts[1:])
    columns = [list(getattr(part, "columns", ())) for part in parts]
    if columns.count(columns[0]) < len(columns):
        found = " and ".join(f"[{list_names(names)}]" for names in columns[:10])
        raise ValueError(
            f"Got {key} with columns {found}, expected the same ones. Rename or reorder them."
        )
    if all(hasattr(part, "iloc") for part in parts):
        import pandas

        return pandas.concat(parts)
    arrays = [np.asarray(part) for part in parts]
    kinds = {
        "index" if hasattr(part, "names") else "number" if array.dtype.kind in "biufc" else "object"
        for part, array in zip(parts, arrays, strict=True)
    }
    shapes = [array.shape[1:] for array in arrays]
    # Frames and chunks may be padded; the last axis holds bands or features.
    fixed = {shape[-1:] if key == "data" and not waveforms else shape for shape in shapes}
    if len(kinds) > 1 or len(fixed) > 1 or len(set(map(len, shapes))) > 1:
        found = " and ".join(
            dict.fromkeys(f"{array.dtype.name} of shape {array.shape}" for array in arrays)
        )
        raise ValueError(
            f"Got {key} as {found}, expected entries of one kind and size; only the number of "
            "frames and of chunks may differ. Extract them alike, or join paths and extract then."
        )
    if len(set(shapes)) == 1:
        if arrays[0].ndim == 1 and all(array.dtype.kind == "U" for array in arrays):
            check_proportion([text for array in arrays for text in array.tolist()], key)
        return np.concatenate(arrays)
    rows = [row for array in arrays for row in array]
    return pad(rows, dtype=np.result_type(np.float32, *arrays))


def _join_folds(bunches: list[Bunch]) -> npt.NDArray[np.int8]:
    n_folds = max(bunch.folds.shape[1] for bunch in bunches)
    parts = []
    for number, bunch in enumerate(bunches):
        folds = bunch.folds
        if not folds.shape[1] and not is_labelled(bunch).any():
            folds = np.zeros((len(folds), n_folds), dtype=np.int8)
        if folds.shape[1] != n_folds:
            raise ValueError(
                f"Got {folds.shape[1]} folds in data set {number} and {n_folds} in another, "
                "expected as many in each. Use drop_folds on some and add_folds on the result."
            )
        parts.append(folds)
    return np.concatenate(parts)


def _join_targets(bunches: list[Bunch]) -> tuple[npt.NDArray[Any], list[str]]:
    labelled = [bunch for bunch in bunches if is_labelled(bunch).any()]
    kinds = {bunch.target.dtype.kind == "f" for bunch in labelled or bunches}
    if len(kinds) > 1:
        raise ValueError(
            "Got classes in some data sets and values to regress on in others, expected one of "
            "them. Join data sets of one task."
        )
    if kinds == {True}:
        first = (labelled or bunches)[0]
        shape, values = first.target.shape[1:], first.target_names
        for bunch in labelled:
            if bunch.target.shape[1:] != shape or bunch.target_names != values:
                raise ValueError(
                    f"Got values of each clip of shape {shape} called {values} in a data set and "
                    f"of shape {bunch.target.shape[1:]} called {bunch.target_names} in another, "
                    "expected the same. Join data sets of one task."
                )
        targets = [
            bunch.target
            if bunch.target.shape[1:] == shape and bunch.target.dtype.kind == "f"
            else np.full((len(bunch.target), *shape), np.nan)
            for bunch in bunches
        ]
        return np.concatenate(targets), values
    names = list(dict.fromkeys(name for bunch in bunches for name in bunch.target_names))
    position = {name: number for number, name in enumerate(names)}
    targets = []
    several = {bunch.target.ndim == 2 for bunch in labelled or bunches}
    if len(several) > 1:
        raise ValueError(
            "Got one class per clip in some data sets and several in others, expected one of them. "
            "Join data sets of one task."
        )
    if several == {True}:
        for bunch in bunches:
            target = np.full((len(bunch.filenames), len(names)), -1)
            if bunch.target.ndim == 2:
                rows = is_labelled(bunch)
                target[rows] = 0
                for name, column in zip(bunch.target_names, bunch.target.T, strict=True):
                    target[rows, position[name]] = column[rows]
            targets.append(target)
        return np.concatenate(targets), names
    for bunch in bunches:
        if bunch.target.dtype.kind == "f":  # a target for regression without labels
            targets.append(np.full(len(bunch.target), -1))
            continue
        numbers = np.array([*(position[name] for name in bunch.target_names), -1])
        targets.append(numbers[bunch.target])
    return np.concatenate(targets), names


def is_labelled(bunch: Bunch) -> npt.NDArray[np.bool_]:
    """Return a mask of the clips whose class, classes or value are known."""
    target = bunch["target"]
    known = ~np.isnan(target) if target.dtype.kind == "f" else target >= 0
    return known.all(axis=1) if target.ndim == 2 else known


def _equal(a: Any, b: Any) -> bool:
    if hasattr(a, "shape") or hasattr(b, "shape"):
        return type(a) is type(b) and np.array_equal(np.asarray(a), np.asarray(b))
    return bool(a == b)
