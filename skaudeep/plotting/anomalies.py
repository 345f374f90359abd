"""Plots of anomaly scores of clips, with the threshold of a detector."""

from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skaudeep.datasets.axes import is_segment_index
from skaudeep.plotting.pyplot import figure_size, import_pyplot, label_times

__all__ = ["AnomalyDisplay"]

ALARM, USUAL = "#d62728", "#1f77b4"
DEPTH = 5  # of the axis below the threshold, in heights of the highest score above it
IN_A_ROW = 3  # clips: of normal ones, some are below the threshold by chance, also two in a row


class AnomalyDisplay:
    """Plot of the scores of clips in their order, beside the scores of normal clips.

    The left axes show the score of each clip against its place in the order of the clips, or
    against `times`; scores below the threshold are red, the others blue. Triangles at the lower end
    stand for scores so far below that the axis ends before them. With `times`, three clips or more
    in a row that are below the threshold are shaded; a pause of more than half the usual step
    between two clips ends a row. If `normal_scores` are given, the right axes show the histogram of
    these, with horizontal bars, on the same axis of scores. `from_detector` takes for them the
    scores that set the threshold of the detector: those of the clips that its `fit` held out, or of
    the clips of `calibrate`. It makes and draws the plot; the constructor draws nothing until
    `plot` is called.

    Parameters
    ----------
    scores : array-like of shape (n_clips,)
        Score of each clip; higher is more usual. For a score of NaN no point is drawn, and the clip
        counts as unusual.
    threshold : float
        Clips with lower scores are unusual.
    times : array-like of shape (n_clips,), default=None
        Time of each clip, on the horizontal axis: seconds, as numbers or Timedelta, which are
        written as minutes and hours if there are many, or dates with times (datetime64). None
        numbers the clips from 0.
    normal_scores : array-like of shape (n_normal,), default=None
        Scores of other, normal clips, without NaN, whose histogram is drawn. None draws none.
    false_alarm_rate : float in [0, 1], default=None
        Expected share of normal clips that are below the threshold. The title then says how many of
        the clips that would be by chance, if all were normal. None: it says nothing of it.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the scores, set by `plot`.
    histogram_ax_ : matplotlib Axes or None
        Axes of the histogram of `normal_scores`, set by `plot`; None if there is no histogram.
    figure_ : matplotlib Figure
        Figure of the axes, set by `plot`.

    Raises
    ------
    ValueError
        If there is no score, or the numbers of times and scores differ.

    Examples
    --------
    >>> from skaudeep.plotting import AnomalyDisplay
    >>> display = AnomalyDisplay([3.0, 2.5, -1.0, 2.8], threshold=0.0).plot()
    >>> display.unusual.tolist()
    [False, False, True, False]

    The clips of a detector, with the histogram of its held-out clips:

    >>> import numpy as np
    >>> from skaudeep import AnomalyDetector, DistanceScorer
    >>> normal = np.random.default_rng(0).normal(size=(100, 2))
    >>> detector = AnomalyDetector(DistanceScorer(), random_state=0).fit(normal)
    >>> display = AnomalyDisplay.from_detector(detector, [[0, 0], [9, 9]], ax=display.ax_)
    >>> display.unusual.tolist(), display.histogram_ax_.get_xlabel()
    ([False, True], 'normal clips')
    """

    def __init__(
        self,
        scores: Any,
        *,
        threshold: float,
        times: Any = None,
        normal_scores: Any = None,
        false_alarm_rate: float | None = None,
    ) -> None:
        self.scores = np.asarray(scores, dtype=float)
        if self.scores.ndim != 1 or not len(self.scores):
            raise ValueError(
                f"Got scores of shape {self.scores.shape}, expected one for each of at least one "
                "clip."
            )
        self._numbered = times is None
        self.times = np.arange(len(self.scores)) if times is None else np.asarray(times)
        if self.times.dtype.kind == "m":
            self.times = self.times.astype("timedelta64[ns]").astype(np.float64) / 1e9
        if self.times.shape != self.scores.shape:
            raise ValueError(
                f"Got times of shape {self.times.shape} for {len(self.scores)} scores, expected "
                "one for each."
            )
        self.threshold = float(threshold)
        self.normal_scores = normal_scores
        self.false_alarm_rate = false_alarm_rate

    @property
    def unusual(self) -> np.ndarray:
        """Whether the score of each clip is below the threshold, shape (n_clips,), bool.

        It is True for a score of NaN, as in `AnomalyDetector.predict`.
        """
        return ~(self.scores >= self.threshold)

    @classmethod
    def from_detector(
        cls, detector: Any, X: Any, *, times: Any = None, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Score clips with a fitted detector, and plot the scores.

        Parameters
        ----------
        detector : AnomalyDetector
            A fitted detector.
        X : sequence of n_clips clips
            Clips in a form that the `score_samples` of the detector takes.
        times : array-like of shape (n_clips,), default=None
            Time of each clip, as seconds, Timedelta or datetime64. None takes the starts of windows
            of one recording, a (file, start, end) index as :func:`~skaudeep.datasets.windows`
            returns it, and numbers other clips from 0.
        ax : matplotlib Axes, default=None
            Axes to plot on. None makes a new figure.
        **kwargs : dict
            Passed to :meth:`ax.scatter <matplotlib.axes.Axes.scatter>`, which draws the points, for
            example ``s=20`` or ``alpha=0.5``.

        Returns
        -------
        AnomalyDisplay
            The display, plotted.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the detector is not fitted.
        ValueError
            If the detector scores chunks, not clips, or the numbers of times and clips differ.
        """
        import_pyplot(f"{cls.__name__}.from_detector")
        check_is_fitted(detector)
        if times is None and is_segment_index(X):
            index = getattr(X, "index", X)
            if index.get_level_values("file").nunique() == 1:
                times = index.get_level_values("start").total_seconds()
        display = cls(
            detector.score_samples(X),
            threshold=detector.offset_,
            times=times,
            normal_scores=detector.held_out_scores_,
            false_alarm_rate=detector.false_alarm_rate,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the scores, the threshold, and beside them the histogram of `normal_scores`.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot the scores on. The histogram of `normal_scores`, if they are given, is
            drawn to the right of them. None makes a new figure.
        **kwargs : dict
            Passed to :meth:`ax.scatter <matplotlib.axes.Axes.scatter>`, which draws the points, for
            example ``s=20`` or ``alpha=0.5``.

        Returns
        -------
        AnomalyDisplay
            The display itself.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        if ax is None:
            _, ax = plt.subplots(figsize=figure_size(8, 3), layout="constrained")
        self.ax_, self.figure_, self.histogram_ax_ = ax, ax.figure, None
        colours = np.where(self.unusual, ALARM, USUAL)
        ax.scatter(self.times, self.scores, **{"c": colours, "s": 9} | kwargs)
        ax.axhline(self.threshold, color="0.3", linewidth=1, linestyle="--", label="threshold")
        if not self._numbered:
            self._shade_rows(ax)
        self._show_near_threshold(ax)
        ax.legend(loc="lower left", frameon=False)
        ax.set(ylabel="score (higher is more usual)", title=self._title())
        if self._numbered:
            ax.set_xlabel("clip")
        elif self.times.dtype.kind == "M":
            ax.set_xlabel("time")
        else:
            self._label_seconds(ax)
        if self.normal_scores is not None:
            # The height of the axes is shared, so that bars stand beside the points.
            beside = ax.inset_axes([1.02, 0, 0.2, 1], sharey=ax)
            beside.hist(self.normal_scores, bins="auto", orientation="horizontal", color="0.7")
            beside.axhline(self.threshold, color="0.3", linewidth=1, linestyle="--")
            beside.tick_params(labelleft=False)
            beside.set(xlabel="normal clips")
            self.histogram_ax_ = beside
        return self

    def _shade_rows(self, ax: Any) -> None:
        """Shade the times of clips in a row that are below the threshold."""
        known = self.times == self.times  # no NaN, nor NaT
        order = np.flatnonzero(known)[np.argsort(self.times[known], kind="stable")]
        times, (below,) = self.times[order], np.nonzero(self.scores[order] < self.threshold)
        if len(below) < IN_A_ROW:
            return
        step = np.median(np.diff(times))
        apart = (np.diff(below) > 1) | (np.diff(times[below]) > 1.5 * step)
        rows = np.split(below, np.flatnonzero(apart) + 1)
        label = f"{IN_A_ROW} or more in a row"
        for row in (row for row in rows if len(row) >= IN_A_ROW):
            start, end = times[row[0]] - step / 2, times[row[-1]] + step / 2
            ax.axvspan(start, end, color=ALARM, alpha=0.15, linewidth=0, zorder=0, label=label)
            label = ""  # one entry of the legend

    def _show_near_threshold(self, ax: Any) -> None:
        """End the axis below the threshold if a score is so low that all others would be a line."""
        usual = np.asarray(self.scores if self.normal_scores is None else self.normal_scores)
        usual = np.r_[self.scores, usual][np.isfinite(np.r_[self.scores, usual])]
        usual = usual[usual >= self.threshold]
        height = usual.max() - self.threshold if len(usual) else 0
        bottom = self.threshold - DEPTH * height
        far = self.scores < bottom
        if not height or not far.any():
            return
        ax.set_ylim(bottom, usual.max() + 0.3 * height)
        lowest = np.min(self.scores[far])
        ax.scatter(
            self.times[far],
            np.full(far.sum(), bottom + 0.15 * height),
            marker="v",
            s=20,
            c=ALARM,
            label=f"far below (off the scale, down to {lowest:.3g})",
        )

    def _title(self) -> str:
        found = f"{self.unusual.sum()} of {len(self.scores)} below the threshold"
        if self.false_alarm_rate is None:
            return found
        expected = self.false_alarm_rate * len(self.scores)
        number = f"{expected:.0f}" if expected >= 9.5 else f"{expected:.1g}"
        share = f"{100 * self.false_alarm_rate:g} % of normal clips"
        # In one line it would stand above the histogram as well.
        return f"{found}\n(expected by chance: about {number}, {share})"

    def _label_seconds(self, ax: Any) -> None:
        times = self.times[np.isfinite(self.times)]
        first, last = (times.min(), times.max()) if len(times) else (0, 0)
        unit = label_times(ax.xaxis, float(first), float(last))
        ax.set_xlabel(f"time ({unit})" if unit else "time")
