"""A line of progress with the current task, its share and the remaining time."""

from __future__ import annotations

import logging
import sys
import time
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

# The progress also goes to this logger, for users who configure logging.
LOG = logging.getLogger("skaudeep")
LOG.addHandler(logging.NullHandler())
PLAIN_SECONDS = 10.0  # between lines where stderr is no terminal


class Progress:
    """Show the stages of one call of a function, in one line on stderr.

    On a terminal, and in a notebook where ipywidgets is installed, the line is redrawn by rich.
    Elsewhere, such as in the log of a job, a plain line is written at most every 10 seconds, and
    none where a stage takes less. The logger `skaudeep` gets the beginning and the end of each
    stage in any case.

    Parameters
    ----------
    show : bool
        False shows nothing.

    Examples
    --------
    >>> with Progress(show=False) as progress:
    ...     progress.begin("Extracting clips", 300)
    ...     progress.advance(16)
    """

    def __init__(self, *, show: bool):
        self._drawn: Any = _redrawn_line() if show else None
        self._plain = show and self._drawn is None
        self._task: Any = None
        self._what = ""

    def __enter__(self) -> Self:
        if self._drawn is not None:
            self._drawn.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._drawn is not None:
            self._drawn.stop()
        self._log_end()

    def begin(self, what: str, total: int) -> None:
        """Begin a stage.

        Parameters
        ----------
        what : str
            What is done, such as "Extracting clips".
        total : int
            How much of it there is.
        """
        self._log_end()
        self._what, self._total, self._done = what, total, 0
        self._began = self._written = time.monotonic()
        LOG.info("%s: %d", what, total)
        if self._drawn is not None:
            if self._task is not None:
                self._drawn.remove_task(self._task)
            self._task = self._drawn.add_task(what, total=total)

    def _log_end(self) -> None:
        if self._what:
            seconds = duration(time.monotonic() - self._began)
            LOG.info("%s: %d of %d in %s", self._what, self._done, self._total, seconds)

    def advance(self, n: int = 1) -> None:
        """Count what is done.

        Parameters
        ----------
        n : int, default=1
            How much more of the stage is done.
        """
        self._done += n
        if self._drawn is not None:
            self._drawn.update(self._task, advance=n)
        elif self._plain and time.monotonic() - self._written >= PLAIN_SECONDS:
            self._written = time.monotonic()
            left = (self._written - self._began) * (self._total - self._done) / self._done
            sys.stderr.write(
                f"{self._what}: {self._done} of {self._total}, about {duration(left)} left\n"
            )
            sys.stderr.flush()


def _redrawn_line() -> Any:
    """Return rich's progress display, None where stderr cannot redraw a line."""
    if not sys.stderr.isatty() and not _in_notebook():
        return None
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Line

    return Line(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
        transient=True,
    )


def _in_notebook() -> bool:
    """Return whether rich can draw in a notebook; without ipywidgets it warns in place of that."""
    return "ipykernel" in sys.modules and find_spec("ipywidgets") is not None


def duration(seconds: float) -> str:
    """Format a duration for people.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str

    Examples
    --------
    >>> duration(7), duration(312), duration(11000)
    ('7 s', '5 min', '3 h 03 min')
    """
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
