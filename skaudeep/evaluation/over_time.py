"""Evaluation of predictions for frames, by agreement with labels that change over time."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.base import clone, is_classifier
from sklearn.utils import check_random_state

from skaudeep._base import fit_with_groups, learning_tags, num_samples
from skaudeep._model_inputs import check_hop
from skaudeep._padding import pad
from skaudeep._progress import Progress
from skaudeep._texts import printable, shown
from skaudeep._warnings import find_stack_level
from skaudeep.datasets.bunch import check_bunch
from skaudeep.datasets.groups import group_numbers
from skaudeep.datasets.operations import take
from skaudeep.evaluation.folds import check_folds
from skaudeep.evaluation.intervals import check_confidence_level
from skaudeep.evaluation.over_time_results import (
    MEASURES,
    PIPELINE,
    OverTimeEvaluation,
    Values,
)
from skaudeep.evaluation.resampling import Scale, interval_by_spread
from skaudeep.evaluation.sharing import run_fixed_steps, run_reservoirs

__all__ = ["OverTimeEvaluation", "evaluate_over_time"]

UNTRAINED = "untrained network"
BANDS = "bands of each frame"
MEAN = "mean of training"
TINY = 1e-12  # values whose variance is below this share of the mean square are constant


def evaluate_over_time(
    pipeline: Any,
    bunch: Mapping[str, Any],
    targets: Any,
    *,
    target_names: Sequence[str] | None = None,
    cv: Any = None,
    controls: bool = True,
    n_resamples: int = 999,
    confidence_level: float = 0.95,
    random_state: Any = 0,
    progress: bool = True,
) -> OverTimeEvaluation:
    """Cross-validate a pipeline on labels that change over time, with controls.

    Controls are simpler models that are scored in the same folds, so that the score of the pipeline
    can be compared with theirs.

    Parameters
    ----------
    pipeline : Pipeline or estimator
        A pipeline that ends in a :class:`~skaudeep.PerFrame`, or a search around such a pipeline,
        which predicts numbers for each frame. A clone of it is fitted in each fold. If its `fit`
        has a parameter `groups`, it receives the groups of the training recordings.
    bunch : Bunch
        Data set with ``data`` and, if known, ``groups`` (speakers, sessions), ``filenames``, and
        ``folds``, ``cv`` or ``partition``.
    targets : array-like of shape (n_recordings, n_frames) or (n_recordings, n_frames, n_targets), \
            or list of n_recordings arrays
        Labels at the times of the frames, as :func:`~skaudeep.datasets.frame_targets` returns them;
        NaN if a frame has no label. A data frame has a row for each recording. They are not
        corrected for the delay of the labels, which `PerFrame` does. Recordings without any label
        are neither training nor test recordings.
    target_names : sequence of str, default=None
        Names of the targets, all different. None calls them "target 0", "target 1" and so on.
    cv : int, {"devel", "test"}, splitter, iterable of (train, test) or None, default=None
        The folds, see :func:`~skaudeep.evaluate`. None uses the folds or partitions of the bunch.
        An int is a number of folds of whole groups, or of recordings if no recording has a group.
    controls : bool, default=True
        Whether to run these controls in the same folds:

        - "untrained network", if a step is a network that is trained: the same network without its
          training,
        - "bands of each frame", if a step reads spectrograms: the spectrogram itself takes the
          place of the network,
        - "mean of training", which predicts the mean of the training targets. Its CCC is 0, as it
          is in each fold; its correlations are NaN.
    n_resamples : int >= 2, default=999
        Number of bootstrap samples.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals.
    random_state : int, RandomState instance or None, default=0
        Seed or generator of folds and bootstrap samples.
    progress : bool, default=True
        Whether to show the progress on stderr.

    Returns
    -------
    OverTimeEvaluation
        The figures. ``print`` shows them as a table.

    Raises
    ------
    ValueError
        If the pipeline predicts classes, targets are not numbers, a target is infinite or all are
        NaN, `target_names` are not all different, the number of targets is not that of the
        recordings or of `target_names`, a parameter is out of its range, there are no folds, or a
        labelled frame has no prediction. The message names the recording.

    Warns
    -----
    UserWarning
        If a control fails, for example because a search varies parameters of the network that the
        control leaves out.

    See Also
    --------
    skaudeep.PerFrame : Fits regressors to frames, with the delay of labels.

    Notes
    -----
    Pooled measures are computed from all labelled frames of all tested recordings together. Frames
    of a recording are not independent, so that intervals are over whole recordings, or over groups
    if they are known; with a single group they are NaN. As in `RegressionEvaluation`, intervals
    come from the spread over bootstrap samples, on Fisher's scale or a logarithmic one, with
    Student's quantile. In simulations with 4, 8 and 20 recordings, the interval of a pooled CCC
    with a nominal level of 95 % contained the true CCC in 87 to 91 % of the trials, and percentiles
    of the same samples in 63 to 89 %. In bootstrap samples, Spearman's coefficient keeps the ranks
    of all frames. The mean over recordings leaves out recordings for which a measure is not
    defined, such as the correlation with a label that never changes.

    If several folds test a recording, their predictions are averaged.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudeep import PerFrame, ReservoirFeatures, SpectrogramExtractor
    >>> from skaudeep.datasets import frame_targets, make_labelled_recordings
    >>> from skaudeep.evaluation import evaluate_over_time
    >>> recordings = make_labelled_recordings(6, duration=15.0, random_state=0)
    >>> extractor = SpectrogramExtractor(
    ...     hop_duration=0.05, n_mels=20, reference="full_scale", sampling_rate=8000)
    >>> spectrograms = extractor.transform(recordings.data)
    >>> targets = frame_targets(recordings.labels, extractor.frame_times(spectrograms))
    >>> model = make_pipeline(
    ...     ReservoirFeatures(16, representation="components", random_state=0),
    ...     PerFrame(Ridge(), delay=2.0, hop_duration=0.05))
    >>> data_set = {"data": spectrograms, "filenames": recordings.filenames}
    >>> evaluate_over_time(model, data_set, targets, target_names=["loudness", "pitch"], cv=3,
    ...                    controls=False, progress=False)
    OverTimeEvaluation(n_recordings=6, CCC={loudness: 0..., pitch: 0...})
    """
    check_confidence_level(confidence_level)
    if not isinstance(n_resamples, Integral) or n_resamples < 2:
        raise ValueError(f"Got n_resamples={n_resamples!r}, expected an integer of at least 2.")
    data_set = check_bunch(bunch, required=("data",))
    n = num_samples(data_set["data"])
    names = data_set.get("filenames")
    names = [f"recording {i}" for i in range(n)] if names is None else [str(name) for name in names]
    if is_classifier(pipeline):
        raise ValueError(
            f"Got a {type(pipeline).__name__} that predicts classes, expected numbers for each "
            "frame: agreement over time is of numbers. End it in PerFrame(Ridge(), ...)."
        )
    check_hop(pipeline)
    truth = _read_targets(targets, names)
    if target_names is None:
        target_names = [f"target {j}" for j in range(truth.shape[2])]
    if len(target_names) != truth.shape[2]:
        raise ValueError(
            f"Got {len(target_names)} target_names for {truth.shape[2]} targets, expected a name "
            "for each."
        )
    if len(set(target_names)) < len(target_names):
        raise ValueError(
            f"Got target_names={list(target_names)}, expected names that differ, as they tell "
            "the scores of targets apart."
        )
    rng = check_random_state(random_state)
    labelled = ~np.isnan(truth).all(axis=(1, 2))
    groups = None if data_set.get("groups") is None else group_numbers(data_set["groups"])
    folds = check_folds(data_set, np.where(labelled, 0, -1), cv, rng)
    with Progress(show=progress) as line:
        steps, data = run_fixed_steps(pipeline, data_set["data"], keep_controls=controls)
        options = (data, truth, folds, groups, names, line)
        predictions = {PIPELINE: _predict(steps, *options, PIPELINE)}
        for name, model in (_controls(steps) if controls else {}).items():
            try:
                predictions[name] = _predict(model, *options, name)
            except Exception as error:
                # The pipeline may have taken hours, and its result is valid without the control.
                warnings.warn(
                    f"The control {name!r} is left out, as it failed: {type(error).__name__}: "
                    f"{printable(error)} The result of the pipeline itself does not depend on it; "
                    "pass controls=False to run none.",
                    stacklevel=find_stack_level(),
                )
    if controls:
        predictions[MEAN] = _predict_mean(truth, folds)
    tested = np.unique(np.concatenate([test for _, test in folds]))
    units = np.arange(n) if groups is None else groups
    units = np.unique(units[tested], return_inverse=True)[1]
    drawn = rng.multinomial(units.max() + 1, np.full(units.max() + 1, 1 / (units.max() + 1)),
                            size=n_resamples)  # fmt: skip
    rows: list[dict[str, Any]] = []
    figures: list[dict[str, Any]] = []
    for j, target in enumerate(target_names):
        for name, predicted in predictions.items():
            pairs = [_pair(truth[i, :, j], predicted[i, :, j]) for i in tested]
            measured = MEASURES
            if name == MEAN:  # constant in each fold; its order tells the folds apart, no frames
                measured = {key: MEASURES[key] for key in ("CCC", "RMSE")}
            of_recording = pd.DataFrame(
                [
                    {m: f(*pair) if len(pair[0]) else np.nan for m, f in measured.items()}
                    for pair in pairs
                ]
            ).reindex(columns=list(MEASURES))
            where = {"model": name, "target": target}
            rows += [
                where
                | {"recording": names[i], "group": _group(data_set, i), "n_frames": len(pair[0])}
                | values
                for i, pair, values in zip(
                    tested, pairs, of_recording.to_dict("records"), strict=True
                )
            ]
            found = _figures(
                where, pairs, of_recording, list(measured), units, drawn, confidence_level
            )
            if name == MEAN:
                ends = ("pooled", "pooled_low", "pooled_high")
                found[0] |= {end: 0.0 for end in ends if not np.isnan(found[0][end])}  # CCC
            figures += found
    return OverTimeEvaluation(
        pd.DataFrame(figures),
        pd.DataFrame(rows),
        predictions[PIPELINE],
        len(folds),
        confidence_level,
        "recording" if groups is None else "group",
    )


def _group(data_set: Mapping[str, Any], recording: int) -> str:
    groups = data_set.get("groups")
    return "" if groups is None else str(groups[recording])


def _read_targets(targets: Any, names: list[str]) -> Values:
    """Return the targets as (n_recordings, n_frames, n_targets)."""
    if num_samples(targets) != len(names):
        raise ValueError(
            f"Got targets of {num_samples(targets)} recordings for {len(names)}, expected as many."
        )
    if hasattr(targets, "columns"):  # a DataFrame has a row for each recording
        targets = targets.to_numpy()
    if not isinstance(targets, np.ndarray):
        of_each = [np.asarray(values) for values in targets]
        if len({values.shape[1:] for values in of_each}) > 1:
            raise ValueError(
                f"Got targets of shapes {[values.shape for values in of_each[:5]]}, expected as "
                "many for a frame of each recording."
            )
        targets = pad(of_each, dtype=np.result_type(np.float64, *of_each))
    if targets.dtype.kind not in "fiu" or targets.ndim not in (2, 3):
        raise ValueError(
            f"Got targets of shape {targets.shape} and type {targets.dtype}, expected numbers for "
            "each frame: (n_recordings, n_frames) or (n_recordings, n_frames, n_targets)."
        )
    values = targets.astype(np.float64)
    values = values[..., None] if values.ndim == 2 else values
    wrong = np.isinf(values).any(axis=(1, 2))
    if wrong.any():
        raise ValueError(f"Got an infinite target in {shown(names[int(np.argmax(wrong))])}.")
    if np.isnan(values).all():
        raise ValueError("Got targets that are all NaN, expected labelled frames.")
    return values


def _controls(pipeline: Any) -> dict[str, Any]:
    """Return variants of a pipeline: without training, and without the network."""
    params = pipeline.get_params(deep=True)
    tags = {name: learning_tags(value) for name, value in params.items()}
    untrained = {
        f"{name}__{parameter}": value
        for name, of_step in tags.items()
        for parameter, value in (of_step.untrained or {}).items()
    }
    readers = [name for name, of_step in tags.items() if of_step.reads_spectrograms]
    outer = [n for n in readers if not any(n.startswith(f"{other}__") for other in readers)]
    controls = {}
    if untrained:
        controls[UNTRAINED] = clone(pipeline).set_params(**untrained)
    if outer:
        controls[BANDS] = clone(pipeline).set_params(**dict.fromkeys(outer, "passthrough"))
    return controls


def _predict(
    model: Any,
    data: Any,
    truth: Values,
    folds: Iterable[tuple[NDArray[np.intp], NDArray[np.intp]]],
    groups: NDArray[np.intp] | None,
    names: list[str],
    line: Progress,
    which: str,
) -> Values:
    """Return the mean prediction of each frame over the folds that test it."""
    total, count = np.zeros_like(truth), np.zeros(len(truth))
    model, data = run_reservoirs(model, data, line)
    folds = list(folds)
    line.begin(f"Folds, {which}", len(folds))
    one = truth.shape[2] == 1
    for train, test in folds:
        y = truth[train, :, 0] if one else truth[train]
        of_train = None if groups is None else groups[train]
        fitted = fit_with_groups(clone(model), take(data, train), y, of_train)
        predicted = np.asarray(fitted.predict(take(data, test)), dtype=np.float64)
        predicted = predicted[..., None] if predicted.ndim == 2 else predicted
        if predicted.ndim != 3 or predicted.shape[::2] != (len(test), truth.shape[2]):
            raise ValueError(
                f"Got predictions of shape {predicted.shape} for {len(test)} recordings and "
                f"{truth.shape[2]} targets, expected numbers for each frame. End the pipeline in "
                "PerFrame."
            )
        n_frames = min(predicted.shape[1], truth.shape[1])
        whole = np.full((len(test), *truth.shape[1:]), np.nan)
        whole[:, :n_frames] = predicted[:, :n_frames]
        missing = ~np.isnan(truth[test]) & np.isnan(whole)
        if missing.any():
            row, frame, _ = np.argwhere(missing)[0]
            raise ValueError(
                f"Got a target at frame {frame} of {shown(names[test[row]])}, which has no "
                "prediction there, expected labels within the recording. Look whether targets and "
                "features have the same times of frames."
            )
        total[test] += whole
        count[test] += 1
        line.advance()
    with np.errstate(invalid="ignore"):
        return total / count[:, None, None]


def _predict_mean(
    truth: Values, folds: Iterable[tuple[NDArray[np.intp], NDArray[np.intp]]]
) -> Values:
    total, count = np.zeros_like(truth), np.zeros(len(truth))
    for train, test in folds:
        total[test] += np.nanmean(truth[train], axis=(0, 1))
        count[test] += 1
    with np.errstate(invalid="ignore"):
        return total / count[:, None, None]


def _pair(truth: Values, predicted: Values) -> tuple[Values, Values]:
    known = ~np.isnan(truth)
    return truth[known], predicted[known]


def _figures(
    where: dict[str, Any],
    pairs: list[tuple[Values, Values]],
    of_recording: pd.DataFrame,
    measured: list[str],
    units: NDArray[np.intp],
    drawn: NDArray[np.int64],
    confidence_level: float,
) -> list[dict[str, Any]]:
    """Return each measure, pooled and as the mean over recordings, with intervals over units."""
    x, y = (np.concatenate(values) for values in zip(*pairs, strict=True))
    of_frame = np.repeat(units, [len(pair[0]) for pair in pairs])
    resampled = _resampled(x, y, of_frame, drawn) if len(x) else {}
    figures = []
    for measure in MEASURES:
        row = where | {"measure": measure}
        known = measure in measured and len(x) > 0
        row["pooled"] = MEASURES[measure](x, y) if known else np.nan
        samples = resampled[measure] if known else np.full(len(drawn), np.nan)
        scale: Scale = "size" if measure == "RMSE" else "correlation"
        options: Any = {"n_units": drawn.shape[1], "confidence_level": confidence_level}
        row["pooled_low"], row["pooled_high"] = interval_by_spread(
            row["pooled"], samples, scale=scale, **options
        )
        values = of_recording[measure].to_numpy(dtype=np.float64)
        there = ~np.isnan(values)
        row["recording"] = float(values[there].mean()) if there.any() else np.nan
        sums = np.zeros((drawn.shape[1], 2))
        np.add.at(sums, units[there], np.column_stack([values[there], np.ones(there.sum())]))
        total, count = (drawn @ sums).T
        means = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
        row["recording_low"], row["recording_high"] = interval_by_spread(
            row["recording"], means, scale=scale, **options
        )
        figures.append(row)
    return figures


def _resampled(
    x: Values, y: Values, unit: NDArray[np.intp], drawn: NDArray[np.int64]
) -> dict[str, Values]:
    """Compute the pooled measures of bootstrap samples of units, from sums over each unit."""
    n_units = drawn.shape[1]

    def moments(a: Values, b: Values) -> tuple[Values, ...]:
        """Weighted means, variances and covariance of each sample."""
        a, b = a - a.mean(), b - b.mean()
        parts = (np.ones(len(a)), a, b, a * a, b * b, a * b)
        sums = np.column_stack([np.bincount(unit, part, minlength=n_units) for part in parts])
        n, *totals = (drawn @ sums).T
        with np.errstate(invalid="ignore", divide="ignore"):
            mean_a, mean_b, aa, bb, ab = (total / n for total in totals)
        var_a, var_b = aa - mean_a**2, bb - mean_b**2
        var_a, var_b = np.where(var_a > TINY * aa, var_a, 0), np.where(var_b > TINY * bb, var_b, 0)
        return mean_a, mean_b, var_a, var_b, ab - mean_a * mean_b

    mean_x, mean_y, var_x, var_y, covariance = moments(x, y)
    shift = mean_x + x.mean() - mean_y - y.mean()
    squares = var_x + var_y + shift**2
    _, _, *of_ranks = moments(rankdata(x), rankdata(y))

    def correlation(var_a: Values, var_b: Values, cov: Values) -> Values:
        root = np.sqrt(var_a * var_b)
        return np.divide(cov, root, out=np.full(len(cov), np.nan), where=root > 0)

    shared = np.where((var_x > 0) & (var_y > 0), 2 * covariance, 0)
    ccc = np.divide(shared, squares, out=np.full(len(squares), np.nan), where=squares > 0)
    return {
        "CCC": ccc,
        "Pearson": correlation(var_x, var_y, covariance),
        "Spearman": correlation(*of_ranks),
        "RMSE": np.sqrt(np.maximum(squares - 2 * covariance, 0)),
    }
