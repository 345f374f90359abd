"""How many clips have to be named: in the report's order, and in random order.

    python examples/benchmarks/labelling.py PATH_OF_ESC10

Somebody with unlabelled recordings names a few clips, lets a classifier learn from them, and names
the next few. Here the names are known, and given in two orders: that of `labelling_order`, which
the report shows, and a random one. After each round the default classifier is tested on clips of
the fold that was left out. The features see all clips, none of their labels.
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score

from skaudeep.datasets import load_dataset
from skaudeep.evaluation import labelling_order
from skaudeep.recipes import linear_classifier, two_scales

FIRST_PREDICTION = 20  # named clips from which on a classifier says which clips are doubtful


def named_in_rounds(
    features: np.ndarray, target: np.ndarray, budgets: list[int], seed: int, *, ordered: bool
) -> list[np.ndarray]:
    """Return the clips that are named after each round."""
    rng = np.random.RandomState(seed)
    classifier = linear_classifier(random_state=seed)
    labels = np.full(len(target), -1)
    rounds = []
    for budget in budgets:
        n = budget - int((labels >= 0).sum())
        if ordered:
            named = labels >= 0
            probabilities = None
            if named.sum() >= FIRST_PREDICTION:
                fitted = clone(classifier).fit(features[named], labels[named])
                probabilities = fitted.predict_proba(features)
            chosen = labelling_order(features, labels, probabilities, n=n, random_state=seed)
        else:
            chosen = rng.permutation(np.flatnonzero(labels < 0))[:n]
        labels[chosen] = target[chosen]
        rounds.append(np.flatnonzero(labels >= 0))
    return rounds


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--budgets", type=int, nargs="+", default=[10, 20, 40, 60, 80, 120, 160])
    arguments = parser.parse_args()
    bunch = load_dataset(arguments.path)
    features = two_scales(random_state=0).fit_transform(bunch.data)
    print(f"UAR in % of {len(bunch.cv)} folds, {arguments.repeats} repeats, by named clips")
    print("| order |", " | ".join(map(str, arguments.budgets)), "|")
    print("|---" * (len(arguments.budgets) + 1) + "|")
    for name, ordered in (("random", False), ("the report's", True)):
        scores = np.empty((arguments.repeats, len(bunch.cv), len(arguments.budgets)))
        for repeat in range(arguments.repeats):
            for fold, (train, test) in enumerate(bunch.cv):
                rounds = named_in_rounds(
                    features[train],
                    bunch.target[train],
                    arguments.budgets,
                    len(bunch.cv) * repeat + fold,
                    ordered=ordered,
                )
                for i, clips in enumerate(rounds):
                    classifier = linear_classifier(random_state=repeat)
                    named = train[clips]
                    classifier.fit(features[named], bunch.target[named])
                    predicted = classifier.predict(features[test])
                    scores[repeat, fold, i] = balanced_accuracy_score(bunch.target[test], predicted)
        print(f"| {name} |", " | ".join(f"{100 * s:.1f}" for s in scores.mean(axis=(0, 1))), "|")


if __name__ == "__main__":
    main()
