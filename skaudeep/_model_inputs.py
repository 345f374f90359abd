"""Inputs of models: their extractors and sampling rate, and clips that they cannot classify."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from skaudeep._texts import printable
from skaudeep._views import ClipExtractor
from skaudeep._warnings import find_stack_level
from skaudeep.audio.clips import Clip, list_clips
from skaudeep.audio.decoding import read_audio
from skaudeep.audio.errors import AudioError, AudioWarning
from skaudeep.audio.rates import header_rates
from skaudeep.datasets.bunch import check_bunch
from skaudeep.datasets.description import audio_clips, is_file
from skaudeep.datasets.operations import take
from skaudeep.per_frame import PerFrame

MAX_NAMED = 20  # clips that a warning names
BATCH = 64  # number of clips that a model reads together
BEGINNING = 2.0  # seconds that are decoded first to find sound; a clip with sound is not silent


def find_extractors(model: Any) -> list[ClipExtractor]:
    """List the extractors in a model, fitted or not, at any depth.

    Parameters
    ----------
    model : estimator

    Returns
    -------
    list of ClipExtractor
        The objects themselves. Of a fitted `FeatureFusion` both its parameters and their fitted
        copies are among them.
    """
    return [part for part in _parts(model) if isinstance(part, ClipExtractor)]


def _parts(model: Any) -> Iterator[BaseEstimator]:
    """Yield a model and the estimators in it, at any depth but those within an extractor."""
    todo = [model]
    while todo:
        part = todo.pop()
        if isinstance(part, list | tuple):
            todo += part
        elif isinstance(part, BaseEstimator):
            yield part
            if not isinstance(part, ClipExtractor):
                todo += vars(part).values()


def check_hop(model: Any) -> None:
    """Raise ValueError if a `PerFrame` with a delay counts other frames than the extractor makes.

    Parameters
    ----------
    model : estimator
        Fitted or not. Without an extractor, or with one that does not state its hop, there is
        nothing to compare.

    Raises
    ------
    ValueError
        If the two times between frames differ.
    """
    hops = {hop for e in find_extractors(model) if (hop := _hop_of(e)) is not None}
    for part in _parts(model):
        if isinstance(part, PerFrame) and part.delay and part.hop_duration and len(hops) == 1:
            (hop,) = hops
            if not np.isclose(part.hop_duration, hop, rtol=1e-3):
                raise ValueError(
                    f"Got PerFrame(hop_duration={part.hop_duration:g}) behind an extractor whose "
                    f"frames are {hop:g} s apart: the delay of {part.delay:g} s would be another. "
                    f"Give PerFrame(hop_duration={hop:g})."
                )


def _hop_of(extractor: ClipExtractor) -> float | None:
    """Return the time between two frames in seconds, where the parameters state it."""
    hop = getattr(extractor, "hop_duration", None)
    if hop is None and (window := getattr(extractor, "window_duration", None)) is not None:
        return float(window) / 2
    return hop


def raising(model: Any) -> Any:
    """Return a model that raises an AudioError about a clip that cannot be read.

    Parameters
    ----------
    model : estimator
        Its extractors may have been told to give NaN for such a clip, which the steps behind them
        cannot take, and which does not say why.

    Returns
    -------
    estimator
        The model, or a copy where an extractor is changed.
    """
    if all(extractor.on_error != "nan" for extractor in find_extractors(model)):
        return model
    model = copy.deepcopy(model)
    for extractor in find_extractors(model):
        if extractor.on_error == "nan":
            extractor.on_error = "raise"
    return model


def model_rate(model: Any) -> float | None:
    """Return the highest sampling rate in Hz that a model reads recordings at; None if unknown."""
    rates = [
        extractor.sampling_rate or getattr(extractor, "sampling_rate_", None)
        for extractor in find_extractors(model)
    ]
    return max((rate for rate in rates if rate is not None), default=None)


def check_kind(model: Any, dims: Sequence[str]) -> None:
    """Raise a ValueError about spectrograms or features for a model that reads recordings.

    Parameters
    ----------
    model : estimator
    dims : sequence of str
        What the axes of the data are, see :func:`~skaudeep.datasets.make_bunch`.

    Raises
    ------
    ValueError
        If the model extracts spectrograms by itself, and the data are some or what follows them.
    """
    if find_extractors(model) and {"frame", "band", "feature"} & set(dims):
        raise ValueError(
            f"Got data with the axes {tuple(dims)} for a model of recordings, expected recordings: "
            "the model computes spectrograms and features by itself."
        )


def check_rate_of_waveforms(rate: float | None, bunch: Bunch) -> None:
    """Raise a ValueError about waveforms whose sampling rate is not that of the model.

    Parameters
    ----------
    rate : float or None
        Sampling rate of the model in Hz.
    bunch : :class:`~sklearn.utils.Bunch`
        A data set; its key `sampling_rate` is the rate of its waveforms.

    Raises
    ------
    ValueError
        If both are known and differ.
    """
    own = bunch.get("sampling_rate")
    if rate is None or own is None or rate == own:
        return
    if any(not is_file(clip) for clip in audio_clips(bunch) or ()):
        raise ValueError(
            f"Got waveforms of {own:.10g} Hz, expected {rate:.10g} Hz, the sampling rate that was "
            "fitted or asked for. Resample them first, for example by librosa.resample, or give "
            "files, which are resampled."
        )


def warner_of_low_rates(model: Any) -> Callable[[Any, NDArray[np.intp]], None]:
    """Return a function that warns, once, of recordings whose sampling rate is too low for a model.

    Parameters
    ----------
    model : estimator
        The model.

    Returns
    -------
    callable
        Function of clips, in a form that the model takes, and of the rows to check.
    """
    rate = model_rate(model)
    warned = False

    def warn_once(X: Any, rows: NDArray[np.intp]) -> None:
        nonlocal warned
        if rate is None or warned:
            return
        clips = [clip for clip in list_clips(take(X, rows)) if is_file(clip)]
        for clip, own in zip(clips, header_rates(clips), strict=True):
            if not isinstance(own, AudioError) and own < rate:
                warned = True
                others = " Other clips of a lower rate are not reported." * (len(X) > 1)
                warnings.warn(
                    f"{printable(clip.name)}: has a sampling rate of {own:.10g} Hz, but the model "
                    f"was fitted to {rate:.10g} Hz: frequencies above {own / 2:.10g} Hz are "
                    f"missing, so that its labels may be wrong.{others} Fit a model with the "
                    "sampling rate of the new recordings.",
                    AudioWarning,
                    stacklevel=find_stack_level(),
                )
                return

    return warn_once


def set_apart_silence(
    model: Any, X: Any, rows: NDArray[np.intp]
) -> tuple[NDArray[np.intp], dict[int, AudioError]]:
    """Separate silent clips from others, because a model must not classify silence.

    Parameters
    ----------
    model : estimator
    X : sequence of clips
        As the model takes them.
    rows : ndarray of int
        Those to look at.

    Returns
    -------
    rows : ndarray of int
        Rows of clips that are not silent, or cannot be read.
    silent : dict of int to AudioError
        Errors about the silent clips, by row.

    Warns
    -----
    AudioWarning
        If clips are shorter than three frames of the model: its features describe changes over
        time, of which they have next to none.
    """
    rate = model_rate(model)
    if rate is None:  # it takes no recordings
        return rows, {}
    shortest = max(extractor._shortest_clip() for extractor in find_extractors(model))
    silent, short = {}, []
    for row, clip in zip(rows.tolist(), list_clips(take(X, rows)), strict=True):
        try:
            seconds, is_silent = _listen(clip, rate, shortest)
        except ValueError:  # the extractor will report the fault
            continue
        if is_silent:
            silent[row] = AudioError(
                clip.name,
                "holds nothing but silence: all its samples are equal",
                "Listen to it; record it again or leave it out",
                "empty",
            )
        elif seconds < shortest:
            short.append(f"{printable(clip.name)} ({seconds:.3g} s)")
    if short:
        which = "lasts" if len(short) == 1 else "last"
        more = ", ..." if len(short) > MAX_NAMED else ""
        warnings.warn(
            f"{', '.join(short[:MAX_NAMED])}{more}: {which} less than {shortest:.3g} s, three "
            "frames of the model, which is too short to tell classes apart: labels may be wrong. "
            "Give longer recordings.",
            AudioWarning,
            stacklevel=find_stack_level(),
        )
    return rows[[row not in silent for row in rows.tolist()]], silent


def _listen(clip: Clip, rate: float, shortest: float) -> tuple[float, bool]:
    """Return how long a clip lasts, as far as it was read, and whether it is silent throughout.

    No more is read than it takes to tell that the clip lasts at least `shortest` seconds and is not
    silent: the model decodes it again.
    """
    for duration in (shortest + 0.01, shortest + BEGINNING, None):
        samples, own_rate = read_audio(
            clip.source,
            sampling_rate=None if is_file(clip) else rate,
            start=clip.start,
            end=clip.end,
            duration=duration,
            on_error="read",
        )
        if samples.size and np.ptp(samples, axis=-1).any():
            return samples.shape[-1] / own_rate, False
    return samples.shape[-1] / own_rate, True


def clips_and_names(model: Any, clips: Any) -> tuple[Any, list[str]]:
    """Return the clips of a data set or list, and their names in messages.

    Parameters
    ----------
    model : estimator
        What is to read them.
    clips : Bunch, list of paths, index of segments or array

    Returns
    -------
    clips : list or array
    names : list of str

    Raises
    ------
    ValueError
        If a data set holds what the model cannot read, or waveforms of another rate than its.
    """
    if isinstance(clips, Mapping):
        bunch = check_bunch(clips, required=("data", "filenames"))
        check_kind(model, bunch.dims)
        check_rate_of_waveforms(model_rate(model), bunch)
        return bunch.data, bunch.filenames.tolist()
    if getattr(clips, "ndim", 1) > 1 and not hasattr(clips, "index"):  # features, spectrograms ...
        return clips, [f"clip {row}" for row in range(len(clips))]
    return clips, [clip.name for clip in list_clips(clips)]
