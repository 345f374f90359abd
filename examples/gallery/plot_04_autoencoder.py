"""
Training a sequence autoencoder, and looking at what it learned
===============================================================

A recurrent autoencoder reads a spectrogram, keeps a short code of it, and rebuilds the spectrogram
from that. It needs no labels. This example trains a small one and reads the three pictures that
belong to every training: the loss curve, the reconstruction, and the errors of single clips.
"""

# %%
# Sounds, as spectrograms
# -----------------------
# Four classes of sounds. A sixth of the clips is kept for testing.
import numpy as np
from sklearn.model_selection import train_test_split

from skaudeep import SpectrogramExtractor
from skaudeep.datasets import make_sounds

sounds = make_sounds(240, n_classes=4, sampling_rate=8000, random_state=0)
train, test = train_test_split(
    np.arange(240), test_size=40, stratify=sounds.target, random_state=0
)
extractor = SpectrogramExtractor(
    0.04, n_mels=40, clip_below=-60, sampling_rate=8000
)
spectrograms = extractor.transform(sounds.data)
print(spectrograms.shape, "clips, frames, bands, in [-1, 1]")

# %%
# The training
# ------------
# Thirty passes over the clips. The decoder rebuilds a frame from the code and the true frame
# before it (teacher forcing). A tenth of the clips is held out for validation.
from skaudeep import Seq2SeqAutoencoder

autoencoder = Seq2SeqAutoencoder(
    64,
    n_layers=1,
    representation="code",
    max_epochs=30,
    batch_size=16,
    learning_rate=3e-3,
    validation_fraction=0.1,
    random_state=0,
).fit(spectrograms[train])

# %%
# The loss curve shows the error on the training clips and on those held out. Validation is below
# training because dropout disturbs the network in training alone. Where the lower curve turns up,
# as it does not here, the network begins to learn its clips by heart, and training should end.
import matplotlib.pyplot as plt

from skaudeep import LossCurveDisplay

LossCurveDisplay.from_estimator(autoencoder)
plt.show()

# %%
# An error means nothing by itself. What has to be beaten is the best guess without any knowledge
# of the clip, the mean of all training spectrograms; and, since the decoder is told the frame
# before, a guess that nothing changes from frame to frame.
mean = spectrograms[train].mean(axis=0)
of_mean = np.sqrt(((spectrograms[test] - mean) ** 2).mean())
of_no_change = np.sqrt((np.diff(spectrograms[test], axis=1) ** 2).mean())
error = -autoencoder.score(spectrograms[test])
print(
    f"error {error:.3f}; of the mean {of_mean:.3f}; of no change {of_no_change:.3f}"
)

# %%
# The reconstruction
# ------------------
# One test clip of each class: the original, the reconstruction, and their difference. What is
# left in the difference is noise, which nothing foretells.
from skaudeep import ReconstructionDisplay

_, first = np.unique(sounds.target[test], return_index=True)
ReconstructionDisplay.from_estimator(
    autoencoder,
    spectrograms[test][first],
    n_clips=4,
    extractor=extractor,
    names=sounds.target_names,
)
plt.show()

# %%
# Which clips are rebuilt badly
# -----------------------------
# ``score_samples`` gives each clip the negative of its error: higher is more usual. The sessions
# differ in their noise, and noisy sessions are rebuilt worse whatever is heard in them. So compare
# errors within a session, and listen to those that stand out.
errors = -autoencoder.score_samples(spectrograms)
sessions = np.unique(sounds.groups)
figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
ax.boxplot(
    [errors[sounds.groups == session] for session in sessions],
    tick_labels=sessions,
)
ax.set(ylabel="error of a clip (RMSE)", ylim=(0, None))
plt.show()

# %%
# The main figure: on clips that it has never seen, the network beats both guesses.
assert error < 0.8 * of_mean
assert error < 0.95 * of_no_change

# sphinx_gallery_thumbnail_number = 2

# %%
# What to try next: ``feed_previous_prob={0: 0, 20: 1}``, with which the decoder is left alone
# with the code in the end; this needs more clips and epochs. ``inverse_transform`` then makes
# spectrograms of codes, and ``SpectrogramExtractor.to_audio`` makes sound of those. Whether
# training helps to tell classes apart is another question:
# :ref:`sphx_glr_auto_examples_plot_05_when_training_pays.py`.
