"""The end of a command: exit codes, errors and warnings in one line, interruptions."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import click

from skaudeep.cli.wording import in_words

WRONG, USAGE, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141  # exit codes; the last two as shells do
# Errors that files, data and models can cause. All others are bugs of the program.
EXPECTED = (OSError, ValueError, ImportError, MemoryError)


@dataclass
class State:
    """State of a run of the program.

    Parameters
    ----------
    debug : bool, default=False
        Whether an error shows where it happened.
    after_interruption : str
        How to go on after Ctrl-C.
    """

    debug: bool = False
    after_interruption: str = "Nothing was written; run the same command again."


class CommandError(ValueError):
    """An error in the words of the command line: it names the file and the option that helps."""


def guard(run: Callable[[], object], state: State) -> int:
    """Run a command and return its exit code; show what goes wrong as one line on stderr.

    Parameters
    ----------
    run : callable
        What it returns is the exit code, if it is an int.
    state : State
        Read after the command has ended.

    Returns
    -------
    int
    """
    try:
        with warnings.catch_warnings():
            _show_warnings_as_lines()
            code = run()
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx is not None else "skaudeep"
        show("Error", f"{error.format_message()} See '{path} --help'.")
        return USAGE
    except (KeyboardInterrupt, click.Abort):
        show("Interrupted", state.after_interruption)
        return INTERRUPTED
    except BrokenPipeError:
        _close_stdout()
        return BROKEN_PIPE
    except Exception as error:
        if state.debug:
            traceback.print_exc(file=sys.stderr)
        show("Error", describe_error(error))
        return WRONG
    return code if isinstance(code, int) else 0


def describe_error(error: Exception) -> str:
    """Describe an error in one line; for a bug of the program, add how to report it."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}."
    if isinstance(error, EXPECTED):
        return in_words(str(error)) or type(error).__name__
    return (
        f"{type(error).__name__}: {error}. This is a fault of skaudeep: please report it, with "
        "what --debug shows."
    )


def show(kind: str, text: str) -> None:
    """Write one line on stderr, whatever a message holds."""
    click.echo(f"{kind}: {one_line(text)}", err=True)


def one_line(text: str) -> str:
    r"""Return a message as one line that a terminal only displays.

    Examples
    --------
    >>> one_line("2 clips are silent:\n a.wav\n b\x07.wav")
    '2 clips are silent: a.wav; b\\x07.wav'
    """
    lines = [line.strip() for line in text.splitlines()]
    return harmless("; ".join(line for line in lines if line).replace(":; ", ": "))


def harmless(text: str) -> str:
    """Return a text whose lines a terminal only displays; line breaks stay."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def need_extra(extra: str, *modules: str) -> None:
    """Raise an ImportError, before any work, if a package of an extra is not installed."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ImportError(
            f"This command needs {', '.join(missing)}, not installed here: "
            f"pip install 'skaudeep[{extra}]'."
        )


def _show_warnings_as_lines() -> None:
    def show_line(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
        show("Warning", in_words(str(message)))

    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    for category in (UserWarning, RuntimeWarning):  # the others are for those who write code
        warnings.simplefilter("default", category)
    warnings.showwarning = show_line


def _close_stdout() -> None:
    """Send what is still to be written nowhere, or Python would complain when it exits."""
    with suppress(OSError, ValueError):  # where stdout is no file of the system
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
