"""Plans beside what was done."""

from dataclasses import replace
from math import isnan

import pytest
from scipy import stats

from nextcall.abtest.design import design
from nextcall.abtest.plan_comparison import Done, compare_plan
from nextcall.abtest.planned_tests import MeanTest
from nextcall.abtest.target import Target, Traffic

_PLAN = design(
    Target(metric="mean", baseline=10.0, sd=4.0, mde=0.5),
    allocation=(0.5, 0.25, 0.25),
    traffic=Traffic(daily_units=100),
)


def test_what_was_done_as_planned_detects_what_was_planned() -> None:
    found = compare_plan(_PLAN, Done(n=_PLAN.n, baseline=10.0, sd=4.0, days=_PLAN.days))
    assert found.share_of_n == 1.0
    assert found.allocation_pvalue > 0.99
    assert found.mde == pytest.approx([0.5, 0.5], rel=1e-3)
    assert found.power == pytest.approx([0.8, 0.8], rel=1e-3)
    assert found._repr_html_() == found.to_frame().to_html(index=False)
    frame = found.to_frame().set_index("quantity")
    assert frame.to_numpy()[list(frame.index).index("days")].tolist() == [_PLAN.days] * 2
    assert list(frame.index)[:4] == [
        "units",
        "share of variant 0",
        "share of variant 1",
        "share of variant 2",
    ]
    assert frame.loc["mde of variant 2", "done"] == pytest.approx(0.5, rel=1e-3)


def test_fewer_units_of_a_wilder_metric_detect_less() -> None:
    done = Done(n=(300, 200, 150), baseline=11.0, sd=6.0)
    found = compare_plan(_PLAN, done)
    assert found.allocation_pvalue == pytest.approx(
        stats.chisquare([300, 200, 150], [325, 162.5, 162.5]).pvalue
    )
    test = MeanTest(sd=6.0, sd_treatment=6.0, ratio=0.5)
    assert found.power[1] == pytest.approx(test.power(300, 0.5, _PLAN.comparison_alpha))
    assert test.power(300, found.mde[1], _PLAN.comparison_alpha) == pytest.approx(0.8)


def test_what_cannot_be_found_is_unknown() -> None:
    plan = design(Target(metric="proportion", baseline=0.5, mde=0.2))
    found = compare_plan(plan, Done(n=(5, 5), baseline=0.9))
    assert isnan(found.mde[0])
    assert isnan(found.power[0])
    assert "sd" not in list(found.to_frame()["quantity"])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"n": (10, 10)}, "n must be at least 2 of each of the 3 variants"),
        ({"n": (10, 10, 1)}, "n must be at least 2"),
        ({"baseline": float("inf")}, "baseline must be finite, got inf"),
        ({"sd": None}, "sd must be given"),
        ({"days": -1.0}, "days must be at least 0"),
        ({"looks": 0}, "looks must be at least 1"),
    ],
)
def test_what_cannot_have_been_done_is_refused(changed: dict[str, object], said: str) -> None:
    done = Done(n=(10, 10, 10), baseline=10.0, sd=4.0)
    with pytest.raises(ValueError, match=said):
        compare_plan(_PLAN, replace(done, **changed))  # type: ignore[arg-type]  # wrong on purpose
