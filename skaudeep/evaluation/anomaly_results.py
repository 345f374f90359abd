"""Results of an evaluation of anomaly detectors: figures, their intervals, alarms and errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skaudeep._texts import shown
from skaudeep.evaluation.ranking import wrong_shares
from skaudeep.evaluation.tables import align, as_html, percent

__all__ = ["KEYS", "AnomalyEvaluation"]

KEYS = ("machine", "section", "domain")


@dataclass(frozen=True, repr=False, eq=False)
class AnomalyEvaluation:
    """Result of `evaluate_anomalies` or `anomaly_metrics`. ``print`` shows it as a table.

    AUC is the area under the ROC curve of the scores, and pAUC its part up to a false positive rate
    of ``max_fpr``, standardised so that 0.5 is chance level.

    Parameters
    ----------
    figures : pandas.DataFrame
        A row for each figure, see `to_frame`.
    clips : pandas.DataFrame
        A row for each test clip, with the columns ``filename`` (if known), ``machine``,
        ``section``, ``domain`` ("" if they are not given), ``anomaly`` (bool), ``score`` (higher is
        more usual) and, if the detector has a threshold, ``alarm`` (bool).
    harmonic_mean : float
        Harmonic mean of all AUC and pAUC in ``figures``: DCASE's official score since 2021.
    harmonic_mean_interval : (float, float)
        Confidence interval of ``harmonic_mean``, in which machines and sections are fixed.
    max_fpr : float
        Largest false positive rate of pAUC.
    confidence_level : float
        Confidence level of the intervals.
    unit : {"clip", "group"}
        The units that were resampled for the intervals: "group" if a group is known. In a section
        whose clips are all of one group, clips are resampled.

    Examples
    --------
    >>> from skaudeep.evaluation import anomaly_metrics
    >>> found = anomaly_metrics([4.0, 3.0, 2.0, 1.0], [False, False, False, True],
    ...                         alarm=[False, False, False, True])
    >>> found.to_frame()[["metric", "value", "n_normal", "n_anomalies"]]
      metric  value  n_normal  n_anomalies
    0    AUC    1.0         3            1
    1   pAUC    1.0         3            1
    >>> found.interval("AUC") == found.interval("AUC", machine="")
    True
    >>> found.alarms()[["false_alarms", "found"]]
       false_alarms  found
    0           0.0    1.0
    """

    figures: pd.DataFrame
    clips: pd.DataFrame
    harmonic_mean: float
    harmonic_mean_interval: tuple[float, float]
    max_fpr: float
    confidence_level: float
    unit: str

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each figure.

        Returns
        -------
        pandas.DataFrame
            A table with the columns ``machine``, ``section`` and ``domain`` ("" if there are none,
            and for pAUC, which is over all domains), ``metric`` ("AUC" or "pAUC"), ``value``,
            ``low`` and ``high`` (its interval), ``n_normal`` and ``n_anomalies`` (numbers of
            clips that the figure compares: the normal clips of the domain, or of all domains for
            pAUC, and the anomalies of the section).
        """
        return self.figures.copy()

    def alarms(self) -> pd.DataFrame:
        """Return the shares of test clips that the threshold of the detector calls unusual.

        Returns
        -------
        pandas.DataFrame
            A row for each machine, section and domain, with the columns ``machine``, ``section``,
            ``domain``, ``false_alarms`` and ``found``. ``false_alarms`` is the share of the normal
            clips of this domain that are called unusual, and ``found`` is that share of the
            anomalies of this domain. They are NaN if there are no such clips.

        Raises
        ------
        ValueError
            If the detector has no threshold: ``clips`` has no column ``alarm``.
        """
        if "alarm" not in self.clips:
            raise ValueError(
                "Got scores without decisions, expected those of a detector with a threshold: "
                "evaluate an AnomalyDetector."
            )
        rows = []
        for names, part in self.clips.groupby(list(KEYS), sort=False):
            shares = part.groupby("anomaly")["alarm"].mean()
            rows.append((*names, shares.get(False, np.nan), shares.get(True, np.nan)))
        return pd.DataFrame(rows, columns=[*KEYS, "false_alarms", "found"])

    def interval(
        self,
        metric: str = "harmonic_mean",
        *,
        machine: str | None = None,
        section: str | None = None,
        domain: str | None = None,
    ) -> tuple[float, float]:
        """Return the confidence interval of a figure.

        Parameters
        ----------
        metric : {"harmonic_mean", "AUC", "pAUC"}, default="harmonic_mean"
            The figure. "harmonic_mean" is that of all AUC and pAUC.
        machine, section, domain : str, default=None
            Which AUC or pAUC, by the columns of `to_frame`. They are needed where it has several.

        Returns
        -------
        (float, float)
            Lower and upper end.

        Raises
        ------
        ValueError
            If there is no such figure, or there are several.
        """
        keys = {"machine": machine, "section": section, "domain": domain}
        given = {key: value for key, value in keys.items() if value is not None}
        if metric == "harmonic_mean" and not given:
            return self.harmonic_mean_interval
        if metric not in ("AUC", "pAUC"):
            raise ValueError(
                f"Got metric={metric!r}; choose 'harmonic_mean' (of all machines), 'AUC', 'pAUC'."
            )
        chosen = self.figures[self.figures["metric"] == metric]
        for key, value in given.items():
            chosen = chosen[chosen[key] == value]
        if len(chosen) != 1:
            raise ValueError(
                f"Got {metric} of {given or 'no machine, section or domain'}, of which there are "
                f"{len(chosen)}, expected one. Give machine, section and domain as in to_frame()."
            )
        return float(chosen["low"].iloc[0]), float(chosen["high"].iloc[0])

    def errors(self) -> pd.DataFrame:
        """Return a table of the clips that the detector takes for what they are not.

        Returns
        -------
        pandas.DataFrame
            The rows of ``clips`` that are wrong by the threshold of the detector. Without a
            threshold these are the clips that are ranked wrongly relative to more than half of the
            clips of the other kind. Anomalies have the ``kind`` "missed", normal clips "false
            alarm". ``share`` is the share of the clips of the other kind, in the same machine and
            section, that are ranked wrongly relative to this one; equal scores count as one half.
            The largest come first. The other columns are those of ``clips``.

        Examples
        --------
        >>> from skaudeep.evaluation import anomaly_metrics
        >>> found = anomaly_metrics([5.0, 1.0, 2.0, 4.0, 0.0], [False, False, False, True, True])
        >>> found.errors()[["score", "kind", "share"]]
           score    kind     share
        3    4.0  missed  0.666667
        """
        clips = self.clips
        share = pd.Series(0.0, index=clips.index)
        for _, part in clips.groupby(["machine", "section"], sort=False):
            share[part.index] = wrong_shares(-part["score"], part["anomaly"].to_numpy())
        wrong = share > 0.5
        if "alarm" in clips:
            wrong = clips["alarm"] != clips["anomaly"]
        kind = np.where(clips["anomaly"], "missed", "false alarm")
        table = clips.assign(kind=kind, share=share)[wrong]
        return table.sort_values("share", ascending=False, kind="stable")

    def _repr_html_(self) -> str:
        return as_html(self)

    def __repr__(self) -> str:
        n_machines = self.clips["machine"].nunique()
        return (
            f"AnomalyEvaluation(n_machines={n_machines}, n_clips={len(self.clips)}, "
            f"harmonic_mean={self.harmonic_mean:.3f})"
        )

    def __str__(self) -> str:
        n_anomalies = int(self.clips["anomaly"].sum())
        rows = [("", "AUC %", "pAUC %")]
        for names, part in self.figures.groupby(["machine", "section"], sort=False):
            partial = part[part["metric"] == "pAUC"].iloc[0]
            for i, row in enumerate(part[part["metric"] == "AUC"].itertuples()):
                name = " ".join(shown(name) for name in (*names, row.domain) if name)
                last = percent(partial["value"], (partial["low"], partial["high"]))
                interval = (row.low, row.high)
                rows.append((name or "all", percent(row.value, interval), last * (not i)))
        rows.append(("harmonic mean", percent(self.harmonic_mean, self.harmonic_mean_interval), ""))
        head = f"{len(self.clips)} clips tested, {n_anomalies} of them anomalies"
        if "alarm" in self.clips:
            of_kind = self.clips.groupby("anomaly")["alarm"].mean()
            head += f"; {of_kind[False]:.1%} false alarms, {of_kind[True]:.1%} found"
        level = f"[ ]: {100 * self.confidence_level:g} % interval over {self.unit}s"
        return "\n".join(
            [head, *align(rows), f"{level}; pAUC to a false positive rate of {self.max_fpr:g}"]
        )
