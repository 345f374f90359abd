"""What a report understands of a data set."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from skaudeep.datasets import load_index, make_bunch
from skaudeep.reporting.corpus import understand, without_folders


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


def test_no_clip_that_can_be_read_is_an_error(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="None of the 1 clips can be read"):
        understand(make_bunch([str(path)], ["a.wav"]), None, 0)


def test_a_text_without_folders_keeps_names():
    folder = os.sep.join(["", "home", "ann", "birds"])
    assert without_folders(f"{folder}{os.sep}a.wav in {folder}", (folder,)) == "a.wav in ."
