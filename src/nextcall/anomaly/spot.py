"""SPOT and DSPOT: how improbable a value is, by the law of extremes of the values before it."""

from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nextcall.anomaly.many_rows import one_dimension
from nextcall.anomaly.spot_kernels import (
    ALARMS,
    BOTH_SIDES,
    FIELDS,
    LOWER_SIDE,
    MISSING,
    POINTS,
    READY,
    RISK,
    SIDES,
    UPPER_SIDE,
    WIDTH,
    step,
    steps,
)

Side = Literal["both", "upper", "lower"]

_SIDES: Final = {"both": BOTH_SIDES, "upper": UPPER_SIDE, "lower": LOWER_SIDE}
_LEAST_FIRST: Final = 50  # one value in a tail of a fiftieth
_MOST_RISK: Final = 0.02  # the tails hold no more


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotResult:
    """How improbable a value is, given those before it."""

    score: float
    """-log10 of the probability of a value as far out, from 0 to 300; 0 where there is none."""
    actual: float
    """The value."""
    expected: float
    """Median, on top of the local mean where values drift. ``nan`` without enough data."""
    low: float
    """Threshold below which a value is rarer than the risk. ``nan`` without enough data."""
    high: float
    """Threshold above which a value is rarer than the risk. ``nan`` without enough data."""
    enough_data: bool
    """Whether the tails are known."""

    @property
    def probability(self) -> float:
        """Of a value as far out as this one, where nothing is wrong."""
        return float(10.0**-self.score)


class SpotDetector:
    """Tells the probability of each value from Pareto laws for the two tails of those before it.

    A tail is what lay beyond the outermost 2 % of a first stretch. The newest 200 excesses of each
    carry a generalised Pareto law, fitted anew by probability-weighted moments with each of them;
    how often the tail is met is counted. With a `depth` the values are compared with the mean of
    the newest ones (DSPOT), so that they may drift. Between the tails the probability is
    interpolated from quantiles of the first stretch.

    Other than in the paper a value beyond the threshold is learned too, but as no larger than one
    that is ten times as rare: where alarms teach nothing, the fit cuts its own tail and alarms more
    often than it is told to. And no tail begins nearer to the median than three times 0.1 % of it
    or half the smallest step seen, nor has a smaller scale than these, so that a flat series makes
    no giant of its first flicker.

    Parameters
    ----------
    risk : float
        Probability of a value beyond the thresholds where nothing is wrong, above 0, at most 0.02.
    sides : {"both", "upper", "lower"}
        Where values are strange; both share the risk.
    depth : int
        Values in the local mean; 0 for SPOT.
    warm_up : int
        Values of the first stretch, at least 50; `depth` more come before. Without alarms.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> detector = SpotDetector(risk=1e-3, sides="upper").fit(rng.exponential(size=5000))
    >>> result = detector.check(12.0)
    >>> bool(1e-6 < result.probability < 1e-4), bool(6 < result.high < 8)
    (True, True)
    """

    def __init__(
        self,
        *,
        risk: float = 1e-3,
        sides: Side = "both",
        depth: int = 0,
        warm_up: int = 1000,
    ) -> None:
        if not 0 < risk <= _MOST_RISK:
            raise ValueError(f"risk must be above 0 and at most {_MOST_RISK}, got {risk}.")
        if sides not in _SIDES:
            raise ValueError(f"sides must be of {', '.join(_SIDES)}, got {sides!r}.")
        if depth < 0:
            raise ValueError(f"depth must be at least 0, got {depth}.")
        if warm_up < _LEAST_FIRST:
            raise ValueError(f"warm_up must be at least {_LEAST_FIRST}, got {warm_up}.")
        self._settings = float(risk), float(_SIDES[sides])
        self._depth, self._warm_up = int(depth), int(warm_up)
        self._start(self._warm_up)

    @property
    def points(self) -> int:
        """Values learned."""
        return int(self._own[POINTS])

    @property
    def missing(self) -> int:
        """Values that were NaN or infinite."""
        return int(self._own[MISSING])

    @property
    def alarms(self) -> int:
        """Values rarer than the risk."""
        return int(self._own[ALARMS])

    def fit(self, values: ArrayLike) -> Self:
        """Forget everything and take these values as the first stretch, however many they are.

        Raises
        ------
        ValueError
            Where `values` has not one dimension or fewer than 50 and `depth` are finite.
        """
        numbers = one_dimension(values)
        count = int(np.isfinite(numbers).sum()) - self._depth
        if count < _LEAST_FIRST:
            raise ValueError(
                f"values must hold at least {_LEAST_FIRST + self._depth} finite numbers, "
                f"got {count + self._depth}."
            )
        self._start(count)
        self._steps(numbers)
        return self

    def update(self, value: float) -> float:
        """Give the score of the next value, -log10 of its probability, and learn it.

        Parameters
        ----------
        value : float
            NaN and infinities are counted as missing: score 0, not learned. Beyond 1e150 it counts
            as 1e150.
        """
        return step(self._own, self._window, self._first, value, self._result)

    def check(self, value: float) -> SpotResult:
        """Score the next value as `update` does, and give the thresholds that it was held to."""
        enough = self._own[READY] > 0
        self.update(value)
        score, actual, expected, low, high = self._result.tolist()
        return SpotResult(
            score=score,
            actual=actual,
            expected=expected,
            low=low,
            high=high,
            enough_data=bool(enough),
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
        return self._steps(one_dimension(values))[:, 0]

    def score_frame(self, values: ArrayLike) -> pd.DataFrame:
        """Score many values as `score` does; one row a value with the fields of `SpotResult`."""
        frame = pd.DataFrame(self._steps(one_dimension(values)), columns=list(FIELDS))
        return frame.assign(enough_data=frame["expected"].notna())

    def _start(self, warm_up: int) -> None:
        self._own = np.zeros(WIDTH)
        self._own[[RISK, SIDES]] = self._settings
        self._window = np.zeros(self._depth)
        self._first = np.zeros(warm_up)
        self._result = np.zeros(len(FIELDS))

    def _steps(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        results = np.empty((len(numbers), len(FIELDS)))
        steps(self._own, self._window, self._first, numbers, results)
        return results
