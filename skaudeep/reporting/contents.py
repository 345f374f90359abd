"""Contents of the page as numbers and texts, without HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.utils import check_random_state

from skaudeep._base import fit_with_groups
from skaudeep.evaluation.labelling import labelling_order
from skaudeep.evaluation.results import Evaluation
from skaudeep.plotting.embedding import project
from skaudeep.recipes import linear_classifier
from skaudeep.reporting.conclusions import Conclusion, conclude_curve
from skaudeep.reporting.corpus import Corpus
from skaudeep.reporting.opening import FirstScreen, Score, score_of
from skaudeep.similarity import similarities

N_WRONG = 12  # clips with a picture each
N_UNUSUAL = 8
N_NEIGHBOURS = 5
# Distances between the quartiles beyond which a clip stands out. The outer fence, 3, would be of no
# use: clips that have nothing in common are a distance of 1.4 apart, and typical ones already 1.2.
FENCE = 1.5
N_SIMILAR = 4  # clips listed beside a clip with a picture
N_CONFUSIONS = 5  # pairs of classes
N_TO_NAME = 500  # clips in the order in which naming them helps; then the report is made again
MAX_POINTS = 5000  # largest number of points of the embedding, which a browser can draw


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
class Unusual:
    """Clips far from all others, the farthest first.

    Parameters
    ----------
    clips : list of UnusualClip
        Those that are shown.
    typical : float
        The median of the distances of all clips, from 0 to 2; NaN for a single clip.
    fence : float
        The distance beyond which a clip stands out: the upper quartile of all and one and a half
        times the distance between the quartiles (Tukey's fence).
    n_apart : int
        Number of all clips beyond it.
    """

    clips: list[UnusualClip] = field(default_factory=list)
    typical: float = float("nan")
    fence: float = float("nan")
    n_apart: int = 0


@dataclass(frozen=True)
class GroupResult:
    """How many clips of a group there are, were tested, and were named rightly."""

    name: str
    n_clips: int
    n_tested: int
    n_right: int


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
    conclusion: Conclusion


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

    `wrong` has all clips that are named wrongly, the surest first, and `cards` those of them that
    have a picture. `groups` has the groups of the data set, those with the most errors first, and
    `gathered` that one of which most of the errors are. `similar` has, by their rows, the clips of
    other groups that are most like those with a picture.
    """

    first: FirstScreen
    corpus: Corpus
    confusion: Confusion | None
    embedding: Embedding | None
    naming: Naming | None
    wrong: list[WrongClip]
    curve: Curve | None
    unusual: Unusual
    groups: list[GroupResult] = field(default_factory=list)
    gathered: GroupResult | None = None
    predicted: dict[int, tuple[str, float]] = field(default_factory=dict)
    similar: dict[int, list[SimilarClip]] = field(default_factory=dict)
    cards: list[WrongClip] = field(default_factory=list)


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
    origins = corpus.origins
    unusual = Unusual() if features is None else most_unusual(features, origins)
    groups = group_results(corpus, evaluation)
    wrong = [] if evaluation is None else most_wrong(evaluation)
    cards = [wrong[i] for i in spread([origins[clip.row] for clip in wrong], N_WRONG)]
    shown = [*(clip.row for clip in cards), *(clip.row for clip in unusual.clips)]
    return Contents(
        first=first,
        corpus=corpus,
        confusion=None if evaluation is None else confusion(evaluation),
        embedding=None if features is None else embed(features, naming, rng),
        naming=naming,
        wrong=wrong,
        curve=None if evaluation is None else curve(evaluation),
        unusual=unusual,
        groups=groups,
        gathered=gathered(groups),
        predicted={} if evaluation is None else predictions(evaluation),
        similar=(
            {} if features is None else most_similar(features, list(dict.fromkeys(shown)), origins)
        ),
        cards=cards,
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


def group_results(corpus: Corpus, evaluation: Evaluation | None) -> list[GroupResult]:
    """Count clips, tested clips and right ones of each group, those with the most errors first."""
    found = {} if evaluation is None else predictions(evaluation)
    rows_of: dict[str, list[int]] = {}
    for row, group in enumerate(corpus.bunch.groups.tolist()):
        if group:
            rows_of.setdefault(str(group), []).append(row)
    results = []
    for group, rows in sorted(rows_of.items()):
        tested = [row for row in rows if row in found]
        right = [
            row
            for row in tested
            if evaluation is not None
            and found[row][0] == evaluation.target_names[evaluation.target[row]]
        ]
        results.append(GroupResult(group, len(rows), len(tested), len(right)))
    return sorted(results, key=lambda one: one.n_right - one.n_tested)


def gathered(groups: Sequence[GroupResult]) -> GroupResult | None:
    """Return the group of which most errors are, if it has three, and twice its share, at least.

    Parameters
    ----------
    groups : sequence of GroupResult
        The one with the most errors first.

    Examples
    --------
    >>> ann, bob = GroupResult("ann", 20, 20, 17), GroupResult("bob", 220, 220, 218)
    >>> gathered([ann, bob])
    GroupResult(name='ann', n_clips=20, n_tested=20, n_right=17)
    """
    n_wrong = sum(one.n_tested - one.n_right for one in groups)
    n_tested = sum(one.n_tested for one in groups)
    if not groups:
        return None
    wrong = groups[0].n_tested - groups[0].n_right
    if wrong < 3 or 2 * wrong <= n_wrong or wrong * n_tested < 2 * n_wrong * groups[0].n_tested:
        return None
    return groups[0]


def spread(origins: Sequence[Hashable], n: int) -> list[int]:
    """Choose places of a list so that no origin is there twice before each is there once.

    Examples
    --------
    >>> spread(["a", "a", "b", "a", "c"], 4)
    [0, 1, 2, 4]
    """
    seen: Counter[Hashable] = Counter()
    turn = []
    for origin in origins:
        turn.append(seen[origin])
        seen[origin] += 1
    return sorted(sorted(range(len(turn)), key=turn.__getitem__)[:n])


def curve(evaluation: Evaluation) -> Curve | None:
    """Return the learning curve, all training clips as its last point."""
    parts = {**evaluation.learning_curve, evaluation.n_train: evaluation}
    conclusion = conclude_curve(evaluation)
    if len(parts) < 2 or conclusion is None:
        return None
    sizes = sorted(parts)
    return Curve(
        sizes,
        [score_of(f"{size:.0f} training clips", parts[size]) for size in sizes],
        conclusion,
    )


def most_unusual(features: NDArray, origins: Sequence[Hashable] | None = None) -> Unusual:
    """Return the clips with the largest mean distance to their nearest neighbours.

    Parameters
    ----------
    features : ndarray of shape (n_clips, n_features)
    origins : sequence of length n_clips, default=None
        Groups or recordings of the clips, each of which comes once before any comes twice.

    Returns
    -------
    Unusual
    """
    n_neighbours = min(N_NEIGHBOURS, len(features) - 1)
    if n_neighbours < 1:
        return Unusual()
    points = make_pipeline(StandardScaler(), Normalizer()).fit_transform(features)
    distances, _ = NearestNeighbors(n_neighbors=n_neighbours).fit(points).kneighbors()
    mean = distances.mean(axis=1)
    rows = np.argsort(-mean, kind="stable").tolist()
    if origins is not None:
        # Only the far half: the others of a group that is used up are not unusual.
        rows = rows[: max(N_UNUSUAL, len(rows) // 2)]
        rows = [rows[i] for i in spread([origins[row] for row in rows], N_UNUSUAL)]
    shown = [UnusualClip(row, float(mean[row])) for row in rows[:N_UNUSUAL]]
    quarter, half, three = np.percentile(mean, [25, 50, 75])
    fence = float(three + FENCE * (three - quarter))
    return Unusual(shown, float(half), fence, int((mean > fence).sum()))


def most_similar(
    features: NDArray, rows: list[int], origins: Sequence[Hashable] | None = None
) -> dict[int, list[SimilarClip]]:
    """Return the clips that are most like some, the most similar first, by the rows of these.

    Parameters
    ----------
    features : ndarray of shape (n_clips, n_features)
    rows : list of int
    origins : sequence of length n_clips, default=None
        Groups or recordings of the clips; only clips of others are returned.

    Returns
    -------
    dict of int to list of SimilarClip
    """
    if not rows:
        return {}
    number = {origin: i for i, origin in enumerate(dict.fromkeys(origins or ()))}
    of = np.array([number[o] for o in origins] if origins else range(len(features)))
    found = similarities(features, features[rows])
    found[of[rows][:, None] == of] = -np.inf
    nearest = np.argsort(-found, axis=1, kind="stable")[:, :N_SIMILAR]
    return {
        row: [SimilarClip(o, float(of_row[o])) for o in others if np.isfinite(of_row[o])]
        for row, others, of_row in zip(rows, nearest.tolist(), found, strict=True)
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
