"""What commands write: JSON that any program reads, files that are never overwritten."""

import json
from contextlib import contextmanager

import numpy as np
import pytest

from skaudeep._files import alone
from skaudeep.cli.errors import CommandError
from skaudeep.cli.output import check_output, waiting, write_json


def test_json_has_null_for_nan_and_lists_for_arrays(capsys):
    write_json({"a": np.array([1.5, np.nan]), 2: (np.int64(3), None), "c": np.float32("nan")})
    assert json.loads(capsys.readouterr().out) == {"a": [1.5, None], "2": [3, None], "c": None}


def test_a_file_that_exists_is_refused_unless_it_may_be_replaced(tmp_path):
    file = tmp_path / "a.nc"
    assert check_output(file, False) == file
    file.touch()
    with pytest.raises(CommandError, match=r"a\.nc: exists already.*-o.*--force"):
        check_output(file, False)
    assert check_output(file, True) == file


def test_a_link_that_leads_nowhere_is_not_written_through(tmp_path):
    (tmp_path / "a.nc").symlink_to(tmp_path / "elsewhere.nc")
    with pytest.raises(CommandError, match="exists already"):
        check_output(tmp_path / "a.nc", False)


def test_a_folder_cannot_be_written_even_by_force(tmp_path):
    for force in (False, True):
        with pytest.raises(IsADirectoryError, match="is a folder"):
            check_output(tmp_path, force)


def test_a_second_command_does_not_write_what_another_one_is_writing(run, tmp_path):
    with alone(tmp_path / "m.skaudeep"):
        for option in (["fit", "birds", "-o"], ["report", "birds", "--model"]):
            done = run(*option, "m.skaudeep")
            assert done.exit_code == 1
            assert "m.skaudeep: another command is writing it. Wait" in done.stderr
        assert "birds: does not exist" in run("fit", "birds", "-o", "m.skaudeep", "--force").stderr
    assert "birds: does not exist" in run("fit", "birds", "-o", "m.skaudeep").stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_appears_while_a_command_waits_for_the_lock_is_refused(
    run, tmp_path, monkeypatch
):
    @contextmanager
    def last(file):
        file.touch()
        yield

    monkeypatch.setattr("skaudeep.cli.output.alone", last)
    assert "m.skaudeep: exists already" in run("fit", "birds", "-o", "m.skaudeep").stderr


def test_a_log_has_a_line_for_what_takes_long(capsys):
    with waiting("Fitting"):
        pass
    assert capsys.readouterr().err == "Fitting ...\n"


def test_what_a_command_reads_is_not_replaced_even_by_force(run, tmp_path):
    (tmp_path / "clips.csv").write_text("mine")
    for args in (
        ("report", "clips.csv"),
        ("fit", "birds", "--labels", "clips.csv"),
        ("predict", "clips.csv", "birds"),
        ("transform", "m.skaudeep", "clips.csv"),
        ("extract", "clips.csv"),
        ("train", "clips.csv"),
        ("fuse", "clips.csv"),
        ("split", "clips.csv"),
        ("export", "clips.csv"),
        ("import", "clips.csv"),
    ):
        done = run(*args, "-o", "./clips.csv", "--force")
        assert done.exit_code == 1
        assert done.stderr.endswith(
            "./clips.csv: is what the command reads. Choose another name by -o.\n"
        )
    assert (tmp_path / "clips.csv").read_text() == "mine"
