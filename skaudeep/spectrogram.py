"""SpectrogramExtractor: clips to spectrograms scaled to [-1, 1], and back to sound."""

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

    The steps, in this order: decode and resample, pad or cut to `duration`, mix channels,
    pre-emphasise, power of Hann-windowed frames (each without its mean), mel bands, decibels
    relative to the clip's maximum, clip to thresholds, split into chunks, scale each chunk to
    [-1, 1] by its own minimum and maximum. `reference` changes what levels are relative to. With
    `pre_emphasis=0.95` the result is auDeep's to 7e-6, but for the lowest band of the first frame:
    auDeep leaves the first sample unfiltered.

    Each clip's spectrogram depends on that clip alone, and `transform` works without `fit`. What
    `fit` has seen holds afterwards: it keeps the sampling rate of its clips, and `transform`
    refuses clips of another, which would give other frequencies for the same bands.

    Parameters
    ----------
    window_duration : float > 0, default=0.08
        Length of a frame in seconds.
    hop_duration : float > 0, default=None
        Time between two frames in seconds, rounded to samples. None takes half the window.
    n_mels : int > 0, default=128
        Number of mel bands, from `fmin` to `fmax`. None keeps the FFT bins between them.
    mel_norm : {"slaney"} or None, default=None
        None gives all mel filters the same peak, so that a band holds the sum of the power of its
        bins, as in auDeep. "slaney" gives them the same area: a band holds the mean, and white
        noise is as loud in wide bands as in narrow ones.
    fmin : float >= 0, default=0.0
        Lowest frequency in Hz. Below it the spectrogram holds nothing, and levels are relative to
        the maximum above it.
    fmax : float > fmin, default=None
        Highest frequency in Hz, at most half the sampling rate. None is half the sampling rate.
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
        Lower threshold in dB relative to the clip's maximum, or to full scale; levels below it are
        raised to it. None is -120 dB.
    clip_above : float in (clip_below, 0], default=None
        Upper threshold in dB relative to the clip's maximum, or to full scale; levels above it are
        lowered to it. None is 0 dB.
    reference : {"chunk", "clip", "full_scale"}, default="chunk"
        What levels are relative to.

        - "chunk": 0 dB is the clip's maximum, and -1 and 1 are the minimum and the maximum of each
          chunk, or of the clip where there are no chunks. Neither the level of a clip nor that of
          its chunks among each other shows.
        - "clip": the same, but -1 and 1 are the minimum and the maximum of the clip also in chunks.
          Which chunk is louder shows, the level of a clip does not.
        - "full_scale": 0 dB is digital full scale (0 dBFS, a sine of amplitude 1 in its FFT bin),
          -1 is `clip_below` and 1 is `clip_above`. Levels show; recordings have to be made at one
          gain. Bands of many bins may be louder than 0 dB, and are clipped. Samples that peak above
          8 are refused: their full scale is not 1.
    chunk_duration : float > 0, default=None
        Length in seconds of the consecutive chunks into which each clip is split: chunk `i` begins
        at `i * chunk_duration`, within half a hop, also where a hop is not a whole number of
        samples. All have as many frames; where the duration is no whole number of hops, one frame
        may lie in two chunks, or in none. A last chunk that is less than half full is left out,
        unless it is the only one. None does not split.
    n_chunks : int > 0, default=None
        Number of chunks per clip, counted from its start: what follows is left out, and chunks that
        a shorter clip lacks are NaN. None keeps all, as many as the longest clip has.
    sampling_rate : float in [1, 10000000], default=None
        Sampling rate in Hz. Files of another rate are resampled to it; None expects all files to
        have the same rate, that of the files in `fit`. For waveforms it states their rate and is
        required. After `fit` to files of 44.1 kHz with None, 44100 may be set, and others are
        resampled.
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
    adapt : bool, default=False
        Whether to adapt the parameters above to recordings that they do not suit, where False
        refuses these. A clip shorter than a window is padded with zeros to three frames, at its end
        or, with `align="center"`, at both. Where a window has fewer than `n_mels` FFT bins between
        `fmin` and `fmax`, there are as many bands as bins. Below 1280 Hz windows and hops last
        longer, by the factor 1280 Hz / `sampling_rate`, so that they hold as many samples as there.
        Other recordings have the same spectrograms as with False.

    Attributes
    ----------
    sampling_rate_ : float
        Sampling rate in Hz of the clips that `fit` saw, or to which they are resampled.
    n_bands_ : int
        Number of bands at this rate.
    channel_ : str or int
        Which channel is used: `channel`, as it was in `fit`.

    See Also
    --------
    extract_views : Several spectrograms of the same clips, sharing work.
    skaudeep.audio.spectra : The steps from samples to spectra as pure functions.

    Notes
    -----
    The spectrogram of a silent clip is -1 throughout, and an :class:`~skaudeep.audio.AudioWarning`
    names the clip; so is that of one that lies below `clip_below` of full scale. That of a silent
    chunk is -1 as well, without a warning (auDeep returns 0).

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
        """Keep the sampling rate and the number of bands, and check the parameters.

        Parameters
        ----------
        X : sequence of n_clips clips
            Paths, waveforms or a `(file, start, end)` index, see :meth:`transform`. They are not
            decoded; headers of files are read where `sampling_rate` is None.
        y : array-like of shape (n_clips,), default=None
            Labels, of which only the number is checked.

        Returns
        -------
        SpectrogramExtractor
            The extractor itself.

        Raises
        ------
        AudioError
            If `sampling_rate` is None and files have different rates, or no header can be read.
            A file without a readable header among others is left to :meth:`transform`.
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
            layout.chunk_length(self.chunk_duration)  # refuses what is shorter than a window
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
            MultiIndex `(file, start, end)`, or a Series or DataFrame that carries one.

        Returns
        -------
        ndarray of shape (n_clips, n_frames, n_bands) or (n_clips, n_chunks, n_frames, n_bands)
            In [-1, 1], float32; with chunks where `chunk_duration` is given. Frames and chunks
            that only longer clips have are NaN. With ``set_output(transform="pandas")`` they are in
            an :class:`xarray.DataArray` that names the clips.

        Raises
        ------
        AudioError
            If `on_error="raise"` and a clip cannot be read (see
            :func:`~skaudeep.audio.read_audio`), lacks the wanted channel or is shorter than one
            window; in any case if all clips fail, or if without `sampling_rate` files of different
            rates meet, or of another rate than in `fit`. Headers tell this before any clip is
            decoded.
        ValueError
            If a parameter is out of its range, or sampling rate, channel or bands are not those of
            `fit`, or `X` is empty or no sequence of clips.
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
        are gone. Unless `reference` is "full_scale", the softest value of a clip becomes
        `clip_below`, even if it was louder; with "chunk" the differences in level between chunks,
        which are scaled separately, are lost.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_frames, n_bands) or (n_clips, n_chunks, n_frames, \
                n_bands), or list of n_clips arrays
            Spectrograms in [-1, 1], as `transform` returns them or an autoencoder reconstructs
            them. NaN at the end is padding; chunks are joined.
        sampling_rate : float, default=None
            Sampling rate in Hz. None takes that of the extractor: its parameter, or what `fit` saw.
        n_iter : int > 0, default=32
            Number of iterations of :func:`librosa.griffinlim`.
        random_state : int, RandomState instance or None, default=None
            Determines the initial phases. Pass an int for the same waveforms in every call.

        Returns
        -------
        list of n_clips ndarrays of shape (n_samples,), float32
            Waveforms with a peak of 1, or with `reference="full_scale"` at the level that they were
            extracted at, which `transform` accepts; zeros for a spectrogram that is
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
        from scipy.signal import lfilter  # slow to load, and extraction does not need it

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
        """Return when the frames of spectrograms are: the times of their centres.

        Parameters
        ----------
        X : int, array-like of shape (n_clips, n_frames, n_bands) or list of n_clips arrays \
                (n_frames, n_bands)
            How many frames, or spectrograms as `transform` returns them, without chunks. NaN at the
            end is padding.
        clip_durations : float or array-like of shape (n_clips,), default=None
            Length of each clip in seconds. Needed with `duration` and ``align="center"`` alone,
            where it tells how much of a clip was cut or padded before the first frame.

        Returns
        -------
        ndarray of shape (n_frames,), or (n_clips, n_frames) of spectrograms
            In seconds from the start of the clip; of a segment of a file, from the start of the
            segment. The first is half a window, unless ``align="center"`` shifts it. NaN at
            padding.

        Raises
        ------
        ValueError
            If the sampling rate is not known, spectrograms have chunks, or `clip_durations` are
            missing or of another number than the clips.

        See Also
        --------
        skaudeep.datasets.frame_targets : Labels over time, at these times.

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
        before = -np.sign(missing) * (np.abs(missing) // 2) / rate  # as `pad_or_cut` does
        return before if before.ndim == 0 else before[:, None]

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Name the bands, which are the last axis of the output.

        Parameters
        ----------
        input_features : None
            Ignored: clips have no features.

        Returns
        -------
        ndarray of shape (n_bands,), object
            "mel0", "mel1", ...; or "bin0", "bin1", ..., by the numbers of the FFT bins: with `fmin`
            the first is another.

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
        """Return in seconds how long a clip lasts that has three whole frames."""
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
