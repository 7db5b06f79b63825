"""Whom a choice from an interleaved list credits: beside every draft that could have been drawn."""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.abtest.interleaving import team_draft
from nextcall.feedback.draft import Draft

NAMES = "abcdefg"
LISTS = st.integers(1, 4).flatmap(
    lambda k: st.tuples(*[st.permutations(NAMES).map(lambda found: tuple(found[:k]))] * 2)
)

Lists = tuple[tuple[str, ...], tuple[str, ...]]


def drawn(lists: Lists, orders: Sequence[Sequence[int]]) -> tuple[tuple[str, int], ...]:
    """Let two captains pick in turn, as the coins of each round say."""
    picked: list[tuple[str, int]] = []
    for team in (team for order in orders for team in order):
        left = [name for name in lists[team] if name not in dict(picked)]
        if left and len(picked) < len(lists[0]):
            picked.append((left[0], team))
    return tuple(picked)


@given(lists=LISTS, seed=st.integers(0, 2**32))
def test_credit_is_the_share_of_drafts_of_this_list_in_which_either_placed_it(
    lists: Lists, seed: int
) -> None:
    k = len(lists[0])
    found = team_draft(lists, k=k, rng=np.random.default_rng(seed))
    draft = Draft(challenger="m", lists=lists, teams=tuple(found.teams.tolist()))
    all_drafts = [drawn(lists, orders) for orders in product(permutations((0, 1)), repeat=k)]
    same = [each for each in all_drafts if tuple(name for name, _ in each) == found.items]
    for place, name in enumerate(found.items):
        teams = Counter(each[place][1] for each in same)
        expected = [teams[team] / len(same) for team in (0, 1)]
        assert draft.credit(found.items, name).tolist() == pytest.approx(expected)
    assert draft.credit(found.items, None).tolist() == [0, 0]
    assert draft.credit(found.items, "not shown").tolist() == [0, 0]


@given(lists=LISTS)
def test_what_is_written_is_read_again(lists: Lists) -> None:
    draft = Draft(challenger="m", lists=lists, teams=(0,) * len(lists[0]))
    assert Draft.read("m", json.loads(json.dumps(draft.written()))) == draft


def test_a_list_that_no_draft_gives_is_refused() -> None:
    draft = Draft(challenger="m", lists=(("a", "b"), ("a", "c")), teams=(0, 1))
    with pytest.raises(ValueError, match="a list that a draft of rankings gives"):
        draft.credit(("b", "a"), "a")
