"""Hampel's rule: how far a value lies from the median of the newest ones, in median deviations.

References
----------
Hampel (1974), JASA 69(346); Pearson (2002), IEEE Transactions on Control Systems Technology 10(1).
"""

from dataclasses import dataclass
from math import isfinite
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nextcall.anomaly.many_rows import one_dimension
from nextcall.anomaly.named_kernels import LARGEST, LEVEL_SHARE
from nextcall.anomaly.ordered import put_in_order, quantile
from nextcall.compiling import compiled

FIRST: Final = 16  # values before the first score, or the whole window where that is smaller
MAD_TO_SIGMA: Final = 1.4826  # of a normal law: 1 / Phi^-1(3/4)
FIELDS: Final = ("score", "actual", "expected", "scale")

# Columns of the state; the ring of the newest values and the same in order follow.
POINTS, MISSING, PREVIOUS, STEP = range(4)
RING: Final = 4

_LEAST_WINDOW: Final = 5  # a median deviation of fewer says nothing
_HIGHEST: Final = 1e6  # score


@dataclass(frozen=True, slots=True, kw_only=True)
class HampelResult:
    """How far a value is from the median of those before it."""

    score: float
    """Distance in scales, from 0 to a million; 0 where `enough_data` is False or it is missing."""
    actual: float
    """The value."""
    expected: float
    """Median of the window before the value; ``nan`` while `enough_data` is False."""
    scale: float
    """1.4826 median absolute deviations, or their floor; ``nan`` while `enough_data` is False."""
    enough_data: bool
    """Whether enough values came before."""

    def band(self, width: float = 3.0) -> tuple[float, float]:
        """Give both ends of what scores at most `width`."""
        return self.expected - width * self.scale, self.expected + width * self.scale


class HampelDetector:
    """Compares each value with the median of the newest values before it.

    The score is ``|value - median| / scale``, with a scale of 1.4826 median absolute deviations,
    the standard deviation of a normal law. Hampel's rule calls a value an outlier where it is above
    3. Up to half of the window may be outliers without moving either number far. No scale is below
    0.1 % of the median or half the smallest step between two values that was ever seen, so that a
    flat series makes no giant of its first flicker. It takes memory for twice the window.

    Parameters
    ----------
    window : int
        Values that are remembered, at least 5.

    Raises
    ------
    ValueError
        Where the window is too small.

    Examples
    --------
    >>> detector = HampelDetector(window=31)
    >>> bool(detector.score([20.0 + place % 3 for place in range(100)]).max() < 1)
    True
    >>> result = detector.check(90.0)
    >>> round(result.score), result.expected, [round(end, 2) for end in result.band()]
    (47, 21.0, [16.55, 25.45])
    """

    def __init__(self, *, window: int = 61) -> None:
        if window < _LEAST_WINDOW:
            raise ValueError(f"window must be at least {_LEAST_WINDOW}, got {window}.")
        self._state = np.zeros(RING + 2 * int(window))
        self._result = np.zeros(len(FIELDS))

    @property
    def points(self) -> int:
        """Values learned."""
        return int(self._state[POINTS])

    @property
    def missing(self) -> int:
        """Values that were NaN or infinite."""
        return int(self._state[MISSING])

    def update(self, value: float) -> float:
        """Give the score of the next value, and learn it.

        Parameters
        ----------
        value : float
            NaN and infinities are counted as missing: score 0, not learned. Beyond 1e150 it counts
            as 1e150.
        """
        return step(self._state, value, self._result)

    def check(self, value: float) -> HampelResult:
        """Score the next value as `update` does, and say what was expected."""
        enough = self._enough()
        step(self._state, value, self._result)
        score, actual, expected, scale = self._result.tolist()
        return HampelResult(
            score=score, actual=actual, expected=expected, scale=scale, enough_data=enough
        )

    def score(self, values: ArrayLike) -> NDArray[np.float64]:
        """Give the scores of many values in their order: the same numbers as by `update`.

        Parameters
        ----------
        values : array-like of shape (n_values,)

        Raises
        ------
        ValueError
            Where `values` has not one dimension; nothing is learned then.
        """
        return self._steps(values)[:, 0]

    def score_frame(self, values: ArrayLike) -> pd.DataFrame:
        """Score many values as `score` does; one row a value with the fields of `HampelResult`."""
        frame = pd.DataFrame(self._steps(values), columns=list(FIELDS))
        return frame.assign(enough_data=frame["scale"].notna())

    def _enough(self) -> bool:
        return self.points >= least_points(self._state)

    def _steps(self, values: ArrayLike) -> NDArray[np.float64]:
        numbers = one_dimension(values)
        results = np.empty((len(numbers), len(FIELDS)))
        steps(self._state, numbers, results)
        return results


@compiled()
def least_points(state: NDArray[np.float64]) -> int:
    """Count the values that must come before the first score."""
    return min(FIRST, (len(state) - RING) // 2)


@compiled()
def median_deviation(ordered: NDArray[np.float64], count: int, middle: float) -> float:
    """Give the median distance of the first `count` of sorted values from their median.

    Both neighbours of the median are walked outwards, the nearer one first.
    """
    right = 0
    while right < count and ordered[right] < middle:
        right += 1
    left = right - 1
    last = before = 0.0
    for _ in range(count // 2 + 1):
        before = last
        below = middle - ordered[left] if left >= 0 else np.inf
        above = ordered[right] - middle if right < count else np.inf
        if below < above:
            last = below
            left -= 1
        else:
            last = above
            right += 1
    return last if count % 2 == 1 else before + 0.5 * (last - before)


@compiled()
def step(state: NDArray[np.float64], value: float, result: NDArray[np.float64]) -> float:
    """Compare a value with the window, then remember it; give the score.

    Parameters
    ----------
    state : array of shape (RING + 2 * window,)
        Changed in place; all zero before the first value.
    value : float
    result : array of shape (4,)
        Overwritten: the numbers of `FIELDS`.
    """
    window = (len(state) - RING) // 2
    ring, ordered = state[RING : RING + window], state[RING + window :]
    points = int(state[POINTS])
    count = min(points, window)
    result[0] = 0.0
    result[1] = value
    result[2] = result[3] = np.nan
    known = isfinite(value)
    value = min(max(value, -LARGEST), LARGEST)
    if points >= least_points(state):
        middle = quantile(ordered, count, 0.5)
        scale = MAD_TO_SIGMA * median_deviation(ordered, count, middle)
        scale = max(scale, LEVEL_SHARE * abs(middle), 0.5 * state[STEP])
        result[2] = middle
        result[3] = scale
        off = abs(value - middle)
        if known and off > 0.0:
            result[0] = off / scale if off < _HIGHEST * scale else _HIGHEST
    if not known:
        state[MISSING] += 1.0
        return 0.0
    put_in_order(ordered, count, ring[points % window], value)
    ring[points % window] = value
    change = abs(value - state[PREVIOUS])
    if points > 0 and change > 0.0:
        state[STEP] = min(state[STEP], change) if state[STEP] > 0.0 else change
    state[PREVIOUS] = value
    state[POINTS] = points + 1.0
    return float(result[0])


@compiled()
def steps(
    state: NDArray[np.float64], values: NDArray[np.float64], results: NDArray[np.float64]
) -> None:
    """Do `step` with one value after the other; `results` has a row for each."""
    for place in range(len(values)):
        step(state, values[place], results[place])
