"""Histograms of the levels of a clip, which help to choose thresholds."""

from typing import Any, Self

import numpy as np
from sklearn.base import clone

from skaudeep.plotting.pyplot import figure_size, import_pyplot, literal
from skaudeep.plotting.spectrograms import extract

__all__ = ["LevelsDisplay"]

BIN = 1.0  # dB
CLIPPED = "#b0b0b0"


class LevelsDisplay:
    """Histogram of the levels in a spectrogram, with the shares beyond thresholds.

    The histogram has bins of 1 dB, and shows which percentage of the values of the spectrogram (one
    for each frame and band) lies in each. It helps to choose the parameters `clip_below` and
    `clip_above` of a :class:`~skaudeep.SpectrogramExtractor`, beyond which levels are clipped.
    `plot` draws it; `from_extractor` makes and draws it.

    Parameters
    ----------
    levels : array-like
        Levels in dB, of any shape. NaN is left out.
    clip_below, clip_above : float, default=None
        Lower and upper threshold in dB, drawn as vertical lines. None draws no line.
    name : str, default=None
        Title of the plot. None draws no title.

    Attributes
    ----------
    share_below, share_above : float in [0, 1]
        Share of the levels that are less than `clip_below`, and more than `clip_above`; 0 for a
        threshold of None.
    ax_ : matplotlib Axes
        Axes of the histogram, set by `plot`.
    figure_ : matplotlib Figure
        Figure of the axes, set by `plot`.
    bars_ : matplotlib BarContainer
        Bars of the histogram, set by `plot`. Bars that lie wholly beyond a threshold are grey.
    lines_ : list of matplotlib Line2D
        Lines of the thresholds, set by `plot`: first that of `clip_below`, then that of
        `clip_above`, without those that are None. Their labels in the legend state the shares.

    Raises
    ------
    ValueError
        If there is no level, or one is infinite.

    Examples
    --------
    >>> from skaudeep.plotting import LevelsDisplay
    >>> display = LevelsDisplay([-80, -50, -20, 0], clip_below=-60).plot()
    >>> display.share_below, [line.get_label() for line in display.lines_]
    (0.25, ['25.0% below -60 dB'])
    """

    def __init__(
        self,
        levels: Any,
        *,
        clip_below: float | None = None,
        clip_above: float | None = None,
        name: str | None = None,
    ) -> None:
        levels = np.asarray(levels, dtype=float).ravel()
        levels = levels[~np.isnan(levels)]
        if not len(levels) or not np.isfinite(levels).all():
            raise ValueError(
                f"Got {len(levels)} levels, expected at least one, and none that is infinite; take "
                "a clip that could be read."
            )
        self.levels = levels
        self.clip_below = clip_below
        self.clip_above = clip_above
        self.name = name
        self.share_below = 0.0 if clip_below is None else float((levels < clip_below).mean())
        self.share_above = 0.0 if clip_above is None else float((levels > clip_above).mean())

    @classmethod
    def from_extractor(
        cls, extractor: Any, clip: Any, *, name: str | None = None, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Compute the levels of a clip before they are clipped to the thresholds, and plot them.

        Levels are in dB relative to the maximum of the clip, or, with ``reference="full_scale"`` of
        the extractor, to digital full scale. Those outside of -120 dB to 0 dB are moved to these
        limits.

        Parameters
        ----------
        extractor : SpectrogramExtractor
            Extractor of the spectrogram, fitted or not. Its parameters `clip_below` and
            `clip_above` are the thresholds that are drawn; one that is None is not drawn.
        clip : path or array of shape (n_samples,) or (n_channels, n_samples)
            The clip. It is not split into chunks, also if the extractor splits clips. If the
            extractor has a `duration`, the clip is cut or padded to it first, and padding counts as
            silence. For an array, the extractor needs a `sampling_rate`, or to be fitted.
        name : str, default=None
            Title of the plot. None draws no title.
        ax : matplotlib Axes, default=None
            Axes to plot on. None makes a new figure.
        **kwargs : dict
            Passed to :meth:`ax.bar <matplotlib.axes.Axes.bar>`, which draws the bars, for example
            ``alpha=0.5`` or ``edgecolor="black"``.

        Returns
        -------
        LevelsDisplay
            The display, plotted.

        Raises
        ------
        AudioError
            If the clip cannot be read.

        Examples
        --------
        >>> import numpy as np
        >>> from skaudeep import SpectrogramExtractor
        >>> from skaudeep.plotting import LevelsDisplay
        >>> tone = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
        >>> extractor = SpectrogramExtractor(n_mels=20, clip_below=-60, sampling_rate=8000)
        >>> display = LevelsDisplay.from_extractor(extractor, tone)
        >>> float(display.levels.max())
        0.0
        """
        import_pyplot(f"{cls.__name__}.from_extractor")
        whole = clone(extractor).set_params(
            clip_below=None,
            clip_above=None,
            chunk_duration=None,
            n_chunks=None,
            sampling_rate=extractor._rate(),
        )
        levels = extract(whole, [clip], scale="dB")["spectrogram"]
        thresholds = {"clip_below": extractor.clip_below, "clip_above": extractor.clip_above}
        return cls(levels, **thresholds, name=name).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the histogram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. None makes a new figure.
        **kwargs : dict
            Passed to :meth:`ax.bar <matplotlib.axes.Axes.bar>`, which draws the bars, for example
            ``alpha=0.5`` or ``edgecolor="black"``.

        Returns
        -------
        LevelsDisplay
            The display itself.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        if ax is None:
            _, ax = plt.subplots(figsize=figure_size(6, 2.5), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        edges = np.arange(np.floor(self.levels.min()), self.levels.max() + 2 * BIN, BIN)
        counts, edges = np.histogram(self.levels, edges)
        low = -np.inf if self.clip_below is None else self.clip_below
        high = np.inf if self.clip_above is None else self.clip_above
        cut = (edges[1:] <= low) | (edges[:-1] > high)
        options = {"align": "edge", "color": [CLIPPED if grey else "C0" for grey in cut]}
        self.bars_ = ax.bar(edges[:-1], 100 * counts / len(self.levels), BIN, **options | kwargs)
        self.lines_ = []
        shares = ((self.clip_below, self.share_below), (self.clip_above, self.share_above))
        for (threshold, share), side in zip(shares, ("below", "above"), strict=True):
            if threshold is not None:
                label = f"{share:.1%} {side} {threshold:g} dB"
                line = ax.axvline(threshold, color="black", linestyle="--", label=label)
                self.lines_.append(line)
        ax.set(xlabel="level (dB)", ylabel="values (%)")
        if self.lines_:
            ax.legend(handles=self.lines_, loc="best")
        if self.name is not None:
            ax.set_title(literal(self.name), parse_math=False)
        return self
