"""Corpora of very many files and folders: list, describe, audit, divide and store them.

Two corpora are written: clips in a few folders, and as many folders with one clip each. Every file
is a valid WAV file of a few samples. Run by hand:

    python tests/attack/corpora.py --clips 100000
"""

from __future__ import annotations

import argparse
import os
import struct
import tempfile
import warnings
from pathlib import Path

import numpy as np
from tally import Tally

from skaudeep.datasets import (
    add_folds,
    audit,
    describe,
    load_dataset,
    load_folder,
    load_table,
    make_bunch,
    validate,
)
from skaudeep.formats import load_csv, save_csv

N_SAMPLES = 64
HEADER = struct.pack(
    "<4sI4s4sIHHIIHH4sI",
    *(b"RIFF", 36 + 2 * N_SAMPLES, b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16),
    *(b"data", 2 * N_SAMPLES),
)


def write(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(HEADER + rng.integers(-9000, 9000, N_SAMPLES).astype("<i2").tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    args = parser.parse_args()
    n = args.clips
    rng = np.random.default_rng(0)
    tally = Tally()
    with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
        root = Path(temporary, "few folders")
        for i in range(n):
            folder = root / f"class {i % 10}"
            if i < 10:
                folder.mkdir(parents=True)
            write(folder / f"{i}.wav", rng)
        bunch = tally.attempt("load_folder", lambda: load_folder(root))
        tally.count(len(bunch.filenames) == n and len(bunch.target_names) == 10, "all clips")
        tally.attempt("load_dataset", lambda: load_dataset(root))
        table = Path(temporary, "clips.csv")
        rows = [f"{name},{name.split('/')[0]}\n" for name in bunch.filenames]
        table.write_text("file,label\n" + "".join(rows))
        keys = {"path": "file", "target": "label", "root": root}
        tally.attempt("load_table", lambda: load_table(table, **keys))
        summary = tally.attempt("describe", lambda: describe(bunch, n_jobs=1))
        tally.count(summary.counts["all"]["clips"] == n and not summary.unreadable, "all read")
        findings = tally.attempt("audit", lambda: audit(bunch, n_jobs=1))
        tally.count((findings.finding == "too short").sum() == n, "all decoded")
        divided = tally.attempt("add_folds", lambda: add_folds(bunch, 5, random_state=0))
        tally.attempt("validate", lambda: validate(divided))
        features = make_bunch(
            np.zeros((n, 2), np.float32),
            bunch.filenames.tolist(),
            target=bunch.target,
            target_names=bunch.target_names,
        )
        tally.attempt("save_csv", lambda: save_csv(features, Path(temporary, "features.csv")))
        again = tally.attempt("load_csv", lambda: load_csv(Path(temporary, "features.csv")))
        tally.count(again.filenames.tolist() == bunch.filenames.tolist(), "names come back")

        root = Path(temporary, "many folders")
        os.mkdir(root)
        for i in range(n):
            os.mkdir(root / f"class {i}")
            write(root / f"class {i}" / "a.wav", rng)
        many = tally.attempt("load_folder, a folder a clip", lambda: load_folder(root))
        tally.count(len(many.target_names) == n, "all classes")
        tally.attempt("describe, a class a clip", lambda: describe(many, n_jobs=1))
        tally.attempt("its table", lambda: len(str(describe(many, n_jobs=1))))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tally.attempt("add_folds, a class a clip", lambda: add_folds(many, 5), ValueError)
    tally.report()


if __name__ == "__main__":
    main()
