"""Two rankers before simulated users: what an A/B test sees of them, and what interleaving sees."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from nextcall.abtest.click_models import ClickModel, draft_many
from nextcall.abtest.effect import Arm, check_alpha
from nextcall.abtest.means import mean_arm, ratio_arm
from nextcall.abtest.moments import Moments

_METRICS: Final = ("clicks", "success", "reciprocal_rank")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Duel:
    """Sums of each user, had the user been in either arm or seen interleaved lists.

    Parameters
    ----------
    sessions : array of shape (n_users,)
        Lists that the user saw.
    first, second : array of shape (n_users, 3)
        With one ranker alone: clicks, sessions with a click (success), and the sum of the
        reciprocal ranks of each session's first click.
    credit : array of shape (n_users, 2)
        Credit of the second ranker less the first's, of interleaved lists: by teams, and averaged
        over the drafts that make the same list.
    """

    sessions: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    credit: NDArray[np.float64]

    def reduced(self) -> "DuelMoments":
        """Give the moments over users, of sums and of means a session."""
        per_list = self.sessions[:, None]
        return DuelMoments(
            first=Moments.of(np.hstack([per_list, self.first, self.first / per_list])),
            second=Moments.of(np.hstack([per_list, self.second, self.second / per_list])),
            credit=Moments.of(np.hstack([per_list, self.credit, self.credit / per_list])),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DuelMoments:
    """Moments of a duel over users, which merge with those of other users.

    Parameters
    ----------
    first, second, credit : Moments
        Columns sessions, the sums of the `Duel`, and those a session.
    """

    first: Moments
    second: Moments
    credit: Moments

    def __add__(self, other: Self) -> Self:
        """Merge with the moments of other users."""
        return type(self)(
            first=self.first + other.first,
            second=self.second + other.second,
            credit=self.credit + other.credit,
        )

    def ab_arms(self) -> dict[str, tuple[Arm, Arm]]:
        """Give each metric of an A/B test in both arms.

        Clicks a user; and of clicks, success and reciprocal rank the ratio over all sessions (by
        the delta method) and the mean over users of each one's own mean.
        """
        one, other = _arms(self.first), _arms(self.second)
        return {name: (one[name], other[name]) for name in one}

    def credit_arms(self) -> dict[str, Arm]:
        """Give the credit a list by each way to count it, over all lists and over users' means."""
        return {
            "team": ratio_arm(self.credit.columns([1, 0])),
            "marginal": ratio_arm(self.credit.columns([2, 0])),
            "team_mean_of_users": mean_arm(self.credit, 3),
            "marginal_mean_of_users": mean_arm(self.credit, 4),
        }

    def users_needed(self, *, alpha: float = 0.05, power: float = 0.8) -> Mapping[str, float]:
        """Give the users that each test needs, both arms of an A/B test together.

        By the normal law, from what the simulation found of differences and variances: as good as
        the simulation is large.

        Raises
        ------
        ValueError
            Where a level is out of its range.
        """
        if not 0 < power < 1:
            raise ValueError(f"power must lie between 0 and 1, got {power}.")
        reach = float(stats.norm.isf(check_alpha(alpha) / 2) + stats.norm.isf(1 - power))
        needed = {
            name: 2
            * (one.variance + other.variance)
            * (reach / (other.estimate - one.estimate)) ** 2
            for name, (one, other) in self.ab_arms().items()
        }
        return needed | {
            name: arm.variance * (reach / arm.estimate) ** 2
            for name, arm in self.credit_arms().items()
        }


def simulate_duel(
    grades: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    users: ArrayLike,
    *,
    model: ClickModel,
    k: int,
    rng: np.random.Generator,
    appetite: ArrayLike = 1.0,
) -> Duel:
    """Show each session's list of either ranker, and of both interleaved, to the same users.

    Users see team drafts; the three lists of a session are looked at independently.

    Parameters
    ----------
    grades : array-like of int, shape (n_lists, n_items)
        Of the candidates of each session.
    first, second : array-like of int, shape (n_lists, n_items)
        Orders of the candidates, best first.
    users : array-like of int, shape (n_lists,)
        Whose session it is, from 0; each user must have one.
    model : ClickModel
    k : int
        Length of the lists.
    rng : numpy.random.Generator
    appetite : array-like of shape (n_lists,), optional
        Factor on the user's chance to click.

    Returns
    -------
    Duel

    Raises
    ------
    ValueError
        Where shapes differ, or an argument is out of its range.

    Examples
    --------
    >>> from nextcall.abtest.click_models import PositionBiased
    >>> bad, good, users = [[0, 2, 1]] * 500, [[1, 0, 2]] * 500, np.arange(500)
    >>> model, rng = PositionBiased(attraction=(0.1, 0.9)), np.random.default_rng(0)
    >>> duel = simulate_duel([[0, 1, 0]] * 500, bad, good, users, model=model, k=2, rng=rng)
    >>> bool(duel.credit.sum() > 0)
    True
    """
    graded, orders = np.asarray(grades), (np.asarray(first), np.asarray(second))
    who = np.asarray(users)
    if any(order.shape != graded.shape for order in orders) or who.shape != graded.shape[:1]:
        raise ValueError(
            f"first, second and users must be as long as grades, {graded.shape}, got "
            f"{orders[0].shape}, {orders[1].shape} and {who.shape}."
        )
    sessions = np.bincount(who).astype(np.float64)
    if (sessions == 0).any():
        raise ValueError("users must be numbered from 0, each with a session.")

    def sums(columns: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.column_stack(
            [np.bincount(who, weights=column).astype(np.float64) for column in columns]
        )

    items, share = draft_many(*orders, k=k, rng=rng)
    arms = []
    for order in orders:
        shown = np.take_along_axis(graded, order[:, :k], axis=1)
        clicked = model.clicks(shown, rng=rng, appetite=appetite)
        found: NDArray[np.bool_] = np.any(clicked, axis=1)
        rank: NDArray[np.float64] = np.where(found, 1.0 + clicked.argmax(axis=1), np.inf)
        reciprocal: NDArray[np.float64] = 1 / rank
        arms.append(
            sums([clicked.sum(axis=1).astype(np.float64), found.astype(np.float64), reciprocal])
        )
    shown = np.take_along_axis(graded, items, axis=1)
    clicked = model.clicks(shown, rng=rng, appetite=appetite)
    team = np.where(rng.random(share.shape) < share, 1.0, -1.0)
    worths: tuple[NDArray[np.float64], ...] = (team, 2 * share - 1)
    credit = sums([np.einsum("ij,ij->i", clicked, worth) for worth in worths])
    return Duel(sessions=sessions, first=arms[0], second=arms[1], credit=credit)


def _arms(moments: Moments) -> dict[str, Arm]:
    arms = {"clicks_a_user": mean_arm(moments, 1)}
    for place, name in enumerate(_METRICS, start=1):
        arms[f"{name}_a_session"] = ratio_arm(moments.columns([place, 0]))
        arms[f"{name}_mean_of_users"] = mean_arm(moments, place + len(_METRICS))
    return arms
