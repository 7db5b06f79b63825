"""Plans do what they promise when they are simulated."""

import numpy as np
import pytest

from nextcall.abtest.design import design
from nextcall.abtest.looks import LookMethod
from nextcall.abtest.plan_simulation import PlanSimulation, simulate_plan
from nextcall.abtest.target import Target

_RUNS = 10_000
_ERROR = 4 * np.sqrt(0.05 * 0.95 / _RUNS)
_MEAN = Target(metric="mean", baseline=10.0, sd=4.0, mde=0.5)
_TARGETS = {
    "mean": _MEAN,
    "lower": Target(metric="mean", baseline=10.0, sd=4.0, mde=-0.5, alternative="less"),
    "share": Target(metric="proportion", baseline=0.1, mde=0.02),
    "covariate": Target(metric="proportion", baseline=0.1, mde=0.02, factor=0.5),
    "not worse": Target(
        metric="proportion",
        baseline=0.3,
        mde=0.0,
        alternative="greater",
        goal="non-inferiority",
        margin=0.05,
    ),
    "not higher": Target(
        metric="mean",
        baseline=1.0,
        sd=1.0,
        mde=0.0,
        alternative="less",
        goal="non-inferiority",
        margin=0.1,
    ),
    "equal": Target(
        metric="quantile", baseline=1.0, sd=1.0, mde=0.0, goal="equivalence", margin=0.1
    ),
}


def _simulated(target: Target, method: LookMethod = "fixed", looks: int = 1) -> PlanSimulation:
    plan = design(target, method=method, looks=looks)
    return simulate_plan(plan, rng=np.random.default_rng(8), runs=_RUNS)


@pytest.mark.parametrize("target", _TARGETS.values(), ids=_TARGETS)
def test_a_plan_holds_alpha_and_has_its_power(target: Target) -> None:
    found = _simulated(target)
    assert found.false_alarms.share == pytest.approx(0.05, abs=_ERROR + 0.002)
    assert found.power.share == pytest.approx(0.8, abs=0.017)
    assert found.peeking == found.false_alarms
    assert found.expected == 1.0


@pytest.mark.parametrize("method", ["group-sequential", "always-valid"])
def test_looks_cost_no_false_alarms_and_no_power(method: LookMethod) -> None:
    found = _simulated(_MEAN, method, 5)
    assert found.false_alarms.share <= 0.05 + _ERROR
    assert found.peeking.ci_lower > 0.1
    assert found.power.share == pytest.approx(0.8, abs=0.017)
    expected = design(_MEAN, method=method, looks=5).looks.expected
    assert found.expected == pytest.approx(expected, abs=0.01)


def test_several_treatments_and_a_skewed_law() -> None:
    plan = design(_MEAN, allocation=(0.4, 0.3, 0.3))
    found = simulate_plan(plan, rng=np.random.default_rng(9), runs=1000, law="lognormal")
    assert found.false_alarms.ci_lower < 0.05 < found.false_alarms.ci_upper
    assert found.power.ci_lower < 0.8 < found.power.ci_upper
    frame = found.to_frame()
    assert found._repr_html_() == frame.to_html(index=False)
    assert frame["share"].tolist() == [
        found.false_alarms.share,
        found.peeking.share,
        found.power.share,
    ]
