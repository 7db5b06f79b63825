"""Integrals over looks agree with slow ones, with a multivariate normal law, and with sums."""

import re
from collections.abc import Callable
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy.stats import multivariate_normal, norm

from nextcall.abtest.stages import Stages, exit_probabilities


@pytest.mark.parametrize("early", [0.05, 0.5, 0.99])
@pytest.mark.parametrize("drift", [-2.0, 0.0, 3.0])
def test_two_looks_agree_with_one_integral(early: float, drift: float) -> None:
    lower, upper = [-1.5, -1.0], [2.5, 2.0]
    above, below = exit_probabilities([early, 1.0], lower, upper, drift=drift)
    rest = (1 - early) ** 0.5

    def later(score: float, *, up: bool) -> float:
        ahead = score * early**0.5 + drift * (1 - early)
        tail = norm.sf((upper[1] - ahead) / rest) if up else norm.cdf((lower[1] - ahead) / rest)
        return float(norm.pdf(score, drift * early**0.5) * tail)

    assert above[0] == pytest.approx(norm.sf(2.5, drift * early**0.5), rel=1e-13)
    assert below[0] == pytest.approx(norm.cdf(-1.5, drift * early**0.5), rel=1e-13)
    for side, found in ((True, above[1]), (False, below[1])):
        total, _ = integrate.quad(
            lambda score, side=side: later(score, up=side), -1.5, 2.5, epsabs=1e-14, limit=300
        )
        assert found == pytest.approx(total, abs=1e-12)


def test_four_looks_agree_with_the_multivariate_normal_law() -> None:
    times = np.array([0.2, 0.35, 0.8, 1.0])
    upper = np.array([2.8, 2.5, 2.2, 2.0])
    spread = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    stays = multivariate_normal.cdf(
        upper, np.zeros(4), spread, maxpts=1_000_000, abseps=1e-8, releps=1e-8, lower_limit=-upper
    )
    above, below = exit_probabilities(times.tolist(), (-upper).tolist(), upper.tolist())
    assert above.sum() + below.sum() == pytest.approx(1 - stays, abs=2e-7)
    np.testing.assert_allclose(above, below, rtol=1e-10)


@settings(deadline=None, max_examples=30)
@given(
    steps=st.lists(st.floats(0.01, 3), min_size=1, max_size=6),
    drift=st.floats(-4, 4),
    seed=st.integers(0, 999),
)
def test_every_path_leaves_where_bounds_meet_at_the_end(
    steps: list[float], drift: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    upper = rng.uniform(0, 4, len(steps))
    lower = -rng.uniform(0, 4, len(steps))
    lower[-1] = upper[-1]
    times = np.cumsum(steps).tolist()
    above, below = exit_probabilities(times, lower.tolist(), upper.tolist(), drift=drift)
    assert above.sum() + below.sum() == pytest.approx(1, abs=1e-11)
    assert (above >= 0).all()
    assert (below >= 0).all()


def test_looks_without_bounds_change_nothing() -> None:
    one, _ = exit_probabilities([2.0], [-inf], [1.7], drift=0.4)
    many, _ = exit_probabilities([0.1, 0.7, 1.0, 2.0], [-inf] * 4, [inf, inf, inf, 1.7], drift=0.4)
    assert many.sum() == pytest.approx(one.sum(), rel=1e-12)


@pytest.mark.parametrize("probability", [1e-250, 1e-12, 0.01, 0.3, 0.7])
def test_bounds_are_met_with_their_probability(probability: float) -> None:
    first = Stages.begin(0.5).next(0.5)
    for path in (first, first.kept(-1.0, 1.5).next(0.9)):
        left = path.above(-inf)
        goal = probability * left
        assert path.above(path.upper_bound(goal)) == pytest.approx(goal, rel=1e-9)
        assert path.below(path.lower_bound(goal)) == pytest.approx(goal, rel=1e-9)
        assert path.upper_bound(left) == -inf
        assert path.lower_bound(left) == inf
        assert path.upper_bound(0.0) == inf
        assert path.lower_bound(0.0) == -inf


def test_nothing_is_left_where_nothing_was_kept() -> None:
    path = Stages.begin().next(0.5).kept(3.0, 3.0).next(1.0)
    assert path.above(-inf) == 0
    assert path.upper_bound(0.1) == -inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: exit_probabilities([], [], []), "information must hold at least 1 look, got 0."),
        (
            lambda: exit_probabilities([0.5, 0.5], [0, 0], [1, 1]),
            "information must rise from above 0, got [0.5, 0.5].",
        ),
        (
            lambda: exit_probabilities([0.0], [0], [1]),
            "information must rise from above 0, got [0.0].",
        ),
        (
            lambda: exit_probabilities([inf], [0], [1]),
            "information must rise from above 0, got [inf].",
        ),
        (
            lambda: exit_probabilities([1.0], [], [1]),
            "information, lower and upper must be as long as each other, got 1, 0 and 1.",
        ),
    ],
)
def test_what_cannot_be_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


@pytest.mark.parametrize("probability", [0.0, 5e-324, 1e-310, 2e-308])
def test_what_is_too_rare_for_a_float_has_no_bound(probability: float) -> None:
    for time in (6e-5, 0.5):
        path = Stages.begin().next(time)
        assert path.upper_bound(probability) == inf
        assert path.lower_bound(probability) == -inf
