"""
Fine-tuning an encoder with labels
==================================

An autoencoder has learned from sounds without labels. With labels its encoder can be trained on,
as a part of any PyTorch model. This example fine-tunes it with a linear layer on top, and
compares that with a classifier of the frozen features.
"""

# %%
# An encoder that has heard the sounds
# ------------------------------------
# Six classes from five sessions. The autoencoder sees all of them, without labels; the last
# session is kept to test what is learned from labels.
from skaudeep import Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.datasets import make_sounds

sounds = make_sounds(240, n_classes=6, sampling_rate=8000, random_state=0)
train, test = sounds.cv[-1]
extractor = SpectrogramExtractor(
    0.04, n_mels=40, clip_below=-60, sampling_rate=8000
)
spectrograms = extractor.transform(sounds.data)
autoencoder = Seq2SeqAutoencoder(
    32,
    n_layers=1,
    representation="statistics",
    max_epochs=15,
    batch_size=16,
    random_state=0,
)
features = autoencoder.fit_transform(spectrograms)

# %%
# Frozen features
# ---------------
from skaudeep.recipes import linear_classifier

frozen = linear_classifier(random_state=0).fit(
    features[train], sounds.target[train]
)
frozen_accuracy = frozen.score(features[test], sounds.target[test])
print(f"frozen features, linear classifier: {frozen_accuracy:.1%}")

# %%
# The encoder as a part of a model
# --------------------------------
# ``encoder_`` is a :class:`torch.nn.Module` from clips to features. A copy of it, a batch
# normalisation and a linear layer are a classifier; from here on everything is PyTorch's.
import copy

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(
    copy.deepcopy(
        autoencoder.encoder_
    ),  # its weights are those of the autoencoder
    nn.BatchNorm1d(features.shape[1]),
    nn.Dropout(0.3),
    nn.Linear(features.shape[1], len(sounds.target_names)),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
x = torch.from_numpy(spectrograms)
y = torch.from_numpy(sounds.target)
losses, training_accuracy, test_accuracy = [], [], []
for _ in range(20):
    model.train()
    for rows in torch.from_numpy(train)[torch.randperm(len(train))].split(16):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        right = model(x).argmax(dim=1) == y
    training_accuracy.append(right[train].double().mean().item())
    test_accuracy.append(right[test].double().mean().item())
print(f"fine-tuned: {test_accuracy[-1]:.1%}")

# %%
import matplotlib.pyplot as plt
import numpy as np

figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
epochs = np.arange(1, 21)
ax.plot(
    epochs,
    100 * np.array(training_accuracy),
    "o-",
    label="fine-tuned, training sessions",
)
ax.plot(
    epochs, 100 * np.array(test_accuracy), "s-", label="fine-tuned, test session"
)
ax.axhline(
    100 * frozen_accuracy,
    color="black",
    linestyle="--",
    label="frozen features, test session",
)
ax.set(xlabel="epoch", ylabel="accuracy in %", xticks=range(0, 21, 5))
ax.legend(loc="lower right")
plt.show()

# %%
# What has changed
# ----------------
# The same clips before and after, as the encoder sees them. Labels have pulled the classes apart;
# the clips of the test session were not among them.
from skaudeep import EmbeddingDisplay

with torch.no_grad():
    tuned = model[0](x).numpy()
figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
for values, name, ax in zip(
    (features, tuned), ("before", "after"), axes, strict=True
):
    EmbeddingDisplay.from_features(
        values[test],
        target=sounds.target[test],
        target_names=sounds.target_names,
        random_state=0,
        name=f"test session, {name}",
        ax=ax,
    )
plt.show()

# %%
# The main figure: fine-tuned, the network tells the classes of a new session apart. Whether it is
# ahead of the frozen features is a matter of the number of labels; with few of them it may be
# behind.
assert test_accuracy[-1] > 0.6
assert training_accuracy[-1] > 0.9

# %%
# What to try next: a smaller learning rate for the encoder than for the linear layer, clips of
# unequal length (``model[0](x, lengths)``), and more seeds than one before you believe a
# difference.
