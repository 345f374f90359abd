"""Every reader gives scikit-learn's X and y in place of the Bunch where it is asked to."""

from __future__ import annotations

import warnings
from inspect import signature

import numpy as np
import pytest

from skaudeep import datasets, formats
from skaudeep.datasets import load_dataset, load_folder, load_table, make_bunch, make_sounds
from skaudeep.formats import load_arff, load_csv, load_netcdf, save_arff, save_csv, save_netcdf

# What a user assembles, tables of events, and recordings whose labels are over time.
OTHERS = {"make_bunch", "load_annotations", "make_labelled_recordings"}
READERS = [
    getattr(module, name)
    for module in (datasets, formats)
    for name in dir(module)
    if name.startswith(("load_", "fetch_", "make_")) and name not in OTHERS
]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_every_reader_documents_return_X_y_and_returns_the_bunch_without_it(reader):
    parameter = signature(reader).parameters["return_X_y"]
    assert parameter.default is False
    assert parameter.kind is parameter.KEYWORD_ONLY
    assert "    return_X_y : bool, default=False\n" in reader.__doc__


def test_X_and_y_are_data_and_target_of_the_bunch(tmp_path):
    for name in ("dog/1.wav", "cat/2.wav"):
        (tmp_path / "corpus" / name).parent.mkdir(parents=True)
        (tmp_path / "corpus" / name).touch()
    (tmp_path / "corpus/clips.csv").write_text("file,class\ndog/1.wav,dog\ncat/2.wav,cat\n")
    features = make_bunch(np.eye(2), ["a", "b"], target=[1, 0], target_names=["x", "y"])
    save_csv(features, tmp_path)
    save_arff(features, tmp_path)
    save_netcdf(features, tmp_path / "x.nc")
    options = {
        load_folder: (tmp_path / "corpus", {}),
        load_dataset: (tmp_path / "corpus", {"layout": "classes"}),
        load_table: (tmp_path / "corpus/clips.csv", {"path": "file", "target": "class"}),
        load_csv: (tmp_path, {}),
        load_arff: (tmp_path, {}),
        load_netcdf: (tmp_path / "x.nc", {}),
        make_sounds: (
            4,
            {"n_classes": 2, "n_sessions": 1, "sampling_rate": 8000, "random_state": 0},
        ),
    }
    for reader, (first, more) in options.items():
        bunch = reader(first, **more)
        X, y = reader(first, return_X_y=True, **more)
        np.testing.assert_array_equal(X, bunch.data)
        np.testing.assert_array_equal(y, bunch.target)


def test_clips_without_a_label_among_others_are_said_because_y_does_not_say_it(tmp_path):
    features = make_bunch(np.eye(3), ["a", "b", "c"], target=[0, -1, 1], target_names=["x", "y"])
    save_netcdf(features, tmp_path / "x.nc")
    with pytest.warns(UserWarning, match=r"1 of 3 clips are unlabelled: their y is -1") as caught:
        _, y = load_netcdf(tmp_path / "x.nc", return_X_y=True)
    assert caught[0].filename == __file__
    assert y.tolist() == [0, -1, 1]
    save_netcdf(make_bunch(np.eye(2), ["a", "b"]), tmp_path / "none.nc")  # X for an autoencoder
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_netcdf(tmp_path / "none.nc", return_X_y=True)
