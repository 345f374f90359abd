"""TensorBoard: what its files say is what the training was, one folder a run."""

from __future__ import annotations

import copy
import pickle
import sys
from io import BytesIO

import joblib
import matplotlib.image
import netCDF4
import numpy as np
import pandas as pd
import pytest
import torch
import xarray
from sklearn.base import BaseEstimator, clone
from sklearn.callback import CallbackSupportMixin, FitCallback, with_callbacks
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from skaudeep import ChunkVotingClassifier, FeatureFusion, Seq2SeqAutoencoder
from skaudeep.callbacks import tensorboard
from skaudeep.callbacks.tensorboard import TensorBoard

LABELS = np.array(["dog bark", "rain", "sea\twaves"])[np.arange(6) % 3]
TEXT = [label.replace("\t", " ") for label in LABELS]


def frames(n_clips=6):
    X = np.random.default_rng(0).uniform(-1, 1, size=(n_clips, 7, 5)).astype(np.float32)
    X[1, 4:] = np.nan
    return X


def autoencoder(**parameters):
    small = {"n_units": 4, "n_layers": 1, "max_epochs": 3, "batch_size": 4, "random_state": 0}
    features = {"bidirectional_encoder": False, "representation": "statistics"}  # 16
    return Seq2SeqAutoencoder(**small | features | parameters)


def fit(folder, X=None, y=None, *, network=None, **parameters):
    network = network or autoencoder()
    board = TensorBoard(folder, **parameters)
    return network.set_callbacks(board).fit(frames() if X is None else X, y)


def runs(folder):
    """Folders of events below a folder, oldest first."""
    return sorted({path.parent for path in folder.rglob("events.out.tfevents.*")})


def read(run):
    events = EventAccumulator(str(run), size_guidance={"images": 0, "scalars": 0, "histograms": 0})
    events.Reload()
    return events


def scalars(run, tag="loss"):
    return [(event.step, event.value) for event in read(run).Scalars(tag)]


def images(run, tag="reconstruction/0"):
    """Pictures by their step, in [0, 1]."""
    return {
        event.step: matplotlib.image.imread(BytesIO(event.encoded_image_string))[..., 0]
        for event in read(run).Images(tag)
    }


def embedding(run):
    """Features and labels as the projector reads them."""
    (tensors,) = run.rglob("tensors.tsv")
    config = (run / "projector_config.pbtxt").read_text()
    assert f'"{tensors.relative_to(run).as_posix()}"' in config
    labels = tensors.with_name("metadata.tsv")
    assert (f'"{labels.relative_to(run).as_posix()}"' in config) == labels.exists()
    lines = labels.read_text().splitlines() if labels.exists() else None
    return np.loadtxt(tensors, ndmin=2), lines


def steps_and_curve(network):
    return list(enumerate(map(np.float32, network.loss_curve_), start=1))


# --- what is written -----------------------------------------------------------------------------


def test_tensorboard_writes_the_loss_of_each_epoch(tmp_path):
    network = fit(tmp_path)
    (run,) = runs(tmp_path)
    assert scalars(run) == steps_and_curve(network)
    assert len(network.loss_curve_) == 3
    assert read(run).Tags()["scalars"][0] == "loss"


class Told(CallbackSupportMixin, BaseEstimator):
    """An autoencoder that tells more of its epochs than it has to."""

    @with_callbacks
    def fit(self, X, y=None):
        self.network_ = torch.nn.Linear(1, 1)
        self.loss_curve_ = []
        progress = self._init_callback_context(max_subtasks=2)
        progress.call_on_fit_task_begin(estimator=self)
        for metadata in ({"gradient_norm": 0.5, "validation_loss": 2.0}, {"gradient_norm": 0.25}):
            task = progress.subcontext(task_name="epoch")
            task.call_on_fit_task_begin(estimator=self)
            self.loss_curve_.append(1.0)
            task.call_on_fit_task_end(estimator=self, X=X, metadata=metadata)
        progress.call_on_fit_task_end(estimator=self, X=X)
        return self

    def reconstruct(self, X):
        return X

    def transform(self, X):
        return X[:, 0]


def test_tensorboard_writes_gradient_norm_and_validation_loss_where_the_epoch_has_them(tmp_path):
    Told().set_callbacks(TensorBoard(tmp_path)).fit(frames())
    (run,) = runs(tmp_path)
    assert scalars(run, "gradient_norm") == [(1, 0.5), (2, 0.25)]
    assert scalars(run, "validation_loss") == [(1, 2.0)]


def as_netcdf(X, folder):
    file = netCDF4.Dataset(folder / "x.nc", "w")
    for axis, size in zip("abc", X.shape, strict=True):
        file.createDimension(axis, size)
    variable = file.createVariable("x", "f4", tuple("abc"), fill_value=9)
    variable[:] = np.ma.masked_invalid(X)
    return variable


FORMS = {
    "array": lambda X, folder: X,
    "ragged": lambda X, folder: [x[~np.isnan(x[:, 0])] for x in X],
    "chunks": lambda X, folder: np.stack([X, X[::-1]], axis=1),
    "xarray": lambda X, folder: xarray.DataArray(X),
    "netCDF": as_netcdf,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_picture_of_tensorboard_shows_the_input_above_its_reconstruction(tmp_path, form):
    X = FORMS[form](frames(), tmp_path)
    network = fit(tmp_path, X)
    (run,) = runs(tmp_path)
    assert read(run).Tags()["images"] == [f"reconstruction/{i}" for i in range(3)]
    for clip, n_frames in ((0, 7), (1, 4)):
        pictures = images(run, f"reconstruction/{clip}")
        assert list(pictures) == [1, 2, 3]
        x = frames()[clip, :n_frames]
        low, high = x.min(), x.max()
        rebuilt = network.reconstruct(X)[clip]
        rebuilt = (rebuilt[0] if form == "chunks" else rebuilt)[:n_frames]
        assert pictures[3].shape == (5 + 1 + 5, n_frames)
        above, line, below = np.split(pictures[3], [5, 6])
        np.testing.assert_allclose(above, (x.T[::-1] - low) / (high - low), atol=1 / 250)
        assert (line == 1).all()
        expected = (rebuilt.T[::-1].clip(low, high) - low) / (high - low)
        np.testing.assert_allclose(below, expected, atol=1 / 250)
        # Earlier pictures are of the network as it stood then.
        assert not np.array_equal(pictures[1], pictures[3])


def test_tensorboard_draws_series_of_a_data_frame_as_one_band(tmp_path):
    table = pd.DataFrame(frames()[2:, :, 0], columns=list("abcdefg"))
    fit(tmp_path, table)
    (run,) = runs(tmp_path)
    assert images(run)[1].shape == (3, 7)
    assert len(embedding(run)[0]) == 4


@pytest.mark.parametrize(
    ("parameters", "steps", "n_tags"),
    [({"every": 2}, [1, 3], 3), ({"every": 9, "n_images": 50}, [1], 6), ({"n_images": 0}, [], 0)],
)
def test_tensorboard_draws_n_images_pictures_every_so_many_epochs(
    tmp_path, parameters, steps, n_tags
):
    fit(tmp_path, **parameters)
    (run,) = runs(tmp_path)
    assert len(read(run).Tags()["images"]) == n_tags
    assert (list(images(run)) if n_tags else []) == steps
    assert len(scalars(run)) == 3


def test_tensorboard_writes_a_histogram_of_each_weight(tmp_path):
    network = fit(tmp_path, every=2)
    (run,) = runs(tmp_path)
    weights = dict(network.network_.named_parameters())
    assert read(run).Tags()["histograms"] == [f"weights/{name}" for name in weights]
    for name, values in weights.items():
        first, last = read(run).Histograms(f"weights/{name}")
        assert (first.step, last.step) == (1, 3)
        found = last.histogram_value
        values = values.detach().double()
        assert (found.num, sum(found.bucket)) == (values.numel(), values.numel())
        np.testing.assert_allclose(
            [found.min, found.max, found.sum, found.sum_squares],
            [float(one) for one in (values.min(), values.max(), values.sum(), (values**2).sum())],
            rtol=1e-5,
            atol=1e-6,
        )


@pytest.mark.parametrize("form", FORMS)
def test_tensorboard_embeds_the_features_with_their_labels(tmp_path, form):
    X = FORMS[form](frames(), tmp_path)
    network = fit(tmp_path, X, LABELS)
    features, labels = embedding(*runs(tmp_path))
    expected = network.transform(X)
    np.testing.assert_allclose(features, expected.reshape(len(features), -1), rtol=1e-6)
    assert labels == list(np.repeat(TEXT, expected.size // 16 // 6))


def test_tensorboard_embeds_the_features_without_labels_where_there_are_none(tmp_path):
    fit(tmp_path)
    features, labels = embedding(*runs(tmp_path))
    assert features.shape == (6, 16)
    assert labels is None


def test_tensorboard_embeds_clips_from_all_parts_of_many(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard, "MAX_EMBEDDED", 3)
    fit(tmp_path, frames(9), list("aaabbbccc"))
    features, labels = embedding(*runs(tmp_path))
    assert labels == ["a", "b", "c"]
    assert len(features) == 3


def test_tensorboard_with_clips_of_its_own_shows_those_and_not_the_training_clips(tmp_path):
    other = frames(10)[6:] / 2
    board = TensorBoard(tmp_path / "other", X=other, labels=["x", "y", "x", "y"])
    network = autoencoder().set_callbacks(board).fit(frames(), LABELS)
    (run,) = runs(tmp_path / "other")
    features, labels = embedding(run)
    np.testing.assert_allclose(features, network.transform(other), rtol=1e-6)
    assert labels == ["x", "y", "x", "y"]
    above = images(run)[1][:5]
    x = other[0]
    np.testing.assert_allclose(above, (x.T[::-1] - x.min()) / np.ptp(x), atol=1 / 250)


def test_tensorboard_leaves_out_rows_without_frames(tmp_path):
    X = frames()
    X[[0, 4]] = np.nan
    X[2] = 0.5  # nothing to see, but there
    fit(tmp_path, X, LABELS)
    (run,) = runs(tmp_path)
    assert len(read(run).Tags()["images"]) == 2
    features, labels = embedding(run)
    assert np.isfinite(features).all()
    assert labels == [TEXT[i] for i in (1, 2, 3, 5)]


def test_tensorboard_writes_only_features_of_a_network_that_is_not_trained(tmp_path):
    fit(tmp_path, network=autoencoder(max_epochs=0))
    (run,) = runs(tmp_path)
    assert read(run).Tags()["scalars"] == []
    assert len(embedding(run)[0]) == 6


def test_tensorboard_changes_neither_the_training_nor_global_generators(tmp_path):
    alone = autoencoder(dropout=0.2).fit(frames())
    state = np.random.get_state()[1].copy()
    watched = fit(tmp_path, network=autoencoder(dropout=0.2))
    assert watched.loss_curve_ == alone.loss_curve_
    np.testing.assert_array_equal(watched.transform(frames()), alone.transform(frames()))
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    # Only what a fit without callbacks leaves, and the callback.
    assert set(vars(watched)) - set(vars(alone)) == {"_skl_callbacks"}


# --- a folder per run ----------------------------------------------------------------------------


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_tensorboard_gives_each_fit_a_folder_and_leaves_the_others_unchanged(tmp_path):
    network = fit(tmp_path)
    before = content(tmp_path)
    network.set_params(n_units=5).fit(frames())
    clone(network).set_params(max_epochs=2).fit(frames())
    assert len(runs(tmp_path)) == 3
    assert before.items() <= content(tmp_path).items()
    assert sorted(len(scalars(run)) for run in runs(tmp_path)) == [2, 3, 3]


def test_tensorboard_goes_on_with_a_run_where_the_training_goes_on(tmp_path):
    board = TensorBoard(tmp_path, every=2)
    network = autoencoder(max_epochs=2, warm_start=True).set_callbacks(board)
    network.partial_fit(frames())
    with pytest.raises(RuntimeError, match="enough"):
        network.set_callbacks(board, Stop()).fit(frames())
    network.set_callbacks(board).fit(frames())
    (run,) = runs(tmp_path)
    assert scalars(run) == steps_and_curve(network)
    assert len(network.loss_curve_) == 3  # each once, although the second was written twice
    assert list(images(run)) == [1, 3]
    pickle.loads(pickle.dumps(network)).partial_fit(frames())
    clone(network).fit(frames())
    network.set_params(warm_start=False).fit(frames())
    assert len(runs(tmp_path)) == 4


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_tensorboard_gives_each_fold_of_a_search_a_folder(tmp_path, backend):
    network = autoencoder(max_epochs=2).set_callbacks(TensorBoard(tmp_path, n_images=1))
    pipeline = make_pipeline(network, LogisticRegression())
    units = {"seq2seqautoencoder__n_units": [2, 3]}
    search = GridSearchCV(pipeline, units, cv=2, n_jobs=2, error_score="raise")
    X, y = np.concatenate([frames(), frames()]), np.tile(LABELS, 2)
    with joblib.parallel_config(backend):
        search.fit(X, y)
    found = runs(tmp_path)
    assert len(found) == 2 * 2 + 1
    (outermost,) = tmp_path.iterdir()
    names = {run.relative_to(outermost).as_posix() for run in found}
    assert names == {
        *(f"0-search/{i}-candidate-split-evaluation/0-fit-transform-seq2seqautoencoder"
          for i in range(4)),
        "1-refit-with-best-params/0-fit-transform-seq2seqautoencoder",
    }  # fmt: skip
    for run in found:
        assert len(scalars(run)) == 2
        features, labels = embedding(run)
        assert len(features) == len(labels) == (12 if "refit" in str(run) else 6)
        assert set(labels) == set(TEXT)
    refit = search.best_estimator_[0]
    assert scalars(outermost / max(names)) == steps_and_curve(refit)


def test_tensorboard_gives_each_view_of_a_fusion_a_folder(tmp_path):
    network = autoencoder().set_callbacks(TensorBoard(tmp_path))
    fusion = FeatureFusion([("-30dB", network), ("a/b", clone(network))])
    chunks = np.stack([frames(), frames()], axis=1)
    make_pipeline(fusion, ChunkVotingClassifier(LogisticRegression())).fit(chunks, LABELS)
    names = [run.name for run in runs(tmp_path)]
    assert names == ["0-fit-transform--30dB", "1-fit-transform-a_b"]


def test_tensorboard_refuses_to_write_into_the_folder_of_another_run(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard, "_run_name", lambda context: ["the same"])
    fit(tmp_path)
    before = content(tmp_path)
    with pytest.raises(FileExistsError, match="the same"):
        fit(tmp_path)
    assert content(tmp_path) == before


def test_tensorboard_keeps_the_epochs_of_a_training_that_fails(tmp_path):
    network = autoencoder()
    board = TensorBoard(tmp_path)
    with pytest.raises(RuntimeError, match="enough"):
        network.set_callbacks(board, Stop()).fit(frames())
    assert board._writers == {}
    (run,) = runs(tmp_path)
    assert len(scalars(run)) == 2
    network.set_callbacks(board).fit(frames())
    assert len(runs(tmp_path)) == 2


class Stop:
    """Fail at the end of the second epoch."""

    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context):
        if len(estimator.loss_curve_) == 2:
            raise RuntimeError("enough")


class Pickle(Stop):
    """Pickle the estimator, its open callbacks included, after each epoch."""

    def __init__(self):
        self.pickles = []

    def on_fit_task_end(self, estimator, context):
        self.pickles.append(pickle.dumps(estimator._skl_callbacks[0]))


def test_a_tensorboard_callback_is_pickled_without_its_open_files(tmp_path):
    network = autoencoder()
    inside = Pickle()
    network.set_callbacks(TensorBoard(tmp_path), inside).fit(frames())
    assert len(inside.pickles) == 4
    board = pickle.loads(inside.pickles[0])
    assert isinstance(board, FitCallback)
    autoencoder().set_callbacks(board).fit(frames())
    network.set_callbacks(TensorBoard(tmp_path)).fit(frames())
    for again in (pickle.loads(pickle.dumps(network)), copy.deepcopy(network)):
        np.testing.assert_array_equal(again.transform(frames()), network.transform(frames()))
        again.fit(frames())
    assert len(runs(tmp_path)) == 5
    assert all(len(scalars(run)) == 3 for run in runs(tmp_path))
    assert clone(network)._skl_callbacks[0] is network._skl_callbacks[0]


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"every": 0}, "'every' parameter"),
        ({"n_images": -1}, "'n_images' parameter"),
        ({"log_dir": None}, "'log_dir' parameter"),
        ({"labels": LABELS}, "labels without X"),
        ({"labels": LABELS, "X": frames(5)}, r"inconsistent numbers of samples: \[5, 6\]"),
    ],
)
def test_tensorboard_refuses_parameters_out_of_range(parameters, message):
    with pytest.raises(ValueError, match=message):
        TensorBoard(**{"log_dir": "nowhere"} | parameters)


def test_tensorboard_on_anything_but_an_autoencoder_is_refused(tmp_path):
    pipeline = make_pipeline(autoencoder(), LogisticRegression())
    for other in (pipeline, LogisticRegression()):
        other.set_callbacks(TensorBoard(tmp_path))
        with pytest.raises(TypeError, match=rf"got a {type(other).__name__}\. Set it on the auto"):
            other.fit(frames()[2:, :, 0], LABELS[2:])
    assert not any(tmp_path.iterdir())


def test_the_tensorboard_callback_without_tensorboard_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    board = TensorBoard(tmp_path / "runs")
    with pytest.raises(ImportError, match=r"pip install 'skaudeep\[tensorboard\]'"):
        autoencoder().set_callbacks(board).fit(frames())
    assert not (tmp_path / "runs").exists()
