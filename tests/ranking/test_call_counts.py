"""Counts of calls against plain counting, and the laws of probabilities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.ranking.call_counts import CallCounts
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.workflow import WorkflowPrior

RUNS = ([0, 1, 4], [0, 1, 1, 4], [9, 8], [3])


def _counts(index: CatalogIndex, prior: WorkflowPrior, runs: list[list[int]]) -> CallCounts:
    return CallCounts([np.array(run) for run in runs], index.statics, prior)


def test_what_was_seen_is_counted(shop_index: CatalogIndex, shop_prior: WorkflowPrior) -> None:
    counts = _counts(shop_index, shop_prior, list(map(list, RUNS)))
    n = len(shop_index)
    assert counts.calls[1] == 3
    assert counts.sessions[1] == 2
    assert counts.popularity[1] == pytest.approx((3 + 1 / n) / 11)
    assert counts.first[0] == pytest.approx((2 + 2 * counts.popularity[0]) / 6)
    following, seen = counts.following(np.array([0]))
    assert seen == 2
    assert following.argmax() == 1
    two = counts.following_two(np.array([0, 1]), counts.following(np.array([1]))[0])
    after_one = counts.following(np.array([1]))[0]
    assert two[4] == pytest.approx((1 + 2 * after_one[4]) / 4)
    assert counts.following_two(np.array([0]), following) is following
    mean, highest = counts.later(np.array([0, 9]))
    after_nothing = counts.sessions / 4
    by_first = (after_nothing[4] + 2) / 3
    by_last = after_nothing[4] / 2
    assert mean[4] == pytest.approx((by_first + by_last) / 2)
    assert highest[4] == pytest.approx(by_first)
    mean_again = 1.5 / (counts.sessions.sum() + 1)
    assert counts.repeats[1] == pytest.approx((1 + mean_again) / 3)
    assert counts.calls_a_session[1] == pytest.approx((3 + 10 / 9) / 3)


@settings(max_examples=30)
@given(
    st.lists(st.lists(st.integers(0, 21), min_size=1, max_size=6), min_size=1, max_size=6),
    st.lists(st.integers(0, 21), min_size=1, max_size=4),
)
def test_probabilities_sum_to_one_and_leave_nothing_impossible(
    shop_index: CatalogIndex, shop_prior: WorkflowPrior, runs: list[list[int]], called: list[int]
) -> None:
    counts = _counts(shop_index, shop_prior, runs)
    rows = np.array(called)
    following, _ = counts.following(rows)
    for probability in (
        counts.popularity,
        counts.first,
        following,
        counts.following_two(rows, following),
    ):
        assert probability.sum() == pytest.approx(1.0)
        assert (probability > 0).all()
    for share in (*counts.later(rows), counts.repeats):
        assert (share >= 0).all()
        assert (share <= 1).all()


def test_what_was_never_seen_follows_as_in_any_api(
    shop_index: CatalogIndex, shop_prior: WorkflowPrior
) -> None:
    counts = _counts(shop_index, shop_prior, [[3]])
    following, seen = counts.following(np.array([0]))
    assert seen == 0
    position = shop_index.catalog.positions
    # its sessions list orders, then look at one; no session of the shop did
    assert following[position["orders:GetOrder"]] > following[position["orders:CreateOrder"]] / 2
    assert following[position["orders:GetOrder"]] > following[position["users:DeleteUser"]]
