"""Tables as an INPUT: of recordings, of segments of recordings, and of events in them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skaudeep._texts import list_names, printable
from skaudeep.cli.checks import TABLES
from skaudeep.cli.errors import CommandError

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.utils import Bunch

FEATURE_COLUMNS = ("filename", "chunk_nr")  # the first columns of a table of features
TIME_COLUMNS = ("start", "end")  # columns of a table of segments
EVENT_TABLES = (".txt", ".textgrid")  # Raven's and Audacity's, Praat's
# Usual names of columns, in lower case.
PATH_COLUMNS = {
    *("filename", "file", "path", "file_name", "file_path", "filepath", "fname", "filenames"),
    *("clip", "audio", "recording", "wav", "name"),
}
TARGET_COLUMNS = {"label", "class", "category", "target", "species", "labels", "class_name"}
# What load_table takes from columns of these names, which write_recordings gives them.
DIVISION_COLUMNS = {"fold": "fold", "partition": "partition", "group": "groups"}
TRIED_ROWS = 20  # rows of a table in which names of files are looked for


def read_table(file: Path, path: str | None, target: str | None, needs: bool) -> tuple[Bunch, str]:
    """Read a table of recordings, or of features.

    Where it has the columns start and end, its rows are pieces of recordings. Else the columns
    fold, partition and group are read where it has them.

    Parameters
    ----------
    file : Path
        A table with the names of columns in its first line.
    path, target : str or None
        Columns with the paths and the classes. None looks for them.
    needs : bool
        Whether to refuse a table in which no column is clearly that of the classes.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
    remark : str
        How it was read, where that could have been otherwise.

    Raises
    ------
    CommandError
        If it is not clear which column holds what.
    ValueError, OSError
        If the table is unsound, or recordings are missing.
    """
    from skaudeep.datasets import load_table
    from skaudeep.datasets.delimited import read_header

    header = read_header(file, [column for column in (path, target) if column])
    if tuple(header[:2]) == FEATURE_COLUMNS and path is None:
        from skaudeep.formats import load_csv

        return load_csv(file, target=target), ""
    columns = f"Its columns are {list_names(header)}."
    once = [column for column in header if header.count(column) == 1]
    twice = list(dict.fromkeys(column for column in header if column not in once))
    if twice:
        columns += f" Several are called {list_names(twice)}: rename them."
    path = path or _find_path_column(file, header, columns)
    times = TIME_COLUMNS if set(TIME_COLUMNS) <= set(once) - {path} else ()
    division: dict[str, Any] = {} if times else _division(once, path, target)
    others = [column for column in once if column not in (path, *times, *division.values())]
    if target is None:
        known = [column for column in others if column.lower() in TARGET_COLUMNS]
        found = others if len(others) == 1 else known
        if len(found) == 1:
            target = found[0]
        elif needs:
            raise CommandError(
                f"{printable(file.name)}: it is not clear which column holds the classes. Give it "
                f"by --target COLUMN. {columns}"
            )
    remark = f"paths in column {path!r}, classes in column {target!r}"
    if target is None:
        remark = f"paths in column {path!r}, classes in none"
        remark += f": --target COLUMN names one of {list_names(others)}" if others else ""
        if twice:
            remark += f"; several are called {list_names(twice)}: rename them"
    if times:
        return _load_pieces(file, path, target), f"pieces of recordings, {remark}"
    task = "unlabelled" if target is None else None
    if division:
        remark += f", and the columns {list_names(division.values())}"
    return load_table(file, path=path, target=target, task=task, **division), remark


def _division(once: list[str], *taken: str | None) -> dict[str, str]:
    """Return the columns that state folds, partitions and groups, by the keys of load_table."""
    return {
        key: column
        for column in once
        if column not in taken and (key := DIVISION_COLUMNS.get(column.lower()))
    }


def write_recordings(title: str, bunch: Bunch, file: Path) -> None:
    """Write a table of recordings that `read_table` reads, with their folds, partitions and groups.

    Parameters
    ----------
    title : str
        What messages call the data set.
    bunch : :class:`~sklearn.utils.Bunch`
        A data set of recordings.
    file : Path
        The table to write. Paths in it are relative to its folder.

    Raises
    ------
    CommandError
        If the data set holds other things than recordings, a recording is not below the folder of
        the table, or folds do not test each recording once.
    """
    import numpy as np
    import pandas as pd

    from skaudeep._files import replacing
    from skaudeep.datasets.axes import is_segment_index
    from skaudeep.datasets.vocabulary import missing_cells

    if bunch.dims != ("clip",) or is_segment_index(bunch.data):
        raise CommandError(
            f"{title}: holds no whole recordings, expected some for a table of them. Give -o a "
            "name that ends in .nc."
        )
    if bunch.target.ndim > 1:
        raise CommandError(f"{title}: has several targets of each clip, expected one.")
    folder = os.path.abspath(file.parent)
    names = []
    for clip in bunch.data:
        try:
            names.append(Path(os.path.abspath(clip)).relative_to(folder).as_posix())
        except ValueError:
            raise CommandError(
                f"{printable(clip)}: does not lie below {printable(folder)}, the folder of the "
                "table, which names recordings from there. Give -o a folder above the recordings."
            ) from None
    for what, called in (("class", bunch.target_names or ()), ("group", set(bunch.groups))):
        if unclear := sorted((missing_cells(None) - {""}) & set(map(str, called))):
            raise CommandError(
                f"{title}: has a {what} {unclear[0]!r}, which in a table means that it is missing. "
                "Rename it."
            )
    columns = {"filename": np.array(names, dtype=object)}
    if bunch.target.dtype.kind == "f":
        columns["label"] = bunch.target
    elif len(bunch.target_names):
        columns["label"] = np.array([*bunch.target_names, ""], dtype=object)[bunch.target]
    if bunch.groups.any():
        columns["group"] = bunch.groups
    if (bunch.partition != "").any():
        columns["partition"] = bunch.partition
    if bunch.folds.size:
        if (bunch.folds.sum(axis=1) != 1).any():
            raise CommandError(
                f"{title}: its folds do not test each recording once, as a table of recordings "
                "says it. Give --drop-folds, and --folds N for others."
            )
        columns["fold"] = bunch.folds.argmax(axis=1) + 1
    with replacing(file) as partial:
        pd.DataFrame(columns).to_csv(partial, index=False, lineterminator="\n")


def _load_pieces(file: Path, path: str, target: str | None) -> Bunch:
    import pandas as pd

    from skaudeep.datasets import load_index
    from skaudeep.datasets.delimited import read_columns

    cells = read_columns(file, [path, *TIME_COLUMNS, *([] if target is None else [target])])
    frame = pd.DataFrame(cells, dtype=str)
    index = frame.set_index([path, *TIME_COLUMNS])
    index.index.names = ["file", *TIME_COLUMNS]
    task = "unlabelled" if target is None else None
    return load_index(index, target=target, root=file.parent, task=task)


def read_pieces(file: Path, target: str | None) -> Bunch:
    """Read a table of events of Raven, Audacity or Praat; each event is a clip.

    Parameters
    ----------
    file : Path
        Recordings lie in its folder, or in folders below it.
    target : str or None
        Column of Raven that holds the classes. None looks for it.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`

    Raises
    ------
    ValueError, OSError
        If the table is unsound, or a recording is missing.
    """
    from skaudeep.datasets import load_index

    events = _load_events(file, target)
    index = events.set_index(["file", *TIME_COLUMNS])
    return load_index(index, target="label", task="classification", root=file.parent)


def read_windows(
    inputs: Sequence[str], window: float, hop: float | None, target: str | None
) -> Bunch:
    """Divide recordings into windows, with their classes from tables of events.

    Parameters
    ----------
    inputs : sequence of str
        Tables of events: CSV, or those of Raven, Audacity and Praat. The recordings that they name
        are divided; recordings and folders among the inputs as well, which hold other recordings.
    window, hop : float
        As of :func:`skaudeep.datasets.windows`, in seconds.
    target : str or None
        Column of the classes, where the format has columns.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`

    Raises
    ------
    CommandError
        If no input is a table.
    ValueError, OSError
        If a table is unsound, or a recording is missing.
    """
    import pandas as pd

    from skaudeep.datasets import windows
    from skaudeep.datasets.files import check_files, list_audio

    files: dict[str, None] = {}
    tables = []
    for given in map(os.path.expanduser, inputs):
        if os.path.isdir(given):
            files |= dict.fromkeys(os.path.join(given, name) for name in list_audio(given))
        elif given.lower().endswith((*TABLES, *EVENT_TABLES)):
            table = Path(given)
            events = _load_events(table, target)
            check_files(table.parent, events["file"].unique().tolist(), table.name)
            events["file"] = [os.path.join(table.parent, name) for name in events["file"]]
            tables.append(events)
            files |= dict.fromkeys(events["file"])
        else:
            files[given] = None
    if not tables:
        raise CommandError(
            "--window needs a table that says what is heard where, and none is given. Give a CSV "
            "file with the columns file, start, end and label, or a table of Raven, Audacity or "
            "Praat."
        )
    # one recording may be given by its path and by the table
    known: dict[str, str] = {}
    for name in files:
        known.setdefault(os.path.abspath(name), name)
    return windows(list(known.values()), duration=window, hop=hop, annotations=pd.concat(tables))


def _load_events(file: Path, target: str | None) -> pd.DataFrame:
    from skaudeep.formats import load_annotations

    events = load_annotations(file, label_column=target)
    if not len(events):
        raise CommandError(f"{printable(file.name)}: holds no event, expected one in each line.")
    return events


def _find_path_column(file: Path, header: list[str], columns: str) -> str:
    """Return the column that names files which exist; of several, the one that is called so."""
    from skaudeep.datasets.delimited import read_columns

    once = [column for column in header if header.count(column) == 1]
    cells = read_columns(file, once)
    naming = [
        column
        for column in once
        if any(cell and os.path.isfile(file.parent / cell) for cell in cells[column][:TRIED_ROWS])
    ]
    called = [column for column in naming if column.lower() in PATH_COLUMNS]
    found = naming if len(naming) == 1 else called
    if len(found) != 1:
        which = f"{len(naming)} columns name" if naming else "no column names"
        raise CommandError(
            f"{printable(file.name)}: {which} files that exist, relative to the table's folder. "
            f"Give the column of paths by --path COLUMN, or correct the paths. {columns}"
        )
    return found[0]
