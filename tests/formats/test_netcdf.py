"""NetCDF: auDeep's files come in, ours are like them, and nothing damaged passes for whole."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils import Bunch

from skaudeep.datasets import add_folds, drop_folds, make_bunch
from skaudeep.datasets.bunch import replace_keys
from skaudeep.formats.lazy import StoredArray
from skaudeep.formats.netcdf import load_netcdf, save_netcdf

KEYS = ["filenames", "target", "target_names", "folds", "partition", "groups", "DESCR", "errors"]
REFERENCES = {  # file: shape of the data, folds, clips in train, devel and test
    "mel128-clip60-center5s.nc": ((50, 124, 128), 5, (0, 0, 0)),
    "mel40-clip45-start3s.nc": ((50, 74, 40), 5, (0, 0, 0)),
    "chunks-mel40-2x1s.nc": ((50, 2, 25, 40), 5, (0, 0, 0)),
    "chunks-features-8.nc": ((50, 2, 8), 5, (0, 0, 0)),
    "chunks-features-8-fused.nc": ((50, 16), 5, (0, 0, 0)),
    "features-8.nc": ((50, 8), 5, (0, 0, 0)),
    "features-8-fused.nc": ((50, 16), 5, (0, 0, 0)),
    "features-8-partitioned.nc": ((50, 8), 0, (20, 20, 10)),
}


def spectrograms(n_clips: int = 6, n_frames: int = 9, n_bands: int = 4) -> np.ndarray:
    values = np.random.default_rng(0).uniform(-1, 1, (n_clips, n_frames, n_bands))
    return values.astype(np.float32)


def small_set(data: object = None) -> Bunch:
    return make_bunch(
        spectrograms() if data is None else data,
        [f"{name}.wav" for name in "abcdef"],
        target=[0, 1, 0, 1, -1, 0],
        target_names=["dog", "cat"],
        folds=[[1, 0], [1, 1], [0, 1], [0, 0], [0, 0], [1, 0]],
        partition=["train", "train", "devel", "test", "", "train"],
        groups=["x", "x", "y", "", "z", "z"],
        descr="six clips",
    )


def assert_same(one: Bunch, other: Bunch) -> None:
    np.testing.assert_array_equal(np.asarray(one.data), np.asarray(other.data))
    for key in KEYS:
        if key in one and key in other:
            np.testing.assert_array_equal(one[key], other[key], err_msg=key)
            assert np.asarray(one[key]).dtype.kind == np.asarray(other[key]).dtype.kind, key
    for (train, test), (other_train, other_test) in zip(one.cv, other.cv, strict=True):
        np.testing.assert_array_equal(train, other_train)
        np.testing.assert_array_equal(test, other_test)


# --- auDeep's files ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REFERENCES)
def test_load_netcdf_reads_files_of_audeep(shared: Path, name: str):
    shape, n_folds, partitions = REFERENCES[name]
    bunch = load_netcdf(shared / "audeep-reference" / name)
    assert bunch.data.shape == shape
    assert bunch.data.dtype == np.float32
    assert np.isfinite(bunch.data).all()
    assert bunch.folds.shape == (50, n_folds)
    assert (bunch.folds.sum(axis=0) == 10).all()
    assert (
        tuple((bunch.partition == part).sum() for part in ("train", "devel", "test")) == partitions
    )
    assert len(set(bunch.filenames)) == 50
    # The first digit of a name in ESC-10 is the fold that tests it.
    for filename, folds in zip(bunch.filenames, bunch.folds, strict=True):
        assert n_folds == 0 or folds[int(filename[0]) - 1] == 1
    assert bunch.target_names[0] == "Dog bark"
    assert bunch.target[bunch.filenames.tolist().index("1-100032-A.ogg")] == 0


@pytest.mark.parametrize("name", REFERENCES)
def test_save_netcdf_writes_the_layout_of_audeep(shared: Path, tmp_path: Path, name: str):
    bunch = load_netcdf(shared / "audeep-reference" / name)
    save_netcdf(bunch, tmp_path / name, chunked=name.startswith("chunks") and "fused" not in name)
    with (
        netCDF4.Dataset(shared / "audeep-reference" / name) as theirs,
        netCDF4.Dataset(tmp_path / name) as ours,
    ):
        assert ours.data_model == theirs.data_model
        assert {n: (len(d), d.isunlimited()) for n, d in ours.dimensions.items()} == {
            n: (len(d), d.isunlimited()) for n, d in theirs.dimensions.items()
        }
        assert set(ours.variables) == set(theirs.variables)
        assert set(ours.ncattrs()) == {*theirs.ncattrs(), "skaudeep"}
        for attribute in theirs.ncattrs():
            assert ours.getncattr(attribute) == theirs.getncattr(attribute)
        for variable in theirs.variables:
            one, other = ours[variable], theirs[variable]
            assert (one.dtype, one.dimensions) == (other.dtype, other.dimensions)
            assert one.ncattrs() == other.ncattrs()
        ours.set_auto_mask(False)
        theirs.set_auto_mask(False)
        for variable in theirs.variables:
            np.testing.assert_array_equal(ours[variable][...], theirs[variable][...])


def test_save_netcdf_writes_files_that_xarray_reads(tmp_path: Path):
    save_netcdf(small_set(), tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc") as dataset:
        np.testing.assert_array_equal(dataset["features"], spectrograms())
        np.testing.assert_array_equal(dataset["label_nominal"][:3], ["dog", "cat", "dog"])
        assert np.isnan(dataset["label_numeric"][4])
        np.testing.assert_array_equal(dataset["partition"], [0, 0, 1, 2, np.nan, 0])
        assert dataset.attrs["label_map"] == '[["cat", 1], ["dog", 0]]'


# --- round trips ---------------------------------------------------------------------------------

texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8
)


@st.composite
def bunches(draw: st.DrawFn) -> Bunch:
    n_clips = draw(st.integers(2, 5))
    names = draw(st.lists(texts, min_size=n_clips, max_size=n_clips, unique=True))
    classes = draw(st.lists(texts, max_size=3, unique=True))
    regression = draw(st.booleans()) and not classes
    values = (
        st.floats(-1e3, 1e3) | st.just(np.nan) if regression else st.integers(-1, len(classes) - 1)
    )
    tested = draw(st.lists(st.integers(1, 2**n_clips - 2), max_size=3))
    parts = st.sampled_from(["train", "devel", "test", ""])
    shape = draw(st.sampled_from([(3,), (2, 3), (2, 3, 2)]))
    data = np.random.default_rng(0).normal(size=(n_clips, *shape)).astype(np.float32)
    return make_bunch(
        data,
        names,
        target=draw(st.lists(values, min_size=n_clips, max_size=n_clips))
        if regression or classes
        else None,
        target_names=classes,
        folds=[[fold >> clip & 1 for fold in tested] for clip in range(n_clips)]
        if tested
        else None,
        partition=draw(st.lists(parts, min_size=n_clips, max_size=n_clips)),
        groups=draw(st.lists(texts | st.just(""), min_size=n_clips, max_size=n_clips)),
        descr=draw(texts | st.just("")),
    )


@settings(deadline=None, max_examples=60)
@given(bunches())
def test_load_netcdf_restores_every_key_that_save_netcdf_wrote(
    tmp_path_factory: pytest.TempPathFactory, bunch: Bunch
):
    path = tmp_path_factory.getbasetemp() / "round.nc"
    save_netcdf(bunch, path)
    assert_same(load_netcdf(path), bunch)
    lazy = load_netcdf(path, lazy=True)
    assert_same(lazy, bunch)
    assert lazy.data.shape == bunch.data.shape


def test_save_netcdf_pads_unequal_lengths_and_stores_them(tmp_path: Path):
    rows = [spectrograms()[i, :length] for i, length in enumerate([9, 3, 9, 1, 5, 2])]
    save_netcdf(small_set(rows), tmp_path / "a.nc")
    loaded = load_netcdf(tmp_path / "a.nc").data
    for row, padded in zip(rows, loaded, strict=True):
        np.testing.assert_array_equal(padded[: len(row)], row)
        assert np.isnan(padded[len(row) :]).all()
    with netCDF4.Dataset(tmp_path / "a.nc") as dataset:
        assert dataset["lengths"][:].tolist() == [9, 3, 9, 1, 5, 2]


def test_save_netcdf_writes_one_instance_per_chunk_and_omits_missing_ones(tmp_path: Path):
    data = np.stack([spectrograms(), spectrograms()[::-1], spectrograms()], axis=1)
    data[1, 2] = data[2, 1:] = data[:, 2, 7:] = data[4] = np.nan
    save_netcdf(small_set(data), tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "a.nc") as dataset:
        chunks = list(zip(dataset["filename"][:], dataset["chunk_nr"][:].tolist(), strict=True))
        assert not np.isnan(dataset["features"][:8].filled(np.nan)[:, :7]).any()
    assert [nr for name, nr in chunks if name == "b.wav"] == [0, 1]
    assert [nr for name, nr in chunks if name == "c.wav"] == [0]
    assert [nr for name, nr in chunks if name == "e.wav"] == [0]  # nothing but NaN
    assert_same(load_netcdf(tmp_path / "a.nc"), small_set(data))
    lazy = load_netcdf(tmp_path / "a.nc", lazy=True).data
    np.testing.assert_array_equal(lazy[1:5], data[1:5])
    np.testing.assert_array_equal(lazy[[4, 0]], data[[4, 0]])


@pytest.mark.parametrize("n_chunks", [1, 2])
def test_save_netcdf_takes_the_second_axis_for_chunks_if_chunked_is_true(
    tmp_path: Path, n_chunks: int
):
    features = spectrograms()[:, :n_chunks]
    save_netcdf(small_set(features), tmp_path / "a.nc", chunked=True)
    assert load_netcdf(tmp_path / "a.nc").data.shape == (6, n_chunks, 4)
    with netCDF4.Dataset(tmp_path / "a.nc") as dataset:
        assert dataset.feature_dims == '["generated"]'
        assert len(dataset.dimensions["instance"]) == 6 * n_chunks


def test_save_netcdf_stores_long_texts_and_many_classes(tmp_path: Path):
    names = [f"class number {number} " + "x" * 100 for number in range(2000)]
    bunch = make_bunch(np.zeros((1, 2), np.float32), ["a"], target=[7], target_names=names)
    bunch.DESCR = "ü" * 100_000
    save_netcdf(bunch, tmp_path / "a.nc")
    assert_same(load_netcdf(tmp_path / "a.nc"), bunch)


def test_load_netcdf_never_tests_stored_copies(tmp_path: Path):
    few = small_set()
    more = replace_keys(few, copy_of=np.array(["", "", "", "", "", "a.wav"]))
    save_netcdf(more, tmp_path / "a.nc")
    for lazy in (False, True):
        loaded = load_netcdf(tmp_path / "a.nc", lazy=lazy)
        assert loaded.copy_of.tolist() == more.copy_of.tolist()
        for fold, same in zip(loaded.cv, more.cv, strict=True):
            np.testing.assert_equal(fold, same)
        with pytest.raises(ValueError, match="copies"):
            add_folds(drop_folds(loaded), 2)
    save_netcdf(few, tmp_path / "b.nc")
    assert "copy_of" not in load_netcdf(tmp_path / "b.nc")


def test_save_netcdf_stores_extraction_errors(tmp_path: Path):
    bunch = small_set() | {"errors": ["", "b.wav: is empty", "", "", "", ""]}
    save_netcdf(Bunch(**bunch), tmp_path / "a.nc")
    assert load_netcdf(tmp_path / "a.nc").errors.tolist() == bunch["errors"]
    assert load_netcdf(tmp_path / "a.nc").errors.dtype.kind == "U"


# --- damage --------------------------------------------------------------------------------------


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    save_netcdf(small_set(), tmp_path / "whole.nc")
    return (tmp_path / "whole.nc").read_bytes()


@pytest.mark.parametrize("lazy", [False, True])
def test_load_netcdf_detects_every_truncation(tmp_path: Path, whole: bytes, lazy: bool):
    rng = np.random.default_rng(0)
    lengths = {0, 1, 7, 8, len(whole) - 1, len(whole) - 40, *rng.integers(0, len(whole), 200)}
    for length in sorted(lengths):
        (tmp_path / "cut.nc").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut\.nc: (is|has lost|does not)"):
            load_netcdf(tmp_path / "cut.nc", lazy=lazy)


@pytest.mark.parametrize("lazy", [False, True])
def test_load_netcdf_detects_every_flipped_bit(tmp_path: Path, whole: bytes, lazy: bool):
    rng = np.random.default_rng(1)
    bits = {*rng.integers(0, 8 * len(whole), 200), *range(8 * (len(whole) - 40), 8 * len(whole))}
    for bit in sorted(bits):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        (tmp_path / "flip.nc").write_bytes(flipped)
        with pytest.raises(ValueError, match=r"flip\.nc: (is|has lost|does not)"):
            load_netcdf(tmp_path / "flip.nc", lazy=lazy)


def test_load_netcdf_detects_damaged_data_without_verification(tmp_path: Path):
    save_netcdf(small_set(), tmp_path / "a.nc", compression=0)
    content = bytearray((tmp_path / "a.nc").read_bytes())
    content[content.find(spectrograms()[3].tobytes()) + 5] ^= 1
    (tmp_path / "a.nc").write_bytes(content)
    stored = load_netcdf(tmp_path / "a.nc", lazy=True, verify=False)
    with pytest.raises(ValueError, match=r"a\.nc: is damaged or cut short \(.*HDF error"):
        np.asarray(stored.data)


def test_load_netcdf_without_verification_accepts_an_edited_file(tmp_path: Path):
    save_netcdf(small_set(), tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "a.nc", "a") as dataset:
        dataset["groups"][0] = "someone else"
    with pytest.raises(ValueError, match="verify=False"):
        load_netcdf(tmp_path / "a.nc")
    assert load_netcdf(tmp_path / "a.nc", verify=False).groups[0] == "someone else"


def rewritten(path: Path, **changes: object) -> Path:
    """Copy auDeep's kind of file, without a digest, after some changes of its variables."""
    with netCDF4.Dataset(path, "a") as dataset:
        for name, value in changes.items():
            if name in dataset.variables:
                dataset[name][:] = value
            else:
                dataset.setncattr(name, value)
        if "skaudeep" not in changes:
            dataset.delncattr("skaudeep")
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"skaudeep": '{"format": 2, "version": "9.1"}'}, r"format 2, written by skaudeep 9\.1"),
        ({"filename": np.array(list("aabcde"), object)}, "chunk 0 of 'a' twice"),
        ({"chunk_nr": np.array([0, 0, 0, 0, 0, -1])}, "chunk numbers from -1 to 0"),
        ({"chunk_nr": np.array([0, 0, 0, 0, 0, 10**9])}, "chunk numbers from 0 to 1000000000"),
        ({"label_nominal": np.array(["cow"] * 6, object)}, "'a.wav' is labelled 'cow' and 0"),
        ({"label_numeric": np.array([0, 1, 0, 2, np.nan, 0])}, "'d.wav' is labelled 'cat' and 2"),
        ({"partition": np.array([0, 1, 2, 3, 0, 0])}, "partition 3"),
        ({"cv_folds": np.full((6, 2), 7)}, r"a\.nc: Got folds"),
        ({"label_map": "[[["}, "is damaged"),
        (
            {
                "filename": np.array(list("aabcde"), object),
                "chunk_nr": np.array([0, 1, 0, 0, 0, 0]),
                "label_nominal": np.array(["dog", "cat", "dog", "cat", "", "dog"], object),
            },
            "chunks of 'a' differ in (label_nominal|label_numeric|cv_folds)",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_load_netcdf_refuses_contradictory_files(
    tmp_path: Path, changes: dict[str, object], message: str
):
    save_netcdf(small_set(), tmp_path / "a.nc")
    path = rewritten(tmp_path / "a.nc", **changes)
    with pytest.raises(ValueError, match=message):
        load_netcdf(path, verify=False)


def test_load_netcdf_refuses_foreign_files_with_a_reason(tmp_path: Path):
    (tmp_path / "text.nc").write_text("filename,feature_0\n")
    with pytest.raises(ValueError, match=r"text\.nc: is no NetCDF file"):
        load_netcdf(tmp_path / "text.nc")
    (tmp_path / "empty.nc").touch()
    with pytest.raises(ValueError, match=r"empty\.nc: is empty"):
        load_netcdf(tmp_path / "empty.nc")
    xr.Dataset({"temperature": ("time", [1.0])}).to_netcdf(
        tmp_path / "weather.nc", engine="netcdf4"
    )
    with pytest.raises(ValueError, match="no variable 'features', but 'temperature'"):
        load_netcdf(tmp_path / "weather.nc")
    names = ["features", "filename", "chunk_nr", "cv_folds", "partition", "label_nominal"]
    columns = dict.fromkeys([*names, "label_numeric"], ("station", [1.0]))
    xr.Dataset(columns).to_netcdf(tmp_path / "other.nc", engine="netcdf4")
    with pytest.raises(ValueError, match=r"'features' has dimensions \('station',\)"):
        load_netcdf(tmp_path / "other.nc")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_netcdf(tmp_path / "nothing.nc")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        load_netcdf(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"skaudeep": "[]"},
        {"skaudeep": "5"},
        {"skaudeep": "null"},
        {"skaudeep": np.int64(5)},
        {"skaudeep": '{"format": "x"}'},
        {"skaudeep": '{"format": null}'},
        {"skaudeep": '{"n_chunks": 1.5}'},
        {"skaudeep": '{"n_chunks": "2"}'},
        {"skaudeep": '{"n_chunks": 0}'},
        {"skaudeep": '{"n_chunks": 100000000}'},
        {"skaudeep": "[" * 100_000},
        {"label_map": "5"},
        {"label_map": '{"dog": 0}'},
        {"label_map": '[["dog", 0, 1]]'},
        {"label_map": '[["dog", "0"]]'},
        {"label_map": np.array([1, 2])},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_load_netcdf_names_the_file_whose_attributes_are_wrong(
    tmp_path: Path, changes: dict[str, object]
):
    save_netcdf(small_set(), tmp_path / "a.nc")
    path = rewritten(tmp_path / "a.nc", **changes)
    with pytest.raises(ValueError, match=r"^/.*a\.nc: "):
        load_netcdf(path, verify=False, lazy=True)


def hand_made(path: Path, n: int, *, item: tuple[int, ...] = (1,), kinds: dict | None = None):
    """Make a file in auDeep's layout whose variables were declared and never written."""
    kinds = kinds or {}
    with netCDF4.Dataset(path, "w") as dataset:
        dataset.createDimension("instance", n)
        dataset.createDimension("fold", 1)
        for axis, length in enumerate(item):
            dataset.createDimension(f"axis_{axis}", length)
        axes = tuple(f"axis_{axis}" for axis in range(len(item)))
        for name, kind, others in [
            ("features", "f4", axes),
            ("filename", str, ()),
            ("chunk_nr", "i8", ()),
            ("cv_folds", "i8", ("fold",)),
            ("partition", "f8", ()),
            ("label_nominal", str, ()),
            ("label_numeric", "f8", ()),
        ]:
            dataset.createVariable(name, kinds.get(name, kind), ("instance", *others))
    return path


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize(("n", "item"), [(10**8, (1,)), (3, (10**6, 10**6)), (3, (1, 10**9))])
def test_load_netcdf_refuses_sizes_that_the_file_does_not_hold(
    tmp_path: Path, n: int, item: tuple[int, ...], lazy: bool, monkeypatch: pytest.MonkeyPatch
):
    """Declared and never written, values cost a file nothing, but its reader memory."""
    monkeypatch.setattr("skaudeep.formats.netcdf.read_column", None)  # nothing is read before
    hand_made(tmp_path / "a.nc", n, item=item)
    with pytest.raises(ValueError, match=r"a\.nc: states \d+ bytes of 'features' by its"):
        load_netcdf(tmp_path / "a.nc", lazy=lazy)


def test_load_netcdf_refuses_names_that_were_never_written(tmp_path: Path):
    hand_made(tmp_path / "a.nc", 10**6)
    with pytest.raises(ValueError, match=r"a\.nc: states 16000000 bytes of 'filename'"):
        load_netcdf(tmp_path / "a.nc", lazy=True)


@pytest.mark.parametrize(
    ("name", "kind"), [("filename", "f8"), ("chunk_nr", str), ("label_numeric", "S1")]
)
def test_load_netcdf_refuses_variables_of_other_types(tmp_path: Path, name: str, kind: object):
    hand_made(tmp_path / "a.nc", 3, kinds={name: kind})
    with pytest.raises(ValueError, match=rf"a\.nc: variable '{name}' has dimensions .* and type"):
        load_netcdf(tmp_path / "a.nc")


@pytest.mark.parametrize("name", ["filename", "label_nominal", "groups"])
def test_load_netcdf_refuses_a_text_that_would_widen_all_others(tmp_path: Path, name: str):
    n = 10_000
    bunch = make_bunch(np.zeros((n, 1)), [str(i) for i in range(n)], groups=["g"] * n)
    save_netcdf(bunch, tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "a.nc", "a") as dataset:
        if name == "label_nominal":
            dataset.renameVariable("label_nominal", "other")
            dataset.createVariable("label_nominal", str, ("instance",))
        dataset[name][5] = "x" * 100_000
    with pytest.raises(ValueError, match=rf"of 100000 characters in '{name}' of '.*a\.nc', 'xxx"):
        load_netcdf(tmp_path / "a.nc", verify=False, lazy=True)


def test_one_long_class_name_costs_no_room_in_each_row_of_a_file(tmp_path: Path):
    n = 3000
    names = ["short", "x" * 50_000]
    bunch = make_bunch(
        np.zeros((n, 1)),
        [str(i) for i in range(n)],
        target=np.zeros(n, int),
        target_names=names,
    )
    tracemalloc.start()
    save_netcdf(bunch, tmp_path / "a.nc")
    loaded = load_netcdf(tmp_path / "a.nc")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert loaded.target_names == names
    assert peak < 20e6  # 600 MB as an array of str


@pytest.mark.skipif(os.name != "posix", reason="needs pipes")
def test_load_netcdf_refuses_a_pipe(tmp_path: Path):
    os.mkfifo(tmp_path / "a.nc")
    with pytest.raises(OSError, match=r"a\.nc', which is a named pipe, expected a NetCDF file"):
        load_netcdf(tmp_path / "a.nc")


def test_load_netcdf_names_the_file_that_does_not_fit_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 4.0 TiB")

    save_netcdf(small_set(), tmp_path / "a.nc")
    monkeypatch.setattr(StoredArray, "_take", full)
    with pytest.raises(MemoryError, match=r"a\.nc: its data of shape \(6, 9, 4\).*lazy=True"):
        load_netcdf(tmp_path / "a.nc")
    monkeypatch.setattr("skaudeep.formats.netcdf.make_bunch", full)
    with pytest.raises(MemoryError, match=r"a\.nc: does not fit into memory"):
        load_netcdf(tmp_path / "a.nc", lazy=True)


def test_save_netcdf_refuses_chunks_that_load_netcdf_would_refuse(tmp_path: Path):
    data = np.full((1100, 1100, 1), np.nan, np.float32)
    data[:, 0] = 0
    bunch = make_bunch(data, [str(i) for i in range(1100)])
    with pytest.raises(ValueError, match="has 1100 chunks of 1100 clips, but states 1100"):
        save_netcdf(bunch, tmp_path / "a.nc", chunked=True)
    assert list(tmp_path.iterdir()) == []


# --- writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (list("abcdef"), "Clips are extracted first"),
        (np.zeros(6), "at least two axes"),
        (np.zeros((6, 0, 4)), "no axis of length 0"),
        (np.full((6, 2), "a"), "expected numbers"),
        ([np.zeros((2, 3))] * 5 + [np.zeros((2, 4))], "rows of 3 and of 4 bands"),
    ],
    ids=["paths", "1-D", "empty", "text", "bands"],
)
def test_save_netcdf_refuses_data_that_cannot_be_stored(tmp_path: Path, data: object, message: str):
    with pytest.raises(ValueError, match=message):
        save_netcdf(small_set(data), tmp_path / "a.nc")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"filenames": ["a\0b", *"bcdef"]}, {}, "zero character"),
        ({"groups": ["\udc80", *"bcdef"]}, {}, "not valid Unicode"),
        ({"target": np.full(6, 5)}, {}, "target 5 for clip 'a.wav'"),
        ({}, {"compression": 10}, "compression=10"),
        ({"data": np.zeros((6, 4))}, {"chunked": True}, "expected a third axis"),
    ],
    ids=["zero", "surrogate", "target", "compression", "chunked"],
)
def test_save_netcdf_refuses_texts_and_parameters_that_cannot_be_stored(
    tmp_path: Path, changes: dict[str, object], options: dict[str, object], message: str
):
    bunch = Bunch(**small_set() | changes)
    with pytest.raises(ValueError, match=message):
        save_netcdf(bunch, tmp_path / "a.nc", **options)
    assert list(tmp_path.iterdir()) == []


def test_save_netcdf_refuses_a_bunch_without_a_required_key(tmp_path: Path):
    bunch = small_set()
    del bunch["folds"]
    with pytest.raises(ValueError, match="Got a Bunch without folds, expected"):
        save_netcdf(bunch, tmp_path / "a.nc")


def test_save_netcdf_needs_an_existing_folder(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="Create the folder first"):
        save_netcdf(small_set(), tmp_path / "b" / "a.nc")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        save_netcdf(small_set(), tmp_path)


def test_save_netcdf_is_deterministic(tmp_path: Path):
    save_netcdf(small_set(), tmp_path / "a.nc")
    save_netcdf(small_set(), tmp_path / "b.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


def test_compression_makes_files_smaller_and_changes_no_value(tmp_path: Path):
    bunch = make_bunch(np.zeros((50, 100, 40)), [f"{i}" for i in range(50)])
    save_netcdf(bunch, tmp_path / "a.nc", compression=0)
    save_netcdf(bunch, tmp_path / "b.nc", compression=9)
    assert (tmp_path / "b.nc").stat().st_size < (tmp_path / "a.nc").stat().st_size / 10
    assert_same(load_netcdf(tmp_path / "a.nc"), load_netcdf(tmp_path / "b.nc"))


def test_save_netcdf_copies_stored_data_one_block_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    save_netcdf(small_set(), tmp_path / "a.nc")
    monkeypatch.setattr("skaudeep.formats.netcdf.BLOCK_BYTES", 2 * 9 * 4 * 4)  # two clips
    taken = []
    take = StoredArray._take
    monkeypatch.setattr(
        StoredArray, "_take", lambda self, rows: taken.append(rows) or take(self, rows)
    )
    save_netcdf(load_netcdf(tmp_path / "a.nc", lazy=True), tmp_path / "b.nc")
    assert [rows.tolist() for rows in taken] == [[0, 1], [2, 3], [4, 5]] * 2
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


FULL_DISK = """
import resource, sys
import numpy as np
from skaudeep.datasets import add_folds, drop_folds, make_bunch
from skaudeep.datasets.bunch import replace_keys
from skaudeep.formats.netcdf import save_netcdf
large = make_bunch(np.random.default_rng(0).normal(size=(2, 300, 300)), ["a", "b"])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    save_netcdf(large, sys.argv[1])
except OSError as error:
    print(error)
"""


def test_save_netcdf_keeps_the_old_file_when_the_disk_is_full(tmp_path: Path):
    save_netcdf(small_set(), tmp_path / "a.nc")
    before = (tmp_path / "a.nc").read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path / "a.nc"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "a.nc: could not be written" in done.stdout
    assert [file.name for file in tmp_path.iterdir()] == ["a.nc"]
    assert (tmp_path / "a.nc").read_bytes() == before


def test_concurrent_save_netcdf_keeps_the_last_file_and_readers_see_complete_ones(tmp_path: Path):
    path = tmp_path / "a.nc"
    save_netcdf(small_set(np.zeros((6, 40, 40))), path)
    writers = [
        threading.Thread(
            target=lambda value: [
                save_netcdf(small_set(np.full((6, 40, 40), value)), path) for _ in range(5)
            ],
            args=(value,),
        )
        for value in (1, 2, 3)
    ]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        values = np.unique(load_netcdf(path).data)
        assert len(values) == 1
        seen |= set(values.tolist())
    for writer in writers:
        writer.join()
    assert seen <= {0, 1, 2, 3}
    assert np.unique(load_netcdf(path).data) in (1, 2, 3)
    assert [file.name for file in tmp_path.iterdir()] == ["a.nc"]
