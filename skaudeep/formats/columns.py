"""Columns of a table of features: features, names, labels, groups, partitions and folds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skaudeep._texts import list_names, printable, shown
from skaudeep.datasets.table import (
    as_columns,
    check_task,
    read_folds,
    read_groups,
    read_partition,
    read_target,
    read_values,
)
from skaudeep.datasets.vocabulary import MISSING

if TYPE_CHECKING:
    import pandas as pd

LABELS = ["label_nominal", "label_numeric"]
OWN = "\0"  # begins the names of columns that are no features: no file holds it
RESERVED = ("filename", "chunk_nr", *LABELS, "groups")  # no features in our own tables


class Columns(NamedTuple):
    """Meaning of the columns of a table, by the parameters of a reader; see `load_csv`."""

    filename: str | None = "filename"
    target: str | Sequence[str] | None = None
    chunk_nr: str | None = None
    groups: str | None = None
    partition: str | None = None
    fold: str | Sequence[str] | None = None
    ignore: Sequence[str] = ()
    task: str | None = None
    target_names: Sequence[str] | None = None
    missing: Sequence[str] | None = None

    @property
    def folds(self) -> list[str]:
        """Names of the columns of folds."""
        return as_columns(self.fold)

    @property
    def targets(self) -> list[str]:
        """Names of the columns of the target."""
        return as_columns(self.target)

    @property
    def texts(self) -> list[str]:
        """Names of the columns that are read as text, there or not."""
        named = [self.filename, self.groups or "groups", self.partition, *self.folds, *self.targets]
        labels = [] if self.targets else LABELS
        return [name for name in (*named, *labels) if name is not None]

    def check(self, header: Sequence[str], file: Path) -> None:
        """Raise a ValueError if a column is missing, or a parameter has no such value."""
        check_task(self.task, ("classification", "regression"))
        if isinstance(self.ignore, str):
            raise ValueError(f"Got ignore={self.ignore!r}, expected a list: [{self.ignore!r}].")
        if self.target is not None and not self.targets:
            raise ValueError("Got target=[], expected at least one column, or None.")
        if self.filename is not None and self.filename not in header:
            raise ValueError(
                f"{printable(file)}: has no column {shown(self.filename)}, but "
                f"{list_names(header, self.filename)}, expected one that names the clip of each "
                "row. Give its name by filename=, or filename=None where there is none."
            )
        others = (self.chunk_nr, self.groups, self.partition, *self.folds, *self.targets)
        for name in (*others, *self.ignore):
            if name is not None and name not in header:
                raise ValueError(
                    f"{printable(file)}: has no column {shown(name)}, but "
                    f"{list_names(header, name)}. Name one of these."
                )

    def arrange(self, table: pd.DataFrame, file: Path, place: str) -> pd.DataFrame:
        """Return a table in one form: what is no feature under names of its own, then features.

        Parameters
        ----------
        table : DataFrame
            The table as it is in the file.
        file : Path
            Its path, for messages.
        place : str
            Its path below the folder of the export, after which rows without a name are called.

        Returns
        -------
        DataFrame
            Behind `OWN`: filename, chunk_nr, label_numeric, and where they are there label_nominal,
            groups, "target 0", ..., partition and "fold 0", ...; then the features.

        Raises
        ------
        ValueError
            If a column is missing, there are no features, or one is not numeric.
        """
        import pandas as pd

        header = [str(name) for name in table]
        table.columns = pd.Index(header)
        self.check(header, file)

        def text(name: str) -> pd.Series:
            cells = table[name].astype(object).where(table[name].notna(), "")
            return cells if pd.api.types.is_string_dtype(cells) else cells.map(_as_text)

        def numbers(name: str | None, nothing: float) -> pd.Series:
            if name is None or name not in table:
                return pd.Series(nothing, table.index)
            return _numbers(table[name], file)

        if self.filename is None:
            names = pd.Series([f"{place}#{row}" for row in range(len(table))], table.index)
        else:
            names = text(self.filename)
        own = self.target is None
        arranged = {
            "filename": names,
            "chunk_nr": numbers(self.chunk_nr or "chunk_nr", 0),
            "label_numeric": numbers("label_numeric" if own else None, np.nan),
        }
        if own and "label_nominal" in table:
            arranged["label_nominal"] = text("label_nominal")
        if (self.groups or "groups") in table:
            groups = text(self.groups or "groups")
            # Groups of our own tables are exact, as names and labels are: one may be called "NA".
            ours = self.groups is None and self.missing is None and "chunk_nr" in table
            if not ours:
                cells = groups.str.strip().tolist()
                groups = pd.Series(read_groups(cells, self.missing), table.index, dtype=object)
            arranged["groups"] = groups
        for i, name in enumerate(self.targets):
            arranged[f"target {i}"] = text(name).str.strip()
        if self.partition is not None:
            arranged["partition"] = text(self.partition).str.strip()
        for i, name in enumerate(self.folds):
            arranged[f"fold {i}"] = text(name).str.strip()
        used = {*self.texts, *LABELS, self.chunk_nr or "chunk_nr", *self.ignore}
        features = [name for name in header if name not in used]
        if not features:
            raise ValueError(
                f"{printable(file)}: has no features, expected columns feature_0, feature_1, ..."
            )
        arranged = {f"{OWN}{name}": column for name, column in arranged.items()}
        return pd.DataFrame(arranged | {name: _numbers(table[name], file) for name in features})

    def read_target(
        self, cells: NDArray[np.str_], names: list[str], kind: Any
    ) -> tuple[NDArray, list[str]]:
        """Return the target and its names; see `load_table`. Several columns are values.

        Parameters
        ----------
        cells : ndarray of shape (n_clips, n_columns), str
            The cells of each clip.
        names : list of str, length n_clips
            Its name for messages.
        kind : list of str, str or None
            All classes where the file lists them, "REAL" where it says that values are numbers.
        """
        task, classes = self.task, self.target_names
        columns = cells.T.tolist()
        if not isinstance(self.target, str):
            by_name = dict(zip(self.targets, columns, strict=True))
            return read_values(by_name, names, self.targets, task, classes, self.missing)
        if task is None and classes is None:
            task = "regression" if kind == "REAL" else None
            classes = kind if isinstance(kind, list) else None
        elif task == "classification" and classes is None and isinstance(kind, list):
            classes = kind
        return read_target(columns[0], names, self.target, task, classes, self.missing)

    def read_partition(self, cells: NDArray[np.str_], names: list[str]) -> list[str]:
        """Return the partition of each clip; see `load_table`."""
        return read_partition(cells.tolist(), names, self.missing)

    def read_folds(self, cells: NDArray[np.str_], names: list[str]) -> NDArray[np.int8]:
        """Return a column of 0 and 1 for each fold; see `load_table`."""
        columns = {name: cells[:, i].tolist() for i, name in enumerate(self.folds)}
        folds, _ = read_folds(self.fold, columns, names)
        assert folds is not None
        return folds


def _as_text(cell: object) -> str:
    """Return a cell as a table of text would have it: liac-arff reads whole numbers as floats."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _numbers(values: pd.Series, file: Path) -> pd.Series:
    if values.dtype.kind in "iuf":
        return values
    values = values.astype(object)
    known = values.where(~values.isin(MISSING), np.nan)
    try:
        return known.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{printable(file)}: column {shown(values.name)} is not numeric ({shown(error)}), "
            "expected a feature. Say what it is by filename=, target=, groups=, partition= or "
            f"fold=, or leave it out by ignore=[{shown(values.name)}]."
        ) from None
