"""Simulated users of ranked lists: what they look at, click and leave after; how often they come.

No user is real here: the models are those of the field, their parameters are yours to state.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray


class ClickModel(Protocol):
    """Clicks on lists whose items have grades."""

    def clicks(
        self, grades: ArrayLike, *, rng: np.random.Generator, appetite: ArrayLike = 1.0
    ) -> NDArray[np.bool_]:
        """Draw which items are clicked."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionBiased:
    """Users look at each rank with a chance of its own, whatever else they saw.

    Parameters
    ----------
    attraction : tuple of float
        Chance of a click on an item of grade 0, 1, ... that was looked at.
    decay : float
        Rank i is looked at with chance i ** -decay; 0: every rank always.

    References
    ----------
    Joachims, Swaminathan & Schnabel (2017), WSDM: the decay.

    Examples
    --------
    >>> users = PositionBiased(attraction=(0.0, 1.0), decay=0.0)
    >>> users.clicks([[0, 1, 1]], rng=np.random.default_rng(0)).tolist()
    [[False, True, True]]
    """

    attraction: tuple[float, ...]
    decay: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        _check_chances("attraction", self.attraction)
        if not 0 <= self.decay < np.inf:
            raise ValueError(f"decay must be finite and at least 0, got {self.decay}.")

    def clicks(
        self, grades: ArrayLike, *, rng: np.random.Generator, appetite: ArrayLike = 1.0
    ) -> NDArray[np.bool_]:
        """Draw which items are clicked.

        Parameters
        ----------
        grades : array-like of int, shape (n_lists, n_ranks)
            In the order shown.
        rng : numpy.random.Generator
        appetite : array-like of shape (n_lists,), optional
            Factor on the user's chance to click, cut at 1.

        Returns
        -------
        array of bool, shape (n_lists, n_ranks)
        """
        attracted = _attracted(grades, self.attraction, appetite)
        looked = np.arange(1.0, attracted.shape[1] + 1) ** -self.decay
        return rng.random(attracted.shape) < attracted * looked


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade:
    """Users go down the list, click what attracts them, and may leave after any click.

    A dependent click model: leaving depends on how good what was clicked is. With
    ``satisfaction`` of zeros nobody leaves for having found what was sought; the more that
    good items end the search, the more one list's good items keep the others from being clicked.

    Parameters
    ----------
    attraction : tuple of float
        Chance of a click on an item of grade 0, 1, ... that was looked at.
    satisfaction : tuple of float
        Chance of leaving after a click, by grade.
    patience : float
        Chance of looking at the next rank otherwise, in [0, 1].

    References
    ----------
    Guo, Liu & Wang (2009), WSDM: the dependent click model; Iizuka, Morita & Kato (2023), ECIR,
    arXiv:2306.10023: leaving by relevance is what makes interleaving efficient.

    Examples
    --------
    >>> users = Cascade(attraction=(0.0, 1.0), satisfaction=(0.0, 1.0))
    >>> users.clicks([[0, 1, 1]], rng=np.random.default_rng(0)).tolist()
    [[False, True, False]]
    """

    attraction: tuple[float, ...]
    satisfaction: tuple[float, ...]
    patience: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        _check_chances("attraction", self.attraction)
        _check_chances("satisfaction", self.satisfaction)
        if len(self.attraction) != len(self.satisfaction):
            raise ValueError(
                f"satisfaction must have as many grades as attraction, {len(self.attraction)}, "
                f"got {len(self.satisfaction)}."
            )
        _check_chances("patience", (self.patience,))

    def clicks(
        self, grades: ArrayLike, *, rng: np.random.Generator, appetite: ArrayLike = 1.0
    ) -> NDArray[np.bool_]:
        """Draw which items are clicked.

        Parameters
        ----------
        grades : array-like of int, shape (n_lists, n_ranks)
            In the order shown.
        rng : numpy.random.Generator
        appetite : array-like of shape (n_lists,), optional
            Factor on the user's chance to click, cut at 1.

        Returns
        -------
        array of bool, shape (n_lists, n_ranks)
        """
        attracted = _attracted(grades, self.attraction, appetite)
        drawn = rng.random(attracted.shape) < attracted
        left = np.where(drawn, np.array(self.satisfaction)[np.asarray(grades)], 0.0)
        goes_on = (rng.random(drawn.shape) >= left) & (rng.random(drawn.shape) < self.patience)
        looked = np.ones_like(drawn)
        looked[:, 1:] = np.logical_and.accumulate(goes_on, axis=1)[:, :-1]
        clicked: NDArray[np.bool_] = drawn & looked
        return clicked


def draw_sessions(
    n_users: int, *, mean: float, spread: float, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Draw how often each user comes.

    Once, and then by a Poisson law whose rate is lognormal over users; with a spread of 0 every
    user comes equally often.

    Parameters
    ----------
    n_users : int
    mean : float
        Sessions a user, at least 1; rounded where the spread is 0.
    spread : float
        Standard deviation of the logarithm of the rate, at least 0. At 1.5 the busiest tenth of
        users makes about half of all sessions.
    rng : numpy.random.Generator

    Returns
    -------
    array of int, shape (n_users,)

    Raises
    ------
    ValueError
        Where an argument is out of its range.

    Examples
    --------
    >>> draw_sessions(3, mean=5, spread=0.0, rng=np.random.default_rng(0)).tolist()
    [5, 5, 5]
    """
    if n_users < 1:
        raise ValueError(f"n_users must be at least 1, got {n_users}.")
    if not 1 <= mean < np.inf:
        raise ValueError(f"mean must be finite and at least 1, got {mean}.")
    if not 0 <= spread < np.inf:
        raise ValueError(f"spread must be finite and at least 0, got {spread}.")
    if spread == 0:
        return np.full(n_users, round(mean))
    rates = (mean - 1) * np.exp(spread * rng.standard_normal(n_users) - spread**2 / 2)
    return 1 + rng.poisson(rates)


def draft_many(
    first: ArrayLike, second: ArrayLike, *, k: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Make many lists of two rankers by team draft at once, for simulations.

    Parameters
    ----------
    first, second : array-like of int, shape (n_lists, n_items)
        Each row orders 0 ... n_items - 1, best first.
    k : int
        Length of the lists, up to n_items.
    rng : numpy.random.Generator

    Returns
    -------
    items : array of int, shape (n_lists, k)
    share : array of shape (n_lists, k)
        Chance that the second ranker placed the item: column 1 of
        `interleaving_credit.team_draft_shares`.

    Raises
    ------
    ValueError
        Where the shapes differ or k is out of its range.

    Examples
    --------
    >>> items, share = draft_many([[0, 1, 2]], [[0, 2, 1]], k=3, rng=np.random.default_rng(1))
    >>> items.tolist(), share.tolist()
    ([[0, 2, 1]], [[0.0, 1.0, 0.5]])
    """
    orders = np.stack([np.asarray(first), np.asarray(second)])
    if orders.ndim != 3:
        raise ValueError(f"first must have two dimensions, got {orders.ndim - 1}.")
    n_lists, n_items = orders.shape[1:]
    if not 1 <= k <= n_items:
        raise ValueError(f"k must lie between 1 and {n_items}, got {k}.")
    free = np.ones((n_lists, n_items), dtype=bool)
    rows = np.arange(n_lists)
    items = np.empty((n_lists, k), dtype=np.intp)
    share = np.full((n_lists, k), 0.5)
    for place in range(0, k, 2):
        second_picks = rng.integers(2, size=n_lists).astype(bool)
        tops = [_top(order, free) for order in orders]
        items[:, place] = np.where(second_picks, tops[1], tops[0])
        alike = tops[0] == tops[1]
        free[rows, items[:, place]] = False
        if place + 1 == k:
            share[:, place] = np.where(alike, 0.5, second_picks)
            break
        tops = [_top(order, free) for order in orders]
        items[:, place + 1] = np.where(second_picks, tops[0], tops[1])
        free[rows, items[:, place + 1]] = False
        known = ~alike | (tops[0] != tops[1])
        share[known, place] = second_picks[known]
        share[known, place + 1] = ~second_picks[known]
    return items, share


def _top(order: NDArray[np.intp], free: NDArray[np.bool_]) -> NDArray[np.intp]:
    places = np.argmax(np.take_along_axis(free, order, axis=1), axis=1)
    tops: NDArray[np.intp] = np.take_along_axis(order, places[:, None], axis=1)[:, 0]
    return tops


def _attracted(
    grades: ArrayLike, attraction: tuple[float, ...], appetite: ArrayLike
) -> NDArray[np.float64]:
    shown = np.asarray(grades)
    if shown.ndim != 2:
        raise ValueError(f"grades must have two dimensions, got {shown.ndim}.")
    if shown.size and not (shown.min() >= 0 and shown.max() < len(attraction)):
        raise ValueError(
            f"grades must lie between 0 and {len(attraction) - 1}, got "
            f"{shown.min()} to {shown.max()}."
        )
    factor = np.broadcast_to(np.asarray(appetite, dtype=np.float64), (len(shown),))
    if not (factor >= 0).all():
        raise ValueError(f"appetite must be at least 0, got {factor.min()}.")
    result: NDArray[np.float64] = np.minimum(np.array(attraction)[shown] * factor[:, None], 1.0)
    return result


def _check_chances(name: str, chances: tuple[float, ...]) -> None:
    if not chances or not all(0 <= each <= 1 for each in chances):
        raise ValueError(f"{name} must lie in [0, 1], got {chances}.")
