"""Calls that must come first: what finds the identifiers that a call takes."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from nextcall.catalog import Catalog
from nextcall.catalog.graph import OperationGraph

_LEAST: Final = 0.3  # probability that something is missing from which a call looks for it
_MOST: Final = 30  # operations that are drawn from
_FINDING: Final = frozenset({"list", "read", "search"})
_OTHERWISE: Final = 0.25  # weight of what makes or changes a thing, where finding it weighs 1


def draw_first_hops(
    catalog: Catalog,
    graph: OperationGraph,
    row: int,
    called: Sequence[int],
    *,
    deeper: float,
    rng: np.random.Generator,
) -> list[int]:
    """Draw what is called before an operation, so that its identifiers are known.

    Parameters
    ----------
    row : int
        Row of the operation.
    called : sequence of int
        Rows of the calls so far.
    deeper : float
        Probability that what is drawn gets a first call of its own, where it needs one.

    Returns
    -------
    list of int
        Rows in the order of calling; at most two, and none where nothing is missing or nothing
        gives it.
    """
    drawn = _draw(catalog, graph, row, called, rng=rng)
    if drawn is None:
        return []
    before = _draw(catalog, graph, drawn, called, rng=rng) if rng.random() < deeper else None
    return [drawn] if before in {None, row} else [before, drawn]


def _draw(
    catalog: Catalog,
    graph: OperationGraph,
    row: int,
    called: Sequence[int],
    *,
    rng: np.random.Generator,
) -> int | None:
    known = graph.known(called)
    demand = graph.demanded([row], [1.0], known)
    if demand.max() < _LEAST:
        return None
    rows, shares = graph.first_hops(demand, known, n=_MOST)
    finding = [catalog.operations[one].action in _FINDING for one in rows]
    weights = np.where(finding, 1.0, _OTHERWISE) * shares * (rows != row)
    if not weights.any():
        return None
    return int(rows[rng.choice(len(rows), p=weights / weights.sum())])
