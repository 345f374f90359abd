"""Thousands of predictions from several threads: the same results, and memory stays flat.

Run by hand:

    python tests/attack/predict_threads.py --calls 10000 --threads 4
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tally import Tally, memory

from skaudeep import (
    BandStatistics,
    FeatureFusion,
    ReservoirFeatures,
    Seq2SeqAutoencoder,
    SpectrogramExtractor,
)
from skaudeep.datasets import make_sounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--threads", type=int, default=4)
    args = parser.parse_args()
    sounds = make_sounds(
        20, n_classes=2, n_sessions=2, sampling_rate=8000, duration=(0.5, 1.0), random_state=0
    )
    extractor = SpectrogramExtractor(n_mels=16, sampling_rate=8000)
    pipelines = {
        "autoencoder": [Seq2SeqAutoencoder(8, n_layers=1, max_epochs=1, random_state=0)],
        "reservoir": [ReservoirFeatures(16, random_state=0)],
        "fusion": [
            FeatureFusion(
                [
                    ("reservoir", ReservoirFeatures(8, random_state=0)),
                    ("statistics", BandStatistics()),
                ]
            )
        ],
    }
    tally = Tally()
    for name, steps in pipelines.items():
        model = make_pipeline(extractor, *steps, StandardScaler(), LogisticRegression())
        model.fit(sounds.data, sounds.target)
        expected = model.predict_proba(sounds.data)
        sizes: list[float] = []
        wrong: list[int] = []

        def call(number: int, model=model, expected=expected, sizes=sizes, wrong=wrong) -> None:
            first = number % 17
            part = slice(first, first + 1 + number % 3)
            found = model.predict_proba(sounds.data[part])
            if not np.allclose(found, expected[part], atol=1e-5):
                wrong.append(number)
            if number % max(1, args.calls // 20) == 0:
                sizes.append(memory())

        with ThreadPoolExecutor(args.threads) as pool:
            list(pool.map(call, range(args.calls)))
        tally.tried += args.calls
        tally.survived += args.calls - len(wrong)
        growth = sizes[-1] - sizes[len(sizes) // 4]
        print(f"{name}: {len(wrong)} wrong; MB of memory: {[round(size) for size in sizes]}")
        tally.count(growth < 20, f"{name}: memory grows by {growth:.0f} MB")
    tally.report()


if __name__ == "__main__":
    main()
