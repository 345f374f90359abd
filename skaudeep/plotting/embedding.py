"""Plots of features as points in a plane, in which similar clips are near one another."""

import warnings
from collections.abc import Sequence
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skaudeep._texts import list_names, shown
from skaudeep.plotting.pyplot import fit_figure, import_pyplot, literal, require_classes

__all__ = ["EmbeddingDisplay", "project"]

Method = Literal["tsne", "pca", "umap"]

METHODS = {"tsne": "t-SNE", "pca": "principal components", "umap": "UMAP"}
UNLABELLED = "#b0b0b0"
# Ten colours and twelve markers distinguish 120 classes. Neighbouring classes differ in both.
COLORS = (
    "#1f77b4",
    "#ff7f0e",
    "#2ca02c",
    "#d62728",
    "#9467bd",
    "#8c564b",
    "#e377c2",
    "#bcbd22",
    "#17becf",
    "#222222",
)
MARKERS = "os^DvPX*<>phd"
LEGEND_ROWS = 26
WIDTH = 5.5  # inches of the axes of a new figure
RATIOS = (0.6, 1.0)  # limits of the ratio of height to width, which follows the extent of points
N_COMPONENTS = 50  # more components hardly change the neighbours, and take more time
PERPLEXITY = 30.0  # of t-SNE for many clips: about the number of neighbours that it keeps together
N_NEIGHBORS = 15  # of UMAP: the number of neighbours that it keeps together
FEW_CLIPS = 4  # with fewer clips, their principal components are shown


def project(
    features: ArrayLike, *, method: Method = "tsne", random_state: Any = None
) -> NDArray[np.float32]:
    """Compute positions of clips in a plane in which clips with similar features are near.

    Features are standardised and each row is scaled to Euclidean length 1, as
    :func:`skaudeep.recipes.linear_classifier` does. The method then works on the first principal
    components of these, at most 50.

    Parameters
    ----------
    features : array-like of shape (n_clips, n_features)
        Finite features, one row for each clip.
    method : {"tsne", "pca", "umap"}, default="tsne"
        The method. ``"tsne"`` (t-SNE) and ``"umap"`` (UMAP, which needs the package umap-learn)
        place clips near their neighbours, but large distances mean little; ``"pca"`` shows the
        first two principal components, which preserves large distances. Fewer than 4 clips are
        placed by ``"pca"`` in any case.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of ``"tsne"`` and ``"umap"``. An int gives the same result each time, None
        another one.

    Returns
    -------
    ndarray of shape (n_clips, 2), float32
        Positions of the clips, without a unit. All are 0 if the features of all clips are the same,
        or if there is a single clip. The second column is 0 for ``"pca"`` with a single feature.

    Raises
    ------
    ImportError
        If `method` is "umap" and umap-learn is not installed.
    ValueError
        If features do not have two axes, have no row or no column, or NaN or infinite values; or if
        `method` is unknown.

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
    with np.errstate(invalid="ignore"):  # equal clips have no variance, and shares of it are NaN
        components = steps.fit_transform(X).astype(np.float32, copy=False)
    if np.allclose(components, components[0], atol=1e-6):
        return np.zeros((n_clips, 2), np.float32)
    if n_clips < FEW_CLIPS or method == "pca":
        places = components[:, :2]
    elif umap is None:
        perplexity = min(PERPLEXITY, (n_clips - 1) / 3)  # the largest for so few clips
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


class EmbeddingDisplay:
    """Plot of clips as points in a plane, with a colour and a marker for each class.

    `plot` draws it; `from_features` and `from_evaluation` make and draw it.

    Parameters
    ----------
    positions : array-like of shape (n_clips, 2)
        Positions of the clips, as :func:`~skaudeep.plotting.project` returns them. They are finite.
    target : array-like of shape (n_clips,), int or str, default=None
        Class of each clip: its number in `target_names`, or -1 for an unlabelled clip; or its name,
        or "" for an unlabelled clip. None: all clips are unlabelled.
    target_names : sequence of str, default=None
        Class names, in the order of the integers; the legend shows them. None names classes by
        their numbers, or, if `target` holds names, takes these, sorted. There is no legend if
        `target` is None.
    filenames : sequence of n_clips str, default=None
        Names of the clips. An interactive window shows the name of the clip nearest to the mouse.
        None shows no names.
    name : str, default=None
        Title of the plot. None draws no title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the points, set by `plot`.
    figure_ : matplotlib Figure
        Figure of the axes, set by `plot`.
    points_ : list of matplotlib PathCollection
        Points of the unlabelled clips, if there are any, then those of each class that has clips,
        in the order of `target_names`; set by `plot`.

    Raises
    ------
    ValueError
        If positions have another shape or are not finite, or target, target_names or filenames do
        not fit them.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.plotting import EmbeddingDisplay
    >>> features = np.random.default_rng(0).normal(size=(6, 8))
    >>> display = EmbeddingDisplay.from_features(
    ...     features, target=[0, 0, 1, 1, -1, -1], target_names=["dog", "rain"], method="pca"
    ... )
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['unlabelled', 'dog', 'rain']

    Positions that are known already, and the features of an evaluation, on the same axes:

    >>> from skaudeep.evaluation import Evaluation
    >>> known = EmbeddingDisplay([[0, 0], [1, 1]], target=["dog", ""]).plot(ax=display.ax_)
    >>> known.target.tolist()
    [0, -1]
    >>> evaluation = Evaluation(
    ...     target=np.array([0, 0, 1, 1, 1, 0]), target_names=["dog", "rain"], test=[np.arange(6)],
    ...     fold_predictions=[[np.zeros(6, int)]], protocol="inductive", seeds=[0],
    ...     features=features,
    ... )
    >>> display = EmbeddingDisplay.from_evaluation(evaluation, method="pca", ax=display.ax_)
    >>> len(display.points_)
    2
    """

    def __init__(
        self,
        positions: ArrayLike,
        *,
        target: ArrayLike | None = None,
        target_names: Sequence[str] | None = None,
        filenames: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        positions = np.asarray(positions)
        if positions.ndim != 2 or positions.shape[1] != 2 or not np.isfinite(positions).all():
            raise ValueError(
                f"Got positions of shape {positions.shape}, expected (n_clips, 2) without NaN; "
                "EmbeddingDisplay.from_features takes features."
            )
        for what, values in {"target": target, "filenames": filenames}.items():
            if values is not None and np.shape(values) != (len(positions),):
                raise ValueError(
                    f"Got {what} of shape {np.shape(values)} for {len(positions)} clips, expected "
                    "one value for each."
                )
        self.positions = positions
        self.target, self.target_names = _number_classes(target, target_names, len(positions))
        self.filenames = filenames
        self.name = name

    @classmethod
    def from_features(
        cls,
        features: ArrayLike,
        *,
        target: ArrayLike | None = None,
        target_names: Sequence[str] | None = None,
        filenames: Sequence[str] | None = None,
        method: Method = "tsne",
        random_state: Any = None,
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Compute positions of clips from their features, and plot them.

        Parameters
        ----------
        features : array-like of shape (n_clips, n_features)
            Features, one row for each clip.
        target : array-like of shape (n_clips,), int or str, default=None
            Class of each clip: its number in `target_names`, or -1 for an unlabelled clip; or its
            name, or "" for an unlabelled clip. None: all clips are unlabelled.
        target_names : sequence of str, default=None
            Class names, in the order of the integers, for the legend. None names classes by
            their numbers, or, if `target` holds names, takes these, sorted. There is no legend if
            `target` is None.
        filenames : sequence of n_clips str, default=None
            Names of the clips. An interactive window shows the name of the clip nearest to the
            mouse. None shows no names.
        method : {"tsne", "pca", "umap"}, default="tsne"
            How to place the clips: "tsne" and "umap" near their neighbours, "pca" by the first two
            principal components, see :func:`~skaudeep.plotting.project`.
        random_state : int, RandomState instance or None, default=None
            Seed or generator of the method. An int gives the same picture each time, None another
            one.
        name : str, default=None
            Title of the plot. None is the name of the method, such as "t-SNE"; "" is no title.
        ax : matplotlib Axes, default=None
            Axes to plot on. None makes a new figure.
        **kwargs : dict
            Passed to :meth:`ax.scatter <matplotlib.axes.Axes.scatter>`, which draws the points of
            each class, for example ``s=20`` or ``alpha=0.5``.

        Returns
        -------
        EmbeddingDisplay
            The display, plotted.

        Raises
        ------
        ImportError
            If `method` is "umap" and umap-learn is not installed.
        ValueError
            If features have NaN or infinite values or no columns, or do not fit the target.
        """
        import_pyplot(f"{cls.__name__}.from_features")
        options: dict[str, Any] = {
            "target": target,
            "target_names": target_names,
            "filenames": filenames,
        }
        cls(np.zeros((len(np.asarray(features)), 2)), **options)  # Faults show before the work.
        positions = project(features, method=method, random_state=random_state)
        display = cls(positions, **options, name=METHODS[method] if name is None else name)
        return display.plot(ax=ax, **kwargs)

    @classmethod
    def from_evaluation(
        cls,
        evaluation: Any,
        *,
        method: Method = "tsne",
        random_state: Any = None,
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the features of the clips of an evaluation, with their true classes.

        Parameters
        ----------
        evaluation : Evaluation
            A result of :func:`~skaudeep.evaluate` with ``keep_features=True``, for one class for
            each clip.
        method : {"tsne", "pca", "umap"}, default="tsne"
            How to place the clips: "tsne" and "umap" near their neighbours, "pca" by the first two
            principal components, see :func:`~skaudeep.plotting.project`.
        random_state : int, RandomState instance or None, default=None
            Seed or generator of the method. An int gives the same picture each time, None another
            one.
        name : str, default=None
            Title of the plot. None is the name of the method, such as "t-SNE"; "" is no title.
        ax : matplotlib Axes, default=None
            Axes to plot on. None makes a new figure.
        **kwargs : dict
            Passed to :meth:`ax.scatter <matplotlib.axes.Axes.scatter>`, which draws the points of
            each class, for example ``s=20`` or ``alpha=0.5``.

        Returns
        -------
        EmbeddingDisplay
            The display, plotted.

        Raises
        ------
        ImportError
            If `method` is "umap" and umap-learn is not installed.
        ValueError
            If the evaluation has no features, features with NaN, or is one of numbers or of several
            classes for a clip.
        """
        require_classes(evaluation, f"{cls.__name__}.from_evaluation")
        if evaluation.features is None:
            raise ValueError(
                "This evaluation has no features; run evaluate(..., keep_features=True), or give "
                "features to EmbeddingDisplay.from_features."
            )
        return cls.from_features(
            evaluation.features,
            target=evaluation.target,
            target_names=evaluation.target_names,
            filenames=evaluation.filenames,
            method=method,
            random_state=random_state,
            name=name,
            ax=ax,
            **kwargs,
        )

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the points, and, if there are class names, a legend beside them.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. A figure with ``layout="constrained"`` makes room for the legend. None
            makes a new figure, large enough.
        **kwargs : dict
            Passed to :meth:`ax.scatter <matplotlib.axes.Axes.scatter>`, which draws the points of
            each class, for example ``s=20`` or ``alpha=0.5``.

        Returns
        -------
        EmbeddingDisplay
            The display itself.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        new = ax is None
        if new:
            _, ax = plt.subplots()
        self.ax_, self.figure_ = ax, ax.figure
        size = float(np.clip(6000 / max(len(self.positions), 1), 8, 40))
        self.points_, names = [], []
        common = {"linewidths": 0, "alpha": 0.85}
        for number in np.unique(self.target):  # -1, unlabelled, comes first and lies below.
            style = {"color": UNLABELLED, "marker": "o", "s": size / 2}
            if number >= 0:
                row, color = divmod(number, len(COLORS))
                marker = MARKERS[(color + row) % len(MARKERS)]
                style = {"color": COLORS[color], "marker": marker, "s": size}
            x, y = self.positions[self.target == number].T
            self.points_.append(ax.scatter(x, y, **common | style | kwargs))
            names.append("unlabelled" if number < 0 else literal(self.target_names[number], 32))
        ax.set(xticks=[], yticks=[])
        ax.set_aspect("equal", adjustable="datalim")
        ax.margins(0.04)
        if self.filenames is not None:
            ax.format_coord = self._nearest_clip
        if self.name is not None:
            ax.set_title(literal(self.name), parse_math=False)
        if self.target_names:
            legend = ax.legend(
                self.points_,
                ["class"] * len(names),  # matplotlib leaves out names that begin with "_"
                loc="upper left",
                bbox_to_anchor=(1.01, 1.0),
                borderaxespad=0,
                ncols=-(-len(names) // LEGEND_ROWS),
                fontsize="small",
                labelspacing=0.3,
                handletextpad=0.2,
                columnspacing=1.0,
                frameon=False,
            )
            for handle in legend.legend_handles:
                handle.set(sizes=[30], alpha=1)
            for text, known in zip(legend.get_texts(), names, strict=True):
                text.set(text=known, parse_math=False)
        if new:
            width, height = np.ptp(self.positions, axis=0) if len(self.positions) else (0, 0)
            fit_figure(ax, WIDTH, WIDTH * float(np.clip(height / (width or 1), *RATIOS)))
        return self

    def _nearest_clip(self, x: float, y: float) -> str:
        nearest = np.linalg.norm(self.positions - (x, y), axis=1).argmin()
        return literal(self.filenames[nearest]) if self.filenames is not None else ""


def _number_classes(
    target: ArrayLike | None, target_names: Sequence[str] | None, n_clips: int
) -> tuple[NDArray[np.intp], list[str]]:
    """Return the class of each clip by its number, -1 where unlabelled, and all class names."""
    if target is None:
        return np.full(n_clips, -1), []
    target = np.asarray(target)
    if target.dtype.kind in "OSU":
        names = np.array([str(name) for name in target], dtype=object)
        known = sorted(set(names) - {""}) if target_names is None else list(target_names)
        unknown = sorted(set(names) - {"", *known})
        if unknown:
            raise ValueError(
                f"Got the class {shown(unknown[0])} in target, expected one of target_names: "
                f"{list_names(known, unknown[0])}."
            )
        number = {"": -1} | {name: i for i, name in enumerate(known)}
        return np.array([number[name] for name in names], dtype=np.intp), known
    if target.dtype.kind not in "iu":
        raise ValueError(
            f"Got target of {target.dtype}, expected classes: integers, -1 where unlabelled, or "
            "names."
        )
    if target_names is None:
        target_names = [str(i) for i in range(int(target.max(initial=-1)) + 1)]
    outside = target[(target < -1) | (target >= len(target_names))]
    if len(outside):
        raise ValueError(
            f"Got the class {outside[0]} in target for {len(target_names)} target_names, expected "
            f"-1 to {len(target_names) - 1}."
        )
    return target.astype(np.intp), list(target_names)


def _import_umap() -> Any:
    try:
        with warnings.catch_warnings():
            # It says so where TensorFlow is missing, which nothing here needs.
            warnings.simplefilter("ignore", ImportWarning)
            import umap
    except ImportError as error:
        raise ImportError(
            "method='umap' needs umap-learn, which is not installed; get it with "
            "pip install 'skaudeep[umap]', or take method='tsne'."
        ) from error
    return umap


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
