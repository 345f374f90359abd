"""Checks of the sizes that a NetCDF file states, before memory is allocated by them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from skaudeep._texts import list_names, printable, shown, text_array

TEXTS = 2**10  # texts read at once
AUDEEP = (
    "features",
    "filename",
    "chunk_nr",
    "cv_folds",
    "partition",
    "label_nominal",
    "label_numeric",
)
# Variables that auDeep does not know. `lengths` is missing: NaN in the features states it as well.
OURS = ("target", "groups", "copy_of", "recorded_at", "error", "feature_names", "DESCR")
# Kinds of NumPy's types that variables may have, "U" for text.
KINDS = dict.fromkeys(("filename", "groups", "copy_of", "error", "feature_names", "DESCR"), "U") | {
    "label_nominal": "Uf"
}
TEXT_BYTES = 16  # size of the reference to a text in HDF5
# Deflate, which packs best of what HDF5 brings along, makes 1 byte of 1,032 at most.
MAX_COMPRESSION = 1032


def check_variables(dataset: netCDF4.Dataset, path: Path, size: int) -> None:
    """Raise a ValueError unless the variables are those of a data set, and fit into the file.

    Parameters
    ----------
    dataset : netCDF4.Dataset
        The open file, of which no variable is read.
    path : Path
        Its path, for messages.
    size : int
        Its size in bytes.
    """
    for name in AUDEEP:
        if name not in dataset.variables:
            raise ValueError(
                f"{printable(path)}: has no variable {name!r}, but "
                f"{list_names(sorted(dataset.variables))}; "
                "expected a data set of skaudeep or auDeep."
            )
    for name in (name for name in (*AUDEEP, *OURS) if name in dataset.variables):
        variable = dataset[name]
        first = ("instance",)
        if name == "feature_names":  # beside the last axis of the features
            first = dataset["features"].dimensions[-1:]
        if name != "DESCR" and variable.dimensions[:1] != first:
            raise ValueError(
                f"{printable(path)}: variable {name!r} has dimensions {variable.dimensions}, "
                f"expected {first[0]!r} first, as in a data set of skaudeep or auDeep."
            )
        n_axes = {"features": max(2, variable.ndim), "cv_folds": 2, "DESCR": 0}.get(name, 1)
        if name == "target" and variable.dimensions[1:] == ("class",):
            n_axes = 2
        kind = "U" if variable.dtype is str else getattr(variable.datatype, "kind", "none")
        if variable.ndim != n_axes or kind not in KINDS.get(name, "iuf"):
            raise ValueError(
                f"{printable(path)}: variable {name!r} has dimensions {variable.dimensions} and "
                f"type {variable.dtype}, expected those of a data set of skaudeep or auDeep."
            )
        item_bytes = TEXT_BYTES if kind == "U" else variable.dtype.itemsize
        n_bytes = math.prod(variable.shape) * item_bytes
        if n_bytes > MAX_COMPRESSION * size:
            raise ValueError(
                f"{printable(path)}: states {n_bytes} bytes of {name!r} by its dimensions "
                f"{variable.shape}, "
                f"which its {size} bytes cannot hold. It was cut short or never completed: write "
                "it again."
            )


def parse_attributes(
    attributes: dict[str, Any], path: str
) -> tuple[dict[str, Any], list[tuple[str, int]] | None]:
    """Return the content of the attributes, which may have been edited.

    Parameters
    ----------
    attributes : dict
        The attributes by name.
    path : str
        Path of the file, for messages.

    Returns
    -------
    meta : dict
        The attribute `skaudeep`, without entries in a file of auDeep's.
    label_map : list of (name, number), or None
        The classes, None where there are none.
    """

    def parse(name: str, default: str, check: Callable[[Any], bool]) -> Any:
        text = attributes.get(name, default)
        content = json.loads(text) if isinstance(text, str) else None
        if not isinstance(text, str) or not check(content):
            raise ValueError(
                f"{printable(path)}: has an attribute {name} of {shown(text)}, expected one as "
                "skaudeep or auDeep writes it. Restore it, or write the file again."
            )
        return content

    return parse("skaudeep", "{}", _is_meta), parse("label_map", "null", _is_label_map)


def _is_meta(content: Any) -> bool:
    if not isinstance(content, dict):
        return False
    n_chunks = content.get("n_chunks")
    return type(content.get("format", 0)) is int and (
        n_chunks is None or (type(n_chunks) is int and n_chunks > 0)
    )


def _is_label_map(content: Any) -> bool:
    pairs = [] if content is None else content
    return isinstance(pairs, list) and all(
        isinstance(pair, list) and list(map(type, pair)) == [str, int] for pair in pairs
    )


def read_column(variable: netCDF4.Variable, path: Path, size: int) -> NDArray:
    """Read a variable whole, texts as an array of str.

    Parameters
    ----------
    variable : netCDF4.Variable
        A variable that :func:`check_variables` has passed.
    path : Path
        Path of the file, for messages.
    size : int
        Size of the file in bytes.

    Returns
    -------
    ndarray
        The values.
    """
    if variable.dtype is not str or not variable.shape:
        values = np.asarray(variable[...])
        return values.astype(str) if values.dtype == np.dtype(object) else values
    # Block by block: netCDF4 keeps a copy of each text.
    texts: list[str] = []
    n_characters = 0
    for start in range(0, len(variable), TEXTS):
        texts += variable[start : start + TEXTS].tolist()
        n_characters += sum(map(len, texts[start:]))
        if n_characters > size:  # many references to one long text
            raise ValueError(
                f"{printable(path)}: repeats texts of {variable.name!r} without end, expected each "
                "once. Write it again."
            )
    return text_array(texts, f"{variable.name!r} of {str(path)!r}")
