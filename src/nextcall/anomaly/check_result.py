"""What a check of a value says."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

ALARM: Final = 0.5
"""Risk from which a value is an alarm."""

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
class Rarity:
    """How unusual is what the detectors found, and since when they find something."""

    once_in: float
    """Values among which one as strange is expected, from the history of the key."""
    alarm_from: float
    """Value of `once_in` from which a value is an alarm, but for a rest and the warm-up."""
    odd_rows: int
    """Values in a row, this one the last, at each of which a detector found an anomaly."""
    odd_since: datetime | None
    """Time of the first of them, in UTC; None where it came without one."""

    @property
    def explanation(self) -> str:
        """Since when and how rare, in words."""
        rare = f"once in {self.once_in:,.0f} points, an alarm from {self.alarm_from:,.0f}"
        if self.odd_rows == 1:
            return rare
        since = f", since {self.odd_since:%Y-%m-%d %H:%M:%S} UTC" if self.odd_since else ""
        return f"odd for {self.odd_rows:,} points{since}; {rare}"


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
    rarity: Rarity | None = None
    """How rare the value is and since when; None where no detector found an anomaly."""

    @property
    def alarm(self) -> bool:
        """Whether the risk reaches 0.5."""
        return self.risk_score >= ALARM

    @property
    def explanation(self) -> str:
        """Why a value is an alarm, or why it is none though it is strange enough; else empty.

        Examples
        --------
        >>> from nextcall.anomaly.monitor import AnomalyMonitor
        >>> latency = AnomalyMonitor().stream("latency")
        >>> calm = [latency.check(20.0 + second % 3).explanation for second in range(300)]
        >>> for part in latency.check(90.0).explanation.split("; "):
        ...     print(part)
        z_score 90, expected 21.004 (18.424 to 23.585), 26.74 times the limit
        iqr 90, expected 21 (17 to 25), 22.67 times the limit
        spike 90, expected 22 (18.37 to 25.63), 18.73 times the limit
        once in 3,001 points, an alarm from 3,001
        """
        if not self.anomalies:
            return ""
        parts = [_told(anomaly) for anomaly in self.anomalies]
        if self.rarity is not None:
            parts.append(self.rarity.explanation)
        if not self.enough_data:
            parts.append("not enough data")
        elif not self.alarm:
            if not (self.resting and self.risk_score >= ALARM / 2):  # a rest halves the risk
                return ""
            parts.append("resting after an alarm")
        return "; ".join(parts)


def _told(anomaly: Anomaly) -> str:
    mean = "mean of 32 points " if anomaly.kind == "trend" else ""
    actual, expected, low, high = (
        f"{number:.5g}" for number in (anomaly.actual, anomaly.expected, anomaly.low, anomaly.high)
    )
    return (
        f"{anomaly.kind} {mean}{actual}, expected {expected} ({low} to {high}), "
        f"{anomaly.magnitude:,.2f} times the limit"
    )
