"""The corpora of accuracy.py: clips, labels, and how they are divided."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import soundfile
from sklearn.utils import Bunch

from skaudeep.datasets import add_folds, load_dataset, make_bunch, make_sounds


@dataclass
class Corpus:
    """Clips with labels, how they are divided, and what configurations are made from."""

    bunch: Bunch
    folds: list[tuple[np.ndarray, np.ndarray]]
    facts: Bunch
    identity: str


def load_corpus(source: str, groups: str | None) -> Corpus:
    facts = Bunch(sequences=source.endswith(".npz"), sampling_rate=None)
    if facts.sequences:
        with np.load(source) as file:
            names, target = np.unique(file["y"], return_inverse=True)
            bunch = make_bunch(
                file["X"],
                [str(i) for i in range(len(target))],
                target=target,
                target_names=names.astype(str),
                partition=file.get("partition"),
            )
            facts.lengths = (~np.isnan(bunch.data).all(axis=2)).sum(axis=1)
    else:
        bunch = make_sounds(random_state=0) if source == "generated" else load_dataset(source)
    if bunch.target.dtype.kind != "i" or not (bunch.target >= 0).any():
        sys.exit(f"{source} has no classes to tell apart, expected labelled clips.")
    if groups is not None:
        found = [re.search(groups, name.rpartition("/")[2]) for name in bunch.filenames]
        if not all(found):
            missing = bunch.filenames[found.index(None)]
            sys.exit(f"--groups {groups!r} does not match the file name of {missing!r}.")
        bunch.groups = np.array([match[match.lastindex or 0] for match in found])
    if not bunch.cv and not bunch.partition.any():
        bunch = add_folds(bunch, 5, random_state=0)
    if "sampling_rate" in bunch:
        facts.sampling_rate = bunch.sampling_rate
        facts.lengths = [np.shape(clip)[-1] / bunch.sampling_rate for clip in bunch.data]
    elif not facts.sequences:
        infos = [soundfile.info(path) for path in bunch.data]
        facts.lengths = [info.duration for info in infos]
        if len(rates := {info.samplerate for info in infos}) > 1:
            facts.sampling_rate = min(rates)
    labelled = np.flatnonzero(bunch.target >= 0)
    folds = [tuple(np.intersect1d(part, labelled) for part in fold) for fold in division(bunch)]
    if bunch.data.dtype.kind == "U":
        files = [Path(path).stat() for path in bunch.data]
        content = [(file.st_size, file.st_mtime_ns) for file in files]
    else:
        content = bunch.data
    return Corpus(bunch, folds, facts, joblib.hash((bunch.filenames.tolist(), content)))


def division(bunch: Bunch) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds, or the one division that `evaluate` makes of partitions."""
    if bunch.cv:
        return bunch.cv
    train, test = ["train"], "devel"
    if not (bunch.target[bunch.partition == "devel"] >= 0).any():
        train, test = ["train", "devel"], "test"
    rows = np.isin(bunch.partition, train), bunch.partition == test
    return [tuple(map(np.flatnonzero, rows))]
