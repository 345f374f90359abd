"""Functions from samples to spectra (power, mel bands, decibels, scaling, chunks) and back."""

from functools import lru_cache
from numbers import Integral
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft, sparse

MelNorm = Literal["slaney"] | None

MIN_DECIBELS = -200.0  # dB; the level of zero power
UNFILTER_STEPS = 30  # iterations after which bins hardly change
# Number of frames that are transformed together. Their spectra fit into the CPU's cache, and long
# clips need little memory. Larger blocks would be returned to the operating system and zeroed again
# for each block, which it does for one thread at a time.
BLOCK = 32


@lru_cache(maxsize=64)
def hann_window(n_samples: int) -> NDArray[np.float32]:
    """Return a periodic Hann window.

    Parameters
    ----------
    n_samples : int > 0
        Length of the window in samples.

    Returns
    -------
    ndarray of shape (n_samples,), float32
        The window. It is read-only, because the same array is returned for the same length.

    Examples
    --------
    >>> from skaudeep.audio import hann_window
    >>> hann_window(4)
    array([0. , 0.5, 1. , 0.5], dtype=float32)
    """
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_samples) / n_samples)
    return _frozen(window)


def mel_frequencies(
    sampling_rate: float, n_mels: int, fmin: float = 0.0, fmax: float | None = None
) -> NDArray[np.float64]:
    """Return frequencies evenly spaced on HTK's mel scale.

    Parameters
    ----------
    sampling_rate : float > 0
        Sampling rate in Hz.
    n_mels : int > 0
        Number of bands of a mel spectrogram.
    fmin : float >= 0, default=0.0
        Lowest frequency in Hz.
    fmax : float > fmin, default=None
        Highest frequency in Hz; None is half the rate.

    Returns
    -------
    ndarray of shape (n_mels + 2,), float64
        Frequencies in Hz from `fmin` to `fmax`. Band i, counted from 0, rises from entry i, peaks
        at entry i + 1 and falls to entry i + 2.

    References
    ----------
    S. Young et al., The HTK Book, version 3.4, section 5.4, equation 5.13:
    `2595 * log10(1 + f / 700)`.

    Examples
    --------
    >>> from skaudeep.audio import mel_frequencies
    >>> mel_frequencies(16000, 3).round().tolist()
    [0.0, 614.0, 1768.0, 3934.0, 8000.0]
    """
    bottom = 2595 * np.log10(1 + fmin / 700)
    top = 2595 * np.log10(1 + (sampling_rate / 2 if fmax is None else fmax) / 700)
    return 700 * (10 ** (np.linspace(bottom, top, n_mels + 2) / 2595) - 1)


def bins_between(
    sampling_rate: float, n_fft: int, fmin: float = 0.0, fmax: float | None = None
) -> range:
    """Return the numbers of the FFT bins whose frequency lies in a range, its ends included.

    Parameters
    ----------
    sampling_rate : float > 0
        Sampling rate in Hz.
    n_fft : int > 0
        Length of the window in samples.
    fmin : float >= 0, default=0.0
        Lowest frequency in Hz.
    fmax : float >= 0, default=None
        Highest frequency in Hz; None, or a higher frequency than half the rate, is half the rate.

    Returns
    -------
    range
        Numbers of the bins, from 0. The frequency of bin `k` is `k * sampling_rate / n_fft` Hz. The
        range is empty if no bin lies between `fmin` and `fmax`.

    Examples
    --------
    >>> from skaudeep.audio import bins_between
    >>> bins_between(16000, 1280), bins_between(16000, 1280, 100, 1000)
    (range(0, 641), range(8, 81))
    """
    bins_per_hertz = n_fft / sampling_rate
    low = int(np.ceil(fmin * bins_per_hertz - 1e-6))  # rounding must not lose a bin at the edge
    high = n_fft // 2 if fmax is None else int(np.floor(fmax * bins_per_hertz + 1e-6))
    return range(low, min(high, n_fft // 2) + 1)


@lru_cache(maxsize=64)
def mel_filters(
    sampling_rate: float,
    n_fft: int,
    n_mels: int,
    norm: MelNorm = None,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> NDArray[np.float32]:
    """Return triangular filters over the bands of `mel_frequencies`.

    The edges and the peak of each filter are moved to an FFT bin: frequency f to bin
    `floor((n_fft + 1) * f / sampling_rate)`, or to the nearest bin between `fmin` and `fmax`. Every
    filter therefore has a bin of weight 1 (before `norm`), even if filters are narrower than bins.

    Parameters
    ----------
    sampling_rate : float > 0
        Sampling rate in Hz.
    n_fft : int > 0
        Length of the window in samples.
    n_mels : int > 0
        Number of bands.
    norm : {"slaney"} or None, default=None
        Normalisation of the filters. With None all filters have the peak 1, so that a band holds
        the weighted sum of the power of its bins. With "slaney" the weights of each filter sum to
        1, so that a band holds the weighted mean. (In librosa the area under a filter with this
        norm is 1 in Hz; its weights are these, times about `n_fft / sampling_rate`.)
    fmin : float >= 0, default=0.0
        Lowest frequency in Hz.
    fmax : float > fmin, default=None
        Highest frequency in Hz; None is half the rate. At least one FFT bin has to lie between
        `fmin` and `fmax`, see :func:`bins_between`.

    Returns
    -------
    ndarray of shape (n_mels, n_fft // 2 + 1), float32
        Weights in [0, 1]. The array is read-only, because it is returned for all calls with the
        same arguments.

    Raises
    ------
    ValueError
        If no FFT bin lies between `fmin` and `fmax`, or `norm` has another value.

    Examples
    --------
    >>> from skaudeep.audio import mel_filters
    >>> filters = mel_filters(16000, 1280, 40)
    >>> filters.shape, bool((filters.max(axis=1) == 1).all())
    ((40, 641), True)
    """
    hertz = mel_frequencies(sampling_rate, n_mels, fmin, fmax)
    within = bins_between(sampling_rate, n_fft, fmin, fmax)
    if not within:
        raise ValueError(
            f"No FFT bin lies from {fmin:g} to {sampling_rate / 2 if fmax is None else fmax:g} Hz: "
            f"with n_fft={n_fft} at {sampling_rate:g} Hz, bins are {sampling_rate / n_fft:g} Hz "
            "apart. Choose a wider range or a longer window."
        )
    if norm not in (None, "slaney"):
        raise ValueError(f"Got norm={norm!r}, expected None or 'slaney'.")
    edges = np.clip(np.floor((n_fft + 1) * hertz / sampling_rate), within[0], within[-1])
    left, peak, right = (edges[i : i + n_mels, None] for i in range(3))
    bins = np.arange(n_fft // 2 + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rising = np.where(peak > left, (bins - left) / (peak - left), bins >= peak)
        falling = np.where(right > peak, (right - bins) / (right - peak), bins <= peak)
    filters = np.maximum(0, np.minimum(rising, falling))
    return _frozen(filters if norm is None else filters / filters.sum(axis=1, keepdims=True))


def _frozen(values: NDArray) -> NDArray[np.float32]:
    values = values.astype(np.float32)
    values.setflags(write=False)  # the cache returns the same array to all callers
    return values


def power_spectrogram(
    samples: NDArray[np.float32],
    window_length: int,
    hop_length: int,
    filters: NDArray[np.float32] | sparse.csr_array | None = None,
) -> NDArray[np.float32]:
    """Return the power spectrum of Hann-windowed frames, after subtraction of each frame's mean.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), n_samples >= window_length
        The waveform.
    window_length, hop_length : int > 0
        Length of a frame and distance between the starts of two frames, in samples.
    filters : ndarray or sparse array of shape (n_bands, window_length // 2 + 1), default=None
        Weights with which bins are summed to bands, as `mel_filters` returns them. None keeps the
        FFT bins.

    Returns
    -------
    ndarray of shape (n_frames, n_bands), float32
        The power. `n_frames` is `(n_samples - window_length) // hop_length + 1`; samples at the end
        that do not fill a frame are left out.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.audio import power_spectrogram
    >>> tone = np.sin(2 * np.pi * 5 / 64 * np.arange(256)).astype(np.float32)
    >>> power = power_spectrogram(tone, 64, 32)
    >>> power.shape, power.argmax(axis=1).tolist()
    ((7, 33), [5, 5, 5, 5, 5, 5, 5])
    """
    frames = np.lib.stride_tricks.sliding_window_view(samples, window_length)[::hop_length]
    window = hann_window(window_length)
    n_bands = window_length // 2 + 1 if filters is None else filters.shape[0]
    power = np.empty((len(frames), n_bands), np.float32)
    buffer = np.empty((min(BLOCK, len(frames)), window_length), np.float32)
    for start in range(0, len(frames), BLOCK):
        some = frames[start : start + BLOCK]  # (block, window_length), overlapping
        block = np.subtract(some, some.mean(axis=1, keepdims=True), out=buffer[: len(some)])
        block *= window
        parts = fft.rfft(block, axis=1, overwrite_x=True).view(np.float32)
        np.square(parts, out=parts)
        bins = parts[:, ::2] + parts[:, 1::2]  # (block, n_bins)
        power[start : start + BLOCK] = bins if filters is None else (filters @ bins.T).T
    return power


def to_decibels(power: NDArray[np.float32], full_scale: float | None = None) -> NDArray[np.float32]:
    """Convert power to decibels.

    Parameters
    ----------
    power : ndarray of float, >= 0
        Power spectrogram of one clip, of any shape but not empty.
    full_scale : float > 0, default=None
        Power that 0 dB stands for, such as `full_scale_power` returns. None is the maximum of
        `power`.

    Returns
    -------
    ndarray of the same shape and type
        Levels in dB, at least -200 dB, which stands for zero power. Relative to the maximum they
        are at most 0 dB; if all power is zero, they are -200 dB. Relative to `full_scale` they may
        exceed 0 dB.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.audio import to_decibels
    >>> to_decibels(np.array([4.0, 0.4, 0.0])).tolist()
    [0.0, -10.0, -200.0]
    >>> to_decibels(np.array([4.0, 0.4, 0.0]), 400.0).tolist()
    [-20.0, -30.0, -200.0]
    """
    maximum = power.max() if full_scale is None else np.float32(full_scale)
    decibels = power / (maximum if maximum > 0 else 1)
    np.maximum(decibels, 10 ** (MIN_DECIBELS / 10), out=decibels)
    np.log10(decibels, out=decibels)
    decibels *= 10
    return decibels


def full_scale_power(window_length: int) -> float:
    """Return the power of a sine of amplitude 1 in its FFT bin, ``(window_length / 4) ** 2``.

    This is 0 dB of full scale.

    Parameters
    ----------
    window_length : int > 0
        Length of a frame in samples.

    Returns
    -------
    float
        The power that `power_spectrogram`, with its Hann window, returns for such a sine, if its
        frequency is that of an FFT bin other than the first and the last.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.audio import full_scale_power, power_spectrogram
    >>> sine = np.sin(2 * np.pi * 5 / 64 * np.arange(64)).astype(np.float32)
    >>> full_scale_power(64), round(float(power_spectrogram(sine, 64, 32)[0, 5]), 3)
    (256.0, 256.0)
    """
    return (window_length / 4) ** 2


def rescale(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map an array's minimum to -1 and its maximum to 1.

    Parameters
    ----------
    values : ndarray of float
        Finite values of one clip, or of one chunk (a piece of a clip).

    Returns
    -------
    ndarray of the same shape
        Values in [-1, 1]; -1 throughout if all values are equal.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.audio import rescale
    >>> rescale(np.array([-60.0, -45.0, 0.0]))
    array([-1. , -0.5,  1. ])
    """
    low, high = values.min(), values.max()
    scaled = values - low
    if high > low:
        scaled /= high - low
    scaled *= 2
    scaled -= 1
    return scaled


def chunk_starts(
    n_frames: int, chunk_length: float, n_chunks: int | None = None
) -> NDArray[np.int64]:
    """Return the numbers of the frames with which the chunks of a clip begin.

    Chunks are the consecutive pieces of equal length into which a clip is divided.

    Parameters
    ----------
    n_frames : int > 0
        Number of frames of the clip.
    chunk_length : float >= 1
        Number of frames per chunk, which need not be a whole number.
    n_chunks : int > 0, default=None
        Largest number of chunks. Later chunks are left out. None keeps all.

    Returns
    -------
    ndarray of shape (n_found,), int64
        Numbers of the first frames of the `n_found` chunks, at most `n_chunks`. Chunk `i` begins
        with the frame nearest to `i * chunk_length`, so that the error of its time is at most half
        a frame, also after many chunks. A last chunk that is less than half full is left out,
        unless it is the only one.

    Examples
    --------
    >>> from skaudeep.audio import chunk_starts
    >>> chunk_starts(9, 5).tolist(), chunk_starts(7, 5).tolist()
    ([0, 5], [0])
    >>> chunk_starts(1000, 300.68).tolist()
    [0, 301, 601]
    """
    starts = _nearest_frames(int(n_frames / chunk_length) + 1, chunk_length)
    half_full = 2 * (n_frames - starts) >= round(chunk_length)
    half_full[0] = True
    return starts[half_full][:n_chunks]


def _nearest_frames(n_chunks: int, chunk_length: float) -> NDArray[np.int64]:
    """Return the frames nearest to the beginnings of chunks; of two, the earlier one."""
    return np.ceil(np.arange(n_chunks) * chunk_length - 0.5).astype(np.int64)


def split_chunks(
    frames: NDArray[np.float32], chunk_length: float, n_chunks: int | None = None
) -> list[NDArray[np.float32]]:
    """Split a clip's frames into consecutive chunks.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, n_bands)
        Frames of the clip.
    chunk_length : float >= 1
        Number of frames per chunk. If it is not whole, it is rounded for each chunk, and a frame
        may lie in two chunks or in none, so that chunks keep their time.
    n_chunks : int > 0, default=None
        Largest number of chunks. Later chunks are left out. None keeps all.

    Returns
    -------
    list of ndarray of shape (at most round(chunk_length), n_bands)
        Views of `frames`, which begin at the frames that `chunk_starts` returns. A last chunk that
        is less than half full is left out, unless it is the only one.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.audio import split_chunks
    >>> [len(chunk) for chunk in split_chunks(np.zeros((9, 40)), 5)]
    [5, 4]
    >>> [len(chunk) for chunk in split_chunks(np.zeros((7, 40)), 5)]
    [5]
    """
    starts = chunk_starts(len(frames), chunk_length, n_chunks)
    return [frames[start : start + round(chunk_length)] for start in starts.tolist()]


def join_chunks(chunks: list[NDArray[np.float32]], chunk_length: float) -> NDArray[np.float32]:
    """Join chunks into the frames of a clip, as the inverse of `split_chunks`.

    Frames at the end of the clip that `split_chunks` left out remain missing.

    Parameters
    ----------
    chunks : list of ndarray of shape (at most round(chunk_length), n_bands)
        All chunks of the clip from its start, in order; at least one.
    chunk_length : float >= 1
        Number of frames per chunk, which need not be whole.

    Returns
    -------
    ndarray of shape (n_frames, n_bands)
        The frames. A frame that lies in two chunks is taken from the later one. A frame that lies
        in none is a copy of the frame before it.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.audio import join_chunks, split_chunks
    >>> frames = np.arange(12.0).reshape(12, 1)
    >>> join_chunks(split_chunks(frames, 3.4), 3.4).ravel().tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 7.0, 8.0, 9.0, 10.0, 11.0]
    """
    starts = _nearest_frames(len(chunks), chunk_length).tolist()
    places: list[int] = []  # position of each frame of the result among the frames of all chunks
    first = 0
    for start, chunk in zip(starts, chunks, strict=True):
        del places[start:]
        places += places[-1:] * (start - len(places))
        places += range(first, first + len(chunk))
        first += len(chunk)
    return np.concatenate(chunks)[places]


def unscale(
    scaled: NDArray[np.float32], lowest: float, highest: float = 0.0
) -> NDArray[np.float64]:
    """Turn a scaled spectrogram into power: the inverse of `to_decibels`, clipping and `rescale`.

    Parameters
    ----------
    scaled : ndarray
        Spectrogram in [-1, 1]; values outside are clipped to that range.
    lowest : float
        Level in dB that -1 stands for.
    highest : float, default=0.0
        Level in dB that 1 stands for.

    Returns
    -------
    ndarray of the same shape, float64
        Power, as a multiple of the power that 0 dB stands for. It is 0 if `scaled` is -1, because
        lower levels were clipped to this value.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.audio import unscale
    >>> unscale(np.array([-1.0, 0.0, 1.0]), -60.0).tolist()
    [0.0, 0.001, 1.0]
    """
    scaled = np.clip(scaled.astype(np.float64), -1, 1)
    decibels = lowest + (highest - lowest) * (scaled + 1) / 2
    return np.where(scaled > -1, 10 ** (decibels / 10), 0)


def unfilter(power: NDArray[np.float64], filters: NDArray[np.float32]) -> NDArray[np.float64]:
    """Estimate the power in FFT bins from the power in bands.

    Parameters
    ----------
    power : ndarray of shape (n_frames, n_bands), >= 0
        Power in the bands.
    filters : ndarray of shape (n_bands, n_bins)
        Weights with which the power in the bins was summed to that in the bands, as `mel_filters`
        returns them.

    Returns
    -------
    ndarray of shape (n_frames, n_bins), float64, >= 0
        Power in the FFT bins; 0 in bins that belong to no band.

    Notes
    -----
    Multiplicative updates minimise the divergence between `power` and the filtered result, from a
    smooth start. Least squares (:func:`librosa.util.nnls`) would fit the loudest bands only,
    although soft ones are audible as well.

    References
    ----------
    D. D. Lee, H. S. Seung, "Algorithms for Non-negative Matrix Factorization", NeurIPS 13, 2000,
    equation 5.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.audio import mel_filters, unfilter
    >>> filters = mel_filters(8000, 256, 20)
    >>> power = np.abs(np.random.default_rng(0).normal(size=(3, 129))) @ filters.T
    >>> np.allclose(unfilter(power, filters) @ filters.T, power, rtol=0.02)
    True
    """
    total = filters.sum(axis=0, dtype=np.float64)  # (n_bins,)
    weights = np.divide(filters, total, out=np.zeros_like(filters, np.float64), where=total > 0)
    bins = (power / filters.sum(axis=1)) @ weights
    for _ in range(UNFILTER_STEPS):
        bands = bins @ filters.T
        bins *= np.divide(power, bands, out=np.zeros_like(power), where=bands > 0) @ weights
    return bins


def waveform(
    power: NDArray[np.float64],
    window_length: int,
    hop_length: int,
    *,
    n_iter: int = 32,
    random_state: int | np.random.RandomState | None = None,
) -> NDArray[np.float32]:
    """Estimate samples from their power spectrogram, of Hann windows, by Griffin and Lim's method.

    Parameters
    ----------
    power : ndarray of shape (n_frames, window_length // 2 + 1), >= 0
        Power in the FFT bins, as `power_spectrogram` returns it.
    window_length, hop_length : int > 0
        Length of a frame and distance between the starts of two frames, in samples. `hop_length`
        must be less than `window_length`. Phases are estimated well if frames overlap by half or
        more.
    n_iter : int > 0, default=32
        Number of iterations of :func:`librosa.griffinlim`.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the initial phases. An int gives the same waveform each time; None
        draws other phases in each call.

    Returns
    -------
    ndarray of shape ((n_frames - 1) * hop_length + window_length,), float32
        A waveform whose power spectrogram is close to `power`. Its phases, and thus the samples
        themselves, differ from those of the original.

    References
    ----------
    D. W. Griffin, J. S. Lim, "Signal estimation from modified short-time Fourier transform", IEEE
    Transactions on Acoustics, Speech, and Signal Processing 32(2), 1984.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.audio import power_spectrogram, waveform
    >>> tone = np.sin(2 * np.pi * 5 / 64 * np.arange(256)).astype(np.float32)
    >>> power = power_spectrogram(tone, 64, 32)
    >>> samples = waveform(power.astype(float), 64, 32, random_state=0)
    >>> samples.shape, power_spectrogram(samples, 64, 32).argmax(axis=1).tolist()
    ((256,), [5, 5, 5, 5, 5, 5, 5])
    """
    import librosa  # slow to load, and workers of an extraction do not need it

    # The first and last samples lie in the tail of one window only, and dividing by it amplifies
    # noise: repeat the outer frames, and cut them off again.
    more = -(-window_length // hop_length) - 1
    magnitude = np.sqrt(np.pad(power, ((more, more), (0, 0)), mode="edge")).T
    samples = librosa.griffinlim(
        magnitude.astype(np.float32),
        n_iter=n_iter,
        hop_length=hop_length,
        win_length=window_length,
        n_fft=window_length,
        window=hann_window(window_length),
        center=False,
        # librosa takes no integers of NumPy.
        random_state=int(random_state) if isinstance(random_state, Integral) else random_state,
    )
    start = more * hop_length
    n_samples = (len(power) - 1) * hop_length + window_length
    return samples[start : start + n_samples].astype(np.float32)
