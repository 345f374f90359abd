"""Tables of other programs are read by the names of their columns; ours keep names and groups."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
from scipy.io.arff import loadarff
from sklearn.utils import Bunch

from skaudeep.datasets import concatenate, make_bunch, select
from skaudeep.formats import (
    fuse,
    load_arff,
    load_csv,
    load_netcdf,
    save_arff,
    save_csv,
    save_netcdf,
)

OPENSMILE = """name;frameTime;speaker;set;emotion;loudness;pitch
a.wav;0.0;ann;train;joy;0.5;440
b.wav;0.0;bob;devel;fear;0.25;220
c.wav;0.0;ann;train;?;1e-3;NA
"""
WEKA = """@relation speech
@attribute name string
@attribute frameTime numeric
@attribute 'F0 mean' numeric
@attribute class {joy, fear, anger}
@data
'a b.wav',0.0,440,fear
'c.wav',0.0,?,?
"""


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_load_csv_reads_a_table_of_opensmile_by_the_names_of_its_columns(tmp_path: Path):
    bunch = load_csv(
        written(tmp_path, "smile.csv", OPENSMILE),
        filename="name",
        target="emotion",
        groups="speaker",
        partition="set",
        ignore=["frameTime"],
    )
    assert bunch.filenames.tolist() == ["a.wav", "b.wav", "c.wav"]
    assert bunch.feature_names == ["loudness", "pitch"]
    np.testing.assert_array_equal(
        bunch.data, np.array([[0.5, 440], [0.25, 220], [1e-3, np.nan]], np.float32)
    )
    assert (bunch.target.tolist(), bunch.target_names) == ([1, 0, -1], ["fear", "joy"])
    assert bunch.groups.tolist() == ["ann", "bob", "ann"]
    assert bunch.partition.tolist() == ["train", "devel", "train"]


@pytest.mark.parametrize("form", ["csv", "arff"])
def test_a_group_is_missing_where_a_label_is(tmp_path: Path, form: str):
    if form == "csv":
        text = "filename;groups;loudness\na;ann;1\nb;?;2\nc;NA;3\nd;;4\n"
    else:
        text = "@relation r\n@attribute filename string\n@attribute groups string\n"
        text += "@attribute loudness real\n@data\na,ann,1\nb,?,2\nc,NA,3\nd,'',4\n"
    file, load = written(tmp_path, f"t.{form}", text), load_csv if form == "csv" else load_arff
    for groups in (None, "groups"):
        assert load(file, groups=groups).groups.tolist() == ["ann", "", "", ""]
    assert load(file, missing=["ann", "?"]).groups.tolist() == ["", "", "NA", ""]


@pytest.mark.parametrize("form", ["csv", "arff"])
def test_a_group_of_our_own_table_keeps_any_name(tmp_path: Path, form: str):
    bunch = made(groups=["NA", "?"])
    (file,) = (save_csv if form == "csv" else save_arff)(bunch, tmp_path)
    assert (load_csv if form == "csv" else load_arff)(file).groups.tolist() == ["NA", "?"]


def test_load_arff_takes_the_classes_that_the_attribute_lists(tmp_path: Path):
    bunch = load_arff(
        written(tmp_path, "weka.arff", WEKA), filename="name", target="class", ignore=["frameTime"]
    )
    assert bunch.filenames.tolist() == ["a b.wav", "c.wav"]
    assert (bunch.target.tolist(), bunch.target_names) == ([1, -1], ["joy", "fear", "anger"])
    assert bunch.feature_names == ["F0 mean"]
    np.testing.assert_array_equal(bunch.data, [[440], [np.nan]])


@pytest.mark.parametrize("kind", ["REAL", "NUMERIC"])
def test_a_real_attribute_is_to_regress_on_and_an_integer_one_a_class(tmp_path: Path, kind: str):
    text = f"@relation x\n@attribute f real\n@attribute age {kind}\n@data\n1,30\n2,4\n3,?\n"
    bunch = load_arff(written(tmp_path, "x.arff", text), filename=None, target="age")
    np.testing.assert_array_equal(bunch.target, [30.0, 4.0, np.nan])
    file = written(tmp_path, "y.arff", text.replace(kind, "INTEGER"))
    bunch = load_arff(file, filename=None, target="age")
    assert (bunch.target.tolist(), bunch.target_names) == ([1, 0, -1], ["4", "30"])
    values = load_arff(file, filename=None, target="age", task="regression")
    np.testing.assert_array_equal(values.target, [30.0, 4.0, np.nan])


def test_rows_of_a_table_without_names_are_called_after_the_file(tmp_path: Path):
    iris = written(tmp_path, "iris.csv", "length,width,species\n5.1,3.5,setosa\n7,3.2,other\n")
    bunch = load_csv(iris, filename=None, target="species")
    assert bunch.filenames.tolist() == ["iris.csv#0", "iris.csv#1"]
    assert bunch.target_names == ["other", "setosa"]
    X, y = load_csv(iris, filename=None, target="species", return_X_y=True)
    np.testing.assert_array_equal(X, bunch.data)
    assert y.tolist() == [1, 0]


def test_folds_come_from_one_column_of_names_or_from_a_column_for_each(tmp_path: Path):
    text = "name,part,f1,f2,loudness\na,1,1,0,0.5\nb,2,1,1,0.5\nc,2,0,1,0.5\n"
    file = written(tmp_path, "x.csv", text)
    one = load_csv(file, filename="name", fold="part", ignore=["f1", "f2"])
    assert one.folds.tolist() == [[1, 0], [0, 1], [0, 1]]
    several = load_csv(file, filename="name", fold=["f1", "f2"], ignore=["part"])
    assert several.folds.tolist() == [[1, 0], [1, 1], [0, 1]]
    assert several.feature_names == ["loudness"]


def test_rows_of_one_clip_are_chunks_where_a_column_numbers_them(tmp_path: Path):
    text = "clip,part,class,x\na,0,cat,1\na,1,cat,2\nb,0,dog,3\n"
    bunch = load_csv(
        written(tmp_path, "x.csv", text), filename="clip", chunk_nr="part", target="class"
    )
    assert bunch.dims == ("clip", "chunk", "feature")
    np.testing.assert_array_equal(bunch.data, [[[1], [2]], [[3], [np.nan]]])
    assert bunch.target.tolist() == [0, 1]
    torn = written(tmp_path, "y.csv", text.replace("1,cat", "1,dog"))
    with pytest.raises(ValueError, match=r"the chunks of 'a' differ in target"):
        load_csv(torn, filename="clip", chunk_nr="part", target="class")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filename": "file"}, r"no column 'file', but 'name', .* or filename=None"),
        ({"filename": "name", "target": "emotio"}, r"has no column 'emotio', but 'name'"),
        ({"filename": "name", "ignore": ["time"]}, r"has no column 'time'"),
        ({"filename": "name", "ignore": "frameTime"}, r"expected a list: \['frameTime'\]"),
        ({"filename": "name"}, r"column 'speaker' is not numeric .*by filename=, target=, groups="),
        ({"filename": "name", "target": "emotion", "delimiter": ";;"}, "expected one character"),
    ],
)
def test_what_columns_are_missing_or_not_named_is_said(tmp_path: Path, options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        load_csv(written(tmp_path, "smile.csv", OPENSMILE), **options)


def test_folders_and_a_column_must_not_both_tell_the_folds(tmp_path: Path):
    save_csv(made(folds=[[1, 0], [0, 1]]), tmp_path)
    with pytest.raises(ValueError, match=r"Got fold='mean' for .* whose folders tell the fold"):
        load_csv(tmp_path, fold="mean")


def test_a_first_line_of_excel_states_the_delimiter(tmp_path: Path):
    file = written(tmp_path, "x.csv", "sep=|\nfilename|a,b\nx.wav|1\n")
    assert load_csv(file).feature_names == ["a,b"]


# --- names and groups in our own files -----------------------------------------------------------


def made(**changes: object) -> Bunch:
    parts: dict[str, object] = {
        "data": np.array([[1.0, 2.0], [3.0, 4.0]]),
        "filenames": ["a.wav", "b.wav"],
        "target": [1, 0],
        "target_names": ["dog", "cat"],
        "groups": ["ann, the first", ""],
        "feature_names": ["mean", "F0 (Hz), max"],
    }
    return make_bunch(**parts | changes)


SAVED = {
    "csv": (lambda bunch, folder: save_csv(bunch, folder), load_csv),
    "formulas": (
        lambda bunch, folder: save_csv(bunch, folder, escape_formulas=True),
        lambda folder: load_csv(folder, escape_formulas=True),
    ),
    "arff": (lambda bunch, folder: save_arff(bunch, folder), load_arff),
    "netcdf": (
        lambda bunch, folder: save_netcdf(bunch, folder / "x.nc"),
        lambda folder: load_netcdf(folder / "x.nc"),
    ),
}


@pytest.mark.parametrize("form", SAVED)
def test_every_format_keeps_feature_names_and_groups(tmp_path: Path, form: str):
    save, load = SAVED[form]
    names = ["mean", "F0 (Hz), max"] if form == "arff" else ["=mean", 'F0 "max", Hz']
    bunch = made(feature_names=names, groups=["=ann", ""])
    save(bunch, tmp_path)
    loaded = load(tmp_path)
    assert loaded.feature_names == names
    assert loaded.groups.tolist() == ["=ann", ""]
    np.testing.assert_array_equal(loaded.data, bunch.data)
    assert [loaded.target_names[label] for label in loaded.target] == ["cat", "dog"]


@pytest.mark.parametrize("form", SAVED)
def test_every_format_keeps_feature_names_of_chunks(tmp_path: Path, form: str):
    save, load = SAVED[form]
    data = np.arange(8.0).reshape(2, 2, 2)
    bunch = made(data=data, dims=("clip", "chunk", "feature"))
    save(bunch, tmp_path)
    loaded = load(tmp_path)
    assert loaded.feature_names == bunch.feature_names
    assert loaded.groups.tolist() == bunch.groups.tolist()
    np.testing.assert_array_equal(loaded.data, data)


@pytest.mark.parametrize("form", SAVED)
def test_features_without_names_are_counted_and_have_none_afterwards(tmp_path: Path, form: str):
    save, load = SAVED[form]
    save(made(feature_names=None), tmp_path)
    assert "feature_names" not in load(tmp_path)


def test_groups_are_left_out_on_request_as_audeep_knows_none(tmp_path: Path):
    (csv,) = save_csv(made(), tmp_path, groups=False)
    assert "groups" not in csv.read_text().splitlines()[0]
    (relation,) = save_arff(made(), tmp_path, groups=False)
    assert "groups" not in relation.read_text()


def test_names_of_a_data_frame_are_kept(tmp_path: Path):
    frame = pd.DataFrame({"loudness": [1.0, 2.0], "pitch": [3.0, 4.0]})
    save_csv(made(data=frame, feature_names=None), tmp_path)
    assert load_csv(tmp_path).feature_names == ["loudness", "pitch"]


@pytest.mark.parametrize("save", [save_csv, save_arff])
@pytest.mark.parametrize("name", ["filename", "groups", ""])
def test_a_feature_that_is_called_as_another_column_is_refused(tmp_path: Path, save, name: str):
    with pytest.raises(ValueError, match=f"Got '{name}' in feature_names, which in a table"):
        save(made(feature_names=["mean", name]), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["it's", 'a"b', "a\\b", "a\nb"])
def test_arff_refuses_names_that_readers_would_not_give_back(tmp_path: Path, name: str):
    with pytest.raises(ValueError, match=r"in feature_names, which ARFF cannot hold"):
        save_arff(made(feature_names=["mean", name]), tmp_path)


def test_fuse_joins_names_and_numbers_sets_that_share_some():
    one, other = made(), made(feature_names=["mean", "max"])
    assert fuse([one, made(feature_names=["x", "y"])]).feature_names == [
        *one.feature_names,
        *["x", "y"],
    ]
    assert fuse([one, other]).feature_names[2:] == ["1__mean", "1__max"]
    assert "feature_names" not in fuse([one, made(feature_names=None)])


def test_a_file_whose_names_are_not_beside_its_features_is_refused(tmp_path: Path):
    save_netcdf(made(feature_names=None), tmp_path / "x.nc")
    with netCDF4.Dataset(tmp_path / "x.nc", "a") as dataset:
        names = dataset.createVariable("feature_names", str, ("instance",))
        names[:] = np.array(["mean", "max"], dtype=object)
    with pytest.raises(
        ValueError, match=r"'feature_names' has dimensions .*, expected 'generated'"
    ):
        load_netcdf(tmp_path / "x.nc", verify=False)


def test_names_follow_their_features_and_go_with_them():
    bunch = made()
    assert select(bunch, [1]).feature_names == bunch.feature_names
    both = concatenate([bunch, made(filenames=["c", "d"])])
    assert both.feature_names == bunch.feature_names
    replaced = Bunch(**bunch | {"data": np.zeros((2, 5))})
    assert "feature_names" not in select(replaced, [0, 1])


def test_names_that_are_not_one_for_each_feature_are_refused():
    with pytest.raises(ValueError, match="Got 3 feature_names for data of 2 features"):
        made(feature_names=["a", "b", "c"])
    with pytest.raises(ValueError, match="Got feature 'a' twice in feature_names"):
        made(feature_names=["a", "a"])


# --- values to regress on ------------------------------------------------------------------------

VALUES = np.array([[0.1, 1 / 3], [np.nan, np.nan], [1e-300, -2.0]])


def rated(**changes: object) -> Bunch:
    parts = {"target": VALUES, "target_names": ["arousal", "valence, mean"]}
    return make_bunch(np.eye(3, dtype=np.float32), ["a", "b", "c"], **parts | changes)


@pytest.mark.parametrize("form", SAVED)
def test_every_format_keeps_one_value_of_each_clip_to_the_bit(tmp_path: Path, form: str):
    save, load = SAVED[form]
    save(rated(target=VALUES[:, 1], target_names=()), tmp_path)
    np.testing.assert_array_equal(load(tmp_path).target, VALUES[:, 1])


@pytest.mark.parametrize("form", SAVED)
@pytest.mark.parametrize("chunked", [False, True])
def test_every_format_keeps_several_values_of_each_clip(tmp_path: Path, form: str, chunked: bool):
    save, load = SAVED[form]
    bunch = rated()
    if chunked:
        data = np.arange(6.0).reshape(3, 2, 1)
        bunch = Bunch(**bunch | {"data": data, "dims": ("clip", "chunk", "feature")})
    save(bunch, tmp_path)
    if form == "netcdf":
        loaded = load(tmp_path)
    elif form == "arff":
        loaded = load_arff(tmp_path, target=bunch.target_names)
    else:
        loaded = load_csv(tmp_path, target=bunch.target_names)
    np.testing.assert_array_equal(loaded.target, VALUES)
    assert loaded.target_names == ["arousal", "valence, mean"]
    np.testing.assert_array_equal(loaded.data, bunch.data)


def test_values_without_names_are_counted(tmp_path: Path):
    save_csv(rated(target_names=()), tmp_path)
    loaded = load_csv(tmp_path, target=["target_0", "target_1"])
    np.testing.assert_array_equal(loaded.target, VALUES)
    save_netcdf(rated(target_names=()), tmp_path / "x.nc")
    assert load_netcdf(tmp_path / "x.nc").target_names == []


def test_weka_gets_several_values_as_the_last_attributes(tmp_path: Path):
    (file,) = save_arff(rated(), tmp_path, class_last=True, filenames=False)
    _, relation = loadarff(file)
    assert relation.names() == ["feature_0", "feature_1", "feature_2", *rated().target_names]


def test_several_columns_are_no_classes(tmp_path: Path):
    save_csv(rated(), tmp_path)
    with pytest.raises(ValueError, match=r"with classes, expected values to regress on"):
        load_csv(tmp_path, target=["arousal", "valence, mean"], task="classification")
    with pytest.raises(ValueError, match=r"Got target=\[\], expected at least one column"):
        load_csv(tmp_path, target=[])
    with pytest.raises(ValueError, match="Got 'arousal' in feature_names, which in a table is"):
        save_csv(rated(feature_names=["x", "y", "arousal"]), tmp_path)


# --- for Weka ------------------------------------------------------------------------------------


def test_the_class_is_the_last_attribute_and_nothing_else_tells_it(tmp_path: Path):
    (file,) = save_arff(made(), tmp_path, class_last=True, filenames=False)
    rows, relation = loadarff(file)
    assert relation.names() == ["mean", "F0 (Hz), max", "label_nominal"]
    assert rows["label_nominal"].tolist() == [b"cat", b"dog"]
    loaded = load_arff(tmp_path, filename=None)
    assert (loaded.target.tolist(), loaded.target_names) == ([1, 0], ["dog", "cat"])


def test_the_value_to_regress_on_is_the_last_attribute(tmp_path: Path):
    values = made(target=[0.1, np.nan], target_names=[])
    (file,) = save_arff(values, tmp_path, class_last=True)
    attributes = [line for line in file.read_text().splitlines() if line.startswith("@ATT")]
    assert attributes[-1] == "@ATTRIBUTE label_numeric REAL"
    assert "label_nominal" not in file.read_text()
    np.testing.assert_array_equal(load_arff(tmp_path).target, [0.1, np.nan])


def test_rows_of_chunks_keep_their_numbers_before_the_class(tmp_path: Path):
    chunks = made(data=np.arange(8.0).reshape(2, 2, 2), dims=("clip", "chunk", "feature"))
    (file,) = save_arff(chunks, tmp_path, class_last=True)
    assert "@ATTRIBUTE chunk_nr INTEGER" in file.read_text()
    np.testing.assert_array_equal(load_arff(tmp_path).data, chunks.data)


def test_weka_reads_files_of_partitions_with_the_same_attributes(tmp_path: Path):
    """One clip of two chunks is for training, one of a single chunk for the test."""
    data = np.arange(8.0).reshape(2, 2, 2)
    data[1, 1] = np.nan
    chunks = made(data=data, dims=("clip", "chunk", "feature"), partition=["train", "test"])
    attributes = [
        [line for line in file.read_text().splitlines() if line.startswith("@ATTRIBUTE")]
        for file in save_arff(chunks, tmp_path, class_last=True)
    ]
    assert attributes[0] == attributes[1]
    assert "@ATTRIBUTE chunk_nr INTEGER" in attributes[0]
