"""Write the files of version 0.1 that every later version reads, or refuses by its version.

    python tests/data/make_0_1.py

It was run once, with version 0.1, and is kept to tell what the files hold. A later version that
changes a format adds files of its own, and leaves these as they are.

model_0_1.skaudeep
    A classifier of recordings, fitted on class names, by ``skaudeep.save``.
checkpoint_0_1/
    What ``Checkpoint`` wrote in a training of two epochs.
features_0_1.nc
    A data set with every key, by ``save_netcdf``.
expected_0_1.npz
    What these gave when they were written.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skaudeep import Seq2SeqAutoencoder, save, save_netcdf
from skaudeep.callbacks import Checkpoint
from skaudeep.datasets import make_bunch
from skaudeep.recipes import two_scales

FOLDER = Path(__file__).parent
RATE = 8000


def make_clips() -> tuple[list[np.ndarray], list[str]]:
    """Return sweeps upwards and downwards, of half a second and longer, and the class of each."""
    clips, labels = [], []
    for i in range(10):
        time = np.arange(RATE // 2 + 400 * i) / RATE
        sweep = np.sin(2 * np.pi * (300 + 40 * i + 900 * time) * time) * (1 - time)
        clips.append((sweep if i % 2 else sweep[::-1]).astype(np.float32))
        labels.append("rising" if i % 2 else "falling")
    return clips, labels


def make_spectrograms() -> np.ndarray:
    """Return six sequences of four bands; the last one is shorter."""
    waves = np.sin(np.arange(6 * 10 * 4).reshape(6, 10, 4) ** 1.3).astype(np.float32)
    waves[5, 7:] = np.nan
    return waves


def make_autoencoder(max_epochs: int) -> Seq2SeqAutoencoder:
    """Return the autoencoder of the checkpoint, not trained."""
    return Seq2SeqAutoencoder(
        3, max_epochs=max_epochs, batch_size=3, validation_fraction=0.2, random_state=0
    )


def make_data_set() -> Any:
    """Return features of three clips in chunks, with every key that a data set may have."""
    data = np.sin(np.arange(3 * 2 * 5, dtype=np.float32)).reshape(3, 2, 5)
    data[2, 1] = np.nan
    return make_bunch(
        data,
        ["a/ä.wav", "a/b.wav", "c, d.wav"],
        target=[1, 0, -1],
        target_names=["dog", "rain & snow"],
        folds=[[0, 1], [1, 0], [0, 0]],
        partition=["train", "test", ""],
        groups=["ann", "bob", ""],
        dims=("clip", "chunk", "feature"),
        descr="Three clips.",
    )


def write() -> None:
    """Write all files; refuse where one is there, because what they hold is frozen."""
    files = [FOLDER / name for name in ("model_0_1.skaudeep", "features_0_1.nc")]
    if any(path.exists() for path in files):
        sys.exit(f"{FOLDER} has files of version 0.1 already, and what they hold is frozen.")
    clips, labels = make_clips()
    model = make_pipeline(
        two_scales(sampling_rate=RATE, n_units=4, random_state=0),
        StandardScaler(),
        Normalizer(),
        LogisticRegression(C=10, class_weight="balanced", max_iter=1000),
    )
    model.fit(clips[:8], labels[:8])
    save(model, files[0])
    save_netcdf(make_data_set(), files[1])
    spectrograms = make_spectrograms()
    autoencoder = make_autoencoder(2).set_callbacks(Checkpoint(FOLDER / "checkpoint_0_1", keep=1))
    autoencoder.fit(spectrograms)
    np.savez_compressed(
        FOLDER / "expected_0_1.npz",
        features=model[:-1].transform(clips[::3]),
        labels=model.predict(clips),
        probabilities=model.predict_proba(clips),
        code=autoencoder.transform(spectrograms),
        reconstructions=autoencoder.reconstruct(spectrograms),
        loss_curve=autoencoder.loss_curve_,
        validation_loss_curve=autoencoder.validation_loss_curve_,
    )


if __name__ == "__main__":
    write()
