"""Every form of X gives the same batches; what is neither number nor padding is refused."""

from __future__ import annotations

import pathlib
import threading

import dask.array
import netCDF4
import numpy as np
import pytest
import torch
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudeep import ReservoirFeatures, Seq2SeqAutoencoder
from skaudeep.training.batches import Sequences
from skaudeep.training.distributed import ProcessGroup

CPU = torch.device("cpu")


def padded(lengths=(5, 3, 1, 5), n_bands=2, seed=0):
    X = np.random.default_rng(seed).normal(size=(len(lengths), max(lengths), n_bands))
    for row, length in enumerate(lengths):
        X[row, length:] = np.nan
    return X.astype(np.float32)


def as_list(X):
    return [row[~np.isnan(row[:, 0])] for row in X]


def as_objects(X):
    rows = np.empty(len(X), dtype=object)
    rows[:] = as_list(X)
    return rows


def as_memmap(X, folder):
    path = folder / "x.npy"
    np.save(path, X)
    return np.load(path, mmap_mode="r")


def as_netcdf(X, folder):
    file = netCDF4.Dataset(folder / "x.nc", "w")
    for name, size in zip("ntf", X.shape, strict=True):
        file.createDimension(name, size)
    variable = file.createVariable("x", "f4", ("n", "t", "f"), fill_value=np.nan)
    variable[:] = X
    return variable


FORMS = {
    "float64": lambda X, folder: X.astype(np.float64),
    "Fortran order": lambda X, folder: np.asfortranarray(X),
    "list": lambda X, folder: as_list(X),
    "object array": lambda X, folder: as_objects(X),
    "memmap": as_memmap,
    "netCDF variable": as_netcdf,
    "xarray": lambda X, folder: xarray.DataArray(X, dims=("clip", "frame", "band")),
    "dask": lambda X, folder: dask.array.from_array(X, chunks=(3, 2, 2)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_x_gives_the_same_batches(form, tmp_path):
    X = padded()
    sequences = Sequences.read(FORMS[form](X, tmp_path))
    assert sequences.lengths.tolist() == [5, 3, 1, 5]
    for rows in ([2, 0, 1], [1], [3, 3, 0], [0, 1, 2, 3]):
        expected, expected_lengths = Sequences.read(X).batch(np.array(rows), CPU)
        x, lengths = sequences.batch(np.array(rows), CPU)
        assert torch.equal(x, expected)
        assert (lengths is None) == (expected_lengths is None)
        assert lengths is None or torch.equal(lengths, expected_lengths)


def test_a_batch_is_time_major_zero_at_padding_and_cut_to_its_longest_row():
    X = padded()
    x, lengths = Sequences.read(X).batch(np.array([2, 1]), CPU)
    assert x.shape == (3, 2, 2)
    assert lengths.tolist() == [1, 3]
    assert np.array_equal(x[:, 1], X[1, :3])
    assert np.array_equal(x[:1, 0], X[2, :1])
    assert not x[1:, 0].any()


def test_rows_of_equal_length_have_no_lengths():
    x, lengths = Sequences.read(padded()).batch(np.array([0, 3]), CPU)
    assert lengths is None
    assert x.shape == (5, 2, 2)


def test_a_plain_matrix_is_sequences_of_one_band():
    sequences = Sequences.read(np.arange(6.0).reshape(2, 3))
    assert (sequences.n_bands, sequences.n_frames, sequences.shape) == (1, 3, (2,))
    assert sequences.batch(np.array([1]), CPU)[0][:, 0, 0].tolist() == [3, 4, 5]


@pytest.mark.parametrize("lazy", [False, True])
def test_chunks_are_rows_of_their_clip(lazy, tmp_path):
    X = np.random.default_rng(0).normal(size=(3, 4, 5, 2)).astype(np.float32)
    X[1, 2:] = np.nan  # a clip with two chunks
    sequences = Sequences.read(as_memmap(X, tmp_path) if lazy else X)
    assert sequences.shape == (3, 4)
    assert sequences.lengths.tolist() == [5] * 6 + [0, 0] + [5] * 4
    x, _ = sequences.batch(np.array([9, 1, 5]), CPU)
    assert np.array_equal(x.transpose(0, 1), X[[2, 0, 1], [1, 1, 1]])


@given(lengths=st.lists(st.integers(0, 4), min_size=1, max_size=6), longest=st.integers(4, 5))
@settings(deadline=None, max_examples=30)
def test_lengths_are_found_whatever_the_padding(lengths, longest):
    X = np.zeros((len(lengths), longest, 2), dtype=np.float32)
    for row, length in enumerate(lengths):
        X[row, length:] = np.nan
    assert Sequences.read(X).lengths.tolist() == lengths


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((2, 1, 0), np.nan, "NaN in row 2, frame 1"),
        ((1, slice(0, 2)), np.nan, "NaN in row 1, frame 0"),
        ((3, 4, 1), np.nan, "NaN in row 3, frame 4"),  # one band of the last frame
        ((0, 2, 1), -np.inf, "infinity, first in row 0, frame 2"),
    ],
)
@pytest.mark.parametrize("form", ["float64", "memmap", "object array"])
def test_infinity_and_nan_before_the_end_of_a_row_are_refused(
    form, place, value, message, tmp_path
):
    X = np.zeros((4, 5, 2), dtype=np.float32)
    X[place] = value
    if form == "object array":
        rows = np.empty(4, dtype=object)
        rows[:] = list(X)
        X = rows
    else:
        X = FORMS[form](X, tmp_path)
    with pytest.raises(ValueError, match=message):
        Sequences.read(X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((0, 5, 2)), r"shape \(0, 5, 2\): at least one row"),
        (np.zeros((3, 0, 2)), "at least one row, one frame"),
        ([np.zeros((3, 2)), np.zeros((4, 5))], "Row 1 of X has 5 bands and row 0 has 2"),
        ([np.zeros((3, 2)), np.zeros((0, 2))], "Row 1 of X has shape .0, 2.: a clip without"),
        ([np.zeros((3, 2)), np.zeros(3)], "Row 1 of X has 1 axes"),
    ],
)
def test_shapes_that_hold_no_sequences_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        Sequences.read(X)


class Disk:
    """An array that notes who reads which rows, and breaks at one of them."""

    def __init__(self, X, broken=-1):
        self.X, self.shape, self.dtype = X, X.shape, X.dtype
        self.broken, self.reads = broken, []

    def __getitem__(self, rows):
        read = np.arange(len(self.X))[rows]
        if self.broken in read:
            raise OSError(f"row {self.broken} cannot be read")
        self.reads.append((read.tolist(), threading.current_thread()))
        return self.X[rows]


def test_batches_from_disk_are_read_one_ahead_by_a_thread_of_their_own():
    disk = Disk(padded((3,) * 10))
    sequences = Sequences.read(disk)
    disk.reads.clear()
    batches = sequences.batches(np.array([9, 0, 4, 1, 2, 3]), 2, CPU)
    np.testing.assert_array_equal(next(batches)[0].transpose(0, 1), disk.X[[9, 0]])
    batches.close()
    rows, threads = zip(*disk.reads, strict=True)
    assert rows == ([0, 9], [1, 4])  # in the order of the disk
    assert threads[0] is threads[1] is not threading.main_thread()
    assert not threads[0].is_alive()


def test_a_read_error_is_raised_where_the_batch_is_requested():
    disk = Disk(padded((3,) * 10))
    sequences = Sequences.read(disk)
    disk.reads.clear()
    disk.broken = 4
    batches = sequences.batches(np.arange(10), 2, CPU)
    assert next(batches)[0].shape == next(batches)[0].shape == (3, 2, 2)
    with pytest.raises(OSError, match="row 4 cannot be read"):
        next(batches)
    assert not any(thread.is_alive() for _, thread in disk.reads)


def test_processes_share_out_the_rows_of_each_batch():
    sequences = Sequences.read(padded((5, 3, 1, 5, 2, 4, 5)))
    rows = np.array([6, 1, 2, 5, 0, 3, 4])
    whole = [x for x, _ in sequences.batches(rows, 3, CPU)]
    parts = [list(sequences.batches(rows, 3, CPU, ProcessGroup(rank, 2))) for rank in range(2)]
    assert [len(part) for part in parts] == [3, 3]
    for together, (first, _), (second, _) in zip(whole, *parts, strict=True):
        np.testing.assert_array_equal(together[: len(first), ::2], first)
        np.testing.assert_array_equal(together[: len(second), 1::2], second)
    assert parts[1][2][0].shape == (0, 0, 2)  # seven rows: the last batch has one


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            [[1.0, 2, 3, 4], [1.0, 2, 3]],
            r"Row 1 of X is a series of 3 values and row 0 of 4.*\(-1, 1",
        ),
        ([np.ones(30), np.ones(30), np.ones(20)], "Row 2 of X is a series of 20 values"),
        (["a.wav", "b.wav"], r"X holds paths, 'a.wav' first.*Put a SpectrogramExtractor before"),
        ([pathlib.Path("a.wav")], "X holds paths"),
        ("a.wav", "X holds paths"),
        (np.array(["a.wav", "b.wav"]), "X holds paths"),
    ],
)
def test_what_is_no_batch_of_sequences_is_refused_with_the_line_that_mends_it(X, message):
    for estimator in (ReservoirFeatures(4), Seq2SeqAutoencoder(4, max_epochs=0)):
        with pytest.raises(ValueError, match=message):
            estimator.fit(X)


def test_one_spectrogram_in_place_of_a_batch_is_refused():
    """As a matrix it would be read as sequences of one band."""
    X = np.zeros((3, 5, 2), np.float32)
    for estimator in (ReservoirFeatures(4), Seq2SeqAutoencoder(4, max_epochs=0)):
        with pytest.raises(ValueError, match=r"X has shape \(5, 2\).*2 bands.*X\[None\]"):
            estimator.fit(X).transform(X[0])


def test_clips_of_other_numbers_of_chunks_may_be_a_list():
    chunks = np.random.default_rng(0).uniform(-1, 1, size=(3, 4, 5, 2)).astype(np.float32)
    chunks[1, 2:] = np.nan
    model = ReservoirFeatures(4, random_state=0).fit(chunks)
    as_list = [chunks[0], chunks[1, :2], chunks[2]]
    np.testing.assert_array_equal(model.transform(as_list), model.transform(chunks))
    with pytest.raises(ValueError, match="Row 1 of X has 1 bands and row 0 has 2"):
        model.transform([chunks[0], chunks[1, :2, :, :1]])
