"""The curve of accuracy over training data: its rule to stop, its rows, and one run from files."""

from __future__ import annotations

import argparse
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import soundfile

from skaudeep.datasets import make_sounds

BENCHMARK = runpy.run_path(
    str(Path(__file__).parents[2] / "examples" / "benchmarks" / "training_curve.py")
)


def test_an_error_that_falls_less_than_one_per_cent_in_ten_epochs_is_flat():
    falling = [0.99**epoch for epoch in range(30)]
    is_flat = BENCHMARK["is_flat"]
    assert not is_flat(falling)
    assert not is_flat([1.0] * 10)  # too short to tell
    assert is_flat([*falling, *[falling[-1] * 0.995] * 10])


def test_a_larger_set_of_clips_holds_the_smaller():
    subset = BENCHMARK["subset"]
    assert set(subset(100, 25)) < set(subset(100, 50))


def test_of_a_run_that_was_continued_the_last_row_counts(tmp_path):
    row = {"objective": "autoencoder", "clips": 500, "seed": 0, "learning_rate": 1e-3}
    lines = [row | {"epochs": 10}, row | {"seed": 1, "epochs": 7}, row | {"epochs": 20}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [found["epochs"] for found in BENCHMARK["rows"](tmp_path)] == [20, 7]


@pytest.mark.slow
def test_a_run_adds_a_row_and_goes_on_from_its_checkpoint(tmp_path, capsys):
    sounds = make_sounds(24, n_classes=2, sampling_rate=8000, random_state=0)
    table = ["filename,fold,target,category,esc10,src_file,take"]
    for folder in ("meta", "audio"):
        (tmp_path / folder).mkdir()
    for i, (samples, label) in enumerate(zip(sounds.data, sounds.target, strict=True)):
        soundfile.write(tmp_path / "audio" / f"{i}.wav", samples, 8000)
        table.append(f"{i}.wav,{1 + i % 4 // 2},{label},kind{label},False,{i},A")
    (tmp_path / "meta" / "esc50.csv").write_text("\n".join(table))
    options = argparse.Namespace(
        path=tmp_path, data=tmp_path / "data", cache=tmp_path / "cache", clips=20, seeds=[0]
    )
    options.objective, options.learning_rate, options.minutes = "untrained", None, 0.0
    BENCHMARK["run"](options)
    options.objective, options.learning_rate = "autoencoder", 1e-3
    BENCHMARK["run"](options)
    BENCHMARK["run"](options)  # the time is spent: nothing is done
    options.minutes = 1e-9
    BENCHMARK["run"](options)
    found = BENCHMARK["rows"](options.data)
    assert [row["epochs"] for row in found] == [0, 2]
    assert len(found[1]["validation_loss"]) == 2
    assert len((options.data / "rows.jsonl").read_text().splitlines()) == 3
    BENCHMARK["table"](options)
    printed = capsys.readouterr().out
    assert "| autoencoder | 0.001 | 20 | 0 | 2 (not flat) |" in printed
    right = np.array([BENCHMARK["LETTERS"].index(k) for k in found[0]["predictions"]])
    assert np.isclose(found[0]["accuracy"], np.mean(right == sounds.target), atol=1e-4)
