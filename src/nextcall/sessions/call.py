"""Calls, sessions of calls, and the questions that are asked of a ranker."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

OUTCOMES: Final = ("ok", "error", "retry", "abandoned")
"""How a call may end: it worked, it failed, it worked where the same call had just failed, or the
caller gave up before the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One use of an operation."""

    operation_id: str
    time: datetime | None = None
    """UTC, aware; None where it is not known."""
    outcome: str = "ok"
    """One of `OUTCOMES`."""
    prompt: str = ""
    """What the user asked for when this call was made; empty where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Calls of one user, in order."""

    session_id: str
    user_id: str
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A prompt and the calls so far, with the operations that are right answers."""

    query_id: str
    prompt: str
    history: tuple[Call, ...] = ()
    """Calls already made, oldest first."""
    relevant: tuple[str, ...] = ()
    """Operation ids; any of them is a right answer."""
    task: str = "retrieval"
    """``retrieval`` (any call of the task) or ``next_call`` (the very next one)."""
    source: str = ""
    session_id: str = ""
    """What a split must keep together; a query without one stands alone."""
    step: int = 0
    time: datetime | None = None
    """When the question is asked, UTC, aware; None where it is not known."""
    remaining: tuple[str, ...] = ()
    """Calls still to be made, in order; empty where it is not known."""
    context: tuple[str, ...] = ()
    """Earlier turns of the user, oldest first."""


def calls_of(operation_ids: Sequence[str]) -> tuple[Call, ...]:
    """Make a history of bare operation ids.

    Examples
    --------
    >>> [call.operation_id for call in calls_of(["s3:CreateBucket"])]
    ['s3:CreateBucket']
    """
    return tuple(Call(operation_id=operation_id) for operation_id in operation_ids)
