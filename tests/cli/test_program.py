"""The program: help without the heavy libraries, one-line errors, exit codes, completion."""

import re
import subprocess
import sys
from pathlib import Path

import skaudeep

COMMANDS = ["report", "inspect", "audit", "evaluate", "fit", "predict", "transform"]
COMMANDS += [
    "detect",
    "unusual",
    "similar",
    "extract",
    "train",
    "fuse",
    "split",
    "export",
    "import",
]
COMMANDS += ["validate", "plot"]
ARGUMENTS = {"similar": "ARCHIVE", "import": "TABLE", "plot": "COMMAND"}  # of the others INPUT...
HEAVY = {"torch", "sklearn", "librosa", "pandas", "numba", "netCDF4", "matplotlib", "numpy"}


def test_help_begins_with_a_line_for_each_command_in_the_order_of_use(run):
    lines = run("--help").stdout.splitlines()
    assert lines[0].startswith("Usage: skaudeep")
    assert lines[2] == "Commands:"
    rows = [line.split(maxsplit=1) for line in lines[3 : 3 + len(COMMANDS)]]
    assert [name for name, _ in rows] == COMMANDS
    assert lines[3 + len(COMMANDS)] == ""
    assert all(meaning.endswith(".") and "..." not in meaning for _, meaning in rows)


def test_without_arguments_help_is_shown(run):
    assert run().stdout == run("--help").stdout
    assert run().exit_code == 0


def test_help_of_each_command_says_what_its_options_mean(run):
    for name in COMMANDS:
        done = run(name, "--help")
        assert done.exit_code == 0
        assert ARGUMENTS.get(name, "INPUT...") in done.stdout
        assert not re.findall(r"^  --?[\w-]+(?: [A-Z]+)?$\n(?!   )", done.stdout, re.MULTILINE)


def test_help_and_version_load_no_heavy_library():
    code = (
        "import sys\nfrom skaudeep.cli import main\n"
        f"for args in (['--help'], *([name, '--help'] for name in {COMMANDS!r}),\n"
        "             ['plot', 'loss', '--help'], ['--version']):\n"
        "    try:\n        main(args)\n    except SystemExit as end:\n        assert not end.code\n"
        f"print(sorted({HEAVY!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    *_, version, loaded = done.stdout.splitlines()
    assert version == f"skaudeep {skaudeep.__version__}"
    assert loaded == "[]"


def test_the_page_of_the_command_line_names_every_command():
    page = (Path(__file__).parents[2] / "docs/command-line.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+) [A-Zlm]", page, re.MULTILINE)) == set(COMMANDS)


def test_the_module_and_the_script_are_one_program(program):
    for command in (program, [sys.executable, "-m", "skaudeep"]):
        done = subprocess.run([*command, "predict"], capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr == "Error: Missing argument 'MODEL'. See 'skaudeep predict --help'.\n"


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
