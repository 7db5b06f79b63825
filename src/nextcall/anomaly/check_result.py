"""What a check of a value says."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["z_score", "iqr", "spike", "trend", "behavior"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """What one detector found, in the unit of the metric but for `magnitude`."""

    kind: Kind
    magnitude: float
    """How many times the detector's limit the difference is: above 1, at most a million."""
    expected: float
    """Middle of the band."""
    actual: float
    """The value; of a trend, the mean of the newer window."""
    low: float
    """Lower end of what would be no anomaly."""
    high: float
    """Upper end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What the detectors say of a value together, and which of them found an anomaly."""

    risk_score: float
    """From 0 to 1; where nothing is wrong, 0.5 is reached at the configured rate or less."""
    anomalies: tuple[Anomaly, ...]
    """Detectors whose own limit was passed, the strongest first; none is no alarm."""
    enough_data: bool
    """Whether the key has seen enough values to be alarmed about; else the risk is 0."""
    learned: bool
    """Whether the value counts; not so where it was missing or late, and the risk is 0."""
    resting: bool
    """Whether an alarm was so short ago that the risk is held below 0.5."""

    @property
    def alarm(self) -> bool:
        """Whether the risk reaches 0.5."""
        return self.risk_score >= 0.5
