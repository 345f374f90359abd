"""What watches a training: callbacks in scikit-learn's protocol."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import warnings
from collections.abc import Callable
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.callback import CallbackContext
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import _num_samples

from skaudeep.persistence import PersistenceError, load, save
from skaudeep.training import Training

# Parameters that do not change the course of a training, or only its end.
INDIFFERENT = {
    "contamination",
    "device",
    "max_epochs",
    "n_iter_no_change",
    "representation",
    "warm_start",
}
SUFFIX = ".skaudeep"
MAX_EMBEDDED = 2000  # clips; the projector slows down beyond, and the files are text


class Checkpoint:
    """Keep a training's state on disk, so that it can go on after whatever ended it.

    Set it on a `Seq2SeqAutoencoder`, also on one inside a pipeline or search. `fit` with the same
    parameters on the same data goes on from the newest checkpoint in `directory` and ends with the
    same bits as a training that was never interrupted; ``max_epochs`` may be raised. Trainings of
    other parameters or data have folders of their own, so that folds and grids do not meet.
    Whatever ends a training, Ctrl-C among it, what was done up to the last epoch (or up to some
    seconds ago) is written.

    A checkpoint is also a model: `skaudeep.load` gives the autoencoder as it was.

    Parameters
    ----------
    directory : str or Path
        Made where it is missing.
    every_n_epochs : int >= 1, default=1
        Epochs from one checkpoint to the next.
    every_minutes : float > 0, default=None
        Write one also when so much time has passed since the last, within long epochs as well.
    keep : int >= 1, default=2
        How many to keep of each training, the newest.

    Raises
    ------
    ValueError
        If a parameter is out of range; in `fit`, if a checkpoint stands in the folder of another
        training.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skaudeep import Seq2SeqAutoencoder
    >>> from skaudeep.callbacks import Checkpoint
    >>> X = np.sin(np.arange(6 * 20 * 3).reshape(6, 20, 3))
    >>> autoencoder = Seq2SeqAutoencoder(n_units=8, max_epochs=2, random_state=0)
    >>> with TemporaryDirectory() as folder:
    ...     first = autoencoder.set_callbacks(Checkpoint(folder)).fit(X).loss_curve_
    ...     longer = autoencoder.set_params(max_epochs=3).fit(X).loss_curve_  # one epoch more
    >>> len(longer), longer[:2] == first
    (3, True)
    """

    NOTE_SECONDS = 10.0  # within an epoch, what is written at an interruption is at most so old

    @validate_params(
        {
            "directory": [str, os.PathLike],
            "every_n_epochs": [Interval(Integral, 1, None, closed="left")],
            "every_minutes": [Interval(Real, 0, None, closed="neither"), None],
            "keep": [Interval(Integral, 1, None, closed="left")],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        every_n_epochs: int = 1,
        every_minutes: float | None = None,
        keep: int = 2,
    ):
        self.directory = directory
        self.every_n_epochs = every_n_epochs
        self.every_minutes = every_minutes
        self.keep = keep
        self._watches: dict[Any, _Watch] = {}  # of each estimator that is being fitted

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_watches": {}}

    def setup(self, estimator: Any, context: CallbackContext) -> None:
        """Do nothing.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
        context : CallbackContext
        """

    def on_fit_task_begin(
        self, estimator: Any, context: CallbackContext, *, metadata: dict[str, Any] | None = None
    ) -> None:
        """Go on from the newest checkpoint, when a training begins.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
        context : CallbackContext
        metadata : dict
            Of a training: ``training`` itself, its ``last_epoch``, the ``checksum`` of its data,
            whether to ``resume``, and what makes a network ``complete``.
        """
        if context.task_name == "epoch":
            return
        if not metadata or "training" not in metadata:
            raise TypeError(
                f"Checkpoint watches the training of a Seq2SeqAutoencoder, got a "
                f"{type(estimator).__name__}. Set it on the autoencoder inside: "
                'pipeline["autoencoder"].set_callbacks(Checkpoint(...)).'
            )
        training = metadata["training"]
        self._watches[estimator] = watch = _Watch(self, estimator, metadata)
        if metadata["resume"]:
            watch.resume(metadata["last_epoch"])
        training.after_batch.append(watch.after_batch)

    def on_fit_task_end(self, estimator: Any, context: CallbackContext) -> None:
        """Write a checkpoint where it is due.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
        context : CallbackContext
        """
        if context.task_name == "epoch":
            self._watches[estimator].after_epoch()

    def teardown(self, estimator: Any, context: CallbackContext) -> None:
        """Write what is not written yet, also of a training that was interrupted.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
        context : CallbackContext
        """
        watch = self._watches.pop(estimator, None)
        if watch is not None:
            watch.write()


class _Watch:
    """A training and its folder of checkpoints."""

    def __init__(self, checkpoint: Checkpoint, estimator: Any, metadata: dict[str, Any]):
        self.checkpoint = checkpoint
        self.estimator = estimator
        self.training: Training = metadata["training"]
        self.complete: Callable[[Any], None] = metadata["complete"]
        self.identity: dict[str, Any] = {
            "data": metadata["checksum"](),
            "parameters": {
                name: "RandomState" if isinstance(value, np.random.RandomState) else repr(value)
                for name, value in sorted(estimator.get_params(deep=False).items())
                if name not in INDIFFERENT
            },
        }
        name = hashlib.sha256(json.dumps(self.identity).encode()).hexdigest()[:16]
        self.folder = Path(checkpoint.directory, name)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.noted: Any = None  # an estimator that is not written yet
        self.noted_at = self.written_at = time.monotonic()

    def resume(self, last_epoch: int) -> None:
        """Go on from the newest whole checkpoint that is not beyond the end."""
        for leftover in self.folder.glob(".*.tmp"):  # of a writer that was killed
            leftover.unlink(missing_ok=True)
        for path in sorted(self._paths(), reverse=True):
            try:
                stored = load(path)
            except PersistenceError as error:
                warnings.warn(f"{error} Trying the checkpoint before it.", stacklevel=2)
                continue
            state = getattr(stored, "checkpoint_", None)
            if state is None or state["identity"] != self.identity:
                raise ValueError(f"{path}: {self._difference(state)}")
            if len(state["training"]["loss_curve"]) + (state["training"]["batch"] > 0) > last_epoch:
                continue
            self.training.restore(state["training"], stored.network_.state_dict())
            return

    def _difference(self, state: dict[str, Any] | None) -> str:
        remedy = "Put it back where it was, or choose another directory."
        if state is None:
            return f"is a model but no checkpoint. {remedy}"
        ours, theirs = self.identity["parameters"], state["identity"]["parameters"]
        for name in ours:
            if ours[name] != theirs.get(name):
                return (
                    f"is a checkpoint of {name}={theirs.get(name)}, but this training has "
                    f"{name}={ours[name]}. {remedy}"
                )
        return f"is a checkpoint of a training on other data. {remedy}"

    def after_batch(self) -> None:
        now = time.monotonic()
        minutes = self.checkpoint.every_minutes
        if minutes is not None and now - self.written_at >= 60 * minutes:
            self.note()
            self.write()
        elif now - self.noted_at >= self.checkpoint.NOTE_SECONDS:
            self.note()

    def after_epoch(self) -> None:
        self.note()
        if self.training.epoch % self.checkpoint.every_n_epochs == 0:
            self.write()

    def note(self) -> None:
        """Copy the state, as an interruption may strike in the middle of the next step."""
        results = {  # of the fit so far; what else there is belongs to callbacks
            name: value
            for name, value in vars(self.estimator).items()
            if name.endswith("_") and not name.startswith("_")
        }
        self.noted = clone(self.estimator).set_callbacks()
        vars(self.noted).update(results | self.estimator._snapshot())
        self.noted.checkpoint_ = {"identity": self.identity, "training": self.training.state()}
        self.noted_at = time.monotonic()

    def write(self) -> None:
        if self.noted is None:
            return
        self.complete(self.noted.network_)
        training = self.noted.checkpoint_["training"]
        name = f"epoch-{len(training['loss_curve']):06d}-batch-{training['batch']:09d}{SUFFIX}"
        save(self.noted, self.folder / name)
        self.noted = None
        self.written_at = time.monotonic()
        by_age = sorted(self._paths(), key=lambda path: (path.stat().st_mtime_ns, path))
        for old in by_age[: -self.checkpoint.keep]:
            old.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        return list(self.folder.glob(f"epoch-*{SUFFIX}"))


class TensorBoard:
    """Write the course of a training for TensorBoard.

    After each epoch the loss, and where the training tells them the validation loss and the norm of
    the gradient; from time to time reconstructions, each below its input; at the end the features
    with their labels, for the projector. Look at them with ``tensorboard --logdir runs``.

    Set it on a `Seq2SeqAutoencoder`, also on one inside a pipeline or search. Every fit writes to a
    folder of its own below `log_dir`, named by its time and, inside other estimators, by the tasks
    that led to it. Needs tensorboard: ``pip install 'skaudeep[tensorboard]'``.

    Parameters
    ----------
    log_dir : str or Path
        Folder of all runs; made where it is missing.
    every : int >= 1, default=1
        Epochs from one picture of the reconstructions to the next.
    n_images : int >= 0, default=3
        Clips to draw, the first of X. Of a clip with chunks the first chunk is drawn.
    X : sequence of n_clips clips, default=None
        What to draw and to embed, in the form that the autoencoder takes. None takes what it is
        trained on.
    labels : array-like of shape (n_clips,), default=None
        Labels of X. None takes the y of `fit` where X is None, too.

    Raises
    ------
    ValueError
        If a parameter is out of range, or there are labels without X or of another length.

    Notes
    -----
    Of more than 2000 clips that many are embedded, evenly spaced over X. Steps count the epochs
    done: step 1 is the first entry of `loss_curve_`.

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
            "every": [Interval(Integral, 1, None, closed="left")],
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
        self._writers: dict[Any, Any] = {}  # of each estimator that is being fitted

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_writers": {}}

    def setup(self, estimator: Any, context: CallbackContext) -> None:
        """Begin a run.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
        context : CallbackContext

        Raises
        ------
        ImportError
            If tensorboard is not installed.
        TypeError
            If the estimator is no autoencoder.
        """
        if not hasattr(estimator, "reconstruct"):
            raise TypeError(
                f"TensorBoard watches the training of a Seq2SeqAutoencoder, got a "
                f"{type(estimator).__name__}. Set it on the autoencoder inside: "
                'pipeline["autoencoder"].set_callbacks(TensorBoard(...)).'
            )
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError(
                "TensorBoard needs tensorboard. Install it with: "
                "pip install 'skaudeep[tensorboard]'"
            ) from error
        folder = Path(self.log_dir, *_run_name(context))
        folder.mkdir(parents=True)  # never into a run that is there
        self._writers[estimator] = SummaryWriter(str(folder))

    def teardown(self, estimator: Any, context: CallbackContext) -> None:
        """End the run, also one that failed.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
        context : CallbackContext
        """
        writer = self._writers.pop(estimator, None)
        if writer is not None:
            writer.close()

    def on_fit_task_begin(self, estimator: Any, context: CallbackContext) -> None:
        """Do nothing.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
        context : CallbackContext
        """

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
        context : CallbackContext
        X : sequence of clips
        y : array-like of shape (n_clips,)
        metadata : dict
            ``validation_loss`` and ``gradient_norm`` are written where they are.
        fitted_estimator : Seq2SeqAutoencoder
            As if the training had ended here.
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
            if context.task_id % self.every == 0 and self.n_images > 0:
                for i, image in enumerate(_reconstructions(fitted, X, self.n_images)):
                    writer.add_image(f"reconstruction/{i}", image, step)
            writer.flush()  # all that was done is seen, and stays if the process dies
        elif context.task_name == "fit":
            features, labels = _features(fitted, X, y)
            if len(features):
                writer.add_embedding(features, labels, global_step=step, tag="features")


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
    X = _safe_indexing(X, np.arange(min(n_images, _num_samples(X))))
    pictures = []
    for x, rebuilt in zip(getattr(X, "values", X), autoencoder.reconstruct(X), strict=True):
        x = np.asarray(x, dtype=np.float32)
        x, rebuilt = (a[0] if rebuilt.ndim == 3 else a for a in (x, rebuilt))  # the first chunk
        n_frames = np.count_nonzero(~np.isnan(rebuilt[:, 0]))
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
    n_clips = _num_samples(X)
    rows = np.linspace(0, n_clips - 1, min(n_clips, MAX_EMBEDDED)).round().astype(int)
    features = np.asarray(autoencoder.transform(_safe_indexing(X, rows)))
    there = ~np.isnan(features).any(axis=-1)  # (n_clips,) or (n_clips, n_chunks)
    if labels is None:
        return features[there], None
    lines = [" ".join(str(label).split()) for label in _safe_indexing(labels, rows)]
    return features[there], [lines[clip] for clip in np.nonzero(there)[0]]
