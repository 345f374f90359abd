"""The command train: any input, options that reach the network, trainings that go on."""

import json
import os
import shutil

import numpy as np
import pytest

import skaudeep
from skaudeep import feature_files
from skaudeep.cli import training
from skaudeep.datasets import load_folder, make_bunch
from skaudeep.training.loop import Training
from skaudeep.unsupervised import find_autoencoder

SIZES = ["--units", 8, "--layers", 1, "--jobs", 1]


@pytest.fixture(scope="module")
def spectrograms(tmp_path_factory):
    """Make a file of the spectrograms of nine clips."""
    path = tmp_path_factory.mktemp("stored") / "birds.nc"
    X = np.random.default_rng(0).uniform(-1, 1, (9, 6, 5)).astype(np.float32)
    skaudeep.save_netcdf(make_bunch(X, [f"{i}.wav" for i in range(9)]), path)
    return path


def curve(path):
    return find_autoencoder(skaudeep.load(path)).loss_curve_


def test_train_writes_the_autoencoder_that_the_options_describe(run, spectrograms, tmp_path):
    options = ["--epochs", 2, "--batch-size", 4, "--learning-rate", 0.01, "--dropout", 0.1]
    options += ["--encoder-noise", 0.2, "--feed-previous-prob", 0.3, "--mask-silence"]
    options += ["--cell", "lstm", "--unidirectional-encoder", "--bidirectional-decoder"]
    options += ["--representation", "code", "--validation-fraction", 0.4, "--seed", 3]
    options += ["--patience", 5]
    done = run("train", spectrograms, "-o", "m.skaudeep", *SIZES, *options, "--json")
    assert done.exit_code == 0, done.stderr
    expected = skaudeep.Seq2SeqAutoencoder(
        8,
        n_layers=1,
        max_epochs=2,
        batch_size=4,
        learning_rate=0.01,
        dropout=0.1,
        encoder_noise=0.2,
        feed_previous_prob=0.3,
        mask_silence=True,
        cell="lstm",
        bidirectional_encoder=False,
        bidirectional_decoder=True,
        representation="code",
        validation_fraction=0.4,
        n_iter_no_change=5,
        random_state=3,
    )
    X = np.asarray(skaudeep.load_netcdf(spectrograms).data)
    features = expected.fit(X).transform(X)
    fitted = skaudeep.load(tmp_path / "m.skaudeep")
    assert fitted.get_params() == expected.get_params()
    np.testing.assert_array_equal(fitted.transform(X), features)
    facts = json.loads(done.stdout)
    assert facts["n_clips"] == 9
    assert facts["n_features"] == features.shape[1]
    assert facts["loss_curve"] == expected.loss_curve_
    assert facts["validation_loss_curve"] == expected.validation_loss_curve_
    assert [path.name for path in tmp_path.iterdir()] == ["m.skaudeep"]
    assert done.stderr.splitlines()[-1].startswith("Autoencoder after 2 epochs, error (RMSE): tr")


def test_a_network_over_frequency_and_time_takes_two_sizes(run, spectrograms, tmp_path):
    options = ["--axis", "frequency-time", "--units", "4,8", "--layers", "1,2"]
    options += ["--band-window", 3, "--band-overlap", 1, "--epochs", 1]
    done = run("train", spectrograms, "-o", "m.skaudeep", *options)
    assert done.exit_code == 0, done.stderr
    sizes = skaudeep.load(tmp_path / "m.skaudeep").network_.sizes
    assert (sizes.n_units, sizes.n_layers) == ((4, 8), (1, 2))
    assert (sizes.band_window, sizes.band_overlap) == (3, 1)


def test_options_over_one_axis_are_pairs_of_the_autoencoder(run, spectrograms, tmp_path):
    options = ["--axis", "frequency-time", "--units", 4, "--layers", 1, "--epochs", 1]
    options += ["--band-window", 3, "--band-overlap", 1, "--unidirectional-t-encoder"]
    options += ["--bidirectional-decoder", "--unidirectional-f-decoder"]
    options += ["--encoder-noise", "0.1,0.2", "--feed-previous-prob", "0,0.5"]
    done = run("train", spectrograms, "-o", "m.skaudeep", *options)
    assert done.exit_code == 0, done.stderr
    fitted = skaudeep.load(tmp_path / "m.skaudeep")
    assert fitted.bidirectional_encoder == (True, False)
    assert fitted.bidirectional_decoder == (False, True)
    assert fitted.encoder_noise == (0.1, 0.2)
    assert fitted.feed_previous_prob == (0.0, 0.5)
    more = ["train", spectrograms, "-o", "n.skaudeep", "--continue", "m.skaudeep", "--epochs", 1]
    done = run(*more, "--encoder-noise", 0.3, "--dropout", 0, "--unidirectional-t-encoder")
    assert done.exit_code == 0, done.stderr
    fitted = skaudeep.load(tmp_path / "n.skaudeep")
    assert (fitted.encoder_noise, fitted.dropout, len(fitted.loss_curve_)) == (0.3, 0.0, 2)
    done = run(*more[:3], "x.skaudeep", *more[4:], "--bidirectional-t-encoder")
    assert "--bidirectional-encoder is (True, True), but the network to go on with" in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--bidirectional-f-encoder"], 1, "-f-encoder: is for --axis frequency-time, and the axi"),
        (["--encoder-noise", "0.1,0.2"], 1, "--encoder-noise (0.1, 0.2) with --axis time, expecte"),
        (["--encoder-noise", "0.1,0.2,0.3"], 2, "two divided by a comma, such as 0.1,0.2"),
        (["--encoder-noise", "1"], 2, "'1' is no number from 0 to below 1, nor two divided by"),
        (["--units", "64,x"], 2, "'64,x' is no number from 1, nor two divided by a comma"),
    ],
)
def test_options_over_one_axis_are_refused_without_it(run, spectrograms, options, code, words):
    done = run("train", spectrograms, "-o", "m.skaudeep", *options)
    assert (done.exit_code, words in done.stderr) == (code, True), done.stderr


def test_recordings_are_trained_on_as_extract_would_write_them(run, birds, tmp_path):
    shutil.copytree(birds, tmp_path / "birds")
    (tmp_path / "birds/owl/none.wav").touch()
    sound = ["--window", 0.04, "--bands", 10, "--clip-below", -60, "--clip-above", -3]
    sound += ["--duration", 0.25, "--align", "center", "--pre-emphasis", 0.95, "--channel", 0]
    done = run("train", "birds", "-o", "m.skaudeep", *SIZES, *sound, "--epochs", 1)
    assert done.exit_code == 0, done.stderr
    assert "Left out: owl/none.wav: " in done.stderr
    extractor = skaudeep.SpectrogramExtractor(
        0.04,
        n_mels=10,
        clip_below=-60,
        clip_above=-3,
        duration=0.25,
        align="center",
        pre_emphasis=0.95,
        channel=0,
    )
    X = extractor.transform(load_folder(birds).data)
    model = skaudeep.load(tmp_path / "m.skaudeep")
    network = skaudeep.Seq2SeqAutoencoder(8, n_layers=1, max_epochs=1, random_state=0).fit(X)
    assert model[1].loss_curve_ == network.loss_curve_
    assert run("transform", "m.skaudeep", birds, "-o", "f.nc").exit_code == 0
    features = skaudeep.load_netcdf(tmp_path / "f.nc")
    np.testing.assert_allclose(features.data, network.transform(X), atol=1e-5)
    assert features.target_names == ["crow", "owl"]


def test_several_files_are_one_training_set(run, spectrograms, tmp_path):
    shutil.copy(spectrograms, tmp_path / "more.nc")
    options = [*SIZES, "--epochs", 1, "--json"]
    done = run("train", spectrograms, "more.nc", "-o", "m.skaudeep", *options)
    assert json.loads(done.stdout)["n_clips"] == 18
    X = np.concatenate([skaudeep.load_netcdf(tmp_path / "more.nc").data] * 2)
    network = skaudeep.Seq2SeqAutoencoder(8, n_layers=1, max_epochs=1, random_state=0).fit(X)
    assert json.loads(done.stdout)["loss_curve"] == network.loss_curve_


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on_to_the_same_bits(
    run, spectrograms, tmp_path, monkeypatch
):
    options = [*SIZES, "--epochs", 3, "--batch-size", 4]
    assert run("train", spectrograms, "-o", "whole.skaudeep", *options).exit_code == 0
    run_epoch = Training.run_epoch
    begun = []

    def interrupted(self, batches):
        begun.append(self.epoch)
        if begun == [0, 1]:
            raise KeyboardInterrupt
        return run_epoch(self, batches)

    monkeypatch.setattr(Training, "run_epoch", interrupted)
    done = run("train", spectrograms, "-o", "m.skaudeep", *options)
    assert done.exit_code == 130
    assert done.stderr.splitlines()[-1] == (
        "Interrupted: The same command goes on where this one stopped; what is done is in "
        "m.skaudeep.partial."
    )
    assert not (tmp_path / "m.skaudeep").exists()
    (tmp_path / "m.skaudeep.partial/mine.txt").touch()
    assert run("train", spectrograms, "-o", "m.skaudeep", *options).exit_code == 0
    assert begun == [0, 1, 1, 2]
    assert curve(tmp_path / "m.skaudeep") == curve(tmp_path / "whole.skaudeep")
    assert os.listdir(tmp_path / "m.skaudeep.partial") == ["mine.txt"]


def test_checkpoints_go_on_with_more_epochs_and_transform_takes_any_of_them(
    run, spectrograms, tmp_path
):
    options = [*SIZES, "--checkpoints", "run", "--epochs"]
    for name, n_epochs in (("two", 2), ("three", 3)):
        args = ["train", spectrograms, "-o", f"{name}.skaudeep", *options, n_epochs]
        assert run(*args).exit_code == 0
    two, three = (curve(tmp_path / f"{name}.skaudeep") for name in ("two", "three"))
    assert three[:2] == two
    assert len(list(tmp_path.glob("run/*/*"))) == 3
    done = run("transform", "run", spectrograms, "-o", "f.nc", "--steps", "1,3", "--json")
    assert done.exit_code == 0, done.stderr
    assert [row["file"] for row in json.loads(done.stdout)] == ["f-1.nc", "f-3.nc"]
    assert run("transform", "run", spectrograms, "-o", "last.nc").stdout == "last.nc\n"
    assert run("transform", "three.skaudeep", spectrograms, "-o", "f.nc").exit_code == 0
    first, third, last, expected = (
        skaudeep.load_netcdf(tmp_path / f"{name}.nc").data for name in ("f-1", "f-3", "last", "f")
    )
    np.testing.assert_array_equal(third, expected)
    np.testing.assert_array_equal(last, expected)
    assert np.abs(first - expected).max() > 1e-4
    done = run("transform", "run", spectrograms, "-o", "g.nc", "--steps", 4)
    assert "--steps 4: run holds no checkpoint of this epoch, but of 1, 2, 3." in done.stderr
    done = run("transform", "two.skaudeep", spectrograms, "-o", "g.nc", "--steps", 1)
    assert "--steps: two.skaudeep is one model, expected the folder" in done.stderr
    assert run("transform", "run", spectrograms, "-o", "f.nc", "--steps", "1,2").exit_code == 1
    assert not (tmp_path / "f-2.nc").exists()
    assert run("transform", "run", spectrograms, "-o", "f.nc", "--steps", 2).stdout == "f-2.nc\n"
    done = run("transform", "run", spectrograms, "-o", "every.nc", "--steps", "all")
    assert done.stdout.split() == ["every-1.nc", "every-2.nc", "every-3.nc"]
    every = skaudeep.load_netcdf(tmp_path / "every-1.nc").data
    np.testing.assert_array_equal(every, first)
    done = run("transform", "two.skaudeep", spectrograms, "-o", "g.nc", "--steps", "all")
    assert "--steps: two.skaudeep is one model, expected the folder" in done.stderr
    done = run("transform", "run", spectrograms, "-o", "g.nc", "--steps", "0")
    assert (done.exit_code, "'0' is no list of numbers" in done.stderr) == (2, True)


def test_an_interrupted_transform_of_several_steps_says_which_are_left(
    run, spectrograms, tmp_path, monkeypatch
):
    args = ["train", spectrograms, "-o", "m.skaudeep", *SIZES, "--checkpoints", "run"]
    assert run(*args, "--epochs", 3).exit_code == 0
    transform, calls = feature_files.transform_to_file, []

    def interrupted(*args, **options):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return transform(*args, **options)

    monkeypatch.setattr(feature_files, "transform_to_file", interrupted)
    args = ["transform", "run", spectrograms, "-o", "f.nc", "--steps"]
    done = run(*args, "1,2,3")
    assert done.exit_code == 130
    assert "The same command with --steps 2,3 goes on where this one stopped" in done.stderr
    assert run(*args, "2,3").exit_code == 0
    assert {path.name for path in tmp_path.glob("f-*")} == {"f-1.nc", "f-2.nc", "f-3.nc"}


def test_continue_goes_on_from_a_model_with_its_options(run, spectrograms, birds, tmp_path):
    sizes = [*SIZES, "--dropout", 0.1, "--cell", "lstm"]
    args = ["train", spectrograms, "-o", "m.skaudeep", *sizes, "--epochs", 2]
    assert run(*args, "--checkpoints", "run").exit_code == 0
    more = ["--continue", "m.skaudeep", "--epochs", 1, "--learning-rate", 0.01]
    done = run("train", spectrograms, "-o", "more.skaudeep", *more)
    assert done.exit_code == 0, done.stderr
    fitted = skaudeep.load(tmp_path / "more.skaudeep")
    assert fitted.loss_curve_[:2] == curve(tmp_path / "m.skaudeep")
    assert len(fitted.loss_curve_) == 3
    assert (fitted.cell, fitted.dropout, fitted.learning_rate) == ("lstm", 0.1, 0.01)
    assert fitted.warm_start is False
    # A checkpoint is a model, too; what it remembers of its own training stays behind.
    newest = max(tmp_path.glob("run/*/*"))
    more[1] = newest
    done = run("train", spectrograms, "-o", "other.skaudeep", *more, "--checkpoints", "run")
    assert done.exit_code == 0, done.stderr
    other = skaudeep.load(tmp_path / "other.skaudeep")
    assert other.loss_curve_ == fitted.loss_curve_
    assert not hasattr(other, "checkpoint_")
    assert len(list(tmp_path.glob("run/*/*.skaudeep"))) == 2  # it has a folder of its own
    done = run("train", spectrograms, "-o", "n.skaudeep", *more, "--units", 16)
    assert done.exit_code == 1
    assert "--units is 16, but the network to go on with has 8. Leave out its option" in done.stderr
    other = skaudeep.BandStatistics().fit(np.zeros((2, 6, 5)))
    skaudeep.save(other, tmp_path / "other.skaudeep")
    done = run("train", spectrograms, "-o", "n.skaudeep", "--continue", "other.skaudeep")
    assert "other.skaudeep: holds no autoencoder, expected a model that" in done.stderr
    done = run("train", spectrograms, "-o", "m.skaudeep", "--continue", "m.skaudeep", "--force")
    assert "m.skaudeep: is what the command reads" in done.stderr


def test_options_on_sound_are_refused_where_there_is_none_to_extract(
    run, spectrograms, birds, tmp_path
):
    done = run("train", spectrograms, "-o", "m.skaudeep", "--clip-below", -60)
    assert done.exit_code == 1
    assert "--clip-below: is for recordings, and birds.nc holds array of shape (9" in done.stderr
    done = run("train", spectrograms, birds, "-o", "m.skaudeep")
    assert "birds.nc: is a file of skaudeep, and other inputs are recordings" in done.stderr
    args = ["train", birds, *SIZES, "--epochs", 0, "--bands", 10]
    assert run(*args, "-o", "m.skaudeep").exit_code == 0
    done = run(*args, "-o", "n.skaudeep", "--continue", "m.skaudeep")
    assert "--bands: is decided by m.skaudeep, which makes its own spectrograms." in done.stderr
    assert run(*args[:-2], "-o", "n.skaudeep", "--continue", "m.skaudeep").exit_code == 0


def test_tensorboard_is_asked_for_before_any_work(run, spectrograms, monkeypatch):
    monkeypatch.setattr("skaudeep.cli.errors.find_spec", lambda name: None)
    monkeypatch.setattr(training, "read_source", None)  # it is not reached
    done = run("train", spectrograms, "-o", "m.skaudeep", "--tensorboard", "logs")
    assert done.exit_code == 1
    assert "pip install 'skaudeep[tensorboard]'" in done.stderr


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("--units", "8,8,8", "nor two divided by a comma"), ("--units", "0", "no number from 1")]
    + [("--channel", "middle", "neither mean, left"), ("--dropout", "1", "not in the range")],
)
def test_values_that_no_network_has_are_a_wrong_command_line(
    run, spectrograms, option, value, words
):
    done = run("train", spectrograms, "-o", "m.skaudeep", option, value)
    assert done.exit_code == 2
    assert f"Invalid value for '{option}'" in done.stderr
    assert words in done.stderr
