"""Checkpoints: whatever ends a training, it goes on to the same bits."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skaudeep import Seq2SeqAutoencoder, load, save
from skaudeep._files import replacing
from skaudeep.callbacks.checkpoint import Checkpoint, find_checkpoints
from skaudeep.training.loop import Training

N_STEPS = 12 * 4  # of `train`: 12 epochs of 32 sequences in batches of 8


class Slow:
    """Makes steps slow, so that a signal strikes anywhere, and says when each is done."""

    def __init__(self, seconds):
        self.seconds = seconds

    def setup(self, estimator, context):
        pass

    teardown = on_fit_task_end = setup

    def on_fit_task_begin(self, estimator, context, *, metadata=None):
        if metadata:
            metadata["training"].after_batch.append(self.wait)

    def wait(self):
        sys.stdout.write("step\n")
        sys.stdout.flush()
        time.sleep(self.seconds)


def train(folder, cell="gru", dropout=0.2, seconds=0.0):
    """Train with all that is random; return all that comes of it."""
    X = np.random.default_rng(0).uniform(-1, 1, size=(40, 12, 5)).astype(np.float32)
    X[3, 7:] = np.nan
    autoencoder = Seq2SeqAutoencoder(
        6,
        cell=cell,
        dropout=float(dropout),
        max_epochs=12,
        batch_size=8,
        validation_fraction=0.2,
        feed_previous_prob={0: 0.0, 8: 0.4},
        encoder_noise=0.1,
        random_state=0,
    )
    checkpoint = Checkpoint(folder, every_n_epochs=2, every_minutes=0.02 / 60)
    checkpoint.NOTE_SECONDS = 0.0
    autoencoder.set_callbacks(checkpoint, Slow(float(seconds))).fit(X)
    return {
        "features": autoencoder.transform(X),
        "loss": autoencoder.loss_curve_,
        "validation": autoencoder.validation_loss_curve_,
        **{name: w.numpy() for name, w in autoencoder.network_.state_dict().items()},
    }


def train_elsewhere(*arguments, n_steps):
    """Train in a process of its own; return when so many of its steps are done."""
    process = subprocess.Popen(
        [sys.executable, __file__, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    for _ in range(n_steps):
        assert process.stdout.readline() == "step\n"
    return process


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def kill_and_resume(folder, cell, dropout, rng, expected):
    """Kill a training at a random moment and let it go on; return how far it was."""
    process = train_elsewhere(folder, cell, dropout, 0.01, n_steps=rng.integers(1, N_STEPS))
    # Anywhere within a step, or while a checkpoint is written.
    time.sleep(rng.uniform(0, 0.02))
    process.kill()
    process.communicate()
    newest = sorted(folder.glob("*/epoch-*"))[-1:]
    assert_same(train(folder, cell, dropout), expected)
    assert not list(folder.glob("*/.*.tmp"))
    shutil.rmtree(folder)
    return [path.name for path in newest]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(tmp_path_factory.mktemp("whole"))


def test_a_killed_training_resumes_to_the_same_bits(tmp_path, whole):
    kill_and_resume(tmp_path / "killed", "gru", 0.2, np.random.default_rng(0), whole)


@pytest.mark.slow
@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_trainings_killed_at_twenty_moments_resume_to_the_same_bits(tmp_path, cell, dropout):
    expected = train(tmp_path / "whole", cell, dropout)
    rng = np.random.default_rng(0)
    moments = [
        name
        for _ in range(20)
        for name in kill_and_resume(tmp_path / "killed", cell, dropout, rng, expected)
    ]
    assert len(set(moments)) > 10  # all over the training, within epochs as well
    assert any(not name.endswith("batch-000000000.skaudeep") for name in moments)


def test_an_interrupted_training_leaves_a_checkpoint_and_continues_from_it(tmp_path, whole):
    process = train_elsewhere(tmp_path / "folder", "gru", 0.2, 0.05, n_steps=7)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode != 0
    newest = max((tmp_path / "folder").glob("*/epoch-*"))
    assert load(newest).transform(np.zeros((2, 4, 5))).shape == (2, 246)
    assert_same(train(tmp_path / "folder"), whole)


def checkpointed(folder, X, **parameters):
    settings = {"n_units": 4, "max_epochs": 3, "batch_size": 4, "random_state": 0, **parameters}
    autoencoder = Seq2SeqAutoencoder(**settings)
    return autoencoder.set_callbacks(Checkpoint(folder)).fit(X)


@pytest.fixture
def X():
    return np.random.default_rng(0).uniform(-1, 1, size=(10, 6, 3)).astype(np.float32)


def names(folder):
    return sorted(path.name for path in folder.glob("*/*"))


def test_the_newest_two_checkpoints_are_kept_and_load_as_estimators(tmp_path, X):
    autoencoder = checkpointed(tmp_path, X)
    assert names(tmp_path) == [f"epoch-00000{epoch}-batch-000000000.skaudeep" for epoch in (2, 3)]
    before, last = (load(path) for path in sorted(tmp_path.glob("*/*")))
    np.testing.assert_array_equal(last.transform(X), autoencoder.transform(X))
    assert last.loss_curve_ == autoencoder.loss_curve_
    assert before.loss_curve_ == autoencoder.loss_curve_[:2]


def test_a_training_of_more_epochs_continues_from_the_last_checkpoint(tmp_path, X, monkeypatch):
    checkpointed(tmp_path, X)
    steps = []
    step = Training.step
    monkeypatch.setattr(Training, "step", lambda *a: steps.append(1) or step(*a))
    again = checkpointed(tmp_path, X)
    assert not steps
    longer = checkpointed(tmp_path, X, max_epochs=5)
    assert len(steps) == 2 * 3  # two epochs of three batches
    plain = Seq2SeqAutoencoder(4, max_epochs=5, batch_size=4, random_state=0).fit(X)
    assert longer.loss_curve_ == plain.loss_curve_
    assert again.loss_curve_ == plain.loss_curve_[:3]
    np.testing.assert_array_equal(longer.transform(X), plain.transform(X))


def test_a_training_of_fewer_epochs_does_not_take_later_checkpoints(tmp_path, X):
    checkpointed(tmp_path, X, max_epochs=5)
    shorter = checkpointed(tmp_path, X, max_epochs=4)
    plain = Seq2SeqAutoencoder(4, max_epochs=4, batch_size=4, random_state=0).fit(X)
    np.testing.assert_array_equal(shorter.transform(X), plain.transform(X))
    shortest = checkpointed(tmp_path, X, max_epochs=2)  # before all checkpoints
    assert shortest.loss_curve_ == plain.loss_curve_[:2]
    assert len(names(tmp_path)) == 2


def test_a_training_without_a_seed_continues_with_the_one_it_drew(tmp_path, X):
    settings = {"random_state": None, "validation_fraction": 0.3}
    first = checkpointed(tmp_path, X, **settings)
    longer = checkpointed(tmp_path, X, **settings, max_epochs=4)
    assert longer.seed_ == first.seed_
    assert longer.loss_curve_[:3] == first.loss_curve_
    assert len(longer.validation_loss_curve_) == 4


def test_generators_in_other_states_are_trainings_of_their_own(tmp_path, X):
    generator = np.random.RandomState(0)
    fits = [
        checkpointed(tmp_path, X, random_state=random_state)
        for random_state in (generator, generator, np.random.RandomState(1))
    ]
    assert len({fit.seed_ for fit in fits}) == 3
    assert len({tuple(fit.loss_curve_) for fit in fits}) == 3
    again = checkpointed(tmp_path, X, random_state=np.random.RandomState(0), max_epochs=4)
    assert again.seed_ == fits[0].seed_
    assert again.loss_curve_[:3] == fits[0].loss_curve_


def test_several_fits_without_a_seed_take_up_the_first(tmp_path, X):
    first, second = (checkpointed(tmp_path, X, random_state=None) for _ in range(2))
    assert first.seed_ == second.seed_  # as the documentation says


def test_checkpoints_of_other_data_or_parameters_have_folders_of_their_own(tmp_path, X):
    checkpointed(tmp_path, X)
    for other, parameters in ((X + 0.01, {}), (X, {"n_units": 5}), (X[:8], {})):
        fresh = checkpointed(tmp_path, other, **parameters)
        plain = clone(fresh).set_callbacks().fit(other)
        assert fresh.loss_curve_ == plain.loss_curve_
    assert len(list(tmp_path.iterdir())) == 4
    padded = np.pad(X, [(0, 0), (0, 2), (0, 0)], constant_values=np.nan)
    checkpointed(tmp_path, padded)  # the same sequences
    checkpointed(tmp_path, list(X))
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    ("parameters", "shift", "message"),
    [
        ({"n_units": 5}, 0, "is a checkpoint of n_units=5, but this training has n_units=4"),
        ({"cell": "lstm"}, 0, "is a checkpoint of cell='lstm', but this training has cell='gru'"),
        ({}, 0.01, "is a checkpoint of a training on other data"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, X, parameters, shift, message):
    checkpointed(tmp_path / "a", X)
    checkpointed(tmp_path / "b", X + shift, **parameters)
    foreign = max((tmp_path / "b").glob("*/*"))
    shutil.copy(foreign, next((tmp_path / "a").iterdir()) / "epoch-000009-batch-000000000.skaudeep")
    with pytest.raises(ValueError, match=message):
        checkpointed(tmp_path / "a", X)


def test_a_damaged_checkpoint_is_skipped_with_a_warning(tmp_path, X):
    plain = Seq2SeqAutoencoder(4, max_epochs=3, batch_size=4, random_state=0).fit(X)
    checkpointed(tmp_path, X)
    newest = max(tmp_path.glob("*/*"))
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="Trying the checkpoint before it"):
        again = checkpointed(tmp_path, X)
    assert again.loss_curve_ == plain.loss_curve_
    for path in tmp_path.glob("*/*"):
        path.write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.warns(UserWarning, match="Trying the checkpoint before it"):
        again = checkpointed(tmp_path, X)
    assert again.loss_curve_ == plain.loss_curve_


@pytest.mark.parametrize("kind", ["folder", "link to nothing", "pipe"])
def test_what_is_no_file_among_checkpoints_is_skipped_with_a_warning(tmp_path, X, kind):
    plain = Seq2SeqAutoencoder(4, max_epochs=4, batch_size=4, random_state=0).fit(X)
    checkpointed(tmp_path, X)
    (folder,) = tmp_path.iterdir()
    odd = folder / "epoch-000004-batch-000000000.skaudeep"
    if kind == "folder":
        (odd / "within").mkdir(parents=True)
    elif kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to("nowhere")
    with pytest.warns(UserWarning, match=f"{odd.name}.*Trying the checkpoint before it"):
        again = checkpointed(tmp_path, X)
    assert again.loss_curve_ == plain.loss_curve_[:3]


def test_a_folder_in_the_place_of_an_old_checkpoint_does_not_end_a_training(tmp_path, X):
    checkpointed(tmp_path, X, max_epochs=1)
    (folder,) = tmp_path.iterdir()
    odd = folder / "epoch-000000-batch-000000000.skaudeep"
    odd.mkdir()
    os.utime(odd, (0, 0))  # the first to go
    (folder / ".x.tmp").mkdir()
    assert len(checkpointed(tmp_path, X).loss_curve_) == 3
    assert odd.is_dir()


def test_a_second_training_leaves_what_the_first_is_writing(tmp_path, X):
    checkpointed(tmp_path, X, max_epochs=1)
    (folder,) = tmp_path.iterdir()
    with replacing(folder / "epoch-000009-batch-000000000.skaudeep") as new:
        new.write_bytes(b"half")
        checkpointed(tmp_path, X)
        assert new.read_bytes() == b"half"


def test_a_state_that_does_not_fit_the_network_is_refused_by_name(tmp_path, X):
    checkpointed(tmp_path, X)
    newest = max(tmp_path.glob("*/*"))
    for change in ({"moments": {"0.step": np.zeros(3)}}, {"best_weights": {"a": np.zeros(3)}}):
        stored = load(newest)
        stored.checkpoint_["training"] |= change
        save(stored, newest)
        with pytest.raises(ValueError, match=f"{newest.name}: is no state of this training"):
            checkpointed(tmp_path, X)


def test_checkpoints_of_the_fits_of_a_search_have_folders_of_their_own(tmp_path, X):
    y = np.arange(10) % 2
    autoencoder = Seq2SeqAutoencoder(4, max_epochs=2, random_state=0)
    expected, found = (
        GridSearchCV(
            make_pipeline(step, LinearSVC()),
            {"seq2seqautoencoder__n_units": [3, 4]},
            cv=2,
            error_score="raise",
        )
        .fit(X, y)
        .cv_results_["mean_test_score"]
        for step in (autoencoder, clone(autoencoder).set_callbacks(Checkpoint(tmp_path)))
    )
    np.testing.assert_array_equal(found, expected)
    assert len(list(tmp_path.iterdir())) == 5  # two folds of two cells, and the refit


@pytest.mark.parametrize(
    "parameters", [{"every_n_epochs": 0}, {"every_minutes": 0.0}, {"keep": 0}, {"directory": 3}]
)
def test_checkpoint_parameters_out_of_range_are_named(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        Checkpoint(**{"directory": "a", **parameters})


def test_a_checkpoint_on_anything_but_an_autoencoder_is_refused(tmp_path, X):
    with pytest.raises(TypeError, match="Set it on the autoencoder inside"):
        make_pipeline(Seq2SeqAutoencoder(4, max_epochs=1)).set_callbacks(Checkpoint(tmp_path)).fit(
            X
        )


if __name__ == "__main__":
    # What was started in the background is deaf to Ctrl-C, and so are its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    train(*sys.argv[1:])


def test_checkpoints_are_found_by_epoch_in_the_folder_of_one_training(tmp_path):
    X = np.random.default_rng(0).uniform(-1, 1, size=(4, 5, 3)).astype(np.float32)
    small = Seq2SeqAutoencoder(4, max_epochs=3, random_state=0)
    small.set_callbacks(Checkpoint(tmp_path, keep=2)).fit(X)
    (folder,) = tmp_path.iterdir()
    (folder / "epoch-000003-batch-000000001.skaudeep").touch()  # from within an epoch
    for given in (tmp_path, str(folder)):
        found = find_checkpoints(given)
        assert list(found) == [2, 3]
        assert [len(load(path).loss_curve_) for path in found.values()] == [2, 3]
    with pytest.raises(FileNotFoundError, match="holds no checkpoint"):
        find_checkpoints(tmp_path / "none")
    small.set_params(dropout=0.1).fit(X)
    with pytest.raises(ValueError, match=f"2 trainings, expected one. Give one of .*{folder.name}"):
        find_checkpoints(tmp_path)


def test_every_checkpoint_is_kept_and_gives_the_features_of_its_epoch(tmp_path):
    X = np.random.default_rng(0).uniform(-1, 1, size=(8, 6, 5)).astype(np.float32)
    small = Seq2SeqAutoencoder(4, n_layers=1, max_epochs=4, random_state=0)
    small.set_callbacks(Checkpoint(tmp_path, keep=None)).fit(X)
    found = find_checkpoints(tmp_path)
    assert list(found) == [1, 2, 3, 4]
    for epoch, path in found.items():
        alone = Seq2SeqAutoencoder(4, n_layers=1, max_epochs=epoch, random_state=0).fit(X)
        np.testing.assert_array_equal(load(path).transform(X), alone.transform(X))
