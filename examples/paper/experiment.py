"""What the paper's four experiments have in common; run one by esc10.py, esc50.py and so on.

Each view of the clips, such as a threshold below which spectrograms are clipped, has an autoencoder
of its own, which sees all clips without labels. Its code is standardised and classified by the
paper's perceptron, five times over the folds; so are the codes of all views side by side. Each view
is a row of the table, printed as soon as it is there, and the fusion is the last.

Features are stored in the output folder, and so is a training after each epoch: the same command
goes on where an interrupted one stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

import skaudeep
from skaudeep import (
    ChunkVotingClassifier,
    DropoutMLPClassifier,
    Seq2SeqAutoencoder,
    SpectrogramExtractor,
    evaluate,
    load_netcdf,
    save_netcdf,
)
from skaudeep._files import check_writable, replacing
from skaudeep.callbacks import Checkpoint
from skaudeep.evaluation import Evaluation

FUSED = "fused"
# As in the paper for all four. auDeep's commands always apply this pre-emphasis.
EXTRACTOR = {"pre_emphasis": 0.95}
AUTOENCODER = {
    "n_units": 256,
    "n_layers": 2,
    "cell": "gru",
    "representation": "code",
    "learning_rate": 1e-3,
    "dropout": 0.2,
}
LATEX_ESCAPES = str.maketrans({char: f"\\{char}" for char in "&%$#_{}"})


@dataclass(frozen=True)
class Approximate:
    """A published accuracy in % that is not printed as a number, such as one read off a bar."""

    percent: float


@dataclass(frozen=True)
class Experiment:
    """One of the paper's experiments.

    Parameters
    ----------
    title : str
        Name of the corpus.
    load : callable
        From the corpus's folder to a Bunch.
    extractor : dict
        Parameters of the `SpectrogramExtractor`.
    views : dict of str to dict
        By the name of each view: the parameters in which its extractor differs.
    autoencoder : dict
        Parameters of the `Seq2SeqAutoencoder`.
    n_folds : int or None, default=None
        Folds to draw, stratified by class; None takes those of the corpus.
    vote : bool, default=False
        Whether the chunks of a clip are classified one by one, and the majority counts.
    published : dict of str to dict of str to (float or Approximate), default={}
        By the heading of a column, accuracies in % of views that others report.
    """

    title: str
    load: Callable[[str], Bunch]
    extractor: Mapping[str, Any]
    views: Mapping[str, Mapping[str, Any]]
    autoencoder: Mapping[str, Any]
    n_folds: int | None = None
    vote: bool = False
    published: Mapping[str, Mapping[str, float | Approximate]] = field(default_factory=dict)


def main(experiment: Experiment, arguments: Sequence[str] | None = None) -> None:
    """Run an experiment with the options of the command line."""
    options = read_options(experiment, arguments)
    corpus = experiment.load(options.path)
    options.output.mkdir(parents=True, exist_ok=True)
    if options.latex is not None:
        check_writable(options.latex)

    start = time.perf_counter()
    columns = ["skaudeep"] + ["untrained"] * options.controls
    heading = ["view", *columns, *experiment.published]
    print(f"{experiment.title}: accuracy in % [95 % interval], {options.repeats} repeats")
    print(line_of(heading), flush=True)
    rows = []
    for view, found in evaluations(experiment, corpus, options):
        others = [scores.get(view) for scores in experiment.published.values()]
        rows.append([view, *map(percent, found), *map(published_of, others)])
        print(line_of(rows[-1]), flush=True)
    print(f"{(time.perf_counter() - start) / 60:.0f} min")
    if options.latex is not None:
        with replacing(options.latex) as file:
            table = remarks(experiment, options) + as_latex([heading, *rows])
            file.write_text(table, encoding="utf-8")


def read_options(experiment: Experiment, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=f"The paper's experiment on {experiment.title}.")
    parser.add_argument("path", help="folder of the corpus")
    parser.add_argument(
        "--output", type=Path, required=True, help="folder of features and checkpoints"
    )
    parser.add_argument("--latex", type=Path, help="also write the table to this file")
    parser.add_argument("--controls", action="store_true", help="also score untrained networks")
    parser.add_argument("--epochs", type=int, default=experiment.autoencoder["max_epochs"])
    parser.add_argument("--units", type=int, default=AUTOENCODER["n_units"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--classifier-epochs", type=int, default=400)
    parser.add_argument("--precision", choices=["float32", "bf16"], default="float32")
    parser.add_argument("--random-state", type=int, default=0)
    parser.add_argument("--n-jobs", type=int, help="folds classified at a time, and clips read")
    parser.add_argument("--verbose", action="store_true", help="print a line after each epoch")
    return parser.parse_args(arguments)


def evaluations(
    experiment: Experiment, corpus: Bunch, options: argparse.Namespace
) -> Iterator[tuple[str, list[Evaluation]]]:
    """Yield the results of each view, then those of all together: of trained and untrained."""
    epochs = [options.epochs] + [0] * options.controls
    of_views: list[list[NDArray]] = [[] for _ in epochs]
    for number, view in enumerate(experiment.views):
        seed = options.random_state + number
        for features, n in zip(of_views, epochs, strict=True):
            features.append(features_of(experiment, view, n, seed, corpus, options))
        yield view, [classify(experiment, f[-1], corpus, options) for f in of_views]
    fused = [np.concatenate(features, axis=-1) for features in of_views]
    yield FUSED, [classify(experiment, features, corpus, options) for features in fused]


def features_of(
    experiment: Experiment,
    view: str,
    max_epochs: int,
    seed: int,
    corpus: Bunch,
    options: argparse.Namespace,
) -> NDArray:
    """Return the codes of all clips: stored ones, or those of an autoencoder trained now."""
    extractor = SpectrogramExtractor(
        **{**EXTRACTOR, **experiment.extractor, **experiment.views[view]}
    )
    chosen = {"n_units": options.units, "precision": options.precision, "max_epochs": max_epochs}
    autoencoder = Seq2SeqAutoencoder(
        **{**AUTOENCODER, **experiment.autoencoder, **chosen}, random_state=seed
    )
    name = re.sub(r"\W+", "-", f"{view} {max_epochs} epochs").strip("-")
    path = options.output / f"{name}-{key_of(extractor, autoencoder, corpus)}.nc"
    if not path.exists():
        # What follows changes no feature, and is no part of the key.
        extractor.set_params(n_jobs=options.n_jobs)
        autoencoder.set_params(verbose=options.verbose and max_epochs > 0)
        autoencoder.set_callbacks(Checkpoint(options.output / "checkpoints", keep=1))
        spectrograms = extractor.fit_transform(corpus.data)
        features = autoencoder.fit_transform(spectrograms)
        dims = ("clip", "chunk", "feature") if features.ndim == 3 else ("clip", "feature")
        save_netcdf(Bunch(**{**corpus, "data": features, "dims": dims}), path)
    return load_netcdf(path).data


def key_of(extractor: Any, autoencoder: Any, corpus: Bunch) -> str:
    """Hash what the features depend on, so that none of another run are taken for these."""
    sizes = [Path(clip).stat().st_size for clip in corpus.data]
    # Without the defaults: a parameter that is new in skaudeep computes nothing anew.
    changed = [
        sorted(set(map(repr, step.get_params().items())) - set(map(repr, default.items())))
        for step, default in (
            (extractor, SpectrogramExtractor().get_params()),
            (autoencoder, Seq2SeqAutoencoder().get_params()),
        )
    ]
    facts = [skaudeep.__version__, changed, corpus.filenames.tolist(), sizes]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]


def classify(
    experiment: Experiment, features: NDArray, corpus: Bunch, options: argparse.Namespace
) -> Evaluation:
    """Score the paper's classifier on features, over the folds and the repeats."""
    perceptron = DropoutMLPClassifier(max_epochs=options.classifier_epochs)
    classifier: Any = make_pipeline(StandardScaler(), perceptron)
    if experiment.vote:
        classifier = ChunkVotingClassifier(classifier)
    return evaluate(
        classifier,
        Bunch(**{**corpus, "data": features}),
        n_repeats=options.repeats,
        controls=False,
        cv=experiment.n_folds,
        n_jobs=options.n_jobs,
        random_state=options.random_state,
        progress=False,
    )


# The table.


def percent(evaluation: Evaluation) -> str:
    low, high = (100 * bound for bound in evaluation.accuracy_interval)
    return f"{100 * evaluation.accuracy:.1f} [{low:.1f}, {high:.1f}]"


def published_of(score: float | Approximate | None) -> str:
    """Return a published accuracy; a rough one without digits that nobody has read."""
    if isinstance(score, Approximate):
        return f"≈ {score.percent:.0f}"
    return "-" if score is None else f"{score:.1f}"


def line_of(cells: Sequence[str]) -> str:
    return "".join(cell.ljust(12 if i == 0 else 22) for i, cell in enumerate(cells)).rstrip()


def latex_of(cell: str) -> str:
    """Escape what LaTeX reads as commands, with a minus before numbers and a dash for nothing."""
    escaped = cell.translate(LATEX_ESCAPES).replace("≈ ", r"$\approx$\,")
    return "--" if cell == "-" else re.sub(r"(?<!\S)-(?=\d)", "$-$", escaped)


def remarks(experiment: Experiment, options: argparse.Namespace) -> str:
    """Return comments for LaTeX: what the numbers are, and whether the run was the paper's."""
    full = (experiment.autoencoder["max_epochs"], AUTOENCODER["n_units"], 5, 400)
    this = (options.epochs, options.units, options.repeats, options.classifier_epochs)
    run = "{} epochs, 2 x {} units, {} repeats, {} steps of the classifier"
    lines = [
        f"{experiment.title}: accuracy in % [95 % interval]; needs \\usepackage{{booktabs}}",
        f"skaudeep {skaudeep.__version__}: {run.format(*this)}; seed {options.random_state}, "
        f"{options.precision}. Other columns are of others: see docs/paper.md",
    ]
    if this != full:
        lines.insert(0, f"A FIRST TRY, not the paper's experiment, which has {run.format(*full)}")
    return "".join(f"% {line}\n" for line in lines)


def as_latex(rows: Sequence[Sequence[str]]) -> str:
    """Return the table in LaTeX, with the rules of the package booktabs."""
    heading, *body = [" & ".join(map(latex_of, row)) + r" \\" for row in rows]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{l{'r' * (len(rows[0]) - 1)}}}",
            r"\toprule",
            heading,
            r"\midrule",
            *body[:-1],
            r"\midrule",
            body[-1],
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )
