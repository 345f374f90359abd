"""Functions that add folds and partitions to a data set, or drop them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import Bunch, check_random_state

from skaudeep._warnings import find_stack_level
from skaudeep.datasets.bunch import PARTITIONS, check_bunch, replace_keys
from skaudeep.datasets.operations import is_labelled, row_keys

MAX_BINS = 10  # bins of equal numbers of clips, for regression targets


def add_folds(
    bunch: Bunch,
    n_folds: int = 5,
    *,
    groups: str | None = "groups",
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Add folds for cross-validation: each clip is a test clip of exactly one fold.

    Every fold gets the same share of each class, as nearly as possible without dividing groups.
    Regression targets are stratified by up to ten bins with equal numbers of clips, at least
    `n_folds` in each; several values of a clip are standardized and averaged for this. Unlabelled
    clips, also those that lack one of several values, count together as one class more. If clips
    may have several classes, each combination of classes that occurs counts as a class.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with the keys of :func:`make_bunch` and without folds. It is not changed.
    n_folds : int >= 2, default=5
        Number of folds, at most the number of groups.
    groups : str or None, default="groups"
        Key of the data set that holds the groups, such as speakers or recordings. Clips with equal
        entries, compared as text, stay in the same fold. A clip whose entry is "", None or NaN is a
        group of its own. With None, every clip is a group of its own.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the order in which groups of equal size are assigned. An int gives the
        same folds in every call, None others.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        The data set with `folds` and `cv`. Unchanged values are shared with `bunch`, not copied.

    Raises
    ------
    ValueError
        If `n_folds` is below 2, there are folds or copies (of :func:`upsample`) already, more folds
        than groups, or no key `groups` with one entry per clip.

    Warns
    -----
    UserWarning
        If a fold has no test clip of a class, because the class occurs in too few groups. There is
        no such warning for regression.

    See Also
    --------
    add_partitions : Divide a data set once, into train, devel and test.

    Notes
    -----
    Groups are assigned one by one, the largest first, each to the fold that lacks most of its
    classes. This greedily minimises the chi-square distance from exact shares, summed over the
    classes and the number of clips. If every clip is a group of its own, the sizes of folds, and of
    each class in them, differ by at most one clip.

    Examples
    --------
    >>> from skaudeep.datasets import add_folds, drop_folds, make_sounds
    >>> sounds = drop_folds(make_sounds(60, n_classes=4, n_sessions=6, random_state=0))
    >>> three = add_folds(sounds, 3, random_state=0)
    >>> [len(set(three.groups[test])) for _, test in three.cv], three.folds.sum(axis=0)
    ([2, 2, 2], array([20, 20, 20]))
    """
    bunch = check_bunch(bunch)
    if not isinstance(n_folds, Integral) or n_folds < 2:
        raise ValueError(f"Got n_folds={n_folds!r}, expected an integer of at least 2.")
    if bunch.folds.shape[1]:
        raise ValueError(
            f"Got a data set with {bunch.folds.shape[1]} folds, expected one without. "
            "Keep them, as results on given folds compare, or call drop_folds first."
        )
    fold_of = _divide(bunch, [1 / n_folds] * int(n_folds), groups, random_state)
    folds = (fold_of[:, None] == np.arange(n_folds)).astype(np.int8)
    _warn_about_rare_classes(bunch, fold_of, [f"fold {k + 1}" for k in range(n_folds)])
    return replace_keys(bunch, folds=folds)


def add_partitions(
    bunch: Bunch,
    *,
    train: float = 0.6,
    devel: float = 0.2,
    test: float = 0.2,
    groups: str | None = "groups",
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Divide a data set into the partitions train, devel and test.

    Every partition gets the same mixture of classes, as nearly as possible without dividing groups,
    see :func:`add_folds`.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with the keys of :func:`make_bunch` and without partitions. It is not changed.
    train, devel, test : float in [0, 1], default=0.6, 0.2, 0.2
        Share of the clips in each partition. The shares have to sum to 1. A partition with a share
        of 0 gets no clip.
    groups : str or None, default="groups"
        Key of the data set that holds the groups, such as speakers or recordings. Clips with equal
        entries stay in the same partition. A clip whose entry is "", None or NaN is a group of its
        own. With None, every clip is a group of its own.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the order in which groups of equal size are assigned. An int gives the
        same partitions in every call, None others.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        The data set with `partition`. Unchanged values are shared with `bunch`, not copied.

    Raises
    ------
    ValueError
        If there are partitions or copies (of :func:`upsample`) already, a share lies outside
        [0, 1], shares do not sum to 1, there are fewer groups than partitions, or there is no key
        `groups` with one entry per clip.

    Warns
    -----
    UserWarning
        If a partition has no clip of a class, because the class occurs in too few groups. There is
        no such warning for regression.

    Examples
    --------
    >>> from skaudeep.datasets import add_partitions, make_sounds
    >>> sounds = make_sounds(60, n_classes=4, n_sessions=5, random_state=0)
    >>> parts = add_partitions(sounds, random_state=0)
    >>> [int((parts.partition == name).sum()) for name in ("train", "devel", "test")]
    [36, 12, 12]
    """
    bunch = check_bunch(bunch)
    shares = {"train": train, "devel": devel, "test": test}
    if (
        not all(isinstance(share, Real) and 0 <= share <= 1 for share in shares.values())
        or abs(sum(shares.values()) - 1) > 1e-6
    ):
        raise ValueError(
            f"Got train={train!r}, devel={devel!r} and test={test!r}, expected shares from 0 to 1 "
            "that sum to 1."
        )
    if (bunch.partition != "").any():
        raise ValueError(
            "Got a data set with partitions, expected one without. Keep them, as results on given "
            "partitions compare, or call drop_partitions first."
        )
    names = [name for name in PARTITIONS if shares[name] > 0]
    part_of = _divide(bunch, [shares[name] for name in names], groups, random_state)
    _warn_about_rare_classes(bunch, part_of, names)
    return replace_keys(bunch, partition=np.array(names, dtype="U5")[part_of])


def drop_folds(bunch: Bunch) -> Bunch:
    """Return the same data set without folds.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with the keys of :func:`make_bunch`; it is not changed.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        The data set with a `folds` of zero columns and an empty `cv`. Other values are shared with
        `bunch`, not copied.

    Examples
    --------
    >>> from skaudeep.datasets import drop_folds, make_sounds
    >>> sounds = drop_folds(make_sounds(20, n_classes=4, random_state=0))
    >>> sounds.folds.shape, sounds.cv
    ((20, 0), [])
    """
    bunch = check_bunch(bunch)
    return replace_keys(bunch, folds=np.zeros((len(bunch.filenames), 0), dtype=np.int8))


def drop_partitions(bunch: Bunch) -> Bunch:
    """Return the same data set without partitions.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with the keys of :func:`make_bunch`; it is not changed.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        The data set with "" as the `partition` of every clip. Other values are shared with `bunch`,
        not copied.

    Examples
    --------
    >>> from skaudeep.datasets import add_partitions, drop_partitions, make_sounds
    >>> sounds = make_sounds(20, n_classes=4, random_state=0)
    >>> set(drop_partitions(add_partitions(sounds, random_state=0)).partition.tolist())
    {''}
    """
    bunch = check_bunch(bunch)
    return replace_keys(bunch, partition=np.full(len(bunch.filenames), "", dtype="U5"))


def _divide(
    bunch: Bunch, shares: Sequence[float], groups: str | None, random_state: Any
) -> npt.NDArray[np.intp]:
    """Assign each clip to a part, with the given shares of every class and undivided groups."""
    if "copy_of" in bunch:
        raise ValueError(
            "Got a data set with copies of clips (key copy_of), which would be in training and "
            "test at once, expected originals. Divide first, then upsample."
        )
    group_of = _group_numbers(bunch, groups)
    n_groups = group_of.max() + 1
    if n_groups < len(shares):
        raise ValueError(
            f"Got {n_groups} group(s) to divide into {len(shares)} parts, expected at least one "
            "for each. Ask for fewer parts, or give groups=None to divide clip by clip."
        )
    strata = _strata(bunch, len(shares))
    n_strata = strata.max() + 1
    # The classes of each group, with the number of clips in each; a group has few of the classes.
    pairs, counts = np.unique(group_of * n_strata + strata, return_counts=True)
    groups_of_pairs, classes = np.divmod(pairs, n_strata)
    begins = np.searchsorted(groups_of_pairs, np.arange(n_groups + 1))
    sizes = np.bincount(group_of)
    by_count = np.lexsort((classes, -counts, groups_of_pairs))
    most_frequent = classes[by_count[begins[:-1]]]
    # The number of clips counts as one class more.
    totals = np.append(np.bincount(strata), len(strata))

    order = check_random_state(random_state).permutation(n_groups)
    order = order[np.lexsort((most_frequent[order], -sizes[order]))]
    part_of = np.empty(n_groups, dtype=np.intp)
    dealt = np.zeros((len(shares), len(totals)))
    empty = np.ones(len(shares), dtype=bool)
    for n_done, group in enumerate(order):
        here = slice(begins[group], begins[group + 1])
        columns = np.append(classes[here], n_strata)
        count = np.append(counts[here], sizes[group])
        # How the sum of (dealt - share * total)**2 / (share * total) would grow, up to a constant.
        cost = (2 * dealt[:, columns] + count) @ (count / totals[columns]) / shares
        if n_groups - n_done == empty.sum():  # small shares get their group, too
            cost[~empty] = np.inf
        # Rounded: rounding errors must not decide between costs that are equal.
        part = np.argmin(cost.round(9))
        part_of[group] = part
        dealt[part, columns] += count
        empty[part] = False
    return part_of[group_of]


def _group_numbers(bunch: Bunch, key: str | None) -> npt.NDArray[np.intp]:
    n_clips = len(bunch.filenames)
    if key is None:
        return np.arange(n_clips)
    if key not in row_keys(bunch) or np.ndim(bunch[key]) != 1:
        raise ValueError(
            f"Got groups={key!r}, expected a key with one name per clip, such as 'groups', or None."
        )
    numbers: dict[object, int] = {}
    group_of = []
    values = bunch[key]
    for row, value in enumerate(values.tolist() if hasattr(values, "tolist") else values):
        unknown = value is None or value == "" or value != value
        # A clip without a group has one of its own, under its position: no name is an int.
        group_of.append(numbers.setdefault(row if unknown else str(value), len(numbers)))
    return np.array(group_of)


def _strata(bunch: Bunch, n_parts: int) -> npt.NDArray[np.intp]:
    labelled = is_labelled(bunch)
    strata = np.zeros(len(labelled), dtype=np.intp)
    if bunch.target.dtype.kind == "f":
        values = bunch.target[labelled]
        if values.ndim == 2 and len(values):  # the mean of several values on a common scale
            spread = values.std(axis=0)
            values = ((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)).mean(axis=1)
        n_bins = min(MAX_BINS, len(values) // n_parts)
        if n_bins > 1:
            edges = np.quantile(values, np.arange(1, n_bins) / n_bins)
            strata[labelled] = np.searchsorted(edges, values, side="right")
    elif bunch.target.ndim == 2:  # each combination of classes
        strata[labelled] = np.unique(bunch.target[labelled], axis=0, return_inverse=True)[1]
    else:
        strata[labelled] = bunch.target[labelled]
    strata[~labelled] = strata.max() + 1
    return np.unique(strata, return_inverse=True)[1]


def _warn_about_rare_classes(
    bunch: Bunch, part_of: npt.NDArray[np.intp], names: Sequence[str]
) -> None:
    if bunch.target.dtype.kind == "f":
        return
    if bunch.target.ndim == 2:
        rows, classes = np.nonzero(bunch.target > 0)
    else:
        rows = np.flatnonzero(bunch.target >= 0)
        classes = bunch.target[rows].astype(np.intp)
    # Each class in each part where it occurs.
    found = np.unique(classes * len(names) + part_of[rows])
    labels, n_parts = np.unique(found // len(names), return_counts=True)
    missing = labels[n_parts < len(names)]
    if len(missing):
        here = set(part_of[rows[classes == missing[0]]].tolist())
        absent = [name for k, name in enumerate(names) if k not in here]
        warnings.warn(
            f"{len(missing)} class(es) occur in too few groups to be everywhere, first "
            f"{bunch.target_names[missing[0]]!r} ({', '.join(absent)}). Ask for fewer parts, or "
            "leave the class(es) out.",
            stacklevel=find_stack_level(),
        )
