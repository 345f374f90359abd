"""A classifier of recordings, from a labelled data set to a file of predictions or features.

These functions are what the commands `skaudeep fit`, `predict` and `transform` call.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import Bunch

from skaudeep._base import fit_with_groups
from skaudeep._files import check_writable
from skaudeep._journal import Journal, record
from skaudeep._model_inputs import (
    check_kind,
    check_rate_of_waveforms,
    find_extractors,
    model_rate,
    set_apart_silence,
    warner_of_low_rates,
)
from skaudeep._padding import pad
from skaudeep._texts import text_array
from skaudeep._version import __version__
from skaudeep._views import ClipExtractor
from skaudeep.audio.clips import list_clips
from skaudeep.audio.errors import AudioError, all_clips_failed
from skaudeep.datasets.axes import is_segment_index
from skaudeep.datasets.bunch import check_bunch
from skaudeep.datasets.description import audio_clips
from skaudeep.datasets.operations import is_labelled, readable_parts, take
from skaudeep.formats.columns import RESERVED
from skaudeep.recipes import DEFAULT_VERSION, VERSIONS, audio_classifier, linear_classifier
from skaudeep.reservoir import ReservoirFeatures

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "check_kind",
    "classifier_for",
    "find_extractors",
    "fit_classifier",
    "model_rate",
    "predict_clips",
    "transform_to_file",
]

BATCH = 64  # clips that are predicted together
FEATURE_FILES = (".nc", ".csv", ".arff")


def classifier_for(
    bunch: Bunch,
    *,
    sampling_rate: float | None = None,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Pipeline:
    """Return the default classifier for what a data set holds, not fitted.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set of recordings, of spectrograms or of features.
    sampling_rate : float, default=None
        Sampling rate in Hz to which files are resampled; of waveforms it can only be their own.
        None is the key `sampling_rate` of the data set, which waveforms have, else the one rate
        that all recordings share.
    n_jobs : int or None, default=None
        Number of time scales that are computed at the same time.
    random_state : int, RandomState instance or None, default=None
        Determines the weights of the networks and the folds in which `C` is chosen.

    Returns
    -------
    Pipeline
        :func:`skaudeep.recipes.audio_classifier` for recordings,
        :func:`skaudeep.recipes.linear_classifier` for features, and the latter behind
        :class:`~skaudeep.ReservoirFeatures` for spectrograms.

    Raises
    ------
    ValueError
        If the data are in chunks, or waveforms have another sampling rate.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.classification import classifier_for
    >>> from skaudeep.datasets import make_bunch
    >>> features = make_bunch(np.zeros((2, 8)), ["a.wav", "b.wav"])
    >>> list(classifier_for(features).named_steps)[:2]
    ['standardscaler', 'normalizer']
    """
    bunch = check_bunch(bunch, required=("data", "filenames"))
    if audio_clips(bunch) is not None:
        check_rate_of_waveforms(sampling_rate, bunch)
        rate = bunch.get("sampling_rate") if sampling_rate is None else sampling_rate
        return audio_classifier(sampling_rate=rate, n_jobs=n_jobs, random_state=random_state)
    if "chunk" in bunch.dims:
        raise ValueError(
            f"Got data with the axes {bunch.dims}, expected recordings, or spectrograms or "
            "features with one row per clip. Pool the chunks first, by skaudeep.ChunkPooling, or "
            "extract without chunks."
        )
    classifier = linear_classifier(random_state=random_state)
    if len(bunch.dims) == 2:
        return classifier
    reservoir = ReservoirFeatures(**VERSIONS[DEFAULT_VERSION], random_state=random_state)
    return make_pipeline(reservoir, *(step for _, step in classifier.steps))


def fit_classifier(
    bunch: Bunch,
    pipeline: Any = None,
    *,
    random_state: int | np.random.RandomState | None = None,
) -> Any:
    """Fit a classifier to the labelled clips of a data set, on the names of their classes.

    The fitted model predicts names, and its `classes_` are names: nothing else is needed to use it.
    Its `score` takes names as well: ``np.array(bunch.target_names)[bunch.target]``.
    Recordings of another sampling rate than those that it saw are resampled to theirs.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with the keys of :func:`~skaudeep.datasets.make_bunch`. Unlabelled clips are left
        out. `groups` reach the steps that can use them, such as
        :class:`~skaudeep.TunedLogisticRegression`.
    pipeline : estimator, default=None
        A classifier, or a pipeline that ends in one, which is fitted itself. None takes
        :func:`skaudeep.recipes.audio_classifier` where the data set holds recordings.
    random_state : int, RandomState instance or None, default=None
        Determines the default pipeline; a given one has its own.

    Returns
    -------
    estimator
        The pipeline, fitted.

    Raises
    ------
    ValueError
        If fewer than two classes have labelled clips, or the target is to regress on.
    AudioError
        If a clip cannot be read, or recordings have several sampling rates and the pipeline states
        none.

    See Also
    --------
    predict_clips : Predict other clips.
    skaudeep.save : Store the model.
    skaudeep.evaluate : Tell how good it is.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> import skaudeep
    >>> from skaudeep.datasets import make_sounds
    >>> sounds = make_sounds(20, n_classes=2, sampling_rate=8000, random_state=0)
    >>> extractor = skaudeep.SpectrogramExtractor(n_mels=40, sampling_rate=8000)
    >>> model = skaudeep.fit_classifier(
    ...     sounds, make_pipeline(extractor, skaudeep.BandStatistics(), LogisticRegression()))
    >>> model.classes_.tolist()
    ['falling sweep', 'rising sweep']
    """
    bunch = check_bunch(bunch)
    if bunch.target.dtype.kind == "f":
        raise ValueError(
            "Got a target to regress on, expected classes: a classifier predicts one of several. "
            "Fit a regressor of scikit-learn to bunch.data and bunch.target."
        )
    if bunch.target.ndim > 1:
        raise ValueError(
            f"Got a target of shape {bunch.target.shape}, expected one class per clip. Where clips "
            "may have several, fit a classifier of scikit-learn that predicts several, such as "
            "OneVsRestClassifier, to bunch.data and bunch.target."
        )
    rows = np.flatnonzero(is_labelled(bunch))
    names = np.array(bunch.target_names)[bunch.target[rows]]
    classes = sorted(set(names.tolist()))
    if len(classes) < 2:
        found = f"clips of the class {classes[0]!r} alone" if classes else "no labelled clip"
        raise ValueError(
            f"Got {found} among {len(bunch.filenames)} clips, expected labelled clips of at least "
            "two classes. Put the clips of each class into a folder of its own, or give labels by "
            "skaudeep.datasets.add_labels."
        )
    if pipeline is None:
        pipeline = classifier_for(bunch, random_state=random_state)
    groups = bunch.groups[rows] if bunch.groups[rows].any() else None
    fit_with_groups(pipeline, take(bunch.data, rows), names, groups)
    for extractor in find_extractors(pipeline):
        if extractor.sampling_rate is None and hasattr(extractor, "sampling_rate_"):
            extractor.sampling_rate = extractor.sampling_rate_  # so that it takes any other rate
    return pipeline


def predict_clips(
    model: Any,
    clips: Any,
    *,
    min_confidence: float | None = None,
    batch_size: int = BATCH,
) -> Iterator[pd.DataFrame]:
    """Predict the classes of clips, a batch at a time.

    Parameters
    ----------
    model : estimator
        A fitted classifier, as :func:`fit_classifier` returns or :func:`skaudeep.load` reads it.
    clips : sequence of n_clips clips, or :class:`~sklearn.utils.Bunch`
        Whatever the model takes, such as paths; or a data set, whose `filenames` then name the
        clips.
    min_confidence : float in [0, 1], default=None
        Probability below which a clip gets no label. None labels each.
    batch_size : int > 0, default=64
        Number of clips that are read and predicted together.

    Yields
    ------
    pandas.DataFrame
        A row for each clip of a batch, in their order. Columns are `file`, `label`, and the
        probability of each class under its name, where the model gives probabilities. Of a
        (file, start, end) index, such as that of :func:`~skaudeep.datasets.windows`, `file` is the
        path, and `start` and `end` follow it, as Timedelta: ``set_index(["file", "start", "end"])``
        gives the table that audformat and opensmile know. A clip that
        cannot be read, or whose samples are all equal, has an empty label and NaN;
        `attrs["errors"]` holds its
        :class:`~skaudeep.audio.AudioError`, by its row in the batch.

    Raises
    ------
    ValueError
        If the model is no fitted classifier, or has no probabilities and `min_confidence` is given;
        or if a data set holds waveforms of another sampling rate than the model's.

    Warns
    -----
    AudioWarning
        Once, if a recording has a lower sampling rate than those that the model was fitted to. In
        each batch, of clips that are shorter than three frames of the model.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> import skaudeep
    >>> from skaudeep.datasets import make_sounds
    >>> sounds = make_sounds(20, n_classes=2, sampling_rate=8000, random_state=0)
    >>> extractor = skaudeep.SpectrogramExtractor(n_mels=40, sampling_rate=8000)
    >>> model = skaudeep.fit_classifier(
    ...     sounds, make_pipeline(extractor, skaudeep.BandStatistics(), LogisticRegression()))
    >>> pd.concat(skaudeep.predict_clips(model, sounds)).columns.tolist()
    ['file', 'label', 'falling sweep', 'rising sweep']
    """
    classes = getattr(model, "classes_", None)
    if classes is None:
        raise ValueError(
            f"Got a {type(model).__name__} without classes_, expected a fitted classifier, or a "
            "pipeline that ends in one. Fit one by skaudeep.fit_classifier."
        )
    has_probabilities = hasattr(model, "predict_proba")
    if min_confidence is not None:
        if not has_probabilities:
            raise ValueError(
                f"Got min_confidence={min_confidence} for a model without probabilities, expected "
                "none. Fit one that has predict_proba, such as the default of fit_classifier."
            )
        if not 0 <= min_confidence <= 1:
            raise ValueError(f"Got min_confidence={min_confidence}, expected a number in [0, 1].")
    if batch_size < 1:
        raise ValueError(f"Got batch_size={batch_size}, expected at least 1.")
    X, names = _clips_and_names(model, clips)
    return _predictions(model, classes, X, names, min_confidence, has_probabilities, batch_size)


def _predictions(
    model: Any,
    classes: NDArray,
    X: Any,
    names: list[str],
    min_confidence: float | None,
    has_probabilities: bool,
    batch_size: int,
) -> Iterator[pd.DataFrame]:
    import pandas as pd

    columns = list(map(str, classes)) if has_probabilities else []
    method = model.predict_proba if has_probabilities else model.predict
    warn_once = warner_of_low_rates(model)
    for start in range(0, len(names), batch_size):
        batch = np.arange(start, min(start + batch_size, len(names)))
        warn_once(X, batch)
        labels = np.full(len(batch), "", dtype=object)
        probabilities = np.full((len(batch), len(columns)), np.nan)
        heard, silent = set_apart_silence(model, X, batch)
        errors = {row - start: error for row, error in silent.items()}
        for rows, output in readable_parts(method, X, heard) if len(heard) else ():
            if isinstance(output, AudioError):
                of_row = getattr(X, "ndim", 1) > 1  # and not of a file
                errors[int(rows[0]) - start] = output.renamed(names[rows[0]]) if of_row else output
            elif has_probabilities:
                probabilities[rows - start] = output
                best = output.argmax(axis=1)
                sure = min_confidence is None or output.max(axis=1) >= min_confidence
                labels[rows - start] = np.where(sure, classes[best].astype(str), "")
            else:
                labels[rows - start] = np.asarray(output).astype(str)
        named: dict[str, Any] = {"file": [names[row] for row in batch]}
        if is_segment_index(X):
            clips = list_clips(take(X, batch))
            named["file"] = [os.fspath(clip.source) for clip in clips]
            named["start"] = pd.to_timedelta([clip.start for clip in clips], unit="s")
            ends = [np.nan if clip.end is None else clip.end for clip in clips]
            named["end"] = pd.to_timedelta(ends, unit="s")
        frame = pd.DataFrame(named | {"label": labels})
        frame = pd.concat([frame, pd.DataFrame(probabilities, columns=columns)], axis=1)
        frame.attrs["errors"] = errors
        yield frame


def transform_to_file(
    model: Any,
    bunch: Bunch,
    path: str | os.PathLike[str],
    *,
    batch_size: int = BATCH,
    resume: str | None = None,
    on_clips: Callable[[int], object] | None = None,
) -> Bunch:
    """Write the features of clips, as a model computes them before its classifier.

    Parameters
    ----------
    model : Pipeline or transformer
        A fitted pipeline, whose last step is left out where it is no transformer; or a transformer.
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with the keys of :func:`~skaudeep.datasets.make_bunch`; its labels, groups and
        folds go into the file as far as the format holds them.
    path : str or Path
        The file to write, which is replaced if it exists. Its ending says how: `.nc` is NetCDF,
        `.csv` and `.arff` are tables, of all clips in one file.
    batch_size : int > 0, default=64
        Number of clips that are read together.
    resume : str, default=None
        What the features follow from, beside the names of the clips: the checksum of the model's
        file, say. Finished clips are then kept in `<path>.partial`, and the same call goes on after
        an interruption. None keeps nothing.
    on_clips : callable, default=None
        Called with the number of clips of each batch that is done.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`
        The data set that was written: `data` of shape (n_clips, n_features), or with chunks as
        second axis, or, of a model that keeps the time axis, (n_clips, n_frames, n_features);
        `feature_names` where the model gives some. A clip that cannot be read has NaN, and its
        reason in `errors`.

    Raises
    ------
    AudioError
        If no clip can be read.
    ValueError
        If the ending is another, the model has no features before its classifier, waveforms have
        another sampling rate than the model's, or `<path>.partial` belongs to other clips or
        another `resume`.
    BlockingIOError
        If another process is writing to the same path with `resume`.
    OSError
        If the file cannot be written; seen before any clip is read.

    Warns
    -----
    AudioWarning
        Once, if a recording has a lower sampling rate than those that the model was fitted to.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> import skaudeep
    >>> from skaudeep.datasets import make_sounds
    >>> sounds = make_sounds(20, n_classes=2, sampling_rate=8000, random_state=0)
    >>> extractor = skaudeep.SpectrogramExtractor(n_mels=40, sampling_rate=8000)
    >>> model = skaudeep.fit_classifier(
    ...     sounds, make_pipeline(extractor, skaudeep.BandStatistics(), LogisticRegression()))
    >>> with TemporaryDirectory() as folder:
    ...     features = skaudeep.transform_to_file(model, sounds, Path(folder, "features.csv"))
    >>> features.data.shape
    (20, 120)
    """
    from skaudeep.formats.csv_arff import save_arff, save_csv
    from skaudeep.formats.netcdf import save_netcdf

    path = Path(path).expanduser()
    suffix = path.suffix  # as it is: tables of features are written under these endings alone
    if suffix not in FEATURE_FILES:
        raise ValueError(
            f"Got path={str(path)!r}, expected a name that ends in {', '.join(FEATURE_FILES)}. "
            "Give it one: it says how the features are written."
        )
    check_writable(path)
    features = _features_of(model)
    bunch = check_bunch(bunch)
    check_kind(model, bunch.dims)
    check_rate_of_waveforms(model_rate(model), bunch)
    names = bunch.filenames.tolist()
    warn_once = warner_of_low_rates(model)
    errors: dict[int, AudioError] = {}
    task = repr((__version__, resume, names))
    partial = path.with_name(f"{path.name}.partial")
    with nullcontext() if resume is None else Journal(partial, task, len(names)) as journal:
        done = np.zeros(len(names), bool) if journal is None else journal.done.copy()
        todo = np.flatnonzero(~done)
        rows_done: list[NDArray[np.float32] | None] = [None] * len(names)
        if journal is not None and done.any():
            stored = np.flatnonzero(done).tolist()
            for row, values in zip(stored, journal.read(stored), strict=True):
                # The rate of a record is free here, and holds how many axes the features have.
                rows_done[row] = values[0] if journal.rates[row] == 1 else values
        if on_clips is not None:
            on_clips(int(done.sum()))
        for start in range(0, len(todo), batch_size):
            batch = todo[start : start + batch_size]
            warn_once(bunch.data, batch)
            for rows, output in readable_parts(features, bunch.data, batch):
                if isinstance(output, AudioError):
                    of_row = getattr(bunch.data, "ndim", 1) > 1  # and not of a file
                    errors[int(rows[0])] = output.renamed(names[rows[0]]) if of_row else output
                    continue
                output = _checked_features(output, model)
                for row, values in zip(rows.tolist(), output, strict=True):
                    rows_done[row] = values
                if journal is not None:
                    axes = output.ndim - 1
                    whole = output[:, None] if axes == 1 else output
                    pairs = zip(rows.tolist(), whole, strict=True)
                    journal.append([record(row, values, axes) for row, values in pairs])
            if on_clips is not None:
                on_clips(len(batch))
        if all(values is None for values in rows_done):
            raise all_clips_failed(len(names), errors[0])
        data = pad(rows_done)
        reasons = text_array([str(errors.get(row, "")) for row in range(len(names))], "errors")
        changes = {"data": data, "dims": _dims(model, bunch.dims, data.ndim), "errors": reasons}
        result = Bunch(**(dict(bunch) | changes))
        result.pop("feature_names", None)  # of the data that the features are of
        if names_of_features := _names_of(features, data.shape[-1]):
            result.feature_names = names_of_features
        if suffix == ".nc":
            save_netcdf(result, path)
        else:
            save = save_csv if suffix == ".csv" else save_arff
            save(result, path.parent, name=path.stem, split=False)
        if journal is not None:
            journal.remove()
    return result


def _dims(model: Any, dims: tuple[str, ...], n_axes: int) -> tuple[str, ...]:
    """Return what the axes of features are: chunks where the clips have some, else frames."""
    chunked = "chunk" in dims or any(
        getattr(extractor, "chunk_duration", None) is not None
        for extractor in find_extractors(model)
    )
    between = {2: (), 3: ("chunk",) if chunked else ("frame",), 4: ("chunk", "frame")}[n_axes]
    return ("clip", *between, "feature")


def _checked_features(output: Any, model: Any) -> NDArray[np.float32]:
    features = np.asarray(output, dtype=np.float32)
    last = _feature_steps(model)
    while isinstance(last, Pipeline):
        last = last[-1]
    if not 2 <= features.ndim <= 4 or (features.ndim > 2 and isinstance(last, ClipExtractor)):
        raise ValueError(
            f"Got values of shape {features.shape} before the classifier, expected features "
            "(n_clips, n_features). Pool frames and chunks first; extract_to_netcdf writes "
            "spectrograms."
        )
    return features


def _feature_steps(model: Any) -> Any:
    """Return a model without the classifier at its end."""
    if isinstance(model, Pipeline) and not hasattr(model[-1], "transform"):
        return model[:-1]
    return model


def _features_of(model: Any) -> Callable[[Any], Any]:
    model = _feature_steps(model)
    if isinstance(model, Pipeline) and not len(model):
        raise ValueError(
            "Got a pipeline of a classifier alone, expected steps before it that compute "
            "features. Fit one by skaudeep.fit_classifier to recordings."
        )
    if not hasattr(model, "transform"):
        raise ValueError(
            f"Got a {type(model).__name__} without transform, expected a pipeline or a transformer."
        )
    transform: Callable[[Any], Any] = model.transform
    return transform


def _names_of(transform: Callable[[Any], Any], n_features: int) -> list[str] | None:
    """Return the names of the features of a bound `transform`, None where there are none."""
    try:
        names = list(map(str, transform.__self__.get_feature_names_out()))  # type: ignore[attr-defined]
    except (AttributeError, ValueError, NotFittedError):  # a step of somebody else without names
        return None
    # What a table cannot hold must not cost the features, which may have taken hours.
    plain = all(name.isprintable() and not set(name) & set("\"'\\") for name in names)
    return (
        names if plain and len(set(names) - {"", *RESERVED}) == n_features == len(names) else None
    )


# Clips, of which some cannot be read.


def _clips_and_names(model: Any, clips: Any) -> tuple[Any, list[str]]:
    if isinstance(clips, Mapping):
        bunch = check_bunch(clips, required=("data", "filenames"))
        check_kind(model, bunch.dims)
        check_rate_of_waveforms(model_rate(model), bunch)
        return bunch.data, bunch.filenames.tolist()
    if getattr(clips, "ndim", 1) > 1 and not hasattr(clips, "index"):  # features, spectrograms ...
        return clips, [f"clip {row}" for row in range(len(clips))]
    return clips, [clip.name for clip in list_clips(clips)]
