"""TextGrid, the text files of Praat that say what is where in a recording."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from skaudeep._texts import shown

if TYPE_CHECKING:
    import pandas as pd

# Praat's rule: strings in quotes, numbers that stand free, and flags are the file; all else helps
# to read it.
_WORD = re.compile(r'"(?:[^"]|"")*"|<exists>|<absent>|(?<!\S)[-+]?\d[\d.]*(?:[eE][-+]?\d+)?(?!\S)')
TIER = "IntervalTier"


def read_textgrid(text: str, name: str) -> Iterator[tuple[int, str, str, str]]:
    """Yield the intervals with a text, of all tiers of intervals.

    Parameters
    ----------
    text : str
        The content of the file, in the long or the short form.
    name : str
        What messages call it.

    Yields
    ------
    line : int
    start, end : str
        Seconds.
    label : str

    Raises
    ------
    ValueError
        If it is no TextGrid, or not a whole one.

    Examples
    --------
    >>> grid = '"ooTextFile" "TextGrid" 0 2 <exists> 1 "IntervalTier" "birds" 0 2 1 0.5 2 "owl"'
    >>> list(read_textgrid(grid, "night.TextGrid"))
    [(1, '0.5', '2', 'owl')]
    """
    found = [(match[0], match.start()) for match in _WORD.finditer(text)]
    words = iter(found)
    place = 0

    def take() -> str:
        nonlocal place
        word, place = next(words)
        return word

    def count() -> int:
        word = take()
        if not word.isdigit():
            raise ValueError
        return int(word)

    try:
        if (take(), take()) != ('"ooTextFile"', '"TextGrid"'):
            raise ValueError
        for _ in range(2):  # start and end
            float(take())
        for _ in range(count() if take() == "<exists>" else 0):
            kind = _unquoted(take())
            for _ in range(3):  # name, start, end
                take()
            for _ in range(count()):
                start = take()
                end = take() if kind == TIER else ""
                label = _unquoted(take())
                if kind == TIER and label.strip():
                    yield text.count("\n", 0, place) + 1, start, end, label
    except (ValueError, StopIteration):
        line = text.count("\n", 0, place) + 1
        raise ValueError(
            f"Got {name!r}, which is no whole TextGrid (near line {line}), expected a text "
            "file that Praat saved. Save it again, by 'Save as text file'."
        ) from None


def _unquoted(word: str) -> str:
    if not word.startswith('"'):
        raise ValueError
    return word[1:-1].replace('""', '"')


def write_textgrid(events: pd.DataFrame, duration: float = 0.0) -> str:
    """Return a TextGrid with a tier for each label.

    Parameters
    ----------
    events : pandas.DataFrame
        A table of events of one recording.
    duration : float >= 0, default=0.0
        Where the tiers end, in seconds, if no event ends later.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If two events of a label overlap.
    """
    last = max([*events["end"], duration]) or 1.0
    tiers = []
    for label, part in events.sort_values("start").groupby("label", sort=False):
        time, intervals = 0.0, []
        for row in part.itertuples(index=False):
            if round(row.start, 6) < round(time, 6):
                raise ValueError(
                    f"Got two events {shown(label)} at once, the second from {row.start:g} to "
                    f"{row.end:g} s, expected one after the other: a tier of a TextGrid holds no "
                    "others. Merge them, or save a file that ends in .csv."
                )
            if round(row.start, 6) > round(time, 6):
                intervals.append((time, row.start, ""))
            intervals.append((row.start, row.end, str(label)))
            time = row.end
        if round(time, 6) < round(last, 6):
            intervals.append((time, last, ""))
        tiers.append((str(label), intervals))
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += ["xmin = 0", f"xmax = {last:.6f}", "tiers? <exists>", f"size = {len(tiers)}"]
    lines.append("item []:")
    for number, (label, intervals) in enumerate(tiers, 1):
        quoted = label.replace('"', '""')
        lines += [
            f"    item [{number}]:",
            f'        class = "{TIER}"',
            f'        name = "{quoted}"',
        ]
        lines += ["        xmin = 0", f"        xmax = {last:.6f}"]
        lines.append(f"        intervals: size = {len(intervals)}")
        for i, (start, end, text) in enumerate(intervals, 1):
            quoted = text.replace('"', '""')
            lines += [f"        intervals [{i}]:", f"            xmin = {start:.6f}"]
            lines += [f"            xmax = {end:.6f}", f'            text = "{quoted}"']
    return "".join(line + "\n" for line in lines)
