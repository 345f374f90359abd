"""Concatenation of the features of several stored data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from skaudeep._padding import empty_rows, join_frames, row_lengths
from skaudeep._texts import printable
from skaudeep.datasets.mapping import Bunch
from skaudeep.formats.layout import complete_bunch, row_reader

AXES = ("frequency", "time")


def fuse(bunches: Sequence[Bunch], *, axis: str | None = None) -> Bunch:
    """Concatenate the features or spectrograms of several data sets of the same clips.

    :class:`~skaudeep.FeatureFusion` does the same within a pipeline.

    Parameters
    ----------
    bunches : sequence of :class:`~sklearn.utils.Bunch`
        At least one data set, all with the same clips, labels, folds and partitions in the same
        order, and with the same groups where two of them have groups. The shapes of their `data`
        may differ only in the axis of the concatenation. Side by side, the spectrograms of a clip
        must have as many frames in all sets. The data sets are not changed; data on disk are read.
    axis : {"frequency", "time"}, default=None
        The axis of spectrograms along which they are concatenated.

        - "frequency": the bands of each frame side by side.
        - "time": the frames of each clip, or of each chunk, one after the other, without padding
          between them.

        None is the last axis, of features or of bands.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`~skaudeep.datasets.make_bunch`, and with `copy_of` and
        `recorded_at` if the first set has them; other keys are left out. `data` is the
        concatenation, float32. Groups are those of the first set with groups; `DESCR` is that of
        the first set. `feature_names` is there if all sets have it; if some names are equal, all
        get the number of their set, as in `0__mean`. Along time, they are the names of the first
        set, which all sets must share.

    Raises
    ------
    ValueError
        If there is no set, the sets do not hold the same clips (the message names the first
        difference), only some have `copy_of`, their axes do not fit, or `axis` is given for data
        that are not spectrograms.
    TypeError
        If `bunches` is a single Bunch.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.datasets import make_bunch
    >>> from skaudeep.formats import fuse
    >>> one = make_bunch(np.zeros((2, 3)), ["a.wav", "b.wav"])
    >>> other = make_bunch(np.ones((2, 1)), ["a.wav", "b.wav"])
    >>> fuse([one, other]).data
    array([[0., 0., 0., 1.],
           [0., 0., 0., 1.]], dtype=float32)

    Spectrograms of 7 frames and of 2 more:

    >>> parts = [make_bunch(np.zeros((2, n, 5)), ["a.wav", "b.wav"]) for n in (7, 2)]
    >>> fuse(parts, axis="time").data.shape
    (2, 9, 5)
    """
    if isinstance(bunches, Mapping):
        raise TypeError("Got one bunch, expected a list of them.")
    whole = [complete_bunch(bunch) for bunch in bunches]
    if not whole:
        raise ValueError("Got no sets to fuse, expected at least one.")
    first = whole[0]
    data = [read(0, shape[0]) for shape, read in (row_reader(bunch.data) for bunch in whole)]
    for number, (other, values) in enumerate(zip(whole, data, strict=True)):
        _check_same(first, other, number)
        _check_same_axes(first, data[0], other, values, number, axis)
    groups = next((bunch.groups for bunch in whole if (bunch.groups != "").any()), first.groups)
    del first["errors"]
    names = [bunch.get("feature_names") for bunch in whole]
    first.pop("feature_names", None)
    if all(names):
        first["feature_names"] = names[0] if axis == "time" else _distinct(names)
    joined = _one_after_the_other(data) if axis == "time" else np.concatenate(data, axis=-1)
    return Bunch(**first | {"data": joined, "groups": groups})


def _one_after_the_other(data: Sequence[NDArray]) -> NDArray:
    """Put the frames of rows (..., n_frames, n_bands) one after the other."""
    shape = data[0].shape
    parts = [values.reshape(-1, *values.shape[-2:]) for values in data]
    joined = join_frames(parts)
    joined[np.any([empty_rows(part) for part in parts], axis=0)] = np.nan
    return joined.reshape(*shape[:-2], *joined.shape[1:])


def _check_same_axes(
    first: Bunch, data: NDArray, other: Bunch, values: NDArray, number: int, axis: str | None
) -> None:
    """Raise a ValueError if the axes of a set do not match those of the first set."""
    if axis is not None and axis not in AXES:
        raise ValueError(f"Got axis={axis!r}, expected None or one of {', '.join(AXES)}.")
    if axis is not None and "frame" not in first.dims:
        raise ValueError(
            f"Got dims {first.dims} with axis={axis!r}, expected spectrograms, with an axis "
            "'frame'. Leave axis= out to put features side by side."
        )
    along = -2 if axis == "time" else -1
    if np.delete(values.shape, along).tolist() != np.delete(data.shape, along).tolist():
        raise ValueError(
            f"Got data of shape {data.shape} in set 0 and {values.shape} in set {number}, expected "
            f"data that agree in all axes but the {'last but one' if along == -2 else 'last'}."
        )
    if tuple(np.delete(other.dims, along)) != tuple(np.delete(first.dims, along)):
        raise ValueError(
            f"Got dims {first.dims} in set 0 and {other.dims} in set {number}, expected axes "
            "of one meaning. Correct the key dims of the set whose axes are not these."
        )
    if axis == "time" and first.get("feature_names") != other.get("feature_names"):
        raise ValueError(
            f"Got feature_names in set 0 that are not those of set {number}, expected frames of "
            'the same features. Put different ones side by side, with axis="frequency".'
        )
    if axis != "time" and "frame" in first.dims:
        lengths, others = (row_lengths(a.reshape(-1, *a.shape[-2:])) for a in (data, values))
        if (rows := np.flatnonzero(lengths != others)).size:
            row = int(rows[0])
            clip = row // (data[0].size // data.shape[-1] // data.shape[-2])
            raise ValueError(
                f"Got {lengths[row]} frames of clip {clip} "
                f"({printable(first.filenames[clip])!r}) in set 0 and {others[row]} in set "
                f"{number}, expected the same frames. Extract both with one hop and window."
            )


def _distinct(names: list[list[str]]) -> list[str]:
    """Return the names of all features, with the number of their set if some are equal."""
    plain = [name for of_set in names for name in of_set]
    if len(set(plain)) == len(plain):
        return plain
    return [f"{number}__{name}" for number, of_set in enumerate(names) for name in of_set]


def _check_same(first: Bunch, other: Bunch, number: int) -> None:
    def refuse(what: str, here: object, there: object) -> None:
        raise ValueError(
            f"Got {what} {here!r} in set 0 and {there!r} in set {number}, expected the same clips "
            "with the same labels, folds and partitions in the same order. Bring them into one "
            "order, or leave out what is not in all."
        )

    if len(first.filenames) != len(other.filenames):
        refuse("a number of clips", len(first.filenames), len(other.filenames))
    if first.target_names != other.target_names:
        refuse("target_names", first.target_names, other.target_names)
    if first.folds.shape != other.folds.shape:
        refuse("a number of folds", first.folds.shape[1], other.folds.shape[1])
    if ("copy_of" in first) != ("copy_of" in other):
        refuse("a key copy_of", "copy_of" in first, "copy_of" in other)
    keys = ["filenames", "target", "folds", "partition", *({"copy_of"} & first.keys())]
    if (first.groups != "").any() and (other.groups != "").any():
        keys.append("groups")
    for clip, name in enumerate(first.filenames.tolist()):
        for key in keys:
            here, there = first[key][clip], other[key][clip]
            if not np.array_equal(here, there, equal_nan=key == "target"):
                refuse(f"{key} of clip {clip} ({name!r})", here.tolist(), there.tolist())
