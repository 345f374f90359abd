"""Converts conditions of clips, such as sites or speakers, into numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from skaudeep._texts import SHOWN_NAMES, list_names, shown, text_array

MISSING = -1


def read_condition(
    estimator: Any,
    condition: Any,
    shape: tuple[int, ...],
    *,
    reset: bool,
    training: bool = True,
) -> NDArray[np.int64] | None:
    """Check the conditions of the clips of X, number them, and set or compare `conditions_`.

    Parameters
    ----------
    estimator : estimator
        Gets `conditions_` where `reset` and there are conditions, and loses it where there are
        none.
    condition : array-like of shape (n_clips,), or None
        Integers or strings. None, NaN and "" stand for a condition that is not known.
    shape : tuple of int
        ``(n_clips,)``, or ``(n_clips, n_chunks)``.
    reset : bool
        True in a `fit` from new weights, False afterwards.
    training : bool, default=True
        Whether a network that was trained with conditions needs them again. Otherwise those of all
        clips may be unknown, by None.

    Returns
    -------
    ndarray of shape (n_sequences,), int64, or None
        Number of the condition of each sequence in `conditions_`, `MISSING` where it is not known;
        each chunk has that of its clip. None where there are no conditions.

    Raises
    ------
    ValueError
        If there is not one condition per clip, they are no categories, none is known, or one was
        not there in `fit`.
    """
    known = None if reset else vars(estimator).get("conditions_")
    if reset:
        vars(estimator).pop("conditions_", None)
    elif condition is not None and known is None:
        raise ValueError(
            f"Got a condition, but this {type(estimator).__name__} was fitted without. Leave it "
            "out, or fit again with condition=."
        )
    if condition is None:
        if known is not None and training:
            raise ValueError(
                f"This {type(estimator).__name__} was fitted with conditions, {_listed(known)}, "
                "and got none to go on with: its code would learn to hold them again. Give "
                "condition=, with None for clips whose condition is not known."
            )
        return None
    values = _values(condition, shape[0])
    if known is None:
        known = _categories(values)
        estimator.conditions_ = known
    return np.repeat(_numbers(values, known), int(np.prod(shape[1:])))


def _values(condition: Any, n_clips: int) -> list[int | str | None]:
    """Return the conditions as integers or strings, None where one is not known."""
    listed = isinstance(condition, list | tuple)
    if not listed and np.ndim(condition) == 0:  # a string, too
        raise ValueError(
            f"Got condition={shown(condition)}, expected an array of one condition per clip, "
            f"which are {n_clips}."
        )
    if not listed and np.ndim(condition) != 1:
        raise ValueError(
            f"Got a condition of shape {np.shape(condition)}, expected ({n_clips},): one integer "
            "or string per clip. Where a clip has several conditions, join them in one string."
        )
    values = [_value(item, place) for place, item in enumerate(_items(condition))]
    if len(values) != n_clips:
        raise ValueError(
            f"Got {len(values)} conditions and {n_clips} clips, expected one condition per clip; "
            "chunks have that of their clip."
        )
    kinds = {type(value): place for place, value in enumerate(values) if value is not None}
    if len(kinds) > 1:
        number, text = values[kinds[int]], values[kinds[str]]
        raise ValueError(
            f"Got conditions that are integers and strings, such as {number} and {shown(text)}, "
            "expected one of both. Make strings of all, but for None where unknown."
        )
    return values


def _items(condition: Any) -> Iterable[Any]:
    if isinstance(condition, list | tuple):  # NumPy would make a name of None among texts
        return condition
    if isinstance(condition, Tensor):
        condition = condition.detach().cpu().numpy()
    return np.asarray(condition, dtype=object).tolist()


def _listed(known: NDArray, wanted: object = None) -> str:
    if known.dtype.kind == "U":
        return list_names(known, wanted)
    numbers = ", ".join(map(str, known[:SHOWN_NAMES]))
    return numbers if len(known) <= SHOWN_NAMES else f"{numbers}, ... (the first of {len(known)})"


def _value(item: Any, place: int) -> int | str | None:
    if isinstance(item, np.generic):
        item = item.item()
    if isinstance(item, str):
        return str(item) or None
    if isinstance(item, int):
        if abs(item) >= 2**63:
            raise ValueError(f"Got condition {item} at position {place}, expected 64 bits at most.")
        return int(item)  # False and True are 0 and 1
    if isinstance(item, float) and item.is_integer():
        return int(item)  # pandas makes floats of integers where one is missing
    if item is None or type(item).__name__ in ("NAType", "NaTType") or item != item:
        return None
    raise ValueError(
        f"Got a condition of type {type(item).__name__}, {shown(item)} at position {place}, "
        "expected an integer, a string, or None where it is not known. Of a continuous quantity "
        "make classes, such as those of numpy.digitize."
    )


def _categories(values: list[int | str | None]) -> NDArray:
    """Return the conditions that occur, in their order."""
    found: list[Any] = sorted({value for value in values if value is not None})
    if not found:
        raise ValueError(
            f"None of the {len(values)} conditions is known: all are None, NaN or ''. Leave "
            "condition= out, or give those that are known."
        )
    if isinstance(found[0], str):
        return text_array(found, "condition")
    return np.array(found, dtype=np.int64)


def _numbers(values: list[int | str | None], known: NDArray) -> NDArray[np.int64]:
    """Return the place of each condition among those that are known, `MISSING` where it has none.

    Raises
    ------
    ValueError
        If `fit` has not seen one.
    """
    names = known.tolist()
    places = {name: place for place, name in enumerate(names)} | {None: MISSING}
    for place, value in enumerate(values):
        if value not in places:
            got = shown(value) if isinstance(value, str) else value
            raise ValueError(
                f"Got condition {got} at position {place}, which fit has not seen; it knows "
                f"{_listed(known, value)}. Give None where a condition is not among these, or "
                "fit with all of them at once."
            )
    return np.array([places[value] for value in values], dtype=np.int64)
