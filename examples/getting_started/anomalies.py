"""Find sounds of a kind that was never heard: each class of generated sounds held out in turn.

Run it with ``python examples/getting_started/anomalies.py``. An autoencoder is trained, without
labels, on sounds of seven classes; `score_samples` then tells test sounds of these classes from
those of the eighth, which often is one of the seven played backwards. With
``feed_previous_prob=1`` the decoder is never told the truth, so all that it knows of a sound has
to be in the code: what the code has no place for comes out wrong. The figure is the area under the
ROC curve, 0.5 for guessing.

Controls are three usual detectors on mean, standard deviation and change of the mel bands: the
distance to the nearest training sound, Mahalanobis' distance and an isolation forest.
"""

import argparse

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudeep import AnomalyDetector, BandStatistics, Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.datasets import make_sounds


def control_scores(usual: NDArray, test: NDArray) -> dict[str, NDArray]:
    """How usual the detectors on mel statistics find the test sounds."""
    statistics = make_pipeline(BandStatistics(), StandardScaler())
    usual, test = statistics.fit_transform(usual), statistics.transform(test)
    neighbours = NearestNeighbors(n_neighbors=1).fit(usual)
    forest = IsolationForest(n_estimators=200, random_state=0).fit(usual)
    return {
        "nearest": -neighbours.kneighbors(test)[0][:, 0],
        "Mahalanobis": -LedoitWolf().fit(usual).mahalanobis(test),
        "forest": forest.score_samples(test),
    }


def hold_out(
    held_out: int, train: tuple[NDArray, NDArray], test: tuple[NDArray, NDArray]
) -> tuple[dict[str, float], str]:
    """Learn all classes but one; return the areas under the curve, and what `predict` finds."""
    usual = train[0][train[1] != held_out]
    autoencoder = Seq2SeqAutoencoder(
        64,
        n_layers=1,
        feed_previous_prob=1.0,
        max_epochs=60,
        batch_size=16,
        learning_rate={0: 3e-3, 60: 5e-4},
        dropout=0.0,
        random_state=0,
    )
    # A fifth of the sounds is held out from training: by them `predict` calls 5 % of new sounds of
    # the known classes unusual.
    detector = AnomalyDetector(autoencoder, false_alarm_rate=0.05, random_state=0).fit(usual)
    is_usual = test[1] != held_out
    scores = {"autoencoder": detector.score_samples(test[0]), **control_scores(usual, test[0])}
    unusual = detector.predict(test[0]) == -1
    found = (
        f"predict: unusual are {unusual[~is_usual].mean():4.0%} of the unknown, "
        f"{unusual[is_usual].mean():4.0%} of the known"
    )
    return {name: roc_auc_score(is_usual, score) for name, score in scores.items()}, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-jobs", type=int, default=2, help="networks trained at a time")
    options = parser.parse_args()

    sounds = make_sounds(480, n_classes=8, n_sessions=4, sampling_rate=8000, random_state=0)
    extractor = SpectrogramExtractor(
        window_duration=0.064, n_mels=32, clip_below=-45, sampling_rate=sounds.sampling_rate
    )
    X_train, X_test, y_train, y_test = train_test_split(
        extractor.transform(sounds.data),
        sounds.target,
        test_size=0.4,
        stratify=sounds.target,
        random_state=0,
    )
    print(f"{len(X_train)} training and {len(X_test)} test sounds, training 8 networks ...")
    rows = Parallel(n_jobs=options.n_jobs, return_as="generator")(
        delayed(hold_out)(held_out, (X_train, y_train), (X_test, y_test)) for held_out in range(8)
    )
    areas = []
    for name, (by_detector, found) in zip(sounds.target_names, rows, strict=True):
        areas.append(list(by_detector.values()))
        if len(areas) == 1:
            print("held out".ljust(18), *(f"{detector:>11s}" for detector in by_detector))
        print(name.ljust(18), *(f"{area:11.2f}" for area in areas[-1]), "", found, flush=True)
    print("mean".ljust(18), *(f"{area:11.3f}" for area in np.mean(areas, axis=0)))


if __name__ == "__main__":
    main()
