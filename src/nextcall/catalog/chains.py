"""Chains of the operation graph: which calls must come before an operation can be called."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog.graph import OperationGraph

_REQUIRED: Final = 0.5  # probability from which an entity must be known
_GIVES: Final = 0.3  # chance from which an operation is called to learn an entity


@dataclass(frozen=True, slots=True)
class Chains:
    """How many calls deep each operation lies, and which call comes before it."""

    depth: NDArray[np.int64]
    """Calls that must come before, counted along the longest chain; shape (n_operations,). 0 where
    none must; -1 where each way to learn what it needs begins with knowing it."""
    before: NDArray[np.int64]
    """The call right before on that chain, shape (n_operations,); -1 where there is none."""

    def chain(self, row: int) -> list[int]:
        """Give the rows of the chain that ends at an operation, first call first."""
        rows = [row]
        while (row := int(self.before[row])) >= 0:
            rows.append(row)
        return rows[::-1]


def find_chains(graph: OperationGraph) -> Chains:
    """Find the shortest way to learn what each operation requires, and how long it is.

    An operation that requires nothing which others give can be called at once. Another one can be
    called after the slowest of its requirements, each learnt from the operation that can be called
    soonest.
    """
    tables = graph.tables
    n, n_terms = len(graph), len(tables.terms)
    wanted = _requirements(graph)
    producers, places = np.nonzero(tables.yield_weights >= _GIVES)
    likeliest_last = np.argsort(tables.yield_weights[producers, places], kind="stable")
    producers, places = producers[likeliest_last], places[likeliest_last]
    given = tables.yield_terms[producers, places]
    never = n + 1
    learnt = np.full(n_terms + 1, never)  # call after which a term is known
    source = np.full(n_terms + 1, -1)
    depth = np.full(n, never)
    before = np.full(n, -1)
    for step in range(n):
        known = np.array([max((learnt[terms].min() for terms in own), default=0) for own in wanted])
        new = np.flatnonzero((known == step) & (depth == never))
        if len(new) == 0:
            break
        depth[new] = step
        for row in new:
            slowest = max(wanted[row], key=lambda terms: learnt[terms].min(), default=None)
            if slowest is not None:
                before[row] = source[slowest[learnt[slowest].argmin()]]
        fresh = (depth[producers] == step) & (learnt[given] == never)
        source[given[fresh]] = producers[fresh]
        learnt[given[fresh]] = step + 1
    return Chains(np.where(depth == never, -1, depth), before)


def _requirements(graph: OperationGraph) -> list[list[NDArray[np.int64]]]:
    """Give the terms, any of which will do, of each entity that an operation requires."""
    tables = graph.tables
    found: list[list[NDArray[np.int64]]] = []
    for terms, taken in zip(tables.need_terms, tables.need_taken, strict=True):
        by_entity: dict[str, list[int]] = {}
        for term in terms[taken >= _REQUIRED]:
            by_entity.setdefault(tables.entity(term), []).append(int(term))
        found.append([np.array(own) for own in by_entity.values()])
    return found
