"""Whether an effect wears off or grows with the days since first exposure, or hangs on weekdays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.abtest.effect import Alternative, Arm, Effect, difference, effect_of
from nextcall.abtest.means import mean_arm
from nextcall.abtest.moments import Moments
from nextcall.abtest.segments import Heterogeneity, compare_segments

WEEKDAYS: Final = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)
"""From 0 on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """How an effect moves with the days since units first met the test.

    Parameters
    ----------
    days : tuple of int
        That have an effect with an error.
    effects : tuple of Effect
        Treatment minus control on each of these days.
    slope : Effect
        Change of the effect a day, by weighted least squares. An effect that is new and wears off
        has a slope of the other sign than `first`; one that is learned, of the same.
    first, last : float
        The line at the first and the last day.
    """

    days: tuple[int, ...]
    effects: tuple[Effect, ...]
    slope: Effect
    first: float
    last: float


def effect_trend(
    control: Sequence[Moments],
    treatment: Sequence[Moments],
    *,
    column: int = 0,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> Trend:
    """Test whether an effect changes with the days since first exposure (novelty, primacy).

    Days weigh by 1 / se^2. Where days scatter around the line by more than their errors, the
    slope's error grows by as much and a t law takes the place of the normal one. Units that are
    seen on several days make days alike: that widens the error of the level, and leaves the test
    of the slope on the safe side.

    Parameters
    ----------
    control, treatment : sequence of Moments
        Of the units of each day, from the day of first exposure on. A day with fewer than two
        units of an arm, or none that varies, is left out.
    column : int
        Of the metric.

    Returns
    -------
    Trend
        With a slope of ``nan`` where fewer than two days are left.

    Raises
    ------
    ValueError
        Where the days of the arms do not match, or an option is out of its range.

    References
    ----------
    Birge (1932), Physical Review 40(2): errors that grow by the scatter. Hohnhold, O'Brien & Tang
    (2015), KDD: effects that change with exposure.

    Examples
    --------
    >>> noise = np.linspace(-1.0, 1.0, 101)
    >>> control = [Moments.of(noise)] * 5
    >>> treatment = [Moments.of(noise + 1.0 - 0.2 * day) for day in range(5)]
    >>> found = effect_trend(control, treatment)
    >>> round(found.slope.value, 6), round(found.first, 6), round(found.last, 6)
    (-0.2, 1.0, 0.2)
    """
    if len(control) != len(treatment):
        raise ValueError(
            "control and treatment must have the same days, got "
            f"{len(control)} and {len(treatment)}."
        )
    arms = {
        day: (mean_arm(one, column), mean_arm(other, column))
        for day, (one, other) in enumerate(zip(control, treatment, strict=True))
    }
    return trend_of_arms(arms, alpha=alpha, alternative=alternative)


def trend_of_arms(
    arms: Mapping[int, tuple[Arm, Arm]],
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> Trend:
    """Test whether an effect changes with the days, of arms of any metric; as `effect_trend`.

    Parameters
    ----------
    arms : mapping of int to (control, treatment)
        Of each day.

    Examples
    --------
    >>> arms = {
    ...     day: (Arm(n=50, estimate=1.0, variance=1.0), Arm(n=50, estimate=b, variance=1.0))
    ...     for day, b in ((0, 3.0), (3, 2.0), (9, 0.0))
    ... }
    >>> round(trend_of_arms(arms).slope.value, 6)
    -0.333333
    """
    found = {day: difference(*pair, alpha=alpha) for day, pair in arms.items()}
    known = {day: each for day, each in found.items() if isfinite(each.se) and each.se > 0}
    days, effects = np.array(list(known), dtype=np.float64), list(known.values())
    slope, ends = _line(days, effects, alpha, alternative)
    return Trend(
        days=tuple(known), effects=tuple(effects), slope=slope, first=ends[0], last=ends[1]
    )


def weekday_effects(
    control: Sequence[Moments],
    treatment: Sequence[Moments],
    weekdays: Sequence[int],
    *,
    column: int = 0,
    alpha: float = 0.05,
) -> Heterogeneity:
    """Test whether an effect hangs on the day of the week.

    Where it does, a test should run whole weeks. Units that are seen on several days make weekdays
    alike, so that the test finds less than it could, but no more than it should.

    Parameters
    ----------
    control, treatment : sequence of Moments
        Of the units of each calendar day.
    weekdays : sequence of int
        Of each day, 0 for Monday to 6 for Sunday.
    column : int
        Of the metric.

    Returns
    -------
    Heterogeneity
        Its segments are the weekdays that occur.

    Raises
    ------
    ValueError
        Where days do not match, there is none, or a weekday is out of its range.

    Examples
    --------
    >>> noise = np.linspace(-1.0, 1.0, 101)
    >>> control = [Moments.of(noise)] * 14
    >>> treatment = [Moments.of(noise + (day % 7 == 6)) for day in range(14)]
    >>> found = weekday_effects(control, treatment, [day % 7 for day in range(14)])
    >>> found.pvalue < 1e-9, round(found.segments["Sunday"].effect.value, 6)
    (True, 1.0)
    """
    if not len(control) == len(treatment) == len(weekdays):
        raise ValueError(
            "control, treatment and weekdays must have the same days, got "
            f"{len(control)}, {len(treatment)} and {len(weekdays)}."
        )
    sums: dict[int, tuple[Moments, Moments]] = {}
    for weekday, one, other in zip(weekdays, control, treatment, strict=True):
        if weekday not in range(len(WEEKDAYS)):
            raise ValueError(f"weekdays must lie between 0 and 6, got {weekday}.")
        if weekday in sums:
            sums[weekday] = (sums[weekday][0] + one, sums[weekday][1] + other)
        else:
            sums[weekday] = (one, other)
    arms = {
        WEEKDAYS[weekday]: (mean_arm(one, column), mean_arm(other, column))
        for weekday, (one, other) in sorted(sums.items())
    }
    return compare_segments(arms, alpha=alpha)


def _line(
    days: NDArray[np.float64], effects: Sequence[Effect], alpha: float, alternative: Alternative
) -> tuple[Effect, tuple[float, float]]:
    """Fit a line through effects; its slope, and its height at both ends."""
    if len(days) < 2:
        level = effects[0].value if effects else nan
        return effect_of(nan, nan, alpha=alpha, alternative=alternative), (level, level)
    values = np.array([effect.value for effect in effects])
    errors = np.array([effect.se for effect in effects])
    least = float(errors.min())
    weights = (least / errors) ** 2
    centre, level = (float(weights @ each / weights.sum()) for each in (days, values))
    off = days - centre
    reach = float(weights @ off**2)
    slope = float(weights @ (off * (values - level))) / reach
    se, dof, rest = least / sqrt(reach), inf, len(days) - 2
    scatter = float((((values - level - slope * off) / errors) ** 2).sum())
    if rest > 0 and scatter > rest:
        se, dof = se * sqrt(scatter / rest), rest
    return effect_of(slope, se, dof=dof, alpha=alpha, alternative=alternative), (
        level + slope * float(off[0]),
        level + slope * float(off[-1]),
    )
