"""Windows of one long recording: how often it is decoded, time, and memory above the imports.

The recording is generated noise of 16 bits at 48 kHz. `extract` writes mel spectrograms of all
windows of 5 s into a file, `predict` labels them by a classifier of band statistics. Memory is the
most that the process holds beyond what it held before, the model fitted and the modules loaded
(Linux only).

    python examples/benchmarks/windows.py --hours 12 --hop 5
    python examples/benchmarks/windows.py --hours 1 --hop 1 --format flac --reference full_scale
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skaudeep import BandStatistics, SpectrogramExtractor, extract_to_netcdf, predict_clips
from skaudeep.audio.files import AudioFile
from skaudeep.datasets import windows

RATE = 48_000  # Hz
DURATION = 5.0  # s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--hop", type=float, default=5.0, help="seconds")
    parser.add_argument("--format", default="wav")
    parser.add_argument("--reference", default="chunk")
    parser.add_argument("--folder", default=tempfile.gettempdir())
    arguments = parser.parse_args()
    extractor = SpectrogramExtractor(
        n_mels=64, clip_below=-60, reference=arguments.reference, sampling_rate=RATE
    )
    model = make_pipeline(extractor, BandStatistics(), LogisticRegression())
    rng = np.random.default_rng(0)
    model.fit(list(rng.normal(scale=0.1, size=(4, RATE))), ["a", "b", "a", "b"])
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder, f"long.{arguments.format}")
        record(path, arguments.hours)
        start = time.perf_counter()
        bunch = windows(path, duration=DURATION, hop=arguments.hop)
        print(f"{len(bunch.filenames)} windows listed in {time.perf_counter() - start:.2f} s")
        few = windows(path, duration=DURATION, hop=arguments.hours * 900)
        extract_to_netcdf(few, extractor, Path(folder, "a.nc"), progress=False)  # loads modules
        tasks = {
            "predict": lambda: sum(map(len, predict_clips(model, bunch))),
            "extract": lambda: extract_to_netcdf(
                bunch, extractor, Path(folder, "b.nc"), progress=False
            ),
        }
        for name, task in tasks.items():
            measure(name, task, arguments.hours)


def record(path: Path, hours: float) -> None:
    """Write a recording of noise, a minute at a time."""
    rng = np.random.default_rng(0)
    minute = (rng.normal(size=60 * RATE) * 1000).astype(np.int16)
    with soundfile.SoundFile(path, "w", RATE, 1, subtype="PCM_16") as file:
        for number in range(round(60 * hours)):
            file.write(np.roll(minute, 1000 * number))


def measure(name: str, task, hours: float) -> None:
    """Run a task; print its time, its memory, and how often it decoded the recording."""
    n_decoded = 0
    read = AudioFile.read

    def counted(self, n_samples):
        nonlocal n_decoded
        samples = read(self, n_samples)
        n_decoded += samples.shape[1]
        return samples

    AudioFile.read = counted
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what is held now
    before = peak_memory()
    cpu, wall = time.process_time(), time.perf_counter()
    task()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    AudioFile.read = read
    times = n_decoded / RATE / 3600 / hours
    print(
        f"{name}: CPU time {cpu:.1f} s, wall time {wall:.1f} s, decoded {times:.2f} times, "
        f"{peak_memory() - before:.0f} MiB more",
        flush=True,
    )


def peak_memory() -> float:
    """Return the most memory that this process has held since it was last reset, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10


if __name__ == "__main__":
    main()
