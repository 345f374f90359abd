"""The command unusual: a planted sound comes first, and what it cannot do says what helps."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import skaudeep
from skaudeep import AnomalyDetector
from skaudeep.recipes import anomaly_scorer

RATE = 8000
BURST = 1.0  # seconds at which the planted sound begins


@pytest.fixture(scope="module")
def factory(tmp_path_factory):
    """Make 20 normal recordings of four days, and one of 6 s with a beep of 1.5 s."""
    folder = tmp_path_factory.mktemp("factory")
    (folder / "normal").mkdir()
    rng = np.random.default_rng(0)
    for i in range(20):
        samples = 0.1 * rng.normal(size=RATE)
        soundfile.write(folder / "normal" / f"day{i % 4}_{i:02}.wav", samples, RATE)
    samples = 0.1 * rng.normal(size=6 * RATE)
    part = slice(int(BURST * RATE), int((BURST + 1.5) * RATE))
    samples[part] += 0.3 * np.sin(1.5 * np.arange(1.5 * RATE))
    soundfile.write(folder / "tuesday.wav", samples, RATE)
    return folder


@pytest.fixture(scope="module")
def detector(factory):
    """Fit a detector to windows of half a second."""
    windows = skaudeep.datasets.windows(factory / "normal", duration=0.5)
    made = AnomalyDetector(anomaly_scorer(sampling_rate=RATE), random_state=0)
    made.fit(windows.data, groups=windows.groups)
    skaudeep.save(made, factory / "pump.skaudeep")
    return made


def test_a_planted_sound_comes_first_and_scores_are_those_of_the_detector(run, factory, detector):
    done = run(
        "unusual", factory / "tuesday.wav", "--normal", factory / "normal", "--window", 0.5,
        "-o", "found.csv", "--plot", "found.png", "--save", "pump.skaudeep", "--events", "when.csv",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "found.csv\n"
    table = pd.read_csv("found.csv")
    assert table.columns.tolist() == ["file", "start", "end", "score", "alarm"]
    assert len(table) == 12
    assert sorted(table["start"][:3]) == [BURST, BURST + 0.5, BURST + 1]
    assert table["alarm"][:3].all()
    assert table["score"].is_monotonic_increasing
    # as in Python
    windows = skaudeep.datasets.windows(factory / "tuesday.wav", duration=0.5)
    in_order = table.sort_values("start")
    np.testing.assert_allclose(in_order["score"], detector.score_samples(windows.data), rtol=1e-5)
    np.testing.assert_array_equal(in_order["alarm"], detector.predict(windows.data) == -1)
    assert "40 normal windows of 20 recordings; for the threshold whole recordings" in done.stderr
    n_alarms = int(table["alarm"].sum())
    *_, last, when = done.stderr.splitlines()
    assert last.startswith(f"{n_alarms} of 12 windows below the threshold")
    assert last.endswith("(by chance about 0.6, 5 % of normal ones): found.csv, when.csv, "
                         "found.png, pump.skaudeep")  # fmt: skip
    assert when == "Unusual for 1.25 s or longer: 0:01-0:02.5."
    events = pd.read_csv("when.csv")
    assert events.columns.tolist() == ["file", "start", "end", "lowest_score"]
    assert events.to_numpy().tolist() == [[table["file"][0], 1, 2.5, table["score"].min()]]
    # which is what find_events returns in Python
    below = pd.DataFrame({"x": -detector.decision_function(windows.data)}, index=windows.data)
    same = skaudeep.find_events(below, threshold=0, min_duration=1.25)
    assert same[["start", "end"]].to_numpy().tolist() == [[1, 2.5]]
    assert Path("found.png").stat().st_size > 0
    # the saved detector knows its windows, and is not trained again
    again = run("unusual", factory / "tuesday.wav", "--detector", "pump.skaudeep")
    assert again.exit_code == 0, again.stderr
    assert "Learning" not in again.stderr
    assert again.stdout == Path("found.csv").read_text()
    other = run("unusual", factory / "tuesday.wav", "--detector", "pump.skaudeep", "--window", 1)
    assert "has learnt from windows of 0.5 s" in other.stderr


def test_the_threshold_of_a_detector_is_set_anew_by_other_normal_recordings(run, factory, detector):
    args = ["unusual", factory / "tuesday.wav", "--detector", factory / "pump.skaudeep"]
    args += ["--normal", factory / "normal", "--false-alarms", 0.1, "--save", "new.skaudeep"]
    assert run(*args).exit_code == 0
    new = skaudeep.load("new.skaudeep")
    windows = skaudeep.datasets.windows(factory / "normal", duration=0.5)
    expected = skaudeep.load(factory / "pump.skaudeep").set_params(false_alarm_rate=0.1)
    assert new.offset_ == expected.calibrate(windows.data).offset_
    assert new.false_alarm_rate == 0.1


def test_whole_groups_of_the_normal_recordings_are_held_out(run, factory):
    done = run(
        "unusual", factory / "normal/day0_00.wav", "--normal", factory / "normal",
        "--groups", r"(day\d)", "--false-alarms", 0.2, "--save", "days.skaudeep",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "for the threshold whole groups are held out" in done.stderr
    held_out = skaudeep.load("days.skaudeep").held_out_
    assert held_out.tolist() == [*range(held_out[0], held_out[0] + 5)]  # sorted by day: one day


def test_recordings_of_a_partition_are_the_normal_ones(run, factory):
    shutil.copytree(factory / "normal", "normal")
    shutil.copy(factory / "tuesday.wav", "tuesday.wav")
    rows = [f"{path},train" for path in sorted(Path("normal").iterdir())] + ["tuesday.wav,test"]
    Path("all.csv").write_text("\n".join(["file,partition", *rows]))
    done = run("unusual", "all.csv", "--normal", "train", "--false-alarms", 0.1)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.count("\n") == 2
    assert "tuesday.wav" in done.stdout
    done = run("unusual", "all.csv", "--normal", "devel")
    assert "all.csv has the partitions test, train, expected the partition devel" in done.stderr


def test_what_cannot_be_read_or_is_too_short_has_no_score_and_ends_with_1(run, factory, detector):
    shutil.copy(factory / "tuesday.wav", "good.wav")
    Path("broken.wav").write_bytes(b"RIFF")
    soundfile.write("short.wav", np.ones(800), RATE)
    files = ["good.wav", "broken.wav", "short.wav"]
    done = run("unusual", *files, "--detector", factory / "pump.skaudeep", "-o", "found.csv")
    assert done.exit_code == 1
    table = pd.read_csv("found.csv")
    assert table["file"].tolist() == ["good.wav"] * 12 + ["broken.wav", "short.wav"]
    assert table["score"].isna().sum() == table["alarm"].isna().sum() == 2
    assert "Error: broken.wav: " in done.stderr
    assert "Error: short.wav: lasts 0.1 s, less than half of --window 0.5" in done.stderr
    assert " of 12 windows below" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--normal", "empty"], "Error: --normal empty: Found no audio file below 'empty'"),
        (["--normal", "empty"], "names with endings such as .wav, .flac, .mp3 that do not"),
        (["--normal", "one"], "1 normal recording, expected at least 38 for --false-alarms 0.05"),
        (["--normal", "one", "--window", "0.2"], "5 normal windows, expected at least 38"),
        (["--normal", "one", "--window", "0.2"], "Give more normal recordings, or shorten --window "
         "or --hop."),
        (["--normal", "some"], "or allow more false alarms by --false-alarms 0.15."),
        (["--normal", "one", "--window", "1.6"], "Error: one/: its recordings last 1 s, less than "
         "--window 1.6: scores of other lengths do not fit the threshold. Take --window 1 or less"),
        (["--normal", "mixed", "--window", "1.5"], "mixed/: 1 of 4 windows are as long as --window "
         "1.5, as its recordings last 1 to 1.5 s: scores of other lengths do not fit"),
        (["--normal", "mixed", "--window", "1.5"], "Take --window 1 or less."),
        (["--normal", "one", "--window", "9"], "lasts 1 s, less than half of --window 9. Shorten"),
        (["--normal", "nowhere"], "nowhere: does not exist, expected a folder"),
        (["--detector", "other.skaudeep"], "is no detector of unusual sound, expected a file that "
         "'skaudeep unusual --save' wrote."),
        (["--detector", "text.skaudeep"], "text.skaudeep: is no detector, expected a file that "
         "'skaudeep unusual --save' wrote."),
        (["--detector", "x.csv"], "does not exist, expected a file that 'skaudeep unusual --save'"),
        (["--normal", "one", "-o", "x.txt"], "names of this table end in .csv, such as x.csv"),
        (["--normal", "one", "--plot", "x.txt"], "Give --plot such a name"),
    ],
)  # fmt: skip
def test_what_it_cannot_learn_from_says_what_to_do(run, factory, options, words):
    Path("empty").mkdir()
    Path("one").mkdir()
    shutil.copy(factory / "normal/day0_00.wav", "one/a.wav")
    for folder, lengths in {"mixed": [1, 1, 1, 1.5], "some": [1] * 13}.items():
        Path(folder).mkdir()
        for number, seconds in enumerate(lengths):
            soundfile.write(f"{folder}/{number}.wav", np.ones(int(seconds * RATE)), RATE)
    Path("text.skaudeep").write_text("monday")
    skaudeep.save(skaudeep.BandStatistics().fit(np.zeros((2, 3, 4))), "other.skaudeep")
    done = run("unusual", factory / "tuesday.wav", *options)
    assert done.exit_code == 1
    assert words in done.stderr
    assert not re.search(r"\w=|Got ", done.stderr)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "Give --normal FOLDER"),
        (["--normal", "x", "--hop", "1"], "give --window as well"),
        (["--normal", "x", "--events", "y.csv"], "--events is about windows: give --window"),
        (["--detector", "x", "--seed", "1"], "--seed is about learning from --normal"),
        (["--detector", "x", "--normal", "y", "--groups", "z"], "--groups is for learning"),
    ],
)
def test_options_that_contradict_each_other_are_refused(run, options, words):
    done = run("unusual", "a.wav", *options)
    assert done.exit_code == 2
    assert words in done.stderr


def test_recordings_of_unequal_length_are_told_of_windows(run, factory):
    shutil.copytree(factory / "normal", "normal")
    shutil.copy(factory / "tuesday.wav", "normal/long.wav")
    done = run("unusual", "normal/long.wav", "--normal", "normal", "--false-alarms", 0.1)
    assert done.exit_code == 0, done.stderr
    assert "normal/: recordings last 1 to 6 s. Scores are best compared" in done.stderr


def test_recordings_longer_or_shorter_than_the_normal_ones_cause_a_warning(run, factory, detector):
    Path("new").mkdir()
    for name, seconds in (("long", 1.6), ("normal", 1.4), ("short", 0.4)):
        soundfile.write(f"new/{name}.wav", np.random.default_rng(0).normal(size=int(seconds * RATE))
                        / 10, RATE)  # fmt: skip
    args = ["--normal", factory / "normal", "--false-alarms", 0.1, "--save", "whole.skaudeep"]
    done = run("unusual", "new", *args)
    warning = "Warning: long.wav and 1 more last 0.4 to 1.6 s, the normal recordings 1 s: the "
    warning += "threshold does not fit. Divide all by --window SECONDS.\n"
    assert warning in done.stderr
    done = run("unusual", "new/short.wav", "--detector", factory / "pump.skaudeep")
    warning = "short.wav lasts 0.4 s, less than a window of 0.5 s: the threshold does not fit."
    assert warning in done.stderr
    done = run("unusual", "new/long.wav", "--detector", "whole.skaudeep", "--window", 0.5)
    assert "Warning: whole.skaudeep has not learnt from windows: its threshold" in done.stderr
    done = run("unusual", "new/long.wav", "--detector", "whole.skaudeep", "--events", "x.csv")
    assert "has learnt from whole recordings. Leave it out." in done.stderr
