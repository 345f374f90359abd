"""How long one clip takes: `predict` of a stored default model, on free and on busy cores.

The model (`skaudeep.recipes.audio_classifier`) is fitted on ESC-10, saved, and
loaded by another process, which is what serves clips. That process says how long loading and the
first clip take beyond importing torch and scikit-learn; then it predicts clips of 5 s one at a
time, first with the cores to itself, then beside a process that never rests; from one thread and
from four; and in the end many, for the growth of its memory. Figures of time are the median and the
95th percentile.

    python examples/benchmarks/latency.py PATH_OF_ESC10
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", help="folder of ESC-10")
    parser.add_argument("--clips", type=int, default=60, help="clips that are predicted singly")
    parser.add_argument("--train", type=int, default=40, help="clips to fit on")
    parser.add_argument("--calls", type=int, default=1000, help="calls to look at memory")
    parser.add_argument("--repeats", type=int, default=3, help="runs over all clips at once")
    parser.add_argument("--busy", type=int, default=1, help="processes that never rest")
    parser.add_argument("--model", help="a stored pipeline: serve it, do not fit one")
    arguments = parser.parse_args()
    if arguments.model:
        serve(arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder, "model.skaudeep"))
        fit(arguments.path, arguments.train, model)
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--model", model], check=True)


def fit(path: str, n_train: int, model: str) -> None:
    """Fit the pipeline on some clips and save it."""
    import numpy as np

    import skaudeep
    from skaudeep.datasets import load_esc
    from skaudeep.recipes import audio_classifier

    clips = load_esc(path)
    pipeline = audio_classifier(random_state=0)
    train = np.random.default_rng(0).permutation(len(clips.data))[:n_train]
    pipeline.fit([clips.data[i] for i in train], clips.target[train])
    skaudeep.save(pipeline, model)


def serve(arguments: argparse.Namespace) -> None:
    """Load the pipeline and predict."""
    import sklearn.pipeline
    import sklearn.svm  # noqa: F401
    import torch  # noqa: F401

    clips = sorted(map(str, Path(arguments.path).rglob("*.ogg")))
    imported, cpu = time.perf_counter(), time.process_time()
    at_first = memory()
    import skaudeep

    pipeline: Any = skaudeep.load(arguments.model)
    pipeline.predict(clips[:1])
    now = time.perf_counter()
    print(
        f"load and first clip, beyond imports: {now - imported:.2f} s, "
        f"{time.process_time() - cpu:.2f} s of the processor, {memory() - at_first:.0f} MiB"
    )

    single = [[clip] for clip in clips[: arguments.clips]]
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
    for n_threads in (1, 4, 1, 4):
        with ThreadPoolExecutor(n_threads) as pool:
            start = time.perf_counter()
            list(pool.map(pipeline.predict, single))
            rate = len(single) / (time.perf_counter() - start)
        print(f"{n_threads} thread(s): {rate:.1f} clips a second")
    print(f"memory beyond imports: {memory() - at_first:.0f} MiB")
    for first in range(0, arguments.calls, max(1, arguments.calls // 4)):
        for call in range(first, min(first + max(1, arguments.calls // 4), arguments.calls)):
            pipeline.predict(single[call % len(single)])
        print(f"  after {call + 1} more calls: {memory() - at_first:.0f} MiB", flush=True)
    if arguments.repeats:
        everything = seconds(pipeline, [clips] * arguments.repeats)
        report(f"{len(clips)} clips at once, free cores", everything)


def memory() -> float:
    """Memory of this process in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def seconds(pipeline: Any, batches: Sequence[Any]) -> list[float]:
    """Time `predict` of each batch."""
    taken = []
    for batch in batches:
        start = time.perf_counter()
        pipeline.predict(batch)
        taken.append(time.perf_counter() - start)
    return taken


def report(name: str, taken: list[float]) -> None:
    import numpy as np

    median, high = np.percentile(taken, [50, 95])
    print(f"{name:32} median {median:7.3f} s   95th percentile {high:7.3f} s", flush=True)


if __name__ == "__main__":
    main()
