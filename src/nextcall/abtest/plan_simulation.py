"""How often a planned test is wrong, and how often it finds the effect: by simulating it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from nextcall.abtest.design import Plan
from nextcall.abtest.simulate import Law, Runs, Truth, simulate_tests
from nextcall.abtest.simulated_effects import run_effects


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedShare:
    """A share of the runs.

    Parameters
    ----------
    share : float
    ci_lower, ci_upper : float
        Exact 95% interval.
    """

    share: float
    ci_lower: float
    ci_upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSimulation:
    """What a plan does.

    Parameters
    ----------
    runs : int
        Of each question.
    false_alarms : SimulatedShare
        Runs in which any treatment was found where none has an effect; the plan's alpha at most.
    peeking : SimulatedShare
        The same where each look is read as though it were the only one.
    power : SimulatedShare
        Runs in which the first treatment was found, where it has the planned effect.
    expected : float
        Mean share of the units at which those runs stopped.
    """

    runs: int
    false_alarms: SimulatedShare
    peeking: SimulatedShare
    power: SimulatedShare
    expected: float

    def to_frame(self) -> pd.DataFrame:
        """Give one row a share."""
        names = ("false_alarms", "peeking", "power")
        rows = [getattr(self, name) for name in names]
        return pd.DataFrame(
            {
                "question": ["false alarms", "false alarms if peeked at", "power"],
                "share": [row.share for row in rows],
                "ci_lower": [row.ci_lower for row in rows],
                "ci_upper": [row.ci_upper for row in rows],
            }
        )

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html(index=False))


def simulate_plan(
    plan: Plan, *, rng: np.random.Generator, runs: int = 10_000, law: Law = "normal"
) -> PlanSimulation:
    """Run a planned test again and again, with no effect and with the planned one.

    Each look reads the test that the analysis makes of means, ratios and proportions against the
    plan's bounds. What a covariate saves or clusters cost is taken as planned; a quantile is
    replaced by a mean whose unit has the same part in it.

    Parameters
    ----------
    runs : int
        Of each of the two.
    law : {"normal", "lognormal", "pareto"}
        Of a unit's value.

    Raises
    ------
    ValueError
        Where an option is out of its range, or so many looks leave one without new units.

    Examples
    --------
    >>> from nextcall.abtest.design import design
    >>> from nextcall.abtest.target import Target
    >>> target = Target(metric="proportion", baseline=0.1, mde=0.02)
    >>> plan = design(target, method="group-sequential", looks=4)
    >>> found = simulate_plan(plan, rng=np.random.default_rng(0), runs=20_000)
    >>> found.false_alarms.ci_lower < 0.05 < found.peeking.ci_lower
    True
    """
    target = plan.target
    null = 0.0
    if target.margin is not None:
        null = target.margin if target.alternative == "less" else -target.margin
    factor = target.factor if target.metric == "proportion" else 1.0
    truth = Truth(
        metric="mean" if target.metric == "quantile" else target.metric,
        baseline=target.baseline,
        sd=1.0 if target.sd is None else target.sd * target.factor**0.5,
        law=law,
    )
    n = [
        [max(round(share * size / factor), 1) for size in plan.n]
        for share in plan.looks.information
    ]
    count = len(plan.n) - 1
    without = simulate_tests(replace(truth, effects=(null,) * count), n, runs=runs, rng=rng)
    effects = (target.mde,) + (0.0,) * (count - 1)
    with_effect = simulate_tests(replace(truth, effects=effects), n, runs=runs, rng=rng)
    scores = _evidence(plan, without)
    bounds = np.array(plan.looks.bounds)[:, None]
    found = (_evidence(plan, with_effect) >= bounds)[:, :, 0]
    times = np.array(plan.looks.information)
    stopped = np.where(found.any(axis=1), times[found.argmax(axis=1)], 1.0)
    once = stats.norm.isf(plan.comparison_alpha / plan.target.sides)
    return PlanSimulation(
        runs=runs,
        false_alarms=_share((scores >= bounds).any(axis=(1, 2))),
        peeking=_share((scores >= once).any(axis=(1, 2))),
        power=_share(found.any(axis=1)),
        expected=float(stopped.mean()),
    )


def _evidence(plan: Plan, runs: Runs) -> NDArray[np.float64]:
    """Give the z-scores that are held against the bounds."""
    target, effects = plan.target, run_effects(runs, pooled=plan.target.goal == "difference")
    margin = 0.0 if target.margin is None else target.margin
    if target.goal == "equivalence":
        return np.minimum(effects.z(-margin), -effects.z(margin))
    if target.alternative == "less":
        return -effects.z(margin)
    z = effects.z(-margin)
    return np.abs(z) if plan.target.sides == 2 else z


def _share(found: Any) -> SimulatedShare:
    interval = stats.binomtest(int(found.sum()), len(found)).proportion_ci(method="exact")
    return SimulatedShare(
        share=float(found.mean()), ci_lower=float(interval.low), ci_upper=float(interval.high)
    )
