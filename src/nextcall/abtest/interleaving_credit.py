"""Credit for clicks on an interleaved list, averaged over all draws that make the same list."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextcall.abtest.interleaving import Item, _chances, _check, _checked_clicks

_State = tuple[int, int]
"""Rankers that had their turn in this round (as bits), and items placed."""


def team_draft_shares(
    items: Sequence[Item], rankings: Sequence[Sequence[Item]]
) -> NDArray[np.float64]:
    """Give the chance that each ranker placed each item of a list that `team_draft` made.

    Where rankers would have placed the same item, the list does not tell who did; the team that
    happened to get it says nothing of the ranker. Credit by these shares has the mean of credit by
    teams, for users do not see teams, and never a greater variance.

    Parameters
    ----------
    items : sequence
        As shown.
    rankings : sequence of sequence
        What it was made of. Time grows with 2 to the power of their number: up to about ten.

    Returns
    -------
    array of shape (n_items, n_rankers)
        Rows sum to 1.

    Raises
    ------
    ValueError
        Where no draw gives these items.

    Notes
    -----
    Exact, by passing forward and backward over who had turns; the idea is the marginalisation
    of Hofmann, Whiteson & de Rijke (2011), CIKM.

    Examples
    --------
    >>> team_draft_shares(["a", "b", "d"], [["a", "b", "c"], ["a", "b", "d"]]).tolist()
    [[0.5, 0.5], [0.5, 0.5], [0.0, 1.0]]
    """
    _check(rankings, max(1, len(items)))
    doing = _tops(items, rankings)
    layers: list[dict[_State, float]] = [{(0, 0): 1.0} if items else {}]
    edges: list[list[tuple[_State, int, _State, float]]] = []
    while layers[-1]:
        found: dict[_State, float] = {}
        steps: list[tuple[_State, int, _State, float]] = []
        for state, chance in layers[-1].items():
            for ranker, after, share in _turns(state, doing[state[1]]):
                found[after] = found.get(after, 0.0) + chance * share
                steps.append((state, ranker, after, share))
        layers.append({state: each for state, each in found.items() if state[1] < len(items)})
        edges.append(steps)
    weights = np.zeros((len(items), len(rankings)))
    onward: dict[_State, float] = {}
    for layer, steps in zip(reversed(layers[:-1]), reversed(edges), strict=True):
        here: dict[_State, float] = {}
        for state, ranker, after, share in steps:
            rest = share * (onward.get(after, 0.0) if after[1] < len(items) else 1.0)
            here[state] = here.get(state, 0.0) + rest
            if after[1] > state[1]:
                weights[state[1], ranker] += layer[state] * rest
        onward = here
    total = weights.sum(axis=1, keepdims=True)
    if not (total > 0).all():
        raise ValueError("items must be a list that a draft of rankings gives, got another.")
    chances: NDArray[np.float64] = weights / total
    return chances


def probabilistic_shares(
    items: Sequence[Item], rankings: Sequence[Sequence[Item]], *, decay: float = 3.0
) -> NDArray[np.float64]:
    """Give the chance that each ranker placed each item of a list that `probabilistic` made.

    Parameters
    ----------
    items, rankings
        As `team_draft_shares`, of any number of rankings.
    decay : float
        That the list was made with.

    Returns
    -------
    array of shape (n_items, n_rankers)
        Rows sum to 1.

    Raises
    ------
    ValueError
        Where an item is of no ranking, or there twice.

    References
    ----------
    Hofmann, Whiteson & de Rijke (2011), CIKM.

    Examples
    --------
    >>> shares = probabilistic_shares(["a", "b"], [["a", "b"], ["b", "a"]])
    >>> shares.round(3).tolist()
    [[0.889, 0.111], [0.5, 0.5]]
    """
    _check(rankings, max(1, len(items)))
    every, chances = _chances(rankings, decay)
    column = {item: place for place, item in enumerate(every)}
    shares = np.zeros((len(items), len(rankings)))
    for row, item in zip(shares, items, strict=True):
        if item not in column:
            raise ValueError(f"items must come from rankings, each once, got {item!r}.")
        place = column.pop(item)
        left = chances.sum(axis=1)
        likely = np.divide(chances[:, place], left, out=np.zeros_like(left), where=left > 0)
        row[:] = likely / likely.sum()
        chances[:, place] = 0.0
    return shares


def marginal_credit(clicks: ArrayLike, shares: ArrayLike) -> NDArray[np.float64]:
    """Give each ranker its share of the clicks.

    Parameters
    ----------
    clicks : array-like of shape (n_items,)
        1 or true where the item was clicked, else 0; or how much it was worth, at least 0.
    shares : array-like of shape (n_items, n_rankers)
        From `team_draft_shares` or `probabilistic_shares`.

    Returns
    -------
    array of shape (n_rankers,)

    Examples
    --------
    >>> marginal_credit([1, 0, 1], [[0.5, 0.5], [0.5, 0.5], [0.0, 1.0]]).tolist()
    [0.5, 1.5]
    """
    chances = np.asarray(shares, dtype=np.float64)
    credit: NDArray[np.float64] = _checked_clicks(clicks, len(chances)) @ chances
    return credit


def _tops(items: Sequence[Item], rankings: Sequence[Sequence[Item]]) -> list[list[int]]:
    """Say for each item what each ranker would have done in its stead.

    1: place this item; 0: place another; -1: pass, for it has none left.
    """
    rows: list[list[int]] = []
    taken: set[Item] = set()
    at = [0] * len(rankings)
    for item in items:
        row = []
        for ranker, ranking in enumerate(rankings):
            while at[ranker] < len(ranking) and ranking[at[ranker]] in taken:
                at[ranker] += 1
            row.append(int(ranking[at[ranker]] == item) if at[ranker] < len(ranking) else -1)
        rows.append(row)
        taken.add(item)
    return rows


def _turns(state: _State, doing: list[int]) -> list[tuple[int, _State, float]]:
    """Give who may be next, the state after its turn, and the chance that it is next."""
    had, placed = state
    full = (1 << len(doing)) - 1
    waiting = [ranker for ranker in range(len(doing)) if not had >> ranker & 1]
    turns = []
    for ranker in waiting:
        after = had | 1 << ranker
        if doing[ranker] and 1 in doing:  # without 1 the state leads nowhere
            state = (0 if after == full else after, placed + (doing[ranker] == 1))
            turns.append((ranker, state, 1 / len(waiting)))
    return turns
