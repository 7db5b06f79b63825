"""A tail of SPOT: the newest excesses over its begin, and the Pareto law fitted to them.

References
----------
Siffer, Fouque, Termier & Largouet (2017), KDD: peaks over a threshold in a stream. Hosking & Wallis
(1987), Technometrics 29(3): the fit by probability-weighted moments.
"""

from math import expm1, log, log10
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.ordered import put_in_order
from nextcall.anomaly.tails import (
    LARGEST_RATIO,
    LEAST_RATIO,
    NO_SHAPE,
    PRIOR_RATIO,
    PRIOR_WEIGHT,
    UNSEEN,
)
from nextcall.compiling import compiled

EXCESSES: Final = 200  # newest of a tail that carry its fit: those of 10,000 values
HIGHEST: Final = 300.0  # decades
LEAST_SCALE: Final = 1e-300

# Columns of a tail, from its first; the excesses as they came and the same in order follow.
BEGIN, SEEN, PEAKS, PLACE, KEPT, SHAPE, SCALE = range(7)
RING: Final = 7
ORDERED: Final = RING + EXCESSES
TAIL_WIDTH: Final = ORDERED + EXCESSES


@compiled()
def fit_tail(tail: NDArray[np.float64], floor: float) -> None:
    """Fit the generalised Pareto law to the excesses that are kept.

    The moments are drawn to those of a mildly heavy tail as by ten excesses more, and the scale is
    at least `floor`.
    """
    kept = int(tail[KEPT])
    mean = weighted = 0.0
    for place in range(kept):
        share = tail[ORDERED + place] / kept
        mean += share
        weighted += share * (kept - place - 0.5) / kept
    ratio = weighted / mean if mean > 0.0 else PRIOR_RATIO
    ratio = (ratio * kept + PRIOR_RATIO * PRIOR_WEIGHT) / (kept + PRIOR_WEIGHT)
    ratio = min(max(ratio, LEAST_RATIO), LARGEST_RATIO)
    tail[SHAPE] = 2.0 - 1.0 / (1.0 - 2.0 * ratio)
    tail[SCALE] = max(2.0 * mean * ratio / (1.0 - 2.0 * ratio), floor, LEAST_SCALE)


@compiled()
def learn_excess(tail: NDArray[np.float64], excess: float) -> None:
    """Remember an excess in the place of the oldest."""
    kept, place = int(tail[KEPT]), int(tail[PLACE])
    put_in_order(tail[ORDERED : ORDERED + EXCESSES], kept, tail[RING + place], excess)
    tail[RING + place] = excess
    tail[PLACE] = (place + 1) % EXCESSES
    tail[KEPT] = min(kept + 1, EXCESSES)
    tail[PEAKS] += 1.0


@compiled()
def tail_share(tail: NDArray[np.float64]) -> float:
    """Give the probability that a value lies in the tail."""
    share: float = (tail[PEAKS] + UNSEEN) / (tail[SEEN] + UNSEEN)
    return share


@compiled()
def tail_decades(tail: NDArray[np.float64], excess: float) -> float:
    """Give -log10 of the probability of an excess at least this large; `excess` is not negative."""
    scaled = excess / tail[SCALE]
    shape = tail[SHAPE]
    if abs(shape) < NO_SHAPE:
        log_survival = -scaled
    else:
        log_survival = -log(max(1.0 + shape * scaled, 1e-9)) / shape
    rarity: float = -log10(tail_share(tail)) - log_survival / log(10.0)
    return min(rarity, HIGHEST)


@compiled()
def tail_quantile(tail: NDArray[np.float64], probability: float) -> float:
    """Give the excess that is passed with a probability; 0 where the whole tail is no likelier."""
    rarity = log(tail_share(tail) / probability)
    if rarity <= 0.0:
        return 0.0
    shape = tail[SHAPE]
    if abs(shape) < NO_SHAPE:
        return float(tail[SCALE] * rarity)
    return float(tail[SCALE] * expm1(shape * rarity) / shape)
