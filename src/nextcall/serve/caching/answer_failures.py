"""Failures of answers that are computed: what those who wait for one in other workers hear."""

import json
from typing import Final

from nextcall.cache.failures import SharedFailureError
from nextcall.serve.problems import RefusedError, UnsafeError

_OWN: Final = (TimeoutError, MemoryError, RefusedError)
"""What is of the one who computed, or of its worker: its time, its room, what it sent."""

_UNSAFE: Final = "unsafe"
_FAULT: Final = "fault"


class AnswerFailures:
    """Tells a failure by a name out of a short list; nothing of a prompt is told.

    A refusal of the guard is told with the places and rules that were broken, any other fault by
    its name alone. What is of the one who computed alone is not told, see `Failures`.

    Examples
    --------
    >>> failures = AnswerFailures()
    >>> told = failures.told(UnsafeError([("prompt", "Should not look like sqli")]))
    >>> told
    'unsafe [["prompt", "Should not look like sqli"]]'
    >>> failures.heard(told).refusal.reasons
    ['prompt: Should not look like sqli']
    >>> failures.told(KeyError("delete the bucket")), failures.told(TimeoutError())
    ('fault', None)
    """

    def told(self, error: Exception) -> str | None:
        """Write a failure for other workers; None of what is of this one alone."""
        if isinstance(error, _OWN):
            return None
        if isinstance(error, UnsafeError):
            broken = [(each.field, each.rule) for each in error.problem.details]
            return f"{_UNSAFE} {json.dumps(broken)}"
        return _FAULT

    def heard(self, told: str) -> Exception:
        """Make the same refusal, or a fault of which this worker knows no more."""
        kind, _, text = told.partition(" ")
        refusal = _refusal(text) if kind == _UNSAFE else None
        return refusal or SharedFailureError("Another worker failed to compute the answer.")


def _refusal(text: str) -> UnsafeError | None:
    """Make a refusal of the guard; None of what is none."""
    try:
        broken = [(str(place), str(rule)) for place, rule in json.loads(text)]
    except (ValueError, TypeError):
        return None
    return UnsafeError(broken) if broken else None
