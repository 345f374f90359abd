"""Labels, folds, partitions and groups from a table, and every way to break one."""

import csv
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudeep.datasets import load_table


def touch(root, *names):
    """Write empty files: readers never open a clip."""
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def write_table(root, text, *clips, name="clips.csv", encoding="utf-8"):
    touch(root, name, *clips)
    (root / name).write_bytes(text.encode(encoding))
    return root / name


def labels(bunch):
    """Class name of each clip, None where unlabelled."""
    return [bunch.target_names[label] if label >= 0 else None for label in bunch.target]


NAMES = ["a.wav", "b.wav", "c.wav"]


def test_load_table_reads_labels_folds_partitions_and_groups(tmp_path):
    text = (
        "clip,call,round,part,bird\n"
        "in/a.wav,owl,2,train,x\n"
        '"in/b, old.wav","tawny ""owl""",10,Dev,y\n'
        "in/c.wav,?,2,,y\n"
        "in/d.wav,,10,test,x\n"
    )
    clips = ["in/a.wav", "in/b, old.wav", "in/c.wav", "in/d.wav"]
    table = write_table(tmp_path, text, *clips)
    bunch = load_table(
        table, path="clip", target="call", fold="round", partition="part", groups="bird"
    )
    assert bunch.filenames.tolist() == clips
    assert bunch.data[1] == str(tmp_path / "in/b, old.wav")
    assert labels(bunch) == ["owl", 'tawny "owl"', None, None]
    assert bunch.folds.tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]
    assert bunch.partition.tolist() == ["train", "devel", "", "test"]
    assert bunch.groups.tolist() == ["x", "y", "y", "x"]


@pytest.mark.parametrize("delimiter", list(",;\t|"))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_load_table_accepts_any_delimiter_byte_order_mark_and_line_ends(
    tmp_path, delimiter, encoding, newline
):
    lines = ["", "file,label,note", 'ä.wav,Eule,"two\nlines; and, more|"', "b.wav,Uhu,", "", " ,,"]
    text = newline.join(line.replace(",", delimiter) for line in lines)
    table = write_table(tmp_path, text, "ä.wav", "b.wav", encoding=encoding)
    assert labels(load_table(table, path="file", target="label")) == ["Eule", "Uhu"]


def test_load_table_uses_the_given_delimiter(tmp_path):
    table = write_table(tmp_path, "file:label\na.wav:owl\n", "a.wav")
    assert labels(load_table(table, path="file", target="label", delimiter=":")) == ["owl"]
    with pytest.raises(ValueError, match="delimiter='::', expected one character"):
        load_table(table, path="file", delimiter="::")


@pytest.mark.parametrize(
    ("cells", "target", "names"),
    [
        (["10", "9", "?"], [1, 0, -1], ["9", "10"]),
        (["b", "a", "10"], [2, 1, 0], ["10", "a", "b"]),
        (["1.5", "2", ""], [1.5, 2, np.nan], []),
        (["1e3", "-.5", "2."], [1000, -0.5, 2], []),
        (["1.5", "NA", "nan"], [1.5, np.nan, np.nan], []),
    ],
)
def test_load_table_reads_decimal_numbers_as_regression_and_other_cells_as_classes(
    tmp_path, cells, target, names
):
    rows = "".join(f"{name};{cell}\n" for name, cell in zip(NAMES, cells, strict=True))
    bunch = load_table(write_table(tmp_path, f"f;t\n{rows}", *NAMES), path="f", target="t")
    np.testing.assert_array_equal(bunch.target, target)
    assert bunch.target.dtype.kind == ("i" if bunch.target_names or -1 in target else "f")
    assert bunch.target_names == names


def test_load_table_reads_the_target_for_the_given_task(tmp_path):
    table = write_table(tmp_path, "f,t\na.wav,1\nb.wav,2.0\n", "a.wav", "b.wav")
    read = {"path": "f", "target": "t"}
    assert load_table(table, **read, task="regression").target.tolist() == [1.0, 2.0]
    assert load_table(table, **read, task="classification").target_names == ["1", "2.0"]
    with pytest.raises(ValueError, match="task='ranking', expected None"):
        load_table(table, **read, task="ranking")


def test_load_table_takes_only_the_given_classes_in_their_order(tmp_path):
    table = write_table(tmp_path, "f,t\na.wav,lo\nb.wav,hi\nc.wav,?\n", *NAMES)
    read = {"path": "f", "target": "t"}
    bunch = load_table(table, **read, target_names=["lo", "mid", "hi"])
    assert bunch.target.tolist() == [0, 2, -1]
    with pytest.raises(ValueError, match=r"class 'hi' for clip 'b.wav', expected .*'lo', 'mid'"):
        load_table(table, **read, target_names=["lo", "mid"])
    with pytest.raises(ValueError, match="for regression"):
        load_table(table, **read, target_names=["lo"], task="regression")
    with pytest.raises(ValueError, match="without target="):
        load_table(table, path="f", target_names=["lo"])


def test_load_table_reads_overlapping_folds_from_one_column_each(tmp_path):
    table = write_table(tmp_path, "f,x,y\na.wav,0,0\nb.wav,1,0\nc.wav,1,1\n", *NAMES)
    bunch = load_table(table, path="f", fold=["x", "y"])
    assert bunch.folds.tolist() == [[0, 0], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("f,t\na.wav,x\n", {"target": "label"}, "column 'label'.*0 times.*'f', 't'"),
        ("f,t,t\na.wav,x,y\n", {"target": "t"}, "column 't', which occurs 2 times"),
        ("f,t\n", {}, "without rows"),
        ("", {}, "which is empty"),
        ("\n \n", {}, "which is empty"),
        (
            "f|t\na.wav|1,5\nb.wav|,5\n",
            {"target": "t"},
            "comma",
        ),
        ("f,t\na.wav,x\nb.wav\n", {}, "1 cells in line 3 .* expected 2"),
        ("f,t\na.wav,x,y\n", {}, "3 cells in line 2"),
        ('f,t\na.wav,"x\nb.wav,y\n', {}, "broken quoting .* line 3"),
        ("f,t\na.wav,x\nb.wav,y\na.wav,z\n", {}, "more than once, first 'a.wav'"),
        ("f,t\na.wav,x\n./a.wav,y\n", {}, "more than once, first 'a.wav'"),
        ("f,t\n../a.wav,x\n", {}, "'../a.wav', which is not below"),
        ("f,t\nin/../../a.wav,x\n", {}, "not below"),
        ("f,t\n/etc/passwd,x\n", {}, "'/etc/passwd', which is not below"),
        ("f,t\n,x\n", {}, "no file name .an empty cell."),
        ("f,t\na.wav,1.5\nb.wav,high\n", {"target": "t"}, "numbers .'1.5'. and text .'high'."),
        ("f,t\na.wav,1.5\nb.wav,inf\n", {"target": "t"}, "'inf' in target column 't' .*'b.wav'"),
        ("f,t\na.wav,x\n", {"target": "t", "task": "regression"}, "'x' in target column"),
        ("f,t\na.wav,held\n", {"partition": "t"}, "partition 'held' for clip 'a.wav'"),
        ("f,t\na.wav,1\nb.wav,\n", {"fold": "t"}, "empty cell in fold column 't' .*'b.wav'"),
        ("f,t\na.wav,1\nb.wav,1\n", {"fold": "t"}, "fold 1 without training clips"),
        ("f,t\na.wav,0\nb.wav,0\n", {"fold": ["t"]}, "fold t without test clips"),
        ("f,t\na.wav,0\nb.wav,2\n", {"fold": ["t"]}, "'2' in fold column 't' for clip 'b.wav'"),
    ],
)
def test_load_table_refuses_a_broken_table(tmp_path, text, columns, message):
    table = write_table(tmp_path / "in", text, "a.wav", "b.wav")
    with pytest.raises(ValueError, match=message):
        load_table(table, path="f", **columns)


@pytest.mark.parametrize(
    "yes_no", [("1", "0"), ("1.0", "0.0"), ("True", "False"), ("TRUE", "false")]
)
def test_load_table_reads_fold_membership_in_all_common_notations(tmp_path, yes_no):
    rows = f"a.wav,{yes_no[0]}\nb.wav,{yes_no[1]}\n"
    table = write_table(tmp_path, f"f,held\n{rows}", "a.wav", "b.wav")
    assert load_table(table, path="f", fold=["held"]).folds.tolist() == [[1], [0]]


def test_load_table_asks_for_an_unusual_delimiter(tmp_path):
    table = write_table(tmp_path, "f t\na.wav x\n", "a.wav")
    with pytest.raises(ValueError, match=r"Columns there: 'f t'\. .* Then give delimiter="):
        load_table(table, path="f", target="t")
    assert labels(load_table(table, path="f", target="t", delimiter=" ")) == ["x"]


def test_load_table_counts_missing_clips_and_names_three(tmp_path):
    rows = "".join(f"{i}.wav\n" for i in range(5))
    table = write_table(tmp_path, f"f\n{rows}", "2.wav")
    with pytest.raises(
        FileNotFoundError, match=r"4 of the 5 .* clips.csv .* '0.wav', '1.wav', '3.wav'\. Add"
    ):
        load_table(table, path="f")


@pytest.mark.parametrize(
    ("there", "listed"),
    [
        (unicodedata.normalize("NFD", "größe.wav"), unicodedata.normalize("NFC", "größe.wav")),
        ("a/B.WAV", "A/b.wav"),
        ("a/b.wav", "a\\b.wav"),
    ],
    ids=["Unicode form", "case", "separator"],
)
def test_load_table_shows_a_file_whose_name_only_looks_the_same(tmp_path, there, listed):
    table = write_table(tmp_path, f"f\n{listed}\n", there)
    with pytest.raises(FileNotFoundError) as caught:
        load_table(table, path="f")
    assert f"There is {there!a}, where the list has {listed!a}" in str(caught.value)


def test_load_table_does_not_accept_a_folder_as_a_clip(tmp_path):
    table = write_table(tmp_path, "f\na\n", "a/b.wav")
    with pytest.raises(FileNotFoundError, match="Add the files"):
        load_table(table, path="f")


def test_load_table_refuses_a_missing_table_and_one_that_is_no_text(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"clips.csv', .* exists. The current directory"):
        load_table(tmp_path / "clips.csv", path="f")
    with pytest.raises(IsADirectoryError, match="which is a folder, expected a text file"):
        load_table(tmp_path, path="f")
    table = write_table(tmp_path, "f\nä.wav\n", encoding="latin-1")
    with pytest.raises(ValueError, match=r"not UTF-8 text \(byte 2\)"):
        load_table(table, path="f")
    with pytest.raises(TypeError, match=r"type list, expected .* pandas.DataFrame"):
        load_table([["a.wav"]], path="f")


def test_load_table_finds_clips_below_root(tmp_path):
    touch(tmp_path / "wav", "a.wav", "b.wav")
    absolute = tmp_path / "wav/b.wav"
    table = write_table(tmp_path / "lab", f"f\na.wav\n{absolute}\n")
    bunch = load_table(table, path="f", root=tmp_path / "wav")
    assert bunch.filenames.tolist() == ["a.wav", "b.wav"]
    assert bunch.data[1] == str(absolute)


def test_load_table_reads_a_data_frame_like_its_text(tmp_path, monkeypatch):
    touch(tmp_path, *NAMES)
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(
        {
            "f": [Path(name) for name in NAMES],
            "species": pd.Categorical(["owl", None, "crow"]),
            "level": [1.0, np.nan, 3.0],
            "score": [1.0, 0.5, np.nan],
            "round": [1, 2, 1],
            "held": [True, False, False],
        },
        index=[7, 7, 9],
    )
    assert labels(load_table(frame, path="f", target="species")) == ["owl", None, "crow"]
    # whole numbers that pandas made floats to hold a gap
    assert labels(load_table(frame, path="f", target="level")) == ["1", None, "3"]
    bunch = load_table(frame, path="f", target="score", fold="round", groups="round")
    np.testing.assert_array_equal(bunch.target, [1, 0.5, np.nan])
    assert bunch.folds.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert bunch.groups.tolist() == ["1", "2", "1"]
    assert bunch.data.tolist() == NAMES
    assert load_table(frame, path="f", fold=["held"], task="unlabelled").folds.tolist() == [
        [1],
        [0],
        [0],
    ]
    with pytest.raises(ValueError, match="without rows"):
        load_table(frame.iloc[:0], path="f")
    with pytest.raises(ValueError, match="'sex', which occurs 0 times in the DataFrame"):
        load_table(frame, path="f", target="sex")


cell = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=8)


@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(st.tuples(cell, cell), min_size=2, max_size=6),
    delimiter=st.sampled_from(",;\t|"),
)
def test_load_table_returns_any_cell_unchanged(tmp_path_factory, rows, delimiter):
    folder = touch(tmp_path_factory.mktemp("table"), *(f"{i}.wav" for i in range(len(rows))))
    with open(folder / "t.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["file", "label", "who"])
        writer.writerows([f"{i}.wav", *row] for i, row in enumerate(rows))
    columns = {"path": "file", "target": "label", "groups": "who", "task": "classification"}
    bunch = load_table(folder / "t.csv", **columns, missing=["?"])
    assert labels(bunch) == [None if label == "?" else label for label, _ in rows]
    assert bunch.groups.tolist() == ["" if who == "?" else who for _, who in rows]


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60) | st.text('f,;t"\n\r\0 ax.', max_size=40).map(str.encode))
def test_load_table_reads_or_refuses_any_text_without_another_error(tmp_path_factory, content):
    table = tmp_path_factory.getbasetemp() / "fuzz.csv"
    table.write_bytes(b"f,t\n" + content)
    try:
        names = load_table(table, path="f", target="t").filenames.tolist()
    except (ValueError, FileNotFoundError) as error:
        names, message = [], str(error)
    # the table is the only file in its folder
    assert names == ["fuzz.csv"] or message.startswith(("Got ", "Found "))
