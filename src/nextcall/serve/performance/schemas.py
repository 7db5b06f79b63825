"""What is answered of runs of the performance suite."""

from typing import Literal

from pydantic import Field

from nextcall.serve.answers import Answered

_Status = Literal["met", "missed", "unknown"]


class PartFigures(Answered):
    """One part of the service; times of calls that succeeded, null where none did."""

    unit: Literal["milliseconds"]
    count: int
    errors: int
    p50: float | None
    p95: float | None
    p99: float | None
    mean: float | None
    longest: float | None
    rate: float = Field(description="Successful calls a second.")
    samples_ms: list[float] | None = Field(
        description="At most 200, smallest first; null in the history."
    )


class RunPromise(Answered):
    """A promise, and what became of it in one part."""

    part: str
    name: str
    unit: Literal["seconds", "share", "bytes"]
    value: float | None
    limit: float
    status: _Status
    room: float | None = Field(description="What is left until the limit; below 0 where missed.")


class RunAnswer(Answered):
    """One run."""

    at: str = Field(description="When it ended, UTC.")
    source: Literal["route", "cli"]
    version: str
    model_version: str | None
    status: _Status
    users: int = Field(description="At once, in the parts users_new and users_same.")
    parts: dict[str, PartFigures]
    promises: list[RunPromise]


class MeasuredAnswer(RunAnswer):
    """A run that was just made."""

    kept: bool = Field(description="Whether it stands in the history.")


class HistoryAnswer(Answered):
    """Runs that were kept, the newest first."""

    runs: list[RunAnswer]
