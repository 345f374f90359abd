"""SpectrogramExtractor: spectrograms of clips, scaled to [-1, 1], and sound from spectrograms."""

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.callback import with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length

from skaudeep._base import (
    COUNT,
    POSITIVE,
    PROBABILITY,
    Interval,
    StrOptions,
    all_or_nothing,
    rows,
    run_fit_without_subtasks,
)
from skaudeep._padding import frame_mask, is_ragged, pad, row_lengths
from skaudeep._views import ClipExtractor, extract_views, find_rate
from skaudeep.audio.chain import DYNAMIC_RANGE, Reference
from skaudeep.audio.clips import list_clips
from skaudeep.audio.decoding import Align, Channel
from skaudeep.audio.files import SAMPLING_RATES
from skaudeep.audio.frames import FrameLayout, frame_layout, hop_seconds
from skaudeep.audio.spectra import (
    MIN_DECIBELS,
    MelNorm,
    full_scale_power,
    join_chunks,
    mel_filters,
    unfilter,
    unscale,
    waveform,
)


class SpectrogramExtractor(ClipExtractor):
    """Turn clips into spectrograms scaled to [-1, 1].

    The steps, in this order, are: decode and resample, pad or cut to `duration`, mix channels,
    pre-emphasise, compute the power of Hann-windowed frames (after the mean of each frame is
    subtracted), sum up mel bands, convert to decibels relative to the clip's maximum, clip to the
    thresholds `clip_below` and `clip_above`, split into chunks (pieces of equal length, if
    `chunk_duration` is given), and scale each chunk to [-1, 1] by its own minimum and maximum. With
    another `reference`, levels are relative to something else, and are scaled before the split.
    With `pre_emphasis=0.95` the result equals auDeep's to 7e-6, except in the lowest band of the
    first frame, because auDeep does not filter the first sample.

    A clip's spectrogram depends on that clip alone, and `transform` works without `fit`. If
    `sampling_rate` is None, `fit` stores the rate of its files, and `transform` then refuses files
    of another rate, because the same bands would stand for other frequencies.

    Parameters
    ----------
    window_duration : float > 0, default=0.08
        Length of a frame in seconds.
    hop_duration : float > 0, default=None
        Time between the starts of two frames in seconds, rounded to samples. None is half of
        `window_duration`.
    n_mels : int > 0, default=128
        Number of mel bands between `fmin` and `fmax`. With None the bands are the FFT bins between
        them.
    mel_norm : {"slaney"} or None, default=None
        Normalisation of the mel filters. With None all filters have the same peak, so that a band
        holds the weighted sum of the power of its bins, as in auDeep. With "slaney" they have the
        same area, so that a band holds the mean, and white noise is as loud in wide bands as in
        narrow ones.
    fmin : float >= 0, default=0.0
        Lowest frequency in Hz. Lower frequencies are left out, also where levels are relative to
        the maximum of the clip.
    fmax : float > fmin, default=None
        Highest frequency in Hz, at most half the sampling rate. None is half the sampling rate.
    duration : float > 0, default=None
        Length in seconds to which clips are cut, or padded with zeros. None leaves their length
        unchanged.
    align : {"start", "center"}, default="start"
        Which part of a longer clip `duration` keeps (its first seconds, or those around its
        middle), and where a shorter clip is padded (at its end, or at both ends).
    channel : {"mean", "left", "right", "difference"} or int >= 0, default="mean"
        Which channel of a clip to use: the mean of all channels, the first ("left"), the second
        ("right"), the first minus the second, or the channel of this number, counted from 0. With
        "mean", "left" and 0, mono and stereo clips may be mixed.
    pre_emphasis : float in [0, 1], default=0.0
        Factor of the pre-emphasis filter ``y[t] = x[t] - pre_emphasis * x[t - 1]``. 0 does not
        filter.
    clip_below : float in [-200, 0), default=None
        Lower threshold in dB, relative to the `reference`. Lower levels are raised to it. None is
        -120 dB.
    clip_above : float in (clip_below, 0], default=None
        Upper threshold in dB, relative to the `reference`. Higher levels are lowered to it. None is
        0 dB.
    reference : {"chunk", "clip", "full_scale"}, default="chunk"
        The level that 0 dB stands for, and the levels that become -1 and 1.

        - "chunk": 0 dB is the clip's maximum. -1 and 1 are the minimum and the maximum of each
          chunk, or of the clip if there are no chunks. Differences in level between clips, and
          between the chunks of a clip, are lost.
        - "clip": 0 dB is the clip's maximum. -1 and 1 are the minimum and the maximum of the clip.
          Differences in level between clips are lost, those between chunks are kept.
        - "full_scale": 0 dB is digital full scale (0 dBFS, a sine of amplitude 1 in its FFT bin),
          -1 is `clip_below` and 1 is `clip_above`. Differences in level are kept, so that all
          recordings must be made with the same gain. Mel bands of many FFT bins can exceed 0 dB,
          and are clipped. Samples beyond 8 are refused, because their full scale is not 1.
    chunk_duration : float > 0, default=None
        Length in seconds of the consecutive chunks into which each clip is split. Chunk `i` begins
        at the frame nearest to `i * chunk_duration`. All chunks have the same number of frames: if
        the duration is not a whole number of hops, a frame may lie in two chunks or in none. A last
        chunk that is less than half full is left out, unless it is the only one; a fuller one is
        padded with NaN. None does not split.
    n_chunks : int > 0, default=None
        Number of chunks per clip, counted from its start. Later chunks are left out; chunks that a
        shorter clip lacks are NaN. None keeps all, as many as the longest clip has.
    sampling_rate : float in [1, 10000000], default=None
        Sampling rate in Hz to which files are resampled. With None all files must have the same
        rate, which after `fit` is that of the files in `fit`. It is required for waveforms, which
        are not resampled: it is then their rate. After `fit` with None, it may be set to the rate
        of these files, so that files of other rates are resampled.
    n_jobs : int, default=None
        Number of threads that extract. -1 uses all cores. None is 1, unless a
        :func:`joblib.parallel_config` context states another number; the backend of the context is
        then used, too. The result does not depend on it.
    on_error : {"raise", "nan", "read"}, default="raise"
        What to do with a clip that cannot be read, lacks the `channel` or is too short. "raise"
        raises an :class:`~skaudeep.audio.AudioError`. "nan" returns a row of NaN, with one
        :class:`~skaudeep.audio.AudioWarning` that names all such clips; a classifier that refuses
        NaN then needs a :class:`~sklearn.impute.SimpleImputer` before it. "read" is like "nan", but
        uses the readable part of a file that is cut short, or whose header does not state its
        length, with an :class:`~skaudeep.audio.AudioWarning` for each.
    adapt : bool, default=False
        Whether to adapt the parameters to recordings that are too short, or whose sampling rate is
        too low, for them. With False such recordings are refused. With True, a clip shorter than a
        window is padded with zeros to three frames, at its end, or at both ends with
        `align="center"`. If a window has fewer than `n_mels` FFT bins between `fmin` and `fmax`,
        each bin is a band. Below 1280 Hz, windows and hops are longer, by the factor
        1280 Hz / `sampling_rate`. Other recordings have the same spectrograms as with False.

    Attributes
    ----------
    sampling_rate_ : float
        Sampling rate in Hz: `sampling_rate`, or, if this is None, that of the files in `fit`.
    n_bands_ : int
        Number of bands at this rate.
    channel_ : str or int
        The value of `channel` in `fit`.

    See Also
    --------
    FeatureFusion : Several spectrograms of the same clips, which are decoded once.
    skaudeep.audio : The steps from samples to spectra as functions.

    Notes
    -----
    The spectrogram of a silent clip is -1 throughout, and an :class:`~skaudeep.audio.AudioWarning`
    names the clip. With ``reference="full_scale"`` the same holds for a clip whose levels are all
    below `clip_below`. The spectrogram of a silent chunk is -1, without a warning (in auDeep it is
    0).

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
    >>> extractor.fit(tones).get_feature_names_out()[[0, -1]].tolist()
    ['mel0', 'mel39']
    """

    _silence: ClassVar[float | None] = -1.0

    _parameter_constraints: dict = {  # noqa: RUF012 (scikit-learn's own form)
        "window_duration": [POSITIVE],
        "hop_duration": [POSITIVE, None],
        "n_mels": [COUNT, None],
        "mel_norm": [StrOptions({"slaney"}), None],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [POSITIVE, None],
        "duration": [POSITIVE, None],
        "align": [StrOptions({"start", "center"})],
        "channel": [
            StrOptions({"mean", "left", "right", "difference"}),
            Interval(Integral, 0, None, closed="left"),
        ],
        "pre_emphasis": [PROBABILITY],
        "clip_below": [Interval(Real, MIN_DECIBELS, 0, closed="left"), None],
        "clip_above": [Interval(Real, MIN_DECIBELS, 0, closed="right"), None],
        "reference": [StrOptions({"chunk", "clip", "full_scale"})],
        "chunk_duration": [POSITIVE, None],
        "n_chunks": [COUNT, None],
        "sampling_rate": [Interval(Real, *SAMPLING_RATES, closed="both"), None],
        "n_jobs": [Integral, None],
        "on_error": [StrOptions({"raise", "nan", "read"})],
        "adapt": ["boolean"],
    }

    def __init__(
        self,
        window_duration: float = 0.08,
        *,
        hop_duration: float | None = None,
        n_mels: int | None = 128,
        mel_norm: MelNorm = None,
        fmin: float = 0.0,
        fmax: float | None = None,
        duration: float | None = None,
        align: Align = "start",
        channel: Channel = "mean",
        pre_emphasis: float = 0.0,
        clip_below: float | None = None,
        clip_above: float | None = None,
        reference: Reference = "chunk",
        chunk_duration: float | None = None,
        n_chunks: int | None = None,
        sampling_rate: float | None = None,
        n_jobs: int | None = None,
        on_error: str = "raise",
        adapt: bool = False,
    ) -> None:
        self.window_duration = window_duration
        self.hop_duration = hop_duration
        self.n_mels = n_mels
        self.mel_norm = mel_norm
        self.fmin = fmin
        self.fmax = fmax
        self.duration = duration
        self.align = align
        self.channel = channel
        self.pre_emphasis = pre_emphasis
        self.clip_below = clip_below
        self.clip_above = clip_above
        self.reference = reference
        self.chunk_duration = chunk_duration
        self.n_chunks = n_chunks
        self.sampling_rate = sampling_rate
        self.n_jobs = n_jobs
        self.on_error = on_error
        self.adapt = adapt

    @all_or_nothing
    @with_callbacks
    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Check the parameters, and store the sampling rate and the number of bands.

        Parameters
        ----------
        X : sequence of n_clips clips
            Paths, waveforms or a `(file, start, end)` index, see :meth:`transform`. They are not
            decoded. If `sampling_rate` is None, the headers of the files are read.
        y : array-like of shape (n_clips,), default=None
            Labels. Only their number is checked.

        Returns
        -------
        SpectrogramExtractor
            The extractor itself.

        Raises
        ------
        AudioError
            If `sampling_rate` is None and files have different rates, or no header can be read. If
            only some headers cannot be read, :meth:`transform` reports these files.
        ValueError
            If a parameter is out of its range or does not suit the rate, `X` is empty, holds
            waveforms without `sampling_rate`, or `y` has another length.
        """
        self._check_parameters()
        clips = list_clips(X)
        check_consistent_length(clips, y)
        rate = find_rate(clips, self.n_jobs) if self.sampling_rate is None else self.sampling_rate
        layout = self._layout(rate)
        if self.chunk_duration is not None:
            layout.chunk_length(self.chunk_duration)  # raises an error if shorter than a window
        self.n_bands_ = layout.n_bands
        self.sampling_rate_ = rate
        self.channel_ = self.channel
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
            MultiIndex `(file, start, end)`, or a Series or DataFrame that carries one. Samples are
            floats with full scale 1, or int8, int16, int32 or uint8. Times are Timedelta or in
            seconds; a missing `start` or `end` is that of the file.

        Returns
        -------
        ndarray of shape (n_clips, n_frames, n_bands) or (n_clips, n_chunks, n_frames, n_bands)
            Spectrograms in [-1, 1], float32, with an axis of chunks if `chunk_duration` is given.
            Shorter clips are padded with frames and chunks of NaN at their end. With `on_error`
            "nan" or "read", a clip that fails is a row of NaN. With
            ``set_output(transform="pandas")`` they are an :class:`xarray.DataArray` that names the
            clips.

        Raises
        ------
        AudioError
            If `on_error="raise"` and a clip cannot be read (see
            :func:`~skaudeep.audio.read_audio`), lacks the wanted channel or, without `adapt` and
            `duration`, is shorter than one window. With every `on_error`: if all clips fail; or if
            `sampling_rate` is None and files differ in their rate, or have another rate than in
            `fit`. Rates are read from the headers before any clip is decoded.
        ValueError
            If a parameter is out of its range, sampling rate, channel or bands are not those of
            `fit`, or `X` is empty or not a sequence of clips.
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
        """Compute waveforms from spectrograms, to listen to them.

        A spectrogram lacks information that the waveform had. Phases are estimated by Griffin and
        Lim's method, the FFT bins of a mel band cannot be separated, and levels below `clip_below`
        are lost. Unless `reference` is "full_scale", the lowest value of a clip becomes
        `clip_below`, even if it was louder. With "chunk", differences in level between chunks are
        lost.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_frames, n_bands) or (n_clips, n_chunks, n_frames, \
                n_bands), or list of n_clips arrays
            Spectrograms in [-1, 1], as `transform` or `Seq2SeqAutoencoder.reconstruct` returns
            them. NaN at the end is padding. Chunks are joined.
        sampling_rate : float, default=None
            Sampling rate in Hz of the recordings from which the spectrograms were computed, and of
            the waveforms: another rate gives wrong frequencies. None is the parameter
            `sampling_rate` of the extractor, or else the rate that `fit` saw.
        n_iter : int > 0, default=32
            Number of iterations of :func:`librosa.griffinlim`.
        random_state : int, RandomState instance or None, default=None
            Seed or generator of the initial phases. An int gives the same waveforms in every call,
            None others.

        Returns
        -------
        list of n_clips ndarrays of shape (n_samples,), float32
            Waveforms with a peak of 1, or, with `reference="full_scale"`, at their original level.
            `transform` accepts them. A spectrogram of -1 throughout gives zeros, and one of NaN
            throughout gives no samples.

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
        rate = self._rate() if sampling_rate is None else sampling_rate
        if rate is None:
            raise ValueError(
                "sampling_rate=None, here and in the extractor: spectrograms do not state their "
                "rate. Give it."
            )
        layout = self._layout(rate)
        window, hop = layout.window, layout.hop
        if hop >= window:
            raise ValueError(
                f"hop_duration={self.hop_duration} leaves no overlap between windows of "
                f"{self.window_duration} s at {rate:g} Hz, which Griffin and Lim's method needs. "
                "Extract with a shorter hop."
            )
        filters = None
        if layout.n_mels is not None:
            filters = mel_filters(rate, window, layout.n_mels, self.mel_norm, self.fmin, self.fmax)
        from scipy.signal import lfilter  # it loads slowly, and extraction does not need it

        lowest = -DYNAMIC_RANGE if self.clip_below is None else self.clip_below
        rng = check_random_state(random_state)
        waveforms = []
        for i, clip in enumerate(rows(X)):
            frames = self._unpadded_frames(np.asarray(clip), layout, i)
            power = unscale(frames, lowest, self.clip_above or 0.0)
            if self.reference == "full_scale":
                power *= full_scale_power(window)
            if not power.any():
                n_samples = (len(frames) - 1) * hop + window if len(frames) else 0
                waveforms.append(np.zeros(n_samples, np.float32))
                continue
            bins = np.zeros((len(power), window // 2 + 1))
            if filters is not None:
                bins = unfilter(power, filters)
            else:
                bins[:, layout.bins.start : layout.bins.stop] = power
            samples = waveform(bins, window, hop, n_iter=n_iter, random_state=rng)
            samples = lfilter([1], [1, -self.pre_emphasis], samples)
            peak = 1 if self.reference == "full_scale" else np.abs(samples).max()
            waveforms.append((samples / peak).astype(np.float32))
        return waveforms

    def frame_times(
        self, X: Any, *, clip_durations: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Return the times of the centres of the frames of spectrograms.

        Parameters
        ----------
        X : int, array-like of shape (n_clips, n_frames, n_bands) or list of n_clips arrays \
                (n_frames, n_bands)
            Number of frames, or spectrograms as `transform` returns them, without chunks. NaN at
            the end is padding.
        clip_durations : float or array-like of shape (n_clips,), default=None
            Length of each clip in seconds; a single number if X is a number of frames. It is
            required if the extractor has a `duration` and ``align="center"``, because it determines
            how much was cut or padded before the first frame, and has no effect otherwise (None).

        Returns
        -------
        ndarray of shape (n_frames,), or (n_clips, n_frames) if X holds spectrograms
            Times in seconds from the start of the clip, or of the segment of a file. The first is
            half a window; ``align="center"`` makes it later if the clip was cut, or earlier (even
            below 0) if it was padded. NaN for frames of NaN.

        Raises
        ------
        ValueError
            If the sampling rate is not known, spectrograms have chunks, or `clip_durations` are
            required and missing, or their number is not that of the clips.

        See Also
        --------
        skaudeep.datasets.frame_targets : Compute labels at these times.

        Examples
        --------
        >>> extractor = SpectrogramExtractor(0.08, hop_duration=0.04, sampling_rate=16000)
        >>> extractor.frame_times(4)
        array([0.04, 0.08, 0.12, 0.16])
        """
        self._check_parameters()
        rate = self._rate()
        if rate is None:
            raise ValueError(
                "sampling_rate=None, and fit was not called: hops are rounded to samples, so the "
                "times of frames depend on the rate. Set sampling_rate=, or call fit."
            )
        if self.chunk_duration is not None:
            raise ValueError(
                f"Got chunk_duration={self.chunk_duration}, expected None: frames of chunks have "
                "no times of their own. Extract whole recordings."
            )
        if isinstance(X, Integral):
            lengths, n_frames = None, int(X)
        else:
            values = pad([np.asarray(row) for row in X]) if is_ragged(X) else np.asarray(X)
            if values.ndim != 3:
                raise ValueError(
                    f"Got X of shape {values.shape}, expected spectrograms of shape (n_clips, "
                    "n_frames, n_bands), or a number of frames."
                )
            lengths, n_frames = row_lengths(values), values.shape[1]
        times = self._layout(rate).frame_times(n_frames)
        if self.duration is not None and self.align == "center":
            times = times + self._shift(rate, clip_durations, lengths)
        if lengths is not None:
            times = np.where(frame_mask(lengths, n_frames), times, np.nan)
        return times

    def _shift(
        self, rate: float, clip_durations: ArrayLike | None, lengths: NDArray | None
    ) -> NDArray[np.float64] | float:
        """Return at which time of a clip its spectrogram begins: (n_clips, 1), or one for all."""
        shape = () if lengths is None else (len(lengths),)
        lasting = np.nan if clip_durations is None else np.asarray(clip_durations, dtype=float)
        if np.shape(lasting) not in ((), shape) or not (np.asarray(lasting) >= 0).all():
            raise ValueError(
                f"Got clip_durations={clip_durations!r} with align='center' and duration="
                f"{self.duration}, expected the length of each clip in seconds: it tells where in "
                "the clip the frames lie. Read it by skaudeep.audio.audio_info."
            )
        missing = round(float(self.duration or 0) * rate) - np.round(np.asarray(lasting) * rate)
        before = -np.sign(missing) * (np.abs(missing) // 2) / rate  # the rounding of `pad_or_cut`
        return before if before.ndim == 0 else before[:, None]

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Return the names of the bands, which are the last axis of the output.

        Parameters
        ----------
        input_features : None
            Ignored, because clips have no features.

        Returns
        -------
        ndarray of shape (n_bands,), object
            "mel0", "mel1", ...; or, if the bands are FFT bins because `n_mels` is None or because
            of `adapt`, "bin0", "bin1", ... by the numbers of these, which begin at that of `fmin`.

        Raises
        ------
        ValueError
            If the number of bands depends on the sampling rate of unknown files: `sampling_rate` is
            None, `fit` was not called, and `n_mels` is None or `adapt` True.
        """
        self._check_parameters()
        if self.n_mels is not None and not self.adapt:
            return np.array([f"mel{i}" for i in range(self.n_mels)], dtype=object)
        rate = self._rate()
        if rate is None:
            raise ValueError(
                f"sampling_rate=None with n_mels={self.n_mels} and adapt={self.adapt}: the number "
                "of bands depends on the files' sampling rate. Set sampling_rate= to get feature "
                "names, or call fit."
            )
        layout = self._layout(rate)
        names = [f"bin{i}" for i in layout.bins]
        if layout.n_mels is not None:
            names = [f"mel{i}" for i in range(layout.n_mels)]
        return np.array(names, dtype=object)

    def _layout(self, sampling_rate: float) -> FrameLayout:
        return frame_layout(
            sampling_rate,
            self.window_duration,
            self.hop_duration,
            self.n_mels,
            self.fmin,
            self.fmax,
            bool(self.adapt),
        )

    def _shortest_clip(self) -> float:
        """Return the length in seconds of a clip that has three whole frames."""
        return self.window_duration + 2 * hop_seconds(self.window_duration, self.hop_duration)

    def _now_and_in_fit(self, fitted_rate: float) -> dict[str, tuple[Any, Any]]:
        bands = {"number of bands": (self._layout(fitted_rate).n_bands, self.n_bands_)}
        return super()._now_and_in_fit(fitted_rate) | bands

    def _check_parameters(self) -> None:
        self._validate_params()
        floor = -DYNAMIC_RANGE if self.clip_below is None else self.clip_below
        if self.clip_above is not None and self.clip_above <= floor:
            raise ValueError(
                f"clip_above={self.clip_above} leaves nothing above clip_below={self.clip_below} "
                f"({floor:g} dB). Raise it, or lower clip_below."
            )
        if self.fmax is not None and self.fmax <= self.fmin:
            raise ValueError(
                f"fmax={self.fmax} leaves no frequency above fmin={self.fmin} (Hz). Raise fmax, or "
                "lower fmin."
            )
        shortest = max(self.window_duration, hop_seconds(self.window_duration, self.hop_duration))
        self._check_chunks(shortest, "a window or a hop")

    def _unpadded_frames(self, clip: NDArray, layout: FrameLayout, row: int) -> NDArray:
        """Return the frames of a spectrogram without padding, those of its chunks joined."""
        n_bands = layout.n_bands
        if clip.ndim not in (2, 3) or clip.shape[-1] != n_bands:
            raise ValueError(
                f"Clip {row} of X has shape {clip.shape}, expected (n_frames, {n_bands}), with "
                f"chunks before at most: this extractor gives {n_bands} bands."
            )
        chunks = clip[None] if clip.ndim == 2 else clip
        lengths = row_lengths(chunks)
        frames = chunks[frame_mask(lengths, chunks.shape[1])]
        if not np.isfinite(frames).all():
            raise ValueError(
                f"Clip {row} of X holds infinity, or NaN before its end, expected numbers in "
                "[-1, 1] and NaN in whole frames at the end only."
            )
        if self.chunk_duration is None or clip.ndim == 2:
            return frames
        there = [chunk[:n] for chunk, n in zip(chunks, lengths, strict=True) if n]
        return join_chunks(there, layout.chunk_length(self.chunk_duration)) if there else frames
