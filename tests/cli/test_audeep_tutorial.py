"""What docs/coming-from-audeep.md says in place of auDeep's commands is run as it stands there."""

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import skaudeep
from skaudeep.cli import main
from skaudeep.datasets import make_sounds
from skaudeep.formats import load_arff

PAGE = Path(__file__).parents[2] / "docs/coming-from-audeep.md"
RATE = 8000  # Hz
# The numbers of the page, and those of a test.
SMALLER = {
    "--epochs 64": "--epochs 2",
    "--epochs 400 --repeat 5": "--epochs 4 --repeat 2",
    "--steps 32,64": "--steps 1,2",
    "--units 64,128": "--units 4,8",
    r"--units \d+": "--units 8",
    "--bands 128": "--bands 16",
    "--band-window 32 --band-overlap 24": "--band-window 8 --band-overlap 4",
    "--axis frequency-time": "--axis frequency-time --band-window 8 --band-overlap 4",
    "--duration 5": "--duration 0.4",
    "--chunk-duration 1 --chunks 5": "--chunk-duration 0.15 --chunks 2",
}


def stories():
    """Read the blocks of commands of the page: lists of arguments, loops unrolled."""
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        lines = block
        for loop in re.finditer(r"for DB in (.*?); do\n(.*?)done\n", block, re.DOTALL):
            unrolled = "".join(loop[2].replace("$DB", value) for value in loop[1].split())
            lines = lines.replace(loop[0], unrolled)
        yield [shlex.split(line, comments=True) for line in lines.splitlines()]


def test_every_command_of_the_page_is_one(run):
    """Names of commands and options, and their values, are looked at, nothing is run."""
    names = set()
    for story in stories():
        for program, name, *args in story:
            assert program == "skaudeep"
            command = main.commands[name]
            if name == "plot":
                command, args = command.commands[args[0]], args[1:]
            with command.make_context(name, args):  # a wrong command line is an error
                names.add(name)
    assert names == set(main.commands) - {"report", "audit", "detect", "similar", "unusual"}


def test_every_option_of_the_page_is_one():
    """The tables name options of auDeep on the left, and ours on the right."""
    known = {
        option
        for command in [*main.commands.values(), *main.commands["plot"].commands.values()]
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    rows = [line.split(" | ") for line in PAGE.read_text("utf-8").splitlines() if line[:2] == "| "]
    ours = [row[1] for row in rows if len(row) > 2]
    named = {option for cell in ours for option in re.findall(r"--[a-z-]+[a-z]", cell)}
    assert len(named) > 25
    assert named - {"--unidirectional"} <= known


@pytest.fixture
def tell(run, tmp_path):
    """Return a function that runs a block of the page, with smaller numbers."""

    def tell(number):
        for args in list(stories())[number]:
            line = " ".join(args[1:])
            for pattern, small in SMALLER.items():
                line = re.sub(rf"{pattern}(?!\S)", small, line)
            done = run(*line.split())
            assert done.exit_code == 0, (line, done.stderr)

    return tell


def features(path):
    return skaudeep.load_netcdf(path)


@pytest.mark.slow
def test_the_tutorial_of_audeep_runs_command_by_command(tell, tmp_path):
    make_sounds(
        20,
        n_classes=2,
        n_sessions=5,
        duration=0.4,
        sampling_rate=RATE,
        random_state=0,
        folder=tmp_path / "ESC-10",
    )
    tell(0)
    fused = features(tmp_path / "fused.nc")
    both = [features(tmp_path / f"f{db}.nc").data for db in (60, 45)]
    np.testing.assert_array_equal(fused.data, np.concatenate(both, axis=1))
    assert fused.folds.shape == (20, 5)
    np.testing.assert_array_equal(features(tmp_path / "steps-2.nc").data, both[0])
    assert len(skaudeep.load(tmp_path / "longer.skaudeep").loss_curve_) == 4
    predictions = pd.read_csv(tmp_path / "predictions.tsv", sep="\t")
    assert predictions["file"].tolist() == fused.filenames.tolist()
    assert load_arff(tmp_path / "fused.arff").data.shape == fused.data.shape
    back = features(tmp_path / "imported.nc")
    assert back.folds.sum(axis=0).tolist() == fused.folds.sum(axis=0).tolist()
    balanced = features(tmp_path / "balanced.nc")
    train = balanced.target[balanced.partition == "train"]
    assert len(set(np.bincount(train).tolist())) == 1
    for name in ("preview", "loss", "reconstruction", "embedding"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")

    tell(1)
    frames = features(tmp_path / "frames.nc")
    assert frames.dims == ("clip", "frame", "feature")
    for name in ("f-t", "ft"):
        assert features(tmp_path / f"{name}.nc").data.shape[0] == 20
    chunks = features(tmp_path / "chunk-features.nc")
    assert chunks.data.shape[:2] == (20, 2)
    whole = features(tmp_path / "whole.nc")
    np.testing.assert_array_equal(whole.data, chunks.data.reshape(20, -1))


@pytest.mark.slow
def test_the_five_steps_of_a_compare_baseline_keep_partitions_and_name_test_clips(tell, tmp_path):
    sounds = make_sounds(
        24, n_classes=2, n_sessions=3, duration=0.4, sampling_rate=RATE, random_state=0
    )
    root = tmp_path / "ComParE2020_Mask"
    (root / "wav").mkdir(parents=True)
    (root / "lab").mkdir()
    rows = ["file_name,label"]
    for i, (samples, label) in enumerate(zip(sounds.data, sounds.target, strict=True)):
        partition = ("train", "devel", "test")[int(sounds.folds[i].argmax())]
        name = f"{partition}_{i:04d}.wav"
        soundfile.write(root / "wav" / name, samples, RATE)
        rows.append(f"{name},{'?' if partition == 'test' else ['clear', 'mask'][label]}")
    (root / "lab/labels.csv").write_text("\n".join(rows) + "\n")
    tell(2)
    fused = features(tmp_path / "fused.nc")
    assert fused.data.shape == (24, 4 * features(tmp_path / "f30.nc").data.shape[1])
    assert pd.Series(fused.partition).value_counts().to_dict() == dict.fromkeys(
        ("train", "devel", "test"), 8
    )
    assert (fused.target[fused.partition == "test"] == -1).all()
    predictions = pd.read_csv(tmp_path / "predictions.tsv", sep="\t").set_index("file")
    test = predictions.loc[fused.filenames[fused.partition == "test"]]
    assert set(test["label"]) <= {"clear", "mask"}
    assert len(test) == 8
