"""Knobs of a simulation."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from nextcall.synth.clock import GapLaw
from nextcall.synth.noise import Noise
from nextcall.synth.users import UserHabits


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationSettings:
    """Knobs of a simulation."""

    start: datetime = datetime(2026, 1, 5, tzinfo=UTC)
    """First moment: a full hour, with its zone; the default is a Monday."""
    days: int = 30
    users: UserHabits = field(default_factory=UserHabits)
    gaps: GapLaw = field(default_factory=GapLaw)
    noise: Noise = field(default_factory=Noise)
    zipf: float = 0.6
    """Exponent of the popularity of services; 0 makes all alike."""
    repeat: float = 0.3
    """Chance that a call already made in the session is made again, once the chain draws it."""
    session_goal: float = 0.1
    """Share of the sessions in which every prompt states the goal of the whole session."""
    drift_day: float | None = None
    """Sessions that begin so many days after `start` follow another chain and popularity."""
    drift: float = 0.5
    """How far they drift, in [0, 1]."""
    max_calls: int = 50
    """A session that is still going on is cut here."""

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.start.replace(minute=0, second=0, microsecond=0) != (
            self.start
        ):
            raise ValueError(f"start must be a full hour with a time zone, got {self.start}.")
        for name in ("days", "max_calls"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        for name in ("repeat", "session_goal", "drift"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}.")
        if self.zipf < 0:
            raise ValueError(f"zipf must be at least 0, got {self.zipf}.")
        if self.drift_day is not None and not 0 < self.drift_day < self.days:
            raise ValueError(
                f"drift_day must be between 0 and days ({self.days}), got {self.drift_day}."
            )
