"""Rhythms of people and machines on the clock on the wall."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """A rhythm that repeats on the clock on the wall, from 1 January 1970."""

    period: float
    """Seconds."""
    slots: int
    """Knots through the period, at least 2."""
    smooth: bool = True
    """Whether levels are interpolated between the knots; else each holds up to the next."""

    def __post_init__(self) -> None:
        if not (self.period > 0 and isfinite(self.period)):
            raise ValueError(f"period must be above 0, got {self.period}.")
        if self.slots < 2:
            raise ValueError(f"slots must be at least 2, got {self.slots}.")


DAY: Final = Season(period=86_400.0, slots=24)
"""The hours of the day."""

WEEK: Final = Season(period=604_800.0, slots=168)
"""The hours of the week."""


WEEKDAYS: Final = Season(period=604_800.0, slots=7, smooth=False)
"""The days of the week."""


def as_rhythm(seasons: Sequence[Season]) -> NDArray[np.float64]:
    """Give the seasons as an array of shape (3, n_seasons): periods, slots, and 1 where smooth.

    Raises
    ------
    ValueError
        Where there is none.
    """
    if not seasons:
        raise ValueError("seasons must hold at least one.")
    rows = [[season.period, season.slots, season.smooth] for season in seasons]
    return np.ascontiguousarray(np.array(rows, dtype=np.float64).T)


def from_rhythm(rhythm: NDArray[np.float64]) -> list[Season]:
    """Undo `as_rhythm`.

    Examples
    --------
    >>> from_rhythm(as_rhythm([DAY, WEEKDAYS])) == [DAY, WEEKDAYS]
    True
    """
    return [
        Season(period=period, slots=int(slots), smooth=smooth > 0)
        for period, slots, smooth in rhythm.T.tolist()
    ]
