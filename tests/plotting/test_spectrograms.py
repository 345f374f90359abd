"""Displays of spectrograms and reconstructions, by what is plotted on their axes."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.io import wavfile
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from skaudeep.audio.spectra import mel_filters
from skaudeep.plotting import LevelsDisplay, ReconstructionDisplay, SpectrogramDisplay
from skaudeep.spectrogram import SpectrogramExtractor

plt = pytest.importorskip("matplotlib.pyplot")


class _HalfAutoencoder(BaseEstimator):
    """Reconstructs half of each value."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def reconstruct(self, X):
        padded = np.full((len(X), max(map(len, X)), X[0].shape[-1]), np.nan, dtype=np.float32)
        for row, clip in zip(padded, X, strict=True):
            row[: len(clip)] = np.divide(clip, 2)
        return padded


def make_tone(frequency, seconds=2.0, rate=16000):
    return np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


def ticks_in_bands(ax):
    """Return where in the image each tick is drawn, in bands, by the frequency on its label."""
    (image,) = ax.images
    low, high = ax.transData.transform([(0, end) for end in image.get_extent()[2:]])[:, 1]
    heights = ax.transData.transform([(0, tick) for tick in ax.get_yticks()])[:, 1]
    bands = (heights - low) / (high - low) * len(image.get_array()) - 0.5
    labels = [float(label.get_text()) for label in ax.get_yticklabels()]
    np.testing.assert_allclose(labels, ax.get_yticks())  # coordinates are in Hz
    return dict(zip(labels, bands, strict=True))


@pytest.mark.parametrize("n_mels", [40, None])
@pytest.mark.parametrize("frequency", [500, 1000, 4000])
def test_spectrogram_of_a_tone_is_brightest_at_its_frequency(frequency, n_mels):
    extractor = SpectrogramExtractor(n_mels=n_mels, clip_below=-60, sampling_rate=16000)
    display = SpectrogramDisplay.from_extractor(extractor, make_tone(frequency))
    ticks = ticks_in_bands(display.ax_)
    heights = np.interp(frequency, list(ticks), list(ticks.values()))
    brightest = display.im_.get_array().mean(axis=1).argmax()
    assert brightest == pytest.approx(heights, abs=1)
    assert display.im_.origin == "lower"
    assert display.ax_.get_ylabel() == "frequency (Hz)"


def test_band_frequencies_are_the_peaks_of_the_mel_filters():
    extractor = SpectrogramExtractor(n_mels=40, sampling_rate=16000)
    display = SpectrogramDisplay.from_extractor(extractor, make_tone(1000))
    peaks = mel_filters(16000, 1280, 40).argmax(axis=1) * 16000 / 1280
    np.testing.assert_allclose(display.frequencies, peaks, atol=16000 / 1280)


def test_spectrogram_of_a_click_is_brightest_at_its_second():
    samples = np.zeros(32000)
    samples[20880] = 1  # 1.305 s, where two frames overlap
    extractor = SpectrogramExtractor(0.02, n_mels=20, clip_below=-60, sampling_rate=16000)
    display = SpectrogramDisplay.from_extractor(extractor, samples)
    left, right, _, _ = display.im_.get_extent()
    loudness = display.im_.get_array().mean(axis=0)
    click = left + (right - left) * (np.flatnonzero(loudness > -1).mean() + 0.5) / len(loudness)
    assert click == pytest.approx(1.305, abs=0.001)
    assert display.ax_.get_xlabel() == "time (s)"


def test_time_axis_of_a_chunk_starts_where_the_one_before_ends():
    extractor = SpectrogramExtractor(n_mels=20, chunk_duration=1.0, sampling_rate=16000)
    first, second = (
        SpectrogramDisplay.from_extractor(extractor, make_tone(440), chunk=chunk).im_.get_extent()
        for chunk in (0, 1)
    )
    assert second[0] == pytest.approx(first[1])
    assert second[0] == pytest.approx(1, abs=0.05)


def test_spectrogram_of_a_file_has_its_name_and_sampling_rate(tmp_path):
    path = tmp_path / "tone.wav"
    wavfile.write(path, 8000, (make_tone(1000, rate=8000) * 20000).astype(np.int16))
    display = SpectrogramDisplay.from_extractor(SpectrogramExtractor(n_mels=20), path)
    assert display.ax_.get_title() == "tone.wav"
    assert display.frequencies[-1] < 4000
    assert max(ticks_in_bands(display.ax_)) == 2000


def test_spectrogram_of_an_array_counts_frames_and_bands_without_padding():
    clip = np.vstack([np.zeros((7, 3)), np.full((4, 3), np.nan)])
    display = SpectrogramDisplay(clip, name="a clip").plot(cmap="gray")
    assert display.im_.get_array().shape == (3, 7)
    assert display.im_.get_clim() == (-1, 1)
    assert display.im_.get_cmap().name == "gray"
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("frame", "band")
    assert display.ax_.get_title() == "a clip"
    assert display.colorbar_.ax.get_ylabel() == "level (scaled)"


def test_colours_of_unscaled_levels_span_their_own_range():
    assert SpectrogramDisplay([[-80.0], [0.0]]).plot().im_.get_clim() == (-80, 0)


@pytest.mark.parametrize(
    "options",
    [{"clip_below": -60}, {}, {"clip_below": -60, "clip_above": -10}, {"reference": "full_scale"}],
)
def test_decibels_of_an_extractor_are_the_levels_before_scaling(options):
    """A tone of amplitude 0.5 that falls by 20 dB, with noise below both."""
    samples = 0.5 * make_tone(1000) + np.random.default_rng(0).normal(0, 1e-4, 32000)
    samples[16000:] /= 10
    extractor = SpectrogramExtractor(n_mels=None, sampling_rate=16000, **options)
    display = SpectrogramDisplay.from_extractor(extractor, samples, scale="dB")
    loud, soft = display.spectrogram[[5, -5]].max(axis=1)
    full_scale = 20 * np.log10(0.5) if "reference" in options else 0
    assert loud == pytest.approx(options.get("clip_above", full_scale), abs=0.1)
    assert soft == pytest.approx(full_scale - 20, abs=0.1)
    assert display.spectrogram.min() >= options.get("clip_below", -200)
    assert display.colorbar_.ax.get_ylabel() == "level (dB)"


def test_decibels_of_a_chunk_are_those_of_its_seconds():
    samples = make_tone(1000)
    samples[16000:] /= 10
    whole = SpectrogramExtractor(n_mels=20, sampling_rate=16000)
    chunks = SpectrogramExtractor(n_mels=20, sampling_rate=16000, chunk_duration=1.0)
    expected = SpectrogramDisplay.from_extractor(whole, samples, scale="dB").spectrogram
    display = SpectrogramDisplay.from_extractor(chunks, samples, chunk=1, scale="dB")
    np.testing.assert_array_equal(display.spectrogram, expected[25:])
    assert display.spectrogram[5:].max() == pytest.approx(-20, abs=0.1)


def test_colours_of_decibels_do_not_reach_down_to_digital_silence():
    display = SpectrogramDisplay([[-200.0, -30.0]], scale="dB").plot()
    assert display.im_.get_clim() == (-130, -30)


@pytest.mark.parametrize("layout", [None, "constrained", "tight"])
def test_time_axes_below_a_spectrogram_with_a_colour_bar_line_up_with_it(layout):
    figure, (upper, lower) = plt.subplots(2, 1, sharex=True, layout=layout)
    display = SpectrogramDisplay(np.zeros((4, 3))).plot(ax=upper)
    lower.plot([0, 3], [0, 1000])
    figure.draw_without_rendering()
    assert upper.get_position().x0 == pytest.approx(lower.get_position().x0)
    assert upper.get_position().x1 == pytest.approx(lower.get_position().x1)
    assert display.colorbar_.ax.get_position().x0 > upper.get_position().x1


def test_labels_of_frequencies_do_not_overlap_on_low_axes():
    extractor = SpectrogramExtractor(n_mels=40, sampling_rate=44100)
    figure, ax = plt.subplots(figsize=(4, 1.2))
    SpectrogramDisplay.from_extractor(extractor, make_tone(1000, rate=44100), ax=ax)
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert len(boxes) > 2
    assert all(lower.y1 <= upper.y0 for lower, upper in pairwise(boxes))


@pytest.mark.parametrize("n_mels", [(40, 20), (None, None), (40, 40)])
def test_spectrograms_that_share_axes_show_each_tone_at_its_second_and_frequency(n_mels):
    """Of clips that differ in rate, length and bands, in either order."""
    extractors = [
        SpectrogramExtractor(n_mels=n, clip_below=-60, sampling_rate=rate)
        for n, rate in zip(n_mels, (16000, 8000), strict=True)
    ]
    clips = [make_tone(2000, 3.0), make_tone(2000, 1.0, 8000)]
    for order in (slice(None), slice(None, None, -1)):
        figure, axes = plt.subplots(1, 2, sharex=True, sharey=True)
        for ax, extractor, clip in zip(axes, extractors[order], clips[order], strict=True):
            SpectrogramDisplay.from_extractor(extractor, clip, ax=ax, colorbar=False)
        figure.draw_without_rendering()
        for ax in axes:
            (image,) = ax.images
            _, right, low, high = image.get_extent()
            assert ax.get_xlim()[1] >= right
            assert ax.get_ylim()[1] >= high
            # the row of pixels of the brightest band holds 2000 Hz
            bands = image.get_array().mean(axis=1)
            ends = ax.transData.transform([(0, low), (0, high), (0, 2000)])[:, 1]
            band = (ends[2] - ends[0]) / (ends[1] - ends[0]) * len(bands) - 0.5
            assert bands.argmax() == pytest.approx(band, abs=1)
        plt.close(figure)


def test_frequencies_on_any_other_scale_are_drawn_at_their_bands():
    octaves = 55 * 2.0 ** np.arange(6)
    ax = SpectrogramDisplay(np.zeros((4, 6)), frequencies=octaves).plot().ax_
    ticks = ticks_in_bands(ax)
    assert ticks[1000] == pytest.approx(4 + (1000 - 880) / 880)
    SpectrogramDisplay(
        np.zeros((4, 1)), frequencies=[100.0]
    ).plot().figure_.draw_without_rendering()


def test_limits_that_the_user_has_set_stay():
    ax = plt.subplots()[1]
    ax.set_xlim(0, 1)
    display = SpectrogramDisplay(np.zeros((50, 3)), times=0.1 * np.arange(50)).plot(ax)
    assert display.ax_.get_xlim() == (0, 1)


def test_spectrogram_without_a_colour_bar_has_none():
    display = SpectrogramDisplay(np.zeros((4, 3))).plot(colorbar=False)
    assert display.colorbar_ is None
    assert display.figure_.axes == [display.ax_]
    assert not display.ax_.child_axes


def test_names_with_formulas_and_control_characters_are_shown_as_they_are(tmp_path):
    display = SpectrogramDisplay(np.zeros((4, 3)), name="$x_1^{$\x1b[0m").plot()
    display.figure_.savefig(tmp_path / "name.png")
    assert display.ax_.get_title() == r"'$x_1^{$\x1b[0m'"


def test_displays_plot_on_given_axes():
    figure, (left, _) = plt.subplots(1, 2)
    spectrogram = SpectrogramDisplay(np.zeros((4, 3))).plot(ax=left)
    assert spectrogram.ax_ is left
    assert spectrogram.figure_ is figure


def test_reconstruction_display_shows_originals_reconstructions_and_errors():
    X = np.linspace(-1, 1, 2 * 6 * 4).reshape(2, 6, 4).astype(np.float32)
    display = ReconstructionDisplay.from_estimator(_HalfAutoencoder().fit(X), X, n_clips=2)
    assert display.axes_.shape == (2, 3)
    for clip, images in zip(X, display.images_, strict=True):
        for image, expected in zip(images, (clip, clip / 2, np.abs(clip / 2)), strict=True):
            np.testing.assert_allclose(image.get_array(), expected.T, rtol=1e-6)
    np.testing.assert_allclose(display.rmse, np.sqrt(((X / 2) ** 2).mean(axis=(1, 2))), rtol=1e-6)
    assert display.axes_[0, 2].get_title() == f"error (RMSE {display.rmse[0]:.2f})"
    limits = {image.get_clim() for image in display.images_[:, :2].flat}
    assert limits == {(-1, 1)}
    assert {image.get_clim() for image in display.images_[:, 2]} == {(0, 0.5)}


def test_one_outlier_does_not_set_the_scale_of_errors():
    X = np.random.default_rng(0).uniform(0, 0.2, (2, 30, 20))
    reconstructions = X + 0.1
    reconstructions[0, 3, 4] += 5
    display = ReconstructionDisplay(X, reconstructions).plot()
    assert display.images_[0, 2].get_clim() == pytest.approx((0, 0.1))
    bar = display.images_[0, 2].colorbar
    assert "99th percentile" in bar.ax.get_xlabel()
    assert bar.extend == "max"


@pytest.mark.parametrize("layout", [None, "constrained"])
def test_columns_of_reconstructions_are_equally_far_apart(layout):
    figure, axes = plt.subplots(2, 3, sharex=True, sharey=True, layout=layout)
    X = np.zeros((2, 6, 4))
    ReconstructionDisplay(X, X + 0.1).plot(axes)
    figure.draw_without_rendering()
    for row in axes:
        first, second, third = (ax.get_position() for ax in row)
        assert second.x0 - first.x1 == pytest.approx(third.x0 - second.x1, abs=1e-3)
        assert first.y0 == pytest.approx(third.y0, abs=0.01)
    heights = [ax.get_position().height for ax in axes.flat]
    assert max(heights) == pytest.approx(min(heights), rel=0.02)


def test_reconstruction_without_any_error_has_a_scale():
    X = np.zeros((1, 6, 4))
    assert ReconstructionDisplay(X, X).plot().images_[0, 2].get_clim() == (0, 1)


def test_reconstruction_display_cuts_each_row_to_its_clip():
    X = [np.ones((5, 3), np.float32), np.ones((8, 3), np.float32)]
    display = ReconstructionDisplay.from_estimator(_HalfAutoencoder().fit(X), X, n_clips=2)
    shapes = [[image.get_array().shape[1] for image in row] for row in display.images_]
    assert shapes == [[5] * 3, [8] * 3]
    np.testing.assert_allclose(display.rmse, 0.5)


def test_reconstruction_display_with_an_extractor_has_seconds_and_hertz():
    extractor = SpectrogramExtractor(n_mels=20, sampling_rate=16000)
    X = extractor.transform([make_tone(440)])
    display = ReconstructionDisplay.from_estimator(
        _HalfAutoencoder().fit(X), X, extractor=extractor, names=["a tone"]
    )
    assert display.axes_[0, 0].get_xlabel() == "time (s)"
    assert display.axes_[0, 0].get_ylabel() == "frequency (Hz)"
    assert display.axes_[0, 0].get_title() == "a tone"
    unknown_rate = SpectrogramExtractor(n_mels=20)
    display = ReconstructionDisplay.from_estimator(
        _HalfAutoencoder().fit(X), X, extractor=unknown_rate
    )
    assert display.axes_[0, 0].get_xlabel() == "time (s)"
    assert display.axes_[0, 0].get_ylabel() == "band"


def test_displays_can_be_saved_as_images(tmp_path):
    X = np.zeros((1, 6, 4), np.float32)
    estimator = _HalfAutoencoder().fit(X)
    for i, display in enumerate(
        [
            SpectrogramDisplay(X[0]).plot(),
            ReconstructionDisplay.from_estimator(estimator, X),
        ]
    ):
        path = tmp_path / f"{i}.png"
        display.figure_.savefig(path)
        assert plt.imread(path).std() > 0


X = np.zeros((2, 5, 3), np.float32)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpectrogramDisplay(X), r"shape \(2, 5, 3\), expected \(n_frames, n_bands\)"),
        (lambda: SpectrogramDisplay(X[0], times=[0, 1]), r"times of shape \(2,\).*expected \(5,\)"),
        (lambda: SpectrogramDisplay(X[0], frequencies=[0, 1]), r"frequencies .*expected \(3,\)"),
        (lambda: SpectrogramDisplay(X[0], scale="db"), "scale='db'; choose 'scaled' or 'dB'"),
        (lambda: SpectrogramDisplay(X[0] * np.nan), "all NaN.*at least one frame"),
        (lambda: ReconstructionDisplay(X, X[:1]), r"shape \(1, 5, 3\), expected"),
        (lambda: ReconstructionDisplay(X, X, names=["a"]), "Got 1 names for 2 clips"),
        (lambda: ReconstructionDisplay(X, X).plot(plt.subplots(3)[1]), "3 axes for 2 clips"),
        (
            lambda: ReconstructionDisplay.from_estimator(_HalfAutoencoder().fit(X), X, n_clips=3),
            "n_clips=3, expected 1 to 2",
        ),
    ],
)
def test_displays_say_which_input_they_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_reconstructions_by_an_estimator_that_is_not_fitted_are_refused():
    with pytest.raises(NotFittedError):
        ReconstructionDisplay.from_estimator(_HalfAutoencoder(), X)


@pytest.mark.parametrize("chunk", [9, 2, -1, 0.5, True])
def test_a_chunk_that_the_clip_lacks_is_refused_with_the_number_of_chunks(chunk):
    extractor = SpectrogramExtractor(n_mels=20, chunk_duration=1.0, sampling_rate=16000)
    noise = np.random.default_rng(0).normal(size=32000)
    with pytest.raises(ValueError, match=rf"chunk={chunk!r} of a clip with 2 chunks.*from 0 to 1"):
        SpectrogramDisplay.from_extractor(extractor, noise, chunk=chunk)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SpectrogramDisplay.from_extractor(SpectrogramExtractor(), "missing.wav"),
        lambda: LevelsDisplay.from_extractor(SpectrogramExtractor(), "missing.wav"),
        lambda: ReconstructionDisplay.from_estimator(_HalfAutoencoder(), X),
    ],
    ids=["spectrogram", "levels", "reconstruction"],
)
@pytest.mark.usefixtures("without_matplotlib")
def test_displays_say_that_matplotlib_is_missing_before_any_work(make):
    with pytest.raises(ImportError, match=r"from_\w+ needs matplotlib.*skaudeep\[plot\]"):
        make()


@pytest.mark.parametrize("display", [SpectrogramDisplay(X[0]), ReconstructionDisplay(X, X)])
@pytest.mark.usefixtures("without_matplotlib")
def test_displays_without_matplotlib_say_what_to_install(display):
    with pytest.raises(ImportError, match=r"Display.plot needs matplotlib.*skaudeep\[plot\]"):
        display.plot()
