"""From 10^5 tiny clips to a forecast for 10^6: extraction and features, memory, and dask.

    python examples/benchmarks/million_clips.py

Generates clips of 0.1 s and measures, each in a process of its own so that memory can be compared:

* `extract_to_netcdf` with two processes, at a quarter of the clips and at all of them;
* `transform` of a reservoir over the stored spectrograms, likewise;
* extraction in two processes of joblib and in two workers of dask, in turn, medians;
* one file that this process writes for both, and one file for each of two processes, which
  `xarray.open_mfdataset` joins, in turn, medians.

Linux only; needs `pip install 'skaudeep[dask]'`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from extraction_to_file import family, memory

from skaudeep.datasets import make_sounds

HEAD = """
import sys, time
import joblib
from skaudeep import ReservoirFeatures, SpectrogramExtractor, extract_to_netcdf, load_netcdf
from skaudeep.datasets import load_folder, select
folder, file, first, last = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
extractor = SpectrogramExtractor(n_mels=32, window_duration=0.02, hop_duration=0.01)

def clips():
    return select(load_folder(folder, layout="files"), slice(first, last))
"""
EXTRACT = """
bunch = clips()
start = time.perf_counter()
extract_to_netcdf(bunch, extractor.set_params(n_jobs=N_JOBS), file, progress=False)
print(time.perf_counter() - start)
"""
TRANSFORM = """
data = load_netcdf(file, lazy=True, verify=False).data
reservoir = ReservoirFeatures(32, random_state=0).fit(data[:1000])
start = time.perf_counter()
n = sum(len(reservoir.transform(data[i : i + 8192])) for i in range(first, last, 8192))
print(time.perf_counter() - start)
"""
JOBLIB = """
paths = clips().data
extractor.set_params(n_jobs=2)
with joblib.parallel_config("loky"):
    extractor.fit_transform(paths[:64])  # its processes are there
    start = time.perf_counter()
    extractor.transform(paths)
    print(time.perf_counter() - start)
"""
DASK = """
import dask.distributed

if __name__ == "__main__":
    paths = clips().data
    extractor.set_params(n_jobs=2)
    with (
        dask.distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
        as cluster,
        dask.distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        extractor.fit_transform(paths[:64])
        start = time.perf_counter()
        extractor.transform(paths)
        print(time.perf_counter() - start, flush=True)
"""
JOIN = """
import xarray
start = time.perf_counter()
joined = xarray.open_mfdataset(
    file.split(":"),
    combine="nested",
    concat_dim="instance",
    engine="netcdf4",
    decode_cf=False,
    data_vars="minimal",
    coords="minimal",
    compat="override",
)
assert joined.sizes["instance"] == last
print(time.perf_counter() - start)
"""


def run(code: str, *arguments: object, n_jobs: int = 1) -> tuple[float, float]:
    """Run code in a process of its own; return what it prints, and the peak of PSS in MB."""
    script = Path(tempfile.gettempdir(), "million_clips_part.py")
    script.write_text(HEAD + code.replace("N_JOBS", str(n_jobs)))
    command = [sys.executable, str(script), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, sum(memory(pid)[0] for pid in family(process.pid)))
            time.sleep(0.5)
        assert process.stdout is not None
        return float(process.stdout.read()), peak


def both_at_once(folder: Path, files: Sequence[Path], n_clips: int) -> float:
    """Extract each half of the clips into a file of its own; return seconds."""
    script = Path(tempfile.gettempdir(), "million_clips_half.py")
    script.write_text(HEAD + EXTRACT.replace("N_JOBS", "1"))
    bounds = [0, n_clips // 2, n_clips]
    halves = [
        [sys.executable, str(script), str(folder), str(file), str(first), str(last)]
        for file, first, last in zip(files, bounds[:-1], bounds[1:], strict=True)
    ]
    running = [subprocess.Popen(half, stdout=subprocess.PIPE, text=True) for half in halves]
    return max(float(process.communicate()[0]) for process in running)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--compared", type=int, default=20_000, help="clips of the comparisons")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, file = Path(place, "clips"), Path(place, "all.nc")
        make_sounds(arguments.clips, duration=0.1, folder=folder, random_state=0)
        for n_clips in (arguments.clips // 4, arguments.clips):
            report("extract_to_netcdf", n_clips, *run(EXTRACT, folder, file, 0, n_clips, n_jobs=2))
        for n_clips in (arguments.clips // 4, arguments.clips):
            report("transform, 32 units", n_clips, *run(TRANSFORM, folder, file, 0, n_clips))

        n = arguments.compared
        times: dict[str, list[float]] = {}
        halves = [Path(place, "a.nc"), Path(place, "b.nc")]
        for _ in range(arguments.repeats):
            times.setdefault("joblib", []).append(run(JOBLIB, folder, file, 0, n)[0])
            times.setdefault("dask", []).append(run(DASK, folder, file, 0, n)[0])
            one_file = run(EXTRACT, folder, Path(place, "one.nc"), 0, n, n_jobs=2)[0]
            times.setdefault("one file", []).append(one_file)
            two_files = both_at_once(folder, halves, n)
            times.setdefault("two files", []).append(two_files)
        joined = run(JOIN, folder, ":".join(map(str, halves)), 0, n)[0]
        middle = {name: statistics.median(seconds) for name, seconds in times.items()}
        for name, seconds in middle.items():
            print(f"{name}: {seconds:.2f} s, {n / seconds:,.0f} clips a second")
        print(f"dask has {middle['joblib'] / middle['dask']:.2f} times the throughput of joblib")
        print(f"two files have {middle['one file'] / middle['two files']:.2f} times that of one")
        print(f"open_mfdataset of the two: {joined:.2f} s")


def report(what: str, n_clips: int, seconds: float, peak: float) -> None:
    """Print a line with the forecast for a million clips."""
    hours = seconds / n_clips * 1e6 / 3600
    print(
        f"{what}, {n_clips:,} clips: {seconds:.1f} s, {n_clips / seconds:,.0f} a second, "
        f"{peak:.0f} MB (PSS); 1,000,000 would take {hours:.2f} h",
        flush=True,
    )


if __name__ == "__main__":
    main()
