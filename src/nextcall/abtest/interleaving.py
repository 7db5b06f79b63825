"""Lists made of several rankers' lists, so that one user's clicks compare the rankers."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Item = TypeVar("Item", bound=Hashable)

_STEEPEST: Final = 30.0  # rank 10^9 then has a chance of 10^-270, above the least number


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interleaved(Generic[Item]):
    """A list to show, and who placed what.

    Parameters
    ----------
    items : tuple
        Best first; shorter than was asked where the rankings hold fewer items.
    teams : array of int, shape (n_items,)
        The ranker that placed each item, counted from 0.
    n_rankers : int
    """

    items: tuple[Item, ...]
    teams: NDArray[np.intp]
    n_rankers: int

    def credit(self, clicks: ArrayLike) -> NDArray[np.float64]:
        """Count the clicks on what each ranker placed.

        It compares rankers fairly, but the coins that made the list add noise to it:
        `marginal_credit` has the same mean with less of that.

        Parameters
        ----------
        clicks : array-like of shape (n_items,)
            1 or true where the item was clicked, else 0; or how much it was worth, at least 0.

        Returns
        -------
        array of shape (n_rankers,)

        Examples
        --------
        >>> shown = Interleaved(items=("b", "a", "c"), teams=np.array([1, 0, 1]), n_rankers=2)
        >>> shown.credit([1, 0, 1]).tolist()
        [0.0, 2.0]
        """
        worth = _checked_clicks(clicks, len(self.items))
        credit: NDArray[np.float64] = worth @ np.eye(self.n_rankers)[self.teams]
        return credit


def team_draft(
    rankings: Sequence[Sequence[Item]], *, k: int, rng: np.random.Generator
) -> Interleaved[Item]:
    """Let rankers pick in turn, as captains pick teams; in each round in a new random order.

    Each adds the best of its items that is not there yet; one that has none left passes. With
    more than two rankings this is team-draft multileaving.

    Parameters
    ----------
    rankings : sequence of sequence
        At least two; best first, no item twice within one.
    k : int
        Length of the list, at least 1.
    rng : numpy.random.Generator

    Raises
    ------
    ValueError
        Where an argument is out of its range.

    References
    ----------
    Radlinski, Kurup & Joachims (2008), CIKM; for many rankers Schuth, Sietsma, Whiteson, Lefortier
    & de Rijke (2014), CIKM.

    Examples
    --------
    >>> shown = team_draft([["a", "b", "c"], ["b", "d"]], k=3, rng=np.random.default_rng(4))
    >>> shown.items, shown.teams.tolist()
    (('b', 'a', 'd'), [1, 0, 1])
    """
    _check(rankings, k)
    length = min(k, len({item for ranking in rankings for item in ranking}))
    items: list[Item] = []
    teams: list[int] = []
    taken: set[Item] = set()
    at = [0] * len(rankings)
    # Each round adds an item or more; the order of turns is drawn for all of them at once.
    for order in rng.random((length, len(rankings))).argsort(axis=1).tolist():
        for team in order:
            ranking = rankings[team]
            while at[team] < len(ranking) and ranking[at[team]] in taken:
                at[team] += 1
            if at[team] < len(ranking) and len(items) < length:
                items.append(ranking[at[team]])
                taken.add(ranking[at[team]])
                teams.append(team)
    return Interleaved(items=tuple(items), teams=np.array(teams), n_rankers=len(rankings))


def probabilistic(
    rankings: Sequence[Sequence[Item]],
    *,
    k: int,
    rng: np.random.Generator,
    decay: float = 3.0,
) -> Interleaved[Item]:
    """Draw each item from a ranker that is itself drawn, the better the likelier.

    Of the items that are left, a ranker gives the one at its rank i with a chance in proportion to
    i ** -decay (ranks of its whole list). Every list is possible, so any click can tell rankers
    apart; the price is that a list may be worse than what either ranker would have shown.

    Parameters
    ----------
    rankings, k, rng
        As `team_draft`.
    decay : float
        Above 0, up to 30; the higher, the closer to the rankers' order.

    Raises
    ------
    ValueError
        Where an argument is out of its range.

    References
    ----------
    Hofmann, Whiteson & de Rijke (2011), CIKM; for many rankers Schuth et al. (2015), SIGIR.

    Examples
    --------
    >>> shown = probabilistic([["a", "b", "c"], ["b", "d"]], k=3, rng=np.random.default_rng(5))
    >>> shown.items, shown.teams.tolist()
    (('b', 'd', 'a'), [1, 1, 0])
    """
    _check(rankings, k)
    every, chances = _chances(rankings, decay)
    items: list[Item] = []
    teams: list[int] = []
    for _ in range(min(k, len(every))):
        left = chances.sum(axis=1)
        team = int(rng.choice(np.flatnonzero(left > 0)))
        place = int(rng.choice(len(every), p=chances[team] / left[team]))
        items.append(every[place])
        teams.append(team)
        chances[:, place] = 0.0
    return Interleaved(items=tuple(items), teams=np.array(teams), n_rankers=len(rankings))


def balanced(
    first: Sequence[Item], second: Sequence[Item], *, k: int, rng: np.random.Generator
) -> tuple[Item, ...]:
    """Merge two lists so that of each about as many best items are shown at every depth.

    A coin says who begins. It is here to read results of systems that use it: where one list is
    the other with its first item moved to the end, even random clicks prefer one (`team_draft`
    does not).

    Parameters
    ----------
    first, second : sequence
        Best first, no item twice within one.
    k, rng
        As `team_draft`.

    Raises
    ------
    ValueError
        Where an argument is out of its range.

    References
    ----------
    Joachims (2002), KDD; its bias: Radlinski, Kurup & Joachims (2008), CIKM.

    Examples
    --------
    >>> balanced(["a", "b", "c"], ["b", "d"], k=3, rng=np.random.default_rng(1))
    ('b', 'a', 'd')
    """
    _check([first, second], k)
    return merge_balanced(first, second, k=k, first_begins=bool(rng.integers(2)))


def merge_balanced(
    first: Sequence[Item], second: Sequence[Item], *, k: int, first_begins: bool
) -> tuple[Item, ...]:
    """Merge as `balanced` does after its coin has fallen."""
    items: list[Item] = []
    at = [0, 0]
    lists = (first, second)
    while len(items) < k and (at[0] < len(first) or at[1] < len(second)):
        behind = at[0] < at[1] or (at[0] == at[1] and first_begins)
        turn = 0 if behind else 1
        if at[turn] >= len(lists[turn]):
            turn = 1 - turn
        item = lists[turn][at[turn]]
        at[turn] += 1
        if item not in items:
            items.append(item)
    return tuple(items)


def balanced_credit(
    items: Sequence[Item], first: Sequence[Item], second: Sequence[Item], clicks: ArrayLike
) -> NDArray[np.float64]:
    """Count the clicks among the best items of each list, down to the depth that was looked at.

    The depth is the lesser of the two lists' ranks of the lowest item that was clicked; who has
    more clicks is preferred.

    Parameters
    ----------
    items : sequence
        As shown.
    first, second : sequence
        What `items` was made of.
    clicks : array-like of shape (n_items,)
        1 or true where the item was clicked, else 0.

    Returns
    -------
    array of shape (2,)

    References
    ----------
    Joachims (2002), KDD.

    Examples
    --------
    >>> balanced_credit(["a", "b", "d"], ["a", "b", "c"], ["b", "d"], [0, 1, 0]).tolist()
    [0.0, 1.0]
    """
    worth = _checked_clicks(clicks, len(items))
    clicked = [item for item, each in zip(items, worth, strict=True) if each > 0]
    if not clicked:
        return np.zeros(2)
    lists = (first, second)
    ranks = [ranking.index(clicked[-1]) for ranking in lists if clicked[-1] in ranking]
    if not ranks:
        raise ValueError(f"items must come from first or second, got {clicked[-1]!r}.")
    best = [set(ranking[: min(ranks) + 1]) for ranking in lists]
    return np.array([float(sum(item in top for item in clicked)) for top in best])


def _check(rankings: Sequence[Sequence[Item]], k: int) -> None:
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}.")
    if len(rankings) < 2:
        raise ValueError(f"rankings must be at least two, got {len(rankings)}.")
    for place, ranking in enumerate(rankings):
        if len(ranking) == 0:
            raise ValueError(f"rankings must hold items, got none in ranking {place}.")
        if len(set(ranking)) < len(ranking):
            raise ValueError(f"rankings must hold no item twice, ranking {place} does.")


def _checked_clicks(clicks: ArrayLike, n_items: int) -> NDArray[np.float64]:
    worth = np.asarray(clicks, dtype=np.float64)
    if worth.shape != (n_items,):
        raise ValueError(f"clicks must have shape ({n_items},), got {worth.shape}.")
    if not (np.isfinite(worth).all() and (worth >= 0).all()):
        raise ValueError(f"clicks must be finite and at least 0, got {worth.tolist()}.")
    return worth


def _chances(
    rankings: Sequence[Sequence[Item]], decay: float
) -> tuple[list[Item], NDArray[np.float64]]:
    """Give every item once, and each ranker's unscaled chance of it: (n_rankers, n_items)."""
    if not 0 < decay <= _STEEPEST:
        raise ValueError(f"decay must lie above 0, up to {_STEEPEST:g}, got {decay}.")
    every = list(dict.fromkeys(item for ranking in rankings for item in ranking))
    column = {item: place for place, item in enumerate(every)}
    chances = np.zeros((len(rankings), len(every)))
    for row, ranking in zip(chances, rankings, strict=True):
        row[[column[item] for item in ranking]] = np.arange(1.0, len(ranking) + 1) ** -decay
    return every, chances
