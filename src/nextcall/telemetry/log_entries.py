"""One line of the log: what it tells of an event, of a record, and of an exception."""

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from nextcall.telemetry.log_fields import (
    FIELDS,
    Field,
    known_fields,
    without_secrets,
    without_shapes,
)

OURS: Final = ("nextcall", "uvicorn")
"""Loggers whose messages are told with their values."""
ACCESS: Final = "uvicorn.access"

_OF_ACCESS: Final = 5  # values of a line of uvicorn's about a request
_LONGEST_MESSAGE: Final = 500
_MOST_FRAMES: Final = 20

_MADE: Final = re.compile(r"[0-9a-f]{32}")  # by the service itself
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


class _Named:
    """The time in which lines belong to a request; a generator would take three times as long."""

    __slots__ = ("_request_id", "_token")

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def __enter__(self) -> None:
        self._token = _request_id.set(self._request_id)

    def __exit__(self, *_: object) -> None:
        _request_id.reset(self._token)


def request_of(request_id: str) -> AbstractContextManager[None]:
    """Name the request that all lines within belong to, in this task and the threads it asks."""
    return _Named(request_id)


def entry_of_record(_: object, __: str, event: Any) -> dict[str, Any]:
    """Make a line of a record of the standard library; a processor of structlog."""
    record: logging.LogRecord = event["_record"]
    message, arguments = event["event"], event.get("positional_args")
    fields = {name: record.__dict__[name] for name in FIELDS & record.__dict__.keys()}
    if record.name == ACCESS and isinstance(arguments, tuple) and len(arguments) == _OF_ACCESS:
        _, method, path, _, status = arguments  # no address
        message = "request"
        fields |= {"method": method, "route": path.partition("?")[0], "status": status}
    elif record.name.partition(".")[0] not in OURS:
        message = str(record.msg) if arguments else message  # values may be anybody's words
    return entry(
        moment=record.created,
        level=record.levelname.lower(),
        logger=record.name,
        message=message,
        fields=fields,
        error=event.get("exc_info"),
        thread=str(record.threadName),
    )


def entry(
    *,
    moment: float,
    level: str,
    logger: str,
    message: str,
    fields: Mapping[str, object],
    error: object,
    thread: str,
) -> dict[str, Any]:
    """Make the line of an event: all that it may tell, in the order in which it is written.

    Examples
    --------
    >>> made = entry(
    ...     moment=0.0, level="info", logger="a", message="key nc_0123456789abcdefghij made",
    ...     fields={"count": 1}, error=None, thread="main")
    >>> made["timestamp"], made["message"], made["context"]
    ('1970-01-01T00:00:00.000Z', 'key [removed] made', {'count': 1})
    """
    context: dict[str, Field]
    context, left_out = known_fields(fields)
    if left_out:
        context["left_out"] = left_out
    request_id = _request_id.get()
    made: dict[str, Any] = {
        "timestamp": f"{_second(int(moment))}.{int(moment % 1 * 1000):03d}Z",
        "level": level,
        "logger": logger,
        "message": without_secrets(message, longest=_LONGEST_MESSAGE),
        "context": context,
        "thread": thread,
        "process": os.getpid(),
        "request_id": None if request_id is None else _shown(request_id),
    }
    if error:
        made["exception"] = _kinds_and_places(error)
    return made


def request_line(
    *,
    moment: float,
    method: str,
    route: str,
    status: int,
    seconds: float,
    thread: str,
    request_id: str,
) -> bytes:
    """Write the line of a request, as `entry` and `render` would; all texts need no escape.

    Examples
    --------
    >>> line = request_line(
    ...     moment=0.0, method="GET", route="/health", status=200, seconds=0.0015, thread="main",
    ...     request_id="r1")
    >>> json.loads(line)["context"]
    {'method': 'GET', 'route': '/health', 'status': 200, 'milliseconds': 1.5}
    """
    second = int(moment)
    return b'%b.%03dZ%b%b%b%b"}\n' % (
        _begun(second),
        int((moment - second) * 1000),
        _middle(method, route, status),
        repr(round(1000 * seconds, 3)).encode(),
        _end(thread, os.getpid()),
        _shown(request_id).encode(),
    )


@lru_cache(maxsize=4)
def _begun(second: int) -> bytes:
    return f'{{"timestamp":"{_second(second)}'.encode()


@lru_cache(maxsize=1024)
def _middle(method: str, route: str, status: int) -> bytes:
    return (
        '","level":"info","logger":"nextcall.serve","message":"request",'
        f'"context":{{"method":"{method}","route":"{route}","status":{status},"milliseconds":'
    ).encode()


@lru_cache(maxsize=64)
def _end(thread: str, process: int) -> bytes:
    return f'}},"thread":"{thread}","process":{process},"request_id":"'.encode()


def _shown(request_id: str) -> str:
    """Give an id of a request; one that came with it may be a key that somebody put there."""
    return request_id if _MADE.fullmatch(request_id) else without_shapes(request_id)


@lru_cache(maxsize=4)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]


def _kinds_and_places(error: object) -> list[dict[str, object]]:
    """Tell an exception and what it came from, never with their words: they may be a prompt's."""
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    told: list[dict[str, object]] = []
    while isinstance(error, BaseException) and len(told) < _MOST_FRAMES:
        places = [
            f"{Path(frame.f_code.co_filename).name}:{line} {frame.f_code.co_name}"
            for frame, line in traceback.walk_tb(error.__traceback__)
        ]
        told.append({"type": type(error).__qualname__, "places": places[-_MOST_FRAMES:]})
        error = error.__cause__ or error.__context__
    return told


def render(_: object, __: str, made: Any) -> str:
    """Write a line as JSON; a processor of structlog."""
    return _encode(made) + "\n"
