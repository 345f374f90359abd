"""In which order clips are best named: those that stand for many first, then the doubtful ones."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.preprocessing import Normalizer, StandardScaler

from skaudeep._base import num_samples

__all__ = ["labelling_order"]

N_DOUBTFUL = 3  # of four clips, once there is a classifier; the fourth keeps spreading


def labelling_order(
    features: Any, target: Any = None, probabilities: Any = None, *, n: int | None = None
) -> np.ndarray:
    """Put unlabelled clips into the order in which naming them helps a classifier most.

    Without probabilities, clips are spread over the features: each is the one that is farthest from
    all clips that were named or chosen before it [1]_. With them, three of four are those that a
    classifier is least sure of, by the difference of its two largest probabilities [2]_, and the
    fourth is spread as before, which finds classes that the classifier does not know.

    Parameters
    ----------
    features : array-like of shape (n_clips, n_features)
        Features of all clips, such as those of `two_scales`. They are standardised, and each clip
        is scaled to length 1.
    target : array-like of shape (n_clips,), int, default=None
        Classes; -1 where unlabelled. None: no clip is labelled.
    probabilities : array-like of shape (n_clips, n_classes), default=None
        Those that a classifier gives each class. Only rows of unlabelled clips are read.
    n : int, default=None
        Number of clips wanted. None is all that are unlabelled.

    Returns
    -------
    ndarray of int
        Positions of unlabelled clips, the one to be named first at the head.

    Raises
    ------
    ValueError
        If the parameters differ in length, or a feature is not finite.

    References
    ----------
    .. [1] T. F. Gonzalez. Clustering to minimize the maximum intercluster distance. Theoretical
       Computer Science 38, 293-306, 1985.
    .. [2] T. Scheffer, C. Decomain and S. Wrobel. Active hidden Markov models for information
       extraction. Advances in Intelligent Data Analysis, 309-318, 2001.

    Examples
    --------
    >>> from skaudeep.evaluation import labelling_order
    >>> labelling_order([[0.0, 1.0], [0.1, 1.0], [5.0, 0.0]], [0, -1, -1]).tolist()
    [2, 1]
    """
    rows = np.asarray(features, dtype=np.float64)
    n_clips = len(rows)
    labels = np.full(n_clips, -1) if target is None else np.asarray(target)
    for what, values in (("target", labels), ("probabilities", probabilities)):
        if values is not None and num_samples(values) != n_clips:
            raise ValueError(
                f"Got {what} of length {num_samples(values)} for {n_clips} clips, expected one "
                "entry per clip."
            )
    if not np.isfinite(rows).all():
        raise ValueError(
            f"Got features with {int((~np.isfinite(rows).all(axis=1)).sum())} rows that are not "
            "finite, expected none; leave out clips that could not be read."
        )
    open_ = labels < 0
    wanted = int(open_.sum()) if n is None else min(_count(n), int(open_.sum()))
    if not wanted:
        return np.empty(0, dtype=np.intp)
    points = Normalizer().fit_transform(StandardScaler().fit_transform(rows))
    distance = _distance_to_named(points, ~open_)
    margin = None
    if probabilities is not None and np.shape(probabilities)[1] > 1:
        largest = np.sort(np.asarray(probabilities, dtype=np.float64), axis=1)[:, -2:]
        margin = np.where(open_, largest[:, 1] - largest[:, 0], np.inf)
    order: list[int] = []
    left = open_.copy()
    while len(order) < wanted:
        doubtful = margin is not None and len(order) % (N_DOUBTFUL + 1) != N_DOUBTFUL
        if doubtful and margin is not None:
            clip = int(np.argmin(np.where(left, margin, np.inf)))
        else:
            clip = int(np.argmax(np.where(left, distance, -np.inf)))
        order.append(clip)
        left[clip] = False
        distance = np.minimum(distance, _distance(points, points[clip]))
    return np.array(order)


def _count(n: Any) -> int:
    if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
        raise ValueError(f"Got n={n!r}, expected a whole number of at least 1, or None.")
    return int(n)


def _distance(points: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Return the squared distance of each point of length 1, or 0, to another one."""
    squares = np.einsum("ij,ij->i", points, points)
    return squares + point @ point - 2 * points @ point


def _distance_to_named(points: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Return the squared distance of each point to the nearest of those that are named.

    Where none is, it is minus that to the mean, so that the first clip is a typical one.
    """
    if not named.any():
        return -_distance(points, points.mean(axis=0)) + 100.0  # farther than any two points
    distance = np.full(len(points), np.inf)
    for clip in np.flatnonzero(named):
        distance = np.minimum(distance, _distance(points, points[clip]))
    return distance
