"""Hear what a code kept of a sound.

Run it with ``python examples/getting_started/hear.py``, or with a folder of clips. For one clip of
each class it writes a picture and three WAV files: the sound as its spectrogram has it, rebuilt
with teacher forcing (`reconstruct`), and rebuilt from nothing but its code (`inverse_transform`).
Teacher forcing flatters: it is told the frame before. Beside each stands the correlation with the
spectrogram that went in, of the rebuilt one and of what is heard.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # a picture in a file, also on a machine without a screen

import matplotlib.pyplot as plt
import numpy as np
import soundfile
from numpy.typing import NDArray

from skaudeep import Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.datasets import load_dataset, make_sounds

OUT = Path("out", "hear")
RATE = 16_000  # Hz


def correlation(one: NDArray, other: NDArray) -> float:
    there = ~(np.isnan(one) | np.isnan(other))
    return float(np.corrcoef(one[there], other[there])[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", nargs="?", help="folder of clips; default: generated")
    parser.add_argument("--max-epochs", type=int, default=60)
    options = parser.parse_args()

    sounds = (
        make_sounds(200, random_state=0) if options.path is None else load_dataset(options.path)
    )
    extractor = SpectrogramExtractor(
        0.064,
        n_mels=64,
        duration=None if options.path is None else 5.0,
        clip_below=-60,
        sampling_rate=RATE,
    )
    X = extractor.transform(sounds.data)
    autoencoder = Seq2SeqAutoencoder(
        128,
        n_layers=1,
        representation="code",
        feed_previous_prob={0: 0.0, options.max_epochs // 2: 1.0},  # in the end the code is all
        max_epochs=options.max_epochs,
        batch_size=16,
        learning_rate={0: 3e-3, options.max_epochs: 5e-4},
        dropout=0.0,
        random_state=0,
    ).fit(X)

    _, rows = np.unique(sounds.target, return_index=True)
    some = X[rows]
    versions = {
        "spectrogram": some,
        "reconstruct": autoencoder.reconstruct(some),
        "inverse_transform": np.where(
            np.isnan(some), np.nan, autoencoder.inverse_transform(autoencoder.transform(some))
        ),
    }
    OUT.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(
        len(rows), 3, figsize=(9, 1.6 * len(rows)), sharex=True, sharey=True, layout="constrained"
    )
    for column, (version, spectrograms) in enumerate(versions.items()):
        waveforms = extractor.to_audio(spectrograms, random_state=0)
        heard = extractor.transform(waveforms)
        for i, row in enumerate(rows):
            name = sounds.target_names[sounds.target[row]]
            axes[i, column].imshow(
                spectrograms[i].T, origin="lower", aspect="auto", vmin=-1, vmax=1
            )
            axes[i, column].set_title(f"{name}: {version}" if i == 0 else name, fontsize=8)
            soundfile.write(OUT / f"{name} - {version}.wav", waveforms[i], RATE)
            print(
                f"{name:20s} {version:18s} rebuilt {correlation(some[i], spectrograms[i]):.3f}"
                f"  heard {correlation(some[i], heard[i]):.3f}"
            )
    figure.supxlabel("frame")
    figure.supylabel("mel band")
    figure.savefig(OUT / "hear.png", dpi=120)
    print(f"Sounds and a picture: {OUT}/")


if __name__ == "__main__":
    main()
