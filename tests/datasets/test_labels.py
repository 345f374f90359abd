"""What names of folders and cells of tables mean, and that nothing is left out without a word."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils import Bunch

from skaudeep.audio.formats import AUDIO_SUFFIXES, SNDFILE_SUFFIXES
from skaudeep.datasets import (
    load_dataset,
    load_folder,
    load_index,
    load_table,
    load_urbansound8k,
)
from skaudeep.datasets.vocabulary import MISSING, translate_partitions

NAMES = {
    "train": ["train", "training"],
    "devel": ["devel", "dev", "development", "val", "valid", "validation"],
    "test": ["test", "testing", "eval", "evaluation"],
}
cases = st.sampled_from([str, str.upper, str.title])


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def labels(bunch: Bunch) -> list[str | None]:
    return [bunch.target_names[label] if label >= 0 else None for label in bunch.target]


# --- partitions ----------------------------------------------------------------------------------


@given(names=st.tuples(*map(st.sampled_from, NAMES.values())), case=cases, data=st.data())
@settings(max_examples=60, deadline=None)
def test_folders_called_like_partitions_are_partitions(
    tmp_path_factory: pytest.TempPathFactory, names: tuple[str, ...], case, data
):
    root = tmp_path_factory.mktemp("corpus")
    used = data.draw(st.lists(st.sampled_from([0, 1, 2]), min_size=2, unique=True))
    expected = {case(names[which]): list(NAMES)[which] for which in used}
    for layout in ("{part}/cat/{n}.wav", "cat/{part}/{n}.wav"):
        folder = root / layout[1:4]
        for n, part in enumerate(expected):
            touch(folder, layout.format(part=part, n=n))
            touch(folder, layout.format(part=part, n=n).replace("cat", "dog"))
        bunch = load_folder(folder)
        assert bunch.target_names == ["cat", "dog"]
        for name, partition in zip(bunch.filenames, bunch.partition, strict=True):
            assert {expected.get(part, partition) for part in name.split("/")} == {partition}
    flat = touch(root / "flat", *(f"{part}/1.wav" for part in expected))
    bunch = load_folder(flat)
    assert not bunch.target_names
    assert sorted(bunch.partition) == sorted(expected.values())


@pytest.mark.parametrize("name", ["eval", "Evaluation", "EVALUATE"])
def test_an_evaluation_set_beside_a_test_set_is_for_development(name: str):
    assert translate_partitions(["train", name]) == {"train": "train", name: "test"}
    assert translate_partitions(["dev", name])[name] == "test"
    assert translate_partitions([name, "Testing"]) == {name: "devel", "Testing": "test"}


def test_partitions_beside_other_folders_are_refused_unless_a_layout_is_named(tmp_path: Path):
    touch(tmp_path, "train/a.wav", "valid/b.wav", "noise/c.wav")
    with pytest.raises(ValueError, match=r"'train', 'valid' in .* partitions, beside 'noise'"):
        load_folder(tmp_path)
    assert load_folder(tmp_path, layout="classes").target_names == ["noise", "train", "valid"]
    (tmp_path / "valid/b.wav").rename(tmp_path / "noise/b.wav")
    assert load_folder(tmp_path).target_names == ["noise", "train"]  # a vehicle
    touch(tmp_path, "test/c.wav")
    (tmp_path / "train/a.wav").unlink()
    with pytest.warns(UserWarning, match="'test' .* read as classes, not as partitions"):
        assert load_folder(tmp_path).target_names == ["noise", "test"]


@pytest.mark.parametrize("names", [("train_data", "test_data"), ("train-clean-100", "Dev-clean")])
def test_folders_called_almost_like_partitions_are_told(tmp_path: Path, names: tuple[str, str]):
    touch(tmp_path, *(f"{name}/{n}.wav" for n, name in enumerate(names)))
    with pytest.warns(UserWarning, match=f"{names[0]}.* read as classes, not as partitions"):
        assert load_folder(tmp_path).target_names == sorted(names)


def test_tables_know_the_same_partitions(tmp_path: Path):
    rows = ["TRAIN", "Valid", "testing", "NA", ""]
    table = "".join(f"{n}.wav,{part}\n" for n, part in enumerate(rows))
    touch(tmp_path, *(f"{n}.wav" for n in range(5)))
    (tmp_path / "t.csv").write_text(f"file,part\n{table}")
    bunch = load_table(tmp_path / "t.csv", path="file", partition="part")
    assert bunch.partition.tolist() == ["train", "devel", "test", "", ""]


# --- classes by folder ---------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_the_class_is_the_first_folder_also_of_clips_in_sub_folders(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
):
    n_classes = data.draw(st.integers(3, 8))
    deep = data.draw(st.sets(st.integers(0, n_classes - 1), max_size=(n_classes - 1) // 2))
    root = tmp_path_factory.mktemp("corpus")
    for number in range(n_classes):
        below = data.draw(st.sampled_from(["x/", "x/y/"])) if number in deep else ""
        touch(root, f"class {number}/{below}a.wav")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bunch = load_folder(root)
    assert labels(bunch) == [f"class {number}" for number in range(n_classes)]
    assert len(caught) == bool(deep)
    if deep:
        message = str(caught[0].message)
        assert f"{len(deep)} of {n_classes} clips" in message
        assert f"of {len(deep)} of the {n_classes} class folders" in message
        assert 'layout="files"' in message
        assert caught[0].filename == __file__
    assert labels(load_folder(root, layout="classes")) == labels(bunch)


def test_clips_beside_class_folders_are_unlabelled_and_said_to_be(tmp_path: Path):
    touch(tmp_path, "cat/a.wav", "dog/b.wav", "c.wav")
    with pytest.warns(UserWarning, match=r"1 of 3 clips .*'c\.wav', lie in no class folder"):
        assert labels(load_folder(tmp_path)) == [None, "cat", "dog"]


def test_clips_deep_in_folds_and_partitions_have_the_class_of_the_upper_folder(tmp_path: Path):
    for top in (("fold_1", "fold_2"), ("train", "test")):
        root = touch(tmp_path / top[0], f"{top[0]}/cat/deep/a.wav", f"{top[1]}/dog/b.wav")
        with pytest.warns(UserWarning, match="1 of 2 clips .* here 'cat'"):
            assert sorted(filter(None, labels(load_folder(root)))) == ["cat", "dog"]


def test_one_folder_too_high_is_told(tmp_path: Path):
    tmp_path = tmp_path / "download"
    touch(tmp_path, "Birds/owl/a.wav", "Birds/crow/b.wav")
    with pytest.warns(UserWarning, match="All lie in 'Birds', which fits <class>/<clip>"):
        assert load_folder(tmp_path).target_names == []
    with pytest.warns(UserWarning, match=f"All lie in '{tmp_path.name}/Birds', which fits"):
        load_folder(tmp_path.parent)
    with pytest.raises(ValueError, match=rf"holds some: '{tmp_path.name}/Birds' \(classes\)"):
        load_dataset(tmp_path.parent)
    with pytest.raises(ValueError, match=r"holds some: 'Birds' \(classes\)"):
        load_dataset(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_folder(tmp_path, layout="files").target_names == []


def test_folds_without_labels_point_at_the_table_that_has_them(tmp_path: Path):
    touch(tmp_path, "fold1/a.wav", "fold2/b.wav", "labels.csv")
    with pytest.warns(UserWarning, match=r"unlabelled.*For the file 'labels\.csv' in it see"):
        assert len(load_dataset(tmp_path).cv) == 2


@pytest.mark.parametrize("layout", ["metadata/{0} audio/{1}", "{0} {1}"])
def test_urbansound8k_is_read_as_its_authors_and_as_kaggle_lay_it_out(tmp_path: Path, layout: str):
    table, folder = layout.format("UrbanSound8K.csv", "").split(" ")
    touch(tmp_path, table, f"{folder}fold1/7061-6-0-0.wav", f"{folder}fold2/9031-3-1-0.wav")
    touch(tmp_path, f"{folder}fold2/extra.wav")
    (tmp_path / table).write_text(
        "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
        "7061-6-0-0.wav,7061,0,2,1,1,6,gun_shot\n9031-3-1-0.wav,9031,0,1,1,2,3,dog_bark\n"
    )
    for load in (load_urbansound8k, load_dataset):
        with pytest.warns(UserWarning, match=r"1 audio files .*extra\.wav', are not listed"):
            bunch = load(tmp_path)
        assert labels(bunch) == ["gun_shot", "dog_bark"]
        assert bunch.groups.tolist() == ["7061", "9031"]
        assert all(Path(path).is_file() for path in bunch.data)


# --- recordings that are not read ----------------------------------------------------------------


def test_recordings_of_other_formats_are_counted_and_empty_classes_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("skaudeep.datasets.files.find_spec", lambda name: None)
    touch(tmp_path, "owl/1.m4a", "owl/2.M4A", "crow/1.wav", "crow/2.webm", "wren/1.sph")
    touch(tmp_path, "wren/2.wave", "wren/3.mp4", "wren/notes.txt", "wren/.hidden.m4a")
    for load in (load_folder, load_dataset):
        with pytest.warns(UserWarning, match="Left out") as caught:
            bunch = load(tmp_path)
        assert labels(bunch) == ["crow", "wren", "wren"]
        assert len(caught) == 1
        message = str(caught[0].message)
        assert "Left out 4 of 7 recordings" in message
        assert "1 folder(s): 'owl'" in message
        assert "2 of .m4a, 1 of .webm, 1 of .mp4" in message
        assert 'pip install "skaudeep[ffmpeg]"' in message
        assert "to WAV or FLAC" in message
    for name in ("crow/1.wav", "wren/1.sph", "wren/2.wave"):
        (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=r"no audio file .*Not read: 2 of \.m4a"):
        load_folder(tmp_path)


def test_the_extra_makes_them_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("skaudeep.datasets.files.find_spec", lambda name: object())
    touch(tmp_path, *(f"owl/x{suffix}" for suffix in AUDIO_SUFFIXES), "crow/1.wav")
    assert len(load_folder(tmp_path).filenames) == len(AUDIO_SUFFIXES) + 1


def test_every_suffix_of_libsndfile_is_read(tmp_path: Path):
    touch(tmp_path, *(f"owl/x{suffix.upper()}" for suffix in SNDFILE_SUFFIXES))
    touch(tmp_path, "crow/1.wav")
    assert len(load_folder(tmp_path).filenames) == len(SNDFILE_SUFFIXES) + 1
    for name, kind in (("a.sph", "NIST"), ("a.wave", "WAV"), ("a.bwf", "WAV")):
        soundfile.write(tmp_path / name, np.zeros(8), 8000, format=kind, subtype="PCM_16")
        assert soundfile.info(tmp_path / name).frames == 8


# --- cells that mean nothing ---------------------------------------------------------------------


def table_of(folder: Path, cells: list[str], column: str = "label") -> Path:
    touch(folder, *(f"{n}.wav" for n in range(len(cells))))
    rows = "".join(f"{n}.wav,{cell}\n" for n, cell in enumerate(cells))
    (folder / "t.csv").write_text(f"file,{column}\n{rows}", encoding="utf-8")
    return folder / "t.csv"


@given(st.lists(st.sampled_from([*MISSING, "owl", "crow", "none", "Na"]), min_size=2, max_size=6))
@settings(max_examples=80, deadline=None)
def test_missing_cells_mean_the_same_by_path_and_in_a_data_frame(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str]
):
    table = table_of(tmp_path_factory.mktemp("table"), ["owl", *cells])
    for column in ("target", "groups"):
        read = {"path": "file", column: "label"}
        if column == "groups":
            read["task"] = "unlabelled"
        by_path = load_table(table, **read)
        by_frame = load_table(pd.read_csv(table), root=table.parent, **read)
        raw = pd.read_csv(table, keep_default_na=False)
        by_text = load_table(raw, root=table.parent, **read)
        for other in (by_frame, by_text):
            assert by_path.target_names == other.target_names
            np.testing.assert_array_equal(by_path.target, other.target)
            np.testing.assert_array_equal(by_path.groups, other.groups)
        known = [cell if cell not in MISSING else None for cell in ["owl", *cells]]
        if column == "target":
            assert labels(by_path) == known
        else:
            assert by_path.groups.tolist() == [cell or "" for cell in known]


def test_a_class_that_is_called_so_can_be_kept(tmp_path: Path):
    table = table_of(tmp_path, ["None", "owl", "", "?"])
    read = {"path": "file", "target": "label"}
    assert labels(load_table(table, **read)) == [None, "owl", None, None]
    kept = ["None", "owl", None, None]
    assert labels(load_table(table, **read, missing=("", "?"))) == kept
    assert labels(load_table(table, **read, target_names=["owl", "None"])) == kept
    frame = pd.read_csv(table, keep_default_na=False)
    assert labels(load_table(frame, **read, root=tmp_path, missing=["?"])) == kept
    index = pd.DataFrame(
        {"label": ["None", "owl"]}, index=pd.Index(["0.wav", "1.wav"], name="file")
    )
    assert labels(load_index(index, target="label", root=tmp_path, missing=[])) == kept[:2]
    with pytest.raises(ValueError, match="missing='NA', expected a list"):
        load_table(table, **read, missing="NA")


def test_numbers_may_be_missing_by_the_same_words(tmp_path: Path):
    table = table_of(tmp_path, ["1.5", "NA", "nan", "", "-2"])
    for task in (None, "regression"):
        target = load_table(table, path="file", target="label", task=task).target
        np.testing.assert_array_equal(target, [1.5, np.nan, np.nan, np.nan, -2])


def test_a_forgotten_label_column_is_named(tmp_path: Path):
    path = table_of(tmp_path, ["owl", "crow"])
    frame = pd.read_csv(path)
    for table, root in ((path, None), (frame, tmp_path)):
        with pytest.warns(UserWarning, match=r"No clip is labelled.*unused column\(s\) 'label'"):
            load_table(table, path="file", root=root)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            load_table(table, path="file", root=root, task="unlabelled")
            load_table(table, path="file", root=root, groups="label")
            load_index(frame[["file"]].set_index("file"), root=tmp_path)
        with pytest.raises(ValueError, match="target='label' and task='unlabelled'"):
            load_table(table, path="file", root=root, task="unlabelled", target="label")
    for table in (path, frame.set_index("file")):
        with pytest.warns(UserWarning, match=r"unused column\(s\) 'label'") as caught:
            load_index(table, root=tmp_path)
        assert caught[0].filename == __file__


@pytest.mark.parametrize("task", [None, "regression"])
def test_a_label_column_without_labels_is_told(tmp_path: Path, task: str | None):
    (tmp_path / "t.csv").write_text("file,label,species\na.wav,NA,owl\nb.wav,,crow\n")
    touch(tmp_path, "a.wav", "b.wav")
    with pytest.warns(UserWarning, match=r"all 2 cells of column 'label' .*there: 'species'"):
        load_table(tmp_path / "t.csv", path="file", target="label", task=task)


# --- files that are not quite CSV ----------------------------------------------------------------


@given(
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
    delimiter=st.sampled_from(",;\t|"),
    stated=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n"]),
    label=st.sampled_from(["owl", "Waldkäuzchen", "a,b;c"]),
)
@settings(max_examples=60, deadline=None)
def test_tables_of_spreadsheets_are_read(
    tmp_path_factory: pytest.TempPathFactory,
    encoding: str,
    delimiter: str,
    stated: bool,
    newline: str,
    label: str,
):
    folder = touch(tmp_path_factory.mktemp("table"), "a.wav", "b.wav")
    lines = [("file", "label", "n"), ("a.wav", f'"{label}"', "1"), ("b.wav", "crow", "2")]
    text = [f"sep={delimiter}"] * stated + [delimiter.join(line) for line in lines]
    (folder / "t.csv").write_bytes(newline.join([*text, ""]).encode(encoding))
    bunch = load_table(folder / "t.csv", path="file", target="label")
    assert labels(bunch) == [label, "crow"]
    touch(folder, "c.wav")
    (folder / "t.csv").write_bytes(newline.join([*text, "c.wav"]).encode(encoding))
    with pytest.raises(ValueError, match=f"1 cells in line {len(text) + 1} "):
        load_table(folder / "t.csv", path="file", target="label")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00", "a workbook or a zip archive.*read_excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old Excel"),
        (b"\x1f\x8b\x08\x00", "compressed"),
        (b"PAR1\x15\x00", "Parquet.*read_parquet"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"\x89HDF\r\n", "NetCDF or HDF5.*load_netcdf"),
        (b"RIFF\x24\x08\x00\x00WAVE", "an audio file.*list of paths"),
        (b"OggS\x00\x02", "an audio file"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"file,label\na.wav,x\0y\n", "zero characters"),
    ],
)
def test_files_of_other_kinds_are_refused_by_what_they_are(tmp_path: Path, content, message: str):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        load_table(tmp_path / "t.csv", path="file", target="label")
    assert "t.csv" in str(error.value)
    with pytest.raises(ValueError, match=message):
        load_index(tmp_path / "t.csv")


def test_a_column_that_begins_like_another_kind_of_file_is_a_column(tmp_path: Path):
    touch(tmp_path, "a.wav")
    for name in ("RIFF", "PAR1", "OggS"):
        (tmp_path / "t.csv").write_text(f"{name},x\na.wav,owl\n")
        assert labels(load_table(tmp_path / "t.csv", path=name, target="x")) == ["owl"]
