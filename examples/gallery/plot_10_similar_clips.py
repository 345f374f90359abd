"""
Clips that sound alike
======================

Without a single label, features tell which recordings sound alike. This example cuts twelve
recordings of clocks, dogs and roosters into seconds, draws a map of them, and asks for the
neighbours of a crow.
"""

# %%
# Twelve recordings, second by second
# -----------------------------------
# :func:`~skaudeep.datasets.windows` makes a clip of each second; nothing is cut on disk. Some of
# the recordings are padded with silence, which :func:`~skaudeep.datasets.audit` finds.
from skaudeep.datasets import audit, load_folder, select, windows

seconds = windows(load_folder("clips"), duration=1.0)
silent = audit(seconds).query("finding == 'silent'").filename
seconds = select(
    seconds, [name for name in seconds.filenames if name not in set(silent)]
)
print(
    len(seconds.filenames),
    "seconds of sound,",
    len(silent),
    "of silence left out",
)

# %%
# The features are those of :func:`~skaudeep.recipes.two_scales`: random networks, no labels.
from skaudeep.datasets import make_bunch
from skaudeep.recipes import two_scales

features = two_scales(random_state=0).fit_transform(seconds.data)
data_set = make_bunch(
    features,
    seconds.filenames,
    target=seconds.target,
    target_names=seconds.target_names,
    groups=seconds.groups,
)

# %%
# The map
# -------
# Clips that lie together sound alike. The colours are for us; the map was made without them.
import matplotlib.pyplot as plt

from skaudeep import EmbeddingDisplay

figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
EmbeddingDisplay.from_features(
    features,
    target=seconds.target,
    target_names=seconds.target_names,
    random_state=0,
    name="seconds of twelve recordings",
    ax=ax,
)
plt.show()

# %%
# The neighbours of a crow
# ------------------------
# :func:`~skaudeep.similar_clips` sorts all others by the cosine between their features and those
# of the given one. Its own recording comes first, of course; we want the others.
from skaudeep import similar_clips

crow = "rooster/4-164021-A.ogg#3000-4000"
neighbours = similar_clips(data_set, crow, n=len(features) - 1)
others = neighbours[~neighbours["file"].str.startswith("rooster/4-164021-A")]
others.head()

# %%
from skaudeep import SpectrogramDisplay, SpectrogramExtractor
from skaudeep.audio import read_audio

position = {name: i for i, name in enumerate(seconds.filenames)}
extractor = SpectrogramExtractor(
    0.04, n_mels=64, clip_below=-60, sampling_rate=44100
)
figure, axes = plt.subplots(
    1, 5, figsize=(12, 3), sharey=True, layout="constrained"
)
for name, ax in zip([crow, *others["file"][:4]], axes, strict=True):
    file, start, end = seconds.data[position[name]]
    samples, _ = read_audio(
        file, start=start.total_seconds(), end=end.total_seconds()
    )
    SpectrogramDisplay.from_extractor(extractor, samples, ax=ax, colorbar=False)
    ax.set_title(name.replace("/", "\n"), fontsize=9)
    ax.label_outer()
plt.show()

# %%
# How often is it right?
# ----------------------
# For each second, the most similar one of *another* recording: is it of the same class?
import numpy as np

right = []
for name, group in zip(data_set.filenames, data_set.groups, strict=True):
    neighbours = similar_clips(data_set, name, n=len(features) - 1)
    own = (
        data_set.groups[[position[file] for file in neighbours["file"]]] == group
    )
    right.append(neighbours["label"][~own].iloc[0] == name.split("/")[0])
print(
    f"{np.mean(right):.0%} of the nearest seconds are of the same class; by chance about 35 %"
)
assert np.mean(right) > 0.5

# %%
# What to try next: an archive of your own. :func:`skaudeep.transform_to_file` writes the features
# of many hours into one file, which :func:`~skaudeep.similar_clips` reads block by block.
