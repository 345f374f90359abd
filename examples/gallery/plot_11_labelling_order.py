"""
Which clips to name first
=========================

There are hundreds of recordings, no labels, and an hour to name some. Which ones? This example
compares naming clips at random with the order that :func:`~skaudeep.evaluation.labelling_order`
proposes, on a data set in which some classes are rare.
"""

# %%
# Eight classes, four of them rare
# --------------------------------
# Of four classes there are 48 clips each, of the other four about 7. The last session is kept for
# testing.
import numpy as np
from sklearn.pipeline import make_pipeline

from skaudeep import ReservoirFeatures, SpectrogramExtractor
from skaudeep.datasets import make_sounds

sounds = make_sounds(480, sampling_rate=8000, random_state=0)
pool, test = sounds.cv[-1]
rare = sounds.target[pool] % 2 == 1
rng = np.random.default_rng(0)
pool = rng.permutation(pool[~rare | (rng.random(len(pool)) < 0.15)])
print(np.bincount(sounds.target[pool]), "clips of each class to name")

features = make_pipeline(
    SpectrogramExtractor(0.04, n_mels=40, clip_below=-60, sampling_rate=8000),
    ReservoirFeatures(64, n_layers=1, n_components=24, random_state=0),
).fit_transform(sounds.data)

# %%
# In the order proposed
# ---------------------
# Without labels, clips are spread over the features. Once some are named, a classifier says of
# which it is least sure. So naming goes in rounds of eight: ask, name, fit, ask again.
from sklearn.metrics import balanced_accuracy_score

from skaudeep.evaluation import labelling_order
from skaudeep.recipes import linear_classifier

rounds = np.arange(8, 97, 8)
named = np.full(len(pool), -1)
probabilities = None
proposed = []
for _ in rounds:
    chosen = labelling_order(
        features[pool], named, probabilities, n=8, random_state=0
    )
    named[chosen] = sounds.target[pool][chosen]  # this is where you would listen
    classifier = linear_classifier(random_state=0)
    classifier.fit(features[pool][named >= 0], named[named >= 0])
    probabilities = classifier.predict_proba(features[pool])
    predicted = classifier.predict(features[test])
    proposed.append(balanced_accuracy_score(sounds.target[test], predicted))

# %%
# At random
# ---------
# Ten times, another order each.
at_random = np.zeros((10, len(rounds)))
for seed in range(10):
    order = np.random.default_rng(seed).permutation(pool)
    for i, n_named in enumerate(rounds):
        classifier = linear_classifier(random_state=0)
        classifier.fit(features[order[:n_named]], sounds.target[order[:n_named]])
        predicted = classifier.predict(features[test])
        at_random[seed, i] = balanced_accuracy_score(
            sounds.target[test], predicted
        )

# %%
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(rounds, 100 * np.array(proposed), "o-", label="in the order proposed")
ax.plot(
    rounds, 100 * at_random.mean(axis=0), "s--", label="at random, mean of 10"
)
ax.fill_between(
    rounds,
    100 * at_random.min(axis=0),
    100 * at_random.max(axis=0),
    color="tab:orange",
    alpha=0.2,
)
ax.set(
    xlabel="number of clips that were named",
    ylabel="UAR on the test session in %",
)
ax.legend(loc="lower right")
plt.show()

# %%
# At random, most of what one names is of frequent classes. The order proposed reaches more clips
# of the rare ones, about which the classifier is unsure.
of_rare = (named >= 0) & (sounds.target[pool] % 2 == 1)
share_of_rare = np.mean(sounds.target[pool] % 2 == 1)
print(
    f"{of_rare.sum()} of the 96 are of rare classes; at random {96 * share_of_rare:.0f}"
)

# %%
# The first sixteen, before anything is named, on a map of the features: they are spread out.
from skaudeep import EmbeddingDisplay

first = labelling_order(features[pool], n=16, random_state=0)
display = EmbeddingDisplay.from_features(
    features[pool],
    target=sounds.target[pool],
    target_names=sounds.target_names,
    random_state=0,
    name="circled: the first 16 to name",
)
places = display.positions[first]
display.ax_.scatter(*places.T, s=130, facecolors="none", edgecolors="black")
plt.show()

# %%
# The main figure: the mean over all rounds.
print(f"proposed {np.mean(proposed):.1%}, at random {at_random.mean():.1%}")
assert np.mean(proposed) > at_random.mean()

# sphinx_gallery_thumbnail_number = 2

# %%
# What to try next: :func:`skaudeep.report` of a folder without labels makes a page in which clips
# are heard and named in this order; :func:`~skaudeep.datasets.add_labels` reads what was named.
