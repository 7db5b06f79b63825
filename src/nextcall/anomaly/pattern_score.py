"""What is told of a span of an entity's events."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternAnomaly:
    """A rate or a mix of behaviors that the entity's past does not explain."""

    kind: str
    """``rate`` or ``mix``."""
    spans: int
    """How many spans it was found in, the newest included."""
    magnitude: float
    """In limits, so that kinds compare; above 1."""
    expected: float
    """Events; for a mix the share of events that moved, 0."""
    actual: float
    """Events; for a mix the share of events that moved from one behavior to another."""
    low: float
    """Fewest events that are no anomaly; for a mix 0."""
    high: float
    """Most events that are no anomaly; for a mix the share that may move."""
    probability: float
    """Of as much or more by chance."""
    behavior: str = ""
    """Of a mix: the behavior whose share moved most."""
    share: float = 0.0
    """Of a mix: the share of that behavior."""
    usual_share: float = 0.0
    """Of a mix: the share that it had so far."""

    @property
    def explanation(self) -> str:
        """A short text."""
        over = "a span" if self.spans == 1 else f"{self.spans} spans"
        if self.kind == "rate":
            side = "busier" if self.actual > self.expected else "quieter"
            return (
                f"{side}: {self.actual:.0f} events in {over}, expected {self.expected:.3g} "
                f"(usual {self.low:.0f} to {self.high:.0f})"
            )
        return (
            f"another mix: {self.actual:.0%} of the events in {over} moved, most to or from "
            f"{self.behavior!r}, {self.share:.0%} of them, before {self.usual_share:.0%}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternScore:
    """How strange a span of an entity is."""

    entity: str
    start: float
    """Where the span begins, in seconds since 1970."""
    events: int
    """Events in the span."""
    expected: float
    """Events that the hour of the week led to expect; ``nan`` where it was not seen twice."""
    risk_score: float
    """In [0, 1]; 0.5 and more is an alarm. 0 without enough data."""
    enough_data: bool
    """Whether anything could be compared."""
    anomalies: tuple[PatternAnomaly, ...]
    """The rarest first."""

    @property
    def alarm(self) -> bool:
        """Whether the risk reaches 0.5."""
        return self.risk_score >= 0.5

    @property
    def explanation(self) -> str:
        """A short text; empty where nothing was found."""
        return "; ".join(anomaly.explanation for anomaly in self.anomalies)
