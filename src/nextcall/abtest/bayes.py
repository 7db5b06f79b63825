"""What is known of two variants after the data: chance to win, expected losses, ROPE."""

from dataclasses import dataclass
from math import exp, hypot, inf, isfinite, nan, pi, sqrt

from scipy import special

from nextcall.abtest.beta_chances import (
    Beta,
    chance_above,
    chance_between,
    difference_interval,
    expected_shortfall,
)
from nextcall.abtest.effect import Arm, check_alpha
from nextcall.abtest.metrics import Direction, check_direction
from nextcall.abtest.shares import Share

Range = tuple[float, float]
"""Lower and upper end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """What is known of an effect of treatment over control.

    Parameters
    ----------
    mean, sd : float
        Of the effect.
    ci_lower, ci_upper : float
        The middle 1 - alpha: the effect lies within with this chance.
    chance_to_win : float
        That treatment is better.
    loss_treatment, loss_control : float
        Expected loss of choosing this one, in the unit of the effect: how much better the other is
        where it is better, 0 where it is not, on average.
    rope_share : float
        Chance that the effect lies in the region of practical equivalence; ``nan`` without one.
    """

    mean: float
    sd: float
    ci_lower: float
    ci_upper: float
    chance_to_win: float
    loss_treatment: float
    loss_control: float
    rope_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BetaComparison:
    """Two shares after the data.

    Parameters
    ----------
    control, treatment : Beta
        The law of each share.
    control_interval, treatment_interval : tuple of float
        The middle 1 - alpha of each.
    difference : Posterior
        Of treatment minus control.
    """

    control: Beta
    treatment: Beta
    control_interval: Range
    treatment_interval: Range
    difference: Posterior


def compare_shares(
    control: Share,
    treatment: Share,
    *,
    prior: Beta | None = None,
    alpha: float = 0.05,
    better: Direction = "higher",
    rope: Range | None = None,
) -> BetaComparison:
    """Compare two shares by the Beta-Binomial model, by quadrature: nothing is simulated.

    Parameters
    ----------
    prior : Beta, optional
        Of either share before the data; uniform where it is not given.
    better : {"higher", "lower"}
    rope : tuple of float, optional
        Differences, in the unit of the shares, that make no difference in practice.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    Examples
    --------
    >>> found = compare_shares(Share(successes=120, n=1000), Share(successes=150, n=1010))
    >>> round(found.difference.chance_to_win, 6), round(found.difference.loss_treatment, 8)
    (0.969426, 0.00018096)
    """
    alpha, better = check_alpha(alpha), check_direction(better)
    before = Beta() if prior is None else prior
    one, other = _after(before, control), _after(before, treatment)
    short, over = expected_shortfall(other, one), expected_shortfall(one, other)
    low, high = difference_interval(other, one, alpha=alpha)
    up = better == "higher"
    difference = Posterior(
        mean=other.mean - one.mean,
        sd=hypot(one.sd, other.sd),
        ci_lower=low,
        ci_upper=high,
        chance_to_win=chance_above(other, one) if up else chance_above(one, other),
        loss_treatment=short if up else over,
        loss_control=over if up else short,
        rope_share=nan if rope is None else _beta_rope(other, one, _check_rope(rope)),
    )
    return BetaComparison(
        control=one,
        treatment=other,
        control_interval=one.interval(alpha),
        treatment_interval=other.interval(alpha),
        difference=difference,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalPrior:
    """What is believed of an effect before the data.

    Parameters
    ----------
    mean : float
    sd : float
        Above 0.
    relative : bool
        Whether both are shares of control's mean, else in the unit of the metric.

    Raises
    ------
    ValueError
        Where one is out of its range.
    """

    mean: float = 0.0
    sd: float
    relative: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not 0 < self.sd < inf:
            raise ValueError(f"sd must be finite and above 0, got {self.sd}.")
        if not isfinite(self.mean):
            raise ValueError(f"mean must be finite, got {self.mean}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalComparison:
    """Two means after the data.

    Parameters
    ----------
    absolute : Posterior
        Of treatment minus control, in the unit of the metric.
    relative : Posterior
        Of (treatment - control) / control; ``nan`` at a control of 0 (with a relative prior both).
    """

    absolute: Posterior
    relative: Posterior


def compare_normal(
    control: Arm,
    treatment: Arm,
    *,
    prior: NormalPrior | None = None,
    alpha: float = 0.05,
    better: Direction = "higher",
    rope: Range | None = None,
    relative_rope: Range | None = None,
) -> NormalComparison:
    """Compare two estimates by the normal-normal model; errors are taken as known.

    The relative effect has the delta method's error, and leans on a control that is far from 0
    beside its own error; with a control below 0 it counts a rise as a fall.

    Parameters
    ----------
    prior : NormalPrior, optional
        Of the effect; flat where it is not given.
    better : {"higher", "lower"}
    rope, relative_rope : tuple of float, optional
        Effects that make no difference in practice: absolute, and as shares of control.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    GrowthBook's model of an effect; Stucchio (2015), Bayesian A/B testing at VWO, for the loss.

    Examples
    --------
    >>> a = Arm(n=1000, estimate=10.0, variance=4.0)
    >>> b = Arm(n=1010, estimate=10.15, variance=4.2)
    >>> round(compare_normal(a, b).absolute.chance_to_win, 6)
    0.951612
    """
    size = abs(control.estimate)
    options = (check_alpha(alpha), check_direction(better))
    absolute = _updated(
        treatment.estimate - control.estimate,
        hypot(control.se, treatment.se),
        _scaled(prior, (size or nan) if prior is not None and prior.relative else 1.0),
    )
    ratio = treatment.estimate / control.estimate if size else nan
    share_error = hypot(treatment.se, ratio * control.se)
    relative = _updated(
        (treatment.estimate - control.estimate) / control.estimate if size else nan,
        share_error / size if size else nan,
        _scaled(prior, 1.0 if prior is None or prior.relative or not size else 1 / size),
    )
    return NormalComparison(
        absolute=_posterior(*absolute, *options, rope),
        relative=_posterior(*relative, *options, relative_rope),
    )


def _after(prior: Beta, share: Share) -> Beta:
    return Beta(a=prior.a + share.successes, b=prior.b + share.failures)


def _beta_rope(law: Beta, other: Beta, rope: Range) -> float:
    return chance_between(law, other, low=max(rope[0], -1.0), high=min(rope[1], 1.0))


def _scaled(prior: NormalPrior | None, factor: float) -> tuple[float, float] | None:
    """Give mean and standard deviation of a prior in the unit of an effect."""
    return None if prior is None else (prior.mean * factor, prior.sd * factor)


def _updated(value: float, se: float, prior: tuple[float, float] | None) -> tuple[float, float]:
    """Give mean and standard deviation after the data; weights, for precisions may be infinite."""
    if prior is None or se == 0:
        return value, se
    mean, sd = prior
    whole = hypot(se, sd)
    data, before = sd / whole, se / whole  # the roots of both weights
    return value * data * data + mean * before * before, se * data


def _posterior(
    mean: float, sd: float, alpha: float, better: Direction, rope: Range | None
) -> Posterior:
    known = sd > 0
    z = mean / sd if known else nan
    reach = -float(special.ndtri(alpha / 2)) * sd
    over, short = (sd * _upper_mean(z), sd * _upper_mean(-z)) if known else (nan, nan)
    up = better == "higher"
    share = nan
    if rope is not None:
        low, high = _check_rope(rope)
        share = _between((low - mean) / sd, (high - mean) / sd) if known else nan
    return Posterior(
        mean=mean,
        sd=sd,
        ci_lower=mean - reach,
        ci_upper=mean + reach,
        chance_to_win=float(special.ndtr(z if up else -z)),
        loss_treatment=short if up else over,
        loss_control=over if up else short,
        rope_share=share,
    )


def _upper_mean(z: float) -> float:
    """Give the mean of max(z + e, 0), e standard normal; its digits hold far below 0 too."""
    density = exp(-z * z / 2) / sqrt(2 * pi)
    if z >= 0:
        return density + z * float(special.ndtr(z))
    mills = sqrt(pi / 2) * float(special.erfcx(-z / sqrt(2)))
    return density * (1 + z * mills)


def _between(low: float, high: float) -> float:
    """Give the chance of a standard normal between two values, from the nearer tail."""
    if low > 0:
        low, high = -high, -low
    return float(special.ndtr(high) - special.ndtr(low))


def _check_rope(rope: Range) -> Range:
    low, high = rope
    if not low < high:
        raise ValueError(f"rope must rise, got {rope}.")
    return low, high
