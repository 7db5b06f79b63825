"""What is known of a metric in a variant without its records: exact sums over units."""

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Self

import numpy as np

from nextcall.abtest.moments import Moments
from nextcall.trials.exact import ZERO, Exact

LARGEST: Final = 1e90
"""A recorded value's size at most: cubes of totals then stay finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitTotal:
    """What one unit has recorded of a metric.

    Parameters
    ----------
    events : int
    total : Exact
        Sum of the events' values.
    """

    events: int = 0
    total: Exact = ZERO

    def with_event(self, value: float) -> "UnitTotal":
        """Give the total with one event more."""
        return UnitTotal(events=self.events + 1, total=self.total + Exact.of(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """Sums over the units of a variant that recorded a metric.

    Nothing is rounded: a unit's part can be taken out and put in again without end, and the
    outcome depends neither on the order of records nor on how they were grouped.

    Parameters
    ----------
    units, events : int
    events_squared, totals, squares, cubes, totals_by_events : Exact
        Sums over units of events**2, total, total**2, total**3 and total * events.
    """

    units: int = 0
    events: int = 0
    events_squared: Exact = ZERO
    totals: Exact = ZERO
    squares: Exact = ZERO
    cubes: Exact = ZERO
    totals_by_events: Exact = ZERO

    def replaced(self, changes: Collection[tuple[UnitTotal, UnitTotal]]) -> Self:
        """Take the parts of units out, and put others in; one without events has none.

        Parameters
        ----------
        changes : collection of (old, new)
            Of each unit.
        """
        shift = max(max(old.total.shift, new.total.shift) for old, new in changes)
        units = events = events_squared = totals = squares = cubes = totals_by_events = 0
        for old, new in changes:  # all over 2**shift, so that integers do the rest
            n, m = old.events, new.events
            before, after = old.total.at(shift), new.total.at(shift)
            units += (m > 0) - (n > 0)
            events += m - n
            events_squared += m**2 - n**2
            totals += after - before
            squares += after**2 - before**2
            cubes += after**3 - before**3
            totals_by_events += after * m - before * n
        return type(self)(
            units=self.units + units,
            events=self.events + events,
            events_squared=self.events_squared.plus(events_squared),
            totals=self.totals.plus(totals, shift),
            squares=self.squares.plus(squares, 2 * shift),
            cubes=self.cubes.plus(cubes, 3 * shift),
            totals_by_events=self.totals_by_events.plus(totals_by_events, shift),
        )

    def by_event(self) -> Moments:
        """Give the moments of totals and events over the units that recorded; two columns."""
        n = self.units
        if n == 0:
            return Moments.empty(2)
        total, events = self.totals.fraction, Fraction(self.events)
        cross = float(self.totals_by_events.fraction - total * events / n)
        means = [total / n, events / n]
        return Moments(
            n=n,
            mean=np.array([float(each) for each in means]),
            rest=np.array([float(each - Fraction(float(each))) for each in means]),
            products=np.array(
                [
                    [float(self.squares.fraction - total**2 / n), cross],
                    [cross, float(self.events_squared.fraction - events**2 / n)],
                ]
            ),
            cubes=self._cubes(n),
        )

    def by_unit(self, n: int) -> Moments:
        """Give the moments of totals over `n` units, of whom those without records have 0."""
        if n == 0:
            return Moments.empty(1)
        mean = self.totals.fraction / n
        return Moments(
            n=n,
            mean=np.array([float(mean)]),
            rest=np.array([float(mean - Fraction(float(mean)))]),
            products=np.array([[float(self.squares.fraction - self.totals.fraction * mean)]]),
            cubes=self._cubes(n),
        )

    def _cubes(self, n: int) -> float:
        mean = self.totals.fraction / n
        return float(self.cubes.fraction - 3 * mean * self.squares.fraction + 2 * n * mean**3)
