"""Exact sums are those of fractions, and come back from their text."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.trials.exact import ZERO, Exact

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(FLOATS, FLOATS, st.integers(), st.integers(0, 100))
def test_sums_are_those_of_fractions(a: float, b: float, numerator: int, shift: int) -> None:
    one, other = Exact.of(a), Exact.of(b)
    assert (one + other).fraction == Fraction(a) + Fraction(b)
    assert one.plus(numerator, shift).fraction == Fraction(a) + Fraction(numerator, 2**shift)


@given(FLOATS, st.integers(0, 100))
def test_texts_come_back_and_equal_values_are_equal(value: float, more: int) -> None:
    number = Exact.of(value)
    assert Exact.parse(str(number)) == number
    assert float(number.fraction) == value
    shift = number.shift + more
    assert Exact().plus(number.at(shift), shift) == number
    assert number.plus(-number.at(shift), shift) == ZERO


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_finite_number_is_refused(value: float) -> None:
    with pytest.raises((ValueError, OverflowError)):
        Exact.of(value)
