"""Logs as lines of JSON: one form for the service's own events and those of the libraries."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol, Self, TypeAlias, cast

import structlog

from nextcall.telemetry.log_entries import (
    ACCESS,
    OURS,
    entry,
    entry_of_record,
    render,
    request_line,
)
from nextcall.telemetry.log_fields import Field
from nextcall.telemetry.log_file import LogFile, LogStream

Level: TypeAlias = Literal["debug", "info", "warning", "error"]

_LEVELS: Final = logging.getLevelNamesMapping()
_UVICORN: Final = ("uvicorn", "uvicorn.error", ACCESS)
_STDERR: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Where the lines go, and which."""

    folder: Path | None = None
    """Of ``nextcall.jsonl``; standard error where none is given."""
    level: Level = "info"
    """Of the service and its server; other libraries tell warnings and errors only."""
    most_bytes: int = 100_000_000
    keep_days: float = 30


class EventLog(Protocol):
    """Tells events: a name, and fields of known names (`FIELDS`); others are left out."""

    def debug(self, event: str, **fields: Field) -> None:
        """Tell what helps to find a fault."""

    def info(self, event: str, **fields: Field) -> None:
        """Tell what happened."""

    def warning(self, event: str, **fields: Field) -> None:
        """Tell what may become a fault."""

    def error(self, event: str, **fields: Field) -> None:
        """Tell a fault."""

    def exception(self, event: str, **fields: Field) -> None:
        """Tell a fault with the kind and the place of the exception that is being handled."""


class Logs:
    """Lines of JSON of this process; made by `open_logs`."""

    def __init__(self, settings: LogSettings, *, clock: Callable[[], float]) -> None:
        if settings.folder is None:
            self._lines: LogFile | LogStream = LogStream(_STDERR)
        else:
            settings.folder.mkdir(parents=True, exist_ok=True)
            self._lines = LogFile(
                settings.folder / "nextcall.jsonl",
                most_bytes=settings.most_bytes,
                keep_days=settings.keep_days,
                clock=clock,
            )
        self._clock = clock
        self._level = level = _LEVELS[settings.level.upper()]
        self._bound = structlog.make_filtering_bound_logger(level)
        self._failed = 0
        self._handler = _Handler(self._tell)
        self._handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                processors=[entry_of_record, render], pass_foreign_args=True
            )
        )
        self._before = [_state(name) for name in ("", *OURS, *_UVICORN)]
        root = logging.getLogger()
        root.addHandler(self._handler)
        root.setLevel(logging.WARNING)
        for name in _UVICORN:  # which may have handlers of its own
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [], True
        for name in OURS:
            logging.getLogger(name).setLevel(level)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def lost(self) -> int:
        """Lines that were not written, for the disk was full or they could not be made."""
        return self._lines.lost + self._failed

    def logger(self, name: str) -> EventLog:
        """Give what tells events under a name, such as that of the module.

        Examples
        --------
        >>> import json
        >>> from tempfile import TemporaryDirectory
        >>> from nextcall.telemetry.log_entries import request_of
        >>> with TemporaryDirectory() as folder:
        ...     with open_logs(LogSettings(folder=Path(folder))) as logs, request_of("r1"):
        ...         logs.logger("nextcall.serve").info("model loaded", seconds=1.5, prompt="no")
        ...     line = json.loads(Path(folder, "nextcall.jsonl").read_text())
        >>> line["message"], line["context"], line["request_id"]
        ('model loaded', {'seconds': 1.5, 'left_out': 1}, 'r1')
        """
        made = structlog.wrap_logger(
            _Sink(self._lines), processors=[self._line], wrapper_class=self._bound
        )
        return cast("EventLog", made.bind(logger=name))

    def tells(self, level: Level) -> bool:
        """Say whether lines of a level are written."""
        return _LEVELS[level.upper()] >= self._level

    def tell_request(
        self, *, method: str, route: str, status: int, seconds: float, request_id: str
    ) -> None:
        """Write the line of a request that was answered, as fast as it goes.

        Parameters
        ----------
        method, route : str
            As a table of routes has them: they are written as they are.
        status : int
        seconds : float
            That it took.
        request_id : str
            Letters, digits, dots, hyphens and underscores.
        """
        line = request_line(
            moment=self._clock(),
            method=method,
            route=route,
            status=status,
            seconds=seconds,
            thread=threading.current_thread().name,
            request_id=request_id,
        )
        self._lines.write(line)

    def close(self) -> None:
        """Leave the loggers as they were."""
        root = logging.getLogger()
        root.removeHandler(self._handler)
        for name, level, handlers, propagate in self._before:
            logger = logging.getLogger(name)
            logger.setLevel(level)
            if name in _UVICORN:
                logger.handlers, logger.propagate = handlers, propagate
        self._before = []
        self._lines.close()

    def _line(self, _: object, level: str, event: Any) -> str:
        """Make the line of an event of our own."""
        try:
            error, logger, message = (
                event.pop("exc_info", None),
                event.pop("logger"),
                event.pop("event"),
            )
            made = entry(
                moment=self._clock(),
                level=level,
                logger=logger,
                message=str(message),
                fields=event,
                error=error,
                thread=threading.current_thread().name,
            )
            return render(None, level, made)
        except Exception as error:  # a line must break no request; it is counted
            self._failed += 1
            raise structlog.DropEvent from error

    def _tell(self, record: logging.LogRecord) -> None:
        """Write a record of the standard library."""
        try:
            line = self._handler.format(record)
        except Exception:  # noqa: BLE001  # as above
            self._failed += 1
            return
        self._lines.write(line.encode("ascii"))


def open_logs(settings: LogSettings, *, clock: Callable[[], float] = time.time) -> Logs:
    """Begin to log; to be closed.

    All loggers of the standard library go the same way, uvicorn's too: give it ``log_config=None``.

    Parameters
    ----------
    settings : LogSettings
        Where to, and what.
    clock : callable
        Seconds since 1970.

    Raises
    ------
    OSError
        Where the folder cannot be made.
    """
    return Logs(settings, clock=clock)


class _Sink:
    """What a bound logger hands its line to."""

    def __init__(self, lines: LogFile | LogStream) -> None:
        self._lines = lines

    def debug(self, line: str) -> None:
        self._lines.write(line.encode("ascii"))

    info = warning = error = critical = debug


class _Handler(logging.Handler):
    """Hands the records of the standard library's loggers on."""

    def __init__(self, tell: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(record)


def _state(name: str) -> tuple[str, int, list[logging.Handler], bool]:
    logger = logging.getLogger(name)
    return name, logger.level, logger.handlers, logger.propagate
