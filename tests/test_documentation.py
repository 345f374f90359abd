"""The documentation is built without a warning, and its search finds what users look for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import skaudeep

ROOT = Path(__file__).parents[1]
if not (ROOT / "docs/conf.py").is_file():
    pytest.skip("needs the checkout, not an installed package", allow_module_level=True)

SECONDS = 60  # until a result must have come
# The page that a word is to find, among the first results.
EXPECTED = {
    "speaker": "folds-and-leakage",
    "leave-one-speaker-out": "folds-and-leakage",
    "m4a": "audio-formats",
    "Weka": "datasets",
    "Raven": "detections",
    "memory": "lengths-and-chunks",
    "stereo": "lengths-and-chunks",
    "too short": "lengths-and-chunks",
    "GPU": "scaling",
}
N_RESULTS = 5  # that a reader looks at


def test_the_reference_lists_every_public_name():
    pages = sorted((ROOT / "docs/reference/api").glob("*.rst"))
    listed = {
        line.rpartition(".")[2].strip()
        for page in pages
        for line in page.read_text("utf-8").splitlines()
        if re.fullmatch(r"   [\w.]+", line)
    }
    subpackages = {page.stem for page in pages} | {"persistence", "reporting"}
    for name in subpackages - {"skaudeep", "nn"}:
        assert set(import_module(f"skaudeep.{name}").__all__) <= listed, name
    assert set(skaudeep.__all__) <= listed | subpackages | {"__version__"}


def test_the_citation_is_of_this_version():
    assert f"\nversion: {skaudeep.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")


def test_the_form_for_faults_asks_for_the_versions():
    form = (ROOT / ".github/ISSUE_TEMPLATE/bug.yml").read_text("utf-8")
    assert 'python -c "import skaudeep; skaudeep.show_versions()"' in form


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the documentation without running the gallery; warnings are errors."""
    folder = tmp_path_factory.mktemp("site")
    command = ["-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-D", "plot_gallery=0"]
    done = subprocess.run(
        [sys.executable, *command, ROOT / "docs", folder],
        capture_output=True,
        text=True,
        env=os.environ | {"SKAUDEEP_DOCS_OFFLINE": "1", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_documentation_is_built_without_a_warning(site):
    assert (site / "index.html").is_file()
    assert (site / "reference/api/generated/skaudeep.evaluate.html").is_file()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage"):
        options.add_argument(f"--{argument}")
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield found
    found.quit()


@pytest.mark.slow
@pytest.mark.parametrize(("words", "page"), EXPECTED.items())
def test_a_search_finds_the_page_that_answers(site, browser, words, page):
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(f"{(site / 'search.html').as_uri()}?q={words.replace(' ', '+')}")
    links = WebDriverWait(browser, SECONDS).until(
        lambda page: (
            page.find_element("css selector", ".search-summary").text.startswith("Search finished")
            and page.find_elements("css selector", "#search-results ul.search li > a")
        )
    )
    found = [link.get_attribute("href").split("?")[0].split("#")[0] for link in links]
    first = [Path(url).stem for url in dict.fromkeys(found)][:N_RESULTS]
    assert page in first
