"""The resources of a catalogue: their operations by state, and which are near each other."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog import Catalog, Operation
from nextcall.catalog.text import identifier_words, singular
from nextcall.synth.workflow import STATES, state_of

_NEIGHBOURS = 20  # nearest resources of the same service that a session may move to
_NAMED_BY_PARAMETER = 1.0  # nearness of a resource that a parameter names; sharing words gives <= 1
_LONGEST_NAME = 4  # words of a resource's name that a parameter may hold


@dataclass(frozen=True, eq=False)
class ResourceMap:
    """A catalogue's operations, grouped by service and resource."""

    names: tuple[tuple[str, str], ...]
    """Service and resource of each group, sorted."""
    services: tuple[str, ...]
    service_of: NDArray[np.int64]
    """Shape (n_groups,): position of each group's service."""
    group_of: NDArray[np.int64]
    """Shape (n_operations,): group of each operation."""
    state_of: NDArray[np.int64]
    """Shape (n_operations,): state of each operation."""
    operations: NDArray[np.int64]
    """Shape (n_operations,): operations sorted by group, then state, then catalogue row."""
    offsets: NDArray[np.int64]
    """Shape (n_groups * n_states + 1,): part of `operations` for each group and state."""
    mask_of: NDArray[np.int64]
    """Shape (n_groups,): which row of `masks` says what a group has operations for."""
    masks: NDArray[np.bool_]
    """Shape (n_masks, n_states): the different sets of states."""
    near_offsets: NDArray[np.int64]
    """Shape (n_groups + 1,): part of `near` for each group."""
    near: NDArray[np.int64]
    """Groups of the same service that a session may move to; a group alone has only itself."""
    nearness: NDArray[np.float64]
    """Weight of each entry of `near`, above 0."""

    @classmethod
    def of_catalog(
        cls, catalog: Catalog, *, moves: dict[tuple[str, str], int] | None = None
    ) -> Self:
        """Group the operations; `moves` between operations that were seen add to the nearness."""
        places = [(operation.service, operation.resource) for operation in catalog]
        names = tuple(sorted(set(places)))
        row = {place: position for position, place in enumerate(names)}
        group_of = np.array([row[place] for place in places], dtype=np.int64)
        states = np.array([state_of(operation.action) for operation in catalog], dtype=np.int64)
        cell = group_of * len(STATES) + states
        counts = np.bincount(cell, minlength=len(names) * len(STATES))
        available = counts.reshape(len(names), len(STATES)) > 0
        masks, mask_of = np.unique(available, axis=0, return_inverse=True)
        services = catalog.services
        position = {service: place for place, service in enumerate(services)}
        near = _neighbours(catalog, names, group_of)
        for (one, other), count in (moves or {}).items():
            here, there = (int(group_of[catalog.positions[call]]) for call in (one, other))
            near[here][there] = near[here].get(there, 0.0) + count
        flat = [pair for neighbours in near for pair in sorted(neighbours.items())]
        return cls(
            names=names,
            services=services,
            service_of=np.array([position[service] for service, _ in names], dtype=np.int64),
            group_of=group_of,
            state_of=states,
            operations=np.argsort(cell, kind="stable"),
            offsets=np.concatenate([[0], np.cumsum(counts)]),
            mask_of=mask_of.ravel().astype(np.int64),
            masks=masks,
            near_offsets=np.cumsum([0, *(len(neighbours) for neighbours in near)]),
            near=np.array([group for group, _ in flat], dtype=np.int64),
            nearness=np.array([weight for _, weight in flat], dtype=np.float64),
        )

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Shape (n_groups,): number of operations of each group."""
        return np.bincount(self.group_of, minlength=len(self.names))


def _neighbours(
    catalog: Catalog, names: tuple[tuple[str, str], ...], group_of: NDArray[np.int64]
) -> list[dict[int, float]]:
    """Weigh the resources of the same service: shared words, and names inside parameters."""
    words = [frozenset(resource.split()) for _, resource in names]
    by_word: dict[tuple[str, str], list[int]] = defaultdict(list)
    by_service: dict[str, list[int]] = defaultdict(list)
    for group, (service, _) in enumerate(names):
        by_service[service].append(group)
        for word in sorted(words[group]):
            by_word[service, word].append(group)
    named = _named_by_parameters(catalog, names, group_of)
    result = []
    for group, (service, _) in enumerate(names):
        shared = Counter(other for word in words[group] for other in by_word[service, word])
        near = {other: n / len(words[group] | words[other]) for other, n in shared.items()}
        for other in named[group]:
            near[other] = near.get(other, 0.0) + _NAMED_BY_PARAMETER
        near.pop(group, None)
        best = sorted(near.items(), key=lambda pair: (-pair[1], pair[0]))[:_NEIGHBOURS]
        result.append(dict(best) or _any_others(group, by_service[service]))
    return result


def _any_others(group: int, siblings: list[int]) -> dict[int, float]:
    """Weigh the next resources by name, for one that nothing is related to; itself if alone."""
    after = siblings.index(group) + 1
    others = (siblings[after:] + siblings[: after - 1])[:_NEIGHBOURS]
    return dict.fromkeys(others or [group], 1.0)


def _named_by_parameters(
    catalog: Catalog, names: tuple[tuple[str, str], ...], group_of: NDArray[np.int64]
) -> list[set[int]]:
    """Find which resources of a service are named in each other's parameters."""
    by_name = {place: group for group, place in enumerate(names)}
    named: list[set[int]] = [set() for _ in names]
    for operation, group in zip(catalog, group_of.tolist(), strict=True):
        for name in _names_in_parameters(operation):
            other = by_name.get((operation.service, name))
            if other is not None:
                named[group].add(other)
                named[other].add(group)
    return named


def _names_in_parameters(operation: Operation) -> Iterator[str]:
    """Give every run of words inside the operation's parameter names, as resources are named."""
    for parameter in operation.parameters:
        words = tuple(singular(word) for word in identifier_words(parameter.name))
        for first in range(len(words)):
            for past in range(first + 1, min(first + _LONGEST_NAME, len(words)) + 1):
                yield " ".join(words[first:past])
