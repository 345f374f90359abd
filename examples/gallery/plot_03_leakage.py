"""
A leak, and how it is caught
============================

A classifier of wear listens to 40 machines, half of them worn. With the usual random folds it is
right nearly always. It has learned nothing about wear: there was nothing to learn. This example
shows where the figure comes from, how to notice it, and what to do instead. The same happens with
speakers, patients, sites and recorders.
"""

# %%
# Machines, and a diagnosis by the toss of a coin
# -----------------------------------------------
# Each machine has a sound of its own, heard in six recordings. Which one is "worn" is drawn at
# random: no classifier can be better than chance, 50 %, on machines that it has not heard.
import numpy as np

from skaudeep.datasets import add_folds, make_machines, select

machines = make_machines(
    40,
    n_train=6,
    n_normal=1,
    n_faulty=1,
    sampling_rate=8000,
    duration=1.0,
    random_state=0,
)
machines = select(
    machines, machines.partition == "train"
)  # the normal ones alone
names, machine = np.unique(machines.machine, return_inverse=True)
worn = np.random.default_rng(0).permutation(np.arange(40) % 2)
machines.target = worn[machine]
machines.target_names = ["as new", "worn"]

# %%
# The leak
# --------
# Nobody has told the data set which recordings are of one machine: its groups are empty. Ten
# random folds put recordings of each machine on both sides. The classifier recognises the
# *machine*, and looks up its diagnosis.
from sklearn.pipeline import make_pipeline

from skaudeep import BandStatistics, SpectrogramExtractor, evaluate
from skaudeep.recipes import linear_classifier

model = make_pipeline(
    SpectrogramExtractor(n_mels=64, sampling_rate=8000),
    BandStatistics(extended=True),
    linear_classifier(random_state=0),
)
with_random_folds = add_folds(machines, 10, random_state=0)
leaking = evaluate(model, with_random_folds, controls=False, random_state=0)
print(f"UAR with random folds: {leaking.uar:.1%}")

# %%
# A map of the features shows it. Each little cloud is a machine, and clouds of one colour are not
# neighbours of each other: it is machines that differ, not the worn from the new.
import matplotlib.pyplot as plt

from skaudeep import EmbeddingDisplay

features = model[:-1].fit_transform(machines.data)
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
EmbeddingDisplay.from_features(
    features,
    target=machines.target,
    target_names=machines.target_names,
    random_state=0,
    name="240 recordings of 40 machines",
    ax=ax,
)
plt.show()

# %%
# The leak is caught
# ------------------
# Say which recordings are of one machine. :func:`~skaudeep.datasets.audit` then finds the machines
# that the random folds train and test.
from skaudeep.datasets import audit

with_random_folds.groups = machines.machine
findings = audit(with_random_folds)
print(len(findings), "findings")
findings[["finding", "detail", "advice"]].head(3)

# %%
# With the groups known, new folds are folds of whole machines: here ``cv=10`` makes ten of
# them. The interval is over machines, because recordings of one are not independent.
machines.groups = machines.machine
honest = evaluate(model, machines, cv=10, controls=False, random_state=0)
print(honest)

# %%
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for i, result in enumerate((leaking, honest)):
    low, high = result.uar_interval
    ax.bar(i, 100 * result.uar, width=0.55, color=("tab:red", "tab:blue")[i])
    ax.vlines(i, 100 * low, 100 * high, color="black")
    ax.text(i + 0.05, 100 * result.uar + 1, f"{100 * result.uar:.0f} %")
ax.axhline(50, color="grey", linestyle="--", label="chance")
ax.set_xticks([0, 1], ["random folds", "folds of whole machines"])
ax.set(ylabel="UAR in %, 95 % interval", ylim=(0, 109), xlim=(-0.6, 1.6))
ax.legend(loc="upper right")
plt.show()

# %%
# The gap is the leak. Only the second figure tells what to expect of a machine that is new.
assert len(findings) > 0
assert leaking.uar > 0.8
assert honest.uar_interval[0] < 0.5 or honest.uar < 0.55

# sphinx_gallery_thumbnail_number = 2

# %%
# What to try next: the speaker, patient, recording or device of a clip is often part of its name;
# :func:`~skaudeep.datasets.add_groups` reads it from there, and
# :func:`~skaudeep.datasets.add_folds` makes folds that keep groups whole.
