"""Sessions from web servers' access logs in the Common or the Combined format."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from nextcall.catalog import Catalog
from nextcall.catalog.paths import CallMatcher
from nextcall.progress import Progress, silent
from nextcall.sessions.call import Session
from nextcall.sessions.idle_gaps import IDLE, http_outcome
from nextcall.sessions.log_files import log_lines
from nextcall.sessions.logged_calls import LoggedCall, LogReport, gather_sessions

_LINE: Final = re.compile(
    r"(?P<host>\S+) (?P<ident>\S+) (?P<user>.+?) \[(?P<time>[^\]]*)\] "
    r'"(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}|0) (?P<size>\d+|-)'
    r'(?: "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*")?(?: .*)?'
)
_REQUEST: Final = re.compile(r"(?P<method>[A-Za-z]+) (?P<target>\S+)(?: HTTP/\d(?:\.\d)?)?")
_TIME: Final = re.compile(
    r"(\d{2})/([A-Z][a-z]{2})/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})"
)
_MONTHS: Final = {  # English in every server's log, whatever the reader's locale
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(.))")
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}


def read_access_log(
    path: Path, catalog: Catalog, *, idle: timedelta = IDLE, progress: Progress = silent
) -> tuple[list[Session], LogReport]:
    r"""Read the requests of an access log that are calls of a catalogue.

    A line is ``client ident user [time] "METHOD target HTTP/x" status size``, with
    ``"referer" "user agent"`` and whatever a server appends after it where it writes the Combined
    format. Inside quotes ``\"``, ``\\`` and ``\xhh`` are read as Apache and nginx write them.

    Parameters
    ----------
    path : Path
        The log, gzipped or not.
    catalog : Catalog
        Paths are matched to its templates.
    idle : datetime.timedelta
        A longer pause begins a new session.
    progress : Progress
        Shows the lines as they are read.

    Returns
    -------
    list of Session
        By time. The user is the one that the server authenticated, else the client's address.
    LogReport
        Counts lines; blank ones are passed over.

    Raises
    ------
    ValueError
        Where no line of the file can be read.
    OSError
        Where it cannot be opened.
    """
    matcher = CallMatcher(catalog)

    def parse(numbered: tuple[int, str]) -> LoggedCall:
        number, line = numbered
        place = f"{path}:{number}"
        fields = _LINE.fullmatch(line)
        if fields is None:
            raise ValueError(f"{place}: must have the Common or Combined format, got {_cut(line)}.")
        request = _REQUEST.fullmatch(_unescaped(fields["request"]))
        if request is None:
            raise ValueError(f"{place}: must hold an HTTP request, got {_cut(fields['request'])}.")
        method, target = request["method"].upper(), request["target"]
        operation = matcher.match(target, method=method)
        return LoggedCall(
            user_id=fields["host"] if fields["user"] == "-" else _unescaped(fields["user"]),
            name=f"{method} {target.partition('?')[0]}",
            operation_id=operation.operation_id if operation else None,
            time=_time(fields["time"], place),
            outcome=http_outcome(int(fields["status"])),
        )

    lines = progress(_numbered(path), description="Reading access log")
    return gather_sessions(lines, parse, path=path, idle=idle)


def _numbered(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(log_lines(path), start=1):
        if line.strip():
            yield number, line


def _time(text: str, place: str) -> datetime:
    match = _TIME.fullmatch(text)
    try:
        if match is None or match[2] not in _MONTHS:
            raise ValueError(text)  # noqa: TRY301  # one rule, one message
        day, year, hour, minute, second = (int(match[group]) for group in (1, 3, 4, 5, 6))
        offset = timedelta(hours=int(match[8]), minutes=int(match[9]))
        zone = timezone(-offset if match[7] == "-" else offset)
        local = datetime(year, _MONTHS[match[2]], day, hour, minute, second, tzinfo=zone)
        return local.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{place}: time must be like 10/Oct/2000:13:55:36 -0700, got {_cut(text)}."
        ) from error


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(
        lambda match: chr(int(match[1], 16)) if match[1] else _ESCAPED.get(match[2], match[2]), text
    )


def _cut(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
