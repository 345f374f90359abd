"""Files live long: those that version 0.1 wrote are read, those of the future are refused."""

from __future__ import annotations

import re
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from skaudeep import PersistenceError, load, load_netcdf, save, save_netcdf
from skaudeep._version import __version__
from skaudeep.callbacks import Checkpoint
from skaudeep.formats import netcdf
from skaudeep.persistence import archive

DATA = Path(__file__).parent / "data"
MADE = runpy.run_path(str(DATA / "make_0_1.py"))  # what the files were made of

# A later scikit-learn reads its common steps, too, and says that it is another.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")


@pytest.fixture(scope="module")
def expected():
    with np.load(DATA / "expected_0_1.npz") as arrays:
        return dict(arrays)


def test_a_model_of_0_1_gives_the_same_features_labels_and_probabilities(expected):
    model = load(DATA / "model_0_1.skaudeep")
    clips, _ = MADE["make_clips"]()
    np.testing.assert_array_equal(model.predict(clips), expected["labels"])
    np.testing.assert_allclose(model.predict_proba(clips), expected["probabilities"], atol=1e-5)
    features = model[:-1].transform(clips[::3])
    np.testing.assert_allclose(features, expected["features"], atol=1e-5)


def test_a_checkpoint_of_0_1_is_a_model_that_gives_the_same_values(expected):
    (path,) = (DATA / "checkpoint_0_1").rglob("*.skaudeep")
    autoencoder = load(path)
    X = MADE["make_spectrograms"]()
    np.testing.assert_allclose(autoencoder.transform(X), expected["code"], atol=1e-5)
    reconstructions = autoencoder.reconstruct(X)
    np.testing.assert_allclose(reconstructions, expected["reconstructions"], atol=1e-5)
    assert autoencoder.loss_curve_ == expected["loss_curve"].tolist()
    assert autoencoder.validation_loss_curve_ == expected["validation_loss_curve"].tolist()


class CountEpochs:
    """Counts the epochs that are trained."""

    n_epochs = 0

    def setup(self, estimator, context):
        pass

    teardown = on_fit_task_end = setup

    def on_fit_task_begin(self, estimator, context, *, metadata=None):
        self.n_epochs += context.task_name == "epoch"


def test_a_training_goes_on_from_a_checkpoint_of_0_1(expected, tmp_path):
    shutil.copytree(DATA / "checkpoint_0_1", tmp_path, dirs_exist_ok=True)
    counter = CountEpochs()
    autoencoder = MADE["make_autoencoder"](3).set_callbacks(Checkpoint(tmp_path), counter)
    autoencoder.fit(MADE["make_spectrograms"]())
    assert counter.n_epochs == 1
    assert autoencoder.loss_curve_[:2] == expected["loss_curve"].tolist()
    assert len(autoencoder.loss_curve_) == 3


def test_a_data_set_of_0_1_is_read_with_all_its_keys():
    bunch, written = load_netcdf(DATA / "features_0_1.nc"), MADE["make_data_set"]()
    assert bunch.keys() >= written.keys()
    for key in ("data", "filenames", "target", "folds", "partition", "groups"):
        np.testing.assert_array_equal(bunch[key], written[key])
    assert list(bunch.target_names) == list(written.target_names)
    assert tuple(bunch.dims) == tuple(written.dims)
    assert bunch.DESCR == written.DESCR


@pytest.fixture
def future(monkeypatch):
    """Return a function that writes a file as version 9.1 will, whose format is another."""

    def write(module, function, *args):
        with monkeypatch.context() as later:
            later.setattr(module, "FORMAT", 7)
            later.setattr(module, "__version__", "9.1")
            function(*args)

    return write


BOTH = rf"format 7, written by skaudeep '?9\.1'?;.*{re.escape(__version__)}, which reads"


def test_a_model_of_the_future_is_refused_with_both_versions(future, tmp_path):
    path = tmp_path / "model.skaudeep"
    future(archive, save, StandardScaler(), path)
    with pytest.raises(PersistenceError, match=BOTH):
        load(path)


def test_a_data_set_of_the_future_is_refused_with_both_versions(future, tmp_path):
    path = tmp_path / "features.nc"
    future(netcdf, save_netcdf, MADE["make_data_set"](), path)
    with pytest.raises(ValueError, match=BOTH):
        load_netcdf(path)


def test_a_training_does_not_go_on_from_a_checkpoint_of_the_future_and_says_why(future, tmp_path):
    X = MADE["make_spectrograms"]()
    autoencoder = MADE["make_autoencoder"](1).set_callbacks(Checkpoint(tmp_path))
    future(archive, autoencoder.fit, X)
    with pytest.warns(UserWarning, match=BOTH):
        autoencoder.fit(X)
    assert len(autoencoder.loss_curve_) == 1
