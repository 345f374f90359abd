"""The benchmark of accuracy: its figures are those of the pipeline by hand, cached or not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from skaudeep import Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.datasets import make_sounds

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "examples" / "benchmarks" / "accuracy.py"


def run(folder: Path) -> tuple[list[dict], str]:
    record = folder / "record.json"
    options = ["--epochs", "1", "--seeds", "2", "--cache", folder, "--json", record]
    done = subprocess.run(
        [sys.executable, SCRIPT, "generated", "--configurations", "covariance -60", *options],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(record.read_text())["results"], done.stderr


def test_the_benchmark_predicts_as_the_same_pipeline_by_hand_and_its_second_run_computes_nothing(
    tmp_path: Path,
):
    results, progress = run(tmp_path)
    assert "learn" in progress
    assert run(tmp_path) == (results, "")
    assert [(r["protocol"], r["control"]) for r in results] == [
        (protocol, control)
        for protocol in ("transductive", "inductive")
        for control in ("", "untrained", "mel statistics")
    ]

    sounds = make_sounds(random_state=0)
    extractor = SpectrogramExtractor(
        0.04, duration=1.0, align="center", sampling_rate=16000, clip_below=-60
    )
    X = extractor.transform(sounds.data)
    for n_epochs, i in ((1, 3), (0, 4)):  # inductive, as it is and untrained
        predicted = np.empty(len(X), dtype=int)
        for train, test in sounds.cv:
            model = make_pipeline(
                Seq2SeqAutoencoder(max_epochs=n_epochs, random_state=2060),
                StandardScaler(),
                Normalizer(),
                LinearSVC(random_state=0),
            )
            predicted[test] = model.fit(X[train], sounds.target[train]).predict(X[test])
        assert results[i]["predictions"] == [predicted.tolist()]
        assert results[i]["accuracy"] == pytest.approx((predicted == sounds.target).mean())
