"""What a request carries that is checked: places and texts."""

from collections.abc import Iterator
from http import HTTPMethod
from typing import Final

from nextcall.catalog.catalog import Catalog
from nextcall.serve.schemas import PredictRequest
from nextcall.serve.trial_schemas import TrialAsked

MOST_CALL_CHARACTERS: Final = 10_000
"""Of the unknown calls of one history that are checked in full: a hundred calls of a hundred."""

_METHODS: Final = frozenset(HTTPMethod)


def calls_of(catalog: Catalog) -> frozenset[str]:
    """Give each way in which a catalogue itself writes a call; those need no check."""
    calls = {one.operation_id for one in catalog.operations}
    calls.update(one.api_call for one in catalog.operations)
    calls.update(one.path for one in catalog.operations if one.path)
    return frozenset(calls)


def texts_of_request(
    request: PredictRequest, *, known: frozenset[str], max_history: int
) -> Iterator[tuple[str, str]]:
    """Yield the prompt, and the calls of the history that are used and not known word for word.

    Each call once, the newest first. What is beyond `MOST_CALL_CHARACTERS` is looked at for null
    bytes only: a call that the catalogue does not know is counted, and reaches nothing.

    Parameters
    ----------
    request : PredictRequest
        As it was read.
    known : frozenset of str
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
        if call in known or call in seen:
            continue
        seen.add(call)
        left -= len(call)
        if left >= 0:
            yield f"history.{number}.api_call", _without_method(call)
        elif "\x00" in call:
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
