"""FunctionExtractor: clips to the frames of anybody's function, or of a network in an ONNX file."""

import os
import re
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.callback import with_callbacks
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skaudeep._base import (
    COUNT,
    POSITIVE,
    Interval,
    StrOptions,
    all_or_nothing,
    run_fit_without_subtasks,
)
from skaudeep._views import ClipExtractor, extract_views
from skaudeep.audio.chain import extract_clip_views
from skaudeep.audio.clips import Clip, list_clips
from skaudeep.audio.decoding import Align, Channel
from skaudeep.audio.errors import AudioError, all_clips_failed
from skaudeep.audio.files import SAMPLING_RATES
from skaudeep.audio.functions import function_name
from skaudeep.audio.onnx_models import onnx_checksum, read_onnx

_CHECKSUM = re.compile("sha256:[0-9a-f]{64}", re.IGNORECASE)


class FunctionExtractor(ClipExtractor):
    """Turn clips into the frames that a function, or a network in an ONNX file, makes of them.

    It stands where a :class:`~skaudeep.SpectrogramExtractor` stands. The steps, in this order:
    decode and resample, pad or cut to `duration`, mix channels, call the function, scale, split
    into chunks. The function sees one clip at a time, so that the frames of a clip are the same
    alone and among others, and `transform` works without `fit`.

    Parameters
    ----------
    func : callable, str or path
        A function of the samples of one clip, a float32 array of shape `(n_samples,)`, that
        returns an array of shape `(n_frames, n_dimensions)`, with at least one frame and the same
        `n_dimensions` for every clip. Functions of librosa return the transpose of that. Several
        threads call it at a time if `n_jobs` says so. Processes, which `extract_to_netcdf` starts,
        are sent it with each of their tasks: what holds large weights should load them when it is
        first called.

        Or the path of a network in an ONNX file, with one input, a waveform of shape
        `(n_samples,)`, `(1, n_samples)`, `(1, n_samples, 1)` or `(1, 1, n_samples)`, and an output
        `(1, n_frames, n_dimensions)`; or `(1, n_dimensions)`, which is one frame. The network runs
        on the CPU, in one thread for each of `n_jobs`. If its input has a fixed length, it runs
        over windows of this length, see Notes. It needs ``skaudeep[onnx]``.
    sampling_rate : float in [1, 10000000]
        Sampling rate in Hz that the function expects. Files of another rate are resampled to it;
        waveforms have to have it.
    hop_duration : float > 0, default=None
        Time between two frames of the function in seconds, which `chunk_duration` needs.
    scale : {"clip"} or None, default="clip"
        "clip" makes -1 of the least value in the frames of a clip and 1 of the largest, as spectra
        are scaled, which networks with random weights need. None leaves the values as they are.
    duration : float > 0, default=None
        Length in seconds to which clips are cut, or padded with zeros. None leaves them as they
        are.
    align : {"start", "center"}, default="start"
        Which part of a longer clip `duration` keeps, and where a shorter clip is padded, see
        :class:`~skaudeep.SpectrogramExtractor`.
    channel : {"mean", "left", "right", "difference"} or int >= 0, default="mean"
        Which channel of a clip to use, see :class:`~skaudeep.SpectrogramExtractor`.
    chunk_duration : float >= hop_duration, default=None
        Length in seconds of the consecutive chunks into which the frames of each clip are split,
        see :class:`~skaudeep.SpectrogramExtractor`. None does not split.
    n_chunks : int > 0, default=None
        Largest number of chunks per clip, counted from its start. None keeps all.
    checksum : str, default=None
        Of an ONNX file "sha256:" and the 64 hexadecimal digits of its SHA-256. A file of another
        checksum is refused. None takes any file in `fit`, and afterwards only that which `fit` saw.
    output : str, default=None
        Name of the output of an ONNX model. None takes the only one.
    window_overlap : float >= 0, default=0.0
        Time in seconds that two windows of an ONNX model with an input of fixed length have in
        common, less than a window.
    n_jobs : int, default=None
        Number of threads; -1 takes all cores, None is 1 unless in a
        :func:`joblib.parallel_config` context, whose backend is used too.
    on_error : {"raise", "nan", "read"}, default="raise"
        What to do with a clip that cannot be read, or of which the function makes no frames: raise
        an :class:`~skaudeep.audio.AudioError` that names it, or return a row of NaN, with one
        :class:`~skaudeep.audio.AudioWarning` that names all such clips. "read" also reads what is
        there of a damaged file, see :class:`~skaudeep.SpectrogramExtractor`.

    Attributes
    ----------
    n_bands_ : int
        Number of dimensions of the frames that `fit` saw.
    sampling_rate_ : float
        Sampling rate in Hz of the samples that the function was given.
    channel_ : str or int
        Which channel is used: `channel`, as it was in `fit`.
    checksum_ : str or None
        Checksum of the ONNX file that `fit` saw; None for a callable.

    See Also
    --------
    SpectrogramExtractor : Mel spectrograms.
    FeatureFusion : Features of both, side by side.

    Notes
    -----
    If the input of an ONNX model has a fixed number of samples, windows of this length begin every
    window - `window_overlap`, and zeros follow the end of the clip. Frame `i` of the `n` frames of
    a window stands for the time `(i + 0.5) / n` of the window. Of two windows that overlap, the
    first gives the frames before the middle of the overlap, the second those after it. Frames
    after the end of the clip are left out.

    A callable is code, which :func:`~skaudeep.save` does not store; the path and the checksum of
    an ONNX file it does. `extract_to_netcdf` takes a function for the same as in an interrupted
    call if its source and what it holds are the same; if something has changed that it calls,
    delete ``<path>.partial``.

    Examples
    --------
    >>> import numpy as np
    >>> def loudness(samples):  # two frames a second: mean and largest magnitude
    ...     halves = np.abs(samples[: len(samples) // 4000 * 4000]).reshape(-1, 4000)
    ...     return np.stack([halves.mean(axis=1), halves.max(axis=1)], axis=1)
    >>> noise = np.random.default_rng(0).normal(size=20000).astype(np.float32)
    >>> extractor = FunctionExtractor(loudness, sampling_rate=8000)
    >>> frames = extractor.transform([noise, noise[:8000]])
    >>> frames.shape  # clips, frames, dimensions
    (2, 5, 2)
    >>> bool(np.isnan(frames[1, 2:]).all())  # the second clip is shorter
    True
    """

    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "func": [callable, str, os.PathLike],
        "sampling_rate": [Interval(Real, *SAMPLING_RATES, closed="both")],
        "hop_duration": [POSITIVE, None],
        "scale": [StrOptions({"clip"}), None],
        "duration": [POSITIVE, None],
        "align": [StrOptions({"start", "center"})],
        "channel": [
            StrOptions({"mean", "left", "right", "difference"}),
            Interval(Integral, 0, None, closed="left"),
        ],
        "chunk_duration": [POSITIVE, None],
        "n_chunks": [COUNT, None],
        "checksum": [str, None],
        "output": [str, None],
        "window_overlap": [Interval(Real, 0, None, closed="left")],
        "n_jobs": [Integral, None],
        "on_error": [StrOptions({"raise", "nan", "read"})],
    }

    sampling_rate: float
    checksum_: str | None

    def __init__(
        self,
        func: Callable[[NDArray[np.float32]], Any] | str | os.PathLike[str],
        *,
        sampling_rate: float,
        hop_duration: float | None = None,
        scale: Literal["clip"] | None = "clip",
        duration: float | None = None,
        align: Align = "start",
        channel: Channel = "mean",
        chunk_duration: float | None = None,
        n_chunks: int | None = None,
        checksum: str | None = None,
        output: str | None = None,
        window_overlap: float = 0.0,
        n_jobs: int | None = None,
        on_error: str = "raise",
    ) -> None:
        self.func = func
        self.sampling_rate = sampling_rate
        self.hop_duration = hop_duration
        self.scale = scale
        self.duration = duration
        self.align = align
        self.channel = channel
        self.chunk_duration = chunk_duration
        self.n_chunks = n_chunks
        self.checksum = checksum
        self.output = output
        self.window_overlap = window_overlap
        self.n_jobs = n_jobs
        self.on_error = on_error

    @all_or_nothing
    @with_callbacks
    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Count the dimensions of the frames of the first clip, and check the parameters.

        Parameters
        ----------
        X : sequence of n_clips clips
            Paths, waveforms or a `(file, start, end)` index, see
            :meth:`SpectrogramExtractor.transform`. The function is called with the first of them;
            unless `on_error` is "raise", with the first that can be read.
        y : array-like of shape (n_clips,), default=None
            Labels, of which only the number is checked.

        Returns
        -------
        FunctionExtractor
            The extractor itself.

        Raises
        ------
        AudioError
            If that clip cannot be read, or the function makes no frames of it.
        ValueError
            If a parameter is out of its range, an ONNX model has another checksum or other inputs
            and outputs, `X` is empty, or `y` has another length.
        ImportError
            If `func` is a path and onnxruntime is not installed.
        OSError
            If `func` is a path where no file is.
        """
        self._check_parameters()
        clips = list_clips(X)
        check_consistent_length(clips, y)
        self.n_bands_ = self._count_dimensions(clips)
        self.sampling_rate_ = self.sampling_rate
        self.channel_ = self.channel
        self.checksum_ = self._checksum()
        run_fit_without_subtasks(self, X, y)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Call the function with each clip.

        Parameters
        ----------
        X : sequence of n_clips clips
            See :meth:`SpectrogramExtractor.transform`.

        Returns
        -------
        ndarray of shape (n_clips, n_frames, n_dimensions) or (n_clips, n_chunks, n_frames, \
                n_dimensions)
            Frames and chunks that only longer clips have are NaN.

        Raises
        ------
        AudioError
            If `on_error="raise"` and a clip cannot be read, or the function raises an error, or
            does not return finite numbers of shape `(n_frames, n_dimensions)`; in any case if all
            clips fail, or if the frames of a clip have another number of dimensions than those of
            the others or in `fit`. It names the clip.
        ValueError
            If a parameter is out of its range or departs from `fit`, an ONNX model has another
            checksum, or `X` is empty or no sequence of clips.
        ImportError, OSError
            As in `fit`.
        """
        return extract_views([self], X)[0]

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Name the dimensions of a frame, which are the last axis of the output.

        Parameters
        ----------
        input_features : None
            Ignored: clips have no features.

        Returns
        -------
        ndarray of shape (n_dimensions,), object
            "functionextractor0", "functionextractor1", ...

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`: only a call of the function tells how many there are.
        """
        check_is_fitted(self, "n_bands_")
        return np.array([f"functionextractor{i}" for i in range(self.n_bands_)], dtype=object)

    def _shortest_clip(self) -> float:
        return 3 * (self.hop_duration or 0.0)

    def _checksum(self) -> str | None:
        """Return the checksum that the model has to have, None for a callable."""
        if callable(self.func):
            return None
        return onnx_checksum(self.func) if self.checksum is None else self.checksum.lower()

    def _chain_parameters(self) -> dict[str, Any]:
        return super()._chain_parameters() | {"checksum": self._checksum()}

    def _now_and_in_fit(self, fitted_rate: float) -> dict[str, tuple[Any, Any]]:
        checksums = {"checksum of the model": (self._checksum(), self.checksum_)}
        return super()._now_and_in_fit(fitted_rate) | checksums

    def _count_dimensions(self, clips: list[Clip]) -> int:
        errors, parameters = [], self._chain_parameters()
        for clip in clips:
            ((frames,),) = extract_clip_views([clip], [parameters])
            if not isinstance(frames, AudioError):
                return int(frames.values.shape[-1])
            errors.append(frames)
        raise all_clips_failed(len(clips), errors[0])

    def _check_parameters(self) -> None:
        self._validate_params()
        name = function_name(self.func)
        if callable(self.func):
            of_models = {"checksum": None, "output": None, "window_overlap": 0}
            for parameter, default in of_models.items():
                if (value := getattr(self, parameter)) != default:
                    raise ValueError(
                        f"{parameter}={value!r} with the function {name}, expected {default}: it "
                        "is for ONNX models. Leave it out."
                    )
        elif self.checksum is not None and not _CHECKSUM.fullmatch(self.checksum):
            raise ValueError(
                f"checksum={self.checksum!r}, expected 'sha256:' and 64 hexadecimal digits, as "
                "sha256sum prints them."
            )
        if self.chunk_duration is not None and self.hop_duration is None:
            raise ValueError(
                f"chunk_duration={self.chunk_duration} without a hop_duration: only the time "
                f"between two frames of {name} tells which belong to a chunk. Set hop_duration=."
            )
        self._check_chunks(self.hop_duration or 0.0, "the time between two frames")
        if not callable(self.func):
            model = read_onnx(self.func, self.checksum, self.output)
            model.check_overlap(round(self.window_overlap * self.sampling_rate))
