"""How long the first result takes: `evaluate` of the default model on 300 recordings.

The recordings are generated: 6 classes of sweeps in noise, of 1 to 26 s at 16 kHz, most of them
short, as 16-bit WAV files. The lines that are timed are those of the README. The figures are the
CPU time and the wall time of `evaluate`, its controls included, and the largest memory of the
process. To compare two versions run this with each, in turn.

    python examples/benchmarks/first_result.py
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from skaudeep import evaluate
from skaudeep.datasets import make_bunch
from skaudeep.recipes import audio_classifier

RATE = 16000  # Hz
N_CLASSES = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--version", type=int, help="of two_scales; its default where not given")
    arguments = parser.parse_args()
    version = {} if arguments.version is None else {"version": arguments.version}
    with tempfile.TemporaryDirectory() as folder:
        bunch = make_recordings(Path(folder), arguments.clips)
        pipeline = audio_classifier(**version, random_state=0)
        cpu, wall = time.process_time(), time.perf_counter()
        result = evaluate(pipeline, bunch, cv=arguments.folds, random_state=0)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(result)
    print(f"CPU time {cpu:.1f} s, wall time {wall:.1f} s, largest memory {memory:.0f} MiB")


def make_recordings(folder: Path, n_clips: int):
    """Write the recordings; return them as a bunch."""
    rng = np.random.default_rng(0)
    durations = np.exp(rng.uniform(np.log(1), np.log(26), n_clips))  # s
    target = np.arange(n_clips) % N_CLASSES
    paths = [folder / f"{i:05}.wav" for i in range(n_clips)]
    for path, duration, kind in zip(paths, durations, target, strict=True):
        t = np.arange(int(duration * RATE)) / RATE
        rate = rng.uniform(0.5, 1.5) * (1 + kind % 3)  # sweeps per second
        phase = (t * rate) % 1
        hertz = 500 + 2000 * (phase if kind < 3 else 1 - phase)
        sweep = np.sin(2 * np.pi * np.cumsum(hertz) / RATE)
        samples = 0.1 * sweep + 0.1 * rng.normal(size=len(t))
        soundfile.write(path, samples, RATE, subtype="PCM_16")
    return make_bunch(
        paths,
        [path.name for path in paths],
        target=target,
        target_names=[f"sweep {kind}" for kind in range(N_CLASSES)],
    )


if __name__ == "__main__":
    main()
