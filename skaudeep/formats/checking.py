"""A function that lists the contradictions in a stored data set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skaudeep._files import memory_for
from skaudeep.datasets.bunch import fold_indices
from skaudeep.datasets.validation import IntegrityError, validate
from skaudeep.formats.layout import decode_target
from skaudeep.formats.lazy import StoredArray
from skaudeep.formats.netcdf import decode_partition, load_netcdf, read_variables
from skaudeep.formats.netcdf_contents import parse_attributes


def check_netcdf(path: str | os.PathLike[str]) -> list[str]:
    """List the rules that a NetCDF file of skaudeep or auDeep breaks.

    A file of skaudeep must match its checksum; files of auDeep have none. A file of auDeep has a
    row for each chunk of a clip, and the rules are those of :func:`~skaudeep.datasets.validate`,
    also about chunks. All rules that a file of auDeep breaks are listed, whereas
    :func:`~skaudeep.formats.load_netcdf` raises an error about the first one. A file that skaudeep
    wrote and that matches its checksum breaks no rule, unless a newer version wrote it in a format
    that this one cannot read.

    Parameters
    ----------
    path : str or Path
        Path of the file.

    Returns
    -------
    list of str
        A sentence for each broken rule; empty if the data set is valid.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If the file does not exist, or is a folder.
    ValueError
        If the file is not a data set in NetCDF, is damaged, or is one of skaudeep that has lost its
        checksum or does not match it.

    See Also
    --------
    skaudeep.datasets.validate : Check a data set in memory.

    Examples
    --------
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.datasets import make_bunch
    >>> from skaudeep.formats import check_netcdf, save_netcdf
    >>> with TemporaryDirectory() as folder:
    ...     save_netcdf(make_bunch(np.zeros((2, 8)), ["a.wav", "b.wav"]), Path(folder, "a.nc"))
    ...     check_netcdf(Path(folder, "a.nc"))
    []
    """
    file = Path(path).expanduser()
    with memory_for(file):
        stored, attributes, columns, shape = read_variables(file)
        violations: list[str] = []
        if "skaudeep" not in attributes:
            rows = StoredArray(stored, shape, np.arange(len(columns["filename"])))
            violations = _faults_of_rows(rows, attributes, columns, str(file))
        stored.close()
    if not violations:
        try:
            load_netcdf(file, lazy=True)
        except ValueError as error:
            violations = [str(error)]
    return violations


def _faults_of_rows(
    rows: StoredArray, attributes: dict[str, Any], columns: dict[str, Any], path: str
) -> list[str]:
    """List the rules that rows break, of which each is a chunk of a clip."""
    violations = []
    target, names = np.full(len(rows), -1), list[str]()
    partition: Any = [""] * len(rows)
    try:
        label_map = parse_attributes(attributes, path)[1]
        found, names = decode_target(columns, label_map, path)
        target = target if found is None else found
    except ValueError as error:
        violations.append(str(error))
    try:
        partition = decode_partition(columns["partition"], path)
    except ValueError as error:
        violations.append(str(error))
    folds = columns["cv_folds"].reshape(len(rows), -1)
    bunch = Bunch(
        data=rows,
        filenames=columns["filename"],
        target=target,
        target_names=names,
        folds=folds,
        cv=fold_indices(folds) if np.isin(folds, (0, 1)).all() else [],
        partition=np.array(partition, dtype="U5"),
        groups=np.full(len(rows), ""),
        DESCR="",
        chunk_nr=columns["chunk_nr"],
    )
    try:
        validate(bunch)
    except IntegrityError as error:
        violations += error.violations
    return violations
