"""
What a spectrogram extractor does
=================================

Every model of this library that hears sound begins with a
:class:`~skaudeep.SpectrogramExtractor`. This example shows what its parameters do to one
recording of a rooster: the length of the window, the threshold in decibels, and chunks.
"""

# %%
# A window is a choice
# --------------------
# A spectrum is taken of a short piece of sound, the window. A short window tells *when* something
# happens, a long one tells at *which frequency*. The harmonics of the crow are lines with 80 ms
# and melt together with 10 ms; its onset is sharp with 10 ms and smeared with 80 ms.
import matplotlib.pyplot as plt

from skaudeep import SpectrogramDisplay, SpectrogramExtractor

rooster = "clips/rooster/4-164021-A.ogg"

figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
for window, ax in zip((0.01, 0.03, 0.08), axes, strict=True):
    extractor = SpectrogramExtractor(
        window, n_mels=None, fmax=5000, clip_below=-60
    )
    SpectrogramDisplay.from_extractor(extractor, rooster, ax=ax, colorbar=False)
    ax.set_xlim(1.5, 3.5)
    ax.set_title(f"window of {window * 1000:.0f} ms")
plt.show()

# %%
# Mel bands
# ---------
# ``n_mels`` groups the bins of the spectrum into bands that are narrow at low and wide at high
# frequencies, about as the ear does: 128 numbers a frame in place of 1764.
extractor = SpectrogramExtractor(0.08, n_mels=128, clip_below=-70)
print(extractor.transform([rooster]).shape, "clips, frames, bands")
SpectrogramDisplay.from_extractor(extractor, rooster, scale="dB")
plt.show()

# %%
# A threshold against the background
# ----------------------------------
# ``clip_below`` raises all that is more than so many decibels below the loudest point of the
# clip. What is left is scaled to [-1, 1]. At -30 dB the background is gone, and so are the weak
# harmonics.
figure, axes = plt.subplots(
    1, 3, figsize=(11, 3.4), sharey=True, layout="constrained"
)
for threshold, ax in zip((-90, -60, -30), axes, strict=True):
    extractor = SpectrogramExtractor(0.04, clip_below=threshold)
    SpectrogramDisplay.from_extractor(extractor, rooster, ax=ax, colorbar=False)
    ax.set_title(f"clip_below={threshold}")
    ax.label_outer()
plt.show()

# %%
# Which threshold suits a recording can be seen in the distribution of its levels.
# :class:`~skaudeep.LevelsDisplay` shows the share of the spectrogram that lies below it. The
# column at -120 dB is the digital silence before the crow.
from skaudeep import LevelsDisplay

LevelsDisplay.from_extractor(SpectrogramExtractor(0.04, clip_below=-60), rooster)
plt.show()

# %%
# Chunks
# ------
# ``chunk_duration`` cuts a clip into pieces of equal length, each of which has features of its
# own. By default each chunk is scaled by its own minimum and maximum, so that a chunk of silence
# looks as bright as one with a crow. ``reference="clip"`` keeps the levels of the chunks
# comparable.
figure, axes = plt.subplots(
    2, 4, figsize=(11, 4.6), sharey=True, layout="constrained"
)
for reference, row in zip(("chunk", "clip"), axes, strict=True):
    extractor = SpectrogramExtractor(
        0.04, clip_below=-60, chunk_duration=1.25, reference=reference
    )
    for chunk, ax in enumerate(row):
        SpectrogramDisplay.from_extractor(
            extractor,
            rooster,
            chunk=chunk,
            ax=ax,
            colorbar=False,
            vmin=-1,
            vmax=1,
        )
        ax.set_title(f'reference="{reference}", chunk {chunk}', fontsize=10)
        ax.label_outer()
plt.show()

# %%
# In numbers: by its own scale each chunk reaches 1. By that of the clip, the first one does not:
# it is before the crow.
options = {"clip_below": -60, "chunk_duration": 1.25}
own = SpectrogramExtractor(0.04, **options).transform([rooster])
common = SpectrogramExtractor(0.04, reference="clip", **options).transform(
    [rooster]
)
print(own.shape, "clips, chunks, frames, bands")
print("loudest value of each chunk:", own[0].max(axis=(1, 2)).round(2))
print("by the scale of the clip:   ", common[0].max(axis=(1, 2)).round(2))
assert (own.max(axis=(2, 3)) > 0.999).all()
assert common[0, 0].max() < 0.5

# %%
# What to try next: other clips of ``clips/``, and your own. How several thresholds serve as
# several views of the same clips is shown in :ref:`sphx_glr_auto_examples_plot_16_fusion.py`, and
# how chunks vote on the class of their clip in :ref:`sphx_glr_auto_examples_plot_13_chunks.py`.
