"""The curve of accuracy over training data: its rule to stop, its rows, and one run from files."""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
import torch

from skaudeep import Seq2SeqAutoencoder
from skaudeep.datasets import make_sounds

FOLDER = Path(__file__).parents[2] / "examples" / "benchmarks"


@pytest.fixture(scope="module")
def benchmark() -> Iterator[ModuleType]:
    sys.path.append(str(FOLDER))
    yield import_module("training_curve")
    sys.path.remove(str(FOLDER))


def test_an_error_that_falls_less_than_one_per_cent_in_ten_epochs_is_flat(benchmark):
    falling = [0.99**epoch for epoch in range(30)]
    is_flat = benchmark.is_flat
    assert not is_flat(falling)
    assert not is_flat([1.0] * 10)  # too short to tell
    assert is_flat([*falling, *[falling[-1] * 0.995] * 10])


def test_a_larger_set_of_clips_holds_the_smaller(benchmark):
    subset = benchmark.subset
    assert set(subset(100, 25)) < set(subset(100, 50))


def test_of_a_run_that_was_continued_the_last_row_counts(benchmark, tmp_path):
    row = {"objective": "autoencoder", "clips": 500, "seed": 0, "learning_rate": 1e-3}
    lines = [row | {"epochs": 10}, row | {"seed": 1, "epochs": 7}, row | {"epochs": 20}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [found["epochs"] for found in benchmark.rows(tmp_path)] == [20, 7]


@pytest.mark.slow
def test_a_run_adds_a_row_and_goes_on_from_its_checkpoint(benchmark, tmp_path, capsys):
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
    options.groups, options.duration = None, 5.0
    options.more, options.weights, options.representations = [], "all", ["covariance"]
    options.objective, options.learning_rate, options.minutes = "untrained", None, 0.0
    benchmark.run(options)
    options.objective, options.learning_rate = "autoencoder", 1e-3
    benchmark.run(options)
    benchmark.run(options)  # the time is spent: nothing is done
    options.minutes = 1e-9
    benchmark.run(options)
    found = benchmark.rows(options.data)
    assert [row["epochs"] for row in found] == [0, 2]
    assert len(found[1]["validation_loss"]) == 2
    assert len((options.data / "rows.jsonl").read_text().splitlines()) == 3
    benchmark.table(options)
    printed = capsys.readouterr().out
    assert "| autoencoder | 0.001 | 20 | 0 | 2 (not flat) | covariance |" in printed
    right = np.array([benchmark.LETTERS.index(k) for k in found[0]["predictions"]])
    assert np.isclose(found[0]["accuracy"], np.mean(right == sounds.target), atol=1e-4)


@pytest.mark.parametrize("weights", ["all", "input", "orthogonal", "top"])
@pytest.mark.parametrize("name", ["masked frames", "teacher"])
def test_an_objective_lowers_its_error_and_moves_the_weights_that_it_may(benchmark, name, weights):
    rng = np.random.default_rng(0)
    speed = rng.uniform(0.1, 1, (80, 1, 3))  # of each clip and band: what the teacher tells apart
    steps = speed * rng.uniform(0, 1, (80, 40, 3))
    X = np.sin(np.cumsum(steps, axis=1)).astype(np.float32)
    autoencoder = Seq2SeqAutoencoder(
        6, n_layers=1 + (weights == "top"), max_epochs=0, random_state=0
    ).fit(X)
    before = copy.deepcopy(autoencoder.network_.encoder.recurrent.state_dict())
    errors = benchmark.objectives.train(
        autoencoder,
        X,
        name,
        learning_rate=1e-2,
        ends=lambda errors: len(errors) == 4,
        minutes=1,
        seed=0,
        teacher=speed[:, 0] if name == "teacher" else None,
        weights=weights,
        validation_fraction=0.4,
    )
    assert min(errors[1:]) < errors[0]
    after = autoencoder.network_.encoder.recurrent.state_dict()
    for key, values in after.items():
        moved = not torch.equal(values, before[key])
        may = {"input": "weight_hh" not in key, "top": ".layers.1." in key}
        assert moved == may.get(weights, True)
        if weights == "orthogonal" and "weight_hh" in key:
            for gate in values.split(6):
                assert torch.allclose(gate @ gate.T, torch.eye(6), atol=1e-3)
