"""64 file descriptors for everything: nothing leaks, and nothing needs more.

Run by hand:

    python tests/attack/few_descriptors.py --limit 64 --clips 500
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from sklearn.preprocessing import StandardScaler
from tally import Tally

import skaudeep
from skaudeep import SpectrogramExtractor
from skaudeep.audio.errors import AudioError
from skaudeep.datasets import audit, describe, load_folder, make_bunch


def n_open() -> int:
    return len(os.listdir("/proc/self/fd"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=64)
    parser.add_argument("--clips", type=int, default=100)
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (args.limit, args.limit))
    warnings.simplefilter("ignore")
    tally = Tally()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        suffixes = ("wav", "flac", "ogg", "mp3")
        for i in range(args.clips):
            path = Path(folder, f"class {i % 2}", f"{i}.{suffixes[i % 4]}")
            path.parent.mkdir(exist_ok=True)
            soundfile.write(path, rng.uniform(-0.5, 0.5, 16_000), 16_000)
        bunch = load_folder(folder)
        extractor = SpectrogramExtractor(n_mels=16, n_jobs=4)
        before = n_open()
        tally.attempt("describe", lambda: describe(bunch, n_jobs=4))
        tally.attempt("audit", lambda: audit(bunch, n_jobs=4))
        tally.attempt("transform", lambda: extractor.transform(bunch.data))
        index = pd.MultiIndex.from_arrays(
            [np.repeat(bunch.data, 2), [0.1, 0.5] * len(bunch.data), [0.4, 0.9] * len(bunch.data)],
            names=["file", "start", "end"],
        )
        tally.attempt("segments of all files", lambda: extractor.transform(index))
        stored = Path(folder, "a.nc")
        two = SpectrogramExtractor(n_mels=16, n_jobs=2)
        tally.attempt("extract_to_netcdf", lambda: skaudeep.extract_to_netcdf(bunch, two, stored))
        damaged = Path(folder, "damaged.wav")
        damaged.write_bytes(b"RIFF no audio")
        lost = str(damaged)
        for path in (lost, folder, os.path.join(folder, "none.wav")):
            for _ in range(args.limit):
                try:
                    extractor.transform([path])
                except AudioError as error:
                    reason = error.reason
            tally.count("Too many" not in reason, f"{reason} after {args.limit} errors")
        features = make_bunch(np.zeros((9, 2), np.float32), list("abcdefghi"))
        lazy = []
        for i in range(2 * args.limit):
            skaudeep.save_netcdf(features, Path(folder, f"{i}.nc"))
            lazy.append(skaudeep.load_netcdf(Path(folder, f"{i}.nc"), lazy=True))
        # Each keeps its file open, until no descriptor is left: then an error names the file.
        tally.attempt("more lazy data sets", lambda: [np.asarray(b.data[:]) for b in lazy], OSError)
        lazy.clear()
        model = Path(folder, "m.skaudeep")
        scaler = StandardScaler().fit(np.eye(3))
        for _ in range(2 * args.limit):
            skaudeep.save(scaler, model)
            skaudeep.load(model)
        tally.count(True, "models")
        left = n_open() - before
        print(f"{left} descriptors more than before")
        tally.count(left < 16, f"{left} descriptors left open")  # decodings are kept on purpose
    tally.report()


if __name__ == "__main__":
    main()
