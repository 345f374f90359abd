"""What it costs to train on what lies on disk: seconds an epoch, and the disk by itself.

The first table trains the same network on the same clips in memory, in an ``.npy`` file that is
mapped, in a NetCDF file of skaudeep's, and in a dask array over the mapped file, all in the page
cache. The sides alternate; figures are medians and the ratio to memory. The second table reads
batches of rows from a file that is *not* in the page cache: one after the other, and in the order
of an epoch, which is random over the whole file but sorted within a batch.

    python examples/benchmarks/reading.py
    python examples/benchmarks/reading.py --units 256 --layers 2
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import dask.array
import numpy as np
import torch

from skaudeep import Seq2SeqAutoencoder
from skaudeep.datasets import make_bunch
from skaudeep.formats.netcdf import load_netcdf, save_netcdf
from skaudeep.training.loop import epoch_order

BATCH = 64


class Clock:
    """A callback that notes the seconds of each epoch."""

    def setup(self, estimator: Any, context: Any) -> None:
        """Forget the last training."""
        self.epochs: list[float] = []

    def teardown(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Begin."""
        self.begun = time.perf_counter()

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Note the time of an epoch."""
        if context.task_name == "epoch":
            self.epochs.append(time.perf_counter() - self.begun)


def epochs(arguments: argparse.Namespace, folder: Path) -> None:
    shape = (arguments.clips, 124, 128)
    X = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    np.save(folder / "x.npy", X)
    names = [f"{i}.wav" for i in range(len(X))]
    save_netcdf(make_bunch(X, names), folder / "x.nc")
    mapped = np.load(folder / "x.npy", mmap_mode="r")
    sides = {
        "memory": X,
        "memmap": mapped,
        "NetCDF": load_netcdf(folder / "x.nc", lazy=True).data,
        "dask": dask.array.from_array(mapped, chunks=(16, -1, -1)),
    }
    clock = Clock()
    autoencoder = Seq2SeqAutoencoder(
        arguments.units, n_layers=arguments.layers, max_epochs=1, random_state=0
    ).set_callbacks(clock)
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    whole: dict[str, list[float]] = {name: [] for name in sides}
    losses = set()
    for repeat in range(arguments.repeats + 1):
        for name, side in sides.items():
            start = time.perf_counter()
            losses.add(autoencoder.fit(side).loss_curve_[0])
            if repeat:  # the first is for the caches
                whole[name].append(time.perf_counter() - start)
                seconds[name] += clock.epochs
    assert len(losses) == 1, "the same bits, wherever the data lie"
    print(
        f"{len(X)} clips of {shape[1]} x {shape[2]}, {X.nbytes / 2**20:.0f} MiB; "
        f"{arguments.layers} x {arguments.units} units, batch {BATCH}, "
        f"{torch.get_num_threads()} threads, median of {arguments.repeats}"
    )
    print(f"{'':10}{'epoch':>10}{'ratio':>8}{'fit of one epoch':>20}{'ratio':>8}")
    for name in sides:
        epoch, fit = median(seconds[name]), median(whole[name])
        base, base_fit = median(seconds["memory"]), median(whole["memory"])
        print(f"{name:10}{epoch:8.3f} s{epoch / base:8.2f}{fit:18.3f} s{fit / base_fit:8.2f}")


def disk(arguments: argparse.Namespace, folder: Path) -> None:
    print(f"\nfrom disk, {arguments.megabytes} MiB, median of {arguments.repeats}")
    print(f"{'row':>10}{'sequential':>16}{'an epoch':>16}{'unsorted':>16}")
    path = folder / "rows"
    for row_bytes in (2**16, 480 * 2**10):
        n_rows = arguments.megabytes * 2**20 // row_bytes
        block = np.random.default_rng(0).bytes(row_bytes)
        with open(path, "wb") as file:
            for _ in range(n_rows):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        rates: list[list[float]] = [[], [], []]
        for repeat in range(arguments.repeats):
            shuffled = epoch_order(np.ones(n_rows), BATCH, seed=0, epoch=repeat)
            for rate, order, sort in zip(
                rates, (np.arange(n_rows), shuffled, shuffled), (False, True, False), strict=True
            ):
                with open(path, "rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                mapped = np.memmap(path, np.float32, "r").reshape(n_rows, -1)
                start = time.perf_counter()
                for first in range(0, n_rows, BATCH):
                    rows = order[first : first + BATCH]
                    mapped[np.sort(rows) if sort else rows]
                rate.append(n_rows * row_bytes / (time.perf_counter() - start) / 1e6)
                del mapped  # what is mapped is not dropped from the cache
        figures = "".join(f"{median(rate):11.0f} MB/s" for rate in rates)
        print(f"{row_bytes // 1024:6} KiB{figures}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=512)
    parser.add_argument("--units", type=int, default=32)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--megabytes", type=int, default=512, help="of the file that is not cached")
    parser.add_argument("--folder", type=Path, help="on the disk to measure")
    arguments = parser.parse_args()
    with TemporaryDirectory(dir=arguments.folder) as folder:
        epochs(arguments, Path(folder))
        if arguments.megabytes:
            disk(arguments, Path(folder))


if __name__ == "__main__":
    main()
