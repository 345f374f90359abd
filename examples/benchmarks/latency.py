"""How long one clip takes: `predict` of a fitted `two_scales` pipeline, on free and on busy cores.

The pipeline (`two_scales`, StandardScaler, Normalizer, LinearSVC) is fitted on ESC-10. Then it gets
clips of 5 s one at a time, first with the cores to itself, then beside a process that never rests;
and last all 400 clips at once, on free cores. The figures are the median and the 95th percentile.

    python examples/benchmarks/latency.py PATH_OF_ESC10
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from skaudeep.datasets import load_esc
from skaudeep.recipes import two_scales


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", help="folder of ESC-10")
    parser.add_argument("--clips", type=int, default=60, help="clips that are predicted singly")
    parser.add_argument("--train", type=int, default=40, help="clips to fit on")
    parser.add_argument("--repeats", type=int, default=3, help="runs over all clips at once")
    parser.add_argument("--busy", type=int, default=1, help="processes that never rest")
    arguments = parser.parse_args()
    clips = load_esc(arguments.path)
    pipeline = make_pipeline(
        two_scales(random_state=0), StandardScaler(), Normalizer(), LinearSVC(random_state=0)
    )
    train = np.random.default_rng(0).permutation(len(clips.data))[: arguments.train]
    pipeline.fit([clips.data[i] for i in train], clips.target[train])
    single = [[clip] for clip in clips.data[: arguments.clips]]
    pipeline.predict(single[0])

    report("one clip, free cores", seconds(pipeline, single))
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(arguments.busy)
    ]
    try:
        report(f"one clip, beside {arguments.busy} busy process", seconds(pipeline, single))
    finally:
        for process in busy:
            process.kill()
            process.wait()
    if arguments.repeats:
        everything = seconds(pipeline, [clips.data] * arguments.repeats)
        report(f"{len(clips.data)} clips at once, free cores", everything)


def seconds(pipeline: Pipeline, batches: Sequence[Any]) -> list[float]:
    """Time `predict` of each batch."""
    taken = []
    for batch in batches:
        start = time.perf_counter()
        pipeline.predict(batch)
        taken.append(time.perf_counter() - start)
    return taken


def report(name: str, taken: list[float]) -> None:
    median, high = np.percentile(taken, [50, 95])
    print(f"{name:32} median {median:7.3f} s   95th percentile {high:7.3f} s", flush=True)


if __name__ == "__main__":
    main()
