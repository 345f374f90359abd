"""What a small network learns from a large one: accuracy, and time of `transform`.

For each corpus the accuracy of `linear_classifier` behind the features of

- "student": `DistilledFeatures`, taught by `two_scales`,
- "untrained": the same network with its random weights,
- "teacher": `two_scales`,

over folds that keep groups together, with the paired differences from the student, and the
processor time of a clip. Unless asked otherwise, teacher and student are fitted within the training
clips of each fold, without their labels. With ``--protocol transductive`` they are fitted once to
all clips of a corpus, without labels; scaler and classifier still see training clips alone.

    python examples/benchmarks/distillation.py PATH_OF_INSTRUMENTS PATH_OF_DRUMS \
        --groups '/([^/_]+)_'

A PATH is a folder with a folder of clips for each class.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from sklearn.pipeline import Pipeline, make_pipeline

from skaudeep.datasets import add_folds, add_groups, load_dataset
from skaudeep.evaluation import compare, evaluate
from skaudeep.evaluation.controls import UNTRAINED
from skaudeep.recipes import distilled_features, linear_classifier, two_scales

N_TIMED = 64  # clips


def behind(features: Any) -> Pipeline:
    return make_pipeline(features, *(step for _, step in linear_classifier().steps))


def milliseconds(features: Any, clips: Any) -> float:
    """Return the processor time of a clip in the fastest of three runs of `transform`."""
    taken = []
    for _ in range(3):
        began = time.process_time()
        features.transform(clips)
        taken.append(time.process_time() - began)
    return 1000 * min(taken) / len(clips)


def times(clips: Any) -> dict[str, float]:
    """Time features that are fitted to a few clips; how well they are trained does not matter."""
    clips = clips[:N_TIMED]
    student = distilled_features(random_state=0).set_params(max_epochs=1)
    teacher = two_scales(random_state=0)
    found = {
        "student": milliseconds(student.fit(clips), clips),
        "teacher": milliseconds(teacher.fit(clips), clips),
    }
    return found | {"untrained": found["student"]}


def shown(accuracy: float, interval: tuple[float, float], sign: str = "") -> str:
    low, high = (f"{100 * bound:{sign}.1f}" for bound in interval)
    return f"{100 * accuracy:{sign}.1f} [{low}, {high}]"


def corpus(path: str, options: argparse.Namespace) -> Any:
    bunch = load_dataset(path)
    if options.groups is not None:
        bunch = add_groups(bunch, options.groups)
    return bunch if bunch.get("cv") is not None else add_folds(bunch, 5, random_state=0)


def score(path: str, options: argparse.Namespace) -> None:
    bunch = corpus(path, options)
    common = {"n_repeats": options.repeats, "random_state": 0, "n_jobs": options.n_jobs}
    common |= {"protocol": options.protocol, "progress": options.progress}
    student = evaluate(behind(distilled_features()), bunch, **common)
    teacher = evaluate(behind(two_scales()), bunch, controls=False, **common)
    found = {"student": student, "untrained": student.controls[UNTRAINED], "teacher": teacher}
    of_clip = times(bunch.data)
    for name, result in found.items():
        difference = ""
        if name != "student":
            paired = compare(student, result, random_state=0)
            difference = f"{shown(paired.difference, paired.interval, '+')}, p = "
            difference += f"{paired.p_value:.2g}"
        print(
            f"| {bunch.target.size} clips of {path} | {name} "
            f"| {shown(result.accuracy, result.accuracy_interval)} | {difference} "
            f"| {of_clip[name]:.1f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+", help="folders of corpora")
    parser.add_argument("--groups", help="regular expression for groups, in names of files")
    parser.add_argument("--protocol", default="inductive", choices=("inductive", "transductive"))
    parser.add_argument("--repeats", type=int, default=3, help="seeds of the networks")
    parser.add_argument("--n-jobs", type=int, help="folds at the same time")
    parser.add_argument("--progress", action="store_true")
    options = parser.parse_args()
    print("| corpus | features | accuracy, % | student minus these | ms of a clip |")
    print("|---|---|---|---|---|")
    for path in options.paths:
        score(path, options)


if __name__ == "__main__":
    main()
