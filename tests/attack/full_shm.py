"""/dev/shm full, tiny or read-only: extraction with several processes goes on, or names the reason.

Needs the right to mount (root, or user namespaces): the script starts itself again in a mount
namespace of its own, in which /dev/shm is a few kilobytes. Run by hand:

    python tests/attack/full_shm.py
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from tally import Tally

import skaudeep
from skaudeep import SpectrogramExtractor
from skaudeep.datasets import audit, describe, make_sounds

SIZES = {"full": "size=4k", "small": "size=64k", "read-only": "ro,size=1m"}


def inside(kind: str) -> None:
    tally = Tally()
    warnings.simplefilter("ignore")
    if kind == "full":
        Path("/dev/shm/filler").write_bytes(bytes(4096))
    with tempfile.TemporaryDirectory() as folder:
        sounds = make_sounds(
            40, n_classes=2, n_sessions=2, folder=Path(folder, "clips"), random_state=0
        )
        extractor = SpectrogramExtractor(n_mels=16, n_jobs=2)
        expected = SpectrogramExtractor(n_mels=16).transform(sounds.data)
        for what, call in {
            "transform": lambda: extractor.transform(sounds.data),
            "describe": lambda: describe(sounds, n_jobs=2),
            "audit": lambda: audit(sounds, n_jobs=2),
        }.items():
            tally.attempt(f"{kind}: {what}", call, OSError)
        path = Path(folder, "a.nc")
        bunch = tally.attempt(
            f"{kind}: extract_to_netcdf",
            lambda: skaudeep.extract_to_netcdf(sounds, extractor, path),
            OSError,
        )
        if bunch is not None:
            tally.count((bunch.data[:] == expected).all(), "the same spectrograms")
    tally.report()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inside", choices=SIZES)
    args = parser.parse_args()
    if args.inside:
        inside(args.inside)
    tally = Tally()
    if not shutil.which("unshare"):
        sys.exit("Needs unshare (util-linux).")
    for kind, options in SIZES.items():
        mount = f"mount -t tmpfs -o {options} none /dev/shm"
        own = f'"{sys.executable}" "{os.path.abspath(__file__)}" --inside {kind}'
        done = subprocess.run(
            ["unshare", "--mount", "--map-root-user"] * (os.getuid() != 0)
            + ["unshare", "--mount"] * (os.getuid() == 0)
            + ["sh", "-c", f"{mount} && exec {own}"],
            check=False,
        )
        tally.count(done.returncode == 0, f"/dev/shm {kind}: ended with {done.returncode}")
    tally.report()


if __name__ == "__main__":
    main()
