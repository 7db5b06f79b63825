"""The noise of a series whose level may change, and its rows without their outliers.

Differences of neighbours see a change of level once. Their mean squares at one and at two rows
apart give the variance and the correlation of neighbours, and both the long-run variance, by which
sums are judged. A difference that is far too large is a jump and teaches nothing, unless many are:
then they are the noise. A row that stands out from both of its neighbours is no level, and is cut.
"""

import math
from typing import Final

from nextcall.anomaly.tails import Floats
from nextcall.compiling import compiled

WARM: Final = 32  # rows before the first alarm: the noise is then known to 20 %
FIRST: Final = 8  # differences that all teach
MEMORY: Final = 512.0  # differences that weigh; a quarter of it doubles alarms where rows correlate
JUMP: Final = 12.0  # mean squares of a jump: 3.5 standard deviations
RECENT: Final = 16.0  # differences among which ...
CROWD: Final = 0.35  # ... such a share of jumps is noise; a level that toggles every 5 rows has 0.2
HASTE: Final = 0.125  # weight of a difference then
TEACHES: Final = 25.0  # mean squares that one weighs then at most: no overshooting
CUT: Final = (
    1.0  # sigmas beyond both neighbours at which a row is cut; 4 triples alarms of Student t
)
LEVEL_SHARE: Final = 1e-4  # of the level: no sigma is smaller, nor than half the smallest step
TINY: Final = 1e-100  # the sigma of a series of zeros
MOST_CORRELATED: Final = 0.9  # correlation of neighbours beyond which nothing tells it from levels

# Columns of a state.
SEEN, ROWS, NEWEST, NEWEST_PLACE, BEFORE, SQUARES, SQUARES_2, STEP, CROWDED = range(9)
NOISE_WIDTH: Final = 9


@compiled()
def learn_square(mean: float, square: float, most: float, gain: float, crowded: float) -> float:
    """Give the mean with one more square; a jump, above `most`, counts only where many are."""
    if square > most:
        if crowded <= CROWD:
            return mean
        gain = max(gain, HASTE)
        square = min(square, TEACHES * mean)
    return mean + gain * (square - mean)


@compiled()
def learn_noise(state: Floats, value: float) -> None:
    """Learn from the differences between a row and the two before it.

    Parameters
    ----------
    state : array of at least NOISE_WIDTH
        Changed in place.
    value : float
        Finite, at most 1e100 in size.
    """
    rows = state[ROWS]
    if rows < 1.0:
        return
    distance = abs(value - state[NEWEST])
    if distance > 0.0 and (state[STEP] == 0.0 or distance < state[STEP]):
        state[STEP] = distance
    square = distance * distance
    least = 0.25 * state[STEP] * state[STEP]
    gain = max(1.0 / rows, 1.0 / MEMORY)
    most = math.inf
    most_2 = math.inf
    if rows > FIRST:
        state[SQUARES] = max(state[SQUARES], least)
        state[SQUARES_2] = max(state[SQUARES_2], least)
        most = JUMP * state[SQUARES]
        most_2 = JUMP * state[SQUARES_2]
    jump = 1.0 if square > most else 0.0
    state[CROWDED] += (jump - state[CROWDED]) / RECENT
    state[SQUARES] = learn_square(state[SQUARES], square, most, gain, state[CROWDED])
    if rows >= 2.0:
        square = (value - state[BEFORE]) ** 2
        gain = max(1.0 / (rows - 1.0), 1.0 / MEMORY)
        state[SQUARES_2] = learn_square(state[SQUARES_2], square, most_2, gain, state[CROWDED])


@compiled()
def noise(state: Floats) -> tuple[float, float]:
    """Tell the standard deviation of a row, and the long-run one of sums: of one row's share.

    Where correlation fades as ``r**lag``, the mean squares of differences are ``2 v (1 - r)`` and
    ``2 v (1 - r**2)``, so their ratio is ``1 + r``. Less its standard error, and never below
    0: it may lower a score, not raise it.
    """
    floor = max(LEVEL_SHARE * abs(state[NEWEST]), 0.5 * state[STEP], TINY)
    short = math.sqrt(max(0.5 * state[SQUARES], floor * floor))
    correlation = 0.0
    if state[ROWS] > WARM and state[SQUARES] > 0.0:
        error = 1.0 / math.sqrt(min(state[ROWS], MEMORY))
        correlation = state[SQUARES_2] / state[SQUARES] - 1.0 - error
        correlation = min(max(correlation, 0.0), MOST_CORRELATED)
    return short, short * math.sqrt(1.0 + correlation) / (1.0 - correlation)


@compiled()
def cut_newest(state: Floats, value: float, short: float) -> float:
    """Give the newest row of the state, cut where it stands out from both of its neighbours.

    Parameters
    ----------
    state : array of at least NOISE_WIDTH
        Not changed.
    value : float
        The row after it.
    short : float
        Standard deviation of a row.

    Returns
    -------
    float
        The row, at most `CUT` standard deviations beyond both.
    """
    other = state[BEFORE] if state[ROWS] >= 2.0 else value
    row: float = max(state[NEWEST], min(value, other) - CUT * short)
    return min(row, max(value, other) + CUT * short)
