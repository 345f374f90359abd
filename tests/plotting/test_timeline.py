"""Timelines: spectrogram, scores and events on one time axis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from skaudeep import scores_over_time
from skaudeep.plotting import TimelineDisplay

RATE = 8000


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> str:
    """150 s of soft noise with 0.1 s of a tone of 1 kHz at 100 s."""
    samples = 1e-3 * np.random.default_rng(0).normal(size=150 * RATE)
    samples[100 * RATE : 100 * RATE + 800] += 0.5 * np.sin(2 * np.pi * np.arange(800) / 8)
    path = tmp_path_factory.mktemp("timeline") / "a $night$.wav"
    soundfile.write(path, samples, RATE)
    return str(path)


def events_of(file: str, *events) -> pd.DataFrame:
    rows = [(file, *event) for event in events]
    return pd.DataFrame(rows, columns=["file", "start", "end", "label"])


def scores_of(file: str, n: int) -> pd.DataFrame:
    starts = np.arange(n) * 0.5
    index = pd.MultiIndex.from_arrays([[file] * n, starts, starts + 0.5])
    scores = pd.DataFrame({"o$w$l": np.zeros(n)}, index.set_names(["file", "start", "end"]))
    scores.iloc[200] = 0.9  # at 100 s
    return scores_over_time(scores)


def test_a_short_sound_is_seen_in_a_column_of_a_long_picture_at_its_level(recording):
    display = TimelineDisplay.from_recording(recording, n_columns=15)
    assert display.levels.shape == (15, 64)
    loudest = display.levels.max(axis=1)
    assert loudest.argmax() == 10  # from 100 to 110 s
    assert loudest[10] == pytest.approx(20 * np.log10(0.5), abs=2)  # between two bands
    assert np.delete(loudest, 10).max() < -60
    peak = display.frequencies[display.levels[10].argmax()]
    assert peak == pytest.approx(1000, rel=0.1)


def test_a_part_shows_what_the_whole_does_there(recording):
    part = TimelineDisplay.from_recording(recording, start=99.0, end=101.0, n_columns=20)
    assert part.levels.max(axis=1).argmax() == 10
    assert part.axes_["spectrogram"].get_xlim() == (99, 101)


def test_columns_do_not_depend_on_the_blocks_that_are_read(recording, monkeypatch):
    whole = TimelineDisplay.from_recording(recording, start=90, end=110, n_columns=100)
    monkeypatch.setattr("skaudeep.plotting.timeline.BLOCK", 1.0)
    blocks = TimelineDisplay.from_recording(recording, start=90, end=110, n_columns=100)
    np.testing.assert_allclose(blocks.levels, whole.levels, atol=6)  # frames begin elsewhere
    assert blocks.levels.argmax() == whole.levels.argmax()


def test_panels_share_the_time_axis_and_show_scores_and_events(recording):
    found = events_of(recording, (100.0, 100.5, "o$w$l"), (140.0, 141.0, "crow"))
    true = events_of(recording, (100.0, 100.1, "o$w$l"))
    display = TimelineDisplay.from_recording(
        recording,
        scores=scores_of(recording, 300),
        events=found,
        true_events=true,
        threshold=0.5,
        n_columns=50,
    )
    axes = display.axes_
    assert list(axes) == ["spectrogram", "scores", "events"]
    assert {ax.get_xlim() for ax in axes.values()} == {(0, 150)}
    line = axes["scores"].lines[0]
    assert len(line.get_xdata()) == 2 * 50  # the highest of each column
    assert np.nanmax(line.get_ydata()) == 0.9
    assert line.get_xdata()[np.nanargmax(line.get_ydata())] == pytest.approx(99, abs=1)
    assert len(axes["events"].collections) == 3
    labels = [text.get_text() for text in axes["events"].get_yticklabels()]
    assert labels == ["o$w$l", "crow"]
    display.figure_.canvas.draw()  # dollar signs are no formulas


def test_gaps_of_the_scores_are_not_bridged(recording):
    scores = scores_of(recording, 300).drop(index=scores_of(recording, 300).index[10:20])
    display = TimelineDisplay.from_recording(recording, scores=scores, n_columns=500)
    x, y = display.axes_["scores"].lines[0].get_data()
    assert np.isnan(y).sum() == 1
    assert x[np.flatnonzero(np.isnan(y))[0] - 1] == 5.0
    assert x[np.flatnonzero(np.isnan(y))[0] + 1] == 10.0


def test_times_are_written_as_a_clock_in_long_recordings():
    display = TimelineDisplay(np.zeros((10, 4)), start=0, end=7200).plot()
    write = display.axes_["spectrogram"].xaxis.get_major_formatter()
    assert write(3725, 0) == "1:02:05"
    assert np.diff(display.axes_["spectrogram"].get_xticks())[0] == 1200
    short = TimelineDisplay(np.zeros((10, 4)), start=0, end=60).plot()
    assert short.axes_["spectrogram"].xaxis.get_major_formatter()(2.5, 0) == "2.5 s"


def test_tables_of_other_recordings_and_times_outside_are_refused(recording):
    other = events_of("b.wav", (1.0, 2.0, "owl"))
    with pytest.raises(ValueError, match=r"events of 'b\.wav', none of"):
        TimelineDisplay.from_recording(recording, events=other)
    with pytest.raises(ValueError, match=r"start=10 and end=200 for .*<= 150"):
        TimelineDisplay.from_recording(recording, start=10, end=200)
    with pytest.raises(ValueError, match="levels of shape"):
        TimelineDisplay(np.zeros(3), start=0, end=1)
    with pytest.raises(ValueError, match="start=1 and end=1"):
        TimelineDisplay(np.zeros((3, 3)), start=1, end=1)


@pytest.mark.usefixtures("without_matplotlib")
def test_a_missing_matplotlib_is_named_before_anything_is_read(tmp_path: Path):
    with pytest.raises(ImportError, match=r"skaudeep\[plot\]"):
        TimelineDisplay.from_recording(tmp_path / "missing.wav")
