"""A plan of a test: how many units, for how long, looked at how often."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import pandas as pd

from nextcall.abtest.comparison_alpha import Correction, comparison_alpha
from nextcall.abtest.effect import check_alpha
from nextcall.abtest.looks import LookMethod, PlannedLooks, plan_looks
from nextcall.abtest.power import solve
from nextcall.abtest.target import Target, Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was decided before a test began.

    Parameters
    ----------
    target : Target
    alpha : float
        Of all comparisons and looks together.
    power : float
        Chance that a treatment with the effect is found, of each treatment alone.
    allocation : tuple of float
        Share of the units of each variant, control first; they sum to 1.
    correction : {"dunnett", "bonferroni", "none"}
        How several treatments share alpha.
    looks : PlannedLooks
    n : tuple of int
        Units of each variant at the last look.
    traffic : Traffic, optional
    """

    target: Target
    alpha: float
    power: float
    allocation: tuple[float, ...]
    correction: Correction
    looks: PlannedLooks
    n: tuple[int, ...]
    traffic: Traffic | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_alpha(self.alpha)
        if not 0 < self.power < 1:
            raise ValueError(f"power must lie between 0 and 1, got {self.power}.")
        check_allocation(self.allocation)
        if len(self.n) != len(self.allocation) or min(self.n) < 1:
            raise ValueError(f"n must be at least 1 of each variant, got {self.n}.")
        comparison_alpha(self.alpha, self.ratios, correction=self.correction)

    @property
    def ratios(self) -> tuple[float, ...]:
        """Units of each treatment for each of control."""
        return tuple(share / self.allocation[0] for share in self.allocation[1:])

    @property
    def comparison_alpha(self) -> float:
        """Alpha of each treatment's comparison with control."""
        return comparison_alpha(
            self.alpha,
            self.ratios,
            correction=self.correction,
            two_sided=self.target.sides == 2,
        )

    @property
    def days(self) -> int | None:
        """Duration; None where the traffic is not known."""
        return None if self.traffic is None else self.traffic.days(sum(self.n))

    def to_frame(self) -> pd.DataFrame:
        """Give one row a variant: its share, and its units at the last look."""
        treatments = (f"treatment {place}" for place in range(1, len(self.n)))
        return pd.DataFrame(
            {"variant": ["control", *treatments], "share": self.allocation, "units": self.n}
        )

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html(index=False))


def check_allocation(allocation: Sequence[float]) -> tuple[float, ...]:
    """Give shares of variants back.

    Raises
    ------
    ValueError
        Where there are fewer than two, or they are not above 0 and sum to 1.
    """
    shares = tuple(float(share) for share in allocation)
    if len(shares) < 2 or not all(share > 0 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(
            f"allocation must hold shares above 0 of two variants or more that sum to 1, "
            f"got {list(shares)}."
        )
    return shares


def design(
    target: Target,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    allocation: Sequence[float] = (0.5, 0.5),
    correction: Correction = "dunnett",
    method: LookMethod = "fixed",
    looks: int = 1,
    traffic: Traffic | None = None,
) -> Plan:
    """Plan a test of one control and one or more treatments.

    Each treatment is found with the power if it has the effect. Looks at equal steps of the units
    raise the units by what they cost (`PlannedLooks.inflation`).

    Parameters
    ----------
    allocation : sequence of float
        Share of the units of each variant, control first; they sum to 1.
    method : {"fixed", "group-sequential", "always-valid"}
    looks : int
        With "fixed" 1; else how often the test is looked at, the end included.

    Raises
    ------
    ValueError
        Where an option is out of its range, or nothing reaches the power.

    Examples
    --------
    >>> target = Target(metric="proportion", baseline=0.1, mde=0.01)
    >>> plan = design(target, traffic=Traffic(daily_units=3000))
    >>> plan.n, plan.days
    ((14751, 14751), 14)
    >>> design(target, method="group-sequential", looks=5).n
    (15116, 15116)
    """
    shares = check_allocation(allocation)
    ratios = [share / shares[0] for share in shares[1:]]
    sides = target.sides
    each = comparison_alpha(alpha, ratios, correction=correction, two_sided=sides == 2)
    if method != "fixed" and target.goal == "equivalence":
        raise ValueError(f"method must be 'fixed' of equivalence, got {method!r}.")
    once = max(
        solve(target.test(ratio), effect=target.mde, power=power, alpha=each).n for ratio in ratios
    )
    planned = plan_looks(
        method, looks, alpha=each, power=power, two_sided=sides == 2, units=once / shares[0]
    )
    control = ceil(once * planned.inflation - 1e-9)
    return Plan(
        target=target,
        alpha=alpha,
        power=power,
        allocation=shares,
        correction=correction,
        looks=planned,
        n=(control, *(ceil(control * ratio - 1e-9) for ratio in ratios)),
        traffic=traffic,
    )


def detectable(plan: Plan, n: Sequence[int], *, target: Target | None = None) -> tuple[float, ...]:
    """Give the smallest effects that so many units find with the plan's power.

    Parameters
    ----------
    n : sequence of int
        Units of each variant, control first.
    target : Target, optional
        What is known of the metric by now, in place of the plan's.

    Returns
    -------
    tuple of float
        Of each treatment, with the sign of the plan's effect.

    Raises
    ------
    ValueError
        Where no effect is found with the power by so few units, or the goal is equivalence.
    """
    known = plan.target if target is None else target
    down = known.mde < 0 and known.alternative == "two-sided"
    if down and known.metric == "proportion":  # the other share falls as this one rises
        known = replace(known, baseline=1 - known.baseline, mde=-known.mde)
    found = [
        solve(
            known.test(size / n[0]),
            n=n[0] / plan.looks.inflation,
            power=plan.power,
            alpha=plan.comparison_alpha,
        ).effect
        for size in n[1:]
    ]
    return tuple(-effect if down else effect for effect in found)
