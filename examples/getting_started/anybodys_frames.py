"""Frames of somebody else's network in place of a spectrogram, and both side by side.

Basic Pitch [1]_ is a small network (230 kB, Apache-2.0) that estimates which notes sound. It lies
as an ONNX model in its wheel, which need not be installed::

    pip download --no-deps basic-pitch -d wheels
    python examples/getting_started/anybodys_frames.py wheels/basic_pitch-*.whl

The clips are chords of four kinds, each on 6 roots by 10 generated instruments; no instrument is in
both the training and the test clips. With ``--corpus FOLDER`` they are yours: a folder of classes.
The same reservoir reads a mel spectrogram, the notes, and both; statistics of the same frames are
the controls. It needs ``pip install 'skaudeep[onnx]'``.

.. [1] R. M. Bittner, J. J. Bosch, D. Rubinstein, G. Meseguer-Brocal, S. Ewert, "A Lightweight
   Instrument-Agnostic Model for Polyphonic Note Transcription and Multipitch Estimation", ICASSP
   2022.
"""

import argparse
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import Bunch

from skaudeep import (
    FeatureFusion,
    FunctionExtractor,
    ReservoirFeatures,
    SpectrogramExtractor,
    evaluate,
)
from skaudeep.datasets import add_groups, load_dataset

MODEL = "basic_pitch/saved_models/icassp_2022/nmp.onnx"  # in the wheel of version 0.4.0
CHECKSUM = "sha256:2c3c1d144bfa61ad236e92e169c13535c880469a12a047d4e73451f2c059a0ec"
NOTES = "StatefulPartitionedCall:1"  # its output of 88 notes; the others are onsets and contours
RATE = 22_050  # Hz
OVERLAP = 30 * 256 / RATE  # seconds that two of its windows share, as in its own inference
CHORDS = {"major": (0, 4, 7), "minor": (0, 3, 7), "diminished": (0, 3, 6), "augmented": (0, 4, 8)}


def chord(notes: NDArray, instrument: int, rng: np.random.RandomState) -> NDArray[np.float32]:
    """Play notes, in semitones above A2, for a second: in any octave, out of tune, with noise."""
    timbre = np.random.RandomState(instrument)  # the same for all chords of an instrument
    partials = np.arange(1, 13)
    levels = partials ** -timbre.uniform(0.3, 2) * timbre.uniform(0.2, 1, size=12)
    stretch = partials * (1 + timbre.uniform(0, 5e-4) * partials**2)
    decay, attack = timbre.uniform(0.5, 6), timbre.uniform(0.002, 0.08)
    time = np.arange(RATE) / RATE
    samples = rng.normal(scale=10 ** rng.uniform(-1.5, 0.3), size=RATE)
    for note in notes + 12 * rng.randint(2, size=len(notes)) + rng.uniform(-0.3, 0.3):
        frequencies = 110 * 2 ** (note / 12) * stretch
        phases = rng.uniform(0, 2 * np.pi, size=(12, 1))
        waves = np.sin(2 * np.pi * frequencies[:, None] * time + phases)
        samples += (levels * (frequencies < RATE / 2)) @ waves * rng.uniform(0.5, 1)
    return np.float32(0.1 * samples * np.exp(-decay * time) * np.minimum(1, time / attack))


def make_chords(n_instruments: int = 10) -> Bunch:
    rng = np.random.RandomState(0)
    rows = [
        (chord(root + np.array(intervals), instrument, rng), kind, instrument)
        for instrument in range(n_instruments)
        for kind, intervals in enumerate(CHORDS.values())
        for root in range(0, 24, 4)
    ]
    data, target, groups = (np.array(column) for column in zip(*rows, strict=True))
    return Bunch(
        data=data, target=target, groups=groups, target_names=list(CHORDS), sampling_rate=RATE
    )


def find_model(path: Path, folder: Path) -> Path:
    """Take the model out of a wheel, if it lies in one."""
    if path.suffix != ".whl":
        return path
    with zipfile.ZipFile(path) as wheel:
        return Path(wheel.extract(MODEL, folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="wheel of basic-pitch, or nmp.onnx of it")
    parser.add_argument("--corpus", help="folder of classes; default: generated chords")
    parser.add_argument("--groups", help="regular expression for what must not be split in names")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    bunch = make_chords() if options.corpus is None else load_dataset(options.corpus)
    if options.groups is not None:
        bunch = add_groups(bunch, options.groups)

    def view(extractor: Any) -> Any:
        return make_pipeline(extractor, ReservoirFeatures(128, n_layers=1))

    with TemporaryDirectory() as folder:
        mel = view(SpectrogramExtractor(0.05, n_mels=128, clip_below=-60, sampling_rate=RATE))
        notes = view(
            FunctionExtractor(
                find_model(options.model, Path(folder)),
                checksum=CHECKSUM,
                output=NOTES,
                sampling_rate=RATE,
                window_overlap=OVERLAP,
                n_jobs=2,
            )
        )
        views = {"mel": mel, "notes": notes, "both": FeatureFusion([("mel", mel), ("n", notes)])}
        print(f"UAR in %, [95 % interval], over {len(bunch.data)} clips")
        print("frames  reservoir              statistics of the same frames")
        for name, features in views.items():
            pipeline = make_pipeline(features, StandardScaler(), Normalizer(), LinearSVC())
            result = evaluate(pipeline, bunch, cv=5, random_state=options.seed, progress=False)
            (control,) = result.controls.values()
            print(f"{name:7s} {_shown(result):22s} {_shown(control)}", flush=True)


def _shown(result: Any) -> str:
    low, high = (100 * bound for bound in result.uar_interval)
    return f"{100 * result.uar:5.1f} [{low:.1f}, {high:.1f}]"


if __name__ == "__main__":
    main()
