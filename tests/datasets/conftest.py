"""Corpora that several tests look at: empty files in their real form, and a few that hold sound."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from skaudeep.datasets import make_bunch


def touch(root, *names):
    """Write empty files: readers never open a clip."""
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def write(root, files):
    for name, text in files.items():
        touch(root, name)
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def urbansound(tmp_path):
    rows = [
        ("100032-3-0-0.wav", "100032", "0.0", "0.317551", "1", "5", "3", "dog_bark"),
        ("100263-2-0-117.wav", "100263", "58.5", "62.5", "1", "5", "2", "children_playing"),
        ("102305-6-0-0.wav", "102305", "0.0", "2.611610", "1", "10", "6", "gun_shot"),
        ("100263-2-0-121.wav", "100263", "60.5", "64.5", "1", "5", "2", "children_playing"),
    ]
    header = "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
    table = header + "".join(",".join(row) + "\n" for row in rows)
    write(tmp_path, {"metadata/UrbanSound8K.csv": table, "FREESOUNDCREDITS.txt": ""})
    return touch(tmp_path, *(f"audio/fold{row[5]}/{row[0]}" for row in rows))


@pytest.fixture
def tut(tmp_path):
    """TUT 2017: four clips of three places, two folds."""
    clips = {
        "audio/b020_90_100.wav": ("beach", "b020"),
        "audio/b020_110_120.wav": ("beach", "b020"),
        "audio/a001_0_10.wav": ("bus", "a001"),
        "audio/b100_0_10.wav": ("beach", "b100"),
    }
    scenes = [f"{name}\t{scene}\n" for name, (scene, _) in clips.items()]
    write(
        tmp_path,
        {
            "meta.txt": "".join(f"{n}\t{scene}\t{place}\n" for n, (scene, place) in clips.items()),
            "evaluation_setup/fold1_train.txt": scenes[0] + scenes[1],
            "evaluation_setup/fold1_test.txt": "".join(f"{name}\n" for name in list(clips)[2:]),
            "evaluation_setup/fold1_evaluate.txt": scenes[2] + scenes[3],
            "evaluation_setup/fold2_train.txt": scenes[2] + scenes[3] + scenes[1],
            "evaluation_setup/fold2_evaluate.txt": scenes[0],
        },
    )
    return touch(tmp_path, *clips)


@pytest.fixture
def mixed(tmp_path):
    """Four files of different rates, channels, formats and lengths, and one that is no audio."""
    sounds = {
        "a.wav": ((8000,), 8000),
        "b.wav": ((16_000,), 8000),
        "c.flac": ((16_000, 2), 16_000),
        "d.ogg": ((24_000,), 8000),
    }
    for seed, (name, (shape, rate)) in enumerate(sounds.items()):
        noise = np.random.default_rng(seed).uniform(-0.5, 0.5, shape)
        soundfile.write(tmp_path / name, noise, rate)
    (tmp_path / "e.wav").write_text("no audio")
    names = [*sounds, "e.wav"]
    return make_bunch(
        [tmp_path / name for name in names],
        names,
        target=[0, 1, 1, -1, 0],
        target_names=["ant", "bee"],
        folds=[[1, 0], [0, 1], [0, 1], [0, 0], [1, 0]],
        partition=["train", "train", "test", "", "test"],
        groups=["x", "x", "y", "", "z"],
    )
