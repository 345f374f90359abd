"""TensorBoard: logs of losses, reconstructions and features of a training."""

from __future__ import annotations

import os
import re
from numbers import Integral
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.callback import CallbackContext
from sklearn.utils import check_consistent_length

from skaudeep._base import COUNT, Interval, num_samples, safe_indexing, validate_params
from skaudeep._padding import row_lengths

MAX_EMBEDDED = 2000  # clips; the projector slows down beyond, and the files are text


class TensorBoard:
    """Write losses, weights, reconstructions and features of a training for TensorBoard.

    After each epoch three numbers are written: the loss (the entry of `loss_curve_`), the mean norm
    of the gradient before it is clipped, and, with `validation_fraction`, the validation loss.
    Every `every` epochs, histograms of the weights and pictures of reconstructions below their
    inputs are written. At the end the features are written, with their labels, for the projector.
    Show them by ``tensorboard --logdir runs``, where "runs" is `log_dir`.

    Set it on a `Seq2SeqAutoencoder` by its method `set_callbacks`, also on one inside a pipeline or
    search. Every fit writes to a folder of its own below `log_dir`, which is named by its time and,
    inside other estimators, by their tasks. A training that continues, by `partial_fit` or a warm
    start, writes to the folder of the estimator's last run, and the projector shows its last
    features. It needs tensorboard: ``pip install 'skaudeep[tensorboard]'``.

    Parameters
    ----------
    log_dir : str or Path
        Folder of all runs, which is created if it does not exist.
    every : int >= 1, default=1
        Number of epochs from one set of reconstructions and histograms to the next. The first set
        is that of the first epoch.
    n_images : int >= 0, default=3
        Number of clips whose reconstructions are drawn: the first clips of X. If clips are in
        chunks, the first chunk is drawn. A clip of NaN alone is left out.
    X : sequence of n_clips clips, default=None
        Clips whose reconstructions and features are written, in a form that the autoencoder takes.
        None uses the training clips.
    labels : array-like of shape (n_clips,), default=None
        Labels of X. With None, the labels are the y of `fit` if X is None, and there are none if X
        is given.

    Raises
    ------
    ValueError
        If a parameter is out of range, or `labels` are given without X or with another length.
    ImportError
        In `fit`, if tensorboard is not installed.
    TypeError
        In `fit`, if the estimator is no `Seq2SeqAutoencoder`.

    Notes
    -----
    Features of at most 2000 clips are written; of more clips, 2000 that are evenly spaced over X.
    Each clip, or, if features have more axes, each chunk or frame, is a point of the projector.
    Steps are numbers of epochs: step 1 is the first entry of `loss_curve_`.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skaudeep import Seq2SeqAutoencoder
    >>> from skaudeep.callbacks import TensorBoard
    >>> X = np.sin(np.arange(6 * 20 * 3).reshape(6, 20, 3))
    >>> autoencoder = Seq2SeqAutoencoder(n_units=8, max_epochs=2, random_state=0)
    >>> with TemporaryDirectory() as runs:
    ...     fitted = autoencoder.set_callbacks(TensorBoard(runs)).fit(X)
    ...     len(list(Path(runs).glob("*/events.out.tfevents.*")))
    1
    """

    @validate_params(
        {
            "log_dir": [str, os.PathLike],
            "every": [COUNT],
            "n_images": [Interval(Integral, 0, None, closed="left")],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        *,
        every: int = 1,
        n_images: int = 3,
        X: Any = None,
        labels: ArrayLike | None = None,
    ):
        if labels is not None:
            if X is None:
                raise ValueError("Got labels without X; expected both, or neither.")
            check_consistent_length(X, labels)
        self.log_dir = log_dir
        self.every = every
        self.n_images = n_images
        self.X = X
        self.labels = labels
        self._writers: dict[Any, Any] = {}  # by the estimator that is being fitted
        self._folders: WeakKeyDictionary[Any, Path] = WeakKeyDictionary()  # folders of last runs

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state | {"_writers": {}, "_folders": WeakKeyDictionary()}

    def setup(self, estimator: Any, context: CallbackContext) -> None:
        """Check that a run can begin.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
            The estimator that is being fitted.
        context : CallbackContext
            scikit-learn's context of its `fit`.

        Raises
        ------
        ImportError
            If tensorboard is not installed.
        TypeError
            If the estimator is not an autoencoder.
        """
        if not hasattr(estimator, "reconstruct"):
            raise TypeError(
                f"TensorBoard watches the training of a Seq2SeqAutoencoder, got a "
                f"{type(estimator).__name__}. Set it on the autoencoder inside: "
                'pipeline["autoencoder"].set_callbacks(TensorBoard(...)).'
            )
        _summary_writer()

    def teardown(self, estimator: Any, context: CallbackContext) -> None:
        """End the run, also one that failed.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
            The estimator that was being fitted.
        context : CallbackContext
            scikit-learn's context of its `fit`.
        """
        writer = self._writers.pop(estimator, None)
        if writer is not None:
            writer.close()

    def on_fit_task_begin(
        self, estimator: Any, context: CallbackContext, *, metadata: dict[str, Any] | None = None
    ) -> None:
        """Begin a run, or continue the last one if the training continues.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
            The estimator that is being fitted.
        context : CallbackContext
            scikit-learn's context of the task that begins.
        metadata : dict
            Facts about the training: `resume` is True if it begins from random weights, False if it
            continues from those of an earlier call.
        """
        if context.task_name == "epoch":
            return
        n_done = 0 if (metadata or {}).get("resume", True) else len(estimator.loss_curve_)
        folder = self._folders.get(estimator) if n_done else None
        if folder is None:
            folder = Path(self.log_dir, *_run_name(context))
            folder.mkdir(parents=True)  # never into a run that is there
        # What a training that was interrupted, and is undone, wrote after these epochs is hidden.
        self._writers[estimator] = _summary_writer()(str(folder), purge_step=n_done + 1)
        self._folders[estimator] = folder

    def on_fit_task_end(
        self,
        estimator: Any,
        context: CallbackContext,
        *,
        X: Any = None,
        y: Any = None,
        metadata: dict[str, Any] | None = None,
        fitted_estimator: Any = None,
    ) -> None:
        """Write an epoch, or at the end of `fit` the features.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
            The estimator that is being fitted.
        context : CallbackContext
            scikit-learn's context of the task that ends: an epoch, or the whole `fit`.
        X : sequence of clips
            Training clips.
        y : array-like of shape (n_clips,)
            Their labels, if there are any.
        metadata : dict
            Facts about the epoch; ``validation_loss`` and ``gradient_norm`` are written if they are
            there.
        fitted_estimator : Seq2SeqAutoencoder
            The estimator as if the training had ended here.
        """
        writer = self._writers[estimator]
        fitted = estimator if fitted_estimator is None else fitted_estimator
        step = len(fitted.loss_curve_)
        X, y = (X, y) if self.X is None else (self.X, self.labels)
        if context.task_name == "epoch":
            writer.add_scalar("loss", fitted.loss_curve_[-1], step)
            for name in ("validation_loss", "gradient_norm"):
                value = (metadata or {}).get(name)
                if value is not None:
                    writer.add_scalar(name, value, step)
            if (step - 1) % self.every == 0:
                if self.n_images > 0:
                    for i, image in enumerate(_reconstructions(fitted, X, self.n_images)):
                        writer.add_image(f"reconstruction/{i}", image, step)
                for name, weights in fitted.network_.named_parameters():
                    writer.add_histogram(f"weights/{name}", weights, step)
            writer.flush()  # all that was done is seen, and stays if the process dies
        elif context.task_name == "fit":
            features, labels = _features(fitted, X, y)
            if len(features):
                writer.add_embedding(features, labels, global_step=step, tag="features")


def _summary_writer() -> Any:
    """Return the class that writes files for TensorBoard."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError(
            "TensorBoard needs tensorboard. Install it with: pip install 'skaudeep[tensorboard]'"
        ) from error
    return SummaryWriter


def _run_name(context: CallbackContext) -> list[str]:
    """Folders below log_dir: the outermost fit, then the tasks from there to this one."""
    tasks = []
    while context.parent is not None:
        name = re.sub(r"[^\w.+-]+", "_", context.source_task_name or context.task_name)
        tasks.append(f"{context.task_id}-{name}")
        context = context.parent
    started = context.init_time.astimezone().strftime("%Y-%m-%d_%H-%M-%S")
    return [f"{started}_{context.root_uuid.hex[:8]}", *reversed(tasks)]


def _reconstructions(autoencoder: Any, X: Any, n_images: int) -> list[NDArray]:
    """Pictures (1, height, n_frames) of input and reconstruction, without clips that are empty."""
    X = safe_indexing(X, np.arange(min(n_images, num_samples(X))))
    pictures = []
    for x, rebuilt in zip(getattr(X, "values", X), autoencoder.reconstruct(X), strict=True):
        x = np.asarray(x, dtype=np.float32)
        x, rebuilt = (a[0] if rebuilt.ndim == 3 else a for a in (x, rebuilt))  # the first chunk
        n_frames = int(row_lengths(rebuilt[None])[0])
        if n_frames:
            x = x.reshape(len(x), -1)[:n_frames]  # (T, F)
            pictures.append(_above(x, rebuilt[:n_frames]))
    return pictures


def _above(x: NDArray, rebuilt: NDArray) -> NDArray:
    """Two spectrograms (n_frames, n_bands) on the scale of the first, low bands at the bottom."""
    low, high = x.min(), x.max()
    line = np.full((1, len(x)), high)
    picture = np.concatenate([x.T[::-1], line, rebuilt.T[::-1]])
    levels = (picture.clip(low, high) - low) / max(high - low, np.finfo(np.float32).tiny)
    return (255 * levels).round().astype(np.uint8)[None]


def _features(autoencoder: Any, X: Any, labels: Any) -> tuple[NDArray, list[str] | None]:
    """Features of clips (or chunks) spread over X, and a line of text for each."""
    n_clips = num_samples(X)
    rows = np.linspace(0, n_clips - 1, min(n_clips, MAX_EMBEDDED)).round().astype(int)
    features = np.asarray(autoencoder.transform(safe_indexing(X, rows)))
    there = ~np.isnan(features).any(axis=-1)  # (n_clips,) or (n_clips, n_chunks)
    if labels is None:
        return features[there], None
    lines = [" ".join(str(label).split()) for label in safe_indexing(labels, rows)]
    return features[there], [lines[clip] for clip in np.nonzero(there)[0]]
