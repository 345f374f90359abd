"""The gallery: each example has its parts, in the form that sphinx-gallery reads, and runs."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "gallery"
SCRIPTS = sorted(FOLDER.glob("plot_*.py"))
# Paths of whoever wrote an example, notes to oneself, and words that talk down to the reader.
UNFIT = re.compile(r"/tmp\b|/home\b|/root\b|\bTODO|\bFIXME|\bXXX|\bsimply\b|\bobviously\b", re.I)


@pytest.fixture(params=SCRIPTS, ids=lambda path: path.stem)
def script(request) -> Path:
    return request.param


def test_there_are_at_least_fourteen_examples():
    assert len(SCRIPTS) >= 14


def test_an_example_begins_with_a_title_and_what_one_learns(script):
    title, underline, blank, *text = ast.get_docstring(ast.parse(script.read_text())).splitlines()
    assert underline == "=" * len(title)
    assert not blank
    assert len(" ".join(text)) > 100


def test_an_example_has_cells_with_text(script):
    cells = re.findall(r"^# %%\n# \S", script.read_text(), flags=re.MULTILINE)
    assert len(cells) >= 3


def test_an_example_ends_with_its_main_figure_and_what_to_try_next(script):
    source = script.read_text()
    last = [type(node) for node in ast.parse(source).body[-3:]]
    assert ast.Assert in last
    *_, end = source.split("# %%\n")
    assert end.startswith("# What to try next")
    assert ":func:" in end or ":class:" in end or ":ref:" in end or "``" in end


def test_an_example_draws(script):
    assert "plt.show()" in script.read_text()


def test_an_example_is_written_for_its_readers(script):
    assert UNFIT.findall(script.read_text()) == []


def test_references_to_other_examples_lead_somewhere(script):
    names = re.findall(r":ref:`sphx_glr_auto_examples_(\w+\.py)`", script.read_text())
    assert [name for name in names if not (FOLDER / name).is_file()] == []
    # A line break inside of a role would leave it unread.
    assert re.findall(r":(?:ref|func|class|mod):`[^`]*\n", script.read_text()) == []


def test_references_to_the_library_lead_somewhere(script):
    roles = re.findall(r":(?:func|class|mod):`~?(skaudeep[\w.]*)`", script.read_text())
    for name in roles:
        found = __import__("skaudeep")
        for part in name.split(".")[1:]:
            found = getattr(found, part)


def test_each_clip_has_its_attribution():
    clips = sorted(path.relative_to(FOLDER / "clips") for path in FOLDER.glob("clips/*/*.ogg"))
    text = (FOLDER / "clips" / "ATTRIBUTION.md").read_text()
    rows = re.findall(r"^\| `(.+?)` \| .+ \| .+ \| <http\S+/sounds/(\d+)/> \|$", text, re.MULTILINE)
    assert sorted(name for name, _ in rows) == [clip.as_posix() for clip in clips]
    assert all(f"-{number}-" in name for name, number in rows)
    assert sum((FOLDER / "clips" / clip).stat().st_size for clip in clips) < 1_500_000


@pytest.mark.slow
def test_an_example_runs(script):
    environment = os.environ | {"MPLBACKEND": "Agg"}
    command = [sys.executable, "-W", "error::FutureWarning", script.name]
    subprocess.run(command, cwd=FOLDER, env=environment, check=True, timeout=600)
