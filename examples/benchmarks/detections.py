"""How well events are found in hours of generated sound, how fast, and in how much memory.

A classifier of windows is fitted to one generated recording and finds the events of another
(`planted_events.py`, which came first). Beside it stands a control: for each kind of event a
threshold on the energy in those bands where the kind is loudest, above a running median of one
minute, tuned on the same recording as the classifier.

    python examples/benchmarks/planted_events.py train.wav --hours 1 --events 300 --seed 1
    python examples/benchmarks/planted_events.py night.wav
    python examples/benchmarks/detections.py train.wav night.wav --events found.csv
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from numpy.typing import NDArray
from scipy.ndimage import median_filter

import skaudeep
from skaudeep.audio import mel_filters, power_spectrogram
from skaudeep.datasets import windows
from skaudeep.evaluation import event_scores, segment_scores
from skaudeep.formats import load_annotations, save_annotations
from skaudeep.recipes import event_classifier

DURATION, HOP = 0.5, 0.1  # seconds: windows, and the grid of scores
EVENTS = {"min_duration": 0.3, "merge_gap": 0.2}
TRAINING_HOP = 0.2
N_BANDS = 40
WINDOW = 512  # samples of a spectrum of the control
FLOOR = 60.0  # seconds of the running median
HEAD = 3.0  # dB below the loudest band of a kind that its bands reach down to


def fit(recording: str) -> object:
    """Fit a classifier of windows: those that an event fills by half have its class."""
    train = windows(
        recording,
        duration=DURATION,
        hop=TRAINING_HOP,
        annotations=Path(recording).with_suffix(".csv"),
        min_overlap=DURATION / 2,
    )
    return skaudeep.fit_detector(train, event_classifier(n_jobs=2, random_state=0))


def band_levels(recording: str) -> NDArray[np.float32]:
    """Return levels in dB above a running median, one row for each `HOP`, one column a band."""
    rows = []
    with soundfile.SoundFile(recording) as file:
        hop = round(HOP * file.samplerate)
        filters = mel_filters(file.samplerate, WINDOW, N_BANDS)
        for block in file.blocks(hop * 600, dtype="float32"):
            for cell in range(len(block) // hop):
                part = block[cell * hop : (cell + 1) * hop]
                power = power_spectrogram(part, WINDOW, WINDOW // 2)
                rows.append((power @ filters.T).mean(axis=0))
    levels = 10 * np.log10(np.array(rows, dtype=np.float32) + 1e-12)
    # of every tenth row: the noise drifts slowly
    floors = median_filter(levels[::10], (round(FLOOR), 1), mode="nearest")
    return levels - np.repeat(floors, 10, axis=0)[: len(levels)]


def as_scores(recording: str, values: dict[str, NDArray[np.float32]]) -> pd.DataFrame:
    n = len(next(iter(values.values())))
    starts = pd.to_timedelta(np.arange(n) * round(HOP * 1e9), unit="ns")
    levels = [[recording] * n, starts, starts + pd.Timedelta(seconds=HOP)]
    index = pd.MultiIndex.from_arrays(levels, names=["file", "start", "end"])
    return pd.DataFrame(values, index)


def find_by_energy(train: str, recording: str) -> pd.DataFrame:
    """Find events by thresholds on band energy that did best on the training recording."""
    truth = load_annotations(Path(train).with_suffix(".csv"), file=train)
    levels, others = band_levels(train), band_levels(recording)
    found = []
    for label, events in truth.groupby("label"):
        inside = np.zeros(len(levels), bool)
        for event in events.itertuples():
            inside[round(event.start / HOP) : round(event.end / HOP)] = True
        excess = levels[inside].mean(axis=0)
        bands = excess >= excess.max() - HEAD
        scores = as_scores(train, {label: levels[:, bands].mean(axis=1)})
        best = max(
            np.arange(1, 15, 0.5),
            key=lambda dB: (
                event_scores(events, skaudeep.find_events(scores, threshold=dB, **EVENTS)).f1
            ),
        )
        scores = as_scores(recording, {label: others[:, bands].mean(axis=1)})
        found.append(skaudeep.find_events(scores, threshold=best, **EVENTS))
    return pd.concat(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", help="recording to fit to, with its CSV of events beside it")
    parser.add_argument("recording", help="recording to find events in")
    parser.add_argument("--model", help="file of the model, which is fitted if it is not there")
    parser.add_argument("--events", help="file to write the events to")
    parser.add_argument("--all", action="store_true", help="score every window (skip_below=None)")
    arguments = parser.parse_args()
    before = time.perf_counter(), time.process_time()

    def took(what: str) -> None:
        nonlocal before
        now = time.perf_counter(), time.process_time()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        wall, processor = now[0] - before[0], now[1] - before[1]
        print(f"{what}: {wall:.0f} s, of processors {processor:.0f} s, peak {memory:.0f} MiB")
        before = now

    if arguments.model and Path(arguments.model).exists():
        model = skaudeep.load(arguments.model)
    else:
        model = fit(arguments.train)
        if arguments.model:
            skaudeep.save(model, arguments.model)
    took("Fit")
    skip = {"skip_below": None} if arguments.all else {}
    events = skaudeep.detect(
        model,
        [arguments.recording],
        duration=DURATION,
        hop=HOP,
        threshold=0.5,
        low_threshold=0.4,
        **EVENTS,
        **skip,
    )
    took("Detection")
    if arguments.events:
        save_annotations(events, arguments.events)
    truth = load_annotations(
        Path(arguments.recording).with_suffix(".csv"), file=arguments.recording
    )
    print(event_scores(truth, events))
    print(f"Segments of 1 s: F1 {segment_scores(truth, events).f1:.3f}")
    control = find_by_energy(arguments.train, arguments.recording)
    took("Control")
    print(event_scores(truth, control))
    print(f"Segments of 1 s: F1 {segment_scores(truth, control).f1:.3f}")


if __name__ == "__main__":
    main()
