"""CONTRIBUTING.md and the page on robustness describe the package as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import skaudeep

ROOT = Path(__file__).parents[1]
if not (ROOT / "CONTRIBUTING.md").is_file():
    pytest.skip("needs the checkout, not an installed package", allow_module_level=True)

GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PACKAGE = Path(skaudeep.__file__).parent


def test_each_file_that_the_guide_names_exists():
    named = set(re.findall(r"`((?:skaudeep|tests|\.ci)/[\w./]+)`", GUIDE))
    assert len(named) > 20
    assert not [path for path in named if not (ROOT / path).exists()]


def test_each_function_that_a_walk_names_is_in_a_file_of_the_package():
    walks = GUIDE[GUIDE.index("## Walks") : GUIDE.index("## Words")]
    named = set(re.findall(r"`(?:\w+\.)?([a-zA-Z_]+)`", walks)) - {"data", "lazy"}
    source = "".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    missing = [name for name in named if not re.search(rf"\b{name}\b", source)]
    assert not missing


def test_the_guide_has_a_row_for_each_module_and_subpackage():
    present = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    table = GUIDE[GUIDE.index("## Architecture") : GUIDE.index("## Walks")]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert present - {"__init__", "__pycache__"} <= named


def test_each_make_target_is_explained():
    makefile = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    targets = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    for target in set(targets[1].split()) - {"clean", "demo"}:
        assert f"`make {target}`" in GUIDE


def test_each_test_and_file_that_the_page_on_robustness_names_exists():
    page = (ROOT / "docs/development/robustness.md").read_text("utf-8")
    source = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    tests = set(re.findall(r"`(test_\w+)`", page))
    assert len(tests) > 30
    assert not [name for name in tests if f"def {name}(" not in source]
    files = set(re.findall(r"`((?:skaudeep|tests)/[\w./]+)`", page))
    assert not [path for path in files if not (ROOT / path).exists()]
