"""The program `skaudeep`: its commands, in the order in which they are used, and its help."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from skaudeep._version import __version__
from skaudeep.cli import (
    corpus,
    errors,
    evaluation,
    models,
    plots,
    report,
    search,
    sets,
    training,
    unusual,
)

HELP = """
An INPUT is a folder of recordings (sub-folders name the classes), a table of them (.csv, .tsv), a
file of skaudeep (.nc), recordings, or - for their names on standard input, one a line or divided
by NUL. Results go to standard output, all else to standard error. Exit codes: 0 done, 1 something
about files, data or models, 2 the command line itself, 130 interrupted. A recording that cannot be
read is named: predict, transform, extract and unusual, which have a result for each, then end with
1; fit, train, evaluate and report leave it out and end with 0.

\b
Example:
  skaudeep report birds/ -o birds.html
  skaudeep fit birds/ -o birds.skaudeep
  skaudeep predict birds.skaudeep new/ -o new.tsv

\b
Completion by the Tab key, for the shell's own start-up file:
  bash   eval "$(_SKAUDEEP_COMPLETE=bash_source skaudeep)"
  zsh    eval "$(_SKAUDEEP_COMPLETE=zsh_source skaudeep)"
  fish   _SKAUDEEP_COMPLETE=fish_source skaudeep | source
"""


class Program(click.Group):
    """A group whose help begins with its commands, and whose errors are one line each."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they were added, which is that of their use."""
        return list(self.commands)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write usage and commands first."""
        self.format_usage(ctx, formatter)
        self.format_commands(ctx, formatter)
        self.format_help_text(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    # click's own `main` returns what a command does; this one always exits.
    def main(  # type: ignore[override]
        self, args: list[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> None:
        """Run the command that the arguments name, and exit."""
        if any(name.startswith("_SKAUDEEP_COMPLETE") for name in os.environ):
            super().main(args, "skaudeep", complete_var="_SKAUDEEP_COMPLETE", **extra)
        given = sys.argv[1:] if args is None else list(args)
        state = errors.State()

        def run() -> object:
            with self.make_context("skaudeep", given or ["--help"], obj=state) as context:
                return self.invoke(context)

        sys.exit(errors.guard(run, state))


@click.group(cls=Program, name="skaudeep", help=HELP)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Run `skaudeep`."""


for command in (
    report.report,
    corpus.inspect,
    corpus.audit,
    evaluation.evaluate,
    models.fit,
    models.predict,
    models.transform,
    search.detect,
    unusual.unusual,
    search.similar,
    corpus.extract,
    training.train,
    sets.fuse,
    sets.split,
    sets.export,
    sets.import_,
    sets.validate,
    plots.plot,
):
    main.add_command(command)
