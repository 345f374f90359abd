"""What a report understands of a data set."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.utils import Bunch

from skaudeep.datasets import load_index, make_bunch, select
from skaudeep.reporting.corpus import describe_classes, understand, without_folders
from skaudeep.reporting.folds import choose_folds
from skaudeep.reporting.opening import describe_corpus


def noise(path: Path, seed: int) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.5, 0.5, 800), 8000)
    return str(path)


def test_no_text_names_the_folder_of_the_clips(tmp_path):
    paths = [noise(tmp_path / "in" / f"{row}.wav", row) for row in range(4)]
    Path(paths[1]).write_bytes(Path(paths[0]).read_bytes())
    Path(paths[3]).write_bytes(Path(paths[3]).read_bytes()[:700])
    corpus = understand(make_bunch(paths, paths), None, 0)
    assert corpus.names == ["0.wav", "1.wav", "2.wav"]
    assert list(corpus.left_out) == ["3.wav"]
    kinds = {found.kind: found for found in corpus.findings}
    assert kinds["duplicate"].detail == "the same file as 0.wav"
    assert str(tmp_path) not in str(corpus.findings) + str(corpus.left_out)


def test_segments_of_one_recording_on_both_sides_are_found(tmp_path):
    noise(tmp_path / "a.wav", 0)
    times = [(f"{tmp_path}/a.wav", k / 50, (k + 1) / 50) for k in range(4)]
    index = pd.MultiIndex.from_tuples(times, names=["file", "start", "end"])
    bunch = load_index(pd.Series(list("xyxy"), index, name="call"), target="call")
    bunch.groups = np.array(["", "", "", ""])
    folds = [(np.array([0, 1]), np.array([2, 3]))]
    [crossing] = understand(bunch, folds, 0).crossings
    assert (crossing.kind, crossing.n_shared, crossing.n_folds) == ("recording", 1, 1)
    corpus = understand(bunch, folds, 0)
    assert corpus.origin_names == ["a.wav"] * 4
    assert len(set(corpus.origins)) == 1


def test_no_clip_that_can_be_read_is_an_error(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="None of the 1 clips can be read"):
        understand(make_bunch([str(path)], ["a.wav"]), None, 0)


def test_a_text_without_folders_keeps_names():
    folder = os.sep.join(["", "home", "ann", "birds"])
    assert without_folders(f"{folder}{os.sep}a.wav in {folder}", (folder,)) == "a.wav in ."


def test_what_is_left_of_unreadable_clips_is_divided_as_evaluate_does(tmp_path):
    paths = [noise(tmp_path / f"{row}.wav", row) for row in range(15)]
    target = np.arange(15) % 2
    for row in (3, 8, 9):
        Path(paths[row]).write_bytes(b"RIFF")
    bunch = make_bunch(paths, paths, target=target, target_names=["crow", "owl"])
    corpus = understand(bunch, None, 0)
    kept = select(bunch, [row for row in range(15) if row not in (3, 8, 9)])
    expected = choose_folds(kept, 5, 0)
    for (train, test), (other_train, other_test) in zip(
        corpus.division.folds, expected.folds, strict=True
    ):
        assert (train.tolist(), test.tolist()) == (other_train.tolist(), other_test.tolist())
    assert corpus.summary.n_clips == 12
    assert corpus.labels_left_out == {"3.wav": "owl", "8.wav": "crow", "9.wav": "owl"}
    assert describe_corpus(corpus).startswith(
        "12 clips, 2 classes (crow 7, owl 5), 3 more cannot be read, "
    )
    # Folds that state their clips stay as they are, but for those clips.
    folds = [(np.arange(6), np.arange(6, 15)), (np.arange(6, 15), np.arange(6))]
    tested = [test.tolist() for _, test in understand(bunch, folds, 0).division.folds]
    assert tested == [[5, 6, 7, 8, 9, 10, 11], [0, 1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ([0], "1 class of 1 clip"),
        ([0, 1], "2 classes of 1 clip each"),
        ([1, 1], "1 class of 2 clips"),
    ],
)
def test_one_clip_is_no_plural(target, said):
    assert describe_classes(Bunch(target=np.array(target), target_names=["a", "b"])) == said


def test_groups_of_one_clip_each_are_said_to_be_so():
    data = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 200))
    bunch = make_bunch(data, list("abc"), groups=["x", "y", "z"])
    bunch.sampling_rate = 8000
    assert "each clip a group of its own" in describe_corpus(understand(bunch, None, 0))
