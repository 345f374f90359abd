"""Calls of a user's function that turns samples into frames, with checks of its output."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skaudeep._texts import printable
from skaudeep.audio.clips import Clip
from skaudeep.audio.errors import AudioError

EXPECTED = "an array of shape (n_frames, n_dimensions) with at least one frame"


def function_name(func: Any) -> str:
    """Return the name of a function, or of the file of a model, in messages.

    Parameters
    ----------
    func : callable, str or path
        The function, or the path of the file.

    Returns
    -------
    str
        The name.

    Examples
    --------
    >>> function_name(np.diff), function_name("models/birds.onnx")
    ('diff', 'birds.onnx')
    """
    if not callable(func):
        return printable(os.path.basename(os.fsdecode(func)))
    while isinstance(func, partial):
        func = func.func
    return str(getattr(func, "__qualname__", type(func).__qualname__))


def call_function(
    func: Callable[[NDArray[np.float32]], Any], samples: NDArray[np.float32], name: str
) -> NDArray[np.float32]:
    """Call a function with samples, and check the frames that it returns.

    Parameters
    ----------
    func : callable
        The function. It receives a copy of the samples, which it may change.
    samples : ndarray of shape (n_samples,)
        The samples.
    name : str
        Name of the function in messages.

    Returns
    -------
    ndarray of shape (n_frames, n_dimensions), float32
        A copy, so that the function may use its own array again.

    Raises
    ------
    AudioError
        If the function raises an error, or returns something else than finite numbers in this
        shape.

    Examples
    --------
    >>> call_function(lambda samples: samples.reshape(-1, 2), np.arange(4.0), "pairs")
    array([[0., 1.],
           [2., 3.]], dtype=float32)
    """
    clip = f"waveform of {len(samples)} samples"
    try:
        values = np.asarray(func(samples.copy()))
    except (AudioError, MemoryError):
        raise
    except Exception as error:  # a user's function may raise any error
        raise AudioError(
            clip,
            f"{name} raised {type(error).__name__}: {error}",
            "Mend the function, or leave out the clip",
            "settings",
        ) from error
    fault = None
    if values.dtype.kind not in "biuf":
        fault = f"values of type {values.dtype}"
    elif values.ndim != 2 or 0 in values.shape:
        fault = f"an array of shape {values.shape}"
    if fault is not None:
        raise AudioError(
            clip, f"{name} returned {fault}, expected {EXPECTED}", "Mend the function", "settings"
        )
    with np.errstate(over="ignore"):  # reported below
        frames = values.astype(np.float32)
    finite = np.isfinite(frames)
    if not finite.all():
        first = int(finite.all(axis=1).argmin())
        raise AudioError(
            clip,
            f"{name} returned {finite.size - int(finite.sum())} values that are NaN, infinite or "
            f"too large for float32, in frame {first} first",
            "Mend the function, or leave out the clip",
            "settings",
        )
    return frames


def check_widths(
    clips: Sequence[Clip], widths: Sequence[int | None], fitted_width: int | None = None
) -> None:
    """Raise an AudioError if the frames of clips have different numbers of dimensions.

    Parameters
    ----------
    clips : sequence of n_clips Clip
    widths : sequence of n_clips int or None
        Number of dimensions of the frames of each clip; None where it has none.
    fitted_width : int, default=None
        Number of dimensions in `fit`. None is that of the first clip.

    Raises
    ------
    AudioError
        If a clip has another number than the others, or than in `fit`.

    Examples
    --------
    >>> check_widths([Clip("a.wav", "a.wav"), Clip("b.wav", "b.wav")], [40, 12])
    Traceback (most recent call last):
    ...
    skaudeep.audio.errors.AudioError: b.wav: has 12 dimensions in each frame, but a.wav has 40. \
Return (n_frames, n_dimensions) with the same n_dimensions for every clip; librosa's functions \
return the transpose of that.
    """
    expected = (
        None if fitted_width is None else (fitted_width, "the extractor was fitted to frames of")
    )
    for clip, width in zip(clips, widths, strict=True):
        if width is None:
            continue
        if expected is None:
            expected = width, f"{printable(clip.name)} has"
        elif width != expected[0]:
            raise AudioError(
                clip.name,
                f"has {width} dimensions in each frame, but {expected[1]} {expected[0]}",
                "Return (n_frames, n_dimensions) with the same n_dimensions for every clip; "
                "librosa's functions return the transpose of that",
                "settings",
            )
