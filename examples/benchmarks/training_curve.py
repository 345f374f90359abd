"""Does training pay? Accuracy over the number of clips that a network was trained on, unlabelled.

A network of 128 units reads frames of 80 ms. It is trained on some clips of ESC-50, without their
labels, until its error on a tenth of them is flat. Then all 2,000 clips are represented by it, and
`linear_classifier` is scored on the five given folds. Its control is the network untrained, with
the same seed; its principal components are fitted to all clips. Other corpora of at most 52 classes
are read likewise, each with a folder of rows of its own.

    python examples/benchmarks/training_curve.py run PATH --clips 500 --seeds 0 1 2
    python examples/benchmarks/training_curve.py run PATH --clips 2000 --objective untrained
    python examples/benchmarks/training_curve.py run PATH --clips 500 --objective teacher
    python examples/benchmarks/training_curve.py run PATH --clips 2360 --more PATH_OF_WORDS
    python examples/benchmarks/training_curve.py run PATH --clips 500 --objective teacher \
        --weights top
    python examples/benchmarks/training_curve.py table PATH
    python examples/benchmarks/training_curve.py plot PATH --picture curve.png
    python examples/benchmarks/training_curve.py run DRUMS --clips 516 --objective teacher \
        --duration 0 --groups '/([^/_]+)_' --data rows-of-drums --cache cache-of-drums

PATH is the folder of ESC-50. Each run that ends adds a line to `rows.jsonl` in the folder `--data`,
with its predictions; a run that stands there is not repeated, and one that is marked as not flat
goes on from its `Checkpoint` where more `--minutes` are given.
"""

from __future__ import annotations

import argparse
import json
import string
import time
from pathlib import Path
from typing import Any

import numpy as np
import objectives
from numpy.typing import NDArray

from skaudeep import Seq2SeqAutoencoder, SpectrogramExtractor
from skaudeep.callbacks import Checkpoint
from skaudeep.datasets import add_groups, load_dataset
from skaudeep.evaluation import Evaluation, compare, evaluate
from skaudeep.recipes import linear_classifier, two_scales

DATA = Path(__file__).parents[2] / "docs" / "development" / "training-curve"
LETTERS = string.ascii_letters  # a prediction is one letter: 50 classes
# By name, the parameters of the autoencoder that make it. Others are in `objectives`.
RECONSTRUCTION: dict[str, dict[str, Any]] = {
    "untrained": {"max_epochs": 0},
    "autoencoder": {},
    "denoising autoencoder": {"encoder_noise": 0.5},  # the encoder is not shown half of the frames
    "free-running decoder": {"feed_previous_prob": 1.0},  # the code has to hold the clip
}
KEY = ("objective", "clips", "seed", "learning_rate", "representation")
REPRESENTATIONS = ("covariance", "statistics", "code")
WEIGHTS = {
    "all": "",
    "input": ", input weights",
    "orthogonal": ", orthogonal",
    "top": ", on a reservoir",  # of two layers the second: the first stays random
}
FLAT_EPOCHS, FLAT = 10, 0.01  # flat: an error less than 1 % below the best of 10 epochs before
CHOSEN_AT = 500  # clips at which the learning rate is chosen
VALIDATION_FRACTION = 0.1
RATE = 16000  # Hz
NETWORK: dict[str, Any] = {"n_units": 128, "n_layers": 1, "precision": "bf16"}


class StopWhenFlat:
    """Ends a training when its validation error is flat, or its time is over."""

    def __init__(self, minutes: float):
        self.ends_at = time.monotonic() + 60 * minutes

    def setup(self, estimator: Any, context: Any) -> None:
        """Do nothing; scikit-learn's protocol asks for all four."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        """Return whether the training is to end after this epoch."""
        losses = estimator.validation_loss_curve_
        return is_flat(losses) or time.monotonic() > self.ends_at

    def teardown(self, estimator: Any, context: Any) -> None:
        """Do nothing."""


def is_flat(losses: list[float]) -> bool:
    before, last = losses[:-FLAT_EPOCHS], losses[-FLAT_EPOCHS:]
    return bool(before) and min(last) > (1 - FLAT) * min(before)


def corpus(options: argparse.Namespace) -> Any:
    """Read the corpus; clips of a group, such as a recording or a drum kit, are not independent."""
    bunch = load_dataset(options.path)
    return bunch if options.groups is None else add_groups(bunch, options.groups)


def read(options: argparse.Namespace) -> tuple[Any, NDArray[np.float32], NDArray[np.float32]]:
    """Return the corpus, its spectrograms, and those to train on; they are kept in the cache."""
    bunch = corpus(options)
    X = spectrograms(options.cache / "spectrograms.npy", bunch, duration=options.duration or None)
    chosen = X[subset(len(X), min(options.clips, len(X)))]
    for i, path in enumerate(options.more):
        more = spectrograms(options.cache / f"more-{i}.npy", load_dataset(path), duration=None)
        chosen = np.concatenate(
            [pad(part, max(X.shape[1], more.shape[1])) for part in (chosen, more)]
        )
    if len(chosen) != options.clips:
        raise SystemExit(f"Got --clips {options.clips}, but there are {len(chosen)}.")
    return bunch, X, chosen


def spectrograms(file: Path, bunch: Any, *, duration: float | None) -> NDArray[np.float32]:
    if not file.exists():
        extractor = SpectrogramExtractor(
            window_duration=0.08, n_mels=128, mel_norm="slaney", clip_below=-60, duration=duration
        ).set_params(sampling_rate=RATE, adapt=duration is None)  # clips shorter than a window
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, extractor.fit_transform(bunch.data))
    return np.load(file)


def pad(X: NDArray[np.float32], n_frames: int) -> NDArray[np.float32]:
    width = ((0, 0), (0, n_frames - X.shape[1]), (0, 0))
    return np.pad(X, width, constant_values=np.nan)


def teacher_features(bunch: Any, options: argparse.Namespace) -> NDArray[np.float32]:
    """Return the features of `two_scales`, fitted to the corpus, of the clips to train on."""
    files = [options.cache / "teacher.npy"]
    files += [options.cache / f"teacher-more-{i}.npy" for i in range(len(options.more))]
    if not all(file.exists() for file in files):
        teacher = two_scales(sampling_rate=RATE, random_state=0).fit(bunch.data)
        for file, path in zip(files, [options.path, *options.more], strict=True):
            np.save(file, teacher.transform(load_dataset(path).data))
    features, *more = [np.load(file) for file in files]
    chosen = subset(len(features), min(options.clips, len(features)))
    return np.concatenate([features[chosen], *more])


def subset(n_all: int, n: int) -> NDArray[np.intp]:
    """Draw the clips to train on: the same for all seeds, the larger sets hold the smaller."""
    return np.sort(np.random.default_rng(0).permutation(n_all)[:n])


def network(options: argparse.Namespace) -> dict[str, Any]:
    return NETWORK | {"n_layers": 2 if options.weights == "top" else 1}


def reconstruct(
    X: NDArray[np.float32], row: dict[str, Any], options: argparse.Namespace
) -> tuple[Seq2SeqAutoencoder, list[float]]:
    """Train an autoencoder; return it, and its errors on held-out clips by epoch."""
    autoencoder = Seq2SeqAutoencoder(**network(options), max_epochs=1000, random_state=row["seed"])
    autoencoder.set_params(**RECONSTRUCTION[options.objective])
    if options.objective != "untrained":
        autoencoder.set_params(
            learning_rate=row["learning_rate"], validation_fraction=VALIDATION_FRACTION
        )
        checkpoint = Checkpoint(options.cache / "checkpoints", every_n_epochs=10, keep=1)
        autoencoder.set_callbacks(checkpoint, StopWhenFlat(options.minutes))
    autoencoder.fit(X)
    return autoencoder, autoencoder.validation_loss_curve_


def train_encoder(
    X: NDArray[np.float32],
    row: dict[str, Any],
    options: argparse.Namespace,
    teacher: NDArray[np.float32] | None,
) -> tuple[Seq2SeqAutoencoder, list[float]]:
    """Train an encoder with another objective; return it, and its errors likewise."""
    autoencoder = Seq2SeqAutoencoder(**network(options), max_epochs=0, random_state=row["seed"])
    autoencoder.fit(X)
    losses = objectives.train(
        autoencoder,
        X,
        options.objective,
        weights=options.weights,
        learning_rate=row["learning_rate"],
        ends=is_flat,
        minutes=options.minutes,
        seed=row["seed"],
        teacher=teacher,
        validation_fraction=VALIDATION_FRACTION,
    )
    autoencoder.set_params(warm_start=True).fit(X)  # the components of the trained states
    return autoencoder, losses


def run(options: argparse.Namespace) -> None:
    bunch, X, chosen = read(options)
    scored = {"data": None, "target": bunch.target, "target_names": bunch.target_names}
    scored |= {"cv": bunch.cv, "groups": bunch.groups}
    trained = options.objective != "untrained"
    teacher = None
    if options.objective == "teacher":
        teacher = teacher_features(bunch, options)
    for seed in options.seeds:
        row: dict[str, Any] = {
            "objective": options.objective + WEIGHTS[options.weights],
            "clips": options.clips,
            "seed": seed,
            "learning_rate": options.learning_rate if trained else None,
        }
        known = [
            find(rows(options.data), row | {"representation": representation})
            for representation in options.representations
        ]
        if all(old and (old["flat"] or old["minutes"] >= options.minutes) for old in known):
            continue
        began = time.perf_counter()
        if options.objective in RECONSTRUCTION:
            autoencoder, losses = reconstruct(chosen, row, options)
        else:
            autoencoder, losses = train_encoder(chosen, row, options, teacher)
        row |= {"epochs": len(losses), "flat": is_flat(losses) or not trained}
        row |= {"minutes": options.minutes, "seconds": round(time.perf_counter() - began)}
        row["validation_loss"] = [round(float(loss), 4) for loss in losses]
        for representation, old in zip(options.representations, known, strict=True):
            if old and old["flat"]:
                continue
            scored["data"] = autoencoder.set_params(representation=representation).transform(X)
            result = evaluate(
                linear_classifier(random_state=0), scored, controls=False, progress=False
            )
            predicted = np.empty(len(X), dtype=int)
            for test, found in zip(result.test, result.fold_predictions[0], strict=True):
                predicted[test] = found
            row |= {"representation": representation, "accuracy": round(result.accuracy, 4)}
            row["predictions"] = "".join(LETTERS[k] for k in predicted)
            options.data.mkdir(parents=True, exist_ok=True)
            with (options.data / "rows.jsonl").open("a") as file:
                file.write(json.dumps(row) + "\n")
            shown = (*KEY, "epochs", "flat", "seconds", "accuracy")
            print(*(f"{name} {row[name]}" for name in shown), flush=True)


def rows(data: Path) -> list[dict[str, Any]]:
    """Read all rows; of runs that were continued the last."""
    file = data / "rows.jsonl"
    found: dict[tuple, dict[str, Any]] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        row = {"representation": "covariance"} | json.loads(line)
        found[tuple(row[name] for name in KEY)] = row
    return list(found.values())


def find(known: list[dict[str, Any]], row: dict[str, Any]) -> dict[str, Any] | None:
    return next((other for other in known if all(other[k] == row[k] for k in KEY)), None)


def as_evaluation(bunch: Any, runs: list[dict[str, Any]]) -> Evaluation:
    """Make an evaluation of the stored predictions, one repeat a run."""
    predicted = [np.array([LETTERS.index(letter) for letter in row["predictions"]]) for row in runs]
    test = [test for _, test in bunch.cv]
    return Evaluation(
        target=bunch.target,
        target_names=bunch.target_names,
        test=test,
        fold_predictions=[[found[part] for part in test] for found in predicted],
        protocol="transductive",
        seeds=[row["seed"] for row in runs],
        groups=bunch.groups,
    )


def summary(bunch: Any, data: Path) -> list[dict[str, Any]]:
    """Sum up the rows by objective, learning rate and clips, each beside its control."""
    known = rows(data)
    configurations: dict[tuple, list[dict[str, Any]]] = {}
    for row in sorted(known, key=lambda row: (row["objective"], row["clips"], row["seed"])):
        name = (row["objective"], row["learning_rate"], row["clips"], row["representation"])
        configurations.setdefault(name, []).append(row)
    lines = []
    for (objective, rate, clips, representation), runs in configurations.items():
        evaluation = as_evaluation(bunch, runs)
        line: dict[str, Any] = {
            "objective": objective,
            "learning rate": rate,
            "clips": clips,
            "representation": representation,
            "seeds": [row["seed"] for row in runs],
            "epochs": [row["epochs"] for row in runs],
            "flat": [row["flat"] for row in runs],
            "evaluation": evaluation,
        }
        untrained = {"objective": "untrained", "learning_rate": None, "clips": len(bunch.data)}
        if objective.endswith(WEIGHTS["top"]):
            untrained["objective"] += WEIGHTS["top"]
        control = [find(known, row | untrained) for row in runs]
        if not objective.startswith("untrained") and all(control):
            line["comparison"] = compare(
                evaluation, as_evaluation(bunch, [row for row in control if row]), random_state=0
            )
        lines.append(line)
    return lines


def table(options: argparse.Namespace) -> None:
    print("| objective | rate | clips | seeds | epochs | features | accuracy | minus untrained |")
    print("|---|---|---|---|---|---|---|---|")
    for line in summary(corpus(options), options.data):
        evaluation = line["evaluation"]
        low, high = evaluation.accuracy_interval
        accuracy = f"{100 * evaluation.accuracy:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
        epochs = ", ".join(
            f"{n}" + ("" if flat else " (not flat)")
            for n, flat in zip(line["epochs"], line["flat"], strict=True)
        )
        difference = ""
        if found := line.get("comparison"):
            low, high = found.interval
            difference = f"{100 * found.difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
            difference += f", p = {found.p_value:.2g}, {found.n_better} : {found.n_worse}"
        print(
            f"| {line['objective']} | {line['learning rate'] or ''} | {line['clips']} "
            f"| {', '.join(map(str, line['seeds']))} | {epochs} "
            f"| {line['representation']} | {accuracy} | {difference} |"
        )


def chosen_rates(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the learning rate of each objective that is best at 500 clips with seed 0.

    Of trainings that are flat, and by accuracy, for the benefit of training: what then is still
    behind is behind.
    """
    best: dict[str, dict[str, Any]] = {}
    for line in lines:
        at = line["clips"] == CHOSEN_AT and line["representation"] == "covariance"
        if at and line["flat"][0]:
            first = line["evaluation"].fold_accuracy[0].mean()
            if first > best.get(line["objective"], {"accuracy": -1})["accuracy"]:
                rate = line["learning rate"]
                best[line["objective"]] = {"accuracy": first, "rate": rate}
    return {objective: found["rate"] for objective, found in best.items()}


def plot(options: argparse.Namespace) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    curves: dict[str, list[dict[str, Any]]] = {}
    found = summary(corpus(options), options.data)
    rates = chosen_rates(found)
    for line in found:
        chosen = line["learning rate"] == rates.get(line["objective"])
        same_network = not line["objective"].endswith(WEIGHTS["top"])
        if chosen and same_network and line["representation"] == "covariance":
            curves.setdefault(line["objective"], []).append(line)
    for objective, lines in curves.items():
        clips = [line["clips"] for line in lines]
        means = 100 * np.array([line["evaluation"].accuracy for line in lines])
        intervals = 100 * np.array([line["evaluation"].accuracy_interval for line in lines])
        errors = np.abs(intervals.T - means)
        if objective == "untrained":
            axes.axhline(means[-1], linestyle="--", color="0.4", label="untrained")
            axes.axhspan(*intervals[-1], color="0.9")
        else:
            place = 1.02 ** len(axes.containers) * np.array(clips)  # beside each other, not on top
            drawn = axes.errorbar(place, means, errors, marker="o", capsize=3, label=objective)
            for line, clip, mean in zip(lines, place, means, strict=True):
                if not all(line["flat"]):  # its training had not ended
                    colour = drawn.lines[0].get_color()
                    axes.plot(clip, mean, "o", markerfacecolor="white", color=colour, zorder=3)
    axes.set_xscale("log", base=2)
    ticks = sorted({line["clips"] for lines in curves.values() for line in lines})
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks], rotation=45)
    axes.minorticks_off()
    axes.set_xlabel("clips of 5 s that the network was trained on, without labels")
    axes.set_ylabel("accuracy on ESC-50 at 16 kHz, %")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(options.picture, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    for name, function in {"run": run, "table": table, "plot": plot}.items():
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        command.add_argument("path", type=Path, help="folder of ESC-50, or of another corpus")
        command.add_argument("--groups", help="regular expression for groups, in names of files")
        command.add_argument("--data", type=Path, default=DATA, help="folder of rows.jsonl")
        if name == "run":
            known = [*RECONSTRUCTION, *objectives.OBJECTIVES]
            command.add_argument("--objective", default="autoencoder", choices=known)
            command.add_argument(
                "--representations", nargs="+", default=["covariance"], choices=REPRESENTATIONS
            )
            command.add_argument("--weights", default="all", choices=WEIGHTS, help="to train")
            command.add_argument("--more", nargs="*", default=[], help="folders to train on, too")
            command.add_argument("--clips", type=int, default=500)
            command.add_argument(
                "--duration", type=float, default=5.0, help="seconds of a clip; 0 takes it whole"
            )
            command.add_argument("--seeds", type=int, nargs="+", default=[0])
            command.add_argument("--learning-rate", type=float, default=1e-3)
            command.add_argument("--minutes", type=float, default=100.0, help="of each training")
            command.add_argument("--cache", type=Path, default=Path("training-curve-cache"))
        if name == "plot":
            command.add_argument("--picture", type=Path, default=Path("training-curve.png"))
    options = parser.parse_args()
    options.function(options)


if __name__ == "__main__":
    main()
