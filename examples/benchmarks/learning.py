"""How much each network learns: its loss beside that of predicting the mean frame.

Every axis, cell and combination of directions is trained on generated sounds and, with a path, on
the first 100 clips of an ESC-10 folder. The yardstick is the root of the mean squared error of a
guess that is the same for all frames of all clips, their mean.

    python examples/benchmarks/learning.py
    python examples/benchmarks/learning.py PATH_OF_ESC10
"""

from __future__ import annotations

import argparse
import time
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skaudeep import Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.datasets import load_esc, make_sounds

AXES = ("time", "frequency", "frequency-time")
CELLS = ("gru", "lstm")
BOTH = (False, True)
# Axis, cell, whether the encoder is bidirectional, whether the decoder is.
COMBINATIONS = tuple(product(AXES, CELLS, BOTH, BOTH))
N_BANDS = 32
SIZES: dict[str, dict[str, Any]] = {
    "time": {"n_units": 64, "n_layers": 1, "max_epochs": 10},
    "frequency": {"n_units": 32, "n_layers": 1, "max_epochs": 4},
    "frequency-time": {"n_units": (24, 64), "n_layers": (1, 1), "max_epochs": 10},
}


def generated_sounds() -> NDArray[np.float32]:
    sounds = make_sounds(100, n_classes=10, sampling_rate=8000, random_state=0)
    extractor = SpectrogramExtractor(0.064, n_mels=N_BANDS, clip_below=-45, sampling_rate=8000)
    return extractor.transform(sounds.data)


def esc10(path: str) -> NDArray[np.float32]:
    clips = load_esc(path).data[:100]
    extractor = SpectrogramExtractor(
        0.16, n_mels=N_BANDS, duration=5.0, align="center", clip_below=-60
    )
    return extractor.transform(clips)


def loss_of_mean_frame(X: NDArray[np.float32]) -> float:
    frames = X.reshape(-1, X.shape[-1]).astype(np.float64)
    return float(np.sqrt(np.nanmean((frames - np.nanmean(frames, axis=0)) ** 2)))


def train(
    X: NDArray[np.float32], axis: str, cell: str, encoder: bool, decoder: bool
) -> Seq2SeqAutoencoder:
    autoencoder = Seq2SeqAutoencoder(
        cell=cell,
        bidirectional_encoder=encoder,
        bidirectional_decoder=decoder,
        axis=axis,
        band_window=8,
        band_overlap=4,
        batch_size=10,
        learning_rate=5e-3,
        dropout=0.0,  # so that the loss is that of the network as it is used
        random_state=0,
        **SIZES[axis],
    )
    return autoencoder.fit(X)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", nargs="?", help="folder of ESC-10")
    options = parser.parse_args()

    data = {"generated": generated_sounds()}
    if options.path is not None:
        data["ESC-10"] = esc10(options.path)
    for name, X in data.items():
        mean = loss_of_mean_frame(X)
        print(f"{name}, {X.shape}: mean frame {mean:.3f}")
        for axis, cell, encoder, decoder in COMBINATIONS:
            start = time.perf_counter()
            loss = train(X, axis, cell, encoder, decoder).loss_curve_[-1]
            stacks = " and ".join(
                f"{'bi' if both else 'uni'}directional {part}"
                for part, both in (("encoder", encoder), ("decoder", decoder))
            )
            print(
                f"{axis:15s} {cell:5s} {stacks:50s} {loss:.3f}  {loss / mean - 1:+4.0%}"
                f"  ({time.perf_counter() - start:.0f} s)",
                flush=True,
            )


if __name__ == "__main__":
    main()
