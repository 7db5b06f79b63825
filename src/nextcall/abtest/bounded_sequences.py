"""A confidence sequence for the mean of bounded values that holds for any law at any size."""

from math import isfinite, log
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextcall.abtest.effect import check_alpha


class BoundedMean:
    """Learns the mean of values between two known limits, one or many at a time.

    Its interval holds after every value at once with probability ``1 - alpha``, whatever law the
    values have, as long as each has the same mean given those before: no normal approximation, and
    narrow where values vary little. The price is width: a clicked share of a hundredth needs
    thousands of units before it says much.

    Parameters
    ----------
    low, high : float
        Limits of the values, low < high.
    alpha : float
        Level of the interval.
    boldest : float
        Largest bet on a single value, between 0 and 1: higher narrows early, lower late intervals.

    Attributes
    ----------
    n_ : int
        Values so far.
    lower_, upper_ : float
        The interval, in the values' unit: all that no look so far has excluded.
    value_ : float
        Centre of the newest interval before it was cut; ``nan`` before the first value.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    Waudby-Smith & Ramdas (2024), JRSS B 86(1), theorem 2: the predictable plug-in empirical
    Bernstein sequence; Howard, Ramdas, McAuliffe & Sekhon (2021), Annals of Statistics 49(2).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> seen = BoundedMean(0.0, 1.0).update(rng.random(1000) < 0.3)
    >>> seen.n_, round(seen.lower_, 3), round(seen.upper_, 3)
    (1000, 0.218, 0.327)
    """

    def __init__(
        self, low: float, high: float, *, alpha: float = 0.05, boldest: float = 0.5
    ) -> None:
        if not (isfinite(low) and isfinite(high) and low < high):
            raise ValueError(f"low and high must rise and be finite, got {low} and {high}.")
        if not 0 < boldest < 1:
            raise ValueError(f"boldest must lie between 0 and 1, got {boldest}.")
        self.low, self.high, self.boldest = float(low), float(high), float(boldest)
        self.alpha = check_alpha(alpha)
        self.n_ = 0
        self.value_ = float("nan")
        self.lower_, self.upper_ = self.low, self.high
        self._total, self._squares = 0.5, 0.25  # a first value at the middle, as the paper has it
        self._bets, self._won, self._spread = 0.0, 0.0, 0.0

    def update(self, values: ArrayLike) -> Self:
        """Learn from values, in their order; the same whether they come at once or one by one.

        Raises
        ------
        ValueError
            Where a value is not finite or lies outside the limits.
        """
        given = np.atleast_1d(np.asarray(values, dtype=np.float64)).ravel()
        inside = (given >= self.low) & (given <= self.high)
        if not inside.all():
            place = int(np.argmin(inside))
            raise ValueError(
                f"values must lie within {self.low:g} and {self.high:g}, "
                f"got {given[place]} at place {place}."
            )
        if given.size:
            self._learn((given - self.low) / (self.high - self.low))
        return self

    def _learn(self, shares: NDArray[np.float64]) -> None:
        """Take shares of the way from the lower to the upper limit."""
        count = self.n_ + 1.0 + np.arange(len(shares))  # this value's place, from 1
        totals = self._total + np.cumsum(shares)
        before = np.concatenate([[self._total], totals[:-1]]) / count
        after = totals / (count + 1)
        squares = self._squares + np.cumsum((shares - after) ** 2)
        variance = np.concatenate([[self._squares], squares[:-1]]) / count
        # What is bet on a value is fixed before it comes.
        log_odds = log(2 / self.alpha)
        with np.errstate(divide="ignore"):
            bets = np.sqrt(2 * log_odds / (variance * count * np.log1p(count)))
        bets = np.minimum(bets, self.boldest)
        cost = -(np.log1p(-bets) + bets) * (shares - before) ** 2
        all_bets = self._bets + np.cumsum(bets)
        won = self._won + np.cumsum(bets * shares)
        spread = self._spread + np.cumsum(cost)
        centre, reach = won / all_bets, (log_odds + spread) / all_bets
        width = self.high - self.low
        self.n_ += len(shares)
        self.value_ = self.low + width * float(centre[-1])
        self.lower_ = max(self.lower_, self.low + width * float(np.max(centre - reach)))
        self.upper_ = min(self.upper_, self.low + width * float(np.min(centre + reach)))
        self._total, self._squares = float(totals[-1]), float(squares[-1])
        self._bets, self._won = float(all_bets[-1]), float(won[-1])
        self._spread = float(spread[-1])


def bounded_difference(control: BoundedMean, treatment: BoundedMean) -> tuple[float, float]:
    """Give an interval of treatment minus control that holds at every look.

    Each arm's interval may fail with its own alpha: for a difference at 0.05 give each 0.025.

    Examples
    --------
    >>> a, b = (BoundedMean(0, 1, alpha=0.025).update(np.tile(x, 500)) for x in ([0, 0], [0, 1]))
    >>> low, high = bounded_difference(a, b)
    >>> round(low, 3), round(high, 3)
    (0.423, 0.566)
    """
    return treatment.lower_ - control.upper_, treatment.upper_ - control.lower_
