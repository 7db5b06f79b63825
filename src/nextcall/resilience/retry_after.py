"""When a server that was asked too often wants to be asked again."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_SECONDS: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_MOST: Final = 1e9  # seconds


def retry_after(error: BaseException, *, now: datetime | None = None) -> float | None:
    """Give the seconds that an error says to wait; none where it says nothing that can be read.

    The error's own attribute ``retry_after`` in seconds, else the header of its ``response``:
    seconds, or a date, from which the date of the answer is taken, where it has one.

    Parameters
    ----------
    error : BaseException
    now : datetime, optional
        For an answer without a date; the clock's where it is not given.

    References
    ----------
    RFC 9110, section 10.2.3.

    Examples
    --------
    >>> import httpx
    >>> answer = httpx.Response(429, headers={"Retry-After": "120"})
    >>> retry_after(httpx.HTTPStatusError("", request=httpx.Request("GET", "/"), response=answer))
    120.0
    """
    own = getattr(error, "retry_after", None)
    if isinstance(own, int | float) and not isinstance(own, bool):
        return float(min(own, _MOST)) if own >= 0 else None
    said = (header_of(error, "retry-after") or "").strip()
    if _SECONDS.fullmatch(said):
        return min(float(said), _MOST)
    at = _date(said)
    if at is None:
        return None
    asked = _date(header_of(error, "date") or "") or now or datetime.now(UTC)
    return max(0.0, (at - asked).total_seconds())


def header_of(error: BaseException, name: str) -> str | None:
    """Give a header of the answer that an error carries; its name in small letters.

    Examples
    --------
    >>> header_of(ValueError(), "date") is None
    True
    """
    headers = getattr(getattr(error, "response", None), "headers", None)
    if not isinstance(headers, Mapping):
        return None
    return next((str(value) for key, value in headers.items() if str(key).lower() == name), None)


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
