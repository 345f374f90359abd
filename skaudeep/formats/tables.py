"""The folder layout that CSV and ARFF exports share: text tables with one row per chunk."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from skaudeep._files import check_readable, memory_for, replacing
from skaudeep._texts import list_names, printable, text_array
from skaudeep.datasets.bunch import PARTITIONS, make_bunch
from skaudeep.formats.columns import LABELS, OWN, RESERVED, Columns
from skaudeep.formats.layout import (
    complete_bunch,
    decode_target,
    dims_of_instances,
    frame_counts,
    group_by_clip,
    reduce_to_clips,
    row_reader,
    settle_chunks,
)

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_NAME = "features"
TABLE_SUFFIXES = (".csv", ".arff")
_PLACE = re.compile(r"(?:(train|devel|test)/)?(?:fold_([1-9]\d*)/)?[^/]+")


class Table(NamedTuple):
    """A data set with one row per instance, as auDeep exports it."""

    text: pd.DataFrame  # filename, chunk_nr, groups if any, and columns of labels
    features: NDArray[np.float32]
    clip: NDArray[np.int64]
    target_names: list[str]
    feature_names: list[str] | None = None  # None: feature_0, feature_1, ...
    labels: list[str] = LABELS  # the columns of labels


def _build_table(bunch: Bunch, chunked: bool, groups: bool) -> Table:
    import pandas as pd

    (n_clips, *_), read = row_reader(bunch.data)
    data = read(0, n_clips)
    if "" in bunch.target_names:
        raise ValueError("Got '' in target_names, which means no label. Name the class.")
    n_chunks = data.shape[1] if chunked else 1
    features = data.reshape(len(data) * n_chunks, -1)
    there = (frame_counts(features) > 0).reshape(-1, n_chunks)
    there[:, 0] = True  # a clip that could not be read has a row as well
    clip, chunk_nr = there.nonzero()
    is_class = bunch.target.dtype.kind != "f"
    if bunch.target.ndim > 1 and is_class:
        raise ValueError(
            f"Got a target of shape {bunch.target.shape}, expected one class per clip: a table has "
            "one column of classes. save_netcdf keeps several classes of a clip."
        )
    if bunch.target.ndim > 1:
        nominal, numeric = np.full(len(data), "", dtype=object), np.full(len(data), np.nan)
    elif not is_class:
        nominal, numeric = np.full(len(data), "", dtype=object), bunch.target
    else:
        # Objects, because in an array of str one long name would make all cells as long.
        nominal = np.array(["", *bunch.target_names], dtype=object)[bunch.target + 1]
        numeric = pd.array(np.where(bunch.target < 0, pd.NA, bunch.target), dtype="Int64")
    text = pd.DataFrame({"filename": bunch.filenames[clip], "chunk_nr": chunk_nr})
    text[LABELS] = pd.DataFrame({"label_nominal": nominal[clip], "label_numeric": numeric[clip]})
    values: dict[str, NDArray] = {}
    if bunch.target.ndim > 1:
        called = bunch.target_names or [f"target_{i}" for i in range(bunch.target.shape[1])]
        values = dict(zip(called, bunch.target[clip].T, strict=True))
        text = pd.concat([text, pd.DataFrame(values)], axis=1)
    if groups and (bunch.groups != "").any():
        text["groups"] = bunch.groups[clip]
    names = bunch.get("feature_names")
    if names is not None and len(names) != features.shape[1]:
        names = None  # they name the last of several axes
    _check_names("feature_names", names or (), [*RESERVED, *values])
    _check_names("target_names", values, RESERVED)
    classes = bunch.target_names if is_class else []
    return Table(text, features[there.ravel()], clip, classes, names, [*LABELS, *values])


def _check_names(key: str, names: Iterable[str], others: Sequence[str]) -> None:
    taken = next((name for name in names if name in others or not name), None)
    if taken is not None:
        raise ValueError(
            f"Got {taken!r} in {key}, which in a table is another column, expected names other "
            f"than {list_names(others)} and ''. Rename it."
        )


def arrange_columns(table: Table, rows: NDArray[np.bool_], labels_last: bool) -> pd.DataFrame:
    """Return rows of a table with the columns in the order in which a file has them.

    Parameters
    ----------
    table : Table
        The data set.
    rows : ndarray of shape (n_instances,), bool
        Mask of the rows to return.
    labels_last : bool
        Whether the labels follow after the features.

    Returns
    -------
    DataFrame
        The rows.
    """
    import pandas as pd

    names = table.feature_names or [f"feature_{i}" for i in range(table.features.shape[1])]
    features = pd.DataFrame(table.features[rows], columns=names)
    text = table.text[rows].reset_index(drop=True)
    labels = text[table.labels]
    text = text.drop(columns=table.labels)
    if labels_last:
        return pd.concat([text, features, labels], axis=1)
    first = ["filename", "chunk_nr"]  # the order of auDeep
    return pd.concat([text[first], labels, text.drop(columns=first), features], axis=1)


def _masks_by_folder(bunch: Bunch, split: bool) -> dict[str, NDArray[np.bool_]]:
    """Return a mask of the clips that belong into each folder, by its path."""
    places = {"": np.full(len(bunch.filenames), True)}
    if not split:
        return places
    if (bunch.partition != "").any():
        _check_placed(bunch, bunch.partition != "", "belongs to no partition")
        places = {f"{name}/": bunch.partition == name for name in PARTITIONS}
    if bunch.folds.shape[1]:
        if "copy_of" in bunch:
            raise ValueError(
                "Got copies (key copy_of) and folds, whose files hold clips to test on: copies are "
                "none. Save the data set before upsample, or use split=False."
            )
        _check_placed(bunch, bunch.folds.any(axis=1), "is tested in no fold")
        places = {
            f"{place}fold_{number}/": there & (fold == 1)
            for place, there in places.items()
            for number, fold in enumerate(bunch.folds.T, 1)
        }
    return {place: there for place, there in places.items() if there.any()}


def _check_placed(bunch: Bunch, placed: NDArray[np.bool_], reason: str) -> None:
    if not placed.all():
        raise ValueError(
            f"Clip {str(bunch.filenames[placed.argmin()])!r} {reason}, so that the layout has no "
            "place for it. Use split=False to write one file, or drop the folds or partitions."
        )


def save_tables(
    bunch: Bunch,
    folder: str | os.PathLike[str],
    suffix: str,
    name: str,
    chunked: bool | None,
    split: bool,
    write: Callable[[TextIO, Table, NDArray[np.bool_]], None],
    *,
    groups: bool = True,
) -> list[Path]:
    """Write the files of an export, each in one step.

    Parameters
    ----------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`~skaudeep.datasets.make_bunch`.
    folder : str or Path
        Folder of the export, created if it does not exist; or the one file to write, whose name
        ends in `suffix`.
    suffix : str
        Suffix of the files: ".csv" or ".arff".
    name : str
        Name of the files in a folder, without suffix.
    chunked : bool or None
        Whether the second axis of `data` counts chunks. None: it does where there are four axes.
    split : bool
        Whether partitions and folds get files of their own.
    write : callable
        `write(file, table, rows)` writes those rows of the table to an open file.
    groups : bool, default=True
        Whether the table has a column for the groups of clips that have some.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ValueError
        If the layout has no place for a clip, the folder holds an export of another layout, or one
        file is named where there are several or with the suffix of another format.
    NotADirectoryError
        If `folder` is a file of another kind.
    """
    bunch = complete_bunch(bunch)
    one_file = _names_a_file(folder, suffix, name)
    if one_file:
        folder, name = Path(folder).expanduser().parent, Path(folder).stem
    if not name or Path(name).name != name:
        raise ValueError(f"Got name={name!r}, expected a file name without a folder.")
    root = Path(folder).expanduser()
    if root.exists() and not root.is_dir():
        raise NotADirectoryError(
            f"Got folder={str(root)!r}, which is a file, expected a folder, into which "
            f"{name}{suffix} goes. Name the folder, and the file by name=."
        )
    table = _build_table(*settle_chunks(bunch, chunked), groups)
    files = {
        root / place / f"{name}{suffix}": there
        for place, there in _masks_by_folder(bunch, split).items()
    }
    if one_file and len(files) > 1:
        places = ", ".join(f"{file.parent.relative_to(root)}/" for file in files)
        raise ValueError(
            f"Got the name of one file, {name}{suffix}, for a data set whose folds or partitions "
            f"have a file each, in {places}. Name a folder, which gets them, or give split=False "
            "to write one file of all clips."
        )
    if (
        not one_file
        and root.is_dir()
        and (stale := _found(root, suffix, name).keys() - files.keys())
    ):
        raise ValueError(
            f"{min(stale)}: exists from an export of other folds or partitions, and would be "
            "loaded with this one. Delete it, or choose another folder or name."
        )
    for file, there in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        with (
            replacing(file) as temporary,
            open(temporary, "w", encoding="utf-8", newline="") as text,
        ):
            write(text, table, there[table.clip])
    return list(files)


def _names_a_file(folder: str | os.PathLike[str], suffix: str, name: str) -> bool:
    """Return whether a path is that of one table, by the ending of its name."""
    path = Path(folder).expanduser()
    ending = path.suffix.lower()
    if path.is_dir() or ending not in TABLE_SUFFIXES:
        return False
    if ending != suffix:
        raise ValueError(
            f"Got {printable(path.name)}, whose name ends in {path.suffix}, expected {suffix}, or "
            "the name of a folder. Rename it."
        )
    if name != DEFAULT_NAME:
        raise ValueError(
            f"Got the file {printable(path.name)} and name={name!r}, expected one of them: `name` "
            "is that of files in a folder."
        )
    return True


def _found(root: Path, suffix: str, name: str | None) -> dict[Path, tuple[str, int]]:
    """Find the files of an export, with partition ("" for none) and fold (0 for none) of each."""
    found = {}
    for file in (file for depth in ("*", "*/*", "*/*/*") for file in root.glob(depth + suffix)):
        match = _PLACE.fullmatch(file.relative_to(root).as_posix())
        if match and file.is_file() and name in (None, file.stem):
            found[file] = (match[1] or "", int(match[2] or 0))
    order = ["", *PARTITIONS]
    return dict(sorted(found.items(), key=lambda item: (order.index(item[1][0]), item[1][1])))


def load_tables(
    path: str | os.PathLike[str],
    suffix: str,
    name: str | None,
    read: Callable[[Path], tuple[pd.DataFrame, Any]],
    columns: Columns = Columns(),  # noqa: B008 (it cannot change)
) -> Bunch:
    """Read the files of an export into one data set.

    Parameters
    ----------
    path : str or Path
        A file, or the folder of an export.
    suffix : str
        Suffix of the files: ".csv" or ".arff".
    name : str or None
        Name of the files, without suffix; None where the folder holds one export.
    read : callable
        `read(file)` returns a table, and what the file says of its target: the names of all
        classes, "REAL" of numbers, or None.
    columns : Columns
        Which columns hold what.

    Returns
    -------
    Bunch
        The data set, see :func:`~skaudeep.formats.load_csv`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a file is no such table, or files contradict each other.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        check_readable(root, f"a {suffix} file or the folder of an export")
    with memory_for(root):
        return _load_tables(root, suffix, name, read, columns)


def _load_tables(
    root: Path,
    suffix: str,
    name: str | None,
    read: Callable[[Path], tuple[pd.DataFrame, Any]],
    of: Columns,
) -> Bunch:
    import pandas as pd

    found = _found(root, suffix, name) if root.is_dir() else {root: ("", 0)}
    _check_found(found, root, suffix, of)
    tables, kinds = [], []
    for file, (partition, fold) in found.items():
        table, kind = read(file)
        place = file.relative_to(root).as_posix() if root.is_dir() else file.name
        table = of.arrange(table, file, place).assign(**{f"{OWN}place": fold})
        if of.partition is None:
            table[f"{OWN}partition"] = partition
        tables.append(table)
        kinds.append(kind)
        if list(table) != list(tables[0]) or kind != kinds[0]:
            raise ValueError(
                f"{printable(file)}: has other columns or classes than "
                f"{printable(next(iter(found)))}, expected the files of one export."
            )
    whole = pd.concat(tables, ignore_index=True)
    # A clip that several folds test is in several files, in which it must be the same.
    once = whole.drop(columns=f"{OWN}place").drop_duplicates(ignore_index=True)
    source = str(root)

    def texts(name: str, column: str | None = None) -> NDArray[np.str_]:
        if OWN + name not in once:
            return np.full(len(once), "")
        return text_array(once[OWN + name].tolist(), f"column {column or name!r} of {source!r}")

    columns = {
        "filename": texts("filename", of.filename),
        "chunk_nr": once[f"{OWN}chunk_nr"].to_numpy(),
        "label_nominal": texts("label_nominal"),
        "label_numeric": once[f"{OWN}label_numeric"].to_numpy(dtype=np.float64),
        "groups": texts("groups", of.groups),
        "partition": texts("partition", of.partition),
    }
    if of.target is not None:
        cells = [texts(f"target {i}", name) for i, name in enumerate(of.targets)]
        columns["target"] = np.stack(cells, axis=1)
    if of.folds:
        folds = [texts(f"fold {i}", name) for i, name in enumerate(of.folds)]
        columns["cv_folds"] = np.stack(folds, axis=1)
    clip, first, instances = group_by_clip(columns["filename"], columns["chunk_nr"], source)
    columns = reduce_to_clips(columns, clip, first, source)
    names = columns["filename"].tolist()
    features = once[[name for name in once if not name.startswith(OWN)]]
    values = np.concatenate(
        [features.to_numpy(dtype=np.float32), np.full((1, features.shape[1]), np.nan, np.float32)]
    )
    try:
        target: NDArray | None
        if of.target is not None:
            target, target_names = of.read_target(columns["target"], names, kinds[0])
        else:
            classes = kinds[0] if isinstance(kinds[0], list) else None
            target, target_names = decode_target(columns, _label_map(columns, classes), source)
        if of.folds:
            in_folds = of.read_folds(columns["cv_folds"], names)
        else:
            position = {filename: i for i, filename in enumerate(names)}
            in_folds = np.zeros((len(first), _count_folds(found, root)), dtype=np.int8)
            tested = whole[whole[f"{OWN}place"] > 0]
            in_folds[tested[f"{OWN}filename"].map(position), tested[f"{OWN}place"] - 1] = 1
        return make_bunch(
            values[instances],  # -1 is the row of NaN
            names,
            target=target,
            target_names=target_names,
            folds=in_folds if in_folds.size else None,
            partition=columns["partition"].tolist()
            if of.partition is None
            else of.read_partition(columns["partition"], names),
            groups=columns["groups"].tolist(),
            feature_names=_own_names(features.columns.tolist()),
            dims=dims_of_instances(1 + instances.ndim, instances.ndim == 2),
            descr=f"{len(first)} clips of {root.name!r}",
        )
    except ValueError as error:
        message = printable(error)
        if message.startswith(printable(source)):
            raise
        raise ValueError(f"{printable(source)}: {message}") from None


def _own_names(names: list[str]) -> list[str] | None:
    """Return names of features, None where they only count them."""
    counted = [f"feature_{i}" for i in range(len(names))]
    return None if names == counted else names


def _check_found(
    found: dict[Path, tuple[str, int]], root: Path, suffix: str, columns: Columns
) -> None:
    if not found:
        raise FileNotFoundError(
            f"Found no {suffix} file in {str(root)!r}, looked for <name>{suffix} in it and in "
            "fold_N/, train|devel|test/ and train|devel|test/fold_N/."
        )
    if len(names := sorted({file.name for file in found})) > 1:
        raise ValueError(
            f"{printable(root)}: holds exports {list_names(names)}. Choose one with name=, or give "
            "its path."
        )
    kinds = {(bool(partition), bool(fold)) for partition, fold in found.values()}
    if len(kinds) > 1:
        raise ValueError(
            f"{printable(root)}: holds {names[0]!r} of several layouts, with and without folders "
            "of folds and partitions, expected one. Give the path of a folder that holds one."
        )
    ((partitions, folds),) = kinds
    for name, told in (("partition", partitions), ("fold", folds)):
        if told and getattr(columns, name):
            raise ValueError(
                f"Got {name}={getattr(columns, name)!r} for {str(root)!r}, whose folders tell the "
                f"{name} of each clip, expected one of the two. Leave out {name}=."
            )


def _count_folds(found: dict[Path, tuple[str, int]], root: Path) -> int:
    """Return the number of folds, which the names of their folders count from 1."""
    numbers = {fold for _, fold in found.values()} - {0}
    for number in range(1, len(numbers) + 1):
        if number not in numbers:
            raise ValueError(
                f"{printable(root)}: holds fold_{max(numbers)}, but fold {number} without test "
                f"clips, expected a folder fold_{number}. Restore it, or rename the others."
            )
    return len(numbers)


def _label_map(
    columns: dict[str, NDArray], class_names: list[str] | None
) -> list[tuple[str, int]] | None:
    """Assign a number to each class: its own if it occurs in the columns, else an unused one."""
    if class_names is None:
        return None
    labelled = ~np.isnan(columns["label_numeric"])
    numbers = columns["label_numeric"][labelled].tolist()
    seen = dict(zip(columns["label_nominal"][labelled].tolist(), numbers, strict=True))
    taken = set(numbers)
    free = (number for number in range(len(class_names) + len(taken)) if number not in taken)
    return [(name, seen[name] if name in seen else next(free)) for name in class_names]
