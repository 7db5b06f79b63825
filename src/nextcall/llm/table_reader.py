"""Fields of a table of models, read one by one: each mistake is told with its file and place."""

import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

_MISSING: Final = object()


class TableReader:
    """Takes fields out of a mapping, with their types; at the end none may be left.

    Parameters
    ----------
    path : Path
        For messages, and `place` too.
    raw : object
        What should be a mapping.
    place : str
        Where it stands in the file; empty for the whole.

    Raises
    ------
    ValueError
        By each method, where a rule is broken; names the file, the place and the rule.

    Examples
    --------
    >>> reader = TableReader(Path("models.yaml"), {"name": "small"}, place="models[0]")
    >>> reader.text("name")
    'small'
    >>> reader.price("input_price")
    Traceback (most recent call last):
        ...
    ValueError: models.yaml: models[0].input_price must be given.
    """

    def __init__(self, path: Path, raw: object, *, place: str = "") -> None:
        self.path, self._place = path, place
        if not isinstance(raw, dict):
            raise self.wrong("", "a mapping", type(raw).__name__)
        self._left: dict[object, object] = dict(raw)

    def wrong(self, field: str, rule: str, got: object) -> ValueError:
        """Make the error that says what a field must be."""
        return ValueError(f"{self.path}: {self._at(field)} must be {rule}, got {got}.")

    def text(self, field: str) -> str:
        """Take a text that is not empty."""
        value = self._take(field, str, "a text")
        if not value.strip() or value != value.strip():
            raise self.wrong(field, "a text without spaces around it", repr(value))
        return value

    def text_or_none(self, field: str) -> str | None:
        """Take a text that may be left out."""
        return self.text(field) if field in self._left else None

    def flag(self, field: str, *, default: bool) -> bool:
        """Take true or false."""
        return self._take(field, bool, "true or false") if field in self._left else default

    def price(self, field: str) -> Decimal:
        """Take a number of at least 0, as it is written."""
        value = self._take(field, (int, float), "a number")
        if isinstance(value, bool) or not (math.isfinite(value) and value >= 0):
            raise self.wrong(field, "a number of at least 0", value)
        return Decimal(str(value))

    def price_or_none(self, field: str) -> Decimal | None:
        """Take a price that may be left out."""
        return self.price(field) if field in self._left else None

    def texts(self, field: str) -> tuple[str, ...]:
        """Take a list of different texts, at least one."""
        values = self._take(field, list, "a list of names")
        if not values or not all(isinstance(value, str) for value in values):
            raise self.wrong(field, "a list of names, at least one", values)
        names = tuple(str(value) for value in values)
        if len(set(names)) < len(names):
            raise self.wrong(field, "a list that has no name twice", values)
        return names

    def each(self, field: str) -> Iterator["TableReader"]:
        """Take a list of mappings, each of which is finished where the next is asked for."""
        values = self._take(field, list, "a list")
        for number, value in enumerate(values):
            reader = TableReader(self.path, value, place=f"{self._at(field)}[{number}]")
            yield reader
            reader.finish()

    def within(self, field: str) -> "TableReader":
        """Take a mapping."""
        return TableReader(self.path, self._take(field, dict, "a mapping"), place=self._at(field))

    def finish(self) -> None:
        """Let nothing be left."""
        if self._left:
            unknown = ", ".join(self._at(str(field)) for field in self._left)
            raise ValueError(f"{self.path}: must have no other fields, got {unknown}.")

    def _take(self, field: str, kind: type[T] | tuple[type[T], ...], rule: str) -> T:
        value = self._left.pop(field, _MISSING)
        if value is _MISSING:
            raise ValueError(f"{self.path}: {self._at(field)} must be given.")
        if not isinstance(value, kind):
            raise self.wrong(field, rule, repr(value))
        return value

    def _at(self, field: str) -> str:
        return ".".join(part for part in (self._place, field) if part) or "the file"
