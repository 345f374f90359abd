"""The whole chain: files in, learned features, predictions out, as a user writes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.callback import ProgressBar
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skaudeep import (
    AudioError,
    AudioWarning,
    BandStatistics,
    FeatureFusion,
    Seq2SeqAutoencoder,
    SpectrogramExtractor,
)
from skaudeep.datasets import load_folder, make_sounds

RATE = 8000  # Hz


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    make_sounds(
        40, n_classes=4, sampling_rate=RATE, duration=(0.3, 0.5), folder=folder, random_state=0
    )
    return folder


@pytest.fixture(scope="module")
def sounds(folder):
    return load_folder(folder)


@pytest.fixture
def damaged(sounds, tmp_path):
    """Put text in the place of the sixth clip."""
    paths = sounds.data.tolist()
    paths[5] = str(tmp_path / "text.wav")
    Path(paths[5]).write_text("no sound")
    return paths


def build(classifier=None, **extraction):
    """Clips to classes, as in the guide but small."""
    return Pipeline(
        [
            ("spectrogram", SpectrogramExtractor(0.04, n_mels=16, clip_below=-60, **extraction)),
            ("autoencoder", small_autoencoder()),
            ("scaler", StandardScaler()),
            ("classifier", classifier or LinearSVC(C=0.1, random_state=0)),
        ]
    )


def small_autoencoder():
    return Seq2SeqAutoencoder(
        6,
        n_layers=2,
        bidirectional_encoder=False,
        bidirectional_decoder=True,
        representation="statistics",  # 48
        max_epochs=2,
        batch_size=16,
        random_state=0,
    )


GRID = {"spectrogram__clip_below": [-45, -60], "autoencoder__n_units": [4, 6]}


def test_a_grid_search_over_files_predicts_the_same_in_a_fresh_process(sounds, tmp_path):
    search = GridSearchCV(build(), GRID, cv=sounds.cv, error_score="raise", n_jobs=2)
    search.fit(sounds.data, sounds.target)
    results = search.cv_results_
    assert len(results["params"]) == 4
    assert np.isfinite([results[f"split{fold}_test_score"] for fold in range(5)]).all()
    fitted = search.best_estimator_
    assert fitted["spectrogram"].clip_below == search.best_params_["spectrogram__clip_below"]
    assert fitted["autoencoder"].network_.encoder.output_size == 2 * fitted["autoencoder"].n_units

    joblib.dump((search, sounds.data), tmp_path / "search.joblib")
    code = (
        "import joblib, numpy, sys; search, clips = joblib.load(sys.argv[1]); "
        "numpy.savez(sys.argv[2], search.predict(clips), search.decision_function(clips))"
    )
    arguments = [str(tmp_path / "search.joblib"), str(tmp_path / "predictions.npz")]
    subprocess.run([sys.executable, "-W", "error", "-c", code, *arguments], check=True)
    with np.load(arguments[1]) as there:
        np.testing.assert_array_equal(there["arr_0"], search.predict(sounds.data))
        np.testing.assert_allclose(there["arr_1"], search.decision_function(sounds.data), atol=1e-5)


def test_a_pipeline_fitted_twice_predicts_the_same_bits(sounds):
    """With the paper's classifier; every step draws from its own seed."""
    network = MLPClassifier((10, 10), solver="lbfgs", alpha=1.0, max_iter=2000, random_state=0)
    predictions = []
    for _ in range(2):
        pipeline = build(network).fit(sounds.data, sounds.target)
        predictions.append(pipeline.predict_proba(sounds.data))
        np.random.random()  # the global generator plays no part
    assert predictions[0].shape == (40, 4)
    np.testing.assert_array_equal(*predictions)
    assert pipeline.score(sounds.data, sounds.target) > 0.8  # of what it was fitted on


def test_a_pipeline_names_its_features_as_its_data_frame_does(sounds):
    features = build()[:-1].set_output(transform="pandas").fit_transform(sounds.data)
    assert features.shape == (40, 48)
    assert features.columns[[0, -1]].tolist() == ["mean_0", "change_11"]
    pipeline = build().fit(sounds.data, sounds.target)
    assert pipeline[:-1].get_feature_names_out().tolist() == features.columns.tolist()
    np.testing.assert_allclose(features.mean(), 0, atol=1e-5)


def test_cross_validate_gives_several_scores_of_each_fold(sounds):
    scores = cross_validate(
        build(),
        sounds.data,
        sounds.target,
        cv=sounds.cv,
        scoring=["accuracy", "balanced_accuracy"],
        error_score="raise",
    )
    assert scores["test_accuracy"].shape == (5,)
    # Each session holds as many clips of every class.
    np.testing.assert_allclose(scores["test_accuracy"], scores["test_balanced_accuracy"])


def test_a_feature_fusion_works_as_a_step_of_a_pipeline(sounds):
    views = FeatureFusion(
        [
            (
                f"{db}dB",
                make_pipeline(
                    SpectrogramExtractor(0.04, n_mels=16, clip_below=db), small_autoencoder()
                ),
            )
            for db in (-30, -45, -60, -75)
        ]
    )
    pipeline = make_pipeline(views, StandardScaler(), LinearSVC(C=0.1, random_state=0))
    pipeline.fit(sounds.data, sounds.target)
    assert pipeline[:-1].transform(sounds.data).shape == (40, 4 * 48)
    assert pipeline.score(sounds.data, sounds.target) > 0.8  # of what it was fitted on
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_array_equal(
        pipeline.predict(sounds.data[order]), pipeline.predict(sounds.data)[order]
    )


def test_a_pipeline_with_memory_does_not_extract_the_same_clips_again(
    sounds, tmp_path, monkeypatch
):
    pipeline = build().set_params(memory=str(tmp_path)).fit(sounds.data, sounds.target)
    pipeline.set_params(autoencoder__n_units=4)
    expected = build().set_params(autoencoder__n_units=4).fit(sounds.data, sounds.target)
    decisions = expected.decision_function(sounds.data)
    with monkeypatch.context() as broken:
        broken.delattr("skaudeep.audio.chain.read_audio")
        pipeline.fit(sounds.data, sounds.target)
    np.testing.assert_array_equal(pipeline.decision_function(sounds.data), decisions)


def test_a_trained_autoencoder_tells_sounds_from_their_reverse_and_band_statistics_do_not():
    """Classes that are each other's reverse have the same statistics of every band."""
    sounds = make_sounds(
        160, n_classes=4, n_sessions=2, sampling_rate=RATE, duration=0.5, random_state=1
    )
    spectrograms = SpectrogramExtractor(
        0.04, n_mels=24, clip_below=-60, sampling_rate=RATE
    ).transform(sounds.data)

    def accuracy(features):
        pipeline = make_pipeline(features, StandardScaler(), LinearSVC(C=0.01, random_state=0))
        return cross_val_score(pipeline, spectrograms, sounds.target, cv=sounds.cv).mean()

    network = Seq2SeqAutoencoder(
        32, n_layers=1, max_epochs=10, batch_size=16, learning_rate=5e-3, random_state=0
    )
    statistics = accuracy(BandStatistics())
    learned = accuracy(network)
    assert statistics < 0.5  # it tells pairs apart, not the classes of a pair
    assert learned > statistics + 0.2
    assert learned > accuracy(network.set_params(max_epochs=0))


def test_ridge_regresses_pitch_and_noise_on_the_features_of_an_autoencoder():
    """Sweeps of noise and tone: how fast the pitch rises, and how far the noise lies below."""
    rng = np.random.default_rng(0)
    time = np.arange(RATE // 2) / RATE
    octaves, snr = rng.uniform(-2, 2, 120), rng.uniform(0, 20, 120)  # per clip; dB
    start = rng.uniform(700, 900, 120)
    pitch = start[:, None] * 2 ** (octaves[:, None] * (time / time[-1] - 0.5))
    tone = np.sqrt(2) * np.sin(2 * np.pi * np.cumsum(pitch, axis=1) / RATE)
    clips = tone + 10 ** (-snr[:, None] / 20) * rng.standard_normal(tone.shape)
    clips = (0.1 * clips).astype(np.float32)

    autoencoder = Seq2SeqAutoencoder(
        32, n_layers=1, max_epochs=10, batch_size=16, learning_rate=5e-3, random_state=0
    )
    spectrogram = SpectrogramExtractor(0.04, n_mels=24, clip_below=-60, sampling_rate=RATE)
    pipeline = make_pipeline(spectrogram, autoencoder, StandardScaler(), Ridge(10.0))
    both = np.stack([octaves, snr], axis=1)
    train, test = slice(0, 80), slice(80, None)
    predicted = pipeline.fit(clips[train], both[train]).predict(clips[test])
    assert predicted.shape == (40, 2)
    assert r2_score(both[test], predicted, multioutput="raw_values").min() > 0.8  # of the mean: 0

    features = pipeline[:-1].transform(clips)
    single = Ridge(10.0).fit(features[train], octaves[train])
    np.testing.assert_allclose(single.predict(features[test]), predicted[:, 0], atol=1e-3)
    classes = (both > np.median(both, axis=0)).astype(int)  # two labels a clip
    labels = MultiOutputClassifier(LogisticRegression(max_iter=1000))
    labels.fit(features[train], classes[train])
    assert labels.score(features[test], classes[test]) > 0.8  # both right


# --- progress ------------------------------------------------------------------------------------


def test_a_pipeline_prints_nothing(sounds, capfd):
    build().fit(sounds.data, sounds.target).predict(sounds.data)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_progress_bars_nest_from_the_search_down_to_the_network(
    sounds, capsys, monkeypatch, n_jobs
):
    monkeypatch.setenv("COLUMNS", "120")  # no line of a narrow terminal is cut
    search = GridSearchCV(
        build(LogisticRegression(max_iter=1000)),
        {"autoencoder__n_units": [4]},
        cv=sounds.cv[:2],
        n_jobs=n_jobs,
    )
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(sounds.data, sounds.target)
    lines = capsys.readouterr().out.splitlines()
    bars = [(len(line) - len(line.lstrip()), line.split(" #")[0].strip()) for line in lines if line]
    step = "Pipeline - fit-transform-autoencoder | Seq2SeqAutoencoder - fit"
    assert bars[0][1].startswith("GridSearchCV - fit ")
    assert bars[1] == (2, "GridSearchCV - search")
    assert bars.count((4, "GridSearchCV - candidate-split-evaluation | Pipeline - fit")) == 2
    assert bars.count((6, step)) == 2
    assert bars.count((2, "GridSearchCV - refit-with-best-params | Pipeline - fit")) == 1
    assert bars.count((4, step)) == 1
    assert all("100%" in line for line in lines if line)


# --- clips that cannot be used -------------------------------------------------------------------


def test_a_grid_search_over_a_broken_clip_raises_an_error_that_names_it(sounds, damaged):
    search = GridSearchCV(build(), GRID, cv=sounds.cv, error_score="raise")
    with pytest.raises(AudioError, match=r"text\.wav: cannot be decoded"):
        search.fit(damaged, sounds.target)


def test_a_broken_clip_with_on_error_nan_becomes_a_row_of_nan_and_gets_a_prediction(
    sounds, damaged
):
    pipeline = build(on_error="nan")
    features, classifier = pipeline[:2], pipeline[2:]
    with pytest.warns(AudioWarning, match=r"1 of 40 clips could not be read.*\n.*text\.wav"):
        rows = features.fit_transform(damaged)
    assert np.flatnonzero(np.isnan(rows).any(axis=1)).tolist() == [5]
    assert np.isnan(rows[5]).all()
    pipeline = make_pipeline(features, SimpleImputer(), classifier)
    with pytest.warns(AudioWarning, match="could not be read"):
        predicted = pipeline.fit(damaged, sounds.target).predict(damaged)
    assert predicted.shape == (40,)
    assert np.isin(predicted, sounds.target).all()


def test_a_pipeline_refuses_labels_of_another_length_before_it_reads_a_clip(sounds):
    nowhere = ["nowhere.wav"] * 40
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[40, 39\]"):
        build().fit(nowhere, sounds.target[:-1])


def test_cross_validation_refuses_a_fold_without_test_clips(sounds):
    empty = [(np.arange(40), np.array([], dtype=int))]
    with pytest.raises(ValueError, match=r"X is empty \(0 clips\)"):
        cross_val_score(build(), sounds.data, sounds.target, cv=empty, error_score="raise")


# --- imports -------------------------------------------------------------------------------------

HEAVY = {"torch", "librosa", "soundfile", "matplotlib", "numba", "xarray", "netCDF4"}
HEAVY |= {"tensorboard"}


@pytest.mark.parametrize(
    "allowed",
    [
        {
            "import skaudeep": set(),
            "import skaudeep.datasets": set(),
            "from skaudeep import SpectrogramExtractor": {"soundfile"},
        },
        {
            "from skaudeep import Seq2SeqAutoencoder": {"torch"},
            # numba comes with the first batch, tensorboard with the first event.
            "import skaudeep.training.loop, skaudeep.nn.autoencoders": {"torch"},
            "import skaudeep.callbacks": {"torch"},
        },
    ],
    ids=["extractor", "autoencoder"],
)
def test_each_import_loads_only_what_it_needs(allowed):
    """In one process, one after the other: each may load what those before it did, and more."""
    say = f"print(*({HEAVY} & sys.modules.keys()))"
    code = "\n".join(["import sys", *(f"{statement}; {say}" for statement in allowed)])
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    for line, (statement, expected) in zip(done.stdout.splitlines(), allowed.items(), strict=True):
        assert set(line.split()) <= expected, statement
