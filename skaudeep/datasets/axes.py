"""The axes of the data of clips: how many there are, what each is, and the rules about that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

# Default names of the axes of `data`, by the number of axes.
DEFAULT_DIMS = {
    1: ("clip",),
    2: ("clip", "feature"),
    3: ("clip", "frame", "band"),
    4: ("clip", "chunk", "frame", "band"),
}
_STANDARD_DIMS = {"clip", "chunk", "frame", "band", "feature", "channel", "sample"}


def count_axes(data: Any) -> int:
    """Count the axes of the data of clips in any container, without reading arrays on disk.

    Clips, which are paths or a (file, start, end) index, have one axis; so do lists whose rows
    differ in their number of axes.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.datasets.axes import count_axes
    >>> count_axes(["a.wav"]), count_axes([np.zeros((3, 8)), np.zeros((2, 8))])
    (1, 3)
    """
    if is_segment_index(data):
        return 1
    shape = getattr(data, "shape", None)
    if shape is not None and (len(shape) != 1 or getattr(data, "dtype", None) != np.dtype(object)):
        return len(shape)
    n_axes = {np.ndim(row) for row in data}
    return 1 + n_axes.pop() if len(n_axes) == 1 else 1


def is_segment_index(data: Any) -> bool:
    """Return whether data are a pandas (file, start, end) index, or an object that carries one."""
    index = getattr(data, "index", data)
    return list(getattr(index, "names", None) or []) == ["file", "start", "end"]


def default_dims(n_axes: int) -> tuple[str, ...]:
    """Return the default names of the axes of data, by the number of axes."""
    numbered = ("clip", *(f"axis_{number}" for number in range(1, n_axes)))
    return DEFAULT_DIMS.get(n_axes, numbered)


def find_dims_faults(bunch: Mapping[str, Any]) -> Iterator[str]:
    """List the rules about `dims` that a data set breaks; see :func:`bunch.find_faults`."""
    dims = bunch.get("dims")
    if dims is None or "data" not in bunch:
        return
    if (
        not isinstance(dims, list | tuple)
        or not all(isinstance(name, str) and name for name in dims)
        or len(set(dims)) < len(dims)
        or not dims
        or dims[0] != "clip"
        or "chunk" in dims[2:]
    ):
        yield (
            f"Got dims {dims!r}, expected distinct names of the axes of data, 'clip' first and "
            "'chunk', where there are chunks, second, such as ('clip', 'chunk', 'feature')."
        )
        return
    n_axes = count_axes(bunch["data"])
    # Data that a user replaced get default names. With three axes, after data in chunks, these are
    # ambiguous: the data may be features of chunks, or frames without chunks.
    unclear = not _STANDARD_DIMS.issuperset(dims) or (n_axes == 3 and "chunk" in dims)
    if len(dims) != n_axes and unclear:
        yield dims_differ(bunch)


def dims_differ(bunch: Mapping[str, Any]) -> str:
    """Return the sentence about `dims` that are not as many as the axes of the data."""
    n_axes = count_axes(bunch["data"])
    return (
        f"Got dims {tuple(bunch['dims'])} for data with {n_axes} axes, expected a name for each. "
        "Where data were replaced, replace dims with them, by ('clip', 'chunk', 'feature') for "
        "features of chunks; or delete dims to go by the number of axes."
    )
