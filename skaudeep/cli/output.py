"""Output of commands: results on stdout, notes on stderr, and files that are not overwritten."""

from __future__ import annotations

import glob
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from skaudeep._files import alone, check_writable, replacing
from skaudeep._texts import printable
from skaudeep.cli.errors import CommandError, one_line

if TYPE_CHECKING:
    import pandas as pd


def note(text: str) -> None:
    """Write a line on stderr."""
    click.echo(one_line(text), err=True)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show the current task on stderr; on a terminal a sign moves until the end."""
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


def save_table(table: pd.DataFrame, file: Path) -> None:
    """Write a table as CSV, into a file that is whole or not there."""
    with replacing(file) as temporary:
        # As in other tables, names of files that are no text keep their bytes.
        table.to_csv(
            temporary, index=False, float_format="%.6g", encoding="utf-8", errors="surrogateescape"
        )


def check_output(
    path: str | os.PathLike[str], force: bool, read: Sequence[str] = (), *, option: str = "-o"
) -> Path:
    """Return the file to write, before any work is done for it, and keep other commands from it.

    That lasts until the command ends. Without it two commands would write one file, and the later
    one replace what the other made.

    Parameters
    ----------
    path : str or Path
    force : bool
        Whether it may replace what is there.
    read : sequence of str, default=()
        What the command reads, which it never replaces.
    option : str, default="-o"
        The option that names it.

    Raises
    ------
    CommandError
        If it exists and may not be replaced, or another command is writing it.
    OSError
        If it cannot be written.
    """
    file = Path(path).expanduser()
    _check_absent(path, file, force, option)
    check_writable(file)
    context = click.get_current_context(silent=True)
    if context is not None:
        try:
            context.with_resource(alone(file))
        except BlockingIOError as error:
            if not force:
                raise CommandError(
                    f"{printable(path)}: another command is writing it. Wait until it has ended, "
                    f"or choose another name by {option}."
                ) from error
        _check_absent(path, file, force, option)  # the other command may just have ended
    if file.exists():
        for other in read:
            given = os.path.expanduser(other)
            if os.path.exists(given) and os.path.samefile(file, given):
                raise CommandError(
                    f"{printable(path)}: is what the command reads. Choose another name by "
                    f"{option}."
                )
    return file


def check_folder(
    path: str | os.PathLike[str], names: Sequence[str], force: bool
) -> dict[str, Path]:
    """Return the files to write in a folder, before any work is done for them.

    Like `check_output` it keeps other commands from the folder, which it makes where it is missing.

    Parameters
    ----------
    path : str or Path
        The folder.
    names : sequence of str
        Names of the files, with `/` between folders below it.
    force : bool
        Whether they may replace what is there.

    Returns
    -------
    dict of str to Path
        Each file by its name.

    Raises
    ------
    CommandError
        If one exists and may not be replaced, or another command writes into the folder.
    OSError
        If one cannot be written.
    """
    folder = Path(path).expanduser()
    files = {name: folder / name for name in names}
    there = [file for file in files.values() if os.path.lexists(file)]
    if there and not force:
        of_all = "" if len(there) == 1 else f", and {len(there) - 1} more"
        raise CommandError(
            f"{printable(there[0])}{of_all}: exists already. Choose another folder by -o, or "
            "replace what is there by --force."
        )
    for parent in {file.parent for file in files.values()}:
        parent.mkdir(parents=True, exist_ok=True)
    context = click.get_current_context(silent=True)
    if context is not None:
        try:
            context.with_resource(alone(folder / "skaudeep"))
        except BlockingIOError as error:
            raise CommandError(
                f"{printable(path)}: another command is writing into it. Wait until it has ended, "
                "or choose another folder by -o."
            ) from error
    for file in files.values():
        check_writable(file)
    return files


def check_export(
    path: str | os.PathLike[str], name: str, ending: str, force: bool, read: Sequence[str] = ()
) -> Path:
    """Return the folder to write files of one name into, as `check_output` does for one file.

    Parameters
    ----------
    path : str or Path
        The folder, which need not exist.
    name, ending : str
        Of the files, which lie in it, or in folders of partitions and folds.
    force : bool
        Whether files may be replaced.
    read : sequence of str, default=()
        What the command reads, which it never replaces.

    Raises
    ------
    CommandError
        If there is such a file that may not be replaced, or another command is writing here.
    """
    folder = Path(path).expanduser()
    if folder.exists() and not folder.is_dir():
        raise CommandError(f"{printable(path)}: is a file, expected a folder, or a new name.")
    if not folder.parent.is_dir():
        raise CommandError(f"{printable(path)}: its folder does not exist. Create it first.")
    context = click.get_current_context(silent=True)
    if context is not None:
        try:
            context.with_resource(alone(folder))
        except BlockingIOError as error:
            raise CommandError(
                f"{printable(path)}: another command is writing it. Wait until it has ended, or "
                "choose another folder by -o."
            ) from error
    of_name = f"{glob.escape(name)}{ending}"
    for file in (file for place in ("", "*/", "*/*/") for file in folder.glob(place + of_name)):
        given = [os.path.expanduser(other) for other in read]
        if any(os.path.exists(other) and os.path.samefile(file, other) for other in given):
            raise CommandError(f"{printable(file)}: is what the command reads. Choose another -o.")
        if not force:
            raise CommandError(
                f"{printable(file)}: exists already. Choose another folder by -o or another "
                "--name, or replace it by --force."
            )
    return folder


def _check_absent(
    path: str | os.PathLike[str], file: Path, force: bool, option: str = "-o"
) -> None:
    if os.path.lexists(file) and not force and not file.is_dir():
        raise CommandError(
            f"{printable(path)}: exists already. Choose another name by {option}, or replace it by "
            "--force."
        )
