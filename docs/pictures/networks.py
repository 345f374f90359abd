"""Draw networks.png: the autoencoder, and the reservoir with its pooling.

Run it with ``python docs/pictures/networks.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

INPUT, STATE, CODE = "#dbe9f6", "#f6e3c5", "#d5eed6"


def box(ax: Any, x: float, y: float, text: str, colour: str, width: float = 0.8) -> None:
    """Draw a box with a text in it."""
    style = {"boxstyle": "round,pad=0.02", "facecolor": colour, "edgecolor": "#444444"}
    ax.add_patch(FancyBboxPatch((x - width / 2, y - 0.25), width, 0.5, **style))
    ax.text(x, y, text, ha="center", va="center", fontsize=10)


def arrow(ax: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw an arrow from one point to another."""
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "#444444"})


def encoder(ax: Any, title: str) -> None:
    """Draw four frames and the states after them."""
    for t in range(4):
        box(ax, t, 0, f"$x_{t + 1}$", INPUT)
        box(ax, t, 1.2, f"$h_{t + 1}$", STATE)
        arrow(ax, (t, 0.3), (t, 0.9))
        if t:
            arrow(ax, (t - 0.55, 1.2), (t - 0.42, 1.2))
    ax.set_title(title, loc="left")


def main() -> None:
    """Write the picture beside this file."""
    figure, (above, below) = plt.subplots(2, figsize=(8.4, 5.2), layout="constrained")
    encoder(above, "Autoencoder: trained to rebuild its input")
    box(above, 4.4, 1.2, "code $c$", CODE, 1.0)
    arrow(above, (3.45, 1.2), (3.85, 1.2))
    for step in range(4):
        x = 5.8 + step
        box(above, x, 1.2, f"$g_{4 - step}$", STATE)
        box(above, x, 2.4, rf"$\hat x_{4 - step}$", INPUT)
        arrow(above, (x, 1.5), (x, 2.1))
        arrow(above, (x - 0.85 if not step else x - 0.55, 1.2), (x - 0.42, 1.2))
        if step:
            box(above, x, 0, f"$x_{5 - step}$", INPUT)
            arrow(above, (x, 0.3), (x, 0.9))

    encoder(below, "Reservoir: random weights, never trained; its states are pooled")
    for y, text in ((2.4, "mean"), (1.2, "log covariance"), (0.0, "vector autoregression")):
        box(below, 7.6, y, text, CODE, 2.8)
        arrow(below, (5.65, 1.2), (6.15, y))
    box(below, 4.9, 1.2, "components $c_t$", STATE, 1.45)
    arrow(below, (3.45, 1.2), (4.12, 1.2))
    for ax in (above, below):
        ax.set(xlim=(-0.6, 9.4), ylim=(-0.4, 2.8), aspect="equal")
        ax.axis("off")
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=120)


if __name__ == "__main__":
    main()
