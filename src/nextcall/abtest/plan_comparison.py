"""What was planned against what was done."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan

import pandas as pd
from scipy import stats

from nextcall.abtest.design import Plan, detectable
from nextcall.abtest.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a test.

    Parameters
    ----------
    n : tuple of int
        Units of each variant, control first, at least 2 each.
    baseline : float
        Control's value of the metric.
    sd : float, optional
        Of a unit's part in the metric, before covariates; none of a proportion.
    days : float, optional
        Duration.
    looks : int
        How often the test was looked at, the end included.
    """

    n: tuple[int, ...]
    baseline: float
    sd: float | None = None
    days: float | None = None
    looks: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanComparison:
    """A plan beside what was done.

    Parameters
    ----------
    plan : Plan
    done : Done
    share_of_n : float
        Units there were over units that were planned.
    allocation_pvalue : float
        Of the hypothesis that units came in the planned shares (chi-square).
    mde : tuple of float
        Smallest effect of each treatment that the units there were find with the plan's power, by
        what the metric turned out to be; ``nan`` where no effect is.
    power : tuple of float
        Chance of each treatment to be found with the effect that was planned for; ``nan`` where
        the effect cannot be at this baseline.
    """

    plan: Plan
    done: Done
    share_of_n: float
    allocation_pvalue: float
    mde: tuple[float, ...]
    power: tuple[float, ...]

    def to_frame(self) -> pd.DataFrame:
        """Give one row a quantity: what was planned, and what was done."""
        plan, done = self.plan, self.done
        total = sum(done.n)
        rows: list[tuple[str, float | None, float | None]] = [
            ("units", sum(plan.n), total),
            *(
                (f"share of variant {place}", share, units / total)
                for place, (share, units) in enumerate(zip(plan.allocation, done.n, strict=True))
            ),
            ("days", plan.days, done.days),
            ("looks", len(plan.looks.information), done.looks),
            ("baseline", plan.target.baseline, done.baseline),
            ("sd", plan.target.sd, done.sd),
            *(
                (f"mde of variant {place}", plan.target.mde, mde)
                for place, mde in enumerate(self.mde, start=1)
            ),
            *(
                (f"power of variant {place}", plan.power, power)
                for place, power in enumerate(self.power, start=1)
            ),
        ]
        return pd.DataFrame(
            [
                (name, one, other)
                for name, one, other in rows
                if not (one is None and other is None)
            ],
            columns=["quantity", "planned", "done"],
        ).astype({"planned": float, "done": float})

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html(index=False))


def compare_plan(plan: Plan, done: Done) -> PlanComparison:
    """Say what was planned and what was done.

    Raises
    ------
    ValueError
        Where the variants are not as many as were planned, one has fewer than two units, or a
        value is out of its range.

    Examples
    --------
    >>> from nextcall.abtest.design import design
    >>> plan = design(Target(metric="proportion", baseline=0.1, mde=0.01))
    >>> found = compare_plan(plan, Done(n=(7000, 7100), baseline=0.11))
    >>> round(found.share_of_n, 2), round(found.mde[0], 4), round(found.power[0], 2)
    (0.48, 0.0152, 0.46)
    """
    if len(done.n) != len(plan.n) or min(done.n) < 2:
        raise ValueError(
            f"n must be at least 2 of each of the {len(plan.n)} variants, got {list(done.n)}."
        )
    if not isfinite(done.baseline):
        raise ValueError(f"baseline must be finite, got {done.baseline}.")
    if not (done.days is None or (done.days >= 0 and isfinite(done.days))):
        raise ValueError(f"days must be at least 0 and finite, got {done.days}.")
    if done.looks < 1:
        raise ValueError(f"looks must be at least 1, got {done.looks}.")
    target = replace(plan.target, baseline=done.baseline, sd=done.sd)
    total = sum(done.n)
    expected = [share / sum(plan.allocation) * total for share in plan.allocation]
    return PlanComparison(
        plan=plan,
        done=done,
        share_of_n=total / sum(plan.n),
        allocation_pvalue=float(stats.chisquare(done.n, expected).pvalue),
        mde=_mde(plan, done.n, target),
        power=tuple(_power(plan, done.n[0], size, target) for size in done.n[1:]),
    )


def _mde(plan: Plan, n: Sequence[int], target: Target) -> tuple[float, ...]:
    found: list[float] = []
    for size in n[1:]:
        try:
            found.extend(detectable(plan, (n[0], size), target=target))
        except ValueError:  # no effect is found by so few units
            found.append(nan)
    return tuple(found)


def _power(plan: Plan, control: int, size: int, target: Target) -> float:
    test = target.test(size / control)
    n = max(control / plan.looks.inflation, test.least)
    try:
        return test.power(n, target.mde, plan.comparison_alpha)
    except ValueError:  # a share beyond 0 or 1
        return nan
