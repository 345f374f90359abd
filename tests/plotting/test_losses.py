"""Curves of losses, by what is plotted on their axes."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from skaudeep import DistilledFeatures, DropoutMLPClassifier, Seq2SeqAutoencoder
from skaudeep.plotting import LossCurveDisplay

plt = pytest.importorskip("matplotlib.pyplot")


class Trained(BaseEstimator):
    """Has a curve of training losses."""

    def fit(self, X=None, y=None):
        self.loss_curve_ = [0.8, 0.5, 0.4]
        return self


def test_loss_curve_counts_epochs_from_one():
    display = LossCurveDisplay.from_estimator(Trained().fit(), name="GRU")
    np.testing.assert_array_equal(display.line_.get_xydata(), [[1, 0.8], [2, 0.5], [3, 0.4]])
    assert display.ax_.get_xlabel() == "epoch"
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["GRU"]


@pytest.mark.parametrize(
    ("name", "labels"), [(None, ["training", "validation"]), ("GRU", ["GRU", "GRU, validation"])]
)
def test_validation_loss_is_a_dashed_line_of_the_same_colour(name, labels):
    estimator = Trained().fit()
    estimator.validation_loss_curve_ = [0.9, 0.7, 0.6]
    display = LossCurveDisplay.from_estimator(estimator, name=name)
    np.testing.assert_array_equal(display.validation_line_.get_ydata(), [0.9, 0.7, 0.6])
    assert display.validation_line_.get_linestyle() == "--"
    assert display.validation_line_.get_color() == display.line_.get_color()
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == labels


def test_no_validation_loss_is_drawn_where_the_training_had_none():
    estimator = Trained().fit()
    estimator.validation_loss_curve_ = []
    display = LossCurveDisplay.from_estimator(estimator)
    assert display.validation_line_ is None
    assert len(display.ax_.lines) == 1
    assert display.ax_.get_legend() is None


def test_validation_loss_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"curve of shape \(1,\) for a loss curve of shape \(2,\)"):
        LossCurveDisplay([1, 0.5], validation_loss_curve=[1])


def test_loss_curve_is_drawn_on_given_axes():
    figure, ax = plt.subplots()
    display = LossCurveDisplay([1, 0.5]).plot(ax=ax, color="red")
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert display.line_.get_color() == "red"


def test_loss_curve_can_be_saved_as_an_image(tmp_path):
    path = tmp_path / "curve.png"
    LossCurveDisplay.from_estimator(Trained().fit()).figure_.savefig(path)
    assert plt.imread(path).std() > 0


def test_loss_curve_without_epochs_is_refused():
    with pytest.raises(ValueError, match=r"at least one epoch.*max_epochs=0"):
        LossCurveDisplay([])


def test_loss_curve_of_an_estimator_that_is_not_fitted_is_refused():
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(Trained())


@pytest.mark.usefixtures("without_matplotlib")
def test_loss_curve_without_matplotlib_says_what_to_install():
    with pytest.raises(ImportError, match=r"LossCurveDisplay.plot needs matplotlib.*\[plot\]"):
        LossCurveDisplay([1.0]).plot()


@pytest.mark.parametrize(
    ("estimator", "label"),
    [
        (Trained(), "training loss"),
        (Seq2SeqAutoencoder(), "training loss (RMSE)"),
        (DistilledFeatures(None), "training loss (1 - alignment)"),
        (DropoutMLPClassifier(), "training loss (cross-entropy)"),
    ],
)
def test_the_axis_names_the_loss_of_the_estimator(estimator, label):
    estimator.loss_curve_ = [0.8, 0.5]
    display = LossCurveDisplay.from_estimator(estimator)
    assert display.ax_.get_ylabel() == label
    named = LossCurveDisplay([0.8, 0.5], validation_loss_curve=[1, 1], loss_name="MAE").plot()
    assert named.ax_.get_ylabel() == "loss (MAE)"
