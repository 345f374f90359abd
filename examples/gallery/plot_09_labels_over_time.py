"""
Labels over time, and how late they are
=======================================

Somebody listens to speech and moves a slider as he hears it: arousal, say, 25 times in a second.
He reacts late. This example learns such labels frame by frame, finds the delay from the data, and
shows what a prediction looks like beside the truth.
"""

# %%
# Recordings and their labels
# ---------------------------
# Sixteen recordings of half a minute, each of another speaker. The labels are of loudness and
# pitch, two seconds late and not quite right.
from skaudeep import SpectrogramExtractor
from skaudeep.datasets import frame_targets, make_labelled_recordings

recordings = make_labelled_recordings(
    16, duration=30.0, delay=2.0, random_state=0
)
recordings.labels.head()

# %%
# Labels stand at times of their own. :func:`~skaudeep.datasets.frame_targets` brings them to the
# times of the frames. Levels count here, so that they are relative to full scale.
extractor = SpectrogramExtractor(
    0.064,
    hop_duration=0.04,
    n_mels=40,
    clip_below=-80,
    reference="full_scale",
    sampling_rate=recordings.sampling_rate,
)
spectrograms = extractor.transform(recordings.data)
times = extractor.frame_times(spectrograms)
targets = frame_targets(recordings.labels, times)
print(
    spectrograms.shape,
    "recordings, frames, bands;",
    targets.shape,
    "recordings, frames, labels",
)

# %%
# Finding the delay
# -----------------
# A recurrent network with random weights gives each frame features that depend on the frames
# around it. A ridge regression reads them, in a :class:`~skaudeep.PerFrame`, which has the delay
# as a parameter: so a grid search finds it, by folds of whole recordings.
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudeep import PerFrame, ReservoirFeatures

network = ReservoirFeatures(
    48, n_layers=1, representation="states", random_state=0
)
states = network.fit_transform(
    spectrograms
)  # nothing in it is trained: once is enough
model = PerFrame(make_pipeline(StandardScaler(), Ridge(10)), hop_duration=0.04)
delays = np.arange(0, 4.1, 0.5)
search = GridSearchCV(model, {"delay": delays}, cv=KFold(4), error_score="raise")
search.fit(states, targets)
print(f"the labels are {search.best_params_['delay']} s late")

# %%
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.plot(delays, search.cv_results_["mean_test_score"], "o-")
ax.axvline(recordings.delay, color="grey", linestyle="--", label="true delay")
ax.set(xlabel="delay of the labels in s", ylabel="R² in cross-validation")
ax.legend()
plt.show()

# %%
# How good is it?
# ---------------
# :func:`~skaudeep.evaluation.evaluate_over_time` gives the concordance correlation coefficient
# (CCC), with intervals over recordings, beside two controls: the bands of each frame without a
# network, and the mean of the training labels.
from skaudeep.evaluation import evaluate_over_time

pipeline = make_pipeline(network, search.best_estimator_)
data_set = {"data": spectrograms, "filenames": recordings.filenames}
result = evaluate_over_time(
    pipeline,
    data_set,
    targets,
    target_names=["loudness", "pitch"],
    cv=4,
    random_state=0,
)
print(result)

# %%
# A recording that was not trained on, as labelled and as predicted. The labels of the first two
# seconds are of sound before the recording, of which nothing is known.
figure, axes = plt.subplots(
    2, 1, figsize=(9, 4.6), sharex=True, layout="constrained"
)
for i, (name, ax) in enumerate(zip(("loudness", "pitch"), axes, strict=True)):
    ax.plot(
        times[0], targets[0, :, i], color="black", linewidth=2, label="labelled"
    )
    ax.plot(
        times[0],
        result.predictions[0, :, i],
        color="tab:orange",
        label="predicted",
    )
    ax.set(ylabel=name, ylim=(-1.3, 1.3))
axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
axes[1].set_xlabel("time (s)")
plt.show()

# %%
# The main figure: the delay is found to the step of the grid.
assert abs(search.best_params_["delay"] - recordings.delay) <= 0.5

# sphinx_gallery_thumbnail_number = 2

# %%
# What to try next: classes in place of numbers (any classifier in :class:`~skaudeep.PerFrame`),
# and the same network on sound as it comes in, as in
# :ref:`sphx_glr_auto_examples_plot_12_live.py`.
