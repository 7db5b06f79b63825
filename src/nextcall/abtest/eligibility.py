"""Who may enter a test: a rule on attributes that is data, and so can be kept and read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

_DEEPEST: Final = 20  # rules within rules

_Value = tuple[str, Any]
"""A value with its kind, so that 1 and True, or 1 and "1", differ."""

_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "above": lambda value, limit: value > limit,
    "at_least": lambda value, limit: value >= limit,
    "below": lambda value, limit: value < limit,
    "at_most": lambda value, limit: value <= limit,
}


@dataclass(frozen=True, slots=True)
class Eligibility:
    """A predicate on the attributes of a unit.

    A rule is a mapping of one of these forms:

    ===============================================  ==================================
    ``{"attribute": NAME, "equals": VALUE}``         the same kind, the same value
    ``{"attribute": NAME, "in": [VALUE, ...]}``      one of them
    ``{"attribute": NAME, "above": LIMIT}``          also at_least, below, at_most
    ``{"attribute": NAME, "exists": true}``          is known; ``false``: is missing
    ``{"all": [RULE, ...]}``                         every one (true of none)
    ``{"any": [RULE, ...]}``                         at least one (false of none)
    ``{"not": RULE}``                                not this
    ===============================================  ==================================

    A value is a text, a number, or true or false; a limit is a number or a text (texts rise by
    code point, as ISO dates do). An attribute that is missing (absent, ``None``, not a number) or
    of another kind than the value or limit makes the comparison false; it is no error.

    Parameters
    ----------
    rule : mapping

    Raises
    ------
    ValueError
        Where the rule has none of the forms, or is nested deeper than 20.

    Examples
    --------
    >>> adults = Eligibility(
    ...     {"all": [{"attribute": "age", "at_least": 18},
    ...              {"not": {"attribute": "country", "in": ["US", "CA"]}}]}
    ... )
    >>> adults.admits({"age": 30, "country": "DE"}), adults.admits({"age": 30, "country": "US"})
    (True, False)
    >>> adults.admits({"country": "DE"})
    False
    """

    rule: Mapping[str, Any]
    _node: "_Node" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the rule."""
        object.__setattr__(self, "_node", _node(self.rule, _DEEPEST))

    def admits(self, attributes: Mapping[str, object]) -> bool:
        """Say whether a unit with these attributes may enter."""
        return self._node.holds(attributes)

    def admits_many(self, attributes: "pd.DataFrame") -> NDArray[np.bool_]:
        """Say so of each row, as `admits` does; a column that is absent is missing in all."""
        return self._node.holds_many(attributes)


@dataclass(frozen=True, slots=True)
class _Test:
    """What is asked of one attribute."""

    attribute: str
    satisfied: Callable[[_Value | None], bool]

    def holds(self, attributes: Mapping[str, object]) -> bool:
        return self.satisfied(_value(attributes.get(self.attribute)))

    def holds_many(self, attributes: "pd.DataFrame") -> NDArray[np.bool_]:
        if self.attribute not in attributes:
            return np.full(len(attributes), self.satisfied(None))
        column = attributes[self.attribute]
        if column.dtype == object:  # True and 1 would count as one value
            return np.array([self.satisfied(_value(value)) for value in column], bool)
        import pandas as pd  # noqa: PLC0415  # 30 MB, and only for frames

        codes, values = pd.factorize(column)
        found = [self.satisfied(_value(value)) for value in values.tolist()]
        return np.array([*found, self.satisfied(None)], bool)[codes]  # -1, the last: missing


@dataclass(frozen=True, slots=True)
class _Group:
    """Rules of which all, or any, must hold."""

    parts: tuple["_Node", ...]
    every: bool

    def holds(self, attributes: Mapping[str, object]) -> bool:
        found = (part.holds(attributes) for part in self.parts)
        return all(found) if self.every else any(found)

    def holds_many(self, attributes: "pd.DataFrame") -> NDArray[np.bool_]:
        join = np.logical_and if self.every else np.logical_or
        found = np.full(len(attributes), self.every)
        for part in self.parts:
            join(found, part.holds_many(attributes), out=found)
        return found


@dataclass(frozen=True, slots=True)
class _Not:
    """A rule that must not hold."""

    part: "_Node"

    def holds(self, attributes: Mapping[str, object]) -> bool:
        return not self.part.holds(attributes)

    def holds_many(self, attributes: "pd.DataFrame") -> NDArray[np.bool_]:
        return ~self.part.holds_many(attributes)


_Node = _Test | _Group | _Not


def _node(rule: object, depth: int) -> _Node:
    if depth == 0:
        raise ValueError(f"rule must be nested at most {_DEEPEST} deep.")
    match rule:
        case {"all": [*parts], **rest} if not rest:
            return _Group(tuple(_node(part, depth - 1) for part in parts), every=True)
        case {"any": [*parts], **rest} if not rest:
            return _Group(tuple(_node(part, depth - 1) for part in parts), every=False)
        case {"not": part, **rest} if not rest:
            return _Not(_node(part, depth - 1))
        case {"attribute": str(attribute), **rest} if len(rest) == 1:
            ((name, operand),) = rest.items()
            if (satisfied := _asked(str(name), operand)) is not None:
                return _Test(attribute, satisfied)
    raise ValueError(
        "rule must be all, any, not, or an attribute with equals, in, above, at_least, below, "
        f"at_most or exists, got {rule!r}."
    )


def _asked(name: str, operand: object) -> Callable[[_Value | None], bool] | None:
    """Give the test of a value that a rule names, or none where there is no such test."""
    if name == "exists" and isinstance(operand, bool):
        return lambda value: (value is not None) == operand
    if name in {"equals", "in"}:
        listed = operand if name == "in" else [operand]
        if not isinstance(listed, list | tuple):
            return None
        wanted = [_value(each) for each in listed]
        if any(each is None or each[0] == "other" for each in wanted):
            return None
        values = frozenset(wanted)
        return lambda value: value is not None and value in values
    limit = _value(operand)
    if name not in _ORDER or limit is None or limit[0] not in {"number", "text"}:
        return None
    compare, (kind, bound) = _ORDER[name], limit
    return lambda value: value is not None and value[0] == kind and compare(value[1], bound)


def _value(value: object) -> _Value | None:
    """Give a value with its kind; nothing where it is missing."""
    if isinstance(value, str):
        return "text", str(value)
    if isinstance(value, bool | np.bool_):
        return "flag", bool(value)
    if isinstance(value, Real):
        number: Any = value
        if isinstance(number, np.generic):
            number = number.item()
        return None if number != number else ("number", number)  # noqa: PLR0124  # not a number
    if value is None:
        return None
    import pandas as pd  # noqa: PLC0415  # as above

    missing = value is pd.NA or value is pd.NaT
    return None if missing else ("other", repr(value))
