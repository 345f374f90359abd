"""The axes of data have names, which every operation and every format keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils import Bunch

from skaudeep import SpectrogramExtractor, extract_to_netcdf
from skaudeep.datasets import (
    add_folds,
    add_partitions,
    concatenate,
    describe,
    drop_folds,
    drop_partitions,
    make_bunch,
    make_sounds,
    select,
    upsample,
    validate,
)
from skaudeep.datasets.bunch import check_bunch
from skaudeep.formats import fuse, load_arff, load_csv, load_netcdf, save_arff, save_csv
from skaudeep.formats.netcdf import save_netcdf

CHUNKS = ("clip", "chunk", "feature")


def features(dims: tuple[str, ...] | None = CHUNKS, n_clips: int = 6, shape=(2, 3)) -> Bunch:
    data = np.arange(n_clips * np.prod(shape), dtype=np.float32).reshape(n_clips, *shape)
    return make_bunch(
        data,
        [f"{number}.wav" for number in range(n_clips)],
        target=np.arange(n_clips) % 2,
        target_names=["cat", "dog"],
        dims=dims,
    )


@pytest.mark.parametrize(
    ("data", "dims"),
    [
        (["a.wav", "b.wav"], ("clip",)),
        ([Path("a.wav"), Path("b.wav")], ("clip",)),
        (pd.Series(["a.wav", "b.wav"]), ("clip",)),
        (
            pd.MultiIndex.from_tuples([("a", 0, 1), ("a", 1, 2)], names=["file", "start", "end"]),
            ("clip",),
        ),
        (np.zeros((2, 3)), ("clip", "feature")),
        (pd.DataFrame(np.zeros((2, 3))), ("clip", "feature")),
        (np.zeros((2, 5, 3)), ("clip", "frame", "band")),
        ([np.zeros((5, 3)), np.zeros((4, 3))], ("clip", "frame", "band")),
        (np.array([np.zeros((5, 3)), np.zeros((4, 3))], dtype=object), ("clip", "frame", "band")),
        (np.zeros((2, 4, 5, 3)), ("clip", "chunk", "frame", "band")),
        (np.zeros((2, 1, 4, 5, 3)), ("clip", "axis_1", "axis_2", "axis_3", "axis_4")),
        ([np.zeros(4), np.zeros((2, 4))], ("clip",)),
    ],
)
def test_the_number_of_axes_says_what_they_are_where_nobody_does(data: object, dims: tuple):
    bunch = make_bunch(data, ["a.wav", "b.wav"])
    assert bunch.dims == dims
    assert validate(bunch).dims == dims
    del bunch["dims"]
    assert check_bunch(bunch).dims == dims


@pytest.mark.parametrize(
    "dims",
    ["clip", ("clip", "clip", "feature"), ("chunk", "clip", "feature"), ("clip", 1, "feature"), 7]
    + [("clip", "frame", "chunk"), ("clip", "feature"), ("clip", "chunk", "frame", "band"), ()],
)
def test_names_that_are_not_those_of_the_axes_are_refused(dims: object):
    with pytest.raises(ValueError, match=r"Got dims .* expected .*'clip'"):
        features(dims)  # type: ignore[arg-type]


def test_replaced_data_have_the_axes_that_their_number_says():
    for data in (np.zeros((6, 4)), np.zeros((6, 4, 5)), np.zeros((6, 2, 4, 5))):
        clips = make_bunch(list("abcdef"), list("abcdef"))
        assert check_bunch(clips | {"data": data}).dims == make_bunch(data, list("abcdef")).dims
    assert check_bunch(features() | {"data": np.zeros((6, 4))}).dims == ("clip", "feature")


def test_replaced_data_whose_axes_are_unclear_are_refused():
    spectrograms = features(None, shape=(2, 4, 3))
    with pytest.raises(ValueError, match=r"data with 3 axes.*'chunk', 'feature'"):
        check_bunch(spectrograms | {"data": np.zeros((6, 2, 8))})
    changed = spectrograms | {"data": np.zeros((6, 2, 8)), "dims": CHUNKS}
    assert check_bunch(changed).dims == CHUNKS
    with pytest.raises(ValueError, match="data with 2 axes"):
        check_bunch(features(("clip", "day", "feature")) | {"data": np.zeros((6, 8))})


def test_operations_keep_the_names_also_with_as_many_clips_as_axes():
    for n_clips in (4, 6):
        bunch = features(n_clips=n_clips)
        one = select(bunch, [0, 1, 2])  # as many as dims
        results = [one, select(bunch, classes=["dog"]), drop_folds(bunch), drop_partitions(bunch)]
        results += [
            add_folds(bunch, 2, groups=None),
            add_partitions(bunch, train=0.5, devel=0, test=0.5),
            upsample(one),
        ]
        results += [concatenate([one, one], prefixes=["a/", "b/"]), fuse([bunch, bunch])]
        results += [validate(bunch)]
        assert {result.dims for result in results} == {CHUNKS}
        assert all(len(result.target) == len(result.data) for result in results)
    describe(features())


def test_sets_whose_axes_mean_different_things_are_not_joined():
    spectrograms = features(("clip", "frame", "band"))
    with pytest.raises(ValueError, match="dims"):
        concatenate([features(), spectrograms], prefixes=["a/", "b/"])
    with pytest.raises(ValueError, match=r"Got dims .*'chunk'.* in set 0 and .*'frame'"):
        fuse([features(), spectrograms])
    assert fuse([spectrograms, features(("clip", "frame", "feature"))]).data.shape == (6, 2, 6)


# --- files ---------------------------------------------------------------------------------------

names = st.sampled_from(["frame", "band", "feature", "channel", "day"])


@given(
    dims=st.lists(names, min_size=1, max_size=3, unique=True),
    chunked=st.booleans(),
    n_clips=st.integers(1, 5),
    length=st.integers(1, 3),
)
@settings(max_examples=40, deadline=None)
def test_netcdf_keeps_shape_and_names_however_often_it_is_written(
    tmp_path_factory: pytest.TempPathFactory,
    dims: list[str],
    chunked: bool,
    n_clips: int,
    length: int,
):
    whole = ("clip", *(["chunk"] if chunked else []), *dims)
    shape = tuple(range(length, length + len(whole) - 1))
    bunch = make_bunch(np.ones((n_clips, *shape)), list("abcde")[:n_clips], dims=whole)
    path = tmp_path_factory.mktemp("files") / "a.nc"
    for _ in range(2):
        save_netcdf(bunch, path)
        bunch = load_netcdf(path)
        assert (bunch.dims, bunch.data.shape) == (whole, (n_clips, *shape))
    assert load_netcdf(path, lazy=True).dims == whole


@pytest.mark.parametrize("name", ["chunks-features-8.nc", "chunks-mel40-2x1s.nc", "features-8.nc"])
def test_an_instance_is_a_row_again_in_audeeps_files(shared: Path, tmp_path: Path, name: str):
    import netCDF4

    save_netcdf(load_netcdf(shared / "audeep-reference" / name), tmp_path / name)
    with (
        netCDF4.Dataset(shared / "audeep-reference" / name) as theirs,
        netCDF4.Dataset(tmp_path / name) as ours,
    ):
        assert ours["features"].shape == theirs["features"].shape
        assert ours.feature_dims == theirs.feature_dims
        np.testing.assert_array_equal(ours["chunk_nr"][:], theirs["chunk_nr"][:])


@pytest.mark.parametrize(("save", "load"), [(save_csv, load_csv), (save_arff, load_arff)])
def test_text_files_have_a_row_per_chunk(tmp_path: Path, save, load):
    (file,) = save(features(), tmp_path)
    loaded = load(file)
    assert loaded.dims == CHUNKS
    np.testing.assert_array_equal(loaded.data, features().data)
    (file,) = save(features(("clip", "frame", "band")), tmp_path / "spectrograms")
    assert load(file).dims == ("clip", "feature")


def test_the_caller_overrules_the_names(tmp_path: Path):
    save_netcdf(features(None), tmp_path / "a.nc", chunked=True)
    assert load_netcdf(tmp_path / "a.nc").dims == CHUNKS
    save_netcdf(features(), tmp_path / "b.nc", chunked=False)
    assert load_netcdf(tmp_path / "b.nc").dims == CHUNKS


def test_files_without_names_keep_their_reading(tmp_path: Path):
    import json

    import netCDF4

    for bunch, dims in ((features(None), ("clip", "frame", "band")), (features(), CHUNKS)):
        save_netcdf(bunch, tmp_path / "a.nc")
        with netCDF4.Dataset(tmp_path / "a.nc", "a") as file:
            meta = json.loads(file.skaudeep)
            del meta["dims"]
            file.skaudeep = json.dumps(meta)
        loaded = load_netcdf(tmp_path / "a.nc", verify=False)
        assert (loaded.dims, loaded.data.shape) == (dims, (6, 2, 3))


@pytest.mark.parametrize("dims", ['["clip"]', '"clip"', "7", '["clip", 1, 2]'])
def test_wrong_names_in_a_file_are_an_error_with_its_path(tmp_path: Path, dims: str):
    import netCDF4

    save_netcdf(features(None), tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "a.nc", "a") as file:
        file.skaudeep = file.skaudeep.replace('["clip", "frame", "band"]', dims)
    with pytest.raises(ValueError, match=r"a\.nc: Got dims"):
        load_netcdf(tmp_path / "a.nc", verify=False)


def test_extracted_spectrograms_have_their_own_names(tmp_path: Path):
    sounds = make_sounds(8, n_classes=2, n_sessions=2, duration=0.5, random_state=0)
    assert sounds.dims == ("clip", "sample")
    extractor = SpectrogramExtractor(n_mels=20, sampling_rate=16000)
    stored = extract_to_netcdf(sounds, extractor, tmp_path / "a.nc")
    assert stored.dims == ("clip", "frame", "band")
    extractor.set_params(chunk_duration=0.25)
    stored = extract_to_netcdf(sounds, extractor, tmp_path / "b.nc")
    assert stored.dims == ("clip", "chunk", "frame", "band")
    assert stored.data.shape[1] == 2
