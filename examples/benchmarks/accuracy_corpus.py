"""The corpora of accuracy.py: clips, labels, and how they are divided."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from skaudeep._texts import shown
from skaudeep.datasets import add_folds, add_labels, describe, load_dataset, make_bunch, make_sounds
from skaudeep.datasets.delimited import read_columns, read_header
from skaudeep.datasets.groups import units_per_class
from skaudeep.datasets.table import read_folds
from skaudeep.evaluation.folds import check_folds, default_n_folds
from skaudeep.evaluation.targets import check_target


@dataclass
class Corpus:
    """Clips with labels, how they are divided, and what configurations are made from."""

    bunch: Bunch
    folds: list[tuple[np.ndarray, np.ndarray]]
    facts: Bunch
    identities: list[Any]  # of each clip: changes with its content

    @property
    def identity(self) -> str:
        """Hash of all of them."""
        return joblib.hash(self.identities)


def load_corpus(
    source: str, labels: str | None = None, folds: str | None = None, groups: str | None = None
) -> Corpus:
    """Read a corpus; ValueError or OSError says what is wrong with it, before hours of work."""
    facts = Bunch(sequences=source.endswith(".npz"), sampling_rate=None)
    if facts.sequences:
        bunch = load_sequences(source)
        facts.lengths = (~np.isnan(bunch.data).all(axis=2)).sum(axis=1)
    else:
        bunch = make_sounds(random_state=0) if source == "generated" else load_dataset(source)
        summary = describe(bunch)
        for name, fault in summary.unreadable.items():
            raise ValueError(f"{shown(name)} cannot be read: {fault}. Take it out of the corpus.")
        facts.lengths = summary.durations
        if len(summary.sampling_rates) > 1 or "sampling_rate" in bunch:
            facts.sampling_rate = min(summary.sampling_rates)
    if labels is not None:
        named = {"filename": bunch.filenames, "label": column(bunch, labels)}
        bunch = add_labels(bunch, pd.DataFrame(named))
    if groups is not None:
        bunch.groups = np.array(find_groups(bunch, groups))
    cv = None
    if folds is not None:
        cells = {folds: column(bunch, folds)}
        tested = read_folds(folds, cells, bunch.filenames.tolist())[0]
        cv = [(np.flatnonzero(fold == 0), np.flatnonzero(fold == 1)) for fold in tested.T]
    target = check_target(bunch)
    if target.ndim > 1:
        raise ValueError(f"{bunch.filenames[0]!r} has no single class, expected one of each clip.")
    if cv is None and not bunch.cv and not bunch.partition.any():
        n_folds = default_n_folds(units_per_class(target, bunch.groups).values())
        bunch = add_folds(bunch, n_folds, random_state=0)
    divided = check_folds(bunch, target, cv, check_random_state(0))
    if bunch.data.dtype.kind == "U":
        files = [Path(path).stat() for path in bunch.data]
        content: Any = [(file.st_size, file.st_mtime_ns) for file in files]
    else:
        content = map(joblib.hash, bunch.data)
    identities = list(zip(bunch.filenames.tolist(), content, strict=True))
    return Corpus(bunch, divided, facts, identities)


def load_sequences(source: str) -> Bunch:
    with np.load(source) as file:
        names, target = np.unique(file["y"], return_inverse=True)
        return make_bunch(
            file["X"],
            [str(i) for i in range(len(target))],
            target=target,
            target_names=names.astype(str),
            partition=file.get("partition"),
        )


def find_groups(bunch: Bunch, groups: str) -> list[str]:
    """Give each clip its group: a column of a table, or what matches in the name of the file."""
    if Path(groups.rpartition(":")[0]).is_file():
        return column(bunch, groups)
    try:
        pattern = re.compile(groups)
    except re.error as error:
        raise ValueError(f"--groups {groups!r} is no regular expression: {error}.") from None
    found = [pattern.search(last_part(name)) for name in bunch.filenames]
    if not all(found):
        missing = shown(bunch.filenames[found.index(None)])
        raise ValueError(f"--groups {groups!r} does not match the file name of {missing}.")
    return [match[min(1, pattern.groups)] or "" for match in found]


def column(bunch: Bunch, source: str) -> list[str]:
    """Give each clip its cell of TABLE:COLUMN; another column of the table names the clips."""
    table, _, wanted = source.rpartition(":")
    if not table:
        raise ValueError(f"Got {source!r}, expected TABLE:COLUMN such as clips.csv:fold.")
    cells = read_columns(table, read_header(table, [wanted]))
    if wanted not in cells:
        columns = ", ".join(map(shown, cells))
        raise ValueError(f"{table!r} has no column {wanted!r}, expected one of {columns}.")
    names = bunch.filenames.tolist()
    fewest: list[str] = names
    for of_table, of_clips in ((str, names), (last_part, [*map(last_part, names)])):
        if len(set(of_clips)) < len(names):
            continue  # clips of one name in several folders
        for keys in cells.values():
            of_name: dict[str, set[str]] = {}
            for key, cell in zip(map(of_table, keys), cells[wanted], strict=True):
                of_name.setdefault(key, set()).add(cell)
            missing = [name for name in of_clips if len(of_name.get(name, ())) != 1]
            if not missing:
                return [min(of_name[name]) for name in of_clips]
            fewest = min(fewest, missing, key=len)
    raise ValueError(
        f"No column of {table!r} names each of the {len(names)} clips and gives it one cell of "
        f"{wanted!r}, expected one with their file names; first without: {shown(fewest[0])}."
    )


def last_part(name: str) -> str:
    return re.split(r"[/\\]", name)[-1]
