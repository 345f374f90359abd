"""The program: help without the heavy libraries, one-line errors, exit codes, completion."""

import os
import re
import subprocess
import sys

import pytest

import skaudeep
from skaudeep.cli import corpus

COMMANDS = ["report", "inspect", "audit", "evaluate", "fit", "predict", "transform"]
COMMANDS += ["detect", "similar", "extract"]
HEAVY = {"torch", "sklearn", "librosa", "pandas", "numba", "netCDF4", "matplotlib", "numpy"}


def test_help_begins_with_a_line_for_each_command_in_the_order_of_use(run):
    lines = run("--help").stdout.splitlines()
    assert lines[0].startswith("Usage: skaudeep")
    assert lines[2] == "Commands:"
    rows = [line.split(maxsplit=1) for line in lines[3 : 3 + len(COMMANDS)]]
    assert [name for name, _ in rows] == COMMANDS
    assert all(meaning.endswith(".") and "..." not in meaning for _, meaning in rows)


def test_without_arguments_help_is_shown(run):
    assert run().stdout == run("--help").stdout
    assert run().exit_code == 0


def test_help_of_each_command_says_what_its_options_mean(run):
    for name in COMMANDS:
        done = run(name, "--help")
        assert done.exit_code == 0
        assert ("ARCHIVE" if name == "similar" else "INPUT...") in done.stdout
        assert not re.findall(r"^  --?[\w-]+(?: [A-Z]+)?$\n(?!   )", done.stdout, re.MULTILINE)


def test_help_and_version_load_no_heavy_library():
    code = (
        "import sys\nfrom skaudeep.cli import main\n"
        "for args in (['--help'], ['predict', '--help'], ['--version']):\n"
        "    try:\n        main(args)\n    except SystemExit as end:\n        assert not end.code\n"
        f"print(sorted({HEAVY!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    *_, version, loaded = done.stdout.splitlines()
    assert version == f"skaudeep {skaudeep.__version__}"
    assert loaded == "[]"


def test_what_is_wrong_at_first_sight_is_said_before_heavy_libraries_load(tmp_path):
    (tmp_path / "birds").mkdir()
    (tmp_path / "there.nc").touch()
    (tmp_path / "there.skaudeep").touch()
    (tmp_path / "page.html").touch()
    (tmp_path / "wrong.csv").write_text("name,kind\na.wav,owl\n")
    cases = {
        "inspect none": "none: does not exist",
        "evaluate birds none": "none: does not exist",
        "report none": "none: does not exist",
        "fit birds -o there.skaudeep": "there.skaudeep: exists already",
        "extract birds -o there.nc": "there.nc: exists already",
        "fit birds -o none/m.skaudeep": "none/m.skaudeep: its folder does not exist",
        "predict birds birds": "birds: is a folder, expected a model",
        "predict none.skaudeep birds": "none.skaudeep: does not exist, expected a model",
        "predict page.html birds": "page.html: is a web page, expected a model",
        "predict there.skaudeep none": "none: does not exist",
        "transform birds birds -o f.nc": "birds: is a folder, expected a model",
        "fit birds -o m.skaudeep --labels wrong.csv": "wrong.csv: has no column 'filename'",
        "audit birds --labels none.csv": "none.csv: does not exist",
        "inspect none.csv": "none.csv: does not exist",
        "inspect page.html": "page.html: is a web page, expected recordings",
    }
    code = (
        "import sys\nfrom skaudeep.cli import main\n"
        f"for line in {list(cases)!r}:\n"
        "    try:\n        main(line.split())\n    except SystemExit as end:\n"
        "        assert end.code == 1, line\n"
        "print(sorted({'torch', 'sklearn', 'librosa', 'pandas'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    lines = done.stderr.splitlines()
    assert len(lines) == len(cases), lines
    for line, words in zip(lines, cases.values(), strict=True):
        assert line.startswith(f"Error: {words}"), line
    assert done.stdout == "[]\n"


def test_the_module_and_the_script_are_one_program(program):
    for command in (program, [sys.executable, "-m", "skaudeep"]):
        done = subprocess.run([*command, "predict"], capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr == "Error: Missing argument 'MODEL'. See 'skaudeep predict --help'.\n"


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


def test_debug_shows_where_an_error_happened(run):
    quiet, loud = run("inspect", "nowhere"), run("inspect", "nowhere", "--debug")
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr
    assert loud.stderr.splitlines()[-1] == quiet.stderr.splitlines()[-1]
    assert loud.exit_code == quiet.exit_code == 1


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


def test_a_folder_without_recordings_is_an_error_without_a_list_of_readers(run, tmp_path):
    (tmp_path / "empty").mkdir()
    done = run("inspect", "empty")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: Found no audio file below 'empty'")
    assert "load_" not in done.stderr


def test_the_shell_completes_commands_and_options(monkeypatch, run):
    monkeypatch.setenv("_SKAUDEEP_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "skaudeep pre")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert run().stdout == "plain,predict\n"
    monkeypatch.setenv("COMP_WORDS", "skaudeep predict --min")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert run().stdout == "plain,--min-confidence\n"


def test_the_help_says_how_to_switch_completion_on(run):
    text = run("--help").stdout
    for shell in ("bash", "zsh", "fish"):
        assert f"_SKAUDEEP_COMPLETE={shell}_source skaudeep" in text
