"""Checkpoint: files from which an interrupted training continues."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.callback import CallbackContext

from skaudeep._base import COUNT, POSITIVE, validate_params
from skaudeep._files import delete_leftovers
from skaudeep._texts import printable
from skaudeep._warnings import find_stack_level
from skaudeep.persistence.archive import PersistenceError, load, save
from skaudeep.training.loop import Training

# Parameters that do not change the course of a training, or only its end.
INDIFFERENT = {
    "device",
    "max_epochs",
    "n_iter_no_change",
    "representation",
    "warm_start",
}
SUFFIX = ".skaudeep"
_NAME = re.compile(rf"epoch-(\d{{6,}})-batch-(\d{{9,}}){re.escape(SUFFIX)}")


class Checkpoint:
    """Write the state of a training to disk, so that it can continue after an interruption.

    Set it on a `Seq2SeqAutoencoder` by its method `set_callbacks`, also on one inside a pipeline or
    search. `fit` with the same parameters on the same data continues from the newest checkpoint in
    `directory` that is not beyond ``max_epochs``, and its result is bit-identical to that of an
    uninterrupted training. The parameters ``max_epochs``, ``n_iter_no_change``,
    ``representation``, ``warm_start`` and ``device`` may differ. `partial_fit`, and a `fit` that
    continues by ``warm_start=True``, write checkpoints but do not continue from one. Trainings with
    other parameters or data have separate folders, so that folds and grids do not interfere. At the
    end of a training, and if it is interrupted, for example by Ctrl-C, the newest state is written:
    that after the last epoch, or within an epoch one that is about ten seconds old at most.

    If ``random_state`` is a generator, the seed that is drawn from it identifies the training, so
    that three fits with a generator are three trainings. With ``random_state=None`` the checkpoint
    stores the seed, so that such a training can continue, too. A further fit to the same data then
    loads the finished training; to fit several times, give each fit an integer of its own.

    A checkpoint is also a model: `skaudeep.load` returns the autoencoder at this point.

    Parameters
    ----------
    directory : str or Path
        Folder of the checkpoints, which is created if it does not exist.
    every_n_epochs : int >= 1, default=1
        Number of epochs from one checkpoint to the next.
    every_minutes : float > 0, default=None
        Time in minutes after which a further checkpoint is written, also within an epoch. None
        writes checkpoints after epochs only.
    keep : int >= 1 or None, default=2
        Number of checkpoints of each training that are kept, the newest ones. None keeps all, so
        that features of every step can be computed (`find_checkpoints`).

    Raises
    ------
    ValueError
        If a parameter is out of range; in `fit`, if the folder of this training holds a checkpoint
        of another one.
    TypeError
        If a parameter has another type; in `fit`, if the estimator is no `Seq2SeqAutoencoder`.

    Warns
    -----
    UserWarning
        In `fit`, if a checkpoint is damaged. The one before it is then used.

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
            "every_n_epochs": [COUNT],
            "every_minutes": [POSITIVE, None],
            "keep": [COUNT, None],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        every_n_epochs: int = 1,
        every_minutes: float | None = None,
        keep: int | None = 2,
    ):
        self.directory = directory
        self.every_n_epochs = every_n_epochs
        self.every_minutes = every_minutes
        self.keep = keep
        self._runs: dict[Any, _Run] = {}  # by the estimator that is being fitted

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_runs": {}}

    def setup(self, estimator: Any, context: CallbackContext) -> None:
        """Do nothing.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
            The estimator that is being fitted.
        context : CallbackContext
            scikit-learn's context of its `fit`.
        """

    def on_fit_task_begin(
        self, estimator: Any, context: CallbackContext, *, metadata: dict[str, Any] | None = None
    ) -> None:
        """Continue from the newest checkpoint when a training begins.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
            The estimator that is being fitted.
        context : CallbackContext
            scikit-learn's context of the task that begins.
        metadata : dict
            Facts about the training: ``training`` itself, its ``last_epoch``, the ``checksum`` of
            its data, whether to ``resume``, and a function that makes a network ``complete``.
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
        self._runs[estimator] = run = _Run(self, estimator, metadata)
        if metadata["resume"]:
            run.resume(metadata["last_epoch"])
        training.after_batch.append(run.after_batch)

    def on_fit_task_end(self, estimator: Any, context: CallbackContext) -> None:
        """Write a checkpoint if it is due.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
            The estimator that is being fitted.
        context : CallbackContext
            scikit-learn's context of the task that ends: an epoch, or the whole `fit`.
        """
        if context.task_name == "epoch":
            self._runs[estimator].after_epoch()

    def teardown(self, estimator: Any, context: CallbackContext) -> None:
        """Write the last state if it is not written yet, also after an interruption.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
            The estimator that was being fitted.
        context : CallbackContext
            scikit-learn's context of its `fit`.
        """
        run = self._runs.pop(estimator, None)
        if run is not None:
            run.write()


class _Run:
    """A training and its folder of checkpoints."""

    def __init__(self, checkpoint: Checkpoint, estimator: Any, metadata: dict[str, Any]):
        self.checkpoint = checkpoint
        self.estimator = estimator
        self.training: Training = metadata["training"]
        self.complete: Callable[[Any], None] = metadata["complete"]
        self.identity: dict[str, Any] = {
            "data": metadata["checksum"](),
            "parameters": {
                name: repr(value)
                for name, value in sorted(estimator.get_params(deep=False).items())
                if name not in INDIFFERENT
            },
        }
        if isinstance(estimator.random_state, np.random.RandomState):  # its repr tells no state
            drawn = f"RandomState that draws {estimator.seed_}"
            self.identity["parameters"]["random_state"] = drawn
        name = hashlib.sha256(json.dumps(self.identity).encode()).hexdigest()[:16]
        self.folder = Path(checkpoint.directory, name)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.snapshot: Any = None  # an estimator that is not written yet
        self.snapshot_at = self.written_at = time.monotonic()

    def resume(self, last_epoch: int) -> None:
        """Go on from the newest whole checkpoint that is not beyond the end."""
        delete_leftovers(self.folder)
        for path in sorted(self._paths(), reverse=True):
            try:
                stored = load(path)
            except (OSError, PersistenceError) as error:
                warnings.warn(
                    f"{error} Trying the checkpoint before it.", stacklevel=find_stack_level()
                )
                continue
            state = getattr(stored, "checkpoint_", None)
            if state is None or state["identity"] != self.identity:
                raise ValueError(f"{printable(path)}: {printable(self._difference(state))}")
            training = state["training"]
            if len(training["loss_curve"]) + (training["batch"] > 0) > last_epoch:
                continue
            try:
                self.training.restore(training, stored.network_.state_dict())
            except (RuntimeError, ValueError) as error:  # torch's, or that of a file made by hand
                raise ValueError(
                    f"{printable(path)}: is no state of this training ({printable(error)}). Delete "
                    "it."
                ) from error
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
            self.take_snapshot()
            self.write()
        elif now - self.snapshot_at >= self.checkpoint.NOTE_SECONDS:
            self.take_snapshot()

    def after_epoch(self) -> None:
        self.take_snapshot()
        if self.training.epoch % self.checkpoint.every_n_epochs == 0:
            self.write()

    def take_snapshot(self) -> None:
        """Copy the state, as an interruption may strike in the middle of the next step."""
        results = {  # results of the fit so far; other attributes belong to callbacks
            name: value
            for name, value in vars(self.estimator).items()
            if name.endswith("_") and not name.startswith("_")
        }
        self.snapshot = clone(self.estimator).set_callbacks()
        vars(self.snapshot).update(results | self.estimator._snapshot())
        self.snapshot.checkpoint_ = {"identity": self.identity, "training": self.training.state()}
        self.snapshot_at = time.monotonic()

    def write(self) -> None:
        if self.snapshot is None:
            return
        self.complete(self.snapshot.network_)
        training = self.snapshot.checkpoint_["training"]
        name = f"epoch-{len(training['loss_curve']):06d}-batch-{training['batch']:09d}{SUFFIX}"
        save(self.snapshot, self.folder / name)
        self.snapshot = None
        self.written_at = time.monotonic()
        if self.checkpoint.keep is None:
            return
        by_age = []
        for path in self._paths():
            with suppress(OSError):  # another training with this folder has deleted it
                by_age.append((path.stat().st_mtime_ns, path))
        for _, old in sorted(by_age)[: -self.checkpoint.keep]:
            with suppress(OSError):  # a folder, or of another user
                old.unlink()

    def _paths(self) -> list[Path]:
        return list(self.folder.glob(f"epoch-*{SUFFIX}"))


def find_checkpoints(directory: str | os.PathLike[str]) -> dict[int, Path]:
    """List the checkpoints of one training.

    Parameters
    ----------
    directory : str or Path
        The `directory` of a :class:`Checkpoint` with a single training, or the folder of a training
        in it.

    Returns
    -------
    dict of int to Path
        The files by the number of epochs, in ascending order. :func:`skaudeep.load` returns the
        autoencoder after this epoch. Checkpoints from within an epoch are left out.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no checkpoint in it.
    ValueError
        If there are several trainings.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skaudeep import Seq2SeqAutoencoder
    >>> from skaudeep.callbacks import Checkpoint, find_checkpoints
    >>> X = np.sin(np.arange(6 * 20 * 3).reshape(6, 20, 3))
    >>> autoencoder = Seq2SeqAutoencoder(n_units=8, max_epochs=3, random_state=0)
    >>> with TemporaryDirectory() as folder:
    ...     _ = autoencoder.set_callbacks(Checkpoint(folder, keep=None)).fit(X)
    ...     list(find_checkpoints(folder))
    [1, 2, 3]
    """
    root = Path(directory).expanduser()
    found: dict[Path, dict[int, Path]] = {}
    for path in sorted([*root.glob(f"epoch-*{SUFFIX}"), *root.glob(f"*/epoch-*{SUFFIX}")]):
        name = _NAME.fullmatch(path.name)
        if name and not int(name[2]):
            found.setdefault(path.parent, {})[int(name[1])] = path
    if not found:
        raise FileNotFoundError(
            f"Got path={str(root)!r}, which holds no checkpoint, expected a folder that Checkpoint "
            "wrote."
        )
    if len(found) > 1:
        folders = ", ".join(printable(folder) for folder in found)
        raise ValueError(
            f"Got path={str(root)!r}, which holds {len(found)} trainings, expected one. Give one "
            f"of {folders}."
        )
    return next(iter(found.values()))
