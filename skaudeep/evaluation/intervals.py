"""Intervals and p-values of weighted means over clips or groups: plain functions over arrays."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import norm, t

__all__ = [
    "blocks",
    "bootstrap_interval",
    "check_confidence_level",
    "expanded_interval",
    "score_interval",
    "sign_flip_p_value",
    "wilson_interval",
]

ROUNDING = 1e-9  # Sums of shares that differ by less are equal.
MAX_ENTRIES = 4_000_000  # 32 MB of resamples at a time.
MAX_UNITS_EXACT = 13  # Up to 2**13 = 8192 sign flips are counted, more are sampled.


def check_confidence_level(confidence_level: float) -> None:
    """Raise ValueError unless confidence_level lies between 0 and 1."""
    if not 0 < confidence_level < 1:
        raise ValueError(
            f"Got confidence_level={confidence_level!r}, expected a number between 0 and 1 such as "
            "0.95."
        )


def score_interval(
    correct: np.ndarray,
    weight: np.ndarray,
    stratum: np.ndarray,
    units: np.ndarray | None,
    confidence_level: float,
) -> tuple[float, float]:
    """Return the Wilson interval of a weighted mean of hits; see the notes of Evaluation."""
    stratum = np.unique(stratum, return_inverse=True)[1]
    share, hits, squares = (
        np.bincount(stratum, values) for values in (weight, weight * correct, weight**2)
    )
    n_clips = share**2 / squares  # Kish's effective number of clips in each stratum
    rate = (n_clips * hits / share + 1) / (n_clips + 2)
    variance = squares @ (rate * (1 - rate))
    mean = share @ rate
    score, n = float(weight @ correct), float(mean * (1 - mean) / variance)
    quantile = float(norm.ppf((1 + confidence_level) / 2))
    if units is not None:
        residual = weight * (correct - (hits / share)[stratum])
        of_group = np.bincount(units, residual)
        n_groups = len(of_group)
        between = float(n_groups / (n_groups - 1) * of_group @ of_group)
        if np.abs(residual).max() < ROUNDING:
            # The variance between groups is unknown: the clips of a group count as a single clip.
            shares = np.bincount(units, weight)
            n *= float(weight @ weight / (shares @ shares))
        elif between > ROUNDING:
            n = min(n, score * (1 - score) / between)
        quantile = float(t.ppf((1 + confidence_level) / 2, n_groups - 1))
    return wilson_interval(score, n, quantile)


def wilson_interval(score: float, n: float, z: float) -> tuple[float, float]:
    """Return Wilson's interval of a share of n, for a quantile z of the normal distribution."""
    centre = (score + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(score * (1 - score) / n + z**2 / (4 * n**2))
    return float(max(centre - half, 0)), float(min(centre + half, 1))


def bootstrap_interval(
    gain: np.ndarray,
    weight: np.ndarray,
    stratum: np.ndarray,
    units: np.ndarray | None,
    *,
    n_resamples: int,
    confidence_level: float,
    rng: np.random.RandomState,
) -> tuple[float, float]:
    """Return the expanded percentile interval of a weighted mean gain; see the notes of compare."""
    stratum = np.unique(stratum, return_inverse=True)[1]
    if units is None:
        # Clips with the same class, weight and gain are drawn together, with the same result.
        kinds, n_of_kind = np.unique(
            np.column_stack([stratum, weight, gain]).round(12), axis=0, return_counts=True
        )
        stratum, (weight, gain) = kinds[:, 0].astype(np.intp), kinds[:, 1:].T
        units = np.arange(len(kinds))
    else:
        n_of_kind = np.ones(units.max() + 1)
    n_units = int(n_of_kind.sum())
    if n_units == 1:
        return -1.0, 1.0  # a single unit tells nothing about others
    gains, weights = np.zeros((2, len(n_of_kind), stratum.max() + 1))
    np.add.at(gains, (units, stratum), weight * gain)
    np.add.at(weights, (units, stratum), weight)
    share = n_of_kind @ weights
    resampled = []
    for size in blocks(n_resamples, len(n_of_kind)):
        drawn = rng.multinomial(n_units, n_of_kind / n_units, size=size).astype(np.float64)
        gain, weight = drawn @ gains, drawn @ weights
        # A class that is not drawn is left out, as in the UAR itself.
        of_class = np.divide(gain, weight, out=np.zeros_like(gain), where=weight > 0)
        resampled.append(of_class @ share / ((weight > 0) @ share))
    return expanded_interval(np.concatenate(resampled), n_units, confidence_level)


def expanded_interval(
    resampled: np.ndarray, n_units: int, confidence_level: float
) -> tuple[float, float]:
    """Return percentiles, expanded by Student's distribution for the number of units."""
    quantile = t.ppf((1 + confidence_level) / 2, n_units - 1)
    tail = norm.cdf(-quantile * np.sqrt(n_units / (n_units - 1)))
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return float(low), float(high)


def sign_flip_p_value(parts: np.ndarray, n_resamples: int, rng: np.random.RandomState) -> float:
    """Return the share of sign flips of parts whose sum is at least as large as that of parts."""
    # Parts of equal size are flipped together, with the same result.
    sizes, n_of_size = np.unique(np.abs(parts).round(12), return_counts=True)
    sizes, n_of_size = sizes[sizes > 0], n_of_size[sizes > 0]
    least = abs(parts.sum()) - ROUNDING
    if n_of_size.sum() <= MAX_UNITS_EXACT:
        sums = np.zeros(1)
        for size in np.repeat(sizes, n_of_size):
            sums = np.concatenate([sums - size, sums + size])
        return float((np.abs(sums) >= least).mean())
    n_as_large = 1
    for size in blocks(n_resamples, len(sizes)):
        flipped = rng.binomial(n_of_size, 0.5, size=(size, len(sizes)))
        n_as_large += int((np.abs((2.0 * flipped - n_of_size) @ sizes) >= least).sum())
    return n_as_large / (1 + n_resamples)


def blocks(n_resamples: int, width: int) -> Iterator[int]:
    """Divide resamples of some width into blocks that fit into memory."""
    block = max(MAX_ENTRIES // width, 1)
    for start in range(0, n_resamples, block):
        yield min(block, n_resamples - start)
