"""
When does training pay?
=======================

A recurrent network with random weights gives good features without any training. Training it pays
where classes differ in the *order* of events. This example measures that, on sounds that come in
pairs: one sound, and the same sound backwards.
"""

# %%
# Sounds forwards and backwards
# -----------------------------
# A rising sweep and a falling one have the same frequencies, in another order. So have two tones,
# low then high, and high then low.
import matplotlib.pyplot as plt

from skaudeep import SpectrogramDisplay, SpectrogramExtractor
from skaudeep.datasets import make_sounds

sounds = make_sounds(240, n_sessions=6, sampling_rate=8000, random_state=0)
extractor = SpectrogramExtractor(
    0.04, n_mels=40, clip_below=-60, sampling_rate=8000
)

figure, axes = plt.subplots(
    1, 4, figsize=(11, 2.8), sharey=True, layout="constrained"
)
for label, ax in enumerate(axes):
    clip = sounds.data[sounds.target == label][0]
    SpectrogramDisplay.from_extractor(extractor, clip, ax=ax, colorbar=False)
    ax.set_title(sounds.target_names[label])
    ax.label_outer()
plt.show()

# %%
# Trained and untrained
# ---------------------
# One network, once as it is drawn and once trained to rebuild the spectrograms. The same linear
# classifier reads its features. The protocol is transductive: the network is trained on all clips,
# without their labels. The classifier is given one of the six recording sessions, five labels of
# each class, and tested on the five others: unlabelled sound is cheap, and labels are not.
#
# The untrained network need not be asked for. It is a control that :func:`~skaudeep.evaluate` adds
# to every pipeline with a network in it, and so are statistics of the mel bands.
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skaudeep import ComparisonDisplay, Seq2SeqAutoencoder, evaluate

pipeline = make_pipeline(
    extractor,
    Seq2SeqAutoencoder(
        64, n_layers=1, max_epochs=30, batch_size=16, random_state=0
    ),
    StandardScaler(),
    LinearSVC(C=0.01),
)
one_session = [
    (test, train) for train, test in sounds.cv
]  # each fold trains on its test session
result = evaluate(
    pipeline, sounds, protocol="transductive", cv=one_session, random_state=0
)
print(result)

# %%
ComparisonDisplay.from_evaluation(result)
plt.show()

# %%
# Where the gain is
# -----------------
# The recall of each class tells in which pairs the order was learned. Tremolos differ in their
# rate, not in an order, and all methods tell them apart rather well.
import numpy as np

evaluations = {"mel statistics": result.controls["mel statistics"]}
evaluations["untrained"] = result.controls["untrained network"]
evaluations["trained"] = result
figure, ax = plt.subplots(figsize=(8, 3.8), layout="constrained")
for i, (name, evaluation) in enumerate(evaluations.items()):
    confusion = evaluation.confusion_matrix
    recall = 100 * np.diag(confusion) / confusion.sum(axis=1)
    ax.bar(np.arange(8) + 0.27 * (i - 1), recall, width=0.25, label=name)
ax.axhline(50, color="grey", linestyle="--", linewidth=1)
ax.set_xticks(range(8), [name.replace(" ", "\n") for name in sounds.target_names])
ax.set(ylabel="recall in %", ylim=(0, 105))
ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)
plt.show()

# %%
# The main figure: training is ahead of the random network on these sounds.
untrained = result.controls["untrained network"]
assert result.uar > untrained.uar + 0.02
assert result.uar > result.controls["mel statistics"].uar + 0.05

# sphinx_gallery_thumbnail_number = 3

# %%
# On most recordings it is the other way round: dogs, rain and engines differ in how they sound,
# not in the order of what is heard, and random weights are better. So do not train by habit: look
# at the control, each time.
# %%
# What to try next: more labels. With ``cv=None`` the classifier is trained on five sessions, and
# the distance shrinks. For recordings begin with :func:`skaudeep.recipes.two_scales`, as
# :ref:`sphx_glr_auto_examples_plot_06_features.py` does.
