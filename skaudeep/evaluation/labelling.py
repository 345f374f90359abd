"""The order in which labels of clips help most: typical clips first, then uncertain ones."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.utils import check_random_state

from skaudeep._base import num_samples

__all__ = ["labelling_order"]

N_DOUBTFUL = 3  # of four clips are uncertain ones, once there is a classifier; one is typical
FIRST_ROUND = 10  # clips that are chosen by the first clustering; each further one doubles that
LAST_ROUND = 320  # clips that are chosen by the last one; the others follow, cluster by cluster
N_COMPONENTS = 50
N_NEIGHBOURS = 10
MAX_COMPARED = 1000  # clips of a cluster that are compared with each other


def labelling_order(
    features: Any,
    target: Any = None,
    probabilities: Any = None,
    *,
    n: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> np.ndarray:
    """Order unlabelled clips by how much their labels help a classifier (active learning).

    Without `probabilities`, typical clips are chosen [1]_, in rounds of 10, 20, 40, ..., 320 clips.
    In each round the clips are divided into as many clusters as there are labelled clips, chosen
    clips and clips of the round together. From each cluster, those with the fewest labelled or
    chosen clips first and of these the largest first, the clip whose neighbours in the cluster
    are nearest to it is chosen. After the clips of the last round, all others follow, in turn one
    of each of its clusters. With `probabilities`, three clips about which the classifier is least
    certain, by the difference of its two largest probabilities [2]_, and one typical clip follow in
    turn, so that classes which the classifier does not know are found.

    Parameters
    ----------
    features : array-like of shape (n_clips, n_features)
        Features of all clips, labelled or not, such as those of `two_scales`. They are standardised
        here, each row is then scaled to length 1, and at most 50 principal components are compared.
    target : array-like of shape (n_clips,), default=None
        Classes of the clips, as numbers or names. -1, NaN, None or "" stands for an unlabelled
        clip. None: no clip is labelled.
    probabilities : array-like of shape (n_clips, n_classes), default=None
        Probabilities of the classes for all clips, by a classifier. Only rows of unlabelled clips
        are used. None, or probabilities of a single class: there is no classifier yet, and typical
        clips are chosen.
    n : int, default=None
        Number of clips to choose, at least 1; if fewer are unlabelled, all of them are chosen. None
        orders all unlabelled clips.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the initial cluster centres. None draws others in each call.

    Returns
    -------
    ndarray of shape (n_chosen,), int
        Positions of unlabelled clips in `features`, the most useful ones first. Empty if all clips
        are labelled.

    Raises
    ------
    ValueError
        If the parameters differ in length, a feature is not finite, or `n` is not an integer of at
        least 1.

    References
    ----------
    .. [1] G. Hacohen, A. Dekel and D. Weinshall. Active learning on a budget: opposite strategies
       suit high and low budgets. ICML 2022.
    .. [2] T. Scheffer, C. Decomain and S. Wrobel. Active hidden Markov models for information
       extraction. Advances in Intelligent Data Analysis, 309-318, 2001.

    Examples
    --------
    There are ten kinds of sounds with five clips each. The first ten clips are one of each kind.

    >>> import numpy as np
    >>> from skaudeep.evaluation import labelling_order
    >>> features = np.repeat(np.eye(10), 5, axis=0)
    >>> features += np.random.default_rng(0).normal(scale=0.01, size=features.shape)
    >>> sorted((labelling_order(features, n=10, random_state=0) // 5).tolist())
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    rows = np.asarray(features, dtype=np.float64)
    n_clips = len(rows)
    for what, values in (("target", target), ("probabilities", probabilities)):
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
    labelled = np.zeros(n_clips, dtype=bool) if target is None else _labelled(target)
    n_open = int((~labelled).sum())
    wanted = n_open if n is None else min(_count(n), n_open)
    if not wanted:
        return np.empty(0, dtype=np.intp)
    rng = check_random_state(random_state)
    if probabilities is None or np.shape(probabilities)[1] < 2:
        return np.array(_spread(rows, labelled, wanted, rng))
    spread = _spread(rows, labelled, wanted, rng)
    largest = np.sort(np.asarray(probabilities, dtype=np.float64), axis=1)[:, -2:]
    margin = np.where(labelled, np.inf, largest[:, 1] - largest[:, 0])
    doubtful = np.argsort(margin, kind="stable")[:n_open].tolist()
    return np.array(_interleave(doubtful, spread, wanted))


def _labelled(target: Any) -> np.ndarray:
    """Return which clips have a label, of several classes or values all of them."""
    values = np.asarray(target, dtype=object)  # which keeps NaN in a list of names
    known = ~np.asarray(pd.isna(values), dtype=bool)
    known[known] = [
        value != "" if isinstance(value, str) else not value < 0 for value in values[known]
    ]
    return np.asarray(known if known.ndim == 1 else known.all(axis=1))


def _count(n: Any) -> int:
    if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
        raise ValueError(f"Got n={n!r}, expected a whole number of at least 1, or None.")
    return int(n)


def _interleave(doubtful: list[int], spread: list[int], wanted: int) -> list[int]:
    """Take three of one list, then one of the other, each clip once."""
    sources = {True: iter(doubtful), False: iter(spread)}
    order: dict[int, None] = {}
    while len(order) < wanted:
        first = len(order) % (N_DOUBTFUL + 1) != N_DOUBTFUL
        for source in (sources[first], sources[not first]):
            clip = next((clip for clip in source if clip not in order), None)
            if clip is not None:
                order[clip] = None
                break
    return list(order)


def _spread(
    rows: np.ndarray, named: np.ndarray, wanted: int, rng: np.random.RandomState
) -> list[int]:
    """Choose typical clips of clusters in which none is named, the largest cluster first."""
    points = Normalizer().fit_transform(StandardScaler().fit_transform(rows))
    n_components = min(N_COMPONENTS, *points.shape)
    if np.ptp(points, axis=0).any():
        points = PCA(n_components, svd_solver="full").fit_transform(points)
    covered = named.copy()
    order: list[int] = []
    size = FIRST_ROUND
    while len(order) < wanted:
        last = size >= LAST_ROUND
        n_clusters = min(int(covered.sum()) + size, len(np.unique(points, axis=0)))
        clusters = _clusters(points, n_clusters, rng)
        typical = [_typical_first(points, np.flatnonzero(clusters == c)) for c in set(clusters)]
        typical.sort(key=lambda clips: (covered[clips].sum(), -len(clips)))
        queues = [[clip for clip in clips if not covered[clip]] for clips in typical]
        if last:  # one of each cluster in turn
            depth = max(map(len, queues))
            chosen = [queue[i] for i in range(depth) for queue in queues if i < len(queue)]
        else:
            chosen = [queue[0] for queue in queues if queue][:size]
        order += chosen
        covered[chosen] = True
        size *= 2
    return order[:wanted]


def _clusters(points: np.ndarray, n_clusters: int, rng: np.random.RandomState) -> np.ndarray:
    seed = rng.randint(2**31 - 1)
    with warnings.catch_warnings():
        # Clips that are all but alike may give fewer clusters, which does as well.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KMeans(n_clusters, n_init=1, random_state=seed).fit_predict(points)


def _typical_first(points: np.ndarray, clips: np.ndarray) -> np.ndarray:
    """Sort the clips of a cluster by the mean distance to their nearest neighbours in it."""
    compared = clips[:MAX_COMPARED]
    distance = np.sort(pairwise_distances(points[compared]), axis=1)
    order = np.argsort(distance[:, 1 : N_NEIGHBOURS + 1].sum(axis=1), kind="stable")
    return np.concatenate([compared[order], clips[MAX_COMPARED:]])
