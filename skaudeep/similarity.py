"""A function that finds the clips of an archive that are most similar to a given clip."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch

from skaudeep._texts import list_names, shown
from skaudeep.datasets.bunch import check_bunch
from skaudeep.datasets.operations import is_labelled

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 1024  # rows that are read together


def similar_clips(bunch: Bunch, clip: str | ArrayLike, *, n: int = 10) -> pd.DataFrame:
    """Find the clips whose features are most similar to those of a given clip.

    Features are standardised by their means and standard deviations over all clips of the data set
    whose features are finite; a feature that is the same for all clips is only centred. The
    similarity of two clips is the cosine of the angle between their standardised features. The data
    are read twice, a block of rows at a time, so that they need not fit into memory.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set whose `data` are features of clips, or of windows of recordings, of shape
        (n_clips, n_features). :func:`~skaudeep.transform_to_file` writes such a data set, and
        ``skaudeep.load_netcdf(path, lazy=True)`` reads one that does not fit into memory.
    clip : str or array-like of shape (n_features,)
        Name of a clip of the data set, as in its `filenames`; this clip is then left out of the
        result. Of several clips of this name, the first is taken. Or the features of another clip,
        as they are, not standardised.
    n : int > 0, default=10
        Largest number of clips to find.

    Returns
    -------
    pandas.DataFrame
        A row for each clip that was found, the most similar first, with the columns `file` (its
        name in `filenames`), `label` (the name of its class; "" for an unlabelled clip, and for all
        clips if the target is not one class for each clip) and `similarity` in [-1, 1]. Clips whose
        features are not all finite, such as the NaN of a clip that could not be read, are left out.
        There are fewer than `n` rows if fewer clips are left.

    Raises
    ------
    ValueError
        If `data` does not have a row of features for each clip, no clip has the given name, the
        given features, or those of the named clip, have another length or are not finite, or `n` is
        not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep import similar_clips
    >>> from skaudeep.datasets import make_bunch
    >>> angles = np.array([0.0, 0.1, 3.0, 0.2, 2.0, 4.0])
    >>> features = np.column_stack([np.cos(angles), np.sin(angles)])
    >>> similar_clips(make_bunch(features, list("abcdef")), "a", n=2)["file"].tolist()
    ['b', 'd']

    The clips that are most similar to the features of a new clip:

    >>> similar_clips(make_bunch(features, list("abcdef")), [-1.0, 0.1], n=1)["file"].tolist()
    ['c']
    """
    import pandas as pd

    bunch = check_bunch(bunch)
    if len(bunch.dims) != 2 or "feature" not in bunch.dims:
        raise ValueError(
            f"Got data with the axes {tuple(bunch.dims)}, expected features with one row per clip. "
            "'skaudeep transform' and skaudeep.transform_to_file compute them from recordings."
        )
    if n < 1:
        raise ValueError(f"Got n={n}, expected at least 1.")
    names = bunch.filenames.tolist()
    n_features = bunch.data.shape[1]
    own = -1
    if isinstance(clip, str):
        if clip not in names:
            raise ValueError(
                f"Got clip={shown(clip)}, expected one of those in the archive: "
                f"{list_names(names, clip)}."
            )
        own = names.index(clip)
        given = np.asarray(bunch.data[own : own + 1], dtype=float)[0]
        what = f"clip {shown(clip)}"
    else:
        given, what = np.asarray(clip, dtype=float), "the clip"
    if given.shape != (n_features,) or not np.isfinite(given).all():
        raise ValueError(
            f"Got features of {what} of shape {given.shape}, some of them perhaps not finite, "
            f"expected {n_features} finite numbers. A clip that could not be read has none."
        )
    (similarity,) = similarities(bunch.data, given[None])
    if own >= 0:
        similarity[own] = -np.inf
    order = np.argsort(-similarity, kind="stable")[:n]
    order = order[np.isfinite(similarity[order])]
    labelled = is_labelled(bunch)
    classes = bunch.target_names if np.ndim(bunch.target) == 1 else []
    labels = [
        str(classes[bunch.target[row]]) if len(classes) and labelled[row] else "" for row in order
    ]
    return pd.DataFrame(
        {
            "file": [names[row] for row in order],
            "label": labels,
            "similarity": np.clip(similarity[order], -1, 1),
        }
    )


def similarities(data: Any, given: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how similar all clips are to given ones, as :func:`similar_clips` compares them.

    Parameters
    ----------
    data : array-like of shape (n_clips, n_features)
        Features of the clips, which are read twice, a block of rows at a time.
    given : ndarray of shape (n_given, n_features)
        Finite features.

    Returns
    -------
    ndarray of shape (n_given, n_clips)
        Cosines; -inf for clips whose features are not finite.

    Examples
    --------
    >>> similarities(np.array([[0.0, 1], [0, 3], [1, 1]]), np.array([[0.0, 3]])).round(2).tolist()
    [[-0.32, 1.0, -0.8]]
    """
    mean, scale = _moments(data)
    given = _of_length_1((given - mean) / scale)
    found = np.full((len(given), len(data)), -np.inf)
    for rows, values in _blocks(data):
        found[:, rows] = given @ _of_length_1((values - mean) / scale).T
    return found


def _of_length_1(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)


def _blocks(data: Any) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Yield the numbers of rows whose features are finite, and these features."""
    for start in range(0, len(data), BLOCK):
        values = np.asarray(data[start : start + BLOCK], dtype=float)
        finite = np.isfinite(values).all(axis=1)
        yield start + np.flatnonzero(finite), values[finite]


def _moments(data: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each feature, 1 where it is constant."""
    count, mean, squares = 0, np.zeros(data.shape[1]), np.zeros(data.shape[1])
    for _, values in _blocks(data):
        if not len(values):
            continue
        # Chan's formula merges the moments of blocks; plain sums of squares would cancel.
        apart, total = values.mean(axis=0) - mean, count + len(values)
        squares += values.var(axis=0) * len(values) + apart**2 * count * len(values) / total
        mean += apart * len(values) / total
        count = total
    deviation = np.sqrt(squares / max(1, count))
    return mean, np.where(deviation > 1e-6 * np.abs(mean), deviation, 1.0)
