"""A ranking of clips, whose scores under many weights need it sorted once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import rankdata

__all__ = ["Ranking", "wrong_shares"]

Floats = NDArray[np.float64]


class Ranking:
    """Clips in the order of their scores, of which bootstrap samples draw some several times.

    What weights change are sums over the clips between two that have the class: a sparse matrix
    says which, and its product with the weights of all samples gives them.

    Parameters
    ----------
    has : ndarray of shape (n_entries,), bool
        What has the class.
    scores : ndarray of shape (n_entries,), float
        Equal ones share a place.
    n_clips : int
        Number of clips, of which each has as many entries, one after the other: one, or one for
        each of several classes in one ranking.
    """

    def __init__(self, has: NDArray[np.bool_], scores: Floats, n_clips: int) -> None:
        order = np.argsort(-scores)
        ordered, has = scores[order], has[order]
        place = np.cumsum(np.append(True, ordered[1:] != ordered[:-1])) - 1
        with_class = np.unique(place[has])  # places at which something has the class
        n = len(with_class)
        n_above = np.searchsorted(with_class, place)
        at_one = np.append(with_class, -1)[n_above] == place
        self.entries_per_clip = len(scores) // n_clips
        clip = order // self.entries_per_clip
        # Row 2 i of the matrix is between places i - 1 and i, row 2 i + 1 is place i.
        self._all = _counts(2 * n_above + at_one, clip, (2 * n + 1, n_clips))
        self._with_class = _counts(n_above[has], clip[has], (n, n_clips))

    def average_precisions(self, weights: Floats) -> Floats:
        """Return average precisions, NaN where no clip of weight above 0 has the class.

        Parameters
        ----------
        weights : ndarray of shape (n_rows, n_clips)

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        found = []
        for part in self._parts(weights):
            drawn = self._with_class @ part
            up_to = np.cumsum(self._all @ part, axis=0)[1::2]
            precision = np.divide(
                np.cumsum(drawn, axis=0), up_to, out=np.zeros_like(drawn), where=up_to > 0
            )
            found.append(_ratio((drawn * precision).sum(axis=0), drawn.sum(axis=0)))
        return np.concatenate(found)

    def roc_areas(self, weights: Floats) -> Floats:
        """Return areas under ROC curves, NaN where clips with or without the class are missing.

        Parameters
        ----------
        weights : ndarray of shape (n_rows, n_clips)

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        found = []
        for part in self._parts(weights):
            drawn = self._with_class @ part
            of_all, of_class = np.cumsum(self._all @ part, axis=0), np.cumsum(drawn, axis=0)
            n_with = drawn.sum(axis=0)
            without = of_all[-1] - n_with
            # Without the class and above a place, half of those at the place.
            above = (of_all[:-1:2] + drawn + of_all[1::2]) / 2 - of_class
            found.append(_ratio((drawn * (without - above)).sum(axis=0), without * n_with))
        return np.concatenate(found)

    def _parts(self, weights: Floats) -> list[Floats]:
        """Divide the rows of weights, as several entries of a clip take as much more memory."""
        n_parts = min(self.entries_per_clip, len(weights))
        return [np.ascontiguousarray(part.T) for part in np.array_split(weights, n_parts)]


def wrong_shares(scores: Any, has: NDArray[np.bool_]) -> Floats:
    """Return, for each clip, the share of the clips of the other kind that are ranked wrongly.

    Parameters
    ----------
    scores : array-like of shape (n_clips,)
        Those with the class should have higher ones.
    has : ndarray of shape (n_clips,), bool
        Which have the class; there are some of either kind.

    Returns
    -------
    ndarray of shape (n_clips,)
        Equal scores count as one half.

    Examples
    --------
    >>> wrong_shares([0.9, 0.2, 0.5, 0.1], np.array([True, True, False, False])).tolist()
    [0.0, 0.5, 0.5, 0.0]
    """
    scores = np.asarray(scores, dtype=np.float64)
    # The rank among all minus the rank among its own kind is the number of others below.
    below = rankdata(scores)
    for own in (has, ~has):
        below[own] -= rankdata(scores[own])
    return np.where(has, 1 - below / (~has).sum(), below / has.sum())


def _counts(rows: NDArray[np.intp], columns: NDArray[np.intp], shape: tuple[int, int]) -> Any:
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
