"""Which operation a call that somebody wrote or made belongs to."""

import re
from bisect import insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from nextcall.catalog.actions import is_parameter, path_segments
from nextcall.catalog.catalog import Catalog
from nextcall.catalog.operation import Operation

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT")
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_MAX_SEGMENTS: Final = 64  # longer paths are nobody's; bounds the work on hostile log lines
_NO_QUERY: Final[frozenset[str]] = frozenset()


@dataclass(slots=True)
class _Leaf:
    """Operations whose templates end here, by method."""

    by_method: dict[str, list[tuple[frozenset[str], list[Operation]]]] = field(default_factory=dict)
    """Query that is asked for, most specific first, and the operations that ask for it."""

    def add(self, operation: Operation, required: frozenset[str]) -> None:
        groups = self.by_method.setdefault(operation.method or "", [])
        for known, operations in groups:
            if known == required:
                operations.append(operation)
                return
        insort(groups, (required, [operation]), key=lambda group: -len(group[0]))


@dataclass(slots=True)
class _Node:
    """Templates that begin with the same segments."""

    literals: dict[str, "_Node"] = field(default_factory=dict)
    mixed: list[tuple[str, re.Pattern[str], "_Node"]] = field(default_factory=list)
    parameter: "_Node | None" = None
    greedy: "_Node | None" = None
    leaf: _Leaf | None = None


class CallMatcher:
    """Finds the operation that a call belongs to; built once for a catalogue, then fast.

    A call may be an operation's id, ``METHOD /path``, a path template or a path or address as it
    was requested. Where several templates fit, segments are compared from the left: fixed text
    wins over text around a parameter (``{id}.json``), that over a parameter, that over one that
    spans segments (``{key+}``, which takes as few as it can). Where none fits, a prefix such as
    ``/api/v2`` is dropped, the shortest that helps, for templates that begin with fixed text.

    A template that several operations share, such as the ``/`` of AWS, says nothing about which of
    them is meant: such a call belongs to none.

    Parameters
    ----------
    catalog : Catalog
        The operations.

    Examples
    --------
    >>> from nextcall.catalog import Catalog, describe_operation
    >>> user = describe_operation(operation_id="getUser", method="GET", path="/users/{id}")
    >>> matcher = CallMatcher(Catalog("shop", (user,)))
    >>> matcher.match("GET /api/users/123?full=1").operation_id
    'getUser'
    >>> matcher.match("/orders/7") is None
    True
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._root = _Node()
        self._templates: defaultdict[str, _Leaf] = defaultdict(_Leaf)
        for operation in catalog:
            if operation.path is not None:
                self._add(operation, operation.path)

    def match(self, api_call: str, *, method: str | None = None) -> Operation | None:
        """Find the operation of a call, or None.

        Parameters
        ----------
        api_call : str
            Operation id, ``METHOD /path``, template, path or address.
        method : str, optional
            HTTP method of a path that does not name one. Where neither does, GET is preferred,
            then the others in the order POST, PUT, PATCH, DELETE.
        """
        if api_call in self._catalog:
            return self._catalog[api_call]
        wanted, target = _parse_call(api_call, method)
        if not target.startswith("/"):
            return None
        path, _, query_text = target.partition("#")[0].partition("?")
        query = _query(query_text) if query_text else _NO_QUERY
        leaf = self._templates.get(target)
        found = [] if leaf is None else _choose(leaf, wanted, query)
        found = found or self._search(path, wanted, query)
        return found[0] if len(found) == 1 else None

    def _search(self, path: str, method: str | None, query: frozenset[str]) -> list[Operation]:
        segments = [part for part in path.split("/") if part]
        if "%" in path:
            segments = [unquote(part) for part in segments]
        if len(segments) > _MAX_SEGMENTS:
            return []
        if found := _find(self._root, segments, 0, method, query, set()):
            return found
        for start in range(1, len(segments)):
            node = self._root.literals.get(segments[start])
            if node and (found := _find(node, segments, start + 1, method, query, set())):
                return found
        return []

    def _add(self, operation: Operation, path: str) -> None:
        node = self._root
        for segment in path_segments(path):
            node = _child(node, segment)
        if node.leaf is None:
            node.leaf = _Leaf()
        query_text = path.partition("#")[0].partition("?")[2]
        required = frozenset(_query_rules(query_text)) if query_text else _NO_QUERY
        node.leaf.add(operation, required)
        self._templates[path].add(operation, required)


def _child(node: _Node, segment: str) -> _Node:
    """Give the node below, made where it is new."""
    if not is_parameter(segment):
        return node.literals.setdefault(segment, _Node())
    if segment.startswith((":", "<")) or _BRACES.fullmatch(segment):
        if "+" in segment or "*" in segment:
            node.greedy = node.greedy or _Node()
            return node.greedy
        node.parameter = node.parameter or _Node()
        return node.parameter
    shape = _BRACES.sub("{}", segment)
    for known, _, child in node.mixed:
        if known == shape:
            return child
    pattern = re.compile(".+".join(re.escape(part) for part in shape.split("{}")), re.DOTALL)
    child = _Node()
    node.mixed.append((shape, pattern, child))
    node.mixed.sort(key=lambda entry: (-len(entry[0].replace("{}", "")), entry[0]))
    return child


def _find(  # noqa: PLR0911  # one return for each kind of child
    node: _Node,
    segments: Sequence[str],
    position: int,
    method: str | None,
    query: frozenset[str],
    failed: set[tuple[int, int]],
) -> list[Operation]:
    """Search depth first, the best child first; what failed once is not tried again."""
    if position == len(segments):
        return [] if node.leaf is None else _choose(node.leaf, method, query)
    if (id(node), position) in failed:
        return []
    segment = segments[position]
    below = node.literals.get(segment)
    if below and (found := _find(below, segments, position + 1, method, query, failed)):
        return found
    for _, pattern, child in node.mixed:
        if pattern.fullmatch(segment) and (
            found := _find(child, segments, position + 1, method, query, failed)
        ):
            return found
    below = node.parameter
    if below and (found := _find(below, segments, position + 1, method, query, failed)):
        return found
    if node.greedy is not None:
        for end in range(position + 1, len(segments) + 1):
            if found := _find(node.greedy, segments, end, method, query, failed):
                return found
    failed.add((id(node), position))
    return []


def _choose(leaf: _Leaf, method: str | None, query: frozenset[str]) -> list[Operation]:
    """Give the operations of a leaf that the call may mean: those of one method and query."""
    for wanted in (*_METHODS, "") if method is None else (method, ""):  # "": any method
        for required, operations in leaf.by_method.get(wanted, ()):
            if required <= query:
                return operations
    return []


def _parse_call(api_call: str, method: str | None) -> tuple[str | None, str]:
    """Split a call into its method and its path with query; an address loses its server."""
    first, _, rest = api_call.strip().partition(" ")
    if rest and first.upper() in _METHODS:
        method, target = first, rest.strip()
    else:
        target = api_call.strip()
    if (address := _ADDRESS.match(target)) is not None:
        target = target[address.end() :]
        target = target if target.startswith("/") else f"/{target}"
    return (method.upper() if method else None), target


def _query(text: str) -> frozenset[str]:
    """Give a query's keys, and its ``key=value`` pairs."""
    parts = [part for part in text.split("&") if part]
    return frozenset((*parts, *(part.partition("=")[0] for part in parts)))


def _query_rules(text: str) -> list[str]:
    """Give what the query of a template asks for; ``x-id`` only repeats an AWS operation's name."""
    parts = [part for part in text.split("&") if part and not part.startswith("x-id=")]
    return [part.partition("=")[0] if "{" in part else part for part in parts]
