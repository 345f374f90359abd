"""
Clips of unequal length, whole or in chunks
===========================================

Recordings rarely last equally long. A network reads clips of any length. Or clips are cut into
chunks of equal length that vote on the class of their clip. This example does both and shows how
the votes are cast.
"""

# %%
# Clips from one to four seconds
# ------------------------------
# Shorter spectrograms are padded with NaN at the end, and padding never changes a result.
import numpy as np

from skaudeep import SpectrogramExtractor
from skaudeep.datasets import make_sounds

sounds = make_sounds(120, duration=(1.0, 4.0), sampling_rate=8000, random_state=0)
whole = SpectrogramExtractor(0.04, n_mels=40, clip_below=-60, sampling_rate=8000)
spectrograms = whole.transform(sounds.data)
n_frames = (~np.isnan(spectrograms[:, :, 0])).sum(axis=1)
print(spectrograms.shape, "clips, frames, bands")
print(f"from {n_frames.min()} to {n_frames.max()} frames")

# %%
# In chunks, there is one more axis. A last chunk that is less than half full is left out.
chunked = SpectrogramExtractor(
    0.04, n_mels=40, clip_below=-60, chunk_duration=0.5, sampling_rate=8000
)
chunks = chunked.transform(sounds.data)
n_chunks = (~np.isnan(chunks[:, :, 0, 0])).sum(axis=1)
print(chunks.shape, "clips, chunks, frames, bands")
print(f"from {n_chunks.min()} to {n_chunks.max()} chunks")

# %%
import matplotlib.pyplot as plt

from skaudeep import SpectrogramDisplay

label = sounds.target_names.index("low-high tones")
rows = np.flatnonzero(sounds.target == label)
row = rows[np.argmax(n_chunks[rows])]
figure, axes = plt.subplots(
    1, n_chunks[row], figsize=(12, 2.8), sharey=True, layout="constrained"
)
for chunk, ax in enumerate(axes):
    SpectrogramDisplay.from_extractor(
        chunked, sounds.data[row], chunk=chunk, ax=ax, colorbar=False
    )
    ax.set_title(f"chunk {chunk + 1}")
    ax.label_outer()
figure.suptitle("one clip of two tones, low then high")
plt.show()

# %%
# Whole, voted, pooled
# --------------------
# Each clip is one sample to scikit-learn also where it has chunks: no chunk of a test clip is
# trained on. :class:`~skaudeep.ChunkVotingClassifier` lets chunks vote,
# :class:`~skaudeep.ChunkPooling` makes one row of features of all chunks of a clip.
from sklearn.pipeline import make_pipeline

from skaudeep import (
    ChunkPooling,
    ChunkVotingClassifier,
    ReservoirFeatures,
    evaluate,
)
from skaudeep.recipes import linear_classifier

reservoir = ReservoirFeatures(64, n_layers=1, n_components=24, random_state=0)
classifier = linear_classifier(random_state=0)
ways = {
    "whole clips": make_pipeline(whole, reservoir, classifier),
    "chunks, votes": make_pipeline(
        chunked, reservoir, ChunkVotingClassifier(classifier, voting="soft")
    ),
    "chunks, pooled": make_pipeline(
        chunked, reservoir, ChunkPooling("mean_std_max"), classifier
    ),
}
evaluations = {
    name: evaluate(model, sounds, controls=False, random_state=0)
    for name, model in ways.items()
}

# %%
from skaudeep import ComparisonDisplay

ComparisonDisplay.from_evaluations(evaluations)
plt.show()

# %%
# Here no way is ahead of another by more than chance: all intervals of the differences hold 0.
# Longer clips, of which a short call is a small part, are where chunks pay.
#
# How a vote is cast
# ------------------
# The probabilities of each chunk of the clip above, by a classifier that has not heard its
# session. A chunk with one steady tone cannot know what comes before or after it: its vote is a
# guess, and may be a confident one.
train, test = next((train, test) for train, test in sounds.cv if row in test)
voting = ways["chunks, votes"].fit(sounds.data[train], sounds.target[train])
features = voting[:-1].transform(sounds.data[row : row + 1])[0]
votes = voting[-1].classifier_.predict_proba(features[: n_chunks[row]])
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
image = ax.imshow(votes.T, aspect="auto", cmap="Blues", vmin=0, vmax=1)
ax.set_xticks(range(n_chunks[row]), range(1, n_chunks[row] + 1))
ax.set_yticks(range(8), sounds.target_names)
ax.set(xlabel="chunk", title="low-high tones: what each chunk takes it for")
figure.colorbar(image, label="probability")
plt.show()

# %%
# The main figure:
best = evaluations["whole clips"]
assert best.uar > evaluations["chunks, votes"].uar - 0.05
assert best.uar > 0.5

# sphinx_gallery_thumbnail_number = 3

# %%
# What to try next: longer chunks. :func:`skaudeep.datasets.chunks_as_rows` scores chunk by chunk,
# as auDeep does unless it is told to vote.
