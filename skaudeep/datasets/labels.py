"""A function that adds labels from a table to a data set, by the names of its clips."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import Bunch

from skaudeep._texts import list_names, printable
from skaudeep.datasets.bunch import check_bunch, natural_order, repeated, replace_keys
from skaudeep.datasets.delimited import read_columns
from skaudeep.datasets.table import frame_columns
from skaudeep.datasets.vocabulary import missing_cells

if TYPE_CHECKING:
    import pandas


def add_labels(
    bunch: Bunch,
    table: str | os.PathLike[str] | pandas.DataFrame,
    *,
    filename: str = "filename",
    label: str = "label",
    missing: Sequence[str] | None = None,
) -> Bunch:
    """Label clips by a table, such as the one that can be downloaded from a report.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set, labelled or not. It is not changed.
    table : str, Path or pandas.DataFrame
        A table, or a text file in a format that `load_table` reads, with a row for each clip that
        is to be labelled. Clips that the table does not list, or whose label is missing there,
        keep their labels.
    filename : str, default="filename"
        Column with the name of the clip, as in `bunch.filenames`.
    label : str, default="label"
        Column with the name of its class.
    missing : sequence of str, default=None
        Texts in the column `label` that mean a missing label. None: empty cells, `?`, `NA`, `nan`
        and others, see :func:`load_table`. Empty cells are always missing. A name in
        `bunch.target_names` is that class, whatever it is.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        The data set with a new `target` of classes, -1 for an unlabelled clip. In `target_names`,
        new classes follow the old ones, sorted, by number if all new ones are whole numbers.

    Raises
    ------
    FileNotFoundError
        If there is no such table.
    ValueError
        If the table lacks a column, has no label at all, labels a clip that the data set does not
        have, gives a clip two labels, or labels one of several clips whose names differ only in
        blanks around them; or if the target of the data set does not hold one class per clip (a
        regression target that is NaN for all clips is replaced by one of classes).

    Examples
    --------
    >>> import pandas as pd
    >>> from skaudeep.datasets import add_labels, make_bunch
    >>> clips = make_bunch(["a.wav", "b.wav", "c.wav"], ["a.wav", "b.wav", "c.wav"])
    >>> named = add_labels(clips, pd.DataFrame({"filename": ["c.wav"], "label": ["owl"]}))
    >>> named.target.tolist(), named.target_names
    ([-1, -1, 0], ['owl'])
    """
    bunch = check_bunch(bunch)
    if isinstance(missing, str):
        raise ValueError(f"Got missing={missing!r}, expected a list of cells: [{missing!r}].")
    columns = [filename, label]
    if hasattr(table, "iloc"):
        cells, source = frame_columns(table, columns), "the DataFrame"
    else:
        file = Path(table).expanduser()
        cells, source = read_columns(file, columns), printable(file.name)
    target = np.asarray(bunch.target)
    if target.ndim != 1 or (target.dtype.kind == "f" and not np.isnan(target).all()):
        raise ValueError(
            f"Got a data set whose target is {target.dtype} of shape {target.shape}, expected one "
            "class per clip, to which labels can be added."
        )
    if target.dtype.kind == "f":
        target = np.full(len(target), -1)
    names = bunch.filenames.tolist()
    row_of = {name: row for row, name in enumerate(names)}
    # Blanks around a cell of a table are removed, but a name of a clip may begin or end with one.
    row_of = {name.strip(): row for name, row in row_of.items()} | row_of
    alike = set(repeated(name.strip() for name in names))
    given: dict[str, str] = {}
    unlabelled = missing_cells(missing) - set(map(str, bunch.target_names or ())) | {""}
    for name, text in zip(cells[filename], cells[label], strict=True):
        if text in unlabelled:
            continue
        if name in alike:
            raise ValueError(
                f"Got a label for {name!r} in {source}, while the data set has several clips of "
                "this name that differ in blanks around it, expected one. Rename them."
            )
        if name not in row_of:
            raise ValueError(
                f"Got a label for {name!r} in {source}, which is no clip of the data set, expected "
                f"one of its filenames: {list_names(names, name)}. Is it the table of another "
                "folder?"
            )
        if given.setdefault(name, text) != text:
            raise ValueError(
                f"Got two labels for {name!r} in {source}, {given[name]!r} and {text!r}, expected "
                "one. Delete one of the rows."
            )
    if not given:
        raise ValueError(
            f"Got {source} without a label in column {label!r}, expected at least one: name some "
            "clips first."
        )
    classes = [str(name) for name in bunch.target_names or ()]
    classes += [name for name in natural_order(set(given.values())) if name not in classes]
    position = {name: number for number, name in enumerate(classes)}
    target = target.astype(np.intp)
    for name, text in given.items():
        target[row_of[name]] = position[text]
    return replace_keys(bunch, target=target, target_names=classes)
