"""Tests that have not begun: what is known of a metric, what is asked, and their power."""

from dataclasses import dataclass
from math import asin, hypot, inf, isfinite, nextafter, sqrt
from typing import Final, Literal, Protocol, get_args

from nextcall.abtest.effect import Alternative, Arm, check_alternative, degrees_of_freedom
from nextcall.abtest.t_power import between, beyond, critical

ShareForm = Literal["pooled", "unpooled", "arcsine"]
"""How the error of a difference of two shares is taken under the null."""

_FORMS: Final = get_args(ShareForm)


class PlannedTest(Protocol):
    """A test that has not begun: what is known of the metric, and what is asked of it."""

    @property
    def alternative(self) -> Alternative:
        """What is to be shown."""
        ...

    @property
    def null(self) -> float:
        """The effect that is tested; 0, or the margin of non-inferiority."""
        ...

    @property
    def least(self) -> float:
        """Units of control below which the test cannot be made."""
        ...

    @property
    def largest(self) -> float:
        """The largest effect there can be in the direction that is asked for."""
        ...

    @property
    def margin(self) -> float | None:
        """Of equivalence."""
        ...

    def power(self, n: float, effect: float, alpha: float) -> float:
        """Give the chance that the test finds the effect with n units of control."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanTest:
    """A difference of two means; also of ratios and quantiles, by a unit's part in the estimate.

    Parameters
    ----------
    sd : float
        Of a unit, in the unit of the metric. Of a ratio ``sqrt(ratio_arm(moments).variance)``, of a
        quantile `quantile_sd`. Covariates and clusters change it by the root of `cuped_factor` and
        `design_effect`.
    sd_treatment : float, optional
        Where treatment's is another.
    ratio : float
        Units of treatment for each of control.
    alternative : {"two-sided", "greater", "less"}
    null : float
        Of non-inferiority: minus the margin where higher is better (alternative "greater"), the
        margin where lower is (alternative "less").
    margin : float, optional
        Of equivalence, either way: two one-sided tests at alpha each; `alternative` is not read.
    normal : bool
        Whether a normal law is used in place of the t law.
    wrong_way : bool
        Whether a two-sided test that rejects on the other side than the effect's counts as power.
        It does for most libraries; closed forms of the sample size leave it out.

    Notes
    -----
    With two different standard deviations it is Welch's test, with the degrees of freedom that it
    has at the true variances; with one it is Student's, whose power is exact.

    Examples
    --------
    >>> test = MeanTest(sd=30.0)
    >>> round(test.power(3533, 2.0, 0.05), 4)
    0.8
    """

    sd: float
    sd_treatment: float | None = None
    ratio: float = 1.0
    alternative: Alternative = "two-sided"
    null: float = 0.0
    margin: float | None = None
    normal: bool = False
    wrong_way: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_alternative(self.alternative)
        _check_positive(sd=self.sd, ratio=self.ratio)
        if self.sd_treatment is not None:
            _check_positive(sd_treatment=self.sd_treatment)
        _check_margins(self.null, self.margin)

    @property
    def least(self) -> float:
        """Units of control below which the test cannot be made: each arm needs two."""
        if self.normal:
            return 0.0
        return 2.0 if self.ratio >= 1 else nextafter(2.0 / self.ratio, inf)

    @property
    def largest(self) -> float:
        """No bound."""
        return inf

    def power(self, n: float, effect: float, alpha: float) -> float:
        """Give the chance that the test finds the effect.

        Parameters
        ----------
        n : float
            Units of control.

        Raises
        ------
        ValueError
            Where there are too few units for the t law.
        """
        other = self.sd if self.sd_treatment is None else self.sd_treatment
        se = hypot(self.sd / sqrt(n), other / sqrt(self.ratio * n))
        dof = inf if self.normal else self._dof(n, other)
        if self.margin is not None:
            low, high = (self.margin + effect) / se, (self.margin - effect) / se
            return between(low, high, critical(alpha, dof), dof)
        shift = (effect - self.null) / se
        return _found(shift, 1.0, alpha, dof, self.alternative, wrong_way=self.wrong_way)

    def _dof(self, n: float, sd_treatment: float) -> float:
        if self.sd_treatment is None:  # one arm's units would do
            dof = (1 + self.ratio) * n - 2
        else:
            dof = degrees_of_freedom(
                Arm(n=n, estimate=0.0, variance=1.0),
                Arm(n=self.ratio * n, estimate=0.0, variance=(sd_treatment / self.sd) ** 2),
            )
        if not dof > 0:
            raise ValueError(f"n must be at least {self.least:g}, got {n}.")
        return dof


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareTest:
    """A difference of two proportions.

    Parameters
    ----------
    baseline : float
        Control's share, between 0 and 1.
    ratio, alternative, null, margin, wrong_way
        As of `MeanTest`, in shares.
    form : {"pooled", "unpooled", "arcsine"}
        "pooled" by default: the error under the null is that of one common share, as in the score
        (z, chi-square) test that the analysis makes; "unpooled" is Wald's test, and what margins
        take; "arcsine" is Cohen's h, which no analysis uses.
    factor : float
        What the variance of a unit is multiplied by, such as `design_effect`.

    Examples
    --------
    >>> round(ShareTest(baseline=0.1).power(14_751, 0.01, 0.05), 4)
    0.8
    """

    baseline: float
    ratio: float = 1.0
    alternative: Alternative = "two-sided"
    null: float = 0.0
    margin: float | None = None
    form: ShareForm = "pooled"
    factor: float = 1.0
    wrong_way: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_alternative(self.alternative)
        if not 0 < self.baseline < 1:
            raise ValueError(f"baseline must lie between 0 and 1, got {self.baseline}.")
        if self.form not in _FORMS:
            raise ValueError(f"form must be one of {_FORMS}, got {self.form!r}.")
        _check_positive(ratio=self.ratio, factor=self.factor)
        _check_margins(self.null, self.margin)
        if self.form != "unpooled" and (self.null != 0 or self.margin is not None):
            raise ValueError(f"form must be 'unpooled' with a margin, got {self.form!r}.")

    @property
    def least(self) -> float:
        """No bound; `exact_share_power` tells the truth about few units."""
        return 0.0

    @property
    def largest(self) -> float:
        """Up to a share of 1, or down to 0."""
        return self.baseline if self.alternative == "less" else 1 - self.baseline

    def power(self, n: float, effect: float, alpha: float) -> float:
        """Give the chance that the test finds the effect.

        Parameters
        ----------
        n : float
            Units of control.

        Raises
        ------
        ValueError
            Where treatment's share would not lie between 0 and 1.
        """
        share = self.baseline + effect
        if not 0 <= share <= 1:
            raise ValueError(
                f"baseline + effect must lie between 0 and 1, got {self.baseline} + {effect}."
            )
        scale = sqrt(n / self.factor)
        if self.form == "arcsine":
            roots = sqrt(share * (1 - self.baseline)) + sqrt(self.baseline * (1 - share))
            angle = 2 * asin(effect / roots)  # 2 asin(sqrt(share)) less the same of the baseline
            shift, wider = angle * scale / sqrt(1 + 1 / self.ratio), 1.0
        else:
            sd = sqrt(_spread(self.baseline) + _spread(share) / self.ratio)
            common = (self.baseline + self.ratio * share) / (1 + self.ratio)
            null_sd = sqrt(_spread(common) * (1 + 1 / self.ratio))
            shift = (effect - self.null) * scale / sd
            wider = null_sd / sd if self.form == "pooled" else 1.0
            if self.margin is not None:
                low, high = (self.margin + each * effect for each in (1, -1))
                return between(low * scale / sd, high * scale / sd, critical(alpha))
        return _found(shift, wider, alpha, inf, self.alternative, wrong_way=self.wrong_way)


def _found(
    shift: float,
    wider: float,
    alpha: float,
    dof: float,
    alternative: Alternative,
    *,
    wrong_way: bool,
) -> float:
    """Give the chance to reject; `wider` is the error that the test takes, over the true one."""
    if alternative != "two-sided":
        way = -1.0 if alternative == "less" else 1.0
        return beyond(way * shift, critical(alpha, dof) * wider, dof)
    bound = critical(alpha / 2, dof) * wider
    right = beyond(abs(shift), bound, dof)
    return right + beyond(-abs(shift), bound, dof) if wrong_way else right


def _spread(share: float) -> float:
    return share * (1 - share)


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not (value > 0 and isfinite(value)):
            raise ValueError(f"{name} must be above 0 and finite, got {value}.")


def _check_margins(null: float, margin: float | None) -> None:
    if not isfinite(null):
        raise ValueError(f"null must be finite, got {null}.")
    if margin is not None:
        _check_positive(margin=margin)
        if null != 0:
            raise ValueError("null and margin ask two questions; give one of them.")
