"""Checks of what a request carries: every text in nested lists and objects."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from nextcall.guard.guard import Verdict

MOST_CHARACTERS: Final = 100_000
"""Characters that one text may have."""

DEEPEST: Final = 32
"""Lists and objects within each other."""

MOST_TEXTS: Final = 10_000
"""Texts that one payload may hold, names of fields included."""


class Judge(Protocol):
    """Whatever judges texts, as `Guard` does."""

    def detect(self, text: str) -> Verdict:
        """Judge a text."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A rule that a payload breaks; never holds what came.

    Attributes
    ----------
    place : str
        Numbers of items and names of fields with dots; ``"body"`` for all. A name that breaks a
        rule itself is shown as ``"?"``.
    rule : str
        What is asked.
    verdict : Verdict or None
        Of the text there, where it was judged an attack.
    """

    place: str
    rule: str
    verdict: Verdict | None = None


def check_payload(payload: object, guard: Judge) -> tuple[Violation, ...]:
    """Check every text of a payload, names of fields included.

    Parameters
    ----------
    payload : object
        What JSON can say: texts, numbers, lists, objects, nested.
    guard : Judge
        Judges texts; a `Guard`, mostly.

    Returns
    -------
    tuple of Violation
        Empty where nothing is wrong.

    Examples
    --------
    >>> from nextcall.guard.guard import Guard
    >>> found = check_payload({"user": {"name": "x' OR 1=1 --"}}, Guard())
    >>> [(one.place, one.rule) for one in found]
    [('user.name', 'Should not look like sqli')]
    """
    if isinstance(payload, str):  # most are one text: it is found without a search
        return check_text(payload, guard)
    found: list[Violation] = []
    for number, (place, text) in enumerate(_texts(payload, found)):
        if number >= MOST_TEXTS:
            found.append(Violation(place="body", rule=f"Should hold at most {MOST_TEXTS} texts"))
            break
        found += check_text(text, guard, place=place)
    return tuple(found)


def texts_of(payload: object) -> Iterator[str]:
    """Yield every text of a payload, names of fields included; 10,000 of them at most.

    Examples
    --------
    >>> list(texts_of({"user": {"name": "Ada"}, "tags": ["x", 1]}))
    ['user', 'tags', 'name', 'Ada', 'x']
    """
    yield from (text for _, text in islice(_texts(payload, []), MOST_TEXTS))


def check_text(text: str, guard: Judge, *, place: str = "body") -> tuple[Violation, ...]:
    """Give the first rule that a text breaks, if there is one; see `check_payload`.

    Parameters
    ----------
    text : str
        As it came.
    guard : Judge
        Judges it.
    place : str
        Where it stands.
    """
    if len(text) > MOST_CHARACTERS:
        return (Violation(place=place, rule=f"Should have at most {MOST_CHARACTERS} characters"),)
    if "\x00" in text:
        return (Violation(place=place, rule="Should have no null byte"),)
    verdict = guard.detect(text)
    if verdict.action != "block":
        return ()
    family = max(verdict.labels, key=lambda name: verdict.labels[name])
    return (Violation(place=place, rule=f"Should not look like {family}", verdict=verdict),)


def _texts(payload: object, found: list[Violation]) -> Iterator[tuple[str, str]]:
    """Yield texts and their places in order; a list of what is left takes no recursion."""
    left: list[tuple[str, object, int]] = [("", payload, 0)]
    while left:
        place, value, depth = left.pop()
        if isinstance(value, str):
            yield place or "body", value
            continue
        if not isinstance(value, (Mapping, Sequence)) or isinstance(value, (bytes, bytearray)):
            continue
        if depth == DEEPEST:
            rule = f"Should be nested at most {DEEPEST} deep"
            found.append(Violation(place=place, rule=rule))
            continue
        inside: list[tuple[str, object]] = []
        if isinstance(value, Mapping):
            for name, item in value.items():
                yield _joined(place, "?"), str(name)
                inside.append((str(name) if str(name).isidentifier() else "?", item))
        else:
            inside = [(str(number), item) for number, item in enumerate(value)]
        left += [(_joined(place, name), item, depth + 1) for name, item in reversed(inside)]


def _joined(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
