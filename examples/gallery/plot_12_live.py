"""
Sound as it comes in
====================

A microphone delivers blocks of a tenth of a second. This example sends them through a model that
was fitted to recordings, and draws what it says while the sound goes on. The results are those
that the whole recording would have had.
"""

# %%
# A model that reads forwards
# ---------------------------
# It predicts loudness and pitch of each frame, as somebody labelled them in training recordings.
# To work live, its network reads forwards only, and levels are relative to full scale: the
# loudest point of a clip is not known before the clip is over.
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudeep import PerFrame, ReservoirFeatures, SpectrogramExtractor
from skaudeep.datasets import frame_targets, make_labelled_recordings

recordings = make_labelled_recordings(
    13, duration=30.0, delay=0.0, random_state=0
)
extractor = SpectrogramExtractor(
    0.064,
    hop_duration=0.04,
    n_mels=40,
    clip_below=-80,
    reference="full_scale",
    sampling_rate=recordings.sampling_rate,
)
times = extractor.frame_times(extractor.transform(recordings.data))
targets = frame_targets(recordings.labels, times)
model = make_pipeline(
    extractor,
    ReservoirFeatures(
        48,
        n_layers=1,
        bidirectional=False,
        representation="states",
        random_state=0,
    ),
    PerFrame(make_pipeline(StandardScaler(), Ridge(10))),
)
model.fit(recordings.data[:-1], targets[:-1])

# %%
# Blocks from a microphone
# ------------------------
# Here the blocks are cut from the recording that the model has not heard. Any iterable of arrays
# will do, such as a generator that reads from a sound card. :func:`~skaudeep.stream` yields the
# time and the values of each frame as soon as its last sample is there.
import time

import numpy as np
import pandas as pd

import skaudeep

sound = recordings.data[-1]
blocks = np.array_split(sound, 300)
begin = time.perf_counter()
stream = skaudeep.stream(model, blocks, sampling_rate=recordings.sampling_rate)
live = pd.DataFrame([values for _, values in stream])
seconds = time.perf_counter() - begin
print(f"{len(live)} frames of 30 s of sound in {seconds:.1f} s")
live.head(3)

# %%
import matplotlib.pyplot as plt

from skaudeep import SpectrogramDisplay

figure, axes = plt.subplots(
    3, 1, figsize=(9, 6.4), sharex=True, layout="constrained"
)
SpectrogramDisplay.from_extractor(extractor, sound, ax=axes[0], colorbar=False)
axes[0].set(title="what comes in", xlabel="")
for i, name in enumerate(("loudness", "pitch")):
    ax = axes[i + 1]
    ax.plot(times[-1], targets[-1, :, i], color="black", label="labelled")
    ax.plot(live.index, live.iloc[:, i], color="tab:orange", label="said live")
    ax.set(ylabel=name, ylim=(-1.3, 1.3))
axes[1].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)
axes[2].set_xlabel("time (s)")
plt.show()

# %%
# Live and afterwards
# -------------------
# The network goes on from the state that the frames before have left, so that nothing depends on
# how the sound was cut into blocks.
afterwards = model.predict([sound])[0]
difference = np.abs(live.to_numpy() - afterwards).max()
print(f"largest difference to the whole recording at once: {difference:.1e}")

# %%
# By windows
# ----------
# A model of whole clips needs windows: here the level of 40 bands over the last two seconds, each
# half second.
from skaudeep import BandStatistics

stream = skaudeep.stream(
    make_pipeline(extractor, BandStatistics()),
    blocks,
    sampling_rate=recordings.sampling_rate,
    duration=2.0,
    hop=0.5,
)
by_window = pd.DataFrame([values for _, values in stream])
figure, ax = plt.subplots(figsize=(9, 3), layout="constrained")
image = ax.imshow(
    by_window.filter(like="mean_").to_numpy().T,
    origin="lower",
    aspect="auto",
    extent=(by_window.index[0], by_window.index[-1], 0, 40),
    cmap="magma",
)
figure.colorbar(image, label="mean level (scaled)")
ax.set(xlabel="end of the window (s)", ylabel="mel band")
plt.show()

# %%
# The main figures: live is the same as afterwards, and follows the labels.
assert difference < 1e-3
assert (
    np.corrcoef(live.iloc[:, 0].to_numpy(), np.nan_to_num(targets[-1, :, 0]))[
        0, 1
    ]
    > 0.5
)

# %%
# What to try next: a microphone. Any generator of blocks will do in place of ``blocks``, such as
# one around the package sounddevice. A detector of unusual sound, as in
# :ref:`sphx_glr_auto_examples_plot_07_anomalies.py`, works by windows.
