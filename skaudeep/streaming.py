"""Process sound as it is recorded, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier

from skaudeep._model_inputs import check_hop, find_extractors
from skaudeep._model_outputs import all_steps
from skaudeep.audio.blocks import BlockSpectra
from skaudeep.audio.decoding import read_audio
from skaudeep.audio.errors import AudioError
from skaudeep.audio.files import check_length
from skaudeep.per_frame import PerFrame
from skaudeep.processor import Processor
from skaudeep.spectrogram import SpectrogramExtractor

GAP = 0.001  # seconds that may lie between the end of a block and the start of the next one


class Block(NamedTuple):
    """A block of samples of a stream, with its sampling rate and time.

    Parameters
    ----------
    samples : array-like of shape (n_samples,) or (n_channels, n_samples)
        The samples.
    sampling_rate : float, default=None
        Their sampling rate in Hz. None: it is not checked.
    time : float, default=None
        Time of the first sample in seconds, by any clock, such as that of a sound card. None: gaps
        between blocks are not noticed.
    """

    samples: ArrayLike
    sampling_rate: float | None = None
    time: float | None = None


def stream(
    pipeline: Any,
    blocks: Iterable[ArrayLike | Block],
    *,
    sampling_rate: float,
    duration: float | None = None,
    hop: float | None = None,
) -> Iterator[tuple[float, pd.Series]]:
    """Process sound as it is recorded, frame by frame or by windows.

    Frame by frame (`duration` is None), there is a result for each frame of the spectrogram, as
    soon as its last sample has come in. A network continues from its state after the previous
    frame. The results therefore equal those of the pipeline for the whole recording, up to
    rounding, however the samples are divided into blocks. The pipeline consists of a
    :class:`~skaudeep.SpectrogramExtractor`; then a network that reads forwards only, which is
    ``ReservoirFeatures(bidirectional=False)`` or
    ``Seq2SeqAutoencoder(bidirectional_encoder=False)``, with ``representation="components"`` or
    ``"states"``; and then a :class:`~skaudeep.PerFrame`. The network, the `PerFrame`, or both may
    be missing.

    By windows (`duration` is given), there is a result for each piece of `duration` seconds, which
    is called a window, by any pipeline. A window begins every `hop` seconds, at the nearest sample.
    Its result is computed as soon as its last sample has come in. If `hop` is at most `duration`, a
    sound therefore contributes to a result at most `hop` seconds (and the time of a computation)
    after it was recorded. A sound shorter than `duration` - `hop` lies wholly in a window that ends
    at most `duration` seconds after the start of the sound. At the end of the stream, the samples
    from the start of the next window on are a window, too, if they last at least half of `duration`
    and some of them are in no window before. The results are bit-identical to those of
    :meth:`Processor.process_file` for each window of a file of the same sound, however the samples
    are divided into blocks.

    Parameters
    ----------
    pipeline : estimator
        A pipeline that begins with extractors with ``reference="full_scale"``, see
        :class:`~skaudeep.Processor`.
    blocks : iterable of arrays or of Block
        Consecutive blocks of samples of shape (n_samples,) or (n_channels, n_samples), of any
        length: floats with full scale 1, or int8, int16, int32 or uint8. Empty blocks are skipped.
        A :class:`~skaudeep.streaming.Block` ``(samples, sampling_rate, time)`` also states its rate
        in Hz and the time of its first sample in seconds, so that a change of the rate, or a gap of
        more than 1 ms, is noticed.
    sampling_rate : float
        Sampling rate of the samples in Hz. If the pipeline has another rate, they are resampled: by
        windows, each window separately; frame by frame, continuously, which delays results by about
        0.1 s.
    duration : float > 0, default=None
        Length of a window in seconds. None processes frame by frame.
    hop : float > 0, default=None
        Time between the starts of two windows in seconds. None is `duration`: windows follow one
        another without overlap. With more than `duration`, the sound between windows has no result.
        It cannot be given without a `duration`.

    Returns
    -------
    iterator of (time, values)
        The results, as soon as they are complete.
    time : float
        End of the window, or centre of the frame, in seconds from the first sample of the stream.
        If the pipeline ends in a :class:`~skaudeep.PerFrame` with a `delay`, it is the centre of
        the frame plus this delay, which may be later than the last sample so far. In contrast to
        :meth:`PerFrame.predict`, the first `delay` seconds have no results.
    values : pandas.Series
        Output of the pipeline, with the column names of :class:`~skaudeep.Processor`. A `PerFrame`
        has the probability of each class, under its name, if its classifier has probabilities, else
        `label` or `prediction`; with several targets `prediction_0`, `prediction_1`, ... (or
        `label_0`, ...). The name of the series is `time`, so that the table
        ``pd.DataFrame([values for _, values in stream(...)])`` has an index of times.

    Raises
    ------
    ValueError
        Before the first block: if a parameter is out of its range; if levels in the pipeline are
        not relative to full scale (relative to the maximum of a window, noise would be as loud as a
        call); if `duration` is None and a step needs the whole recording; or if `duration` is given
        and the pipeline ends in a `PerFrame`.
    sklearn.exceptions.NotFittedError
        Before the first block: if a step of the pipeline that learns is not fitted.
    AudioError
        At the block: if it holds NaN, has another rate or number of channels than those before, or
        does not begin where the previous one ends. The message states the time. Results that are
        complete by then are yielded first.

    Notes
    -----
    Memory is bounded: it holds two windows, or a window of the spectrogram and the state of the
    network, and the results of the current block. Frame by frame, networks run on the CPU. By
    windows, a silent window causes an :class:`~skaudeep.AudioWarning`, and the results of a
    classifier for it are NaN. Blocks of the package `sounddevice` have the shape (n_samples,
    n_channels): pass their transpose.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> import skaudeep
    >>> extractor = skaudeep.SpectrogramExtractor(
    ...     n_mels=2, sampling_rate=8000, reference="full_scale")
    >>> sound = np.random.default_rng(0).normal(size=16000) / 10
    >>> blocks = np.array_split(sound, 7)  # as they come from a microphone
    >>> pipeline = make_pipeline(extractor, skaudeep.BandStatistics())
    >>> for time, values in skaudeep.stream(
    ...         pipeline, blocks, sampling_rate=8000, duration=1, hop=0.5):
    ...     print(time, values["mean_0"].round(1))
    1.0 0.6
    1.5 0.6
    2.0 0.6
    >>> reservoir = skaudeep.ReservoirFeatures(
    ...     8, bidirectional=False, representation="states", random_state=0)
    >>> pipeline = make_pipeline(extractor, reservoir).fit([sound])
    >>> by_frame = dict(skaudeep.stream(pipeline, blocks, sampling_rate=8000))
    >>> list(by_frame)[:3], len(by_frame), len(pipeline.transform([sound])[0])
    ([0.04, 0.08, 0.12], 49, 49)
    """
    for extractor in find_extractors(pipeline):
        _check_levels(extractor)
    check_hop(pipeline)
    if duration is None and hop is not None:
        raise ValueError(f"Got hop={hop!r} without a duration: frames have none. Give duration=.")
    hop = duration if hop is None else hop
    for name, value in (("duration", duration), ("hop", hop)):
        if value is not None and (not isinstance(value, Real) or not 0 < value < np.inf):
            raise ValueError(f"Got {name}={value!r}, expected seconds above 0.")
    processor = Processor(pipeline)
    model = processor._model_of_signals(sampling_rate, "stream")
    if duration is None or hop is None:
        return _by_frame(_FrameByFrame(model, sampling_rate), _samples(blocks, sampling_rate))
    if isinstance(_flat_steps(model)[-1], PerFrame):
        raise ValueError(
            f"Got duration={duration!r} for a pipeline that ends in PerFrame, which has values for "
            "each frame, expected one that has them for a clip. Leave duration= out."
        )
    for name, value in (("duration", duration), ("hop", hop)):
        check_length(name, value, sampling_rate)
        if value * sampling_rate < 1:
            raise ValueError(
                f"Got {name}={value}, less than a sample at {sampling_rate:.10g} Hz, expected at "
                "least one. Give seconds."
            )
    for extractor in find_extractors(pipeline):
        _check_window(extractor, duration)
    windows = _windows(
        _samples(blocks, sampling_rate), round(duration * sampling_rate), hop * sampling_rate
    )
    return _results(processor, model, windows, sampling_rate)


def _check_window(extractor: Any, duration: float) -> None:
    """Refuse windows of the stream that hold no window of the spectrogram."""
    window = getattr(extractor, "window_duration", None)
    if window is None or extractor.adapt or extractor.duration is not None:
        return
    if duration < window and not np.isclose(duration, window):  # to a sample
        raise ValueError(
            f"Got duration={duration:g}, less than one window of the spectrogram, of {window:g} s. "
            f"Give duration={window:g} or more, or an extractor with a shorter window_duration or "
            "with adapt=True."
        )


def _check_levels(extractor: Any) -> None:
    """Raise a ValueError if the levels of an extractor are relative to the maximum of a clip."""
    name = "reference" if hasattr(extractor, "reference") else "scale"
    value, expected = getattr(extractor, name), "full_scale" if name == "reference" else None
    if value != expected:
        quoted = f'"{expected}"' if expected else "None"
        raise ValueError(
            f"Got a pipeline whose levels are relative to the maximum of a clip ({name}="
            f"{value!r}), expected levels relative to full scale: a stream has no maximum before "
            "its end, and windows would be equally loud. Fit it with "
            f"{type(extractor).__name__}({name}={quoted})."
        )


def _by_frame(
    frames: _FrameByFrame, blocks: Iterable[NDArray[np.float32]]
) -> Iterator[tuple[float, pd.Series]]:
    n_frames = 0
    for values in frames.process(blocks):
        values.index = pd.Index(frames.layout.frame_times(len(values), n_frames + frames.delay))
        for row, time in enumerate(values.index):
            yield float(time), values.iloc[row]
        n_frames += len(values)


class _FrameByFrame:
    """A pipeline that gives values for each frame, with the current state of its network.

    Parameters
    ----------
    model : estimator
        A fitted pipeline.
    sampling_rate : float
        Rate in Hz of the samples that come in.

    Raises
    ------
    ValueError
        If a step needs the whole recording.
    """

    def __init__(self, model: Any, sampling_rate: float) -> None:
        extractor, *steps = _flat_steps(model)
        if not isinstance(extractor, SpectrogramExtractor):
            raise _needs_windows(extractor, "which is no SpectrogramExtractor")
        self._spectra = BlockSpectra(extractor.get_params(), sampling_rate)
        self.layout = self._spectra.layout
        self._encoder: Any = None
        self._state: Any = None
        self._predict: Callable[[NDArray], NDArray] | None = None
        self.delay = 0  # frames from the sound to the time of its label
        last = extractor
        nothing = np.zeros((1, self.layout.n_bands), np.float32)
        if steps and hasattr(steps[0], "encoder_"):
            last = steps.pop(0)
            self._encoder = last.encoder_
            try:  # this also loads compiled code before the first block
                nothing = self._features(nothing)
            except ValueError as error:
                raise _needs_windows(last, f"which cannot go on: {error}".rstrip(".")) from error
            self._state = None
        if steps and isinstance(steps[0], PerFrame):
            last = steps.pop(0)
            self._predict, self._columns = _predictions(last, nothing)
            self.delay = last._shift()
        else:
            self._columns = list(last.get_feature_names_out())
        if steps:
            raise _needs_windows(steps[0], "which reads whole clips")

    def process(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[pd.DataFrame]:
        """Yield the values of frames, a row each, as they are completed."""
        for block in blocks:
            yield from map(self._values, self._spectra.add(block))
        yield from map(self._values, self._spectra.end())

    def _values(self, frames: NDArray[np.float32]) -> pd.DataFrame:
        features = frames if self._encoder is None else self._features(frames)
        values = features if self._predict is None else self._predict(features)
        return pd.DataFrame(values, columns=self._columns)

    def _features(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        import torch

        from skaudeep.nn.parallel import torch_threads

        with torch.inference_mode(), torch_threads(1):
            x = torch.from_numpy(frames)[None]
            features, self._state = self._encoder.carry_on(x, self._state)
            return features[0].numpy()


def _predictions(
    step: PerFrame, frames: NDArray[np.float32]
) -> tuple[Callable[[NDArray], NDArray], list[str]]:
    """Return the function that computes the columns of a step for frames, and their names."""
    inner = step.estimator_
    if hasattr(inner, "predict_proba") and not isinstance(step.classes_, list):
        return inner.predict_proba, list(map(str, step.classes_))
    name = "label" if is_classifier(inner) else "prediction"
    predicted = np.asarray(inner.predict(frames))
    n_targets = 1 if predicted.ndim == 1 else predicted.shape[1]
    return inner.predict, [name] if n_targets == 1 else [f"{name}_{i}" for i in range(n_targets)]


def _flat_steps(model: Any) -> list[Any]:
    """List the steps of a pipeline, and those of the best one in place of a search."""
    steps = all_steps(getattr(model, "best_estimator_", model))
    parts = [_flat_steps(step) if hasattr(step, "best_estimator_") else [step] for step in steps]
    return [step for part in parts for step in part]


def _needs_windows(step: Any, why: str) -> ValueError:
    return ValueError(
        f"Got a pipeline with {type(step).__name__}, {why}. Expected steps that go from frame to "
        "frame: SpectrogramExtractor, then ReservoirFeatures(bidirectional=False, "
        'representation="components") or Seq2SeqAutoencoder(bidirectional_encoder=False, '
        'representation="components"), then PerFrame. Fit such a pipeline, or process windows by '
        "this one: give duration=."
    )


def _results(
    processor: Processor, model: Any, windows: Iterable[tuple[int, NDArray]], rate: float
) -> Iterator[tuple[float, pd.Series]]:
    for first, samples in windows:
        end = (first + samples.shape[1]) / rate
        name = f"stream [{first / rate:g} s to {end:g} s]"
        yield end, processor._piece(model, samples, rate, name).iloc[0].rename(end)


def _samples(blocks: Iterable[Any], rate: float) -> Iterator[NDArray[np.float32]]:
    """Yield the samples of blocks, checked, of shape (n_channels, n_samples)."""
    n_samples, n_channels, expected = 0, None, None
    for item in blocks:
        at = n_samples / rate
        block = item if isinstance(item, Block) else Block(item)
        if isinstance(block.samples, tuple):
            raise _fault(at, "is a tuple", "Pass samples, or a skaudeep.streaming.Block of them")
        if block.sampling_rate not in (None, rate):
            raise _fault(
                at,
                f"has a sampling rate of {block.sampling_rate:.10g} Hz, after {rate:.10g} Hz",
                "Resample it, or begin another stream",
            )
        if block.time is not None and expected is not None:
            gap = block.time - expected
            if not abs(gap) <= GAP:
                what = f"begins {gap:.4g} s after" if not gap < 0 else f"begins {-gap:.4g} s before"
                raise _fault(
                    at, f"{what} the end of the block before it", "Begin another stream there"
                )
        values = np.asarray(block.samples)
        if not values.size and values.ndim in (1, 2):
            continue
        try:
            samples, _ = read_audio(values, sampling_rate=rate)
        except AudioError as error:
            if error.kind == "not finite":
                first = int((~np.isfinite(np.atleast_2d(values)).all(axis=0)).argmax())
                at += first / rate
                if first:  # results before the fault must not depend on where blocks end
                    yield read_audio(values[..., :first], sampling_rate=rate)[0]
            raise _fault(at, error.reason, error.remedy, error.kind) from None
        if n_channels not in (None, len(samples)):
            raise _fault(
                at, f"has {len(samples)} channels, after {n_channels}", "Begin another stream there"
            )
        n_channels = len(samples)
        n_samples += samples.shape[1]
        expected = None if block.time is None else block.time + samples.shape[1] / rate
        yield samples


def _fault(at: float, reason: str, remedy: str, kind: Any = "settings") -> AudioError:
    return AudioError(f"stream at {at:.6g} s", reason, remedy, kind)


def _windows(
    blocks: Iterable[NDArray[np.float32]], length: int, step: float
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield windows and the numbers of their first samples, as `datasets.windows` cuts them.

    Window k begins at sample round(k * step). The last may be shorter, down to half of `length`.
    """
    kept = np.zeros((1, 0), np.float32)  # a buffer of twice the length, which begins at `first`
    first = n_kept = n_windows = covered = 0
    for block in blocks:
        if not kept.size:
            kept = np.zeros((len(block), 2 * length), np.float32)
        while block.shape[1]:
            begin = round(n_windows * step)
            if n_kept == kept.shape[1] or begin >= first + n_kept:
                n_kept, first = _forget(kept, first, n_kept, begin)
            taken = min(kept.shape[1] - n_kept, block.shape[1])
            kept[:, n_kept : n_kept + taken] = block[:, :taken]
            n_kept, block = n_kept + taken, block[:, taken:]
            while (begin := round(n_windows * step)) + length <= first + n_kept:
                yield begin, kept[:, begin - first : begin - first + length].copy()
                n_windows, covered = n_windows + 1, begin + length
    end = first + n_kept
    begin = round(n_windows * step)
    if covered < end and 2 * (end - begin) >= length:
        yield begin, kept[:, begin - first : n_kept].copy()


def _forget(kept: NDArray, first: int, n_kept: int, begin: int) -> tuple[int, int]:
    """Drop the samples before `begin`; return how many are left, and the number of the first."""
    dropped = min(begin - first, n_kept)
    left = n_kept - dropped
    kept[:, :left] = kept[:, dropped:n_kept].copy()
    return left, first + dropped
