"""Tiers, endpoints, multipliers and load give the limits that are written down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.access.rate_rules import TIERS, RatePolicy, RateRule, Rates, Window


def limits_of(rule: RateRule | None) -> list[int]:
    assert rule is not None
    return [window.limit for window in rule.windows]


@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        (None, [60, 1000, 10_000]),
        ("free", [6, 100, 1000]),
        ("basic", [60, 1000, 10_000]),
        ("pro", [600, 10_000, 100_000]),
    ],
)
def test_a_tier_scales_all_three(tier: str | None, expected: list[int]) -> None:
    policy = RatePolicy()
    assert limits_of(policy.rule("/predict", tier=tier)) == expected
    assert limits_of(policy.rule("/predict", tier=tier, multiplier=3)) == [
        3 * limit for limit in expected
    ]
    assert limits_of(policy.rule("/predict", tier=tier, factor=0.5)) == [
        limit // 2 for limit in expected
    ]


@pytest.mark.parametrize("endpoint", ["/train", "/generate-data", "/performance/test"])
def test_costly_endpoints_have_their_own(endpoint: str) -> None:
    policy = RatePolicy()
    assert limits_of(policy.rule(endpoint)) == [5, 20, 100]
    assert limits_of(policy.rule(endpoint, tier="free")) == [1, 2, 10]
    assert limits_of(policy.rule(endpoint, tier="pro", multiplier=0.1)) == [5, 20, 100]


def test_a_tier_replaces_the_figure_of_the_hour() -> None:
    policy = RatePolicy(rates=Rates(per_minute=30, per_hour=500, per_day=2000), endpoints={})
    assert limits_of(policy.rule("/train")) == [30, 500, 2000]
    assert limits_of(policy.rule("/train", tier="pro")) == [300, 10_000, 20_000]


@given(
    tier=st.sampled_from([None, *TIERS]),
    multiplier=st.floats(1e-6, 1e3),
    factor=st.floats(1e-3, 1),
    own=st.booleans(),
)
def test_nobody_has_less_than_one(
    tier: str | None, multiplier: float, factor: float, *, own: bool
) -> None:
    rule = RatePolicy().rule(
        "/train" if own else "/", tier=tier, multiplier=multiplier, factor=factor
    )
    if tier == "enterprise":
        assert rule is None
    else:
        assert min(limits_of(rule)) >= 1
        assert limits_of(rule) == sorted(limits_of(rule))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tier": "gold"}, "tier must be one of free, basic, pro, enterprise, got 'gold'."),
        ({"multiplier": 0.0}, "multiplier must be above 0, got 0.0."),
        ({"multiplier": float("nan")}, "multiplier must be above 0, got nan."),
        ({"factor": -1.0}, "factor must be above 0, got -1.0."),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, str | float], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        RatePolicy().rule("/", **options)  # type: ignore[arg-type]  # that is the case


def test_rates_and_policies_are_checked() -> None:
    with pytest.raises(ValueError, match=r"^per_hour must be at least 1, got 0\.$"):
        Rates(per_hour=0)
    with pytest.raises(ValueError, match=r"^burst must be at least 1, got 0\.$"):
        RatePolicy(burst=0)
    with pytest.raises(ValueError, match=r"the shortest first, got \(\)\."):
        RateRule(windows=())
    with pytest.raises(ValueError, match=r"the shortest first, got \(9, 3\)\."):
        RateRule(windows=(Window(seconds=9, limit=1), Window(seconds=3, limit=1)))
