"""What completion offers: the names that a user calls, and no modules among them."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest

import skaudeep

PUBLIC = [name for name in dir(skaudeep) if isinstance(getattr(skaudeep, name), ModuleType)]


def test_subpackages_are_there_after_import_skaudeep_alone():
    assert {"callbacks", "datasets", "evaluation", "formats", "plotting"} <= set(PUBLIC)
    assert skaudeep.callbacks.Checkpoint is not None


@pytest.mark.parametrize("name", PUBLIC)
def test_completion_in_a_subpackage_offers_functions_and_classes_but_no_modules(name):
    module = getattr(skaudeep, name)
    offered = dir(module)
    assert offered
    for attribute in offered:
        value = getattr(module, attribute)
        assert callable(value), f"{name}.{attribute}"
        assert (value.__module__ or "").startswith("skaudeep"), f"{name}.{attribute}"


def test_completion_in_recipes_offers_every_function_there():
    from skaudeep import recipes

    written_here = {
        name
        for name, value in vars(recipes).items()
        if inspect.isfunction(value) and value.__module__ == recipes.__name__
    }
    assert {n for n in written_here if not n.startswith("_")} == set(dir(recipes))
