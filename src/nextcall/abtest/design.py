"""A plan of a test: how many units, for how long, looked at how often."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite
from typing import Final, Literal, get_args

from nextcall.abtest.comparison_alpha import Correction, comparison_alpha
from nextcall.abtest.effect import Alternative, check_alpha, check_alternative
from nextcall.abtest.looks import LookMethod, PlannedLooks, plan_looks
from nextcall.abtest.planned_tests import MeanTest, PlannedTest, ShareTest
from nextcall.abtest.power import solve

MetricKind = Literal["mean", "proportion", "ratio", "quantile"]
Goal = Literal["difference", "non-inferiority", "equivalence"]
"""What is to be shown: an effect, that it is not worse by a margin, or within it either way."""

_KINDS: Final = get_args(MetricKind)
_GOALS: Final = get_args(Goal)
_WEEK: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is measured, and which effect is to be found.

    Parameters
    ----------
    metric : {"mean", "proportion", "ratio", "quantile"}
    baseline : float
        Control's value of the metric.
    mde : float
        The smallest effect worth finding, with its sign, in the unit of the metric. Where the goal
        is a margin, the effect that is thought to be true, such as 0.
    sd : float, optional
        Of a unit's part in the metric, as `MeanTest` has it; none of a proportion.
    alternative : {"two-sided", "greater", "less"}
        Of non-inferiority "greater" where higher is better, "less" where lower is.
    goal : {"difference", "non-inferiority", "equivalence"}
    margin : float, optional
        Above 0, in the unit of the metric.
    factor : float
        What the variance of a unit is multiplied by: `cuped_factor`, `design_effect`, or both.

    Raises
    ------
    ValueError
        Where one is out of its range.
    """

    metric: MetricKind
    baseline: float
    mde: float
    sd: float | None = None
    alternative: Alternative = "two-sided"
    goal: Goal = "difference"
    margin: float | None = None
    factor: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.metric not in _KINDS:
            raise ValueError(f"metric must be one of {_KINDS}, got {self.metric!r}.")
        if self.goal not in _GOALS:
            raise ValueError(f"goal must be one of {_GOALS}, got {self.goal!r}.")
        check_alternative(self.alternative)
        for name in ("baseline", "mde"):
            if not isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be finite, got {getattr(self, name)}.")
        if (self.sd is None) != (self.metric == "proportion"):
            raise ValueError(f"sd must be given of all but a proportion, got {self.sd}.")
        if (self.margin is None) != (self.goal == "difference"):
            raise ValueError(f"margin must be given of a goal with one, got {self.margin}.")
        if self.goal == "non-inferiority" and self.alternative == "two-sided":
            raise ValueError("alternative must be 'greater' or 'less' of non-inferiority.")
        if self.goal == "difference":
            self._check_direction()
        self.test(1.0)

    def _check_direction(self) -> None:
        wrong = {"greater": self.mde < 0, "less": self.mde > 0, "two-sided": False}
        if self.mde == 0 or wrong[self.alternative]:
            raise ValueError(
                f"mde must not be 0 and lie on the side of the alternative {self.alternative!r}, "
                f"got {self.mde}."
            )

    def test(self, ratio: float) -> PlannedTest:
        """Give the test of a treatment with so many units for each of control."""
        null, margin = 0.0, None
        if self.goal == "non-inferiority" and self.margin is not None:
            null = self.margin if self.alternative == "less" else -self.margin
        if self.goal == "equivalence":
            margin = self.margin
        if self.sd is None:
            return ShareTest(
                baseline=self.baseline,
                ratio=ratio,
                alternative=self.alternative,
                null=null,
                margin=margin,
                form="pooled" if self.goal == "difference" else "unpooled",
                factor=self.factor,
            )
        return MeanTest(
            sd=self.sd * self.factor**0.5,
            ratio=ratio,
            alternative=self.alternative,
            null=null,
            margin=margin,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What comes in.

    Parameters
    ----------
    daily_units : float
        Units that come for the first time on a day of the test, above 0.
    eligible : float
        Share of them that enters the test, above 0 and at most 1.
    whole_weeks : bool
        Whether a test lasts whole weeks, so that each day of the week counts alike.

    Raises
    ------
    ValueError
        Where one is out of its range.
    """

    daily_units: float
    eligible: float = 1.0
    whole_weeks: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not (self.daily_units > 0 and isfinite(self.daily_units)):
            raise ValueError(f"daily_units must be above 0 and finite, got {self.daily_units}.")
        if not 0 < self.eligible <= 1:
            raise ValueError(f"eligible must lie above 0 and at most 1, got {self.eligible}.")

    def days(self, units: float) -> int:
        """Give how many days it takes for so many units."""
        days = max(ceil(units / (self.daily_units * self.eligible) - 1e-9), 1)
        return ceil(days / _WEEK) * _WEEK if self.whole_weeks else days


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
            two_sided=_sides(self.target) == 2,
        )

    @property
    def days(self) -> int | None:
        """Duration; None where the traffic is not known."""
        return None if self.traffic is None else self.traffic.days(sum(self.n))


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
    sides = _sides(target)
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


def _sides(target: Target) -> int:
    return 2 if target.alternative == "two-sided" and target.goal == "difference" else 1
