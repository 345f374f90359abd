"""A generator of synthetic machine sounds, normal ones and ones with known faults."""

from __future__ import annotations

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

from skaudeep.datasets.bunch import make_bunch
from skaudeep.datasets.sounds import LOWEST_RATE, SHORTEST
from skaudeep.datasets.x_y import BunchOrXy, bunch_or_X_y

Samples = npt.NDArray[np.float64]

FAULTS = ("level", "rate", "ticks", "missing tone", "added tone")


class _Machine(NamedTuple):
    """Properties that all recordings of a machine share."""

    level: float  # dB re full scale, root mean square
    rotation: float  # Hz
    harmonics: Samples  # amplitudes of the multiples of the rotation
    ratios: Samples  # frequencies of the tones, such as those of gears, in rotations
    tones: Samples  # their amplitudes
    cycle: float  # Hz, of the load, such as a stroke of a pump
    depth: float  # depth of the modulation by the load, in [0, 1]
    resonances: Samples  # resonances of the noise: centre in Hz, width in octaves, level in dB
    noise: float  # dB re the tonal part
    snr: float  # dB, machine to background
    tilt: float  # exponent of the background's power spectrum: 0 white, 1 pink, 2 brown


class _Session(NamedTuple):
    """Properties that all recordings of a session share, relative to the mean of the machine."""

    level: float  # dB
    speed: float  # factor
    snr: float  # dB
    tilt: float


class _Fault(NamedTuple):
    """Differences of a faulty recording from normal recordings of the machine."""

    level: float = 0.0  # dB
    speed: float = 1.0  # factor
    ticks: float = 0.0  # Hz
    tick_level: float = 0.0  # dB, peak re the root mean square of the machine
    missing: bool = False
    added: float = 0.0  # Hz
    added_level: float = 0.0  # dB re the machine


def _make_machine(sampling_rate: int, rng: np.random.Generator) -> _Machine:
    highest = 0.4 * sampling_rate
    rotation = rng.uniform(20, 60)
    n_harmonics = rng.integers(6, 16)
    n_tones = rng.integers(2, 5)
    n_resonances = rng.integers(2, 5)
    frequencies = np.exp(rng.uniform(np.log(400), np.log(0.8 * highest), n_tones))
    return _Machine(
        level=rng.uniform(-32, -22),
        rotation=rotation,
        harmonics=10 ** (rng.uniform(-12, 0, n_harmonics) / 20) / np.arange(1, n_harmonics + 1),
        ratios=frequencies / rotation,
        tones=10 ** (rng.uniform(-16, -6, n_tones) / 20),
        cycle=rng.uniform(1.5, 6),
        depth=rng.uniform(0.2, 0.8),
        resonances=np.column_stack(
            [
                np.exp(rng.uniform(np.log(200), np.log(highest), n_resonances)),
                rng.uniform(0.2, 1, n_resonances),
                rng.uniform(6, 20, n_resonances),
            ]
        ),
        noise=rng.uniform(-8, 4),
        snr=rng.uniform(5, 20),
        tilt=rng.uniform(0, 2),
    )


def _make_session(rng: np.random.Generator) -> _Session:
    return _Session(rng.normal(0, 1), rng.normal(1, 0.01), rng.normal(0, 2), rng.normal(0, 0.2))


def _make_fault(name: str, sampling_rate: int, rng: np.random.Generator) -> _Fault:
    way = rng.choice([-1, 1])
    if name == "level":
        return _Fault(level=way * rng.uniform(4, 8))
    if name == "rate":
        return _Fault(speed=rng.uniform(1.06, 1.2) ** way)
    if name == "ticks":
        return _Fault(ticks=rng.uniform(2, 8), tick_level=rng.uniform(0, 12))
    if name == "missing tone":
        return _Fault(missing=True)
    if name == "added tone":
        frequency = np.exp(rng.uniform(np.log(300), np.log(0.4 * sampling_rate)))
        return _Fault(added=frequency, added_level=rng.uniform(-28, -14))
    return _Fault()


def _record(
    machine: _Machine,
    session: _Session,
    fault: _Fault,
    n_samples: int,
    sampling_rate: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.float32]:
    time = np.arange(n_samples) / sampling_rate
    # The speed wanders within a clip, and differs from clip to clip.
    drift = 1 + 0.003 * np.sin(2 * np.pi * (rng.uniform(0.2, 0.6) * time + rng.uniform()))
    speed = session.speed * fault.speed * rng.normal(1, 0.008)
    turns = speed * machine.rotation * np.cumsum(drift) / sampling_rate
    orders = np.arange(1, len(machine.harmonics) + 1)
    tones = machine.tones * 10 ** (rng.normal(0, 1, len(machine.tones)) / 20)
    if fault.missing:
        tones = np.where(tones == tones.max(), 0, tones)
    tonal = sum(
        amplitude * np.sin(2 * np.pi * (order * turns + rng.uniform()))
        for order, amplitude in [
            *zip(orders, machine.harmonics, strict=True),
            *zip(machine.ratios, tones, strict=True),
        ]
    )
    # Levels are relative to the machine without a missing tone.
    power = (machine.harmonics @ machine.harmonics + machine.tones @ machine.tones) / 2
    tonal = tonal / np.sqrt(power)
    frequency = np.fft.rfftfreq(n_samples, 1 / sampling_rate)
    octaves = np.log2(np.maximum(frequency, 20))
    gain = 1 + sum(
        10 ** (level / 20) * np.exp(-(((octaves - np.log2(centre)) / width) ** 2))
        for centre, width, level in machine.resonances
    )
    noise = np.fft.irfft(gain * np.fft.rfft(rng.standard_normal(n_samples)), n_samples)
    phase = speed * machine.cycle * time + rng.uniform()
    load = 1 + machine.depth * np.sin(2 * np.pi * phase)
    own = load * (tonal + _unit(noise) * 10 ** (machine.noise / 20))
    # A missing tone must not change the level of the others.
    own /= np.sqrt((1 + machine.depth**2 / 2) * (1 + 10 ** (machine.noise / 10)))
    if fault.ticks:
        own += _ticks(fault, n_samples, sampling_rate, rng)
    if fault.added:
        whine = np.sin(2 * np.pi * (fault.added / machine.rotation * turns + rng.uniform()))
        own += np.sqrt(2) * 10 ** (fault.added_level / 20) * whine

    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    tilt = machine.tilt + session.tilt + rng.normal(0, 0.1)
    background = np.fft.irfft(spectrum * np.maximum(frequency, 50) ** (-tilt / 2), n_samples)
    snr = machine.snr + session.snr + rng.normal(0, 1)
    level = machine.level + session.level
    own_level = level + fault.level + rng.normal(0, 0.7)
    mix = 10 ** (own_level / 20) * own + 10 ** ((level - snr) / 20) * _unit(background)
    return (mix / max(1, np.abs(mix).max())).astype(np.float32)


def _unit(samples: Samples) -> Samples:
    return samples / np.sqrt(np.mean(samples**2))


def _ticks(fault: _Fault, n_samples: int, sampling_rate: int, rng: np.random.Generator) -> Samples:
    """Return short bursts at a regular rate, relative to a machine of root mean square 1."""
    samples = np.zeros(n_samples)
    width = max(round(0.003 * sampling_rate), 2)
    period = sampling_rate / fault.ticks
    for onset in np.arange(rng.uniform(0, period), n_samples - width, period):
        start = int(onset)
        burst = np.exp(-np.arange(width) / (0.2 * width)) * rng.standard_normal(width)
        samples[start : start + width] += burst
    return 10 ** (fault.tick_level / 20) * samples


def make_machines(
    n_machines: int = 3,
    *,
    n_train: int = 100,
    n_normal: int = 50,
    n_faulty: int = 10,
    n_sessions: int | None = None,
    sampling_rate: int = 16000,
    duration: float = 2.0,
    random_state: int | np.random.RandomState | None = None,
    return_X_y: bool = False,
) -> BunchOrXy:
    """Generate recordings of machines for anomaly detection: normal ones, and some with faults.

    The sound of a machine consists of the harmonics of its rotation, of tones that are proportional
    to its speed, such as those of gears, and of noise with resonances. All are modulated by a cycle
    of the load, over background noise. Speed, level, tones and background vary from clip to clip.
    There are five faults:

    - "level": the machine is 4 to 8 dB louder or softer, over the same background,
    - "rate": the machine runs faster by a factor of 1.06 to 1.2, or slower by such a factor,
    - "ticks": 2 to 8 bursts of 3 ms each second,
    - "missing tone": the loudest of two to four tones is missing,
    - "added tone": a whine 14 to 28 dB below the machine.

    Parameters
    ----------
    n_machines : int >= 1, default=3
        Number of machines. With the same other parameters, the first machines are the same for any
        number.
    n_train : int >= 1, default=100
        Number of normal clips of each machine in the partition "train".
    n_normal : int >= 1, default=50
        Number of normal clips of each machine in the partition "test".
    n_faulty : int >= 1, default=10
        Number of clips of each machine with each fault, in the partition "test".
    n_sessions : int >= 1, default=None
        Number of sessions of the training clips of a machine, and of its test clips. Clips of a
        session have similar level, speed and background. None: each clip is a session of its own,
        so that clips are independent.
    sampling_rate : int >= 8000, default=16000
        Sampling rate in Hz.
    duration : float >= 0.1, default=2.0
        Length of a clip in seconds.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the clips. An int gives the same clips in every call, None others.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds partitions, sessions and the names of classes.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`make_bunch`, and in addition

        data : ndarray of float32 of shape (n_clips, n_samples)
            Waveforms in [-1, 1].
        machine : ndarray of shape (n_clips,) of str
            Name of the machine.
        fault : ndarray of shape (n_clips,) of str
            Name of the fault; "" for a normal clip.
        sampling_rate : int
            Sampling rate in Hz.

        For each machine there are first its training clips, then its normal test clips, then those
        with faults. `target` is 0 for "normal" and 1 for "anomaly". `partition` is "train" or
        "test". There are no folds. `groups` holds the sessions; it is "" if `n_sessions` is None.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    See Also
    --------
    skaudeep.evaluation.evaluate_anomalies : Evaluate a detector on such a data set.

    Examples
    --------
    >>> from skaudeep.datasets import make_machines
    >>> machines = make_machines(2, n_train=4, n_normal=3, n_faulty=1, random_state=0)
    >>> machines.data.shape, machines.target.tolist()[:12]
    ((24, 32000), [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    >>> machines.fault.tolist()[7:12]
    ['level', 'rate', 'ticks', 'missing tone', 'added tone']
    """
    for name, value, low in (
        ("n_machines", n_machines, 1),
        ("n_train", n_train, 1),
        ("n_normal", n_normal, 1),
        ("n_faulty", n_faulty, 1),
        ("n_sessions", 1 if n_sessions is None else n_sessions, 1),
        ("sampling_rate", sampling_rate, LOWEST_RATE),
    ):
        if not isinstance(value, Integral) or value < low:
            raise ValueError(f"Got {name}={value!r}, expected an integer of at least {low}.")
    if not isinstance(duration, Real) or not SHORTEST <= duration < np.inf:
        raise ValueError(f"Got duration={duration!r}, expected seconds, at least {SHORTEST}.")
    n_samples = round(duration * sampling_rate)
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    kinds = [("train", "")] * n_train + [("test", "")] * n_normal
    kinds += [("test", fault) for fault in FAULTS for _ in range(n_faulty)]
    waveforms, names, sessions = [], [], []
    for number in range(n_machines):
        machine = _make_machine(sampling_rate, np.random.default_rng([seed, number, 0]))
        for clip, (part, fault) in enumerate(kinds):
            # One generator per clip, so that the draws of one never affect another.
            rng = np.random.default_rng([seed, number, 1, clip])
            session, of_session = "", rng
            if n_sessions is not None:
                place = clip % n_sessions
                session = f"machine {number + 1}, {part}, session {place + 1}"
                of_session = np.random.default_rng([seed, number, 2, place, part == "test"])
            waveforms.append(
                _record(
                    machine,
                    _make_session(of_session),
                    _make_fault(fault, sampling_rate, rng),
                    n_samples,
                    sampling_rate,
                    rng,
                )
            )
            names.append(f"machine_{number + 1}/{part}/{fault or 'normal'}_{clip:04d}.wav")
            sessions.append(session)
    parts, faults = zip(*kinds * n_machines, strict=True)
    bunch = make_bunch(
        np.stack(waveforms),
        names,
        target=[int(fault != "") for fault in faults],
        target_names=["normal", "anomaly"],
        partition=parts,
        groups=sessions,
        dims=("clip", "sample"),
        descr=f"{len(names)} synthetic recordings of {n_machines} machines, {sampling_rate} Hz, "
        "made by skaudeep.datasets.make_machines.",
    )
    bunch.machine = np.repeat([f"machine {i + 1}" for i in range(n_machines)], len(kinds))
    bunch.fault = np.array(faults)
    bunch.sampling_rate = sampling_rate
    return bunch_or_X_y(bunch, return_X_y)
