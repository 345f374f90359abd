"""Extraction of many short clips into a file: throughput of one and two processes, and memory.

    python examples/benchmarks/extraction_to_file.py

Generates 20,000 clips of half a second, extracts them with one and with two processes in turn, and
compares medians; then samples the memory of the whole family of processes at 5,000 and at 20,000
clips. PSS counts a page that processes share once, RSS counts it in each of them. Linux only. On a
machine with other work the two sides suffer differently: measure on an idle one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import soundfile

from skaudeep.datasets import make_sounds

EXTRACT = """
import sys, time
from skaudeep import SpectrogramExtractor, extract_to_netcdf
from skaudeep.datasets import load_folder, select
folder, file, n_clips, n_jobs = sys.argv[1:]
clips = select(load_folder(folder, layout="files"), slice(0, int(n_clips)))
start = time.perf_counter()
extract_to_netcdf(clips, SpectrogramExtractor(n_jobs=int(n_jobs)), file)
print(time.perf_counter() - start)
"""


def extract(folder: Path, n_clips: int, n_jobs: int, *, watch: bool = True) -> list[float]:
    """Return seconds of the call and the peaks of PSS and RSS in MB; watching costs time."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as out:
        command = [sys.executable, "-c", EXTRACT, folder, f"{out}/a.nc", str(n_clips), str(n_jobs)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            pss = rss = 0.0
            while watch and process.poll() is None:
                now = [memory(pid) for pid in family(process.pid)]
                pss = max(pss, sum(used[0] for used in now))
                rss = max(rss, sum(used[1] for used in now))
                time.sleep(0.1)
            assert process.stdout is not None
            return [float(process.stdout.read()), pss, rss]


def family(pid: int) -> list[int]:
    """List a process and all below it."""
    try:
        tasks = [*Path(f"/proc/{pid}/task").iterdir()]
        children = [
            int(child) for task in tasks for child in (task / "children").read_text().split()
        ]
    except OSError:  # it has just ended
        return []
    return [pid] + [below for child in children for below in family(child)]


def memory(pid: int) -> tuple[float, float]:
    """Return PSS and RSS of a process in MB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return 0.0, 0.0
    sizes = {line.split()[0]: int(line.split()[1]) / 1000 for line in lines}
    return sizes["Pss:"], sizes["Rss:"]


def to_format(folder: Path, suffix: str) -> None:
    """Rewrite generated clips in another format."""
    for clip in folder.rglob("*.wav"):
        samples, rate = soundfile.read(clip)
        soundfile.write(clip.with_suffix(suffix), samples, rate)
        os.unlink(clip)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sampling-rate", type=int, default=16_000)
    parser.add_argument("--format", default="wav", help="any that soundfile writes by its suffix")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "clips")
        make_sounds(
            arguments.clips,
            duration=0.5,
            sampling_rate=arguments.sampling_rate,
            folder=folder,
            random_state=0,
        )
        if arguments.format != "wav":
            to_format(folder, f".{arguments.format}")
        seconds: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(arguments.repeats):
            for n_jobs, times in seconds.items():
                times.append(extract(folder, arguments.clips, n_jobs, watch=False)[0])
        one, two = (statistics.median(times) for times in seconds.values())
        for n_jobs, median in ((1, one), (2, two)):
            rate = arguments.clips / median
            print(f"{n_jobs} process(es): {median:.2f} s, {rate:,.0f} clips a second")
        print(f"2 processes have {one / two:.2f} times the throughput of 1")
        for n_clips in (arguments.clips // 4, arguments.clips):
            _, pss, rss = extract(folder, n_clips, 2)
            print(f"{n_clips:,} clips, 2 processes: {pss:.0f} MB (PSS), {rss:.0f} MB (RSS)")


if __name__ == "__main__":
    main()
