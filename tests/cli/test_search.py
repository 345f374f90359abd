"""Commands that look for sounds: detect and similar."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import skaudeep
from skaudeep.cli import search
from skaudeep.datasets import load_index, make_bunch
from skaudeep.formats import load_annotations
from skaudeep.formats.annotations import FORMATS
from skaudeep.recipes import event_classifier

RATE = 8000


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Make a folder of two recordings with a beep from 2 to 3 s, and a model that knows it."""
    folder = tmp_path_factory.mktemp("search")
    samples = 0.03 * np.random.default_rng(0).normal(size=8 * RATE)
    samples[2 * RATE : 3 * RATE] += 0.3 * np.sin(1.5 * np.arange(RATE))
    (folder / "night" / "b").mkdir(parents=True)
    for name in ("a.wav", "b/c.wav"):
        soundfile.write(folder / "night" / name, samples, RATE)
    starts = np.arange(0, 7.5, 0.1)
    index = pd.MultiIndex.from_arrays([["a.wav"] * 75, starts, starts + 0.5])
    labels = np.where((starts > 1.7) & (starts < 2.8), "beep", "background")
    series = pd.Series(labels, index.set_names(["file", "start", "end"]), name="label")
    windows = load_index(series, target="label", root=folder / "night")
    model = skaudeep.fit_detector(windows, event_classifier(n_units=4, random_state=0))
    skaudeep.save(model, folder / "beeps.skaudeep")
    return folder


def test_detect_writes_the_events_of_a_folder_by_its_names(run, night):
    model = night / "beeps.skaudeep"
    done = run("detect", night / "night", "--model", model, "--window", 0.5, "-o", "e.csv")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "e.csv\n"
    events = load_annotations("e.csv")
    assert events["file"].tolist() == ["a.wav", "b/c.wav"]
    assert (abs(events[["start", "end"]] - [2, 3]) <= 0.2).all(axis=None)
    assert (
        "night/: 2 recordings, 0.0 h; beeps.skaudeep: classes 'background', 'beep'" in done.stderr
    )
    assert done.stderr.rstrip().endswith("2 events: beep 2.")
    again = run("detect", night / "night", "--model", model, "--window", 0.5)
    assert again.stdout == Path("e.csv").read_text()


@pytest.mark.parametrize("name", ["e.txt", "e.selections.txt", "e.TextGrid"])
def test_detect_writes_what_other_programs_open(run, night, name):
    done = run(
        "detect", night / "night/a.wav", "--model", night / "beeps.skaudeep", "--window", 0.5,
        "-o", name,
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert load_annotations(name)["label"].tolist() == ["beep"]


def test_options_of_detect_are_those_of_the_function(run, night):
    command = ["detect", night / "night/a.wav", "--model", night / "beeps.skaudeep"]
    command += ["--window", 0.5, "--hop", 0.25]
    assert len(run(*command, "--min-duration", 5).stdout.splitlines()) == 1
    assert len(run(*command, "--background", "beep", "--threshold", 0.1).stdout.splitlines()) > 1
    assert "beep" not in run(*command, "--background", "beep").stdout


def test_detect_refuses_before_any_work_what_it_cannot_write(run, night):
    command = ["detect", night / "night", "--model", night / "beeps.skaudeep", "--window", 0.5]
    done = run(*command, "-o", "e.TextGrid")
    assert done.exit_code == 1
    assert "e.TextGrid: is of one recording in the format textgrid" in done.stderr
    unknown = run(*command, "-o", "events").stderr
    assert "events: its name says no format of events, expected one that ends in .csv" in unknown
    assert "give --format, or end the name of a new folder in /." in unknown
    assert run(*command[:-2]).exit_code == 2  # no window


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("raven", ".selections.txt"),
        ("audacity", ".txt"),
        ("textgrid", ".TextGrid"),
        ("csv", ".csv"),
    ],
)
def test_detect_writes_a_table_for_each_recording_into_a_folder(run, night, kind, suffix):
    command = ["detect", night / "night", "--model", night / "beeps.skaudeep", "--window", 0.5]
    done = run(*command, "-o", "tables/", "--format", kind)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "tables/\n"
    files = {path.relative_to("tables").as_posix() for path in Path("tables").rglob("*.*")}
    assert files == {f"a{suffix}", f"b/c{suffix}"}
    assert load_annotations(f"tables/b/c{suffix}")["label"].tolist() == ["beep"]
    if kind == "csv":
        assert load_annotations("tables/b/c.csv")["file"].tolist() == ["b/c.wav"]


def test_a_recording_without_events_has_an_empty_table_in_the_folder(run, night):
    command = ["detect", night / "night/b/c.wav", "--model", night / "beeps.skaudeep"]
    command += ["--window", 0.5, "--min-duration", 5, "-o", "tables/", "--format", "raven"]
    assert run(*command).exit_code == 0
    assert len(load_annotations("tables/c.selections.txt")) == 0


def test_tables_in_a_folder_are_replaced_only_if_asked(run, night):
    command = ["detect", night / "night", "--model", night / "beeps.skaudeep", "--window", 0.5]
    command += ["-o", "tables/", "--format", "audacity"]
    Path("tables").mkdir()
    Path("tables/a.txt").write_text("mine")
    done = run(*command)
    assert done.exit_code == 1
    assert "tables/a.txt: exists already" in done.stderr
    assert Path("tables/a.txt").read_text() == "mine"
    assert [path.name for path in Path("tables").iterdir()] == ["a.txt"]
    assert run(*command, "--force").exit_code == 0
    assert load_annotations("tables/a.txt")["label"].tolist() == ["beep"]


def test_a_folder_of_tables_needs_a_format_and_distinct_names(run, night, tmp_path):
    model = ["--model", night / "beeps.skaudeep", "--window", 0.5]
    done = run("detect", night / "night", *model, "-o", tmp_path)
    assert "Give their format by --format" in done.stderr
    shutil.copy(night / "night/a.wav", "x.wav")
    shutil.copy(night / "night/a.wav", "x.flac")
    done = run("detect", "x.wav", "x.flac", *model, "-o", "tables/", "--format", "raven")
    assert "x.selections.txt: would be the table of 'x.wav' and of 'x.flac'" in done.stderr
    assert not Path("tables").exists()


def test_what_cannot_be_read_has_no_table_in_the_folder(run, night):
    shutil.copy(night / "night/a.wav", "a.wav")
    Path("broken.wav").write_bytes(b"RIFF")
    done = run(
        "detect", "a.wav", "broken.wav", "--model", night / "beeps.skaudeep", "--window", 0.5,
        "-o", "tables/", "--format", "raven",
    )  # fmt: skip
    assert done.exit_code == 1
    assert [path.name for path in Path("tables").iterdir()] == ["a.selections.txt"]


def test_detect_names_what_cannot_be_read_and_ends_with_1(run, night, tmp_path):
    shutil.copy(night / "night/a.wav", tmp_path / "a.wav")
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    done = run(
        "detect", "a.wav", "broken.wav", "--model", night / "beeps.skaudeep", "--window", 0.5
    )
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 2
    assert "Error: broken.wav: " in done.stderr


def test_formats_of_events_agree_with_those_of_the_library():
    assert set(search.EVENT_FORMATS) == FORMATS.keys()


@pytest.fixture
def archive(tmp_path):
    features = np.array([[0, 1.0], [0.1, 1.1], [1, -1], [-1, 0.9]])
    names = ["a.wav", "b\x1b.wav", "c.wav", "d.wav"]
    bunch = make_bunch(features, names, target=[0, -1, 1, 0], target_names=["owl", "crow"])
    skaudeep.save_netcdf(bunch, tmp_path / "archive.nc")
    return bunch


def test_similar_lists_what_similar_clips_returns(run, archive):
    done = run("similar", "archive.nc", "a.wav", "-n", 2)
    assert done.exit_code == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    expected = skaudeep.similar_clips(archive, "a.wav", n=2)
    assert rows[0] == ["similarity", "file", "label"]
    assert [row[1] for row in rows[1:]] == expected["file"].tolist()
    assert [row[2] for row in rows[1:]] == expected["label"].tolist()
    result = json.loads(run("similar", "archive.nc", "a.wav", "--json").stdout)
    assert len(result["similar"]) == 3


def test_similar_refuses_an_unknown_clip_and_recordings(run, archive, birds):
    done = run("similar", "archive.nc", "x.wav")
    assert done.exit_code == 1
    assert "'x.wav', expected one of those in the archive" in done.stderr
    assert "expected features with one row per clip" in run("similar", birds, "x").stderr
