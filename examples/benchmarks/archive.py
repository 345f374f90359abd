"""How fast an archive is turned into features on one core: `two_scales` and openSMILE's ComParE.

Every version of `two_scales` is fitted on some clips; then it and, where a Python is named that has
opensmile, the 6,373 functionals of ComParE 2016 take the same clips in turn, batch after batch. All
run on the same one core and read the files themselves. The figures are processor time a clip, and
seconds of a clock, medians over batches; on a busy machine processor time says more.

    python examples/benchmarks/archive.py PATH_OF_ESC10
    python examples/benchmarks/archive.py PATH_OF_ESC10 --opensmile PYTHON_WITH_OPENSMILE

openSMILE is free for research only, not for commercial use: install it in an environment of its
own, by `pip install opensmile`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

os.environ["OMP_NUM_THREADS"] = "1"  # read when numpy and torch are loaded

import numpy as np
import torch

from skaudeep.datasets import load_esc
from skaudeep.recipes import VERSIONS, two_scales

COMPARE = """
import json, sys, time, warnings
from opensmile import FeatureLevel, FeatureSet, Smile
smile = Smile(FeatureSet.ComParE_2016, FeatureLevel.Functionals, num_workers=1)
for line in sys.stdin:
    start = time.perf_counter(), time.process_time()
    for path in json.loads(line):
        smile.process_file(path)
    print(time.perf_counter() - start[0], time.process_time() - start[1], flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", help="folder of ESC-10")
    parser.add_argument("--opensmile", metavar="PYTHON", help="a Python that has opensmile")
    parser.add_argument("--batches", type=int, default=9, help="batches that are timed")
    parser.add_argument("--clips", type=int, default=64, help="clips of a batch")
    parser.add_argument("--compare-clips", type=int, default=8, help="of these for ComParE")
    parser.add_argument("--train", type=int, default=40, help="clips to fit on")
    parser.add_argument("--core", type=int, default=0, help="core that all are bound to (Linux)")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [arguments.core])  # inherited by openSMILE's process
    torch.set_num_threads(1)
    clips = load_esc(arguments.path).data
    order = np.random.default_rng(0).permutation(len(clips))
    train = [clips[i] for i in order[: arguments.train]]
    rest = [str(clips[i]) for i in order[arguments.train :]]
    batches = [
        [rest[(i + j) % len(rest)] for j in range(arguments.clips)]
        for i in range(0, arguments.batches * arguments.clips, arguments.clips)
    ]
    with ExitStack() as stack:
        sides: dict[str, tuple[int, Callable[[Sequence[str]], tuple[float, float]]]] = {
            f"two_scales, version {version}": (arguments.clips, timed(version, train))
            for version in VERSIONS
        }
        if arguments.opensmile:
            compare = in_other_python(stack, arguments.opensmile)
            sides["ComParE functionals"] = (arguments.compare_clips, compare)
        for n_clips, run in sides.values():
            run(batches[0][:n_clips])  # compiles, and fills the cache of files
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
        for batch in batches:
            for name, (n_clips, run) in sides.items():
                wall, processor = run(batch[:n_clips])
                taken[name].append((1000 * wall / n_clips, 1000 * processor / n_clips))
    report(taken)


def timed(version: int, train: Sequence[str]) -> Callable[[Sequence[str]], tuple[float, float]]:
    """Fit a version, and return what times its `transform`."""
    views = two_scales(random_state=0, version=version).fit(train)

    def run(batch: Sequence[str]) -> tuple[float, float]:
        start = time.perf_counter(), time.process_time()
        views.transform(batch)
        return time.perf_counter() - start[0], time.process_time() - start[1]

    return run


def in_other_python(
    stack: ExitStack, python: str
) -> Callable[[Sequence[str]], tuple[float, float]]:
    """Start openSMILE in a process of its own, and return what times it."""
    process = stack.enter_context(
        subprocess.Popen(
            [python, "-W", "ignore", "-c", COMPARE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    )

    def run(batch: Sequence[str]) -> tuple[float, float]:
        print(json.dumps(batch), file=process.stdin, flush=True)
        line = process.stdout.readline().split()
        if not line:
            sys.exit(f"openSMILE ended in {python}, see above.")
        return float(line[0]), float(line[1])

    return run


def report(taken: dict[str, list[tuple[float, float]]]) -> None:
    """Print a table; the ratios are medians of those of each batch."""
    last = np.array([*taken.values()][-1])
    print(f"| | processor, ms a clip | clock, ms a clip | times as fast as {[*taken][-1]} |")
    print("|---|---|---|---|")
    for name, pairs in taken.items():
        wall, processor = np.median(pairs, axis=0)
        ratio = np.median(last[:, 1] / np.array(pairs)[:, 1])
        print(f"| {name} | {processor:.1f} | {wall:.1f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
