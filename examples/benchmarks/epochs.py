"""What more epochs give: accuracy of an autoencoder's features along its training.

One `Seq2SeqAutoencoder` with its defaults is trained on all clips and looked at on the way: the
accuracy of StandardScaler, Normalizer and LinearSVC over the folds of the corpus (transductive),
for each representation, and the seconds so far.

    python examples/benchmarks/epochs.py                 # generated sounds
    python examples/benchmarks/epochs.py PATH_OF_ESC10
"""

from __future__ import annotations

import argparse
import time

from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from skaudeep import Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.datasets import load_esc, make_sounds

LOOKED_AT = (0, 2, 4, 8, 16, 32, 64)
REPRESENTATIONS = ("covariance", "statistics", "code")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", nargs="?", help="folder of ESC-10; without it generated sounds")
    parser.add_argument("--epochs", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.path:
        bunch = load_esc(arguments.path)
        extractor = SpectrogramExtractor(
            window_duration=0.08, n_mels=128, clip_below=-60, duration=5.0
        )
    else:
        bunch = make_sounds(400, random_state=arguments.seed)
        extractor = SpectrogramExtractor(n_mels=64, sampling_rate=16000, clip_below=-60)
    X = extractor.fit_transform(bunch.data)
    autoencoder = Seq2SeqAutoencoder(
        max_epochs=0, warm_start=True, random_state=arguments.seed
    ).fit(X)
    done, seconds = 0, 0.0
    for epochs in LOOKED_AT:
        if epochs > arguments.epochs:
            break
        if epochs > done:
            start = time.perf_counter()
            autoencoder.set_params(max_epochs=epochs - done, representation="covariance").fit(X)
            done, seconds = epochs, seconds + time.perf_counter() - start
        line = f"{epochs:2} epochs, {seconds:4.0f} s"
        for representation in REPRESENTATIONS:
            features = autoencoder.set_params(representation=representation).transform(X)
            classifier = make_pipeline(StandardScaler(), Normalizer(), LinearSVC(random_state=0))
            accuracy = cross_val_score(classifier, features, bunch.target, cv=bunch.cv).mean()
            line += f", {representation} {100 * accuracy:.1f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
