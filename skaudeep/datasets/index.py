"""Reader of segments of recordings: the (file, start, end) index of audformat and opensmile."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.utils import Bunch

from skaudeep.datasets.bunch import make_bunch
from skaudeep.datasets.files import below, check_files, check_folder, join
from skaudeep.datasets.table import (
    frame_columns,
    read_columns,
    read_folds,
    read_header,
    read_labels,
    read_partition,
)

if TYPE_CHECKING:
    import pandas

_LEVELS = ["file", "start", "end"]


def load_index(
    index: pandas.Index | pandas.Series | pandas.DataFrame | str | os.PathLike[str],
    *,
    target: str | None = None,
    fold: str | Sequence[str] | None = None,
    partition: str | None = None,
    groups: str | None = None,
    root: str | os.PathLike[str] | None = None,
    task: str | None = None,
    target_names: Sequence[str] | None = None,
) -> Bunch:
    r"""Load segments of recordings, one row per segment. No recording is opened.

    :class:`~skaudeep.SpectrogramExtractor` reads such segments by seeking: of a long recording only
    the segments are decoded.

    Parameters
    ----------
    index : pandas.MultiIndex, Index, Series, DataFrame, or path of a CSV file
        An index with the levels `file`, `start` and `end`, or with `file` alone for whole
        recordings, or a Series, a DataFrame or a CSV file that carries one: the tables of
        audformat, and what audb and opensmile return. Times are Timedelta, or seconds as numbers;
        a missing `end` is the end of the recording.
    target, partition, groups : str, default=None
        Columns with the label, the partition and the group of each segment, as in
        :func:`load_table`. The only column of a Series is its name.
    fold : str or sequence of str, default=None
        Column or columns of the folds, as in :func:`load_table`.
    root : str or Path, default=None
        Folder below which all recordings lie. None: the folder of a CSV file; of an index whose
        paths are all absolute, as audb's are, the folder that they share; otherwise the current
        directory.
    task : {"classification", "regression"}, default=None
        How to read `target`, as in :func:`load_table`.
    target_names : sequence of str, default=None
        The classes in the order of their integers, as in :func:`load_table`.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        All keys of :func:`make_bunch`, in the order of the index. `data` is a MultiIndex
        `(file, start, end)` whose files begin with `root`, and serves as X. `filenames` is the
        file relative to `root`, with the times in seconds, `a.wav#t=0.5,1.5`, where an `end` or a
        `start` is given.

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

    used = [target, partition, groups, *([fold] if isinstance(fold, str) else fold or ())]
    wanted = list(dict.fromkeys(column for column in used if column is not None))
    source, base = "the index", Path()
    if isinstance(index, str | os.PathLike):
        file = Path(index).expanduser()
        # where no level is there, the message names all of them
        levels = [name for name in read_header(file) if name in _LEVELS] or _LEVELS
        cells = read_columns(file, list(dict.fromkeys(levels + wanted)))
        index = pd.DataFrame(cells, dtype=str).set_index(levels, drop=False)
        source, base = file.name, file.parent
    frame = _as_frame(index)
    paths = [os.fspath(file) for file in frame.index.get_level_values("file")]
    if root is not None:
        base = check_folder(root)
    elif source == "the index" and all(map(os.path.isabs, paths)):
        base = Path(os.path.commonpath([os.path.dirname(path) for path in paths]))

    columns = frame_columns(frame.reset_index(drop=True), wanted)
    files = [below(base, path) for path in paths]
    check_files(base, list(dict.fromkeys(files)), source)
    starts = _times(frame.index.get_level_values("start"), files).fillna(pd.Timedelta(0))
    ends = _times(frame.index.get_level_values("end"), files)
    names = []
    for name, start, end in zip(files, starts, ends, strict=True):
        if start < pd.Timedelta(0) or end <= start:
            until = "its end" if end is pd.NaT else f"{end.total_seconds():g} s"
            raise ValueError(
                f"Got a segment of {name!r} from {start.total_seconds():g} s to {until}, expected "
                "0 <= start < end."
            )
        names.append(name + _fragment(start.total_seconds(), end.total_seconds()))

    labels, classes = read_labels(target, columns, names, task, target_names)
    folds, fold_names = read_folds(fold, columns, names)
    return make_bunch(
        pd.MultiIndex.from_arrays([join(base, files), starts, ends], names=_LEVELS),
        names,
        target=labels,
        target_names=classes,
        folds=folds,
        fold_names=fold_names,
        partition=None if partition is None else read_partition(columns[partition], names),
        groups=None if groups is None else columns[groups],
        descr=f"{len(names)} segments of {len(set(files))} files listed in {source}",
    )


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
            times.append(_time(value))
        except (ValueError, TypeError, OverflowError) as error:
            raise ValueError(
                f"Got time {value!r} for a segment of {file!r}, expected a Timedelta or seconds, "
                "with a point where they are not whole."
            ) from error
    return pd.Series(times, dtype="timedelta64[ns]")


def _time(value: Any) -> pandas.Timedelta:
    import pandas as pd

    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:  # "0 days 00:00:01.5", or an empty cell
            value = value.strip() or None
            # pandas would take "1,5 s" for 15 seconds, and "1 000" for nanoseconds.
            if value and not re.fullmatch("(?=.*[A-Za-z:])[^,]+", value):
                raise
    return pd.to_timedelta(value, unit="s" if isinstance(value, Real) else None)


def _fragment(start: float, end: float) -> str:
    """Return the times as W3C's media fragments write them, nothing for a whole file."""
    if end == end:
        return f"#t={start:.10g},{end:.10g}"
    return f"#t={start:.10g}" if start else ""
