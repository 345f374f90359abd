"""Tables by others: no cell and no header takes more memory, or room in a message, than it has."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from skaudeep.datasets import concatenate, load_dcase, load_table, make_bunch, select
from skaudeep.datasets.bunch import check_bunch, fold_columns
from skaudeep.datasets.delimited import read_columns

N = 10_000
LONG = "x" * 100_000
MESSAGE = "Got a text of 100000 characters in {}, 'xxxxx"


def test_a_cell_that_would_widen_all_others_is_refused_by_table_and_column(tmp_path: Path):
    table = tmp_path / "t.csv"
    rows = [f"{i}.wav,{LONG if i == 0 else 'a'}\n" for i in range(N)]
    table.write_text("file,who\n" + "".join(rows))
    with pytest.raises(
        ValueError, match=r"column 'who' of '.*t\.csv', 'xxx.* at position 0"
    ) as why:
        load_table(table, path="file", groups="who")
    assert len(str(why.value)) < 1000
    assert len(read_columns(table, ["file"])["file"]) == N  # a column that is not used may be so


@pytest.mark.parametrize("key", ["filenames", "data", "groups"])
def test_make_bunch_refuses_a_text_that_would_widen_all_others(key: str):
    names = [f"{i}.wav" for i in range(N)]
    parts = {"data": names, "filenames": names, "groups": ["a"] * N}
    parts[key] = [LONG, *parts[key][1:]]
    with pytest.raises(ValueError, match=MESSAGE.format(key)):
        make_bunch(**parts)


def test_a_list_put_into_a_bunch_is_held_to_the_same_rule():
    bunch = make_bunch([f"{i}.wav" for i in range(N)], [f"{i}.wav" for i in range(N)])
    with pytest.raises(ValueError, match=MESSAGE.format("errors")):
        check_bunch(bunch | {"errors": [LONG] + [""] * (N - 1)})


@pytest.mark.parametrize("key", ["filenames", "data", "groups"])
def test_concatenate_refuses_what_make_bunch_would(key: str):
    few = {"data": ["a.wav"], "filenames": ["a.wav"], "groups": ["a"]}
    one = make_bunch(**few | {key: [LONG]})  # alone it is as large as its text
    names = [f"{i}.wav" for i in range(N)]
    with pytest.raises(ValueError, match=MESSAGE.format(key)):
        concatenate([one, make_bunch(names, names, groups=["b"] * N)])


def test_a_wrong_column_is_told_beside_those_that_are_most_like_it(tmp_path: Path):
    names = [f"pcm_fftMag_mfcc_sma[{i}]_lpgain" for i in range(6373)]
    header = ["file", "class", *names]
    (tmp_path / "t.csv").write_text(f"{','.join(header)}\na.wav,owl{',0' * 6373}\n")
    (tmp_path / "a.wav").touch()
    frame = pd.DataFrame([["a.wav", "owl", *[0] * 6373]], columns=header)
    for table in (tmp_path / "t.csv", frame):
        with pytest.raises(ValueError, match=r"'classs'.*'class', \.\.\. \(the most sim") as caught:
            load_table(table, path="file", target="classs", root=tmp_path)
        assert len(str(caught.value)) < 1000
        with pytest.warns(UserWarning, match=r"'class', .*\(the first of 6374\)") as told:
            load_table(table, path="file", root=tmp_path)
        assert len(str(told[0].message)) < 1000


def test_a_wrong_class_is_told_beside_those_that_are_most_like_it(tmp_path: Path):
    (tmp_path / "a.wav").touch()
    classes = [f"species {i}" for i in range(1000)]
    frame = pd.DataFrame({"file": ["a.wav"], "y": ["specis 77"]})
    with pytest.raises(ValueError, match=r"'species 77', .*most similar of 1000") as caught:
        load_table(frame, path="file", target="y", target_names=classes, root=tmp_path)
    assert len(str(caught.value)) < 500
    bunch = make_bunch(["a"], ["a"], target=[0], target_names=classes)
    with pytest.raises(ValueError, match=r"'species 77', .*most similar of 1000") as caught:
        select(bunch, classes=["specis 77"])
    assert len(str(caught.value)) < 500


def test_fold_columns_refuses_a_column_that_names_no_folds():
    """A column per clip takes memory by the square of the clips."""
    with pytest.raises(ValueError, match="Got 30000 folds for 30000 clips, such as '0', '1', '2'"):
        fold_columns([str(i) for i in range(30_000)])
    folds, names = fold_columns([str(i % 1500) for i in range(3000)])
    assert folds.shape == (3000, len(names)) == (3000, 1500)
    assert (folds.sum(axis=0) == 2).all()


@pytest.mark.skipif(os.name != "posix", reason="needs pipes and files with holes")
def test_tables_that_are_pipes_or_have_holes_are_refused(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(FileNotFoundError, match=r"pipe\.csv"):
        load_table(tmp_path / "pipe.csv", path="file")
    with open(tmp_path / "t.csv", "w") as file:
        file.write("file\na.wav\n")
        file.truncate(20 * 10**9)
    with pytest.raises(ValueError, match=r"t\.csv', which holds zero characters"):
        load_table(tmp_path / "t.csv", path="file")


@pytest.mark.skipif(os.name != "posix", reason="needs pipes")
def test_load_dcase_refuses_a_list_that_is_a_pipe(tmp_path: Path):
    (tmp_path / "audio").mkdir()
    (tmp_path / "evaluation_setup").mkdir()
    (tmp_path / "audio" / "a.wav").touch()
    (tmp_path / "meta.txt").write_text("audio/a.wav\tbeach\tb1\n")
    os.mkfifo(tmp_path / "evaluation_setup" / "fold1_train.txt")
    os.mkfifo(tmp_path / "evaluation_setup" / "fold1_evaluate.txt")
    with pytest.raises(OSError, match=r"fold1_train\.txt', which is a named pipe, expected a list"):
        load_dcase(tmp_path)


def test_a_table_that_does_not_fit_into_memory_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(content: bytes) -> str:
        raise MemoryError

    (tmp_path / "t.csv").write_text("file\na.wav\n")
    monkeypatch.setattr("skaudeep.datasets.delimited._encoding", full)
    with pytest.raises(MemoryError, match=r"t\.csv: does not fit into memory"):
        load_table(tmp_path / "t.csv", path="file")
