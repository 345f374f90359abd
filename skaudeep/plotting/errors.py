"""Plots of the clips that a classifier predicted wrongly."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from skaudeep._base import safe_indexing
from skaudeep.datasets.axes import count_axes, default_dims
from skaudeep.plotting.pyplot import (
    PAPER_WIDTH,
    figure_size,
    import_pyplot,
    literal,
    require_classes,
)
from skaudeep.plotting.spectrograms import (
    SpectrogramDisplay,
    extract,
    frame_and_band_centres,
)
from skaudeep.spectrogram import SpectrogramExtractor

__all__ = ["ErrorsDisplay"]

COLUMNS = 3  # number of spectrograms in a row
COLUMN_WIDTH = 1.8  # inches of each in a paper, at least: texts stand above it


class ErrorsDisplay:
    """Plot of the spectrograms of the clips that were most often wrong.

    The title of each spectrogram has the name of the clip (if the table has a column `filename`),
    its true class, the class that it was mistaken for, and the probability of the latter in percent
    (if the table has it, that is, if the classifier has probabilities).

    Parameters
    ----------
    spectrograms : sequence of n_clips SpectrogramDisplay
        Spectrogram of each clip.
    errors : pandas.DataFrame of n_clips rows
        A table of these clips with the columns of :meth:`Evaluation.errors
        <skaudeep.evaluation.Evaluation.errors>`: `target`, `predicted` and, if they are known,
        `filename` and `probability`.

    Attributes
    ----------
    axes_ : ndarray of n_clips matplotlib Axes
        Axes of the spectrograms, set by `plot`. If no clip was wrong, a single one without a
        spectrogram.
    figure_ : matplotlib Figure
        Figure of the axes, set by `plot`.

    Raises
    ------
    ValueError
        If there is not one row for each spectrogram.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skaudeep.plotting import ErrorsDisplay, SpectrogramDisplay
    >>> errors = pd.DataFrame({"target": ["dog"], "predicted": ["rain"], "probability": [0.8]})
    >>> display = ErrorsDisplay([SpectrogramDisplay(np.zeros((20, 8)))], errors).plot()
    >>> print(display.axes_[0].get_title(loc="left"))
    true: dog
    predicted: rain, 80 %

    The errors of an evaluation in which the first of four clips was taken for rain:

    >>> from skaudeep.datasets import make_bunch
    >>> from skaudeep.evaluation import Evaluation
    >>> spectrograms = np.zeros((4, 20, 8), np.float32)
    >>> evaluation = Evaluation(
    ...     target=np.array([0, 0, 1, 1]), target_names=["dog", "rain"], test=[np.arange(4)],
    ...     fold_predictions=[[np.array([1, 0, 1, 1])]], protocol="inductive", seeds=[0],
    ... )
    >>> bunch = make_bunch(spectrograms, list("abcd"))
    >>> display = ErrorsDisplay.from_evaluation(evaluation, bunch, axes=display.axes_)
    >>> len(display.axes_), display.errors["predicted"].tolist()
    (1, ['rain'])
    """

    def __init__(self, spectrograms: Sequence[SpectrogramDisplay], errors: Any) -> None:
        if len(spectrograms) != len(errors):
            raise ValueError(
                f"Got {len(spectrograms)} spectrograms and {len(errors)} rows of errors, expected "
                "one row for each spectrogram."
            )
        self.spectrograms = list(spectrograms)
        self.errors = errors

    @classmethod
    def from_evaluation(
        cls,
        evaluation: Any,
        bunch: Any,
        *,
        n: int = 6,
        extractor: Any = None,
        axes: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Plot the first clips of ``evaluation.errors()``, those that were most often wrong.

        Parameters
        ----------
        evaluation : Evaluation
            A result of :func:`~skaudeep.evaluate` for one class for each clip.
        bunch : Bunch
            The data set that was evaluated, of recordings or spectrograms, with all its clips in
            the same order.
        n : int > 0, default=6
            Largest number of clips to show. There are fewer if fewer clips were wrong.
        extractor : SpectrogramExtractor, default=None
            Extractor of the spectrograms of recordings. None extracts 64 mel bands in windows of 40
            ms, down to -60 dB relative to the maximum of the clip. If the bunch holds spectrograms,
            it is the extractor that made them, which only labels the axes in seconds and Hz; None
            then labels them with the numbers of frames and bands. If clips are in chunks, the first
            chunk is shown.
        axes : array of matplotlib Axes, default=None
            Axes to plot on, one for each clip shown, or a single one if no clip was wrong. None
            makes a new figure.
        **kwargs : dict
            Passed to :meth:`ax.imshow <matplotlib.axes.Axes.imshow>`, which draws each spectrogram,
            for example ``cmap="gray"`` or ``vmin=-1``.

        Returns
        -------
        ErrorsDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If the bunch has other clips than the evaluation, or features instead of recordings or
            spectrograms, if the evaluation is one of numbers or of several classes for a clip, if
            `n` is less than 1, or if there are not as many axes as clips to show.
        AudioError
            If a recording cannot be read.
        """
        import_pyplot(f"{cls.__name__}.from_evaluation")
        require_classes(evaluation, f"{cls.__name__}.from_evaluation")
        if n < 1:
            raise ValueError(f"Got n={n!r}, expected the number of clips to show, at least 1.")
        _check_same_clips(evaluation, bunch)
        errors = evaluation.errors()[:n]
        display = cls([_spectrogram(bunch, clip, extractor) for clip in errors.index], errors)
        return display.plot(axes=axes, **kwargs)

    def plot(self, axes: Any = None, **kwargs: Any) -> Self:
        """Draw the spectrograms, or the text "no clip was wrong" if there is none.

        Parameters
        ----------
        axes : array of matplotlib Axes, default=None
            Axes to plot on, one for each clip, or a single one if there is no clip. None makes a
            new figure with up to three spectrograms in a row (fewer in a narrow
            :func:`~skaudeep.plotting.paper_style`).
        **kwargs : dict
            Passed to :meth:`ax.imshow <matplotlib.axes.Axes.imshow>`, which draws each spectrogram,
            for example ``cmap="gray"`` or ``vmin=-1``.

        Returns
        -------
        ErrorsDisplay
            The display itself.

        Raises
        ------
        ValueError
            If there are not as many axes as clips.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        n_clips = len(self.spectrograms)
        new = axes is None
        if new:
            paper = PAPER_WIDTH.get()
            room = COLUMNS if paper is None else max(1, int(paper / COLUMN_WIDTH))
            self._n_columns = n_columns = min(COLUMNS, room, max(n_clips, 1))
            n_rows = -(-n_clips // n_columns) or 1
            wide = n_columns if paper is None else COLUMNS
            size = figure_size(3.4 * wide, 2.5 * n_rows)
            _, axes = plt.subplots(
                n_rows, n_columns, figsize=size, squeeze=False, layout="constrained"
            )
            for ax in axes.flat[max(n_clips, 1) :]:
                ax.remove()
            axes = axes.flat[: max(n_clips, 1)]
        self.axes_ = np.asarray(axes, dtype=object).ravel()
        if len(self.axes_) != max(n_clips, 1):
            raise ValueError(
                f"Got {len(self.axes_)} axes for {n_clips} clips, expected one for each; make "
                "them with plt.subplots."
            )
        self.figure_ = self.axes_[0].figure
        if not n_clips:
            self.axes_[0].set_axis_off()
            self.axes_[0].text(0.5, 0.5, "no clip was wrong", ha="center", va="center")
        for ax, one, row in zip(
            self.axes_, self.spectrograms, self.errors.itertuples(), strict=False
        ):
            one.plot(ax=ax, colorbar=False, **kwargs)
            predicted = f"predicted: {literal(row.predicted, 28)}"
            probability = getattr(row, "probability", np.nan)
            if not np.isnan(probability):
                predicted += f", {100 * probability:.0f} %"
            title = [f"true: {literal(row.target, 34)}", predicted]
            if hasattr(row, "filename"):
                title.insert(0, literal(row.filename))
            ax.set_title("", loc="center")
            ax.set_title("\n".join(title), loc="left", fontsize="small", parse_math=False)
        if new:
            self._remove_inner_labels()
        return self

    def _remove_inner_labels(self) -> None:
        for i, ax in enumerate(self.axes_):
            if i % self._n_columns:
                ax.set_ylabel("")
            if i + self._n_columns < len(self.axes_):
                ax.set_xlabel("")


def _check_same_clips(evaluation: Any, bunch: Any) -> None:
    filenames = bunch.get("filenames")
    same = len(bunch["data"]) == len(evaluation.target)
    if same and evaluation.filenames is not None and filenames is not None:
        same = np.array_equal(evaluation.filenames, filenames)
    if not same:
        raise ValueError(
            f"Got a bunch of {len(bunch['data'])} clips that are not the {len(evaluation.target)} "
            "clips of the evaluation, expected the bunch that was evaluated, in its order."
        )


def _spectrogram(bunch: Any, clip: int, extractor: Any) -> SpectrogramDisplay:
    data = bunch["data"]
    dims = tuple(bunch.get("dims") or default_dims(count_axes(data)))
    if dims[-1] == "band":
        row = np.asarray(safe_indexing(data, [clip])[0])
        row = row if row.ndim == 2 else row[0]
        times = frequencies = None
        if extractor is not None:
            times, frequencies = frame_and_band_centres(extractor, row.shape, extractor._rate())
        return SpectrogramDisplay(row, times=times, frequencies=frequencies)
    if dims[-1] == "feature":
        raise ValueError(
            "Got a bunch of features, expected clips or spectrograms; take the bunch from which "
            "the features were extracted."
        )
    if extractor is None:
        extractor = SpectrogramExtractor(
            window_duration=0.04,
            n_mels=64,
            clip_below=-60,
            sampling_rate=bunch.get("sampling_rate"),
            adapt=True,
        )
    return SpectrogramDisplay(**extract(extractor, safe_indexing(data, [clip])))
