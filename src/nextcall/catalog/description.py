"""An API description that is being read: its references, what is wrong in it, and its limits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from nextcall.catalog.catalog import CatalogError
from nextcall.catalog.document import follow_pointer, join_pointer

At: TypeAlias = tuple[object, ...]
"""Where something stands: a JSON pointer and keys below it, joined only for a message."""

CIRCLE: Final = "$ref must not lead round in a circle"
NOTHING: Final = "$ref must point at something"
OUTSIDE: Final = "$ref must point into this file"
_MAX_CHAIN: Final = 64  # references from one to the next
# The largest public description takes 1,110,000 steps; all that are longer than a million
# characters take at most one for 31 of them.
_MIN_LIMIT: Final = 1_000_000
_CHARACTERS_A_STEP: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A place of a description that breaks a rule and was read all the same."""

    place: str
    """File or address."""
    pointer: str
    """JSON pointer."""
    rule: str
    """What does not hold there; without values, so that equal ones can be counted."""
    done: str
    """What became of it in the catalogue."""

    def __str__(self) -> str:
        return f"{self.place}: {self.pointer}: {self.rule}; {self.done}."


class Description:
    """A description that is being read.

    Parameters
    ----------
    root : object
        The document's value.
    place : str
        File or address, for messages.
    size : int, default 0
        Characters of its text; more of them may cost more work.
    remark : callable, optional
        Is called with each `Remark`, once for a place and rule.
    """

    def __init__(
        self,
        root: Any,
        *,
        place: str,
        size: int = 0,
        remark: Callable[[Remark], object] | None = None,
    ) -> None:
        self.root = root
        self._place = place
        self._remark = remark
        self._noted: set[tuple[At, str]] = set()
        self._limit = self._left = max(_MIN_LIMIT, size // _CHARACTERS_A_STEP)

    def error(self, at: At, rule: str) -> CatalogError:
        """Make the error for a place that breaks a rule."""
        return CatalogError(f"{self._place}: {_pointer(at)}: {rule}.")

    def note(self, at: At, rule: str, done: str) -> None:
        """Remark on a place that breaks a rule and is read all the same."""
        if self._remark is not None and (at, rule) not in self._noted:
            self._noted.add((at, rule))
            self._remark(Remark(place=self._place, pointer=_pointer(at), rule=rule, done=done))

    def spend(self, steps: int) -> None:
        """Count work, for a small file may ask for much: references repeat what they point at.

        Raises
        ------
        CatalogError
            Where it is too much.
        """
        self._left -= steps
        if self._left < 0:
            rule = f"its references must not repeat so much that it takes {self._limit:,} steps"
            raise self.error(("#",), rule)

    def follow(self, value: Any, at: At, *, done: str) -> tuple[Mapping[str, Any] | None, At]:
        """Give an object, its ``$ref`` followed, and where it stands; None where there is none.

        What stands beside a ``$ref`` wins over what it points at, and is all there is where the
        reference is broken. A remark says so, with `done`.
        """
        found, here, rule = self.resolve(value, at)
        if rule:
            self.note(here, rule, done)
        return found, here

    def resolve(self, value: Any, at: At) -> tuple[Mapping[str, Any] | None, At, str]:
        """Do as `follow`, but give the rule that is broken, empty where none is, and no remark."""
        beside: dict[str, Any] = {}
        seen: set[str] = set()
        rule = ""
        while isinstance(value, dict) and isinstance(value.get("$ref"), str):
            self.spend(len(value))
            pointer = value["$ref"]
            if len(value) > 1:
                beside = {**value, **beside}
            if pointer in seen or len(seen) == _MAX_CHAIN:
                rule = CIRCLE
                break
            seen.add(pointer)
            try:
                value, at = follow_pointer(self.root, pointer), (pointer,)
            except LookupError:
                rule = NOTHING if pointer.startswith("#") else OUTSIDE
                break
        beside.pop("$ref", None)
        if rule:
            return beside or None, at, rule
        if not isinstance(value, dict):
            return beside or None, at, "must be an object"
        return ({**value, **beside} if beside else value), at, ""


def shown(value: Any) -> str:
    """Show a value in a message; of a list or an object only its kind, for it may be anything.

    Examples
    --------
    >>> shown("2.0"), shown(["2.0"])
    ("'2.0'", 'list')
    """
    is_plain = value is None or isinstance(value, (str, int, float))
    return repr(value)[:100] if is_plain else type(value).__name__


def stated_text(value: Any) -> str:
    """Give a text that a description states; empty where it is no text and no number.

    Examples
    --------
    >>> stated_text("  a "), stated_text(3.1), stated_text(None), stated_text({"a": "b"})
    ('a', '3.1', '', '')
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return str(value).strip()


def _pointer(at: At) -> str:
    first, *keys = at
    return join_pointer(str(first), *keys)
