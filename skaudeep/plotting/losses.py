"""Plots of losses over the epochs of a training."""

from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skaudeep.plotting.pyplot import figure_size, import_pyplot, literal

__all__ = ["LossCurveDisplay"]


class LossCurveDisplay:
    """Plot of the training loss over epochs, and of the validation loss if there is one.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Loss of the training clips in each epoch, of at least one epoch.
    validation_loss_curve : array-like of shape (n_epochs,), default=None
        The same loss of the validation clips after each epoch. None, or an empty array, draws no
        line.
    name : str, default=None
        Label of the line in the legend; the line of the validation loss is called "<name>,
        validation". With None there is a legend ("training", "validation") only if there is a
        validation loss.
    loss_name : str, default=None
        What the losses are, such as "RMSE", for the label of the axis. None names nothing.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the curve, set by `plot`.
    figure_ : matplotlib Figure
        Figure of the axes, set by `plot`.
    line_ : matplotlib Line2D
        Line of the curve, set by `plot`.
    validation_line_ : matplotlib Line2D or None
        Dashed line of the validation loss, set by `plot`. None if there is no validation loss.

    Raises
    ------
    ValueError
        If `loss_curve` is not a vector or has no epoch, or the validation loss has another length.

    Examples
    --------
    Two curves in one plot:

    >>> from skaudeep.plotting import LossCurveDisplay
    >>> gru = LossCurveDisplay([0.6, 0.4, 0.3], name="GRU").plot()
    >>> lstm = LossCurveDisplay([0.7, 0.5, 0.4], name="LSTM").plot(ax=gru.ax_)
    >>> [line.get_label() for line in lstm.ax_.lines]
    ['GRU', 'LSTM']

    The loss of a fitted autoencoder, in the same plot:

    >>> import numpy as np
    >>> from skaudeep import Seq2SeqAutoencoder
    >>> X = np.sin(np.arange(6 * 20 * 3).reshape(6, 20, 3))  # 6 clips, 20 frames, 3 bands
    >>> autoencoder = Seq2SeqAutoencoder(4, max_epochs=2, random_state=0).fit(X)
    >>> display = LossCurveDisplay.from_estimator(autoencoder, name="autoencoder", ax=gru.ax_)
    >>> display.loss_curve.shape
    (2,)
    """

    def __init__(
        self,
        loss_curve: Any,
        *,
        validation_loss_curve: Any = None,
        name: str | None = None,
        loss_name: str | None = None,
    ) -> None:
        loss_curve = np.asarray(loss_curve, dtype=float)
        if loss_curve.ndim != 1 or not len(loss_curve):
            raise ValueError(
                f"Got a loss curve of shape {loss_curve.shape}, expected one loss for each of at "
                "least one epoch; an estimator with max_epochs=0 has no curve."
            )
        if validation_loss_curve is not None and not len(validation_loss_curve):
            validation_loss_curve = None
        if validation_loss_curve is not None:
            validation_loss_curve = np.asarray(validation_loss_curve, dtype=float)
            if validation_loss_curve.shape != loss_curve.shape:
                raise ValueError(
                    f"Got a validation loss curve of shape {validation_loss_curve.shape} for a "
                    f"loss curve of shape {loss_curve.shape}, expected one loss for each epoch."
                )
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.name = name
        self.loss_name = loss_name

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, name: str | None = None, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Plot the losses of a fitted estimator, with ``validation_loss_curve_`` if it has one.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
            A fitted autoencoder, or another fitted estimator with ``loss_curve_``. The axis names
            the loss of a `Seq2SeqAutoencoder` ("RMSE"), of `DistilledFeatures` ("1 - alignment")
            and of a `DropoutMLPClassifier` ("cross-entropy").
        name : str, default=None
            Label of the line in the legend. With None there is a legend only if there is a
            validation loss.
        ax : matplotlib Axes, default=None
            Axes to plot on. None makes a new figure.
        **kwargs : dict
            Passed to :meth:`ax.plot <matplotlib.axes.Axes.plot>`, which draws the line of the
            training loss, for example ``color="black"`` or ``linewidth=2``. The line of the
            validation loss takes its colour from it.

        Returns
        -------
        LossCurveDisplay
            The display, plotted.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        ValueError
            If the curve has no epoch, as with ``max_epochs=0``.
        """
        check_is_fitted(estimator, "loss_curve_")
        validation = getattr(estimator, "validation_loss_curve_", None)
        display = cls(
            estimator.loss_curve_,
            validation_loss_curve=validation,
            name=name,
            loss_name=getattr(estimator, "_loss_name", None),
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the curve of the training loss, and that of the validation loss if there is one.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. None makes a new figure.
        **kwargs : dict
            Passed to :meth:`ax.plot <matplotlib.axes.Axes.plot>`, which draws the line of the
            training loss, for example ``color="black"`` or ``linewidth=2``. The line of the
            validation loss takes its colour from it.

        Returns
        -------
        LossCurveDisplay
            The display itself.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        from matplotlib.ticker import MaxNLocator

        if ax is None:
            _, ax = plt.subplots(figsize=figure_size(5, 3), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        epochs = np.arange(1, len(self.loss_curve) + 1)
        (self.line_,) = ax.plot(epochs, self.loss_curve, **{"label": self._label()} | kwargs)
        self.validation_line_ = None
        if self.validation_loss_curve is not None:
            options = {"color": self.line_.get_color(), "linestyle": "--", "label": "validation"}
            if self.name is not None:
                options["label"] = f"{self._label()}, validation"
            (self.validation_line_,) = ax.plot(epochs, self.validation_loss_curve, **options)
        what = "training loss" if self.validation_line_ is None else "loss"
        if self.loss_name is not None:
            what += f" ({literal(self.loss_name)})"
        ax.set(xlabel="epoch", ylabel=what)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if self.name is not None or self.validation_line_ is not None:
            for text in ax.legend().get_texts():
                text.set_parse_math(False)
        return self

    def _label(self) -> str:
        return "training" if self.name is None else literal(self.name)
