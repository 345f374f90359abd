"""The generator of planted events: what its table says is in the recording."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import soundfile

SCRIPT = Path(__file__).parents[2] / "examples" / "benchmarks" / "planted_events.py"
HOURS = 1 / 30  # two blocks


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("planted_events", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_events_have_their_times_and_their_levels_above_the_noise(script, tmp_path):
    events = script.write(tmp_path / "a.wav", HOURS, 25, 3)
    script.write(tmp_path / "noise.wav", HOURS, 0, 3)
    sound, rate = soundfile.read(tmp_path / "a.wav")
    noise, _ = soundfile.read(tmp_path / "noise.wav")
    assert len(sound) == round(HOURS * 3600 * rate)
    planted = sound - noise
    apart = np.ones(len(sound), bool)
    for event in events:
        part = slice(round(event.start * rate), round(event.end * rate))
        apart[part.start - 2 : part.stop + 2] = False
        snr = 10 * np.log10((planted[part] ** 2).mean() / (noise[part] ** 2).mean())
        assert snr == pytest.approx(event.snr, abs=1)
    assert np.abs(planted[apart]).max() < 1e-9
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == "file,start,end,label,snr"
    assert len(lines) == 26


def test_the_plan_of_twelve_hours_is_as_it_says(script):
    events = script.plan(12, 300, 0)
    labels = [event.label for event in events]
    assert {labels.count(kind) for kind in script.KINDS} == {60}
    starts, ends = (np.array([event[i] for event in events]) for i in (0, 1))
    assert (starts[1:] - ends[:-1] >= 1.9).all()
    assert ends[-1] < 12 * 3600
    snrs = np.array([event.snr for event in events])
    assert snrs.min() >= 0
    assert snrs.max() <= 10
    # what was committed before the detector
    assert events[0] == (10.0377, 10.5186, "falling", 1.43)
