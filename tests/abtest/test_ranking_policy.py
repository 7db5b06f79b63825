from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.abtest.click_models import Cascade, PositionBiased
from nextcall.abtest.ranking_policy import (
    Dependence,
    evaluate_ranking_policy,
    examination_weights,
    ranking_weights,
)

ITEMS = np.array([0, 1, 2])  # an item's grade is its number
LISTS = np.array(list(permutations(ITEMS)))
POSITION = PositionBiased(attraction=(0.1, 0.3, 0.8), decay=1.0)
CASCADE = Cascade(attraction=(0.1, 0.3, 0.8), satisfaction=(0.0, 0.5, 1.0))


def chances(logits: list[float]) -> NDArray[np.float64]:
    """Give the chance of each shown item given those above, of a Plackett-Luce ranker."""
    strength = np.exp(logits)[LISTS]
    left = np.cumsum(strength[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(strength / left)


def by_place(lists: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the chance of each shown item at its place, whatever stands above."""
    total = lists.prod(axis=1)
    return np.array(
        [[total[LISTS[:, place] == row[place]].sum() for place in range(3)] for row in LISTS]
    )


@pytest.mark.parametrize("dependence", ["place", "above", "list"])
@pytest.mark.parametrize("cascade", ["reads on", "leaves"])
def test_the_value_is_that_of_the_other_ranker_where_the_model_holds(
    dependence: Dependence, cascade: str
) -> None:
    rng = np.random.default_rng(0)
    model = CASCADE if cascade == "leaves" else POSITION
    logging, target = chances([0.0, 0.0, 0.5]), chances([0.0, 1.0, 1.5])
    drawn = rng.choice(len(LISTS), p=logging.prod(axis=1), size=20_000)
    wanted = rng.choice(len(LISTS), p=target.prod(axis=1), size=50_000)
    truth = model.clicks(LISTS[wanted], rng=rng).sum(axis=1)
    if dependence == "place":
        target, logging = by_place(target), by_place(logging)
    weights = ranking_weights(target[drawn], logging[drawn], dependence=dependence)
    found = evaluate_ranking_policy(model.clicks(LISTS[drawn], rng=rng), weights)
    error = np.hypot(found.se, truth.std() / 50_000**0.5)
    off = abs(found.value - truth.mean()) / error
    if dependence == "place" and cascade == "leaves":
        assert off > 5  # clicks depend on what stands above, and the weights do not
    else:
        assert off < 4
        assert found.warnings == ()


def test_the_fewer_items_count_the_less_the_value_varies() -> None:
    rng = np.random.default_rng(1)
    logging, target = chances([0.0, 0.0, 0.5]), chances([0.0, 1.0, 1.5])
    drawn = rng.choice(len(LISTS), p=logging.prod(axis=1), size=5_000)
    clicks = POSITION.clicks(LISTS[drawn], rng=rng)
    above, whole = (
        evaluate_ranking_policy(
            clicks, ranking_weights(target[drawn], logging[drawn], dependence=each)
        )
        for each in ("above", "list")
    )
    assert above.se < whole.se


def test_examination_weights_give_the_clicks_of_another_order_of_the_same_items() -> None:
    rng = np.random.default_rng(2)
    logged, wanted = np.array([0, 1, 2]), np.array([2, 0, 1])
    clicks = POSITION.clicks(np.tile(logged, (20_000, 1)), rng=rng)
    truth = POSITION.clicks(np.tile(wanted, (20_000, 1)), rng=rng).sum(axis=1)
    ranks = [int(np.flatnonzero(wanted == item)[0]) + 1 for item in logged]
    weights = examination_weights(np.tile(ranks, (20_000, 1)), 1 / np.arange(1, 4))
    found = evaluate_ranking_policy(clicks, weights, of_chances=False)
    assert found.warnings == ()
    assert "The mean weight is" in evaluate_ranking_policy(clicks, weights).warnings[0]
    assert abs(found.value - truth.mean()) < 4 * np.hypot(found.se, truth.std() / 20_000**0.5)


def test_lists_of_one_user_count_as_one() -> None:
    rng = np.random.default_rng(3)
    rewards, weights = rng.random((60, 2)), rng.random((60, 2))
    once = evaluate_ranking_policy(rewards, weights)
    twice = evaluate_ranking_policy(
        np.repeat(rewards, 2, axis=0), np.repeat(weights, 2, axis=0), users=np.repeat(range(60), 2)
    )
    assert (twice.value, twice.se) == pytest.approx((once.value, once.se))
    assert (twice.ci_lower, twice.ci_upper) == pytest.approx((once.ci_lower, once.ci_upper))


def test_a_place_that_the_other_ranker_never_fills_so_is_warned_of() -> None:
    found = evaluate_ranking_policy([[1, 1]] * 3, [[1.0, 0.0]] * 3)
    assert found.warnings == ("The log holds no action that the policy would take.",)
    alone = evaluate_ranking_policy([[1, 1]], [[1.0, 1.0]])
    assert (alone.ci_lower, alone.ci_upper) == (-np.inf, np.inf)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="dependence must be one of"):
        ranking_weights([[1.0]], [[1.0]], dependence="none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"target must have shape \(n_lists, n_places\)"):
        ranking_weights([1.0], [1.0])
    with pytest.raises(ValueError, match=r"target must lie in \[0, 1\]"):
        ranking_weights([[1.5]], [[1.0]])
    with pytest.raises(ValueError, match="logging must lie above 0"):
        ranking_weights([[0.5]], [[0.0]])
    with pytest.raises(ValueError, match=r"logging must have shape \(1, 1\)"):
        ranking_weights([[0.5]], [[0.5, 0.5]])
    with pytest.raises(ValueError, match="examination must lie above 0"):
        examination_weights([[1]], [0.0])
    with pytest.raises(ValueError, match="ranks must be whole numbers"):
        examination_weights([[0.5]], [1.0])
    with pytest.raises(ValueError, match=r"users must have shape \(1,\)"):
        evaluate_ranking_policy([[1.0]], [[1.0]], users=[1, 2])
