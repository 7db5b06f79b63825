from fractions import Fraction
from functools import partial
from itertools import pairwise
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from nextcall.abtest.beta_chances import (
    Beta,
    chance_above,
    chance_between,
    difference_interval,
    expected_shortfall,
)

parameters = st.floats(0.5, 5000)
laws = st.builds(Beta, a=parameters, b=parameters)


def plain_chance(law: Beta, other: Beta) -> float:
    """Sum the closed form for a whole number of successes (Miller 2015)."""
    places = np.arange(int(law.a))
    terms = (
        special.betaln(other.a + places, other.b + law.b)
        - np.log(law.b + places)
        - special.betaln(1 + places, law.b)
        - special.betaln(other.a, other.b)
    )
    return float(np.exp(terms).sum())


@settings(max_examples=40)
@given(a=st.integers(1, 2000), b=parameters, other=laws)
def test_chances_are_those_of_the_closed_sum(a: int, b: float, other: Beta) -> None:
    law = Beta(a=a, b=b)
    found = chance_above(law, other)
    assert found == pytest.approx(plain_chance(law, other), rel=1e-8, abs=1e-13)
    assert found + chance_above(other, law) == pytest.approx(1, abs=1e-12)


@settings(max_examples=30)
@given(law=laws, other=laws)
def test_losses_differ_by_the_difference_of_means(law: Beta, other: Beta) -> None:
    short, over = expected_shortfall(law, other), expected_shortfall(other, law)
    assert over - short == pytest.approx(law.mean - other.mean, rel=1e-10, abs=1e-13)
    assert short >= 0
    assert over >= 0


def exact_chance(law: Beta, other: Beta) -> Fraction:
    """Sum the closed form in whole numbers, for parameters that are."""
    a, b, c, d = (int(each) for each in (law.a, law.b, other.a, other.b))
    term = Fraction(factorial(c + d - 1) * factorial(d + b - 1), factorial(d - 1))
    term /= factorial(c + d + b - 1)
    total = Fraction(0)
    for place in range(a):  # B(c + i, d + b) / ((b + i) B(1 + i, b) B(c, d))
        total += term
        term *= Fraction((c + place) * (b + place), (c + d + b + place) * (place + 1))
    return total


@pytest.mark.parametrize(
    ("law", "other"),
    [
        (Beta(a=11, b=3990), Beta(a=1, b=101)),
        (Beta(a=100, b=900), Beta(a=300, b=700)),
        (Beta(a=900, b=100), Beta(a=901, b=99)),
        (Beta(a=1, b=3), Beta(a=2, b=2000)),
    ],
)
def test_chances_have_eleven_digits(law: Beta, other: Beta) -> None:
    assert chance_above(law, other) == pytest.approx(float(exact_chance(law, other)), rel=1e-11)
    turned = Beta(a=other.b, b=other.a), Beta(a=law.b, b=law.a)
    assert chance_above(*turned) == pytest.approx(float(exact_chance(law, other)), rel=1e-11)


def test_chances_under_the_smallest_float_are_counted() -> None:
    # By mpmath 1.3, 15 digits: half of either law lies below 1e-300.
    law, other = Beta(a=0.001, b=50.001), Beta(a=0.001, b=100.001)
    assert chance_above(law, other) == pytest.approx(0.500348581465654, rel=1e-12)
    turned = Beta(a=other.b, b=other.a), Beta(a=law.b, b=law.a)
    assert chance_above(*turned) == pytest.approx(0.500348581465654, rel=1e-12)


@pytest.mark.parametrize(
    ("a", "b", "more", "chance"),
    [
        (10**8, 9 * 10**8, 20_000, 0.9101317849173611),
        (10**9, 10**9, 40_000, 0.7364522730170894),
        (1000, 10**9, 100, 0.9854829760879009),
    ],
)
def test_chances_at_a_thousand_million_units(a: int, b: int, more: int, chance: float) -> None:
    # Cook's (2005) recurrence in the first parameter, from 1/2, in 40 digits by mpmath 1.3.
    law, other = Beta(a=a + more, b=b), Beta(a=a, b=b)
    assert chance_above(law, other) == pytest.approx(chance, rel=1e-11)
    assert chance_above(other, law) == pytest.approx(1 - chance, rel=1e-10)


def test_millions_of_units_approach_the_normal_law() -> None:
    n, z = 10**12, 3.0
    share = 0.1
    step = z * np.sqrt(2 * share * (1 - share) / n)
    law = Beta(a=(share + step) * n, b=(1 - share - step) * n)
    other = Beta(a=share * n, b=(1 - share) * n)
    assert chance_above(other, law) == pytest.approx(stats.norm.sf(z), rel=1e-4)
    assert chance_above(law, other) + chance_above(other, law) == pytest.approx(1, abs=1e-9)


def test_small_chances_keep_their_digits() -> None:
    law, other = Beta(a=100, b=900), Beta(a=300, b=700)
    assert chance_above(law, other) == pytest.approx(plain_chance(law, other), rel=1e-9)
    assert chance_above(law, other) < 1e-29
    assert chance_above(Beta(a=1, b=10**6), Beta(a=10**6, b=1)) == 0
    assert 0 < expected_shortfall(other, law) < 1e-32


@settings(max_examples=10)
@given(law=laws, other=laws, by=st.floats(-0.3, 0.3))
def test_shifted_chances_are_integrals(law: Beta, other: Beta, by: float) -> None:
    first, second = stats.beta(law.a, law.b), stats.beta(other.a, other.b)
    inner = [float(second.ppf(each)) for each in (1e-9, 0.1, 0.5, 0.9, 1 - 1e-9)]
    cuts = sorted({0.0, 1.0, *inner, *np.clip(first.ppf([1e-9, 0.1, 0.5, 0.9]) - by, 0, 1)})
    slow = sum(
        integrate.quad(lambda share: second.pdf(share) * first.sf(share + by), low, high)[0]
        for low, high in pairwise(cuts)
    )
    assert chance_above(law, other, by=by) == pytest.approx(slow, abs=1e-6)


@settings(max_examples=40)
@given(law=laws, other=laws, ends=st.tuples(st.floats(-0.5, 0.5), st.floats(0.001, 0.4)))
def test_parts_of_a_difference_add_up(law: Beta, other: Beta, ends: tuple[float, float]) -> None:
    low, high = ends[0], ends[0] + ends[1]
    between = chance_between(law, other, low=low, high=high)
    below = 1 - chance_above(law, other, by=low)
    assert between + below + chance_above(law, other, by=high) == pytest.approx(1, abs=1e-8)


@settings(max_examples=20)
@given(law=laws, other=laws, alpha=st.sampled_from([0.001, 0.05, 0.5]))
def test_interval_leaves_half_of_alpha_to_each_side(law: Beta, other: Beta, alpha: float) -> None:
    low, high = difference_interval(law, other, alpha=alpha)
    assert chance_above(law, other, by=high) == pytest.approx(alpha / 2, abs=1e-8)
    assert chance_above(law, other, by=low) == pytest.approx(1 - alpha / 2, abs=1e-8)


def test_draws_fall_where_they_should() -> None:
    rng, size = np.random.default_rng(3), 200_000
    law, other = Beta(a=12.5, b=80), Beta(a=7, b=91.5)
    drawn = rng.beta(law.a, law.b, size) - rng.beta(other.a, other.b, size)
    error = 4 * 0.5 / np.sqrt(size)
    within = partial(pytest.approx, abs=error)
    assert chance_above(law, other) == within(np.mean(drawn > 0))
    assert chance_between(law, other, low=0.02, high=0.06) == within(
        np.mean((drawn > 0.02) & (drawn < 0.06))
    )
    assert expected_shortfall(law, other) == pytest.approx(
        np.mean(np.maximum(-drawn, 0)), abs=4 * 0.01 / np.sqrt(size)
    )
    assert Beta(a=12.5, b=80).sd == pytest.approx(stats.beta(12.5, 80).std())


def test_what_is_no_law_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a must be finite and above 0, got 0\."):
        Beta(a=0)
    with pytest.raises(ValueError, match="b must be finite and above 0, got inf"):
        Beta(b=float("inf"))
