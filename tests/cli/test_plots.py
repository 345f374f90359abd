"""The command plot, and the preview of extract: each draws what a display is given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import skaudeep
from skaudeep.cli import plots
from skaudeep.datasets import load_folder, make_bunch

STARTS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Make spectrograms in chunks, features, and two autoencoders in one folder."""
    folder = tmp_path_factory.mktemp("trained")
    X = np.random.default_rng(0).uniform(-1, 1, (6, 2, 5, 4)).astype(np.float32)
    names = [f"{i}.wav" for i in range(6)]
    folds = np.eye(2, dtype=int)[[0, 0, 0, 0, 1, 1]]  # of few clips a fold may have none left
    skaudeep.save_netcdf(make_bunch(X, names, folds=folds), folder / "s.nc")
    features = X.reshape(6, -1)
    features[1] = np.nan
    labels = {"target": [0, 1, 0, 1, -1, 0], "target_names": ["crow", "owl"]}
    skaudeep.save_netcdf(make_bunch(features, names, **labels), folder / "f.nc")
    for name, max_epochs in (("m", 2), ("n", 3)):
        autoencoder = skaudeep.Seq2SeqAutoencoder(4, max_epochs=max_epochs, random_state=0)
        skaudeep.save(autoencoder.fit(X), folder / f"{name}.skaudeep")
    return folder


@pytest.fixture
def drawn(monkeypatch):
    """Return the figures that are drawn; their files stay empty, as rendering takes its time."""
    figures = []

    def keep(figure, file):
        figures.append(figure)
        plt.close(figure)
        file.touch()

    monkeypatch.setattr(plots, "_save", keep)
    return figures


@pytest.mark.parametrize("suffix", STARTS)
def test_plot_writes_a_picture_as_its_name_ends(run, trained, tmp_path, suffix):
    done = run("plot", "loss", trained / "m.skaudeep", "-o", f"loss{suffix}")
    assert (done.exit_code, done.stdout) == (0, f"loss{suffix}\n")
    assert (tmp_path / f"loss{suffix}").read_bytes().startswith(STARTS[suffix])
    assert not plt.get_fignums()


def test_plot_loss_draws_the_curve_of_each_model(run, trained, drawn):
    models = [trained / "m.skaudeep", trained / "n.skaudeep"]
    assert run("plot", "loss", *models, "-o", "loss.png").exit_code == 0
    lines = drawn[0].axes[0].lines
    assert [line.get_label() for line in lines] == ["m.skaudeep", "n.skaudeep"]
    assert [len(line.get_ydata()) for line in lines] == [2, 3]


def test_plot_reconstruction_draws_the_clips_that_are_named(run, trained, tmp_path, drawn):
    args = ["plot", "reconstruction", trained / "m.skaudeep", trained / "s.nc"]
    clips = ["--clip", "4.wav", "--clip", 1, "--chunk", 1]
    done = run(*args, "-o", "r.png", *clips)
    assert done.exit_code == 0, done.stderr
    assert "Warning" not in done.stderr
    titles = [ax.get_title() for ax in drawn[0].axes]
    assert [title for title in titles if title.endswith(".wav")] == ["4.wav", "1.wav"]
    X = skaudeep.load_netcdf(trained / "s.nc").data
    np.testing.assert_array_equal(drawn[0].axes[0].images[0].get_array(), X[4, 1].T)
    rebuilt = skaudeep.load(trained / "m.skaudeep").reconstruct(X[[4, 1]])[0, 1]
    np.testing.assert_allclose(drawn[0].axes[1].images[0].get_array(), rebuilt.T, atol=1e-6)
    assert run(*args, "-o", "first.png").exit_code == 0
    assert len(drawn[1].axes) == 3 * plots.N_CLIPS + 2  # with two colour bars
    done = run(*args, "-o", "x.png", "--clip", "7")
    assert "s.nc: has no clip '7', expected a name such as '0.wav', or a number from 0 to 5" in (
        done.stderr
    )
    done = run(*args, "-o", "x.png", "--chunk", 2)
    assert "--chunk 2: clips have at most 2 chunks" in done.stderr
    assert not (tmp_path / "x.png").exists()


def test_plot_reconstruction_extracts_what_a_model_of_recordings_reads(run, birds, drawn):
    options = ["--units", 4, "--layers", 1, "--epochs", 0, "--bands", 10, "--jobs", 1]
    assert run("train", birds, "-o", "m.skaudeep", *options).exit_code == 0
    done = run("plot", "reconstruction", "m.skaudeep", birds, "-o", "r.png", "--clip", 1)
    assert done.exit_code == 0, done.stderr
    assert drawn[0].axes[0].get_ylabel() == "frequency (Hz)"
    done = run("plot", "reconstruction", "m.skaudeep", "m.skaudeep", "-o", "x.png")
    assert "m.skaudeep: is a model, expected recordings" in done.stderr


def test_plot_embedding_draws_a_point_for_each_clip_with_values(run, trained, drawn):
    args = ["plot", "embedding", trained / "f.nc", "--method", "pca", "--title", "birds"]
    done = run(*args, "-o", "e.svg")
    assert done.exit_code == 0, done.stderr
    assert "Left out: 1 clip without values." in done.stderr
    (ax,) = drawn[0].axes
    assert ax.get_title() == "birds"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "unlabelled",
        "crow",
        "owl",
    ]
    assert sum(len(points.get_offsets()) for points in ax.collections) == 5
    done = run("plot", "embedding", trained / "s.nc", "-o", "x.png")
    assert (
        "s.nc: has the axes clip, chunk, frame, band, expected one row of features" in done.stderr
    )
    assert run(*args[:3], "-o", "t.png", "--seed", 1).exit_code == 0
    assert drawn[1].axes[0].get_title() == "t-SNE"


def test_extract_previews_a_clip_by_name_or_number(run, birds, tmp_path, drawn):
    name = load_folder(birds).filenames[2]
    options = ["--bands", 10, "--clip-below", -20, "--jobs", 1]
    for clip, picture in ((name, "a.png"), ("2", "b.png")):
        done = run("extract", birds, "--preview", clip, "-o", picture, *options)
        assert (done.exit_code, done.stdout) == (0, f"{picture}\n"), done.stderr
    extractor = skaudeep.SpectrogramExtractor(n_mels=10, clip_below=-20)
    spectrogram = extractor.transform([load_folder(birds).data[2]])[0]
    for figure in drawn:
        above, below = figure.axes[:2]
        np.testing.assert_array_equal(above.images[0].get_array(), spectrogram.T)
        assert below.get_xlabel() == "level (dB)"
        assert "below -20 dB" in below.get_legend().get_texts()[0].get_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]
    done = run("extract", birds, "--preview", "none.wav", "-o", "c.png")
    assert "birds/: has no clip 'none.wav'" in done.stderr
    done = run("extract", birds, "--preview", 1, "-o", "c.nc")
    assert "c.nc: its ending says no format of pictures" in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        ["plot", "loss", "m.skaudeep"],
        ["plot", "reconstruction", "m.skaudeep", "s.nc"],
        ["plot", "embedding", "f.nc"],
        ["extract", "birds", "--preview", "1"],
    ],
)
def test_pictures_are_checked_before_any_work(run, monkeypatch, tmp_path, args):
    done = run(*args, "-o", "x.bmp")
    assert done.exit_code == 1
    assert "x.bmp: its ending says no format of pictures, expected one of .png" in done.stderr
    (tmp_path / "there.png").write_text("mine")
    assert "there.png: exists already" in run(*args, "-o", "there.png").stderr
    monkeypatch.setattr("skaudeep.cli.errors.find_spec", lambda name: None)
    assert "pip install 'skaudeep[plot]'" in run(*args, "-o", "x.png").stderr


def test_help_of_each_picture_says_what_its_options_mean(run):
    for kind in ("loss", "reconstruction", "embedding"):
        done = run("plot", kind, "--help")
        assert done.exit_code == 0
        assert "-o, --output FILE" in done.stdout
