"""What a plan is for: which metric, which effect, and what comes in."""

from dataclasses import dataclass
from math import ceil, isfinite
from typing import Final, Literal, get_args

from nextcall.abtest.effect import Alternative, check_alternative
from nextcall.abtest.planned_tests import MeanTest, PlannedTest, ShareTest

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
        Of a unit's part in the metric, as `MeanTest` has it, in either variant; none of a
        proportion. Where an effect changes it too (all values grow by a share), with equal variants
        the root of the mean of both squares.
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

    @property
    def sides(self) -> int:
        """Sides on which the test rejects."""
        return 2 if self.alternative == "two-sided" and self.goal == "difference" else 1

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
        sd = self.sd * self.factor**0.5
        return MeanTest(
            sd=sd,
            sd_treatment=sd,  # Welch's test, which the analysis makes
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
