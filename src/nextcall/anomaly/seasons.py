"""Rhythms of people and machines on the clock on the wall."""

from dataclasses import dataclass
from math import isfinite
from typing import Final


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
