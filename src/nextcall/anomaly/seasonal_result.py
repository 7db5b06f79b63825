"""What a look at a value in its season says."""

from dataclasses import dataclass

from nextcall.anomaly.seasonal_state import skewed


@dataclass(frozen=True, slots=True, kw_only=True)
class SeasonalResult:
    """How far a value is from what its time expects."""

    score: float
    """Distance in scales, less what skew explains, up to a million; 0 without enough data."""
    actual: float
    """The value."""
    expected: float
    """Level at that time; ``nan`` where its slot was never seen."""
    scale: float
    """Standard deviation of residuals at that time; ``nan`` while `enough_data` is False."""
    skew: float
    """By how much residuals reach farther above than below; 0 where both sides are alike."""
    enough_data: bool
    """Whether the slot was seen often enough."""
    learned: bool
    """Whether the value counts; not so where it or its time is missing, or the time is late."""

    def band(self, width: float = 3.0) -> tuple[float, float]:
        """Give both ends of what scores at most `width`."""
        low, high = skewed(-width, self.skew), skewed(width, self.skew)
        return self.expected + low * self.scale, self.expected + high * self.scale
