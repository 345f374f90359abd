"""What features are worth: named configurations on a corpus, each beside its controls and peers.

    python examples/benchmarks/accuracy.py PATH_OF_ESC10
    python examples/benchmarks/accuracy.py PATH_OF_ESC10 --n-jobs 2 --baseline "paper fused"
    python examples/benchmarks/accuracy.py PATH_OF_WORDS --groups "^([^_]+)_"

CORPUS is a folder that `load_dataset` reads, "generated" for `make_sounds`, or an npz file of
sequences with X (n, n_frames, n_bands), NaN behind the end of shorter ones, y and partition. Folds
or partitions are those of the corpus; where it has none, five stratified ones are drawn, which keep
groups together. Networks that are trained also run untrained, and all with statistics of the bands
in their place; `aeon` and `opensmile` run where they are installed. Nothing sees a label but the
classifier, which is fixed beforehand.

The configurations stand in accuracy_configurations.py: one more is one more line. Spectrograms,
features and predictions are cached, so that another classifier or one configuration more takes only
what it adds.
"""

import argparse
import json
import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from itertools import chain, product
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from accuracy_cache import key_of, open_cache
from accuracy_configurations import CONFIGURATIONS, NotHere
from accuracy_corpus import Corpus, load_corpus
from joblib import Parallel, cpu_count, delayed
from sklearn.base import clone
from sklearn.datasets import get_data_home
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import Bunch, get_tags

from skaudeep import BandStatistics, FeatureFusion, SpectrogramExtractor, TunedLogisticRegression
from skaudeep._base import learning_tags
from skaudeep.evaluation import Comparison, Evaluation, compare

PROTOCOLS = ("transductive", "inductive")
CONTROLS = ("untrained", "mel statistics")
NOTES = """\
Accuracy, UAR: mean over folds and seeds ± standard deviation over seeds [95 % interval over groups,
such as speakers or recordings, where the corpus has some, else over clips]. Against another:
difference in accuracy [95 % bootstrap interval], clips that fared better:worse, p of the sign-flip
test over groups, or of the exact McNemar test over clips. Fit: extraction and one training of all
views, one after the other. Transform: extraction and features. Times are medians over seeds and
folds, of the run that filled the cache; the first in a process includes what numba compiles."""


# All on standardised features. "tuned" is the library's own, as of `linear_classifier`. The others
# are those of earlier figures. A LinearSVC holds its intercept down as if it were the weight of a
# feature of 1: only rows of about that length leave it free.
CLASSIFIERS = {
    "tuned": make_pipeline(Normalizer(), TunedLogisticRegression(random_state=0)),
    "unit-svc": make_pipeline(Normalizer(), LinearSVC(random_state=0)),
    "svc": LinearSVC(C=0.01, max_iter=20_000, random_state=0),
    "logistic": make_pipeline(Normalizer(), LogisticRegression(C=30, max_iter=1000)),
    "mlp": MLPClassifier((150, 150), max_iter=500, random_state=0),
}


@dataclass
class Run:
    """A configuration or a control of it under a protocol: calls to make, seed by seed."""

    name: str
    control: str
    protocol: str
    extracting: list[tuple]
    learning: list[list[tuple]]
    classifying: list[list[tuple]]


def parts_of(view: Any) -> list[Any]:
    return [part for _, part in view.transformer_list] if type(view) is FeatureFusion else [view]


def variants(views: list[Any], epochs: int | None) -> Iterator[tuple[str, list[Any]]]:
    """Give views as they are and, where they have networks, with these untrained or replaced."""
    views = list(chain.from_iterable(map(parts_of, views)))
    steps = [tagged_steps(view) for view in views]
    controls = [""]
    if any(tags.untrained for of_view in steps for tags in of_view.values()):
        controls.append("untrained")
    if any(tags.reads_spectrograms for of_view in steps for tags in of_view.values()):
        controls.append("mel statistics")
    for control in controls:
        copies = [clone(view) for view in views]
        for view, of_view in zip(copies, steps, strict=True):
            for name, tags in of_view.items():
                if control == "mel statistics" and tags.reads_spectrograms:
                    view.set_params(**{name: BandStatistics()})
                elif tags.untrained and (control == "untrained" or epochs is not None):
                    values = tags.untrained if control else {"max_epochs": epochs}
                    view.set_params(**{f"{name}__{key}": v for key, v in values.items()})
        yield control, copies


def tagged_steps(view: Any) -> dict[str, Any]:
    """Learning tags of the steps of a view, by the names of their parameters."""
    params = view.get_params()
    return {name: learning_tags(v) for name, v in params.items() if hasattr(v, "transform")}


def calls(views: list[Any], classifier: Any, protocol: str, corpus: Corpus, cached: Bunch):
    """Arguments of `extract`, `learn` and `classify` for one seed."""
    clips, identity = corpus.bunch.data, corpus.identity
    # Pipelines behind an extractor take its spectrograms, whatever else takes the clips.
    split = [
        isinstance(view, Pipeline) and isinstance(view[0], SpectrogramExtractor) for view in views
    ]
    extractors = [view[0] for view, splits in zip(views, split, strict=True) if splits]
    extracting = [(clips, extractors, key_of(extractors, identity))] if extractors else []
    everything = np.arange(len(clips))
    groups = [(everything, corpus.folds)]
    if protocol == "inductive":
        groups = [(train, [(train, test)]) for train, test in corpus.folds]
    learning, classifying = [], []
    for rows, folds in groups:
        of_group = []
        n_loaded = 0
        for view, splits in zip(views, split, strict=True):
            learner, load = view, partial(np.asarray, clips)
            if splits:
                learner = view[1:]
                load = partial(spectrograms, cached.extract, extracting[0], n_loaded)
                n_loaded += 1
            steps = [step for _, step in getattr(learner, "steps", [("", learner)])]
            learns = any(get_tags(step).requires_fit for step in steps)
            seen = rows if learns else everything  # the same in every fold
            of_group.append((load, learner, seen, key_of([view], identity)))
        key = [[call[2:] for call in of_group], key_of([classifier], ""), corpus.bunch.target]
        load = partial(side_by_side, cached.learn, of_group)
        classifying.append((load, classifier, corpus.bunch, folds, joblib.hash(key)))
        learning += of_group
    return extracting, learning, classifying


def spectrograms(extract: Any, arguments: tuple, view: int) -> np.ndarray:
    return extract(*arguments)[0][view]


def side_by_side(learn: Any, calls: list[tuple]) -> np.ndarray:
    return np.concatenate([learn(*arguments)[0] for arguments in calls], axis=1)


def collect(options: Any, corpus: Corpus, cached: Bunch) -> tuple[list[Run], list[str]]:
    """Plan all runs; say which configurations are left out, and why."""
    runs: list[Run] = []
    skipped: dict[str, dict[str, None]] = {}
    common = make_pipeline(StandardScaler(), CLASSIFIERS[options.classifier])
    for protocol, name in product(options.protocol, options.configurations):
        try:
            made = [CONFIGURATIONS[name](seed, corpus.facts) for seed in options.seeds]
        except NotHere as reason:
            skipped.setdefault(str(reason), {})[name] = None
            continue
        of_seeds = [
            [
                (control, calls(copies, classifier or common, protocol, corpus, cached))
                for control, copies in variants(views, options.epochs)
            ]
            for views, classifier in made
        ]
        for controls in zip(*of_seeds, strict=True):
            extracting, learning, classifying = map(
                list, zip(*(c for _, c in controls), strict=True)
            )
            runs.append(Run(name, controls[0][0], protocol, extracting[0], learning, classifying))
    return runs, [f"left out: {'; '.join(names)}: {reason}" for reason, names in skipped.items()]


def compute(runs: list[Run], cached: Bunch, n_jobs: int) -> None:
    """Fill the cache: each call once, however many runs want it."""
    steps = [
        (cached.extract, lambda run: run.extracting),
        (cached.learn, lambda run: chain.from_iterable(run.learning)),
        (cached.classify, lambda run: chain.from_iterable(run.classifying)),
    ]
    for function, wanted in steps:
        waiting = {}
        for run in runs:
            for arguments in wanted(run):
                if not function.check_call_in_cache(*arguments):
                    label = f"{run.name} {run.control} {run.protocol}"
                    waiting.setdefault(joblib.hash(arguments[2:]), (label, arguments))
        done = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
            delayed(timed)(function, *call) for call in waiting.values()
        )
        for i, (label, seconds) in enumerate(done, start=1):
            step = f"{function.func.__name__} {i} of {len(waiting)}"
            print(f"{step}: {label}, {seconds:.1f} s", file=sys.stderr, flush=True)


def timed(function: Any, label: str, arguments: tuple) -> tuple[str, float]:
    start = time.perf_counter()
    function(*arguments)
    return label, time.perf_counter() - start


# --- the result ----------------------------------------------------------------------------------


def measure(run: Run, corpus: Corpus, seeds: list[int], cached: Bunch) -> tuple[Evaluation, dict]:
    """Read the score and the costs of a run from the cache."""
    evaluation = Evaluation(
        target=corpus.bunch.target,
        target_names=corpus.bunch.target_names,
        test=[test for _, test in corpus.folds],
        fold_predictions=[
            [fold for arguments in of_seed for fold in cached.classify(*arguments)]
            for of_seed in run.classifying
        ],
        protocol=run.protocol,
        seeds=seeds,
        groups=corpus.bunch.groups,
    )
    extraction = sum(cached.extract(*arguments)[1] for arguments in run.extracting)
    # One fit is of all views: there is one a seed, or one a seed and fold.
    calls = [call for of_seed in run.learning for call in of_seed]
    n_views = len(calls) // sum(map(len, run.classifying))
    fits = [
        [cached.learn(*call) for call in calls[i : i + n_views]]
        for i in range(0, len(calls), n_views)
    ]
    fit, transform = (np.median([sum(view[i] for view in fit) for fit in fits]) for i in (1, 2))
    n_clips = len(corpus.bunch.data)
    return evaluation, {
        "n_features": sum(features.shape[1] for features, *_ in fits[0]),
        "fit_seconds": float(extraction + fit),
        "transform_milliseconds": float(1000 * (extraction + transform) / n_clips),
    }


def results_of(runs: list[Run], corpus: Corpus, options: Any, cached: Bunch) -> list[dict]:
    """Scores, costs and comparisons of each run, controls behind what they belong to."""
    measured = {
        (run.protocol, run.name, run.control): measure(run, corpus, options.seeds, cached)
        for run in runs
    }
    results, shown = [], set()
    for run in runs:
        key = (
            run.protocol,
            joblib.hash([call[4] for of_seed in run.classifying for call in of_seed]),
        )
        if run.control and key in shown:
            continue  # two configurations have this control in common
        shown.add(key)
        evaluation, costs = measured[run.protocol, run.name, run.control]
        rivals = {control: (run.protocol, run.name, control) for control in CONTROLS}
        if options.baseline != run.name:
            rivals[options.baseline] = (run.protocol, options.baseline, "")
        by_seed = [
            replace(evaluation, fold_predictions=[predictions], seeds=[seed])
            for seed, predictions in zip(options.seeds, evaluation.fold_predictions, strict=True)
        ]
        results.append(
            {
                "configuration": run.name,
                "control": run.control,
                "protocol": run.protocol,
                **scores(evaluation),
                "accuracy_std": np.std([part.accuracy for part in by_seed], ddof=len(by_seed) > 1),
                "uar_std": np.std([part.uar for part in by_seed], ddof=len(by_seed) > 1),
                **costs,
                "against": {
                    name: compare(evaluation, measured[rival][0], random_state=0)._asdict()
                    for name, rival in rivals.items()
                    if rival in measured and not run.control
                },
                "seeds": {part.seeds[0]: scores(part) for part in by_seed},
                "predictions": evaluation.predictions.tolist(),
            }
        )
    return results


def scores(evaluation: Evaluation) -> dict[str, Any]:
    names = ("accuracy", "accuracy_interval", "uar", "uar_interval", "n_groups")
    return {name: getattr(evaluation, name) for name in names}


def table(results: list[dict], baseline: str | None) -> list[list[str]]:
    rivals = [*CONTROLS, *[baseline] * (baseline is not None)]
    rows = [
        ["configuration", "accuracy %", "UAR %", *(f"against {rival}" for rival in rivals)]
        + ["features", "fit s", "transform ms/clip"]
    ]
    for result in results:
        row = [f"{result['configuration']}, {result['control']}".removesuffix(", ")]
        for metric in ("accuracy", "uar"):
            low, high = result[f"{metric}_interval"]
            row.append(
                f"{100 * result[metric]:.1f} ± {100 * result[f'{metric}_std']:.1f} "
                f"[{100 * low:.1f}, {100 * high:.1f}]"
            )
        for rival in rivals:
            row.append(
                paired(Comparison(**result["against"][rival])) if rival in result["against"] else ""
            )
        row += [f"{result['n_features']:,}", f"{result['fit_seconds']:.1f}"]
        rows.append([*row, f"{result['transform_milliseconds']:.1f}"])
    return rows


def paired(found: Comparison) -> str:
    low, high = (100 * bound for bound in found.interval)
    difference = f"{100 * found.difference:+.1f} [{low:+.1f}, {high:+.1f}]"
    return f"{difference}, {found.n_better}:{found.n_worse}, p = {found.p_value:.2g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="?", metavar="CORPUS")
    parser.add_argument("--list", action="store_true", help="name the configurations and end")
    parser.add_argument("--configurations", nargs="+", metavar="NAME", default=[*CONFIGURATIONS])
    parser.add_argument("--baseline", metavar="NAME", help="compare all others with this one")
    parser.add_argument("--protocol", nargs="+", choices=PROTOCOLS, default=PROTOCOLS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--classifier", choices=CLASSIFIERS, default="tuned")
    parser.add_argument("--groups", metavar="REGEX", help="what of a file name is its group")
    parser.add_argument("--epochs", type=int, help="in place of all max_epochs; for trials only")
    parser.add_argument("--n-jobs", type=int, default=1, help="networks trained at a time")
    parser.add_argument("--cache", metavar="FOLDER", default=f"{get_data_home()}/skaudeep/accuracy")
    parser.add_argument("--json", metavar="FILE", type=Path)
    parser.add_argument("--markdown", metavar="FILE", type=Path)
    options = parser.parse_args()
    if options.list:
        print(*CONFIGURATIONS, sep="\n")
        return
    if options.corpus is None:
        parser.error("CORPUS is missing")
    for name in {*options.configurations} - {*CONFIGURATIONS}:
        parser.error(f"no configuration {name!r}; --list names them")
    if options.baseline not in (None, *options.configurations):
        parser.error(f"--baseline {options.baseline!r} is not among the configurations")

    cached = open_cache(options.cache)
    corpus = load_corpus(options.corpus, options.groups)
    print(f"cache: {options.cache}")
    print(*(head := heading(corpus, options)), sep="\n", flush=True)
    runs, skipped = collect(options, corpus, cached)
    print(*skipped, sep="\n", flush=True)
    compute(runs, cached, options.n_jobs)
    results = results_of(runs, corpus, options, cached)
    prose = [*head, *skipped]
    for protocol in options.protocol:
        rows = table([r for r in results if r["protocol"] == protocol], options.baseline)
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        print(f"\n{protocol}")
        for row in rows:
            print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
        lines = [f"| {' | '.join(row)} |" for row in rows]
        prose += ["", f"**{protocol}**", "", lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]
    print(NOTES)
    if options.markdown:
        options.markdown.write_text("\n".join([*prose, "", NOTES, ""]), "utf-8")
    if options.json:
        record = {"about": head, "skipped": skipped, "options": vars(options), "results": results}
        options.json.write_text(json.dumps(record, indent=1, default=str), "utf-8")


def heading(corpus: Corpus, options: Any) -> list[str]:
    """Say what is needed to make these figures again."""
    bunch, facts = corpus.bunch, corpus.facts
    lengths = (
        f"{min(facts.lengths):g} to {max(facts.lengths):g} {'frames' if facts.sequences else 's'}"
    )
    libraries = ("skaudeep", "torch", "scikit-learn", "numpy")
    lines = [
        shlex.join(["python", *sys.argv]),
        f"{len(bunch.data)} clips of {lengths}, classes: {len(bunch.target_names)}, "
        f"folds: {len(corpus.folds)}, groups: {len(np.unique(bunch.groups))}",
        f"seeds {options.seeds}; {options.classifier} on standardised features",
        f"{', '.join(f'{name} {version(name)}' for name in libraries)}; "
        f"{cpu_count()} cores, n_jobs={options.n_jobs}",
    ]
    if options.epochs is not None:
        lines.append(
            f"!!! A TRIAL: {options.epochs} EPOCHS IN PLACE OF THOSE OF THE CONFIGURATIONS !!!"
        )
    return lines


if __name__ == "__main__":
    main()
