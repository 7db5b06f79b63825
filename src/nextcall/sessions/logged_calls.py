"""Calls that a log tells of: counted, matched and cut into sessions."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from nextcall.sessions.call import Call, Session
from nextcall.sessions.idle_gaps import cut_sessions

_SHOWN = 10  # of the unmatched calls, the commonest
_Entry = TypeVar("_Entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """What a reader found in a log; every number counts its lines, entries or records."""

    lines: int
    """All that were there, blank lines left out."""
    matched: int
    """Calls of an operation of the catalogue: these are in the sessions."""
    unmatched: int
    """Calls of nothing that the catalogue knows, pictures and pages among them."""
    malformed: int
    """What breaks the log's own form."""
    common_unmatched: tuple[tuple[str, int], ...] = ()
    """The ten commonest unmatched calls with their counts, the commonest first."""
    first_malformed: str = ""
    """Place of the first malformed one and the rule that it breaks; empty where none is."""

    @property
    def matched_share(self) -> float:
        """Matched calls as a share of all that are not malformed, in [0, 1]."""
        return self.matched / (self.matched + self.unmatched)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedCall:
    """One call as a log tells of it."""

    user_id: str
    name: str
    """What was called, in the log's words."""
    operation_id: str | None
    """None where the catalogue knows no such operation."""
    time: datetime
    outcome: str


def gather_sessions(
    entries: Iterable[_Entry],
    parse: Callable[[_Entry], LoggedCall],
    *,
    path: Path,
    idle: timedelta,
) -> tuple[list[Session], LogReport]:
    """Parse every entry of a log, count what came of it, and cut the matched calls into sessions.

    Parameters
    ----------
    entries : iterable
        Whatever `parse` takes.
    parse : callable
        Gives the call, or raises ValueError with the place and the rule that is broken.
    path : Path
        What is read; named where nothing can be.
    idle : datetime.timedelta
        A longer pause begins a new session.

    Raises
    ------
    ValueError
        Where no entry can be parsed: the first one's error, or that there is none.
    """
    calls: list[tuple[str, Call]] = []
    unmatched: Counter[str] = Counter()
    malformed, first_malformed = 0, ""
    for entry in entries:
        try:
            logged = parse(entry)
        except ValueError as error:
            malformed += 1
            first_malformed = first_malformed or str(error)
            continue
        if logged.operation_id is None:
            unmatched[logged.name] += 1
        else:
            call = Call(operation_id=logged.operation_id, time=logged.time, outcome=logged.outcome)
            calls.append((logged.user_id, call))
    if not calls and not unmatched:
        raise ValueError(first_malformed or f"{path}: must tell of at least one call, it is empty.")
    report = LogReport(
        lines=len(calls) + unmatched.total() + malformed,
        matched=len(calls),
        unmatched=unmatched.total(),
        malformed=malformed,
        common_unmatched=tuple(unmatched.most_common(_SHOWN)),
        first_malformed=first_malformed,
    )
    return cut_sessions(calls, idle=idle), report
