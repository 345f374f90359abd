"""The target of a data set: one or several classes or values for each clip; its rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def find_target_faults(bunch: Mapping[str, Any]) -> Iterator[str]:
    """List the rules about `target` that a data set breaks; see :func:`bunch.find_faults`."""
    if "target" not in bunch:
        return
    labels = np.asarray(bunch["target"])
    class_names = bunch.get("target_names")
    if labels.ndim == 2 and labels.dtype.kind in "iu":
        yield from _several_classes_faults(bunch, labels, class_names)
        return
    if labels.ndim == 2 and labels.dtype.kind == "f" and labels.shape[1]:
        yield from _several_values_faults(bunch, labels, class_names)
        return
    if labels.ndim != 1 or labels.dtype.kind not in "iuf":
        yield (
            f"Got target of shape {labels.shape} and dtype {labels.dtype}, expected one integer "
            "(class) or one float (regression) per clip, or a column for each of several."
        )
        return
    if labels.dtype.kind == "f":
        if class_names:
            yield (
                f"Got a float target with {len(class_names)} target_names, expected integers for "
                "classes or no target_names for regression."
            )
            return
        wrong = np.isinf(labels)
        expected = "a finite number, or NaN where unlabelled"
    else:
        wrong = labels.astype(np.int64) < -1
        expected = "a class number from 0, or -1 where unlabelled"
        if class_names is not None:
            wrong |= labels.astype(np.int64) >= len(class_names)
            expected = f"an index into the {len(class_names)} target_names, or -1 where unlabelled"
    if wrong.any():
        row = int(np.argmax(wrong))
        yield f"Got target {labels[row]} for {clip_name(bunch, row)}, expected {expected}."


def _several_classes_faults(
    bunch: Mapping[str, Any], labels: npt.NDArray[Any], class_names: Sequence[str] | None
) -> Iterator[str]:
    if class_names is not None and labels.shape[1] != len(class_names):
        yield (
            f"Got target of shape {labels.shape} with {len(class_names)} target_names, expected a "
            "column for each."
        )
        return
    wrong = ~(np.isin(labels, (0, 1)).all(axis=1) | (labels == -1).all(axis=1))
    if wrong.any():
        row = int(np.argmax(wrong))
        yield (
            f"Got target {labels[row].tolist()} for {clip_name(bunch, row)}, expected 0 or 1 for "
            "each class, or -1 throughout where unlabelled."
        )


def _several_values_faults(
    bunch: Mapping[str, Any], values: npt.NDArray[Any], names: Sequence[str] | None
) -> Iterator[str]:
    if names and values.shape[1] != len(names):
        yield (
            f"Got target of shape {values.shape} with {len(names)} target_names, expected a "
            "column of values for each, or no names."
        )
        return
    wrong = np.isinf(values).any(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        yield (
            f"Got target {values[row].tolist()} for {clip_name(bunch, row)}, expected finite "
            "numbers, or NaN where unlabelled."
        )


def clip_name(bunch: Mapping[str, Any], row: int) -> str:
    """Return what a message calls a clip."""
    names = bunch.get("filenames")
    if names is None:
        return f"clip {row}"
    name = f"clip {str(names[row])!r}"
    return name if "chunk_nr" not in bunch else f"{name} (row {row})"
