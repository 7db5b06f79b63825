"""Plans beside the sizes of statsmodels, and beside simulated tests."""

from dataclasses import replace
from math import ceil

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from nextcall.abtest.design import Plan, design, detectable
from nextcall.abtest.target import Goal, Target, Traffic

_MEAN = Target(metric="mean", baseline=10.0, sd=4.0, mde=0.5)
_SHARE = Target(metric="proportion", baseline=0.1, mde=0.01)


def test_a_mean_needs_the_units_that_statsmodels_gives() -> None:
    plan = design(_MEAN, alpha=0.01, power=0.9)
    n = TTestIndPower().solve_power(0.125, None, 0.01, 0.9)
    assert plan.n == (ceil(n), ceil(n))
    frame = plan.to_frame()
    assert frame["variant"].tolist() == ["control", "treatment 1"]
    assert tuple(frame["units"]) == plan.n
    assert plan._repr_html_() == frame.to_html(index=False)


@pytest.mark.parametrize("share", [0.5, 0.2, 0.1])
def test_few_units_of_unequal_variants_have_the_power_of_the_test_that_is_made(
    share: float,
) -> None:
    plan, rng = (
        design(replace(_MEAN, sd=1.0, mde=2.0), allocation=(share, 1 - share)),
        np.random.default_rng(4),
    )

    def found(n: tuple[int, ...]) -> float:
        one, other = (rng.normal(at, size=(10_000, k)) for k, at in zip(n, (0.0, 2.0), strict=True))
        return float((stats.ttest_ind(one, other, axis=1, equal_var=False).pvalue <= 0.05).mean())

    assert found(plan.n) > 0.8 - 4 * 0.004  # four errors of so many runs
    if share == 0.2:
        assert plan.n == (5, 20)
        assert found((3, 12)) == pytest.approx(0.58, abs=0.02)  # as Student's law has it


@pytest.mark.parametrize(("method", "looks"), [("group-sequential", 4), ("always-valid", 4)])
def test_looks_inflate_the_units(method: str, looks: int) -> None:
    fixed, plan = design(_MEAN), design(_MEAN, method=method, looks=looks)  # type: ignore[arg-type]
    assert plan.n[0] == pytest.approx(fixed.n[0] * plan.looks.inflation, abs=1)
    assert detectable(plan, plan.n)[0] == pytest.approx(0.5, rel=1e-3)


def test_several_treatments_hold_alpha_and_have_the_power_together() -> None:
    plan = design(_MEAN, allocation=(0.4, 0.2, 0.2, 0.2))
    assert plan.n[1] == plan.n[2] == plan.n[3] == ceil(plan.n[0] / 2)
    rng, runs = np.random.default_rng(1), 40_000
    errors = [rng.normal(size=runs) * 4 / np.sqrt(n) for n in plan.n]
    bound = stats.norm.isf(plan.comparison_alpha / 2)
    se = 4 * np.sqrt(1 / plan.n[0] + 1 / plan.n[1])
    z = np.array([each - errors[0] for each in errors[1:]]) / se
    assert (np.abs(z) > bound).any(axis=0).mean() == pytest.approx(0.05, abs=0.0045)
    found = (np.abs(z + 0.5 / se) > bound).mean(axis=1)
    assert found == pytest.approx([0.8] * 3, abs=0.009)
    assert sum(design(_MEAN, allocation=(0.4, 0.3, 0.3), correction="bonferroni").n) > sum(
        design(_MEAN, allocation=(0.4, 0.3, 0.3)).n
    )


def test_goals_with_a_margin() -> None:
    worse = Target(
        metric="mean",
        baseline=10.0,
        sd=4.0,
        mde=0.0,
        alternative="greater",
        goal="non-inferiority",
        margin=0.5,
    )
    lower = replace(worse, alternative="less")
    equal = replace(worse, goal="equivalence", alternative="two-sided")
    one_sided = design(replace(_MEAN, alternative="greater"))
    assert design(worse).n == design(lower).n == one_sided.n
    assert design(equal).n[0] > one_sided.n[0]
    assert detectable(design(worse), one_sided.n)[0] == pytest.approx(0.0, abs=1e-3)
    share = Target(
        metric="proportion",
        baseline=0.3,
        mde=0.0,
        alternative="less",
        goal="non-inferiority",
        margin=0.05,
    )
    z = stats.norm.isf(0.05) + stats.norm.ppf(0.8)
    assert design(share).n[0] == ceil(z**2 * 2 * 0.21 / 0.05**2)


def test_a_covariate_saves_what_it_explains() -> None:
    plain, less = design(_MEAN), design(replace(_MEAN, factor=0.5))
    assert less.n[0] == pytest.approx(plain.n[0] / 2, abs=2)
    plain, less = design(_SHARE), design(replace(_SHARE, factor=0.5))
    assert less.n[0] == pytest.approx(plain.n[0] / 2, abs=1)


@pytest.mark.parametrize(
    "target",
    [
        _SHARE,
        replace(_SHARE, mde=-0.01),
        replace(_MEAN, mde=-0.5),
        replace(_MEAN, mde=-0.5, alternative="less"),
    ],
)
def test_the_planned_units_detect_the_planned_effect(target: Target) -> None:
    plan = design(target)
    assert detectable(plan, plan.n)[0] == pytest.approx(target.mde, rel=1e-2)
    assert abs(detectable(plan, plan.n)[0]) <= abs(target.mde)


def test_days_are_whole_weeks() -> None:
    traffic = Traffic(daily_units=1000, eligible=0.5)
    plan = design(_SHARE, traffic=traffic)
    assert sum(plan.n) == 29_502
    assert plan.days == 63
    assert design(_SHARE).days is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"allocation": (0.5, 0.6)}, "allocation must hold shares"),
        ({"allocation": (1.0,)}, "allocation must hold shares"),
        ({"allocation": (0.0, 1.0)}, "allocation must hold shares"),
        ({"power": 1.0}, "power must lie between 0 and 1"),
        ({"alpha": 0.0}, "alpha must lie between 0 and 1"),
        ({"looks": 2}, "looks must be 1 of a fixed test"),
        ({"correction": "holm"}, "correction must be one of"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        design(_MEAN, **options)  # type: ignore[arg-type]  # wrong on purpose


def test_parts_that_do_not_fit_are_refused() -> None:
    plan = design(_MEAN)
    with pytest.raises(ValueError, match="n must be at least 1 of each variant"):
        replace(plan, n=(100,))
    with pytest.raises(ValueError, match="power must lie between 0 and 1"):
        replace(plan, power=2.0)
    goal: Goal = "equivalence"
    equal = replace(_MEAN, mde=0.0, goal=goal, margin=0.5)
    with pytest.raises(ValueError, match="method must be 'fixed' of equivalence"):
        design(equal, method="always-valid", looks=2)
    found: Plan = design(equal)
    with pytest.raises(ValueError, match="effect must be given"):
        detectable(found, found.n)
