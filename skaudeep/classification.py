"""Functions that fit a classifier to a labelled data set and predict the classes of clips.

These functions are what the commands `skaudeep fit` and `predict` call.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import Bunch

from skaudeep._base import fit_with_groups
from skaudeep._model_inputs import (
    BATCH,
    check_kind,
    check_rate_of_waveforms,
    clips_and_names,
    find_extractors,
    model_rate,
    raising,
    set_apart_silence,
    warner_of_low_rates,
)
from skaudeep._model_outputs import (
    NAMES,
    Classes,
    check_of_clips,
    columns_of,
    predicts_several,
    read_classes,
)
from skaudeep._texts import shown
from skaudeep.audio.clips import list_clips
from skaudeep.audio.errors import AudioError
from skaudeep.chunks import ChunkVotingClassifier
from skaudeep.datasets.axes import is_segment_index
from skaudeep.datasets.bunch import check_bunch
from skaudeep.datasets.description import audio_clips
from skaudeep.datasets.operations import is_labelled, readable_parts, take
from skaudeep.recipes import (
    DEFAULT_VERSION,
    VERSIONS,
    audio_classifier,
    linear_classifier,
    multilabel_classifier,
)
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
]

MANY_FROM = 0.5  # a clip may have several classes: those with at least this probability
SEPARATOR = ";"  # separates the classes of a clip that has several


def classifier_for(
    bunch: Bunch,
    *,
    sampling_rate: float | None = None,
    classifier: Any = None,
    vote: bool = False,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Pipeline:
    """Return the default classifier for what a data set holds, not fitted.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set of recordings, of spectrograms or of features.
    sampling_rate : float, default=None
        Sampling rate in Hz to which files are resampled. Waveforms are not resampled: give their
        own rate. None uses the key `sampling_rate` of the data set, or, where it has none, the
        rate that all recordings share.
    classifier : classifier or Pipeline that ends in one, default=None
        Classifies the features. None is :func:`skaudeep.recipes.linear_classifier`.
    vote : bool, default=False
        Whether the chunks of a clip are classified one by one, and vote on its class, by
        :class:`~skaudeep.ChunkVotingClassifier`. The data need an axis of chunks.
    n_jobs : int or None, default=None
        Number of time scales that are computed at the same time.
    random_state : int, RandomState instance or None, default=None
        Determines the weights of the networks and the folds in which `C` is chosen.

    Returns
    -------
    Pipeline
        :func:`skaudeep.recipes.audio_classifier` for recordings, the classifier for features, and
        the same behind :class:`~skaudeep.ReservoirFeatures` for spectrograms.

    Raises
    ------
    ValueError
        If the data are in chunks that are not to vote, or not in chunks that are, or waveforms have
        another sampling rate.

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
    if vote and "chunk" not in bunch.dims:
        raise ValueError(
            f"Got vote=True for data with the axes {bunch.dims}, expected 'chunk' among them. "
            "Extract with chunk_duration=, or leave vote out."
        )
    if audio_clips(bunch) is not None:
        check_rate_of_waveforms(sampling_rate, bunch)
        rate = bunch.get("sampling_rate") if sampling_rate is None else sampling_rate
        model = audio_classifier(sampling_rate=rate, n_jobs=n_jobs, random_state=random_state)
        return model if classifier is None else make_pipeline(model[0], *_steps(classifier))
    if "chunk" in bunch.dims and not vote:
        raise ValueError(
            f"Got data with the axes {bunch.dims}, expected recordings, or spectrograms or "
            "features with one row per clip. Pool the chunks first, by skaudeep.ChunkPooling, or "
            "extract without chunks."
        )
    if classifier is None:
        classifier = linear_classifier(random_state=random_state)
    steps = [ChunkVotingClassifier(classifier)] if vote else _steps(classifier)
    if len(bunch.dims) > 2 + vote:
        reservoir = ReservoirFeatures(**VERSIONS[DEFAULT_VERSION], random_state=random_state)
        steps = [reservoir, *steps]
    return make_pipeline(*steps)


def _steps(classifier: Any) -> list[Any]:
    """Return the steps of a pipeline, or the one that a classifier is."""
    if isinstance(classifier, Pipeline):
        return [step for _, step in classifier.steps]
    return [classifier]


def fit_classifier(
    bunch: Bunch,
    pipeline: Any = None,
    *,
    random_state: int | np.random.RandomState | None = None,
) -> Any:
    """Fit a classifier to the labelled clips of a data set, on the names of their classes.

    The fitted model predicts names, and its `classes_` are names. Its `score` takes names as well:
    ``np.array(bunch.target_names)[bunch.target]``.

    If a clip may have several classes, or none, the target has the shape (n_clips, n_classes), with
    1 where a clip has a class. The classifier is then fitted to these columns of 0 and 1, its
    `predict` returns and its `score` takes such columns, and the attribute `class_names_` of the
    model holds the names. If there is a single column, it is fitted to an array (n_clips,) of the
    two classes 0 and 1 instead.

    A model of recordings resamples later files to the sampling rate of the training clips, unless
    its extractor has a `sampling_rate` of its own.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with the keys of :func:`~skaudeep.datasets.make_bunch`. Unlabelled clips (a -1 in
        the target) are left out. `groups`, if some clip has one, are passed to the last step of the
        pipeline if it can use them, as a :class:`~skaudeep.TunedLogisticRegression` can.
    pipeline : estimator, default=None
        A classifier, or a pipeline that ends in one. It is fitted in place, without cloning. If
        clips may have several classes, it must predict several, as scikit-learn's
        :class:`~sklearn.multiclass.OneVsRestClassifier` does. None uses
        :func:`skaudeep.recipes.audio_classifier` for recordings, at the rate of the key
        `sampling_rate` of the data set or else at the rate that all recordings share;
        :func:`skaudeep.recipes.linear_classifier` for features; and the latter after a
        :class:`~skaudeep.ReservoirFeatures` for spectrograms. If clips may have several classes,
        the last step of these is that of :func:`skaudeep.recipes.multilabel_classifier`, a logistic
        regression for each class.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the default pipeline. A `pipeline` that is given has its own.

    Returns
    -------
    estimator
        `pipeline` itself, or the default pipeline, fitted.

    Raises
    ------
    ValueError
        If fewer than two classes have labelled clips, the target holds numbers for regression, or
        the data are in chunks and `pipeline` is None. If clips may have several classes: if no clip
        is labelled, a class belongs to no clip or to every clip, or `pipeline` predicts a single
        class for each clip although there are several columns.
    AudioError
        If a clip cannot be read, or recordings differ in sampling rate and the pipeline has no
        `sampling_rate`.

    See Also
    --------
    predict_clips : Predict other clips.
    skaudeep.save : Store the model.
    skaudeep.evaluate : Estimate how well a pipeline classifies new clips.

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
    rows = np.flatnonzero(is_labelled(bunch))
    several = bunch.target.ndim > 1
    labels = bunch.target[rows] if several else np.array(bunch.target_names)[bunch.target[rows]]
    if several:
        _check_columns(labels, bunch.target_names)
    else:
        _check_names(labels, len(bunch.filenames))
    if pipeline is None:
        pipeline = classifier_for(bunch, random_state=random_state)
        if several:
            pipeline.steps[-1] = ("classifier", multilabel_classifier()[-1])
    if several and labels.shape[1] == 1:  # it is there or it is not: one of two classes
        labels = labels[:, 0]
    elif several and not predicts_several(pipeline):
        raise ValueError(
            f"Got a target of shape {bunch.target.shape} for a {type(pipeline).__name__} that "
            "predicts one class for each clip, expected a classifier that predicts several. Put "
            "its last step into scikit-learn's OneVsRestClassifier."
        )
    groups = bunch.groups[rows] if bunch.groups[rows].any() else None
    fit_with_groups(pipeline, take(bunch.data, rows), labels, groups)
    if several:
        setattr(pipeline, NAMES, list(map(str, bunch.target_names)))
    for extractor in find_extractors(pipeline):
        if extractor.sampling_rate is None and hasattr(extractor, "sampling_rate_"):
            extractor.sampling_rate = extractor.sampling_rate_  # resample clips of other rates
    return pipeline


def _check_names(names: NDArray, n_clips: int) -> None:
    classes = sorted(set(names.tolist()))
    if len(classes) < 2:
        found = f"clips of the class {classes[0]!r} alone" if classes else "no labelled clip"
        raise ValueError(
            f"Got {found} among {n_clips} clips, expected labelled clips of at least "
            "two classes. Put the clips of each class into a folder of its own, or give labels by "
            "skaudeep.datasets.add_labels."
        )


def _check_columns(target: NDArray, names: Sequence[str]) -> None:
    if not target.size:
        raise ValueError("Got no labelled clip, expected some with a class and some without.")
    for name, column in zip(names, target.T, strict=True):
        if column.all() or not column.any():
            which = "each" if column.all() else "none"
            raise ValueError(
                f"Got {shown(name)} as a class of {which} of {len(column)} clips, expected some "
                "that have it and some that do not. Leave the class out of the target and of "
                "target_names, or add clips."
            )


def predict_clips(
    model: Any,
    clips: Any,
    *,
    min_confidence: float | None = None,
    target_names: Sequence[str] | None = None,
    batch_size: int = BATCH,
) -> Iterator[pd.DataFrame]:
    """Predict the classes of clips, a batch at a time.

    Parameters
    ----------
    model : estimator
        A fitted classifier, as :func:`fit_classifier` returns or :func:`skaudeep.load` reads it.
    clips : sequence of n_clips clips, or :class:`~sklearn.utils.Bunch`
        Clips in any form that the model takes, such as paths. The clips of a data set are named by
        its `filenames`.
    min_confidence : float in [0, 1], default=None
        Smallest probability of a label. If no class of a clip reaches it, the label is empty. None
        labels every clip with its most probable class, or, if the model has no probabilities, with
        the class that it predicts. If the model may predict several classes for a clip, the label
        has all classes that reach `min_confidence`, and None is 0.5; without probabilities, the
        label has the classes that the model predicts.
    target_names : sequence of str, default=None
        Names of the classes, for a model that was fitted to class numbers or to a target with a
        column for each class: `target_names` of the data set. Models of :func:`fit_classifier`
        store the names, and need None. With None, the names for a model fitted to numbers are
        these numbers, or those of the columns: "0", "1" and so on.
    batch_size : int > 0, default=64
        Number of clips that are read and predicted together.

    Returns
    -------
    iterator of pandas.DataFrame
        A table for each batch, with a row for each clip in the order of `clips`. Its columns are
        `file`, `label`, and, where the model gives probabilities, one column for each class. `file`
        is the name of the clip: its path, or, of a data set, its entry in `filenames`, or "clip 0",
        "clip 1" and so on for the rows of an array. For clips of a (file, start, end) index, such
        as that of :func:`~skaudeep.datasets.windows`, `file` is the path of the recording, and the
        columns `start` and `end` (Timedelta) follow it;
        ``set_index(["file", "start", "end"])`` gives the table that audformat and opensmile use.
        If a clip may have several classes, semicolons separate their names in `label`. A clip that
        cannot be read, whose samples are all equal, or whose row of stored features is NaN
        throughout has an empty label and probabilities of NaN; `attrs["errors"]` of the table maps
        its row in the table, counted from 0, to its :class:`~skaudeep.audio.AudioError`.

    Raises
    ------
    ValueError
        If the model is not a fitted classifier, or predicts for each frame instead of each clip; if
        `min_confidence` is given and the model has no probabilities or it is not in [0, 1]; if
        `batch_size` is less than 1; if a class number has no name in `target_names`, or a model of
        several classes another number of classes; if `target_names` are given and the model stores
        the names; or if a data set holds spectrograms or features for a model of recordings, or
        waveforms whose sampling rate is not the model's.

    Warns
    -----
    AudioWarning
        Once, if a recording has a lower sampling rate than the training clips. In each batch, if
        clips are shorter than three frames of the model.

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
    check_of_clips(model)
    classes = read_classes(model, target_names)
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
    X, names = clips_and_names(model, clips)
    return _predictions(model, classes, X, names, min_confidence, has_probabilities, batch_size)


def _predictions(
    model: Any,
    classes: Classes,
    X: Any,
    names: list[str],
    min_confidence: float | None,
    has_probabilities: bool,
    batch_size: int,
) -> Iterator[pd.DataFrame]:
    import pandas as pd

    columns = classes.names if has_probabilities else []
    model = raising(model)
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
                of_row = getattr(X, "ndim", 1) > 1  # the error names a row, not a file
                errors[int(rows[0]) - start] = output.renamed(names[rows[0]]) if of_row else output
            elif has_probabilities:
                output = columns_of(model, output, classes)
                probabilities[rows - start] = output
                labels[rows - start] = _labels(classes, output, min_confidence)
            elif classes.several:
                labels[rows - start] = _labels(classes, columns_of(model, output, classes), None)
            else:
                numbers = np.searchsorted(model.classes_, output)
                labels[rows - start] = np.array(classes.names, dtype=object)[numbers]
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


def _labels(classes: Classes, scores: NDArray, least: float | None) -> list[str]:
    """Return the label of each clip by its scores; several have a semicolon between them."""
    if classes.several:
        counts = scores >= (MANY_FROM if least is None else least)
        return [SEPARATOR.join(compress(classes.names, row)) for row in counts]
    best = scores.argmax(axis=1)
    sure = scores.max(axis=1) >= (-np.inf if least is None else least)
    return [
        classes.names[number] if known else "" for number, known in zip(best, sure, strict=True)
    ]
