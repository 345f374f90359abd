"""The check of a data set that lists all broken rules."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skaudeep._texts import printable
from skaudeep.datasets.bunch import find_faults, n_entries, normalized

# Keys whose entries are the same for all chunks of a clip.
SHARED_KEYS = ("target", "folds", "partition", "groups")
MAX_LINES = 10  # violations that a message shows


class IntegrityError(ValueError):
    """Error about a data set whose parts contradict one another.

    Parameters
    ----------
    violations : list of str
        One sentence per broken rule.

    Examples
    --------
    >>> raise IntegrityError(["clip 'a.wav' has chunks 0, 2, expected 0, 1"])
    Traceback (most recent call last):
    ...
    skaudeep.datasets.validation.IntegrityError: Got a data set that breaks 1 rule(s):
      clip 'a.wav' has chunks 0, 2, expected 0, 1
    Correct it where it was made.
    """

    def __init__(self, violations: list[str]) -> None:
        super().__init__(violations)
        self.violations = violations

    def __str__(self) -> str:
        lines = [f"Got a data set that breaks {len(self.violations)} rule(s):"]
        lines += [f"  {violation}" for violation in self.violations[:MAX_LINES]]
        if len(self.violations) > MAX_LINES:
            lines.append(f"  ... and {len(self.violations) - MAX_LINES} more, see .violations")
        return "\n".join([*lines, "Correct it where it was made."])


def validate(bunch: Bunch) -> Bunch:
    """Check that the parts of a data set do not contradict one another.

    Use it for data sets that were assembled by hand, changed in place, or stored elsewhere. Readers
    and functions of this package return only valid data sets. Neither `data` nor any file is read.

    A data set is valid if it has the keys `data`, `filenames`, `target`, `folds`, `partition` and
    `groups`, with one entry per clip, and `target_names`, with values that :func:`make_bunch`
    accepts: classes agree with `target_names`, folds are 0 and 1 and have training and test clips,
    partitions are known, and `dims`, if there, name the axes of `data`. If there is a key `cv`, it
    has to agree with `folds`. A file name may occur several times, once per chunk, if a key
    `chunk_nr` numbers the chunks. All rows of a name then agree in class or value, folds, partition
    and group, every clip has the same number of chunks, and these are numbered from 0, each once.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set; it is not changed.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A new Bunch with the same values, arrays in place of lists of values, and `dims`, which are
        added, by the number of axes, if they are missing.

    Raises
    ------
    IntegrityError
        If a rule is broken. It is a ValueError of the module `skaudeep.datasets.validation`, whose
        `violations` lists the broken rules, a sentence each with the first value that breaks it;
        the rules about chunks are listed for each clip that breaks them. If keys are missing or
        have other numbers of entries, only these are listed. Chunks are checked only if all other
        rules hold.

    Examples
    --------
    >>> from skaudeep.datasets import make_sounds, validate
    >>> sounds = make_sounds(20, n_classes=4, random_state=0)
    >>> validate(sounds).folds.shape
    (20, 5)
    >>> sounds.target[3] = 7
    >>> try:
    ...     validate(sounds)
    ... except ValueError as error:
    ...     print(error.violations)
    ["Got target 7 for clip 'fold_1/high-low tones/00003.wav', expected an index into the 4
    target_names, or -1 where unlabelled."]
    """
    violations = list(find_faults(bunch))
    if not violations and "chunk_nr" in bunch:
        violations = list(_chunk_faults(bunch))
    if violations:
        raise IntegrityError(violations)
    return normalized(bunch)


def _chunk_faults(bunch: Bunch) -> Iterator[str]:
    """List the rules that the chunks of clips break; each chunk is a row of the data set."""
    chunk_nr = bunch["chunk_nr"]
    if n_entries(chunk_nr) != len(bunch["filenames"]):
        yield f"chunk_nr has {n_entries(chunk_nr)} entries, expected one for each filename"
        return
    rows_by_name = defaultdict(list)
    for row, name in enumerate(np.asarray(bunch["filenames"]).tolist()):
        rows_by_name[name].append(row)
    (usual, _), *_ = Counter(map(len, rows_by_name.values())).most_common()
    for name, rows in rows_by_name.items():
        for key in SHARED_KEYS:
            different = _distinct(np.asarray(bunch[key])[rows])
            if len(different) > 1:
                found = _some(different, " and ")
                yield f"clip {name!r} has chunks that differ in {key}: {found}, expected one"
        if len(rows) != usual:
            yield f"clip {name!r} has {len(rows)} chunk(s), expected {usual} as in other clips"
        numbers = sorted(np.asarray(chunk_nr)[rows].tolist())
        if numbers != list(range(len(rows))):
            found = _some(numbers)
            yield f"clip {name!r} has chunks {found}, expected each from 0 to {len(rows) - 1} once"


def _some(values: list[Any], separator: str = ", ") -> str:
    """Name the first values for a message."""
    more = [f"{len(values) - MAX_LINES} more"] if len(values) > MAX_LINES else []
    return separator.join([*map(printable, values[:MAX_LINES]), *more])


def _distinct(values: Any) -> list[Any]:
    """Return the distinct entries; NaN counts as one value."""
    axis = 0 if values.ndim > 1 else None
    return np.unique(values, axis=axis).tolist()
