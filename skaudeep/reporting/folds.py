"""Folds of a report: those of the data set, or new ones, without classes that cannot be tested."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_random_state

from skaudeep._texts import list_names, shown
from skaudeep.datasets.bunch import fold_indices
from skaudeep.datasets.groups import group_numbers, units_per_class
from skaudeep.evaluation.folds import check_folds, default_n_folds, shuffled_splitter

Fold = tuple[np.ndarray, np.ndarray]
LEAST_UNITS = 2  # a class needs one unit for training and one for testing


@dataclass(frozen=True)
class Division:
    """Training clips and test clips of each fold.

    Parameters
    ----------
    target : ndarray of shape (n_clips,), int
        Class of each clip; -1 where it is unlabelled or its class is left out.
    folds : list of (train, test)
        Empty where nothing can be evaluated.
    origin : str
        Where the folds come from, for the page: "5 folds of the data set".
    notes : list of str
        Sentences on what is left out of the evaluation, and why.
    """

    target: np.ndarray
    folds: list[Fold]
    origin: str
    notes: list[str] = field(default_factory=list)


def choose_folds(bunch: Bunch, cv: Any, random_state: Any) -> Division:
    """Take the given folds, or those of the data set, or divide anew.

    Classes that cannot be both trained and tested are left out: one with a single clip, or with
    all clips in one group.

    Parameters
    ----------
    bunch : Bunch
        With a target of classes.
    cv : {"devel", "test"}, int, splitter, iterable of (train, test) or None
        None takes the folds or partitions of the data set; where it has none, up to five folds, and
        fewer where a class has fewer groups, or clips where there are no groups.
    random_state : int, RandomState instance or None
        Shuffles the clips where new folds are made; an int to the folds that `evaluate` makes of
        as many by it.

    Returns
    -------
    Division
        Without folds where fewer than two classes are left.

    Raises
    ------
    ValueError
        If the given folds are none: they name clips that do not exist, or train on test clips.
    """
    target = np.asarray(bunch.target).astype(np.intp)
    if not (target >= 0).any():
        return Division(target, [], "", [])
    groups = group_numbers(bunch.groups)
    n_units = units_per_class(target, groups)
    alone = [label for label, n in n_units.items() if n == 1]
    target, notes = _without(bunch, target, alone, _why_alone(bunch, target, alone))
    if len(_classes(target)) < 2:
        return Division(target, [], "", [*notes, _too_few(bunch, target)])
    rng = check_random_state(random_state)
    rng.randint(2**31 - 1, size=1)  # `evaluate` draws the seed of its repeat before its folds
    n_folds = default_n_folds(n_units.values())
    folds, origin = _divide(bunch, target, groups, cv, n_folds, rng)
    return settle(bunch, Division(target, folds, origin, notes))


def settle(bunch: Bunch, division: Division) -> Division:
    """Leave out the classes that a fold tests without training them, and folds that are empty.

    Parameters
    ----------
    bunch : Bunch
    division : Division

    Returns
    -------
    Division
    """
    target, notes = division.target, division.notes
    while True:
        folds = [
            (train[target[train] >= 0], test[target[test] >= 0]) for train, test in division.folds
        ]
        folds = [(train, test) for train, test in folds if len(train) and len(test)]
        untrained = {
            int(label)
            for train, test in folds
            for label in np.setdiff1d(target[test], target[train])
        }
        if not untrained:
            break
        why = "no fold trains on them while it tests others of their class"
        target, notes = _without(bunch, target, sorted(untrained), why, notes)
    if len({label for _, test in folds for label in target[test].tolist()}) < 2:
        return Division(target, [], "", [*notes, _too_few(bunch, target)])
    return Division(target, folds, division.origin, notes)


def _classes(target: np.ndarray) -> list[int]:
    return np.unique(target[target >= 0]).tolist()


def _divide(
    bunch: Bunch,
    target: np.ndarray,
    groups: np.ndarray | None,
    cv: Any,
    n_folds: int,
    rng: np.random.RandomState,
) -> tuple[list[Fold], str]:
    """Return folds, in which a class may still be tested without training, and their origin."""
    if cv is not None and not isinstance(cv, Integral):
        origin = f"by the partitions ({cv})" if isinstance(cv, str) else "folds as given"
        with warnings.catch_warnings():
            # `evaluate` warns of groups on both sides, too, and the page shows them.
            warnings.filterwarnings("ignore", "Fold .* both of group", UserWarning)
            return check_folds(bunch, target, cv, rng), origin
    if cv is None and bunch.folds.shape[1]:
        given = bunch.get("cv") or fold_indices(bunch.folds)
        return list(given), f"{len(given)} folds of the data set"
    if cv is None and "train" in bunch.partition:
        tested = "devel" if "devel" in bunch.partition[target >= 0] else "test"
        trained = ["train"] if tested == "devel" else ["train", "devel"]
        train, test = np.isin(bunch.partition, trained), bunch.partition == tested
        return [(np.flatnonzero(train), np.flatnonzero(test))], (
            f"trained on {' and '.join(trained)}, tested on {tested}, by the partitions of the "
            "data set"
        )
    n_folds = n_folds if cv is None else int(cv)
    return _new_folds(target, groups, n_folds, rng), (
        f"{n_folds} new folds" + " of whole groups" * (groups is not None)
    )


def _new_folds(
    target: np.ndarray, groups: np.ndarray | None, n_folds: int, rng: np.random.RandomState
) -> list[Fold]:
    labelled = np.flatnonzero(target >= 0)
    units = np.arange(len(target)) if groups is None else groups
    most = len(np.unique(units[labelled]))
    if not 2 <= n_folds <= most:
        raise ValueError(
            f"Got cv={n_folds}, expected 2 to {most} folds, the number of labelled "
            f"{'clips' if groups is None else 'groups'}; leave cv out, or pass another."
        )
    splitter = shuffled_splitter(n_folds, rng, of_groups=groups is not None)
    with warnings.catch_warnings():
        # Some folds then test no clip of the class, which is no fault.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return [
            (labelled[train], labelled[test])
            for train, test in splitter.split(
                labelled, target[labelled], None if groups is None else units[labelled]
            )
        ]


# Sentences on what is left out.


def _without(
    bunch: Bunch, target: np.ndarray, labels: list[int], why: str, notes: list[str] | None = None
) -> tuple[np.ndarray, list[str]]:
    notes = list(notes or ())
    if labels:
        names = list_names([bunch.target_names[label] for label in labels])
        n_clips = int(np.isin(target, labels).sum())
        notes.append(
            f"{len(labels)} {_plural(len(labels), 'class is', 'classes are')} left out of the "
            f"evaluation ({names}; {n_clips} {_plural(n_clips, 'clip', 'clips')}): {why}."
        )
        target = np.where(np.isin(target, labels), -1, target)
    return target, notes


def _why_alone(bunch: Bunch, target: np.ndarray, labels: list[int]) -> str:
    if all((target == label).sum() == 1 for label in labels):
        return "a class of a single clip cannot be both trained and tested"
    return "a class whose clips are of a single group cannot be both trained and tested"


def _too_few(bunch: Bunch, target: np.ndarray) -> str:
    n = len(_classes(target))
    found = (
        f"{n or 'No'} {_plural(n, 'class', 'classes')} could be both trained and tested; an "
        "evaluation needs two."
    )
    if (np.asarray(bunch.target) < 0).any():
        return f"{found} Label more clips."
    groups = group_numbers(bunch.groups)
    if groups is not None and len(groups) > 1 and len(np.unique(groups)) == 1:
        return (
            f"{found} All {len(groups)} clips are of one group, {shown(str(bunch.groups[0]))}, and "
            "a group is never divided. Say what differs between patients, animals or recordings, "
            "such as --groups '(patient[0-9]+)'."
        )
    n_units = units_per_class(np.asarray(bunch.target).astype(np.intp), groups)
    few = [(bunch.target_names[label], n) for label, n in n_units.items() if n < LEAST_UNITS]
    what = "group" if groups is not None else "clip"
    if len(n_units) < 2 or not few:
        return f"{found} Add recordings of another class."
    listed = list_names([name for name, _ in few])
    has = f"{_plural(len(few), 'has', 'have')} a single {what}" + " each" * (len(few) > 1)
    other = "of other groups " if groups is not None else ""
    return (
        f"{found} All clips have labels, so what is missing is recordings: {listed} {has}. Add "
        f"more {other}of {_plural(len(few), 'it', 'them')}."
    )


def _plural(n: int, one: str, many: str) -> str:
    return one if n == 1 else many
