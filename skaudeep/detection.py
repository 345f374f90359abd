"""Functions that find events in recordings by a classifier of short windows."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skaudeep._base import fit_with_groups
from skaudeep._model_inputs import find_extractors, raising, set_apart_silence, warner_of_low_rates
from skaudeep._model_outputs import Classes, check_of_clips, columns_of, read_classes
from skaudeep._texts import list_names, printable, shown
from skaudeep._warnings import find_stack_level
from skaudeep.audio.decoding import audio_info
from skaudeep.audio.errors import AudioError, AudioWarning
from skaudeep.datasets.bunch import check_bunch, repeated
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

    A window without an event belongs to the class `background`. A window with events of several
    classes is a training example of each of them. If windows have groups (the recordings that they
    come from), these are passed to the last step of the pipeline if it can use them, as a
    :class:`~skaudeep.TunedLogisticRegression` can. The model resamples later recordings to the
    sampling rate of the training clips, unless its extractor has a `sampling_rate` of its own.

    Parameters
    ----------
    windows : :class:`~sklearn.utils.Bunch`
        Windows of recordings with their events, as :func:`skaudeep.datasets.windows` returns them
        for recordings and annotations: `target` has a column of 0 and 1 for each class. A target
        with one class for each window is accepted if one of the classes is `background`.
        Unlabelled windows (a -1 in the target) are left out.
    pipeline : estimator, default=None
        A classifier with probabilities, or a pipeline that ends in one. It is fitted in place,
        without cloning. None uses :func:`skaudeep.recipes.event_classifier`.
    background : str, default="background"
        Name of the class of windows without an event in the model.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the default pipeline. A `pipeline` that is given has its own.

    Returns
    -------
    estimator
        The pipeline, fitted on the names of the classes. :func:`skaudeep.save` stores it.

    Raises
    ------
    ValueError
        If no window holds an event, every window holds one, a class of events (in a target with a
        column for each class) has the name `background`, or the target holds numbers for
        regression.
    AudioError
        If a window cannot be read.

    See Also
    --------
    detect : Find events in other recordings.

    Examples
    --------
    Half of the windows hold a tone. :func:`detect` has an example with recordings.

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> import skaudeep
    >>> from skaudeep.datasets import make_bunch
    >>> features = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    >>> features[:10] += 3
    >>> tone = (np.arange(20) < 10).astype(np.int64)[:, None]
    >>> windows = make_bunch(
    ...     features, [f"{i}.wav" for i in range(20)], target=tone, target_names=["tone"])
    >>> model = skaudeep.fit_detector(windows, LogisticRegression())
    >>> model.classes_.tolist()
    ['background', 'tone']
    """
    windows = check_bunch(windows)
    target = np.asarray(windows.target)
    names = list(map(str, windows.target_names))
    if target.dtype.kind == "f":
        raise ValueError(
            f"Got a target of {target.dtype}, values to regress on, expected classes: windows with "
            "annotations of events have them."
        )
    labelled = np.all(target.reshape(len(target), -1) >= 0, axis=1, keepdims=True)
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
    events = np.column_stack([target, ~target.any(axis=1)]) & labelled
    rows, classes = np.nonzero(events)
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
            extractor.sampling_rate = extractor.sampling_rate_  # resample files of other rates
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
    """Find events in recordings by the scores of overlapping windows.

    The windows of each recording are scored by the model (:func:`score_recordings`). Of each
    interval of length `hop`, the mean score is that over all scored windows that cover its middle
    (:func:`~skaudeep.scores_over_time`). Thresholds with hysteresis turn mean scores into events
    (:func:`~skaudeep.find_events`).

    Parameters
    ----------
    model : estimator
        A fitted classifier with probabilities, as :func:`fit_detector` and
        :func:`~skaudeep.fit_classifier` return it.
    files : sequence of str or Path
        Recordings of any length. They are read one after the other, a few windows at a time.
    duration : float > 0
        Length of a window in seconds. Use the length of the windows that the model was fitted to,
        at most about the length of an event.
    hop : float in (0, duration], default=None
        Time between the starts of two windows in seconds. Starts and ends of events are multiples
        of it. None is a fifth of `duration`.
    threshold : float or dict of str to float, default=0.5
        Probability that the mean score of an event must reach at least once. A dict has a threshold
        for each class; a class that it lacks has no events.
    low_threshold : float or dict of str to float, default=None
        Probability that the mean score of an event must keep from its start to its end, at most
        `threshold`. None, or a class that a dict lacks, takes `threshold`.
    min_duration : float >= 0, default=0.0
        Length in seconds below which an event is left out, after events have been merged.
    merge_gap : float >= 0, default=0.0
        Events of the same class are merged if the pause between them is at most this many seconds.
    skip_below : float in [0, 1], default=0.02
        To save time, windows that follow one another without overlap are scored first. Of the
        windows between them, only those are scored that begin at most ``2 * duration`` before or
        after one in which a class, other than those in `background`, has at least this probability.
        None scores all windows.
    background : sequence of str, default=("background",)
        Classes of the model that are not events. Names that the model lacks have no effect.
    on_seconds : callable, default=None
        Function that is called after each batch of windows with the number of seconds of sound
        scored since its last call. None calls nothing.

    Returns
    -------
    pandas.DataFrame
        A row for each event, with the columns `file` (as given), `start` and `end` in seconds,
        `label` and `score` (the highest mean probability in the event). Rows are sorted by file (in
        the order of `files`), start and class. Without events the table has no rows.
        `attrs["errors"]` maps each file that could not be read, wholly or in part, to its
        :class:`~skaudeep.audio.AudioError`.

    Raises
    ------
    ValueError
        If the model gives no probabilities or has no class beside `background`, a file is given
        twice, or a parameter is out of its range.
    AudioError
        If no window of any file could be read.

    Warns
    -----
    AudioWarning
        If a file is shorter than half a window, or has a lower sampling rate than the model.

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

    for name, value in (("threshold", threshold), ("low_threshold", low_threshold)):
        for number in value.values() if isinstance(value, Mapping) else [value]:
            if number is not None and not 0 <= number <= 1:
                raise ValueError(f"Got {name}={number}, expected a probability in [0, 1].")
    options: dict[str, Any] = {
        "threshold": threshold,
        "low_threshold": low_threshold,
        "min_duration": min_duration,
        "merge_gap": merge_gap,
    }
    none = pd.DataFrame({name: pd.Series(dtype=float) for name in COLUMNS})
    tables, errors, n_files, n_lost = [none.astype({"file": str, "label": str})], {}, 0, 0
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
        n_lost += scores.attrs["unread"]
        if len(scores):
            step = _hop(duration, hop)
            tables.append(find_events(scores_over_time(scores, step=step), **options))
    if n_files and n_lost == n_files:
        first = next(iter(errors.values()))
        if n_files > 1:
            raise AudioError(
                first.clip,
                f"{first.reason}; none of {n_files} recordings can be read",
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
    """Score the windows of recordings, one recording after the other.

    Parameters
    ----------
    model : estimator
        A fitted classifier with probabilities, as :func:`fit_detector` and
        :func:`~skaudeep.fit_classifier` return it.
    files : sequence of str or Path
        Recordings of any length. They are read one after the other, a few windows at a time.
    duration : float > 0
        Length of a window in seconds.
    hop : float in (0, duration], default=None
        Time between the starts of two windows in seconds. None is a fifth of `duration`.
    skip_below : float in [0, 1], default=0.02
        To save time, windows that follow one another without overlap are scored first. Of the
        windows between them, only those are scored that begin at most ``2 * duration`` before or
        after one in which a class, other than those in `background`, has at least this probability.
        None scores all windows.
    background : sequence of str, default=("background",)
        Classes of the model that are not events. Names that the model lacks have no effect.
    batch_size : int > 0, default=256
        Number of windows that are read and scored together.
    on_seconds : callable, default=None
        Function that is called after each batch of windows with the number of seconds of sound
        scored since its last call. None calls nothing.

    Returns
    -------
    iterator of pandas.DataFrame
        A table for each file, with a row for each window that was scored, indexed by (file, start,
        end) with times as Timedelta, and with a column of probabilities for each class except
        `background`. The probabilities of a window that is silent or cannot be read are NaN. If a
        window, or the file, cannot be read, `attrs["errors"]` maps the file to the first
        :class:`~skaudeep.audio.AudioError`, else it is empty; silence is not an error.
        `attrs["unread"]` is True if no window of the file could be read, else False. A file that
        is shorter than a window is scored as one window. A rest at the end that is shorter than a
        hop is not scored. A file that cannot be read at all gives a table without rows.

    Raises
    ------
    ValueError
        If the model gives no probabilities or has no class beside `background`, a file is given
        twice, or a parameter is out of its range.

    See Also
    --------
    detect : Find the events in the scores.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> import skaudeep
    >>> import soundfile
    >>> sounds = np.random.default_rng(0).normal(size=(4, 4000)) / 10
    >>> sounds[:2] += np.sin(2 * np.arange(4000)) / 2
    >>> extractor = skaudeep.SpectrogramExtractor(n_mels=4, sampling_rate=8000)
    >>> model = make_pipeline(extractor, skaudeep.BandStatistics(), LogisticRegression())
    >>> model = model.fit(sounds, ["tone", "tone", "background", "background"])
    >>> with TemporaryDirectory() as folder:
    ...     soundfile.write(Path(folder, "a.wav"), sounds.ravel(), 8000)
    ...     [scores] = skaudeep.score_recordings(model, [Path(folder, "a.wav")], duration=0.5,
    ...                                          hop=0.5)
    >>> scores["tone"].round().tolist()
    [1.0, 1.0, 0.0, 0.0]
    """
    check_of_clips(model)
    found = read_classes(model)
    if not hasattr(model, "predict_proba") or found is None:
        raise ValueError(
            f"Got a {type(model).__name__} without predict_proba, expected a fitted classifier "
            "with probabilities. Fit one by skaudeep.fit_detector."
        )
    classes = found.names
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
    names = [os.fsdecode(file) for file in files]
    if twice := repeated(names):
        raise ValueError(
            f"Got {shown(twice[0])} twice among {len(names)} files, expected each once: its events "
            "would count twice. Leave one out."
        )
    keep = np.array([name in columns for name in classes])
    model = raising(model)
    return (
        _score_file(
            model, found, file, duration, step, skip_below, columns, keep, batch_size,
            on_seconds or (lambda seconds: None),
        )
        for file in names
    )  # fmt: skip


def _score_file(
    model: Any,
    found: Classes,
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
        scores.attrs |= {"errors": {file: error}, "unread": True}
        return scores
    n_windows = max(1, int((length - duration) / hop + 1e-6) + 1)
    if 2 * length < duration:  # where `datasets.windows` makes none
        warnings.warn(
            f"{printable(file)}: lasts {length:.4g} s, less than half a window of {duration:g} s: "
            "the whole of it is scored as one, unlike any that the model was fitted to. Give "
            "shorter windows, or leave it out.",
            AudioWarning,
            stacklevel=find_stack_level(),
        )
    starts = hop * np.arange(n_windows, dtype=np.float64)
    length_of_window = min(duration, length)
    values = np.full((len(starts), len(columns)), np.nan)
    failed = np.zeros(len(starts), bool)
    warner_of_low_rates(model)(_index(file, starts[:1], length_of_window), np.arange(1))
    apart = max(1, int(duration / hop + 1e-6))

    def score(rows: NDArray[np.intp], seconds: float) -> None:
        for first in range(0, len(rows), batch_size):
            batch = rows[first : first + batch_size]
            # the index is made for the batch alone: a slice of a MultiIndex is as slow as all of it
            index = _index(file, starts[batch], length_of_window)
            heard, _ = set_apart_silence(model, index, np.arange(len(batch)))
            for part, output in readable_parts(model.predict_proba, index, heard):
                if isinstance(output, AudioError):
                    errors.setdefault(file, output)
                    failed[batch[part]] = True
                else:
                    values[batch[part]] = columns_of(model, output, found)[:, keep]
            on_seconds(seconds * len(batch) / len(rows))

    coarse = np.arange(0, len(starts), 1 if skip_below is None else apart)
    score(coarse, length)
    scored = np.zeros(len(starts), bool)
    scored[coarse] = True
    if skip_below is not None:
        # so far around an event that the same number of windows is averaged at each time
        reach = 2 * apart
        near = np.zeros(len(starts) + 2 * reach, bool)
        for row in coarse[(values[coarse] >= skip_below).any(axis=1)]:
            near[row : row + 2 * reach + 1] = True
        rest = np.flatnonzero(near[reach:-reach] & ~scored)
        score(rest, 0.0)
        scored[rest] = True
    index = _index(file, starts[scored], length_of_window)
    scores = pd.DataFrame(values[scored], index, columns=columns)
    scores.attrs |= {"errors": errors, "unread": bool(failed[scored].all())}
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
