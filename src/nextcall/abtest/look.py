"""Which interval a look at a running test may be read by, and what it says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, isnan
from typing import Final, Literal, get_args

from nextcall.abtest.effect import (
    Alternative,
    Effect,
    check_alpha,
    check_alternative,
    effect_of,
)
from nextcall.abtest.group_inference import repeated_effect, stagewise_effect
from nextcall.abtest.group_sequential import spending_bounds
from nextcall.abtest.horizon_sequences import Horizon, horizon_effect
from nextcall.abtest.spending import Spending

Method = Literal["fixed-horizon", "group-sequential", "always-valid"]
"""One look at the end; a few looks that spend alpha; a look whenever one likes."""

_METHODS: Final = get_args(Method)
_OVERRUN: Final = 1.1  # a last look that comes so much late still counts as the planned one


@dataclass(frozen=True, slots=True, kw_only=True)
class LookPlan:
    """How a test is to be read, fixed before it begins.

    Parameters
    ----------
    n : float
        Planned units of both arms together.
    method : {"fixed-horizon", "group-sequential", "always-valid"}
    alpha : float
        Of the whole test, all looks together.
    alternative : {"two-sided", "greater", "less"}
    first : float
        Units of both arms together before which an always-valid look says nothing.
    spending : Spending
        Of a group-sequential test.

    Raises
    ------
    ValueError
        Where one is out of its range.
    """

    n: float
    method: Method = "always-valid"
    alpha: float = 0.05
    alternative: Alternative = "two-sided"
    first: float = 60.0
    spending: Spending = field(default_factory=Spending)

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not (self.n > 0 and isfinite(self.n)):
            raise ValueError(f"n must be above 0 and finite, got {self.n}.")
        if self.method not in _METHODS:
            raise ValueError(f"method must be one of {_METHODS}, got {self.method!r}.")
        if not self.first > 0:
            raise ValueError(f"first must be above 0, got {self.first}.")
        check_alpha(self.alpha)
        check_alternative(self.alternative)

    @property
    def horizon(self) -> Horizon:
        """What an always-valid look is computed by."""
        return Horizon(last=self.n, first=min(self.first, self.n))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What may be read at a look.

    Parameters
    ----------
    method : {"fixed-horizon", "group-sequential", "always-valid"}
        By which `effect` is valid at this look: not always the plan's.
    effect : Effect
        With the interval and the p-value that hold.
    naive : Effect
        What a test with this one look would say. Where `method` is another it is too sure of
        itself.
    shown : bool
        Whether `effect` differs from the null by the plan.
    ended : bool
        Whether the planned units are there.
    reason : str
        Why this method, in one sentence.
    """

    method: Method
    effect: Effect
    naive: Effect
    shown: bool
    ended: bool
    reason: str


def look(plan: LookPlan, effect: Effect, n: float, *, earlier: Sequence[float] = ()) -> Look:
    """Read an effect at a look, so that the error of all looks together is the plan's alpha.

    A test that was planned for one look and is looked at early, or was looked at before, gets the
    always-valid interval; one that waited gets the plain one. A group-sequential test gets the
    repeated interval while it runs; where it stops, the estimate and interval that are freed of
    the looks.

    Parameters
    ----------
    effect : Effect
        Its value, standard error, degrees of freedom and null are read.
    n : float
        Units of both arms together at this look, above 0.
    earlier : sequence of float
        Units at the looks before it, at none of which the test stopped.

    Raises
    ------
    ValueError
        Where `n` is not above 0 or an earlier look has more units.

    Examples
    --------
    >>> from nextcall.abtest.effect import Arm, difference
    >>> a, b = Arm(n=500, estimate=10.0, variance=4.0), Arm(n=500, estimate=10.3, variance=4.0)
    >>> found = look(LookPlan(n=4000, method="fixed-horizon"), difference(a, b), 1000)
    >>> found.method, round(found.naive.pvalue, 3), round(found.effect.pvalue, 3), found.shown
    ('always-valid', 0.018, 0.202, False)
    """
    if not (n > 0 and isfinite(n)):
        raise ValueError(f"n must be above 0 and finite, got {n}.")
    if not all(0 < each <= n for each in earlier):
        raise ValueError(f"earlier must lie above 0 and not beyond n = {n:g}, got {list(earlier)}.")
    before = sorted({float(each) for each in earlier if each < n})
    naive = effect_of(
        effect.value,
        effect.se,
        dof=effect.dof,
        alpha=plan.alpha,
        alternative=plan.alternative,
        null=effect.null,
    )
    method: Method = plan.method
    if method == "group-sequential":
        found, reason = _at_stage(plan, effect, n, before)
    elif method == "fixed-horizon" and n >= plan.n and not before:
        found, reason = naive, "The planned units are there, and nobody looked before."
    else:
        found, reason = _at_any_time(plan, effect, n, before)
        if method == "fixed-horizon":
            early = "It is early" if n < plan.n else "It was looked at before its end"
            reason = f"{early} for a test planned for one look: {reason[0].lower()}{reason[1:]}"
        method = "always-valid"
    return Look(
        method=method,
        effect=found,
        naive=naive,
        shown=_shown(found, plan.alpha),
        ended=n >= plan.n,
        reason=reason,
    )


def _at_any_time(
    plan: LookPlan, effect: Effect, n: float, before: Sequence[float]
) -> tuple[Effect, str]:
    late = n > plan.n
    if late and n <= _OVERRUN * plan.n and not any(each >= plan.n for each in before):
        n, late = plan.n, False
    found = horizon_effect(
        effect, n, horizon=plan.horizon, alpha=plan.alpha, alternative=plan.alternative
    )
    if n < plan.horizon.first:
        return found, f"Nothing is said before {plan.horizon.first:g} units."
    if late:
        return found, "The planned size is past: the interval that is kept for later looks holds."
    return found, "An interval that holds at every look up to the planned size."


def _at_stage(
    plan: LookPlan, effect: Effect, n: float, before: Sequence[float]
) -> tuple[Effect, str]:
    shares = [each / plan.n for each in (*before, n)]
    found = repeated_effect(
        effect, shares, alpha=plan.alpha, spending=plan.spending, alternative=plan.alternative
    )
    if not (_shown(found, plan.alpha) or n >= plan.n):
        return found, "An interval that holds at each of the looks by which alpha is spent."
    if before and before[-1] >= plan.n:
        return found, "All of alpha was spent at an earlier look."
    bounds = spending_bounds(
        shares, alpha=plan.alpha, spending=plan.spending, alternative=plan.alternative
    )
    found = stagewise_effect(effect, bounds, alpha=plan.alpha, alternative=plan.alternative)
    return found, "The test stops here: estimate and interval are freed of its looks."


def _shown(effect: Effect, alpha: float) -> bool:
    return not isnan(effect.pvalue) and effect.pvalue <= alpha
