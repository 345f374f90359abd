"""Each public name tells what it does, and what each of its parameters and results is."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import pytest
from numpydoc.validate import validate

MODULES = [
    "skaudeep",
    "skaudeep.audio",
    "skaudeep.callbacks",
    "skaudeep.datasets",
    "skaudeep.evaluation",
    "skaudeep.formats",
    "skaudeep.persistence",
    "skaudeep.plotting",
    "skaudeep.recipes",
    "skaudeep.reporting",
]
# Left out are matters of layout, and what our docstrings need not have: an extended summary, a
# "See Also", a result without a name.
CHECKS = {
    *("GL05", "GL06", "GL07", "GL08", "GL10"),  # sections: known, in order, present
    *("SS01", "SS02", "SS03", "SS04"),  # the summary is a sentence
    *("PR01", "PR02", "PR03", "PR04", "PR05", "PR06", "PR07", "PR09", "PR10"),  # parameters
    *("RT01", "RT03", "RT05", "YD01"),  # what is returned
}

# Methods that users do not call by name, and why an example need not show them.
NOT_SHOWN = {
    **dict.fromkeys(
        (
            "get_metadata_routing",
            "set_fit_request",
            "set_inverse_transform_request",
            "set_partial_fit_request",
            "set_score_request",
        ),
        "scikit-learn's requests of metadata, which its guide explains",
    ),
    **dict.fromkeys(
        ("setup", "teardown", "on_fit_task_begin", "on_fit_task_end"),
        "hooks of a callback, which `fit` calls",
    ),
    "set_output": "scikit-learn's, the same for all transformers",
}


def members(name: str, value: type) -> Iterator[str]:
    """Yield the public methods and properties that skaudeep wrote for a class."""
    for attribute in dir(value):
        if attribute.startswith("_"):
            continue
        owner = next(base for base in value.__mro__ if attribute in vars(base))
        raw = vars(owner)[attribute]
        is_ours = owner.__module__.startswith("skaudeep")
        is_called = inspect.isroutine(inspect.unwrap(raw))
        if is_ours and (is_called or isinstance(raw, (property, classmethod, staticmethod))):
            yield f"{name}.{attribute}"


def public_names(module: str) -> Iterator[str]:
    """Yield the functions and classes that a module offers, and the methods of the classes.

    The top level offers many names of the subpackages again, which are left to these.
    """
    offers = importlib.import_module(module)
    elsewhere = set()
    if module == "skaudeep":
        elsewhere = {
            id(getattr(importlib.import_module(sub), name))
            for sub in MODULES[1:]
            for name in importlib.import_module(sub).__all__
        }
    for name in sorted(offers.__all__):
        value: Any = getattr(offers, name)
        if id(value) in elsewhere or not (inspect.isclass(value) or inspect.isroutine(value)):
            continue
        yield f"{module}.{name}"
        if inspect.isclass(value):
            yield from members(f"{module}.{name}", value)


def faults(module: str) -> list[str]:
    """List what the docstrings of a module lack, one line each."""
    return [
        f"{name}: {code} {text}"
        for name in public_names(module)
        for code, text in validate(name)["errors"]
        if code in CHECKS
    ]


def examples(documented: object) -> str:
    """Return the section of examples of a docstring; "" if there is none."""
    return (inspect.getdoc(documented) or "").partition("\nExamples\n--------\n")[2]


def methods_without_example(value: type) -> list[str]:
    """List the public methods of a class that no example calls.

    The example may be that of the method, which a base class may have, or that of the class.
    """
    missing = []
    for full in members(value.__name__, value):
        name = full.rpartition(".")[2]
        versions = [vars(base)[name] for base in value.__mro__ if name in vars(base)]
        if name in NOT_SHOWN or isinstance(versions[0], (property, cached_property)):
            continue
        documented = (value, getattr(value, name), *versions)
        if not any(f".{name}(" in examples(one) for one in documented):
            missing.append(full)
    return missing


@pytest.mark.parametrize("module", MODULES)
def test_docstrings_tell_every_parameter_and_result(module):
    found = faults(module)
    assert not found, "\n".join(found)


def test_a_missing_parameter_is_found():
    """The check itself is able to fail."""
    codes = {code for code, _ in validate("pytest.approx")["errors"]}
    assert codes & CHECKS


def test_every_public_name_is_looked_at():
    names = {name for module in MODULES for name in public_names(module)}
    assert {
        "skaudeep.SpectrogramExtractor",
        "skaudeep.Seq2SeqAutoencoder.fit",
        "skaudeep.ReservoirFeatures.encoder_",
        "skaudeep.datasets.load_esc",
        "skaudeep.evaluation.evaluate",
        "skaudeep.plotting.LossCurveDisplay.plot",
        "skaudeep.recipes.two_scales",
    } <= names


def test_main_methods_are_shown_in_an_example():
    classes = {
        id(value): value
        for module in map(importlib.import_module, MODULES)
        for value in (getattr(module, name) for name in module.__all__)
        if inspect.isclass(value)
    }
    missing = [name for value in classes.values() for name in methods_without_example(value)]
    assert not missing, f"no example calls {', '.join(sorted(missing))}"


def test_a_method_that_no_example_calls_is_found():
    """The check itself is able to fail."""

    class Shown:
        """A class.

        Examples
        --------
        >>> Shown().seen()
        """

        def seen(self) -> None:
            """Do nothing."""

        def unseen(self) -> None:
            """Do nothing.

            Examples
            --------
            >>> Shown().unseen_by_this(0)
            """

    Shown.__module__ = "skaudeep.shown"
    assert methods_without_example(Shown) == ["Shown.unseen"]


def test_methods_left_out_of_the_examples_exist():
    """No reason is left over from a method that is gone."""
    found = {name.rpartition(".")[2] for module in MODULES for name in public_names(module)}
    assert found >= NOT_SHOWN.keys()
