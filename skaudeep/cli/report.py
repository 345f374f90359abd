"""The command that makes one page of all that is known about a folder of recordings."""

from __future__ import annotations

import os
import re
import shlex
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from skaudeep._texts import printable
from skaudeep.cli import options
from skaudeep.cli.checks import check_ending
from skaudeep.cli.errors import CommandError, State, harmless, need_extra
from skaudeep.cli.inputs import (
    choose_folds,
    choose_rate,
    count_units,
    describe_source,
    read_source,
    require_classes,
    stem_of,
)
from skaudeep.cli.output import check_output, note, write_json

if TYPE_CHECKING:
    from sklearn.utils import Bunch


@click.command()
@options.options(
    options.inputs,
    options.output("Page to write. By default the name of the input with .html, here."),
    click.option(
        "--model",
        metavar="FILE",
        type=click.Path(),
        help="Also fit a model to all labelled recordings and write it here (.skaudeep).",
    ),
    click.option(
        "--errors",
        metavar="FILE",
        type=click.Path(),
        help="Also write a table of all recordings that were named wrongly, the surest first "
        "(.csv).",
    ),
    *options.LABELLED,
    options.folds,
    click.option("--title", metavar="TEXT", help="Title of the page."),
    click.option(
        "--no-audio",
        is_flag=True,
        help="Leave out the sound, such as that of patients, every link to it, and spectrograms.",
    ),
    options.sampling_rate,
    options.jobs,
    options.seed,
    options.force,
    options.as_json,
)
@click.pass_obj
def report(
    state: State,
    inputs: tuple[str, ...],
    output: str | None,
    model: str | None,
    errors: str | None,
    path: str | None,
    target: str | None,
    labels: tuple[str, ...],
    groups: str | None,
    folds: int | None,
    title: str | None,
    no_audio: bool,
    sampling_rate: float | None,
    jobs: int | None,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Make one HTML page of faults, accuracy and errors to hear.

    The page holds all that it needs and opens in any browser. It holds up to 20 MB of sound; other
    sounds are links to recordings in or below the folder of the page. Where recordings have no
    label, it helps to name them, in the order that helps most, and gives a table for --labels.
    """
    need_extra("cli", "jinja2", "matplotlib")
    page = check_output(output or f"{stem_of(inputs)}.html", force, (*inputs, *labels))
    model_file = None
    if model is not None:
        model_file = check_output(model, force, (*inputs, *labels))
        check_ending(model)
    table = None if errors is None else check_output(errors, force, (*inputs, *labels))
    with warnings.catch_warnings():
        # That all clips are of one group is an error here.
        warnings.filterwarnings("ignore", "The pattern .* gives all .* one group", UserWarning)
        source = read_source(inputs, path=path, target=target, labels=labels, groups=groups)
    if groups is not None:
        _check_groups(groups, source.bunch)
    from skaudeep.classification import classifier_for
    from skaudeep.datasets import describe
    from skaudeep.reporting import report as make_report

    summary = describe(source.bunch, n_jobs=jobs or -1)
    require_classes(source.title, source.bunch)
    # Folds need two classes that can be both trained and tested.
    labelled = sum(n > 1 for n in count_units(source.bunch).values()) > 1
    more = [choose_folds(source.bunch, folds)[1]] if labelled else []
    note(describe_source(source, summary, *more))
    pipeline = classifier_for(
        source.bunch,
        sampling_rate=choose_rate(summary, sampling_rate),
        n_jobs=jobs,
        random_state=seed,
    )
    before = page.stat() if page.exists() else None
    try:
        made = make_report(
            source.bunch,
            page,
            pipeline=pipeline,
            cv=folds,
            title=title or stem_of(inputs),
            audio=not no_audio,
            model=model_file,
            errors=table,
            command=_command(click.get_current_context()),
            overwrite=force,
            random_state=seed,
            on_summary=lambda text: click.echo(harmless(text), err=True),
        )
    except KeyboardInterrupt:
        if page.exists() and (before is None or page.stat().st_ino != before.st_ino):
            state.after_interruption = (
                f"{printable(page)} is whole, the model is not written: 'skaudeep fit' makes it."
            )
        raise
    if as_json:
        write_json(
            {"page": str(made.path), "summary": made.summary, "model": model, "errors": errors}
        )
    else:
        click.echo(printable(page))
    if model is not None:
        note(f"Model: {printable(model)}.")
    if errors is not None:
        note(f"Recordings named wrongly: {printable(errors)}.")
    if made.n_to_name:
        heard = "heard and named" if made.n_audible else "named"
        note(
            f"In the page, clips can be {heard}. Download their labels, then run the same command "
            "with --labels FILE --force."
        )


def _check_groups(pattern: str, bunch: Bunch) -> None:
    """Refuse a pattern that finds the same group for all clips, which nothing can divide."""
    found = set(bunch.groups.tolist())
    if len(found) == 1 < len(bunch.groups):
        of = found.pop()
        numbered = f"({re.escape(of)}[0-9]+)"
        matches = [re.search(numbered, name) for name in bunch.filenames.tolist()]
        differ = all(matches) and len({match[1] for match in matches if match}) > 1
        raise CommandError(
            f"The pattern '{printable(pattern)}' gives all {len(bunch.groups)} clips the same "
            f"group, '{printable(of)}'. Put in parentheses what differs between patients, animals "
            f"or recordings, such as '{printable(numbered) if differ else '(patient[0-9]+)'}'."
        )


def _command(context: click.Context) -> str:
    """Return the command as it was given, with the names of files without their folders.

    It has --force, since the page that it makes exists where it is read.
    """
    words = ["skaudeep", "report"]
    for option in context.command.params:
        value = context.params.get(option.name or "")
        if context.get_parameter_source(option.name or "") is not ParameterSource.COMMANDLINE:
            continue
        if isinstance(option.type, click.Path):
            files = value if isinstance(value, tuple) else (value,)
            names = [Path(os.path.abspath(file)).name for file in files]
        else:
            names = [] if value is True else [str(value)]
        flag = [option.opts[0]] if isinstance(option, click.Option) else []
        words += [word for name in names for word in (*flag, name)] if names else flag
    return shlex.join(words if "--force" in words else [*words, "--force"])
