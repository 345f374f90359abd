"""FunctionExtractor: frames of clips, computed by any function or by a network in an ONNX file."""

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
    """Turn clips into the frames that a function, or a network in an ONNX file, computes.

    It can take the place of a :class:`~skaudeep.SpectrogramExtractor`. Its steps, in this order,
    are: decode and resample, pad or cut to `duration`, mix channels, call the function, scale,
    split into chunks. The function is called with one clip at a time, so that the frames of a clip
    do not depend on other clips, and `transform` works without `fit`.

    Parameters
    ----------
    func : callable, str or path
        A function of the samples of one clip, a float32 array of shape `(n_samples,)`, that
        returns an array of shape `(n_frames, n_dimensions)`, with at least one frame and the same
        `n_dimensions` for every clip. (Functions of librosa return the transpose.) With `n_jobs`
        above 1, several threads call it at the same time. `extract_to_netcdf` pickles it for each
        task of its worker processes: an object with large weights should load them when it is first
        called.

        Alternatively the path of a network in an ONNX file. Its one input is a waveform of shape
        `(n_samples,)`, `(1, n_samples)`, `(1, n_samples, 1)` or `(1, 1, n_samples)`. Its output has
        the shape `(1, n_frames, n_dimensions)`, or `(1, n_dimensions)` for a single frame. The
        network runs on the CPU, in one thread for each of `n_jobs`. If its input has a fixed
        length, it runs over windows of this length, see Notes. It needs ``skaudeep[onnx]``.
    sampling_rate : float in [1, 10000000]
        Sampling rate in Hz that the function expects. Files of another rate are resampled to it.
        Waveforms are taken to have this rate.
    hop_duration : float > 0, default=None
        Time in seconds between two frames that the function returns. Only `chunk_duration` needs
        it; else it may be None.
    scale : {"clip"} or None, default="clip"
        "clip" scales the values of each clip linearly, so that the smallest of all its frames and
        dimensions is -1 and the largest is 1 (all are -1 if they are equal), as spectrograms are
        scaled. Networks with random weights that read the frames, such as
        :class:`~skaudeep.ReservoirFeatures`, need this. None leaves the values unchanged.
    duration : float > 0, default=None
        Length in seconds to which clips are cut, or padded with zeros. None leaves their length
        unchanged.
    align : {"start", "center"}, default="start"
        Which part of a longer clip `duration` keeps (its first seconds, or those around its
        middle), and where a shorter clip is padded (at its end, or at both ends).
    channel : {"mean", "left", "right", "difference"} or int >= 0, default="mean"
        Which channel of a clip to use: the mean of all channels, the first ("left"), the second
        ("right"), the first minus the second, or the channel of this number, counted from 0.
    chunk_duration : float >= hop_duration, default=None
        Length in seconds of the consecutive chunks into which the frames of each clip are split,
        see :class:`~skaudeep.SpectrogramExtractor`. It needs `hop_duration`. None does not split.
    n_chunks : int > 0, default=None
        Number of chunks per clip, counted from its start: later ones are left out, and those that a
        shorter clip lacks are NaN. It needs `chunk_duration`. None keeps all, as many as the
        longest clip has.
    checksum : str, default=None
        Expected SHA-256 checksum of the ONNX file: "sha256:" and 64 hexadecimal digits. A file with
        another checksum is refused. With None, `fit` accepts any file, and `transform` accepts only
        the file that `fit` saw, or any file if `fit` was not called. This parameter and the next
        two are for ONNX files: with a callable, other values than the defaults are an error.
    output : str, default=None
        Name of the output of the ONNX model that holds the frames. None is for a model with a
        single output.
    window_overlap : float >= 0, default=0.0
        Overlap in seconds of two consecutive windows, for an ONNX model whose input has a fixed
        length. It is less than the length of a window.
    n_jobs : int, default=None
        Number of threads. -1 uses all cores. None is 1, unless a :func:`joblib.parallel_config`
        context states another number; the backend of the context is then used, too.
    on_error : {"raise", "nan", "read"}, default="raise"
        What to do with a clip that cannot be read or lacks the `channel`, or for which the function
        raises an error or does not return finite numbers of shape (n_frames, n_dimensions).
        "raise" raises an :class:`~skaudeep.audio.AudioError` that names it. "nan" returns a row of
        NaN, with one :class:`~skaudeep.audio.AudioWarning` that names the first 20 such clips.
        "read" is like "nan", but uses the readable part of a damaged file, see
        :class:`~skaudeep.SpectrogramExtractor`. If all clips fail, an error is raised in any case.

    Attributes
    ----------
    n_bands_ : int
        Number of dimensions of a frame, as seen in `fit`.
    sampling_rate_ : float
        Sampling rate in Hz of the samples that the function is called with.
    channel_ : str or int
        The value of `channel` in `fit`.
    checksum_ : str or None
        Checksum of the ONNX file that `fit` saw; None for a callable.

    See Also
    --------
    SpectrogramExtractor : Mel spectrograms.
    FeatureFusion : Features of several extractors side by side.

    Notes
    -----
    If the input of an ONNX model has a fixed number of samples, the model runs over windows of this
    length. The time between the starts of two windows is the length of a window minus
    `window_overlap`, and the clip is padded with zeros to a whole number of windows. Frame `i` of
    the `n` frames of a window, counted from 0, belongs to the time `(i + 0.5) / n` times the length
    of the window. Where two windows
    overlap, the frames before the middle of the overlap come from the first window, and those after
    it from the second. Frames after the end of the clip are left out.

    :func:`~skaudeep.save` stores the path and the checksum of an ONNX file. It does not store a
    callable, which is code. When `extract_to_netcdf` continues an interrupted call, it compares
    the source and the attributes of the function with those of that call, but not the functions
    that it calls: if one of these has changed, delete ``<path>.partial``.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep import FunctionExtractor
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
    >>> extractor.fit([noise]).get_feature_names_out().tolist()
    ['functionextractor0', 'functionextractor1']
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
        """Check the parameters, and count the dimensions of the frames of the first clip.

        Parameters
        ----------
        X : sequence of n_clips clips
            Paths, waveforms or a `(file, start, end)` index, see
            :meth:`SpectrogramExtractor.transform`. The function is called with the first of them;
            unless `on_error` is "raise", with the first that can be read.
        y : array-like of shape (n_clips,), default=None
            Labels. Only their number is checked.

        Returns
        -------
        FunctionExtractor
            The extractor itself.

        Raises
        ------
        AudioError
            If that clip cannot be read, or the function returns no frames for it.
        ValueError
            If a parameter is out of its range, an ONNX model has another checksum or other inputs
            and outputs, `X` is empty, or `y` has another length.
        ImportError
            If `func` is a path and onnxruntime is not installed.
        OSError
            If `func` is the path of a file that does not exist or cannot be read.
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
            Paths, waveforms or a `(file, start, end)` index, see
            :meth:`SpectrogramExtractor.transform`.

        Returns
        -------
        ndarray of shape (n_clips, n_frames, n_dimensions) or (n_clips, n_chunks, n_frames, \
                n_dimensions)
            Frames of the clips, float32. Shorter clips are padded with frames and chunks of NaN.
            With `on_error` "nan" or "read", a clip that fails is a row of NaN.

        Raises
        ------
        AudioError
            If `on_error="raise"` and a clip cannot be read, or the function raises an error or does
            not return finite numbers of shape `(n_frames, n_dimensions)`. Whatever `on_error` is,
            if all clips fail, or if the frames of a clip have another number of dimensions than
            those of other clips or of `fit`. The error names the clip.
        ValueError
            If a parameter is out of its range or was changed after `fit`, an ONNX model has another
            checksum, or `X` is empty or not a sequence of clips.
        ImportError
            If `func` is a path and onnxruntime is not installed.
        OSError
            If `func` is the path of a file that does not exist or cannot be read.
        """
        return extract_views([self], X)[0]

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Return the names of the dimensions of a frame, which are the last axis of the output.

        Parameters
        ----------
        input_features : None
            Ignored, because clips have no features.

        Returns
        -------
        ndarray of shape (n_dimensions,), object
            The names "functionextractor0", "functionextractor1" and so on.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If `fit` was not called: the number of dimensions is known once the function was called.
        """
        check_is_fitted(self, "n_bands_")
        return np.array([f"functionextractor{i}" for i in range(self.n_bands_)], dtype=object)

    def _shortest_clip(self) -> float:
        return 3 * (self.hop_duration or 0.0)

    def _checksum(self) -> str | None:
        """Return the checksum that the model is required to have, or None for a callable."""
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
