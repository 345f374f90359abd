"""Features of other libraries, computed by a Python that has them: what accuracy.py --peers runs.

    PYTHON peers.py                                      # prints which of them it has, as JSON
    PYTHON peers.py ComParE FILES.json FEATURES.npz      # a list of audio files
    PYTHON peers.py MiniRocket FRAMES.npz FEATURES.npz   # X (n, n_frames, n_bands), rows, seed

FRAMES holds NaN behind the end of shorter clips, the rows to fit on, and a seed. FEATURES holds a
row of X for each clip, and the seconds of processor time of `fit` and `transform`. This needs numpy
and one of the peers, not skaudeep. openSMILE is free for research and private use; its licence
forbids commercial use.
"""

import json
import sys
import time
from importlib.metadata import PackageNotFoundError, version

import numpy as np

PACKAGES = {"ComParE": "opensmile", "eGeMAPS": "opensmile", "MiniRocket": "aeon"}
SETS = {"ComParE": "ComParE_2016", "eGeMAPS": "eGeMAPSv02"}
LEAST_FRAMES = 9  # the length of a kernel of MiniRocket


def main() -> None:
    if len(sys.argv) == 1:
        print(json.dumps(available()))
        return
    kind, source, target = sys.argv[1:]
    features, fit, transform = rocket(source) if kind == "MiniRocket" else smile(SETS[kind], source)
    # What has no value, such as the pitch of a clip without voice, counts as 0.
    features = np.nan_to_num(features.astype(np.float32), posinf=0, neginf=0)
    np.savez(target, X=features, fit=fit, transform=transform)


def available() -> dict[str, str]:
    """Versions of the packages that are installed, by the names of their features."""
    found = {}
    for kind, package in PACKAGES.items():
        try:
            found[kind] = f"{package} {version(package)}"
        except PackageNotFoundError:
            continue
    return found


def smile(name: str, source: str) -> tuple[np.ndarray, float, float]:
    """Functionals of openSMILE, one row a file; the mean of its channels, as `two_scales` reads."""
    from opensmile import FeatureLevel, FeatureSet, Smile

    extractor = Smile(FeatureSet[name], FeatureLevel.Functionals, mixdown=True, num_workers=1)
    with open(source, encoding="utf-8") as file:
        files = json.load(file)
    extractor.process_signal(np.zeros(16000, np.float32), 16000)  # loads the library
    rows = []
    start = time.process_time()
    for file in files:
        try:
            rows.append(extractor.process_file(file).to_numpy()[0])
        except Exception as error:
            sys.exit(f"{file!r}: {type(error).__name__}: {error}")
    return np.array(rows), 0.0, time.process_time() - start


def rocket(source: str) -> tuple[np.ndarray, float, float]:
    """MiniRocket of aeon, fitted to some rows; 0 behind the end is what aeon's Padder does."""
    from aeon.transformations.collection.convolution_based import MiniRocket

    with np.load(source) as file:
        series, rows, seed = file["X"], file["rows"], int(file["seed"])
    short = max(0, LEAST_FRAMES - series.shape[1])
    series = np.pad(np.nan_to_num(series), ((0, 0), (0, short), (0, 0))).transpose(0, 2, 1)
    MiniRocket(random_state=0).fit_transform(series[:2])  # compiles
    start = time.process_time()
    fitted = MiniRocket(random_state=seed).fit(series[rows])
    middle = time.process_time()
    return np.asarray(fitted.transform(series)), middle - start, time.process_time() - middle


if __name__ == "__main__":
    main()
