"""Values, several classes a clip, and whole patients: the default models and their controls.

Run it with ``python examples/benchmarks/targets.py ESC-10``, where ESC-10 is the folder of that
corpus; ``docs/evaluation.md`` reports its figures. Three data sets are evaluated:

* values: tones of twelve voices in noise; their pitch and rate of modulation, in octaves, and the
  ratio of tone to noise in dB;
* several classes: mixtures of one or two clips of ESC-10, of one of its folds each;
* groups: tones of sixty patients, eight clips of each; those of the ill tremble a little more in
  the mean, while clips differ more than that.
"""

import argparse
from itertools import chain

import numpy as np
from sklearn.utils import Bunch

from skaudeep import evaluate
from skaudeep.audio import read_audio
from skaudeep.datasets import load_esc
from skaudeep.recipes import audio_classifier, audio_multilabel_classifier, audio_regressor

RATE = 16000  # Hz
SECONDS = 1.5  # of a tone
MIXTURE = 3.0  # s


def tone(rng, loudness, octave, modulation, depth, snr):
    """Return a tone of some partials, modulated in level, in noise."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    phases = rng.uniform(0, 2 * np.pi, len(loudness))
    numbers = np.arange(1, len(loudness) + 1)[:, None]
    sound = loudness @ np.sin(2 * np.pi * 2**octave * numbers * time + phases[:, None])
    sound *= 1 + depth * np.sin(2 * np.pi * 2**modulation * time + rng.uniform(0, 2 * np.pi))
    noisy = sound / sound.std() + 10 ** (-snr / 20) * rng.normal(size=len(time))
    return (0.1 * noisy / np.abs(noisy).max()).astype(np.float32)


def voice(rng):
    """Return the loudness of six partials."""
    return rng.uniform(0.1, 1, 6) / np.arange(1, 7)


def values(n_clips: int, rng: np.random.Generator) -> Bunch:
    """Make tones in noise whose pitch, modulation and noise are to be predicted."""
    voices = [voice(rng) for _ in range(12)]
    low, high = (7.2, 1, -5), (10.2, 4, 20)
    target = rng.uniform(low, high, (n_clips, 3))
    groups = np.arange(n_clips) % len(voices)
    data = [
        tone(rng, voices[group], octave, modulation, 0.8, snr)
        for group, (octave, modulation, snr) in zip(groups, target, strict=True)
    ]
    names = ["pitch", "modulation", "tone to noise"]
    return Bunch(data=data, target=target, target_names=names, groups=groups.astype(str))


def mixtures(folder: str, n_clips: int, rng: np.random.Generator) -> Bunch:
    """Mix one or two clips of a fold, of different classes, at levels that differ by up to 6 dB."""
    corpus = load_esc(folder)
    n_folds = corpus.folds.shape[1]
    length = round(MIXTURE * RATE)

    def loudest(clip: int) -> np.ndarray:
        sound = read_audio(corpus.data[clip], sampling_rate=RATE)[0].ravel()
        energy = np.cumsum(np.append(0, sound.astype(float) ** 2))
        start = int(np.argmax(energy[length:] - energy[:-length]))
        part = sound[start : start + length]
        return part / max(float(part.std()), 1e-6)

    data, target = [], np.zeros((n_clips, len(corpus.target_names)), dtype=int)
    for row in range(n_clips):
        of_fold = np.flatnonzero(corpus.folds[:, row % n_folds])
        clips = [rng.choice(of_fold)]
        if rng.uniform() < 0.7:
            others = of_fold[corpus.target[of_fold] != corpus.target[clips[0]]]
            clips.append(rng.choice(others))
        levels = 10 ** (rng.uniform(-3, 3, len(clips)) / 20)
        mixed = sum(level * loudest(clip) for level, clip in zip(levels, clips, strict=True))
        data.append(np.float32(0.1) * mixed)
        target[row, corpus.target[clips]] = 1
    folds = np.eye(n_folds, dtype=np.int8)[np.arange(n_clips) % n_folds]
    return Bunch(data=data, target=target, target_names=corpus.target_names, folds=folds)


def patients(n_patients: int, rng: np.random.Generator) -> Bunch:
    """Make clips of patients, of whom every other one is ill."""
    ill = np.arange(n_patients) % 2
    clips = chain.from_iterable(
        (
            tone(rng, partials, octave, rng.normal(2.5, 0.1), depth, 10)
            for depth in np.clip(rng.normal(0.3 + 0.3 * state, 0.25, 8), 0, 1)
        )
        for state in ill
        for partials, octave in [(voice(rng), rng.uniform(7, 9))]
    )
    return Bunch(
        data=list(clips),
        target=np.repeat(ill, 8),
        target_names=["well", "ill"],
        groups=np.repeat([f"patient {i}" for i in range(n_patients)], 8),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("esc10", help="folder of ESC-10")
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    options = {"sampling_rate": RATE, "random_state": arguments.seed}
    model, bunch = audio_regressor(**options), values(arguments.clips, rng)
    print(evaluate(model, bunch, cv=4, random_state=arguments.seed, progress=False), end="\n\n")
    model, bunch = (
        audio_multilabel_classifier(**options),
        mixtures(arguments.esc10, arguments.clips, rng),
    )
    print(evaluate(model, bunch, random_state=arguments.seed, progress=False), end="\n\n")
    model, bunch = audio_classifier(**options), patients(arguments.patients, rng)
    how = {"cv": 5, "unit": "group", "random_state": arguments.seed, "progress": False}
    print(evaluate(model, bunch, **how))


if __name__ == "__main__":
    main()
