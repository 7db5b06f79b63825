"""Intervals and p-values of an effect that hold at every look at once, by mixtures."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, expm1, inf, isfinite, isnan, log, log1p, nan, sqrt
from typing import Final

import numpy as np
from scipy.special import erfcx, log_ndtr

from nextcall.abtest.effect import Alternative, Effect, check_alpha, check_alternative

_LOG_2: Final = log(2)
_MOST: Final = 1e300  # a finite ratio of variances


@dataclass(frozen=True, slots=True, kw_only=True)
class AnytimeEffect:
    """An effect that may be read after every unit, and acted on.

    Parameters
    ----------
    value, se : float
        Of the effect, as it was given.
    ci_lower, ci_upper : float
        Of the confidence sequence at this look; infinite on the open side of a one-sided one.
    pvalue : float
        Always valid, in [0, 1]; ``nan`` where the standard error is 0 or not known.
    log_evalue : float
        Natural logarithm of the evidence against the null; ``nan`` as the p-value is. Under the
        null the evidence is 1 on average, whenever one stops. Logarithms of independent tests add.
    null : float
        The effect that is tested.
    """

    value: float
    se: float
    ci_lower: float
    ci_upper: float
    pvalue: float
    log_evalue: float
    null: float = 0.0


def mixture_rate(n: float, alpha: float = 0.05, *, approximate: bool = False) -> float:
    """Give the mixture whose confidence sequence is narrowest once there are `n` units.

    Parameters
    ----------
    n : float
        Units of both arms together, above 0.
    alpha : float
        Level of the sequence.
    approximate : bool
        Whether a closed form is taken in place of the exact optimum (GrowthBook's engine has it).

    Returns
    -------
    float
        Information a unit brings, as a share of the mixture's own: rho squared in the paper.

    Raises
    ------
    ValueError
        Where `n` is not above 0 or `alpha` not between 0 and 1.

    References
    ----------
    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Annals of Statistics 52(6),
    arXiv 2103.06476: the optimum is -W(-alpha^2 / e) - 1 by Lambert's lower branch.

    Examples
    --------
    >>> round(5000 * mixture_rate(5000), 4), round(5000 * mixture_rate(5000, approximate=True), 4)
    (8.212, 7.9362)
    """
    if not (n > 0 and isfinite(n)):
        raise ValueError(f"n must be above 0 and finite, got {n}.")
    bits = -2 * log(check_alpha(alpha))
    if approximate:
        return (bits + log1p(bits)) / n
    # w - log w = 1 + bits for w = 1 + rate * n, by Newton's steps in x = w - 1.
    found = bits + sqrt(2 * bits) + log1p(bits) / 2
    for _ in range(12):  # it starts close, and digits double
        found -= (found - log1p(found) - bits) * (1 + found) / found
    return found / n


def asymptotic_sequence(
    effect: Effect,
    n: float,
    *,
    rate: float,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> AnytimeEffect:
    """Give the asymptotic confidence sequence of an effect at a look, by a normal mixture.

    It leans on the law of large numbers for the variance, as a z-test does, and on nothing else:
    `t_mixture_sequence` is exact for normal values. It also never ends, and pays for looks that a
    test with a planned size will not have: `horizon_effect` does not.

    Parameters
    ----------
    effect : Effect
        Its value, standard error and null are read: a difference, a relative one, a ratio's.
    n : float
        Units of both arms together, above 0.
    rate : float
        Of the mixture, the same at every look: `mixture_rate`.
    alternative : {"two-sided", "greater", "less"}
        One-sided: the closed form of the paper, a little wider than the mixture's own; the
        evidence is the mixture's own.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    Waudby-Smith et al. (2024), arXiv 2103.06476, eq. 9 and 155; Robbins (1970).

    Examples
    --------
    >>> from nextcall.abtest.effect import Arm, difference
    >>> a, b = Arm(n=1000, estimate=10.0, variance=4.0), Arm(n=1000, estimate=10.2, variance=4.4)
    >>> rate = mixture_rate(5000, approximate=True)
    >>> found = asymptotic_sequence(difference(a, b), 2000, rate=rate)
    >>> round(found.ci_lower, 3), round(found.ci_upper, 3), round(found.pvalue, 3)
    (-0.086, 0.486, 0.334)
    """
    if not (n > 0 and isfinite(n)):
        raise ValueError(f"n must be above 0 and finite, got {n}.")
    if not (rate > 0 and isfinite(rate)):
        raise ValueError(f"rate must be above 0 and finite, got {rate}.")
    return _mixture(effect, n * rate, check_alpha(alpha), check_alternative(alternative))


def sprt_mixture(
    effect: Effect,
    *,
    prior_sd: float,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> AnytimeEffect:
    """Test an effect by the mixture sequential probability ratio.

    Parameters
    ----------
    effect : Effect
        Its value, standard error and null are read.
    prior_sd : float
        How far effects lie from the null, in the effect's unit: the standard deviation of the
        normal law over which the likelihood ratio is averaged. Fixed before the test, above 0.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    Johari, Koomen, Pekelis & Walsh (2022), Operations Research 70(3): always valid inference.

    Examples
    --------
    >>> found = sprt_mixture(Effect(value=0.2, se=0.05, dof=2000, ci_lower=0, ci_upper=0, pvalue=0),
    ...                      prior_sd=0.1)
    >>> round(found.pvalue, 5), round(found.log_evalue, 3)
    (0.00372, 5.595)
    """
    if not (prior_sd > 0 and isfinite(prior_sd)):
        raise ValueError(f"prior_sd must be above 0 and finite, got {prior_sd}.")
    size = prior_sd / effect.se if effect.se > 0 else 1.0
    ratio = min(max(size * size, 1 / _MOST), _MOST)
    return _mixture(effect, ratio, check_alpha(alpha), check_alternative(alternative))


def t_mixture_sequence(
    effect: Effect, n: float, *, rate: float, alpha: float = 0.05
) -> AnytimeEffect:
    """Give the confidence sequence that is exact for normal values of unknown variance.

    As `asymptotic_sequence`, with the t law of the effect's degrees of freedom in place of the
    normal one: exact at any sample size where both arms share a variance, nearly so by Welch's
    degrees of freedom. Two-sided. Unbounded where there are too few units for any conclusion.

    References
    ----------
    Lindon, Ham, Tingley & Bojinov (2022), arXiv 2210.08589; Lai (1976); Rouder et al. (2009) for
    the mixture over effects in units of the standard deviation.

    Examples
    --------
    >>> few = Effect(value=1.0, se=0.2, dof=8, ci_lower=0, ci_upper=0, pvalue=0)
    >>> rate = mixture_rate(100)
    >>> round(t_mixture_sequence(few, 10, rate=rate).pvalue, 3)
    0.206
    >>> round(asymptotic_sequence(few, 10, rate=rate).pvalue, 4)
    0.0048
    """
    plain = asymptotic_sequence(effect, n, rate=rate, alpha=alpha)
    dof, ratio = effect.dof, n * rate
    if dof == inf or isnan(plain.pvalue):
        return plain
    score = (effect.value - effect.null) / effect.se
    square = score * score / dof
    log_evidence = (log1p(square) - log1p(square / (1 + ratio))) * (dof + 1) / 2 - log1p(ratio) / 2
    if square == inf:
        log_evidence = log1p(ratio) * dof / 2
    power = (log1p(ratio) - 2 * log(alpha)) / (dof + 1)
    reach = inf
    if power < log1p(ratio):
        reach = effect.se * sqrt(dof * expm1(power) / -expm1(power - log1p(ratio)))
    return AnytimeEffect(
        value=effect.value,
        se=effect.se,
        ci_lower=effect.value - reach,
        ci_upper=effect.value + reach,
        pvalue=exp(-max(log_evidence, 0.0)),
        log_evalue=log_evidence,
        null=effect.null,
    )


def running(looks: Iterable[AnytimeEffect]) -> AnytimeEffect:
    """Give the last of some looks, with all that the looks before it have shown.

    The interval is the part that all intervals have in common and the p-value the smallest yet:
    both still hold, for each sequence holds at all looks at once. Where intervals have nothing in
    common, which happens with probability `alpha` at most, both ends are ``nan``.

    Raises
    ------
    ValueError
        Where there is no look.
    """
    seen = list(looks)
    if not seen:
        raise ValueError("looks must hold at least 1, got 0.")
    last = seen[-1]
    low, high = max(each.ci_lower for each in seen), min(each.ci_upper for each in seen)
    pvalues = [each.pvalue for each in seen if not isnan(each.pvalue)]
    return AnytimeEffect(
        value=last.value,
        se=last.se,
        ci_lower=low if low <= high else nan,
        ci_upper=high if low <= high else nan,
        pvalue=min(pvalues, default=nan),
        log_evalue=last.log_evalue,
        null=last.null,
    )


def _mixture(effect: Effect, ratio: float, alpha: float, alternative: Alternative) -> AnytimeEffect:
    """Mix normal likelihoods over effects whose variance is `ratio` times the squared error."""
    value, se, null = effect.value, effect.se, effect.null
    if isnan(value) or isnan(se) or not se > 0:
        reach, pvalue, evidence = (0.0 if se == 0 else inf), nan, nan
    else:
        z = (value - null) / se * (-1 if alternative == "less" else 1)
        spread, half = ratio / (1 + ratio), log1p(ratio) / 2
        exponent = z * z * spread / 2
        if alternative == "two-sided":
            reach = se * sqrt(2 * (half - log(alpha)) / spread)
            evidence = exponent - half
            pvalue = exp(-max(evidence, 0.0))
        else:
            reach = se * sqrt(2 * float(np.logaddexp(0, half - _LOG_2 - log(alpha))) / spread)
            evidence = _LOG_2 - half + _log_upper_half(z * sqrt(spread))
            pvalue = exp(min(half - _LOG_2 - _log_expm1(exponent), 0.0)) if z > 0 else 1.0
    return AnytimeEffect(
        value=value,
        se=se,
        ci_lower=-inf if alternative == "less" or reach == inf else value - reach,
        ci_upper=inf if alternative == "greater" or reach == inf else value + reach,
        pvalue=pvalue,
        log_evalue=evidence,
        null=null,
    )


def _log_upper_half(x: float) -> float:
    """Give the logarithm of e^(x^2 / 2) times the normal law's share below x."""
    if x < 0:
        scaled = float(erfcx(-x / sqrt(2))) / 2  # the square and the share cancel
        return log(scaled) if scaled > 0 else -inf
    return x * x / 2 + float(log_ndtr(x))


def _log_expm1(value: float) -> float:
    """Give log(e^value - 1) of a value that is not below 0, also where e^value overflows."""
    return value + log(-expm1(-value)) if value > 0 else -inf
