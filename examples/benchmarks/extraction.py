"""Spectrograms of a corpus in memory: each step apart, beside plain librosa, on one and two cores.

    python examples/benchmarks/extraction.py PATH_OF_ESC10

The steps run on one core, for all clips after another: what a step needs of the one before is made
beforehand and not in its time, nor does it come from the cache, as it would within one clip.
"librosa" is one call of `librosa.feature.melspectrogram` and one of `librosa.power_to_db` per clip,
whose mel bands are Slaney's; "float64" is what auDeep is known to call, `scipy.signal.spectrogram`
and a product with all of the filters in float64, without the rest of auDeep. Both decode first. All
sides alternate; figures are medians.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import librosa
import numpy as np
import soundfile
from joblib import Parallel, delayed, parallel_config
from scipy import signal
from threadpoolctl import threadpool_limits

from skaudeep import SpectrogramExtractor
from skaudeep.audio import read_audio
from skaudeep.audio.chain import sparse_mel_filters
from skaudeep.audio.spectra import mel_filters, power_spectrogram, rescale, to_decibels

WINDOW, HOP, N_MELS = 0.08, 0.04, 128  # seconds, seconds


def each(function: Callable[[Any], object], values: Iterable[Any]) -> None:
    for value in values:
        function(value)


def by_librosa(path: Path) -> None:
    samples, rate = soundfile.read(path, dtype="float32")
    power = librosa.feature.melspectrogram(
        y=samples,
        sr=rate,
        n_fft=round(WINDOW * rate),
        hop_length=round(HOP * rate),
        n_mels=N_MELS,
        center=False,
    )
    librosa.power_to_db(power, ref=np.max)


def in_float64(path: Path) -> None:
    samples, rate = soundfile.read(path)
    window, hop = round(WINDOW * rate), round(HOP * rate)
    _, _, power = signal.spectrogram(
        samples, rate, "hann", window, window - hop, scaling="spectrum", mode="psd"
    )
    bands = mel_filters(rate, window, N_MELS).astype(np.float64) @ power
    decibels = 10 * np.log10(np.maximum(bands / (bands.max() or 1), 1e-20))
    rescale(np.maximum(decibels, -60))


def sides(paths: list[Path]) -> dict[str, Callable[[], object]]:
    """Name what is timed, in the order in which it is printed."""
    decoded = [read_audio(path) for path in paths]
    waves = [samples[0] for samples, _ in decoded]
    rate = decoded[0][1]
    window, hop = round(WINDOW * rate), round(HOP * rate)
    filters = sparse_mel_filters(rate, window, N_MELS)
    mels = [power_spectrogram(wave, window, hop, filters) for wave in waves]
    decibels = [np.maximum(to_decibels(power), -60) for power in mels]
    extractor = SpectrogramExtractor(WINDOW, hop_duration=HOP, n_mels=N_MELS, clip_below=-60)
    two = SpectrogramExtractor(WINDOW, hop_duration=HOP, n_mels=N_MELS, clip_below=-60, n_jobs=2)

    def processes() -> None:
        with parallel_config("loky", n_jobs=2):
            two.transform(paths)

    return {
        "soundfile": partial(each, partial(soundfile.read, dtype="float32"), paths),
        "decode": partial(each, read_audio, paths),
        "FFT": partial(each, lambda wave: power_spectrogram(wave, window, hop), waves),
        "FFT and mel": partial(
            each, lambda wave: power_spectrogram(wave, window, hop, filters), waves
        ),
        "dB": partial(each, to_decibels, mels),
        "scale": partial(each, rescale, decibels),
        "transform": partial(extractor.transform, paths),
        "two threads": partial(two.transform, paths),
        "two processes": processes,
        "two decoders": lambda: Parallel(n_jobs=2, prefer="threads")(
            delayed(each)(read_audio, paths[i::2]) for i in range(2)
        ),
        "librosa": partial(each, by_librosa, paths),
        "float64": partial(each, in_float64, paths),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--clips", type=int, help="fewer than all")
    arguments = parser.parse_args()
    paths = sorted(path for path in arguments.path.rglob("*.ogg"))[: arguments.clips]
    runs = sides(paths)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(arguments.repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            with threadpool_limits(1):  # cores are what n_jobs says
                run()
            if repeat:  # the first is for the caches, and starts the processes
                times[name].append(time.perf_counter() - start)
    seconds = {name: median(values) for name, values in times.items()}
    print(f"{len(paths)} clips, one core if not said otherwise, median of {arguments.repeats}")
    for name, value in seconds.items():
        print(f"{name:16}{value:7.3f} s{value / len(paths) * 1e3:8.3f} ms a clip")
    whole, decode = seconds["transform"], seconds["decode"]
    print(
        f"all but decoding: {whole - decode:.2f} s\n"
        f"transform: {whole / (decode + 0.002 * len(paths)):.2f} times decode and 2 ms a clip"
    )
    for name in ("librosa", "float64"):
        rest = (seconds[name] - seconds["soundfile"]) / (whole - decode)
        print(f"{name}: {seconds[name] / whole:.2f} times as long, without decoding {rest:.2f}")
    for name in ("two threads", "two processes", "two decoders"):
        one = decode if name == "two decoders" else whole
        print(f"{name}: {one / seconds[name]:.2f} times the throughput of one")


if __name__ == "__main__":
    main()
