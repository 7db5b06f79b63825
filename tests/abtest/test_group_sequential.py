"""Bounds agree with printed tables, with Spotify's, and spend what they say they spend."""

import json
import re
from collections.abc import Callable
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from nextcall.abtest.effect import Alternative
from nextcall.abtest.group_sequential import (
    Bounds,
    classical_bounds,
    futility_bounds,
    spending_bounds,
)
from nextcall.abtest.spending import Spending
from nextcall.locations import shared_dir

EVEN = [0.2, 0.4, 0.6, 0.8, 1.0]


@pytest.mark.parametrize(
    ("looks", "pocock", "obrien_fleming"),  # Jennison & Turnbull (2000), tables 2.1 and 2.3
    [(1, 1.960, 1.960), (2, 2.178, 1.977), (5, 2.413, 2.040), (10, 2.555, 2.087)],
)
def test_classical_bounds_are_those_of_the_tables(
    looks: int, pocock: float, obrien_fleming: float
) -> None:
    shares = [(look + 1) / looks for look in range(looks)]
    even = classical_bounds(shares, exponent=0.5).upper
    assert [round(each, 3) for each in even] == [pocock] * looks
    falling = classical_bounds(shares).upper
    np.testing.assert_allclose(falling, obrien_fleming / np.sqrt(shares), atol=2e-3)


def test_bounds_that_spend_are_those_that_spotify_finds() -> None:
    path = shared_dir() / "data/abtest/group_sequential_bounds_spotify.json"
    if not path.exists():
        pytest.skip(f"the evaluation data is not at {shared_dir()}")
    for case in json.loads(path.read_text()):
        rule = Spending("power", case["rho"])
        found = spending_bounds(case["information"], alpha=case["alpha"], spending=rule)
        # Theirs rest on trapezes of a twentieth of a standard deviation; ours on `test_stages`.
        np.testing.assert_allclose(found.upper, case["z"], atol=1e-4)
        assert found.upper[0] == pytest.approx(case["z"][0], abs=1e-9)  # where none is needed


@settings(deadline=None, max_examples=40)
@given(
    steps=st.lists(st.floats(0.02, 1), min_size=1, max_size=7),
    alpha=st.sampled_from([1e-10, 0.001, 0.05, 0.5, 0.99]),
    rule=st.sampled_from(
        [Spending(), Spending("pocock"), Spending("power", 2), Spending("hwang-shih-decani", -3)]
    ),
    alternative=st.sampled_from(["two-sided", "greater", "less"]),
    final=st.booleans(),
)
def test_what_is_spent_is_what_the_rule_allows(
    steps: list[float], alpha: float, rule: Spending, alternative: Alternative, *, final: bool
) -> None:
    shares = (np.cumsum(steps) / 1.5).tolist()
    bounds = spending_bounds(
        shares, alpha=alpha, spending=rule, alternative=alternative, final=final
    )
    above, below = bounds.exits()
    sides = 2 if alternative == "two-sided" else 1
    allowed = [rule.spent(share, alpha=alpha / sides) for share in shares]
    if final:
        allowed[-1] = alpha / sides
    for side, shown in ((above, alternative != "less"), (below, alternative != "greater")):
        spent = np.cumsum(side)
        np.testing.assert_allclose(spent, allowed if shown else 0.0, rtol=1e-7, atol=1e-17)


@given(alpha=st.sampled_from([1e-9, 0.001, 0.05, 0.5, 0.95]), exponent=st.floats(-1, 1))
@settings(deadline=None, max_examples=30)
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_classical_bounds_hold_alpha(
    alternative: Alternative, alpha: float, exponent: float
) -> None:
    bounds = classical_bounds(EVEN, alpha=alpha, exponent=exponent, alternative=alternative)
    above, below = bounds.exits()
    assert above.sum() + below.sum() == pytest.approx(alpha, rel=1e-6)
    scales = np.array(bounds.upper if alternative != "less" else bounds.lower)
    np.testing.assert_allclose(scales / scales[-1], np.array(EVEN) ** (exponent - 0.5), rtol=1e-9)


def test_looks_after_all_is_spent_stop_nothing() -> None:
    bounds = spending_bounds([0.5, 1.2, 1.4])
    assert bounds.upper[2] == inf
    assert bounds.upper[1] < 2.1


@pytest.mark.parametrize("power", [0.3, 0.8, 0.95])
@pytest.mark.parametrize("rule", [None, Spending("power", 1.0)])
def test_giving_up_keeps_its_power(power: float, rule: Spending | None) -> None:
    upper = spending_bounds(EVEN, alpha=0.025, alternative="greater")
    bounds, drift = futility_bounds(upper, power=power, spending=rule)
    above, below = bounds.exits(drift)
    assert above.sum() == pytest.approx(power, abs=1e-8)
    assert below.sum() == pytest.approx(1 - power, abs=1e-8)
    assert bounds.exits()[0].sum() < 0.025  # what is given up can no longer be shown by chance
    assert bounds.upper == upper.upper
    assert bounds.lower[-1] == bounds.upper[-1]
    assert all(low <= high for low, high in zip(bounds.lower, bounds.upper, strict=True))
    once = norm.isf(0.025) + norm.ppf(power)
    assert drift > once


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spending_bounds([1.0], alpha=1e-13), "alpha must be at least 1e-12, got 1e-13."),
        (lambda: spending_bounds([0.4, 0.3]), "information must rise from above 0"),
        (lambda: classical_bounds([]), "information must hold at least 1 look, got 0."),
        (lambda: classical_bounds([1.0], exponent=9), "exponent must lie between -5 and 5, got 9."),
        (
            lambda: futility_bounds(classical_bounds(EVEN)),
            "bounds must be one-sided upwards and end with a finite one.",
        ),
        (
            lambda: futility_bounds(Bounds(information=(1.0,), lower=(-inf,), upper=(inf,))),
            "bounds must be one-sided upwards and end with a finite one.",
        ),
        (
            lambda: futility_bounds(classical_bounds(EVEN, alternative="greater"), power=1),
            "power must lie between 0 and 1, got 1.",
        ),
    ],
)
def test_what_cannot_be_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
