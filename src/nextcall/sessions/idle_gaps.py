"""Sessions cut from a stream of calls: a user who pauses long enough begins a new one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from nextcall.sessions.call import Call, Session

IDLE: Final = timedelta(minutes=30)
"""The usual gap: Catledge & Pitkow (1995), Computer Networks 27(6), measured 25.5 minutes on web
users, and log analysers have rounded it to 30 ever since."""

_CLIENT_GAVE_UP: Final = frozenset({0, 499})  # a browser's aborted request; nginx's closed one


def cut_sessions(calls: Iterable[tuple[str, Call]], *, idle: timedelta = IDLE) -> list[Session]:
    """Put the calls of each user in order of time, and cut where two are more than `idle` apart.

    Calls of one moment stay in the order in which they come. A call that worked right after the
    same operation failed in its session becomes a ``retry``.

    Parameters
    ----------
    calls : iterable of (user id, Call)
        In any order; the time of every call must be known.
    idle : datetime.timedelta
        Above 0.

    Returns
    -------
    list of Session
        By their first call, then by user. A session's id is its user's with the time of its first
        call, so the same log read twice, or in parts, gives the same ids.

    Raises
    ------
    ValueError
        Where `idle` is not above 0, or a call's time is not known.

    Examples
    --------
    >>> noon = datetime.fromisoformat("2024-05-01T12:00:00+00:00")
    >>> calls = [
    ...     ("ann", Call(operation_id="list", time=noon)),
    ...     ("ann", Call(operation_id="get", time=noon + timedelta(minutes=29))),
    ...     ("ann", Call(operation_id="list", time=noon + timedelta(minutes=60))),
    ... ]
    >>> [(session.session_id, len(session.calls)) for session in cut_sessions(calls)]
    [('ann@2024-05-01T12:00:00+00:00', 2), ('ann@2024-05-01T13:00:00+00:00', 1)]
    """
    if idle <= timedelta(0):
        raise ValueError(f"idle must be above 0, got {idle}.")
    by_user: dict[str, list[tuple[datetime, Call]]] = {}
    for user_id, call in calls:
        if call.time is None:
            raise ValueError(f"calls must have a time, {call.operation_id!r} has none.")
        by_user.setdefault(user_id, []).append((call.time, call))
    starts = [
        (row[0][0], user_id, tuple(mark_retries([call for _, call in row])))
        for user_id, timed in by_user.items()
        for row in _rows(sorted(timed, key=lambda pair: pair[0]), idle)
    ]
    starts.sort(key=lambda start: start[:2])
    return [
        Session(session_id=f"{user_id}@{start.isoformat()}", user_id=user_id, calls=row)
        for start, user_id, row in starts
    ]


def mark_retries(calls: Sequence[Call]) -> list[Call]:
    """Make a ``retry`` of every call that worked right after the same operation failed.

    Examples
    --------
    >>> failed, worked = Call(operation_id="get", outcome="error"), Call(operation_id="get")
    >>> [call.outcome for call in mark_retries([failed, worked, worked])]
    ['error', 'retry', 'ok']
    """
    marked = list(calls[:1])
    for before, call in pairwise(calls):
        again = before.outcome == "error" and before.operation_id == call.operation_id
        marked.append(replace(call, outcome="retry") if again and call.outcome == "ok" else call)
    return marked


def http_outcome(status: int) -> str:
    """Give the outcome that an HTTP status tells.

    ``abandoned`` for 0 and 499, which logs write where the caller left before the answer.

    Examples
    --------
    >>> [http_outcome(status) for status in (200, 304, 404, 503, 499)]
    ['ok', 'ok', 'error', 'error', 'abandoned']
    """
    if status in _CLIENT_GAVE_UP:
        return "abandoned"
    return "error" if status >= 400 else "ok"


def _rows(
    timed: list[tuple[datetime, Call]], idle: timedelta
) -> Iterator[list[tuple[datetime, Call]]]:
    begin = 0
    for position in range(1, len(timed)):
        if timed[position][0] - timed[position - 1][0] > idle:
            yield timed[begin:position]
            begin = position
    yield timed[begin:]
