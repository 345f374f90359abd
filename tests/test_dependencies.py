"""What is imported is declared, what is declared is used, and both pinned sets fit the bounds."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
if not (ROOT / "pyproject.toml").is_file():
    pytest.skip("needs the checkout, not an installed package", allow_module_level=True)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# The name that is imported, where the distribution has another.
MODULES = {
    "lazy-loader": "lazy_loader",
    "liac-arff": "arff",
    "mir-eval": "mir_eval",
    "pytest-xdist": "xdist",
    "scikit-learn": "sklearn",
    "umap-learn": "umap",
}
# Used without an import of ours: the file and the words in it that need the distribution.
USED_BY = {
    "mypy": ("Makefile", "-m mypy"),
    "myst-parser": ("docs/conf.py", '"myst_parser"'),
    "pydata-sphinx-theme": ("docs/conf.py", '"pydata_sphinx_theme"'),
    "pytest-xdist": ("Makefile", "-m pytest -n"),
    "ruff": ("Makefile", "-m ruff"),
    "sphinx-copybutton": ("docs/conf.py", '"sphinx_copybutton"'),
    "sphinx-gallery": ("docs/conf.py", '"sphinx_gallery.gen_gallery"'),
    "sphinx-mathjax-offline": ("docs/conf.py", '"sphinx-mathjax-offline"'),
}
FOR_DEVELOPERS = {"docs", "test"}  # extras that no user needs
# Benchmarks compare with these where somebody has installed them: their bounds or licences clash.
PEERS = {"aeon", "opensmile"}


def names_and_bounds(requirements: list[str]) -> list[tuple[str, dict[str, str]]]:
    """Split `name[extra]>=1,<2` into the name and its bounds, and leave out skaudeep itself."""
    found = []
    for requirement in requirements:
        name, specifiers = re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?([^;]*)", requirement).groups()
        if name != PROJECT["name"]:
            found.append((name, dict(re.findall(r"(>=|<)([\w.]+)", specifiers))))
    return found


CORE = names_and_bounds(PROJECT["dependencies"])
EXTRAS = {
    extra: names_and_bounds(requirements)
    for extra, requirements in PROJECT["optional-dependencies"].items()
}
# Tools of slow tests, of lint and of the documentation.
NOT_RUN_OLDEST = {"mypy", "ruff", "selenium", "sybil"} | {name for name, _ in EXTRAS["docs"]}
DECLARED = [*CORE, *(entry for entries in EXTRAS.values() for entry in entries)]


@cache
def imported_by(folder: str) -> dict[str, set[str]]:
    """Top-level modules of others that a folder's Python files import, and the files that do."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        own = {"skaudeep"}
        if folder != "skaudeep":  # a script imports from its neighbours by their bare names
            own |= {neighbour.stem for neighbour in path.parent.glob("*.py")}
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            else:
                continue
            for name in names:
                top = name.partition(".")[0]
                if top not in own and top not in sys.stdlib_module_names:
                    found.setdefault(top, set()).add(path.relative_to(ROOT).as_posix())
    return found


def modules(entries: list[tuple[str, dict[str, str]]]) -> set[str]:
    return {MODULES.get(name, name) for name, _ in entries}


def test_everything_the_package_imports_is_declared_for_its_users():
    for_users = [entry for extra in EXTRAS.keys() - FOR_DEVELOPERS for entry in EXTRAS[extra]]
    imported = imported_by("skaudeep")
    undeclared = imported.keys() - modules([*CORE, *for_users])
    assert not undeclared, {name: imported[name] for name in undeclared}


def test_everything_tests_examples_and_docs_import_is_declared():
    imported = imported_by("tests") | imported_by("examples") | imported_by("docs")
    undeclared = imported.keys() - modules(DECLARED) - PEERS
    assert not undeclared, {name: imported[name] for name in undeclared}


@pytest.mark.parametrize("name", sorted({name for name, _ in DECLARED}))
def test_each_declared_distribution_is_used(name):
    if name in USED_BY:
        file, words = USED_BY[name]
        assert words in (ROOT / file).read_text("utf-8")
    else:
        folders = ("skaudeep", "tests", "examples", "docs")
        assert any(MODULES.get(name, name) in imported_by(folder) for folder in folders)


def test_the_extra_all_holds_each_extra_for_users():
    everything = re.fullmatch(r"skaudeep\[([\w,]+)\]", *PROJECT["optional-dependencies"]["all"])
    assert set(everything[1].split(",")) == EXTRAS.keys() - FOR_DEVELOPERS - {"all"}


def pins(file: str) -> dict[str, str]:
    """Read the versions that a constraints file pins, by names as pyproject.toml spells them."""
    lines = (ROOT / file).read_text("utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert len({name.lower() for name, _ in pairs}) == len(pairs), "a name twice"
    return {name.lower().replace("_", "-"): version for name, version in pairs}


def numbers(version: str) -> tuple[int, ...]:
    """Split a version into its numbers, without zeros at the end: 1.4 equals 1.4.0."""
    parts = [int(part) for part in re.match(r"[\d.]*\d", version)[0].split(".")]
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


@pytest.mark.parametrize(("name", "bounds"), DECLARED, ids=str)
def test_the_pinned_version_lies_within_the_bounds(name, bounds):
    pinned = numbers(pins("constraints.txt")[name.lower()])
    assert numbers(bounds[">="]) <= pinned
    if "<" in bounds:
        assert pinned < numbers(bounds["<"])


@pytest.mark.parametrize("name", sorted({name for name, _ in DECLARED} - NOT_RUN_OLDEST))
def test_the_oldest_version_run_is_the_lower_bound(name):
    """Where tests need a newer one than users do, what users may have is run."""
    lowest = min(numbers(bounds[">="]) for other, bounds in DECLARED if other == name)
    assert numbers(pins("constraints-oldest.txt")[name.lower()]) == lowest
