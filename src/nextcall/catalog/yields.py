"""What operations give back: guessed, with a probability, where no description says it.

Evidence is of the kind: it lists things of that name, or what it reads was made from them. How
much each kind counts was learned from APIs that do describe their answers.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nextcall.catalog.catalog import Catalog
from nextcall.catalog.entities import Need, named_entity, resource_entity

_WORD: Final = re.compile(r"[a-z]+")
_LONGEST: Final = 3  # words of an entity that a summary is searched for
_SHARE: Final = 0.25  # of the operations on a resource: what fewer take is no part of it
_LEAST: Final = 0.1  # probability below which nothing is yielded

SIGNS: Final[Mapping[str, float]] = {
    "resource": 1.30, "head": 0.55, "prefix": 0.07, "optional": 0.86, "attribute": 1.44,
    "neighbour": 0.92, "mention": 0.14,
}  # fmt: skip
"""What speaks for an operation yielding an entity, as log-odds.

The entity is its resource; it ends, or begins, the name of its resource; it is an optional input;
operations that make or change the resource take it; other operations on the resource take it; the
summary names it. A logistic regression on half of the services of AWS and half of Google's APIs,
equally weighed, against their output shapes; the notebook ``operation_graph`` fits it anew and
shows the other half.
"""
GROUPS: Final[Mapping[str, float]] = {
    "many": -1.33, "read": -1.58, "make": -2.55, "change": -2.65, "other": -3.69,
}  # fmt: skip
"""Log-odds to begin with, by what the operation does."""
_GROUP_OF_ACTION: Final = {
    "list": "many", "search": "many", "read": "read", "create": "make", "start": "make",
    "update": "change", "stop": "change",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for one operation yielding one entity."""

    row: int
    entity: str
    signs: tuple[bool, ...]
    """One for each of `SIGNS`."""
    group: str
    """One of `GROUPS`."""

    @property
    def probability(self) -> float:
        """Probability that the operation gives the entity's identifier back."""
        log_odds = GROUPS[self.group] + sum(
            weight for weight, sign in zip(_WEIGHTS, self.signs, strict=True) if sign
        )
        return 1.0 / (1.0 + math.exp(-log_odds))


_WEIGHTS: Final = tuple(SIGNS.values())


def catalog_yields(catalog: Catalog, needs: Sequence[tuple[Need, ...]]) -> list[dict[str, float]]:
    """Give the entities that each operation yields, with their probabilities.

    Parameters
    ----------
    catalog : Catalog
    needs : sequence of tuple of Need
        As `nextcall.catalog.entities.catalog_needs` gives them.
    """
    found: list[dict[str, float]] = [{} for _ in range(len(catalog))]
    for evidence in find_evidence(catalog, needs):
        if (probability := evidence.probability) >= _LEAST:
            found[evidence.row][evidence.entity] = probability
    return found


def find_evidence(catalog: Catalog, needs: Sequence[tuple[Need, ...]]) -> Iterator[Evidence]:
    """Yield what speaks for operations giving back entities that some operation needs.

    What an operation requires it was given: that is no yield.

    Parameters
    ----------
    catalog : Catalog
    needs : sequence of tuple of Need
        As `nextcall.catalog.entities.catalog_needs` gives them.
    """
    wanted = {need.entity for row in needs for need in row}
    clear = _clear_needs(catalog, needs)
    made = _taken(catalog, needs, makes=True)
    taken = _taken(catalog, needs, makes=False)
    nothing: frozenset[str] = frozenset()
    for row, operation in enumerate(catalog):
        service, resource = operation.service, resource_entity(operation)
        required = {need.entity for need in needs[row] if need.required > 0.5}
        optional = {need.entity for need in needs[row] if need.clear}
        attributes = made.get((service, resource), nothing)
        neighbours = taken.get((service, resource), nothing)
        named = set(_mentions(operation.summary, clear[service]))
        words = resource.split()
        heads = {" ".join(words[at:]) for at in range(1, len(words))} & wanted
        starts = {" ".join(words[:at]) for at in range(1, len(words))} & clear[service]
        own = {resource} & wanted
        every = own.union(heads, starts, optional, attributes, neighbours, named) - required
        for entity in sorted(every):
            signs = (
                entity == resource, entity in heads, entity in starts, entity in optional,
                entity in attributes, entity in neighbours, entity in named,
            )  # fmt: skip
            yield Evidence(row, entity, signs, _GROUP_OF_ACTION.get(operation.action, "other"))


def _clear_needs(catalog: Catalog, needs: Sequence[tuple[Need, ...]]) -> dict[str, set[str]]:
    """Give the entities that the operations of each service clearly take."""
    clear: dict[str, set[str]] = defaultdict(set)
    for operation, own in zip(catalog, needs, strict=True):
        clear[operation.service].update(need.entity for need in own if need.clear)
    return clear


def _taken(
    catalog: Catalog, needs: Sequence[tuple[Need, ...]], *, makes: bool
) -> dict[tuple[str, str], set[str]]:
    """Give what operations on each resource of a service take: such as make it, or all others.

    Of the latter what stands in the path is left out: it is where the resource lies.
    """
    takers: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    sizes: Counter[tuple[str, str]] = Counter()
    for operation, own in zip(catalog, needs, strict=True):
        if makes is (operation.action in {"create", "update"}):
            key = operation.service, resource_entity(operation)
            takers[key].update(n.entity for n in own if n.clear and (makes or not n.in_path))
            sizes[key] += 1
    return {
        key: {entity for entity, count in counts.items() if count >= _SHARE * sizes[key]}
        for key, counts in takers.items()
    }


def _mentions(summary: str, entities: set[str]) -> Iterator[str]:
    words = [named_entity(word)[0] or word for word in _WORD.findall(summary.lower())]
    for start in range(len(words)):
        for end in range(start + 1, min(start + _LONGEST, len(words)) + 1):
            phrase = " ".join(words[start:end])
            if phrase in entities:
                yield phrase
