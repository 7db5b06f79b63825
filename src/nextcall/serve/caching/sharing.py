"""Which answers HTTP lets a cache keep and share, as RFC 9111 says: read from their headers."""

from collections.abc import Sequence
from typing import Final

from starlette.types import Message

Headers = Sequence[tuple[bytes, bytes]]

_CREDENTIALS: Final = (b"authorization", b"x-api-key", b"cookie")
_FORBIDS: Final = frozenset({"no-store", "private", "no-cache"})


def joined(headers: Headers) -> dict[bytes, bytes]:
    """Give headers by name, in lower case; those that stand twice as one list.

    Examples
    --------
    >>> joined([(b"Vary", b"accept"), (b"vary", b"host")])
    {b'vary': b'accept, host'}
    """
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        key = name.lower()
        found[key] = found[key] + b", " + value if key in found else value
    return found


def directives(headers: dict[bytes, bytes], name: bytes) -> set[str]:
    """Give what a header lists, in lower case."""
    listed = headers.get(name, b"").decode("latin-1").split(",")
    return {each.strip().lower() for each in listed} - {""}


def has_credential(headers: dict[bytes, bytes]) -> bool:
    """Tell whether a request says who sends it."""
    return any(name in headers for name in _CREDENTIALS)


def varying(told: dict[bytes, bytes]) -> tuple[bytes, ...]:
    """Give the headers of a request by which an answer varies."""
    return tuple(sorted(name.encode("latin-1") for name in directives(told, b"vary")))


def is_public(told: dict[bytes, bytes]) -> bool:
    """Tell whether an answer may be given to everybody, whoever it was made for."""
    return bool({"public", "s-maxage"} & set(_stated(told)))


def lifetime(told: dict[bytes, bytes], otherwise: float) -> float:
    """Give the seconds for which an answer says that it is fresh, `otherwise` where it says none.

    Zero where what it says cannot be read.

    Examples
    --------
    >>> lifetime({b"cache-control": b"max-age=60", b"age": b"10"}, 300.0)
    50.0
    """
    said = _stated(told)
    stated = said.get("s-maxage", said.get("max-age"))
    if stated is None:
        return otherwise
    stated, age = stated.strip('"'), told.get(b"age", b"0")
    if not (stated.isascii() and stated.isdigit() and age.isdigit()):
        return 0.0
    return max(0.0, float(stated[:18]) - float(age[:18]))


def is_storable(answer: Message, *, shown: bool) -> bool:
    """Tell whether an answer may be kept.

    Parameters
    ----------
    answer : message
        Its begin.
    shown : bool
        Whether the request showed a credential.
    """
    if answer["status"] != 200 or answer.get("trailers", False):
        return False
    told = joined(answer.get("headers", ()))
    said = _stated(told)
    if _FORBIDS & set(said) or b"set-cookie" in told or b"*" in varying(told):
        return False
    if b"expires" in told and not {"max-age", "s-maxage"} & set(said):  # a date, which is not read
        return False
    return lifetime(told, 1.0) > 0 and (is_public(told) or not shown)


def _stated(told: dict[bytes, bytes]) -> dict[str, str]:
    return dict(each.partition("=")[::2] for each in directives(told, b"cache-control"))
