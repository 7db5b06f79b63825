"""Exact sums are those of fractions, and come back from their text."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.trials.exact import ZERO, Exact

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(FLOATS, FLOATS)
def test_sums_products_and_differences_are_those_of_fractions(a: float, b: float) -> None:
    one, other = Exact.of(a), Exact.of(b)
    assert (one + other).fraction == Fraction(a) + Fraction(b)
    assert (one - other).fraction == Fraction(a) - Fraction(b)
    assert (one * other).fraction == Fraction(a) * Fraction(b)


@given(FLOATS)
def test_texts_come_back_and_equal_values_are_equal(value: float) -> None:
    number = Exact.of(value)
    assert Exact.parse(str(number)) == number
    assert float(number.fraction) == value
    assert number - number == ZERO
    assert number + number == number * Exact.of(2.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_finite_number_is_refused(value: float) -> None:
    with pytest.raises((ValueError, OverflowError)):
        Exact.of(value)
