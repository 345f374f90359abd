"""Scores of detected events: event-based and segment-based precision, recall and F1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skaudeep._texts import list_names, printable
from skaudeep.datasets.events import check_events

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-6  # seconds by which equal times may differ after rounding


@dataclass(frozen=True, repr=False, eq=False)
class DetectionScores:
    """Precision, recall and F1 of detected events. ``print`` shows them as a table.

    Parameters
    ----------
    per_class : pandas.DataFrame
        A row for each class of the true or detected events, sorted by name. The columns `n_true`,
        `n_detected` and `n_correct` count the events of the class, or, of :func:`segment_scores`,
        the segments that have it. `precision` is n_correct / n_detected (NaN if nothing was
        detected), `recall` is n_correct / n_true (NaN if there are no true events), and `f1` is
        2 n_correct / (n_true + n_detected). The table has no rows if both tables of events are
        empty.

    Examples
    --------
    >>> import pandas as pd
    >>> from skaudeep.evaluation import segment_scores
    >>> true = pd.DataFrame({"file": "a.wav", "start": [0], "end": [2], "label": "owl"})
    >>> detected = pd.DataFrame({"file": "a.wav", "start": [1], "end": [3], "label": "owl"})
    >>> segment_scores(true, detected)
           precision  recall     F1  true  detected  correct
    owl        0.500   0.500  0.500     2         2        1
    micro      0.500   0.500  0.500     2         2        1
    macro      0.500   0.500  0.500
    """

    per_class: pd.DataFrame

    @property
    def precision(self) -> float:
        """Share of all detected events or segments that are correct (micro average).

        NaN if nothing was detected.
        """
        return _ratio(self.per_class["n_correct"].sum(), self.per_class["n_detected"].sum())

    @property
    def recall(self) -> float:
        """Share of all true events or segments that are detected (micro average).

        NaN if there are no true events.
        """
        return _ratio(self.per_class["n_correct"].sum(), self.per_class["n_true"].sum())

    @property
    def f1(self) -> float:
        """2 n_correct / (n_true + n_detected), summed over classes (micro average).

        It is the harmonic mean of `precision` and `recall`, and 0 where events are true or detected
        but none is correct, also if `precision` or `recall` is NaN. Without any event it is NaN.
        """
        total = self.per_class["n_true"].sum() + self.per_class["n_detected"].sum()
        return _ratio(2 * self.per_class["n_correct"].sum(), total)

    @property
    def macro_precision(self) -> float:
        """Mean precision of the classes that were detected (macro average); NaN if none was."""
        return float(self.per_class["precision"].mean())

    @property
    def macro_recall(self) -> float:
        """Mean recall of the classes of true events (macro average); NaN without true events."""
        return float(self.per_class["recall"].mean())

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that have events, true or detected (macro average); else NaN."""
        return float(self.per_class["f1"].mean())

    def __repr__(self) -> str:
        width = max([len(printable(label)) for label in self.per_class.index] + [5])
        lines = [f"{'':{width}}  precision  recall     F1  true  detected  correct"]
        for label, row in self.per_class.iterrows():
            counts = f"{row.n_true:4.0f}  {row.n_detected:8.0f}  {row.n_correct:7.0f}"
            means = f"{row.precision:9.3f}  {row.recall:6.3f}  {row.f1:5.3f}"
            lines.append(f"{printable(label):{width}}  {means}  {counts}")
        sums = self.per_class[["n_true", "n_detected", "n_correct"]].sum()
        lines.append(
            f"{'micro':{width}}  {self.precision:9.3f}  {self.recall:6.3f}  {self.f1:5.3f}  "
            f"{sums.n_true:4.0f}  {sums.n_detected:8.0f}  {sums.n_correct:7.0f}"
        )
        lines.append(
            f"{'macro':{width}}  {self.macro_precision:9.3f}  {self.macro_recall:6.3f}  "
            f"{self.macro_f1:5.3f}"
        )
        return "\n".join(lines)


def event_scores(
    true: pd.DataFrame,
    detected: pd.DataFrame,
    *,
    collar: float = 0.2,
    offset_ratio: float | None = 0.2,
) -> DetectionScores:
    """Compare detected events with true ones, event by event.

    A detected event is correct if it has the class and the recording of a true event, begins within
    `collar` of its start, and ends within `collar` of its end (or within `offset_ratio` times the
    length of the true event, if that is more). This is the rule of the DCASE challenges. Each event
    is matched with at most one other, so that as many as possible are matched
    (:func:`mir_eval.util.match_events`).

    Parameters
    ----------
    true, detected : pandas.DataFrame
        Tables of events, with the columns `file`, `start`, `end` (seconds) and `label`, as
        :func:`~skaudeep.formats.load_annotations` and :func:`~skaudeep.find_events` return them.
    collar : float > 0, default=0.2
        Largest difference in seconds between the starts, and between the ends, of two events.
    offset_ratio : float >= 0 or None, default=0.2
        Largest difference of the ends, as a share of the length of the true event, where that is
        more than `collar`. With None, ends are not compared.

    Returns
    -------
    DetectionScores
        Precision, recall and F1 of the events.

    Raises
    ------
    ImportError
        If mir_eval, of the extra `events`, is not installed.
    TypeError
        If a table is not a data frame.
    ValueError
        If a table lacks a column or holds an invalid event, both tables have events but no
        recording in common, or a parameter is out of its range. A table may be empty.

    See Also
    --------
    segment_scores : Compare second by second.

    Examples
    --------
    >>> import pandas as pd
    >>> from skaudeep.evaluation import event_scores
    >>> true = pd.DataFrame({"file": "a.wav", "start": [1.0, 5.0], "end": [2.0, 6.0],
    ...                      "label": "owl"})
    >>> detected = true.assign(start=[1.1, 5.5])
    >>> event_scores(true, detected).f1
    0.5
    """
    try:
        from mir_eval.util import match_events
    except ImportError as error:
        raise ImportError(
            "event_scores needs mir_eval, not installed here: pip install 'skaudeep[events]'."
        ) from error
    if not 0 < collar < np.inf:
        raise ValueError(f"Got collar={collar}, expected seconds, more than 0.")
    if offset_ratio is not None and not 0 <= offset_ratio < np.inf:
        raise ValueError(f"Got offset_ratio={offset_ratio}, expected a number >= 0, or None.")

    def distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distances of events, which are at most 1 if they match."""
        apart = np.abs(one[:, None, 0] - other[None, :, 0]) / (collar + TOLERANCE)
        if offset_ratio is None:
            return apart
        allowed = np.maximum(collar, offset_ratio * (one[:, 1] - one[:, 0])) + TOLERANCE
        ends = np.abs(one[:, None, 1] - other[None, :, 1]) / allowed[:, None]
        return np.maximum(apart, ends)

    true, detected = _checked(true, detected)
    counts = {}
    for label in _labels(true, detected):
        ours, theirs = true[true["label"] == label], detected[detected["label"] == label]
        n_correct = 0
        for file in set(ours["file"]) & set(theirs["file"]):
            pair = [
                table.loc[table["file"] == file, ["start", "end"]].to_numpy()
                for table in (ours, theirs)
            ]
            for one, other in _neighbours(pair[0], pair[1], collar):
                n_correct += len(match_events(one, other, 1.0, distance=distance))
        counts[label] = (len(ours), len(theirs), n_correct)
    return _scores(counts)


def segment_scores(
    true: pd.DataFrame, detected: pd.DataFrame, *, segment: float = 1.0
) -> DetectionScores:
    """Compare detected events with true ones in segments of equal length.

    A segment has a class if an event of the class overlaps with the segment, by any length of time.
    A segment of a class is correct if it has the class by the true and by the detected events.

    Parameters
    ----------
    true, detected : pandas.DataFrame
        Tables of events, with the columns `file`, `start`, `end` (seconds) and `label`, as
        :func:`~skaudeep.formats.load_annotations` and :func:`~skaudeep.find_events` return them.
    segment : float > 0, default=1.0
        Length of the segments in seconds. The first segment begins with the recording.

    Returns
    -------
    DetectionScores
        Precision, recall and F1 over all segments and classes, and of each class, with counts of
        segments. Events of a recording that is in one table only are missed or false.

    Raises
    ------
    TypeError
        If a table is not a data frame.
    ValueError
        If a table lacks a column or holds an invalid event, both tables have events but no
        recording in common, or `segment` is not positive. A table may be empty.

    Examples
    --------
    >>> import pandas as pd
    >>> from skaudeep.evaluation import segment_scores
    >>> true = pd.DataFrame({"file": ["a.wav"], "start": [0.5], "end": [3.0], "label": ["owl"]})
    >>> scores = segment_scores(true, true.assign(end=2.0))
    >>> scores.precision, round(scores.recall, 3)
    (1.0, 0.667)
    """
    if not 0 < segment < np.inf:
        raise ValueError(f"Got segment={segment}, expected seconds, more than 0.")
    true, detected = _checked(true, detected)
    counts = {}
    for label in _labels(true, detected):
        ours, theirs = (
            set(_segments(table[table["label"] == label], segment)) for table in (true, detected)
        )
        counts[label] = (len(ours), len(theirs), len(ours & theirs))
    return _scores(counts)


def _segments(events: pd.DataFrame, segment: float) -> Iterator[tuple[str, int]]:
    for row in events.itertuples(index=False):
        first = int(np.floor((row.start + TOLERANCE) / segment))
        last = int(np.ceil((row.end - TOLERANCE) / segment))
        for number in range(first, max(last, first + 1)):
            yield row.file, number


def _neighbours(
    one: NDArray[np.float64], other: NDArray[np.float64], collar: float
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Divide events (n, 2) into parts between which none can match, so that matrices stay small.

    Between two parts, no event starts for longer than the collar.
    """
    starts = np.sort(np.concatenate([one[:, 0], other[:, 0]]))
    borders = starts[1:][np.diff(starts) > collar + TOLERANCE]
    parts = []
    for events in (one, other):
        events = events[np.argsort(events[:, 0], kind="stable")]
        parts.append(np.split(events, np.searchsorted(events[:, 0], borders)))
    return (pair for pair in zip(*parts, strict=True) if len(pair[0]) and len(pair[1]))


def _checked(true: pd.DataFrame, detected: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    true = check_events(true, "the table of true events")
    detected = check_events(detected, "the table of detected events")
    files, others = true["file"].unique(), detected["file"].unique()
    if len(files) and len(others) and not set(files) & set(others):
        raise ValueError(
            f"Got true events of {list_names(files)} and detected events of {list_names(others)}, "
            "expected the same recordings. Give both tables the same names in the column file."
        )
    return true, detected


def _labels(true: pd.DataFrame, detected: pd.DataFrame) -> list[str]:
    return sorted({*true["label"], *detected["label"]})


def _scores(counts: dict[str, tuple[int, int, int]]) -> DetectionScores:
    import pandas as pd

    columns = ["n_true", "n_detected", "n_correct"]
    table = pd.DataFrame(list(counts.values()), list(counts), columns)
    table["precision"] = [_ratio(row[2], row[1]) for row in counts.values()]
    table["recall"] = [_ratio(row[2], row[0]) for row in counts.values()]
    table["f1"] = [_ratio(2 * row[2], row[0] + row[1]) for row in counts.values()]
    return DetectionScores(table)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
