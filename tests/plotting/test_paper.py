"""Figures for the column of a paper: as wide as it, with texts in their room and fonts embedded."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skaudeep.plotting import (
    AnomalyDisplay,
    ComparisonDisplay,
    ConfusionDisplay,
    EmbeddingDisplay,
    ErrorsDisplay,
    LevelsDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
    SpectrogramDisplay,
    paper_style,
)

plt = pytest.importorskip("matplotlib.pyplot")
CLASSES = ["dog", "person sneeze", "crackling fire", "clock tick"]


def losses():
    return LossCurveDisplay([0.6, 0.4, 0.3], validation_loss_curve=[0.7, 0.5, 0.4]).plot()


def spectrogram():
    picture = np.random.default_rng(0).uniform(-1, 1, (30, 20))
    return SpectrogramDisplay(picture, times=np.arange(30) / 25, name="dog/1.wav").plot()


def reconstruction():
    original = np.random.default_rng(0).uniform(-1, 1, (1, 30, 20))
    return ReconstructionDisplay(original, 0.5 * original).plot()


def confusion():
    return ConfusionDisplay(np.eye(4, dtype=int) * 12, target_names=CLASSES).plot()


def embedding():
    places = np.random.default_rng(0).normal(size=(40, 2))
    return EmbeddingDisplay(places, target=np.arange(40) % 4, target_names=CLASSES).plot()


def errors():
    table = pd.DataFrame({"target": ["dog"] * 4, "predicted": ["crackling fire"] * 4})
    table = table.assign(probability=0.8, filename="fold_1/dog/00001.wav")
    return ErrorsDisplay([SpectrogramDisplay(np.zeros((20, 8)))] * 4, table).plot()


def levels():
    return LevelsDisplay(np.linspace(-90, 0, 200), clip_below=-60, name="dog/1.wav").plot()


DISPLAYS = [losses, levels, spectrogram, reconstruction, confusion, embedding, errors]


def check_room(figure, width):
    """Check the width of a figure, and that all that is drawn lies within it."""
    figure.canvas.draw()
    assert figure.get_figwidth() <= width
    drawn = figure.get_tightbbox()  # inches
    slack = 0.05
    assert drawn.x0 > -slack
    assert drawn.y0 > -slack
    assert drawn.x1 < figure.get_figwidth() + slack
    assert drawn.y1 < figure.get_figheight() + slack


@pytest.mark.parametrize("draw", DISPLAYS, ids=lambda draw: draw.__name__)
def test_each_display_is_as_wide_as_the_column_and_has_room_for_its_texts(draw):
    with paper_style("single"):
        display = draw()
        check_room(display.figure_, 3.5)
        assert display.figure_.get_figwidth() == pytest.approx(3.5, rel=0.1)


def test_labels_of_a_comparison_do_not_overlap_in_a_column(make_evaluation):
    truth = np.arange(40) % 2
    control = make_evaluation(truth, np.where(np.arange(40) < 10, 1 - truth, truth))
    found = make_evaluation(truth, truth, controls={"untrained network": control})
    with paper_style("single"):
        display = ComparisonDisplay.from_evaluation(found)
        check_room(display.figure_, 3.5)
        left = display.ax_.xaxis.label.get_window_extent()
        right = display.difference_ax_.xaxis.label.get_window_extent()
    assert left.x1 < right.x0


def test_scores_over_time_are_as_wide_as_a_page_of_two_columns():
    display = AnomalyDisplay(np.linspace(0, 1, 20), threshold=0.2)
    with paper_style("double"):
        check_room(display.plot().figure_, 7.16)
        assert display.figure_.get_figwidth() == pytest.approx(7.16)


def test_texts_of_a_pdf_stay_texts_in_embedded_fonts(tmp_path):
    with paper_style(4):
        losses().figure_.savefig(tmp_path / "losses")
    content = (tmp_path / "losses.pdf").read_bytes()  # PDF unless a name says otherwise
    assert b"/Type3" not in content
    assert b"/FontFile2" in content  # a TrueType font
    assert b"/Subtype /Image" not in content
    with paper_style(4):
        losses().figure_.savefig(tmp_path / "losses.svg")
    assert "<text" not in (tmp_path / "losses.svg").read_text()


def test_own_figures_have_the_width_and_lines_the_colours_of_okabe_and_ito():
    with paper_style("double", font_size=9):
        figure, ax = plt.subplots()
        (line,) = ax.plot([0, 1])
        assert figure.get_figwidth() == pytest.approx(7.16)
        assert line.get_color() == "#0072B2"
        assert ax.xaxis.label.get_size() == 9
        assert ax.get_xticklabels()[0].get_size() == 8


def test_nothing_changes_outside_of_the_block_even_after_an_error():
    before, size = dict(plt.rcParams), losses().figure_.get_size_inches()
    with pytest.raises(KeyError), paper_style():
        raise KeyError
    assert dict(plt.rcParams) == before
    np.testing.assert_array_equal(losses().figure_.get_size_inches(), size)


# Linear RGB as people without one kind of cones see it: Machado, Oliveira and Fernandes, 2009.
BLINDNESS = {
    "protanopia": [
        *[[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216]],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        *[[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413]],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        *[[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602]],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lab(linear):
    """Colours in CIELAB, where a distance of 2 is just seen."""
    xyz = linear @ np.array(
        [[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]]
    )
    x, y, z = np.cbrt(np.maximum(xyz / [0.9505, 1.0, 1.089], 0.0)).T
    return np.column_stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_lines_are_told_apart_with_any_kind_of_colour_blindness(blindness):
    from matplotlib.colors import to_rgb

    with paper_style():
        colors = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    rgb = np.array([to_rgb(color) for color in colors])
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    seen = lab(np.clip(linear @ np.array(BLINDNESS[blindness]).T, 0, 1))
    apart = np.linalg.norm(seen[:, None] - seen, axis=2)[np.triu_indices(len(seen), 1)]
    assert apart.min() > 10


@pytest.mark.parametrize("width", ["triple", 0, -1, 500, True, None])
def test_widths_that_no_column_has_are_refused(width):
    with pytest.raises(ValueError, match=r"Got width=.*, expected 'single', 'double' or"):
        paper_style(width).__enter__()


def test_a_size_of_texts_that_cannot_be_printed_is_refused():
    with pytest.raises(ValueError, match="Got font_size=0"):
        paper_style(font_size=0).__enter__()


@pytest.mark.usefixtures("without_matplotlib")
def test_paper_style_without_matplotlib_says_what_to_install():
    with pytest.raises(ImportError, match=r"paper_style needs matplotlib.*\[plot\]"):
        paper_style().__enter__()
