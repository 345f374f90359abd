"""Several processes extract into one file, over and over, and some are killed on the way.

Every process ends with the whole file, or is told that another one writes it; what anybody reads
is whole; nothing is left beside the file at the end. Run by hand:

    python tests/attack/four_writers.py --minutes 10
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from tally import Tally

import skaudeep
from skaudeep import SpectrogramExtractor
from skaudeep.datasets import load_folder, make_sounds

EXTRACTOR = SpectrogramExtractor(n_mels=16)


def write(folder: Path) -> str:
    """Extract once; return how it ended."""
    warnings.simplefilter("ignore")
    bunch = load_folder(folder / "clips")
    try:
        skaudeep.extract_to_netcdf(bunch, EXTRACTOR, folder / "out" / "a.nc")
    except BlockingIOError:
        return "another writes"
    return "written"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    end = time.monotonic() + 60 * args.minutes
    if args.folder:  # one of the writers: again and again, until it is ended
        while time.monotonic() < end:
            print(write(args.folder), flush=True)
        return
    tally = Tally()
    ends: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "out").mkdir()
        sounds = make_sounds(60, n_classes=2, n_sessions=2, folder=folder / "clips", random_state=0)
        expected = EXTRACTOR.transform(load_folder(folder / "clips").data)
        assert len(sounds.filenames) == 60
        command = [sys.executable, __file__, "--folder", str(folder), "--minutes"]

        def start() -> subprocess.Popen[str]:
            left = (end - time.monotonic()) / 60
            return subprocess.Popen(
                [*command, str(left)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )

        writers = [start() for _ in range(args.writers)]
        n_read = n_killed = 0
        while time.monotonic() < end:
            time.sleep(0.5)
            try:
                bunch = skaudeep.load_netcdf(folder / "out" / "a.nc")
            except FileNotFoundError:
                continue
            n_read += 1
            tally.count(np.array_equal(bunch.data, expected), "what is read is whole")
            if random.random() < 0.05:
                killed = writers.pop(0)
                killed.send_signal(signal.SIGKILL)
                ends.update(killed.communicate()[0].splitlines())
                n_killed += 1
                writers.append(start())
        for writer in writers:
            out, errors = writer.communicate()
            ends.update(out.splitlines())
            tally.count(writer.returncode == 0, errors[-2000:])
        ends[write(folder)] += 1  # tidies what the killed ones left
        left = [path.name for path in (folder / "out").iterdir()]
        tally.count(left == ["a.nc"], f"left {left}")
        print(f"{dict(ends)}; read {n_read} times, {n_killed} killed")
        tally.tried += sum(ends.values())
        tally.survived += sum(ends.values())
    tally.report()


if __name__ == "__main__":
    main()
