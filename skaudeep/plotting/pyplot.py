"""matplotlib, which is optional and loads when something is drawn, and what all plots share."""

from typing import Any

from skaudeep._texts import printable

NAME_WIDTH = 40  # characters of a name in a picture


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


def literal(name: object, width: int = NAME_WIDTH) -> str:
    """Return a name that somebody else gave, as a picture shows it.

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


def draw_colorbar(ax: Any, image: Any, label: str) -> Any:
    """Draw a colour bar beside axes, whose position stays as it is; return the bar."""
    beside = ax.inset_axes([1.02, 0, 0.025, 1])
    return ax.figure.colorbar(image, cax=beside, label=label)


def fit_figure(ax: Any, width: float, height: float) -> None:
    """Size a figure so that its only axes have this size in inches, and their texts have room.

    Parameters
    ----------
    ax : matplotlib Axes
        Axes of a figure with constrained layout.
    width, height : float > 0
        Size of the axes in inches, without labels, legends and colour bars.
    """
    figure = ax.figure
    for _ in range(2):  # Legends and ticks may change with the size.
        figure.set_size_inches(width + 1, height + 1)
        figure.draw_without_rendering()
        inner, outer = ax.get_window_extent(), ax.get_tightbbox()
        extra = (outer.size - inner.size) / figure.dpi
        figure.set_size_inches(width + extra[0] + 0.15, height + extra[1] + 0.15)
