"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from skaudeep.cli.errors import State

F = TypeVar("F", bound=Callable[..., Any])
POSITIVE = click.FloatRange(min=0, min_open=True)


def options(*decorators: Callable[[Any], Any]) -> Callable[[F], F]:
    """Return a decorator that adds options to a command, in the order in which help lists them."""

    def add(function: F) -> F:
        for decorate in reversed((*decorators, _debug)):
            function = decorate(function)
        return function

    return add


def output(text: str, *, required: bool = False) -> Callable[[Any], Any]:
    """Return the option that names the file to write."""
    return click.option(
        "-o", "--output", metavar="FILE", type=click.Path(), required=required, help=text
    )


def _set_debug(context: click.Context, _: click.Parameter, value: bool) -> None:
    if isinstance(context.obj, State):
        context.obj.debug = value


def check_pattern(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return the value of an option, or raise an error if it is no regular expression."""
    if value is not None:
        try:
            re.compile(value)
        except re.error as error:
            raise click.BadParameter(f"{value!r} is no regular expression: {error}.") from error
    return value


# Existence is checked later: click would end with 2, and a missing folder is no wrong command line.
inputs = click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=click.Path())
model = click.argument("model", metavar="MODEL", type=click.Path())

path = click.option(
    "--path",
    metavar="COLUMN",
    help="Column of a table with the paths of the recordings. By default the one that names "
    "existing files.",
)
target = click.option(
    "--target",
    metavar="COLUMN",
    help="Column of a table with the class of each recording. By default one that is called so, "
    "such as label, class or category.",
)
labels = click.option(
    "--labels",
    metavar="CSV",
    type=click.Path(),
    multiple=True,
    help="Table with the columns filename and label, such as the one that a report lets you "
    "download: it labels more clips, or corrects labels. May be given several times.",
)
groups = click.option(
    "--groups",
    metavar="REGEX",
    callback=check_pattern,
    help="Regular expression that finds the group of a recording in its name: the speaker, site "
    "or session. Folds keep groups together. Names are those within the INPUT, such as "
    "crow/ann_01.wav; --groups '([^/_]+)_[^/]*$' finds ann in it: what stands before the first "
    "underscore of the file's own name.",
)
folds = click.option(
    "--folds",
    metavar="N",
    type=click.IntRange(min=2),
    help="Number of folds of the cross-validation. By default the folds or partitions that the "
    "corpus states are used; without them 5, or fewer where a class has fewer groups or clips.",
)
sampling_rate = click.option(
    "--sampling-rate",
    metavar="HZ",
    type=click.FloatRange(1, 1e7),
    help="Sampling rate to which all recordings are resampled. By default the most frequent one.",
)
seed = click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Seed of all that is drawn at random: the same one gives the same result.",
)
jobs = click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    help="Number of threads or processes. The result does not depend on it.",
)
force = click.option("--force", is_flag=True, help="Replace files that exist.")
as_json = click.option(
    "--json", "as_json", is_flag=True, help="Write the result as JSON, for other programs."
)
_debug = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_set_debug,
    is_eager=True,
    help="Show where in the program an error happened.",
)
# Options that describe the recordings and labels of an INPUT.
LABELLED = (path, target, labels, groups)
