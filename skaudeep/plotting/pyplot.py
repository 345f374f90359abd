"""matplotlib, which is optional and loads when something is drawn, and what all plots share."""

from contextvars import ContextVar
from typing import Any

import numpy as np

from skaudeep._texts import printable

NAME_WIDTH = 40  # characters of a name in a picture
MARGIN = 0.06  # inches around what is drawn
# Width of new figures in inches, within `paper_style`.
PAPER_WIDTH: ContextVar[float | None] = ContextVar("PAPER_WIDTH", default=None)
LEAST_SHRINKING = 0.6  # smallest factor of heights, because texts shrink less than widths
# seconds between two labels of a long axis
CLOCK_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800)
WIDE = 7.16  # inches of a page, in which everything has the room that it has on a screen


def import_pyplot(caller: str) -> Any:
    """Return ``matplotlib.pyplot``, or say in whose name it is missing.

    Parameters
    ----------
    caller : str
        Function or method that draws, such as "SpectrogramDisplay.plot".

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If matplotlib is not installed. The message tells how to get it.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib, which is not installed; get it with "
            "pip install 'skaudeep[plot]'."
        ) from error
    return plt


def require_classes(evaluation: Any, caller: str) -> None:
    """Raise ValueError for an evaluation of values or of several classes, which no plot shows."""
    if hasattr(type(evaluation), "measures"):
        raise ValueError(
            f"{caller} got a {type(evaluation).__name__}, expected an Evaluation of one class for "
            "each clip. Tables of others are evaluation.scores(), to_frame() and errors()."
        )


def figure_size(width: float, height: float) -> tuple[float, float]:
    """Return the size of a new figure in inches: as stated, or as wide as the paper's column."""
    paper = PAPER_WIDTH.get()
    if paper is None:
        return width, height
    return paper, height * min(max(paper / width, LEAST_SHRINKING), 1)


def on_paper(length: float) -> float:
    """Return a length within a figure, less in the column of a paper."""
    return length * min(1.0, (PAPER_WIDTH.get() or WIDE) / WIDE)


def or_break() -> str:
    """Return what stands between the halves of a long label: a line break in a narrow column."""
    return " " if on_paper(1) > 0.7 else "\n"


def literal(name: object, width: int = NAME_WIDTH) -> str:
    """Return a name from outside in the form in which pictures show it.

    Set it with ``parse_math=False``: matplotlib takes dollar signs for formulas.

    Parameters
    ----------
    name : str
        The name.
    width : int > 2, default=40
        Largest number of characters. A longer name loses its middle: the ends of names tell most.

    Returns
    -------
    str
        One line of printable characters.

    Examples
    --------
    >>> literal("fold_1/dog/00001-a-dog-that-barks-at-night.wav", 24)
    'fold_1/dog/0…t-night.wav'
    """
    text = printable(name)
    if len(text) <= width:
        return text
    left = width // 2
    return f"{text[:left]}…{text[left + 1 - width :]}"


def axes_beside(ax: Any, gap: float, width: float) -> Any:
    """Make axes at the right of axes, whose position stays as it is.

    Parameters
    ----------
    ax : matplotlib Axes
        The axes at the left.
    gap, width : float > 0
        Room between the two, and the width of the new ones, in inches: layouts of figures converge,
        as they would not if the room that is needed grew with the axes.

    Returns
    -------
    matplotlib Axes
        As high as `ax`.
    """
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    inches = ax.figure.dpi_scale_trans + ScaledTranslation(1, 0, ax.transAxes)
    place = blended_transform_factory(inches, ax.transAxes)
    return ax.inset_axes([gap, 0, width, 1], transform=place)


def draw_colorbar(ax: Any, image: Any, label: str) -> Any:
    """Draw a colour bar beside axes, whose position stays as it is; return the bar."""
    return ax.figure.colorbar(image, cax=axes_beside(ax, 0.08, 0.12), label=label)


def fit_figure(ax: Any, width: float, height: float, *, square: bool = True) -> None:
    """Size a figure so that its only axes have this size in inches, and their texts have room.

    Parameters
    ----------
    ax : matplotlib Axes
        The axes, with all that belongs to them.
    width, height : float > 0
        Size of the axes in inches, without labels, legends and colour bars. For the column of a
        paper, which all of these share, the axes become narrower or wider.
    square : bool, default=True
        Whether the height goes with the width, as that of maps and matrices does; these do not
        grow.
    """
    figure = ax.figure
    size = np.array([width, height])
    paper = PAPER_WIDTH.get()
    figure.set_layout_engine("none")
    for _ in range(1 if paper is None else 3):  # texts beside smaller axes may need more room
        figure.set_size_inches(2 * size)
        ax.set_position([0.25, 0.25, 0.5, 0.5])
        inner, outer = ax.get_window_extent(), ax.get_tightbbox()
        around = (outer.size - inner.size) / figure.dpi + 2 * MARGIN
        if paper is not None:
            factor = max(paper - around[0], paper / 5) / size[0]
            size *= min(factor, 1) if square else [factor, 1]
    total = size + around
    figure.set_size_inches(min(total[0], paper or total[0]), total[1])
    # Artists that are added to the axes later have to make room themselves.
    ax.set_in_layout(True)  # A position that was set keeps axes out of layouts.
    figure.set_layout_engine("constrained", w_pad=MARGIN, h_pad=MARGIN)


def label_times(axis: Any, start: float, end: float) -> str:
    """Write times at an axis: seconds in a short picture, else minutes or hours as a clock.

    Parameters
    ----------
    axis : matplotlib Axis
        The horizontal axis.
    start, end : float
        First and last time in seconds.

    Returns
    -------
    str
        How times of a clock are to be read: "min:s" or "h:min:s". Empty if seconds have their unit.
    """
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    def write(time: float, _: object = None) -> str:
        minutes, seconds = divmod(round(time, 3), 60)
        hours, minutes = divmod(int(minutes), 60)
        rest = f"{seconds:02.0f}" if seconds == int(seconds) else f"{seconds:04.1f}"
        return f"{hours}:{minutes:02d}:{rest}" if end >= 3600 else f"{minutes}:{rest}"

    if end < 120:
        axis.set_major_formatter(FuncFormatter(lambda time, _: f"{time:g} s"))
        return ""
    axis.set_major_formatter(FuncFormatter(write))
    if steps := [step for step in CLOCK_STEPS if 3 * step <= end - start <= 10 * step]:
        axis.set_major_locator(MultipleLocator(steps[0]))
    return "h:min:s" if end >= 3600 else "min:s"
