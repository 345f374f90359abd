"""
From a folder of sounds to a figure that holds
==============================================

You have a folder of recordings, sorted into sub-folders by class, and want to know how well the
classes can be told apart. This example goes the whole way: it looks at the folder, scores the
default model in cross-validation, compares it with a simpler method, and shows what it confuses.
"""

# %%
# The folder
# ----------
# :func:`~skaudeep.datasets.make_sounds` writes 128 clips of one second, in eight classes and eight
# recording sessions. Replace ``folder`` by a folder of your own and leave this cell out.
from tempfile import TemporaryDirectory

from skaudeep.datasets import (
    add_groups,
    audit,
    describe,
    load_dataset,
    make_sounds,
)

temporary = TemporaryDirectory()
folder = temporary.name
make_sounds(128, n_sessions=8, folder=folder, random_state=0)

# %%
# :func:`~skaudeep.datasets.load_dataset` recognises the layout. No clip is opened yet: the data
# set holds paths, classes and folds. Clips of one session share a room, a noise and a level, so
# that they are right or wrong together. :func:`~skaudeep.datasets.add_groups` says so, by what
# the names of the files tell.
sounds = load_dataset(folder)
sounds = add_groups(sounds, r"fold_(\d)")
print(describe(sounds))

# %%
# Look for faults before anything else. :func:`~skaudeep.datasets.audit` decodes each clip and
# lists those that are silent, clipped, damaged or there twice. Here it finds nothing.
audit(sounds)

# %%
# What the classes look like
# --------------------------
# Classes come in pairs, one above the other. All but the tremolos are one sound forwards and
# backwards, so that no average over time can separate them.
import matplotlib.pyplot as plt

from skaudeep import SpectrogramDisplay, SpectrogramExtractor

extractor = SpectrogramExtractor(0.04, n_mels=64, clip_below=-60)
figure, axes = plt.subplots(
    2, 4, figsize=(11, 4.6), sharex=True, sharey=True, layout="constrained"
)
names = ["rising sweep", "falling sweep", "low-high tones", "high-low tones"]
names += ["hastening clicks", "slackening clicks", "slow tremolo", "fast tremolo"]
for name, ax in zip(names, axes.T.flat, strict=True):
    clip = sounds.data[sounds.target == sounds.target_names.index(name)][0]
    SpectrogramDisplay.from_extractor(extractor, clip, ax=ax, colorbar=False)
    ax.set_title(name)
    ax.label_outer()
plt.show()

# %%
# The score, and its control
# --------------------------
# The eight sessions are the folds: each clip is classified by a model that has heard no clip of
# its session. :func:`~skaudeep.evaluate` adds a control on the same folds, plain statistics of
# the mel bands with the same classifier.
from skaudeep import ComparisonDisplay, evaluate
from skaudeep.recipes import audio_classifier

model = audio_classifier(random_state=0)
result = evaluate(model, sounds, random_state=0)
print(result)

# %%
# UAR, the unweighted average recall, is the mean of the recalls of all classes. Its interval says
# what to expect of other recordings of this kind. On the right is the difference between the two
# methods on the same clips, which is what a comparison should rest on.
ComparisonDisplay.from_evaluation(result)
plt.show()

# %%
# What is confused
# ----------------
from skaudeep import ConfusionDisplay

ConfusionDisplay.from_evaluation(result)
plt.show()

# %%
# The clips that were wrong most often are worth listening to: they may be labelled wrongly.
result.errors().head()

# %%
# The figure to report
# --------------------
# With a margin, because processors round differently:
assert result.uar > 0.7
temporary.cleanup()

# %%
# What to try next: your own folder. If several clips are cut from one recording, or are of one
# speaker, say so with :func:`~skaudeep.datasets.add_groups` before you make folds, as
# :ref:`sphx_glr_auto_examples_plot_03_leakage.py` shows. :func:`skaudeep.report` makes one HTML
# page of all this.
