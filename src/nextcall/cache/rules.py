"""What was invalidated lately, and which values that leaves valid."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import takewhile
from typing import Final, Generic, Literal, TypeVar

Token = TypeVar("Token")
Kind = Literal["key", "pattern", "all", "lost", "none"]
_OF_ALL: Final = frozenset[Kind]({"all", "lost"})
_WILD: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Rule:
    """Keys that are no longer valid: one, those of a pattern, or all.

    Parameters
    ----------
    kind : "key", "pattern", "all", "lost" or "none"
        Of all keys there are two: who says "all" knows that they are invalid, who says "lost" does
        not know which are.
    text : str
        The key; the pattern, as `fnmatch` reads it, with the case that counts; else empty.

    Examples
    --------
    >>> Rule("pattern", "aws:*").matches("aws:s3"), Rule("key", "aws:*").matches("aws:s3")
    (True, False)
    """

    kind: Kind
    text: str = ""

    def matches(self, key: str) -> bool:
        """Tell whether a key is among them."""
        if self.kind == "key":
            return key == self.text
        return self.kind in _OF_ALL or (self.kind == "pattern" and fnmatchcase(key, self.text))

    def concerns(self, begin: str) -> bool:
        """Tell whether there may be a key among them that begins so.

        Examples
        --------
        >>> rule = Rule("pattern", "query/[fg]*")
        >>> rule.concerns("query/"), rule.concerns("general/"), Rule("all").concerns("general/")
        (True, False, True)
        """
        if self.kind == "key":
            return self.text.startswith(begin)
        known = _known(self)
        return self.kind != "none" and (known.startswith(begin) or begin.startswith(known))


def broadened(rules: Iterable[Rule]) -> list[Rule]:
    """Give few rules that match all that these do: one for each part of names before a slash.

    Examples
    --------
    >>> broadened([Rule("pattern", "query/a*"), Rule("key", "query/b"), Rule("none")])
    [Rule(kind='pattern', text='query/*')]
    >>> broadened([Rule("pattern", "query/a*"), Rule("pattern", "*b")])
    [Rule(kind='all', text='')]
    """
    begins = dict.fromkeys(_known(rule) for rule in rules if rule.kind != "none")
    if any("/" not in begin for begin in begins):
        return [Rule("all")]
    parts = dict.fromkeys(begin.partition("/")[0] for begin in begins)
    return [Rule("pattern", f"{part}/*") for part in parts]


def _known(rule: Rule) -> str:
    """Give what all keys of a rule begin with, without what means something in a pattern."""
    return "" if rule.kind in _OF_ALL else _WILD.split(rule.text, maxsplit=1)[0]


class Invalidations(Generic[Token]):
    """The newest rules in their order, each with a token that stands for the moment after it.

    A value that was begun at a token is valid where no later rule matches its key. What was begun
    before the oldest token that is known is not.

    Parameters
    ----------
    first : Token
        Stands for the moment before all rules.
    most : int
        Tokens that are known.

    Examples
    --------
    >>> lately = Invalidations(0)
    >>> lately.add(1, Rule("key", "a"))
    >>> lately.spares(0, "a"), lately.spares(1, "a"), lately.spares(0, "b"), lately.newest
    (False, True, True, 1)
    """

    def __init__(self, first: Token, *, most: int = 256) -> None:
        if most < 1:
            raise ValueError(f"most must be at least 1, got {most}.")
        self._most = most
        self._rules: dict[Token, Rule] = {first: Rule("none")}
        self.newest = first

    def add(self, token: Token, rule: Rule) -> None:
        """Add a rule that is newer than all."""
        rules = self._rules
        rules[token] = rule
        self.newest = token
        if len(rules) > self._most:
            del rules[next(iter(rules))]

    def __contains__(self, token: object) -> bool:
        return token in self._rules

    def spares(self, token: Token, key: str) -> bool:
        """Tell whether what was begun at a token is still valid."""
        if token == self.newest:
            return True
        later = self.since(token)
        return later is not None and not any(rule.matches(key) for _, rule in later)

    def since(self, token: Token) -> Sequence[tuple[Token, Rule]] | None:
        """Give the rules after a token, the newest first; none where the token is not known."""
        rules = self._rules
        if token not in rules:
            return None
        return list(takewhile(lambda entry: entry[0] != token, reversed(rules.items())))

    def replace(self, entries: Iterable[tuple[Token, Rule]]) -> None:
        """Take another's list, oldest first, for what is known.

        Raises
        ------
        ValueError
            Where `entries` is empty.
        """
        rules = dict(entries)
        if not rules:
            raise ValueError("entries must hold at least one token, got none.")
        self._rules = rules
        self.newest = next(reversed(rules))
