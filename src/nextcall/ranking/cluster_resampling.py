"""Draws of whole clusters, and of the signs of their sums."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

_BLOCK: Final = 1 << 20  # draws that are held at once

Floats = NDArray[np.float64]


def bootstrap_interval(
    values: Floats,
    cluster: NDArray[np.intp],
    *,
    rng: np.random.Generator,
    resamples: int,
    level: float,
) -> tuple[float, float]:
    """Give the interval of a mean over all values, whole clusters drawn again.

    Parameters
    ----------
    values : array of shape (n,)
    cluster : array of shape (n,)
        Number of each value's cluster, from 0; at least two.
    resamples : int
        Draws.
    level : float
        Share of intervals that hold the true mean.
    """
    sums, counts = _sums(values, cluster), _sums(np.ones(len(values)), cluster)
    n_clusters = len(sums)
    alone = bool((counts == counts[0]).all())  # then the divisor is the same in every draw
    means = np.empty(resamples)
    for part in _blocks(resamples, width=n_clusters):
        draws = rng.integers(n_clusters, size=(part.stop - part.start, n_clusters), dtype=np.int32)
        divisor = len(values) if alone else counts[draws].sum(axis=1)
        means[part] = sums[draws].sum(axis=1) / divisor
    quantile = stats.t.ppf((1 - level) / 2, n_clusters - 1)
    tail = float(stats.norm.cdf(quantile * np.sqrt(n_clusters / (n_clusters - 1))))
    lower, upper = np.quantile(means, [tail, 1 - tail])
    return float(lower), float(upper)


def sign_flip_pvalue(
    differences: Floats,
    cluster: NDArray[np.intp],
    *,
    rng: np.random.Generator,
    resamples: int,
) -> float:
    """Give the chance of so large a mean where the sign of each cluster's sum is a coin's.

    Parameters
    ----------
    differences : array of shape (n,)
    cluster, resamples
        As in `bootstrap_interval`; all signs are tried where they are no more than `resamples`.
    """
    sums = _sums(differences, cluster)
    sums = sums[sums != 0]  # a cluster without a difference is the same under either sign
    total, width = sums.sum(), len(sums)
    # Sums that are equal on paper may differ in their last digits.
    observed = abs(total) - 1e-9 * np.abs(sums).sum()
    exact = width <= np.log2(resamples)
    n_signs = 2**width if exact else resamples
    extreme = 0
    for part in _blocks(n_signs, width=width):
        rows = part.stop - part.start
        flips: NDArray[np.integer]
        if exact:
            flips = np.arange(part.start, part.stop)[:, None] >> np.arange(width) & 1
        else:
            drawn = np.frombuffer(rng.bytes(rows * -(-width // 8)), dtype=np.uint8)
            flips = np.unpackbits(drawn.reshape(rows, -1), axis=1, count=width)
        extreme += int((np.abs(total - 2 * (flips @ sums)) >= observed).sum())
    return extreme / n_signs if exact else (extreme + 1) / (n_signs + 1)


def _sums(values: Floats, cluster: NDArray[np.intp]) -> Floats:
    return np.bincount(cluster, values).astype(np.float64)


def _blocks(length: int, *, width: int) -> Iterator[slice]:
    step = max(1, _BLOCK // max(1, width))
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))
