"""Words that corpora use alike: for partitions, and where a value is missing."""

from __future__ import annotations

from collections.abc import Iterable

# Names of the three partitions in corpora, in lower case, for `translate_partitions`.
PARTITION_ALIASES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("devel", "dev", "development", "val", "valid", "validation"), "devel"),
    **dict.fromkeys(("test", "testing"), "test"),
    # Where there is a test partition besides, these are "devel".
    **dict.fromkeys(("eval", "evaluation", "evaluate"), "test"),
}
_EVALUATION = ("eval", "evaluation", "evaluate")

# What tables hold where a value is missing: what `pandas.read_csv` takes for missing, which is what
# R, spreadsheets and pandas write, and "?", which is what ARFF files and ComParE write.
MISSING = (
    *("", "?", "NA", "N/A", "n/a", "<NA>", "#N/A", "#NA", "#N/A N/A", "NaN", "nan", "-NaN", "-nan"),
    *("None", "NULL", "null", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "NaT"),
)


def missing_cells(missing: Iterable[str] | None) -> frozenset[str]:
    """Return the texts of cells that mean a missing label, group or partition, in any table.

    Parameters
    ----------
    missing : iterable of str or None
        What the user says; None is `MISSING`. An empty cell is always missing.

    Returns
    -------
    frozenset of str

    Examples
    --------
    >>> from skaudeep.datasets.vocabulary import missing_cells
    >>> "NA" in missing_cells(None), "NA" in missing_cells(["?"]), "" in missing_cells([])
    (True, False, True)
    """
    return frozenset(("", *(MISSING if missing is None else missing)))


def translate_partitions(names: Iterable[str]) -> dict[str, str]:
    """Translate what corpora call their partitions to "train", "devel" and "test".

    Parameters
    ----------
    names : iterable of str
        All the names of one corpus, in any case. `eval` and its like are the test partition,
        unless there is another one, besides which they are "devel".

    Returns
    -------
    partitions : dict of str to str
        The partition of each name that is one of a partition.

    Examples
    --------
    >>> from skaudeep.datasets.vocabulary import translate_partitions
    >>> translate_partitions(["Train", "valid", "eval"])
    {'Train': 'train', 'valid': 'devel', 'eval': 'test'}
    >>> translate_partitions(["train", "eval", "test", "owl"])
    {'train': 'train', 'eval': 'devel', 'test': 'test'}
    """
    lower = {name: name.lower() for name in names}
    tested = any(
        PARTITION_ALIASES.get(name) == "test" and name not in _EVALUATION for name in lower.values()
    )
    return {
        name: "devel" if tested and plain in _EVALUATION else PARTITION_ALIASES[plain]
        for name, plain in lower.items()
        if plain in PARTITION_ALIASES
    }
