"""What a budget may be, and when it runs out."""

from decimal import Decimal
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.llm.budget import Budget, dollars
from nextcall.llm.model import BILLION


def test_defaults_are_those_that_are_promised() -> None:
    budget = Budget()
    assert (budget.daily_usd, budget.prediction_usd) == (100, 0.005)
    assert (budget.warning, budget.emergency) == (0.75, 0.9)


@pytest.mark.parametrize("value", [-0.01, 1_000_001, float("inf"), float("nan")])
def test_a_day_costs_so_much_at_most(value: float) -> None:
    with pytest.raises(ValueError, match=r"^daily_usd must be from 0 to 1,000,000, got "):
        Budget(daily_usd=value)


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_a_prediction_costs_something(value: float) -> None:
    with pytest.raises(ValueError, match=r"^prediction_usd must be above 0 and finite, got "):
        Budget(prediction_usd=value)


@pytest.mark.parametrize(
    ("warning", "emergency"), [(0, 0.9), (0.9, 0.75), (0.75, 1.1), (float("nan"), 0.9)]
)
def test_the_warning_comes_first(warning: float, emergency: float) -> None:
    with pytest.raises(ValueError, match=r"^warning and emergency must be above 0, at most 1,"):
        Budget(warning=warning, emergency=emergency)


def test_each_threshold_counts_from_itself_on() -> None:
    budget = Budget(daily_usd=1)
    told = [
        (budget.is_warning(each), budget.is_emergency(each))
        for each in (0, 749_999_999, 750_000_000, 899_999_999, 900_000_000, 2 * BILLION)
    ]
    no, warned, emergency = (False, False), (True, False), (True, True)
    assert told == [no, no, warned, warned, emergency, emergency]


def test_nothing_runs_out_where_there_is_nothing() -> None:
    budget = Budget(daily_usd=0)
    assert isnan(budget.utilization(0))
    assert not budget.is_warning(BILLION)
    assert not budget.is_emergency(BILLION)


@given(st.integers(min_value=0, max_value=1_000_000 * 10**6))
def test_a_budget_in_millionths_of_a_dollar_is_kept_exactly(millionths: int) -> None:
    assert Budget(daily_usd=millionths / 10**6).daily == millionths * 1000


@given(st.integers(min_value=0, max_value=10**15))
def test_money_is_written_as_it_is(billionths: int) -> None:
    written = Decimal(dollars(billionths).removeprefix("$").replace(",", ""))
    assert abs(written - Decimal(billionths) / BILLION) < Decimal("1e-9")
