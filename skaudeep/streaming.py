"""Process sound as it comes in, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier

from skaudeep._model_inputs import check_hop, find_extractors
from skaudeep.audio.blocks import BlockSpectra
from skaudeep.audio.decoding import read_audio
from skaudeep.audio.errors import AudioError
from skaudeep.audio.files import check_length
from skaudeep.per_frame import PerFrame
from skaudeep.processor import Processor, _steps
from skaudeep.spectrogram import SpectrogramExtractor

GAP = 0.001  # seconds by which a block may begin earlier or later than the one before ends


class Block(NamedTuple):
    """A block of a stream, with what is known of it.

    Parameters
    ----------
    samples : array-like of shape (n_samples,) or (n_channels, n_samples)
    sampling_rate : float, default=None
        Its rate in Hz.
    time : float, default=None
        When its first sample was recorded, in seconds by any clock, such as that of a sound card.
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
    """Process sound as it comes in, frame by frame or by windows.

    Frame by frame (`duration` is None), there is a result for each frame of the spectrogram, as
    soon as its last sample is there. A network goes on from the state that the frames before have
    left. So the results are those of the whole recording, as the pipeline gives them when it is
    over, within rounding, however the samples are cut into blocks. The pipeline consists of a
    :class:`~skaudeep.SpectrogramExtractor`; a :class:`~skaudeep.ReservoirFeatures` or
    :class:`~skaudeep.Seq2SeqAutoencoder` that reads forwards alone, with
    ``representation="components"`` or ``"states"``; and a :class:`~skaudeep.PerFrame`. The network,
    or what stands behind it, may be missing.

    By windows, there is a result for each stretch of `duration` seconds, which is processed by
    itself: any pipeline will do. A window begins every `hop` seconds, at the nearest sample. Its
    result is there as soon as its last sample is: what is heard is in a result at most `hop`
    seconds and the time of one computation later, and wholly in a window, if it is shorter than
    `duration` - `hop`, at most `duration` later. At the end of the stream, what the last window
    leaves over is a window where it holds at least half of `duration`. So the windows are those of
    a recording of the same sound, and their results are the same as those of
    :meth:`Processor.process_file` for each, to the bit, however the samples are cut into blocks.

    Parameters
    ----------
    pipeline : estimator
        As :class:`~skaudeep.Processor` takes it. Its extractors have ``reference="full_scale"``.
    blocks : iterable of arrays or of Block
        Samples, of shape (n_samples,) or (n_channels, n_samples), in order and without gaps, as
        many at a time as there are: floats with full scale 1, or int8, int16, int32 or uint8. A
        :class:`~skaudeep.streaming.Block` tells its rate and its time as well, by which a stream
        of two rates, and gaps, are noticed.
    sampling_rate : float
        Rate of the samples in Hz. They are resampled where the pipeline has another, windows each
        by itself; frame by frame that takes about 0.1 s more.
    duration : float > 0, default=None
        Length of a window in seconds. None goes frame by frame.
    hop : float > 0, default=None
        Seconds from the start of a window to that of the next. None is `duration`.

    Yields
    ------
    time : float
        The end of the window, or the centre of the frame, in seconds from the first sample of the
        stream. A :class:`~skaudeep.PerFrame` with a delay foretells: the time is that at which the
        sound of the frame would be labelled.
    values : pandas.Series
        What the pipeline gives for it, by the names of the columns of
        :class:`~skaudeep.Processor`. Its own name is the time, so that a table of them all,
        ``pd.DataFrame([values for _, values in stream(...)])``, has an index of times.

    Raises
    ------
    ValueError
        At once: if a parameter is out of its range; if levels in the pipeline are not relative to
        full scale: a window whose loudest sample were 0 dB would be as loud as any other, and
        noise as loud as a call; or if without `duration` a step of the pipeline needs the whole
        recording, or with it the pipeline ends in a `PerFrame`.
    sklearn.exceptions.NotFittedError
        At once: if the pipeline has to be fitted.
    AudioError
        When it comes: if a block holds NaN, has another rate or number of channels than those
        before, or does not begin where the one before ends. The message says at which time. What
        is complete before is yielded first.

    Notes
    -----
    Memory holds two windows, or a window of the spectrogram and the state of the network, and what
    the current block makes, whatever comes in. Networks run on the CPU where they go frame by
    frame. A silent window has an :class:`~skaudeep.AudioWarning`, and NaN where the pipeline is a
    classifier. Blocks of `sounddevice` are of shape (n_samples, n_channels): pass their transpose.

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
    """Refuse an extractor by which levels hang on what else is in a clip."""
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
    """A pipeline that gives values for each frame, and the state that its network is in.

    Parameters
    ----------
    model : estimator
        Fitted.
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
            try:  # which also loads what is compiled before the first block comes
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
    """Return what computes the columns of a step for frames, and their names."""
    inner = step.estimator_
    if hasattr(inner, "predict_proba") and not isinstance(step.classes_, list):
        return inner.predict_proba, list(map(str, step.classes_))
    name = "label" if is_classifier(inner) else "prediction"
    predicted = np.asarray(inner.predict(frames))
    n_targets = 1 if predicted.ndim == 1 else predicted.shape[1]
    return inner.predict, [name] if n_targets == 1 else [f"{name}_{i}" for i in range(n_targets)]


def _flat_steps(model: Any) -> list[Any]:
    """List the steps of a pipeline, and those of the best one in place of a search."""
    steps = _steps(getattr(model, "best_estimator_", model))
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
                if first:  # so that the results until then do not hang on where blocks end
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
    """Yield windows and the numbers of their first samples, by the rule of a recording.

    Window k begins at sample round(k * step). The last may be shorter, down to half of `length`.
    """
    kept = np.zeros((1, 0), np.float32)  # of twice the length, from sample `first` on
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
