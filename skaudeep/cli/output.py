"""What a command writes: results on stdout, notes on stderr, files that are never overwritten."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from skaudeep._files import check_writable
from skaudeep._texts import printable
from skaudeep.cli.errors import CommandError, one_line


def note(text: str) -> None:
    """Write a line on stderr."""
    click.echo(one_line(text), err=True)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Say on stderr what is done meanwhile; on a terminal a sign moves until the end."""
    if not sys.stderr.isatty():
        note(f"{text} ...")
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


def results() -> TextIO:
    """Return stdout, able to write every name of a file.

    The line of progress takes the place of `sys.stdout` while it is drawn: ask before.
    """
    stream = sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="surrogateescape")
    return stream


def write_json(value: Any) -> None:
    """Write a value on stdout as JSON, NaN as null."""
    click.echo(json.dumps(_plain(value), indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # arrays and numbers of NumPy
        return _plain(value.tolist())
    return None if isinstance(value, float) and value != value else value


def check_output(path: str | os.PathLike[str], force: bool, read: Sequence[str] = ()) -> Path:
    """Return the file to write, before any work is done for it.

    Parameters
    ----------
    path : str or Path
    force : bool
        Whether it may replace what is there.
    read : sequence of str, default=()
        What the command reads, which it never replaces.

    Raises
    ------
    CommandError
        If it exists and may not be replaced.
    OSError
        If it cannot be written.
    """
    file = Path(path).expanduser()
    if os.path.lexists(file) and not force and not file.is_dir():
        raise CommandError(
            f"{printable(path)}: exists already. Choose another name by -o, or replace it by "
            "--force."
        )
    check_writable(file)
    if file.exists():
        for other in read:
            given = os.path.expanduser(other)
            if os.path.exists(given) and os.path.samefile(file, given):
                raise CommandError(
                    f"{printable(path)}: is what the command reads. Choose another name by -o."
                )
    return file
