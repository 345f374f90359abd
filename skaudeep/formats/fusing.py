"""Concatenation of the features of several stored data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.utils import Bunch

from skaudeep.formats.layout import complete_bunch, row_reader


def fuse(bunches: Sequence[Bunch]) -> Bunch:
    """Put the features of several stored sets of the same clips side by side.

    To fuse while learning, see :class:`~skaudeep.FeatureFusion`.

    Parameters
    ----------
    bunches : sequence of :class:`~sklearn.utils.Bunch`
        At least one data set, all with the same clips, labels, folds and partitions in the same
        order, and with `data` that differ in their last axis at most.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        All keys of :func:`~skaudeep.datasets.make_bunch`, and `copy_of` where the sets have it;
        `data` is the concatenation along the last axis, float32. Groups are those of the first
        set that has any, `DESCR` is the first's. `feature_names` are there where all sets have
        some; equal ones get the number of their set, as in `0__mean`.

    Raises
    ------
    ValueError
        If the sets differ, naming the first place where they do.
    TypeError
        If there is one bunch in place of a list.

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
        if values.shape[:-1] != data[0].shape[:-1]:
            raise ValueError(
                f"Got data of shape {data[0].shape} in set 0 and {values.shape} in set {number}, "
                "expected features that agree in all axes but the last."
            )
        if other.dims[:-1] != first.dims[:-1]:
            raise ValueError(
                f"Got dims {first.dims} in set 0 and {other.dims} in set {number}, expected axes "
                "of one meaning. Correct the key dims of the set whose axes are not these."
            )
    groups = next((bunch.groups for bunch in whole if (bunch.groups != "").any()), first.groups)
    del first["errors"]
    names = [bunch.get("feature_names") for bunch in whole]
    first.pop("feature_names", None)
    if all(names):
        first["feature_names"] = _distinct(names)
    return Bunch(**first | {"data": np.concatenate(data, axis=-1), "groups": groups})


def _distinct(names: list[list[str]]) -> list[str]:
    """Return the names of all features, behind the number of their set where some are equal."""
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
