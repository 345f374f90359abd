"""Confusion matrices and comparisons, by what is plotted on their axes."""

import numpy as np
import pytest

from skaudeep.evaluation import RegressionEvaluation, compare
from skaudeep.plotting import (
    ComparisonDisplay,
    ConfusionDisplay,
    EmbeddingDisplay,
    ErrorsDisplay,
)

plt = pytest.importorskip("matplotlib.pyplot")


def texts_of(display):
    return [["" if text is None else text.get_text() for text in row] for row in display.text_]


def boxes(labels):
    """Return the boxes of tick labels on the screen."""
    return [label.get_window_extent() for label in labels]


def overlap(boxes):
    return any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


def test_confusions_have_truth_in_rows_numbers_of_clips_and_colours_by_share(make_evaluation):
    evaluation = make_evaluation([0, 0, 0, 1], [0, 0, 1, 1])
    display = ConfusionDisplay.from_evaluation(evaluation)
    assert texts_of(display) == [["2", "1"], ["", "1"]]
    np.testing.assert_allclose(display.im_.get_array(), [[2 / 3, 1 / 3], [0, 1]])
    assert display.ax_.get_ylabel() == "true class"
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["class 0", "class 1"]


def test_confusions_in_per_cent_are_of_the_true_class():
    display = ConfusionDisplay([[2, 1], [0, 5]]).plot(values="percent", colorbar=False)
    assert texts_of(display) == [["66.7", "33.3"], ["", "100"]]
    assert display.colorbar_ is None


def test_confusions_without_numbers_and_a_class_without_clips_are_drawn():
    display = ConfusionDisplay([[0, 0], [1, 3]]).plot(values=None)
    assert texts_of(display) == [["", ""], ["", ""]]
    np.testing.assert_allclose(display.im_.get_array(), [[0, 0], [0.25, 0.75]])


@pytest.mark.parametrize(("n_classes", "length"), [(2, 4), (10, 40), (20, 300), (50, 40)])
def test_names_of_classes_neither_overlap_nor_are_cut_off(n_classes, length):
    names = [f"{i:02d}".ljust(length, "m") for i in range(n_classes)]
    display = ConfusionDisplay(np.eye(n_classes), target_names=names).plot()
    figure = display.figure_
    figure.draw_without_rendering()
    x, y = boxes(display.ax_.get_xticklabels()), boxes(display.ax_.get_yticklabels())
    assert not overlap(x)
    assert not overlap(y)
    for box in [*x, *y, display.ax_.xaxis.label.get_window_extent()]:
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1
    assert display.ax_.get_yticklabels()[0].get_fontsize() > 7


def test_names_of_classes_do_not_overlap_on_small_given_axes_either():
    figure, ax = plt.subplots(figsize=(5, 5))
    names = [f"{i:02d}".ljust(30, "m") for i in range(50)]
    display = ConfusionDisplay(np.eye(50), target_names=names).plot(ax=ax)
    figure.draw_without_rendering()
    assert not overlap(boxes(ax.get_yticklabels()))
    assert not overlap(boxes(ax.get_xticklabels()))
    assert display.ax_ is ax


def test_numbers_of_confusions_stay_inside_their_cells():
    display = ConfusionDisplay(np.full((20, 20), 1234)).plot()
    display.figure_.draw_without_rendering()
    cell = display.ax_.get_window_extent().width / 20
    assert all(text.get_window_extent().width < cell for text in display.text_.flat)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConfusionDisplay([[1, 2]]), r"shape \(1, 2\), expected"),
        (lambda: ConfusionDisplay([[1, -2], [0, 1]]), "negative or missing"),
        (lambda: ConfusionDisplay([[np.nan]]), "negative or missing"),
        (lambda: ConfusionDisplay([[1]], target_names=["a", "b"]), "2 target_names for 1 classes"),
        (lambda: ConfusionDisplay([[1]]).plot(values="share"), "values='share'; choose 'count'"),
    ],
)
def test_confusions_that_cannot_be_shown_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def centres(ax):
    """Return where the points with intervals lie, from the top."""
    return [container.lines[0].get_xdata()[0] for container in ax.containers]


def bounds(ax):
    return [container.lines[2][0].get_segments()[0][:, 0].tolist() for container in ax.containers]


@pytest.mark.parametrize("metric", ["accuracy", "uar"])
def test_a_comparison_shows_scores_and_their_differences_to_the_first(make_evaluation, metric):
    target = [0] * 12 + [1] * 8
    first = make_evaluation(target, [0] * 10 + [1] * 10)
    second = make_evaluation(target, [0] * 4 + [1] * 16)
    third = make_evaluation(target, [0] * 9 + [1] * 11)
    shown = {"network": first, "mel statistics": second, "$other_{": third}
    display = ComparisonDisplay.from_evaluations(shown, metric=metric)
    display.figure_.draw_without_rendering()
    scores = [getattr(evaluation, metric) for evaluation in shown.values()]
    np.testing.assert_allclose(centres(display.ax_), np.multiply(100, scores))
    np.testing.assert_allclose(
        bounds(display.ax_)[1], np.multiply(100, getattr(second, f"{metric}_interval"))
    )
    found = compare(second, first, metric=metric, random_state=0)
    np.testing.assert_allclose(centres(display.difference_ax_)[0], 100 * found.difference)
    np.testing.assert_allclose(bounds(display.difference_ax_)[0], np.multiply(100, found.interval))
    filled = [
        container.lines[0].get_markerfacecolor() != "white"
        for container in display.difference_ax_.containers
    ]
    assert filled == [True, False]  # The third differs in one clip of 20.
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == list(shown)
    assert display.ax_.get_ylim() == display.difference_ax_.get_ylim()


def test_an_evaluation_is_compared_with_its_controls(make_evaluation):
    control = make_evaluation([0, 0, 1, 1], [0, 0, 0, 0])
    evaluation = make_evaluation([0, 0, 1, 1], [0, 0, 1, 1], controls={"chance": control})
    display = ComparisonDisplay.from_evaluation(evaluation)
    assert display.names == ["pipeline", "chance"]
    assert centres(display.difference_ax_) == [-50]


def test_a_single_evaluation_has_a_score_and_no_difference(make_evaluation):
    display = ComparisonDisplay.from_evaluation(make_evaluation([0, 1], [0, 1]))
    assert centres(display.ax_) == [100]
    assert display.difference_ax_ is None


@pytest.mark.parametrize("n", [2, 8])
def test_all_texts_of_a_comparison_lie_inside_its_figure(make_evaluation, n):
    names = [f"{i} " + "m" * 100 for i in range(n)]
    evaluation = make_evaluation([0, 1], [0, 0])
    display = ComparisonDisplay.from_evaluations(dict.fromkeys(names, evaluation))
    figure = display.figure_
    figure.draw_without_rendering()
    outer = display.ax_.get_tightbbox()
    assert figure.bbox.x0 <= outer.x0 <= outer.x1 <= figure.bbox.x1
    assert figure.bbox.y0 <= outer.y0 <= outer.y1 <= figure.bbox.y1
    assert not overlap(boxes(display.ax_.get_yticklabels()))


def test_comparisons_of_nothing_or_of_unequal_levels_are_refused(make_evaluation):
    with pytest.raises(ValueError, match="Got 0 evaluations"):
        ComparisonDisplay.from_evaluations({})
    two = {
        "a": make_evaluation([0, 1], [0, 1]),
        "b": make_evaluation([0, 1], [0, 1], confidence_level=0.9),
    }
    with pytest.raises(ValueError, match=r"confidence levels \[0\.9, 0\.95\], expected one"):
        ComparisonDisplay.from_evaluations(two)
    with pytest.raises(ValueError, match="metric='f1'; choose"):
        ComparisonDisplay.from_evaluations(two, metric="f1")
    with pytest.raises(ValueError, match="0 comparisons for 2 names"):
        ComparisonDisplay([0, 1], [[0, 1], [0, 1]], [], names=["a", "b"])


@pytest.mark.usefixtures("without_matplotlib")
def test_results_without_matplotlib_say_what_to_install():
    with pytest.raises(ImportError, match=r"ConfusionDisplay.plot needs.*skaudeep\[plot\]"):
        ConfusionDisplay([[1]]).plot()
    with pytest.raises(ImportError, match=r"from_evaluations needs.*skaudeep\[plot\]"):
        ComparisonDisplay.from_evaluations({})


@pytest.mark.parametrize("display", [ConfusionDisplay, ComparisonDisplay, EmbeddingDisplay])
def test_evaluations_of_values_are_refused(display):
    values = np.arange(3.0)[:, np.newaxis]
    evaluation = RegressionEvaluation(
        target=values,
        target_names=["age"],
        test=[np.arange(3)],
        fold_predictions=[[values]],
        protocol="inductive",
        seeds=[0],
    )
    message = rf"{display.__name__}.* got a RegressionEvaluation, expected .* one class.*scores"
    with pytest.raises(ValueError, match=message):
        display.from_evaluation(evaluation)
    with pytest.raises(ValueError, match=r"ErrorsDisplay.* got a RegressionEvaluation"):
        ErrorsDisplay.from_evaluation(evaluation, {"data": values})
