"""
Searching for parameters, without fooling oneself
=================================================

Windows, thresholds and classifiers have parameters. scikit-learn's grid search finds good ones,
over the folds of the data set. The best score of a search is too good to be true, though, because
it was chosen. This example shows both.
"""

# %%
# A grid of two parameters
# ------------------------
# The folds are the sessions of the data set, ``sounds.cv``: scikit-learn takes them as they are.
# Each window and threshold is tried with the same classifier.
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudeep import BandStatistics, SpectrogramExtractor
from skaudeep.datasets import make_sounds

sounds = make_sounds(
    120, n_classes=6, n_sessions=4, sampling_rate=8000, random_state=1
)
pipeline = make_pipeline(
    SpectrogramExtractor(n_mels=32, sampling_rate=8000),
    BandStatistics(),
    StandardScaler(),
    LogisticRegression(max_iter=1000),
)
windows = [0.04, 0.08, 0.16, 0.32]
thresholds = [-60, -40, -20]
grid = {
    "spectrogramextractor__window_duration": windows,
    "spectrogramextractor__clip_below": thresholds,
}
search = GridSearchCV(
    pipeline, grid, cv=sounds.cv, scoring="balanced_accuracy", error_score="raise"
)
search.fit(sounds.data, sounds.target)
print(search.best_params_)

# %%
import matplotlib.pyplot as plt

scores = 100 * search.cv_results_["mean_test_score"].reshape(
    len(thresholds), len(windows)
)
figure, ax = plt.subplots(figsize=(6, 4.2), layout="constrained")
image = ax.imshow(scores, cmap="viridis")
for (i, j), score in np.ndenumerate(scores):
    dark = score < scores.mean()
    ax.text(
        j,
        i,
        f"{score:.0f}",
        ha="center",
        va="center",
        color="white" if dark else "black",
    )
ax.set_xticks(range(len(windows)), [f"{1000 * window:.0f}" for window in windows])
ax.set_yticks(range(len(thresholds)), thresholds)
ax.set(xlabel="window in ms", ylabel="clip_below in dB")
figure.colorbar(image, label="UAR in %, mean over folds")
plt.show()

# %%
# The chosen score is too good
# ----------------------------
# Twelve pipelines were tried, and the best was chosen by the clips on which it was scored. For a
# figure to report, search *within* the training sessions of each fold:
# :func:`~skaudeep.evaluate` takes a search as it takes any classifier.
from skaudeep import evaluate

inner = GridSearchCV(
    pipeline, grid, cv=2, scoring="balanced_accuracy", error_score="raise"
)
result = evaluate(inner, sounds, controls=False, random_state=0)
print(result)

# %%
# Both figures
# ------------
figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
low, high = result.uar_interval
ax.barh(
    [
        "best of 12, chosen and\nscored on the same clips",
        "chosen within the\ntraining sessions",
    ],
    [100 * search.best_score_, 100 * result.uar],
    color=["tab:red", "tab:blue"],
)
ax.hlines(1, 100 * low, 100 * high, color="black", linewidth=2)
ax.set(xlabel="UAR in %, with its 95 % interval where it is honest", xlim=(0, 80))
ax.invert_yaxis()
plt.show()

# %%
# The main figure: parameters matter, by more than five points between the best and the worst.
assert scores.max() - scores.min() > 5
assert result.uar > 0.4

# %%
# What to try next: ``RandomizedSearchCV`` for more parameters than two, and ``make_pipeline(...,
# memory="cache")``, which keeps the spectrograms of a window for all classifiers that read them.
# For a corpus with partitions, search on "devel" and report "test", once.
