from collections import defaultdict
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nextcall.abtest.interleaving import probabilistic, team_draft
from nextcall.abtest.interleaving_credit import (
    marginal_credit,
    probabilistic_shares,
    team_draft_shares,
)

Drafts = dict[tuple[tuple[int, ...], tuple[int, ...]], float]

rankings_of_few = st.lists(
    st.lists(st.integers(0, 4), min_size=1, max_size=4, unique=True), min_size=2, max_size=3
)


def every_draft(rankings: list[list[int]], k: int) -> Drafts:
    """Play all orders of all rounds: the chance of each list with its teams."""
    length = min(k, len({item for ranking in rankings for item in ranking}))
    ended: Drafts = defaultdict(float)
    going: Drafts = {((), ()): 1.0}
    orders = list(permutations(range(len(rankings))))
    while going:
        grown: Drafts = defaultdict(float)
        for (items, teams), chance in going.items():
            for order in orders:
                shown, who = items, teams
                for team in order:
                    left = [item for item in rankings[team] if item not in shown]
                    if left and len(shown) < length:
                        shown, who = (*shown, left[0]), (*who, team)
                (ended if len(shown) == length else grown)[shown, who] += chance / len(orders)
        going = grown
    return ended


def plain_shares(drafts: Drafts, items: tuple[int, ...], n_rankers: int) -> NDArray[np.float64]:
    shares = np.zeros((len(items), n_rankers))
    for (shown, teams), chance in drafts.items():
        if shown == items:
            shares[np.arange(len(items)), list(teams)] += chance
    normal: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
    return normal


@settings(max_examples=60, deadline=None)
@given(rankings_of_few, st.integers(1, 5))
def test_shares_are_those_of_all_drafts_that_give_the_list(
    rankings: list[list[int]], k: int
) -> None:
    drafts = every_draft(rankings, k)
    for items in {shown for shown, _ in drafts}:
        np.testing.assert_allclose(
            team_draft_shares(items, rankings),
            plain_shares(drafts, items, len(rankings)),
            atol=1e-12,
        )


@settings(max_examples=30, deadline=None)
@given(rankings_of_few, st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_credit_by_shares_has_the_mean_of_credit_by_teams_and_no_more_variance(
    rankings: list[list[int]], k: int, seed: int
) -> None:
    drafts = every_draft(rankings, k)
    worth = np.random.default_rng(seed).random(5)  # of a click on each item
    by_team, by_share, chances = [], [], []
    for (items, teams), chance in drafts.items():
        clicks = worth[list(items)]
        by_team.append(float(clicks @ (np.array(teams) == 0)))
        by_share.append(float(marginal_credit(clicks, team_draft_shares(items, rankings))[0]))
        chances.append(chance)
    team, share, weight = np.array(by_team), np.array(by_share), np.array(chances)
    assert weight.sum() == pytest.approx(1)
    assert weight @ share == pytest.approx(weight @ team)
    assert weight @ share**2 <= weight @ team**2 + 1e-12


def test_shares_of_probabilistic_lists_are_the_share_of_teams_among_them() -> None:
    rankings = [["a", "b", "c"], ["c", "a"]]
    rng = np.random.default_rng(5)
    seen: dict[tuple[str, ...], list[NDArray[np.intp]]] = defaultdict(list)
    for _ in range(4_000):
        shown = probabilistic(rankings, k=3, rng=rng, decay=1.0)
        seen[shown.items].append(shown.teams)
    for items, teams in seen.items():
        shares = probabilistic_shares(items, rankings, decay=1.0)[:, 1]
        error = 4.5 * np.sqrt(shares * (1 - shares) / len(teams)) + 1e-12
        assert (np.abs(np.mean(teams, axis=0) - shares) <= error).all()


def test_rankers_that_agree_share_alike() -> None:
    ranking = list(range(8))
    assert team_draft_shares(range(6), [ranking] * 5) == pytest.approx(np.full((6, 5), 0.2))
    assert probabilistic_shares(range(6), [ranking] * 5) == pytest.approx(np.full((6, 5), 0.2))


def test_a_list_of_ten_rankers_is_read_too() -> None:
    rng = np.random.default_rng(6)
    rankings = [rng.permutation(30).tolist() for _ in range(10)]
    shown = team_draft(rankings, k=10, rng=rng)
    shares = team_draft_shares(shown.items, rankings)
    assert shares.sum(axis=1) == pytest.approx(np.ones(10))
    assert (shares[np.arange(10), shown.teams] > 0).all()


def test_lists_that_no_draw_gives_are_refused() -> None:
    with pytest.raises(ValueError, match="items must be a list that a draft of rankings gives"):
        team_draft_shares(["c"], [["a", "c"], ["b", "c"]])
    with pytest.raises(ValueError, match="items must be a list that a draft of rankings gives"):
        team_draft_shares(["a", "c"], [["a"], ["b", "c"]])
    for items in (["x"], ["a", "a"]):
        with pytest.raises(ValueError, match="items must come from rankings, each once"):
            probabilistic_shares(items, [["a", "c"], ["b", "c"]])
    assert team_draft_shares([], [["a"], ["b"]]).shape == (0, 2)
