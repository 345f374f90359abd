"""Sound as it comes in: computing time per second of sound, latency of a block, memory of an hour.

Three pipelines read blocks of 10, 32 and 100 ms at 16 kHz, of generated sounds one after another:

* "frames": spectra of 80 ms every 40 ms, or of 25 ms every 10 ms, read by a recurrent network of
  256 units in one direction, whose state goes on from block to block, and a ridge regression.
* "windows": `two_scales`, which reads in both directions, and a logistic regression, over windows
  of 1 s that begin every 0.5 s.

The latency is the time that `stream` takes from a block until it asks for the next one, with all
results of the block handed over; only blocks that complete a result count. The real-time factor
is time of the processor over the duration of the sound. Memory is by how much the largest resident
set after the first minute of the hour exceeds that within it. "differs" is from the predictions for
the whole recording.

    python examples/benchmarks/streaming.py
    python examples/benchmarks/streaming.py --hour
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

RATE = 16000
BLOCKS = (0.01, 0.032, 0.1)  # seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="sound to measure times with")
    parser.add_argument("--hour", action="store_true", help="memory over an hour of sound instead")
    arguments = parser.parse_args()
    for name, (pipeline, options) in pipelines().items():
        if arguments.hour:
            print(f"{name:28} {growth(pipeline, options):6.0f} KiB", flush=True)
            continue
        for block in BLOCKS:
            factor, latencies = measure(pipeline, options, block, arguments.seconds)
            p50, p95 = 1000 * np.percentile(latencies, [50, 95])
            print(
                f"{name:28} blocks of {1000 * block:3.0f} ms: real-time factor {factor:.3f}, "
                f"latency {p50:4.1f} ms, 95th percentile {p95:4.1f} ms",
                flush=True,
            )
        if not options:
            print(f"{name:28} differs by {difference(pipeline, arguments.seconds):.0e} at most")


def pipelines() -> dict[str, tuple[Any, dict[str, float]]]:
    """Return fitted pipelines, and what `stream` is told."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    import skaudeep
    from skaudeep.datasets import make_sounds
    from skaudeep.recipes import SCALES, two_scales

    sounds = make_sounds(40, n_classes=2, sampling_rate=RATE, random_state=0)
    found: dict[str, tuple[Any, dict[str, float]]] = {}
    for name, scale in SCALES.items():
        pipeline = make_pipeline(
            skaudeep.SpectrogramExtractor(
                clip_below=-60, sampling_rate=RATE, reference="full_scale", **scale
            ),
            skaudeep.ReservoirFeatures(
                n_layers=1, bidirectional=False, representation="components", random_state=0
            ),
            skaudeep.PerFrame(Ridge()),
        )
        loudness = pipeline[0].transform(sounds.data).mean(axis=2)
        found[f"frames of {name}"] = pipeline.fit(sounds.data, loudness), {}
    features = two_scales(sampling_rate=RATE, random_state=0)
    features.set_params(
        **{name: "full_scale" for name in features.get_params() if name.endswith("__reference")}
    )
    classifier = make_pipeline(features, StandardScaler(), LogisticRegression())
    windows = skaudeep.fit_classifier(sounds, classifier)
    found["windows of 1 s every 0.5 s"] = windows, {"duration": 1.0, "hop": 0.5}
    return found


def blocks_of(seconds: float, block: float) -> Iterator[np.ndarray]:
    """Return blocks of a minute of generated sounds, again and again."""
    from skaudeep.datasets import make_sounds

    sounds = make_sounds(120, n_classes=2, duration=0.5, sampling_rate=RATE, random_state=1)
    samples, size = np.concatenate(sounds.data), round(block * RATE)
    return (
        samples.take(np.arange(i * size, (i + 1) * size), mode="wrap")
        for i in range(round(seconds / block))
    )


def measure(
    pipeline: Any, options: dict[str, float], block: float, seconds: float
) -> tuple[float, np.ndarray]:
    """Return the real-time factor, and how long the blocks took that completed a result."""
    import skaudeep

    blocks = blocks_of(seconds, block)
    taken: list[float] = []
    with_results: list[bool] = []
    computed = 0.0

    def source() -> Iterator[np.ndarray]:
        nonlocal computed
        for samples in blocks:
            with_results.append(False)
            start, cpu = time.perf_counter(), time.process_time()
            yield samples
            taken.append(time.perf_counter() - start)
            computed += time.process_time() - cpu

    for _ in skaudeep.stream(pipeline, source(), sampling_rate=RATE, **options):
        with_results[-1] = True
    return computed / seconds, np.array(taken)[with_results]


def difference(pipeline: Any, seconds: float) -> float:
    """Return the largest difference from the predictions for the whole recording."""
    import skaudeep

    blocks = list(blocks_of(seconds, BLOCKS[1]))
    found = [value for _, (value,) in skaudeep.stream(pipeline, blocks, sampling_rate=RATE)]
    return float(np.abs(found - pipeline.predict([np.concatenate(blocks)])[0]).max())


def growth(pipeline: Any, options: dict[str, float]) -> float:
    """Return by how many KiB the largest memory grows after the first minute of an hour."""
    import skaudeep

    largest = [0.0, 0.0]  # in the first minute, and after it
    second = 0
    source = blocks_of(3600, 0.1)
    for at, _ in skaudeep.stream(pipeline, source, sampling_rate=RATE, **options):
        if at >= second:
            second += 1
            largest[at > 60] = max(largest[at > 60], memory())
    return largest[1] - largest[0]


def memory() -> float:
    """Return the memory of this process in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()
