"""What is said of the order of a session's calls."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SurprisingCall:
    """One call of a session, and what was expected in its place."""

    step: int
    """Calls of the session before it."""
    operation_id: str
    excess: float
    """Nats by which it surprised more than calls do on average there."""
    expected: tuple[tuple[str, float], ...]
    """The likeliest operations with their probabilities, the likeliest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionScore:
    """How unusual the order of a session's calls is."""

    score: float
    """In [0, 1]; 0.5 and more is odd at the detector's rate, at the last call or one before."""
    excess: float
    """Nats a call beyond what the model expects of itself, with four usual calls before; over all
    calls so far."""
    probability: float
    """Share of usual sessions that are ever as odd as this one was at its oddest."""
    calls: int
    unknown: int
    """Calls of operations that no training session has."""
    strangest: SurprisingCall

    @property
    def explanation(self) -> str:
        """A short text on an odd session; empty on any other."""
        if self.score < 0.5:
            return ""
        call = self.strangest
        expected = ", ".join(f"{name} {share:.0%}" for name, share in call.expected)
        return (
            f"call {call.step + 1} is {call.operation_id}, expected {expected}; "
            f"once in {1 / self.probability:,.0f} sessions"
        )
