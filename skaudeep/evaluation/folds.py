"""Makes and checks the folds of a data set, before `evaluate` fits anything."""

import warnings
from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import (
    BaseCrossValidator,
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)

from skaudeep._warnings import find_stack_level
from skaudeep.datasets.groups import group_numbers, units_per_class
from skaudeep.evaluation.targets import class_name, clip_name, kind_of, labelled_clips

__all__ = ["check_folds", "default_n_folds", "shuffled_splitter"]

MOST_FOLDS = 5


def check_folds(
    bunch: Mapping[str, Any],
    target: np.ndarray,
    cv: Any,
    rng: np.random.RandomState,
    *,
    whole_groups: bool = False,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the labelled training and test clips of each fold.

    Parameters
    ----------
    bunch : mapping
        A data set that `check_target` has passed.
    target : ndarray of shape (n_clips,) or (n_clips, n_columns)
        Target, as `check_target` returns it.
    cv : {"devel", "test"}, int, splitter, iterable of (train, test) or None
        Folds, in a form that `evaluate` takes.
    rng : RandomState
        Generator that shuffles the clips if ``cv`` is an int.
    whole_groups : bool, default=False
        Whether folds that divide groups are an error, not a warning.

    Returns
    -------
    list of (train, test)
        Sorted numbers of clips.

    Raises
    ------
    ValueError
        If there are no folds, or a fold has no labelled training clip or test clip, has a test clip
        among its training clips, or lacks training clips of a class that it tests.

    Warns
    -----
    UserWarning
        If a fold divides a group, or, where clips may have several classes, lacks training clips of
        a class that it tests.
    """
    labelled = labelled_clips(target)
    groups = None if bunch.get("groups") is None else group_numbers(bunch["groups"])
    folds = []
    for i, (train, test) in enumerate(_splits(bunch, target, labelled, groups, cv, rng), start=1):
        try:
            train, test = np.arange(len(target))[train], np.arange(len(target))[test]
        except IndexError as error:
            raise ValueError(
                f"Fold {i} names a clip that does not exist: {error}; expected indices of the "
                f"{len(target)} clips."
            ) from error
        if len(shared := np.intersect1d(train, test)):
            raise ValueError(
                f"Fold {i} trains on {len(shared)} of its test clips (the first is clip "
                f"{shared[0]}), expected none; correct the folds of the bunch or pass cv=5."
            )
        train, test = np.intersect1d(train, labelled), np.intersect1d(test, labelled)
        for name, clips in (("training", train), ("test", test)):
            if not len(clips):
                raise ValueError(
                    f"Fold {i} has no labelled {name} clips, expected at least one; leave the "
                    "fold out by cv=[(train, test), ...], or divide anew by cv=5."
                )
        if kind_of(target) == "classes" and len(
            missing := np.setdiff1d(target[test], target[train])
        ):
            _refuse_untrained(bunch, target, groups, missing, f"fold {i}")
        folds.append((train, test))
    if not folds:
        raise ValueError("Got cv without folds, expected at least one; pass for example cv=5.")
    if groups is not None:
        splitter = "StratifiedGroupKFold" if kind_of(target) == "classes" else "GroupKFold"
        _find_torn_groups(bunch, groups, folds, cv, splitter=splitter, refuse=whole_groups)
    if kind_of(target) == "several classes":
        _warn_about_untrained(bunch, target, folds)
    return folds


def _splits(
    bunch: Mapping[str, Any],
    target: np.ndarray,
    labelled: np.ndarray,
    groups: np.ndarray | None,
    cv: Any,
    rng: np.random.RandomState,
) -> list[tuple[np.ndarray, np.ndarray]]:
    partition = np.asarray(bunch.get("partition", ()), dtype=str)
    if cv is None:
        if bunch.get("cv") is not None and len(bunch["cv"]):
            return list(bunch["cv"])
        folds = np.asarray(() if bunch.get("folds") is None else bunch["folds"])
        if folds.size:
            if folds.ndim != 2 or not np.isin(folds, (0, 1)).all():
                raise ValueError(
                    f"Got folds of shape {folds.shape} with the values {np.unique(folds)[:3]}, "
                    "expected (n_clips, n_folds) of 0 (train) and 1 (test)."
                )
            return [(np.flatnonzero(fold == 0), np.flatnonzero(fold == 1)) for fold in folds.T]
        if "train" in partition:
            cv = "devel" if "devel" in partition[labelled] else "test"
        else:
            raise ValueError(
                "The bunch has neither folds nor partitions, expected one of them; pass cv=5, or "
                "add folds by bunch = add_folds(bunch, 5). Both keep the groups of the bunch "
                "together."
            )
    if isinstance(cv, str):
        if cv not in ("devel", "test"):
            raise ValueError(f"Got cv={cv!r}; choose the partition 'devel' or 'test', or folds.")
        if cv not in partition:
            raise ValueError(
                f"Got cv={cv!r}, but the partitions of the bunch are {np.unique(partition)}; "
                "pass one of these or folds."
            )
        train = ["train"] if cv == "devel" else ["train", "devel"]
        return [(np.flatnonzero(np.isin(partition, train)), np.flatnonzero(partition == cv))]
    if isinstance(cv, Integral):
        cv = _shuffled_folds(bunch, target, labelled, groups, int(cv), rng)
    if not hasattr(cv, "split"):
        return list(check_cv(cv).split())  # indices of all clips
    of_groups = None if groups is None else groups[labelled]
    with warnings.catch_warnings():
        # If the splitter divides groups, a warning of ours names them.
        warnings.filterwarnings("ignore", "The groups parameter is ignored")
        return [
            (labelled[train], labelled[test])
            for train, test in cv.split(labelled, _as_scikit_learn(target)[labelled], of_groups)
        ]


def _shuffled_folds(
    bunch: Mapping[str, Any],
    target: np.ndarray,
    labelled: np.ndarray,
    groups: np.ndarray | None,
    n_folds: int,
    rng: np.random.RandomState,
) -> BaseCrossValidator:
    """Return a splitter into n_folds, after a check that each fold can have all classes."""
    unit = "clips" if groups is None else "groups"
    units = np.arange(len(target)) if groups is None else groups
    if n_folds < 2:
        raise ValueError(f"Got cv={n_folds}, expected at least 2 folds, for example cv=5.")
    if kind_of(target) != "classes":
        n_most = len(np.unique(units[labelled]))
        if n_most == 1:
            raise ValueError(
                f"Got cv={n_folds}, but the labelled clips are of one {unit[:-1]}, expected at "
                "least two to divide. Give clips of others, or groups that divide these clips."
            )
        if n_folds > n_most:
            raise ValueError(
                f"Got cv={n_folds}, but there are {n_most} labelled {unit}, expected at most one "
                f"fold for each; pass cv={n_most}."
            )
        kind = KFold if groups is None else GroupKFold
        return kind(n_folds, shuffle=True, random_state=rng.randint(2**31 - 1))
    n_units = units_per_class(target, groups)
    if alone := sorted(label for label, n in n_units.items() if n == 1):
        _refuse_untrained(bunch, target, groups, np.array(alone), "one of the folds")
    n_most = min(max(n_units.values()), len(np.unique(units[labelled])))
    if n_folds > n_most:
        raise ValueError(
            f"Got cv={n_folds}, but no class has more than {n_most} {unit}, expected at most one "
            f"fold for each; pass cv={n_most}."
        )
    return shuffled_splitter(n_folds, rng, of_groups=groups is not None)


def shuffled_splitter(
    n_folds: int, rng: np.random.RandomState, *, of_groups: bool
) -> StratifiedKFold | StratifiedGroupKFold:
    """Return a splitter of labelled clips into folds with the same share of each class.

    Parameters
    ----------
    n_folds : int >= 2
        Number of folds.
    rng : RandomState
        Generator that shuffles the clips.
    of_groups : bool
        Whether the clips have groups, which are kept together.

    Returns
    -------
    StratifiedKFold or StratifiedGroupKFold
        The splitter.
    """
    kind = StratifiedGroupKFold if of_groups else StratifiedKFold
    return kind(n_folds, shuffle=True, random_state=rng.randint(2**31 - 1))


def default_n_folds(n_units: Iterable[int]) -> int:
    """Return the default number of folds: five, or fewer if a class has fewer groups or clips.

    Parameters
    ----------
    n_units : iterable of int
        Number of groups, or clips, of each class. Classes of a single one, which folds cannot
        divide, do not count.

    Returns
    -------
    int
        At least 2.

    Examples
    --------
    >>> default_n_folds([20, 3, 1])
    3
    """
    return max(2, min([MOST_FOLDS, *(n for n in n_units if n > 1)]))


# Messages.


def _refuse_untrained(
    bunch: Mapping[str, Any],
    target: np.ndarray,
    groups: np.ndarray | None,
    labels: np.ndarray,
    fold: str,
) -> None:
    """Raise an error about classes that are tested without training clips, with the remedy."""
    label = labels[0]
    clips = np.flatnonzero(target == label)
    name = class_name(bunch, label)
    if len(clips) == 1:
        cause = f"class {name} has a single clip, {clip_name(bunch, clips[0])}"
    elif groups is not None and len(np.unique(groups[clips])) == 1:
        group = str(bunch["groups"][clips[0]])
        cause = f"all {len(clips)} clips of class {name} are of one group, {group!r}"
    else:
        cause = f"none of the {len(clips)} clips of class {name} trains it"
    more = f" The same holds for {len(labels) - 1} more class(es)." * (len(labels) > 1)
    raise ValueError(
        f"{fold[0].upper()}{fold[1:]} tests a class that it does not train: {cause}.{more} "
        "Expected each tested class in training, too; add clips, divide anew by another cv, or "
        "leave what is too rare out by "
        f"bunch.target = np.where(np.isin(bunch.target, {labels.tolist()}), -1, bunch.target)."
    )


def _as_scikit_learn(target: np.ndarray) -> np.ndarray:
    """Return a target of one column as a vector, which scikit-learn's splitters expect."""
    return target[:, 0] if target.ndim == 2 and target.shape[1] == 1 else target


def _warn_about_untrained(
    bunch: Mapping[str, Any], target: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    """Warn of classes that a fold tests without a training clip that has them."""
    found = [
        (i, label)
        for i, (train, test) in enumerate(folds, start=1)
        for label in range(target.shape[1])
        if (target[test, label] > 0).any() and not (target[train, label] > 0).any()
    ]
    if not found:
        return
    i, label = found[0]
    more = f", and {len(found) - 1} more such class(es) of a fold" * (len(found) > 1)
    warnings.warn(
        f"Fold {i} tests the class {class_name(bunch, label)} without a training clip that has it"
        f"{more}: its scores there say nothing. Divide anew by another cv, or leave rare classes "
        "out.",
        stacklevel=find_stack_level(),
    )


def _find_torn_groups(
    bunch: Mapping[str, Any],
    groups: np.ndarray,
    folds: list[tuple[np.ndarray, np.ndarray]],
    cv: Any,
    *,
    splitter: str,
    refuse: bool,
) -> None:
    """Warn if folds train and test on clips of one group, as scores are then too high."""
    torn = [np.intersect1d(groups[train], groups[test]) for train, test in folds]
    n_folds = sum(len(shared) > 0 for shared in torn)
    if not n_folds:
        return
    i = next(i for i, shared in enumerate(torn) if len(shared))
    trained, tested = (part[groups[part] == torn[i][0]][0] for part in folds[i])
    if cv is None or isinstance(cv, str):
        division = "partitions" if isinstance(cv, str) or not _has_folds(bunch) else "folds"
        mend = f"divide anew by bunch = add_{division}(drop_{division}(bunch))"
    else:
        mend = f"pass cv=5 or a splitter such as {splitter}(5)"
    message = (
        f"Fold {i + 1} trains on {clip_name(bunch, trained)} and tests "
        f"{clip_name(bunch, tested)}, both of group {str(bunch['groups'][tested])!r}; "
        f"{len(np.unique(np.concatenate(torn)))} group(s) are on both sides in {n_folds} of "
        f"{len(folds)} folds. Scores are then too high for clips of new groups; {mend}, which "
        "keeps groups together."
    )
    if refuse:
        raise ValueError(message)
    warnings.warn(message, stacklevel=find_stack_level())


def _has_folds(bunch: Mapping[str, Any]) -> bool:
    cv, folds = bunch.get("cv"), bunch.get("folds")
    return (cv is not None and len(cv) > 0) or (folds is not None and np.size(folds) > 0)
