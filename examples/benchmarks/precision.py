"""What bfloat16 costs: loss and accuracy of the same trainings in float32 and bf16.

    python examples/benchmarks/precision.py PATH_OF_ESC10

The paper's network on ESC-10 at -60 dB for some epochs, with a few seeds; accuracy is that of
`LinearSVC(C=0.01)` over the five folds, mean over folds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skaudeep import Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.datasets import load_esc


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--units", type=int, default=256)
    arguments = parser.parse_args()
    clips = load_esc(arguments.path)
    X = SpectrogramExtractor(duration=5.0, align="center", clip_below=-60).transform(clips.data)
    losses: dict[str, list[float]] = {"float32": [], "bf16": []}
    for seed in range(arguments.seeds):
        for precision, found in losses.items():
            autoencoder = Seq2SeqAutoencoder(
                arguments.units,
                n_layers=2,
                bidirectional_encoder=False,
                bidirectional_decoder=True,
                representation="statistics",
                max_epochs=arguments.epochs,
                precision=precision,
                random_state=seed,
            )
            features = autoencoder.fit_transform(X)
            classifier = make_pipeline(StandardScaler(), LinearSVC(C=0.01, random_state=0))
            accuracy = cross_val_score(classifier, features, clips.target, cv=clips.cv).mean()
            found.append(autoencoder.loss_curve_[-1])
            print(
                f"seed {seed} {precision:8} loss {found[-1]:.5f} accuracy {accuracy:.2%}",
                flush=True,
            )
    ratio = np.divide(losses["bf16"], losses["float32"])
    print(f"bf16 / float32 of the loss after {arguments.epochs} epochs: {ratio.round(4)}")


if __name__ == "__main__":
    main()
