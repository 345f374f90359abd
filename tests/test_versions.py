"""show_versions: all that a report of a fault needs, also where packages are broken."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import torch

import skaudeep
from skaudeep import versions

ROOT = Path(__file__).parents[1]


def test_versions_of_python_and_of_every_package_are_printed(capsys):
    skaudeep.show_versions()
    lines = capsys.readouterr().out.splitlines()
    shown = dict(line.split(maxsplit=1) for line in lines if len(line.split()) > 1)
    assert shown["skaudeep"] == skaudeep.__version__
    assert shown["torch"] == torch.__version__
    assert set(versions.CORE) | set(versions.EXTRAS) <= set(shown)
    assert shown["processors"].split()[0].isdecimal()


def test_a_broken_package_is_a_line_and_no_error(capsys, monkeypatch):
    def broken() -> str:
        raise OSError("libtorch.so: cannot open shared object file")

    monkeypatch.setattr(versions, "_gpus", broken)
    skaudeep.show_versions()
    shown = capsys.readouterr().out
    assert "not known (OSError: libtorch.so: cannot open shared object file)" in shown
    assert "libsndfile" in shown


@pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="needs the checkout")
def test_the_packages_are_those_that_the_project_declares():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    def names(requirements: list[str]) -> set[str]:
        parts = (requirement.replace("[", ">").partition(">")[0] for requirement in requirements)
        return {part for part in parts if part != "skaudeep"}

    assert set(versions.CORE) == names(project["dependencies"])
    extras = project["optional-dependencies"]
    optional = set().union(*(names(extras[e]) for e in extras if e not in ("test", "docs")))
    assert set(versions.EXTRAS) == optional
