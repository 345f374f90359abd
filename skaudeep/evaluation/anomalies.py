"""Evaluation of anomaly detectors as in task 2 of DCASE: AUC and pAUC with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import hmean, norm, t
from sklearn.base import clone
from sklearn.utils import check_random_state

from skaudeep._base import fit_with_groups
from skaudeep._progress import Progress
from skaudeep._texts import list_names, shown
from skaudeep.datasets.bunch import check_bunch
from skaudeep.datasets.groups import group_numbers
from skaudeep.datasets.operations import take
from skaudeep.evaluation.anomaly_results import KEYS, AnomalyEvaluation
from skaudeep.evaluation.intervals import check_confidence_level, wilson_interval
from skaudeep.evaluation.roc import partial_areas, resample, standardise, undo_standardise

__all__ = ["AnomalyEvaluation", "anomaly_metrics", "evaluate_anomalies"]

NORMAL = "normal"


def anomaly_metrics(
    scores: ArrayLike,
    anomaly: ArrayLike,
    *,
    machine: ArrayLike | None = None,
    section: ArrayLike | None = None,
    domain: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    filenames: ArrayLike | None = None,
    alarm: ArrayLike | None = None,
    max_fpr: float = 0.1,
    n_resamples: int = 999,
    confidence_level: float = 0.95,
    random_state: Any = 0,
) -> AnomalyEvaluation:
    r"""Compute AUC and pAUC of scores of clips, as in task 2 of DCASE [1]_.

    For each section of each machine, the area under the ROC curve (AUC) and the partial area (pAUC)
    up to a false positive rate of `max_fpr` are computed. If domains are given, there is an AUC for
    each domain: of the normal clips of the domain against the anomalies of the whole section.

    Parameters
    ----------
    scores : array-like of shape (n_clips,)
        Score of each clip, as `score_samples` returns it: higher is more usual. DCASE's anomaly
        scores have the opposite sign.
    anomaly : array-like of shape (n_clips,), bool
        Whether each clip is an anomaly: True and False, or 1 and 0.
    machine, section, domain : array-like of shape (n_clips,) of str, default=None
        Machine, section and domain of each clip. None if all clips have the same. The domains are
        DCASE's "source" and "target", or any others.
    groups : array-like of shape (n_clips,), default=None
        Session or recording of each clip. A clip whose group is "", None or NaN is a group of its
        own. If groups are given, the bootstrap samples of the intervals draw whole groups, and in a
        section whose clips are all of one group they draw clips. They also draw clips if groups are
        None or no clip has one.
    filenames : array-like of shape (n_clips,) of str, default=None
        Names of the clips in messages and tables.
    alarm : array-like of shape (n_clips,), bool, default=None
        Whether a threshold calls each clip unusual. None: there is no threshold.
    max_fpr : float in (0, 1), default=0.1
        Largest false positive rate of pAUC.
    n_resamples : int >= 2, default=999
        Number of bootstrap samples.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals.
    random_state : int, RandomState instance or None, default=0
        Seed or generator of the bootstrap samples.

    Returns
    -------
    AnomalyEvaluation
        The figures. ``print`` shows them as a table.

    Raises
    ------
    ValueError
        If a score is NaN, a section has no anomaly, or a domain of it no normal clip, lengths
        differ, `anomaly` or `alarm` holds other values, or a parameter is out of its range.

    Notes
    -----
    pAUC is standardised as by McClish [2]_, so that 0.5 is chance level and 1 is best for any
    `max_fpr`. DCASE's baselines and evaluators do the same, by scikit-learn's
    ``roc_auc_score(max_fpr=0.1)``, although its web pages define pAUC without standardisation. In
    2021 the anomalies of an AUC were those of the same domain: to compute it, put section and
    domain together into ``section``. In 2020 the means were arithmetic.

    Intervals are Wilson's for :math:`s (1 - s) / v` clips, as those of
    :class:`~skaudeep.evaluation.Evaluation`. :math:`s` is the figure, and :math:`v` is its variance
    over bootstrap samples of the normal clips of each domain and of the anomalies, or of groups;
    for pAUC both are taken before standardisation. The quantile is that of the normal distribution,
    for groups of Student's with their number minus one degrees of freedom (for the harmonic mean
    always the normal one). If the variance is 0, as with an AUC of 1, the number of the rarer kind
    of clips is used (for pAUC, only the share `max_fpr` of the normal clips counts), or that of the
    groups if they are fewer. The intervals do not cover differences between machines.

    References
    ----------
    .. [1] T. Nishida et al. Description and discussion on DCASE 2024 challenge task 2: First-shot
       unsupervised anomalous sound detection for machine condition monitoring. arXiv:2406.07250.
    .. [2] D. K. McClish. Analyzing a portion of the ROC curve. Medical Decision Making 9, 190-195,
       1989.

    Examples
    --------
    >>> from skaudeep.evaluation import anomaly_metrics
    >>> scores = [5, 4, 3, 2, 1, 0]
    >>> print(anomaly_metrics(scores, [False, False, False, True, False, True]))
    6 clips tested, 2 of them anomalies
                  AUC %              pAUC %
    all            87.5 [40.8, 98.6]  73.7 [52.0, 95.4]
    harmonic mean  80.0 [37.5, 96.4]
    [ ]: 95 % interval over clips; pAUC to a false positive rate of 0.1
    """
    check_confidence_level(confidence_level)
    if not isinstance(max_fpr, Real) or not 0 < max_fpr < 1:
        raise ValueError(f"Got max_fpr={max_fpr!r}, expected a number between 0 and 1 such as 0.1.")
    if not isinstance(n_resamples, Integral) or n_resamples < 2:
        raise ValueError(f"Got n_resamples={n_resamples!r}, expected an integer of at least 2.")
    clips = _clip_table(
        scores,
        anomaly,
        {"machine": machine, "section": section, "domain": domain},
        {"filename": filenames, "alarm": alarm},
    )
    units = None if groups is None else group_numbers(groups)
    if units is not None and len(units) != len(clips):
        raise ValueError(f"Got {len(units)} groups for {len(clips)} clips, expected one for each.")
    rng = check_random_state(random_state)
    rows: list[dict[str, Any]] = []
    resampled: list[NDArray[np.float64]] = []
    sizes = []
    for names, part in clips.groupby(["machine", "section"], sort=False):
        of_part = None if units is None else units[part.index]
        of_part = None if of_part is None or len(np.unique(of_part)) == 1 else of_part
        where = dict(zip(("machine", "section"), names, strict=True))
        for row, values in _figures(part, where, of_part, max_fpr, n_resamples, rng):
            chosen = values[~np.isnan(values)]
            quantile = norm.ppf((1 + confidence_level) / 2)
            least = row.pop("least")
            if of_part is not None:
                n_units = len(np.unique(of_part))
                quantile = t.ppf((1 + confidence_level) / 2, n_units - 1)
                least = min(least, n_units)
            scale = max_fpr if row["metric"] == "pAUC" else None
            row["low"], row["high"] = _interval(row["value"], chosen, least, quantile, scale)
            rows.append(row)
            resampled.append(values)
            sizes.append(least)
    figures = pd.DataFrame(rows)[
        [*KEYS, "metric", "value", "low", "high", "n_normal", "n_anomalies"]
    ]
    values = np.stack(resampled)
    means = _harmonic(values[:, ~np.isnan(values).any(axis=0)])
    mean = float(_harmonic(figures["value"].to_numpy()[:, np.newaxis])[0])
    quantile = norm.ppf((1 + confidence_level) / 2)
    return AnomalyEvaluation(
        figures=figures,
        clips=clips,
        harmonic_mean=mean,
        harmonic_mean_interval=_interval(mean, means, sum(sizes), quantile, None),
        max_fpr=float(max_fpr),
        confidence_level=confidence_level,
        unit="clip" if units is None else "group",
    )


def evaluate_anomalies(
    detector: Any,
    bunch: Mapping[str, Any],
    *,
    normal: str = NORMAL,
    max_fpr: float = 0.1,
    n_resamples: int = 999,
    confidence_level: float = 0.95,
    random_state: Any = 0,
    progress: bool = True,
) -> AnomalyEvaluation:
    """Fit a detector to the normal training clips of each machine, and evaluate its test scores.

    The figures are the area under the ROC curve (AUC) and a part of it (pAUC), by machine, section
    and domain, see :func:`anomaly_metrics`.

    Parameters
    ----------
    detector : estimator with `fit` and `score_samples`
        An :class:`~skaudeep.AnomalyDetector`, whose alarms (clips with a score below its
        `offset_`) are also counted, or any other detector or pipeline, such as scikit-learn's
        `IsolationForest`. Higher scores have to mean more usual clips. A clone of it is fitted for
        each machine, without a target. If its `fit` has a parameter `groups`, it receives the
        groups of the machine's training clips, if some clip of the bunch has one.
    bunch : Bunch
        Data set with ``data``, ``target``, ``target_names`` and ``partition``, and optionally
        ``machine``, ``section``, ``domain`` and ``groups``, as `load_dcase_task2` and
        `make_machines` return it. The detector is fitted to the clips of the partition "train", and
        tested on the labelled clips of "test", or of "devel" if no clip is in "test". Training
        clips are taken for normal, also unlabelled ones (-1). Without ``machine``, all clips are of
        one machine. Machines that have no test clip are left out.
    normal : str, default="normal"
        Name of the class of normal clips. All other classes are anomalies.
    max_fpr : float in (0, 1), default=0.1
        Largest false positive rate of pAUC.
    n_resamples : int >= 2, default=999
        Number of bootstrap samples.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals.
    random_state : int, RandomState instance or None, default=0
        Seed or generator of the bootstrap samples.
    progress : bool, default=True
        Whether to show the progress on stderr.

    Returns
    -------
    AnomalyEvaluation
        The figures. ``print`` shows them as a table.

    Raises
    ------
    ValueError
        If there is no class of that name, no labelled test clip, or no training clip of a tested
        machine; if anomalies are among the training clips; if a section has no anomalous test clip,
        or one of its domains no normal one; if the target is not one class for each clip; if the
        detector has no `fit` or `score_samples`, or does not give one score for each clip; if a
        score is NaN; or if a parameter is out of its range.

    See Also
    --------
    anomaly_metrics : Compute the figures from scores.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudeep import BandStatistics, DistanceScorer, SpectrogramExtractor
    >>> from skaudeep.datasets import make_machines
    >>> from skaudeep.evaluation import evaluate_anomalies
    >>> machines = make_machines(
    ...     2, n_train=20, n_normal=10, n_faulty=2, sampling_rate=8000, duration=0.5, random_state=0
    ... )
    >>> extractor = SpectrogramExtractor(n_mels=20, reference="full_scale", sampling_rate=8000)
    >>> detector = make_pipeline(extractor, BandStatistics(), DistanceScorer())
    >>> evaluate_anomalies(detector, machines, progress=False)
    AnomalyEvaluation(n_machines=2, n_clips=40, harmonic_mean=0.825)
    """
    data_set = check_bunch(bunch, required=("data", "target", "target_names", "partition"))
    if not all(hasattr(detector, method) for method in ("fit", "score_samples")):
        raise ValueError(
            f"Got a {type(detector).__name__} without fit or score_samples, expected a detector "
            "such as AnomalyDetector, or a Pipeline that ends in one of scikit-learn."
        )
    if data_set.target.ndim != 1 or data_set.target.dtype.kind not in "iu":
        raise ValueError(
            f"Got target of shape {data_set.target.shape} and type {data_set.target.dtype}, "
            "expected one class number for each clip, of normal clips and of others."
        )
    if normal not in data_set.target_names:
        raise ValueError(
            f"Got normal={normal!r}, expected the name of a class of the data set: "
            f"{list_names(data_set.target_names)}."
        )
    anomaly = (data_set.target != data_set.target_names.index(normal)) & (data_set.target >= 0)
    n_clips = len(anomaly)
    filenames = data_set.get("filenames", np.array([f"clip {i}" for i in range(n_clips)]))
    keys = {name: _names(name, data_set.get(name), n_clips) for name in KEYS}
    train = data_set.partition == "train"
    if (train & anomaly).any():
        raise ValueError(
            f"Got {(train & anomaly).sum()} anomalies in the partition 'train', first "
            f"{shown(filenames[np.argmax(train & anomaly)])}, expected normal clips only, "
            "which detectors learn from."
        )
    tested = "test" if (data_set.partition == "test").any() else "devel"
    test = (data_set.partition == tested) & (data_set.target >= 0)
    if not test.any():
        raise ValueError(
            "Got no labelled clip in the partition 'test' or 'devel', expected normal clips and "
            "anomalies to test. The labels of DCASE's evaluation data are published apart."
        )
    scores, alarm = np.full(n_clips, np.nan), np.zeros(n_clips, dtype=bool)
    has_threshold = hasattr(detector, "false_alarm_rate")
    machines = list(dict.fromkeys(keys["machine"][test].tolist()))
    with Progress(show=progress) as line:
        line.begin("Learning machines", len(machines))
        for name in machines:
            of_machine = keys["machine"] == name
            rows = np.flatnonzero(train & of_machine)
            if not len(rows):
                raise ValueError(
                    f"Got no clip of the machine {shown(name)} in the partition 'train', expected "
                    "normal clips to learn from."
                )
            groups = data_set.get("groups")
            groups = None if groups is None or not (groups != "").any() else groups[rows]
            fitted = fit_with_groups(clone(detector), take(data_set.data, rows), None, groups)
            rows = np.flatnonzero(test & of_machine)
            found = np.asarray(fitted.score_samples(take(data_set.data, rows)), dtype=np.float64)
            if found.shape != rows.shape:
                raise ValueError(
                    f"Got scores of shape {found.shape} for {len(rows)} clips, expected one for "
                    "each clip. Score clips without chunks."
                )
            scores[rows] = found
            if has_threshold:
                alarm[rows] = ~(found >= fitted.offset_)
            line.advance(1)
    groups = data_set.get("groups")
    return anomaly_metrics(
        scores[test],
        anomaly[test],
        **{name: values[test] for name, values in keys.items()},
        groups=None if groups is None else groups[test],
        filenames=filenames[test],
        alarm=alarm[test] if has_threshold else None,
        max_fpr=max_fpr,
        n_resamples=n_resamples,
        confidence_level=confidence_level,
        random_state=random_state,
    )


def _names(key: str, values: Any, n_clips: int) -> NDArray[np.object_]:
    """Return an attribute of each clip as text, "" if it is not given."""
    if values is None:
        return np.full(n_clips, "", dtype=object)
    names = np.array([str(value) for value in values], dtype=object)
    if len(names) != n_clips:
        raise ValueError(
            f"Got {key} with {len(names)} entries for {n_clips} clips, expected one for each."
        )
    return names


def _clip_table(
    scores: ArrayLike,
    anomaly: ArrayLike,
    keys: Mapping[str, Any],
    optional: Mapping[str, Any],
) -> pd.DataFrame:
    """Check the scores and attributes of clips, and return a table with a row for each clip."""
    rated = np.asarray(scores, dtype=np.float64)
    if rated.ndim != 1 or not len(rated):
        raise ValueError(
            f"Got scores of shape {rated.shape}, expected one for each of at least two clips."
        )
    n_clips = len(rated)
    columns: dict[str, Any] = {key: _names(key, values, n_clips) for key, values in keys.items()}
    for key, values in {"anomaly": anomaly, **optional}.items():
        if values is None:
            continue
        if len(np.asarray(values)) != n_clips:
            raise ValueError(
                f"Got {key} with {len(np.asarray(values))} entries for {n_clips} clips, expected "
                "one for each."
            )
        columns[key] = np.asarray(values) if key == "filename" else _truth(key, values)
    columns["score"] = rated
    clips = pd.DataFrame(columns)
    if np.isnan(rated).any():
        first = int(np.argmax(np.isnan(rated)))
        name = shown(clips["filename"][first]) if "filename" in clips else f"clip {first}"
        raise ValueError(
            f"Got NaN as the score of {np.isnan(rated).sum()} of {n_clips} clips, first of {name}, "
            "expected numbers. Leave clips out that cannot be read, or give them the lowest score."
        )
    return clips


def _truth(key: str, values: Any) -> NDArray[np.bool_]:
    found = np.asarray(values)
    if found.dtype.kind not in "biuf" or not np.isin(found, (0, 1)).all():
        others = [str(value) for value in np.unique(found) if value not in (0, 1)]
        raise ValueError(
            f"Got {key} with values such as {shown(others[0])}, expected True and False, or 1 and "
            "0, for each clip."
        )
    return found.astype(bool)


def _figures(
    part: pd.DataFrame,
    where: dict[str, Any],
    units: NDArray[np.intp] | None,
    max_fpr: float,
    n_resamples: int,
    rng: np.random.RandomState,
) -> Iterator[tuple[dict[str, Any], NDArray[np.float64]]]:
    """Yield the figures of a section, and each of them in all bootstrap samples."""
    anomaly = part["anomaly"].to_numpy()
    domain = part["domain"].to_numpy()
    unusual = -part["score"].to_numpy()
    name = " ".join(shown(value) for value in where.values() if value) or "the test"
    domains = list(dict.fromkeys(domain.tolist()))
    for kind, missing in [
        ("anomaly", not anomaly.any()),
        *(
            (
                f"normal clip of the domain {shown(d)}" if d else "normal clip",
                not (~anomaly & (domain == d)).any(),
            )
            for d in domains
        ),
    ]:
        if missing:
            raise ValueError(
                f"Got no {kind} in {name}, expected normal clips and anomalies to tell apart."
            )
    weights = np.vstack([np.ones(len(part)), resample(anomaly, domain, units, n_resamples, rng)])
    for d in domains:
        chosen = anomaly | (domain == d)
        areas = partial_areas(unusual[chosen], anomaly[chosen], weights[:, chosen], 1.0)
        n_normal = int((~anomaly & chosen).sum())
        yield (
            where
            | {
                "domain": d,
                "metric": "AUC",
                "value": float(areas[0]),
                "n_normal": n_normal,
                "n_anomalies": int(anomaly.sum()),
                "least": min(n_normal, int(anomaly.sum())),
            },
            areas[1:],
        )
    areas = standardise(partial_areas(unusual, anomaly, weights, max_fpr), max_fpr)
    n_normal = int((~anomaly).sum())
    yield (
        where
        | {
            "domain": "",
            "metric": "pAUC",
            "value": float(areas[0]),
            "n_normal": n_normal,
            "n_anomalies": int(anomaly.sum()),
            # The number of normal clips below the false positive rate.
            "least": min(max(max_fpr * n_normal, 1), int(anomaly.sum())),
        },
        areas[1:],
    )


def _interval(
    value: float,
    resampled: NDArray[np.float64],
    least: float,
    quantile: float,
    max_fpr: float | None,
) -> tuple[float, float]:
    """Return Wilson's interval of a figure, by its variance over bootstrap samples."""
    if max_fpr is not None:
        value, resampled = undo_standardise(value, max_fpr), undo_standardise(resampled, max_fpr)
    variance = float(np.var(resampled)) if len(resampled) else 0.0
    spread = value * (1 - value)
    n = spread / variance if variance > 1e-12 and spread > 1e-12 else least
    low, high = wilson_interval(value, n, quantile)
    if max_fpr is None:
        return low, high
    return float(standardise(low, max_fpr)), float(standardise(high, max_fpr))


def _harmonic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(hmean(np.maximum(values, np.finfo(np.float64).tiny), axis=0))
