"""Reader of segments of recordings: the (file, start, end) index of audformat and opensmile."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skaudeep._warnings import find_stack_level
from skaudeep.audio.clips import read_time
from skaudeep.datasets.bunch import make_bunch
from skaudeep.datasets.delimited import read_columns, read_header
from skaudeep.datasets.files import below, check_files, check_folder, join
from skaudeep.datasets.table import (
    as_columns,
    frame_columns,
    read_folds,
    read_groups,
    read_labels,
    read_partition,
    warn_unlabelled,
)
from skaudeep.datasets.x_y import BunchOrXy, bunch_or_X_y

if TYPE_CHECKING:
    import pandas

_LEVELS = ["file", "start", "end"]


def load_index(
    index: pandas.Index | pandas.Series | pandas.DataFrame | str | os.PathLike[str],
    *,
    target: str | Sequence[str] | None = None,
    fold: str | Sequence[str] | None = None,
    partition: str | None = None,
    groups: str | None = None,
    root: str | os.PathLike[str] | None = None,
    task: str | None = None,
    target_names: Sequence[str] | None = None,
    missing: Sequence[str] | None = None,
    return_X_y: bool = False,
) -> BunchOrXy:
    r"""Load segments of recordings, one row per segment. No recording is opened.

    :class:`~skaudeep.SpectrogramExtractor` decodes only the segments of a long recording, to which
    it seeks.

    Parameters
    ----------
    index : pandas.MultiIndex, Index, Series, DataFrame, or path of a CSV file
        An index with the levels `file`, `start` and `end`, or with `file` alone for whole
        recordings, or a Series, DataFrame or CSV file with such an index: the tables of audformat,
        audb and opensmile. In a CSV file, the index are the columns with these names. Times are
        Timedelta, text (`0 days 00:00:01.5`), or numbers of seconds.
        A missing `start` is the start of the recording, a missing `end` its end. An `end` up to
        1 ms after the end of its recording is taken for its end, because times may be rounded; a
        later `end` is an error when the recording is decoded.
    target : str or sequence of str, default=None
        Column with the class or value of each segment, or several columns with values. The column
        of a Series has the name of the Series. None: no segment is labelled.
    fold : str or sequence of str, default=None
        Column with the name of the fold that tests each segment, or one column for each fold with
        0 for training and 1 for testing. An empty cell is an error. None: there are no folds.
    partition : str, default=None
        Column with the partition of each segment: `train`, `devel` or `test`, or another name, such
        as `dev`, that :func:`load_table` understands. A segment with a missing value is in no
        partition. None: there are no partitions.
    groups : str, default=None
        Column with the speaker or site of each segment. A segment with a missing value has its file
        as group. If the segments of a file have several groups, there is a warning. With None or
        "file", the segments of a file are a group.
    root : str or Path, default=None
        Folder below which all recordings lie. None is the folder of the CSV file; for an index,
        Series or DataFrame it is the folder that all paths share if all are absolute, as in audb,
        else the current directory.
    task : {"classification", "regression", "unlabelled"}, default=None
        How to read `target`. None: decimal numbers are values for regression, whole numbers and
        text are classes. "unlabelled" states that no segment is labelled, which otherwise causes a
        warning. See :func:`load_table`.
    target_names : sequence of str, default=None
        The classes in the order of their integers. None: the classes that occur, sorted (by number
        if all are whole numbers).
    missing : sequence of str, default=None
        Texts of cells that mean a missing value. None: empty cells, `?`, `NA`, `nan` and others,
        see :func:`load_table`.
    return_X_y : bool, default=False
        Whether to return the tuple ``(data, target)``, which scikit-learn calls X and y, instead of
        the Bunch. Only the Bunch holds folds, partitions, groups and the names of classes. There is
        a UserWarning if some clips are labelled and others are not.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A data set with all keys of :func:`make_bunch`, in the order of the index. `data` is a
        MultiIndex `(file, start, end)` whose files begin with `root`, and serves as X. `filenames`
        is the file relative to `root`, with the times in seconds, `a.wav#t=0.5,1.5`, where an `end`
        or a `start` is given. `groups` holds the files, relative to `root`, unless a column is
        named.

    Raises
    ------
    FileNotFoundError
        If the CSV file or a recording is missing.
    TypeError
        If `index` is none of these.
    ValueError
        If levels or columns are missing, a segment occurs twice, ends before it starts or starts
        before its recording, a file lies outside `root`, or a cell holds a value that its column
        does not allow.

    Warns
    -----
    UserWarning
        If no clip is labelled, as in :func:`load_table`; or if groups divide the segments of a
        file, which then are in training and in test at once.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pandas as pd
    >>> from skaudeep.datasets import load_index
    >>> index = pd.MultiIndex.from_tuples([("a.wav", 0.0, 1.5), ("a.wav", 1.5, None)],
    ...                                   names=["file", "start", "end"])
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, "a.wav").touch()
    ...     bunch = load_index(pd.Series(["owl", "crow"], index, name="call"),
    ...                        target="call", root=folder)
    >>> bunch.filenames.tolist(), bunch.target.tolist()
    (['a.wav#t=0,1.5', 'a.wav#t=1.5'], [1, 0])
    """
    import pandas as pd

    used = [partition, *as_columns(target), *as_columns(fold)]
    if groups != "file":
        used.append(groups)
    wanted = list(dict.fromkeys(column for column in used if column is not None))
    source, base = "the index", Path()
    if isinstance(index, str | os.PathLike):
        file = Path(index).expanduser()
        # where no level is there, the message names all of them
        header = read_header(file, wanted)
        levels = [name for name in header if name in _LEVELS] or _LEVELS
        counts = Counter(header)
        others = [name for name in header if name not in levels and counts[name] == 1]
        cells = read_columns(file, list(dict.fromkeys([*levels, *wanted, *others])))
        index = pd.DataFrame(cells, dtype=str).set_index(levels, drop=False)
        source, base = file.name, file.parent
    frame = _as_frame(index)
    paths = [os.fspath(file) for file in frame.index.get_level_values("file")]
    times = [frame.index.get_level_values(level) for level in ("start", "end")]
    if root is not None:
        base = check_folder(root)
    elif source == "the index" and all(map(os.path.isabs, paths)):
        base = Path(os.path.commonpath([os.path.dirname(path) for path in paths]))

    frame = frame.reset_index(drop=True)
    columns = frame_columns(frame, wanted)
    files = [below(base, path) for path in paths]
    check_files(base, list(dict.fromkeys(files)), source)
    starts = _times(times[0], files).fillna(pd.Timedelta(0))
    ends = _times(times[1], files)
    names = []
    for name, start, end in zip(files, starts, ends, strict=True):
        if start < pd.Timedelta(0) or end <= start:
            until = "its end" if end is pd.NaT else f"{end.total_seconds():g} s"
            raise ValueError(
                f"Got a segment of {name!r} from {start.total_seconds():g} s to {until}, expected "
                "0 <= start < end."
            )
        names.append(name + _fragment(start.total_seconds(), end.total_seconds()))

    labels, classes = read_labels(target, columns, names, task, target_names, missing)
    folds, fold_names = read_folds(fold, columns, names)
    unused = [name for name in map(str, frame.columns) if name not in (*wanted, *_LEVELS)]
    bunch = make_bunch(
        pd.MultiIndex.from_arrays([join(base, files), starts, ends], names=_LEVELS),
        names,
        target=labels,
        target_names=classes,
        folds=folds,
        fold_names=fold_names,
        partition=None if partition is None else read_partition(columns[partition], names, missing),
        groups=files if groups in (None, "file") else _groups(columns, groups, files, missing),
        descr=f"{len(names)} segments of {len(set(files))} files listed in {source}",
    )
    warn_unlabelled(labels, target, task, source, unused)
    return bunch_or_X_y(bunch, return_X_y)


def _groups(
    columns: dict[str, list[str]], column: str, files: list[str], missing: Sequence[str] | None
) -> list[str]:
    """Return the groups, and the file where a group is missing; warn where a file has several."""
    groups = read_groups(columns[column], missing)
    filled = [group or file for group, file in zip(groups, files, strict=True)]
    found: dict[str, set[str]] = {}
    for group, file in zip(filled, files, strict=True):
        found.setdefault(file, set()).add(group)
    if torn := [file for file, several in found.items() if len(several) > 1]:
        warnings.warn(
            f"{len(torn)} of {len(found)} files have segments in several groups of column "
            f"{column!r}, first {torn[0]!r}: add_folds may train and test on one recording. Give "
            "groups='file' to keep each file whole.",
            stacklevel=find_stack_level(),
        )
    return filled


def _as_frame(index: Any) -> pandas.DataFrame:
    """Convert the index to a DataFrame with the levels file, start and end."""
    import pandas as pd

    if isinstance(index, pd.Index):
        frame = pd.DataFrame(index=index)
    elif isinstance(index, pd.Series):
        frame = index.to_frame()
    elif isinstance(index, pd.DataFrame):
        frame = index
    else:
        raise TypeError(
            f"Got an index of type {type(index).__name__}, expected a pandas Index, Series or "
            "DataFrame, or the path of a CSV file."
        )
    levels = list(frame.index.names)
    if levels == ["file"]:
        whole = [frame.index, [pd.Timedelta(0)] * len(frame), [pd.NaT] * len(frame)]
        frame = frame.set_axis(pd.MultiIndex.from_arrays(whole, names=_LEVELS))
    elif levels != _LEVELS:
        raise ValueError(
            f"Got an index with the levels {levels}, expected {_LEVELS} or ['file']. Use "
            "load_table for a table with a column of paths."
        )
    if len(frame) == 0:
        raise ValueError("Got an index without rows, expected one per segment.")
    return frame


def _times(values: pandas.Index, files: list[str]) -> pandas.Series:
    """Return Timedelta, NaT where missing."""
    import pandas as pd

    times = []
    for value, file in zip(values, files, strict=True):
        try:
            times.append(read_time(value))
        except (ValueError, TypeError, OverflowError) as error:
            raise ValueError(
                f"Got time {value!r} for a segment of {file!r}, expected a Timedelta or seconds, "
                "with a point where they are not whole."
            ) from error
    return pd.Series(times, dtype="timedelta64[ns]")


def _fragment(start: float, end: float) -> str:
    """Return the times as W3C's media fragments write them, nothing for a whole file."""
    if end == end:
        return f"#t={start:.10g},{end:.10g}"
    return f"#t={start:.10g}" if start else ""
