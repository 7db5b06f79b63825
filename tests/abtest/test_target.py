"""Targets have the test that they ask for, and traffic its days."""

from dataclasses import replace

import pytest

from nextcall.abtest.planned_tests import MeanTest, ShareTest
from nextcall.abtest.target import Target, Traffic

_MEAN = Target(metric="mean", baseline=10.0, sd=4.0, mde=0.5)


def test_a_target_asks_for_its_test() -> None:
    assert _MEAN.test(2.0) == MeanTest(sd=4.0, sd_treatment=4.0, ratio=2.0)
    quarter = replace(_MEAN, metric="quantile", factor=0.25)
    assert quarter.test(1.0) == MeanTest(sd=2.0, sd_treatment=2.0)
    lower = replace(_MEAN, goal="non-inferiority", margin=1.0, mde=0.0, alternative="less")
    assert lower.test(1.0) == MeanTest(sd=4.0, sd_treatment=4.0, alternative="less", null=1.0)
    share = Target(metric="proportion", baseline=0.1, mde=0.0, goal="equivalence", margin=0.02)
    assert share.test(1.0) == ShareTest(baseline=0.1, margin=0.02, form="unpooled")
    assert (_MEAN.sides, lower.sides, share.sides) == (2, 1, 1)


def test_days_are_whole_weeks_unless_asked_otherwise() -> None:
    traffic = Traffic(daily_units=1000, eligible=0.5)
    assert [traffic.days(units) for units in (1, 3500, 3501)] == [7, 7, 14]
    assert [replace(traffic, whole_weeks=False).days(units) for units in (1, 500, 501)] == [1, 1, 2]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"daily_units": 0}, "daily_units must be above 0 and finite, got 0"),
        ({"daily_units": 1, "eligible": 2}, "eligible must lie above 0 and at most 1, got 2"),
    ],
)
def test_traffic_that_cannot_be_is_refused(options: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Traffic(**options)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"metric": "median"}, "metric must be one of"),
        ({"goal": "win"}, "goal must be one of"),
        ({"alternative": "up"}, "alternative must be one of"),
        ({"baseline": float("nan")}, "baseline must be finite, got nan"),
        ({"mde": float("inf")}, "mde must be finite, got inf"),
        ({"mde": 0.0}, "mde must not be 0"),
        ({"alternative": "less"}, "mde must not be 0 and lie on the side"),
        ({"sd": None}, "sd must be given of all but a proportion, got None"),
        ({"metric": "proportion"}, "sd must be given of all but a proportion, got 4.0"),
        ({"margin": 1.0}, "margin must be given of a goal with one, got 1.0"),
        ({"goal": "equivalence"}, "margin must be given of a goal with one, got None"),
        ({"goal": "non-inferiority", "margin": 1.0}, "alternative must be 'greater' or 'less'"),
        ({"sd": -1.0}, "sd must be above 0"),
    ],
)
def test_a_target_that_cannot_be_is_refused(changed: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(_MEAN, **changed)  # type: ignore[arg-type]  # wrong on purpose
