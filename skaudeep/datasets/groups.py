"""Groups of clips that belong together: speakers, recordings, sites."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import Bunch

from skaudeep._texts import printable, shown
from skaudeep._warnings import find_stack_level
from skaudeep.datasets.bunch import check_bunch, replace_keys


def add_groups(bunch: Bunch, pattern: str | re.Pattern[str]) -> Bunch:
    r"""Find the group of each clip, such as its speaker or recording, in its file name.

    Predictions for clips of the same group tend to be right or wrong together. Folds therefore keep
    groups together, and confidence intervals resample groups, so that a score holds for new
    speakers or recordings.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with the keys of :func:`make_bunch`.
    pattern : str or compiled pattern
        Regular expression that is searched for in each of `filenames`, which are relative to the
        corpus with `/` between folders, anywhere in the name. The group is the text that its first
        pair of parentheses matches, or, without parentheses, its whole match.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        The data set with new `groups`. The group is "" for clips whose names do not match, or whose
        match is empty. Former groups are replaced.

    Raises
    ------
    ValueError
        If `pattern` is not a valid regular expression, or no name matches it.

    Warns
    -----
    UserWarning
        If some names do not match (each of these clips counts as a group of its own), or if all
        clips get the same group.

    Examples
    --------
    >>> from skaudeep.datasets import add_groups, make_bunch
    >>> clips = ["crow/berlin_01.wav", "crow/berlin_02.wav", "owl/oslo_01.wav"]
    >>> add_groups(make_bunch(clips, clips), r"([a-z]+)_\d+").groups.tolist()
    ['berlin', 'berlin', 'oslo']
    """
    bunch = check_bunch(bunch)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"Got the pattern {pattern!r}, which is no regular expression: {error}. Expected one "
            r"such as '(speaker\d+)'."
        ) from error
    groups = []
    for name in bunch.filenames.tolist():
        match = compiled.search(name)
        groups.append("" if match is None else match[min(1, compiled.groups)] or "")
    found = sorted(set(groups) - {""})
    names = bunch.filenames.tolist()
    if not found:
        raise ValueError(
            f"Got the pattern {_typed(compiled)}, which gives no clip a group, expected one that "
            f"occurs in the names of the clips, such as {_two(names)}.{_hint(compiled, names)}"
        )
    if missed := [name for name, group in zip(names, groups, strict=True) if not group]:
        warnings.warn(
            f"The pattern {_typed(compiled)} gives {len(missed)} of {len(names)} clips no group, "
            f"first {missed[0]!r}: each of them counts as a group of its own.",
            stacklevel=find_stack_level(),
        )
    elif len(found) == 1:
        warnings.warn(
            f"The pattern {_typed(compiled)} gives all {len(names)} clips one group, "
            f"{printable(found[0])}, expected several: nothing can be divided between them. Take "
            f"one that tells names apart, such as {_two(names)}.",
            stacklevel=find_stack_level(),
        )
    return replace_keys(bunch, groups=np.array(groups))


def _typed(pattern: re.Pattern[str]) -> str:
    """Return a pattern as it is typed: `repr` would double each backslash."""
    text = pattern.pattern
    return f"'{text}'" if text.isprintable() else repr(text)


def _two(names: list[str]) -> str:
    return " or ".join(map(shown, dict.fromkeys((names[0], names[-1]))))


def _hint(pattern: re.Pattern[str], names: list[str]) -> str:
    if pattern.pattern.startswith("^") and all("/" in name for name in names):
        return " Names begin with their folder: put '/' in place of '^'."
    return ""


def units_per_class(target: Any, groups: Any = None) -> dict[int, int]:
    """Count the groups of each class, or its clips if there are no groups: what folds can divide.

    Parameters
    ----------
    target : array-like of shape (n_clips,), int
        Class of each clip; -1 for an unlabelled clip.
    groups : array-like of shape (n_clips,), default=None
        Name of each clip's group; "", None or NaN if it is unknown.

    Returns
    -------
    dict of int to int
        The number for each class that occurs, in the order of the classes.

    Examples
    --------
    >>> units_per_class([0, 0, 1, 1, -1], ["ann", "bob", "ann", "ann", "cid"])
    {0: 2, 1: 1}
    """
    labels = np.asarray(target)
    numbers = None if groups is None else group_numbers(groups)
    units = np.arange(len(labels)) if numbers is None else numbers
    known = np.unique(labels[labels >= 0]).tolist()
    return {int(label): len(np.unique(units[labels == label])) for label in known}


def group_numbers(groups: Any) -> npt.NDArray[np.intp] | None:
    """Give each group of clips a number; None where no clip has one.

    Parameters
    ----------
    groups : array-like of shape (n_clips,)
        Name of each clip's group; "", None or NaN where unknown.

    Returns
    -------
    ndarray of shape (n_clips,) of int, or None
        Equal for clips of one group. A clip whose group is unknown has a number of its own.

    Examples
    --------
    >>> group_numbers(["ann", "bob", "ann", "", None]).tolist()
    [1, 2, 1, 8, 9]
    """
    # NumPy would turn NaN in a list of texts into a name.
    names = groups if isinstance(groups, np.ndarray) else np.array(list(groups), dtype=object)
    if names.dtype.kind == "O":
        names = np.array(["" if name is None or name != name else str(name) for name in names])
    unknown = np.isnan(names) if names.dtype.kind == "f" else np.zeros(len(names), dtype=bool)
    if names.dtype.kind == "U":
        unknown = names == ""
    if unknown.all():
        return None
    numbers = np.unique(names, return_inverse=True)[1]
    numbers[unknown] = len(names) + np.flatnonzero(unknown)
    return numbers
