"""The pictures of `docs/detections.md` and `docs/anomalies.md`.

    python examples/benchmarks/planted_events.py train.wav --hours 1 --events 300 --seed 1
    python examples/benchmarks/planted_events.py night.wav
    python examples/benchmarks/pictures.py night train.wav night.wav docs/pictures
    python examples/benchmarks/pictures.py machine docs/pictures

The third makes an hour of the twelve and a part of it, with the events that a detector found and
the true ones; the last one the scores of a machine whose sound changes for 12 seconds.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
from numpy.typing import NDArray

import skaudeep
from skaudeep import AnomalyDetector, AnomalyDisplay, TimelineDisplay
from skaudeep.datasets import make_machines, windows
from skaudeep.formats import load_annotations

HOUR = (3600.0, 7200.0)  # seconds
ZOOM = 75.0  # seconds
DPI = 80
FAULT = "missing tone"


def save(display: Any, path: Path) -> None:
    display.figure_.savefig(path, dpi=DPI, pil_kwargs={"optimize": True})
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def find(train: str, night: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores over time and events, with the settings of `docs/detections.md`."""
    known = windows(train, duration=0.5, hop=0.2, annotations=Path(train).with_suffix(".csv"))
    model = skaudeep.fit_detector(known, random_state=0)
    (scores,) = skaudeep.score_recordings(model, [night], duration=0.5, hop=0.1)
    over_time = skaudeep.scores_over_time(scores, step=0.1)
    events = skaudeep.find_events(
        over_time, threshold=0.5, low_threshold=0.4, min_duration=0.3, merge_gap=0.2
    )
    return over_time, events


def draw_night(night: str, over_time: pd.DataFrame, events: pd.DataFrame, folder: Path) -> None:
    """Draw an hour of a recording, and the part of it with the most events."""
    truth = load_annotations(Path(night).with_suffix(".csv"), file=night)
    tables = {"scores": over_time, "events": events, "true_events": truth, "threshold": 0.5}
    start, end = HOUR
    save(TimelineDisplay.from_recording(night, start=start, end=end, **tables), folder / "hour.png")
    starts = truth["start"].to_numpy()
    starts = starts[(starts >= start) & (starts < end - ZOOM)]
    fullest = max(starts, key=lambda first: ((starts >= first) & (starts < first + ZOOM)).sum())
    fullest = 10 * np.floor((fullest - 5) / 10)
    display = TimelineDisplay.from_recording(night, start=fullest, end=fullest + ZOOM, **tables)
    save(display, folder / "minutes.png")


def string_together(clips: list[NDArray[np.float32]], rate: float, path: str) -> str:
    soundfile.write(path, np.concatenate(clips), round(rate))
    return path


def draw_machine(folder: Path) -> None:
    """Draw the scores of five minutes of a machine, in whose middle a tone is missing."""
    machine = make_machines(1, n_train=200, n_normal=150, n_faulty=6, random_state=0)
    is_train, rate = machine.partition == "train", machine.sampling_rate
    usual = np.flatnonzero(~is_train & (machine.fault == ""))
    faulty = np.flatnonzero(machine.fault == FAULT)
    order = [*usual[:90], *faulty, *usual[90:]]
    with tempfile.TemporaryDirectory() as scratch:
        monday = string_together(list(machine.data[is_train]), rate, f"{scratch}/monday.wav")
        tuesday = string_together(list(machine.data[order]), rate, f"{scratch}/tuesday.wav")
        detector = AnomalyDetector(random_state=0).fit(windows(monday, duration=2).data)
        new = windows(tuesday, duration=2)
        display = AnomalyDisplay.from_detector(detector, new.data)
    save(display, folder / "machine.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    night = commands.add_parser("night")
    night.add_argument("train", help="recording to fit to, with its CSV of events beside it")
    night.add_argument("recording", help="recording to find events in, with its CSV")
    for command in (night, commands.add_parser("machine")):
        command.add_argument("folder", type=Path, help="where the pictures go")
    arguments = parser.parse_args()
    if arguments.command == "machine":
        draw_machine(arguments.folder)
    else:
        found = find(arguments.train, arguments.recording)
        draw_night(arguments.recording, *found, arguments.folder)


if __name__ == "__main__":
    main()
