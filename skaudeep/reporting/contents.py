"""Contents of the page as numbers and texts, without HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.utils import check_random_state

from skaudeep._base import fit_with_groups
from skaudeep._progress import duration
from skaudeep._texts import printable
from skaudeep.evaluation.labelling import labelling_order
from skaudeep.evaluation.results import Evaluation
from skaudeep.plotting.embedding import project
from skaudeep.recipes import linear_classifier
from skaudeep.reporting.conclusions import (
    Conclusion,
    against,
    conclude,
    conclude_curve,
    count_units,
    n_tested_classes,
)
from skaudeep.reporting.corpus import Corpus, describe_classes
from skaudeep.similarity import similarities

N_WRONG = 12  # clips with a picture each
N_UNUSUAL = 8
N_NEIGHBOURS = 5
N_SIMILAR = 4  # clips listed beside a clip with a picture
N_CONFUSIONS = 5  # pairs of classes
N_TO_NAME = 500  # clips in the order in which naming them helps; then the report is made again
MAX_POINTS = 5000  # largest number of points of the embedding, which a browser can draw


@dataclass(frozen=True)
class Score:
    """UAR of the pipeline or of a control, in [0, 1]."""

    name: str
    uar: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """The score in per cent, with its interval."""
        return f"{100 * self.uar:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"


@dataclass(frozen=True)
class FirstScreen:
    """The title, what the data set is, the score with its controls, and what to conclude.

    Parameters
    ----------
    title : str
    corpus : str
    scores : list of Score
        The pipeline, then its controls. Empty where nothing was evaluated.
    plain : str
        The main score in words that need no explanation.
    meaning : list of str
        What UAR, its interval and a control are.
    chance : float
        UAR of guessing.
    comparisons : list of str
        The pipeline against each control, clip by clip.
    conclusions : list of Conclusion
    """

    title: str
    corpus: str
    scores: list[Score]
    plain: str
    meaning: list[str]
    chance: float
    comparisons: list[str]
    conclusions: list[Conclusion]

    def lines(self) -> list[str]:
        """Return the screen as plain text, line by line."""
        scores = [f"{score.name}: UAR {score.text}" for score in self.scores]
        return [
            self.title,
            self.corpus,
            *scores,
            *([self.plain] if self.plain else []),
            *self.meaning,
            *self.comparisons,
            *(conclusion.text for conclusion in self.conclusions),
        ]


@dataclass(frozen=True)
class Confusion:
    """Number of clips of each true class (row) and predicted class (column), of tested classes."""

    names: list[str]
    counts: NDArray[np.int64]

    @property
    def recalls(self) -> NDArray[np.float64]:
        """Share of the clips of each class that was recognised, NaN where none was tested."""
        n = self.counts.sum(axis=1)
        share = np.full(len(n), np.nan)
        return np.divide(self.counts.diagonal(), n, out=share, where=n > 0)

    def most_frequent(self) -> list[tuple[str, str, int, int]]:
        """Return truth, prediction, number of clips and clips of the class of the worst pairs."""
        wrong = self.counts.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:N_CONFUSIONS]
        pairs = [np.unravel_index(place, wrong.shape) for place in order.tolist()]
        return [
            (self.names[i], self.names[j], int(wrong[i, j]), int(self.counts[i].sum()))
            for i, j in pairs
            if wrong[i, j]
        ]


@dataclass(frozen=True)
class WrongClip:
    """A tested clip that was taken for another class; probability is NaN where unknown."""

    row: int
    truth: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class UnusualClip:
    """A clip far from all others; the distance is between clips scaled to length 1."""

    row: int
    distance: float


@dataclass(frozen=True)
class SimilarClip:
    """A clip that is like another one; similarity is the cosine of their features, up to 1."""

    row: int
    similarity: float


@dataclass(frozen=True)
class Curve:
    """UAR against the number of training clips of a fold."""

    n_train: list[float]
    scores: list[Score]
    conclusion: str


@dataclass(frozen=True)
class Embedding:
    """Clips in the plane, both axes from 0 to 1.

    Parameters
    ----------
    rows : ndarray of shape (n_points,), int
        The clips that are shown.
    places : ndarray of shape (n_points, 2)
    """

    rows: NDArray[np.intp]
    places: NDArray[np.float64]


@dataclass(frozen=True)
class Naming:
    """Unlabelled clips in the order in which to name them.

    Parameters
    ----------
    order : list of int
    suggestions : dict of int to (str, float)
        Class and probability for a clip, where a classifier could be fitted.
    """

    order: list[int]
    suggestions: dict[int, tuple[str, float]]


@dataclass(frozen=True)
class Contents:
    """All sections of the page; a section is None where there is nothing to show.

    `typical_distance` is the median of all clips of what `unusual` shows of the largest. `similar`
    has, by their rows, the clips that are most like those of `wrong` and `unusual` that are shown.
    """

    first: FirstScreen
    corpus: Corpus
    confusion: Confusion | None
    embedding: Embedding | None
    naming: Naming | None
    wrong: list[WrongClip]
    curve: Curve | None
    unusual: list[UnusualClip]
    typical_distance: float = float("nan")
    predicted: dict[int, tuple[str, float]] = field(default_factory=dict)
    similar: dict[int, list[SimilarClip]] = field(default_factory=dict)


# The first screen.


def first_screen(corpus: Corpus, evaluation: Evaluation | None, title: str) -> FirstScreen:
    """Summarise the data set and the results; the rest of the page explains them.

    Parameters
    ----------
    corpus : Corpus
    evaluation : Evaluation or None
    title : str

    Returns
    -------
    FirstScreen
    """
    scores, comparisons, plain, meaning, chance = [], [], "", [], 0.0
    if evaluation is not None:
        chance = 1 / n_tested_classes(evaluation)
        scores = [_score("This model", evaluation)]
        for name, control in evaluation.controls.items():
            scores.append(_score(f"Control “{name}”", control))
            found = against(evaluation, control)
            comparisons.append(f"This model against “{name}”: {found}")
        plain = _plainly(evaluation, chance)
        meaning = _explain(evaluation)
    return FirstScreen(
        title=printable(title),
        corpus=describe_corpus(corpus),
        scores=scores,
        plain=plain,
        meaning=meaning,
        chance=chance,
        comparisons=comparisons,
        conclusions=[
            Conclusion(corpus.clean(found.text), found.holds)
            for found in conclude(corpus, evaluation)
        ],
    )


def _plainly(evaluation: Evaluation, chance: float) -> str:
    guessing = f"by guessing it would be about {100 * chance:.0f}"
    if evaluation.uar == 1:
        n_clips = len(np.unique(np.concatenate(evaluation.test)))
        return f"All {n_clips} tested clips are named right; {guessing} of 100."
    right = f"about {100 * evaluation.uar:.0f} are named right"
    return f"Of 100 clips of each class, {right}; {guessing}."


def _explain(evaluation: Evaluation) -> list[str]:
    n_units, unit = count_units(evaluation)
    level = f"{100 * evaluation.confidence_level:g}"
    found = [
        "UAR (unweighted average recall) is the share of clips that are named right, taken for "
        "each class and averaged, so that a rare class counts as much as a frequent one. In [ ] is "
        f"its {level} % interval over {n_units} {unit}: in {level} of 100 such studies it holds "
        "the true value."
    ]
    if evaluation.controls:
        found.append(
            "A control is a simpler method that was tested on the same clips, to see how much is "
            "gained over it."
        )
    return found


def describe_corpus(corpus: Corpus) -> str:
    """Describe the data set in one line."""
    summary, bunch = corpus.summary, corpus.bunch
    n_open = corpus.n_open
    n_clips = len(corpus.names)
    parts = [f"{n_clips} {'clip' if n_clips == 1 else 'clips'}", describe_classes(bunch)]
    if corpus.left_out:
        parts.append(f"{len(corpus.left_out)} more cannot be read")
    if 0 < n_open < len(corpus.names):
        parts.append(f"{n_open} without a label")
    known = summary.durations[~np.isnan(summary.durations)]
    if len(known):
        parts.append(f"{duration(known.sum())} in all")
    if summary.sampling_rates:
        rates = [f"{rate:g} Hz" for rate in summary.sampling_rates]
        parts.append(rates[0] if len(rates) == 1 else f"mostly {rates[0]}")
    if corpus.clips is None:
        parts.append(f"stored {'features' if len(bunch.dims) == 2 else 'spectrograms'}")
    parts.append(_describe_groups(summary.n_groups, n_clips))
    if corpus.division.origin:
        parts.append(corpus.division.origin)
    return ", ".join(parts)


def _describe_groups(n_groups: int, n_clips: int) -> str:
    if n_groups == n_clips > 1:
        return "each clip a group of its own"
    return f"{n_groups} {'group' if n_groups == 1 else 'groups'}" if n_groups else "no groups"


def _score(name: str, evaluation: Evaluation) -> Score:
    return Score(name, evaluation.uar, *evaluation.uar_interval)


# The sections.


def contents(
    corpus: Corpus,
    evaluation: Evaluation | None,
    features: NDArray | None,
    first: FirstScreen,
    random_state: Any,
) -> Contents:
    """Compute what the sections show.

    Parameters
    ----------
    corpus : Corpus
    evaluation : Evaluation or None
    features : ndarray of shape (n_clips, n_features), or None
        None where the pipeline gives no row of finite numbers for each clip.
    first : FirstScreen
    random_state : int, RandomState instance or None

    Returns
    -------
    Contents
    """
    rng = check_random_state(random_state)
    naming = None
    if (corpus.bunch.target < 0).any() and features is not None:
        probabilities, suggestions = suggest(corpus, features, rng.randint(2**31 - 1))
        order = labelling_order(
            features,
            corpus.bunch.target,
            probabilities,
            n=N_TO_NAME,
            random_state=rng.randint(2**31 - 1),
        )
        naming = Naming(order.tolist(), suggestions)
    unusual, typical = ([], float("nan")) if features is None else most_unusual(features)
    wrong = [] if evaluation is None else most_wrong(evaluation)
    shown = [*(clip.row for clip in wrong[:N_WRONG]), *(clip.row for clip in unusual)]
    return Contents(
        first=first,
        corpus=corpus,
        confusion=None if evaluation is None else confusion(evaluation),
        embedding=None if features is None else embed(features, naming, rng),
        naming=naming,
        wrong=wrong,
        curve=None if evaluation is None else curve(evaluation),
        unusual=unusual,
        typical_distance=typical,
        predicted={} if evaluation is None else predictions(evaluation),
        similar={} if features is None else most_similar(features, list(dict.fromkeys(shown))),
    )


def usable_features(features: Any) -> NDArray[np.float32] | None:
    """Return one row of finite numbers for each clip, the mean over its chunks; None if none."""
    rows = np.asarray(features)
    if rows.dtype.kind not in "iuf" or rows.ndim not in (2, 3):
        return None
    if rows.ndim == 3:  # chunks; those that only longer clips have are NaN
        rows = np.nanmean(rows, axis=1)
    return rows.astype(np.float32, copy=False) if np.isfinite(rows).all() else None


def suggest(
    corpus: Corpus, features: NDArray, random_state: int
) -> tuple[NDArray | None, dict[int, tuple[str, float]]]:
    """Predict the clips without a label by those with one.

    Returns
    -------
    probabilities : ndarray of shape (n_clips, n_classes), or None
    suggestions : dict of int to (str, float)
        Both empty where fewer than two classes are labelled.
    """
    target = np.asarray(corpus.bunch.target)
    labelled, open_ = np.flatnonzero(target >= 0), np.flatnonzero(target < 0)
    if len(np.unique(target[labelled])) < 2:
        return None, {}
    groups = corpus.bunch.groups[labelled]
    classifier = fit_with_groups(
        linear_classifier(random_state=random_state),
        features[labelled],
        target[labelled],
        groups if groups.any() else None,
    )
    probabilities = np.zeros((len(target), len(classifier.classes_)))
    probabilities[open_] = classifier.predict_proba(features[open_])
    best = probabilities.argmax(axis=1)
    names = [corpus.bunch.target_names[label] for label in classifier.classes_]
    return probabilities, {
        row: (names[best[row]], float(probabilities[row, best[row]])) for row in open_.tolist()
    }


def confusion(evaluation: Evaluation) -> Confusion:
    """Return the confusion matrix of the classes that were tested or predicted."""
    counts = evaluation.confusion_matrix
    shown = np.flatnonzero(counts.any(axis=0) | counts.any(axis=1))
    return Confusion(
        [evaluation.target_names[label] for label in shown], counts[np.ix_(shown, shown)]
    )


def predictions(evaluation: Evaluation) -> dict[int, tuple[str, float]]:
    """Return the class that each tested clip was taken for, and its probability or NaN."""
    predicted = evaluation.predictions[0]
    probabilities = evaluation.probabilities
    return {
        row: (
            evaluation.target_names[predicted[row]],
            float("nan") if probabilities is None else float(probabilities[row, predicted[row]]),
        )
        for row in np.flatnonzero(predicted >= 0).tolist()
    }


def most_wrong(evaluation: Evaluation) -> list[WrongClip]:
    """Return tested clips that were taken for another class, the most surely wrong first."""
    found = [
        WrongClip(row, evaluation.target_names[evaluation.target[row]], name, probability)
        for row, (name, probability) in predictions(evaluation).items()
        if name != evaluation.target_names[evaluation.target[row]]
    ]
    return sorted(found, key=lambda clip: (-np.nan_to_num(clip.probability), clip.row))


def curve(evaluation: Evaluation) -> Curve | None:
    """Return the learning curve, all training clips as its last point."""
    parts = {**evaluation.learning_curve, evaluation.n_train: evaluation}
    if len(parts) < 2:
        return None
    sizes = sorted(parts)
    return Curve(
        sizes,
        [_score(f"{size:.0f} training clips", parts[size]) for size in sizes],
        conclude_curve(evaluation),
    )


def most_unusual(features: NDArray) -> tuple[list[UnusualClip], float]:
    """Return the clips with the largest mean distance to their nearest neighbours.

    Returns
    -------
    list of UnusualClip
    float
        The median of the distances of all clips, from 0 to 2; NaN for a single clip.
    """
    n_neighbours = min(N_NEIGHBOURS, len(features) - 1)
    if n_neighbours < 1:
        return [], float("nan")
    points = make_pipeline(StandardScaler(), Normalizer()).fit_transform(features)
    distances, _ = NearestNeighbors(n_neighbors=n_neighbours).fit(points).kneighbors()
    mean = distances.mean(axis=1)
    rows = np.argsort(-mean, kind="stable")[:N_UNUSUAL]
    return [UnusualClip(int(row), float(mean[row])) for row in rows], float(np.median(mean))


def most_similar(features: NDArray, rows: list[int]) -> dict[int, list[SimilarClip]]:
    """Return the clips that are most like some, the most similar first, by the rows of these."""
    if not rows:
        return {}
    found = similarities(features, features[rows])
    found[np.arange(len(rows)), rows] = -np.inf
    n_similar = min(N_SIMILAR, len(features) - 1)
    nearest = np.argsort(-found, axis=1, kind="stable")[:, :n_similar]
    return {
        row: [SimilarClip(int(other), float(of_row[other])) for other in others]
        for row, others, of_row in zip(rows, nearest, found, strict=True)
    }


def embed(features: NDArray, naming: Naming | None, rng: np.random.RandomState) -> Embedding:
    """Place clips in the plane; of very many a sample, with those that are to be named first."""
    rows = np.arange(len(features))
    if len(rows) > MAX_POINTS:
        chosen = np.array([] if naming is None else naming.order, dtype=np.intp)
        others = np.setdiff1d(rows, chosen)
        drawn = rng.choice(others, MAX_POINTS - len(chosen), replace=False)
        rows = np.sort(np.concatenate([chosen, drawn]))
    places = project(features[rows], random_state=rng.randint(2**31 - 1)).astype(np.float64)
    low, high = places.min(axis=0), places.max(axis=0)
    span = np.where(high > low, high - low, 1)
    return Embedding(rows, np.where(high > low, (places - low) / span, 0.5))
