"""Plots of spectrograms, and of their reconstructions by an autoencoder."""

import math
from collections.abc import Sequence
from numbers import Integral
from pathlib import PurePath
from typing import Any, Literal, Self, get_args

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skaudeep._padding import pad, row_lengths
from skaudeep.audio.chain import STEPS
from skaudeep.audio.clips import list_clips
from skaudeep.audio.decoding import audio_info
from skaudeep.audio.frames import hop_seconds
from skaudeep.audio.spectra import chunk_starts, mel_frequencies
from skaudeep.plotting.images import draw_spectrogram
from skaudeep.plotting.pyplot import draw_colorbar, figure_size, import_pyplot, literal, or_break

__all__ = ["ReconstructionDisplay", "SpectrogramDisplay", "extract", "frame_and_band_centres"]

Scale = Literal["scaled", "dB"]

DECIBELS_SHOWN = 100.0  # Digital silence, at -200 dB, would leave the colours of sounds alike.
ERROR_PERCENTILE = 99  # Colours of errors end here, so that one outlier does not darken the rest.


class SpectrogramDisplay:
    """Plot of one spectrogram, with time to the right and frequency upwards.

    `from_extractor` extracts and plots the spectrogram of a clip. The constructor takes any array,
    and `plot` draws it.

    Parameters
    ----------
    spectrogram : array-like of shape (n_frames, n_bands)
        Spectrogram of at least one frame, with frequency last, as
        :class:`~skaudeep.SpectrogramExtractor` returns it for each clip. Trailing frames of NaN are
        left out.
    times : array-like of shape (n_frames,), default=None
        Centres of the frames in seconds, evenly spaced: only the first two are used. None labels
        the axis with frame numbers from 0.
    frequencies : array-like of shape (n_bands,), default=None
        Centres of the bands in Hz, increasing. The coordinates of the axis are then Hz, on a mel
        scale if the bands are even there. Plots with other mel bands may share the axis; plots of
        mel bands and of FFT bins, whose scales differ, must not. None labels the axis with band
        numbers from 0.
    name : str, default=None
        Title of the plot. None draws no title.
    scale : {"scaled", "dB"}, default="scaled"
        Kind of the values: "scaled" to [-1, 1] by an extractor, or "dB" for decibels. The colours
        of scaled values span -1 to 1, or, if a value lies outside, the range of the values. For
        decibels they span the range of the values, but at most the 100 dB below the highest value.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the spectrogram, set by `plot`.
    figure_ : matplotlib Figure
        Figure of the axes, set by `plot`.
    im_ : matplotlib AxesImage
        Image of the spectrogram, set by `plot`.
    colorbar_ : matplotlib Colorbar or None
        Colour bar of the image, set by `plot`; None with ``colorbar=False``.

    Raises
    ------
    ValueError
        If the spectrogram does not have two axes or is NaN throughout, times or frequencies have
        another length, or `scale` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.plotting import SpectrogramDisplay
    >>> ramp = np.linspace(-1, 1, 50)[:, None] * np.ones(12)
    >>> display = SpectrogramDisplay(ramp, times=0.04 * np.arange(50)).plot()
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('time (s)', 'band')
    """

    def __init__(
        self,
        spectrogram: Any,
        *,
        times: Any = None,
        frequencies: Any = None,
        name: str | None = None,
        scale: Scale = "scaled",
    ) -> None:
        spectrogram = np.asarray(spectrogram)
        _check_scale(scale)
        if spectrogram.ndim != 2:
            raise ValueError(
                f"Got a spectrogram of shape {spectrogram.shape}, expected (n_frames, n_bands); "
                "take one clip, and of a clip in chunks one chunk."
            )
        for what, values, n in zip(
            ("times", "frequencies"), (times, frequencies), spectrogram.shape, strict=True
        ):
            if values is not None and np.shape(values) != (n,):
                raise ValueError(
                    f"Got {what} of shape {np.shape(values)} for a spectrogram of shape "
                    f"{spectrogram.shape}, expected ({n},); pass one value for each or None."
                )
        n_frames = int(row_lengths(spectrogram[None])[0])
        if not n_frames:
            raise ValueError(
                f"Got a spectrogram of shape {spectrogram.shape} that is all NaN, expected at "
                "least one frame; take a clip that could be read, or a chunk that it reaches."
            )
        self.spectrogram = spectrogram[:n_frames]
        self.times = None if times is None else np.asarray(times)[:n_frames]
        self.frequencies = None if frequencies is None else np.asarray(frequencies)
        self.name = name
        self.scale = scale

    @classmethod
    def from_extractor(
        cls,
        extractor: Any,
        clip: Any,
        *,
        chunk: int = 0,
        scale: Scale = "scaled",
        ax: Any = None,
        colorbar: bool = True,
        **kwargs: Any,
    ) -> Self:
        """Extract the spectrogram of one clip and plot it.

        The axes are labelled in seconds and Hz. The title is the name of the file; an array has no
        title.

        Parameters
        ----------
        extractor : SpectrogramExtractor
            Extractor of the spectrogram, fitted or not.
        clip : path or array of shape (n_samples,) or (n_channels, n_samples)
            The clip. For an array, the extractor needs a `sampling_rate`, or to be fitted.
        chunk : int, default=0
            Number of the chunk to show, counted from 0, if the extractor splits clips into chunks.
            It has no effect otherwise.
        scale : {"scaled", "dB"}, default="scaled"
            Values to show. ``"scaled"`` shows the output of ``extractor.transform``. ``"dB"`` shows
            the levels before they are scaled, between `clip_below` and `clip_above` of the
            extractor (-120 dB and 0 dB, if these are None). They are relative to the clip's
            maximum, or, with ``reference="full_scale"``, to digital full scale.
        ax : matplotlib Axes, default=None
            Axes to plot on. None makes a new figure.
        colorbar : bool, default=True
            Whether to draw a colour bar.
        **kwargs : dict
            Passed to :meth:`ax.imshow <matplotlib.axes.Axes.imshow>`, which draws the image, for
            example ``cmap="gray"`` or ``vmin=-60``.

        Returns
        -------
        SpectrogramDisplay
            The display, plotted.

        Raises
        ------
        AudioError
            If the clip cannot be read.
        ValueError
            If `scale` is unknown, the clip has no such chunk, or the chunk is NaN throughout.

        Examples
        --------
        >>> import numpy as np
        >>> from skaudeep.plotting import SpectrogramDisplay
        >>> from skaudeep.spectrogram import SpectrogramExtractor
        >>> tone = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
        >>> extractor = SpectrogramExtractor(n_mels=40, sampling_rate=16000)
        >>> SpectrogramDisplay.from_extractor(extractor, tone).ax_.get_ylabel()
        'frequency (Hz)'
        """
        import_pyplot(f"{cls.__name__}.from_extractor")
        name = PurePath(clip).name if isinstance(clip, str | PurePath) else None
        display = cls(**extract(extractor, [clip], chunk=chunk, scale=scale), name=name)
        return display.plot(ax=ax, colorbar=colorbar, **kwargs)

    def plot(self, ax: Any = None, *, colorbar: bool = True, **kwargs: Any) -> Self:
        """Draw the spectrogram.

        The colour bar does not change the width of the axes, so that the time axes of plots below
        one another line up.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. None makes a new figure.
        colorbar : bool, default=True
            Whether to draw a colour bar. A figure with ``layout="constrained"`` makes room for it.
        **kwargs : dict
            Passed to :meth:`ax.imshow <matplotlib.axes.Axes.imshow>`, which draws the image, for
            example ``cmap="gray"`` or ``vmin=-60``.

        Returns
        -------
        SpectrogramDisplay
            The display itself.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        if ax is None:
            _, ax = plt.subplots(figsize=figure_size(6, 3), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        options = _color_range(self.spectrogram, self.scale) | kwargs
        self.im_ = draw_spectrogram(ax, self.spectrogram, self.times, self.frequencies, **options)
        self.colorbar_ = draw_colorbar(ax, self.im_, f"level ({self.scale})") if colorbar else None
        if self.name is not None:
            ax.set_title(literal(self.name), parse_math=False)
        return self


class ReconstructionDisplay:
    """Plot of spectrograms, their reconstructions by an autoencoder, and the errors.

    Each row shows one clip: the original and the reconstruction on the same colour scale, and their
    absolute difference on another one, from 0 to the 99th percentile of all errors; all rows share
    both. `plot` draws it; `from_estimator` makes and draws it.

    Parameters
    ----------
    originals : array-like of shape (n_clips, n_frames, n_bands)
        Spectrograms of at least one clip, without chunks. Trailing frames of NaN are left out.
    reconstructions : array-like of shape (n_clips, n_frames, n_bands)
        Reconstructions of these spectrograms, with NaN for the same frames.
    times : array-like of shape (n_frames,), default=None
        Centres of the frames in seconds, evenly spaced. None labels the axis with frame numbers
        from 0.
    frequencies : array-like of shape (n_bands,), default=None
        Centres of the bands in Hz, increasing. None labels the axis with band numbers from 0.
    names : sequence of n_clips str, default=None
        Titles of the originals. None calls them "clip 0", "clip 1" and so on.

    Attributes
    ----------
    rmse : ndarray of shape (n_clips,)
        Root mean squared error of each clip over its frames and bands, without its frames of NaN.
    axes_ : ndarray of Axes, shape (n_clips, 3)
        Axes of originals, reconstructions and errors, set by `plot`.
    figure_ : matplotlib Figure
        Figure of the axes, set by `plot`.
    images_ : ndarray of AxesImage, shape (n_clips, 3)
        Images of originals, reconstructions and errors, set by `plot`.

    Raises
    ------
    ValueError
        If originals and reconstructions do not have the same shape of three axes, there is no clip,
        or there are not as many names as clips. If times or frequencies have another length, `plot`
        raises it.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudeep.plotting import ReconstructionDisplay
    >>> original = np.linspace(-1, 1, 50)[None, :, None] * np.ones(12)
    >>> display = ReconstructionDisplay(original, original + 0.5).plot()
    >>> display.axes_.shape, display.rmse
    ((1, 3), array([0.5]))

    What an autoencoder makes of the first of six clips:

    >>> from skaudeep import Seq2SeqAutoencoder
    >>> X = np.sin(np.arange(6 * 20 * 3).reshape(6, 20, 3))  # 6 clips, 20 frames, 3 bands
    >>> autoencoder = Seq2SeqAutoencoder(4, max_epochs=1, random_state=0).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(autoencoder, X, axes=display.axes_)
    >>> display.reconstructions.shape
    (1, 20, 3)
    """

    def __init__(
        self,
        originals: Any,
        reconstructions: Any,
        *,
        times: Any = None,
        frequencies: Any = None,
        names: Sequence[str] | None = None,
    ) -> None:
        originals, reconstructions = np.asarray(originals), np.asarray(reconstructions)
        if originals.ndim != 3 or originals.shape != reconstructions.shape or not len(originals):
            raise ValueError(
                f"Got originals of shape {originals.shape} and reconstructions of shape "
                f"{reconstructions.shape}, expected (n_clips, n_frames, n_bands) for both; take "
                "one chunk of each clip."
            )
        if names is not None and len(names) != len(originals):
            raise ValueError(
                f"Got {len(names)} names for {len(originals)} clips; pass one for each or None."
            )
        self.originals = originals
        self.reconstructions = reconstructions
        self.times = times
        self.frequencies = frequencies
        self.names = [f"clip {i}" for i in range(len(originals))] if names is None else names
        self.rmse = np.sqrt(np.nanmean((originals - reconstructions) ** 2, axis=(1, 2)))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        n_clips: int = 1,
        extractor: Any = None,
        sampling_rate: float | None = None,
        names: Sequence[str] | None = None,
        axes: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Reconstruct the first clips and plot them.

        Parameters
        ----------
        estimator : Seq2SeqAutoencoder
            A fitted autoencoder, or another fitted estimator with ``reconstruct``.
        X : array-like of shape (n_clips, n_frames, n_bands), or list of 2-D arrays
            Spectrograms with the bands that the estimator was fitted on, without chunks.
        n_clips : int, default=1
            Number of clips to show: the first of X.
        extractor : SpectrogramExtractor, default=None
            Extractor of `X`, by which the axes are labelled in seconds and Hz. None labels them
            with the numbers of frames and bands.
        sampling_rate : float, default=None
            Sampling rate in Hz of the recordings that `X` comes from. None is that of the
            extractor: its parameter, or the rate that it saw in `fit`. If there is neither, the
            frequency axis is labelled with the numbers of bands. Without an extractor it has no
            effect.
        names : sequence of n_clips str, default=None
            Titles of the originals that are shown. None calls them "clip 0", "clip 1" and so on.
        axes : array of matplotlib Axes of shape (n_clips, 3), default=None
            Axes to plot on. None makes a new figure.
        **kwargs : dict
            Passed to :meth:`ax.imshow <matplotlib.axes.Axes.imshow>`, which draws the originals and
            the reconstructions, for example ``cmap="gray"`` or ``vmin=-0.5``. The images of the
            errors do not receive them.

        Returns
        -------
        ReconstructionDisplay
            The display, plotted.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        ValueError
            If `n_clips` is less than 1 or more than the clips in `X`, there are not `n_clips`
            names, or the number of axes is not ``3 * n_clips``.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        check_is_fitted(estimator)
        if not 1 <= n_clips <= len(X):
            raise ValueError(f"Got n_clips={n_clips!r}, expected 1 to {len(X)}, the clips in X.")
        X = X[:n_clips]
        reconstructions = estimator.reconstruct(X)
        originals = pad([np.asarray(clip) for clip in X], reconstructions.shape[1:])
        times = frequencies = None
        if extractor is not None:
            rate = extractor._rate() if sampling_rate is None else sampling_rate
            times, frequencies = frame_and_band_centres(extractor, originals.shape[1:], rate)
        display = cls(originals, reconstructions, times=times, frequencies=frequencies, names=names)
        return display.plot(axes=axes, **kwargs)

    def plot(self, axes: Any = None, **kwargs: Any) -> Self:
        """Draw a row of three images for each clip.

        Parameters
        ----------
        axes : array of matplotlib Axes of shape (n_clips, 3), default=None
            Axes to plot on. None makes a new figure.
        **kwargs : dict
            Passed to :meth:`ax.imshow <matplotlib.axes.Axes.imshow>`, which draws the originals and
            the reconstructions, for example ``cmap="gray"`` or ``vmin=-0.5``. The images of the
            errors do not receive them.

        Returns
        -------
        ReconstructionDisplay
            The display itself.

        Raises
        ------
        ValueError
            If the number of axes is not ``3 * n_clips``, times or frequencies have another length
            than the spectrograms, or a clip is NaN throughout.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        n_clips = len(self.originals)
        if axes is None:
            _, axes = plt.subplots(
                n_clips,
                3,
                figsize=figure_size(10, 0.5 + 2.3 * n_clips),
                sharex=True,
                sharey=True,
                squeeze=False,
                layout="constrained",
            )
        axes = np.asarray(axes, dtype=object)
        if axes.size != 3 * n_clips:
            raise ValueError(
                f"Got {axes.size} axes for {n_clips} clips, expected 3 for each clip; make them "
                f"with plt.subplots({n_clips}, 3)."
            )
        self.axes_ = axes.reshape(n_clips, 3)
        self.figure_ = self.axes_[0, 0].figure
        self.images_ = np.empty((n_clips, 3), dtype=object)
        errors = np.abs(self.originals - self.reconstructions)
        levels = _color_range(np.stack([self.originals, self.reconstructions])) | kwargs
        highest = np.nanpercentile(errors, ERROR_PERCENTILE)
        scales = (levels, levels, {"vmin": 0, "vmax": highest or 1, "cmap": "viridis"})
        for i, row in enumerate(self.axes_):
            titles = (self.names[i], "reconstruction", f"error (RMSE {self.rmse[i]:.2f})")
            panels = (self.originals[i], self.reconstructions[i], errors[i])
            for j, (ax, panel, title, scale) in enumerate(
                zip(row, panels, titles, scales, strict=True)
            ):
                one = SpectrogramDisplay(panel, times=self.times, frequencies=self.frequencies)
                self.images_[i, j] = draw_spectrogram(
                    ax, one.spectrogram, one.times, one.frequencies, **scale
                )
                ax.set_title(literal(title), parse_math=False)
                ax.label_outer()
        # Below the columns: beside them a bar would tear columns apart.
        bars = {"location": "bottom", "shrink": 0.8}
        self.figure_.colorbar(
            self.images_[0, 1],
            ax=list(self.axes_[:, :2].flat),
            label="level (scaled)",
            aspect=40,
            **bars,
        )
        self.figure_.colorbar(
            self.images_[0, 2],
            ax=list(self.axes_[:, 2]),
            label=or_break().join(
                ("absolute error,", f"up to its {ERROR_PERCENTILE}th", "percentile")
            ),
            aspect=20,
            extend="max" if np.nanmax(errors) > highest else "neither",
            **bars,
        )
        return self


def extract(extractor: Any, X: Any, *, chunk: int = 0, scale: Scale = "scaled") -> dict[str, Any]:
    """Extract one clip, or one chunk of it, with its axes.

    Parameters
    ----------
    extractor : SpectrogramExtractor
        Extractor of the spectrogram, fitted or not.
    X : list or array of one clip
        One row of what ``extractor.transform`` takes.
    chunk : int, default=0
        Number of the chunk, where the extractor makes chunks.
    scale : {"scaled", "dB"}, default="scaled"
        Which values to return, see `SpectrogramDisplay`.

    Returns
    -------
    dict
        Parameters of `SpectrogramDisplay`: spectrogram, times, frequencies and scale.
    """
    _check_scale(scale)
    spectrogram = np.asarray(extractor.transform(X)[0])
    (clip,) = list_clips(X)
    rate = extractor._rate()
    if rate is None:
        rate = audio_info(clip.source).sampling_rate
    start = 0
    if spectrogram.ndim == 3:
        n_chunks = len(spectrogram)
        if isinstance(chunk, bool) or not isinstance(chunk, Integral) or not 0 <= chunk < n_chunks:
            raise ValueError(
                f"Got chunk={chunk!r} of a clip with {n_chunks} chunk{'s'[: n_chunks != 1]}, "
                f"expected a whole number from 0 to {n_chunks - 1}."
            )
        length = extractor._layout(rate).chunk_length(extractor.chunk_duration)
        start = int(chunk_starts(math.ceil(len(spectrogram) * length), length)[chunk])
        spectrogram = spectrogram[chunk]
    if scale == "dB":
        levels: Any = clip
        for step, names in STEPS[:-1]:  # The last one scales and splits into chunks.
            levels = step(levels, **{name: getattr(extractor, name) for name in names})
        spectrogram = levels.values[start : start + len(spectrogram)]
    times, frequencies = frame_and_band_centres(extractor, spectrogram.shape, rate, start)
    return {
        "spectrogram": spectrogram,
        "times": times,
        "frequencies": frequencies,
        "scale": scale,
    }


def _check_scale(scale: str) -> None:
    if scale not in get_args(Scale):
        raise ValueError(f"Got scale={scale!r}; choose 'scaled' or 'dB'.")


def frame_and_band_centres(
    extractor: Any, shape: tuple[int, ...], rate: float | None, start: int = 0
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the centres of frames in seconds and of bands in Hz.

    `start` is the number of the first frame. The bands are None where the rate is unknown.
    """
    n_frames, n_bands = shape
    if rate is None:
        window = extractor.window_duration
        hop = hop_seconds(window, extractor.hop_duration)
        return window / 2 + hop * np.arange(start, start + n_frames), None
    layout = extractor._layout(rate)
    times = layout.frame_times(n_frames, start)
    if layout.n_mels is None:
        return times, np.asarray(layout.bins) * rate / layout.window
    return times, mel_frequencies(rate, n_bands, extractor.fmin, extractor.fmax)[1:-1]


def _color_range(spectrogram: np.ndarray, scale: Scale = "scaled") -> dict[str, Any]:
    # Scaled spectrograms share one range, so that two plots can be compared.
    low, high = np.nanmin(spectrogram), np.nanmax(spectrogram)
    if scale == "dB":
        return {"vmin": max(low, high - DECIBELS_SHOWN), "vmax": high, "cmap": "magma"}
    low, high = (-1, 1) if -1 <= low <= high <= 1 else (low, high)
    return {"vmin": low, "vmax": high, "cmap": "magma"}
