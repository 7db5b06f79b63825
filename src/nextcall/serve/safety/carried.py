"""What a request carries that is checked: places and texts."""

from collections.abc import Container, Iterable, Iterator
from http import HTTPMethod
from typing import Final

from nextcall.catalog.catalog import Catalog
from nextcall.serve.schemas import PromptAsked
from nextcall.serve.trials.schemas import TrialAsked

MOST_CALL_CHARACTERS: Final = 10_000
"""Of the unknown calls of one history that are checked in full: a hundred calls of a hundred."""

_MOST_REMEMBERED: Final = 20_000  # hashes, of 28 bytes and a place in a set
_METHODS: Final = frozenset(HTTPMethod)


class KnownCalls:
    """Calls that need no check: as the catalogue writes them, and those found harmless lately.

    A session sends its calls again and again. What was found harmless is kept as a hash, keyed by
    the process, never as a text; the older half is forgotten where there are too many.

    Parameters
    ----------
    catalog : Catalog
        That is ranked.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> get = describe_operation(operation_id="getUser", method="GET", path="/users/{id}")
    >>> known = KnownCalls(Catalog("users", (get,)))
    >>> "GET /users/{id}" in known, "/users/1" in known
    (True, False)
    >>> known.remember(["/users/1"])
    >>> "/users/1" in known
    True
    """

    def __init__(self, catalog: Catalog) -> None:
        calls = {one.operation_id for one in catalog.operations}
        calls.update(one.api_call for one in catalog.operations)
        calls.update(one.path for one in catalog.operations if one.path)
        self._written = frozenset(calls)
        self._newer: set[int] = set()
        self._older: set[int] = set()

    def __contains__(self, call: object) -> bool:
        if call in self._written:
            return True
        digest = hash(call)
        return digest in self._newer or digest in self._older

    def remember(self, calls: Iterable[str]) -> None:
        """Keep calls that were found harmless."""
        newer = self._newer
        newer.update(map(hash, calls))
        if len(newer) >= _MOST_REMEMBERED // 2:
            self._older, self._newer = newer, set()


def texts_of_request(
    request: PromptAsked, *, known: Container[str], max_history: int
) -> Iterator[tuple[str, str]]:
    """Yield the prompt, and the calls of the history that are used and not known word for word.

    Each call once, the newest first. What is beyond `MOST_CALL_CHARACTERS` is looked at for null
    bytes only: a call that the catalogue does not know is counted, and reaches nothing.

    Parameters
    ----------
    request : PromptAsked
        As it was read.
    known : container of str
        Calls that need no check.
    max_history : int
        Newest calls that are used.
    """
    yield "prompt", request.prompt
    left = MOST_CALL_CHARACTERS
    seen: set[str] = set()
    first = max(len(request.history) - max_history, 0)
    for number in range(len(request.history) - 1, first - 1, -1):
        call = request.history[number].api_call
        text = _without_method(call)
        if call in known or text in known or text in seen:
            continue
        seen.add(text)
        left -= len(text)
        if left >= 0:
            yield f"history.{number}.api_call", text
        elif "\x00" in text:
            yield f"history.{number}.api_call", "\x00"


def texts_of_trial(asked: TrialAsked) -> Iterator[tuple[str, object]]:
    """Yield the texts of a test's definition that its sender chose, configurations whole."""
    yield "test_name", asked.test_name
    yield "control_variant_id", asked.control_variant_id
    yield "primary_metric", asked.primary_metric
    for number, variant in enumerate(asked.variants):
        yield f"variants.{number}.variant_id", variant.variant_id
        yield f"variants.{number}.variant_name", variant.variant_name
        yield f"variants.{number}.configuration", variant.configuration


def _without_method(call: str) -> str:
    """Leave the path of ``HEAD /path``: the names of some methods are commands of a shell."""
    method, _, path = call.partition(" ")
    return path if method.upper() in _METHODS and path else call
