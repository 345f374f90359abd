"""Which features tell the classes of a corpus apart: one table, to choose a representation by.

    python examples/benchmarks/accuracy.py FOLDER
    python examples/benchmarks/accuracy.py FOLDER --groups "^([^_]+)_" --peers PYTHON --seeds 0 1 2
    python examples/benchmarks/accuracy.py FOLDER --folds clips.csv:fold --markdown table.md

CORPUS is a folder that `load_dataset` reads, "generated" for `make_sounds`, or an npz file of
sequences with X (n, n_frames, n_bands), NaN behind the end of shorter ones, y and partition. Folds
or partitions are those of the corpus; where it has none, five stratified ones are drawn, which keep
groups together. By default `two_scales` is judged beside statistics of mel bands and, where --peers
names a Python that has them, MiniRocket (aeon) and the feature sets ComParE 2016 and eGeMAPS v02
(openSMILE, whose licence forbids commercial use). The classifier is the same for all, and nothing
else sees a label.

The configurations stand in accuracy_configurations.py: one more is one more line. Spectrograms,
features and predictions are cached: an interrupted run goes on where it stopped, and one more
configuration takes only what it adds.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from accuracy_cache import PeerError, Score, extraction, find_peers, key_of, open_cache, score
from accuracy_configurations import CONFIGURATIONS, DEFAULT, DEFAULT_OF_SEQUENCES, NotHere, Peer
from accuracy_corpus import Corpus, load_corpus
from joblib import Parallel, cpu_count, delayed
from sklearn.datasets import get_data_home
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from skaudeep._files import check_writable, replacing
from skaudeep.evaluation import Comparison, Evaluation, compare
from skaudeep.evaluation.controls import controls_of_steps
from skaudeep.recipes import linear_classifier

PROTOCOLS = ("inductive", "transductive")
NOTES = """\
UAR (unweighted average recall), accuracy: mean over folds and seeds ± standard deviation over seeds
[95 % interval over groups, such as speakers or recordings, where the corpus has some, else over
clips]. Minus: difference in UAR to the first row [95 % interval, resampling the same groups or
clips], p of the sign-flip test over them. Seeds: 1 where nothing is drawn at random. Fit: reading
the training clips and fitting the features to them, without the classifier. Transform: from a file
to its features. Both are processor time, medians over folds and seeds. openSMILE (ComParE, eGeMAPS)
is free for research; its licence forbids commercial use."""


# All on standardised features. "tuned" is the library's own. The others are those of earlier
# figures. A LinearSVC holds its intercept down as if it were the weight of a feature of 1: only
# rows of about that length leave it free.
CLASSIFIERS = {
    "tuned": linear_classifier(random_state=0),
    "unit-svc": make_pipeline(StandardScaler(), Normalizer(), LinearSVC(random_state=0)),
    "svc": make_pipeline(StandardScaler(), LinearSVC(C=0.01, max_iter=20_000, random_state=0)),
    "logistic": make_pipeline(
        StandardScaler(), Normalizer(), LogisticRegression(C=30, max_iter=1000)
    ),
    "mlp": make_pipeline(StandardScaler(), MLPClassifier((150, 150), max_iter=500, random_state=0)),
}


@dataclass
class Row:
    """A configuration or a control of it under a protocol: a transformer or a peer per seed."""

    name: str
    control: str
    protocol: str
    sources: list[Any]

    def __str__(self) -> str:
        return f"{self.name}, {self.control}".removesuffix(", ")


def plan(options: Any, corpus: Corpus) -> tuple[list[Row], list[str]]:
    """List all rows of the table; say which configurations are left out, and why."""
    rows: list[Row] = []
    left_out: dict[str, str] = {}
    for protocol, name in product(options.protocol, options.configurations):
        try:
            made = [CONFIGURATIONS[name](seed, corpus.facts) for seed in options.seeds]
        except NotHere as reason:
            left_out[name] = f"left out: {name}: {reason}"
            continue
        if options.epochs is not None:
            made = [with_epochs(source, options.epochs) for source in made]
        rows.append(Row(name, "", protocol, made))
        if options.controls and not isinstance(made[0], Peer):
            controls = [controls_of_steps(source) for source in made]
            rows += [
                Row(name, control, protocol, [of_seed[control] for of_seed in controls])
                for control in controls[0]
            ]
    return rows, list(left_out.values())


def with_epochs(source: Any, epochs: int) -> Any:
    names = [] if isinstance(source, Peer) else source.get_params()
    changes = {name: epochs for name in names if name.endswith("max_epochs")}
    return source.set_params(**changes) if changes else source


def identity_of(row: Row, source: Any) -> str:
    """Hash what a row computes with a seed: equal where nothing is drawn."""
    peer = [*source] if isinstance(source, Peer) else []
    frames = source.frames if isinstance(source, Peer) else source
    return joblib.hash([row.protocol, peer[::2], key_of([frames], "")])


def compute(
    rows: list[Row], options: Any, corpus: Corpus
) -> tuple[dict[str, Score], dict[str, str]]:
    """Score what the rows consist of, each once, and say what failed."""
    cached = open_cache(options.cache)
    wanted = {identity_of(row, source): (row, source) for row in rows for source in row.sources}
    for _, source in wanted.values():  # what most have in common, before they run in parallel
        transformer = source.frames if isinstance(source, Peer) else source
        if transformer is not None:
            extraction(transformer, corpus, cached)
    classifier = CLASSIFIERS[options.classifier]
    done = Parallel(n_jobs=options.n_jobs)(
        delayed(attempt)(source, classifier, row.protocol, corpus, cached)
        for row, source in wanted.values()
    )
    found = dict(zip(wanted, done, strict=True))
    failed = {identity: why for identity, why in found.items() if isinstance(why, str)}
    return {identity: s for identity, s in found.items() if isinstance(s, Score)}, failed


def attempt(*arguments: Any) -> Score | str:
    try:
        return score(*arguments)
    except PeerError as error:
        return str(error)


# --- the result ----------------------------------------------------------------------------------


def results_of(
    rows: list[Row], found: dict[str, Score], corpus: Corpus, options: Any
) -> Iterator[dict[str, Any]]:
    """Scores, costs and the comparison with the baseline of each row."""
    baselines: dict[str, Evaluation] = {}
    shown = set()
    for row in rows:
        identities = [identity_of(row, source) for source in row.sources]
        if not all(identity in found for identity in identities):
            continue
        if row.control and tuple(identities) in shown:
            continue  # another row has these features
        shown.add(tuple(identities))
        scores = [found[identity] for identity in identities]
        evaluation = Evaluation(
            target=corpus.bunch.target,
            target_names=corpus.bunch.target_names,
            test=[test for _, test in corpus.folds],
            fold_predictions=[score.predictions for score in scores],
            protocol=row.protocol,
            seeds=options.seeds,
            groups=corpus.bunch.groups,
        )
        baseline = baselines.get(row.protocol)
        if baseline is None and row.name == options.baseline and not row.control:
            baselines[row.protocol] = evaluation
        by_seed = [
            replace(evaluation, fold_predictions=[predictions], seeds=[seed])
            for seed, predictions in zip(options.seeds, evaluation.fold_predictions, strict=True)
        ]
        yield {
            "configuration": row.name,
            "control": row.control,
            "protocol": row.protocol,
            **numbers(evaluation),
            "uar_std": np.std([part.uar for part in by_seed], ddof=len(by_seed) > 1),
            "accuracy_std": np.std([part.accuracy for part in by_seed], ddof=len(by_seed) > 1),
            "minus": None
            if baseline is None
            else compare(evaluation, baseline, metric="uar", random_state=0)._asdict(),
            "n_seeds": len(set(identities)),
            "n_features": scores[0].n_features,
            "fit_seconds": float(np.median([score.fit_seconds for score in scores])),
            "transform_milliseconds": 1000
            * float(np.median([score.transform_seconds for score in scores])),
            "seeds": {part.seeds[0]: numbers(part) for part in by_seed},
            "predictions": evaluation.predictions.tolist(),
        }


def numbers(evaluation: Evaluation) -> dict[str, Any]:
    names = ("uar", "uar_interval", "accuracy", "accuracy_interval", "n_groups")
    return {name: getattr(evaluation, name) for name in names}


def table(results: list[dict], baseline: str) -> list[list[str]]:
    rows = [
        ["features", "UAR %", "accuracy %", f"UAR minus that of {baseline}", "seeds", "columns"]
        + ["fit s", "transform ms/clip"]
    ]
    for result in results:
        row = [f"{result['configuration']}, {result['control']}".removesuffix(", ")]
        for metric in ("uar", "accuracy"):
            low, high = result[f"{metric}_interval"]
            row.append(
                f"{100 * result[metric]:.1f} ± {100 * result[f'{metric}_std']:.1f} "
                f"[{100 * low:.1f}, {100 * high:.1f}]"
            )
        row.append("" if result["minus"] is None else paired(Comparison(**result["minus"])))
        row += [f"{result['n_seeds']}", f"{result['n_features']:,}"]
        rows.append(
            [*row, f"{result['fit_seconds']:.1f}", f"{result['transform_milliseconds']:.1f}"]
        )
    return rows


def paired(found: Comparison) -> str:
    low, high = (100 * bound for bound in found.interval)
    return f"{100 * found.difference:+.1f} [{low:+.1f}, {high:+.1f}], p = {found.p_value:.2g}"


def heading(corpus: Corpus, options: Any, arguments: Sequence[str]) -> list[str]:
    """Say what is needed to make these figures again."""
    bunch, facts = corpus.bunch, corpus.facts
    unit = "frames" if facts.sequences else "s"
    libraries = {name: version(name) for name in ("skaudeep", "torch", "scikit-learn", "numpy")}
    which = [f"{name} {number}" for name, number in libraries.items()]
    which += sorted({which for _, which in facts.peers.values()})
    n_groups = len(set(bunch.groups[bunch.groups != ""].tolist()))
    lines = [
        shlex.join(["python", "examples/benchmarks/accuracy.py", *arguments]),
        f"{len(bunch.data)} clips of {min(facts.lengths):.3g} to {max(facts.lengths):.3g} {unit}, "
        f"classes: {len(bunch.target_names)}, folds: {len(corpus.folds)}, groups: {n_groups}",
        f"seeds {options.seeds}; classifier {options.classifier}, for all features the same",
        f"{', '.join(which)}; {cpu_count()} cores, n_jobs={options.n_jobs}",
    ]
    if options.epochs is not None:
        lines.append(
            f"!!! A TRIAL: {options.epochs} EPOCHS IN PLACE OF THOSE OF THE CONFIGURATIONS !!!"
        )
    return lines


# --- the command ---------------------------------------------------------------------------------


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("corpus", nargs="?", metavar="CORPUS")
    add("--list", action="store_true", help="name the configurations and end")
    add("--configurations", nargs="+", metavar="NAME", help="by default the recipe and its rivals")
    add("--baseline", metavar="NAME", help="compare all others with this one; default: the first")
    add("--labels", metavar="TABLE:COLUMN", help="classes, where the folder has no folders of them")
    add("--folds", metavar="TABLE:COLUMN", help="the fold that tests each clip, by its file name")
    add(
        "--groups",
        metavar="REGEX",
        help="what of a file name, without its folder, is its group, such as a speaker: the first "
        "pair of parentheses, or all that matches; or TABLE:COLUMN",
    )
    add(
        "--peers",
        metavar="PYTHON",
        action="append",
        default=[],
        help="a Python in whose environment opensmile or aeon is installed; several with commas "
        "between them, or the option once more. openSMILE's licence forbids commercial use",
    )
    add("--controls", action="store_true", help="also untrained networks, and statistics instead")
    add("--protocol", nargs="+", choices=PROTOCOLS, default=PROTOCOLS[:1])
    add("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    add("--classifier", choices=CLASSIFIERS, default="tuned", help="tuned: linear_classifier")
    add("--epochs", type=int, help="in place of all max_epochs; for trials only")
    add("--n-jobs", type=int, default=1, help="configurations and seeds computed at a time")
    add("--cache", metavar="FOLDER", default=f"{get_data_home()}/skaudeep/accuracy")
    add("--json", metavar="FILE", type=Path, help="write all figures and predictions")
    add("--markdown", metavar="FILE", type=Path, help="write the table")
    options = parser.parse_args(arguments)
    if options.list:
        return options
    if options.corpus is None:
        parser.error("CORPUS is missing")
    if options.configurations is None:
        sequences = options.corpus.endswith(".npz")
        options.configurations = [*(DEFAULT_OF_SEQUENCES if sequences else DEFAULT)]
    for name in {*options.configurations} - {*CONFIGURATIONS}:
        parser.error(f"no configuration {name!r}; --list names them")
    options.baseline = options.baseline or options.configurations[0]
    if options.baseline not in options.configurations:
        parser.error(f"--baseline {options.baseline!r} is not among the configurations")
    # It goes first: all rows are compared with it.
    options.configurations.sort(key=lambda name: name != options.baseline)
    options.peers = [python for names in options.peers for python in names.split(",") if python]
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    if options.list:
        print(*CONFIGURATIONS, sep="\n")
        return
    try:
        for path in filter(None, (options.markdown, options.json)):
            check_writable(path)
        peers = find_peers(options.peers)
        corpus = load_corpus(options.corpus, options.labels, options.folds, options.groups)
    except (ValueError, OSError, PeerError) as error:
        sys.exit(str(error))
    corpus.facts.peers = peers
    print(f"cache: {options.cache}")
    print(*(head := heading(corpus, options, arguments)), sep="\n", flush=True)
    rows, left_out = plan(options, corpus)
    found, failed = compute(rows, options, corpus)
    for row in rows:
        for source in row.sources:
            with suppress(KeyError):
                left_out.append(f"left out: {row}: {failed[identity_of(row, source)]}")
                break
    print(*left_out, sep="\n", flush=True)
    results = list(results_of(rows, found, corpus, options))
    prose = [*head, *left_out]
    for protocol in options.protocol:
        lines = table([r for r in results if r["protocol"] == protocol], options.baseline)
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        print(f"\n{protocol}")
        for line in lines:
            print("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip())
        cells = [f"| {' | '.join(line)} |" for line in lines]
        prose += ["", f"**{protocol}**", "", cells[0], "|---" * len(lines[0]) + "|", *cells[1:]]
    print(f"\n{NOTES}")
    if options.markdown:
        with replacing(options.markdown) as new:
            new.write_text("\n".join([*prose, "", NOTES, ""]), "utf-8")
    if options.json:
        record = {"about": head, "left_out": left_out, "options": vars(options), "results": results}
        with replacing(options.json) as new:
            new.write_text(json.dumps(record, indent=1, default=str), "utf-8")


if __name__ == "__main__":
    main()
