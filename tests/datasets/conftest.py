"""Corpora that several readers look at, as empty files in their real form."""

from __future__ import annotations

import pytest


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
