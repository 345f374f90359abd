"""Rows on disk: indexed like an array, read as late as can be, whoever reads them."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skaudeep import Seq2SeqAutoencoder
from skaudeep.datasets import make_bunch
from skaudeep.formats.lazy import LIBRARY, StoredArray, StoredFile
from skaudeep.formats.netcdf import load_netcdf, save_netcdf


def spectrograms() -> np.ndarray:
    values = np.random.default_rng(0).uniform(-1, 1, (6, 9, 4))
    return values.astype(np.float32)


def save(path: Path, data: np.ndarray) -> None:
    save_netcdf(make_bunch(data, [f"{name}.wav" for name in "abcdef"]), path)


@pytest.fixture
def stored(tmp_path: Path) -> StoredArray:
    save(tmp_path / "a.nc", spectrograms())
    return load_netcdf(tmp_path / "a.nc", lazy=True).data


@pytest.mark.parametrize(
    "key",
    [
        3,
        -1,
        np.int64(2),
        slice(1, 4),
        slice(None, None, -2),
        [4, 0, 4],
        np.array([True, False, True, False, False, True]),
        (slice(1, 3), Ellipsis),
        ([0, 5], Ellipsis),
        (2, slice(0, 3), 1),
        (slice(0, 4), slice(2, 5)),
        (Ellipsis, 0),
        Ellipsis,
        [],
    ],
    ids=str,
)
def test_a_stored_array_is_indexed_as_an_array(stored: StoredArray, key: object):
    expected = spectrograms()[key]
    some = stored[key]
    assert some.shape == expected.shape
    np.testing.assert_array_equal(np.asarray(some), expected)


def test_indexing_several_rows_of_a_stored_array_reads_nothing(
    stored: StoredArray, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(StoredArray, "_take", None)
    some = stored[[5, 1, 2]][1:]
    assert isinstance(some, StoredArray)
    assert (some.shape, some.ndim, len(some), some.dtype) == ((2, 9, 4), 3, 2, np.float32)
    assert "(2, 9, 4)" in repr(some)


def test_a_stored_array_refuses_a_row_out_of_range(stored: StoredArray):
    with pytest.raises(IndexError, match="out of bounds"):
        stored[6]


def test_a_stored_array_refuses_conversion_without_a_copy(stored: StoredArray):
    with pytest.raises(ValueError, match="on disk"):
        np.asarray(stored, copy=False)
    assert np.asarray(stored, dtype=np.float64).dtype == np.float64


def test_a_stored_array_is_pickled_by_its_path(stored: StoredArray):
    pickled = pickle.dumps(stored[2:])
    assert len(pickled) < 10_000
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickled)), spectrograms()[2:])


def test_threads_can_read_a_stored_array_at_the_same_time(stored: StoredArray):
    right = []

    def read() -> None:
        right.extend(
            np.array_equal(stored[i], spectrograms()[i]) for _ in range(20) for i in range(6)
        )

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 480


def test_an_open_stored_array_can_be_read_after_its_file_was_replaced(
    tmp_path: Path, stored: StoredArray
):
    """A reader keeps the content that the file had when it was opened."""
    stored[0]
    save(tmp_path / "a.nc", -spectrograms())
    np.testing.assert_array_equal(np.asarray(stored), spectrograms())
    np.testing.assert_array_equal(load_netcdf(tmp_path / "a.nc").data, -spectrograms())


def test_a_stored_array_refuses_a_file_that_was_replaced_before_reading(
    tmp_path: Path, stored: StoredArray
):
    save(tmp_path / "a.nc", -spectrograms())
    with pytest.raises(ValueError, match=r"a\.nc: has been replaced .* Load it again"):
        stored[0]


TINY = {"n_layers": 1, "n_units": 4, "max_epochs": 2, "batch_size": 2, "random_state": 0}


def test_autoencoder_learns_the_same_from_a_stored_array(stored: StoredArray):
    in_memory = Seq2SeqAutoencoder(**TINY).fit(spectrograms())
    on_disk = Seq2SeqAutoencoder(**TINY).fit(stored)
    np.testing.assert_array_equal(on_disk.loss_curve_, in_memory.loss_curve_)
    np.testing.assert_array_equal(on_disk.transform(stored), in_memory.transform(spectrograms()))
    more = [model.partial_fit(X) for model, X in ((on_disk, stored), (in_memory, spectrograms()))]
    assert more[0].loss_curve_ == more[1].loss_curve_


class Spy(TransformerMixin, BaseEstimator):
    """Remembers what came in."""

    seen: list[type] = []  # noqa: RUF012

    def fit(self, X, y=None):
        self.seen.append(type(X))
        return self

    def transform(self, X):
        return X


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
def test_grid_search_does_not_load_the_folds_of_a_stored_array(stored: StoredArray, backend: str):
    y = [0, 1, 0, 1, 0, 1]
    chain = make_pipeline(Spy(), Seq2SeqAutoencoder(**TINY), LogisticRegression())
    search = GridSearchCV(
        chain, {"logisticregression__C": [1, 10]}, cv=2, error_score="raise", n_jobs=2
    )
    Spy.seen.clear()
    with parallel_config(backend):
        from_disk = search.fit(stored, y).predict(stored)
        assert set(Spy.seen) == {StoredArray}  # of the last fit alone where workers are processes
        from_memory = search.fit(spectrograms(), y).predict(spectrograms())
    np.testing.assert_array_equal(from_disk, from_memory)


def test_autoencoder_reads_one_block_of_a_stored_array_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    save_netcdf(make_bunch(np.zeros((64, 20, 8)), [f"{i}" for i in range(64)]), tmp_path / "a.nc")
    monkeypatch.setattr("skaudeep.training.batches.CHECK_BYTES", 8 * 20 * 8 * 4)
    monkeypatch.setattr("skaudeep.training.batches.MAP_BYTES", 8 * 20 * 8 * 4)
    taken = []
    take = StoredArray._take

    def counted(self, rows):
        values = take(self, rows)
        taken.append(len(values))
        return values

    monkeypatch.setattr(StoredArray, "_take", counted)
    data = load_netcdf(tmp_path / "a.nc", lazy=True).data
    Seq2SeqAutoencoder(**TINY | {"batch_size": 8}).fit(data).transform(data)
    assert max(taken) == 8
    assert sum(taken) >= 3 * 64  # checked, trained on twice, transformed


def test_a_stored_array_fills_missing_chunks_with_nan(tmp_path: Path):
    data = np.arange(24, dtype=np.float32).reshape(3, 2, 2, 2)
    data[1, 1] = np.nan
    save_netcdf(make_bunch(data, ["a", "b", "c"]), tmp_path / "a.nc")
    stored = load_netcdf(tmp_path / "a.nc", lazy=True).data
    assert stored.shape == (3, 2, 2, 2)
    np.testing.assert_array_equal(np.asarray(stored[[2, 1]]), data[[2, 1]])
    np.testing.assert_array_equal(stored[1], data[1])


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path: Path) -> None:
    save(path.with_name("other.nc"), -spectrograms())
    shutil.copyfile(path.with_name("other.nc"), path)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("change", [truncate, overwrite, empty])
@pytest.mark.parametrize("opened", [True, False], ids=["opened", "not opened"])
def test_a_stored_array_refuses_a_file_that_was_changed_in_place(
    tmp_path: Path, stored: StoredArray, change, opened: bool
):
    """It would read zeros, or rows of another file under the labels of this one."""
    if opened:
        stored[0]
    change(tmp_path / "a.nc")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"a\.nc: has been replaced or changed .* Load it aga"):
            stored[4:5]._read()


def test_a_stored_array_refuses_rows_of_a_file_that_changes_while_they_are_read(
    tmp_path: Path, stored: StoredArray, monkeypatch: pytest.MonkeyPatch
):
    stored[0]
    dataset = StoredFile.dataset

    def changing(self: StoredFile) -> object:
        opened = dataset(self)
        monkeypatch.undo()
        overwrite(tmp_path / "a.nc")
        return opened

    monkeypatch.setattr(StoredFile, "dataset", changing)
    with pytest.raises(ValueError, match=r"a\.nc: has been replaced or changed"):
        stored[4]


def test_a_stored_array_reads_on_where_only_the_time_of_its_file_changed(
    tmp_path: Path, stored: StoredArray
):
    stored[0]
    os.utime(tmp_path / "a.nc", (1, 1))
    np.testing.assert_array_equal(np.asarray(stored), spectrograms())


@pytest.mark.skipif(os.name != "posix", reason="an open file cannot be deleted elsewhere")
def test_an_open_stored_array_can_be_read_after_its_file_was_deleted(
    tmp_path: Path, stored: StoredArray
):
    stored[0]
    (tmp_path / "a.nc").unlink()
    np.testing.assert_array_equal(np.asarray(stored), spectrograms())


@pytest.mark.skipif(os.name != "posix", reason="needs pipes")
def test_a_stored_array_does_not_wait_at_a_pipe_in_place_of_its_file(
    tmp_path: Path, stored: StoredArray
):
    (tmp_path / "a.nc").unlink()
    os.mkfifo(tmp_path / "a.nc")
    with pytest.raises(OSError, match=r"a\.nc', which is a named pipe"):
        stored[0]


FORKS = """
import os, sys, threading
import numpy as np
from skaudeep import load_netcdf

stored = load_netcdf(sys.argv[1], lazy=True).data
expected = np.asarray(stored)
reading = threading.Event()

def read():
    while True:
        assert (np.asarray(stored[[3, 1, 5]]) == expected[[3, 1, 5]]).all()
        reading.set()

threading.Thread(target=read, daemon=True).start()
reading.wait()
for _ in range(10):
    if not (child := os.fork()):
        right = (np.asarray(stored[1:4]) == expected[1:4]).all()
        os._exit(0 if right and stored._file._process == os.getpid() else 1)
    assert os.waitpid(child, 0)[1] == 0
    reading.clear()
    reading.wait()  # the parent reads on
print("right", flush=True)
os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
def test_a_process_that_forks_while_a_thread_reads_has_a_child_that_reads(
    tmp_path: Path, stored: StoredArray
):
    """The child would wait for a lock that a thread holds which it does not have."""
    run = [sys.executable, "-W", "ignore", "-c", FORKS, tmp_path / "a.nc"]
    done = subprocess.run(run, timeout=300, capture_output=True, text=True)
    assert done.stdout.strip() == "right", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are Unicode")
def test_paths_that_are_no_utf8_are_written_and_read(tmp_path: Path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f\xff"))
    folder.mkdir()
    path = folder / os.fsdecode(b"a\xfe\\.nc")
    save(path, spectrograms())
    assert os.listdir(folder) == [path.name]
    stored = load_netcdf(path, lazy=True).data
    np.testing.assert_array_equal(np.asarray(stored), spectrograms())
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(stored))), spectrograms())


def test_data_sets_of_one_file_that_the_garbage_collector_finds_late_crash_nothing(tmp_path):
    """HDF5 crashes where one of several handles of a file is closed before another is used."""
    save(tmp_path / "a.nc", spectrograms())
    code = (
        "import sys\nimport numpy as np\nimport skaudeep\n"
        "for _ in range(80):\n"
        "    bunch = skaudeep.load_netcdf(sys.argv[1], lazy=True)\n"
        "    np.asarray(bunch.data)\n"
        "    bunch.cycle = [bunch]\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.nc")], check=True)


def test_a_file_is_open_once_until_nobody_reads_it(tmp_path):
    save(tmp_path / "a.nc", spectrograms())
    one, other = (load_netcdf(tmp_path / "a.nc", lazy=True).data for _ in range(2))
    np.testing.assert_array_equal(one[:2], other[:2])
    dataset = one._file.dataset()
    assert other._file.dataset() is dataset
    del one
    assert dataset.isopen()
    with LIBRARY:
        del other
        assert dataset.isopen()  # the library may be in the middle of a call
    assert not dataset.isopen()
