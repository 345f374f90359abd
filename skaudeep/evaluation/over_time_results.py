"""Results of an evaluation of predictions for frames: figures, their intervals, errors."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skaudeep._texts import printable
from skaudeep.evaluation.agreement import (
    concordance_correlation,
    pearson,
    root_mean_squared_error,
    spearman,
)

__all__ = ["MEASURES", "PIPELINE", "OverTimeEvaluation", "Values"]

Values = NDArray[np.float64]

MEASURES = {
    "CCC": concordance_correlation,
    "Pearson": pearson,
    "Spearman": spearman,
    "RMSE": root_mean_squared_error,
}
PIPELINE = "pipeline"


@dataclass(frozen=True, repr=False, eq=False)
class OverTimeEvaluation:
    """Result of `evaluate_over_time`. ``print`` shows it as a table.

    The measures are Lin's concordance correlation coefficient (CCC), Pearson's and Spearman's
    correlation, and the root of the mean squared error (RMSE, in the unit of the labels) of the
    predictions for frames.

    Parameters
    ----------
    figures : pandas.DataFrame
        A row for each model, target and measure, see `to_frame`.
    recordings : pandas.DataFrame
        A row for each model, target and tested recording, with the columns ``model``, ``target``,
        ``recording``, ``group`` ("" if groups are not known), ``n_frames`` (number of labelled
        frames), ``CCC``, ``Pearson``, ``Spearman`` and ``RMSE`` (NaN if they are not defined, or no
        frame is labelled).
    predictions : ndarray of shape (n_recordings, n_frames, n_targets)
        Predictions of the pipeline, also for frames without a label, at the frames of the targets.
        NaN for padding, and for recordings that were not tested.
    n_folds : int
        Number of folds.
    confidence_level : float
        Confidence level of the intervals.
    unit : {"recording", "group"}
        The units that were resampled for the intervals: "group" if a recording has a group.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from skaudeep import PerFrame
    >>> from skaudeep.evaluation import evaluate_over_time
    >>> features = np.random.default_rng(0).normal(size=(4, 50, 3))  # 4 recordings of 50 frames
    >>> found = evaluate_over_time(PerFrame(Ridge()), {"data": features}, features.sum(axis=2),
    ...                            target_names=["loudness"], cv=2, progress=False)
    >>> table = found.to_frame()
    >>> table[table["measure"] == "RMSE"][["model", "target", "pooled"]].round(2)
                  model    target  pooled
    3          pipeline  loudness    0.02
    7  mean of training  loudness    1.65
    >>> found.predictions.shape, len(found.recordings)
    ((4, 50, 1), 8)
    >>> low, high = found.interval("RMSE")
    >>> bool(low < 0.02 < high), found.errors()["recording"].nunique()
    (True, 4)
    """

    figures: pd.DataFrame
    recordings: pd.DataFrame
    predictions: Values
    n_folds: int
    confidence_level: float
    unit: str

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each model, target and measure.

        Returns
        -------
        pandas.DataFrame
            A table with the columns ``model`` ("pipeline", or the name of a control), ``target``,
            ``measure`` ("CCC", "Pearson", "Spearman" or "RMSE"), ``pooled`` (over all labelled
            frames of all tested recordings together) with its interval ``pooled_low`` and
            ``pooled_high``, and ``recording`` (the mean over recordings) with ``recording_low`` and
            ``recording_high``. A measure that is not defined is NaN, and so are the ends of an
            interval over a single recording or group.
        """
        return self.figures.copy()

    def interval(
        self, metric: str, name: str | None = None, *, mean_of: str = "frames"
    ) -> tuple[float, float]:
        """Return the confidence interval of a measure of the pipeline.

        Parameters
        ----------
        metric : {"CCC", "Pearson", "Spearman", "RMSE"}
            The measure.
        name : str, default=None
            Name of the target. It is needed if there are several.
        mean_of : {"frames", "recordings"}, default="frames"
            "frames": the measure over the labelled frames of all tested recordings together.
            "recordings": the mean of the measures of the recordings.

        Returns
        -------
        (float, float)
            Lower and upper end; NaN if the measure is not defined.

        Raises
        ------
        ValueError
            If there is no such measure or target, there are several targets and none is named, or
            `mean_of` is something else.
        """
        of_pipeline = self.figures[self.figures["model"] == PIPELINE]
        names = of_pipeline["target"].unique().tolist()
        for what, value, choices in (
            ("metric", metric, list(MEASURES)),
            ("mean_of", mean_of, ["frames", "recordings"]),
            ("name", names[0] if name is None and len(names) == 1 else name, names),
        ):
            if value not in choices:
                raise ValueError(f"Got {what}={value!r}; choose {', '.join(map(repr, choices))}.")
        chosen = of_pipeline["measure"] == metric
        if name is not None:
            chosen &= of_pipeline["target"] == name
        kind = "pooled" if mean_of == "frames" else "recording"
        row = of_pipeline[chosen].iloc[0]
        return float(row[f"{kind}_low"]), float(row[f"{kind}_high"])

    def errors(self) -> pd.DataFrame:
        """Return a table of the tested recordings, those with the largest errors first.

        Returns
        -------
        pandas.DataFrame
            The rows of ``recordings`` of the pipeline that have a label, without ``model``, sorted
            by RMSE. With several targets, each is in units of its mean RMSE over recordings.
        """
        rows = self.recordings[self.recordings["model"] == PIPELINE].drop(columns="model")
        rows = rows[rows["RMSE"].notna()]
        mean = rows.groupby("target")["RMSE"].transform("mean")
        order = np.argsort(-(rows["RMSE"] / mean.where(mean > 0, 1)).to_numpy(), kind="stable")
        return rows.iloc[order].reset_index(drop=True)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"

    def __repr__(self) -> str:
        chosen = self.figures[
            (self.figures["model"] == PIPELINE) & (self.figures["measure"] == "CCC")
        ]
        scores = ", ".join(
            f"{row.target}: {row.pooled:.3f}" for row in chosen.itertuples(index=False)
        )
        n_recordings = self.recordings["recording"].nunique()
        return f"OverTimeEvaluation(n_recordings={n_recordings}, CCC={{{scores}}})"

    def __str__(self) -> str:
        pipeline = self.recordings[self.recordings["model"] == PIPELINE]
        first = pipeline[pipeline["target"] == pipeline["target"].iloc[0]]
        head = ("", "CCC", "CCC of a recording", "Pearson", "Spearman", "RMSE")
        rows: list[tuple[str, ...]] = [head]
        for target, of_target in self.figures.groupby("target", sort=False):
            rows.append((printable(target), *[""] * 5))
            for model, part in of_target.groupby("model", sort=False):
                at = part.set_index("measure")
                rows.append(
                    (
                        f"  {model}",
                        _cell(at.loc["CCC"], "pooled"),
                        _cell(at.loc["CCC"], "recording"),
                        _cell(at.loc["Pearson"], "pooled", brief=True),
                        _cell(at.loc["Spearman"], "pooled", brief=True),
                        _cell(at.loc["RMSE"], "pooled"),
                    )
                )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        said = (
            f"{len(first)} recording{'s'[: len(first) != 1]} tested in {self.n_folds} "
            f"fold{'s'[: self.n_folds != 1]}, {first['n_frames'].sum()} frames with a label"
        )
        level = f"[ ]: {100 * self.confidence_level:g} % interval over {self.unit}s"
        return "\n".join([said, *table, level])


def _cell(row: Any, kind: str, *, brief: bool = False) -> str:
    value, low, high = row[kind], row[f"{kind}_low"], row[f"{kind}_high"]
    if np.isnan(value):
        return "-"
    return f"{value:.3f}" if brief or np.isnan(low) else f"{value:.3f} [{low:.3f}, {high:.3f}]"
