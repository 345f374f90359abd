"""Hours of generated sound with events at known times, to measure detectors by.

A mono recording of noise whose level and colour drift, and in it short events of five kinds, none
of which overlap: sweeps that rise and that fall through the same band, trills, buzzes and knocks.
An event is 0 to 10 dB above the noise: the mean power of its samples over that of the noise at its
middle, over all frequencies. Everything follows from the seed and the length, block by block, so
that any length fits into memory.

    python examples/benchmarks/planted_events.py night.wav
    python examples/benchmarks/planted_events.py train.wav --hours 2 --events 300 --seed 1

writes `night.wav` (12 hours, 1.4 GB) and `night.csv` with the columns file, start, end (seconds),
label and snr (dB).
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

RATE = 16000  # Hz
BLOCK = 60  # seconds that are generated together
NOISE_LEVEL = -45.0  # dB of full scale: of each of the two noises, before they drift
DRIFT = 5.0  # dB: standard deviation of the level of each noise
DRIFT_TIME = 10.0  # minutes after which a level has changed by about as much
MARGIN = 2.0  # seconds between two events at least, and before the first one
PER_HOUR = 25  # events


class Event(NamedTuple):
    """An event of the recording: seconds from its start, and dB above the noise."""

    start: float
    end: float
    label: str
    snr: float


def rising(duration: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a tone that rises from about 1 kHz to about 3 kHz."""
    return _sweep(duration, rng.uniform(900, 1300), rng.uniform(2500, 3300))


def falling(duration: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a tone that falls from about 3 kHz to about 1 kHz."""
    return _sweep(duration, rng.uniform(2500, 3300), rng.uniform(900, 1300))


def trill(duration: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a tone of 1.5 to 3 kHz that comes and goes 12 to 20 times a second."""
    times = _times(duration)
    pulses = np.sin(np.pi * rng.uniform(12, 20) * times) ** 2
    return pulses * np.sin(2 * np.pi * rng.uniform(1500, 3000) * times)


def buzz(duration: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a tone of 120 to 250 Hz with all its harmonics up to 5 kHz."""
    times, pitch = _times(duration), rng.uniform(120, 250)
    return sum(np.sin(2 * np.pi * pitch * k * times) for k in range(1, int(5000 / pitch)))


def knocks(duration: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return bursts of noise that fade within some 15 ms, 8 to 12 of them a second."""
    times, period = _times(duration), 1 / rng.uniform(8, 12)
    return rng.standard_normal(len(times)) * np.exp(-(times % period) / 0.015)


KINDS = {
    "rising": rising,
    "falling": falling,
    "trill": trill,
    "buzz": buzz,
    "knocks": knocks,
}


def plan(hours: float, n_events: int, seed: int) -> list[Event]:
    """Draw times, kinds and levels of the events: as many of each kind as of the others."""
    rng = np.random.default_rng([seed, 0])
    names = list(KINDS)
    labels = rng.permutation([names[i % len(names)] for i in range(n_events)])
    durations = rng.uniform(0.4, 1.5, n_events)
    snrs = rng.uniform(0, 10, n_events)
    spare = hours * 3600 - durations.sum() - MARGIN * (n_events + 1)
    if spare < 0:
        raise ValueError(f"{n_events} events need more than {hours:g} h. Plant fewer.")
    before = np.sort(rng.uniform(0, spare, n_events))  # pauses, of which MARGIN is taken out
    starts = before + MARGIN * np.arange(1, n_events + 1) + np.cumsum(durations) - durations
    return [
        Event(round(start, 4), round(start + duration, 4), str(label), round(snr, 2))
        for start, duration, label, snr in zip(starts, durations, labels, snrs, strict=True)
    ]


def write(path: Path, hours: float, n_events: int, seed: int) -> list[Event]:
    """Write the recording and the table of its events."""
    events = plan(hours, n_events, seed)
    n_blocks = int(np.ceil(hours * 3600 / BLOCK))
    levels = _drift(n_blocks + 1, seed)
    # Two noises: below 800 Hz, as of wind and traffic, and over all frequencies; both of power 1.
    low = butter(2, 800, fs=RATE, output="sos")
    impulse = np.zeros(RATE)
    impulse[0] = 1
    gain = 1 / np.sqrt((sosfilt(low, impulse) ** 2).sum())
    state = np.zeros((len(low), 2))
    waiting = list(enumerate(events))
    tail = np.zeros(0)  # of an event that goes on into the next block
    left = round(hours * 3600 * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for block in range(n_blocks):
            rng = np.random.default_rng([seed, 1, block])
            white, source = rng.standard_normal((2, BLOCK * RATE))
            filtered, state = sosfilt(low, source, zi=state)
            ramp = np.linspace(0, 1, BLOCK * RATE, endpoint=False)[:, None]
            amplitudes = 10 ** ((levels[block] * (1 - ramp) + levels[block + 1] * ramp) / 20)
            sound = amplitudes[:, 0] * gain * filtered + amplitudes[:, 1] * white
            planted = np.zeros(BLOCK * RATE + 2 * RATE)
            planted[: len(tail)] = tail
            while waiting and waiting[0][1].start < (block + 1) * BLOCK:
                number, event = waiting.pop(0)
                first = round((event.start - block * BLOCK) * RATE)
                middle = min(first + round((event.end - event.start) * RATE / 2), BLOCK * RATE - 1)
                noise_power = (amplitudes[middle] ** 2).sum()
                samples = _event(event, np.random.default_rng([seed, 2, number]))
                samples *= np.sqrt(noise_power * 10 ** (event.snr / 10))
                planted[first : first + len(samples)] += samples
            tail = planted[BLOCK * RATE :]
            sound += planted[: BLOCK * RATE]
            file.write(np.clip(sound[:left], -1, 1))
            left -= BLOCK * RATE
    with open(path.with_suffix(".csv"), "w", newline="", encoding="utf-8") as table:
        rows = csv.writer(table)
        rows.writerow(["file", *Event._fields])
        rows.writerows([path.name, *event] for event in events)
    return events


def _drift(n: int, seed: int) -> NDArray[np.float64]:
    """Return the levels of both noises in dB at the borders of blocks: they wander about a mean."""
    rng = np.random.default_rng([seed, 3])
    keep = np.exp(-BLOCK / 60 / DRIFT_TIME)
    steps = rng.standard_normal((n, 2)) * DRIFT
    levels = steps.copy()
    for i in range(1, n):
        levels[i] = keep * levels[i - 1] + np.sqrt(1 - keep**2) * steps[i]
    return NOISE_LEVEL + levels


def _event(event: Event, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the samples of an event with a mean power of 1; 10 ms fade in, 10 ms fade out."""
    samples = KINDS[event.label](event.end - event.start, rng)
    n_faded = RATE // 100
    fade = np.sin(np.linspace(0, np.pi / 2, n_faded)) ** 2
    samples[:n_faded] *= fade
    samples[-n_faded:] *= fade[::-1]
    return samples / np.sqrt((samples**2).mean())


def _sweep(duration: float, first: float, last: float) -> NDArray[np.float64]:
    times = _times(duration)
    return np.sin(2 * np.pi * (first * times + (last - first) * times**2 / (2 * duration)))


def _times(duration: float) -> NDArray[np.float64]:
    return np.arange(round(duration * RATE)) / RATE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="the WAV file to write")
    parser.add_argument("--hours", type=float, default=12.0)
    parser.add_argument("--events", type=int, help="how many; by default 25 an hour")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    n_events = arguments.events
    if n_events is None:
        n_events = round(PER_HOUR * arguments.hours)
    events = write(arguments.path, arguments.hours, n_events, arguments.seed)
    print(f"{len(events)} events in {arguments.hours:g} h: {arguments.path}")


if __name__ == "__main__":
    main()
