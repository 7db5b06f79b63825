"""What a language model wrote, on its way out: personal data put back, the guard asked."""

from collections.abc import Mapping
from typing import Any, Final

from nextcall.assistant.run import Proposed
from nextcall.guard.pii import restore_pii
from nextcall.serve.safety.safety import Safety

_LONGEST: Final = 100  # characters of a name in a flag


class ModelWords:
    """Looks at the words of one answer; nobody vouches for them.

    Parameters
    ----------
    safety : Safety
    route : str
        Whose policy says what becomes of an attack.
    values : mapping of str to str
        What the marks stand for that the model was shown in the place of personal data.

    Attributes
    ----------
    flags : list of str
        Places and rules that were broken there.
    """

    def __init__(self, safety: Safety, route: str, values: Mapping[str, str]) -> None:
        self._safety, self._route, self._values = safety, route, values
        self.flags: list[str] = []

    def text(self, place: str, text: str) -> str | None:
        """Give a text as it may leave; None where it is withheld."""
        whole = restore_pii(text, self._values)
        return whole if self._may_leave(place, whole) else None

    def arguments(self, place: str, proposed: Proposed) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Give the arguments of a call that may leave, and the names of those that may not."""
        kept = dict[str, Any]()
        for name, value in proposed.arguments.items():
            whole = self._restored(value)
            if self._may_leave(f"{place}.{name[:_LONGEST]}", whole):
                kept[name] = whole
        return kept, tuple(name for name in proposed.arguments if name not in kept)

    def names(self, place: str, names: tuple[str, ...]) -> list[str]:
        """Give the names that may leave."""
        return [name for name in names if self._may_leave(place, name)]

    def _restored(self, value: object) -> object:
        if isinstance(value, str):
            return restore_pii(value, self._values)
        if isinstance(value, list):
            return [self._restored(each) for each in value]
        if isinstance(value, dict):
            return {name: self._restored(each) for name, each in value.items()}
        return value

    def _may_leave(self, place: str, value: object) -> bool:
        noticed = self._safety.judged(self._route, [(place, value)])
        told = (f"{place}: {each.rule}" for each in noticed if each.action != "pass")
        self.flags += dict.fromkeys(told)
        return all(each.action != "block" for each in noticed)
