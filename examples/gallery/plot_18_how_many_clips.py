"""
How many clips for how sharp a figure?
======================================

"Accuracy 85 %" of 40 clips may be 71 or 93. This example shows how wide the interval of a figure
is for how many test clips, and why 400 clips of ten speakers are worth less than 400 clips of 400
speakers. Read it before you record.
"""

# %%
# The width of an interval
# ------------------------
# An :class:`~skaudeep.evaluation.Evaluation` is made of true and predicted classes, wherever they
# are from. So the question can be put without a single recording: suppose a classifier is right
# in 85 of 100 clips; what interval is reported for so many clips?
import numpy as np

from skaudeep.evaluation import Evaluation

sizes = np.array([20, 40, 80, 160, 320, 640, 1280])
intervals = []
for size in sizes:
    predicted = np.arange(size) % 20 >= 17  # wrong in 3 of 20
    evaluation = Evaluation(
        target=np.zeros(size, dtype=int),
        target_names=["present", "absent"],
        test=[np.arange(size)],
        fold_predictions=[[predicted.astype(int)]],
        protocol="inductive",
        seeds=[0],
    )
    intervals.append(evaluation.accuracy_interval)
low, high = 100 * np.array(intervals).T

# %%
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.fill_between(sizes, low, high, alpha=0.3)
ax.plot(sizes, np.full(len(sizes), 85), "o-")
for size, below, above in zip(sizes, low, high, strict=True):
    ax.text(size, above + 1, f"±{(above - below) / 2:.0f}", ha="center")
ax.set_xscale("log")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.set(
    xlabel="number of test clips",
    ylabel="accuracy in %, 95 % interval",
    ylim=(55, 105),
)
plt.show()

# %%
# Four times as many clips halve the interval. To report 85 % to within three points takes more
# than 500 test clips.
#
# Clips that are not independent
# ------------------------------
# Clips of one speaker, animal or machine are right or wrong together. Here 400 clips are of 400,
# 100, 40 or 10 speakers, and a speaker is understood either in all of his clips or in none: 85 %
# of them in all, or eight of ten.
n_speakers = np.array([400, 100, 40, 10])
widths = []
for n in n_speakers:
    speaker = np.arange(400) * n // 400
    evaluation = Evaluation(
        target=np.zeros(400, dtype=int),
        target_names=["present", "absent"],
        test=[np.arange(400)],
        fold_predictions=[
            [(speaker % 20 >= 17).astype(int) if n > 10 else (speaker >= 8) * 1]
        ],
        protocol="inductive",
        seeds=[0],
        groups=speaker,
    )
    below, above = evaluation.accuracy_interval
    widths.append(100 * (above - below) / 2)

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
bars = ax.barh([f"{n} speakers" for n in n_speakers], widths)
ax.bar_label(bars, [f"±{width:.0f} points" for width in widths], padding=4)
ax.set(
    xlabel="half the width of the 95 % interval, 400 clips",
    xlim=(0, 1.25 * max(widths)),
)
ax.invert_yaxis()
plt.show()

# %%
# The main figures: the interval of 20 clips is wide, and it is the number of speakers that counts.
assert (high - low)[0] > 4 * (high - low)[-1]
assert widths[-1] > 3 * widths[0]

# %%
# What to try next: give ``groups`` to your data set with :func:`~skaudeep.datasets.add_groups`,
# and every interval that is printed accounts for them. If you can record either more clips of
# each speaker or more speakers, take the speakers.
