"""What operations need and yield as arrays: entities numbered, each weight in its place."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog.catalog import Catalog
from nextcall.catalog.entities import Need, catalog_needs, resource_entity
from nextcall.catalog.yields import catalog_yields

_MOST_NEEDS: Final = 12  # of AWS's operations 1 in 300 takes more
_MOST_YIELDS: Final = 16  # as above
_VAGUE: Final = 0.5  # weight of a need whose parameter does not say that it is an identifier
_OPTIONAL: Final = 0.3  # weight of a need that the operation can do without
_SHORTENED: Final = 0.5  # weight of a need that is met only by a thing of a shorter name
_LEAST_SHARE: Final = 0.05  # what more than twenty services have is not looked for among them

_Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class TermTables:
    """Needs and yields, the heaviest of each operation side by side.

    A term is an entity within one service (``ec2/volume``), or wherever it is at home (``/role``).
    Term ``len(terms)`` pads the rows; its weights are 0.
    """

    terms: tuple[str, ...]
    need_terms: NDArray[np.int32]
    """Shape (n_operations, n); as are the three weights below."""
    need_weights: _Floats
    """Weight of an edge that ends here: rarer entities and required parameters count more."""
    need_required: _Floats
    """Probability that the operation cannot do without, in shares where two terms meet a need."""
    need_taken: _Floats
    """Probability that whoever calls the operation has the entity's identifier."""
    yield_terms: NDArray[np.int32]
    """Shape (n_operations, m)."""
    yield_weights: _Floats
    """Probability that the operation gives the entity's identifier back."""

    def __len__(self) -> int:
        return len(self.need_terms)

    @classmethod
    def build(cls, catalog: Catalog) -> "TermTables":
        """Infer and number what the operations of a catalogue need and yield."""
        needs = catalog_needs(catalog)
        yields = catalog_yields(catalog, needs)
        services = [operation.service for operation in catalog]
        yielding, homes = _holders(services, [resource_entity(one) for one in catalog], yields)
        numbers: dict[tuple[str, str], int] = {}
        laid = [
            _slots(service, own, numbers, yielding, homes)
            for service, own in zip(services, needs, strict=True)
        ]
        given = [
            [
                (numbers[scope, entity], weight)
                for entity, weight in own.items()
                for scope in ((service, "") if service in homes[entity] else (service,))
                if (scope, entity) in numbers
            ]
            for service, own in zip(services, yields, strict=True)
        ]
        need_terms, (weights, required, taken) = _padded(laid, _MOST_NEEDS, len(numbers), 3)
        yield_terms, (chances,) = _padded(given, _MOST_YIELDS, len(numbers), 1)
        rarity = _rarity([*laid, *given], len(numbers), len(catalog))
        return cls(
            terms=tuple(f"{scope}/{entity}" for scope, entity in numbers),
            need_terms=need_terms,
            need_weights=weights * rarity[need_terms],
            need_required=required,
            need_taken=taken,
            yield_terms=yield_terms,
            yield_weights=chances,
        )

    def entity(self, term: int) -> str:
        """Give the entity of a term, without its service."""
        return self.terms[term].rpartition("/")[2]


def _holders(
    services: Sequence[str], resources: Sequence[str], yields: Sequence[Mapping[str, float]]
) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Give the services that yield each entity, and those where it is at home.

    It is at home where operations work on it, not only name it beside what they work on; where
    that is so of none, in all that yield it.
    """
    yielding: dict[str, set[str]] = defaultdict(set)
    homes: dict[str, set[str]] = defaultdict(set)
    for service, resource, own in zip(services, resources, yields, strict=True):
        for entity in own:
            yielding[entity].add(service)
        if resource in own:
            homes[resource].add(service)
    return yielding, {entity: homes.get(entity) or own for entity, own in yielding.items()}


def _slots(
    service: str,
    needs: Sequence[Need],
    numbers: dict[tuple[str, str], int],
    yielding: Mapping[str, set[str]],
    homes: Mapping[str, set[str]],
) -> list[tuple[float, ...]]:
    """Give term, weight, required and taken of each need that something can meet."""
    slots: dict[int, tuple[float, ...]] = {}
    for need in needs:
        entity, strength = _yielded_name(need, yielding)
        for scope, share in _scopes(service, yielding.get(entity), homes.get(entity)):
            term = numbers.setdefault((scope, entity), len(numbers))
            required = strength * need.required
            weight = strength * share * (_OPTIONAL + (1 - _OPTIONAL) * need.required)
            values = weight, share * required, required
            slots[term] = tuple(map(max, values, slots.get(term, values)))
    return [(term, *values) for term, values in slots.items()]


def _scopes(
    service: str, yielding: set[str] | None, homes: set[str] | None
) -> list[tuple[str, float]]:
    """Give where a need of a service is met, and in which shares; elsewhere at home is ``""``."""
    if yielding is None or homes is None:
        return []  # the user says it
    others = len(homes - {service})
    own = service in yielding
    elsewhere = 1.0 / (others + own) if others else 0.0
    shares = ((service, 1.0 - elsewhere if own else 0.0), ("", elsewhere))
    return [(scope, share) for scope, share in shares if share >= _LEAST_SHARE]


def _yielded_name(need: Need, known: Mapping[str, object]) -> tuple[str, float]:
    """Shorten a clear name from its front until something yields it: a source volume is a volume.

    The second value is the strength of the need.
    """
    if not need.clear or need.entity in known:
        return need.entity, 1.0 if need.clear else _VAGUE
    words = need.entity.split()
    shorter = (" ".join(words[at:]) for at in range(1, len(words)))
    return next((name for name in shorter if name in known), need.entity), _SHORTENED


def _rarity(rows: Sequence[Sequence[tuple[float, ...]]], n_terms: int, n: int) -> _Floats:
    """Give the inverse document frequency of each term and of the padding, in (0, 1]."""
    counts = Counter(term for row in rows for term, *_ in row)
    held = np.array([counts[term] for term in range(n_terms)] + [1])
    rarity: _Floats = (np.log(1 + n / held) / math.log(1 + n)).astype(np.float32)
    return rarity


def _padded(
    rows: Sequence[Sequence[tuple[float, ...]]], most: int, padding: int, n_weights: int
) -> tuple[NDArray[np.int32], list[_Floats]]:
    """Lay rows of (term, weight, ...) side by side, the `most` heaviest of each."""
    kept = [sorted(row, key=itemgetter(1), reverse=True)[:most] for row in rows]
    counts = np.array([len(row) for row in kept])
    shape = len(kept), max(1, int(counts.max()))
    filled = np.arange(shape[1]) < counts[:, None]
    flat = np.array([one for row in kept for one in row]).reshape(-1, 1 + n_weights)
    terms = np.full(shape, padding, dtype=np.int32)
    terms[filled] = flat[:, 0]
    weights = [np.zeros(shape, dtype=np.float32) for _ in range(n_weights)]
    for column, values in enumerate(weights, start=1):
        values[filled] = flat[:, column]
    return terms, weights
