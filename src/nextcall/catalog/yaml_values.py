"""YAML as values, from a file that may be hostile: no tags, no recursion, no alias bombs."""

from dataclasses import dataclass
from typing import Any, Final

import yaml

from nextcall.catalog.catalog import CatalogError

_MIN_EXPANDED: Final = 1_000_000  # values that aliases may always stand for
_MAX_EXPANSION: Final = 10  # beyond that, how many times the values that are written out
_MAX_DEPTH: Final = 1_000  # levels; libyaml's time grows with their square
_CONSTANTS: Final = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_Loader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml: ten times as fast


@dataclass(slots=True)
class _Open:
    """A sequence or mapping that is being read."""

    value: list[Any] | dict[str, Any]
    anchor: str | None
    size: int = 1
    """Values in it so far, itself included, aliases followed."""
    key: str | None = None


def parse_yaml(text: str, *, place: str) -> Any:
    r"""Read one YAML document into dicts, lists, texts, booleans and None.

    Numbers, dates and the words ``on`` and ``no`` stay text: in an API description they are names
    (``openapi: 3.0``, a response ``200``, a country ``no``). Tags are ignored.

    Parameters
    ----------
    text : str
        The document.
    place : str
        File or address, for messages.

    Raises
    ------
    CatalogError
        Where the text is no YAML, where an alias contains itself, or where aliases stand for far
        more than is written; the message has line and column.

    Examples
    --------
    >>> parse_yaml("openapi: 3.0\ntags: [{name: on, deprecated: true}]", place="a.yaml")
    {'openapi': '3.0', 'tags': [{'name': 'on', 'deprecated': True}]}
    """
    builder = _Builder(place)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        at = _at(place, error.problem_mark)
        raise CatalogError(f"{at}: must be YAML: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise CatalogError(f"{place}: must be YAML: {error}.") from error
    return builder.root


class _Builder:
    """Puts parser events together without recursion, so that no depth can break it."""

    def __init__(self, place: str) -> None:
        self.root: Any = None
        self._place = place
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._documents = 0
        self._written = 0
        self._aliased = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event."""
        self._written += 1
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            if event.anchor:
                self._anchors.pop(event.anchor, None)  # not known again before it is closed
            self._refuse_as_key(event)
            if len(self._open) == _MAX_DEPTH:
                raise CatalogError(
                    f"{self._at(event)}: must not be nested deeper than {_MAX_DEPTH:,} levels."
                )
            self._open.append(_Open(value, event.anchor))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            done = self._open.pop()
            self._place_value(event, done.value, size=done.size, anchor=done.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise CatalogError(f"{self._at(event)}: must be one YAML document, got another.")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        parent = self._open[-1] if self._open else None
        value: Any = event.value
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            parent.key = value
            if event.anchor:
                self._anchors[event.anchor] = (value, 1)
            return
        if event.style in {None, ""} and value in _CONSTANTS:
            value = _CONSTANTS[value]
        self._place_value(event, value, size=1, anchor=event.anchor)

    def _alias(self, event: yaml.AliasEvent) -> None:
        if event.anchor not in self._anchors:
            inside = any(part.anchor == event.anchor for part in self._open)
            rule = "must not contain itself" if inside else "must follow its anchor"
            raise CatalogError(f"{self._at(event)}: alias *{event.anchor} {rule}.")
        value, size = self._anchors[event.anchor]
        self._aliased += size
        if self._aliased > max(_MIN_EXPANDED, _MAX_EXPANSION * self._written):
            raise CatalogError(
                f"{self._at(event)}: aliases must not stand for more than {_MIN_EXPANDED:,} values "
                f"and {_MAX_EXPANSION} times what is written, got {self._aliased:,} here."
            )
        parent = self._open[-1]
        if isinstance(parent.value, dict) and parent.key is None and isinstance(value, str):
            parent.key = value
            return
        self._refuse_as_key(event)
        self._place_value(event, value, size=size, anchor=None)

    def _place_value(self, event: yaml.Event, value: Any, *, size: int, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = (value, size)
        if not self._open:
            self.root = value
            return
        parent = self._open[-1]
        parent.size += size
        if isinstance(parent.value, list):
            parent.value.append(value)
            return
        key, parent.key = parent.key, None
        if key == "<<":
            self._merge(event, parent.value, value)
        else:
            parent.value[str(key)] = value

    def _merge(self, event: yaml.Event, target: dict[str, Any], value: Any) -> None:
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, dict):
                raise CatalogError(f"{self._at(event)}: the value of << must be a mapping.")
            for name, inherited in part.items():
                target.setdefault(name, inherited)

    def _refuse_as_key(self, event: yaml.Event) -> None:
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            raise CatalogError(f"{self._at(event)}: the key of a mapping must be text.")

    def _at(self, event: yaml.Event) -> str:
        return _at(self._place, event.start_mark)


def _at(place: str, mark: Any) -> str:
    return place if mark is None else f"{place}:{mark.line + 1}:{mark.column + 1}"
