"""Sequences that are no audio: who speaks, told from twelve numbers a frame (Japanese Vowels).

Run it with ``python examples/getting_started/vowels.py PATH``, PATH being an npz file with X of
shape (640, 29, 12), NaN behind the end of shorter rows, y (the speaker) and partition ("train",
270 rows, or "test", 370): the data set of Kudo, Toyama & Shimbo (1999), Multidimensional curve
classification using passing-through regions, Pattern Recognition Letters 20.

The autoencoder sees the training rows only, unlabelled; a linear classifier follows. Sizes and
classifier were chosen by cross-validation within the training rows. The control is the same
network untrained; both are given as the mean over seeds, because one row is 0.27 points.
"""

import argparse

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudeep import Seq2SeqAutoencoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", help="npz file with X, y and partition")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()

    with np.load(options.path) as file:
        X, y, partition = file["X"], file["y"], file["partition"]
    train, test = partition == "train", partition == "test"
    X = (X - np.nanmean(X[train], axis=(0, 1))) / np.nanstd(X[train], axis=(0, 1))

    accuracy: dict[str, list[tuple[float, float]]] = {"trained": [], "untrained": []}
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    for seed in range(options.seeds):
        for name, max_epochs in (("trained", 30), ("untrained", 0)):
            autoencoder = Seq2SeqAutoencoder(
                64,
                bidirectional_encoder=True,
                representation="both",
                max_epochs=max_epochs,
                batch_size=32,
                random_state=seed,
            )
            features = autoencoder.fit(X[train]).transform(X)
            classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
            within = cross_val_score(classifier, features[train], y[train], cv=folds).mean()
            classifier.fit(features[train], y[train])
            accuracy[name].append((within, classifier.score(features[test], y[test])))
            print(f"seed {seed}, {name}: {accuracy[name][-1][1]:.2%}", flush=True)
    for name, scores in accuracy.items():
        within, tested = np.mean(scores, axis=0)
        print(
            f"{name}: {tested:.2%} of the test rows, {within:.2%} by cross-validation within the "
            f"training rows; mean over {options.seeds} seeds"
        )


if __name__ == "__main__":
    main()
