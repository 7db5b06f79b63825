import numpy as np
import pytest

from nextcall.abtest.click_models import PositionBiased
from nextcall.abtest.shown_lists import number_lists
from nextcall.abtest.simulated_users import user_evidence

USERS = PositionBiased(attraction=(0.1, 0.8))
GOOD = [["a", "b", "x"], ["p", "q", "r"]]
BAD = [["x", "b", "a"], ["r", "p", "q"]]


def test_all_tests_prefer_the_better_ranker_and_agree_on_equal_ones() -> None:
    lists = number_lists([BAD, GOOD, BAD], [{"a"}, {"p"}], k=3)
    found = user_evidence(lists, users=600, model=USERS, spread=1.0, rng=np.random.default_rng(0))
    for name in ("reciprocal_rank_a_session", "team", "marginal", "balanced", "multileave"):
        difference, variance = found[name]
        assert difference > 2 * (variance / 600) ** 0.5, name
    same = number_lists([GOOD, GOOD], [{"a"}, {"p"}], k=3)
    found = user_evidence(same, users=600, model=USERS, rng=np.random.default_rng(1))
    assert "multileave" not in found
    assert found["balanced"] == (0.0, 0.0)
    difference, variance = found["team"]
    assert abs(difference) < 4 * (variance / 600) ** 0.5


def test_credit_a_list_is_what_a_draft_of_two_items_gives() -> None:
    """One relevant item that only the second ranker shows: it is placed by it, always clicked."""
    lists = number_lists([[["x"]], [["a"]]], [{"a"}], k=1)
    sure = PositionBiased(attraction=(0.0, 1.0))
    found = user_evidence(
        lists, users=2_000, model=sure, appetite=0.0, rng=np.random.default_rng(2)
    )
    assert found["team"][0] == pytest.approx(0.5, abs=0.02)  # whose turn is first, shows its item
    assert found["balanced"][0] == pytest.approx(0.5, abs=0.02)
    assert found["success_a_session"][0] == 1.0
