"""What to do where labels are few: a frozen network, an adapted one, or one tuned with the labels.

A network of 128 units reads frames of 80 ms and is trained as an autoencoder on all audio at hand,
without labels. With 5, 10 and 20 labels a class, drawn from the training clips of each fold of a
corpus, these are scored on the clips of its test fold:

- "reservoir": the same network untrained, `linear_classifier` behind it.
- "trained": the trained network, likewise.
- "adapted": the trained network after `partial_fit` on the corpus, without labels, likewise.
- "fine-tuned": a copy of the adapted network and a linear layer, trained together with the labels
  (`examples/getting_started/finetune.py`).
- "reservoir, fine-tuned": a copy of the untrained network, likewise.
- "two_scales": the default features, `linear_classifier` behind them.

    python examples/benchmarks/few_labels.py train network.skaudeep PATH_OF_ESC50 PATH_OF_WORDS
    python examples/benchmarks/few_labels.py score network.skaudeep PATH --csv esc-10.csv

Training stops when the error on a tenth of the clips is flat, as in `training_curve.py`. Features
are those of `representation="covariance"`; their principal components, and `partial_fit`, see all
clips of the corpus without labels. `--labels` and `--methods` choose a part.
"""

from __future__ import annotations

import argparse
import csv
import runpy
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from training_curve import NETWORK, VALIDATION_FRACTION, StopWhenFlat, pad

from skaudeep import Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.datasets import add_folds, add_groups, load_dataset, make_sounds
from skaudeep.persistence import load, save
from skaudeep.recipes import linear_classifier, two_scales

FINETUNE = runpy.run_path(str(Path(__file__).parents[1] / "getting_started" / "finetune.py"))
RATE = 16000  # Hz
ADAPTING_EPOCHS = 10
N_FOLDS = 5  # where a corpus has none


def extract(bunch: Any) -> NDArray[np.float32]:
    extractor = SpectrogramExtractor(
        window_duration=0.08, n_mels=128, mel_norm="slaney", clip_below=-60, sampling_rate=RATE
    )
    return extractor.fit_transform(bunch.data)


def train(options: argparse.Namespace) -> None:
    parts = [extract(load_dataset(path)) for path in options.paths]
    n_frames = max(part.shape[1] for part in parts)
    X = np.concatenate([pad(part, n_frames) for part in parts])
    autoencoder = Seq2SeqAutoencoder(
        **NETWORK, max_epochs=1000, validation_fraction=VALIDATION_FRACTION, random_state=0
    )
    autoencoder.set_callbacks(StopWhenFlat(options.minutes)).fit(X)
    save(autoencoder, options.network)
    print(f"{len(X)} clips, {len(autoencoder.loss_curve_)} epochs")


def draw(
    target: NDArray[np.int_], train: NDArray[np.intp], n_labels: int, seed: int
) -> NDArray[np.intp]:
    """Draw clips of each class from the training clips, or take all of a class that has fewer."""
    rng = np.random.default_rng(seed)
    drawn = [
        rng.permutation(train[target[train] == label])[:n_labels]
        for label in np.unique(target[train])
    ]
    return np.concatenate(drawn)


def read(options: argparse.Namespace) -> Any:
    if options.path == "generated":
        return make_sounds(400, random_state=0)
    bunch = load_dataset(options.path)
    if options.groups:
        bunch = add_groups(bunch, options.groups)
    return bunch if bunch.cv else add_folds(bunch, N_FOLDS, random_state=0)


def fine_tuned(
    autoencoder: Seq2SeqAutoencoder,
    features: NDArray[np.float32],
    x: torch.Tensor,
    lengths: torch.Tensor,
) -> Callable[..., NDArray[np.int_]]:
    def predict(
        rows: NDArray[np.intp], y: NDArray[np.int_], test: NDArray[np.intp], seed: int
    ) -> NDArray[np.int_]:
        encoder = deepcopy(autoencoder.encoder_)
        model = FINETUNE["Classifier"](encoder, features[rows], int(y.max()) + 1)
        rates = {"linear": 3e-3, "encoder": 2e-3}
        labels = torch.from_numpy(y[rows].astype(np.int64))
        FINETUNE["train"](model, x[rows], lengths[rows], labels, rates, seed)
        with torch.no_grad():
            parts = [
                model(x[part], lengths[part]).argmax(dim=1)
                for part in torch.from_numpy(test).split(64)
            ]
        return torch.cat(parts).numpy()

    return predict


def linear(features: NDArray[np.float32]) -> Callable[..., NDArray[np.int_]]:
    def predict(
        rows: NDArray[np.intp], y: NDArray[np.int_], test: NDArray[np.intp], seed: int
    ) -> NDArray[np.int_]:
        model = linear_classifier(random_state=seed).fit(features[rows], y[rows])
        return model.predict(features[test])

    return predict


def make_methods(bunch: Any, options: argparse.Namespace) -> dict[str, Callable[..., Any]]:
    """Return by name what trains on some clips and predicts others."""
    X = extract(bunch)
    x = torch.from_numpy(np.nan_to_num(X))
    lengths = torch.from_numpy((~np.isnan(X[:, :, 0])).sum(axis=1))
    reservoir = Seq2SeqAutoencoder(**NETWORK, max_epochs=0, random_state=0).fit(X)
    trained = load(options.network)
    adapted = deepcopy(trained)
    for _ in range(ADAPTING_EPOCHS):
        adapted.partial_fit(X)
    features = {
        "reservoir": reservoir.transform(X),
        "trained": trained.transform(X),
        "adapted": adapted.transform(X),
        "two_scales": two_scales(sampling_rate=RATE, random_state=0).fit_transform(bunch.data),
    }
    methods = {name: linear(of) for name, of in features.items()}
    methods["fine-tuned"] = fine_tuned(adapted, features["adapted"], x, lengths)
    methods["reservoir, fine-tuned"] = fine_tuned(reservoir, features["reservoir"], x, lengths)
    return {name: methods[name] for name in options.methods or methods}


def score(options: argparse.Namespace) -> None:
    bunch = read(options)
    target = np.asarray(bunch.target)
    methods = make_methods(bunch, options)
    with options.csv.open("a", newline="") as file:
        table = csv.writer(file)
        for n_labels in options.labels:
            for name, predict in methods.items():
                began = time.process_time()
                right = np.full((len(options.seeds), len(target)), np.nan)
                for i, seed in enumerate(options.seeds):
                    for fold, (training, test) in enumerate(bunch.cv):
                        rows = draw(target, training, n_labels, 100 * seed + fold)
                        right[i, test] = predict(rows, target, test, seed) == target[test]
                accuracy = 100 * np.nanmean(right, axis=1)
                seconds = time.process_time() - began
                line = [Path(options.path).name, n_labels, name, f"{accuracy.mean():.1f}"]
                spread = f"{accuracy.std(ddof=1):.1f}" if len(accuracy) > 1 else ""
                line += [spread, len(accuracy), f"{seconds:.0f}"]
                table.writerow(line)
                file.flush()
                print(*line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("train")
    command.set_defaults(function=train)
    command.add_argument("network", type=Path, help="file to write")
    command.add_argument("paths", type=Path, nargs="+", help="folders of clips")
    command.add_argument("--minutes", type=float, default=100.0)
    command = commands.add_parser("score")
    command.set_defaults(function=score)
    command.add_argument("network", type=Path)
    command.add_argument("path", help='folder of a corpus, or "generated"')
    command.add_argument("--groups", help="regular expression whose first group is the speaker")
    command.add_argument("--labels", type=int, nargs="+", default=[5, 10, 20])
    command.add_argument("--methods", nargs="+")
    command.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the draws")
    command.add_argument("--csv", type=Path, default=Path("few-labels.csv"))
    options = parser.parse_args()
    options.function(options)


if __name__ == "__main__":
    main()
