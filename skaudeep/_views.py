"""Base class of extractors, and the extraction of several views of the same clips."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import Tags

from skaudeep._base import NamedRowsMixin, VersionMixin
from skaudeep._padding import pad
from skaudeep._parallel import parallel_threads
from skaudeep._progress import duration
from skaudeep._texts import printable
from skaudeep._warnings import find_stack_level
from skaudeep.audio.chain import Signal, extract_clip_views
from skaudeep.audio.clips import Clip, list_clips
from skaudeep.audio.errors import AudioError, AudioWarning, all_clips_failed
from skaudeep.audio.functions import check_widths
from skaudeep.audio.rates import common_rate, header_rates

if TYPE_CHECKING:
    import pandas as pd

MAX_BATCH = 16  # clips per task
# An extraction is repeated needlessly if it was run so often and took so long in all, in seconds.
REPETITIONS, REPETITION_SECONDS = 4, 60.0
MAX_REMEMBERED = 1000
MAX_NAMED = 20  # clips that a warning names
# Number and total time of extractions in this process, for each set of clips and parameters.
_extracted: dict[int, tuple[int, float]] = {}


class ClipExtractor(
    VersionMixin, NamedRowsMixin, CallbackSupportMixin, TransformerMixin, BaseEstimator
):
    """Base class of transformers from clips to frames, which treat each clip separately.

    Subclasses have the parameters below, and `fit` sets `sampling_rate_`, `channel_` and
    `n_bands_`, the size of the last axis of the output.
    """

    sampling_rate: float | None
    hop_duration: float | None
    chunk_duration: float | None
    n_chunks: int | None
    channel: Any
    n_jobs: int | None
    on_error: str
    n_bands_: int
    channel_: Any
    # The value of a clip without sound; None if there is no such value.
    _silence: ClassVar[float | None] = None

    def _shortest_clip(self) -> float:
        """Return the length in seconds of a clip that has three whole frames; 0 if unknown."""
        raise NotImplementedError

    def _chain_parameters(self) -> dict[str, Any]:
        """Return the parameters that :func:`~skaudeep.audio.extract_clip_views` reads."""
        return self.get_params(deep=False)

    def _row_names(self, X: Any) -> Any:
        return clip_index(X)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.requires_fit = False
        return tags

    def _rate(self) -> float | None:
        """Return the sampling rate of the frames in Hz; None if it depends on the clips."""
        return fitted_rate(self) if self.sampling_rate is None else self.sampling_rate

    def _check_parameters(self) -> None:
        raise NotImplementedError

    def _now_and_in_fit(self, fitted_rate: float) -> dict[str, tuple[Any, Any]]:
        """Return properties that must not change after `fit`: their values now, and in `fit`."""
        return {
            "sampling_rate": (self._rate(), fitted_rate),
            "channel": (self.channel, self.channel_),
        }

    def _check_as_fitted(self) -> None:
        """Check the parameters, and that they agree with `fit`."""
        self._check_parameters()
        rate = fitted_rate(self)
        if rate is None:
            return
        for name, (value, fitted) in self._now_and_in_fit(rate).items():
            if value != fitted:
                raise ValueError(
                    f"The {name} is {value!r}, but was {fitted!r} in fit, and steps that were "
                    f"fitted to these spectrograms would misread others. Set it back to "
                    f"{fitted!r}, or call fit again."
                )

    def _check_chunks(self, shortest: float, what: str) -> None:
        """Raise a ValueError if chunks are shorter than `what`, which lasts `shortest` seconds."""
        if self.n_chunks is not None and self.chunk_duration is None:
            raise ValueError(
                f"n_chunks={self.n_chunks} without a chunk_duration. Set chunk_duration=."
            )
        if self.chunk_duration is not None and self.chunk_duration < shortest:
            raise ValueError(
                f"chunk_duration={self.chunk_duration} is shorter than {what} "
                f"({shortest:g} s). Lengthen the chunks."
            )


def extract_views(
    extractors: Sequence[ClipExtractor], X: Any, *, on_clips: Callable[[int], object] | None = None
) -> list[NDArray[np.float32]]:
    """Extract several spectrograms of the same clips, and run the steps that they share only once.

    Each clip is decoded once for each `sampling_rate`. Every further step runs once for all
    extractors with the same parameters up to this step. Four extractors that differ only in
    `clip_below` take hardly more time than one.

    Parameters
    ----------
    extractors : sequence of SpectrogramExtractor or FunctionExtractor
        The extractors. The first one's `n_jobs` is used.
    X : sequence of n_clips clips
        Paths, waveforms or a `(file, start, end)` index, see
        :meth:`SpectrogramExtractor.transform`.
    on_clips : callable, default=None
        Called with the number of clips of each task that is done.

    Returns
    -------
    list of ndarray
        The result of each extractor's `transform(X)`, bit for bit.

    Raises
    ------
    AudioError
        If a clip cannot be read and an extractor has `on_error="raise"`, if no clip can be read, or
        if sampling rates, or the dimensions of a function's frames, differ; see
        :meth:`SpectrogramExtractor.transform`.
    ValueError
        If a parameter is out of its range, or `X` is empty or no sequence of clips.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep import SpectrogramExtractor
    >>> noise = np.random.default_rng(0).normal(size=(2, 16000))
    >>> extractors = [
    ...     SpectrogramExtractor(n_mels=40, sampling_rate=16000, clip_below=db) for db in (-30, -60)
    ... ]
    >>> [view.shape for view in extract_views(extractors, noise)]
    [(2, 24, 40), (2, 24, 40)]
    """
    for extractor in extractors:
        extractor._check_as_fitted()
    clips = list_clips(X)
    if not extractors:
        return []
    began = time.monotonic()
    batches, parallel = _in_batches(clips, extractors[0].n_jobs)
    parameters = [extractor._chain_parameters() for extractor in extractors]
    with parallel:
        _check_headers(extractors, clips, batches, parallel)  # minutes before the last is decoded
        rows = []
        for batch in parallel(delayed(extract_clip_views)(batch, parameters) for batch in batches):
            rows += batch
            if on_clips is not None:
                on_clips(len(batch))
    gathered = [
        _stack_rows(clips, view, extractor)
        for extractor, view in zip(extractors, zip(*rows, strict=True), strict=True)
    ]
    # A clip that fails for several extractors is reported once.
    failed, silent = {}, {}
    for i, views in enumerate(rows):
        for extractor, view in zip(extractors, views, strict=True):
            if isinstance(view, AudioError):
                failed[i] = str(view)
            elif extractor._silence is not None and not (view.values > extractor._silence).any():
                silent[i] = clips[i].name
    warn_about_clips(list(failed.values()), list(silent.values()), len(clips))
    _warn_of_repetition(clips, parameters, time.monotonic() - began)
    return gathered


def _warn_of_repetition(
    clips: list[Clip], parameters: list[dict[str, Any]], seconds: float
) -> None:
    """Warn if the same clips are extracted again and again, as in a search, and it takes long."""
    if not all(isinstance(clip.source, str | bytes | os.PathLike) for clip in clips):
        return
    key = hash((repr(parameters), *(clip.name for clip in clips)))
    times, total = _extracted.pop(key, (0, 0.0))
    times, total = times + 1, total + seconds
    if times >= REPETITIONS and total >= REPETITION_SECONDS:
        warnings.warn(
            f"{len(clips)} clips, {printable(clips[0].name)} first, were extracted {times} times "
            f"with the same parameters, which took {duration(total)}. In a search, extract once: "
            "data = skaudeep.extract_to_netcdf(bunch, extractor, 'spectrograms.nc').data; then "
            "search over the steps behind the extractor on data.",
            stacklevel=find_stack_level(),
        )
        return  # the count starts again
    _extracted[key] = times, total
    if len(_extracted) > MAX_REMEMBERED:
        del _extracted[next(iter(_extracted))]


def _in_batches(clips: list[Clip], n_jobs: int | None) -> tuple[list[list[Clip]], Parallel]:
    """Divide clips into tasks; return these and the joblib object that runs them."""
    size = min(MAX_BATCH, max(1, len(clips) // (4 * effective_n_jobs(n_jobs))))
    batches = [clips[i : i + size] for i in range(0, len(clips), size)]
    # Decoding, FFT and matrix products release the GIL, so threads are enough; an outer
    # joblib.parallel_config may choose another backend.
    return batches, parallel_threads(n_jobs)


def _read_headers(batches: list[list[Clip]], parallel: Parallel) -> list[float | AudioError]:
    done = parallel(delayed(header_rates)(batch) for batch in batches)
    return [rate for batch in done for rate in batch]


def find_rate(clips: list[Clip], n_jobs: int | None) -> float:
    """Return the one sampling rate of clips, by the headers of their files.

    Parameters
    ----------
    clips : list of Clip
        The clips. Those without a readable header are left out.
    n_jobs : int or None
        Number of threads.

    Returns
    -------
    float
        The rate in Hz.

    Raises
    ------
    AudioError
        If clips have different rates, or no header can be read.
    ValueError
        If a clip is a waveform: it carries no rate.
    """
    rates = _read_headers(*_in_batches(clips, n_jobs))
    rate = common_rate(clips, rates)
    if rate is None:
        raise all_clips_failed(len(clips), cast(AudioError, rates[0]))
    return rate


def _check_headers(
    extractors: Sequence[ClipExtractor],
    clips: list[Clip],
    batches: list[list[Clip]],
    parallel: Parallel,
) -> None:
    """Raise an error if sampling rates in headers differ from each other, or from that in `fit`."""
    of_files = [extractor for extractor in extractors if extractor.sampling_rate is None]
    rates = _read_headers(batches, parallel) if of_files else []
    for extractor in of_files:
        common_rate(clips, rates, fitted_rate(extractor))


def fitted_rate(extractor: Any) -> float | None:
    """Return the sampling rate in Hz that `fit` has seen, None where there was no `fit`."""
    return getattr(extractor, "sampling_rate_", None)


def _stack_rows(
    clips: list[Clip], rows: Sequence[Signal | AudioError], extractor: ClipExtractor
) -> NDArray[np.float32]:
    """Stack the rows of one view, NaN where a clip is shorter or failed."""
    signals = {i: row for i, row in enumerate(rows) if not isinstance(row, AudioError)}
    if not signals:
        first_error: Any = rows[0]
        raise all_clips_failed(len(rows), first_error)
    # Once more, for a file that was written to after its header was read.
    rates = [row if isinstance(row, AudioError) else row.sampling_rate for row in rows]
    common_rate(clips, rates, fitted_rate(extractor))
    widths = [signals[i].values.shape[-1] if i in signals else None for i in range(len(rows))]
    check_widths(clips, widths, getattr(extractor, "n_bands_", None))
    return pad([signals[i].values if i in signals else None for i in range(len(rows))])


def warn_about_clips(failed: list[str], silent: list[str], n_clips: int) -> None:
    """Warn of clips that could not be read and of clips that are silent.

    Parameters
    ----------
    failed : list of str
        Error message of each clip that could not be read.
    silent : list of str
        Name of each clip without any level above `clip_below`.
    n_clips : int
        Number of all clips.

    Warns
    -----
    AudioWarning
        One for each of the two lists that is not empty; it names the first 20 clips.
    """
    for what, which in (
        ("could not be read; their rows are NaN", failed),
        ("are silent, or too soft for clip_below; their rows are -1 throughout", silent),
    ):
        if which:
            named = "\n".join(map(printable, which[:MAX_NAMED]))
            more = f"\nand {len(which) - MAX_NAMED} more" if len(which) > MAX_NAMED else ""
            warnings.warn(
                f"{len(which)} of {n_clips} clips {what}:\n{named}{more}",
                AudioWarning,
                stacklevel=find_stack_level(),
            )


def clip_index(X: Any) -> pd.Index | None:
    """Return the names of clips as the index of a data frame.

    Parameters
    ----------
    X : sequence of n_clips clips
        See :func:`~skaudeep.audio.list_clips`.

    Returns
    -------
    pandas.Index or None
        The index of a pandas object, such as `(file, start, end)`; else the paths; None where all
        clips are waveforms, which have no names.

    Examples
    --------
    >>> clip_index(["a.wav", "b.wav"]).tolist()
    ['a.wav', 'b.wav']
    """
    import pandas as pd

    if isinstance(X, pd.MultiIndex):
        return X
    if isinstance(X, pd.Series | pd.DataFrame):
        return X.index
    clips = list_clips(X)
    if not any(isinstance(clip.source, str | bytes | os.PathLike) for clip in clips):
        return None
    return pd.Index([clip.name for clip in clips], name="file")
