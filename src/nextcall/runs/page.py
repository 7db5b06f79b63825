"""The templates of the pages, and how they write what is not text."""

from datetime import datetime
from pathlib import Path

import jinja2

_TEMPLATES = Path(__file__).parent / "data"


def environment() -> jinja2.Environment:
    """Give the templates of this room; everything is escaped that is not marked safe."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    templates.filters["date"] = read_date
    templates.filters["duration"] = read_duration
    return templates


def read_date(timestamp: str) -> str:
    """Write a UTC time of a manifest for a reader.

    Examples
    --------
    >>> read_date("2026-03-01T08:05:00+00:00")
    '1 March 2026, 08:05 UTC'
    """
    return datetime.fromisoformat(timestamp).strftime("%d %B %Y, %H:%M UTC").lstrip("0")


def read_duration(seconds: float) -> str:
    """Write a duration for a reader.

    Examples
    --------
    >>> [read_duration(seconds) for seconds in (3.64, 42.2, 192.0)]
    ['3.6 s', '42 s', '3 min 12 s']
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
