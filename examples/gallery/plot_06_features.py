"""
Features side by side
=====================

Which features are better for a task? One figure for each is not enough: two figures may differ by
chance. This example scores four kinds of features on the same clips, folds and classifier, and
compares them clip by clip.
"""

# %%
# Four kinds of features
# ----------------------
# The sounds are from eight recording sessions. They come in pairs, most of which differ in nothing
# but the order of events.
#
# - **two_scales**: networks with random weights that read two spectrograms, the default of this
#   library;
# - **reservoir**: one such network, on one spectrogram;
# - **band statistics**: thirteen statistics over time of each mel band; nothing is learned;
# - **trained code**: the short code of a small autoencoder, as in auDeep's paper.
from sklearn.pipeline import make_pipeline

from skaudeep import (
    BandStatistics,
    ReservoirFeatures,
    Seq2SeqAutoencoder,
    SpectrogramExtractor,
)
from skaudeep.datasets import make_sounds
from skaudeep.recipes import linear_classifier, two_scales

sounds = make_sounds(160, n_sessions=8, sampling_rate=8000, random_state=0)
extractor = SpectrogramExtractor(
    0.04, n_mels=40, clip_below=-60, sampling_rate=8000
)
autoencoder = Seq2SeqAutoencoder(
    64,
    n_layers=1,
    representation="code",
    max_epochs=20,
    batch_size=16,
    random_state=0,
)
features = {
    "two_scales": two_scales(sampling_rate=8000, random_state=0),
    "reservoir": make_pipeline(
        extractor, ReservoirFeatures(128, n_layers=1, random_state=0)
    ),
    "band statistics": make_pipeline(extractor, BandStatistics(extended=True)),
    "trained code": make_pipeline(extractor, autoencoder),
}

# %%
# One protocol for all
# --------------------
# The folds are the sessions. Features may see all clips without their labels (the transductive
# protocol); the classifier sees the training sessions alone.
from skaudeep import evaluate

evaluations = {
    name: evaluate(
        make_pipeline(transformer, linear_classifier(random_state=0)),
        sounds,
        protocol="transductive",
        controls=False,
        random_state=0,
    )
    for name, transformer in features.items()
}

# %%
# The picture: scores with their intervals on the left, differences to the first on the right. Two
# intervals on the left may overlap although the difference on the right is clear, because all
# methods find the same clips hard.
import matplotlib.pyplot as plt

from skaudeep import ComparisonDisplay

ComparisonDisplay.from_evaluations(evaluations)
plt.show()

# %%
# The same in words
# -----------------
# :func:`~skaudeep.compare` gives the difference, its interval, and the p-value that there is none.
# Clips of one session are right or wrong together, so that the test counts sessions, not clips. On
# these sounds the default features and one network are as good as each other, within chance.
from skaudeep import compare

best = evaluations["two_scales"]
for name, evaluation in list(evaluations.items())[1:]:
    print(
        f"two_scales against {name}: {compare(best, evaluation, metric='uar', random_state=0)}"
    )

# %%
# What each confuses
# ------------------
# The diagonal is full where features hold what a class needs. Statistics confuse the sounds of a
# pair, since they do not depend on the direction of time.
from skaudeep import ConfusionDisplay

figure, axes = plt.subplots(
    1, 2, figsize=(12, 5.6), sharey=True, layout="constrained"
)
for name, ax in zip(("two_scales", "band statistics"), axes, strict=True):
    ConfusionDisplay.from_evaluation(evaluations[name], colorbar=False, ax=ax)
    ax.set_title(f"{name}: UAR {evaluations[name].uar:.0%}")
    ax.label_outer()
plt.show()

# %%
# The main figure: the default features are ahead of statistics of the bands.
difference = compare(
    best, evaluations["band statistics"], metric="uar", random_state=0
)
assert difference.difference > 0.05

# %%
# What to try next: features of your own in the same comparison. Any transformer from clips to
# rows will do, such as a :class:`~skaudeep.FunctionExtractor` around a pretrained network, and so
# will views side by side in a :class:`~skaudeep.FeatureFusion`. With ``n_repeats=3`` everything
# is run with three seeds.
