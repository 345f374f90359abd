"""The page in a real browser: it plays, names and downloads, and connects to nowhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Bunch

from skaudeep.datasets import add_labels, load_table, make_bunch

pytestmark = pytest.mark.slow

WIDTHS = (400, 900, 1600)
SECONDS = 20  # until an event must have come


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start Debian's chromium; what the page downloads goes to `browser.downloads`."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("chromium and chromium-driver are not installed")
    downloads = tmp_path_factory.mktemp("downloads")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "headless=new",
        "no-sandbox",
        "disable-dev-shm-usage",
        "mute-audio",
        "autoplay-policy=no-user-gesture-required",  # a script is no gesture
        "force-prefers-reduced-motion",  # no waiting until the page has scrolled
    ):
        options.add_argument(f"--{argument}")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(driver)
    found = webdriver.Chrome(options=options, service=service)
    found.downloads = downloads
    yield found
    found.quit()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[[Path], Any]]:
    """Open a page afresh; in the end it must have been silent and alone."""
    from selenium.common.exceptions import NoAlertPresentException

    browser.get_log("browser")
    browser.get_log("performance")

    def open_page(path: Path, width: int = 900) -> Any:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(path.as_uri())
        return browser

    yield open_page
    assert browser.get_log("browser") == []
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            address = message["params"]["request"]["url"]
            assert address.startswith(("file:", "data:", "blob:", "about:")), address
    # Leaves the page without asking whether names that were not downloaded may be lost.
    browser.execute_script("sessionStorage.clear()")
    browser.execute_cdp_cmd("Page.navigate", {"url": "about:blank"})
    with suppress(NoAlertPresentException):
        browser.switch_to.alert.accept()


def wait(browser: Any, condition: str, *arguments: Any) -> Any:
    """Wait until a condition in JavaScript holds."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, SECONDS, 0.05).until(
        lambda _: browser.execute_script(f"return {condition}", *arguments)
    )


def by_id(browser: Any, name: str) -> Any:
    return browser.find_element("id", name)


def keys(browser: Any, *pressed: str, shift: bool = False) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    chain = ActionChains(browser)
    if shift:
        chain.key_down(Keys.SHIFT)
    for key in pressed:
        chain.send_keys(getattr(Keys, key))
    if shift:
        chain.key_up(Keys.SHIFT)
    chain.perform()


def drag_over_all(browser: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    plot = by_id(browser, "plot")
    browser.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", plot
    )
    width, height = plot.size["width"] // 2 - 3, plot.size["height"] // 2 - 3
    chain = ActionChains(browser).move_to_element_with_offset(plot, -width, -height)
    chain.click_and_hold().move_by_offset(width, height).move_by_offset(width, height)
    chain.release().perform()


def press(browser: Any, name: str) -> None:
    button = by_id(browser, name)
    # The driver scrolls to the edge of the window, where sections and player may cover a button.
    browser.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button
    )
    button.click()


def download(browser: Any, button: str = "download", name: str = "labels.csv") -> Path:
    """Download the labels, or another table, and return the file when it is whole."""
    path = browser.downloads / name
    path.unlink(missing_ok=True)
    press(browser, button)
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, SECONDS, 0.05).until(lambda _: path.exists() and path.stat().st_size)
    return path


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_any_width_and_scrolls_only_down(of_hostile, opened, width, scheme):
    browser = opened(of_hostile.report.path, width)
    feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
    wide, room = browser.execute_script(
        "const page = document.documentElement; return [page.scrollWidth, page.clientWidth]"
    )
    assert width - 20 <= room <= width  # a bar for scrolling down takes the rest
    assert wide <= room
    # All sections can be reached: none is cut off.
    assert browser.execute_script(
        "return [...document.querySelectorAll('nav a')].every(link => {"
        "const box = link.getBoundingClientRect();"
        "return box.left >= 0 && box.right <= innerWidth})"
    )
    # Each score stays in front of its bar, or stands above it.
    assert browser.execute_script(
        "return [...document.querySelectorAll('.score')].every(score => {"
        "const value = score.querySelector('.interval').getBoundingClientRect();"
        "const bar = score.querySelector('.bar').getBoundingClientRect();"
        "return value.right <= bar.left || value.bottom <= bar.top + 1})"
    )
    colours = browser.execute_script(
        "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
    )
    ink, page = (sum(map(int, c.strip("rgb()").split(","))) for c in colours)
    assert (ink < page) == (scheme == "light")


def test_each_player_loads_and_plays(of_files, opened):
    browser = opened(of_files.report.path)
    players = browser.find_elements("css selector", "audio[data-clip]")
    assert len(players) >= 8
    for player in players:
        browser.execute_script("arguments[0].scrollIntoView({behavior: 'instant'})", player)
        wait(browser, "arguments[0].src.startsWith('blob:')", player)
        browser.execute_script("arguments[0].muted = true; arguments[0].play()", player)
        wait(browser, "arguments[0].readyState >= 2 && arguments[0].currentTime > 0", player)
        length = browser.execute_script("return arguments[0].duration", player)
        assert length == pytest.approx(0.3, abs=0.01)


def test_a_clip_like_another_is_heard_when_its_name_is_pressed(of_files, opened):
    browser = opened(of_files.report.path)
    button = browser.find_elements("css selector", "button.near")[1]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    row = button.get_attribute("data-clip")
    wait(browser, "document.getElementById('player-audio').dataset.playing == arguments[0]", row)
    wait(browser, "document.getElementById('player-audio').currentTime > 0")
    assert by_id(browser, "player-name").text == of_files.data["names"][int(row)]


def test_the_table_of_wrong_clips_is_sorted_by_the_column_that_is_pressed(tmp_path, tools, opened):
    target = np.arange(40) % 2
    labels = np.where(np.isin(np.arange(40), [3, 8, 11, 26]), 1 - target, target)
    features = np.random.default_rng(0).normal(size=(40, 3)) * 0.3 + 2 * np.eye(2, 3)[target]
    bunch = make_bunch(
        features, [f"{row}.wav" for row in range(40)], target=labels, target_names=["owl", "crow"]
    )
    page = tools.write(bunch, tmp_path / "page.html", pipeline=LogisticRegression())
    browser = opened(page.report.path)
    browser.execute_script("document.getElementById('all-wrong').open = true")

    def rows() -> list[str]:
        found = browser.find_elements("css selector", "table.sortable tbody tr")
        return [row.get_attribute("data-row") for row in found]

    surest = rows()
    assert sorted(surest) == ["11", "26", "3", "8"]
    clip, *_, sure = browser.find_elements("css selector", "table.sortable thead button")
    browser.execute_script("arguments[0].click()", clip)
    assert rows() == ["3", "8", "11", "26"]
    browser.execute_script("arguments[0].click()", sure)
    assert rows() == surest
    browser.execute_script("arguments[0].click()", sure)
    assert rows() == surest[::-1]
    # What is downloaded has the columns of the page and its rows, the surest first.
    table = pd.read_csv(download(browser, "download-wrong", "wrong.csv"))
    assert list(table) == ["Clip", "Its label", "Named", "How sure"]
    assert table["Clip"].tolist() == [f"{row}.wav" for row in surest]
    assert table["Its label"].tolist() == [["owl", "crow"][labels[int(row)]] for row in surest]
    assert table["Named"].tolist() == [["owl", "crow"][target[int(row)]] for row in surest]
    np.testing.assert_allclose(
        table["How sure"], [page.data["predicted"][row][1] for row in surest], atol=1e-9
    )


def test_a_compressed_sound_and_a_linked_one_play(tmp_path, tools, opened):
    from skaudeep.datasets import load_dataset, make_sounds

    make_sounds(
        20, n_classes=2, n_sessions=2, sampling_rate=8000, folder=tmp_path / "a b", random_state=0
    )
    page = tools.write(
        tmp_path / "a b", tmp_path / "p.html", pipeline=tools.statistics(), max_audio_mb=0.02
    )
    assert page.data["type"] == "audio/ogg"
    assert page.data["embedded"]
    assert page.data["linked"]
    assert len(load_dataset(tmp_path / "a b").data) == len(page.data["linked"]) + len(
        page.data["embedded"]
    )
    browser = opened(page.report.path)
    for row in (page.data["embedded"][0], int(next(iter(page.data["linked"])))):
        browser.execute_script(
            """const point = document.querySelector(`.point[data-clip='${arguments[0]}']`);
            point.scrollIntoView({block: 'center', behavior: 'instant'});
            const box = point.getBoundingClientRect();
            const at = {clientX: box.x + box.width / 2, clientY: box.y + box.height / 2,
                        bubbles: true, button: 0, pointerId: 1};
            point.dispatchEvent(new PointerEvent('pointerdown', at));
            point.dispatchEvent(new PointerEvent('pointerup', at));""",
            row,
        )
        wait(
            browser, "document.getElementById('player-audio').dataset.playing == arguments[0]", row
        )
        wait(browser, "document.getElementById('player-audio').currentTime > 0")


def test_the_keyboard_goes_from_clip_to_clip_plays_and_selects(of_hostile, opened):
    browser = opened(of_hostile.report.path)
    browser.execute_script("document.getElementById('plot').focus()")
    keys(browser, "ARROW_RIGHT")
    first = by_id(browser, "live").text
    keys(browser, "ARROW_RIGHT")
    assert first
    assert by_id(browser, "live").text not in ("", first)
    assert by_id(browser, "tip").is_displayed()
    keys(browser, "ENTER")
    wait(browser, "document.getElementById('player-audio').currentTime > 0")
    keys(browser, *["ARROW_DOWN", "ARROW_RIGHT"] * 8, shift=True)
    n_selected = len(browser.find_elements("css selector", ".point.selected"))
    assert n_selected > 0
    assert by_id(browser, "selected-count").text.split()[0] == str(n_selected)
    keys(browser, "ESCAPE")
    assert not by_id(browser, "selected").is_displayed()


def test_names_given_in_the_map_and_the_list_come_back_as_labels(of_hostile, opened):
    browser = opened(of_hostile.report.path)
    n_open = int((of_hostile.bunch.target < 0).sum())
    drag_over_all(browser)
    assert by_id(browser, "selected-count").text == f"{n_open} clips"
    by_id(browser, "selected-name").send_keys('=2+3, "new"\n')
    assert by_id(browser, "progress").text == f"{n_open} of {n_open} named"
    row = browser.find_element("css selector", "#rows input")
    clip = int(row.get_attribute("data-clip"))
    row.clear()
    row.send_keys("\u05d0\u05d1 \u00fc\n")
    next_row = browser.switch_to.active_element
    assert int(next_row.get_attribute("data-clip")) == of_hostile.data["order"][1]
    table = download(browser)
    assert table.read_bytes().startswith(b"filename,label\r\n")
    all_open = of_hostile.bunch | {"target": np.full(len(of_hostile.bunch.target), -1)}
    named = add_labels(of_hostile.bunch, table)
    labels = np.array(named.target_names)[named.target]
    was_open = of_hostile.bunch.target < 0
    assert labels[clip] == "\u05d0\u05d1 \u00fc"
    was_open[clip] = False
    assert set(labels[was_open]) == {'=2+3, "new"'}
    assert (named.target >= 0).all()
    # The table holds the labels that the report was made with as well.
    alone = add_labels(Bunch(**all_open), table)
    assert np.array_equal(np.array(alone.target_names)[alone.target], labels)


def test_a_rectangle_leaves_named_clips_and_naming_can_be_undone(of_hostile, opened):
    browser = opened(of_hostile.report.path)
    n_open = int((of_hostile.bunch.target < 0).sum())
    first = browser.find_element("css selector", "#rows input")
    first.send_keys("owl\n")
    drag_over_all(browser)
    assert by_id(browser, "selected-count").text == f"{n_open - 1} clips"
    assert not by_id(browser, "replaced").is_displayed()
    by_id(browser, "selected-name").send_keys("crow\n")
    assert by_id(browser, "named-text").text == f"{n_open - 1} clips named crow."
    assert first.get_attribute("value") == "owl"
    assert not browser.find_element("css selector", "#rows .chip").is_enabled()
    later = browser.find_elements("css selector", "#rows input")[1]
    later.clear()
    later.send_keys("wren\n")
    press(browser, "undo")  # of what was named together, and of nothing after it
    assert later.get_attribute("value") == "wren"
    assert by_id(browser, "progress").text == f"2 of {n_open} named"
    later.clear()
    later.send_keys("\n")
    assert by_id(browser, "progress").text == f"1 of {n_open} named"
    assert not by_id(browser, "named").is_displayed()
    # Whoever selects a named clip on purpose is told before and after.
    drag_over_all(browser)
    by_id(browser, "selected-name").send_keys("crow\n")
    browser.execute_script("document.getElementById('plot').focus()")
    keys(browser, "ARROW_RIGHT", "SPACE")
    while not by_id(browser, "selected").is_displayed():  # that one had a label from before
        keys(browser, "ARROW_DOWN", "ARROW_RIGHT", "SPACE")
    count = by_id(browser, "selected-count").text.split()[0]
    assert by_id(browser, "replaced").text.startswith(count)
    by_id(browser, "selected-name").send_keys("gull\n")
    assert f"{count} of which had another name" in by_id(browser, "named-text").text
    press(browser, "undo")
    values = {
        row.get_attribute("value") for row in browser.find_elements("css selector", "#rows input")
    }
    assert values == {"owl", "crow"}


def test_a_finger_need_not_hit_the_middle_of_a_point_on_a_phone(of_hostile, opened):
    browser = opened(of_hostile.report.path, 400)
    playing = browser.execute_script(
        """const point = document.querySelector(".point");
        point.scrollIntoView({block: 'center', behavior: 'instant'});
        const box = point.getBoundingClientRect();
        const at = {clientX: box.x + box.width / 2 + arguments[0], clientY: box.y + box.height / 2,
                    bubbles: true, button: 0, pointerId: 1, pointerType: "touch"};
        point.dispatchEvent(new PointerEvent('pointerdown', at));
        point.dispatchEvent(new PointerEvent('pointerup', at));
        return [document.getElementById('player').hidden, box.width];""",
        11.5,
    )
    hidden, drawn = playing
    assert not hidden
    assert drawn >= 8


def test_names_survive_a_reload_of_the_page(of_hostile, opened):
    browser = opened(of_hostile.report.path)
    suggestion = browser.find_element("css selector", "#rows .chip")
    browser.execute_script("arguments[0].click()", suggestion)
    assert by_id(browser, "progress").text.startswith("1 of ")
    download(browser)  # so that leaving the page asks nothing
    browser.refresh()
    assert by_id(browser, "progress").text.startswith("1 of ")
    value = browser.find_element("css selector", "#rows input").get_attribute("value")
    label = of_hostile.data["suggested"][str(of_hostile.data["order"][0])][0]
    assert value == of_hostile.bunch.target_names[label]


def test_the_downloaded_table_is_one_of_a_corpus(of_files, tmp_path, tools, opened):
    from skaudeep.datasets import load_dataset

    root = of_files.report.path.with_name("corpus")
    bunch = load_dataset(root)
    bunch.target = np.full(20, -1)
    page = tools.write(bunch, tmp_path / "page.html", pipeline=tools.statistics())
    browser = opened(page.report.path)
    drag_over_all(browser)
    by_id(browser, "selected-name").send_keys("owl\n")
    loaded = load_table(download(browser), path="filename", target="label", root=root)
    assert sorted(loaded.filenames) == sorted(bunch.filenames)
    assert loaded.target_names == ["owl"]


def test_hostile_names_do_nothing(of_hostile, tools, opened):
    from selenium.common.exceptions import NoAlertPresentException

    browser = opened(of_hostile.report.path)
    with pytest.raises(NoAlertPresentException):
        _ = browser.switch_to.alert.text
    assert browser.execute_script("return document.scripts.length") == 3
    assert (
        browser.execute_script("return document.querySelectorAll('b, i, main img[src=x]').length")
        == 0
    )
    shown = browser.execute_script("return document.body.innerText")
    assert "<script>alert(1)</script>.wav" in shown
    assert "\u202e" not in shown


def test_a_page_without_scripts_still_tells_the_result(of_files, opened):
    browser = opened(of_files.report.path)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get(of_files.report.path.as_uri())
    shown = browser.find_element("tag name", "header").text
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    sentences = [line for line in of_files.report.summary.splitlines() if line[0] != " "]
    assert sentences[-1] in shown  # what is indented is folded


def test_all_that_can_be_reached_by_keyboard_has_a_name(of_hostile, opened):
    browser = opened(of_hostile.report.path)
    tree = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = {"button", "textbox", "combobox", "link", "application", "Audio", "region", "image"}
    for node in tree:
        if node.get("role", {}).get("value") in roles and not node["ignored"]:
            assert node.get("name", {}).get("value"), node
