"""Features as points in a plane, near one another where clips sound alike."""

from importlib import import_module
from types import ModuleType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

__all__ = ["project"]

Method = Literal["tsne", "pca", "umap"]

N_COMPONENTS = 50  # Neighbours hardly change with more, and distances are found faster.
PERPLEXITY = 30.0  # of t-SNE where clips are many: about the number of neighbours that count
N_NEIGHBORS = 15  # of UMAP, likewise
FEW_CLIPS = 4  # Fewer have no neighbours to keep: their principal components are the picture.


def project(
    features: ArrayLike, *, method: Method = "tsne", random_state: Any = None
) -> NDArray[np.float32]:
    """Place clips in a plane, so that clips with similar features are near one another.

    Features are standardised, each row is scaled to unit norm, as before a classifier, and the
    first principal components, at most 50, are given to the method.

    Parameters
    ----------
    features : array-like of shape (n_clips, n_features)
        Features, one row for each clip.
    method : {"tsne", "pca", "umap"}, default="tsne"
        ``"tsne"`` keeps neighbours together, ``"pca"`` distances between far clips. ``"umap"``
        keeps neighbours, too, and needs the package umap-learn. Fewer than 4 clips are placed by
        ``"pca"`` in any case.
    random_state : int, RandomState instance or None, default=None
        Seed of ``"tsne"`` and ``"umap"``. An int gives the same result each time.

    Returns
    -------
    ndarray of shape (n_clips, 2), float32
        Places of the clips. They have no unit.

    Raises
    ------
    ImportError
        If `method` is "umap" and umap-learn is not installed.
    ValueError
        If features have another number of axes, no row or no column, or NaN or infinite values;
        or if `method` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.plotting import project
    >>> rng = np.random.default_rng(0)
    >>> low, high = rng.normal(-1, 0.1, (5, 8)), rng.normal(1, 0.1, (5, 8))
    >>> places = project(np.vstack([low, high]), method="pca")
    >>> places.shape, bool(np.ptp(places[:5, 0]) < abs(places[0, 0] - places[-1, 0]))
    ((10, 2), True)
    """
    if method not in get_args(Method):
        raise ValueError(f"Got method={method!r}; choose {', '.join(map(repr, get_args(Method)))}.")
    umap = _import_umap() if method == "umap" else None
    X = _check_features(features)
    n_clips = len(X)
    steps = make_pipeline(
        StandardScaler(),
        Normalizer(),
        PCA(min(N_COMPONENTS, *X.shape), random_state=random_state),
    )
    with np.errstate(invalid="ignore"):  # The share of no variance, where all clips are alike.
        components = steps.fit_transform(X).astype(np.float32, copy=False)
    if np.allclose(components, components[0], atol=1e-6):
        return np.zeros((n_clips, 2), np.float32)
    if n_clips < FEW_CLIPS or method == "pca":
        places = components[:, :2]
    elif umap is None:
        perplexity = min(PERPLEXITY, (n_clips - 1) / 3)  # the most that its neighbours allow for
        init = "pca" if components.shape[1] > 1 else "random"
        tsne = TSNE(perplexity=perplexity, init=init, random_state=random_state)
        places = tsne.fit_transform(components)
    else:
        mapper = umap.UMAP(
            n_neighbors=min(N_NEIGHBORS, n_clips - 1),
            init="spectral" if n_clips > N_NEIGHBORS else "random",
            random_state=random_state,
            n_jobs=-1 if random_state is None else 1,  # With a seed it takes no more, and says so.
        )
        places = mapper.fit_transform(components)
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1]))).astype(np.float32, copy=False)


def _import_umap() -> ModuleType:
    # By its name, since no extra of ours declares it.
    try:
        return import_module("umap")
    except ImportError as error:
        raise ImportError(
            "method='umap' needs umap-learn, which is not installed; get it with "
            "pip install umap-learn, or take method='tsne'."
        ) from error


def _check_features(features: ArrayLike) -> NDArray:
    X = np.asarray(features)
    if X.ndim != 2 or not X.size:
        raise ValueError(
            f"Got features of shape {X.shape}, expected (n_clips, n_features) with at least one of "
            "each; pool the chunks of a clip with ChunkPooling."
        )
    X = X.astype(np.float32, copy=False) if X.dtype != np.float64 else X
    bad = np.flatnonzero(~np.isfinite(X).all(axis=1))
    if len(bad):
        raise ValueError(
            f"Got NaN or infinite features in {len(bad)} of {len(X)} rows, the first of them row "
            f"{bad[0]}, expected finite ones; leave out these clips, which perhaps could not be "
            "read."
        )
    return X
