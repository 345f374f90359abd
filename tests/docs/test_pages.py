"""The Python code of README.md and docs/ runs as it is printed, from the top of a page to its end.

Each page runs in an empty folder of its own; what it takes for granted, such as a folder of
recordings, is made there by conftest.py. Code that cannot run here has a line above it that says
why, which readers do not see:

    <!-- skip: next "needs a microphone" -->
"""

from __future__ import annotations

import re
from pathlib import Path
from unittest import SkipTest

import pytest

pytest.importorskip("sybil", reason="the code of pages is found by sybil, of the extra `test`")
from sybil import Document
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parents[2]
if not (ROOT / "README.md").is_file():
    pytest.skip("needs the checkout, not an installed package", allow_module_level=True)

# Pages that need more than 3 s of a processor, and how many: too slow for `make test`.
SLOW = {
    "docs/anomalies.md": 6,
    "docs/choosing-features.md": 5,
    "docs/coming-from-librosa.md": 15,
    "docs/coming-from-opensmile.md": 3,
    "docs/coming-from-scikit-learn.md": 3,
    "docs/conditional-code.md": 6,
    "docs/getting-started.md": 14,
    "docs/labels-over-time.md": 5,
    "docs/lengths-and-chunks.md": 13,
    "docs/models.md": 6,
    "docs/patients-and-privacy.md": 4,
    "docs/reproducibility.md": 7,
    "docs/small-data.md": 3,
}
# What follows the fence of each block of code; that which closes a block has nothing.
FENCES = {
    path.relative_to(ROOT).as_posix(): re.findall(
        r"^\s*(?:```+|~~~+)(.*)$", path.read_text("utf-8"), re.MULTILINE
    )
    for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
}
PAGES = {name: ROOT / name for name, fences in FENCES.items() if "python" in fences}


def read_page(path):
    return Document.parse(str(path), PythonCodeBlockParser(), SkipParser())


def run_page(path, names):
    """Run the code of a page from its top to its end; return why blocks were skipped."""
    page = read_page(path)
    page.namespace.update(names)
    reasons = []
    for example in page.examples():
        try:
            example.evaluate()
        except SkipTest as reason:
            reasons.append(str(reason))
    return reasons


@pytest.fixture
def write_page(tmp_path):
    """Return a function that writes a page of code, in which comments stay as they are."""

    def write(*blocks):
        path = tmp_path / "page.md"
        blocks = [b if b.startswith("<!--") else f"```python\n{b}\n```" for b in blocks]
        path.write_text("\n".join(blocks) + "\n")
        return path

    return write


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in PAGES]
)
def test_the_code_of_a_page_runs_as_printed(name, take_for_granted):
    run_page(PAGES[name], take_for_granted(name))


def test_what_is_made_or_known_of_a_page_is_of_one_that_has_code(given_pages):
    assert {*SLOW, *given_pages} <= PAGES.keys()


def test_python_and_shell_go_by_the_names_that_tests_look_for():
    others = r"\W*(py|ipy|bash|sh|zsh|console|code)"
    wrong = [
        f"{name}: {info}"
        for name, fences in FENCES.items()
        for info in fences
        if re.match(others, info) and info not in ("python", "sh", "console")
    ]
    assert not wrong, "expected python, sh or console"


@pytest.mark.parametrize("name", PAGES)
def test_code_that_is_skipped_says_why(name):
    skips = [
        example.parsed for example in read_page(PAGES[name]) if isinstance(example.parsed, tuple)
    ]
    for action, reason in skips:
        assert action == "end" or re.fullmatch('".+"', reason or ""), (
            f"{name}: skip: {action} {reason}"
        )


def test_a_page_that_nothing_is_made_for_runs_in_an_empty_folder(write_page, take_for_granted):
    page = write_page("from pathlib import Path", "assert not [*Path().iterdir()]")
    assert run_page(page, take_for_granted("docs/new.md")) == []


def test_blocks_share_their_names_and_a_skipped_one_is_left_out_with_its_reason(write_page):
    skip = '<!-- skip: next "needs a microphone" -->'
    page = write_page("a = 1", skip, "a = 2", "assert a == 1")
    assert run_page(page, {}) == ["needs a microphone"]


def test_a_fault_in_the_code_of_a_page_is_an_error_at_its_line(write_page):
    page = write_page("a = 1", "import skaudeep\n\nskaudeep.no_such_name")
    with pytest.raises(AttributeError, match="no_such_name") as error:
        run_page(page, {})
    assert (str(page), 7) in [(str(entry.path), entry.lineno + 1) for entry in error.traceback]
