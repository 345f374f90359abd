"""A context manager for figures with the width, fonts and colours of a paper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real

from skaudeep.plotting.pyplot import PAPER_WIDTH, import_pyplot

__all__ = ["paper_style"]

# Width in inches of a column, and of a page of two columns, in most journals and conferences.
WIDTHS = {"single": 3.5, "double": 7.16}
# Okabe and Ito's colours, which can be distinguished with any kind of colour blindness, without
# yellow, which is too pale for lines on white.
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]


@contextmanager
def paper_style(width: str | float = "single", *, font_size: float = 8.0) -> Iterator[None]:
    """Draw figures with the width and fonts of a paper, within a ``with`` block.

    Figures that the displays of :mod:`skaudeep.plotting` make within the block have this width, so
    that they are printed without scaling and their texts have the stated size. (Confusion matrices
    and maps of clips, whose height grows with their width, are at most so wide, and only as large
    as they need to be; names in a matrix of many classes are smaller.) Figures of
    ``plt.subplots()`` follow these settings, too, and their height is 0.62 times the width. Lines
    have the colours of Okabe and Ito [1]_, which readers with any kind of colour blindness can
    distinguish, and the default colour map is "cividis".

    Save figures within the block: the default format is PDF, in which everything except images is
    vector graphics, with fonts embedded as TrueType, so that texts stay texts. (In SVG, texts are
    outlines.) Nothing outside the block changes.

    Parameters
    ----------
    width : {"single", "double"} or float in (0, 100), default="single"
        Width of figures: "single" is a column (3.5 inches, 89 mm), "double" is a page of two
        columns (7.16 inches, 182 mm), a number is a width in inches.
    font_size : float in (0, 100), default=8.0
        Size of texts in points. Labels of ticks and legends are 1 point smaller, but not less than
        1 point.

    Yields
    ------
    None
        There is no value: write ``with paper_style():`` without ``as``.

    Raises
    ------
    ValueError
        If `width` or `font_size` is out of range.
    ImportError
        If matplotlib is not installed.

    References
    ----------
    .. [1] M. Okabe and K. Ito. Color universal design. 2008,
       https://jfly.uni-koeln.de/color/.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skaudeep.plotting import LossCurveDisplay, paper_style
    >>> with TemporaryDirectory() as folder, paper_style("single"):
    ...     display = LossCurveDisplay([0.6, 0.4, 0.3]).plot()
    ...     display.figure_.savefig(Path(folder, "losses.pdf"))
    >>> float(display.figure_.get_figwidth())
    3.5
    """
    inches = WIDTHS.get(width) if isinstance(width, str) else width
    if not isinstance(inches, Real) or isinstance(inches, bool) or not 0 < inches < 100:
        raise ValueError(
            f"Got width={width!r}, expected 'single', 'double' or a number of inches between 0 and "
            "100."
        )
    if not isinstance(font_size, Real) or isinstance(font_size, bool) or not 0 < font_size < 100:
        raise ValueError(f"Got font_size={font_size!r}, expected points between 0 and 100.")
    plt = import_pyplot("paper_style")
    from matplotlib.rcsetup import cycler

    small = max(font_size - 1, 1)
    style = {
        "figure.figsize": (inches, 0.62 * inches),
        "figure.constrained_layout.use": True,
        "savefig.format": "pdf",
        "savefig.bbox": None,  # "tight" would change the width
        "savefig.dpi": 600,  # resolution of images in the PDF
        "pdf.fonttype": 42,
        "ps.fonttype": 42,
        "svg.fonttype": "path",
        "font.size": font_size,
        "axes.titlesize": font_size,
        "axes.labelsize": font_size,
        "figure.titlesize": font_size,
        "xtick.labelsize": small,
        "ytick.labelsize": small,
        "legend.fontsize": small,
        "axes.prop_cycle": cycler(color=COLORS),
        "image.cmap": "cividis",
        "axes.linewidth": 0.6,
        "lines.linewidth": 1.0,
        "lines.markersize": 3,
        "grid.linewidth": 0.4,
        **{f"{axis}tick.major.width": 0.6 for axis in "xy"},
        **{f"{axis}tick.major.size": 2.5 for axis in "xy"},
    }
    token = PAPER_WIDTH.set(float(inches))
    try:
        with plt.rc_context(style):
            yield
    finally:
        PAPER_WIDTH.reset(token)
