"""What SPOT says of a value."""

from dataclasses import dataclass


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
