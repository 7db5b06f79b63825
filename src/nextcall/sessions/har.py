"""Sessions from HAR 1.2 files: what a browser or proxy recorded of one user's requests."""

from datetime import timedelta
from pathlib import Path

from nextcall.catalog import Catalog
from nextcall.catalog.paths import CallMatcher
from nextcall.progress import Progress, silent
from nextcall.sessions.call import Session
from nextcall.sessions.fields import json_object
from nextcall.sessions.idle_gaps import IDLE, http_outcome
from nextcall.sessions.log_files import log_json
from nextcall.sessions.logged_calls import LoggedCall, LogReport, gather_sessions

_NAME_LENGTH = 200  # a URL can hold a whole picture


def read_har(
    path: Path,
    catalog: Catalog,
    *,
    user_id: str | None = None,
    idle: timedelta = IDLE,
    progress: Progress = silent,
) -> tuple[list[Session], LogReport]:
    """Read the requests of a HAR file that are calls of a catalogue.

    Parameters
    ----------
    path : Path
        One HAR 1.2 file, gzipped or not.
    catalog : Catalog
        Paths are matched to its templates, whatever their host.
    user_id : str, optional
        Whose requests these are; by default the file's name without its suffix.
    idle : datetime.timedelta
        A longer pause begins a new session.
    progress : Progress
        Shows the entries as they are read.

    Returns
    -------
    list of Session
        By time; other requests, such as for pictures, are left out.
    LogReport
        Counts entries.

    Raises
    ------
    ValueError
        Where the file is no HAR file, or no entry of it can be read.
    OSError
        Where it cannot be read.

    References
    ----------
    Odvarka (2012), HTTP Archive 1.2.
    """
    archive = json_object(str(path), log_json(path)).child("log")
    if "entries" not in archive.values:
        raise archive.error("entries", "must be there in a HAR file", None)
    entries = list(enumerate(archive.items("entries")))
    matcher = CallMatcher(catalog)
    user = Path(path.name.removesuffix(".gz")).stem if user_id is None else user_id

    def parse(numbered: tuple[int, object]) -> LoggedCall:
        number, value = numbered
        entry = json_object(f"{path}: log.entries[{number}]", value)
        request = entry.child("request")
        method, url = request.text("method").upper(), request.text("url")
        time = entry.time("startedDateTime")
        if time is None:
            raise entry.error("startedDateTime", "must be an ISO 8601 time", None)
        operation = matcher.match(url, method=method)
        return LoggedCall(
            user_id=user,
            name=f"{method} {url.partition('?')[0][:_NAME_LENGTH]}",
            operation_id=operation.operation_id if operation else None,
            time=time,
            outcome=http_outcome(entry.child("response").integer("status")),
        )

    shown = progress(entries, description="Reading HAR", total=len(entries))
    return gather_sessions(shown, parse, path=path, idle=idle)
