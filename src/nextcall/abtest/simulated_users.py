"""Simulated users before real lists: what an A/B test and interleaved lists tell of two rankers."""

import numpy as np
from numpy.typing import NDArray

from nextcall.abtest.click_models import ClickModel, draw_sessions
from nextcall.abtest.duels import simulate_duel
from nextcall.abtest.means import ratio_arm
from nextcall.abtest.moments import Moments
from nextcall.abtest.shown_lists import ShownLists, interleaved_credit
from nextcall.abtest.users_needed import duel_evidence


def user_evidence(
    lists: ShownLists,
    *,
    users: int,
    model: ClickModel,
    rng: np.random.Generator,
    sessions: float = 6.0,
    spread: float = 0.0,
    appetite: float = 0.5,
) -> dict[str, tuple[float, float]]:
    """Let users ask queries, and see what each test tells of the second ranker against the first.

    Each session asks one of the queries, all as likely. The same sessions are shown the lists of
    either ranker, team drafts, balanced lists and, where there are more rankers, drafts of all.

    Parameters
    ----------
    lists : ShownLists
        Of two rankers or more.
    users : int
        At least 2.
    model : ClickModel
    sessions : float
        Mean a user.
    spread : float
        Of activity, as of `draw_sessions`.
    appetite : float
        Standard deviation of the logarithm of the factor on each user's chance to click.

    Returns
    -------
    dict of str to (difference, variance)
        As of `duel_evidence`, and credit a list of "balanced" and "multileave".

    Examples
    --------
    >>> from nextcall.abtest.click_models import PositionBiased
    >>> from nextcall.abtest.shown_lists import number_lists
    >>> lists = number_lists([[["a", "b"]], [["c", "a"]]], [{"c"}], k=2)
    >>> found = user_evidence(lists, users=200, model=PositionBiased(attraction=(0.0, 0.9)),
    ...                       rng=np.random.default_rng(0))
    >>> found["balanced"][0] > 0, found["success_a_session"][0] > 0
    (True, True)
    """
    often = draw_sessions(users, mean=sessions, spread=spread, rng=rng)
    who = np.repeat(np.arange(users), often)
    queries = rng.integers(len(lists.grades), size=len(who))
    factor = np.exp(appetite * rng.standard_normal(users) - appetite**2 / 2)[who]
    pair = lists.only(2)
    duel = simulate_duel(
        pair.grades[queries],
        pair.orders[0][queries],
        pair.orders[1][queries],
        who,
        model=model,
        k=pair.k,
        rng=rng,
        appetite=factor,
    )
    found = duel_evidence(duel.reduced())
    credit = interleaved_credit(
        pair, queries, design="balanced", model=model, rng=rng, appetite=factor
    )
    won: NDArray[np.float64] = np.sign(credit[:, 1] - credit[:, 0])
    found["balanced"] = _of_users(who, won)
    if len(lists.orders) > 2:
        credit = interleaved_credit(
            lists, queries, design="team_draft", model=model, rng=rng, appetite=factor
        )
        found["multileave"] = _of_users(who, credit[:, 1] - credit[:, 0])
    return found


def _of_users(who: NDArray[np.intp], ahead: NDArray[np.float64]) -> tuple[float, float]:
    """Give the mean a list, and its squared error times the users."""
    sums = np.column_stack([np.bincount(who, weights=ahead), np.bincount(who)])
    arm = ratio_arm(Moments.of(sums))
    return arm.estimate, arm.variance
