"""Real lists of several rankers, numbered so that simulated users can be shown them."""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextcall.abtest.click_models import ClickModel
from nextcall.abtest.interleaving import balanced_credit, merge_balanced, team_draft

Design = Literal["team_draft", "balanced"]
"""How lists are merged: by teams (with three rankers or more: multileaving), or in turn."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShownLists:
    """What rankers show for each query; items are numbered within the query.

    Parameters
    ----------
    grades : array of int, shape (n_queries, n_items)
        1 where the item is relevant, else 0.
    orders : array of int, shape (n_rankers, n_queries, n_items)
        Items, best first: those that the ranker shows, then all others.
    n_known : array of int, shape (n_queries,)
        Items that a ranker shows; numbers from there on fill up the row and are no items.
    k : int
        Length of the lists.
    """

    grades: NDArray[np.intp]
    orders: NDArray[np.intp]
    n_known: NDArray[np.intp]
    k: int

    def only(self, n_rankers: int) -> Self:
        """Give the same items in the lists of the first rankers."""
        return replace(self, orders=self.orders[:n_rankers])


def number_lists(
    rankings: Sequence[Sequence[Sequence[Hashable]]],
    relevant: Sequence[Collection[Hashable]],
    *,
    k: int,
) -> ShownLists:
    """Number the items that any of the rankers shows for a query.

    Parameters
    ----------
    rankings : sequence
        Of rankers, of queries, of items, best first.
    relevant : sequence
        The relevant items of each query.
    k : int
        Items of each list that count, at least 1.

    Raises
    ------
    ValueError
        Where rankers have not as many queries, or k is out of its range.

    Examples
    --------
    >>> found = number_lists([[["a", "b"]], [["c", "a"]]], [{"c"}], k=2)
    >>> found.grades.tolist(), found.orders.tolist(), found.n_known.tolist()
    ([[0, 0, 1, 0]], [[[0, 1, 2, 3]], [[2, 0, 1, 3]]], [3])
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}.")
    lengths = [len(each) for each in rankings]
    if not lengths or set(lengths) != {len(relevant)}:
        raise ValueError(f"rankings must have {len(relevant)} queries each, got {lengths}.")
    width = k * len(rankings)
    grades = np.zeros((len(relevant), width), dtype=np.intp)
    orders = np.empty((len(rankings), len(relevant), width), dtype=np.intp)
    known = np.empty(len(relevant), dtype=np.intp)
    for row, right in enumerate(relevant):
        lists = [each[row][:k] for each in rankings]
        every = dict.fromkeys(item for each in lists for item in each)
        numbers = {item: place for place, item in enumerate(every)}
        known[row] = len(numbers)
        grades[row, : len(numbers)] = [item in right for item in numbers]
        for ranker, items in enumerate(lists):
            first = [numbers[item] for item in items]
            orders[ranker, row] = first + [place for place in range(width) if place not in first]
    return ShownLists(grades=grades, orders=orders, n_known=known, k=k)


def interleaved_credit(
    lists: ShownLists,
    queries: ArrayLike,
    *,
    design: Design,
    model: ClickModel,
    rng: np.random.Generator,
    appetite: ArrayLike = 1.0,
) -> NDArray[np.float64]:
    """Show merged lists to simulated users, and give each ranker the clicks that are its own.

    Parameters
    ----------
    queries : array-like of int, shape (n_lists,)
        Which query each list answers.
    design : {"team_draft", "balanced"}
        Of all rankers, or of two.
    model : ClickModel
    rng : numpy.random.Generator
    appetite : array-like of shape (n_lists,), optional
        Factor on the user's chance to click.

    Returns
    -------
    array of shape (n_lists, n_rankers)

    Raises
    ------
    ValueError
        Where balanced interleaving is asked of other than two rankers.

    Examples
    --------
    >>> from nextcall.abtest.click_models import PositionBiased
    >>> lists = number_lists([[["a", "b"]], [["c", "a"]]], [{"c"}], k=2)
    >>> found = interleaved_credit(lists, [0] * 100, design="team_draft",
    ...     model=PositionBiased(attraction=(0.0, 1.0)), rng=np.random.default_rng(0))
    >>> found.sum(axis=0)[0]
    np.float64(0.0)
    """
    which, n_rankers, k = np.asarray(queries), len(lists.orders), lists.k
    if design == "balanced" and n_rankers != 2:
        raise ValueError(f"balanced interleaving is of two rankers, got {n_rankers}.")
    rankings = lists.orders[:, :, :k].transpose(1, 0, 2).tolist()
    coins = rng.random(len(which)) < 0.5
    shown = np.empty((len(which), k), dtype=np.intp)
    teams = np.empty((len(which), k), dtype=np.intp)
    for row, query in enumerate(which.tolist()):
        if design == "balanced":
            shown[row] = merge_balanced(
                rankings[query][0], rankings[query][1], k=k, first_begins=bool(coins[row])
            )
        else:
            merged = team_draft(rankings[query], k=k, rng=rng)
            shown[row], teams[row] = merged.items, merged.teams
    graded = np.take_along_axis(lists.grades[which], shown, axis=1)
    clicks = model.clicks(graded, rng=rng, appetite=appetite)
    if design == "team_draft":
        mine = teams[:, :, None] == np.arange(n_rankers)
        return np.asarray(np.einsum("lk,lkr->lr", clicks, mine), dtype=np.float64)
    return np.array(
        [
            balanced_credit(items, rankings[query][0], rankings[query][1], clicked)
            for items, query, clicked in zip(shown.tolist(), which.tolist(), clicks, strict=True)
        ]
    )
