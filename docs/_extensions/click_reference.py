"""The directive `click-commands`, which writes the reference of a program from its commands.

It stands in a page in reStructuredText::

    .. click-commands:: skaudeep.cli.main
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import click
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


def commands(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """Yield the context of each command that does something, in the order of the help."""
    if not isinstance(command, click.Group):
        yield context
        return
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        yield from commands(child, click.Context(child, parent=context, info_name=name))


def prose(text: str) -> Iterator[str]:
    """Yield the lines of a help text; a paragraph that begins with a backspace keeps its lines."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        lines = paragraph.strip("\n").splitlines()
        if lines[:1] == ["\b"]:
            yield from ("::", "", *(f"  {line}" for line in lines[1:]), "")
        else:
            yield from (*(re.sub(r"([\\*`|_])", r"\\\1", line) for line in lines), "")


def options(context: click.Context) -> Iterator[str]:
    """Yield the options of a command as a list of Sphinx's `option` directive."""
    for parameter in context.command.params:
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option):
            names, text = record
            yield from (f".. option:: {names.replace(' / ', ', ')}", "")
            yield from (f"   {line}" for line in prose(text))


class ClickCommands(SphinxDirective):
    """A section for each command: how it is called, what it does, its options."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        module, _, name = self.arguments[0].rpartition(".")
        program: Any = getattr(importlib.import_module(module), name)
        root = click.Context(program, info_name=program.name)
        sections: list[nodes.Node] = []
        for context in commands(program, root):
            title = context.command_path
            section = nodes.section("", nodes.title("", title), ids=[nodes.make_id(title)])
            usage = " ".join([title, *context.command.collect_usage_pieces(context)])
            lines = ["::", "", f"  {usage}", "", *prose(context.command.help or "")]
            lines += [f".. program:: {title}", "", *options(context)]
            self.state.nested_parse(StringList(lines, self.arguments[0]), 0, section)
            sections.append(section)
        return sections


def setup(app: Any) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("click-commands", ClickCommands)
    return {"parallel_read_safe": True}
