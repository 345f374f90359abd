"""
Events in a long recording
==========================

Somewhere in a recording of the night, an animal calls. This example learns two kinds of calls from
one annotated recording, finds them in another, shows both on a timeline, and counts how many were
right.
"""

# %%
# Two recordings with known calls
# -------------------------------
# A rising and a falling call of 0.8 s, buried in noise. The table of annotations has a row for
# each: file, start, end and label, as Raven, Audacity and Praat export them.
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import soundfile
from scipy.signal import chirp

rate = 8000
temporary = TemporaryDirectory()
time = np.arange(int(0.8 * rate)) / rate
calls = {
    "rising": chirp(time, 800, 0.8, 2000) * np.hanning(len(time)),
    "falling": chirp(time, 2000, 0.8, 800) * np.hanning(len(time)),
}


def record(name: str, seconds: int, seed: int) -> pd.DataFrame:
    """Write a recording with a call every five seconds or so; return its annotations."""
    rng = np.random.default_rng(seed)
    sound = rng.normal(scale=0.05, size=seconds * rate)
    rows = []
    for slot in range(0, seconds, 5):
        begin = slot + rng.uniform(0, 4)
        label = rng.choice(list(calls))
        first = int(begin * rate)
        sound[first : first + len(time)] += rng.uniform(0.05, 0.2) * calls[label]
        rows.append((name, begin, begin + 0.8, label))
    soundfile.write(name, sound, rate)
    return pd.DataFrame(rows, columns=["file", "start", "end", "label"])


monday, tuesday = (
    str(Path(temporary.name, name)) for name in ("monday.wav", "tuesday.wav")
)
known = record(monday, 300, seed=0)
true = record(tuesday, 120, seed=1)
known.head()

# %%
# Learn from Monday
# -----------------
# :func:`~skaudeep.datasets.windows` divides the recording into windows of half a second, and the
# annotations say what is in each. :func:`~skaudeep.fit_detector` fits a small classifier of
# windows.
import skaudeep
from skaudeep.datasets import windows

train = windows(monday, duration=0.5, hop=0.2, annotations=known)
model = skaudeep.fit_detector(train, random_state=0)

# %%
# Find on Tuesday
# ---------------
# The classifier slides over the recording. Where the probability of a call passes the threshold,
# there is an event; it lasts while the probability is above the low threshold.
events = skaudeep.detect(
    model,
    [tuesday],
    duration=0.5,
    hop=0.1,
    threshold=0.5,
    low_threshold=0.4,
    min_duration=0.3,
    merge_gap=0.2,
)
events.drop(columns="file").round(2).head()

# %%
# A minute of it: the spectrogram, the probabilities over time, and the events that were found
# below the true ones.
import matplotlib.pyplot as plt

from skaudeep import TimelineDisplay

scores = skaudeep.scores_over_time(
    pd.concat(skaudeep.score_recordings(model, [tuesday], duration=0.5, hop=0.1))
)
display = TimelineDisplay.from_recording(
    tuesday,
    end=60,
    scores=scores[["falling", "rising"]],
    events=events,
    true_events=true,
    threshold=0.5,
)
plt.show()

# %%
# How many were right
# -------------------
# An event counts as found if its class agrees, it begins within 0.2 s of the true start, and ends
# within 0.2 s of the true end: the rule of the DCASE challenges.
from skaudeep.evaluation import event_scores

found = event_scores(true, events)
print(found)

# %%
# The threshold is a choice between calls that are missed and calls that are not there. It should
# be made on another recording than the one that is reported.
thresholds = np.arange(0.1, 1.0, 0.1)
curve = [
    event_scores(
        true,
        skaudeep.find_events(
            scores[["falling", "rising"]],
            threshold=threshold,
            min_duration=0.3,
            merge_gap=0.2,
        ),
    )
    for threshold in thresholds
]
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.plot(
    thresholds, [result.precision for result in curve], "o-", label="precision"
)
ax.plot(thresholds, [result.recall for result in curve], "s-", label="recall")
ax.plot(thresholds, [result.f1 for result in curve], "^-", label="F1")
ax.set(xlabel="threshold of the probability", ylim=(0, 1.05))
ax.legend(loc="lower center")
plt.show()

# %%
# The main figure:
assert found.f1 > 0.7
temporary.cleanup()

# %%
# What to try next: your own recording. :func:`skaudeep.formats.load_annotations` reads tables of
# other programs, :func:`skaudeep.formats.save_annotations` writes the events as a label track,
# and :func:`skaudeep.evaluation.segment_scores` counts second by second.
