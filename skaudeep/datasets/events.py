"""Check of tables of events, which have a recording, a start, an end and a label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skaudeep._texts import list_names, shown

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("file", "start", "end", "label", "score")


def check_events(
    events: Any, source: str = "the table of events", places: Sequence[str] | None = None
) -> pd.DataFrame:
    """Check a table of events, and return it in a standard form.

    Parameters
    ----------
    events : pandas.DataFrame
        Columns `file`, `start`, `end` (seconds from the start of the recording), `label`, and
        perhaps `score`; others are left out.
    source : str, default="the table of events"
        Name of the table in messages.
    places : sequence of str, default=None
        Name of the place of each event in messages. None numbers the rows from 0.

    Returns
    -------
    pandas.DataFrame
        The columns `file` (str), `start`, `end` (float), `label` (str), `score` (float, NaN where
        there is none), rows numbered from 0.

    Raises
    ------
    TypeError
        If it is no DataFrame.
    ValueError
        If a column is missing, a time is no number, infinite or negative, or an event does not end
        after its start. The message names file, label and times.

    Examples
    --------
    >>> import pandas as pd
    >>> from skaudeep.datasets.events import check_events
    >>> events = pd.DataFrame({"file": ["a.wav"], "start": [1], "end": [2], "label": ["owl"]})
    >>> check_events(events).to_dict("records")
    [{'file': 'a.wav', 'start': 1.0, 'end': 2.0, 'label': 'owl', 'score': nan}]
    """
    import pandas as pd

    if not isinstance(events, pd.DataFrame):
        raise TypeError(
            f"Got {source} of type {type(events).__name__}, expected a DataFrame with the columns "
            f"{list_names(COLUMNS[:-1])}. skaudeep.formats.load_annotations reads files."
        )
    if missing := [column for column in COLUMNS[:-1] if column not in events]:
        raise ValueError(
            f"Got {source} without {list_names(missing)}, expected the columns "
            f"{list_names(COLUMNS[:-1])}. Columns there: {list_names(events.columns)}."
        )
    whole = pd.DataFrame({name: events[name].to_list() for name in ("file", "label")}, dtype=object)
    for name in ("file", "label"):
        for row, text in enumerate(whole[name]):
            if not isinstance(text, str):
                place = f"row {row}" if places is None else places[row]
                raise ValueError(
                    f"Got {text!r} as {name} in {place} of {source}, expected text. Convert the "
                    "column by .astype(str), or fill the gap."
                )
        whole[name] = whole[name].astype(str)  # pandas' type of text differs between versions
    for name in ("start", "end", "score"):
        values: Any = events[name] if name in events else np.full(len(events), np.nan)
        if getattr(values, "dtype", np.dtype(float)).kind == "m":
            values = values.dt.total_seconds()
        try:
            whole[name] = np.asarray(values, dtype=float)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"Got values in column {name!r} of {source} that are no numbers ({error}), "
                "expected seconds."
            ) from error
    start, end = whole["start"].to_numpy(), whole["end"].to_numpy()
    wrong = np.flatnonzero(~((start >= 0) & (end > start) & np.isfinite(end)))
    if len(wrong):
        row = int(wrong[0])
        place = f"row {row}" if places is None else places[row]
        raise ValueError(
            f"Got the event {shown(whole['label'][row])} of {shown(whole['file'][row])} from "
            f"{start[row]:g} to {end[row]:g} s in {place} of {source}, expected 0 <= start < end."
        )
    return whole[list(COLUMNS)]
