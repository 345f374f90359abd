"""The command lines of README.md and docs/ name commands, options, scripts and targets that exist.

They are not run. Commands of skaudeep are read by click's own parsers; of a script of examples/ the
options are those in its file and in those beside it that it imports.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from skaudeep.cli import main

ROOT = Path(__file__).parents[2]
if not (ROOT / "README.md").is_file():
    pytest.skip("needs the checkout, not an installed package", allow_module_level=True)

BLOCK = re.compile(r"^ *```(sh|console)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]


def command_lines(text):
    """Yield the words of each command in the blocks of a page."""
    for language, block in BLOCK.findall(text):
        lines = [line.strip() for line in block.replace("\\\n", " ").splitlines()]
        if language == "console":  # the others are what the commands print
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        for line in lines:
            for command in line.split(" | "):
                words = shlex.split(command, comments=True)
                while words and re.match(r"[A-Z_]+=", words[0]):  # variables of the environment
                    del words[0]
                yield words


def check_command(words):
    """Raise an error where there is no such command of skaudeep, or it does not take the words."""
    command, words = main, words[1:]
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, words = words[0], words[1:]
        if name not in command.commands:
            raise ValueError(f"skaudeep has no command {name}")
        command = command.commands[name]
    context = click.Context(command)
    values, rest, _ = command.make_parser(context).parse_args(list(words))
    if rest:
        raise click.UsageError(f"unexpected: {rest}")
    for parameter in command.params:
        value = values.get(parameter.name)
        if parameter.required and parameter.value_is_missing(value):
            raise click.MissingParameter(param=parameter)
        if isinstance(parameter.type, click.Choice):
            parameter.type_cast_value(context, value)


def check_script(words):
    """Raise a ValueError where a script is not there, or does not know an option."""
    script = ROOT / words[1]
    text = script.read_text("utf-8")
    for module in re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE):
        if (beside := script.with_name(f"{module}.py")).is_file():
            text += beside.read_text("utf-8")
    known = set(re.findall(r"[\"'](--?[a-zA-Z][\w-]*)[\"']", text))
    unknown = [word for word in words[2:] if re.match(r"--?[a-zA-Z]", word) and word not in known]
    if unknown:
        raise ValueError(f"{words[1]} has no option {unknown}")


def check_target(words):
    """Raise a ValueError where the Makefile does not have a target."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in words[1:]:
        if "=" not in target and not re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE):
            raise ValueError(f"Makefile has no target {target}")


def check(words):
    """Check a command line, and say whether it is of a kind that can be checked."""
    match words:
        case ["skaudeep", *_]:
            check_command(words)
        case [python, script, *_] if python.endswith("python") and script.startswith("examples/"):
            check_script(words)
        case ["make", *_]:
            check_target(words)
        case _:
            return False
    return True


@pytest.mark.parametrize("page", [path.relative_to(ROOT).as_posix() for path in PAGES])
def test_the_command_lines_of_a_page_are_understood(page):
    for words in command_lines((ROOT / page).read_text("utf-8")):
        try:
            check(words)
        except (click.UsageError, OSError, ValueError) as error:
            reason = error.format_message() if isinstance(error, click.UsageError) else error
            pytest.fail(f"{page}: {shlex.join(words)}\n{reason}")


def test_most_command_lines_are_of_a_kind_that_is_checked():
    lines = [words for path in PAGES for words in command_lines(path.read_text("utf-8")) if words]
    assert sum(map(check, lines)) > 0.8 * len(lines)


def test_commands_and_options_that_a_sentence_names_exist():
    missing = []
    for path in PAGES:
        prose = re.sub(
            r"^ *```.*?^ *```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL
        )
        for words in map(str.split, re.findall(r"`(skaudeep [a-z][^`]+)`", prose)):
            try:
                check_command(words)
            except (click.NoSuchOption, ValueError) as error:
                missing.append(f"{path.name}: {shlex.join(words)}: {error}")
            except click.UsageError:  # a sentence need not name every argument
                pass
    assert not missing


def test_variables_comments_continued_lines_and_output_are_told_from_a_command():
    page = """
```console
$ N=1 skaudeep predict a.skaudeep new/ \\
    -n 3   # three
predict --nonsense
```
"""
    (words,) = command_lines(page)
    assert words == ["skaudeep", "predict", "a.skaudeep", "new/", "-n", "3"]


@pytest.mark.parametrize(
    "line",
    [
        "skaudeep no-such-command",
        "skaudeep fit birds/ -o birds.skaudeep --no-such-option",
        "skaudeep fit birds/ -o",
        "skaudeep predict",
        "skaudeep export a.nc -o a.zip --format zip",
        "python examples/no_such_script.py",
        "python examples/benchmarks/accuracy.py PATH --no-such-option",
        "make no-such-target",
    ],
)
def test_a_command_line_that_would_fail_is_found(line):
    with pytest.raises((click.UsageError, OSError, ValueError)):
        check(shlex.split(line))
