"""
Saving a model, and sharing it safely
=====================================

A fitted model becomes one file, which a colleague can open without trusting its author: nothing in
it is executed. This example fits a model to nine recordings of clocks, dogs and roosters, saves
it, looks into the file, loads it, and lets it name sounds that it has not heard.
"""

# %%
# A model of nine recordings
# --------------------------
# :func:`~skaudeep.fit_classifier` fits the default model on the names of the classes, so that
# nothing else is needed to use it. One recording of each class is kept for later.
import numpy as np

import skaudeep
from skaudeep.datasets import load_folder, select

clips = load_folder("clips")
kept = np.arange(12) % 4 == 3
print("kept for later:", ", ".join(clips.filenames[kept]))
model = skaudeep.fit_classifier(select(clips, ~kept), random_state=0)
print(model.classes_)

# %%
# One file
# --------
from pathlib import Path
from tempfile import TemporaryDirectory

temporary = TemporaryDirectory()
path = Path(temporary.name) / "farm.skaudeep"
skaudeep.save(model, path)
print(f"{path.stat().st_size / 1e6:.1f} MB")

# %%
# The file is a ZIP archive of texts in JSON, which say what the model is, and of arrays of
# numbers.
import zipfile

for part in zipfile.ZipFile(path).infolist():
    print(f"{part.filename:40} {part.file_size:>9} bytes")

# %%
# Loaded, and the same
# --------------------
# Whatever the file holds, loading it runs no code of its author: only classes of skaudeep and
# harmless ones of scikit-learn are made, and what is damaged or unknown is refused.
loaded = skaudeep.load(path)
same = np.array_equal(
    loaded.predict_proba(clips.data), model.predict_proba(clips.data)
)
print("the same probabilities to the bit:", same)

# %%
broken = Path(temporary.name) / "broken.skaudeep"
broken.write_bytes(path.read_bytes()[:-1000])
try:
    skaudeep.load(broken)
except skaudeep.PersistenceError as error:
    print(error)

# %%
# New sounds
# ----------
# :func:`~skaudeep.predict_clips` gives a table, a batch at a time.
import pandas as pd

table = pd.concat(skaudeep.predict_clips(loaded, select(clips, kept)))
table.round(3)

# %%
import matplotlib.pyplot as plt

from skaudeep import SpectrogramDisplay, SpectrogramExtractor

extractor = SpectrogramExtractor(0.04, n_mels=64, clip_below=-60)
names = list(loaded.classes_)
figure, axes = plt.subplots(
    2, 3, figsize=(11, 4.6), layout="constrained", height_ratios=[2, 1]
)
for i, row in enumerate(np.flatnonzero(kept)):
    SpectrogramDisplay.from_extractor(
        extractor, clips.data[row], ax=axes[0, i], colorbar=False
    )
    axes[0, i].set_title(clips.filenames[row])
    axes[1, i].barh(names, table[names].iloc[i], color="tab:orange")
    axes[1, i].set(xlim=(0, 1), xlabel="probability")
    axes[1, i].invert_yaxis()
plt.show()

# %%
# The main figure: a file is the model. Three clips are no test of how good it is.
assert same
assert (
    table["label"] == [name.split("/")[0] for name in clips.filenames[kept]]
).sum() >= 2
temporary.cleanup()

# %%
# What to try next: ``skaudeep predict farm.skaudeep FOLDER`` in a terminal does the same with the
# file. :func:`~skaudeep.export_onnx` writes a network for programs that know neither Python nor
# PyTorch.
