"""Rules spend nothing at first and all of alpha at the end, and never take back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from nextcall.abtest.spending import Spending

RULES = [
    Spending(),
    Spending("pocock"),
    Spending("power", 0.5),
    Spending("power", 3.0),
    Spending("hwang-shih-decani", -4.0),
    Spending("hwang-shih-decani", 0.0),
    Spending("hwang-shih-decani", 1.0),
]


@pytest.mark.parametrize("rule", RULES)
@given(
    shares=st.lists(st.floats(0, 2), min_size=2, max_size=9),
    alpha=st.sampled_from([1e-10, 0.025, 0.5]),
)
def test_what_is_spent_rises_to_alpha(rule: Spending, shares: list[float], alpha: float) -> None:
    spent = [rule.spent(share, alpha=alpha) for share in sorted(shares)]
    assert spent == sorted(spent)
    assert all(0 <= each <= alpha for each in spent)
    assert rule.spent(0.0, alpha=alpha) == 0
    assert rule.spent(1.0, alpha=alpha) == alpha
    assert rule.spent(1 - 1e-12, alpha=alpha) == pytest.approx(alpha, rel=1e-9)


def test_rules_are_those_of_their_papers() -> None:
    share, alpha = 0.4, 0.05
    plain = 2 * (1 - norm.cdf(norm.ppf(1 - alpha / 2) / share**0.5))
    assert Spending().spent(share, alpha=alpha) == pytest.approx(plain)
    near = Spending("hwang-shih-decani", 1e-9).spent(share, alpha=alpha)
    assert near == pytest.approx(Spending("power", 1.0).spent(share, alpha=alpha))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Spending("even"), "family must be one of"),  # type: ignore[arg-type]
        (lambda: Spending("power", 0.0), "parameter of power must be above 0, got 0.0."),
        (
            lambda: Spending("hwang-shih-decani", 1e9),
            "parameter of hwang-shih-decani must lie within 700 of 0, got 1000000000.0.",
        ),
        (lambda: Spending().spent(-1, alpha=0.05), "share must be at least 0, got -1."),
        (lambda: Spending().spent(1, alpha=5), "alpha must lie between 0 and 1, got 5."),
    ],
)
def test_what_cannot_be_is_refused(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
