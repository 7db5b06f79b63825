"""What one would rather not read: swear words, and patterns of one's own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from nextcall.guard.guard import Action, Policy

_FILE: Final = Path(__file__).parent / "data" / "swear_words.txt"
_WORD: Final = re.compile(r"[^\W\d_]+")
_LONGEST_PATTERN: Final = 1_000
_MOST_CHARACTERS: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentVerdict:
    """What was met in a text.

    Attributes
    ----------
    swear_words : int
        How many, each time counted.
    patterns : tuple of int
        Places of the patterns that were met, in the list that was given.
    action : str
        What becomes of the text.
    """

    swear_words: int
    patterns: tuple[int, ...]
    action: Action


# Most texts have nothing: one verdict serves them all.
_NOTHING_MET: Final = ContentVerdict(swear_words=0, patterns=(), action="pass")


class ContentCheck:
    r"""Counts swear words, and looks for blocked patterns.

    Parameters
    ----------
    most_swear_words : int
        From one more than this many a text is treated by `policy`.
    policy : {"observe", "flag", "block"}
        What becomes of a text with too many swear words.
    blocked : sequence of str
        Regular expressions, in any case; a text that has one is refused whatever the policy.

    Raises
    ------
    ValueError
        Where a pattern cannot be read or is longer than 1,000 characters, `most_swear_words` is
        below 0 or `policy` is unknown.

    Examples
    --------
    >>> check = ContentCheck(blocked=[r"project\s+x"])
    >>> check.judge("Tell me about Project X").action
    'block'
    """

    def __init__(
        self,
        *,
        most_swear_words: int = 1,
        policy: Policy = "flag",
        blocked: Sequence[str] = (),
    ) -> None:
        if most_swear_words < 0:
            raise ValueError(f"most_swear_words must be at least 0, got {most_swear_words}.")
        if policy not in {"observe", "flag", "block"}:
            raise ValueError(f"policy must be observe, flag or block, got {policy!r}.")
        self._most = most_swear_words
        self._action: Action = "pass" if policy == "observe" else policy
        self._blocked = [_compiled(place, pattern) for place, pattern in enumerate(blocked)]

    def judge(self, text: str) -> ContentVerdict:
        """Judge a text, its first 100,000 characters."""
        lowered = text[:_MOST_CHARACTERS].lower()
        known = _swear_words()
        words = _WORD.findall(lowered)
        if known.isdisjoint(words) and not self._blocked:
            return _NOTHING_MET
        count = sum(word in known for word in words)
        patterns = [place for place, one in enumerate(self._blocked) if one.search(lowered)]
        action: Action = self._action if count > self._most else "pass"
        return ContentVerdict(
            swear_words=count, patterns=tuple(patterns), action="block" if patterns else action
        )


def _compiled(place: int, pattern: str) -> re.Pattern[str]:
    if len(pattern) > _LONGEST_PATTERN:
        raise ValueError(
            f"blocked[{place}] must have at most {_LONGEST_PATTERN} characters, has {len(pattern)}."
        )
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"blocked[{place}] must be a regular expression: {error}.") from None


@cache
def _swear_words() -> frozenset[str]:
    return frozenset(_FILE.read_text(encoding="utf-8").split())
