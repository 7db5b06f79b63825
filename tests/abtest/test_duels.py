from functools import reduce
from operator import add

import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.stats.power import NormalIndPower

from nextcall.abtest.click_models import Cascade, PositionBiased, draw_sessions
from nextcall.abtest.duels import Duel, simulate_duel
from nextcall.abtest.effect import Arm, difference, effect_of

GRADES = np.repeat([2, 1, 0], [2, 4, 14])


def orders(n: int, noise: tuple[float, float], rng: np.random.Generator) -> list[NDArray[np.intp]]:
    common = rng.standard_normal((n, len(GRADES)))
    return [
        np.argsort(-(GRADES + each * (common + rng.standard_normal(common.shape)) / 2**0.5), axis=1)
        for each in noise
    ]


def draw(users: int, rng: np.random.Generator, *, noise: tuple[float, float]) -> Duel:
    """Users of unequal activity, who leave when satisfied."""
    who = np.repeat(np.arange(users), draw_sessions(users, mean=6, spread=1.5, rng=rng))
    appetite = np.exp(0.5 * rng.standard_normal(users))[who]
    first, second = orders(len(who), noise, rng)
    return simulate_duel(
        np.broadcast_to(GRADES, (len(who), len(GRADES))),
        first,
        second,
        who,
        model=Cascade(attraction=(0.04, 0.25, 0.6), satisfaction=(0.05, 0.4, 0.9), patience=0.9),
        k=10,
        rng=rng,
        appetite=appetite,
    )


def some(duel: Duel, users: int, rng: np.random.Generator) -> Duel:
    rows = rng.integers(len(duel.sessions), size=users)
    return Duel(
        sessions=duel.sessions[rows],
        first=duel.first[rows],
        second=duel.second[rows],
        credit=duel.credit[rows],
    )


def found(arm: Arm) -> bool:
    return effect_of(arm.estimate, arm.se, dof=arm.n - 1).pvalue < 0.05


def test_each_users_sums_are_those_of_the_lists() -> None:
    grades = [[1, 0, 1], [0, 0, 1], [1, 0, 0]]
    duel = simulate_duel(
        grades,
        [[1, 0, 2], [0, 1, 2], [0, 1, 2]],
        [[0, 2, 1], [0, 2, 1], [0, 1, 2]],
        [0, 0, 1],
        model=PositionBiased(attraction=(0.0, 1.0), decay=0.0),
        k=2,
        rng=np.random.default_rng(0),
    )
    assert duel.sessions.tolist() == [2, 1]
    assert duel.first.tolist() == [[1, 1, 0.5], [1, 1, 1]]
    assert duel.second.tolist() == [[3, 2, 1.5], [1, 1, 1]]
    assert duel.credit[1, 1] == 0  # the rankers agree
    assert duel.credit[0, 1] > 0


def test_credit_averaged_over_drafts_has_the_same_mean_and_less_variance() -> None:
    duel = draw(4_000, np.random.default_rng(1), noise=(0.8, 0.7))
    team, marginal = duel.credit.T
    error = (team - marginal).std() / 4_000**0.5
    assert abs((team - marginal).mean()) < 4 * error
    assert marginal.var() < team.var()


def test_the_users_needed_are_those_of_the_normal_law() -> None:
    moments = draw(3_000, np.random.default_rng(2), noise=(0.9, 0.5)).reduced()
    needed = moments.users_needed(alpha=0.01, power=0.9)
    for name, (one, other) in moments.ab_arms().items():
        size = abs(other.estimate - one.estimate) / ((one.variance + other.variance) / 2) ** 0.5
        expected = NormalIndPower().solve_power(size, alpha=0.01, power=0.9)
        assert needed[name] == pytest.approx(2 * expected, rel=1e-3)
    for name, arm in moments.credit_arms().items():
        size = abs(arm.estimate) / arm.variance**0.5
        expected = NormalIndPower(ddof=0).solve_power(size, alpha=0.01, power=0.9, ratio=0)
        assert needed[name] == pytest.approx(expected, rel=1e-3)


def test_moments_of_batches_merge_into_those_of_all() -> None:
    duel = draw(300, np.random.default_rng(3), noise=(0.9, 0.5))
    parts = [
        Duel(
            sessions=duel.sessions[part],
            first=duel.first[part],
            second=duel.second[part],
            credit=duel.credit[part],
        ).reduced()
        for part in (slice(0, 100), slice(100, 300))
    ]
    together = reduce(add, parts).users_needed()
    assert together == pytest.approx(dict(duel.reduced().users_needed()))


def test_interleaving_finds_with_its_users_what_an_ab_test_misses_with_two_and_a_half_as_many() -> (
    None
):
    rng = np.random.default_rng(4)
    pool = draw(8_000, rng, noise=(0.8, 0.7))
    users, trials = round(pool.reduced().users_needed()["marginal"]), 100
    margin = 4 * (0.8 * 0.2 / trials) ** 0.5
    power = np.mean(
        [found(some(pool, users, rng).reduced().credit_arms()["marginal"]) for _ in range(trials)]
    )
    assert abs(power - 0.8) < margin
    hits: dict[str, int] = {}
    for _ in range(trials):
        one = some(pool, round(1.25 * users), rng).reduced().ab_arms()
        other = some(pool, round(1.25 * users), rng).reduced().ab_arms()
        for name in one:
            hit = difference(one[name][0], other[name][1]).pvalue < 0.05
            hits[name] = hits.get(name, 0) + hit
    assert max(hits.values()) / trials < 0.8 - margin


def test_equal_rankers_are_told_apart_at_the_level_only() -> None:
    rng = np.random.default_rng(5)
    pool = draw(4_000, rng, noise=(0.8, 0.8))
    pool.credit[:] -= pool.sessions[:, None] * pool.credit.sum(axis=0) / pool.sessions.sum()
    hits = [found(some(pool, 400, rng).reduced().credit_arms()["marginal"]) for _ in range(300)]
    assert np.mean(hits) < 0.05 + 4 * (0.05 * 0.95 / 300) ** 0.5


def test_what_cannot_be_is_refused() -> None:
    rng, model = np.random.default_rng(0), PositionBiased(attraction=(0.5,))
    with pytest.raises(ValueError, match="first, second and users must be as long as grades"):
        simulate_duel([[0]], [[0], [0]], [[0]], [0], model=model, k=1, rng=rng)
    with pytest.raises(ValueError, match="users must be numbered from 0"):
        simulate_duel([[0]], [[0]], [[0]], [1], model=model, k=1, rng=rng)
    moments = simulate_duel([[0]], [[0]], [[0]], [0], model=model, k=1, rng=rng).reduced()
    with pytest.raises(ValueError, match="power must lie between 0 and 1, got 1"):
        moments.users_needed(power=1)
