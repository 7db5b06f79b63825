from collections import Counter
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.abtest.interleaving import (
    Interleaved,
    balanced,
    balanced_credit,
    merge_balanced,
    probabilistic,
    team_draft,
)

one_ranking = st.lists(st.integers(0, 8), min_size=1, max_size=8, unique=True)
some_rankings = st.lists(one_ranking, min_size=2, max_size=4)
depths = st.integers(1, 10)
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("build", [probabilistic, team_draft])
@given(rankings=some_rankings, k=depths, seed=seeds)
def test_a_list_holds_each_item_once_and_all_there_is_room_for(
    build: Callable[..., Interleaved[int]], rankings: list[list[int]], k: int, seed: int
) -> None:
    shown = build(rankings, k=k, rng=np.random.default_rng(seed))
    every = {item for ranking in rankings for item in ranking}
    assert set(shown.items) <= every
    assert len(shown.items) == len(set(shown.items)) == len(shown.teams) == min(k, len(every))
    assert all(item in rankings[team] for item, team in zip(shown.items, shown.teams, strict=True))


@given(some_rankings, depths, seeds)
def test_a_team_places_the_best_item_it_has_left_and_no_team_gets_ahead(
    rankings: list[list[int]], k: int, seed: int
) -> None:
    shown = team_draft(rankings, k=k, rng=np.random.default_rng(seed))
    for place, (item, team) in enumerate(zip(shown.items, shown.teams, strict=True)):
        before = set(shown.items[:place])
        assert next(each for each in rankings[team] if each not in before) == item
        placed = Counter(shown.teams[: place + 1].tolist())
        after = before | {item}
        able = [team for team, ranking in enumerate(rankings) if set(ranking) - after]
        counts = [placed[each] for each in able]
        assert not counts or max(counts) - min(counts) <= 1


def test_every_order_of_turns_is_as_likely() -> None:
    rng = np.random.default_rng(1)
    rankings = [["a"], ["b"], ["c"]]
    seen = Counter(team_draft(rankings, k=3, rng=rng).items for _ in range(6_000))
    assert set(seen) == set(permutations("abc"))
    assert max(abs(each - 1_000) for each in seen.values()) < 4 * (6_000 * 5 / 36) ** 0.5


def test_a_ranker_draws_by_the_power_of_the_rank() -> None:
    rng = np.random.default_rng(2)
    rankings = [["a", "b", "c"], ["a", "b", "c"]]
    seen = Counter(probabilistic(rankings, k=1, rng=rng, decay=1.0).items[0] for _ in range(6_000))
    for item, share in (("a", 6 / 11), ("b", 3 / 11), ("c", 2 / 11)):
        assert abs(seen[item] / 6_000 - share) < 4 * (share * (1 - share) / 6_000) ** 0.5


@given(one_ranking, one_ranking, depths, seeds)
def test_at_every_depth_a_balanced_list_is_made_of_equal_tops(
    first: list[int], second: list[int], k: int, seed: int
) -> None:
    items = balanced(first, second, k=k, rng=np.random.default_rng(seed))
    assert len(items) == len(set(items)) == min(k, len(set(first) | set(second)))
    for depth in range(1, len(items) + 1):
        shown = set(items[:depth])
        assert any(
            shown == set(first[:a]) | set(second[:b])
            for a in range(len(first) + 1)
            for b in range(len(second) + 1)
            if abs(a - b) <= 1 or min(a, b) == min(len(first), len(second))
        )


def test_a_coin_says_which_list_begins() -> None:
    rng = np.random.default_rng(3)
    firsts = Counter(balanced(["a"], ["b"], k=1, rng=rng) for _ in range(1_000))
    assert abs(firsts["a",] - 500) < 4 * 250**0.5


def test_random_clicks_prefer_a_list_by_balanced_and_none_by_team_draft() -> None:
    first, second = ["a", "b", "c", "d"], ["b", "c", "d", "a"]
    preferred = 0.0
    for begins in (True, False):
        items = merge_balanced(first, second, k=4, first_begins=begins)
        for place in range(4):
            credit = balanced_credit(items, first, second, np.arange(4) == place)
            preferred += float(np.sign(credit[1] - credit[0])) / 8
    assert preferred == pytest.approx(0.5)  # three clicks of four prefer the second list
    rng = np.random.default_rng(4)
    drafted = [
        team_draft([first, second], k=4, rng=rng).credit(np.arange(4) == rng.integers(4))
        for _ in range(4_000)
    ]
    ahead = np.array(drafted) @ [-1.0, 1.0]
    assert abs(ahead.mean()) < 4 / 4_000**0.5


def test_balanced_credit_counts_to_the_depth_of_the_lowest_click() -> None:
    first, second = ["a", "b", "c"], ["d", "a", "e"]
    items = ["a", "d", "b", "e"]
    assert balanced_credit(items, first, second, [0, 0, 0, 0]).tolist() == [0, 0]
    assert balanced_credit(items, first, second, [1, 0, 0, 0]).tolist() == [1, 0]
    assert balanced_credit(items, first, second, [1, 1, 0, 0]).tolist() == [1, 1]
    assert balanced_credit(items, first, second, [1, 1, 1, 0]).tolist() == [2, 2]
    with pytest.raises(ValueError, match="items must come from first or second"):
        balanced_credit(["x"], first, second, [1])


@settings(max_examples=30)
@given(some_rankings, depths, seeds)
def test_all_clicks_are_somebodys(rankings: list[list[int]], k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shown = team_draft(rankings, k=k, rng=rng)
    clicks = rng.integers(3, size=len(shown.items))
    credit = shown.credit(clicks)
    assert credit.sum() == clicks.sum()
    assert credit.tolist() == [
        float(clicks[shown.teams == team].sum()) for team in range(len(rankings))
    ]


def test_what_cannot_be_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        team_draft([[1], [2]], k=0, rng=rng)
    with pytest.raises(ValueError, match="rankings must be at least two, got 1"):
        probabilistic([[1]], k=1, rng=rng)
    with pytest.raises(ValueError, match="none in ranking 1"):
        balanced([1], [], k=1, rng=rng)
    with pytest.raises(ValueError, match="no item twice, ranking 0 does"):
        team_draft([[1, 1], [2]], k=1, rng=rng)
    for decay in (0.0, 31.0, float("nan")):
        with pytest.raises(ValueError, match="decay must lie above 0, up to 30"):
            probabilistic([[1], [2]], k=1, rng=rng, decay=decay)
    shown = Interleaved(items=("a",), teams=np.array([0]), n_rankers=2)
    with pytest.raises(ValueError, match=r"clicks must have shape \(1,\)"):
        shown.credit([1, 0])
    for clicks in ([-1.0], [np.nan]):
        with pytest.raises(ValueError, match="clicks must be finite and at least 0"):
            shown.credit(clicks)
