"""Plots of results of evaluations: confusion matrices, and comparisons of scores."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike

from skaudeep.evaluation.comparison import Comparison, Metric, compare
from skaudeep.plotting.pyplot import (
    axes_beside,
    draw_colorbar,
    fit_figure,
    import_pyplot,
    literal,
    on_paper,
    or_break,
    require_classes,
)

__all__ = ["ComparisonDisplay", "ConfusionDisplay"]

Values = Literal["count", "percent"]

POINTS = 72  # points of an inch
LARGEST_CELL, SMALLEST_CELL = 0.7, 0.22  # inches; the smallest holds a line of text
SCORE_WIDTH, DIFFERENCE_WIDTH = 3.6, 2.2  # inches
SCORES = {"accuracy": "accuracy", "uar": "UAR"}


class ConfusionDisplay:
    """Plot of a confusion matrix, also of many classes with long names.

    Colours show shares of the clips of each true class (the counts of a row, divided by their sum),
    so that rows can be compared. Cells without a clip have no number. `plot` draws it;
    `from_evaluation` makes and draws it.

    Parameters
    ----------
    confusion_matrix : array-like of shape (n_classes, n_classes)
        Number of clips of each true class (row) and predicted class (column), which need not be
        integers.
    target_names : sequence of n_classes str, default=None
        Class names, in the order of the rows. None numbers the classes from 0.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the matrix, set by `plot`.
    figure_ : matplotlib Figure
        Figure of the axes, set by `plot`.
    im_ : matplotlib AxesImage
        Image of the shares, set by `plot`.
    text_ : ndarray of shape (n_classes, n_classes) of matplotlib Text or None
        Number in each cell, set by `plot`; None for a cell without a number.
    colorbar_ : matplotlib Colorbar or None
        Colour bar of the shares, set by `plot`; None with ``colorbar=False``.

    Raises
    ------
    ValueError
        If the matrix is not square, has no class, negative or missing values, or another number of
        classes than there are names.

    Examples
    --------
    >>> from skaudeep.plotting import ConfusionDisplay
    >>> display = ConfusionDisplay([[8, 2], [0, 5]], target_names=["dog", "rain"]).plot()
    >>> display.text_[0, 1].get_text(), display.text_[1, 0]
    ('2', None)

    The matrix of an evaluation, in percent of the clips of each true class:

    >>> import numpy as np
    >>> from skaudeep.evaluation import Evaluation
    >>> evaluation = Evaluation(
    ...     target=np.array([0, 0, 1, 1]), target_names=["dog", "rain"], test=[np.arange(4)],
    ...     fold_predictions=[[np.array([1, 0, 1, 1])]], protocol="inductive", seeds=[0],
    ... )
    >>> display = ConfusionDisplay.from_evaluation(
    ...     evaluation, values="percent", colorbar=False, ax=display.ax_)
    >>> display.text_[0, 0].get_text(), display.text_[1, 1].get_text()
    ('50', '100')
    """

    def __init__(
        self, confusion_matrix: ArrayLike, *, target_names: Sequence[str] | None = None
    ) -> None:
        matrix = np.asarray(confusion_matrix)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
            raise ValueError(
                f"Got a confusion matrix of shape {matrix.shape}, expected (n_classes, n_classes)."
            )
        if not (matrix >= 0).all():
            raise ValueError(
                "Got a confusion matrix with negative or missing values, expected numbers of clips."
            )
        if target_names is not None and len(target_names) != len(matrix):
            raise ValueError(
                f"Got {len(target_names)} target_names for {len(matrix)} classes, expected one for "
                "each."
            )
        self.confusion_matrix = matrix
        self.target_names = (
            [str(i) for i in range(len(matrix))] if target_names is None else list(target_names)
        )

    @classmethod
    def from_evaluation(
        cls,
        evaluation: Any,
        *,
        values: Values | None = "count",
        colorbar: bool = True,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the confusion matrix of an evaluation.

        Parameters
        ----------
        evaluation : Evaluation
            A result of :func:`~skaudeep.evaluate` for one class for each clip. A clip counts once
            for each fold and repeat that tests it.
        values : {"count", "percent"} or None, default="count"
            Numbers in the cells: "count" is the number of clips, "percent" the percentage of the
            clips of the true class. None writes no numbers.
        colorbar : bool, default=True
            Whether to draw a colour bar.
        ax : matplotlib Axes, default=None
            Axes to plot on. None makes a new figure.
        **kwargs : dict
            Passed to :meth:`ax.imshow <matplotlib.axes.Axes.imshow>`, which draws the cells, for
            example ``cmap="Greens"`` or ``alpha=0.8``.

        Returns
        -------
        ConfusionDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If the evaluation is one of numbers or of several classes for a clip, or `values` is
            unknown.
        """
        require_classes(evaluation, f"{cls.__name__}.from_evaluation")
        display = cls(evaluation.confusion_matrix, target_names=evaluation.target_names)
        return display.plot(ax=ax, values=values, colorbar=colorbar, **kwargs)

    def plot(
        self,
        ax: Any = None,
        *,
        values: Values | None = "count",
        colorbar: bool = True,
        **kwargs: Any,
    ) -> Self:
        """Draw the matrix.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. Texts are made small enough to fit, and a figure with
            ``layout="constrained"`` makes room for names. None makes a new figure that is large
            enough.
        values : {"count", "percent"} or None, default="count"
            Numbers in the cells: "count" is the number of clips, "percent" the percentage of the
            clips of the true class. None writes no numbers.
        colorbar : bool, default=True
            Whether to draw a colour bar.
        **kwargs : dict
            Passed to :meth:`ax.imshow <matplotlib.axes.Axes.imshow>`, which draws the cells, for
            example ``cmap="Greens"`` or ``alpha=0.8``.

        Returns
        -------
        ConfusionDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `values` is unknown.
        """
        if values is not None and values not in get_args(Values):
            raise ValueError(f"Got values={values!r}; choose 'count', 'percent' or None.")
        plt = import_pyplot(f"{type(self).__name__}.plot")
        n_classes = len(self.target_names)
        new = ax is None
        if new:
            _, ax = plt.subplots()
            cell = on_paper(float(np.clip(4 / n_classes, SMALLEST_CELL, LARGEST_CELL)))
        else:
            box = ax.get_window_extent()
            cell = min(box.width, box.height) / ax.figure.dpi / n_classes
        self.ax_, self.figure_ = ax, ax.figure
        totals = self.confusion_matrix.sum(axis=1, keepdims=True)
        shares = self.confusion_matrix / np.maximum(totals, 1)
        options = {"cmap": "Blues", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
        self.im_ = ax.imshow(shares, **options | kwargs)
        names = [literal(name) for name in self.target_names]
        size = min(plt.rcParams["font.size"], 0.75 * cell * POINTS)
        fits = max(map(len, names)) * 0.62 * size < cell * POINTS
        labels = {"ticks": range(n_classes), "labels": names, "fontsize": size, "parse_math": False}
        ax.set_yticks(**labels)
        ax.set_xticks(**labels, rotation=0 if fits else 90)
        ax.set(xlabel="predicted class", ylabel="true class")
        self.text_ = np.full(shares.shape, None, dtype=object)
        if values is not None:
            self._write_numbers(shares, values, cell)
        self.colorbar_ = (
            draw_colorbar(ax, self.im_, "share of the true class") if colorbar else None
        )
        if new:
            fit_figure(ax, cell * n_classes, cell * n_classes)
        return self

    def _write_numbers(self, shares: np.ndarray, values: Values, cell: float) -> None:
        # Numbers of clips are whole, unless they are means over repeats.
        numbers = {
            (i, j): f"{self.confusion_matrix[i, j]:.4g}"
            if values == "count"
            else f"{round(100 * shares[i, j], 1):g}"
            for i, j in np.argwhere(self.confusion_matrix)
        }
        longest = max(map(len, numbers.values()), default=1)
        size = min(9, 0.6 * cell * POINTS, 0.9 * cell * POINTS / (0.65 * longest))
        for (i, j), number in numbers.items():
            red, green, blue, _ = self.im_.cmap(self.im_.norm(shares[i, j]))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
            self.text_[i, j] = self.ax_.text(
                j,
                i,
                number,
                color="white" if dark else "black",
                fontsize=size,
                ha="center",
                va="center_baseline",
                in_layout=False,  # It lies inside the axes, and thousands take time.
            )


class ComparisonDisplay:
    """Plot of scores of configurations or controls, and of their differences from the first one.

    The left axes show the scores in percent with their confidence intervals. The right axes show,
    in percentage points, each score minus the first score, with the confidence interval of this
    difference, in which the two are compared clip by clip. Scores with overlapping intervals may
    still differ significantly, because they were measured on the same clips: look at the
    differences. Markers of differences whose interval excludes 0 are filled. `plot` draws it;
    `from_evaluations` and `from_evaluation` make and draw it.

    Parameters
    ----------
    scores : array-like of shape (n_evaluations,)
        Mean score of each evaluation, in [0, 1].
    intervals : array-like of shape (n_evaluations, 2)
        Lower and upper bound of the confidence interval of each score, in [0, 1].
    comparisons : sequence of n_evaluations - 1 Comparison
        Results of :func:`compare(other, first) <skaudeep.evaluation.compare>` for each evaluation
        after the first.
    names : sequence of n_evaluations str
        Names of the evaluated configurations, at least one.
    metric : {"accuracy", "uar"}, default="uar"
        Kind of the scores, for the label of the axis: accuracy, or unweighted average recall.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals, for the label of the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the scores, set by `plot`.
    difference_ax_ : matplotlib Axes or None
        Axes of the differences, set by `plot`. None if there is a single evaluation.
    figure_ : matplotlib Figure
        Figure of the axes, set by `plot`.

    Raises
    ------
    ValueError
        If the numbers of scores, intervals, names and comparisons do not fit, or `metric` is
        unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.evaluation.results import Evaluation
    >>> from skaudeep.plotting import ComparisonDisplay
    >>> def right(n_right):
    ...     return Evaluation(
    ...         target=np.zeros(10, dtype=int), target_names=["dog", "rain"],
    ...         test=[np.arange(10)], fold_predictions=[[(np.arange(10) >= n_right).astype(int)]],
    ...         protocol="inductive", seeds=[0],
    ...     )
    >>> display = ComparisonDisplay.from_evaluations({"network": right(8), "control": right(3)})
    >>> [f"{100 * found.difference:+.0f}" for found in display.comparisons]
    ['-50']
    >>> alone = ComparisonDisplay.from_evaluation(right(8), ax=display.ax_)  # it has no controls
    >>> alone.names, alone.difference_ax_
    (['pipeline'], None)
    >>> known = ComparisonDisplay([0.8], [[0.6, 0.9]], [], names=["network"])
    >>> known.plot(ax=display.ax_).ax_.get_xlabel()
    'UAR in %, 95 % interval'
    """

    def __init__(
        self,
        scores: ArrayLike,
        intervals: ArrayLike,
        comparisons: Sequence[Comparison],
        *,
        names: Sequence[str],
        metric: Metric = "uar",
        confidence_level: float = 0.95,
    ) -> None:
        _check_metric(metric)
        self.scores = np.asarray(scores, dtype=float)
        self.intervals = np.asarray(intervals, dtype=float)
        n = len(names)
        if (
            not n
            or self.scores.shape != (n,)
            or self.intervals.shape != (n, 2)
            or len(comparisons) != n - 1
        ):
            raise ValueError(
                f"Got scores of shape {self.scores.shape}, intervals of shape "
                f"{self.intervals.shape} and {len(comparisons)} comparisons for {n} names, "
                "expected a score and two bounds for each name, and a comparison for each but the "
                "first."
            )
        self.comparisons = list(comparisons)
        self.names = list(names)
        self.metric = metric
        self.confidence_level = confidence_level

    @classmethod
    def from_evaluations(
        cls,
        evaluations: Mapping[str, Any],
        *,
        metric: Metric = "uar",
        random_state: Any = 0,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Compare evaluations of the same clips and folds with the first one, and plot the result.

        Parameters
        ----------
        evaluations : dict of str to Evaluation
            Results of :func:`~skaudeep.evaluate` for one class for each clip, by the names of the
            evaluated configurations. The others are compared with the first.
        metric : {"accuracy", "uar"}, default="uar"
            Score to compare: accuracy, or unweighted average recall.
        random_state : int, RandomState instance or None, default=0
            Seed or generator of the bootstrap samples that the intervals of the differences come
            from. None gives slightly different intervals in each call.
        ax : matplotlib Axes, default=None
            Axes of the scores. The axes of the differences are drawn to their right. None makes a
            new figure.
        **kwargs : dict
            Passed to :meth:`ax.errorbar <matplotlib.axes.Axes.errorbar>`, which draws each score
            and difference, for example ``color="black"`` or ``capsize=0``.

        Returns
        -------
        ComparisonDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If there is no evaluation, one is of numbers or of several classes for a clip, they
            differ in clips, folds, groups or confidence level, or `metric` is unknown.
        """
        import_pyplot(f"{cls.__name__}.from_evaluations")
        for evaluation in evaluations.values():
            require_classes(evaluation, f"{cls.__name__}.from_evaluations")
        _check_metric(metric)
        levels = {evaluation.confidence_level for evaluation in evaluations.values()}
        if len(levels) != 1:
            raise ValueError(
                f"Got {len(evaluations)} evaluations with confidence levels {sorted(levels)}, "
                "expected one level for all of at least one."
            )
        first, *others = evaluations.values()
        (level,) = levels
        comparisons = [
            compare(other, first, metric=metric, confidence_level=level, random_state=random_state)
            for other in others
        ]
        display = cls(
            [getattr(evaluation, metric) for evaluation in evaluations.values()],
            [getattr(evaluation, f"{metric}_interval") for evaluation in evaluations.values()],
            comparisons,
            names=list(evaluations),
            metric=metric,
            confidence_level=level,
        )
        return display.plot(ax=ax, **kwargs)

    @classmethod
    def from_evaluation(
        cls,
        evaluation: Any,
        *,
        metric: Metric = "uar",
        random_state: Any = 0,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Plot an evaluation, called "pipeline", and the differences of its controls from it.

        Controls are simpler models, such as statistics of mel bands, that `evaluate` scored in the
        same folds for comparison.

        Parameters
        ----------
        evaluation : Evaluation
            A result of :func:`~skaudeep.evaluate` for one class for each clip. If it has no
            controls, its score alone is drawn.
        metric : {"accuracy", "uar"}, default="uar"
            Score to compare: accuracy, or unweighted average recall.
        random_state : int, RandomState instance or None, default=0
            Seed or generator of the bootstrap samples that the intervals of the differences come
            from. None gives slightly different intervals in each call.
        ax : matplotlib Axes, default=None
            Axes of the scores. The axes of the differences are drawn to their right. None makes a
            new figure.
        **kwargs : dict
            Passed to :meth:`ax.errorbar <matplotlib.axes.Axes.errorbar>`, which draws each score
            and difference, for example ``color="black"`` or ``capsize=0``.

        Returns
        -------
        ComparisonDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If the evaluation is one of numbers or of several classes for a clip, or `metric` is
            unknown.
        """
        return cls.from_evaluations(
            {"pipeline": evaluation} | evaluation.controls,
            metric=metric,
            random_state=random_state,
            ax=ax,
            **kwargs,
        )

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the scores, and the differences beside them.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes of the scores. The axes of the differences are drawn to their right; a figure with
            ``layout="constrained"`` makes room for them. None makes a new figure.
        **kwargs : dict
            Passed to :meth:`ax.errorbar <matplotlib.axes.Axes.errorbar>`, which draws each score
            and difference, for example ``color="black"`` or ``capsize=0``.

        Returns
        -------
        ComparisonDisplay
            The display itself.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        n = len(self.names)
        new = ax is None
        if new:
            _, ax = plt.subplots()
        self.ax_, self.figure_ = ax, ax.figure
        options = {"fmt": "o", "color": "#1f77b4", "capsize": 3} | kwargs
        for i, (score, bounds) in enumerate(zip(self.scores, self.intervals, strict=True)):
            _draw_interval(ax, i, score, bounds, f"{100 * score:.1f}", options)
        level = f"{100 * self.confidence_level:g} % interval"
        ax.set_yticks(range(n), [literal(name) for name in self.names], parse_math=False)
        ax.set(ylim=(n - 0.5, -0.6), xlabel=f"{SCORES[self.metric]} in %,{or_break()}{level}")
        ax.grid(axis="x", alpha=0.3)
        self.difference_ax_ = None
        if self.comparisons:
            self.difference_ax_ = beside = axes_beside(ax, 0.15, on_paper(DIFFERENCE_WIDTH))
            for i, found in enumerate(self.comparisons, start=1):
                low, high = found.interval
                fill = {} if low > 0 or high < 0 else {"markerfacecolor": "white"}
                text = f"{100 * found.difference:+.1f}".replace("-", "\N{MINUS SIGN}")
                _draw_interval(beside, i, found.difference, found.interval, text, options | fill)
            beside.axvline(0, color="0.4", linewidth=1)
            beside.set(
                ylim=ax.get_ylim(), yticks=[], xlabel=f"difference to{or_break()}the first (points)"
            )
            beside.margins(x=0.12)
            beside.grid(axis="x", alpha=0.3)
        if new:
            fit_figure(ax, SCORE_WIDTH, 0.5 * n + 0.3, square=False)
        return self


def _draw_interval(
    ax: Any, place: int, value: float, bounds: Any, text: str, options: Mapping[str, Any]
) -> None:
    low, high = bounds
    # The bootstrap's percentiles need not hold the value itself.
    errors = [[100 * max(value - low, 0)], [100 * max(high - value, 0)]]
    ax.errorbar(100 * value, place, xerr=errors, **options)
    ax.annotate(
        text,
        (100 * value, place),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        fontsize="small",
    )


def _check_metric(metric: str) -> None:
    if metric not in SCORES:
        raise ValueError(f"Got metric={metric!r}; choose 'accuracy' or 'uar'.")
