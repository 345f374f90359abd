"""A generator of recordings whose labels change over time, as listeners would give them."""

from __future__ import annotations

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from skaudeep.datasets.bunch import make_bunch
from skaudeep.datasets.sounds import LOWEST_RATE, SHORTEST

Samples = npt.NDArray[np.float64]

CURVES = ("loudness", "pitch")
CURVE_RATE = 20  # Hz, of the knots between which curves are straight
DEPTH = 0.5  # depth of the modulation of amplitudes
WANDER = 1.2  # s, standard deviation of the Gaussian that smooths them


class _Voice(NamedTuple):
    """Properties that all recordings of a speaker share."""

    tilt: float  # the amplitude of harmonic k is k to the power of minus this
    pitch: float  # octaves re 200 Hz, of a pitch of 0
    level: float  # dB re full scale, of a loudness of 0
    noise: float  # dB re full scale, of the background
    beats: float  # Hz, of the modulation of its amplitude, as syllables modulate speech


def _make_voice(rng: np.random.Generator) -> _Voice:
    return _Voice(
        tilt=rng.uniform(0.8, 1.6),
        pitch=rng.normal(0, 0.03),
        level=rng.normal(-30, 0.7),
        noise=rng.uniform(-75, -65),
        beats=rng.uniform(3, 6),
    )


def _draw_curve(knots: Samples, rng: np.random.Generator) -> Samples:
    """Draw a curve in (-1, 1) that wanders slowly."""
    from scipy.ndimage import gaussian_filter1d

    sigma = WANDER * CURVE_RATE
    margin = round(4 * sigma)
    noise = rng.standard_normal(len(knots) + 2 * margin)
    smooth = gaussian_filter1d(noise, sigma)[margin : margin + len(knots)]
    return np.tanh(smooth * np.sqrt(2 * np.sqrt(np.pi) * sigma))


def _record(
    voice: _Voice,
    curves: dict[str, Samples],
    sampling_rate: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.float32]:
    fundamental = 200 * 2 ** (voice.pitch + curves["pitch"])  # Hz
    turns = np.cumsum(fundamental) / sampling_rate
    tone, power = np.zeros(len(turns)), 0.0
    for k in range(1, int(0.4 * sampling_rate / fundamental.max()) + 1):
        tone += k**-voice.tilt * np.sin(2 * np.pi * (k * turns + rng.uniform()))
        power += k ** (-2 * voice.tilt) / 2
    beats = voice.beats * np.arange(len(turns)) / sampling_rate
    tone *= (1 + DEPTH * np.sin(2 * np.pi * (beats + rng.uniform()))) / np.sqrt(1 + DEPTH**2 / 2)
    own = 10 ** ((voice.level + 12 * curves["loudness"]) / 20) * tone / np.sqrt(power)
    mix = own + 10 ** (voice.noise / 20) * rng.standard_normal(len(own))
    return (mix / max(1, np.abs(mix).max())).astype(np.float32)


def make_labelled_recordings(
    n_recordings: int = 20,
    *,
    n_speakers: int | None = None,
    sampling_rate: int = 8000,
    duration: float = 30.0,
    delay: float = 2.0,
    label_rate: float = 25.0,
    noise: float = 0.1,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Generate recordings of varying loudness and pitch, with delayed labels of both.

    A recording is a tone with harmonics over background noise. Its level varies by up to 12 dB up
    and down, and its pitch by up to an octave up and down: both are proportional to curves in
    (-1, 1), which are random noise smoothed by a Gaussian with a standard deviation of 1.2 s.
    Syllables, 3 to 6 per second, modulate its amplitude, so that a single frame does not show how
    loud it is. The labels are the curves as a listener would draw them: delayed, at another rate,
    and with errors.

    Parameters
    ----------
    n_recordings : int >= 1, default=20
        Number of recordings. With the same other parameters, the first recordings are the same for
        any number.
    n_speakers : int >= 1, default=None
        Number of speakers, who take turns. Recordings of a speaker share timbre, rate of syllables,
        mean level, mean pitch and level of the background. None: each recording has a speaker of
        its own.
    sampling_rate : int >= 8000, default=8000
        Sampling rate in Hz.
    duration : float >= 0.1, default=30.0
        Length of a recording in seconds.
    delay : float >= 0, default=2.0
        Time in seconds from a sound to its label. The labels of the first `delay` seconds belong to
        sound before the recording.
    label_rate : float >= 0.001, default=25.0
        Number of labels per second. The first label of a recording is at 0 s.
    noise : float >= 0, default=0.1
        Standard deviation of the error of a label. The standard deviation of the curves is about
        0.6.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of recordings and labels. An int gives the same ones in every call, None
        others.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`make_bunch`, and in addition

        data : ndarray of float32 of shape (n_recordings, n_samples)
            Waveforms in [-1, 1].
        labels : pandas.DataFrame
            A table for :func:`frame_targets`, with the columns ``file`` (one of `filenames`),
            ``time`` in seconds, ``loudness`` and ``pitch``: the curves, mostly within (-1, 1), plus
            the errors.
        delay : float
            Delay of the labels in seconds.
        sampling_rate : int
            Sampling rate in Hz.

        `groups` holds the speakers; it is "" if `n_speakers` is None. In `target` no clip is
        labelled.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    See Also
    --------
    skaudeep.PerFrame : Learns such labels with their delay.

    Examples
    --------
    >>> from skaudeep.datasets import make_labelled_recordings
    >>> recordings = make_labelled_recordings(3, duration=4.0, label_rate=5, random_state=0)
    >>> recordings.data.shape, recordings.labels.shape
    ((3, 32000), (60, 4))
    >>> recordings.labels.columns.tolist()
    ['file', 'time', 'loudness', 'pitch']
    """
    for name, count, least in (
        ("n_recordings", n_recordings, 1),
        ("n_speakers", 1 if n_speakers is None else n_speakers, 1),
        ("sampling_rate", sampling_rate, LOWEST_RATE),
    ):
        if not isinstance(count, Integral) or count < least:
            raise ValueError(f"Got {name}={count!r}, expected an integer of at least {least}.")
    for name, value, low in (
        ("duration", duration, SHORTEST),
        ("delay", delay, 0),
        ("label_rate", label_rate, 1e-3),
        ("noise", noise, 0),
    ):
        if not isinstance(value, Real) or not low <= value < np.inf:
            raise ValueError(f"Got {name}={value!r}, expected a number of at least {low}.")
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    # The first labels belong to sound before the recording.
    knots = np.arange(-delay, duration + 1 / CURVE_RATE, 1 / CURVE_RATE)
    time = np.arange(round(duration * sampling_rate)) / sampling_rate
    at = np.arange(0, duration, 1 / label_rate)
    names = [f"recording_{number:04d}.wav" for number in range(n_recordings)]
    waveforms, tables, speakers = [], [], []
    for number, name in enumerate(names):
        # One generator per recording, so that the draws of one never affect another.
        rng = np.random.default_rng([seed, 0, number])
        speaker = number if n_speakers is None else number % n_speakers
        curves = {curve: _draw_curve(knots, rng) for curve in CURVES}
        heard = {curve: np.interp(time, knots, values) for curve, values in curves.items()}
        voice = _make_voice(np.random.default_rng([seed, 1, speaker]))
        waveforms.append(_record(voice, heard, sampling_rate, rng))
        said = {
            curve: np.interp(at - delay, knots, values) + noise * rng.standard_normal(len(at))
            for curve, values in curves.items()
        }
        tables.append(pd.DataFrame({"file": name, "time": at, **said}))
        speakers.append("" if n_speakers is None else f"speaker {speaker + 1}")
    bunch = make_bunch(
        np.stack(waveforms),
        names,
        groups=speakers,
        dims=("clip", "sample"),
        descr=f"{n_recordings} synthetic recordings of {duration:g} s with labels of loudness and "
        f"pitch {delay:g} s later, {sampling_rate} Hz, made by "
        "skaudeep.datasets.make_labelled_recordings.",
    )
    bunch.labels = pd.concat(tables, ignore_index=True)
    bunch.delay = float(delay)
    bunch.sampling_rate = sampling_rate
    return bunch
