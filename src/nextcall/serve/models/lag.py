"""A worker that answers by another version than it should, and when it tries again."""

from dataclasses import dataclass
from typing import Final

from nextcall.ranking.model_versions import Version

FIRST_WAIT: Final = 2.0
LONGEST_WAIT: Final = 300.0
"""Seconds between two tries: twice as long each time, from the first to the longest."""

_DOUBLINGS: Final = 60  # a larger power would overflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """What keeps a worker behind, for now."""

    serves: Version
    should: Version
    """As far as it is known."""
    reason: str
    tries: int
    """So far, in vain."""
    again: float
    """When it is tried the next time, on the clock of whoever made this."""

    def left(self, now: float) -> float:
        """Give the seconds until the next try, at least 0."""
        return max(0.0, self.again - now)


def wait_after(tries: int) -> float:
    """Give the seconds that are waited after so many tries.

    Examples
    --------
    >>> [wait_after(tries) for tries in (1, 2, 3, 100)]
    [2.0, 4.0, 8.0, 300.0]
    """
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(tries - 1, _DOUBLINGS))
