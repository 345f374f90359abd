"""Reports that several modules look at: one of files, one of hostile names, partly labelled."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

import skaudeep
from skaudeep.datasets import load_dataset, make_bunch, make_sounds

MARKER = "folder-of-somebody"
HOSTILE = [
    "<script>alert(1)</script>.wav",
    "\"quoted\" & 'single'.wav",
    "\u202egnp.wav",
    "\U0001f426 bird.wav",
    "x" * 220 + ".wav",
    '=cmd|calc, "a".wav',
    "</script><img src=x onerror=alert(2)>.wav",
    "line\nbreak.wav",
    "a\u2028separator.wav",
    "<!--<script>.wav",
]
HOSTILE_CLASSES = ["<b>bold</b>", 'a "quoted", class', "\u202ertl", "\U0001f438 frog" + "y" * 210]


@dataclass
class Page:
    """A report, its text, and what its elements say."""

    report: Any
    bunch: Bunch
    text: str

    @property
    def data(self) -> dict[str, Any]:
        return self.json("data")

    def json(self, name: str) -> Any:
        pattern = rf'<script type="application/json" id="{name}">(.*?)</script>'
        return json.loads(re.search(pattern, self.text, re.DOTALL)[1])

    def texts(self, wanted: str) -> list[str]:
        """Texts of the elements with an attribute, with single blanks."""
        return _Texts(wanted).of(self.text)


class _Texts(HTMLParser):
    VOID = frozenset({"meta", "img", "input", "path", "rect", "use", "circle", "link", "br"})

    def __init__(self, wanted: str) -> None:
        super().__init__()
        self.wanted, self.open, self.found = wanted, [], []

    def of(self, text: str) -> list[str]:
        self.feed(text)
        return [" ".join("".join(parts).split()) for parts in self.found]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.VOID:
            return
        inside = self.open[-1] if self.open else None
        if self.wanted in dict(attrs):
            inside = []
            self.found.append(inside)
        self.open.append(inside)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID and self.open:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] is not None:
            self.open[-1].append(data)


def statistics() -> Any:
    extractor = skaudeep.SpectrogramExtractor(n_mels=40, sampling_rate=8000)
    return make_pipeline(extractor, skaudeep.BandStatistics(), LogisticRegression())


def hostile(labelled: str, **options: Any) -> Bunch:
    """Waveforms with names that a page must only show: "all", "some" or "none" labelled."""
    sounds = make_sounds(40, n_classes=4, sampling_rate=8000, duration=(0.3, 0.6), random_state=0)
    names = sounds.filenames.tolist()
    names[: len(HOSTILE)] = HOSTILE
    target = sounds.target.copy()
    if labelled != "all":
        target[np.arange(40) % 3 > 0 if labelled == "some" else slice(None)] = -1
    classes = () if labelled == "none" else HOSTILE_CLASSES
    bunch = make_bunch(sounds.data, names, target=target, target_names=classes, **options)
    bunch.sampling_rate = 8000
    return bunch


def write(bunch: Any, path: Path, **options: Any) -> Page:
    made = skaudeep.report(bunch, path, progress=False, **options)
    loaded = load_dataset(bunch) if isinstance(bunch, Path) else bunch
    return Page(made, loaded, path.read_text("utf-8"))


@dataclass(frozen=True)
class Tools:
    """What tests of reports need beside the reports themselves."""

    marker = MARKER
    names = tuple(HOSTILE)
    classes = tuple(HOSTILE_CLASSES)
    hostile = staticmethod(hostile)
    statistics = staticmethod(statistics)
    write = staticmethod(write)


@pytest.fixture(scope="session")
def tools() -> Tools:
    return Tools()


@pytest.fixture(scope="session")
def of_files(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Make a report of files in folders of folds and classes, with the fitted model stored."""
    folder = tmp_path_factory.mktemp(MARKER)
    make_sounds(
        20,
        n_classes=2,
        n_sessions=2,
        sampling_rate=8000,
        duration=0.3,
        folder=folder / "corpus",
        random_state=0,
    )
    return write(
        folder / "corpus",
        folder / "page.html",
        pipeline=statistics(),
        model=folder / "m.skaudeep",
    )


@pytest.fixture(scope="session")
def of_hostile(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Make a report of waveforms with hostile names, of which a third is labelled."""
    path = tmp_path_factory.mktemp("hostile") / "page.html"
    return write(hostile("some"), path, pipeline=statistics(), title="<i>Hostile</i> & co")
