import numpy as np
import pytest

from nextcall.abtest.click_models import PositionBiased
from nextcall.abtest.shown_lists import Design, ShownLists, interleaved_credit, number_lists

EVERY = PositionBiased(attraction=(1.0, 1.0), decay=0.0)
RIGHT = PositionBiased(attraction=(0.0, 1.0), decay=0.0)


def lists() -> ShownLists:
    rankings = [[["a", "b", "x"], ["p"]], [["c", "a"], ["p", "q"]], [["b", "d"], ["q"]]]
    return number_lists(rankings, [{"c", "d"}, {"p"}], k=2)


def test_every_ranker_shows_its_own_items_first_and_then_all_others() -> None:
    found = lists()
    assert found.grades.tolist() == [[0, 0, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0]]
    assert found.orders[0, 0, :2].tolist() == [0, 1]
    assert found.orders[1, 0, :2].tolist() == [2, 0]
    assert found.orders[2, 0, :2].tolist() == [1, 3]
    assert found.n_known.tolist() == [4, 2]
    assert (np.sort(found.orders, axis=2) == np.arange(6)).all()
    assert found.only(2).orders.shape == (2, 2, 6)


def test_drafts_share_all_clicks_among_the_teams() -> None:
    credit = interleaved_credit(
        lists(), [0, 1] * 200, design="team_draft", model=EVERY, rng=np.random.default_rng(0)
    )
    assert credit.shape == (400, 3)
    assert (credit.sum(axis=1) == 2).all()
    assert credit.mean(axis=0) == pytest.approx([2 / 3] * 3, abs=0.15)


def test_who_shows_what_is_right_wins_by_teams_and_in_turn() -> None:
    designs: tuple[Design, ...] = ("team_draft", "balanced")
    for design in designs:
        credit = interleaved_credit(
            lists().only(2),
            [0] * 300,
            design=design,
            model=RIGHT,
            rng=np.random.default_rng(1),
        )
        assert (credit[:, 0] == 0).all()
        assert credit[:, 1].sum() > 100


def test_a_click_in_both_lists_counts_for_both_where_lists_are_balanced() -> None:
    same = number_lists([[["a", "b"]], [["a", "b"]]], [{"a"}], k=2)
    credit = interleaved_credit(
        same, [0] * 50, design="balanced", model=RIGHT, rng=np.random.default_rng(2)
    )
    assert (credit == 1).all()


@pytest.mark.parametrize(
    ("rankings", "k", "told"),
    [
        ([[["a"]]], 0, "k must be at least 1, got 0"),
        ([[["a"]], []], 1, r"rankings must have 1 queries each, got \[1, 0\]"),
        ([], 1, r"rankings must have 1 queries each, got \[\]"),
    ],
)
def test_what_cannot_be_numbered_is_refused(
    rankings: list[list[list[str]]], k: int, told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        number_lists(rankings, [{"a"}], k=k)


def test_three_lists_are_not_balanced() -> None:
    with pytest.raises(ValueError, match="balanced interleaving is of two rankers, got 3"):
        interleaved_credit(
            lists(), [0], design="balanced", model=EVERY, rng=np.random.default_rng(0)
        )
