"""From recordings to events: a classifier of windows, its scores over time, and what they say."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skaudeep._base import fit_with_groups
from skaudeep._model_inputs import find_extractors, set_apart_silence, warner_of_low_rates
from skaudeep._texts import list_names
from skaudeep.audio.decoding import audio_info
from skaudeep.audio.errors import AudioError
from skaudeep.datasets.bunch import check_bunch
from skaudeep.datasets.events import COLUMNS
from skaudeep.datasets.operations import readable_parts, take
from skaudeep.events import LEVELS, find_events, scores_over_time
from skaudeep.recipes import event_classifier

if TYPE_CHECKING:
    import pandas as pd

BATCH = 256  # windows that are scored together
BACKGROUND = "background"  # the class of windows without an event


def fit_detector(
    windows: Bunch,
    pipeline: Any = None,
    *,
    background: str = BACKGROUND,
    random_state: int | np.random.RandomState | None = None,
) -> Any:
    """Fit a classifier of windows to recordings whose events are known.

    A window without an event is of the class `background`; one with events of several classes
    counts once for each.

    Parameters
    ----------
    windows : :class:`~sklearn.utils.Bunch`
        Windows of recordings with their classes, a column of 0 and 1 for each: what
        :func:`skaudeep.datasets.windows` makes of recordings and annotations. A target of one class
        each does as well, where `background` is one of them.
    pipeline : estimator, default=None
        A classifier with probabilities, or a pipeline that ends in one, which is fitted itself.
        None takes :func:`skaudeep.recipes.event_classifier`.
    background : str, default="background"
        Name of the class without an event.
    random_state : int, RandomState instance or None, default=None
        Determines the default pipeline; a given one has its own.

    Returns
    -------
    estimator
        The pipeline, fitted on the names of classes. :func:`skaudeep.save` stores it.

    Raises
    ------
    ValueError
        If no window holds an event, or none is without, or a class is called `background`.
    AudioError
        If a window cannot be read.

    See Also
    --------
    detect : Find events in other recordings.

    Examples
    --------
    See :func:`detect`.
    """
    windows = check_bunch(windows)
    target = np.asarray(windows.target)
    names = list(map(str, windows.target_names))
    if target.dtype.kind == "f":
        raise ValueError(
            f"Got a target of {target.dtype}, values to regress on, expected classes: windows with "
            "annotations of events have them."
        )
    if target.ndim == 1:
        target = (target[:, None] == np.arange(len(names))) & (target[:, None] >= 0)
        if background in names:
            target = np.delete(target, names.index(background), axis=1)
            names.remove(background)
    elif background in names:
        raise ValueError(
            f"Got a class called {background!r}, expected other names: it is that of windows "
            "without an event. Give background= another one."
        )
    rows, classes = np.nonzero(np.column_stack([target, ~target.any(axis=1)]))
    labels = np.array([*names, background])[classes]
    if len(found := set(labels.tolist())) < 2 or background not in found:
        raise ValueError(
            f"Got windows of {list_names(sorted(found))} alone, expected some with events and some "
            "without. Annotate recordings that hold both, and keep windows of background."
        )
    if pipeline is None:
        pipeline = event_classifier(random_state=random_state)
    groups = windows.groups[rows] if windows.groups[rows].any() else None
    fit_with_groups(pipeline, take(windows.data, rows), labels, groups)
    for extractor in find_extractors(pipeline):
        if extractor.sampling_rate is None and hasattr(extractor, "sampling_rate_"):
            extractor.sampling_rate = extractor.sampling_rate_  # so that it takes any other rate
    return pipeline


def detect(
    model: Any,
    files: Sequence[str | os.PathLike[str]],
    *,
    duration: float,
    hop: float | None = None,
    threshold: float | Mapping[str, float] = 0.5,
    low_threshold: float | Mapping[str, float] | None = None,
    min_duration: float = 0.0,
    merge_gap: float = 0.0,
    skip_below: float | None = 0.02,
    background: Sequence[str] = (BACKGROUND,),
    on_seconds: Callable[[float], object] | None = None,
) -> pd.DataFrame:
    """Find events in recordings: score windows, average them over time, apply thresholds.

    Parameters
    ----------
    model : estimator
        A fitted classifier with probabilities, as :func:`fit_detector` and
        :func:`~skaudeep.fit_classifier` return it.
    files : sequence of str or Path
        Recordings of any length; one at a time is read, a few windows at a time.
    duration : float > 0
        Length of a window in seconds: as in training, at most about that of an event.
    hop : float in (0, duration], default=None
        Time between the starts of two windows in seconds, and so between two scores: the precision
        of starts and ends. None is a fifth of `duration`.
    threshold, low_threshold, min_duration, merge_gap
        What events are, see :func:`~skaudeep.find_events`.
    skip_below : float in [0, 1], default=0.02
        Windows side by side are scored first; those between them only around windows in which a
        class has at least this probability. None scores all.
    background : sequence of str, default=("background",)
        Classes of the model that are no events.
    on_seconds : callable, default=None
        Called with the seconds of sound that are done since the last call.

    Returns
    -------
    pandas.DataFrame
        A row for each event: `file` as given, `start`, `end`, `label` and `score`.
        `attrs["errors"]` holds the :class:`~skaudeep.audio.AudioError` of each file that could not
        be read, wholly or in part, by its name.

    Raises
    ------
    ValueError
        If the model gives no probabilities, has no class but background, or a parameter is out of
        its range.
    AudioError
        If no file can be read.

    See Also
    --------
    score_recordings : The scores alone.

    Examples
    --------
    A tone that is known from one recording is found in another:

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import pandas as pd
    >>> import skaudeep
    >>> import soundfile
    >>> from skaudeep.datasets import windows
    >>> from skaudeep.recipes import event_classifier
    >>> def sound(seconds, start):
    ...     samples = np.random.default_rng(0).normal(size=8000 * seconds)
    ...     samples[8000 * start : 8000 * (start + 3)] += 5 * np.sin(2 * np.arange(24000))
    ...     return samples / 20
    >>> tone = pd.DataFrame({"file": "old.wav", "start": [10], "end": [13], "label": "tone"})
    >>> model = event_classifier(n_units=8, random_state=0)
    >>> with TemporaryDirectory() as folder:
    ...     old, new = Path(folder, "old.wav"), Path(folder, "new.wav")
    ...     soundfile.write(old, sound(30, 10), 8000)
    ...     soundfile.write(new, sound(20, 5), 8000)
    ...     known = windows(old, duration=0.5, hop=0.25, annotations=tone)
    ...     model = skaudeep.fit_detector(known, model)
    ...     events = skaudeep.detect(model, [new], duration=0.5)
    >>> events[["start", "end", "label"]].round(0)
       start  end label
    0    5.0  8.0  tone
    """
    import pandas as pd

    options: dict[str, Any] = {
        "threshold": threshold,
        "low_threshold": low_threshold,
        "min_duration": min_duration,
        "merge_gap": merge_gap,
    }
    none = pd.DataFrame({name: pd.Series(dtype=float) for name in COLUMNS})
    tables, errors, n_files = [none.astype({"file": str, "label": str})], {}, 0
    for scores in score_recordings(
        model,
        files,
        duration=duration,
        hop=hop,
        skip_below=skip_below,
        background=background,
        on_seconds=on_seconds,
    ):
        n_files += 1
        errors.update(scores.attrs["errors"])
        if len(scores):
            step = _hop(duration, hop)
            tables.append(find_events(scores_over_time(scores, step=step), **options))
    if n_files and len(errors) == n_files and not any(map(len, tables)):
        first = next(iter(errors.values()))
        if n_files > 1:
            raise AudioError(
                first.clip,
                f"{first.reason}; none of {n_files} recordings can be read wholly",
                first.remedy,
            ) from first
        raise first
    events = pd.concat(tables[1:] if any(map(len, tables)) else tables, ignore_index=True)
    events.attrs["errors"] = errors
    return events


def score_recordings(
    model: Any,
    files: Sequence[str | os.PathLike[str]],
    *,
    duration: float,
    hop: float | None = None,
    skip_below: float | None = 0.02,
    background: Sequence[str] = (BACKGROUND,),
    batch_size: int = BATCH,
    on_seconds: Callable[[float], object] | None = None,
) -> Iterator[pd.DataFrame]:
    """Score windows of recordings, a recording at a time.

    Parameters
    ----------
    model, files, duration, hop, skip_below, background, on_seconds
        As of :func:`detect`.
    batch_size : int > 0, default=256
        Number of windows that are read together.

    Yields
    ------
    pandas.DataFrame
        Of each file, a row for each window that was scored, indexed by (file, start, end), times as
        Timedelta; a column for each class but `background`, its probability. NaN is silence, or
        what cannot be read: `attrs["errors"]` holds the first reason, by the file's name. A file
        that is shorter than a window is one. What is left at the end, less than a hop, is not
        heard. No rows where the file cannot be read.

    Raises
    ------
    ValueError
        As :func:`detect`.
    """
    classes = [str(name) for name in getattr(model, "classes_", [])]
    if not hasattr(model, "predict_proba") or not classes:
        raise ValueError(
            f"Got a {type(model).__name__} without predict_proba, expected a fitted classifier "
            "with probabilities. Fit one by skaudeep.fit_detector."
        )
    columns = [name for name in classes if name not in background]
    if not columns:
        raise ValueError(
            f"Got a model of {list_names(classes)}, all of them background, expected another class."
        )
    if not 0 < duration < np.inf:
        raise ValueError(f"Got duration={duration}, expected seconds, more than 0.")
    step = _hop(duration, hop)
    if not 0 < step <= duration:
        raise ValueError(
            f"Got hop={hop}, expected seconds, more than 0 and at most the duration of a window, "
            f"{duration:g}."
        )
    if skip_below is not None and not 0 <= skip_below <= 1:
        raise ValueError(f"Got skip_below={skip_below}, expected a number in [0, 1], or None.")
    if batch_size < 1:
        raise ValueError(f"Got batch_size={batch_size}, expected at least 1.")
    if isinstance(files, str | bytes | os.PathLike):
        raise ValueError(f"Got files={files!r}, expected a sequence of paths. Put it into a list.")
    keep = np.array([name in columns for name in classes])
    return (
        _score_file(
            model, os.fsdecode(file), duration, step, skip_below, columns, keep, batch_size,
            on_seconds or (lambda seconds: None),
        )
        for file in files
    )  # fmt: skip


def _score_file(
    model: Any,
    file: str,
    duration: float,
    hop: float,
    skip_below: float | None,
    columns: list[str],
    keep: NDArray[np.bool_],
    batch_size: int,
    on_seconds: Callable[[float], object],
) -> pd.DataFrame:
    import pandas as pd

    errors: dict[str, AudioError] = {}
    try:
        length = audio_info(file).duration
    except AudioError as error:
        scores = pd.DataFrame(columns=columns, index=_index(file, np.zeros(0), 0.0), dtype=float)
        scores.attrs["errors"] = {file: error}
        return scores
    n_windows = max(1, int((length - duration) / hop + 1e-6) + 1)
    starts = hop * np.arange(n_windows, dtype=np.float64)
    length_of_window = min(duration, length)
    values = np.full((len(starts), len(columns)), np.nan)
    warner_of_low_rates(model)(_index(file, starts[:1], length_of_window), np.arange(1))
    apart = max(1, int(duration / hop + 1e-6))

    def score(rows: NDArray[np.intp], seconds: float) -> None:
        for first in range(0, len(rows), batch_size):
            batch = rows[first : first + batch_size]
            # of the batch alone: parts of a MultiIndex are as slow to read as all of it
            index = _index(file, starts[batch], length_of_window)
            heard, _ = set_apart_silence(model, index, np.arange(len(batch)))
            for part, output in readable_parts(model.predict_proba, index, heard):
                if isinstance(output, AudioError):
                    errors.setdefault(file, output)
                else:
                    values[batch[part]] = output[:, keep]
            on_seconds(seconds * len(batch) / len(rows))

    coarse = np.arange(0, len(starts), 1 if skip_below is None else apart)
    score(coarse, length)
    scored = np.zeros(len(starts), bool)
    scored[coarse] = True
    if skip_below is not None:
        # so far that all scores beside an event are means of as many windows
        reach = 2 * apart
        near = np.zeros(len(starts) + 2 * reach, bool)
        for row in coarse[(values[coarse] >= skip_below).any(axis=1)]:
            near[row : row + 2 * reach + 1] = True
        rest = np.flatnonzero(near[reach:-reach] & ~scored)
        score(rest, 0.0)
        scored[rest] = True
    index = _index(file, starts[scored], length_of_window)
    scores = pd.DataFrame(values[scored], index, columns=columns)
    scores.attrs["errors"] = errors
    return scores


def _index(file: str, starts: NDArray[np.float64], duration: float) -> pd.MultiIndex:
    import pandas as pd

    times = [
        pd.to_timedelta(np.round(values * 1e9).astype(np.int64), unit="ns")
        for values in (starts, starts + duration)
    ]
    names = pd.Index([file], dtype=str).take(np.zeros(len(starts), int))
    return pd.MultiIndex.from_arrays([names, *times], names=LEVELS)


def _hop(duration: float, hop: float | None) -> float:
    return duration / 5 if hop is None else hop
