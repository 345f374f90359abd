"""Description of one clip of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skaudeep._padding import row_lengths
from skaudeep._texts import list_names, printable
from skaudeep.datasets.bunch import check_bunch
from skaudeep.datasets.description import audio_clips, read_headers
from skaudeep.datasets.operations import NO_VALUES, is_labelled, take


@dataclass(frozen=True, repr=False, eq=False)
class ClipDescription:
    """Result of :func:`describe` for one clip; prints as a table.

    Parameters
    ----------
    clip : int
        Position of the clip in the data set.
    n_clips : int
        Number of clips of the data set.
    filename : str
        Its name.
    target : str, float, list of str or of float, or None
        Its class or value, or a list of its classes or values if clips may have several; None if it
        is unlabelled.
    group, partition : str
        Its group and its partition; "" for none.
    test_folds : list of int
        Numbers, from 1, of the folds that test the clip.
    n_folds : int
        Number of folds.
    content : dict of str to int
        Length of each axis of its data, by the names in `dims`, without padding: chunks, frames,
        bands, features. Empty for audio.
    values : (float, float, float) or None
        Smallest, largest and mean value of its data; None for audio, or where all are NaN.
    duration : float
        Duration in seconds, as the header states it; NaN where it is not known.
    sampling_rate, n_channels : int or None
        Sampling rate in Hz and number of channels, as the header states them; None for stored
        values.
    format : str
        Format and subtype, as libsndfile calls them; "" for stored values and waveforms.
    error : str
        Why it cannot be read, or could not be extracted; "" where it can.
    """

    clip: int
    n_clips: int
    filename: str
    target: str | float | list[str] | list[float] | None
    group: str
    partition: str
    test_folds: list[int]
    n_folds: int
    content: dict[str, int]
    values: tuple[float, float, float] | None
    duration: float
    sampling_rate: int | None
    n_channels: int | None
    format: str
    error: str

    def __str__(self) -> str:
        facts = {
            "clip": f"{printable(self.filename)}, number {self.clip} of {self.n_clips}",
            "length": "" if np.isnan(self.duration) else f"{self.duration:.4g} s",
            "rate": f"{self.sampling_rate} Hz" if self.sampling_rate else "",
            "channels": str(self.n_channels or ""),
            "format": self.format,
            "data": " x ".join(f"{n} {name}{'s'[: n != 1]}" for name, n in self.content.items()),
            "values": "{:.4g} to {:.4g}, mean {:.4g}".format(*self.values) if self.values else "",
            "target": _shown(self.target),
            "group": printable(self.group),
            "partition": self.partition,
            "tested in": self._tests(),
            "unreadable": printable(self.error),
        }
        return "\n".join(f"{name:<10} {fact}" for name, fact in facts.items() if fact)

    __repr__ = __str__

    def _tests(self) -> str:
        if not self.n_folds:
            return ""
        folds = ", ".join(map(str, self.test_folds))
        return f"fold {folds} of {self.n_folds}" if folds else "no fold"


def _shown(target: str | float | list[str] | list[float] | None) -> str:
    if target is None:
        return "unlabelled"
    if isinstance(target, float):
        return f"{target:g}"
    if isinstance(target, str):
        return printable(target)
    parts = (f"{part:g}" if isinstance(part, float) else printable(part) for part in target)
    return ", ".join(parts) or "no class"


def describe_clip(bunch: Bunch, clip: int | str) -> ClipDescription:
    """Describe one clip; see :func:`describe`.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with the keys of :func:`make_bunch`.
    clip : int or str
        Its position, or its name among `filenames`.

    Returns
    -------
    ClipDescription
        The description.

    Raises
    ------
    ValueError
        If there is no such clip.
    """
    bunch = check_bunch(bunch)
    row = _position(bunch, clip)
    rows = np.array([row])
    labelled = bool(is_labelled(bunch)[row])
    one = Bunch(data=take(bunch.data, rows))
    if "sampling_rate" in bunch:
        one.sampling_rate = bunch.sampling_rate
    audio = audio_clips(one)
    known: dict[str, Any] = {
        "content": {},
        "values": None,
        "duration": np.nan,
        "sampling_rate": None,
        "n_channels": None,
        "format": "",
        "error": str(bunch["errors"][row]) if "errors" in bunch else "",
    }
    if audio is None:
        stored = one.data if isinstance(one.data, list) else np.asarray(one.data)
        values = np.asarray(stored[0], dtype=np.float32)
        known["content"], known["values"] = _content(values, bunch.dims)
        if known["values"] is None:
            known["error"] = known["error"] or NO_VALUES
    else:
        (header,) = read_headers(audio, bunch.get("sampling_rate"), None)
        if isinstance(header, Exception):
            known["error"] = str(header.reason)
        else:
            (piece,) = audio
            end = header.duration if piece.end is None else min(piece.end, header.duration)
            known["duration"] = max(end - piece.start, 0.0)
            known["sampling_rate"], known["n_channels"] = header.sampling_rate, header.n_channels
            known["format"] = f"{header.format} {header.subtype}".strip()
    return ClipDescription(
        clip=row,
        n_clips=len(bunch.filenames),
        filename=str(bunch.filenames[row]),
        target=_target(bunch, row) if labelled else None,
        group=str(bunch.groups[row]),
        partition=str(bunch.partition[row]),
        test_folds=(np.flatnonzero(bunch.folds[row]) + 1).tolist(),
        n_folds=bunch.folds.shape[1],
        **known,
    )


def _position(bunch: Bunch, clip: int | str) -> int:
    n_clips = len(bunch.filenames)
    if isinstance(clip, str):
        names = bunch.filenames.tolist()
        if clip not in names:
            raise ValueError(
                f"Got clip={clip!r}, expected a name among filenames: {list_names(names, clip)}."
            )
        return names.index(clip)
    if not isinstance(clip, Integral) or isinstance(clip, bool) or not 0 <= clip < n_clips:
        raise ValueError(
            f"Got clip={clip!r}, expected a position from 0 to {n_clips - 1}, or a name among "
            "filenames."
        )
    return int(clip)


def _target(bunch: Bunch, row: int) -> str | float | list[str] | list[float]:
    target = bunch.target[row]
    if np.ndim(target) and target.dtype.kind == "f":
        return target.tolist()
    if np.ndim(target):
        return [bunch.target_names[i] for i in np.flatnonzero(target)]
    return float(target) if isinstance(target, np.floating) else bunch.target_names[target]


def _content(
    values: np.ndarray, dims: tuple[str, ...]
) -> tuple[dict[str, int], tuple[float, float, float] | None]:
    """Return the length of each axis without padding, and minimum, mean and maximum."""
    lengths = dict(zip(dims[1:], values.shape, strict=True))
    there = values[~np.isnan(values)]
    if not len(there):
        return lengths, None
    if dims[1] in ("chunk", "frame"):
        lengths[dims[1]] = int(row_lengths(values[None])[0])
    return lengths, (float(there.min()), float(there.max()), float(there.mean(dtype=float)))
