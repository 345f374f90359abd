"""When recordings were unusual: windows in a row below a threshold, as a table and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skaudeep._texts import printable

if TYPE_CHECKING:
    import pandas as pd

SHOWN_EVENTS = 8


def least_duration(window: float, hop: float) -> float:
    """Return how long three windows in a row are in seconds; the last may be half a window.

    Of normal windows a few are below the threshold by chance, also two in a row of some hundreds.
    """
    return 2 * max(window, hop) + window / 2


def find_alarms(table: pd.DataFrame, threshold: float, window: float, hop: float) -> pd.DataFrame:
    """Find where windows in a row are below the threshold, as `find_events` does.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each window, with the columns file, start, end and score.
    threshold : float
        Windows with lower scores are unusual.
    window, hop : float > 0
        Length of a window, and the time from the start of one to that of the next, in seconds.

    Returns
    -------
    pandas.DataFrame
        A row for each run of three windows or more, with the columns file, start, end and
        lowest_score.
    """
    import numpy as np
    import pandas as pd

    from skaudeep.events import find_events

    table = table[table["score"].notna()]
    rows: list[tuple[str, float, float, float]] = []
    if len(table):
        # Just above 0 only where the score is below the threshold, not where it is equal.
        below = pd.DataFrame({"unusual": threshold - table["score"].to_numpy()})
        found = find_events(
            below.set_index(pd.MultiIndex.from_frame(table[["file", "start", "end"]])),
            threshold=np.nextafter(0, 1),
            min_duration=least_duration(window, hop),
            merge_gap=max(0.0, hop - window),
        )
        by_file = dict(list(table.groupby("file", sort=False)))
        for file, start, end in zip(found["file"], found["start"], found["end"], strict=True):
            own = by_file[file]
            inside = own[(own["end"] > start + 1e-4) & (own["start"] < end - 1e-4)]
            rows.append((file, start, end, float(inside["score"].min())))
    columns = ["file", "start", "end", "lowest_score"]
    types = dict.fromkeys(columns, float) | {"file": str}
    return pd.DataFrame(rows, columns=columns).astype(types)


def say_when(alarms: pd.DataFrame, n_files: int, window: float, hop: float) -> str:
    """Return in a line when recordings were unusual, the first times if there are many.

    Parameters
    ----------
    alarms : pandas.DataFrame
        What `find_alarms` returned.
    n_files : int
        Number of recordings that have scores; of several, each time has its recording.
    window, hop : float > 0
        As in `find_alarms`.

    Returns
    -------
    str
    """
    times = []
    for file, start, end in zip(alarms["file"], alarms["start"], alarms["end"], strict=True):
        name = f"{printable(file)} " if n_files > 1 else ""
        times.append(f"{name}{_clock(start)}-{_clock(end)}")
    if len(times) > SHOWN_EVENTS:
        times[SHOWN_EVENTS:] = [f"and {len(times) - SHOWN_EVENTS} more"]
    longer = f"{least_duration(window, hop):.4g} s or longer"
    return f"Unusual for {longer}: {', '.join(times) or 'nowhere'}."


def _clock(seconds: float) -> str:
    """Return a time as minutes and seconds, of an hour or more with hours."""
    minutes, rest = divmod(round(1000 * seconds), 60_000)
    hours, minutes = divmod(minutes, 60)
    of_minute = f"{rest / 1000:06.3f}".rstrip("0").rstrip(".")
    return f"{hours}:{minutes:02}:{of_minute}" if hours else f"{minutes}:{of_minute}"
