"""One by one is all at once, the slow plain definition agrees, and the truth stays inside."""

import re
from math import inf, log, nan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.abtest.bounded_sequences import BoundedMean, bounded_difference


def plainly(values: list[float], alpha: float, boldest: float) -> tuple[float, float]:
    """Give the interval of shares by the paper's formulas, a value at a time."""
    low, high, bets, won, spread = 0.0, 1.0, 0.0, 0.0, 0.0
    mean, variance, total, squares = 0.5, 0.25, 0.5, 0.25
    for place, value in enumerate(values, start=1):
        bet = boldest
        if variance > 0:
            rate = sqrt(2 * log(2 / alpha) / (variance * place * log(1 + place)))
            bet = min(rate, boldest)
        spread += 4 * (value - mean) ** 2 * (-log(1 - bet) - bet) / 4
        bets, won, total = bets + bet, won + bet * value, total + value
        mean = total / (place + 1)
        squares += (value - mean) ** 2
        variance = squares / (place + 1)
        reach = (log(2 / alpha) + spread) / bets
        low, high = max(low, won / bets - reach), min(high, won / bets + reach)
    return low, high


@settings(deadline=None, max_examples=50)
@given(
    values=st.lists(st.floats(0, 1), max_size=40),
    cut=st.integers(0, 40),
    alpha=st.sampled_from([0.001, 0.05, 0.5]),
    boldest=st.sampled_from([0.3, 0.5, 0.75]),
)
def test_streams_agree_with_the_plain_definition(
    values: list[float], cut: int, alpha: float, boldest: float
) -> None:
    seen = BoundedMean(-2.0, 8.0, alpha=alpha, boldest=boldest)
    scaled = [10 * value - 2 for value in values]
    seen.update(scaled[:cut])
    for value in scaled[cut:]:
        seen.update(value)
    assert seen.n_ == len(values)
    low, high = plainly(values, alpha, boldest)
    assert seen.lower_ == pytest.approx(10 * low - 2, abs=1e-9)
    assert seen.upper_ == pytest.approx(10 * high - 2, abs=1e-9)


def test_the_truth_stays_inside_at_every_look() -> None:
    rng = np.random.default_rng(3)
    runs, missed = 300, 0
    for _ in range(runs):
        seen = BoundedMean(0, 1, alpha=0.1).update(rng.random(1000) < 0.05)
        missed += not seen.lower_ <= 0.05 <= seen.upper_
    assert missed / runs < 0.1 + 3 * sqrt(0.1 * 0.9 / runs)


def test_values_that_do_not_vary_narrow_fast() -> None:
    constant = BoundedMean(0, 1).update(np.full(1000, 0.5))
    coin = BoundedMean(0, 1).update(np.arange(1000) % 2)
    assert constant.upper_ - constant.lower_ < 0.2 * (coin.upper_ - coin.lower_)
    assert constant.value_ == pytest.approx(0.5)


def test_a_difference_is_that_of_the_far_ends() -> None:
    one, other = (BoundedMean(0, 1, alpha=0.025).update(np.full(500, v)) for v in (0.25, 0.75))
    low, high = bounded_difference(one, other)
    assert 0 < low < 0.5 < high
    assert bounded_difference(BoundedMean(0, 1), BoundedMean(0, 1)) == (-1, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BoundedMean(1, 1), "low and high must rise and be finite, got 1 and 1."),
        (lambda: BoundedMean(0, inf), "low and high must rise and be finite, got 0 and inf."),
        (lambda: BoundedMean(0, 1, boldest=1), "boldest must lie between 0 and 1, got 1."),
        (
            lambda: BoundedMean(0, 1).update([0.5, 2.0]),
            "values must lie within 0 and 1, got 2.0 at place 1.",
        ),
        (lambda: BoundedMean(0, 1).update(nan), "values must lie within 0 and 1, got nan"),
    ],
)
def test_what_cannot_be_is_refused(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
