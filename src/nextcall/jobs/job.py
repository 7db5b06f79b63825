"""A job as it stands, and what may stand against it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

Status: TypeAlias = Literal["queued", "running", "done", "failed", "refused", "cancelled"]
"""Refused: the work was done, and its outcome was not accepted."""

ENDED: Final[tuple[Status, ...]] = ("done", "failed", "refused", "cancelled")
MOST_ATTEMPTS: Final = 2
"""Times that a job is begun; once more where the service ended while it ran."""


class UnknownJobError(LookupError):
    """There is no such job."""


class JobsFullError(RuntimeError):
    """As many jobs wait as may."""


class JobEndedError(RuntimeError):
    """A job has ended, and cannot be cancelled."""


class JobRefusedError(ValueError):
    """What a job made is not accepted; the message says why.

    Attributes
    ----------
    result : mapping or None
        What is told of the work besides.
    """

    def __init__(self, message: str, *, result: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.result = result


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a job does now, and how far it is."""

    name: str
    started_at: datetime
    done: int = 0
    total: int | None = None
    """None where it is not known."""

    @property
    def percent(self) -> float | None:
        """Of the stage, 0 to 100; None where its length is not known.

        Examples
        --------
        >>> from datetime import UTC
        >>> Stage(name="a", started_at=datetime(2026, 1, 1, tzinfo=UTC), done=1, total=8).percent
        12.5
        """
        return None if not self.total else round(100 * min(self.done / self.total, 1.0), 1)

    def estimated_end(self, now: datetime) -> datetime | None:
        """Say when the stage ends at its pace so far; None where nothing of it is done yet.

        Examples
        --------
        >>> from datetime import UTC
        >>> start = datetime(2026, 1, 1, tzinfo=UTC)
        >>> stage = Stage(name="a", started_at=start, done=1, total=4)
        >>> stage.estimated_end(start + timedelta(seconds=10)) - start
        datetime.timedelta(seconds=40)
        """
        if not self.total or not self.done:
            return None
        share = min(self.done / self.total, 1.0)
        seconds = max(0.0, (now - self.started_at).total_seconds()) / share
        return max(now, self.started_at + timedelta(seconds=seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work."""

    number: int
    """In the order in which they were asked for, from 1."""
    job_id: str
    kind: str
    scope: str
    """Only workers of the same one may do it, such as those of one catalogue."""
    status: Status
    arguments: Mapping[str, Any] = field(default_factory=dict)
    asked_by: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    """Of the last attempt."""
    ended_at: datetime | None = None
    attempt: int = 0
    """Times that it was begun."""
    worker: str | None = None
    stage: Stage | None = None
    cancel_asked: bool = False
    reason: str | None = None
    """Why it failed, was refused or was begun again."""
    result: Mapping[str, Any] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing changes any more."""
        return self.status in ENDED

    def seconds(self, now: datetime) -> float | None:
        """Say how long the last attempt has taken; None before the first."""
        if self.started_at is None:
            return None
        return max(0.0, ((self.ended_at or now) - self.started_at).total_seconds())
