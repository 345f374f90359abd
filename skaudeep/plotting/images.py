"""Spectrograms as images: axes in seconds and Hz, which plots may share, and their ticks."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["draw_spectrogram"]

LINE_HEIGHT = 11.0  # points


def draw_spectrogram(
    ax: Any,
    spectrogram: np.ndarray,
    times: np.ndarray | None,
    frequencies: np.ndarray | None,
    **kwargs: Any,
) -> Any:
    """Draw an image of a spectrogram, (n_frames, n_bands), on axes in seconds and Hz if known."""
    n_frames, n_bands = spectrogram.shape
    if times is None:
        left, hop = -0.5, 1.0
    else:
        hop = float(times[1] - times[0]) if n_frames > 1 else 1.0
        left = float(times[0]) - hop / 2
    low, high = -0.5, n_bands - 0.5
    to_axis: Any = np.positive
    if frequencies is not None:  # the axis is in Hz, so that spectrograms may share it
        to_axis, to_hertz = _axis_scale(frequencies)
        ends = to_axis(frequencies[[0, -1]])
        half = (ends[1] - ends[0]) / (n_bands - 1) / 2 if n_bands > 1 else 0.5
        low, high = to_hertz(ends + np.array([-half, half]))
    options = {
        "origin": "lower",
        "aspect": "auto",
        "interpolation": "nearest",
        "extent": (left, left + hop * n_frames, low, high),
    }
    image = ax.imshow(spectrogram.T, **options | kwargs)
    ax.set(xlabel="frame" if times is None else "time (s)", ylabel="band")
    if frequencies is not None:
        if to_axis is np.positive:
            ax.set_yscale("linear")
        else:  # images are drawn evenly between their ends, on any scale
            ax.set_yscale("function", functions=(to_axis, to_hertz))
        ticks = np.array(list(_frequency_ticks(frequencies)))
        heights = to_axis(ticks) / np.ptp(to_axis(np.array([low, high])))
        apart = LINE_HEIGHT / (72 * ax.get_window_extent().height / ax.figure.dpi)
        shown: list[int] = []
        for i in reversed(range(len(ticks))):  # Octaves lie closest together at the lower end.
            if not shown or heights[shown[0]] - heights[i] >= apart:
                shown.insert(0, i)
        ax.set_yticks(ticks[shown], [f"{ticks[i]:g}" for i in shown])
        ax.set_ylabel("frequency (Hz)")
    _show_all_images(ax)
    return image


def _show_all_images(ax: Any) -> None:
    """Let axes that are shared show the longest and the widest of their spectrograms, not the last.

    Limits that the user has set stay as they are.
    """
    for way, shared in (("x", ax.get_shared_x_axes()), ("y", ax.get_shared_y_axes())):
        if not getattr(ax, f"get_autoscale{way}_on")():
            continue
        extents = [image.get_extent() for one in shared.get_siblings(ax) for image in one.images]
        ends = np.array(extents)[:, :2] if way == "x" else np.array(extents)[:, 2:]
        getattr(ax, f"set_{way}lim")(ends.min(), ends.max(), auto=None)


def _axis_scale(frequencies: np.ndarray) -> tuple[Any, Any]:
    """Return functions from Hz to an axis on which the bands are even, and back."""
    tolerance = 1e-6 * frequencies[-1]
    if np.allclose(np.diff(frequencies, n=2), 0, atol=tolerance):
        return np.positive, np.positive
    mels = _hertz_to_mel(frequencies)
    if np.allclose(np.diff(mels, n=2), 0, atol=1e-6 * mels[-1]):
        return _hertz_to_mel, _mel_to_hertz
    numbers = np.arange(len(frequencies), dtype=float)
    return _interpolation(frequencies, numbers), _interpolation(numbers, frequencies)


def _hertz_to_mel(hertz: Any) -> Any:
    """Return HTK's mel of frequencies, as `mel_frequencies` has it; linear below 0 Hz."""
    hertz = np.asarray(hertz, dtype=float)
    slope = 2595 / (700 * math.log(10))
    return np.where(hertz < 0, slope * hertz, 2595 * np.log10(1 + np.maximum(hertz, 0) / 700))


def _mel_to_hertz(mels: Any) -> Any:
    mels = np.asarray(mels, dtype=float)
    slope = 700 * math.log(10) / 2595
    return np.where(mels < 0, slope * mels, 700 * (10 ** (np.maximum(mels, 0) / 2595) - 1))


def _interpolation(x: np.ndarray, y: np.ndarray) -> Any:
    """Return a function through points that goes on straight beyond the first and the last."""
    first, last = ((y[i + 1] - y[i]) / (x[i + 1] - x[i]) for i in (0, -2))

    def at(values: Any) -> Any:
        values = np.asarray(values, dtype=float)
        below, above = np.minimum(values - x[0], 0), np.maximum(values - x[-1], 0)
        return np.interp(values, x, y) + first * below + last * above

    return at


def _frequency_ticks(frequencies: np.ndarray) -> Iterator[float]:
    """Yield the frequencies to label: octaves on a mel scale, even steps on a linear one."""
    from matplotlib.ticker import MaxNLocator

    low, high = frequencies[0], frequencies[-1]
    if np.allclose(np.diff(frequencies, n=2), 0, atol=1e-6 * high):
        candidates = list(MaxNLocator(6).tick_values(low, high))
    else:
        candidates = [250 * 2.0**octave for octave in range(9)]
    return (float(f) for f in candidates if low <= f <= high)
