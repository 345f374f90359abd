"""What tests of the commands share: a tiny corpus, a cheap model, a runner in this process."""

from __future__ import annotations

import inspect
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skaudeep
from skaudeep import classification
from skaudeep.cli import main
from skaudeep.datasets import make_sounds
from skaudeep.recipes import audio_classifier

RATE = 8000  # Hz
CLASSES = ["crow", "owl"]
# Before click 8.2 both streams were one unless asked otherwise.
SEPARATE = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Return a function that runs the program in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    # As the command does, with networks of a size that tests can afford.
    monkeypatch.setattr(
        classification, "audio_classifier", lambda **keys: audio_classifier(n_units=4, **keys)
    )

    def run(*args, stdin=None):
        return CliRunner(**SEPARATE).invoke(main, list(map(str, args)), input=stdin)

    return run


@pytest.fixture(scope="session")
def birds(tmp_path_factory):
    """Make a folder of two classes, 8 clips each, of four sites."""
    folder = tmp_path_factory.mktemp("cli") / "birds"
    sounds = make_sounds(
        16, n_classes=2, n_sessions=4, duration=0.3, sampling_rate=RATE, random_state=0
    )
    for i, (samples, label) in enumerate(zip(sounds.data, sounds.target, strict=True)):
        path = folder / CLASSES[label] / f"site{i // 2 % 4}_{i:02d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, RATE)
    return folder


@pytest.fixture(scope="session")
def new(birds, tmp_path_factory):
    """Make a folder of five clips without labels."""
    folder = tmp_path_factory.mktemp("unlabelled") / "new"
    folder.mkdir()
    for i, path in enumerate(sorted(birds.rglob("*.wav"))[:5]):
        shutil.copy(path, folder / f"{i}.wav")
    return folder


@pytest.fixture(scope="session")
def model(birds, tmp_path_factory):
    """Fit a model that is loaded and used in no time."""
    path = tmp_path_factory.mktemp("model") / "birds.skaudeep"
    pipeline = make_pipeline(
        skaudeep.SpectrogramExtractor(n_mels=20, clip_below=-60),
        skaudeep.BandStatistics(),
        StandardScaler(),
        LogisticRegression(),
    )
    skaudeep.save(skaudeep.fit_classifier(skaudeep.datasets.load_folder(birds), pipeline), path)
    return path


@pytest.fixture(scope="session")
def program():
    """Return how a shell starts the program: its script, or Python where none is installed."""
    script = Path(sys.executable).with_name("skaudeep")
    return [str(script)] if script.exists() else [sys.executable, "-m", "skaudeep"]


@pytest.fixture
def write_sound():
    """Return a function that writes a short noise."""

    def write(path, *, rate=RATE, seed=0):
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = np.random.default_rng(seed).uniform(-0.5, 0.5, rate // 4)
        soundfile.write(path, samples, rate)
        return path

    return write
