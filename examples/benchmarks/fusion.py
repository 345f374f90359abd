"""Four autoencoders at once, one a core, against one after another with all cores each.

Both sides fit the same `FeatureFusion` of four autoencoders of the paper's size on the same
spectrograms and alternate; figures are medians. One autoencoder alone, with all threads and with
one, tells how much there is to gain.

    python examples/benchmarks/fusion.py
"""

from __future__ import annotations

import argparse
import os
import time
from statistics import median

import numpy as np
import torch

from skaudeep import FeatureFusion, Seq2SeqAutoencoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    X = np.random.default_rng(0).uniform(-1, 1, (arguments.clips, 124, 128)).astype(np.float32)
    views = FeatureFusion(
        [
            (
                f"view {i}",
                Seq2SeqAutoencoder(
                    arguments.units,
                    bidirectional_decoder=True,
                    max_epochs=arguments.epochs,
                    random_state=i,
                ),
            )
            for i in range(arguments.views)
        ]
    )
    n_threads = torch.get_num_threads()
    times: dict[int, list[float]] = {1: [], arguments.jobs: []}
    alone: dict[int, list[float]] = {1: [], n_threads: []}
    for repeat in range(arguments.repeats + 1):
        for n, seconds in alone.items():
            torch.set_num_threads(n)
            start = time.perf_counter()
            views.transformer_list[0][1].fit(X)
            if repeat:
                seconds.append(time.perf_counter() - start)
        for n_jobs, seconds in times.items():
            start = time.perf_counter()
            views.set_params(n_jobs=n_jobs).fit(X)
            if repeat:  # the first starts the workers
                seconds.append(time.perf_counter() - start)
    one, many = (median(seconds) for seconds in times.values())
    single, threaded = median(alone[1]), median(alone[n_threads])
    passes = arguments.views * arguments.clips * arguments.epochs
    print(
        f"{arguments.views} views of {arguments.clips} clips, {arguments.epochs} epochs, "
        f"median of {arguments.repeats}\n"
        f"one after another, {torch.get_num_threads()} threads: {one:.2f} s, "
        f"{passes / one:.1f} clips a second\n"
        f"{arguments.jobs} at a time, one thread each: {many:.2f} s, "
        f"{passes / many:.1f} clips a second, {one / many:.2f} times faster\n"
        f"one view alone: {single:.2f} s with one thread, {threaded:.2f} s with {n_threads}: "
        f"{single / threaded:.2f} times faster, which leaves {n_threads * threaded / single:.2f}"
    )


if __name__ == "__main__":
    main()
