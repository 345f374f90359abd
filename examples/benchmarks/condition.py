"""What a conditional code leaves out: a recording's channel, read from its code by a linear probe.

Each recording (ESC-10) or speaker (spoken words) is sent through one of six channels, which are
drawn by seed: an equaliser, a codec, noise and a gain. Half of the recordings or speakers train an
autoencoder, with `condition=` the channel and without, and train two linear probes on its codes:
one for the channel, one for the class. Both read the codes of the other half.

    python examples/benchmarks/condition.py esc10 PATH_OF_ESC10
    python examples/benchmarks/condition.py words PATH_OF_WORDS

Of ESC-10 it is the loudest second of each clip. Balanced accuracy in per cent; by chance it is 16.7
for the channel, 10 for the class of ESC-10 and 33.3 for a word. "Mean" is the code as `transform`
gives it, each number standardised; "unscaled" the same as it is, for a probe that prefers numbers
that vary much; "drawn" the code as the decoder is given it in training, with its noise. "Nats" is
the divergence per clip, an upper bound of what the decoder can learn of a clip from its code;
"rmse" the error of reconstructions of the other half.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from corpora import channel, given, loudest_second
from joblib import Memory
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudeep import Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.nn.counter_rng import CounterRNG

N_CHANNELS = 6
RATE = 16000
GROUPS = {"esc10": r"^\d-(\d+)-", "words": r"^([^_]+)_"}
KINDS = ("mean", "unscaled", "drawn")
COLUMNS = [
    "seed",
    "code",
    "condition",
    *(f"{of}, {kind}" for of in ("channel", "class") for kind in KINDS),
    "nats",
    "rmse",
    "seconds",
]
FREE = {"feed_previous_prob": 1.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "untrained": {"max_epochs": 0},
    "kl_weight=4, free-running": FREE | {"kl_weight": 4.0},
    "kl_weight=0.1": {},
    "kl_weight=0.1, free-running": FREE,
    "tanh": {"code": "tanh"},
}


def through_drawn_channels(
    corpus: str, path: Path, seed: int
) -> tuple[NDArray[np.float32], NDArray, NDArray, NDArray]:
    """Return spectrograms, classes, channels and groups of all clips."""
    rng = np.random.default_rng(seed)
    channels = [channel(np.random.default_rng(rng.integers(2**32))) for _ in range(N_CHANNELS)]
    clips = list(given(path, GROUPS[corpus]))
    if corpus == "esc10":
        clips = list(loudest_second(iter(clips)))
    names = np.array([group for group, *_ in clips])
    found, group = np.unique(names, return_inverse=True)
    drawn = rng.permutation(np.arange(len(found)) % N_CHANNELS)[group]
    sent = [
        channels[number](soxr.resample(samples, rate, RATE)).astype(np.float32)
        for number, (*_, samples, rate) in zip(drawn, clips, strict=True)
    ]
    extractor = SpectrogramExtractor(
        0.08,
        hop_duration=0.04,
        n_mels=64,
        clip_below=-60,
        duration=1.0,
        sampling_rate=RATE,
    )
    X = extractor.fit_transform(sent)
    return X, np.array([label for _, label, *_ in clips]), drawn, group


@torch.inference_mode()
def read_codes(autoencoder: Seq2SeqAutoencoder, X: NDArray, seed: int) -> dict[str, NDArray]:
    """Return the codes, drawn codes where there is a distribution, and its mean divergence."""
    mean = autoencoder.transform(X)
    x = torch.from_numpy(np.ascontiguousarray(X.swapaxes(0, 1)))
    code: Any = autoencoder.network_.encoder
    _, final = code.recurrent(x)
    values, _ = code.code(final, CounterRNG(seed, torch.arange(len(X))))
    _, divergence = code.code(final)
    nats = np.nan if divergence is None else float(divergence) / len(X)
    return {"mean": mean, "unscaled": mean, "drawn": values.numpy(), "nats": np.array(nats)}


def probe(train: NDArray, y: NDArray, test: NDArray, y_test: NDArray, *, scaled: bool) -> float:
    """Return the balanced accuracy of a linear probe."""
    classifier = LogisticRegression(C=0.1, max_iter=5000)
    pipeline = make_pipeline(StandardScaler() if scaled else "passthrough", classifier)
    return 100 * balanced_accuracy_score(y_test, pipeline.fit(train, y).predict(test))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", choices=list(GROUPS))
    parser.add_argument("path", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--units", type=int, default=32)
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--cache", help="folder that keeps the spectrograms for another run")
    options = parser.parse_args()
    make = Memory(options.cache, verbose=0).cache(through_drawn_channels)
    torch.set_num_threads(1)
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    for seed, name in itertools.product(options.seeds, options.variants):
        X, label, drawn, group = make(options.corpus, options.path, seed)
        folds = StratifiedGroupKFold(2, shuffle=True, random_state=seed)
        train, test = next(folds.split(X, label, group))
        for conditional in (False, True) if name != "untrained" else (False,):
            parameters: dict[str, Any] = {
                "n_units": options.units,
                "n_layers": 1,
                "code": "gaussian",
                "representation": "code",
                "max_epochs": options.epochs,
                "batch_size": 16,
                "learning_rate": {0: 2e-3, options.epochs: 1e-4},  # free-running needs it
                "random_state": seed,
            }
            autoencoder = Seq2SeqAutoencoder(**parameters | VARIANTS[name])
            start = time.perf_counter()
            autoencoder.fit(X[train], condition=drawn[train] if conditional else None)
            seconds = time.perf_counter() - start
            known, new = (
                read_codes(autoencoder, X[rows], n) for n, rows in enumerate((train, test))
            )
            figures = [
                probe(known[kind], of[train], new[kind], of[test], scaled=kind != "unscaled")
                for of in (drawn, label)
                for kind in KINDS
            ]
            told = {"condition": drawn[test]} if conditional else {}
            error = -autoencoder.score(X[test], **told)
            row = [
                str(seed),
                name,
                "yes" if conditional else "no",
                *(f"{figure:.1f}" for figure in figures),
                f"{float(new['nats']):.1f}",
                f"{error:.4f}",
                f"{seconds:.0f}",
            ]
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
