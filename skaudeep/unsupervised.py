"""A function that trains an autoencoder without labels; the command `skaudeep train` calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import Bunch

from skaudeep._model_inputs import check_kind, check_rate_of_waveforms, find_extractors, model_rate
from skaudeep._padding import pad
from skaudeep.autoencoder import Seq2SeqAutoencoder
from skaudeep.datasets.bunch import check_bunch
from skaudeep.datasets.description import audio_clips
from skaudeep.spectrogram import SpectrogramExtractor

__all__ = ["find_autoencoder", "fit_autoencoder", "spectrograms_for"]


def fit_autoencoder(
    bunch: Bunch | Sequence[Bunch],
    model: Any = None,
    *,
    callbacks: Sequence[Any] = (),
    on_epoch: Callable[[Seq2SeqAutoencoder, int], object] | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Any:
    """Train an autoencoder on the clips of one or several data sets, without their labels.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`, or sequence of them
        Data sets with the keys `data` and `filenames` (:func:`~skaudeep.datasets.make_bunch`),
        either all of recordings or all of spectrograms. Spectrograms on disk are read a batch at a
        time. Those of several sets must have the same number of bands; shorter ones are padded with
        NaN at their end. Clips that are NaN throughout are left out. Labels are not used.
    model : Seq2SeqAutoencoder, or Pipeline that ends in one, default=None
        The model, which is fitted in place, without cloning. For recordings it is a pipeline that
        begins with an extractor. None is a default :class:`~skaudeep.Seq2SeqAutoencoder`, for
        recordings after a default :class:`~skaudeep.SpectrogramExtractor` with the `sampling_rate`
        of the first data set, if this has one. A fitted autoencoder with ``warm_start=True``
        continues from its weights.
    callbacks : sequence of callbacks, default=()
        Callbacks of this training, such as :class:`~skaudeep.callbacks.Checkpoint`. If any are
        given, or `on_epoch` is, they replace the callbacks that the autoencoder has, and the fitted
        model keeps no callbacks. Otherwise the autoencoder keeps and calls its own.
    on_epoch : callable, default=None
        Function that is called after each epoch with two arguments: the autoencoder, whose
        `loss_curve_` has one more entry, and the number of epochs up to its last one (training may
        stop earlier). None calls nothing.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the default autoencoder; None gives other weights in each call. It has
        no effect on a `model` that is given, which has its own.

    Returns
    -------
    estimator
        The fitted model: `model` itself, if it was given. If its extractor had no `sampling_rate`,
        this is set to the rate of the training clips, to which later recordings are resampled.

    Raises
    ------
    TypeError
        If the model does not end in a Seq2SeqAutoencoder.
    ValueError
        If there is no data set, data sets differ in kind or bands, hold features without a time
        axis, or are not what the model takes.
    AudioError
        If a recording cannot be read, or recordings differ in sampling rate and the model has no
        `sampling_rate`.

    See Also
    --------
    transform_to_file : Write the features of these or other clips.
    fit_classifier : Fit a classifier to labelled clips.

    Examples
    --------
    >>> import skaudeep
    >>> from skaudeep.datasets import make_sounds
    >>> sounds = make_sounds(8, n_classes=2, n_sessions=2, duration=0.3, sampling_rate=8000)
    >>> extractor = skaudeep.SpectrogramExtractor(n_mels=20, sampling_rate=8000)
    >>> spectrograms = skaudeep.datasets.make_bunch(
    ...     extractor.transform(sounds.data), sounds.filenames)
    >>> autoencoder = skaudeep.Seq2SeqAutoencoder(n_units=8, max_epochs=2, random_state=0)
    >>> len(skaudeep.fit_autoencoder([spectrograms, spectrograms], autoencoder).loss_curve_)
    2
    """
    given = [bunch] if isinstance(bunch, Mapping) else bunch
    bunches: list[Bunch] = [check_bunch(one, required=("data", "filenames")) for one in given]
    if not bunches:
        raise ValueError("Got no data set, expected at least one to train on.")
    first = bunches[0]
    recordings = audio_clips(first) is not None
    if model is None:
        model = Seq2SeqAutoencoder(random_state=random_state)
        if recordings:
            extractor = SpectrogramExtractor(sampling_rate=first.get("sampling_rate"))
            model = make_pipeline(extractor, model)
    autoencoder = find_autoencoder(model)
    for number, other in enumerate(bunches):
        if other.dims != first.dims:
            raise ValueError(
                f"Got data with the axes {first.dims} in set 0 and {other.dims} in set {number}, "
                "expected one kind of data. Train on recordings, or on spectrograms."
            )
        check_kind(model, other.dims)
        check_rate_of_waveforms(model_rate(model), other)
    if not recordings and len(first.dims) < 3:
        raise ValueError(
            f"Got data with the axes {first.dims}, expected recordings, or sequences such as "
            "spectrograms: features have no time axis to learn from."
        )
    watching = [] if on_epoch is None else [_Watcher(on_epoch)]
    X = _joined([one.data for one in bunches])
    if watching or callbacks:
        autoencoder.set_callbacks(*callbacks, *watching)
    try:
        model.fit(X)
    finally:
        if watching or callbacks:
            autoencoder.set_callbacks()
    for extractor in find_extractors(model):
        if extractor.sampling_rate is None and hasattr(extractor, "sampling_rate_"):
            extractor.sampling_rate = extractor.sampling_rate_  # resample files of other rates
    return model


def find_autoencoder(model: Any) -> Seq2SeqAutoencoder:
    """Return the autoencoder that a model is, or that a pipeline ends in.

    Parameters
    ----------
    model : estimator
        An autoencoder, or a pipeline that ends in one.

    Returns
    -------
    Seq2SeqAutoencoder
        The autoencoder itself, not a copy.

    Raises
    ------
    TypeError
        If the model does not end in a Seq2SeqAutoencoder.
    """
    last = model
    while isinstance(last, Pipeline):
        last = last[-1]
    if not isinstance(last, Seq2SeqAutoencoder):
        raise TypeError(
            f"Got a model that ends in a {type(last).__name__}, expected a Seq2SeqAutoencoder, or "
            "a pipeline that ends in one."
        )
    return last


def spectrograms_for(model: Any, bunch: Bunch) -> NDArray[np.float32]:
    """Return the spectrograms of a few clips, as the autoencoder of a model reads them.

    Parameters
    ----------
    model : Seq2SeqAutoencoder, or Pipeline that ends in one
        A fitted model.
    bunch : :class:`~sklearn.utils.Bunch`
        A data set of clips in a form that the model takes.

    Returns
    -------
    ndarray of shape (n_clips, n_frames, n_bands) or (n_clips, n_chunks, n_frames, n_bands)
        The spectrograms.

    Raises
    ------
    ValueError
        If the data are not what the model takes.
    AudioError
        If a recording cannot be read.
    """
    bunch = check_bunch(bunch, required=("data", "filenames"))
    check_kind(model, bunch.dims)
    if isinstance(model, Pipeline) and len(model) > 1:
        return np.asarray(model[:-1].transform(bunch.data))
    if len(bunch.dims) < 3:
        raise ValueError(
            f"Got data with the axes {bunch.dims} for a model of spectrograms, expected some. "
            "Extract them as those that it was trained on."
        )
    return np.asarray(bunch.data)


class _Watcher:
    """Callback in scikit-learn's protocol that calls a function after each epoch."""

    def __init__(self, on_epoch: Callable[[Seq2SeqAutoencoder, int], object]):
        self.on_epoch = on_epoch
        self.last_epoch = 0

    def setup(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def on_fit_task_begin(
        self, estimator: Any, context: Any, *, metadata: dict[str, Any] | None = None
    ) -> None:
        if metadata and "last_epoch" in metadata:
            self.last_epoch = metadata["last_epoch"]

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        if context.task_name == "epoch":
            self.on_epoch(estimator, self.last_epoch - len(estimator.loss_curve_))

    def teardown(self, estimator: Any, context: Any) -> None:
        """Do nothing."""


# Several data sets as one.


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    if all(hasattr(part, "names") for part in parts):  # a pandas index
        return parts[0].append(parts[1:])
    if len({len(getattr(part, "shape", (0,))) for part in parts}) == 1 and np.ndim(parts[0]) > 2:
        return _JoinedRows(parts)
    return [row for part in parts for row in part]


class _JoinedRows:
    """Rows of several arrays, in memory or on disk, concatenated lazily.

    Parameters
    ----------
    parts : list of arrays of shape (n_rows, ..., n_bands)
        The arrays. Their axes between the first and the last may differ in length: shorter rows are
        padded with NaN.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, parts: list[Any]):
        if len({part.shape[-1] for part in parts}) > 1:
            found = " and ".join(str(tuple(part.shape)) for part in parts)
            raise ValueError(
                f"Got data of shape {found}, expected the same bands (the last axis). Extract all "
                "of them alike."
            )
        self._parts = parts
        self._starts = np.cumsum([0, *map(len, parts)])
        self._item = tuple(np.max([part.shape[1:] for part in parts], axis=0).tolist())
        self.shape = (int(self._starts[-1]), *self._item)
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: slice | NDArray[np.intp]) -> NDArray[np.float32]:
        rows = np.arange(len(self))[key]
        if rows.ndim == 0:
            return np.asarray(self[rows[None]][0])
        values = np.empty((len(rows), *self._item), np.float32)
        of_row = np.searchsorted(self._starts, rows, side="right") - 1
        for number in np.unique(of_row):
            here = of_row == number
            block = self._parts[number][rows[here] - self._starts[number]]
            values[here] = pad(list(np.asarray(block, dtype=np.float32)), self._item)
        return values
