"""SpectrogramExtractor, and a function that runs several of them with shared work."""

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_consistent_length

from skaudeep._base import (
    COUNT,
    POSITIVE,
    PROBABILITY,
    Interval,
    StrOptions,
    VersionMixin,
    run_fit_without_subtasks,
)
from skaudeep._padding import frame_mask, pad, row_lengths
from skaudeep._warnings import find_stack_level
from skaudeep.audio.chain import DYNAMIC_RANGE, Signal, extract_clip_views, hop_seconds
from skaudeep.audio.decoding import SAMPLING_RATES, Align, Channel, Clip, list_clips
from skaudeep.audio.errors import (
    AudioError,
    AudioWarning,
    all_clips_failed,
    sampling_rates_differ,
)
from skaudeep.audio.spectra import MIN_DECIBELS, MelNorm, mel_filters, unfilter, unscale, waveform

MAX_BATCH = 16  # clips per task
MAX_NAMED = 20  # clips that a warning names

# --- many clips ----------------------------------------------------------------------------------


def extract_views(
    extractors: Sequence["SpectrogramExtractor"], X: Any
) -> list[NDArray[np.float32]]:
    """Extract several spectrograms of the same clips, sharing the work that they have in common.

    Each clip is decoded once for each `sampling_rate`, and every further step runs once for all
    extractors that agree in its parameters and those of the steps before. Four extractors that
    differ only in `clip_below` cost hardly more than one.

    Parameters
    ----------
    extractors : sequence of SpectrogramExtractor
        The extractors. The first one's `n_jobs` is used.
    X : sequence of n_clips clips
        Paths, waveforms or a `(file, start, end)` index, see
        :meth:`SpectrogramExtractor.transform`.

    Returns
    -------
    list of ndarray
        The result of each extractor's `transform(X)`, bit for bit.

    Raises
    ------
    AudioError
        If a clip cannot be read and an extractor has `on_error="raise"`, or if no clip can be
        read; see :meth:`SpectrogramExtractor.transform`.
    ValueError
        If a parameter is out of its range, or `X` is empty or no sequence of clips.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=(2, 16000))
    >>> extractors = [
    ...     SpectrogramExtractor(n_mels=40, sampling_rate=16000, clip_below=db) for db in (-30, -60)
    ... ]
    >>> [view.shape for view in extract_views(extractors, noise)]
    [(2, 24, 40), (2, 24, 40)]
    """
    for extractor in extractors:
        extractor._check_parameters()
    clips = list_clips(X)
    if not extractors:
        return []
    n_jobs = extractors[0].n_jobs
    size = min(MAX_BATCH, max(1, len(clips) // (4 * effective_n_jobs(n_jobs))))
    batches = [clips[i : i + size] for i in range(0, len(clips), size)]
    # Decoding, FFT and matrix products release the GIL, so threads are enough; an outer
    # joblib.parallel_config may choose another backend.
    parameters = [extractor.get_params() for extractor in extractors]
    done = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(extract_clip_views)(batch, parameters) for batch in batches
    )
    rows = [views for batch in done for views in batch]
    gathered = [_stack_rows(clips, view) for view in zip(*rows, strict=True)]
    # A clip that fails for several extractors is reported once.
    failed, silent = {}, {}
    for i, views in enumerate(rows):
        for view in views:
            if isinstance(view, AudioError):
                failed[i] = str(view)
            elif not (view.values > -1).any():
                silent[i] = clips[i].name
    warn_about_clips(list(failed.values()), list(silent.values()), len(clips))
    return gathered


def _stack_rows(clips: list[Clip], rows: Sequence[Signal | AudioError]) -> NDArray[np.float32]:
    """Stack the rows of one view, NaN where a clip is shorter or failed."""
    signals = {i: row for i, row in enumerate(rows) if not isinstance(row, AudioError)}
    if not signals:
        first_error: Any = rows[0]
        raise all_clips_failed(len(rows), first_error)
    first = next(iter(signals))
    for i, signal in signals.items():
        if signal.sampling_rate != signals[first].sampling_rate:
            raise sampling_rates_differ(
                clips[i].name,
                signal.sampling_rate,
                clips[first].name,
                signals[first].sampling_rate,
            )
    return pad([signals[i].values if i in signals else None for i in range(len(rows))])


def warn_about_clips(failed: list[str], silent: list[str], n_clips: int) -> None:
    """Warn of clips that could not be read and of clips that are silent.

    Parameters
    ----------
    failed : list of str
        Error message of each clip that could not be read.
    silent : list of str
        Name of each clip without any sound.
    n_clips : int
        Number of all clips.

    Warns
    -----
    AudioWarning
        One for each of the two lists that is not empty; it names the first 20 clips.
    """
    for what, which in (
        ("could not be read; their rows are NaN", failed),
        ("are silent; their rows are -1 throughout", silent),
    ):
        if which:
            named = "\n".join(which[:MAX_NAMED])
            more = f"\nand {len(which) - MAX_NAMED} more" if len(which) > MAX_NAMED else ""
            warnings.warn(
                f"{len(which)} of {n_clips} clips {what}:\n{named}{more}",
                AudioWarning,
                stacklevel=find_stack_level(),
            )


class SpectrogramExtractor(
    VersionMixin,
    CallbackSupportMixin,
    TransformerMixin,
    BaseEstimator,
    # Three axes fit no data frame. (scikit-learn has no types, so mypy knows no such keyword.)
    auto_wrap_output_keys=None,  # type: ignore[call-arg]
):
    """Turn clips into spectrograms scaled to [-1, 1].

    The steps, in this order: decode and resample, pad or cut to `duration`, mix channels,
    pre-emphasise, power of Hann-windowed frames (each without its mean), mel bands, decibels
    relative to the clip's maximum, clip to thresholds, split into chunks, scale each chunk to
    [-1, 1] by its own minimum and maximum. With `pre_emphasis=0.95` the result is auDeep's.

    The extractor learns nothing: `transform` works without `fit`, and each clip's spectrogram
    depends on that clip alone.

    Parameters
    ----------
    window_duration : float > 0, default=0.08
        Length of a frame in seconds.
    hop_duration : float > 0, default=None
        Time between two frames in seconds. None takes half the window.
    n_mels : int > 0, default=128
        Number of mel bands, from 0 Hz to half the sampling rate. None keeps all FFT bins.
    mel_norm : {"slaney"} or None, default=None
        None gives all mel filters the same peak, so that a band holds the sum of the power of its
        bins, as in auDeep. "slaney" gives them the same area: a band holds the mean, and white
        noise is as loud in wide bands as in narrow ones.
    duration : float > 0, default=None
        Length in seconds to which clips are cut, or padded with zeros. None leaves them as they
        are.
    align : {"start", "center"}, default="start"
        Which part of a longer clip `duration` keeps, the first seconds or those around the middle,
        and where a shorter clip is padded, at its end or at both ends.
    channel : {"mean", "left", "right", "difference"} or int >= 0, default="mean"
        Which channel of a clip to use: the mean of all, the first, the second, the first minus the
        second, or the one of this number, counted from 0. Mono and stereo clips may be mixed with
        "mean", "left" and 0.
    pre_emphasis : float in [0, 1], default=0.0
        Each sample minus this factor times the previous one; 0 changes nothing.
    clip_below : float in [-200, 0), default=None
        Lower threshold in dB relative to the clip's maximum; levels below it are raised to it. None
        is -120 dB.
    clip_above : float in (clip_below, 0], default=None
        Upper threshold in dB relative to the clip's maximum; levels above it are lowered to it.
        None is 0 dB.
    chunk_duration : float > 0, default=None
        Length in seconds of the consecutive chunks into which each clip is split. A last chunk
        that is less than half full is left out, unless it is the only one. None does not split.
    n_chunks : int > 0, default=None
        Largest number of chunks per clip, counted from its start. None keeps all.
    sampling_rate : float in [1, 10000000], default=None
        Sampling rate in Hz. Files of another rate are resampled to it; None expects all files to
        have the same rate. For waveforms it states their rate and is required.
    n_jobs : int, default=None
        Number of threads; -1 takes all cores, None is 1 unless in a
        :func:`joblib.parallel_config` context, whose backend is used too. The result does not
        depend on it.
    on_error : {"raise", "nan", "read"}, default="raise"
        What to do with a clip that cannot be read: raise an :class:`~skaudeep.audio.AudioError`,
        or return a row of NaN, with one :class:`~skaudeep.audio.AudioWarning` that names all such
        clips. A classifier that refuses NaN then needs a :class:`~sklearn.impute.SimpleImputer`
        before it. "read" also reads what is there of a file that is cut short, or whose header
        does not say how much it holds, with an :class:`~skaudeep.audio.AudioWarning` for each.

    See Also
    --------
    extract_views : Several spectrograms of the same clips, sharing work.
    skaudeep.audio.spectra : The steps from samples to spectra as pure functions.

    Notes
    -----
    The spectrogram of a silent clip is -1 throughout, and an :class:`~skaudeep.audio.AudioWarning`
    names the clip. That of a silent chunk is -1 as well, without a warning (auDeep returns 0).

    References
    ----------
    M. Freitag, S. Amiriparian, S. Pugachevskiy, N. Cummins, B. Schuller, "auDeep: Unsupervised
    Learning of Representations from Audio with Deep Recurrent Neural Networks", Journal of
    Machine Learning Research 18(173), 2018.

    Examples
    --------
    >>> import numpy as np
    >>> time = np.arange(32000) / 16000
    >>> tones = [np.sin(2 * np.pi * 440 * time), np.sin(2 * np.pi * 880 * time[:16000])]
    >>> extractor = SpectrogramExtractor(n_mels=40, clip_below=-60, sampling_rate=16000)
    >>> spectrograms = extractor.transform(tones)
    >>> spectrograms.shape  # clips, frames, bands
    (2, 49, 40)
    >>> bool(np.isnan(spectrograms[1, 24:]).all())  # the second tone is shorter
    True
    """

    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "window_duration": [POSITIVE],
        "hop_duration": [POSITIVE, None],
        "n_mels": [COUNT, None],
        "mel_norm": [StrOptions({"slaney"}), None],
        "duration": [POSITIVE, None],
        "align": [StrOptions({"start", "center"})],
        "channel": [
            StrOptions({"mean", "left", "right", "difference"}),
            Interval(Integral, 0, None, closed="left"),
        ],
        "pre_emphasis": [PROBABILITY],
        "clip_below": [Interval(Real, MIN_DECIBELS, 0, closed="left"), None],
        "clip_above": [Interval(Real, MIN_DECIBELS, 0, closed="right"), None],
        "chunk_duration": [POSITIVE, None],
        "n_chunks": [COUNT, None],
        "sampling_rate": [Interval(Real, *SAMPLING_RATES, closed="both"), None],
        "n_jobs": [Integral, None],
        "on_error": [StrOptions({"raise", "nan", "read"})],
    }

    def __init__(
        self,
        window_duration: float = 0.08,
        *,
        hop_duration: float | None = None,
        n_mels: int | None = 128,
        mel_norm: MelNorm = None,
        duration: float | None = None,
        align: Align = "start",
        channel: Channel = "mean",
        pre_emphasis: float = 0.0,
        clip_below: float | None = None,
        clip_above: float | None = None,
        chunk_duration: float | None = None,
        n_chunks: int | None = None,
        sampling_rate: float | None = None,
        n_jobs: int | None = None,
        on_error: str = "raise",
    ) -> None:
        self.window_duration = window_duration
        self.hop_duration = hop_duration
        self.n_mels = n_mels
        self.mel_norm = mel_norm
        self.duration = duration
        self.align = align
        self.channel = channel
        self.pre_emphasis = pre_emphasis
        self.clip_below = clip_below
        self.clip_above = clip_above
        self.chunk_duration = chunk_duration
        self.n_chunks = n_chunks
        self.sampling_rate = sampling_rate
        self.n_jobs = n_jobs
        self.on_error = on_error

    @with_callbacks
    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Check the parameters, and that there are as many labels as clips.

        Parameters
        ----------
        X : sequence of n_clips clips
            Paths, waveforms or a `(file, start, end)` index, see :meth:`transform`. They are not
            decoded.
        y : array-like of shape (n_clips,), default=None
            Labels, of which only the number is checked.

        Returns
        -------
        SpectrogramExtractor
            The extractor itself.

        Raises
        ------
        ValueError
            If a parameter is out of its range, `X` is empty or `y` has another length.
        """
        self._check_parameters()
        clips = list_clips(X)
        check_consistent_length(clips, y)
        run_fit_without_subtasks(self, X, y)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Extract the spectrograms.

        Parameters
        ----------
        X : sequence of n_clips clips
            Paths (str or Path); or waveforms of shape `(n_samples,)` or
            `(n_channels, n_samples)`, as a list or as one array `(n_clips, n_samples)` or
            `(n_clips, n_channels, n_samples)` in which NaN pads shorter clips; or a pandas
            MultiIndex `(file, start, end)`, or a Series or DataFrame that carries one.

        Returns
        -------
        ndarray of shape (n_clips, n_frames, n_bands) or (n_clips, n_chunks, n_frames, n_bands)
            In [-1, 1], float32; with chunks where `chunk_duration` is given. Frames and chunks
            that only longer clips have are NaN.

        Raises
        ------
        AudioError
            If `on_error="raise"` and a clip cannot be read (see
            :func:`~skaudeep.audio.read_audio`), lacks the wanted channel or is shorter than one
            window; in any case if all clips fail, or if files of different rates meet without
            `sampling_rate`.
        ValueError
            If a parameter is out of its range, or `X` is empty or no sequence of clips.
        """
        return extract_views([self], X)[0]

    def to_audio(
        self,
        X: Any,
        *,
        sampling_rate: float | None = None,
        n_iter: int = 32,
        random_state: int | np.random.RandomState | None = None,
    ) -> list[NDArray[np.float32]]:
        """Make waveforms of spectrograms, to listen to them.

        Extraction loses information, which the waveforms lack: phases are estimated by Griffin and
        Lim's method, the FFT bins of a mel band cannot be separated, and levels below `clip_below`
        are gone. The softest value of a clip becomes `clip_below`, even if it was louder, and the
        differences in level between chunks, which are scaled separately, are lost.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_frames, n_bands) or (n_clips, n_chunks, n_frames, \
                n_bands), or list of n_clips arrays
            Spectrograms in [-1, 1], as `transform` returns them or an autoencoder reconstructs
            them. NaN at the end is padding; chunks are joined.
        sampling_rate : float, default=None
            Sampling rate in Hz. None takes that of the extractor.
        n_iter : int > 0, default=32
            Number of iterations of :func:`librosa.griffinlim`.
        random_state : int, RandomState instance or None, default=None
            Determines the initial phases. Pass an int for the same waveforms in every call.

        Returns
        -------
        list of n_clips ndarrays of shape (n_samples,), float32
            Waveforms with a peak of 1, which `transform` accepts; zeros for a spectrogram that is
            -1 throughout, no samples for one that is NaN throughout.

        Raises
        ------
        ValueError
            If `X` has another number of bands than this extractor, holds infinity or NaN before the
            end of a clip, if frames do not overlap, or no sampling rate is given.

        Examples
        --------
        >>> import numpy as np
        >>> tone = np.sin(2 * np.pi * 1000 / 16000 * np.arange(16000))
        >>> extractor = SpectrogramExtractor(clip_below=-60, sampling_rate=16000)
        >>> (heard,) = extractor.to_audio(extractor.transform([tone]), random_state=0)
        >>> heard.shape, round(16000 * int(np.abs(np.fft.rfft(heard)).argmax()) / len(heard), -2)
        ((16000,), 1000.0)
        """
        self._check_parameters()
        rate = self.sampling_rate if sampling_rate is None else sampling_rate
        if rate is None:
            raise ValueError(
                "sampling_rate=None, here and in the extractor: spectrograms do not state their "
                "rate. Give it."
            )
        window = round(self.window_duration * rate)
        hop = round(hop_seconds(self.window_duration, self.hop_duration) * rate)
        if not 0 < hop < window:
            raise ValueError(
                f"hop_duration={self.hop_duration} leaves no overlap between windows of "
                f"{self.window_duration} s at {rate:g} Hz, which Griffin and Lim's method needs. "
                "Extract with a shorter hop."
            )
        filters = None
        if self.n_mels is not None:
            filters = mel_filters(rate, window, self.n_mels, self.mel_norm)
        n_bands = window // 2 + 1 if filters is None else len(filters)
        from scipy.signal import lfilter  # slow to load, and extraction does not need it

        lowest = -DYNAMIC_RANGE if self.clip_below is None else self.clip_below
        rng = check_random_state(random_state)
        waveforms = []
        for i, clip in enumerate(X):
            frames = _unpadded_frames(np.asarray(clip), n_bands, i)
            power = unscale(frames, lowest, self.clip_above or 0.0)
            if not power.any():
                n_samples = (len(frames) - 1) * hop + window if len(frames) else 0
                waveforms.append(np.zeros(n_samples, np.float32))
                continue
            if filters is not None:
                power = unfilter(power, filters)
            samples = waveform(power, window, hop, n_iter=n_iter, random_state=rng)
            samples = lfilter([1], [1, -self.pre_emphasis], samples)
            waveforms.append((samples / np.abs(samples).max()).astype(np.float32))
        return waveforms

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Name the bands, which are the last axis of the output.

        Parameters
        ----------
        input_features : None
            Ignored: clips have no features.

        Returns
        -------
        ndarray of shape (n_bands,), object
            "mel0", "mel1", ..., or "bin0", "bin1", ...

        Raises
        ------
        ValueError
            If `n_mels` and `sampling_rate` are None, so that the number of bands depends on the
            sampling rate of the files.
        """
        self._check_parameters()
        if self.n_mels is not None:
            return np.array([f"mel{i}" for i in range(self.n_mels)], dtype=object)
        if self.sampling_rate is None:
            raise ValueError(
                "n_mels=None and sampling_rate=None: the number of FFT bins depends on the files' "
                "sampling rate. Set sampling_rate= to get feature names."
            )
        n_bins = round(self.window_duration * self.sampling_rate) // 2 + 1
        return np.array([f"bin{i}" for i in range(n_bins)], dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Do nothing: spectrograms have three axes and stay arrays.

        The method exists so that a pipeline can set the output of its other steps.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Ignored.

        Returns
        -------
        SpectrogramExtractor
            The extractor itself.
        """
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.requires_fit = False
        return tags

    def _check_parameters(self) -> None:
        self._validate_params()
        floor = -DYNAMIC_RANGE if self.clip_below is None else self.clip_below
        if self.clip_above is not None and self.clip_above <= floor:
            raise ValueError(
                f"clip_above={self.clip_above} leaves nothing above clip_below={self.clip_below} "
                f"({floor:g} dB). Raise it, or lower clip_below."
            )
        if self.n_chunks is not None and self.chunk_duration is None:
            raise ValueError(
                f"n_chunks={self.n_chunks} without a chunk_duration. Set chunk_duration=."
            )
        shortest = max(self.window_duration, hop_seconds(self.window_duration, self.hop_duration))
        if self.chunk_duration is not None and self.chunk_duration < shortest:
            raise ValueError(
                f"chunk_duration={self.chunk_duration} is shorter than a window or a hop "
                f"({shortest:g} s). Lengthen the chunks."
            )


def _unpadded_frames(clip: NDArray, n_bands: int, row: int) -> NDArray:
    """Return the frames of a spectrogram without padding, those of its chunks concatenated."""
    if clip.ndim not in (2, 3) or clip.shape[-1] != n_bands:
        raise ValueError(
            f"Clip {row} of X has shape {clip.shape}, expected (n_frames, {n_bands}), with chunks "
            f"before at most: this extractor gives {n_bands} bands."
        )
    chunks = clip[None] if clip.ndim == 2 else clip
    frames = chunks[frame_mask(row_lengths(chunks), chunks.shape[1])]
    if not np.isfinite(frames).all():
        raise ValueError(
            f"Clip {row} of X holds infinity, or NaN before its end, expected numbers in [-1, 1] "
            "and NaN in whole frames at the end only."
        )
    return frames
