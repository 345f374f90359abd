"""Commands about stored data sets: what they write is what the functions return."""

import json
import os
import shutil
from contextlib import contextmanager

import netCDF4
import numpy as np
import pandas as pd
import pytest

import skaudeep
from skaudeep._files import alone
from skaudeep.chunks import pool_chunks
from skaudeep.cli import sets
from skaudeep.cli.inputs import read_source
from skaudeep.datasets import (
    add_folds,
    add_groups,
    add_partitions,
    load_folder,
    make_bunch,
    upsample,
)
from skaudeep.formats import fuse, load_arff, load_csv

CLASSES = ["crow", "owl"]


def features(n_features=3, seed=0, *, n_chunks=None, target=(0, 1, 1) * 6):
    """Make a feature set of eighteen clips, twelve of which are owls."""
    shape = (18, *([n_chunks] if n_chunks else []), n_features)
    X = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    names = [f"{CLASSES[label]}/site{i // 3}_{i:02d}.wav" for i, label in enumerate(target)]
    dims = ("clip", "chunk", "feature") if n_chunks else None
    return make_bunch(X, names, target=target, target_names=CLASSES, dims=dims)


@pytest.fixture
def stored(run, tmp_path):
    """Write two feature sets and one of chunks into the folder of the test."""
    sets = {"a": features(), "b": features(2, 1), "chunks": features(2, n_chunks=3)}
    for name, bunch in sets.items():
        skaudeep.save_netcdf(bunch, tmp_path / f"{name}.nc")
    return sets


def loaded(path):
    return skaudeep.load_netcdf(path)


def assert_same(bunch, expected):
    np.testing.assert_array_equal(bunch.data, expected.data)
    np.testing.assert_array_equal(bunch.target, expected.target)
    np.testing.assert_array_equal(bunch.folds, expected.folds)
    assert bunch.partition.tolist() == expected.partition.tolist()
    assert bunch.filenames.tolist() == expected.filenames.tolist()
    assert bunch.target_names == expected.target_names
    assert bunch.dims == expected.dims


# fuse


def test_fuse_puts_files_side_by_side(run, stored, tmp_path):
    done = run("fuse", "a.nc", "b.nc", "-o", "ab.nc")
    assert (done.exit_code, done.stdout) == (0, "ab.nc\n")
    assert_same(loaded(tmp_path / "ab.nc"), fuse([stored["a"], stored["b"]]))
    assert done.stderr.splitlines()[-1] == "Data (clip, feature): (18, 5)."


@pytest.mark.parametrize("pooling", ["concat", "mean", "mean_std_max"])
def test_fuse_makes_one_row_of_chunks(run, stored, tmp_path, pooling):
    done = run("fuse", "chunks.nc", "-o", "pooled.nc", "--chunks", pooling, "--json")
    expected = pool_chunks(stored["chunks"], pooling)
    assert_same(loaded(tmp_path / "pooled.nc"), expected)
    assert json.loads(done.stdout)["shape"] == list(expected.data.shape)
    both = run("fuse", "chunks.nc", "chunks.nc", "-o", "both.nc", "--chunks", pooling)
    assert both.exit_code == 0, both.stderr
    expected = pool_chunks(fuse([stored["chunks"]] * 2), pooling)
    assert_same(loaded(tmp_path / "both.nc"), expected)


def test_fuse_puts_spectrograms_together_along_an_axis_and_their_chunks_along_time(run, tmp_path):
    X = np.random.default_rng(0).uniform(-1, 1, (2, 2, 3, 4)).astype(np.float32)
    chunks = make_bunch(X, ["a.wav", "b.wav"])
    for name, bunch in (("chunks", chunks), ("whole", pool_chunks(chunks))):
        skaudeep.save_netcdf(bunch, tmp_path / f"{name}.nc")
    assert run("fuse", "chunks.nc", "-o", "joined.nc", "--chunks", "concat").exit_code == 0
    assert_same(loaded(tmp_path / "joined.nc"), pool_chunks(chunks))
    for axis, shape in (("time", "(2, 12, 4)"), ("frequency", "(2, 6, 8)")):
        done = run("fuse", "whole.nc", "whole.nc", "-o", f"{axis}.nc", "--axis", axis)
        assert done.stderr.splitlines()[-1] == f"Data (clip, frame, band): {shape}."
        assert_same(loaded(tmp_path / f"{axis}.nc"), fuse([pool_chunks(chunks)] * 2, axis=axis))


def test_fuse_names_what_differs_and_what_is_no_feature(run, stored, birds, tmp_path):
    skaudeep.save_netcdf(features(target=(1, 1, 0) * 6), tmp_path / "other.nc")
    for args, words in (
        (["a.nc", "other.nc"], "filenames of clip 0"),
        (["a.nc"], "a.nc: is a single file, expected several to fuse, or --chunks"),
        (["a.nc", "--chunks", "mean"], "expected features of chunks"),
        (["a.nc", birds], "birds/: holds recordings, expected a file of spectrograms"),
    ):
        done = run("fuse", *args, "-o", "x.nc")
        assert done.exit_code == 1
        assert words in done.stderr.splitlines()[-1]
    assert (
        "names of data sets end in .nc, such as x.nc" in run("fuse", "a.nc", "-o", "x.csv").stderr
    )


def test_evaluate_says_how_chunks_become_one_row(run, stored):
    done = run("evaluate", "chunks.nc")
    assert done.exit_code == 1
    assert "'skaudeep fuse --chunks' makes one row of them" in done.stderr


# split


def test_split_adds_folds_by_groups_and_partitions(run, stored, tmp_path):
    options = ["--groups", r"(site\d)", "--seed", 3]
    done = run("split", "a.nc", "-o", "folds.nc", "--folds", 3, *options)
    assert done.exit_code == 0, done.stderr
    grouped = add_groups(stored["a"], r"(site\d)")
    assert_same(loaded(tmp_path / "folds.nc"), add_folds(grouped, 3, random_state=3))
    done = run("split", "a.nc", "-o", "parts.nc", "--partitions", "0.5,0,0.5", *options, "--json")
    expected = add_partitions(grouped, train=0.5, devel=0, test=0.5, random_state=3)
    assert_same(loaded(tmp_path / "parts.nc"), expected)
    assert json.loads(done.stdout)["counts"]["all"] == {"clips": 18, "train": 9, "test": 9}


def test_split_drops_first_and_balances_last(run, stored, tmp_path):
    assert run("split", "a.nc", "-o", "two.nc", "--folds", 2).exit_code == 0
    done = run("split", "two.nc", "-o", "again.nc", "--folds", 3)
    assert done.exit_code == 1
    assert "or give --drop-folds as well" in done.stderr
    args = ["--drop-folds", "--folds", 3, "--upsample"]
    assert run("split", "two.nc", "-o", "three.nc", *args).exit_code == 0
    expected = upsample(add_folds(stored["a"], 3, random_state=0), random_state=0)
    assert_same(loaded(tmp_path / "three.nc"), expected)
    assert np.bincount(loaded(tmp_path / "three.nc").target).tolist() == [12, 12]
    assert run("evaluate", "three.nc").exit_code == 0  # copies are not tested
    parts = ["--partitions", "0.5,0.5,0"]
    assert run("split", "a.nc", "-o", "parts.nc", *parts).exit_code == 0
    args = ["--upsample", "--upsample-partition", "devel"]
    assert run("split", "parts.nc", "-o", "balanced.nc", *args).exit_code == 0
    balanced = loaded(tmp_path / "balanced.nc")
    assert np.bincount(balanced.target[balanced.partition == "devel"]).tolist() == [6, 6]
    assert np.bincount(balanced.target[balanced.partition == "train"]).tolist() == [3, 6]
    assert run("split", "balanced.nc", "-o", "x.nc", "--drop-partitions").exit_code == 0
    assert set(loaded(tmp_path / "x.nc").partition.tolist()) == {""}


def test_split_keeps_the_chunks_of_a_clip_together(run, stored, tmp_path):
    assert run("split", "chunks.nc", "-o", "folds.nc", "--folds", 3).exit_code == 0
    assert_same(loaded(tmp_path / "folds.nc"), add_folds(stored["chunks"], 3, random_state=0))


def test_split_of_recordings_is_a_table_that_the_other_commands_read(run, birds, tmp_path):
    shutil.copytree(birds, tmp_path / "birds")
    groups = ["--groups", r"(site\d)"]
    done = run("split", "birds", "-o", "folds.csv", "--folds", 2, *groups, "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["shape"] == [16]
    expected = add_folds(
        add_groups(load_folder(tmp_path / "birds"), "(site[0-9])"), 2, random_state=0
    )
    table = pd.read_csv(tmp_path / "folds.csv")
    assert table.columns.tolist() == ["filename", "label", "group", "fold"]
    assert table.filename.tolist() == [f"birds/{name}" for name in expected.filenames]
    read = read_source(["folds.csv"]).bunch
    np.testing.assert_array_equal(read.folds, expected.folds)
    np.testing.assert_array_equal(read.target, expected.target)
    assert read.groups.tolist() == expected.groups.tolist()
    done = run("split", "folds.csv", "-o", "parts.csv", "--drop-folds", "--partitions", "0.5,0.5,0")
    assert done.exit_code == 0, done.stderr
    read = read_source(["parts.csv"]).bunch
    assert sorted(set(read.partition.tolist())) == ["devel", "train"]
    assert not read.cv
    assert "partitions of the corpus" in run("evaluate", "parts.csv", "--classifier", "svm").stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["birds", "-o", "x.nc", "--folds", "2"], "holds recordings, expected a file of"),
        (["a.nc", "-o", "x.csv", "--folds", "2"], "a.nc: holds no whole recordings"),
        (["birds", "-o", "x.csv", "--upsample"], "names each recording once"),
        (["birds", "-o", "deep/x.csv", "--folds", "2"], "Give -o a folder above the recordings"),
    ],
)
def test_what_a_table_of_recordings_cannot_say_is_refused(
    run, stored, birds, tmp_path, args, words
):
    shutil.copytree(birds, tmp_path / "birds")
    (tmp_path / "deep").mkdir()
    done = run("split", *args)
    assert done.exit_code == 1
    assert words in done.stderr


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ([], 1, "Nothing to do is given, expected --folds"),
        (["--upsample-partition", "train"], 1, "--upsample-partition: is for --upsample"),
        (["--partitions", "0.5,0.5"], 2, "is not three shares that sum to 1"),
        (["--partitions", "a,b,c"], 2, "is not three shares that sum to 1"),
        (["--folds", "19"], 1, "18 group(s) to divide into 19 parts"),
    ],
)
def test_what_split_cannot_do_is_said(run, stored, args, code, words):
    done = run("split", "a.nc", "-o", "x.nc", *args)
    assert done.exit_code == code
    assert words in done.stderr
    assert "groups=" not in done.stderr


# export and import


@pytest.mark.parametrize(("kind", "load"), [("csv", load_csv), ("arff", load_arff)])
def test_export_writes_one_table_or_one_for_each_fold_and_import_reads_both(
    run, stored, tmp_path, kind, load
):
    done = run("export", "a.nc", "-o", f"a.{kind}", "--labels-last")
    assert (done.exit_code, done.stdout) == (0, f"a.{kind}\n")
    assert load(tmp_path / f"a.{kind}").data.shape == (18, 3)
    assert (tmp_path / f"a.{kind}").read_text().splitlines()[-1].split(",")[-2] in CLASSES
    run("split", "a.nc", "-o", "folds.nc", "--folds", 2)
    done = run("export", "folds.nc", "-o", "out", "--format", kind, "--name", "b", "--json")
    assert json.loads(done.stdout) == {
        "files": [os.path.join("out", f"fold_{k}", f"b.{kind}") for k in (1, 2)]
    }
    for table, folds in ((f"a.{kind}", 0), ("out", 2)):
        done = run("import", table, "-o", "back.nc", "--force")
        assert done.exit_code == 0, done.stderr
        back = loaded(tmp_path / "back.nc")
        assert back.folds.shape == (18, folds)
        order = np.argsort(back.filenames)
        np.testing.assert_array_equal(
            back.data[order], stored["a"].data[np.argsort(stored["a"].filenames)]
        )


def test_export_passes_on_what_is_for_one_format(run, tmp_path):
    odd = features()
    odd.filenames = np.array([f"={name}" for name in odd.filenames])
    skaudeep.save_netcdf(odd, tmp_path / "odd.nc")
    assert run("export", "odd.nc", "-o", "odd.csv", "--escape-formulas").exit_code == 0
    assert "'=crow/site0_00.wav" in (tmp_path / "odd.csv").read_text()
    assert run("import", "odd.csv", "-o", "back.nc", "--escape-formulas").exit_code == 0
    assert loaded(tmp_path / "back.nc").filenames.tolist() == odd.filenames.tolist()
    options = ["--relation", "birds", "--no-filenames"]
    assert run("export", "odd.nc", "-o", "odd.arff", *options).exit_code == 0
    assert run("export", "odd.nc", "-o", "weka.arff", "--class-last").exit_code == 0
    assert "@ATTRIBUTE label_nominal {crow, owl}\n\n@DATA" in (tmp_path / "weka.arff").read_text()
    text = (tmp_path / "odd.arff").read_text()
    assert text.startswith('@RELATION "birds"')
    assert "site0" not in text


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["-o", "x.csv", "--relation", "birds"], "--relation: is for arff, not csv"),
        (["-o", "x.arff", "--escape-formulas"], "--escape-formulas: is for csv, not arff"),
        (["-o", "x.csv", "--format", "csv"], "--format: is for files in a folder"),
        (["-o", "x.csv", "--name", "b"], "--name: is for files in a folder"),
        (["-o", "x.nc"], "x.nc: expected a name that ends in .csv or .arff, or that of a folder"),
        (["-o", "x.CSV"], "x.CSV: expected a name that ends in .csv or .arff"),
        (["-o", "none/x"], "none/x: its folder does not exist"),
        (["-o", "a.nc/x"], "a.nc/x: its folder does not exist"),
    ],
)
def test_what_export_cannot_do_is_said(run, stored, tmp_path, args, words):
    done = run("export", "a.nc", *args)
    assert done.exit_code == 1
    assert words in done.stderr
    assert len(list(tmp_path.iterdir())) == 3


def test_export_never_replaces_files_without_force(run, stored, tmp_path, monkeypatch):
    assert run("export", "a.nc", "-o", "out").exit_code == 0
    assert run("export", "b.nc", "-o", "out", "--name", "b").exit_code == 0
    with monkeypatch.context() as patch:
        patch.setattr(sets, "read_source", None)  # it is not reached
        done = run("export", "b.nc", "-o", "out")
    assert done.exit_code == 1
    assert f"{os.path.join('out', 'features.csv')}: exists already" in done.stderr
    assert load_csv(tmp_path / "out", name="features").data.shape == (18, 3)
    assert run("export", "b.nc", "-o", "out", "--force").exit_code == 0
    assert load_csv(tmp_path / "out", name="features").data.shape == (18, 2)
    done = run("export", "out/b.csv", "-o", "out", "--name", "b", "--force")
    assert "is what the command reads" in done.stderr
    with alone(tmp_path / "out"):
        done = run("export", "a.nc", "-o", "out", "--name", "c")
    assert "out: another command is writing it" in done.stderr


def test_import_asks_where_a_folder_holds_several_exports(run, stored, tmp_path):
    for name in ("a.csv", "a.arff", "b.csv"):
        (tmp_path / "out").mkdir(exist_ok=True)
        assert run("export", f"{name[0]}.nc", "-o", f"out/{name}").exit_code == 0
    for args, words in (
        (["out"], "out: holds both CSV and ARFF files"),
        (["out", "--format", "csv"], "Choose one by --name, or give its path"),
        (["out", "--name", "c"], "out: holds no CSV or ARFF files"),
        (["a.nc"], "a.nc: expected a file that ends in .csv or .arff"),
        (["none.csv"], "none.csv: does not exist"),
        (["out/a.arff", "--escape-formulas"], "--escape-formulas: is for csv"),
    ):
        done = run("import", *args, "-o", "x.nc")
        assert done.exit_code == 1
        assert words in done.stderr, args
    assert run("import", "out", "--name", "b", "-o", "x.nc").exit_code == 0
    assert loaded(tmp_path / "x.nc").data.shape == (18, 2)


# validate


@contextmanager
def edited(path):
    """Open a file of auDeep's to change it."""
    with netCDF4.Dataset(path, "a") as dataset:
        yield dataset


def as_audeep_writes(bunch, path):
    """Write a file without what skaudeep adds to auDeep's: attribute and checksum."""
    skaudeep.save_netcdf(bunch, path)
    path.write_bytes(path.read_bytes().rpartition(b"\nSEALED\n")[0])
    with edited(path) as dataset:
        dataset.delncattr("skaudeep")


def test_validate_is_content_with_what_is_whole(run, stored, tmp_path, birds):
    as_audeep_writes(features(2, n_chunks=3), tmp_path / "old.nc")
    for given in ("a.nc", "chunks.nc", "old.nc", birds):
        done = run("validate", given)
        assert (done.exit_code, done.stdout) == (0, f"{given}: valid\n")
    assert json.loads(run("validate", "a.nc", "--json").stdout) == {
        "valid": True,
        "violations": [],
    }


def test_validate_lists_all_that_chunks_contradict(run, tmp_path):
    as_audeep_writes(features(2, n_chunks=3), tmp_path / "old.nc")
    with edited(tmp_path / "old.nc") as dataset:
        dataset["chunk_nr"][1] = 2  # of the first clip
        for row in range(3, 53, 3):  # one chunk of each other clip
            dataset["partition"][row] = 1
    done = run("validate", "old.nc")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert len(lines) == 10
    assert any("'crow/site0_00.wav' has chunks 0, 2, 2, expected each from 0 to 2" in line
               for line in lines)  # fmt: skip
    assert done.stderr == "old.nc: 18 faults, 8 more by --detailed.\n"
    lines = run("validate", "old.nc", "--detailed").stdout.splitlines()
    assert len(lines) == 18
    assert sum("has chunks that differ in partition" in line for line in lines) == 17
    facts = json.loads(run("validate", "old.nc", "--json").stdout)
    assert (facts["valid"], len(facts["violations"])) == (False, 18)


def test_validate_finds_labels_that_are_no_pair_and_unknown_partitions(run, tmp_path):
    as_audeep_writes(features(), tmp_path / "old.nc")
    with edited(tmp_path / "old.nc") as dataset:
        dataset["label_numeric"][4] = 0
        dataset["partition"][0] = 5
    done = run("validate", "old.nc")
    assert done.exit_code == 1
    assert "is labelled 'owl' and 0, which are not one class" in done.stdout
    assert "has partition 5, expected 0 (train)" in done.stdout


def test_validate_says_that_a_file_is_damaged(run, stored, tmp_path):
    content = bytearray((tmp_path / "a.nc").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "a.nc").write_bytes(content)
    done = run("validate", "a.nc")
    assert done.exit_code == 1
    assert "a.nc: does not match its checksum" in done.stderr


@pytest.mark.parametrize("suffix", [".csv", ".arff"])
def test_import_reads_tables_of_other_programs_by_their_columns(run, tmp_path, suffix):
    rows = ["a.wav,0.5,0.1,3.0,ann,train,happy", "b.wav,0.5,0.2,4.0,bob,test,sad"]
    columns = ["file", "start", "F0", "loudness", "speaker", "set", "emotion"]
    if suffix == ".csv":
        text = "\n".join([",".join(columns), *rows])
    else:
        kinds = dict.fromkeys(("start", "F0", "loudness"), "REAL")
        head = [f"@ATTRIBUTE {name} {kinds.get(name, 'STRING')}" for name in columns]
        text = "\n".join(["@RELATION x", *head, "@DATA", *rows])
    (tmp_path / f"t{suffix}").write_text(text + "\n")
    options = ["--filename", "file", "--target", "emotion", "--group", "speaker"]
    options += ["--partition", "set", "--ignore", "start"]
    done = run("import", f"t{suffix}", "-o", "t.nc", *options)
    assert done.exit_code == 0, done.stderr
    bunch = loaded(tmp_path / "t.nc")
    np.testing.assert_allclose(bunch.data, [[0.1, 3], [0.2, 4]])
    assert bunch.filenames.tolist() == ["a.wav", "b.wav"]
    assert [bunch.target_names[label] for label in bunch.target] == ["happy", "sad"]
    assert bunch.groups.tolist() == ["ann", "bob"]
    assert bunch.partition.tolist() == ["train", "test"]
    assert list(bunch.feature_names) == ["F0", "loudness"]
    options = ["--no-filename", "--ignore", "file", "--target", "F0", "--task", "regression"]
    for name in ("start", "speaker", "set", "emotion"):
        options += ["--ignore", name]
    assert run("import", f"t{suffix}", "-o", "u.nc", *options).exit_code == 0
    bunch = loaded(tmp_path / "u.nc")
    assert bunch.filenames.tolist() == [f"t{suffix}#0", f"t{suffix}#1"]
    np.testing.assert_allclose(bunch.target, [0.1, 0.2])
    done = run("import", f"t{suffix}", "-o", "v.nc", "--filename", "name")
    assert done.exit_code == 1
    assert "has no column 'name'" in done.stderr
    assert done.stderr.endswith(
        "Give it by --filename COLUMN, or --no-filename where there is none.\n"
    )
