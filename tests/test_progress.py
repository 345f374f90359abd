"""`Progress`: one line on a terminal, rare plain lines elsewhere, nothing if not wanted."""

import io
import re
import sys

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from skaudeep import (
    BandStatistics,
    SpectrogramExtractor,
    _progress,
    evaluate,
    extract_to_netcdf,
)
from skaudeep._progress import Progress
from skaudeep.datasets import make_sounds


class _Clock:
    now = 0.0

    def monotonic(self):
        return self.now


class _Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    clock = _Clock()
    monkeypatch.setattr(_progress, "time", clock)
    return clock


def test_no_line_is_written_to_a_log_in_the_first_ten_seconds(clock, capsys):
    with Progress(show=True) as progress:
        progress.begin("Extracting clips", 10)
        clock.now = 9.9
        progress.advance()
    assert capsys.readouterr() == ("", "")


def test_lines_of_a_log_are_ten_seconds_apart_and_say_what_is_left(clock, capsys):
    with Progress(show=True) as progress:
        progress.begin("Extracting clips", 100)
        for _ in range(50):
            clock.now += 0.5
            progress.advance()
    assert capsys.readouterr().err == (
        "Extracting clips: 20 of 100, about 40 s left\n"
        "Extracting clips: 40 of 100, about 30 s left\n"
    )


def test_a_terminal_shows_what_runs_and_how_far_it_is_and_is_left_clean(monkeypatch):
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with Progress(show=True) as progress:
        progress.begin("Extracting [clips]", 100)  # no markup of rich
        progress.advance(30)
        progress._drawn.refresh()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert "Extracting [clips]" in shown
    assert "30/100" in shown
    assert terminal.getvalue().rstrip("\r").endswith("\x1b[2K")  # the line is erased


def test_nothing_is_shown_if_not_wanted(clock, monkeypatch):
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress(show=False) as progress:
        progress.begin("Extracting clips", 2)
        clock.now = 100
        progress.advance()
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("progress", [True, False])
def test_evaluate_counts_its_folds(progress, monkeypatch, capsys):
    monkeypatch.setattr(_progress, "PLAIN_SECONDS", 0.0)
    bunch = Bunch(data=np.zeros((12, 7, 3)), target=np.arange(12) % 2)
    pipeline = make_pipeline(BandStatistics(), DummyClassifier())
    evaluate(pipeline, bunch, cv=3, random_state=0, progress=progress)
    lines = capsys.readouterr().err.splitlines()
    if not progress:
        assert lines == []
        return
    assert lines[0].startswith("Folds: 1 of 3, about")
    assert lines[2].startswith("Folds: 3 of 3, about 0 s left")
    assert lines[3].startswith("Folds of the control 'most frequent class': 1 of 3")


def test_extraction_to_a_file_counts_clips_that_are_left_to_do(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(_progress, "PLAIN_SECONDS", 0.0)
    sounds = make_sounds(40, duration=0.3, random_state=0)
    extractor = SpectrogramExtractor(n_mels=12, sampling_rate=16000)
    extract_to_netcdf(sounds, extractor, tmp_path / "sounds.nc")
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("Extracting clips: 40 of 40") for line in lines)
    assert lines[-1].startswith("Writing the file: 40 of 40")
    extract_to_netcdf(sounds, extractor, tmp_path / "sounds.nc", progress=False)
    assert capsys.readouterr().err == ""


def test_the_logger_gets_the_beginning_and_the_end_of_each_stage_shown_or_not(clock, caplog):
    with caplog.at_level("INFO", logger="skaudeep"), Progress(show=False) as progress:
        progress.begin("Extracting clips", 3)
        clock.now = 7.0
        progress.advance(3)
        progress.begin("Folds", 5)
        progress.advance(2)
    assert caplog.messages == [
        "Extracting clips: 3",
        "Extracting clips: 3 of 3 in 7 s",
        "Folds: 5",
        "Folds: 2 of 5 in 0 s",
    ]


def test_nothing_is_logged_to_the_screen_unless_logging_is_configured(clock, capsys):
    with Progress(show=False) as progress:
        progress.begin("Extracting clips", 1)
    assert capsys.readouterr() == ("", "")
