"""A generator of labelled synthetic recordings whose classes differ in temporal order."""

from __future__ import annotations

import os
from collections.abc import Callable
from numbers import Integral, Real
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

from skaudeep._files import replacing
from skaudeep.datasets.bunch import fold_columns, make_bunch
from skaudeep.datasets.files import join, list_audio
from skaudeep.datasets.x_y import BunchOrXy, bunch_or_X_y

Samples = npt.NDArray[np.float64]

LOWEST_RATE = 8000  # Hz; the highest partial, below 3.4 kHz, must fit
SHORTEST = 0.1  # seconds


# Each function below makes the first sound of a pair, from the times of its samples in seconds and
# a generator. The second sound is the first one played backwards, or, for the tremolo, at another
# speed.


def _sweep(time: Samples, rng: np.random.Generator) -> Samples:
    """Glide upwards by one to two octaves, with two overtones."""
    low = rng.uniform(250, 500)
    pitch = low * 2 ** (rng.uniform(1, 1.7) * time / time[-1])
    phase = 2 * np.pi * np.cumsum(pitch) * time[1]
    return np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.2 * np.sin(3 * phase)


def _tones(time: Samples, rng: np.random.Generator) -> Samples:
    """Sound a low tone, then a higher one."""
    low = rng.uniform(300, 700)
    high = low * rng.uniform(1.4, 2)
    phase = 2 * np.pi * np.where(time < time[-1] / 2, low, high) * time
    gap = np.minimum(1, np.abs(time - time[-1] / 2) / 0.01)
    return gap * (np.sin(phase) + 0.5 * np.sin(2 * phase))


def _clicks(time: Samples, rng: np.random.Generator) -> Samples:
    """Repeat short noise bursts at a growing rate."""
    n_clicks = rng.integers(9, 14)
    onsets = np.linspace(0, 1, n_clicks) ** rng.uniform(0.4, 0.55) * 0.97 * time[-1]
    samples = np.zeros(len(time))
    width = round(0.006 / time[1])
    for onset in (onsets / time[1]).astype(int):
        burst = np.hanning(width) * rng.standard_normal(width)
        samples[onset : onset + width] += burst[: len(samples) - onset]
    return samples


def _slow_tremolo(time: Samples, rng: np.random.Generator) -> Samples:
    """Modulate noise three to four times a second."""
    return _tremolo(time, rng, rng.uniform(3, 4))


def _fast_tremolo(time: Samples, rng: np.random.Generator) -> Samples:
    """Modulate noise eight to eleven times a second."""
    return _tremolo(time, rng, rng.uniform(8, 11))


def _tremolo(time: Samples, rng: np.random.Generator, rate: float) -> Samples:
    envelope = 0.5 + 0.5 * np.sin(2 * np.pi * (rate * time + rng.uniform()))
    return envelope * rng.standard_normal(len(time))


def _swell(time: Samples, rng: np.random.Generator) -> Samples:
    """Let noise grow by 20 to 40 dB."""
    gain = rng.uniform(20, 40) * (time / time[-1] - 1)
    return 10 ** (gain / 20) * rng.standard_normal(len(time))


class _Sound(NamedTuple):
    make: Callable[[Samples, np.random.Generator], Samples]
    backwards: bool = False


SOUNDS = {
    "rising sweep": _Sound(_sweep),
    "falling sweep": _Sound(_sweep, backwards=True),
    "low-high tones": _Sound(_tones),
    "high-low tones": _Sound(_tones, backwards=True),
    "hastening clicks": _Sound(_clicks),
    "slackening clicks": _Sound(_clicks, backwards=True),
    "slow tremolo": _Sound(_slow_tremolo),
    "fast tremolo": _Sound(_fast_tremolo),
    "swelling noise": _Sound(_swell),
    "fading noise": _Sound(_swell, backwards=True),
}


class _Session(NamedTuple):
    """Properties that all recordings of a session share."""

    level: float  # dB re full scale, root mean square of the event
    snr: float  # dB, event to background
    tilt: float  # exponent of the background's power spectrum: 0 white, 1 pink, 2 brown
    impulse_response: Samples


def _make_session(sampling_rate: int, rng: np.random.Generator) -> _Session:
    decay = rng.uniform(0.1, 0.4)  # seconds until the reverberation is down by 60 dB
    time = np.arange(round(decay * sampling_rate)) / sampling_rate
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / decay)
    tail *= 10 ** (rng.uniform(-12, -3) / 20) / np.linalg.norm(tail)
    tail[0] = 1  # the direct sound
    return _Session(rng.uniform(-35, -20), rng.uniform(8, 25), rng.uniform(0, 2), tail)


def _record(
    sound: _Sound, session: _Session, n_samples: int, sampling_rate: int, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Add the reverberation and the background noise of a session to a sound."""
    n_event = round(rng.uniform(0.7, 0.9) * n_samples)
    start = rng.integers(0, n_samples - n_event + 1)
    event = sound.make(np.arange(n_event) / sampling_rate, rng)
    fade = min(round(0.01 * sampling_rate), n_event // 2)
    event[:fade] *= np.linspace(0, 1, fade)
    event[-fade:] *= np.linspace(1, 0, fade)
    dry = np.zeros(n_samples)
    dry[start : start + n_event] = event[::-1] if sound.backwards else event

    n_fft = n_samples + len(session.impulse_response) - 1
    spectrum = np.fft.rfft(dry, n_fft) * np.fft.rfft(session.impulse_response, n_fft)
    wet = np.fft.irfft(spectrum, n_fft)[:n_samples]

    background = np.fft.rfft(rng.standard_normal(n_samples))
    frequency = np.maximum(np.fft.rfftfreq(n_samples, 1 / sampling_rate), 50)
    noise = np.fft.irfft(background * frequency ** (-session.tilt / 2), n_samples)

    level = session.level + rng.uniform(-3, 3)
    mix = _at_level(wet, level) + _at_level(noise, level - session.snr)
    return (mix / max(1, np.abs(mix).max())).astype(np.float32)


def _at_level(samples: Samples, decibels: float) -> Samples:
    return samples * (10 ** (decibels / 20) / np.sqrt(np.mean(samples**2)))


def make_sounds(
    n_clips: int = 200,
    *,
    n_classes: int = 8,
    n_sessions: int = 5,
    sampling_rate: int = 16000,
    duration: float | tuple[float, float] = 1.0,
    folder: str | os.PathLike[str] | None = None,
    random_state: int | np.random.RandomState | None = None,
    return_X_y: bool = False,
) -> BunchOrXy:
    """Generate labelled recordings, in pairs of classes that differ in temporal order alone.

    The classes come in pairs with the same long-term spectrum: sweeps up and down, two tones low
    then high and high then low, clicks that become faster and slower, noise with a slow and a fast
    tremolo, noise that swells and fades. Except for the tremolos, the sounds of a pair are the same
    sound played forwards and backwards, so that no average over time separates them.

    Each recording session has its own level, background noise and reverberation. It is a fold and a
    group: a clip is tested in the fold of its session, so that a classifier is tested on a session
    that it was not trained on. Pitch, timing and onset vary from clip to clip.

    Parameters
    ----------
    n_clips : int, default=200
        Number of clips, at least `n_classes * n_sessions`. If it is a multiple of this product, the
        classes are balanced in every session. With the same other parameters, the first clips are
        the same for any number.
    n_classes : int in [2, 10], default=8
        Number of classes, which are taken from the list above in its order.
    n_sessions : int >= 1, default=5
        Number of recording sessions, and of folds. With a single session there are no folds.
    sampling_rate : int >= 8000, default=16000
        Sampling rate in Hz.
    duration : float >= 0.1 or (low, high), default=1.0
        Length of a clip in seconds, or the range from which each clip's length is drawn, uniformly.
    folder : str or Path, default=None
        Folder to which the clips are written, as float WAV files
        `fold_<session>/<class>/<number>.wav`, or `<class>/<number>.wav` of a single session.
        ``load_folder(folder, groups="fold_[0-9]+")`` reads them again with their sessions as
        groups. Clips of an earlier call are overwritten. With
        None the clips stay in memory.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the clips. An int gives the same clips in every call, in memory or on
        disk, None others.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds folds, groups and the names of classes.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`make_bunch`, and in addition

        data : ndarray of float32 of shape (n_clips, n_samples), or of object, or of str
            Waveforms in [-1, 1]. If `duration` is a range, an array of objects, each a waveform of
            shape (n_samples,). With `folder`, the paths of the clips.
        sampling_rate : int
            Sampling rate in Hz.

        `groups` holds the sessions.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    FileExistsError
        If `folder` holds audio files that are not of this set.

    Examples
    --------
    >>> from skaudeep.datasets import make_sounds
    >>> sounds = make_sounds(20, n_classes=4, random_state=0)
    >>> sounds.data.shape, sounds.folds.shape
    ((20, 16000), (20, 5))
    >>> sounds.target_names
    ['rising sweep', 'falling sweep', 'low-high tones', 'high-low tones']
    """
    shortest, longest = _check_parameters(n_clips, n_classes, n_sessions, sampling_rate, duration)
    classes = list(SOUNDS)[:n_classes]
    target = np.arange(n_clips) % n_classes
    session_of = np.arange(n_clips) // n_classes % n_sessions
    names = [f"{classes[target[clip]]}/{clip:05d}.wav" for clip in range(n_clips)]
    if n_sessions > 1:  # a single fold would have no training clips
        names = [f"fold_{session_of[clip] + 1}/{name}" for clip, name in enumerate(names)]
    if folder is not None:
        folder = Path(folder).expanduser()
        _check_no_other_audio(folder, names)

    # One generator per session and per clip, so that the draws of one never affect another.
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    sessions = [
        _make_session(sampling_rate, np.random.default_rng([seed, 0, session]))
        for session in range(n_sessions)
    ]
    waveforms = []
    for clip, name in enumerate(names):
        rng = np.random.default_rng([seed, 1, clip])
        n_samples = round(rng.uniform(shortest, longest) * sampling_rate)
        waveform = _record(
            SOUNDS[classes[target[clip]]],
            sessions[session_of[clip]],
            n_samples,
            sampling_rate,
            rng,
        )
        if folder is None:
            waveforms.append(waveform)
        else:
            _write(folder / name, waveform, sampling_rate)

    session_names = [f"session {session + 1}" for session in session_of]
    folds, fold_names = (None, None) if n_sessions == 1 else fold_columns(session_names)
    bunch = make_bunch(
        _stack(waveforms) if folder is None else join(folder, names),
        names,
        target=target,
        target_names=classes,
        folds=folds,
        fold_names=fold_names,
        groups=session_names,
        dims=("clip", "sample") if folder is None else None,
        descr=f"{n_clips} synthetic sounds of {n_classes} classes in {n_sessions} sessions, "
        f"{sampling_rate} Hz, made by skaudeep.datasets.make_sounds.",
    )
    bunch.sampling_rate = sampling_rate
    return bunch_or_X_y(bunch, return_X_y)


def _check_parameters(
    n_clips: int,
    n_classes: int,
    n_sessions: int,
    sampling_rate: int,
    duration: float | tuple[float, float],
) -> tuple[float, float]:
    for name, value, low, high in (
        ("n_classes", n_classes, 2, len(SOUNDS)),
        ("n_sessions", n_sessions, 1, None),
        ("sampling_rate", sampling_rate, LOWEST_RATE, None),
    ):
        if not isinstance(value, Integral) or value < low or (high and value > high):
            raise ValueError(
                f"Got {name}={value!r}, expected an integer of at least {low}"
                + (f" and at most {high}." if high else ".")
            )
    if not isinstance(n_clips, Integral) or n_clips < n_classes * n_sessions:
        raise ValueError(
            f"Got n_clips={n_clips!r}, expected an integer of at least n_classes * n_sessions = "
            f"{n_classes * n_sessions}, so that each session has each class. Ask for more clips, "
            "or for fewer classes or sessions."
        )
    bounds = (duration, duration) if isinstance(duration, Real) else duration
    if (
        not isinstance(bounds, tuple | list)
        or [isinstance(bound, Real) for bound in bounds] != [True, True]
        or not SHORTEST <= bounds[0] <= bounds[1] < np.inf
    ):
        raise ValueError(
            f"Got duration={duration!r}, expected seconds, at least {SHORTEST}, or a range "
            "(low, high) of them."
        )
    return bounds[0], bounds[1]


def _stack(waveforms: list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32 | np.object_]:
    if len({len(waveform) for waveform in waveforms}) == 1:
        return np.stack(waveforms)
    data = np.empty(len(waveforms), dtype=object)
    data[:] = waveforms
    return data


def _check_no_other_audio(folder: Path, names: list[str]) -> None:
    try:
        others = set(list_audio(folder)).difference(names)
    except FileNotFoundError:
        return
    if others:
        raise FileExistsError(
            f"Got folder={str(folder)!r}, which holds {len(others)} audio files that are not of "
            f"this set, first {min(others)!r}. Give an empty folder."
        )


def _write(path: Path, waveform: npt.NDArray[np.float32], sampling_rate: int) -> None:
    from scipy.io import wavfile

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        wavfile.write(temporary, sampling_rate, waveform)
