"""Clips that were wrong, by what is plotted of them."""

from dataclasses import replace

import numpy as np
import pytest

from skaudeep.datasets import make_bunch, make_sounds
from skaudeep.plotting import ErrorsDisplay, SpectrogramDisplay
from skaudeep.spectrogram import SpectrogramExtractor

plt = pytest.importorskip("matplotlib.pyplot")

NAMES = ["a.wav", "b.wav", "c.wav", "$d_{.wav"]


@pytest.fixture
def evaluation(make_evaluation):
    """Give an evaluation in which clips 1 and 3 were wrong, 3 more surely."""
    return make_evaluation(
        [0, 0, 1, 1],
        [0, 1, 1, 0],
        target_names=["dog", "rain"],
        filenames=np.array(NAMES),
        fold_probabilities=[[np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.81, 0.19]])]],
    )


def spectrograms(**options):
    """Return a bunch of spectrograms, the values of which tell the clips apart."""
    data = np.zeros((4, 5, 3), np.float32) + np.linspace(-1, 1, 4, dtype=np.float32)[:, None, None]
    return make_bunch(data, **{"filenames": NAMES} | options)


def titles(display):
    return [ax.get_title(loc="left") for ax in display.axes_]


def test_the_clips_most_surely_wrong_come_first_with_truth_prediction_and_probability(
    evaluation, tmp_path
):
    display = ErrorsDisplay.from_evaluation(evaluation, spectrograms())
    assert titles(display) == [
        "$d_{.wav\ntrue: rain\npredicted: dog, 81 %",
        "b.wav\ntrue: dog\npredicted: rain, 60 %",
    ]
    np.testing.assert_allclose(
        [ax.images[0].get_array().mean() for ax in display.axes_], [1, -1 / 3]
    )
    display.figure_.savefig(tmp_path / "errors.png")


def test_no_more_clips_are_shown_than_asked_for(evaluation):
    display = ErrorsDisplay.from_evaluation(evaluation, spectrograms(), n=1)
    assert len(display.axes_) == 1


def test_titles_hold_only_what_is_known(evaluation):
    bare = replace(evaluation, filenames=None, fold_probabilities=None)
    display = ErrorsDisplay.from_evaluation(bare, spectrograms())
    assert titles(display)[0] == "true: dog\npredicted: rain"


def test_waveforms_are_extracted_at_the_sampling_rate_of_the_bunch(make_evaluation):
    sounds = make_sounds(4, n_classes=2, n_sessions=1, sampling_rate=8000, duration=0.5)
    wrong = make_evaluation([0, 1, 0, 1], [1, 1, 0, 1], filenames=sounds.filenames)
    (ax,) = ErrorsDisplay.from_evaluation(wrong, sounds).axes_
    assert ax.get_xlabel() == "time (s)"
    assert ax.images[0].get_extent()[1] == pytest.approx(0.5, abs=0.05)


def test_recordings_are_extracted_by_the_given_extractor(make_evaluation, tmp_path):
    sounds = make_sounds(
        4, n_classes=2, n_sessions=1, sampling_rate=8000, duration=0.5, folder=tmp_path
    )
    wrong = make_evaluation([0, 1, 0, 1], [1, 1, 0, 1], filenames=sounds.filenames)
    extractor = SpectrogramExtractor(n_mels=13)
    (ax,) = ErrorsDisplay.from_evaluation(wrong, sounds, extractor=extractor).axes_
    assert ax.images[0].get_array().shape[0] == 13


def test_a_result_without_errors_says_so(evaluation):
    truth = [[evaluation.target]]
    perfect = replace(evaluation, fold_predictions=truth)
    display = ErrorsDisplay.from_evaluation(perfect, spectrograms())
    (ax,) = display.axes_
    assert ax.texts[0].get_text() == "no clip was wrong"


@pytest.mark.parametrize(
    ("bunch", "message"),
    [
        (spectrograms(filenames=[*NAMES[:3], "e.wav"]), "4 clips that are not the 4 clips of"),
        (make_bunch(np.zeros((3, 5, 3), np.float32), NAMES[:3]), "3 clips that are not the 4"),
        (make_bunch(np.zeros((4, 5), np.float32), filenames=NAMES), "bunch of features, expected"),
    ],
)
def test_a_bunch_that_was_not_evaluated_is_refused(evaluation, bunch, message):
    with pytest.raises(ValueError, match=message):
        ErrorsDisplay.from_evaluation(evaluation, bunch)


def test_numbers_that_do_not_fit_are_refused(evaluation):
    with pytest.raises(ValueError, match="n=0, expected"):
        ErrorsDisplay.from_evaluation(evaluation, spectrograms(), n=0)
    with pytest.raises(ValueError, match="Got 1 spectrograms and 2 rows"):
        ErrorsDisplay([SpectrogramDisplay(np.zeros((5, 3)))], evaluation.errors())
    with pytest.raises(ValueError, match="Got 1 axes for 2 clips"):
        ErrorsDisplay.from_evaluation(evaluation, spectrograms(), axes=[plt.figure().gca()])


def test_stored_spectrograms_are_labelled_by_the_extractor_that_made_them(evaluation):
    extractor = SpectrogramExtractor(n_mels=3, sampling_rate=8000)
    display = ErrorsDisplay.from_evaluation(evaluation, spectrograms(), extractor=extractor)
    labels = [(ax.get_xlabel(), ax.get_ylabel()) for ax in display.axes_]
    assert labels == [("time (s)", "frequency (Hz)"), ("time (s)", "")]
    assert display.axes_[0].images[0].get_extent()[1] == pytest.approx(0.22)  # 5 frames, 40 ms
