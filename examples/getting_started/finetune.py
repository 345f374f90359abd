"""Fine-tune a learned encoder with labels, inside a torch model of one's own.

Run it with ``python examples/getting_started/finetune.py``, or with a folder that has a folder of
clips for each class. An autoencoder is trained without labels; then, on the training folds,

- a linear classifier on its frozen features: LinearSVC, and a linear layer trained by Adam,
- a copy of `autoencoder.encoder_` and a linear layer on top of it, trained together.

Each is tested on the remaining fold.
"""

import argparse
import copy

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import Bunch
from torch import Tensor, nn

from skaudeep import Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.datasets import add_folds, load_dataset, make_sounds

EPOCHS, BATCH_SIZE = 30, 16


class Classifier(nn.Module):
    """The encoder, its features standardised by those of the training clips, a linear layer."""

    def __init__(self, encoder: nn.Module, features: NDArray[np.float32], n_classes: int):
        super().__init__()
        self.encoder = encoder
        self.register_buffer("mean", torch.from_numpy(features.mean(axis=0)))
        self.register_buffer("std", torch.from_numpy(features.std(axis=0) + 1e-4))
        self.dropout = nn.Dropout(0.5)
        self.linear = nn.Linear(features.shape[1], n_classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """From clips (n_clips, n_frames, n_bands) to classes (n_clips, n_classes)."""
        features = (self.encoder(x, lengths) - self.mean) / self.std
        return self.linear(self.dropout(features))


def train(
    model: Classifier, x: Tensor, lengths: Tensor, y: Tensor, rates: dict[str, float], seed: int
) -> None:
    """Minimise the cross-entropy, with a learning rate for each part of the model that has one."""
    torch.manual_seed(seed)
    groups = [
        {"params": getattr(model, part).parameters(), "lr": rate} for part, rate in rates.items()
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    model.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH_SIZE):
            loss = nn.functional.cross_entropy(model(x[rows], lengths[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    model.eval()


def load(path: str | None) -> tuple[Bunch, SpectrogramExtractor]:
    if path is None:
        sounds = make_sounds(400, random_state=0)
        return sounds, SpectrogramExtractor(
            0.04, n_mels=64, clip_below=-60, sampling_rate=sounds.sampling_rate
        )
    corpus = load_dataset(path)
    extractor = SpectrogramExtractor(0.08, n_mels=64, duration=5.0, align="center", clip_below=-60)
    return corpus if corpus.cv else add_folds(corpus, 5, random_state=0), extractor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", nargs="?", help="folder of labelled clips; default: generated")
    options = parser.parse_args()

    sounds, extractor = load(options.path)
    X, y = extractor.transform(sounds.data), torch.from_numpy(sounds.target.astype(np.int64))
    autoencoder = Seq2SeqAutoencoder(
        64,
        n_layers=1,
        max_epochs=20,
        batch_size=16,
        random_state=0,
    )
    features = autoencoder.fit_transform(X)
    lengths = torch.from_numpy((~np.isnan(X[:, :, 0])).sum(axis=1))
    x = torch.from_numpy(np.nan_to_num(X))

    accuracy: dict[str, list[float]] = {"LinearSVC": [], "linear layer": [], "fine-tuned": []}
    rates = {"linear layer": {"linear": 3e-3}, "fine-tuned": {"linear": 3e-3, "encoder": 2e-3}}
    for fold, (training, test) in enumerate(sounds.cv):
        svc = make_pipeline(StandardScaler(), LinearSVC(C=0.01))
        svc.fit(features[training], sounds.target[training])
        accuracy["LinearSVC"].append(svc.score(features[test], sounds.target[test]))
        for name, rate in rates.items():
            encoder = copy.deepcopy(autoencoder.encoder_)  # its weights are the autoencoder's own
            model = Classifier(encoder, features[training], len(sounds.target_names))
            train(model, x[training], lengths[training], y[training], rate, seed=fold)
            with torch.no_grad():
                predicted = model(x[test], lengths[test]).argmax(dim=1)
            accuracy[name].append((predicted == y[test]).double().mean().item())
        print(f"fold {fold + 1}:", {name: f"{of[-1]:.1%}" for name, of in accuracy.items()})
    for name, of_folds in accuracy.items():
        print(f"{name}: {np.mean(of_folds):.1%}, mean over {len(of_folds)} folds")


if __name__ == "__main__":
    main()
