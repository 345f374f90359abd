"""
Four views of the same clips
============================

auDeep's paper looks at each spectrogram four times: with all below -30, -45, -60 and -75 dB cut
off. Each view has an autoencoder of its own, and the four codes stand side by side. This example
builds that in a few lines, and asks what the fusion adds.
"""

# %%
# Four thresholds
# ---------------
# A high threshold leaves only what is loudest; a low one shows what is in the background.
import matplotlib.pyplot as plt

from skaudeep import SpectrogramDisplay, SpectrogramExtractor
from skaudeep.datasets import make_sounds

thresholds = (-30, -45, -60, -75)
sounds = make_sounds(160, sampling_rate=8000, random_state=0)
figure, axes = plt.subplots(
    1, 4, figsize=(12, 2.9), sharey=True, layout="constrained"
)
for threshold, ax in zip(thresholds, axes, strict=True):
    extractor = SpectrogramExtractor(
        0.04, n_mels=32, clip_below=threshold, sampling_rate=8000
    )
    SpectrogramDisplay.from_extractor(
        extractor, sounds.data[2], ax=ax, colorbar=False
    )
    ax.set_title(f"{threshold} dB")
    ax.label_outer()
plt.show()

# %%
# The fusion
# ----------
# A :class:`~skaudeep.FeatureFusion` is scikit-learn's ``FeatureUnion`` that decodes each clip
# once for all views. Its codes are short: 32 numbers a view.
from sklearn.pipeline import make_pipeline

from skaudeep import FeatureFusion, Seq2SeqAutoencoder

views = {
    f"{threshold} dB": make_pipeline(
        SpectrogramExtractor(
            0.04, n_mels=32, clip_below=threshold, sampling_rate=8000
        ),
        Seq2SeqAutoencoder(
            32,
            n_layers=1,
            representation="code",
            max_epochs=10,
            batch_size=16,
            random_state=0,
        ),
    )
    for threshold in thresholds
}
fusion = FeatureFusion(list(views.items()))
features = fusion.fit_transform(sounds.data)
print(
    features.shape,
    "clips, features:",
    ", ".join(fusion.get_feature_names_out()[[0, -1]]),
)

# %%
# Each view alone, and all together
# ---------------------------------
# As in the paper, autoencoders are trained on all clips without their labels, and the classifier
# on those of the training folds. The features are there already, so that only classifiers are
# fitted now: columns 0 to 31 are the first view.
from skaudeep import evaluate
from skaudeep.recipes import linear_classifier

columns = {name: slice(32 * i, 32 * (i + 1)) for i, name in enumerate(views)}
columns["all four"] = slice(None)
evaluations = {
    name: evaluate(
        linear_classifier(random_state=0),
        sounds
        | {"data": features[:, columns[name]], "dims": ("clip", "feature")},
        controls=False,
        random_state=0,
    )
    for name in reversed(columns)
}

# %%
from skaudeep import ComparisonDisplay

ComparisonDisplay.from_evaluations(evaluations)
plt.show()

# %%
# The main figure: the fusion is not behind the mean of its views. Whether it is ahead of the
# *best* one is another question, and the best is known only afterwards.
import numpy as np

single = [evaluations[name].uar for name in views]
print(
    f"all four {evaluations['all four'].uar:.1%}, mean of the single views {np.mean(single):.1%}"
)
assert evaluations["all four"].uar > np.mean(single)

# %%
# What to try next: views that differ more than by a threshold, such as two windows;
# :func:`skaudeep.recipes.two_scales` is a fusion of that kind. The paper's own experiments, on the
# corpora that it names, are in ``examples/paper``.
