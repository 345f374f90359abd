"""What goes wrong becomes one line and an exit code."""

import os
import re
import subprocess

import pytest

from skaudeep.cli import corpus


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["sing"], 2, "No such command 'sing'"),
        (["fit", "birds"], 2, "Missing option '-o' / '--output'"),
        (["fit", "birds", "-o", "m.skaudeep", "--folds", "1"], 2, "No such option"),
        (["evaluate", "birds", "--folds", "1"], 2, "1 is not in the range x>=2"),
        (["predict", "m.skaudeep", "a.wav", "--min-confidence", "2"], 2, "not in the range"),
        (["audit", "birds", "--groups", "("], 2, "'(' is no regular expression"),
        (["extract", "birds", "-o", "birds.nc", "--window", "0"], 2, "not in the range"),
        (["inspect", "birds"], 1, "birds: does not exist"),
        (["inspect", "birds.csv"], 1, "birds.csv"),
        (["inspect", "birds.nc"], 1, "birds.nc"),
        (["inspect", "birds.skaudeep"], 1, "birds.skaudeep"),
        (["predict", "m.skaudeep", "birds"], 1, "m.skaudeep"),
        (["fit", "birds", "-o", "none/m.skaudeep"], 1, "none/m.skaudeep"),
        (["fit", "birds", "-o", "m.pkl"], 1, "m.pkl: names of models end in .skaudeep"),
        (["report", "birds", "--model", "m.pkl"], 1, "m.pkl: names of models end in .skaudeep"),
        (["audit", "-", "a.wav"], 1, "standard input"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_an_exit_code(run, args, code, words):
    done = run(*args)
    assert done.exit_code == code
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("Error: ")
    assert words in done.stderr


def broken(error):
    def fail(*_, **__):
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (KeyboardInterrupt(), 130, "Interrupted: Nothing was written; run the same command again."),
        (BrokenPipeError(), 141, ""),
        (OSError(28, "No space left on device", "a.nc"), 1, "Error: a.nc: No space left on device"),
        (MemoryError(), 1, "Error: MemoryError"),
        (ValueError("two\nlines\x1b[31m"), 1, r"Error: two; lines\x1b[31m"),
        (AttributeError("x"), 1, "Error: AttributeError: x. This is a fault of skaudeep"),
    ],
)
def test_each_way_to_fail_has_its_exit_code_and_line(run, monkeypatch, error, code, text):
    monkeypatch.setattr(corpus, "read_source", broken(error))
    done = run("inspect", "birds")
    assert done.exit_code == code
    assert done.stderr.startswith(text)
    assert len(done.stderr.splitlines()) == bool(text)


def test_a_warning_of_a_library_is_one_line_without_source(run, birds, tmp_path):
    (tmp_path / "flat").mkdir()
    os.symlink(next(birds.rglob("*.wav")), tmp_path / "flat" / "a.wav")
    (tmp_path / "flat" / "b.mp4").write_bytes(b"")
    done = run("inspect", "flat")
    warned = [line for line in done.stderr.splitlines() if line.startswith("Warning: ")]
    assert len(warned) == 1  # of the recording left out, not of folders that are not there
    assert "warn" not in done.stderr.replace("Warning: ", "")
    assert not [line for line in warned if "load_esc" in line]


def test_a_reader_that_ends_early_ends_the_program_without_a_word(program, birds):
    reader, writer = os.pipe()
    os.close(reader)
    command = [*program, "inspect", birds]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.returncode == 141
    assert re.fullmatch(r"birds/: 16 clips .*\n", done.stderr)
