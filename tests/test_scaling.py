"""On a cluster of two workers: the same results, also when a worker process is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import cloudpickle
import dask
import joblib
import numpy as np
import pytest
from distributed import Client, LocalCluster
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skaudeep import FeatureFusion, Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.datasets import make_sounds
from skaudeep.extraction import extract_to_netcdf

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers cannot import tests


def kill_worker(marker):
    """Kill the process that this runs in, a worker, but only once."""
    if multiprocessing.parent_process() is not None and not os.path.exists(marker):
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)


def arrive(path):
    kill_worker(f"{path}.killed")
    return DeadlyPath(path)  # the scheduler, too, looks at it on its way


class DeadlyPath(type(Path())):
    """A path that kills the first worker that it comes to."""

    def __reduce__(self):
        return arrive, (str(self),)


class Deadly(TransformerMixin, BaseEstimator):
    """Kills the first worker that runs it, in the middle of a pipeline."""

    def __init__(self, marker):
        self.marker = marker

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        kill_worker(self.marker)
        return X

    def __sklearn_is_fitted__(self):
        return True


@contextmanager
def two_workers(**options):
    """Start two workers of one thread, on the loopback interface alone."""
    settings = {
        "distributed.worker.http.routes": [],
        "distributed.scheduler.http.routes": [],
        "distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS": 1,
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            **options,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # any free port: 8787 may be another run's
            worker_dashboard_address=None,
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def client():
    with two_workers(processes=True) as client:
        yield client


@pytest.fixture
def workers(client):
    """Wait for both workers, also for one that comes back from the dead."""
    client.wait_for_workers(2, timeout=120)
    return client


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    return make_sounds(
        128,
        n_classes=4,
        sampling_rate=8000,
        duration=0.25,
        folder=tmp_path_factory.mktemp("sounds"),
        random_state=0,
    )


def view(decibels=-60, *steps):
    return make_pipeline(
        SpectrogramExtractor(0.04, n_mels=10, clip_below=decibels),
        *steps,
        Seq2SeqAutoencoder(4, n_layers=1, max_epochs=1, random_state=0),
    )


def fusion(*steps):
    return FeatureFusion([(f"{db}dB", view(db, *steps)) for db in (-30, -45, -60, -75)])


def search(sounds, *steps):
    return GridSearchCV(
        make_pipeline(view(-60, *steps), LinearSVC()),
        {"pipeline__seq2seqautoencoder__n_units": [3, 4]},
        cv=list(StratifiedKFold(2).split(sounds.data, sounds.target)),
        error_score="raise",
    )


def processes(client):
    return set(client.run(os.getpid).values())


def searched(grid, sounds):
    """Search on the cluster. What tasks share is on all workers, so none can take it along."""
    shared = [sounds.data, sounds.target, *chain.from_iterable(grid.cv)]
    with joblib.parallel_config("dask", scatter=shared):
        return grid.fit(sounds.data, sounds.target).cv_results_["mean_test_score"]


def assert_same_on_cluster(sounds, folder):
    """Extract, fuse and search on the cluster and without it."""
    extractor = SpectrogramExtractor(0.04, n_mels=10)
    with joblib.parallel_config("dask"):
        spectrograms = extractor.fit_transform(sounds.data)
        features = fusion().fit(sounds.data).transform(sounds.data)
        stored = extract_to_netcdf(sounds, extractor, folder / "spectrograms.nc").data
    np.testing.assert_array_equal(spectrograms, extractor.fit_transform(sounds.data))
    np.testing.assert_array_equal(stored, spectrograms)
    np.testing.assert_allclose(features, fusion().fit_transform(sounds.data), atol=1e-6)
    grid = search(sounds)
    alone = search(sounds).fit(sounds.data, sounds.target).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(searched(grid, sounds), alone)


def test_extraction_fusion_and_search_give_the_same_on_a_cluster_as_alone(sounds, tmp_path):
    """Workers of this process: starting others takes 20 s. Tasks are pickled all the same."""
    with two_workers(processes=False, protocol="tcp://") as client:
        assert_same_on_cluster(sounds, tmp_path)
        n_tasks = client.run(lambda dask_worker: dask_worker.state.executed_count)
    assert len(n_tasks) == 2
    assert all(n_tasks.values())


@pytest.mark.slow
def test_extraction_fusion_and_search_give_the_same_on_a_cluster_as_in_one_process(
    workers, sounds, tmp_path
):
    assert_same_on_cluster(sounds, tmp_path)
    assert workers.run(lambda: "skaudeep" in sys.modules) == dict.fromkeys(workers.nthreads(), True)


@pytest.mark.slow
def test_an_extraction_survives_the_loss_of_a_worker(workers, sounds, tmp_path):
    before = processes(workers)
    clips = [DeadlyPath(path) for path in sounds.data[:1]] + list(sounds.data[1:])
    extractor = SpectrogramExtractor(0.04, n_mels=10)
    with joblib.parallel_config("dask"):
        spectrograms = extractor.fit_transform(clips)
    workers.wait_for_workers(2, timeout=120)
    assert len(before & processes(workers)) == 1
    np.testing.assert_array_equal(spectrograms, extractor.fit_transform(sounds.data))


@pytest.mark.slow
def test_a_feature_fusion_survives_the_loss_of_a_worker(workers, sounds, tmp_path):
    before = processes(workers)
    with joblib.parallel_config("dask"):
        features = fusion(Deadly(tmp_path / "killed")).fit_transform(sounds.data)
    workers.wait_for_workers(2, timeout=120)
    assert len(before & processes(workers)) == 1
    np.testing.assert_allclose(features, fusion().fit_transform(sounds.data), atol=1e-6)


@pytest.mark.slow
def test_a_grid_search_survives_the_loss_of_a_worker(workers, sounds, tmp_path):
    before = processes(workers)
    scores = searched(search(sounds, Deadly(tmp_path / "killed")), sounds)
    workers.wait_for_workers(2, timeout=120)
    assert len(before & processes(workers)) == 1
    alone = search(sounds).fit(sounds.data, sounds.target).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, alone)
