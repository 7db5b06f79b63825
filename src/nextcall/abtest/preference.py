"""Which of two or more rankers users prefer, from the credit of interleaved lists."""

from dataclasses import dataclass
from itertools import combinations
from math import nan
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from nextcall.abtest.effect import Alternative, Effect, check_alternative, effect_of
from nextcall.abtest.means import ratio_arm
from nextcall.abtest.moments import Moments

_TIE: Final = 1e-9  # shares of credit are rounded sums of fractions such as 1/3


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """How far users prefer ranker b to ranker a.

    Parameters
    ----------
    a, b : int
        The rankers' places, from 0.
    n_units, n_lists : int
        Users, and the lists they were shown.
    wins_a, wins_b, ties : int
        Users by who got more credit from all their lists together.
    delta_ab : float
        Share of users that prefer b, ties counted half, less 1/2: in [-1/2, 1/2].
    sign_pvalue : float
        Of the exact sign test that as many users prefer either; ties left out.
    effect : Effect
        Credit of b less credit of a, a list; its error is over users.
    """

    a: int
    b: int
    n_units: int
    n_lists: int
    wins_a: int
    wins_b: int
    ties: int
    delta_ab: float
    sign_pvalue: float
    effect: Effect


def sign_test(wins_a: int, wins_b: int, *, alternative: Alternative = "two-sided") -> float:
    """Give the exact p-value of as many wins of b among wins of both, were each as likely.

    Two-sided it is twice the smaller tail, up to 1; without a win it is 1.

    Raises
    ------
    ValueError
        Where a count is negative or not whole.

    Examples
    --------
    >>> round(sign_test(40, 55), 4), sign_test(3, 3)
    (0.1505, 1.0)
    """
    check_alternative(alternative)
    _check_counts(wins_a=wins_a, wins_b=wins_b)
    total = wins_a + wins_b
    if alternative == "two-sided":
        tail = stats.binom.sf(max(wins_a, wins_b) - 1, total, 0.5)
        return min(1.0, 2 * float(tail))
    more = wins_b if alternative == "greater" else wins_a
    return float(stats.binom.sf(more - 1, total, 0.5))


def delta_ab(wins_a: int, wins_b: int, ties: int = 0) -> float:
    """Give the share of units that prefer b, ties counted half, less 1/2.

    ``nan`` without units.

    References
    ----------
    Chapelle, Joachims, Radlinski & Yue (2012), ACM TOIS 30(1).

    Examples
    --------
    >>> delta_ab(30, 50, 20)
    0.1
    """
    _check_counts(wins_a=wins_a, wins_b=wins_b, ties=ties)
    total = wins_a + wins_b + ties
    return (wins_b - wins_a) / (2 * total) if total else nan


def compare_credit(
    credit: ArrayLike,
    *,
    users: ArrayLike | None = None,
    per_user: bool = False,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> tuple[Preference, ...]:
    """Compare all pairs of rankers by the credit that their items got.

    Lists of one user are not independent, so all errors are over users. With many rankers there
    are many pairs: adjust the p-values (Holm) before one is believed.

    Parameters
    ----------
    credit : array-like of shape (n_lists, n_rankers)
        One row a list, from `Interleaved.credit`, `marginal_credit` or `balanced_credit`.
    users : array-like of shape (n_lists,), optional
        Whose list it was; without it each list counts as a user of its own.
    per_user : bool
        Whether the effect is the mean over users of each one's mean a list, so that every user
        counts alike. Otherwise every list does, which needs fewer users where activity is unequal.
    alpha : float
    alternative : {"two-sided", "greater", "less"}
        "greater": b (the later ranker) is better.

    Returns
    -------
    tuple of Preference
        Pairs (0, 1), (0, 2), ..., (1, 2), ...

    Raises
    ------
    ValueError
        Where an argument is out of its range.

    Notes
    -----
    The effect is a ratio of sums (credit, lists) over users with the delta method's error, or a
    mean over users, and a t law with one degree of freedom less than there are users. With few
    users who differ much in activity it rests on the busiest of them: see `sign_pvalue` too.

    Examples
    --------
    >>> credit = [[1, 0], [0, 2], [0, 1], [0, 1], [0, 0]]
    >>> (found,) = compare_credit(credit, users=["u", "u", "v", "w", "x"])
    >>> found.wins_a, found.wins_b, found.ties, found.delta_ab, found.sign_pvalue
    (0, 3, 1, 0.375, 0.25)
    >>> found.effect.value
    0.6
    """
    rows = np.asarray(credit, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] < 2 or len(rows) == 0:
        raise ValueError(f"credit must have shape (n_lists, n_rankers >= 2), got {rows.shape}.")
    if not np.isfinite(rows).all():
        raise ValueError("credit must be finite, got nan or infinity.")
    names = np.arange(len(rows)) if users is None else np.asarray(users)
    if names.shape != (len(rows),):
        raise ValueError(f"users must have shape ({len(rows)},), got {names.shape}.")
    _, unit = np.unique(names, return_inverse=True)
    lists = np.bincount(unit).astype(np.float64)
    sums, scale = _sums(unit, rows), _sums(unit, np.abs(rows))
    found = []
    for a, b in combinations(range(rows.shape[1]), 2):
        ahead: NDArray[np.float64] = sums[:, b] - sums[:, a]
        ahead[np.abs(ahead) <= _TIE * (scale[:, a] + scale[:, b])] = 0.0
        found.append(
            _preference(
                (a, b),
                ahead,
                lists,
                effect=_effect(
                    ahead, lists, per_user=per_user, alpha=alpha, alternative=alternative
                ),
                alternative=alternative,
            )
        )
    return tuple(found)


def _preference(
    pair: tuple[int, int],
    ahead: NDArray[np.float64],
    lists: NDArray[np.float64],
    *,
    effect: Effect,
    alternative: Alternative,
) -> Preference:
    wins_a, wins_b = int((ahead < 0).sum()), int((ahead > 0).sum())
    ties = len(ahead) - wins_a - wins_b
    return Preference(
        a=pair[0],
        b=pair[1],
        n_units=len(ahead),
        n_lists=int(lists.sum()),
        wins_a=wins_a,
        wins_b=wins_b,
        ties=ties,
        delta_ab=delta_ab(wins_a, wins_b, ties),
        sign_pvalue=sign_test(wins_a, wins_b, alternative=alternative),
        effect=effect,
    )


def _effect(
    ahead: NDArray[np.float64],
    lists: NDArray[np.float64],
    *,
    per_user: bool,
    alpha: float,
    alternative: Alternative,
) -> Effect:
    pairs = [ahead / lists, np.ones_like(lists)] if per_user else [ahead, lists]
    arm = ratio_arm(Moments.of(np.column_stack(pairs)))
    dof = arm.n - 1 if arm.n > 1 else nan
    return effect_of(arm.estimate, arm.se, dof=dof, alpha=alpha, alternative=alternative)


def _sums(unit: NDArray[np.intp], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum the rows of each unit."""
    columns: NDArray[np.float64] = np.column_stack(
        [np.bincount(unit, weights=column).astype(np.float64) for column in rows.T]
    )
    return columns


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if not (count >= 0 and count == int(count)):
            raise ValueError(f"{name} must be a whole number, at least 0, got {count}.")
