"""Spectra of a recording that arrives in blocks, equal to those of the whole recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skaudeep.audio.chain import MAX_PEAK, band_power, clip_decibels, excess, scale_decibels
from skaudeep.audio.decoding import mix_channels, pre_emphasize
from skaudeep.audio.errors import AudioError
from skaudeep.audio.frames import frame_layout
from skaudeep.audio.spectra import full_scale_power, to_decibels

# Number of samples that are processed together, so that a long block needs little more memory.
MAX_FRAMES, MAX_SAMPLES = 256, 2**16


class BlockSpectra:
    """Turn blocks of samples into frames, each as soon as its last sample is there.

    The frames are bit-identical to those of the extractor for the whole recording, however it is
    divided into blocks: the first frame begins with the first sample, and nothing is padded.
    Samples at the end that do not fill a frame are left out. There is one exception: a recording
    that is constant, but not 0, is silence as a whole; here its frames are rounding errors, about
    130 dB below full scale.

    Parameters
    ----------
    parameters : mapping
        Parameters of a :class:`~skaudeep.SpectrogramExtractor`, already checked.
    sampling_rate : float
        Rate of the samples in Hz. If the extractor has another rate, they are resampled, which
        delays them by about 0.1 s.

    Raises
    ------
    ValueError
        If a parameter makes frames depend on the recording as a whole, or does not suit the rate.

    Attributes
    ----------
    layout : FrameLayout
        Frames and bands.

    Examples
    --------
    >>> from skaudeep import SpectrogramExtractor
    >>> extractor = SpectrogramExtractor(n_mels=40, sampling_rate=8000, reference="full_scale")
    >>> noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 8000)).astype(np.float32)
    >>> spectra = BlockSpectra(extractor.get_params(), 8000)
    >>> frames = [frame for block in np.split(noise, 10, axis=1) for frame in spectra.add(block)]
    >>> bool((np.concatenate(frames) == extractor.transform(noise)[0]).all())
    True
    """

    def __init__(self, parameters: Mapping[str, Any], sampling_rate: float) -> None:
        _check_local(parameters)
        self._parameters = parameters
        rate = parameters["sampling_rate"] or sampling_rate
        names = ("window_duration", "hop_duration", "n_mels", "fmin", "fmax", "adapt")
        self.layout = frame_layout(rate, *(parameters[name] for name in names))
        self._rates = (sampling_rate, rate)
        self._resampler: Any = None
        self._n_channels = 0
        self._n_samples = 0  # number of samples that were processed
        self._last = np.zeros(0, np.float32)  # the sample before, where pre-emphasis needs it
        self._kept = np.zeros(0, np.float32)  # from the first sample of the next frame on
        self._skipped = 0  # samples until that, where frames leave gaps

    def add(self, samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Take a block, and yield the frames that it completes.

        Parameters
        ----------
        samples : ndarray of shape (n_channels, n_samples), float32
            The block.

        Yields
        ------
        ndarray of shape (n_frames, n_bands), float32
            Frames in [-1, 1]. The frames of a long block come in several parts.

        Raises
        ------
        AudioError
            If a sample peaks beyond what full scale at 1 can explain, after the frames before it;
            or if the wanted channel is missing.
        """
        step = min(MAX_FRAMES * self.layout.hop, MAX_SAMPLES)
        for start in range(0, samples.shape[1], step):
            yield from self._add(samples[:, start : start + step], last=False)

    def end(self) -> Iterator[NDArray[np.float32]]:
        """Yield the last frames, which the end of the recording completes if it is resampled."""
        if self._resampler is not None:
            yield from self._add(np.zeros((self._n_channels, 0), np.float32), last=True)

    def _add(self, samples: NDArray[np.float32], *, last: bool) -> Iterator[NDArray[np.float32]]:
        own, rate = self._rates
        if own != rate:
            if self._resampler is None:
                import soxr

                self._n_channels = len(samples)
                self._resampler = soxr.ResampleStream(own, rate, len(samples), dtype="float32")
            rows = self._resampler.resample_chunk(np.ascontiguousarray(samples.T), last=last)
            samples = np.ascontiguousarray(rows.T)
        at = f"stream at {self._n_samples / rate:.6g} s"
        try:
            level = self._level(mix_channels(samples, self._parameters["channel"]))
        except AudioError as error:
            raise error.renamed(at) from None
        if not level.size:
            return
        beyond = np.abs(level) > MAX_PEAK
        n_good = int(beyond.argmax()) if beyond.any() else len(level)
        frames = self._frames(level[:n_good])
        if len(frames):
            yield frames
        if n_good < len(level):
            raise excess(f"stream at {self._n_samples / rate:.6g} s", float(abs(level[n_good])))

    def _level(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pre-emphasise, from block to block."""
        coefficient = self._parameters["pre_emphasis"]
        if not coefficient or not samples.size:
            return samples
        before, self._last = self._last, samples[-1:].copy()
        return pre_emphasize(np.concatenate([before, samples]), coefficient)[len(before) :]

    def _frames(self, level: NDArray[np.float32]) -> NDArray[np.float32]:
        window, hop = self.layout.window, self.layout.hop
        self._n_samples += len(level)
        n_skipped = min(self._skipped, len(level))
        self._skipped -= n_skipped
        kept = np.concatenate([self._kept, level[n_skipped:]])
        n_frames = max(0, (len(kept) - window) // hop + 1)
        done = n_frames * hop
        self._kept, self._skipped = kept[done:], self._skipped + max(0, done - len(kept))
        if not n_frames:
            return np.zeros((0, self.layout.n_bands), np.float32)
        p = self._parameters
        power = band_power(kept, self.layout, p["mel_norm"], p["fmin"], p["fmax"])
        decibels = to_decibels(power, full_scale_power(window))
        thresholds = p["clip_below"], p["clip_above"]
        return scale_decibels(clip_decibels(decibels, *thresholds), *thresholds)


def _check_local(parameters: Mapping[str, Any]) -> None:
    """Raise a ValueError if parameters make a frame depend on more than its own samples."""
    reference, duration = parameters["reference"], parameters["duration"]
    chunk_duration = parameters["chunk_duration"]
    if reference != "full_scale":
        what = f"reference={reference!r}, by which levels are relative to a recording's maximum"
    elif duration is not None:
        what = f"duration={duration}, by which recordings are cut or padded"
    elif chunk_duration is not None:
        what = f"chunk_duration={chunk_duration}, by which recordings are cut into chunks"
    else:
        return
    raise ValueError(
        f"Got a SpectrogramExtractor with {what}, expected one whose frames depend on their own "
        'samples alone: reference="full_scale", duration=None and chunk_duration=None. Fit the '
        "pipeline with these, or process windows: give duration= to skaudeep.stream."
    )
