"""Labels from a table that somebody filled in afterwards."""

from __future__ import annotations

import pandas as pd
import pytest

from skaudeep.datasets import add_labels, load_table, make_bunch

NAMES = ["a.wav", "deep/b, c.wav", 'd "e".wav', "=f.wav"]


def unlabelled():
    return make_bunch(NAMES, NAMES)


def test_labels_come_from_a_table_by_the_names_of_the_clips(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text(
        'filename,label\r\n"deep/b, c.wav",owl\r\n"d ""e"".wav","a, b"\r\na.wav,\r\n', "utf-8"
    )
    bunch = add_labels(unlabelled(), table)
    assert bunch.target.tolist() == [-1, 1, 0, -1]
    assert bunch.target_names == ["a, b", "owl"]


def test_the_same_table_is_read_by_load_table(tmp_path):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).touch()
    (tmp_path / "labels.csv").write_text("filename,label\na.wav,owl\nb.wav,\n", "utf-8")
    bunch = load_table(tmp_path / "labels.csv", path="filename", target="label")
    added = add_labels(make_bunch(["a.wav", "b.wav"], ["a.wav", "b.wav"]), tmp_path / "labels.csv")
    assert added.target.tolist() == bunch.target.tolist() == [0, -1]


def test_blanks_around_a_file_name_are_no_hindrance(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text('filename,label\n" a.wav ",owl\n', "utf-8")
    bunch = add_labels(make_bunch([" a.wav ", "b.wav"], [" a.wav ", "b.wav"]), table)
    assert bunch.target.tolist() == [0, -1]


def test_clips_whose_names_differ_in_blanks_alone_are_not_confused(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text('filename,label\n" a.wav",owl\n', "utf-8")
    names = ["a.wav", " a.wav", "b.wav"]
    with pytest.raises(ValueError, match=r"several clips of this name .* blanks"):
        add_labels(make_bunch(names, names), table)
    table.write_text("filename,label\nb.wav,owl\n", "utf-8")
    assert add_labels(make_bunch(names, names), table).target.tolist() == [-1, -1, 0]


def test_new_classes_follow_those_there_were_and_given_labels_replace_old_ones():
    bunch = make_bunch(NAMES, NAMES, target=[0, 1, -1, -1], target_names=["owl", "crow"])
    frame = pd.DataFrame({"filename": ["a.wav", "=f.wav"], "label": ["crow", "bat"]})
    bunch = add_labels(bunch, frame)
    assert bunch.target.tolist() == [1, 1, -1, 2]
    assert bunch.target_names == ["owl", "crow", "bat"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("g.wav", "owl")], r"a label for 'g.wav' in the DataFrame, which is no clip"),
        ([("a.wav", "owl"), ("a.wav", "bat")], r"two labels for 'a.wav'.*'owl' and 'bat'"),
        ([("a.wav", "")], "without a label in column 'label'"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        add_labels(unlabelled(), pd.DataFrame(rows, columns=["filename", "label"]))


def test_a_target_of_values_is_refused():
    bunch = make_bunch(NAMES, NAMES, target=[0.5, 1.5, 2.5, 3.5])
    frame = pd.DataFrame({"filename": ["a.wav"], "label": ["owl"]})
    with pytest.raises(ValueError, match="expected one class per clip"):
        add_labels(bunch, frame)


@pytest.mark.parametrize("text", ["?", "NA", "nan", "", "None"])
def test_cells_without_a_label_are_those_of_load_table(tmp_path, text):
    table = tmp_path / "labels.csv"
    table.write_text(f"filename,label\na.wav,{text}\n=f.wav,owl\n", "utf-8")
    bunch = add_labels(unlabelled(), table)
    assert (bunch.target.tolist(), bunch.target_names) == ([-1, -1, -1, 0], ["owl"])
    if text:
        bunch = add_labels(unlabelled(), table, missing=[])
        assert set(bunch.target_names) == {text, "owl"}
        named = make_bunch(NAMES, NAMES, target=[-1] * 4, target_names=["owl", text])
        assert add_labels(named, table).target.tolist() == [1, -1, -1, 0]
    with pytest.raises(ValueError, match=r"Got missing='\?', expected a list of cells"):
        add_labels(unlabelled(), table, missing="?")
