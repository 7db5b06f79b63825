"""What a log line and a span may tell: fields of known names, without what looks like a secret."""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

Field: TypeAlias = str | int | float | bool | None

FIELDS: Final = frozenset(
    {
        "action", "attempt", "bytes", "cache", "calls", "candidates", "catalog", "check", "code",
        "confident", "count", "endpoint", "environment", "error_type", "experiment", "failures",
        "family", "function", "host", "job_id", "key_id", "kind", "limit", "lost", "method",
        "milliseconds", "model", "operations", "outcome", "port", "predictions", "provider",
        "reason", "retry_after", "risk", "role", "route", "rows", "rule", "seconds", "severity",
        "status", "task", "test_id", "threads", "tier", "tokens", "variant", "version", "workers",
    }
)  # fmt: skip
"""Names that may be told. No prompt, text, query, body, header, path or address is among them."""

REMOVED: Final = "[removed]"

_LONGEST: Final = 200
_SHORTEST_RUN: Final = 32
_SHAPES: Final = re.compile(
    r"nc_[0-9A-Za-z]{20,}"  # a key, or a part of one
    r"|eyJ[\w-]{8,}\.[\w-]*\.?[\w-]*"  # a JSON Web Token
    r"|(?i:bearer|basic)\s+\S{8,}"
    r"|(?i:sk|pk|ghp|gho|xox[a-z]|AKIA|AIza)[-_]?[0-9A-Za-z_-]{16,}"  # keys of other services
    r"|-----BEGIN[^-]*-----.*"
    r"|(?<=://)[^/\s:@]*:[^/\s@]*(?=@)"  # a password in a URL
    r"|(?<=\?)[^\s\"'?]*=[^\s\"']*"  # the query of a URL
    r"|(?i:(?<=cookie)|(?<=authorization))[\"']?\s?[:=][^\r\n]*"  # the rest of the header
    r"|(?i:(?<=password)|(?<=secret)|(?<=token)|(?<=api.key)|(?<=apikey))"
    r"[\"']?\s?[:=]\s?[\"']?[^\s\"',;]+",  # what is named one
    re.DOTALL,
)
# Every one of them has one of these, and most lines have none: it takes a fifth of the time.
_MAYBE: Final = re.compile(r"[:=?]|-----|\S{11}|[Bb][AEae]")
# 32 and more letters with digits, but for a UUID: a key of whom we do not know.
_RUNS: Final = re.compile(
    r"(?<![\w+/=-])(?![0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![\w-]))"
    r"(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+/=-]{32,}"
)


def without_secrets(text: str, *, longest: int = _LONGEST) -> str:
    """Take out of a text what looks like a key, a token or a password, and what is too long.

    Parameters
    ----------
    text : str
        Any.
    longest : int
        Characters that are kept.

    Examples
    --------
    >>> without_secrets("asked with Bearer abcdefgh-1234")
    'asked with [removed]'
    >>> without_secrets("GET /predict?user=7")
    'GET /predict?[removed]'
    """
    kept = without_shapes(text[: 4 * longest])
    if len(kept) >= _SHORTEST_RUN:
        kept = _RUNS.sub(REMOVED, kept)
    return kept if len(kept) <= longest else f"{kept[: longest - 3]}..."


def without_shapes(text: str) -> str:
    """Take out what has the form of a known kind of key or token; long names stay.

    Examples
    --------
    >>> without_shapes("0123456789abcdef0123456789abcdef sk-0123456789abcdef")
    '0123456789abcdef0123456789abcdef [removed]'
    """
    return _SHAPES.sub(REMOVED, text) if _MAYBE.search(text) else text


def known_fields(given: Mapping[str, object]) -> tuple[dict[str, Field], int]:
    """Give the fields whose names may be told, with clean values, and how many were left out.

    Examples
    --------
    >>> known_fields({"status": 500, "route": "/predict", "prompt": "delete all"})
    ({'status': 500, 'route': '/predict'}, 1)
    """
    kept = {name: _clean(value) for name, value in given.items() if name in FIELDS}
    return kept, len(given) - len(kept)


def _clean(value: object) -> Field:
    if isinstance(value, str):
        return without_secrets(value)
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)  # JSON has no nan
    return f"({type(value).__name__})"  # its words may be anybody's
