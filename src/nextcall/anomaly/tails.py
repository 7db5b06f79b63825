"""How unusual a residual is among those before it: a tail probability that learns as it goes.

A history is a slice of `TAIL_WIDTH` float64. It counts residuals in bins that are a quarter of an
octave wide, so heavy tails and series that are mostly zero cost nothing. Within the counts the
probability is empirical; beyond the largest `TOP` it comes from a generalised Pareto distribution,
fitted by probability-weighted moments.

References
----------
Hosking & Wallis (1987), Technometrics 29(3): the moments. Siffer et al. (2017), KDD: such tails in
a stream.
"""

import math
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nextcall.compiling import compiled

Floats: TypeAlias = NDArray[np.float64]

BINS: Final = 32  # bins of a history
PER_OCTAVE: Final = 4.0  # 32 bins reach from the largest residual down to 1/256 of it
TOP: Final = 100.0  # residuals that carry the Pareto fit, or the largest tenth: 10 % error in rate
LEAST_TOP: Final = 10.0  # fewer than that carry no fit: the whole of the counts does
MEMORY: Final = 20_000.0  # rows after which counts are halved: enough to tell 1 in 10,000
PRIOR_WEIGHT: Final = 10.0  # residuals that the prior of the fit is worth
PRIOR_RATIO: Final = 0.22  # of the moments: shape 2 - 1 / (1 - 2 x 0.22) = 0.21, mildly heavy
LEAST_RATIO: Final = 0.05  # shape 0.89: heavier tails tell nothing apart
LARGEST_RATIO: Final = 0.29  # shape -0.38: a tail may end, but not at once
UNSEEN: Final = 0.1  # pseudo-count: nothing is rarer than once in ten histories
SMALLEST: Final = 1e-12  # smaller residuals are rounding, and count as zero
MOST_EXPONENT: Final = 1000.0  # of 2: there floats end
NARROW: Final = 1e-3  # of an octave: no reader of a band sees less
NO_SHAPE: Final = 1e-3  # a Pareto of such a shape is an exponential

ROWS: Final = 0  # residuals in the history
HIGHEST: Final = 1  # logarithmic bin of the largest residual; later bins go down from it
POSITIVE: Final = 2  # residuals above zero
COUNTS: Final = 3  # the first bin
TAIL_WIDTH: Final = COUNTS + BINS

_MOST_BINS: Final = PER_OCTAVE * 1100.0  # from 1: floats end at 1,024 octaves, or 1,074 below


def check_history(histories: Floats) -> None:
    """Refuse histories whose numbers would lead `learn` out of their bins.

    Parameters
    ----------
    histories : array of shape (n_histories, TAIL_WIDTH)
        As a file holds them.

    Raises
    ------
    ValueError
        Where a highest bin is that of no float, or a count is below 0.
    """
    highest, counts = histories[:, HIGHEST], np.delete(histories, HIGHEST, axis=1)
    if not ((np.abs(highest) <= _MOST_BINS).all() and (counts >= 0).all()):
        raise ValueError("a history of its states is none")


@compiled()
def pareto_decades(history: Floats, residual: float, last: int, held: float) -> float:
    """Tell -log10 of P(a residual is at least this large) from the Pareto fit.

    Parameters
    ----------
    history : array of shape (TAIL_WIDTH,)
        Not changed.
    residual : float
        Above the lower edge of bin `last`.
    last : int
        The lowest bin that carries the fit.
    held : float
        Residuals in the bins down to `last`.

    Returns
    -------
    float
        Decades.
    """
    highest = int(history[HIGHEST])
    threshold = 2.0 ** ((highest - last) / PER_OCTAVE)
    mean = 0.0
    weighted = 0.0
    above = 0.0
    for place in range(last + 1):
        count = history[COUNTS + place]
        if count > 0.0:
            lower = 2.0 ** ((highest - place) / PER_OCTAVE)
            width = 2.0 ** ((highest - place + 1) / PER_OCTAVE) - lower
            excess = 2.0 ** ((highest - place + 0.5) / PER_OCTAVE) - threshold
            mean += count * excess
            weighted += count * excess * (above + 0.5 * count)
            weighted -= count * count * width / 12.0  # within a bin too the larger come first
            above += count
    weighted /= held * held
    mean /= held
    ratio = (weighted / mean * held + PRIOR_RATIO * PRIOR_WEIGHT) / (held + PRIOR_WEIGHT)
    ratio = min(max(ratio, LEAST_RATIO), LARGEST_RATIO)
    shape = 2.0 - 1.0 / (1.0 - 2.0 * ratio)
    excess = (residual - threshold) * (1.0 - 2.0 * ratio) / (2.0 * mean * ratio)
    if abs(shape) < NO_SHAPE:
        log_share = -excess
    else:
        log_share = -math.log(max(1.0 + shape * excess, 1e-9)) / shape
    return -math.log10((held * math.exp(log_share) + UNSEEN) / (history[ROWS] + UNSEEN))


@compiled()
def decades(history: Floats, residual: float) -> float:
    """Tell how unusual a residual is: -log10 of P(a residual is at least this large).

    Parameters
    ----------
    history : array of shape (TAIL_WIDTH,)
        Not changed.
    residual : float
        Up to `SMALLEST` it is no news.

    Returns
    -------
    float
        At least 0; 0 where the history is empty.
    """
    rows = history[ROWS]
    if residual <= SMALLEST or rows < 1.0:
        return 0.0
    if history[POSITIVE] <= 0.0:
        return math.log10((rows + UNSEEN) / UNSEEN)
    logarithm = PER_OCTAVE * math.log2(residual)
    floor = math.floor(logarithm)
    depth = int(history[HIGHEST]) - floor
    wanted = min(0.1 * rows, TOP)
    held = 0.0
    last = BINS - 1
    for place in range(BINS):
        held += history[COUNTS + place]
        if held >= wanted and held >= LEAST_TOP:
            last = place
            break
    if depth <= last:
        return max(pareto_decades(history, residual, last, held), 0.0)
    if depth < BINS:
        larger = held
        for place in range(last + 1, depth):
            larger += history[COUNTS + place]
        larger += history[COUNTS + depth] * (1.0 - (logarithm - floor))
    else:
        larger = history[POSITIVE]
    return max(-math.log10((larger + UNSEEN) / (rows + UNSEEN)), 0.0)


@compiled()
def reach(history: Floats, wanted: float) -> float:
    """Tell up to which residual `decades` stays below `wanted`; infinite where it always does.

    Parameters
    ----------
    history : array of shape (TAIL_WIDTH,)
        Not changed.
    wanted : float
        Decades, above 0.
    """
    low = (history[HIGHEST] - BINS) / PER_OCTAVE  # exponents of 2
    if decades(history, 2.0**low) >= wanted:
        return 0.0
    high = low + BINS / PER_OCTAVE
    while decades(history, 2.0**high) < wanted:
        low = high
        high += 1.0
        if high > MOST_EXPONENT:
            return math.inf
    while high - low > NARROW:
        middle = 0.5 * (low + high)
        if decades(history, 2.0**middle) >= wanted:
            high = middle
        else:
            low = middle
    return float(2.0**low)


@compiled()
def learn(history: Floats | NDArray[np.float32], residual: float) -> None:
    """Count a residual.

    Parameters
    ----------
    history : array of shape (TAIL_WIDTH,)
        Changed in place; all zero before the first residual. Of four bytes or of eight.
    residual : float
        Up to `SMALLEST` it counts as zero.
    """
    if residual > SMALLEST:
        floor = math.floor(PER_OCTAVE * math.log2(residual))
        if history[POSITIVE] <= 0.0:
            history[HIGHEST] = floor
        highest = int(history[HIGHEST])
        if floor > highest:
            shift = floor - highest
            for place in range(BINS - 1, -1, -1):
                count = history[COUNTS + place]
                history[COUNTS + place] = 0.0
                history[COUNTS + min(place + shift, BINS - 1)] += count
            history[HIGHEST] = floor
            highest = floor
        history[COUNTS + min(highest - floor, BINS - 1)] += 1.0
        history[POSITIVE] += 1.0
    history[ROWS] += 1.0
    if history[ROWS] >= MEMORY:
        for place in range(TAIL_WIDTH):
            if place != HIGHEST:
                history[place] *= 0.5


@compiled()
def weigh(history: Floats, residual: float, wanted: float) -> tuple[float, float]:
    """Tell how unusual a residual is among those before it, then count it.

    Returns
    -------
    evidence : float
        `decades`.
    usual : float
        Where the evidence is at least `wanted`: the `reach` of what would not be; else NaN.
    """
    evidence = decades(history, residual)
    usual = math.nan
    if evidence >= wanted:
        usual = min(reach(history, wanted), residual)
    learn(history, residual)
    return evidence, usual
