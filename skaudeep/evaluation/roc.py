"""Areas under ROC curves, also of bootstrap samples: plain functions over arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["partial_areas", "resample", "standardise", "undo_standardise"]


def resample(
    anomaly: NDArray[np.bool_],
    domain: NDArray[np.object_],
    units: NDArray[np.intp] | None,
    n_resamples: int,
    rng: np.random.RandomState,
) -> NDArray[np.float64]:
    """Return how often each clip was drawn, shape (n_resamples, n_clips)."""
    if units is not None:
        numbers = np.unique(units, return_inverse=True)[1]
        n_units = numbers.max() + 1
        drawn = rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=n_resamples)
        return drawn[:, numbers].astype(np.float64)
    weights = np.zeros((n_resamples, len(anomaly)))
    strata = [anomaly, *(~anomaly & (domain == d) for d in dict.fromkeys(domain.tolist()))]
    for stratum in strata:
        n = int(stratum.sum())
        weights[:, stratum] = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples)
    return weights


def partial_areas(
    unusual: NDArray[np.float64],
    anomaly: NDArray[np.bool_],
    weights: NDArray[np.float64],
    max_fpr: float,
) -> NDArray[np.float64]:
    """Return the weighted area under the ROC curve up to a false positive rate, as a share.

    It is NaN if all normal clips or all anomalies have the weight 0.
    """
    order = np.argsort(-unusual, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(unusual[order]) != 0, True))
    rates = []
    for kind in (~anomaly, anomaly):
        counts = np.cumsum(weights[:, order] * kind[order], axis=1)[:, ends]
        with np.errstate(invalid="ignore"):
            rate = counts / counts[:, -1:]
        rates.append(np.hstack([np.zeros((len(rate), 1)), rate]))
    false, true = rates
    begin, end = false[:, :-1], false[:, 1:]
    width = np.clip(np.minimum(end, max_fpr) - begin, 0, None)
    share = np.divide(width, end - begin, out=np.zeros_like(width), where=end > begin)
    height = true[:, :-1] + share * np.diff(true, axis=1) / 2  # middle of the trapezoid
    areas: NDArray[np.float64] = (width * height).sum(axis=1) / max_fpr
    return np.where(np.isnan(false).any(axis=1) | np.isnan(true).any(axis=1), np.nan, areas)


def standardise(share: Any, max_fpr: float) -> Any:
    """Return a partial area as McClish standardises it: 0.5 at chance, 1 at best."""
    return (1 + (share - max_fpr / 2) / (1 - max_fpr / 2)) / 2


def undo_standardise(standardised: Any, max_fpr: float) -> Any:
    """Undo `standardise`."""
    return (2 * standardised - 1) * (1 - max_fpr / 2) + max_fpr / 2
