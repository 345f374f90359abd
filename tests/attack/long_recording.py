"""Recordings of many hours: what needs a part of one decodes that part, and never all at once.

A sparse WAV file, which takes no space, and FLAC of noise, which does. Run by hand:

    python tests/attack/long_recording.py --hours 10 --formats wav,flac
"""

from __future__ import annotations

import argparse
import struct
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from tally import Tally, memory, peak_memory

import skaudeep
from skaudeep import SpectrogramExtractor
from skaudeep.audio.decoding import audio_info
from skaudeep.audio.errors import AudioError
from skaudeep.datasets import audit, describe, make_bunch


def write_wav(path: Path, seconds: float, rate: int) -> None:
    n_bytes = 2 * round(seconds * rate)
    with open(path, "wb") as file:
        facts = (b"RIFF", 36 + n_bytes, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
        file.write(struct.pack("<4sI4s4sIHHIIHH4sI", *facts, b"data", n_bytes))
        file.truncate(44 + n_bytes)


def write_coded(path: Path, seconds: float, rate: int) -> None:
    rng = np.random.default_rng(0)
    minute = rng.integers(-3000, 3000, 60 * rate).astype(np.int16)
    with soundfile.SoundFile(path, "w", rate, 1) as file:
        for _ in range(round(seconds / 60)):
            file.write(minute)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=0.2)
    parser.add_argument("--formats", default="wav,flac")
    parser.add_argument("--parts-only", action="store_true", help="never read all of it at once")
    parser.add_argument("--rate", type=int, default=16_000)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    args = parser.parse_args()
    seconds = 3600 * args.hours
    tally = Tally()
    warnings.simplefilter("ignore")
    noise = np.random.default_rng(0).normal(size=2 * args.rate)
    SpectrogramExtractor(sampling_rate=args.rate).transform([noise])
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for suffix in args.formats.split(","):
            path = Path(folder, f"long.{suffix}")
            (write_wav if suffix == "wav" else write_coded)(path, seconds, args.rate)
            print(f"{path.name}: {path.stat().st_size / 1e6:.0f} MB")
            before = peak_memory()
            info = tally.attempt("audio_info", lambda path=path: audio_info(path))
            tally.count(abs(info.duration - seconds) < 60, "its length")
            for align in ("start", "center"):
                extractor = SpectrogramExtractor(duration=5.0, align=align)
                tally.attempt(
                    f"duration=5.0, align={align!r}",
                    lambda extractor=extractor, path=path: extractor.transform([path]),
                )
            starts = np.linspace(0, seconds - 6, 50)
            index = pd.MultiIndex.from_arrays(
                [[str(path)] * 50, starts, starts + 5], names=["file", "start", "end"]
            )
            rows = tally.attempt(
                "50 segments", lambda index=index: SpectrogramExtractor().transform(index)
            )
            tally.count(rows is not None and len(rows) == 50, "a row for each segment")
            bunch = make_bunch([str(path)], [path.name])
            tally.attempt("describe", lambda bunch=bunch: describe(bunch, n_jobs=1))
            tally.attempt("audit", lambda bunch=bunch: audit(bunch, n_jobs=1))
            used = peak_memory() - before
            print(f"{used:.0f} MB for parts")
            tally.count(used < 300, "parts take less than 300 MB")
            if args.parts_only:
                continue
            whole = SpectrogramExtractor(chunk_duration=10.0, n_mels=40)
            tally.attempt(
                "the whole in chunks", lambda path=path, e=whole: e.transform([path]), AudioError
            )
            target = Path(folder, "long.nc")
            tally.attempt(
                "the whole into a file",
                lambda bunch=bunch, e=whole, t=target: skaudeep.extract_to_netcdf(bunch, e, t),
                AudioError,
            )
            print(f"peak {peak_memory():.0f} MB with the whole, {memory():.0f} MB at the end")
            path.unlink()
            target.unlink(missing_ok=True)
    tally.report()


if __name__ == "__main__":
    main()
