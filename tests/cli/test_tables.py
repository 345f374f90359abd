"""Tables as an INPUT: pieces of recordings, and events that windows are labelled by."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from skaudeep.cli.errors import CommandError
from skaudeep.cli.inputs import read_clips, read_source
from skaudeep.cli.tables import read_windows, write_recordings
from skaudeep.datasets import make_bunch
from skaudeep.formats import load_annotations, save_annotations

RATE = 8000
STARTS = [1, 3, 5, 7]  # of tones of a second, low and high by turns
NAMES = ["a.wav", "b/c.wav"]


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Make a folder of two recordings of ten seconds, and a table of the four tones in each."""
    folder = tmp_path_factory.mktemp("tables")
    (folder / "b").mkdir()
    rows = []
    for seed, name in enumerate(NAMES):
        samples = 0.03 * np.random.default_rng(seed).normal(size=10 * RATE)
        for start in STARTS:
            label = "low" if start % 4 == 1 else "high"
            tone = np.sin({"low": 0.6, "high": 1.5}[label] * np.arange(RATE))
            samples[start * RATE : (start + 1) * RATE] += 0.3 * tone
            rows.append((name, start, start + 1, label))
        soundfile.write(folder / name, samples, RATE)
    table = pd.DataFrame(rows, columns=["file", "start", "end", "label"])
    table.to_csv(folder / "calls.csv", index=False)
    return folder


def test_rows_with_start_and_end_are_pieces_of_recordings(nights):
    source = read_source([str(nights / "calls.csv")], needs_labels=True)
    bunch = source.bunch
    assert bunch.filenames[[0, 5]].tolist() == ["a.wav#t=1,2", "b/c.wav#t=3,4"]
    assert bunch.groups[[0, 5]].tolist() == NAMES
    assert [bunch.target_names[label] for label in bunch.target[:3]] == ["low", "high", "low"]
    assert source.remark.startswith("pieces of recordings, paths in column 'file'")


def test_the_paths_of_pieces_may_stand_in_another_column(nights):
    table = pd.read_csv(nights / "calls.csv").rename(columns={"file": "sound", "label": "bird"})
    table["site"] = "north"
    table.to_csv(nights / "other.csv", index=False)
    bunch = read_source([str(nights / "other.csv")], target="bird").bunch
    assert bunch.filenames[0] == "a.wav#t=1,2"
    assert bunch.target_names == ["high", "low"]
    assert read_source([str(nights / "other.csv")]).bunch.target_names == []


@pytest.mark.parametrize("name", ["a.Table.1.selections.txt", "a.txt", "a.TextGrid"])
def test_events_of_other_programs_are_pieces_of_the_recording_beside_them(nights, name):
    events = load_annotations(nights / "calls.csv")
    save_annotations(events[events["file"] == "a.wav"], nights / name)
    bunch = read_source([str(nights / name)], needs_labels=True).bunch
    assert set(bunch.filenames) == {f"a.wav#t={start},{start + 1}" for start in STARTS}
    assert bunch.target_names == ["high", "low"]
    assert read_clips([str(nights / name)], None).names == ["a.wav"] * 4


def test_pieces_fit_a_model_that_names_pieces(run, nights):
    done = run("fit", nights / "calls.csv", "-o", "m.skaudeep")
    assert done.exit_code == 0, done.stderr
    assert "calls.csv: 8 clips in 2 classes (low 4, high 4), 8 s" in done.stderr
    done = run("predict", "m.skaudeep", nights / "calls.csv", "-o", "found.csv")
    assert done.exit_code == 0, done.stderr
    expected = pd.read_csv(nights / "calls.csv")
    found = pd.read_csv("found.csv")
    assert found.columns.tolist() == ["file", "start", "end", "label", "high", "low"]
    pd.testing.assert_frame_equal(found[expected.columns.tolist()], expected)
    lines = run("predict", "m.skaudeep", nights / "calls.csv", "--json").stdout.splitlines()
    assert json.loads(lines[5]).items() >= {"file": "b/c.wav", "start": 3, "end": 4}.items()


def test_a_piece_without_an_end_lasts_to_the_end_of_the_recording(run, nights, model):
    (nights / "rest.csv").write_text("file,start,end\na.wav,8.5,\na.wav,99,100\n")
    done = run("predict", model, nights / "rest.csv")
    assert done.exit_code == 1
    rows = [line.split("\t")[:4] for line in done.stdout.splitlines()]
    assert rows[1][:3] == ["a.wav", "8.5", ""]
    assert rows[2] == ["a.wav", "99", "100", ""]
    assert "a.wav" in done.stderr
    assert "99" in done.stderr
    lines = run("predict", model, nights / "rest.csv", "--json").stdout.splitlines()
    assert json.loads(lines[0])["end"] is None


def test_fit_with_windows_makes_a_model_that_detects(run, nights):
    command = ["fit", nights / "calls.csv", "--window", 0.5, "--hop", 0.1, "-o", "m.skaudeep"]
    done = run(*command, "--json")
    assert done.exit_code == 0, done.stderr
    assert "2 recordings, 192 windows of 0.5 s, every 0.1 s: high " in done.stderr
    written = json.loads(done.stdout)
    assert written["classes"] == ["background", "high", "low"]
    assert written["sampling_rate"] == RATE
    (nights / "list.csv").write_text("file\nb/c.wav\n")
    for given in (nights / "b", nights / "list.csv"):
        done = run(
            "detect", given, "--model", "m.skaudeep", "--window", 0.5, "-o", "e.csv", "--force"
        )
        assert done.exit_code == 0, done.stderr
        events = load_annotations("e.csv")
        assert events["label"].tolist() == ["low", "high", "low", "high"]
        assert (abs(events["start"] - STARTS) <= 0.2).all()
    done = run("detect", nights / "calls.csv", "--model", "m.skaudeep", "--window", 0.5)
    assert "calls.csv: holds no whole recordings" in done.stderr


def test_recordings_without_an_event_are_given_beside_the_table(nights, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "quiet.wav", np.zeros(2 * RATE), RATE)
    monkeypatch.chdir(nights)
    inputs = ["calls.csv", str(tmp_path), str(Path("a.wav").absolute())]
    bunch = read_windows(inputs, 1.0, 1.0, None)
    assert len(set(bunch.groups.tolist())) == 3  # a.wav counts once
    assert len(bunch.filenames) == 22
    assert bunch.target.sum() == 8


def test_windows_without_what_they_need_are_refused(run, nights):
    assert run("fit", nights / "calls.csv", "--hop", 1, "-o", "m.skaudeep").exit_code == 2
    window = ["--window", 1, "-o", "m.skaudeep"]
    assert run("fit", nights / "calls.csv", "--labels", "x.csv", *window).exit_code == 2
    done = run("fit", nights / "b", *window)
    assert "--window needs a table" in done.stderr
    Path("none.csv").write_text("file,start,end,label\n")
    assert "none.csv: holds no event" in run("fit", "none.csv", *window).stderr
    Path("gone.csv").write_text("file,start,end,label\nx.wav,1,2,low\n")
    done = run("fit", "gone.csv", *window)
    assert done.exit_code == 1
    assert "gone.csv missing" in done.stderr
    assert not Path("m.skaudeep").exists()


def test_a_table_without_events_is_refused(nights):
    (nights / "void.txt").write_text("")
    with pytest.raises(CommandError, match=r"void\.txt: holds no event"):
        read_source([str(nights / "void.txt")])


def test_a_class_that_a_table_cannot_name_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.wav").touch()
    for keys in ({"target": [0], "target_names": ["NA"]}, {"groups": ["?"]}):
        bunch = make_bunch(["a.wav"], ["a.wav"], **keys)
        with pytest.raises(CommandError, match=r"birds: has a \w+ '(NA|\?)', which in a table mea"):
            write_recordings("birds", bunch, tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()


def test_a_table_of_labels_leaves_clips_unlabelled_where_a_table_of_recordings_does(tmp_path):
    for table, label in (("l.csv", "?"), ("m.csv", "owl")):
        (tmp_path / table).write_text(f"filename,label\na.wav,{label}\nb.wav,crow\n")
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.wav").touch()
    labels = [str(tmp_path / "l.csv"), str(tmp_path / "m.csv")]
    bunch = read_source([str(tmp_path)], labels=labels).bunch
    assert (bunch.target.tolist(), bunch.target_names) == ([1, 0], ["crow", "owl"])
